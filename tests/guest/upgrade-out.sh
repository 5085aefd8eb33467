#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The commands in docs/upgrade-out.md, on a kernel with its own heap (tests/modules/kernel_heap):
# they work as without that heap. The suite heap-own tests programs that use both heaps.
# vm-matrix: once
# vm-modules: ccshm kernel_heap
# vm-make: tests/demo
# vm-files: docs/upgrade-out.md tests/readme/blocks.sh demo/mapper demo/edu
# vm-kernels: 7.2 7.3
# vm-flavours: sev tdx
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
ok $? "there are commands to be typed"
while read -r command; do
	runs "$command" sh -c "$command" </dev/null
	diag "$out"
	case $command in
	*doctor*) like "$out" "This kernel has its own heap $NODE" "... says whose the heap is" ;;
	*"ccshmctl read "*) is "$out" hello "... and what was written comes back" ;;
	*"ccshmctl revoke "*) like "$out" 'revoked' "... and it is revoked" ;;
	esac
done <commands
is "$(ls -l $NODE)" "$node" "the node is the one that it was"
runs "the driver can be unloaded" rmmod ccshm
is "$(ls -l $NODE)" "$node" "... and the node stays"
done_testing
