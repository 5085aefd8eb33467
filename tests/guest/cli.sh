#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl with the driver: the output, the errors and the exit codes of every command.
# vm-modules: ccshm
# vm-matrix: once
# vm-make: tests/demo tests/guest/tools
# vm-files: demo/edu demo/mapper tools/pty
# vm-memory: 2048
# vm-timeout: 300
. /suites/tap.sh

DEVICE=pci:0000:00:04.0
CC=$(command -v ccshmctl)
flavour=$(cvmctl present 2>/dev/null) || flavour=plain
PATH=/suites:$PATH

cc() { ccshmctl "$@"; }

# field NAME TEXT: print the value in a line of a record ("buffers  3")
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }

# json KEY TEXT: print the value of a key, as written in the JSON
json() { printf '%s\n' "$2" | sed -nE "s/.*\"$1\": *(\"[^\"]*\"|[^,}]*).*/\1/p" | head -n 1; }

info() { field "$1" "$(cc info --bytes)"; }

# ---- without the driver

exits 3 "no driver: info: exit 3" cc info
like "$out" "cannot open /dev/ccshm: the module is not loaded" "no driver: info: the message says that the module is not loaded"
exits 3 "no driver: free: exit 3" cc free 1
exits 3 "no driver: pool: exit 3" cc pool
runs "no driver: --help: exit 0" cc --help

if [ "$flavour" = plain ]; then
	! insmod /lib/ccshm/ccshm.ko 2>/dev/null
	ok $? "plain: insmod without allow_plain is refused"
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver cannot be loaded"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- help, usage

runs "COMMAND --help of every command: exit 0" sh -c 'for c in $(ccshmctl --list-commands); do ccshmctl $c --help || exit 1; done'
runs "--list-options of every command: exit 0" sh -c 'for c in $(ccshmctl --list-commands); do ccshmctl --list-options $c || exit 1; done'
exits 2 "no command: exit 2" cc
exits 2 "an unknown command: exit 2" cc frobnicate
like "$out" "no command 'frobnicate'" "an unknown command: the message names the command"
exits 2 "an unknown option: exit 2" cc info --frobnicate
exits 2 "alloc without SIZE: exit 2" cc alloc
like "$out" "SIZE is missing" "alloc without SIZE: the message names the missing argument"
exits 2 "alloc with an argument too many: exit 2" cc alloc 4K 8K
exits 2 "alloc of an invalid size: exit 2" cc alloc 4KB
exits 2 "alloc of size 0: exit 2" cc alloc 0
exits 2 "alloc of 16E, which overflows: exit 2" cc alloc 16E
exits 2 "alloc of 8E, above the driver's range: exit 2" cc alloc 8E
exits 2 "alloc with an invalid name: exit 2" cc alloc 4K --name 4you
exits 2 "alloc with mode 0755: exit 2" cc alloc 4K --mode 0755
exits 2 "alloc with an unknown owner: exit 2" cc alloc 4K --owner nobody-here
exits 2 "export with an offset that is not page-aligned: exit 2" cc export 1 --offset 1 -- true
exits 2 "export without a command: exit 2" cc export 1
exits 2 "attach with neither command nor --persistent: exit 2" cc attach 1 $DEVICE
exits 2 "revoke with an invalid timeout: exit 2" cc revoke 1 --timeout -1
exits 2 "detach of a name: exit 2" cc detach name

# ---- info

runs "info: exit 0" cc info
case $flavour in
sev) is "$(field platform "$out")" sev "info prints the platform" ;;
snp) is "$(field platform "$out")" sev-snp "info prints the platform" ;;
tdx) is "$(field platform "$out")" tdx "info prints the platform" ;;
cca) is "$(field platform "$out")" cca "info prints the platform" ;;
plain) is "$(field plain "$out")" yes "info reports a plain machine" ;;
esac
is "$(field "bytes shared" "$out")" 0 "info reports 0 shared bytes at first"
is "$(field "block size" "$out")" 2M "info prints sizes in IEC units"
is "$(info 'block size')" 2097152 "info --bytes prints sizes in bytes"
runs "info --json: exit 0" cc info --json
is "$(json block_size "$out")" 2097152 "info --json prints the block size in bytes"
is "$(json abi_version "$out")" 1 "info --json prints the version of the ABI"

# ---- alloc, show, free

runs "alloc: exit 0" cc alloc 4M --name first
id=$out
like "$id" '^[0-9]+$' "alloc prints the id, and nothing else"
runs "show by name: exit 0" cc show first
is "$(field id "$out")" "$id" "show by name prints the id"
is "$(field size "$out")" 4M "show by name prints the size"
is "$(field owner "$out")" root "show by name prints the owner"
is "$(field mode "$out")" 0600 "show by name prints the mode"
is "$(field persistent "$out")" yes "show by name prints that the buffer is persistent"
runs "show --pages: exit 0" cc show first --pages
like "$out" "^ +0 +[0-9]+M (shared|unknown) +(yes|no) +no +0x[0-9a-f]+" "show --pages prints the first run with its address"
runs "show by id: exit 0" cc show "$id"
is "$(field name "$out")" first "show by id prints the name"
runs "show --json by @id: exit 0" cc show "@$id" --json
is "$(json size "$out")" 4194304 "show --json prints the size as a number"
is "$(json name "$out")" '"first"' "show --json prints the name as a string"
is "$(json persistent "$out")" true "show --json prints booleans"
runs "show by USER/NAME: exit 0" cc show root/first
is "$(info buffers)" 1 "info counts the allocated buffer"
is "$(info 'bytes shared')" 4194304 "info counts the shared bytes of the allocated buffer"
exits 1 "alloc with a name in use: exit 1" cc alloc 4K --name first
like "$out" "cannot allocate 4K as first: .*already has a buffer" "alloc with a name in use: the message names the name and the cause"
exits 1 "alloc of 64T: exit 1" cc alloc 64T
like "$out" "not enough memory" "alloc of 64T: the message says that memory does not suffice"
exits 1 "alloc on a node that does not exist: exit 1" cc alloc 4K --node 63
like "$out" "cannot allocate 4K: there is no NUMA node 63; this machine has 0" "alloc on a node that does not exist: the message lists the nodes"
runs "alloc --json: exit 0" cc alloc 1.5M --json
other=$(json id "$out")
is "$(json size "$out")" 1572864 "alloc --json prints the size"
is "$(json name "$out")" null "alloc --json prints null for no name"
runs "free by id: exit 0" cc free "$other"
exits 1 "show of a freed buffer: exit 1" cc show "$other"
like "$out" "cannot show $other: no such object" "show of a freed buffer: the message says that the object does not exist"
exits 1 "free of a freed buffer: exit 1" cc free "$other"
exits 1 "free of a name that does not exist: exit 1" cc free nothing
if [ -e /dev/full ] || mknod /dev/full c 1 7; then
	exits 1 "alloc to /dev/full: exit 1" sh -c "$CC alloc 2M >/dev/full"
	like "$out" "No space left" "alloc to /dev/full: the message says that no space is left"
	is "$(info buffers)" 1 "alloc to /dev/full leaves no buffer"
	exits 1 "info to /dev/full: exit 1" sh -c "$CC info >/dev/full"
	exits 1 "read to /dev/full: exit 1" sh -c "$CC read first >/dev/full"
fi

# ---- write, read

head -c 4194304 /dev/urandom >content
runs "write of the whole buffer: exit 0" sh -c "$CC write first <content"
runs "read of the whole buffer: exit 0" sh -c "$CC read first >back"
cmp content back
ok $? "read returns what write wrote"
runs "write --offset: exit 0" sh -c "printf hello | $CC write first --offset 5000"
is "$(cc read first --offset 5000 --length 5)" hello "read --offset returns what write --offset wrote"
is "$(cc read first --offset 4999 --length 1 | hexdump -e '1/1 "%02x"')" \
	"$(dd if=content bs=1 skip=4999 count=1 2>/dev/null | hexdump -e '1/1 "%02x"')" "write --offset leaves the byte before it unchanged"
is "$(cc read first --offset 5005 --length 1 | hexdump -e '1/1 "%02x"')" \
	"$(dd if=content bs=1 skip=5005 count=1 2>/dev/null | hexdump -e '1/1 "%02x"')" "write --offset leaves the byte after it unchanged"
is "$(cc read first --offset 4M | wc -c)" 0 "read at the end returns nothing"
exits 1 "read beyond the end: exit 1" cc read first --offset 4M --length 1
like "$out" "beyond its end, at 4M" "read beyond the end: the message names the end"
exits 1 "write beyond the end: exit 1" sh -c "echo | $CC write first --offset 5M"
exits 1 "write of more than the buffer's size: exit 1" sh -c "cat content content | $CC write first --offset 2M"
like "$out" "2097152 bytes were written" "write of more than the buffer's size: the message has the number of bytes written"
runs "write of exactly the buffer's size: exit 0" sh -c "$CC write first <content"
runs "write of an empty input: exit 0" sh -c "$CC write first </dev/null"
runs "write from a pipe in pieces: exit 0" sh -c "{ printf one; usleep 50000; printf two; } | $CC write first"
is "$(cc read first --length 6)" onetwo "write from a pipe in pieces writes all bytes"
is "$(info exports)" 0 "read and write leave no export behind"

# ---- other users

exits 4 "info by a user outside the group: exit 4" as mallory "$CC" info
like "$out" "join the group" "info by a user outside the group: the message says to join the group"
runs "alloc by alice: exit 0" as alice "$CC" alloc 2M --name hers
exits 1 "show of alice's buffer by bob: exit 1" as bob "$CC" show alice/hers
exits 1 "show by id of alice's buffer by bob: exit 1" as bob "$CC" show "$(cc show alice/hers --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p')"
runs "show of alice's buffer by root: exit 0" cc show alice/hers
runs "alloc with mode 0644 by alice: exit 0" as alice "$CC" alloc 2M --name public --mode 0644
printf 'from alice' | as alice "$CC" write public
runs "show of alice's public buffer by bob: exit 0" as bob "$CC" show alice/public
is "$(field control "$out")" no "show by bob prints that bob has no control"
is "$(as bob "$CC" read alice/public --length 10)" "from alice" "read of alice's public buffer by bob returns alice's bytes"
exits 4 "write of alice's public buffer by bob: exit 4" sh -c "echo | as bob $CC write alice/public"
exits 4 "export of alice's public buffer by bob: exit 4" as bob "$CC" export alice/public -- true
runs "export --read-only of alice's public buffer by bob: exit 0" as bob "$CC" export alice/public --read-only -- true
exits 4 "free of alice's public buffer by bob: exit 4" as bob "$CC" free alice/public
like "$out" "cannot free alice/public: only the buffer's owner" "free of alice's public buffer by bob: the message names who may free it"
exits 4 "revoke of alice's public buffer by bob: exit 4" as bob "$CC" revoke alice/public
exits 4 "alloc --owner bob by alice: exit 4" as alice "$CC" alloc 4K --owner bob
exits 4 "attach by alice: exit 4" as alice "$CC" attach hers $DEVICE -- true
runs "alloc --owner alice by root: exit 0" cc alloc 2M --name gift --owner alice --group ccshm --mode 0660
runs "write of a buffer of mode 0660 by a member of its group: exit 0" sh -c "echo | as bob $CC write alice/gift"
runs "free of alice's buffer by alice: exit 0" as alice "$CC" free hers
as alice "$CC" free public
as alice "$CC" free gift
is "$(info buffers)" 1 "after alice's frees info counts one buffer"

# ---- export

runs "export with a command: exit 0" cc export first --offset 4K --length 8K -- sh -c 'echo $CCSHM_DMABUF_SIZE; readlink /proc/self/fd/$CCSHM_DMABUF_FD; ccshmctl show $CCSHM_EXPORT_ID'
like "$out" "^8192$" "export sets CCSHM_DMABUF_SIZE to the size of the slice"
like "$out" "dmabuf" "export sets CCSHM_DMABUF_FD to a dma-buf"
is "$(field offset "$out")" 4K "export sets CCSHM_EXPORT_ID to the id of the export"
is "$(field type "$out")" export "show of an export prints its type"
runs "export --read-only --no-cpu --pinned: exit 0" cc export first -rcp -- sh -c 'ccshmctl show $CCSHM_EXPORT_ID'
is "$(field 'read only' "$out") $(field 'no cpu' "$out") $(field lifetime "$out")" "yes yes pinned" "show prints read only, no cpu and pinned"
exits 7 "export exits with the command's exit status" cc export first -- sh -c 'exit 7'
exits 143 "export of a command killed by SIGTERM: exit 143" cc export first -- sh -c 'kill -TERM $$'
exits 127 "export of a command that does not exist: exit 127" cc export first -- no-such-command
exits 126 "export of a command that cannot be executed: exit 126" cc export first -- /tmp
exits 1 "export of a slice beyond the end: exit 1" cc export first --offset 4M -- true
like "$out" "cannot export first: --offset is not before its end, at 4M" "export of a slice beyond the end: the message names --offset and the end"
exits 1 "export of a slice that is too long: exit 1" cc export first --offset 2M --length 4M -- true
like "$out" "cannot export first: --length goes beyond its end, at 4M" "export of a slice that is too long: the message names --length and the end"
exits 1 "export of an export: exit 1" cc export first -- sh -c 'ccshmctl export $CCSHM_EXPORT_ID -- true'
like "$out" "it is an export, not a buffer" "export of an export: the message says that it is not a buffer"
is "$(echo x | cc export first -- cat)" x "the command of export reads ccshmctl's standard input"
is "$(info exports)" 0 "the export ends with its command"

ccshmctl export first -- mapper >mapper.log 2>&1 &
pid=$!
wait_until 30 grep -q sees mapper.log
ok $? "a program maps the dma-buf of export"
runs "revoke of a buffer whose export is mapped: exit 0" cc revoke first
is "$(field state "$out") $(field revoked "$out")" "revoked 1" "revoke prints the state and one revoked export"
wait $pid
is $? 0 "revoke: the program that maps the export gets SIGBUS"
runs "export after the revoke: exit 0" cc export first -- true

ccshmctl export first -- sh -c 'trap "exit 9" TERM; echo $CCSHM_EXPORT_ID >export.id; while :; do usleep 10000; done' &
pid=$!
wait_until 30 test -s export.id
kill -TERM $pid
wait $pid
is $? 9 "export passes SIGTERM to its command"
is "$(info exports)" 0 "export ended by a signal leaves no export"

# ---- attach

exits 1 "attach to a device that does not exist: exit 1" cc attach first pci:0000:00:1e.0 -- true
exits 1 "attach to eth0: exit 1" cc attach first eth0 -- true
like "$out" "'eth0' is not a device of pci, platform and virtio" "attach to eth0: the message lists the supported buses"
if ! cc attach first $DEVICE -- true 2>reason; then
	skip "attach: the device copies from and to the buffer: exit 0" "$(cat reason)"
else
	printf 'content for the device' | cc write first
	runs "attach: the device copies from and to the buffer: exit 0" cc attach first $DEVICE -- sh -e -c '
		test "$(cat $CCSHM_SEGMENTS_FILE)" = "$(cat <&$CCSHM_SEGMENTS_FD)"
		read -r address length offset <$CCSHM_SEGMENTS_FILE
		test $offset = 0
		edu bus-master on
		edu dma-out $address 4092
		edu dma-in $((address + 8192)) 4092
		ccshmctl show $CCSHM_ATTACHMENT_ID
		ccshmctl detach $CCSHM_ATTACHMENT_ID'
	is "$(field device "$out")" $DEVICE "show of an attachment prints the device"
	is "$(field 'dma bits' "$out")" 32 "show of an attachment prints the address bits"
	is "$(cc read first --offset 8K --length 22)" "content for the device" "attach: the device has copied the right bytes"
	is "$(edu bus-master)" on "attach: after detach bus mastering stays on"
	runs "attach with a command that does not detach: exit 0" cc attach first $DEVICE -- edu bus-master on
	is "$(edu bus-master)" off "attach with a command that does not detach: bus mastering is off"
	is "$(info attachments)" 0 "attach leaves no attachment behind"
	exits 5 "attach exits with the command's exit status" cc attach first $DEVICE -- sh -c 'exit 5'
	exits 1 "attach with --dma-bits 20: exit 1" cc attach first $DEVICE --dma-bits 20 -- true
	like "$out" "dma-bits" "attach with --dma-bits 20: the message names dma-bits"

	runs "attach --persistent: exit 0" cc attach first $DEVICE --persistent --offset 2M
	attachment=$(printf '%s\n' "$out" | awk 'NR == 2 { print $1 }')
	like "$out" "^ *$attachment +0x[0-9a-f]+ +2M +0$" "attach --persistent prints id and segments"
	runs "show of a persistent attachment: exit 0" cc show "$attachment"
	is "$(field type "$out") $(field persistent "$out") $(field offset "$out")" "attachment yes 2M" "show of a persistent attachment prints type, persistent and offset"
	exits 5 "revoke --timeout 0 while a device is attached: exit 5" cc revoke first --timeout 0
	is "$(field state "$out")" revoking "revoke --timeout 0 while a device is attached prints the state revoking"
	like "$out" "cannot revoke first: .*--timeout" "revoke --timeout 0 while a device is attached: the message names --timeout"
	exits 5 "revoke --timeout 0.3 of an attachment: exit 5" cc revoke "$attachment" --timeout 0.3
	runs "detach of a persistent attachment: exit 0" cc detach "$attachment"
	runs "revoke after detach: exit 0" cc revoke first
	exits 1 "detach of an id that does not exist: exit 1" cc detach 999999
	exits 1 "detach of a buffer: exit 1" cc detach "$id"
	runs "attach --persistent --json: exit 0" cc attach first $DEVICE --persistent --json
	attachment=$(json attachment "$out")
	like "$(json address "$out")" '^"0x[0-9a-f]+"$' "attach --json prints addresses as strings"
	exits 1 "attach by bob of a buffer that bob may not see: exit 1" as bob +sys_rawio "$CC" attach "$id" $DEVICE -- true
	edu bus-master on
	runs "revoke --force: exit 0" cc revoke "$attachment" --force
	is "$(field state "$out") $(field stopped "$out")" "revoked 1" "revoke --force prints that the device was stopped"
	is "$(edu bus-master)" off "revoke --force: bus mastering is off"
	exits 1 "attach --persistent to /dev/full: exit 1" sh -c "$CC attach first $DEVICE --persistent >/dev/full"
	is "$(info attachments)" 0 "attach --persistent to /dev/full leaves no attachment"
fi

# ---- long commands on a terminal, and Ctrl-C

no_buffer() { [ "$(info buffers)" = 0 ]; }

cc free first
wait_until 30 no_buffer
is "$(info buffers)" 0 "after free of the last buffer info counts no buffer"
size=500M
interrupted=0

# ctrl_c SIZE MILLISECONDS: run alloc, press Ctrl-C, set $status and, if interrupted, $left
ctrl_c() {
	# Ctrl-C may end the child before the child has truncated the file of the earlier round.
	: >id
	pty -c "$2" -o id "$CC" alloc "$1" >terminal 2>&1
	status=$?
	if [ $status = 130 ]; then
		interrupted=$((interrupted + 1))
		# A work item returns the memory that was already shared.
		wait_until 30 no_buffer
		left=$(info buffers)
		is "$(cat id)" "" "Ctrl-C after $2 ms of alloc $1: no id is printed"
	elif [ $status = 0 ]; then
		runs "alloc of $1 ended before Ctrl-C after $2 ms: free: exit 0" cc free "$(cat id)"
	else
		fail "alloc on a terminal ended with $status: $(cat terminal)"
	fi
}

for ms in 5 20 50 100 200 300 450; do
	ctrl_c $size $ms
	[ $status != 130 ] || is "$left" 0 "Ctrl-C after $ms ms of $size leaves no buffer behind"
done

# Press Ctrl-C at once: the new process may not be able to receive it yet, and then ALLOC succeeds.
ctrl_c 32M 0
[ $status != 130 ] || is "$left" 0 "Ctrl-C after 0 ms of 32M leaves no buffer behind"

# Press Ctrl-C at several times during a shorter ALLOC, up to its end.
ms=5
leftovers=0
while [ $ms -lt 400 ]; do
	ctrl_c 32M $ms
	[ $status = 130 ] || break
	if [ "$left" != 0 ]; then
		leftovers=$((leftovers + 1))
		last=$(cc alloc 4K)
		for i in $(seq "$last"); do cc free "$i" 2>/dev/null; done
		wait_until 30 no_buffer
	fi
	ms=$((ms + 5 + ms / 4))
done
is $leftovers 0 "Ctrl-C at several times within alloc leaves no buffer"
[ $interrupted -gt 0 ]
ok $? "Ctrl-C interrupts alloc at least once ($interrupted times)"
nothing_shared() { [ "$(info 'bytes shared')" = 0 ]; }
# Half a second after its begin, a call prints its progress. If "date" counts two seconds, a busy host may have lost them
# outside of the call; not in three of six calls.
slow=0
watch_alloc() { # NAME: run alloc of $size on a terminal, and count in $slow those of two seconds
	begin=$(date +%s)
	runs "$1" pty -o id "$CC" alloc $size
	[ $(($(date +%s) - begin)) -lt 2 ] || slow=$((slow + 1))
}
printed() { printf '%s\n' "$out" | grep "allocating $size" >/dev/null; }
watch_alloc "alloc of the same size after Ctrl-C, on a terminal: exit 0"
# A Realm with addresses of 32 bits has at most 1 GiB of memory.
[ "$flavour" = cca ] || more=1200M
times=1
while [ $times -lt 6 ] && ! printed; do
	runs "free after an alloc that printed no progress: exit 0" cc free "$(cat id)"
	wait_until 30 nothing_shared
	times=$((times + 1)) size=${more-$size}
	watch_alloc "alloc of $size on a terminal, call $times: exit 0"
done
if printed || [ $slow -ge 3 ]; then
	like "$out" "allocating $size\.\.\. *[0-9]+ s" "alloc on a terminal prints its progress"
else
	skip "alloc on a terminal prints its progress" "fewer than three of five calls took 2 s"
fi
is "$(wc -l <id)" 1 "alloc on a terminal prints only the id to stdout"
runs "free after alloc on a terminal: exit 0" cc free "$(cat id)"
wait_until 30 nothing_shared
is "$(info 'bytes shared') $(info 'bytes leaked')" "0 0" "after all frees info reports 0 shared and 0 leaked bytes"

# ---- pool

# sizes TEXT: print maximum and minimum of a record
sizes() { echo "$(field 'max bytes' "$1") $(field 'min bytes' "$1")"; }
idle() { json idle_bytes "$(cc pool --json)"; }
idle_is() { [ "$(idle)" = "$1" ]; }

runs "pool: exit 0" cc pool
is "$(sizes "$out") $(idle)" "0 0 0" "pool prints that there is no pool"
runs "pool --max=16M --min=4M: exit 0" cc pool --max=16M --min=4M
is "$(sizes "$out")" "16M 4M" "pool --max=16M --min=4M prints the sizes"
wait_until 30 idle_is 4194304
is "$(idle)" 4194304 "pool --min=4M: 4 MiB become idle"
is "$(info 'bytes shared')" 4194304 "pool --min=4M: info counts the idle bytes as shared"
exits 4 "pool --max=0 by alice: exit 4" as alice "$CC" pool --max=0
like "$out" "cannot change /sys/class/misc/ccshm/pool_max_bytes: only root may change it" "pool --max=0 by alice: the message says that only root may change it"
exits 4 "pool --min=0 by alice: exit 4" as alice "$CC" pool --min=0
exits 2 "pool with --min above --max: exit 2" cc pool --max=2M --min=4M
runs "pool by mallory, who may not open the device: exit 0" as mallory "$CC" pool
is "$(sizes "$out")" "16M 4M" "the refused calls of pool have changed nothing"
runs "pool --max=5M: exit 0" cc pool --max=5M
is "$(sizes "$out")" "4M 4M" "pool --max=5M prints the size that the driver has rounded down"
runs "pool --max=0 --min=0 --json: exit 0" cc pool --max=0 --min=0 --json
is "$(json max_bytes "$out") $(json min_bytes "$out")" "0 0" "pool --max=0 --min=0 --json prints the sizes"
wait_until 30 nothing_shared
is "$(info 'bytes shared') $(idle)" "0 0" "pool --max=0: the idle memory is private again"

runs "the module can be unloaded" rmmod ccshm
exits 3 "after the unload info: exit 3" cc info

done_testing
