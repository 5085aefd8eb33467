/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The interface of the self-test's module: basic operations on blocks of memory, correct and
 * incorrect ones. The program judges the results.
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

/* Ways to access a block. The state of a page determines the correct one. */
enum st_view {
	ST_DIRECT,			/* the direct map, which follows set_memory_*() */
	ST_VMAP_SHARED,			/* vmap with pgprot_decrypted() */
	ST_VMAP_PRIVATE,		/* vmap without pgprot_decrypted() */
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
	ST_MATCH,			/* as ST_FILL; result: pages that begin with the pattern */
	ST_READ,			/* slot, view, page; arg: times; result: first word */
	ST_DMA_TO_DEVICE,		/* slot, page: edu reads at a shared page's address */
	ST_DMA_FROM_DEVICE,		/* slot, page: edu writes; arg 1: without the shared bit */
	ST_DMA_COHERENT,		/* round trip; result: wrong words; arg: pages shared */
	ST_DMA_STREAMING,		/* round trip; result: wrong words; arg: bounced maps */
	ST_ADDRESS,			/* slot, page: result is its address in the direct map */
	ST_PVALIDATE,			/* SNP: slot, view, page; arg: ST_VALIDATE, ST_LARGE... */
	ST_STATE,			/* SNP: slot, page; arg of ST_CONVERT; RMP only */
	ST_EVENT,			/* x86: slot, view, page: see event.c; arg: enum st_event */
};

/* Events that the processor delivers through the IDT. The result is how often the guest got it. */
enum st_event {
	ST_NMI,
	ST_INT,				/* an INT instruction */
	ST_INTERRUPT,			/* of the timer; result: whether others followed */
};

struct st_call {
	__u32 op, slot, view, page, pages, pad;
	__u64 arg, result;
};

/* The argument of ST_PVALIDATE. The result is that of the instruction. */
#define ST_VALIDATE	1u		/* validate, rather than rescind */
#define ST_LARGE	2u		/* 2 MiB */
#define ST_BAD_SIZE	4u		/* a size that PVALIDATE does not have */
#define ST_UNCHANGED	255u		/* result: success without a change (carry flag) */

#define ST_IOCTL	_IOWR('v', 1, struct st_call)

/* The offset to pass to mmap() for a block's shared (pgprot_decrypted) or private mapping. */
#define ST_MMAP_OFFSET(slot, private) \
	((((__u64)(slot) << 1) | (private)) * ST_BLOCK_PAGES * ST_PAGE_SIZE)
#define ST_SLOT_DEVICE	ST_SLOTS	/* for ST_MMAP_OFFSET: the registers of edu */

/* Return a word of the pattern. All words differ, and none is zero. */
static inline __u64 st_pattern(__u32 seed, __u32 page, __u32 word)
{
	return (((__u64)seed << 40 | (__u64)page << 16 | word) + 1) * 0x9e3779b97f4a7c15ull;
}

#endif
