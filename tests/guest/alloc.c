// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation: memory reads zero regardless of its earlier contents, costs what QUERY reports, and
 * splits no leaf of the direct map. An allocation that fails or is killed leaves nothing behind.
 *
 * vm-modules: ccshm
 * vm-boot: memory
 * vm-timeout: 300
 */
#include "tap.h"
#include "raw.h"

#include <sys/sysinfo.h>

#define DEVICE		"pci:0000:00:05.0"
#define PATTERN		0xa5
#define REUSED		(192 * MIB)
#define NR_SEGMENTS	4096

static int dev;
static uint64_t rig_before;

static uint64_t units_of(uint64_t size)
{
	return (size + UNIT - 1) / UNIT;
}

/* ---- cost of an allocation ---- */

/* Return the hypercalls for the block from which the end of the buffer was carved, on SEV. */
static uint64_t carved_hypercalls(const struct ccshm_ioc_query *q)
{
	struct ccshm_ioc_run run = { 0 };

	if (!q->carved)
		return 0;
	must(raw_pages(dev, q->object_id, q->size - q->carved, PAGE, &run, 1, NULL));
	return run.flags & CCSHM_PAGES_LEAF_WHOLE ? 1 : UNIT / PAGE;
}

/*
 * Return the expected number of hypercalls: on SEV one for each leaf of the direct map, on TDX and
 * SNP one for each conversion.
 */
static uint64_t expected_hypercalls(const struct ccshm_ioc_query *q)
{
	if (cvm_flavour() == CVM_SEV)
		return q->units_whole + (q->units - q->units_whole) * (UNIT / PAGE) +
		       carved_hypercalls(q);
	return q->conversions;
}

/*
 * Check the number of calls of one direction against expected_hypercalls(). In an SNP guest of 6.1
 * each conversion takes a call for each 253 pages, and one for the rest.
 */
static void check_calls(uint64_t calls, uint64_t expected, uint64_t pages, const char *what,
			const char *direction)
{
	uint64_t full = pages / SNP_ENTRIES_PER_CALL;

	if (cvm_flavour() == CVM_SNP && !snp_large_entries())
		ok(calls >= full && calls <= full + expected,
		   "%s: number of hypercalls to %s: about one for each %u pages", what, direction,
		   SNP_ENTRIES_PER_CALL);
	else
		is_int(calls, expected, "%s: number of hypercalls to %s", what, direction);
}

/* What an SNP guest did: entries of page state changes, and PVALIDATEs. */
struct validations {
	uint64_t state_4k, state_2m, validate_4k, validate_2m, mismatch;
};

static struct validations validations_now(void)
{
	return (struct validations){ rig(CVM_PSC_4K), rig(CVM_PSC_2M), rig(CVM_PVALIDATE_4K),
				     rig(CVM_PVALIDATE_2M), rig(CVM_PVALIDATE_MISMATCH) };
}

/*
 * Check that an SNP guest changes the state of each 2 MiB with one entry, and validates it with one
 * PVALIDATE. If the RMP has entries of 4 KiB, the kernel repeats a failed PVALIDATE page by page.
 * 6.1 does everything page by page.
 */
static void check_validations(const struct validations *before, uint64_t pages, const char *what,
			      const char *direction)
{
	struct validations now = validations_now();
	uint64_t mismatch = now.mismatch - before->mismatch, units = pages / (UNIT / PAGE);
	bool large = snp_large_entries();

	if (cvm_flavour() != CVM_SNP)
		return;
	is_int(now.state_2m - before->state_2m, large ? units : 0,
	       "%s: entries of 2 MiB to %s", what, direction);
	is_int(now.state_4k - before->state_4k, large ? 0 : pages,
	       "%s: entries of 4 KiB to %s", what, direction);
	is_int(now.validate_2m - before->validate_2m, large ? units : 0,
	       "%s: PVALIDATEs of 2 MiB to %s", what, direction);
	is_int(now.validate_4k - before->validate_4k, large ? mismatch * (UNIT / PAGE) : pages,
	       "%s: PVALIDATEs of 4 KiB to %s", what, direction);
	ok(mismatch * 10 <= units || mismatch <= 1, "%s: %llu of %llu units have a split RMP entry", what,
	   (unsigned long long)mismatch, (unsigned long long)units);
}

static void check_cost(uint64_t size, const char *what)
{
	uint64_t hc_shared = rig(CVM_HC_SHARED), hc_private = rig(CVM_HC_PRIVATE);
	uint64_t pages = rig(CVM_PAGES_TO_SHARED), expected, id = 0;
	long long splits = direct_map_splits();
	uint64_t rounded = (size + PAGE - 1) & ~(PAGE - 1);
	struct validations validations = validations_now();
	struct ccshm_ioc_info before, after;
	struct ccshm_ioc_query q;

	must(raw_info(dev, &before));
	is_errno(raw_alloc(dev, size, &id), 0, "%s: ALLOC works", what);
	is_errno(raw_query(dev, id, &q), 0, "%s: QUERY works", what);
	must(raw_info(dev, &after));
	expected = expected_hypercalls(&q);
	is_int(q.size, rounded, "%s: the size is rounded up to whole pages", what);
	is_int(q.charged, rounded, "%s: the charge is rounded up to whole pages", what);
	is_int(q.carved, rounded % UNIT, "%s: the part that is less than a unit is carved", what);
	is_int(after.bytes_shared, units_of(size) * UNIT, "%s: shared in whole units", what);
	is_int(after.blocks_carved * UNIT + q.charged - q.carved, after.bytes_shared,
	       "%s: the charge equals what is shared", what);
	is_int(q.units, rounded / UNIT, "%s: QUERY reports the number of units", what);
	is_int(q.blocks_small, 0, "%s: QUERY reports no small block", what);
	ok(q.units_whole * 10 >= q.units * 9, "%s: %llu of %llu units are whole blocks", what,
	   (unsigned long long)q.units_whole, (unsigned long long)q.units);
	is_int(after.calls_shared - before.calls_shared, q.conversions,
	       "%s: number of calls to share", what);
	if (cvm_present()) {
		check_calls(rig(CVM_HC_SHARED) - hc_shared, expected, after.bytes_shared / PAGE, what, "share");
		is_int(rig(CVM_PAGES_TO_SHARED) - pages, after.bytes_shared / PAGE,
		       "%s: number of pages that became shared", what);
		check_validations(&validations, after.bytes_shared / PAGE, what, "share");
	}
	is_int(direct_map_splits() - splits, 0,
	       "%s: sharing splits no leaf of the direct map", what);

	validations = validations_now();
	is_errno(raw_free(dev, id), 0, "%s: FREE works", what);
	ok(wait_clean(dev), "%s: after FREE no object is left", what);
	if (cvm_present()) {
		check_calls(rig(CVM_HC_PRIVATE) - hc_private, expected, after.bytes_shared / PAGE, what,
			    "make the memory private");
		check_validations(&validations, after.bytes_shared / PAGE, what,
				  "make the memory private");
	}
	is_int(direct_map_splits() - splits, 0,
	       "%s: making the memory private splits no leaf of the direct map", what);
	ok(wait_rig_shared(rig_before), "%s: after FREE no page is shared", what);
}

static void test_costs(void)
{
	ok(direct_map_splits() >= 0, "this kernel counts the splits of the direct map");
	if (!cvm_present())
		skip("hypercalls of an allocation", "only an emulated confidential VM counts them");
	check_cost(1, "1 byte");
	check_cost(PAGE, "4 KiB");
	check_cost(MIB, "1 MiB");
	check_cost(UNIT, "2 MiB");
	check_cost(UNIT + 1, "2 MiB and 1 byte");
	check_cost(3 * MIB, "3 MiB");
	check_cost(64 * MIB, "64 MiB");
	check_cost(300 * MIB, "300 MiB");
	/* Allocate from the same blocks again: the cost must not rise. */
	check_cost(64 * MIB, "64 MiB again");
}

/* ---- in one piece ---- */

/*
 * Return whether the buffer is physically contiguous. PAGES reports a separate run where the state
 * of the leaf changes, so compare addresses of successive runs.
 */
static bool in_one_piece(uint64_t id, uint64_t size)
{
	struct ccshm_ioc_run run;
	uint64_t next, start = 0;

	for (uint64_t at = 0; at < size; at = next) {
		if (raw_pages(dev, id, at, 0, &run, 1, &next) != 1)
			return false;
		if (!at)
			start = run.physical;
		if (!start || run.physical != start + at) {
			diag("contiguous up to %#llx only", (unsigned long long)at);
			return false;
		}
	}
	return true;
}

static void check_contiguous(uint64_t size, uint64_t charged, const char *what)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = CCSHM_ALLOC_CONTIGUOUS };
	struct ccshm_ioc_query q;

	if (!is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0,
		      "ALLOC of %s with CONTIGUOUS works", what))
		return;
	must(raw_query(dev, req.id, &q));
	ok(q.object_flags & CCSHM_ALLOC_CONTIGUOUS,
	   "ALLOC of %s with CONTIGUOUS: QUERY reports the flag", what);
	is_int(q.charged, charged, "ALLOC of %s with CONTIGUOUS: the charge", what);
	ok(in_one_piece(req.id, q.size),
	   "ALLOC of %s with CONTIGUOUS: the memory is contiguous", what);
	must(raw_free(dev, req.id));
}

static void test_contiguous(void)
{
	struct ccshm_ioc_alloc req = { .flags = CCSHM_ALLOC_CONTIGUOUS };
	struct ccshm_ioc_info info;
	uint64_t other;

	/* Make carved memory start elsewhere than at the beginning of a block. */
	must(raw_alloc(dev, PAGE, &other));
	check_contiguous(PAGE, PAGE, "4 KiB");
	check_contiguous(3 * PAGE, 3 * PAGE, "12 KiB");
	check_contiguous(UNIT - PAGE, UNIT - PAGE, "2 MiB minus a page");
	check_contiguous(UNIT, UNIT, "2 MiB");
	check_contiguous(UNIT + PAGE, 2 * UNIT, "2 MiB plus a page");
	check_contiguous(2 * UNIT, 2 * UNIT, "4 MiB");
	must(raw_info(dev, &info));
	req.size = info.contiguous_max;
	is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0,
		 "ALLOC with CONTIGUOUS of the largest block works");
	must(raw_free(dev, req.id));
	req.size = info.contiguous_max + 1;
	is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), EFBIG,
		 "ALLOC with CONTIGUOUS of the largest block plus 1 byte: EFBIG");
	must(raw_free(dev, other));
	ok(wait_clean(dev) && wait_rig_shared(rig_before),
	   "after FREE of contiguous buffers: no object is left");
}

/* ---- contents ---- */

/* Map the whole buffer. Return NULL if that fails. */
static unsigned char *map_buffer(int fd, uint64_t id, size_t size)
{
	int dmabuf = raw_export(fd, id, 0, NULL);
	void *p;

	if (dmabuf < 0)
		return NULL;
	p = raw_map(dmabuf, size, PROT_READ | PROT_WRITE);
	close(dmabuf);
	return p;
}

static void check_first_use(size_t size, const char *what)
{
	unsigned char *p;
	uint64_t id;

	if (raw_alloc(dev, size, &id)) {
		fail("%s of new memory: ALLOC and EXPORT work", what);
		return;
	}
	p = map_buffer(dev, id, size);
	if (ok(p, "%s of new memory: mmap() works", what)) {
		is_int(first_other(p, 0, size), -1, "%s of new memory read zero at first", what);
		memset(p, PATTERN, size);
		is_int(first_other(p, PATTERN, size), -1,
		       "%s of new memory keep the bytes that are written",
		       what);
		munmap(p, size);
	}
	must(raw_free(dev, id));
	ok(wait_clean(dev), "%s of new memory: given back after FREE", what);
}

struct addresses {
	unsigned int nr;
	struct ccshm_ioc_segment seg[NR_SEGMENTS];
};

/* Read the DMA addresses of the buffer. This needs CAP_SYS_RAWIO. */
static bool addresses_of(int fd, uint64_t id, struct addresses *a)
{
	int att = raw_attach(fd, id, DEVICE, NULL);
	int n;

	if (att == -ERANGE) {
		struct ccshm_ioc_attach req = { .id = id, .dma_bits = 64, .device = DEVICE };

		att = raw_ioctl(fd, CCSHM_IOC_ATTACH, &req) ? -1 : req.fd;
	}
	if (att < 0)
		return false;
	n = raw_segments(att, 0, a->seg, 0, NR_SEGMENTS, NULL);
	a->nr = n > 0 ? n : 0;
	must(raw_detach(att, 0));
	close(att);
	return n > 0;
}

/* Return the number of bytes that are in both. */
static uint64_t overlap(const struct addresses *a, const struct addresses *b)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < a->nr; i++) {
		for (unsigned int k = 0; k < b->nr; k++) {
			const struct ccshm_ioc_segment *x = &a->seg[i], *y = &b->seg[k];
			uint64_t start = x->dma_address > y->dma_address ? x->dma_address :
									   y->dma_address;
			uint64_t x_end = x->dma_address + x->length;
			uint64_t y_end = y->dma_address + y->length;
			uint64_t end = x_end < y_end ? x_end : y_end;

			if (end > start)
				sum += end - start;
		}
	}
	return sum;
}

struct reuse {
	struct addresses first, second;
	long other;
};

/*
 * Allocate as another user, and return the offset of the first byte that is not zero, or -1. This
 * runs in another process.
 */
static int second_user(void *arg)
{
	struct reuse *r = arg;
	unsigned char *p;
	uint64_t id;
	int fd = raw_open();

	if (fd < 0)
		return fd;
	if (raw_alloc(fd, REUSED, &id))
		return -ENOMEM;
	if (!addresses_of(fd, id, &r->second))
		return -EIO;
	p = map_buffer(fd, id, REUSED);
	if (!p)
		return -EFAULT;
	r->other = first_other(p, 0, REUSED);
	munmap(p, REUSED);
	close(fd);
	return 0;
}

static void test_reuse(void)
{
	struct reuse *r = common(sizeof(*r));
	uint64_t id, again;
	unsigned char *p;

	if (raw_alloc(dev, REUSED, &id) || !addresses_of(dev, id, &r->first)) {
		fail("the first user allocates memory");
		return;
	}
	p = map_buffer(dev, id, REUSED);
	if (!ok(p, "the first user maps the memory"))
		return;
	memset(p, PATTERN, REUSED);
	munmap(p, REUSED);
	must(raw_free(dev, id));
	ok(wait_clean(dev), "the first user's memory is given back");

	is_int(as_user(BOB, CAP(SYS_RAWIO), second_user, r), 0,
	       "a second user allocates memory of the same size");
	again = overlap(&r->first, &r->second);
	ok(again >= REUSED / 4,
	   "%llu MiB of the second user's memory were the first user's",
	   (unsigned long long)(again / MIB));
	is_int(r->other, -1, "a second user's memory reads zero, whatever it held before");
	ok(wait_clean(dev), "the second user's memory is given back");
	munmap(r, sizeof(*r));
}

static void test_contents(void)
{
	if (cvm_present())
		ok(cvm_set_mode(CVM_MODE_PRIVATE_ALIAS | CVM_MODE_SHARED_ALIAS | CVM_MODE_SCRAMBLE) &
		   CVM_MODE_SCRAMBLE, "conversions leave garbage in the new view (scramble mode)");
	check_first_use(PAGE, "4 KiB");
	check_first_use(3 * MIB, "3 MiB");
	check_first_use(64 * MIB, "64 MiB");
	test_reuse();
}

/* ---- allocations that fail or are killed ---- */

static void test_too_large(void)
{
	struct sysinfo si;
	uint64_t total, id;
	int err;

	sysinfo(&si);
	total = (uint64_t)si.totalram * si.mem_unit;
	err = raw_alloc(dev, total + UNIT, &id);
	is_errno(err, ENOMEM, "ALLOC of twice the memory of the machine: ENOMEM");
	err = raw_alloc(dev, total - 4 * UNIT, &id);
	is_errno(err, ENOMEM, "ALLOC of nearly all memory: ENOMEM");
	if (!err)
		must(raw_free(dev, id));
	ok(wait_clean(dev), "ALLOC that fails with ENOMEM leaves no object");
	ok(wait_rig_shared(rig_before), "ALLOC that fails with ENOMEM leaves no shared page");
	is_errno(raw_alloc(dev, 64 * MIB, &id), 0, "ALLOC after one that failed with ENOMEM works");
	must(raw_free(dev, id));
	ok(wait_clean(dev), "ALLOC after one that failed with ENOMEM: given back after FREE");
}

#define LONG_SIZE	(128 * MIB)

/*
 * Run this process before all others whenever it can run; with @priority 0, with its normal
 * priority. Tests that observe another process sleep between two observations: with this priority
 * each observation happens in time, even on a busy machine.
 */
static void run_first(int priority)
{
	struct sched_param param = { .sched_priority = priority };
	int policy = priority ? SCHED_FIFO : SCHED_OTHER;

	if (sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param))
		bail("real-time priority: %s", strerror(errno));
}

static void short_sleep(void)
{
	const struct timespec t = { .tv_nsec = 200000 };

	nanosleep(&t, NULL);
}

/* Send 1 before a long allocation and 2 after it. */
static int allocate_long(struct peer *parent, void *arg)
{
	uint64_t id;
	int err;

	(void)arg;
	peer_send(parent, 1, -1);
	err = raw_alloc_named(dev, LONG_SIZE, "long", 0600, &id);
	peer_send(parent, err ? err : 2, -1);
	sleep_ms(20000);
	return 0;
}

static uint64_t calls_now(void)
{
	struct ccshm_ioc_info info;

	must(raw_info(dev, &info));
	return info.calls_shared;
}

/* Wait up to 20 s until the allocation in progress has made @calls calls. */
static void wait_calls(uint64_t calls)
{
	int64_t end = in_ms(20000);

	while (calls_now() < calls && now_ns() < end)
		short_sleep();
}

/* Return the number of calls that a long allocation makes without interruption. */
static uint64_t long_calls(void)
{
	uint64_t before = calls_now(), id;
	int64_t start = now_ns();

	if (!ok(!raw_alloc(dev, LONG_SIZE, &id), "a long ALLOC works"))
		return 0;
	diag("%llu MiB take %lld ms and %llu calls", (unsigned long long)(LONG_SIZE / MIB),
	     (long long)(now_ns() - start) / 1000000, (unsigned long long)(calls_now() - before));
	before = calls_now() - before;
	must(raw_free(dev, id));
	ok(wait_clean(dev), "a long ALLOC: given back after FREE");
	return before;
}

/* Kill a long allocation after @calls calls. Return whether it was still in progress. */
static bool kill_within(uint64_t calls, int sig)
{
	struct peer p;
	uint64_t id;
	int status;

	calls += calls_now();
	p = peer_start(0, ALL_CAPS, allocate_long, NULL);
	must(peer_hear(&p));
	wait_calls(calls);
	status = peer_end(&p, sig);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		fail("the process does not die of signal %d", sig);
	if (raw_find(dev, "long", -1, &id))
		return true;
	must(raw_free(dev, id));
	return false;
}

static void test_killed(uint64_t calls)
{
	bool clean = true;
	int within = 0;

	for (int i = 0; i < 8; i++) {
		within += kill_within(calls * i / 8, i & 1 ? SIGKILL : SIGTERM);
		clean &= wait_clean(dev) && wait_rig_shared(rig_before);
	}
	ok(within >= 4, "%d of 8 processes are killed within ALLOC", within);
	ok(clean, "ALLOC in a killed process leaves no object");
}

static int allocate_first(struct peer *parent, void *arg)
{
	run_first(1);
	return allocate_long(parent, arg);
}

/*
 * Test that another thread makes the memory of a killed allocation private. With one processor that
 * thread does not run before the process is gone. With several it may have returned all of the memory
 * before the first observation.
 */
static void test_killed_at_once(void)
{
	struct peer p = peer_start(0, ALL_CAPS, allocate_first, NULL);
	struct ccshm_ioc_info info = { 0 };
	int64_t start;

	must(peer_hear(&p));
	while (!raw_info(dev, &info) && info.bytes_shared < LONG_SIZE / 4 * 3)
		short_sleep();
	start = now_ns();
	peer_must_end(&p, SIGKILL);
	must(raw_info(dev, &info));
	diag("the killed process is gone after %lld ms", (long long)(now_ns() - start) / 1000000);
	if (!info.bytes_shared && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		skip("a killed process is gone before its memory is private",
		     "another processor has returned the memory");
	else
		ok(info.bytes_shared > 0,
		   "a killed process is gone before its memory is private: %llu MiB are shared",
		   (unsigned long long)(info.bytes_shared / MIB));
	ok(info.user_bytes >= info.bytes_shared,
	   "a killed process's memory is charged until it is private");
	ok(wait_clean(dev) && wait_rig_shared(rig_before),
	   "a killed process's memory is given back");
}

/* ---- amount of shared memory ---- */

static uint64_t conversions_now(void)
{
	return rig(CVM_HC_SHARED) + rig(CVM_HC_PRIVATE);
}

/* Allocate four times, and continue until *@enough is set, up to 40 times. */
static int allocate_again_and_again(struct peer *parent, void *arg)
{
	volatile bool *enough = arg;
	int fd = raw_open(), bad = 0;
	uint64_t id;

	peer_send(parent, 1, -1);
	for (int i = 0; i < 4 || (!*enough && i < 40); i++)
		bad += raw_alloc(fd, LONG_SIZE, &id) || raw_free(fd, id);
	return bad;
}

/*
 * Test that INFO never reports less shared memory than the host can access. Compare only if no
 * conversion happened between the two readings.
 */
static void test_never_less(void)
{
	volatile bool *enough = common(sizeof(*enough));
	unsigned int looks = 0, less = 0;
	struct peer p;
	int result;

	if (!cvm_present()) {
		skip("INFO reports at least what the host can reach",
		     "the host can reach all memory");
		return;
	}
	p = peer_start(0, ALL_CAPS, allocate_again_and_again, (void *)enough);
	must(peer_hear(&p));
	for (;;) {
		uint64_t before = conversions_now(), shared = rig(CVM_PAGES_SHARED) - rig_before;
		struct ccshm_ioc_info info;

		must(raw_info(dev, &info));
		if (conversions_now() == before && rig(CVM_PAGES_SHARED) - rig_before == shared) {
			looks += shared > 0;
			less += info.bytes_shared + info.bytes_quarantined + info.bytes_leaked <
				shared * PAGE;
		}
		*enough = looks > 20;
		if (peer_receive(&p, &result, NULL, 0))
			break;
		short_sleep();
	}
	is_int(result, 0, "each repeated ALLOC and FREE works");
	peer_must_end(&p, 0);
	ok(looks > 20, "%u samples of INFO while memory was shared", looks);
	is_int(less, 0, "INFO never reports less than the host can reach");
	ok(wait_clean(dev), "after the repeated ALLOC and FREE: no object is left");
}

/* Return the number of kernel workers that currently serve the driver's queue. */
static unsigned int workers(void)
{
	unsigned int n = 0;
	struct dirent *d;
	DIR *proc = opendir("/proc");

	while ((d = readdir(proc))) {
		char path[300], text[128] = "";
		int fd;

		if (d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		fd = open(path, O_RDONLY);
		n += fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "+ccshm") &&
		     !strstr(text, "+ccshm-");
		if (fd >= 0)
			close(fd);
	}
	closedir(proc);
	return n;
}

static void test_workers(void)
{
	int fd = raw_open();
	unsigned int most = 0;
	struct ccshm_ioc_info info = { 0 };
	uint64_t id;

	for (int i = 0; i < 60; i++)
		must(raw_alloc(fd, 2 * UNIT, &id));
	close(fd);
	do {
		unsigned int n = workers();

		most = n > most ? n : most;
		must(raw_info(dev, &info));
		short_sleep();
	} while (info.bytes_shared);
	/* Without conversions all memory may have returned before the first observation. */
	ok((most >= 1 || !cvm_present()) && most <= 1,
	   "closing a file with 60 buffers: at most %u workers at a time", most);
	ok(wait_clean(dev), "closing a file with 60 buffers: all memory is given back");
}

static volatile int handled;

static void handler(int sig)
{
	handled = sig;
}

/*
 * Run a long allocation with the flags @arg and handle a signal. Return the signal, or the error of
 * ALLOC.
 */
static int allocate_handling(struct peer *parent, void *arg)
{
	struct ccshm_ioc_alloc req = {
		.size = LONG_SIZE, .flags = CCSHM_ALLOC_PERSISTENT | (uintptr_t)arg,
	};
	struct sigaction sa = { .sa_handler = handler };
	int err;

	strcpy(req.name, "long");
	sigaction(SIGUSR1, &sa, NULL);
	peer_send(parent, 1, -1);
	err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);
	if (!err)
		must(raw_free(dev, req.id));
	return err ? err : handled;
}

static int signal_within(uint64_t flags)
{
	uint64_t calls = calls_now();
	struct peer p = peer_start(0, ALL_CAPS, allocate_handling, (void *)(uintptr_t)flags);
	int result;

	must(peer_hear(&p));
	wait_calls(calls + 1);
	kill(p.pid, SIGUSR1);
	result = peer_hear(&p);
	peer_must_end(&p, 0);
	return result;
}

/* Test that a handled signal interrupts only an allocation with CCSHM_ALLOC_INTERRUPTIBLE. */
static void test_handled(void)
{
	uint64_t id;
	int result = 0;

	/* On a busy machine the ALLOC can end before the signal is sent. */
	for (int round = 0; round < 10 && !result; round++) {
		result = signal_within(0);
		if (!result)
			must_be_true(wait_clean(dev));
	}
	is_int(result, SIGUSR1,
	       "ALLOC continues after a signal that is handled");
	ok(wait_clean(dev), "ALLOC during which a signal is handled: given back");
	for (int round = 0; round < 10; round++) {
		result = signal_within(CCSHM_ALLOC_INTERRUPTIBLE);
		if (result != SIGUSR1)
			break;
		must_be_true(wait_clean(dev));
	}
	is_int(result, -EINTR,
	       "ALLOC with INTERRUPTIBLE and a signal that is handled: EINTR");
	is_errno(raw_find(dev, "long", -1, &id), ENOENT,
		 "ALLOC that fails with EINTR: OPEN of its name: ENOENT");
	ok(wait_clean(dev) && wait_rig_shared(rig_before),
	   "ALLOC that fails with EINTR leaves no object and no shared page");
}

int main(void)
{
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	direct_map_settle();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	test_costs();
	test_contiguous();
	test_contents();
	run_first(2);
	test_killed(long_calls());
	test_killed_at_once();
	test_handled();
	test_never_less();
	test_workers();
	run_first(0);
	test_too_large();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(rig_before), "after the unloading: no page is shared");
	return done_testing();
}
