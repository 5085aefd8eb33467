// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP: the reverse map table (RMP), which records what the guest's processor accepts as the
 * guest's private memory.
 *
 * A page has a state (pages.c) and a validated bit. The host changes the state on request
 * (ghcb.c); the new state is never validated. Only the guest changes the validated bit, with
 * PVALIDATE. pages.c keeps the bit as its "accepted" flag. An entry of the RMP covers 4 KiB or
 * 2 MiB; all pages of a 2 MiB entry have the same state and validated bit.
 *
 * Sources: AMD64 Architecture Programmer's Manual, volume 3 (PVALIDATE, RMPADJUST), and the
 * kernel's snp_set_memory_shared(), snp_set_memory_private() and pval_pages().
 */
#include "x86.h"

#define LARGE_PAGES	(LARGE_SIZE / PAGE_SIZE)

/* Results of PVALIDATE and RMPADJUST. */
#define SUCCESS			0
#define FAIL_INPUT		1
#define FAIL_PERMISSION		2
#define FAIL_SIZEMISMATCH	6

#define RMPADJUST_VMSA		BIT(16)

/* For each 2 MiB of the guest's memory: one entry of the RMP covers the whole of it. */
static bool *large_entry;

/* For each page: the guest has declared it a register save area (VMSA). */
static bool *vmsa;

static bool *large_entry_of(u64 gpa)
{
	return &large_entry[gpa / LARGE_SIZE];
}

/* Return true if all pages of an aligned 2 MiB range are tracked, and, if @shared, shared. */
static bool all_pages(u64 gpa, bool shared)
{
	u64 end = gpa + LARGE_SIZE;

	for (; gpa < end; gpa += PAGE_SIZE)
		if (!page_tracked(gpa) || (shared && !page_is_shared(gpa)))
			return false;
	return true;
}

/* At launch, all memory is private and validated, in entries as large as possible. */
void rmp_init(void)
{
	u64 gpa;

	large_entry = rig_alloc(memory_limit() / LARGE_SIZE * sizeof(*large_entry));
	for (gpa = 0; gpa < memory_limit(); gpa += LARGE_SIZE)
		*large_entry_of(gpa) = all_pages(gpa, false);
	vmsa = rig_alloc(memory_limit() / PAGE_SIZE * sizeof(*vmsa));
}

bool rmp_is_vmsa(u64 gpa)
{
	return page_tracked(gpa) && vmsa[gpa / PAGE_SIZE] && !page_is_shared(gpa) && page_accepted(gpa);
}

static void count_violation(struct vcpu *v, u64 *counter, const char *kind, u64 gpa, const char *what)
{
	(*counter)++;
	violation_log(kind, gpa, v->vmcb->rip, v->vmcb->cpl, what);
}

/*
 * Count the validated pages of a range that becomes shared: the guest must rescind their
 * validation first. Otherwise the host could make the page private again with contents of its
 * choice, and the guest would not notice.
 */
static void check_rescinded(struct vcpu *v, u64 gpa, u64 pages)
{
	for (; pages; pages--, gpa += PAGE_SIZE)
		if (page_tracked(gpa) && !page_is_shared(gpa) && page_accepted(gpa))
			count_violation(v, &counters.viol_unrescinded, "unrescinded", gpa,
					"page state change");
}

static void set_validated(u64 gpa, u64 pages, bool validated)
{
	for (; pages; pages--, gpa += PAGE_SIZE)
		if (page_tracked(gpa))
			page_accept(gpa, validated);
}

/* Perform one entry of a page state change. Return false if the entry is invalid. */
bool rmp_change(struct vcpu *v, u64 gpa, bool large, u32 op)
{
	u64 size = large ? LARGE_SIZE : PAGE_SIZE, pages = size / PAGE_SIZE;
	bool one_entry;

	if (gpa % size || (op != PSC_PRIVATE && op != PSC_SHARED))
		return false;
	if (large)
		counters.psc_2m++;
	else
		counters.psc_4k++;
	/* Pages that are private already keep their entries of 4 KiB. */
	one_entry = large && op == PSC_PRIVATE && all_pages(gpa, true);
	if (op == PSC_SHARED)
		check_rescinded(v, gpa, pages);
	pages_convert(gpa, pages, op == PSC_SHARED);
	if (op == PSC_SHARED)
		set_validated(gpa, pages, false);
	if (gpa < memory_limit() && (one_entry || op == PSC_SHARED || !large))
		*large_entry_of(gpa) = one_entry;
	return true;
}

/*
 * Execute PVALIDATE: RAX is the page's virtual address, ECX the size, EDX the new bit. Return
 * the result for EAX, and set @changed if the RMP has changed.
 */
static u32 pvalidate(struct vcpu *v, bool *changed)
{
	bool large = (u32)v->gpr[RCX] == 1, validate = v->gpr[RDX] & 1;
	u64 *wrong = &counters.viol_pvalidate, addr = v->gpr[RAX], gpa;
	u64 size = large ? LARGE_SIZE : PAGE_SIZE;

	if ((u32)v->gpr[RCX] > 1 || addr % size || !guest_translate(v, addr, &addr)) {
		count_violation(v, wrong, "pvalidate", addr, "bad input");
		return FAIL_INPUT;
	}
	gpa = memory_gpa(addr);
	if (!page_tracked(gpa)) {
		*changed = true;
		return SUCCESS;
	}
	if (page_is_shared(gpa) || memory_which(addr) != VIEW_PRIVATE) {
		count_violation(v, wrong, "pvalidate", gpa, "shared page");
		return FAIL_INPUT;
	}
	/* The kernel retries in pages of 4 KiB, so this is no violation. */
	if (large && (gpa % LARGE_SIZE || !*large_entry_of(gpa))) {
		counters.pvalidate_mismatch++;
		return FAIL_SIZEMISMATCH;
	}
	/* The host splits the entry. */
	if (!large)
		*large_entry_of(gpa) = false;
	if (page_accepted(gpa) == validate) {
		count_violation(v, wrong, "pvalidate", gpa, validate ? "validated twice" : "rescinded twice");
		return SUCCESS;
	}
	set_validated(gpa, size / PAGE_SIZE, validate);
	*changed = true;
	return SUCCESS;
}

void rmp_pvalidate(struct vcpu *v)
{
	bool changed = false;
	u32 result;

	if ((u32)v->gpr[RCX] == 1)
		counters.pvalidate_2m++;
	else
		counters.pvalidate_4k++;
	result = pvalidate(v, &changed);
	/* The carry flag reports a success that changed nothing. */
	v->vmcb->rflags &= ~RFLAGS_CF;
	if (result == SUCCESS && !changed)
		v->vmcb->rflags |= RFLAGS_CF;
	v->gpr[RAX] = result;
}

/*
 * Execute RMPADJUST, which sets what less privileged levels (VMPL) may do with a page, and whether the
 * page is a register save area. The guest runs at the most privileged level, 0, and the others are
 * unused.
 */
void rmp_adjust(struct vcpu *v)
{
	u64 addr, gpa;

	if (!guest_translate(v, v->gpr[RAX], &addr)) {
		v->gpr[RAX] = FAIL_INPUT;
		return;
	}
	gpa = memory_gpa(addr);
	if (!page_tracked(gpa) || page_is_shared(gpa) || !page_accepted(gpa)) {
		v->gpr[RAX] = FAIL_INPUT;
	} else if (!(v->gpr[RDX] & 0xff)) {
		v->gpr[RAX] = FAIL_PERMISSION;
	} else {
		vmsa[gpa / PAGE_SIZE] = v->gpr[RDX] & RMPADJUST_VMSA;
		v->gpr[RAX] = SUCCESS;
	}
}
