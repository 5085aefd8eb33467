// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handle the guest's calls to the emulator (cvm_guest.h). A call is a trapping instruction
 * with a magic number. Every privilege level may execute it, so the guest's tool and the test
 * modules need no driver.
 */
#include "cvm.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

static char mark[256];
static u32 mark_length;

/* Return the counter with this number (enum cvm_counter), or NULL. */
static u64 *counter(u64 which)
{
	_Static_assert(sizeof(counters) == CVM_NR_COUNTERS * sizeof(u64), "counters");

	return which < CVM_NR_COUNTERS ? (u64 *)&counters + which : NULL;
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

/* Zero all counters except those that describe the current state. */
static void reset(void)
{
	u32 i;

	for (i = 0; i < CVM_NR_COUNTERS; i++)
		if (i != CVM_PAGES_SHARED && i != CVM_FLIP_TARGETS)
			*counter(i) = 0;
	violations_reset();
}

static u64 page_state(u64 addr)
{
	u64 gpa = memory_gpa(addr);

	return page_tracked(gpa) ? page_is_shared(gpa) : CVM_ERROR;
}

/* Append up to eight characters to the mark; skip zero bytes. */
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

u64 guestif(u64 call, const u64 arg[3])
{
	switch (call) {
	case CVM_CALL_COUNTER:
		return read_counter(arg[0]);
	case CVM_CALL_SET_MODE:
		return set_mode(arg[0]);
	case CVM_CALL_REARM:
		pages_rearm();
		return 0;
	case CVM_CALL_RESET:
		reset();
		return 0;
	case CVM_CALL_PAGE:
		return page_state(arg[0]);
	case CVM_CALL_FAIL:
		return conversions_fail(arg[0], arg[1], arg[2]) ? 0 : CVM_ERROR;
	case CVM_CALL_FLIP:
		return flip_begin(arg[0], arg[1]) ? 0 : CVM_ERROR;
	case CVM_CALL_FLIP_END:
		flip_end();
		return 0;
	case CVM_CALL_MARK:
		add_marks(arg);
		return 0;
	default:
		return guestif_machine(call, arg);
	}
}
