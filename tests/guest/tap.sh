# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# TAP for suites written in shell: begin with ". /suites/tap.sh", end with
# "done_testing". Each check returns whether it held.

tap_count=0
tap_failed=0

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# tap_result STATUS NAME
tap_result() {
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $2"
	return 1
}

# ok STATUS NAME: e.g. [ -e x ]; ok $? "x is there"
ok() { tap_result "$1" "$2"; }
pass() { tap_result 0 "$1"; }
fail() { tap_result 1 "$1"; }

# is GOT WANT NAME
is() {
	[ "$1" = "$2" ] && { tap_result 0 "$3"; return 0; }
	tap_result 1 "$3"
	diag "  got \"$1\", expected \"$2\""
	return 1
}

# like TEXT EXTENDED-REGEX NAME. TEXT is read to its end: with grep -q and pipefail a
# match ends in SIGPIPE where printf is not quick enough.
like() {
	printf '%s\n' "$1" | grep -E -e "$2" >/dev/null && { tap_result 0 "$3"; return 0; }
	tap_result 1 "$3"
	diag "  \"$1\" does not match $2"
	return 1
}

# exits STATUS NAME COMMAND...: the command ends with this status; what it said is in
# $out afterwards (both streams)
exits() {
	tap_want=$1 tap_name=$2
	shift 2
	tap_got=0
	out=$("$@" 2>&1) || tap_got=$?
	[ "$tap_got" -eq "$tap_want" ] && { tap_result 0 "$tap_name"; return 0; }
	tap_result 1 "$tap_name"
	diag "  $* ended with $tap_got, expected $tap_want: $out"
	return 1
}

# runs NAME COMMAND...: it succeeds
runs() { exits 0 "$@"; }

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

bail() {
	echo "Bail out! $*"
	exit 99
}

# A line of the kernel log that must come and is then no failure.
expect_kmsg() { diag "expect-kmsg: $1"; }
# shared_alias or private_alias: at least one such violation must come.
expect_violations() { diag "expect-violations: $1"; }

done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ] || diag "$tap_failed of $tap_count failed"
	[ "$tap_failed" -eq 0 ]
	exit
}
