// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: which pages a buffer gets. They come private from the page allocator,
 * as large as it has them, and go back to it whole.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "ccshm.h"

/* Type of this machine; set when the module is loaded, before anything is allocated. */
enum ccshm_platform ccshm_platform;

/* Two units at once where the allocator has such: half as many blocks. */
#define LARGE_ORDER	(CCSHM_UNIT_ORDER + 1)

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
static bool unit_is_unpaid(const struct ccshm_wish *wish)
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

/* The largest that there is; @limit remembers what was found missing. */
static struct page *block_take(unsigned long left, unsigned int *limit,
			       unsigned int *order, const struct ccshm_wish *wish)
{
	struct page *page;

	for (;;) {
		*order = min_t(unsigned int, *limit, ilog2(left));
		page = block_pages(*order, wish);
		if (page || !*order)
			return page;
		if (*order == CCSHM_UNIT_ORDER &&
		    (wish->whole_units || unit_is_unpaid(wish)))
			return NULL;
		*limit = *order - 1;
	}
}

static int compare_blocks(const void *a, const void *b)
{
	unsigned long x = page_to_pfn(((const struct ccshm_block *)a)->page);
	unsigned long y = page_to_pfn(((const struct ccshm_block *)b)->page);

	return x < y ? -1 : x > y;
}

/* By address, so that neighbours are converted in one call and mapped as one. */
static void blocks_order(struct ccshm_blocks *blocks)
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
static int blocks_fill(struct ccshm_blocks *blocks, unsigned long pages,
		       unsigned int *limit, const struct ccshm_wish *wish)
{
	unsigned long capacity = blocks->nr;
	unsigned int order;
	int err;

	err = blocks_charge(blocks, pages - blocks->pages, wish);
	if (err)
		return err;
	while (blocks->pages < pages) {
		struct page *page;

		if (ccshm_blocks_interrupted(blocks))
			return -EINTR;
		page = block_take(pages - blocks->pages, limit, &order, wish);
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
static int blocks_one(struct ccshm_blocks *blocks, unsigned long pages,
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

/*
 * What is less than a unit is carved: to convert less would split a leaf of the
 * direct map for good. Where there is no unit any more that is the smaller evil.
 */
static int blocks_tail(struct ccshm_blocks *blocks, unsigned long pages,
		       unsigned int *limit, const struct ccshm_wish *wish)
{
	bool fresh = *limit >= CCSHM_UNIT_ORDER;
	int err = ccshm_carve(blocks, pages, wish, fresh);

	if (err != -ENOMEM || wish->whole_units || (fresh && unit_is_unpaid(wish)))
		return err;
	if (wish->contiguous)
		return blocks_one(blocks, pages, wish);
	*limit = min_t(unsigned int, *limit, CCSHM_UNIT_ORDER - 1);
	return blocks_fill(blocks, wish->pages, limit, wish);
}

/**
 * ccshm_blocks_alloc - take private pages from the kernel, and carve the rest
 * @blocks: all zero but for @interruptible
 * @wish: what is wanted; all of it will be there, and more only in its last block
 *
 * Return: 0, -ENOMEM, -EDQUOT or -ENOSPC (a limit), -EINTR (a signal), -EIO or
 * -EBUSY (a block to be carved could not be shared); then @blocks is empty.
 */
int ccshm_blocks_alloc(struct ccshm_blocks *blocks, const struct ccshm_wish *wish)
{
	unsigned long tail = wish->carve ? wish->pages % CCSHM_UNIT_PAGES : 0;
	unsigned long whole = wish->pages - tail;
	unsigned int limit = LARGE_ORDER;
	int err = 0;

	/* Not to find out by driving everybody else out of memory. */
	if (whole > (unsigned long)max(si_mem_available(), 0L))
		return -ENOMEM;

	if (whole && wish->contiguous) {
		err = blocks_one(blocks, wish->pages, wish);
		tail = 0;
	} else if (whole) {
		err = blocks_fill(blocks, whole, &limit, wish);
	}
	if (!err && tail)
		err = blocks_tail(blocks, tail, &limit, wish);
	if (err)
		ccshm_blocks_discard(blocks);
	else
		blocks_order(blocks);
	return err;
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
	ccshm_carve_put(&blocks->slice);
	ccshm_limit_uncharge(blocks->payer, blocks->charged);
	kvfree(blocks->block);
	*blocks = (struct ccshm_blocks){};
}

static unsigned long slice_pfn(const struct ccshm_slice *slice,
			       unsigned long index, unsigned long *run)
{
	if (run)
		*run = slice->pages - index;
	return page_to_pfn(ccshm_carve_page(slice)) + index;
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

	if (index >= blocks->pages)
		return slice_pfn(&blocks->slice, index - blocks->pages, run);

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
