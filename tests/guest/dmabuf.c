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

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENOTCONN, "MAP without ATTACH");
	is_errno(imp_dma(imp, 0, 8, false), ENOTCONN, "DMA without ATTACH");
	is_errno(imp_attach(imp, s.fd, 99), EINVAL, "an unknown kind");
	is_errno(imp_attach(imp, ccshm, IMPORTER_DYNAMIC), EINVAL, "no dma-buf");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0, "ATTACH");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), EALREADY, "ATTACH again");
	is_errno(imp_dma(imp, 0, 8, false), ENOTCONN, "DMA without MAP");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "MAP");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EALREADY, "MAP again");
	is_errno(imp_dma(imp, UNIT - 4, 8, false), EINVAL, "DMA across the end");
	is_errno(imp_dma(imp, 0, 4096, false), EINVAL, "DMA of more than the device can");
	is_errno(imp_unmap(imp), 0, "UNMAP");
	is_errno(imp_unmap(imp), ENOTCONN, "UNMAP again");
	is_errno(imp_detach(imp), 0, "DETACH");
	is_errno(imp_detach(imp), ENOTCONN, "DETACH again");
	is_errno(raw_ioctl(imp, _IO('i', 0xff), NULL), ENOTTY, "an unknown call");
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
		bail("no attachment");
	is_errno(attached_end(&addresses), 0, "%s: the right addresses are known", what);
	bounce_restart();
	most = bounce_most();
	imp = imp_new(s.fd, kind);
	is_int(query(s.export_id).importers, 1, "%s: an importer is counted", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: it maps", what);
	is_int(query(s.export_id).device_mappings, 1, "%s: its mapping is counted", what);
	ok(table_is(imp, &addresses, 0, size, 64 * KIB),
	   "%s: its addresses are those of the buffer, and shared", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: the device copies: first page", what);
	ok(exported_moves_right(imp, &s, 0, size - PAGE, 2 * MIB), "%s: ... last page", what);
	ok(exported_moves_right(imp, &s, 0, 3 * MIB, size - LEN), "%s: ... to the last bytes", what);
	if (slots >= 0) {
		is_int(bounce_slots(), slots, "%s: no bounce buffer is in use", what);
		is_int(bounce_most(), most, "%s: ... and none was", what);
	}
	is_errno(imp_unmap(imp), 0, "%s: it unmaps", what);
	is_int(query(s.export_id).device_mappings, kind == IMPORTER_STATIC && static_maps_at_attach,
	       "%s: unmapped", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: it maps again", what);
	ok(exported_moves_right(imp, &s, 0, PAGE, 0), "%s: the device copies", what);
	is_errno(imp_detach(imp), 0, "%s: it detaches", what);
	holders_are(&s, 0, 0);
	close(imp);
	shared_end(&s);
}

static void one_direction(void)
{
	struct shared s = exported_new(UNIT, 0);
	int in = imp_new(s.fd, IMPORTER_DYNAMIC), out = imp_new(s.fd, IMPORTER_DYNAMIC);

	is_errno(imp_map(out, IMPORTER_TO_DEVICE), 0, "mapped to the device");
	is_errno(imp_map(in, IMPORTER_FROM_DEVICE), 0, "mapped from the device, by another");
	holders_are(&s, 2, 2);
	stamp_write(s.p, 5, 0, LEN);
	is_errno(imp_dma(out, 0, LEN, false), 0, "the one reads");
	is_errno(imp_dma(in, PAGE, LEN, true), 0, "the other writes");
	ok(stamp_check(s.p + PAGE, 5, 0, LEN), "the bytes are right");
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
		bail("no attachment");
	is_errno(attached_end(&addresses), 0, "the addresses of a whole buffer are known");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "a slice of it is imported");
	ok(table_is(imp, &addresses, offset, length, 64 * KIB), "its addresses are right");
	ok(exported_moves_right(imp, &s, offset, 0, length - PAGE), "the device copies");
	is_errno(imp_dma(imp, length, 8, true), EINVAL, "and reaches no more");
	close(imp);
	shared_end(&s);
}

static void segment_sizes(void)
{
	static const uint32_t most[] = { 4096, 12288, 65536, 1048576, UINT32_MAX };
	struct shared s = exported_new(UNIT + 5 * PAGE, 0);
	struct attached addresses;

	if (attach_buffer(ccshm, s.id, PCI_B, &addresses))
		bail("no attachment");
	is_errno(attached_end(&addresses), 0, "the attachment for comparison ends");
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		int imp;

		is_errno(imp_mask(32, most[i]), 0, "a device takes segments of %u bytes", most[i]);
		imp = imp_new(s.fd, IMPORTER_DYNAMIC);
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "it maps");
		ok(table_is(imp, &addresses, 0, s.size, most[i]), "no segment is longer");
		close(imp);
	}
	is_errno(imp_mask(32, 65536), 0, "the device is as it was");
	shared_end(&s);
}

static void masks(void)
{
	struct shared s = exported_new(UNIT, 0), p = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_open(), other = imp_open(), err;

	if (cvm_flavour() == CVM_CCA) {
		skip("a device reaches 16 MiB", "a Realm lets no driver say so; see the suite realm-mask");
		close(imp);
		close(other);
		shared_end(&s);
		shared_end(&p);
		return;
	}
	is_errno(imp_mask(24, 65536), 0, "a device reaches 16 MiB");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0, "its driver attaches");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ERANGE, "... and cannot map");
	holders_are(&s, 1, 0);
	err = imp_attach(other, p.fd, IMPORTER_STATIC);
	if (!err)
		err = imp_map(other, IMPORTER_BIDIRECTIONAL);
	is_errno(err, ERANGE, "nor can one that does not let go");
	is_int(query(p.export_id).device_mappings, 0, "... and has not");
	is_errno(imp_mask(32, 65536), 0, "a device reaches 4 GiB");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "it is asked anew at each map");
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
		 "a revocable export refuses who cannot let go");
	if (kernel_at_least(7, 1))
		is_errno(imp_attach(imp, s.fd, IMPORTER_MUTE), EOPNOTSUPP,
			 "... and who cannot be told");
	else
		skip("... and who cannot be told", "before 7.1 every importer can");
	holders_are(&s, 0, 0);
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0, "it accepts who can");
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0, "a revoke does not wait");
	shared_end(&s);
}

/* Test each direction in which a device could write. */
static void read_only(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_READ_ONLY | flags);
	int imp = imp_open(), err = imp_attach(imp, s.fd, kind);

	if (kind == IMPORTER_STATIC && static_maps_at_attach) {
		is_errno(err, EACCES, "%s: the kernel maps it to write, and cannot", what);
	} else {
		is_errno(err, 0, "%s: accepted", what);
		is_errno(imp_map(imp, IMPORTER_FROM_DEVICE), EACCES, "%s: not from a device", what);
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EACCES, "%s: not both ways", what);
		is_int(query(s.export_id).device_mappings, 0, "%s: no mapping", what);
		is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s: to a device", what);
		is_errno(imp_dma(imp, 0, LEN, false), 0, "%s: which reads", what);
	}
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), err ? ENOTCONN : EINVAL,
		 "%s: the kernel does not get a writable view", what);
	close(imp);
	shared_end(&s);
}

static void no_cpu(uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_NO_CPU | flags);
	int imp = imp_new(s.fd, flags ? IMPORTER_STATIC : IMPORTER_DYNAMIC);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: a device maps", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: ... and copies", what);
	is_errno(try_map(imp, PAGE, RW, MAP_SHARED), EACCES, "%s: no mmap by its driver", what);
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), EINVAL, "%s: no mapping of the kernel",
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

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: mapped", what);
	is_int(imp_status(imp).pinned, kind == IMPORTER_PINNED, "%s: pinned", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: the device copies", what);
	ok(p && stamp_check(p + PAGE, 100, 0, LEN), "%s: its driver's mmap shows it", what);
	is_int(query(s.export_id).cpu_mappings, 2, "%s: two CPU mappings", what);
	is_errno(imp_unmap(imp), 0, "%s: unmapped", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: mapped again", what);

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "%s: revoked without waiting", what);
	is_int(r.state, CCSHM_STATE_REVOKED, "%s: result: revoked", what);
	is_int(r.device_mappings, 0, "%s: result: no device", what);
	is_int(imp_status(imp).notified, 1, "%s: it was told", what);
	is_int(imp_status(imp).mapped, 0, "%s: it has let go", what);
	is_int(imp_status(imp).pinned, 0, "%s: ... and unpinned", what);
	holders_are(&s, 1, 0);
	is_int(touch_read(p), SIGBUS, "%s: its driver's mmap gets SIGBUS", what);
	is_int(touch_read(q), SIGBUS, "%s: ours too", what);
	is_errno(imp_dma(imp, 0, LEN, true), ENOTCONN, "%s: no DMA", what);
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENODEV, "%s: it cannot map again", what);
	is_errno(imp_attach(other, s.fd, kind), ENODEV, "%s: nobody can attach", what);
	is_errno(try_map(imp, PAGE, RW, MAP_SHARED), ENODEV, "%s: nor mmap", what);
	munmap(p, UNIT);
	munmap(q, UNIT);
	is_errno(imp_detach(imp), 0, "%s: it detaches", what);
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

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer that takes its time");
	is_int(touch_read(q), 0, "and a CPU mapping");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "the deadline of a revoke passes");
	ok(now_ns() - begin >= 200000000LL, "... not too early");
	is_int(r.state, CCSHM_STATE_REVOKING, "result: revoking");
	is_int(r.device_mappings, 1, "result: one device");
	is_int(r.revoked, 0, "result: nothing revoked");
	is_int(r.pages, UNIT / PAGE, "result: pages");
	is_int(imp_status(imp).notified, 1, "the importer was told");

	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "QUERY: revoking");
	is_int(touch_read(q), SIGBUS, "the CPU mapping is gone");
	is_errno(try_map(s.fd, PAGE, RW, MAP_SHARED), ENODEV, "nothing new gets in: mmap");
	is_errno(imp_map(idle, IMPORTER_BIDIRECTIONAL), ENODEV, "... the mapping of another");
	is_errno(imp_attach(other, s.fd, IMPORTER_DYNAMIC), ENODEV, "... an importer");
	/* The memory stays shared until the importer releases its mapping. */
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "the device still works on shared memory");

	ok(revoke_waits(&thread, s.export_id), "the next call goes on waiting");
	is_errno(imp_unmap(imp), 0, "the importer lets go");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "that ends it");
	is_int(waiting.r.state, CCSHM_STATE_REVOKED, "result: revoked");
	is_int(waiting.r.device_mappings, 0, "result: no device");
	is_int(waiting.r.revoked, 1, "result: one revoked");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ENODEV, "it cannot map again");
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

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer");
	is_errno(imp_fence(imp, false), 0, "whose work is under way");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "a revoke waits for the fence");
	is_int(r.state, CCSHM_STATE_REVOKING, "result: revoking");
	is_int(imp_status(imp).mapped, 0, "though the importer has unmapped");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "... also the next");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "QUERY: revoking");
	ok(revoke_waits(&thread, s.export_id), "one that waits");
	is_errno(imp_fence(imp, true), 0, "the work is done");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "that ends it");
	is_int(waiting.r.state, CCSHM_STATE_REVOKED, "result: revoked");
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
		 "a pinned export accepts who cannot let go");
	is_int(touch_read(q), 0, "and is mapped");
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, &r), EBUSY, "revoke: busy");
	ok(now_ns() - begin < 5 * 1000000000LL, "... without waiting");
	is_int(r.state, CCSHM_STATE_REVOKING, "result: revoking");
	is_int(r.device_mappings, 1, "result: one device");
	is_int(r.revoked, 0, "result: nothing revoked");
	is_int(touch_read(q), SIGBUS, "the CPU mapping is gone");
	is_errno(try_map(s.fd, PAGE, RW, MAP_SHARED), ENODEV, "nothing new gets in: mmap");
	is_errno(imp_attach(other, s.fd, IMPORTER_STATIC), ENODEV, "... an importer");
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "the device still works on shared memory");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), EBUSY, "again: busy");
	is_errno(imp_detach(imp), 0, "the importer detaches");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "the next call finishes");
	is_int(r.state, CCSHM_STATE_REVOKED, "result: revoked");
	is_int(r.device_mappings, 0, "result: no device");
	is_int(r.revoked, 1, "result: one revoked");
	is_errno(imp_attach(imp, s.fd, IMPORTER_STATIC), ENODEV, "it cannot come back");
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

	is_errno(imp_map(holds, IMPORTER_TO_DEVICE), 0, "one holds");
	is_errno(imp_map(lets_go, IMPORTER_TO_DEVICE), 0, "one lets go");
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(200), &r), EBUSY, "the buffer is revoked: busy");
	is_int(r.state, CCSHM_STATE_REVOKING, "result: revoking");
	is_int(r.device_mappings, 1, "result: one device");
	is_int(r.revoked, 2, "result: the two others are revoked");
	is_int(query(id).state, CCSHM_STATE_REVOKED, "QUERY: that which let go");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "QUERY: that which did not");
	is_int(touch_read(s.p), SIGBUS, "CPU mappings are gone");
	close(holds);
	is_errno(raw_revoke(ccshm, s.id, 0, 0, &r), 0, "the next call finishes");
	is_int(r.revoked, 3, "result: three revoked");
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
		 "a revocable export gives the kernel no mapping");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), 0, "a pinned one does");
	is_int(query(s.export_id).device_mappings, 1, "it is counted as a device's");
	is_errno(raw_ioctl(other, IMPORTER_IOC_VMAP, NULL), 0, "another gets the same");
	for (uint64_t at = 0; at < size; at += size - PAGE) {
		stamp_write(s.p + at, 6, at, PAGE);
		is_errno(imp_data(imp, IMPORTER_IOC_READ, at, data, sizeof(data)), 0,
			 "the kernel reads at 0x%llx", (unsigned long long)at);
		ok(stamp_check(data, 6, at, sizeof(data)), "... what the process wrote");
		stamp_write(data, 7, at, sizeof(data));
		is_errno(imp_data(imp, IMPORTER_IOC_WRITE, at, data, sizeof(data)), 0,
			 "the kernel writes");
		ok(stamp_check(s.p + at, 7, at, sizeof(data)), "... what the process reads");
	}
	is_int(violations(), before, "never the private view");

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(100), &r), EBUSY, "revoke: busy");
	is_int(r.device_mappings, 1, "result: one mapping");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), 0, "one lets go");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), EBUSY, "the other does not");
	is_errno(raw_ioctl(other, IMPORTER_IOC_VUNMAP, NULL), 0, "it lets go");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "the next call finishes");
	/* The dma-buf core warns once about a vmap that an exporter refuses. */
	expect_kmsg("WARNING: .*dma_buf_vmap");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), ENODEV, "there is no new one");
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

	is_int(peer_hear(&p), 0, "a process maps for a device");
	holders_are(&s, 1, 1);
	ok(revoke_waits(&thread, s.export_id), "a revoke waits for it");
	peer_end(&p, SIGKILL);
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "it is killed: that ends the revoke");
	holders_are(&s, 0, 0);
	shared_end(&s);
}

static void driver_leaves(void)
{
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_new(s.fd, IMPORTER_LATE), fixed = imp_new(t.fd, IMPORTER_STATIC);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "a device is mapped");
	is_errno(imp_map(fixed, IMPORTER_BIDIRECTIONAL), 0, "... twice");
	is_errno(device_unbind(EDU_A), 0, "its driver leaves it");
	holders_are(&s, 0, 0);
	holders_are(&t, 0, 0);
	is_int(imp_status(imp).attached, 0, "it has let go");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "it comes back");
	is_errno(imp_attach(imp, s.fd, IMPORTER_DYNAMIC), 0, "and attaches again");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "... and maps");
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "... and works");
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
	char *p;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "a device is mapped");
	shared_end(&s);
	ok(query(s.export_id).query_flags & CCSHM_QUERY_ORPHAN, "its export is an orphan");
	p = s.p = raw_map(look, UNIT, RW);
	ok(p && exported_moves_right(imp, &s, 0, 0, PAGE), "the device works on");
	munmap(p, UNIT);
	close(look);
	raw_info(ccshm, &info);
	is_int(info.bytes_shared, UNIT, "the memory is held by the importer alone");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT, "the owner may revoke");
	sleep_ms(100);
	raw_info(ccshm, &info);
	is_int(info.bytes_shared, UNIT, "the memory stays held");
	is_errno(imp_unmap(imp), 0, "the importer lets go");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0, "the revoke finishes");
	ok(wait_held(ccshm, 0, &info), "the memory is given back");
	is_errno(imp_detach(imp), 0, "the importer detaches");
	is_errno(raw_query(ccshm, s.export_id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "the export is gone");
	close(imp);
}

int main(void)
{
	exported_setup();
	importer_itself();
	if (cvm_present())
		importer_sees_bounces();
	imported(IMPORTER_DYNAMIC, 0, "dynamic");
	imported(IMPORTER_PINNED, pinned_can_let_go ? 0 : CCSHM_EXPORT_PINNED,
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
	dynamic_is_revoked(IMPORTER_PINNED, pinned_can_let_go ? 0 : CCSHM_EXPORT_PINNED,
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
