// SPDX-License-Identifier: GPL-2.0-only
/* The devices of user space drivers: which one, whose, and how to stop it. */
#include <linux/pci.h>
#include <linux/string.h>

#include "ccshm.h"

/* "DDDD:BB:DD.F" as the kernel prints it; domains can have more digits. */
static bool pci_name_valid(const char *name)
{
	unsigned int domain, bus, slot, fn;
	char again[32];

	if (sscanf(name, "%x:%x:%x.%x", &domain, &bus, &slot, &fn) != 4 ||
	    bus > 0xff || slot > 0x1f || fn > 7)
		return false;
	snprintf(again, sizeof(again), "%04x:%02x:%02x.%d", domain, bus, slot,
		 fn);
	return !strcmp(again, name);
}

/**
 * ccshm_device_find - a device by its name
 * @name: "pci:DDDD:BB:DD.F"
 *
 * Return: the device with a reference, -EINVAL for another kind of name, or
 * -ENODEV.
 */
struct pci_dev *ccshm_device_find(const char *name)
{
	struct device *dev;

	if (!strstarts(name, "pci:") || !pci_name_valid(name + 4))
		return ERR_PTR(-EINVAL);
	dev = bus_find_device_by_name(&pci_bus_type, NULL, name + 4);
	return dev ? to_pci_dev(dev) : ERR_PTR(-ENODEV);
}

/* Is it still to be found? Not once the kernel has begun to take it away. */
bool ccshm_device_is_there(struct pci_dev *pdev)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL,
						     pci_name(pdev));

	put_device(dev);
	return dev == &pdev->dev;
}

/* Drivers that are there to give the device to user space. */
static bool driver_is_for_user_space(const struct device_driver *driver)
{
	static const char * const others[] = { "uio_pci_generic", "igb_uio" };

	/* The variants are called after their device: mlx5_vfio_pci, ... */
	if (strstr(driver->name, "vfio"))
		return true;
	return match_string(others, ARRAY_SIZE(others), driver->name) >= 0;
}

/**
 * ccshm_device_check - may user space program this device?
 * @pdev: it, under its device lock
 *
 * Return: 0, -EBUSY when a kernel driver owns it, -ENODEV when it is going.
 */
int ccshm_device_check(struct pci_dev *pdev)
{
	device_lock_assert(&pdev->dev);
	if (!device_is_registered(&pdev->dev) ||
	    pci_dev_is_disconnected(pdev))
		return -ENODEV;
	if (pdev->dev.driver && !driver_is_for_user_space(pdev->dev.driver))
		return -EBUSY;
	return 0;
}

/**
 * ccshm_device_stop - end all DMA of a device
 * @pdev: it, under its device lock or on its way out
 *
 * Return: 0 when it is known to have ended (a device that no longer answers is
 * one that no longer is), -EIO when bus mastering cannot be cleared or
 * transactions stay pending.
 */
int ccshm_device_stop(struct pci_dev *pdev)
{
	u16 command;

	if (pci_dev_is_disconnected(pdev))
		return 0;
	/* User space enables it behind the kernel's back, so do not ask first. */
	pci_clear_master(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (command == (u16)~0)
		return 0;
	if (command & PCI_COMMAND_MASTER ||
	    !pci_wait_for_pending_transaction(pdev)) {
		pci_warn(pdev, "ccshm: cannot be stopped: its shared memory stays held\n");
		return -EIO;
	}
	return 0;
}
