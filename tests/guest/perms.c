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
	raw_detach(req.fd, 0);
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
	{ "the owner, raw I/O", ALICE, CAP(SYS_RAWIO), 0600, 0, 0, 0, 0, 0 },
	{ "the owner", ALICE, 0, 0400, 0, 0, EACCES, EPERM, 0 },
	{ "the owner, raw I/O", ALICE, CAP(SYS_RAWIO), 0400, 0, 0, EACCES, EACCES, 0 },
	{ "the owner", ALICE, 0, 0066, 0, EACCES, EACCES, EPERM, 0 },
	{ "the owner, raw I/O", ALICE, CAP(SYS_RAWIO), 0, 0, EACCES, EACCES, EACCES, 0 },
	{ "one of the group", BOB, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "one of the group, raw I/O", BOB, CAP(SYS_RAWIO), 0600, ENOENT, ENOENT, ENOENT, ENOENT,
	  ENOENT },
	{ "one of the group", BOB, 0, 0640, 0, 0, EACCES, EPERM, EPERM },
	{ "one of the group, raw I/O", BOB, CAP(SYS_RAWIO), 0640, 0, 0, EACCES, EACCES, EPERM },
	{ "one of the group", BOB, 0, 0660, 0, 0, 0, EPERM, EPERM },
	{ "one of the group, raw I/O", BOB, CAP(SYS_RAWIO), 0660, 0, 0, 0, 0, EPERM },
	{ "one of the group", BOB, 0, 0620, 0, 0, 0, EPERM, EPERM },
	{ "one of the group", BOB, 0, 0606, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another", MALLORY, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another, raw I/O", MALLORY, CAP(SYS_RAWIO), 0660, ENOENT, ENOENT, ENOENT, ENOENT,
	  ENOENT },
	{ "another", MALLORY, 0, 0604, 0, 0, EACCES, EPERM, EPERM },
	{ "another, raw I/O", MALLORY, CAP(SYS_RAWIO), 0606, 0, 0, 0, 0, EPERM },
	{ "uid 0 without capabilities", ROOT, 0, 0600, ENOENT, ENOENT, ENOENT, EPERM, ENOENT },
	{ "another with other capabilities", BOB, NOT_ADMIN, 0600, ENOENT, ENOENT, ENOENT, EPERM,
	  ENOENT },
	{ "an administrator", BOB, CAP(SYS_ADMIN), 0600, 0, 0, 0, EPERM, 0 },
	{ "an administrator, raw I/O", MALLORY, CAP(SYS_ADMIN) | CAP(SYS_RAWIO), 0, 0, 0, 0, 0, 0 },
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
	raw_detach(o->attachment_fd, 0);
	close(o->attachment_fd);
	close(o->dmabuf);
	raw_free(dev, o->buffer);
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
		fail("%s: objects", what);
		return;
	}
	is_errno(call_as(uid, caps, QUERY, o.buffer), see, "%s: QUERY", what);
	if (!see)
		is_int(!!(act->query.query_flags & CCSHM_QUERY_CONTROL), !control,
		       "%s: QUERY says whether it has control", what);
	is_errno(find_as(uid, caps, "row", ALICE, &id), see, "%s: OPEN", what);
	is_errno(call_as(uid, caps, EXPORT_READ, o.buffer), rows[i].read,
		 "%s: read-only EXPORT", what);
	is_errno(call_as(uid, caps, EXPORT_WRITE, o.buffer), rows[i].write, "%s: EXPORT", what);
	is_errno(call_as(uid, caps, ATTACH, o.buffer), rows[i].attach, "%s: ATTACH", what);
	is_errno(call_as(uid, caps, QUERY, o.export), see, "%s: QUERY of an export", what);
	is_errno(call_as(uid, caps, QUERY, o.attachment), see, "%s: QUERY of an attachment", what);
	is_errno(call_as(uid, caps, SEGMENTS, o.attachment), device_control(control, caps),
		 "%s: SEGMENTS", what);
	is_errno(call_as(uid, caps, DETACH, o.attachment), device_control(control, caps),
		 "%s: DETACH", what);
	is_errno(call_as(uid, caps, FORCE, o.export), device_control(control, caps),
		 "%s: forced REVOKE", what);
	is_errno(call_as(uid, caps, REVOKE, o.export), control, "%s: REVOKE", what);
	raw_query(dev, o.export, &act->query);
	is_int(act->query.state, control ? CCSHM_STATE_ACTIVE : CCSHM_STATE_REVOKED,
	       "%s: the export's state after that", what);
	is_errno(call_as(uid, caps, FREE, o.buffer), control, "%s: FREE", what);
	is_errno(raw_query(dev, o.buffer, &act->query), control ? 0 : ENOENT,
		 "%s: the buffer after that", what);
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
	is_errno(as_user(ALICE, 0, try_open, NULL), 0, "the group may open the device");
	is_errno(as_user(MALLORY, 0, try_open, NULL), EACCES, "others may not");
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

	raw_alloc(dev, SIZE, &id);
	is_errno(all_verbs_as(ROOT, 0, false, id), ENOENT,
		 "anonymous: the same user with another file does not find it");
	is_errno(all_verbs_as(BOB, 0, false, id), ENOENT, "anonymous: nor does another user");
	is_errno(all_verbs_as(BOB, NOT_ADMIN | CAP(SYS_RAWIO), false, id), ENOENT,
		 "anonymous: nor with other capabilities");
	is_errno(all_verbs_as(MALLORY, 0, true, id), 0,
		 "anonymous: whoever has its file has control");
	is_errno(raw_query(dev, id, &act->query), ENOENT, "anonymous: freed by that");

	raw_alloc(dev, SIZE, &id);
	is_errno(all_verbs_as(BOB, CAP(SYS_ADMIN), false, id), 0,
		 "anonymous: an administrator has control");
	is_errno(raw_query(dev, id, &act->query), ENOENT, "anonymous: freed by that, too");

	raw_alloc(dev, SIZE, &id);
	dmabuf = raw_export(dev, id, 0, &export);
	raw_free(dev, id);
	is_errno(call_as(BOB, 0, QUERY, export), ENOENT,
		 "anonymous, ended: another user does not find its export");
	is_errno(call_as(BOB, 0, REVOKE, export), ENOENT, "anonymous, ended: nor can revoke it");
	is_errno(call_as(ROOT, 0, QUERY, export), 0, "anonymous, ended: its owner sees the export");
	is_errno(call_as(ROOT, 0, REVOKE, export), 0, "anonymous, ended: and can revoke it");
	close(dmabuf);
}

/*
 * Test that an inherited descriptor does not change access to persistent buffers: the user of the
 * caller counts.
 */
static void test_inherited_file(void)
{
	uint64_t id;

	alloc_as(ROOT, ALL_CAPS, "roots", -1, -1, 0600, &id);
	is_errno(all_verbs_as(BOB, 0, true, id), ENOENT,
		 "root's file lets nobody at root's persistent buffers");
	is_errno(raw_free(dev, id), 0, "root frees it");
}

/* Test that no user can attach a device to a read-only dma-buf. */
static void test_read_only_attach(void)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF, .dma_bits = 64, .device = DEVICE,
	};
	uint64_t id;

	raw_alloc(dev, SIZE, &id);
	req.dmabuf_fd = raw_export(dev, id, CCSHM_EXPORT_READ_ONLY, NULL);
	is_errno(raw_ioctl(dev, CCSHM_IOC_ATTACH, &req), EACCES,
		 "ATTACH of a read-only dma-buf: EACCES");
	close(req.dmabuf_fd);
	raw_free(dev, id);
}

/* ---- owners, groups, names ---- */

static void test_owner(void)
{
	uint64_t id, other;

	is_errno(alloc_as(ALICE, 0, "", BOB, -1, 0600, &id), EPERM, "a buffer for another: EPERM");
	is_errno(alloc_as(ALICE, 0, "", -1, 0, 0600, &id), EPERM,
		 "a group that one is not in: EPERM");
	is_errno(alloc_as(ALICE, NOT_ADMIN & ~CAP(CHOWN), "", BOB, -1, 0600, &id), EPERM,
		 "a buffer for another, other capabilities: EPERM");
	is_errno(alloc_as(ALICE, 0, "", ALICE, ALICE, 0600, &id), 0, "one's own uid and gid");
	raw_free(dev, id);
	is_errno(alloc_as(ALICE, 0, "", -1, GID_CCSHM, 0600, &id), 0, "a supplementary group");
	raw_query(dev, id, &act->query);
	ok(act->query.uid == ALICE && act->query.gid == GID_CCSHM && act->query.payer == ALICE,
	   "owner, group and payer are as asked for");
	raw_free(dev, id);

	is_errno(alloc_as(ALICE, CAP(CHOWN), "gift", BOB, 0, 0600, &id), 0,
		 "with CAP_CHOWN, for another and of another group");
	raw_query(dev, id, &act->query);
	ok(act->query.uid == BOB && act->query.gid == 0 && act->query.payer == ALICE,
	   "the owner is the other, who allocated pays");
	is_errno(call_as(ALICE, 0, QUERY, id), ENOENT, "who gave it away does not see it");
	is_errno(find_as(BOB, 0, "gift", -1, &other), 0, "the owner finds it by name");
	is_int(other, id, "... with its id");
	is_errno(alloc_as(ROOT, ALL_CAPS, "gift", BOB, -1, 0600, &other), EEXIST,
		 "the owner has that name already: EEXIST");
	is_errno(call_as(BOB, 0, FREE, id), 0, "the owner frees it");
}

static void test_names(void)
{
	uint64_t alices, bobs, found;

	is_errno(alloc_as(ALICE, 0, "same", -1, -1, 0600, &alices), 0, "a name for alice");
	is_errno(alloc_as(BOB, 0, "same", -1, -1, 0600, &bobs), 0, "the same name for bob");
	is_errno(alloc_as(ALICE, 0, "same", -1, -1, 0600, &found), EEXIST,
		 "again for alice: EEXIST");
	find_as(ALICE, 0, "same", -1, &found);
	is_int(found, alices, "alice finds hers");
	find_as(BOB, 0, "same", -1, &found);
	is_int(found, bobs, "bob finds his");
	is_errno(find_as(BOB, 0, "same", ALICE, &found), ENOENT, "bob does not find hers");
	is_errno(find_as(ROOT, ALL_CAPS, "same", -1, &found), ENOENT, "root has none");
	find_as(ROOT, ALL_CAPS, "same", ALICE, &found);
	is_int(found, alices, "root finds alice's as hers");
	is_errno(call_as(BOB, 0, FREE, alices), ENOENT, "bob cannot free hers");
	is_errno(call_as(ALICE, 0, FREE, alices), 0, "alice frees hers");
	is_errno(find_as(BOB, 0, "same", -1, &found), 0, "bob's is still there");
	is_errno(call_as(BOB, 0, FREE, bobs), 0, "bob frees his");
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

	alloc_as(ROOT, ALL_CAPS, "outside", -1, -1, 0666, &ns->roots);
	alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs);
	p = peer_start(ALICE, 0, in_namespace, ns);
	is_int(peer_hear(&p), 1, "alice makes a user namespace");
	ok(write_map(p.pid, "uid_map", "0 1001 2\n") &&
	   write_map(p.pid, "gid_map", "0 1001 1\n900 900 1\n"), "ids are mapped");
	is_int(peer_ask(&p, 1), 100, "in a user namespace: what is in there counts nothing outside");
	peer_end(&p, 0);
	find_as(ALICE, 0, "within", -1, &found);
	ok(found, "what alice made in her namespace is hers outside");
	raw_query(dev, found, &act->query);
	is_int(act->query.uid, ALICE, "it has her uid outside");
	raw_free(dev, found);
	raw_free(dev, ns->roots);
	raw_free(dev, ns->bobs);
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
		bail("limit_user_bytes: %s", strerror(errno));
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
	alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs);
	dmabuf = raw_export(dev, ns->bobs, 0, &ns->exported);
	snprintf(limit, sizeof(limit), "%lu", SIZE);
	set_user_bytes(limit);
	p = peer_start(ALICE, 0, contain, ns);
	is_int(peer_hear(&p), 1, "alice makes the namespaces of a container");
	ok(write_map(p.pid, "uid_map", "0 1001 1\n") &&
	   write_map(p.pid, "gid_map", "0 1001 1\n900 900 1\n"), "ids are mapped");
	is_int(peer_ask(&p, 1), 100,
	       "in a container: its own buffers, and nobody else's, within the limits outside");
	peer_end(&p, 0);
	set_user_bytes("max");
	is_errno(raw_query(dev, ns->bobs, &act->query), 0, "what was outside is as it was");
	raw_query(dev, ns->exported, &act->query);
	is_int(act->query.state, CCSHM_STATE_ACTIVE, "its export, too");
	close(dmabuf);
	find_as(ALICE, 0, "inside", -1, &found);
	ok(found, "what the container left is its user's");
	is_errno(call_as(ALICE, 0, FREE, found), 0, "who frees it");
	raw_free(dev, ns->bobs);
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

	raw_alloc(dev, SIZE, &ns->roots);
	alloc_as(BOB, 0, "outside", -1, -1, 0600, &ns->bobs);
	dmabuf = raw_export(dev, ns->bobs, 0, &ns->exported);
	snprintf(limit, sizeof(limit), "%lu", 2 * SIZE);
	set_user_bytes(limit);
	p = peer_start(ROOT, ALL_CAPS, as_root_of_a_container, ns);
	is_int(peer_hear(&p), 1, "root makes a user namespace");
	ok(write_map(p.pid, "uid_map", "0 0 1\n") && write_map(p.pid, "gid_map", "0 0 1\n"),
	   "in which root is root");
	is_int(peer_ask(&p, 1), 100, "with root's uid, but in a namespace: root's limits stand");
	peer_end(&p, 0);
	set_user_bytes("max");
	close(dmabuf);
	is_errno(raw_free(dev, ns->roots), 0, "root's buffer is as it was");
	raw_free(dev, ns->bobs);
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
	ok(wait_clean(dev), "nothing is left");
	ok(wait_rig_shared(shared_before), "no page is shared any more");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
