// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Determine what keeps this machine's memory private, and whether it is certain
 * that nothing does.
 *
 * The answer determines whether a program may use ordinary memory. A host that
 * returns wrong values of CPUID can only cause a harmless error: the guest
 * keeps its memory private, and a device cannot use it.
 */
#include <errno.h>

#include "internal.h"

#define CPUID_FEATURES			0x1
#define   FEATURES_ECX_HYPERVISOR	(1u << 31)
#define CPUID_TDX			0x21
#define CPUID_HYPERVISOR		0x40000000
#define CPUID_HYPERV_FEATURES		0x40000003
#define   HYPERV_EBX_ISOLATION		(1u << 22)
#define CPUID_HYPERV_ISOLATION		0x4000000c
#define   HYPERV_EBX_ISOLATION_TYPE	0xfu
#define   HYPERV_ISOLATION_NONE		0u
#define   HYPERV_ISOLATION_SNP		2u
#define   HYPERV_ISOLATION_TDX		3u
#define CPUID_EXTENDED			0x80000000
#define CPUID_ENCRYPTION		0x8000001f
#define   ENCRYPTION_EAX_SEV		(1u << 1)

/* Four characters as a register contains them. */
#define TEXT(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | \
	 (uint32_t)(d) << 24)

/* Read a leaf. Leaves beyond the last one of their range are zero. */
static struct ccshm_cpuid cpuid(const struct ccshm_seam *seam, uint32_t range,
				uint32_t leaf)
{
	struct ccshm_cpuid last = { 0 }, out = { 0 };

	seam->cpuid(range, &last);
	if (last.eax >= leaf)
		seam->cpuid(leaf, &out);
	return out;
}

static bool has_tdx(const struct ccshm_seam *seam)
{
	struct ccshm_cpuid tdx = cpuid(seam, 0, CPUID_TDX);

	return tdx.ebx == TEXT('I', 'n', 't', 'e') &&
	       tdx.edx == TEXT('l', 'T', 'D', 'X') &&
	       tdx.ecx == TEXT(' ', ' ', ' ', ' ');
}

static bool has_sev(const struct ccshm_seam *seam)
{
	struct ccshm_cpuid encryption =
		cpuid(seam, CPUID_EXTENDED, CPUID_ENCRYPTION);

	return encryption.eax & ENCRYPTION_EAX_SEV;
}

/* Get the isolation of Hyper-V, whose paravisor hides SEV and TDX. */
static uint32_t hyperv_isolation(const struct ccshm_seam *seam)
{
	struct ccshm_cpuid vendor =
		cpuid(seam, CPUID_HYPERVISOR, CPUID_HYPERVISOR);

	if (vendor.ebx != TEXT('M', 'i', 'c', 'r') ||
	    vendor.ecx != TEXT('o', 's', 'o', 'f') ||
	    vendor.edx != TEXT('t', ' ', 'H', 'v'))
		return HYPERV_ISOLATION_NONE;
	if (!(cpuid(seam, CPUID_HYPERVISOR, CPUID_HYPERV_FEATURES).ebx &
	      HYPERV_EBX_ISOLATION))
		return HYPERV_ISOLATION_NONE;
	return cpuid(seam, CPUID_HYPERVISOR, CPUID_HYPERV_ISOLATION).ebx &
	       HYPERV_EBX_ISOLATION_TYPE;
}

static int hyperv_platform(const struct ccshm_seam *seam, uint32_t *platform)
{
	switch (hyperv_isolation(seam)) {
	case HYPERV_ISOLATION_NONE:
		*platform = CCSHM_PLATFORM_NONE;
		return 0;
	case HYPERV_ISOLATION_SNP:
		*platform = CCSHM_PLATFORM_SEV_SNP;
		return 0;
	case HYPERV_ISOLATION_TDX:
		*platform = CCSHM_PLATFORM_TDX;
		return 0;
	default:
		return -ENODATA;
	}
}

int ccshm_platform_detect_seam(const struct ccshm_seam *seam, uint32_t *platform)
{
	struct ccshm_cpuid probe;

	*platform = CCSHM_PLATFORM_NONE;
	/* Architectures without CPUID cannot answer. */
	if (seam->cpuid(0, &probe))
		return -ENODATA;
	if (!(cpuid(seam, 0, CPUID_FEATURES).ecx & FEATURES_ECX_HYPERVISOR))
		return 0;
	if (has_tdx(seam)) {
		*platform = CCSHM_PLATFORM_TDX;
		return 0;
	}
	if (has_sev(seam)) {
		*platform = CCSHM_PLATFORM_SEV;
		return 0;
	}
	return hyperv_platform(seam, platform);
}

CCSHM_API int ccshm_platform_detect(uint32_t *platform)
{
	return ccshm_platform_detect_seam(&ccshm_system, platform);
}

bool ccshm_machine_is_plain(const struct ccshm_seam *seam)
{
	uint32_t platform;

	return !ccshm_platform_detect_seam(seam, &platform) &&
	       platform == CCSHM_PLATFORM_NONE;
}
