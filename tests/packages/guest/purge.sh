#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Remove the packages while the system runs and a buffer exists.
. /suites/tap.sh

# Keep a copy of ccshmctl, to free the remaining buffers after the removal.
cp -L "$(command -v ccshmctl)" "$(ldconfig -p | sed -n 's/.*libccshm\.so\.0 .*=> //p')" .
kept() { LD_LIBRARY_PATH=. ./ccshmctl "$@"; }
known() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -nE 's/^[a-z-]+ ((lib)?ccshm.*)/\1/p' | tr '\n' ' '; }

packages=$(known)
before=$(ccshmctl info --bytes | sed -nE 's/^bytes shared +//p')
runs "a user has a buffer" as alice ccshmctl alloc 4M --name last
# shellcheck disable=SC2086 # a list
exits 0 "the packages are removed while it is there" apt-get -q -y -o Dpkg::Use-Pty=0 remove $packages
! printf '%s\n' "$out" | grep -iE '\berror|\bfail'
ok $? "without an error"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
runs "the buffer is still there" kept show alice/last
# shellcheck disable=SC2086
exits 0 "they are purged" apt-get -q -y -o Dpkg::Use-Pty=0 purge $packages
is "$(known)" "" "dpkg does not know them any more"
is "$(systemctl list-unit-files --no-legend 'ccshm-[mp]*')" "" "no unit is left"
is "$(find /usr/lib/modules /lib/modules -name 'ccshm*')" "" "no module"
is "$(find /usr /etc /var/lib -xdev -name '*ccshm*' ! -name ccshm-test)" "" "no file"
# The buffers are freed, including those from before this suite.
diag "expect-leaked-pages: -$((before / 4096))"
for buffer in $(kept list --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p'); do kept free "$buffer"; done
runs "the module can be unloaded" rmmod ccshm
udevadm settle
[ ! -e /dev/ccshm ] && [ ! -e /dev/dma_heap/system_cc_shared ]
ok $? "and with it the device nodes go"
done_testing
