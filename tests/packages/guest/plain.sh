#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boot the same image in a plain guest: the module is not loaded, and the reason is reported.
. /suites/tap.sh

is "$(systemctl is-system-running)" running "systemd is content"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
[ ! -d /sys/module/ccshm ]
ok $? "the module is not loaded"
[ ! -e /dev/ccshm ] && [ ! -e /dev/dma_heap/system_cc_shared ]
ok $? "there is no device node"
like "$(journalctl -b -u ccshm-module.service -o cat)" "not a confidential guest" "the journal says why"
exits 3 "ccshmctl info has nothing to tell" ccshmctl info
like "$out" "not a confidential guest" "and says why"
exits 3 "neither has alloc" ccshmctl alloc 4M
exits 3 "ccshmctl doctor ends with 3" ccshmctl doctor
like "$out" "not a confidential guest" "and says what is missing"
for package in /srv/ccshm/*/ccshm-tools_*.deb; do break; done
runs "the package can be installed here, too" apt-get -q -y install --reinstall "$package"
! printf '%s\n' "$out" | grep -iE 'error|fail|warning'
ok $? "quietly"
is "$(systemctl list-units --failed --no-legend --plain)" "" "and no unit has failed"
done_testing
