/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The confidential-VM emulator: what its x86 and arm64 forms have in common. Each has a
 * header of its own (x86/x86.h, arm64/arm64.h).
 *
 *   pages.c   page states, conversions, which view is trapped, wrong accesses
 *   guestif.c the guest's own calls
 *   log.c     the log, and the end
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

/* In the order of enum cvm_counter, cvm_guest.h. */
struct counters {
	u64 hc_shared, hc_private;
	u64 pages_to_shared, pages_to_private;
	u64 accepts;
	u64 pages_shared;
	u64 viol_private_alias, viol_shared_alias;
	u64 conv_failed;
	u64 exits;
	u64 stray_dma;
};

extern struct counters counters;
extern u32 mode;			/* CVM_MODE_*, cvm_guest.h */

/* ---- what the machine has to provide ---- */

u64 memory_gpa(u64 addr);		/* the address without the bit that chooses the view */
void *memory_private(u64 gpa);		/* the private view's bytes, by the page's own number */
void *memory_shared(u64 gpa);
u64 memory_entry(u64 gpa, enum view view);	/* where it leads when not trapped; bit 0: valid */
void *rig_alloc(u64 bytes);		/* page aligned, zeroed, never freed */
u64 guestif_machine(u64 call, const u64 arg[3]);	/* calls that only this machine has */
void put_char(char c);			/* into the log */
void __noreturn machine_end(void);	/* a run that went wrong */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);

/* ---- pages.c: the guest's RAM is tracked in [start, end) ---- */

extern bool conversions_can_fail;	/* the guests survive a refused conversion */
extern bool private_needs_accept;	/* what becomes private must be accepted (TDX) */

void pages_init(u64 start, u64 end);
void pages_track(u64 start, u64 end);
u64 *pages_leaf(u64 gpa, enum view view);	/* the page's entry, among those of all pages in order */
bool page_tracked(u64 gpa);
bool page_is_shared(u64 gpa);
bool page_accepted(u64 gpa);
bool page_is_clean(u64 gpa);		/* private, and nothing can have changed its zeroed shared view */
void page_open(u64 gpa, enum view view);
void page_close(u64 gpa, enum view view);
void pages_rearm(void);
void pages_convert(u64 gpa, u64 pages, bool shared);
u64 pages_accept(u64 gpa, u64 pages);	/* how many needed it */
bool pages_acceptable(u64 gpa, u64 pages);	/* all of them, none shared */
bool conversions_fail(u64 directions, u64 skip, u64 count);
bool conversion_fails(bool shared);
/* Count a wrong access, by an instruction at pc of this privilege level. */
void violation(u64 gpa, enum view view, u64 pc, u32 level, const char *access);
void violations_reset(void);

/* ---- guestif.c ---- */

u64 guestif(u64 call, const u64 arg[3]);

/* ---- log.c ---- */

void __printf(1, 2) log_(const char *fmt, ...);
void __noreturn __printf(1, 2) stop(const char *fmt, ...);
bool string_equal(const char *a, const char *b, size_t n);

#endif
