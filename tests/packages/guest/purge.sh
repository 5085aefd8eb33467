#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Remove the packages while the system runs and a buffer exists.
. /suites/tap.sh

# Keep a copy of ccshmctl, to free the remaining buffers after the removal.
cp -L "$(command -v ccshmctl)" "$(ldconfig -p | sed -n 's/.*libccshm\.so\.0 .*=> //p')" .
kept() { LD_LIBRARY_PATH=. ./ccshmctl "$@"; }
known() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -nE 's/^[a-z-]+ ((lib)?ccshm.*)/\1/p' | tr '\n' ' '; }

before=$(ccshmctl info --bytes | sed -nE 's/^bytes shared +//p')
runs "alloc as a user" as alice ccshmctl alloc 4M --name last
runs "write as a user" as alice sh -c 'echo precious | ccshmctl write last'
# shellcheck disable=SC2046 # a list
exits 0 "apt remove while a buffer exists: exit status 0" apt-get -q -y -o Dpkg::Use-Pty=0 remove $(known)
! printf '%s\n' "$out" | grep -iE '\berror|\bfail'
ok $? "apt remove while a buffer exists: no error message"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
runs "after remove: the buffer exists" kept show alice/last
is "$(kept read alice/last --length 8)" precious "after remove: the contents of the buffer are unchanged"
# Those of which configuration remains.
# shellcheck disable=SC2046
exits 0 "apt purge: exit status 0" apt-get -q -y -o Dpkg::Use-Pty=0 purge $(known)
is "$(known)" "" "after purge: dpkg lists no package"
is "$(systemctl list-unit-files --no-legend 'ccshm-[mp]*')" "" "after purge: no unit"
is "$(find /usr/lib/modules /lib/modules -name 'ccshm*')" "" "after purge: no module"
is "$(find /usr /etc /var/lib -xdev -name '*ccshm*' ! -name ccshm-test)" "" "after purge: no file"
# The buffers are freed, including those from before this suite.
diag "expect-leaked-pages: -$((before / 4096))"
for buffer in $(kept list --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p'); do kept free "$buffer"; done
runs "rmmod: exit status 0" rmmod ccshm
udevadm settle
[ ! -e /dev/ccshm ] && [ ! -e /dev/dma_heap/system_cc_shared ]
ok $? "after rmmod: no device node"
done_testing
