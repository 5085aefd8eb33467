// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits of the guest: firmware calls, cache identification registers, wrong accesses. Exits
 * are handled one CPU at a time.
 */
#include "arm64.h"

/* The number of a trapped register, as encoded in the syndrome. */
#define REGISTER(op0, op1, crn, crm, op2) \
	((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define ISS_REGISTER(iss)	((iss) & 0x3ffc1e)
#define ISS_RT(iss)		((u32)((iss) >> 5 & 31))
#define ISS_READ(iss)		((iss) & 1)

#define CTR_EL0			REGISTER(3, 3, 0, 0, 1)
#define CCSIDR_EL1		REGISTER(3, 1, 0, 0, 0)
#define CLIDR_EL1		REGISTER(3, 1, 0, 0, 1)
#define CCSIDR2_EL1		REGISTER(3, 1, 0, 0, 2)
#define CSSELR_EL1		REGISTER(3, 2, 0, 0, 0)

#define CTR_IDC			BIT(28)
#define CTR_DIC			BIT(29)

/*
 * Read a cache identification register. CTR_EL0 has IDC and DIC set: otherwise Linux assumes
 * that cache types differ between CPUs and emulates programs' reads of CTR_EL0, so calls of
 * programs would not reach the emulator.
 */
static u64 identify_caches(u64 which)
{
	switch (which) {
	case CTR_EL0:
		return read_register(ctr_el0) | CTR_IDC | CTR_DIC;
	case CCSIDR_EL1:
		return read_register(ccsidr_el1);
	case CLIDR_EL1:
		return read_register(clidr_el1);
	case CSSELR_EL1:
		return read_register(csselr_el1);
	case CCSIDR2_EL1:
		return 0;
	}
	stop("trapped register %lx, pc %lx", which, read_register(elr_el2));
}

static void register_access(struct regs *r, u64 iss)
{
	u32 rt = ISS_RT(iss);
	u64 which = ISS_REGISTER(iss);

	write_register(elr_el2, read_register(elr_el2) + 4);
	if (!ISS_READ(iss)) {
		if (which == CSSELR_EL1)
			write_register(csselr_el1, rt == 31 ? 0 : r->x[rt]);
		return;
	}
	if (which == CTR_EL0 && rt == 0 && guest_call(r))
		return;
	if (rt != 31)
		r->x[rt] = identify_caches(which);
}

void handle_exit(struct regs *r, struct cpu *cpu)
{
	u64 esr = read_register(esr_el2);

	lock();
	counters.exits++;
	switch (ESR_EC(esr)) {
	case EC_SMC:
		/* ELR_EL2 is the address of the SMC instruction. */
		write_register(elr_el2, read_register(elr_el2) + 4);
		smc(r);
		break;
	case EC_REGISTER:
		register_access(r, esr);
		break;
	case EC_FETCH:
	case EC_DATA:
		trap_abort(cpu, esr);
		break;
	case EC_STEP:
		trap_stepped(cpu);
		break;
	default:
		stop("exit %lx, address %lx, pc %lx, spsr %lx", esr, read_register(far_el2),
		     read_register(elr_el2), read_register(spsr_el2));
	}
	flip_exit();
	unlock();
}

void own_fault(u64 esr, u64 pc, u64 address)
{
	stop("exception in the emulator, esr %lx, pc %lx of %lx, address %lx", esr, pc,
	     (u64)image_start, address);
}
