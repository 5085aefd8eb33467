/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes in pages, for every page size.
 *
 * The unit tests compile this header in user space, with the page sizes that kernels have.
 */
#ifndef CCSHM_UNITS_H
#define CCSHM_UNITS_H

/*
 * The unit of conversion is 2 MiB on every page size: the size of a leaf of the direct
 * map with pages of 4 KiB. With larger pages PMD_SIZE is 32 or 512 MiB, far too much
 * for a small buffer.
 */
#define CCSHM_UNIT_ORDER	(ilog2(SZ_2M) - PAGE_SHIFT)
#define CCSHM_UNIT_PAGES	BIT(CCSHM_UNIT_ORDER)
#define CCSHM_UNIT_SIZE		(CCSHM_UNIT_PAGES << PAGE_SHIFT)

/* First order to try: a block of two units halves the number of blocks. */
#define CCSHM_LARGE_ORDER	(CCSHM_UNIT_ORDER + 1)

/*
 * Maximum number of pages per conversion call. Between two calls other tasks run and
 * signals are checked. A refused call quarantines no more than this.
 */
#define CCSHM_RUN_PAGES		(SZ_32M >> PAGE_SHIFT)

#endif /* CCSHM_UNITS_H */
