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

wait_for() { # SECONDS COMMAND...: until the command succeeds
	wait_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$wait_end" ] || return 1
		usleep 20000
	done
}

# ---- without the driver

exits 3 "no driver: info says so with its own exit code" cc info
like "$out" "cannot open /dev/ccshm: the module is not loaded" "no driver: it says why"
exits 3 "no driver: so does every other command" cc free 1
runs "help needs no driver" cc --help

if [ "$flavour" = plain ]; then
	! insmod /lib/ccshm/ccshm.ko 2>/dev/null
	ok $? "plain: the module refuses to load"
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- help, usage

runs "every command has a help" sh -c 'for c in $(ccshmctl --list-commands); do ccshmctl $c --help || exit 1; done'
runs "every command lists its options" sh -c 'for c in $(ccshmctl --list-commands); do ccshmctl --list-options $c || exit 1; done'
exits 2 "no command" cc
exits 2 "an unknown command" cc frobnicate
like "$out" "no command 'frobnicate'" "an unknown command is named"
exits 2 "an unknown option" cc info --frobnicate
exits 2 "a missing argument" cc alloc
like "$out" "SIZE is missing" "a missing argument is named"
exits 2 "an argument too many" cc alloc 4K 8K
exits 2 "a size that is none" cc alloc 4KB
exits 2 "size 0" cc alloc 0
exits 2 "a size that overflows" cc alloc 16E
exits 2 "a size that the driver does not count to" cc alloc 8E
exits 2 "a name that is none" cc alloc 4K --name 4you
exits 2 "a mode with more than read and write" cc alloc 4K --mode 0755
exits 2 "an unknown user" cc alloc 4K --owner nobody-here
exits 2 "an offset that is not page-aligned" cc export 1 --offset 1 -- true
exits 2 "export without a command" cc export 1
exits 2 "attach with neither command nor --persistent" cc attach 1 $DEVICE
exits 2 "a timeout that is none" cc revoke 1 --timeout -1
exits 2 "detach of a name" cc detach name

# ---- info

runs "info" cc info
case $flavour in
sev) is "$(field platform "$out")" sev "info names the platform" ;;
tdx) is "$(field platform "$out")" tdx "info names the platform" ;;
cca) is "$(field platform "$out")" cca "info names the platform" ;;
plain) is "$(field plain "$out")" yes "info says that nothing is private here" ;;
esac
is "$(field "bytes shared" "$out")" 0 "nothing is shared yet"
is "$(field "block size" "$out")" 2M "sizes are in IEC units"
is "$(info 'block size')" 2097152 "--bytes gives bytes"
runs "info --json" cc info --json
is "$(json block_size "$out")" 2097152 "JSON has numbers of bytes"
is "$(json abi_version "$out")" 1 "JSON has the version of the ABI"

# ---- alloc, show, free

runs "alloc" cc alloc 4M --name first
id=$out
like "$id" '^[0-9]+$' "alloc prints the id, and nothing else"
runs "show by name" cc show first
is "$(field id "$out")" "$id" "show: the id"
is "$(field size "$out")" 4M "show: the size"
is "$(field owner "$out")" root "show: the owner"
is "$(field mode "$out")" 0600 "show: the mode"
is "$(field persistent "$out")" yes "show: persistent"
runs "show --pages" cc show first --pages
like "$out" "^ +0 +[0-9]+M (shared|unknown) +(yes|no) +no +0x[0-9a-f]+" "show --pages: the first run, and where it is"
runs "show by id" cc show "$id"
is "$(field name "$out")" first "show: the name"
runs "show by @id, as JSON" cc show "@$id" --json
is "$(json size "$out")" 4194304 "JSON: size"
is "$(json name "$out")" '"first"' "JSON: name"
is "$(json persistent "$out")" true "JSON: booleans"
runs "show USER/NAME" cc show root/first
is "$(info buffers)" 1 "info counts it"
is "$(info 'bytes shared')" 4194304 "info counts its bytes"
exits 1 "a name that is taken" cc alloc 4K --name first
like "$out" "cannot allocate 4K as first: .*already has a buffer" "it says which and what to do"
exits 1 "more than there is" cc alloc 64T
like "$out" "not enough memory" "it says why"
exits 1 "a node that does not exist" cc alloc 4K --node 63
like "$out" "cannot allocate 4K: there is no NUMA node 63; this machine has 0" "it says which there are"
runs "alloc --json" cc alloc 1.5M --json
other=$(json id "$out")
is "$(json size "$out")" 1572864 "alloc --json: the size"
is "$(json name "$out")" null "alloc --json: no name"
runs "free by id" cc free "$other"
exits 1 "it is gone" cc show "$other"
like "$out" "cannot show $other: no such object" "it says so"
exits 1 "free of what is not there" cc free "$other"
exits 1 "a name that nobody has" cc free nothing
if [ -e /dev/full ] || mknod /dev/full c 1 7; then
	exits 1 "alloc whose id cannot be printed" sh -c "$CC alloc 2M >/dev/full"
	like "$out" "No space left" "it says why"
	is "$(info buffers)" 1 "and leaves no buffer behind"
	exits 1 "info whose output cannot be written" sh -c "$CC info >/dev/full"
	exits 1 "read whose output cannot be written" sh -c "$CC read first >/dev/full"
fi

# ---- write, read

head -c 4194304 /dev/urandom >content
runs "write" sh -c "$CC write first <content"
runs "read" sh -c "$CC read first >back"
cmp content back
ok $? "what was written is read back"
runs "write at an offset" sh -c "printf hello | $CC write first --offset 5000"
is "$(cc read first --offset 5000 --length 5)" hello "read at an offset"
is "$(cc read first --offset 4999 --length 1 | hexdump -e '1/1 "%02x"')" \
	"$(dd if=content bs=1 skip=4999 count=1 2>/dev/null | hexdump -e '1/1 "%02x"')" "the byte before is untouched"
is "$(cc read first --offset 5005 --length 1 | hexdump -e '1/1 "%02x"')" \
	"$(dd if=content bs=1 skip=5005 count=1 2>/dev/null | hexdump -e '1/1 "%02x"')" "the byte behind is untouched"
is "$(cc read first --offset 4M | wc -c)" 0 "read at the end gives nothing"
exits 1 "read beyond the end" cc read first --offset 4M --length 1
like "$out" "beyond its end, at 4M" "it says where the end is"
exits 1 "write beyond the end" sh -c "echo | $CC write first --offset 5M"
exits 1 "an input that is longer than the buffer" sh -c "cat content content | $CC write first --offset 2M"
like "$out" "2097152 bytes were written" "it says how much was written"
runs "an input that fits to the byte" sh -c "$CC write first <content"
runs "an empty input" sh -c "$CC write first </dev/null"
runs "write from a pipe in pieces" sh -c "{ printf one; usleep 50000; printf two; } | $CC write first"
is "$(cc read first --length 6)" onetwo "it is all there"
is "$(info exports)" 0 "read and write leave no export behind"

# ---- other users

exits 4 "a user outside the group may not open the device" as mallory "$CC" info
like "$out" "join the group" "it says what to do"
runs "alice allocates" as alice "$CC" alloc 2M --name hers
exits 1 "bob does not see it" as bob "$CC" show alice/hers
exits 1 "nor by its id" as bob "$CC" show "$(cc show alice/hers --json | sed -nE 's/.*"id": *([0-9]+).*/\1/p')"
runs "root sees it" cc show alice/hers
runs "alice allocates for all to read" as alice "$CC" alloc 2M --name public --mode 0644
printf 'from alice' | as alice "$CC" write public
runs "bob sees that" as bob "$CC" show alice/public
is "$(field control "$out")" no "without control"
is "$(as bob "$CC" read alice/public --length 10)" "from alice" "bob reads it"
exits 4 "bob may not write it" sh -c "echo | as bob $CC write alice/public"
exits 4 "bob may not export it for writing" as bob "$CC" export alice/public -- true
runs "but for reading" as bob "$CC" export alice/public --read-only -- true
exits 4 "bob may not free it" as bob "$CC" free alice/public
like "$out" "cannot free alice/public: only the buffer's owner" "it says who may"
exits 4 "bob may not revoke it" as bob "$CC" revoke alice/public
exits 4 "alice may not give a buffer away" as alice "$CC" alloc 4K --owner bob
exits 4 "nor attach a device" as alice "$CC" attach hers $DEVICE -- true
runs "root may give one away" cc alloc 2M --name gift --owner alice --group ccshm --mode 0660
runs "a member of its group may write it" sh -c "echo | as bob $CC write alice/gift"
runs "alice frees hers" as alice "$CC" free hers
as alice "$CC" free public
as alice "$CC" free gift
is "$(info buffers)" 1 "one buffer is left"

# ---- export

runs "export runs a command" cc export first --offset 4K --length 8K -- sh -c 'echo $CCSHM_DMABUF_SIZE; readlink /proc/self/fd/$CCSHM_DMABUF_FD; ccshmctl show $CCSHM_EXPORT_ID'
like "$out" "^8192$" "CCSHM_DMABUF_SIZE"
like "$out" "dmabuf" "CCSHM_DMABUF_FD is a dma-buf"
is "$(field offset "$out")" 4K "CCSHM_EXPORT_ID is the export"
is "$(field type "$out")" export "show: an export"
runs "export --read-only --no-cpu --pinned" cc export first -rcp -- sh -c 'ccshmctl show $CCSHM_EXPORT_ID'
is "$(field 'read only' "$out") $(field 'no cpu' "$out") $(field lifetime "$out")" "yes yes pinned" "its flags"
exits 7 "the command's exit status is passed on" cc export first -- sh -c 'exit 7'
exits 143 "so is a signal that ends it" cc export first -- sh -c 'kill -TERM $$'
exits 127 "a command that is not there" cc export first -- no-such-command
exits 126 "a command that cannot run" cc export first -- /tmp
exits 1 "a slice beyond the end" cc export first --offset 4M -- true
like "$out" "cannot export first: --offset is not before its end, at 4M" "it says what is wrong"
exits 1 "a slice that is too long" cc export first --offset 2M --length 4M -- true
like "$out" "cannot export first: --length goes beyond its end, at 4M" "it says what is wrong"
exits 1 "an export of an export" cc export first -- sh -c 'ccshmctl export $CCSHM_EXPORT_ID -- true'
like "$out" "it is an export, not a buffer" "it says what it is"
is "$(echo x | cc export first -- cat)" x "the command has our standard input"
is "$(info exports)" 0 "the export ends with the command"

# The shell keeps the dma-buf open: an export that ends during the call does not count as revoked.
ccshmctl export first -- sh -c 'mapper; code=$?; while [ ! -e revoke.done ]; do usleep 10000; done; exit $code' >mapper.log 2>&1 &
pid=$!
wait_for 10 grep -q sees mapper.log
ok $? "a program maps the dma-buf"
runs "revoke of a buffer whose export is mapped" cc revoke first
: >revoke.done
is "$(field state "$out") $(field revoked "$out")" "revoked 1" "it says what was revoked"
wait $pid
is $? 0 "the program got SIGBUS"
runs "the buffer can be exported again" cc export first -- true

ccshmctl export first -- sh -c 'trap "exit 9" TERM; echo $CCSHM_EXPORT_ID >export.id; while :; do usleep 10000; done' &
pid=$!
wait_for 10 test -s export.id
kill -TERM $pid
wait $pid
is $? 9 "a signal to ccshmctl reaches the command"
is "$(info exports)" 0 "and the export ends"

# ---- attach

exits 1 "a device that is not there" cc attach first pci:0000:00:1e.0 -- true
exits 1 "a device that is none" cc attach first eth0 -- true
like "$out" "'eth0' is not a device of pci, platform and virtio" "it says which there are"
if ! cc attach first $DEVICE -- true 2>reason; then
	skip "attach" "$(cat reason)"
else
	printf 'content for the device' | cc write first
	runs "attach: the device copies the buffer out and in" cc attach first $DEVICE -- sh -e -c '
		test "$(cat $CCSHM_SEGMENTS_FILE)" = "$(cat <&$CCSHM_SEGMENTS_FD)"
		read -r address length offset <$CCSHM_SEGMENTS_FILE
		test $offset = 0
		edu bus-master on
		edu dma-out $address 4092
		edu dma-in $((address + 8192)) 4092
		ccshmctl show $CCSHM_ATTACHMENT_ID
		ccshmctl detach $CCSHM_ATTACHMENT_ID'
	is "$(field device "$out")" $DEVICE "show: an attachment"
	is "$(field 'dma bits' "$out")" 32 "show: its address bits"
	is "$(cc read first --offset 8K --length 22)" "content for the device" "the bytes went through the device"
	is "$(edu bus-master)" on "a device whose holder said detach is left alone"
	runs "attach without detach" cc attach first $DEVICE -- edu bus-master on
	is "$(edu bus-master)" off "the device is stopped"
	is "$(info attachments)" 0 "no attachment is left"
	exits 5 "the exit status of the command" cc attach first $DEVICE -- sh -c 'exit 5'
	exits 1 "addresses that the device does not reach" cc attach first $DEVICE --dma-bits 20 -- true
	like "$out" "dma-bits" "it says what to do"

	runs "attach --persistent" cc attach first $DEVICE --persistent --offset 2M
	attachment=$(printf '%s\n' "$out" | awk 'NR == 2 { print $1 }')
	like "$out" "^ *$attachment +0x[0-9a-f]+ +2M +0$" "it prints id and segments"
	runs "show it" cc show "$attachment"
	is "$(field type "$out") $(field persistent "$out") $(field offset "$out")" "attachment yes 2M" "what it is"
	exits 5 "revoke does not wait" cc revoke first --timeout 0
	is "$(field state "$out")" revoking "the state that it is in"
	like "$out" "cannot revoke first: .*--timeout" "it says what to do"
	exits 5 "revoke waits as told" cc revoke "$attachment" --timeout 0.3
	runs "detach" cc detach "$attachment"
	runs "then the revoke is done" cc revoke first
	exits 1 "detach of what is not there" cc detach 999999
	exits 1 "detach of a buffer" cc detach "$id"
	runs "attach --persistent --json" cc attach first $DEVICE --persistent --json
	attachment=$(json attachment "$out")
	like "$(json address "$out")" '^"0x[0-9a-f]+"$' "JSON: addresses are strings"
	exits 1 "a buffer that bob may not see is not there for him" as bob +sys_rawio "$CC" attach "$id" $DEVICE -- true
	edu bus-master on
	runs "revoke --force" cc revoke "$attachment" --force
	is "$(field state "$out") $(field stopped "$out")" "revoked 1" "it stops the device"
	is "$(edu bus-master)" off "the device has no bus mastering any more"
	exits 1 "attach --persistent whose output cannot be printed" sh -c "$CC attach first $DEVICE --persistent >/dev/full"
	is "$(info attachments)" 0 "leaves no attachment behind"
fi

# ---- long commands on a terminal, and Ctrl-C

no_buffer() { [ "$(info buffers)" = 0 ]; }

cc free first
wait_for 10 no_buffer
is "$(info buffers)" 0 "no buffer is left"
# A Realm with addresses of 32 bits has at most 1 GiB of memory.
size=1200M
[ "$flavour" != cca ] || size=500M
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
		wait_for 10 no_buffer
		left=$(info buffers)
		is "$(cat id)" "" "Ctrl-C after $2 ms of $1: no id is printed"
	elif [ $status = 0 ]; then
		runs "alloc of $1 was quicker than $2 ms" cc free "$(cat id)"
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

# Press Ctrl-C at regular intervals during a shorter ALLOC, up to its end.
ms=5
leftovers=0
while [ $ms -lt 400 ]; do
	ctrl_c 32M $ms
	[ $status = 130 ] || break
	if [ "$left" != 0 ]; then
		leftovers=$((leftovers + 1))
		last=$(cc alloc 4K)
		for i in $(seq "$last"); do cc free "$i" 2>/dev/null; done
		wait_for 10 no_buffer
	fi
	ms=$((ms + 5))
done
is $leftovers 0 "Ctrl-C at any time leaves nothing behind"
[ $interrupted -gt 0 ]
ok $? "Ctrl-C interrupts an allocation ($interrupted times)"
begin=$(date +%s)
runs "all memory can be had again, on a terminal" pty -o id "$CC" alloc $size
if [ $(($(date +%s) - begin)) -ge 2 ]; then
	like "$out" "allocating $size\.\.\. *[0-9]+ s" "the terminal shows that it is at work"
else
	skip "the terminal shows that it is at work" "it was done at once"
fi
is "$(wc -l <id)" 1 "and stdout only the id"
runs "and given back" cc free "$(cat id)"
nothing_shared() { [ "$(info 'bytes shared')" = 0 ]; }
wait_for 10 nothing_shared
is "$(info 'bytes shared') $(info 'bytes leaked')" "0 0" "nothing is shared or leaked"

runs "the module can be unloaded" rmmod ccshm
exits 3 "no driver any more" cc info

done_testing
