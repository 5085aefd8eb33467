#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The emulator's self-test: right and wrong things on purpose, each wrong one caught.
# What it does is in selftest-program.c; on a plain machine it says that there is no emulator.
# vm-modules: cvm_selftest
# vm-make: tests/emulator
# vm-files: cvm/selftest-program
# vm-boot: alone
# vm-timeout: 180
exec /suites/selftest-program
