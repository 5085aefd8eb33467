// SPDX-License-Identifier: GPL-2.0-only
#include "fragmented.h"
#include "device.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

uint64_t free_memory(void)
{
	return vmstat("nr_free_pages") * PAGE;
}

/*
 * Give back every second run of @run bytes, until @size bytes are free. Return the end of the memory
 * of which this is half, or NULL.
 */
static unsigned char *give_back(unsigned char *p, uint64_t size, uint64_t run)
{
	for (uint64_t at = 0; at < size; at += run, p += 2 * run)
		if (madvise(p, run, MADV_DONTNEED_LOCKED))
			return NULL;
	return p;
}

bool fragment_memory(uint64_t keep, uint64_t give)
{
	uint64_t size = free_memory();
	unsigned char *p;

	if (size < keep + 4 * give) {
		errno = ENOMEM;
		return false;
	}
	size -= keep;
	if (write_text("/proc/sys/vm/compact_unevictable_allowed", "0") ||
	    write_text("/proc/sys/vm/min_free_kbytes", "4096") ||
	    write_text("/proc/sys/vm/percpu_pagelist_high_fraction", "10000"))
		return false;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || madvise(p, size, MADV_NOHUGEPAGE) || mlock(p, size))
		return false;
	p = give_back(p, give, PAGE);
	if (p && debug_kernel())
		p = give_back(p, give, 16 * PAGE);
	return p;
}

uint64_t take_large(int dev, uint64_t keep)
{
	struct ccshm_ioc_query q;
	uint64_t id, taken = 0;

	while (free_memory() > keep && !raw_alloc(dev, UNIT, &id)) {
		must(raw_query(dev, id, &q));
		if (q.blocks_small) {
			must(raw_free(dev, id));
			break;
		}
		taken += UNIT;
	}
	return taken;
}
