#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
echo "<4>ccshm: leaked 1 block" >/dev/kmsg
pass "one"
done_testing
