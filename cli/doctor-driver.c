// SPDX-License-Identifier: GPL-2.0-only
/* The driver's device nodes, and what the driver says of itself. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"

#define HEAP_DEVICE	"/dev/dma_heap/system_cc_shared"

/* The group of a node, by its name; false if the node is not there. */
static bool node_group(const char *node, struct stat *st, char *group, size_t len)
{
	char path[SYSTEM_PATH_LEN];
	struct group *entry;

	system_path(path, "%s", node);
	if (stat(path, st))
		return false;
	entry = getgrgid(st->st_gid);
	if (entry)
		snprintf(group, len, "%s", entry->gr_name);
	else
		snprintf(group, len, "%u", st->st_gid);
	return true;
}

static bool group_may(const struct stat *st)
{
	return st->st_gid && (st->st_mode & 0060) == 0060;
}

static void not_permitted(struct doctor *doctor)
{
	struct stat st = { 0 };
	char group[64];

	doctor_fail(doctor, EXIT_PERMISSION, "You may not open %s.", CCSHM_DEVICE);
	if (node_group(CCSHM_DEVICE, &st, group, sizeof(group)) && group_may(&st))
		doctor_advise(doctor, "Become a member of its group (as root: `usermod -aG %s USER`), then "
			      "log in again; or be root.", group);
	else
		doctor_advise(doctor, "Be root, or give it to a group with a udev rule.");
}

void doctor_check_driver(struct doctor *doctor)
{
	switch (doctor->error) {
	case 0:
		doctor_pass(doctor, "The driver answers (version %s; library %s).",
			    ccshm_info_driver_version(doctor->info), ccshm_version());
		return;
	case -EACCES:
	case -EPERM:
		not_permitted(doctor);
		return;
	case -EPROTO:
		doctor_fail(doctor, EXIT_FAILED, "The driver is too old for the library (%s).",
			    ccshm_version());
		doctor_advise(doctor, "Install the driver of a newer release and load the new module.");
		return;
	case -EPROTONOSUPPORT:
		doctor_fail(doctor, EXIT_FAILED, "The library (%s) is too old for the driver.",
			    ccshm_version());
		doctor_advise(doctor, "Install ccshmctl and libccshm of the driver's release.");
		return;
	case -ENODEV:
		break;
	default:
		doctor_fail(doctor, EXIT_FAILED, "The driver does not answer: %s.", strerror(-doctor->error));
		return;
	}
	if (doctor->loaded) {
		doctor_fail(doctor, EXIT_NO_DRIVER, "The module is loaded, but there is no %s.", CCSHM_DEVICE);
		doctor_advise(doctor, "In a container: give it that device. Elsewhere devtmpfs makes it.");
	} else {
		doctor_skip(doctor, "There is no driver to ask.");
	}
}

static void check_node(struct doctor *doctor, const char *node)
{
	struct stat st;
	char group[64];

	if (!node_group(node, &st, group, sizeof(group)))
		return;
	if (st.st_mode & 0006) {
		doctor_warn(doctor, "Every user may open it (mode %04o), and share memory.",
			    st.st_mode & 07777);
		doctor_advise(doctor, "Give it to a group, with mode 0660.");
	} else if (group_may(&st)) {
		doctor_pass(doctor, "Members of the group %s may open it (mode %04o).", group,
			    st.st_mode & 07777);
	} else {
		doctor_warn(doctor, "Only root may open it (mode %04o).", st.st_mode & 07777);
		doctor_advise(doctor, "For other users give it to a group (ccshm) with a udev rule.");
	}
	doctor_object(doctor, node);
}

void doctor_check_access(struct doctor *doctor)
{
	size_t before = doctor->nfindings;

	check_node(doctor, CCSHM_DEVICE);
	check_node(doctor, HEAP_DEVICE);
	if (doctor->nfindings == before)
		doctor_skip(doctor, "There is no device node.");
}

void doctor_check_heap(struct doctor *doctor)
{
	bool node = system_exists(HEAP_DEVICE);

	if (system_exists("/sys/class/dma_heap/system_cc_shared")) {
		doctor_pass(doctor, "This kernel has its own heap %s; ccshm adds none.", HEAP_DEVICE);
	} else if (system_exists("/sys/class/misc/ccshm-heap")) {
		if (node) {
			doctor_pass(doctor, "The heap %s is that of ccshm.", HEAP_DEVICE);
			return;
		}
		doctor_warn(doctor, "ccshm has its heap, but there is no %s.", HEAP_DEVICE);
		doctor_advise(doctor, "In a container: give it that device. Elsewhere devtmpfs makes it.");
	} else if (doctor->loaded) {
		doctor_warn(doctor, "There is no %s.", HEAP_DEVICE);
		doctor_advise(doctor, "Programs that know this heap only need it: load the module without "
			      "heap=off. If that was not given, `dmesg | grep ccshm` says why.");
	} else {
		doctor_skip(doctor, "There is no %s; ccshm makes one where the kernel has none.", HEAP_DEVICE);
	}
}

static unsigned long long mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

void doctor_check_losses(struct doctor *doctor)
{
	const struct ccshm_info *info = doctor->info;

	if (!info) {
		doctor_skip(doctor, "There is no driver to ask.");
	} else if (ccshm_info_bytes_leaked(info)) {
		doctor_warn(doctor, "%llu MiB could not be made private again, and are lost.",
			    mib(ccshm_info_bytes_leaked(info)));
		doctor_advise(doctor, "Only a restart of the guest brings them back; the kernel's log says what the "
			      "platform refused.");
	} else if (ccshm_info_bytes_quarantined(info)) {
		doctor_warn(doctor, "%llu MiB could not be made private again yet.",
			    mib(ccshm_info_bytes_quarantined(info)));
		doctor_advise(doctor, "The driver tries again by itself; look again in a minute.");
	} else if (ccshm_info_conversions_failed(info)) {
		doctor_warn(doctor, "%llu conversions have failed; nothing was lost.",
			    (unsigned long long)ccshm_info_conversions_failed(info));
		doctor_advise(doctor, "The kernel's log says what the platform refused.");
	} else {
		doctor_pass(doctor, "No conversion has failed, and no memory was lost.");
	}
}
