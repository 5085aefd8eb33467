/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test importer in suites: a kernel driver that imports dma-bufs, bound to one of the machine's
 * edu devices.
 */
#ifndef CCSHM_IMPORTING_H
#define CCSHM_IMPORTING_H

#include "../../modules/importer/ccshm_importer.h"
#include "device.h"

/* The device of importers that are attached after this variable is set. */
extern const char *imp_device;

/* ---- importers: return 0 or a negative errno ---- */

/* Open the importer's device. Bail out if that fails. */
int imp_open(void);
RAW_CHECKED int imp_attach(int imp, int dmabuf, enum importer_kind kind);

/*
 * Attach an importer of the kind IMPORTER_DELAYED, which releases its mapping @ms after the
 * exporter notifies it.
 */
RAW_CHECKED int imp_attach_delayed(int imp, int dmabuf, unsigned int ms);
RAW_CHECKED int imp_map(int imp, enum importer_direction direction);
/* Map in a work item of the kernel. */
RAW_CHECKED int imp_map_by_worker(int imp, enum importer_direction direction);
RAW_CHECKED int imp_unmap(int imp);
RAW_CHECKED int imp_detach(int imp);
RAW_CHECKED int imp_dma(int imp, uint64_t offset, uint32_t length, bool from_device);
RAW_CHECKED int imp_pin(int imp);

/* Wake the notification in which an importer of the kind IMPORTER_ASLEEP sleeps. */
RAW_CHECKED int imp_wake(int imp);
RAW_CHECKED int imp_fence_as(int imp, enum importer_fence_what what,
			     enum importer_fence_usage usage, unsigned int ms);
RAW_CHECKED int imp_fence(int imp, bool signal);
struct importer_status imp_status(int imp);

/*
 * Set the device's DMA mask and the limits of its segments. @boundary: a mask that no segment may
 * cross; 0: 4 GiB.
 */
RAW_CHECKED int imp_limits(unsigned int bits, uint32_t max_segment, uint32_t boundary);

/* Set the device's DMA mask. @bits 0: remove the mask. */
RAW_CHECKED int imp_mask(unsigned int bits, uint32_t max_segment);

/* Open the importer's device and attach an importer of this kind. Bail out if that fails. */
RAW_CHECKED int imp_new(int dmabuf, enum importer_kind kind);

/* Return whether the importer releases its mapping within ten seconds. */
RAW_CHECKED bool imp_wait_unmapped(int imp);

/* Load the module, and bind its driver to the first edu device. Bail out if that fails. */
void importer_load(void);

/* Test that the driver can be unbound and that the module can be unloaded. */
void importer_unload(void);

/* ---- DMA of the importer's device ---- */

/*
 * Return whether the importer's mapping has the DMA addresses of @want from @offset on, in the same
 * order, in segments of at most @max_segment bytes.
 */
RAW_CHECKED bool table_is(int imp, const struct attached *want, uint64_t offset, uint64_t size,
			  uint64_t max_segment);

/*
 * Make the device copy from one offset of its mapping to another. @p: the same memory, mapped by
 * the CPU. Return whether the CPU then finds the right bytes.
 */
RAW_CHECKED bool imp_moves_right(int imp, char *p, uint64_t from, uint64_t to);

/* ---- ordinary memory ---- */

/* Return a dma-buf of the kernel's system heap, or -1 if this kernel has no such heap. */
RAW_CHECKED int heap_dmabuf(size_t size);

/*
 * Test that the counters of bounce buffers count a bounce of the importer. Call this only where the
 * kernel must bounce ordinary memory.
 */
void importer_sees_bounces(void);

#endif /* CCSHM_IMPORTING_H */
