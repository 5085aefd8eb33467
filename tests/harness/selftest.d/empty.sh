#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
. /suites/tap.sh
exit 0
