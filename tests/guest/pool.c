// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool: units stay shared and zeroed while no buffer has them. A buffer that gets units of the
 * pool needs no conversion and reads zero. The pool owns no more than its maximum, and gives idle
 * memory back when its maximum is lowered, memory is short, a limit would refuse an allocation, the
 * machine hibernates, or the module is unloaded.
 *
 * vm-modules: ccshm
 * vm-timeout: 300
 */
#include "tap.h"
#include "raw.h"
#include "device.h"
#include "sums.h"

#include <sys/mount.h>

#define FILE_OF(name)	"/sys/class/misc/ccshm/pool_" name "_bytes"

static int dev;
static uint64_t rig_before;

static struct ccshm_ioc_info info_now(void)
{
	struct ccshm_ioc_info info;

	must(raw_info(dev, &info));
	return info;
}

static void size_pool(const char *min, const char *max)
{
	must(write_text(FILE_OF("max"), max));
	must(write_text(FILE_OF("min"), min));
}

static uint64_t idle(void)
{
	return (uint64_t)read_number(FILE_OF("idle"));
}

/* Wait up to 20 s until @bytes bytes are idle. */
static bool wait_idle(uint64_t bytes)
{
	for (int i = 0; i < 1000 && idle() != bytes; i++)
		sleep_ms(20);
	if (idle() != bytes)
		diag("%llu bytes are idle, not %llu", (unsigned long long)idle(),
		     (unsigned long long)bytes);
	return idle() == bytes;
}

static bool is_only_idle(uint64_t bytes)
{
	struct ccshm_ioc_info info = info_now();

	return idle() == bytes && !info.buffers && info.used_bytes == bytes &&
	       info.bytes_shared == bytes && !info.bytes_carved && !info.bytes_quarantined;
}

/*
 * Wait up to 30 s until no buffer is left, and only @bytes bytes, which are idle, are shared and in
 * use.
 */
static bool only_idle(uint64_t bytes)
{
	for (int i = 0; i < 1500 && !is_only_idle(bytes); i++)
		sleep_ms(20);
	if (is_only_idle(bytes))
		return true;
	diag("%llu bytes are idle, %llu shared, %llu in use", (unsigned long long)idle(),
	     (unsigned long long)info_now().bytes_shared,
	     (unsigned long long)info_now().used_bytes);
	return false;
}

/* Give everything back, and begin with an empty pool. */
static void begin(const char *min, const char *max)
{
	size_pool("0", "0");
	if (!wait_clean(dev) || !wait_idle(0))
		bail("the pool is not empty");
	size_pool(min, max);
}

static uint64_t conversions_of(uint64_t id)
{
	struct ccshm_ioc_query q;

	must(raw_query(dev, id, &q));
	return q.conversions;
}

/* Map a buffer. Return the first byte that is not zero, or -1, and fill the buffer. */
static long fill(uint64_t id, uint64_t size)
{
	int fd = raw_export(dev, id, 0, NULL);
	unsigned char *map = fd < 0 ? NULL : raw_map(fd, size, PROT_READ | PROT_WRITE);
	long first;

	if (!map)
		bail("cannot map a buffer");
	first = first_other(map, 0, size);
	memset(map, 0xc5, size);
	munmap(map, size);
	close(fd);
	return first;
}

/* ---- buffers ---- */

/* Allocate, fill and free a buffer twice: the second time it comes from the pool. */
static void test_again(const char *what, uint64_t size, uint64_t units)
{
	struct ccshm_ioc_info before, after;
	uint64_t id;

	begin("0", "16M");
	must(raw_alloc(dev, size, &id));
	ok(conversions_of(id), "%s, the pool is empty: memory is converted", what);
	is_int(fill(id, size), -1, "%s, the pool is empty: it reads zero", what);
	must(raw_free(dev, id));
	ok(only_idle(units * UNIT), "%s: after FREE, its units are idle", what);
	before = info_now();
	must(raw_alloc(dev, size, &id));
	after = info_now();
	is_int(conversions_of(id), 0, "%s, from the pool: QUERY reports no conversion", what);
	is_int(after.calls_shared - before.calls_shared, 0, "%s, from the pool: no call shares memory",
	       what);
	is_int(idle(), 0, "%s, from the pool: no unit is idle", what);
	is_int(after.used_bytes, units * UNIT, "%s, from the pool: its units are in use", what);
	is_int(after.user_bytes, units * UNIT, "%s, from the pool: its units are charged", what);
	is_int(fill(id, size), -1, "%s, from the pool: it reads zero", what);
	must(raw_free(dev, id));
	ok(only_idle(units * UNIT), "%s, from the pool: after FREE, its units are idle", what);
	is_int(info_now().user_bytes, 0, "%s: idle units are charged to no user", what);
}

static int alice_reads(void *arg)
{
	int fd = raw_open(), dmabuf;
	unsigned char *map;
	uint64_t id;
	int err;

	(void)arg;
	if (fd < 0)
		return fd;
	err = raw_alloc(fd, UNIT, &id);
	if (err)
		return err;
	dmabuf = raw_export(fd, id, 0, NULL);
	map = dmabuf < 0 ? NULL : raw_map(dmabuf, UNIT, PROT_READ);
	return map && first_other(map, 0, UNIT) < 0 ? 0 : -EBADMSG;
}

static int alice_allocates(void *arg)
{
	int fd = raw_open();
	uint64_t id;

	return fd < 0 ? fd : raw_alloc(fd, *(uint64_t *)arg, &id);
}

static void test_users(void)
{
	uint64_t id, size = 2 * UNIT;

	begin("0", "16M");
	must(raw_alloc(dev, 2 * UNIT, &id));
	fill(id, 2 * UNIT);
	must(raw_free(dev, id));
	ok(only_idle(2 * UNIT), "two units of root are idle");
	is_errno(as_user(ALICE, 0, alice_reads, NULL), 0, "alice gets a unit of the pool: it reads zero");
	ok(only_idle(2 * UNIT), "a buffer of alice ends with its file: its unit is idle again");
	must(limit_set(LIMIT_USER_BYTES, "2M"));
	is_errno(as_user(ALICE, 0, alice_allocates, &size), EDQUOT,
		 "the limit of a user counts units of the pool: EDQUOT");
	must(limit_set(LIMIT_USER_BYTES, "max"));
	ok(only_idle(2 * UNIT), "after EDQUOT, the units are idle again");
	is_errno(as_user(ALICE, 0, alice_allocates, &size), 0, "without a limit, alice gets both units");
	ok(only_idle(2 * UNIT), "both units are idle again");
}

/* Return the KiB that a page of the pool costs the memory cgroup p. */
static int page_in_cgroup(void *arg)
{
	long long before, after;
	uint64_t id;
	int fd, err;

	(void)arg;
	err = write_text("cgroup/p/cgroup.procs", "0");
	fd = raw_open();
	if (err || fd < 0)
		return err ? err : fd;
	before = read_number("cgroup/p/memory.current");
	err = raw_alloc(fd, PAGE, &id);
	after = read_number("cgroup/p/memory.current");
	if (err || before < 0)
		return err ? err : -EIO;
	return (int)((after - before) / (long long)KIB);
}

static void test_cgroups(void)
{
	const char *what = "a memory cgroup is not charged for a unit of the pool";
	int kib;

	begin("0", "4M");
	if (mkdir("cgroup", 0755) || mount("cgroup", "cgroup", "cgroup2", 0, NULL) ||
	    write_text("cgroup/cgroup.subtree_control", "+memory") || mkdir("cgroup/p", 0755)) {
		skip(what, "no memory cgroups");
		return;
	}
	kib = as_user(ROOT, ALL_CAPS, page_in_cgroup, NULL);
	if (!ok(kib >= 0 && kib < 1024, "%s", what))
		diag("%d KiB", kib);
	ok(only_idle(UNIT), "the unit is idle after the process has ended");
	if (rmdir("cgroup/p") || umount("cgroup") || rmdir("cgroup"))
		diag("the memory cgroup remains: %s", strerror(errno));
}

/* ---- sizes ---- */

static void test_maximum(void)
{
	uint64_t id;

	begin("0", "4M");
	must(raw_alloc(dev, 8 * UNIT, &id));
	is_int(info_now().used_bytes, 8 * UNIT, "a buffer larger than the pool: all of it is in use");
	must(raw_free(dev, id));
	ok(only_idle(2 * UNIT), "a buffer larger than the pool: the maximum is idle after FREE");
	size_pool("0", "2M");
	ok(only_idle(UNIT), "the maximum is lowered: the others are given back");
	size_pool("0", "3M");
	is_int(read_number(FILE_OF("max")), UNIT, "the maximum is rounded down to units");
	is_errno(write_text(FILE_OF("max"), "many"), EINVAL, "a maximum that is no size: EINVAL");
	is_int(read_number(FILE_OF("max")), UNIT, "a maximum that is no size changes nothing");
	size_pool("0", "0");
	ok(only_idle(0), "the maximum is 0: nothing is shared");
}

static void test_minimum(void)
{
	uint64_t id, other;

	begin("8M", "16M");
	ok(only_idle(4 * UNIT), "the pool is filled up to the minimum");
	must(raw_alloc(dev, 4 * UNIT, &id));
	is_int(conversions_of(id), 0, "a buffer from a filled pool: no conversion");
	ok(wait_idle(4 * UNIT), "while the buffer exists, the pool is filled again");
	must(raw_alloc(dev, 4 * UNIT, &other));
	is_int(conversions_of(other), 0, "a second buffer from the filled pool: no conversion");
	sleep_ms(500);
	is_int(idle(), 0, "the pool does not own more than the maximum");
	must(raw_free(dev, id));
	must(raw_free(dev, other));
	ok(only_idle(8 * UNIT), "after FREE of both, the maximum is idle");
	size_pool("8M", "2M");
	ok(only_idle(UNIT), "a minimum above the maximum: the maximum applies");
}

/* ---- giving back ---- */

/* Make four units idle. */
static void four_idle(void)
{
	begin("8M", "8M");
	if (!only_idle(4 * UNIT))
		bail("the pool is not filled");
	must(write_text(FILE_OF("min"), "0"));
}

static void test_total_limit(void)
{
	uint64_t size = 4 * UNIT, small = PAGE;

	four_idle();
	must(limit_set(LIMIT_TOTAL_BYTES, "8M"));
	is_errno(as_user(ALICE, 0, alice_allocates, &size), 0,
		 "idle memory counts in the total, also when a buffer gets it");
	ok(only_idle(4 * UNIT), "the units of that buffer are idle again");
	must(limit_set(LIMIT_TOTAL_BYTES, "2M"));
	is_errno(as_user(ALICE, 0, alice_allocates, &small), 0,
		 "idle memory that exceeds the total does not make it refuse a buffer");
	ok(only_idle(UNIT), "the others were given back for that");
	size = UNIT + PAGE;
	is_errno(as_user(ALICE, 0, alice_allocates, &size), ENOSPC, "more than the total: ENOSPC");
	ok(only_idle(UNIT), "after ENOSPC, the unit is idle: giving it back would not have helped");
	must(limit_set(LIMIT_TOTAL_BYTES, "max"));
}

/* 4 MiB in one block cannot be two units of the pool. */
static void test_contiguous(void)
{
	struct ccshm_ioc_alloc req = { .size = 2 * UNIT, .flags = CCSHM_ALLOC_CONTIGUOUS };

	four_idle();
	must(limit_set(LIMIT_TOTAL_BYTES, "8M"));
	if (setresuid(-1, ALICE, -1))
		bail("setresuid() failed");
	is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0,
		 "idle memory that the buffer cannot have does not make a limit refuse it");
	if (setresuid(-1, ROOT, -1))
		bail("setresuid() failed");
	is_int(idle(), 2 * UNIT, "as much as was missing was given back for that");
	must(limit_set(LIMIT_TOTAL_BYTES, "max"));
	must(raw_free(dev, req.id));
	ok(only_idle(2 * UNIT), "a block that is not the pool's does not become idle");
}

static void test_pressure(void)
{
	four_idle();
	must(write_text("/proc/sys/vm/drop_caches", "2"));
	ok(only_idle(0), "the kernel's shrinkers are called: idle memory is given back");
}

static void test_hibernation(void)
{
	int fd;

	four_idle();
	fd = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == EPERM)) {
		skip("hibernation: idle memory is given back first", "this kernel does not hibernate");
		return;
	}
	ok(fd >= 0, "hibernation is not refused because of idle memory");
	is_int(idle(), 0, "hibernation: idle memory is given back first");
	close(fd);
	must(write_text(FILE_OF("min"), "4M"));
	ok(only_idle(2 * UNIT), "after the hibernation, the pool is filled again");
}

static void test_refused(void)
{
	struct ccshm_ioc_info info;

	begin("0", "8M");
	if (!refusals_return()) {
		skip("the host refuses to share: the pool stays empty", "the platform cannot refuse");
		return;
	}
	expect_refusal();
	cvm_call(CVM_CALL_FAIL, CVM_FAIL_SHARED, 0, 1000);
	must(write_text(FILE_OF("min"), "8M"));
	for (int i = 0; i < 500 && !info_now().calls_failed; i++)
		sleep_ms(20);
	sleep_ms(1000);
	info = info_now();
	ok(info.calls_failed && info.calls_failed < 20,
	   "the host refuses to share: the pool does not try again at once");
	is_int(idle(), 0, "the host refuses to share: nothing becomes idle");
	cvm_call(CVM_CALL_FAIL, CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 0);
	ok(only_idle(4 * UNIT), "the host shares again: the pool is filled");
}

/* ---- several users at a time ---- */

static int allocate_often(void *arg)
{
	int fd = raw_open();

	(void)arg;
	for (int i = 0; i < 100; i++) {
		uint64_t id, size = (uint64_t)(i % 5 + 1) * UNIT / 2;
		int err = raw_alloc(fd, size, &id);

		if (!err)
			err = raw_free(fd, id);
		if (err)
			return err;
	}
	return 0;
}

static void test_many(void)
{
	static const uid_t uids[] = { ALICE, BOB, ROOT };
	pid_t pids[3];
	int status, bad = 0;
	uint64_t left;

	begin("2M", "6M");
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			become(uids[i], 0);
			_exit(allocate_often(NULL) ? 1 : 0);
		}
	}
	for (int i = 0; i < 20; i++) {
		must(write_text(FILE_OF("max"), i % 2 ? "2M" : "6M"));
		sleep_ms(50);
	}
	for (int i = 0; i < 3; i++)
		bad += waitpid(pids[i], &status, 0) != pids[i] || status;
	is_int(bad, 0, "three users allocate and free while the maximum changes: no error");
	must(write_text(FILE_OF("max"), "6M"));
	for (int i = 0; i < 500 && info_now().buffers; i++)
		sleep_ms(20);
	must(write_text(FILE_OF("min"), "6M"));
	ok(only_idle(3 * UNIT), "afterwards only idle memory is in use");
	left = info_now().bytes_shared / PAGE;
	ok(!cvm_present() || wait_rig_shared(rig_before + left),
	   "the emulator counts the idle memory as shared, and no other");
}

int main(void)
{
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load_with("pool_max_bytes=4M pool_min_bytes=2M");
	dev = raw_open();
	ok(only_idle(UNIT), "the parameters of the module apply");
	test_again("a page", PAGE, 1);
	test_again("a unit", UNIT, 1);
	test_again("four units and a half", 9 * MIB, 5);
	test_users();
	test_cgroups();
	test_maximum();
	test_minimum();
	test_total_limit();
	test_contiguous();
	test_pressure();
	test_hibernation();
	test_refused();
	test_many();
	four_idle();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded while memory is idle");
	ok(!cvm_present() || wait_rig_shared(rig_before), "after that no memory is shared");
	return done_testing();
}
