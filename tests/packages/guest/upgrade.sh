#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install the next version of the packages (/srv/ccshm/2) while a buffer is in use.
. /suites/tap.sh

version() { modinfo -F version ccshm; }
loaded() { cat /sys/module/ccshm/version; }
holds() { ccshmctl show "$1" | grep -qE '^exports +[1-9]'; }

before=$(loaded)
runs "a user has a buffer" as alice ccshmctl alloc 4M --name kept
runs "with something in it" as alice sh -c 'echo precious | ccshmctl write kept'
# The child keeps the export open, like a program that uses the memory.
as alice ccshmctl export kept -- sleep 100000 &
holder=$!
i=0
until holds alice/kept || [ $i -gt 300 ]; do sleep 0.1; i=$((i + 1)); done
holds alice/kept
ok $? "which is exported"

start=$(cut -d. -f1 /proc/uptime)
exits 0 "the next version is installed" apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/ccshm/2/*.deb
said=$out
diag "the upgrade took $(($(cut -d. -f1 /proc/uptime) - start)) s"
! printf '%s\n' "$said" | grep -iE '\berror|\bfail'
ok $? "without an error"
like "$said" "ccshm.*(reboot|loaded|next boot|restart)" "it says when the new module takes effect"
[ "$(version)" != "$before" ]
ok $? "the new module is there"
is "$(loaded)" "$before" "the old one stays loaded"
like "$(dkms status ccshm)" "installed" "DKMS has built it"
is "$(dkms status ccshm | grep -v "^ccshm/$(version),")" "" "and nothing of the old one is left there"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
kill -0 $holder
ok $? "the program that uses the buffer goes on"
holds alice/kept
ok $? "its export is there"
is "$(as alice ccshmctl read kept --length 8)" precious "and what is in the buffer"
is "$(stat -c %U:%G:%a /dev/ccshm)" root:ccshm:660 "the device node is as before"
runs "the new ccshmctl works with the old module" as alice ccshmctl alloc 2M --name second

# Follow the steps of the message.
kill $holder
i=0
while holds alice/kept && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
for buffer in $(ccshmctl list --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p'); do ccshmctl free "$buffer"; done
runs "when nothing is in use the old module can go" modprobe -r ccshm
runs "and the service loads the new one" systemctl restart ccshm-module.service
is "$(loaded)" "$(version)" "it is the new one"
udevadm settle
is "$(stat -c %U:%G:%a /dev/ccshm)" root:ccshm:660 "with the right owner and mode"
if [ -e /lib/systemd/system/ccshm-provision.service ]; then
	runs "provisioning can be done again" systemctl restart ccshm-provision.service
	runs "and the buffers are there" ccshmctl show alice/frames
fi
done_testing
