/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's accounting as a whole: charges, totals, objects and shared pages, and the limits. */
#ifndef CCSHM_SUMS_H
#define CCSHM_SUMS_H

#include "raw.h"

/*
 * Compare what INFO reports with the sums over all objects and users, and with the pages that the
 * emulator counts. Nothing must change meanwhile. @rig_before: pages that were shared before the
 * driver was loaded. @report, if not NULL, is called for each pair that differs. Return whether all
 * are equal. The effective user of the caller changes meanwhile.
 */
RAW_CHECKED bool sums_equal(int dev, uint64_t rig_before,
			    void (*report)(const char *what, uint64_t a, uint64_t b));

/* Like sums_equal(), but try for about 10 s until all are equal: work items return memory. */
RAW_CHECKED bool sums_settle(int dev, uint64_t rig_before,
			     void (*report)(const char *what, uint64_t a, uint64_t b));

/* The limits in sysfs. */
enum limit { LIMIT_TOTAL_BYTES, LIMIT_USER_BYTES, LIMIT_USER_BUFFERS, LIMIT_USER_EXPORTS, LIMITS };

/* Set a limit to a number or to "max". Return 0 or a negative errno. */
RAW_CHECKED int limit_set(enum limit limit, const char *value);

#endif /* CCSHM_SUMS_H */
