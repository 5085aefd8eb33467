// SPDX-License-Identifier: GPL-2.0-only
/*
 * A revoke races with every other operation that can run at the same time. In either order, no
 * process gains access after the revoke, and no process keeps access. Each race is repeated until
 * both orders have occurred: the other operation succeeds before the revoke, and is refused after
 * it.
 *
 * In the variant "cca", four processors run at the same time. The two processors of "smp", "snp" and
 * "tdx" take turns in one thread of QEMU, which can switch between them after each block of code. The
 * variant "smp" is a plain guest; in the others, the emulator checks all accesses.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-timeout: 400
 * vm-variant: smp flavours=plain cpus=2 matrix=
 * vm-variant: cca flavours=cca cpus=4 matrix=
 * vm-variant: snp flavours=snp cpus=2 kernels=6.12,7.3 matrix=
 * vm-variant: tdx flavours=tdx cpus=2 matrix=
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"

#define RW	(PROT_READ | PROT_WRITE)

static int ccshm;

#define THREADS	3
#define STEP	(31 * PAGE)	/* a signal for each page would take too long */

/* The minimum number of rounds of a race, also on a slow machine. */
#define ROUNDS	5

/* The pairs of outcomes that a race can have. */
enum { CALL, MAP, UNMAP, PAIRS };

/**
 * struct outcomes - how often each of the two outcomes of a race has occurred
 * @before: the other operation came before the revoke or the end of the buffer
 * @after: the other operation came after it
 */
static struct outcomes {
	atomic_int before, after;
} outcomes[PAIRS];

/* The number of pairs in the current race, beginning with CALL. */
static int pairs;

static void outcome(int pair, bool is_before)
{
	if (is_before)
		outcomes[pair].before++;
	else
		outcomes[pair].after++;
}

/* Begin a race that has @nr pairs of outcomes. Return the time. */
static int64_t race_started(int nr)
{
	memset(outcomes, 0, sizeof(outcomes));
	pairs = nr;
	return now_ns();
}

static bool all_occurred(void)
{
	for (int i = 0; i < pairs; i++)
		if (!outcomes[i].before || !outcomes[i].after)
			return false;
	return true;
}

/*
 * Return whether to run another round: races run for 1.2 s, or for up to 2 minutes until all outcomes
 * have occurred, because a round can take 15 s on a busy host.
 */
static bool another_round(int rounds, int64_t begin)
{
	int64_t ms = (now_ns() - begin) / 1000000;

	if (rounds < ROUNDS || !all_occurred())
		return ms < 120000;
	return rounds < 200 && ms < 1200;
}

/* Test that @what has come both before and after the revoke, or the end of the buffer. */
static void both_occurred(int pair, const char *what)
{
	const struct outcomes *o = &outcomes[pair];

	ok(o->before && o->after,
	   "%s occurs both before and after the revoke or the end of the buffer", what);
	diag("%d times before, %d times after", o->before, o->after);
}

static struct race {
	int fd;
	uint64_t id;
	char *p;
	size_t size;
	atomic_bool revoked, stop;
	atomic_int bad, done;
	atomic_int sig;			/* of the last touch that was bad */
} race;

static char *map_of(int fd, size_t size)
{
	char *p = map_aligned(fd, size, RW, 0);

	if (!p)
		bail("mmap: %s", strerror(errno));
	return p;
}

static unsigned int dice(unsigned int n)
{
	static __thread unsigned int state;

	if (!state)
		state = (unsigned int)now_ns() | 1;
	state = state * 1103515245 + 12345;
	return (state >> 16) % n;
}

static void raced(bool good)
{
	race.done++;
	race.bad += !good;
}

/* A touch that raised @sig; the revoke had ended before it if @revoked. */
static void raced_touch(int sig, bool revoked)
{
	bool good = sig == SIGBUS || (!sig && !revoked);

	raced(good);
	if (!good)
		race.sig = sig;
}

static void *race_fault(void *arg)
{
	(void)arg;
	while (!race.stop) {
		bool revoked = race.revoked;
		char *p = race.p + dice(race.size / PAGE) * PAGE;
		int sig = dice(2) ? touch_read(p) : touch_write(p, 1);

		raced_touch(sig, revoked);
		outcome(CALL, !sig);
	}
	return NULL;
}

static void *race_mmap(void *arg)
{
	(void)arg;
	while (!race.stop) {
		bool revoked = race.revoked;
		char *p = raw_map(race.fd, race.size, RW);
		int sig;

		outcome(CALL, p);
		if (!p) {
			raced(errno == ENODEV);
			continue;
		}
		raced(!revoked);
		revoked = race.revoked;
		sig = touch_read(p);
		raced_touch(sig, revoked);
		munmap(p, race.size);
	}
	return NULL;
}

/* Make a mapping in each thread, change it, and touch it. */
static void *race_change(void *arg)
{
	char *p = map_aligned(race.fd, race.size, RW, 0);

	(void)arg;
	while (p && !race.stop) {
		char *at = p + dice(race.size / PAGE) * PAGE;
		bool revoked = race.revoked;
		int sig;

		mprotect(at, PAGE, dice(2) ? RW : PROT_READ);
		sig = touch_read(at);
		raced_touch(sig, revoked);
		outcome(CALL, !sig);
		madvise(at, PAGE, dice(2) ? MADV_WILLNEED : MADV_PAGEOUT);
		if (!dice(8)) {
			char *to = mremap(p, race.size, race.size, MREMAP_MAYMOVE | MREMAP_FIXED,
					  aligned_space(race.size));

			p = to == MAP_FAILED ? p : to;
		}
		if (!dice(8)) {
			munmap(p, race.size);
			p = map_aligned(race.fd, race.size, RW, 0);
		}
	}
	if (p)
		munmap(p, race.size);
	return NULL;
}

/*
 * Move a mapping of one 2 MiB page all the time, and touch it. mremap() takes such an entry out of one
 * page table and puts it into another: a revoke must not look at both when it is in neither.
 */
static void *race_move(void *arg)
{
	char *p = map_aligned(race.fd, race.size, RW, 0);

	(void)arg;
	while (p && !race.stop) {
		char *to = aligned_space(race.size);
		bool revoked = race.revoked;
		int sig = touch_read(p);

		raced_touch(sig, revoked);
		outcome(CALL, !sig);
		to = mremap(p, race.size, race.size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		raced(to != MAP_FAILED);
		p = to == MAP_FAILED ? p : to;
	}
	if (p)
		munmap(p, race.size);
	return NULL;
}

static void *race_attach(void *arg)
{
	(void)arg;
	while (!race.stop) {
		bool revoked = race.revoked;
		struct ccshm_ioc_attach req = {
			.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = race.fd, .device = PCI_A,
		};
		int err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req);

		raced(err == -ENODEV || (!err && !revoked));
		outcome(CALL, !err);
		if (!err) {
			raced(!raw_detach(req.fd, 0));
			close(req.fd);
		}
	}
	return NULL;
}

/* Revoke once, at a random time around the revoke of the round, then again after it. */
static void *race_revoke(void *arg)
{
	struct ccshm_ioc_revoke r;
	bool first = true;

	(void)arg;
	usleep(dice(6000));
	while (!race.stop || first) {
		int err = raw_revoke(ccshm, race.id, 0, in_ms(5000), &r);

		raced(!err && r.state == CCSHM_STATE_REVOKED && r.revoked == 1);
		if (first)
			outcome(CALL, !race.revoked);
		first = false;
	}
	return NULL;
}

/* Run one round: start threads and a revoke, and test what the threads can access after it. */
static void race_round(uint64_t buffer, void *(*fn)(void *arg), size_t offset)
{
	pthread_t thread[THREADS];
	struct ccshm_ioc_revoke r;
	int err;

	race.stop = race.revoked = false;
	race.fd = raw_export(ccshm, buffer, 0, &race.id);
	if (race.fd < 0)
		bail("EXPORT failed: %s", strerror(-race.fd));
	race.p = mmap((char *)aligned_space(race.size + UNIT) + offset, race.size, RW,
		      MAP_SHARED | MAP_FIXED, race.fd, 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, fn, NULL);
	usleep(500 + dice(4000));
	err = raw_revoke(ccshm, race.id, 0, in_ms(10000), &r);
	race.revoked = true;
	usleep(1000);
	raced(!err && r.state == CCSHM_STATE_REVOKED);
	raced(touch_some(race.p, race.size, STEP, SIGBUS));
	race.stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	munmap(race.p, race.size);
	close(race.fd);
}

static void race_with(const char *what, void *(*fn)(void *arg))
{
	int64_t begin = race_started(1);
	uint64_t buffer;
	int rounds = 0;

	memset(&race, 0, sizeof(race));
	race.size = UNIT;
	if (raw_alloc(ccshm, race.size, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++)
		race_round(buffer, fn, rounds % 2 * PAGE);
	ok(rounds >= ROUNDS && race.done > rounds,
	   "revoke and %s: %d rounds, %d actions", what, rounds,
	   race.done);
	if (race.bad)
		diag("the last touch that was bad: %s", race.sig ? strsignal(race.sig) : "no signal");
	is_int(race.bad, 0,
	       "revoke and other calls: no call succeeds and no page can be accessed after the revoke");
	both_occurred(CALL, "a call that races with a revoke");
	must(raw_free(ccshm, buffer));
}

/*
 * A process that touches its mapping and forks while the mapping is revoked; its children touch
 * the mapping afterwards. A fork is before the revoke if the mapping can still be accessed after
 * it, and after the revoke if the mapping could not be accessed before it.
 */
struct fork_race {
	atomic_bool revoked;
	int before, after;
	char *p;
};

static int fork_and_touch(struct peer *parent, void *arg)
{
	struct fork_race *f = arg;
	pid_t pid[12];
	int bad = 0;

	peer_send(parent, 0, -1);
	for (int i = 0; i < 12; i++) {
		bool refused = touch_read(f->p + i * PAGE);

		pid[i] = fork();
		if (pid[i]) {
			f->after += refused;
			f->before += !refused && !touch_read(f->p + i * PAGE);
			continue;
		}
		while (!f->revoked)
			usleep(1000);
		_exit(!touch_some(f->p, UNIT, STEP, SIGBUS));
	}
	for (int i = 0; i < 12; i++)
		bad += reap(pid[i], 20000) != 0;
	return bad;
}

static void race_with_fork(void)
{
	struct fork_race *f = common(sizeof(*f));
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;
	uint64_t buffer, id;

	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++) {
		int fd = raw_export(ccshm, buffer, 0, &id);
		struct peer forker;

		f->revoked = false;
		f->p = map_of(fd, UNIT);
		bad += !touch_some(f->p, UNIT, STEP, 0);
		forker = peer_start(ROOT, ALL_CAPS, fork_and_touch, f);
		must(peer_hear(&forker));
		usleep(dice(20000));
		bad += raw_revoke(ccshm, id, 0, in_ms(10000), NULL) != 0;
		f->revoked = true;
		bad += peer_hear(&forker) != 0;
		peer_must_end(&forker, 0);
		outcomes[CALL].before = f->before;
		outcomes[CALL].after = f->after;
		munmap(f->p, UNIT);
		close(fd);
	}
	ok(rounds >= ROUNDS, "revoke and fork: %d rounds", rounds);
	is_int(bad, 0, "revoke and fork: no page can be accessed by a child after the revoke");
	both_occurred(CALL, "a fork that races with a revoke");
	must(raw_free(ccshm, buffer));
	munmap(f, sizeof(*f));
}

/* Drop the last reference to the dma-buf during the revoke. */
static void *race_close(void *arg)
{
	(void)arg;
	usleep(dice(300));
	munmap(race.p, race.size);
	close(race.fd);
	return NULL;
}

static void race_with_close(void)
{
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;
	uint64_t buffer, id;

	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	race.size = UNIT;
	for (; another_round(rounds, begin); rounds++) {
		pthread_t thread;
		int err;

		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		race.p = map_of(race.fd, UNIT);
		bad += touch_read(race.p) != 0;
		pthread_create(&thread, NULL, race_close, NULL);
		usleep(dice(300));
		id = dice(2) ? race.id : buffer;
		err = raw_revoke(ccshm, id, 0, in_ms(10000), NULL);
		bad += err && (err != -ENOENT || id == buffer);
		if (id == race.id)
			outcome(CALL, err);
		pthread_join(thread, NULL);
		bad += raw_revoke(ccshm, race.id, 0, 0, NULL) != -ENOENT;
	}
	ok(rounds >= ROUNDS, "revoke and close: %d rounds", rounds);
	is_int(bad, 0,
	       "revoke and close: the revoke succeeds, or returns ENOENT for a closed export");
	both_occurred(CALL, "a close that races with a revoke");
	must(raw_free(ccshm, buffer));
}

/* Free the buffer during the revoke, and test that its memory returns. */
static void *race_free(void *arg)
{
	uint64_t *buffer = arg;

	usleep(dice(300));
	raced(!raw_free(ccshm, *buffer));
	return NULL;
}

static void race_with_free(void)
{
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;

	memset(&race, 0, sizeof(race));
	for (; another_round(rounds, begin); rounds++) {
		pthread_t thread;
		uint64_t buffer, id;
		char *p;
		int err;

		if (raw_alloc(ccshm, UNIT, &buffer))
			bail("ALLOC failed");
		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		p = map_of(race.fd, UNIT);
		bad += touch_read(p) != 0;
		pthread_create(&thread, NULL, race_free, &buffer);
		usleep(dice(300));
		id = dice(2) ? race.id : buffer;
		err = raw_revoke(ccshm, id, 0, in_ms(10000), NULL);
		bad += err && (err != -ENOENT || id == race.id);
		if (id == buffer)
			outcome(CALL, err);
		pthread_join(thread, NULL);
		bad += raw_revoke(ccshm, race.id, 0, 0, NULL) != 0;
		bad += !touch_some(p, UNIT, STEP, SIGBUS);
		munmap(p, UNIT);
		close(race.fd);
	}
	ok(rounds >= ROUNDS, "revoke and FREE: %d rounds", rounds);
	is_int(bad + race.bad, 0,
	       "revoke and FREE: the revoke succeeds, or returns ENOENT for a freed buffer");
	both_occurred(CALL, "a FREE that races with a revoke");
}

/* ---- the end of a buffer, and calls that use the buffer ---- */

/* EXPORT until the round is over. After the buffer has ended, the only valid result is ENOENT. */
static void *export_on(void *arg)
{
	(void)arg;
	while (!race.stop) {
		bool ended = race.revoked;
		int fd = raw_export(ccshm, race.id, 0, NULL);

		raced(fd == -ENOENT || (fd >= 0 && !ended));
		outcome(CALL, fd >= 0);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* ATTACH and DETACH until the round is over. */
static void *attach_on(void *arg)
{
	(void)arg;
	while (!race.stop) {
		bool ended = race.revoked;
		struct ccshm_ioc_attach req = { .id = race.id, .device = PCI_A };
		int err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req);

		raced(err == -ENOENT || (!err && !ended));
		outcome(CALL, !err);
		if (!err) {
			raced(!raw_detach(req.fd, 0));
			close(req.fd);
		}
	}
	return NULL;
}

/* End a buffer, by FREE or by closing the file that owns it, while threads call @fn. */
static void race_with_end(const char *what, bool by_close, void *(*fn)(void *arg))
{
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;

	memset(&race, 0, sizeof(race));
	for (; another_round(rounds, begin); rounds++) {
		struct ccshm_ioc_query q;
		pthread_t thread[THREADS];
		int owner = raw_open();

		if (owner < 0 || raw_alloc(owner, UNIT, &race.id))
			bail("ALLOC failed");
		race.stop = race.revoked = false;
		for (int i = 0; i < THREADS; i++)
			pthread_create(&thread[i], NULL, fn, NULL);
		usleep(500 + dice(4000));
		if (!by_close)
			bad += raw_free(owner, race.id) != 0;
		close(owner);
		race.revoked = true;
		usleep(1000);
		race.stop = true;
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		bad += !wait_clean(ccshm);
		bad += raw_query(ccshm, race.id, &q) != -ENOENT;
	}
	ok(rounds >= ROUNDS, "%s: %d rounds, %d actions", what, rounds, race.done);
	is_int(race.bad, 0, "EXPORT or ATTACH of an ended buffer never succeeds");
	is_int(bad, 0, "calls on an ending buffer: the memory is returned");
	both_occurred(CALL, "a call that races with the end of a buffer");
}

/* ---- importers ---- */

/* Sleep in a quarter of the calls, so that a revoke is likely to begin at this point. */
static void widen(void)
{
	if (!dice(4))
		usleep(1000);
}

/* Attach, map, add a fence, unmap and detach, until the round is over. */
static void *race_import(void *arg)
{
	enum importer_kind kind = *(enum importer_kind *)arg;
	int imp = imp_open();
	bool mapped;

	while (!race.stop) {
		bool revoked = race.revoked;
		int err = kind == IMPORTER_DELAYED ? imp_attach_delayed(imp, race.fd, dice(3)) :
						     imp_attach(imp, race.fd, kind);

		raced(err == -ENODEV || (!err && !revoked));
		outcome(CALL, !err);
		if (err)
			continue;
		widen();
		revoked = race.revoked;
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
		raced(err == -ENODEV || (!err && !revoked));
		outcome(MAP, !err);
		mapped = !err;
		if (dice(2))
			raced(!imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_WRITE, dice(3)));
		widen();
		if (dice(2)) {
			/* UNMAP returns ENOTCONN after the revoke has unmapped the importer. */
			err = imp_unmap(imp);
			raced(err == -ENOTCONN || (!err && mapped));
			if (mapped)
				outcome(UNMAP, !err);
		}
		raced(!imp_detach(imp));
	}
	close(imp);
	return NULL;
}

static void *race_poll(void *arg)
{
	struct pollfd pfd = { .fd = race.fd, .events = POLLIN | POLLOUT };

	(void)arg;
	while (!race.stop)
		poll(&pfd, 1, 0);
	return NULL;
}

static void race_with_importers(enum importer_kind kind, const char *what)
{
	int64_t begin = race_started(PAIRS);
	int rounds = 0, bad = 0;
	uint64_t buffer;

	memset(&race, 0, sizeof(race));
	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++) {
		struct ccshm_ioc_importer list[4];
		struct ccshm_ioc_revoke r;
		struct ccshm_ioc_query q;
		pthread_t thread[3];
		int err;

		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		race.revoked = race.stop = false;
		for (int i = 0; i < 2; i++)
			pthread_create(&thread[i], NULL, race_import, &kind);
		pthread_create(&thread[2], NULL, race_poll, NULL);
		usleep(500 + dice(4000));
		bad += raw_importers(ccshm, race.id, list, 0, 4, NULL) < 0;
		err = raw_revoke(ccshm, race.id, 0, in_ms(20000), &r);
		race.revoked = true;
		must(raw_query(ccshm, race.id, &q));
		bad += err || r.state != CCSHM_STATE_REVOKED || q.device_mappings;
		usleep(1000);
		race.stop = true;
		for (int i = 0; i < 3; i++)
			pthread_join(thread[i], NULL);
		bad += raw_importers(ccshm, race.id, list, 0, 4, NULL) != 0;
		close(race.fd);
	}
	ok(rounds >= ROUNDS && race.done > rounds, "revoke and %s importers: %d rounds, %d actions",
	   what, rounds, race.done);
	is_int(bad, 0, "revoke and importers: the revoke ends all device mappings");
	is_int(race.bad, 0, "revoke and importers: no attach and no map succeeds after the revoke");
	both_occurred(CALL, "an attach that races with a revoke");
	both_occurred(MAP, "a map that races with a revoke");
	both_occurred(UNMAP, "an unmap that races with a revoke");
	must(raw_free(ccshm, buffer));
}

/* ---- concurrent revokes of an export with importers ---- */

static void *revoke_once(void *arg)
{
	struct ccshm_ioc_revoke r;
	int err = raw_revoke(ccshm, *(uint64_t *)arg, 0, in_ms(20000), &r);

	raced(!err && r.state == CCSHM_STATE_REVOKED && !r.device_mappings);
	return NULL;
}

static void race_of_revokes(void)
{
	int64_t begin = race_started(0);
	int rounds = 0;
	uint64_t buffer;

	memset(&race, 0, sizeof(race));
	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++) {
		int imp = imp_open(), quick = imp_open();
		pthread_t thread[THREADS];

		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		raced(!imp_attach_delayed(imp, race.fd, dice(20)));
		raced(!imp_attach(quick, race.fd, IMPORTER_DYNAMIC));
		raced(!imp_map(imp, IMPORTER_TO_DEVICE));
		raced(!imp_map(quick, IMPORTER_TO_DEVICE));
		for (int i = 0; i < THREADS; i++)
			pthread_create(&thread[i], NULL, revoke_once, i ? &race.id : &buffer);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		close(imp);
		close(quick);
		close(race.fd);
	}
	ok(rounds >= ROUNDS, "several revokes of an export with importers: %d rounds", rounds);
	is_int(race.bad, 0, "several revokes of an export with importers: each succeeds");
	must(raw_free(ccshm, buffer));
}

/* ---- the end of processes, drivers and modules ---- */

static atomic_int waiting;

/* Revoke at a random time, and wait for the end of the revoke. */
static void *revoke_waits(void *arg)
{
	(void)arg;
	usleep(dice(5000));
	waiting = raw_revoke(ccshm, race.id, 0, in_ms(30000), NULL);
	return NULL;
}

/* Record whether the revoke of the thread has begun before the holder ends. */
static void outcome_now(void)
{
	struct ccshm_ioc_query q;

	if (!raw_query(ccshm, race.id, &q))
		outcome(CALL, q.state == CCSHM_STATE_ACTIVE);
}

/* Map with the CPU and for a device, and never unmap. */
static int hold(struct peer *parent, void *arg)
{
	int *fd = arg, imp = imp_new(*fd, IMPORTER_STUBBORN);
	char *p = raw_map(*fd, UNIT, RW);
	int err = imp_map(imp, IMPORTER_BIDIRECTIONAL), sig;

	if (!p || err)
		return err ? err : -ENOMEM;
	peer_send(parent, 0, -1);
	do {
		sig = touch_read(p + dice(UNIT));
	} while (!sig || sig == SIGBUS);
	fail("an access to a mapping that is revoked gets no signal or SIGBUS, not %d", sig);
	return -EFAULT;
}

static void race_with_death(void)
{
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;
	uint64_t buffer;

	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++) {
		struct ccshm_ioc_query q;
		struct peer holder;
		pthread_t thread;

		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		holder = peer_start(ROOT, ALL_CAPS, hold, &race.fd);
		bad += peer_hear(&holder) != 0;
		pthread_create(&thread, NULL, revoke_waits, NULL);
		usleep(dice(5000));
		outcome_now();
		peer_must_end(&holder, SIGKILL);
		pthread_join(thread, NULL);
		must(raw_query(ccshm, race.id, &q));
		bad += waiting != 0 || q.state != CCSHM_STATE_REVOKED || q.device_mappings;
		close(race.fd);
	}
	ok(rounds >= ROUNDS, "revoke and the death of an attachment's holder: %d rounds", rounds);
	is_int(bad, 0, "revoke and the death of an attachment's holder: the revoke ends");
	both_occurred(CALL, "the death of a holder that races with a revoke");
	must(raw_free(ccshm, buffer));
}

/*
 * Race a revoke with unbinding the importer's driver, or with unloading its module, which is then
 * loaded again.
 */
static void race_with_driver(bool module, const char *what)
{
	int64_t begin = race_started(1);
	int rounds = 0, bad = 0;
	uint64_t buffer;

	if (raw_alloc(ccshm, UNIT, &buffer))
		bail("ALLOC failed");
	for (; another_round(rounds, begin); rounds++) {
		int imp, tries = 0;
		pthread_t thread;

		race.fd = raw_export(ccshm, buffer, 0, &race.id);
		imp = imp_new(race.fd, IMPORTER_STUBBORN);
		bad += imp_map(imp, IMPORTER_TO_DEVICE) != 0;
		bad += raw_rmmod("ccshm_importer") != -EWOULDBLOCK;
		pthread_create(&thread, NULL, revoke_waits, NULL);
		usleep(dice(5000));
		outcome_now();
		if (module) {
			close(imp);
			while (raw_rmmod("ccshm_importer") && tries++ < 1000)
				usleep(1000);
		} else {
			bad += device_unbind(EDU_A) != 0;
			close(imp);
		}
		pthread_join(thread, NULL);
		bad += waiting != 0 || tries > 1000;
		close(race.fd);
		if (module)
			importer_load();
		else
			bad += device_bind(EDU_A, IMPORTER_DRIVER) != 0;
	}
	ok(rounds >= ROUNDS, "revoke and %s: %d rounds", what, rounds);
	is_int(bad, 0, "revoke and the removal of a driver: the revoke ends");
	both_occurred(CALL, "the removal of a driver that races with a revoke");
	must(raw_free(ccshm, buffer));
}

/* Allocate, export, revoke and close until the round is over. */
static void *use_driver(void *arg)
{
	(void)arg;
	while (!race.stop) {
		int fd = raw_open(), dmabuf;
		uint64_t buffer, id;
		char *p;

		if (fd < 0)
			continue;
		if (!raw_alloc(fd, PAGE, &buffer)) {
			dmabuf = raw_export(fd, buffer, 0, &id);
			p = raw_map(dmabuf, PAGE, RW);
			raced(!touch_read(p));
			raced(!raw_revoke(fd, id, 0, in_ms(10000), NULL));
			raced(touch_read(p) == SIGBUS);
			munmap(p, PAGE);
			close(dmabuf);
		}
		close(fd);
		usleep(dice(3000));
	}
	return NULL;
}

/* Test that the driver can be unloaded only while no descriptor is open. */
static void race_with_unload(void)
{
	int64_t begin = race_started(1);
	int gone = 0, refused = 0, bad = 0;
	pthread_t thread;

	close(ccshm);
	memset(&race, 0, sizeof(race));
	pthread_create(&thread, NULL, use_driver, NULL);
	while (another_round(gone, begin)) {
		int err = driver_unload();

		bad += err && err != -EWOULDBLOCK;
		refused += err == -EWOULDBLOCK;
		outcome(CALL, err);
		if (err) {
			usleep(dice(2000));
			continue;
		}
		gone++;
		driver_load();
		/* Wait until the driver is in use before the next attempt. */
		for (int done = race.done, i = 0; race.done < done + 4 && i < 2000; i++)
			usleep(1000);
	}
	race.stop = true;
	pthread_join(thread, NULL);
	ok(gone >= ROUNDS && race.done > gone, "revoke and unloading: %d times, %d refused, %d actions",
	   gone, refused, race.done);
	is_int(bad + race.bad, 0,
	       "revoke and unloading: each call succeeds, or the unloading is refused with EWOULDBLOCK");
	ok(refused > 0,
	   "revoke and unloading: the unloading is also refused while the driver is in use");
	ccshm = raw_open();
}

int main(void)
{
	driver_load();
	touch_init();
	importer_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	race_with("faults", race_fault);
	race_with("mmap", race_mmap);
	race_with("mprotect, mremap, munmap", race_change);
	race_with("mremap of 2 MiB pages", race_move);
	race_with("other revokes", race_revoke);
	race_with_fork();
	race_with_close();
	race_with_free();
	race_with_importers(IMPORTER_DYNAMIC, "dynamic");
	race_with_importers(IMPORTER_DELAYED, "delayed");
	race_of_revokes();
	race_with_death();
	race_with_driver(false, "unbinding the importer's driver");
	race_with_driver(true, "unloading the importer's module");
	race_with_unload();

	is_errno(device_unbind(EDU_A), 0, "the importer's driver releases the device");
	race_with("attachments", race_attach);
	race_with_end("FREE and EXPORT", false, export_on);
	race_with_end("close of the owner's file and EXPORT", true, export_on);
	race_with_end("FREE and ATTACH", false, attach_on);
	race_with_end("close of the owner's file and ATTACH", true, attach_on);
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer can be unloaded");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
