#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An SEV-ES guest: the kernel negotiates the GHCB protocol and makes its GHCB pages shared, and the driver
# and ccshmctl report the platform. The emulator causes no #VC.
# vm-flavours: sev
# vm-kernels: 6.1
# vm-matrix: once
# vm-modules: ccshm
# vm-rig: es=1
. /suites/tap.sh

# field NAME TEXT: print the value in a line of a record ("platform  sev-es")
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }

like "$(dmesg)" "Memory Encryption Features active: AMD SEV SEV-ES" "the kernel is an SEV-ES guest"
exits 3 "no driver: doctor: exit 3" ccshmctl doctor
like "$out" "AMD SEV, SEV-ES or SEV-SNP" "no driver: doctor names the platforms that it cannot distinguish"
insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
runs "info: exit 0" ccshmctl info
is "$(field platform "$out")" sev-es "info prints the platform"
runs "doctor: exit 0" ccshmctl doctor
like "$out" "AMD SEV-ES" "doctor names the platform"
shared=$(cvmctl get pages_shared)
runs "alloc: exit 0" ccshmctl alloc 4M --name ring
is "$(($(cvmctl get pages_shared) - shared))" 1024 "alloc shares the memory"
runs "free: exit 0" ccshmctl free ring
rmmod ccshm
ok $? "the driver can be unloaded"
is "$(($(cvmctl get pages_shared) - shared))" 0 "free and unloading make the memory private"
done_testing
