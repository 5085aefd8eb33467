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

static int attach_flags_as(uid_t uid, uint64_t id, uint64_t flags)
{
	call->in.attach = (struct ccshm_ioc_attach){ .id = id, .flags = flags, .dma_bits = 32 };
	snprintf(call->in.attach.device, CCSHM_DEVICE_LEN, "%s", PCI_B);
	return call_as(uid, CAP(SYS_RAWIO), CCSHM_IOC_ATTACH);
}

static int attach_as(uid_t uid, uint64_t id)
{
	return attach_flags_as(uid, id, 0);
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

	is_errno(export_as(BOB, 0, id, 0), 0,
		 "EXPORT, revocable, by a user with write permission: works");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_PINNED), EPERM,
		 "EXPORT, pinned, by a user without control: EPERM");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY), EPERM,
		 "EXPORT, pinned and read-only, by a user without control: EPERM");
	is_errno(export_as(BOB, CAP(SYS_RAWIO) | CAP(CHOWN), id, CCSHM_EXPORT_PINNED), EPERM,
		 "EXPORT, pinned, with CAP_SYS_RAWIO and CAP_CHOWN but without control: EPERM");
	is_int(query(id).exports, 0, "EXPORT refused to a user without control leaves no export");
	is_errno(export_as(ALICE, 0, id, CCSHM_EXPORT_PINNED), 0,
		 "EXPORT, pinned, by the owner: works");
	is_errno(export_as(BOB, CAP(SYS_ADMIN), id, CCSHM_EXPORT_PINNED), 0,
		 "EXPORT, pinned, with CAP_SYS_ADMIN: works");
	is_errno(export_as(BOB, 0, open, CCSHM_EXPORT_PINNED), 0,
		 "EXPORT, pinned, of a buffer with OTHERS_PIN by a writer: works");
	is_errno(export_as(BOB, 0, read, CCSHM_EXPORT_PINNED), EACCES,
		 "EXPORT, pinned, of a buffer with OTHERS_PIN by a reader: EACCES");
	is_errno(export_as(BOB, 0, read, CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY), 0,
		 "EXPORT, pinned and read-only, of a buffer with OTHERS_PIN by a reader: works");
	is_errno(free_as(ALICE, id), 0, "FREE of the buffer without OTHERS_PIN: success");
	is_errno(free_as(ALICE, open), 0, "FREE of the buffer with OTHERS_PIN and mode 0666: success");
	is_errno(free_as(ALICE, read), 0, "FREE of the buffer with OTHERS_PIN and mode 0644: success");
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
	{ "no flag", ALICE, 0, { .flags = 0 }, EINVAL },
	{ "an unknown flag", ALICE, 0, { .flags = UNKNOWN }, EINVAL },
	{ "an unknown flag and a known flag", ALICE, 0,
	  { .flags = CCSHM_SET_MODE | UNKNOWN, .mode = 0600 }, EINVAL },
	{ "a reserved field", ALICE, 0, { MODE(0600), .reserved = 1 }, EINVAL },
	{ "a mode with execute permission", ALICE, 0, { MODE(0700) }, EINVAL },
	{ "a mode above 0777", ALICE, 0, { MODE(01600) }, EINVAL },
	{ "a mode without its flag", ALICE, 0, { NAME("x"), .mode = 0600 }, EINVAL },
	{ "a group without its flag", ALICE, 0, { MODE(0600), .gid = 1 }, EINVAL },
	{ "an owner without its flag", ALICE, 0, { MODE(0600), .uid = BOB }, EINVAL },
	{ "a name without its flag", ALICE, 0, { MODE(0600), .name = "x" }, EINVAL },
	{ "a seal without its flag", ALICE, 0, { MODE(0600), .sealed = 1 }, EINVAL },
	{ "a seal of 2", ALICE, 0, { SEALED(2) }, EINVAL },
	{ "a name that begins with a digit", ALICE, 0, { NAME("1st") }, EINVAL },
	{ "a name with a slash", ALICE, 0, { NAME("a/b") }, EINVAL },
	{ "uid -1", ALICE, CAP(CHOWN), { OWNER(~0U) }, EINVAL },
	{ "gid -1", ALICE, CAP(CHOWN), { GROUP(~0U) }, EINVAL },
	{ "a name of the owner's other buffer", ALICE, 0, { NAME("taken") }, EEXIST },
	{ "a name in use, with a new mode", ALICE, 0,
	  { .flags = CCSHM_SET_NAME | CCSHM_SET_MODE, .name = "taken", .mode = 0600 }, EEXIST },
	{ "a new owner who has a buffer of that name", ALICE, CAP(CHOWN), { OWNER(BOB) }, EEXIST },
	{ "another owner without CAP_CHOWN", ALICE, 0, { OWNER(BOB) }, EPERM },
	{ "another owner without CAP_CHOWN, with a mode", ALICE, 0,
	  { .flags = CCSHM_SET_UID | CCSHM_SET_MODE, .uid = BOB, .mode = 0600 }, EPERM },
	{ "a group that the owner is not in", ALICE, 0, { GROUP(NOBODY) }, EPERM },
	{ "a group that the owner is not in, with the seal", ALICE, 0,
	  { .flags = CCSHM_SET_GID | CCSHM_SET_SEALED, .gid = NOBODY, .sealed = 1 }, EPERM },
	{ "the mode, by a user with write permission", BOB, 0, { MODE(0666) }, EPERM },
	{ "the seal, by a user with write permission", BOB, 0, { SEALED(1) }, EPERM },
	{ "the owner, by a user with CAP_CHOWN only", BOB, CAP(CHOWN), { OWNER(BOB) }, EPERM },
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
			fail("SET: %s: the refused call has changed the buffer", row->what);
	}
	after = query(id);
	ok(same(&before, &after), "SET: a refused call changes nothing");
}

static void set_finds(void)
{
	uint64_t own = alloc_as(ALICE, "own", 0600, 0), anonymous, export_id;
	int fd, err = raw_alloc(ccshm, SIZE, &anonymous);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	fd = raw_export(ccshm, anonymous, 0, &export_id);
	is_errno(SET(ALICE, 0, ~0ULL, MODE(0600)), ENOENT,
		 "SET of an id that does not exist: ENOENT");
	is_errno(SET(BOB, 0, own, MODE(0666)), ENOENT,
		 "SET of a buffer that bob may not see: ENOENT");
	is_errno(SET(ROOT, CAP(SYS_ADMIN), export_id, MODE(0600)), ENOENT,
		 "SET of an export: ENOENT");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, MODE(0600) };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), EINVAL,
		 "SET of the mode of an anonymous buffer: EINVAL");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, NAME("named") };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), EINVAL,
		 "SET of the name of an anonymous buffer: EINVAL");
	call->in.set = (struct ccshm_ioc_set){ .id = anonymous, SEALED(1) };
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &call->in.set), 0,
		 "SET of the seal of an anonymous buffer: works");
	is_int(query(anonymous).query_flags & CCSHM_QUERY_SEALED, CCSHM_QUERY_SEALED,
	       "SET of the seal of an anonymous buffer: QUERY reports the seal");
	close(fd);
	must(raw_free(ccshm, anonymous));
	is_errno(SET(ALICE, 0, anonymous, SEALED(0)), ENOENT,
		 "SET of a buffer that was freed: ENOENT");
	is_errno(free_as(ALICE, own), 0, "FREE of alice's buffer: success");
}

static void set_changes(uint64_t id)
{
	uint64_t other;

	is_errno(SET(ALICE, 0, id, MODE(0600)), 0, "SET of mode 0600 by the owner: works");
	is_int(query(id).mode, 0600, "SET of mode 0600: QUERY reports it");
	is_errno(export_as(BOB, 0, id, 0), ENOENT, "SET of mode 0600: EXPORT by bob: ENOENT");
	is_errno(SET(ALICE, 0, id, MODE(0660)), 0, "SET of mode 0660 by the owner: works");
	is_errno(export_as(BOB, 0, id, 0), 0,
		 "SET of mode 0660: EXPORT by bob, who is in the group: works");
	is_errno(SET(ALICE, 0, id, GROUP(ALICE)), 0, "SET of a group that the owner is in: works");
	is_int(query(id).gid, ALICE, "SET of a group that the owner is in: QUERY reports it");
	is_errno(export_as(BOB, 0, id, 0), ENOENT,
		 "SET of a group that bob is not in: EXPORT by bob: ENOENT");
	is_errno(SET(ALICE, CAP(CHOWN), id, GROUP(NOBODY)), 0,
		 "SET of a foreign group with CAP_CHOWN: works");
	is_errno(SET(ALICE, 0, id, GROUP(GID_CCSHM)), 0,
		 "SET of the group back to ccshm by the owner: works");

	is_errno(SET(ALICE, 0, id, NAME("renamed")), 0, "SET of a new name: works");
	is_errno(raw_find(ccshm, SHARED, ALICE, &other), ENOENT,
		 "SET of a new name: OPEN of the old name: ENOENT");
	is_errno(raw_find(ccshm, "renamed", ALICE, &other), 0,
		 "SET of a new name: OPEN of the new name works");
	is_int(other, id, "SET of a new name: OPEN of the new name returns the buffer's id");
	is_errno(SET(ALICE, 0, id, NAME("renamed")), 0, "SET of the current name: works");
	is_errno(SET(ALICE, 0, id, NAME("")), 0, "SET of an empty name: works");
	is_errno(raw_find(ccshm, "renamed", ALICE, &other), ENOENT,
		 "SET of an empty name: OPEN of the old name: ENOENT");
	other = alloc_as(ALICE, "renamed", 0600, 0);
	is_errno(free_as(ALICE, other), 0,
		 "SET of an empty name: another buffer can have the old name");

	is_errno(SET(ALICE, CAP(CHOWN), id, OWNER(BOB)), 0,
		 "SET of another owner with CAP_CHOWN: works");
	is_int(query(id).uid, BOB, "SET of another owner: QUERY reports the new owner");
	is_int(query(id).payer, ALICE, "SET of another owner: QUERY reports the same payer");
	is_errno(SET(ALICE, 0, id, MODE(0666)), EPERM,
		 "SET of the mode by the previous owner: EPERM");
	is_errno(free_as(ALICE, id), EPERM, "FREE by the previous owner: EPERM");
	is_errno(revoke_as(ALICE, id, 0), EPERM, "REVOKE by the previous owner: EPERM");
	is_errno(revoke_as(BOB, id, 0), 0, "REVOKE by the new owner: works");
	is_errno(SET(BOB, 0, id, MODE(0600)), 0, "SET of the mode by the new owner: works");
	is_errno(free_as(ALICE, id), ENOENT, "FREE by the previous owner after mode 0600: ENOENT");
	is_errno(free_as(BOB, id), 0, "FREE by the new owner: works");
}

static void set(void)
{
	uint64_t id = alloc_as(ALICE, SHARED, 0664, 0), taken = alloc_as(ALICE, "taken", 0600, 0);
	uint64_t bobs = alloc_as(BOB, SHARED, 0600, 0);

	is_errno(SET(ALICE, 0, id, GROUP(GID_CCSHM)), 0,
		 "SET of the group ccshm by its member: works");
	is_int(query(id).gid, GID_CCSHM, "SET of the group ccshm: QUERY reports it");
	set_refused(id);
	is_errno(free_as(BOB, bobs), 0, "FREE of bob's buffer with the same name: success");
	set_finds();
	set_changes(id);
	is_errno(free_as(ALICE, taken), 0, "FREE of alice's buffer with the name in use: success");
}

/* ---- the seal ---- */

/* Attach a dma-buf that other processes also hold, of an export that was made earlier. */
static int attach_held_flags(int dmabuf, uint64_t flags)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF | flags, .dmabuf_fd = dmabuf, .dma_bits = 32,
	};
	int fd = raw_open();

	snprintf(req.device, sizeof(req.device), "%s", PCI_B);
	return raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);
}

static int attach_held(void *arg)
{
	return attach_held_flags(*(int *)arg, 0);
}

static int attach_held_persistent(void *arg)
{
	return attach_held_flags(*(int *)arg, CCSHM_ATTACH_PERSISTENT);
}

/* Test that only a user who controls the buffer can make an attachment that outlives its maker. */
static void persistent_needs_control(void)
{
	uint64_t id = alloc_as(ALICE, "outlived", 0666, 0), export_id;
	int fd = raw_export(ccshm, id, 0, &export_id);

	is_errno(attach_flags_as(BOB, id, CCSHM_ATTACH_PERSISTENT), EPERM,
		 "ATTACH with PERSISTENT by bob: EPERM");
	is_errno(as_user(BOB, CAP(SYS_RAWIO), attach_held_persistent, &fd), EPERM,
		 "ATTACH with PERSISTENT of a dma-buf by bob: EPERM");
	is_int(query(id).attachments, 0, "the refused calls leave no attachment");
	is_errno(attach_as(BOB, id), 0, "ATTACH without PERSISTENT by bob: works");
	is_errno(attach_flags_as(ALICE, id, CCSHM_ATTACH_PERSISTENT), 0,
		 "ATTACH with PERSISTENT by alice, the owner: works");
	is_errno(raw_detach(ccshm, call->in.attach.attachment_id), 0,
		 "DETACH of the persistent attachment: success");
	is_errno(free_as(ALICE, id), 0, "FREE of the buffer with the persistent attachment: success");
	close(fd);
}

static void sealed(void)
{
	uint64_t id = alloc_as(ALICE, "sealed", 0666, 0), export_id;
	int fd = raw_export(ccshm, id, 0, &export_id);

	is_errno(attach_as(BOB, id), 0, "ATTACH by bob before the seal: works");
	is_errno(SET(ALICE, 0, id, SEALED(1)), 0, "SET of the seal by alice: works");
	is_errno(export_as(BOB, 0, id, 0), EPERM, "sealed: EXPORT by bob: EPERM");
	is_errno(export_as(BOB, 0, id, CCSHM_EXPORT_READ_ONLY), EPERM,
		 "sealed: EXPORT, read-only, by bob: EPERM");
	is_errno(attach_as(BOB, id), EPERM, "sealed: ATTACH by bob: EPERM");
	is_errno(as_user(BOB, CAP(SYS_RAWIO), attach_held, &fd), EPERM,
		 "sealed: ATTACH of an existing dma-buf by bob: EPERM");
	is_int(query(id).exports, 1, "sealed: the refused calls leave no export");
	is_int(query(id).attachments, 0, "sealed: the refused calls leave no attachment");
	is_errno(export_as(ALICE, 0, id, 0), 0, "sealed: EXPORT by alice, the owner: works");
	is_errno(attach_as(ALICE, id), 0, "sealed: ATTACH by alice, the owner: works");
	is_errno(export_as(BOB, CAP(SYS_ADMIN), id, 0), 0,
		 "sealed: EXPORT by bob with CAP_SYS_ADMIN: works");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0, "sealed: an existing dma-buf can be mapped");
	is_errno(SET(ALICE, 0, id, SEALED(0)), 0, "SET that removes the seal: works");
	is_errno(export_as(BOB, 0, id, 0), 0, "the seal is removed: EXPORT by bob works");

	is_errno(revoke_as(BOB, id, CCSHM_REVOKE_SEAL), EPERM, "REVOKE with SEAL by bob: EPERM");
	is_int(query(id).query_flags & CCSHM_QUERY_SEALED, 0,
	       "REVOKE with SEAL by bob: the buffer is not sealed");
	is_errno(revoke_as(ALICE, export_id, CCSHM_REVOKE_SEAL), 0,
		 "REVOKE with SEAL by alice: works");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "REVOKE with SEAL by alice: mmap() of the export: ENODEV");
	is_int(query(id).query_flags & CCSHM_QUERY_SEALED, CCSHM_QUERY_SEALED,
	       "REVOKE with SEAL by alice: QUERY reports the seal");
	is_errno(export_as(BOB, 0, id, 0), EPERM,
		 "REVOKE with SEAL by alice: EXPORT by bob: EPERM");
	is_errno(export_as(ALICE, 0, id, 0), 0, "REVOKE with SEAL by alice: EXPORT by alice works");
	close(fd);
	is_errno(free_as(ALICE, id), 0, "FREE of the sealed buffer: success");
}

/* Test that the buffer stays sealed when the revoke times out. */
static void seal_refused(void)
{
	uint64_t id = alloc_as(ALICE, "sealed", 0666, 0);
	struct attached a;

	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0,
		 "ATTACH of the buffer that will be sealed: success");
	is_errno(revoke_as(ALICE, id, CCSHM_REVOKE_SEAL), ETIMEDOUT,
		 "REVOKE with SEAL while a device is attached: ETIMEDOUT");
	is_errno(export_as(BOB, 0, id, 0), EPERM,
		 "REVOKE with SEAL has timed out: the buffer is sealed");
	is_errno(attached_end(&a), 0, "REVOKE with SEAL has timed out: DETACH works");
	is_errno(free_as(ALICE, id), 0,
		 "FREE of the buffer that was sealed by a REVOKE that timed out: success");
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
		 "REVOKE of a descriptor of /dev/ccshm: EMEDIUMTYPE");
	is_errno(BY_FD(.flags = CCSHM_REVOKE_BY_FD, .fd = fd, .id = export_id), EINVAL,
		 "REVOKE of a descriptor with an id: EINVAL");
	is_errno(BY_FD(.id = export_id, .fd = fd), EINVAL,
		 "REVOKE of an id with a descriptor: EINVAL");
	is_errno(by_fd(BOB, 0, fd), EPERM,
		 "REVOKE by descriptor of bob, of alice's dma-buf: EPERM");
	is_errno(by_fd(BOB, CAP(SYS_RAWIO), fd), EPERM,
		 "REVOKE by descriptor of bob with CAP_SYS_RAWIO, of alice's dma-buf: EPERM");
	is_int(query(export_id).state, CCSHM_STATE_ACTIVE,
	       "REVOKE by descriptor: the refused calls leave the export active");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0,
		 "REVOKE by descriptor: after the refused calls the dma-buf can be mapped");
	is_errno(by_fd(ALICE, 0, fd), 0, "REVOKE by descriptor of alice, of her dma-buf: works");
	is_int(query(export_id).state, CCSHM_STATE_REVOKED,
	       "REVOKE by descriptor: QUERY reports the export as revoked");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "REVOKE by descriptor: mmap() of the dma-buf: ENODEV");

	hidden = alloc_as(ALICE, "held-and-hidden", 0600, 0);
	other = raw_export(ccshm, hidden, 0, NULL);
	is_errno(by_fd(BOB, 0, other), EPERM,
		 "REVOKE by descriptor of bob, of a buffer hidden from bob: EPERM");
	is_errno(by_fd(BOB, CAP(SYS_ADMIN), other), 0,
		 "REVOKE by descriptor of bob with CAP_SYS_ADMIN: works");
	is_errno(try_map(other, SIZE, RW, MAP_SHARED), ENODEV,
		 "REVOKE by descriptor with CAP_SYS_ADMIN: mmap() of the dma-buf: ENODEV");

	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0,
		 "ATTACH of the buffer whose attachment will be revoked: success");
	is_errno(by_fd(BOB, 0, a.fd), EPERM,
		 "REVOKE by descriptor of bob, of alice's attachment: EPERM");
	is_errno(by_fd(ALICE, 0, a.fd), ETIMEDOUT,
		 "REVOKE by descriptor of alice, of her attachment: ETIMEDOUT before DETACH");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "REVOKE by descriptor of an attachment: QUERY reports the state revoking");
	is_errno(raw_detach(a.fd, 0), 0, "REVOKE by descriptor of an attachment: DETACH works");
	is_errno(by_fd(ALICE, 0, a.fd), 0,
		 "REVOKE by descriptor of an attachment after DETACH: works");
	close(a.fd);
	close(other);
	close(null);
	close(fd);
	is_errno(free_as(ALICE, hidden), 0, "FREE of the buffer that bob may not see: success");
	is_errno(free_as(ALICE, id), 0, "FREE of the buffer whose attachment was revoked: success");
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
		bail("EXPORT failed");
	held_fd = fd;
	held_client = -1;
	is_errno(as_user(ROOT, 0, revoke_held, &flags), EPERM,
		 "REVOKE of an anonymous buffer's export through another open file: EPERM");
	held_client = ccshm;
	is_errno(as_user(BOB, 0, revoke_held, &flags), 0,
		 "REVOKE of an anonymous buffer's export through its open file: works");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "REVOKE of an anonymous buffer's export: mmap() of the dma-buf: ENODEV");
	close(fd);
	is_errno(raw_free(ccshm, id), 0, "FREE of the anonymous buffer: success");
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
		bail("the dma-bufs cannot be mapped");
	is_errno(attach_buffer(ccshm, id, PCI_B, &a), 0, "FREE with REVOKE: a device is attached");
	call->in.free = (struct ccshm_ioc_free){ .id = id, .flags = CCSHM_FREE_REVOKE };
	is_errno(call_as(BOB, 0, CCSHM_IOC_FREE), EPERM,
		 "FREE with REVOKE by a user without control: EPERM");
	call->in.free.flags |= UNKNOWN;
	is_errno(call_as(ALICE, 0, CCSHM_IOC_FREE), EINVAL, "FREE with an unknown flag: EINVAL");
	is_int(touch_read(p), 0, "FREE with an unknown flag leaves the memory mapped");
	call->in.free.flags = CCSHM_FREE_REVOKE;
	is_errno(call_as(ALICE, 0, CCSHM_IOC_FREE), 0, "FREE with REVOKE by the owner: works");
	ok(touch_all(p, SIZE, SIGBUS), "FREE with REVOKE: the mapping gets SIGBUS at once");
	ok(touch_all(q, SIZE, SIGBUS),
	   "FREE with REVOKE: the mapping of the other export gets SIGBUS at once");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV,
		 "FREE with REVOKE: a new mmap(): ENODEV");
	is_int(query(export_id).state, CCSHM_STATE_REVOKED, "FREE with REVOKE: the export is revoked");
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "FREE with REVOKE: QUERY reports the attachment as revoking");
	ok(!raw_info(ccshm, &info) && info.bytes_shared >= SIZE,
	   "FREE with REVOKE: the memory of the attached device stays shared");
	is_errno(raw_detach(a.fd, 0), 0, "FREE with REVOKE: DETACH works");
	ok(wait_held(ccshm, 0, &info), "FREE with REVOKE: after DETACH the memory is given back");
	is_int(info.exports, 2,
	       "FREE with REVOKE: both exports exist until their descriptors are closed");
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
	persistent_needs_control();
	sealed();
	seal_refused();
	descriptors();
	anonymous_descriptor();
	ok(wait_clean(ccshm), "after the calls with several users: no object is left");
	free_revoke();

	ok(wait_clean(ccshm), "after FREE with REVOKE: no object is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
