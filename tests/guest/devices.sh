#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccshmctl devices with real devices of PCI, virtio and the platform, with and without a driver,
# compared with the kernel's sysfs.
# vm-matrix: once
# vm-modules: ccshm
# vm-kmods: virtio_pci virtio_rng
# vm-qemu: -device edu,id=hot,addr=06.0,dma_mask=0xffffffff -device pci-bridge,chassis_nr=1,addr=07.0 -device virtio-rng-pci,addr=08.0,disable-legacy=on,iommu_platform=on
. /suites/tap.sh

EDU=0000:00:04.0
RNG=0000:00:08.0
BRIDGE=0000:00:07.0
CC=$(command -v ccshmctl)
flavour=$(cvmctl present 2>/dev/null) || flavour=plain

cc() { ccshmctl "$@"; }

# field NAME TEXT: print the value in a line of a record ("needs shared  yes")
field() { printf '%s\n' "$2" | sed -nE "s/^$1 {2,}//p"; }

exits 3 "no driver: devices says so with its own exit code" cc devices
like "$out" "cannot open /dev/ccshm" "no driver: it says why"

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver does not load"
	needs=no reason="no memory is private: this is not a confidential guest"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver does not load"
	needs=yes reason=
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- one device

runs "a PCI device without a driver" cc devices pci:$EDU
is "$(field device "$out")" pci:$EDU "its name"
is "$(field driver "$out")" "" "it has no driver"
is "$(field dma "$out")" direct "its DMA is direct"
is "$(field mask "$out")" 32 "nobody has set a mask: 32 bits"
is "$(field 'dma mask' "$out")" 0xffffffff "... in full"
is "$(field 'default mask' "$out")" yes "... and it is known that nobody has"
is "$(field coherent "$out")" yes "it is coherent"
is "$(field iommu "$out")" no "it has no IOMMU"
is "$(field 'kernel driver' "$out")" no "no driver of the kernel has it"
is "$(field 'needs shared' "$out")" $needs "whether it needs shared memory"
is "$(field reason "$out")" "$reason" "... and why not"
runs "the same without the bus" cc devices $EDU
is "$(field device "$out")" pci:$EDU "... is the same device"
for spelled in "${EDU#0000:}" "0000$EDU" "PCI:$EDU" "/sys/bus/pci/devices/$EDU" \
	"$(readlink -f "/sys/bus/pci/devices/$EDU")/"; do
	runs "called $spelled" cc devices "$spelled"
	is "$(field device "$out")" pci:$EDU "... it is the same device"
done

# Before 7.3 the kernel bounces all DMA of a confidential guest.
kernel=$(uname -r)
case $flavour-$kernel in
plain-* | *-7.[3-9]* | *-7.[1-9][0-9]*) bounced=no ;;
*) bounced=yes ;;
esac
is "$(field bounced "$out")" $bounced "whether the kernel bounces its DMA"

virtio=$(ls "/sys/bus/pci/devices/$RNG" | grep '^virtio[0-9]')
like "$virtio" '^virtio[0-9]+$' "there is a virtio device"
runs "the PCI device under a virtio device" cc devices $RNG
pci=$out
is "$(field driver "$pci")" virtio-pci "its driver"
is "$(field mask "$pci")" 64 "its driver has set a mask"
is "$(field 'default mask' "$pci")" no "... and it is known that it has"
is "$(field 'kernel driver' "$pci")" yes "a driver of the kernel has it"
is "$(field 'needs shared' "$pci")" $needs "whether it needs shared memory"
runs "a virtio device" cc devices "virtio:$virtio"
is "$(field device "$out")" "virtio:$virtio" "its name"
is "$(field driver "$out")" virtio_rng "it has a driver of its own"
is "$(printf '%s\n' "$out" | tail -n +3)" "$(printf '%s\n' "$pci" | tail -n +3)" \
	"else it is judged by the device under it"
runs "a virtio device without the bus" cc devices "$virtio"
is "$(field device "$out")" "virtio:$virtio" "... is the same device"

platform=$(ls /sys/bus/platform/devices | head -n 1)
like "$platform" . "there is a platform device"
runs "a platform device" cc devices "platform:$platform"
is "$(field device "$out")" "platform:$platform" "its name"
is "$(field 'default mask' "$out")" yes "it has the mask that it was born with"
if [ "$(uname -m)" = aarch64 ]; then
	is "$(field 'needs shared' "$out")" cannot "no driver had it: it cannot have shared memory"
	like "$(field reason "$out")" "never configured for DMA" "... and why"
else
	is "$(field 'needs shared' "$out")" $needs "whether it would need shared memory"
fi

# ---- all devices

names() { printf '%s\n' "$out" | sed 1d | cut -d ' ' -f 1; }

runs "devices" cc devices
listed=$(names)
like "$out" "^DEVICE +DRIVER +DMA +MASK +COHERENT +IOMMU +NEEDS-SHARED +REASON" "a heading"
is "$(printf '%s\n' "$listed" | sed -n 's/^pci://p')" "$(ls /sys/bus/pci/devices)" "it lists all PCI devices, sorted"
like "$listed" "^virtio:$virtio\$" "it lists the virtio device"
is "$(printf '%s\n' "$listed" | grep -c "^platform:$platform\$")" 0 "it leaves out a platform device whose mask nobody has set"
runs "devices --all" cc devices --all
is "$(names | sed -n 's/^platform://p' | sort)" "$(ls /sys/bus/platform/devices | sort)" "--all lists all platform devices"
is "$(names | grep -vc '^platform:')" "$(printf '%s\n' "$listed" | grep -vc '^platform:')" "... and no others besides"
runs "devices --json" cc devices --json
is "$(printf '%s\n' "$out" | grep -c '"needs_shared": "'$needs'"')" "$(printf '%s\n' "$listed" | grep -vc "^pci:$BRIDGE\$")" "JSON says the same of each but the bridge"

# ---- permissions, and devices that do not exist

runs "anybody who may open the device may ask" as bob "$CC" devices $EDU
is "$(field 'needs shared' "$out")" $needs "... and gets the same answer"
exits 4 "others may not" as mallory "$CC" devices
exits 1 "a device that is not there" cc devices pci:0000:00:1e.0
like "$out" "cannot ask about pci:0000:00:1e.0: there is no such device" "it says so"
exits 1 "a device of another bus" cc devices cpu:cpu0
is "$out" "ccshmctl: 'cpu:cpu0' is on the bus cpu; only devices of pci, platform and virtio can be named" "it says which bus"
exits 1 "the same by its path" cc devices /sys/devices/system/cpu/cpu0
like "$out" "is on the bus cpu" "it says which bus"
exits 1 "a PCI address with a function too many" cc devices 00:04.8
like "$out" "the number of the function is at most 7" "it says what is wrong"
exits 2 "two devices" cc devices $EDU $RNG

# ---- drivers are bound and unbound

echo "$virtio" >/sys/bus/virtio/drivers/virtio_rng/unbind
runs "a virtio device without a driver" cc devices "$virtio"
is "$(field driver "$out")" "" "it has none"
is "$(field 'kernel driver' "$out")" yes "the device under it still has"
echo $RNG >/sys/bus/pci/drivers/virtio-pci/unbind
runs "the device under it without a driver" cc devices $RNG
is "$(field driver "$out") $(field 'kernel driver' "$out")" " no" "it has none"
exits 1 "the virtio device has gone" cc devices "virtio:$virtio"
like "$out" "there is no such device" "it says so"
echo $RNG >/sys/bus/pci/drivers/virtio-pci/bind
runs "the device under it with its driver again" cc devices $RNG
is "$(field driver "$out")" virtio-pci "it has it"

# ---- ATTACH agrees with the report

id=$(cc alloc 4K)
runs "a device that needs it, or may have it, can be attached" cc attach "$id" $EDU -- true
exits 5 "one that a driver of the kernel has cannot" cc attach "$id" $RNG -- true
runs "nor does its spelling matter" cc attach "$id" "/sys/bus/pci/devices/$EDU/" -- true
exits 1 "a device of another bus than PCI" cc attach "$id" "platform:$platform" -- true
like "$out" "only PCI devices can be attached, and this is a platform device" "it says why"
exits 1 "a bridge cannot be attached" cc attach "$id" $BRIDGE -- true
like "$out" "cannot attach $id to $BRIDGE: it is a bridge" "it says why"
cc free "$id"

done_testing
