// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wrong accesses: to the private view of a shared page, and to the shared view of a private
 * page. As in the other flavours, a trapped access is counted, its entry is made valid, and
 * the access reaches the bank of its view. With CVM_MODE_ABORT the access instead ends in an
 * external abort, as on hardware. In step mode the entry is closed after one instruction.
 */
#include "arm64.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/* Bits of the syndrome of an abort. */
#define ISS_WRITE	BIT(6)
#define ISS_TABLE_WALK	BIT(7)
#define ESR_IL		BIT(25)
#define EC_SAME_LEVEL	1u		/* added to the class of an exception from a lower level */
#define EXTERNAL_ABORT	0x10
#define ESR_OF(ec)	((u64)(ec) << 26)

#define MDSCR_SS	BIT(0)
#define MDCR_TDE	BIT(8)		/* route debug exceptions to EL2 */
#define SCTLR_SPAN	BIT(23)
#define EL1H		5ull

/*
 * Return the offset of the EL1 vector, which depends on the level and stack of the
 * interrupted code.
 */
static u64 vector_of(u64 spsr)
{
	if (SPSR_EL(spsr) == 0)
		return 0x400;
	return spsr & 1 ? 0x200 : 0;
}

/* Inject the synchronous external abort that hardware would report. */
static void inject_abort(u64 esr)
{
	u64 spsr = read_register(spsr_el2), new = SPSR_DAIF | EL1H;
	u32 ec = ESR_EC(esr) + (SPSR_EL(spsr) ? EC_SAME_LEVEL : 0);

	write_register(esr_el1, ESR_OF(ec) | ESR_IL | (esr & ISS_WRITE) | EXTERNAL_ABORT);
	write_register(far_el1, read_register(far_el2));
	write_register(elr_el1, read_register(elr_el2));
	write_register(spsr_el1, spsr);
	if (!(read_register(sctlr_el1) & SCTLR_SPAN))
		new |= SPSR_PAN;
	write_register(elr_el2, read_register(vbar_el1) + vector_of(spsr));
	write_register(spsr_el2, new);
}

static const char *access_name(u64 esr)
{
	if (esr & ISS_TABLE_WALK)
		return "page walk";
	if (ESR_EC(esr) == EC_FETCH)
		return "fetch";
	return esr & ISS_WRITE ? "write" : "read";
}

/*
 * Single-step one instruction. An instruction may open several pages; trap_stepped() closes
 * all of them.
 */
static void start_step(struct cpu *cpu, u64 gpa, enum view view)
{
	u64 spsr = read_register(spsr_el2);

	if (!cpu->step.active) {
		cpu->step.active = true;
		cpu->step.n = 0;
		cpu->step.pc = read_register(elr_el2);
		cpu->step.daif = spsr & SPSR_DAIF;
		write_register(mdscr_el1, read_register(mdscr_el1) | MDSCR_SS);
		write_register(mdcr_el2, read_register(mdcr_el2) | MDCR_TDE);
	}
	/* A guest exception clears SPSR.SS, so set it again. */
	write_register(spsr_el2, spsr | SPSR_SS | SPSR_DAIF);
	if (cpu->step.n < ARRAY_SIZE(cpu->step.opened))
		cpu->step.opened[cpu->step.n++] = (struct opened){ gpa, view };
}

/*
 * Restore the guest's exception masks after a step. If the instruction has faulted to EL1,
 * the masks are in the guest's saved state.
 */
static void restore_masks(struct cpu *cpu)
{
	u64 spsr = read_register(spsr_el2), saved = read_register(spsr_el1);
	u64 pc = read_register(elr_el2);

	if (pc != cpu->step.pc && pc == read_register(vbar_el1) + vector_of(saved) &&
	    read_register(elr_el1) == cpu->step.pc) {
		saved &= ~(SPSR_DAIF | SPSR_SS);
		write_register(spsr_el1, saved | cpu->step.daif);
	} else {
		spsr = (spsr & ~SPSR_DAIF) | cpu->step.daif;
	}
	write_register(spsr_el2, spsr & ~SPSR_SS);
}

void trap_stepped(struct cpu *cpu)
{
	u32 i;

	for (i = 0; i < cpu->step.n; i++)
		page_close(cpu->step.opened[i].gpa, cpu->step.opened[i].view);
	memory_flush();
	cpu->step.active = false;
	write_register(mdscr_el1, read_register(mdscr_el1) & ~MDSCR_SS);
	write_register(mdcr_el2, read_register(mdcr_el2) & ~MDCR_TDE);
	restore_masks(cpu);
}

void trap_abort(struct cpu *cpu, u64 esr)
{
	u64 ipa = (read_register(hpfar_el2) & 0xfffffffff0) << 8, gpa = memory_gpa(ipa);
	enum view view = memory_which(ipa);
	u64 pc = read_register(elr_el2);

	if (!page_tracked(gpa) || ipa >= 2 * shared_bit) {
		log_("no such address: %lx, pc %lx", ipa, pc);
		inject_abort(esr);
		return;
	}
	/* Another CPU may have opened the page or converted it meanwhile. */
	if (*pages_leaf(gpa, view) & 1)
		return;
	violation(gpa, view, pc, SPSR_EL(read_register(spsr_el2)), access_name(esr));
	if (mode & CVM_MODE_ABORT) {
		inject_abort(esr);
		return;
	}
	page_open(gpa, view);
	if (mode & CVM_MODE_STEP)
		start_step(cpu, gpa, view);
}
