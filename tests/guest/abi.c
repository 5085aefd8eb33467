// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl interface: each call with invalid sizes, flags, reserved fields, pointers, ranges,
 * names and ids fails with the documented errno and changes nothing.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 */
#include "tap.h"
#include "raw.h"

#include <sys/resource.h>

#define DEVICE	"pci:0000:00:04.0"
#define SIZE	(4 * MIB)

static int dev;
static uint64_t named, anonymous, export, attachment;
static int export_fd, attachment_fd;

/* ---- state that a failing call must not change ---- */

struct world {
	int fds;
	struct ccshm_ioc_info info;
	struct ccshm_ioc_query query[4];
};

static struct world world_now(void)
{
	const uint64_t ids[] = { named, anonymous, export, attachment };
	struct world w;

	memset(&w, 0, sizeof(w));
	w.fds = count_fds();
	must(raw_info(dev, &w.info));
	/* These count calls that were undone as well, so they may change. */
	w.info.calls_shared = 0;
	w.info.calls_private = 0;
	w.info.generation = 0;
	w.info.buffers_made = 0;
	w.info.exports_made = 0;
	w.info.attachments_made = 0;
	w.info.revokes = 0;
	w.info.revokes_failed = 0;
	w.info.events = 0;
	w.info.next_id = 0;
	for (int i = 0; i < 4; i++)
		must(raw_query(dev, ids[i], &w.query[i]));
	return w;
}

/* Wait for the state: a work item returns memory, so this can take a moment. */
static bool unchanged(const struct world *before)
{
	struct world now;

	for (int i = 0; i < 300; i++) {
		now = world_now();
		if (!memcmp(&now, before, sizeof(now)))
			return true;
		sleep_ms(10);
	}
	diag("changed: descriptors %d to %d, buffers %u to %u, exports %u to %u, attachments %u to %u, "
	     "bytes shared %llu to %llu", before->fds, now.fds, before->info.buffers,
	     now.info.buffers, before->info.exports, now.info.exports,
	     before->info.attachments, now.info.attachments,
	     (unsigned long long)before->info.bytes_shared,
	     (unsigned long long)now.info.bytes_shared);
	return false;
}

/* The state between two tests, after all that the earlier test made is gone. */
static struct world base;

static struct world settled(void)
{
	if (!unchanged(&base))
		diag("the previous test has left objects");
	return base;
}

/* ---- each call in a valid form ---- */

union arg {
	struct ccshm_ioc_info info;
	struct ccshm_ioc_alloc alloc;
	struct ccshm_ioc_free free;
	struct ccshm_ioc_open open;
	struct ccshm_ioc_query query;
	struct ccshm_ioc_export export;
	struct ccshm_ioc_revoke revoke;
	struct ccshm_ioc_attach attach;
	struct ccshm_ioc_segments segments;
	struct ccshm_ioc_detach detach;
	struct ccshm_ioc_importers importers;
	struct ccshm_ioc_device device;
	struct ccshm_ioc_pages pages;
	struct ccshm_ioc_set set;
	unsigned char bytes[4096];
};

static struct ccshm_ioc_segment segment_space[16];
static struct ccshm_ioc_run run_space[16];

static void make_info(union arg *a)
{
	a->info.flags = 0;
}

static void make_alloc(union arg *a)
{
	a->alloc.size = PAGE;
}

static void drop_alloc(union arg *a)
{
	must(raw_free(dev, a->alloc.id));
}

static void make_free(union arg *a)
{
	uint64_t id;

	must(raw_alloc(dev, PAGE, &id));
	a->free.id = id;
}

static void drop_free(union arg *a)
{
	must(raw_free_any(dev, a->free.id));
}

static void make_open(union arg *a)
{
	strcpy(a->open.name, "named");
}

static void make_query(union arg *a)
{
	a->query.id = named;
}

static void make_export(union arg *a)
{
	a->export.id = anonymous;
	a->export.offset = PAGE;
	a->export.size = MIB;
}

static void drop_export(union arg *a)
{
	close(a->export.fd);
}

static int revoke_fd = -1;

static void make_revoke(union arg *a)
{
	uint64_t id;

	revoke_fd = raw_export(dev, anonymous, 0, &id);
	a->revoke.id = id;
}

static void drop_revoke(union arg *a)
{
	(void)a;
	close(revoke_fd);
}

static void make_attach(union arg *a)
{
	a->attach.id = anonymous;
	strcpy(a->attach.device, DEVICE);
}

static void drop_attach(union arg *a)
{
	must(raw_detach(a->attach.fd, 0));
	close(a->attach.fd);
}

static void make_segments(union arg *a)
{
	a->segments.id = attachment;
	a->segments.segments = (uintptr_t)segment_space;
	a->segments.capacity = 16;
}

static int detach_fd = -1;

static void make_detach(union arg *a)
{
	uint64_t id;

	detach_fd = raw_attach(dev, anonymous, DEVICE, &id);
	a->detach.id = id;
}

static void drop_detach(union arg *a)
{
	(void)a;
	must(raw_detach(detach_fd, 0));
	close(detach_fd);
}

static struct ccshm_ioc_importer importer_space[16];

static void make_importers(union arg *a)
{
	a->importers.id = export;
	a->importers.importers = (uintptr_t)importer_space;
	a->importers.capacity = 16;
}

static void make_device(union arg *a)
{
	strcpy(a->device.device, DEVICE);
}

static void make_pages(union arg *a)
{
	a->pages.id = named;
	a->pages.runs = (uintptr_t)run_space;
	a->pages.capacity = 16;
}

static void make_set(union arg *a)
{
	a->set.id = named;
	a->set.flags = CCSHM_SET_SEALED;
	a->set.sealed = 1;
}

static void drop_set(union arg *a)
{
	struct ccshm_ioc_set undo = { .id = a->set.id, .flags = CCSHM_SET_SEALED };

	must(raw_ioctl(dev, CCSHM_IOC_SET, &undo));
}

/*
 * An ioctl, and how to make a valid call: make() sets the arguments, drop() undoes the call and
 * what make() prepared.
 */
struct call {
	const char *name;
	unsigned long request;
	unsigned int size;
	unsigned int out;	/* offset of the output; the size if there is none */
	unsigned int shorter;	/* a smaller size, without fields that may be omitted */
	int flags;		/* offset of the flags */
	uint64_t known;		/* valid flags */
	int reserved[3];	/* offsets of 32-bit words that must be 0; 0 ends the list */
	void (*make)(union arg *a);
	void (*drop)(union arg *a);
	bool makes_target;	/* call drop also after a failure */
};

#define AT(type, member) ((int)offsetof(struct ccshm_ioc_##type, member))

static const struct call calls[] = {
	{ "INFO", CCSHM_IOC_INFO, sizeof(struct ccshm_ioc_info), AT(info, abi_version), 8,
	  AT(info, flags), 0, { 0 }, make_info, NULL, false },
	{ "ALLOC", CCSHM_IOC_ALLOC, sizeof(struct ccshm_ioc_alloc), AT(alloc, id),
	  AT(alloc, actual_size), AT(alloc, flags),
	  CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID | CCSHM_ALLOC_GID | CCSHM_ALLOC_NODE |
		  CCSHM_ALLOC_INTERRUPTIBLE | CCSHM_ALLOC_DMA32 | CCSHM_ALLOC_CONTIGUOUS |
		  CCSHM_ALLOC_OTHERS_PIN | CCSHM_ALLOC_WHOLE_UNITS,
	  { AT(alloc, reserved), AT(alloc, reserved) + 4 }, make_alloc, drop_alloc, false },
	{ "FREE", CCSHM_IOC_FREE, sizeof(struct ccshm_ioc_free), sizeof(struct ccshm_ioc_free), 8,
	  AT(free, flags), CCSHM_FREE_REVOKE, { 0 }, make_free, drop_free, true },
	{ "OPEN", CCSHM_IOC_OPEN, sizeof(struct ccshm_ioc_open), AT(open, id), AT(open, id),
	  AT(open, flags), CCSHM_OPEN_UID, { AT(open, reserved) }, make_open, NULL, false },
	{ "QUERY", CCSHM_IOC_QUERY, sizeof(struct ccshm_ioc_query), AT(query, object_id), 8,
	  AT(query, flags), CCSHM_QUERY_BY_FD | CCSHM_QUERY_NEXT, { 0 }, make_query, NULL, false },
	{ "EXPORT", CCSHM_IOC_EXPORT, sizeof(struct ccshm_ioc_export), AT(export, export_id),
	  AT(export, reserved_out), AT(export, flags),
	  CCSHM_EXPORT_READ_ONLY | CCSHM_EXPORT_NO_CPU | CCSHM_EXPORT_PINNED,
	  { AT(export, reserved), AT(export, reserved) + 4 }, make_export, drop_export, false },
	{ "REVOKE", CCSHM_IOC_REVOKE, sizeof(struct ccshm_ioc_revoke), AT(revoke, state), 8,
	  AT(revoke, flags),
	  CCSHM_REVOKE_FORCE | CCSHM_REVOKE_SEAL | CCSHM_REVOKE_ORDERLY | CCSHM_REVOKE_BY_FD,
	  { AT(revoke, reserved) }, make_revoke, drop_revoke, true },
	{ "ATTACH", CCSHM_IOC_ATTACH, sizeof(struct ccshm_ioc_attach), AT(attach, attachment_id),
	  sizeof(struct ccshm_ioc_attach), AT(attach, flags),
	  CCSHM_ATTACH_DMABUF | CCSHM_ATTACH_PERSISTENT,
	  { AT(attach, reserved), AT(attach, reserved) + 4 }, make_attach, drop_attach, false },
	{ "SEGMENTS", CCSHM_IOC_SEGMENTS, sizeof(struct ccshm_ioc_segments), AT(segments, count),
	  AT(segments, total), AT(segments, flags), 0, { 0 }, make_segments, NULL, false },
	{ "DETACH", CCSHM_IOC_DETACH, sizeof(struct ccshm_ioc_detach),
	  sizeof(struct ccshm_ioc_detach), 8, AT(detach, flags), 0, { 0 }, make_detach,
	  drop_detach, true },
	{ "IMPORTERS", CCSHM_IOC_IMPORTERS, sizeof(struct ccshm_ioc_importers),
	  AT(importers, count), AT(importers, total), AT(importers, flags), 0, { 0 },
	  make_importers, NULL, false },
	{ "DEVICE", CCSHM_IOC_DEVICE, sizeof(struct ccshm_ioc_device), AT(device, verdict),
	  AT(device, reason), AT(device, flags), 0, { 0 }, make_device, NULL, false },
	{ "PAGES", CCSHM_IOC_PAGES, sizeof(struct ccshm_ioc_pages), AT(pages, count),
	  AT(pages, next), AT(pages, flags), 0, { 0 }, make_pages, NULL, false },
	{ "SET", CCSHM_IOC_SET, sizeof(struct ccshm_ioc_set), sizeof(struct ccshm_ioc_set),
	  AT(set, name), AT(set, flags),
	  CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID | CCSHM_SET_NAME | CCSHM_SET_SEALED,
	  { AT(set, reserved), AT(set, reserved) + 4 }, make_set, drop_set, true },
};

#define NR_CALLS	(sizeof(calls) / sizeof(calls[0]))
#define GUARD		0x5a

static const char *nth(uint64_t n)
{
	static char text[32];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)n);
	return text;
}

/*
 * Set the arguments of a valid call in @a. The output, and all bytes after the structure, are
 * GUARD.
 */
static void make(const struct call *c, union arg *a)
{
	memset(a->bytes, GUARD, sizeof(a->bytes));
	memset(a->bytes, 0, c->out);
	c->make(a);
}

static void drop(const struct call *c, union arg *a)
{
	if (c->drop)
		c->drop(a);
}

/*
 * Return whether the call with this size in its number fails with @want, and changes neither its
 * argument nor the state @before.
 */
static bool refuses(const struct call *c, union arg *a, unsigned int size, int want,
		    const struct world *before, const char *what)
{
	union arg copy = *a;
	int err = raw_ioctl(dev, raw_sized(c->request, size), a);

	if (err == -want && !memcmp(a, &copy, sizeof(copy)) && unchanged(before))
		return true;
	diag("%s with %s: %s, expected %s%s", c->name, what, tap_errno_name(err),
	     tap_errno_name(want), memcmp(a, &copy, sizeof(copy)) ? ", argument changed" : "");
	if (!err && c->drop && !c->makes_target)
		c->drop(a);
	return false;
}

/* ---- sizes ---- */

static void works_sized(const struct call *c, unsigned int size, const char *what)
{
	unsigned int written = size < c->size ? size : c->size;
	struct world before = settled();
	union arg a;
	int err;

	make(c, &a);
	if (size > c->size)
		memset(a.bytes + c->size, 0, size - c->size);
	else
		memset(a.bytes + size, GUARD, sizeof(a) - size);
	err = raw_ioctl(dev, raw_sized(c->request, size), &a);
	is_errno(err, 0, "%s %s works", c->name, what);
	ok(first_other(a.bytes + written, size > c->size ? 0 : GUARD,
		       (size > c->size ? size : sizeof(a)) - written) < 0,
	   "%s %s: the bytes after the structure are unchanged", c->name, what);
	if (!err || c->makes_target)
		drop(c, &a);
	ok(unchanged(&before), "%s %s: no object is left", c->name, what);
}

static void test_sizes(const struct call *c)
{
	static const unsigned int tails[] = { 0, 1, 7, 100 };
	struct world before;
	bool good = true;
	union arg a;

	works_sized(c, c->size, "of its own size");
	works_sized(c, c->shorter, "of a shorter size");
	works_sized(c, c->size + 8, "of a longer size with zeros");
	works_sized(c, 4000, "of a very large size with zeros");

	settled();
	make(c, &a);
	before = world_now();
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		memset(a.bytes + c->size, 0, 101);
		a.bytes[c->size + tails[i]] = 1;
		good &= refuses(c, &a, c->size + tails[i] + 1, E2BIG, &before,
				"a tail that is not zero");
	}
	ok(good, "%s with a tail that is not zero: E2BIG", c->name);
	if (c->makes_target)
		drop(c, &a);
}

/* A size of 0 makes every field 0. */
static void test_no_size(void)
{
	static const struct {
		const char *name;
		unsigned long request;
		int err;
	} empty[] = {
		{ "INFO", CCSHM_IOC_INFO, 0 },
		{ "ALLOC", CCSHM_IOC_ALLOC, EINVAL },
		{ "FREE", CCSHM_IOC_FREE, ENOENT },
		{ "OPEN", CCSHM_IOC_OPEN, EINVAL },
		{ "QUERY", CCSHM_IOC_QUERY, ENOENT },
		{ "EXPORT", CCSHM_IOC_EXPORT, ENOENT },
		{ "REVOKE", CCSHM_IOC_REVOKE, ENOENT },
		{ "ATTACH", CCSHM_IOC_ATTACH, ENOENT },
		{ "SEGMENTS", CCSHM_IOC_SEGMENTS, ENOENT },
		{ "DETACH", CCSHM_IOC_DETACH, ENOENT },
		{ "IMPORTERS", CCSHM_IOC_IMPORTERS, ENOENT },
		{ "DEVICE", CCSHM_IOC_DEVICE, EINVAL },
		{ "PAGES", CCSHM_IOC_PAGES, EINVAL },
		{ "SET", CCSHM_IOC_SET, EINVAL },
	};
	struct world before = settled();

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		is_errno(raw_ioctl(dev, raw_sized(empty[i].request, 0), NULL), empty[i].err,
			 "%s of size 0: same result as with all fields 0", empty[i].name);
	ok(unchanged(&before), "calls of size 0 change nothing");
}

/* ---- flags and reserved fields ---- */

static void test_flags(const struct call *c)
{
	struct world before;
	bool good = true;
	union arg a;

	settled();
	make(c, &a);
	before = world_now();
	for (int bit = 0; bit < 64; bit++) {
		uint64_t flag = 1ULL << bit, *flags = (void *)(a.bytes + c->flags);

		if (c->known & flag)
			continue;
		*flags |= flag;
		good &= refuses(c, &a, c->size, EINVAL, &before, nth(flag));
		*flags &= ~flag;
	}
	ok(good, "%s with an unknown flag: EINVAL, no change", c->name);

	good = true;
	for (int i = 0; i < 3 && c->reserved[i]; i++) {
		for (int byte = 0; byte < 4; byte++) {
			a.bytes[c->reserved[i] + byte] = 0x80;
			good &= refuses(c, &a, c->size, EINVAL, &before, "a reserved field");
			a.bytes[c->reserved[i] + byte] = 0;
		}
	}
	if (c->reserved[0])
		ok(good, "%s with a reserved field that is not zero: EINVAL", c->name);
	if (c->makes_target)
		drop(c, &a);
}

/* ---- pointers ---- */

/* Return two pages, the second of which is unmapped. */
static unsigned char *page_with_end(void)
{
	unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + PAGE, PAGE))
		bail("mmap: %s", strerror(errno));
	return p;
}

static void test_pointers(const struct call *c)
{
	unsigned char *page = page_with_end();
	struct world before, after_make;
	union arg a;
	bool good;
	int err;

	before = settled();
	make(c, &a);
	after_make = world_now();
	good = raw_ioctl(dev, c->request, NULL) == -EFAULT;
	good &= raw_ioctl(dev, c->request, page + PAGE) == -EFAULT;
	good &= raw_ioctl(dev, c->request, (void *)~0xfffUL) == -EFAULT;
	for (unsigned int missing = 1; missing < c->size; missing += 3) {
		unsigned char *at = page + PAGE - c->size + missing;

		memcpy(at, a.bytes, c->size - missing);
		good &= raw_ioctl(dev, c->request, at) == -EFAULT;
	}
	ok(good, "%s with a bad pointer, or one that crosses the end of memory: EFAULT", c->name);
	ok(unchanged(&after_make), "%s with a bad pointer changes nothing", c->name);

	memcpy(page + PAGE - c->size, a.bytes, c->size);
	err = raw_ioctl(dev, c->request, page + PAGE - c->size);
	is_errno(err, 0, "%s with the structure in the last bytes of a mapping works", c->name);
	memcpy(a.bytes, page + PAGE - c->size, c->size);
	if (!err || c->makes_target)
		drop(c, &a);
	ok(unchanged(&before),
	   "%s with the structure in the last bytes of a mapping: no object is left", c->name);
	munmap(page, PAGE);
}

/* Test a structure that can be read but not written. */
static void test_read_only(const struct call *c)
{
	unsigned char *page = page_with_end();
	struct world before, after_make;
	bool output = c->out < c->size;
	union arg a;
	int err;

	before = settled();
	make(c, &a);
	after_make = world_now();
	memcpy(page, a.bytes, c->size);
	mprotect(page, PAGE, PROT_READ);
	err = raw_ioctl(dev, c->request, page);
	if (output)
		is_errno(err, EFAULT, "%s with an output that cannot be written: EFAULT", c->name);
	else
		is_errno(err, 0, "%s without output: works from read-only memory", c->name);
	/* A revoke cannot be undone. */
	if (output && c->request != CCSHM_IOC_REVOKE)
		ok(unchanged(&after_make),
		   "%s with an output that cannot be written: the call is undone",
		   c->name);
	if (c->makes_target)
		drop(c, &a);
	ok(unchanged(&before), "%s from read-only memory: no object is left", c->name);
	munmap(page, PAGE);
}

/* ---- ioctl numbers and open files ---- */

static bool is_ours(unsigned int nr)
{
	for (size_t i = 0; i < NR_CALLS; i++)
		if (_IOC_NR(calls[i].request) == nr)
			return true;
	return false;
}

static void test_numbers(void)
{
	static const unsigned int dirs[] = { _IOC_NONE, _IOC_READ, _IOC_WRITE };
	struct world before = settled();
	bool good = true;
	union arg a;

	for (size_t i = 0; i < NR_CALLS; i++) {
		const struct call *c = &calls[i];

		for (int d = 0; d < 3; d++) {
			memset(&a, 0, sizeof(a));
			good &= raw_ioctl(dev, _IOC(dirs[d], CCSHM_IOC_MAGIC, _IOC_NR(c->request),
						    c->size), &a) == -ENOTTY;
		}
		good &= raw_ioctl(dev, _IOWR(0xCD, 0, char) + (_IOC_NR(c->request)), &a) == -ENOTTY;
	}
	ok(good, "ioctl with another direction or magic number: ENOTTY");

	good = true;
	for (unsigned int nr = 0; nr < 256; nr++) {
		memset(&a, 0, sizeof(a));
		if (!is_ours(nr))
			good &= raw_ioctl(dev, _IOC(_IOC_READ | _IOC_WRITE, CCSHM_IOC_MAGIC, nr,
						    16), &a) == -ENOTTY;
	}
	ok(good, "ioctl numbers that the driver does not define: ENOTTY");
	ok(unchanged(&before), "ioctl numbers that the driver does not define change nothing");
}

static void test_files(void)
{
	struct world before = settled();
	bool closed = true, other = true, attached = true, exported = true;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < NR_CALLS; i++) {
		const struct call *c = &calls[i];
		union arg a;

		memset(&a, 0, sizeof(a));
		closed &= raw_ioctl(-1, c->request, &a) == -EBADF;
		closed &= raw_ioctl(1000, c->request, &a) == -EBADF;
		other &= raw_ioctl(null, c->request, &a) == -ENOTTY;
		exported &= raw_ioctl(export_fd, c->request, &a) == -ENOTTY;
		if (c->request != CCSHM_IOC_SEGMENTS && c->request != CCSHM_IOC_DETACH)
			attached &= raw_ioctl(attachment_fd, c->request, &a) == -ENOTTY;
	}
	ok(closed, "calls on a closed descriptor: EBADF");
	ok(other, "calls on another device: ENOTTY");
	ok(exported, "calls on a dma-buf: ENOTTY");
	ok(attached, "calls other than SEGMENTS and DETACH on an attachment: ENOTTY");
	close(null);
	ok(unchanged(&before), "calls on other files change nothing");
}

/* Test every call on a file that was opened with the flags @how. */
static void test_looking(int how, const char *name)
{
	struct world before = settled();
	bool looks = true, changes = true;
	int fd = open(CCSHM_DEVICE, how | O_CLOEXEC);

	for (size_t i = 0; i < NR_CALLS; i++) {
		const struct call *c = &calls[i];
		bool look = c->request == CCSHM_IOC_INFO || c->request == CCSHM_IOC_OPEN ||
			    c->request == CCSHM_IOC_QUERY ||
			    c->request == CCSHM_IOC_IMPORTERS ||
			    c->request == CCSHM_IOC_PAGES || c->request == CCSHM_IOC_DEVICE;
		union arg a;
		int err;

		make(c, &a);
		/* Root can query the anonymous buffers of other open files. */
		err = raw_ioctl(fd, c->request, &a);
		if (err && look)
			diag("%s: %s", c->name, tap_errno_name(err));
		if (err != -EBADF && !look)
			diag("%s: %s, expected EBADF", c->name, tap_errno_name(err));
		looks &= !look || !err;
		changes &= look || err == -EBADF;
		if (!err || c->makes_target)
			drop(c, &a);
	}
	ok(looks, "%s: INFO, OPEN, QUERY, IMPORTERS, PAGES and DEVICE work", name);
	ok(changes, "%s: every other call: EBADF", name);
	close(fd);
	ok(unchanged(&before), "%s: nothing changes", name);
}

/* ---- ids ---- */

static int call_with_id(unsigned long request, uint64_t id)
{
	union arg a;

	/* The id is the first field of each of these structures. */
	memset(&a, 0, sizeof(a));
	if (request == CCSHM_IOC_ATTACH)
		make_attach(&a);
	if (request == CCSHM_IOC_SEGMENTS)
		make_segments(&a);
	if (request == CCSHM_IOC_PAGES)
		make_pages(&a);
	memcpy(a.bytes, &id, sizeof(id));
	return raw_ioctl(dev, request, &a);
}

static void test_ids(void)
{
	static const struct {
		const char *name;
		unsigned long request;
		bool buffer, export, attachment;	/* which kinds of ids the call refuses */
	} with_id[] = {
		{ "FREE", CCSHM_IOC_FREE, false, true, true },
		{ "QUERY", CCSHM_IOC_QUERY, false, false, false },
		{ "EXPORT", CCSHM_IOC_EXPORT, false, true, true },
		{ "REVOKE", CCSHM_IOC_REVOKE, false, false, false },
		{ "ATTACH", CCSHM_IOC_ATTACH, false, true, true },
		{ "SEGMENTS", CCSHM_IOC_SEGMENTS, true, true, false },
		{ "DETACH", CCSHM_IOC_DETACH, true, true, false },
		{ "IMPORTERS", CCSHM_IOC_IMPORTERS, true, false, true },
		{ "PAGES", CCSHM_IOC_PAGES, false, true, true },
	};
	static const uint64_t none[] = { 0, 1ULL << 40, ~0ULL, 1ULL << 63 };
	struct world before = settled();

	for (size_t i = 0; i < sizeof(with_id) / sizeof(with_id[0]); i++) {
		unsigned long request = with_id[i].request;
		bool good = true;

		for (int k = 0; k < 4; k++)
			good &= call_with_id(request, none[k]) == -ENOENT;
		ok(good, "%s of an id that does not exist: ENOENT", with_id[i].name);
		good = true;
		if (with_id[i].buffer)
			good &= call_with_id(request, named) == -ENOENT;
		if (with_id[i].export)
			good &= call_with_id(request, export) == -ENOENT;
		if (with_id[i].attachment)
			good &= call_with_id(request, attachment) == -ENOENT;
		ok(good, "%s of the id of another kind of object: ENOENT", with_id[i].name);
	}
	ok(unchanged(&before), "calls with a wrong id change nothing");
}

/* ---- ALLOC ---- */

static bool alloc_refused(struct ccshm_ioc_alloc req, int want, const char *what)
{
	int err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);

	if (err == -want)
		return true;
	diag("ALLOC with %s: %s, expected %s", what, tap_errno_name(err), tap_errno_name(want));
	if (!err)
		must(raw_free(dev, req.id));
	return false;
}

static void test_alloc_sizes(void)
{
	static const uint64_t over[] = { 0, ~0ULL, ~0ULL - 1, ~0ULL - 4094 };
	static const uint64_t huge[] = { 1ULL << 40, 1ULL << 50, 1ULL << 60, 1ULL << 62 };
	struct world before = settled();
	bool good = true;

	for (int i = 0; i < 4; i++)
		good &= alloc_refused((struct ccshm_ioc_alloc){ .size = over[i] }, EINVAL,
				      nth(over[i]));
	ok(good, "ALLOC of size 0, or of a size that overflows: EINVAL");
	good = true;
	for (int i = 0; i < 4; i++)
		good &= alloc_refused((struct ccshm_ioc_alloc){ .size = huge[i] }, ENOMEM,
				      nth(huge[i]));
	ok(good, "ALLOC of more than the memory of the machine: ENOMEM");
	good = true;
	for (int i = 0; i < 4; i++)
		good &= alloc_refused((struct ccshm_ioc_alloc){ .size = huge[i],
								.flags = CCSHM_ALLOC_CONTIGUOUS },
				      EFBIG, nth(huge[i]));
	good &= alloc_refused((struct ccshm_ioc_alloc){ .size = 4 * MIB + 1,
							.flags = CCSHM_ALLOC_CONTIGUOUS },
			      EFBIG, "a size above the largest block");
	ok(good, "ALLOC with CONTIGUOUS of more than the largest block: EFBIG");
	ok(unchanged(&before), "ALLOC of an invalid size changes nothing");
}

static void test_alloc_fields(void)
{
	static const unsigned int modes[] = { 0111, 0667, 0777, 01000, 04600, 0x80000000 };
	static const int nodes[] = { -1, 1, 63, 64, 1 << 20, INT32_MAX, INT32_MIN };
	const uint64_t persistent = CCSHM_ALLOC_PERSISTENT;
	const struct ccshm_ioc_alloc base = { .size = PAGE };
	struct world before = settled();
	struct ccshm_ioc_alloc req;
	bool good = true;

#define WITH(...) ((struct ccshm_ioc_alloc){ .size = PAGE, __VA_ARGS__ })
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		good &= alloc_refused(WITH(.flags = persistent, .mode = modes[i]), EINVAL,
				      nth(modes[i]));
	ok(good, "ALLOC with a mode beyond 0666: EINVAL");
	good = true;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		good &= alloc_refused(WITH(.flags = CCSHM_ALLOC_NODE, .node = nodes[i]), EINVAL,
				      nth(nodes[i]));
	ok(good, "ALLOC on a node that does not exist: EINVAL");
	good = alloc_refused(WITH(.node = 1), EINVAL, "node without its flag");
	good &= alloc_refused(WITH(.flags = persistent, .uid = 1), EINVAL, "uid without its flag");
	good &= alloc_refused(WITH(.flags = persistent, .gid = 1), EINVAL, "gid without its flag");
	ok(good, "ALLOC with a node, owner or group without its flag: EINVAL");
	good = alloc_refused(WITH(.flags = persistent | CCSHM_ALLOC_UID, .uid = -1U), EINVAL,
			     "uid -1");
	good &= alloc_refused(WITH(.flags = persistent | CCSHM_ALLOC_GID, .gid = -1U), EINVAL,
			      "gid -1");
	ok(good, "ALLOC with uid -1 or gid -1: EINVAL");
	good = alloc_refused(WITH(.mode = 0600), EINVAL, "mode");
	good &= alloc_refused(WITH(.flags = CCSHM_ALLOC_UID, .uid = 0), EINVAL, "owner");
	good &= alloc_refused(WITH(.flags = CCSHM_ALLOC_GID, .gid = 0), EINVAL, "group");
	req = base;
	strcpy(req.name, "x");
	good &= alloc_refused(req, EINVAL, "name");
	ok(good, "ALLOC of an anonymous buffer with mode, owner, group or name: EINVAL");
	req = WITH(.flags = persistent);
	strcpy(req.name, "named");
	ok(alloc_refused(req, EEXIST, "a name in use"), "ALLOC with a name in use: EEXIST");
	ok(unchanged(&before), "ALLOC with invalid fields changes nothing");
	req = WITH(.flags = CCSHM_ALLOC_NODE, .node = 0);
	is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0, "ALLOC on node 0 works");
	must(raw_free(dev, req.id));
	ok(unchanged(&before), "ALLOC on node 0: freed completely");
}

static const struct {
	const char *name;
	bool valid;
} names[] = {
	{ "a", true }, { "_", true }, { "Z9", true }, { "a.b-c_d", true },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789a", true },
	{ "9a", false }, { "-a", false }, { ".a", false }, { "a/b", false }, { "a b", false },
	{ "a\n", false }, { "a\177", false }, { "caf\303\251", false }, { "a:b", false },
	{ "a%", false }, { " ", false }, { "/", false }, { "a@b", false }, { "[", false },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789ab", false },
	{ "a\0b", false },	/* characters after the NUL */
};

static int use_name(const char name[CCSHM_NAME_LEN])
{
	struct ccshm_ioc_alloc req = { .size = PAGE, .flags = CCSHM_ALLOC_PERSISTENT };
	struct ccshm_ioc_open find = { 0 };
	int err, found;

	memcpy(req.name, name, sizeof(req.name));
	memcpy(find.name, name, sizeof(find.name));
	err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);
	found = raw_ioctl(dev, CCSHM_IOC_OPEN, &find);
	if (!err)
		must(raw_free(dev, req.id));
	return err == found && req.id == find.id ? err : -EIO;
}

static void test_names(void)
{
	struct world before = settled();
	struct ccshm_ioc_open req = { 0 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[CCSHM_NAME_LEN] = { 0 };
		size_t len = strlen(names[i].name);

		memcpy(name, names[i].name, len);
		if (!strcmp(names[i].name, "a") && !names[i].valid)
			name[2] = 'b';
		is_errno(use_name(name), names[i].valid ? 0 : EINVAL,
			 "name %zu is %s by ALLOC and OPEN", i,
			 names[i].valid ? "taken" : "refused");
	}
	is_errno(raw_ioctl(dev, CCSHM_IOC_OPEN, &req), EINVAL, "OPEN of an empty name: EINVAL");
	strcpy(req.name, "absent");
	is_errno(raw_ioctl(dev, CCSHM_IOC_OPEN, &req), ENOENT, "OPEN of an absent name: ENOENT");
	strcpy(req.name, "named");
	req.uid = 1;
	is_errno(raw_ioctl(dev, CCSHM_IOC_OPEN, &req), EINVAL, "OPEN with uid but no flag: EINVAL");
	req.flags = CCSHM_OPEN_UID;
	is_errno(raw_ioctl(dev, CCSHM_IOC_OPEN, &req), ENOENT,
		 "OPEN of another user's name: ENOENT");
	req.uid = -1U;
	is_errno(raw_ioctl(dev, CCSHM_IOC_OPEN, &req), EINVAL, "OPEN with uid -1: EINVAL");
	ok(unchanged(&before), "ALLOC and OPEN with names: no object is left");
}

/* ---- ranges ---- */

struct range {
	uint64_t offset, size;
};

/* Invalid ranges in an object of SIZE bytes. */
static const struct range bad_ranges[] = {
	{ 1, 0 }, { PAGE - 1, PAGE }, { PAGE / 2, PAGE }, { 0, 1 }, { 0, PAGE + 1 },
	{ PAGE, PAGE - 1 }, { SIZE, 0 }, { SIZE, PAGE }, { SIZE + PAGE, 0 }, { 0, SIZE + PAGE },
	{ PAGE, SIZE }, { SIZE - PAGE, 2 * PAGE }, { ~0ULL - PAGE + 1, 0 },
	{ ~0ULL - PAGE + 1, PAGE }, { PAGE, ~0ULL - PAGE + 1 }, { 1ULL << 63, 1ULL << 63 },
	{ 0, ~0ULL - PAGE + 1 }, { SIZE - PAGE, ~0ULL - SIZE + 2 * PAGE + 1 },
	{ 0, 1ULL << 63 }, { 1ULL << 52, PAGE }, { 1ULL << 63, PAGE },
};

static const struct range good_ranges[] = {
	{ 0, 0 }, { 0, SIZE }, { 0, PAGE }, { SIZE - PAGE, 0 }, { SIZE - PAGE, PAGE },
	{ PAGE, SIZE - PAGE },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static bool range_refused(int err, const struct range *r, const char *what)
{
	if (err == -EINVAL)
		return true;
	diag("%s at %#llx of %#llx: %s", what, (unsigned long long)r->offset,
	     (unsigned long long)r->size, tap_errno_name(err));
	return false;
}

static void test_export_ranges(void)
{
	struct world before = settled();
	bool good = true;
	int fd = -1;

	/* Stop at the first range that is accepted: it lies outside the memory. */
	for (size_t i = 0; i < NR(bad_ranges) && good; i++) {
		const struct range *r = &bad_ranges[i];

		fd = raw_export_slice(dev, anonymous, 0, r->offset, r->size, NULL);
		good = range_refused(fd, r, "EXPORT");
	}
	ok(good, "EXPORT of an unaligned, overlong or overflowing range: EINVAL");
	if (fd >= 0)
		close(fd);
	ok(unchanged(&before), "EXPORT of an invalid range changes nothing");
	good = true;
	for (size_t i = 0; i < NR(good_ranges); i++) {
		const struct range *r = &good_ranges[i];
		uint64_t want = r->size ? r->size : SIZE - r->offset;
		struct ccshm_ioc_export req = { .id = anonymous, .offset = r->offset,
						.size = r->size };
		struct ccshm_ioc_query q;

		good &= !raw_ioctl(dev, CCSHM_IOC_EXPORT, &req) && req.actual_size == want &&
			req.size == r->size && lseek(req.fd, 0, SEEK_END) == (off_t)want &&
			!raw_query(dev, req.export_id, &q) && q.offset == r->offset &&
			q.size == want;
		close(req.fd);
	}
	ok(good, "EXPORT of valid ranges: sizes of call, dma-buf and QUERY agree");
	ok(unchanged(&before), "EXPORT of valid ranges: no object is left");
}

static int attach_range(const struct range *r, int dmabuf, uint64_t *actual)
{
	struct ccshm_ioc_attach req = { .offset = r->offset, .size = r->size, .device = DEVICE };
	int err;

	if (dmabuf < 0) {
		req.id = anonymous;
	} else {
		req.flags = CCSHM_ATTACH_DMABUF;
		req.dmabuf_fd = dmabuf;
	}
	err = raw_ioctl(dev, CCSHM_IOC_ATTACH, &req);
	if (err)
		return err;
	*actual = req.actual_size;
	must(raw_detach(req.fd, 0));
	close(req.fd);
	return 0;
}

/* Test ATTACH with invalid ranges. @dmabuf: attach this dma-buf; -1: attach the buffer. */
static void test_attach_ranges(const char *what, int dmabuf)
{
	struct world before = settled();
	uint64_t actual;
	bool good = true;

	for (size_t i = 0; i < NR(bad_ranges); i++)
		good &= range_refused(attach_range(&bad_ranges[i], dmabuf, &actual), &bad_ranges[i],
				      what);
	ok(good, "ATTACH of an unaligned, overlong or overflowing range of %s: EINVAL", what);
	ok(unchanged(&before), "ATTACH of an invalid range of %s changes nothing", what);
	good = true;
	for (size_t i = 0; i < NR(good_ranges); i++) {
		const struct range *r = &good_ranges[i];

		actual = 0;
		good &= !attach_range(r, dmabuf, &actual) &&
			actual == (r->size ? r->size : SIZE - r->offset);
	}
	ok(good, "ATTACH of valid ranges of %s works", what);
	ok(unchanged(&before), "ATTACH of valid ranges: no object is left");
}

/* ---- fields of ATTACH, SEGMENTS and REVOKE ---- */

static bool attach_refused(struct ccshm_ioc_attach req, int want, const char *what)
{
	int err = raw_ioctl(dev, CCSHM_IOC_ATTACH, &req);

	if (err == -want)
		return true;
	diag("ATTACH with %s: %s, expected %s", what, tap_errno_name(err), tap_errno_name(want));
	if (!err) {
		must(raw_detach(req.fd, 0));
		close(req.fd);
	}
	return false;
}

/* Device names that ATTACH refuses. DEVICE accepts more buses. */
static const char *const bad_devices[] = {
	"", "0000:00:04.0", "pci:", "PCI:0000:00:04.0", "usb:1-1", "pci", ":", "pci:none",
	"pci:0000:00:04.0 ", "pci:00:04.0", "pci:0000:00:04.0/", "pci: 0000:00:04.0",
	"pci:0000:00:04.8", "pci:0000:00:20.0", "pci:0000:100:00.0", "platform:", "virtio:",
	"platform", "virtio0",
};

static const char *const absent_devices[] = {
	"pci:0000:00:1e.7", "pci:0000:ff:00.0",
};

static void test_attach_devices(void)
{
	struct world before = settled();
	struct ccshm_ioc_attach req;
	bool good = true;

	for (size_t i = 0; i < NR(bad_devices); i++) {
		req = (struct ccshm_ioc_attach){ .id = anonymous };
		strcpy(req.device, bad_devices[i]);
		good &= attach_refused(req, EINVAL, bad_devices[i]);
	}
	req = (struct ccshm_ioc_attach){ .id = anonymous, .device = "platform:pcspkr" };
	good &= attach_refused(req, EINVAL, "a platform device");
	req = (struct ccshm_ioc_attach){ .id = anonymous };
	memset(req.device, 'a', sizeof(req.device));
	memcpy(req.device, DEVICE, strlen(DEVICE));
	good &= attach_refused(req, EINVAL, "a device without end");
	req = (struct ccshm_ioc_attach){ .id = anonymous, .device = DEVICE };
	req.device[CCSHM_DEVICE_LEN - 1] = 1;
	good &= attach_refused(req, EINVAL, "something behind the device");
	ok(good, "ATTACH with a malformed device: EINVAL");
	good = true;
	for (size_t i = 0; i < NR(absent_devices); i++) {
		req = (struct ccshm_ioc_attach){ .id = anonymous };
		strcpy(req.device, absent_devices[i]);
		good &= attach_refused(req, ENODEV, absent_devices[i]);
	}
	ok(good, "ATTACH to a device that does not exist: ENODEV");
	ok(unchanged(&before), "ATTACH with an invalid device changes nothing");
}

static bool device_refused(struct ccshm_ioc_device req, int want, const char *what)
{
	int err = raw_ioctl(dev, CCSHM_IOC_DEVICE, &req);

	if (err != -want)
		diag("DEVICE of %s: %s, expected %s", what, tap_errno_name(err),
		     tap_errno_name(want));
	return err == -want;
}

static void test_device_names(void)
{
	static const char *const absent[] = {
		"platform:0000:00:04.0", "virtio:0000:00:04.0", "virtio:virtio99",
		"platform:no such device", "platform:../devices",
	};
	struct world before = settled();
	struct ccshm_ioc_device req;
	bool good = true;

	for (size_t i = 0; i < NR(bad_devices); i++) {
		req = (struct ccshm_ioc_device){ 0 };
		strcpy(req.device, bad_devices[i]);
		good &= device_refused(req, EINVAL, bad_devices[i]);
	}
	req = (struct ccshm_ioc_device){ 0 };
	memset(req.device, 'a', sizeof(req.device));
	memcpy(req.device, "platform:", 9);
	good &= device_refused(req, EINVAL, "a device without end");
	req = (struct ccshm_ioc_device){ .device = DEVICE };
	req.device[CCSHM_DEVICE_LEN - 1] = 1;
	good &= device_refused(req, EINVAL, "something behind the device");
	ok(good, "DEVICE of a malformed device: EINVAL");
	good = true;
	for (size_t i = 0; i < NR(absent_devices); i++) {
		req = (struct ccshm_ioc_device){ 0 };
		strcpy(req.device, absent_devices[i]);
		good &= device_refused(req, ENODEV, absent_devices[i]);
	}
	for (size_t i = 0; i < NR(absent); i++) {
		req = (struct ccshm_ioc_device){ 0 };
		strcpy(req.device, absent[i]);
		good &= device_refused(req, ENODEV, absent[i]);
	}
	ok(good, "DEVICE of a device that does not exist: ENODEV");
	ok(unchanged(&before), "DEVICE of an invalid device changes nothing");
}

static void test_attach_fields(void)
{
	struct world before = settled();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool good;

#define ATTACH(...) ((struct ccshm_ioc_attach){ .device = DEVICE, __VA_ARGS__ })
	good = attach_refused(ATTACH(.id = anonymous, .dma_bits = 65), EINVAL, "65 bits");
	good &= attach_refused(ATTACH(.id = anonymous, .dma_bits = -1U), EINVAL, "-1 bits");
	ok(good, "ATTACH with more than 64 address bits: EINVAL");
	ok(attach_refused(ATTACH(.id = anonymous, .dma_bits = 12), ERANGE, "12 bits"),
	   "ATTACH with too few address bits: ERANGE");
	good = attach_refused(ATTACH(.id = anonymous, .dmabuf_fd = export_fd), EINVAL, "both");
	good &= attach_refused(ATTACH(.id = anonymous, .dmabuf_fd = export_fd,
				      .flags = CCSHM_ATTACH_DMABUF), EINVAL, "both");
	ok(good, "ATTACH with both a buffer and a dma-buf: EINVAL");
	good = attach_refused(ATTACH(.dmabuf_fd = -1, .flags = CCSHM_ATTACH_DMABUF), EBADF, "-1");
	good &= attach_refused(ATTACH(.dmabuf_fd = 1000, .flags = CCSHM_ATTACH_DMABUF), EBADF,
			       "1000");
	ok(good, "ATTACH of a dma-buf descriptor that is not open: EBADF");
	good = attach_refused(ATTACH(.dmabuf_fd = null, .flags = CCSHM_ATTACH_DMABUF),
			      EMEDIUMTYPE, "/dev/null");
	good &= attach_refused(ATTACH(.dmabuf_fd = dev, .flags = CCSHM_ATTACH_DMABUF),
			       EMEDIUMTYPE, CCSHM_DEVICE);
	good &= attach_refused(ATTACH(.dmabuf_fd = attachment_fd, .flags = CCSHM_ATTACH_DMABUF),
			       EMEDIUMTYPE, "an attachment");
	ok(good, "ATTACH of a file that is not a dma-buf of ccshm: EMEDIUMTYPE");
	good = attach_refused(ATTACH(.id = anonymous, .flags = CCSHM_ATTACH_PERSISTENT), EINVAL,
			      "persistent");
	ok(good, "a persistent ATTACH of an anonymous buffer: EINVAL");
	close(null);
	ok(unchanged(&before), "ATTACH with invalid fields changes nothing");
}

static void test_segments_fields(void)
{
	struct world before = settled();
	struct ccshm_ioc_segment seg[16];
	unsigned int total;
	int n;

	n = raw_segments(dev, attachment, seg, 0, 16, &total);
	ok(n > 0 && total == (unsigned int)n, "SEGMENTS returns all %u segments", total);
	is_int(raw_segments(attachment_fd, 0, seg, 0, 16, &total), n,
	       "SEGMENTS on the attachment's own descriptor without an id works");
	is_int(raw_segments(attachment_fd, attachment, seg, 0, 16, NULL), n,
	       "SEGMENTS on the attachment's own descriptor with its id works");
	is_errno(raw_segments(attachment_fd, anonymous, seg, 0, 16, NULL), EINVAL,
		 "SEGMENTS on the attachment's own descriptor with another id: EINVAL");
	is_errno(raw_detach(attachment_fd, anonymous), EINVAL,
		 "DETACH on an attachment's own descriptor with another id: EINVAL");
	is_int(raw_segments(dev, attachment, NULL, 0, 0, &total), 0,
	       "SEGMENTS without an array returns 0 segments");
	is_int(total, n, "SEGMENTS without an array returns the total");
	is_int(raw_segments(dev, attachment, seg, n, 1, NULL), 0,
	       "SEGMENTS at the end returns 0 segments");
	is_errno(raw_segments(dev, attachment, seg, n + 1, 1, NULL), EINVAL,
		 "SEGMENTS beyond the end: EINVAL");
	is_errno(raw_segments(dev, attachment, seg, -1U, -1U, NULL), EINVAL,
		 "SEGMENTS far beyond the end: EINVAL");
	is_errno(raw_segments(dev, attachment, NULL, 0, 1, NULL), EFAULT,
		 "SEGMENTS to a bad pointer: EFAULT");
	is_int(raw_segments(dev, attachment, seg, 0, -1U, NULL), n,
	       "SEGMENTS with a huge capacity returns all segments");
	ok(unchanged(&before), "SEGMENTS changes nothing");
}

static void test_pages_fields(void)
{
	struct world before = settled();
	bool good = true;
	uint64_t next;

	for (size_t i = 0; i < NR(bad_ranges); i++)
		good &= range_refused(raw_pages(dev, named, bad_ranges[i].offset,
						bad_ranges[i].size, run_space, 16, NULL),
				      &bad_ranges[i], "PAGES");
	ok(good, "PAGES of a range that is unaligned, too long or overflows: EINVAL");
	good = true;
	for (size_t i = 0; i < NR(good_ranges); i++) {
		uint64_t end = good_ranges[i].size ? good_ranges[i].offset + good_ranges[i].size :
						     SIZE;

		good &= raw_pages(dev, named, good_ranges[i].offset, good_ranges[i].size,
				  run_space, 16, &next) > 0 && next == end;
	}
	ok(good, "PAGES of valid ranges reports runs up to the end");
	is_errno(raw_pages(dev, named, 0, 0, run_space, 0, NULL), EINVAL,
		 "PAGES without capacity: EINVAL");
	is_errno(raw_pages(dev, named, 0, 0, NULL, 16, NULL), EFAULT,
		 "PAGES to a bad pointer: EFAULT");
	ok(raw_pages(dev, named, 0, 0, run_space, -1U, NULL) > 0,
	   "PAGES with a huge capacity returns the runs that exist");
	ok(unchanged(&before), "PAGES changes nothing");
}

/* Test IMPORTERS of an export without importers. The suites with importers test the contents. */
static void test_importers_fields(void)
{
	struct world before = settled();
	struct ccshm_ioc_importer one;
	unsigned int total = 1;

	is_int(raw_importers(dev, export, &one, 0, 1, &total), 0,
	       "IMPORTERS of an export without importers returns 0");
	is_int(total, 0, "IMPORTERS of an export without importers: the total is 0");
	is_int(raw_importers(dev, export, NULL, 0, 0, NULL), 0,
	       "IMPORTERS without an array returns 0");
	is_errno(raw_importers(dev, export, &one, 1, 1, NULL), EINVAL,
		 "IMPORTERS beyond the end: EINVAL");
	is_errno(raw_importers(dev, export, &one, -1U, -1U, NULL), EINVAL,
		 "IMPORTERS far beyond the end: EINVAL");
	ok(unchanged(&before), "IMPORTERS changes nothing");
}

static void test_deadlines(void)
{
	static const int64_t bad[] = { -2, -1000, INT64_MIN, INT32_MIN };
	struct world before = settled();
	bool good = true;

	for (size_t i = 0; i < NR(bad); i++)
		good &= raw_revoke(dev, export, 0, bad[i], NULL) == -EINVAL;
	ok(good, "REVOKE with a deadline below -1: EINVAL");
	ok(unchanged(&before), "REVOKE with a deadline below -1 revokes nothing");
}

/* ---- no free descriptor ---- */

static void test_no_descriptors(void)
{
	struct world before = settled();
	struct rlimit old, none;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	int exported = raw_export(dev, anonymous, 0, NULL);
	int attached = raw_attach(dev, anonymous, DEVICE, NULL);

	setrlimit(RLIMIT_NOFILE, &old);
	is_errno(exported, EMFILE, "EXPORT without a free descriptor: EMFILE");
	is_errno(attached, EMFILE, "ATTACH without a free descriptor: EMFILE");
	ok(unchanged(&before), "EXPORT and ATTACH without a free descriptor: no object is left");
}

/* ---- output of calls that succeed ---- */

static void test_info(void)
{
	enum ccshm_platform want = cvm_flavour() == CVM_SEV ? CCSHM_PLATFORM_SEV :
				   cvm_flavour() == CVM_TDX ? CCSHM_PLATFORM_TDX :
				   cvm_flavour() == CVM_CCA ? CCSHM_PLATFORM_CCA :
				   cvm_flavour() == CVM_SNP ? CCSHM_PLATFORM_SEV_SNP :
							      CCSHM_PLATFORM_NONE;
	struct ccshm_ioc_info info;

	memset(&info, 0xff, sizeof(info));
	info.flags = 0;
	is_errno(raw_ioctl(dev, CCSHM_IOC_INFO, &info), 0, "INFO works");
	is_int(info.abi_version, CCSHM_ABI_VERSION, "INFO reports the version of the interface");
	is_int(info.platform, want, "INFO reports the platform");
	is_int(info.info_flags, want ? 0 : CCSHM_INFO_PLAIN,
	       "INFO sets the flag PLAIN on a plain machine only");
	is_int(info.features, CCSHM_FEATURE_HEAP | (want ? CCSHM_FEATURE_PAGES : 0),
	       "INFO reports the features");
	is_int(info.contiguous_max, 4 * MIB, "INFO reports the largest block");
	is_int(info.blocks_carved + info.bytes_carved, 0, "INFO reports no carved blocks or bytes");
	is_int(info.block_size, UNIT, "INFO reports the unit of conversion");
	is_int(info.abi_oldest, CCSHM_ABI_OLDEST,
	       "INFO reports the oldest supported version of the interface");
	ok(info.generation, "INFO reports a generation that is not 0");
	ok(info.buffers_made == 2 && info.exports_made == 1 && info.attachments_made == 1,
	   "INFO counts the objects that were created");
	is_int(info.reserved_tail, 0, "INFO sets the reserved field to 0");
	is_int(info.buffers, 2, "INFO counts 2 buffers");
	is_int(info.exports, 1, "INFO counts 1 export");
	is_int(info.attachments, 1, "INFO counts 1 attachment");
	is_int(info.bytes_shared, 2 * SIZE, "INFO counts the shared bytes");
	ok(info.used_bytes == 2 * SIZE && info.user_bytes == 2 * SIZE,
	   "INFO counts the used bytes, in total and of the paying user");
	ok(info.user_buffers == 2 && info.user_exports == 1 && info.user_attachments == 1 &&
	   !info.user_importers && !info.importers, "INFO counts the objects of the caller");
	is_int(info.refusals, 0, "INFO counts 0 refused calls");
	is_int(info.bytes_leaked + info.bytes_quarantined + info.calls_failed, 0,
	       "INFO counts 0 failed conversions");
	ok(memchr(info.driver_version, 0, sizeof(info.driver_version)) && info.driver_version[0],
	   "INFO reports the driver's version: %.*s", (int)sizeof(info.driver_version),
	   info.driver_version);
}

/* Test that QUERY sets the fields to 0 that have no meaning for a kind of object. */
static void test_query(void)
{
	struct ccshm_ioc_query q;

	memset(&q, 0xff, sizeof(q));
	q.id = named;
	q.flags = 0;
	q.fd = 0;
	q.next_type = 0;
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), 0, "QUERY of a buffer works");
	ok(q.type == CCSHM_TYPE_BUFFER && q.state == CCSHM_STATE_ACTIVE && q.buffer_id == named &&
	   q.object_flags == CCSHM_ALLOC_PERSISTENT && q.query_flags == CCSHM_QUERY_CONTROL,
	   "QUERY of a buffer: type, state, id, flags");
	ok(q.size == SIZE && q.charged == SIZE && q.mode == 0640 && !q.uid && !q.gid && !q.payer,
	   "QUERY of a buffer: size, mode, owner, payer");
	ok(!q.export_id && !q.offset && !q.importers && !q.device_mappings && !q.cpu_mappings &&
	   !q.dma_bits && !q.segments && !q.reserved_out && !q.exports && !q.attachments &&
	   !q.carved && first_other(q.device, 0, sizeof(q.device)) < 0,
	   "QUERY of a buffer: the other fields are 0");
	ok(!strcmp(q.name, "named") && first_other(q.name + 5, 0, sizeof(q.name) - 5) < 0,
	   "QUERY of a buffer: the name, followed by zeros");

	memset(&q, 0xff, sizeof(q));
	q.id = attachment;
	q.flags = 0;
	q.fd = 0;
	q.next_type = 0;
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), 0, "QUERY of an attachment works");
	ok(q.type == CCSHM_TYPE_ATTACHMENT && q.buffer_id == anonymous && !q.export_id &&
	   q.size == SIZE && q.device_mappings == 1 && q.segments && !strcmp(q.device, DEVICE),
	   "QUERY of an attachment: type, buffer, size, segments, device");
	ok(!q.name[0] && !q.importers && !q.cpu_mappings && !q.exports && !q.attachments &&
	   !q.reserved_out, "QUERY of an attachment: the other fields are 0");

	memset(&q, 0xff, sizeof(q));
	q.id = export;
	q.flags = 0;
	q.fd = 0;
	q.next_type = 0;
	is_errno(raw_ioctl(dev, CCSHM_IOC_QUERY, &q), 0, "QUERY of an export works");
	ok(q.type == CCSHM_TYPE_EXPORT && q.buffer_id == anonymous && q.size == SIZE &&
	   !q.offset && !q.export_id && !q.dma_bits && !q.segments && !q.device[0] &&
	   !q.device_mappings && !q.reserved_out,
	"QUERY of an export: type, buffer, size; the other fields are 0");
}

static void test_close_on_exec(void)
{
	ok(fcntl(export_fd, F_GETFD) & FD_CLOEXEC, "the descriptor of a dma-buf is close-on-exec");
	ok(fcntl(attachment_fd, F_GETFD) & FD_CLOEXEC,
	   "the descriptor of an attachment is close-on-exec");
}

int main(void)
{
	uint64_t shared_before = rig(CVM_PAGES_SHARED);

	driver_load();
	dev = raw_open();
	if (raw_alloc_named(dev, SIZE, "named", 0640, &named) ||
	    raw_alloc(dev, SIZE, &anonymous))
		bail("ALLOC failed");
	export_fd = raw_export(dev, anonymous, 0, &export);
	attachment_fd = raw_attach(dev, anonymous, DEVICE, &attachment);
	if (export_fd < 0 || attachment_fd < 0)
		bail("EXPORT (%s) or ATTACH (%s) failed", tap_errno_name(export_fd),
		     tap_errno_name(attachment_fd));

	base = world_now();
	test_info();
	test_query();
	test_close_on_exec();
	for (size_t i = 0; i < NR_CALLS; i++) {
		test_sizes(&calls[i]);
		test_flags(&calls[i]);
		test_pointers(&calls[i]);
		test_read_only(&calls[i]);
	}
	test_no_size();
	test_numbers();
	test_files();
	test_looking(O_RDONLY, "/dev/ccshm opened read-only");
	test_looking(O_ACCMODE, "/dev/ccshm opened for ioctls only");
	test_ids();
	test_alloc_sizes();
	test_alloc_fields();
	test_names();
	test_export_ranges();
	test_attach_ranges("a buffer", -1);
	test_attach_ranges("a dma-buf", export_fd);
	test_attach_devices();
	test_device_names();
	test_attach_fields();
	test_segments_fields();
	test_importers_fields();
	test_pages_fields();
	test_deadlines();
	test_no_descriptors();

	must(raw_detach(attachment_fd, 0));
	close(attachment_fd);
	close(export_fd);
	is_errno(raw_free(dev, named), 0, "the named buffer is freed");
	is_errno(raw_free(dev, anonymous), 0, "the anonymous buffer is freed");
	ok(wait_clean(dev), "after the last FREE: no object is left");
	ok(wait_rig_shared(shared_before), "after the last FREE: no page is shared");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
