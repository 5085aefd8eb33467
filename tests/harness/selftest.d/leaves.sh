#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
pass "leaves a process behind"
sleep 1000 &
done_testing
