// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: the only place that decides how a device reaches the memory. Never
 * through a bounce buffer, never at a private address.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/platform_device.h>
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

/* The address of memory that cannot be translated says nothing. */
static bool mask_holds_shared(struct device *dev, u64 limit)
{
	dma_addr_t shared = phys_to_dma_unencrypted(dev, 0);

	return shared == DMA_MAPPING_ERROR || shared <= limit;
}

static u64 device_limit(struct device *dev, u64 mask)
{
	return min_not_zero(mask, dev->bus_dma_limit);
}

/*
 * Check whether the bus claims the kernel's domain for the bound driver: then user
 * space cannot claim it. Without the device lock the driver can be unbound at any
 * moment, therefore read the pointer once.
 */
static bool domain_is_held(struct device *dev)
{
	struct device_driver *driver = READ_ONCE(dev->driver);

	if (!driver)
		return false;
	if (dev_is_pci(dev))
		return !to_pci_driver(driver)->driver_managed_dma;
	return dev_is_platform(dev) &&
	       !to_platform_driver(driver)->driver_managed_dma;
}

static bool domain_is_claimed(struct device *dev)
{
	struct iommu_group *group;
	bool claimed;

	if (domain_is_held(dev))
		return false;
	group = iommu_group_get(dev);
	if (!group)
		return false;
	claimed = iommu_group_dma_owner_claimed(group);
	iommu_group_put(group);
	return claimed;
}

/*
 * Who translates, if anybody. A domain that user space has claimed can go at any
 * moment: it is not looked into.
 */
static enum ccshm_dma_mode domain_mode(struct device *dev)
{
	struct iommu_domain *domain;

	if (domain_is_claimed(dev))
		return CCSHM_DMA_MODE_USERSPACE;
	domain = iommu_get_domain_for_dev(dev);
	if (domain && domain->type != IOMMU_DOMAIN_IDENTITY)
		return CCSHM_DMA_MODE_IOMMU;
	return CCSHM_DMA_MODE_DIRECT;
}

/* Nobody sets a mask for a device without a driver, but the bus gives 32 bits. */
static struct ccshm_dma_facts device_read_facts(struct device *dev,
						bool driver_maps, u64 limit)
{
	return (struct ccshm_dma_facts){
		.api = !CCSHM_ATTR_KNOWN ? CCSHM_DMA_API_NONE :
		       CCSHM_HAVE_DMA_CAPABLE_ATTRS ? CCSHM_DMA_API_ANY :
						      CCSHM_DMA_API_BOUNCE,
		.confidential = ccshm_platform != CCSHM_PLATFORM_NONE,
		.has_mask = device_has_mask(dev),
		.own_ops = get_dma_ops(dev),
		.iommu = ccshm_dma_iommu(dev),
		.userspace_iommu = domain_mode(dev) != CCSHM_DMA_MODE_DIRECT,
		.coherent = dev_is_dma_coherent(dev),
		.restricted = dev->dma_io_tlb_mem && is_swiotlb_for_alloc(dev),
		.force_bounce = is_swiotlb_force_bounce(dev),
		.mask_holds_shared = mask_holds_shared(dev, limit),
		.driver_maps = driver_maps,
	};
}

/* A device without a mask is refused before its limit counts. */
static u64 device_mask(struct device *dev)
{
	return device_has_mask(dev) ? *dev->dma_mask : 0;
}

/* Say it as often as the user who asks for it may cause a line in the log. */
static void report_refusal(struct device *dev, const char *reason)
{
	if (ccshm_rate_allows(CCSHM_RATE_LINES, current_euid()))
		dev_info(dev, "ccshm: cannot use shared memory: %s (uid %u, pid %d)\n",
			 reason, ccshm_actor_uid(), task_tgid_nr(current));
}

/* Checked by us first: the DMA API warns when it finds it out. */
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

/* With swiotlb=force a kernel may bounce what it was told is shared. */
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

static int map_by_kernel(struct device *dev, struct sg_table *sgt,
			 enum dma_data_direction dir, unsigned long attrs)
{
	int err = dma_map_sgtable(dev, sgt, dir, attrs);

	if (err)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	if (addresses_are_as_computed(dev, sgt))
		return 0;
	dma_unmap_sgtable(dev, sgt, dir, attrs);
	report_refusal(dev, "the kernel bounces it");
	return -EOPNOTSUPP;
}

/* No bit of DMA_ATTR_*: the table was made without the DMA API. */
#define NOT_MAPPED	BIT(BITS_PER_LONG - 1)

/**
 * ccshm_dma_map - give an importer's device a slice of shared memory
 * @dev: it
 * @sgt: out: the table
 * @memory: memory of the buffer
 * @first: first page of the slice
 * @pages: length of it
 * @dir: direction
 * @attrs: out: for ccshm_dma_unmap()
 *
 * Return: 0; -EOPNOTSUPP when the device cannot use shared memory or needs none
 * (and the log says why), -ERANGE when its addresses do not reach it, -EINVAL
 * when it cannot DMA, or not to a whole page at once, -ENOMEM.
 */
int ccshm_dma_map(struct device *dev, struct sg_table *sgt,
		  const struct ccshm_memory *memory, unsigned long first,
		  unsigned long pages, enum dma_data_direction dir,
		  unsigned long *attrs)
{
	u64 limit = device_limit(dev, device_mask(dev));
	struct ccshm_dma_facts facts = device_read_facts(dev, true, limit);
	struct ccshm_dma_verdict verdict = ccshm_dma_decide(&facts);
	int err;

	if (verdict.how == CCSHM_DMA_REFUSE) {
		report_refusal(dev, verdict.reason);
		return verdict.err;
	}
	err = fill_table(dev, sgt, memory, first, pages, limit);
	if (err)
		return err;

	if (verdict.how == CCSHM_DMA_ARITHMETIC) {
		*attrs = NOT_MAPPED;
		map_computed_addresses(dev, sgt);
		return 0;
	}
	*attrs = verdict.how == CCSHM_DMA_SHARED ? CCSHM_ATTR_SHARED : 0;
	err = map_by_kernel(dev, sgt, dir, *attrs);
	if (err)
		sg_free_table(sgt);
	return err;
}

void ccshm_dma_unmap(struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir, unsigned long attrs)
{
	if (attrs != NOT_MAPPED)
		dma_unmap_sgtable(dev, sgt, dir, attrs);
	sg_free_table(sgt);
}

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
 * ccshm_dma_segments - the addresses for a device of a user space driver
 * @dev: no dma_map_*() is done for it: it has no driver that set its mask and
 *	none that would balance the mapping
 * @dma_bits: in: what the caller says that it can drive, 0 for its mask; out:
 *	what it was judged by
 * @memory: memory of the buffer
 * @first: first page of the slice
 * @pages: length of it
 * @segments: out: to be freed with kvfree()
 * @nr: out: number of them
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
	/* No limits: those of dev->dma_parms are a kernel driver's, and there is none. */
	struct segment_walk walk = walk_start(dev, memory, first, pages);
	unsigned long runs;
	int err;

	if (verdict.how == CCSHM_DMA_REFUSE) {
		report_refusal(dev, verdict.reason);
		return verdict.err;
	}
	*dma_bits = fls64(mask);

	runs = walk_count(walk);
	if (runs > UINT_MAX)
		return -E2BIG;
	*segments = kvcalloc(runs, sizeof(**segments), GFP_KERNEL_ACCOUNT);
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

/* Up to 6.8 a kernel's use of an IOMMU shows as DMA operations. */
static enum ccshm_dma_mode device_mode(struct device *dev,
				       const struct ccshm_dma_facts *facts)
{
	if (!facts->has_mask)
		return CCSHM_DMA_MODE_NONE;
	if (facts->iommu)
		return CCSHM_DMA_MODE_IOMMU;
	if (facts->own_ops && domain_mode(dev) == CCSHM_DMA_MODE_DIRECT)
		return CCSHM_DMA_MODE_OWN;
	if (facts->own_ops || facts->userspace_iommu)
		return domain_mode(dev);
	return CCSHM_DMA_MODE_DIRECT;
}

/**
 * ccshm_dma_describe - what a map or an ATTACH would find now
 * @dev: under its device lock
 * @driver_maps: a kernel driver has it
 * @req: out: all that concerns its DMA
 */
void ccshm_dma_describe(struct device *dev, bool driver_maps,
			struct ccshm_ioc_device *req)
{
	u64 mask = device_mask(dev);
	u64 limit = device_limit(dev, mask);
	struct ccshm_dma_facts facts = device_read_facts(dev, driver_maps, limit);
	struct ccshm_dma_verdict verdict = ccshm_dma_decide(&facts);

	device_lock_assert(dev);
	req->verdict = verdict.need;
	req->mode = device_mode(dev, &facts);
	req->dma_mask = mask;
	req->bus_limit = dev->bus_dma_limit;
	if (facts.coherent)
		req->device_flags |= CCSHM_DEVICE_COHERENT;
	if (facts.force_bounce)
		req->device_flags |= CCSHM_DEVICE_BOUNCES;
	if (facts.restricted)
		req->device_flags |= CCSHM_DEVICE_RESTRICTED;
	if (iommu_get_domain_for_dev(dev))
		req->device_flags |= CCSHM_DEVICE_IOMMU;
	if (verdict.reason)
		strscpy(req->reason, verdict.reason, sizeof(req->reason));
}
