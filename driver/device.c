// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: which one, whose, what it needs, and how to stop that of a user space
 * driver.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/string.h>

#include "ccshm.h"

/* NUL-terminated, and zero behind the NUL. */
bool ccshm_device_name_valid(const char name[CCSHM_DEVICE_LEN])
{
	size_t len = strnlen(name, CCSHM_DEVICE_LEN);

	return len < CCSHM_DEVICE_LEN &&
	       !memchr_inv(name + len, 0, CCSHM_DEVICE_LEN - len);
}

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
	static const char * const others[] = {
		"uio_pci_generic", "igb_uio", "uio_pdrv_genirq",
		"uio_dmem_genirq",
	};

	/* The variants are called after their device: mlx5_vfio_pci, ... */
	if (strstr(driver->name, "vfio"))
		return true;
	return match_string(others, ARRAY_SIZE(others), driver->name) >= 0;
}

/* Its bus mastering is that of all devices behind it. */
static bool is_bridge(struct pci_dev *pdev)
{
	return pdev->hdr_type != PCI_HEADER_TYPE_NORMAL;
}

/**
 * ccshm_device_check - check whether user space may program a device
 * @pdev: device, under its device lock
 *
 * Return: 0, -EOPNOTSUPP for a bridge, -EBUSY when a kernel driver owns it, -ENODEV
 * when it is being removed.
 */
int ccshm_device_check(struct pci_dev *pdev)
{
	device_lock_assert(&pdev->dev);
	if (!device_is_registered(&pdev->dev) ||
	    pci_dev_is_disconnected(pdev))
		return -ENODEV;
	if (is_bridge(pdev))
		return -EOPNOTSUPP;
	if (pdev->dev.driver && !driver_is_for_user_space(pdev->dev.driver))
		return -EBUSY;
	return 0;
}

/* How often, and how long apart, a device that reads as all ones is asked again. */
#define ASK_TIMES	10
#define ASK_MS		100

/*
 * Clear bus mastering and read the command register back. User space enables bus
 * mastering without pci_set_master(), so do not rely on pdev->is_busmaster. Do not
 * let pci_clear_master() write what it has read from a device that does not answer.
 *
 * Return: false if the device does not answer.
 */
static bool clear_master(struct pci_dev *pdev, u16 *command)
{
	pci_read_config_word(pdev, PCI_COMMAND, command);
	if (*command == (u16)~0)
		return false;
	pci_clear_master(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, command);
	return *command != (u16)~0;
}

static int device_stop(struct pci_dev *pdev)
{
	bool present = true;
	u16 command;
	int i;

	/*
	 * All ones are no proof that the device is gone: a link in recovery and a
	 * device that is being reset read so, too. Believe it only if the device is
	 * not present, either, each time that it is asked.
	 */
	for (i = 0; i < ASK_TIMES; i++) {
		if (pci_dev_is_disconnected(pdev))
			return 0;
		if (clear_master(pdev, &command)) {
			if (command & PCI_COMMAND_MASTER ||
			    !pci_wait_for_pending_transaction(pdev))
				return -EIO;
			return 0;
		}
		msleep(ASK_MS);
		present = pci_device_is_present(pdev);
	}
	return present ? -EIO : 0;
}

/**
 * ccshm_device_stop - end all DMA of a device
 * @pdev: device, under its device lock or while it is being removed
 *
 * After the removal there is no way to ask: the kernel may have freed what its
 * configuration space is read through, and another device can have its address.
 * May sleep for ASK_TIMES * ASK_MS.
 *
 * Return: 0 when DMA is known to have ended: bus mastering is cleared, or the
 * device is no longer there. -EIO when bus mastering cannot be cleared, transactions
 * stay pending, or nothing proves that the device is gone.
 */
int ccshm_device_stop(struct pci_dev *pdev)
{
	int err;

	if (device_is_registered(&pdev->dev))
		err = device_stop(pdev);
	else
		err = pci_dev_is_disconnected(pdev) ? 0 : -EIO;
	if (err)
		pci_warn(pdev, "ccshm: cannot be stopped: its shared memory stays held\n");
	return err;
}

/* ---- what a device needs ---- */

/**
 * struct subject - a device that is asked about
 * @named: it, with a reference
 * @dma: what does its DMA, with a reference: itself, but for virtio
 */
struct subject {
	struct device *named;
	struct device *dma;
};

static struct device *virtio_child(struct device *parent, const char *name)
{
	struct device *child = device_find_child_by_name(parent, name);

	if (child && child->bus && !strcmp(child->bus->name, "virtio"))
		return child;
	put_device(child);
	return NULL;
}

static int has_virtio_child(struct device *parent, const void *name)
{
	struct device *child = virtio_child(parent, name);

	put_device(child);
	return !!child;
}

/* The bus is not for modules to see, but those are that its devices sit on. */
static int find_virtio(struct subject *subject, const char *name)
{
	subject->dma = bus_find_device(&pci_bus_type, NULL, name,
				       has_virtio_child);
	if (!subject->dma)
		subject->dma = bus_find_device(&platform_bus_type, NULL, name,
					       has_virtio_child);
	if (!subject->dma)
		return -ENODEV;
	subject->named = virtio_child(subject->dma, name);
	if (subject->named)
		return 0;
	put_device(subject->dma);
	return -ENODEV;
}

static int find_platform(struct subject *subject, const char *name)
{
	subject->named = bus_find_device_by_name(&platform_bus_type, NULL, name);
	if (!subject->named)
		return -ENODEV;
	subject->dma = get_device(subject->named);
	return 0;
}

static int find_pci(struct subject *subject, const char *full_name)
{
	struct pci_dev *pdev = ccshm_device_find(full_name);

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	subject->named = &pdev->dev;
	subject->dma = get_device(subject->named);
	return 0;
}

static int subject_find(struct subject *subject, const char *name)
{
	if (strstarts(name, "platform:") && name[9])
		return find_platform(subject, name + 9);
	if (strstarts(name, "virtio:") && name[7])
		return find_virtio(subject, name + 7);
	return find_pci(subject, name);
}

static void subject_put(struct subject *subject)
{
	put_device(subject->named);
	put_device(subject->dma);
}

/* What devices of its bus are born with, and nobody has changed. */
static bool mask_is_default(struct device *dev)
{
	if (!dev->dma_mask || *dev->dma_mask != DMA_BIT_MASK(32))
		return false;
	return !dev_is_platform(dev) ||
	       dev->dma_mask == &to_platform_device(dev)->platform_dma_mask;
}

static void judge(const struct subject *subject, struct ccshm_ioc_device *req)
{
	const struct device_driver *driver = subject->dma->driver;
	bool driver_maps = driver && !driver_is_for_user_space(driver);

	ccshm_dma_describe(subject->dma, driver_maps, req);
	if (dev_is_pci(subject->named) && is_bridge(to_pci_dev(subject->named))) {
		req->verdict = CCSHM_DEVICE_CANNOT;
		strscpy(req->reason, "it is a bridge: it cannot be stopped alone",
			sizeof(req->reason));
	}
	if (driver_maps)
		req->device_flags |= CCSHM_DEVICE_KERNEL_DRIVER;
	if (mask_is_default(subject->dma))
		req->device_flags |= CCSHM_DEVICE_MASK_DEFAULT;
	if (subject->named->driver)
		strscpy(req->driver, subject->named->driver->name,
			sizeof(req->driver));
}

/* Drivers come and go under the lock; a parent's is taken before its child's. */
static int judge_locked(const struct subject *subject,
			struct ccshm_ioc_device *req)
{
	bool child = subject->named != subject->dma;
	int err = device_lock_interruptible(subject->dma);

	if (err)
		return err;
	if (child)
		err = device_lock_interruptible(subject->named);
	if (err)
		goto unlock_dma;
	if (device_is_registered(subject->named))
		judge(subject, req);
	else
		err = -ENODEV;
	if (child)
		device_unlock(subject->named);
unlock_dma:
	device_unlock(subject->dma);
	return err;
}

int ccshm_device(struct ccshm_call *call)
{
	struct ccshm_ioc_device *req = call->arg;
	struct subject subject;
	int err;

	if (req->flags || !ccshm_device_name_valid(req->device))
		return -EINVAL;
	err = subject_find(&subject, req->device);
	if (err)
		return err;
	err = judge_locked(&subject, req);
	subject_put(&subject);
	return err;
}
