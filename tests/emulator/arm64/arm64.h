/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator of Realms: shared declarations.
 *
 *   boot.S    entry from QEMU and from the guest   main.c   start-up, options
 *   dtb.c     the device tree                      cpu.c    registers, CPUs, the lock
 *   memory.c  the two banks, stage 2 tables        exit.c   dispatch of exits
 *   smc.c     PSCI and the RSI                     trap.c   wrong accesses, stepping
 *   call.c    the guest's calls to the emulator    io.c     semihosting, copying
 *   host.c    which memory was touched
 */
#ifndef CVM_ARM64_H
#define CVM_ARM64_H

#include "../common/cvm.h"

#define MAX_CPUS	8
#define RAM_START	GIB(1)			/* start of RAM in QEMU's machine "virt" */
#define KERNEL_START	(RAM_START + MIB(2))	/* address at which the launcher loads the Image */

struct regs {
	u64 x[31], unused;
};

/* A page that was opened for one instruction. */
struct opened {
	u64 gpa;
	enum view view;
};

struct cpu {
	u64 stack, entry, context;	/* used by boot.S: offsets are fixed */
	struct {
		bool active;
		u32 n;
		struct opened opened[4];
		u64 pc, daif;		/* the guest's, before the step */
	} step;
};

#define read_register(name) ({						\
	u64 value_;							\
	asm volatile("mrs %0, " #name : "=r"(value_));			\
	value_; })
#define write_register(name, value)					\
	asm volatile("msr " #name ", %0" : : "r"((u64)(value)) : "memory")

#define SPSR_SS		BIT(21)
#define SPSR_PAN	BIT(22)
#define SPSR_DAIF	(0xfull << 6)
#define SPSR_EL(spsr)	((u32)((spsr) >> 2 & 3))

#define ESR_EC(esr)	((u32)((esr) >> 26 & 0x3f))
#define EC_SMC		0x17
#define EC_REGISTER	0x18
#define EC_FETCH	0x20
#define EC_DATA		0x24
#define EC_STEP		0x32

extern u8 image_start[], image_end[];	/* cvm.lds */

/* ---- main.c ---- */

u64 emulator_home(void *dtb);
struct cpu *cvm_main(void *dtb);

/* ---- dtb.c ---- */

void *dtb_property(void *dtb, const char *node, const char *name, u32 *length);
u64 dtb_number(const void *cells, u32 count);	/* @count cells of 32 bits */
void dtb_set_number(void *cells, u64 value);	/* writes two cells */
u64 dtb_size(const void *dtb);

/* ---- memory.c ---- */

extern u32 ipa_bits;
extern u64 shared_bit, guest_end;	/* guest RAM: [RAM_START, guest_end) */

void memory_init(u64 machine_end);
void memory_stage2(void);		/* make the tables and arm the traps */
u64 memory_root(void);
void memory_flush(void);		/* must follow the removal of an entry */
enum view memory_which(u64 ipa);
u64 stray_pages(void);			/* count the pages that a device wrote; zero them */

/* ---- cpu.c ---- */

extern u64 guest_midr;

void cpu_init(struct cpu *cpu);
struct cpu *cpu_prepare(u64 mpidr, u64 entry, u64 context);
void lock(void);
void unlock(void);
void secondary(void);			/* boot.S */

/* ---- exit.c ---- */

void handle_exit(struct regs *r, struct cpu *cpu);
void own_fault(u64 esr, u64 pc, u64 address);

/* ---- smc.c ---- */

extern u64 pages_a_call;		/* pages that the host converts per call; 0: no limit */

void smc(struct regs *r);
u64 psci(u64 function, u64 a1, u64 a2, u64 a3);	/* call QEMU's PSCI */

/* ---- trap.c ---- */

void trap_abort(struct cpu *cpu, u64 esr);
void trap_stepped(struct cpu *cpu);

/* ---- call.c ---- */

bool guest_call(struct regs *r);	/* false: not a call to the emulator */

/* ---- host.c ---- */

#define HOST_RANGE	MIB(2)

void host_init(u64 bytes);		/* @bytes: of the machine's memory, which begins at RAM_START */
bool host_touched(u64 address);		/* false: the HOST_RANGE bytes at @address are zero */

/* ---- io.c ---- */

/* Operations of semihosting, from Arm's "Semihosting for AArch32 and AArch64". */
#define SYS_OPEN	0x01
#define SYS_CLOSE	0x02
#define SYS_WRITE0	0x04
#define SYS_READ	0x06
#define SYS_SEEK	0x0a

s64 semihost(u64 operation, void *argument);	/* return -1 if QEMU runs without semihosting */
void log_skip(void);

#endif
