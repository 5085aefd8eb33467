// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf of which only a path is left: an O_PATH descriptor holds the dentry of the dma-buf but
 * not its file. REVOKE finds such a dma-buf like any other and affects no other mapping, and the
 * memory is returned.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 * vm-timeout: 120
 */
#include <sys/resource.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"

#define RW	(PROT_READ | PROT_WRITE)
#define SIZE	UNIT
/* Enough exports that one of them gets the memory of a freed file. */
#define OTHERS	200

static int ccshm;

/* A buffer whose only export is held by an O_PATH descriptor. */
struct held {
	uint64_t id;
	uint64_t export_id;
	int path;
};

static int path_of(int fd)
{
	char name[64];
	int path;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH | O_CLOEXEC);
	if (path < 0)
		bail("O_PATH of a dma-buf: %s", strerror(errno));
	return path;
}

static uint64_t buffer_new(void)
{
	uint64_t id;
	int err = raw_alloc(ccshm, SIZE, &id);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	return id;
}

static int export_new(uint64_t id, uint64_t *export_id)
{
	int fd = raw_export(ccshm, id, 0, export_id);

	if (fd < 0)
		bail("EXPORT: %s", strerror(-fd));
	return fd;
}

static struct held held_new(void)
{
	struct held h = { .id = buffer_new() };
	int fd = export_new(h.id, &h.export_id);

	h.path = path_of(fd);
	close(fd);
	/* Some kernels free the memory of a file only after a grace period. */
	sleep_ms(300);
	return h;
}

static uint64_t shared_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(ccshm, &info))
		bail("INFO failed");
	return info.bytes_shared;
}

static bool exports_are(unsigned int want)
{
	struct ccshm_ioc_info info = { 0 };

	for (int i = 0; i < 500; i++) {
		must(raw_info(ccshm, &info));
		if (info.exports == want)
			return true;
		sleep_ms(10);
	}
	diag("INFO counts %u exports", info.exports);
	return false;
}

static void state_is(uint64_t export_id, enum ccshm_state want, const char *what)
{
	struct ccshm_ioc_query q = { .state = ~0U };

	is_errno(raw_query(ccshm, export_id, &q), 0, "%s: QUERY finds the export", what);
	is_int(q.state, want, "%s: the export has the expected state", what);
}

/* ---- other mappings are not affected ---- */

struct others {
	uint64_t id;
	int fd[OTHERS];
	char *p[OTHERS];
};

static long faults(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_minflt;
}

/* Touch the other exports. Return how many of them cause a page fault, and were thus unmapped. */
static int others_touch(struct others *o)
{
	int zapped = 0;

	for (int i = 0; i < OTHERS; i++) {
		long before = faults();

		if (touch_write(o->p[i], i))
			bail("an access to another export gets a signal");
		zapped += faults() != before;
	}
	return zapped;
}

static void others_begin(struct others *o)
{
	o->id = buffer_new();
	for (int i = 0; i < OTHERS; i++) {
		o->fd[i] = export_new(o->id, NULL);
		o->p[i] = raw_map(o->fd[i], PAGE, RW);
		if (!o->p[i])
			bail("mmap: %s", strerror(errno));
	}
	others_touch(o);
}

static void others_end(struct others *o)
{
	for (int i = 0; i < OTHERS; i++) {
		munmap(o->p[i], PAGE);
		close(o->fd[i]);
	}
	is_errno(raw_free(ccshm, o->id), 0, "FREE of the buffer with the other exports: success");
}

static void last_reference(bool whole_buffer)
{
	const char *what = whole_buffer ? "REVOKE of the buffer" : "REVOKE of the export";
	struct held h = held_new();
	struct ccshm_ioc_revoke r;
	struct ccshm_ioc_info info;
	struct others others;
	uint64_t before;

	state_is(h.export_id, CCSHM_STATE_ACTIVE, "only an O_PATH descriptor is left");
	others_begin(&others);
	is_int(others_touch(&others), 0,
	       "the other exports' mappings are present before the revoke");
	is_errno(raw_revoke(ccshm, whole_buffer ? h.id : h.export_id, 0, in_ms(20000), &r), 0,
		 "%s", what);
	is_int(r.state, CCSHM_STATE_REVOKED,
	       "REVOKE of an export with only an O_PATH descriptor returns the state revoked");
	is_int(r.revoked, 1,
	       "REVOKE of an export with only an O_PATH descriptor counts one export");
	is_int(others_touch(&others), 0, "%s: no other mapping is zapped", what);
	state_is(h.export_id, CCSHM_STATE_REVOKED, what);
	is_errno(raw_revoke(ccshm, h.export_id, 0, 0, &r), 0, "%s a second time: success", what);

	before = shared_now();
	is_errno(raw_free(ccshm, h.id), 0,
		 "FREE of a buffer whose export has only an O_PATH descriptor: success");
	ok(wait_held(ccshm, before - SIZE, &info),
	   "%s: the memory is given back before the O_PATH descriptor is closed",
	   what);
	close(h.path);
	others_end(&others);
	ok(exports_are(0), "the export ends when its O_PATH descriptor is closed");
	ok(wait_clean(ccshm), "%s: no object and no memory is left", what);
}

/* ---- passing the descriptor on ---- */

static void passed_on(void)
{
	uint64_t id = buffer_new(), export_id, before = shared_now();
	int fd = export_new(id, &export_id), path = path_of(fd), got = -1, value, s[2];
	struct ccshm_ioc_info info;
	struct peer a, b;
	char name[64];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s))
		bail("socketpair: %s", strerror(errno));
	a = (struct peer){ .sock = s[0] };
	b = (struct peer){ .sock = s[1] };
	peer_send(&a, 1, path);
	close(path);
	close(fd);
	sleep_ms(300);
	state_is(export_id, CCSHM_STATE_ACTIVE, "an O_PATH descriptor in a socket");
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(20000), NULL), 0,
		 "REVOKE of an export whose O_PATH descriptor is in a socket: success");
	is_errno(raw_free(ccshm, id), 0,
		 "FREE of a buffer whose export's O_PATH descriptor is in a socket: success");
	ok(wait_held(ccshm, before - SIZE, &info),
	   "the memory is given back while the O_PATH descriptor is in a socket");
	ok(peer_receive(&b, &value, &got, 5000) && got >= 0,
	   "the O_PATH descriptor is received from the socket");
	is_errno(try_map(got, PAGE, RW, MAP_SHARED), EBADF, "mmap of an O_PATH descriptor: EBADF");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", got);
	fd = open(name, O_RDWR | O_CLOEXEC);
	ok(fd < 0, "opening a received O_PATH descriptor again fails");
	if (fd >= 0)
		close(fd);
	close(got);
	close(s[0]);
	close(s[1]);
	ok(exports_are(0), "the export ends when the received O_PATH descriptor is closed");
}

/* ---- mappings and FREE ---- */

static void mapping_alone(bool with_path)
{
	const char *what = with_path ? "a mapping and an O_PATH descriptor" : "a mapping alone";
	uint64_t id = buffer_new(), export_id, before = shared_now();
	int fd = export_new(id, &export_id), path = with_path ? path_of(fd) : -1;
	char *p = raw_map(fd, SIZE, RW);
	struct ccshm_ioc_info info;

	if (!p)
		bail("mmap: %s", strerror(errno));
	close(fd);
	stamp_pages(p, 3, 0, SIZE / 2);
	ok(stamp_pages_check(p, 3, 0, SIZE / 2), "%s: the mapping shows its bytes", what);
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(20000), NULL), 0, "%s: REVOKE: success", what);
	ok(touch_all(p, SIZE, SIGBUS), "%s: every page gets SIGBUS after REVOKE", what);
	is_errno(raw_free(ccshm, id), 0, "FREE of a buffer whose revoked export is mapped: success");
	ok(wait_held(ccshm, before - SIZE, &info), "%s: the memory is given back after FREE", what);
	ok(touch_all(p, SIZE, SIGBUS), "%s: every page gets SIGBUS after FREE", what);
	munmap(p, SIZE);
	if (with_path)
		close(path);
	ok(exports_are(0), "the revoked export ends when its mapping is unmapped");
}

static void freed_first(bool revoke)
{
	struct held h = held_new();
	struct ccshm_ioc_free req = { .id = h.id, .flags = revoke ? CCSHM_FREE_REVOKE : 0 };
	uint64_t before = shared_now();
	struct ccshm_ioc_info info;

	is_errno(raw_ioctl(ccshm, CCSHM_IOC_FREE, &req), 0,
		 "FREE%s of a buffer whose export has only an O_PATH descriptor: success",
		 revoke ? " with REVOKE" : "");
	if (!revoke) {
		sleep_ms(300);
		is_int(shared_now(), before,
		       "an O_PATH descriptor alone keeps the memory shared after FREE");
		close(h.path);
	}
	ok(wait_held(ccshm, before - SIZE, &info), "FREE%s: the memory is given back",
	   revoke ? " with REVOKE" : ", then close of the O_PATH descriptor");
	if (revoke) {
		state_is(h.export_id, CCSHM_STATE_REVOKED, "FREE with REVOKE");
		close(h.path);
	}
	ok(exports_are(0),
	   "the export of a freed buffer ends when its O_PATH descriptor is closed");
}

int main(void)
{
	struct rlimit files = { 1024, 1024 };

	setrlimit(RLIMIT_NOFILE, &files);
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));

	last_reference(false);
	last_reference(true);
	passed_on();
	mapping_alone(false);
	mapping_alone(true);
	freed_first(false);
	freed_first(true);

	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
