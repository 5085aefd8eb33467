// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carving: a small buffer, or the tail of a large one, gets pages of a block of one unit
 * that is shared already. All buffers in a carved block have the same payer, owner and
 * memory cgroup. The block is charged and given back as a whole.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include "memory.h"

/**
 * struct place - key by which blocks with free pages are sorted
 * @payer: payer of the block
 * @node: NUMA node of the block
 * @low: the block is below 4 GiB
 * @longest: number of pages of the longest free run in the block
 */
struct place {
	struct ccshm_payer payer;
	int node;
	bool low;
	unsigned int longest;
};

/**
 * struct ccshm_carved - block of one unit from which pages are carved
 * @blocks: shared memory of the block
 * @place: key in room_tree (carve_lock; @place.payer never changes)
 * @link: node of room_tree (carve_lock)
 * @used: bitmap of the pages that belong to buffers (carve_lock)
 */
struct ccshm_carved {
	struct ccshm_blocks blocks;
	struct place place;
	struct rb_node link;
	DECLARE_BITMAP(used, CCSHM_UNIT_PAGES);
};

/* Blocks with free pages, sorted by struct place (carve_lock). */
static struct rb_root room_tree = RB_ROOT;
static DEFINE_MUTEX(carve_lock);
static atomic64_t blocks_carved, pages_carved;

/* Compare as memcmp() does. */
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

/* Compare all of the key except @longest. */
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

/* Return the first page of a carved block. */
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

/* Find the block with the smallest sufficient free run, other keys as in @least. */
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

/* Find a block on a node; use a block below 4 GiB only if there is no other. */
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

static struct ccshm_carved *carved_find(unsigned int pages,
					const struct ccshm_wish *wish)
{
	struct ccshm_carved *carved = NULL;
	int nr, node;

	for (nr = -1; !carved && nr < (int)nr_node_ids; nr++) {
		node = ccshm_wish_node(wish, nr);
		if (node != NUMA_NO_NODE)
			carved = carved_find_node(pages, node, wish);
	}
	return carved;
}

/* Return the length of the longest free run. */
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

/* Update the position of a block in room_tree after a change of @used. */
static void carved_update(struct ccshm_carved *carved)
{
	lockdep_assert_held(&carve_lock);
	room_erase(carved);
	carved->place.longest = longest_free(carved->used);
	if (carved->place.longest)
		room_insert(carved);
}

/* Take a free run of a block that has one of at least @pages. */
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

/* Take a unit of the pool, or allocate a block. */
static int carved_fill(struct ccshm_blocks *blocks, const struct ccshm_wish *wish)
{
	int err = ccshm_pool_take(blocks, 1, wish);

	if (err || blocks->nr)
		return err;
	if (!ccshm_blocks_available(CCSHM_UNIT_PAGES))
		return -ENOMEM;
	return ccshm_blocks_take_one(blocks, CCSHM_UNIT_PAGES, wish);
}

/*
 * Get and share a new block, which no other caller can find yet. If its conversion is
 * refused, the block moves to @refused.
 */
static struct ccshm_carved *carved_new(const struct ccshm_wish *wish,
				       struct ccshm_blocks *refused)
{
	struct ccshm_carved *carved;
	int err;

	carved = kzalloc(sizeof(*carved), GFP_KERNEL_ACCOUNT);
	if (!carved)
		return ERR_PTR(-ENOMEM);
	RB_CLEAR_NODE(&carved->link);
	err = carved_fill(&carved->blocks, wish);
	if (err) {
		ccshm_pool_put(&carved->blocks, true);
		ccshm_convert_unshare(&carved->blocks);
		goto free;
	}
	carved->place = (struct place){
		.payer = *wish->payer,
		.node = page_to_nid(carved_page(carved)),
		.low = ccshm_pages_dma32(carved_page(carved), CCSHM_UNIT_PAGES),
	};
	err = ccshm_convert_share(&carved->blocks, wish->interruptible);
	if (err) {
		*refused = carved->blocks;
		goto free;
	}
	atomic64_inc(&blocks_carved);
	return carved;

free:
	kfree(carved);
	return ERR_PTR(err);
}

/**
 * ccshm_carve - take pages of a block that is shared already
 * @slice: out: pages, which are zeroed
 * @pages: number of pages, less than a unit
 * @wish: where, how, and for whom
 * @fresh: share a new block if no block has room
 * @refused: out: after an error, a new block that may be shared, or none; the caller calls
 *	ccshm_convert_unshare() for it
 *
 * Return: 0; -ENOMEM (no block has room, and no new one was allocated); -EDQUOT or
 * -ENOSPC (a limit refused a new block); -EINTR, -EIO or -EBUSY as
 * ccshm_convert_share().
 */
int ccshm_carve(struct ccshm_slice *slice, unsigned int pages,
		const struct ccshm_wish *wish, bool fresh,
		struct ccshm_blocks *refused)
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
		carved = carved_new(wish, refused);
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
 * ccshm_carve_put - release carved pages
 * @slice: pages that nothing can access any more, or none; empty afterwards
 *
 * The block is made private and given back with its last slice. Until then the host can
 * read it: the pages are zeroed, at most 2 MiB, with no lock held.
 */
void ccshm_carve_put(struct ccshm_slice *slice)
{
	struct ccshm_carved *carved = slice->block;
	bool empty;

	if (!carved)
		return;
	ccshm_convert_zero(ccshm_carve_page(slice), slice->pages);
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
	ccshm_pool_put(&carved->blocks, true);
	ccshm_convert_unshare(&carved->blocks);
	atomic64_dec(&blocks_carved);
	kfree(carved);
}

/* Return the first page of a slice. */
struct page *ccshm_carve_page(const struct ccshm_slice *slice)
{
	return carved_page(slice->block) + slice->first;
}

void ccshm_carve_stats(struct ccshm_carve_stats *stats)
{
	stats->blocks = atomic64_read(&blocks_carved);
	stats->pages = atomic64_read(&pages_carved);
}
