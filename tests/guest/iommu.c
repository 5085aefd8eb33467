// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU that translates: physical addresses mean nothing to the devices behind it, so every
 * kernel must refuse these devices. Without translation the devices are accepted. The guest is a
 * plain one: an emulated IOMMU reads its tables in shared memory, and a confidential guest has them
 * in private memory.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-append: intel_iommu=on iommu.passthrough=0 iommu.strict=1
 * vm-qemu: -machine q35 -device intel-iommu,intremap=off
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"
#include "iommu.h"

#define IN_THE_LOG	"ccshm: cannot use shared memory: "
#define REASON		"the device is behind an IOMMU or has its own DMA operations"

/*
 * Test that memory of the kernel's heap, which is mapped through the IOMMU, works: this shows that
 * the device and the test work.
 */
static void translates(void)
{
	int fd, imp;
	char *p;

	ok(!strncmp(iommu_type(EDU_A), "DMA", 3), "the IOMMU translates DMA of the device");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "a kernel driver binds to the device");
	is_str(verdict_of(PCI_A), "cannot, iommu: " REASON, "translated: DEVICE reports the reason");
	fd = heap_dmabuf(64 * KIB);
	if (fd < 0) {
		skip("translated: the device copies through the kernel's heap",
		     "this kernel has no heap");
		return;
	}
	p = raw_map(fd, 64 * KIB, RW);
	imp = imp_new(fd, IMPORTER_STATIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "translated: a dma-buf of the kernel's heap is mapped");
	ok(p && imp_moves_right(imp, p, 0, 2 * PAGE),
	   "translated: the device copies through the kernel's heap");
	close(imp);
	munmap(p, 64 * KIB);
	close(fd);
}

static void import_refused(enum importer_kind kind, uint64_t flags, size_t size, const char *what)
{
	struct shared s = shared_new(size);
	uint64_t id;
	int fd = raw_export(ccshm, s.id, flags, &id), imp = imp_open(), err;

	err = imp_attach(imp, fd, kind);
	if (!err)
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
	is_errno(err, EOPNOTSUPP, "translated: map by a %s importer: EOPNOTSUPP", what);
	is_int(query(id).device_mappings, 0,
	       "translated: %s importer: QUERY counts no device mapping", what);
	is_errno(imp_dma(imp, 0, 8, true), ENOTCONN,
		 "translated: %s importer: DMA: ENOTCONN", what);
	close(imp);
	is_errno(raw_revoke(ccshm, id, 0, 0, NULL), 0,
		 "translated: %s importer: REVOKE returns at once", what);
	close(fd);
	shared_end(&s);
}

static void attach_refused(void)
{
	struct shared s = shared_new(UNIT);

	is_errno(TRY(PCI_B, .id = s.id), EOPNOTSUPP, "translated: ATTACH: EOPNOTSUPP");
	is_str(verdict_of(PCI_B), "cannot, iommu: " REASON,
	       "translated: ATTACH is refused: DEVICE reports the reason");
	is_errno(TRY(PCI_B, .id = s.id, .dma_bits = 64), EOPNOTSUPP,
		 "translated: ATTACH with dma_bits=64: EOPNOTSUPP");
	is_errno(TRY(PCI_B, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s.fd), EOPNOTSUPP,
		 "translated: ATTACH of a dma-buf: EOPNOTSUPP");
	is_int(query(s.id).attachments, 0, "translated: no attachment is left after EOPNOTSUPP");
	shared_end(&s);
}

/* Test that accesses of the device to the addresses of an attachment do not reach the memory. */
static void access_misses_memory(struct shared *s, uint64_t address)
{
	struct edu edu;

	expect_kmsg("DMAR: .*fault");
	stamp_write(s->p, 5, 0, TRANSFER);
	stamp_write(s->p + PAGE, 6, PAGE, TRANSFER);
	device_start(&edu, EDU_A);
	is_errno(device_copy(&edu, address, address + PAGE, TRANSFER), 0,
		 "translated: the device reads and writes at the buffer's physical address");
	ok(stamp_check(s->p + PAGE, 6, PAGE, TRANSFER),
	   "translated: the physical address does not reach the buffer");
	must(edu_set_bus_master(&edu, false));
	edu_close(&edu);
}

/*
 * Test that the driver checks at each attachment: the same devices are accepted without
 * translation.
 */
static void no_longer(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;
	int imp;

	is_errno(device_unbind(EDU_A), 0, "the first device's driver is unbound");
	is_errno(iommu_set_type(EDU_A, "identity"), 0,
		 "the first device gets an identity mapping of the IOMMU");
	is_errno(iommu_set_type(EDU_B, "identity"), 0,
		 "the second device gets an identity mapping of the IOMMU");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "identity: ATTACH works");
	is_str(verdict_of(PCI_A), usable(), "identity: DEVICE reports that shared memory can be used");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "identity: the device copies the right bytes");
	is_errno(attached_end(&a), 0, "identity: DETACH works");
	edu_close(&edu);
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "identity: a driver binds to the device");
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "identity: the importer maps");
	is_str(verdict_of(PCI_A), usable(),
	       "identity: DEVICE reports that a driver's device can use shared memory");
	ok(imp_moves_right(imp, s.p, 0, PAGE),
	   "identity: the importer's device copies the right bytes");
	close(imp);

	is_errno(device_unbind(EDU_A), 0, "identity: the driver is unbound");
	is_errno(iommu_set_type(EDU_A, "DMA"), 0, "the IOMMU translates again");
	is_errno(TRY(PCI_A, .id = s.id), EOPNOTSUPP, "translated again: ATTACH: EOPNOTSUPP");
	access_misses_memory(&s, dma_at(&a, 0));
	shared_end(&s);
}

int main(void)
{
	suite_begin();
	translates();
	import_refused(IMPORTER_DYNAMIC, 0, 64 * KIB, "dynamic");
	import_refused(IMPORTER_PINNED, CCSHM_EXPORT_PINNED, 4 * MIB, "pinned");
	import_refused(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, 64 * KIB, "static");
	ok(logged(IN_THE_LOG REASON),
	   "translated: the kernel log has the reason");
	attach_refused();
	no_longer();
	return suite_end();
}
