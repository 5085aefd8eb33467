#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-boot: alone
. /suites/tap.sh
pass "one"
poweroff -f
sleep 100
