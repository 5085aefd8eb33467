// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's calls to the emulator: a read of CTR_EL0 with a magic number in X0, which is
 * the only trapped instruction that programs may execute. Also the calls that only Realms
 * have.
 */
#include "arm64.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define TCR_T1SZ(tcr)	((u32)((tcr) >> 16 & 0x3f))
#define TCR_TG1(tcr)	((u32)((tcr) >> 30 & 3))
#define TG1_16K		1
#define TG1_4K		2
#define ENTRY_ADDRESS	0xfffffffff000ull
#define ENTRY_VALID	1
#define ENTRY_TABLE	2		/* at the last level the bit means a page */

/*
 * Look up how the kernel's page tables, which are private, map @va. Return the size of the
 * entry, with CVM_LEAF_SHARED if it is shared; 0 if it is not mapped.
 */
static u64 leaf(u64 va)
{
	u64 tcr = read_register(tcr_el1);
	u32 bits = 64 - TCR_T1SZ(tcr), page = TCR_TG1(tcr) == TG1_16K ? 14 : 12;
	/* Bits of the index per level: a table is a page of 8-byte entries. */
	u32 index = page - 3, shift = page + (bits - page - 1) / index * index;
	u64 gpa = read_register(ttbr1_el1) & ENTRY_ADDRESS, entry;

	if (TCR_TG1(tcr) != TG1_4K && TCR_TG1(tcr) != TG1_16K)
		return CVM_ERROR;
	va &= BIT(bits) - 1;
	for (;; shift -= index) {
		if (!page_tracked(gpa))
			return CVM_ERROR;
		entry = ((u64 *)memory_private(gpa))[va >> shift];
		if (!(entry & ENTRY_VALID))
			return 0;
		if (!(entry & ENTRY_TABLE) || shift == page)
			break;
		gpa = entry & ENTRY_ADDRESS;
		va &= BIT(shift) - 1;
	}
	return BIT(shift) | (entry & shared_bit ? CVM_LEAF_SHARED : 0);
}

u64 guestif_machine(u64 call, const u64 arg[3])
{
	switch (call) {
	case CVM_CALL_IDENTITY:
		return CVM_IDENTITY;
	case CVM_CALL_LEAF:
		return leaf(arg[0]);
	case CVM_CALL_CHUNK:
		pages_a_call = arg[0];
		return 0;
	default:
		return CVM_ERROR;
	}
}

bool guest_call(struct regs *r)
{
	u64 call = r->x[1];

	if (r->x[0] != CVM_MAGIC)
		return false;
	/* The search takes time, so it runs only when the counter is read. */
	if (call == CVM_CALL_COUNTER && r->x[2] == CVM_STRAY_DMA)
		counters.stray_dma += stray_pages();
	r->x[0] = guestif(call, &r->x[2]);
	if (call == CVM_CALL_SET_MODE || call == CVM_CALL_REARM)
		memory_flush();
	return true;
}
