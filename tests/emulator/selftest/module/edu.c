// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's edu device, whose DMA engine copies between memory and the device's buffer. */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "../../guest/cvm_guest.h"
#include "module.h"

#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_CMD_START	1u
#define EDU_CMD_TO_RAM	2u
#define EDU_BUFFER	0x40000
#define EDU_SLOT	4		/* the device with 32 address bits */
#define DMA_WORDS	(ST_DMA_BYTES / sizeof(u64))

static struct pci_dev *edu;
static void __iomem *edu_regs;

static int edu_dma(dma_addr_t addr, bool to_device)
{
	u32 cmd;

	writeq(to_device ? addr : EDU_BUFFER, edu_regs + EDU_DMA_SRC);
	writeq(to_device ? EDU_BUFFER : addr, edu_regs + EDU_DMA_DST);
	writeq(ST_DMA_BYTES, edu_regs + EDU_DMA_COUNT);
	writel(EDU_CMD_START | (to_device ? 0 : EDU_CMD_TO_RAM), edu_regs + EDU_DMA_CMD);
	/* A transfer of any length takes 0.1 s. */
	return readl_poll_timeout(edu_regs + EDU_DMA_CMD, cmd, !(cmd & EDU_CMD_START), 1000,
				  5 * USEC_PER_SEC);
}

static void fill(u64 *p, u32 seed)
{
	u32 i;

	for (i = 0; i < DMA_WORDS; i++)
		p[i] = st_pattern(seed, 0, i);
}

static u64 count_wrong(const u64 *p, u32 seed)
{
	u64 wrong = 0;
	u32 i;

	for (i = 0; i < DMA_WORDS; i++)
		wrong += p[i] != st_pattern(seed, 0, i);
	return wrong;
}

/* Transfer with an address that does not come from the DMA API. */
int st_edu_raw(phys_addr_t phys, bool to_device, bool shared)
{
	if (!edu)
		return -ENODEV;
	return edu_dma(shared ? phys_to_dma_unencrypted(&edu->dev, phys) : phys, to_device);
}

int st_edu_coherent(struct st_call *call)
{
	size_t size = 2 * PAGE_SIZE;
	u64 before, *p;
	dma_addr_t dma;
	int ret;

	if (!edu)
		return -ENODEV;
	before = cvm_present() ? cvm_counter(CVM_PAGES_SHARED) : 0;
	p = dma_alloc_coherent(&edu->dev, size, &dma, GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	call->arg = cvm_present() ? cvm_counter(CVM_PAGES_SHARED) - before : 0;
	fill(p, 71);
	ret = edu_dma(dma, true);
	if (!ret)
		ret = edu_dma(dma + PAGE_SIZE, false);
	call->result = count_wrong(p + ST_PAGE_WORDS, 71);
	dma_free_coherent(&edu->dev, size, p, dma);
	return ret;
}

/* Map a buffer, transfer, and unmap the buffer, as a driver does. Count bounced mappings. */
static int stream(void *buf, enum dma_data_direction dir, u64 *bounced)
{
	dma_addr_t dma = dma_map_single(&edu->dev, buf, ST_DMA_BYTES, dir);
	int ret;

	if (dma_mapping_error(&edu->dev, dma))
		return -EIO;
	*bounced += dma != phys_to_dma_unencrypted(&edu->dev, virt_to_phys(buf));
	ret = edu_dma(dma, dir == DMA_TO_DEVICE);
	dma_unmap_single(&edu->dev, dma, ST_DMA_BYTES, dir);
	return ret;
}

int st_edu_streaming(struct st_call *call)
{
	u64 *p;
	int ret;

	if (!edu)
		return -ENODEV;
	p = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	call->arg = 0;
	fill(p, 72);
	ret = stream(p, DMA_TO_DEVICE, &call->arg);
	memset(p, 0, PAGE_SIZE);
	if (!ret)
		ret = stream(p, DMA_FROM_DEVICE, &call->arg);
	call->result = count_wrong(p, 72);
	kfree(p);
	return ret;
}

/*
 * Map the registers: right (shared), or private, as a driver does that calls
 * remap_pfn_range() without pgprot_decrypted().
 */
int st_edu_mmap(struct vm_area_struct *vma)
{
	bool private = vma->vm_pgoff / ST_BLOCK_PAGES & 1;
	pgprot_t prot = pgprot_noncached(vma->vm_page_prot);

	if (!edu || vma->vm_end - vma->vm_start > PAGE_SIZE)
		return -EINVAL;
	if (!private)
		prot = pgprot_decrypted(prot);
	return remap_pfn_range(vma, vma->vm_start, pci_resource_start(edu, 0) >> PAGE_SHIFT,
			       PAGE_SIZE, prot);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	if (PCI_SLOT(pdev->devfn) != EDU_SLOT)
		return -ENODEV;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	edu_regs = pcim_iomap(pdev, 0, 0);
	if (!edu_regs)
		return -ENOMEM;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	pci_set_master(pdev);
	edu = pdev;
	return 0;
}

static void edu_remove(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
	edu = NULL;
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};

static struct pci_driver edu_driver = {
	.name = "cvm_selftest",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

int st_edu_register(void)
{
	return pci_register_driver(&edu_driver);
}

void st_edu_unregister(void)
{
	pci_unregister_driver(&edu_driver);
}
