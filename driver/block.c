// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: which pages a buffer gets. They come private from the page allocator,
 * as large as it has them, and go back to it whole.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "memory.h"

/* Type of this machine; set when the module is loaded, before anything is allocated. */
enum ccshm_platform ccshm_platform;

/*
 * __GFP_RETRY_MAYFAIL: rather fail than have somebody killed. Anything between
 * a unit and order 3 is a fallback that is not worth compaction.
 */
static gfp_t block_gfp(unsigned int order, const struct ccshm_wish *wish)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_HARDWALL | __GFP_NOWARN;

	if (order == CCSHM_UNIT_ORDER || order <= PAGE_ALLOC_COSTLY_ORDER)
		gfp |= __GFP_RETRY_MAYFAIL;
	else
		gfp |= __GFP_NORETRY;
	if (wish->node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	if (wish->dma32)
		gfp |= GFP_DMA32;
	/*
	 * Elsewhere the host cannot read what the pages held. A guest that is not
	 * known as a confidential one may still be one, of another hypervisor.
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
	/* Without a zone for it the kernel takes the flag for granted. */
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

/*
 * There was no unit: because the memory cgroup has no room for one? Then less is
 * no substitute: it would split leaves of the direct map for good, for everybody,
 * as often as somebody at his limit likes.
 */
bool ccshm_blocks_cgroup_full(const struct ccshm_wish *wish)
{
	gfp_t gfp = block_gfp(CCSHM_UNIT_ORDER, wish) & ~__GFP_ACCOUNT;
	struct page *page = block_pages_gfp(CCSHM_UNIT_ORDER, gfp, wish);

	if (page)
		__free_pages(page, CCSHM_UNIT_ORDER);
	return page;
}

static int blocks_push(struct ccshm_blocks *blocks, unsigned long *capacity,
		       struct page *page, unsigned int order)
{
	if (blocks->nr == *capacity) {
		unsigned long want = max(2 * *capacity, 16UL);
		struct ccshm_block *grown;

		grown = kvmalloc_array(want, sizeof(*grown), GFP_KERNEL_ACCOUNT);
		if (!grown)
			return -ENOMEM;
		if (blocks->nr)
			memcpy(grown, blocks->block, blocks->nr * sizeof(*grown));
		kvfree(blocks->block);
		blocks->block = grown;
		*capacity = want;
	}

	blocks->block[blocks->nr++] = (struct ccshm_block){
		.page = page, .order = order,
	};
	blocks->pages += 1UL << order;
	if (order < CCSHM_UNIT_ORDER)
		blocks->small++;
	else
		blocks->units += 1UL << (order - CCSHM_UNIT_ORDER);
	return 0;
}

/*
 * Take the largest block available; lower *@max_order to below the orders that the
 * page allocator does not have.
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

	return x < y ? -1 : x > y;
}

/* By address, so that neighbours are converted in one call and mapped as one. */
void ccshm_blocks_sort(struct ccshm_blocks *blocks)
{
	unsigned long i, first = 0;

	sort(blocks->block, blocks->nr, sizeof(*blocks->block), compare_blocks,
	     NULL);
	for (i = 0; i < blocks->nr; i++) {
		blocks->block[i].first = first;
		first += ccshm_block_pages(&blocks->block[i]);
	}
}

/* Before they are taken. */
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

/* As large as there are, until it has so many pages. */
int ccshm_blocks_fill(struct ccshm_blocks *blocks, unsigned long pages,
		      unsigned int *max_order, const struct ccshm_wish *wish)
{
	unsigned long capacity = blocks->nr;
	unsigned int order;
	int err;

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
		err = blocks_push(blocks, &capacity, page, order);
		if (err) {
			__free_pages(page, order);
			return err;
		}
		cond_resched();
	}
	return 0;
}

/* One block, all of which is the buffer's: there is no other way to have it. */
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
	err = blocks_push(blocks, &capacity, page, order);
	if (err)
		__free_pages(page, order);
	return err;
}

/* Check that taking so many pages does not drive the system out of memory. */
bool ccshm_blocks_available(unsigned long pages)
{
	return pages <= (unsigned long)max(si_mem_available(), 0L);
}

/* Give back blocks that were never converted. */
void ccshm_blocks_discard(struct ccshm_blocks *blocks)
{
	unsigned long i;

	for (i = 0; i < blocks->nr; i++) {
		__free_pages(blocks->block[i].page, blocks->block[i].order);
		cond_resched();
	}
	ccshm_blocks_forget(blocks);
}

/* What is not pages of its own: nothing is left. */
void ccshm_blocks_forget(struct ccshm_blocks *blocks)
{
	ccshm_limit_uncharge(blocks->payer, blocks->charged);
	kvfree(blocks->block);
	*blocks = (struct ccshm_blocks){};
}

/**
 * ccshm_blocks_pfn - where a page of a buffer is
 * @blocks: the buffer's memory
 * @index: of the page in the buffer
 * @run: out, if not NULL: pages of the buffer from there to the end of the block
 *
 * Return: its page frame number.
 */
unsigned long ccshm_blocks_pfn(const struct ccshm_blocks *blocks,
			       unsigned long index, unsigned long *run)
{
	unsigned long low = 0, high = blocks->nr;
	const struct ccshm_block *block;

	/* The last block that starts at or before index. */
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
