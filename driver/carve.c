// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carving: a small buffer, or the end of a large one, gets pages of a unit that
 * is shared already. All buffers in one carved block have the same payer and the
 * same owner; the block is charged, and goes back, as a whole.
 */
#include <linux/bitmap.h>
#include <linux/cpuset.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "memory.h"

/**
 * struct place - what the blocks with free pages are sorted by
 * @payer: whose block it is
 * @node: NUMA node that it is in
 * @low: it is below 4 GiB
 * @longest: pages of its longest free run
 */
struct place {
	struct ccshm_payer payer;
	int node;
	bool low;
	unsigned int longest;
};

/**
 * struct ccshm_carved - a block of one unit that is carved
 * @blocks: the memory of the block, shared
 * @place: where it is in the tree (carve_lock, but for the payer)
 * @link: of the tree of blocks with free pages (carve_lock)
 * @used: which pages buffers have (carve_lock)
 */
struct ccshm_carved {
	struct ccshm_blocks blocks;
	struct place place;
	struct rb_node link;
	DECLARE_BITMAP(used, CCSHM_UNIT_PAGES);
};

/* Blocks with free pages, so that one with room is found without a search. */
static struct rb_root room_tree = RB_ROOT;
static DEFINE_MUTEX(carve_lock);
static atomic64_t blocks_carved, pages_carved;

/* Below 0, 0 or above it, as of memcmp(). */
static int compare_numbers(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int compare_payers(const struct ccshm_payer *a, const struct ccshm_payer *b)
{
	return compare_numbers(__kuid_val(a->uid), __kuid_val(b->uid)) ?:
	       compare_numbers(__kuid_val(a->owner), __kuid_val(b->owner)) ?:
	       compare_numbers(a->cgroup, b->cgroup);
}

/* But for the longest run. */
static int compare_places(const struct place *a, const struct place *b)
{
	return compare_payers(&a->payer, &b->payer) ?:
	       compare_numbers(a->node, b->node) ?:
	       compare_numbers(a->low, b->low);
}

static int compare_places_and_room(const struct place *a, const struct place *b)
{
	return compare_places(a, b) ?: compare_numbers(a->longest, b->longest);
}

static struct page *carved_page(const struct ccshm_carved *carved)
{
	return carved->blocks.block[0].page;
}

static void room_insert(struct ccshm_carved *carved)
{
	struct rb_node **at = &room_tree.rb_node, *parent = NULL;

	lockdep_assert_held(&carve_lock);
	while (*at) {
		parent = *at;
		if (compare_places_and_room(&carved->place,
					    &rb_entry(parent, struct ccshm_carved,
						      link)->place) < 0)
			at = &parent->rb_left;
		else
			at = &parent->rb_right;
	}
	rb_link_node(&carved->link, parent, at);
	rb_insert_color(&carved->link, &room_tree);
}

static void room_erase(struct ccshm_carved *carved)
{
	lockdep_assert_held(&carve_lock);
	if (!RB_EMPTY_NODE(&carved->link))
		rb_erase(&carved->link, &room_tree);
	RB_CLEAR_NODE(&carved->link);
}

/* The block of that place with the least room that is enough. */
static struct ccshm_carved *room_find(const struct place *least)
{
	struct ccshm_carved *found = NULL;
	struct rb_node *at = room_tree.rb_node;

	lockdep_assert_held(&carve_lock);
	while (at) {
		struct ccshm_carved *carved = rb_entry(at, struct ccshm_carved, link);

		if (compare_places_and_room(&carved->place, least) < 0) {
			at = at->rb_right;
		} else {
			found = carved;
			at = at->rb_left;
		}
	}
	return found && !compare_places(&found->place, least) ? found : NULL;
}

/* Memory below 4 GiB is left to those who need it. */
static struct ccshm_carved *carved_find_node(unsigned int pages, int node,
					     const struct ccshm_wish *wish)
{
	struct place least = {
		.payer = *wish->payer, .node = node, .low = wish->dma32,
		.longest = pages,
	};
	struct ccshm_carved *carved = room_find(&least);

	if (carved || wish->dma32)
		return carved;
	least.low = true;
	return room_find(&least);
}

/* A near one if there is; of the nodes that the caller's cpuset allows. */
static struct ccshm_carved *carved_find(unsigned int pages,
					const struct ccshm_wish *wish)
{
	struct ccshm_carved *carved = NULL;
	int node = wish->node;

	if (node != NUMA_NO_NODE)
		return carved_find_node(pages, node, wish);
	if (node_isset(numa_mem_id(), cpuset_current_mems_allowed))
		carved = carved_find_node(pages, numa_mem_id(), wish);
	if (carved)
		return carved;
	for_each_node_state(node, N_MEMORY) {
		if (!node_isset(node, cpuset_current_mems_allowed))
			continue;
		carved = carved_find_node(pages, node, wish);
		if (carved)
			return carved;
	}
	return NULL;
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
	room_erase(carved);
	carved->place.longest = longest_free(carved->used);
	if (carved->place.longest)
		room_insert(carved);
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

/* A new block, which nobody else knows yet. */
static struct ccshm_carved *carved_new(const struct ccshm_wish *wish)
{
	struct ccshm_carved *carved;
	int err;

	carved = kzalloc(sizeof(*carved), GFP_KERNEL_ACCOUNT);
	if (!carved)
		return ERR_PTR(-ENOMEM);
	RB_CLEAR_NODE(&carved->link);
	if (!ccshm_blocks_available(CCSHM_UNIT_PAGES)) {
		err = -ENOMEM;
		goto free;
	}
	err = ccshm_blocks_take_one(&carved->blocks, CCSHM_UNIT_PAGES, wish);
	if (err) {
		ccshm_blocks_discard(&carved->blocks);
		goto free;
	}
	carved->place = (struct place){
		.payer = *wish->payer,
		.node = page_to_nid(carved_page(carved)),
		.low = ccshm_pages_dma32(carved_page(carved), CCSHM_UNIT_PAGES),
	};
	err = ccshm_convert_share(&carved->blocks, wish->interruptible);
	if (err) {
		ccshm_convert_unshare(&carved->blocks);
		goto free;
	}
	atomic64_inc(&blocks_carved);
	return carved;

free:
	kfree(carved);
	return ERR_PTR(err);
}

/**
 * ccshm_carve - give a buffer pages of a block that is shared already
 * @slice: out: the pages
 * @pages: less than a unit
 * @wish: for whom, and where
 * @fresh: share a new block if there is none with room
 *
 * The pages are zero, whoever had them.
 *
 * Return: 0; -ENOMEM (no block with room, and none can be made), -EDQUOT or -ENOSPC
 * (none may be made), -EINTR, -EIO or -EBUSY, as of ccshm_convert_share().
 */
int ccshm_carve(struct ccshm_slice *slice, unsigned int pages,
		const struct ccshm_wish *wish, bool fresh)
{
	struct ccshm_carved *carved;

	mutex_lock(&carve_lock);
	carved = carved_find(pages, wish);
	if (carved)
		*slice = carved_take(carved, pages);
	mutex_unlock(&carve_lock);

	if (!carved) {
		if (!fresh)
			return -ENOMEM;
		carved = carved_new(wish);
		if (IS_ERR(carved))
			return PTR_ERR(carved);
		mutex_lock(&carve_lock);
		*slice = carved_take(carved, pages);
		mutex_unlock(&carve_lock);
		slice->conversions = carved->blocks.conversions;
	}
	ccshm_convert_zero(ccshm_carve_page(slice), pages);
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
		room_erase(carved);
	else
		carved_update(carved);
	mutex_unlock(&carve_lock);

	atomic64_sub(slice->pages, &pages_carved);
	*slice = (struct ccshm_slice){};
	if (!empty)
		return;
	ccshm_convert_unshare(&carved->blocks);
	atomic64_dec(&blocks_carved);
	kfree(carved);
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
