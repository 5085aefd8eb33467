#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The emulator's self-test with several CPUs, of a kind whose kernel maps memory by 2 MiB
# (Neoverse V3), and with every trap there is from the first instruction on. What it does is
# in selftest-smp.c.
# vm-flavours: cca
# vm-cpus: 4
# vm-rig: mode0=63 midr=0x410fd842
# vm-modules: cvm_selftest
# vm-make: tests/emulator
# vm-files: cvm/selftest-smp
# vm-timeout: 180
exec /suites/selftest-smp
