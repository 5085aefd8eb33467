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
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH of a buffer works");
	ok(fcntl(a.fd, F_GETFD) & FD_CLOEXEC, "ATTACH: the descriptor is close-on-exec");
	ok(segments_cover(&a, s.size), "ATTACH: the segments cover the buffer");
	q = query(a.id);
	is_int(q.type, CCSHM_TYPE_ATTACHMENT, "QUERY of an attachment: the type");
	is_int(q.state, CCSHM_STATE_ACTIVE, "QUERY of an attachment: the state is active");
	is_int(q.buffer_id, s.id, "QUERY of an attachment: the buffer's id");
	is_int(q.export_id, 0, "QUERY of an attachment of a buffer: no export");
	is_int(q.offset, 0, "QUERY of an attachment of a whole buffer: offset 0");
	is_int(q.size, s.size, "QUERY of an attachment of a whole buffer: the size");
	is_int(q.device_mappings, 1, "QUERY of an attachment: one device mapping");
	is_int(q.segments, a.nr, "QUERY of an attachment: the number of segments");
	is_int(q.dma_bits, 32, "QUERY of an attachment without dma_bits: 32 bits");
	is_str(q.device, PCI_A, "QUERY of an attachment: the device");
	is_int(query(s.id).attachments, 1, "QUERY of the buffer: one attachment");
	if (cvm_present()) {
		is_int(cvm_page_state(dma_at(&a, 0)), 1, "ATTACH: the first page is shared");
		is_int(cvm_page_state(dma_at(&a, s.size - 1)), 1,
		       "ATTACH: the last page is shared");
		ok(!(a.segment[0].dma_address >> 39), "the DMA address has no bit of privacy");
	}

	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "the device copies the first page");
	ok(moves_right(&edu, &s, &a, s.size - PAGE, 3 * PAGE), "the device copies the last page");
	unit = whole_units(&a);
	if (unit == NOWHERE)
		skip("the device copies across a boundary of 2 MiB", "no two units are adjacent");
	else
		ok(moves_right(&edu, &s, &a, unit + UNIT - LEN / 2, 4 * PAGE),
		   "the device copies across a boundary of 2 MiB");
	ok(moves_right(&edu, &s, &a, 5 * PAGE, s.size - LEN),
	   "the device copies to the last bytes");
	if (slots < 0) {
		skip("no bounce buffer is in use", "this kernel does not count bounce buffers");
	} else {
		is_int(bounce_slots(), slots, "no bounce buffer is in use");
		is_int(bounce_most(), before, "no bounce buffer was used by the copies");
	}
	is_errno(raw_detach(a.fd, 0), 0, "DETACH works");
	is_int(edu_bus_master(&edu), 1, "DETACH leaves bus mastering on");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "QUERY after DETACH: the state is revoked");
	is_int(query(a.id).device_mappings, 0, "QUERY after DETACH: no device mapping");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "SEGMENTS after DETACH: ENODEV");
	is_errno(raw_detach(a.fd, 0), 0, "a second DETACH works");
	close(a.fd);
	sleep_ms(200);
	is_int(edu_bus_master(&edu), 1,
	       "closing the attachment after DETACH leaves bus mastering on");
	is_errno(raw_query(ccshm, a.id, &q), ENOENT,
		 "QUERY after the attachment is closed: ENOENT");
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
			bail("ALLOC failed");
	for (int i = 0; i < 16; i += 2)
		must(raw_free(ccshm, hole[i]));
	sleep_ms(200);
	s = shared_new(64 * MIB);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH of a large buffer works");
	diag("%u segments", a.nr);
	ok(segments_cover(&a, s.size), "ATTACH of a large buffer: the segments cover it");
	device_start(&edu, EDU_A);
	for (unsigned int i = 0; i < a.nr && i < 4; i++) {
		uint64_t at = a.segment[i].offset, end = at + a.segment[i].length;

		ok(moves_right(&edu, &s, &a, at, 40 * MIB + 8 * PAGE),
		   "the device copies to the start of segment %u", i);
		ok(moves_right(&edu, &s, &a, end - LEN, 40 * MIB + 8 * PAGE),
		   "the device copies to the end of segment %u", i);
	}

	is_int(raw_segments(a.fd, 0, one, 0, 1, &total), 1,
	       "SEGMENTS with room for one returns one");
	ok(total == a.nr && !memcmp(one, a.segment, sizeof(one[0])),
	   "SEGMENTS with room for one returns the first segment and the total");
	is_int(raw_segments(a.fd, a.id, one, a.nr - 1, 2, NULL), 1,
	       "SEGMENTS from the last index returns one");
	ok(!memcmp(one, &a.segment[a.nr - 1], sizeof(one[0])),
	   "SEGMENTS from the last index returns the last segment");
	is_int(raw_segments(a.fd, 0, one, a.nr, 2, NULL), 0,
	       "SEGMENTS at the end returns 0 segments");
	is_int(raw_segments(a.fd, 0, NULL, 0, 0, &total), 0,
	       "SEGMENTS without an array returns 0 segments");
	is_int(total, a.nr, "SEGMENTS without an array returns the total");
	is_errno(raw_segments(a.fd, 0, one, a.nr + 1, 1, NULL), EINVAL,
		 "SEGMENTS beyond the end: EINVAL");
	is_errno(raw_segments(a.fd, s.id, one, 0, 1, NULL), EINVAL,
		 "SEGMENTS on the attachment with another id: EINVAL");
	is_errno(raw_segments(a.fd, 0, (void *)8, 0, 1, NULL), EFAULT,
		 "SEGMENTS to a bad pointer: EFAULT");
	is_errno(raw_detach(a.fd, s.id), EINVAL, "DETACH with another id: EINVAL");
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE,
	       "DETACH with another id leaves the attachment active");
	is_errno(attached_end(&a), 0, "DETACH of a large buffer works");
	edu_close(&edu);
	shared_end(&s);
	for (int i = 1; i < 16; i += 2)
		must(raw_free(ccshm, hole[i]));
}

static void slices(void)
{
	struct shared s = shared_new(3 * UNIT);
	struct ccshm_ioc_attach req = { .id = s.id, .offset = UNIT - PAGE, .size = UNIT };
	int fd = raw_export_slice(ccshm, s.id, 0, 2 * PAGE, 2 * UNIT, NULL);
	struct attached a, b, whole;
	struct ccshm_ioc_query q;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &whole), 0, "ATTACH of the whole buffer works");
	is_errno(attach_with(ccshm, &req, PCI_A, &a), 0, "ATTACH of a slice works");
	ok(segments_cover(&a, UNIT), "ATTACH of a slice: the segments cover the slice");
	is_int(req.actual_size, UNIT, "ATTACH of a slice: actual_size is the size of the slice");
	ok(dma_at(&a, 0) == dma_at(&whole, UNIT - PAGE) &&
	   dma_at(&a, UNIT - 1) == dma_at(&whole, 2 * UNIT - PAGE - 1),
	"ATTACH of a slice: the DMA addresses are those of the slice");

	req = (struct ccshm_ioc_attach){
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .offset = PAGE,
	};
	is_errno(attach_with(ccshm, &req, PCI_A, &b), 0,
		 "ATTACH of a slice of a dma-buf of a slice works");
	ok(segments_cover(&b, 2 * UNIT - PAGE),
	   "ATTACH of a slice of a dma-buf: the segments cover the slice");
	ok(dma_at(&b, 0) == dma_at(&whole, 3 * PAGE),
	   "ATTACH of a slice of a dma-buf: the DMA address is that of the slice");
	q = query(b.id);
	is_int(q.offset, 3 * PAGE, "QUERY of an attachment of a dma-buf: the offset in the buffer");
	is_int(q.size, 2 * UNIT - PAGE, "QUERY of an attachment of a dma-buf: the size");
	is_int(query(q.export_id).attachments, 1, "QUERY of the export: one attachment");
	is_int(query(s.id).attachments, 3, "QUERY of the buffer: three attachments");

	is_errno(TRY(PCI_A, .id = s.id, .offset = 1), EINVAL,
		 "ATTACH with an unaligned offset: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .size = PAGE + 1), EINVAL,
		 "ATTACH with an unaligned size: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .offset = s.size), EINVAL,
		 "ATTACH with an offset at the end: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .offset = PAGE, .size = s.size), EINVAL,
		 "ATTACH of a range across the end: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .offset = PAGE, .size = -PAGE), EINVAL,
		 "ATTACH of a range that overflows: EINVAL");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .size = 2 * UNIT + PAGE),
		 EINVAL, "ATTACH of more than the dma-buf's slice: EINVAL");
	is_errno(TRY(PCI_A, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = fd, .offset = 2 * UNIT),
		 EINVAL, "ATTACH beyond the end of the dma-buf's slice: EINVAL");
	is_errno(attached_end(&a), 0, "DETACH of the slice works");
	is_errno(attached_end(&b), 0, "DETACH of the slice of a dma-buf works");
	is_errno(attached_end(&whole), 0, "DETACH of the whole buffer works");
	close(fd);
	shared_end(&s);
}

/* An attachment that was made from a dma-buf outlives it. The export ends with the dma-buf. */
static void dmabuf_goes(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_info before, after;
	struct ccshm_ioc_query q;
	struct attached a;
	uint64_t export;
	int fd;

	must(raw_info(ccshm, &before));
	fd = raw_export(ccshm, s.id, 0, &export);
	must(attach_dmabuf(ccshm, fd, PCI_A, &a));
	close(fd);
	is_errno(raw_query(ccshm, export, &q), ENOENT,
		 "the dma-buf of an attachment is closed: the export has ended");
	must(raw_info(ccshm, &after));
	is_int(after.exports, before.exports,
	       "the dma-buf of an attachment is closed: INFO does not count the export");
	is_int(after.user_exports, before.user_exports,
	       "the dma-buf of an attachment is closed: the limit of exports does not count it");
	is_int(query(a.id).export_id, export,
	       "the dma-buf of an attachment is closed: QUERY of the attachment names the export");
	must(attached_end(&a));
	must(raw_info(ccshm, &after));
	is_int(after.exports, before.exports,
	       "an attachment outlived its dma-buf: the export is uncounted once");
	shared_end(&s);
}

static void address_bits(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_attach req = { .id = s.id, .dma_bits = 64 };
	uint64_t last, end = 0;
	struct attached a;
	unsigned int bits = 0;

	is_errno(attach_with(ccshm, &req, PCI_A, &a), 0, "ATTACH with dma_bits=64 works");
	is_int(query(a.id).dma_bits, 64, "QUERY of an attachment with dma_bits=64: 64 bits");
	for (unsigned int i = 0; i < a.nr; i++) {
		last = a.segment[i].dma_address + a.segment[i].length - 1;
		end = last > end ? last : end;
	}
	is_errno(attached_end(&a), 0, "DETACH of the attachment with dma_bits=64 works");
	while (end >> bits)
		bits++;
	diag("the last byte is at 0x%llx", (unsigned long long)end);
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = bits), 0,
		 "ATTACH with as many dma_bits as the last address needs works");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = bits - 1), ERANGE,
		 "ATTACH with one dma_bit less than the last address needs: ERANGE");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = 1), ERANGE, "ATTACH with dma_bits=1: ERANGE");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = 65), EINVAL, "ATTACH with dma_bits=65: EINVAL");
	is_errno(TRY(PCI_B, .id = s.id, .dma_bits = 28), bits > 28 ? ERANGE : 0,
		 "ATTACH with dma_bits=28: ERANGE if the buffer is above 256 MiB");
	is_int(query(s.id).attachments, 0, "ATTACH with several dma_bits: no attachment is left");
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
	must(edu_dma(edu, EDU_OUT, from, LEN, 0));
	must(edu_dma(edu, EDU_IN, to, LEN, 0));
	ok(stamp_check(s->p + PAGE, 8, PAGE, PAGE),
	   "%s: without bus mastering the device writes nothing", what);
	/* A device that had read data would write the data now. */
	is_errno(edu_set_bus_master(edu, true), 0, "%s: bus mastering is switched on again", what);
	must(edu_dma(edu, EDU_IN, to, LEN, 0));
	ok(word[0] != stamp(8, PAGE), "%s: with bus mastering on again the device writes", what);
	ok(word[0] != stamp(7, 0) && word[1] != stamp(7, 8),
	   "%s: the device does not write bytes read while bus mastering was off",
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
		must(raw_detach(a.fd, 0));
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

/* How often to repeat a test in which no transfer was in progress. */
#define TRIES	20

/*
 * Start transfers to the second page, one after the other, until bus mastering is off, at most for
 * 10 s. Return false if no transfer was in progress when bus mastering was switched off: the last one
 * may have ended before that.
 */
static bool works_until_stopped(struct edu *edu, struct shared *s, uint64_t to)
{
	int64_t end = in_ms(10000);

	while (now_ns() < end) {
		while (edu_dma_busy(edu) && edu_bus_master(edu) == 1)
			sleep_ms(1);
		if (edu_bus_master(edu) != 1)
			return edu_dma_busy(edu);
		stamp_write(s->p + PAGE, 8, PAGE, PAGE);
		if (edu_dma_start(edu, EDU_IN, to, LEN, 0))
			bail("a transfer cannot be started");
	}
	return true;
}

struct case_of_end {
	const char *what;
	int how;		/* what the holder does; -1: it gets a signal */
	int sig;
	bool stopped;
};

/* Return false if no transfer was in progress when the device was stopped. */
static bool ends(const struct case_of_end *c)
{
	struct shared s = shared_new(UNIT);
	struct peer p = peer_start(ROOT, ALL_CAPS, holder, &s);
	int id = peer_hear(&p);
	bool in_progress = true;
	struct attached whole;
	uint64_t from, to;
	struct edu edu;

	/* Read the DMA addresses, which remain valid while the buffer exists. */
	is_errno(attach_buffer(ccshm, s.id, PCI_B, &whole), 0,
		 "%s: ATTACH by the test works", c->what);
	from = dma_at(&whole, 0);
	to = dma_at(&whole, PAGE);
	is_errno(attached_end(&whole), 0, "%s: DETACH by the test works", c->what);
	if (!ok(id > 0, "%s: a process attaches the device", c->what))
		return true;
	device_start(&edu, EDU_A);
	stamp_write(s.p, 6, 0, PAGE);
	is_errno(device_copy(&edu, from, to, LEN), 0,
		 "%s: the device copies before the end", c->what);
	ok(stamp_check(s.p + PAGE, 6, 0, LEN), "%s: the copied bytes are right", c->what);
	stamp_write(s.p + PAGE, 8, PAGE, PAGE);

	/* The device is still working when the holder ends. */
	is_errno(edu_dma_start(&edu, EDU_IN, to, LEN, 0), 0, "%s: a transfer is started", c->what);
	if (c->sig)
		kill(p.pid, c->sig);
	else
		peer_send(&p, c->how, -1);
	if (c->stopped)
		in_progress = works_until_stopped(&edu, &s, to);
	if (c->sig)
		peer_must_end(&p, c->sig);
	else if (c->how != HOLD_EXEC)
		is_int(peer_hear(&p), 0, "%s: the process ends its attachment", c->what);
	if (c->stopped) {
		ok(bus_master_is(&edu, 0), "%s: bus mastering is off", c->what);
		must(edu_dma_wait(&edu));
		if (in_progress) {
			ok(stamp_check(s.p + PAGE, 8, PAGE, PAGE),
			   "%s: the transfer in progress moves no byte", c->what);
			moves_nothing(&edu, &s, from, to, c->what);
		}
	} else {
		sleep_ms(300);
		is_int(edu_bus_master(&edu), 1, "%s: bus mastering is unchanged", c->what);
		must(edu_dma_wait(&edu));
		ok(stamp_check(s.p + PAGE, 6, 0, LEN),
		   "%s: the transfer in progress completes", c->what);
	}
	if (in_progress)
		is_errno(raw_query(ccshm, id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
			 "%s: QUERY of the attachment: ENOENT", c->what);
	if (!c->sig)
		peer_must_end(&p, c->how == HOLD_EXEC ? SIGKILL : SIGTERM);
	edu_close(&edu);
	shared_end(&s);
	return in_progress;
}

static void holder_goes(void)
{
	static const struct case_of_end cases[] = {
		{ "kill -9", -1, SIGKILL, true },
		{ "close", HOLD_CLOSE, 0, true },
		{ "exec", HOLD_EXEC, 0, true },
		{ "DETACH and close", HOLD_DETACH_CLOSE, 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int tries = 1;

		while (!ends(&cases[i]) && tries < TRIES)
			tries++;
		if (cases[i].stopped)
			ok(tries < TRIES, "%s: a transfer is in progress when the device is stopped",
			   cases[i].what);
	}
}

/* Return false if no transfer was in progress when the device was stopped. */
static bool forced_once(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	bool in_progress;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "forced revoke: ATTACH works");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE),
	   "forced revoke: the device copies before the revoke");
	stamp_write(s.p + PAGE, 8, PAGE, PAGE);
	is_errno(edu_dma_start(&edu, EDU_IN, dma_at(&a, PAGE), LEN, 0), 0,
		 "forced revoke: a transfer is started");
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(10000), &r), 0,
		 "forced revoke: REVOKE with FORCE works");
	in_progress = edu_dma_busy(&edu);
	is_int(r.stopped, 1, "forced revoke: the result reports that the device was stopped");
	is_int(edu_bus_master(&edu), 0, "forced revoke: bus mastering is off");
	must(edu_dma_wait(&edu));
	if (in_progress) {
		ok(stamp_check(s.p + PAGE, 8, PAGE, PAGE),
		   "forced revoke: the transfer in progress moves no byte");
		moves_nothing(&edu, &s, dma_at(&a, 0), dma_at(&a, PAGE), "forced revoke");
	}
	close(a.fd);
	edu_close(&edu);
	shared_end(&s);
	return in_progress;
}

static void forced(void)
{
	int tries = 1;

	while (!forced_once() && tries < TRIES)
		tries++;
	ok(tries < TRIES, "forced revoke: a transfer is in progress when the device is stopped");
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

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "ATTACH of a buffer by a process that will fork works");
	device_start(&edu, EDU_A);
	child = peer_start(ROOT, ALL_CAPS, keeps_it, NULL);
	close(a.fd);
	sleep_ms(300);
	is_int(edu_bus_master(&edu), 1,
	       "one of two processes closes the attachment: bus mastering stays on");
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE,
	       "one of two processes closes the attachment: its state is active");
	ok(moves_right(&edu, &s, &a, 0, PAGE),
	   "one of two processes closes the attachment: the device copies");
	peer_must_end(&child, SIGKILL);
	ok(bus_master_is(&edu, 0), "the last of two processes dies: bus mastering is off");
	edu_close(&edu);
	shared_end(&s);
}

/*
 * Test a service that dies and restarts: when the first attachment ends, the device must keep
 * running for the second one.
 */
static void attached_again(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;
	int stopped = 0;

	if (edu_open(EDU_A, &edu))
		bail("the edu device cannot be opened");
	for (int i = 0; i < 20; i++) {
		if (attach_buffer(ccshm, s.id, PCI_A, &a))
			bail("round %d: ATTACH failed", i);
		must(edu_set_bus_master(&edu, true));
		sleep_ms(20);
		stopped += !edu_bus_master(&edu);
		close(a.fd);
	}
	is_int(stopped, 0,
	       "ATTACH 20 times, each at once after the last exit: bus mastering stays on");
	ok(bus_master_is(&edu, 0), "the last holder closes the attachment: bus mastering is off");
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

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "the first ATTACH of a device works");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &b), 0,
		 "a second ATTACH of the same device works");
	device_start(&edu, EDU_A);
	close(a.fd);
	ok(bus_master_is(&edu, 0), "one of two attachments is closed: bus mastering is off");
	is_int(query(b.id).state, CCSHM_STATE_ACTIVE,
	       "one of two attachments is closed: the other is active");
	/* The stop reads bus mastering back: it must not meet a holder that switches it on. */
	ok(wait_gone(ccshm, a.id), "one of two attachments is closed: it ends");
	is_errno(edu_set_bus_master(&edu, true), 0,
		 "one of two attachments is closed: the other's holder switches bus mastering on");
	ok(moves_right(&edu, &s, &b, 0, PAGE),
	   "one of two attachments is closed: the device copies again");
	is_errno(attached_end(&b), 0, "DETACH of the other attachment works");
	is_int(edu_bus_master(&edu), 1, "DETACH of the other attachment leaves bus mastering on");
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
		 "ALLOC of a persistent buffer works");
	s = shared_map(c->buffer, UNIT);
	is_errno(as_user(ROOT, CAP(SYS_RAWIO), attach_persistent, c), 0,
		 "ATTACH with PERSISTENT by a process that ends works");
	is_int(query(c->a.id).state, CCSHM_STATE_ACTIVE,
	       "a persistent attachment is active after its process's end");
	is_int(query(c->a.id).object_flags, CCSHM_ATTACH_PERSISTENT,
	       "QUERY of a persistent attachment: the flag PERSISTENT");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &c->a, 0, PAGE), "a persistent attachment: the device copies");
	is_errno(driver_unload(), EAGAIN, "a persistent attachment: unloading the driver: EAGAIN");

	is_int(as_user(ROOT, CAP(SYS_RAWIO), segments_as, c), c->a.nr,
	       "SEGMENTS by id returns all segments");
	is_errno(as_user(ROOT, 0, segments_as, c), EPERM,
		 "SEGMENTS by id without CAP_SYS_RAWIO: EPERM");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), segments_as, c), ENOENT,
		 "SEGMENTS by id without control: ENOENT");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), detach_as, c), ENOENT,
		 "DETACH by id without control: ENOENT");
	is_errno(as_user(ROOT, 0, detach_as, c), EPERM,
		 "DETACH by id without CAP_SYS_RAWIO: EPERM");
	is_int(query(c->a.id).state, CCSHM_STATE_ACTIVE,
	       "DETACH by id that is refused leaves the attachment active");

	is_errno(raw_free(ccshm, c->buffer), 0,
		 "FREE of a buffer with a persistent attachment works");
	ok(query(c->a.id).query_flags & CCSHM_QUERY_ORPHAN,
	   "FREE of a buffer with a persistent attachment: the attachment is an orphan");
	munmap(s.p, s.size);
	close(s.fd);
	/* With several processors, the driver may still be returning memory of earlier tests. */
	ok(wait_held(ccshm, UNIT, &info),
	   "FREE of a buffer with a persistent attachment: the memory stays shared");
	is_errno(as_user(ROOT, CAP(SYS_RAWIO), detach_as, c), 0, "DETACH by id works");
	is_int(edu_bus_master(&edu), 1, "DETACH by id leaves bus mastering on");
	is_errno(raw_query(ccshm, c->a.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "DETACH by id: QUERY of the attachment: ENOENT");
	ok(wait_held(ccshm, 0, &info), "DETACH by id of an orphan: the memory is given back");

	is_errno(raw_alloc(ccshm, UNIT, &c->buffer), 0, "ALLOC of an anonymous buffer works");
	is_errno(TRY(PCI_A, .id = c->buffer, .flags = CCSHM_ATTACH_PERSISTENT), EINVAL,
		 "ATTACH with PERSISTENT of an anonymous buffer: EINVAL");
	is_errno(raw_free(ccshm, c->buffer), 0, "FREE of the anonymous buffer works");
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
		is_errno(TRY(bad[i], .id = id), EINVAL,
			 "ATTACH to the device \"%s\": EINVAL", bad[i]);
	is_errno(TRY("pci:0000:00:1e.0", .id = id), ENODEV,
		 "ATTACH to a device that does not exist: ENODEV");
	is_errno(TRY("pci:ffff:00:04.0", .id = id), ENODEV,
		 "ATTACH to a device of a domain that does not exist: ENODEV");
	memset(req.device, 'a', sizeof(req.device));
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req), EINVAL,
		 "ATTACH to a name without terminator: EINVAL");
	memcpy(req.device, PCI_A, sizeof(PCI_A));
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req), EINVAL,
		 "ATTACH to a name followed by other bytes: EINVAL");
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
		 "ATTACH of her own buffer by alice with CAP_SYS_RAWIO works");
	is_errno(as_user(ALICE, 0, attach_own, NULL), EPERM,
		 "ATTACH of her own buffer by alice without CAP_SYS_RAWIO: EPERM");
	must(raw_alloc_named(ccshm, PAGE, "none", 0600, &none));
	must(raw_alloc_named(ccshm, PAGE, "read", 0644, &read));
	must(raw_alloc_named(ccshm, PAGE, "write", 0666, &write));
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &none), ENOENT,
		 "ATTACH of a buffer that alice may not see: ENOENT");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &read), EACCES,
		 "ATTACH of a buffer that alice may only read: EACCES");
	is_errno(as_user(ALICE, CAP(SYS_RAWIO), attach_others, &write), 0,
		 "ATTACH of a buffer that alice may write works");
	is_errno(as_user(ALICE, 0, attach_others, &write), EPERM,
		 "ATTACH of a buffer that alice may write, without CAP_SYS_RAWIO: EPERM");
	must(raw_free(ccshm, none));
	must(raw_free(ccshm, read));
	must(raw_free(ccshm, write));
}

static int foreign_dmabuf(void)
{
	struct importer_foreign req = { 0 };
	int fd = open(IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, IMPORTER_IOC_FOREIGN, &req))
		bail("FOREIGN failed: %s", strerror(errno));
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
	is_errno(TRY(PCI_A, .id = s.id, .flags = 4), EINVAL, "ATTACH with an unknown flag: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .reserved = 1), EINVAL,
		 "ATTACH with a reserved field that is not 0: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .dmabuf_fd = s.fd), EINVAL,
		 "ATTACH with a dma-buf but not the flag: EINVAL");
	is_errno(TRY(PCI_A, .id = s.id, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s.fd), EINVAL,
		 "ATTACH with a dma-buf and a buffer: EINVAL");
	is_errno(TRY(PCI_A, .id = ~0ULL), ENOENT, "ATTACH of a buffer that does not exist: ENOENT");
	is_errno(TRY(PCI_A, .id = s.export_id), ENOENT, "ATTACH of an export's id: ENOENT");
	is_errno(TRY_DMABUF(s.fd), 0, "ATTACH of a dma-buf works");
	is_errno(TRY_DMABUF(none), 0, "ATTACH of a dma-buf with NO_CPU works");
	is_errno(TRY_DMABUF(ro), EACCES, "ATTACH of a read-only dma-buf: EACCES");
	is_errno(TRY_DMABUF(other), EMEDIUMTYPE,
		 "ATTACH of another exporter's dma-buf: EMEDIUMTYPE");
	is_errno(TRY_DMABUF(null), EMEDIUMTYPE, "ATTACH of /dev/null as dma-buf: EMEDIUMTYPE");
	is_errno(TRY_DMABUF(ccshm), EMEDIUMTYPE, "ATTACH of /dev/ccshm as dma-buf: EMEDIUMTYPE");
	is_errno(TRY_DMABUF(9999), EBADF, "ATTACH of a descriptor that is not open: EBADF");
	is_errno(TRY_DMABUF(-1), EBADF, "ATTACH of a negative descriptor: EBADF");
	is_int(query(s.id).attachments, 0,
	       "ATTACH with valid and invalid arguments: no attachment is left");
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

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "ATTACH of a device without a driver works");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0,
		 "a kernel driver binds to the attached device");
	is_str(device_driver(EDU_A), IMPORTER_DRIVER, "the attached device has the kernel driver");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED,
	       "a kernel driver binds: the attachment is revoked");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "a kernel driver binds: SEGMENTS: ENODEV");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0,
		 "a kernel driver binds: REVOKE returns at once");
	is_int(r.stopped, 1, "a kernel driver binds: REVOKE reports that the device was stopped");
	close(a.fd);
	is_errno(TRY(PCI_A, .id = s.id), EBUSY, "ATTACH of a device of a kernel driver: EBUSY");
	is_errno(TRY(PCI_B, .id = s.id, .dma_bits = 32), 0, "ATTACH of another device works");
	is_errno(device_unbind(EDU_A), 0, "the kernel driver is unbound");
	is_errno(TRY(PCI_A, .id = s.id), 0, "the kernel driver is unbound: ATTACH works");
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
		skip("ATTACH of a device of uio", "uio_pci_generic cannot be bound to this device");
		must(device_file(EDU_A, "driver_override", "\n"));
		shared_end(&s);
		return;
	}
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH of a device of uio works");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "a device of uio copies");
	is_errno(device_unbind(EDU_A), 0, "uio is unbound from the attached device");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "uio is unbound: the attachment is revoked");
	is_int(edu_bus_master(&edu), 0, "uio is unbound: bus mastering is off");
	pfd.fd = a.fd;
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents & POLLPRI && pfd.revents & POLLHUP,
	   "uio is unbound: poll() reports POLLPRI and POLLHUP");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "uio is unbound: REVOKE returns at once");
	is_int(r.stopped, 1, "uio is unbound: REVOKE reports that the device was stopped");
	is_errno(attached_end(&a), 0, "uio is unbound: DETACH works");
	edu_close(&edu);
	shared_end(&s);
}

/* ---- runtime power management ---- */

/* Return whether the kernel reports the runtime PM status @want of the device within 10 s. */
static bool runtime_status_is(const char *device, const char *want)
{
	char path[128], text[32] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_status", device);
	for (int i = 0; i < 1000; i++) {
		FILE *f = fopen(path, "re");

		if (!f || fscanf(f, "%31s", text) != 1)
			bail("%s cannot be read", path);
		fclose(f);
		if (!strcmp(text, want))
			return true;
		sleep_ms(10);
	}
	diag("%s: %s", path, text);
	return false;
}

/* Return whether the device stays active for a time in which it would be suspended. */
static bool stays_active(const char *device)
{
	long long before;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_suspended_time", device);
	before = read_number(path);
	sleep_ms(300);
	return before >= 0 && read_number(path) == before && runtime_status_is(device, "active");
}

static int resume_on(void)
{
	return device_file(EDU_A, "power/control", "on");
}

/* Bind a driver that does not enable bus mastering. */
static int resume_bind(void)
{
	return device_bind(EDU_A, "uio_pci_generic");
}

/*
 * The kernel saves the command register of a device when it suspends the device, and restores the
 * register when it resumes the device: a suspend must not save bus mastering before a revoke.
 */
static void revoked_stays_stopped(const char *what, int (*resume)(void))
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "%s: ATTACH works", what);
	device_start(&edu, EDU_A);
	is_errno(device_file(EDU_A, "power/control", "auto"), 0,
		 "%s: the kernel may suspend the device", what);
	ok(stays_active(EDU_A), "%s: an attached device is not suspended", what);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "%s: the device copies", what);
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(10000), NULL), 0,
		 "%s: REVOKE with FORCE works", what);
	ok(runtime_status_is(EDU_A, "suspended"), "%s: the revoked device is suspended", what);
	is_errno(resume(), 0, "%s: the device is resumed", what);
	ok(runtime_status_is(EDU_A, "active"), "%s: the revoked device is active again", what);
	is_int(edu_bus_master(&edu), 0, "%s: bus mastering stays off after a resume", what);
	if (resume == resume_bind && *device_driver(EDU_A))
		must(device_unbind(EDU_A));
	else
		must(device_file(EDU_A, "driver_override", "\n"));
	must(device_file(EDU_A, "power/control", "on"));
	must(attached_end(&a));
	edu_close(&edu);
	shared_end(&s);
}

/* Each attachment holds the device, whichever way it ends, and a failed ATTACH does not. */
static void holds_are_balanced(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a, b;
	struct edu edu;

	must(device_file(EDU_A, "power/control", "auto"));
	ok(runtime_status_is(EDU_A, "suspended"), "a device without attachment is suspended");
	is_errno(TRY(PCI_A, .id = s.id, .dma_bits = 1), ERANGE,
		 "ATTACH of a suspended device with dma_bits=1: ERANGE");
	ok(runtime_status_is(EDU_A, "suspended"), "after ATTACH has failed the device is suspended");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH of a suspended device works");
	ok(stays_active(EDU_A), "ATTACH resumes the device");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "a resumed device copies");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &b), 0, "a second ATTACH works");
	must(attached_end(&a));
	ok(stays_active(EDU_A), "after one of two DETACH the device is active");
	must(attached_end(&b));
	ok(runtime_status_is(EDU_A, "suspended"), "after the last DETACH the device is suspended");
	must(device_file(EDU_A, "power/control", "on"));
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

	is_errno(raw_alloc_named(ccshm, UNIT, "unplugged", 0600, &c->buffer), 0,
		 "ALLOC of two buffers works");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "ATTACH of the device that will be removed works");
	is_errno(attach_persistent(c), 0,
		 "ATTACH with PERSISTENT of the device that will be removed works");
	device_start(&edu, EDU_A);
	edu_close(&edu);
	is_errno(device_file(EDU_A, "remove", "1"), 0, "removal of the device through sysfs works");
	ok(!device_exists(EDU_A), "the removed device does not exist");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "device removed: the attachment is revoked");
	is_str(query(a.id).device, PCI_A, "device removed: QUERY reports the device's name");
	is_errno(raw_query(ccshm, c->a.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "device removed: QUERY of the persistent attachment: ENOENT");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "device removed: REVOKE returns at once");
	is_int(r.state, CCSHM_STATE_REVOKED, "device removed: REVOKE reports the state revoked");
	is_errno(TRY(PCI_A, .id = s.id), ENODEV, "device removed: ATTACH: ENODEV");
	is_errno(raw_free(ccshm, c->buffer), 0, "device removed: FREE of one buffer works");

	is_errno(write_text("/sys/bus/pci/rescan", "1"), 0, "a scan of the bus works");
	ok(device_exists(EDU_A), "device added again: it exists");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "device added again: SEGMENTS of the old attachment: ENODEV");
	is_errno(attached_end(&a), 0, "device added again: DETACH of the old attachment works");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "device added again: ATTACH works");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "device added again: the device copies");
	is_errno(attached_end(&a), 0, "device added again: DETACH of the new attachment works");
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

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "ATTACH of a buffer that will be freed works");
	device_start(&edu, EDU_A);
	shared_end(&s);
	ok(query(a.id).query_flags & CCSHM_QUERY_ORPHAN,
	   "FREE of an attached buffer: the attachment is an orphan");
	/* Memory of earlier tests may still be returning. */
	ok(wait_held(ccshm, UNIT, &info),
	   "FREE of an attached buffer: its memory stays charged as shared");
	if (cvm_present())
		is_int(cvm_page_state(dma_at(&a, 0)), 1,
		       "FREE of an attached buffer: its first page is shared");
	is_errno(device_copy(&edu, dma_at(&a, 0), dma_at(&a, PAGE), LEN), 0,
		 "FREE of an attached buffer: the device copies");
	close(a.fd);
	ok(bus_master_is(&edu, 0), "the orphan attachment is closed: bus mastering is off");
	ok(wait_held(ccshm, 0, &info), "the orphan attachment is closed: the memory is given back");
	edu_close(&edu);
}

int main(void)
{
	suite_begin();
	bytes();
	many_segments();
	slices();
	dmabuf_goes();
	address_bits();
	holder_goes();
	forced();
	last_reference();
	attached_again();
	two_of_one_device();
	persistent();
	permissions();
	refused();
	kernel_driver();
	uio_driver();
	revoked_stays_stopped("power/control is set to on", resume_on);
	revoked_stays_stopped("a driver is bound after the revoke", resume_bind);
	holds_are_balanced();
	hot_unplug();
	buffer_goes();
	return suite_end();
}
