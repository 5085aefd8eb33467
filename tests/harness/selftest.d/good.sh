#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-timeout: 20
. /suites/tap.sh
runs "root may" true
is "$(as alice id -un)" alice "as changes the user"
is "$(as alice id -Gn)" "alice ccshm" "with the groups of the user"
is "$(as mallory +sys_rawio grep CapEff /proc/self/status | cut -f 2)" 0000000000020000 "and the one capability"
skip "flying" "no wings"
done_testing
