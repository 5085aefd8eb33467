/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Between the self-test's module and its program: primitive operations on blocks of
 * memory, right and wrong ones alike. The program decides what must come of them.
 */
#ifndef CVM_SELFTEST_H
#define CVM_SELFTEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ST_SLOTS	40
#define ST_BLOCK_PAGES	512		/* each slot holds one block of 2 MiB */
#define ST_PAGE_SIZE	4096u
#define ST_PAGE_WORDS	512
#define ST_DMA_BYTES	4092		/* QEMU 7.2's edu aborts on 4096 */

/* Ways to reach a block. The right one depends on the page's state. */
enum st_view {
	ST_DIRECT,			/* the direct map, which follows set_memory_*() */
	ST_VMAP_SHARED,			/* vmap with pgprot_decrypted() */
	ST_VMAP_PRIVATE,		/* vmap without */
	ST_NR_VIEWS,
};

enum st_op {
	ST_CONFIDENTIAL,		/* result: is this a confidential guest? */
	ST_ALLOC,			/* slot: result is its physical address */
	ST_FREE,			/* slot */
	ST_CONVERT,			/* slot, page, pages; arg: 1 to shared, 0 to private */
	ST_MAP,				/* slot, view: a vmap, until ST_UNMAP or ST_FREE */
	ST_UNMAP,			/* slot, view */
	ST_FILL,			/* slot, view, page, pages; arg: seed of the pattern */
	ST_MATCH,			/* the same; result: pages that begin with the pattern */
	ST_READ,			/* slot, view, page; arg: times; result: first word */
	ST_DMA_TO_DEVICE,		/* slot, page: by a shared page's address, into edu */
	ST_DMA_FROM_DEVICE,		/* slot, page: from edu to it; arg 1: to the bare one */
	ST_DMA_COHERENT,		/* round trip; result: wrong words; arg: pages shared */
	ST_DMA_STREAMING,		/* round trip; result: wrong words; arg: bounced maps */
	ST_ADDRESS,			/* slot, page: result is its address in the direct map */
};

struct st_call {
	__u32 op, slot, view, page, pages, pad;
	__u64 arg, result;
};

#define ST_IOCTL	_IOWR('v', 1, struct st_call)

/* mmap: a block's shared (pgprot_decrypted) or private mapping, by file offset. */
#define ST_MMAP_OFFSET(slot, private) \
	((((__u64)(slot) << 1) | (private)) * ST_BLOCK_PAGES * ST_PAGE_SIZE)

/* No two words alike, and none zero. */
static inline __u64 st_pattern(__u32 seed, __u32 page, __u32 word)
{
	return (((__u64)seed << 40 | (__u64)page << 16 | word) + 1) * 0x9e3779b97f4a7c15ull;
}

#endif
