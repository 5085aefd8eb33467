#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl provision with the driver: each buffer of the files is made once, with the requested
# owner, mode and kind, and the failure of one buffer does not affect the others.
# vm-modules: ccshm
# vm-matrix: once
# vm-memory: 1024
. /suites/tap.sh

CC=$(command -v ccshmctl)
flavour=$(cvmctl present 2>/dev/null) || flavour=plain
etc=/etc/ccshm/buffers.d
lib=/usr/lib/ccshm/buffers.d
run=/run/ccshm/buffers.d
sysfs=/sys/class/misc/ccshm
mkdir -p $etc $lib $run

cc() { ccshmctl "$@"; }
# results: print "NAME:RESULT" for each row of the last run, sorted, in one line
results() { printf '%s\n' "$out" | sed -nE 's/^(buffer|limit) +([^ ]+) .* (created|exists|differs|failed|set|would-[a-z]+) +\/.*/\2:\3/p' | tr '\n' ' '; }
field() { cc show "$2" --json | sed -nE "s/^ *\"$1\": *\"?([^\",]*)\"?,?$/\1/p" | head -n 1; }
info() { cc info --json | sed -nE "s/^ *\"$1\": *\"?([^\",]*)\"?,?$/\1/p" | head -n 1; }
forget() { rm -f $etc/* $lib/* $run/*; }
free_all() {
	for id in $(cc list --json --output id | sed -nE 's/.*"id": *([0-9]+).*/\1/p'); do cc free "$id"; done
}

# ---- without the driver

cat >$etc/a.conf <<-END
	[buffer frames]
	size = 4M
END
exits 3 "no driver: its own exit code" cc provision
runs "no driver: --dry-run checks the files" cc provision --dry-run
is "$(results)" "frames:would-create " "and tells what they ask for"
echo bogus >$etc/b.conf
exits 1 "no driver: --dry-run finds a line that is wrong" cc provision --dry-run
like "$out" "$etc/b.conf:1: neither" "and says where it is"
forget

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- buffers are made once

runs "nothing asked for, nothing done" cc provision
is "$out" "" "and nothing said"

cat >$lib/10-vendor.conf <<-END
	# what an image brings
	[limits]
	user-bytes = 64M
	user-buffers = 7
	user-exports = 900
	total-bytes = 512M

	[buffer frames]
	size = 4M
	whole-units = yes
	owner = alice
	group = ccshm
	mode = 0660
END
cat >$etc/20-local.conf <<-END
	[limits]
	user-bytes = 32M
	[buffer frames]
	size = 5000
	[buffer piece]
	size = 1M
	contiguous = yes
	dma32 = yes
	node = 0
	owner = bob
END
total=$(cat $sysfs/limit_total_bytes)
runs "--dry-run" cc provision --dry-run
is "$(results)" "total-bytes:would-set user-bytes:would-set user-buffers:would-set user-exports:would-set frames:would-create frames:would-create piece:would-create " \
	"--dry-run tells what would be done"
is "$(info buffers) $(cat $sysfs/limit_total_bytes)" "0 $total" "--dry-run changes nothing"

runs "provision" cc provision
is "$(results)" "total-bytes:set user-bytes:set user-buffers:set user-exports:set frames:created frames:created piece:created " "it tells what was done"
is "$(info buffers)" 3 "the buffers are there"
is "$(cat $sysfs/limit_total_bytes $sysfs/limit_user_bytes $sysfs/limit_user_buffers $sysfs/limit_user_exports | tr '\n' ' ')" \
	"536870912 33554432 7 900 " \
	"limits are set, and the last file counts"
is "$(field size alice/frames) $(field owner alice/frames) $(field group alice/frames) $(field mode alice/frames) $(field persistent alice/frames)" \
	"4194304 alice ccshm 0660 true" "a buffer has the size, owner, group and mode asked for"
is "$(field payer alice/frames)" root "root pays for it"
is "$(field size root/frames) $(field owner root/frames) $(field mode root/frames)" "8192 root 0600" "what is not said is root's, and for root alone"
is "$(field contiguous bob/piece) $(field dma32 bob/piece) $(field contiguous alice/frames)" "true true false" "in one piece and below 4 GiB as asked for"
is "$(field whole_units alice/frames) $(field whole_units bob/piece)" "true false" "of whole units as asked for"
runs "its owner uses it" sh -c "printf hello | as alice $CC write frames"
is "$(as bob "$CC" read alice/frames --length 5)" hello "so does its group"
exits 1 "nobody else knows that bob's is there" as alice "$CC" show bob/piece

id=$(field id alice/frames)
conversions=$(info conversions_shared)
runs "provision again" cc provision
is "$(results)" "total-bytes:exists user-bytes:exists user-buffers:exists user-exports:exists frames:exists frames:exists piece:exists " "it finds all that is there"
is "$(field id alice/frames) $(info buffers) $(info conversions_shared)" "$id 3 $conversions" "and makes nothing a second time"
is "$(as bob "$CC" read alice/frames --length 5)" hello "contents are left alone"
runs "--json" cc provision --json
is "$(printf '%s\n' "$out" | grep -c '"result": "exists"')" 7 "--json tells the same"

# ---- a missing buffer, and a buffer that differs

as bob "$CC" free piece
sed -i 's/^size = 4M/size = 8M/; s/^mode = 0660/mode = 0640/; s/^group = ccshm/group = bob/' $lib/10-vendor.conf
exits 1 "a buffer that differs" cc provision
is "$(results)" "total-bytes:exists user-bytes:exists user-buffers:exists user-exports:exists frames:differs frames:exists piece:created " "is told, and the rest is done"
like "$out" "$lib/10-vendor.conf:8: buffer frames: it differs: size is 4M, not 8M, mode is 0660, not 0640, group is 900, not 1002; free the buffer" \
	"it says where, and in what"
is "$(field size alice/frames) $(as bob "$CC" read alice/frames --length 5)" "4194304 hello" "nothing is destroyed"
cc free alice/frames
runs "freed, it is made anew" cc provision
is "$(field size alice/frames) $(field mode alice/frames) $(field group alice/frames)" "8388608 0640 bob" "as asked for now"

# ---- files that override others

ln -s /dev/null $etc/10-vendor.conf
echo '[buffer once]
size = 4K' >$run/20-local.conf
cc free alice/frames
runs "a file that is hidden" cc provision
is "$(results)" "user-bytes:exists frames:exists piece:exists " "/dev/null in /etc hides that of /usr/lib, and a file in /etc that of /run"
rm $etc/20-local.conf
runs "/run without /etc before it" cc provision
is "$(results)" "once:created " "counts"
free_all
forget

# ---- a failure does not affect other buffers

cat >$etc/a.conf <<-END
	[buffer good1]
	size = 4K
	[buffer nowhere]
	size = 4K
	node = 61
	[buffer huge]
	size = 64T
	[buffer wide]
	size = 64G
	contiguous = yes
	[buffer typo]
	szie = 4K
	[buffer good1]
	size = 8K
	[buffer good2]
	size = 4K
	owner = alice
END
exits 1 "some fail" cc provision
is "$(results)" "good1:created nowhere:failed huge:failed wide:failed typo:failed good1:failed good2:created " "the rest is made"
like "$out" "a.conf:3: buffer nowhere: there is no NUMA node [0-9]+; this machine has 0" "a node that is not there"
like "$out" "a.conf:6: buffer huge: not enough memory" "more than there is"
like "$out" "a.conf:8: buffer wide: it is larger than the largest possible piece" "larger than one piece"
like "$out" "a.conf:12: 'szie' is not a key of a buffer" "a line that is wrong"
like "$out" "a.conf:13: the owner's buffer good1 is already defined at $etc/a.conf:1" "a name that is there twice"
is "$(info buffers)" 2 "nothing else is there"
free_all

# A section with a mistake is ignored, and a valid section with the same name takes effect.
forget
printf '\357\273\277[buffer twice]\nsize = 4\302\240K\n' >$lib/10.conf
printf '[buffer twice]\nsize = 8K\n' >$etc/20.conf
exits 1 "a section with a mistake before a good one" cc provision
is "$(results)" "twice:failed twice:created " "a broken section does not block a good one of its name"
like "$out" "$lib/10.conf:2: column 9 has a no-break space" "a no-break space is named, a byte order mark is skipped"
free_all

# Read from standard input and pipes.
forget
echo '[buffer piped]
size = 4K' >input
runs "a pipe as input" sh -c "cat input | $CC provision -"
is "$(results)" "" "a pipe has no path as its source"
is "$(field size piped)" 4096 "its buffer is made"
runs "a descriptor as input" sh -c "cat input | $CC provision /proc/self/fd/0"
is "$(results)" "piped:exists " "it is read to its end"
free_all

# Root is exempt from limits; a user without CAP_SYS_RESOURCE is not.
forget
cat >$etc/a.conf <<-END
	[limits]
	user-buffers = 2
	[buffer one]
	size = 4K
	[buffer two]
	size = 4K
	[buffer three]
	size = 4K
END
runs "root is exempt from limits" cc provision
free_all
exits 1 "a user has limits, too" as alice "$CC" provision
is "$(results)" "user-buffers:exists one:created two:created three:failed " "one that is set already is no matter, and binds"
like "$out" "buffer three: this would exceed your per-user limit" "it says which"
as alice "$CC" free two
sed -i 's/= 2$/= 3/' $etc/a.conf
exits 4 "a user makes what it may" as alice "$CC" provision
is "$(results)" "user-buffers:failed one:exists two:created three:failed " "and sets no limits"
forget
free_all
cat >mine <<-END
	[buffer mine]
	size = 4K
	[buffer his]
	size = 4K
	owner = bob
END
exits 4 "a user may not make buffers for others" as alice "$CC" provision "$PWD/mine"
is "$(results)" "mine:created his:failed " "but its own, from a file that it names"
exits 4 "who may not open the device does nothing" as mallory "$CC" provision
free_all

# ---- a conversion that fails

settled() { [ "$(info bytes_quarantined)" = 0 ]; }

forget
cat >$etc/a.conf <<-END
	[buffer before]
	size = 2M
	[buffer broken]
	size = 4M
	[buffer behind]
	size = 2M
	owner = bob
END
if [ "$flavour" != tdx ] && [ "$flavour" != cca ]; then
	skip "a conversion that fails" "only TDX and CCA refuse any"
else
	# The kernel reports the failure once in each boot; the memory is returned.
	if [ "$flavour" = cca ]; then
		expect_kmsg "Failed to decrypt memory, [0-9]+ pages will be leaked"
	else
		dmesg | grep -q "CPA VMM failure" || expect_kmsg "CPA VMM failure to convert memory"
	fi
	cvmctl fail shared 1 1
	exits 1 "a conversion that fails" cc provision
	cvmctl fail off
	is "$(results)" "before:created broken:failed behind:created " "takes no other buffer with it"
	like "$out" "a.conf:3: buffer broken: the platform refused" "it says why"
	while ! settled; do usleep 50000; done
	runs "the next run makes it" cc provision
	is "$(results)" "before:exists broken:created behind:exists " "and finds the others"
fi
free_all
forget

# ---- two concurrent runs

cat >$etc/a.conf <<-END
	[buffer x1]
	size = 64M
	[buffer x2]
	size = 64M
	[buffer x3]
	size = 64K
	[buffer x4]
	size = 64K
END
pids=
for i in 1 2 3 4; do
	cc provision >"log$i" 2>&1 &
	pids="$pids $!"
done
bad=0
for pid in $pids; do wait "$pid" || bad=$((bad + 1)); done
is "$bad $(info buffers)" "0 4" "several at a time make each buffer once"
is "$(cat log? | grep -c ' created ')" 4 "and one of them says so"
free_all

rmmod ccshm
ok $? "the module can be unloaded"
done_testing
