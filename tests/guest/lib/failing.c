// SPDX-License-Identifier: GPL-2.0-only
#include "failing.h"
#include "device.h"

#include <sys/mount.h>

#define DEBUGFS		"/sys/kernel/debug"
#define FAILSLAB	DEBUGFS "/failslab/"
#define MAX_WORKERS	256

static int self = -1, self_all = -1;

/* Threads with make-it-fail fail all allocations; fail-nth takes precedence over these settings. */
static const char *const settings[][2] = {
	{ FAILSLAB "ignore-gfp-wait", "N" },
	{ FAILSLAB "cache-filter", "N" },
	{ FAILSLAB "verbose", "0" },
	{ FAILSLAB "task-filter", "Y" },
	{ FAILSLAB "times", "-1" },
	{ FAILSLAB "probability", "100" },
};

const char *failing_begin(void)
{
	if (access("/proc/thread-self/fail-nth", F_OK))
		return "the kernel is built without CONFIG_FAULT_INJECTION: it has no /proc/PID/fail-nth";
	if (access(FAILSLAB, F_OK) && mount("debugfs", DEBUGFS, "debugfs", 0, NULL) && errno != EBUSY)
		bail("debugfs cannot be mounted: %s", strerror(errno));
	if (access(FAILSLAB, F_OK))
		return "the kernel is built without CONFIG_FAILSLAB or CONFIG_FAULT_INJECTION_DEBUG_FS";
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (write_text(settings[i][0], settings[i][1]))
			bail("%s cannot be written", settings[i][0]);
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
