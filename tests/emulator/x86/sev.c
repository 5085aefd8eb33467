// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AMD SEV flavour: CPUID, MSRs, KVM's page-state hypercall, and two properties of the
 * hardware that plain nested paging lacks (see early_cr3_write() and early_cr0_write()). In
 * SEV the view bit is the C-bit, which means private.
 *
 * The option es=1 makes the guest an SEV-ES guest as far as this is possible without #VC: the
 * kernel negotiates the GHCB protocol (ghcb.c) and makes its GHCB pages shared, but every
 * instruction that would cause #VC is executed.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define KVM_FEATURE_HC_MAP_GPA_RANGE	BIT(16)
#define KVM_FEATURE_MIGRATION_CONTROL	BIT(17)
#define KVM_HC_MAP_GPA_RANGE		12
#define KVM_MAP_GPA_PRIVATE		BIT(4)
#define KVM_EPERM			1
#define KVM_ENOSYS			1000

#define SEV_EAX_SEV			BIT(1)
#define SEV_EAX_ES			BIT(3)
#define SEV_EAX_COHERENT		BIT(10)

#define SYSCFG_MEM_ENCRYPT		BIT(23)
#define HWCR_SMMLOCK			BIT(0)
#define MSR_KVM_MIGRATION_CONTROL	0x4b564d08

#define KERNEL_HALF			BIT(63)

bool sev_es;
static u64 migration_control;

void sev_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	(void)subleaf;
	switch (leaf) {
	case 1:
		r[2] |= BIT(31);		/* a hypervisor is present */
		break;
	case KVM_CPUID:
		r[0] = KVM_CPUID_FEATURES;
		memcpy(&r[1], "KVMKVMKVM\0\0\0", 12);
		break;
	case KVM_CPUID_FEATURES:
		/* Linux uses the first feature only if the second one is present. */
		r[0] = KVM_FEATURE_HC_MAP_GPA_RANGE | KVM_FEATURE_MIGRATION_CONTROL;
		break;
	case 0x80000000:
		if (r[0] < CPUID_SEV)
			r[0] = CPUID_SEV;
		break;
	case CPUID_SEV:
		r[0] = SEV_EAX_SEV | SEV_EAX_COHERENT | (sev_es ? SEV_EAX_ES : 0);
		r[1] = VIEW_SHIFT | 1 << 6;	/* the C-bit's position; one address bit is lost */
		r[2] = 1;
		r[3] = 1;
		break;
	}
}

bool sev_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_SEV_STATUS:
		*value = SEV_STATUS_SEV | (sev_es ? SEV_STATUS_ES : 0);
		return true;
	case MSR_GHCB:
		*value = v->ghcb_msr;
		return sev_es;
	case MSR_SYSCFG:
		*value = rdmsr(msr) | SYSCFG_MEM_ENCRYPT;
		return true;
	case MSR_HWCR:
		/* If the bit is clear, Linux assumes that the firmware disabled SEV. */
		*value = rdmsr(msr) | HWCR_SMMLOCK;
		return true;
	case MSR_KVM_MIGRATION_CONTROL:
		*value = migration_control;
		return true;
	}
	return false;
}

bool sev_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_KVM_MIGRATION_CONTROL:
		migration_control = value;
		return true;
	case MSR_GHCB:
		v->ghcb_msr = value;
		return sev_es;
	case MSR_SEV_STATUS:
		return true;
	}
	return false;
}

/*
 * Return true if the instruction is VMGEXIT, which is VMMCALL with a REP prefix: TCG ignores the
 * prefix, and RIP points to it.
 */
bool is_vmgexit(struct vcpu *v)
{
	u8 code[VMGEXIT_BYTES];

	return guest_code(v, code, sizeof(code)) == sizeof(code) && code[0] == 0xf3 && code[1] == 0x0f;
}

static u64 map_gpa_range(struct vcpu *v)
{
	bool shared = !(v->gpr[RDX] & KVM_MAP_GPA_PRIVATE);

	if (v->vmcb->cpl)
		return -KVM_EPERM;
	if (shared)
		counters.hc_shared++;
	else
		counters.hc_private++;
	pages_convert(memory_gpa(ALIGN_DOWN(v->gpr[RBX], PAGE_SIZE)), v->gpr[RCX], shared);
	return 0;
}

static u32 sev_vmmcall(struct vcpu *v)
{
	if (sev_es && is_vmgexit(v)) {
		vmgexit(v);
		return VMGEXIT_BYTES;
	}
	if (v->gpr[RAX] == KVM_HC_MAP_GPA_RANGE)
		v->gpr[RAX] = map_gpa_range(v);
	else
		v->gpr[RAX] = -KVM_ENOSYS;
	return VMMCALL_BYTES;
}

const struct flavour sev_flavour = {
	.name = "SEV",
	.id = CVM_SEV,
	.private_bit = VIEW_BIT,
	.cpuid = sev_cpuid,
	.rdmsr = sev_rdmsr,
	.wrmsr = sev_wrmsr,
	.vmmcall = sev_vmmcall,
};

/*
 * Handle a write to CR3 in early boot: set the C-bit in the value.
 *
 * On hardware, page-table walks and instruction fetches are private regardless of the C-bit.
 * The decompressor depends on this: it loads CR3 without the C-bit, for page tables that are
 * private. The emulator therefore sets the bit until the decompressed kernel runs, which is
 * when code in the upper half loads a CR3 with the bit. The bit alone is not a sufficient
 * sign: the kernel's check of the bit's position reloads the decompressor's CR3 once.
 *
 * TDX has no bit to set, so there the first such write ends the interception.
 */
void early_cr3_write(struct vcpu *v)
{
	u64 private_bit = flavour->private_bit, value;
	struct vmcb *s = v->vmcb;
	u32 len;

	if (!decode_mov_to_cr(v, &value, &len))
		stop("cannot decode a write to CR3 at rip %lx", s->rip);
	s->cr3 = (value & ~BIT(63)) | private_bit;
	if (s->rip & KERNEL_HALF && (value & private_bit) == private_bit) {
		s->cr_write = 0;
		log_(v->started ? "another CPU runs the kernel, %lu exits so far" :
		     "the decompressed kernel runs, %lu exits so far", counters.exits);
	}
	vcpu_skip(v, len);
}

/*
 * Handle kexec: resume early_cr3_write() if CR3 lacks the C-bit. Return true if the fault is
 * handled.
 *
 * Before kexec enters the next kernel, it loads CR3 without the C-bit, because page-table
 * walks of the hardware do not need it. The page-table walk then causes a nested page fault,
 * but only if the shared view of private pages is trapped.
 */
bool early_again(struct vcpu *v)
{
	u64 private_bit = flavour->private_bit;
	struct vmcb *s = v->vmcb;

	if ((s->cr3 & private_bit) == private_bit)
		return false;
	s->cr3 |= private_bit;
	s->cr_write = CR_WRITE_EARLY;
	log_("kexec at rip %lx", s->rip);
	return true;
}

/*
 * Handle a write to CR0: change the nested page tables when the write changes CR0.PG.
 *
 * With paging off, hardware accesses private memory. Kernels turn paging off in the
 * decompressor's trampoline, and other processors start with paging off.
 */
void early_cr0_write(struct vcpu *v)
{
	struct vmcb *s = v->vmcb;
	u64 value;
	u32 len;

	if (!decode_mov_to_cr(v, &value, &len))
		stop("cannot decode a write to CR0 at rip %lx", s->rip);
	if ((value ^ s->cr0) & CR0_PG) {
		bool on = value & CR0_PG;

		s->ncr3 = memory_root(on);
		s->efer &= ~EFER_LMA;
		if (on && s->efer & EFER_LME)
			s->efer |= EFER_LMA;
	}
	s->cr0 = value;
	vcpu_skip(v, len);
}
