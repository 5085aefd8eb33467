// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: find one by its name, check its driver, stop its DMA, and DEVICE, which
 * describes what a device needs to use shared memory.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <linux/string.h>

#include "ccshm.h"

/* Check that the name is terminated, and that all bytes after the NUL are zero. */
bool ccshm_device_name_valid(const char name[CCSHM_DEVICE_LEN])
{
	size_t len = strnlen(name, CCSHM_DEVICE_LEN);

	return len < CCSHM_DEVICE_LEN &&
	       !memchr_inv(name + len, 0, CCSHM_DEVICE_LEN - len);
}

/* Check for "DDDD:BB:DD.F", as the kernel prints it; domains can have more digits. */
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
 * ccshm_device_find - find a PCI device by its name
 * @name: "pci:DDDD:BB:DD.F"
 *
 * Return: the device with a reference; -EINVAL for a name of another form; -ENODEV when
 * there is no such device.
 */
struct pci_dev *ccshm_device_find(const char *name)
{
	struct device *dev;

	if (!strstarts(name, "pci:") || !pci_name_valid(name + 4))
		return ERR_PTR(-EINVAL);
	dev = bus_find_device_by_name(&pci_bus_type, NULL, name + 4);
	return dev ? to_pci_dev(dev) : ERR_PTR(-ENODEV);
}

static int is_same(struct device *dev, const void *other)
{
	return dev == other;
}

/*
 * Check that a device is on its bus, under its device lock: then it stays there until the
 * lock is released. bus_remove_device() takes the device off its bus before it takes this
 * lock, and only after it the device loses its IOMMU group and bus_notify() reports
 * BUS_NOTIFY_REMOVED_DEVICE. device_is_registered() does not suffice: it is true until
 * kobject_del(), which is later still.
 */
static bool is_on_bus(struct device *dev)
{
	struct device *found;

	device_lock_assert(dev);
	found = bus_find_device(dev->bus, NULL, dev, is_same);
	put_device(found);
	return found;
}

/*
 * Check whether the driver of a device leaves DMA, and the IOMMU domain, to its user, as all
 * vfio drivers do. On PCI, the driver of bridges and pci-stub also set the flag, but give
 * no device to user space.
 */
static bool driver_is_vfio(struct device *dev)
{
	struct device_driver *driver = dev->driver;

	if (dev_is_pci(dev))
		return to_pci_driver(driver)->driver_managed_dma &&
		       !ccshm_device_is_bridge(dev) &&
		       strcmp(driver->name, "pci-stub");
	return dev_is_platform(dev) &&
	       to_platform_driver(driver)->driver_managed_dma;
}

/* Check whether the driver of a device exists to give the device to user space. */
static bool driver_is_for_user_space(struct device *dev)
{
	static const char * const uio[] = {
		"uio_pci_generic", "igb_uio", "uio_pdrv_genirq",
		"uio_dmem_genirq",
	};

	return driver_is_vfio(dev) ||
	       match_string(uio, ARRAY_SIZE(uio), dev->driver->name) >= 0;
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
	if (!is_on_bus(&pdev->dev) || ccshm_pci_is_disconnected(pdev))
		return -ENODEV;
	if (ccshm_device_is_bridge(&pdev->dev))
		return -EOPNOTSUPP;
	if (pdev->dev.driver && !driver_is_for_user_space(&pdev->dev))
		return -EBUSY;
	return 0;
}

/**
 * ccshm_device_hold - resume a device, and keep it from being suspended at run time
 * @pdev: device, under its device lock
 *
 * pci_pm_runtime_suspend() saves the command register of a device that has no driver, or
 * whose driver does not save it, and pci_pm_runtime_resume() writes it again. A suspend
 * before ccshm_device_stop(), and a resume after it, would start the device again.
 *
 * A resume also fails if runtime PM is disabled, as after device_del(), or if the driver
 * once failed to suspend the device. If the device is active nevertheless, it is held as
 * well: runtime PM may be enabled later.
 *
 * Return: 0; -EIO when the device cannot be resumed.
 */
int ccshm_device_hold(struct pci_dev *pdev)
{
	device_lock_assert(&pdev->dev);
	if (pm_runtime_get_sync(&pdev->dev) >= 0 || pm_runtime_active(&pdev->dev))
		return 0;
	pm_runtime_put_noidle(&pdev->dev);
	return -EIO;
}

/**
 * ccshm_device_release - undo ccshm_device_hold(): the device may be suspended
 * @pdev: device that does not use the memory any more, maybe after its removal
 *
 * The suspend itself happens in a work item of the kernel.
 */
void ccshm_device_release(struct pci_dev *pdev)
{
	pm_runtime_put(&pdev->dev);
}

/* Number of retries, and the interval between them, for a device that reads as all ones. */
#define READ_TIMES	10
#define READ_MS		100

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

/**
 * ccshm_device_stop - end all DMA of a device
 * @pdev: device, under its device lock or while it is being removed
 *
 * After the removal the device cannot be accessed: the kernel may have freed the bus that
 * its configuration space is read through, and another device can have its address. A
 * removal that is past bus_remove_device() no longer needs the device lock, and can
 * complete while this sleeps, so check before the accesses and after them.
 * May sleep for READ_TIMES * READ_MS.
 *
 * Return: 0 when DMA has provably ended: bus mastering is cleared, or the device is
 * gone. -EIO when bus mastering cannot be cleared, transactions
 * stay pending, or nothing proves that the device is gone.
 */
int ccshm_device_stop(struct pci_dev *pdev)
{
	bool present = true;
	u16 command;
	int i;

	/*
	 * All ones do not prove that the device is gone: a link in recovery and a device
	 * that is being reset also read as all ones. Accept them only if the device is
	 * not present either, READ_TIMES in a row.
	 */
	for (i = 0; i < READ_TIMES; i++) {
		if (ccshm_pci_is_disconnected(pdev))
			return 0;
		if (!device_is_registered(&pdev->dev))
			return -EIO;
		if (clear_master(pdev, &command)) {
			if (command & PCI_COMMAND_MASTER ||
			    !pci_wait_for_pending_transaction(pdev))
				return -EIO;
			/* Otherwise the answers can be those of another device. */
			return device_is_registered(&pdev->dev) ? 0 : -EIO;
		}
		msleep(READ_MS);
		present = pci_device_is_present(pdev);
	}
	return present ? -EIO : 0;
}

/* ---- what a device needs ---- */

/**
 * struct subject - the device that DEVICE describes
 * @named: device that the caller named, with a reference
 * @dma: device that does the DMA, with a reference: the parent of a virtio device, else
 *	the same as @named
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

/* The virtio bus is not exported to modules: search the buses of its devices' parents. */
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

/* Check whether the mask is the default of the bus: no driver has changed it. */
static bool mask_is_default(struct device *dev)
{
	if (!dev->dma_mask || *dev->dma_mask != DMA_BIT_MASK(32))
		return false;
	return !dev_is_platform(dev) ||
	       dev->dma_mask == &to_platform_device(dev)->platform_dma_mask;
}

/* Name the driver of the device that was named, under its device lock. */
static void describe_named(const struct subject *subject, struct ccshm_ioc_device *req)
{
	if (subject->named->driver)
		strscpy(req->driver, subject->named->driver->name,
			sizeof(req->driver));
}

/* Describe the device that does DMA, under its device lock. */
static void describe_dma(const struct subject *subject, struct ccshm_ioc_device *req)
{
	bool driver_maps = subject->dma->driver &&
			   !driver_is_for_user_space(subject->dma);

	ccshm_dma_describe(subject->dma, driver_maps, req);
	if (driver_maps)
		req->device_flags |= CCSHM_DEVICE_KERNEL_DRIVER;
	if (mask_is_default(subject->dma))
		req->device_flags |= CCSHM_DEVICE_MASK_DEFAULT;
	if (subject->named == subject->dma)
		describe_named(subject, req);
}

/* Describe one of the devices under its lock, under which drivers bind and unbind. */
static int describe_locked(struct device *dev, const struct subject *subject,
			   void (*describe)(const struct subject *subject,
					    struct ccshm_ioc_device *req),
			   struct ccshm_ioc_device *req)
{
	int err = device_lock_interruptible(dev);

	if (err)
		return err;
	if (is_on_bus(dev))
		describe(subject, req);
	else
		err = -ENODEV;
	device_unlock(dev);
	return err;
}

int ccshm_device_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_device *req = call->arg;
	struct subject subject;
	int err;

	if (req->flags || !ccshm_device_name_valid(req->device))
		return -EINVAL;
	err = subject_find(&subject, req->device);
	if (err)
		return err;
	/* One lock after the other: a child whose lock is held does not stall its parent. */
	err = describe_locked(subject.dma, &subject, describe_dma, req);
	if (!err && subject.named != subject.dma)
		err = describe_locked(subject.named, &subject, describe_named, req);
	subject_put(&subject);
	return err;
}
