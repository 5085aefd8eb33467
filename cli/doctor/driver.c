// SPDX-License-Identifier: GPL-2.0-only
/* The driver's device nodes, and what the driver reports about itself. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "doctor.h"

#define HEAP_DEVICE	"/dev/dma_heap/system_cc_shared"

/* Get the name of a node's group; false if there is no such node. */
static bool node_group(const char *node, struct stat *st, char *group, size_t len)
{
	struct group *entry;

	if (system_stat(node, st))
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

	doctor_fail(doctor, EXIT_PERMISSION, "You are not permitted to open %s.", CCSHM_DEVICE);
	if (node_group(CCSHM_DEVICE, &st, group, sizeof(group)) && group_may(&st))
		doctor_advise(doctor, "Join its group (as root: `usermod -aG %s USER`) and log in again, or "
			      "run as root.", group);
	else
		doctor_advise(doctor, "Run as root, or give the node to a group with a udev rule.");
}

/*
 * Report EPERM of open(): permissions of the node cause EACCES, a device cgroup causes EPERM.
 * Containers, and units with DevicePolicy=, have a device cgroup.
 */
static void device_denied(struct doctor *doctor)
{
	doctor_fail(doctor, EXIT_PERMISSION, "A device policy forbids opening %s: that of a container, or of a "
		    "systemd unit.", CCSHM_DEVICE);
	doctor_advise(doctor, "Membership in a group does not help. For a container allow the device (--device %s); "
		      "for a unit set DeviceAllow=%s rw.", CCSHM_DEVICE, CCSHM_DEVICE);
}

void doctor_check_driver(struct doctor *doctor)
{
	switch (doctor->error) {
	case 0:
		doctor_pass(doctor, "The driver answers (version %s; library %s).",
			    ccshm_info_driver_version(doctor->info), ccshm_version());
		return;
	case -EACCES:
		not_permitted(doctor);
		return;
	case -EPERM:
		device_denied(doctor);
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
		doctor_advise(doctor, "In a container, allow the device. Elsewhere devtmpfs creates the node.");
	} else {
		doctor_skip(doctor, "Cannot query the driver.");
	}
}

static void check_node(struct doctor *doctor, const char *node)
{
	struct stat st;
	char group[64];

	if (!node_group(node, &st, group, sizeof(group)))
		return;
	if (st.st_mode & 0006) {
		doctor_warn(doctor, "Every user may open the node (mode %04o), and share memory.",
			    st.st_mode & 07777);
		doctor_advise(doctor, "Give the node to a group, with mode 0660.");
	} else if (group_may(&st)) {
		doctor_pass(doctor, "Members of the group %s may open the node (mode %04o).", group,
			    st.st_mode & 07777);
	} else {
		doctor_warn(doctor, "Only root may open the node (mode %04o).", st.st_mode & 07777);
		doctor_advise(doctor, "To permit other users, give the node to a group (ccshm) with a udev rule.");
	}
	doctor_object(doctor, node);
}

/* Get the largest gid of a system group, according to the distribution. */
static unsigned long system_gid_max(void)
{
	char text[16384], *line = text, *end;
	unsigned long max = 999, value;

	if (system_read(text, sizeof(text), "/etc/login.defs") < 0)
		return max;
	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "SYS_GID_MAX", 11) || (line[11] != ' ' && line[11] != '\t'))
			continue;
		value = strtoul(line + 11, &end, 10);
		if (end != line + 11)
			max = value;
	}
	return max;
}

/* Get the gid of ccshm in /etc/group; false if there is no such group. */
static bool find_group(gid_t *gid)
{
	char path[SYSTEM_PATH_LEN];
	struct group *entry;
	bool found = false;
	FILE *f;

	system_path(path, "/etc/group");
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && (entry = fgetgrent(f))) {
		found = !strcmp(entry->gr_name, "ccshm");
		if (found)
			*gid = entry->gr_gid;
	}
	fclose(f);
	return found;
}

/*
 * From version 258 on, systemd-udevd ignores GROUP= of a rule for a group that is not a system group. It looks up
 * the gid when it reads the rule, so a new gid takes effect after a restart only.
 */
static void check_group(struct doctor *doctor)
{
	unsigned long max = system_gid_max();
	gid_t gid;

	if (!find_group(&gid) || gid <= max)
		return;
	doctor_warn(doctor, "The group ccshm is not a system group (gid %u, above %lu): udev ignores it "
		    "from systemd 258 on.", gid, max);
	doctor_object(doctor, "ccshm");
	doctor_advise(doctor, "As root run `groupmod -g GID ccshm` with a free GID up to %lu, `systemctl restart "
		      "systemd-udevd`, then `udevadm trigger --sysname-match='ccshm*'`.", max);
}

void doctor_check_access(struct doctor *doctor)
{
	size_t before = doctor->nfindings;

	check_group(doctor);
	check_node(doctor, CCSHM_DEVICE);
	check_node(doctor, HEAP_DEVICE);
	if (doctor->nfindings == before)
		doctor_skip(doctor, "There is no device node.");
}

#define KERNELS_HEAP	"/sys/class/dma_heap/system_cc_shared"
#define OUR_HEAP	"/sys/class/misc/ccshm-heap"

/* Check by its number whether the heap's node is that of a device in sysfs. */
static bool node_is_of(const char *device)
{
	char is[32], wanted[32];
	struct stat st;

	if (system_stat(HEAP_DEVICE, &st) || system_line(wanted, sizeof(wanted), "%s/dev", device))
		return false;
	snprintf(is, sizeof(is), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return !strcmp(is, wanted);
}

static void no_heap_node(struct doctor *doctor, const char *owner)
{
	doctor_warn(doctor, "%s has its heap, but there is no %s.", owner, HEAP_DEVICE);
	doctor_advise(doctor, "In a container, allow the device. Elsewhere devtmpfs creates the node when the "
		      "heap appears: restart the guest.");
}

/* The node belongs to the heap that was registered first, and goes away with it. */
static void report_heaps(struct doctor *doctor, bool kernels, bool ours)
{
	if (!system_exists(HEAP_DEVICE)) {
		no_heap_node(doctor, kernels ? "This kernel" : "ccshm");
	} else if (kernels && node_is_of(KERNELS_HEAP)) {
		doctor_pass(doctor, "This kernel has its own heap %s; ccshm adds none.", HEAP_DEVICE);
	} else if (ours && node_is_of(OUR_HEAP) && kernels) {
		doctor_warn(doctor, "The heap %s is that of ccshm: the kernel's own heap appeared later and has "
			    "no node.", HEAP_DEVICE);
		doctor_advise(doctor, "Programs work with either heap. To use that of the kernel, load its module "
			      "before ccshm, or load ccshm with heap=off.");
	} else if (ours && node_is_of(OUR_HEAP)) {
		doctor_pass(doctor, "The heap %s is that of ccshm.", HEAP_DEVICE);
	} else {
		doctor_fail(doctor, EXIT_FAILED, "%s is neither the kernel's heap nor that of ccshm.", HEAP_DEVICE);
		doctor_advise(doctor, "The node is stale, or belongs to another machine: remove it and restart the "
			      "guest, or create the container again.");
	}
}

void doctor_check_heap(struct doctor *doctor)
{
	bool kernels = system_exists(KERNELS_HEAP), ours = system_exists(OUR_HEAP);

	if (kernels || ours) {
		report_heaps(doctor, kernels, ours);
	} else if (doctor->loaded) {
		doctor_warn(doctor, "There is no %s.", HEAP_DEVICE);
		doctor_advise(doctor, "Programs that support only this heap need it: load the module without "
			      "heap=off. If heap=off was not set, `dmesg | grep ccshm` shows why.");
	} else {
		doctor_skip(doctor, "There is no %s; ccshm creates it if the kernel has none.", HEAP_DEVICE);
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
		doctor_skip(doctor, "Cannot query the driver.");
	} else if (ccshm_info_bytes_leaked(info)) {
		doctor_warn(doctor, "%llu MiB could not be made private again and are lost.",
			    mib(ccshm_info_bytes_leaked(info)));
		doctor_advise(doctor, "Only a restart of the guest recovers them; the kernel's log shows what the "
			      "platform refused.");
	} else if (ccshm_info_bytes_quarantined(info)) {
		doctor_warn(doctor, "%llu MiB could not be made private again yet.",
			    mib(ccshm_info_bytes_quarantined(info)));
		doctor_advise(doctor, "The driver retries by itself; check again in a minute.");
	} else if (ccshm_info_conversions_failed(info)) {
		doctor_warn(doctor, "%llu conversions have failed; nothing was lost.",
			    (unsigned long long)ccshm_info_conversions_failed(info));
		doctor_advise(doctor, "The kernel's log shows what the platform refused.");
	} else {
		doctor_pass(doctor, "No conversion has failed, and no memory was lost.");
	}
}
