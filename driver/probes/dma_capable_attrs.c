// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_capable() has an argument for the attributes of the mapping. On such kernels
 * DMA_ATTR_CC_SHARED alone determines whether a mapping is of shared memory, and devices
 * of a confidential guest are no longer marked force_bounce.
 */
#include <linux/dma-direct.h>

bool probe(struct device *dev);
bool probe(struct device *dev)
{
	return dma_capable(dev, 0, 1, true, DMA_ATTR_CC_SHARED);
}
