#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test a confidential guest with ccshm installed after boot. check-install has set up the
# guest: alice is in group ccshm, mallory is not, and files in /etc/ccshm/buffers.d provision
# buffers.
. /suites/tap.sh

ends() { ! kill -0 "$1" 2>/dev/null; }

wait_until() { # SECONDS COMMAND...
	wait_left=$(($1 * 10))
	shift
	until "$@"; do
		[ "$wait_left" -gt 0 ] || return 1
		wait_left=$((wait_left - 1))
		sleep 0.1
	done
}

owner_and_mode() { stat -c '%F %U:%G %a' "$1" 2>&1; }
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }

# ---- boot

is "$(systemctl is-system-running)" running "systemd is content"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
[ -d /sys/module/ccshm ]
ok $? "the module has been loaded by itself"
is "$(systemctl is-active ccshm-module.service)" active "by ccshm-module.service"
like "$(modinfo -n ccshm)" "^/(usr/)?lib/modules/$(uname -r | sed 's/[.+]/\\&/g')/updates/dkms/ccshm\.ko" "it is the one that DKMS built for this kernel"
is "$(cat /sys/module/ccshm/srcversion)" "$(modinfo -F srcversion ccshm)" "which is the one that is loaded"
is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "/dev/ccshm is for group ccshm"
is "$(owner_and_mode /dev/dma_heap/system_cc_shared)" "character special file root:ccshm 660" "so is the heap node"
like "$(ccshmctl info)" "^platform +sev" "the driver knows what guest this is"
exits 0 "ccshmctl doctor finds nothing wrong" ccshmctl doctor

# ---- permissions

runs "a member of the group allocates" as alice ccshmctl alloc 4M --name mine
runs "and writes" as alice sh -c 'echo hello from alice | ccshmctl write mine'
is "$(as alice ccshmctl read mine --length 16)" "hello from alice" "and reads"
like "$(as alice ccshmctl show mine)" "^owner +alice" "it is hers"
as alice ccshmctl export mine -- sleep 1000 &
holder=$!
wait_until 30 sh -c 'ccshmctl show alice/mine | grep -qE "^exports +1"'
ok $? "and exports"
kill $holder
wait_until 30 ends $holder
ok $? "and ends the export"
runs "and frees" as alice ccshmctl free mine
runs "a member of the group opens the heap node" as alice sh -c ': </dev/dma_heap/system_cc_shared'
exits 4 "another user may not allocate" as mallory ccshmctl alloc 4M
like "$out" "cannot open /dev/ccshm: you are not permitted to use it" "and is told so"
exits 2 "nor open the device" as mallory sh -c ': </dev/ccshm'
exits 2 "nor the heap node" as mallory sh -c ': </dev/dma_heap/system_cc_shared'

# ---- provisioned

if [ -e /lib/systemd/system/ccshm-provision.service ]; then
	is "$(systemctl is-active ccshm-provision.service)" active "provisioning has been done"
	frames=$(ccshmctl show alice/frames 2>&1)
	is "$(field size "$frames")" 6M "a provisioned buffer is there"
	is "$(field mode "$frames")" 0640 "with its mode"
	is "$(field group "$frames")" ccshm "and its group"
	runs "its owner can use it" as alice sh -c 'echo x | ccshmctl write frames'
	runs "the second one, of root, is there" ccshmctl show root/descriptors
	runs "provisioning again changes nothing" systemctl restart ccshm-provision.service
	is "$(as alice ccshmctl read frames --length 1)" x "not even what is in a buffer"
else
	skip "provisioned buffers" "this version has no ccshm-provision.service"
fi
done_testing
