// SPDX-License-Identifier: GPL-2.0-only
/* PAGES: describe the pages of a buffer as the kernel's page tables map them. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ccshm.h"

/* Number of runs that are copied to user space at a time. */
#define BATCH	64

/**
 * struct page_walk - walk over pages of a buffer
 * @memory: memory of the buffer, which stays while the walk lasts
 * @index: index of the next page
 * @end: index after the last page
 * @admin: the caller may see physical addresses
 */
struct page_walk {
	const struct ccshm_memory *memory;
	unsigned long index;
	unsigned long end;
	bool admin;
};

/*
 * Describe the pages from @index to the end of the leaf of the direct map, the block or
 * the walk.
 */
static struct ccshm_ioc_run page_walk_describe_leaf(const struct page_walk *walk,
						    unsigned long index,
						    unsigned long *pfn)
{
	unsigned long addr, run, in_unit;
	struct ccshm_ioc_run found = { .offset = (u64)index << PAGE_SHIFT };

	*pfn = ccshm_memory_pfn(walk->memory, index, &run);
	addr = (unsigned long)page_address(pfn_to_page(*pfn));
	in_unit = CCSHM_UNIT_PAGES - *pfn % CCSHM_UNIT_PAGES;

	found.state = ccshm_page_state(addr);
	if (ccshm_leaf_is_whole(addr))
		found.flags |= CCSHM_PAGES_LEAF_WHOLE;
	else
		in_unit = 1;
	if (ccshm_memory_is_carved(walk->memory, index))
		found.flags |= CCSHM_PAGES_CARVED;
	found.length = (u64)min3(run, in_unit, walk->end - index) << PAGE_SHIFT;
	if (walk->admin)
		found.physical = PFN_PHYS(*pfn);
	return found;
}

/* Describe the longest contiguous run of pages that have the same state and flags. */
static struct ccshm_ioc_run page_walk_next_run(struct page_walk *walk)
{
	unsigned long pfn, next_pfn;
	struct ccshm_ioc_run run, next;

	run = page_walk_describe_leaf(walk, walk->index, &pfn);
	for (;;) {
		walk->index = (run.offset + run.length) >> PAGE_SHIFT;
		if (walk->index >= walk->end)
			return run;
		cond_resched();
		if (fatal_signal_pending(current))
			return run;
		next = page_walk_describe_leaf(walk, walk->index, &next_pfn);
		if (next_pfn != pfn + (run.length >> PAGE_SHIFT) ||
		    next.state != run.state || next.flags != run.flags)
			return run;
		run.length += next.length;
	}
}

/*
 * Describe the next runs, at most @most. Find the buffer again for each batch, and hold
 * no use of it between batches: a copy to user memory can block indefinitely.
 */
static int page_walk_fill_batch(struct ccshm_call *call, struct page_walk *walk,
				struct ccshm_ioc_run *batch, u32 most, u32 *nr)
{
	struct ccshm_ioc_pages *req = call->arg;
	struct ccshm_buffer *buffer;
	u64 size = req->size;
	int err;

	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_SEE);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	err = ccshm_buffer_slice(buffer->size, req->offset, &size);
	if (!err && !refcount_inc_not_zero(&buffer->users))
		err = -ENOENT;
	if (err)
		goto put;
	walk->memory = &buffer->memory;
	walk->end = (req->offset + size) >> PAGE_SHIFT;
	for (*nr = 0; walk->index < walk->end && *nr < most; ++*nr)
		batch[*nr] = page_walk_next_run(walk);
	ccshm_buffer_unuse(buffer);
put:
	ccshm_object_put(&buffer->obj);
	return err;
}

static int page_walk_copy_runs(struct ccshm_call *call, struct page_walk *walk,
			       struct ccshm_ioc_run *batch)
{
	struct ccshm_ioc_pages *req = call->arg;
	struct ccshm_ioc_run __user *user = u64_to_user_ptr(req->runs);

	do {
		u32 nr, most = min_t(u32, BATCH, req->capacity - req->count);
		int err = page_walk_fill_batch(call, walk, batch, most, &nr);

		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_to_user(user + req->count, batch, nr * sizeof(*batch)))
			return -EFAULT;
		req->count += nr;
	} while (walk->index < walk->end && req->count < req->capacity);
	req->next = (u64)walk->index << PAGE_SHIFT;
	return 0;
}

int ccshm_pages_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_pages *req = call->arg;
	struct page_walk walk = {
		.index = req->offset >> PAGE_SHIFT,
		.admin = capable(CAP_SYS_ADMIN),
	};
	struct ccshm_ioc_run *batch;
	int err;

	if (req->flags || !req->capacity)
		return -EINVAL;
	batch = kmalloc_array(BATCH, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	err = page_walk_copy_runs(call, &walk, batch);
	kfree(batch);
	return err;
}
