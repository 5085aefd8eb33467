// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: which objects a dump shows to each user, that a dump is correct and
 * is marked when it may be inconsistent, and that a dump lists ten thousand buffers.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-timeout: 240
 * vm-variant: snp flavours=snp cpus=2 kernels=6.12,7.3 matrix=last
 * vm-variant: tdx flavours=tdx cpus=2 matrix=last
 */
#include <sys/mount.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "netlink.h"
#include "device.h"
#include "importing.h"
#include "exported.h"

static int nl;

/* ---- contents of a dump ---- */

#define IDS	64

struct ids {
	unsigned int nr;
	uint64_t id[IDS];
	uint64_t flags[IDS];
	uint64_t uid[IDS];
};

static void note_id(const struct nl_message *msg, void *data)
{
	struct ids *ids = data;

	if (ids->nr == IDS)
		bail("more than %d objects", IDS);
	ids->id[ids->nr] = nl_number(msg, CCSHM_A_ID);
	ids->flags[ids->nr] = nl_number(msg, CCSHM_A_QUERY_FLAGS);
	ids->uid[ids->nr++] = nl_number(msg, CCSHM_A_UID);
}

static struct ids listed(int fd, uint8_t cmd)
{
	struct ids ids = { 0 };
	struct nl_dump d = nl_dump(fd, cmd, note_id, &ids);

	if (d.end)
		bail("a dump ends with %s", tap_errno_name(d.end));
	return ids;
}

/* Return the place of an object in the list, or -1. */
static int where(const struct ids *ids, uint64_t id)
{
	for (unsigned int i = 0; i < ids->nr; i++)
		if (ids->id[i] == id)
			return i;
	return -1;
}

/* ---- requests ---- */

static void test_requests(void)
{
	struct { struct nlattr a; uint64_t id; } attr = { { NLA_HDRLEN + 8, CCSHM_A_ID }, 1 };
	static const uint8_t dumps[] = {
		CCSHM_CMD_BUFFER_GET, CCSHM_CMD_EXPORT_GET, CCSHM_CMD_ATTACHMENT_GET,
	};
	int own;

	is_errno(nl_find_family(nl), 0, "the netlink family ccshm exists");
	is_int(family.groups, 1, "the netlink family has one group, for events");
	for (int i = 0; i < 3; i++) {
		is_errno(nl_request(nl, 0, dumps[i], NULL, 0), EOPNOTSUPP,
			 "command %u without NLM_F_DUMP: EOPNOTSUPP", dumps[i]);
		is_errno(nl_request(nl, NLM_F_DUMP, dumps[i], &attr, sizeof(attr)), EINVAL,
			 "command %u with an attribute: EINVAL", dumps[i]);
		is_errno(nl_request(nl, NLM_F_DUMP, dumps[i], NULL, 0), 0,
			 "a dump by command %u without objects: success", dumps[i]);
	}
	is_errno(nl_request(nl, NLM_F_DUMP, CCSHM_CMD_STATS_GET, NULL, 0), EOPNOTSUPP,
		 "STATS_GET with NLM_F_DUMP: EOPNOTSUPP");
	is_errno(nl_request(nl, 0, CCSHM_CMD_STATS_GET, &attr, sizeof(attr)), EINVAL,
		 "STATS_GET with an attribute: EINVAL");
	is_errno(nl_request(nl, 0, CCSHM_CMD_EVENT, NULL, 0), EOPNOTSUPP,
		 "EVENT as a request: EOPNOTSUPP");
	is_errno(nl_request(nl, 0, CCSHM_CMD_EVENT + 1, NULL, 0), EOPNOTSUPP,
		 "an unknown command: EOPNOTSUPP");
	/* Start a dump on another socket, and close the socket before the end. */
	own = nl_socket();
	must(nl_dump_start(own, CCSHM_CMD_BUFFER_GET).end);
	close(own);
}

/* ---- objects that each user sees ---- */

static uint64_t anonymous, private, grouped, readable, of_root;

struct seen {
	struct ids buffers, exports;
};

static int look(void *arg)
{
	struct seen *seen = arg;
	int fd = nl_socket();

	seen->buffers = listed(fd, CCSHM_CMD_BUFFER_GET);
	seen->exports = listed(fd, CCSHM_CMD_EXPORT_GET);
	close(fd);
	return 0;
}

struct made {
	uint64_t private, grouped, readable;
};

static int make_as_alice(void *arg)
{
	struct made *made = arg;
	int fd = raw_open(), err;

	err = raw_alloc_named(fd, PAGE, "private", 0600, &made->private);
	err = err ? err : raw_alloc_named(fd, PAGE, "readable", 0644, &made->readable);
	/*
	 * Give the buffer to the group that alice and bob share, because alice's own group is
	 * another.
	 */
	if (!err) {
		struct ccshm_ioc_alloc req = {
			.size = PAGE, .flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_GID,
			.gid = GID_CCSHM, .mode = 0640, .name = "grouped",
		};

		err = raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);
		made->grouped = req.id;
	}
	close(fd);
	return err;
}

static void sees(const char *who, const struct seen *seen, bool anon, bool priv, bool group,
		 bool others, bool roots)
{
	is_int(where(&seen->buffers, anonymous) >= 0, anon,
	       "%s: visibility of an anonymous buffer", who);
	is_int(where(&seen->buffers, private) >= 0, priv,
	       "%s: visibility of a buffer of mode 0600", who);
	is_int(where(&seen->buffers, grouped) >= 0, group,
	       "%s: visibility of a buffer of mode 0640", who);
	is_int(where(&seen->buffers, readable) >= 0, others,
	       "%s: visibility of a buffer of mode 0644", who);
	is_int(where(&seen->buffers, of_root) >= 0, roots,
	       "%s: visibility of a buffer of root", who);
	is_int(seen->buffers.nr, anon + priv + group + others + roots,
	       "%s: no other buffer is listed", who);
}

static bool controls(const struct seen *seen, uint64_t id)
{
	int i = where(&seen->buffers, id);

	return i >= 0 && seen->buffers.flags[i] & CCSHM_QUERY_CONTROL;
}

/* List as a process in a user namespace where alice is root; uids are those of the namespace. */
static int look_as_root_of_a_namespace(void *arg)
{
	struct seen *seen = arg;
	FILE *f;

	if (unshare(CLONE_NEWUSER))
		return -errno;
	f = fopen("/proc/self/uid_map", "w");
	if (!f || fprintf(f, "0 %d 1\n", ALICE) < 0 || fclose(f))
		return -errno;
	return look(seen);
}

static int find_elsewhere(void *arg)
{
	(void)arg;
	return unshare(CLONE_NEWNET) ? -errno : nl_find_family(nl_socket());
}

static void test_visibility(void)
{
	struct made *made = common(sizeof(*made));
	struct seen *seen = common(sizeof(*seen));
	int fd, err;

	err = as_user(ALICE, 0, make_as_alice, made);
	if (err)
		bail("alice cannot allocate buffers: %s", tap_errno_name(err));
	private = made->private;
	grouped = made->grouped;
	readable = made->readable;
	must(raw_alloc(ccshm, PAGE, &anonymous));
	must(raw_alloc_named(ccshm, PAGE, "root", 0600, &of_root));
	fd = raw_export(ccshm, private, 0, NULL);

	look(seen);
	sees("root", seen, true, true, true, true, true);
	ok(controls(seen, private) && controls(seen, anonymous),
	   "root: the list reports control of all buffers");
	must(as_user(ALICE, 0, look, seen));
	sees("alice", seen, false, true, true, true, false);
	is_int(seen->exports.nr, 1, "alice: the export of alice's buffer is listed");
	ok(controls(seen, private) && controls(seen, readable),
	   "alice: the list reports control of alice's buffers");
	must(as_user(BOB, 0, look, seen));
	sees("bob", seen, false, false, true, true, false);
	is_int(seen->exports.nr, 0, "bob: no export is listed");
	ok(!controls(seen, grouped), "bob: the list reports no control of a buffer of the group");
	must(as_user(MALLORY, 0, look, seen));
	sees("mallory", seen, false, false, false, true, false);
	must(as_user(ROOT, 0, look, seen));
	sees("root without capabilities", seen, false, false, false, true, true);
	must(as_user(BOB, CAP(SYS_ADMIN), look, seen));
	sees("bob with CAP_SYS_ADMIN", seen, true, true, true, true, true);

	err = as_user(ALICE, 0, look_as_root_of_a_namespace, seen);
	if (err == -EPERM || err == -ENOSPC) {
		skip(
		     "root of a user namespace: what a dump lists",
		     "users may not create namespaces");
	} else if (is_errno(err, 0, "alice lists as root of a user namespace")) {
		ok(where(&seen->buffers, private) >= 0,
		   "alice as root of a user namespace: alice's buffer is listed");
		ok(where(&seen->buffers, anonymous) < 0 && where(&seen->buffers, of_root) < 0,
		   "alice as root of a user namespace: no buffer of root is listed");
		is_int(seen->buffers.uid[where(&seen->buffers, private)], 0,
		       "alice as root of a user namespace: the owner of alice's buffer is uid 0");
	}
	is_errno(as_user(ROOT, ALL_CAPS, find_elsewhere, NULL), ENOENT,
		 "in another network namespace the netlink family is absent: ENOENT");
	close(fd);
}

/* ---- permissions of the socket's opener ---- */

/* Open a socket, send it to the parent, and list with the socket that the parent sends. */
static int exchange(struct peer *parent, void *arg)
{
	int value, theirs, fd = nl_socket();
	struct seen *seen = arg;

	peer_send(parent, 0, fd);
	if (!peer_receive(parent, &value, &theirs, 20000) || theirs < 0)
		return -ETIMEDOUT;
	seen->buffers = listed(theirs, CCSHM_CMD_BUFFER_GET);
	return 0;
}

static void test_opener(void)
{
	struct seen *seen = common(sizeof(*seen)), own = { 0 };
	struct peer p = peer_start(BOB, 0, exchange, seen);
	int value, theirs;

	if (!peer_receive(&p, &value, &theirs, 20000) || theirs < 0)
		bail("bob did not send a socket");
	own.buffers = listed(theirs, CCSHM_CMD_BUFFER_GET);
	sees("root with bob's socket", &own, false, false, true, true, false);
	close(theirs);
	theirs = nl_socket();
	peer_send(&p, 0, theirs);
	is_int(peer_hear(&p), 0, "bob lists with root's socket");
	sees("bob with root's socket", seen, true, true, true, true, true);
	close(theirs);
	peer_must_end(&p, 0);
}

/* ---- agreement with QUERY ---- */

static void as_query(const struct nl_message *msg, void *data)
{
	struct ccshm_ioc_query q = query(nl_number(msg, CCSHM_A_ID));
	bool *good = data;

#define SAME(attr, member) do {							\
		if (nl_number(msg, CCSHM_A_##attr) != q.member) {		\
			diag(#attr " of %llu", (unsigned long long)q.object_id);	\
			*good = false;						\
		}								\
	} while (0)
	SAME(TYPE, type);
	SAME(OBJECT_FLAGS, object_flags);
	SAME(QUERY_FLAGS, query_flags);
	SAME(SIZE, size);
	SAME(UID, uid);
	SAME(GID, gid);
	SAME(MODE, mode);
	SAME(PAYER, payer);
	*good &= !strcmp(nl_text(msg, CCSHM_A_NAME), q.name);
	*good &= !strcmp(nl_text(msg, CCSHM_A_DEVICE), q.device);
	if (q.type == CCSHM_TYPE_BUFFER) {
		SAME(CHARGED, charged);
		SAME(CARVED, carved);
		SAME(BLOCKS, blocks);
		SAME(BLOCKS_SMALL, blocks_small);
		SAME(UNITS, units);
		SAME(UNITS_WHOLE, units_whole);
		SAME(CONVERSIONS, conversions);
		SAME(EXPORTS, exports);
		SAME(ATTACHMENTS, attachments);
		return;
	}
	SAME(BUFFER_ID, buffer_id);
	SAME(OFFSET, offset);
	SAME(STATE, state);
	SAME(DEVICE_MAPPINGS, device_mappings);
	if (q.type == CCSHM_TYPE_EXPORT) {
		SAME(ATTACHMENTS, attachments);
		SAME(IMPORTERS, importers);
		SAME(CPU_MAPPINGS, cpu_mappings);
	} else {
		SAME(EXPORT_ID, export_id);
		SAME(DMA_BITS, dma_bits);
		SAME(SEGMENTS, segments);
	}
#undef SAME
}

static void same_as_query(uint8_t cmd, unsigned int nr, const char *what)
{
	bool good = true;
	struct nl_dump d = nl_dump(nl, cmd, as_query, &good);

	is_errno(d.end, 0, "a dump of %s ends with success", what);
	is_int(d.messages, nr, "a dump has one message for each object");
	ok(good, "a dump reports of each object what QUERY returns");
}

static void test_same_as_query(void)
{
	struct shared s = exported_slice(3 * UNIT + PAGE, CCSHM_EXPORT_READ_ONLY, PAGE, UNIT);
	struct attached a, b;

	if (attach_buffer(ccshm, s.id, PCI_B, &a) || attach_dmabuf(ccshm, s.look, PCI_B, &b))
		bail("cannot ATTACH " PCI_B);
	same_as_query(CCSHM_CMD_BUFFER_GET, 6, "buffers");
	same_as_query(CCSHM_CMD_EXPORT_GET, 2, "exports");
	same_as_query(CCSHM_CMD_ATTACHMENT_GET, 2, "attachments");
	is_errno(attached_end(&a), 0, "DETACH of one of two attachments: success");
	same_as_query(CCSHM_CMD_EXPORT_GET, 2, "exports of which one has an attachment");
	is_errno(attached_end(&b), 0, "DETACH of the second of two attachments: success");
	same_as_query(CCSHM_CMD_ATTACHMENT_GET, 0, "attachments that are gone");
	shared_end(&s);
}

/* ---- importers ---- */

struct importers {
	uint64_t total;
	unsigned int listed;
};

static void note_importers(const struct nl_message *msg, void *data)
{
	struct importers *i = data;

	if (nl_number(msg, CCSHM_A_IMPORTERS)) {
		i->total = nl_number(msg, CCSHM_A_IMPORTERS);
		i->listed = msg->importers;
	}
}

static void test_importers(void)
{
	int imp[CCSHM_GENL_IMPORTERS_MAX + 3];
	struct shared s = exported_new(PAGE, 0);
	struct importers i;

	for (int nr = 0; nr < CCSHM_GENL_IMPORTERS_MAX + 3; nr++) {
		imp[nr] = imp_new(s.fd, IMPORTER_DYNAMIC);
		if (nr != 0 && nr < CCSHM_GENL_IMPORTERS_MAX - 1)
			continue;
		memset(&i, 0, sizeof(i));
		must(nl_dump(nl, CCSHM_CMD_EXPORT_GET, note_importers, &i).end);
		is_int(i.total, nr + 1,
		       "a dump reports the number of importers of an export with %d", nr + 1);
		is_int(i.listed, nr < CCSHM_GENL_IMPORTERS_MAX ? nr + 1 : CCSHM_GENL_IMPORTERS_MAX,
		       "a dump names at most the first importers of an export");
	}
	for (int nr = 0; nr < CCSHM_GENL_IMPORTERS_MAX + 3; nr++)
		close(imp[nr]);
	shared_end(&s);
}

/* ---- buffers that have ended ---- */

static void test_ended(void)
{
	struct shared s = exported_new(PAGE, 0);
	struct ids ids;
	int i;

	is_errno(raw_free(ccshm, s.id), 0, "FREE of a buffer that has exports: success");
	ids = listed(nl, CCSHM_CMD_BUFFER_GET);
	i = where(&ids, s.id);
	ok(i >= 0 && ids.flags[i] & CCSHM_QUERY_ORPHAN,
	   "a dump lists a freed buffer with exports as an orphan");
	munmap(s.p, s.size);
	close(s.look);
	close(s.fd);
	for (int n = 0; n < 500 && where(&ids, s.id) >= 0; n++) {
		sleep_ms(20);
		ids = listed(nl, CCSHM_CMD_BUFFER_GET);
	}
	ok(where(&ids, s.id) < 0,
	   "a dump does not list a freed buffer after its memory is returned");
}

/* ---- many objects, and changes during a dump ---- */

#define MANY	10000

struct walk {
	uint64_t last;
	unsigned int nr;
	bool ascending;
};

static void step(const struct nl_message *msg, void *data)
{
	struct walk *w = data;
	uint64_t id = nl_number(msg, CCSHM_A_ID);

	w->ascending &= id > w->last;
	w->last = id;
	w->nr++;
}

/* Continue a dump in a process of bob, which root has started. */
static int read_on(struct peer *parent, void *arg)
{
	struct nl_dump d = { .end = 1 };
	int value;

	if (!peer_receive(parent, &value, &d.fd, 20000) || d.fd < 0)
		return -ETIMEDOUT;
	return nl_dump_rest(&d, step, arg);
}

/* Test that a dump shows what its starter may see, although most of it is made while bob reads. */
static void test_reader(unsigned int nr)
{
	struct walk *w = common(sizeof(*w));
	struct peer p = peer_start(BOB, 0, read_on, w);
	int fd = nl_socket(), err = -ETIMEDOUT;

	w->ascending = true;
	must(nl_dump_start(fd, CCSHM_CMD_BUFFER_GET).end);
	peer_send(&p, 0, fd);
	ok(peer_receive(&p, &err, NULL, 60000), "bob answers after reading the dump");
	is_errno(err, 0, "bob reads a dump that root has started");
	is_int(w->nr, nr, "a dump that bob reads lists to its end what root may see");
	peer_must_end(&p, 0);
	close(fd);
}

/*
 * Write to a file of tracefs. The kernel counts how often the driver looks up an object: work on
 * each object begins with a lookup.
 */
static bool trace_write(const char *file, const char *text)
{
	char path[64];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "t/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (!good)
		diag("%s: %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

static bool finds_are_counted(void)
{
	if (mkdir("t", 0755) || mount("tracefs", "t", "tracefs", 0, NULL)) {
		diag("tracefs: %s", strerror(errno));
		return false;
	}
	return trace_write("kprobe_events", "p:ccshm_finds ccshm_object_next\n") &&
	       trace_write("events/kprobes/ccshm_finds/enable", "1");
}

static void finds_are_not_counted(void)
{
	must_be_true(trace_write("events/kprobes/ccshm_finds/enable", "0"));
	must_be_true(trace_write("kprobe_events", "-:ccshm_finds\n"));
	umount2("t", MNT_DETACH);
}

static long finds(void)
{
	FILE *f = fopen("t/kprobe_profile", "r");
	long hits = -1;

	if (!f || fscanf(f, " ccshm_finds %ld", &hits) != 1)
		bail("kprobe_profile has no count of the probe");
	fclose(f);
	return hits;
}

static void test_finds(unsigned int nr)
{
	struct nl_dump d;
	long n;

	if (!finds_are_counted()) {
		skip("a dump looks up each object once", "this kernel has no kprobe events");
		return;
	}
	n = finds();
	d = nl_dump(nl, CCSHM_CMD_BUFFER_GET, NULL, NULL);
	n = finds() - n;
	/*
	 * A datagram looks up one more object, for which it has no room. At the end one lookup
	 * finds nothing.
	 */
	ok(n >= nr && n <= nr + d.datagrams + 2,
	   "a dump of buffers looks up each buffer once (%ld lookups)", n);
	n = finds();
	d = nl_dump(nl, CCSHM_CMD_EXPORT_GET, NULL, NULL);
	n = finds() - n;
	ok(n <= d.messages + d.datagrams + 2,
	   "a dump of exports looks up no buffer (%ld lookups)", n);
	finds_are_not_counted();
}

static void test_many(void)
{
	struct walk w = { .ascending = true };
	int own = raw_open(), fd = nl_socket();
	uint64_t id = 0, first = 0, late;
	struct nl_dump d;
	int err = 0;

	for (int i = 0; i < MANY && !err; i++) {
		err = raw_alloc(own, PAGE, &id);
		first = first ? first : id;
	}
	is_errno(err, 0, "ALLOC of %d buffers of a page: success", MANY);
	d = nl_dump(fd, CCSHM_CMD_BUFFER_GET, step, &w);
	is_errno(d.end, 0, "a dump of many buffers ends with success");
	is_int(w.nr, MANY + 5, "a dump of many buffers has one message for each");
	ok(w.ascending, "a dump of many buffers is in the order of their ids");
	ok(!d.changed, "a dump during which nothing changes is consistent");
	ok(d.datagrams < MANY / 4, "a dump of many buffers takes %u datagrams", d.datagrams);
	test_finds(MANY + 5);
	test_reader(MANY + 5);

	w = (struct walk){ .ascending = true };
	d = nl_dump_start(fd, CCSHM_CMD_BUFFER_GET);
	ok(nl_dump_next(&d, step, &w), "an interrupted dump: the first datagram can be read");
	ok(w.nr < MANY / 2, "an interrupted dump: only the first datagram has been read");
	is_errno(raw_free(own, id), 0, "FREE of a buffer that the dump has not reached yet: success");
	is_errno(raw_free(own, first), 0, "FREE of a buffer that the dump has already reported: success");
	/* A dump lists a freed buffer until its memory is returned. */
	ok(wait_buffers(ccshm, MANY + 5 - 2), "many buffers: two are gone after FREE");
	is_errno(raw_alloc(own, PAGE, &late), 0, "ALLOC of a buffer during a dump: success");
	is_errno(nl_dump_rest(&d, step, &w), 0,
		 "a dump during which buffers change ends with success");
	ok(d.changed, "a dump during which buffers change is marked as inconsistent");
	ok(w.ascending && w.last < late,
	   "a dump reports no buffer twice, and none that was allocated meanwhile");
	is_int(w.nr, MANY + 4, "a dump does not report a buffer freed before it was reached");

	w = (struct walk){ .ascending = true };
	d = nl_dump_start(fd, CCSHM_CMD_BUFFER_GET);
	ok(nl_dump_next(&d, step, &w),
	   "a dump of a file's buffers: the first datagram can be read");
	close(own);
	is_errno(nl_dump_rest(&d, step, &w), 0,
		 "a dump whose buffers end with their file meanwhile ends with success");
	ok(d.changed && w.ascending,
	   "a dump whose buffers end meanwhile is marked as inconsistent and repeats none");
	close(fd);
}

/* Test that a changed state marks the dump as inconsistent. */
static void test_revoked_meanwhile(void)
{
	struct shared s = exported_new(PAGE, 0);
	struct nl_dump d = nl_dump_start(nl, CCSHM_CMD_EXPORT_GET);
	struct ids ids = { 0 };

	/* The kernel makes the first datagram when the dump starts. */
	must(raw_revoke(ccshm, s.export_id, 0, 0, NULL));
	is_errno(nl_dump_rest(&d, note_id, &ids), 0,
		 "a dump during which an export is revoked ends with success");
	is_int(ids.nr, 2, "a dump of two exports, of which one is revoked meanwhile, reports both");
	ok(d.changed, "a dump during which an export is revoked is marked as inconsistent");
	shared_end(&s);
}

/* ---- statistics ---- */

static uint64_t statistic(unsigned int attr)
{
	return nl_statistic(nl, attr);
}

static int statistic_as(void *arg)
{
	(void)arg;
	nl = nl_socket();
	return statistic(CCSHM_A_STATS_BUFFERS);
}

static void test_statistics(void)
{
	uint64_t made = statistic(CCSHM_A_STATS_BUFFERS_MADE);
	uint64_t exports = statistic(CCSHM_A_STATS_EXPORTS_MADE);
	uint64_t revokes = statistic(CCSHM_A_STATS_REVOKES);
	uint64_t failed = statistic(CCSHM_A_STATS_REVOKES_FAILED);
	struct ccshm_ioc_info info;
	struct shared s = exported_new(PAGE, CCSHM_EXPORT_PINNED);
	struct ccshm_ioc_revoke by_fd = { .flags = CCSHM_REVOKE_BY_FD, .fd = s.look };
	int imp = imp_new(s.fd, IMPORTER_STATIC);

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "statistics: an importer maps");
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_REVOKE, &by_fd), 0,
		 "statistics: REVOKE of an export without importers: success");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), EBUSY,
		 "statistics: REVOKE of a pinned export with an importer: EBUSY");
	is_errno(imp_unmap(imp), 0, "statistics: the importer unmaps");
	close(imp);
	must(raw_revoke(ccshm, s.export_id, 0, -1, NULL));
	/*
	 * Wait until only this buffer and the five exist: memory of other buffers may still be
	 * returning.
	 */
	for (int i = 0; i < 500; i++) {
		must(raw_info(ccshm, &info));
		if (info.buffers == 6 && info.bytes_carved == 6 * PAGE)
			break;
		sleep_ms(20);
	}
	is_int(statistic(CCSHM_A_STATS_BUFFERS), info.buffers, "statistics: buffers, as in INFO");
	is_int(statistic(CCSHM_A_STATS_EXPORTS), info.exports, "statistics: exports, as in INFO");
	is_int(statistic(CCSHM_A_STATS_BYTES_SHARED), info.bytes_shared,
	       "statistics: bytes shared, as in INFO");
	is_int(statistic(CCSHM_A_STATS_BYTES_CARVED), info.bytes_carved,
	       "statistics: bytes carved, as in INFO");
	is_int(statistic(CCSHM_A_STATS_CALLS_SHARED), info.calls_shared,
	       "statistics: conversions, as in INFO");
	is_int(statistic(CCSHM_A_STATS_BUFFERS_MADE), made + 1,
	       "statistics: one more buffer was made");
	is_int(statistic(CCSHM_A_STATS_EXPORTS_MADE), exports + 2,
	       "statistics: two more exports were made");
	is_int(statistic(CCSHM_A_STATS_REVOKES), revokes + 3,
	       "statistics: three more calls of REVOKE are counted");
	is_int(statistic(CCSHM_A_STATS_REVOKES_FAILED), failed + 1,
	       "statistics: one more failed revoke is counted");
	is_int(as_user(MALLORY, 0, statistic_as, NULL), info.buffers,
	       "statistics: a user outside the group may read them");
	shared_end(&s);
}

/* ---- a dump with a slow reader, and the module ---- */

static void test_unload(void)
{
	struct nl_dump d;
	int own = raw_open();
	uint64_t id;

	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	must(raw_alloc(own, PAGE, &id));
	d = nl_dump_start(nl, CCSHM_CMD_BUFFER_GET);
	close(own);
	ok(wait_clean(ccshm), "the buffer that the pending dump lists is gone");
	close(ccshm);
	importer_unload();
	is_errno(driver_unload(), EAGAIN,
		 "unloading the driver while a dump is not at its end: EAGAIN");
	is_errno(nl_dump_rest(&d, NULL, NULL), 0,
		 "a dump pending at the unloading ends with success");
	is_int(d.messages, 1,
	       "a dump pending at the unloading reports the buffer that existed at its start");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
}

int main(void)
{
	exported_setup();
	nl = nl_socket();
	test_requests();
	test_visibility();
	test_opener();
	test_same_as_query();
	test_importers();
	test_ended();
	test_many();
	test_revoked_meanwhile();
	test_statistics();
	must(raw_free(ccshm, anonymous));
	must(raw_free(ccshm, private));
	must(raw_free(ccshm, grouped));
	must(raw_free(ccshm, readable));
	must(raw_free(ccshm, of_root));
	test_unload();
	close(nl);
	return done_testing();
}
