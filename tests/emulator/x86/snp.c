// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AMD SEV-SNP flavour: CPUID, MSRs, instructions, and the pages that firmware fills at
 * launch. It is SEV (sev.c) with page states that the guest must validate (rmp.c) and with calls
 * through the GHCB (ghcb.c) instead of KVM's hypercall.
 *
 * The emulator never raises #VC: CPUID, MSRs, ports and device memory, for which hardware would
 * raise it, are executed. Only what the guest does of its own accord is emulated.
 *
 * Sources: AMD64 Architecture Programmer's Manual, volumes 2 and 3; "SEV Secure Nested Paging
 * Firmware ABI Specification" (CPUID and secrets pages); the kernel's
 * arch/x86/include/asm/sev.h and find_cc_blob().
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

#define SEV_STATUS_SNP	BIT(2)

#define SEV_EAX_SNP	BIT(4)

/*
 * The pages that firmware fills, at addresses that the guest's memory map reserves. Like other data
 * of firmware, they are the same in both views: the kernel reads setup_data through a shared mapping
 * (create_setup_data_nodes()) and the other pages through private mappings.
 */
#define SETUP_DATA	LAUNCH_PAGES
#define CC_BLOB		(LAUNCH_PAGES + 0x100)
#define SECRETS_PAGE	(LAUNCH_PAGES + PAGE_SIZE)
#define CPUID_PAGE	(LAUNCH_PAGES + 2 * PAGE_SIZE)

#define SETUP_CC_BLOB	7

/* An entry in the list of setup_data (Documentation/arch/x86/boot.rst). */
struct setup_data {
	u64 next;
	u32 type, length;
	u32 cc_blob;
} __packed;

/* Describes the other pages to the kernel: struct cc_blob_sev_info. */
struct cc_blob {
	u32 magic;
	u16 version, reserved;
	u64 secrets;
	u32 secrets_length, reserved1;
	u64 cpuid;
	u32 cpuid_length, reserved2;
} __packed;

#define CC_BLOB_MAGIC	0x45444d41	/* "AMDE" */

/* The secrets page: the fields before the keys, and the first key. */
struct secrets {
	u32 version, imi, fms, reserved;
	u8 gosvw[16];
	u8 vmpck0[32];
} __packed;

#define SECRETS_VERSION	3

struct cpuid_entry {
	u32 eax_in, ecx_in;
	u64 xcr0_in, xss_in;
	u32 r[4];
	u64 reserved;
};

#define CPUID_MAX	64

struct cpuid_table {
	u32 count, reserved1;
	u64 reserved2;
	struct cpuid_entry entries[CPUID_MAX];
};

_Static_assert(sizeof(struct cpuid_entry) == 48, "CPUID page");
_Static_assert(offsetof(struct cpuid_table, entries) == 16, "CPUID page");
_Static_assert(sizeof(struct cpuid_table) <= PAGE_SIZE, "CPUID page");

static void snp_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	sev_cpuid(leaf, subleaf, r);
	if (leaf == KVM_CPUID_FEATURES)
		r[0] = 0;		/* the kernel must not use KVM's page-state hypercall */
	else if (leaf == CPUID_SEV)
		r[0] |= SEV_EAX_SNP;
}

static bool snp_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
	if (!sev_rdmsr(v, msr, value))
		return false;
	if (msr == MSR_SEV_STATUS)
		*value |= SEV_STATUS_SNP;
	return true;
}

/* Handle VMGEXIT. The kernel makes no other hypercall, because KVM offers it no feature. */
static u32 snp_vmmcall(struct vcpu *v)
{
	if (!is_vmgexit(v))
		return 0;
	vmgexit(v);
	return VMGEXIT_BYTES;
}

/* Handle PVALIDATE (f2 0f 01 ff) and RMPADJUST (f3 0f 01 fe), which TCG does not have. */
static bool snp_undefined(struct vcpu *v)
{
	bool is_pvalidate;
	u8 code[4];

	if (guest_code(v, code, 4) < 4 || code[1] != 0x0f || code[2] != 0x01)
		return false;
	is_pvalidate = code[0] == 0xf2 && code[3] == 0xff;
	if (!is_pvalidate && (code[0] != 0xf3 || code[3] != 0xfe))
		return false;
	if (v->vmcb->cpl) {
		vcpu_inject_gp(v);
		return true;
	}
	if (is_pvalidate)
		rmp_pvalidate(v);
	else
		rmp_adjust(v);
	vcpu_skip(v, 4);
	return true;
}

/* ---- launch ---- */

/* Add a leaf to the table of CPUID results. Leaves that are zero can be missing. */
static void add_leaf(struct vcpu *v, struct cpuid_table *table, u32 leaf, u32 subleaf)
{
	struct cpuid_entry e = { .eax_in = leaf, .ecx_in = subleaf };

	vcpu_cpuid(v, leaf, subleaf, e.r);
	if (!(e.r[0] | e.r[1] | e.r[2] | e.r[3]))
		return;
	if (table->count == CPUID_MAX)
		stop("the CPU model has more CPUID leaves than the CPUID page");
	/* The size of the XSAVE area is that for x87 state only. */
	if (leaf == 0xd && subleaf <= 1)
		e.xcr0_in = 1;
	table->entries[table->count++] = e;
}

static void add_leaves(struct vcpu *v, struct cpuid_table *table, u32 first)
{
	u32 r[4], leaf, subleaf, subleaves;

	vcpu_cpuid(v, first, 0, r);
	for (leaf = first; leaf <= r[0]; leaf++) {
		subleaves = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0x8000001d ? 4 :
			    leaf == 0xd ? 16 : 1;
		for (subleaf = 0; subleaf < subleaves; subleaf++)
			add_leaf(v, table, leaf, subleaf);
	}
}

static u64 fill_launch(struct vcpu *v)
{
	struct setup_data *setup = memory_shared(SETUP_DATA);
	struct cc_blob *blob = memory_shared(CC_BLOB);
	struct secrets *secrets = memory_shared(SECRETS_PAGE);
	struct cpuid_table *table = memory_shared(CPUID_PAGE);
	u32 i;

	memset(setup, 0, TRAMPOLINE - LAUNCH_PAGES);
	*setup = (struct setup_data){ .type = SETUP_CC_BLOB, .length = sizeof(setup->cc_blob),
				      .cc_blob = CC_BLOB };
	*blob = (struct cc_blob){ .magic = CC_BLOB_MAGIC, .version = 1,
				  .secrets = SECRETS_PAGE, .secrets_length = PAGE_SIZE,
				  .cpuid = CPUID_PAGE, .cpuid_length = PAGE_SIZE };
	secrets->version = SECRETS_VERSION;
	/* The kernel's driver for guest requests refuses a key of zeros. */
	for (i = 0; i < sizeof(secrets->vmpck0); i++)
		secrets->vmpck0[i] = i + 1;
	add_leaves(v, table, 0);
	add_leaves(v, table, KVM_CPUID);
	add_leaves(v, table, 0x80000000);
	log_("%u CPUID leaves", table->count);
	return SETUP_DATA;
}

const struct flavour snp_flavour = {
	.name = "SNP",
	.id = CVM_SNP,
	.private_bit = VIEW_BIT,
	.exceptions = BIT(VECTOR_UD),
	.can_fail = true,
	.several_cpus = true,
	.launch = { LAUNCH_PAGES, LAUNCH_END, E820_RESERVED },
	.cpuid = snp_cpuid,
	.rdmsr = snp_rdmsr,
	.wrmsr = sev_wrmsr,
	.vmmcall = snp_vmmcall,
	.undefined = snp_undefined,
	.fill_launch = fill_launch,
};
