// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load for minutes or hours: several users allocate, export, map, attach, revoke and free, devices move bytes, and
 * every byte is checked, while processes are killed and memory is fragmented, limited and exhausted
 * (tests/soak/soak.h). The time consists of rounds. At the end of each round all members end, and
 * nothing may be left. When the time is over, the last rounds must not have less free memory and more
 * slab objects than the first.
 *
 * The kernel parameters soak.seed and soak.seconds replace the values below: "make soak MINUTES=60".
 * A shorter run, without parameters, is for the mutants. With little memory, it is exhausted sooner.
 *
 * vm-matrix: named
 * vm-flavours: sev snp
 * vm-modules: ccshm importer
 * vm-boot: alone
 * vm-qemu: -device edu,addr=06.0,dma_mask=0xffffffff
 * vm-append: mem=512M
 * vm-timeout: 600
 */
#include "../soak/soak.h"
#include "crew.h"
#include "importing.h"
#include "netlink.h"
#include "sums.h"
#include "users.h"

#define SEED		1
#define SECONDS		60
#define ROUND		20	/* seconds of a round; shorter if there would be fewer than ROUNDS */
#define ROUNDS		12	/* the first one is not measured */
#define MOST_ROUNDS	600	/* longer rounds if there would be more */
#define WEATHER_SECONDS	40	/* longer than a round, until the pressure has done what it is for */
#define MORE		300	/* seconds that a run can take longer */
#define STALLED		120	/* seconds in which each member must make progress */
#define PAUSE_SECONDS	120
#define SLAB_BOUND	100	/* objects of any cache, mean of the last quarter against the first */
#define CAGE_BOUND	512	/* KiB of the caged member's cgroup, in the same way */
#define MEMORY_BOUND	512	/* KiB, in the same way */

struct soak *soak;

static int dev;
static uint64_t rig_before;
static struct self boss;	/* the stream of decisions of the suite itself */
static unsigned long beats[MEMBERS];
static int64_t progress[MEMBERS];	/* when the member has last made progress */
static unsigned int rounds;

/* ---- names and faults ---- */

const char *deed_name(enum deed deed)
{
	static const char *const names[DEEDS] = {
		[DEED_CARVED] = "carved buffers", [DEED_BLOCKS] = "buffers with whole units",
		[DEED_SMALL] = "buffers of small blocks", [DEED_HEAP] = "buffers of the heap node",
		[DEED_CHECK] = "checks of a buffer", [DEED_FREE] = "FREE",
		[DEED_FREE_REVOKE] = "FREE with REVOKE", [DEED_FREE_LATE] = "FREE of a mapped buffer",
		[DEED_CLOSE] = "files closed", [DEED_REVOKE] = "REVOKE",
		[DEED_REVOKE_FENCE] = "REVOKE with a fence", [DEED_ATTACH] = "ATTACH",
		[DEED_FORCE] = "REVOKE with FORCE", [DEED_DMA_USER] = "transfers of user space",
		[DEED_DMA_KERNEL] = "transfers of the kernel driver", [DEED_FORK] = "forks",
		[DEED_FORK_KILL] = "children killed", [DEED_DUMP] = "dumps",
		[DEED_NO_MEMORY] = "calls without memory", [DEED_LIMIT] = "calls that a limit refused",
		[DEED_KILL] = "members killed", [DEED_KILL_CAGED] = "OOM kills in a cgroup",
		[DEED_OOM] = "OOM kills in the guest", [DEED_FRAGMENT] = "memory fragmented",
		[DEED_SUMS] = "comparisons of the sums", [DEED_SAMPLE] = "samples",
	};

	return names[deed];
}

const char *member_name(enum member who)
{
	static const char *const names[MEMBERS] = {
		"driver", "importer", "bob", "caged", "heap", "reader",
	};

	return names[who];
}

#define SHOWN	20

void wrong(enum wrong kind, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	soak->wrongs[kind]++;
	if (soak->shown++ >= SHOWN)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag("round %u: %s", rounds, text);
}

/* ---- members ---- */

static pid_t start(unsigned int who, unsigned int incarnation)
{
	progress[who] = now_ns();
	return member_start(who, incarnation);
}

/* The OOM killer of its cgroup can have ended a member. */
static void ended(unsigned int who, int status)
{
	if (status && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
		wrong(WRONG_PROCESS, "%s ends with wait status 0x%x", member_name(who), status);
}

static bool is_parked(unsigned int who)
{
	return soak->parked[who];
}

_Static_assert(MEMBERS <= CREW_MAX, "");

static struct crew crew = {
	.nr = MEMBERS, .start = start, .ended = ended, .is_parked = is_parked,
};

/* Kill a member. Return whether it has run. */
static bool murder(enum member who)
{
	int err = crew_kill(&crew, who, STALLED * 1000);

	if (err == -ETIME)
		bail("%s cannot be killed", member_name(who));
	return !err;
}

static void print_file(pid_t process, const char *name)
{
	char path[64], text[900];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", process, name);
	f = fopen(path, "r");
	if (!f)
		return;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	diag("%s: %s", path, text);
	fclose(f);
}

/* Report a member that makes no progress, and kill it. */
static void watch(enum member who)
{
	if (!crew.pid[who] || soak->beats[who] != beats[who] || soak->pause) {
		beats[who] = soak->beats[who];
		progress[who] = now_ns();
		return;
	}
	if (now_ns() - progress[who] < STALLED * 1000000000LL)
		return;
	wrong(WRONG_PROCESS, "%s has made no progress for %d s", member_name(who), STALLED);
	print_file(crew.pid[who], "syscall");
	print_file(crew.pid[who], "stack");
	murder(who);
}

/* Collect the members that have ended, and start those that are missing. */
static void tend(bool restart)
{
	crew_collect(&crew);
	for (int m = 0; m < MEMBERS; m++) {
		watch(m);
		if (restart && !crew.pid[m])
			crew_start(&crew, m);
	}
}

/* Let all members release everything and end. */
static void stop_members(void)
{
	int64_t end = in_ms(PAUSE_SECONDS * 1000);

	soak->stop = true;
	while (crew_runs(&crew) && now_ns() < end) {
		sleep_ms(10);
		tend(false);
	}
	for (int m = 0; m < MEMBERS; m++)
		if (crew.pid[m]) {
			wrong(WRONG_PROCESS, "%s does not end", member_name(m));
			murder(m);
		}
	soak->stop = false;
}

/* ---- sums ---- */

static void sums_wrong(const char *what, uint64_t a, uint64_t b)
{
	wrong(WRONG_SUMS, "%s: %llu and %llu", what, (unsigned long long)a, (unsigned long long)b);
}

/* Compare the sums while the members hold buffers and make no calls. */
static void pause_and_compare(void)
{
	int64_t end = in_ms(PAUSE_SECONDS * 1000);

	soak->pause = true;
	while (!crew_is_parked(&crew) && now_ns() < end) {
		sleep_ms(5);
		tend(false);
	}
	if (!crew_is_parked(&crew))
		wrong(WRONG_PROCESS, "a call has not returned for %d s", PAUSE_SECONDS);
	else if (sums_settle(dev, rig_before, sums_wrong))
		soak->done[DEED_SUMS]++;
	soak->pause = false;
}

/* ---- the end of a round ---- */

static uint64_t violations(void)
{
	static const enum cvm_counter kinds[] = {
		CVM_VIOL_PRIVATE_ALIAS, CVM_VIOL_SHARED_ALIAS, CVM_VIOL_UNVALIDATED,
		CVM_VIOL_PVALIDATE, CVM_VIOL_UNRESCINDED, CVM_VIOL_MMIO,
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += rig(kinds[i]);
	return sum;
}

/* Check that nothing is left when no member exists. */
static void nothing_is_left(void)
{
	static uint64_t seen;
	uint64_t now = violations();
	struct ccshm_ioc_info info = { 0 };

	if (!wait_clean(dev))
		wrong(WRONG_LEFT, "objects or shared memory are left");
	must(raw_info(dev, &info));
	if (info.used_bytes || info.bytes_carved || info.blocks_carved || info.importers)
		wrong(WRONG_LEFT, "%llu bytes are charged, %llu blocks carved, %u importers",
		      (unsigned long long)info.used_bytes, (unsigned long long)info.blocks_carved,
		      info.importers);
	if (!wait_rig_shared(rig_before))
		wrong(WRONG_LEFT, "pages are still shared");
	if (!sums_equal(dev, rig_before, sums_wrong))
		wrong(WRONG_LEFT, "a user is still charged");
	if (now != seen)
		wrong(WRONG_RIG, "%llu violations", (unsigned long long)(now - seen));
	seen = now;
}

/* ---- rounds ---- */

/* Choose the weather: each kind in turn, and others with it. */
static unsigned int some_weather(void)
{
	unsigned int weather = 1U << rounds % WEATHERS;

	for (int i = 0; i < WEATHERS; i++)
		if (one_in(&boss, 4))
			weather |= 1U << i;
	/* The OOM killer would end the process that fragments memory. */
	if (rounds % WEATHERS != WEATHER_OOM && weather & 1U << WEATHER_FRAGMENTED)
		weather &= ~(1U << WEATHER_OOM);
	if (weather & 1U << WEATHER_OOM)
		weather &= ~(1U << WEATHER_FRAGMENTED);
	return weather;
}

static void print_round(unsigned int weather, int64_t begun)
{
	static const char *const names[WEATHERS] = {
		[WEATHER_CAGE] = " cgroup", [WEATHER_LIMITS] = " limits",
		[WEATHER_FRAGMENTED] = " fragmented", [WEATHER_OOM] = " oom",
	};
	char text[64] = "";

	for (int i = 0; i < WEATHERS; i++)
		if (weather & 1U << i)
			strcat(text, names[i]);
	diag("round %u:%s, %lld s, %lu revokes, %lu transfers", rounds, text,
	     (long long)((now_ns() - begun) / 1000000000), soak->done[DEED_REVOKE],
	     soak->done[DEED_DMA_USER] + soak->done[DEED_DMA_KERNEL]);
}

static void one_round(int64_t ns)
{
	int64_t begun = now_ns(), end = begun + ns, limit = end + WEATHER_SECONDS * 1000000000LL;
	unsigned int weather = some_weather();

	weather_begin(&boss, weather);
	while (now_ns() < end || (!weather_is_over() && now_ns() < limit)) {
		tend(true);
		sleep_ms(20 + pick(&boss, 100));
		weather_continue();
		if (one_in(&boss, 8) && murder(pick(&boss, MEMBERS)))
			soak->done[DEED_KILL]++;
	}
	pause_and_compare();
	weather_end();
	stop_members();
	nothing_is_left();
	if (rounds)
		sample_take();
	print_round(weather, begun);
	rounds++;
}

static bool everything_was_done(void)
{
	for (int i = 0; i < DEEDS; i++)
		if (!soak->done[i])
			return false;
	return true;
}

/* Run rounds for this time; up to MORE seconds longer, but at most twice as long, until everything was done. */
static void run(uint64_t seconds)
{
	int64_t end = in_ms(seconds * 1000), length = ROUND, limit;

	limit = end + 1000000000LL * (seconds < MORE ? seconds : MORE);
	if (seconds / ROUNDS < ROUND)
		length = seconds / ROUNDS;
	if (seconds / MOST_ROUNDS > ROUND)
		length = seconds / MOST_ROUNDS;
	while ((now_ns() < end || samples() < 8 || (!everything_was_done() && now_ns() < limit)) &&
	       !soak->wrongs[WRONG_LEFT])
		one_round(length * 1000000000LL);
}

/* ---- results ---- */

static void print_deeds(void)
{
	for (int i = 0; i < DEEDS; i++)
		diag("%8lu %s", soak->done[i], deed_name(i));
	ok(everything_was_done(), "each kind of operation and of pressure has happened");
}

static void no_wrongs(void)
{
	static const char *const names[WRONGS] = {
		[WRONG_BYTES] = "memory contains zeros at first, and then what was written to it",
		[WRONG_CALL] = "each call succeeds, or fails for want of memory or by a limit",
		[WRONG_REVOKED] = "nothing can be accessed after a revoke",
		[WRONG_PROCESS] = "each process makes progress and ends as expected",
		[WRONG_SUMS] = "charges, totals, objects and shared pages add up",
		[WRONG_LEFT] = "at the end of each round nothing is left",
		[WRONG_RIG] = "the emulator has counted no violation",
	};

	for (int i = 0; i < WRONGS; i++)
		is_int(soak->wrongs[i], 0, "%s", names[i]);
}

static void no_slope(void)
{
	char cache[64] = "";
	long long kib, caged, objects;

	if (!ok(samples() >= 8, "there are samples of at least 8 rounds"))
		return;
	kib = memory_slope();
	caged = cage_slope();
	objects = slab_slope(cache, sizeof(cache));
	diag("%u samples; largest growth of a cache: %lld objects (%s)", samples(), objects, cache);
	if (!ok(objects <= SLAB_BOUND, "no slab cache has a slope: at most %d objects", SLAB_BOUND))
		diag("%s: %lld objects", cache, objects);
	if (!ok(kib <= MEMORY_BOUND, "free memory is back: at most %d KiB are missing",
		MEMORY_BOUND))
		diag("%lld KiB", kib);
	if (!ok(caged <= CAGE_BOUND, "the memory cgroup is charged no more: at most %d KiB",
		CAGE_BOUND))
		diag("%lld KiB", caged);
}

/* ---- begin and end ---- */

static void devices_begin(void)
{
	int err = raw_insmod("/lib/ccshm/ccshm_importer.ko", "");

	if (!err)
		err = device_bind(EDU_C, IMPORTER_DRIVER);
	if (err || strcmp(device_driver(EDU_C), IMPORTER_DRIVER))
		bail("the importer's driver cannot be bound to %s: %s", EDU_C, strerror(-err));
	imp_device = EDU_C;
}

static void prepare(uint64_t seconds)
{
	int netlink = nl_socket();

	touch_init();
	soak = common(sizeof(*soak));
	soak->seed = kernel_parameter("soak.seed", SEED);
	boss.random = stream(soak->seed, MEMBERS, 0, 0);
	diag("soak.seed=%llu soak.seconds=%llu", (unsigned long long)soak->seed,
	     (unsigned long long)seconds);
	must(write_text("/proc/self/oom_score_adj", "-1000"));
	must(write_text("/proc/sys/vm/oom_dump_tasks", "0"));
	/* Pages that a processor keeps are not counted as free: up to 40 MiB were seen. */
	must(write_text("/proc/sys/vm/percpu_pagelist_high_fraction", "10000"));
	expect_kmsg("invoked oom-killer: gfp_mask");
	expect_kmsg("Out of memory: Killed process [0-9]+ \\(soak-hog\\)");
	driver_load();
	devices_begin();
	dev = raw_open();
	if (dev < 0 || nl_find_family(netlink))
		bail("the driver's device or netlink family: %s", strerror(errno));
	close(netlink);
	must(chmod(HEAP_NODE, 0666));
	cages_begin();
	rig_before = rig(CVM_PAGES_SHARED);
}

static void finish(void)
{
	cages_end();
	close(dev);
	is_errno(device_unbind(EDU_C), 0, "the importer's driver is unbound");
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer's module can be unloaded");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
}

int main(void)
{
	uint64_t seconds = kernel_parameter("soak.seconds", SECONDS);

	prepare(seconds);
	run(seconds);
	print_deeds();
	no_wrongs();
	no_slope();
	finish();
	return done_testing();
}
