// SPDX-License-Identifier: GPL-2.0-only
/*
 * use_dma_iommu(): the IOMMU layer no longer sets dev->dma_ops. <linux/iommu-dma.h> does not
 * include the headers that declare the types it uses.
 */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/iommu-dma.h>

bool probe(struct device *dev);
bool probe(struct device *dev)
{
	return use_dma_iommu(dev);
}
