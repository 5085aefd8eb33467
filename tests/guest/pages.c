// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAGES: the state of each page agrees with the emulator's, the runs cover the whole range once and
 * in order, and callers without permission get no address.
 *
 * vm-modules: ccshm
 * vm-boot: memory
 */
#include "tap.h"
#include "raw.h"

#include <pthread.h>

#define SIZE		(6 * MIB + 3 * PAGE)
#define NR_RUNS		4096

static int dev;
static uint64_t rig_before;
static struct ccshm_ioc_run run[NR_RUNS];

static unsigned int state_here(void)
{
	return cvm_present() ? CCSHM_PAGE_SHARED : CCSHM_PAGE_UNKNOWN;
}

/* Read all runs of a range with one call. Return the number of runs. */
static int all_runs(int fd, uint64_t id, uint64_t offset, uint64_t size)
{
	uint64_t next;
	int n = raw_pages(fd, id, offset, size, run, NR_RUNS, &next);

	return n < 0 || next == offset + size ? n : -ERANGE;
}

/* Return whether the runs follow one another without a gap, from @offset to @end. */
static bool in_order(int n, uint64_t offset, uint64_t end)
{
	for (int i = 0; i < n; i++) {
		if (run[i].offset != offset || !run[i].length || run[i].length % PAGE)
			return false;
		offset += run[i].length;
	}
	return offset == end;
}

/* Return how many runs could be merged with the run before them. */
static int needless(int n)
{
	int found = 0;

	for (int i = 1; i < n; i++)
		found += run[i].physical == run[i - 1].physical + run[i - 1].length &&
			 run[i].state == run[i - 1].state && run[i].flags == run[i - 1].flags;
	return found;
}

/* Return how many pages have another state in the emulator. */
static int differing(int n, int state)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		for (uint64_t at = 0; at < run[i].length; at += PAGE)
			found += cvm_page_state(run[i].physical + at) != state;
	return found;
}

static uint64_t bytes_with(int n, unsigned int flag)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		if (run[i].flags & flag)
			sum += run[i].length;
	return sum;
}

static int wrong_state(int n)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		found += run[i].state != state_here();
	return found;
}

static void test_whole(void)
{
	struct ccshm_ioc_query q;
	uint64_t id;
	int n;

	must(raw_alloc(dev, SIZE, &id));
	must(raw_query(dev, id, &q));
	n = all_runs(dev, id, 0, SIZE);
	if (!ok(n > 0, "PAGES of a whole buffer returns %d runs", n))
		return;
	ok(in_order(n, 0, SIZE), "PAGES of a whole buffer: the runs cover it once, in order");
	is_int(needless(n), 0,
	       "PAGES of a whole buffer: adjacent pages with equal properties are one run");
	is_int(wrong_state(n), 0, "%s", cvm_present() ?
	       "PAGES of a whole buffer: all runs are shared" :
	       "PAGES of a whole buffer: no run has a state in a plain guest");
	is_int(bytes_with(n, CCSHM_PAGES_CARVED), 3 * PAGE,
	       "PAGES of a whole buffer: its last 3 pages are carved");
	ok(run[n - 1].flags & CCSHM_PAGES_CARVED && q.carved == 3 * PAGE,
	   "PAGES and QUERY agree on the carved pages");
	ok(bytes_with(n, CCSHM_PAGES_LEAF_WHOLE) >= q.units_whole * UNIT,
	   "PAGES: at least as much as QUERY's units_whole has whole leaves: %llu KiB",
	   (unsigned long long)bytes_with(n, CCSHM_PAGES_LEAF_WHOLE) / 1024);
	if (!cvm_present()) {
		skip(
		     "PAGES and the emulator agree on the state of each page",
		     "a plain guest has no emulator");
		skip("the pages of a freed buffer are private", "a plain guest has no emulator");
		must(raw_free(dev, id));
		ok(wait_clean(dev), "PAGES of a whole buffer: the memory is given back");
		return;
	}
	is_int(differing(n, 1), 0, "PAGES and the emulator agree on the state of each page");
	must(raw_free(dev, id));
	ok(wait_clean(dev) && wait_rig_shared(rig_before),
	   "PAGES of a whole buffer: the memory is given back");
	is_int(differing(n, 0), 0, "the physical pages that PAGES returned are private after FREE");
}

/* Test that calls with room for few runs return the same runs in parts. */
static void test_parts(void)
{
	static struct ccshm_ioc_run all[NR_RUNS];
	const unsigned int room[] = { 1, 2, 3 };
	uint64_t id[2], keep;
	int n;

	must(raw_alloc(dev, PAGE, &keep));
	must(raw_alloc(dev, SIZE, &id[0]));
	must(raw_alloc(dev, SIZE, &id[1]));
	n = all_runs(dev, id[1], 0, SIZE);
	memcpy(all, run, sizeof(all));
	for (int k = 0; k < 3 && n > 0; k++) {
		uint64_t next = 0;
		int got, total = 0, calls = 0;

		while (next < SIZE && total < NR_RUNS - 4 && calls++ < NR_RUNS) {
			got = raw_pages(dev, id[1], next, 0, run + total, room[k], &next);
			if (got <= 0 || got > (int)room[k])
				break;
			total += got;
		}
		ok(total == n && next == SIZE && !memcmp(run, all, n * sizeof(*run)),
		   "PAGES with room for %u runs returns the same %d runs in %d calls",
		   room[k], n, calls);
	}
	for (uint64_t at = 0; at + 3 * PAGE <= SIZE; at += 701 * PAGE) {
		int got = all_runs(dev, id[1], at, 3 * PAGE);
		int i = 0;

		while (all[i].offset + all[i].length <= at)
			i++;
		ok(got > 0 && in_order(got, at, at + 3 * PAGE) && run[0].state == all[i].state &&
		   run[0].flags == all[i].flags &&
		   run[0].physical == all[i].physical + at - all[i].offset,
		   "PAGES of three pages at %llu returns their part of the run",
		   (unsigned long long)at);
	}
	memset(run, 0x5a, 2 * sizeof(*run));
	is_int(raw_pages(dev, id[1], 0, PAGE, run, 2, NULL), 1,
	       "PAGES of one page returns one run");
	is_int(first_other(&run[1], 0x5a, sizeof(*run)), -1,
	       "PAGES writes nothing after the last run");
	must(raw_free(dev, keep));
	must(raw_free(dev, id[0]));
	must(raw_free(dev, id[1]));
	ok(wait_clean(dev), "PAGES in parts: the memory is given back");
}

/* ---- permission to read addresses ---- */

struct look {
	uint64_t id;
	int fd;
};

/* Return 1 if PAGES returns addresses, 0 if it returns none, or a negative errno. */
static int addresses(int fd, uint64_t id)
{
	int n = raw_pages(fd, id, 0, 0, run, NR_RUNS, NULL);

	for (int i = 0; i < n; i++) {
		if (run[i].physical)
			return 1;
		if (run[i].state != state_here())
			return -EBADMSG;
	}
	return n < 0 ? n : 0;
}

static int look_at_given(void *arg)
{
	struct look *look = arg;
	int fd = raw_open();

	return fd < 0 ? fd : addresses(fd, look->id);
}

static int look_at_own(void *arg)
{
	int fd = raw_open();
	uint64_t id;

	(void)arg;
	return raw_alloc(fd, UNIT + PAGE, &id) ? -ENOMEM : addresses(fd, id);
}

/*
 * Read the addresses in a user namespace. Some kernels require CAP_SYS_ADMIN for that, which the
 * process then has only in the namespace.
 */
static int look_in_namespace(void *arg)
{
	return unshare(CLONE_NEWUSER) ? -errno : look_at_own(arg);
}

static void test_permissions(void)
{
	struct look look = { 0 };
	uint64_t open_for_all;

	must(raw_alloc_named(dev, SIZE, "closed", 0600, &look.id));
	is_int(addresses(dev, look.id), 1, "PAGES with CAP_SYS_ADMIN returns addresses");
	is_errno(as_user(BOB, 0, look_at_given, &look), ENOENT,
		 "PAGES of a buffer that the caller may not see: ENOENT");
	is_int(as_user(BOB, CAP(SYS_ADMIN), look_at_given, &look), 1,
	       "PAGES with CAP_SYS_ADMIN of a buffer of mode 0600 returns addresses");
	must(raw_alloc_named(dev, SIZE, "open", 0644, &open_for_all));
	look.id = open_for_all;
	is_int(as_user(BOB, 0, look_at_given, &look), 0,
	       "PAGES of a buffer that the caller may read returns states, and no address");
	is_int(as_user(BOB, ~CAP(SYS_ADMIN) & ((1ULL << 38) - 1), look_at_given, &look), 0,
	       "PAGES with all capabilities but CAP_SYS_ADMIN returns no address");
	is_int(as_user(ALICE, 0, look_at_own, NULL), 0,
	       "PAGES of the caller's own buffer returns no address");
	is_int(as_user(ALICE, CAP(SYS_ADMIN), look_in_namespace, NULL), 0,
	       "PAGES as root of a user namespace returns no address");
	must(raw_free(dev, look.id));
	is_errno(raw_pages(dev, look.id, 0, 0, run, 1, NULL), ENOENT,
		 "PAGES of a freed buffer: ENOENT");
	must(raw_find(dev, "closed", -1, &look.id));
	must(raw_free(dev, look.id));
	ok(wait_clean(dev), "PAGES with permissions: the memory is given back");
}

/* Test that the id of a buffer that has ended but is still mapped is not found. */
static void test_ended(void)
{
	uint64_t id;
	int fd;

	must(raw_alloc(dev, UNIT, &id));
	fd = raw_export(dev, id, 0, NULL);
	must(raw_free(dev, id));
	is_errno(raw_pages(dev, id, 0, 0, run, 1, NULL), ENOENT,
		 "PAGES of a freed buffer that is still exported: ENOENT");
	close(fd);
	ok(wait_clean(dev), "a freed buffer that was exported: the memory is given back");
}

/* ---- while the buffer ends ---- */

static volatile bool stop, returned;
static volatile uint64_t current;
static int odd, seen, gone;

static void *look_on(void *arg)
{
	static struct ccshm_ioc_run mine[NR_RUNS];

	(void)arg;
	while (!stop) {
		int n = raw_pages(dev, current, 0, 0, mine, NR_RUNS, NULL);

		seen += n > 0;
		gone += n == -ENOENT && current;
		if (n < 0 && n != -ENOENT)
			odd++;
		for (int i = 0; i < n; i++)
			odd += mine[i].state != state_here() || !mine[i].physical;
	}
	returned = true;
	return NULL;
}

static void test_race(void)
{
	bool ended = false;
	pthread_t thread;
	uint64_t id;

	if (pthread_create(&thread, NULL, look_on, NULL)) {
		fail("pthread_create");
		return;
	}
	for (int i = 0; i < 4000 && !ended && (i < 150 || seen < 20 || gone < 20); i++) {
		if (raw_alloc(dev, UNIT + (i % 9) * PAGE, &id))
			break;
		current = id;
		if (i & 1)
			sched_yield();
		must(raw_free(dev, id));
		/* A fault in the kernel ends the thread. */
		ended = !pthread_tryjoin_np(thread, NULL);
	}
	stop = true;
	if (!ended)
		pthread_join(thread, NULL);
	ok(returned, "PAGES during FREE: each call returns");
	ok(seen > 0, "PAGES during FREE: %d calls return runs", seen);
	ok(gone > 0, "PAGES during FREE: %d calls return ENOENT after FREE", gone);
	is_int(odd, 0, "PAGES during FREE: each run is shared, or the call returns ENOENT");
	ok(wait_clean(dev) && wait_rig_shared(rig_before),
	   "PAGES during FREE: all memory is given back");
}

int main(void)
{
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	test_whole();
	test_parts();
	test_permissions();
	test_ended();
	test_race();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
