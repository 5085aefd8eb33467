#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
is "$(nproc)" 3 "the guest has 3 CPUs"
done_testing
