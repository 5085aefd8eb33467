// SPDX-License-Identifier: GPL-2.0-only
/* The weather of the suite `soak`: what takes memory away from the members. */
#include <sys/mount.h>

#include "../guest/lib/device.h"
#include "../guest/lib/fragmented.h"
#include "../guest/lib/sums.h"
#include "soak.h"

#define CAGE_MEMBER	"cgroup/cage"
#define CAGE_HOG	"cgroup/hog"
#define CAGE_MEMBER_MAX	"6M"
#define CAGE_HOG_MAX	"24M"

/* ---- processes that take memory ---- */

/* The processes: in a cgroup, against the guest, and the one that fragments memory. */
static pid_t hog[WEATHERS];
static unsigned int now;		/* bits of the weather */
static unsigned long before[DEEDS];	/* deeds when the round began */

/* Become the process that the OOM killer chooses first. */
static void become_victim(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "soak-hog");
	if (write_text("/proc/self/oom_score_adj", "1000"))
		bail("oom_score_adj: %s", strerror(errno));
}

/* Take memory until the OOM killer ends this process. */
static void take_everything(void)
{
	for (;;) {
		char *p = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; p != MAP_FAILED && i < 4 * MIB; i += PAGE)
			p[i] = 1;
	}
}

/*
 * Fragment memory, take the blocks of 2 MiB that are left, and hold all that until this process is
 * killed. The members then get small blocks.
 */
static void fragment_and_hold(void)
{
	int dev = raw_open();

	if (dev < 0 || !fragment_memory(48 * MIB, 64 * MIB))
		_exit(0);
	take_large(dev, 32 * MIB);
	soak->done[DEED_FRAGMENT]++;
	for (;;)
		pause();
}

static void hog_start(enum weather weather)
{
	pid_t pid = fork();

	hog[weather] = pid;
	if (pid)
		return;
	become_victim();
	if (weather == WEATHER_CAGE && write_text(CAGE_HOG "/cgroup.procs", "0"))
		bail(CAGE_HOG ": %s", strerror(errno));
	if (weather == WEATHER_FRAGMENTED)
		fragment_and_hold();
	take_everything();
}

static long long kills_of(const char *cage)
{
	char path[64], key[32];
	long long value, found = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.events", cage);
	f = fopen(path, "r");
	while (f && fscanf(f, "%31s %lld", key, &value) == 2)
		if (!strcmp(key, "oom_kill"))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* A process that takes memory has ended. Count it if the OOM killer has ended it. */
static void hog_ended(enum weather weather, int status)
{
	static long long caged;
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	hog[weather] = 0;
	/* It was killed in place of the other hog, or too little memory was free. */
	if (weather == WEATHER_FRAGMENTED && (killed || !status))
		return;
	if (!killed) {
		wrong(WRONG_PROCESS, "a hog ends with wait status 0x%x", status);
	} else if (weather == WEATHER_OOM) {
		soak->done[DEED_OOM]++;
	} else if (kills_of(CAGE_HOG) > caged) {
		caged = kills_of(CAGE_HOG);
		soak->done[DEED_KILL_CAGED]++;
	}
}

static void hog_kill(enum weather weather)
{
	if (hog[weather] <= 0)
		return;
	kill(hog[weather], SIGKILL);
	if (reap(hog[weather], 120000) < 0)
		wrong(WRONG_PROCESS, "a hog cannot be killed");
	hog[weather] = 0;
}

/* ---- cgroups ---- */

void cages_begin(void)
{
	if (mkdir("cgroup", 0755) || mount("cgroup", "cgroup", "cgroup2", 0, NULL) ||
	    write_text("cgroup/cgroup.subtree_control", "+memory") || mkdir(CAGE_MEMBER, 0755) ||
	    mkdir(CAGE_HOG, 0755) || write_text(CAGE_MEMBER "/memory.max", CAGE_MEMBER_MAX) ||
	    write_text(CAGE_HOG "/memory.max", CAGE_HOG_MAX))
		bail("memory cgroups: %s", strerror(errno));
}

void cages_end(void)
{
	must(rmdir(CAGE_MEMBER));
	must(rmdir(CAGE_HOG));
	must(umount("cgroup"));
}

void cage_enter(void)
{
	if (write_text(CAGE_MEMBER "/cgroup.procs", "0"))
		bail(CAGE_MEMBER ": %s", strerror(errno));
}

long long cage_charged(void)
{
	long long bytes = read_number(CAGE_MEMBER "/memory.current");

	if (bytes < 0)
		bail(CAGE_MEMBER "/memory.current: %s", strerror(errno));
	return bytes / (long long)KIB;
}

/* ---- limits ---- */

/* Set one limit so low that members reach it. */
static void limits_lower(struct self *boss)
{
	static const char *const low[LIMITS] = {
		[LIMIT_TOTAL_BYTES] = "12M", [LIMIT_USER_BYTES] = "4M",
		[LIMIT_USER_BUFFERS] = "2", [LIMIT_USER_EXPORTS] = "1",
	};
	enum limit limit = pick(boss, LIMITS);

	must(limit_set(limit, low[limit]));
}

/* ---- a round ---- */

void weather_begin(struct self *boss, unsigned int weather)
{
	now = weather;
	for (int i = 0; i < DEEDS; i++)
		before[i] = soak->done[i];
	if (now & 1U << WEATHER_LIMITS)
		limits_lower(boss);
	for (int i = 0; i < WEATHERS; i++)
		if (now & 1U << i && i != WEATHER_LIMITS)
			hog_start(i);
}

/* Collect the processes that the OOM killer has ended. Start the one in the cgroup again. */
void weather_continue(void)
{
	int status;

	for (int i = 0; i < WEATHERS; i++)
		if (hog[i] > 0 && waitpid(hog[i], &status, WNOHANG) == hog[i])
			hog_ended(i, status);
	if (now & 1U << WEATHER_CAGE && hog[WEATHER_CAGE] <= 0)
		hog_start(WEATHER_CAGE);
}

bool weather_is_over(void)
{
	static const struct {
		enum deed deed;
		unsigned long times;
	} aim[WEATHERS] = {
		[WEATHER_CAGE] = { DEED_KILL_CAGED, 1 }, [WEATHER_LIMITS] = { DEED_LIMIT, 1 },
		[WEATHER_FRAGMENTED] = { DEED_SMALL, 3 }, [WEATHER_OOM] = { DEED_OOM, 1 },
	};

	/* A process that has ended reaches no aim any more. */
	for (int i = 0; i < WEATHERS; i++)
		if (now & 1U << i && (i == WEATHER_LIMITS || hog[i] > 0) &&
		    soak->done[aim[i].deed] < before[aim[i].deed] + aim[i].times)
			return false;
	return true;
}

void weather_end(void)
{
	for (int i = 0; i < WEATHERS; i++)
		hog_kill(i);
	for (int i = 0; i < LIMITS; i++)
		must(limit_set(i, "max"));
	now = 0;
}
