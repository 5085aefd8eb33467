// SPDX-License-Identifier: GPL-2.0-only
/*
 * QUERY of the next object and of a file descriptor: which objects each user sees, also in another
 * network namespace, and what QUERY reports only to the holder of a descriptor.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "users.h"


#define DEVICE	"pci:0000:00:04.0"
#define IDS	64

static int dev;
static uint64_t anonymous, private, readable;
static uint64_t of_private;		/* export of alice's buffer with mode 0600 */
static uint64_t attachment;
static int private_fd, attachment_fd;

static int by_fd(int fd, int what, struct ccshm_ioc_query *q)
{
	memset(q, 0, sizeof(*q));
	q->flags = CCSHM_QUERY_BY_FD;
	q->fd = what;
	return raw_ioctl(fd, CCSHM_IOC_QUERY, q);
}

/* ---- objects that each user sees ---- */

struct seen {
	unsigned int nr[4];
	uint64_t id[4][IDS];
	uint64_t flags[4][IDS];
	bool ascending, same;
};

static bool sees(const struct seen *seen, uint32_t type, uint64_t id)
{
	for (unsigned int i = 0; i < seen->nr[type]; i++)
		if (seen->id[type][i] == id)
			return true;
	return false;
}

/*
 * List all objects through a read-only descriptor, in a new network namespace if that is allowed.
 */
static int look(void *arg)
{
	int fd = open(CCSHM_DEVICE, O_RDONLY | O_CLOEXEC), err;
	struct seen *seen = arg;
	struct ccshm_ioc_query q, single;

	if (fd < 0)
		return -errno;
	memset(seen, 0, sizeof(*seen));
	seen->ascending = true;
	seen->same = true;
	for (uint32_t type = 1; type <= 3; type++) {
		uint64_t last = 0;

		while (!(err = raw_query_next(fd, type, last, &q)) && seen->nr[type] < IDS) {
			seen->ascending &= q.object_id > last && q.type == type;
			last = q.object_id;
			seen->id[type][seen->nr[type]] = last;
			seen->flags[type][seen->nr[type]++] = q.query_flags;
			if (q.query_flags & CCSHM_QUERY_ORPHAN && type == CCSHM_TYPE_BUFFER)
				continue;
			/* A QUERY of the id must return the same, except for the input fields. */
			err = raw_query(fd, last, &single);
			single.id = q.id;
			single.flags = q.flags;
			single.next_type = q.next_type;
			seen->same &= !err && !memcmp(&q, &single, sizeof(q));
		}
		if (err != -ENOENT)
			return err ? err : -E2BIG;
	}
	close(fd);
	return 0;
}

static int look_elsewhere(void *arg)
{
	return unshare(CLONE_NEWNET) ? -errno : look(arg);
}

static void check_seen(const char *who, const struct seen *seen, bool anon, bool priv)
{
	is_int(sees(seen, CCSHM_TYPE_BUFFER, anonymous), anon,
	       "%s: visibility of the anonymous buffer", who);
	is_int(sees(seen, CCSHM_TYPE_BUFFER, private), priv,
	       "%s: visibility of the buffer of mode 0600", who);
	ok(sees(seen, CCSHM_TYPE_BUFFER, readable), "%s: the buffer of mode 0644 is listed", who);
	is_int(sees(seen, CCSHM_TYPE_EXPORT, of_private), priv,
	       "%s: visibility of the export of the buffer of mode 0600", who);
	is_int(sees(seen, CCSHM_TYPE_ATTACHMENT, attachment), anon,
	       "%s: visibility of the attachment", who);
	is_int(seen->nr[CCSHM_TYPE_BUFFER], 1 + anon + priv, "%s: no other buffer is listed", who);
	ok(seen->ascending,
	   "%s: NEXT returns objects of the requested type in the order of their ids", who);
	ok(seen->same, "%s: QUERY of each id returns the same as NEXT", who);
}

static void test_visibility(void)
{
	struct seen *seen = common(sizeof(*seen));

	is_errno(as_user(ROOT, ALL_CAPS, look_elsewhere, seen), 0,
		 "root lists in another network namespace");
	check_seen("root", seen, true, true);
	is_errno(as_user(ALICE, CAP(SYS_ADMIN), look_elsewhere, seen), 0,
		 "alice with CAP_SYS_ADMIN lists in another network namespace");
	check_seen("alice with CAP_SYS_ADMIN", seen, true, true);
	is_errno(as_user(ALICE, 0, look, seen), 0, "alice lists with NEXT");
	check_seen("alice", seen, false, true);
	is_errno(as_user(BOB, 0, look, seen), 0, "bob lists with NEXT");
	check_seen("bob", seen, false, false);
}

/* Test that the open file that allocated a buffer has control of the buffer. */
static void test_own_anonymous(void)
{
	struct ccshm_ioc_query q;

	is_errno(raw_query_next(dev, CCSHM_TYPE_BUFFER, anonymous - 1, &q), 0,
		 "NEXT through the file of an anonymous buffer: success");
	ok(q.object_id == anonymous && q.query_flags & CCSHM_QUERY_CONTROL,
	   "NEXT through the file of an anonymous buffer reports control of it");
}

/* ---- fields ---- */

static void test_fields(void)
{
	struct ccshm_ioc_query q;

	is_errno(raw_query_next(dev, 0, 0, &q), EINVAL, "QUERY with NEXT and type 0: EINVAL");
	is_errno(raw_query_next(dev, 4, 0, &q), EINVAL, "QUERY with NEXT and an unknown type: EINVAL");
	is_errno(raw_query_next(dev, CCSHM_TYPE_BUFFER, ~0ULL, &q), ENOENT,
		 "QUERY with NEXT after the largest id: ENOENT");
	q = (struct ccshm_ioc_query){ .id = readable, .next_type = 1 };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL,
		 "QUERY with a type and without NEXT: EINVAL");
	q = (struct ccshm_ioc_query){ .id = readable, .fd = private_fd };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL,
		 "QUERY with a descriptor and without BY_FD: EINVAL");
	q = (struct ccshm_ioc_query){ .flags = CCSHM_QUERY_NEXT | CCSHM_QUERY_BY_FD, .next_type = 1 };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "QUERY with NEXT and BY_FD: EINVAL");
	q = (struct ccshm_ioc_query){ .id = 1, .flags = CCSHM_QUERY_BY_FD, .fd = private_fd };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "QUERY with an id and BY_FD: EINVAL");
}

/* ---- descriptors ---- */

static struct ccshm_ioc_query held;

static int hold(void *arg)
{
	struct ccshm_ioc_query *q = arg;
	int fd = raw_open();

	return fd < 0 ? fd : by_fd(fd, private_fd, q);
}

static int hold_attachment(void *arg)
{
	struct ccshm_ioc_query *q = arg;
	int fd = raw_open();

	return fd < 0 ? fd : by_fd(fd, attachment_fd, q);
}

static int seal(bool sealed)
{
	struct ccshm_ioc_set req = { .id = private, .flags = CCSHM_SET_SEALED, .sealed = sealed };

	return raw_ioctl(dev, CCSHM_IOC_SET, &req);
}

/* Test that bob's QUERY of a dma-buf returns no flag but that bob is only its holder. */
static void only_holder(int fd, const char *what)
{
	struct ccshm_ioc_query *q = common(sizeof(*q));
	int was = private_fd;

	private_fd = fd;
	is_errno(as_user(BOB, 0, hold, q), 0, "BY_FD by bob of a dma-buf of a buffer that %s: success", what);
	private_fd = was;
	ok(q->query_flags == CCSHM_QUERY_HOLDER, "BY_FD by bob does not return that the buffer %s", what);
}

static void test_hidden_flags(void)
{
	struct ccshm_ioc_info info;
	uint64_t id;
	int fd;

	must(seal(true));
	only_holder(private_fd, "is sealed");
	must(seal(false));
	must(raw_alloc(dev, PAGE, &id));
	fd = raw_export(dev, id, 0, NULL);
	must(raw_free(dev, id));
	only_holder(fd, "has ended");
	close(fd);
	must(raw_info(dev, &info));
	if (info.features & CCSHM_FEATURE_HEAP) {
		fd = heap_allocate(PAGE);
		only_holder(fd, "is from the heap node");
		close(fd);
	} else {
		skip("BY_FD by bob does not return that the buffer is from the heap node",
		     "the heap node is the kernel's");
	}
}

static void test_descriptors(void)
{
	struct ccshm_ioc_query *q = common(sizeof(*q)), want;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open("/proc/self/fd/0", O_PATH | O_CLOEXEC);

	is_errno(by_fd(dev, private_fd, &held), 0, "BY_FD of a dma-buf: success");
	must(raw_query(dev, of_private, &want));
	want.id = 0;
	want.flags = held.flags;
	want.fd = held.fd;
	ok(held.object_id == of_private && !memcmp(&held, &want, sizeof(want)),
	   "BY_FD of a dma-buf returns what QUERY of the export's id returns");
	is_errno(by_fd(dev, attachment_fd, &held), 0, "BY_FD of an attachment: success");
	ok(held.object_id == attachment && held.type == CCSHM_TYPE_ATTACHMENT,
	   "BY_FD of an attachment returns the attachment");
	is_errno(by_fd(dev, -1, &held), EBADF, "BY_FD of -1: EBADF");
	is_errno(by_fd(dev, 1000, &held), EBADF, "BY_FD of a closed descriptor: EBADF");
	is_errno(by_fd(dev, path, &held), EBADF, "BY_FD of an O_PATH descriptor: EBADF");
	is_errno(by_fd(dev, null, &held), EMEDIUMTYPE, "BY_FD of /dev/null: EMEDIUMTYPE");
	is_errno(by_fd(dev, dev, &held), EMEDIUMTYPE, "BY_FD of /dev/ccshm: EMEDIUMTYPE");
	close(null);
	close(path);

	is_errno(as_user(BOB, 0, hold, q), 0,
		 "BY_FD by bob of a dma-buf of a buffer that bob may not see: success");
	ok(q->object_id == of_private && q->buffer_id == private && q->size == PAGE &&
	   q->type == CCSHM_TYPE_EXPORT,
	   "BY_FD by bob returns the id of the export and of its buffer");
	ok(q->query_flags == CCSHM_QUERY_HOLDER && q->uid == (uint32_t)-1 &&
	   q->gid == (uint32_t)-1 && q->payer == (uint32_t)-1 && !q->mode && !q->name[0] &&
	   !q->charged && !q->carved && !q->blocks && !q->blocks_small && !q->units &&
	   !q->units_whole && !q->conversions, "BY_FD by bob returns no other field of the buffer");
	is_errno(as_user(BOB, 0, hold_attachment, q), 0,
		 "BY_FD by bob of an attachment of a buffer that bob may not see: success");
	ok(q->object_id == attachment && q->query_flags == CCSHM_QUERY_HOLDER &&
	   !strcmp(q->device, DEVICE),
	   "BY_FD by bob returns the id and the device of the attachment");
	is_errno(as_user(ALICE, 0, hold, q), 0,
		 "BY_FD by alice of a dma-buf of alice's buffer: success");
	ok(!(q->query_flags & CCSHM_QUERY_HOLDER) && !strcmp(q->name, "private"),
	   "BY_FD by alice returns all fields of alice's buffer");
}

/* ---- objects that have ended ---- */

static void test_ended(void)
{
	struct seen *seen = common(sizeof(*seen));
	uint64_t id, export;
	struct ccshm_ioc_query q;
	int fd;

	must(raw_alloc(dev, PAGE, &id));
	fd = raw_export(dev, id, 0, &export);
	is_errno(raw_free(dev, id), 0, "FREE of a buffer that has an export: success");
	is_errno(raw_query(dev, id, &q), ENOENT, "QUERY of a freed buffer with an export: ENOENT");
	must(look(seen));
	ok(sees(seen, CCSHM_TYPE_BUFFER, id),
	   "a list with NEXT contains a freed buffer with an export");
	is_errno(raw_query_next(dev, CCSHM_TYPE_BUFFER, id - 1, &q), 0,
		 "NEXT after the id before a freed buffer with an export: success");
	ok(q.object_id == id && q.query_flags & CCSHM_QUERY_ORPHAN,
	   "NEXT returns a freed buffer with an export as an orphan");
	is_errno(by_fd(dev, fd, &q), 0, "BY_FD of the export of a freed buffer: success");
	ok(q.object_id == export && q.query_flags & CCSHM_QUERY_ORPHAN,
	   "BY_FD returns the export of a freed buffer as an orphan");
	close(fd);
	for (int i = 0; i < 500 && sees(seen, CCSHM_TYPE_BUFFER, id); i++) {
		sleep_ms(20);
		must(look(seen));
	}
	ok(!sees(seen, CCSHM_TYPE_BUFFER, id),
	   "a list with NEXT does not contain a freed buffer after its memory is given back");
}

static void test_generation(void)
{
	struct ccshm_ioc_info a, b, c;
	uint64_t id;

	/* A buffer of an earlier test can end after its last descriptor is closed: wait until it has. */
	ok(wait_buffers(dev, 3), "only the three buffers of this test remain");
	must(raw_info(dev, &a));
	must(raw_info(dev, &b));
	must(raw_alloc(dev, PAGE, &id));
	must(raw_info(dev, &c));
	ok(a.generation && a.generation == b.generation,
	   "INFO: the generation is unchanged while no object changes");
	ok(c.generation != b.generation, "INFO: the generation changes with ALLOC");
	must(raw_free(dev, id));
	must(raw_info(dev, &a));
	ok(c.generation != a.generation, "INFO: the generation changes with FREE");
}

static void test_next_id(void)
{
	struct ccshm_ioc_info before, after;
	struct ccshm_ioc_query q;
	uint64_t id, last = 0;

	must(raw_info(dev, &before));
	for (uint32_t type = 1; type <= 3; type++)
		for (id = 0; !raw_query_next(dev, type, id, &q); id = q.object_id)
			last = q.object_id > last ? q.object_id : last;
	ok(last && last < before.next_id, "INFO: next_id is larger than the id of each object");
	must(raw_alloc(dev, PAGE, &id));
	ok(id >= before.next_id, "INFO: next_id is not larger than the id of the next object");
	must(raw_info(dev, &after));
	ok(after.next_id > id, "INFO: next_id grows with ALLOC");
	must(raw_free(dev, id));
}

int main(void)
{
	driver_load();
	dev = raw_open();
	if (setresuid(-1, ALICE, -1))
		bail("setresuid() failed");
	must(raw_alloc_named(dev, PAGE, "private", 0600, &private));
	must(raw_alloc_named(dev, PAGE, "readable", 0644, &readable));
	if (setresuid(-1, 0, -1))
		bail("setresuid() failed");
	must(raw_alloc(dev, PAGE, &anonymous));
	private_fd = raw_export(dev, private, 0, &of_private);
	attachment_fd = raw_attach(dev, anonymous, DEVICE, &attachment);
	if (!private || !readable || !anonymous || private_fd < 0 || attachment_fd < 0)
		bail("cannot make the objects that are to be listed");
	test_fields();
	test_visibility();
	test_own_anonymous();
	test_descriptors();
	test_hidden_flags();
	test_generation();
	test_next_id();
	test_ended();
	must(raw_detach(attachment_fd, 0));
	close(attachment_fd);
	close(private_fd);
	must(raw_free(dev, private));
	must(raw_free(dev, readable));
	must(raw_free(dev, anonymous));
	ok(wait_clean(dev), "no buffer and no shared memory is left");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
