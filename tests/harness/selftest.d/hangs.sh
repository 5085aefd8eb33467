#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-timeout: 3
. /suites/tap.sh
trap '' TERM
pass one
sleep 1000 &
sleep 1000
