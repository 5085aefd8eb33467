/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run the kernel's test of dma-buf heaps, which tests each heap of the machine. A suite that
 * includes this file needs this line:
 * vm-fetch: heap-test.
 */
#ifndef CCSHM_KERNELHEAP_H
#define CCSHM_KERNELHEAP_H

#include "raw.h"

#define HEAPS	"/dev/dma_heap/"
#define HEAP	HEAPS "system_cc_shared"

/*
 * Report a line that the kernel's test printed about @heap. Report a failure of one of the kernel's
 * own heaps as skipped if this kernel is known to have the fault.
 */
void kernel_result(const char *heap, const char *line, bool ours, bool vgem);

/*
 * Run the kernel's test on each heap. @vgem: the module vgem is loaded, so no test may be
 * skipped.
 */
void kernels_test(bool vgem);

#endif /* CCSHM_KERNELHEAP_H */
