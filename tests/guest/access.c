// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which users may share a buffer, and how its owner changes this: pinned exports, SET, the seal,
 * REVOKE of a descriptor, and FREE with REVOKE.
 *
 * vm-modules: ccshm
 * vm-pages: 4k 16k
 * vm-timeout: 180
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"

#define RW	(PROT_READ | PROT_WRITE)
#define SIZE	UNIT
#define NOBODY	4000		/* a uid and gid that no user has */
#define SHARED	"shared-by-alice"

static int ccshm;

/* ---- one call as another user ---- */

struct call {
	unsigned long request;
	union {
		struct ccshm_ioc_alloc alloc;
		struct ccshm_ioc_export export;
		struct ccshm_ioc_set set;
		struct ccshm_ioc_free free;
		struct ccshm_ioc_revoke revoke;
		struct ccshm_ioc_attach attach;
	} in;
};

static struct call *call;

static int call_run(void *arg)
{
	int fd = raw_open();

	(void)arg;
	return raw_ioctl(fd, call->request, &call->in);
}

static int call_as(uid_t uid, uint64_t caps, unsigned long request)
{
	call->request = request;
	return as_user(uid, caps, call_run, NULL);
}

/* Allocate a persistent buffer as a user. */
static uint64_t alloc_as(uid_t uid, const char *name, unsigned int mode, uint64_t flags)
{
	int err;

	memset(&call->in, 0, sizeof(call->in));
	call->in.alloc.size = SIZE;
	call->in.alloc.mode = mode;
	call->in.alloc.flags = CCSHM_ALLOC_PERSISTENT | flags;
	snprintf(call->in.alloc.name, CCSHM_NAME_LEN, "%s", name);
	err = call_as(uid, 0, CCSHM_IOC_ALLOC);
	if (err)
		bail("ALLOC of user %u: %s", uid, strerror(-err));
	return call->in.alloc.id;
}

static int export_as(uid_t uid, uint64_t caps, uint64_t id, uint64_t flags)
{
	call->in.export = (struct ccshm_ioc_export){ .id = id, .flags = flags };
	return call_as(uid, caps, CCSHM_IOC_EXPORT);
}

static int revoke_as(uid_t uid, uint64_t id, uint64_t flags)
{
	call->in.revoke = (struct ccshm_ioc_revoke){ .id = id, .flags = flags };
	return call_as(uid, 0, CCSHM_IOC_REVOKE);
}

static int attach_as(uid_t uid, uint64_t id)
{
	call->in.attach = (struct ccshm_ioc_attach){ .id = id, .dma_bits = 32 };
	snprintf(call->in.attach.device, CCSHM_DEVICE_LEN, "%s", PCI_B);
	return call_as(uid, CAP(SYS_RAWIO), CCSHM_IOC_ATTACH);
}

static int free_as(uid_t uid, uint64_t id)
{
	call->in.free = (struct ccshm_ioc_free){ .id = id };
	return call_as(uid, 0, CCSHM_IOC_FREE);
}

static struct ccshm_ioc_query query(uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, id, &q);

	if (err)
		bail("QUERY of %llu: %s", (unsigned long long)id, strerror(-err));
	return q;
}

/* ---- pinned exports ---- */

static void pinned(void)
{
	uint64_t id = alloc_as(ALICE, "pinned", 0666, 0);
	uint64_t open = alloc_as(ALICE, "pinned-by-all", 0666, CCSHM_ALLOC_OTHERS_PIN);
	uint64_t read = alloc_as(ALICE, "pinned-to-read", 0644, CCSHM_ALLOC_OTHERS_PIN);

	is_errno(export_as(BOB, 0, id, 0), 0, "who may write makes a revocable export");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_PINNED), EPERM, "... and no pinned one");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY), EPERM,
		 "... nor a pinned one to read");
	is_errno(export_as(BOB, CAP(SYS_RAWIO) | CAP(CHOWN), id, CCSHM_EXPORT_PINNED), EPERM,
		 "... whatever other capabilities it has");
	is_int(query(id).exports, 0, "nothing of these is left");
	is_errno(export_as(ALICE, 0, id, CCSHM_EXPORT_PINNED), 0, "the owner makes a pinned one");
	is_errno(export_as(BOB, CAP(SYS_ADMIN), id, CCSHM_EXPORT_PINNED), 0,
		 "so does CAP_SYS_ADMIN");
	is_errno(export_as(BOB, 0, open, CCSHM_EXPORT_PINNED), 0,
		 "with OTHERS_PIN everybody who may write does");
	is_errno(export_as(BOB, 0, read, CCSHM_EXPORT_PINNED), EACCES,
		 "with OTHERS_PIN the permission bits count");
	is_errno(export_as(BOB, 0, read, CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY), 0,
		 "with OTHERS_PIN a reader pins to read");
	is_errno(free_as(ALICE, id), 0, "freed");
	is_errno(free_as(ALICE, open), 0, "freed");
	is_errno(free_as(ALICE, read), 0, "freed");
}

/* ---- SET ---- */

struct set_row {
	const char *what;
	uid_t uid;
	uint64_t caps;
	struct ccshm_ioc_set req;
	int err;
};

#define MODE(m)		.flags = CCSHM_SET_MODE, .mode = (m)
#define NAME(n)		.flags = CCSHM_SET_NAME, .name = n
#define GROUP(g)	.flags = CCSHM_SET_GID, .gid = (g)
#define OWNER(u)	.flags = CCSHM_SET_UID, .uid = (u)
#define SEALED(s)	.flags = CCSHM_SET_SEALED, .sealed = (s)
#define UNKNOWN		(1ULL << 63)

/*
 * SET calls that fail. The buffer is owned by alice, with group ccshm and mode 0664, and must not
 * change.
 */
static const struct set_row refused[] = {
	{ "nothing to change", ALICE, 0, { .flags = 0 }, EINVAL },
	{ "an unknown flag", ALICE, 0, { .flags = UNKNOWN }, EINVAL },
	{ "an unknown flag beside a known", ALICE, 0,
	  { .flags = CCSHM_SET_MODE | UNKNOWN, .mode = 0600 }, EINVAL },
	{ "what is reserved", ALICE, 0, { MODE(0600), .reserved = 1 }, EINVAL },
	{ "a mode with execution", ALICE, 0, { MODE(0700) }, EINVAL },
	{ "a mode with more bits", ALICE, 0, { MODE(01600) }, EINVAL },
	{ "a mode without its flag", ALICE, 0, { NAME("x"), .mode = 0600 }, EINVAL },
	{ "a group without its flag", ALICE, 0, { MODE(0600), .gid = 1 }, EINVAL },
	{ "an owner without its flag", ALICE, 0, { MODE(0600), .uid = BOB }, EINVAL },
	{ "a name without its flag", ALICE, 0, { MODE(0600), .name = "x" }, EINVAL },
	{ "a seal without its flag", ALICE, 0, { MODE(0600), .sealed = 1 }, EINVAL },
	{ "a seal of 2", ALICE, 0, { SEALED(2) }, EINVAL },
	{ "a name that begins with a digit", ALICE, 0, { NAME("1st") }, EINVAL },
	{ "a name with a slash", ALICE, 0, { NAME("a/b") }, EINVAL },
	{ "no uid", ALICE, CAP(CHOWN), { OWNER(~0U) }, EINVAL },
	{ "no gid", ALICE, CAP(CHOWN), { GROUP(~0U) }, EINVAL },
	{ "a name that the owner has given", ALICE, 0, { NAME("taken") }, EEXIST },
	{ "... with another mode", ALICE, 0,
	  { .flags = CCSHM_SET_NAME | CCSHM_SET_MODE, .name = "taken", .mode = 0600 }, EEXIST },
	{ "an owner who has one of that name", ALICE, CAP(CHOWN), { OWNER(BOB) }, EEXIST },
	{ "another owner without CAP_CHOWN", ALICE, 0, { OWNER(BOB) }, EPERM },
	{ "... in one step with a mode", ALICE, 0,
	  { .flags = CCSHM_SET_UID | CCSHM_SET_MODE, .uid = BOB, .mode = 0600 }, EPERM },
	{ "a group that the owner is not in", ALICE, 0, { GROUP(NOBODY) }, EPERM },
	{ "... in one step with the seal", ALICE, 0,
	  { .flags = CCSHM_SET_GID | CCSHM_SET_SEALED, .gid = NOBODY, .sealed = 1 }, EPERM },
	{ "the mode, by who may write", BOB, 0, { MODE(0666) }, EPERM },
	{ "the seal, by who may write", BOB, 0, { SEALED(1) }, EPERM },
	{ "the owner, by who has CAP_CHOWN only", BOB, CAP(CHOWN), { OWNER(BOB) }, EPERM },
};

static int set_as(uid_t uid, uint64_t caps, uint64_t id, const struct ccshm_ioc_set *req)
{
	call->in.set = *req;
	call->in.set.id = id;
	return call_as(uid, caps, CCSHM_IOC_SET);
}

#define SET(user, capabilities, id, ...) \
	set_as(user, capabilities, id, &(struct ccshm_ioc_set){ __VA_ARGS__ })

static bool same(const struct ccshm_ioc_query *a, const struct ccshm_ioc_query *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->payer == b->payer && a->query_flags == b->query_flags &&
	       !strcmp(a->name, b->name);
}

static void set_refused(uint64_t id)
{
	struct ccshm_ioc_query before = query(id), after;

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct set_row *row = &refused[i];

		is_errno(set_as(row->uid, row->caps, id, &row->req), row->err, "SET: %s: %s",
			 row->what, tap_errno_name(row->err));
		after = query(id);
		if (!same(&before, &after))
			fail("SET: %s: has changed something", row->what);
	}
	after = query(id);
	ok(same(&before, &after), "SET: what fails changes nothing");
}

static void set_finds(void)
{
	uint64_t own = alloc_as(ALICE, "own", 0600, 0), anonymous, export_id;
	int fd, err = raw_alloc(ccshm, SIZE, &anonymous);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	fd = raw_export(ccshm, anonymous, 0, &export_id);
	is_errno(SET(ALICE, 0, ~0ULL, MODE(0600)), ENOENT, "SET: no such buffer: ENOENT");
	is_errno(SET(BOB, 0, own, MODE(0666)), ENOENT, "SET: one that bob does not see: ENOENT");
	is_errno(SET(ROOT, CAP(SYS_ADMIN), export_id, MODE(0600)), ENOENT,
		 "SET: an export is no buffer: ENOENT");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, MODE(0600) };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), EINVAL,
		 "SET: the mode of an anonymous buffer: EINVAL");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, NAME("named") };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), EINVAL,
		 "SET: the name of an anonymous buffer: EINVAL");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, SEALED(1) };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), 0,
		 "SET: an anonymous buffer can be sealed");
	is_int(query(anonymous).query_flags & CCSHM_QUERY_SEALED, CCSHM_QUERY_SEALED,
	       "SET: QUERY says so");
	close(fd);
	raw_free(ccshm, anonymous);
	is_errno(SET(ALICE, 0, anonymous, SEALED(0)), ENOENT, "SET: one that was freed: ENOENT");
	is_errno(free_as(ALICE, own), 0, "freed");
}

static void set_changes(uint64_t id)
{
	uint64_t other;

	is_errno(SET(ALICE, 0, id, MODE(0600)), 0, "SET: mode");
	is_int(query(id).mode, 0600, "SET: QUERY says so");
	is_errno(export_as(BOB, 0, id, 0), ENOENT, "SET: bob does not see the buffer any more");
	is_errno(SET(ALICE, 0, id, MODE(0660)), 0, "SET: mode");
	is_errno(export_as(BOB, 0, id, 0), 0, "SET: bob is in the group");
	is_errno(SET(ALICE, 0, id, GROUP(ALICE)), 0, "SET: a group of alice's own");
	is_int(query(id).gid, ALICE, "SET: QUERY says so");
	is_errno(export_as(BOB, 0, id, 0), ENOENT, "SET: bob is not in that");
	is_errno(SET(ALICE, CAP(CHOWN), id, GROUP(NOBODY)), 0, "SET: any group, with CAP_CHOWN");
	is_errno(SET(ALICE, 0, id, GROUP(GID_CCSHM)), 0, "SET: and back");

	is_errno(SET(ALICE, 0, id, NAME("renamed")), 0, "SET: name");
	is_errno(raw_find(ccshm, SHARED, ALICE, &other), ENOENT, "SET: the old name is gone");
	is_errno(raw_find(ccshm, "renamed", ALICE, &other), 0, "SET: the new one is found");
	is_int(other, id, "SET: ... and is that of the buffer");
	is_errno(SET(ALICE, 0, id, NAME("renamed")), 0, "SET: the name that it has");
	is_errno(SET(ALICE, 0, id, NAME("")), 0, "SET: no name");
	is_errno(raw_find(ccshm, "renamed", ALICE, &other), ENOENT, "SET: it is not found any more");
	other = alloc_as(ALICE, "renamed", 0600, 0);
	is_errno(free_as(ALICE, other), 0, "SET: the name is free for another");

	is_errno(SET(ALICE, CAP(CHOWN), id, OWNER(BOB)), 0, "SET: owner, with CAP_CHOWN");
	is_int(query(id).uid, BOB, "SET: QUERY says so");
	is_int(query(id).payer, ALICE, "SET: the payer stays");
	is_errno(SET(ALICE, 0, id, MODE(0666)), EPERM, "SET: alice has no control any more");
	is_errno(free_as(ALICE, id), EPERM, "SET: and cannot free it");
	is_errno(revoke_as(ALICE, id, 0), EPERM, "SET: nor revoke it");
	is_errno(revoke_as(BOB, id, 0), 0, "SET: bob has control");
	is_errno(SET(BOB, 0, id, MODE(0600)), 0, "SET: ... of its mode");
	is_errno(free_as(ALICE, id), ENOENT, "SET: alice does not see it any more");
	is_errno(free_as(BOB, id), 0, "bob frees it");
}

static void set(void)
{
	uint64_t id = alloc_as(ALICE, SHARED, 0664, 0), taken = alloc_as(ALICE, "taken", 0600, 0);
	uint64_t bobs = alloc_as(BOB, SHARED, 0600, 0);

	is_errno(SET(ALICE, 0, id, GROUP(GID_CCSHM)), 0, "SET: a group that alice is in");
	is_int(query(id).gid, GID_CCSHM, "SET: QUERY says so");
	set_refused(id);
	is_errno(free_as(BOB, bobs), 0, "bob's buffer of that name is freed");
	set_finds();
	set_changes(id);
	is_errno(free_as(ALICE, taken), 0, "freed");
}

/* ---- the seal ---- */

/* Attach a dma-buf that other processes also hold, of an export that was made earlier. */
static int attach_held(void *arg)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = *(int *)arg, .dma_bits = 32,
	};
	int fd = raw_open();

	snprintf(req.device, sizeof(req.device), "%s", PCI_B);
	return raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);
}

static void sealed(void)
{
	uint64_t id = alloc_as(ALICE, "sealed", 0666, 0), export_id;
	int fd = raw_export(ccshm, id, 0, &export_id);

	is_errno(attach_as(BOB, id), 0, "bob attaches his device");
	is_errno(SET(ALICE, 0, id, SEALED(1)), 0, "alice seals the buffer");
	is_errno(export_as(BOB, 0, id, 0), EPERM, "sealed: no export of bob's");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_READ_ONLY), EPERM, "sealed: nor one to read");
	is_errno(attach_as(BOB, id), EPERM, "sealed: no attachment of bob's");
	is_errno(as_user(BOB, CAP(SYS_RAWIO), attach_held, &fd), EPERM,
		 "sealed: no attachment of an export that exists");
	is_int(query(id).exports, 1, "sealed: nothing of these is left");
	is_int(query(id).attachments, 0, "sealed: ... no attachment");
	is_errno(export_as(ALICE, 0, id, 0), 0, "sealed: alice exports");
	is_errno(attach_as(ALICE, id), 0, "sealed: alice attaches");
	is_errno(export_as(BOB, CAP(SYS_ADMIN), id, 0), 0, "sealed: CAP_SYS_ADMIN exports");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0, "sealed: who has an export keeps it");
	is_errno(SET(ALICE, 0, id, SEALED(0)), 0, "alice ends the seal");
	is_errno(export_as(BOB, 0, id, 0), 0, "bob exports");

	is_errno(revoke_as(BOB, id, CCSHM_REVOKE_SEAL), EPERM, "bob cannot seal with REVOKE");
	is_int(query(id).query_flags & CCSHM_QUERY_SEALED, 0, "... and has not");
	is_errno(revoke_as(ALICE, export_id, CCSHM_REVOKE_SEAL), 0, "alice revokes and seals");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV, "the export is revoked");
	is_int(query(id).query_flags & CCSHM_QUERY_SEALED, CCSHM_QUERY_SEALED,
	       "the buffer is sealed");
	is_errno(export_as(BOB, 0, id, 0), EPERM, "bob does not get in again");
	is_errno(export_as(ALICE, 0, id, 0), 0, "alice does");
	close(fd);
	is_errno(free_as(ALICE, id), 0, "freed");
}

/* Test that the buffer stays sealed when the revoke times out. */
static void sealed_in_vain(void)
{
	uint64_t id = alloc_as(ALICE, "sealed", 0666, 0);
	struct attached a;

	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0, "a device is attached");
	is_errno(revoke_as(ALICE, id, CCSHM_REVOKE_SEAL), ETIMEDOUT,
		 "alice revokes and seals: the holder stays");
	is_errno(export_as(BOB, 0, id, 0), EPERM, "the seal holds though the revoke failed");
	is_errno(attached_end(&a), 0, "the holder goes");
	is_errno(free_as(ALICE, id), 0, "freed");
}

/* ---- REVOKE of a descriptor ---- */

static int held_fd;
static int held_client;		/* the suite's descriptor; -1: open a new one */

static int revoke_held(void *arg)
{
	struct ccshm_ioc_revoke req = {
		.flags = CCSHM_REVOKE_BY_FD | *(uint64_t *)arg, .fd = held_fd,
	};

	return raw_ioctl(held_client < 0 ? raw_open() : held_client, CCSHM_IOC_REVOKE, &req);
}

static int by_fd(uid_t uid, uint64_t caps, int fd)
{
	uint64_t flags = 0;

	held_fd = fd;
	held_client = -1;
	return as_user(uid, caps, revoke_held, &flags);
}

static int by_fd_with(const struct ccshm_ioc_revoke *req)
{
	struct ccshm_ioc_revoke copy = *req;

	return raw_ioctl(ccshm, CCSHM_IOC_REVOKE, &copy);
}

#define BY_FD(...)	by_fd_with(&(struct ccshm_ioc_revoke){ __VA_ARGS__ })

static void descriptors(void)
{
	uint64_t id = alloc_as(ALICE, "held", 0644, 0), export_id, hidden;
	int fd = raw_export(ccshm, id, 0, &export_id), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct attached a;
	int other;

	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = -1), EBADF, "REVOKE of descriptor -1: EBADF");
	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = 1000), EBADF,
		 "REVOKE of a closed descriptor: EBADF");
	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = null), EMEDIUMTYPE,
		 "REVOKE of /dev/null: EMEDIUMTYPE");
	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = ccshm), EMEDIUMTYPE,
		 "REVOKE of the device itself: EMEDIUMTYPE");
	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = fd, .id = export_id), EINVAL,
		 "REVOKE of a descriptor with an id: EINVAL");
	is_errno(BY_FD(.id = export_id, .fd = fd), EINVAL,
		 "REVOKE of an id with a descriptor: EINVAL");
	is_errno(by_fd(BOB, 0, fd), EPERM, "bob holds the dma-buf: EPERM");
	is_errno(by_fd(BOB, CAP(SYS_RAWIO), fd), EPERM, "... with CAP_SYS_RAWIO, too");
	is_int(query(export_id).state, CCSHM_STATE_ACTIVE, "none of these revokes");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0, "... the dma-buf can be mapped");
	is_errno(by_fd(ALICE, 0, fd), 0, "alice revokes what she holds");
	is_int(query(export_id).state, CCSHM_STATE_REVOKED, "the export is revoked");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV, "... the dma-buf cannot be mapped");

	hidden = alloc_as(ALICE, "held-and-hidden", 0600, 0);
	other = raw_export(ccshm, hidden, 0, NULL);
	is_errno(by_fd(BOB, 0, other), EPERM, "one of a buffer that bob does not see: EPERM");
	is_errno(by_fd(BOB, CAP(SYS_ADMIN), other), 0, "with CAP_SYS_ADMIN he revokes it");
	is_errno(try_map(other, SIZE, RW, MAP_SHARED), ENODEV, "... it is revoked");

	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0, "a device is attached");
	is_errno(by_fd(BOB, 0, a.fd), EPERM, "bob holds the attachment: EPERM");
	is_errno(by_fd(ALICE, 0, a.fd), ETIMEDOUT, "alice revokes it: the holder is notified");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING, "it is being revoked");
	is_errno(raw_detach(a.fd, 0), 0, "the holder detaches");
	is_errno(by_fd(ALICE, 0, a.fd), 0, "now it is revoked");
	close(a.fd);
	close(other);
	close(null);
	close(fd);
	is_errno(free_as(ALICE, hidden), 0, "freed");
	is_errno(free_as(ALICE, id), 0, "freed");
}

/*
 * Test REVOKE of a descriptor of an anonymous buffer: the open file that made the buffer has
 * control, not the user.
 */
static void anonymous_descriptor(void)
{
	uint64_t id, flags = 0;
	int err = raw_alloc(ccshm, SIZE, &id);
	int fd = err ? -1 : raw_export(ccshm, id, 0, NULL);

	if (fd < 0)
		bail("no export");
	held_fd = fd;
	held_client = -1;
	is_errno(as_user(ROOT, 0, revoke_held, &flags), EPERM,
		 "the same user through another open file has no control: EPERM");
	held_client = ccshm;
	is_errno(as_user(BOB, 0, revoke_held, &flags), 0, "who has the open file has");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV, "... it is revoked");
	close(fd);
	is_errno(raw_free(ccshm, id), 0, "freed");
}

/* ---- FREE with REVOKE ---- */

static void free_revoke(void)
{
	uint64_t id = alloc_as(ALICE, "freed", 0666, 0), export_id;
	int fd = raw_export(ccshm, id, 0, &export_id), another = raw_export(ccshm, id, 0, NULL);
	char *p = raw_map(fd, SIZE, RW), *q = raw_map(another, SIZE, RW);
	struct ccshm_ioc_info info;
	struct attached a;

	if (!p || !q || touch_write(p, 1) || touch_write(q, 1))
		bail("no mapping");
	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0, "FREE with REVOKE: a device is attached");
	call->in.free = (struct ccshm_ioc_free){ .id = id, .flags = CCSHM_FREE_REVOKE };
	is_errno(call_as(BOB, 0, CCSHM_IOC_FREE), EPERM, "FREE with REVOKE: needs control");
	call->in.free.flags |= UNKNOWN;
	is_errno(call_as(ALICE, 0, CCSHM_IOC_FREE), EINVAL, "FREE with an unknown flag: EINVAL");
	is_int(touch_read(p), 0, "... nothing has changed");
	call->in.free.flags = CCSHM_FREE_REVOKE;
	is_errno(call_as(ALICE, 0, CCSHM_IOC_FREE), 0, "FREE with REVOKE");
	ok(touch_all(p, SIZE, SIGBUS), "FREE with REVOKE: the mapping gets SIGBUS at once");
	ok(touch_all(q, SIZE, SIGBUS), "FREE with REVOKE: so does that of the other export");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV, "FREE with REVOKE: no new mapping");
	is_int(query(export_id).state, CCSHM_STATE_REVOKED, "FREE with REVOKE: the export is revoked");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING, "FREE with REVOKE: the attachment is asked");
	ok(!raw_info(ccshm, &info) && info.bytes_shared >= SIZE,
	   "FREE with REVOKE: the device holds the memory");
	is_errno(raw_detach(a.fd, 0), 0, "FREE with REVOKE: the holder detaches");
	ok(wait_held(ccshm, 0, &info), "FREE with REVOKE: the memory goes back, all else is open");
	is_int(info.exports, 2, "FREE with REVOKE: ... both exports are");
	close(a.fd);
	munmap(p, SIZE);
	munmap(q, SIZE);
	close(fd);
	close(another);
}

int main(void)
{
	driver_load();
	touch_init();
	call = common(sizeof(*call));
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));

	pinned();
	set();
	sealed();
	sealed_in_vain();
	descriptors();
	anonymous_descriptor();
	ok(wait_clean(ccshm), "nothing is left");
	free_revoke();

	ok(wait_clean(ccshm), "nothing is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
