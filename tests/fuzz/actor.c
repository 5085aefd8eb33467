// SPDX-License-Identifier: GPL-2.0-only
/* The processes of the fuzzer: what each of them is, and the loop of its threads. */
#include <pthread.h>
#include <sys/resource.h>

#include "../guest/lib/importing.h"
#include "../guest/lib/users.h"
#include "fuzz.h"

/* ---- operations and how often they are made ---- */

/* The processes with CAP_SYS_RAWIO. */
#define ATTACHERS	(1U << ACTOR_ROOT | 1U << ACTOR_ALICE)

static const struct {
	void (*run)(struct self *me);
	unsigned int weight;
	unsigned int actors;	/* processes that make it, one bit each; 0: all */
} operations[] = {
	{ op_info, 2, 0 }, { op_alloc, 14, 0 }, { op_free, 9, 0 }, { op_open, 4, 0 },
	{ op_set, 5, 0 }, { op_query, 5, 0 }, { op_query_next, 2, 0 }, { op_export, 16, 0 },
	{ op_revoke, 8, 0 }, { op_attach, 2, 0 }, { op_segments, 1, 0 }, { op_detach, 2, 0 },
	{ op_attach, 10, ATTACHERS }, { op_segments, 5, ATTACHERS }, { op_detach, 6, ATTACHERS },
	{ op_importers, 2, 0 }, { op_pages, 2, 0 }, { op_device, 1, 0 }, { op_unknown, 2, 0 },
	{ op_reopen, 3, 0 }, { op_mmap, 16, 0 }, { op_touch, 24, 0 }, { op_mremap, 3, 0 },
	{ op_mprotect, 4, 0 }, { op_munmap, 5, 0 }, { op_madvise, 4, 0 }, { op_fork, 1, 0 },
	{ op_heap, 3, 0 }, { op_opath, 2, 0 }, { op_dup, 3, 0 }, { op_send, 6, 0 },
	{ op_receive, 6, 0 }, { op_sync, 2, 0 }, { op_sync_file, 2, 0 }, { op_poll, 1, 0 },
	{ op_close, 5, 0 }, { op_read_proc, 1, 0 }, { op_dump, 1, 0 }, { op_netlink, 2, 0 },
	{ op_events, 1, 0 }, { op_import, 12, 1U << ACTOR_ROOT },
	{ op_limits, 1, 1U << ACTOR_ROOT | 1U << ACTOR_BOB | 1U << ACTOR_USERNS },
	{ op_rmmod, 1, 1U << ACTOR_ROOT | 1U << ACTOR_USERNS },
	{ op_unplug, 1, 1U << ACTOR_ROOT | 1U << ACTOR_USERNS },
	{ op_refuse, 1, 1U << ACTOR_ROOT },
};

#define OPERATIONS	(sizeof(operations) / sizeof(operations[0]))

static void one_operation(struct self *me)
{
	unsigned int total = 0;
	uint64_t at;

	for (unsigned int i = 0; i < OPERATIONS; i++)
		total += operations[i].weight;
	at = pick(me, total);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		if (at >= operations[i].weight) {
			at -= operations[i].weight;
			continue;
		}
		if (!operations[i].actors || operations[i].actors & 1U << me->actor)
			operations[i].run(me);
		return;
	}
}

/* ---- threads ---- */

static void wait_while_paused(struct self *me)
{
	atomic_bool *parked = &fuzz->parked[me->actor][me->thread];

	if (!fuzz->pause)
		return;
	*parked = true;
	while (fuzz->pause)
		sleep_ms(2);
	*parked = false;
}

/*
 * The module is always in use, only some platforms refuse, and not every kernel has sync_files.
 */
bool fuzz_op_succeeds(enum op op)
{
	return op != OP_RMMOD && op != OP_REFUSE && op != OP_UNKNOWN && op != OP_SYNC_FILE;
}

static bool each_has_succeeded(void)
{
	for (int op = 0; op < OPS; op++)
		if (fuzz_op_succeeds(op) && !fuzz->good[op])
			return false;
	return true;
}

bool fuzz_is_over(void)
{
	if (now_ns() >= fuzz->end)
		return true;
	if (!fuzz->ops || fuzz->made < fuzz->ops)
		return false;
	return fuzz->made >= FUZZ_MOST * fuzz->ops || each_has_succeeded();
}

static void *thread_run(void *arg)
{
	struct self *me = arg;

	while (!fuzz_is_over()) {
		one_operation(me);
		me->done++;
		fuzz->made++;
		wait_while_paused(me);
	}
	touch_everything(me);
	/* A thread that has ended does not have to be waited for. */
	fuzz->parked[me->actor][me->thread] = true;
	return NULL;
}

static void self_init(struct self *me, enum actor actor, unsigned int incarnation,
		      unsigned int thread)
{
	memset(me, 0, sizeof(*me));
	me->actor = actor;
	me->incarnation = incarnation;
	me->thread = thread;
	me->random = stream(fuzz->seed, actor, incarnation, thread);
	me->imp = me->heap = me->dev = me->read_only = -1;
	for (int i = 0; i < FUZZ_HANDLES; i++)
		me->handle[i].fd = -1;
	for (int i = 0; i < FUZZ_ATTACHED; i++)
		me->attached[i] = -1;
}

/* ---- processes ---- */

static void map_to_root(uid_t uid)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (unshare(CLONE_NEWUSER) || write_text("/proc/self/setgroups", "deny") ||
	    write_text("/proc/self/gid_map", map) || write_text("/proc/self/uid_map", map))
		bail("a user namespace: %s", strerror(errno));
}

/* Become the process that @actor names. */
static void become_actor(enum actor actor)
{
	uid_t uid = actor_uid(actor);

	if (actor == ACTOR_NETNS && unshare(CLONE_NEWNET))
		bail("a network namespace: %s", strerror(errno));
	if (actor != ACTOR_ROOT)
		become(uid, actor == ACTOR_ALICE ? CAP(SYS_RAWIO) : 0);
	if (actor == ACTOR_USERNS)
		map_to_root(uid);
}

static void process_run(enum actor actor, unsigned int incarnation)
{
	static struct self self[FUZZ_THREADS];
	int dev = -1, read_only, heap = open(HEAP_NODE, O_RDWR | O_CLOEXEC);
	const struct rlimit files = { 400, 400 }, core = { 0 };
	pthread_t thread[FUZZ_THREADS];

	/* The node cannot be opened by mallory. */
	if (actor == ACTOR_MALLORY)
		dev = raw_open();
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &core);
	become_actor(actor);
	/* The kernel forgets this when a process changes its user. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (actor != ACTOR_MALLORY)
		dev = raw_open();
	read_only = open(CCSHM_DEVICE, O_RDONLY | O_CLOEXEC);
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	for (unsigned int i = 0; i < FUZZ_THREADS; i++) {
		self_init(&self[i], actor, incarnation, i);
		self[i].dev = dev;
		self[i].read_only = read_only;
		self[i].heap = heap;
		if (actor == ACTOR_ROOT)
			self[i].imp = open(IMPORTER_DEVICE, O_RDWR | O_CLOEXEC);
	}
	for (unsigned int i = 1; i < FUZZ_THREADS; i++)
		if (pthread_create(&thread[i], NULL, thread_run, &self[i]))
			bail("a thread cannot be created");
	thread_run(&self[0]);
	for (unsigned int i = 1; i < FUZZ_THREADS; i++)
		pthread_join(thread[i], NULL);
}

pid_t actor_start(enum actor actor, unsigned int incarnation)
{
	pid_t pid;

	for (unsigned int i = 0; i < FUZZ_THREADS; i++)
		fuzz->parked[actor][i] = false;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (!pid) {
		process_run(actor, incarnation);
		_exit(0);
	}
	return pid;
}
