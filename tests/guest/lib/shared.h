/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The buffers of a suite: the driver's device, and what the CPU sees of a buffer. The suite gets
 * them by attached.h, if it drives devices from user space, or by exported.h.
 */
#ifndef CCSHM_SHARED_H
#define CCSHM_SHARED_H

#include "device.h"

#define RW	(PROT_READ | PROT_WRITE)

/* The driver's device, open. */
extern int ccshm;

/**
 * struct shared - a buffer
 * @id: of the buffer
 * @export_id: of the export
 * @fd: the dma-buf of the export
 * @size: of the buffer
 * @p: a mapping of the whole buffer
 * @look: the dma-buf of another export, which @p maps; -1: @p maps @fd
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

/* QUERY an object. Bail out if that fails. */
struct ccshm_ioc_query query(uint64_t id);

#endif /* CCSHM_SHARED_H */
