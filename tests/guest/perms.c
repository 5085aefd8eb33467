// SPDX-License-Identifier: GPL-2.0-only
/*
 * Permissions: an object of another user does not exist for a caller, unless the mode of the
 * buffer, the open file of an anonymous buffer, or CAP_SYS_ADMIN gives access. Devices need
 * CAP_SYS_RAWIO.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 */
#include "tap.h"
#include "raw.h"

#include <sys/mount.h>

#define DEVICE	"pci:0000:00:05.0"
#define SIZE	UNIT

/* Opened by root with all capabilities; users that may not open the device inherit it. */
static int dev;

/* ---- one call by another user ---- */

enum verb {
	QUERY, FIND, EXPORT_READ, EXPORT_WRITE, ATTACH, SEGMENTS, DETACH, REVOKE, FORCE, FREE,
	ALLOC,
};

/* The call, in memory that parent and child share. */
struct act {
	enum verb verb;
	bool inherited;		/* call through the descriptor of root, not through a new one */
	uint64_t id;
	long uid;		/* FIND, ALLOC: owner; -1: the caller */
	long gid;		/* ALLOC: group; -1: the caller's */
	unsigned int mode;
	char name[CCSHM_NAME_LEN];
	struct ccshm_ioc_query query;
};

static struct act *act;

static int act_attach(int fd)
{
	struct ccshm_ioc_attach req = { .id = act->id, .dma_bits = 64, .device = DEVICE };
	int err = raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);

	if (err)
		return err;
	must(raw_detach(req.fd, 0));
	close(req.fd);
	return 0;
}

static int act_export(int fd, uint64_t flags)
{
	int dmabuf = raw_export(fd, act->id, flags, NULL);

	if (dmabuf < 0)
		return dmabuf;
	close(dmabuf);
	return 0;
}

static int act_alloc(int fd)
{
	struct ccshm_ioc_alloc req = {
		.size = SIZE, .flags = CCSHM_ALLOC_PERSISTENT, .mode = act->mode,
	};
	int err;

	if (act->uid >= 0) {
		req.flags |= CCSHM_ALLOC_UID;
		req.uid = act->uid;
	}
	if (act->gid >= 0) {
		req.flags |= CCSHM_ALLOC_GID;
		req.gid = act->gid;
	}
	memcpy(req.name, act->name, sizeof(req.name));
	err = raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);
	act->id = req.id;
	return err;
}

static int do_act(void *arg)
{
	struct ccshm_ioc_segment seg;
	int fd = act->inherited ? dev : raw_open();

	(void)arg;
	if (fd < 0)
		return fd;
	switch (act->verb) {
	case QUERY:
		return raw_query(fd, act->id, &act->query);
	case FIND:
		return raw_find(fd, act->name, act->uid, &act->id);
	case EXPORT_READ:
		return act_export(fd, CCSHM_EXPORT_READ_ONLY);
	case EXPORT_WRITE:
		return act_export(fd, 0);
	case ATTACH:
		return act_attach(fd);
	case SEGMENTS:
		return raw_segments(fd, act->id, &seg, 0, 1, NULL) < 0 ? -errno : 0;
	case DETACH:
		return raw_detach(fd, act->id);
	case REVOKE:
		return raw_revoke(fd, act->id, 0, 0, NULL);
	case FORCE:
		return raw_revoke(fd, act->id, CCSHM_REVOKE_FORCE, in_ms(5000), NULL);
	case FREE:
		return raw_free(fd, act->id);
	case ALLOC:
		return act_alloc(fd);
	}
	return -EINVAL;
}

static int call_as(uid_t uid, uint64_t caps, enum verb verb, uint64_t id)
{
	act->verb = verb;
	act->id = id;
	act->inherited = uid == MALLORY;
	return as_user(uid, caps, do_act, NULL);
}

/* Allocate as a user. @owner, @gid: owner and group; -1: those of the caller. */
static int alloc_as(uid_t uid, uint64_t caps, const char *name, long owner, long gid,
		    unsigned int mode, uint64_t *id)
{
	int err;

	memset(act->name, 0, sizeof(act->name));
	strcpy(act->name, name);
	act->uid = owner;
	act->gid = gid;
	act->mode = mode;
	err = call_as(uid, caps, ALLOC, 0);
	*id = act->id;
	return err;
}

static int find_as(uid_t uid, uint64_t caps, const char *name, long owner, uint64_t *id)
{
	int err;

	memset(act->name, 0, sizeof(act->name));
	strcpy(act->name, name);
	act->uid = owner;
	err = call_as(uid, caps, FIND, 0);
	*id = act->id;
	return err;
}

/* ---- access to a persistent buffer ---- */

#define NOT_ADMIN	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) | \
			 CAP(SYS_PTRACE) | CAP(IPC_OWNER) | CAP(IPC_LOCK) | CAP(SYS_RESOURCE))

/* Access to a buffer of alice, group ccshm, with each mode. Each column is an errno; 0: success. */
static const struct {
	const char *who;
	uid_t uid;
	uint64_t caps;
	unsigned int mode;
	int see, read, write, attach, control;
} rows[] = {
	{ "the owner", ALICE, 0, 0600, 0, 0, 0, EPERM, 0 },
	{ "the owner with CAP_SYS_RAWIO", ALICE, CAP(SYS_RAWIO), 0600, 0, 0, 0, 0, 0 },
	{ "the owner", ALICE, 0, 0400, 0, 0, EACCES, EPERM, 0 },
	{ "the owner with CAP_SYS_RAWIO", ALICE, CAP(SYS_RAWIO), 0400, 0, 0, EACCES, EACCES, 0 },
	{ "the owner", ALICE, 0, 0066, 0, EACCES, EACCES, EPERM, 0 },
	{ "the owner with CAP_SYS_RAWIO", ALICE, CAP(SYS_RAWIO), 0, 0, EACCES, EACCES, EACCES, 0 },
	{ "a group member", BOB, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "a group member with CAP_SYS_RAWIO", BOB, CAP(SYS_RAWIO), 0600, ENOENT, ENOENT, ENOENT,
	  ENOENT, ENOENT },
	{ "a group member", BOB, 0, 0640, 0, 0, EACCES, EPERM, EPERM },
	{ "a group member with CAP_SYS_RAWIO", BOB, CAP(SYS_RAWIO), 0640, 0, 0, EACCES, EACCES,
	  EPERM },
	{ "a group member", BOB, 0, 0660, 0, 0, 0, EPERM, EPERM },
	{ "a group member with CAP_SYS_RAWIO", BOB, CAP(SYS_RAWIO), 0660, 0, 0, 0, 0, EPERM },
	{ "a group member", BOB, 0, 0620, 0, 0, 0, EPERM, EPERM },
	{ "a group member", BOB, 0, 0606, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another user", MALLORY, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another user with CAP_SYS_RAWIO", MALLORY, CAP(SYS_RAWIO), 0660, ENOENT, ENOENT, ENOENT,
	  ENOENT, ENOENT },
	{ "another user", MALLORY, 0, 0604, 0, 0, EACCES, EPERM, EPERM },
	{ "another user with CAP_SYS_RAWIO", MALLORY, CAP(SYS_RAWIO), 0606, 0, 0, 0, 0, EPERM },
	{ "uid 0 without capabilities", ROOT, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another user with all but CAP_SYS_ADMIN", BOB, NOT_ADMIN, 0600, ENOENT, ENOENT, ENOENT,
	  EPERM, ENOENT },
	{ "a user with CAP_SYS_ADMIN", BOB, CAP(SYS_ADMIN), 0600, 0, 0, 0, EPERM, 0 },
	{ "a user with CAP_SYS_ADMIN and CAP_SYS_RAWIO", MALLORY,
	  CAP(SYS_ADMIN) | CAP(SYS_RAWIO), 0, 0, 0, 0, 0, 0 },
};

struct objects {
	uint64_t buffer, export, attachment;
	int dmabuf, attachment_fd;
};

static bool objects_make(struct objects *o, unsigned int mode)
{
	struct ccshm_ioc_attach req = { .dma_bits = 64, .device = DEVICE };

	if (alloc_as(ROOT, ALL_CAPS, "row", ALICE, GID_CCSHM, mode, &o->buffer))
		return false;
	o->dmabuf = raw_export(dev, o->buffer, 0, &o->export);
	req.id = o->buffer;
	if (o->dmabuf < 0 || raw_ioctl(dev, CCSHM_IOC_ATTACH, &req))
		return false;
	o->attachment = req.attachment_id;
	o->attachment_fd = req.fd;
	return true;
}

static void objects_drop(struct objects *o)
{
	must(raw_detach(o->attachment_fd, 0));
	close(o->attachment_fd);
	close(o->dmabuf);
	must(raw_free_any(dev, o->buffer));
}

/* Return the errno for a call that controls an attachment: this also needs CAP_SYS_RAWIO. */
static int device_control(int control, uint64_t caps)
{
	return control || caps & CAP(SYS_RAWIO) ? control : EPERM;
}

static void check_row(size_t i)
{
	uid_t uid = rows[i].uid;
	uint64_t caps = rows[i].caps, id;
	int see = rows[i].see, control = rows[i].control;
	struct objects o;
	char what[96];

	snprintf(what, sizeof(what), "mode %04o, %s", rows[i].mode, rows[i].who);
	if (!objects_make(&o, rows[i].mode)) {
		fail("%s: setup: a buffer, an export and an attachment", what);
		return;
	}
	is_errno(call_as(uid, caps, QUERY, o.buffer), see,
		 "%s: QUERY returns the expected errno", what);
	if (!see)
		is_int(!!(act->query.query_flags & CCSHM_QUERY_CONTROL), !control,
		       "%s: QUERY reports whether the caller has control", what);
	is_errno(find_as(uid, caps, "row", ALICE, &id), see,
		 "%s: OPEN returns the expected errno", what);
	is_errno(call_as(uid, caps, EXPORT_READ, o.buffer), rows[i].read,
		 "%s: read-only EXPORT returns the expected errno", what);
	is_errno(call_as(uid, caps, EXPORT_WRITE, o.buffer), rows[i].write,
		 "%s: EXPORT returns the expected errno", what);
	is_errno(call_as(uid, caps, ATTACH, o.buffer), rows[i].attach,
		 "%s: ATTACH returns the expected errno", what);
	is_errno(call_as(uid, caps, QUERY, o.export), see,
		 "%s: QUERY of an export returns the expected errno", what);
	is_errno(call_as(uid, caps, QUERY, o.attachment), see,
		 "%s: QUERY of an attachment returns the expected errno", what);
	is_errno(call_as(uid, caps, SEGMENTS, o.attachment), device_control(control, caps),
		 "%s: SEGMENTS returns the expected errno", what);
	is_errno(call_as(uid, caps, DETACH, o.attachment), device_control(control, caps),
		 "%s: DETACH returns the expected errno", what);
	is_errno(call_as(uid, caps, FORCE, o.export), device_control(control, caps),
		 "%s: forced REVOKE returns the expected errno", what);
	is_errno(call_as(uid, caps, REVOKE, o.export), control,
		 "%s: REVOKE returns the expected errno", what);
	must(raw_query(dev, o.export, &act->query));
	is_int(act->query.state, control ? CCSHM_STATE_ACTIVE : CCSHM_STATE_REVOKED,
	       "%s: the export is revoked only if REVOKE was permitted", what);
	is_errno(call_as(uid, caps, FREE, o.buffer), control,
		 "%s: FREE returns the expected errno", what);
	is_errno(raw_query(dev, o.buffer, &act->query), control ? 0 : ENOENT,
		 "%s: the buffer is gone only if FREE was permitted", what);
	objects_drop(&o);
}

/* ---- the device, open files, anonymous buffers ---- */

static int try_open(void *arg)
{
	int fd = raw_open();

	(void)arg;
	return fd < 0 ? fd : 0;
}

static void test_device(void)
{
	is_errno(as_user(ALICE, 0, try_open, NULL), 0,
		 "a member of group ccshm may open the device");
	is_errno(as_user(MALLORY, 0, try_open, NULL), EACCES,
		 "opening the device outside group ccshm: EACCES");
}

static const enum verb all_verbs[] = {
	QUERY, EXPORT_READ, EXPORT_WRITE, REVOKE, FREE,
};

/* Call each ioctl of all_verbs on a buffer. Return their errno, which must be the same for all. */
static int all_verbs_as(uid_t uid, uint64_t caps, bool inherited, uint64_t id)
{
	int first = 1;

	for (size_t i = 0; i < sizeof(all_verbs) / sizeof(all_verbs[0]); i++) {
		int err;

		act->verb = all_verbs[i];
		act->id = id;
		act->inherited = inherited;
		err = as_user(uid, caps, do_act, NULL);
		if (first == 1)
			first = err;
		if (err != first) {
			diag("verb %d: %s", act->verb, tap_errno_name(err));
			return -EIO;
		}
	}
	return first;
}

static void test_anonymous(void)
{
	uint64_t id, export;
	int dmabuf;

	must(raw_alloc(dev, SIZE, &id));
	is_errno(all_verbs_as(ROOT, 0, false, id), ENOENT,
		 "anonymous buffer: each call by the same user with another file: ENOENT");
	is_errno(all_verbs_as(BOB, 0, false, id), ENOENT,
		 "anonymous buffer: each call by another user: ENOENT");
	is_errno(all_verbs_as(BOB, NOT_ADMIN | CAP(SYS_RAWIO), false, id), ENOENT,
		 "anonymous buffer: each call by another user with all but CAP_SYS_ADMIN: ENOENT");
	is_errno(all_verbs_as(MALLORY, 0, true, id), 0,
		 "anonymous buffer: each call through its file by another user: success");
	is_errno(raw_query(dev, id, &act->query), ENOENT,
		 "anonymous buffer: QUERY after FREE through its file by another user: ENOENT");

	must(raw_alloc(dev, SIZE, &id));
	is_errno(all_verbs_as(BOB, CAP(SYS_ADMIN), false, id), 0,
		 "anonymous buffer: each call with CAP_SYS_ADMIN: success");
	is_errno(raw_query(dev, id, &act->query), ENOENT,
		 "anonymous buffer: QUERY after FREE with CAP_SYS_ADMIN: ENOENT");

	must(raw_alloc(dev, SIZE, &id));
	dmabuf = raw_export(dev, id, 0, &export);
	must(raw_free(dev, id));
	is_errno(call_as(BOB, 0, QUERY, export), ENOENT,
		 "ended anonymous buffer: QUERY of its export by another user: ENOENT");
	is_errno(call_as(BOB, 0, REVOKE, export), ENOENT,
		 "ended anonymous buffer: REVOKE of its export by another user: ENOENT");
	is_errno(call_as(ROOT, 0, QUERY, export), 0,
		 "ended anonymous buffer: QUERY of its export by its owner: success");
	is_errno(call_as(ROOT, 0, REVOKE, export), 0,
		 "ended anonymous buffer: REVOKE of its export by its owner: success");
	close(dmabuf);
}

/*
 * Test that an inherited descriptor does not change access to persistent buffers: the user of the
 * caller counts.
 */
static void test_inherited_file(void)
{
	uint64_t id;

	must(alloc_as(ROOT, ALL_CAPS, "roots", -1, -1, 0600, &id));
	is_errno(all_verbs_as(BOB, 0, true, id), ENOENT,
		 "each call by bob through root's file on root's persistent buffer: ENOENT");
	is_errno(raw_free(dev, id), 0, "FREE by root of root's persistent buffer: success");
}

/* Test that no user can attach a device to a read-only dma-buf. */
static void test_read_only_attach(void)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF, .dma_bits = 64, .device = DEVICE,
	};
	uint64_t id;

	must(raw_alloc(dev, SIZE, &id));
	req.dmabuf_fd = raw_export(dev, id, CCSHM_EXPORT_READ_ONLY, NULL);
	is_errno(raw_ioctl(dev, CCSHM_IOC_ATTACH, &req), EACCES,
		 "ATTACH of a read-only dma-buf: EACCES");
	close(req.dmabuf_fd);
	must(raw_free(dev, id));
}

/* ---- owners, groups, names ---- */

static void test_owner(void)
{
	uint64_t id, other;

	is_errno(alloc_as(ALICE, 0, "", BOB, -1, 0600, &id), EPERM,
		 "ALLOC for another owner: EPERM");
	is_errno(alloc_as(ALICE, 0, "", -1, 0, 0600, &id), EPERM,
		 "ALLOC with a group that the caller is not in: EPERM");
	is_errno(alloc_as(ALICE, NOT_ADMIN & ~CAP(CHOWN), "", BOB, -1, 0600, &id), EPERM,
		 "ALLOC for another owner with other capabilities than CAP_CHOWN: EPERM");
	is_errno(alloc_as(ALICE, 0, "", ALICE, ALICE, 0600, &id), 0,
		 "ALLOC with the caller's uid and gid: success");
	must(raw_free(dev, id));
	is_errno(alloc_as(ALICE, 0, "", -1, GID_CCSHM, 0600, &id), 0,
		 "ALLOC with a supplementary group: success");
	must(raw_query(dev, id, &act->query));
	ok(act->query.uid == ALICE && act->query.gid == GID_CCSHM && act->query.payer == ALICE,
	   "QUERY: owner, group and payer are as in ALLOC");
	must(raw_free(dev, id));

	is_errno(alloc_as(ALICE, CAP(CHOWN), "gift", BOB, 0, 0600, &id), 0,
		 "ALLOC with CAP_CHOWN for another owner and group: success");
	must(raw_query(dev, id, &act->query));
	ok(act->query.uid == BOB && act->query.gid == 0 && act->query.payer == ALICE,
	   "QUERY: ALLOC for another owner is charged to the caller");
	is_errno(call_as(ALICE, 0, QUERY, id), ENOENT,
		 "QUERY by the payer of a buffer of another owner: ENOENT");
	is_errno(find_as(BOB, 0, "gift", -1, &other), 0,
		 "OPEN by the owner of a buffer that another user allocated: success");
	is_int(other, id, "OPEN returns the id of the buffer that another user allocated");
	is_errno(alloc_as(ROOT, ALL_CAPS, "gift", BOB, -1, 0600, &other), EEXIST,
		 "ALLOC with a name that the owner already has: EEXIST");
	is_errno(call_as(BOB, 0, FREE, id), 0,
		 "FREE by the owner of a buffer that another user allocated: success");
}

static void test_names(void)
{
	uint64_t alices, bobs, found;

	is_errno(alloc_as(ALICE, 0, "same", -1, -1, 0600, &alices), 0,
		 "ALLOC by alice of a named buffer: success");
	is_errno(alloc_as(BOB, 0, "same", -1, -1, 0600, &bobs), 0,
		 "ALLOC by bob with the name of alice's buffer: success");
	is_errno(alloc_as(ALICE, 0, "same", -1, -1, 0600, &found), EEXIST,
		 "ALLOC by alice with the name of alice's buffer: EEXIST");
	must(find_as(ALICE, 0, "same", -1, &found));
	is_int(found, alices, "OPEN by alice of a name that bob also has returns alice's buffer");
	must(find_as(BOB, 0, "same", -1, &found));
	is_int(found, bobs, "OPEN by bob of a name that alice also has returns bob's buffer");
	is_errno(find_as(BOB, 0, "same", ALICE, &found), ENOENT,
		 "OPEN by bob of alice's buffer: ENOENT");
	is_errno(find_as(ROOT, ALL_CAPS, "same", -1, &found), ENOENT,
		 "OPEN by root of a name that root does not have: ENOENT");
	must(find_as(ROOT, ALL_CAPS, "same", ALICE, &found));
	is_int(found, alices, "OPEN by root of alice's name returns alice's buffer");
	is_errno(call_as(BOB, 0, FREE, alices), ENOENT, "FREE by bob of alice's buffer: ENOENT");
	is_errno(call_as(ALICE, 0, FREE, alices), 0, "FREE by alice of alice's buffer: success");
	is_errno(find_as(BOB, 0, "same", -1, &found), 0,
		 "OPEN by bob after FREE of alice's buffer of the same name: success");
	is_errno(call_as(BOB, 0, FREE, bobs), 0, "FREE by bob of bob's buffer: success");
}

/* ---- user namespaces ---- */

struct ns_arg {
	uint64_t roots, bobs;	/* ids of root's and bob's buffer outside; modes 0666 and 0600 */
	uint64_t exported;	/* id of an export of bob's buffer */
};

/*
 * Run in a user namespace, with all capabilities there: uid 0 is alice, uid 1 is bob, group 0 is
 * alice's group.
 */
static int in_namespace(struct peer *parent, void *arg)
{
	struct ns_arg *ns = arg;
	uint64_t id, mine, found;
	int fd, count = 0;

#define STEP(condition)								\
	do {									\
		count++;							\
		if (!(condition))						\
			return -count;						\
	} while (0)
	if (unshare(CLONE_NEWUSER))
		return -errno - 1000;
	peer_send(parent, 1, -1);
	if (peer_hear(parent) != 1 || geteuid() != 0)
		return -2000;
	fd = raw_open();
	STEP(fd >= 0);
	/* 2..4: alice owns her buffers, with uid 0 in the namespace */
	STEP(!raw_alloc_named(fd, SIZE, "within", 0600, &mine));
	STEP(!raw_query(fd, mine, &act->query) && act->query.uid == 0 && act->query.gid == 0 &&
	     act->query.payer == 0 && act->query.query_flags & CCSHM_QUERY_CONTROL);
	STEP(!raw_find(fd, "within", 0, &found) && found == mine);
	/* 5..7: capabilities in the namespace have no effect outside */
	STEP(raw_query(fd, ns->bobs, &act->query) == -ENOENT);
	STEP(raw_attach(fd, mine, DEVICE, NULL) == -EPERM);
	STEP(raw_revoke(fd, mine, CCSHM_REVOKE_FORCE, 0, NULL) == -EPERM);
	/* 8, 9: the uid of another user, and a uid that is not mapped */
	act->mode = 0600;
	act->gid = -1;
	memset(act->name, 0, sizeof(act->name));
	act->uid = 1;
	STEP(act_alloc(fd) == -EPERM);
	act->uid = 5;
	STEP(act_alloc(fd) == -EINVAL);
	/* 10..12: uids that are not mapped into the namespace */
	STEP(raw_find(fd, "outside", 5, &id) == -EINVAL);
	STEP(!raw_query(fd, ns->roots, &act->query) && act->query.uid == 65534);
	STEP(raw_free(fd, ns->roots) == -EPERM);
	return 100;
}

static bool write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (!good)
		diag("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

static void test_namespace(void)
{
	struct ns_arg *ns = common(sizeof(*ns));
	uint64_t found = 0;
	struct peer p;

	must(alloc_as(ROOT, ALL_CAPS, "outside", -1, -1, 0666, &ns->roots));
	must(alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs));
	p = peer_start(ALICE, 0, in_namespace, ns);
	is_int(peer_hear(&p), 1, "user namespace: alice creates it");
	ok(write_map(p.pid, "uid_map", "0 1001 2\n") &&
	   write_map(p.pid, "gid_map", "0 1001 1\n900 900 1\n"), "user namespace: ids are mapped");
	is_int(peer_ask(&p, 1), 100,
	       "in a user namespace: capabilities have no effect on objects outside");
	peer_must_end(&p, 0);
	must(find_as(ALICE, 0, "within", -1, &found));
	ok(found, "user namespace: a buffer allocated inside belongs to alice outside");
	must(raw_query(dev, found, &act->query));
	is_int(act->query.uid, ALICE,
	       "user namespace: QUERY outside returns alice's uid for a buffer allocated inside");
	must(raw_free(dev, found));
	must(raw_free(dev, ns->roots));
	must(raw_free(dev, ns->bobs));
	munmap(ns, sizeof(*ns));
}

/* ---- a container ---- */

#define CONTAINER	"/container"

/*
 * Set up the root directory of a container as container runtimes do: with namespaces of users,
 * mounts and processes, and the device node mounted into the new root. Map group ccshm, because
 * otherwise the node could not be opened.
 */
static int container_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("container", CONTAINER, "tmpfs", 0, "mode=755") || chdir(CONTAINER) ||
	    mkdir("dev", 0755) || mkdir("proc", 0755) || mkdir("sys", 0755) ||
	    close(open("dev/ccshm", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) ||
	    mount(CCSHM_DEVICE, "dev/ccshm", NULL, MS_BIND, NULL) ||
	    mount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL) ||
	    mount("proc", "proc", "proc", 0, NULL) || chroot(".") || chdir("/"))
		return -errno;
	return 0;
}

/*
 * Run as the init process of the container. Return 100, or the negative number of the step that
 * failed.
 */
static int in_container(struct ns_arg *ns)
{
	uint64_t mine, export, found;
	struct ccshm_ioc_info info;
	char line[256];
	int fd, dmabuf, count = 0, err = container_root(), seen = 0;
	unsigned char *p;
	FILE *f;

	if (err)
		return err - 1000;
	fd = raw_open();
	STEP(getpid() == 1 && geteuid() == 0 && fd >= 0);
	/* 2..9: objects outside do not exist for any user of the container */
	STEP(raw_query(fd, ns->bobs, &act->query) == -ENOENT);
	STEP(raw_find(fd, "outside", -1, &found) == -ENOENT);
	STEP(raw_export(fd, ns->bobs, 0, NULL) == -ENOENT);
	STEP(raw_export(fd, ns->bobs, CCSHM_EXPORT_READ_ONLY, NULL) == -ENOENT);
	STEP(raw_revoke(fd, ns->bobs, 0, 0, NULL) == -ENOENT);
	STEP(raw_free(fd, ns->bobs) == -ENOENT);
	STEP(raw_revoke(fd, ns->exported, 0, 0, NULL) == -ENOENT);
	STEP(raw_query(fd, ns->exported, &act->query) == -ENOENT);
	/* 10..14: objects made in the container work */
	STEP(!raw_alloc_named(fd, SIZE, "inside", 0600, &mine));
	dmabuf = raw_export(fd, mine, 0, &export);
	p = dmabuf < 0 ? NULL : raw_map(dmabuf, SIZE, PROT_READ | PROT_WRITE);
	STEP(p && first_other(p, 0, SIZE) < 0);
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", dmabuf);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		seen += !strncmp(line, "exp_name:\tccshm:", 16);
	STEP(f && seen == 1);
	STEP(!raw_revoke(fd, export, 0, in_ms(5000), NULL));
	STEP(!raw_info(fd, &info) && info.user_bytes == SIZE && info.user_buffers == 1);
	/* 15..17: the limits apply, because CAP_SYS_RESOURCE in the namespace has no effect */
	STEP(open("/sys/class/misc/ccshm/limit_user_bytes", O_WRONLY) < 0 && errno == EACCES);
	STEP(info.limit_user_bytes == SIZE);
	STEP(raw_alloc(fd, PAGE, &found) == -EDQUOT);
	/* 18: neither has CAP_SYS_RAWIO */
	STEP(raw_attach(fd, mine, DEVICE, NULL) == -EPERM);
	/* End without closing anything: all objects except persistent ones end with the process. */
	return 100;
}

/* Make the namespaces, and then start the init process of the new process namespace. */
static int contain(struct peer *parent, void *arg)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWUSER))
		return -errno - 3000;
	peer_send(parent, 1, -1);
	if (peer_hear(parent) != 1 || geteuid() != 0)
		return -2000;
	if (unshare(CLONE_NEWNS | CLONE_NEWPID))
		return -errno - 4000;
	pid = fork();
	if (!pid) {
		act->mode = in_container(arg);
		_exit(0);
	}
	status = reap(pid, 30000);
	return status ? -5000 : (int)act->mode;
}

static void set_user_bytes(const char *text)
{
	int fd = open("/sys/class/misc/ccshm/limit_user_bytes", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("cannot write limit_user_bytes: %s", strerror(errno));
	close(fd);
}

static void test_container(void)
{
	struct ns_arg *ns = common(sizeof(*ns));
	uint64_t found = 0;
	struct peer p;
	char limit[32];
	int dmabuf;

	if (mkdir(CONTAINER, 0755))
		bail("mkdir %s: %s", CONTAINER, strerror(errno));
	must(alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs));
	dmabuf = raw_export(dev, ns->bobs, 0, &ns->exported);
	snprintf(limit, sizeof(limit), "%lu", SIZE);
	set_user_bytes(limit);
	p = peer_start(ALICE, 0, contain, ns);
	is_int(peer_hear(&p), 1, "container: alice creates its namespaces");
	ok(write_map(p.pid, "uid_map", "0 1001 1\n") &&
	   write_map(p.pid, "gid_map", "0 1001 1\n900 900 1\n"), "container: ids are mapped");
	is_int(peer_ask(&p, 1), 100,
	       "in a container: only its own buffers can be used, within the limits outside");
	peer_must_end(&p, 0);
	set_user_bytes("max");
	is_errno(raw_query(dev, ns->bobs, &act->query), 0,
		 "container: QUERY of bob's buffer afterwards: success");
	must(raw_query(dev, ns->exported, &act->query));
	is_int(act->query.state, CCSHM_STATE_ACTIVE,
	       "container: bob's export is still active afterwards");
	close(dmabuf);
	must(find_as(ALICE, 0, "inside", -1, &found));
	ok(found, "container: a persistent buffer from inside belongs to alice");
	is_errno(call_as(ALICE, 0, FREE, found), 0,
		 "container: FREE by alice of a persistent buffer from inside: success");
	must(raw_free(dev, ns->bobs));
	rmdir(CONTAINER);
	munmap(ns, sizeof(*ns));
}

/*
 * Run as root of a container that maps uid 0 to uid 0 outside, so that this process owns root's
 * files.
 */
static int as_root_of_a_container(struct peer *parent, void *arg)
{
	struct ns_arg *ns = arg;
	struct ccshm_ioc_info info;
	uint64_t mine, found;
	int fd, limit, count = 0;

	if (unshare(CLONE_NEWUSER))
		return -errno - 3000;
	peer_send(parent, 1, -1);
	if (peer_hear(parent) != 1 || geteuid() != 0)
		return -2000;
	fd = raw_open();
	STEP(fd >= 0);
	/*
	 * 2..7: objects of others do not exist; root's anonymous buffer belongs to another open
	 * file
	 */
	STEP(raw_query(fd, ns->bobs, &act->query) == -ENOENT);
	STEP(raw_find(fd, "outside", BOB, &found) == -EINVAL);
	STEP(raw_export(fd, ns->bobs, CCSHM_EXPORT_READ_ONLY, NULL) == -ENOENT);
	STEP(raw_revoke(fd, ns->exported, 0, 0, NULL) == -ENOENT);
	STEP(raw_free(fd, ns->bobs) == -ENOENT);
	STEP(raw_free(fd, ns->roots) == -ENOENT);
	/* 8..12: the limits apply to this process, which cannot change them */
	STEP(!raw_alloc(fd, SIZE, &mine));
	STEP(raw_alloc(fd, PAGE, &found) == -EDQUOT);
	limit = open("/sys/class/misc/ccshm/limit_user_bytes", O_WRONLY | O_CLOEXEC);
	STEP(limit >= 0);
	STEP(write(limit, "max", 3) < 0 && errno == EPERM);
	STEP(!raw_info(fd, &info) && info.limit_user_bytes == 2 * SIZE);
	/* 13, 14: devices cannot be used */
	STEP(raw_attach(fd, mine, DEVICE, NULL) == -EPERM);
	STEP(raw_revoke(fd, mine, CCSHM_REVOKE_FORCE, 0, NULL) == -EPERM);
	return 100;
}

static void test_root_of_a_container(void)
{
	struct ns_arg *ns = common(sizeof(*ns));
	struct peer p;
	char limit[32];
	int dmabuf;

	must(raw_alloc(dev, SIZE, &ns->roots));
	must(alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs));
	dmabuf = raw_export(dev, ns->bobs, 0, &ns->exported);
	snprintf(limit, sizeof(limit), "%lu", 2 * SIZE);
	set_user_bytes(limit);
	p = peer_start(ROOT, ALL_CAPS, as_root_of_a_container, ns);
	is_int(peer_hear(&p), 1, "root's namespace: root creates a user namespace");
	ok(write_map(p.pid, "uid_map", "0 0 1\n") && write_map(p.pid, "gid_map", "0 0 1\n"),
	   "root's namespace: uid 0 is mapped to uid 0");
	is_int(peer_ask(&p, 1), 100,
	       "with root's uid, but in a namespace: the limits of root apply");
	peer_must_end(&p, 0);
	set_user_bytes("max");
	close(dmabuf);
	is_errno(raw_free(dev, ns->roots), 0,
		 "root's namespace: FREE of root's buffer afterwards: success");
	must(raw_free(dev, ns->bobs));
	munmap(ns, sizeof(*ns));
}

int main(void)
{
	uint64_t shared_before = rig(CVM_PAGES_SHARED);

	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	act = common(sizeof(*act));
	test_device();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i);
	test_anonymous();
	test_inherited_file();
	test_read_only_attach();
	test_owner();
	test_names();
	test_namespace();
	test_container();
	test_root_of_a_container();
	ok(wait_clean(dev), "no buffer and no shared memory is left");
	ok(wait_rig_shared(shared_before), "no page is shared after all buffers are freed");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
