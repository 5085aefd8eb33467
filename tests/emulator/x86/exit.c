// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual CPU: initialization and the handling of VM exits.
 *
 * Interrupts, I/O ports, HLT and device memory are not intercepted: the guest uses QEMU's
 * directly.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/* The instruction intercepts, as bits from offset 0x00c of the VMCB. */
#define INTERCEPT_NMI		BIT(1)
#define INTERCEPT_CPUID		BIT(18)
#define INTERCEPT_MSR		BIT(28)
#define INTERCEPT_SHUTDOWN	BIT(31)
#define INTERCEPT_SVM		(0x7full << 32)	/* VMRUN to SKINIT; required by VMRUN */

#define EXIT_CR0_WRITE		0x10
#define EXIT_CR3_WRITE		0x13
#define EXIT_EXCEPTION		0x40
#define EXIT_NMI		0x61
#define EXIT_CPUID		0x72
#define EXIT_PAUSE		0x77
#define EXIT_MSR		0x7c
#define EXIT_SHUTDOWN		0x7f
#define EXIT_VMRUN		0x80
#define EXIT_VMMCALL		0x81
#define EXIT_SKINIT		0x86
#define EXIT_NPF		0x400

#define MSR_EFER		0xc0000080
#define MSR_HSAVE		0xc0010117

#define CPUID_1_ECX_CX16	BIT(13)
#define CPUID_1_ECX_OSXSAVE	BIT(27)
#define CPUID_7_ECX_OSPKE	BIT(4)
#define CPUID_8_1_ECX_SVM	BIT(2)

/*
 * Build the MSR permission map: two bits per MSR (read, write) in three ranges of MSRs. The
 * emulator intercepts no MSR of the lowest range. MSRs outside of the ranges, such as KVM's,
 * always exit.
 */
static u8 *make_msr_map(void)
{
	static const u32 msrs[] = { MSR_EFER, MSR_SYSCFG, MSR_HWCR, MSR_GHCB, MSR_SEV_STATUS };
	u8 *map = rig_alloc(2 * PAGE_SIZE);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		u32 base = msrs[i] >= 0xc0010000 ? 0x1000 : 0x800;
		u32 bit = (msrs[i] & 0xffff) * 2;

		map[base + bit / 8] |= 3 << bit % 8;
	}
	return map;
}

/* Prepare this processor for VMRUN, which saves the emulator's state. */
void vcpu_init_cpu(const struct vcpu *v)
{
	wrmsr(MSR_HSAVE, v->host_save);
}

/* Make the VMCB of a virtual CPU: what is intercepted. */
void vcpu_init(struct vcpu *v)
{
	static u8 *msr_map;
	struct vmcb *s = rig_alloc(PAGE_SIZE);

	if (!msr_map)
		msr_map = make_msr_map();
	v->vmcb = s;
	v->host_save = (u64)rig_alloc(PAGE_SIZE);
	s->cr_write = CR_WRITE_EARLY;
	s->exceptions = flavour->exceptions;
	s->intercepts = INTERCEPT_NMI | INTERCEPT_CPUID | INTERCEPT_MSR | INTERCEPT_SHUTDOWN |
			INTERCEPT_SVM | flavour->intercepts;
	s->msrpm = (u64)msr_map;
	s->asid = 1;
	s->nested = 1;
}

/*
 * Set the CPU to the state in which a 64-bit boot loader enters a kernel; linux_load() sets
 * the entry point.
 */
void vcpu_set_boot_state(struct vcpu *v)
{
	struct vmcb *s = v->vmcb;

	s->ncr3 = memory_root(true);
	s->efer = EFER_LME | EFER_LMA | EFER_SVME;
	s->cr0 = CR0_PG | CR0_PE | 0x10032;	/* WP, NE, ET, MP */
	s->cr4 = CR4_PAE;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	s->rflags = 2;
	s->pat = 0x0007040600070406;
	if (flavour == &tdx_flavour)
		idle_init(v);
}

/*
 * Advance RIP by @bytes, the length of the instruction that exited. TCG does not provide the
 * address of the next instruction, so callers pass the length.
 */
void vcpu_skip(struct vcpu *v, u32 bytes)
{
	v->vmcb->rip += bytes;
	v->vmcb->int_shadow = 0;
}

/* Inject an exception that has no error code. */
static void vcpu_inject(struct vcpu *v, u8 vector)
{
	v->vmcb->event = EVENT_VALID | EVENT_EXCEPTION << 8 | vector;
}

/* Handle an NMI: the emulator's makes the CPU leave the guest, any other is the guest's. */
static void exit_nmi(struct vcpu *v)
{
	if (!smp_kicked(v))
		v->vmcb->event = EVENT_VALID | EVENT_NMI << 8 | VECTOR_NMI;
}

/* Inject a general protection fault with the error code 0. */
void vcpu_inject_gp(struct vcpu *v)
{
	v->vmcb->event = EVENT_VALID | EVENT_HAS_ERROR | EVENT_EXCEPTION << 8 | VECTOR_GP;
	v->vmcb->event_error = 0;
}

/*
 * Execute CPUID, but return zeros for a leaf above the highest one. For such a leaf the
 * processor returns the highest basic leaf, which a guest would misread as, for example, its
 * clock frequency.
 */
static void native_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	u32 top[4];

	memset(r, 0, 4 * sizeof(*r));
	if (leaf >= 0x40000000 && leaf < 0x80000000)
		return;
	cpuid(leaf & 0x80000000, 0, top);
	if (leaf <= top[0])
		cpuid(leaf, subleaf, r);
}

/* Set @bit of @reg to @on. CPUID reports two bits of CR4; natively they are the emulator's. */
static u32 mirror(u32 reg, u32 bit, bool on)
{
	return on ? reg | bit : reg & ~bit;
}

/* Compute what CPUID returns to the guest. */
void vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, u32 r[4])
{
	u64 cr4 = v->vmcb->cr4;

	native_cpuid(leaf, subleaf, r);
	switch (leaf) {
	case 1:
		r[2] = mirror(r[2], CPUID_1_ECX_OSXSAVE, cr4 & CR4_OSXSAVE);
		/*
		 * TCG 7.2 translates cmpxchg16b incorrectly: an interrupt directly after it
		 * may see wrong flags. Hide the instruction, so that kernels use another one.
		 */
		r[2] &= ~CPUID_1_ECX_CX16;
		break;
	case 7:
		if (!subleaf)
			r[2] = mirror(r[2], CPUID_7_ECX_OSPKE, cr4 & CR4_PKE);
		break;
	case 0x80000001:
		r[2] &= ~CPUID_8_1_ECX_SVM;
		break;
	case 0x8000000a:
		r[0] = r[1] = r[2] = r[3] = 0;
		break;
	}
	flavour->cpuid(leaf, subleaf, r);
	guestif_cpuid(leaf, r);
}

static void exit_cpuid(struct vcpu *v)
{
	u32 r[4];

	vcpu_cpuid(v, v->gpr[RAX], v->gpr[RCX], r);
	v->gpr[RAX] = r[0];
	v->gpr[RBX] = r[1];
	v->gpr[RCX] = r[2];
	v->gpr[RDX] = r[3];
	vcpu_skip(v, 2);
}

/*
 * Write the guest's EFER, with SVME always set. The guest does not see SVME and must not
 * clear it: without SVME, VMRUN fails and TCG treats VMMCALL as an undefined instruction.
 */
static void write_efer(struct vmcb *s, u64 value)
{
	s->efer = (value & ~EFER_LMA) | (s->efer & EFER_LMA) | EFER_SVME;
}

static void exit_msr(struct vcpu *v)
{
	u64 value = (u32)v->gpr[RAX] | v->gpr[RDX] << 32;
	bool write = v->vmcb->info1 & 1;
	u32 msr = v->gpr[RCX];

	if (write) {
		if (msr == MSR_EFER)
			write_efer(v->vmcb, value);
		else if (!flavour->wrmsr || !flavour->wrmsr(v, msr, value))
			wrmsr(msr, value);
	} else {
		if (msr == MSR_EFER)
			value = v->vmcb->efer & ~EFER_SVME;
		else if (!flavour->rdmsr || !flavour->rdmsr(v, msr, &value))
			value = rdmsr(msr);
		v->gpr[RAX] = (u32)value;
		v->gpr[RDX] = value >> 32;
	}
	vcpu_skip(v, 2);
}

void guestif_cpuid(u32 leaf, u32 r[4])
{
	if (leaf == CVM_CPUID_BASE) {
		r[0] = CVM_CPUID_FLAVOUR;
		r[1] = CVM_CPUID_EBX;
		r[2] = CVM_CPUID_ECX;
		r[3] = CVM_CPUID_EDX;
	} else if (leaf == CVM_CPUID_FLAVOUR) {
		r[1] = flavour->id;
	}
}

u64 guestif_machine(u64 call, const u64 arg[3])
{
	return flavour->id == CVM_TDX ? tdx_guestif(call, arg) : CVM_ERROR;
}

static bool guestif_call(struct vcpu *v)
{
	const u64 arg[3] = { v->gpr[RSI], v->gpr[RDX], v->gpr[RCX] };

	if (v->gpr[RAX] != CVM_MAGIC)
		return false;
	v->gpr[RAX] = guestif(v->gpr[RDI], arg);
	if (v->gpr[RDI] == CVM_CALL_SET_MODE || v->gpr[RDI] == CVM_CALL_REARM)
		memory_mmio_rearm();
	return true;
}

static void exit_vmmcall(struct vcpu *v)
{
	u32 bytes = 0;

	if (guestif_call(v))
		bytes = VMMCALL_BYTES;
	else if (flavour->vmmcall)
		bytes = flavour->vmmcall(v);
	if (bytes)
		vcpu_skip(v, bytes);
	else
		vcpu_inject(v, VECTOR_UD);
}

static void exit_exception(struct vcpu *v, u8 vector)
{
	if (vector == VECTOR_DB && trap_stepped(v))
		return;
	if (vector == VECTOR_UD && flavour->undefined && flavour->undefined(v))
		return;
	vcpu_inject(v, vector);
}

static void dispatch(struct vcpu *v)
{
	struct vmcb *s = v->vmcb;

	switch (s->exitcode) {
	case EXIT_NPF:
		trap_nested_fault(v);
		break;
	case EXIT_NMI:
		exit_nmi(v);
		break;
	case EXIT_CPUID:
		exit_cpuid(v);
		break;
	case EXIT_MSR:
		exit_msr(v);
		break;
	case EXIT_PAUSE:
		flavour->pause(v);
		vcpu_skip(v, PAUSE_BYTES);
		break;
	case EXIT_VMMCALL:
		exit_vmmcall(v);
		break;
	case EXIT_CR0_WRITE:
		early_cr0_write(v);
		break;
	case EXIT_CR3_WRITE:
		early_cr3_write(v);
		break;
	case EXIT_EXCEPTION ... EXIT_EXCEPTION + 31:
		exit_exception(v, s->exitcode - EXIT_EXCEPTION);
		break;
	case EXIT_VMRUN:
	case EXIT_VMMCALL + 1 ... EXIT_SKINIT:
		vcpu_inject(v, VECTOR_UD);
		break;
	case EXIT_SHUTDOWN:
		stop("triple fault at rip %lx, cr3 %lx", s->rip, s->cr3);
	default:
		stop("VM exit %lx, info %lx %lx, rip %lx", s->exitcode, s->info1, s->info2, s->rip);
	}
}

/*
 * If the exit interrupted the delivery of an event, deliver the event again. An INT instruction needs
 * no redelivery, because RIP still points to it. TCG records interrupts as exceptions (handle_even_inj()
 * in QEMU's target/i386/tcg), but does not inject them as such: VMRUN fails (helper_vmrun()). It records
 * NMIs correctly, because the emulator has injected them.
 */
static void redeliver(struct vmcb *s)
{
	u32 event = s->exit_event, vector = event & 0xff;

	s->event = 0;
	if (!(event & EVENT_VALID) || EVENT_TYPE(event) == EVENT_SOFT)
		return;
	if (vector >= NR_EXCEPTIONS)
		event = EVENT_VALID | EVENT_INTERRUPT << 8 | vector;
	s->event = event;
	s->event_error = s->exit_event_error;
	counters.redelivered++;
}

void vcpu_run(struct vcpu *v)
{
	struct vmcb *s = v->vmcb;

	for (;;) {
		s->rax = v->gpr[RAX];
		s->rsp = v->gpr[RSP];
		__atomic_store_n(&v->in_guest, true, __ATOMIC_SEQ_CST);
		world_switch(v, s);
		__atomic_store_n(&v->in_guest, false, __ATOMIC_SEQ_CST);
		lock();
		v->gpr[RAX] = s->rax;
		v->gpr[RSP] = s->rsp;
		counters.exits++;
		redeliver(s);
		dispatch(v);
		flip_exit();
		smp_flush(v);
		unlock();
	}
}
