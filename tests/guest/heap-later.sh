#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl doctor when the kernel's own heap (tests/modules/kernel_heap) appears after that of
# ccshm: the node still belongs to ccshm, and disappears when ccshm is unloaded.
# vm-matrix: once
# vm-modules: ccshm kernel_heap
# vm-kernels: 7.2 7.3
# vm-flavours: sev snp tdx
# vm-boot: alone
. /suites/tap.sh

NODE=/dev/dma_heap/system_cc_shared

insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
runs "ccshm loaded: doctor heap: exit 0" ccshmctl doctor heap
like "$out" "^pass +heap +The heap $NODE is that of ccshm\.$" "ccshm loaded: the check heap reports the heap of ccshm"
insmod /lib/ccshm/kernel_heap.ko || bail "the kernel's heap cannot be loaded"
# The module has to stay: keep the harness from unloading it.
rm /lib/ccshm/kernel_heap.ko
runs "the kernel's heap loaded later: doctor heap: exit 0" ccshmctl doctor heap
like "$out" "^warn +heap +The heap $NODE is that of ccshm: the kernel's own heap appeared later" \
	"the kernel's heap loaded later: the check heap warns that the node is that of ccshm"
runs "the driver can be unloaded" rmmod ccshm
[ ! -e $NODE ]
ok $? "the node disappears when ccshm is unloaded"
exits 0 "ccshm unloaded: doctor heap: exit 0" ccshmctl doctor heap
like "$out" "^warn +heap +This kernel has its heap, but there is no $NODE" "ccshm unloaded: the check heap warns that the node is missing"
done_testing
