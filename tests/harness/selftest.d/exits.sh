#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
pass "fine so far"
echo 1..1
exit 3
