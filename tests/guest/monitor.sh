#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl list, stats and monitor: what each of several users sees, and that monitor prints a line
# for each event at once.
# vm-matrix: once
# vm-modules: ccshm
. /suites/tap.sh

EDU=pci:0000:00:04.0
CC=$(command -v ccshmctl)
cc() { ccshmctl "$@"; }
lines() { printf '%s\n' "$out" | grep -c .; }
ids() { printf '%s\n' "$out" | sed 1d | sed 's/^ *//' | cut -d ' ' -f 1 | tr '\n' ' '; }

for command in list "list --exports" stats monitor; do
	# shellcheck disable=SC2086
	exits 3 "no driver: ccshmctl $command: exit 3" cc $command
	like "$out" "the driver is not loaded" "no driver: ccshmctl $command reports that the driver is not loaded"
done

if cvmctl present >/dev/null 2>&1; then
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- list

runs "list without buffers: exit 0" cc list
is "$out" "" "list without buffers prints nothing"
runs "list --json without buffers: exit 0" cc list --json
like "$out" '"buffers": \[\]' "list --json without buffers prints an empty array"

ring=$(as alice "$CC" alloc 2M --name ring --mode 0640 --group ccshm)
own=$(as bob "$CC" alloc 4K --name own)
root=$(cc alloc 3M)

runs "list by root: exit 0" cc list
is "$(ids)" "$ring $own $root " "list by root has all buffers in the order of their ids"
like "$out" "^ *ID NAME +OWNER +MODE +SIZE +CHARGED +EXPORTS +ATTACHMENTS +ENDED" "list has a heading"
like "$out" "^ *$ring ring +alice +0640 +2M +2M +0 +0 +no" "list has the fields of a buffer"
runs "list by alice: exit 0" as alice "$CC" list
is "$(ids)" "$ring " "list by alice has only alice's buffer"
runs "list by bob: exit 0" as bob "$CC" list
is "$(ids)" "$ring $own " "list by bob has bob's buffer and the buffer of the common group"
runs "list by mallory, who may not open the device: exit 0" as mallory "$CC" list
is "$out" "" "list by mallory, who may not open the device, prints nothing"
runs "list --json by alice: exit 0" as alice "$CC" list --json
like "$out" '"size": 2097152' "list --json has sizes in bytes"
like "$out" '"conversions": 1' "list --json has all columns"
runs "list --output name,id: exit 0" cc list --output name,id
like "$out" "^NAME +ID" "list --output name,id has these columns in this order"
runs "list --json --output id: exit 0" cc list --json --output id
is "$(printf '%s\n' "$out" | tr -d ' \n')" "{\"buffers\":[{\"id\":$ring},{\"id\":$own},{\"id\":$root}]}" "list --json --output id has this column only"
exits 2 "list --output with an unknown column: exit 2" cc list --output id,nothing
like "$out" "there is no column 'nothing'; there are id,name" "list --output with an unknown column reports the known columns"
exits 2 "list --exports --attachments: exit 2" cc list --exports --attachments

runs "list --exports during an export: exit 0" cc export "$ring" -- "$CC" list --exports
like "$out" " $ring ring +alice +2M revocable active" "list --exports has the export"
runs "list --attachments during an attachment: exit 0" cc attach "$ring" $EDU -- "$CC" list --attachments
like "$out" " $ring ring +alice +2M $EDU active" "list --attachments has the attachment"
runs "list in another network namespace: exit 0" unshare -n "$CC" list
like "$out" " ring " "list in another network namespace has the same buffers"
runs "stats in another network namespace: exit 0" unshare -n "$CC" stats

# ---- stats

runs "stats by mallory: exit 0" as mallory "$CC" stats
like "$out" "^buffers +3$" "stats by mallory counts the buffers of all users"
like "$out" "^buffers made +3$" "stats counts the buffers made since the driver was loaded"
like "$out" "^exports made +1$" "stats counts exports that have ended"
runs "stats --output --json: exit 0" cc stats --output attachments_made,buffers --json
is "$(printf '%s\n' "$out" | tr -d ' \n')" '{"stats":[{"attachments_made":1,"buffers":3}]}' "stats --output --json has the requested statistics"
exits 2 "stats --output with an unknown name: exit 2" cc stats --output nothing

# ---- monitor

# until_has REGEX FILE: wait up to 20 s until the file contains a match
until_has() {
	for _ in $(seq 200); do
		grep -qE -e "$1" "$2" && return 0
		sleep 0.1
	done
	return 1
}

exits 4 "monitor by alice: exit 4" as alice "$CC" monitor
like "$out" "it needs CAP_SYS_ADMIN" "monitor by alice reports that CAP_SYS_ADMIN is needed"
exits 2 "monitor --output with an unknown column: exit 2" cc monitor --output nothing

"$CC" monitor >/tmp/text &
text=$!
"$CC" monitor --json >/tmp/json &
json=$!
"$CC" monitor --count 2 --output event,id >/tmp/two &
two=$!
# Make buffers until each monitor has printed an event, which shows that all of them listen.
for _ in $(seq 100); do
	probe=$(cc alloc 4K --name probe) && cc free "$probe"
	[ -s /tmp/text ] && [ -s /tmp/json ] && [ -s /tmp/two ] && break
	sleep 0.1
done
buffer=$(as alice "$CC" alloc 4K --name seen)
until_has "buffer-new type=buffer id=$buffer name=seen owner=alice size=4K" /tmp/text
ok $? "monitor prints a line for a new buffer at once"
until_has "\"event\": \"buffer-new\", \"type\": \"buffer\", \"id\": $buffer, .*\"size\": 4096" /tmp/json
ok $? "monitor --json prints an object on a line at once"
cc attach "$buffer" $EDU -- true
until_has "attach type=attachment id=[0-9]+ buffer=$buffer name=seen .*device=$EDU" /tmp/text
ok $? "monitor prints an attachment and its device"
until_has "detach .*device=$EDU stopped=1" /tmp/text
ok $? "monitor prints at the detach that ccshm has stopped the device"
cc export "$buffer" -- "$CC" revoke "$buffer"
until_has "revoke-end type=buffer id=$buffer result=ok duration_ns=[0-9]+ state=revoked" /tmp/text
ok $? "monitor prints a revoke and its result"
as alice "$CC" free "$buffer"
until_has "buffer-gone type=buffer id=$buffer" /tmp/text
ok $? "monitor prints that a freed buffer's memory is gone"
like "$(sed 1q /tmp/text)" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}[+-][0-9]{4} buffer-' "monitor: each line begins with the time"
is "$(grep -c '^{.*}$' /tmp/json)" "$(grep -c . /tmp/json)" "monitor --json: each line is an object"

wait $two
ok $? "monitor --count 2: exit 0"
is "$(grep -c . /tmp/two)" 2 "monitor --count 2 prints two events"
like "$(sed 1q /tmp/two)" "^buffer-[a-z]+ id=[0-9]+$" "monitor --output event,id prints these columns"
kill -INT $text
wait $text
ok $? "monitor after SIGINT: exit 0"
kill -TERM $json
wait $json
ok $? "monitor after SIGTERM: exit 0"

mkfifo /tmp/pipe
"$CC" monitor >/tmp/pipe &
piped=$!
exec 3</tmp/pipe
exec 3<&-
wait $piped
ok $? "monitor with a closed pipe: exit 0"

cc free "$ring"
cc free "$own"
cc free "$root"

"$CC" monitor >/tmp/last 2>/tmp/error &
last=$!
for _ in $(seq 100); do
	probe=$(cc alloc 4K --name probe) && cc free "$probe"
	[ -s /tmp/last ] && break
	sleep 0.1
done
rmmod ccshm
ok $? "the driver can be unloaded while monitor runs"
# End a monitor that does not end.
(sleep 20 && kill -INT $last) &
guard=$!
wait $last
is $? 3 "monitor when the driver is unloaded: exit 3"
kill $guard
like "$(cat /tmp/error)" "cannot listen to events: the driver was unloaded" "monitor when the driver is unloaded: the error names the cause"

done_testing
