/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The direct map of a Realm's kernel, as the emulator sees it: an arm64 kernel does not count the
 * leaves of its direct map that it splits.
 */
#ifndef CCSHM_DIRECTMAP_H
#define CCSHM_DIRECTMAP_H

#include <stdint.h>

#include "raw.h"

/*
 * Return how many 2 MiB units of the direct map have no leaf of 2 MiB or more, or -1 if the number
 * cannot be determined.
 */
long long direct_map_split_units(void);

/* Return the result of cvm_leaf() for a physical address. */
long long direct_map_leaf(uint64_t physical);

#endif /* CCSHM_DIRECTMAP_H */
