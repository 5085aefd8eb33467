#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The host refuses a page state change to private.
# vm-flavours: snp
# vm-modules: ccshm
# vm-boot: alone
. /suites/tap.sh
insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
runs "ALLOC: success" ccshmctl alloc 2M --name one
cvmctl fail private 0 1 || bail "the emulator cannot refuse"
ccshmctl free --wait one
fail "FREE whose page state change is refused: never returns"
done_testing
