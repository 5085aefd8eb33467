// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AMD SEV flavour: CPUID, MSRs, KVM's page-state hypercall, and two properties of the
 * hardware that plain nested paging lacks (see early_cr3_write() and early_cr0_write()). In
 * SEV the view bit is the C-bit, which means private.
 *
 * The option es=1 makes the guest an SEV-ES guest as far as it can be told without #VC: the
 * kernel negotiates the GHCB protocol and makes its GHCB pages shared, but every instruction
 * that would cause #VC is executed.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define KVM_CPUID			0x40000000
#define KVM_CPUID_FEATURES		0x40000001
#define KVM_FEATURE_HC_MAP_GPA_RANGE	BIT(16)
#define KVM_FEATURE_MIGRATION_CONTROL	BIT(17)
#define KVM_HC_MAP_GPA_RANGE		12
#define KVM_MAP_GPA_PRIVATE		BIT(4)
#define KVM_EPERM			1
#define KVM_ENOSYS			1000

#define CPUID_SEV			0x8000001f
#define SEV_EAX_SEV			BIT(1)
#define SEV_EAX_ES			BIT(3)
#define SEV_EAX_COHERENT		BIT(10)

#define MSR_SYSCFG			0xc0010010
#define SYSCFG_MEM_ENCRYPT		BIT(23)
#define MSR_HWCR			0xc0010015
#define HWCR_SMMLOCK			BIT(0)
#define MSR_GHCB			0xc0010130
#define MSR_SEV_STATUS			0xc0010131
#define SEV_STATUS_SEV			BIT(0)
#define SEV_STATUS_ES			BIT(1)

/* The GHCB MSR protocol: the request is in the low 12 bits; 0: the address of a GHCB page. */
#define GHCB_MSR_INFO			0xfffull
#define GHCB_INFO_RESPONSE		0x001
#define GHCB_INFO_REQUEST		0x002
#define GHCB_TERMINATE			0x100
#define GHCB_VERSION			1ull
/* Offsets in the GHCB page. */
#define GHCB_EXIT_CODE			0x390
#define GHCB_EXIT_INFO1			0x398
#define GHCB_EXIT_INFO2			0x3a0
#define GHCB_AP_JUMP_TABLE		0x80000005ull
#define GHCB_ERROR			2ull

#define MSR_KVM_MIGRATION_CONTROL	0x4b564d08

#define KERNEL_HALF			BIT(63)
#define LOW_MEMORY			KIB(640)

bool sev_es;
static u64 migration_control, ghcb_msr;

static void sev_cpuid(u32 leaf, u32 subleaf, u32 r[4])
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

static bool sev_rdmsr(u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_SEV_STATUS:
		*value = SEV_STATUS_SEV | (sev_es ? SEV_STATUS_ES : 0);
		return true;
	case MSR_GHCB:
		*value = ghcb_msr;
		return true;
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

static bool sev_wrmsr(u32 msr, u64 value)
{
	switch (msr) {
	case MSR_KVM_MIGRATION_CONTROL:
		migration_control = value;
		return true;
	case MSR_GHCB:
		ghcb_msr = value;
		return true;
	case MSR_SEV_STATUS:
		return true;
	}
	return false;
}

/*
 * Handle a request in a GHCB page, which must be shared. The only request that is known asks
 * for the table from which further CPUs start: there is none.
 */
static void ghcb_page(void)
{
	u64 gpa = ALIGN_DOWN(ghcb_msr, PAGE_SIZE);
	u8 *ghcb = memory_shared(gpa);
	u64 code, result[2] = { 0, 0 };

	if (!page_is_shared(gpa))
		stop("the GHCB at %lx is not shared", gpa);
	memcpy(&code, ghcb + GHCB_EXIT_CODE, sizeof(code));
	if (code != GHCB_AP_JUMP_TABLE) {
		log_("unknown request in the GHCB: %lx", code);
		result[0] = GHCB_ERROR;
	}
	memcpy(ghcb + GHCB_EXIT_INFO1, result, sizeof(result));
}

static void vmgexit(void)
{
	switch (ghcb_msr & GHCB_MSR_INFO) {
	case 0:
		ghcb_page();
		break;
	case GHCB_INFO_REQUEST:
		ghcb_msr = GHCB_VERSION << 48 | GHCB_VERSION << 32 | (u64)VIEW_SHIFT << 24 |
			   GHCB_INFO_RESPONSE;
		break;
	case GHCB_TERMINATE:
		stop("the guest terminates itself, GHCB MSR %lx", ghcb_msr);
	default:
		log_("unknown request in the GHCB MSR: %lx", ghcb_msr);
	}
}

/* Return true if the instruction is VMGEXIT, which is VMMCALL with the prefix REP. */
static bool is_vmgexit(struct vcpu *v)
{
	u8 code;

	return guest_code(v, &code, 1) == 1 && code == 0xf3;
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

static bool sev_vmmcall(struct vcpu *v)
{
	if (sev_es && !v->vmcb->cpl && is_vmgexit(v)) {
		vmgexit();
		vcpu_skip(v, 1);		/* the prefix */
		return true;
	}
	if (v->gpr[RAX] == KVM_HC_MAP_GPA_RANGE)
		v->gpr[RAX] = map_gpa_range(v);
	else
		v->gpr[RAX] = -KVM_ENOSYS;
	return true;
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
		log_("the decompressed kernel runs, %lu exits so far", counters.exits);
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

static void copy_low_memory(bool to_private)
{
	u64 gpa;

	for (gpa = 0; gpa < LOW_MEMORY; gpa += PAGE_SIZE) {
		if (!page_tracked(gpa))
			continue;
		if (to_private)
			memcpy(memory_private(gpa), memory_shared(gpa), PAGE_SIZE);
		else
			memcpy(memory_shared(gpa), memory_private(gpa), PAGE_SIZE);
	}
}

/*
 * Handle a write to CR0: copy low memory between the banks when the write changes CR0.PG.
 *
 * With paging off, hardware accesses private memory, but TCG bypasses the nested tables and
 * accesses the shared bank. Kernels turn paging off only in the decompressor's trampoline in
 * low memory, so it is sufficient to copy this memory to the bank that is accessed next.
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

		copy_low_memory(on);
		s->efer &= ~EFER_LMA;
		if (on && s->efer & EFER_LME)
			s->efer |= EFER_LMA;
	}
	s->cr0 = value;
	vcpu_skip(v, len);
}
