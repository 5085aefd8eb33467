#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run debian/tests/installed as autopkgtest does (see README.package-tests of autopkgtest), on a machine whose buffers
# the units allocate whenever the module is loaded.
. /suites/tap.sh

source=/srv/source

free_all() {
	ccshmctl free root/descriptors && ccshmctl free alice/frames
}

# Read the restrictions of the test in debian/tests/control.
restrictions=$(awk -v RS= -F '\n' '/(^|\n)Tests: *installed(\n|$)/ {
	for (i = 1; i <= NF; i++) if (sub(/^Restrictions: */, "", $i)) print $i
}' $source/debian/tests/control)
restricted() { printf '%s\n' "$restrictions" | grep -qE "(^|[ ,])$1([ ,]|\$)"; }

# Run the test in the directory of the source, as root only with needs-root. It fails if it writes to stderr, except
# with allow-stderr, and exit status 77 skips it only with skippable.
run_test() {
	AUTOPKGTEST_TMP=$(mktemp -d)
	chmod 1777 "$AUTOPKGTEST_TMP"
	status=0
	user='as mallory'
	! restricted needs-root || user=
	# shellcheck disable=SC2086 # two words or none
	(cd $source && AUTOPKGTEST_TMP=$AUTOPKGTEST_TMP exec $user debian/tests/installed) >stdout 2>stderr </dev/null || status=$?
	rm -rf "$AUTOPKGTEST_TMP"
	cat stdout stderr
	[ $status != 77 ] || restricted skippable || return 1
	[ $status != 0 ] || [ ! -s stderr ] || restricted allow-stderr || return 1
	return $status
}

like "$restrictions" needs-root "debian/tests/control: the test installed is declared, with needs-root"
exits 77 "debian/tests/installed, while a buffer is in use: exit status 77, skipped" run_test
like "$out" "SKIP the module is in use" "debian/tests/installed, while a buffer is in use: the reason is printed"
runs "the buffers are freed" free_all
exits 0 "debian/tests/installed: exit status 0" run_test
for suite in smoke.sh limits pages; do
	like "$out" "^ok [0-9]+ - $suite\$" "debian/tests/installed: the suite $suite passes"
done
[ -d /sys/module/ccshm ]
ok $? "after the tests: the module is loaded"
wait_until 60 ccshmctl show alice/frames
ok $? "after the tests: the buffers in /etc/ccshm/buffers.d are allocated"
is "$(systemctl list-units --failed --no-legend --plain)" "" "after the tests: no unit has failed"
done_testing
