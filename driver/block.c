// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: physically contiguous, private pages from the page allocator. A block is as
 * large as the page allocator has it, and returns there whole.
 */
#include <linux/cpuset.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/topology.h>

#include "memory.h"

/* Set when the module is loaded, before the first allocation. */
enum ccshm_platform ccshm_platform;

/**
 * ccshm_wish_node - list the nodes whose memory is wanted
 * @wish: memory that a caller wants
 * @nr: from -1 to nr_node_ids - 1, in this order: the local node is the first, and can come again
 *
 * Return: a node that the caller's cpuset allows; NUMA_NO_NODE if @nr is for none.
 */
int ccshm_wish_node(const struct ccshm_wish *wish, int nr)
{
	int node = nr < 0 ? numa_mem_id() : nr;

	if (wish->node != NUMA_NO_NODE)
		return nr < 0 ? wish->node : NUMA_NO_NODE;
	if (!node_state(node, N_MEMORY) ||
	    !node_isset(node, cpuset_current_mems_allowed))
		return NUMA_NO_NODE;
	return node;
}

/*
 * Return the flags to allocate a block with. __GFP_RETRY_MAYFAIL makes an allocation
 * fail instead of invoking the OOM killer. Orders between PAGE_ALLOC_COSTLY_ORDER and
 * the unit are a fallback that is not worth compaction.
 */
static gfp_t block_gfp(unsigned int order, const struct ccshm_wish *wish)
{
	gfp_t gfp = GFP_KERNEL | __GFP_HARDWALL | __GFP_NOWARN;

	/* Memory of the pool outlives the buffers, and with them the memory cgroup. */
	if (!wish->pooled)
		gfp |= __GFP_ACCOUNT;

	/* What the pool's thread allocates for nobody must not displace memory that is in use. */
	if (!uid_eq(wish->payer->uid, CCSHM_POOL_PAYER) &&
	    (order == CCSHM_UNIT_ORDER || order <= PAGE_ALLOC_COSTLY_ORDER))
		gfp |= __GFP_RETRY_MAYFAIL;
	else
		gfp |= __GFP_NORETRY;
	if (wish->node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	if (wish->dma32)
		gfp |= GFP_DMA32;
	/*
	 * On other platforms the host cannot read what the pages contained. A machine
	 * that was not detected as a confidential guest can be one of a hypervisor that
	 * ccshm does not know.
	 */
	if (ccshm_contents_survive() || ccshm_platform == CCSHM_PLATFORM_NONE)
		gfp |= __GFP_ZERO;
	return gfp;
}

static struct page *block_pages_gfp(unsigned int order, gfp_t gfp,
				    const struct ccshm_wish *wish)
{
	struct page *page;

	page = wish->node == NUMA_NO_NODE ? alloc_pages(gfp, order) :
					    alloc_pages_node(wish->node, gfp, order);
	/* A kernel without ZONE_DMA32 ignores GFP_DMA32. */
	if (page && wish->dma32 && !ccshm_pages_dma32(page, 1UL << order)) {
		__free_pages(page, order);
		return NULL;
	}
	return page;
}

static struct page *block_pages(unsigned int order, const struct ccshm_wish *wish)
{
	return block_pages_gfp(order, block_gfp(order, wish), wish);
}

/**
 * ccshm_blocks_cgroup_full - find out why the allocation of a unit failed
 * @wish: memory that was wanted
 *
 * When only the memory cgroup has no room for a unit, smaller blocks must not replace
 * the unit. A process at the limit of its cgroup could otherwise split leaves of the
 * direct map, which slows down the whole system permanently, as often as it likes.
 *
 * Return: true if the page allocator has a unit, so that the charge to the memory cgroup
 * must have failed.
 */
bool ccshm_blocks_cgroup_full(const struct ccshm_wish *wish)
{
	gfp_t gfp = block_gfp(CCSHM_UNIT_ORDER, wish) & ~__GFP_ACCOUNT;
	struct page *page = block_pages_gfp(CCSHM_UNIT_ORDER, gfp, wish);

	if (page)
		__free_pages(page, CCSHM_UNIT_ORDER);
	return page;
}

/* Append a block to the array, which has room for *@capacity blocks. Return 0 or -ENOMEM. */
int ccshm_blocks_push(struct ccshm_blocks *blocks, unsigned long *capacity,
		      struct page *page, unsigned int order, bool pooled)
{
	if (blocks->nr == *capacity) {
		unsigned long want = max(2 * *capacity, 16UL);
		struct ccshm_block *grown;

		grown = kvmalloc_array(want, sizeof(*grown),
				       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!grown)
			return -ENOMEM;
		if (blocks->nr)
			memcpy(grown, blocks->block, blocks->nr * sizeof(*grown));
		kvfree(blocks->block);
		blocks->block = grown;
		*capacity = want;
	}

	blocks->block[blocks->nr++] = (struct ccshm_block){
		.page = page, .order = order, .pooled = pooled,
	};
	blocks->pooled += pooled;
	blocks->pages += 1UL << order;
	if (order < CCSHM_UNIT_ORDER)
		blocks->small++;
	else
		blocks->units += 1UL << (order - CCSHM_UNIT_ORDER);
	return 0;
}

/*
 * Allocate the largest block available that has at most @left pages. Lower *@max_order
 * after each order that fails, so that later calls do not try it again.
 */
static struct page *block_take(unsigned long left, unsigned int *max_order,
			       unsigned int *order, const struct ccshm_wish *wish)
{
	struct page *page;

	for (;;) {
		*order = min_t(unsigned int, *max_order, ilog2(left));
		page = block_pages(*order, wish);
		if (page || !*order)
			return page;
		if (*order == CCSHM_UNIT_ORDER &&
		    (wish->whole_units || ccshm_blocks_cgroup_full(wish)))
			return NULL;
		*max_order = *order - 1;
	}
}

static int compare_blocks(const void *a, const void *b)
{
	unsigned long x = page_to_pfn(((const struct ccshm_block *)a)->page);
	unsigned long y = page_to_pfn(((const struct ccshm_block *)b)->page);

	/* In fragmented memory there can be millions. sort() of 6.1 and 6.12 does not do this. */
	cond_resched();
	return x < y ? -1 : x > y;
}

/*
 * Sort the blocks that are shared already, and the others, by address, so that adjacent
 * blocks are converted by one call and mapped as one segment.
 */
void ccshm_blocks_sort(struct ccshm_blocks *blocks)
{
	unsigned long i, first = 0;

	sort(blocks->block, blocks->shared, sizeof(*blocks->block),
	     compare_blocks, NULL);
	sort(blocks->block + blocks->shared, blocks->nr - blocks->shared,
	     sizeof(*blocks->block), compare_blocks, NULL);
	for (i = 0; i < blocks->nr; i++) {
		blocks->block[i].first = first;
		first += ccshm_block_pages(&blocks->block[i]);
	}
}

/* Charge pages to the payer, before they are allocated. */
static int blocks_charge(struct ccshm_blocks *blocks, unsigned long pages,
			 const struct ccshm_wish *wish)
{
	int err = ccshm_limit_charge(wish->payer->uid, pages);

	if (err)
		return err;
	blocks->payer = wish->payer->uid;
	blocks->charged += pages;
	return 0;
}

/**
 * ccshm_blocks_fill - allocate the largest blocks available
 * @blocks: blocks to add to
 * @pages: number of pages that @blocks shall have afterwards
 * @max_order: in and out: largest order that is worth a try
 * @wish: where, how, and for whom
 *
 * After an error @blocks has the blocks allocated until then, and is charged for @pages.
 *
 * Return: 0, -ENOMEM, -EDQUOT or -ENOSPC (a limit), -EINTR (a signal).
 */
int ccshm_blocks_fill(struct ccshm_blocks *blocks, unsigned long pages,
		      unsigned int *max_order, const struct ccshm_wish *wish)
{
	unsigned long capacity = blocks->nr;
	unsigned int order;
	int err;

	if (blocks->pages == pages)
		return 0;
	err = blocks_charge(blocks, pages - blocks->pages, wish);
	if (err)
		return err;
	while (blocks->pages < pages) {
		struct page *page;

		if (ccshm_interrupted(wish->interruptible))
			return -EINTR;
		page = block_take(pages - blocks->pages, max_order, &order, wish);
		if (!page)
			return -ENOMEM;
		err = ccshm_blocks_push(blocks, &capacity, page, order,
					wish->pooled);
		if (err) {
			__free_pages(page, order);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/**
 * ccshm_blocks_take_one - allocate one block
 * @blocks: empty
 * @pages: number of pages, rounded up to a power of two
 * @wish: where, how, and for whom
 *
 * The pages beyond @pages belong to the block and are charged: converted pages cannot
 * be freed separately.
 *
 * Return: 0, -ENOMEM, -EDQUOT or -ENOSPC (a limit).
 */
int ccshm_blocks_take_one(struct ccshm_blocks *blocks, unsigned long pages,
			  const struct ccshm_wish *wish)
{
	unsigned int order = get_order(pages << PAGE_SHIFT);
	unsigned long capacity = 0;
	struct page *page;
	int err;

	err = blocks_charge(blocks, 1UL << order, wish);
	if (err)
		return err;
	page = block_pages(order, wish);
	if (!page)
		return -ENOMEM;
	err = ccshm_blocks_push(blocks, &capacity, page, order, wish->pooled);
	if (err)
		__free_pages(page, order);
	return err;
}

/* Return true if so many pages can be allocated without exhausting memory. */
bool ccshm_blocks_available(unsigned long pages)
{
	return pages <= (unsigned long)max(si_mem_available(), 0L);
}

/* Free blocks that were never converted, and uncharge them. */
void ccshm_blocks_discard(struct ccshm_blocks *blocks)
{
	unsigned long i;

	for (i = 0; i < blocks->nr; i++) {
		__free_pages(blocks->block[i].page, blocks->block[i].order);
		cond_resched();
	}
	ccshm_blocks_forget(blocks);
}

/* Uncharge blocks whose pages were given back, and free the array. */
void ccshm_blocks_forget(struct ccshm_blocks *blocks)
{
	ccshm_limit_uncharge(blocks->payer, blocks->charged);
	kvfree(blocks->block);
	*blocks = (struct ccshm_blocks){};
}

/**
 * ccshm_blocks_pfn - look up a page
 * @blocks: sorted blocks
 * @index: index of the page, less than @blocks->pages
 * @run: out, if not NULL: number of pages from there to the end of the block
 *
 * Return: its page frame number.
 */
unsigned long ccshm_blocks_pfn(const struct ccshm_blocks *blocks,
			       unsigned long index, unsigned long *run)
{
	unsigned long low = 0, high = blocks->nr;
	const struct ccshm_block *block;

	/* Find the last block that starts at or before index. */
	while (high - low > 1) {
		unsigned long mid = low + (high - low) / 2;

		if (blocks->block[mid].first <= index)
			low = mid;
		else
			high = mid;
	}
	block = &blocks->block[low];
	if (run)
		*run = block->first + ccshm_block_pages(block) - index;
	return page_to_pfn(block->page) + (index - block->first);
}
