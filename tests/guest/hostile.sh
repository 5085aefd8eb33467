#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl, provisioning and the examples while the host changes bytes of shared pages at random times
# (cvmctl flip): every command ends with its documented status and prints what it prints otherwise,
# and only the pages of buffers are shared. hostile-lib.c tests the library.
# hostile.seed=N in the kernel's command line sets the seed.
# vm-modules: ccshm
# vm-flavours: sev snp tdx cca
# vm-matrix: once
# vm-make: tests/demo tests/readme
# vm-files: README.md docs/install.md tests/readme/blocks.sh readme/example demo/edu demo/mapper packaging/common/examples/50-nic.conf
# vm-timeout: 240
. /suites/tap.sh
. /suites/blocks.sh

PATH=/suites:$PATH
DEVICE=pci:0000:00:04.0
WORDS=32	# that the host changes at each exit
seed=$(sed -nE 's/.*hostile\.seed=([0-9]+).*/\1/p' /proc/cmdline)
seed=${seed:-1}

cc() { ccshmctl "$@"; }
shared() { cvmctl get pages_shared; }
field() { cc show "$2" --json | sed -nE "s/^ *\"$1\": *\"?([^\",]*)\"?,?$/\1/p" | head -n 1; }

# unused: succeed if no export or attachment is listed; a work item ends those of the last command
unused() { [ -z "$(ccshmctl list --exports)$(ccshmctl list --attachments)" ]; }

# what_is NAME...: print what ccshmctl reports about buffers and all objects, without what time changes
what_is() {
	wait_until 60 unused || return 1
	for name; do cc show "$name" --json && cc show "$name" --pages --json || return 1; done
	cc list --json && cc list --exports --json && cc list --attachments --json
}

# attack: let the host change bytes at each exit, and make exits at random times
attack() {
	cvmctl flip "$seed" $WORDS || bail "the emulator cannot change bytes"
	cvmctl exits "$seed" &
	attacker=$!
}

attack_end() {
	kill $attacker
	wait $attacker 2>/dev/null
	cvmctl flip off
}

# only_buffers_shared WHAT: test that exactly the pages are shared, and changed, that INFO counts
only_buffers_shared() {
	bytes=$(cc info --json --bytes | sed -nE 's/^ *"bytes_shared": *([0-9]+),?$/\1/p')
	is "$(($(shared) - before)) $(cvmctl get flip_targets)" "$((bytes / 4096)) $((bytes / 4096))" \
		"$1: exactly the pages that info counts are shared"
}

diag "hostile.seed=$seed"
before=$(shared)
flips=$(cvmctl get flips)
head -c 8388608 /dev/urandom >private
sum=$(sha256sum <private)
attack
insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- provision

runs "provision with the example file: exit 0" cc provision /suites/50-nic.conf
runs "provision again: exit 0" cc provision /suites/50-nic.conf
is "$(printf '%s\n' "$out" | grep -c '^buffer .* exists ')" 2 "provision again finds both buffers unchanged"
is "$(cc list --output name,owner,group,mode,size | sed 's/  */ /g' | sort | tr '\n' ';')" \
	"NAME OWNER GROUP MODE SIZE;descriptors root ccshm 0660 64K;rx root ccshm 0660 64M;" \
	"list reports the buffers of the file"
what_is rx descriptors >first || bail "ccshmctl cannot describe the buffers"
for part in rx descriptors; do
	# The whole buffer, or its last 4 MiB.
	size=$(field size $part)
	offset=$((size > 4194304 ? size - 4194304 : 0))
	runs "read $part: exit 0" sh -c "ccshmctl read $part --offset $offset >$part.copy"
	is "$(wc -c <$part.copy)" $((size - offset)) "read $part copies up to the end of the buffer"
	[ "$(tr -d '\000' <$part.copy | wc -c)" -gt 0 ]
	ok $? "read $part shows what the host has changed"
	rm $part.copy
done
what_is rx descriptors >second && cmp first second >&2
ok $? "show, its pages and list report the same as before"
only_buffers_shared "provision"
runs "stats: exit 0" cc stats
runs "doctor: exit 0" cc doctor
runs "devices: exit 0" cc devices
for part in rx descriptors; do runs "free $part: exit 0" cc free $part; done

# ---- the life of a buffer

# one_life SIZE BYTES: do with a buffer what a user does; write BYTES bytes to it. Count in $differs the copies that differ
# from what was written.
one_life() {
	head -c "$2" private >sent
	runs "alloc $1: exit 0" cc alloc "$1" --name life --mode 0640 --group ccshm
	runs "$1: write: exit 0" sh -c 'ccshmctl write life <sent'
	runs "$1: read: exit 0" sh -c "ccshmctl read life --length $2 >got"
	is "$(wc -c <got)" "$2" "$1: read copies as many bytes as were written"
	cmp -s sent got || differs=$((differs + 1))
	runs "$1: write of what read copies: exit 0" sh -c 'ccshmctl read life | ccshmctl write life'
	what_is life >first || bail "ccshmctl cannot describe the buffer"
	runs "$1: export: exit 0" cc export life -- sh -c 'cat /proc/self/fdinfo/$CCSHM_DMABUF_FD'
	like "$out" "^size:[[:space:]]+$(field size life)$" "$1: fdinfo has the size of the dma-buf"
	runs "$1: attach, DMA, detach: exit 0" cc attach life $DEVICE -- sh copy
	like "$out" "^DMA done$" "$1: the device has copied"
	runs "$1: stats: exit 0" cc stats --json
	what_is life >second && cmp first second >&2
	ok $? "$1: show, its pages and list report the same as before"
	only_buffers_shared "$1"
	cc export life -- mapper >mapper.log 2>&1 &
	mapper=$!
	wait_until 60 grep -q sees mapper.log
	ok $? "$1: a program maps the dma-buf"
	runs "$1: revoke: exit 0" cc revoke life
	wait $mapper
	is $? 0 "$1: the program that maps the dma-buf gets SIGBUS after the revoke, and ends with status 0"
	runs "$1: free: exit 0" cc free life
}

cat >copy <<-'END'
	read -r address length offset <"$CCSHM_SEGMENTS_FILE"
	edu bus-master on && edu dma-out "$address" 4092 && edu dma-in "$address" 4092 &&
	edu bus-master off && ccshmctl detach "$CCSHM_ATTACHMENT_ID" && echo "DMA done"
END
differs=0
sizes="4K 64K 3M 5M"
# A debug kernel, which has kmemleak, is several times slower.
[ ! -e /sys/kernel/debug/kmemleak ] || sizes="64K 3M"
for size in $sizes; do
	case $size in
	*K) one_life $size 4000 ;;
	*) one_life $size 3000000 ;;
	esac
done
diag "$differs copies of buffers ($sizes) differ from what was written"
[ $differs -gt 0 ]
ok $? "a copy of a buffer shows what the host has changed"

# ---- the examples

commands /suites/README.md guest >commands
while read -r command; do
	runs "README.md: $command: exit 0" sh -c "$command" </dev/null
done <commands
blocks /suites/install.md provision >ring.conf
runs "provision with the file in docs/install.md: exit 0" cc provision ring.conf
is "$(cc list --output owner,name,size,mode | sed 1d | tr -s ' ')" "alice ring 64M 0660" "list reports the buffer of docs/install.md's file"
runs "free of the buffer of docs/install.md's file: exit 0" cc free alice/ring
runs "the example program in README.md: exit 0" /suites/example

# ---- the end

wait_until 60 sh -c "[ \"\$(cvmctl get pages_shared)\" = $before ]"
is "$(shared)" "$before" "all pages are private again"
is "$(cvmctl get flip_targets)" 0 "the host can change no page any more"
diag "the host has changed $(($(cvmctl get flips) - flips)) words"
[ $(($(cvmctl get flips) - flips)) -gt 10000 ]
ok $? "the host has changed many words"
attack_end
is "$(sha256sum <private)" "$sum" "no private memory has changed"
id=$(cc alloc 8M --name after)
is "$(cc read after | tr -d '\000' | wc -c)" 0 "a buffer that is allocated after the attack reads zero"
runs "free after the attack: exit 0" cc free "$id"
runs "the driver can be unloaded" rmmod ccshm
done_testing
