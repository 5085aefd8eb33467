// SPDX-License-Identifier: GPL-2.0-only
#include "failing.h"
#include "device.h"

#include <sys/mount.h>

#define DEBUGFS		"/sys/kernel/debug"
#define FAILSLAB	DEBUGFS "/failslab/"
#define FAILPAGE	DEBUGFS "/fail_page_alloc/"
#define KMEMLEAK_ALLOCATES "__alloc_object"
#define NODES		"/sys/kernel/slab/radix_tree_node/object_size"
#define MAX_WORKERS	256
#define TIMES		1000000	/* no call makes so many allocations */

static int self = -1, self_all = -1;

/* Threads with make-it-fail fail all allocations; fail-nth takes precedence over these settings. */
static const char *const settings[][2] = {
	{ FAILSLAB "ignore-gfp-wait", "N" },
	{ FAILSLAB "verbose", "0" },
	{ FAILSLAB "task-filter", "Y" },
	{ FAILSLAB "times", "-1" },
	{ FAILSLAB "probability", "100" },
	{ FAILPAGE "ignore-gfp-wait", "N" },
	{ FAILPAGE "ignore-gfp-highmem", "N" },
	{ FAILPAGE "verbose", "0" },
	{ FAILPAGE "task-filter", "Y" },
	{ FAILPAGE "times", "-1" },
	{ FAILPAGE "probability", "100" },
};

static void set(const char *file, const char *value)
{
	if (write_text(file, value))
		bail("%s cannot be written", file);
}

static void set_number(const char *file, unsigned long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%#llx", value);
	set(file, text);
}

static unsigned int number_in(const char *file)
{
	long long value = read_number(file);

	if (value < 0)
		bail("%s cannot be read", file);
	return value;
}

/* The addresses of a function of the kernel, up to the next symbol. */
struct code {
	unsigned long long start, end;
};

static struct code code_of(const char *function)
{
	struct code code = { .start = symbol_address(function, NULL), .end = ~0ULL };
	unsigned long long at;
	char line[512];
	FILE *f;

	if (!code.start)
		bail("/proc/kallsyms does not list the function %s", function);
	f = fopen("/proc/kallsyms", "re");
	if (!f)
		bail("/proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx", &at) == 1 && at > code.start && at < code.end)
			code.end = at;
	fclose(f);
	return code;
}

/*
 * Do not count what kmemleak allocates for each allocation: its failure has no effect, as kmemleak then
 * uses a pool.
 */
static void ignore_kmemleak(void)
{
	struct code code;

	if (access(DEBUGFS "/kmemleak", F_OK))
		return;
	code = code_of(KMEMLEAK_ALLOCATES);
	set_number(FAILSLAB "reject-start", code.start);
	set_number(FAILSLAB "reject-end", code.end);
	set_number(FAILPAGE "reject-start", code.start);
	set_number(FAILPAGE "reject-end", code.end);
}

void failing_choose(enum failing_kind kind)
{
	/* No cache has the flag of this filter (SLAB_FAILSLAB). No allocation has this order. */
	set(FAILSLAB "cache-filter", kind == FAILING_SLABS ? "N" : "Y");
	set(FAILPAGE "min-order", kind == FAILING_PAGES ? "0" : "100");
}

const char *failing_begin(void)
{
	if (access("/proc/thread-self/fail-nth", F_OK))
		return "the kernel is built without CONFIG_FAULT_INJECTION: it has no /proc/PID/fail-nth";
	if (access(FAILSLAB, F_OK) && mount("debugfs", DEBUGFS, "debugfs", 0, NULL) && errno != EBUSY)
		bail("debugfs cannot be mounted: %s", strerror(errno));
	if (access(FAILSLAB, F_OK))
		return "the kernel is built without CONFIG_FAILSLAB or CONFIG_FAULT_INJECTION_DEBUG_FS";
	if (access(FAILPAGE, F_OK))
		return "the kernel is built without CONFIG_FAIL_PAGE_ALLOC";
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		set(settings[i][0], settings[i][1]);
	ignore_kmemleak();
	failing_choose(FAILING_SLABS);
	self = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	self_all = open("/proc/thread-self/make-it-fail", O_WRONLY | O_CLOEXEC);
	if (self < 0 || self_all < 0)
		bail("/proc/thread-self/fail-nth or make-it-fail: %s", strerror(errno));
	return NULL;
}

/* Write to a file fail-nth. A worker can have ended meanwhile. */
static bool fail_nth_write(int fd, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(fd, text, length, 0) == length;
}

/* Return how many allocations the task may still make before one fails; 0: one has failed. */
static unsigned int fail_nth_read(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return ~0U;
	return strtoul(text, NULL, 10);
}

void failing_arm(unsigned int nth)
{
	if (!fail_nth_write(self, nth))
		bail("/proc/thread-self/fail-nth: %s", strerror(errno));
}

unsigned int failing_left(void)
{
	return fail_nth_read(self);
}

bool failing_disarm(void)
{
	unsigned int left = failing_left();

	failing_arm(0);
	return !left;
}

void failing_all(bool on)
{
	if (pwrite(self_all, on ? "1" : "0", 1, 0) != 1)
		bail("/proc/thread-self/make-it-fail: %s", strerror(errno));
}

/*
 * Fail allocations whose stack contains __xa_cmpxchg(), which xa_reserve() calls: the attempt that does not
 * wait, and its repetition. "space" is in bytes: @nodes nodes succeed first.
 */
void failing_reserve(unsigned int nodes)
{
	static struct code code;

	if (!code.start)
		code = code_of("__xa_cmpxchg");
	set_number(FAILSLAB "require-start", code.start);
	set_number(FAILSLAB "require-end", code.end);
	set_number(FAILSLAB "space", nodes ? nodes * number_in(NODES) + 1 : 0);
	set_number(FAILSLAB "times", TIMES);
	failing_all(true);
}

bool failing_reserve_end(void)
{
	bool failed;

	failing_all(false);
	/* The kernel counts down. */
	failed = number_in(FAILSLAB "times") < TIMES;
	set(FAILSLAB "times", "-1");
	set(FAILSLAB "space", "0");
	set_number(FAILSLAB "require-start", 0);
	set_number(FAILSLAB "require-end", ~0UL);
	return failed;
}

/* ---- workers ---- */

static int worker[MAX_WORKERS];
static unsigned int workers;

static bool is_worker(const char *pid)
{
	char path[300], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		*name = 0;
	fclose(f);
	return !strncmp(name, "kworker/u", 9);
}

static int worker_open(const char *pid)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/fail-nth", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

void failing_arm_workers(unsigned int nth)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int fd;

	while (proc && workers < MAX_WORKERS && (entry = readdir(proc))) {
		if (*entry->d_name < '1' || *entry->d_name > '9' || !is_worker(entry->d_name))
			continue;
		fd = worker_open(entry->d_name);
		if (fd >= 0)
			worker[workers++] = fd;
	}
	if (proc)
		closedir(proc);
	if (!workers)
		bail("no worker thread of an unbound work queue was found");
	for (unsigned int i = 0; i < workers; i++)
		(void)!fail_nth_write(worker[i], nth);
}

unsigned int failing_disarm_workers(void)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < workers; i++) {
		failed += !fail_nth_read(worker[i]);
		(void)!fail_nth_write(worker[i], 0);
		close(worker[i]);
	}
	workers = 0;
	return failed;
}
