// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-heap.h>

#include "importing.h"

const char *imp_device = EDU_A;

/* ---- importers: return 0 or a negative errno ---- */

int imp_open(void)
{
	int fd = open(IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("%s: %s", IMPORTER_DEVICE, strerror(errno));
	return fd;
}

int imp_attach(int imp, int dmabuf, enum importer_kind kind)
{
	struct importer_attach req = { .fd = dmabuf, .kind = kind };

	snprintf(req.device, sizeof(req.device), "%s", imp_device);
	return raw_ioctl(imp, IMPORTER_IOC_ATTACH, &req);
}

int imp_attach_delayed(int imp, int dmabuf, unsigned int ms)
{
	struct importer_attach req = { .fd = dmabuf, .kind = IMPORTER_DELAYED, .delay_ms = ms };

	snprintf(req.device, sizeof(req.device), "%s", imp_device);
	return raw_ioctl(imp, IMPORTER_IOC_ATTACH, &req);
}

int imp_map(int imp, enum importer_direction direction)
{
	struct importer_map req = { .direction = direction };

	return raw_ioctl(imp, IMPORTER_IOC_MAP, &req);
}

int imp_map_by_worker(int imp, enum importer_direction direction)
{
	struct importer_map req = { .direction = direction, .by_worker = 1 };

	return raw_ioctl(imp, IMPORTER_IOC_MAP, &req);
}

int imp_unmap(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_UNMAP, NULL);
}

int imp_detach(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_DETACH, NULL);
}

int imp_dma(int imp, uint64_t offset, uint32_t length, bool from_device)
{
	struct importer_dma req = { offset, length, from_device };

	return raw_ioctl(imp, IMPORTER_IOC_DMA, &req);
}

int imp_pin(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_PIN, NULL);
}

int imp_wake(int imp)
{
	return raw_ioctl(imp, IMPORTER_IOC_WAKE, NULL);
}

int imp_fence_as(int imp, enum importer_fence_what what, enum importer_fence_usage usage,
		 unsigned int ms)
{
	struct importer_fence req = { what, usage, ms };

	return raw_ioctl(imp, IMPORTER_IOC_FENCE, &req);
}

int imp_fence(int imp, bool signal)
{
	return imp_fence_as(imp, signal ? IMPORTER_FENCE_SIGNAL : IMPORTER_FENCE_ADD,
			    IMPORTER_USAGE_BOOKKEEP, 0);
}

struct importer_status imp_status(int imp)
{
	struct importer_status s = { 0 };

	if (ioctl(imp, IMPORTER_IOC_STATUS, &s))
		bail("STATUS: %s", strerror(errno));
	return s;
}

int imp_limits(unsigned int bits, uint32_t max_segment, uint32_t boundary)
{
	struct importer_mask req = {
		.bits = bits, .max_segment = max_segment, .boundary = boundary,
	};
	int fd = imp_open(), err;

	snprintf(req.device, sizeof(req.device), "%s", imp_device);
	err = raw_ioctl(fd, IMPORTER_IOC_MASK, &req);
	close(fd);
	return err;
}

int imp_mask(unsigned int bits, uint32_t max_segment)
{
	return imp_limits(bits, max_segment, 0);
}

int imp_new(int dmabuf, enum importer_kind kind)
{
	int imp = imp_open(), err = imp_attach(imp, dmabuf, kind);

	if (err)
		bail("importer of kind %d: %s", kind, strerror(-err));
	return imp;
}

bool imp_wait_unmapped(int imp)
{
	for (int i = 0; i < 1000 && imp_status(imp).mapped; i++)
		sleep_ms(10);
	return !imp_status(imp).mapped;
}

void importer_load(void)
{
	int err = raw_insmod("/lib/ccshm/ccshm_importer.ko", "");

	if (err)
		bail("cannot load ccshm_importer.ko: %s", strerror(-err));
	err = device_bind(EDU_A, IMPORTER_DRIVER);
	if (err || strcmp(device_driver(EDU_A), IMPORTER_DRIVER))
		bail("the importer's driver cannot be bound to %s", EDU_A);
}

void importer_unload(void)
{
	is_errno(device_unbind(EDU_A), 0, "the importer's driver is unbound");
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer's module can be unloaded");
}

/* ---- DMA of the importer's device ---- */

bool table_is(int imp, const struct attached *want, uint64_t offset, uint64_t size,
	      uint64_t max_segment)
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
		diag("segment %u of %u: wrong address at offset 0x%llx", t->first, t->total,
		     (unsigned long long)at);
	free(t);
	return good && at == size;
}

bool imp_moves_right(int imp, char *p, uint64_t from, uint64_t to)
{
	uint64_t seed = 100 + from / PAGE;

	stamp_write(p + from, seed, from, TRANSFER);
	stamp_write(p + to, 99, to, TRANSFER);
	return !imp_dma(imp, from, TRANSFER, false) && !imp_dma(imp, to, TRANSFER, true) &&
	       stamp_check(p + to, seed, from, TRANSFER);
}

/* ---- ordinary memory ---- */

int heap_dmabuf(size_t size)
{
	struct dma_heap_allocation_data heap = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -1;
	err = raw_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &heap);
	close(fd);
	if (err)
		bail("the kernel's heap: %s", strerror(-err));
	return heap.fd;
}

void importer_sees_bounces(void)
{
	int fd = heap_dmabuf(64 * KIB), imp;
	long long before = bounce_slots();

	if (fd < 0) {
		skip("the kernel's heap: its dma-buf takes bounce buffers",
		     "this kernel has no heap");
		return;
	}
	imp = imp_new(fd, IMPORTER_STATIC);
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "the kernel's heap: its dma-buf is mapped");
	ok(bounce_slots() > before, "the kernel's heap: its dma-buf takes bounce buffers");
	is_errno(imp_unmap(imp), 0, "the kernel's heap: its dma-buf is unmapped");
	is_errno(imp_detach(imp), 0, "the kernel's heap: the importer detaches");
	is_int(bounce_slots(), before, "the kernel's heap: the bounce buffers are free again");
	close(imp);
	close(fd);
}
