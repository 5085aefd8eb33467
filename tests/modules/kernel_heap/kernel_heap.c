// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's heap system_cc_shared as a module, for kernels whose configuration lacks it.
 * tests/harness/fetch-kernel-heap fetches the kernel's source of the heap, which is compiled
 * with the option set and uses only exported symbols. As in the kernel, the heap has no exit
 * function, so the module cannot be unloaded.
 */
#include <linux/dma-heap.h>
#include <linux/string.h>

/*
 * Add a heap. The source also adds the heap "system", which is already built into the kernel,
 * so rename it.
 */
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
