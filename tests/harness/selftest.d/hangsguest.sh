#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-boot: alone
# vm-timeout: 3
. /suites/tap.sh
pass "one"
# Stop the process that enforces the time limit in the guest.
kill -STOP "$PPID"
sleep 1000
