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
tdx) kind="Intel TDX" ;;
cca) kind="Arm CCA" ;;
esac

# ---- without the driver

exits 3 "no driver: the exit code says so" cc doctor
without=$out
if [ "$flavour" = plain ]; then
	is "$(result platform)" fail "plain: the platform is what fails"
	like "$(says platform)" "not a confidential guest" "plain: it says why"
	is "$(failures)" 1 "plain: nothing else fails"
	is "$(result module)" skip "plain: no module is missed"
else
	is "$(result platform)" pass "it is a confidential guest, without the driver too"
	like "$(says platform)" "$kind" "and which kind"
	is "$(result module)" fail "the module is missed"
	like "$(says module)" "not installed for any kernel" "it says that there is none"
	is "$(result headers)" fail "so are the headers"
	like "$(says headers)" "Linux $pattern" "of this kernel"
fi
is "$(result kernel)" pass "the kernel is new enough"
is "$(result driver) $(result devices)" "skip skip" "what only the driver knows is skipped"
is "$(printf '%s\n' "$without" | sed 1d | awk '$1 != "->" { print $2 }' | sort -u | wc -l)" 18 "each check has a result"
exits 3 "another user gets an answer, too" as mallory "$CC" doctor
is "$(result platform)" "$(out=$without; result platform)" "and the same"

mkdir -p "/lib/modules/0.0-other/extra"
cp /lib/ccshm/ccshm.ko /lib/modules/0.0-other/extra/
echo extra/ccshm.ko: >/lib/modules/0.0-other/modules.dep
exits 3 "a module for another kernel" cc doctor
[ "$flavour" = plain ] || like "$(says module)" "installed for 0.0-other, but not for the running kernel, Linux $pattern" "it says for which"
mkdir -p "/lib/modules/$release"
mv /lib/modules/0.0-other/extra "/lib/modules/$release/"
mv /lib/modules/0.0-other/modules.dep "/lib/modules/$release/"
exits 3 "a module that is not loaded" cc doctor
[ "$flavour" = plain ] || like "$(says module)" "installed, but not loaded" "it says that it is there"
[ "$flavour" = plain ] || is "$(result headers)" pass "no headers are needed then"

# ---- with the driver

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
fi
runs "a good guest: nothing fails" cc doctor
diag "$out"
is "$(failures)" 0 "no line says so either"
if [ "$flavour" = plain ]; then
	is "$(result platform)" warn "plain: a module that was made to load is warned of"
else
	is "$(result platform)" pass "it is a confidential guest"
	like "$(says platform)" "$kind\\)" "and which kind"
	is "$(result swiotlb)" pass "the bounce buffers are not full"
	like "$(says swiotlb)" "[0-9]+ MiB" "and have a size"
fi
is "$(result module)" pass "the module is loaded, and installed"
like "$(says module)" "extra/ccshm.ko" "from where"
sed -i 's/srcversion=.../srcversion=OLD/' "/lib/modules/$release/extra/ccshm.ko"
runs "a module of other sources is installed" cc doctor module
like "$out" "^warn +module +The loaded module is not the installed one: .*installed OLD" "the loaded one is reported as outdated"
cp /lib/ccshm/ccshm.ko "/lib/modules/$release/extra/"
runs "without it" cc doctor
is "$(result driver) $(result heap) $(result losses)" "pass pass pass" "the driver answers, has a heap, and lost nothing"
is "$(result limits)" pass "no limit is near"
is "$(result access)" warn "only root may use it, which is said"
is "$(result fragmentation)" pass "there are large blocks of memory"
if [ "$flavour" = cca ]; then
	is "$(result direct-map)" skip "an arm64 kernel does not tell of its direct map"
else
	is "$(result direct-map)" pass "the direct map has large leaves"
fi
is "$(says devices | awk '$2 == "devices" { sub(/:$/, "", $3); print $3 }' | sort)" \
	"$(cc devices | sed 1d | awk '{ print $1 }' | sort)" "each device is judged"
runs "as JSON" cc doctor --json
is "$(printf '%s\n' "$out" | grep -c '"result"')" "$(printf '%s\n' "$out" | grep -c '"advice"')" "each finding has its fields"
runs "one check" cc doctor module
is "$(printf '%s\n' "$out" | wc -l)" 2 "says what it found and nothing else"
exits 2 "a check that is not there" cc doctor house

# ---- with a buffer that reaches the limits

id=$(cc alloc 4M)
runs "with a buffer" cc doctor losses
is "$(result losses)" pass "a buffer is no loss"
limit=/sys/class/misc/ccshm/limit_total_bytes
before=$(cat $limit)
echo 4M >$limit
exits 1 "a limit is reached" cc doctor limits
like "$out" "^fail +limits .*limit_total_bytes: The memory of all users has reached the limit" "it says which"
echo max >$limit
runs "a limit is taken away" cc doctor limits
is "$(result limits)" warn "which is warned of"
echo "$before" >$limit
runs "a limit that is not near" cc doctor limits
is "$(result limits)" pass "is fine"
cc free "$id"

# ---- other users

exits 4 "a user who may not open the device" as mallory "$CC" doctor
is "$(result driver)" fail "it says that he may not"
like "$(says driver)" "udev rule" "and what to do"
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm
sed -i 's/^ccshm:x:[0-9]*:/ccshm:x:1900:/' /etc/group
exits 4 "a group that is not a system group" as mallory "$CC" doctor
like "$(says access)" "group ccshm is not a system group \(gid 1900, above 999\)" "udev would ignore it"
sed -i 's/^ccshm:x:1900:/ccshm:x:900:/' /etc/group
exits 4 "a user who is not in the group" as mallory "$CC" doctor
like "$(says driver)" "usermod -aG ccshm" "is told to become a member"
runs "a member of the group" as alice "$CC" doctor
is "$(result access)" pass "the group may"
is "$(result swiotlb)" skip "what only root can see is skipped"
chmod 666 /dev/ccshm
runs "everybody may" cc doctor access
is "$(result access)" warn "which is too many"
chmod 660 /dev/ccshm
rm /dev/ccshm
exits 3 "the node is not there" cc doctor
like "$(says driver)" "loaded, but there is no /dev/ccshm" "it says what is missing"
rmmod ccshm

# ---- a parameter that the driver refuses

mkdir -p /etc/modprobe.d
echo "options ccshm limit_total_bytes=8GB" >/etc/modprobe.d/ccshm.conf
out=$(insmod /lib/ccshm/ccshm.ko limit_total_bytes=8GB 2>&1) && fail "the driver takes limit_total_bytes=8GB"
exits 3 "a parameter that is not valid" cc doctor
is "$(result parameters)" fail "the parameter is reported"
like "$(says parameters)" "/etc/modprobe.d/ccshm.conf: The driver refuses limit_total_bytes=8GB" "with its file"
[ "$flavour" = plain ] || like "$(says module)" "kernel's log is: ccshm: .8GB' invalid for parameter" "the kernel's message is shown"
rm /etc/modprobe.d/ccshm.conf

# ---- a kernel that accepts only signed modules

exits 3 "not loaded again" cc doctor
[ "$flavour" = plain ] || is "$(result signature)" pass "this kernel takes any module"
if ! mount -t securityfs securityfs /sys/kernel/security 2>/dev/null ||
	! grep -q '\[none\]' /sys/kernel/security/lockdown 2>/dev/null; then
	skip "lockdown" "this kernel has none"
else
	exits 3 "not locked down" cc doctor
	is "$(result lockdown)" pass "which is said"
	echo integrity >/sys/kernel/security/lockdown
	! insmod /lib/ccshm/ccshm.ko 2>/dev/null
	ok $? "locked down: the kernel refuses the module"
	exits 3 "locked down" cc doctor
	is "$(result lockdown)" warn "which is warned of"
	if [ "$flavour" = plain ]; then
		is "$(result signature)" skip "plain: no module is missed"
	else
		is "$(result signature)" fail "the missing signature is found"
		like "$(says signature)" "not signed.*locked down" "it says why"
		like "$(says signature)" "mokutil" "and what to do"
		like "$(says module)" "kernel's log is: Lockdown: .*module loading is restricted" \
			"the kernel's message is shown, which does not name the module"
	fi
fi

done_testing
