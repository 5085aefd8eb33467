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
results() { printf '%s\n' "$out" | sed -nE 's/^(buffer|limit|pool) +([^ ]+) .* (created|exists|differs|failed|set|would-[a-z]+) +\/.*/\2:\3/p' | tr '\n' ' '; }
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
exits 3 "no driver: provision: exit 3" cc provision
runs "no driver: provision --dry-run checks the files: exit 0" cc provision --dry-run
is "$(results)" "frames:would-create " "no driver: provision --dry-run reports what the files request"
echo bogus >$etc/b.conf
exits 1 "no driver: provision --dry-run with a bad line: exit 1" cc provision --dry-run
like "$out" "$etc/b.conf:1: neither" "no driver: provision --dry-run reports file and number of the bad line"
forget

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- buffers are made once

runs "provision without files: exit 0" cc provision
is "$out" "" "provision without files prints nothing"

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
runs "provision --dry-run: exit 0" cc provision --dry-run
is "$(results)" "total-bytes:would-set user-bytes:would-set user-buffers:would-set user-exports:would-set frames:would-create frames:would-create piece:would-create " \
	"--dry-run reports what would be done"
is "$(info buffers) $(cat $sysfs/limit_total_bytes)" "0 $total" "--dry-run changes nothing"

runs "provision of limits and buffers: exit 0" cc provision
is "$(results)" "total-bytes:set user-bytes:set user-buffers:set user-exports:set frames:created frames:created piece:created " "provision reports what was done"
is "$(info buffers)" 3 "provision has made the three buffers"
is "$(cat $sysfs/limit_total_bytes $sysfs/limit_user_bytes $sysfs/limit_user_buffers $sysfs/limit_user_exports | tr '\n' ' ')" \
	"536870912 33554432 7 900 " \
	"provision sets limits, and the last file takes effect"
is "$(field size alice/frames) $(field owner alice/frames) $(field group alice/frames) $(field mode alice/frames) $(field persistent alice/frames)" \
	"4194304 alice ccshm 0660 true" "a buffer has the requested size, owner, group and mode"
is "$(field payer alice/frames)" root "a buffer of another owner is charged to root"
is "$(field size root/frames) $(field owner root/frames) $(field mode root/frames)" "8192 root 0600" "a buffer without owner and mode belongs to root with mode 0600"
is "$(field contiguous bob/piece) $(field dma32 bob/piece) $(field contiguous alice/frames)" "true true false" "buffers are contiguous and below 4 GiB only as requested"
is "$(field whole_units alice/frames) $(field whole_units bob/piece)" "true false" "buffers have whole units only as requested"
runs "alice, the owner, writes to the buffer: exit 0" sh -c "printf hello | as alice $CC write frames"
is "$(as bob "$CC" read alice/frames --length 5)" hello "bob, a group member, reads the buffer"
exits 1 "show by alice of bob's buffer of mode 0600: exit 1" as alice "$CC" show bob/piece

id=$(field id alice/frames)
conversions=$(info conversions_shared)
runs "provision a second time: exit 0" cc provision
is "$(results)" "total-bytes:exists user-bytes:exists user-buffers:exists user-exports:exists frames:exists frames:exists piece:exists " "provision a second time reports that all exists"
is "$(field id alice/frames) $(info buffers) $(info conversions_shared)" "$id 3 $conversions" "provision a second time makes and converts nothing"
is "$(as bob "$CC" read alice/frames --length 5)" hello "provision a second time leaves the contents unchanged"
runs "provision --json: exit 0" cc provision --json
is "$(printf '%s\n' "$out" | grep -c '"result": "exists"')" 7 "provision --json reports that all exists"

# ---- a missing buffer, and a buffer that differs

as bob "$CC" free piece
sed -i 's/^size = 4M/size = 8M/; s/^mode = 0660/mode = 0640/; s/^group = ccshm/group = bob/' $lib/10-vendor.conf
exits 1 "provision with a buffer that differs: exit 1" cc provision
is "$(results)" "total-bytes:exists user-bytes:exists user-buffers:exists user-exports:exists frames:differs frames:exists piece:created " "provision reports the buffer that differs and makes the missing one"
like "$out" "$lib/10-vendor.conf:8: buffer frames: it differs: size is 4M, not 8M, mode is 0660, not 0640, group is 900, not 1002; free the buffer" \
	"provision reports line and properties of the buffer that differs"
is "$(field size alice/frames) $(as bob "$CC" read alice/frames --length 5)" "4194304 hello" "provision leaves a buffer that differs unchanged"
cc free alice/frames
runs "provision after FREE of the buffer that differed: exit 0" cc provision
is "$(field size alice/frames) $(field mode alice/frames) $(field group alice/frames)" "8388608 0640 bob" "provision after FREE makes the buffer as requested now"

# ---- files that override others

ln -s /dev/null $etc/10-vendor.conf
echo '[buffer once]
size = 4K' >$run/20-local.conf
cc free alice/frames
runs "provision with a hidden file: exit 0" cc provision
is "$(results)" "user-bytes:exists frames:exists piece:exists " "/dev/null in /etc hides the file of /usr/lib, and a file in /etc that of /run"
rm $etc/20-local.conf
runs "provision with a file in /run only: exit 0" cc provision
is "$(results)" "once:created " "provision uses the file in /run when /etc has none of that name"
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
exits 1 "provision with sections that fail: exit 1" cc provision
is "$(results)" "good1:created nowhere:failed huge:failed wide:failed typo:failed good1:failed good2:created " "provision with sections that fail makes the other buffers"
like "$out" "a.conf:3: buffer nowhere: there is no NUMA node [0-9]+; this machine has 0" "provision reports a NUMA node that does not exist"
like "$out" "a.conf:6: buffer huge: not enough memory" "provision reports a size beyond the memory"
like "$out" "a.conf:8: buffer wide: it is larger than the largest possible piece" "provision reports a size beyond the largest contiguous piece"
like "$out" "a.conf:12: 'szie' is not a key of a buffer" "provision reports an unknown key"
like "$out" "a.conf:13: the owner's buffer good1 is already defined at $etc/a.conf:1" "provision reports a name that is defined twice"
is "$(info buffers)" 2 "provision with sections that fail makes no other buffer"
free_all

# A section with a mistake is ignored, and a valid section with the same name takes effect.
forget
printf '\357\273\277[buffer twice]\nsize = 4\302\240K\n' >$lib/10.conf
printf '[buffer twice]\nsize = 8K\n' >$etc/20.conf
exits 1 "provision with a broken section before a valid one: exit 1" cc provision
is "$(results)" "twice:failed twice:created " "a broken section does not block a valid one of its name"
like "$out" "$lib/10.conf:2: column 9 has a no-break space" "provision reports a no-break space and skips a byte order mark"
free_all

# Read from standard input and pipes.
forget
echo '[buffer piped]
size = 4K' >input
runs "provision from standard input: exit 0" sh -c "cat input | $CC provision -"
is "$(results)" "" "provision from standard input reports no path as source"
is "$(field size piped)" 4096 "provision from standard input makes the buffer"
runs "provision from /proc/self/fd/0: exit 0" sh -c "cat input | $CC provision /proc/self/fd/0"
is "$(results)" "piped:exists " "provision from /proc/self/fd/0 reads the input to its end"
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
runs "provision by root beyond limit_user_buffers: exit 0" cc provision
free_all
exits 1 "provision by alice beyond limit_user_buffers: exit 1" as alice "$CC" provision
is "$(results)" "user-buffers:exists one:created two:created three:failed " "provision by alice: a limit that is already set is reported as existing and applies"
like "$out" "buffer three: this would exceed your per-user limit" "provision by alice reports which buffer exceeds the limit"
as alice "$CC" free two
sed -i 's/= 2$/= 3/' $etc/a.conf
exits 4 "provision by alice with limits to set: exit 4" as alice "$CC" provision
is "$(results)" "user-buffers:failed one:exists two:created three:failed " "provision by alice makes the permitted buffer and sets no limit"
forget
free_all
cat >mine <<-END
	[buffer mine]
	size = 4K
	[buffer his]
	size = 4K
	owner = bob
END
exits 4 "provision by alice of a buffer for bob: exit 4" as alice "$CC" provision "$PWD/mine"
is "$(results)" "mine:created his:failed " "provision by alice makes alice's buffer from a given file, and none for bob"
exits 4 "provision by mallory, who may not open the device: exit 4" as mallory "$CC" provision
free_all

# ---- the pool

nothing_shared() { [ "$(info bytes_shared)" = 0 ]; }
pool_sizes() { echo "$(cat $sysfs/pool_max_bytes) $(cat $sysfs/pool_min_bytes)"; }

forget
cat >$etc/a.conf <<-END
	[pool]
	min-bytes = 4M
	max-bytes = 9M
END
runs "provision --dry-run of a pool: exit 0" cc provision --dry-run
is "$(results)$(pool_sizes)" "max-bytes:would-set min-bytes:would-set 0 0" "provision --dry-run of a pool sets no size"
runs "provision of a pool: exit 0" cc provision
is "$(results)$(pool_sizes)" "max-bytes:set min-bytes:set 8388608 4194304" "provision sets the sizes of the pool, which the driver rounds down"
runs "provision of a pool a second time: exit 0" cc provision
is "$(results)" "max-bytes:exists min-bytes:exists " "provision of a pool a second time reports that the sizes exist"
sed -i 's/9M/6M/' $etc/a.conf
exits 4 "provision by alice of a pool: exit 4" as alice "$CC" provision
is "$(results)$(pool_sizes)" "max-bytes:failed min-bytes:exists 8388608 4194304" "provision by alice sets no size of the pool"
like "$out" "a.conf:3: cannot write 6291456 to $sysfs/pool_max_bytes: only root may change it" "provision by alice reports that only root may change the pool"
printf '[pool]\nmax-bytes = 0\nmin-bytes = 0\n' >$etc/a.conf
runs "provision of no pool: exit 0" cc provision
is "$(results)$(pool_sizes)" "max-bytes:set min-bytes:set 0 0" "provision of no pool sets the sizes to 0"
wait_until 30 nothing_shared
is "$(info bytes_shared)" 0 "after provision of no pool nothing is shared"

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
	skip "provision with a conversion that fails: exit 1" "only TDX and CCA refuse any"
else
	# The kernel reports the failure once in each boot; the memory is returned.
	if [ "$flavour" = cca ]; then
		expect_kmsg "Failed to decrypt memory, [0-9]+ pages will be leaked"
	else
		dmesg | grep -q "CPA VMM failure" || expect_kmsg "CPA VMM failure to convert memory"
	fi
	cvmctl fail shared 1 1
	exits 1 "provision with a conversion that fails: exit 1" cc provision
	cvmctl fail off
	is "$(results)" "before:created broken:failed behind:created " "provision with a conversion that fails makes the other buffers"
	like "$out" "a.conf:3: buffer broken: the platform refused" "provision reports that the platform refused the conversion"
	while ! settled; do usleep 50000; done
	runs "provision after a failed conversion: exit 0" cc provision
	is "$(results)" "before:exists broken:created behind:exists " "provision after a failed conversion makes the missing buffer only"
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
is "$bad $(info buffers)" "0 4" "several concurrent runs of provision make each buffer once"
is "$(cat log? | grep -c ' created ')" 4 "of several concurrent runs of provision one reports each buffer as created"
free_all

rmmod ccshm
ok $? "the driver can be unloaded"
done_testing
