#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the emulator's self-test (selftest-program.c): right and wrong accesses, each wrong one must be
# caught. In the plain flavour only the module and the devices are tested.
# vm-modules: cvm_selftest
# vm-make: tests/emulator
# vm-files: cvm/selftest-program
# vm-boot: alone
# vm-timeout: 180
exec /suites/selftest-program
