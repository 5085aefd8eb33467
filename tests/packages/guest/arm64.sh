#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run the contents of the arm64 packages in a Realm: ccshmctl, the library, and a program of
# ccshm-tests. check-deb unpacks the packages and runs this suite.
# vm-arch: arm64
# vm-flavours: cca
# vm-modules: ccshm
# vm-files: packaged/ccshmctl packaged/libccshm.so.0 packaged/pages
. /suites/tap.sh
export LD_LIBRARY_PATH=/suites

exits 0 "the module is loaded" insmod /lib/ccshm/ccshm.ko
exits 0 "ccshmctl runs" /suites/ccshmctl --version
like "$out" "^ccshmctl [0-9]" "and says which it is"
exits 0 "memory is allocated" /suites/ccshmctl alloc 4M --name packaged
like "$(echo hello | /suites/ccshmctl write packaged && /suites/ccshmctl read packaged --length 5)" "^hello$" "written and read"
exits 0 "and freed" /suites/ccshmctl free packaged
rmmod ccshm
exits 0 "a program of ccshm-tests runs" /suites/pages
done_testing
