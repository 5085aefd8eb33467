#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run "make activate" in a running confidential guest in which systemd-udevd has read the rule before the group existed.
# The suite fresh has installed the packages and loaded the module; the sources are in /srv/tree.
. /suites/tap.sh

owner_and_mode() { stat -c '%F %U:%G %a' "$1" 2>&1; }
for_the_group() { # NAME
	is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "$1: /dev/ccshm is for group ccshm"
	is "$(owner_and_mode /dev/dma_heap/system_cc_shared)" "character special file root:ccshm 660" "$1: the heap node is for group ccshm"
}

# ---- from source: README.md

exits 0 "the packages are purged, except the driver" dpkg --purge ccshm-tests ccshm-tools
runs "modprobe -r" modprobe -r ccshm
runs "groupdel ccshm" groupdel ccshm
exits 0 "make install-common: exit status 0" make -s -C /srv/tree install-common
# systemd-udevd looks for new rules at a uevent, every three seconds at most.
sleep 4
echo change >/sys/class/mem/null/uevent
udevadm settle
like "$(journalctl -b -o cat -u systemd-udevd.service)" "Unknown group .ccshm." "a uevent before make activate: udev ignores the group"
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
