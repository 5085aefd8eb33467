#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-flavours: tdx
. /suites/tap.sh
fail "must not run"
done_testing
