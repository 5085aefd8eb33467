// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that stop in the middle, at a page fault in user memory that their process does not
 * resolve: a process that stops a call must not keep another user's memory, and gains no access.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 * vm-timeout: 180
 */
#include <linux/dma-heap.h>
#include <pthread.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "users.h"
#include "stalling.h"

#define RW	(PROT_READ | PROT_WRITE)
#define SIZE	(2 * UNIT)

static int ccshm;
static struct user *alice;

/* ---- memory whose page faults wait ---- */

/**
 * struct stall - a process that can stop its call; in common memory
 * @peer: process
 * @uid: user that the process becomes
 * @caps: capabilities of the process
 * @request: number of the ioctl
 * @in: argument of the ioctl
 * @array: stop at the array to which the argument points, not at the argument
 * @attach_first: attach the buffer with this id first, and call the ioctl on the attachment
 * @heap: call the ioctl on the node of the heap
 * @err: out: result of the ioctl
 * @fds: out: number of descriptors that the call left open
 * @access: out: the process can read memory through the descriptor that the call returned
 * @detached: out: result of DETACH during the stop
 */
struct stall {
	struct peer peer;
	uid_t uid;
	uint64_t caps;
	unsigned long request;
	union {
		struct ccshm_ioc_alloc alloc;
		struct ccshm_ioc_export export;
		struct ccshm_ioc_attach attach;
		struct ccshm_ioc_pages pages;
		struct ccshm_ioc_segments segments;
		struct ccshm_ioc_importers importers;
		struct dma_heap_allocation_data heap;
		char bytes[PAGE / 2];
	} in;
	bool array;
	uint64_t attach_first;
	bool heap;
	int err;
	int fds;
	bool access;
	int detached;
};

enum { STALL_DETACH = 1, STALL_GO };

/* State of the process that stops a call; the process makes one call at a time. */
static struct {
	struct stall *s;
	int file;
	void *req;
} stalling;

static void *stall_call(void *arg)
{
	(void)arg;
	stalling.s->err = raw_ioctl(stalling.file, stalling.s->request, stalling.req);
	return NULL;
}

static bool reads_memory(int fd)
{
	char *p = raw_map(fd, PAGE, PROT_READ);
	bool read = p && !touch_read(p);

	if (p)
		munmap(p, PAGE);
	return read;
}

/* Return the descriptor that a call has made, or -1. */
static int stall_made(struct stall *s)
{
	if (s->err)
		return -1;
	if (s->request == CCSHM_IOC_EXPORT)
		return ((struct ccshm_ioc_export *)stalling.req)->fd;
	if (s->heap)
		return ((struct dma_heap_allocation_data *)stalling.req)->fd;
	return -1;
}

static void stall_prepare(struct stall *s, void *page)
{
	static char ordinary[PAGE];
	uintptr_t array = (uintptr_t)(s->array ? page : ordinary) + PAGE / 2;

	stalling.s = s;
	stalling.req = s->array ? ordinary : page;
	if (s->request == CCSHM_IOC_PAGES)
		s->in.pages.runs = array;
	if (s->request == CCSHM_IOC_SEGMENTS)
		s->in.segments.segments = array;
	memcpy(stalling.req, &s->in, sizeof(s->in));
}

/*
 * Make the call. Send 1 when the call has stopped, 0 if it does not stop, and finally its result.
 */
static int stall_run(struct peer *parent, void *arg)
{
	int uffd = uffd_open(), fds, what;
	void *page = uffd < 0 ? NULL : uffd_page(uffd);
	struct attached a = { .fd = -1 };
	struct stall *s = arg;
	pthread_t thread;

	if (!page)
		return -EOPNOTSUPP;
	if (s->caps != ALL_CAPS)
		become(s->uid, s->caps);
	stalling.file = s->heap ? open(HEAP_NODE, O_RDWR | O_CLOEXEC) : raw_open();
	if (s->attach_first) {
		if (attach_buffer(stalling.file, s->attach_first, PCI_B, &a))
			return -EIO;
		stalling.file = a.fd;
	}
	stall_prepare(s, page);
	if (uffd_protect(uffd, page, true))
		return -EOPNOTSUPP;
	fds = count_fds();
	pthread_create(&thread, NULL, stall_call, NULL);
	peer_send(parent, uffd_waits(uffd), -1);
	while ((what = peer_hear(parent)) == STALL_DETACH) {
		s->detached = raw_detach(a.fd, 0);
		peer_send(parent, s->detached, -1);
	}
	must(uffd_protect(uffd, page, false));
	pthread_join(thread, NULL);
	s->fds = count_fds() - fds;
	s->access = stall_made(s) >= 0 && reads_memory(stall_made(s));
	return s->err;
}

/* Start a process, and test that its call stops. */
static bool stall_begin(struct stall *s, const char *what)
{
	int value;

	s->peer = peer_start(ROOT, ALL_CAPS, stall_run, s);
	value = peer_hear(&s->peer);
	return is_int(value, 1, "%s: the call is stopped before it returns", what);
}

static int stall_end(struct stall *s)
{
	int err = peer_ask(&s->peer, STALL_GO);

	peer_must_end(&s->peer, err == -ETIMEDOUT ? SIGKILL : 0);
	return err;
}

static struct stall *stall_new(uid_t uid, uint64_t caps, unsigned long request)
{
	struct stall *s = common(sizeof(*s));

	s->uid = uid;
	s->caps = caps;
	s->request = request;
	return s;
}

/* ---- checks ---- */

/*
 * Wait up to 5 s until the user is charged no bytes and at most @buffers buffers: a work item
 * returns the memory. The holder of an export or attachment still has the buffer counted, revoked
 * or not. A process that only queries has nothing counted.
 */
static bool charged_nothing(struct user *u, unsigned int buffers)
{
	const struct ccshm_ioc_info *info = NULL;

	for (int i = 0; i < 250; i++) {
		info = user_info(u);
		if (!info->user_bytes && info->user_buffers <= buffers)
			return true;
		sleep_ms(20);
	}
	diag("%llu bytes, %u buffers", (unsigned long long)info->user_bytes, info->user_buffers);
	return false;
}

static bool root_is_charged_nothing(void)
{
	struct ccshm_ioc_info info = { .user_bytes = 1 };

	for (int i = 0; i < 250 && info.user_bytes; i++) {
		must(raw_info(ccshm, &info));
		sleep_ms(20);
	}
	return !info.user_bytes;
}

/* Return the id of an object of this type that belongs to the buffer (0: any buffer), or 0. */
static uint64_t listed(enum ccshm_type type, uint64_t buffer_id)
{
	struct ccshm_ioc_query q;
	uint64_t id = 0;

	do {
		if (raw_query_next(ccshm, type, id, &q))
			return 0;
		id = q.object_id;
	} while (buffer_id && q.buffer_id != buffer_id);
	return id;
}

/* Allocate a buffer of alice that every user may read and write. */
static uint64_t alices(const char *what)
{
	struct ccshm_ioc_set set = { .flags = CCSHM_SET_MODE, .mode = 0666 };
	int err;

	alice->size = SIZE;
	alice->flags = CCSHM_ALLOC_PERSISTENT;
	err = user_ask(alice, USER_ALLOC, 0);
	if (err)
		bail("ALLOC: %s", strerror(-err));
	set.id = alice->id[0];
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &set), 0,
		 "%s: SET makes alice's buffer writable by others", what);
	return alice->id[0];
}

static void alice_ends_it(const char *what, unsigned int buffers)
{
	alice->deadline = in_ms(20000);
	is_errno(user_ask(alice, USER_REVOKE, 0), 0,
		 "%s: REVOKE by alice works while the call is stopped", what);
	is_errno(user_ask(alice, USER_FREE, 0), 0,
		 "%s: FREE by alice works while the call is stopped", what);
	ok(charged_nothing(alice, buffers),
	   "%s: alice is charged nothing while the call is stopped", what);
}

/* ---- calls that make an object for alice's buffer ---- */

static void makes_export(void)
{
	struct stall *s = stall_new(BOB, 0, CCSHM_IOC_EXPORT);
	struct ccshm_ioc_query q;
	uint64_t id = alices("EXPORT"), export_id;

	s->in.export.id = id;
	if (stall_begin(s, "EXPORT")) {
		export_id = listed(CCSHM_TYPE_EXPORT, id);
		ok(export_id, "EXPORT: QUERY finds the export while the call is stopped");
		must(raw_query(ccshm, id, &q));
		is_int(q.exports, 1,
		       "EXPORT: QUERY of the buffer counts the export while the call is stopped");
		alice_ends_it("EXPORT", 1);
		is_errno(raw_query(ccshm, export_id, &q), 0,
			 "EXPORT: QUERY works after REVOKE and FREE by alice");
		is_int(q.state, CCSHM_STATE_REVOKED,
		       "EXPORT: QUERY reports the state revoked after REVOKE and FREE by alice");
	}
	is_errno(stall_end(s), ENOENT, "EXPORT of a buffer freed meanwhile: ENOENT");
	is_int(s->access, false, "EXPORT of a buffer freed meanwhile gives no access");
	is_int(s->fds, 0, "EXPORT of a buffer freed meanwhile leaves no descriptor");
	munmap(s, sizeof(*s));
}

/* Test EXPORT when the export is revoked but the buffer stays. */
static void makes_revoked_export(void)
{
	struct stall *s = stall_new(BOB, 0, CCSHM_IOC_EXPORT);
	uint64_t id = alices("EXPORT of a buffer that stays"), export_id;

	s->in.export.id = id;
	if (stall_begin(s, "EXPORT of a buffer that stays")) {
		export_id = listed(CCSHM_TYPE_EXPORT, id);
		is_errno(raw_revoke(ccshm, export_id, 0, in_ms(20000), NULL), 0,
			 "EXPORT: REVOKE by the export's id works while the call is stopped");
	}
	is_errno(stall_end(s), ENODEV, "EXPORT that was revoked meanwhile: ENODEV");
	is_int(s->access, false, "EXPORT that was revoked meanwhile gives no access");
	is_int(s->fds, 0, "EXPORT that was revoked meanwhile leaves no descriptor");
	alice_ends_it("EXPORT of a buffer that stays", 0);
	munmap(s, sizeof(*s));
}

static void makes_attachment(void)
{
	struct stall *s = stall_new(BOB, CAP(SYS_RAWIO), CCSHM_IOC_ATTACH);
	uint64_t id = alices("ATTACH"), attachment_id;
	struct ccshm_ioc_query q;

	s->in.attach.id = id;
	s->in.attach.dma_bits = 32;
	snprintf(s->in.attach.device, sizeof(s->in.attach.device), "%s", PCI_B);
	if (stall_begin(s, "ATTACH")) {
		attachment_id = listed(CCSHM_TYPE_ATTACHMENT, id);
		ok(attachment_id, "ATTACH: QUERY finds the attachment while the call is stopped");
		must(raw_query(ccshm, id, &q));
		is_int(q.attachments, 1,
			"ATTACH: QUERY of the buffer counts it while the call is stopped");
		alice_ends_it("ATTACH", 1);
	}
	is_errno(stall_end(s), ENOENT, "ATTACH of a buffer freed meanwhile: ENOENT");
	is_int(s->fds, 0, "ATTACH of a buffer freed meanwhile leaves no descriptor");
	is_int(listed(CCSHM_TYPE_ATTACHMENT, 0), 0,
	       "ATTACH of a buffer freed meanwhile leaves no attachment");
	munmap(s, sizeof(*s));
}

/* ---- calls that make a buffer ---- */

static void makes_buffer(void)
{
	struct stall *s = stall_new(ALICE, 0, CCSHM_IOC_ALLOC);
	struct ccshm_ioc_query q;
	uint64_t id;

	s->in.alloc.size = SIZE;
	s->in.alloc.flags = CCSHM_ALLOC_PERSISTENT;
	s->in.alloc.mode = 0600;
	snprintf(s->in.alloc.name, sizeof(s->in.alloc.name), "stopped");
	if (stall_begin(s, "ALLOC")) {
		id = listed(CCSHM_TYPE_BUFFER, 0);
		ok(id && !raw_query(ccshm, id, &q) && q.uid == ALICE && q.charged >= SIZE,
		   "ALLOC: QUERY finds the buffer and its charge while the call is stopped");
		alice->id[0] = id;
		alice_ends_it("ALLOC", 1);
	}
	is_errno(stall_end(s), ENOENT, "ALLOC of a buffer freed meanwhile: ENOENT");
	is_int(listed(CCSHM_TYPE_BUFFER, 0), 0,
	       "ALLOC of a buffer freed meanwhile leaves no buffer");
	munmap(s, sizeof(*s));
}

static void makes_heap_buffer(void)
{
	struct stall *s = stall_new(ROOT, ALL_CAPS, DMA_HEAP_IOCTL_ALLOC);
	uint64_t id, export_id = 0;

	s->heap = true;
	s->in.heap.len = SIZE;
	s->in.heap.fd_flags = O_RDWR | O_CLOEXEC;
	if (stall_begin(s, "heap")) {
		id = listed(CCSHM_TYPE_BUFFER, 0);
		export_id = listed(CCSHM_TYPE_EXPORT, id);
		ok(id && export_id,
		   "heap: QUERY finds buffer and export while the call is stopped");
		is_errno(raw_revoke(ccshm, id, 0, in_ms(20000), NULL), 0,
			 "heap: REVOKE works while the call is stopped");
		is_errno(raw_free(ccshm, id), 0, "heap: FREE works while the call is stopped");
		ok(root_is_charged_nothing(),
		   "heap: the payer is charged nothing while the call is stopped");
	}
	is_errno(stall_end(s), ENOENT, "heap: an allocation freed meanwhile: ENOENT");
	is_int(s->access, false, "heap: an allocation freed meanwhile gives no access");
	is_int(s->fds, 0, "heap: an allocation freed meanwhile leaves no descriptor");
	is_int(listed(CCSHM_TYPE_EXPORT, 0), 0,
	       "heap: an allocation freed meanwhile leaves no export");
	munmap(s, sizeof(*s));
}

/* The buffer exists, but its export is revoked: the call fails, and is not reported. */
static void makes_revoked_heap_buffer(void)
{
	struct stall *s = stall_new(ROOT, ALL_CAPS, DMA_HEAP_IOCTL_ALLOC);
	struct ccshm_ioc_info before, after;
	uint64_t id;

	s->heap = true;
	s->in.heap.len = SIZE;
	s->in.heap.fd_flags = O_RDWR | O_CLOEXEC;
	must(raw_info(ccshm, &before));
	if (stall_begin(s, "heap, revoked")) {
		id = listed(CCSHM_TYPE_BUFFER, 0);
		is_errno(raw_revoke(ccshm, id, 0, in_ms(20000), NULL), 0,
			 "heap: REVOKE of the export while the call is stopped works");
	}
	is_errno(stall_end(s), ENODEV, "heap: an allocation revoked meanwhile: ENODEV");
	must(raw_info(ccshm, &after));
	is_int(after.buffers_made, before.buffers_made,
	       "heap: an allocation revoked meanwhile is not reported as a buffer");
	is_int(after.exports_made, before.exports_made,
	       "heap: an allocation revoked meanwhile is not reported as an export");
	is_int(s->fds, 0, "heap: an allocation revoked meanwhile leaves no descriptor");
	is_int(listed(CCSHM_TYPE_BUFFER, 0), 0,
	       "heap: an allocation revoked meanwhile leaves no buffer");
	munmap(s, sizeof(*s));
}

/* ---- calls that only query ---- */

static void looks_at_pages(bool array)
{
	const char *what = array ? "PAGES, array" : "PAGES, answer";
	struct stall *s = stall_new(BOB, 0, CCSHM_IOC_PAGES);

	s->in.pages.id = alices(what);
	s->in.pages.capacity = 1;
	s->array = array;
	if (!array)
		s->in.pages.offset = SIZE - PAGE;
	if (stall_begin(s, what))
		alice_ends_it(what, 0);
	is_errno(stall_end(s), 0, "%s: the stopped call returns what it had found", what);
	munmap(s, sizeof(*s));
}

static void looks_at_importers(void)
{
	struct stall *s = stall_new(BOB, 0, CCSHM_IOC_IMPORTERS);
	uint64_t id = alices("IMPORTERS"), export_id;
	int fd = raw_export(ccshm, id, 0, &export_id);

	if (fd < 0)
		bail("EXPORT: %s", strerror(-fd));
	s->in.importers.id = export_id;
	if (stall_begin(s, "IMPORTERS"))
		alice_ends_it("IMPORTERS", 1);
	is_errno(stall_end(s), 0, "IMPORTERS: the stopped call returns what it had found");
	close(fd);
	munmap(s, sizeof(*s));
}

/* Test SEGMENTS when the holder of the attachment detaches it. */
static void looks_at_segments(void)
{
	struct stall *s = stall_new(BOB, CAP(SYS_RAWIO), CCSHM_IOC_SEGMENTS);

	s->attach_first = alices("SEGMENTS");
	s->in.segments.capacity = 1;
	s->array = true;
	if (stall_begin(s, "SEGMENTS")) {
		is_errno(peer_ask(&s->peer, STALL_DETACH), 0,
			 "SEGMENTS: DETACH works while the call is stopped");
		alice_ends_it("SEGMENTS", 1);
	}
	is_errno(stall_end(s), 0, "SEGMENTS: the stopped call returns what it had found");
	munmap(s, sizeof(*s));
}

int main(void)
{
	struct ccshm_ioc_info info;

	if (!uffd_supported())
		skip_all("this kernel cannot stop a write to user memory");
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	alice = user_start(ALICE, 0);
	must(raw_info(ccshm, &info));

	makes_export();
	makes_revoked_export();
	makes_attachment();
	makes_buffer();
	if (info.features & CCSHM_FEATURE_HEAP) {
		makes_heap_buffer();
		makes_revoked_heap_buffer();
	} else {
		skip("heap: an allocation freed meanwhile: ENOENT",
		     "the heap's node belongs to the kernel");
	}
	looks_at_pages(true);
	looks_at_pages(false);
	looks_at_importers();
	looks_at_segments();

	user_end(alice);
	ok(wait_clean(ccshm), "after the stopped calls no object is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
