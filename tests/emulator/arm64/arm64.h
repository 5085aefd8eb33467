/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator of Realms: what its parts know of each other.
 *
 *   boot.S    entry from QEMU and from the guest   main.c   start-up, options
 *   dtb.c     the device tree                      cpu.c    registers, CPUs, the lock
 *   memory.c  the two banks, stage 2 tables        exit.c   dispatch of exits
 *   smc.c     PSCI and the RSI                     trap.c   wrong accesses, stepping
 *   call.c    the guest's own calls                io.c     semihosting, copying
 */
#ifndef CVM_ARM64_H
#define CVM_ARM64_H

#include "../common/cvm.h"

#define MAX_CPUS	8
#define RAM_START	GIB(1)			/* of QEMU's machine "virt" */
#define KERNEL_START	(RAM_START + MIB(2))	/* where the launcher has put the Image */

struct regs {
	u64 x[31], unused;
};

/* One page opened for one instruction. */
struct opened {
	u64 gpa;
	enum view view;
};

struct cpu {
	u64 stack, entry, context;	/* boot.S knows these */
	struct {
		bool active;
		u32 n;
		struct opened opened[4];
		u64 pc, daif;		/* of the guest, before */
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
u64 dtb_number(const void *cells, u32 count);	/* of 32 bits each */
void dtb_set_number(void *cells, u64 value);	/* two of them */
u64 dtb_size(const void *dtb);

/* ---- memory.c ---- */

extern u32 ipa_bits;
extern u64 shared_bit, guest_end;	/* guest RAM: [RAM_START, guest_end) */

void memory_init(u64 machine_end);
void memory_stage2(void);		/* the tables, with all traps set */
u64 memory_root(void);
void memory_flush(void);		/* after any entry has gone away */
enum view memory_which(u64 ipa);
u64 stray_pages(void);			/* that a device wrote; they are zeroed */

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

extern u64 pages_a_call;		/* the host converts no more at once; 0: any number */

void smc(struct regs *r);
u64 psci(u64 function, u64 a1, u64 a2, u64 a3);	/* QEMU's own */

/* ---- trap.c ---- */

void trap_abort(struct cpu *cpu, u64 esr);
void trap_stepped(struct cpu *cpu);

/* ---- call.c ---- */

bool guest_call(struct regs *r);	/* was it one? */

/* ---- io.c ---- */

void log_skip(void);

#endif
