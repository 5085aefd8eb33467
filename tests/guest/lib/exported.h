/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exports of a suite with importers: their bytes as the CPU sees them, their holders, and a revoke
 * in another thread.
 */
#ifndef CCSHM_EXPORTED_H
#define CCSHM_EXPORTED_H

#include <pthread.h>
#include <stdatomic.h>

#include "importing.h"
#include "shared.h"

/* Whether the kernel maps for a static importer already in attach, as kernels up to 6.17 do. */
extern bool static_maps_at_attach;

/* Whether a pinning importer must release its mapping when it is notified, as from 7.1 on. */
extern bool pinned_can_unmap;

/* ---- exports ---- */

/*
 * Allocate a buffer, export a slice of it, and map the whole buffer through a second export. Bail
 * out if that fails.
 */
struct shared exported_slice(size_t size, uint64_t flags, uint64_t offset, uint64_t length);

/* Allocate a buffer, export it, and map it through a second export. Bail out if that fails. */
struct shared exported_new(size_t size, uint64_t flags);

/* Test the numbers of importers and mappings that QUERY reports for the export. */
void holders_are(const struct shared *s, unsigned int importers, unsigned int mappings);

/*
 * Make the importer's device copy from one offset of the slice to another. Return whether the CPU
 * then finds the right bytes.
 */
RAW_CHECKED bool exported_moves_right(int imp, struct shared *s, uint64_t slice, uint64_t from,
				      uint64_t to);

/* ---- a revoke in another thread ---- */

/*
 * The revoke that the thread runs: its object, the thread, its return value (1: it has not
 * returned), and its result.
 */
extern struct waiting_revoke {
	uint64_t id;
	atomic_int tid;
	atomic_int result;
	struct ccshm_ioc_revoke r;
} waiting;

/* Return whether the revoke of the thread is still waiting. */
RAW_CHECKED bool revoke_still_waits(void);

/* Start a thread that revokes an object. Return whether the revoke begins to wait. */
RAW_CHECKED bool revoke_waits(pthread_t *thread, uint64_t id);

/* ---- driver and importer ---- */

/* Load the driver and the test importer, and open the driver's device. */
void exported_setup(void);

/* Test that no object and no shared memory is left and that both modules can be unloaded. */
void exported_end(void);

#endif /* CCSHM_EXPORTED_H */
