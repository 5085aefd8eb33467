#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# skip.sh RELEASE ARCH HEADERS
# Check whether the driver can be built for a kernel: RELEASE and ARCH as dkms
# names them, HEADERS is the directory of its headers. If the driver cannot be
# built, print the reason in one sentence and exit with 77. Otherwise exit with
# 0, also if HEADERS is incomplete: the build then reports what is missing.
set -eu

# The first and the last kernel for which the driver was built and tested. A
# build for a later kernel may fail, and then apt cannot install that kernel's
# headers.
oldest=6.1
newest=7.3

release=$1 arch=$2 headers=$3

skip()
{
	echo "ccshm: $1: not building the driver for $release" >&2
	exit 77
}

# number VERSION: print major and minor as one number
number()
{
	minor=${1#*.}
	echo $((${1%%.*} * 1000 + ${minor%%[!0-9]*}))
}

case $release in
# RHEL 9 has the necessary backports from 9.2 on. All its kernels are 5.14: look for one of them.
5.14.0-*.el9*)
	[ ! -r "$headers/include/linux/pci.h" ] || grep -q driver_managed_dma "$headers/include/linux/pci.h" ||
		skip "the driver needs the kernel of RHEL 9.2 or later"
	;;
[0-9]*.[0-9]*)
	[ "$(number "$release")" -ge "$(number $oldest)" ] ||
		skip "the driver needs Linux $oldest or later"
	[ "$(number "$release")" -le "$(number $newest)" ] ||
		skip "this version of the driver was not tested with kernels after Linux $newest"
	;;
esac

case $arch in
x86_64 | aarch64 | '')
	;;
*)
	skip "the driver is for x86_64 and aarch64 only"
	;;
esac

# Confidential guests need the first two options; compat.h explains the others.
if [ -r "$headers/.config" ]; then
	for option in ARCH_HAS_CC_PLATFORM ARCH_HAS_MEM_ENCRYPT DMA_SHARED_BUFFER NET PCI; do
		grep -q "^CONFIG_$option=[ym]" "$headers/.config" ||
			skip "the driver needs a kernel with CONFIG_$option"
	done
fi

exec sh "${0%/*}/exports.sh" "$headers/Module.symvers"
