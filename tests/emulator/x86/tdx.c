// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Intel TDX flavour: CPUID and the calls of the TDX module. TDCALL is an undefined
 * instruction in TCG, and the emulator intercepts that exception. The emulator never injects
 * #VE: operations that would cause one are executed. In TDX the view bit means shared.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define CPUID_TDX		0x21
#define KVM_CPUID		0x40000000

/* Leaves of TDCALL (RAX). */
#define TDG_VP_VMCALL		0
#define TDG_VP_INFO		1
#define TDG_MEM_PAGE_ACCEPT	6
#define TDG_VM_RD		7
#define TDG_VM_WR		8
#define TDX_SUCCESS		0ull
#define TDX_OPERAND_INVALID	0xc000010000000000ull
#define TDX_PAGE_ACCEPTED	0x00000b0a00000000ull
#define TDX_OPERAND_BUSY	0x8000020000000000ull	/* the host uses the page's entry */

#define ATTR_SEPT_VE_DISABLE	BIT(28)	/* Linux panics if it is clear */

/* Functions of TDG.VP.VMCALL (R11). */
#define VMCALL_CPUID		10
#define VMCALL_HLT		12
#define VMCALL_IO		30
#define VMCALL_RDMSR		31
#define VMCALL_WRMSR		32
#define VMCALL_MAP_GPA		0x10001
#define VMCALL_FATAL_ERROR	0x10003
#define VMCALL_SUCCESS		0ull
#define VMCALL_RETRY		1ull	/* R11: the address to continue at */
#define VMCALL_INVALID		0x8000000000000000ull

/* The idle guest, see sleep_until_interrupt(). */
#define INTERCEPT_INTR		BIT(0)
#define INTERCEPT_NMI		BIT(1)
#define INTERCEPT_SMI		BIT(2)
#define INTERCEPT_VMRUN		BIT(32)
#define V_INTR_MASKING		BIT(24)
#define RFLAGS_IF		BIT(9)

/* The conversions to answer with RETRY, see cvm_retry(). */
static struct {
	u64 skip, count, pages;
} retrying;

/* Return true if this conversion of @pages pages is to be answered with RETRY. */
static bool conversion_retries(u64 pages)
{
	if (!retrying.count)
		return false;
	if (retrying.skip) {
		retrying.skip--;
		return false;
	}
	if (pages <= retrying.pages && retrying.pages != CVM_RETRY_OUTSIDE)
		return false;
	retrying.count--;
	counters.retries++;
	return true;
}

/*
 * Convert a range. As a real host may, answer RETRY after a part of it, and return in @go_on
 * where the guest has to continue; as KVM does, with the shared bit of @addr.
 */
static u64 map_gpa(u64 addr, u64 bytes, u64 *go_on)
{
	bool shared = memory_which(addr) == VIEW_SHARED;
	u64 gpa = memory_gpa(addr), pages = bytes >> PAGE_SHIFT, done = pages;
	u64 status = VMCALL_SUCCESS;

	if (gpa % PAGE_SIZE || bytes % PAGE_SIZE)
		return VMCALL_INVALID;
	if (conversion_fails(shared)) {
		log_("refused on request: %lx to %s", gpa, shared ? "shared" : "private");
		return VMCALL_INVALID;
	}
	if (conversion_retries(pages)) {
		status = VMCALL_RETRY;
		done = retrying.pages;
		*go_on = addr + (done << PAGE_SHIFT);
		if (done == CVM_RETRY_OUTSIDE) {
			done = 0;
			*go_on = addr + bytes;
		}
	}
	if (shared)
		counters.hc_shared++;
	else
		counters.hc_private++;
	pages_convert(gpa, done, shared);
	return status;
}

static u64 accept(u64 arg)
{
	static const u64 size[] = { PAGE_SIZE, LARGE_SIZE, GIB(1) };
	u64 level = arg & 7, gpa = memory_gpa(ALIGN_DOWN(arg, PAGE_SIZE));

	if (level >= ARRAY_SIZE(size) || gpa % size[level])
		return TDX_OPERAND_INVALID;
	counters.accepts++;
	if (!pages_acceptable(gpa, size[level] >> PAGE_SHIFT))
		return TDX_PAGE_ACCEPTED;
	if (accept_fails(gpa, size[level] >> PAGE_SHIFT)) {
		log_("refused on request: to accept %lx, level %lu", gpa, level);
		return TDX_OPERAND_BUSY;
	}
	pages_accept(gpa, size[level] >> PAGE_SHIFT);
	return TDX_SUCCESS;
}

/*
 * Execute HLT for an idle guest.
 *
 * The guest calls with interrupts disabled and expects to continue when an interrupt is
 * pending, without the emulator handling the interrupt. With SVM's interrupt masking, an
 * interrupt ends a guest without being acknowledged. So the emulator runs a second, tiny
 * guest that executes HLT. The first guest handles the interrupt when it enables interrupts.
 * Meanwhile other CPUs need the lock.
 */
static void sleep_until_interrupt(struct vcpu *v)
{
	struct vcpu idle = { 0 };

	v->idle->rip = (u64)rig_halt;
	v->idle->rflags = 2;
	unlock();
	/*
	 * The host's IF masks the interrupts of the guest; GIF is clear, so the emulator gets
	 * none.
	 */
	asm volatile("sti");
	world_switch(&idle, v->idle);
	asm volatile("cli");
	lock();
}

/*
 * Initialize a CPU's idle guest, which uses the emulator's address space and segments and no
 * nested paging.
 */
void idle_init(struct vcpu *v)
{
	struct vmcb *s = v->idle ? v->idle : rig_alloc(PAGE_SIZE);

	s->intercepts = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SMI | INTERCEPT_VMRUN;
	s->int_ctl = V_INTR_MASKING;
	s->asid = 2;
	s->cs = (struct segment){ 0x08, 0xa9b, 0xffffffff, 0 };
	s->ss = (struct segment){ 0x10, 0xc93, 0xffffffff, 0 };
	s->ds = s->ss;
	s->es = s->ss;
	s->efer = EFER_LME | EFER_LMA | EFER_SVME;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	asm volatile("mov %%cr0, %0" : "=r"(s->cr0));
	asm volatile("mov %%cr3, %0" : "=r"(s->cr3));
	asm volatile("mov %%cr4, %0" : "=r"(s->cr4));
	v->idle = s;
}

static void port_io(struct vcpu *v)
{
	u64 size = v->gpr[R12];
	u16 port = v->gpr[R14];
	u32 value = v->gpr[R15];

	if (v->gpr[R13]) {
		if (size == 1)
			asm volatile("outb %b0, %1" : : "a"(value), "d"(port));
		else if (size == 2)
			asm volatile("outw %w0, %1" : : "a"(value), "d"(port));
		else
			asm volatile("outl %0, %1" : : "a"(value), "d"(port));
		return;
	}
	value = 0;
	if (size == 1)
		asm volatile("inb %1, %b0" : "+a"(value) : "d"(port));
	else if (size == 2)
		asm volatile("inw %1, %w0" : "+a"(value) : "d"(port));
	else
		asm volatile("inl %1, %0" : "+a"(value) : "d"(port));
	v->gpr[R11] = value;
}

/* Handle a standard call to the host. Return the value for R10. */
static u64 vmcall(struct vcpu *v)
{
	u32 r[4];

	switch (v->gpr[R11]) {
	case VMCALL_CPUID:
		vcpu_cpuid(v, v->gpr[R12], v->gpr[R13], r);
		v->gpr[R12] = r[0];
		v->gpr[R13] = r[1];
		v->gpr[R14] = r[2];
		v->gpr[R15] = r[3];
		return VMCALL_SUCCESS;
	case VMCALL_HLT:
		sleep_until_interrupt(v);
		return VMCALL_SUCCESS;
	case VMCALL_IO:
		port_io(v);
		return VMCALL_SUCCESS;
	case VMCALL_RDMSR:
		v->gpr[R11] = rdmsr(v->gpr[R12]);
		return VMCALL_SUCCESS;
	case VMCALL_WRMSR:
		wrmsr(v->gpr[R12], v->gpr[R13]);
		return VMCALL_SUCCESS;
	case VMCALL_MAP_GPA:
		return map_gpa(v->gpr[R12], v->gpr[R13], &v->gpr[R11]);
	case VMCALL_FATAL_ERROR:
		stop("the guest reports a fatal error, code %lx", v->gpr[R12]);
	}
	return VMCALL_INVALID;
}

static void vp_info(struct vcpu *v)
{
	v->gpr[RCX] = VIEW_SHIFT + 1;		/* address width; the highest bit is the shared bit */
	v->gpr[RDX] = ATTR_SEPT_VE_DISABLE;
	v->gpr[R8] = (u64)smp_count() << 32 | smp_count();	/* CPUs: maximum, current */
	v->gpr[R9] = 0;
	v->gpr[R10] = 0;
	v->gpr[R11] = 0;
}

static u64 tdcall(struct vcpu *v)
{
	switch (v->gpr[RAX]) {
	case TDG_VP_VMCALL:
		/* R10 = 0: a standard call; otherwise a vendor-specific one. */
		v->gpr[R10] = v->gpr[R10] ? VMCALL_INVALID : vmcall(v);
		return TDX_SUCCESS;
	case TDG_VP_INFO:
		vp_info(v);
		return TDX_SUCCESS;
	case TDG_MEM_PAGE_ACCEPT:
		return accept(v->gpr[RCX]);
	case TDG_VM_RD:
		v->gpr[R8] = 0;
		return TDX_SUCCESS;
	case TDG_VM_WR:
		return TDX_SUCCESS;
	}
	return TDX_OPERAND_INVALID;
}

static bool tdx_undefined(struct vcpu *v)
{
	u8 code[4];

	if (v->vmcb->cpl || guest_code(v, code, 4) < 4 ||
	    code[0] != 0x66 || code[1] != 0x0f || code[2] != 0x01 || code[3] != 0xcc)
		return false;
	mailbox_reset(v);
	v->gpr[RAX] = tdcall(v);
	vcpu_skip(v, 4);
	return true;
}

/* Handle the guest interface calls that exist in TDX only. */
u64 tdx_guestif(u64 call, const u64 arg[3])
{
	if (call != CVM_CALL_RETRY)
		return CVM_ERROR;
	retrying.skip = arg[0];
	retrying.count = arg[1];
	retrying.pages = arg[2];
	return 0;
}

static void tdx_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	switch (leaf) {
	case 0:
		if (r[0] < CPUID_TDX)
			r[0] = CPUID_TDX;
		break;
	case 1:
		r[2] |= BIT(31);		/* a hypervisor is present */
		break;
	case CPUID_TDX:
		if (subleaf)
			break;
		r[0] = 0;
		memcpy(&r[1], "Inte", 4);
		memcpy(&r[3], "lTDX", 4);
		memcpy(&r[2], "    ", 4);
		break;
	case KVM_CPUID:
		r[0] = KVM_CPUID + 1;		/* KVM without features */
		memcpy(&r[1], "KVMKVMKVM\0\0\0", 12);
		break;
	}
}

/*
 * Handle PAUSE: the guest may wait until a CPU has started. Execute PAUSE, so that QEMU lets another
 * CPU run.
 */
static void tdx_pause(struct vcpu *v)
{
	mailbox_poll();
	if (smp_all_started())
		v->vmcb->intercepts &= ~INTERCEPT_PAUSE;
	asm volatile("pause");
}

static u64 tdx_fill_launch(struct vcpu *v)
{
	(void)v;
	if (smp_count() > 1)
		mailbox_init();
	return 0;
}

const struct flavour tdx_flavour = {
	.name = "TDX",
	.id = CVM_TDX,
	.private_bit = 0,
	.exceptions = BIT(VECTOR_UD),
	.intercepts = INTERCEPT_PAUSE,
	.can_fail = true,
	.several_cpus = true,
	.launch = { LAUNCH_PAGES, LAUNCH_END, E820_RESERVED },
	.cpuid = tdx_cpuid,
	.undefined = tdx_undefined,
	.pause = tdx_pause,
	.fill_launch = tdx_fill_launch,
};
