// SPDX-License-Identifier: GPL-2.0-only
/* The samples of the suite `soak`: free memory, and objects in the slab caches that the driver uses. */
#include "../guest/lib/device.h"
#include "soak.h"

#define CACHES		400
#define SAMPLES		1000	/* a round takes longer if there would be more */
#define NAME_SIZE	32
#define TRIES		3	/* RCU and work items free objects for a while */

struct sample {
	long long kib;			/* free memory, and memory that can be reclaimed */
	long long caged;		/* KiB that are charged to the cgroup of the caged member */
	long long objects[CACHES];
};

static struct sample *sample;
static unsigned int nr_samples, nr_caches;
static char cache[CACHES][NAME_SIZE];

/* ---- caches ---- */

/* Whether the driver, or the kernel on its behalf, allocates from the cache. */
static bool is_interesting(const char *name)
{
	static const char *const names[] = {
		"kmalloc-", "radix_tree_node", "dentry", "inode_cache", "filp", "vm_area_struct",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

static int cache_find(const char *name)
{
	for (unsigned int i = 0; i < nr_caches; i++)
		if (!strcmp(cache[i], name))
			return i;
	if (nr_caches == CACHES)
		bail("more than %d slab caches", CACHES);
	snprintf(cache[nr_caches], NAME_SIZE, "%s", name);
	return nr_caches++;
}

/* Free slabs without objects, so that the rest counts exactly. */
static void caches_shrink(void)
{
	char path[96];

	for (unsigned int i = 0; i < nr_caches; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%.*s/shrink", NAME_SIZE, cache[i]);
		/* A cache that is merged with others can be without a file. */
		(void)!write_text(path, "1");
	}
}

/* Lower the numbers of a sample to those that the kernel reports now. */
static void caches_count(struct sample *s)
{
	char line[512], name[NAME_SIZE];
	FILE *f = fopen("/proc/slabinfo", "r");
	long long objects;

	if (!f)
		bail("/proc/slabinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		int i;

		if (sscanf(line, "%31s %lld", name, &objects) != 2 || !is_interesting(name))
			continue;
		i = cache_find(name);
		if (objects < s->objects[i])
			s->objects[i] = objects;
	}
	fclose(f);
}

/* ---- samples ---- */

/* Add the page tables for leaves of the direct map that were split, which the kernel keeps. */
static long long memory_kib(void)
{
	long long splits = direct_map_splits();
	long long pages = (splits > 0 ? splits : 0) + vmstat("nr_free_pages") +
			  vmstat("nr_slab_reclaimable") + vmstat("nr_active_file") + vmstat("nr_inactive_file") +
			  vmstat("nr_kernel_misc_reclaimable");

	return pages * (PAGE / KIB);
}

void sample_take(void)
{
	long long kib, caged;
	struct sample *s;

	/* Take the memory for all samples now, so that it is not missing in later ones. */
	if (!sample)
		sample = memset(common(SAMPLES * sizeof(*sample)), 0, SAMPLES * sizeof(*sample));
	if (nr_samples == SAMPLES)
		return;
	s = &sample[nr_samples++];
	s->caged = INT64_MAX;
	for (int i = 0; i < CACHES; i++)
		s->objects[i] = INT64_MAX;
	for (int try = 0; try < TRIES; try++) {
		sleep_ms(300);
		must(write_text("/proc/sys/vm/drop_caches", "3"));
		caches_shrink();
		caches_count(s);
		kib = memory_kib();
		if (kib > s->kib)
			s->kib = kib;
		caged = cage_charged();
		if (caged < s->caged)
			s->caged = caged;
	}
	soak->done[DEED_SAMPLE]++;
}

unsigned int samples(void)
{
	return nr_samples;
}

/* ---- slopes ---- */

/* Return a value of a sample: of a cache, or one of these. */
enum { OF_MEMORY = -1, OF_CAGE = -2 };

static long long value_of(const struct sample *s, int what)
{
	if (what == OF_MEMORY)
		return s->kib;
	if (what == OF_CAGE)
		return s->caged;
	/* Of a cache that did not exist yet. */
	return s->objects[what] == INT64_MAX ? 0 : s->objects[what];
}

/* Return the mean of a quarter of the samples. */
static long long mean(int what, bool last)
{
	unsigned int quarter = nr_samples / 4, first = last ? nr_samples - quarter : 0;
	long long sum = 0;

	for (unsigned int i = first; i < first + quarter; i++)
		sum += value_of(&sample[i], what);
	return sum / quarter;
}

long long slab_slope(char *worst, size_t size)
{
	long long most = INT64_MIN;

	for (unsigned int i = 0; i < nr_caches; i++) {
		long long first = mean(i, false), last = mean(i, true);

		if (last - first > 32 || last - first < -32)
			diag("objects in %s: %lld in the first quarter, %lld in the last",
			     cache[i], first, last);
		if (last - first <= most)
			continue;
		most = last - first;
		snprintf(worst, size, "%s", cache[i]);
	}
	return most;
}

long long memory_slope(void)
{
	diag("free memory: %lld KiB in the first sample, %lld KiB in the last", sample[0].kib,
	     sample[nr_samples - 1].kib);
	diag("free memory: %lld KiB in the first quarter, %lld KiB in the last",
	     mean(OF_MEMORY, false), mean(OF_MEMORY, true));
	return mean(OF_MEMORY, false) - mean(OF_MEMORY, true);
}

long long cage_slope(void)
{
	diag("charged to the cgroup: %lld KiB in the first quarter, %lld KiB in the last",
	     mean(OF_CAGE, false), mean(OF_CAGE, true));
	return mean(OF_CAGE, true) - mean(OF_CAGE, false);
}
