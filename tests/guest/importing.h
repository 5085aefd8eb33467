/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test importer in suites: a kernel driver that imports an export, bound to the
 * machine's first edu device. Include it after device.h.
 */
#ifndef CCSHM_IMPORTING_H
#define CCSHM_IMPORTING_H

#include "../importer/ccshm_importer.h"

/* ---- importers: 0 or a negative errno ---- */

static RAW_UNUSED int imp_open(void)
{
	int fd = open(IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("%s: %s", IMPORTER_DEVICE, strerror(errno));
	return fd;
}

static RAW_UNUSED int imp_attach(int imp, int dmabuf, enum importer_kind kind)
{
	struct importer_attach req = { .device = EDU_A, .fd = dmabuf, .kind = kind };

	return raw_ioctl(imp, IMPORTER_IOC_ATTACH, &req);
}

static RAW_UNUSED int imp_map(int imp, enum importer_direction direction)
{
	struct importer_map req = { direction };

	return raw_ioctl(imp, IMPORTER_IOC_MAP, &req);
}

static RAW_UNUSED int imp_unmap(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_UNMAP, NULL);
}

static RAW_UNUSED int imp_detach(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_DETACH, NULL);
}

static RAW_UNUSED int imp_dma(int imp, uint64_t offset, uint32_t length, bool from_device)
{
	struct importer_dma req = { offset, length, from_device };

	return raw_ioctl(imp, IMPORTER_IOC_DMA, &req);
}

static RAW_UNUSED int imp_fence(int imp, bool signal)
{
	struct importer_fence req = { signal };

	return raw_ioctl(imp, IMPORTER_IOC_FENCE, &req);
}

static RAW_UNUSED struct importer_status imp_status(int imp)
{
	struct importer_status s = { 0 };

	if (ioctl(imp, IMPORTER_IOC_STATUS, &s))
		bail("STATUS: %s", strerror(errno));
	return s;
}

static RAW_UNUSED int imp_mask(unsigned int bits, uint32_t max_segment)
{
	struct importer_mask req = { EDU_A, bits, max_segment };
	int fd = imp_open(), err = raw_ioctl(fd, IMPORTER_IOC_MASK, &req);

	close(fd);
	return err;
}

/* An importer of this kind, attached; bails out if it is refused. */
static RAW_UNUSED int imp_new(int dmabuf, enum importer_kind kind)
{
	int imp = imp_open(), err = imp_attach(imp, dmabuf, kind);

	if (err)
		bail("importer of kind %d: %s", kind, strerror(-err));
	return imp;
}

/* ---- what its device sees ---- */

/* The mapping's addresses are these, in this order. */
static RAW_UNUSED bool table_is(int imp, const struct attached *want, uint64_t offset,
				uint64_t size, uint64_t max_segment)
{
	struct importer_table *t = calloc(1, sizeof(*t));
	uint64_t at = 0;
	bool good = true;

	do {
		if (ioctl(imp, IMPORTER_IOC_TABLE, t)) {
			diag("TABLE: %s", strerror(errno));
			good = false;
			break;
		}
		for (unsigned int i = 0; i < t->count; i++) {
			struct importer_segment *s = &t->segment[i];

			good &= s->length && s->length <= max_segment && at + s->length <= size &&
				s->dma_address == dma_at(want, offset + at) &&
				s->dma_address + s->length - 1 ==
				dma_at(want, offset + at + s->length - 1);
			if (cvm_present())
				good &= cvm_page_state(s->dma_address) == 1;
			if (!good)
				break;
			at += s->length;
		}
		t->first += t->count;
	} while (good && t->first < t->total);
	if (!good || at != size)
		diag("segment %u of %u: wrong at offset 0x%llx", t->first, t->total,
		     (unsigned long long)at);
	free(t);
	return good && at == size;
}

/*
 * The device copies from one place of its mapping, which is at p for the CPU, to
 * another: what does the CPU see?
 */
static RAW_UNUSED bool imp_moves_right(int imp, char *p, uint64_t from, uint64_t to)
{
	uint64_t seed = 100 + from / PAGE;

	stamp_write(p + from, seed, from, TRANSFER);
	stamp_write(p + to, 99, to, TRANSFER);
	return !imp_dma(imp, from, TRANSFER, false) && !imp_dma(imp, to, TRANSFER, true) &&
	       stamp_check(p + to, seed, from, TRANSFER);
}

#endif /* CCSHM_IMPORTING_H */
