// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carving: a small buffer, or the end of a large one, gets pages of a unit that
 * is shared already. All buffers in one carved block have the same payer and the
 * same owner; the block is charged, and goes back, as a whole.
 */
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "ccshm.h"

/**
 * struct ccshm_carved - a block of one unit that is carved
 * @blocks: it, shared
 * @payer: holds a reference to the cgroup
 * @link: of the table of blocks with free pages (carve_lock)
 * @longest: pages of the longest free run (carve_lock)
 * @used: which pages buffers have (carve_lock)
 */
struct ccshm_carved {
	struct ccshm_blocks blocks;
	struct ccshm_payer payer;
	struct hlist_node link;
	unsigned int longest;
	DECLARE_BITMAP(used, CCSHM_UNIT_PAGES);
};

/* Blocks with free pages, by their payer. */
static DEFINE_HASHTABLE(partly, 8);
static DEFINE_MUTEX(carve_lock);
static atomic64_t blocks_carved, pages_carved;

static u32 payer_hash(const struct ccshm_payer *payer)
{
	return hash_ptr(payer->cgroup, 32) ^ hash_32(__kuid_val(payer->uid), 32) ^
	       __kuid_val(payer->owner);
}

static bool payer_eq(const struct ccshm_payer *a, const struct ccshm_payer *b)
{
	return uid_eq(a->uid, b->uid) && uid_eq(a->owner, b->owner) &&
	       a->cgroup == b->cgroup;
}

static struct page *carved_page(const struct ccshm_carved *carved)
{
	return carved->blocks.block[0].page;
}

static bool carved_suits(const struct ccshm_carved *carved, unsigned int pages,
			 const struct ccshm_wish *wish)
{
	struct page *page = carved_page(carved);

	return carved->longest >= pages && payer_eq(&carved->payer, wish->payer) &&
	       (wish->node == NUMA_NO_NODE || page_to_nid(page) == wish->node) &&
	       (!wish->dma32 || ccshm_pages_dma32(page, CCSHM_UNIT_PAGES));
}

/* A near one if there is. */
static struct ccshm_carved *carved_find(unsigned int pages,
					const struct ccshm_wish *wish)
{
	struct ccshm_carved *carved, *found = NULL;

	hash_for_each_possible(partly, carved, link, payer_hash(wish->payer)) {
		if (!carved_suits(carved, pages, wish))
			continue;
		if (page_to_nid(carved_page(carved)) == numa_mem_id())
			return carved;
		if (!found)
			found = carved;
	}
	return found;
}

static unsigned int longest_free(const unsigned long *used)
{
	unsigned int start, end = 0, longest = 0;

	for (;;) {
		start = find_next_zero_bit(used, CCSHM_UNIT_PAGES, end);
		if (start >= CCSHM_UNIT_PAGES)
			return longest;
		end = find_next_bit(used, CCSHM_UNIT_PAGES, start);
		longest = max(longest, end - start);
	}
}

/* What was marked in @used has changed. */
static void carved_update(struct ccshm_carved *carved)
{
	lockdep_assert_held(&carve_lock);
	carved->longest = longest_free(carved->used);
	if (!carved->longest)
		hash_del(&carved->link);
	else if (!hash_hashed(&carved->link))
		hash_add(partly, &carved->link, payer_hash(&carved->payer));
}

/* One piece, in a block that has it. */
static struct ccshm_slice carved_take(struct ccshm_carved *carved,
				      unsigned int pages)
{
	unsigned int first;

	lockdep_assert_held(&carve_lock);
	first = bitmap_find_next_zero_area(carved->used, CCSHM_UNIT_PAGES, 0,
					   pages, 0);
	bitmap_set(carved->used, first, pages);
	carved_update(carved);
	atomic64_add(pages, &pages_carved);
	return (struct ccshm_slice){
		.block = carved, .first = first, .pages = pages,
	};
}

static void carved_free(struct ccshm_carved *carved)
{
	ccshm_memory_cgroup_put(carved->payer.cgroup);
	kfree(carved);
}

/* A new block, which nobody else knows yet. */
static struct ccshm_carved *carved_new(const struct ccshm_wish *wish,
				       bool interruptible)
{
	const struct ccshm_wish unit = {
		.pages = CCSHM_UNIT_PAGES,
		.node = wish->node,
		.dma32 = wish->dma32,
		.contiguous = true,
		.payer = wish->payer,
	};
	struct ccshm_carved *carved;
	int err;

	carved = kzalloc(sizeof(*carved), GFP_KERNEL_ACCOUNT);
	if (!carved)
		return ERR_PTR(-ENOMEM);
	carved->payer = *wish->payer;
	ccshm_memory_cgroup_ref(carved->payer.cgroup);
	carved->blocks.interruptible = interruptible;
	err = ccshm_blocks_alloc(&carved->blocks, &unit);
	if (!err)
		err = ccshm_convert_share(&carved->blocks);
	if (err) {
		carved_free(carved);
		return ERR_PTR(err);
	}
	atomic64_inc(&blocks_carved);
	return carved;
}

/**
 * ccshm_carve - give a buffer pages of a block that is shared already
 * @blocks: the buffer's memory, in which @slice is set
 * @pages: less than a unit
 * @wish: for whom, and where
 * @fresh: share a new block if there is none with room
 *
 * The pages are zero, whoever had them.
 *
 * Return: 0; -ENOMEM (no block with room, and none can be made), -EDQUOT or -ENOSPC
 * (none may be made), -EINTR or -EIO, as of ccshm_convert_share().
 */
int ccshm_carve(struct ccshm_blocks *blocks, unsigned int pages,
		const struct ccshm_wish *wish, bool fresh)
{
	struct ccshm_carved *carved;

	mutex_lock(&carve_lock);
	carved = carved_find(pages, wish);
	if (carved)
		blocks->slice = carved_take(carved, pages);
	mutex_unlock(&carve_lock);

	if (!carved) {
		if (!fresh)
			return -ENOMEM;
		carved = carved_new(wish, blocks->interruptible);
		if (IS_ERR(carved))
			return PTR_ERR(carved);
		blocks->conversions += carved->blocks.conversions;
		mutex_lock(&carve_lock);
		blocks->slice = carved_take(carved, pages);
		mutex_unlock(&carve_lock);
	}
	ccshm_convert_zero(ccshm_carve_page(&blocks->slice), pages);
	return 0;
}

/**
 * ccshm_carve_put - nobody reaches these pages any more
 * @slice: them, or none; the last of a block gives it back
 */
void ccshm_carve_put(struct ccshm_slice *slice)
{
	struct ccshm_carved *carved = slice->block;
	bool empty;

	if (!carved)
		return;
	mutex_lock(&carve_lock);
	bitmap_clear(carved->used, slice->first, slice->pages);
	empty = bitmap_empty(carved->used, CCSHM_UNIT_PAGES);
	if (empty)
		hash_del(&carved->link);
	else
		carved_update(carved);
	mutex_unlock(&carve_lock);

	atomic64_sub(slice->pages, &pages_carved);
	*slice = (struct ccshm_slice){};
	if (!empty)
		return;
	ccshm_convert_unshare(&carved->blocks);
	atomic64_dec(&blocks_carved);
	carved_free(carved);
}

/* The first page of a slice. */
struct page *ccshm_carve_page(const struct ccshm_slice *slice)
{
	return carved_page(slice->block) + slice->first;
}

void ccshm_carve_stats(struct ccshm_carve_stats *stats)
{
	stats->blocks = atomic64_read(&blocks_carved);
	stats->pages = atomic64_read(&pages_carved);
}
