#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
echo "<4>WARNING: CPU: 0 PID: 1 at fake.c:1 fake+0x1/0x2" >/dev/kmsg
pass "one"
done_testing
