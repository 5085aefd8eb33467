#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install another kernel (/srv/kernel) in the running system: DKMS builds the module for it.
. /suites/tap.sh

release=$(basename /srv/kernel/linux-headers-[0-9]*-cloud-amd64_*.deb | sed 's/^linux-headers-\(.*\)_.*_.*/\1/')
compilations zero
start=$(cut -d. -f1 /proc/uptime)
exits 0 "apt install of another kernel: exit status 0" apt-get -q -y -o Dpkg::Use-Pty=0 install /srv/kernel/*.deb
diag "it took $(($(cut -d. -f1 /proc/uptime) - start)) s"
diag "$(compilations)"
like "$(dkms status ccshm -k "$release")" "installed" "dkms status for the new kernel: installed"
like "$(modinfo -k "$release" -n ccshm)" "/updates/dkms/ccshm\.ko" "modinfo for the new kernel: module in updates/dkms"
[ -s "/boot/initrd.img-$release" ]
ok $? "the new kernel has an initramfs"
is "$(systemctl list-units --failed --no-legend --plain)" "" "no unit has failed"
runs "alloc in the running kernel" as alice ccshmctl alloc 2M --name during
runs "free in the running kernel" as alice ccshmctl free during
done_testing
