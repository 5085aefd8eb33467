// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offer the first BAR of a PCI device through /dev/uioX, as uio drivers do. The kernel's uio
 * core maps it; uio_pci_generic offers no BAR.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of a PCI device in sysfs");

static struct pci_dev *pdev;
static struct uio_info info = {
	.name = "ccshm_uio",
	.version = "1",
	.irq = UIO_IRQ_NONE,
};

static int __init uio_test_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, device);
	int err;

	if (!dev)
		return -ENODEV;
	pdev = to_pci_dev(dev);
	err = pci_enable_device(pdev);
	if (err)
		goto err_put;
	info.mem[0].name = "registers";
	info.mem[0].addr = pci_resource_start(pdev, 0);
	info.mem[0].size = pci_resource_len(pdev, 0);
	info.mem[0].memtype = UIO_MEM_PHYS;
	err = uio_register_device(&pdev->dev, &info);
	if (err)
		goto err_disable;
	return 0;

err_disable:
	pci_disable_device(pdev);
err_put:
	pci_dev_put(pdev);
	return err;
}

static void __exit uio_test_exit(void)
{
	uio_unregister_device(&info);
	pci_disable_device(pdev);
	pci_dev_put(pdev);
}

module_init(uio_test_init);
module_exit(uio_test_exit);

MODULE_DESCRIPTION("Test: the registers of a PCI device through uio");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
