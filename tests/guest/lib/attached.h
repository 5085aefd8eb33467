/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of a suite that drives its devices from user space: map them, attach them, and check that
 * a device moves the right bytes.
 */
#ifndef CCSHM_ATTACHED_H
#define CCSHM_ATTACHED_H

#include "shared.h"

/* Export and map a buffer, and write stamps to it. Bail out if that fails. */
struct shared shared_map(uint64_t id, size_t size);

/* Allocate, export and map a buffer, and write stamps to it. Bail out if that fails. */
struct shared shared_new(size_t size);

/* Attach a device and detach it. Return 0 or the errno of ATTACH. */
RAW_CHECKED int try_attach(struct ccshm_ioc_attach req, const char *device);

#define TRY(name, ...)	try_attach((struct ccshm_ioc_attach){ __VA_ARGS__ }, name)

/*
 * Return what DEVICE reports, as "VERDICT, MODE: REASON" in the words of `ccshmctl devices`. The
 * next call overwrites the text.
 */
const char *verdict_of(const char *device);

/* Return the text of verdict_of() for a device that can use a buffer. */
const char *usable(void);

/*
 * Make the device copy from offset @from of the buffer to offset @to. Return whether the CPU then
 * finds the right bytes.
 */
RAW_CHECKED bool moves_right(struct edu *edu, struct shared *s, const struct attached *a,
			     uint64_t from, uint64_t to);

/* ---- begin and end of the suite ---- */

/* Load the driver and the test importer, and open the driver's device. */
void suite_begin(void);

/*
 * Test that no object and no shared memory is left and that both modules can be unloaded. Return
 * the exit status of the suite.
 */
int suite_end(void);

#endif /* CCSHM_ATTACHED_H */
