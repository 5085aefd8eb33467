#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
expect_kmsg "at fake.c:3 fake"
echo "<4>WARNING: CPU: 0 PID: 1 at fake.c:3 fake+0x1/0x2" >/dev/kmsg
echo "<4>BUG: something else at fake.c:4" >/dev/kmsg
pass "one"
done_testing
