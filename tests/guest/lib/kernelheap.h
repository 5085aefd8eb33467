/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own test of dma-buf heaps in suites. It tests each heap. The suite needs
 * vm-fetch: heap-test.
 */
#ifndef CCSHM_KERNELHEAP_H
#define CCSHM_KERNELHEAP_H

#include "raw.h"

#define HEAPS	"/dev/dma_heap/"
#define HEAP	HEAPS "system_cc_shared"

/*
 * Report a line of the kernel's test. A failure of the kernel's own heap counts as skipped if
 * this kernel is known to have it.
 */
void kernel_result(const char *heap, const char *line, bool ours, bool vgem);

/*
 * Run the kernel's test on each heap. @vgem: the module vgem is loaded, so no test may be
 * skipped.
 */
void kernels_test(bool vgem);

#endif /* CCSHM_KERNELHEAP_H */
