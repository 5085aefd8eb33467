#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
expect_kmsg "at fake.c:2 fake"
echo "<4>------------[ cut here ]------------" >/dev/kmsg
echo "<4>WARNING: CPU: 0 PID: 1 at fake.c:2 fake+0x1/0x2" >/dev/kmsg
echo "<4>refcount_t: saturated" >/dev/kmsg
echo "<4>---[ end trace 0000000000000000 ]---" >/dev/kmsg
pass "one"
done_testing
