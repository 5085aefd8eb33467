#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# vm-timeout: 20
. /suites/tap.sh
runs "runs true as root: exit status 0" true
is "$(as alice id -un)" alice "as alice id -un: prints alice"
is "$(as alice id -Gn)" "alice ccshm" "as alice id -Gn: prints the groups of alice"
is "$(as mallory +sys_rawio grep CapEff /proc/self/status | cut -f 2)" 0000000000020000 "as mallory +sys_rawio: CapEff is CAP_SYS_RAWIO only"
skip "flying" "no wings"
done_testing
