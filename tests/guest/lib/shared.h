/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The buffers of a suite: the descriptor of the driver's device, and a buffer as the CPU sees it. A
 * suite includes this file through attached.h, if it drives devices from user space, or through
 * exported.h.
 */
#ifndef CCSHM_SHARED_H
#define CCSHM_SHARED_H

#include "device.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Descriptor of the driver's device. */
extern int ccshm;

/**
 * struct shared - a buffer with an export and a mapping
 * @id: buffer
 * @export_id: export of the buffer
 * @fd: dma-buf of the export
 * @size: size of the buffer in bytes
 * @p: mapping of the whole buffer
 * @look: dma-buf of another export, which @p maps; -1: @p maps @fd
 */
struct shared {
	uint64_t id;
	uint64_t export_id;
	int fd;
	size_t size;
	char *p;
	int look;
};

/* Unmap the buffer, close its dma-bufs, and test that FREE succeeds. */
void shared_end(struct shared *s);

/* QUERY an object. Return the result. Bail out if that fails. */
struct ccshm_ioc_query query(uint64_t id);

#endif /* CCSHM_SHARED_H */
