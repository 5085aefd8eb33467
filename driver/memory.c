// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a buffer: which of its pages are blocks of its own, and which are carved.
 *
 * Whole units are blocks of the buffer. A remainder smaller than a unit is carved from a
 * unit that buffers of the same payer share, because converting less than a unit splits
 * a leaf of the direct map permanently. Blocks smaller than a unit are the fallback when
 * the page allocator has no unit left.
 */
#include <linux/mm.h>

#include "memory.h"

/*
 * Carve the last @pages of the memory, or take blocks smaller than a unit for them. A new
 * block whose conversion is refused moves to @refused.
 */
static int memory_take_tail(struct ccshm_memory *memory, unsigned long pages,
			    unsigned int *max_order, const struct ccshm_wish *wish,
			    struct ccshm_blocks *refused)
{
	bool fresh = *max_order >= CCSHM_UNIT_ORDER;
	int err = ccshm_carve(&memory->slice, pages, wish, fresh, refused);

	if (err != -ENOMEM || wish->whole_units ||
	    (fresh && ccshm_blocks_cgroup_full(wish)))
		return err;
	if (wish->contiguous)
		return ccshm_blocks_take_one(&memory->blocks, pages, wish);
	*max_order = min_t(unsigned int, *max_order, CCSHM_UNIT_ORDER - 1);
	return ccshm_blocks_fill(&memory->blocks, wish->pages, max_order, wish);
}

/*
 * Take the first @whole pages of the memory: units of the pool, and private blocks; or, if it
 * has to be contiguous, one block for all pages.
 */
static int memory_take_whole(struct ccshm_memory *memory, unsigned long whole,
			     unsigned int *max_order, const struct ccshm_wish *wish)
{
	struct ccshm_blocks *blocks = &memory->blocks;
	int err = 0;

	if (!wish->contiguous || wish->pages == CCSHM_UNIT_PAGES)
		err = ccshm_pool_take(blocks, whole / CCSHM_UNIT_PAGES, wish);
	if (err || blocks->pages == whole)
		return err;
	if (!ccshm_blocks_available(whole - blocks->pages))
		return -ENOMEM;
	if (wish->contiguous)
		return ccshm_blocks_take_one(blocks, wish->pages, wish);
	return ccshm_blocks_fill(blocks, whole, max_order, wish);
}

/*
 * Take private blocks and units of the pool, and carve the tail. On failure leave in @memory
 * only a block whose conversion was refused: the caller frees it in a work item, which
 * converts it back.
 */
static int memory_take(struct ccshm_memory *memory, const struct ccshm_wish *wish)
{
	unsigned long tail = wish->pages % CCSHM_UNIT_PAGES;
	unsigned long whole = wish->pages - tail;
	unsigned int max_order = CCSHM_LARGE_ORDER;
	struct ccshm_blocks refused = {};
	int err = 0;

	if (whole)
		err = memory_take_whole(memory, whole, &max_order, wish);
	if (!err && tail && !(whole && wish->contiguous))
		err = memory_take_tail(memory, tail, &max_order, wish, &refused);
	if (!err) {
		ccshm_blocks_sort(&memory->blocks);
		return 0;
	}
	ccshm_pool_put(&memory->blocks, true);
	ccshm_convert_unshare(&memory->blocks);
	memory->blocks = refused;
	return err;
}

/*
 * If the limit of all users refused an allocation, and the pool has so much idle memory that it
 * would not have, let the pool give that back. Return whether it did.
 */
static bool memory_drain_pool(const struct ccshm_wish *wish, int err)
{
	unsigned long pages = round_up(wish->pages, CCSHM_UNIT_PAGES);
	u64 excess = err == -ENOSPC ? ccshm_limit_total_excess(pages) : 0;

	if (!excess || excess > ccshm_pool_unused())
		return false;
	return ccshm_pool_drain(DIV_ROUND_UP(excess, CCSHM_UNIT_PAGES),
				wish->interruptible);
}

/* Take memory; after a failure, wait for memory that is being given back if that helps. */
static int memory_take_or_wait(struct ccshm_memory *memory,
			       const struct ccshm_wish *wish)
{
	/* A remainder smaller than a unit may need no new block. */
	unsigned long least = max(wish->pages & ~(CCSHM_UNIT_PAGES - 1), 1UL);
	struct ccshm_limit_wait wait;
	int err;

	ccshm_limit_wait_begin(&wait);
	do {
		err = memory_take(memory, wish);
		if (err && memory_drain_pool(wish, err))
			err = memory_take(memory, wish);
		if (err != -ENOMEM && !ccshm_limit_refuses(err))
			return err;
		err = ccshm_limit_wait(&wait, wish->payer->uid, err, least,
				       wish->interruptible);
	} while (!err);
	return err;
}

/**
 * ccshm_memory_alloc - allocate memory that is shared and zeroed
 * @memory: all zero
 * @wish: memory that is wanted; the last block can be larger than needed
 *
 * After an error @memory can hold blocks that may be shared: call ccshm_memory_free().
 *
 * Return: 0; -ENOMEM; -EDQUOT or -ENOSPC (a limit was reached); -EINTR (a signal);
 * -EIO (the platform refused to share the memory); -EBUSY (sharing is stopped).
 */
int ccshm_memory_alloc(struct ccshm_memory *memory, const struct ccshm_wish *wish)
{
	int err = memory_take_or_wait(memory, wish);

	if (err)
		return err;
	return ccshm_convert_share(&memory->blocks, wish->interruptible);
}

/**
 * ccshm_memory_free - return memory to the pool, or make it private and give it back
 * @memory: memory that nothing can access any more; empty afterwards
 */
void ccshm_memory_free(struct ccshm_memory *memory)
{
	ccshm_pool_put(&memory->blocks, false);
	ccshm_convert_unshare(&memory->blocks);
	ccshm_carve_put(&memory->slice);
}

/* Return the number of pages that freeing the memory is likely to uncharge. */
unsigned long ccshm_memory_returning(const struct ccshm_memory *memory)
{
	unsigned long pages = memory->blocks.charged;

	/* The carved block is freed with its last slice. */
	if (memory->slice.pages)
		pages += CCSHM_UNIT_PAGES;
	return pages;
}

/* Check whether some of the memory may be shared, so that ccshm_memory_free() converts. */
bool ccshm_memory_is_shared(const struct ccshm_memory *memory)
{
	return memory->blocks.tried || memory->slice.pages;
}

/**
 * ccshm_memory_pfn - look up a page
 * @memory: memory of a buffer
 * @index: index of the page in the buffer
 * @run: out, if not NULL: number of pages from there to the end of the block or slice
 *
 * Return: its page frame number.
 */
unsigned long ccshm_memory_pfn(const struct ccshm_memory *memory,
			       unsigned long index, unsigned long *run)
{
	const struct ccshm_slice *slice = &memory->slice;

	if (!ccshm_memory_is_carved(memory, index))
		return ccshm_blocks_pfn(&memory->blocks, index, run);
	index -= memory->blocks.pages;
	if (run)
		*run = slice->pages - index;
	return page_to_pfn(ccshm_carve_page(slice)) + index;
}
