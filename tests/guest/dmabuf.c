// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports as dma-bufs, with a kernel driver that imports them: which importers are accepted, what
 * their devices read and write, and how a revoke ends their access.
 *
 * vm-modules: ccshm importer
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "exported.h"

#define LEN	TRANSFER

static uint64_t violations(void)
{
	return rig(CVM_VIOL_PRIVATE_ALIAS) + rig(CVM_VIOL_SHARED_ALIAS);
}

/* ---- the test importer ---- */

static void importer_itself(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_open();

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENOTCONN,
		 "the importer: MAP before ATTACH: ENOTCONN");
	is_errno(imp_dma(imp, 0, 8, false), ENOTCONN, "the importer: DMA before ATTACH: ENOTCONN");
	is_errno(imp_attach(imp, s.fd, 99), EINVAL,
		 "the importer: ATTACH with an unknown kind: EINVAL");
	is_errno(imp_attach(imp, ccshm, IMPORTER_DYNAMIC), EINVAL,
		 "the importer: ATTACH of a file that is not a dma-buf: EINVAL");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0, "the importer: ATTACH works");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), EALREADY,
		 "the importer: a second ATTACH: EALREADY");
	is_errno(imp_dma(imp, 0, 8, false), ENOTCONN, "the importer: DMA before MAP: ENOTCONN");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "the importer: MAP works");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EALREADY,
		 "the importer: a second MAP: EALREADY");
	is_errno(imp_dma(imp, UNIT - 4, 8, false), EINVAL,
		 "the importer: DMA across the end: EINVAL");
	is_errno(imp_dma(imp, 0, 4096, false), EINVAL,
		 "the importer: DMA of more than the device's buffer: EINVAL");
	is_errno(imp_unmap(imp), 0, "the importer: UNMAP works");
	is_errno(imp_unmap(imp), ENOTCONN, "the importer: a second UNMAP: ENOTCONN");
	is_errno(imp_detach(imp), 0, "the importer: DETACH works");
	is_errno(imp_detach(imp), ENOTCONN, "the importer: a second DETACH: ENOTCONN");
	is_errno(raw_ioctl(imp, _IO('i', 0xff), NULL), ENOTTY,
		 "the importer: an unknown ioctl: ENOTTY");
	close(imp);
	shared_end(&s);
}

/* ---- DMA of the device ---- */

static void imported(enum importer_kind kind, uint64_t flags, const char *what)
{
	const size_t size = 4 * MIB + 3 * PAGE;
	struct shared s = exported_new(size, flags);
	long long slots = bounce_slots(), most;
	struct ccshm_ioc_attach req = { .id = s.id, .dma_bits = 64 };
	struct attached addresses;
	int imp;

	if (attach_with(ccshm, &req, PCI_B, &addresses))
		bail("ATTACH failed");
	is_errno(attached_end(&addresses), 0,
		 "%s: the attachment that gives the addresses is closed", what);
	bounce_restart();
	most = bounce_most();
	imp = imp_new(s.fd, kind);
	is_int(query(s.export_id).importers, 1, "%s: QUERY counts one importer", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: the importer maps", what);
	is_int(query(s.export_id).device_mappings, 1, "%s: QUERY counts one device mapping", what);
	ok(table_is(imp, &addresses, 0, size, 64 * KIB),
	   "%s: the DMA addresses are those of the buffer, and shared", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: the device copies the first page", what);
	ok(exported_moves_right(imp, &s, 0, size - PAGE, 2 * MIB),
	   "%s: the device copies the last page", what);
	ok(exported_moves_right(imp, &s, 0, 3 * MIB, size - LEN),
	   "%s: the device copies to the last bytes", what);
	if (slots >= 0) {
		is_int(bounce_slots(), slots, "%s: no bounce buffer is in use", what);
		is_int(bounce_most(), most, "%s: no bounce buffer was used by the copies", what);
	}
	is_errno(imp_unmap(imp), 0, "%s: the importer unmaps", what);
	is_int(query(s.export_id).device_mappings, kind == IMPORTER_STATIC && static_maps_at_attach,
	       "%s: QUERY counts no device mapping after unmap", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: the importer maps again", what);
	ok(exported_moves_right(imp, &s, 0, PAGE, 0),
	   "%s: the device copies after the second map", what);
	is_errno(imp_detach(imp), 0, "%s: the importer detaches", what);
	holders_are(&s, 0, 0);
	close(imp);
	shared_end(&s);
}

static void one_direction(void)
{
	struct shared s = exported_new(UNIT, 0);
	int in = imp_new(s.fd, IMPORTER_DYNAMIC), out = imp_new(s.fd, IMPORTER_DYNAMIC);

	is_errno(imp_map(out, IMPORTER_TO_DEVICE), 0, "an importer maps with direction to-device");
	is_errno(imp_map(in, IMPORTER_FROM_DEVICE), 0,
		 "a second importer maps with direction from-device");
	holders_are(&s, 2, 2);
	stamp_write(s.p, 5, 0, LEN);
	is_errno(imp_dma(out, 0, LEN, false), 0, "the device reads through the to-device mapping");
	is_errno(imp_dma(in, PAGE, LEN, true), 0,
		 "the device writes through the from-device mapping");
	ok(stamp_check(s.p + PAGE, 5, 0, LEN),
	   "the bytes copied through two one-way mappings are right");
	close(in);
	holders_are(&s, 1, 1);
	close(out);
	holders_are(&s, 0, 0);
	shared_end(&s);
}

static void slices(void)
{
	const uint64_t offset = UNIT - 3 * PAGE, length = UNIT + 5 * PAGE;
	struct shared s = exported_slice(3 * UNIT, 0, offset, length);
	struct attached addresses;
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);

	if (attach_buffer(ccshm, s.id, PCI_B, &addresses))
		bail("ATTACH failed");
	is_errno(attached_end(&addresses), 0,
		 "the attachment that gives the whole buffer's addresses is closed");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer maps an export of a slice");
	ok(table_is(imp, &addresses, offset, length, 64 * KIB),
	   "an export of a slice: the DMA addresses are those of the slice");
	ok(exported_moves_right(imp, &s, offset, 0, length - PAGE),
	   "an export of a slice: the device copies");
	is_errno(imp_dma(imp, length, 8, true), EINVAL,
		 "an export of a slice: DMA beyond its end: EINVAL");
	close(imp);
	shared_end(&s);
}

static void segment_sizes(void)
{
	static const uint32_t most[] = { 4096, 12288, 65536, 1048576, UINT32_MAX };
	struct shared s = exported_new(UNIT + 5 * PAGE, 0);
	struct attached addresses;

	if (attach_buffer(ccshm, s.id, PCI_B, &addresses))
		bail("ATTACH failed");
	is_errno(attached_end(&addresses), 0, "the attachment that gives the addresses is closed");
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		int imp;

		is_errno(imp_mask(32, most[i]), 0,
			 "the device gets a maximum segment size of %u bytes", most[i]);
		imp = imp_new(s.fd, IMPORTER_DYNAMIC);
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
			 "an importer maps with a maximum segment size");
		ok(table_is(imp, &addresses, 0, s.size, most[i]),
		   "no segment is longer than the device's maximum");
		close(imp);
	}
	is_errno(imp_mask(32, 65536), 0, "the device gets its original maximum segment size");
	shared_end(&s);
}

static void masks(void)
{
	struct shared s = exported_new(UNIT, 0), p = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_open(), other = imp_open(), err;

	if (cvm_flavour() == CVM_CCA) {
		skip("a 24-bit device cannot map memory above 16 MiB",
		     "in a Realm no driver can set such a mask; see the suite realm-mask");
		close(imp);
		close(other);
		shared_end(&s);
		shared_end(&p);
		return;
	}
	is_errno(imp_mask(24, 65536), 0, "the device gets a mask of 24 bits");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0,
		 "a dynamic importer of a 24-bit device attaches");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ERANGE,
		 "a dynamic importer of a 24-bit device maps memory above 16 MiB: ERANGE");
	holders_are(&s, 1, 0);
	err = imp_attach(other, p.fd, IMPORTER_STATIC);
	if (!err)
		err = imp_map(other, IMPORTER_BIDIRECTIONAL);
	is_errno(err, ERANGE,
		 "a static importer of a 24-bit device maps memory above 16 MiB: ERANGE");
	is_int(query(p.export_id).device_mappings, 0,
	       "a static importer of a 24-bit device has no mapping after ERANGE");
	is_errno(imp_mask(32, 65536), 0, "the device gets a mask of 32 bits");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "the mask is read at each map: a map after the mask was widened works");
	close(imp);
	close(other);
	shared_end(&s);
	shared_end(&p);
}

/* ---- accepted importers ---- */

static void revocable_exports(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_open();

	is_errno(imp_attach(imp, s.fd, IMPORTER_STATIC), EOPNOTSUPP,
		 "a static importer attaches to a revocable export: EOPNOTSUPP");
	if (kernel_at_least(7, 1))
		is_errno(imp_attach(imp, s.fd, IMPORTER_MUTE), EOPNOTSUPP,
			 "a mute importer attaches to a revocable export: EOPNOTSUPP");
	else
		skip("a mute importer attaches to a revocable export: EOPNOTSUPP",
		     "before 7.1 every dynamic importer has a callback");
	holders_are(&s, 0, 0);
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0,
		 "a dynamic importer attaches to a revocable export");
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0,
		 "REVOKE of an export that is not mapped returns at once");
	shared_end(&s);
}

/* Test each direction in which a device could write. */
static void read_only(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_READ_ONLY | flags);
	int imp = imp_open(), err = imp_attach(imp, s.fd, kind);

	if (kind == IMPORTER_STATIC && static_maps_at_attach) {
		is_errno(err, EACCES,
			 "%s: attach of a static importer, mapped for writing: EACCES", what);
	} else {
		is_errno(err, 0, "%s: an importer attaches", what);
		is_errno(imp_map(imp, IMPORTER_FROM_DEVICE), EACCES,
			 "%s: map from-device: EACCES", what);
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EACCES,
			 "%s: map bidirectional: EACCES", what);
		is_int(query(s.export_id).device_mappings, 0,
		       "%s: QUERY counts no device mapping after EACCES", what);
		is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s: map to-device works", what);
		is_errno(imp_dma(imp, 0, LEN, false), 0, "%s: the device reads", what);
	}
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), err ? ENOTCONN : EINVAL,
		 "%s: VMAP of a writable kernel mapping is refused", what);
	close(imp);
	shared_end(&s);
}

static void no_cpu(uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_NO_CPU | flags);
	int imp = imp_new(s.fd, flags ? IMPORTER_STATIC : IMPORTER_DYNAMIC);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: an importer maps", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: the device copies", what);
	is_errno(try_map(imp, PAGE, RW, MAP_SHARED), EACCES,
		 "%s: mmap() through the importer's driver: EACCES", what);
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), EINVAL, "%s: VMAP: EINVAL",
		 what);
	close(imp);
	shared_end(&s);
}

/* ---- revoke ---- */

static void dynamic_is_revoked(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, flags);
	int imp = imp_new(s.fd, kind), other = imp_open();
	char *p = raw_map(imp, UNIT, RW), *q = raw_map(s.fd, UNIT, RW);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "%s: the importer maps before the revoke", what);
	is_int(imp_status(imp).pinned, kind == IMPORTER_PINNED,
	       "%s: only the pinning importer reports its pin", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE),
	   "%s: the device copies before the revoke", what);
	ok(p && stamp_check(p + PAGE, 100, 0, LEN),
	   "%s: mmap() through the importer's driver shows the device's bytes", what);
	is_int(query(s.export_id).cpu_mappings, 2, "%s: QUERY counts two CPU mappings", what);
	is_errno(imp_unmap(imp), 0, "%s: the importer unmaps before the revoke", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "%s: the importer maps again before the revoke", what);

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "%s: REVOKE succeeds without waiting", what);
	is_int(r.state, CCSHM_STATE_REVOKED, "%s: REVOKE reports the state revoked", what);
	is_int(r.device_mappings, 0, "%s: REVOKE reports no device mapping", what);
	is_int(imp_status(imp).notified, 1, "%s: the importer was notified once", what);
	is_int(imp_status(imp).mapped, 0, "%s: the importer has unmapped after the revoke", what);
	is_int(imp_status(imp).pinned, 0, "%s: the importer has unpinned after the revoke", what);
	holders_are(&s, 1, 0);
	is_int(touch_read(p), SIGBUS,
	       "%s: revoked: the mmap() through the importer's driver gets SIGBUS", what);
	is_int(touch_read(q), SIGBUS, "%s: revoked: the mmap() of the dma-buf gets SIGBUS", what);
	is_errno(imp_dma(imp, 0, LEN, true), ENOTCONN, "%s: revoked: DMA: ENOTCONN", what);
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENODEV, "%s: revoked: map: ENODEV", what);
	is_errno(imp_attach(other, s.fd, kind), ENODEV,
		 "%s: revoked: another importer attaches: ENODEV", what);
	is_errno(try_map(imp, PAGE, RW, MAP_SHARED), ENODEV,
		 "%s: revoked: mmap() through the importer's driver: ENODEV", what);
	munmap(p, UNIT);
	munmap(q, UNIT);
	is_errno(imp_detach(imp), 0, "%s: revoked: the importer detaches", what);
	close(imp);
	close(other);
	shared_end(&s);
}

static void late_is_waited_for(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE), idle = imp_new(s.fd, IMPORTER_DYNAMIC);
	int other = imp_open();
	char *q = raw_map(s.fd, UNIT, RW);
	struct ccshm_ioc_revoke r;
	int64_t begin = now_ns();
	pthread_t thread;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "a late importer maps");
	is_int(touch_read(q), 0, "a late importer: a CPU mapping is read before the revoke");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "a late importer: REVOKE with 200 ms: the deadline passes: ETIMEDOUT");
	ok(now_ns() - begin >= 200000000LL,
	   "a late importer: REVOKE returns not before its deadline");
	is_int(r.state, CCSHM_STATE_REVOKING, "a late importer: REVOKE reports the state revoking");
	is_int(r.device_mappings, 1, "a late importer: REVOKE reports one device mapping");
	is_int(r.revoked, 0, "a late importer: REVOKE reports no revoked export");
	is_int(r.pages, UNIT / PAGE, "a late importer: REVOKE reports the number of pages");
	is_int(imp_status(imp).notified, 1, "a late importer was notified once");

	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
	       "a late importer: QUERY reports the state revoking");
	is_int(touch_read(q), SIGBUS,
	       "a late importer: the CPU mapping gets SIGBUS during the revoke");
	is_errno(try_map(s.fd, PAGE, RW, MAP_SHARED), ENODEV,
		 "a late importer: mmap() during the revoke: ENODEV");
	is_errno(imp_map(idle, IMPORTER_BIDIRECTIONAL), ENODEV,
		 "a late importer: map by another importer during the revoke: ENODEV");
	is_errno(imp_attach(other, s.fd, IMPORTER_DYNAMIC), ENODEV,
		 "a late importer: attach by another importer during the revoke: ENODEV");
	/* The memory stays shared until the importer releases its mapping. */
	ok(exported_moves_right(imp, &s, 0, 0, PAGE),
	   "a late importer: its device copies during the revoke");

	ok(revoke_waits(&thread, s.export_id), "a late importer: a second REVOKE waits");
	is_errno(imp_unmap(imp), 0, "a late importer unmaps");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "a late importer has unmapped: the waiting REVOKE succeeds");
	is_int(waiting.r.state, CCSHM_STATE_REVOKED,
	       "a late importer has unmapped: REVOKE reports the state revoked");
	is_int(waiting.r.device_mappings, 0,
	       "a late importer has unmapped: REVOKE reports no device mapping");
	is_int(waiting.r.revoked, 1,
	       "a late importer has unmapped: REVOKE reports one revoked export");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ENODEV,
		 "a late importer has unmapped: map: ENODEV");
	munmap(q, UNIT);
	close(imp);
	close(idle);
	close(other);
	shared_end(&s);
}

/* Test that a revoke waits for a fence of the device, although its driver has already unmapped. */
static void fence_is_waited_for(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_revoke r;
	pthread_t thread;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer with a fence maps");
	is_errno(imp_fence(imp, false), 0, "an importer adds a fence that is not signalled");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "a fence that is not signalled: REVOKE with 200 ms: ETIMEDOUT");
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "a fence that is not signalled: REVOKE reports the state revoking");
	is_int(imp_status(imp).mapped, 0,
	       "a fence that is not signalled: the importer has unmapped");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "a fence that is not signalled: a second REVOKE: ETIMEDOUT");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
	       "a fence that is not signalled: QUERY reports the state revoking");
	ok(revoke_waits(&thread, s.export_id),
	   "a fence that is not signalled: REVOKE without deadline waits");
	is_errno(imp_fence(imp, true), 0, "the importer signals its fence");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "the fence is signalled: the waiting REVOKE succeeds");
	is_int(waiting.r.state, CCSHM_STATE_REVOKED,
	       "the fence is signalled: REVOKE reports the state revoked");
	close(imp);
	shared_end(&s);
}

static void pinned_is_busy(void)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_new(s.fd, IMPORTER_STATIC), other = imp_open();
	char *q = raw_map(s.fd, UNIT, RW);
	struct ccshm_ioc_revoke r;
	int64_t begin;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "pinned export: a static importer maps");
	is_int(touch_read(q), 0, "pinned export: a CPU mapping is read before the revoke");
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, &r), EBUSY,
		 "pinned export: REVOKE while a static importer maps: EBUSY");
	ok(now_ns() - begin < 5 * 1000000000LL,
	   "pinned export: REVOKE returns EBUSY without waiting");
	is_int(r.state, CCSHM_STATE_REVOKING, "pinned export: REVOKE reports the state revoking");
	is_int(r.device_mappings, 1, "pinned export: REVOKE reports one device mapping");
	is_int(r.revoked, 0, "pinned export: REVOKE reports no revoked export");
	is_int(touch_read(q), SIGBUS, "pinned export: the CPU mapping gets SIGBUS after EBUSY");
	is_errno(try_map(s.fd, PAGE, RW, MAP_SHARED), ENODEV,
		 "pinned export: mmap() after EBUSY: ENODEV");
	is_errno(imp_attach(other, s.fd, IMPORTER_STATIC), ENODEV,
		 "pinned export: attach by another importer after EBUSY: ENODEV");
	ok(exported_moves_right(imp, &s, 0, 0, PAGE),
	   "pinned export: the device copies after EBUSY");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), EBUSY,
		 "pinned export: a second REVOKE: EBUSY");
	is_errno(imp_detach(imp), 0, "pinned export: the static importer detaches");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "pinned export: REVOKE after the detach succeeds");
	is_int(r.state, CCSHM_STATE_REVOKED,
	       "pinned export: REVOKE after the detach reports the state revoked");
	is_int(r.device_mappings, 0,
	       "pinned export: REVOKE after the detach reports no device mapping");
	is_int(r.revoked, 1, "pinned export: REVOKE after the detach reports one revoked export");
	is_errno(imp_attach(imp, s.fd, IMPORTER_STATIC), ENODEV,
		 "pinned export: attach after the revoke: ENODEV");
	munmap(q, UNIT);
	close(imp);
	close(other);
	shared_end(&s);
}

/* Test that the other exports of a buffer are revoked although one export is busy. */
static void mixed_buffer(void)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	uint64_t id;
	int fd = raw_export(ccshm, s.id, 0, &id);
	int holds = imp_new(s.fd, IMPORTER_STATIC), lets_go = imp_new(fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(holds, IMPORTER_TO_DEVICE), 0,
		 "a buffer with several exports: a static importer maps one");
	is_errno(imp_map(lets_go, IMPORTER_TO_DEVICE), 0,
		 "a buffer with several exports: a dynamic importer maps another");
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(200), &r), EBUSY,
		 "a buffer with several exports: REVOKE of the buffer: EBUSY");
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "a buffer with several exports: REVOKE reports the state revoking");
	is_int(r.device_mappings, 1,
	       "a buffer with several exports: REVOKE reports one device mapping");
	is_int(r.revoked, 2, "a buffer with several exports: REVOKE reports two revoked exports");
	is_int(query(id).state, CCSHM_STATE_REVOKED,
	       "a buffer with several exports: QUERY: the dynamic importer's export is revoked");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
	       "a buffer with several exports: QUERY: the static importer's export is revoking");
	is_int(touch_read(s.p), SIGBUS,
	       "a buffer with several exports: the CPU mapping gets SIGBUS");
	close(holds);
	is_errno(raw_revoke(ccshm, s.id, 0, 0, &r), 0,
		 "a buffer with several exports: REVOKE after the close succeeds");
	is_int(r.revoked, 3, "a buffer with several exports: REVOKE reports three revoked exports");
	close(lets_go);
	close(fd);
	shared_end(&s);
}

/* ---- kernel mappings ---- */

static int imp_data(int imp, unsigned long call, uint64_t offset, void *data, uint32_t length)
{
	struct importer_data *req = calloc(1, sizeof(*req));
	int err;

	req->offset = offset;
	req->length = length;
	memcpy(req->data, data, length);
	err = raw_ioctl(imp, call, req);
	memcpy(data, req->data, length);
	free(req);
	return err;
}

static void vmap(void)
{
	const size_t size = 4 * MIB + PAGE;
	struct shared s = exported_new(size, CCSHM_EXPORT_PINNED), no = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC), other = imp_new(s.fd, IMPORTER_DYNAMIC);
	int refused = imp_new(no.fd, IMPORTER_DYNAMIC);
	uint64_t before = violations(), data[64];
	struct ccshm_ioc_revoke r;

	is_errno(raw_ioctl(refused, IMPORTER_IOC_VMAP, NULL), EINVAL,
		 "VMAP of a revocable export: EINVAL");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), 0, "VMAP of a pinned export works");
	is_int(query(s.export_id).device_mappings, 1,
	       "VMAP of a pinned export is counted as a device mapping");
	is_errno(raw_ioctl(other, IMPORTER_IOC_VMAP, NULL), 0,
		 "VMAP of a pinned export by a second importer works");
	for (uint64_t at = 0; at < size; at += size - PAGE) {
		stamp_write(s.p + at, 6, at, PAGE);
		is_errno(imp_data(imp, IMPORTER_IOC_READ, at, data, sizeof(data)), 0,
			 "VMAP: the kernel reads at 0x%llx", (unsigned long long)at);
		ok(stamp_check(data, 6, at, sizeof(data)),
		   "VMAP: the kernel reads what the process wrote");
		stamp_write(data, 7, at, sizeof(data));
		is_errno(imp_data(imp, IMPORTER_IOC_WRITE, at, data, sizeof(data)), 0,
			 "VMAP: the kernel writes");
		ok(stamp_check(s.p + at, 7, at, sizeof(data)),
		   "VMAP: the process reads what the kernel wrote");
	}
	is_int(violations(), before, "VMAP: the kernel never accesses the private view");

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(100), &r), EBUSY,
		 "VMAP: REVOKE while two importers have mappings: EBUSY");
	is_int(r.device_mappings, 1, "VMAP: REVOKE reports one device mapping");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), 0,
		 "VUNMAP by the first importer works");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), EBUSY,
		 "VMAP: REVOKE while the second importer has its mapping: EBUSY");
	is_errno(raw_ioctl(other, IMPORTER_IOC_VUNMAP, NULL), 0,
		 "VUNMAP by the second importer works");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "VMAP: REVOKE after both VUNMAPs succeeds");
	/* The dma-buf core warns once about a vmap that an exporter refuses. */
	expect_kmsg("WARNING: .*dma_buf_vmap");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), ENODEV, "VMAP after the revoke: ENODEV");
	close(imp);
	close(other);
	close(refused);
	shared_end(&s);
	shared_end(&no);
}

/* ---- importers, devices and buffers appear and disappear ---- */

static int maps_and_waits(struct peer *parent, void *arg)
{
	struct shared *s = arg;
	int imp = imp_new(s->fd, IMPORTER_LATE), err = imp_map(imp, IMPORTER_BIDIRECTIONAL);

	peer_send(parent, err, -1);
	return peer_hear(parent);
}

static void importer_dies(void)
{
	struct shared s = exported_new(UNIT, 0);
	struct peer p = peer_start(ROOT, ALL_CAPS, maps_and_waits, &s);
	pthread_t thread;

	is_int(peer_hear(&p), 0, "a process maps for a device and does not unmap");
	holders_are(&s, 1, 1);
	ok(revoke_waits(&thread, s.export_id), "a process maps for a device: REVOKE waits");
	peer_must_end(&p, SIGKILL);
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0,
		 "the process that maps for a device is killed: the waiting REVOKE succeeds");
	holders_are(&s, 0, 0);
	shared_end(&s);
}

static void driver_leaves(void)
{
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_new(s.fd, IMPORTER_LATE), fixed = imp_new(t.fd, IMPORTER_STATIC);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "a dynamic importer maps before its driver is unbound");
	is_errno(imp_map(fixed, IMPORTER_BIDIRECTIONAL), 0,
		 "a static importer maps before its driver is unbound");
	is_errno(device_unbind(EDU_A), 0,
		 "the importer's driver is unbound while the device is mapped");
	holders_are(&s, 0, 0);
	holders_are(&t, 0, 0);
	is_int(imp_status(imp).attached, 0,
	       "the importer's driver is unbound: its attachment has ended");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "the importer's driver is bound again");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0,
		 "the importer's driver is bound again: attach works");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "the importer's driver is bound again: map works");
	ok(exported_moves_right(imp, &s, 0, 0, PAGE),
	   "the importer's driver is bound again: the device copies");
	close(imp);
	close(fixed);
	shared_end(&s);
	shared_end(&t);
}

static void buffer_goes(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE), look = dup(s.fd);
	struct ccshm_ioc_info info;
	struct ccshm_ioc_query q;
	char *p;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "an importer maps an export before the FREE of its buffer");
	shared_end(&s);
	ok(query(s.export_id).query_flags & CCSHM_QUERY_ORPHAN,
	   "FREE of a mapped buffer: the export is an orphan");
	p = s.p = raw_map(look, UNIT, RW);
	ok(p && exported_moves_right(imp, &s, 0, 0, PAGE),
	   "FREE of a mapped buffer: the device copies");
	munmap(p, UNIT);
	close(look);
	must(raw_info(ccshm, &info));
	is_int(info.bytes_shared, UNIT,
	       "the dma-buf of the orphan is closed: its memory stays shared");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT,
		 "the dma-buf of the orphan is closed: REVOKE by the owner: ETIMEDOUT");
	sleep_ms(100);
	must(raw_info(ccshm, &info));
	is_int(info.bytes_shared, UNIT,
	       "the dma-buf of the orphan is closed: its memory stays shared after REVOKE");
	is_errno(imp_unmap(imp), 0, "the orphan's importer unmaps");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0,
		 "the orphan's importer has unmapped: REVOKE succeeds");
	ok(wait_held(ccshm, 0, &info),
	   "the orphan's importer has unmapped: the memory is given back");
	is_errno(imp_detach(imp), 0, "the orphan's importer detaches");
	/* The work item of the revoke may hold the last reference to the dma-buf for a moment. */
	for (int i = 0; i < 500 && raw_query(ccshm, s.export_id, &q) != -ENOENT; i++)
		sleep_ms(10);
	is_errno(raw_query(ccshm, s.export_id, &q), ENOENT,
		 "the orphan's importer has detached: QUERY: ENOENT");
	close(imp);
}

int main(void)
{
	exported_setup();
	importer_itself();
	if (cvm_present())
		importer_sees_bounces();
	imported(IMPORTER_DYNAMIC, 0, "dynamic");
	imported(IMPORTER_PINNED, pinned_can_unmap ? 0 : CCSHM_EXPORT_PINNED,
		 "pinned by its importer");
	imported(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, "static");
	imported(IMPORTER_DYNAMIC, CCSHM_EXPORT_PINNED, "dynamic, of a pinned export");
	one_direction();
	slices();
	segment_sizes();
	masks();
	revocable_exports();
	read_only(IMPORTER_DYNAMIC, 0, "read-only");
	read_only(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, "read-only, pinned");
	no_cpu(0, "no-cpu");
	no_cpu(CCSHM_EXPORT_PINNED, "no-cpu, pinned");
	dynamic_is_revoked(IMPORTER_DYNAMIC, 0, "dynamic");
	dynamic_is_revoked(IMPORTER_PINNED, pinned_can_unmap ? 0 : CCSHM_EXPORT_PINNED,
			   "pinned by its importer");
	dynamic_is_revoked(IMPORTER_DYNAMIC, CCSHM_EXPORT_PINNED, "dynamic, of a pinned export");
	late_is_waited_for();
	fence_is_waited_for();
	pinned_is_busy();
	mixed_buffer();
	vmap();
	importer_dies();
	driver_leaves();
	buffer_goes();

	exported_end();
	return done_testing();
}
