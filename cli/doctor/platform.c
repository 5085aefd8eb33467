// SPDX-License-Identifier: GPL-2.0-only
/* Check the platform and the version of the kernel. */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

static const char *const platforms[] = {
	[CCSHM_PLATFORM_SEV] = "AMD SEV",
	[CCSHM_PLATFORM_SEV_ES] = "AMD SEV-ES",
	[CCSHM_PLATFORM_SEV_SNP] = "AMD SEV-SNP",
	[CCSHM_PLATFORM_TDX] = "Intel TDX",
	[CCSHM_PLATFORM_CCA] = "Arm CCA",
};

static const char *platform_text(uint32_t platform)
{
	if (platform < sizeof(platforms) / sizeof(platforms[0]) && platforms[platform])
		return platforms[platform];
	return "unknown to this ccshmctl";
}

static void report_no_guest(struct doctor *doctor)
{
	doctor_fail(doctor, EXIT_NO_DRIVER,
		    "This is not a confidential guest: nothing keeps its memory private from the host.");
	doctor_advise(doctor, "Memory need not be shared here: devices can use any memory. "
		      "For development, `modprobe ccshm allow_plain=1` loads the module anyway.");
}

static void report_plain_load(struct doctor *doctor)
{
	doctor_warn(doctor, "This is not a confidential guest: the driver was loaded with "
		    "allow_plain=1, and sharing does nothing.");
	doctor_advise(doctor, "This is fine for development; otherwise unload the module.");
}

static void by_driver(struct doctor *doctor)
{
	if (ccshm_info_is_plain(doctor->info))
		report_plain_load(doctor);
	else
		doctor_pass(doctor, "This is a confidential guest (%s), as the driver reports.",
			    platform_text(ccshm_info_platform(doctor->info)));
}

/* The kernel registers this device in Realms only (arch/arm64/kernel/rsi.c), from 6.13 on. */
#define REALM_DEVICE	"/sys/devices/platform/arm-cca-dev"
/* arm64 kernels have this file (arch/arm64/kernel/cpuinfo.c), others do not. */
#define ARM64_FILE	"/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"

int doctor_detect_platform(uint32_t *platform)
{
	int err = ccshm_platform_detect(platform);

	if (!err && *platform == CCSHM_PLATFORM_SEV && system_exists("/sys/devices/system/cpu/sev"))
		*platform = CCSHM_PLATFORM_SEV_SNP;
	if (!err)
		return 0;
	if (system_exists(REALM_DEVICE))
		*platform = CCSHM_PLATFORM_CCA;
	else if (system_exists(ARM64_FILE))
		*platform = CCSHM_PLATFORM_NONE;
	else
		return err;
	return 0;
}

void doctor_check_platform(struct doctor *doctor)
{
	uint32_t platform;

	if (doctor->info) {
		by_driver(doctor);
	} else if (doctor_detect_platform(&platform)) {
		doctor_skip(doctor, "Cannot determine without the driver whether this is a confidential guest.");
		doctor_advise(doctor, "Load the module: loading fails where there is nothing to share.");
	} else if (platform == CCSHM_PLATFORM_NONE && doctor->loaded) {
		report_plain_load(doctor);
	} else if (platform == CCSHM_PLATFORM_NONE) {
		report_no_guest(doctor);
	} else if (platform == CCSHM_PLATFORM_SEV) {
		doctor_pass(doctor, "This is a confidential guest (AMD SEV, SEV-ES or SEV-SNP: "
			    "only the driver can distinguish them).");
	} else {
		doctor_pass(doctor, "This is a confidential guest (%s).", platform_text(platform));
	}
}

/* The module does not support older kernels. */
#define KERNEL_MAJOR	6
#define KERNEL_MINOR	1

void doctor_check_kernel(struct doctor *doctor)
{
	unsigned long major, minor = 0;
	char *end;

	major = strtoul(doctor->release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	if (!major) {
		doctor_skip(doctor, "Cannot determine the version of the kernel: /proc is missing.");
	} else if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR)) {
		doctor_pass(doctor, "Linux %s is new enough.", doctor->release);
	} else if (major == 5 && minor == 14) {
		doctor_warn(doctor, "Linux %s is older than 6.1.", doctor->release);
		doctor_advise(doctor, "The driver compiles for Linux 5.14 of RHEL 9.2 and later, but was never run on it.");
	} else {
		doctor_fail(doctor, EXIT_NO_DRIVER, "Linux %s is older than 6.1.", doctor->release);
		doctor_advise(doctor, "Install a newer kernel, for instance from the distribution's backports.");
	}
}
