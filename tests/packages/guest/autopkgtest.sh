#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run ccshm-tests as autopkgtest does, on a machine whose buffers the units allocate whenever the module is loaded.
. /suites/tap.sh

buffers() { ccshmctl list --json | grep -c '"id"'; }
free_all() {
	ccshmctl free root/descriptors && ccshmctl free alice/frames
}
exits 77 "while a buffer is in use: exit status 77" /usr/libexec/ccshm-tests/run --allow-plain
like "$out" "SKIP the module is in use" "while a buffer is in use: the reason is printed"
runs "the buffers are freed" free_all
exits 0 "debian/tests/installed: exit status 0" /usr/libexec/ccshm-tests/run --allow-plain
for suite in smoke.sh limits pages; do
	like "$out" "^ok [0-9]+ - $suite\$" "debian/tests/installed: the suite $suite passes"
done
[ -d /sys/module/ccshm ]
ok $? "after the tests: the module is loaded"
wait_until 60 ccshmctl show alice/frames
ok $? "after the tests: the buffers in /etc/ccshm/buffers.d are allocated"
is "$(systemctl list-units --failed --no-legend --plain)" "" "after the tests: no unit has failed"
done_testing
