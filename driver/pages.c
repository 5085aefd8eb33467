// SPDX-License-Identifier: GPL-2.0-only
/* PAGES: what the kernel's own page tables say of a buffer's pages. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ccshm.h"

/* Copied out so many at a time. */
#define BATCH	64

/**
 * struct page_walk - a walk over pages of a buffer
 * @blocks: its memory, which stays as long as the walk
 * @index: of the next page
 * @end: behind the last page
 * @admin: may know physical addresses
 */
struct page_walk {
	const struct ccshm_blocks *blocks;
	unsigned long index;
	unsigned long end;
	bool admin;
};

/* What is at @index, as far as one leaf of the direct map and one block go. */
static struct ccshm_ioc_run look(const struct page_walk *walk,
				 unsigned long index, unsigned long *pfn)
{
	unsigned long addr, run, in_unit;
	struct ccshm_ioc_run found = { .offset = (u64)index << PAGE_SHIFT };

	*pfn = ccshm_blocks_pfn(walk->blocks, index, &run);
	addr = (unsigned long)page_address(pfn_to_page(*pfn));
	in_unit = CCSHM_UNIT_PAGES - *pfn % CCSHM_UNIT_PAGES;

	found.state = ccshm_page_state(addr);
	if (ccshm_leaf_is_whole(addr))
		found.flags |= CCSHM_PAGES_LEAF_WHOLE;
	else
		in_unit = 1;
	if (index >= walk->blocks->pages)
		found.flags |= CCSHM_PAGES_CARVED;
	found.length = (u64)min3(run, in_unit, walk->end - index) << PAGE_SHIFT;
	if (walk->admin)
		found.physical = PFN_PHYS(*pfn);
	return found;
}

/* The next pages that have everything in common. */
static struct ccshm_ioc_run next_pages(struct page_walk *walk)
{
	unsigned long pfn, next_pfn;
	struct ccshm_ioc_run run = look(walk, walk->index, &pfn), next;

	for (;;) {
		walk->index = (run.offset + run.length) >> PAGE_SHIFT;
		if (walk->index >= walk->end)
			return run;
		cond_resched();
		if (fatal_signal_pending(current))
			return run;
		next = look(walk, walk->index, &next_pfn);
		if (next_pfn != pfn + (run.length >> PAGE_SHIFT) ||
		    next.state != run.state || next.flags != run.flags)
			return run;
		run.length += next.length;
	}
}

static int copy_runs(struct page_walk *walk, struct ccshm_ioc_pages *req,
		     struct ccshm_ioc_run *batch)
{
	struct ccshm_ioc_run __user *user = u64_to_user_ptr(req->runs);

	while (walk->index < walk->end && req->count < req->capacity) {
		u32 nr = 0, most = min_t(u32, BATCH, req->capacity - req->count);

		while (walk->index < walk->end && nr < most)
			batch[nr++] = next_pages(walk);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_to_user(user + req->count, batch, nr * sizeof(*batch)))
			return -EFAULT;
		req->count += nr;
	}
	req->next = (u64)walk->index << PAGE_SHIFT;
	return 0;
}

static int pages_of(struct ccshm_buffer *buffer, struct ccshm_ioc_pages *req)
{
	struct page_walk walk = { .blocks = &buffer->blocks };
	struct ccshm_ioc_run *batch;
	u64 size = req->size;
	int err;

	err = ccshm_buffer_slice(buffer->size, req->offset, &size);
	if (err)
		return err;
	batch = kmalloc_array(BATCH, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	walk.index = req->offset >> PAGE_SHIFT;
	walk.end = (req->offset + size) >> PAGE_SHIFT;
	walk.admin = capable(CAP_SYS_ADMIN);
	err = copy_runs(&walk, req, batch);
	kfree(batch);
	return err;
}

int ccshm_pages(struct ccshm_call *call)
{
	struct ccshm_ioc_pages *req = call->arg;
	struct ccshm_buffer *buffer;
	int err = -ENOENT;

	if (req->flags || !req->capacity)
		return -EINVAL;
	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_SEE);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	/* Not given back while it is looked at. */
	if (refcount_inc_not_zero(&buffer->users)) {
		err = pages_of(buffer, req);
		ccshm_buffer_unuse(buffer);
	}
	ccshm_object_put(&buffer->obj);
	return err;
}
