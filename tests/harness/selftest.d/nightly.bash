# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of "make nightly" for tests/harness/selftest, in a small tree. The tests of that tree are
# scripts that record their run in $tree/ran, and fail if $tree/fails contains their name.

nightly_tree() {
	local t name
	mkdir -p "$tree"/tests/{mutants,packages} "$tree/$harness"
	cp "$TOP/$harness"/{nightly,common.bash} "$tree/$harness/"
	for t in "$harness/run" "$harness/matrix" "$harness/evidence" "$harness/debug-kernel" "$harness/soak" "$harness/lint" "$harness/parsers" tests/mutants/run tests/packages/check; do
		cat >"$tree/$t" <<-'END_OF_STUB'
			#!/bin/sh
			[ "$*" != --list ] || { printf '%s all all\n' s1 s2 s3; echo 's4 all, named'; exit; }
			top=$(cd "$(dirname "$0")/../.." && pwd)
			echo "${0#"$top/"} ALL=${ALL-}${CCSHM_QEMU:+ CCSHM_QEMU=$CCSHM_QEMU} $*" >>"$top/ran"
			[ ! -e "$top/slow" ] || sleep 100
			[ ! -e "$top/fails" ] || ! grep -qx "${0##*/}" "$top/fails" || { echo "not ok 1 - broken"; exit 1; }
		END_OF_STUB
		chmod +x "$tree/$t"
	done
	printf '%s:\n\t@echo make >>ran\n' 'check-unit check-harness check-probes sparse checkpatch' >"$tree/Makefile"
	for name in $(seq -f 'm%03g' 130); do echo 'Suite: demo' >"$tree/tests/mutants/$name.mutant"; done
	printf '%s\n' 'Suite: demo' 'Kernel: 6.12-debug' >"$tree/tests/mutants/m131.mutant"
	for name in $(seq -f 'm%03g' 140 152); do echo 'Suite: packages/deb' >"$tree/tests/mutants/$name.mutant"; done
	printf '%s\n' build ran fails slow >"$tree/.gitignore"
	in_nightly_tree init && in_nightly_tree add . && in_nightly_tree commit -m one
}

in_nightly_tree() {
	git -C "$tree" -c user.name=n -c user.email=e -c init.defaultBranch=main -c commit.gpgsign=false "$@" >/dev/null 2>&1
}

# nightly [ARGUMENT...]: run "nightly" with its output in $tmp/out; $tree/ran lists the tests that ran.
nightly() {
	rm -f "$tree/ran"
	touch "$tree/ran"
	(unset CCSHM_BUILD; "$tree/$harness/nightly" "$@") >"$tmp/out" 2>&1
}

nightly_tests() {
	local tree=$tmp/nightly harness parts
	harness=${dir#"$TOP"/}
	harness=${harness%/*}
	nightly_tree

	nightly --list
	parts=$(awk '{ print $1 }' "$tmp/out" | tr '\n' ' ')
	[ "$parts" = "checks matrix matrix-evidence emulator qemu-10 cpus-4 debug-kernel debug-sev-1 debug-sev-2 debug-smp-1 debug-smp-2 debug-evidence soak soak-evidence lint parsers packages mutants-1 mutants-2 mutants-3 mutants-packages-1 mutants-packages-2 mutants-debug-1 " ]
	result $? "nightly --list: prints the parts"
	[ "$(grep -o ' m[0-9]\{3\}' "$tmp/out" | sort -u | wc -l) $(grep -o ' m[0-9]\{3\}' "$tmp/out" | wc -l)" = "144 144" ]
	result $? "nightly --list: each mutant is in exactly one part"
	says '^mutants-debug-1 .*/tests/mutants/run m131$' "nightly --list: the mutants for debug kernels are in parts of their own"
	says '^mutants-packages-2 .*/tests/mutants/run m152$' "nightly --list: the mutants of packages are in parts of their own, with fewer of them"
	says '^debug-sev-1 .* s1 s3 *$' "nightly --list: a debug kernel runs one half of the suites in a part"
	says '^debug-sev-2 .* s2 *$' "nightly --list: and the other half in another part, without those that are only run by name"
	[ ! -s "$tree/ran" ]
	result $? "nightly --list: runs no test"

	printf '%s\n' debug-kernel >"$tree/fails"
	! nightly
	result $? "nightly with a failing part: exit status not 0"
	says '^not ok - debug-kernel: .*exit status 1' "nightly with a failing part: the part is reported with its exit status"
	says '^#   not ok 1 - broken' "nightly with a failing part: its failed test is printed"
	# The first part is five targets of make.
	[ "$(grep -cx make "$tree/ran") $(grep -cvx make "$tree/ran")" = "5 22" ]
	result $? "nightly with a failing part: all 23 parts run"
	grep -qx "$harness/matrix ALL=yes all" "$tree/ran"
	result $? "nightly with a failing part: the matrix runs with ALL=yes"
	grep -q "^$harness/matrix ALL= CCSHM_QEMU=trixie cvm-selftest " "$tree/ran"
	result $? "nightly with a failing part: the self-test runs with Debian 13's QEMU"
	nightly --list
	says '^debug-kernel +failed ' "nightly --list after a failing part: the part is listed as failed"
	says '^mutants-3 +passed ' "nightly --list after a failing part: another part is listed as passed"

	rm "$tree/fails"
	nightly
	result $? "nightly after a repair of the failing part: exit status 0"
	[ "$(wc -l <"$tree/ran")" = 1 ]
	result $? "nightly after a repair of the failing part: only that part runs"
	nightly
	[ ! -s "$tree/ran" ]
	result $? "nightly after all parts have passed: no part runs"
	nightly mutants-2
	[ "$(cut -d ' ' -f 1 "$tree/ran")" = tests/mutants/run ]
	result $? "nightly mutants-2 after all parts have passed: that part runs again"
	! nightly mutants-9
	says '^nightly: no part mutants-9 ' "nightly mutants-9: reports that the part does not exist"

	echo changed >"$tree/new"
	nightly --list
	! grep -q passed "$tmp/out"
	result $? "nightly --list in a changed tree: no part is listed as passed"
	rm "$tree/new"
	in_nightly_tree commit --allow-empty -m two
	nightly --list
	! grep -q passed "$tmp/out"
	result $? "nightly --list at another commit: no part is listed as passed"

	touch "$tree/slow"
	! NIGHTLY_MINUTES=0.02 nightly matrix
	result $? "nightly with a part that exceeds NIGHTLY_MINUTES: exit status not 0"
	says '^not ok - matrix: .*ended at its limit' "nightly with a part that exceeds NIGHTLY_MINUTES: the limit is reported"
	(unset CCSHM_BUILD; exec "$tree/$harness/nightly" packages) >"$tmp/out" 2>&1 &
	while kill -0 $! 2>/dev/null && ! grep -q packages/check "$tree/ran"; do sleep 0.1; done
	kill -TERM $!
	wait $!
	rm "$tree/slow"
	nightly --list
	says '^packages +- ' "nightly --list after an interrupted part: the part is listed as not run"
}
