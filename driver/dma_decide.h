/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decide how a device reaches shared memory. The decision is a pure function of facts,
 * so that each case can be tested without a device; dma.c reads the facts.
 *
 * The unit tests compile this header in user space, after <stdbool.h>.
 */
#ifndef CCSHM_DMA_DECIDE_H
#define CCSHM_DMA_DECIDE_H

#include <linux/ccshm.h>
#include <linux/errno.h>
#include <linux/types.h>

/**
 * enum ccshm_dma_api - support of this kernel for DMA_ATTR_CC_SHARED
 * @CCSHM_DMA_API_NONE: the kernel does not have the attribute
 * @CCSHM_DMA_API_BOUNCE: accepted for devices that are marked force_bounce
 * @CCSHM_DMA_API_ANY: accepted for any device, which the kernel may still bounce
 */
enum ccshm_dma_api {
	CCSHM_DMA_API_NONE,
	CCSHM_DMA_API_BOUNCE,
	CCSHM_DMA_API_ANY,
};

/**
 * struct ccshm_dma_facts - facts that the decision depends on
 * @api: support of the kernel for DMA_ATTR_CC_SHARED
 * @confidential: this guest has private memory
 * @bridge: the device is a PCI bridge, and ccshm would have to stop it: its bus mastering is
 *	that of all devices behind it
 * @has_mask: the device has a DMA mask
 * @own_ops: the device has its own DMA operations (Xen, or an IOMMU in older kernels)
 * @iommu: the IOMMU layer maps memory for the device
 * @userspace_iommu: the device's IOMMU domain translates addresses, or belongs to user
 *	space
 * @coherent: the device needs no cache maintenance
 * @restricted: the device has a restricted DMA pool
 * @force_bounce: the kernel bounces all DMA of the device
 * @mask_holds_shared: the device can drive the address bit that marks shared memory;
 *	true where no bit does
 * @driver_maps: a kernel driver maps memory for the device through the DMA API;
 *	otherwise a userspace driver gets computed addresses
 */
struct ccshm_dma_facts {
	enum ccshm_dma_api api;
	bool confidential;
	bool bridge;
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
 * enum ccshm_dma_how - how to map memory for a device
 * @CCSHM_DMA_REFUSE: do not map it
 * @CCSHM_DMA_ARITHMETIC: compute addresses with phys_to_dma_unencrypted()
 * @CCSHM_DMA_PLAIN: dma_map_sgtable() without an attribute
 * @CCSHM_DMA_SHARED: dma_map_sgtable() with DMA_ATTR_CC_SHARED
 *
 * After dma_map_sgtable(), check each address against the computed one.
 */
enum ccshm_dma_how {
	CCSHM_DMA_REFUSE,
	CCSHM_DMA_ARITHMETIC,
	CCSHM_DMA_PLAIN,
	CCSHM_DMA_SHARED,
};

/**
 * struct ccshm_dma_verdict - decision about a device
 * @how: how to map memory
 * @need: verdict that DEVICE reports; CCSHM_DEVICE_CANNOT only with
 *	CCSHM_DMA_REFUSE
 * @err: errno for CCSHM_DMA_REFUSE
 * @reason: reason as a text; NULL for CCSHM_DEVICE_NEEDS
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

/* Allow maps on a machine without private memory as well, for development. */
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
 * ccshm_dma_decide - decide how a device reaches shared memory
 * @facts: facts, read again for each mapping: trust in a device can change
 *
 * The first condition that applies decides. Later conditions assume that the earlier
 * ones do not apply.
 *
 * Return: the decision.
 */
static inline struct ccshm_dma_verdict
ccshm_dma_decide(const struct ccshm_dma_facts *facts)
{
	if (facts->bridge)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the device is a bridge: a stop would also stop the devices behind it");
	if (!facts->has_mask)
		return ccshm_dma_cannot(-EINVAL, "the device has no DMA mask");
	if (facts->own_ops || facts->iommu)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the device is behind an IOMMU or has its own DMA operations");
	if (facts->userspace_iommu)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the device's IOMMU translates or belongs to user space");
	if (!facts->coherent && facts->driver_maps)
		return ccshm_dma_cannot(-EOPNOTSUPP, "the device is not cache-coherent");
	if (!facts->coherent)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the device is not cache-coherent, or no driver had it yet and it was never configured for DMA");
	if (facts->restricted)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the device has a restricted DMA pool");
	if (facts->api != CCSHM_DMA_API_ANY && facts->confidential &&
	    !facts->force_bounce)
		return ccshm_dma_needs_not("the device can DMA to private memory");
	if (!facts->mask_holds_shared)
		return ccshm_dma_cannot(-ERANGE,
					"the device's DMA mask does not hold the address bit of shared memory");
	if (!facts->driver_maps || facts->api == CCSHM_DMA_API_NONE)
		return ccshm_dma_accept(facts, CCSHM_DMA_ARITHMETIC);
	if (facts->api == CCSHM_DMA_API_ANY && facts->force_bounce)
		return ccshm_dma_cannot(-EOPNOTSUPP,
					"the kernel bounces the device's DMA (swiotlb=force)");
	if (facts->api == CCSHM_DMA_API_BOUNCE && !facts->force_bounce)
		return ccshm_dma_accept(facts, CCSHM_DMA_PLAIN);
	return ccshm_dma_accept(facts, CCSHM_DMA_SHARED);
}

#endif /* CCSHM_DMA_DECIDE_H */
