#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
is 2 3 "two is three"
done_testing
