// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifetime: in whatever order references are dropped, and however their holders end, the memory
 * becomes private and returns to the kernel after the last reference is dropped, and not before.
 *
 * vm-modules: ccshm
 * vm-pages: 4k 16k
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"

#define DEVICE	"pci:0000:00:05.0"
#define SIZE	UNIT
#define PATTERN	0x5c

static uint64_t rig_before;

static int open_device(void)
{
	int fd = raw_open();

	if (fd < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-fd));
	return fd;
}

/* Wait for a state without objects, through a new descriptor, which holds no object. */
static bool all_gone(void)
{
	int fd = open_device();
	bool clean = wait_clean(fd);

	close(fd);
	return clean && wait_rig_shared(rig_before);
}

/* Return whether the memory is shared and stays so: no work item returns it. */
static bool still_shared(uint64_t bytes)
{
	return stays_shared(bytes) &&
	       (!cvm_present() || rig(CVM_PAGES_SHARED) == rig_before + bytes / PAGE);
}

/*
 * Attach with 64 address bits: edu's 28 bits do not reach all memory, and this suite transfers no
 * data.
 */
static int attach_wide(int fd, uint64_t id)
{
	struct ccshm_ioc_attach req = { .id = id, .dma_bits = 64, .device = DEVICE };
	int err = raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);

	return err ? err : req.fd;
}

/* ---- references of one process ---- */

enum { FILE_REF, DMABUF_REF, MAPPING_REF, ATTACHMENT_REF, NR_REFS };

static const char *const ref_names[] = { "file", "dma-buf", "mapping", "attachment" };

/* All kinds of references to a buffer that a process can have. */
struct refs {
	int fd, dmabuf, attachment;
	unsigned char *map;
	uint64_t id;
};

static bool refs_make(struct refs *r)
{
	r->fd = raw_open();
	if (r->fd < 0 || raw_alloc(r->fd, SIZE, &r->id))
		return false;
	r->dmabuf = raw_export(r->fd, r->id, 0, NULL);
	r->attachment = attach_wide(r->fd, r->id);
	r->map = r->dmabuf < 0 ? NULL : raw_map(r->dmabuf, SIZE, PROT_READ | PROT_WRITE);
	if (!r->map || r->attachment < 0)
		return false;
	memset(r->map, PATTERN, SIZE);
	return true;
}

static void refs_drop(struct refs *r, int which)
{
	switch (which) {
	case FILE_REF:
		close(r->fd);
		break;
	case DMABUF_REF:
		close(r->dmabuf);
		break;
	case MAPPING_REF:
		munmap(r->map, SIZE);
		r->map = NULL;
		break;
	case ATTACHMENT_REF:
		close(r->attachment);
		break;
	}
}

static void check_order(const int order[NR_REFS])
{
	struct refs r;
	char what[64] = "";
	bool good = true;

	for (int i = 0; i < NR_REFS; i++)
		snprintf(what + strlen(what), sizeof(what) - strlen(what), "%s%s",
			 i ? ", " : "", ref_names[order[i]]);
	if (!refs_make(&r)) {
		fail(
		     "setup: a buffer with one reference of each kind, to be closed in the order %s",
		     what);
		return;
	}
	for (int i = 0; i < NR_REFS - 1; i++) {
		refs_drop(&r, order[i]);
		good &= still_shared(SIZE);
		good &= !r.map || first_other(r.map, PATTERN, SIZE) < 0;
	}
	ok(good, "closed in the order %s: the memory stays shared until the last close", what);
	refs_drop(&r, order[NR_REFS - 1]);
	ok(all_gone(),
	   "closed in the order %s: the memory is given back after the last close", what);
}

static void test_orders(void)
{
	for (int n = 0; n < NR_REFS * NR_REFS * NR_REFS * NR_REFS; n++) {
		const int order[NR_REFS] = { n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 };
		unsigned int seen = 0;

		for (int i = 0; i < NR_REFS; i++)
			seen |= 1U << order[i];
		if (seen == 0xf)
			check_order(order);
	}
}

/* ---- ways to end ---- */

static int hold_everything(struct peer *parent, void *arg)
{
	struct refs r;

	if (!refs_make(&r))
		return -EIO;
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	if (arg)
		must(raw_free(r.fd, r.id));
	return 2;
}

static void test_ends(void)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, 0 };

	for (int i = 0; i < 4; i++) {
		struct peer p = peer_start(0, ALL_CAPS, hold_everything, NULL);
		const char *how = signals[i] ? strsignal(signals[i]) : "exit";

		is_int(peer_hear(&p), 1,
		       "%s: a process holds a file, a dma-buf, a mapping and an attachment", how);
		ok(still_shared(SIZE), "%s: the process's memory is shared", how);
		if (!signals[i])
			peer_send(&p, 0, -1);
		peer_must_end(&p, signals[i]);
		ok(all_gone(), "%s: the memory is given back when its holder ends", how);
	}
}

/*
 * Test a process that frees the buffer and exits: the other references hold the memory until then.
 */
static void test_free_and_exit(void)
{
	struct peer p = peer_start(0, ALL_CAPS, hold_everything, (void *)1);

	is_int(peer_hear(&p), 1,
	       "FREE and exit: a process holds a file, a dma-buf, a mapping and an attachment");
	peer_send(&p, 0, -1);
	is_int(peer_hear(&p), 2, "FREE and exit: the process calls FREE and exits");
	peer_must_end(&p, 0);
	ok(all_gone(), "FREE and exit: all memory is given back");
}

static void test_free(void)
{
	int fd = open_device();
	struct ccshm_ioc_query q;
	uint64_t id;

	is_errno(raw_alloc(fd, SIZE, &id), 0, "ALLOC of an anonymous buffer: success");
	ok(still_shared(SIZE), "the memory of an anonymous buffer is shared");
	is_errno(raw_free(fd, id), 0, "FREE of an anonymous buffer: success");
	is_errno(raw_query(fd, id, &q), ENOENT, "QUERY after FREE: ENOENT");
	is_errno(raw_export(fd, id, 0, NULL), ENOENT, "EXPORT after FREE: ENOENT");
	is_errno(attach_wide(fd, id), ENOENT, "ATTACH after FREE: ENOENT");
	is_errno(raw_revoke(fd, id, 0, 0, NULL), ENOENT, "REVOKE after FREE: ENOENT");
	is_errno(raw_free(fd, id), ENOENT, "FREE after FREE: ENOENT");
	ok(all_gone(), "FREE gives the memory back while the device's file is open");
	close(fd);
}

/* ---- files in other processes ---- */

/* Receive a descriptor, confirm this, wait for an order, and exit. */
static int receive_and_hold(struct peer *parent, void *arg)
{
	int value, fd;

	(void)arg;
	if (!peer_receive(parent, &value, &fd, 20000) || fd < 0)
		return -EIO;
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	return 0;
}

static int receive_and_map(struct peer *parent, void *arg)
{
	unsigned char *map;
	int value, fd;

	(void)arg;
	if (!peer_receive(parent, &value, &fd, 20000) || fd < 0)
		return -EIO;
	map = raw_map(fd, SIZE, PROT_READ | PROT_WRITE);
	close(fd);
	if (!map)
		return -errno;
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	return first_other(map, PATTERN, SIZE) < 0 ? 3 : -EBADMSG;
}

/* Receive the descriptor of the driver's device and free the buffer: the open file has control. */
static int receive_and_free(struct peer *parent, void *arg)
{
	uint64_t *id = arg;
	int value, fd;

	if (!peer_receive(parent, &value, &fd, 20000) || fd < 0)
		return -EIO;
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	return raw_free(fd, *id);
}

static void test_passed_file(void)
{
	uint64_t *id = common(PAGE);
	struct peer holder = peer_start(MALLORY, 0, receive_and_hold, NULL);
	struct peer freer = peer_start(MALLORY, 0, receive_and_free, id);
	int fd = open_device();

	must(raw_alloc(fd, SIZE, id));
	peer_send(&holder, 0, fd);
	is_int(peer_hear(&holder), 1, "another process receives the device's file");
	close(fd);
	ok(still_shared(SIZE),
	   "a buffer stays shared while another process holds the passed device's file");
	peer_must_end(&holder, SIGKILL);
	ok(all_gone(),
	   "the memory is given back when the process with the passed device's file is killed");

	fd = open_device();
	must(raw_alloc(fd, SIZE, id));
	peer_send(&freer, 0, fd);
	is_int(peer_hear(&freer), 1, "another user's process receives the device's file");
	close(fd);
	is_errno(peer_ask(&freer, 0), 0,
		 "FREE through a device's file passed by another user: success");
	peer_must_end(&freer, 0);
	ok(all_gone(), "FREE through a passed device's file gives the memory back");
	munmap(id, PAGE);
}

static void test_passed_dmabuf(void)
{
	struct peer p = peer_start(BOB, 0, receive_and_map, NULL);
	int fd = open_device(), dmabuf;
	unsigned char *map;
	uint64_t id;

	must(raw_alloc(fd, SIZE, &id));
	dmabuf = raw_export(fd, id, 0, NULL);
	map = raw_map(dmabuf, SIZE, PROT_READ | PROT_WRITE);
	if (!ok(map, "setup: a dma-buf that is to be passed is mapped"))
		return;
	memset(map, PATTERN, SIZE);
	munmap(map, SIZE);
	peer_send(&p, 0, dmabuf);
	is_int(peer_hear(&p), 1, "another user's process receives a dma-buf and maps it");
	close(dmabuf);
	close(fd);
	ok(still_shared(SIZE),
	   "the memory stays shared while only another user's mapping refers to it");
	is_int(peer_ask(&p, 0), 3, "another user's mapping shows the bytes that the owner wrote");
	peer_must_end(&p, 0);
	ok(all_gone(),
	   "the memory is given back when another user's mapping, the last reference, ends");
}

/* Test a descriptor in a socket from which no process receives. */
static void test_in_flight(void)
{
	int fd = open_device(), s[2];
	struct peer out = { 0 };
	uint64_t id;
	int dmabuf;

	must(raw_alloc(fd, SIZE, &id));
	dmabuf = raw_export(fd, id, 0, NULL);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s))
		bail("socketpair: %s", strerror(errno));
	out.sock = s[0];
	peer_send(&out, 0, dmabuf);
	close(dmabuf);
	close(fd);
	close(s[0]);
	ok(still_shared(SIZE), "a dma-buf in a socket keeps its memory shared");
	close(s[1]);
	ok(all_gone(), "the memory of a dma-buf that no process receives is given back");
}

static int wait_for_word(struct peer *parent, void *arg)
{
	(void)arg;
	peer_send(parent, 1, -1);
	must(peer_hear(parent));
	return 0;
}

static void test_fork(void)
{
	struct refs r;
	struct peer p;

	if (!ok(refs_make(&r), "fork: setup: a buffer with one reference of each kind"))
		return;
	p = peer_start(0, ALL_CAPS, wait_for_word, NULL);
	is_int(peer_hear(&p), 1, "fork: a child inherits all references");
	for (int i = 0; i < NR_REFS; i++)
		refs_drop(&r, i);
	ok(still_shared(SIZE), "fork: the memory stays shared while only the child has references");
	peer_must_end(&p, SIGKILL);
	ok(all_gone(), "fork: the memory is given back when the child is killed");
}

/* ---- the module ---- */

static void busy(const char *what)
{
	is_errno(driver_unload(), EWOULDBLOCK, "rmmod while there is %s: EWOULDBLOCK", what);
}

/* Wait up to 10 s until the module has @want references. */
static bool wait_module_references(int want)
{
	int nr = -1;

	for (int i = 0; i < 1000; i++) {
		FILE *f = fopen("/sys/module/ccshm/refcnt", "r");

		if (f && fscanf(f, "%d", &nr) != 1)
			nr = -1;
		if (f)
			fclose(f);
		if (nr == want)
			return true;
		sleep_ms(10);
	}
	diag("the module has %d references", nr);
	return false;
}

/* Unload the driver. Retry, because a closed file drops its module reference with a delay. */
static int unload_soon(void)
{
	int err = driver_unload();

	for (int i = 0; i < 500 && err == -EWOULDBLOCK; i++) {
		sleep_ms(10);
		err = driver_unload();
	}
	return err;
}

static void test_rmmod(void)
{
	struct refs r;
	uint64_t id;
	int fd;

	/* The harness checks that the kernel log has no warning of the wait for the returns. */
	fd = open_device();
	for (int i = 0; i < 60; i++)
		must(raw_alloc(fd, UNIT, &id));
	close(fd);
	is_errno(unload_soon(), 0, "rmmod while the memory of 60 buffers is being returned");
	driver_load();
	fd = open_device();
	busy("an open file");
	close(fd);
	for (int last = 0; last < NR_REFS; last++) {
		char what[64];

		if (!refs_make(&r)) {
			fail("rmmod: setup: a buffer with one reference of each kind");
			return;
		}
		for (int i = 0; i < NR_REFS; i++)
			if (i != last)
				refs_drop(&r, i);
		snprintf(what, sizeof(what), "only a reference of kind %s", ref_names[last]);
		busy(what);
		refs_drop(&r, last);
	}
	fd = open_device();
	is_errno(raw_alloc_named(fd, SIZE, "stay", 0600, &id), 0,
		 "rmmod: ALLOC of a persistent buffer: success");
	close(fd);
	ok(wait_module_references(1), "a persistent buffer holds the only module reference");
	busy("a persistent buffer and no open file");
	fd = open_device();
	must(raw_free(fd, id));
	close(fd);

	is_errno(unload_soon(), 0, "rmmod after all references are dropped: success");
	ok(wait_rig_shared(rig_before), "rmmod leaves no page shared");

	driver_load();
	fd = open_device();
	must(raw_alloc(fd, 64 * MIB, &id));
	close(fd);
	is_errno(unload_soon(), 0, "rmmod right after the last close: success");
	is_int(rig(CVM_PAGES_SHARED), rig_before,
	       "rmmod right after the last close has given all memory back when it returns");
	driver_load();
	ok(all_gone(), "no memory is shared after the driver is loaded again");
}

/* ---- buffers that have ended but are in use ---- */

static void check_orphan(int fd, uint64_t export, uint64_t id)
{
	struct ccshm_ioc_query q;
	uint64_t again;

	is_errno(raw_query(fd, id, &q), ENOENT, "orphan: QUERY of the freed buffer: ENOENT");
	is_errno(raw_find(fd, "orphan", -1, &again), ENOENT,
		 "orphan: OPEN of the freed buffer's name: ENOENT");
	is_errno(raw_export(fd, id, 0, NULL), ENOENT, "orphan: EXPORT of the freed buffer: ENOENT");
	is_errno(raw_query(fd, export, &q), 0,
		 "orphan: QUERY of the freed buffer's export: success");
	ok(q.query_flags == (CCSHM_QUERY_ORPHAN | CCSHM_QUERY_CONTROL) && q.buffer_id == id &&
	   q.charged == SIZE && !strcmp(q.name, "orphan"),
	   "orphan: QUERY of the export returns the freed buffer's charge and name");
	is_errno(raw_alloc_named(fd, SIZE, "orphan", 0600, &again), 0,
		 "orphan: ALLOC with the freed buffer's name: success");
	ok(again > export, "orphan: the new buffer of the same name has a new id");
	is_errno(raw_free(fd, again), 0, "orphan: FREE of the new buffer of the same name: success");
}

static void test_orphan(void)
{
	struct ccshm_ioc_revoke result;
	int fd = open_device(), dmabuf;
	struct ccshm_ioc_info info;
	uint64_t id, export;
	unsigned char *map;

	must(raw_alloc_named(fd, SIZE, "orphan", 0600, &id));
	dmabuf = raw_export(fd, id, 0, &export);
	map = raw_map(dmabuf, SIZE, PROT_READ | PROT_WRITE);
	if (!ok(map, "orphan: setup: the dma-buf is mapped"))
		return;
	memset(map, PATTERN, SIZE);
	is_errno(raw_free(fd, id), 0, "orphan: FREE does not wait for an export");
	check_orphan(fd, export, id);
	ok(wait_held(fd, SIZE, &info), "orphan: the memory stays shared after FREE");
	ok(wait_buffers(fd, 1), "orphan: INFO counts the freed buffer while its export exists");
	is_int(first_other(map, PATTERN, SIZE), -1,
	       "orphan: the mapping still shows its bytes after FREE");
	is_errno(raw_revoke(fd, export, 0, in_ms(20000), &result), 0,
		 "orphan: REVOKE of the export of a freed buffer: success");
	is_int(result.state, CCSHM_STATE_REVOKED, "orphan: REVOKE returns the state revoked");
	ok(wait_held(fd, 0, &info) && wait_rig_shared(rig_before),
	   "orphan: the memory is given back after REVOKE while the dma-buf is open");
	is_errno(raw_query(fd, export, &(struct ccshm_ioc_query){ .id = 0 }), 0,
		 "orphan: QUERY of the revoked export while its dma-buf is open: success");
	munmap(map, SIZE);
	close(dmabuf);
	is_errno(raw_query(fd, export, &(struct ccshm_ioc_query){ .id = 0 }), ENOENT,
		 "orphan: QUERY of the export after its dma-buf is closed: ENOENT");
	close(fd);
	ok(all_gone(), "orphan: all memory is given back");
}

/* ---- persistent buffers ---- */

static int make_persistent(void *arg)
{
	unsigned char *map;
	uint64_t id;
	int fd = raw_open(), dmabuf;

	(void)arg;
	if (fd < 0 || raw_alloc_named(fd, SIZE, "kept", 0600, &id))
		return -EIO;
	dmabuf = raw_export(fd, id, 0, NULL);
	map = raw_map(dmabuf, SIZE, PROT_READ | PROT_WRITE);
	if (!map)
		return -EIO;
	memset(map, PATTERN, SIZE);
	return 0;
}

static int use_persistent(void *arg)
{
	unsigned char *map;
	uint64_t id;
	int fd = raw_open(), err;

	(void)arg;
	err = raw_find(fd, "kept", -1, &id);
	if (err)
		return err;
	map = raw_map(raw_export(fd, id, 0, NULL), SIZE, PROT_READ | PROT_WRITE);
	if (!map || first_other(map, PATTERN, SIZE) >= 0)
		return -EBADMSG;
	return raw_free(fd, id);
}

static void test_persistent(void)
{
	is_int(as_user(ALICE, 0, make_persistent, NULL), 0,
	       "persistent: a process allocates and writes a persistent buffer");
	ok(still_shared(SIZE), "persistent: the memory stays shared after the process has ended");
	is_int(as_user(ALICE, 0, use_persistent, NULL), 0,
	       "persistent: another process finds the buffer, its bytes, and frees it");
	is_int(as_user(ALICE, 0, use_persistent, NULL), -ENOENT,
	       "persistent: finding the buffer after FREE: ENOENT");
	ok(all_gone(), "persistent: all memory is given back");
}

/* ---- ids ---- */

static void test_ids(void)
{
	uint64_t last = 0, id, export;
	int fd = open_device();
	bool good = true;

	for (int i = 0; i < 100; i++) {
		good &= !raw_alloc(fd, PAGE, &id) && id > last;
		close(raw_export(fd, id, 0, &export));
		good &= export > id;
		last = export;
		good &= !raw_free(fd, id);
	}
	ok(good, "ids of buffers and exports always increase");
	close(fd);
	ok(all_gone(), "the memory of 100 freed buffers is given back");
}

int main(void)
{
	int splits;

	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	direct_map_settle();
	splits = direct_map_splits();
	test_free();
	test_ends();
	test_free_and_exit();
	test_orders();
	test_passed_file();
	test_passed_dmabuf();
	test_in_flight();
	test_fork();
	test_orphan();
	test_persistent();
	test_ids();
	/* Compare the splits before a module is loaded, which splits a leaf. */
	if (sysconf(_SC_PAGESIZE) > (long)PAGE)
		skip("no test of this suite has split a leaf of the direct map",
		     "with pages of 16 KiB a unit is smaller than a leaf, and can split one");
	else
		is_int(direct_map_splits(), splits,
		       "no test of this suite has split a leaf of the direct map");
	test_rmmod();
	is_errno(unload_soon(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(rig_before), "no page is shared after the driver is unloaded");
	return done_testing();
}
