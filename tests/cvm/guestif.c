// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's own calls (cvm_guest.h): a VMMCALL with a magic number, from any privilege
 * level, so that neither the guest's tool nor a test module needs a driver.
 */
#include "cvm.h"
#define CVM_NO_CALLS
#include "cvm_guest.h"

static char mark[256];
static u32 mark_length;

void guestif_cpuid(u32 leaf, u32 r[4])
{
	if (leaf == CVM_CPUID_BASE) {
		r[0] = CVM_CPUID_FLAVOUR;
		r[1] = CVM_CPUID_EBX;
		r[2] = CVM_CPUID_ECX;
		r[3] = CVM_CPUID_EDX;
	} else if (leaf == CVM_CPUID_FLAVOUR) {
		r[1] = flavour->id;
	}
}

static u64 *counter(u64 which)
{
	static u64 *const by_number[CVM_NR_COUNTERS] = {
		[CVM_HC_SHARED] = &counters.hc_shared,
		[CVM_HC_PRIVATE] = &counters.hc_private,
		[CVM_PAGES_TO_SHARED] = &counters.pages_to_shared,
		[CVM_PAGES_TO_PRIVATE] = &counters.pages_to_private,
		[CVM_ACCEPTS] = &counters.accepts,
		[CVM_PAGES_SHARED] = &counters.pages_shared,
		[CVM_VIOL_PRIVATE_ALIAS] = &counters.viol_private_alias,
		[CVM_VIOL_SHARED_ALIAS] = &counters.viol_shared_alias,
		[CVM_CONV_FAILED] = &counters.conv_failed,
		[CVM_EXITS] = &counters.exits,
		[CVM_STRAY_DMA] = &counters.stray_dma,
	};

	return which < CVM_NR_COUNTERS ? by_number[which] : NULL;
}

static u64 read_counter(u64 which)
{
	u64 *c = counter(which);

	return c ? *c : CVM_ERROR;
}

static u64 set_mode(u64 new)
{
	u64 old = mode;

	if (new & ~(u64)CVM_MODE_ALL)
		return CVM_ERROR;
	mode = new;
	pages_rearm();
	return old;
}

/* The pages' states are facts, not counts: what is shared now stays. */
static void reset(void)
{
	u32 i;

	for (i = 0; i < CVM_NR_COUNTERS; i++)
		if (i != CVM_PAGES_SHARED)
			*counter(i) = 0;
	trap_reset();
}

static u64 page_state(u64 addr)
{
	u64 gpa = memory_gpa(addr);

	return page_tracked(gpa) ? page_is_shared(gpa) : CVM_ERROR;
}

/* Eight characters; a zero among them ends the line. */
static void add_mark(u64 chars)
{
	u32 i;

	for (i = 0; i < 8; i++, chars >>= 8) {
		char c = chars;

		if (c && mark_length < sizeof(mark) - 1)
			mark[mark_length++] = c < ' ' ? ' ' : c;
	}
}

static void add_marks(const u64 *arg)
{
	u32 i;

	for (i = 0; i < 3; i++)
		add_mark(arg[i]);
	if (arg[2] >> 56)
		return;
	mark[mark_length] = 0;
	mark_length = 0;
	log_("mark: %s", mark);
}

bool guestif_call(struct vcpu *v)
{
	const u64 arg[3] = { v->gpr[RSI], v->gpr[RDX], v->gpr[RCX] };
	u64 ret = 0;

	if (v->gpr[RAX] != CVM_MAGIC)
		return false;
	switch (v->gpr[RDI]) {
	case CVM_CALL_COUNTER:
		ret = read_counter(arg[0]);
		break;
	case CVM_CALL_SET_MODE:
		ret = set_mode(arg[0]);
		break;
	case CVM_CALL_REARM:
		pages_rearm();
		break;
	case CVM_CALL_RESET:
		reset();
		break;
	case CVM_CALL_PAGE:
		ret = page_state(arg[0]);
		break;
	case CVM_CALL_FAIL:
		ret = tdx_fail(arg[0], arg[1], arg[2]) ? 0 : CVM_ERROR;
		break;
	case CVM_CALL_MARK:
		add_marks(arg);
		break;
	default:
		ret = CVM_ERROR;
	}
	v->gpr[RAX] = ret;
	return true;
}
