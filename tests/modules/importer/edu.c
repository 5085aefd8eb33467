// SPDX-License-Identifier: GPL-2.0-only
/* The devices: QEMU's "edu", whose DMA engine copies data from and to the device's buffer. */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "importer.h"

#define EDU_VENDOR		0x1234
#define EDU_DEVICE		0x11e8
#define EDU_ID			0x00
#define EDU_ID_VALUE		0x010000ed
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_DESTINATION	0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_START		BIT(0)
#define EDU_DMA_TO_MEMORY	BIT(1)
#define EDU_BUFFER		0x40000
#define EDU_TIMEOUT_US		(5 * USEC_PER_SEC)

static LIST_HEAD(devices);

/* Find a bound device by its name in sysfs. Return NULL if there is none. */
struct edu *edu_find(const char *device)
{
	struct edu *edu;

	lockdep_assert_held(&importer_lock);
	list_for_each_entry(edu, &devices, link) {
		if (!strcmp(pci_name(edu->pdev), device))
			return edu;
	}
	return NULL;
}

/* Wait for the end of a transfer. */
static int edu_wait(struct edu *edu)
{
	u32 value;

	return readl_poll_timeout(edu->bar + EDU_DMA_COMMAND, value,
				  !(value & EDU_DMA_START), 1000,
				  EDU_TIMEOUT_US);
}

/**
 * edu_dma - transfer data and wait for the end of the transfer
 * @edu: the device
 * @address: DMA address of the memory
 * @length: at most IMPORTER_DMA_MAX
 * @from_device: true: from the device's buffer to memory; false: the other direction
 *
 * Return: 0, -EINVAL or -ETIMEDOUT.
 */
int edu_dma(struct edu *edu, dma_addr_t address, u32 length, bool from_device)
{
	u32 command = EDU_DMA_START | (from_device ? EDU_DMA_TO_MEMORY : 0);

	if (!length || length > IMPORTER_DMA_MAX)
		return -EINVAL;
	writeq(from_device ? EDU_BUFFER : address, edu->bar + EDU_DMA_SOURCE);
	writeq(from_device ? address : EDU_BUFFER,
	       edu->bar + EDU_DMA_DESTINATION);
	writeq(length, edu->bar + EDU_DMA_COUNT);
	writel(command, edu->bar + EDU_DMA_COMMAND);
	return edu_wait(edu);
}

static int edu_start(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	edu->bar = pcim_iomap(pdev, 0, 0);
	if (!edu->bar)
		return -ENOMEM;
	if (readl(edu->bar + EDU_ID) != EDU_ID_VALUE)
		return -ENODEV;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (err)
		return err;
	/*
	 * A transfer that the previous driver started must end before bus mastering is
	 * enabled.
	 */
	err = edu_wait(edu);
	if (err)
		return err;
	pci_set_master(pdev);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int err;

	if (pdev->vendor != EDU_VENDOR || pdev->device != EDU_DEVICE)
		return -ENODEV;
	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	INIT_LIST_HEAD(&edu->importers);
	err = edu_start(edu);
	if (err)
		return err;
	pci_set_drvdata(pdev, edu);
	mutex_lock(&importer_lock);
	list_add_tail(&edu->link, &devices);
	mutex_unlock(&importer_lock);
	return 0;
}

/* Remove the device as a correct driver does: detach all importers first. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);
	struct importer *imp, *next;

	mutex_lock(&importer_lock);
	list_for_each_entry_safe(imp, next, &edu->importers, link)
		importer_detach(imp);
	list_del(&edu->link);
	mutex_unlock(&importer_lock);
	pci_clear_master(pdev);
	pdev->dev.dma_mask = &pdev->dma_mask;
}

/* No ids: bind only to devices whose driver_override names this driver. */
static const struct pci_device_id edu_ids[] = { { } };

static struct pci_driver edu_driver = {
	.name = IMPORTER_DRIVER,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

int edu_register(void)
{
	return pci_register_driver(&edu_driver);
}

void edu_unregister(void)
{
	pci_unregister_driver(&edu_driver);
}
