// SPDX-License-Identifier: GPL-2.0-only
/*
 * Properties of Arm's Realms: the shared bit is a part of each address that a device gets; a device
 * must be coherent and configured for DMA; a block that the host refuses to convert is repaired or
 * leaked, and not touched before.
 *
 * vm-modules: ccshm importer
 * vm-flavours: cca
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "directmap.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

/* The shared bit of Realms with addresses of 32 bits. */
#define SHARED_BIT	(1ULL << 31)
#define LEAF		((long long)UNIT)

/* Return the physical address of a buffer that consists of one run of pages. */
static uint64_t physical_of(uint64_t id)
{
	struct ccshm_ioc_run run;

	if (raw_pages(ccshm, id, 0, 0, &run, 1, NULL) != 1)
		bail("PAGES of buffer %llu did not return one run", (unsigned long long)id);
	return run.physical;
}

/* ---- addresses ---- */

static void addresses(void)
{
	struct shared s = shared_new(UNIT);
	uint64_t physical = physical_of(s.id);
	struct attached a;
	struct edu edu;
	int imp;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "addresses: ATTACH of a device: success");
	is_int(physical & SHARED_BIT, 0,
	       "PAGES: the physical address does not have the shared bit");
	is_int(dma_at(&a, 0), physical | SHARED_BIT, "ATTACH: the address has the shared bit");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE),
	   "addresses: the attached device copies at addresses with the shared bit");
	edu_close(&edu);
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0,
		 "addresses: the importer's driver binds the device");
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "addresses: an importer maps");
	ok(table_is(imp, &a, 0, UNIT, UNIT),
	   "addresses: the importer's table has the addresses of ATTACH");
	ok(imp_moves_right(imp, s.p, 0, PAGE), "addresses: the importer's device copies");
	close(imp);
	is_errno(device_unbind(EDU_A), 0, "addresses: the importer's driver releases the device");
	is_errno(attached_end(&a), 0, "addresses: DETACH: success");
	shared_end(&s);
	is_int(rig(CVM_STRAY_DMA), 0, "no device has written to memory outside its mappings");
}

/* ---- devices that cannot use the memory ---- */

#define NOT_CONFIGURED \
	"the device is not cache-coherent, or no driver had it yet and it was never configured for DMA"

/*
 * Test a device that was never configured for DMA. The kernel configures a PCI device when it finds
 * the device, and other devices when a driver is first bound.
 */
static void never_configured(void)
{
	is_str(verdict_of("platform:a000000.virtio_mmio"), "cannot, direct: " NOT_CONFIGURED,
	       "DEVICE of a device that never had a driver names the reason why it cannot be used");
}

static int imp_coherence(bool coherent)
{
	struct importer_mask req = { .bits = 32, .max_segment = 65536, .not_coherent = !coherent };
	int fd = imp_open(), err;

	snprintf(req.device, sizeof(req.device), "%s", imp_device);
	err = raw_ioctl(fd, IMPORTER_IOC_MASK, &req);
	close(fd);
	return err;
}

static void refuses_importer(const struct shared *s, uint64_t flags, enum importer_kind kind,
			     const char *what)
{
	int fd = raw_export(ccshm, s->id, flags, NULL), imp = imp_open();
	int err = imp_attach(imp, fd, kind);

	if (!err)
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
	is_errno(err, EOPNOTSUPP, "not coherent: %s is refused: EOPNOTSUPP", what);
	close(imp);
	close(fd);
}

static void not_coherent(void)
{
	struct shared s = shared_new(UNIT);
	int imp;

	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0,
		 "not coherent: the importer's driver binds the device");
	is_errno(imp_coherence(false), 0, "not coherent: the device is set to not cache-coherent");
	is_str(verdict_of(PCI_A), "cannot, direct: the device is not cache-coherent",
	       "not coherent: DEVICE names the reason");
	refuses_importer(&s, 0, IMPORTER_DYNAMIC, "map by a dynamic importer");
	refuses_importer(&s, CCSHM_EXPORT_PINNED, IMPORTER_STATIC, "map by a static importer");
	ok(logged("ccshm: cannot use shared memory: the device is not cache-coherent"),
	   "not coherent: the kernel log names the reason");
	is_errno(device_unbind(EDU_A), 0,
		 "not coherent: the importer's driver releases the device");
	is_errno(TRY(PCI_A, .id = s.id), EOPNOTSUPP, "not coherent: ATTACH: EOPNOTSUPP");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s.fd), EOPNOTSUPP,
		 "not coherent: ATTACH to a dma-buf: EOPNOTSUPP");
	is_str(verdict_of(PCI_A), "cannot, direct: " NOT_CONFIGURED,
	       "not coherent: DEVICE without a driver names the reason");
	ok(logged("ccshm: cannot use shared memory: " NOT_CONFIGURED),
	   "not coherent: the kernel log names the reason of the refused ATTACH");
	is_int(query(s.id).attachments, 0, "not coherent: the refused ATTACH leaves no attachment");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0,
		 "coherent again: the importer's driver binds the device");
	is_errno(imp_coherence(true), 0, "coherent again: the device is set to cache-coherent");
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "coherent again: an importer maps");
	ok(imp_moves_right(imp, s.p, 0, PAGE), "coherent again: the importer's device copies");
	close(imp);
	is_errno(device_unbind(EDU_A), 0,
		 "coherent again: the importer's driver releases the device");
	shared_end(&s);
}

/* ---- the direct map ---- */

static void leaves(void)
{
	uint64_t id, physical;

	if (raw_alloc(ccshm, UNIT, &id))
		bail("ALLOC failed");
	physical = physical_of(id);
	is_int(direct_map_leaf(physical), LEAF | CVM_LEAF_SHARED,
	       "a shared block is one leaf of the direct map, with the shared bit");
	is_errno(raw_free(ccshm, id), 0, "FREE of a block that is one leaf: success");
	ok(wait_clean(ccshm), "the memory of a block that is one leaf is given back");
	is_int(direct_map_leaf(physical), LEAF,
	       "a private block is one leaf of the direct map, without the shared bit");
}

/*
 * Test a block in quarantine: its pages keep the state in which the host left them, and the kernel
 * has no mapping of the block, so an access would cause an oops. The host refuses until this is
 * tested: the driver leaks the block only after 32 s.
 */
static void refused_back(void)
{
	struct ccshm_ioc_info info;
	uint64_t id, physical, refused = rig(CVM_CONV_FAILED);

	if (raw_alloc(ccshm, UNIT, &id))
		bail("ALLOC failed");
	physical = physical_of(id);
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 1ULL << 40));
	is_errno(raw_free(ccshm, id), 0,
		 "FREE of a block that the host refuses to make private: success");
	must(raw_info(ccshm, &info));
	for (int i = 0; i < 500 && !info.bytes_quarantined; i++) {
		sleep_ms(10);
		must(raw_info(ccshm, &info));
	}
	is_int(info.bytes_quarantined, UNIT, "INFO: the block is in quarantine");
	is_int(direct_map_leaf(physical), 0,
	       "the direct map has no mapping of a block in quarantine");
	for (int i = 0; i < 3000 && rig(CVM_CONV_FAILED) < refused + 3; i++)
		sleep_ms(20);
	must_be_true(rig(CVM_CONV_FAILED) >= refused + 3);
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 0));
	for (int i = 0; i < 3000 && info.bytes_quarantined; i++) {
		sleep_ms(20);
		must(raw_info(ccshm, &info));
	}
	is_int(info.bytes_quarantined + info.bytes_leaked, 0,
	       "the block in quarantine is given back by a later try");
	is_int(direct_map_leaf(physical), LEAF,
	       "the direct map has the leaf of a block again after the quarantine");
}

/*
 * Test a host that converts a part of the pages in each call: the kernel calls again for the rest.
 */
static void in_pieces(void)
{
	uint64_t before = rig(CVM_HC_SHARED), id;
	long long splits = direct_map_splits();

	must(cvm_chunk(128));
	is_errno(raw_alloc(ccshm, UNIT, &id), 0,
		 "ALLOC with a host that converts 128 pages a call: success");
	is_int(rig(CVM_HC_SHARED) - before, UNIT / PAGE / 128,
	       "a host that converts 128 pages a call is called until the unit is converted");
	is_errno(raw_free(ccshm, id), 0, "FREE with a host that converts 128 pages a call: success");
	ok(wait_clean(ccshm),
	   "the memory is given back with a host that converts 128 pages a call");
	before = rig(CVM_PAGES_SHARED);
	must(cvm_fail(CVM_FAIL_SHARED, 2, 1));
	is_errno(raw_alloc(ccshm, UNIT, &id), EIO, "ALLOC with a host that refuses half way: EIO");
	must(cvm_fail(CVM_FAIL_SHARED, 0, 0));
	must(cvm_chunk(0));
	ok(wait_clean(ccshm) && wait_rig_shared(before),
	   "the pages shared before a host's refusal are private again");
	is_int(direct_map_splits(), splits, "no leaf of the direct map is split");
}

int main(void)
{
	expect_kmsg("Failed to encrypt memory, [0-9]+ pages will be leaked|"
		    "Failed to decrypt memory, [0-9]+ pages will be leaked");
	if (cvm_flavour() != CVM_CCA)
		bail("the guest is not a Realm");
	suite_begin();
	direct_map_settle();
	addresses();
	never_configured();
	not_coherent();
	leaves();
	refused_back();
	in_pieces();
	return suite_end();
}
