#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl doctor on real machines: without the driver, with the driver, as users with and without
# permission to use the driver, and on a kernel that is locked down.
# vm-modules: ccshm
# vm-matrix: once
# vm-boot: alone
. /suites/tap.sh

CC=$(command -v ccshmctl)
flavour=$(cvmctl present 2>/dev/null) || flavour=plain
release=$(uname -r)
pattern=$(uname -r | sed "s/[+.]/./g")

cc() { ccshmctl "$@"; }

# result CHECK: print the result of the check's first finding in $out
result() { printf '%s\n' "$out" | awk -v c="$1" '$2 == c { print $1; exit }'; }
# says CHECK: print the findings and the advice of the check in $out
says() { printf '%s\n' "$out" | awk -v c="$1" '$1 != "->" { show = $2 == c } show'; }
failures() { printf '%s\n' "$out" | grep -c '^fail'; }

case $flavour in
sev) kind="AMD SEV" ;;
snp) kind="AMD SEV-SNP" ;;
tdx) kind="Intel TDX" ;;
cca) kind="Arm CCA" ;;
esac

# ---- without the driver

exits 3 "no driver: exit 3" cc doctor
without=$out
if [ "$flavour" = plain ]; then
	is "$(result platform)" fail "plain, no driver: the check platform fails"
	like "$(says platform)" "not a confidential guest" "plain, no driver: platform: the message says that it is not a confidential guest"
	is "$(failures)" 1 "plain, no driver: no other check fails"
	is "$(result module)" skip "plain, no driver: the check module is skipped"
else
	is "$(result platform)" pass "no driver: the check platform passes"
	case $flavour-$release in
	snp-6.1.*) without_kind="AMD SEV, SEV-ES or SEV-SNP" ;;	# nothing in sysfs distinguishes them
	*) without_kind=$kind ;;
	esac
	like "$(says platform)" "$without_kind" "no driver: platform: the message names the kind of guest"
	is "$(result module)" fail "no driver: the check module fails"
	like "$(says module)" "not installed for any kernel" "no driver: module: the message says that no module is installed"
	is "$(result headers)" fail "no driver: the check headers fails"
	like "$(says headers)" "Linux $pattern" "no driver: headers: the message names the running kernel"
fi
is "$(result kernel)" pass "no driver: the check kernel passes"
is "$(result driver) $(result devices)" "skip skip" "no driver: the checks driver and devices are skipped"
is "$(printf '%s\n' "$without" | sed 1d | awk '$1 != "->" { print $2 }' | sort -u | wc -l)" 18 "no driver: each of 18 checks has a result"
exits 3 "no driver, by mallory: exit 3" as mallory "$CC" doctor
is "$(result platform)" "$(out=$without; result platform)" "no driver, by mallory: the check platform has the same result"

mkdir -p "/lib/modules/0.0-other/extra"
cp /lib/ccshm/ccshm.ko /lib/modules/0.0-other/extra/
echo extra/ccshm.ko: >/lib/modules/0.0-other/modules.dep
exits 3 "a module for another kernel: exit 3" cc doctor
[ "$flavour" = plain ] || like "$(says module)" "installed for 0.0-other, but not for the running kernel, Linux $pattern" "a module for another kernel: the message names both kernels"
mkdir -p "/lib/modules/$release"
mv /lib/modules/0.0-other/extra "/lib/modules/$release/"
mv /lib/modules/0.0-other/modules.dep "/lib/modules/$release/"
exits 3 "a module that is not loaded: exit 3" cc doctor
[ "$flavour" = plain ] || like "$(says module)" "installed, but not loaded" "a module that is not loaded: the message says that it is installed"
[ "$flavour" = plain ] || is "$(result headers)" pass "a module that is not loaded: the check headers passes"

# ---- with the driver

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver cannot be loaded"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
fi
runs "the driver loaded: exit 0" cc doctor
diag "$out"
is "$(failures)" 0 "the driver loaded: no check fails"
if [ "$flavour" = plain ]; then
	is "$(result platform)" warn "plain, the driver loaded: the check platform warns"
else
	is "$(result platform)" pass "the driver loaded: the check platform passes"
	like "$(says platform)" "$kind\\)" "the driver loaded: platform: the message names the kind of guest"
	is "$(result swiotlb)" pass "the driver loaded: the check swiotlb passes"
	like "$(says swiotlb)" "[0-9]+ MiB" "the driver loaded: swiotlb: the message has the size"
fi
is "$(result module)" pass "the driver loaded: the check module passes"
like "$(says module)" "extra/ccshm.ko" "the driver loaded: module: the message has the path"
sed -i 's/srcversion=.../srcversion=OLD/' "/lib/modules/$release/extra/ccshm.ko"
runs "another version of the module is installed: exit 0" cc doctor module
like "$out" "^warn +module +The loaded module is not the installed one: .*installed OLD" "another version of the module is installed: the check module warns"
cp /lib/ccshm/ccshm.ko "/lib/modules/$release/extra/"
runs "the same version of the module is installed: exit 0" cc doctor
is "$(result driver) $(result heap) $(result losses)" "pass pass pass" "the driver loaded: the checks driver, heap and losses pass"
is "$(result limits)" pass "the driver loaded: the check limits passes"
is "$(result access)" warn "the driver loaded, only root may use it: the check access warns"
is "$(result fragmentation)" pass "the driver loaded: the check fragmentation passes"
if [ "$flavour" = cca ]; then
	is "$(result direct-map)" skip "arm64: the check direct-map is skipped"
else
	is "$(result direct-map)" pass "the driver loaded: the check direct-map passes"
fi
is "$(says devices | awk '$2 == "devices" { sub(/:$/, "", $3); print $3 }' | sort)" \
	"$(cc devices | sed 1d | awk '{ print $1 }' | sort)" "the check devices has a finding for each device"
runs "--json: exit 0" cc doctor --json
is "$(printf '%s\n' "$out" | grep -c '"result"')" "$(printf '%s\n' "$out" | grep -c '"advice"')" "--json: each finding has result and advice"
runs "doctor of one check: exit 0" cc doctor module
is "$(printf '%s\n' "$out" | wc -l)" 2 "doctor of one check prints a heading and one finding"
exits 2 "doctor of a check that does not exist: exit 2" cc doctor house

# ---- with a buffer that reaches the limits

id=$(cc alloc 4M)
runs "a buffer exists: exit 0" cc doctor losses
is "$(result losses)" pass "a buffer exists: the check losses passes"
limit=/sys/class/misc/ccshm/limit_total_bytes
before=$(cat $limit)
echo 4M >$limit
exits 1 "limit_total_bytes is reached: exit 1" cc doctor limits
like "$out" "^fail +limits .*limit_total_bytes: The memory of all users has reached the limit" "limit_total_bytes is reached: the message names the limit"
echo max >$limit
runs "limit_total_bytes=max: exit 0" cc doctor limits
is "$(result limits)" warn "limit_total_bytes=max: the check limits warns"
echo "$before" >$limit
runs "limit_total_bytes far above the use: exit 0" cc doctor limits
is "$(result limits)" pass "limit_total_bytes far above the use: the check limits passes"
cc free "$id"

# ---- other users

exits 4 "a user who may not open /dev/ccshm: exit 4" as mallory "$CC" doctor
is "$(result driver)" fail "a user who may not open /dev/ccshm: the check driver fails"
like "$(says driver)" "udev rule" "a user who may not open /dev/ccshm: the advice names the udev rule"
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm
sed -i 's/^ccshm:x:[0-9]*:/ccshm:x:1900:/' /etc/group
exits 4 "a group that is not a system group: exit 4" as mallory "$CC" doctor
like "$(says access)" "group ccshm is not a system group \(gid 1900, above 999\)" "a group that is not a system group: the check access reports it"
sed -i 's/^ccshm:x:1900:/ccshm:x:900:/' /etc/group
exits 4 "a user who is not in the group: exit 4" as mallory "$CC" doctor
like "$(says driver)" "usermod -aG ccshm" "a user who is not in the group: the advice names usermod"
runs "a member of the group: exit 0" as alice "$CC" doctor
is "$(result access)" pass "a member of the group: the check access passes"
is "$(result swiotlb)" skip "a member of the group: the check swiotlb is skipped"
chmod 666 /dev/ccshm
runs "/dev/ccshm has mode 0666: exit 0" cc doctor access
is "$(result access)" warn "/dev/ccshm has mode 0666: the check access warns"
chmod 660 /dev/ccshm
rm /dev/ccshm
exits 3 "/dev/ccshm does not exist: exit 3" cc doctor
like "$(says driver)" "loaded, but there is no /dev/ccshm" "/dev/ccshm does not exist: the check driver reports it"
rmmod ccshm

# ---- a parameter that the driver refuses

mkdir -p /etc/modprobe.d
echo "options ccshm limit_total_bytes=8GB" >/etc/modprobe.d/ccshm.conf
out=$(insmod /lib/ccshm/ccshm.ko limit_total_bytes=8GB 2>&1) && fail "insmod with limit_total_bytes=8GB is refused"
exits 3 "an invalid parameter in modprobe.d: exit 3" cc doctor
is "$(result parameters)" fail "an invalid parameter in modprobe.d: the check parameters fails"
like "$(says parameters)" "/etc/modprobe.d/ccshm.conf: The driver refuses limit_total_bytes=8GB" "an invalid parameter in modprobe.d: the message names file and parameter"
[ "$flavour" = plain ] || like "$(says module)" "kernel's log is: ccshm: .8GB' invalid for parameter" "an invalid parameter: the message has the kernel's message"
rm /etc/modprobe.d/ccshm.conf

# ---- a kernel that accepts only signed modules

exits 3 "not loaded, all modules accepted: exit 3" cc doctor
[ "$flavour" = plain ] || is "$(result signature)" pass "not loaded, all modules accepted: the check signature passes"
if ! mount -t securityfs securityfs /sys/kernel/security 2>/dev/null ||
	! grep -q '\[none\]' /sys/kernel/security/lockdown 2>/dev/null; then
	skip "locked down: the check lockdown warns" "this kernel has no lockdown"
else
	exits 3 "not locked down: exit 3" cc doctor
	is "$(result lockdown)" pass "not locked down: the check lockdown passes"
	echo integrity >/sys/kernel/security/lockdown
	! insmod /lib/ccshm/ccshm.ko 2>/dev/null
	ok $? "locked down: the kernel refuses the module"
	exits 3 "locked down: exit 3" cc doctor
	is "$(result lockdown)" warn "locked down: the check lockdown warns"
	if [ "$flavour" = plain ]; then
		is "$(result signature)" skip "plain, locked down: the check signature is skipped"
	else
		is "$(result signature)" fail "locked down: the check signature fails"
		like "$(says signature)" "not signed.*locked down" "locked down: signature: the message says that the module is not signed"
		like "$(says signature)" "mokutil" "locked down: signature: the advice names mokutil"
		like "$(says module)" "kernel's log is: Lockdown: .*module loading is restricted" \
			"locked down: module: the message has the kernel's message, which does not name the module"
	fi
fi

done_testing
