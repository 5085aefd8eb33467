#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The commands for a guest and the example program in README.md, and the buffer in docs/install.md.
# tests/packages/check-readme runs the other commands, and checks that each command is tested.
# vm-matrix: once
# vm-modules: ccshm
# vm-make: tests/demo tests/readme
# vm-files: README.md docs/install.md tests/readme/blocks.sh readme/example readme/example-cxx
# vm-flavours: sev snp tdx
# vm-timeout: 240
. /suites/tap.sh
. /suites/blocks.sh

before=$(cvmctl get pages_shared)
insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"

commands /suites/README.md guest >commands
[ "$(wc -l <commands)" -gt 8 ]
ok $? "README.md has commands for a guest"
while read -r command; do
	runs "$command" sh -c "$command" </dev/null
	diag "$out"
	case $command in
	*"ccshmctl read "*) like "$out" '^hello, device' "ccshmctl read prints what was written" ;;
	*"ccshmctl revoke "*) like "$out" 'revoked' "ccshmctl revoke reports that the buffer's exports are revoked" ;;
	esac
done <commands

# ---- the buffer that is provisioned at boot

blocks /suites/install.md provision >ring.conf
runs "provision with the file in docs/install.md: exit 0" ccshmctl provision ring.conf
like "$(ccshmctl list --output owner,name,size,group,mode)" '^alice +ring +64M +ccshm +0660$' "provision with the file in docs/install.md makes the buffer"
runs "FREE of the buffer in docs/install.md's file: exit 0" ccshmctl free alice/ring

# ---- the program

runs "the example program in README.md: exit 0" /suites/example
runs "the example program in README.md, compiled as C++: exit 0" /suites/example-cxx
diag "$out"
chmod 000 /dev/ccshm
exits 1 "the example program without permission: exit 1" as alice /suites/example
like "$out" "Permission denied" "the example program without permission reports the error"

# ---- nothing is left

i=0
while [ "$(cvmctl get pages_shared)" != "$before" ] && [ $i -lt 100 ]; do
	usleep 100000
	i=$((i + 1))
done
is "$(cvmctl get pages_shared)" "$before" "all pages are private after the commands in README.md and docs/install.md"
runs "the driver can be unloaded" rmmod ccshm
done_testing
