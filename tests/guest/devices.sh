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

exits 3 "no driver: devices: exit 3" cc devices
like "$out" "cannot open /dev/ccshm" "no driver: devices: the message names /dev/ccshm"

if [ "$flavour" = plain ]; then
	insmod /lib/ccshm/ccshm.ko allow_plain=1 || bail "the driver cannot be loaded"
	needs=no reason="no memory is private: this is not a confidential guest"
else
	insmod /lib/ccshm/ccshm.ko || bail "the driver cannot be loaded"
	needs=yes reason=
fi
chgrp ccshm /dev/ccshm && chmod 660 /dev/ccshm

# ---- one device

runs "devices of a PCI device without driver: exit 0" cc devices pci:$EDU
is "$(field device "$out")" pci:$EDU "a PCI device without driver: the name"
is "$(field driver "$out")" "" "a PCI device without driver: no driver is printed"
is "$(field dma "$out")" direct "a PCI device without driver: DMA is direct"
is "$(field mask "$out")" 32 "a PCI device without driver: the mask is 32 bits"
is "$(field 'dma mask' "$out")" 0xffffffff "a PCI device without driver: the DMA mask is 0xffffffff"
is "$(field 'default mask' "$out")" yes "a PCI device without driver: the mask is the default"
is "$(field coherent "$out")" yes "a PCI device without driver: coherent"
is "$(field iommu "$out")" no "a PCI device without driver: no IOMMU"
is "$(field 'kernel driver' "$out")" no "a PCI device without driver: no kernel driver"
is "$(field 'needs shared' "$out")" $needs "a PCI device without driver: needs shared memory in a confidential guest only"
is "$(field reason "$out")" "$reason" "a PCI device without driver: the reason why no shared memory is needed"
runs "devices of a PCI address without the bus: exit 0" cc devices $EDU
is "$(field device "$out")" pci:$EDU "devices of a PCI address without the bus: the same device"
for spelled in "${EDU#0000:}" "0000$EDU" "PCI:$EDU" "/sys/bus/pci/devices/$EDU" \
	"$(readlink -f "/sys/bus/pci/devices/$EDU")/"; do
	runs "devices $spelled: exit 0" cc devices "$spelled"
	is "$(field device "$out")" pci:$EDU "devices of another spelling of the PCI device: the same device"
done

# Before 7.3 the kernel bounces all DMA of a confidential guest.
kernel=$(uname -r)
case $flavour-$kernel in
plain-* | *-7.[3-9]* | *-7.[1-9][0-9]*) bounced=no ;;
*) bounced=yes ;;
esac
is "$(field bounced "$out")" $bounced "a PCI device: bounced if the kernel bounces its DMA"

virtio=$(basename "/sys/bus/pci/devices/$RNG"/virtio[0-9]*)
like "$virtio" '^virtio[0-9]+$' "the machine has a virtio device"
runs "devices of the PCI device of a virtio device: exit 0" cc devices $RNG
pci=$out
is "$(field driver "$pci")" virtio-pci "the PCI device of a virtio device: the driver is virtio-pci"
is "$(field mask "$pci")" 64 "the PCI device of a virtio device: the mask is 64 bits"
is "$(field 'default mask' "$pci")" no "the PCI device of a virtio device: the mask is not the default"
is "$(field 'kernel driver' "$pci")" yes "the PCI device of a virtio device: a kernel driver"
is "$(field 'needs shared' "$pci")" $needs "the PCI device of a virtio device: needs shared memory in a confidential guest only"
runs "devices of a virtio device: exit 0" cc devices "virtio:$virtio"
is "$(field device "$out")" "virtio:$virtio" "a virtio device: the name"
is "$(field driver "$out")" virtio_rng "a virtio device: the driver is virtio_rng"
is "$(printf '%s\n' "$out" | tail -n +3)" "$(printf '%s\n' "$pci" | tail -n +3)" \
	"a virtio device: the other fields are those of its PCI device"
runs "devices of a virtio device without the bus: exit 0" cc devices "$virtio"
is "$(field device "$out")" "virtio:$virtio" "devices of a virtio device without the bus: the same device"

platform=$(ls /sys/bus/platform/devices | head -n 1)
like "$platform" . "the machine has a platform device"
runs "devices of a platform device: exit 0" cc devices "platform:$platform"
is "$(field device "$out")" "platform:$platform" "a platform device: the name"
is "$(field 'default mask' "$out")" yes "a platform device: the mask is the default"
if [ "$(uname -m)" = aarch64 ]; then
	is "$(field 'needs shared' "$out")" cannot "a platform device without driver on arm64: cannot use shared memory"
	like "$(field reason "$out")" "never configured for DMA" "a platform device without driver on arm64: the reason"
else
	is "$(field 'needs shared' "$out")" $needs "a platform device: needs shared memory in a confidential guest only"
fi

# ---- all devices

names() { printf '%s\n' "$out" | sed 1d | cut -d ' ' -f 1; }

runs "devices without an argument: exit 0" cc devices
listed=$(names)
like "$out" "^DEVICE +DRIVER +DMA +MASK +COHERENT +IOMMU +NEEDS-SHARED +REASON" "devices prints a heading"
is "$(printf '%s\n' "$listed" | sed -n 's/^pci://p')" "$(ls /sys/bus/pci/devices)" "devices lists all PCI devices, sorted"
like "$listed" "^virtio:$virtio\$" "devices lists the virtio device"
is "$(printf '%s\n' "$listed" | grep -c "^platform:$platform\$")" 0 "devices omits a platform device with the default mask"
runs "devices --all: exit 0" cc devices --all
is "$(names | sed -n 's/^platform://p' | sort)" "$(ls /sys/bus/platform/devices | sort)" "devices --all lists all platform devices"
is "$(names | grep -vc '^platform:')" "$(printf '%s\n' "$listed" | grep -vc '^platform:')" "devices --all lists no other devices besides"
runs "devices --json: exit 0" cc devices --json
is "$(printf '%s\n' "$out" | grep -c '"needs_shared": "'$needs'"')" "$(printf '%s\n' "$listed" | grep -vc "^pci:$BRIDGE\$")" "devices --json reports the same need of all devices except the bridge"

# ---- permissions, and devices that do not exist

runs "devices by a member of the group: exit 0" as bob "$CC" devices $EDU
is "$(field 'needs shared' "$out")" $needs "devices by a member of the group reports the same need"
exits 4 "devices by a user outside the group: exit 4" as mallory "$CC" devices
exits 1 "devices of a PCI address that does not exist: exit 1" cc devices pci:0000:00:1e.0
like "$out" "cannot ask about pci:0000:00:1e.0: there is no such device" "devices of a PCI address that does not exist: the message says so"
exits 1 "devices of a device of another bus: exit 1" cc devices cpu:cpu0
is "$out" "ccshmctl: 'cpu:cpu0' is on the bus cpu; only devices of pci, platform and virtio can be named" "devices of a device of another bus: the message names the bus"
exits 1 "devices of a path of another bus: exit 1" cc devices /sys/devices/system/cpu/cpu0
like "$out" "is on the bus cpu" "devices of a path of another bus: the message names the bus"
exits 1 "devices of a PCI address with function 8: exit 1" cc devices 00:04.8
like "$out" "the number of the function is at most 7" "devices of a PCI address with function 8: the message names the limit"
exits 2 "devices with two arguments: exit 2" cc devices $EDU $RNG

# ---- drivers are bound and unbound

echo "$virtio" >/sys/bus/virtio/drivers/virtio_rng/unbind
runs "devices of a virtio device without driver: exit 0" cc devices "$virtio"
is "$(field driver "$out")" "" "a virtio device without driver: no driver is printed"
is "$(field 'kernel driver' "$out")" yes "a virtio device without driver: its PCI device has a kernel driver"
echo $RNG >/sys/bus/pci/drivers/virtio-pci/unbind
runs "devices of the PCI device unbound from virtio-pci: exit 0" cc devices $RNG
is "$(field driver "$out") $(field 'kernel driver' "$out")" " no" "the PCI device unbound from virtio-pci: no driver is printed"
exits 1 "devices of the virtio device after its PCI device was unbound: exit 1" cc devices "virtio:$virtio"
like "$out" "there is no such device" "devices of the virtio device after its PCI device was unbound: the message says that it does not exist"
echo $RNG >/sys/bus/pci/drivers/virtio-pci/bind
runs "devices of the PCI device bound again: exit 0" cc devices $RNG
is "$(field driver "$out")" virtio-pci "the PCI device bound again: the driver is virtio-pci"

# ---- ATTACH agrees with the report

id=$(cc alloc 4K)
runs "attach to a PCI device without driver: exit 0" cc attach "$id" $EDU -- true
exits 5 "attach to a PCI device of a kernel driver: exit 5" cc attach "$id" $RNG -- true
runs "attach to a PCI device named by its path: exit 0" cc attach "$id" "/sys/bus/pci/devices/$EDU/" -- true
exits 1 "attach to a platform device: exit 1" cc attach "$id" "platform:$platform" -- true
like "$out" "only PCI devices can be attached, and this is a platform device" "attach to a platform device: the message says that only PCI devices can be attached"
exits 1 "attach to a PCI bridge: exit 1" cc attach "$id" $BRIDGE -- true
like "$out" "cannot attach $id to $BRIDGE: the device is a bridge" "attach to a PCI bridge: the message says that it is a bridge"
cc free "$id"

done_testing
