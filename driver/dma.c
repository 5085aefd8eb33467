// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: map shared memory for devices, never through a bounce buffer and never at a
 * private address.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>

#include "ccshm.h"
#include "dma_decide.h"

static bool device_has_mask(struct device *dev)
{
	return dev->dma_mask && *dev->dma_mask;
}

/*
 * Return true if the address bit of shared memory is within @limit. Physical address 0
 * may have no DMA address; then the bit cannot be determined, and each mapping is
 * checked instead.
 */
static bool mask_holds_shared(struct device *dev, u64 limit)
{
	dma_addr_t shared = phys_to_dma_unencrypted(dev, 0);

	return shared == DMA_MAPPING_ERROR || shared <= limit;
}

static u64 device_limit(struct device *dev, u64 mask)
{
	return min_not_zero(mask, dev->bus_dma_limit);
}

/**
 * struct domain - how an IOMMU translates the addresses of a device
 * @dev: device
 * @mode: CCSHM_DMA_MODE_DIRECT without an IOMMU, or with an identity domain;
 *	CCSHM_DMA_MODE_IOMMU with a domain of the DMA API; CCSHM_DMA_MODE_USERSPACE
 *	with any other domain
 * @present: the device has a domain
 */
struct domain {
	struct device *dev;
	enum ccshm_dma_mode mode;
	bool present;
};

static int read_domain(struct device *member, void *data)
{
	struct domain *domain = data;
	struct iommu_domain *iommu;

	if (member != domain->dev)
		return 0;
	iommu = ccshm_iommu_domain(member);
	domain->present = iommu;
	if (!iommu || iommu->type == IOMMU_DOMAIN_IDENTITY)
		domain->mode = CCSHM_DMA_MODE_DIRECT;
	else if (iommu_is_dma_domain(iommu))
		domain->mode = CCSHM_DMA_MODE_IOMMU;
	return 1;
}

/*
 * Read the domain of a device that its driver uses, or whose device lock is held: it is in
 * its IOMMU group until its removal. A user who claims the group, and root by the group's
 * file "type", replace the domain at any moment, and free the old one: read it where all
 * members are visited, under the lock of the group, which each replacement takes.
 */
static struct domain device_domain(struct device *dev)
{
	struct domain domain = { .dev = dev, .mode = CCSHM_DMA_MODE_USERSPACE };
	struct iommu_group *group = iommu_group_get(dev);

	if (!group) {
		domain.mode = CCSHM_DMA_MODE_DIRECT;
		return domain;
	}
	iommu_group_for_each_dev(group, &domain, read_domain);
	iommu_group_put(group);
	return domain;
}

/* Read the facts about a device. Without a driver, its mask is the 32 bits of its bus. */
static struct ccshm_dma_facts device_read_facts(struct device *dev,
						bool driver_maps, u64 limit)
{
	return (struct ccshm_dma_facts){
		.api = !CCSHM_ATTR_KNOWN ? CCSHM_DMA_API_NONE :
		       CCSHM_HAVE_DMA_CAPABLE_ATTRS ? CCSHM_DMA_API_ANY :
						      CCSHM_DMA_API_BOUNCE,
		.confidential = ccshm_platform != CCSHM_PLATFORM_NONE,
		.bridge = ccshm_device_is_bridge(dev),
		.has_mask = device_has_mask(dev),
		.own_ops = get_dma_ops(dev),
		.iommu = ccshm_dma_iommu(dev),
		.userspace_iommu = device_domain(dev).mode != CCSHM_DMA_MODE_DIRECT,
		.coherent = dev_is_dma_coherent(dev),
		.restricted = dev->dma_io_tlb_mem && is_swiotlb_for_alloc(dev),
		.force_bounce = is_swiotlb_force_bounce(dev),
		.mask_holds_shared = mask_holds_shared(dev, limit),
		.driver_maps = driver_maps,
	};
}

/* Return the mask, or 0: ccshm_dma_decide() refuses a device without a mask. */
static u64 device_mask(struct device *dev)
{
	return device_has_mask(dev) ? *dev->dma_mask : 0;
}

/*
 * Log a refusal, at the rate that is allowed to the calling user, or to the payer if the
 * work item of an importer maps: all users share the kernel threads.
 */
static void report_refusal(struct device *dev, kuid_t payer, const char *reason)
{
	kuid_t uid = current->flags & PF_KTHREAD ? payer : current_euid();

	if (ccshm_rate_allows(CCSHM_RATE_LINES, uid))
		dev_info(dev, "ccshm: cannot use shared memory: %s (uid %u, pid %d)\n",
			 reason, from_kuid(&init_user_ns, uid), task_tgid_nr(current));
}

/* Return true if the device reaches the memory; the DMA API would warn if not. */
static bool device_reaches(struct device *dev, phys_addr_t phys, u64 len, u64 limit)
{
	dma_addr_t start = phys_to_dma_unencrypted(dev, phys);

	return start != DMA_MAPPING_ERROR && start + len - 1 >= start &&
	       start + len - 1 <= limit;
}

/**
 * struct segment_walk - position of a walk through the segments of a slice
 * @dev: device that the segments are for
 * @memory: memory of the buffer
 * @index: page at which the next segment starts
 * @end: page after the last one of the slice
 * @run_end: page after the last one of the current physically contiguous run
 * @pfn: of the page @index, valid while @index < @run_end
 * @most: maximum number of pages in a segment
 * @boundary: mask of the DMA address; no segment crosses a multiple of it plus one
 */
struct segment_walk {
	struct device *dev;
	const struct ccshm_memory *memory;
	unsigned long index;
	unsigned long end;
	unsigned long run_end;
	unsigned long pfn;
	unsigned long most;
	unsigned long boundary;
};

static struct segment_walk walk_start(struct device *dev,
				      const struct ccshm_memory *memory,
				      unsigned long first, unsigned long pages)
{
	return (struct segment_walk){
		.dev = dev,
		.memory = memory,
		.index = first,
		.end = first + pages,
		.run_end = first,
		.most = ULONG_MAX,
		.boundary = ULONG_MAX,
	};
}

/*
 * Apply the limits that the device's driver has set. Round the maximum length down
 * so that each segment of an aligned run is aligned to 2 MiB, or to its own length
 * if the device takes less: an odd maximum would misalign all segments but the
 * first. Return -EINVAL if the device cannot take a whole page.
 */
static int walk_limit(struct segment_walk *walk)
{
	unsigned int most = dma_get_max_seg_size(walk->dev);

	walk->boundary = dma_get_seg_boundary(walk->dev);
	if (most < PAGE_SIZE || walk->boundary < PAGE_SIZE - 1)
		return -EINVAL;
	most = most >= SZ_2M ? round_down(most, SZ_2M) : rounddown_pow_of_two(most);
	walk->most = most >> PAGE_SHIFT;
	return 0;
}

/*
 * Find the end of the physically contiguous run at walk->index. Done once for each
 * run, not for each segment: the walk is linear however short the segments are.
 */
static void walk_enter_run(struct segment_walk *walk)
{
	unsigned long pages, more, left = walk->end - walk->index;

	walk->pfn = ccshm_memory_pfn(walk->memory, walk->index, &pages);
	while (pages < left &&
	       ccshm_memory_pfn(walk->memory, walk->index + pages, &more) ==
	       walk->pfn + pages) {
		pages += more;
		cond_resched();
	}
	walk->run_end = walk->index + min(pages, left);
}

/* Return the number of pages from @phys to the device's next segment boundary. */
static unsigned long pages_to_boundary(const struct segment_walk *walk,
				       phys_addr_t phys)
{
	unsigned long address = phys_to_dma_unencrypted(walk->dev, phys);

	return ((walk->boundary - (address & walk->boundary)) >> PAGE_SHIFT) + 1;
}

/* Return the number of pages of the next segment, 0 after the last one. */
static unsigned long walk_next(struct segment_walk *walk, phys_addr_t *phys)
{
	unsigned long pages;

	if (walk->index == walk->end)
		return 0;
	if (walk->index == walk->run_end)
		walk_enter_run(walk);
	*phys = PFN_PHYS(walk->pfn);
	pages = min3(walk->run_end - walk->index, walk->most,
		     pages_to_boundary(walk, *phys));
	walk->index += pages;
	walk->pfn += pages;
	cond_resched();
	return pages;
}

/* Count the segments that are left; @walk is a copy. */
static unsigned long walk_count(struct segment_walk walk)
{
	unsigned long nr = 0;
	phys_addr_t phys;

	while (walk_next(&walk, &phys))
		nr++;
	return nr;
}

/* Allocate a table of the segments of a slice. */
static int fill_table(struct device *dev, struct sg_table *sgt,
		      const struct ccshm_memory *memory, unsigned long first,
		      unsigned long pages, u64 limit)
{
	struct segment_walk walk = walk_start(dev, memory, first, pages);
	struct scatterlist *sg;
	unsigned long nr, run;
	phys_addr_t phys;
	int err;

	err = walk_limit(&walk);
	if (err)
		return err;
	nr = walk_count(walk);
	if (nr > UINT_MAX)
		return -E2BIG;
	err = sg_alloc_table(sgt, nr, GFP_KERNEL);
	if (err)
		return err;
	sg = sgt->sgl;
	while ((run = walk_next(&walk, &phys))) {
		if (!device_reaches(dev, phys, (u64)run << PAGE_SHIFT, limit)) {
			sg_free_table(sgt);
			return -ERANGE;
		}
		sg_set_page(sg, pfn_to_page(PHYS_PFN(phys)), run << PAGE_SHIFT, 0);
		sg = sg_next(sg);
	}
	return 0;
}

/* Set the DMA addresses of a table without the DMA API. */
static void map_computed_addresses(struct device *dev, struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(sgt, sg, i) {
		sg_dma_address(sg) = phys_to_dma_unencrypted(dev, sg_phys(sg));
		sg_dma_len(sg) = sg->length;
	}
	sgt->nents = sgt->orig_nents;
}

/*
 * Return true if the DMA API returned the computed addresses. With swiotlb=force a kernel
 * may bounce memory although DMA_ATTR_CC_SHARED marks it as shared.
 */
static bool addresses_are_as_computed(struct device *dev, struct sg_table *sgt)
{
	struct scatterlist *sg;
	int i;

	if (sgt->nents != sgt->orig_nents)
		return false;
	for_each_sgtable_sg(sgt, sg, i) {
		if (sg_dma_address(sg) !=
		    phys_to_dma_unencrypted(dev, sg_phys(sg)) ||
		    sg_dma_len(sg) != sg->length)
			return false;
	}
	return true;
}

/* Map a table with the DMA API; refuse addresses of a bounce buffer. */
static int map_by_kernel(struct device *dev, struct sg_table *sgt, kuid_t payer,
			 enum dma_data_direction dir, unsigned long attrs)
{
	int err = dma_map_sgtable(dev, sgt, dir, attrs);

	if (err)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	if (addresses_are_as_computed(dev, sgt))
		return 0;
	dma_unmap_sgtable(dev, sgt, dir, attrs);
	report_refusal(dev, payer, "the kernel bounces the device's DMA");
	return -EOPNOTSUPP;
}

/* Marks a table that the DMA API did not map; not a bit of DMA_ATTR_*. */
#define NOT_MAPPED	BIT(BITS_PER_LONG - 1)

/**
 * ccshm_dma_map - map a slice of shared memory for an importer's device
 * @dev: device
 * @sgt: out: table, to be unmapped with ccshm_dma_unmap()
 * @buffer: buffer with the memory
 * @first: first page of the slice
 * @pages: number of pages of the slice
 * @dir: direction of the DMA
 * @attrs: out: argument of ccshm_dma_unmap()
 *
 * Return: 0; -EOPNOTSUPP (the device cannot use shared memory or needs none; the log
 * has the reason); -ERANGE (the memory is beyond the device's mask or bus limit);
 * -EINVAL (the device has no DMA mask, or cannot take a whole page at once); -E2BIG
 * (too many segments); -ENOMEM.
 */
int ccshm_dma_map(struct device *dev, struct sg_table *sgt,
		  const struct ccshm_buffer *buffer, unsigned long first,
		  unsigned long pages, enum dma_data_direction dir,
		  unsigned long *attrs)
{
	u64 limit = device_limit(dev, device_mask(dev));
	struct ccshm_dma_facts facts = device_read_facts(dev, true, limit);
	struct ccshm_dma_verdict verdict;
	int err;

	/* The importer's driver stops its device; ccshm does not. */
	facts.bridge = false;
	verdict = ccshm_dma_decide(&facts);
	if (verdict.how == CCSHM_DMA_REFUSE) {
		report_refusal(dev, buffer->payer, verdict.reason);
		return verdict.err;
	}
	err = fill_table(dev, sgt, &buffer->memory, first, pages, limit);
	if (err)
		return err;

	if (verdict.how == CCSHM_DMA_ARITHMETIC) {
		*attrs = NOT_MAPPED;
		map_computed_addresses(dev, sgt);
		return 0;
	}
	*attrs = verdict.how == CCSHM_DMA_SHARED ? CCSHM_ATTR_SHARED : 0;
	err = map_by_kernel(dev, sgt, buffer->payer, dir, *attrs);
	if (err)
		sg_free_table(sgt);
	return err;
}

/* Unmap a table, and free it. */
void ccshm_dma_unmap(struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir, unsigned long attrs)
{
	if (attrs != NOT_MAPPED)
		dma_unmap_sgtable(dev, sgt, dir, attrs);
	sg_free_table(sgt);
}

/* Fill in @segment with the segments of a walk. */
static int fill_segments(struct device *dev, u64 limit,
			 struct segment_walk walk,
			 struct ccshm_ioc_segment *segment)
{
	unsigned long run;
	phys_addr_t phys;
	u64 offset = 0;

	while ((run = walk_next(&walk, &phys))) {
		u64 len = (u64)run << PAGE_SHIFT;

		if (!device_reaches(dev, phys, len, limit))
			return -ERANGE;
		*segment++ = (struct ccshm_ioc_segment){
			.dma_address = phys_to_dma_unencrypted(dev, phys),
			.length = len,
			.offset = offset,
		};
		offset += len;
	}
	return 0;
}

/**
 * ccshm_dma_segments - compute addresses for a device of a userspace driver
 * @dev: device; it has no kernel driver that sets its mask and undoes a mapping, so
 *	the DMA API is not used
 * @dma_bits: in: number of address bits that the device drives, or 0 for its mask;
 *	out: number of bits that was used
 * @memory: memory of the buffer
 * @first: first page of the slice
 * @pages: number of pages of the slice
 * @segments: out: array, to be freed with kvfree()
 * @nr: out: number of segments
 *
 * Return: as ccshm_dma_map().
 */
int ccshm_dma_segments(struct device *dev, unsigned int *dma_bits,
		       const struct ccshm_memory *memory, unsigned long first,
		       unsigned long pages, struct ccshm_ioc_segment **segments,
		       unsigned int *nr)
{
	u64 mask = *dma_bits ? DMA_BIT_MASK(*dma_bits) : device_mask(dev);
	u64 limit = device_limit(dev, mask);
	struct ccshm_dma_facts facts = device_read_facts(dev, false, limit);
	struct ccshm_dma_verdict verdict = ccshm_dma_decide(&facts);
	/* Ignore the limits of dev->dma_parms: only a kernel driver sets them. */
	struct segment_walk walk = walk_start(dev, memory, first, pages);
	unsigned long runs;
	int err;

	if (verdict.how == CCSHM_DMA_REFUSE) {
		report_refusal(dev, current_euid(), verdict.reason);
		return verdict.err;
	}
	*dma_bits = fls64(mask);

	runs = walk_count(walk);
	if (runs > UINT_MAX)
		return -E2BIG;
	*segments = kvcalloc(runs, sizeof(**segments),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!*segments)
		return -ENOMEM;
	err = fill_segments(dev, limit, walk, *segments);
	if (err) {
		kvfree(*segments);
		*segments = NULL;
		return err;
	}
	*nr = runs;
	return 0;
}

/* Up to 6.8 the kernel's use of an IOMMU is visible only as DMA operations. */
static enum ccshm_dma_mode device_mode(enum ccshm_dma_mode mode,
				       const struct ccshm_dma_facts *facts)
{
	if (!facts->has_mask)
		return CCSHM_DMA_MODE_NONE;
	if (facts->iommu)
		return CCSHM_DMA_MODE_IOMMU;
	if (facts->own_ops && mode == CCSHM_DMA_MODE_DIRECT)
		return CCSHM_DMA_MODE_OWN;
	return mode;
}

/**
 * ccshm_dma_describe - describe how a device can reach shared memory
 * @dev: device, with its device lock held
 * @driver_maps: a kernel driver is bound to the device
 * @req: out: the fields about DMA, as a map or an ATTACH would find them now
 */
void ccshm_dma_describe(struct device *dev, bool driver_maps,
			struct ccshm_ioc_device *req)
{
	u64 mask = device_mask(dev);
	u64 limit = device_limit(dev, mask);
	struct ccshm_dma_facts facts = device_read_facts(dev, driver_maps, limit);
	struct ccshm_dma_verdict verdict = ccshm_dma_decide(&facts);
	struct domain domain = device_domain(dev);

	device_lock_assert(dev);
	req->verdict = verdict.need;
	req->mode = device_mode(domain.mode, &facts);
	req->dma_mask = mask;
	req->bus_limit = dev->bus_dma_limit;
	if (facts.coherent)
		req->device_flags |= CCSHM_DEVICE_COHERENT;
	if (facts.force_bounce)
		req->device_flags |= CCSHM_DEVICE_BOUNCES;
	if (facts.restricted)
		req->device_flags |= CCSHM_DEVICE_RESTRICTED;
	if (domain.present)
		req->device_flags |= CCSHM_DEVICE_IOMMU;
	if (verdict.reason)
		strscpy(req->reason, verdict.reason, sizeof(req->reason));
}
