// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: the driver sends each event, in order, to the listeners that may know of it and to no
 * other. A listener that reads too slowly is notified of lost events.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-boot: alone
 * vm-timeout: 240
 */
#include <sys/mount.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "netlink.h"
#include "device.h"
#include "importing.h"
#include "exported.h"

/* The socket that receives events. */
static int nl;

static struct nl_event ev;

static uint64_t ev_number(unsigned int attr)
{
	return nl_number(&ev.msg, attr);
}

/* Test that the next event has this type and names this object (0: no object). */
static bool happens(unsigned int type, uint64_t id, const char *what)
{
	int err = nl_event(nl, &ev, 10000);

	if (err) {
		is_errno(err, 0, "%s: a message for event %u arrives", what, type);
		return false;
	}
	if (ev.type == type && (!id || ev_number(CCSHM_A_ID) == id))
		return pass("%s: the event is sent", what);
	diag("received event %u of object %llu", ev.type, (unsigned long long)ev_number(CCSHM_A_ID));
	return fail("%s: event %u of %llu", what, type, (unsigned long long)id);
}

/* Test the process and the user that the event names. */
static void done_by(pid_t pid, uid_t uid, const char *what)
{
	is_int(ev_number(CCSHM_A_ACTOR_PID), pid, "%s: the event has the pid of the process", what);
	is_int(ev_number(CCSHM_A_ACTOR_UID), uid, "%s: the event has the uid of the process", what);
}

static void done_by_the_kernel(const char *what)
{
	ok(!ev.msg.attr[CCSHM_A_ACTOR_PID] && !ev.msg.attr[CCSHM_A_ACTOR_UID],
	   "%s: the event has no process", what);
}

static void nothing_happens(const char *what)
{
	is_errno(nl_event(nl, &ev, 300), -ETIMEDOUT, "%s: no further event is sent", what);
}

/* ---- permission to listen ---- */

/* Join every number that a group can have before the driver is loaded, and then receive events. */
static int listen_before(struct peer *parent, void *arg)
{
	int fd = nl_socket(), joined = 0, heard = 0, order, err;
	struct nl_event *e = arg;

	for (unsigned int group = 1; group <= 64; group++)
		joined += !nl_join(fd, group);
	peer_send(parent, joined, -1);
	/* The order comes after several tests, which are slow on a debug kernel. */
	if (!peer_receive(parent, &order, NULL, 600000))
		return -ETIMEDOUT;
	must(nl_find_family(nl_socket()));
	/* Receive until no event comes for a while. */
	while ((err = nl_event(fd, e, 500)) != -ETIMEDOUT)
		heard += !err;
	return heard;
}

static int join_by_bind(void)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_groups = 1U << (family.group - 1) };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int err = bind(fd, (struct sockaddr *)&self, sizeof(self)) ? -errno : 0;

	close(fd);
	return err;
}

static int join_as(void *arg)
{
	int fd = nl_socket(), err;

	(void)arg;
	err = nl_join(fd, family.group);
	close(fd);
	return err;
}

static int bind_as(void *arg)
{
	(void)arg;
	return family.group <= 32 ? join_by_bind() : -EPERM;
}

static int join_as_root_of_a_namespace(void *arg)
{
	if (unshare(CLONE_NEWUSER))
		return -errno;
	return join_as(arg);
}

static void test_listen_permission(void)
{
	is_errno(as_user(ALICE, 0, join_as, NULL), EPERM,
		 "joining the group of events without CAP_SYS_ADMIN: EPERM");
	is_errno(as_user(ALICE, 0, bind_as, NULL), EPERM,
		 "joining the group of events by bind() without CAP_SYS_ADMIN: EPERM");
	is_errno(as_user(ROOT, CAP(NET_ADMIN) | CAP(SYS_RAWIO), join_as, NULL), EPERM,
		 "joining the group of events with CAP_NET_ADMIN and CAP_SYS_RAWIO: EPERM");
	is_errno(as_user(ALICE, 0, join_as_root_of_a_namespace, NULL), EPERM,
		 "joining the group of events as root of a user namespace: EPERM");
	is_errno(as_user(ALICE, CAP(SYS_ADMIN), join_as, NULL), 0,
		 "joining the group of events with CAP_SYS_ADMIN works");
}

/* ---- buffers and exports ---- */

static void test_buffer(void)
{
	uint64_t id, export_id;
	int fd;

	must(raw_alloc_named(ccshm, 3 * PAGE, "ring", 0640, &id));
	if (happens(CCSHM_EVENT_BUFFER_NEW, id, "ALLOC")) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		ok(ev_number(CCSHM_A_TIME) / 1000000000 <= (uint64_t)now.tv_sec &&
		   ev_number(CCSHM_A_TIME) / 1000000000 + 60 > (uint64_t)now.tv_sec,
		"event of ALLOC: the time is the current time");
		is_int(ev_number(CCSHM_A_TYPE), CCSHM_TYPE_BUFFER,
		       "event of ALLOC: the type is a buffer");
		is_str(nl_text(&ev.msg, CCSHM_A_NAME), "ring", "event of ALLOC: the name");
		is_int(ev_number(CCSHM_A_SIZE), 3 * PAGE, "event of ALLOC: the size");
		is_int(ev_number(CCSHM_A_UID), 0, "event of ALLOC: the owner");
		done_by(getpid(), 0, "ALLOC");
	}
	fd = raw_export(ccshm, id, CCSHM_EXPORT_READ_ONLY, &export_id);
	if (happens(CCSHM_EVENT_EXPORT_NEW, export_id, "EXPORT")) {
		is_int(ev_number(CCSHM_A_BUFFER_ID), id, "event of EXPORT: the id of the buffer");
		is_int(ev_number(CCSHM_A_OBJECT_FLAGS), CCSHM_EXPORT_READ_ONLY,
		       "event of EXPORT: the flags");
	}
	must(raw_free(ccshm, id));
	if (happens(CCSHM_EVENT_BUFFER_END, id, "FREE"))
		is_int(ev_number(CCSHM_A_EXPORTS), 1, "event of FREE: one export is left");
	nothing_happens("FREE of a buffer with an export");
	close(fd);
	happens(CCSHM_EVENT_EXPORT_GONE, export_id, "close of the dma-buf");
	if (happens(CCSHM_EVENT_BUFFER_GONE, id, "the memory of the freed buffer is given back"))
		is_int(ev_number(CCSHM_A_CHARGED), 3 * PAGE,
		       "event of the memory given back: the charge");
	done_by_the_kernel("the memory of the freed buffer is given back");
	nothing_happens("a buffer that was allocated, exported and freed");
	must(raw_alloc(ccshm, UNIT, &id));
	happens(CCSHM_EVENT_BUFFER_NEW, id, "ALLOC of a large buffer");
	must(raw_free(ccshm, id));
	happens(CCSHM_EVENT_BUFFER_END, id, "FREE of a large buffer");
	if (happens(CCSHM_EVENT_BUFFER_GONE, id, "the memory of a large buffer is given back"))
		done_by_the_kernel("the memory of a large buffer is given back by a work item");
}

/* Make a call whose result cannot be written: the call fails, so there must be no event. */
static int unanswered(unsigned long request, const void *req, size_t size)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	memcpy(page, req, size);
	mprotect(page, PAGE, PROT_READ);
	err = raw_ioctl(ccshm, request, page);
	munmap(page, PAGE);
	return err;
}

static void test_failures(void)
{
	struct ccshm_ioc_alloc req = { .size = PAGE, .flags = CCSHM_ALLOC_PERSISTENT };
	struct ccshm_ioc_export exp = { 0 };
	uint64_t id, other;

	must(raw_alloc_named(ccshm, PAGE, "one", 0600, &id));
	happens(CCSHM_EVENT_BUFFER_NEW, id, "ALLOC with a name");
	is_errno(raw_alloc_named(ccshm, PAGE, "one", 0600, &other), EEXIST,
		 "ALLOC with a name in use: EEXIST");
	exp.id = id;
	is_errno(unanswered(CCSHM_IOC_ALLOC, &req, sizeof(req)), EFAULT,
		 "ALLOC, whose output cannot be written: EFAULT");
	is_errno(unanswered(CCSHM_IOC_EXPORT, &exp, sizeof(exp)), EFAULT,
		 "EXPORT, whose output cannot be written: EFAULT");
	is_errno(raw_export_slice(ccshm, id, 0, UNIT, 0, NULL), EINVAL,
		 "EXPORT of an offset beyond the end: EINVAL");
	nothing_happens("calls that fail");
	must(raw_free(ccshm, id));
	happens(CCSHM_EVENT_BUFFER_END, id, "FREE after calls that failed");
	happens(CCSHM_EVENT_BUFFER_GONE, id, "the memory is given back after calls that failed");
}

/* Allocate a buffer, and end the process. */
static int alloc_and_die(void *arg)
{
	uint64_t *id = arg;

	return raw_alloc(raw_open(), PAGE, id);
}

static void test_process_dies(void)
{
	uint64_t *id = common(sizeof(*id));

	is_errno(as_user(ALICE, 0, alloc_and_die, id), 0,
		 "alice's process allocates a buffer and ends");
	if (happens(CCSHM_EVENT_BUFFER_NEW, *id, "ALLOC by alice's process"))
		is_int(ev_number(CCSHM_A_UID), ALICE,
		       "event of ALLOC by alice's process: the owner is alice");
	is_int(ev_number(CCSHM_A_ACTOR_UID), ALICE,
	       "event of ALLOC by alice's process: the acting user is alice");
	happens(CCSHM_EVENT_BUFFER_END, *id, "the end of alice's buffer with its process");
	happens(CCSHM_EVENT_BUFFER_GONE, *id, "the memory of alice's buffer is given back");
}

/* ---- no memory for messages in calls ---- */

static bool trace_write(const char *file, const char *text)
{
	char path[96];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "t/%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

/* Return how many socket buffers this process has allocated since the trace was cleared. */
static int messages_allocated(void)
{
	FILE *f = fopen("t/trace", "r");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "call_site=__alloc_skb") != NULL;
	if (f)
		fclose(f);
	return n;
}

static void test_no_allocation(void)
{
	uint64_t id, export_id;
	char filter[32];
	int fd;

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	if (mkdir("t", 0755) || mount("tracefs", "t", "tracefs", 0, NULL) ||
	    !trace_write("events/kmem/kmem_cache_alloc/filter", filter) ||
	    !trace_write("events/kmem/kmem_cache_alloc/enable", "1")) {
		skip("no call allocates the message of its event",
		     "this kernel does not trace allocations");
		return;
	}
	nl_statistic(nl, CCSHM_A_STATS_EVENTS);
	if (ok(messages_allocated() > 0, "the trace shows allocations of messages")) {
		must_be_true(trace_write("trace", ""));
		must(raw_alloc(ccshm, PAGE, &id));
		fd = raw_export(ccshm, id, 0, &export_id);
		must(raw_revoke(ccshm, export_id, 0, -1, NULL));
		must(raw_free(ccshm, id));
		close(fd);
		is_int(messages_allocated(), 0, "no call allocates the message of its event");
	}
	must_be_true(trace_write("events/kmem/kmem_cache_alloc/enable", "0"));
	umount("t");
	for (int i = 0; i < 7; i++)
		is_errno(nl_event(nl, &ev, 10000), 0, "each event of a traced call is sent");
	nothing_happens("the traced calls");
}

/* ---- revokes ---- */

static struct shared shared_new_with_events(uint64_t flags)
{
	struct shared s = exported_new(PAGE, flags);

	happens(CCSHM_EVENT_BUFFER_NEW, s.id, "ALLOC of a buffer to share");
	happens(CCSHM_EVENT_EXPORT_NEW, s.export_id, "EXPORT of the buffer to share");
	happens(CCSHM_EVENT_EXPORT_NEW, 0, "a second EXPORT of the buffer to share");
	return s;
}

static void shared_end_with_events(struct shared *s)
{
	shared_end(s);
	for (int i = 0; i < 4; i++)
		is_errno(nl_event(nl, &ev, 10000), 0,
			 "the end of the shared buffer and its exports: each event is sent");
	is_int(ev.type, CCSHM_EVENT_BUFFER_GONE,
	       "the end of the shared buffer: the last event is that of its memory");
}

static void test_revoke(void)
{
	struct shared s = shared_new_with_events(0);
	struct ccshm_ioc_revoke r;
	int imp = imp_new(s.fd, IMPORTER_LATE);

	if (happens(CCSHM_EVENT_IMPORTER_ATTACH, s.export_id, "a driver attaches")) {
		is_str(nl_text(&ev.msg, CCSHM_A_DEVICE), PCI_A,
		       "event of an importer's attach: the device");
		is_int(ev_number(CCSHM_A_BUFFER_ID), s.id, "event of an importer's attach: the buffer");
	}
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "the importer maps");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "REVOKE while the importer does not unmap: ETIMEDOUT");
	happens(CCSHM_EVENT_REVOKE_BEGIN, s.export_id, "REVOKE that times out begins");
	if (happens(CCSHM_EVENT_REVOKE_END, s.export_id, "REVOKE that times out ends")) {
		is_int(ev_number(CCSHM_A_RESULT), ETIMEDOUT,
		       "event of a REVOKE that times out: the result is ETIMEDOUT");
		ok(ev_number(CCSHM_A_DURATION) >= 200 * 1000000ULL,
		   "event of a REVOKE that times out: the duration");
		is_int(ev_number(CCSHM_A_STATE), CCSHM_STATE_REVOKING,
		       "event of a REVOKE that times out: the state is revoking");
		is_int(ev_number(CCSHM_A_DEVICE_MAPPINGS), 1,
		       "event of a REVOKE that times out: one device mapping is left");
		is_int(ev_number(CCSHM_A_PAGES), 1,
		       "event of a REVOKE that times out: the number of pages");
	}
	is_errno(imp_unmap(imp), 0, "the importer unmaps");
	close(imp);
	if (happens(CCSHM_EVENT_IMPORTER_DETACH, s.export_id, "the importer detaches"))
		is_str(nl_text(&ev.msg, CCSHM_A_DEVICE), PCI_A,
		       "event of an importer's detach: the device");
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, NULL), 0,
		 "REVOKE after the importer's detach works");
	happens(CCSHM_EVENT_REVOKE_BEGIN, s.export_id, "REVOKE after the importer's detach begins");
	if (happens(CCSHM_EVENT_REVOKE_END, s.export_id,
		    "REVOKE after the importer's detach ends")) {
		is_int(ev_number(CCSHM_A_RESULT), 0, "event of a REVOKE that succeeds: the result is 0");
		is_int(ev_number(CCSHM_A_STATE), CCSHM_STATE_REVOKED,
		       "event of a REVOKE that succeeds: the state is revoked");
	}
	is_errno(as_user(MALLORY, 0, join_as, NULL), EPERM,
		 "joining the group of events by mallory: EPERM");
	shared_end_with_events(&s);
}

/* ---- attachments ---- */

static void test_attach(void)
{
	struct shared s = shared_new_with_events(0);
	struct attached a;

	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "ATTACH of a device works");
	if (happens(CCSHM_EVENT_ATTACH, a.id, "ATTACH")) {
		is_str(nl_text(&ev.msg, CCSHM_A_DEVICE), PCI_B, "event of ATTACH: the device");
		is_int(ev_number(CCSHM_A_BUFFER_ID), s.id, "event of ATTACH: the buffer");
		ok(!ev.msg.attr[CCSHM_A_STOPPED],
		   "event of ATTACH: it does not report whether the device was stopped");
	}
	is_errno(attached_end(&a), 0, "DETACH of the device works");
	if (happens(CCSHM_EVENT_DETACH, a.id, "DETACH"))
		is_int(ev_number(CCSHM_A_STOPPED), 0, "event of DETACH: the device was not stopped");
	nothing_happens("ATTACH and DETACH");

	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "ATTACH of the detached device works");
	happens(CCSHM_EVENT_ATTACH, a.id, "ATTACH of the detached device");
	close(a.fd);
	if (happens(CCSHM_EVENT_DETACH, a.id, "close of the attachment without DETACH"))
		is_int(ev_number(CCSHM_A_STOPPED), 1,
		       "event of a close without DETACH: the device was stopped");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), EBUSY,
		 "ATTACH of a device that has a kernel driver: EBUSY");
	nothing_happens("ATTACH that fails");
	shared_end_with_events(&s);
}

/* ---- a limit, a leak ---- */

static bool set_limit(const char *name, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/misc/ccshm/%s", name);
	f = fopen(path, "w");
	return f && fputs(value, f) >= 0 && !fclose(f);
}

static void test_quota(void)
{
	uint64_t *id = common(sizeof(*id));

	if (!set_limit("limit_user_buffers", "0"))
		bail("the limit cannot be set");
	is_errno(as_user(ALICE, 0, alloc_and_die, id), EDQUOT,
		 "ALLOC by alice with limit_user_buffers=0: EDQUOT");
	if (happens(CCSHM_EVENT_QUOTA, 0, "ALLOC refused by limit_user_buffers")) {
		is_int(ev_number(CCSHM_A_QUOTA), CCSHM_QUOTA_USER_BUFFERS,
		       "event of a refusal: the limit is that of a user's buffers");
		is_int(ev_number(CCSHM_A_UID), ALICE, "event of a refusal: the refused user is alice");
		is_int(ev_number(CCSHM_A_LIMIT), 0, "event of a refusal: the value of the limit");
		is_int(ev_number(CCSHM_A_ASKED), 1, "event of a refusal: the number that was asked for");
	}
	must_be_true(set_limit("limit_user_buffers", "max"));
	nothing_happens("ALLOC refused by a limit");
}

/*
 * Test that a limit refuses memory to root without capabilities, because a leaked unit counts for
 * root, and that the event reports this.
 */
static void leak_counts(const char *limit, int err, uint32_t quota)
{
	uint64_t *id = common(sizeof(*id));

	must_be_true(set_limit(limit, "2M"));
	is_errno(as_user(ROOT, 0, alloc_and_die, id), err,
		 "%s: ALLOC when leaked memory uses up the limit: %s",
		 limit, tap_errno_name(err));
	if (happens(CCSHM_EVENT_QUOTA, 0, limit)) {
		is_int(ev_number(CCSHM_A_QUOTA), quota,
		       "%s: the event reports the kind of limit", limit);
		is_int(ev_number(CCSHM_A_USED), UNIT, "%s: the event counts the leaked memory", limit);
	}
	must_be_true(set_limit(limit, "max"));
}

/* Set if the suite leaks memory: the driver then cannot be unloaded. */
static bool leaks;

static void test_leak(void)
{
	uint64_t id;

	if (!refusals_return()) {
		skip("event of a leak is sent", "nothing can refuse a conversion here");
		return;
	}
	expect_refusal();
	expect_kmsg("ccshm: leaked [0-9]+ pages: they cannot be made private again");
	diag("expect-leaked-pages: %lu", UNIT / PAGE);
	diag("expect-loaded: ccshm");
	leaks = true;
	must(raw_alloc(ccshm, PAGE, &id));
	happens(CCSHM_EVENT_BUFFER_NEW, id, "ALLOC of a buffer that will be leaked");
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 1ULL << 40));
	must(raw_free(ccshm, id));
	happens(CCSHM_EVENT_BUFFER_END, id, "FREE of a buffer that will be leaked");
	happens(CCSHM_EVENT_BUFFER_GONE, id, "the memory of a leaked buffer is accounted");
	/* The driver retries the conversion for half a minute. */
	if (!nl_event(nl, &ev, 60000)) {
		is_int(ev.type, CCSHM_EVENT_LEAK, "event of a leak is sent");
		is_int(ev_number(CCSHM_A_PAGES), UNIT / PAGE, "event of a leak: the number of pages");
	} else {
		fail("event of a leak is sent");
	}
	must(cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 0));
	leak_counts("limit_user_bytes", EDQUOT, CCSHM_QUOTA_USER_BYTES);
	leak_counts("limit_total_bytes", ENOSPC, CCSHM_QUOTA_TOTAL_BYTES);
}

/* ---- slow listeners ---- */

static void test_slow(void)
{
	int fd = nl_socket(), small = 4096, err, events = 0;
	uint64_t id, lost;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	is_errno(nl_join(fd, family.group), 0, "a listener with a small receive buffer joins");
	for (int i = 0; i < 200; i++) {
		must(raw_alloc(ccshm, PAGE, &id));
		must(raw_free(ccshm, id));
	}
	/* Read all events with the other socket first. */
	while (events < 600 && !nl_event(nl, &ev, 20000))
		events++;
	is_int(events, 600, "a listener with enough room receives all events");
	nothing_happens("200 buffers that came and went");
	err = nl_event(fd, &ev, 1000);
	if (!err) {
		for (lost = 0; !err; lost++)
			err = nl_event(fd, &ev, 1000);
	}
	is_errno(err, ENOBUFS, "a listener with a small receive buffer that loses events: ENOBUFS");
	do {
		err = nl_event(fd, &ev, 500);
	} while (!err);
	is_errno(err, ETIMEDOUT, "a listener that lost events gets ENOBUFS only once");
	must(raw_alloc(ccshm, PAGE, &id));
	is_errno(nl_event(fd, &ev, 10000), 0, "a listener that lost events receives later events");
	is_int(ev_number(CCSHM_A_ID), id,
	       "a listener that lost events receives the id of the later event");
	must(raw_free(ccshm, id));
	for (int i = 0; i < 3; i++)
		must(nl_event(nl, &ev, 10000));
	close(fd);
}

int main(void)
{
	struct nl_event *e = common(sizeof(*e));
	struct peer early = peer_start(MALLORY, 0, listen_before, e);
	int joined = peer_hear(&early), room = 1 << 20;

	diag("%d groups could be joined before ccshm's group existed", joined);
	exported_setup();
	nl = nl_socket();
	if (nl_find_family(nl) || !family.group)
		bail("there is no group of events");
	setsockopt(nl, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	test_listen_permission();
	is_errno(nl_join(nl, family.group), 0, "root joins the group of events");
	test_buffer();
	test_failures();
	test_process_dies();
	test_no_allocation();
	is_int(peer_ask(&early, 0), 0,
	       "a listener that had joined before ccshm was loaded receives no event");
	peer_must_end(&early, 0);
	test_revoke();
	test_attach();
	test_quota();
	test_slow();
	test_leak();
	close(nl);
	close(ccshm);
	importer_unload();
	is_errno(driver_unload(), leaks ? EAGAIN : 0, leaks ?
		 "the driver cannot be unloaded after a leak: EAGAIN" : "the driver can be unloaded");
	return done_testing();
}
