#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-boot: alone
. /suites/tap.sh
pass "one"
echo "<0>BUG: kernel NULL pointer dereference, address: 0" >/dev/kmsg
done_testing
