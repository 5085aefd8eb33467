#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test an installed ccshm: allocate, use, export, attach, revoke and free.
# shellcheck source=../guest/tap.sh
. "${0%/*}/tap.sh"

cc() { ccshmctl "$@"; }
# field NAME TEXT: print the value of a line of a record
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }
# member COMMAND...: run as a user in group ccshm; stranger: as a user outside the group
member() { setpriv --reuid 65534 --regid "$(getent group ccshm | cut -d : -f 3)" --clear-groups "$@"; }
stranger() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

wait_clean() {
	i=0
	while [ "$(field buffers "$(cc info)") $(field 'bytes shared' "$(cc info)")" != "0 0" ] && [ $i -lt 100 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	[ $i -lt 100 ]
}

exits 3 "without the module ccshmctl says so" cc info
# shellcheck disable=SC2086 # zero or one word
runs "the module loads" modprobe ccshm ${CCSHM_TESTS_PARAMETERS-} || bail "$out"
[ ! -e /run/udev/control ] || udevadm settle
is "$(modinfo -F version ccshm) $(cat /sys/module/ccshm/srcversion)" \
	"$(cc --version | sed -n 's/^ccshmctl \([^,]*\),.*/\1/p') $(modinfo -F srcversion ccshm)" \
	"it is the one that is installed, and of ccshmctl's version"
if [ -e /run/udev/control ]; then
	is "$(stat -c '%U:%G %a' /dev/ccshm)" "root:ccshm 660" "the device is the group's"
else
	skip "the device is the group's" "there is no udev here"
	chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm
fi
exits 4 "another user may not open it" stranger ccshmctl info
runs "a member of the group may" member ccshmctl info

runs "alloc" cc alloc 3M --name smoke
runs "show" cc show smoke
is "$(field size "$out") $(field mode "$out")" "3M 0600" "it has its size and mode"
runs "list" cc list
like "$out" smoke "the list has it"
exits 1 "it does not exist for others" member ccshmctl show root/smoke
is "$(cc read smoke | tr -d '\0' | wc -c)" 0 "it reads zero"
head -c 3145728 /dev/urandom >content
runs "write" sh -c "ccshmctl write smoke <content"
cc read smoke >back
cmp content back
ok $? "what was written is read"

runs "export gives a command a dma-buf" cc export smoke --length 1M -- \
	sh -c 'readlink /proc/self/fd/$CCSHM_DMABUF_FD; ccshmctl show $CCSHM_EXPORT_ID'
like "$out" "dmabuf" "its descriptor is one"
is "$(field type "$out") $(field size "$out")" "export 1M" "it is listed as what it is"

# Not the function cc, because a shell function in the background is a shell, and ccshmctl its child, which
# survives the kill and uses the module. ccshmctl passes the signal on to its command.
ccshmctl export smoke -- sh -c 'echo $CCSHM_EXPORT_ID >export.id; exec sleep 60' &
holder=$!
i=0
while [ ! -s export.id ] && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
runs "revoke, while a program holds an export" cc revoke smoke
is "$(field state "$out") $(field revoked "$out")" "revoked 1" "it says what was revoked"
runs "show what was revoked" cc show "$(cat export.id)"
is "$(field state "$out")" revoked "it stays revoked"
kill $holder
wait $holder

# Attach to a device without a driver that ccshm accepts for a userspace driver.
attach_any() {
	for device in /sys/bus/pci/devices/*; do
		[ -e "$device" ] && [ ! -e "$device/driver" ] || continue
		cc attach smoke "pci:${device##*/}" -- sh -c 'cat $CCSHM_SEGMENTS_FILE >segments' 2>>reasons && return
	done
	return 1
}
if attach_any; then
	like "$(head -n 1 segments)" "^(0x)?[0-9a-f]+ [0-9]+ 0$" "attach to pci:${device##*/}: DMA addresses of the buffer"
	is "$(field attachments "$(cc info)")" 0 "they end with the command"
else
	skip "attach" "no device here can be attached to: $(tail -n 1 reasons 2>/dev/null)"
fi

runs "free" cc free smoke
wait_clean
ok $? "no memory is shared any more"
runs "the module can be unloaded" modprobe -r ccshm
done_testing
