// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callers, holders and drivers that stall: user memory that never answers under each call, stopped
 * and frozen processes, a device lock that is held, drivers that sleep in their notification, and a
 * storm of poll(). No call of another user waits for them, and SIGKILL ends the processes.
 *
 * vm-matrix: 6.12
 * vm-modules: ccshm importer stubborn
 * vm-timeout: 240
 */
#include <linux/dma-heap.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/time.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "exported.h"
#include "netlink.h"
#include "stalling.h"
#include "users.h"

#define LIMIT_FILE	"/sys/class/misc/ccshm/limit_user_bytes"
#define LOCKED		"/sys/module/ccshm_stubborn/parameters/locked"
#define NAME		"stalled"

/* ---- the other user ---- */

/*
 * What alice's process does meanwhile: each kind of call, once. @step is the call that it is in, or
 * was in last; @longest is the longest that one took.
 */
static struct witness {
	struct peer peer;
	const char *step, *longest_step;
	int64_t longest;
} *alice;

/* Execute a step; return its result from this function if the step fails. */
#define STEP(name, call) do {							\
		int64_t begin_ = now_ns();					\
		int err_;							\
										\
		alice->step = (name);						\
		err_ = (call);							\
		step_ended(now_ns() - begin_);					\
		if (err_ < 0)							\
			return err_;						\
	} while (0)

static void step_ended(int64_t took)
{
	if (took <= alice->longest)
		return;
	alice->longest = took;
	alice->longest_step = alice->step;
}

static int dump(int nl, int cmd)
{
	return nl_dump(nl, cmd, NULL, NULL).end;
}

static int read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	close(fd);
	return n < 0 ? -EIO : 0;
}

static int map_and_touch(int fd)
{
	char *p = raw_map(fd, PAGE, RW);
	int sig = p ? touch_write(p, 1) : -1;

	if (p)
		munmap(p, PAGE);
	return sig ? -EIO : 0;
}

static int witness_exports(int fd, uint64_t id)
{
	struct ccshm_ioc_importer importer;
	uint64_t export_id;
	int dmabuf;

	STEP("EXPORT", dmabuf = raw_export(fd, id, 0, &export_id));
	STEP("mmap and fault", map_and_touch(dmabuf));
	STEP("IMPORTERS", raw_importers(fd, export_id, &importer, 0, 1, NULL));
	STEP("REVOKE", raw_revoke(fd, export_id, 0, in_ms(20000), NULL));
	STEP("close of the dma-buf", close(dmabuf));
	return 0;
}

static int witness_buffer(int fd)
{
	struct ccshm_ioc_set set = { .flags = CCSHM_SET_MODE, .mode = 0640 };
	struct ccshm_ioc_query q;
	struct ccshm_ioc_run run;
	uint64_t id, next;

	STEP("ALLOC", raw_alloc_named(fd, UNIT, NAME, 0600, &id));
	set.id = id;
	STEP("OPEN", raw_find(fd, NAME, -1, &id));
	STEP("QUERY", raw_query(fd, id, &q));
	STEP("QUERY of the first", raw_query_next(fd, CCSHM_TYPE_BUFFER, 0, &q));
	STEP("SET", raw_ioctl(fd, CCSHM_IOC_SET, &set));
	STEP("PAGES", raw_pages(fd, id, 0, 0, &run, 1, &next));
	if (witness_exports(fd, id))
		return -EIO;
	STEP("FREE", raw_free(fd, id));
	STEP("ALLOC of an anonymous buffer", raw_alloc(fd, PAGE, &id));
	return 0;
}

static int witness_round(int nl)
{
	struct ccshm_ioc_device device;
	struct ccshm_ioc_info info;
	char path[64];
	int fd, err;

	STEP("open", fd = raw_open());
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	STEP("INFO", raw_info(fd, &info));
	err = witness_buffer(fd);
	if (err)
		return err;
	STEP("DEVICE", raw_device(fd, PCI_A, &device));
	STEP("dump of buffers", dump(nl, CCSHM_CMD_BUFFER_GET));
	STEP("dump of exports", dump(nl, CCSHM_CMD_EXPORT_GET));
	STEP("dump of attachments", dump(nl, CCSHM_CMD_ATTACHMENT_GET));
	STEP("statistics", nl_statistic(nl, CCSHM_A_STATS_BUFFERS) ? 0 : -EIO);
	STEP("limits", read_file(LIMIT_FILE));
	STEP("fdinfo", read_file(path));
	STEP("close", close(fd));
	return 0;
}

static int witness_run(struct peer *parent, void *arg)
{
	int nl = nl_socket();

	(void)arg;
	must(nl_find_family(nl));
	while (peer_hear(parent) > 0)
		peer_send(parent, witness_round(nl), -1);
	return 0;
}

/*
 * Test that alice's calls return. There is nothing that they have to wait for, so a generous limit
 * decides: without it the suite would end only at its own.
 */
static void others_go_on(const char *what)
{
	int value = -ETIMEDOUT;

	peer_send(&alice->peer, 1, -1);
	if (!peer_receive(&alice->peer, &value, NULL, 30000))
		value = -ETIMEDOUT;
	if (!is_errno(value, 0, "%s: each call of another user returns", what)) {
		diag("the call is %s", alice->step);
		/* Every further test would wait for the same. */
		bail("%s: %s of another user does not return", what, alice->step);
	}
}

static void witness_start(void)
{
	alice = common(sizeof(*alice));
	/* Without the witness itself, "alice" is the pointer that the child inherits. */
	alice->peer = peer_start(ALICE, 0, witness_run, NULL);
	others_go_on("nothing stalls");
}

static void witness_end(void)
{
	diag("the longest call of the other user took %lld ms: %s",
	     (long long)alice->longest / 1000000, alice->longest_step);
	peer_send(&alice->peer, 0, -1);
	peer_must_end(&alice->peer, 0);
}

/* ---- processes that are killed ---- */

static void kill_ends(struct peer *p, const char *what)
{
	int status;

	kill(p->pid, SIGKILL);
	status = reap(p->pid, 20000);
	if (!ok(status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		"%s: SIGKILL ends the process", what))
		bail("%s: process %d does not end", what, p->pid);
	close(p->sock);
}

/*
 * Test that a call took at least @from ms and less than @to ms. What a call could wait for by mistake
 * never ends, so @to can be far above the time that the call takes on a busy machine.
 */
static void took_between(int64_t begin, int from, int to, const char *what)
{
	int64_t ms = (now_ns() - begin) / 1000000;

	if (debug_kernel())
		to *= 5;
	ok(ms >= from && ms < to, "%s after %d ms or more, and in less than %d ms", what, from, to);
	if (ms < from || ms >= to)
		diag("%lld ms", (long long)ms);
}

/* ---- user memory that never answers ---- */

/* What the calls are made on. */
enum on { DEVICE, ATTACHMENT, HEAP, SOCKET, LIMIT, FDINFO };

/* Where the memory is: the argument that the call reads, an array or the answer that it writes. */
enum part { REQUEST, ARRAY, ANSWER };

static const char *const part_name[] = { "request", "array", "answer" };

/* A call, and the parts of user memory that it accesses, one bit each. */
static const struct stalled_call {
	const char *name;
	enum on on;
	unsigned long request;
	unsigned int parts;
} stalled_calls[] = {
	{ "INFO", DEVICE, CCSHM_IOC_INFO, 1 << REQUEST | 1 << ANSWER },
	{ "ALLOC", DEVICE, CCSHM_IOC_ALLOC, 1 << REQUEST | 1 << ANSWER },
	{ "FREE", DEVICE, CCSHM_IOC_FREE, 1 << REQUEST },
	{ "OPEN", DEVICE, CCSHM_IOC_OPEN, 1 << REQUEST | 1 << ANSWER },
	{ "QUERY", DEVICE, CCSHM_IOC_QUERY, 1 << REQUEST | 1 << ANSWER },
	{ "EXPORT", DEVICE, CCSHM_IOC_EXPORT, 1 << REQUEST | 1 << ANSWER },
	{ "REVOKE", DEVICE, CCSHM_IOC_REVOKE, 1 << REQUEST | 1 << ANSWER },
	{ "ATTACH", DEVICE, CCSHM_IOC_ATTACH, 1 << REQUEST | 1 << ANSWER },
	{ "SEGMENTS", DEVICE, CCSHM_IOC_SEGMENTS, 1 << REQUEST | 1 << ARRAY | 1 << ANSWER },
	{ "DETACH", DEVICE, CCSHM_IOC_DETACH, 1 << REQUEST },
	{ "IMPORTERS", DEVICE, CCSHM_IOC_IMPORTERS, 1 << REQUEST | 1 << ARRAY | 1 << ANSWER },
	{ "DEVICE", DEVICE, CCSHM_IOC_DEVICE, 1 << REQUEST | 1 << ANSWER },
	{ "PAGES", DEVICE, CCSHM_IOC_PAGES, 1 << REQUEST | 1 << ARRAY | 1 << ANSWER },
	{ "SET", DEVICE, CCSHM_IOC_SET, 1 << REQUEST },
	{ "attachment, SEGMENTS", ATTACHMENT, CCSHM_IOC_SEGMENTS,
	  1 << REQUEST | 1 << ARRAY | 1 << ANSWER },
	{ "attachment, DETACH", ATTACHMENT, CCSHM_IOC_DETACH, 1 << REQUEST },
	{ "heap", HEAP, DMA_HEAP_IOCTL_ALLOC, 1 << REQUEST | 1 << ANSWER },
	{ "netlink, sendmsg() and dump", SOCKET, 0, 1 << REQUEST | 1 << ANSWER },
	{ "limit in sysfs", LIMIT, 0, 1 << REQUEST | 1 << ANSWER },
	{ "fdinfo", FDINFO, 0, 1 << ANSWER },
};

/* A call that a process of bob makes, and the buffer and export that it may use. */
struct stalled {
	const struct stalled_call *call;
	enum part part;
	uint64_t buffer_id, export_id;
};

/* The objects of the process that stalls. */
struct own {
	int fd;
	uint64_t id, export_id;
	int dmabuf;
	struct attached a;
};

static void own_objects(struct own *own)
{
	own->fd = raw_open();
	if (raw_alloc(own->fd, UNIT, &own->id))
		bail("ALLOC of a process that is to stall");
	own->dmabuf = raw_export(own->fd, own->id, 0, &own->export_id);
	if (own->dmabuf < 0 || attach_buffer(own->fd, own->id, PCI_B, &own->a))
		bail("EXPORT or ATTACH of a process that is to stall");
}

/* Write the argument of an ioctl that succeeds. */
static void fill_argument(void *p, const struct stalled *s, const struct own *own, void *array)
{
	switch (s->call->request) {
	case CCSHM_IOC_ALLOC:
		((struct ccshm_ioc_alloc *)p)->size = UNIT;
		break;
	case CCSHM_IOC_OPEN:
		strcpy(((struct ccshm_ioc_open *)p)->name, NAME);
		break;
	case CCSHM_IOC_QUERY:
		((struct ccshm_ioc_query *)p)->id = s->buffer_id;
		break;
	case CCSHM_IOC_EXPORT:
		((struct ccshm_ioc_export *)p)->id = s->buffer_id;
		break;
	case CCSHM_IOC_REVOKE:
		((struct ccshm_ioc_revoke *)p)->id = own->export_id;
		break;
	case CCSHM_IOC_ATTACH:
		((struct ccshm_ioc_attach *)p)->id = own->id;
		((struct ccshm_ioc_attach *)p)->dma_bits = 32;
		strcpy(((struct ccshm_ioc_attach *)p)->device, PCI_B);
		break;
	case CCSHM_IOC_SEGMENTS:
		((struct ccshm_ioc_segments *)p)->id = own->a.id;
		((struct ccshm_ioc_segments *)p)->capacity = 1;
		((struct ccshm_ioc_segments *)p)->segments = (uintptr_t)array;
		break;
	case CCSHM_IOC_IMPORTERS:
		((struct ccshm_ioc_importers *)p)->id = s->export_id;
		((struct ccshm_ioc_importers *)p)->capacity = 1;
		((struct ccshm_ioc_importers *)p)->importers = (uintptr_t)array;
		break;
	case CCSHM_IOC_DEVICE:
		strcpy(((struct ccshm_ioc_device *)p)->device, PCI_B);
		break;
	case CCSHM_IOC_PAGES:
		((struct ccshm_ioc_pages *)p)->id = s->buffer_id;
		((struct ccshm_ioc_pages *)p)->capacity = 1;
		((struct ccshm_ioc_pages *)p)->runs = (uintptr_t)array;
		break;
	case DMA_HEAP_IOCTL_ALLOC:
		((struct dma_heap_allocation_data *)p)->len = UNIT;
		((struct dma_heap_allocation_data *)p)->fd_flags = O_RDWR | O_CLOEXEC;
		break;
	}
}

/* Return the descriptor on which to make the call. */
static int call_file(const struct stalled *s, const struct own *own)
{
	char path[64];

	switch (s->call->on) {
	case ATTACHMENT:
		return own->a.fd;
	case HEAP:
		return open(HEAP_NODE, O_RDWR | O_CLOEXEC);
	case SOCKET:
		return nl_socket();
	case LIMIT:
		return open(LIMIT_FILE, O_RDWR | O_CLOEXEC);
	case FDINFO:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", own->fd);
		return open(path, O_RDONLY | O_CLOEXEC);
	default:
		return own->fd;
	}
}

/* Make the call. It does not return if it stalls indefinitely. */
static int call_make(const struct stalled *s, int fd, void *arg)
{
	ssize_t n;

	if (s->call->request)
		return raw_ioctl(fd, s->call->request, arg);
	if (s->part == REQUEST)
		n = write(fd, arg, 64);
	else
		n = read(fd, arg, PAGE);
	return n < 0 ? -errno : 0;
}

static int stalled_run(struct peer *parent, void *arg)
{
	static char ordinary[PAGE];
	const struct stalled *s = arg;
	struct nl_dump d;
	struct own own;
	int uffd = uffd_open(), fd;
	void *page;

	page = s->part == REQUEST ? uffd_missing_page(uffd) : uffd_page(uffd);
	if (!page)
		return -EOPNOTSUPP;
	/* The node of the heap and the limits are root's. */
	become(s->call->on == HEAP || s->call->on == LIMIT ? ROOT : BOB, CAP(SYS_RAWIO));
	own_objects(&own);
	fd = call_file(s, &own);
	if (fd < 0)
		return -errno;
	fill_argument(s->part == ANSWER ? page : ordinary, s, &own,
		      s->part == ARRAY ? page : ordinary + PAGE / 2);
	if (s->call->on == SOCKET && s->part == ANSWER) {
		must(nl_find_family(fd));
		d = nl_dump_start(fd, CCSHM_CMD_BUFFER_GET);
		must(d.end < 0 ? d.end : 0);
	}
	if (s->part != REQUEST && uffd_protect(uffd, page, true))
		return -EOPNOTSUPP;
	peer_send(parent, 1, uffd);
	return call_make(s, fd, s->part == ARRAY ? ordinary : page);
}

static void stalls(struct stalled *s)
{
	int value = 0, uffd = -1;
	struct peer p;
	char what[64];

	snprintf(what, sizeof(what), "%s, %s", s->call->name, part_name[s->part]);
	p = peer_start(ROOT, ALL_CAPS, stalled_run, s);
	if (!peer_receive(&p, &value, &uffd, 20000) || value != 1)
		bail("%s: setup: %s", what, strerror(-value));
	if (ok(uffd_waits(uffd), "%s: the call stalls in user memory that never answers", what))
		others_go_on(what);
	else if (peer_receive(&p, &value, NULL, 100))
		diag("the call has returned %d", value);
	/* The suite keeps the userfaultfd, so the end of the process does not resolve the fault. */
	kill_ends(&p, what);
	close(uffd);
}

/* Allocate a buffer of bob that every user may use. */
static uint64_t bobs_buffer(const char *name)
{
	struct ccshm_ioc_alloc req = {
		.size = UNIT, .uid = BOB, .gid = BOB, .mode = 0666,
		.flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID | CCSHM_ALLOC_GID,
	};
	int err;

	snprintf(req.name, sizeof(req.name), "%s", name);
	err = raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req);
	if (err)
		bail("ALLOC: %s", strerror(-err));
	return req.id;
}

static void memory_never_answers(void)
{
	struct stalled s = { .buffer_id = bobs_buffer(NAME) };
	int dmabuf = raw_export(ccshm, s.buffer_id, 0, &s.export_id);
	int imp = imp_new(dmabuf, IMPORTER_DYNAMIC);
	struct ccshm_ioc_info info;

	must(raw_info(ccshm, &info));
	for (size_t i = 0; i < sizeof(stalled_calls) / sizeof(stalled_calls[0]); i++) {
		s.call = &stalled_calls[i];
		if (s.call->on == HEAP && !(info.features & CCSHM_FEATURE_HEAP)) {
			skip("heap", "the heap's node belongs to the kernel");
			continue;
		}
		for (s.part = REQUEST; s.part <= ANSWER; s.part++)
			if (s.call->parts & 1 << s.part)
				stalls(&s);
	}
	close(imp);
	close(dmabuf);
	must(raw_free(ccshm, s.buffer_id));
	ok(wait_clean(ccshm), "after SIGKILL of all stalled calls no object is left");
}

/* ---- processes that are stopped or frozen ---- */

static bool is_frozen(void)
{
	char text[256] = "";
	int fd = open("cgroup/stalled/cgroup.events", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strstr(text, "frozen 1");
}

static void freezer_setup(void)
{
	if (mkdir("cgroup", 0755) || mount("cgroup", "cgroup", "cgroup2", 0, NULL) ||
	    mkdir("cgroup/stalled", 0755))
		bail("cgroup2: %s", strerror(errno));
}

static void freezer_end(void)
{
	must(rmdir("cgroup/stalled"));
	must(umount("cgroup"));
	must(rmdir("cgroup"));
}

/* Stop a process by a signal, or by the freezer. Return whether it has stopped. */
static bool halt(pid_t pid, bool freezer)
{
	char text[16];
	int status;

	if (!freezer)
		return !kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid &&
		       WIFSTOPPED(status);
	snprintf(text, sizeof(text), "%d", pid);
	if (write_text("cgroup/stalled/cgroup.procs", text) ||
	    write_text("cgroup/stalled/cgroup.freeze", "1"))
		return false;
	for (int i = 0; i < 500 && !is_frozen(); i++)
		sleep_ms(10);
	return is_frozen();
}

static void resume(pid_t pid, bool freezer)
{
	if (freezer)
		must(write_text("cgroup/stalled/cgroup.freeze", "0"));
	else
		must(kill(pid, SIGCONT));
}

/* What a process holds, in memory that it shares with the suite. */
struct holder {
	uint64_t buffer_id;
	uint64_t export_id;
	uint64_t attachment_id;
	uint64_t own_id;
};

/* Hold an open file, a dump, a dma-buf, its mapping and an attachment; at last touch the mapping. */
static int holder_run(struct peer *parent, void *arg)
{
	struct holder *h = arg;
	int nl = nl_socket(), fd, dmabuf;
	struct attached a;
	struct nl_dump d;
	char *p;

	become(BOB, CAP(SYS_RAWIO));
	must(nl_find_family(nl));
	fd = raw_open();
	must(raw_alloc(fd, UNIT, &h->own_id));
	dmabuf = raw_export(fd, h->buffer_id, 0, &h->export_id);
	p = dmabuf < 0 ? NULL : raw_map(dmabuf, UNIT, RW);
	if (!p || touch_write(p, 1) || attach_buffer(fd, h->buffer_id, PCI_B, &a))
		return -EIO;
	h->attachment_id = a.id;
	d = nl_dump_start(nl, CCSHM_CMD_BUFFER_GET);
	must(d.end < 0 ? d.end : 0);
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	return touch_read(p);
}

static void holder_start(struct peer *p, struct holder *h, const char *what)
{
	h->buffer_id = bobs_buffer(NAME);
	*p = peer_start(ROOT, ALL_CAPS, holder_run, h);
	if (peer_hear(p) != 1)
		bail("%s: setup failed", what);
}

static void holder_is_revoked(struct holder *h, const char *what)
{
	struct ccshm_ioc_info info;
	int64_t begin;

	is_errno(raw_revoke(ccshm, h->export_id, 0, in_ms(20000), NULL), 0,
		 "%s: REVOKE of an export that it maps: success", what);
	begin = now_ns();
	is_errno(raw_revoke(ccshm, h->attachment_id, 0, in_ms(300), NULL), ETIMEDOUT,
		 "%s: REVOKE of its attachment: ETIMEDOUT", what);
	took_between(begin, 300, 10000, "a holder does not answer: REVOKE of its attachment returns");
	is_errno(raw_revoke(ccshm, h->attachment_id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), 0,
		 "%s: REVOKE with FORCE of its attachment: success", what);
	is_errno(raw_free(ccshm, h->buffer_id), 0, "%s: FREE of the buffer: success", what);
	ok(wait_held(ccshm, UNIT, &info),
	   "%s: the memory is given back, except that of its own buffer", what);
}

static void holder_is_halted(bool freezer)
{
	const char *what = freezer ? "a frozen holder" : "a stopped holder";
	struct holder *h = common(sizeof(*h));
	struct peer p;

	must_be_true(wait_clean(ccshm));
	holder_start(&p, h, what);
	ok(halt(p.pid, freezer), "%s: the process does not run", what);
	others_go_on(what);
	holder_is_revoked(h, what);
	resume(p.pid, freezer);
	is_int(peer_ask(&p, 0), SIGBUS, "%s: its next access to the mapping gets SIGBUS", what);
	peer_must_end(&p, 0);

	holder_start(&p, h, what);
	ok(halt(p.pid, freezer), "%s that is killed: the process does not run", what);
	kill_ends(&p, what);
	if (freezer)
		resume(p.pid, true);
	is_errno(raw_free(ccshm, h->buffer_id), 0, "%s that was killed: FREE: success", what);
	ok(wait_clean(ccshm), "%s that was killed: the memory is given back", what);
	munmap(h, sizeof(*h));
}

static int revoker_run(struct peer *parent, void *arg)
{
	(void)parent;
	return raw_revoke(ccshm, *(uint64_t *)arg, 0, -1, NULL);
}

static void caller_is_halted(bool freezer)
{
	const char *what = freezer ? "a frozen caller of REVOKE" : "a stopped caller of REVOKE";
	uint64_t *id = common(sizeof(*id));
	struct attached a;
	struct peer p;
	uint64_t buffer_id = bobs_buffer("caller");

	for (int killed = 0; killed < 2; killed++) {
		is_errno(attach_buffer(ccshm, buffer_id, PCI_B, &a), 0, "%s: ATTACH: success", what);
		*id = a.id;
		p = peer_start(ROOT, ALL_CAPS, revoker_run, id);
		ok(waits_in(p.pid, CCSHM_IOC_REVOKE), "%s: REVOKE waits", what);
		ok(halt(p.pid, freezer), "%s: the process does not run", what);
		others_go_on(what);
		if (killed) {
			kill_ends(&p, what);
			if (freezer)
				resume(p.pid, true);
		}
		is_errno(attached_end(&a), 0, "%s: DETACH: success", what);
		if (killed)
			continue;
		resume(p.pid, freezer);
		is_errno(peer_hear(&p), 0, "%s: REVOKE continues afterwards, and succeeds", what);
		peer_must_end(&p, 0);
	}
	must(raw_free(ccshm, buffer_id));
	munmap(id, sizeof(*id));
}

/* ---- a device lock that is held ---- */

static int attacher_run(struct peer *parent, void *arg)
{
	struct attached a;

	(void)parent;
	return attach_buffer(raw_open(), *(uint64_t *)arg, PCI_B, &a);
}

static int looker_run(struct peer *parent, void *arg)
{
	struct ccshm_ioc_device device;

	(void)parent;
	(void)arg;
	return raw_device(raw_open(), PCI_B, &device);
}

static int remover_run(struct peer *parent, void *arg)
{
	(void)parent;
	(void)arg;
	return device_file(EDU_B, "remove", "1");
}

static void lock_device(bool on)
{
	int err = write_text(LOCKED, on ? "1" : "0");

	if (err)
		bail("%s: %s", LOCKED, strerror(-err));
}

/* The calls that need no device lock, on the objects of a device whose lock is held. */
static void calls_under_device_lock(struct attached *a, struct attached *closed, const char *what)
{
	struct ccshm_ioc_query q;
	int64_t begin = now_ns();

	is_errno(raw_revoke(ccshm, a->id, CCSHM_REVOKE_FORCE, in_ms(300), NULL), ETIMEDOUT,
		 "%s: REVOKE with FORCE: ETIMEDOUT", what);
	took_between(begin, 300, 10000, "a device lock is held: REVOKE with FORCE returns");
	begin = now_ns();
	is_errno(raw_query(ccshm, a->id, &q), 0, "%s: QUERY of the attachment: success", what);
	is_int(raw_segments(closed->fd, 0, closed->segment, 0, 1, NULL), 1,
	       "%s: SEGMENTS returns 1", what);
	is_errno(raw_detach(a->fd, 0), 0, "%s: DETACH: success", what);
	close(closed->fd);
	took_between(begin, 0, 10000, "a device lock is held: QUERY, SEGMENTS, DETACH, close return");
}

static void device_lock_is_held(void)
{
	const char *what = "a device lock is held";
	uint64_t *id = common(sizeof(*id));
	struct peer attacher, looker, remover;
	struct attached a, closed;
	struct ccshm_ioc_query q;
	int value;

	*id = bobs_buffer("locked");
	is_errno(attach_buffer(ccshm, *id, PCI_B, &a), 0, "%s: ATTACH before: success", what);
	is_errno(attach_buffer(ccshm, *id, PCI_B, &closed), 0,
		 "%s: a second ATTACH before: success", what);
	lock_device(true);
	attacher = peer_start(BOB, CAP(SYS_RAWIO), attacher_run, id);
	looker = peer_start(BOB, 0, looker_run, NULL);
	ok(waits_in(attacher.pid, CCSHM_IOC_ATTACH), "%s: ATTACH waits", what);
	ok(waits_in(looker.pid, CCSHM_IOC_DEVICE), "%s: DEVICE waits", what);
	remover = peer_start(ROOT, ALL_CAPS, remover_run, NULL);
	ok(!peer_receive(&remover, &value, NULL, 300), "%s: the removal of the device waits", what);
	others_go_on(what);
	calls_under_device_lock(&a, &closed, what);
	others_go_on("a device lock is held, and a stop waits for it");
	kill_ends(&attacher, "ATTACH while the device lock is held");
	kill_ends(&looker, "DEVICE while the device lock is held");
	is_errno(raw_free(ccshm, *id), 0, "%s: FREE of the buffer: success", what);
	lock_device(false);
	is_errno(peer_hear(&remover), 0, "the device lock is released: the removal ends");
	peer_must_end(&remover, 0);
	close(a.fd);
	ok(wait_clean(ccshm), "the device lock is released: no object is left");
	is_errno(raw_query(ccshm, closed.id, &q), ENOENT,
		 "the device lock is released: the closed attachment has ended");
	must(write_text("/sys/bus/pci/rescan", "1"));
	ok(device_exists(EDU_B), "the device is found again");
	munmap(id, sizeof(*id));
}

/* ---- drivers that sleep in their notification ---- */

static void free_begins(uint64_t id, const char *what)
{
	struct ccshm_ioc_free req = { .id = id, .flags = CCSHM_FREE_REVOKE };
	int64_t begin = now_ns();

	is_errno(raw_ioctl(ccshm, CCSHM_IOC_FREE, &req), 0, "%s: FREE with REVOKE: success", what);
	took_between(begin, 0, 10000, "a driver sleeps: FREE with REVOKE returns");
}

static void on_alarm(int sig)
{
	(void)sig;
}

/**
 * struct signalled - a REVOKE whose caller gets a signal every 50 ms
 * @id: the export
 * @ms: deadline, counted from the start of the call
 */
struct signalled {
	uint64_t id;
	int ms;
};

/* The kernel repeats the call after each signal. */
static int revokes_with_signals(struct peer *parent, void *arg)
{
	const struct signalled *s = arg;
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval again = { { 0, 50000 }, { 0, 50000 } };

	(void)parent;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &again, NULL);
	return raw_revoke(ccshm, s->id, 0, in_ms(s->ms), NULL);
}

/* Test that signals do not extend a REVOKE that waits for a driver's notification. */
static void signals_extend_nothing(uint64_t export_id)
{
	static const int ms[] = { 0, 500 };

	for (int i = 0; i < 2; i++) {
		struct signalled s = { .id = export_id, .ms = ms[i] };
		int64_t begin = now_ns();
		struct peer p = peer_start(ROOT, ALL_CAPS, revokes_with_signals, &s);
		int value = -EAGAIN;
		char what[64];

		snprintf(what, sizeof(what), "a signal every 50 ms: REVOKE with %d ms", ms[i]);
		if (!peer_receive(&p, &value, NULL, 20000))
			diag("the call does not return");
		is_errno(value, ETIMEDOUT, "%s: ETIMEDOUT", what);
		took_between(begin, ms[i], ms[i] + 10000, what);
		peer_must_end(&p, value == -EAGAIN ? SIGKILL : 0);
	}
}

static void driver_sleeps(void)
{
	const char *what = "a driver sleeps in its notification";
	struct shared s = exported_new(UNIT, 0), t = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_ASLEEP), other = imp_new(t.fd, IMPORTER_DYNAMIC);
	struct ccshm_ioc_revoke r;
	int64_t begin = now_ns();
	struct peer p;

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: map works", what);
	is_errno(imp_map(other, IMPORTER_BIDIRECTIONAL), 0, "%s: another driver maps", what);
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.id, 0, 0, NULL), ETIMEDOUT,
		 "%s: REVOKE without waiting: ETIMEDOUT", what);
	took_between(begin, 0, 10000, "a driver sleeps: REVOKE without waiting returns");
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(600), &r), ETIMEDOUT,
		 "%s: REVOKE with 600 ms: ETIMEDOUT", what);
	took_between(begin, 600, 10000, "a driver sleeps: REVOKE with 600 ms returns");
	is_int(r.device_mappings, 1, "%s: REVOKE returns one device mapping", what);
	ok(touch_all(s.p, UNIT, SIGBUS), "%s: every page gets SIGBUS", what);
	others_go_on(what);
	signals_extend_nothing(s.export_id);
	is_errno(raw_revoke(ccshm, t.export_id, 0, in_ms(20000), NULL), 0,
		 "%s: REVOKE of an export of another driver: success", what);
	waiting.id = s.export_id;
	p = peer_start(ROOT, ALL_CAPS, revoker_run, &waiting.id);
	ok(waits_in(p.pid, CCSHM_IOC_REVOKE), "%s: REVOKE without a deadline waits", what);
	kill_ends(&p, "REVOKE while a driver sleeps in its notification");
	free_begins(s.id, what);
	close(s.fd);
	is_errno(imp_wake(imp), 0, "%s: it wakes", what);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), NULL), 0,
		 "a driver that slept in its notification wakes: REVOKE: success");
	munmap(s.p, s.size);
	close(s.look);
	close(imp);
	close(other);
	shared_end(&t);
}

static int sleeper_run(struct peer *parent, void *arg)
{
	int imp = imp_new(*(int *)arg, IMPORTER_ASLEEP);

	peer_send(parent, imp_map(imp, IMPORTER_BIDIRECTIONAL), -1);
	return peer_hear(parent);
}

/* Test that the end of the process whose driver sleeps ends the revoke. */
static void user_of_sleeper_is_killed(void)
{
	struct shared s = exported_new(UNIT, 0);
	struct peer p = peer_start(ROOT, ALL_CAPS, sleeper_run, &s.fd);

	is_errno(peer_hear(&p), 0, "the user of a driver that sleeps: map works");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(300), NULL), ETIMEDOUT,
		 "the user of a driver that sleeps: REVOKE: ETIMEDOUT");
	kill_ends(&p, "the user of a driver that sleeps in its notification");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(20000), NULL), 0,
		 "the user of a driver that sleeps is killed: REVOKE: success");
	shared_end(&s);
}

/* More than a workqueue with the default limit runs at a time on any kernel. */
#define SLEEPERS	300

static int exporter_run(struct peer *parent, void *arg)
{
	uint64_t *export_id = arg, id;
	int fd = raw_open(), dmabuf = raw_alloc(fd, UNIT, &id) ? -1 : raw_export(fd, id, 0, export_id);

	peer_send(parent, dmabuf < 0 ? dmabuf : 1, dmabuf);
	return peer_hear(parent);
}

/* Test that the revokes of one user, which wait in drivers, leave room for those of another. */
static void many_drivers_sleep(void)
{
	const char *what = "300 drivers of one user sleep in their notifications";
	static int imp[SLEEPERS], dmabuf[SLEEPERS];
	uint64_t *export_id = common(sizeof(*export_id)), id = 0;
	struct peer bob = peer_start(BOB, 0, exporter_run, export_id);
	int value, fd = -1, other;
	int64_t begin;

	if (!peer_receive(&bob, &value, &fd, 20000) || fd < 0)
		bail("%s: setup", what);
	must(raw_alloc(ccshm, UNIT, &id));
	for (int i = 0; i < SLEEPERS; i++) {
		dmabuf[i] = raw_export(ccshm, id, 0, NULL);
		imp[i] = imp_new(dmabuf[i], IMPORTER_ASLEEP);
		if (imp_map(imp[i], IMPORTER_BIDIRECTIONAL))
			bail("%s: map %d", what, i);
	}
	other = imp_new(fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(other, IMPORTER_BIDIRECTIONAL), 0, "%s: a driver of another user maps", what);
	begin = now_ns();
	is_errno(raw_revoke(ccshm, id, 0, 0, NULL), ETIMEDOUT,
		 "%s: REVOKE of all of them without waiting: ETIMEDOUT", what);
	took_between(begin, 0, 10000, "300 drivers sleep: REVOKE without waiting returns");
	is_errno(raw_revoke(ccshm, *export_id, 0, in_ms(20000), NULL), 0,
		 "%s: REVOKE of an export of another user: success", what);
	others_go_on(what);
	for (int i = 0; i < SLEEPERS; i++)
		must(imp_wake(imp[i]));
	is_errno(raw_revoke(ccshm, id, 0, in_ms(20000), NULL), 0, "%s: all wake: REVOKE: success", what);
	for (int i = 0; i < SLEEPERS; i++) {
		close(imp[i]);
		close(dmabuf[i]);
	}
	close(other);
	close(fd);
	must(raw_free(ccshm, id));
	peer_must_end(&bob, SIGKILL);
	munmap(export_id, sizeof(*export_id));
}

/* ---- a storm of poll() ---- */

#define POLLERS	64

static struct pollfd polled[2];

static void *poll_on(void *arg)
{
	(void)arg;
	for (;;) {
		struct pollfd p[2] = { polled[0], polled[1] };

		(void)poll(p, 2, 10);
	}
	return NULL;
}

static int pollers_run(struct peer *parent, void *arg)
{
	pthread_t thread;

	(void)arg;
	for (int i = 0; i < POLLERS; i++)
		if (pthread_create(&thread, NULL, poll_on, NULL))
			return -ENOMEM;
	peer_send(parent, 1, -1);
	return peer_hear(parent);
}

static void poll_storm(void)
{
	const char *what = "a storm of poll()";
	struct shared s = exported_new(UNIT, 0);
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	struct attached a;
	struct peer p;
	int64_t begin;

	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "%s: ATTACH: success", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: an importer maps", what);
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_ADD, IMPORTER_USAGE_WRITE, 0), 0,
		 "%s: its fence does not signal", what);
	polled[0] = (struct pollfd){ .fd = s.fd, .events = POLLIN | POLLOUT };
	polled[1] = (struct pollfd){ .fd = a.fd, .events = POLLPRI };
	p = peer_start(ROOT, ALL_CAPS, pollers_run, NULL);
	is_int(peer_hear(&p), 1, "%s: %d threads poll a dma-buf and an attachment", what, POLLERS);
	others_go_on(what);
	begin = now_ns();
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(300), NULL), ETIMEDOUT,
		 "%s: REVOKE before the fence signals: ETIMEDOUT", what);
	took_between(begin, 300, 10000, "a storm of poll(): REVOKE with 300 ms returns");
	is_errno(raw_detach(a.fd, 0), 0, "%s: DETACH: success", what);
	is_errno(imp_fence(imp, true), 0, "%s: the fence signals", what);
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(20000), NULL), 0, "%s: REVOKE: success", what);
	others_go_on("a storm of poll() on revoked objects");
	kill_ends(&p, what);
	close(a.fd);
	close(imp);
	shared_end(&s);
}

int main(void)
{
	int err;

	exported_setup();
	err = raw_insmod("/lib/ccshm/ccshm_stubborn.ko", "device=" EDU_B " on=0");
	if (err)
		bail("ccshm_stubborn.ko: %s", strerror(-err));
	freezer_setup();
	witness_start();

	if (uffd_supported())
		memory_never_answers();
	else
		skip("user memory that never answers", "this kernel has no userfaultfd for it");
	for (int freezer = 0; freezer < 2; freezer++) {
		holder_is_halted(freezer);
		caller_is_halted(freezer);
	}
	device_lock_is_held();
	driver_sleeps();
	user_of_sleeper_is_killed();
	many_drivers_sleep();
	poll_storm();

	witness_end();
	freezer_end();
	is_errno(raw_rmmod("ccshm_stubborn"), 0, "ccshm_stubborn.ko can be unloaded");
	exported_end();
	return done_testing();
}
