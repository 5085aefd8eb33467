/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator of SEV and TDX guests: shared declarations.
 *
 *   boot.S    machine entry, the world switch      main.c    start-up, options
 *   memory.c  the two banks, nested page tables    linux.c   loading a kernel
 *   exit.c    dispatch of VM exits, CPUID, MSRs    trap.c    wrong accesses, stepping
 *   sev.c     the SEV flavour                      tdx.c     the TDX flavour
 *   snp.c     the SNP flavour: CPUID, launch       ghcb.c    SNP: VMGEXIT
 *   rmp.c     SNP: page states, PVALIDATE          insn.c    reading the guest's code
 *   smp.c     several processors                   mailbox.c TDX: start of processors
 *   io.c      ports, string instructions
 */
#ifndef CVM_X86_H
#define CVM_X86_H

#include "../common/cvm.h"

#define LARGE_SIZE	MIB(2)

/* The address bit that selects the view of a page, in all flavours. */
#define VIEW_SHIFT	39
#define VIEW_BIT	BIT(VIEW_SHIFT)

/* ---- the guest's processor ---- */

struct segment {
	u16 sel, attr;
	u32 limit;
	u64 base;
};

#define ATTR_CODE_64	0xa9b		/* present, code, long mode, 4 KiB granules */
#define ATTR_DATA	0xc93

/* AMD's virtual machine control block: the fields that the emulator uses. */
struct vmcb {
	u16 cr_read, cr_write;			/* 0x000 */
	u32 dr;
	u32 exceptions;				/* 0x008 */
	u64 intercepts;				/* 0x00c */
	u8 pad0[0x048 - 0x014];
	u64 msrpm;				/* 0x048 */
	u64 tsc_offset;
	u32 asid, tlb;				/* 0x058 */
	u64 int_ctl;				/* 0x060 */
	u64 int_shadow;				/* 0x068 */
	u64 exitcode, info1, info2;		/* 0x070 */
	u32 exit_event, exit_event_error;	/* 0x088 */
	u64 nested;				/* 0x090 */
	u8 pad1[0x0a8 - 0x098];
	u32 event, event_error;			/* 0x0a8 */
	u64 ncr3;				/* 0x0b0 */
	u8 pad2[0x400 - 0x0b8];
	struct segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 pad3[0x4cb - 0x4a0];
	u8 cpl;					/* 0x4cb */
	u32 pad4;
	u64 efer;				/* 0x4d0 */
	u8 pad5[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;	/* 0x548 */
	u8 pad6[0x5d8 - 0x580];
	u64 rsp;				/* 0x5d8 */
	u8 pad7[0x5f8 - 0x5e0];
	u64 rax;				/* 0x5f8 */
	u8 pad8[0x668 - 0x600];
	u64 pat;				/* 0x668 */
	u8 pad9[0x1000 - 0x670];
} __packed;

_Static_assert(offsetof(struct vmcb, ncr3) == 0x0b0, "vmcb");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "vmcb");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "vmcb");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "vmcb");
_Static_assert(sizeof(struct vmcb) == 0x1000, "vmcb");

/* General registers, in the order of their numbers in instructions. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NR_GPR };

/* The pages that a single-stepped instruction has opened. */
struct step {
	bool active;
	bool guest_tf;			/* the guest has set TF itself */
	u32 n;
	struct {
		u64 gpa;
		enum view view;
	} opened[8];
};

/*
 * A virtual CPU. gpr[RAX] and gpr[RSP] are copied from and to the VMCB around each exit, so
 * handlers access all registers the same way.
 */
struct vcpu {
	u64 gpr[NR_GPR];	/* must be first: boot.S uses it */
	struct vmcb *vmcb;
	struct step step;
	u64 host_save;		/* where VMRUN saves the emulator's state */
	bool started;		/* not the first CPU: the guest has started it */
	bool in_guest;		/* between VMRUN and the exit */
	bool kicked;		/* the emulator has sent an NMI, to make the CPU leave the guest */
	u64 ghcb_msr;		/* SNP: the MSR with which the guest calls the hypervisor */
	u64 ghcb;		/* SNP: the registered GHCB; 0: none */
	struct vmcb *idle;	/* TDX: of the idle guest */
};

#define CR0_PE		BIT(0)
#define CR0_PG		BIT(31)
#define CR_WRITE_EARLY	(BIT(0) | BIT(3))	/* CR0 and CR3, in vmcb.cr_write */
#define CR4_PAE		BIT(5)
#define CR4_LA57	BIT(12)
#define CR4_OSXSAVE	BIT(18)
#define CR4_PKE		BIT(22)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NXE	BIT(11)
#define EFER_SVME	BIT(12)
#define RFLAGS_CF	BIT(0)
#define RFLAGS_TF	BIT(8)
#define DR6_BS		BIT(14)

#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_UD	6
#define VECTOR_GP	13
#define NR_EXCEPTIONS	32
#define EVENT_VALID	BIT(31)
#define EVENT_HAS_ERROR	BIT(11)
#define EVENT_TYPE(e)	(((e) >> 8) & 7)
#define EVENT_INTERRUPT	0
#define EVENT_NMI	2
#define EVENT_EXCEPTION	3
#define EVENT_SOFT	4

#define PAUSE_BYTES	2
#define VMMCALL_BYTES	3
#define VMGEXIT_BYTES	4

/* ---- MSRs and CPUID leaves that several files use ---- */

#define MSR_SYSCFG		0xc0010010
#define MSR_HWCR		0xc0010015
#define MSR_GHCB		0xc0010130
#define MSR_SEV_STATUS		0xc0010131
#define SEV_STATUS_SEV		BIT(0)
#define SEV_STATUS_ES		BIT(1)
#define KVM_CPUID		0x40000000
#define KVM_CPUID_FEATURES	0x40000001
#define CPUID_SEV		0x8000001f

/* ---- main.c ---- */

struct multiboot;

void cvm_main(const struct multiboot *mb);	/* called by boot.S */

struct range {
	u64 start, end;
	u32 type;			/* E820_* */
};

struct flavour {
	const char *name;
	u32 id;				/* enum cvm_flavour, for the guest */
	u64 private_bit;		/* VIEW_BIT if the bit means private, 0 if shared */
	u32 exceptions;			/* exceptions to intercept */
	u64 intercepts;			/* instructions to intercept, in addition to exit.c's */
	bool can_fail;			/* the host may refuse a conversion */
	bool several_cpus;		/* guests can start more CPUs than the first */
	struct range launch;		/* firmware's data, which the guest's memory map reserves */
	/* Modify the result of CPUID; @r is EAX, EBX, ECX, EDX. */
	void (*cpuid)(u32 leaf, u32 subleaf, u32 r[4]);
	/*
	 * The following may be NULL. rdmsr, wrmsr: return true if the flavour handled the
	 * MSR.
	 */
	bool (*rdmsr)(struct vcpu *v, u32 msr, u64 *value);
	bool (*wrmsr)(struct vcpu *v, u32 msr, u64 value);
	/* Return the length of the instruction, or 0 if the flavour did not handle it. */
	u32 (*vmmcall)(struct vcpu *v);
	/* Return true if the flavour handled the instruction. */
	bool (*undefined)(struct vcpu *v);
	/* Handle PAUSE. */
	void (*pause)(struct vcpu *v);
	/* Fill @launch. Return the address of the first setup_data, or 0. */
	u64 (*fill_launch)(struct vcpu *v);
};

extern const struct flavour *flavour;
extern const struct flavour sev_flavour, tdx_flavour, snp_flavour;

extern u8 image_start[], image_end[];	/* boot.S, cvm.lds */

/* ---- memory.c ---- */

#define E820_RAM	1
#define E820_RESERVED	2
#define MAX_RANGES	64

struct memory_map {
	struct range r[MAX_RANGES];
	u32 n;
};

/* The guest's RAM has @low bytes from 0 and @high bytes from 4 GiB. */
void memory_init(const struct memory_map *machine, u64 low, u64 high);
void memory_guest_map(const struct memory_map *machine, struct memory_map *guest);
u64 memory_limit(void);
u64 memory_low_limit(void);		/* end of the guest's RAM below 4 GiB */
u64 memory_root(bool paging);		/* the nested page tables */
void *memory_view(u64 gpa);		/* @gpa may include VIEW_BIT */
enum view memory_which(u64 addr);
/* Device memory, in units of 2 MiB: a trapped access to the private view opens a unit. */
bool memory_is_mmio(u64 gpa);
bool memory_mmio_is_open(u64 gpa);
void memory_mmio_open(u64 gpa);
void memory_mmio_close(u64 gpa);
void memory_mmio_rearm(void);

/* ---- linux.c ---- */

struct blob {
	const u8 *data;
	u64 size;
};

void linux_load(struct vcpu *v, const struct memory_map *map, const struct blob *kernel,
		const struct blob *initrd, const struct blob *cmdline);

/* ---- exit.c ---- */

void vcpu_init_cpu(const struct vcpu *v);
void vcpu_init(struct vcpu *v);
void vcpu_set_boot_state(struct vcpu *v);
void __noreturn vcpu_run(struct vcpu *v);
void vcpu_skip(struct vcpu *v, u32 bytes);
void vcpu_inject_gp(struct vcpu *v);
void guestif_cpuid(u32 leaf, u32 r[4]);
void vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, u32 r[4]);

/* boot.S */
void world_switch(struct vcpu *v, struct vmcb *vmcb);
void rig_halt(void);
void rig_nmi(void);
extern u8 trampoline[], trampoline_end[];

/* ---- smp.c: all exits are handled under one lock ---- */

#define MAX_CPUS	4

struct vcpu *smp_init(u32 cpus);		/* returns the first CPU */
u32 smp_count(void);
void lock(void);
void unlock(void);
void smp_flush(struct vcpu *self);
void smp_intercept(struct vcpu *self, u64 intercepts);
bool smp_kicked(struct vcpu *v);	/* true: an NMI was the emulator's */
struct vcpu *smp_waiting(u32 apic_id);	/* a CPU that does not run the guest, or NULL */
bool smp_all_started(void);
void smp_enter(struct vcpu *v);
bool smp_start(u32 apic_id, const void *vmsa);
void __noreturn smp_halt(struct vcpu *v);
void __noreturn ap_main(void);		/* called by boot.S */

/* ---- trap.c ---- */

void trap_nested_fault(struct vcpu *v);
bool trap_stepped(struct vcpu *v);	/* true: the emulator's step caused the #DB */

/* ---- sev.c ---- */

extern bool sev_es;		/* an SEV-ES or SNP guest: it calls the hypervisor through the GHCB */

void sev_cpuid(u32 leaf, u32 subleaf, u32 r[4]);
bool sev_rdmsr(struct vcpu *v, u32 msr, u64 *value);
bool sev_wrmsr(struct vcpu *v, u32 msr, u64 value);
bool is_vmgexit(struct vcpu *v);	/* the instruction at RIP */

/* Early boot; no effect in TDX. */
void early_cr3_write(struct vcpu *v);
void early_cr0_write(struct vcpu *v);
bool early_again(struct vcpu *v);	/* true: kexec caused the fault of a page walk */

/* ---- tdx.c ---- */

void idle_init(struct vcpu *v);
u64 tdx_guestif(u64 call, const u64 arg[3]);

/* ---- mailbox.c ---- */

#define INTERCEPT_PAUSE	BIT(23)

void mailbox_init(void);
void mailbox_reset(struct vcpu *v);
void mailbox_poll(void);

/* ---- ghcb.c ---- */

void vmgexit(struct vcpu *v);

/* The launch pages, the last of which has the trampoline of processors other than the first. */
#define LAUNCH_PAGES	0x80000ull
#define TRAMPOLINE	0x83000ull
#define LAUNCH_END	0x84000ull

/* ---- rmp.c ---- */

/* Operations of a page state change. */
#define PSC_PRIVATE	1
#define PSC_SHARED	2

void rmp_init(void);
bool rmp_change(struct vcpu *v, u64 gpa, bool large, u32 op);	/* false: the request is invalid */
void rmp_pvalidate(struct vcpu *v);
void rmp_adjust(struct vcpu *v);
bool rmp_is_vmsa(u64 gpa);		/* the guest has declared the page a register save area */

/* ---- insn.c ---- */

bool guest_translate(struct vcpu *v, u64 va, u64 *addr);
u32 guest_code(struct vcpu *v, u8 *buf, u32 len);	/* number of bytes read at RIP */
bool guest_read(struct vcpu *v, u64 va, void *buf, u32 len);
/*
 * Decode MOV to CRn at RIP: store the value and the length of the instruction. Return false
 * for another instruction.
 */
bool decode_mov_to_cr(struct vcpu *v, u64 *value, u32 *len);

/* ---- instructions ---- */

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)));
}

static inline void cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	asm volatile("cpuid"
		     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(subleaf));
}

#endif
