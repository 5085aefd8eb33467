// SPDX-License-Identifier: GPL-2.0-only
/*
 * Want of memory: in each scenario a call is repeated, while all of its allocations fail, and then
 * while only the first, the second, the third... of them fails, until it makes no further one: first the
 * allocations from slabs (CONFIG_FAILSLAB), then those of pages (CONFIG_FAIL_PAGE_ALLOC), which are also
 * those of page tables and of new slabs. A call that fails has changed nothing, and the next call works.
 * Calls that end something never fail for want of memory.
 *
 * A call may fail only with ENOMEM or with an error that its scenario names. The kernel repeats a
 * fault that gets no page for its page table, and sends no signal. A call that falls back to smaller blocks
 * succeeds.
 *
 * vm-modules: ccshm importer
 * vm-debug: yes
 * vm-boot: failing
 * vm-timeout: 300
 */
#include "tap.h"
#include "raw.h"
#include "attached.h"
#include "exported.h"
#include "failing.h"
#include "importing.h"
#include "netlink.h"
#include "users.h"

#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#define MANY	100000		/* no call makes so many allocations */
#define LOADS	100U		/* allocations without which the driver cannot be loaded, at least */
#define RUNS	64
#define RSEQ_REGISTERED	32U	/* the size with which the C library registers its rseq area */
#define FRESH	((void *)0x200000000000)	/* no page table covers this address */

/* ---- what must not change ---- */

/**
 * struct state - what the driver, the emulator and the process have
 * @info: counters of INFO that describe what exists
 * @pages: pages that the emulator counts as shared
 * @fds: open descriptors
 * @buffer: QUERY of the buffer that lasts
 * @export: QUERY of its export
 */
struct state {
	struct ccshm_ioc_info info;
	uint64_t pages;
	uint64_t fds;
	struct ccshm_ioc_query buffer, export;
};

static struct shared lasting;
static int pinned;		/* a pinned export of the same buffer */
static struct state idle;	/* the state between two calls */

static struct state state_now(void)
{
	struct ccshm_ioc_info info;
	struct state s;

	memset(&s, 0, sizeof(s));
	must(raw_info(ccshm, &info));
	s.info.bytes_shared = info.bytes_shared;
	s.info.bytes_carved = info.bytes_carved;
	s.info.blocks_carved = info.blocks_carved;
	s.info.bytes_leaked = info.bytes_leaked;
	s.info.bytes_quarantined = info.bytes_quarantined;
	s.info.used_bytes = info.used_bytes;
	s.info.buffers = info.buffers;
	s.info.exports = info.exports;
	s.info.attachments = info.attachments;
	s.info.importers = info.importers;
	s.info.user_bytes = info.user_bytes;
	s.info.user_buffers = info.user_buffers;
	s.info.user_exports = info.user_exports;
	s.info.user_attachments = info.user_attachments;
	s.info.user_importers = info.user_importers;
	s.pages = rig(CVM_PAGES_SHARED);
	s.fds = count_fds();
	must(raw_query(ccshm, lasting.id, &s.buffer));
	must(raw_query(ccshm, lasting.export_id, &s.export));
	return s;
}

static void diag_number(const char *what, unsigned long long now, unsigned long long before)
{
	if (now != before)
		diag("  %s: %llu, before %llu", what, now, before);
}

static void diag_state(const struct state *now, const struct state *before)
{
	diag_number("bytes shared", now->info.bytes_shared, before->info.bytes_shared);
	diag_number("bytes carved", now->info.bytes_carved, before->info.bytes_carved);
	diag_number("bytes leaked", now->info.bytes_leaked, before->info.bytes_leaked);
	diag_number("bytes in quarantine", now->info.bytes_quarantined,
		    before->info.bytes_quarantined);
	diag_number("bytes charged", now->info.used_bytes, before->info.used_bytes);
	diag_number("bytes charged to the user", now->info.user_bytes, before->info.user_bytes);
	diag_number("buffers", now->info.buffers, before->info.buffers);
	diag_number("exports", now->info.exports, before->info.exports);
	diag_number("attachments", now->info.attachments, before->info.attachments);
	diag_number("importers", now->info.importers, before->info.importers);
	diag_number("pages shared, in the emulator", now->pages, before->pages);
	diag_number("descriptors", now->fds, before->fds);
	diag_number("exports of the buffer", now->buffer.exports, before->buffer.exports);
	diag_number("attachments of the buffer", now->buffer.attachments,
		    before->buffer.attachments);
	diag_number("importers of the export", now->export.importers, before->export.importers);
	diag_number("device mappings", now->export.device_mappings,
		    before->export.device_mappings);
	diag_number("CPU mappings", now->export.cpu_mappings, before->export.cpu_mappings);
}

/* Return whether the state becomes @want: work items return memory after a call. */
static bool state_becomes(const struct state *want)
{
	struct state now = state_now();
	int64_t end = in_ms(20000);

	while (memcmp(&now, want, sizeof(now)) && now_ns() < end) {
		sleep_ms(5);
		now = state_now();
	}
	if (!memcmp(&now, want, sizeof(now)))
		return true;
	diag_state(&now, want);
	return false;
}

/* ---- scenarios ---- */

/**
 * struct scenario - a call that is repeated while its allocations fail one by one
 * @name: name of the call
 * @begin: prepare the call, or NULL
 * @call: the call: return 0 or a negative errno
 * @again: prepare a call after one that has failed, or NULL
 * @end: end what a call that has succeeded has made, and what @begin has made, or NULL
 * @points: smallest number of allocations from slabs that are to fail; the kernel can make a few more
 * @pages: smallest number of allocations of pages that are to fail
 * @reserves: smallest number of nodes of xarrays that the call allocates to reserve its entries
 * @makes: the call makes an object
 * @certain: the call must not fail for want of memory
 * @insists: the kernel repeats the call until there is memory
 * @others: errors beside ENOMEM that the call may return
 */
struct scenario {
	const char *name;
	void (*begin)(void);
	int (*call)(void);
	void (*again)(void);
	void (*end)(void);
	unsigned int points, pages, reserves;
	bool makes;
	bool certain;
	bool insists;
	int others[2];
};

static bool may_fail_with(const struct scenario *s, int err)
{
	return !s->certain && (err == -ENOMEM || (s->others[0] && err == -s->others[0]) ||
			       (s->others[1] && err == -s->others[1]));
}

/**
 * struct verdict - what a scenario has shown
 * @points: allocations that have failed
 * @errors: calls that have failed
 * @documented: each of these returned an error that it may return
 * @unchanged: each of these has changed nothing
 * @works: the call after each of these has succeeded
 * @returned: nothing was left after each call
 */
struct verdict {
	unsigned int points, errors;
	bool documented, unchanged, works, returned;
};

/* Which allocations fail during an attempt. */
enum how {
	ALL,		/* all allocations */
	NTH,		/* one of them */
	RESERVE,	/* the nodes of an xarray, after so many */
};

/* Return a description of these allocations, which is valid until the next call. */
static const char *describe(enum how how, unsigned int nth)
{
	static char text[32];

	switch (how) {
	case ALL:
		return "every allocation";
	case NTH:
		snprintf(text, sizeof(text), "allocation %u", nth);
		break;
	default:
		snprintf(text, sizeof(text), "xarray node %u", nth + 1);
	}
	return text;
}

/* Judge a call that has failed because @what failed, and repeat the call. */
static void judge_failure(const struct scenario *s, struct verdict *v, const char *what, int err,
			  const struct state *before)
{
	v->errors++;
	if (!may_fail_with(s, err)) {
		diag("%s: %s failed: %s", s->name, what, tap_errno_name(err));
		v->documented = false;
	}
	if (!state_becomes(before)) {
		diag("%s: %s failed: the above has changed", s->name, what);
		v->unchanged = false;
	}
	if (s->again)
		s->again();
	err = s->call();
	if (err) {
		diag("%s: %s failed: the next call fails: %s", s->name, what, tap_errno_name(err));
		v->works = false;
	}
}

/* Ids whose entries share a node of the kernel's xarray: only the first of them allocates one. */
#define IDS	64

/* Use ids up, until the id of the next object is the first of a node. */
static void next_id_needs_memory(void)
{
	struct ccshm_ioc_attach req = { .id = lasting.id, .dma_bits = 1 };
	uint64_t last;

	close(must(raw_export(ccshm, lasting.id, 0, &last)));
	while (++last % IDS)
		must_be_true(try_attach(req, PCI_B) == -ERANGE);
}

/*
 * Return what the call returns while allocations fail. @hit: the allocation @nth has been made, or an
 * entry could not be reserved.
 */
static int call_without_memory(const struct scenario *s, enum how how, unsigned int nth, bool *hit)
{
	int err;

	switch (how) {
	case ALL:
		failing_all(true);
		err = s->call();
		failing_all(false);
		*hit = false;
		break;
	case NTH:
		failing_arm(nth);
		err = s->call();
		*hit = failing_disarm();
		break;
	default:
		failing_reserve(nth);
		err = s->call();
		*hit = failing_reserve_end();
	}
	return err;
}

/* Make the call once and judge it. Return false if no allocation was left to fail. */
static bool attempt(const struct scenario *s, struct verdict *v, enum how how, unsigned int nth)
{
	struct state before;
	bool hit;
	int err;

	if (s->begin)
		s->begin();
	if (s->makes)
		next_id_needs_memory();
	before = state_now();
	err = call_without_memory(s, how, nth, &hit);
	v->points += hit;
	if (how == RESERVE && hit && !err) {
		diag("%s: %s failed: the call succeeds", s->name, describe(how, nth));
		v->documented = false;
	}
	if (err)
		judge_failure(s, v, describe(how, nth), err, &before);
	if (s->end && v->works)
		s->end();
	if (!state_becomes(&idle)) {
		diag("%s: %s failed: the above is left", s->name, describe(how, nth));
		v->returned = false;
	}
	return hit;
}

/* Repeat the call until @how hits no further allocation, or something is wrong. */
static void attempts(const struct scenario *s, struct verdict *v, enum how how)
{
	for (unsigned int nth = how == NTH; v->unchanged && v->works && v->returned && nth < MANY; nth++)
		if (!attempt(s, v, how, nth))
			break;
}

/**
 * struct kind - a kind of allocation that fails
 * @suffix: what the names of its tests add to the name of the call
 * @failed: what is made to fail
 */
struct kind {
	const char *suffix, *failed;
};

static const struct kind slabs = { "", "allocations" };
static const struct kind pages = { " without pages", "allocations of pages" };
static const struct kind nodes = { " without xarray nodes", "reservations" };

/* Report what a scenario has shown. @points: smallest number of failures */
static void conclude(const struct scenario *s, const struct verdict *v, const struct kind *kind,
		     unsigned int points, int64_t begun)
{
	char name[80];

	snprintf(name, sizeof(name), "%s%s", s->name, kind->suffix);
	diag("%s: %u %s have failed, and %u calls (%lld ms)", name, v->points, kind->failed, v->errors,
	     (long long)(now_ns() - begun) / 1000000);
	if (s->certain) {
		ok(v->documented, "%s: never fails for want of memory", name);
	} else {
		ok(v->documented, "%s: a call without memory returns a documented error", name);
		ok(v->unchanged, "%s: a call that fails changes nothing", name);
		ok(v->works, "%s: the next call works", name);
	}
	ok(v->returned, "%s: everything is returned afterwards", name);
	/* Most calls need no page of their own. */
	if (points || kind != &pages)
		ok(v->points >= points, "%s: at least %u %s were made to fail", name, points,
		   kind->failed);
}

static const struct verdict all_is_well = {
	.documented = true, .unchanged = true, .works = true, .returned = true,
};

/* Let allocations from slabs fail. Return false if the call does not even work with memory. */
static bool play_slabs(const struct scenario *s)
{
	struct verdict v = all_is_well;
	int64_t begun = now_ns();
	int err;

	/* The kernel allocates some memory only once. */
	if (s->begin)
		s->begin();
	err = s->call();
	if (!is_errno(err, 0, "%s: works", s->name))
		return false;
	if (s->end)
		s->end();
	v.returned = state_becomes(&idle);
	if (v.returned && !s->insists)
		attempt(s, &v, ALL, 0);
	attempts(s, &v, NTH);
	conclude(s, &v, &slabs, s->points, begun);
	return v.works && v.returned;
}

static void play_pages(const struct scenario *s)
{
	struct verdict v = all_is_well;
	int64_t begun = now_ns();

	failing_choose(FAILING_PAGES);
	if (!s->insists)
		attempt(s, &v, ALL, 0);
	attempts(s, &v, NTH);
	failing_choose(FAILING_SLABS);
	conclude(s, &v, &pages, s->pages, begun);
}

/* Fail the allocations of xarray nodes. */
static void play_nodes(const struct scenario *s)
{
	struct verdict v = all_is_well;
	int64_t begun = now_ns();

	attempts(s, &v, RESERVE);
	conclude(s, &v, &nodes, s->reserves, begun);
}

static void play(const struct scenario *s)
{
	if (!play_slabs(s))
		return;
	play_pages(s);
	if (s->reserves)
		play_nodes(s);
}

/* ---- calls on the device ---- */

static int fd = -1;
static uint64_t id;

/* Store a descriptor that a call has returned. Return 0, or the error that it has returned. */
static int keep_fd(int result)
{
	fd = result;
	return result < 0 ? result : 0;
}

static int positive_is_good(int result)
{
	return result < 0 ? result : 0;
}

static void close_fd(void)
{
	close(fd);
	fd = -1;
}

static int call_open(void)
{
	return keep_fd(raw_open());
}

static int call_info(void)
{
	struct ccshm_ioc_info info;

	return raw_info(ccshm, &info);
}

static int call_alloc_page(void)
{
	return raw_alloc(ccshm, PAGE, &id);
}

static int call_alloc_units(void)
{
	return raw_alloc_named(ccshm, 2 * UNIT + PAGE, "failnth", 0600, &id);
}

/* So many blocks that the array of blocks grows. */
static int call_alloc_many(void)
{
	return raw_alloc(ccshm, 72 * MIB, &id);
}

static int call_alloc_contiguous(void)
{
	struct ccshm_ioc_alloc req = { .size = UNIT, .flags = CCSHM_ALLOC_CONTIGUOUS };
	int err = raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req);

	id = req.id;
	return err;
}

static void end_buffer(void)
{
	must(raw_free(ccshm, id));
}

/* What ccshmctl provision does for a buffer that does not exist yet. */
static int call_provision(void)
{
	struct ccshm_ioc_alloc req = {
		.size = UNIT + PAGE, .mode = 0640, .name = "provisioned",
		.flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID | CCSHM_ALLOC_GID |
			 CCSHM_ALLOC_WHOLE_UNITS,
		.uid = ALICE, .gid = GID_CCSHM,
	};
	uint64_t found;
	int err;

	must_be_true(raw_find(ccshm, "provisioned", ALICE, &found) == -ENOENT);
	err = raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req);
	id = req.id;
	return err;
}

static uint64_t neighbour;

static void begin_carved(void)
{
	must(raw_alloc(ccshm, PAGE, &neighbour));
}

static void end_carved(void)
{
	end_buffer();
	must(raw_free(ccshm, neighbour));
}

static void begin_named(void)
{
	must(raw_alloc_named(ccshm, PAGE, "failnth", 0600, &id));
}

static int call_find(void)
{
	uint64_t found;

	return raw_find(ccshm, "failnth", -1, &found);
}

static int call_set(void)
{
	struct ccshm_ioc_set req = {
		.id = id, .flags = CCSHM_SET_NAME | CCSHM_SET_MODE, .mode = 0640, .name = "other",
	};

	return raw_ioctl(ccshm, CCSHM_IOC_SET, &req);
}

static int call_query(void)
{
	struct ccshm_ioc_query q;

	return raw_query(ccshm, lasting.id, &q);
}

static int call_query_fd(void)
{
	struct ccshm_ioc_query q = { .flags = CCSHM_QUERY_BY_FD, .fd = lasting.fd };

	return raw_ioctl(ccshm, CCSHM_IOC_QUERY, &q);
}

static int call_pages(void)
{
	struct ccshm_ioc_run run[RUNS];

	return positive_is_good(raw_pages(ccshm, lasting.id, 0, 0, run, RUNS, NULL));
}

static int call_device(void)
{
	struct ccshm_ioc_device device;

	return raw_device(ccshm, PCI_B, &device);
}

static int call_export(void)
{
	return keep_fd(raw_export(ccshm, lasting.id, 0, NULL));
}

static int call_export_pinned(void)
{
	return keep_fd(raw_export(ccshm, lasting.id, CCSHM_EXPORT_PINNED, NULL));
}

static int call_heap(void)
{
	return keep_fd(heap_allocate(PAGE));
}

/* Read fdinfo of a descriptor. */
static int read_fdinfo(int of)
{
	char path[64], text[4096];
	int info, n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", of);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	while ((n = read(info, text, sizeof(text))) > 0)
		;
	n = n < 0 ? -errno : 0;
	close(info);
	return n;
}

static int call_fdinfo(void)
{
	return read_fdinfo(ccshm);
}

/* ---- CPU mappings ---- */

static char *map;

/* Map at an address for which there is no page table. */
static int map_fresh(size_t size)
{
	map = mmap(FRESH, size, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, lasting.fd, 0);
	return map == MAP_FAILED ? -errno : 0;
}

static int call_map(void)
{
	return map_fresh(UNIT);
}

static void end_map(void)
{
	munmap(map, UNIT);
}

static void begin_small_map(void)
{
	must(map_fresh(PAGE));
}

static void begin_map(void)
{
	must(map_fresh(UNIT));
}

static int call_touch(void)
{
	return touch_write(map, 1) ? -EFAULT : 0;
}

static void end_small_map(void)
{
	munmap(map, PAGE);
}

static pid_t child;

/* The child maps the memory again in its own faults. */
static int call_fork(void)
{
	child = fork();
	if (!child)
		_exit(touch_read(map));
	return child < 0 ? -errno : 0;
}

static void begin_fork(void)
{
	begin_map();
	must(call_touch());
}

static void end_fork(void)
{
	int status = reap(child, 20000);

	if (status)
		fail("fork: the child reads the memory: wait status %d", status);
	end_map();
}

/* ---- attachments ---- */

static struct ccshm_ioc_attach attach;

static int attach_as(struct ccshm_ioc_attach req)
{
	int err;

	snprintf(req.device, sizeof(req.device), "%s", PCI_B);
	req.dma_bits = 32;
	err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req);
	attach = req;
	fd = req.fd;
	return err;
}

static int call_attach(void)
{
	return attach_as((struct ccshm_ioc_attach){ .id = lasting.id });
}

static int call_attach_dmabuf(void)
{
	return attach_as((struct ccshm_ioc_attach){
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = lasting.fd,
	});
}

static void end_attach(void)
{
	must(raw_detach(fd, 0));
	close_fd();
}

static int call_attach_persistent(void)
{
	return attach_as((struct ccshm_ioc_attach){
		.flags = CCSHM_ATTACH_PERSISTENT, .id = id,
	});
}

static void end_attach_persistent(void)
{
	must(raw_detach(ccshm, attach.attachment_id));
	end_buffer();
}

static void begin_attached(void)
{
	must(call_attach());
}

static int call_segments(void)
{
	struct ccshm_ioc_segment segment[RUNS];

	return positive_is_good(raw_segments(fd, 0, segment, 0, RUNS, NULL));
}

static int call_attachment_fdinfo(void)
{
	return read_fdinfo(fd);
}

static int call_detach(void)
{
	return raw_detach(fd, 0);
}

/* Without DETACH: a work item stops the device. */
static int call_close(void)
{
	int err = close(fd) ? -errno : 0;

	fd = -1;
	return err;
}

/* ---- importers ---- */

static int imp = -1;

static void begin_importer(void)
{
	imp = imp_open();
}

static void end_importer(void)
{
	close(imp);
	imp = -1;
}

static int call_import(void)
{
	return imp_attach(imp, lasting.fd, IMPORTER_DYNAMIC);
}

/* Up to 6.17, this also maps. */
static int call_import_static(void)
{
	return imp_attach(imp, pinned, IMPORTER_STATIC);
}

static void begin_imported(void)
{
	imp = imp_new(lasting.fd, IMPORTER_DYNAMIC);
}

static void begin_imported_pinned(void)
{
	imp = imp_new(pinned, IMPORTER_STATIC);
}

static int call_import_map(void)
{
	return imp_map(imp, IMPORTER_BIDIRECTIONAL);
}

static void begin_import_mapped(void)
{
	begin_imported();
	must(call_import_map());
}

static int call_import_vmap(void)
{
	return raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL);
}

static int call_importers(void)
{
	struct ccshm_ioc_importer importer[4];

	return positive_is_good(raw_importers(ccshm, lasting.export_id, importer, 0, 4, NULL));
}

static int call_import_unmap(void)
{
	return imp_unmap(imp);
}

static int call_import_detach(void)
{
	return imp_detach(imp);
}

/* ---- calls that end something ---- */

/* A buffer with an export, a CPU mapping, an importer's mapping and an attachment. */
static struct in_use {
	struct shared s;
	int attachment;
} used;

static void begin_in_use(void)
{
	must(raw_alloc(ccshm, UNIT + PAGE, &id));
	used.s = shared_map(id, UNIT + PAGE);
	imp = imp_new(used.s.fd, IMPORTER_DYNAMIC);
	must(call_import_map());
	must(attach_as((struct ccshm_ioc_attach){ .id = id }));
	used.attachment = fd;
}

static void end_in_use(void)
{
	munmap(used.s.p, used.s.size);
	close(used.s.fd);
	end_importer();
	must(raw_detach(used.attachment, 0));
	close(used.attachment);
	must(raw_free_any(ccshm, id));
}

static int call_revoke(void)
{
	return raw_revoke(ccshm, id, CCSHM_REVOKE_FORCE, in_ms(60000), NULL);
}

static int call_revoke_export(void)
{
	return raw_revoke(ccshm, used.s.export_id, CCSHM_REVOKE_SEAL, in_ms(60000), NULL);
}

static int call_free(void)
{
	return raw_free(ccshm, id);
}

static int call_free_revoke(void)
{
	struct ccshm_ioc_free req = { .id = id, .flags = CCSHM_FREE_REVOKE };

	return raw_ioctl(ccshm, CCSHM_IOC_FREE, &req);
}

static void begin_free(void)
{
	must(call_alloc_units());
}

/* The last descriptor of an export whose buffer has ended. */
static void begin_close_export(void)
{
	must(raw_alloc(ccshm, UNIT + PAGE, &id));
	must(keep_fd(raw_export(ccshm, id, 0, NULL)));
	must(raw_free(ccshm, id));
}

static void begin_close_device(void)
{
	must(keep_fd(raw_open()));
	must(raw_alloc(fd, UNIT + PAGE, &id));
	must(raw_alloc(fd, PAGE, &id));
}

/* ---- netlink ---- */

static int nl = -1;

static void begin_netlink(void)
{
	nl = nl_socket();
}

static void end_netlink(void)
{
	close(nl);
	nl = -1;
}

static void again_netlink(void)
{
	end_netlink();
	begin_netlink();
}

static int dump(uint8_t cmd, unsigned int least)
{
	struct nl_dump d = nl_dump(nl, cmd, NULL, NULL);

	return d.end ? d.end : d.messages >= least ? 0 : -EPROTO;
}

static int call_dump_buffers(void)
{
	return dump(CCSHM_CMD_BUFFER_GET, 1);
}

static int call_dump_exports(void)
{
	return dump(CCSHM_CMD_EXPORT_GET, 2);
}

static void begin_netlink_attached(void)
{
	begin_netlink();
	begin_attached();
}

static int call_dump_attachments(void)
{
	return dump(CCSHM_CMD_ATTACHMENT_GET, 1);
}

static void end_netlink_attached(void)
{
	end_attach();
	end_netlink();
}

static int call_stats(void)
{
	return nl_request(nl, 0, CCSHM_CMD_STATS_GET, NULL, 0);
}

/* ---- the list ---- */

static const struct scenario scenarios[] = {
	{ .name = "open", .call = call_open, .end = close_fd, .points = 3, .others = { ENFILE } },
	{ .name = "INFO", .call = call_info, .certain = true },
	{ .name = "ALLOC of a page of a new block", .call = call_alloc_page, .end = end_buffer,
	  .points = 6, .pages = 1, .reserves = 2, .makes = true },
	{ .name = "ALLOC of a page of an existing block", .begin = begin_carved,
	  .call = call_alloc_page, .end = end_carved, .points = 3, .makes = true },
	{ .name = "ALLOC of a named buffer", .call = call_alloc_units, .end = end_buffer,
	  .points = 8, .pages = 2, .reserves = 1, .makes = true },
	{ .name = "ALLOC of many blocks", .call = call_alloc_many, .end = end_buffer,
	  .points = 6, .pages = 15, .makes = true },
	{ .name = "ALLOC of contiguous memory", .call = call_alloc_contiguous, .end = end_buffer,
	  .points = 6, .pages = 1, .makes = true },
	{ .name = "ALLOC from the heap", .call = call_heap, .end = close_fd, .points = 14, .reserves = 2, .makes = true,
	  .others = { ENFILE } },
	{ .name = "provision", .call = call_provision, .end = end_buffer, .points = 5,
	  .pages = 1, .reserves = 1, .makes = true },
	{ .name = "OPEN", .begin = begin_named, .call = call_find, .end = end_buffer,
	  .certain = true },
	{ .name = "SET", .begin = begin_named, .call = call_set, .end = end_buffer,
	  .certain = true },
	{ .name = "QUERY", .call = call_query, .certain = true },
	{ .name = "QUERY of a descriptor", .call = call_query_fd, .certain = true },
	{ .name = "PAGES", .call = call_pages, .points = 1 },
	{ .name = "DEVICE", .call = call_device, .certain = true },
	{ .name = "EXPORT", .call = call_export, .end = close_fd, .points = 7, .reserves = 2, .makes = true,
	  .others = { ENFILE } },
	{ .name = "EXPORT, pinned", .call = call_export_pinned, .end = close_fd, .points = 7, .reserves = 2, .makes = true,
	  .others = { ENFILE } },
	{ .name = "fdinfo of the device", .call = call_fdinfo, .points = 6 },
	{ .name = "mmap", .call = call_map, .end = end_map, .points = 3 },
	{ .name = "fault of a page", .begin = begin_small_map, .call = call_touch,
	  .end = end_small_map, .points = 1, .pages = 3, .certain = true, .insists = true },
	{ .name = "fault of 2 MiB", .begin = begin_map, .call = call_touch, .end = end_map,
	  .points = 1, .pages = 2, .certain = true, .insists = true },
	{ .name = "fork", .begin = begin_fork, .call = call_fork, .end = end_fork, .points = 80, .pages = 12,
	  .others = { EAGAIN } },
	{ .name = "ATTACH", .call = call_attach, .end = end_attach, .points = 5, .reserves = 2, .makes = true,
	  .others = { ENFILE } },
	{ .name = "ATTACH of a dma-buf", .call = call_attach_dmabuf, .end = end_attach,
	  .points = 5, .reserves = 2, .makes = true, .others = { ENFILE } },
	{ .name = "ATTACH, persistent", .begin = begin_named, .call = call_attach_persistent,
	  .end = end_attach_persistent, .points = 3, .reserves = 2, .makes = true },
	{ .name = "SEGMENTS", .begin = begin_attached, .call = call_segments, .end = end_attach,
	  .points = 1 },
	{ .name = "fdinfo of an attachment", .begin = begin_attached,
	  .call = call_attachment_fdinfo, .end = end_attach, .points = 6 },
	{ .name = "attach of a dynamic importer", .begin = begin_importer, .call = call_import,
	  .end = end_importer, .points = 3 },
	{ .name = "attach of a static importer", .begin = begin_importer,
	  .call = call_import_static, .end = end_importer, .points = 5, .pages = 8 },
	{ .name = "map by an importer", .begin = begin_imported, .call = call_import_map,
	  .end = end_importer, .points = 3, .pages = 8 },
	{ .name = "vmap by an importer", .begin = begin_imported_pinned,
	  .call = call_import_vmap, .end = end_importer, .points = 3 },
	{ .name = "IMPORTERS", .begin = begin_imported, .call = call_importers,
	  .end = end_importer, .points = 1 },
	{ .name = "dump of buffers", .begin = begin_netlink, .call = call_dump_buffers,
	  .again = again_netlink, .end = end_netlink, .points = 8, .others = { ENOBUFS } },
	{ .name = "dump of exports", .begin = begin_netlink, .call = call_dump_exports,
	  .again = again_netlink, .end = end_netlink, .points = 8, .others = { ENOBUFS } },
	{ .name = "dump of attachments", .begin = begin_netlink_attached,
	  .call = call_dump_attachments, .again = again_netlink, .end = end_netlink_attached,
	  .points = 8, .others = { ENOBUFS } },
	{ .name = "statistics", .begin = begin_netlink, .call = call_stats,
	  .again = again_netlink, .end = end_netlink, .points = 8, .others = { ENOBUFS } },
	{ .name = "unmap by an importer", .begin = begin_import_mapped,
	  .call = call_import_unmap, .end = end_importer, .certain = true },
	{ .name = "detach of an importer", .begin = begin_import_mapped,
	  .call = call_import_detach, .end = end_importer, .certain = true },
	{ .name = "DETACH", .begin = begin_attached, .call = call_detach, .end = close_fd,
	  .certain = true },
	{ .name = "close of an attachment", .begin = begin_attached, .call = call_close,
	  .certain = true },
	{ .name = "REVOKE of a buffer", .begin = begin_in_use, .call = call_revoke,
	  .end = end_in_use, .certain = true },
	{ .name = "REVOKE of an export", .begin = begin_in_use, .call = call_revoke_export,
	  .end = end_in_use, .certain = true },
	{ .name = "FREE", .begin = begin_free, .call = call_free, .certain = true },
	{ .name = "FREE with REVOKE", .begin = begin_in_use, .call = call_free_revoke,
	  .end = end_in_use, .certain = true },
	{ .name = "close of an export", .begin = begin_close_export, .call = call_close,
	  .certain = true },
	{ .name = "close of the device", .begin = begin_close_device, .call = call_close,
	  .certain = true },
};

/* The size of this array depends on the caller: the kernel must not log each failure, with a trace. */
static void vmap_is_silent(void)
{
	unsigned int before = logged_times("vmalloc error");
	int err;

	begin_imported_pinned();
	/* The kernel logs at most one such failure in 10 s. */
	sleep_ms(11000);
	failing_all(true);
	err = call_import_vmap();
	failing_all(false);
	is_errno(err, ENOMEM, "vmap by an importer without any memory: ENOMEM");
	is_int(logged_times("vmalloc error") - before, 0,
	       "vmap by an importer without any memory: the kernel does not log the size");
	end_importer();
}

/* ---- work items ---- */

/* Return memory while an allocation of each worker fails. */
static bool workers_return_without(enum failing_kind kind)
{
	struct ccshm_ioc_info info;
	bool good = true;

	failing_choose(kind);
	for (unsigned int nth = 1; nth <= 4; nth++) {
		must(call_alloc_units());
		failing_arm_workers(nth);
		must(raw_free(ccshm, id));
		good &= wait_held(ccshm, idle.info.bytes_shared, &info);
		(void)!failing_disarm_workers();
		good &= state_becomes(&idle);
	}
	failing_choose(FAILING_SLABS);
	return good;
}

static void workers_return(void)
{
	ok(workers_return_without(FAILING_SLABS), "work items without memory return a buffer");
	ok(workers_return_without(FAILING_PAGES), "work items without pages return a buffer");
}

/* Revoke an export with a fence that signals after @ms, while an allocation of each worker fails. */
static bool revoke_with_fence(unsigned int nth, unsigned int ms)
{
	unsigned int failed;

	begin_in_use();
	must(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_BOOKKEEP, ms));
	/* The end of a mapping would queue the work item again. */
	must(call_import_unmap());
	failing_arm_workers(nth);
	is_errno(call_revoke_export(), 0,
		 "REVOKE, while allocation %u of each work item fails: success", nth);
	failed = failing_disarm_workers();
	is_int(query(used.s.export_id).state, CCSHM_STATE_REVOKED,
	       "REVOKE, while allocation %u of each work item fails: the export is revoked", nth);
	end_in_use();
	return failed;
}

static void workers_revoke(void)
{
	for (unsigned int nth = 1; nth <= 2; nth++) {
		bool failed = false;

		/*
		 * A worker that was created meanwhile can carry out the revoke, and on a busy
		 * machine the fence can signal before the revoke.
		 */
		for (int i = 0; i < 5 && !failed; i++)
			failed = revoke_with_fence(nth, 300 << i);
		ok(failed, "allocation %u of the work item of a revoke was made to fail", nth);
	}
	ok(state_becomes(&idle), "REVOKE with work items without memory: everything is returned");
}

/* ---- loading ---- */

/* Load the driver, and unload it again, while allocation @nth fails. Return whether there was one. */
static bool load_fails(const char *params, unsigned int nth, unsigned int *errors, bool *good)
{
	bool hit;
	int err;

	failing_arm(nth);
	err = raw_insmod("/lib/ccshm/ccshm.ko", params);
	hit = failing_disarm();
	if (err && err != -ENOMEM) {
		diag("%s failed: %s", describe(NTH, nth), tap_errno_name(err));
		*good = false;
	}
	*errors += !!err;
	if (!err)
		must(driver_unload());
	return hit;
}

/*
 * Return how many allocations the kernel makes before it calls the driver's init function: with this
 * parameter, the function fails before it allocates. The kernel's own error paths are not the subject
 * here: those of tracepoints warn.
 */
static unsigned int allocations_before_init(void)
{
	unsigned int count;
	int err;

	failing_arm(MANY);
	err = raw_insmod("/lib/ccshm/ccshm.ko", "heap=none");
	count = MANY - failing_left();
	failing_arm(0);
	is_errno(err, EINVAL, "loading the driver with heap=none: EINVAL");
	return count;
}

/* The removal of the module after a failure allocates, too: begin a few allocations earlier. */
#define EARLIER	8

static void loading(void)
{
	const char *params = cvm_present() ? "" : "allow_plain=1";
	unsigned int first, nth, errors = 0;
	int64_t begun = now_ns();
	bool good = true;

	first = allocations_before_init();
	for (nth = first > EARLIER ? first - EARLIER : 1; nth < MANY; nth++)
		if (!load_fails(params, nth, &errors, &good))
			break;
	diag("loading: allocations %u to %u have failed, and %u loads (%lld ms)", first - EARLIER,
	     nth - 1, errors, (long long)(now_ns() - begun) / 1000000);
	ok(good, "loading the driver without memory: ENOMEM");
	ok(errors >= LOADS, "loading the driver without memory: at least %u loads failed", LOADS);
	driver_load();
	is_errno(driver_unload(), 0, "loading the driver works afterwards");
}

/*
 * The kernel kills a process whose rseq area it cannot write (rseq_handle_notify_resume()). After
 * a fork the page of the area has to be copied, and in the scenario "fork" that copy fails.
 */
static void unregister_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size && syscall(SYS_rseq, area, RSEQ_REGISTERED, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		bail("rseq cannot be unregistered: %s", strerror(errno));
}

int main(void)
{
	struct rlimit core = { 0 };
	const char *why = failing_begin();
	int listener;

	if (why)
		skip_all(why);
	setrlimit(RLIMIT_CORE, &core);
	unregister_rseq();
	/* Without memory for a page table, the kernel repeats the access. */
	expect_kmsg("Huh VM_FAULT_OOM leaked out to the #PF handler");
	expect_kmsg("WARNING: .* dma_buf_vmap");
	exported_setup();
	/* With a listener, each call also makes events. */
	listener = nl_socket();
	if (nl_find_family(listener) || nl_join(listener, family.group))
		bail("no events");
	must(imp_limits(32, PAGE, 0));
	lasting = shared_new(2 * UNIT);
	pinned = raw_export(ccshm, lasting.id, CCSHM_EXPORT_PINNED, NULL);
	must(pinned);
	idle = state_now();
	for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		play(&scenarios[i]);
	vmap_is_silent();
	workers_return();
	workers_revoke();
	close(pinned);
	shared_end(&lasting);
	close(listener);
	exported_end();
	loading();
	return done_testing();
}
