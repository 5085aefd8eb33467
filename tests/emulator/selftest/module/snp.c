// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a conversion in an SNP guest, one by one: PVALIDATE, and a page state change by the
 * GHCB MSR protocol. The kernel performs them in the right order only.
 */
#include <linux/cc_platform.h>
#include <linux/irqflags.h>

#include "module.h"

#define MSR_GHCB	0xc0010130
#define PSC_REQUEST	0x014
#define PSC_RESPONSE	0x015
#define PSC_PRIVATE	1ull
#define PSC_SHARED	2ull

static u64 read_ghcb_msr(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (MSR_GHCB));
	return (u64)high << 32 | low;
}

static void write_ghcb_msr(u64 value)
{
	u32 low = value, high = value >> 32;

	asm volatile("wrmsr" : : "c" (MSR_GHCB), "a" (low), "d" (high) : "memory");
}

int st_snp_pvalidate(struct st_call *call)
{
	u32 size = call->arg & ST_BAD_SIZE ? 2 : call->arg & ST_LARGE ? 1 : 0;
	u64 *p = st_word(call, call->page);
	bool unchanged;
	u32 result;

	if (!cc_platform_has(CC_ATTR_GUEST_SEV_SNP))
		return -EOPNOTSUPP;
	if (!p)
		return -EINVAL;
	asm volatile(".byte 0xf2, 0x0f, 0x01, 0xff\n\tsetc %1"
		     : "=a" (result), "=qm" (unchanged)
		     : "a" (p), "c" (size), "d" (call->arg & ST_VALIDATE)
		     : "memory", "cc");
	call->result = unchanged ? ST_UNCHANGED : result;
	return 0;
}

/* The kernel uses the MSR with interrupts off, and expects its value to be unchanged. */
int st_snp_state(struct st_call *call)
{
	unsigned long flags;
	phys_addr_t phys;
	u64 saved;
	int ret;

	if (!cc_platform_has(CC_ATTR_GUEST_SEV_SNP))
		return -EOPNOTSUPP;
	ret = st_block_phys(call, &phys);
	if (ret)
		return ret;
	local_irq_save(flags);
	saved = read_ghcb_msr();
	write_ghcb_msr((call->arg ? PSC_SHARED : PSC_PRIVATE) << 52 | phys | PSC_REQUEST);
	asm volatile("rep; vmmcall" : : : "memory");
	call->result = read_ghcb_msr();
	write_ghcb_msr(saved);
	local_irq_restore(flags);
	if ((call->result & 0xfff) != PSC_RESPONSE)
		return -EIO;
	call->result >>= 32;
	return 0;
}
