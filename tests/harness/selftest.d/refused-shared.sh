#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The host refuses a page state change to shared, after as many successful ones as one buffer needs.
# vm-flavours: snp
# vm-modules: ccshm
# vm-boot: alone
. /suites/tap.sh
entries() { echo $(($(cvmctl get psc_4k) + $(cvmctl get psc_2m))); }

insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
before=$(entries)
runs "ALLOC without a refusal: success" ccshmctl alloc 2M --name one
cvmctl fail shared $(($(entries) - before)) 1 || bail "the emulator cannot refuse"
runs "ALLOC before the refused entry: success" ccshmctl alloc 2M --name two
ccshmctl alloc 2M --name three
fail "ALLOC whose page state change is refused: never returns"
done_testing
