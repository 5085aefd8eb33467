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

exits 3 "ccshmctl info without the module: exit status 3" cc info
# shellcheck disable=SC2086 # zero or one word
runs "modprobe ccshm: exit status 0" modprobe ccshm ${CCSHM_TESTS_PARAMETERS-} || bail "$out"
[ ! -e /run/udev/control ] || udevadm settle
is "$(modinfo -F version ccshm) $(cat /sys/module/ccshm/srcversion)" \
	"$(cc --version | sed -n 's/^ccshmctl \([^,]*\),.*/\1/p') $(modinfo -F srcversion ccshm)" \
	"loaded module: source version of the installed file, version of ccshmctl"
if [ -e /run/udev/control ]; then
	is "$(stat -c '%U:%G %a' /dev/ccshm)" "root:ccshm 660" "/dev/ccshm: owner root, group ccshm, mode 0660"
else
	skip "/dev/ccshm: owner root, group ccshm, mode 0660" "no udev is running here"
	chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm
fi
exits 4 "ccshmctl info of a user outside the group ccshm: exit status 4" stranger ccshmctl info
runs "ccshmctl info of a member of the group ccshm: exit status 0" member ccshmctl info

runs "ccshmctl alloc 3M: exit status 0" cc alloc 3M --name smoke
runs "ccshmctl show of a buffer: exit status 0" cc show smoke
is "$(field size "$out") $(field mode "$out")" "3M 0600" "ccshmctl show of a buffer: size 3M, mode 0600"
runs "ccshmctl list: exit status 0" cc list
like "$out" smoke "ccshmctl list: has the buffer"
exits 1 "ccshmctl show of another user's buffer: exit status 1" member ccshmctl show root/smoke
is "$(cc read smoke | tr -d '\0' | wc -c)" 0 "ccshmctl read of a new buffer: zero bytes only"
head -c 3145728 /dev/urandom >content
runs "ccshmctl write: exit status 0" sh -c "ccshmctl write smoke <content"
cc read smoke >back
cmp content back
ok $? "ccshmctl read after write: the written bytes"

runs "ccshmctl export with a command: exit status 0" cc export smoke --length 1M -- \
	sh -c 'readlink /proc/self/fd/$CCSHM_DMABUF_FD; ccshmctl show $CCSHM_EXPORT_ID'
like "$out" "dmabuf" "ccshmctl export: CCSHM_DMABUF_FD is a dma-buf"
is "$(field type "$out") $(field size "$out")" "export 1M" "ccshmctl show of an export of 1M: type export, size 1M"

# Not the function cc, because a shell function in the background is a shell, and ccshmctl its child, which
# survives the kill and uses the module. ccshmctl passes the signal on to its command.
ccshmctl export smoke -- sh -c 'echo $CCSHM_EXPORT_ID >export.id; exec sleep 60' &
holder=$!
i=0
while [ ! -s export.id ] && [ $i -lt 100 ]; do
	sleep 0.1
	i=$((i + 1))
done
runs "ccshmctl revoke while a program holds an export: exit status 0" cc revoke smoke
is "$(field state "$out") $(field revoked "$out")" "revoked 1" "ccshmctl revoke while a program holds an export: state revoked, 1 export"
runs "ccshmctl show of a revoked export: exit status 0" cc show "$(cat export.id)"
is "$(field state "$out")" revoked "ccshmctl show of a revoked export: state revoked"
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
	like "$(head -n 1 segments)" "^(0x)?[0-9a-f]+ [0-9]+ 0$" "ccshmctl attach to pci:${device##*/}: segments with DMA addresses"
	is "$(field attachments "$(cc info)")" 0 "ccshmctl info after the command of attach has ended: no attachment"
else
	skip "ccshmctl attach: segments with DMA addresses" "no device here can be attached to: $(tail -n 1 reasons 2>/dev/null)"
fi

runs "ccshmctl free: exit status 0" cc free smoke
wait_clean
ok $? "ccshmctl info after free: no buffer, no shared byte"
runs "modprobe -r ccshm: exit status 0" modprobe -r ccshm
done_testing
