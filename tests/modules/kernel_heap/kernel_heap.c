// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own heap system_cc_shared, on kernels whose configuration leaves it out: their
 * source of it (tests/harness/fetch-kernel-heap), with the option set, as a module. All that it
 * needs is exported to modules. It has no exit, as in the kernel, so it stays.
 */
#include <linux/dma-heap.h>
#include <linux/string.h>

/* The kernel has the heap "system" built in already, which the same source adds first. */
static struct dma_heap *add_other(const struct dma_heap_export_info *info)
{
	struct dma_heap_export_info other = *info;

	if (!strcmp(info->name, "system"))
		other.name = "system_module";
	return dma_heap_add(&other);
}

#define dma_heap_add	add_other
#define CONFIG_DMABUF_HEAPS_SYSTEM_CC_SHARED 1
#include "system_heap.c"
