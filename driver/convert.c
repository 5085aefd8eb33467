// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions between private and shared: the only caller of set_memory_*().
 *
 * Neighbouring blocks are converted in one call. A call that fails leaves its
 * pages in a state that nobody knows: they are never touched, and given back to
 * the kernel only when a conversion to private has succeeded. Until then they
 * are quarantined and retried from a work item, in the end leaked and counted.
 */
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/spinlock.h>

#include "ccshm.h"
#include "trace.h"

/* Pages per call: between two calls others may run, and a signal is seen. */
#define CHUNK_PAGES		(SZ_128M >> PAGE_SHIFT)

#define QUARANTINE_TRIES	5
#define QUARANTINE_DELAY	HZ

static atomic64_t pages_shared, pages_quarantined;
static atomic64_t calls_shared, calls_private, calls_failed;

/* Linked by page->lru; page->private holds order, tries, and whom it is charged to. */
static LIST_HEAD(quarantine);
static DEFINE_SPINLOCK(quarantine_lock);
static void quarantine_retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(quarantine_work, quarantine_retry);

static int pages_to_shared(struct page *page, unsigned long nr)
{
	u64 begin = ktime_get_ns();
	int err = set_memory_decrypted((unsigned long)page_address(page), nr);

	trace_ccshm_convert(page, nr, true, ktime_get_ns() - begin, err);
	atomic64_inc(&calls_shared);
	if (err)
		atomic64_inc(&calls_failed);
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

static void leak(struct page *page, unsigned int order, kuid_t payer)
{
	ccshm_limit_leak(payer, 1UL << order);
	ccshm_event_leak(1UL << order);
	pr_warn_ratelimited("ccshm: leaked %lu pages at %#llx: they cannot be made private again\n",
			    1UL << order, (u64)page_to_phys(page));
}

static void quarantine_put(struct page *page, unsigned int order,
			   unsigned int tries, kuid_t payer)
{
	set_page_private(page, order | tries << 8 |
			 (unsigned long)__kuid_val(payer) << 32);
	spin_lock(&quarantine_lock);
	list_add_tail(&page->lru, &quarantine);
	spin_unlock(&quarantine_lock);
}

/* One more try for each; @last: nobody will try again. */
static void quarantine_scan(bool last)
{
	struct page *page, *next;
	LIST_HEAD(batch);

	spin_lock(&quarantine_lock);
	list_splice_init(&quarantine, &batch);
	spin_unlock(&quarantine_lock);

	list_for_each_entry_safe(page, next, &batch, lru) {
		unsigned int order = page_private(page) & 0xff;
		unsigned int tries = page_private(page) >> 8 & 0xff;
		kuid_t payer = KUIDT_INIT(page_private(page) >> 32);
		bool failed;

		list_del(&page->lru);
		set_page_private(page, 0);
		failed = pages_to_private(page, 1UL << order);
		if (failed && !last && ++tries < QUARANTINE_TRIES) {
			quarantine_put(page, order, tries, payer);
			continue;
		}
		atomic64_sub(1L << order, &pages_quarantined);
		if (failed) {
			leak(page, order, payer);
		} else {
			__free_pages(page, order);
			ccshm_limit_uncharge(payer, 1UL << order);
		}
		cond_resched();
	}
}

static void quarantine_retry(struct work_struct *work)
{
	bool left;

	quarantine_scan(false);
	spin_lock(&quarantine_lock);
	left = !list_empty(&quarantine);
	spin_unlock(&quarantine_lock);
	if (left)
		schedule_delayed_work(&quarantine_work, QUARANTINE_DELAY);
}

/* Its payer is charged for it until it is back with the kernel, or leaked. */
static void quarantine_block(struct ccshm_blocks *blocks,
			     const struct ccshm_block *block)
{
	blocks->charged -= ccshm_block_pages(block);
	atomic64_add(ccshm_block_pages(block), &pages_quarantined);
	quarantine_put(block->page, block->order, 0, blocks->payer);
	schedule_delayed_work(&quarantine_work, QUARANTINE_DELAY);
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
		 *pages + ccshm_block_pages(&blocks->block[i]) <= CHUNK_PAGES);
	return i;
}

/* Make blocks [i, end) private and free them: one call, else one for each. */
static void run_unshare(struct ccshm_blocks *blocks, unsigned long i,
			unsigned long end, unsigned long pages)
{
	bool all = !pages_to_private(blocks->block[i].page, pages);

	for (; i < end; i++) {
		struct ccshm_block *block = &blocks->block[i];
		unsigned long nr = ccshm_block_pages(block);

		if (all || (nr < pages && !pages_to_private(block->page, nr)))
			__free_pages(block->page, block->order);
		else
			quarantine_block(blocks, block);
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

static unsigned long count_whole(const struct ccshm_blocks *blocks,
				 unsigned long i, unsigned long end)
{
	unsigned long whole = 0;

	for (; i < end; i++) {
		const struct ccshm_block *block = &blocks->block[i];
		unsigned long page;

		if (block->order < CCSHM_UNIT_ORDER)
			continue;
		for (page = 0; page < ccshm_block_pages(block);
		     page += CCSHM_UNIT_PAGES)
			whole += ccshm_leaf_is_whole((unsigned long)
					page_address(block->page + page));
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

/* Undo: [0, touched) were given to a conversion, the others never. */
static void share_undo(struct ccshm_blocks *blocks, unsigned long touched)
{
	unsigned long i;

	unshare_range(blocks, 0, touched);
	for (i = touched; i < blocks->nr; i++)
		__free_pages(blocks->block[i].page, blocks->block[i].order);
	ccshm_blocks_forget(blocks);
}

/**
 * ccshm_convert_share - make fresh blocks shared and zero
 * @blocks: private blocks; what was carved is shared already
 *
 * Return: 0; -EIO when the platform refused, -EINTR for a signal: then
 * @blocks is empty, and what could be made private again is freed.
 */
int ccshm_convert_share(struct ccshm_blocks *blocks)
{
	unsigned long i = 0;

	while (i < blocks->nr) {
		unsigned long pages, end = run_end(blocks, i, blocks->nr, &pages);

		if (ccshm_blocks_interrupted(blocks)) {
			share_undo(blocks, i);
			return -EINTR;
		}
		blocks->units_whole += count_whole(blocks, i, end);
		blocks->conversions++;
		if (pages_to_shared(blocks->block[i].page, pages)) {
			share_undo(blocks, end);
			return -EIO;
		}
		ccshm_convert_zero(blocks->block[i].page, pages);
		i = end;
		cond_resched();
	}
	atomic64_add(blocks->pages, &pages_shared);
	return 0;
}

/**
 * ccshm_convert_unshare - make shared blocks private and give them back
 * @blocks: is empty afterwards
 *
 * Nobody may reach the memory any more. What cannot be made private stays in
 * quarantine.
 */
void ccshm_convert_unshare(struct ccshm_blocks *blocks)
{
	atomic64_sub(blocks->pages, &pages_shared);
	unshare_range(blocks, 0, blocks->nr);
	ccshm_blocks_forget(blocks);
}

void ccshm_convert_stats(struct ccshm_convert_stats *stats)
{
	stats->pages_shared = atomic64_read(&pages_shared);
	stats->pages_quarantined = atomic64_read(&pages_quarantined);
	stats->calls_shared = atomic64_read(&calls_shared);
	stats->calls_private = atomic64_read(&calls_private);
	stats->calls_failed = atomic64_read(&calls_failed);
}

void ccshm_convert_exit(void)
{
	cancel_delayed_work_sync(&quarantine_work);
	quarantine_scan(true);
}
