#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install the packages (/srv/ccshm/1) in a running confidential guest in which ccshm was never installed,
# with uevents during the installation, and use ccshm without a reboot.
. /suites/tap.sh

owner_and_mode() { stat -c '%F %U:%G %a' "$1" 2>&1; }

[ ! -e /dev/ccshm ] && ! getent group ccshm >/dev/null
ok $? "before the installation: neither /dev/ccshm nor a group ccshm"

# Describe a buffer before the packages are installed, as an image builder or cloud-init does.
mkdir -p /etc/ccshm/buffers.d
printf '[buffer early]\nsize = 2M\n' >/etc/ccshm/buffers.d/50-early.conf

# systemd-udevd reads a new rule at the next uevent of any device. DKMS builds the module for more than 5 s
# after the rule was unpacked.
while :; do
	echo change >/sys/class/mem/null/uevent
	sleep 5
done &
uevents=$!
compilations zero
start=$(cut -d. -f1 /proc/uptime)
exits 0 "apt install with uevents: exit status 0" apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/ccshm/1/*.deb
said=$out
kill $uevents
diag "the installation took $(($(cut -d. -f1 /proc/uptime) - start)) s"
diag "$(compilations)"
! printf '%s\n' "$said" | grep -iE '\berror|\bfail'
ok $? "apt install: no error message"
like "$(dkms status ccshm)" ": installed" "apt install: DKMS has built the module"

[ -d /sys/module/ccshm ]
ok $? "without a reboot: the module is loaded"
wait_until 60 ccshmctl show root/early
ok $? "without a reboot: the buffers in /etc/ccshm/buffers.d are allocated"
is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "without a reboot: /dev/ccshm is for group ccshm"
is "$(owner_and_mode /dev/dma_heap/system_cc_shared)" "character special file root:ccshm 660" "without a reboot: the heap node is for group ccshm"
is "$(journalctl -b -o cat -u systemd-udevd.service | grep -i "group.*ccshm")" "" "systemd-udevd: no message about the group"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
is "$(systemctl is-active ccshm-module.service)" active "ccshm-module.service is active"

# As in README.md.
runs "usermod -a -G ccshm alice" usermod -a -G ccshm alice
runs "member of the group: alloc" as alice ccshmctl alloc 4M --name mine
runs "member of the group: free" as alice ccshmctl free mine
exits 4 "another user may not allocate" as mallory ccshmctl alloc 4M

# The module is loaded later than at boot, and again.
rm /etc/ccshm/buffers.d/50-early.conf
runs "free of the early buffer" ccshmctl free root/early
printf '[buffer late]\nsize = 2M\n' >/etc/ccshm/buffers.d/50-late.conf
for time in first second; do
	runs "$time time: modprobe -r" modprobe -r ccshm
	udevadm settle
	runs "$time time: modprobe" modprobe ccshm
	udevadm settle
	is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "$time time: /dev/ccshm is for group ccshm"
	wait_until 60 ccshmctl show root/late
	ok $? "$time time: the buffers in /etc/ccshm/buffers.d are allocated"
	runs "$time time: free" ccshmctl free root/late
done
done_testing
