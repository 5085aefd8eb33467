# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# TAP for suites written in shell: begin with ". /suites/tap.sh" and end with "done_testing". Each
# check returns whether it passed.

tap_count=0
tap_failed=0

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# tap_result STATUS NAME: report a test; status 0: passed
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

# ok STATUS NAME: report the status of a command, for example [ -e x ]; ok $? "x exists"
ok() { tap_result "$1" "$2"; }
pass() { tap_result 0 "$1"; }
fail() { tap_result 1 "$1"; }

# is GOT WANT NAME: compare two texts
is() {
	[ "$1" = "$2" ] && { tap_result 0 "$3"; return 0; }
	tap_result 1 "$3"
	diag "  got \"$1\", expected \"$2\""
	return 1
}

# like TEXT EXTENDED-REGEX NAME: match a text. Let grep read all of the text: with pipefail a match
# of grep -q could end printf with SIGPIPE.
like() {
	printf '%s\n' "$1" | grep -E -e "$2" >/dev/null && { tap_result 0 "$3"; return 0; }
	tap_result 1 "$3"
	diag "  \"$1\" does not match $2"
	return 1
}

# exits STATUS NAME COMMAND...: run a command, compare its exit status, and set $out to its stdout
# and stderr
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

# runs NAME COMMAND...: run a command that must succeed
runs() { exits 0 "$@"; }

# wait_until SECONDS COMMAND...: run a command until it succeeds; fail after this time and as many runs. Time alone also
# passes while a busy host does not run the guest.
wait_until() {
	tap_end=$(($(date +%s) + $1)) tap_runs=$1
	shift
	until "$@" >/dev/null 2>&1; do
		tap_runs=$((tap_runs - 1))
		[ "$tap_runs" -gt 0 ] || [ "$(date +%s)" -lt "$tap_end" ] || return 1
		sleep 0.1
	done
}

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

# expect_kmsg REGEX: require a matching line in the kernel log, which then does not fail the run
expect_kmsg() { diag "expect-kmsg: $1"; }
# expect_violations KIND: require at least one violation of the kind shared_alias or private_alias
expect_violations() { diag "expect-violations: $1"; }

done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ] || diag "$tap_failed of $tap_count failed"
	[ "$tap_failed" -eq 0 ]
	exit
}
