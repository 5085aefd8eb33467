#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test a confidential guest with ccshm installed after boot. check-install has set up the
# guest: alice is in group ccshm, mallory is not, and files in /etc/ccshm/buffers.d provision
# buffers.
. /suites/tap.sh

ends() { ! kill -0 "$1" 2>/dev/null; }

owner_and_mode() { stat -c '%F %U:%G %a' "$1" 2>&1; }
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }

# ---- boot

is "$(systemctl is-system-running)" running "systemd state: running"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
[ -d /sys/module/ccshm ]
ok $? "the module has been loaded by itself"
is "$(systemctl is-active ccshm-module.service)" active "ccshm-module.service is active"
like "$(modinfo -n ccshm)" "^/(usr/)?lib/modules/$(uname -r | sed 's/[.+]/\\&/g')/updates/dkms/ccshm\.ko" "the module is the one that DKMS built for this kernel"
is "$(cat /sys/module/ccshm/srcversion)" "$(modinfo -F srcversion ccshm)" "the loaded module has the same srcversion"
is "$(owner_and_mode /dev/ccshm)" "character special file root:ccshm 660" "/dev/ccshm is for group ccshm"
is "$(owner_and_mode /dev/dma_heap/system_cc_shared)" "character special file root:ccshm 660" "the heap node is for group ccshm"
like "$(ccshmctl info)" "^platform +sev" "info: platform sev"
exits 0 "doctor: exit status 0" ccshmctl doctor

# ---- permissions

runs "member of the group: alloc" as alice ccshmctl alloc 4M --name mine
runs "member of the group: write" as alice sh -c 'echo hello from alice | ccshmctl write mine'
is "$(as alice ccshmctl read mine --length 16)" "hello from alice" "member of the group: read returns the written bytes"
like "$(as alice ccshmctl show mine)" "^owner +alice" "member of the group: owner is alice"
as alice ccshmctl export mine -- sleep 1000 &
holder=$!
wait_until 30 sh -c 'ccshmctl show alice/mine | grep -qE "^exports +1"'
ok $? "member of the group: export"
kill $holder
wait_until 30 ends $holder
ok $? "member of the group: the export ends"
runs "member of the group: free" as alice ccshmctl free mine
runs "member of the group: open of the heap node" as alice sh -c ': </dev/dma_heap/system_cc_shared'
exits 4 "another user may not allocate" as mallory ccshmctl alloc 4M
like "$out" "cannot open /dev/ccshm: you are not permitted to use it" "other user, alloc: prints the reason"
exits 2 "other user, open of /dev/ccshm: refused" as mallory sh -c ': </dev/ccshm'
exits 2 "other user, open of the heap node: refused" as mallory sh -c ': </dev/dma_heap/system_cc_shared'

# ---- provisioned

if [ -e /lib/systemd/system/ccshm-provision.service ]; then
	is "$(systemctl is-active ccshm-provision.service)" active "ccshm-provision.service is active"
	frames=$(ccshmctl show alice/frames 2>&1)
	is "$(field size "$frames")" 6M "a provisioned buffer is there"
	is "$(field mode "$frames")" 0640 "provisioned buffer: mode"
	is "$(field group "$frames")" ccshm "provisioned buffer: group"
	runs "provisioned buffer: the owner can write" as alice sh -c 'echo x | ccshmctl write frames'
	runs "provisioned buffer of root exists" ccshmctl show root/descriptors
	runs "restart of ccshm-provision.service: exit status 0" systemctl restart ccshm-provision.service
	is "$(as alice ccshmctl read frames --length 1)" x "restart of ccshm-provision.service: contents of the buffer unchanged"
else
	skip "provisioned buffers" "this version has no ccshm-provision.service"
fi
done_testing
