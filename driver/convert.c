// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions between private and shared: the only caller of set_memory_*().
 *
 * Neighbouring blocks are converted in one call. A call that fails leaves its
 * pages in a state that nobody knows: they are never touched, and given back to
 * the kernel only when a conversion to private has succeeded. Until then they
 * are quarantined and retried from a work item.
 *
 * A call to shared that fails may have shared some of its pages. TDX cannot accept
 * a page that is private already, so that a conversion to private then fails for
 * as long as parts of the block are private: it must be shared as a whole first.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/slab.h>

#include "memory.h"

#define CREATE_TRACE_POINTS
#include "trace_convert.h"

/*
 * Pages per call. Between two calls others run and signals are noticed, and a call
 * that is refused loses no more than this until the platform shares again.
 */
#define RUN_PAGES		(SZ_32M >> PAGE_SHIFT)

/* The delay doubles with each try: 32 seconds until a block is leaked. */
#define QUARANTINE_TRIES	7
#define QUARANTINE_DELAY	(HZ / 4)
#define QUARANTINE_DELAY_MAX	(60 * HZ)

/**
 * struct quarantined - a block whose state is unknown
 * @link: of the list of all (quarantine_lock)
 * @page: its first page
 * @order: it has 1 << @order pages
 * @tries: retries that failed
 * @due: jiffies of the next retry
 * @mixed: parts of it may be private: share it as a whole if TDX refuses it
 * @payer: charged for it until it is given back or leaked
 */
struct quarantined {
	struct list_head link;
	struct page *page;
	unsigned int order;
	unsigned int tries;
	unsigned long due;
	bool mixed;
	kuid_t payer;
};

/* Runs conversions to private; allocated before the first one. */
struct workqueue_struct *ccshm_wq;

static atomic64_t pages_shared, pages_quarantined;
static atomic64_t calls_shared, calls_private, calls_failed;

/* The platform refused the last conversion to shared. */
static bool sharing_refused;

/* No memory is shared: see ccshm_convert_stop() (share_lock). */
static bool sharing_stopped;
/* Held to add to pages_shared: checked and counted at once, or not at all. */
static DEFINE_SPINLOCK(share_lock);

/* Reports pages that are leaked; set before the first conversion. */
static void (*report_leak)(kuid_t payer, unsigned long pages);

static LIST_HEAD(quarantine);
/* Held across the retry of one block, so that ALLOC finds every other block. */
static DEFINE_MUTEX(quarantine_lock);
static void quarantine_retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(quarantine_work, quarantine_retry);

/* Count pages before they are shared: the host can reach them before that returns. */
static int share_begin(unsigned long pages)
{
	int err = 0;

	spin_lock(&share_lock);
	if (sharing_stopped)
		err = -EBUSY;
	else
		atomic64_add(pages, &pages_shared);
	spin_unlock(&share_lock);
	return err;
}

static int pages_to_shared(struct page *page, unsigned long nr)
{
	u64 begin = ktime_get_ns();
	int err = set_memory_decrypted((unsigned long)page_address(page), nr);

	trace_ccshm_convert(page, nr, true, ktime_get_ns() - begin, err);
	atomic64_inc(&calls_shared);
	if (err)
		atomic64_inc(&calls_failed);
	WRITE_ONCE(sharing_refused, err);
	return err;
}

static int pages_to_private(struct page *page, unsigned long nr)
{
	u64 begin = ktime_get_ns();
	int err = set_memory_encrypted((unsigned long)page_address(page), nr);

	trace_ccshm_convert(page, nr, false, ktime_get_ns() - begin, err);
	atomic64_inc(&calls_private);
	if (err)
		atomic64_inc(&calls_failed);
	return err;
}

/* Count a block as leaked, then no longer as quarantined: it is always counted. */
static void quarantined_leak(struct quarantined *q)
{
	unsigned long pages = 1UL << q->order;

	ccshm_limit_leak(q->payer, pages);
	report_leak(q->payer, pages);
	atomic64_sub(pages, &pages_quarantined);
	list_del(&q->link);
	kfree(q);
}

/*
 * Make it private. A conversion to shared that fails again says that the platform
 * refuses for now: such a block is no nearer to be lost.
 */
static int quarantined_repair(struct quarantined *q, bool *still_refused)
{
	unsigned long pages = 1UL << q->order;
	int err = pages_to_private(q->page, pages);

	*still_refused = false;
	if (!err || !q->mixed)
		return err;
	err = pages_to_shared(q->page, pages);
	if (err) {
		*still_refused = true;
		return err;
	}
	q->mixed = false;
	q->tries = 0;
	return pages_to_private(q->page, pages);
}

/* What is refused for one block is not asked for each of the others. */
static void quarantine_postpone(unsigned long due)
{
	struct quarantined *q;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link) {
		if (q->mixed && time_before(q->due, due))
			q->due = due;
	}
}

/*
 * Retry a block: give it back, leak it, or wait longer for the next retry.
 * @last: there will be no other retry.
 */
static int quarantined_try(struct quarantined *q, bool last)
{
	unsigned long delay;
	bool still_refused;
	int err;

	lockdep_assert_held(&quarantine_lock);
	err = quarantined_repair(q, &still_refused);
	if (!err) {
		__free_pages(q->page, q->order);
		ccshm_limit_uncharge(q->payer, 1UL << q->order);
		atomic64_sub(1L << q->order, &pages_quarantined);
		list_del(&q->link);
		kfree(q);
		return 0;
	}
	q->tries++;
	if (last || (!still_refused && q->tries >= QUARANTINE_TRIES)) {
		quarantined_leak(q);
		return err;
	}
	delay = (unsigned long)QUARANTINE_DELAY << min(q->tries, 16U);
	q->due = jiffies + min_t(unsigned long, delay, QUARANTINE_DELAY_MAX);
	list_move_tail(&q->link, &quarantine);
	if (still_refused)
		quarantine_postpone(q->due);
	return err;
}

/* A block whose retry is due, else the one that is due first. */
static struct quarantined *quarantined_next(void)
{
	struct quarantined *q, *next = NULL;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link) {
		if (time_before_eq(q->due, jiffies))
			return q;
		if (!next || time_before(q->due, next->due))
			next = q;
	}
	return next;
}

/* Of blocks that were refused, one: whether the platform shares again. */
static struct quarantined *quarantined_mixed(void)
{
	struct quarantined *q;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link) {
		if (q->mixed)
			return q;
	}
	return NULL;
}

/* All that are mixed can be retried now. */
static void quarantine_hurry(void)
{
	struct quarantined *q;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link) {
		if (q->mixed)
			q->due = jiffies;
	}
	mod_delayed_work(ccshm_wq, &quarantine_work, 0);
}

static void quarantine_retry(struct work_struct *work)
{
	struct quarantined *q;

	mutex_lock(&quarantine_lock);
	while ((q = quarantined_next())) {
		bool refused = READ_ONCE(sharing_refused);

		if (time_after(q->due, jiffies)) {
			mod_delayed_work(ccshm_wq, &quarantine_work,
					 q->due - jiffies);
			break;
		}
		if (!quarantined_try(q, false) && refused &&
		    !READ_ONCE(sharing_refused))
			quarantine_hurry();
		mutex_unlock(&quarantine_lock);
		cond_resched();
		mutex_lock(&quarantine_lock);
	}
	mutex_unlock(&quarantine_lock);
}

/* Keep a block; its payer stays charged for it. */
static void quarantine_add(const struct ccshm_block *block, kuid_t payer,
			   bool mixed)
{
	struct quarantined *q = kmalloc(sizeof(*q), GFP_KERNEL | __GFP_NOFAIL);

	*q = (struct quarantined){
		.page = block->page,
		.order = block->order,
		.due = jiffies + QUARANTINE_DELAY,
		.mixed = mixed,
		.payer = payer,
	};
	atomic64_add(ccshm_block_pages(block), &pages_quarantined);
	/* Pairs with ccshm_convert_stats(): not after pages_shared is lowered. */
	smp_mb__after_atomic();
	mutex_lock(&quarantine_lock);
	list_add_tail(&q->link, &quarantine);
	mutex_unlock(&quarantine_lock);
	/* A retry that is due earlier stays as it is. */
	queue_delayed_work(ccshm_wq, &quarantine_work, QUARANTINE_DELAY);
}

/*
 * After a refusal: try a block that was refused before any other is tried, so that a
 * platform that goes on refusing costs nothing more. If there is none the next call
 * is for one block.
 */
static int share_probe(bool interruptible)
{
	struct quarantined *q;
	int err;

	if (!READ_ONCE(sharing_refused))
		return 0;
	err = interruptible ? mutex_lock_interruptible(&quarantine_lock) :
			      mutex_lock_killable(&quarantine_lock);
	if (err)
		return -EINTR;
	while (!err && READ_ONCE(sharing_refused)) {
		q = quarantined_mixed();
		if (!q)
			break;
		/* One that was private all along says nothing of the others. */
		if (quarantined_try(q, false) && READ_ONCE(sharing_refused))
			err = -EIO;
	}
	if (!READ_ONCE(sharing_refused))
		quarantine_hurry();
	mutex_unlock(&quarantine_lock);
	return err;
}

/* The end of the physically contiguous run that starts at block @i. */
static unsigned long run_end(const struct ccshm_blocks *blocks, unsigned long i,
			     unsigned long end, unsigned long *pages)
{
	unsigned long pfn = page_to_pfn(blocks->block[i].page);

	*pages = 0;
	do {
		*pages += ccshm_block_pages(&blocks->block[i++]);
	} while (i < end && page_to_pfn(blocks->block[i].page) == pfn + *pages &&
		 *pages + ccshm_block_pages(&blocks->block[i]) <= RUN_PAGES);
	return i;
}

/* It is private, or else @mixed tells what is known of it. */
static void block_give_back(struct ccshm_blocks *blocks, unsigned long i,
			    bool private, bool mixed)
{
	const struct ccshm_block *block = &blocks->block[i];
	unsigned long pages = ccshm_block_pages(block);

	if (!private) {
		quarantine_add(block, blocks->payer, mixed);
		blocks->charged -= pages;
	}
	atomic64_sub(pages, &pages_shared);
	if (private)
		__free_pages(block->page, block->order);
}

/* Make blocks [i, end) private and free them: one call, else one for each. */
static void run_unshare(struct ccshm_blocks *blocks, unsigned long i,
			unsigned long end, unsigned long pages)
{
	bool all = !pages_to_private(blocks->block[i].page, pages);

	for (; i < end; i++) {
		struct ccshm_block *block = &blocks->block[i];
		unsigned long nr = ccshm_block_pages(block);
		/* The call for all of them may have done this one. */
		bool mixed = nr < pages;

		block_give_back(blocks, i, all ||
				(mixed && !pages_to_private(block->page, nr)),
				mixed);
	}
}

static void unshare_range(struct ccshm_blocks *blocks, unsigned long i,
			  unsigned long end)
{
	while (i < end) {
		unsigned long pages, next = run_end(blocks, i, end, &pages);

		run_unshare(blocks, i, next, pages);
		i = next;
		cond_resched();
	}
}

/* Each by itself: some of them are shared, and some not, or not as a whole. */
static void unshare_refused(struct ccshm_blocks *blocks, unsigned long i,
			    unsigned long end)
{
	for (; i < end; i++) {
		struct ccshm_block *block = &blocks->block[i];

		block_give_back(blocks, i, !pages_to_private(block->page,
							     ccshm_block_pages(block)),
				true);
		cond_resched();
	}
}

/*
 * Units of a run of @pages, blocks [i, end), that are one leaf of the direct map and stay
 * so: with pages of 16 or 64 KiB a leaf is larger than a unit, and split when the run has
 * only a part of it.
 */
static unsigned long count_whole_units(const struct ccshm_blocks *blocks,
				       unsigned long i, unsigned long end,
				       unsigned long pages)
{
	unsigned long start = (unsigned long)page_address(blocks->block[i].page);
	unsigned long stop = start + (pages << PAGE_SHIFT);
	unsigned long whole = 0;

	for (; i < end; i++) {
		const struct ccshm_block *block = &blocks->block[i];
		unsigned long page, addr, leaf;

		if (block->order < CCSHM_UNIT_ORDER)
			continue;
		for (page = 0; page < ccshm_block_pages(block);
		     page += CCSHM_UNIT_PAGES) {
			addr = (unsigned long)page_address(block->page + page);
			leaf = addr & PMD_MASK;
			whole += leaf >= start && leaf + PMD_SIZE <= stop &&
				 ccshm_leaf_is_whole(addr);
		}
	}
	return whole;
}

/**
 * ccshm_convert_zero - zero shared pages
 * @page: the first
 * @pages: number of them
 *
 * Contents do not survive a conversion: behind it, as the user sees it. And again
 * when other pages of the block were in use meanwhile: the host can write to it.
 */
void ccshm_convert_zero(struct page *page, unsigned long pages)
{
	while (pages) {
		unsigned long nr = min(pages, CCSHM_UNIT_PAGES);

		memset(page_address(page), 0, nr << PAGE_SHIFT);
		page += nr;
		pages -= nr;
		cond_resched();
	}
}

/**
 * ccshm_convert_share - make fresh blocks shared and zero
 * @blocks: private blocks
 * @interruptible: any signal ends the call, not only one that kills
 *
 * Return: 0; -EIO when the platform refused, -EINTR for a signal, -EBUSY while
 * sharing is stopped: then what was shared until then is left for
 * ccshm_convert_unshare().
 */
int ccshm_convert_share(struct ccshm_blocks *blocks, bool interruptible)
{
	int err = blocks->nr ? share_probe(interruptible) : 0;

	if (err)
		return err;
	while (blocks->shared < blocks->nr) {
		unsigned long i = blocks->shared, end = i + 1;
		unsigned long pages = ccshm_block_pages(&blocks->block[i]);

		if (!READ_ONCE(sharing_refused))
			end = run_end(blocks, i, blocks->nr, &pages);
		if (ccshm_interrupted(interruptible))
			return -EINTR;
		blocks->units_whole += count_whole_units(blocks, i, end, pages);
		err = share_begin(pages);
		if (err)
			return err;
		blocks->conversions++;
		blocks->tried = end;
		if (pages_to_shared(blocks->block[i].page, pages))
			return -EIO;
		ccshm_convert_zero(blocks->block[i].page, pages);
		blocks->shared = end;
		cond_resched();
	}
	return 0;
}

/**
 * ccshm_convert_unshare - make blocks private and give them back
 * @blocks: shared, or what ccshm_convert_share() has left; is empty afterwards
 *
 * Nobody may reach the memory any more. What cannot be made private stays in
 * quarantine.
 */
void ccshm_convert_unshare(struct ccshm_blocks *blocks)
{
	unsigned long i;

	unshare_range(blocks, 0, blocks->shared);
	unshare_refused(blocks, blocks->shared, blocks->tried);
	for (i = blocks->tried; i < blocks->nr; i++) {
		__free_pages(blocks->block[i].page, blocks->block[i].order);
		cond_resched();
	}
	ccshm_blocks_forget(blocks);
}

/*
 * What goes from one count to another is in both for a moment: read in that order,
 * and the leaked pages of limit.c after both, nothing is missed.
 */
void ccshm_convert_stats(struct ccshm_convert_stats *stats)
{
	stats->pages_shared = atomic64_read(&pages_shared);
	/* Pairs with the atomic64_add() of quarantine_add(), before it leaves that. */
	smp_rmb();
	stats->pages_quarantined = atomic64_read(&pages_quarantined);
	/* Pairs with account_lock of ccshm_limit_leak(). */
	smp_rmb();
	stats->calls_shared = atomic64_read(&calls_shared);
	stats->calls_private = atomic64_read(&calls_private);
	stats->calls_failed = atomic64_read(&calls_failed);
}

/**
 * ccshm_convert_stop - share no more memory, if the host can reach none
 * @held: out: the memory that the host can reach, or may be able to
 *
 * Until ccshm_convert_continue(), ccshm_convert_share() fails with -EBUSY.
 *
 * Return: true; false when there is such memory: then nothing has changed.
 */
bool ccshm_convert_stop(struct ccshm_convert_held *held)
{
	struct ccshm_convert_stats stats;
	struct ccshm_usage usage;
	bool none;

	spin_lock(&share_lock);
	/* In the order in which pages go from one count to the next. */
	ccshm_convert_stats(&stats);
	ccshm_limit_usage_all(&usage);
	*held = (struct ccshm_convert_held){
		.shared = (u64)stats.pages_shared << PAGE_SHIFT,
		.quarantined = (u64)stats.pages_quarantined << PAGE_SHIFT,
		.leaked = (u64)usage.leaked << PAGE_SHIFT,
	};
	none = !held->shared && !held->quarantined && !held->leaked;
	if (none)
		sharing_stopped = true;
	spin_unlock(&share_lock);
	return none;
}

/* Memory may be shared again. */
void ccshm_convert_continue(void)
{
	spin_lock(&share_lock);
	sharing_stopped = false;
	spin_unlock(&share_lock);
}

/**
 * ccshm_convert_init - prepare for conversions
 * @report: function that reports pages that are leaked; called with a mutex of
 *	convert.c held
 */
void __init ccshm_convert_init(void (*report)(kuid_t payer, unsigned long pages))
{
	report_leak = report;
}

void ccshm_convert_exit(void)
{
	struct quarantined *q, *next;

	cancel_delayed_work_sync(&quarantine_work);
	mutex_lock(&quarantine_lock);
	list_for_each_entry_safe(q, next, &quarantine, link) {
		quarantined_try(q, true);
		cond_resched();
	}
	mutex_unlock(&quarantine_lock);
	/* What was found to be shared again has asked for a retry. */
	cancel_delayed_work_sync(&quarantine_work);
}
