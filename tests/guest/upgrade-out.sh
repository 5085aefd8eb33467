#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The commands in docs/upgrade-out.md, on a kernel with its own heap (tests/modules/kernel_heap):
# they work as without that heap. The suite heap-own tests programs that use both heaps.
# Proves README.md:
# - If a later kernel has its own heap `system_cc_shared`, nothing needs to be done: see
#   [docs/upgrade-out.md](docs/upgrade-out.md).
# vm-matrix: once
# vm-modules: ccshm kernel_heap
# vm-make: tests/demo
# vm-files: docs/upgrade-out.md tests/readme/blocks.sh demo/mapper demo/edu
# vm-kernels: 7.2 7.3
# vm-flavours: sev snp tdx
# vm-boot: alone
. /suites/tap.sh
. /suites/blocks.sh

NODE=/dev/dma_heap/system_cc_shared
PATH=/suites:$PATH

insmod /lib/ccshm/kernel_heap.ko || bail "the kernel's heap does not load"
# The module has to stay: keep the harness from unloading it.
rm /lib/ccshm/kernel_heap.ko
node=$(ls -l $NODE)
expect_kmsg "ccshm: the kernel has its own heap system_cc_shared"
insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"

commands /suites/upgrade-out.md guest >commands
[ "$(wc -l <commands)" -gt 6 ]
ok $? "upgrade-out.md has commands for a guest"
while read -r command; do
	runs "$command" sh -c "$command" </dev/null
	diag "$out"
	case $command in
	*doctor*) like "$out" "This kernel has its own heap $NODE" "doctor reports that the heap node is the kernel's" ;;
	*"ccshmctl read "*) is "$out" hello "ccshmctl read prints what was written" ;;
	*"ccshmctl revoke "*) like "$out" 'revoked' "ccshmctl revoke reports that the buffer's exports are revoked" ;;
	esac
done <commands
is "$(ls -l $NODE)" "$node" "the heap node is unchanged after the commands"
runs "the driver can be unloaded" rmmod ccshm
is "$(ls -l $NODE)" "$node" "the heap node is unchanged after ccshm is unloaded"
done_testing
