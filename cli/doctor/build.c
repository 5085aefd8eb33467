// SPDX-License-Identifier: GPL-2.0-only
/* Check whether this machine can build the module. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "doctor.h"

void doctor_check_headers(struct doctor *doctor)
{
	char command[256];
	struct module_file file;

	if (system_exists("/lib/modules/%s/build/Makefile", doctor->release)) {
		doctor_pass(doctor, "The headers of Linux %s are installed.", doctor->release);
		return;
	}
	if (doctor->no_guest) {
		doctor_skip(doctor, "The headers of Linux %s are not installed; no module is needed here.",
			    doctor->release);
		return;
	}
	headers_package(doctor->release, command, sizeof(command));
	if (doctor->loaded || !module_find(doctor->release, &file))
		doctor_pass(doctor, "The headers of Linux %s are not installed, and not needed: the module is installed.",
			    doctor->release);
	else
		doctor_fail(doctor, EXIT_NO_DRIVER,
			    "The headers of Linux %s are not installed: the module cannot be built.",
			    doctor->release);
	doctor_advise(doctor, "To build it: %s", command);
}

/* Report how far DKMS got with one version of the module. */
static void check_version(struct doctor *doctor, const char *version, const char *machine)
{
	if (system_exists("/var/lib/dkms/ccshm/%s/%s/%s/module", version, doctor->release, machine)) {
		doctor_warn(doctor, "DKMS has built version %s for Linux %s, but not installed it.",
			    version, doctor->release);
		doctor_advise(doctor, "Run `dkms install ccshm/%s -k %s`.", version, doctor->release);
	} else if (system_exists("/var/lib/dkms/ccshm/%s/build/make.log", version)) {
		doctor_fail(doctor, EXIT_NO_DRIVER, "DKMS could not build version %s.", version);
		doctor_advise(doctor, "See the build log: /var/lib/dkms/ccshm/%s/build/make.log", version);
	} else {
		doctor_warn(doctor, "DKMS has version %s, but has not built it for Linux %s.",
			    version, doctor->release);
		doctor_advise(doctor, "Install the headers of this kernel, then run `dkms autoinstall -k %s`.",
			      doctor->release);
	}
}

static int is_version(const struct dirent *entry)
{
	/* The links "kernel-RELEASE-MACHINE" are not versions; they name what is installed. */
	return entry->d_name[0] != '.' && strncmp(entry->d_name, "kernel-", 7) &&
	       strcmp(entry->d_name, "original_module");
}

void doctor_check_dkms(struct doctor *doctor)
{
	char path[SYSTEM_PATH_LEN];
	struct dirent **entries;
	struct utsname machine;
	int i, count;

	uname(&machine);
	if (system_exists("/var/lib/dkms/ccshm/kernel-%s-%s", doctor->release, machine.machine)) {
		doctor_pass(doctor, "DKMS has built and installed the module for Linux %s.", doctor->release);
		return;
	}
	system_path(path, "/var/lib/dkms/ccshm");
	count = scandir(path, &entries, is_version, versionsort);
	if (count < 0 && errno != ENOENT) {
		doctor_skip(doctor, "Cannot read the state of DKMS: %s.", strerror(errno));
		return;
	}
	if (count <= 0) {
		doctor_skip(doctor, "The module is not registered with DKMS.");
	} else {
		check_version(doctor, entries[count - 1]->d_name, machine.machine);
	}
	for (i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
}
