// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions between private and shared: the only caller of set_memory_*().
 *
 * Adjacent blocks are converted by one call. A call that fails leaves its pages in an
 * unknown state: the driver never accesses them, and frees them only after a conversion
 * to private has succeeded. Until then they are quarantined, and a work item retries the
 * conversion.
 *
 * A failed conversion may have converted some of the pages. TDX cannot accept a page that
 * is private already. A conversion to private therefore fails while parts of the block are
 * private; the block must be shared as a whole first.
 *
 * Each block in quarantine has a reference to the module, which a leaked block keeps: the
 * module refuses hibernation and counts the memory as long as the host can access it.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/semaphore.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "memory.h"

#define CREATE_TRACE_POINTS
#include "trace_convert.h"

/* The delay doubles with each retry: a block is leaked after 32 seconds. */
#define QUARANTINE_TRIES	7
#define QUARANTINE_DELAY	(HZ / 4)
#define QUARANTINE_DELAY_MAX	(60 * HZ)

/**
 * struct quarantined - block whose state is unknown
 * @link: entry of the quarantine (quarantine_lock)
 * @page: first page
 * @order: the block has 1 << @order pages
 * @retries: number of retries that failed
 * @tries: number of these in which the platform shared the block as a whole
 * @due: jiffies of the next retry
 * @payer: user that is charged for the block until it is freed or leaked
 */
struct quarantined {
	struct list_head link;
	struct page *page;
	unsigned int order;
	unsigned int retries;
	unsigned int tries;
	unsigned long due;
	kuid_t payer;
};

/* Conversions to private that the returns of all users execute at a time. */
#define RETURNING_RUNS	2

/*
 * Limits the conversions that returns execute at a time. They serialise in the kernel
 * (cpa_lock, vmap_purge_lock): more of them at a time are not faster and only occupy
 * processors. Each converts one run of blocks, and waiters take turns: the return of a small
 * buffer does not wait for a large one to end. Only work items wait, one of each payer.
 */
static struct semaphore returning_runs;

static atomic64_t pages_shared, pages_quarantined;
static atomic64_t calls_shared, calls_private, calls_failed;

/* Set when the platform refused the last conversion to shared. */
static bool sharing_refused;

/* Set by ccshm_convert_stop() (share_lock). */
static bool sharing_stopped;
/* Makes the check of sharing_stopped and the addition to pages_shared one step. */
static DEFINE_SPINLOCK(share_lock);

/* Reports pages that are leaked; set before the first conversion. */
static void (*report_leak)(kuid_t payer, unsigned long pages);

static LIST_HEAD(quarantine);
/* Held across the retry of a block, so that share_probe() finds all blocks listed. */
static DEFINE_MUTEX(quarantine_lock);
/* Not the workqueue of the returns: retries of one user's blocks do not occupy its workers. */
static struct workqueue_struct *retry_wq;
static void quarantine_retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(quarantine_work, quarantine_retry);

/*
 * Count pages before they are shared: the host can access them before the conversion
 * returns.
 */
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

/*
 * Leak a block, which keeps its reference to the module. Count it as leaked before it is
 * no longer counted as quarantined.
 */
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
 * Make a quarantined block private. If that fails, parts of it may be private: share it as a
 * whole first. Set *@still_refused if the platform refused to share it: such a retry does
 * not count towards the leak of the block.
 */
static int quarantined_repair(struct quarantined *q, bool *still_refused)
{
	unsigned long pages = 1UL << q->order;
	int err = pages_to_private(q->page, pages);

	*still_refused = false;
	if (!err)
		return 0;
	err = pages_to_shared(q->page, pages);
	*still_refused = err;
	return err ?: pages_to_private(q->page, pages);
}

/* Postpone the retries of all blocks, after the platform refused to share one. */
static void quarantine_postpone(unsigned long due)
{
	struct quarantined *q;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link) {
		if (time_before(q->due, due))
			q->due = due;
	}
}

/*
 * Retry a block: free it, leak it, or schedule the next retry. With @last, leak it if
 * the retry fails.
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
		module_put(THIS_MODULE);
		return 0;
	}
	q->retries++;
	q->tries += !still_refused;
	if (last || q->tries >= QUARANTINE_TRIES) {
		quarantined_leak(q);
		return err;
	}
	delay = (unsigned long)QUARANTINE_DELAY << min(q->retries, 16U);
	q->due = jiffies + min_t(unsigned long, delay, QUARANTINE_DELAY_MAX);
	list_move_tail(&q->link, &quarantine);
	if (still_refused)
		quarantine_postpone(q->due);
	return err;
}

/* Return a block whose retry is due, or the block whose retry is due next. */
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

/* Retry all blocks now, because the platform shares memory again. */
static void quarantine_hurry(void)
{
	struct quarantined *q;

	lockdep_assert_held(&quarantine_lock);
	list_for_each_entry(q, &quarantine, link)
		q->due = jiffies;
	mod_delayed_work(retry_wq, &quarantine_work, 0);
}

static void quarantine_retry(struct work_struct *work)
{
	struct quarantined *q;

	mutex_lock(&quarantine_lock);
	while ((q = quarantined_next())) {
		bool refused = READ_ONCE(sharing_refused);

		if (time_after(q->due, jiffies)) {
			mod_delayed_work(retry_wq, &quarantine_work,
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

/* Quarantine a block; its payer stays charged for it. */
static void quarantine_add(const struct ccshm_block *block, kuid_t payer)
{
	struct quarantined *q = kmalloc(sizeof(*q), GFP_KERNEL | __GFP_NOFAIL);

	*q = (struct quarantined){
		.page = block->page,
		.order = block->order,
		.due = jiffies + QUARANTINE_DELAY,
		.payer = payer,
	};
	atomic64_add(ccshm_block_pages(block), &pages_quarantined);
	/* Pairs with ccshm_convert_stats(): pages_shared is lowered after this. */
	smp_mb__after_atomic();
	mutex_lock(&quarantine_lock);
	list_add_tail(&q->link, &quarantine);
	/* Too late if the module is being unloaded: see ccshm_convert_exit(). */
	__module_get(THIS_MODULE);
	mutex_unlock(&quarantine_lock);
	/* Does not delay a retry that is due earlier. */
	queue_delayed_work(retry_wq, &quarantine_work, QUARANTINE_DELAY);
}

/*
 * Retry one block. Return -EIO if the platform still refuses to share, -ENOENT if
 * there is no such block, otherwise 0: a block that needed no sharing does not show whether
 * the platform shares again.
 */
static int share_probe_one(void)
{
	struct quarantined *q = list_first_entry_or_null(&quarantine,
							 struct quarantined, link);
	int err = 0;

	lockdep_assert_held(&quarantine_lock);
	if (!q)
		return -ENOENT;
	if (quarantined_try(q, false) && READ_ONCE(sharing_refused))
		err = -EIO;
	if (!READ_ONCE(sharing_refused))
		quarantine_hurry();
	return err;
}

/*
 * Return 0 if new memory may be given to a conversion. After a refusal, first retry
 * quarantined blocks that were refused: while the platform refuses to share, it costs no
 * further memory. Without such a block, ccshm_convert_share() tries a single block. Hold
 * the lock for one block at a time, as quarantine_retry() does: there can be thousands.
 */
static int share_probe(bool interruptible)
{
	int err = 0;

	while (!err && READ_ONCE(sharing_refused)) {
		if (ccshm_interrupted(interruptible))
			return -EINTR;
		err = interruptible ? mutex_lock_interruptible(&quarantine_lock) :
				      mutex_lock_killable(&quarantine_lock);
		if (err)
			return -EINTR;
		err = share_probe_one();
		mutex_unlock(&quarantine_lock);
		cond_resched();
	}
	return err == -ENOENT ? 0 : err;
}

/* Return the end of the physically contiguous run that starts at block @i. */
static unsigned long run_end(const struct ccshm_blocks *blocks, unsigned long i,
			     unsigned long end, unsigned long *pages)
{
	unsigned long pfn = page_to_pfn(blocks->block[i].page);

	*pages = 0;
	do {
		*pages += ccshm_block_pages(&blocks->block[i++]);
	} while (i < end && page_to_pfn(blocks->block[i].page) == pfn + *pages &&
		 *pages + ccshm_block_pages(&blocks->block[i]) <=
		 CCSHM_RUN_PAGES);
	return i;
}

/* Free a block that is @private, or quarantine it. */
static void block_give_back(struct ccshm_blocks *blocks, unsigned long i,
			    bool private)
{
	const struct ccshm_block *block = &blocks->block[i];
	unsigned long pages = ccshm_block_pages(block);

	if (!private) {
		quarantine_add(block, blocks->payer);
		blocks->charged -= pages;
	}
	atomic64_sub(pages, &pages_shared);
	if (private)
		__free_pages(block->page, block->order);
}

/* Make pages private, as one of the conversions of returns that run at a time. */
static int pages_return(struct page *page, unsigned long pages)
{
	int err;

	down(&returning_runs);
	err = pages_to_private(page, pages);
	up(&returning_runs);
	return err;
}

/* Make blocks [i, end) private and free them: by one call, or one for each block. */
static void run_unshare(struct ccshm_blocks *blocks, unsigned long i,
			unsigned long end, unsigned long pages)
{
	bool all = !pages_return(blocks->block[i].page, pages);

	for (; i < end; i++) {
		struct ccshm_block *block = &blocks->block[i];
		unsigned long nr = ccshm_block_pages(block);

		block_give_back(blocks, i, all ||
				(nr < pages && !pages_return(block->page, nr)));
	}
}

/* Make shared blocks [i, end) private and free them. */
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

/*
 * Make blocks [i, end) of a refused conversion private, one by one: some of them may be
 * shared, private or mixed.
 */
static void unshare_refused(struct ccshm_blocks *blocks, unsigned long i,
			    unsigned long end)
{
	for (; i < end; i++) {
		struct ccshm_block *block = &blocks->block[i];

		block_give_back(blocks, i, !pages_to_private(block->page,
							     ccshm_block_pages(block)));
		cond_resched();
	}
}

/*
 * Count the units in blocks [i, end), a run of @pages, whose leaf of the direct map stays
 * whole. With pages of 16 or 64 KiB a leaf is larger than a unit, and the kernel splits
 * it when the run covers only a part of it.
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
 * @page: first page
 * @pages: number of pages
 *
 * Contents do not survive a conversion, so pages are zeroed after it, through the shared
 * mapping. Carved pages are zeroed again for each buffer: the host can have written to
 * them since.
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
 * ccshm_convert_share - share and zero blocks
 * @blocks: blocks, private except the leading ones that are counted as shared
 * @interruptible: any signal ends the call, not only one that kills
 *
 * After an error some blocks may be shared: call ccshm_convert_unshare().
 *
 * Return: 0; -EIO (the platform refused), -EINTR (a signal), -EBUSY (sharing is stopped).
 */
int ccshm_convert_share(struct ccshm_blocks *blocks, bool interruptible)
{
	int err = blocks->shared < blocks->nr ? share_probe(interruptible) : 0;

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
 * ccshm_convert_unshare - make blocks private and free them
 * @blocks: blocks after ccshm_convert_share(), also if that failed, that nothing can
 *	access any more; empty afterwards
 *
 * Blocks that cannot be made private are quarantined.
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
 * Read the counters. Pages move from shared to quarantined to leaked, and for a moment
 * are counted in two. Read in this order, with the leaked pages of limit.c last, no page
 * is missed.
 */
void ccshm_convert_stats(struct ccshm_convert_stats *stats)
{
	stats->pages_shared = atomic64_read(&pages_shared);
	/* Pairs with quarantine_add(). */
	smp_rmb();
	stats->pages_quarantined = atomic64_read(&pages_quarantined);
	/* Pairs with account_lock of ccshm_limit_leak(). */
	smp_rmb();
	stats->calls_shared = atomic64_read(&calls_shared);
	stats->calls_private = atomic64_read(&calls_private);
	stats->calls_failed = atomic64_read(&calls_failed);
}

/**
 * ccshm_convert_stop - stop sharing memory, unless the host can access some
 * @held: out: memory that the host can access, or may be able to
 *
 * Until ccshm_convert_continue(), ccshm_convert_share() fails with -EBUSY.
 *
 * Return: true; false when the host may be able to access memory, and nothing was
 * stopped.
 */
bool ccshm_convert_stop(struct ccshm_convert_held *held)
{
	struct ccshm_convert_stats stats;
	struct ccshm_usage usage;
	bool none;

	spin_lock(&share_lock);
	/* Read the leaked pages last: see ccshm_convert_stats(). */
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

/* Allow sharing memory again. */
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
 *
 * Return: 0 or -ENOMEM.
 */
int __init ccshm_convert_init(void (*report)(kuid_t payer, unsigned long pages))
{
	report_leak = report;
	sema_init(&returning_runs, RETURNING_RUNS);
	retry_wq = alloc_workqueue("ccshm-retry", WQ_UNBOUND, 1);
	return retry_wq ? 0 : -ENOMEM;
}

/*
 * Retry all quarantined blocks a last time, and leak those that are still refused. A block
 * is in quarantine here only if its conversion was refused while the module was being
 * unloaded.
 */
void ccshm_convert_exit(void)
{
	struct quarantined *q, *next;
	unsigned long leaked = 0;

	cancel_delayed_work_sync(&quarantine_work);
	mutex_lock(&quarantine_lock);
	list_for_each_entry_safe(q, next, &quarantine, link) {
		unsigned long pages = 1UL << q->order;

		if (quarantined_try(q, true))
			leaked += pages;
		cond_resched();
	}
	mutex_unlock(&quarantine_lock);
	if (leaked)
		pr_warn("ccshm: unloaded although the host refused to make %lu pages private: they are leaked, and no longer prevent hibernation; restart the machine first\n",
			leaked);
	/* A successful retry may have queued the work item again. */
	cancel_delayed_work_sync(&quarantine_work);
	destroy_workqueue(retry_wq);
}
