// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Realm whose shared bit is beyond the 32 address bits of most devices: such devices are refused,
 * with a reason. A device with enough bits gets addresses that contain the shared bit.
 *
 * vm-modules: ccshm importer
 * vm-flavours: cca
 * vm-ipa-bits: 33
 * vm-memory: 1536
 * vm-qemu: -device edu,addr=06.0,dma_mask=0x1ffffffff
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

#define SHARED_BIT	(1ULL << 32)
#define REASON		"the device's DMA mask does not hold the address bit of shared memory"

static void attachments(void)
{
	struct ccshm_ioc_attach req = { .dma_bits = 33 };
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;

	is_errno(TRY(PCI_A, .id = s.id), ERANGE,
		 "ATTACH of a device with a mask of 32 bits: ERANGE");
	ok(logged("ccshm: cannot use shared memory: " REASON),
	   "ATTACH of a device with a mask of 32 bits: the kernel log names the reason");
	is_str(verdict_of(PCI_A), "cannot, direct: " REASON,
	       "DEVICE of a device with a mask of 32 bits names the reason");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s.fd), ERANGE,
		 "ATTACH to a dma-buf of a device with a mask of 32 bits: ERANGE");
	req.id = s.id;
	is_errno(TRY(PCI_C, .id = s.id, .dma_bits = 32), ERANGE, "ATTACH with dma_bits=32: ERANGE");
	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "ATTACH with dma_bits=33: success");
	ok(dma_at(&a, 0) & SHARED_BIT, "ATTACH with dma_bits=33: the address has the shared bit");
	device_start(&edu, EDU_C);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "ATTACH with dma_bits=33: the device copies");
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "ATTACH with dma_bits=33: DETACH: success");
	shared_end(&s);
}

static void maps(const struct shared *s, uint64_t flags, enum importer_kind kind, int want,
		 const char *what)
{
	int fd = raw_export(ccshm, s->id, flags, NULL), imp = imp_open();
	int err = imp_attach(imp, fd, kind);

	if (!err)
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
	is_errno(err, want, "%s", what);
	if (!err)
		ok(imp_moves_right(imp, s->p, 0, PAGE), "%s: the importer's device copies", what);
	close(imp);
	close(fd);
}

static void importers(void)
{
	struct shared s = shared_new(UNIT);

	imp_device = EDU_C;
	is_errno(device_bind(EDU_C, IMPORTER_DRIVER), 0,
		 "a driver that sets a mask of 32 bits binds the device");
	is_str(verdict_of(PCI_C), "cannot, direct: " REASON,
	       "DEVICE of a driver's device with a mask of 32 bits names the reason");
	maps(&s, 0, IMPORTER_DYNAMIC, ERANGE, "32 bits: map by a dynamic importer: ERANGE");
	maps(&s, CCSHM_EXPORT_PINNED, IMPORTER_STATIC, ERANGE,
	     "32 bits: map by a static importer: ERANGE");
	is_errno(imp_mask(33, 65536), 0, "the driver sets a mask of 33 bits");
	is_str(verdict_of(PCI_C), "yes, direct",
	       "DEVICE of a driver's device with a mask of 33 bits: yes, direct");
	maps(&s, 0, IMPORTER_DYNAMIC, 0, "33 bits: map by a dynamic importer: success");
	maps(&s, CCSHM_EXPORT_PINNED, IMPORTER_STATIC, 0,
	     "33 bits: map by a static importer: success");
	is_errno(device_unbind(EDU_C), 0, "the driver releases the device");
	shared_end(&s);
}

int main(void)
{
	suite_begin();
	attachments();
	importers();
	is_int(rig(CVM_STRAY_DMA), 0, "no device has written to memory outside its mappings");
	return suite_end();
}
