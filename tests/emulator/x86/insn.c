// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read the guest's code through its page tables. TCG has no decode assists, so the emulator
 * decodes instructions itself.
 */
#include "x86.h"

#define PTE_PRESENT	BIT(0)
#define PTE_LARGE	BIT(7)
#define PTE_ADDRESS	0x000ffffffffff000ull
#define SEGMENT_LONG	BIT(9)
#define PREFIX_REX	0x40

/*
 * Translate @va with the guest's page tables (four or five levels). Store the physical
 * address, including the view bit, in @addr. Return false if @va is not mapped.
 */
bool guest_translate(struct vcpu *v, u64 va, u64 *addr)
{
	u64 table = v->vmcb->cr3 & PTE_ADDRESS, entry;
	int shift = v->vmcb->cr4 & CR4_LA57 ? 48 : 39;
	const u64 *p;

	if (!(v->vmcb->efer & EFER_LMA))
		return false;
	for (;; shift -= 9) {
		p = memory_view(table);
		if (!p)
			return false;
		entry = p[va >> shift & 511];
		if (!(entry & PTE_PRESENT))
			return false;
		table = entry & PTE_ADDRESS;
		if (shift == PAGE_SHIFT || (entry & PTE_LARGE && shift <= 30))
			break;
	}
	*addr = ALIGN_DOWN(table, BIT(shift)) | (va & (BIT(shift) - 1));
	return true;
}

bool guest_read(struct vcpu *v, u64 va, void *buf, u32 len)
{
	u8 *to = buf;

	while (len--) {
		u64 addr = va;
		const u8 *p;

		/* With paging off, memory is the private view. */
		if (!(v->vmcb->cr0 & CR0_PG))
			addr |= flavour->private_bit;
		else if (!guest_translate(v, va, &addr))
			return false;
		p = memory_view(addr);
		if (!p)
			return false;
		*to++ = *p;
		va++;
	}
	return true;
}

/*
 * Read up to @len bytes of code at RIP. Return the number of bytes read, which is smaller if
 * the mapping ends after the instruction.
 */
u32 guest_code(struct vcpu *v, u8 *buf, u32 len)
{
	u64 va = v->vmcb->rip;
	u32 i;

	if (!(v->vmcb->cs.attr & SEGMENT_LONG))
		va = (u32)(va + v->vmcb->cs.base);
	for (i = 0; i < len; i++)
		if (!guest_read(v, va + i, buf + i, 1))
			break;
	return i;
}

bool decode_mov_to_cr(struct vcpu *v, u64 *value, u32 *len)
{
	bool is_long = v->vmcb->cs.attr & SEGMENT_LONG;
	u32 have, i = 0, reg = 0;
	u8 code[4];

	have = guest_code(v, code, sizeof(code));
	if (is_long && have && (code[0] & 0xf0) == PREFIX_REX)
		reg = (code[i++] & 1) << 3;
	if (have < i + 3 || code[i] != 0x0f || code[i + 1] != 0x22)
		return false;
	reg |= code[i + 2] & 7;
	*value = is_long ? v->gpr[reg] : (u32)v->gpr[reg];
	*len = i + 3;
	return true;
}
