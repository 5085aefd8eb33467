// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revoke: all access through an export or attachment ends in every process, and REVOKE returns
 * after it has ended. Also deadlines and signals.
 *
 * vm-modules: ccshm
 * vm-timeout: 300
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"

#define RW	(PROT_READ | PROT_WRITE)

static int ccshm;

/* A buffer with stamps, and an export of the buffer. */
struct shared {
	uint64_t id;
	uint64_t export_id;
	int fd;
	size_t size;
};

static struct shared shared_new(size_t size)
{
	struct shared s = { .size = size };
	int err = raw_alloc(ccshm, size, &s.id);
	char *p;

	if (err)
		bail("ALLOC: %s", strerror(-err));
	s.fd = raw_export(ccshm, s.id, 0, &s.export_id);
	p = s.fd < 0 ? NULL : raw_map(s.fd, size, RW);
	if (!p)
		bail("EXPORT or mmap of buffer %llu failed", (unsigned long long)s.id);
	stamp_pages(p, 1, 0, size);
	munmap(p, size);
	return s;
}

static void shared_end(struct shared *s)
{
	if (s->fd >= 0)
		close(s->fd);
	is_errno(raw_free(ccshm, s->id), 0, "FREE of the buffer: success");
}

static char *map_of(int fd, size_t size)
{
	char *p = map_aligned(fd, size, RW, 0);

	if (!p)
		bail("mmap: %s", strerror(errno));
	return p;
}

static struct ccshm_ioc_query query(uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, id, &q);

	if (err)
		bail("QUERY of %llu: %s", (unsigned long long)id, strerror(-err));
	return q;
}

static void result_is(const struct ccshm_ioc_revoke *r, enum ccshm_state state,
		      unsigned int device_mappings, unsigned int revoked, unsigned int stopped)
{
	is_int(r->state, state, "REVOKE returns the expected state");
	is_int(r->device_mappings, device_mappings,
	       "REVOKE returns the expected number of device mappings");
	is_int(r->revoked, revoked, "REVOKE returns the expected number of revoked objects");
	is_int(r->stopped, stopped, "REVOKE returns the expected number of stopped devices");
}

/* ---- a child process that uses an export ---- */

enum {
	DO_MAP,		/* map the descriptor that is sent with the order: an errno */
	DO_TOUCH,	/* read the first page: a signal */
	DO_WRITE,	/* write to the last page: a signal */
	DO_CHECK,	/* check all stamps: 1 if they are right */
	DO_ALL,		/* read all pages: 1 if each read gets SIGBUS */
	DO_FORK,	/* the result of DO_ALL in a forked child */
	DO_END,
};

#define SIZE	(2 * UNIT)

static int all_in_child(char *p)
{
	pid_t pid = fork();

	if (!pid)
		_exit(touch_all(p, SIZE, SIGBUS));
	return WEXITSTATUS(reap(pid, 20000));
}

static int servant_do(int what, int fd, char **p)
{
	switch (what) {
	case DO_MAP:
		*p = map_aligned(fd, SIZE, RW, 0);
		return *p ? 0 : -errno;
	case DO_TOUCH:
		return touch_read(*p);
	case DO_WRITE:
		return touch_write(*p + SIZE - 1, 1);
	case DO_CHECK:
		return stamp_pages_check(*p, 1, 0, SIZE);
	case DO_ALL:
		return touch_all(*p, SIZE, SIGBUS);
	case DO_FORK:
		return all_in_child(*p);
	}
	return -EINVAL;
}

/* Execute orders. @arg: an inherited mapping, or NULL. */
static int servant(struct peer *parent, void *arg)
{
	int what, fd;
	char *p = arg;

	while (peer_receive(parent, &what, &fd, 60000) && what != DO_END) {
		peer_send(parent, servant_do(what, fd, &p), -1);
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

static struct peer servant_start(char *inherited)
{
	return peer_start(ROOT, ALL_CAPS, servant, inherited);
}

static int servant_map(struct peer *p, int fd)
{
	peer_send(p, DO_MAP, fd);
	return peer_hear(p);
}

static void servant_end(struct peer *p)
{
	peer_send(p, DO_END, -1);
	peer_must_end(p, 0);
}

/* ---- CPU mappings ---- */

static void own_mapping(void)
{
	struct shared s = shared_new(SIZE);
	char *touched = map_of(s.fd, SIZE), *untouched = map_of(s.fd, SIZE);
	struct ccshm_ioc_revoke r;
	int pipes[2], other;
	struct attached a;
	char *moved;

	ok(stamp_pages_check(touched, 1, 0, SIZE), "own mapping: it shows its bytes before REVOKE");
	is_int(query(s.export_id).cpu_mappings, 2, "own mapping: QUERY counts both mappings");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "own mapping: REVOKE without waiting: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 1, 0);
	is_int(r.pages, SIZE / PAGE, "own mapping: REVOKE returns the number of pages");

	is_int(touch_read(touched + PAGE), SIGBUS,
	       "own mapping after REVOKE: the next access gets SIGBUS");
	ok(touch_info.si_addr == touched + PAGE,
	   "own mapping after REVOKE: SIGBUS has the address of the access");
	is_int(touch_write(touched, 1), SIGBUS, "own mapping after REVOKE: a write gets SIGBUS");
	ok(touch_all(touched, SIZE, SIGBUS), "own mapping after REVOKE: every page gets SIGBUS");
	ok(touch_all(untouched, SIZE, SIGBUS),
	   "own mapping after REVOKE: pages that were never touched get SIGBUS");
	if (pipe2(pipes, O_CLOEXEC) || write(pipes[1], "x", 1) != 1)
		bail("pipe: %s", strerror(errno));
	ok(read(pipes[0], touched, 1) < 0 && errno == EFAULT,
	   "own mapping after REVOKE: read() into it returns EFAULT");
	close(pipes[0]);
	close(pipes[1]);
	is_errno(mprotect(touched, PAGE, PROT_READ) ? -errno : 0, 0,
		 "own mapping after REVOKE: mprotect: success");
	is_int(touch_read(touched), SIGBUS,
	       "own mapping after REVOKE and mprotect: an access gets SIGBUS");
	moved = mremap(untouched, UNIT, UNIT, MREMAP_MAYMOVE | MREMAP_FIXED, aligned_space(UNIT));
	ok(moved != MAP_FAILED && touch_all(moved, UNIT, SIGBUS),
	   "own mapping after REVOKE and mremap: an access gets SIGBUS");
	munmap(moved, UNIT);

	is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), ENODEV, "mmap of a revoked export: ENODEV");
	is_errno(try_map(s.fd, SIZE, PROT_READ, MAP_SHARED), ENODEV,
		 "mmap of a revoked export with PROT_READ: ENODEV");
	is_errno(attach_dmabuf(ccshm, s.fd, PCI_A, &a), ENODEV,
		 "ATTACH to a revoked export: ENODEV");
	is_int(query(s.export_id).state, CCSHM_STATE_REVOKED,
	       "QUERY of a revoked export returns the state revoked");
	is_int(query(s.export_id).cpu_mappings, 0,
	       "QUERY of a revoked export counts no CPU mapping");
	is_int(query(s.export_id).device_mappings, 0,
	       "QUERY of a revoked export counts no device mapping");

	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, &r), 0,
		 "REVOKE of a revoked export: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 1, 0);
	is_int(r.pages, SIZE / PAGE, "REVOKE of a revoked export returns the number of pages");

	/* The owner can export the buffer again. */
	other = raw_export(ccshm, s.id, 0, NULL);
	munmap(untouched, SIZE);
	munmap(touched, SIZE);
	touched = map_of(other, SIZE);
	ok(stamp_pages_check(touched, 1, 0, SIZE), "a new export after REVOKE shows the bytes");
	is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "mmap of a revoked export after a new EXPORT: ENODEV");
	munmap(touched, SIZE);
	close(other);
	shared_end(&s);
}

static void other_processes(void)
{
	struct shared s = shared_new(SIZE);
	struct peer passed = servant_start(NULL), late = servant_start(NULL), child;
	char *p = map_of(s.fd, SIZE);
	struct ccshm_ioc_revoke r;

	ok(stamp_pages_check(p, 1, 0, SIZE),
	   "other processes: setup: the parent has touched its mapping");
	child = servant_start(p);
	is_int(peer_ask(&child, DO_CHECK), 1, "other processes: a child inherits the mapping");
	is_errno(servant_map(&passed, s.fd), 0,
		 "other processes: a process maps a received descriptor");
	is_int(peer_ask(&passed, DO_CHECK), 1,
	       "other processes: the mapping of a received descriptor shows the bytes");
	munmap(p, SIZE);
	is_int(query(s.export_id).cpu_mappings, 2, "other processes: QUERY counts two mappings");

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "other processes: REVOKE without waiting: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 1, 0);
	is_int(peer_ask(&child, DO_TOUCH), SIGBUS, "the child's next access gets SIGBUS");
	is_int(peer_ask(&child, DO_WRITE), SIGBUS, "the child's write gets SIGBUS after REVOKE");
	is_int(peer_ask(&child, DO_ALL), 1,
	       "each page of the child's mapping gets SIGBUS after REVOKE");
	is_int(peer_ask(&child, DO_FORK), 1, "a child of the child gets SIGBUS after REVOKE");
	is_int(peer_ask(&passed, DO_ALL), 1, "another process's mapping gets SIGBUS after REVOKE");
	is_errno(servant_map(&passed, s.fd), ENODEV,
		 "mmap of a revoked export by another process: ENODEV");
	is_errno(servant_map(&late, s.fd), ENODEV,
		 "mmap of a descriptor passed on after REVOKE: ENODEV");
	servant_end(&child);
	servant_end(&passed);
	servant_end(&late);
	shared_end(&s);
}

/* Test that a revoke of one export does not affect other exports. */
static void other_exports(void)
{
	struct shared s = shared_new(SIZE);
	uint64_t id;
	int fd = raw_export_slice(ccshm, s.id, 0, UNIT, UNIT, &id);
	char *p = map_of(s.fd, SIZE), *q = map_of(fd, UNIT);
	struct ccshm_ioc_revoke r;

	ok(stamp_pages_check(q, 1, UNIT, UNIT),
	   "two exports of the same pages: setup: both are mapped");
	is_errno(raw_revoke(ccshm, id, 0, 0, &r), 0,
		 "two exports of the same pages: REVOKE of one: success");
	is_int(r.pages, UNIT / PAGE,
	       "two exports of the same pages: REVOKE returns the pages of the slice");
	ok(touch_all(q, UNIT, SIGBUS),
	   "two exports of the same pages: the revoked one's mapping gets SIGBUS");
	ok(stamp_pages_check(p, 1, 0, SIZE),
	   "two exports of the same pages: the other one's mapping shows its bytes");
	is_int(query(s.export_id).state, CCSHM_STATE_ACTIVE,
	       "two exports of the same pages: QUERY returns the state active for the other");
	munmap(p, SIZE);
	munmap(q, UNIT);
	close(fd);
	shared_end(&s);
}

/* ---- permissions ---- */

static int revoke_as(void *arg)
{
	uint64_t *id = arg;
	int fd = raw_open();

	return raw_revoke(fd, *id, 0, 0, NULL);
}

static int force_as(void *arg)
{
	uint64_t *id = arg;

	return raw_revoke(ccshm, *id, CCSHM_REVOKE_FORCE, 0, NULL);
}

static void permissions(void)
{
	struct shared s = shared_new(SIZE);
	uint64_t named, export_id;
	int fd;

	is_errno(raw_revoke(ccshm, s.export_id, 1U << 20, 0, NULL), EINVAL,
		 "REVOKE with an unknown flag: EINVAL");
	is_errno(raw_revoke(ccshm, s.export_id, 0, -2, NULL), EINVAL,
		 "REVOKE with deadline -2: EINVAL");
	is_errno(raw_revoke(ccshm, ~0ULL, 0, 0, NULL), ENOENT, "REVOKE of an unknown id: ENOENT");
	is_int(query(s.export_id).state, CCSHM_STATE_ACTIVE,
	       "refused calls of REVOKE leave the export active");

	is_errno(as_user(ALICE, 0, revoke_as, &s.export_id), ENOENT,
		 "REVOKE by another user of an export of an anonymous buffer: ENOENT");
	is_errno(as_user(ALICE, 0, force_as, &s.export_id), EPERM,
		 "REVOKE with FORCE without CAP_SYS_RAWIO: EPERM");
	is_errno(raw_alloc_named(ccshm, UNIT, "revoke-me", 0666, &named), 0,
		 "ALLOC of a buffer of mode 0666: success");
	fd = raw_export(ccshm, named, 0, &export_id);
	is_errno(as_user(ALICE, 0, revoke_as, &export_id), EPERM,
		 "REVOKE by a user with write access but no control: EPERM");
	is_int(query(export_id).state, CCSHM_STATE_ACTIVE,
	       "REVOKE without control leaves the export active");
	close(fd);
	is_errno(raw_free(ccshm, named), 0, "FREE of a buffer of mode 0666: success");
	shared_end(&s);
}

/* ---- revokes in another process ---- */

static struct job {
	uint64_t id;
	uint64_t flags;
	int64_t deadline;
	int restart;
	atomic_int alarms;
	int64_t took_ms;
	struct ccshm_ioc_revoke result;
} *job;

static void on_alarm(int sig)
{
	(void)sig;
	job->alarms++;
}

static int revoker(struct peer *parent, void *arg)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int64_t begin = now_ns();
	int err;

	(void)parent;
	(void)arg;
	sa.sa_flags = job->restart ? SA_RESTART : 0;
	sigaction(SIGALRM, &sa, NULL);
	err = raw_revoke(ccshm, job->id, job->flags, job->deadline, &job->result);
	job->took_ms = (now_ns() - begin) / 1000000;
	return err;
}

static struct peer revoker_start(uint64_t id, uint64_t flags, int64_t deadline)
{
	job->id = id;
	job->flags = flags;
	job->deadline = deadline;
	job->alarms = 0;
	memset(&job->result, 0xee, sizeof(job->result));
	return peer_start(ROOT, ALL_CAPS, revoker, NULL);
}

static bool still_waits(struct peer *p)
{
	return waits_in(p->pid, CCSHM_IOC_REVOKE);
}

/* Return the events that poll() reports for the attachment within @ms. */
static short poll_pri(const struct attached *a, int ms)
{
	struct pollfd pfd = { .fd = a->fd, .events = POLLPRI };

	return poll(&pfd, 1, ms) == 1 ? pfd.revents : 0;
}

/* ---- attachments ---- */

static void attachment_is_notified(void)
{
	struct shared s = shared_new(SIZE);
	struct peer other;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "attachment: ATTACH of a device: success");
	device_start(&edu, EDU_A);
	is_int(poll_pri(&a, 0), 0, "attachment: its holder is not notified before REVOKE");
	other = revoker_start(a.id, 0, -1);
	is_int(poll_pri(&a, 20000), POLLPRI, "attachment: its holder is notified by POLLPRI");
	ok(still_waits(&other), "attachment: REVOKE waits while the device is attached");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "attachment: QUERY returns the state revoking");
	is_int(query(a.id).device_mappings, 1, "attachment: QUERY counts one device mapping");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "attachment: SEGMENTS during REVOKE: ENODEV");
	is_errno(raw_detach(a.fd, 0), 0, "attachment: DETACH: success");
	is_errno(peer_hear(&other), 0, "attachment: REVOKE succeeds after DETACH");
	result_is(&job->result, CCSHM_STATE_REVOKED, 0, 1, 0);
	is_int(job->result.pages, SIZE / PAGE, "attachment: REVOKE returns the number of pages");
	peer_must_end(&other, 0);
	is_int(edu_bus_master(&edu), 1,
	       "attachment: the device is still bus master after DETACH and REVOKE");
	ok(poll_pri(&a, 0) & POLLHUP, "attachment: poll() returns POLLHUP after REVOKE");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &job->result), 0,
		 "attachment: REVOKE of the revoked attachment: success");
	result_is(&job->result, CCSHM_STATE_REVOKED, 0, 1, 0);
	is_errno(raw_detach(a.fd, 0), 0, "attachment: DETACH of the revoked attachment: success");
	close(a.fd);
	edu_close(&edu);
	shared_end(&s);
}

static void deadline_passes(void)
{
	struct shared s = shared_new(SIZE);
	char *p = map_of(s.fd, SIZE);
	struct ccshm_ioc_revoke r;
	struct attached a, b;
	int64_t begin;

	is_errno(attach_dmabuf(ccshm, s.fd, PCI_A, &a), 0, "deadline: ATTACH to an export: success");
	is_int(touch_read(p), 0, "deadline: the export's mapping can be read");
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "deadline: REVOKE while the device stays attached: ETIMEDOUT");
	ok(now_ns() - begin >= 300 * 1000000LL,
	   "deadline: REVOKE does not return before its deadline");
	ok(now_ns() - begin < 10 * 1000000000LL,
	   "deadline: REVOKE returns soon after its deadline");
	is_int(r.state, CCSHM_STATE_REVOKING, "deadline: REVOKE returns the state revoking");
	is_int(r.device_mappings, 1, "deadline: REVOKE returns one device mapping");
	ok(r.pages >= SIZE / PAGE, "deadline: REVOKE returns the number of pages");

	ok(touch_all(p, SIZE, SIGBUS), "deadline: the CPU mapping gets SIGBUS after REVOKE");
	is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "deadline: mmap after REVOKE: ENODEV");
	is_errno(attach_dmabuf(ccshm, s.fd, PCI_B, &b), ENODEV,
		 "deadline: ATTACH after REVOKE: ENODEV");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "deadline: SEGMENTS after REVOKE: ENODEV");
	ok(query(s.export_id).state != CCSHM_STATE_ACTIVE,
	   "deadline: QUERY of the export does not return the state active");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "deadline: QUERY of the attachment returns the state revoking");
	is_int(poll_pri(&a, 0), POLLPRI, "deadline: the attachment's holder is notified by POLLPRI");

	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), ETIMEDOUT,
		 "deadline: REVOKE without waiting: ETIMEDOUT");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 1, &r), ETIMEDOUT,
		 "deadline: REVOKE with a deadline in the past: ETIMEDOUT");
	ok(now_ns() - begin < 5 * 1000000000LL,
	   "deadline: REVOKE without waiting or with a deadline in the past returns at once");
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "deadline: REVOKE with a deadline in the past returns the state revoking");

	is_errno(raw_detach(a.fd, 0), 0, "deadline: DETACH: success");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(10000), &r), 0,
		 "deadline: REVOKE after DETACH: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 2, 0);
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, &r), 0,
		 "deadline: REVOKE without waiting after a successful REVOKE: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 2, 0);
	close(a.fd);
	munmap(p, SIZE);
	shared_end(&s);
}

/* Send signals until the process sends a result. Return the result, or -ETIMEDOUT. */
static int answer_to_signals(struct peer *p)
{
	int value;

	for (int i = 0; i < 200; i++) {
		if (peer_receive(p, &value, NULL, 100))
			return value;
		kill(p->pid, SIGALRM);
	}
	return -ETIMEDOUT;
}

static void signals(void)
{
	struct shared s = shared_new(SIZE);
	struct peer other;
	struct attached a;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "signals: ATTACH of a device: success");
	job->restart = 0;
	other = revoker_start(a.id, 0, -1);
	ok(still_waits(&other), "signals: REVOKE waits before the signal");
	kill(other.pid, SIGALRM);
	is_errno(peer_hear(&other), EINTR, "a signal interrupts a revoke: EINTR");
	is_int(job->alarms, 1, "a signal interrupts a revoke after its handler has run");
	peer_must_end(&other, 0);
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "interrupted revoke: QUERY returns the state revoking");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "interrupted revoke: SEGMENTS: ENODEV");

	job->restart = 1;
	other = revoker_start(a.id, 0, -1);
	ok(still_waits(&other), "signals with SA_RESTART: REVOKE waits before the signal");
	kill(other.pid, SIGALRM);
	for (int i = 0; i < 2000 && !job->alarms; i++)
		sleep_ms(10);
	is_int(job->alarms, 1, "signals with SA_RESTART: the handler runs");
	ok(still_waits(&other), "signals with SA_RESTART: REVOKE waits after the signal");
	is_errno(raw_detach(a.fd, 0), 0, "signals with SA_RESTART: DETACH: success");
	is_errno(peer_hear(&other), 0, "signals with SA_RESTART: REVOKE succeeds after DETACH");
	result_is(&job->result, CCSHM_STATE_REVOKED, 0, 1, 0);
	peer_must_end(&other, 0);
	close(a.fd);

	/* The deadline is absolute: signals do not extend it. */
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "repeated signals: ATTACH of a device: success");
	job->took_ms = -1;
	other = revoker_start(a.id, 0, in_ms(3000));
	is_errno(answer_to_signals(&other), ETIMEDOUT,
		 "repeated signals: REVOKE ends at its deadline: ETIMEDOUT");
	ok(job->alarms >= 1, "repeated signals: %d signals are handled", job->alarms);
	ok(job->took_ms >= 0,
	   "repeated signals: REVOKE ends at its deadline: after %lld ms", (long long)job->took_ms);
	peer_must_end(&other, 0);

	other = revoker_start(a.id, 0, -1);
	ok(still_waits(&other), "SIGKILL: REVOKE waits without a deadline");
	ok(WIFSIGNALED(peer_end(&other, SIGKILL)), "SIGKILL ends a process in REVOKE");
	is_errno(attached_end(&a), 0, "SIGKILL: DETACH: success");
	shared_end(&s);
}

/* ---- many revokes of one buffer ---- */

#define REVOKERS	70
#define COUNTING	64	/* the revokes of a buffer that count what ends meanwhile */

struct revoker {
	pthread_t thread;
	pid_t tid;
	uint64_t id;
	struct ccshm_ioc_revoke result;
	int err;
};

static sem_t revokers_run;

static void *revoke_all(void *arg)
{
	struct revoker *r = arg;

	r->tid = gettid();
	sem_post(&revokers_run);
	r->err = raw_revoke(ccshm, r->id, 0, in_ms(60000), &r->result);
	return NULL;
}

/*
 * Test that an attachment that ends while many revokes wait for an older one is counted by a
 * limited number of them.
 */
static void many_revokes(void)
{
	static struct revoker r[REVOKERS];
	struct shared s = shared_new(SIZE);
	struct attached older, younger;
	int good = 0, all = 0, others = 0, waiting = 0;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &older), 0, "many revokes: ATTACH: success");
	is_errno(attach_buffer(ccshm, s.id, PCI_B, &younger), 0, "many revokes: another ATTACH: success");
	sem_init(&revokers_run, 0, 0);
	for (int i = 0; i < REVOKERS; i++) {
		r[i].id = s.id;
		if (pthread_create(&r[i].thread, NULL, revoke_all, &r[i]))
			bail("pthread_create");
		sem_wait(&revokers_run);
	}
	for (int i = 0; i < REVOKERS; i++)
		waiting += waits_in(r[i].tid, CCSHM_IOC_REVOKE);
	is_int(waiting, REVOKERS, "many revokes: all wait");
	is_errno(attached_end(&younger), 0, "many revokes: DETACH of the younger attachment: success");
	/* It stays listed until the descriptor is closed. */
	is_errno(raw_detach(older.fd, 0), 0, "many revokes: DETACH of the older attachment: success");
	for (int i = 0; i < REVOKERS; i++) {
		pthread_join(r[i].thread, NULL);
		good += !r[i].err && r[i].result.state == CCSHM_STATE_REVOKED;
		all += r[i].result.revoked == 3;
		others += r[i].result.revoked == 2;
	}
	is_int(good, REVOKERS, "many revokes: each succeeds");
	is_int(all, COUNTING, "many revokes: %d count what ended meanwhile", COUNTING);
	is_int(others, REVOKERS - COUNTING, "many revokes: the others count what they visited");
	sem_destroy(&revokers_run);
	close(older.fd);
	shared_end(&s);
}

/* Attach, send the id of the attachment, and never detach. */
static int stubborn(struct peer *parent, void *arg)
{
	struct shared *s = arg;
	struct attached a;
	int err = attach_buffer(ccshm, s->id, PCI_A, &a);

	peer_send(parent, err ? err : (int)a.id, -1);
	for (;;)
		pause();
	return 0;
}

static void holder_dies(void)
{
	struct shared s = shared_new(SIZE);
	struct peer holder = peer_start(ROOT, ALL_CAPS, stubborn, &s), other;
	int id = peer_hear(&holder);
	struct edu edu;

	ok(id > 0, "killed holder: a process holds an attachment");
	device_start(&edu, EDU_A);
	other = revoker_start(id, 0, -1);
	ok(still_waits(&other), "killed holder: REVOKE waits for the attachment");
	peer_must_end(&holder, SIGKILL);
	is_errno(peer_hear(&other), 0, "killed holder: REVOKE succeeds when the holder is killed");
	result_is(&job->result, CCSHM_STATE_REVOKED, 0, 1, 1);
	is_int(edu_bus_master(&edu), 0, "killed holder: the device is no bus master");
	peer_must_end(&other, 0);
	/* The holder's end completes the revoke before the attachment is removed from the list. */
	for (int i = 0; i < 1000 && raw_revoke(ccshm, id, 0, 0, NULL) != -ENOENT; i++)
		sleep_ms(10);
	is_errno(raw_revoke(ccshm, id, 0, 0, NULL), ENOENT,
		 "killed holder: REVOKE of the attachment afterwards: ENOENT");
	edu_close(&edu);
	shared_end(&s);
}

static void force(void)
{
	struct shared s = shared_new(SIZE);
	struct ccshm_ioc_revoke r;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "FORCE: ATTACH of a device: success");
	device_start(&edu, EDU_A);
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), ETIMEDOUT,
		 "FORCE: REVOKE without FORCE before: ETIMEDOUT");
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(10000), &r), 0,
		 "REVOKE with FORCE: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 1, 1);
	is_int(edu_bus_master(&edu), 0, "REVOKE with FORCE: the device is no bus master");
	ok(poll_pri(&a, 0) & POLLPRI,
	   "REVOKE with FORCE: the attachment's holder is notified by POLLPRI");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), 0, "REVOKE after REVOKE with FORCE: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 1, 1);
	is_errno(attached_end(&a), 0, "DETACH after REVOKE with FORCE: success");
	edu_close(&edu);
	shared_end(&s);
}

/* ---- a whole buffer, and parts of it ---- */

static void whole_buffer(void)
{
	struct shared s = shared_new(SIZE);
	uint64_t id[3];
	int fd[3], later;
	char *p[3];
	struct ccshm_ioc_revoke r;
	struct attached a, b;

	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0,
		 "whole buffer: setup: one export is revoked before");
	for (int i = 0; i < 3; i++) {
		fd[i] = raw_export_slice(ccshm, s.id, 0, i * PAGE, PAGE, &id[i]);
		p[i] = raw_map(fd[i], PAGE, RW);
		ok(p[i] && stamp_pages_check(p[i], 1, i * PAGE, PAGE),
		   "whole buffer: export %d is mapped", i);
	}
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "whole buffer: ATTACH to the buffer: success");
	is_errno(attach_dmabuf(ccshm, fd[0], PCI_A, &b), 0, "whole buffer: ATTACH to an export: success");
	is_int(query(s.id).exports, 4, "whole buffer: QUERY counts 4 exports");
	is_int(query(s.id).attachments, 2, "whole buffer: QUERY counts 2 attachments");

	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(100), &r), ETIMEDOUT,
		 "whole buffer: REVOKE while two devices are attached: ETIMEDOUT");
	is_int(r.state, CCSHM_STATE_REVOKING,
	       "whole buffer: REVOKE returns the least advanced state");
	is_int(r.device_mappings, 2, "whole buffer: REVOKE returns two device mappings");
	for (int i = 0; i < 3; i++)
		is_int(touch_read(p[i]), SIGBUS,
		       "whole buffer: the mapping of export %d gets SIGBUS", i);
	ok(poll_pri(&a, 0) & POLLPRI && poll_pri(&b, 0) & POLLPRI,
	   "whole buffer: both attachments' holders are notified by POLLPRI");
	is_errno(raw_detach(a.fd, 0), 0, "whole buffer: DETACH of one of two attachments: success");
	is_errno(raw_revoke(ccshm, s.id, 0, 0, &r), ETIMEDOUT,
		 "whole buffer: REVOKE while one device is attached: ETIMEDOUT");
	is_int(r.device_mappings, 1, "whole buffer: REVOKE returns one device mapping");
	later = raw_export(ccshm, s.id, 0, NULL);
	ok(later >= 0, "whole buffer: EXPORT by the owner while the revoke is pending: success");
	is_errno(raw_detach(b.fd, 0), 0, "whole buffer: DETACH of the second attachment: success");
	close(later);
	is_errno(raw_revoke(ccshm, s.id, 0, 0, &r), 0,
		 "whole buffer: REVOKE after both are detached: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 6, 0);
	is_errno(raw_revoke(ccshm, s.id, 0, 0, &r), 0,
		 "whole buffer: REVOKE a second time: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 6, 0);
	is_int(query(s.id).state, CCSHM_STATE_ACTIVE,
	       "whole buffer: QUERY returns the state active for the buffer");

	for (int i = 0; i < 3; i++) {
		munmap(p[i], PAGE);
		close(fd[i]);
	}
	close(a.fd);
	close(b.fd);
	close(s.fd);
	s.fd = raw_export(ccshm, s.id, 0, NULL);
	p[0] = map_of(s.fd, SIZE);
	ok(stamp_pages_check(p[0], 1, 0, SIZE), "whole buffer: a new export shows the bytes");
	munmap(p[0], SIZE);
	shared_end(&s);
}

static void nothing_to_revoke(void)
{
	struct ccshm_ioc_revoke r;
	uint64_t id;

	is_errno(raw_alloc(ccshm, UNIT, &id), 0, "ALLOC of a buffer without exports: success");
	is_errno(raw_revoke(ccshm, id, 0, 0, &r), 0, "REVOKE of a buffer without exports: success");
	result_is(&r, CCSHM_STATE_REVOKED, 0, 0, 0);
	is_int(r.pages, 0, "REVOKE of a buffer without exports returns no page");
	is_errno(raw_free(ccshm, id), 0, "FREE of a buffer without exports: success");
}

/* Test the revoke of one of two attachments, by its id. */
static void one_attachment(void)
{
	struct shared s = shared_new(SIZE);
	struct ccshm_ioc_revoke r;
	struct attached a, b;

	is_errno(attach_dmabuf(ccshm, s.fd, PCI_A, &a), 0,
		 "one of two attachments: ATTACH of the first device: success");
	is_errno(attach_dmabuf(ccshm, s.fd, PCI_B, &b), 0,
		 "one of two attachments: ATTACH of the second device: success");
	is_int(query(s.export_id).attachments, 2,
	       "one of two attachments: QUERY of the export counts both");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), ETIMEDOUT,
		 "one of two attachments: REVOKE of the first: ETIMEDOUT");
	is_int(poll_pri(&b, 0), 0, "one of two attachments: the second's holder is not notified");
	is_int(query(b.id).state, CCSHM_STATE_ACTIVE,
	       "one of two attachments: QUERY returns the state active for the second");
	is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), 0,
		 "one of two attachments: mmap of the export: success");
	is_errno(attached_end(&a), 0, "one of two attachments: DETACH of the first: success");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), ENOENT,
		 "one of two attachments: REVOKE of the first after DETACH: ENOENT");
	ok(raw_segments(b.fd, 0, b.segment, 0, MAX_SEGMENTS, NULL) == (int)b.nr,
	   "one of two attachments: SEGMENTS of the second returns all addresses");
	is_errno(attached_end(&b), 0, "one of two attachments: DETACH of the second: success");
	shared_end(&s);
}

/* ---- buffers that have ended ---- */

static bool control_is(int fd, uint64_t id, uint64_t flags)
{
	struct ccshm_ioc_query q;

	return !raw_query(fd, id, &q) && q.query_flags == flags;
}

struct orphan {
	uint64_t id;
	uint64_t export_id;
	bool persistent;
};

static int revoke_orphan(void *arg)
{
	struct orphan *o = arg;
	int fd = raw_open();

	return raw_revoke(fd, o->export_id, 0, 0, NULL);
}

/* A check in a child process: on failure, return the number of the line to the suite. */
#define MUST(what)	do { if (!(what)) return __LINE__; } while (0)

/* Run as alice: a buffer ends while it is mapped, and its owner can still revoke the export. */
static int orphan_owner(struct peer *parent, void *arg)
{
	const uint64_t orphaned = CCSHM_QUERY_ORPHAN | CCSHM_QUERY_CONTROL;
	int ours = raw_open(), fd, again, err;
	struct ccshm_ioc_query q;
	struct ccshm_ioc_info info;
	struct orphan *o = arg;
	char *p;

	err = o->persistent ? raw_alloc_named(ours, UNIT, "orphan", 0600, &o->id) :
			      raw_alloc(ours, UNIT, &o->id);
	MUST(!err);
	fd = raw_export(ours, o->id, 0, &o->export_id);
	p = raw_map(fd, UNIT, RW);
	MUST(p);
	stamp_pages(p, 2, 0, UNIT);
	if (o->persistent)
		MUST(!raw_free(ours, o->id));
	close(ours);

	/* The buffer has ended, but its export has not. */
	again = raw_open();
	MUST(raw_query(again, o->id, &q) == -ENOENT);
	MUST(raw_find(again, "orphan", -1, &o->id) == -ENOENT);
	MUST(control_is(again, o->export_id, orphaned));
	MUST(stamp_pages_check(p, 2, 0, UNIT));
	MUST(!peer_ask(parent, 0));
	MUST(stamp_pages_check(p, 2, 0, UNIT));

	/* The revoke returns the memory, although the dma-buf is open. */
	MUST(!raw_revoke(again, o->export_id, 0, 0, NULL));
	MUST(touch_all(p, UNIT, SIGBUS));
	MUST(wait_buffers(again, 0));
	MUST(!raw_info(again, &info) && info.bytes_shared == 0 && info.exports == 1);
	MUST(!raw_revoke(again, o->export_id, 0, 0, NULL));
	munmap(p, UNIT);
	close(fd);
	MUST(wait_clean(again));
	close(again);
	return 0;
}

static void orphans(bool persistent)
{
	const char *what = persistent ? "a persistent" : "an anonymous";
	struct orphan *o = common(sizeof(*o));
	struct peer alice;
	int line;

	o->persistent = persistent;
	alice = peer_start(ALICE, 0, orphan_owner, o);
	line = peer_hear(&alice);
	if (is_int(line, 0,
		   "%s buffer: the owner passes the tests before the REVOKE of its export", what)) {
		is_errno(as_user(BOB, 0, revoke_orphan, o), ENOENT,
			 "REVOKE by another user of an ended buffer's export: ENOENT");
		is_int(peer_ask(&alice, 0), 0,
		       "REVOKE by the owner of an ended buffer's export (0, or the line that failed)");
	}
	peer_must_end(&alice, 0);
	munmap(o, sizeof(*o));
}

int main(void)
{
	driver_load();
	touch_init();
	job = common(sizeof(*job));
	/*
	 * Keep a signal that arrives before a child has installed its handler from ending the
	 * child.
	 */
	signal(SIGALRM, on_alarm);
	/* Run this test first, while no other memory is shared. */
	orphans(true);
	orphans(false);
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));

	own_mapping();
	other_processes();
	other_exports();
	permissions();
	attachment_is_notified();
	deadline_passes();
	signals();
	many_revokes();
	holder_dies();
	force();
	whole_buffer();
	nothing_to_revoke();
	one_attachment();

	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
