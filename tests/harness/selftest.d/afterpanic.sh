#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-append: selftest=panic
. /suites/tap.sh
pass "must not run"
done_testing
