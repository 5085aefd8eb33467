// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: the device of a userspace driver reads and writes the shared memory directly, until
 * the holder of the attachment ends and not longer.
 *
 * vm-modules: ccshm importer
 * vm-kmods: uio_pci_generic
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "../modules/importer/ccshm_importer.h"

#define LEN	TRANSFER

/* ---- bytes ---- */

#define NOWHERE	(~0ULL)

/* Return an offset at which two units are contiguous also in DMA addresses, or NOWHERE. */
static uint64_t whole_units(const struct attached *a)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if (a->segment[i].length >= 2 * UNIT)
			return a->segment[i].offset;
	return NOWHERE;
}

static void bytes(void)
{
	struct shared s = shared_new(4 * MIB + 3 * PAGE);
	long long slots = bounce_slots(), before;
	struct ccshm_ioc_query q;
	struct attached a;
	struct edu edu;
	uint64_t unit;

	bounce_restart();
	before = bounce_most();
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	ok(fcntl(a.fd, F_GETFD) & FD_CLOEXEC, "the descriptor is close-on-exec");
	ok(segments_cover(&a, s.size), "its segments cover the buffer");
	q = query(a.id);
	is_int(q.type, CCSHM_TYPE_ATTACHMENT, "QUERY: type");
	is_int(q.state, CCSHM_STATE_ACTIVE, "QUERY: state");
	is_int(q.buffer_id, s.id, "QUERY: buffer");
	is_int(q.export_id, 0, "QUERY: no export");
	is_int(q.offset, 0, "QUERY: offset");
	is_int(q.size, s.size, "QUERY: size");
	is_int(q.device_mappings, 1, "QUERY: the device may use it");
	is_int(q.segments, a.nr, "QUERY: segments");
	is_int(q.dma_bits, 32, "QUERY: nobody has set a mask: 32 bits");
	is_str(q.device, PCI_A, "QUERY: device");
	is_int(query(s.id).attachments, 1, "QUERY of the buffer: attachments");
	if (cvm_present()) {
		is_int(cvm_page_state(dma_at(&a, 0)), 1, "the first page is shared");
		is_int(cvm_page_state(dma_at(&a, s.size - 1)), 1, "the last page is shared");
		ok(!(a.segment[0].dma_address >> 39), "the address has no bit of privacy");
	}

	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "the device copies: first page");
	ok(moves_right(&edu, &s, &a, s.size - PAGE, 3 * PAGE), "... last page");
	unit = whole_units(&a);
	if (unit == NOWHERE)
		skip("... across 2 MiB", "no two units are neighbours");
	else
		ok(moves_right(&edu, &s, &a, unit + UNIT - LEN / 2, 4 * PAGE), "... across 2 MiB");
	ok(moves_right(&edu, &s, &a, 5 * PAGE, s.size - LEN), "... to the last bytes");
	if (slots < 0) {
		skip("no bounce buffer is used", "this kernel has none");
	} else {
		is_int(bounce_slots(), slots, "no bounce buffer is in use");
		is_int(bounce_most(), before, "... and none was");
	}
	is_errno(raw_detach(a.fd, 0), 0, "DETACH");
	is_int(edu_bus_master(&edu), 1, "leaves the device alone");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "QUERY: over");
	is_int(query(a.id).device_mappings, 0, "QUERY: no device");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV, "no addresses any more");
	is_errno(raw_detach(a.fd, 0), 0, "DETACH again");
	close(a.fd);
	sleep_ms(200);
	is_int(edu_bus_master(&edu), 1, "closing it then leaves the device alone");
	is_errno(raw_query(ccshm, a.id, &q), ENOENT, "the attachment is gone");
	edu_close(&edu);
	shared_end(&s);
}

/* Test a buffer of memory with gaps between its blocks. */
static void many_segments(void)
{
	uint64_t hole[16];
	unsigned int total = 0;
	struct ccshm_ioc_segment one[2];
	struct attached a;
	struct edu edu;
	struct shared s;

	for (int i = 0; i < 16; i++)
		if (raw_alloc(ccshm, UNIT, &hole[i]))
			bail("no memory");
	for (int i = 0; i < 16; i += 2)
		raw_free(ccshm, hole[i]);
	sleep_ms(200);
	s = shared_new(64 * MIB);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a large buffer is attached");
	diag("%u segments", a.nr);
	ok(segments_cover(&a, s.size), "its segments cover it");
	device_start(&edu, EDU_A);
	for (unsigned int i = 0; i < a.nr && i < 4; i++) {
		uint64_t at = a.segment[i].offset, end = at + a.segment[i].length;

		ok(moves_right(&edu, &s, &a, at, 40 * MIB + 8 * PAGE), "segment %u: start", i);
		ok(moves_right(&edu, &s, &a, end - LEN, 40 * MIB + 8 * PAGE),
		   "segment %u: end", i);
	}

	is_int(raw_segments(a.fd, 0, one, 0, 1, &total), 1, "one segment is asked for");
	ok(total == a.nr && !memcmp(one, a.segment, sizeof(one[0])), "... and told of how many");
	is_int(raw_segments(a.fd, a.id, one, a.nr - 1, 2, NULL), 1, "the last, and no more");
	ok(!memcmp(one, &a.segment[a.nr - 1], sizeof(one[0])), "... is right");
	is_int(raw_segments(a.fd, 0, one, a.nr, 2, NULL), 0, "none from the end on");
	is_int(raw_segments(a.fd, 0, NULL, 0, 0, &total), 0, "none at all");
	is_int(total, a.nr, "... tells how many there are");
	is_errno(raw_segments(a.fd, 0, one, a.nr + 1, 1, NULL), EINVAL, "not beyond the end");
	is_errno(raw_segments(a.fd, s.id, one, 0, 1, NULL), EINVAL, "not of another id");
	is_errno(raw_segments(a.fd, 0, (void *)8, 0, 1, NULL), EFAULT, "not to nowhere");
	is_errno(raw_detach(a.fd, s.id), EINVAL, "DETACH of another id");
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE, "... does nothing");
	is_errno(attached_end(&a), 0, "DETACH");
	edu_close(&edu);
	shared_end(&s);
	for (int i = 1; i < 16; i += 2)
		raw_free(ccshm, hole[i]);
}

static void slices(void)
{
	struct shared s = shared_new(3 * UNIT);
	struct ccshm_ioc_attach req = { .id = s.id, .offset = UNIT - PAGE, .size = UNIT };
	int fd = raw_export_slice(ccshm, s.id, 0, 2 * PAGE, 2 * UNIT, NULL);
	struct attached a, b, whole;
	struct ccshm_ioc_query q;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &whole), 0, "a buffer is attached");
	is_errno(attach_with(ccshm, &req, PCI_A, &a), 0, "a slice of it is, too");
	ok(segments_cover(&a, UNIT), "the slice is covered");
	is_int(req.actual_size, UNIT, "its size is told");
	ok(dma_at(&a, 0) == dma_at(&whole, UNIT - PAGE) &&
	   dma_at(&a, UNIT - 1) == dma_at(&whole, 2 * UNIT - PAGE - 1), "... at the right place");

	req = (struct ccshm_ioc_attach){
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .offset = PAGE,
	};
	is_errno(attach_with(ccshm, &req, PCI_A, &b), 0, "a slice of a slice, of a dma-buf");
	ok(segments_cover(&b, 2 * UNIT - PAGE), "it is covered");
	ok(dma_at(&b, 0) == dma_at(&whole, 3 * PAGE), "... at the right place");
	q = query(b.id);
	is_int(q.offset, 3 * PAGE, "QUERY: offset in the buffer");
	is_int(q.size, 2 * UNIT - PAGE, "QUERY: size");
	is_int(query(q.export_id).attachments, 1, "QUERY of the export: one attachment");
	is_int(query(s.id).attachments, 3, "QUERY of the buffer: three");

	is_errno(TRY(PCI_A, .id = s.id, .offset = 1), EINVAL, "an offset that is not aligned");
	is_errno(TRY(PCI_A, .id = s.id, .size = PAGE + 1), EINVAL, "a size that is not");
	is_errno(TRY(PCI_A, .id = s.id, .offset = s.size), EINVAL, "beyond the end");
	is_errno(TRY(PCI_A, .id = s.id, .offset = PAGE, .size = s.size), EINVAL, "across the end");
	is_errno(TRY(PCI_A, .id = s.id, .offset = PAGE, .size = -PAGE), EINVAL, "overflowing");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .size = 2 * UNIT + PAGE),
		 EINVAL, "more than the dma-buf's slice");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .offset = 2 * UNIT),
		 EINVAL, "beyond it");
	is_errno(attached_end(&a), 0, "DETACH");
	is_errno(attached_end(&b), 0, "DETACH");
	is_errno(attached_end(&whole), 0, "DETACH");
	close(fd);
	shared_end(&s);
}

static void address_bits(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_attach req = { .id = s.id, .dma_bits = 64 };
	uint64_t last, end = 0;
	struct attached a;
	unsigned int bits = 0;

	is_errno(attach_with(ccshm, &req, PCI_A, &a), 0, "a device of 64 bits");
	is_int(query(a.id).dma_bits, 64, "QUERY: 64");
	for (unsigned int i = 0; i < a.nr; i++) {
		last = a.segment[i].dma_address + a.segment[i].length - 1;
		end = last > end ? last : end;
	}
	is_errno(attached_end(&a), 0, "DETACH");
	while (end >> bits)
		bits++;
	diag("the last byte is at 0x%llx", (unsigned long long)end);
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = bits), 0, "as many bits as it takes");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = bits - 1), ERANGE, "one bit less");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = 1), ERANGE, "one bit");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = 65), EINVAL, "more bits than there are");
	is_errno(TRY(PCI_B, .id = s.id, .dma_bits = 28), bits > 28 ? ERANGE : 0,
		 "a device that drives 28 bits");
	is_int(query(s.id).attachments, 0, "nothing is left of those");
	shared_end(&s);
}

/* ---- the holder ends ---- */

/* Test that a device whose bus mastering is off moves no byte in either direction. */
static void moves_nothing(struct edu *edu, struct shared *s, uint64_t from, uint64_t to,
			  const char *what)
{
	const volatile uint64_t *word = (void *)(s->p + PAGE);

	stamp_write(s->p, 7, 0, PAGE);
	stamp_write(s->p + PAGE, 8, PAGE, PAGE);
	edu_dma(edu, EDU_OUT, from, LEN, 0);
	edu_dma(edu, EDU_IN, to, LEN, 0);
	ok(stamp_check(s->p + PAGE, 8, PAGE, PAGE), "%s: the device writes nothing", what);
	/* A device that had read data would write the data now. */
	is_errno(edu_set_bus_master(edu, true), 0, "%s: bus mastering again", what);
	edu_dma(edu, EDU_IN, to, LEN, 0);
	ok(word[0] != stamp(8, PAGE), "%s: it writes", what);
	ok(word[0] != stamp(7, 0) && word[1] != stamp(7, 8), "%s: ... nothing that it has read",
	   what);
}

enum { HOLD_CLOSE, HOLD_DETACH_CLOSE, HOLD_EXEC };

/* Attach in a child process, and obey the suite's orders. */
static int holder(struct peer *parent, void *arg)
{
	struct shared *s = arg;
	struct attached a;
	int err = attach_buffer(ccshm, s->id, PCI_A, &a);

	peer_send(parent, err ? err : (int)a.id, -1);
	if (err)
		return err;
	switch (peer_hear(parent)) {
	case HOLD_DETACH_CLOSE:
		raw_detach(a.fd, 0);
		close(a.fd);
		break;
	case HOLD_CLOSE:
		close(a.fd);
		break;
	case HOLD_EXEC:
		execl("/bin/sleep", "sleep", "60", NULL);
	}
	peer_send(parent, 0, -1);
	return peer_hear(parent);
}

struct case_of_end {
	const char *what;
	int how;		/* what the holder does; -1: it gets a signal */
	int sig;
	bool stopped;
};

static void ends(const struct case_of_end *c)
{
	struct shared s = shared_new(UNIT);
	struct peer p = peer_start(ROOT, ALL_CAPS, holder, &s);
	int id = peer_hear(&p);
	struct attached whole;
	uint64_t from, to;
	struct edu edu;

	/* Read the DMA addresses, which remain valid while the buffer exists. */
	is_errno(attach_buffer(ccshm, s.id, PCI_B, &whole), 0, "%s: attached", c->what);
	from = dma_at(&whole, 0);
	to = dma_at(&whole, PAGE);
	is_errno(attached_end(&whole), 0, "%s: the addresses are known", c->what);
	if (!ok(id > 0, "%s: a process holds the device", c->what))
		return;
	device_start(&edu, EDU_A);
	stamp_write(s.p, 6, 0, PAGE);
	is_errno(device_copy(&edu, from, to, LEN), 0, "%s: the device copies", c->what);
	ok(stamp_check(s.p + PAGE, 6, 0, LEN), "%s: ... bytes", c->what);
	stamp_write(s.p + PAGE, 8, PAGE, PAGE);

	/* The device is still working when the holder ends. */
	is_errno(edu_dma_start(&edu, EDU_IN, to, LEN, 0), 0, "%s: the device is at work", c->what);
	if (c->sig)
		peer_end(&p, c->sig);
	else if (c->how == HOLD_EXEC)
		peer_send(&p, HOLD_EXEC, -1);
	else
		is_int(peer_ask(&p, c->how), 0, "%s: the holder does it", c->what);
	if (c->stopped) {
		ok(bus_master_is(&edu, 0), "%s: no bus mastering", c->what);
		edu_dma_wait(&edu);
		ok(stamp_check(s.p + PAGE, 8, PAGE, PAGE), "%s: what was under way moves no byte",
		   c->what);
		moves_nothing(&edu, &s, from, to, c->what);
	} else {
		sleep_ms(300);
		is_int(edu_bus_master(&edu), 1, "%s: bus mastering as it was", c->what);
		edu_dma_wait(&edu);
		ok(stamp_check(s.p + PAGE, 6, 0, LEN), "%s: what was under way goes on", c->what);
	}
	is_errno(raw_query(ccshm, id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "%s: the attachment is gone", c->what);
	if (!c->sig)
		peer_end(&p, c->how == HOLD_EXEC ? SIGKILL : SIGTERM);
	edu_close(&edu);
	shared_end(&s);
}

static void holder_goes(void)
{
	static const struct case_of_end cases[] = {
		{ "kill -9", -1, SIGKILL, true },
		{ "close", HOLD_CLOSE, 0, true },
		{ "exec", HOLD_EXEC, 0, true },
		{ "DETACH and close", HOLD_DETACH_CLOSE, 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ends(&cases[i]);
}

static void forced(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "forced revoke: attached");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "forced revoke: the device copies");
	stamp_write(s.p + PAGE, 8, PAGE, PAGE);
	is_errno(edu_dma_start(&edu, EDU_IN, dma_at(&a, PAGE), LEN, 0), 0,
		 "forced revoke: the device is at work");
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(10000), &r), 0, "forced revoke");
	is_int(r.stopped, 1, "forced revoke: the result says that the device was stopped");
	is_int(edu_bus_master(&edu), 0, "forced revoke: no bus mastering");
	edu_dma_wait(&edu);
	ok(stamp_check(s.p + PAGE, 8, PAGE, PAGE), "forced revoke: nothing under way moves a byte");
	moves_nothing(&edu, &s, dma_at(&a, 0), dma_at(&a, PAGE), "forced revoke");
	close(a.fd);
	edu_close(&edu);
	shared_end(&s);
}

/* Keep an inherited descriptor of the attachment: each process with the descriptor holds it. */
static int keeps_it(struct peer *parent, void *arg)
{
	(void)arg;
	return peer_hear(parent);
}

static void last_reference(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct peer child;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a descriptor of two processes");
	device_start(&edu, EDU_A);
	child = peer_start(ROOT, ALL_CAPS, keeps_it, NULL);
	close(a.fd);
	sleep_ms(300);
	is_int(edu_bus_master(&edu), 1, "one closes it: the device goes on");
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE, "... and the attachment");
	ok(moves_right(&edu, &s, &a, 0, PAGE), "... and moves bytes");
	peer_end(&child, SIGKILL);
	ok(bus_master_is(&edu, 0), "the other dies: the device is stopped");
	edu_close(&edu);
	shared_end(&s);
}

/*
 * Test a service that dies and restarts: when the first attachment ends, the device must keep
 * running for the second one.
 */
static void attached_anew(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;
	int stopped = 0;

	if (edu_open(EDU_A, &edu))
		bail("no device");
	for (int i = 0; i < 20; i++) {
		if (attach_buffer(ccshm, s.id, PCI_A, &a))
			bail("round %d: not attached again", i);
		edu_set_bus_master(&edu, true);
		sleep_ms(20);
		stopped += !edu_bus_master(&edu);
		close(a.fd);
	}
	is_int(stopped, 0, "attached again 20 times, at once after its holder has gone: the device keeps running");
	ok(bus_master_is(&edu, 0), "the last holder goes: the device is stopped");
	edu_close(&edu);
	shared_end(&s);
}

/*
 * Test two attachments of one device: the end of one stops the whole device, and the other stays
 * active.
 */
static void two_of_one_device(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a, b;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &b), 0, "... twice");
	device_start(&edu, EDU_A);
	close(a.fd);
	ok(bus_master_is(&edu, 0), "one is closed: the device is stopped");
	is_int(query(b.id).state, CCSHM_STATE_ACTIVE, "the other is active");
	is_errno(edu_set_bus_master(&edu, true), 0, "its holder starts the device again");
	ok(moves_right(&edu, &s, &b, 0, PAGE), "... which moves bytes");
	is_errno(attached_end(&b), 0, "DETACH");
	is_int(edu_bus_master(&edu), 1, "leaves it alone");
	edu_close(&edu);
	shared_end(&s);
}

/* ---- persistent attachments ---- */

struct persistent_call {
	uint64_t buffer;
	struct attached a;
};

static int attach_persistent(void *arg)
{
	struct persistent_call *c = arg;
	struct ccshm_ioc_attach req = { .id = c->buffer, .flags = CCSHM_ATTACH_PERSISTENT };
	int fd = raw_open(), err = attach_with(fd, &req, PCI_A, &c->a);

	close(fd);
	return err ? err : req.fd == -1 ? 0 : -EBADF;
}

static int detach_as(void *arg)
{
	struct persistent_call *c = arg;

	return raw_detach(raw_open(), c->a.id);
}

static int segments_as(void *arg)
{
	struct persistent_call *c = arg;

	return raw_segments(raw_open(), c->a.id, c->a.segment, 0, MAX_SEGMENTS, NULL);
}

static void persistent(void)
{
	struct persistent_call *c = common(sizeof(*c));
	struct ccshm_ioc_info info;
	struct shared s;
	struct edu edu;

	is_errno(raw_alloc_named(ccshm, UNIT, "attached", 0600, &c->buffer), 0,
		 "a persistent buffer");
	s = shared_map(c->buffer, UNIT);
	is_errno(as_user(ROOT, CAP(SYS_RAWIO), attach_persistent, c), 0,
		 "a process attaches it persistently, and ends");
	is_int(query(c->a.id).state, CCSHM_STATE_ACTIVE, "the attachment stays");
	is_int(query(c->a.id).object_flags, CCSHM_ATTACH_PERSISTENT, "QUERY: flags");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &c->a, 0, PAGE), "the device moves bytes");
	is_errno(driver_unload(), EAGAIN, "the driver cannot be unloaded");

	is_int(as_user(ROOT, CAP(SYS_RAWIO), segments_as, c), c->a.nr, "SEGMENTS by id");
	is_errno(as_user(ROOT, 0, segments_as, c), EPERM, "... needs CAP_SYS_RAWIO");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), segments_as, c), ENOENT, "... and control");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), detach_as, c), ENOENT, "DETACH by id needs control");
	is_errno(as_user(ROOT, 0, detach_as, c), EPERM, "... and CAP_SYS_RAWIO");
	is_int(query(c->a.id).state, CCSHM_STATE_ACTIVE, "... and did nothing");

	is_errno(raw_free(ccshm, c->buffer), 0, "the buffer is freed");
	ok(query(c->a.id).query_flags & CCSHM_QUERY_ORPHAN, "the attachment is an orphan");
	munmap(s.p, s.size);
	close(s.fd);
	/* With several processors, the driver may still be returning memory of earlier tests. */
	ok(wait_held(ccshm, UNIT, &info), "the memory is held");
	is_errno(as_user(ROOT, CAP(SYS_RAWIO), detach_as, c), 0, "DETACH by id");
	is_int(edu_bus_master(&edu), 1, "leaves the device alone");
	is_errno(raw_query(ccshm, c->a.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "the attachment is gone");
	ok(wait_held(ccshm, 0, &info), "the memory is given back");

	is_errno(raw_alloc(ccshm, UNIT, &c->buffer), 0, "an anonymous buffer");
	is_errno(TRY(PCI_A, .id = c->buffer, .flags = CCSHM_ATTACH_PERSISTENT), EINVAL,
		 "cannot be attached persistently");
	is_errno(raw_free(ccshm, c->buffer), 0, "it is freed");
	edu_close(&edu);
	munmap(c, sizeof(*c));
}

/* ---- refused calls ---- */

static void names(uint64_t id)
{
	static const char *const bad[] = {
		"", "pci:", "pci", EDU_A, "usb:" EDU_A, "platform:" EDU_A, "pci:" EDU_A "0",
		"pci:hello", "pci:0000:00:04", "pci:0000:00:04.8", "pci:0:0:4.0", "pci:" EDU_A " ",
		"pci:0000:00:20.0", "pci:0000:00:0g.0", "pci: 000:00:04.0", "pci:../devices",
	};
	struct ccshm_ioc_attach req = { .id = id };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_errno(TRY(bad[i], .id = id), EINVAL, "the device \"%s\" is no name", bad[i]);
	is_errno(TRY("pci:0000:00:1e.0", .id = id), ENODEV, "a device that is not there");
	is_errno(TRY("pci:ffff:00:04.0", .id = id), ENODEV, "... nor its domain");
	memset(req.device, 'a', sizeof(req.device));
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req), EINVAL, "a name without an end");
	memcpy(req.device, PCI_A, sizeof(PCI_A));
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req), EINVAL, "a name with more behind it");
}

static int attach_own(void *arg)
{
	int fd = raw_open(), err;
	struct attached a;
	uint64_t id;

	(void)arg;
	err = raw_alloc(fd, PAGE, &id);
	if (!err)
		err = attach_buffer(fd, id, PCI_A, &a);
	return err ? err : attached_end(&a);
}

static int attach_others(void *arg)
{
	uint64_t *id = arg;
	struct attached a;
	int err = attach_buffer(raw_open(), *id, PCI_A, &a);

	return err ? err : attached_end(&a);
}

static void permissions(void)
{
	uint64_t none, read, write;

	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_own, NULL), 0,
		 "a user with CAP_SYS_RAWIO attaches a buffer of her own");
	is_errno(as_user(ALICE, 0, attach_own, NULL), EPERM, "... without it not");
	raw_alloc_named(ccshm, PAGE, "none", 0600, &none);
	raw_alloc_named(ccshm, PAGE, "read", 0644, &read);
	raw_alloc_named(ccshm, PAGE, "write", 0666, &write);
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &none), ENOENT,
		 "a buffer that she may not see");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &read), EACCES,
		 "one that she may only read");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &write), 0,
		 "one that she may write");
	is_errno(as_user(ALICE, 0, attach_others, &write), EPERM, "... needs CAP_SYS_RAWIO too");
	raw_free(ccshm, none);
	raw_free(ccshm, read);
	raw_free(ccshm, write);
}

static int foreign_dmabuf(void)
{
	struct importer_foreign req = { 0 };
	int fd = open(IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, IMPORTER_IOC_FOREIGN, &req))
		bail("no foreign dma-buf: %s", strerror(errno));
	close(fd);
	return req.fd;
}

#define TRY_DMABUF(fd)	TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = (fd))

static void refused(void)
{
	struct shared s = shared_new(UNIT);
	int ro = raw_export(ccshm, s.id, CCSHM_EXPORT_READ_ONLY, NULL);
	int none = raw_export(ccshm, s.id, CCSHM_EXPORT_NO_CPU, NULL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), other = foreign_dmabuf();

	names(s.id);
	is_errno(TRY(PCI_A, .id = s.id, .flags = 4), EINVAL, "an unknown flag");
	is_errno(TRY(PCI_A, .id = s.id, .reserved = 1), EINVAL, "a reserved field");
	is_errno(TRY(PCI_A, .id = s.id, .dmabuf_fd = s.fd), EINVAL, "a dma-buf and no flag");
	is_errno(TRY(PCI_A, .id = s.id, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s.fd), EINVAL,
		 "a dma-buf and a buffer");
	is_errno(TRY(PCI_A, .id = ~0ULL), ENOENT, "no such buffer");
	is_errno(TRY(PCI_A, .id = s.export_id), ENOENT, "an export's id");
	is_errno(TRY_DMABUF(s.fd), 0, "a dma-buf");
	is_errno(TRY_DMABUF(none), 0, "one that no CPU may use");
	is_errno(TRY_DMABUF(ro), EACCES, "one that is read-only");
	is_errno(TRY_DMABUF(other), EMEDIUMTYPE, "somebody else's");
	is_errno(TRY_DMABUF(null), EMEDIUMTYPE, "a file that is none");
	is_errno(TRY_DMABUF(ccshm), EMEDIUMTYPE, "the device itself");
	is_errno(TRY_DMABUF(9999), EBADF, "a descriptor that is not open");
	is_errno(TRY_DMABUF(-1), EBADF, "a negative descriptor");
	is_int(query(s.id).attachments, 0, "nothing is left of those");
	close(ro);
	close(none);
	close(null);
	close(other);
	shared_end(&s);
}

/* ---- the device and its driver appear and disappear ---- */

static void kernel_driver(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct attached a;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "attached while nobody owns the device");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "a kernel driver comes");
	is_str(device_driver(EDU_A), IMPORTER_DRIVER, "it owns the device");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "the attachment is over");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV, "its addresses are void");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "a revoke has nothing to do");
	is_int(r.stopped, 1, "... and says that ccshm has stopped the device");
	close(a.fd);
	is_errno(TRY(PCI_A, .id = s.id), EBUSY, "a device of a kernel driver is refused");
	is_errno(TRY(PCI_B, .id = s.id, .dma_bits = 32), 0, "... another is not");
	is_errno(device_unbind(EDU_A), 0, "the driver goes");
	is_errno(TRY(PCI_A, .id = s.id), 0, "it can be attached again");
	shared_end(&s);
}

/* Test the driver uio_pci_generic, which exists for drivers in user space. */
static void uio_driver(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct pollfd pfd = { .events = POLLPRI };
	struct attached a;
	struct edu edu;

	if (device_bind(EDU_A, "uio_pci_generic") || strcmp(device_driver(EDU_A), "uio_pci_generic")) {
		skip("a device of uio", "uio_pci_generic does not take this device");
		device_file(EDU_A, "driver_override", "\n");
		shared_end(&s);
		return;
	}
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device of uio is attached");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "it moves bytes");
	is_errno(device_unbind(EDU_A), 0, "uio goes");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "the attachment is over");
	is_int(edu_bus_master(&edu), 0, "the device is stopped");
	pfd.fd = a.fd;
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents & POLLPRI && pfd.revents & POLLHUP,
	   "its holder is told");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "a revoke has nothing to do");
	is_int(r.stopped, 1, "... and says that ccshm has stopped the device");
	is_errno(attached_end(&a), 0, "DETACH is still possible");
	edu_close(&edu);
	shared_end(&s);
}

static void hot_unplug(void)
{
	struct persistent_call *c = common(sizeof(*c));
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct attached a;
	struct edu edu;

	is_errno(raw_alloc_named(ccshm, UNIT, "unplugged", 0600, &c->buffer), 0, "two buffers");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	is_errno(attach_persistent(c), 0, "... to both");
	device_start(&edu, EDU_A);
	edu_close(&edu);
	is_errno(device_file(EDU_A, "remove", "1"), 0, "the device is removed");
	ok(!device_exists(EDU_A), "it is gone");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "the attachment is over");
	is_str(query(a.id).device, PCI_A, "... and says of what");
	is_errno(raw_query(ccshm, c->a.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "the persistent one is gone");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "a revoke has nothing to do");
	is_int(r.state, CCSHM_STATE_REVOKED, "result: revoked");
	is_errno(TRY(PCI_A, .id = s.id), ENODEV, "it cannot be attached");
	is_errno(raw_free(ccshm, c->buffer), 0, "one buffer is freed");

	is_errno(write_text("/sys/bus/pci/rescan", "1"), 0, "the bus is scanned");
	ok(device_exists(EDU_A), "the device is there again");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "the old attachment stays over");
	is_errno(attached_end(&a), 0, "DETACH of it");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "it is attached anew");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "it moves bytes");
	is_errno(attached_end(&a), 0, "DETACH");
	edu_close(&edu);
	shared_end(&s);
	munmap(c, sizeof(*c));
}

/* ---- the buffer ends ---- */

static void buffer_goes(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_info info;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	device_start(&edu, EDU_A);
	shared_end(&s);
	ok(query(a.id).query_flags & CCSHM_QUERY_ORPHAN, "its attachment is an orphan");
	raw_info(ccshm, &info);
	is_int(info.bytes_shared, UNIT, "the memory is held");
	if (cvm_present())
		is_int(cvm_page_state(dma_at(&a, 0)), 1, "... and shared");
	is_errno(device_copy(&edu, dma_at(&a, 0), dma_at(&a, PAGE), LEN), 0,
		 "the device still works on it");
	close(a.fd);
	ok(bus_master_is(&edu, 0), "the holder goes: it is stopped");
	ok(wait_held(ccshm, 0, &info), "... and the memory given back");
	edu_close(&edu);
}

int main(void)
{
	suite_begin();
	bytes();
	many_segments();
	slices();
	address_bits();
	holder_goes();
	forced();
	last_reference();
	attached_anew();
	two_of_one_device();
	persistent();
	permissions();
	refused();
	kernel_driver();
	uio_driver();
	hot_unplug();
	buffer_goes();
	return suite_end();
}
