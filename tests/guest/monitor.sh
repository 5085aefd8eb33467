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
	exits 3 "no driver: $command says so with its own exit code" cc $command
	like "$out" "the driver is not loaded" "it says why"
done

if cvmctl present >/dev/null 2>&1; then
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- list

runs "nothing to list" cc list
is "$out" "" "prints nothing"
runs "nothing to list, as JSON" cc list --json
like "$out" '"buffers": \[\]' "is an empty array"

ring=$(as alice "$CC" alloc 2M --name ring --mode 0640 --group ccshm)
own=$(as bob "$CC" alloc 4K --name own)
root=$(cc alloc 3M)

runs "root's list" cc list
is "$(ids)" "$ring $own $root " "has all buffers, by their ids"
like "$out" "^ *ID NAME +OWNER +MODE +SIZE +CHARGED +EXPORTS +ATTACHMENTS +ENDED" "a heading"
like "$out" "^ *$ring ring +alice +0640 +2M +2M +0 +0 +no" "what is said of one"
runs "alice's list" as alice "$CC" list
is "$(ids)" "$ring " "has hers"
runs "bob's list" as bob "$CC" list
is "$(ids)" "$ring $own " "has his, and that of their group"
runs "mallory, who may not open the device" as mallory "$CC" list
is "$out" "" "sees nothing"
runs "alice's list as JSON" as alice "$CC" list --json
like "$out" '"size": 2097152' "has sizes in bytes"
like "$out" '"conversions": 1' "and all columns"
runs "columns" cc list --output name,id
like "$out" "^NAME +ID" "are those that were asked for, in that order"
runs "a column as JSON" cc list --json --output id
is "$(printf '%s\n' "$out" | tr -d ' \n')" "{\"buffers\":[{\"id\":$ring},{\"id\":$own},{\"id\":$root}]}" "and no other"
exits 2 "a column that is not there" cc list --output id,nothing
like "$out" "there is no column 'nothing'; there are id,name" "it says which there are"
exits 2 "two lists at once" cc list --exports --attachments

runs "exports while there is one" cc export "$ring" -- "$CC" list --exports
like "$out" " $ring ring +alice +2M revocable active" "it is listed"
runs "attachments while there is one" cc attach "$ring" $EDU -- "$CC" list --attachments
like "$out" " $ring ring +alice +2M $EDU active" "it is listed"
runs "list in another network namespace" unshare -n "$CC" list
like "$out" " ring " "the same list"
runs "stats in another network namespace" unshare -n "$CC" stats

# ---- stats

runs "stats" as mallory "$CC" stats
like "$out" "^buffers +3$" "of all users, for everybody"
like "$out" "^buffers made +3$" "also since the driver was loaded"
like "$out" "^exports made +1$" "and exports that are gone"
runs "some of them" cc stats --output attachments_made,buffers --json
is "$(printf '%s\n' "$out" | tr -d ' \n')" '{"stats":[{"attachments_made":1,"buffers":3}]}' "as JSON"
exits 2 "one that is not there" cc stats --output nothing

# ---- monitor

# until_has REGEX FILE: wait up to 20 s until the file contains a match
until_has() {
	for _ in $(seq 200); do
		grep -qE -e "$1" "$2" && return 0
		sleep 0.1
	done
	return 1
}

exits 4 "a user may not monitor" as alice "$CC" monitor
like "$out" "it needs CAP_SYS_ADMIN" "it says why"
exits 2 "a column that no event has" cc monitor --output nothing

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
ok $? "a line for a buffer, at once"
until_has "\"event\": \"buffer-new\", \"type\": \"buffer\", \"id\": $buffer, .*\"size\": 4096" /tmp/json
ok $? "an object on a line, at once"
cc attach "$buffer" $EDU -- true
until_has "attach type=attachment id=[0-9]+ buffer=$buffer name=seen .*device=$EDU" /tmp/text
ok $? "an attachment and its device"
until_has "detach .*device=$EDU stopped=1" /tmp/text
ok $? "that ccshm has stopped it"
cc export "$buffer" -- "$CC" revoke "$buffer"
until_has "revoke-end type=buffer id=$buffer result=ok duration_ns=[0-9]+ state=revoked" /tmp/text
ok $? "a revoke and its result"
as alice "$CC" free "$buffer"
until_has "buffer-gone type=buffer id=$buffer" /tmp/text
ok $? "its end"
like "$(sed 1q /tmp/text)" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}[+-][0-9]{4} buffer-' "each line begins with the time"
is "$(grep -c '^{.*}$' /tmp/json)" "$(grep -c . /tmp/json)" "each line of JSON is an object"

wait $two
ok $? "after as many events as were asked for it ends well"
is "$(grep -c . /tmp/two)" 2 "after exactly as many"
like "$(sed 1q /tmp/two)" "^buffer-[a-z]+ id=[0-9]+$" "with the columns that were asked for"
kill -INT $text
wait $text
ok $? "an interrupt ends it well"
kill -TERM $json
wait $json
ok $? "so does SIGTERM"

mkfifo /tmp/pipe
"$CC" monitor >/tmp/pipe &
piped=$!
exec 3</tmp/pipe
exec 3<&-
wait $piped
ok $? "it ends when nobody reads"

cc free "$ring"
cc free "$own"
cc free "$root"
rmmod ccshm
ok $? "the driver can be unloaded"

done_testing
