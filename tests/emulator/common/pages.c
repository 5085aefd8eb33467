// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of each page of the guest's RAM, and the traps that follow from it. The state
 * never decides which bank an access reaches, only whether the access is a violation.
 */
#include "cvm.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/* The valid bit of a page table entry, the same on x86 and arm64. */
#define ENTRY_VALID	BIT(0)

/* Per page: whether it is tracked, and its state. */
#define PAGE_TRACKED	BIT(0)
#define PAGE_SHARED	BIT(1)
#define PAGE_ACCEPTED	BIT(2)
#define PAGE_CLEAN	BIT(3)	/* the guest has not written the zeroed shared view */

/* Limit the log: step mode could otherwise fill gigabytes. */
#define LOG_MAX		200

struct counters counters;
u32 mode;
bool conversions_can_fail, accepts_can_fail, private_needs_accept, entries_removed;

static u64 first, limit;	/* the guest's RAM is in [first, limit) */
static u8 *pages;		/* PAGE_* of each page in [first, limit) */
static u64 *leaves[2];		/* per view, all 4 KiB entries of [first, limit) */
static u32 logged;

static struct {
	u64 directions, skip, count;
} failing;

void pages_init(u64 start, u64 end)
{
	u64 n = (end - start) >> PAGE_SHIFT;

	first = start;
	limit = end;
	pages = rig_alloc(n);
	leaves[VIEW_PRIVATE] = rig_alloc(n * sizeof(u64));
	leaves[VIEW_SHARED] = rig_alloc(n * sizeof(u64));
	flip_init(start, end);
}

static u64 index(u64 gpa)
{
	return (gpa - first) >> PAGE_SHIFT;
}

void pages_track(u64 start, u64 end)
{
	u64 gpa;

	for (gpa = start; gpa + PAGE_SIZE <= end; gpa += PAGE_SIZE)
		pages[index(gpa)] = PAGE_TRACKED | PAGE_ACCEPTED | PAGE_CLEAN;
}

u64 *pages_leaf(u64 gpa, enum view view)
{
	return &leaves[view][index(gpa)];
}

bool page_tracked(u64 gpa)
{
	return gpa >= first && gpa < limit && pages[index(gpa)] & PAGE_TRACKED;
}

bool page_is_shared(u64 gpa)
{
	return page_tracked(gpa) && pages[index(gpa)] & PAGE_SHARED;
}

bool page_accepted(u64 gpa)
{
	return pages[index(gpa)] & PAGE_ACCEPTED;
}

bool page_is_clean(u64 gpa)
{
	return pages[index(gpa)] & PAGE_CLEAN && !page_is_shared(gpa);
}

static bool trapped(u64 gpa, enum view view)
{
	if (!page_tracked(gpa))
		return false;
	if (page_is_shared(gpa))
		return view == VIEW_PRIVATE && mode & CVM_MODE_PRIVATE_ALIAS;
	if (view == VIEW_PRIVATE)
		return !page_accepted(gpa);
	return mode & CVM_MODE_SHARED_ALIAS;
}

void page_open(u64 gpa, enum view view)
{
	*pages_leaf(gpa, view) = memory_entry(gpa, view);
}

/*
 * Set a page's entry according to its state; the entry of a trapped page is valid except for
 * its valid bit.
 */
void page_close(u64 gpa, enum view view)
{
	u64 *leaf = pages_leaf(gpa, view), entry = memory_entry(gpa, view);

	if (trapped(gpa, view))
		entry &= ~ENTRY_VALID;
	if (*leaf & ENTRY_VALID && *leaf != entry)
		entries_removed = true;
	*leaf = entry;
}

void pages_rearm(void)
{
	u64 gpa;

	for (gpa = first; gpa < limit; gpa += PAGE_SIZE) {
		page_close(gpa, VIEW_PRIVATE);
		page_close(gpa, VIEW_SHARED);
	}
}

/* Fill a page with a deterministic pattern that differs for each page and each call. */
static void fill_with_garbage(u64 *p)
{
	static u64 x = 0x9e3779b97f4a7c15ull;
	u32 i;

	for (i = 0; i < PAGE_SIZE / sizeof(*p); i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = x ^ (u64)p;
	}
}

static void convert_page(u64 gpa, bool shared)
{
	u8 *page = &pages[index(gpa)];

	/* Kernels announce some pages repeatedly; their contents must not change. */
	if (page_is_shared(gpa) == shared)
		return;
	if (shared) {
		*page |= PAGE_SHARED;
		*page &= ~PAGE_CLEAN;
		counters.pages_to_shared++;
		counters.pages_shared++;
	} else {
		*page &= ~PAGE_SHARED;
		if (private_needs_accept)
			*page &= ~PAGE_ACCEPTED;
		counters.pages_to_private++;
		counters.pages_shared--;
	}
	flip_converted(gpa, shared);
	if (mode & CVM_MODE_SCRAMBLE)
		fill_with_garbage(shared ? memory_shared(gpa) : memory_private(gpa));
	if (!shared && mode & CVM_MODE_ZERO) {
		memset(memory_shared(gpa), 0, PAGE_SIZE);
		*page |= PAGE_CLEAN;
	}
	page_close(gpa, VIEW_PRIVATE);
	page_close(gpa, VIEW_SHARED);
}

void pages_convert(u64 gpa, u64 count, bool shared)
{
	for (; count; count--, gpa += PAGE_SIZE)
		if (page_tracked(gpa))
			convert_page(gpa, shared);
}

/* Change whether a tracked page is accepted (TDX) or validated (SNP), and arm its traps accordingly. */
void page_accept(u64 gpa, bool accepted)
{
	if (accepted)
		pages[index(gpa)] |= PAGE_ACCEPTED;
	else
		pages[index(gpa)] &= ~PAGE_ACCEPTED;
	page_close(gpa, VIEW_PRIVATE);
}

u64 pages_accept(u64 gpa, u64 count)
{
	u64 accepted = 0;

	for (; count; count--, gpa += PAGE_SIZE) {
		if (!page_tracked(gpa) || page_is_shared(gpa) || page_accepted(gpa))
			continue;
		memset(memory_private(gpa), 0, PAGE_SIZE);
		page_accept(gpa, true);
		accepted++;
	}
	return accepted;
}

/* Return true if no page of the range is shared or already accepted. */
bool pages_acceptable(u64 gpa, u64 count)
{
	for (; count; count--, gpa += PAGE_SIZE)
		if (page_tracked(gpa) && (page_is_shared(gpa) || page_accepted(gpa)))
			return false;
	return true;
}

/*
 * Refuse conversions in these directions, or acceptances: see cvm_fail(). Return false if this
 * flavour's host cannot refuse these.
 */
bool conversions_fail(u64 directions, u64 skip, u64 count)
{
	if (!conversions_can_fail)
		return false;
	if (directions & CVM_FAIL_ACCEPT && (!accepts_can_fail || directions != CVM_FAIL_ACCEPT))
		return false;
	failing.directions = directions;
	failing.skip = skip;
	failing.count = count;
	return true;
}

bool conversion_fails(bool shared)
{
	u64 direction = shared ? CVM_FAIL_SHARED : CVM_FAIL_PRIVATE;

	if (!(failing.directions & direction) || !failing.count)
		return false;
	if (failing.skip) {
		failing.skip--;
		return false;
	}
	failing.count--;
	counters.conv_failed++;
	return true;
}

/*
 * Return true if one of these @nr pages is the one of its 2 MiB that is refused. Count the refusal only if
 * it is the only one: after a refusal of a large page, the guest accepts small ones.
 */
bool accept_fails(u64 gpa, u64 nr)
{
	u64 refused = ALIGN_DOWN(gpa, 2ull << 20) + failing.skip * PAGE_SIZE;

	if (!(failing.directions & CVM_FAIL_ACCEPT) || !failing.count)
		return false;
	if (refused < gpa || refused >= gpa + nr * PAGE_SIZE)
		return false;
	if (nr == 1) {
		counters.conv_failed++;
		failing.count -= 1;
	}
	return true;
}

void violations_reset(void)
{
	logged = 0;
}

void violation_log(const char *kind, u64 gpa, u64 pc, u32 level, const char *what)
{
	if (logged == LOG_MAX)
		log_("violations: limit reached, further violations are not logged");
	if (logged++ >= LOG_MAX)
		return;
	log_("violation: %s gpa %lx pc %lx level %u %s", kind, gpa, pc, level, what);
}

void violation_mmio(u64 gpa, u64 pc, u32 level, const char *access)
{
	counters.viol_mmio++;
	violation_log("mmio", gpa, pc, level, access);
}

void violation(u64 gpa, enum view view, u64 pc, u32 level, const char *access)
{
	if (view == VIEW_PRIVATE) {
		counters.viol_private_alias++;
	} else {
		counters.viol_shared_alias++;
		/* The access may be a write. */
		pages[index(gpa)] &= ~PAGE_CLEAN;
	}
	violation_log(view == VIEW_PRIVATE ? "private_alias" : "shared_alias", gpa, pc, level, access);
}
