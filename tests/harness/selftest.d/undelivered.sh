#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
expect_kmsg "WARNING: .* at never.c"
pass "one"
done_testing
