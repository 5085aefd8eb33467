// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_capable() has an argument for the attributes of the mapping: whether a
 * mapping is of shared memory is decided by DMA_ATTR_CC_SHARED alone, and
 * devices of a confidential guest are not marked force_bounce any more.
 */
#include <linux/dma-direct.h>

bool probe(struct device *dev);
bool probe(struct device *dev)
{
	return dma_capable(dev, 0, 1, true, DMA_ATTR_CC_SHARED);
}
