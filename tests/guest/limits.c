// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: no user gets more than a limit allows, even if several processes allocate at the same
 * time. Whole blocks count, from before they are allocated until they are returned. Lowering a
 * limit takes no memory away. CAP_SYS_RESOURCE in the initial user namespace exempts from limits.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 * vm-boot: memory
 * vm-timeout: 240
 * vm-variant: snp flavours=snp cpus=2 kernels=6.12,7.3 matrix=last
 * vm-variant: tdx flavours=tdx cpus=2 matrix=last
 */
#include "tap.h"
#include "raw.h"
#include "users.h"

#include <sys/sysinfo.h>

#define SYSFS	"/sys/class/misc/ccshm/"
#define TOTAL	"limit_total_bytes"
#define BYTES	"limit_user_bytes"
#define BUFFERS	"limit_user_buffers"
#define EXPORTS	"limit_user_exports"

static int dev;

static struct ccshm_ioc_info info_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(dev, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

/* Return the first line of a file without its end, or "" if the file cannot be read. */
static const char *setting(const char *name)
{
	static char text[64];
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static int set(const char *name, const char *text)
{
	size_t len = strlen(text);
	char path[128];
	int fd, err = 0;
	ssize_t n;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

static void set_number(const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (set(name, text))
		bail("cannot write %s to %s: %s", text, name, strerror(errno));
}

static void no_limits(void)
{
	if (set(TOTAL, "max") || set(BYTES, "max") || set(BUFFERS, "max") ||
	    set(EXPORTS, "max"))
		bail("cannot write max: %s", strerror(errno));
}

/* Wait up to 10 s until @bytes bytes are in use: a work item returns memory. */
static bool wait_used(uint64_t bytes)
{
	for (int i = 0; i < 1000 && info_now().used_bytes != bytes; i++)
		sleep_ms(10);
	if (info_now().used_bytes == bytes)
		return true;
	diag("%llu bytes are in use, not %llu", (unsigned long long)info_now().used_bytes,
	     (unsigned long long)bytes);
	return false;
}

static bool all_back(void)
{
	return wait_clean(dev) && wait_used(0);
}

/* ---- files in sysfs ---- */

static void test_defaults(void)
{
	struct ccshm_ioc_info info = info_now();
	struct sysinfo memory;
	char half[32], quarter[32];

	sysinfo(&memory);
	snprintf(half, sizeof(half), "%llu",
		 (unsigned long long)memory.totalram * memory.mem_unit / 2);
	is_str(setting(TOTAL), half, "default of limit_total_bytes: half of memory");
	snprintf(quarter, sizeof(quarter), "%llu", strtoull(half, NULL, 10) / 2);
	is_str(setting(BYTES), quarter, "default of limit_user_bytes: half of limit_total_bytes");
	is_str(setting(BUFFERS), "65536", "default of limit_user_buffers: 65536");
	is_str(setting(EXPORTS), "65536", "default of limit_user_exports: 65536");
	is_int(info.limit_user_exports, 65536, "INFO: limit_user_exports is 65536");
	is_int(info.limit_total_bytes, strtoull(half, NULL, 10),
	       "INFO: limit_total_bytes is as in sysfs");
	is_int(info.limit_user_bytes, strtoull(quarter, NULL, 10),
	       "INFO: limit_user_bytes is as in sysfs");
	is_int(info.limit_user_buffers, 65536, "INFO: limit_user_buffers is 65536");
	is_str(setting("used_bytes"), "0", "sysfs: used_bytes is 0 after loading");
	is_str(setting("used_buffers"), "0", "sysfs: used_buffers is 0 after loading");
	is_str(setting("leaked_bytes"), "0", "sysfs: leaked_bytes is 0 after loading");
	is_str(setting("refusals"), "0", "sysfs: refusals is 0 after loading");
}

static const struct {
	const char *text;
	int bytes, buffers;	/* errno of writing the text */
	const char *reads;
} parses[] = {
	{ "4096", 0, 0, "4096" },
	{ "4096\n", 0, 0, "4096" },
	{ "0", 0, 0, "0" },
	{ "0012", 0, 0, "12" },
	{ "max", 0, 0, "max" },
	{ "max\n", 0, 0, "max" },
	{ "18446744073709551615", 0, 0, "max" },
	{ "1K", 0, EINVAL, "1024" },
	{ "3M", 0, EINVAL, "3145728" },
	{ "2G\n", 0, EINVAL, "2147483648" },
	{ "16777215T", 0, EINVAL, "18446742974197923840" },
	{ "16777216T", ERANGE, EINVAL, NULL },
	{ "18446744073709551616", ERANGE, ERANGE, NULL },
	{ "", 0, 0, NULL },	/* sysfs ignores a write of 0 bytes */
	{ "\n", EINVAL, EINVAL, NULL },
	{ "-1", EINVAL, EINVAL, NULL },
	{ "+1", EINVAL, EINVAL, NULL },
	{ " 1", EINVAL, EINVAL, NULL },
	{ "1 ", EINVAL, EINVAL, NULL },
	{ "1\n\n", EINVAL, EINVAL, NULL },
	{ "1k", 0, EINVAL, "1024" },
	{ "1KB", EINVAL, EINVAL, NULL },
	{ "M", EINVAL, EINVAL, NULL },
	{ "0x10", EINVAL, EINVAL, NULL },
	{ "1.5G", EINVAL, EINVAL, NULL },
	{ "MAX", EINVAL, EINVAL, NULL },
	{ "maximum", EINVAL, EINVAL, NULL },
	{ "10%", EINVAL, EINVAL, NULL },
	{ "00000000000000000000000000000001", EINVAL, EINVAL, NULL },
};

static void test_parse(void)
{
	const char *name[] = { TOTAL, BYTES, BUFFERS, EXPORTS };

	for (size_t i = 0; i < sizeof(parses) / sizeof(parses[0]); i++) {
		char quoted[48];

		snprintf(quoted, sizeof(quoted), "%s", parses[i].text);
		for (char *p = quoted; *p; p++)
			if (*p == '\n')
				*p = '$';
		for (int k = 0; k < 4; k++) {
			int want = k < 2 ? parses[i].bytes : parses[i].buffers;

			set_number(name[k], 77);
			is_errno(set(name[k], parses[i].text), want,
				 "writing \"%s\" to %s returns the expected errno",
				 quoted, name[k]);
			is_str(setting(name[k]), want || !parses[i].reads ? "77" : parses[i].reads,
			       "after writing \"%s\", %s has the expected value", quoted, name[k]);
		}
	}
	no_limits();
}

static bool access_denied(int err)
{
	return err == -EACCES || err == -EPERM;
}

static int write_all(void *arg)
{
	const char *name[] = { TOTAL, BYTES, BUFFERS, EXPORTS };
	int denied = 0;

	(void)arg;
	for (int i = 0; i < 4; i++)
		denied += access_denied(set(name[i], "0"));
	return denied;
}

static void test_files(void)
{
	static const struct { const char *name; unsigned int mode; } file[] = {
		{ TOTAL, 0644 }, { BYTES, 0644 }, { BUFFERS, 0644 }, { EXPORTS, 0644 }, { "used_bytes", 0444 },
		{ "used_buffers", 0444 }, { "leaked_bytes", 0444 }, { "refusals", 0444 },
	};

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		struct stat st = { 0 };
		char path[128];

		snprintf(path, sizeof(path), SYSFS "%s", file[i].name);
		ok(!stat(path, &st) && (st.st_mode & 07777) == file[i].mode && !st.st_uid,
		   "%s: mode %04o", file[i].name, st.st_mode & 07777);
	}
	is_int(as_user(ALICE, 0, write_all, NULL), 4, "writing a limit as a user: denied");
	is_int(as_user(ALICE, CAP(DAC_OVERRIDE) | CAP(SYS_ADMIN), write_all, NULL), 4,
	       "writing a limit with CAP_DAC_OVERRIDE but without CAP_SYS_RESOURCE: denied");
	is_int(as_user(ROOT, 0, write_all, NULL), 4,
	       "writing a limit as root without CAP_SYS_RESOURCE: denied");
	is_str(setting(TOTAL), "max", "limit_total_bytes is unchanged after denied writes");
	is_int(as_user(ROOT, CAP(SYS_RESOURCE), write_all, NULL), 0,
	       "writing a limit as root with CAP_SYS_RESOURCE: success");
	is_str(setting(TOTAL), "0",
	       "limit_total_bytes has the value written with CAP_SYS_RESOURCE");
	no_limits();
}

/* ---- bytes of a user ---- */

static void test_user_bytes(void)
{
	struct user *alice = user_start(ALICE, 0), *bob = user_start(BOB, 0);
	uint64_t calls;

	set_number(BYTES, 2 * UNIT);
	is_errno(user_has(alice, 0, UNIT), 0,
		 "limit_user_bytes of 2 units: ALLOC of the first unit: success");
	is_errno(user_has(alice, 1, UNIT), 0,
		 "limit_user_bytes of 2 units: ALLOC of the second unit: success");
	is_int(user_info(alice)->user_bytes, 2 * UNIT,
	       "INFO: user_bytes is what the user has allocated");
	is_int(user_info(alice)->user_buffers, 2,
	       "INFO: user_buffers is 2 for a user with two buffers");
	is_int(user_info(bob)->user_bytes, 0, "INFO: user_bytes is 0 for another user");
	is_int(info_now().user_bytes, 0,
	       "INFO: user_bytes is 0 for root, who has allocated nothing");
	is_int(info_now().used_bytes, 2 * UNIT, "INFO: used_bytes is the sum of all users");
	is_str(setting("used_bytes"), "4194304", "sysfs: used_bytes is the sum of all users");
	is_str(setting("used_buffers"), "2", "sysfs: used_buffers counts the buffers of all users");

	calls = info_now().calls_shared;
	is_errno(user_has(alice, 2, UNIT), EDQUOT,
		 "limit_user_bytes: ALLOC of a third unit of 2: EDQUOT");
	is_errno(user_has(alice, 2, PAGE), EDQUOT,
		 "limit_user_bytes: ALLOC of a page beyond the limit: EDQUOT");
	is_int(info_now().calls_shared, calls, "a refused ALLOC converts no memory");
	is_int(user_info(alice)->user_bytes, 2 * UNIT,
	       "a refused ALLOC does not charge bytes to the user");
	is_int(user_info(alice)->user_buffers, 2,
	       "a refused ALLOC does not charge a buffer to the user");
	is_int(info_now().refusals, 2, "INFO: both refusals are counted");
	is_str(setting("refusals"), "2", "sysfs: both refusals are counted");
	is_errno(user_has(bob, 0, 2 * UNIT), 0,
		 "a user's limit does not restrict ALLOC by another user");

	is_errno(user_ask(alice, USER_FREE, 0), 0, "limit_user_bytes: FREE of one of two units: success");
	is_errno(user_has(alice, 0, UNIT), 0,
		 "limit_user_bytes: a freed unit can be allocated again at once");
	is_int(info_now().refusals, 2, "a successful ALLOC is not counted as a refusal");
	user_end(alice);
	user_end(bob);
	ok(all_back(), "limit_user_bytes: all memory is returned and charged no longer");
}

/* Test small buffers: the block that they are carved from is charged once. */
static void test_carved(void)
{
	struct user *alice = user_start(ALICE, 0);
	unsigned int bad = 0;

	set_number(BYTES, UNIT - PAGE);
	is_errno(user_has(alice, 0, PAGE), EDQUOT,
		 "ALLOC of a page whose block exceeds limit_user_bytes: EDQUOT");
	is_int(info_now().used_bytes, 0, "ALLOC refused for its block charges nothing");
	set_number(BYTES, UNIT);
	for (unsigned int i = 0; i < USER_SLOTS; i++)
		bad += user_has(alice, i, UNIT / USER_SLOTS) != 0;
	is_int(bad, 0, "ALLOC of %u buffers carved from one block: success", USER_SLOTS);
	is_int(user_info(alice)->user_bytes, UNIT, "a block of carved buffers is charged once");
	is_errno(user_ask(alice, USER_FREE, 1), 0, "FREE of one buffer of a carved block: success");
	is_int(user_info(alice)->user_bytes, UNIT,
	       "a carved block stays charged after FREE of one of its buffers");
	is_errno(user_has(alice, 1, UNIT), EDQUOT,
		 "carved: ALLOC of another block at the limit: EDQUOT");
	is_errno(user_has(alice, 1, PAGE), 0,
		 "carved: ALLOC of a page that fits into the charged block: success");
	user_end(alice);
	ok(all_back(), "carved: all memory is returned after the last buffer is freed");

	alice = user_start(ALICE, 0);
	set_number(BYTES, UNIT);
	is_errno(user_has(alice, 0, UNIT + PAGE), EDQUOT,
		 "limit_user_bytes of a unit: ALLOC of a unit and a page: EDQUOT");
	ok(wait_used(0), "ALLOC of a unit and a page, refused, leaves no memory in use");
	set_number(BYTES, 2 * UNIT - PAGE);
	alice->size = 3 * MIB;
	alice->flags = CCSHM_ALLOC_CONTIGUOUS;
	is_errno(user_ask(alice, USER_ALLOC, 0), EDQUOT,
		 "contiguous ALLOC of 3 MiB, charged as 4 MiB, with a limit of 4 MiB - 4 KiB: EDQUOT");
	set_number(BYTES, 2 * UNIT);
	is_errno(user_ask(alice, USER_ALLOC, 0), 0,
		 "contiguous ALLOC of 3 MiB with a limit of 4 MiB: success");
	is_int(user_info(alice)->user_bytes, 2 * UNIT,
	       "contiguous ALLOC of 3 MiB is charged as 4 MiB");
	user_end(alice);
	ok(all_back(), "contiguous: all memory is returned");
	no_limits();
}

/*
 * Let a user end who has 256 MiB, which frees them at once. Return how much is still shared after
 * bob has been refused. Retry if the memory returned before that.
 */
static uint64_t refused_meanwhile(struct user *bob)
{
	uint64_t left = 0;
	int err = -EDQUOT;

	for (int round = 0; round < 10 && left <= UNIT && err == -EDQUOT; round++) {
		struct user *alice = user_start(ALICE, 0);

		set_number(BYTES, 256 * MIB);
		for (unsigned int i = 0; i < 8; i++)
			must(user_has(alice, i, 32 * MIB));
		set_number(BYTES, UNIT);
		user_send(alice, USER_END);
		must(peer_hear(&alice->peer));
		err = user_has(bob, 1, UNIT);
		left = info_now().bytes_shared;
		peer_must_end(&alice->peer, 0);
		munmap(alice, sizeof(*alice));
	}
	is_errno(err, EDQUOT,
		 "ALLOC beyond the limit while another user's memory is being returned: EDQUOT");
	return left;
}

/*
 * Set the priority of this process and of users that start later: with @priority, they run before
 * all work items; with 0, with normal priority.
 */
static void run_first(int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &param))
		bail("real-time priority: %s", strerror(errno));
}

/* Test that ALLOC does not wait for memory that returns from another user. */
static void test_no_wait(void)
{
	struct user *bob;
	uint64_t left;

	/* The work item that returns the memory must not be faster than the users. */
	run_first(1);
	bob = user_start(BOB, 0);
	set_number(BYTES, UNIT);
	must(user_has(bob, 0, UNIT));
	left = refused_meanwhile(bob);
	if (cvm_present())
		ok(left > UNIT,
		   "ALLOC is refused while memory is being returned: %llu MiB are left",
		   (unsigned long long)(left / MIB));
	else
		skip(
		     "ALLOC is refused while memory is being returned",
		     "a plain guest returns memory at once");
	run_first(0);
	user_end(bob);
	no_limits();
	ok(all_back(), "refused while memory is being returned: all memory is returned");
}

/* ---- the user who is charged, and how long ---- */

/* Test that a holder of a dma-buf cannot use up the limit of the owner, who can revoke it. */
static void test_revoked(void)
{
	struct user *alice = user_start(ALICE, 0);

	set_number(BUFFERS, 1);
	must(user_has(alice, 0, PAGE));
	must(user_ask(alice, USER_EXPORT, 0));
	is_errno(user_ask(alice, USER_REVOKE, 0), 0,
		 "revoked buffer: REVOKE with an open dma-buf: success");
	must(user_ask(alice, USER_FREE, 0));
	is_errno(user_has(alice, 1, PAGE), 0,
		 "revoked buffer: ALLOC after FREE, while the dma-buf is open: success");
	is_int(user_info(alice)->user_buffers, 1,
	       "revoked buffer: it is not counted after FREE, while the dma-buf is open");
	is_int(user_info(alice)->user_exports, 1,
	       "revoked buffer: its export is counted while the dma-buf is open");
	user_end(alice);
	no_limits();
	ok(all_back(), "revoked buffer: all memory is returned");
}

static void test_orphans(void)
{
	struct user *alice = user_start(ALICE, 0);

	set_number(BYTES, UNIT);
	must(user_has(alice, 0, UNIT));
	is_errno(user_ask(alice, USER_EXPORT, 0), 0, "ended buffer: EXPORT before FREE: success");
	is_int(user_info(alice)->user_exports, 1,
	       "ended buffer: INFO counts its export for the payer");
	is_errno(user_ask(alice, USER_FREE, 0), 0,
		 "ended buffer: FREE with an open dma-buf: success");
	is_int(user_info(alice)->user_bytes, UNIT,
	       "ended buffer: its bytes stay charged while the dma-buf is open");
	is_int(user_info(alice)->user_buffers, 1,
	       "ended buffer: it stays counted while the dma-buf is open");
	is_errno(user_has(alice, 1, PAGE), EDQUOT,
		 "ended buffer: ALLOC of a page while the dma-buf is open: EDQUOT");
	must(user_ask(alice, USER_CLOSE, 0));
	is_errno(user_has(alice, 1, UNIT), 0,
		 "ended buffer: ALLOC after the dma-buf is closed: success");
	user_end(alice);
	no_limits();
	ok(all_back(), "ended buffer: all memory is returned");
}

static int alloc_by_roots_file(void *arg)
{
	return raw_alloc(dev, UNIT, arg);
}

static void test_payer(void)
{
	struct user *alice = user_start(ALICE, CAP(CHOWN)), *bob = user_start(BOB, 0);
	uint64_t *id = common(2 * sizeof(*id));

	set_number(BYTES, UNIT);
	alice->size = UNIT;
	alice->owner = BOB;
	alice->flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID;
	is_errno(user_ask(alice, USER_ALLOC, 0), 0,
		 "payer: ALLOC by alice of a buffer that bob owns: success");
	is_int(user_info(alice)->user_bytes, UNIT,
	       "payer: the buffer is charged to the user who allocated it");
	is_int(user_info(bob)->user_bytes, 0, "payer: the buffer is not charged to its owner");
	is_errno(user_has(alice, 1, PAGE), EDQUOT,
		 "payer: ALLOC by the payer beyond the limit: EDQUOT");
	is_errno(user_has(bob, 1, PAGE), 0, "payer: ALLOC by the owner: success");
	bob->id[0] = alice->id[0];
	is_errno(user_ask(bob, USER_FREE, 0), 0, "payer: FREE by the owner: success");
	is_errno(user_has(alice, 1, PAGE), 0,
		 "payer: ALLOC by the payer after FREE by the owner: success");
	must(user_ask(alice, USER_FREE, 1));
	is_errno(as_user(ALICE, 0, alloc_by_roots_file, id), 0,
		 "payer: ALLOC by alice through root's open file: success");
	is_int(user_info(alice)->user_bytes, UNIT,
	       "payer: ALLOC through another user's file is charged to the caller");
	is_int(info_now().user_bytes, 0,
	       "payer: ALLOC through another user's file is not charged to the user who opened it");
	is_errno(as_user(ALICE, 0, alloc_by_roots_file, id + 1), EDQUOT,
		 "payer: ALLOC through another user's file beyond the caller's limit: EDQUOT");
	is_errno(raw_free(dev, *id), 0, "payer: FREE through the file that ALLOC used: success");
	munmap(id, 2 * sizeof(*id));
	user_end(alice);
	user_end(bob);
	no_limits();
	ok(all_back(), "payer: all memory is returned");
}

static void test_heap(void)
{
	struct user *alice;

	if (chown(HEAP_NODE, 0, GID_CCSHM) || chmod(HEAP_NODE, 0660)) {
		skip(
		     "the heap node: allocations are charged to the caller",
		     "this kernel has no heap node of ccshm");
		return;
	}
	alice = user_start(ALICE, 0);
	set_number(BYTES, UNIT);
	alice->size = UNIT;
	is_errno(user_ask(alice, USER_HEAP, 0), 0, "the heap node: allocation of a unit: success");
	is_int(user_info(alice)->user_bytes, UNIT,
	       "the heap node: the allocation is charged to the caller");
	is_errno(user_ask(alice, USER_HEAP, 1), EDQUOT,
		 "the heap node: allocation beyond limit_user_bytes: EDQUOT");
	set_number(BYTES, 2 * UNIT);
	set_number(TOTAL, UNIT);
	is_errno(user_ask(alice, USER_HEAP, 1), ENOSPC,
		 "the heap node: allocation beyond limit_total_bytes: ENOSPC");
	set_number(BUFFERS, 1);
	is_errno(user_ask(alice, USER_HEAP, 1), EDQUOT,
		 "the heap node: allocation beyond limit_user_buffers: EDQUOT");
	no_limits();
	must(user_ask(alice, USER_CLOSE, 0));
	ok(wait_used(0), "the heap node: a closed buffer is charged no longer");
	user_end(alice);
}

/* Call ALLOC with a result that cannot be written: no memory may stay allocated. */
static int unanswered(void *arg)
{
	struct ccshm_ioc_alloc *req = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ccshm_ioc_info info;
	int fd = raw_open(), err;

	(void)arg;
	req->size = UNIT;
	mprotect(req, PAGE, PROT_READ);
	err = raw_ioctl(fd, CCSHM_IOC_ALLOC, req);
	for (int i = 0; i < 500 && !raw_info(fd, &info) &&
			(info.user_bytes || info.user_buffers); i++)
		sleep_ms(10);
	return err != -EFAULT ? err : info.user_bytes || info.user_buffers ? -EIO : 0;
}

/* ---- buffers of a user ---- */

static void test_user_buffers(void)
{
	struct user *alice = user_start(ALICE, 0);
	uint64_t refused = info_now().refusals;

	set_number(BUFFERS, 2);
	is_errno(user_has(alice, 0, PAGE), 0, "limit_user_buffers=2: ALLOC of the first buffer: success");
	is_errno(user_has(alice, 1, PAGE), 0, "limit_user_buffers=2: ALLOC of the second buffer: success");
	is_errno(user_has(alice, 2, PAGE), EDQUOT,
		 "limit_user_buffers=2: ALLOC of a third buffer: EDQUOT");
	is_int(info_now().refusals, refused + 1,
	       "limit_user_buffers: the refused ALLOC is counted");
	is_int(info_now().buffers, 2, "limit_user_buffers: the refused ALLOC leaves no buffer");
	must(user_ask(alice, USER_FREE, 0));
	is_errno(user_has(alice, 0, PAGE), 0,
		 "limit_user_buffers: after FREE a buffer can be allocated again at once");
	must(user_ask(alice, USER_EXPORT, 0));
	must(user_ask(alice, USER_FREE, 0));
	is_errno(user_has(alice, 2, PAGE), EDQUOT,
		 "limit_user_buffers: a freed buffer with an export still counts: EDQUOT");
	must(user_ask(alice, USER_CLOSE, 0));
	is_errno(user_has(alice, 2, PAGE), 0,
		 "limit_user_buffers: a freed buffer counts no longer after its export is closed");
	is_errno(as_user(BOB, 0, unanswered, NULL), 0,
		 "ALLOC with a result that cannot be written: EFAULT, and no charge");
	user_end(alice);
	no_limits();
	ok(all_back(), "limit_user_buffers: all memory is returned");
}

/* ---- exports of a user ---- */

/* The buffer is charged to alice and owned by bob; the exports are charged to bob. */
static void test_user_exports(void)
{
	struct user *alice = user_start(ALICE, CAP(CHOWN)), *bob = user_start(BOB, 0);
	struct user *boss = user_start(BOB, CAP(SYS_RESOURCE));
	uint64_t refused = info_now().refusals;

	alice->size = PAGE;
	alice->owner = BOB;
	alice->flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID;
	is_errno(user_ask(alice, USER_ALLOC, 0), 0, "ALLOC by alice of a buffer that bob owns: success");
	bob->flags = boss->flags = 0;
	for (int i = 0; i < 3; i++)
		bob->id[i] = boss->id[i] = alice->id[0];
	set_number(EXPORTS, 2);
	is_errno(user_ask(bob, USER_EXPORT, 0), 0, "EXPORT by bob: 1 of 2");
	is_int(user_info(bob)->user_exports, 1, "the export is charged to bob, who made it");
	is_int(user_info(alice)->user_exports, 0, "the export is not charged to the buffer's payer");
	is_int(user_info(bob)->user_bytes, 0, "the export charges bob no bytes");
	is_int(user_info(bob)->limit_user_exports, 2, "INFO: limit_user_exports is 2");
	is_errno(user_ask(bob, USER_EXPORT, 1), 0, "EXPORT by bob: 2 of 2");
	is_errno(user_ask(bob, USER_EXPORT, 2), EDQUOT, "EXPORT by bob beyond the limit: EDQUOT");
	is_int(info_now().refusals, refused + 1, "the refused EXPORT is counted");
	is_int(info_now().exports, 2, "the refused EXPORT leaves no export");
	is_errno(user_has(alice, 1, PAGE), 0, "ALLOC by alice of a buffer that alice owns: success");
	is_errno(user_ask(alice, USER_EXPORT, 1), 0,
		 "EXPORT by alice: exports by bob do not count for alice");
	is_errno(user_ask(boss, USER_EXPORT, 2), 0,
		 "EXPORT beyond the limit with CAP_SYS_RESOURCE: success");
	is_int(user_info(bob)->user_exports, 3, "the export beyond the limit is charged");
	must(user_ask(boss, USER_CLOSE, 2));
	must(user_ask(bob, USER_CLOSE, 0));
	is_errno(user_ask(bob, USER_EXPORT, 0), 0, "EXPORT after a dma-buf was closed: success");
	is_errno(user_ask(bob, USER_FREE, 2), 0, "FREE by bob of a buffer with two exports: success");
	is_int(user_info(bob)->user_exports, 2, "exports of a buffer that has ended stay charged");
	must(user_ask(bob, USER_CLOSE, 0));
	must(user_ask(bob, USER_CLOSE, 1));
	is_int(user_info(bob)->user_exports, 0, "closed exports are charged no longer");
	user_end(alice);
	user_end(bob);
	user_end(boss);
	no_limits();
	ok(all_back(), "exports of others' buffers: all memory is returned");
}

static void test_heap_exports(void)
{
	struct user *alice;

	if (chown(HEAP_NODE, 0, GID_CCSHM) || chmod(HEAP_NODE, 0660)) {
		skip("exports of the heap node", "the node is not ccshm's here");
		return;
	}
	alice = user_start(ALICE, 0);
	set_number(EXPORTS, 1);
	alice->size = PAGE;
	is_errno(user_ask(alice, USER_HEAP, 0), 0, "the heap node: 1 export of 1");
	is_int(user_info(alice)->user_exports, 1, "the heap node: the export is charged to the caller");
	is_errno(user_ask(alice, USER_HEAP, 1), EDQUOT, "the heap node beyond limit_user_exports: EDQUOT");
	is_int(user_info(alice)->user_buffers, 1,
	       "the heap node: the refused call leaves no buffer");
	must(user_ask(alice, USER_CLOSE, 0));
	user_end(alice);
	no_limits();
	ok(all_back(), "the heap node: all memory is returned");
}

/* ---- all users ---- */

static int alloc_page(void *arg)
{
	int fd = raw_open(), err;
	uint64_t id;

	(void)arg;
	err = raw_alloc(fd, PAGE, &id);
	close(fd);
	return err;
}

#define NOT_RESOURCE	(CAP(SYS_ADMIN) | CAP(SYS_RAWIO) | CAP(CHOWN) | CAP(DAC_OVERRIDE) | \
			 CAP(IPC_LOCK) | CAP(SYS_NICE) | CAP(FOWNER))

static void test_total(void)
{
	struct user *alice = user_start(ALICE, 0), *bob = user_start(BOB, 0);
	struct user *boss = user_start(BOB, CAP(SYS_RESOURCE));

	set_number(TOTAL, 2 * UNIT);
	is_errno(user_has(alice, 0, UNIT), 0,
		 "limit_total_bytes: ALLOC by alice of half the total: success");
	is_errno(user_has(bob, 0, 2 * UNIT), ENOSPC,
		 "limit_total_bytes: ALLOC by bob of more than the rest: ENOSPC");
	is_errno(user_has(bob, 0, UNIT), 0, "limit_total_bytes: ALLOC by bob of the rest: success");
	is_errno(user_has(alice, 1, PAGE), ENOSPC,
		 "limit_total_bytes reached: ALLOC by alice: ENOSPC");
	is_errno(as_user(ROOT, 0, alloc_page, NULL), ENOSPC,
		 "limit_total_bytes reached: ALLOC by root without capabilities: ENOSPC");
	is_errno(as_user(ALICE, NOT_RESOURCE, alloc_page, NULL), ENOSPC,
		 "limit_total_bytes reached: ALLOC with all capabilities but CAP_SYS_RESOURCE: ENOSPC");
	set_number(BYTES, UNIT);
	is_errno(user_has(alice, 1, PAGE), EDQUOT,
		 "ALLOC beyond limit_total_bytes and limit_user_bytes: EDQUOT");

	is_errno(as_user(ALICE, CAP(SYS_RESOURCE), alloc_page, NULL), 0,
		 "CAP_SYS_RESOURCE exempts ALLOC from limit_total_bytes and limit_user_bytes");
	set_number(BUFFERS, 1);
	is_errno(user_has(boss, 0, UNIT), 0,
		 "CAP_SYS_RESOURCE exempts ALLOC from limit_user_buffers");
	is_int(user_info(boss)->user_bytes, 2 * UNIT,
	       "ALLOC beyond the limit with CAP_SYS_RESOURCE charges bytes");
	is_int(user_info(boss)->user_buffers, 2,
	       "ALLOC beyond the limit with CAP_SYS_RESOURCE charges a buffer");
	ok(wait_used(3 * UNIT),
	   "INFO: used_bytes exceeds limit_total_bytes after ALLOC with CAP_SYS_RESOURCE");
	must(user_ask(alice, USER_FREE, 0));
	ok(wait_used(2 * UNIT), "INFO: used_bytes falls after FREE");
	no_limits();
	set_number(TOTAL, 2 * UNIT);
	is_errno(user_has(alice, 0, PAGE), ENOSPC,
		 "ALLOC while used_bytes is not below limit_total_bytes: ENOSPC");
	must(user_ask(boss, USER_FREE, 0));
	is_errno(user_has(alice, 0, UNIT), 0,
		 "ALLOC after used_bytes has fallen below limit_total_bytes: success");
	user_end(alice);
	user_end(bob);
	user_end(boss);
	no_limits();
	ok(all_back(), "limit_total_bytes: all memory is returned");
}

/* ---- limits change ---- */

static void test_lowered(void)
{
	struct user *alice = user_start(ALICE, 0);
	unsigned char *p;
	int dmabuf;

	for (unsigned int i = 0; i < 4; i++)
		must(user_has(alice, i, UNIT));
	dmabuf = raw_export(dev, alice->id[0], 0, NULL);
	p = raw_map(dmabuf, UNIT, PROT_READ | PROT_WRITE);
	if (!ok(p, "setup: four units are allocated, one is mapped"))
		return;
	memset(p, 0x5a, UNIT);
	set_number(BYTES, 2 * UNIT);
	set_number(TOTAL, UNIT);
	set_number(BUFFERS, 1);
	is_int(user_info(alice)->user_bytes, 4 * UNIT,
	       "limits lowered below the use: existing buffers stay");
	is_int(first_other(p, 0x5a, UNIT), -1, "limits lowered below the use: mapped bytes stay");
	is_errno(user_ask(alice, USER_EXPORT, 1), 0,
		 "limits lowered below the use: EXPORT of an existing buffer: success");
	must(user_ask(alice, USER_CLOSE, 1));
	must(set(BUFFERS, "max"));
	must(set(TOTAL, "max"));
	for (unsigned int i = 0; i < 3; i++) {
		is_errno(user_has(alice, 9, PAGE), EDQUOT,
			 "limit of 2 units, %u units in use: ALLOC of a page: EDQUOT", 4 - i);
		must(user_ask(alice, USER_FREE, 3 - i));
	}
	ok(wait_used(UNIT), "all but one of four units are freed");
	is_errno(user_has(alice, 1, UNIT), 0,
		 "ALLOC after the use has fallen below the lowered limit: success");
	must(set(BYTES, "0"));
	is_errno(user_has(alice, 9, PAGE), EDQUOT, "limit_user_bytes=0: ALLOC of a page: EDQUOT");
	must(set(BYTES, "max"));
	is_errno(user_has(alice, 9, PAGE), 0,
		 "limit_user_bytes raised to max: ALLOC of a page: success");
	munmap(p, UNIT);
	close(dmabuf);
	user_end(alice);
	no_limits();
	ok(all_back(), "lowered limits: all memory is returned");
}

/* ---- concurrent allocations ---- */

#define RACERS	8

/* Test that as many concurrent processes succeed as the limit allows, and not one more. */
static void test_race(const char *name, uint64_t most, uint64_t size, uid_t other, int err,
		      const char *what)
{
	unsigned int wrong = 0, unfair = 0;
	struct user *u[RACERS];

	for (int i = 0; i < RACERS; i++)
		u[i] = user_start(i & 1 ? other : ALICE, 0);
	set_number(name, most);
	for (int round = 0; round < 10; round++) {
		int got = 0;

		for (int i = 0; i < RACERS; i++) {
			u[i]->size = size;
			u[i]->flags = 0;
			u[i]->slot = 0;
			user_send(u[i], USER_ALLOC);
		}
		for (int i = 0; i < RACERS; i++) {
			int result = peer_hear(&u[i]->peer);

			got += !result;
			wrong += result && result != err;
		}
		unfair += got != RACERS / 2;
		for (int i = 0; i < RACERS; i++)
			if (u[i]->id[0])
				wrong += user_ask(u[i], USER_FREE, 0) != 0;
	}
	is_int(wrong, 0, "%s: each returns 0 or the errno of the limit", what);
	is_int(unfair, 0, "%s: as many succeed as the limit allows", what);
	for (int i = 0; i < RACERS; i++)
		user_end(u[i]);
	no_limits();
	ok(all_back(), "%s: all memory is returned", what);
}

/* Eight processes of one user export at once; four exports are allowed. */
static void test_race_exports(void)
{
	unsigned int wrong = 0, unfair = 0;
	struct user *u[8];

	for (int i = 0; i < 8; i++) {
		u[i] = user_start(ALICE, 0);
		wrong += user_has(u[i], 0, PAGE) != 0;
	}
	set_number(EXPORTS, 4);
	for (int round = 0; round < 10; round++) {
		int got = 0;

		for (int i = 0; i < 8; i++)
			user_send(u[i], USER_EXPORT);
		for (int i = 0; i < 8; i++) {
			int result = peer_hear(&u[i]->peer);

			got += !result;
			wrong += result && result != -EDQUOT;
		}
		unfair += got != 4;
		for (int i = 0; i < 8; i++)
			if (u[i]->dmabuf[0] >= 0)
				must(user_ask(u[i], USER_CLOSE, 0));
	}
	is_int(wrong, 0, "eight EXPORTs at once: each returns 0 or EDQUOT");
	is_int(unfair, 0, "eight EXPORTs at once: exactly the allowed four succeed");
	for (int i = 0; i < 8; i++)
		user_end(u[i]);
	no_limits();
	ok(all_back(), "eight EXPORTs at once: all memory is returned");
}

/* Results of a process that allocates and frees. */
struct taker {
	uint64_t random;
	unsigned int allocated, refused;
};

/*
 * Allocate and free at random until the parent sends a value. Return the last unexpected errno, or
 * 0.
 */
static int take_and_give(struct peer *parent, void *arg)
{
	struct pollfd pfd = { .fd = parent->sock, .events = POLLIN };
	struct taker *taker = arg;
	uint64_t id[3] = { 0 }, random = taker->random;
	int fd = raw_open(), strange = 0;

	if (fd < 0)
		return fd;
	while (!strange && !poll(&pfd, 1, 0)) {
		int k = random / 7 % 3, err;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		random >>= 1;
		if (id[k]) {
			strange = raw_free(fd, id[k]);
			id[k] = 0;
			continue;
		}
		err = raw_alloc(fd, random & 64 ? UNIT : 3 * PAGE, &id[k]);
		if (err && err != -EDQUOT && err != -ENOSPC)
			strange = err;
		taker->allocated += !err;
		taker->refused += err != 0;
	}
	must(peer_hear(parent));
	close(fd);
	return strange;
}

/* Return how many of the processes were not allowed, or not refused, anything. */
static unsigned int one_sided(const struct taker *taker)
{
	unsigned int nr = 0;

	for (int i = 0; i < 4; i++)
		nr += !taker[i].allocated || !taker[i].refused;
	return nr;
}

static void test_changing(void)
{
	struct taker *taker = common(4 * sizeof(*taker));
	unsigned int above = 0, strange = 0;
	struct peer p[4];

	for (unsigned int i = 0; i < 4; i++) {
		taker[i].random = i * 77 + 5;
		p[i] = peer_start(i & 1 ? ALICE : BOB, 0, take_and_give, &taker[i]);
	}
	/* On a busy machine the processes make few calls while 300 limits are set. */
	for (int i = 0; i < 300 || (i < 5000 && one_sided(taker)); i++) {
		uint64_t limit = (i % 5) * UNIT, seen;

		set_number(i & 1 ? TOTAL : BYTES, limit);
		/*
		 * Memory that was in use before may stay in use, but additions may not exceed the
		 * limit.
		 */
		seen = info_now().used_bytes;
		if (i & 1)
			above += info_now().used_bytes > (seen > limit ? seen : limit);
		if (i % 20 == 19)
			no_limits();
		sleep_ms(1);
	}
	for (int i = 0; i < 4; i++) {
		int result;

		peer_send(&p[i], 1, -1);
		result = peer_hear(&p[i]);
		if (result)
			diag("process %d: %s", i, tap_errno_name(result));
		strange += result != 0;
		peer_must_end(&p[i], 0);
		diag("process %d: %u calls allowed, %u refused", i, taker[i].allocated,
		     taker[i].refused);
	}
	is_int(one_sided(taker), 0, "while limits change: each process is allowed and is refused");
	munmap(taker, 4 * sizeof(*taker));
	is_int(strange, 0, "while limits change: each call returns a documented result");
	is_int(above, 0, "while limits change: nothing is added beyond the total");
	no_limits();
	ok(all_back(), "while limits change: all memory is returned and charged no longer");
	is_int(info_now().user_bytes + info_now().user_buffers, 0,
	       "while limits change: nothing is charged to root afterwards");
}

/* ---- module parameters ---- */

static void reload(const char *params, int want)
{
	char all[256];

	snprintf(all, sizeof(all), "%s %s", cvm_present() ? "" : "allow_plain=1", params);
	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", all), want,
		 "loading the driver with %s returns the expected errno", params);
}

static void test_parameters(void)
{
	static const char *const bad[] = {
		"limit_total_bytes=", "limit_total_bytes=half", "limit_user_bytes=-1",
		"limit_user_bytes=1Q", "limit_user_buffers=1K", "limit_user_buffers=max1",
	};

	close(dev);
	is_errno(driver_unload(), 0, "the driver is unloaded");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		reload(bad[i], EINVAL);
	ok(logged("ccshm: limit_user_bytes=1Q: not a limit"),
	   "loading the driver with a bad limit: the kernel log names the parameter");
	reload("limit_user_bytes=17000000T", ERANGE);
	reload("limit_total_bytes=64m limit_user_bytes=5000001 limit_user_buffers=3 limit_user_exports=4", 0);
	must(device_for_group());
	is_str(setting(TOTAL), "67108864", "limit_total_bytes=64m: the parameter sets the limit");
	is_str(setting(BYTES), "5000001", "limit_user_bytes=5000001: the parameter sets the limit");
	is_str(setting(BUFFERS), "3", "limit_user_buffers=3: the parameter sets the limit");
	is_str(setting(EXPORTS), "4", "limit_user_exports=4: the parameter sets the limit");
	is_errno(access("/sys/module/ccshm/parameters/limit_total_bytes", F_OK) ? -errno : 0, ENOENT,
		 "/sys/module/ccshm/parameters has no limit_total_bytes: ENOENT");
	must(driver_unload());
	reload("limit_total_bytes=max limit_user_buffers=max", 0);
	must(device_for_group());
	is_str(setting(TOTAL), "max", "limit_total_bytes=max: no limit on the total");
	is_str(setting(BYTES), "max", "limit_total_bytes=max: no limit for each user");
	is_str(setting(BUFFERS), "max", "limit_user_buffers=max: no limit on buffers");
	must(driver_unload());
	reload("limit_total_bytes=64M", 0);
	must(device_for_group());
	is_str(setting(BYTES), "33554432", "limit_total_bytes=64M: limit_user_bytes is half of it");
	must(set(TOTAL, "16M"));
	is_str(setting(BYTES), "33554432", "limit_user_bytes stays when limit_total_bytes changes");
	must(driver_unload());
	reload("limit_total_bytes=64M limit_user_bytes=max", 0);
	must(device_for_group());
	is_str(setting(BYTES), "max", "limit_user_bytes=max: no limit for each user");
	dev = raw_open();
}

int main(void)
{
	uint64_t rig_before = rig(CVM_PAGES_SHARED);

	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	test_defaults();
	test_parse();
	test_files();
	/* Load the driver again, so that its counters start at 0. */
	close(dev);
	must(driver_unload());
	driver_load();
	dev = raw_open();
	no_limits();
	test_user_bytes();
	test_carved();
	test_no_wait();
	test_orphans();
	test_revoked();
	test_payer();
	test_heap();
	test_user_buffers();
	test_user_exports();
	test_heap_exports();
	test_total();
	test_lowered();
	test_race(BYTES, RACERS / 2 * UNIT, UNIT, ALICE, -EDQUOT,
		  "eight ALLOCs of one user at once");
	test_race(TOTAL, RACERS / 2 * UNIT, UNIT, BOB, -ENOSPC,
		  "eight ALLOCs of two users at once");
	test_race(BUFFERS, RACERS / 2, PAGE, ALICE, -EDQUOT,
		  "eight ALLOCs of small buffers at once");
	test_race_exports();
	test_changing();
	test_parameters();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(rig_before), "no page is shared after the driver is unloaded");
	return done_testing();
}
