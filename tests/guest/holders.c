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

	is_errno(imp_map(b, IMPORTER_TO_DEVICE), 0,
		 "an importer that maps, beside one that only attaches");
	memset(i, 0x5a, sizeof(i));
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, &total), 2,
	       "IMPORTERS of an export with two importers returns 2");
	is_int(total, 2, "IMPORTERS of an export with two importers: the total is 2");
	ok(importer_is(&i[0], 0, 0), "IMPORTERS: the first entry has no mapping");
	ok(importer_is(&i[1], 1, 0), "IMPORTERS: the second entry has one mapping");
	ok(first_other(&i[2], 0x5a, sizeof(i) - 2 * sizeof(i[0])) < 0,
	   "IMPORTERS: the rest of the array is unchanged");
	is_int(raw_importers(ccshm, s.export_id, i, 1, MANY, &total), 1,
	       "IMPORTERS from index 1 returns 1");
	ok(importer_is(&i[0], 1, 0), "IMPORTERS from index 1: the entry has one mapping");
	is_int(total, 2, "IMPORTERS from index 1: the total is 2");
	is_int(raw_importers(ccshm, s.export_id, i, 0, 1, &total), 1,
	       "IMPORTERS with room for one returns 1");
	ok(importer_is(&i[0], 0, 0), "IMPORTERS with room for one: the first entry");
	is_int(raw_importers(ccshm, s.export_id, i, 2, MANY, NULL), 0,
	       "IMPORTERS at the end returns 0");
	is_errno(raw_importers(ccshm, s.export_id, i, 3, MANY, NULL), EINVAL,
		 "IMPORTERS beyond the end: EINVAL");
	is_int(raw_importers(ccshm, s.export_id, i, 0, -1U, NULL), 2,
	       "IMPORTERS with a huge capacity returns 2");
	is_errno(raw_importers(ccshm, s.export_id, NULL, 0, 2, NULL), EFAULT,
		 "IMPORTERS to a bad pointer: EFAULT");
	is_errno(as_user(ALICE, 0, importers_as, &s.export_id), ENOENT,
		 "IMPORTERS by a user who may not see the buffer: ENOENT");

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT,
		 "REVOKE while an importer maps: ETIMEDOUT");
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 2,
	       "IMPORTERS during a revoke returns 2");
	ok(importer_is(&i[0], 0, 0), "IMPORTERS during a revoke: the first entry has no mapping");
	ok(importer_is(&i[1], 1, 0), "IMPORTERS during a revoke: the second entry has one mapping");
	close(a);
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 1,
	       "IMPORTERS after the first importer's close returns 1");
	ok(importer_is(&i[0], 1, 0),
	   "IMPORTERS after the first importer's close: the entry has one mapping");
	close(b);
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 0,
	       "IMPORTERS after the second importer's close returns 0");
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

static void has_text(const char *text, const char *what, const char *name)
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

	is_errno(imp_map(b, IMPORTER_TO_DEVICE), 0,
		 "ccshmctl: an importer of a revocable export maps");
	is_errno(imp_map(fixed, IMPORTER_TO_DEVICE), 0,
		 "ccshmctl: an importer of a pinned export maps");
	has_text(ccshmctl("show", s.export_id), "revocable\n",
	     "ccshmctl show: the export is revocable");
	has_text(ccshmctl("show", s.export_id), PCI_A ", " PCI_A "\n",
	     "ccshmctl show: the devices of both importers");
	has_text(ccshmctl("show", t.export_id), "pinned\n", "ccshmctl show: the export is pinned");
	has_text(ccshmctl("revoke --timeout 0", s.export_id),
	     PCI_A " still uses it (mappings: 1)\n",
	"ccshmctl revoke --timeout 0: names the device and its mappings");
	has_text(ccshmctl("revoke", t.export_id), "; its driver cannot release them on request\n",
	     "ccshmctl revoke: reports that the driver cannot unmap on request");
	snprintf(held, sizeof(held), PCI_A " still uses export %llu (mappings: 1)\n",
		 (unsigned long long)s.export_id);
	has_text(ccshmctl("revoke --timeout 0", s.id), held,
	     "ccshmctl revoke of a buffer: names the device and the export");
	close(a);
	close(b);
	close(fixed);
	has_text(ccshmctl("revoke", t.export_id), "revoked",
	     "ccshmctl revoke after the importers' close: reports revoked");
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

	is_errno(imp_map(fixed, IMPORTER_TO_DEVICE), 0, "pinned export: a static importer maps");
	is_errno(imp_map(pinned, IMPORTER_TO_DEVICE), 0, "pinned export: a pinning importer maps");
	is_errno(imp_map(fine, IMPORTER_TO_DEVICE), 0, "pinned export: a dynamic importer maps");
	is_int(raw_importers(ccshm, s.export_id, i, 0, MANY, NULL), 3,
	       "pinned export: IMPORTERS returns 3");
	ok(importer_is(&i[0], 1, cannot),
	   "pinned export: IMPORTERS: the static importer cannot unmap on request");
	ok(importer_is(&i[1], 1, pins | (pinned_can_unmap ? 0 : cannot)),
	   "pinned export: IMPORTERS: the pinning importer pins");
	ok(importer_is(&i[2], 1, 0), "pinned export: IMPORTERS: the dynamic importer has no flags");
	is_errno(imp_unmap(pinned), 0, "pinned export: the pinning importer unmaps");
	is_int(raw_importers(ccshm, s.export_id, i, 1, 1, NULL), 1,
	       "pinned export: IMPORTERS with room for one returns 1");
	ok(importer_is(&i[0], 0, 0),
	   "pinned export: IMPORTERS: the importer that has unmapped has no pin");
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

static void reason_is_logged_once(void)
{
	const char *text = EDU_A " cannot import a revocable export: its driver cannot unmap on request";
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, 0);
	int before = log_lines(text), imp = imp_open();

	for (int i = 0; i < 5; i++)
		is_errno(imp_attach(imp, i % 2 ? s.fd : t.fd, IMPORTER_STATIC), EOPNOTSUPP,
			 "a static importer attaches to a revocable export: EOPNOTSUPP");
	is_int(log_lines(text) - before, 1,
		"a static importer attaches five times: the log has the reason once");
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
	const char *text = EDU_A " cannot import a revocable export: its driver pins the memory";
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, kind), later = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EOPNOTSUPP,
		 "%s: map of a revocable export: EOPNOTSUPP", what);
	is_int(imp_status(imp).pinned, 0, "%s: no pin is left after EOPNOTSUPP", what);
	holders_are(&s, 2, 0);
	is_errno(imp_map(later, IMPORTER_BIDIRECTIONAL), 0,
		 "%s: an importer that pins later maps", what);
	is_errno(imp_pin(later), EOPNOTSUPP,
		 "%s: an importer that has mapped pins: EOPNOTSUPP", what);
	is_errno(imp_unmap(later), 0, "%s: after the refused pin the importer unmaps", what);
	is_errno(imp_map(later, IMPORTER_BIDIRECTIONAL), 0,
		 "%s: after the refused pin the importer maps again", what);
	is_int(log_lines(text), 1, "%s: the log has the reason for the refusal once", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "%s: REVOKE does not wait for refused importers", what);
	is_int(imp_status(later).mapped, 0,
	       "%s: REVOKE unmaps the importer whose pin was refused", what);
	is_errno(imp_pin(later), ENODEV, "%s: pin of a revoked export: ENODEV", what);
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

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s importer: map works", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(200), &r), ETIMEDOUT,
		 "%s importer: REVOKE with 200 ms: the deadline passes: ETIMEDOUT",
		 what);
	ok(now_ns() - begin < 10000000000LL, "%s importer: REVOKE returns in less than 10 s", what);
	is_int(imp_status(imp).notified, 1, "%s importer: it was notified once", what);
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "%s importer: REVOKE reports the state revoking", what);
	is_int(r.device_mappings, 1, "%s importer: REVOKE reports one device mapping", what);
	is_errno(imp_attach(other, fd, IMPORTER_DYNAMIC), ENODEV,
		 "%s importer: attach by another importer during the revoke: ENODEV", what);
	ok(exported_moves_right(imp, &s, 0, 0, PAGE),
	   "%s importer: its device copies during the revoke", what);
	shared_end(&s);
	ok(query(s.export_id).query_flags & CCSHM_QUERY_ORPHAN,
	   "%s importer: FREE makes the export an orphan", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "%s importer: REVOKE after FREE: ETIMEDOUT", what);
	ok(stays_shared(UNIT), "%s importer: the memory stays shared after FREE", what);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "%s importer: REVOKE after its end succeeds", what);
	is_int(r.state, CCSHM_STATE_REVOKED,
	       "%s importer: REVOKE after its end reports the state revoked", what);
	ok(wait_held(ccshm, 0, &info), "%s importer: after its end the memory is given back", what);
	close(other);
	close(fd);
}

static void pinned_export_held_by(enum importer_kind kind, const char *what)
{
	struct shared s = exported_new(UNIT, CCSHM_EXPORT_PINNED);
	int imp = imp_new(s.fd, kind);
	struct ccshm_ioc_revoke r;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "pinned export, %s importer: map works", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, &r), EBUSY,
		 "pinned export, %s importer: REVOKE: EBUSY", what);
	is_int(r.device_mappings, 1,
	       "pinned export, %s importer: REVOKE reports one device mapping", what);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "pinned export, %s importer: REVOKE after its end succeeds", what);
	shared_end(&s);
}

/* Test importers that release their mapping from a work item during the revoke. */
static void unmaps_later(void)
{
	struct shared s = exported_new(UNIT, 0);
	int slow = imp_open(), quick = imp_open();
	struct ccshm_ioc_revoke r;

	/* This is much longer than a non-blocking revoke takes on a busy machine. */
	is_errno(imp_attach_delayed(slow, s.fd, 5000), 0,
		 "an importer with a delay of 5 s attaches");
	is_errno(imp_attach_delayed(quick, s.fd, 1), 0,
		 "an importer with a delay of 1 ms attaches");
	is_errno(imp_map(slow, IMPORTER_BIDIRECTIONAL), 0,
		 "an importer with a delay of 5 s maps");
	is_errno(imp_map(quick, IMPORTER_BIDIRECTIONAL), 0,
		 "an importer with a delay of 1 ms maps");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "REVOKE with timeout 0 while importers delay: ETIMEDOUT");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), &r), 0,
		 "REVOKE with 20 s while importers delay succeeds");
	is_int(r.device_mappings, 0,
	       "REVOKE with 20 s while importers delay reports no device mapping");
	is_int(imp_status(slow).mapped, 0, "the importer with a delay of 5 s has unmapped");
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
		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "an importer with a fence maps");
	is_errno(imp_fence_as(imp, what, usage, ms), 0, "an importer adds a fence");
	return imp;
}

static void late_fence(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_ADD, IMPORTER_USAGE_BOOKKEEP, 0);
	struct ccshm_ioc_revoke r;
	pthread_t thread;

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "a fence that is not signalled: REVOKE with timeout 0: ETIMEDOUT");
	is_int(imp_status(imp).mapped, 0,
	       "a fence that is not signalled: the importer has unmapped");
	ok(revoke_waits(&thread, s.export_id), "a fence that is not signalled: REVOKE waits");
	is_errno(imp_fence(imp, true), 0, "the importer signals its fence");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "the fence is signalled: the waiting REVOKE succeeds");
	close(imp);
	shared_end(&s);
}

/* Test a fence that is signalled from a work item. */
static void fence_by_itself(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_fenced(&s, true, IMPORTER_FENCE_LATE, IMPORTER_USAGE_BOOKKEEP, 200);

	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), NULL), 0,
		 "a fence that is signalled by a timer: REVOKE with 20 s succeeds");
	is_errno(imp_fence(imp, true), EALREADY,
		 "a fence that is signalled by a timer: it is signalled after the revoke");
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
		 "a fence (%s) that is never signalled: REVOKE: the deadline passes: ETIMEDOUT",
		 what);
	ok(now_ns() - begin >= 300000000LL,
	   "a fence that is never signalled: REVOKE returns not before its deadline");
	ok(now_ns() - begin < 10000000000LL,
	   "a fence that is never signalled: REVOKE returns in less than 10 s");
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "a fence that is never signalled: REVOKE reports the state revoking");
	is_int(imp_status(imp).mapped, 0,
	       "a fence that is never signalled: the importer has unmapped");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "a fence that is never signalled: a second REVOKE: ETIMEDOUT");
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "a fence that is never signalled: REVOKE after its importer's end succeeds");
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
		 "an importer that adds fences without end: REVOKE with 20 s succeeds");
	is_int(r.state, CCSHM_STATE_REVOKED,
	       "an importer that adds fences without end: REVOKE reports the state revoked");
	is_errno(imp_fence(imp, true), 0,
		 "an importer that adds fences without end: SIGNAL ends its fences");
	close(imp);
	shared_end(&s);
}

/*
 * Test an importer that releases its mapping late and then adds a fence for a device that still
 * works.
 */
static void fence_of_late_importer(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_LATE);
	pthread_t thread;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "a late importer maps");
	ok(revoke_waits(&thread, s.export_id), "a late importer: REVOKE waits");
	is_errno(imp_fence(imp, false), 0, "a late importer adds a fence during the revoke");
	is_errno(imp_unmap(imp), 0, "a late importer unmaps during the revoke");
	ok(revoke_still_waits(), "a fence added during the revoke: REVOKE waits for the fence");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
	       "a fence added during the revoke: QUERY reports the state revoking");
	is_errno(imp_fence(imp, true), 0, "a fence added during the revoke is signalled");
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0,
		 "a fence added during the revoke is signalled: REVOKE succeeds");
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

/* Test that poll() returns within 20 s, although the revoke waits until @imp is closed. */
static void poll_is_answered(struct shared *s, int imp, const char *what)
{
	pthread_t thread, poller;

	ok(revoke_waits(&thread, s->export_id), "REVOKE waits for %s", what);
	polling.fd = s->fd;
	polling.done = 0;
	pthread_create(&poller, NULL, poll_it, NULL);
	for (int i = 0; i < 2000 && !polling.done; i++)
		sleep_ms(10);
	ok(polling.done && waiting.result == 1, "during a waiting REVOKE poll() is answered");
	close(imp);
	pthread_join(thread, NULL);
	pthread_join(poller, NULL);
	is_errno(waiting.result, 0,
		 "the waiting REVOKE succeeds after the fence or mapping has ended");
}

static void polls(void)
{
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, 0);
	int fence = imp_fenced(&s, true, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_WRITE, 0);
	int late = imp_new(t.fd, IMPORTER_LATE);

	is_errno(imp_map(late, IMPORTER_TO_DEVICE), 0, "a late importer maps before poll()");
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

	must(peer_hear(&p));
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

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s export: an importer maps", what);
	is_int(touch_read(q), 0, "%s export: a CPU mapping is read", what);
	p = holder_start(&s);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "%s export: a process holds the lock: REVOKE: the deadline passes: ETIMEDOUT",
		 what);
	ok(still_holds(&p), "%s export: the process holds the lock until after REVOKE", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "%s export: a process holds the lock: REVOKE with timeout 0: ETIMEDOUT", what);
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "%s export: a process holds the lock: REVOKE reports the state revoking", what);
	is_int(r.device_mappings, 1,
	       "%s export: a process holds the lock: REVOKE reports one device mapping", what);
	is_int(touch_read(q), SIGBUS,
	       "%s export: a process holds the lock: the CPU mapping gets SIGBUS", what);
	is_int(raw_importers(ccshm, s.export_id, NULL, 0, 0, NULL), 0,
	       "%s export: a process holds the lock: IMPORTERS works", what);
	munmap(q, UNIT);
	is_errno(raw_free(ccshm, s.id), 0, "%s export: a process holds the lock: FREE works", what);
	ok(still_holds(&p), "%s export: the process holds the lock until after FREE", what);
	peer_must_end(&p, SIGKILL);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "%s export: the lock is released: REVOKE succeeds", what);
	is_int(imp_status(imp).notified, 1,
	       "%s export: the lock is released: the importer was notified once", what);
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

static void lock_is_held_indefinitely(void)
{
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct peer holder, revoker;

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "an importer maps before the lock is held");
	holder = holder_start(&s);
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	must(peer_hear(&revoker));
	ok(waits_in(revoker.pid, CCSHM_IOC_REVOKE),
	   "a process holds the lock: REVOKE without a deadline waits");
	ok(WIFSIGNALED(peer_end(&revoker, SIGKILL)),
	   "a process holds the lock: the waiting REVOKE can be killed");
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	must(peer_hear(&revoker));
	ok(waits_in(revoker.pid, CCSHM_IOC_REVOKE),
	   "a process holds the lock: a second REVOKE waits");
	peer_must_end(&holder, SIGKILL);
	is_errno(peer_hear(&revoker), 0, "the lock is released: the second REVOKE succeeds");
	peer_must_end(&revoker, 0);
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

	must(peer_hear(&p));
	ok(waits_in(p.pid, 0), "a static importer's map waits for another importer's fence");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "REVOKE while a map waits for a fence: ETIMEDOUT");
	ok(still_holds(&p), "the map still waits for the fence after REVOKE");
	peer_must_end(&p, SIGKILL);
	close(imp);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), &r), 0,
		 "REVOKE after the end of both importers succeeds");
	shared_end(&s);
}

int main(void)
{
	exported_setup();
	listed();
	listed_pinned();
	command_line();
	reason_is_logged_once();
	if (pinned_can_unmap) {
		skip("a pinning importer cannot map a revocable export",
		     "from 7.1 on a pinning importer can unmap on request");
		held_by(IMPORTER_DEAF, "deaf");
	} else {
		pinned_is_kept_out(IMPORTER_DEAF, "deaf");
		pinned_is_kept_out(IMPORTER_PINNED, "pinned");
	}
	held_by(IMPORTER_STUBBORN, "stubborn");
	pinned_export_held_by(IMPORTER_DEAF, "deaf");
	pinned_export_held_by(IMPORTER_STUBBORN, "stubborn");
	unmaps_later();
	late_fence();
	fence_by_itself();
	fence_that_stays(IMPORTER_USAGE_BOOKKEEP, "bookkeeping");
	fence_that_stays(IMPORTER_USAGE_KERNEL, "the kernel's");
	fences_without_end();
	fence_of_late_importer();
	polls();
	lock_is_held(0, "revocable");
	lock_is_held(CCSHM_EXPORT_PINNED, "pinned");
	lock_is_held_indefinitely();
	core_holds_the_lock();
	exported_end();
	return done_testing();
}
