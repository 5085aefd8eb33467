#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl set, sealing, free --revoke and --wait, and pinned exports of another user, by two users.
# vm-matrix: once
# vm-modules: ccshm
# vm-make: tests/demo
# vm-timeout: 240
. /suites/tap.sh

cc() { ccshmctl "$@"; }
# field NAME TEXT: print the value in a line of a record
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }
shows() { field "$1" "$(cc show "$2")"; }

# In a plain guest there is no emulator to count shared pages: both numbers are empty.
before=$(cvmctl get pages_shared 2>/dev/null)
if [ -n "$before" ]; then
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- set

runs "alice allocates a buffer of mode 0600: exit 0" as alice ccshmctl alloc 4M --name ring --mode 0600
exits 1 "show by bob of a buffer of mode 0600: exit 1" as bob ccshmctl show alice/ring
exits 4 "SET of another owner without CAP_CHOWN: exit 4" as alice ccshmctl set ring --owner bob
like "$out" "needs CAP_CHOWN" "SET of another owner without CAP_CHOWN: the error names the capability"
runs "SET by the owner of mode and name: exit 0" as alice ccshmctl set ring --mode 0666 --name ring2
is "$(shows mode alice/ring2)" 0666 "show reports the new mode"
exits 1 "show with the old name: exit 1" as alice ccshmctl show ring
runs "EXPORT by bob of a buffer of mode 0666: exit 0" as bob ccshmctl export alice/ring2 -- true
exits 4 "SET without control: exit 4" as bob ccshmctl set alice/ring2 --mode 0600
like "$out" "only the buffer's owner" "SET without control: the error names the owner"

# ---- seal

runs "SET by the owner seals the buffer: exit 0" as alice ccshmctl set ring2 --seal
is "$(shows sealed alice/ring2)" yes "show reports the seal"
exits 4 "EXPORT of a sealed buffer without control: exit 4" as bob ccshmctl export alice/ring2 -- true
like "$out" "it is sealed" "EXPORT of a sealed buffer without control: the error names the seal"
exits 4 "read of a sealed buffer without control: exit 4" as bob ccshmctl read alice/ring2
like "$out" "it is sealed" "read of a sealed buffer without control: the error names the seal"
exits 4 "write to a sealed buffer without control: exit 4" as bob ccshmctl write alice/ring2
like "$out" "it is sealed" "write to a sealed buffer without control: the error names the seal"
runs "EXPORT of a sealed buffer by the owner: exit 0" as alice ccshmctl export ring2 -- true
runs "SET by the owner unseals the buffer: exit 0" as alice ccshmctl set ring2 --unseal
runs "EXPORT by bob of an unsealed buffer: exit 0" as bob ccshmctl export alice/ring2 -- true
runs "revoke --seal by the owner: exit 0" as alice ccshmctl revoke --seal ring2
is "$(shows sealed alice/ring2)" yes "show reports the seal after revoke --seal"
runs "revoke --orderly by the owner: exit 0" as alice ccshmctl revoke --orderly ring2
runs "SET unseals the buffer after revoke --seal: exit 0" as alice ccshmctl set ring2 --unseal

# ---- pinned exports of another user's buffer

exits 4 "EXPORT pinned without control: exit 4" as bob ccshmctl export --pinned alice/ring2 -- true
like "$out" "only the owner may make pinned exports of this buffer" "EXPORT pinned without control: the error names cause and remedy"
runs "alloc --others-pin by alice: exit 0" as alice ccshmctl alloc 4M --name pins --mode 0666 --others-pin
is "$(shows others_pin alice/pins)$(shows 'others pin' alice/pins)" yes "show reports others_pin"
runs "EXPORT pinned by bob of a buffer with others_pin: exit 0" as bob ccshmctl export --pinned alice/pins -- true

# ---- free --revoke, --wait

as bob ccshmctl export alice/ring2 -- sleep 60 &
holder=$!
i=0
while [ "$(shows exports alice/ring2)" != 1 ] && [ $i -lt 100 ]; do
	usleep 100000
	i=$((i + 1))
done
is "$(shows exports alice/ring2)" 1 "show counts bob's export"
runs "free of two buffers, --revoke --wait: the memory is private" as alice ccshmctl free --revoke --wait=20 ring2 pins
is "$(cvmctl get pages_shared)" "$before" "after free --revoke --wait of two buffers the emulator counts no more shared pages"
kill $holder
wait $holder
runs "setup: alice allocates a buffer that bob exports" as alice ccshmctl alloc 4M --name held --mode 0666
as bob ccshmctl export alice/held -- sleep 60 &
holder=$!
i=0
while [ "$(shows exports alice/held)" != 1 ] && [ $i -lt 100 ]; do
	usleep 100000
	i=$((i + 1))
done
exits 5 "free --wait while another user has an export: exit 5" as alice ccshmctl free --wait=1 held
like "$out" "its memory is not private yet" "free --wait while another user has an export: the error names the reason"
kill $holder
wait $holder

i=0
while [ "$(cvmctl get pages_shared)" != "$before" ] && [ $i -lt 100 ]; do
	usleep 100000
	i=$((i + 1))
done
is "$(cvmctl get pages_shared)" "$before" "all pages are private after bob's export has ended"
runs "the driver can be unloaded" rmmod ccshm
done_testing
