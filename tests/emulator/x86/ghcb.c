// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP and SEV-ES: the guest's calls of the hypervisor (VMGEXIT), through the GHCB MSR or through a shared
 * page, the guest-hypervisor communication block (GHCB).
 *
 * Sources: "SEV-ES Guest-Hypervisor Communication Block Standardization", version 2, and the
 * kernel's arch/x86/include/asm/sev-common.h and struct ghcb (arch/x86/include/asm/svm.h).
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define VERSION_MIN	1ull
#define VERSION_MAX	2ull

/* The hypervisor's features: SNP, and the start of other processors of SNP guests. */
#define FEATURES	(BIT(0) | BIT(1))

/* The MSR protocol: bits 11:0 of the MSR are the request or the response, the rest is data. */
#define MSR_CODE(msr)		((msr) & 0xfff)
#define SEV_INFO_RESPONSE	0x001
#define SEV_INFO_REQUEST	0x002
#define CPUID_REQUEST		0x004
#define CPUID_RESPONSE		0x005
#define PREFERRED_REQUEST	0x010
#define PREFERRED_RESPONSE	0x011
#define REGISTER_REQUEST	0x012
#define REGISTER_RESPONSE	0x013
#define PSC_REQUEST		0x014
#define PSC_RESPONSE		0x015
#define FEATURES_REQUEST	0x080
#define FEATURES_RESPONSE	0x081
#define TERMINATE_REQUEST	0x100

#define MSR_ADDRESS(msr)	ALIGN_DOWN(msr, PAGE_SIZE)
#define PSC_MSR_GPA(msr)	((msr) & 0x000ffffffffff000ull)
#define PSC_MSR_OP(msr)		((u32)((msr) >> 52) & 0xf)
#define PSC_MSR_ERROR		BIT(63)

/* Offsets in the GHCB. */
#define GHCB_EXIT_CODE		0x390
#define GHCB_INFO1		0x398
#define GHCB_INFO2		0x3a0
#define GHCB_SCRATCH		0x3a8
#define GHCB_VALID		0x3f0	/* one bit for each quadword of the save area */
#define GHCB_VALID_BYTES	16
#define GHCB_BUFFER		0x800
#define GHCB_BUFFER_BYTES	2032
#define GHCB_USAGE		0xffc

/* Exit codes. */
#define EXIT_NMI_COMPLETE	0x80000003
#define EXIT_AP_HLT_LOOP	0x80000004
#define EXIT_AP_JUMP_TABLE	0x80000005
#define EXIT_PSC		0x80000010
#define EXIT_AP_CREATION	0x80000013
#define EXIT_FEATURES		0x8000fffd
#define EXIT_TERMINATE		0x8000fffe

/* In the low half of GHCB_INFO1: the hypervisor refuses the call, for the reason in GHCB_INFO2. */
#define MALFORMED		2ull
#define BAD_USAGE		2
#define BAD_SCRATCH		3
#define MISSING_INPUT		4
#define BAD_INPUT		5
#define BAD_EVENT		6

/* A page state change: a header and up to 253 entries, in the buffer of the GHCB. */
struct psc_header {
	u16 current, end;
	u32 reserved;
} __packed;

#define PSC_MAX			253
#define PSC_ENTRY_GPA(e)	((e) & 0x000ffffffffff000ull)
#define PSC_ENTRY_OP(e)		((u32)((e) >> 52) & 0xf)
#define PSC_ENTRY_LARGE(e)	(((e) & BIT(56)) != 0)
/* The number of processed 4 KiB pages of the entry. */
#define PSC_ENTRY_DONE(e)	(PSC_ENTRY_LARGE(e) ? 512 : 1)

/* Errors of a page state change, in GHCB_INFO2. */
#define PSC_BAD_HEADER		(BIT(32) | 1)
#define PSC_BAD_ENTRY		(BIT(32) | 2)
#define PSC_REFUSED		BIT(40)		/* the host's own reasons */

static bool is_snp(void)
{
	return flavour->id == CVM_SNP;
}

static void __noreturn terminated(u64 set, u64 reason)
{
	stop("the guest terminated itself: reason set %lu, code %lu", set, reason);
}

static u64 features(void)
{
	return is_snp() ? FEATURES : 0;
}

static void count_call(u32 op)
{
	if (op == PSC_SHARED)
		counters.hc_shared++;
	else
		counters.hc_private++;
}

/* Perform one entry of a page state change. Return the error for GHCB_INFO2, or 0. */
static u64 change_state(struct vcpu *v, u64 gpa, bool large, u32 op)
{
	if (conversion_fails(op == PSC_SHARED)) {
		log_("refused on request: %lx to %s", gpa, op == PSC_SHARED ? "shared" : "private");
		return PSC_REFUSED;
	}
	return rmp_change(v, gpa, large, op) ? 0 : PSC_BAD_ENTRY;
}

/* ---- the MSR protocol ---- */

static u64 cpuid_request(struct vcpu *v, u64 msr)
{
	u32 r[4];

	vcpu_cpuid(v, msr >> 32, 0, r);
	return (u64)r[msr >> 30 & 3] << 32 | (msr & 0xc0000000) | CPUID_RESPONSE;
}

static u64 psc_request(struct vcpu *v, u64 msr)
{
	count_call(PSC_MSR_OP(msr));
	if (change_state(v, PSC_MSR_GPA(msr), false, PSC_MSR_OP(msr)))
		return PSC_MSR_ERROR | PSC_RESPONSE;
	return PSC_RESPONSE;
}

/* Answer a request. Return the new value of the MSR. */
static u64 msr_request(struct vcpu *v, u64 msr)
{
	if (!is_snp() && (MSR_CODE(msr) == REGISTER_REQUEST || MSR_CODE(msr) == PSC_REQUEST))
		stop("VMGEXIT: request %lx in the GHCB MSR, which only SNP guests make, rip %lx", msr,
		     v->vmcb->rip);
	switch (MSR_CODE(msr)) {
	case SEV_INFO_REQUEST:
		return VERSION_MAX << 48 | VERSION_MIN << 32 | VIEW_SHIFT << 24 | SEV_INFO_RESPONSE;
	case CPUID_REQUEST:
		return cpuid_request(v, msr);
	case PREFERRED_REQUEST:
		return MSR_ADDRESS(~0ull) | PREFERRED_RESPONSE;	/* none */
	case REGISTER_REQUEST:
		v->ghcb = MSR_ADDRESS(msr);
		return MSR_ADDRESS(msr) | REGISTER_RESPONSE;
	case PSC_REQUEST:
		return psc_request(v, msr);
	case FEATURES_REQUEST:
		return features() << PAGE_SHIFT | FEATURES_RESPONSE;
	case TERMINATE_REQUEST:
		terminated(msr >> 12 & 0xf, msr >> 16 & 0xff);
	}
	stop("VMGEXIT: unknown request %lx in the GHCB MSR, rip %lx", msr, v->vmcb->rip);
}

/* ---- the GHCB ---- */

static u64 *field(u8 *ghcb, u32 offset)
{
	return (u64 *)(ghcb + offset);
}

static bool is_valid(const u8 *ghcb, u32 offset)
{
	return ghcb[GHCB_VALID + offset / 64] & 1 << offset / 8 % 8;
}

static void answer(u8 *ghcb, u32 offset, u64 value)
{
	*field(ghcb, offset) = value;
	ghcb[GHCB_VALID + offset / 64] |= 1 << offset / 8 % 8;
}

static void answer_call(u8 *ghcb, u64 info1, u64 info2)
{
	memset(ghcb + GHCB_VALID, 0, GHCB_VALID_BYTES);
	answer(ghcb, GHCB_INFO1, info1);
	answer(ghcb, GHCB_INFO2, info2);
}

/* Change the states of pages. Return the error for GHCB_INFO2, or 0. */
static u64 change_states(struct vcpu *v, struct psc_header *header)
{
	u64 *entries = (u64 *)(header + 1), err;

	if (header->end >= PSC_MAX)
		return PSC_BAD_HEADER;
	if (header->current <= header->end)
		count_call(PSC_ENTRY_OP(entries[header->current]));
	for (; header->current <= header->end; header->current++) {
		u64 *e = &entries[header->current];

		err = change_state(v, PSC_ENTRY_GPA(*e), PSC_ENTRY_LARGE(*e), PSC_ENTRY_OP(*e));
		if (err)
			return err;
		*e = ALIGN_DOWN(*e, PAGE_SIZE) | PSC_ENTRY_DONE(*e);
	}
	return 0;
}

static void psc_call(struct vcpu *v, u8 *ghcb)
{
	u64 at = *field(ghcb, GHCB_SCRATCH) - (v->ghcb + GHCB_BUFFER);

	if (!is_valid(ghcb, GHCB_SCRATCH))
		answer_call(ghcb, MALFORMED, MISSING_INPUT);
	else if (at)	/* 253 entries fill the buffer, so the change starts where it does */
		answer_call(ghcb, MALFORMED, BAD_SCRATCH);
	else
		answer_call(ghcb, 0, change_states(v, (struct psc_header *)(ghcb + GHCB_BUFFER)));
}

/* AP creation: GHCB_INFO1 has the APIC ID, the VMPL and the event, GHCB_INFO2 the register save area. */
#define AP_ID(info)		((u32)((info) >> 32))
#define AP_VMPL(info)		((info) >> 16 & 0xf)
#define AP_EVENT(info)		((info) & 0xffff)
#define AP_CREATE		1

static void ap_creation(u8 *ghcb)
{
	u64 info = *field(ghcb, GHCB_INFO1), vmsa = *field(ghcb, GHCB_INFO2);

	if (AP_EVENT(info) == AP_CREATE && !AP_VMPL(info) && !(vmsa % PAGE_SIZE) && rmp_is_vmsa(vmsa) &&
	    smp_start(AP_ID(info), memory_private(vmsa)))
		answer_call(ghcb, 0, 0);
	else
		answer_call(ghcb, MALFORMED, BAD_INPUT);
}

static void ghcb_call(struct vcpu *v, u8 *ghcb)
{
	u64 code = *field(ghcb, GHCB_EXIT_CODE);

	_Static_assert(sizeof(struct psc_header) + PSC_MAX * sizeof(u64) == GHCB_BUFFER_BYTES, "PSC");

	if (!is_valid(ghcb, GHCB_EXIT_CODE) || !is_valid(ghcb, GHCB_INFO1) ||
	    !is_valid(ghcb, GHCB_INFO2)) {
		answer_call(ghcb, MALFORMED, MISSING_INPUT);
		return;
	}
	if (*(u32 *)(ghcb + GHCB_USAGE)) {
		answer_call(ghcb, MALFORMED, BAD_USAGE);
		return;
	}
	if (!is_snp() && (code == EXIT_PSC || code == EXIT_AP_CREATION)) {
		answer_call(ghcb, MALFORMED, BAD_EVENT);
		return;
	}
	switch (code) {
	case EXIT_PSC:
		psc_call(v, ghcb);
		break;
	case EXIT_AP_CREATION:
		ap_creation(ghcb);
		break;
	case EXIT_AP_HLT_LOOP:
		smp_halt(v);
	case EXIT_NMI_COMPLETE:
		answer_call(ghcb, 0, 0);	/* NMIs are never blocked by the emulator */
		break;
	case EXIT_AP_JUMP_TABLE:
		answer_call(ghcb, 0, 0);	/* SEV-ES: there is no other processor to start */
		break;
	case EXIT_FEATURES:
		answer_call(ghcb, 0, features());
		break;
	case EXIT_TERMINATE:
		terminated(*field(ghcb, GHCB_INFO1) & 0xf, *field(ghcb, GHCB_INFO1) >> 4 & 0xff);
	default:
		answer_call(ghcb, MALFORMED, BAD_EVENT);
	}
}

/*
 * Handle VMGEXIT. As on hardware, programs can execute it; the kernel leaves no valid request
 * in the GHCB for them.
 */
void vmgexit(struct vcpu *v)
{
	u64 msr = v->ghcb_msr;

	counters.vmgexits++;
	if (MSR_CODE(msr)) {
		v->ghcb_msr = msr_request(v, msr);
		return;
	}
	if (is_snp() && msr != v->ghcb)
		stop("VMGEXIT: the GHCB at %lx is not registered, rip %lx", msr, v->vmcb->rip);
	if (!page_is_shared(msr))
		stop("VMGEXIT: the GHCB at %lx is not shared, rip %lx", msr, v->vmcb->rip);
	ghcb_call(v, memory_shared(msr));
}
