#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install the next version of the packages (/srv/ccshm/2) while a buffer is in use.
. /suites/tap.sh

version() { modinfo -F version ccshm; }
loaded() { cat /sys/module/ccshm/version; }
holds() { ccshmctl show "$1" | grep -qE '^exports +[1-9]'; }

before=$(loaded)
runs "alloc as a user" as alice ccshmctl alloc 4M --name kept
runs "write as a user" as alice sh -c 'echo precious | ccshmctl write kept'
# The child keeps the export open, like a program that uses the memory.
as alice ccshmctl export kept -- sleep 100000 &
holder=$!
i=0
until holds alice/kept || [ $i -gt 300 ]; do sleep 0.1; i=$((i + 1)); done
holds alice/kept
ok $? "the buffer is exported"

compilations zero
start=$(cut -d. -f1 /proc/uptime)
exits 0 "apt install of the next version: exit status 0" apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/ccshm/2/*.deb
said=$out
diag "the upgrade took $(($(cut -d. -f1 /proc/uptime) - start)) s"
diag "$(compilations)"
! printf '%s\n' "$said" | grep -iE '\berror|\bfail'
ok $? "upgrade: no error message"
like "$said" "ccshm.*(reboot|loaded|next boot|restart)" "upgrade: prints when the new module takes effect"
[ "$(version)" != "$before" ]
ok $? "upgrade: the new module is installed"
is "$(loaded)" "$before" "upgrade: the old module stays loaded"
like "$(dkms status ccshm)" "installed" "upgrade: dkms status is installed"
is "$(dkms status ccshm | grep -v "^ccshm/$(version),")" "" "upgrade: dkms status lists no old version"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
kill -0 $holder
ok $? "upgrade: the program that uses the buffer continues"
holds alice/kept
ok $? "upgrade: the export exists"
is "$(as alice ccshmctl read kept --length 8)" precious "upgrade: the contents of the buffer are unchanged"
is "$(stat -c %U:%G:%a /dev/ccshm)" root:ccshm:660 "upgrade: the device node is unchanged"
runs "upgrade: the new ccshmctl works with the old module" as alice ccshmctl alloc 2M --name second

# Follow the steps of the message.
kill $holder
i=0
while holds alice/kept && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
for buffer in $(ccshmctl list --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p'); do ccshmctl free "$buffer"; done
runs "modprobe -r of the unused old module" modprobe -r ccshm
runs "restart of ccshm-module.service" systemctl restart ccshm-module.service
is "$(loaded)" "$(version)" "the new module is loaded"
udevadm settle
is "$(stat -c %U:%G:%a /dev/ccshm)" root:ccshm:660 "after reload: owner and mode of the device node"
if [ -e /lib/systemd/system/ccshm-provision.service ]; then
	runs "restart of ccshm-provision.service" systemctl restart ccshm-provision.service
	runs "after reload: provisioned buffer exists" ccshmctl show alice/frames
fi
done_testing
