// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes of several users make random calls of the whole ABI, valid and invalid, while some of
 * these processes are killed. Each compares the results with a model (tests/fuzz/fuzz.h): no stale
 * bytes, no access after a revoke, no call without permission, only documented errnos, sums that
 * agree, and no leftover object.
 *
 * The kernel parameters fuzz.seed, fuzz.ops (operations of all threads, if each has succeeded then; 0: no limit) and fuzz.seconds
 * replace the values below. The seed determines the decisions of each thread, not the order in which
 * the threads run.
 *
 * vm-flavours: sev snp
 * vm-kernels: 6.12
 * vm-modules: ccshm importer
 * vm-boot: alone
 * vm-timeout: 240
 * vm-variant: long debug=yes append=fuzz.ops=0,fuzz.seconds=300
 * vm-variant: smp flavours=plain debug=yes cpus=2 append=fuzz.seed=2,fuzz.ops=0,fuzz.seconds=60
 */
#include "../fuzz/fuzz.h"
#include "crew.h"
#include "importing.h"
#include "netlink.h"
#include "sums.h"
#include "users.h"

#define SEED		1
#define OPERATIONS	24000
#define SECONDS		150	/* at most, on a busy host */
#define EVERY		3000	/* operations after which the sums are compared */

static int dev;
static uint64_t rig_before;
static struct self boss;	/* the stream of decisions of the suite itself */
static unsigned long kills, comparisons;

/* ---- sums ---- */

static void sums_wrong(const char *what, uint64_t a, uint64_t b)
{
	fault(NULL, FAULT_SUMS, "%s: %llu and %llu", what, (unsigned long long)a,
	      (unsigned long long)b);
}

/* Compare the sums when no process makes calls. */
static void compare_sums(void)
{
	/* Sums that once were wrong can stay so. */
	if (fuzz->faults[FAULT_SUMS])
		return;
	(void)!sums_settle(dev, rig_before, sums_wrong);
	comparisons++;
}

/* ---- processes ---- */

static pid_t start(unsigned int actor, unsigned int incarnation)
{
	return actor_start(actor, incarnation);
}

static void ended(unsigned int actor, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (status)
		fault(NULL, FAULT_SIGNAL, "process %u ends with wait status 0x%x", actor, status);
}

static bool is_parked(unsigned int actor)
{
	for (int t = 0; t < FUZZ_THREADS; t++)
		if (!fuzz->parked[actor][t])
			return false;
	return true;
}

_Static_assert(ACTORS <= CREW_MAX, "");

static struct crew crew = {
	.nr = ACTORS, .start = start, .ended = ended, .is_parked = is_parked,
};

static void kill_and_restart(enum actor actor)
{
	int err = crew_kill(&crew, actor, 60000);

	if (err == -ETIME)
		fault(NULL, FAULT_RESULT, "process %d cannot be killed", actor);
	if (err)
		return;
	kills++;
	crew_start(&crew, actor);
}

static void pause_and_compare(void)
{
	int64_t end = in_ms(60000);

	fuzz->pause = true;
	while (!crew_is_parked(&crew) && now_ns() < end) {
		sleep_ms(5);
		crew_collect(&crew);
	}
	if (!crew_is_parked(&crew))
		fault(NULL, FAULT_RESULT, "a call has not returned for a minute");
	else
		compare_sums();
	fuzz->pause = false;
}

static void run(void)
{
	unsigned long next = EVERY;

	for (int a = 0; a < ACTORS; a++)
		crew_start(&crew, a);
	while (!fuzz_is_over() && crew_runs(&crew)) {
		sleep_ms(20 + pick(&boss, 100));
		crew_collect(&crew);
		if (one_in(&boss, 3))
			kill_and_restart(pick(&boss, ACTORS));
		if (fuzz->made > next) {
			pause_and_compare();
			next = fuzz->made + EVERY;
		}
	}
	for (int64_t end = in_ms(60000); crew_runs(&crew) && now_ns() < end;) {
		sleep_ms(10);
		crew_collect(&crew);
	}
	if (crew_runs(&crew))
		fault(NULL, FAULT_RESULT, "a process does not end");
}

/* ---- the end ---- */

/* Close the descriptors that are on their way between processes. */
static void close_inboxes(void)
{
	for (int a = 0; a < ACTORS; a++) {
		close(fuzz->inbox[a][0]);
		close(fuzz->inbox[a][1]);
	}
}

/* End what processes have left: attachments, and buffers that outlive them. */
static void end_objects(void)
{
	struct ccshm_ioc_query q = { 0 };

	while (!raw_query_next(dev, CCSHM_TYPE_ATTACHMENT, q.object_id, &q))
		(void)!raw_detach(dev, q.object_id);
	q.object_id = 0;
	while (!raw_query_next(dev, CCSHM_TYPE_BUFFER, q.object_id, &q))
		(void)!raw_free_any(dev, q.object_id);
}

static void nothing_is_left(void)
{
	if (refusals_return())
		must(cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 0));
	for (int i = 0; i < LIMITS; i++)
		must(limit_set(i, "max"));
	close_inboxes();
	end_objects();
	ok(wait_clean(dev), "at the end no object is left, and all memory is private again");
	compare_sums();
	ok(wait_rig_shared(rig_before), "at the end the emulator counts as many shared pages as before");
	must(write_text("/sys/bus/pci/rescan", "1"));
	ok(device_exists(EDU_B), "at the end the device that was removed is found");
	close(dev);
	importer_unload();
	is_errno(driver_unload(), 0, "at the end the driver can be unloaded");
}

/* ---- results ---- */

static void print_counts(void)
{
	char line[512] = "";
	size_t n = 0;

	for (int op = 0; op < OPS; op++) {
		n += snprintf(line + n, sizeof(line) - n, "%s%s %lu/%lu", n ? "; " : "", op_name(op),
			      fuzz->good[op], fuzz->bad[op]);
		if (n > 300 || op == OPS - 1) {
			diag("%s", line);
			n = 0;
		}
	}
}

/* Test that the fuzzer has reached the driver: that calls of each kind were made and have succeeded. */
static void operations_were_made(void)
{
	unsigned long calls = 0;
	bool all = true;

	for (int op = 0; op < OPS; op++) {
		calls += fuzz->good[op] + fuzz->bad[op];
		if (fuzz->good[op] || !fuzz_op_succeeds(op))
			continue;
		diag("%s: never successful", op_name(op));
		all = false;
	}
	diag("%lu calls, %lu processes killed, sums compared %lu times", calls, kills, comparisons);
	print_counts();
	ok(all, "each operation has succeeded");
	ok(kills, "processes were killed");
	ok(comparisons > 1, "the sums were compared");
}

static void no_faults(void)
{
	static const char *const names[FAULTS] = {
		[FAULT_ERRNO] = "each errno is documented for its call",
		[FAULT_STALE] = "memory contains zeros or what a process wrote to this buffer",
		[FAULT_REVOKED] = "nothing can be accessed or mapped after a revoke",
		[FAULT_SIGNAL] = "no access and no process ends by an unexpected signal",
		[FAULT_ACCESS] = "no call succeeds without permission",
		[FAULT_ENDED] = "no call succeeds for an object that has ended",
		[FAULT_RESULT] = "the results of calls are consistent",
		[FAULT_SUMS] = "charges, totals, objects and shared pages add up",
	};

	for (int i = 0; i < FAULTS; i++)
		is_int(fuzz->faults[i], 0, "%s", names[i]);
	if (fuzz->shown)
		diag("replay with: tests/harness/run ... --append 'fuzz.seed=%llu' fuzz",
		     (unsigned long long)fuzz->seed);
}

static void prepare(void)
{
	uint64_t seconds = kernel_parameter("fuzz.seconds", SECONDS);
	int netlink = nl_socket();

	touch_init();
	fuzz = common(sizeof(*fuzz));
	fuzz->seed = kernel_parameter("fuzz.seed", SEED);
	fuzz->ops = kernel_parameter("fuzz.ops", OPERATIONS);
	boss.random = stream(fuzz->seed, ACTORS, 0, 0);
	diag("fuzz.seed=%llu fuzz.seconds=%llu fuzz.ops=%llu", (unsigned long long)fuzz->seed,
	     (unsigned long long)seconds, (unsigned long long)fuzz->ops);
	driver_load();
	importer_load();
	dev = raw_open();
	if (dev < 0 || nl_find_family(netlink))
		bail("the driver's device or netlink family: %s", strerror(errno));
	close(netlink);
	fuzz->netlink = family.id;
	if (!access(HEAP_NODE, F_OK) && chmod(HEAP_NODE, 0666))
		bail("chmod: %s", strerror(errno));
	for (int a = 0; a < ACTORS; a++)
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fuzz->inbox[a]))
			bail("socketpair: %s", strerror(errno));
	rig_before = rig(CVM_PAGES_SHARED);
	fuzz->end = in_ms(seconds * 1000);
}

int main(void)
{
	prepare();
	run();
	nothing_is_left();
	operations_were_made();
	no_faults();
	return done_testing();
}
