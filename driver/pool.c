// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pool: units that stay shared, and zeroed, while no buffer has them.
 *
 * Converting a unit, and zeroing it, takes a thousand times as long as giving a small buffer
 * pages of it. The pool owns at most pool_max_bytes: units that it keeps (idle), and units that
 * buffers have (lent). A lent unit is charged to its payer, as any other memory. An idle unit
 * counts in the total of all users only. Memory cgroups are charged for neither: a page keeps
 * its charge until it is freed, which may be long after the buffer ended.
 *
 * A unit becomes the pool's when it is allocated: for a buffer while the pool owns less
 * than pool_max_bytes, or by the pool's thread while fewer than pool_min_bytes are idle. It
 * is zeroed before it becomes idle, so no byte of a buffer is ever seen by the next one.
 *
 * Idle units are made private and freed when memory is short, when the limit of all users would
 * refuse an allocation, before hibernation, and when pool_max_bytes is lowered. Only the thread
 * does this. A shrinker must not convert: on x86 a conversion waits for a work item of a workqueue
 * that cannot make progress without memory, and on arm64 it can need a mutex that the allocating
 * task holds. Others who wait for the thread can be killed.
 *
 * The host can write to idle memory, as to all shared memory.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "memory.h"

/* Units that are converted before the thread looks whether something else is to be done. */
#define POOL_BATCH	16UL
/* The time without a refill after memory was short, or the platform refused to share. */
#define POOL_PAUSE	(10 * HZ)
/* The time until the thread tries again to give back, after not even the reserves had memory. */
#define POOL_RETRY	(HZ / 10)
/* The longest time that a task waits which would otherwise kill a process. */
#define POOL_OOM_WAIT	(HZ / 10)
/* The longest time that the thread waits before it looks whether the pool has to be filled. */
#define POOL_IDLE	(10 * HZ)

/**
 * struct unit - idle unit
 * @link: entry in the list of its node (pool_lock)
 * @page: first page
 */
struct unit {
	struct list_head link;
	struct page *page;
};

/*
 * Idle units of each node: those above 4 GiB, and those below. The unit that was used last is
 * the first (pool_lock).
 */
static struct list_head (*idle_units)[2];
/*
 * Number of idle units; of these, the ones that are to be given back; units that the thread is
 * giving back; units that it has not made idle yet; units that the pool owns, all of these and
 * those that buffers have; units that were given back since the module was loaded (pool_lock).
 */
static unsigned long idle, unwanted, leaving, coming, owned, given;
/* Units of pool_min_bytes and pool_max_bytes: by default, there is no pool (pool_lock). */
static unsigned long min_units, max_units;
/* Set while no memory may become idle (pool_lock). */
static bool stopped;
/* The thread refills from this time on, in jiffies (pool_lock). */
static unsigned long refill_at;
/* Protects the pool. The lock of the accounts is taken under it. */
static DEFINE_SPINLOCK(pool_lock);

static struct task_struct *thread;
static DECLARE_WAIT_QUEUE_HEAD(thread_wait);
static DECLARE_WAIT_QUEUE_HEAD(given_wait);
static struct shrinker *shrinker;

/* ---- idle units */

static void idle_add(struct unit *unit)
{
	bool low = ccshm_pages_dma32(unit->page, CCSHM_UNIT_PAGES);

	lockdep_assert_held(&pool_lock);
	list_add(&unit->link, &idle_units[page_to_nid(unit->page)][low]);
	idle++;
}

/* Use a unit below 4 GiB only if there is no other. */
static struct unit *idle_find_node(int node, bool dma32)
{
	struct list_head *units = idle_units[node];
	struct unit *unit = NULL;

	lockdep_assert_held(&pool_lock);
	if (!dma32)
		unit = list_first_entry_or_null(&units[0], struct unit, link);
	return unit ?: list_first_entry_or_null(&units[1], struct unit, link);
}

static struct unit *idle_find(const struct ccshm_wish *wish)
{
	struct unit *unit = NULL;
	int nr, node;

	for (nr = -1; !unit && nr < (int)nr_node_ids; nr++) {
		node = ccshm_wish_node(wish, nr);
		if (node != NUMA_NO_NODE)
			unit = idle_find_node(node, wish->dma32);
	}
	return unit;
}

static void idle_remove(struct unit *unit)
{
	lockdep_assert_held(&pool_lock);
	list_del(&unit->link);
	idle--;
	unwanted = min(unwanted, idle);
}

static struct unit *idle_remove_for(const struct ccshm_wish *wish)
{
	struct unit *unit;

	spin_lock(&pool_lock);
	unit = idle_find(wish);
	if (unit)
		idle_remove(unit);
	spin_unlock(&pool_lock);
	return unit;
}

/* Return the unit of a node that was not used for longest. */
static struct unit *idle_last_of_node(int node)
{
	int low;

	lockdep_assert_held(&pool_lock);
	for (low = 0; low < 2; low++)
		if (!list_empty(&idle_units[node][low]))
			return list_last_entry(&idle_units[node][low],
					       struct unit, link);
	return NULL;
}

/* Remove an idle unit that is to be given back. */
static struct unit *idle_remove_any(void)
{
	struct unit *unit = NULL;
	int node;

	spin_lock(&pool_lock);
	for_each_node_state(node, N_MEMORY) {
		unit = idle_last_of_node(node);
		if (unit)
			break;
	}
	if (unit) {
		unwanted -= !!unwanted;
		leaving++;
		idle_remove(unit);
	}
	spin_unlock(&pool_lock);
	return unit;
}

/* ---- units that the pool owns */

/* Return how many of @units the pool may own in addition, and count them. */
static unsigned long reserve(unsigned long units)
{
	unsigned long room;

	spin_lock(&pool_lock);
	room = stopped || owned >= max_units ? 0 : max_units - owned;
	units = min(units, room);
	owned += units;
	spin_unlock(&pool_lock);
	return units;
}

static void disown(unsigned long units)
{
	spin_lock(&pool_lock);
	owned -= units;
	spin_unlock(&pool_lock);
	if (units)
		wake_up(&thread_wait);
}

/* ---- buffers */

/* Append an idle unit to the blocks, and charge the payer for it. */
static int lend(struct ccshm_blocks *blocks, unsigned long *capacity,
		struct unit *unit, const struct ccshm_wish *wish)
{
	unsigned long addr = (unsigned long)page_address(unit->page);
	int err = ccshm_limit_pool_take(wish->payer->uid, CCSHM_UNIT_PAGES);

	if (err)
		return err;
	err = ccshm_blocks_push(blocks, capacity, unit->page, CCSHM_UNIT_ORDER,
				true);
	if (err) {
		ccshm_limit_pool_put(wish->payer->uid, CCSHM_UNIT_PAGES);
		return err;
	}
	blocks->payer = wish->payer->uid;
	blocks->charged += CCSHM_UNIT_PAGES;
	blocks->units_whole += ccshm_leaf_is_whole(addr);
	blocks->shared++;
	blocks->tried++;
	return 0;
}

/* Allocate as many of @units as the pool may own in addition. They are not shared yet. */
static int grow(struct ccshm_blocks *blocks, unsigned long units,
		const struct ccshm_wish *wish)
{
	unsigned int order = CCSHM_UNIT_ORDER;
	unsigned long before = blocks->pooled;
	struct ccshm_wish pooled = *wish;
	int err;

	units = reserve(units);
	if (!ccshm_blocks_available(units * CCSHM_UNIT_PAGES)) {
		disown(units);
		units = 0;
	}
	if (!units)
		return 0;
	pooled.pooled = true;
	pooled.whole_units = true;
	err = ccshm_blocks_fill(blocks,
				blocks->pages + units * CCSHM_UNIT_PAGES, &order,
				&pooled);
	/* What could not be allocated is charged as well. */
	ccshm_limit_uncharge(blocks->payer, blocks->charged - blocks->pages);
	blocks->charged = blocks->pages;
	disown(units - (blocks->pooled - before));
	return err == -ENOMEM ? 0 : err;
}

/**
 * ccshm_pool_take - take units of the pool
 * @blocks: empty; gets idle units, which are shared and zeroed, and new ones, which are private
 * @units: number of units that are wanted; @blocks may get fewer, and none
 * @wish: where, how, and for whom
 *
 * After an error @blocks can have units: call ccshm_pool_put() and ccshm_convert_unshare().
 *
 * Return: 0; -ENOMEM; -EDQUOT or -ENOSPC (a limit); -EINTR (a signal).
 */
int ccshm_pool_take(struct ccshm_blocks *blocks, unsigned long units,
		    const struct ccshm_wish *wish)
{
	unsigned long capacity = 0;
	struct unit *unit;
	int err;

	while (units && (unit = idle_remove_for(wish))) {
		err = ccshm_interrupted(wish->interruptible) ? -EINTR :
		      lend(blocks, &capacity, unit, wish);
		if (err) {
			spin_lock(&pool_lock);
			idle_add(unit);
			spin_unlock(&pool_lock);
			wake_up(&thread_wait);
			return err;
		}
		kfree(unit);
		units--;
		cond_resched();
	}
	if (blocks->shared)
		wake_up(&thread_wait);
	return grow(blocks, units, wish);
}

/* Make a zeroed unit idle, unless the pool is too large. It is no longer charged to its payer. */
static bool return_unit(struct ccshm_blocks *blocks, struct unit *unit)
{
	bool wanted;

	spin_lock(&pool_lock);
	wanted = !stopped && owned <= max_units;
	if (wanted) {
		ccshm_limit_pool_put(blocks->payer, CCSHM_UNIT_PAGES);
		idle_add(unit);
	} else {
		owned--;
	}
	spin_unlock(&pool_lock);
	return wanted;
}

/* Return a unit to the pool, or leave it, as any other block, to the caller. */
static bool put_block(struct ccshm_blocks *blocks, struct ccshm_block *block,
		      bool shared, bool zeroed)
{
	struct unit *unit = shared ? kmalloc(sizeof(*unit), GFP_KERNEL | __GFP_NOWARN) :
				     NULL;

	block->pooled = false;
	if (!unit) {
		disown(1);
		return false;
	}
	if (!zeroed)
		ccshm_convert_zero(block->page, CCSHM_UNIT_PAGES);
	unit->page = block->page;
	if (return_unit(blocks, unit))
		return true;
	kfree(unit);
	return false;
}

/**
 * ccshm_pool_put - return units to the pool
 * @blocks: blocks that nothing can access any more; keeps those that are not the pool's, or
 *	that the pool does not want: call ccshm_convert_unshare()
 * @zeroed: the shared blocks are zeroed already
 */
void ccshm_pool_put(struct ccshm_blocks *blocks, bool zeroed)
{
	unsigned long i, kept = 0, shared = blocks->shared;

	if (!blocks->pooled)
		return;
	for (i = 0; i < blocks->nr; i++) {
		struct ccshm_block *block = &blocks->block[i];

		if (block->pooled && put_block(blocks, block, i < shared, zeroed)) {
			blocks->pages -= CCSHM_UNIT_PAGES;
			blocks->charged -= CCSHM_UNIT_PAGES;
			blocks->shared--;
			blocks->tried--;
		} else {
			blocks->block[kept++] = *block;
		}
		cond_resched();
	}
	blocks->nr = kept;
	blocks->pooled = 0;
}

/* ---- giving back */

/* Let the thread give back @units idle units, or all. It does not refill for some time. */
static unsigned long ask_thread(unsigned long units)
{
	spin_lock(&pool_lock);
	units = min(units, idle - unwanted);
	unwanted += units;
	refill_at = jiffies + POOL_PAUSE;
	spin_unlock(&pool_lock);
	wake_up(&thread_wait);
	return units;
}

/* Return true if @units were given back since @before, or no more can be. */
static bool given_enough(unsigned long before, unsigned long units)
{
	bool enough;

	spin_lock(&pool_lock);
	enough = given - before >= units || !(idle + leaving + coming);
	spin_unlock(&pool_lock);
	return enough;
}

/**
 * ccshm_pool_drain - give back idle units
 * @units: number of units
 * @interruptible: any signal ends the wait, not only one that kills
 *
 * Return: true if that many were given back, or there are no more.
 */
bool ccshm_pool_drain(unsigned long units, bool interruptible)
{
	unsigned long before = READ_ONCE(given);

	ask_thread(units);
	if (interruptible)
		return !wait_event_interruptible(given_wait, given_enough(before, units));
	return !wait_event_killable(given_wait, given_enough(before, units));
}

/* Give back all idle units; until ccshm_pool_continue() none becomes idle. */
void ccshm_pool_stop(void)
{
	spin_lock(&pool_lock);
	stopped = true;
	spin_unlock(&pool_lock);
	ask_thread(ULONG_MAX);
	wait_event(given_wait, given_enough(READ_ONCE(given), ULONG_MAX));
}

void ccshm_pool_continue(void)
{
	spin_lock(&pool_lock);
	stopped = false;
	spin_unlock(&pool_lock);
	wake_up(&thread_wait);
}

/* ---- the thread */

/* Return how many idle units are too many. */
static unsigned long surplus(void)
{
	unsigned long units;

	spin_lock(&pool_lock);
	units = owned > max_units ? owned - max_units : 0;
	units = stopped ? idle : min(max(units, unwanted), idle);
	spin_unlock(&pool_lock);
	return units;
}

/* Return how many idle units are missing. */
static unsigned long missing(void)
{
	unsigned long units = 0;

	spin_lock(&pool_lock);
	if (!stopped && time_after_eq(jiffies, refill_at) && idle < min_units &&
	    owned < max_units)
		units = min3(min_units - idle, max_units - owned, POOL_BATCH);
	spin_unlock(&pool_lock);
	return units;
}

static void pause_refill(void)
{
	spin_lock(&pool_lock);
	refill_at = jiffies + POOL_PAUSE;
	spin_unlock(&pool_lock);
}

/* Return how long the thread may wait: a condition that it waits for can come with time. */
static long until_refill(void)
{
	long time = MAX_SCHEDULE_TIMEOUT;

	spin_lock(&pool_lock);
	if (min_units)
		time = time_after(refill_at, jiffies) ? refill_at - jiffies :
							POOL_IDLE;
	spin_unlock(&pool_lock);
	return time;
}

static void have_left(unsigned long units)
{
	spin_lock(&pool_lock);
	leaving -= units;
	owned -= units;
	given += units;
	spin_unlock(&pool_lock);
	wake_up_all(&given_wait);
}

/* Make up to POOL_BATCH of @units idle units private, and free them. */
static void give_back(unsigned long units)
{
	/* This frees memory: it may use the last that there is. */
	unsigned int flags = memalloc_noreclaim_save();
	struct ccshm_blocks blocks = { .payer = CCSHM_POOL_PAYER };
	unsigned long nr = 0;
	struct unit *unit;

	units = min(units, POOL_BATCH);
	blocks.block = kmalloc_array(units, sizeof(*blocks.block),
				     GFP_KERNEL | __GFP_NOWARN);
	if (!blocks.block) {
		memalloc_noreclaim_restore(flags);
		schedule_timeout_idle(POOL_RETRY);
		return;
	}
	while (blocks.nr < units && (unit = idle_remove_any())) {
		ccshm_blocks_push(&blocks, &units, unit->page, CCSHM_UNIT_ORDER,
				  false);
		kfree(unit);
	}
	nr = blocks.nr;
	blocks.charged = blocks.pages;
	ccshm_blocks_sort(&blocks);
	blocks.shared = nr;
	blocks.tried = nr;
	ccshm_convert_unshare(&blocks);
	memalloc_noreclaim_restore(flags);
	have_left(nr);
}

/* Return the node for the next units, each in turn. */
static int refill_node(void)
{
	static int node = NUMA_NO_NODE;

	node = next_node_in(node, node_states[N_MEMORY]);
	return node;
}

static void set_coming(unsigned long units)
{
	spin_lock(&pool_lock);
	coming = units;
	spin_unlock(&pool_lock);
	wake_up_all(&given_wait);
}

/* Make some units idle. */
static void refill(unsigned long units)
{
	const struct ccshm_payer pool = { .uid = CCSHM_POOL_PAYER };
	const struct ccshm_wish wish = {
		.node = refill_node(), .whole_units = true, .pooled = true,
		.payer = &pool,
	};
	unsigned int order = CCSHM_UNIT_ORDER;
	struct ccshm_blocks blocks = {};
	int err = -ENOMEM;

	units = reserve(units);
	set_coming(units);
	if (ccshm_blocks_available(units * CCSHM_UNIT_PAGES))
		err = ccshm_blocks_fill(&blocks, units * CCSHM_UNIT_PAGES, &order,
					&wish);
	disown(units - blocks.nr);
	ccshm_blocks_sort(&blocks);
	err = ccshm_convert_share(&blocks, false) ?: err;
	ccshm_pool_put(&blocks, true);
	/* What is left did not become idle. */
	if (err || blocks.nr)
		pause_refill();
	ccshm_convert_unshare(&blocks);
	set_coming(0);
}

static int pool_thread(void *unused)
{
	unsigned long units;

	while (!kthread_should_stop()) {
		wait_event_idle_timeout(thread_wait,
					kthread_should_stop() || surplus() || missing(),
					until_refill());
		units = surplus();
		if (units)
			give_back(units);
		units = missing();
		if (units && !kthread_should_stop())
			refill(units);
	}
	return 0;
}

/* ---- memory that is short */

static unsigned long shrinker_count(struct shrinker *unused,
				    struct shrink_control *sc)
{
	unsigned long units;

	spin_lock(&pool_lock);
	units = idle - unwanted;
	spin_unlock(&pool_lock);
	return units ? units * CCSHM_UNIT_PAGES : SHRINK_EMPTY;
}

static unsigned long shrinker_scan(struct shrinker *unused,
				   struct shrink_control *sc)
{
	unsigned long units = DIV_ROUND_UP(sc->nr_to_scan, CCSHM_UNIT_PAGES);

	units = ask_thread(units);
	return units ? units * CCSHM_UNIT_PAGES : SHRINK_STOP;
}

/*
 * Before the kernel kills a process, wait a moment for the thread, which may be the one that lacks
 * memory. At most once in some time: what is given back may not be what is needed.
 */
static int oom_event(struct notifier_block *nb, unsigned long unused, void *freed)
{
	unsigned long before = READ_ONCE(given);
	static unsigned long next;

	if (current == thread || time_before(jiffies, READ_ONCE(next)) ||
	    given_enough(before, 1))
		return NOTIFY_OK;
	WRITE_ONCE(next, jiffies + POOL_PAUSE);
	ask_thread(ULONG_MAX);
	wait_event_timeout(given_wait, given_enough(before, 1), POOL_OOM_WAIT);
	*(unsigned long *)freed += (READ_ONCE(given) - before) * CCSHM_UNIT_PAGES;
	return NOTIFY_OK;
}

static struct notifier_block oom_notifier = { .notifier_call = oom_event };

/* ---- size */

/* Return the bytes of the units that are idle, or were and are shared until they are given back. */
u64 ccshm_pool_idle(void)
{
	u64 units;

	spin_lock(&pool_lock);
	units = idle + leaving;
	spin_unlock(&pool_lock);
	return units * CCSHM_UNIT_SIZE;
}

/* Return the pages that no buffer has. */
u64 ccshm_pool_unused(void)
{
	u64 units;

	spin_lock(&pool_lock);
	units = idle + leaving + coming;
	spin_unlock(&pool_lock);
	return units * CCSHM_UNIT_PAGES;
}

u64 ccshm_pool_min(void)
{
	return (u64)READ_ONCE(min_units) * CCSHM_UNIT_SIZE;
}

u64 ccshm_pool_max(void)
{
	return (u64)READ_ONCE(max_units) * CCSHM_UNIT_SIZE;
}

static unsigned long to_units(u64 bytes)
{
	return min_t(u64, bytes / CCSHM_UNIT_SIZE, LONG_MAX / CCSHM_UNIT_SIZE);
}

/* Set the bytes that are to be idle, rounded down to units; never more than the maximum. */
void ccshm_pool_set_min(u64 bytes)
{
	spin_lock(&pool_lock);
	WRITE_ONCE(min_units, to_units(bytes));
	refill_at = jiffies;
	spin_unlock(&pool_lock);
	wake_up(&thread_wait);
}

/* Set the bytes that the pool may own, rounded down to units. */
void ccshm_pool_set_max(u64 bytes)
{
	spin_lock(&pool_lock);
	WRITE_ONCE(max_units, to_units(bytes));
	refill_at = jiffies;
	spin_unlock(&pool_lock);
	wake_up(&thread_wait);
}

/* ---- the module */

static int pool_lists_init(void)
{
	int node;

	idle_units = kcalloc(nr_node_ids, sizeof(*idle_units), GFP_KERNEL);
	if (!idle_units)
		return -ENOMEM;
	for (node = 0; node < nr_node_ids; node++) {
		INIT_LIST_HEAD(&idle_units[node][0]);
		INIT_LIST_HEAD(&idle_units[node][1]);
	}
	return 0;
}

/* Return: 0, -ENOMEM, or an error of kthread_run(). */
int __init ccshm_pool_init(void)
{
	int err = pool_lists_init();

	if (err)
		return err;
	refill_at = jiffies;
	shrinker = ccshm_shrinker_register("ccshm-pool", shrinker_count,
					   shrinker_scan, CCSHM_UNIT_PAGES);
	if (!shrinker) {
		err = -ENOMEM;
		goto free;
	}
	err = register_oom_notifier(&oom_notifier);
	if (err)
		goto unregister;
	thread = kthread_run(pool_thread, NULL, "ccshm-pool");
	if (!IS_ERR(thread))
		return 0;
	err = PTR_ERR(thread);
	unregister_oom_notifier(&oom_notifier);
unregister:
	ccshm_shrinker_unregister(shrinker);
free:
	kfree(idle_units);
	return err;
}

/* Give back all units; no buffer has one. */
void ccshm_pool_exit(void)
{
	unregister_oom_notifier(&oom_notifier);
	ccshm_shrinker_unregister(shrinker);
	ccshm_pool_stop();
	kthread_stop(thread);
	kfree(idle_units);
}
