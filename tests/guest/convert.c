// SPDX-License-Identifier: GPL-2.0-only
/*
 * A platform that refuses conversions: ALLOC fails and shares nothing. Memory that cannot be made
 * private again goes to the quarantine, which retries; finally the memory is leaked and counted,
 * and never handed out. The next ALLOC succeeds. The module cannot be unloaded while memory is in
 * quarantine or leaked.
 *
 * vm-modules: ccshm probe
 * vm-flavours: tdx cca
 * vm-boot: alone
 * vm-memory: 1536
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "device.h"

#define DEVICE		"pci:0000:00:05.0"
#define FOREVER		(1ULL << 40)
#define RUN		(32 * MIB)	/* the most that one call converts */
#define PART		(5 * UNIT / PAGE + 7)	/* pages that a partial conversion converts */

static int dev;
static uint64_t rig_before;

static void refuse(unsigned int directions, uint64_t skip, uint64_t count)
{
	if (cvm_fail(directions, skip, count))
		bail("the emulator cannot refuse conversions");
}

static void refuse_nothing(void)
{
	refuse(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 0);
}

static struct ccshm_ioc_info info_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(dev, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

/*
 * Wait up to 60 s until @quarantined bytes are in quarantine and @leaked bytes are leaked: the
 * driver retries for 32 s before it leaks memory.
 */
static bool wait_quarantine(uint64_t quarantined, uint64_t leaked)
{
	struct ccshm_ioc_info info = info_now();

	for (int i = 0; i < 3000; i++) {
		if (info.bytes_quarantined == quarantined && info.bytes_leaked == leaked)
			return true;
		sleep_ms(20);
		info = info_now();
	}
	diag("%llu bytes in quarantine, %llu leaked",
	     (unsigned long long)info.bytes_quarantined, (unsigned long long)info.bytes_leaked);
	return false;
}

/*
 * Wait until the host has refused two more than @refused conversions, then let it refuse
 * none. The memory waits in quarantine up to here, so a test sees it there also if the guest stands
 * still for seconds: the driver leaks memory only after 32 s.
 */
static void refuse_twice_more(uint64_t refused)
{
	for (int i = 0; i < 3000 && rig(CVM_CONV_FAILED) < refused + 2; i++)
		sleep_ms(20);
	must_be_true(rig(CVM_CONV_FAILED) >= refused + 2);
	refuse_nothing();
}

/*
 * Return whether the driver holds no memory and returns none, and only the pages of leaked memory
 * are shared.
 */
static bool nothing_held(uint64_t leaked, uint64_t leaked_shared)
{
	struct ccshm_ioc_info info = info_now();

	for (int i = 0; i < 500 && (info.bytes_shared || info.buffers); i++) {
		sleep_ms(20);
		info = info_now();
	}
	return !info.bytes_shared && !info.buffers && !info.exports && !info.attachments &&
	       wait_quarantine(0, leaked) && wait_rig_shared(rig_before + leaked_shared / PAGE);
}

static void next_works(const char *after, uint64_t leaked_shared)
{
	uint64_t id, leaked = info_now().bytes_leaked;
	unsigned char *map = NULL;
	int dmabuf;

	refuse_nothing();
	is_errno(raw_alloc(dev, 3 * MIB, &id), 0, "%s: the next ALLOC works", after);
	dmabuf = raw_export(dev, id, 0, NULL);
	if (dmabuf >= 0)
		map = raw_map(dmabuf, 3 * MIB, PROT_READ | PROT_WRITE);
	if (ok(map, "%s: the next buffer can be mapped", after)) {
		is_int(first_other(map, 0, 3 * MIB), -1, "%s: the next buffer reads zero", after);
		munmap(map, 3 * MIB);
	}
	close(dmabuf);
	must(raw_free(dev, id));
	ok(nothing_held(leaked, leaked_shared),
	   "%s: the next buffer leaves nothing shared, in quarantine or leaked", after);
}

/* ---- ALLOC ---- */

/* Wait up to 60 s until the quarantine is empty. Return the leaked bytes. */
static uint64_t settled_leak(void)
{
	for (int i = 0; i < 3000 && info_now().bytes_quarantined; i++)
		sleep_ms(20);
	return info_now().bytes_leaked;
}

/*
 * Refuse a conversion to shared, and then @back conversions to private. The memory of a Realm comes
 * back completely. TDX cannot accept memory again that has stayed private, so such memory comes
 * back only after it could be shared once.
 */
static void alloc_refused(const char *what, uint64_t size, uint64_t skip, uint64_t back)
{
	struct ccshm_ioc_info before = info_now(), after;
	uint64_t id, leaked;
	int fds = count_fds();

	refuse(back ? CVM_FAIL_SHARED | CVM_FAIL_PRIVATE : CVM_FAIL_SHARED, skip, 1 + back);
	is_errno(raw_alloc_named(dev, size, "refused", 0600, &id), EIO, "%s: ALLOC: EIO", what);
	after = info_now();
	ok(after.calls_failed > before.calls_failed, "%s: INFO counts the failed calls", what);
	is_int(after.bytes_shared, 0, "%s: INFO reports 0 shared bytes", what);
	is_int(id, 0, "%s: ALLOC returns no id", what);
	is_int(count_fds(), fds, "%s: no descriptor is left", what);
	is_errno(raw_find(dev, "refused", -1, &id), ENOENT,
		 "%s: OPEN of the buffer's name: ENOENT", what);
	leaked = settled_leak() - before.bytes_leaked;
	is_int(leaked, 0, "%s: no memory is leaked", what);
	ok(nothing_held(before.bytes_leaked + leaked, 0),
	   "%s: the memory that was shared is given back", what);
	next_works(what, 0);
}

static void test_alloc_refused(void)
{
	alloc_refused("a small ALLOC refused", UNIT, 0, 0);
	alloc_refused("the second part of an ALLOC refused", 2 * RUN, 1, 0);
	alloc_refused("the carved block of an ALLOC refused", 3 * MIB, 0, 0);
	alloc_refused("the part of an ALLOC that is not carved refused", 3 * MIB, 1, 0);
	alloc_refused("the second part and three calls of the undoing refused", 2 * RUN, 1, 3);
}

/*
 * Test a host that shares the beginning of a run and refuses all later conversions, as a host at
 * its limit does. The memory that the host has shared comes back at once. The refused memory waits,
 * and no memory joins it, until the host shares again.
 */
static void test_refused_in_the_middle(void)
{
	const char *what = "a host that can share no more";
	struct ccshm_ioc_info before = info_now(), after;
	uint64_t id, held;

	/* Stop in the third of these blocks of two units each. */
	if (cvm_retry(0, 1, PART)) {
		skip("a host that can share no more: ALLOC: EIO", "only TDX has the answer RETRY");
		return;
	}
	refuse(CVM_FAIL_SHARED, 1, FOREVER);
	is_errno(raw_alloc(dev, 256 * MIB, &id), EIO, "%s: ALLOC: EIO", what);
	held = info_now().bytes_quarantined;
	ok(held >= UNIT && held <= RUN - 4 * UNIT,
	   "%s: %llu MiB are in quarantine, without the parts that were never shared", what,
	   (unsigned long long)(held / MIB));
	is_int(rig(CVM_PAGES_SHARED), rig_before, "%s: the host counts no shared page", what);
	is_int(info_now().user_bytes, held, "%s: the caller is charged for the quarantine", what);
	for (int i = 0; i < 3; i++) {
		is_errno(raw_alloc(dev, 256 * MIB, &id), EIO, "%s: a second ALLOC: EIO", what);
		ok(info_now().bytes_quarantined <= held,
		   "%s: a second ALLOC adds nothing to the quarantine", what);
	}
	/* Wait for longer than an earlier version of the driver took to leak the memory. */
	sleep_ms(7000);
	after = info_now();
	is_int(after.bytes_leaked, before.bytes_leaked, "%s: no memory is leaked", what);
	ok(after.bytes_quarantined > 0, "%s: memory is still in quarantine after 7 s", what);
	ok(after.calls_shared - before.calls_shared < 40,
	   "%s: fewer than 40 calls to share were made (%llu)", what,
	   (unsigned long long)(after.calls_shared - before.calls_shared));
	refuse_nothing();
	is_errno(raw_alloc(dev, 4 * MIB, &id), 0,
		 "%s: after the end of the limit, ALLOC works at once",
		 what);
	must(raw_free(dev, id));
	ok(wait_quarantine(0, before.bytes_leaked),
	   "%s: after the end of the limit, the quarantine becomes empty", what);
	ok(nothing_held(before.bytes_leaked, 0),
	   "%s: after the end of the limit, nothing is shared or in quarantine", what);
}

/* ---- FREE ---- */

static void test_free_refused_for_a_while(void)
{
	const char *what = "FREE refused for a while";
	struct ccshm_ioc_info before = info_now();
	uint64_t id, refused = rig(CVM_CONV_FAILED);

	must(raw_alloc(dev, PAGE, &id));
	refuse(CVM_FAIL_PRIVATE, 0, FOREVER);
	is_errno(raw_free(dev, id), 0, "%s: FREE works", what);
	ok(wait_quarantine(UNIT, before.bytes_leaked), "%s: the memory is in quarantine", what);
	for (int i = 0; i < 500 && info_now().bytes_shared; i++)
		sleep_ms(1);
	is_int(info_now().bytes_shared, 0,
	       "%s: memory in quarantine is not counted as shared", what);
	is_int(info_now().user_bytes, UNIT,
	       "%s: memory in quarantine is still charged to the user", what);
	is_int(info_now().used_bytes, before.used_bytes + UNIT,
	       "%s: memory in quarantine is part of the total", what);
	refuse_twice_more(refused);
	ok(wait_quarantine(0, before.bytes_leaked), "%s: the memory leaves the quarantine", what);
	is_int(info_now().user_bytes, 0,
	       "%s: after the quarantine the user is charged nothing", what);
	is_int(info_now().calls_failed - before.calls_failed, rig(CVM_CONV_FAILED) - refused,
	       "%s: INFO counts each refused call as failed", what);
	ok(wait_rig_shared(rig_before), "%s: after the quarantine the memory is private", what);
	next_works(what, 0);
}

/*
 * Test a host that converts ranges in parts: it answers RETRY, as KVM does for interrupts, and the
 * kernel continues.
 */
static void test_parts(void)
{
	struct ccshm_ioc_info before = info_now(), after;
	uint64_t id, retries;

	if (cvm_retry(0, FOREVER, PART)) {
		skip("a host that converts in parts: ALLOC works", "only TDX has the answer RETRY");
		return;
	}
	retries = cvm_counter(CVM_RETRIES);
	is_errno(raw_alloc(dev, RUN, &id), 0, "a host that converts in parts: ALLOC works");
	ok(cvm_counter(CVM_RETRIES) > retries, "a host that converts in parts: RETRY is counted");
	retries = cvm_counter(CVM_RETRIES);
	is_int(rig(CVM_PAGES_SHARED), rig_before + RUN / PAGE,
	       "a host that converts in parts: the whole buffer is shared");
	must(raw_free(dev, id));
	ok(nothing_held(before.bytes_leaked, 0), "a host that converts in parts: FREE makes all private");
	ok(cvm_counter(CVM_RETRIES) > retries, "a host that converts in parts: FREE was answered with RETRY");
	must(cvm_retry(0, 0, 0));
	after = info_now();
	is_int(after.calls_failed - before.calls_failed, 0, "a host that converts in parts: no call failed");
	next_works("a host that converts in parts", 0);
}

/*
 * Test a host that makes the beginning of a run private and then refuses once: the blocks come back
 * one by one, and none waits in quarantine. If the host refuses for longer, the whole run waits, and
 * comes back when the host permits it.
 */
static void test_free_refused_in_the_middle(void)
{
	const char *what = "FREE refused in the middle";
	struct ccshm_ioc_info before = info_now();
	uint64_t id, most = 0;

	if (cvm_retry(0, 0, 0)) {
		skip("FREE refused in the middle: the memory is given back at once",
		     "only TDX has the answer RETRY");
		return;
	}
	must(raw_alloc(dev, RUN, &id));
	must(cvm_retry(0, 1, PART));
	refuse(CVM_FAIL_PRIVATE, 1, 1);
	must(raw_free(dev, id));
	for (int i = 0; i < 500 && info_now().bytes_shared; i++) {
		sleep_ms(10);
		if (info_now().bytes_quarantined > most)
			most = info_now().bytes_quarantined;
	}
	is_int(most + info_now().bytes_quarantined, 0, "%s: the memory is given back at once", what);
	is_int(info_now().calls_failed - before.calls_failed, 1, "%s: INFO counts one failed call", what);
	ok(nothing_held(before.bytes_leaked, 0), "%s: all of it is private", what);

	must(raw_alloc(dev, RUN, &id));
	must(cvm_retry(0, 1, PART));
	refuse(CVM_FAIL_PRIVATE, 1, FOREVER);
	must(raw_free(dev, id));
	ok(wait_quarantine(RUN, before.bytes_leaked), "%s, for longer: the run is in quarantine", what);
	is_int(rig(CVM_PAGES_SHARED), rig_before + RUN / PAGE - PART,
	       "%s, for longer: the host counts the rest as shared", what);
	is_int(info_now().user_bytes, RUN, "%s, for longer: the user is charged for all of it", what);
	refuse_nothing();
	ok(wait_quarantine(0, before.bytes_leaked), "%s, for longer: the memory leaves the quarantine", what);
	next_works(what, 0);
}

/*
 * Test a host that makes a block private, and then refuses to accept a page in its middle. The pages
 * before that one cannot be accepted again: the block has to be shared as a whole first. With @times = 2
 * the host refuses again when the driver does this.
 */
static void test_accept_refused(unsigned int times)
{
	struct ccshm_ioc_info before = info_now();
	char what[64];
	uint64_t id, refused = rig(CVM_CONV_FAILED);

	snprintf(what, sizeof(what), "acceptance of a page refused %s", times == 1 ? "once" : "twice");
	if (cvm_fail(CVM_FAIL_ACCEPT, 0, 0)) {
		skip(what, "only TDX guests accept pages");
		return;
	}
	must(raw_alloc(dev, UNIT, &id));
	refuse(CVM_FAIL_ACCEPT, 100, times);
	is_errno(raw_free(dev, id), 0, "%s: FREE works", what);
	for (int i = 0; i < 3000 && rig(CVM_CONV_FAILED) < refused + times; i++)
		sleep_ms(20);
	is_int(rig(CVM_CONV_FAILED) - refused, times, "%s: the host has refused it", what);
	ok(wait_quarantine(0, before.bytes_leaked),
	   "%s: the memory leaves the quarantine, and is not leaked", what);
	ok(nothing_held(before.bytes_leaked, 0), "%s: all of it is private", what);
	next_works(what, 0);
}

/* Let the host convert the first @pages pages of the next range, and refuse the page after them once. */
static void refuse_page(unsigned int direction, uint64_t pages)
{
	if (cvm_retry(0, 1, pages) && cvm_chunk(pages))
		bail("the emulator cannot convert a range in parts");
	refuse(direction, 1, 1);
}

static void refuse_no_page(void)
{
	if (cvm_retry(0, 0, 0) && cvm_chunk(0))
		bail("the emulator cannot convert whole ranges");
	refuse_nothing();
}

/* Test a host that refuses page @n of a buffer once, when it is to be shared or private. */
static void refused_at(unsigned int n)
{
	uint64_t size = 3 * UNIT, failed = info_now().calls_failed, leaked = info_now().bytes_leaked, id;

	refuse_page(CVM_FAIL_SHARED, n);
	is_errno(raw_alloc(dev, size, &id), EIO, "page %u refused to be shared: ALLOC: EIO", n);
	refuse_no_page();
	ok(nothing_held(leaked, 0), "page %u refused to be shared: all memory is private and given back", n);
	is_errno(raw_alloc(dev, size, &id), 0, "page %u refused to be shared: the next ALLOC works", n);

	refuse_page(CVM_FAIL_PRIVATE, n);
	is_errno(raw_free(dev, id), 0, "page %u refused to be private: FREE works", n);
	ok(nothing_held(leaked, 0), "page %u refused to be private: all memory is private and given back", n);
	refuse_no_page();
	ok(info_now().calls_failed >= failed + 2, "page %u refused in each direction: the host has refused both", n);
}

/* Pages at both ends of blocks, and within them. */
static void test_refused_at_pages(void)
{
	static const unsigned int pages[] = { 1, 2, 3, 7, 100, 255, 256, 511, 512, 513, 1023, 1024, 1025, 1535 };

	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		refused_at(pages[i]);
	next_works("single pages refused", 0);
}

/*
 * Test hosts whose answer RETRY asks for a call without an end, or for an address elsewhere: the
 * kernel gives up, ALLOC fails, and the memory is private again and not lost.
 */
static void test_hostile_retry(void)
{
	static const struct {
		uint64_t count, pages;
		const char *what;
	} host[] = {
		{ 3, 0, "RETRY without progress" },
		{ 1, CVM_RETRY_OUTSIDE, "RETRY outside of the range" },
	};
	uint64_t leaked = info_now().bytes_leaked, id;

	for (int i = 0; i < 2; i++) {
		if (cvm_retry(0, host[i].count, host[i].pages)) {
			skip("RETRY without progress: ALLOC: EIO", "only TDX has the answer RETRY");
			return;
		}
		is_errno(raw_alloc(dev, UNIT, &id), EIO, "%s: ALLOC: EIO", host[i].what);
		is_int(settled_leak() - leaked, 0, "%s: no memory is leaked", host[i].what);
		next_works(host[i].what, 0);
	}
}

/*
 * Test that a carved block is converted only when no buffer has a part of it, and that a refusal of
 * this conversion puts the whole block into quarantine.
 */
static void test_carved_refused(void)
{
	const char *what = "carved, FREE refused for a while";
	struct ccshm_ioc_info before = info_now();
	uint64_t one, two, three, refused = rig(CVM_CONV_FAILED);

	must(raw_alloc(dev, PAGE, &one));
	must(raw_alloc(dev, MIB, &two));
	must(raw_alloc(dev, 2 * PAGE, &three));
	is_int(info_now().bytes_shared, UNIT, "%s: three buffers are carved from one block", what);
	refuse(CVM_FAIL_PRIVATE, 0, FOREVER);
	must(raw_free(dev, two));
	must(raw_free(dev, one));
	for (int i = 0; i < 500 && info_now().bytes_carved != 2 * PAGE; i++)
		sleep_ms(20);
	is_int(info_now().bytes_carved, 2 * PAGE, "%s: two of the three buffers are freed", what);
	is_int(info_now().calls_private, before.calls_private,
	       "%s: FREE of two buffers converts nothing", what);
	is_int(info_now().bytes_shared, UNIT,
	       "%s: FREE of two buffers leaves the block shared", what);
	must(raw_free(dev, three));
	ok(wait_quarantine(UNIT, before.bytes_leaked),
	   "%s: FREE of the last buffer puts the block in quarantine", what);
	/* The block is counted as quarantined before it is no longer counted as carved. */
	for (int i = 0; i < 500 && info_now().blocks_carved; i++)
		sleep_ms(20);
	is_int(info_now().blocks_carved, 0,
	       "%s: with the block in quarantine, no block is carved", what);
	refuse_twice_more(refused);
	ok(wait_quarantine(0, before.bytes_leaked), "%s: the block leaves the quarantine", what);
	next_works(what, 0);
}

struct where {
	struct ccshm_ioc_segment seg[4096];
	int nr;
};

static void where_is(uint64_t id, struct where *w)
{
	struct ccshm_ioc_attach req = { .id = id, .dma_bits = 64, .device = DEVICE };

	w->nr = 0;
	if (raw_ioctl(dev, CCSHM_IOC_ATTACH, &req))
		return;
	w->nr = raw_segments(req.fd, 0, w->seg, 0, 4096, NULL);
	must(raw_detach(req.fd, 0));
	close(req.fd);
}

static bool apart(const struct where *a, const struct where *b)
{
	for (int i = 0; i < a->nr; i++)
		for (int k = 0; k < b->nr; k++)
			if (a->seg[i].dma_address < b->seg[k].dma_address + b->seg[k].length &&
			    b->seg[k].dma_address < a->seg[i].dma_address + a->seg[i].length)
				return false;
	return a->nr > 0 && b->nr > 0;
}

/* Test that leaked memory is not reused: a block of that size would be the first choice. */
static void never_handed_out(const struct where *leaked)
{
	static struct where other;
	uint64_t id[200];
	bool good = true;
	int nr;

	for (nr = 0; nr < 200; nr++) {
		if (raw_alloc(dev, UNIT, &id[nr]))
			break;
		where_is(id[nr], &other);
		good &= apart(leaked, &other);
	}
	ok(good && nr > 50, "leaked pages are in none of %d buffers allocated after the leak", nr);
	while (nr)
		must(raw_free(dev, id[--nr]));
}

static int alloc_page(void *arg)
{
	int fd = raw_open(), err;
	uint64_t id;

	(void)arg;
	err = raw_alloc(fd, PAGE, &id);
	close(fd);
	return err;
}

static void limit(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/misc/ccshm/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("cannot write %s: %s", path, strerror(errno));
	close(fd);
}

/*
 * Test that the leaked unit counts against the limit of root, which was charged for it and has no
 * capabilities here.
 */
static void check_leak_counts(const char *what)
{
	refuse_nothing();
	limit("limit_user_bytes", "2M");
	is_errno(as_user(ROOT, 0, alloc_page, NULL), EDQUOT,
		 "%s: leaked bytes count for the limit of the user who leaked them: EDQUOT", what);
	is_errno(as_user(ALICE, 0, alloc_page, NULL), 0,
		 "%s: leaked bytes do not count for the limit of another user", what);
	limit("limit_user_bytes", "max");
	for (int i = 0; i < 500 && info_now().bytes_shared; i++)
		sleep_ms(10);
	limit("limit_total_bytes", "2M");
	is_errno(as_user(ROOT, 0, alloc_page, NULL), ENOSPC,
		 "%s: leaked bytes count for the total when the user who leaked them asks: ENOSPC",
		 what);
	is_errno(as_user(ALICE, 0, alloc_page, NULL), 0,
		 "%s: leaked bytes do not count for the total when another user asks", what);
	limit("limit_total_bytes", "max");
	for (int i = 0; i < 500 && info_now().bytes_shared; i++)
		sleep_ms(10);
}

static void test_free_refused(void)
{
	const char *what = "FREE always refused";
	struct ccshm_ioc_info first = info_now();
	uint64_t id, before = first.bytes_leaked;
	static struct where leaked;

	diag("expect-leaked-pages: %lu", 2 * UNIT / PAGE);
	diag("expect-loaded: ccshm");
	must(raw_alloc(dev, PAGE, &id));
	where_is(id, &leaked);
	is_int(leaked.nr, 1, "%s: PAGES reports one run for the buffer", what);
	refuse(CVM_FAIL_PRIVATE, 0, FOREVER);
	is_errno(raw_free(dev, id), 0, "%s: FREE works", what);
	ok(wait_quarantine(0, before + UNIT), "%s: INFO counts the memory as leaked", what);
	is_int(info_now().user_bytes, 0, "%s: no user is charged for leaked memory", what);
	is_int(info_now().user_bytes_leaked - first.user_bytes_leaked, UNIT,
	       "%s: INFO counts the leaked memory for its user", what);
	is_int(info_now().used_bytes, 0, "%s: leaked memory is not part of the total", what);
	check_leak_counts(what);
	is_int(rig(CVM_PAGES_SHARED), rig_before + UNIT / PAGE,
	       "%s: the host counts leaked memory as shared", what);
	refuse_nothing();
	never_handed_out(&leaked);
	next_works(what, UNIT);
	ok(nothing_held(before + UNIT, UNIT), "%s: no more memory is leaked later", what);
	close(dev);
	is_errno(driver_unload(), EAGAIN, "the driver cannot be unloaded after a leak: EAGAIN");
}

/* ---- unloading ---- */

static void load_again(void)
{
	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
}

/* Test that the driver can be unloaded only when no memory is in quarantine. */
static void test_unload_in_quarantine(void)
{
	uint64_t id;

	must(raw_alloc(dev, PAGE, &id));
	refuse(CVM_FAIL_PRIVATE, 0, FOREVER);
	must(raw_free(dev, id));
	ok(wait_quarantine(UNIT, 0), "memory is in quarantine before the driver is unloaded");
	close(dev);
	is_errno(driver_unload(), EAGAIN, "the driver cannot be unloaded while memory is in quarantine: EAGAIN");
	refuse_nothing();
	dev = raw_open();
	ok(wait_quarantine(0, 0), "the memory leaves the quarantine after an attempt to unload the driver");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded after the quarantine");
	is_int(rig(CVM_PAGES_SHARED), rig_before, "after unloading the driver no memory is shared");
	load_again();
}

#define PROBE	"/sys/module/ccshm_probe/parameters/"

static long probe_get(const char *path)
{
	FILE *f = fopen(path, "r");
	long value = -1;

	if (!f || fscanf(f, "%ld", &value) != 1)
		bail("cannot read %s", path);
	fclose(f);
	return value;
}

/* Load the module that stops conversions to private. */
static void load_probe(void)
{
	if (raw_insmod("/lib/ccshm/ccshm_probe.ko", "inspect=N stall_at=set_memory_encrypted "
						    "hold_at=set_memory_encrypted"))
		bail("cannot load ccshm_probe.ko");
}

static void probe_set(const char *name, long value)
{
	char path[96], text[24];

	snprintf(path, sizeof(path), PROBE "%s", name);
	snprintf(text, sizeof(text), "%ld", value);
	must(write_text(path, text));
}

/* Wait up to 10 s until the probe's parameter has the value. Return whether it has. */
static bool probe_becomes(const char *name, long value)
{
	char path[96];

	snprintf(path, sizeof(path), PROBE "%s", name);
	for (int i = 0; i < 1000 && probe_get(path) != value; i++)
		sleep_ms(10);
	return probe_get(path) == value;
}

/* Call ALLOC when the parent process permits it. */
static int allocates(struct peer *parent, void *arg)
{
	const uint64_t *size = arg;
	int fd = raw_open();
	uint64_t id;

	peer_send(parent, fd < 0 ? fd : 0, -1);
	must(peer_hear(parent));
	return raw_alloc(fd, *size, &id);
}

/*
 * Test that SIGKILL ends an ALLOC that retries the quarantined blocks of another user. The host
 * refuses to share, and makes private what is private already or becomes so: none of the retries
 * fails, nor shows that the host shares again.
 */
static void test_killed_in_retries(void)
{
	const char *what = "ALLOC killed while it retries quarantined memory";
	uint64_t size = UNIT;
	struct ccshm_ioc_info before = info_now(), after;
	struct peer p;
	uint64_t id;

	/* All but the last page of the run: the retries of its first blocks need no sharing. */
	if (cvm_retry(0, 1, RUN / PAGE - 1)) {
		skip(what, "only TDX has the answer RETRY");
		return;
	}
	load_probe();
	refuse(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 1, FOREVER);
	is_errno(raw_alloc(dev, RUN, &id), EIO, "%s: ALLOC of another user: EIO", what);
	ok(wait_quarantine(RUN, before.bytes_leaked), "%s: its run is in quarantine", what);

	p = peer_start(ALICE, 0, allocates, &size);
	must(peer_hear(&p));
	probe_set("stall", p.pid);
	peer_send(&p, 0, -1);
	ok(probe_becomes("stalled", p.pid), "%s: ALLOC retries a block", what);
	/* No work item retries the other blocks. */
	probe_set("hold", 1);
	refuse_nothing();
	refuse(CVM_FAIL_SHARED, 0, FOREVER);
	before = info_now();
	peer_must_end(&p, SIGKILL);
	after = info_now();
	ok(after.calls_private - before.calls_private <= 2,
	   "%s: the process ends after at most two conversions", what);
	diag("%llu conversions", (unsigned long long)(after.calls_private - before.calls_private));
	ok(after.bytes_quarantined >= RUN / 2, "%s: the other blocks are in quarantine", what);
	probe_set("hold", 0);
	refuse_nothing();
	ok(wait_quarantine(0, before.bytes_leaked), "%s: the memory leaves the quarantine", what);
	is_errno(raw_rmmod("ccshm_probe"), 0, "%s: ccshm_probe.ko can be unloaded", what);
	next_works(what, 0);
}

/* Test that a small ALLOC that is refused does not convert its block itself. */
static void test_killed_after_refusal(void)
{
	const char *what = "small ALLOC killed after a refusal";
	struct ccshm_ioc_info before = info_now();
	uint64_t size = PAGE;
	struct peer p;

	load_probe();
	p = peer_start(ALICE, 0, allocates, &size);
	must(peer_hear(&p));
	probe_set("hold", 1);
	refuse(CVM_FAIL_SHARED, 0, 1);
	peer_send(&p, 0, -1);
	ok(probe_becomes("held", 1), "%s: a work item makes the block private", what);
	peer_must_end(&p, SIGKILL);
	is_int(info_now().calls_private, before.calls_private,
	       "%s: the process is gone before its memory is private", what);
	probe_set("hold", 0);
	ok(wait_quarantine(0, before.bytes_leaked), "%s: no memory stays in quarantine", what);
	is_errno(raw_rmmod("ccshm_probe"), 0, "%s: ccshm_probe.ko can be unloaded", what);
	next_works(what, 0);
}

static int unload(struct peer *parent, void *arg)
{
	(void)parent;
	(void)arg;
	return driver_unload();
}

/* Wait up to 20 s until the driver is being unloaded. Return whether it is. */
static bool is_being_unloaded(void)
{
	int64_t end = in_ms(20000);
	char state[16] = "";
	FILE *f;

	do {
		sleep_ms(10);
		f = fopen("/sys/module/ccshm/initstate", "r");
		if (f && fscanf(f, "%15s", state) != 1)
			state[0] = '\0';
		if (f)
			fclose(f);
	} while (strcmp(state, "going") && now_ns() < end);
	return !strcmp(state, "going");
}

/*
 * Test that memory which the host refuses to make private when the driver is being unloaded, too
 * late for EAGAIN, is leaked and logged.
 */
static void test_unload_while_returning(void)
{
	struct peer p;
	uint64_t id;

	expect_kmsg("ccshm: unloaded although the host refused to make [0-9]+ pages private");
	if (raw_insmod("/lib/ccshm/ccshm_probe.ko", "inspect=N"))
		bail("cannot load ccshm_probe.ko");
	must(raw_alloc(dev, PAGE, &id));
	must(write_text(PROBE "hold", "1"));
	must(raw_free(dev, id));
	for (int i = 0; i < 1000 && probe_get(PROBE "held") != 1; i++)
		sleep_ms(10);
	is_int(probe_get(PROBE "held"), 1, "memory is being returned before the driver is unloaded");
	close(dev);
	p = peer_start(ROOT, ALL_CAPS, unload, NULL);
	ok(is_being_unloaded(), "the driver is being unloaded while memory is being returned");
	refuse(CVM_FAIL_PRIVATE, 0, FOREVER);
	must(write_text(PROBE "hold", "0"));
	is_int(peer_hear(&p), 0, "the driver can be unloaded while memory is being returned");
	peer_must_end(&p, 0);
	ok(logged("ccshm: unloaded although the host refused to make 512 pages private"),
	   "the kernel log names the pages that were leaked when the driver was unloaded");
	is_errno(raw_rmmod("ccshm_probe"), 0, "ccshm_probe.ko can be unloaded");
	refuse_nothing();
	is_int(rig(CVM_PAGES_SHARED), rig_before + UNIT / PAGE,
	       "memory leaked when the driver was unloaded stays shared");
	rig_before += UNIT / PAGE;
	load_again();
}

int main(void)
{
	expect_refusal();
	expect_kmsg("ccshm: leaked [0-9]+ pages: they cannot be made private again|"
		    "leak: [0-9]+ callbacks suppressed");
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	test_alloc_refused();
	test_parts();
	test_refused_in_the_middle();
	test_hostile_retry();
	test_free_refused_for_a_while();
	test_free_refused_in_the_middle();
	test_accept_refused(1);
	test_accept_refused(2);
	test_refused_at_pages();
	test_carved_refused();
	test_killed_in_retries();
	test_killed_after_refusal();
	test_unload_in_quarantine();
	test_unload_while_returning();
	test_free_refused();
	return done_testing();
}
