/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How may this device reach shared memory? One pure function of facts, so that
 * every row can be tested without the device; dma.c reads the facts.
 *
 * Also compiled by the unit tests, in user space, behind <stdbool.h>.
 */
#ifndef CCSHM_DMA_DECIDE_H
#define CCSHM_DMA_DECIDE_H

#include <linux/ccshm.h>
#include <linux/errno.h>
#include <linux/types.h>

/**
 * enum ccshm_dma_api - what this kernel means by DMA_ATTR_CC_SHARED
 * @CCSHM_DMA_API_NONE: nothing, it does not know it
 * @CCSHM_DMA_API_BOUNCE: it takes it for devices that are marked force_bounce
 * @CCSHM_DMA_API_ANY: it takes it for any device, and may bounce all the same
 */
enum ccshm_dma_api {
	CCSHM_DMA_API_NONE,
	CCSHM_DMA_API_BOUNCE,
	CCSHM_DMA_API_ANY,
};

/**
 * struct ccshm_dma_facts - what the decision rests on
 * @api: of the kernel
 * @confidential: this guest has private memory
 * @has_mask: the device has a DMA mask
 * @own_ops: it has DMA operations of its own (Xen, an IOMMU of older kernels)
 * @iommu: the IOMMU layer maps for it
 * @userspace_iommu: its IOMMU domain translates, whoever set it up, or belongs
 *	to user space
 * @coherent: it needs no cache maintenance
 * @restricted: it has a restricted DMA pool
 * @force_bounce: the kernel bounces all of its DMA
 * @mask_holds_shared: what makes an address a shared one (a bit of it, on Arm)
 *	is within the device's reach
 * @driver_maps: a driver maps for it through the DMA API, so that the kernel
 *	can be asked; otherwise a user space driver is told the addresses
 */
struct ccshm_dma_facts {
	enum ccshm_dma_api api;
	bool confidential;
	bool has_mask;
	bool own_ops;
	bool iommu;
	bool userspace_iommu;
	bool coherent;
	bool restricted;
	bool force_bounce;
	bool mask_holds_shared;
	bool driver_maps;
};

/**
 * enum ccshm_dma_how - what to do
 * @CCSHM_DMA_REFUSE: nothing
 * @CCSHM_DMA_ARITHMETIC: phys_to_dma_unencrypted()
 * @CCSHM_DMA_PLAIN: dma_map_sgtable(), no attribute
 * @CCSHM_DMA_SHARED: dma_map_sgtable() with DMA_ATTR_CC_SHARED; then check that
 *	every address is what the arithmetic gives
 */
enum ccshm_dma_how {
	CCSHM_DMA_REFUSE,
	CCSHM_DMA_ARITHMETIC,
	CCSHM_DMA_PLAIN,
	CCSHM_DMA_SHARED,
};

/**
 * struct ccshm_dma_verdict - and why
 * @how: what to do
 * @need: what the device is told to need; CCSHM_DEVICE_CANNOT only with
 *	CCSHM_DMA_REFUSE
 * @err: errno for CCSHM_DMA_REFUSE
 * @reason: in words, for a person; NULL for CCSHM_DEVICE_NEEDS
 */
struct ccshm_dma_verdict {
	enum ccshm_dma_how how;
	enum ccshm_device_verdict need;
	int err;
	const char *reason;
};

static inline struct ccshm_dma_verdict ccshm_dma_cannot(int err,
							const char *reason)
{
	struct ccshm_dma_verdict verdict = {
		CCSHM_DMA_REFUSE, CCSHM_DEVICE_CANNOT, err, reason
	};

	return verdict;
}

static inline struct ccshm_dma_verdict ccshm_dma_needs_not(const char *reason)
{
	struct ccshm_dma_verdict verdict = {
		CCSHM_DMA_REFUSE, CCSHM_DEVICE_NEEDS_NOT, -EOPNOTSUPP, reason
	};

	return verdict;
}

/* Where nothing is private a map works all the same, for development. */
static inline struct ccshm_dma_verdict
ccshm_dma_accept(const struct ccshm_dma_facts *facts, enum ccshm_dma_how how)
{
	struct ccshm_dma_verdict verdict = { how, CCSHM_DEVICE_NEEDS, 0, NULL };

	if (!facts->confidential) {
		verdict.need = CCSHM_DEVICE_NEEDS_NOT;
		verdict.reason =
			"no memory is private: this is not a confidential guest";
	}
	return verdict;
}

/**
 * ccshm_dma_decide - the decision
 * @facts: read anew for each mapping: the trust in a device can change
 *
 * The rows are in the order in which the reasons exclude each other.
 *
 * Return: the verdict.
 */
static inline struct ccshm_dma_verdict
ccshm_dma_decide(const struct ccshm_dma_facts *facts)
{
	if (!facts->has_mask)
		return ccshm_dma_cannot(-EINVAL, "it has no DMA mask");
	if (facts->own_ops || facts->iommu)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"it is behind an IOMMU or has its own DMA operations");
	if (facts->userspace_iommu)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"its IOMMU translates or belongs to user space");
	if (!facts->coherent && facts->driver_maps)
		return ccshm_dma_cannot(-EOPNOTSUPP, "it is not cache-coherent");
	if (!facts->coherent)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"it is not cache-coherent, or no driver had it yet and it was never configured for DMA");
	if (facts->restricted)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"it has a restricted DMA pool");
	if (facts->api != CCSHM_DMA_API_ANY && facts->confidential &&
	    !facts->force_bounce)
		return ccshm_dma_needs_not("it can DMA to private memory and needs no sharing");
	if (!facts->mask_holds_shared)
		return ccshm_dma_cannot(-ERANGE,
					"its DMA mask does not hold the address bit of shared memory");
	if (!facts->driver_maps || facts->api == CCSHM_DMA_API_NONE)
		return ccshm_dma_accept(facts, CCSHM_DMA_ARITHMETIC);
	if (facts->api == CCSHM_DMA_API_ANY && facts->force_bounce)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the kernel bounces it (swiotlb=force)");
	if (facts->api == CCSHM_DMA_API_BOUNCE && !facts->force_bounce)
		return ccshm_dma_accept(facts, CCSHM_DMA_PLAIN);
	return ccshm_dma_accept(facts, CCSHM_DMA_SHARED);
}

#endif /* CCSHM_DMA_DECIDE_H */
