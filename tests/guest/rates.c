// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rate limits: the events of one user must not displace those of other users. Each user may cause a
 * limited number of events, all users together cannot use up the room for events, and omitted
 * events are counted and reported.
 *
 * vm-modules: ccshm
 * vm-matrix: once
 * vm-timeout: 240
 */
#include <sched.h>

#include "tap.h"
#include "raw.h"
#include "netlink.h"

static int ccshm;

static struct nl_event ev;

#define FLOOD		2500
#define PASSED		300	/* less than BURST */
#define FLOOD_ROOM	(64 << 20)

/* The events that a user may cause at once and in each second, see ccshm_events_open(3). */
#define BURST		1000
#define EACH_SECOND	500
#define REFUSALS_BURST	100

/*
 * The records that may wait for ordinary events: a quarter of all records is reserved for events
 * that users cannot cause at will.
 */
#define ROOM_ORDINARY	1536

/**
 * struct flood - the result of many events
 * @fd: listener with room for all events
 * @heard: events received
 * @ends: CCSHM_EVENT_BUFFER_END among them
 * @reports: number of times that the listener was notified of a loss
 * @sent: statistics: events sent
 * @lost: statistics: events lost
 * @suppressed: statistics: events suppressed
 * @began: start time in nanoseconds
 * @seconds: time until the last event, rounded up
 */
struct flood {
	int fd;
	unsigned int heard, ends, reports;
	uint64_t sent, lost, suppressed, began, seconds;
};

static uint64_t ns_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void flood_count(struct flood *f, int sign)
{
	int stats = nl_socket();

	f->sent += sign * nl_statistic(stats, CCSHM_A_STATS_EVENTS);
	f->lost += sign * nl_statistic(stats, CCSHM_A_STATS_EVENTS_LOST);
	f->suppressed += sign * nl_statistic(stats, CCSHM_A_STATS_EVENTS_SUPPRESSED);
	close(stats);
}

static struct flood flood_begin(void)
{
	struct flood f = { .fd = nl_socket() };
	int room = FLOOD_ROOM;

	setsockopt(f.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	is_errno(nl_join(f.fd, family.group), 0,
		 "a listener with room for all events joins the group");
	flood_count(&f, -1);
	f.began = ns_now();
	return f;
}

/* Return whether all of @total events are counted, and all events that were sent were received. */
static bool flood_over(const struct flood *f, uint64_t total)
{
	struct flood now = *f;

	flood_count(&now, 1);
	return now.sent + now.lost + now.suppressed == total && now.heard == now.sent &&
	       now.reports;
}

/*
 * Receive @total events, less those that are not sent. Then listen for more than a second, to
 * detect a further report of the same loss. Give up after 20 s without an event. Count the waits of
 * 100 ms in which none came, not the time: while the host runs other programs, time passes without
 * progress in the guest.
 */
static void flood_end(struct flood *f, uint64_t total)
{
	uint64_t last = f->began;
	int err, silent = 0;

	for (;;) {
		err = nl_event(f->fd, &ev, 100);
		if (err == -ETIMEDOUT) {
			silent++;
			if (silent >= 200 || (silent >= 12 && flood_over(f, total)))
				break;
			continue;
		}
		silent = 0;
		f->heard += !err;
		f->ends += !err && ev.type == CCSHM_EVENT_BUFFER_END;
		f->reports += err == -ENOBUFS;
		last = ns_now();
	}
	flood_count(f, 1);
	f->seconds = (last - f->began) / 1000000000 + 1;
	close(f->fd);
	is_int(f->heard, f->sent, "each event that was sent is received");
	ok(f->reports > 0, "the listener is notified with ENOBUFS of lost events");
	ok(f->reports <= f->seconds + 1,
	   "the listener is notified of losses %u times in %llu s: at most once a second",
	   f->reports, (unsigned long long)f->seconds);
}

/*
 * Keep the work item that sends events from running: it is queued on the processor of this process.
 */
static void run_first(bool first)
{
	struct sched_param param = { .sched_priority = first };

	if (sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &param))
		bail("sched_setscheduler(): %s", strerror(errno));
}

/* Test a user that causes more events than one user may. */
static void test_flood(void)
{
	int own = raw_open(), err = 0;
	struct flood f;
	uint64_t id;

	for (int i = 0; i < FLOOD && !err; i++)
		err = raw_alloc(own, PAGE, &id);
	is_errno(err, 0, "ALLOC of %d buffers without a listener: success", FLOOD);
	sleep_ms(500);
	f = flood_begin();
	run_first(true);
	close(own);
	run_first(false);
	flood_end(&f, 2 * FLOOD);
	ok(f.ends >= BURST, "a burst of %u events of one user is sent at once", BURST);
	ok(f.sent <= BURST + f.seconds * EACH_SECOND,
	   "%llu events in %llu s do not exceed the rate of one user",
	   (unsigned long long)f.sent, (unsigned long long)f.seconds);
	ok(f.suppressed > 0, "events of one user beyond the rate are suppressed");
	is_int(f.sent + f.lost + f.suppressed, 2 * FLOOD,
	       "one user: sent, lost and suppressed events add up to all events");
}

static int crowd_of_buffers(struct peer *parent, void *arg)
{
	int fd = raw_open(), err = fd < 0 ? fd : 0;
	uint64_t id;

	(void)arg;
	for (int i = 0; i < BURST && !err; i++)
		err = raw_alloc(fd, PAGE, &id);
	run_first(true);
	peer_send(parent, err, -1);
	if (peer_hear(parent) != 1)
		return -EPROTO;
	close(fd);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

/*
 * Test several users: each causes no more events than one user may, but together they cause more
 * than may wait.
 */
static void test_crowd(void)
{
	static const uid_t uid[] = { ROOT, ALICE, BOB };
	struct peer p[3];
	struct flood f;

	/* Without this, processes of normal priority get a twentieth of each second. */
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	for (int i = 0; i < 3; i++) {
		p[i] = peer_start(uid[i], CAP(SYS_NICE), crowd_of_buffers, NULL);
		is_errno(peer_hear(&p[i]), 0, "ALLOC by user %u of %u buffers: success", uid[i], BURST);
	}
	sleep_ms(500);
	f = flood_begin();
	run_first(true);
	for (int i = 0; i < 3; i++)
		peer_send(&p[i], 1, -1);
	for (int i = 0; i < 3; i++)
		peer_must_end(&p[i], 0);
	run_first(false);
	flood_end(&f, 6 * BURST);
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		skip("events of users do not fill the room that is reserved for other events",
		     "another processor delivers events meanwhile, which makes room");
	} else {
		ok(f.ends <= ROOM_ORDINARY && f.ends > ROOM_ORDINARY - 64,
		   "events of users do not fill the room that is reserved for other events (%u)", f.ends);
		ok(f.lost >= 3 * BURST - ROOM_ORDINARY, "events of several users beyond the room are lost");
	}
	is_int(f.sent + f.lost + f.suppressed, 6 * BURST,
	       "several users: sent, lost and suppressed events add up to all events");
}

static int refused_often(void *arg)
{
	uint64_t id;
	int fd = raw_open(), err = 0;

	(void)arg;
	for (int i = 0; i < 3 * REFUSALS_BURST && (!err || err == -EDQUOT); i++)
		err = raw_alloc(fd, 4 * UNIT, &id);
	if (err == -EDQUOT)
		err = raw_alloc(fd, PAGE, &id);
	close(fd);
	return err;
}

static int refused_once(void *arg)
{
	uint64_t id;
	int fd = raw_open(), err = raw_alloc(fd, 4 * UNIT, &id);

	(void)arg;
	close(fd);
	return err;
}

/* Return the number of events that were not sent. */
static uint64_t unsent(int stats)
{
	return nl_statistic(stats, CCSHM_A_STATS_EVENTS_LOST) +
	       nl_statistic(stats, CCSHM_A_STATS_EVENTS_SUPPRESSED);
}

/* Test that refusals have their own limit: they displace neither other users' nor other events. */
static void test_refusals(void)
{
	unsigned int refusals = 0, of_bob = 0, of_alice = 0;
	uint64_t began = ns_now(), seconds;
	int nl = nl_socket(), stats = nl_socket(), err;
	uint64_t before = unsent(stats);

	is_errno(nl_join(nl, family.group), 0, "refusals: a listener joins the group");
	write_file("/sys/class/misc/ccshm/limit_user_bytes", "4M");
	is_errno(as_user(ALICE, 0, refused_often, NULL), 0,
		 "refusals: ALLOC by alice is often refused, and one of a page succeeds");
	is_errno(as_user(BOB, 0, refused_once, NULL), EDQUOT,
		 "refusals: one ALLOC by bob is refused: EDQUOT");
	while (refusals + of_bob + unsent(stats) - before < 3 * REFUSALS_BURST + 1 || !of_alice) {
		err = nl_event(nl, &ev, 20000);
		if (err == -ETIMEDOUT)
			break;
		if (err)
			continue;
		refusals += ev.type == CCSHM_EVENT_QUOTA && nl_number(&ev.msg, CCSHM_A_ACTOR_UID) == ALICE;
		of_bob += ev.type == CCSHM_EVENT_QUOTA && nl_number(&ev.msg, CCSHM_A_ACTOR_UID) == BOB;
		of_alice += ev.type == CCSHM_EVENT_BUFFER_NEW && nl_number(&ev.msg, CCSHM_A_UID) == ALICE;
	}
	close(nl);
	close(stats);
	seconds = (ns_now() - began) / 1000000000 + 1;
	ok(refusals >= REFUSALS_BURST && refusals <= REFUSALS_BURST + 10 * seconds,
	   "events for %u of alice's %u refusals are sent, as the rate allows",
	   refusals, 3 * REFUSALS_BURST);
	is_int(of_bob, 1, "the event for bob's one refusal is sent in spite of alice's refusals");
	is_int(of_alice, 1,
	       "the event for alice's new buffer is sent in spite of alice's refusals");
	write_file("/sys/class/misc/ccshm/limit_user_bytes", "max");
}

/* Allocate more buffers than a burst has events, and pass the file to the parent. */
static int pass_buffers(struct peer *parent, void *arg)
{
	int fd = raw_open(), err = fd < 0 ? fd : 0;
	uint64_t id;

	(void)arg;
	for (int i = 0; i < FLOOD && !err; i++)
		err = raw_alloc(fd, PAGE, &id);
	peer_send(parent, err, fd);
	return peer_hear(parent);
}

/* Test that a user cannot use up the rate of another by letting the other close a file. */
static void test_passed_on(void)
{
	struct peer alice = peer_start(ALICE, 0, pass_buffers, NULL);
	int own = raw_open(), fd = -1, err = -1, news = 0;
	struct flood f;
	uint64_t id;

	if (!peer_receive(&alice, &err, &fd, 60000) || fd < 0)
		bail("no file was passed");
	is_errno(err, 0, "passed on: alice allocates %d buffers and passes their file to root", FLOOD);
	peer_send(&alice, 0, -1);
	peer_must_end(&alice, 0);
	f = flood_begin();
	close(fd);
	for (int i = 0; i < PASSED; i++)
		must(raw_alloc(own, PAGE, &id));
	while (news < PASSED) {
		err = nl_event(f.fd, &ev, 20000);
		if (err == -ETIMEDOUT)
			break;
		news += !err && ev.type == CCSHM_EVENT_BUFFER_NEW;
	}
	is_int(news, PASSED, "passed on: root's events are sent although root has closed alice's buffers");
	close(f.fd);
	close(own);
	/* Let root's rate recover. */
	sleep_ms(2000);
}

/*
 * Test that a user can cause more events than a burst allows, if the events are spread over time.
 */
static void test_lasting(void)
{
	struct flood f = flood_begin();
	uint64_t id;

	sleep_ms(1000 * (BURST / EACH_SECOND));
	for (int i = 0; i < 100; i++) {
		must(raw_alloc(ccshm, PAGE, &id));
		must(raw_free(ccshm, id));
	}
	while (f.heard < 300 && !nl_event(f.fd, &ev, 20000))
		f.heard++;
	is_int(f.heard, 300, "after %u s one user can again cause as many events as before",
	       BURST / EACH_SECOND);
	close(f.fd);
}

int main(void)
{
	int nl;

	one_processor();
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("/dev/ccshm: %s", strerror(-ccshm));
	nl = nl_socket();
	if (nl_find_family(nl) || !family.group)
		bail("the netlink family has no group of events");
	close(nl);
	test_passed_on();
	test_flood();
	test_lasting();
	test_crowd();
	test_refusals();
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
