#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Do in a running confidential guest what `ccshmctl doctor` advises for a group that is not a system group. Then run
# "make activate", after systemd-udevd has read the rule before the group existed. The suite fresh has installed the
# packages and loaded the module; the sources are in /srv/tree.
. /suites/tap.sh

owner_and_mode() { stat -c '%F %U:%G %a' "$1" 2>&1; }
for_the_group() { # NAME
	is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "$1: /dev/ccshm is for group ccshm"
	is "$(owner_and_mode /dev/dma_heap/system_cc_shared)" "character special file root:ccshm 660" "$1: the heap node is for group ccshm"
}

# ---- a group that is not a system group

# Print the commands in the advice of doctor, with a gid.
advised() {
	ccshmctl doctor access --json | sed -n 's/.*"advice": *"\(As root run .*groupmod .*\)".*/\1/p' | grep -o '`[^`]*`' |
		tr -d '`' | sed "s/GID/$1/"
}
free=$(seq 600 699 | while read -r gid; do getent group "$gid" >/dev/null || { echo "$gid"; break; }; done)
runs "groupmod -g 4321 ccshm" groupmod -g 4321 ccshm
runs "systemd-udevd reads the rule" systemctl restart systemd-udevd
udevadm trigger --settle --sysname-match='ccshm*'
like "$(ccshmctl doctor access --json)" "not a system group .gid 4321" "a group that is not a system group: doctor reports it"
advised "$free" >advice
is "$(grep -c . advice)" 3 "a group that is not a system group: doctor advises three commands"
exits 0 "the commands that doctor advises: exit status 0" sh -e advice
udevadm settle
is "$(getent group ccshm | cut -d : -f 3)" "$free" "what doctor advises: ccshm is a system group"
for_the_group "what doctor advises"
is "$(stat -c %g /dev/ccshm)" "$free" "what doctor advises: /dev/ccshm has the new gid"
is "$(ccshmctl doctor access --json | grep "system group")" "" "what doctor advises: doctor has no more advice"

# ---- from source: docs/install.md

exits 0 "the packages are purged, except the driver" dpkg --purge ccshm-tests ccshm-tools
runs "modprobe -r" modprobe -r ccshm
runs "groupdel ccshm" groupdel ccshm
exits 0 "make install-common: exit status 0" make -s -C /srv/tree install-common
# systemd-udevd looks for new rules at a uevent, every three seconds at most.
sleep 4
echo change >/sys/class/mem/null/uevent
udevadm settle
like "$(journalctl -b -o cat -u systemd-udevd.service)" "(Unknown group .ccshm.|.ccshm., ignoring: Unknown group)" "a uevent before make activate: udev ignores the group"
runs "modprobe" modprobe ccshm
udevadm settle
is "$(stat -c %U:%G /dev/ccshm)" root:root "before make activate: /dev/ccshm belongs to root only"
exits 0 "make activate: exit status 0" make -C /srv/tree activate
for_the_group "make activate, with the module loaded"
is "$(systemctl is-enabled ccshm-module.service ccshm-provision.service | sort -u)" enabled "make activate: the units are enabled"
runs "modprobe -r after make activate" modprobe -r ccshm
udevadm settle
runs "modprobe after make activate" modprobe ccshm
udevadm settle
for_the_group "a module that is loaded after make activate"
done_testing
