#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boot the same image in a plain guest: no attempt is made to load the module, and the reason is
# reported.
. /suites/tap.sh

is "$(systemctl is-system-running)" running "systemd state: running"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
[ ! -d /sys/module/ccshm ]
ok $? "the module is not loaded"
is "$(cat /proc/sys/kernel/tainted)" 0 "the kernel is not tainted"
is "$(journalctl -b -k -o cat -g ccshm: 2>/dev/null)" "" "the kernel log has no line of the module"
[ ! -e /dev/ccshm ] && [ ! -e /dev/dma_heap/system_cc_shared ]
ok $? "no device node exists"
like "$(journalctl -b -u ccshm-module.service -o cat)" "not a confidential guest" "the journal contains the reason"
exits 3 "info: exit status 3" ccshmctl info
like "$out" "not a confidential guest" "info: prints the reason"
exits 3 "alloc: exit status 3" ccshmctl alloc 4M
exits 3 "doctor: exit status 3" ccshmctl doctor
like "$out" "not a confidential guest" "doctor: prints the reason"
for package in /srv/ccshm/*/ccshm-tools_*.deb; do break; done
runs "apt install in a plain guest: exit status 0" apt-get -q -y install --reinstall "$package"
! printf '%s\n' "$out" | grep -iE 'error|fail|warning'
ok $? "apt install in a plain guest: no error or warning"
is "$(systemctl list-units --failed --no-legend --plain)" "" "apt install in a plain guest: no unit has failed"
done_testing
