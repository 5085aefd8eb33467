/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory without free blocks of 2 MiB. */
#ifndef CCSHM_FRAGMENTED_H
#define CCSHM_FRAGMENTED_H

#include "raw.h"

/* Return the number of free bytes. */
uint64_t free_memory(void);

/*
 * Take all memory but @keep bytes as single locked pages, and give back every second page until
 * @give bytes are free again. Configure compaction to leave locked pages in place. Keep the kernel's
 * reserves small, because otherwise single pages merge. Some objects of a debug kernel are larger
 * than a page, so give back longer runs there as well. The memory is held until the process ends.
 */
RAW_CHECKED bool fragment_memory(uint64_t keep, uint64_t give);

/*
 * Allocate buffers of 2 MiB until one consists of small blocks, ALLOC fails, or less than @keep bytes
 * are free. Return the number of bytes allocated.
 */
uint64_t take_large(int dev, uint64_t keep);

#endif /* CCSHM_FRAGMENTED_H */
