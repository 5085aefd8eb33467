/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's direct map of a Realm, as the emulator sees it: an arm64 kernel counts no
 * splits of its leaves.
 */
#ifndef CCSHM_DIRECTMAP_H
#define CCSHM_DIRECTMAP_H

#include <stdint.h>

#include "raw.h"

/*
 * Return how many units of 2 MiB of the direct map have no leaf of 2 MiB or more, or -1 if that
 * is not known.
 */
long long direct_map_split_units(void);

/* Return what cvm_leaf() returns for a physical address. */
long long direct_map_leaf(uint64_t physical);

#endif /* CCSHM_DIRECTMAP_H */
