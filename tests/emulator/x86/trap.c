// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wrong accesses: to the private view of a shared page, and to the shared view of a private
 * page.
 *
 * A trapped access is logged and counted, and its entry is made present. The access then
 * reaches the bank of its view, and so reads the wrong data. A page is therefore counted once
 * per direction, until it is converted or the traps are armed again. In step mode the entry
 * is closed after one instruction, so every such instruction is counted.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/* Bits of EXITINFO1 of a nested page fault. */
#define NPF_WRITE	BIT(1)
#define NPF_FETCH	BIT(4)
#define NPF_TABLE_WALK	BIT(33)

static const char *access_name(u64 info)
{
	if (info & NPF_TABLE_WALK)
		return "page walk";
	if (info & NPF_FETCH)
		return "fetch";
	return info & NPF_WRITE ? "write" : "read";
}

/*
 * Single-step one instruction. An instruction may open several pages; end_step() closes all
 * of them.
 */
static void start_step(struct vcpu *v, u64 gpa, enum view view)
{
	struct step *step = &v->step;

	if (!step->active) {
		step->active = true;
		step->n = 0;
		step->guest_tf = v->vmcb->rflags & RFLAGS_TF;
		v->vmcb->rflags |= RFLAGS_TF;
		v->vmcb->exceptions |= BIT(VECTOR_DB);
	}
	if (step->n < ARRAY_SIZE(step->opened)) {
		step->opened[step->n].gpa = gpa;
		step->opened[step->n++].view = view;
	}
}

static void end_step(struct vcpu *v)
{
	struct step *step = &v->step;
	u32 i;

	for (i = 0; i < step->n; i++) {
		if (memory_is_mmio(step->opened[i].gpa))
			memory_mmio_close(step->opened[i].gpa);
		else
			page_close(step->opened[i].gpa, step->opened[i].view);
	}
	step->active = false;
	v->vmcb->exceptions &= ~BIT(VECTOR_DB);
	if (!step->guest_tf)
		v->vmcb->rflags &= ~RFLAGS_TF;
}

bool trap_stepped(struct vcpu *v)
{
	if (!v->step.active || !(v->vmcb->dr6 & DR6_BS))
		return false;
	end_step(v);
	if (v->step.guest_tf)
		return false;
	v->vmcb->dr6 &= ~DR6_BS;
	return true;
}

/*
 * Handle an access to a private page that the guest has not accepted (TDX) or validated (SNP).
 * Hardware ends a TDX guest. In an SNP guest it raises an exception that ends the guest; the
 * emulator counts the access instead.
 */
static void unaccepted(struct vcpu *v, u64 gpa)
{
	struct vmcb *s = v->vmcb;

	if (flavour->id != CVM_SNP)
		stop("access to %lx, private and not accepted, rip %lx, cpl %u", gpa, s->rip,
		     s->cpl);
	counters.viol_unvalidated++;
	violation_log("unvalidated", gpa, s->rip, s->cpl, access_name(s->info1));
}

void trap_nested_fault(struct vcpu *v)
{
	struct vmcb *s = v->vmcb;
	u64 gpa = memory_gpa(ALIGN_DOWN(s->info2, PAGE_SIZE));
	enum view view = memory_which(s->info2);

	/* Another CPU may have opened the page or converted it meanwhile. */
	if (view == VIEW_PRIVATE && memory_is_mmio(gpa)) {
		if (memory_mmio_is_open(gpa))
			return;
		violation_mmio(gpa, s->rip, s->cpl, access_name(s->info1));
		memory_mmio_open(gpa);
		if (mode & CVM_MODE_STEP)
			start_step(v, gpa, view);
		return;
	}
	if (page_tracked(gpa) && *pages_leaf(gpa, view) & 1)
		return;
	if (!page_tracked(gpa))
		stop("access to %lx, which is not guest memory, rip %lx, cpl %u", s->info2, s->rip,
		     s->cpl);
	if (view == VIEW_PRIVATE && !page_is_shared(gpa) && !page_accepted(gpa)) {
		unaccepted(v, gpa);
	} else {
		if (s->info1 & NPF_TABLE_WALK && early_again(v))
			return;
		violation(gpa, view, s->rip, s->cpl, access_name(s->info1));
	}
	page_open(gpa, view);
	if (mode & CVM_MODE_STEP)
		start_step(v, gpa, view);
}
