// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: which pages a buffer gets. They come private from the page allocator,
 * as large as it has them, and go back to it whole.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "ccshm.h"

/* Two units at once where the allocator has such: half as many blocks. */
#define LARGE_ORDER	(CCSHM_UNIT_ORDER + 1)

/*
 * __GFP_RETRY_MAYFAIL: rather fail than have somebody killed. Anything between
 * a unit and order 3 is a fallback that is not worth compaction.
 */
static gfp_t block_gfp(unsigned int order, int node)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;

	if (order == CCSHM_UNIT_ORDER || order <= PAGE_ALLOC_COSTLY_ORDER)
		gfp |= __GFP_RETRY_MAYFAIL;
	else
		gfp |= __GFP_NORETRY;
	if (node != NUMA_NO_NODE)
		gfp |= __GFP_THISNODE;
	/* Elsewhere the host cannot read what the pages held. */
	if (ccshm_contents_survive())
		gfp |= __GFP_ZERO;
	return gfp;
}

static struct page *block_pages(unsigned int order, int node)
{
	gfp_t gfp = block_gfp(order, node);

	if (node == NUMA_NO_NODE)
		return alloc_pages(gfp, order);
	return alloc_pages_node(node, gfp, order);
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
 * How large a block for @left pages, not above @limit. A tail takes a whole
 * unit: to convert less would split a leaf of the direct map for good.
 */
static unsigned int block_order(unsigned long left, unsigned int limit)
{
	if (limit >= CCSHM_UNIT_ORDER)
		return left > CCSHM_UNIT_PAGES ? limit : CCSHM_UNIT_ORDER;
	return min_t(unsigned int, limit, ilog2(left));
}

/* The largest that there is; @limit remembers what was found missing. */
static struct page *block_take(unsigned long left, unsigned int *limit,
			       unsigned int *order, int node)
{
	struct page *page;

	for (;;) {
		*order = block_order(left, *limit);
		page = block_pages(*order, node);
		if (page || !*order)
			return page;
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

/**
 * ccshm_blocks_alloc - take private pages from the kernel
 * @blocks: all zero but for @interruptible
 * @pages: at least so many
 * @node: NUMA node, or NUMA_NO_NODE
 *
 * Return: 0, -ENOMEM or -EINTR (a signal); then @blocks is empty.
 */
int ccshm_blocks_alloc(struct ccshm_blocks *blocks, unsigned long pages, int node)
{
	unsigned int limit = LARGE_ORDER, order;
	unsigned long capacity = 0;
	int err = -ENOMEM;

	/* Not to find out by driving everybody else out of memory. */
	if (pages > (unsigned long)max(si_mem_available(), 0L))
		return -ENOMEM;

	while (blocks->pages < pages) {
		struct page *page;

		if (ccshm_blocks_interrupted(blocks)) {
			err = -EINTR;
			goto discard;
		}
		err = -ENOMEM;
		page = block_take(pages - blocks->pages, &limit, &order, node);
		if (!page)
			goto discard;
		err = blocks_push(blocks, &capacity, page, order);
		if (err) {
			__free_pages(page, order);
			goto discard;
		}
		cond_resched();
	}
	blocks_order(blocks);
	return 0;

discard:
	ccshm_blocks_discard(blocks);
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
	kvfree(blocks->block);
	*blocks = (struct ccshm_blocks){};
}

/**
 * ccshm_blocks_pfn - where a page of a buffer is
 * @blocks: the buffer's memory
 * @index: of the page in the buffer
 * @run: out, if not NULL: pages from there to the end of the block
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
