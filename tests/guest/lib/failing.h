/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail on request: the kernel's /proc/PID/fail-nth makes the n-th allocation of a
 * task fail (Documentation/fault-injection). A kernel can do this if it was built with CONFIG_FAILSLAB
 * and CONFIG_FAIL_PAGE_ALLOC, as debug kernels are (tests/harness/debug-kernel).
 *
 * fail-nth counts the allocations of both kinds together (should_fail_ex()). One kind at a time is
 * counted here: a slab that is full makes an allocation of a page too, so the sum would vary.
 */
#ifndef CCSHM_FAILING_H
#define CCSHM_FAILING_H

#include "raw.h"

/*
 * Prepare the kernel: allocations that may wait also fail, and are not logged. Return why
 * allocations cannot fail on request, or NULL.
 */
const char *failing_begin(void);

/* The allocations that are counted, and that fail. */
enum failing_kind {
	FAILING_SLABS,		/* from slabs: kmalloc() and the like; the default */
	FAILING_PAGES,		/* of pages: alloc_pages(), also those for slabs and for page tables */
};

/* Count allocations of this kind from now on, and let them fail. */
void failing_choose(enum failing_kind kind);

/* Make the @nth allocation of this thread from now on fail. */
void failing_arm(unsigned int nth);

/* End that. Return whether the allocation has failed. */
RAW_CHECKED bool failing_disarm(void);

/* Return how many allocations were still to be made before one fails. */
unsigned int failing_left(void);

/* Begin or end that all allocations of this thread fail. */
void failing_all(bool on);

/*
 * Make reservations in xarrays (xa_reserve()) fail after @nodes nodes were allocated. A single failed
 * allocation has no effect: the kernel repeats it.
 */
void failing_reserve(unsigned int nodes);

/* Undo failing_reserve(). Return whether a reservation failed. */
RAW_CHECKED bool failing_reserve_end(void);

/* Make the @nth allocation of each worker thread of unbound work queues fail. */
void failing_arm_workers(unsigned int nth);

/* End that. Return in how many of these threads the allocation has failed. */
RAW_CHECKED unsigned int failing_disarm_workers(void);

#endif /* CCSHM_FAILING_H */
