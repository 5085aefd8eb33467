/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshmctl doctor: what its checks share.
 *
 * doctor.c has the table of checks and prints the findings. Each check is a
 * function in another file: it examines the machine and adds findings, each
 * with a sentence, and with advice if there is something to do. It queries the
 * driver if possible, reads files below system_root(), and changes nothing.
 */
#ifndef CCSHMCTL_DOCTOR_H
#define CCSHMCTL_DOCTOR_H

#include "ccshmctl.h"

#define RELEASE_LEN	128
#define FINDING_LEN	1024

/**
 * struct doctor - the examined machine and the findings
 * @ctx: handle; NULL: there is no driver, or this user is not permitted to use it
 * @error: without @ctx: the error of ccshm_open()
 * @info: the driver's INFO; NULL without @ctx
 * @loaded: the module is loaded
 * @release: release of the running kernel
 * @no_guest: this is certainly not a confidential guest
 * @findings: findings, in the order in which they were made
 * @nfindings: number of findings
 * @check: name of the check that is running
 */
struct doctor {
	struct ccshm *ctx;
	int error;
	struct ccshm_info *info;
	bool loaded;
	char release[RELEASE_LEN];
	bool no_guest;
	struct finding *findings;
	size_t nfindings;
	const char *check;
};

/* ---- findings; texts are whole sentences ---- */

void doctor_pass(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Cannot be checked, or does not apply here. */
void doctor_skip(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_fail(struct doctor *doctor, enum exit_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Name the object of the last finding, for a check that examines several. */
void doctor_object(struct doctor *doctor, const char *object);
/* Add advice to the last finding. */
void doctor_advise(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Name of the nth check, and a description in *@what; NULL after the last. */
const char *doctor_check_name(unsigned int nth, const char **what);

/* ---- the checks, by file ---- */

/* platform.c */
/*
 * Get the platform without the driver, from CPUID and sysfs. Returns 0; or a negative errno if
 * only the driver can determine it.
 */
int doctor_detect_platform(uint32_t *platform);
void doctor_check_platform(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);

/* module.c */
void doctor_check_module(struct doctor *doctor);
void doctor_check_signature(struct doctor *doctor);
void doctor_check_lockdown(struct doctor *doctor);

/* parameters.c */
void doctor_check_parameters(struct doctor *doctor);

/* units.c */
void doctor_check_units(struct doctor *doctor);

/* build.c */
void doctor_check_headers(struct doctor *doctor);
void doctor_check_dkms(struct doctor *doctor);

/* driver.c */
void doctor_check_driver(struct doctor *doctor);
void doctor_check_access(struct doctor *doctor);
void doctor_check_heap(struct doctor *doctor);
void doctor_check_losses(struct doctor *doctor);

/* limits.c */
void doctor_check_limits(struct doctor *doctor);

/* memory.c */
void doctor_check_fragmentation(struct doctor *doctor);
void doctor_check_direct_map(struct doctor *doctor);

/* devices.c */
void doctor_check_swiotlb(struct doctor *doctor);
void doctor_check_devices(struct doctor *doctor);

/* ---- module-file.c: modules as files ---- */

#define VERMAGIC_LEN	128
#define SRCVERSION_LEN	32
#define SIGNER_LEN	128

/**
 * struct module_file - a module as a file
 * @path: below /lib/modules/RELEASE
 * @built_for: the release of a kernel; empty: cannot be determined
 * @srcversion: checksum of its source; empty: cannot be determined
 * @signer: common name of the key's certificate; empty: cannot be determined
 * @known: the file could be read, so the other fields are valid
 * @is_signed: it has a signature, by whatever key
 */
struct module_file {
	char path[SYSTEM_PATH_LEN];
	char built_for[VERMAGIC_LEN];
	char srcversion[SRCVERSION_LEN];
	char signer[SIGNER_LEN];
	bool known;
	bool is_signed;
};

/* Find the module ccshm of a kernel. Return 0, -ENOENT, or another error of reading the index. */
int module_find(const char *release, struct module_file *file);
/* Format the releases of kernels that have the module as "A, B". Return their number. */
int module_others(const char *release, char *text, size_t len);

/* ---- distribution.c ---- */

enum cloud {
	CLOUD_NONE,
	CLOUD_AZURE,
	CLOUD_GOOGLE,
};

enum cloud cloud_detect(void);
/* Format the distribution's command that installs the headers of this kernel. */
void headers_package(const char *release, char *text, size_t len);
/* Check whether this ccshmctl comes from a package, not from "make install". */
bool from_package(void);
/* Format a command that installs the module of the package, or builds it from the source. */
void module_install(char *text, size_t len);
/* Format a command that builds the module again for a kernel whose module was built for another. */
void module_rebuild(const char *release, char *text, size_t len);

/* ---- log.c ---- */

/*
 * Find the newest message of the kernel's log that contains one of @texts, which ends with a NULL.
 * Return 0, -ENOENT, or the error of reading the log; @line is empty then.
 */
int kernel_log_last(const char *const *texts, char *line, size_t len);

#endif /* CCSHMCTL_DOCTOR_H */
