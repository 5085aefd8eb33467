// SPDX-License-Identifier: GPL-2.0-only
/*
 * Initialization of a CPU's registers, and the lock. Interrupts are not trapped, nor are the
 * FPU, SVE, pointer authentication and other extensions.
 */
#include "arm64.h"

#define HCR_VM		BIT(0)
#define HCR_TID2	BIT(17)		/* traps CTR_EL0, for the guest's calls */
#define HCR_TSC		BIT(19)		/* traps SMC */
#define HCR_RW		BIT(31)
#define HCR_APK		BIT(40)
#define HCR_API		BIT(41)
#define HCR_ENSCXT	BIT(53)
#define HCR_ATA		BIT(56)

/* 40 address bits, two concatenated level 1 tables; cacheable, shareable table walks. */
#define VTCR		(BIT(31) | 2 << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 24)

#define HCRX_MSCEN	BIT(11)		/* the instructions that copy and set memory work */

#define CPTR_NO_TRAPS	0x22ff
#define SCTLR_EL1_RESET	0x30d00800

/* Registers by number, because old assemblers do not know their names. */
#define ZCR_EL2		S3_4_C1_C2_0
#define HCRX_EL2	S3_4_C1_C2_2
#define SMCR_EL2	S3_4_C1_C2_6
#define ID_AA64ISAR2_EL1	S3_0_C0_C6_2
#define HFGRTR_EL2	S3_4_C1_C1_4
#define HFGWTR_EL2	S3_4_C1_C1_5
#define ICC_SRE_EL2	S3_4_C12_C9_5
#define read_numbered(name)		read_register_(name)
#define read_register_(name)		read_register(name)
#define write_numbered(name, value)	write_register_(name, value)
#define write_register_(name, value)	write_register(name, value)

#define STACK_SIZE	(4 * PAGE_SIZE)

u64 guest_midr;

static struct cpu cpus[MAX_CPUS];
static u32 locked;

void lock(void)
{
	u32 old, failed;

	do {
		asm volatile("ldaxr %w0, %2\n"
			     "mov %w1, #1\n"
			     "cbnz %w0, 1f\n"
			     "stxr %w1, %w3, %2\n"
			     "1:"
			     : "=&r"(old), "=&r"(failed), "+Q"(locked) : "r"(1) : "memory");
	} while (old || failed);
}

void unlock(void)
{
	asm volatile("stlr wzr, %0" : "=Q"(locked) : : "memory");
}

static bool has(u64 id_register, u32 field)
{
	return id_register >> field & 0xf;
}

/* Initialize the registers of the extensions that the CPU has. */
static void init_extensions(void)
{
	u64 pfr0 = read_register(id_aa64pfr0_el1), pfr1 = read_register(id_aa64pfr1_el1);

	if (has(pfr0, 32))
		write_numbered(ZCR_EL2, 15);
	if (has(pfr1, 24))
		write_numbered(SMCR_EL2, BIT(31) | 15);
	if (has(read_register(id_aa64mmfr1_el1), 40))
		write_numbered(HCRX_EL2, has(read_numbered(ID_AA64ISAR2_EL1), 16) ? HCRX_MSCEN : 0);
	if (has(read_register(id_aa64mmfr0_el1), 56)) {
		/* Only the bits of SME's registers have inverse meaning: 1 disables the trap. */
		write_numbered(HFGRTR_EL2, 3ull << 54);
		write_numbered(HFGWTR_EL2, 3ull << 54);
	}
	if (has(pfr0, 24))
		write_numbered(ICC_SRE_EL2, 15);
}

void cpu_init(struct cpu *cpu)
{
	cpu->step.active = false;
	write_register(hcr_el2, HCR_VM | HCR_TID2 | HCR_TSC | HCR_RW | HCR_APK | HCR_API |
				HCR_ENSCXT | HCR_ATA);
	write_register(cptr_el2, CPTR_NO_TRAPS);
	asm volatile("isb");
	init_extensions();
	write_register(mdcr_el2, read_register(pmcr_el0) >> 11 & 0x1f);
	write_register(cnthctl_el2, 3);
	write_register(cntvoff_el2, 0);
	write_register(hstr_el2, 0);
	write_register(vpidr_el2, guest_midr ? guest_midr : read_register(midr_el1));
	write_register(vmpidr_el2, read_register(mpidr_el1));
	write_register(sctlr_el1, SCTLR_EL1_RESET);
	write_register(vtcr_el2, VTCR);
	write_register(vttbr_el2, memory_root());
	asm volatile("isb; tlbi vmalls12e1; dsb nsh; isb" : : : "memory");
}

/* Initialize the struct of a CPU that is about to start. Return NULL if there is no such CPU. */
struct cpu *cpu_prepare(u64 mpidr, u64 entry, u64 context)
{
	u64 number = mpidr & 0xff;
	struct cpu *cpu = &cpus[number];

	if ((mpidr & 0xff00ffff00) || number >= MAX_CPUS)
		return NULL;
	if (!cpu->stack)
		cpu->stack = (u64)rig_alloc(STACK_SIZE) + STACK_SIZE;
	cpu->entry = entry;
	cpu->context = context;
	return cpu;
}
