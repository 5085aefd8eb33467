// SPDX-License-Identifier: GPL-2.0-only
/* Check memory: free blocks of 2 MiB, and large leaves of the direct map. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* The unit of conversion: anything smaller splits a leaf of the direct map. */
#define BLOCK_SIZE	(2ULL << 20)
#define TEXT_LEN	65536

/* The driver cannot allocate from zones of movable or device memory. */
static bool is_usable(const char *zone)
{
	return strncmp(zone, "Movable", 7) && strncmp(zone, "Device", 6);
}

/* Add the free blocks of each order: "Node 0, zone   Normal   3074   3782 ..." */
static bool add_zone(const char *line, uint64_t page, uint64_t *all, uint64_t *large)
{
	const char *zone = strstr(line, "zone");
	uint64_t size = page;
	char *end;

	if (!zone)
		return false;
	zone += 4 + strspn(zone + 4, " ");
	if (!is_usable(zone))
		return true;
	for (zone += strcspn(zone, " "); ; size *= 2, zone = end) {
		uint64_t count = strtoull(zone, &end, 10);

		if (end == zone)
			return true;
		*all += count * size;
		if (size >= BLOCK_SIZE)
			*large += count * size;
	}
}

void doctor_check_fragmentation(struct doctor *doctor)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), all = 0, large = 0;
	char text[TEXT_LEN], *line, *rest = text;
	unsigned long long blocks;
	bool zones = false;

	if (system_read(text, sizeof(text), "/proc/buddyinfo") < 0)
		*text = '\0';
	while ((line = strsep(&rest, "\n")))
		zones |= add_zone(line, page, &all, &large);
	if (!zones) {
		doctor_skip(doctor, "Cannot determine which memory is free: /proc/buddyinfo cannot be read.");
		return;
	}
	blocks = large / BLOCK_SIZE;
	/* Up to half of the free memory of a busy machine is in small blocks. */
	if (blocks && large >= all / 4) {
		doctor_pass(doctor, "%llu blocks of 2 MiB are free: %llu of %llu MiB.", blocks,
			    (unsigned long long)large >> 20, (unsigned long long)all >> 20);
		return;
	}
	doctor_warn(doctor, "Free memory is fragmented: %llu blocks of 2 MiB are free, of %llu MiB in all.",
		    blocks, (unsigned long long)all >> 20);
	doctor_advise(doctor, "Large buffers get smaller blocks, which need more conversions and split the "
		      "direct map permanently. Run `echo 1 >/proc/sys/vm/compact_memory` as root, or "
		      "allocate soon after the guest has started.");
}

void doctor_check_direct_map(struct doctor *doctor)
{
	uint64_t small = 0, middle = 0, large = 0, splits = 0, more = 0, all;
	char meminfo[TEXT_LEN], vmstat[TEXT_LEN];
	unsigned int percent;

	if (system_read(meminfo, sizeof(meminfo), "/proc/meminfo") < 0)
		*meminfo = '\0';
	system_field(meminfo, "DirectMap4k", &small);
	system_field(meminfo, "DirectMap2M", &middle);
	system_field(meminfo, "DirectMap1G", &large);
	if (system_read(vmstat, sizeof(vmstat), "/proc/vmstat") > 0) {
		system_field(vmstat, "direct_map_level2_splits", &splits);
		system_field(vmstat, "direct_map_level3_splits", &more);
	}
	all = small + middle + large;
	if (!all) {
		doctor_skip(doctor, "Cannot determine how this kernel maps its memory.");
		return;
	}
	percent = (unsigned int)(100 * small / all);
	if (percent < 50) {
		doctor_pass(doctor, "%u %% of memory is mapped by small pages; %llu leaves of 2 MiB and %llu of "
			    "1 GiB were split since the guest started.", percent,
			    (unsigned long long)splits, (unsigned long long)more);
		return;
	}
	doctor_warn(doctor, "%u %% of memory is mapped by small pages: %llu leaves of 2 MiB were split since the "
		    "guest started.", percent, (unsigned long long)splits);
	doctor_advise(doctor, "Conversions of such memory need one call to the host per page, not per 2 MiB. "
		      "Only a restart undoes the splits. Drivers with many small coherent buffers, and "
		      "the kernel's own heap, cause them.");
}
