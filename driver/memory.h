/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory: accounting, blocks, conversions, carving, and the memory of a buffer. Nothing
 * here knows objects; ccshm.h includes this header. Each part calls only parts that are
 * declared before it.
 */
#ifndef CCSHM_MEMORY_H
#define CCSHM_MEMORY_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "units.h"

/* The largest block that the page allocator can return. */
#define CCSHM_CONTIGUOUS_MAX	((u64)MAX_ORDER_NR_PAGES << PAGE_SHIFT)

/* The platform of this machine; set when the module is loaded. */
extern enum ccshm_platform ccshm_platform;

/* Return true if a signal ends the caller's wait or its allocation. */
static inline bool ccshm_interrupted(bool interruptible)
{
	return interruptible ? signal_pending(current) :
			       fatal_signal_pending(current);
}

/* limit.c: accounting and limits */

/* Pays for idle memory of the pool, which counts in the total of all users only. */
#define CCSHM_POOL_PAYER	INVALID_UID

/**
 * struct ccshm_usage - what is charged to a user, or to all users together
 * @pages: charged pages: blocks of buffers, carved blocks, and quarantined blocks
 * @leaked: leaked pages
 * @returning: charged pages of buffers whose memory is being given back
 * @objects: number of objects of each enum ccshm_type; of buffers those with memory
 * @importers: devices attached to exports
 * @ending: buffers whose memory is being given back
 * @kept: buffers, also those without memory that a revoked export still refers to; keeps
 *	the account of a user for @importers
 */
struct ccshm_usage {
	u64 pages;
	u64 leaked;
	u64 returning;
	u32 objects[4];
	u32 importers;
	u32 ending;
	u32 kept;
};

/**
 * struct ccshm_limit_return - buffer whose memory is being given back
 * @give_back: gives the memory back, and calls ccshm_limit_returned(); called by a work
 *	item of the payer, and may free the return
 * @link: entry in the list of all returns
 * @queue: entry in the queue of the payer
 * @ticket: sequence number of the return
 * @uid: payer of the buffer
 * @pages: number of pages that are likely to be uncharged
 */
struct ccshm_limit_return {
	void (*give_back)(struct ccshm_limit_return *r);
	struct list_head link;
	struct list_head queue;
	u64 ticket;
	kuid_t uid;
	unsigned long pages;
};

/**
 * struct ccshm_limit_wait - wait for memory that is being given back
 * @until: ticket of the youngest return that the wait is for
 * @seen: number of returned buffers before the attempt that failed
 * @last: that attempt began after all these returns, and is not repeated
 */
struct ccshm_limit_wait {
	u64 until;
	u64 seen;
	bool last;
};

/**
 * struct ccshm_limit_refusal - limit that refused an allocation or an export
 * @uid: user that was refused
 * @quota: limit
 * @asked: bytes that were asked for, or 1 buffer or export
 * @used: what counted against the limit, in the same unit
 * @limit: value of the limit, in the same unit
 */
struct ccshm_limit_refusal {
	kuid_t uid;
	enum ccshm_quota quota;
	u64 asked;
	u64 used;
	u64 limit;
};

int ccshm_limit_charge(kuid_t uid, unsigned long pages);
void ccshm_limit_uncharge(kuid_t uid, unsigned long pages);
u64 ccshm_limit_total_excess(unsigned long pages);
int ccshm_limit_pool_take(kuid_t uid, unsigned long pages);
void ccshm_limit_pool_put(kuid_t uid, unsigned long pages);
void ccshm_limit_leak(kuid_t uid, unsigned long pages);
void ccshm_limit_returning(struct ccshm_limit_return *r, kuid_t uid,
			   unsigned long pages);
void ccshm_limit_queue_return(struct ccshm_limit_return *r);
void ccshm_limit_returned(struct ccshm_limit_return *r);
void ccshm_limit_drain(void);
void ccshm_limit_wait_begin(struct ccshm_limit_wait *wait);
int ccshm_limit_wait(struct ccshm_limit_wait *wait, kuid_t uid, int err,
		     unsigned long pages, bool interruptible);
int ccshm_limit_add(kuid_t uid, enum ccshm_type type, bool interruptible,
		    struct ccshm_limit_refusal *refusal);
void ccshm_limit_remove(kuid_t uid, enum ccshm_type type);
void ccshm_limit_importer(kuid_t uid, int change);
void ccshm_limit_describe_refusal(kuid_t uid, int err, u64 bytes,
				  struct ccshm_limit_refusal *refusal);
void ccshm_limit_usage(kuid_t uid, struct ccshm_usage *usage);
void ccshm_limit_usage_all(struct ccshm_usage *usage);
void ccshm_limit_info(struct ccshm_ioc_info *info);
u64 ccshm_limit_value(enum ccshm_quota quota);
void ccshm_limit_set(enum ccshm_quota quota, u64 value);
int ccshm_limit_init(void);
void ccshm_limit_exit(void);

/* Return true if @err means that a limit was reached. */
static inline bool ccshm_limit_refuses(int err)
{
	return err == -EDQUOT || err == -ENOSPC;
}

/* block.c: physically contiguous blocks from the page allocator */

/**
 * struct ccshm_payer - user, owner and memory cgroup of blocks
 * @uid: user that the blocks are charged to
 * @owner: owner of the buffers
 * @cgroup: id of the memory cgroup that the pages are charged to; 0 without memory
 *	cgroups. An id is never used again, and does not keep the cgroup alive.
 */
struct ccshm_payer {
	kuid_t uid;
	kuid_t owner;
	u64 cgroup;
};

/**
 * struct ccshm_wish - memory that a caller wants
 * @pages: number of pages
 * @node: NUMA node, or NUMA_NO_NODE
 * @dma32: all pages below 4 GiB
 * @contiguous: physically contiguous
 * @whole_units: fail rather than allocate blocks smaller than a unit
 * @interruptible: any signal interrupts the allocation, not only one that kills
 * @pooled: the blocks belong to the pool, and are not charged to a memory cgroup
 * @payer: who pays; only blocks of this payer are carved
 */
struct ccshm_wish {
	unsigned long pages;
	int node;
	bool dma32;
	bool contiguous;
	bool whole_units;
	bool interruptible;
	bool pooled;
	const struct ccshm_payer *payer;
};

/**
 * struct ccshm_block - physically contiguous pages, converted and freed as a whole
 * @page: first page
 * @first: index of that page in the buffer
 * @order: the block has 1 << @order pages
 * @pooled: a unit of the pool, to which ccshm_pool_put() returns it
 */
struct ccshm_block {
	struct page *page;
	unsigned long first;
	unsigned int order;
	bool pooled;
};

/**
 * struct ccshm_blocks - blocks of one payer
 * @block: array of @nr blocks: those that the pool had, and then the others; both sorted by
 *	address
 * @nr: number of blocks
 * @pages: pages of all blocks
 * @small: blocks smaller than a unit
 * @units: units in blocks that are at least that large
 * @units_whole: of these units, the ones that a single leaf of the direct map covered
 *	before the conversion, and still covers
 * @conversions: calls that shared the blocks
 * @pooled: number of blocks that are units of the pool
 * @shared: number of leading blocks that are shared and zeroed
 * @tried: number of leading blocks that were given to a conversion; the platform
 *	refused those between @shared and @tried
 * @payer: user that the blocks are charged to
 * @charged: pages that are charged to @payer for these blocks
 */
struct ccshm_blocks {
	struct ccshm_block *block;
	unsigned long nr;
	unsigned long pages;
	unsigned long small;
	unsigned long units;
	unsigned long units_whole;
	unsigned long conversions;
	unsigned long pooled;
	unsigned long shared;
	unsigned long tried;
	kuid_t payer;
	unsigned long charged;
};

int ccshm_wish_node(const struct ccshm_wish *wish, int nr);
bool ccshm_blocks_available(unsigned long pages);
int ccshm_blocks_push(struct ccshm_blocks *blocks, unsigned long *capacity,
		      struct page *page, unsigned int order, bool pooled);
int ccshm_blocks_fill(struct ccshm_blocks *blocks, unsigned long pages,
		      unsigned int *max_order, const struct ccshm_wish *wish);
int ccshm_blocks_take_one(struct ccshm_blocks *blocks, unsigned long pages,
			  const struct ccshm_wish *wish);
bool ccshm_blocks_cgroup_full(const struct ccshm_wish *wish);
void ccshm_blocks_sort(struct ccshm_blocks *blocks);
void ccshm_blocks_discard(struct ccshm_blocks *blocks);
void ccshm_blocks_forget(struct ccshm_blocks *blocks);
unsigned long ccshm_blocks_pfn(const struct ccshm_blocks *blocks,
			       unsigned long index, unsigned long *run);

/* Return true if all of the pages are below 4 GiB. */
static inline bool ccshm_pages_dma32(struct page *page, unsigned long pages)
{
	return page_to_pfn(page) + pages <= SZ_4G >> PAGE_SHIFT;
}

static inline unsigned long ccshm_block_pages(const struct ccshm_block *block)
{
	return 1UL << block->order;
}

/* convert.c: conversions and quarantine; the only caller of set_memory_*() */

struct ccshm_convert_stats {
	u64 pages_shared;
	u64 pages_quarantined;
	u64 calls_shared;
	u64 calls_private;
	u64 calls_failed;
};

/**
 * struct ccshm_convert_held - memory that may not be private, in bytes
 * @shared: shared with the host
 * @quarantined: not private again yet
 * @leaked: never made private again
 */
struct ccshm_convert_held {
	u64 shared;
	u64 quarantined;
	u64 leaked;
};

void ccshm_convert_zero(struct page *page, unsigned long pages);
int ccshm_convert_share(struct ccshm_blocks *blocks, bool interruptible);
void ccshm_convert_unshare(struct ccshm_blocks *blocks);
void ccshm_convert_stats(struct ccshm_convert_stats *stats);
bool ccshm_convert_stop(struct ccshm_convert_held *held);
void ccshm_convert_continue(void);
int ccshm_convert_init(void (*report)(kuid_t payer, unsigned long pages));
void ccshm_convert_exit(void);

/* pool.c: units that stay shared while no buffer has them */

int ccshm_pool_take(struct ccshm_blocks *blocks, unsigned long units,
		    const struct ccshm_wish *wish);
void ccshm_pool_put(struct ccshm_blocks *blocks, bool zeroed);
bool ccshm_pool_drain(unsigned long units, bool interruptible);
void ccshm_pool_stop(void);
void ccshm_pool_continue(void);
u64 ccshm_pool_idle(void);
u64 ccshm_pool_unused(void);
u64 ccshm_pool_min(void);
u64 ccshm_pool_max(void);
void ccshm_pool_set_min(u64 bytes);
void ccshm_pool_set_max(u64 bytes);
int ccshm_pool_init(void);
void ccshm_pool_exit(void);

/* carve.c: pages of blocks that are shared already */

struct ccshm_carved;

/**
 * struct ccshm_slice - pages of a carved block
 * @block: carved block, or NULL
 * @first: index of the first page in the block
 * @pages: number of pages
 * @conversions: calls that shared the block for this slice; 0 if it was shared before
 */
struct ccshm_slice {
	struct ccshm_carved *block;
	unsigned int first;
	unsigned int pages;
	unsigned long conversions;
};

struct ccshm_carve_stats {
	u64 blocks;
	u64 pages;
};

int ccshm_carve(struct ccshm_slice *slice, unsigned int pages,
		const struct ccshm_wish *wish, bool fresh,
		struct ccshm_blocks *refused);
void ccshm_carve_put(struct ccshm_slice *slice);
struct page *ccshm_carve_page(const struct ccshm_slice *slice);
void ccshm_carve_stats(struct ccshm_carve_stats *stats);

/* memory.c: memory of a buffer */

/**
 * struct ccshm_memory - memory of a buffer
 * @blocks: blocks that belong to the buffer alone
 * @slice: pages that follow them, carved from a block of the payer
 */
struct ccshm_memory {
	struct ccshm_blocks blocks;
	struct ccshm_slice slice;
};

int ccshm_memory_alloc(struct ccshm_memory *memory, const struct ccshm_wish *wish);
void ccshm_memory_free(struct ccshm_memory *memory);
unsigned long ccshm_memory_returning(const struct ccshm_memory *memory);
bool ccshm_memory_is_shared(const struct ccshm_memory *memory);
unsigned long ccshm_memory_pfn(const struct ccshm_memory *memory,
			       unsigned long index, unsigned long *run);

static inline unsigned long ccshm_memory_pages(const struct ccshm_memory *memory)
{
	return memory->blocks.pages + memory->slice.pages;
}

/* Return the number of calls that shared the memory. */
static inline unsigned long
ccshm_memory_conversions(const struct ccshm_memory *memory)
{
	return memory->blocks.conversions + memory->slice.conversions;
}

/* Return true if the page @index of the memory is carved. */
static inline bool ccshm_memory_is_carved(const struct ccshm_memory *memory,
					  unsigned long index)
{
	return index >= memory->blocks.pages;
}

#endif /* CCSHM_MEMORY_H */
