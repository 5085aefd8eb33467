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

exits 0 "insmod: exit status 0" insmod /lib/ccshm/ccshm.ko
exits 0 "ccshmctl --version: exit status 0" /suites/ccshmctl --version
like "$out" "^ccshmctl [0-9]" "ccshmctl --version: prints the version"
exits 0 "alloc: exit status 0" /suites/ccshmctl alloc 4M --name packaged
like "$(echo hello | /suites/ccshmctl write packaged && /suites/ccshmctl read packaged --length 5)" "^hello$" "write and read: the same bytes"
exits 0 "free: exit status 0" /suites/ccshmctl free packaged
rmmod ccshm
exits 0 "a program of ccshm-tests: exit status 0" /suites/pages
done_testing
