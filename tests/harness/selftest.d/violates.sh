#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The emulator's self-test causes violations and declares them; this suite drops the declarations.
# vm-flavours: sev tdx
# vm-modules: cvm_selftest
# vm-make: tests/emulator
# vm-files: cvm/selftest-program
# vm-timeout: 180
/suites/selftest-program | grep -v expect-violations
