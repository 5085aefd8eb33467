/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The confidential-VM emulator: declarations shared by the x86 and arm64 monitors. Each monitor
 * also has its own header (x86/x86.h, arm64/arm64.h).
 *
 *   pages.c   page states, conversions, traps, wrong accesses
 *   flip.c    the hostile host, which changes bytes of shared pages
 *   guestif.c the calls of the guest to the emulator
 *   log.c     the log; ending a failed run
 */
#ifndef CVM_H
#define CVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define __packed	__attribute__((packed))
#define __noreturn	__attribute__((noreturn))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define BIT(n)		(1ull << (n))
#define KIB(n)		((u64)(n) << 10)
#define MIB(n)		((u64)(n) << 20)
#define GIB(n)		((u64)(n) << 30)
#define PAGE_SHIFT	12
#define PAGE_SIZE	BIT(PAGE_SHIFT)
#define ALIGN_DOWN(x, a)	((x) & ~((u64)(a) - 1))
#define ALIGN_UP(x, a)		ALIGN_DOWN((x) + (a) - 1, a)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

enum view { VIEW_PRIVATE, VIEW_SHARED };

/* In the order of enum cvm_counter in cvm_guest.h. */
struct counters {
	u64 hc_shared, hc_private;
	u64 pages_to_shared, pages_to_private;
	u64 accepts;
	u64 pages_shared;
	u64 viol_private_alias, viol_shared_alias;
	u64 conv_failed;
	u64 exits;
	u64 stray_dma;
	u64 vmgexits;
	u64 psc_4k, psc_2m;
	u64 pvalidate_4k, pvalidate_2m, pvalidate_mismatch;
	u64 viol_unvalidated, viol_pvalidate, viol_unrescinded;
	u64 retries;
	u64 viol_mmio;
	u64 redelivered;
	u64 flips, flip_targets;
};

extern struct counters counters;
extern u32 mode;			/* CVM_MODE_* in cvm_guest.h */

/* ---- provided by each monitor ---- */

u64 memory_gpa(u64 addr);		/* @addr without the view bit */
void *memory_private(u64 gpa);		/* the private view's data at @gpa (without the view bit) */
void *memory_shared(u64 gpa);
u64 memory_entry(u64 gpa, enum view view);	/* the entry of an untrapped page; bit 0: valid */
void *rig_alloc(u64 bytes);		/* page aligned, zeroed, never freed */
u64 guestif_machine(u64 call, const u64 arg[3]);	/* calls that are specific to the monitor */
void put_char(char c);			/* write to the log */
void __noreturn machine_end(void);	/* end a failed run */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);

/* ---- pages.c: tracks the guest's RAM in [start, end) ---- */

extern bool conversions_can_fail;	/* the host may refuse a conversion */
extern bool accepts_can_fail;		/* so can the acceptance of a page */
extern bool entries_removed;		/* an entry was valid and has changed: TLBs must be flushed */
extern bool private_needs_accept;	/* pages that become private must be accepted (TDX, SNP) */

void pages_init(u64 start, u64 end);
void pages_track(u64 start, u64 end);
u64 *pages_leaf(u64 gpa, enum view view);	/* the page's entry in the array of a view's entries */
bool page_tracked(u64 gpa);
bool page_is_shared(u64 gpa);
bool page_accepted(u64 gpa);
bool page_is_clean(u64 gpa);		/* private, with an untouched zeroed shared view */
void page_open(u64 gpa, enum view view);
void page_close(u64 gpa, enum view view);
void pages_rearm(void);
void pages_convert(u64 gpa, u64 pages, bool shared);
void page_accept(u64 gpa, bool accepted);
u64 pages_accept(u64 gpa, u64 pages);	/* returns the number of newly accepted pages */
bool pages_acceptable(u64 gpa, u64 pages);	/* none is shared or accepted */
bool conversions_fail(u64 directions, u64 skip, u64 count);
bool conversion_fails(bool shared);
bool accept_fails(u64 gpa, u64 pages);	/* refuse a request to accept these pages */
/* Count a wrong access. @pc and @level (CPL or EL) describe the instruction. */
void violation(u64 gpa, enum view view, u64 pc, u32 level, const char *access);
/* Log a violation of a kind that the monitor has counted. */
void violation_log(const char *kind, u64 gpa, u64 pc, u32 level, const char *what);
/* Count an access to device memory through the private view. */
void violation_mmio(u64 gpa, u64 pc, u32 level, const char *access);
void violations_reset(void);

/* ---- flip.c ---- */

void flip_init(u64 start, u64 end);
void flip_converted(u64 gpa, bool shared);	/* a page has changed its state */
void flip_exit(void);			/* at the end of each exit of the guest */
/* Change @words words at each exit, in pages that become shared from now on. false: too many */
bool flip_begin(u64 seed, u64 words);
void flip_end(void);

/* ---- guestif.c ---- */

u64 guestif(u64 call, const u64 arg[3]);

/* ---- log.c ---- */

void __printf(1, 2) log_(const char *fmt, ...);
void __noreturn __printf(1, 2) stop(const char *fmt, ...);
bool string_equal(const char *a, const char *b, size_t n);

#endif
