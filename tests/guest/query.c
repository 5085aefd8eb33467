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


#define DEVICE	"pci:0000:00:04.0"
#define IDS	64

static int dev;
static uint64_t anonymous, private, readable;
static uint64_t of_private;		/* export of alice's buffer with mode 0600 */
static uint64_t attachment;
static int private_fd, attachment_fd;

static int next(int fd, uint32_t type, uint64_t after, struct ccshm_ioc_query *q)
{
	memset(q, 0, sizeof(*q));
	q->id = after;
	q->flags = CCSHM_QUERY_NEXT;
	q->next_type = type;
	return raw_ioctl(fd, CCSHM_IOC_QUERY, q);
}

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

		while (!(err = next(fd, type, last, &q)) && seen->nr[type] < IDS) {
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
	is_int(sees(seen, CCSHM_TYPE_BUFFER, anonymous), anon, "%s: the anonymous buffer", who);
	is_int(sees(seen, CCSHM_TYPE_BUFFER, private), priv, "%s: the buffer of mode 0600", who);
	ok(sees(seen, CCSHM_TYPE_BUFFER, readable), "%s: the buffer of mode 0644", who);
	is_int(sees(seen, CCSHM_TYPE_EXPORT, of_private), priv, "%s: its export", who);
	is_int(sees(seen, CCSHM_TYPE_ATTACHMENT, attachment), anon, "%s: the attachment", who);
	is_int(seen->nr[CCSHM_TYPE_BUFFER], 1 + anon + priv, "%s: and no other buffer", who);
	ok(seen->ascending, "%s: in the order of their ids, of the type asked for", who);
	ok(seen->same, "%s: QUERY of each id returns the same", who);
}

static void test_who_sees_what(void)
{
	struct seen *seen = common(sizeof(*seen));

	is_errno(as_user(ROOT, ALL_CAPS, look_elsewhere, seen), 0,
		 "root lists in another network namespace");
	check_seen("root", seen, true, true);
	is_errno(as_user(ALICE, CAP(SYS_ADMIN), look_elsewhere, seen), 0,
		 "alice with CAP_SYS_ADMIN lists in another network namespace");
	check_seen("alice with CAP_SYS_ADMIN", seen, true, true);
	is_errno(as_user(ALICE, 0, look, seen), 0, "alice lists");
	check_seen("alice", seen, false, true);
	is_errno(as_user(BOB, 0, look, seen), 0, "bob lists");
	check_seen("bob", seen, false, false);
}

/* Test that the open file that allocated a buffer has control of the buffer. */
static void test_own_anonymous(void)
{
	struct ccshm_ioc_query q;

	is_errno(next(dev, CCSHM_TYPE_BUFFER, anonymous - 1, &q), 0, "NEXT on its own file");
	ok(q.object_id == anonymous && q.query_flags & CCSHM_QUERY_CONTROL,
	   "the anonymous buffer, with control");
}

/* ---- fields ---- */

static void test_fields(void)
{
	struct ccshm_ioc_query q;

	is_errno(next(dev, 0, 0, &q), EINVAL, "NEXT of no type: EINVAL");
	is_errno(next(dev, 4, 0, &q), EINVAL, "NEXT of an unknown type: EINVAL");
	is_errno(next(dev, CCSHM_TYPE_BUFFER, ~0ULL, &q), ENOENT, "NEXT after the largest id: ENOENT");
	q = (struct ccshm_ioc_query){ .id = readable, .next_type = 1 };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "a type without NEXT: EINVAL");
	q = (struct ccshm_ioc_query){ .id = readable, .fd = private_fd };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "a descriptor without BY_FD: EINVAL");
	q = (struct ccshm_ioc_query){ .flags = CCSHM_QUERY_NEXT | CCSHM_QUERY_BY_FD, .next_type = 1 };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "NEXT and BY_FD: EINVAL");
	q = (struct ccshm_ioc_query){ .id = 1, .flags = CCSHM_QUERY_BY_FD, .fd = private_fd };
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), EINVAL, "an id with BY_FD: EINVAL");
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

static void test_descriptors(void)
{
	struct ccshm_ioc_query *q = common(sizeof(*q)), want;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open("/proc/self/fd/0", O_PATH | O_CLOEXEC);

	is_errno(by_fd(dev, private_fd, &held), 0, "BY_FD of a dma-buf");
	raw_query(dev, of_private, &want);
	want.id = 0;
	want.flags = held.flags;
	want.fd = held.fd;
	ok(held.object_id == of_private && !memcmp(&held, &want, sizeof(want)),
	   "it says what QUERY of the export's id says");
	is_errno(by_fd(dev, attachment_fd, &held), 0, "BY_FD of an attachment");
	ok(held.object_id == attachment && held.type == CCSHM_TYPE_ATTACHMENT,
	   "it is that attachment");
	is_errno(by_fd(dev, -1, &held), EBADF, "BY_FD of -1: EBADF");
	is_errno(by_fd(dev, 1000, &held), EBADF, "BY_FD of a closed descriptor: EBADF");
	is_errno(by_fd(dev, path, &held), EBADF, "BY_FD of an O_PATH descriptor: EBADF");
	is_errno(by_fd(dev, null, &held), EMEDIUMTYPE, "BY_FD of /dev/null: EMEDIUMTYPE");
	is_errno(by_fd(dev, dev, &held), EMEDIUMTYPE, "BY_FD of /dev/ccshm: EMEDIUMTYPE");
	close(null);
	close(path);

	is_errno(as_user(BOB, 0, hold, q), 0, "bob holds the dma-buf of a buffer that he may not see");
	ok(q->object_id == of_private && q->buffer_id == private && q->size == PAGE &&
	   q->type == CCSHM_TYPE_EXPORT, "he learns which export it is");
	ok(q->query_flags == CCSHM_QUERY_HOLDER && q->uid == (uint32_t)-1 &&
	   q->gid == (uint32_t)-1 && q->payer == (uint32_t)-1 && !q->mode && !q->name[0] &&
	   !q->charged && !q->carved && !q->blocks && !q->blocks_small && !q->units &&
	   !q->units_whole && !q->conversions, "and nothing else of the buffer");
	is_errno(as_user(BOB, 0, hold_attachment, q), 0, "bob holds an attachment");
	ok(q->object_id == attachment && q->query_flags == CCSHM_QUERY_HOLDER &&
	   !strcmp(q->device, DEVICE), "he learns which attachment it is");
	is_errno(as_user(ALICE, 0, hold, q), 0, "alice holds the dma-buf of her buffer");
	ok(!(q->query_flags & CCSHM_QUERY_HOLDER) && !strcmp(q->name, "private"),
	   "she learns all of it");
}

/* ---- objects that have ended ---- */

static void test_ended(void)
{
	struct seen *seen = common(sizeof(*seen));
	uint64_t id, export;
	struct ccshm_ioc_query q;
	int fd;

	raw_alloc(dev, PAGE, &id);
	fd = raw_export(dev, id, 0, &export);
	is_errno(raw_free(dev, id), 0, "a buffer is freed that has an export");
	is_errno(raw_query(dev, id, &q), ENOENT, "QUERY of its id: ENOENT");
	look(seen);
	ok(sees(seen, CCSHM_TYPE_BUFFER, id), "NEXT visits it");
	is_errno(next(dev, CCSHM_TYPE_BUFFER, id - 1, &q), 0, "NEXT finds it");
	ok(q.object_id == id && q.query_flags & CCSHM_QUERY_ORPHAN, "as one that has ended");
	is_errno(by_fd(dev, fd, &q), 0, "its export is found by its descriptor");
	ok(q.object_id == export && q.query_flags & CCSHM_QUERY_ORPHAN, "likewise");
	close(fd);
	for (int i = 0; i < 500 && sees(seen, CCSHM_TYPE_BUFFER, id); i++) {
		sleep_ms(20);
		look(seen);
	}
	ok(!sees(seen, CCSHM_TYPE_BUFFER, id), "it goes when its memory has been given back");
}

static void test_generation(void)
{
	struct ccshm_ioc_info a, b, c;
	uint64_t id;

	raw_info(dev, &a);
	raw_info(dev, &b);
	raw_alloc(dev, PAGE, &id);
	raw_info(dev, &c);
	ok(a.generation && a.generation == b.generation, "the generation stays where nothing happens");
	ok(c.generation != b.generation, "it changes with a buffer that comes");
	raw_free(dev, id);
	raw_info(dev, &a);
	ok(c.generation != a.generation, "and with one that goes");
}

int main(void)
{
	driver_load();
	dev = raw_open();
	if (setresuid(-1, ALICE, -1))
		bail("setresuid");
	raw_alloc_named(dev, PAGE, "private", 0600, &private);
	raw_alloc_named(dev, PAGE, "readable", 0644, &readable);
	if (setresuid(-1, 0, -1))
		bail("setresuid");
	raw_alloc(dev, PAGE, &anonymous);
	private_fd = raw_export(dev, private, 0, &of_private);
	attachment_fd = raw_attach(dev, anonymous, DEVICE, &attachment);
	if (!private || !readable || !anonymous || private_fd < 0 || attachment_fd < 0)
		bail("cannot make what is to be seen");
	test_fields();
	test_who_sees_what();
	test_own_anonymous();
	test_descriptors();
	test_generation();
	test_ended();
	raw_detach(attachment_fd, 0);
	close(attachment_fd);
	close(private_fd);
	raw_free(dev, private);
	raw_free(dev, readable);
	raw_free(dev, anonymous);
	ok(wait_clean(dev), "nothing is left");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
