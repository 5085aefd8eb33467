// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders of an export, well-behaved or not: the list of importers, the importers that a revocable
 * export refuses, and that no holder delays a revoke past its deadline or keeps access after it.
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

#include <sys/klog.h>

/* ---- the list of importers ---- */

#define MANY	8

static bool importer_is(const struct ccshm_ioc_importer *i, unsigned int mappings,
			unsigned int flags)
{
	size_t len = strlen(PCI_A);

	if (!strcmp(i->device, PCI_A) && i->mappings == mappings && i->flags == flags &&
	    first_other(i->device + len, 0, sizeof(i->device) - len) < 0)
		return true;
	diag("'%.*s', %u mappings, flags %#x; expected %u, %#x", (int)sizeof(i->device),
	     i->device, i->mappings, i->flags, mappings, flags);
	return false;
}

static int importers_as(void *arg)
{
	int fd = raw_open();

	return raw_importers(fd, *(uint64_t *)arg, NULL, 0, 0, NULL);
}

static void listed(void)
{
	struct shared s = exported_new(UNIT, 0);
	int a = imp_new(s.fd, IMPORTER_DYNAMIC), b = imp_new(s.fd, IMPORTER_LATE);
	struct ccshm_ioc_importer i[MANY];
	unsigned int total;

	is_errno(imp_map(b, IMPORTER_TO_DEVICE), 0, "two importers, one of which maps");
	memset(i, 0x5a, sizeof(i));
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, &total), 2, "IMPORTERS: two");
	is_int(total, 2, "... in all");
	ok(importer_is(&i[0], 0, 0), "... the one that attached first");
	ok(importer_is(&i[1], 1, 0), "... the one that maps");
	ok(first_other(&i[2], 0x5a, sizeof(i) - 2 * sizeof(i[0])) < 0, "... and no more");
	is_int(raw_importers(ccshm, s.export_id, i, 1, MANY, &total), 1, "from the second on: one");
	ok(importer_is(&i[0], 1, 0), "... that one");
	is_int(total, 2, "... of two");
	is_int(raw_importers(ccshm, s.export_id, i, 0, 1, &total), 1, "room for one: one");
	ok(importer_is(&i[0], 0, 0), "... the first");
	is_int(raw_importers(ccshm, s.export_id, i, 2, MANY, NULL), 0, "at the end: none");
	is_errno(raw_importers(ccshm, s.export_id, i, 3, MANY, NULL), EINVAL, "beyond it: EINVAL");
	is_int(raw_importers(ccshm, s.export_id, i, 0, -1U, NULL), 2, "a huge capacity");
	is_errno(raw_importers(ccshm, s.export_id, NULL, 0, 2, NULL), EFAULT, "a bad pointer");
	is_errno(as_user(ALICE, 0, importers_as, &s.export_id), ENOENT, "not for everybody");

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT, "a revoke waits for one");
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 2, "it says for whom: two");
	ok(importer_is(&i[0], 0, 0), "... not for the first");
	ok(importer_is(&i[1], 1, 0), "... for the second");
	close(a);
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 1, "the first leaves: one");
	ok(importer_is(&i[0], 1, 0), "... the second");
	close(b);
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 0, "it leaves: none");
	shared_end(&s);
}

/* Return what ccshmctl prints on stdout and stderr. */
static const char *ccshmctl(const char *command, uint64_t id)
{
	static char text[4096];
	char line[128];
	size_t n;
	FILE *f;

	snprintf(line, sizeof(line), "ccshmctl %s %llu 2>&1", command, (unsigned long long)id);
	f = popen(line, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		pclose(f);
	return text;
}

static void said(const char *text, const char *what, const char *name)
{
	if (!ok(strstr(text, what), "%s", name))
		diag("no \"%s\" in:\n%s", what, text);
}

static void command_line(void)
{
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int a = imp_new(s.fd, IMPORTER_DYNAMIC), b = imp_new(s.fd, IMPORTER_LATE);
	int fixed = imp_new(t.fd, IMPORTER_STATIC);
	char held[128];

	is_errno(imp_map(b, IMPORTER_TO_DEVICE), 0, "two importers, one of which maps");
	is_errno(imp_map(fixed, IMPORTER_TO_DEVICE), 0, "... one of a pinned export");
	said(ccshmctl("show", s.export_id), "revocable\n", "show: revocable");
	said(ccshmctl("show", s.export_id), PCI_A ", " PCI_A "\n", "show: both devices");
	said(ccshmctl("show", t.export_id), "pinned\n", "show: pinned");
	said(ccshmctl("revoke --timeout 0", s.export_id),
	     PCI_A " still uses it (mappings: 1)\n", "revoke: who holds on");
	said(ccshmctl("revoke", t.export_id), "; its driver cannot release them on request\n",
	     "revoke: who cannot let go");
	snprintf(held, sizeof(held), PCI_A " still uses export %llu (mappings: 1)\n",
		 (unsigned long long)s.export_id);
	said(ccshmctl("revoke --timeout 0", s.id), held, "revoke of a buffer: who holds which export");
	close(a);
	close(b);
	close(fixed);
	said(ccshmctl("revoke", t.export_id), "revoked", "revoke: all has ended");
	shared_end(&s);
	shared_end(&t);
}

/* Test importers that only a pinned export accepts. */
static void listed_pinned(void)
{
	const unsigned int cannot = CCSHM_IMPORTER_CANNOT_LET_GO, pins = CCSHM_IMPORTER_PINS;
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int fixed = imp_new(s.fd, IMPORTER_STATIC), pinned = imp_new(s.fd, IMPORTER_DEAF);
	int fine = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_importer i[MANY];

	is_errno(imp_map(fixed, IMPORTER_TO_DEVICE), 0, "a pinned export: one that cannot let go");
	is_errno(imp_map(pinned, IMPORTER_TO_DEVICE), 0, "... one that pins");
	is_errno(imp_map(fine, IMPORTER_TO_DEVICE), 0, "... one that is dynamic");
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 3, "IMPORTERS: three");
	ok(importer_is(&i[0], 1, cannot), "... cannot let go");
	ok(importer_is(&i[1], 1, pins | (pinned_can_let_go ? 0 : cannot)), "... pins");
	ok(importer_is(&i[2], 1, 0), "... is dynamic");
	is_errno(imp_unmap(pinned), 0, "who pins lets go");
	is_int(raw_importers(ccshm, s.export_id, i, 1, 1, NULL), 1, "IMPORTERS");
	ok(importer_is(&i[0], 0, 0), "... and pins no more");
	close(fixed);
	close(pinned);
	close(fine);
	shared_end(&s);
}

/* ---- refused importers ---- */

/* Return how many lines of the kernel log contain @text. */
static int log_lines(const char *text)
{
	int size = klogctl(10, NULL, 0), n = 0, len;
	char *log = malloc(size + 1);

	len = klogctl(3, log, size);
	log[len < 0 ? 0 : len] = '\0';
	for (char *p = log; (p = strstr(p, text)); p++)
		n++;
	free(log);
	return n;
}

static void reason_is_said_once(void)
{
	const char *said = EDU_A " cannot import a revocable export: its driver cannot unmap on request";
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, 0);
	int before = log_lines(said), imp = imp_open();

	for (int i = 0; i < 5; i++)
		is_errno(imp_attach(imp, i % 2 ? s.fd : t.fd, IMPORTER_STATIC), EOPNOTSUPP,
			 "who cannot let go is refused");
	is_int(log_lines(said) - before, 1, "the log says why, once");
	close(imp);
	shared_end(&s);
	shared_end(&t);
}

/*
 * Test an importer that pins and does not handle notifications, which kernels before 7.1 permit.
 * The driver recognises such an importer at its second pin where the core pins for each mapping.
 */
static void pinned_is_kept_out(enum importer_kind kind, const char *what)
{
	const char *said = EDU_A " cannot import a revocable export: its driver pins the memory";
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, kind), later = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EOPNOTSUPP, "%s: cannot map", what);
	is_int(imp_status(imp).pinned, 0, "%s: holds nothing", what);
	holders_are(&s, 2, 0);
	is_errno(imp_map(later, IMPORTER_BIDIRECTIONAL), 0, "%s: one that maps first", what);
	is_errno(imp_pin(later), EOPNOTSUPP, "%s: ... cannot pin then", what);
	is_errno(imp_unmap(later), 0, "%s: ... unmaps", what);
	is_errno(imp_map(later, IMPORTER_BIDIRECTIONAL), 0, "%s: ... and can map again", what);
	is_int(log_lines(said), 1, "%s: the log says why, once", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "%s: a revoke does not wait", what);
	is_int(imp_status(later).mapped, 0, "%s: nobody has it mapped", what);
	is_errno(imp_pin(later), ENODEV, "%s: nobody pins what is revoked", what);
	close(imp);
	close(later);
	shared_end(&s);
}

/* ---- importers that do not release their mapping ---- */

/*
 * Test that no process gains access and that the memory stays shared until the importer releases
 * it.
 */
static void held_by(enum importer_kind kind, const char *what)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, kind), other = imp_open(), fd = dup(s.fd);
	struct ccshm_ioc_revoke r;
	struct ccshm_ioc_info info;
	int64_t begin = now_ns();

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: maps", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "%s: the deadline passes", what);
	ok(now_ns() - begin < 10000000000LL, "%s: ... in time", what);
	is_int(imp_status(imp).notified, 1, "%s: it was told", what);
	is_int(r.state, CCSHM_STATE_REVOKING, "%s: result: revoking", what);
	is_int(r.device_mappings, 1, "%s: result: one device", what);
	is_errno(imp_attach(other, fd, IMPORTER_DYNAMIC), ENODEV, "%s: nobody gets in", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE), "%s: its device works on shared memory", what);
	shared_end(&s);
	ok(query(s.export_id).query_flags & CCSHM_QUERY_ORPHAN, "%s: the buffer has ended", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "%s: still held", what);
	ok(stays_shared(UNIT), "%s: the memory stays shared", what);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "%s: it ends, so does the revoke", what);
	is_int(r.state, CCSHM_STATE_REVOKED, "%s: result: revoked", what);
	ok(wait_held(ccshm, 0, &info), "%s: the memory is given back", what);
	close(other);
	close(fd);
}

static void pinned_export_held_by(enum importer_kind kind, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_new(s.fd, kind);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "pinned export, %s: maps", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, &r), EBUSY, "pinned export, %s: busy", what);
	is_int(r.device_mappings, 1, "pinned export, %s: with one", what);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "pinned export, %s: ends", what);
	shared_end(&s);
}

/* Test importers that release their mapping from a work item during the revoke. */
static void lets_go_later(void)
{
	struct shared s = exported_new(UNIT, 0);
	int slow = imp_open(), quick = imp_open();
	struct ccshm_ioc_revoke r;

	/* This is much longer than a non-blocking revoke takes on a busy machine. */
	is_errno(imp_attach_delayed(slow, s.fd, 1500), 0, "an importer that releases its mapping late");
	is_errno(imp_attach_delayed(quick, s.fd, 1), 0, "... and one, soon");
	is_errno(imp_map(slow, IMPORTER_BIDIRECTIONAL), 0, "... map");
	is_errno(imp_map(quick, IMPORTER_BIDIRECTIONAL), 0, "... both");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "a revoke that does not wait");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), &r), 0, "one that waits");
	is_int(r.device_mappings, 0, "result: no device");
	is_int(imp_status(slow).mapped, 0, "both have let go");
	close(slow);
	close(quick);
	shared_end(&s);
}

/* ---- fences ---- */

/* Attach an importer, map it if @map is set, and add a fence. */
static int imp_fenced(struct shared *s, bool map, enum importer_fence_what what,
		      enum importer_fence_usage usage, unsigned int ms)
{
	int imp = imp_new(s->fd, IMPORTER_DYNAMIC);

	if (map)
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer maps");
	is_errno(imp_fence_as(imp, what, usage, ms), 0, "... and its device is at work");
	return imp;
}

static void late_fence(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_ADD, IMPORTER_USAGE_BOOKKEEP, 0);
	struct ccshm_ioc_revoke r;
	pthread_t thread;

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "it takes a while");
	is_int(imp_status(imp).mapped, 0, "... though it has unmapped");
	ok(revoke_waits(&thread, s.export_id), "the revoke waits for it");
	is_errno(imp_fence(imp, true), 0, "... until it ends");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "... and is done then");
	close(imp);
	shared_end(&s);
}

/* Test a fence that is signalled from a work item. */
static void fence_by_itself(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_LATE, IMPORTER_USAGE_BOOKKEEP, 200);

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), NULL), 0,
		 "a fence that ends by itself: revoked");
	is_errno(imp_fence(imp, true), EALREADY, "... and it has ended");
	close(imp);
	shared_end(&s);
}

static void fence_that_stays(enum importer_fence_usage usage, const char *what)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_NEVER, usage, 0);
	struct ccshm_ioc_revoke r;
	int64_t begin = now_ns();

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "a fence (%s) that is never signalled: the deadline passes", what);
	ok(now_ns() - begin >= 300000000LL, "... not too early");
	ok(now_ns() - begin < 10000000000LL, "... and in time");
	is_int(r.state, CCSHM_STATE_REVOKING, "result: revoking");
	is_int(imp_status(imp).mapped, 0, "... though it has unmapped");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "the same again");
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "its importer leaves: revoked");
	shared_end(&s);
}

/*
 * Test that fences added after the start of a revoke do not extend it: the memory is already
 * unmapped when such a fence is added.
 */
static void fences_without_end(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_CHAIN, IMPORTER_USAGE_WRITE, 20);
	struct ccshm_ioc_revoke r;

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), &r), 0,
		 "there is always another fence: the revoke ends");
	is_int(r.state, CCSHM_STATE_REVOKED, "result: revoked");
	is_errno(imp_fence(imp, true), 0, "they had not");
	close(imp);
	shared_end(&s);
}

/*
 * Test an importer that releases its mapping late and then adds a fence for a device that still
 * works.
 */
static void fence_of_who_is_late(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE);
	pthread_t thread;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer that is late");
	ok(revoke_waits(&thread, s.export_id), "a revoke waits for it");
	is_errno(imp_fence(imp, false), 0, "it puts a fence");
	is_errno(imp_unmap(imp), 0, "... and unmaps");
	ok(revoke_still_waits(), "the revoke waits for the fence");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING, "QUERY: revoking");
	is_errno(imp_fence(imp, true), 0, "which is signalled");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "that ends it");
	close(imp);
	shared_end(&s);
}

/* ---- poll() on the dma-buf during a revoke ---- */

static struct {
	int fd;
	atomic_int done;
} polling;

static void *poll_it(void *arg)
{
	struct pollfd pfd = { .fd = polling.fd, .events = POLLIN | POLLOUT };

	(void)arg;
	poll(&pfd, 1, 0);
	polling.done = 1;
	return NULL;
}

/* Test that poll() returns within five seconds, although the revoke waits until @imp is closed. */
static void poll_is_answered(struct shared *s, int imp, const char *what)
{
	pthread_t thread, poller;

	ok(revoke_waits(&thread, s->export_id), "a revoke waits for %s", what);
	polling.fd = s->fd;
	polling.done = 0;
	pthread_create(&poller, NULL, poll_it, NULL);
	for (int i = 0; i < 500 && !polling.done; i++)
		sleep_ms(10);
	ok(polling.done && waiting.result == 1, "... poll() is answered meanwhile");
	close(imp);
	pthread_join(thread, NULL);
	pthread_join(poller, NULL);
	is_errno(waiting.result, 0, "... its end is the revoke's");
}

static void polls(void)
{
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, 0);
	int fence = imp_fenced(&s, true, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_WRITE, 0);
	int late = imp_new(t.fd, IMPORTER_LATE);

	is_errno(imp_map(late, IMPORTER_TO_DEVICE), 0, "an importer that is late");
	poll_is_answered(&s, fence, "a fence");
	poll_is_answered(&t, late, "a mapping");
	shared_end(&s);
	shared_end(&t);
}

/* ---- importers that wait with the reservation lock held ---- */

static int hold(struct peer *parent, void *arg)
{
	/* Hold the lock for longer than any waiter may wait. */
	struct importer_hold req = { *(int *)arg, 30000 };
	int imp = imp_open();

	peer_send(parent, 0, -1);
	return raw_ioctl(imp, IMPORTER_IOC_HOLD, &req);
}

static struct peer holder_start(struct shared *s)
{
	struct peer p = peer_start(ROOT, ALL_CAPS, hold, &s->fd);

	peer_hear(&p);
	/*
	 * The wait for the lock is not interruptible, so a thread in an interruptible wait has the
	 * lock.
	 */
	ok(waits_in(p.pid, IMPORTER_IOC_HOLD), "a process holds the reservation lock");
	return p;
}

/* Return whether the process still holds the lock: its call has not returned. */
static bool still_holds(struct peer *p)
{
	struct pollfd pfd = { .fd = p->sock, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

static void lock_is_held(uint64_t flags, const char *what)
{
	struct shared s = exported_new(UNIT, flags);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	char *q = raw_map(s.fd, UNIT, RW);
	struct ccshm_ioc_revoke r;
	struct peer p;

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s: mapped", what);
	is_int(touch_read(q), 0, "%s: by the CPU, too", what);
	p = holder_start(&s);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "%s: somebody holds the lock: the deadline passes", what);
	ok(still_holds(&p), "%s: ... while he does", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT, "%s: without waiting", what);
	is_int(r.state, CCSHM_STATE_REVOKING, "%s: result: revoking", what);
	is_int(r.device_mappings, 1, "%s: result: one device", what);
	is_int(touch_read(q), SIGBUS, "%s: the CPU mapping is gone", what);
	is_int(raw_importers(ccshm, s.export_id, NULL, 0, 0, NULL), 0,
	       "%s: the importers can be listed", what);
	munmap(q, UNIT);
	is_errno(raw_free(ccshm, s.id), 0, "%s: FREE does not wait", what);
	ok(still_holds(&p), "%s: ... for him", what);
	peer_end(&p, SIGKILL);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0, "%s: he lets go: revoked", what);
	is_int(imp_status(imp).notified, 1, "%s: the importer was told", what);
	close(imp);
	munmap(s.p, s.size);
	close(s.look);
	close(s.fd);
}

static int revokes(struct peer *parent, void *arg)
{
	struct shared *s = arg;

	peer_send(parent, 0, -1);
	return raw_revoke(ccshm, s->export_id, 0, -1, NULL);
}

static void lock_is_held_for_ever(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct peer holder, revoker;

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "a device is mapped");
	holder = holder_start(&s);
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	peer_hear(&revoker);
	ok(waits_in(revoker.pid, CCSHM_IOC_REVOKE), "a revoke without a deadline waits for the lock");
	ok(WIFSIGNALED(peer_end(&revoker, SIGKILL)), "... and can be killed");
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	peer_hear(&revoker);
	ok(waits_in(revoker.pid, CCSHM_IOC_REVOKE), "another does");
	peer_end(&holder, SIGKILL);
	is_errno(peer_hear(&revoker), 0, "... or ends with the lock");
	peer_end(&revoker, 0);
	close(imp);
	shared_end(&s);
}

/* Map as the dma-buf core does for a device that is not dynamic. */
static int maps_behind_fence(struct peer *parent, void *arg)
{
	struct shared *s = arg;
	int imp = imp_open(), err;

	peer_send(parent, 0, -1);
	err = imp_attach(imp, s->fd, IMPORTER_STATIC);
	return err ? err : imp_map(imp, IMPORTER_TO_DEVICE);
}

static void core_holds_the_lock(void)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_fenced(&s, false, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_KERNEL, 0);
	struct peer p = peer_start(ROOT, ALL_CAPS, maps_behind_fence, &s);
	struct ccshm_ioc_revoke r;

	peer_hear(&p);
	ok(waits_in(p.pid, 0), "a static importer waits for another's fence");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "a revoke does not wait for both");
	ok(still_holds(&p), "... while they hold on");
	peer_end(&p, SIGKILL);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), &r), 0, "they leave: revoked");
	shared_end(&s);
}

int main(void)
{
	exported_setup();
	listed();
	listed_pinned();
	command_line();
	reason_is_said_once();
	if (pinned_can_let_go) {
		skip("who pins is kept out", "from 7.1 on who pins can let go");
		held_by(IMPORTER_DEAF, "deaf");
	} else {
		pinned_is_kept_out(IMPORTER_DEAF, "deaf");
		pinned_is_kept_out(IMPORTER_PINNED, "pinned");
	}
	held_by(IMPORTER_STUBBORN, "stubborn");
	pinned_export_held_by(IMPORTER_DEAF, "deaf");
	pinned_export_held_by(IMPORTER_STUBBORN, "stubborn");
	lets_go_later();
	late_fence();
	fence_by_itself();
	fence_that_stays(IMPORTER_USAGE_BOOKKEEP, "bookkeeping");
	fence_that_stays(IMPORTER_USAGE_KERNEL, "the kernel's");
	fences_without_end();
	fence_of_who_is_late();
	polls();
	lock_is_held(0, "revocable");
	lock_is_held(CCSHM_EXPORT_PINNED, "pinned");
	lock_is_held_for_ever();
	core_holds_the_lock();
	exported_end();
	return done_testing();
}
