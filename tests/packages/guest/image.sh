#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test the image that mkosi builds of packaging/common/examples, as a confidential guest.
. /suites/tap.sh

is "$(systemctl is-system-running)" running "systemd state: running"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
is "$(systemctl is-active ccshm-module.service)" active "ccshm-module.service is active"
like "$(modinfo -n ccshm)" "/updates/dkms/ccshm\.ko" "the module is the one that DKMS built"
is "$(stat -c '%F %U:%G %a' /dev/ccshm 2>&1)" "character special file root:ccshm 660" "/dev/ccshm is for group ccshm"
[ ! -e /etc/dkms/framework.conf.d/ccshm-image.conf ]
ok $? "the setting of DKMS that was for the build of the image is removed"
exits 0 "doctor: exit status 0" ccshmctl doctor
for buffer in rx:64M descriptors:64K; do
	like "$(ccshmctl show "root/${buffer%:*}" 2>&1)" "^size +${buffer#*:}$" "a buffer of 50-nic.conf: ${buffer%:*}"
done
done_testing
