#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the emulator's self-test for several CPUs (selftest-smp.c). A Realm's CPUs are of a kind whose kernel
# maps memory in units of 2 MiB (Neoverse V3); all traps are armed from the first instruction on.
# vm-flavours: cca snp tdx
# vm-cpus: 4
# vm-rig: cca:mode0=63 cca:midr=0x410fd842
# vm-modules: cvm_selftest
# vm-make: tests/emulator
# vm-files: cvm/selftest-smp
# vm-timeout: 180
exec /suites/selftest-smp
