// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revokes that end later: an orderly revoke leaves CPU mappings until the devices have stopped; a
 * revoke for which no caller waits any longer completes by itself; and a revoke with no time to
 * wait returns even if a process holds a lock.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "exported.h"

#define SIZE	(2 * UNIT)

/* ---- a revoke in another thread ---- */

static struct {
	uint64_t id, flags;
	int64_t deadline;
	atomic_bool done;
	int err;
	struct ccshm_ioc_revoke r;
	pthread_t thread;
} rev;

static void *revoke_run(void *arg)
{
	(void)arg;
	rev.err = raw_revoke(ccshm, rev.id, rev.flags, rev.deadline, &rev.r);
	rev.done = true;
	return NULL;
}

static void revoke_start(uint64_t id, uint64_t flags, int64_t deadline)
{
	rev.id = id;
	rev.flags = flags;
	rev.deadline = deadline;
	rev.done = false;
	pthread_create(&rev.thread, NULL, revoke_run, NULL);
}

static int revoke_end(void)
{
	pthread_join(rev.thread, NULL);
	return rev.err;
}

/* ---- orderly revokes ---- */

static short told(const struct attached *a, int ms)
{
	struct pollfd pfd = { .fd = a->fd, .events = POLLPRI };

	return poll(&pfd, 1, ms) == 1 ? pfd.revents : 0;
}

/* A buffer, an attachment of one of its exports, and a mapping of the same export. */
struct driven {
	struct shared s;
	struct attached a;
	char *p;
};

static struct driven driven_new(const char *what)
{
	struct driven d = { .s = exported_new(SIZE, 0) };

	d.p = map_aligned(d.s.fd, SIZE, RW, 0);
	if (!d.p)
		bail("mmap: %s", strerror(errno));
	is_errno(attach_dmabuf(ccshm, d.s.fd, PCI_B, &d.a), 0, "%s: a device is attached", what);
	/* The second half must not be touched before the revoke. */
	ok(stamp_pages_check(d.p, 1, 0, UNIT), "%s: the CPU uses the first half", what);
	return d;
}

static void driven_end(struct driven *d)
{
	munmap(d->p, SIZE);
	close(d->a.fd);
	shared_end(&d->s);
}

static void device_stops_first(bool whole_buffer)
{
	const char *what = whole_buffer ? "orderly, buffer" : "orderly, export";
	struct driven d = driven_new(what);
	int imp = imp_new(d.s.fd, IMPORTER_DYNAMIC), late = imp_open();
	struct attached other;

	revoke_start(whole_buffer ? d.s.id : d.s.export_id, CCSHM_REVOKE_ORDERLY, in_ms(20000));
	is_int(told(&d.a, 10000) & POLLPRI, POLLPRI, "%s: the holder is notified", what);
	sleep_ms(300);
	ok(!rev.done, "%s: the revoke waits for it", what);
	ok(!touch_read(d.p) && stamp_pages_check(d.p, 1, 0, UNIT),
	   "%s: the mapping is still there", what);
	ok(!touch_read(d.p + UNIT) && stamp_pages_check(d.p + UNIT, 1, UNIT, UNIT),
	   "%s: ... where nobody has been, too", what);
	is_int(touch_write(d.p, 7), 0, "%s: ... and can be written", what);
	is_int(query(d.s.export_id).state, CCSHM_STATE_REVOKING, "%s: QUERY says revoking", what);
	is_errno(try_map(d.s.fd, SIZE, RW, MAP_SHARED), ENODEV, "%s: no new mapping", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ENODEV, "%s: no new device mapping", what);
	is_errno(imp_attach(late, d.s.fd, IMPORTER_DYNAMIC), ENODEV, "%s: no new importer", what);
	is_errno(attach_dmabuf(ccshm, d.s.fd, PCI_B, &other), ENODEV, "%s: no new attachment",
		 what);
	is_errno(raw_detach(d.a.fd, 0), 0, "%s: DETACH", what);
	is_errno(revoke_end(), 0, "%s: ends the revoke", what);
	is_int(rev.r.state, CCSHM_STATE_REVOKED, "%s: result: revoked", what);
	is_int(rev.r.device_mappings, 0, "%s: result: no device", what);
	ok(touch_all(d.p, SIZE, SIGBUS), "%s: now the mapping is gone", what);
	close(late);
	close(imp);
	driven_end(&d);
}

static void deadline_zaps(void)
{
	struct driven d = driven_new("a holder that stays");
	struct ccshm_ioc_revoke r;
	int64_t begin = now_ns();

	revoke_start(d.s.export_id, CCSHM_REVOKE_ORDERLY, in_ms(3000));
	is_int(told(&d.a, 2500) & POLLPRI, POLLPRI, "a holder that stays: is told");
	is_int(touch_read(d.p), 0, "a holder that stays: the mapping is there before the deadline");
	is_errno(revoke_end(), ETIMEDOUT, "a holder that stays: the deadline passes");
	ok(now_ns() - begin >= 3000 * 1000000LL, "... not too early");
	ok(now_ns() - begin < 9000 * 1000000LL, "... and in time");
	ok(touch_all(d.p, SIZE, SIGBUS), "a holder that stays: at the deadline the mapping goes");
	is_int(rev.r.state, CCSHM_STATE_REVOKING, "a holder that stays: result: revoking");
	is_errno(raw_detach(d.a.fd, 0), 0, "it lets go at last");
	is_errno(raw_revoke(ccshm, d.s.export_id, CCSHM_REVOKE_ORDERLY, in_ms(5000), &r), 0,
		 "and the next orderly call finds all revoked");
	driven_end(&d);
}

static void without_waiting(void)
{
	struct driven d = driven_new("orderly without waiting");

	is_errno(raw_revoke(ccshm, d.s.export_id, CCSHM_REVOKE_ORDERLY, 0, NULL), ETIMEDOUT,
		 "orderly without waiting: ETIMEDOUT");
	ok(touch_all(d.p, SIZE, SIGBUS), "orderly without waiting: the mapping is gone");
	is_errno(raw_detach(d.a.fd, 0), 0, "DETACH");
	driven_end(&d);
}

static void flags_together(void)
{
	struct shared s = exported_new(SIZE, 0);

	is_errno(raw_revoke(ccshm, s.export_id, CCSHM_REVOKE_ORDERLY | CCSHM_REVOKE_FORCE, 0, NULL),
		 EINVAL, "orderly and by force: EINVAL");
	is_int(query(s.export_id).state, CCSHM_STATE_ACTIVE, "... and changes nothing");
	is_errno(raw_revoke(ccshm, s.export_id, CCSHM_REVOKE_ORDERLY, 0, NULL), 0,
		 "without devices an orderly revoke is as any other");
	is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), ENODEV, "... no mapping any more");
	shared_end(&s);
}

/* ---- no caller waits any longer ---- */

static bool becomes(uint64_t export_id, enum ccshm_state state)
{
	for (int i = 0; i < 500; i++) {
		if (query(export_id).state == state)
			return true;
		sleep_ms(10);
	}
	return false;
}

static uint64_t shared_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(ccshm, &info))
		bail("INFO");
	return info.bytes_shared;
}

/* Test an importer that releases its mapping long after the revoke has timed out. */
static void ends_by_itself(bool fence)
{
	const char *what = fence ? "a late fence" : "a late importer";
	struct shared s = exported_new(SIZE, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE);
	struct ccshm_ioc_info info;
	uint64_t before = shared_now();

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: it has a mapping", what);
	if (fence)
		is_errno(imp_fence(imp, false), 0, "%s: its device is at work", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), NULL), ETIMEDOUT,
		 "%s: the revoke gives up", what);
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "%s: revoking", what);
	/* From here on only this export holds the memory. */
	munmap(s.p, s.size);
	close(s.look);
	is_errno(raw_free(ccshm, s.id), 0, "%s: FREE", what);
	is_int(shared_now(), before, "%s: the memory is held", what);
	is_errno(imp_unmap(imp), 0, "%s: the importer unmaps", what);
	if (fence) {
		sleep_ms(200);
		is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
		       "%s: revoking while its device is at work", what);
		is_int(shared_now(), before, "%s: ... and the memory is held", what);
		is_errno(imp_fence(imp, true), 0, "%s: the device has finished", what);
	}
	ok(becomes(s.export_id, CCSHM_STATE_REVOKED), "%s: the revoke ends by itself", what);
	ok(wait_held(ccshm, before - SIZE, &info), "%s: and the memory goes back", what);
	close(imp);
	close(s.fd);
}

/*
 * Test a buffer that is not freed: its owner sees that the revoke completes without another call.
 */
static void ends_while_owned(void)
{
	struct shared s = exported_new(SIZE, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer has a mapping");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT, "revoke without waiting");
	is_errno(imp_unmap(imp), 0, "it unmaps");
	ok(becomes(s.export_id, CCSHM_STATE_REVOKED), "QUERY says revoked, with no other call");
	close(imp);
	shared_end(&s);
}

/* Test FREE with CCSHM_FREE_REVOKE that completes without another call. */
static void freed_and_forgotten(void)
{
	struct shared s = exported_new(SIZE, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE);
	struct ccshm_ioc_free req = { .id = s.id, .flags = CCSHM_FREE_REVOKE };
	struct ccshm_ioc_info info;
	uint64_t before = shared_now();
	int64_t begin;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer has a mapping");
	begin = now_ns();
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_FREE, &req), 0, "FREE with REVOKE");
	ok(now_ns() - begin < 1000000000LL, "... does not wait");
	ok(touch_all(s.p, SIZE, SIGBUS), "every CPU mapping is gone at once");
	is_int(shared_now(), before, "the importer holds the memory");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "the export is being revoked");
	for (int i = 0; i < 500 && !imp_status(imp).notified; i++)
		sleep_ms(10);
	is_int(imp_status(imp).notified, 1, "the importer was told");
	is_errno(imp_unmap(imp), 0, "it unmaps");
	ok(wait_held(ccshm, before - SIZE, &info), "the memory goes back, and nobody called REVOKE");
	munmap(s.p, s.size);
	close(imp);
	close(s.look);
	close(s.fd);
}

/* ---- locks held by another process ---- */

#define HELD	20

static struct holder {
	int fd;
	pthread_t thread;
} holder[HELD];

static void *hold_lock(void *arg)
{
	struct holder *h = arg;
	struct importer_hold req = { .fd = h->fd, .ms = 4000 };
	int imp = imp_open();

	raw_ioctl(imp, IMPORTER_IOC_HOLD, &req);
	close(imp);
	return NULL;
}

static void locks_are_held(void)
{
	struct shared s = exported_new(SIZE, 0);
	int imp[HELD];
	int64_t begin, took;
	int err;

	for (int i = 0; i < HELD; i++) {
		holder[i].fd = raw_export(ccshm, s.id, 0, NULL);
		if (holder[i].fd < 0)
			bail("EXPORT");
		imp[i] = imp_new(holder[i].fd, IMPORTER_DYNAMIC);
		if (imp_map(imp[i], IMPORTER_BIDIRECTIONAL))
			bail("an importer cannot map");
	}
	for (int i = 0; i < HELD; i++)
		pthread_create(&holder[i].thread, NULL, hold_lock, &holder[i]);
	sleep_ms(300);
	begin = now_ns();
	err = raw_revoke(ccshm, s.id, 0, 0, NULL);
	took = now_ns() - begin;
	is_errno(err, ETIMEDOUT, "%d locks are held: revoke without waiting", HELD);
	ok(took < 1000000000LL, "%d locks are held: it comes back within a second", HELD);
	diag("it took %lld ms", (long long)took / 1000000);
	ok(touch_all(s.p, SIZE, SIGBUS), "%d locks are held: no CPU mapping is left", HELD);
	for (int i = 0; i < HELD; i++)
		pthread_join(holder[i].thread, NULL);
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(10000), NULL), 0,
		 "the locks are free: all is revoked");
	for (int i = 0; i < HELD; i++) {
		close(imp[i]);
		close(holder[i].fd);
	}
	shared_end(&s);
}

int main(void)
{
	exported_setup();

	device_stops_first(false);
	device_stops_first(true);
	deadline_zaps();
	without_waiting();
	flags_together();
	ends_by_itself(false);
	ends_by_itself(true);
	ends_while_owned();
	freed_and_forgotten();
	locks_are_held();

	exported_end();
	return done_testing();
}
