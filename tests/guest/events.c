// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: the driver sends each event, in order, to the listeners that may know of it and to no
 * other. A listener that reads too slowly is notified of lost events.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
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

static uint64_t said(unsigned int attr)
{
	return nl_number(&ev.said, attr);
}

/* Test that the next event has this type and names this object (0: no object). */
static bool happens(unsigned int type, uint64_t id, const char *what)
{
	int err = nl_event(nl, &ev, 10000);

	if (err) {
		is_errno(err, 0, "%s: event %u", what, type);
		return false;
	}
	if (ev.type == type && (!id || said(CCSHM_A_ID) == id))
		return pass("%s: it is told", what);
	diag("got event %u of %llu", ev.type, (unsigned long long)said(CCSHM_A_ID));
	return fail("%s: event %u of %llu", what, type, (unsigned long long)id);
}

/* Test the process and the user that the event names. */
static void done_by(pid_t pid, uid_t uid, const char *what)
{
	is_int(said(CCSHM_A_ACTOR_PID), pid, "%s: the process", what);
	is_int(said(CCSHM_A_ACTOR_UID), uid, "%s: and its user", what);
}

static void done_by_the_kernel(const char *what)
{
	ok(!ev.said.attr[CCSHM_A_ACTOR_PID] && !ev.said.attr[CCSHM_A_ACTOR_UID],
	   "%s: no process did it", what);
}

static void nothing_happens(const char *what)
{
	is_errno(nl_event(nl, &ev, 300), -ETIMEDOUT, "%s: no more events", what);
}

/* ---- permission to listen ---- */

/* Join every number that a group can have before the driver is loaded, and then receive events. */
static int listen_before(struct peer *parent, void *arg)
{
	int fd = nl_socket(), joined = 0, heard = 0, err;
	struct nl_event *e = arg;

	for (unsigned int group = 1; group <= 64; group++)
		joined += !nl_join(fd, group);
	peer_send(parent, joined, -1);
	if (peer_hear(parent) < 0)
		return -ETIMEDOUT;
	nl_find_family(nl_socket());
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

static void test_who_may_listen(void)
{
	is_errno(as_user(ALICE, 0, join_as, NULL), EPERM, "a user may not join");
	is_errno(as_user(ALICE, 0, bind_as, NULL), EPERM, "nor by bind()");
	is_errno(as_user(ROOT, CAP(NET_ADMIN) | CAP(SYS_RAWIO), join_as, NULL), EPERM,
		 "nor with other capabilities");
	is_errno(as_user(ALICE, 0, join_as_root_of_a_namespace, NULL), EPERM,
		 "nor as root of a user namespace");
	is_errno(as_user(ALICE, CAP(SYS_ADMIN), join_as, NULL), 0, "CAP_SYS_ADMIN may");
}

/* ---- buffers and exports ---- */

static void test_buffer(void)
{
	uint64_t id, export_id;
	int fd;

	raw_alloc_named(ccshm, 3 * PAGE, "ring", 0640, &id);
	if (happens(CCSHM_EVENT_BUFFER_NEW, id, "ALLOC")) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		ok(said(CCSHM_A_TIME) / 1000000000 <= (uint64_t)now.tv_sec &&
		   said(CCSHM_A_TIME) / 1000000000 + 60 > (uint64_t)now.tv_sec, "with its time");
		is_int(said(CCSHM_A_TYPE), CCSHM_TYPE_BUFFER, "the type");
		is_str(nl_text(&ev.said, CCSHM_A_NAME), "ring", "the name");
		is_int(said(CCSHM_A_SIZE), 3 * PAGE, "the size");
		is_int(said(CCSHM_A_UID), 0, "the owner");
		done_by(getpid(), 0, "ALLOC");
	}
	fd = raw_export(ccshm, id, CCSHM_EXPORT_READ_ONLY, &export_id);
	if (happens(CCSHM_EVENT_EXPORT_NEW, export_id, "EXPORT")) {
		is_int(said(CCSHM_A_BUFFER_ID), id, "its buffer");
		is_int(said(CCSHM_A_OBJECT_FLAGS), CCSHM_EXPORT_READ_ONLY, "its flags");
	}
	raw_free(ccshm, id);
	if (happens(CCSHM_EVENT_BUFFER_END, id, "FREE"))
		is_int(said(CCSHM_A_EXPORTS), 1, "that there is an export left");
	nothing_happens("a buffer with an export");
	close(fd);
	happens(CCSHM_EVENT_EXPORT_GONE, export_id, "the dma-buf is closed");
	if (happens(CCSHM_EVENT_BUFFER_GONE, id, "the memory is given back"))
		is_int(said(CCSHM_A_CHARGED), 3 * PAGE, "what it took");
	done_by_the_kernel("the memory is given back");
	nothing_happens("a buffer's life");
	raw_alloc(ccshm, UNIT, &id);
	happens(CCSHM_EVENT_BUFFER_NEW, id, "a larger one");
	raw_free(ccshm, id);
	happens(CCSHM_EVENT_BUFFER_END, id, "it is freed");
	if (happens(CCSHM_EVENT_BUFFER_GONE, id, "a work item gives it back"))
		done_by_the_kernel("a work item");
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

	raw_alloc_named(ccshm, PAGE, "one", 0600, &id);
	happens(CCSHM_EVENT_BUFFER_NEW, id, "a name");
	is_errno(raw_alloc_named(ccshm, PAGE, "one", 0600, &other), EEXIST, "the same name again");
	exp.id = id;
	is_errno(unanswered(CCSHM_IOC_ALLOC, &req, sizeof(req)), EFAULT,
		 "ALLOC, whose answer cannot be written");
	is_errno(unanswered(CCSHM_IOC_EXPORT, &exp, sizeof(exp)), EFAULT, "EXPORT, likewise");
	is_errno(raw_export_slice(ccshm, id, 0, UNIT, 0, NULL), EINVAL, "a slice that is none");
	nothing_happens("failures");
	raw_free(ccshm, id);
	happens(CCSHM_EVENT_BUFFER_END, id, "its end");
	happens(CCSHM_EVENT_BUFFER_GONE, id, "its memory");
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

	is_errno(as_user(ALICE, 0, alloc_and_die, id), 0, "alice allocates, and is gone");
	if (happens(CCSHM_EVENT_BUFFER_NEW, *id, "her buffer"))
		is_int(said(CCSHM_A_UID), ALICE, "whose it is");
	is_int(said(CCSHM_A_ACTOR_UID), ALICE, "who made it");
	happens(CCSHM_EVENT_BUFFER_END, *id, "its end");
	happens(CCSHM_EVENT_BUFFER_GONE, *id, "its memory");
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
		skip("no allocation", "this kernel does not trace allocations");
		return;
	}
	nl_statistic(nl, CCSHM_A_STATS_EVENTS);
	if (ok(messages_allocated() > 0, "the trace shows who allocates a message")) {
		trace_write("trace", "");
		raw_alloc(ccshm, PAGE, &id);
		fd = raw_export(ccshm, id, 0, &export_id);
		raw_revoke(ccshm, export_id, 0, -1, NULL);
		raw_free(ccshm, id);
		close(fd);
		is_int(messages_allocated(), 0, "no call allocates the message of its event");
	}
	trace_write("events/kmem/kmem_cache_alloc/enable", "0");
	umount("t");
	for (int i = 0; i < 7; i++)
		is_errno(nl_event(nl, &ev, 10000), 0, "... and each event is sent");
	nothing_happens("calls that were traced");
}

/* ---- revokes ---- */

static struct shared shared_told(uint64_t flags)
{
	struct shared s = exported_new(PAGE, flags);

	happens(CCSHM_EVENT_BUFFER_NEW, s.id, "a buffer");
	happens(CCSHM_EVENT_EXPORT_NEW, s.export_id, "an export");
	happens(CCSHM_EVENT_EXPORT_NEW, 0, "another one");
	return s;
}

static void shared_end_told(struct shared *s)
{
	shared_end(s);
	for (int i = 0; i < 4; i++)
		is_errno(nl_event(nl, &ev, 10000), 0, "its end is told");
	is_int(ev.type, CCSHM_EVENT_BUFFER_GONE, "and at last that of its memory");
}

static void test_revoke(void)
{
	struct shared s = shared_told(0);
	struct ccshm_ioc_revoke r;
	int imp = imp_new(s.fd, IMPORTER_LATE);

	if (happens(CCSHM_EVENT_IMPORTER_ATTACH, s.export_id, "a driver attaches")) {
		is_str(nl_text(&ev.said, CCSHM_A_DEVICE), PCI_A, "its device");
		is_int(said(CCSHM_A_BUFFER_ID), s.id, "the buffer");
	}
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "it maps");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), &r), ETIMEDOUT,
		 "a revoke that it does not let end");
	happens(CCSHM_EVENT_REVOKE_BEGIN, s.export_id, "the revoke begins");
	if (happens(CCSHM_EVENT_REVOKE_END, s.export_id, "the revoke ends")) {
		is_int(said(CCSHM_A_RESULT), ETIMEDOUT, "its result");
		ok(said(CCSHM_A_DURATION) >= 200 * 1000000ULL, "how long it took");
		is_int(said(CCSHM_A_STATE), CCSHM_STATE_REVOKING, "the state");
		is_int(said(CCSHM_A_DEVICE_MAPPINGS), 1, "the mappings left");
		is_int(said(CCSHM_A_PAGES), 1, "the pages");
	}
	is_errno(imp_unmap(imp), 0, "the driver unmaps");
	close(imp);
	if (happens(CCSHM_EVENT_IMPORTER_DETACH, s.export_id, "the driver detaches"))
		is_str(nl_text(&ev.said, CCSHM_A_DEVICE), PCI_A, "its device");
	is_errno(raw_revoke(ccshm, s.export_id, 0, -1, NULL), 0, "the same revoke again");
	happens(CCSHM_EVENT_REVOKE_BEGIN, s.export_id, "it begins");
	if (happens(CCSHM_EVENT_REVOKE_END, s.export_id, "it ends")) {
		is_int(said(CCSHM_A_RESULT), 0, "well");
		is_int(said(CCSHM_A_STATE), CCSHM_STATE_REVOKED, "the state");
	}
	is_errno(as_user(MALLORY, 0, join_as, NULL), EPERM, "others still may not join");
	shared_end_told(&s);
}

/* ---- attachments ---- */

static void test_attach(void)
{
	struct shared s = shared_told(0);
	struct attached a;

	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "a device is attached");
	if (happens(CCSHM_EVENT_ATTACH, a.id, "ATTACH")) {
		is_str(nl_text(&ev.said, CCSHM_A_DEVICE), PCI_B, "the device");
		is_int(said(CCSHM_A_BUFFER_ID), s.id, "the buffer");
	}
	is_errno(attached_end(&a), 0, "it is detached");
	if (happens(CCSHM_EVENT_DETACH, a.id, "DETACH"))
		is_int(said(CCSHM_A_STOPPED), 0, "nobody had to stop it");
	nothing_happens("an attachment that was detached");

	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "it is attached again");
	happens(CCSHM_EVENT_ATTACH, a.id, "ATTACH again");
	close(a.fd);
	if (happens(CCSHM_EVENT_DETACH, a.id, "its holder is gone"))
		is_int(said(CCSHM_A_STOPPED), 1, "the device had to be stopped");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), EBUSY, "a device that cannot be had");
	nothing_happens("an attachment that failed");
	shared_end_told(&s);
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
		bail("no limit can be set");
	is_errno(as_user(ALICE, 0, alloc_and_die, id), EDQUOT, "no buffer for alice");
	if (happens(CCSHM_EVENT_QUOTA, 0, "a limit")) {
		is_int(said(CCSHM_A_QUOTA), CCSHM_QUOTA_USER_BUFFERS, "which");
		is_int(said(CCSHM_A_UID), ALICE, "whom it refused");
		is_int(said(CCSHM_A_LIMIT), 0, "how many there may be");
		is_int(said(CCSHM_A_ASKED), 1, "and what was asked for");
	}
	set_limit("limit_user_buffers", "max");
	nothing_happens("a limit");
}

/*
 * Test that a limit refuses memory to root without capabilities, because a leaked unit counts for
 * root, and that the event reports this.
 */
static void leak_counts(const char *limit, int err, uint32_t quota)
{
	uint64_t *id = common(sizeof(*id));

	set_limit(limit, "2M");
	is_errno(as_user(ROOT, 0, alloc_and_die, id), err, "%s: the leaked memory is all of it: %s",
		 limit, tap_errno_name(err));
	if (happens(CCSHM_EVENT_QUOTA, 0, limit)) {
		is_int(said(CCSHM_A_QUOTA), quota, "%s: the event names it", limit);
		is_int(said(CCSHM_A_USED), UNIT, "%s: the event counts the leaked memory", limit);
	}
	set_limit(limit, "max");
}

static void test_leak(void)
{
	uint64_t id;

	if (!cvm_present() || cvm_fail(CVM_FAIL_PRIVATE, 0, 0)) {
		skip("a leak", "nothing can refuse a conversion here");
		return;
	}
	expect_refusal();
	expect_kmsg("ccshm: leaked [0-9]+ pages: they cannot be made private again");
	diag("expect-leaked-pages: %lu", UNIT / PAGE);
	raw_alloc(ccshm, PAGE, &id);
	happens(CCSHM_EVENT_BUFFER_NEW, id, "a buffer");
	cvm_fail(CVM_FAIL_PRIVATE, 0, 1ULL << 40);
	raw_free(ccshm, id);
	happens(CCSHM_EVENT_BUFFER_END, id, "its end");
	happens(CCSHM_EVENT_BUFFER_GONE, id, "its memory");
	/* The driver retries the conversion for half a minute. */
	if (!nl_event(nl, &ev, 60000)) {
		is_int(ev.type, CCSHM_EVENT_LEAK, "the leak is told");
		is_int(said(CCSHM_A_PAGES), UNIT / PAGE, "with its pages");
	} else {
		fail("the leak is told");
	}
	cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 0);
	leak_counts("limit_user_bytes", EDQUOT, CCSHM_QUOTA_USER_BYTES);
	leak_counts("limit_total_bytes", ENOSPC, CCSHM_QUOTA_TOTAL_BYTES);
}

/* ---- slow listeners ---- */

static void test_slow(void)
{
	int fd = nl_socket(), small = 4096, err, events = 0;
	uint64_t id, lost;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	is_errno(nl_join(fd, family.group), 0, "a listener with little room");
	for (int i = 0; i < 200; i++) {
		raw_alloc(ccshm, PAGE, &id);
		raw_free(ccshm, id);
	}
	/* Read all events with the other socket first. */
	while (!nl_event(nl, &ev, 1000))
		events++;
	is_int(events, 600, "one with enough room gets all");
	err = nl_event(fd, &ev, 1000);
	if (!err) {
		for (lost = 0; !err; lost++)
			err = nl_event(fd, &ev, 1000);
	}
	is_errno(err, ENOBUFS, "the other one is told that it has lost some");
	do {
		err = nl_event(fd, &ev, 500);
	} while (!err);
	is_errno(err, ETIMEDOUT, "once");
	raw_alloc(ccshm, PAGE, &id);
	is_errno(nl_event(fd, &ev, 10000), 0, "and goes on");
	is_int(said(CCSHM_A_ID), id, "with what happens then");
	raw_free(ccshm, id);
	for (int i = 0; i < 3; i++)
		nl_event(nl, &ev, 10000);
	close(fd);
}

int main(void)
{
	struct nl_event *e = common(sizeof(*e));
	struct peer early = peer_start(MALLORY, 0, listen_before, e);
	int joined = peer_hear(&early), room = 1 << 20;

	diag("%d groups could be joined before there was ours", joined);
	exported_setup();
	nl = nl_socket();
	if (nl_find_family(nl) || !family.group)
		bail("there is no group of events");
	setsockopt(nl, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	test_who_may_listen();
	is_errno(nl_join(nl, family.group), 0, "root listens");
	test_buffer();
	test_failures();
	test_process_dies();
	test_no_allocation();
	is_int(peer_ask(&early, 0), 0, "one who had joined before hears nothing");
	peer_end(&early, 0);
	test_revoke();
	test_attach();
	test_quota();
	test_slow();
	test_leak();
	close(nl);
	close(ccshm);
	importer_unload();
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
