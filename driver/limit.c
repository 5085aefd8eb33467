// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: what each user and all users together have, and may have.
 *
 * Memory is charged to its payer, in whole blocks, before it is allocated and until it is
 * freed. Leaked memory stays counted, but only for the user that was charged for it:
 * against that user's limit, and against the total when that user allocates. The leaks of
 * one user therefore do not reduce what others can allocate.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "memory.h"

/*
 * Default limits. Those in bytes are set when the module is loaded: half of memory for
 * all users, and half of that for each user.
 */
#define USER_BUFFERS	65536
#define USER_EXPORTS	65536

/**
 * struct limit - limit that an administrator can change
 * @value: maximum, or CCSHM_LIMIT_NONE (account_lock)
 * @set: by a module parameter or an administrator: not the default
 */
struct limit {
	u64 value;
	bool set;
};

/* Indexed by enum ccshm_quota. */
static struct limit limits[] = {
	[CCSHM_QUOTA_TOTAL_BYTES] = { .value = CCSHM_LIMIT_NONE },
	[CCSHM_QUOTA_USER_BYTES] = { .value = CCSHM_LIMIT_NONE },
	[CCSHM_QUOTA_USER_BUFFERS] = { .value = USER_BUFFERS },
	[CCSHM_QUOTA_USER_EXPORTS] = { .value = USER_EXPORTS },
};

/**
 * struct account - what is charged to one user
 * @uid: payer
 * @link: entry of the table of accounts (account_lock)
 * @usage: charges and objects; an account without any is freed (account_lock)
 * @queue: returns of the user's memory that have not begun (account_lock)
 * @work: work item that executes these returns
 * @busy: @work is queued or runs, and keeps the account (account_lock)
 */
struct account {
	kuid_t uid;
	struct hlist_node link;
	struct ccshm_usage usage;
	struct list_head queue;
	struct work_struct work;
	bool busy;
};

static DEFINE_HASHTABLE(accounts, 8);
/* Sum of all accounts, and the idle memory of the pool (account_lock). */
static struct ccshm_usage all;
/*
 * Buffers whose memory is being given back, in the order of their tickets; the last
 * ticket; the number of buffers whose memory was given back (account_lock); its waiters.
 */
static LIST_HEAD(returns);
static u64 last_ticket;
static u64 returned;
static DECLARE_WAIT_QUEUE_HEAD(returned_wait);
/* Workqueue of the returns. */
static struct workqueue_struct *return_wq;
/* Protects accounts, sums and limits: each charge is compared and added in one step. */
static DEFINE_SPINLOCK(account_lock);

static void account_return(struct work_struct *work);

static struct account *account_find(kuid_t uid)
{
	struct account *account;

	lockdep_assert_held(&account_lock);
	hash_for_each_possible(accounts, account, link, __kuid_val(uid)) {
		if (uid_eq(account->uid, uid))
			return account;
	}
	return NULL;
}

/* Return the user's account. Without one, use *@spare and set it to NULL. */
static struct account *account_take(kuid_t uid, struct account **spare)
{
	struct account *account = account_find(uid);

	if (account)
		return account;
	account = *spare;
	*spare = NULL;
	account->uid = uid;
	INIT_LIST_HEAD(&account->queue);
	INIT_WORK(&account->work, account_return);
	hash_add(accounts, &account->link, __kuid_val(uid));
	return account;
}

/* Unlink an empty account and return it for the caller to free; otherwise return NULL. */
static struct account *account_drop(struct account *account)
{
	lockdep_assert_held(&account_lock);
	if (account->busy || memchr_inv(&account->usage, 0, sizeof(account->usage)))
		return NULL;
	hash_del(&account->link);
	return account;
}

static u64 to_bytes(u64 pages)
{
	return pages << PAGE_SHIFT;
}

/* Return what all users together have. */
void ccshm_limit_usage_all(struct ccshm_usage *usage)
{
	spin_lock(&account_lock);
	*usage = all;
	spin_unlock(&account_lock);
}

static u64 used_bytes(void)
{
	struct ccshm_usage usage;

	ccshm_limit_usage_all(&usage);
	return to_bytes(usage.pages);
}

/* Return the value of a limit: a maximum, or CCSHM_LIMIT_NONE. */
u64 ccshm_limit_value(enum ccshm_quota quota)
{
	return READ_ONCE(limits[quota].value);
}

/* Change a limit; charges that exceed the new value stay. */
void ccshm_limit_set(enum ccshm_quota quota, u64 value)
{
	spin_lock(&account_lock);
	WRITE_ONCE(limits[quota].value, value);
	limits[quota].set = true;
	spin_unlock(&account_lock);
}

/* Return true if @value would exceed the limit. */
static bool exceeds_limit(enum ccshm_quota quota, u64 value)
{
	return value > limits[quota].value;
}

/* Check whether a user may have so many more objects of a type. */
static bool account_may_add(const struct account *account,
			    const struct ccshm_usage *more, enum ccshm_type type,
			    enum ccshm_quota quota)
{
	u64 sum = (u64)account->usage.objects[type] + more->objects[type];

	return !more->objects[type] || !exceeds_limit(quota, sum);
}

/* Check whether a user may have so many more pages, buffers and exports. */
static int account_check_limits(const struct account *account,
				const struct ccshm_usage *more)
{
	const struct ccshm_usage *usage = &account->usage;

	if (!account_may_add(account, more, CCSHM_TYPE_BUFFER,
			     CCSHM_QUOTA_USER_BUFFERS))
		return -EDQUOT;
	if (!account_may_add(account, more, CCSHM_TYPE_EXPORT,
			     CCSHM_QUOTA_USER_EXPORTS))
		return -EDQUOT;
	if (!more->pages)
		return 0;
	if (exceeds_limit(CCSHM_QUOTA_USER_BYTES,
			  to_bytes(usage->pages + usage->leaked + more->pages)))
		return -EDQUOT;
	if (exceeds_limit(CCSHM_QUOTA_TOTAL_BYTES,
			  to_bytes(all.pages + usage->leaked + more->pages)))
		return -ENOSPC;
	return 0;
}

static void usage_apply(struct ccshm_usage *usage, const struct ccshm_usage *change)
{
	unsigned int i;

	usage->pages += change->pages;
	usage->leaked += change->leaked;
	usage->returning += change->returning;
	usage->ending += change->ending;
	usage->importers += change->importers;
	usage->kept += change->kept;
	for (i = 0; i < ARRAY_SIZE(usage->objects); i++)
		usage->objects[i] += change->objects[i];
}

/* Add to or subtract from what a user has, and what all have; under account_lock. */
static void account_apply(struct account *account, const struct ccshm_usage *change)
{
	usage_apply(&account->usage, change);
	usage_apply(&all, change);
}

/*
 * Charge pages and objects to a user, unless a limit refuses them. Of the pages, @pooled are
 * charged to the pool, and are not any more then.
 */
static int account_grow(kuid_t uid, const struct ccshm_usage *more,
			unsigned long pooled, bool exempt)
{
	struct account *spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	struct account *account;
	int err = 0;

	if (!spare)
		return -ENOMEM;
	spin_lock(&account_lock);
	all.pages -= pooled;
	account = account_take(uid, &spare);
	if (!exempt)
		err = account_check_limits(account, more);
	if (!err) {
		account_apply(account, more);
	} else {
		all.pages += pooled;
		account = account_drop(account);
		spare = account ?: spare;
	}
	spin_unlock(&account_lock);
	kfree(spare);
	return err;
}

/* Check the capability last: capable() leaves a trace in the audit log. */
static int account_try(kuid_t uid, const struct ccshm_usage *more,
		       unsigned long pooled)
{
	int err = account_grow(uid, more, pooled, false);

	if (ccshm_limit_refuses(err) && capable(CAP_SYS_RESOURCE))
		err = account_grow(uid, more, pooled, true);
	return err;
}

/*
 * Add to or subtract from what a user has; the user has an account. Returns an account to
 * be freed after the lock is dropped, or NULL.
 */
static struct account *account_add(kuid_t uid, const struct ccshm_usage *change)
{
	struct account *account;

	if (uid_eq(uid, CCSHM_POOL_PAYER)) {
		usage_apply(&all, change);
		return NULL;
	}
	account = account_find(uid);
	if (WARN_ON_ONCE(!account))
		return NULL;
	account_apply(account, change);
	return account_drop(account);
}

static void account_change(kuid_t uid, const struct ccshm_usage *change)
{
	struct account *account;

	spin_lock(&account_lock);
	account = account_add(uid, change);
	spin_unlock(&account_lock);
	kfree(account);
}

/* Charge pages to the pool, for which no limit is exceeded. */
static int pool_grow(unsigned long pages)
{
	int err = 0;

	spin_lock(&account_lock);
	if (exceeds_limit(CCSHM_QUOTA_TOTAL_BYTES, to_bytes(all.pages + pages)))
		err = -ENOSPC;
	else
		all.pages += pages;
	spin_unlock(&account_lock);
	return err;
}

/**
 * ccshm_limit_charge - charge pages before they are allocated
 * @uid: payer
 * @pages: number of pages
 *
 * A caller with CAP_SYS_RESOURCE may exceed the limits, and is charged as any other.
 *
 * Return: 0; -EDQUOT (the user would exceed its limit); -ENOSPC (all users together
 * would); -ENOMEM.
 */
int ccshm_limit_charge(kuid_t uid, unsigned long pages)
{
	const struct ccshm_usage more = { .pages = pages };

	if (uid_eq(uid, CCSHM_POOL_PAYER))
		return pool_grow(pages);
	return account_try(uid, &more, 0);
}

/* Uncharge pages that were freed. */
void ccshm_limit_uncharge(kuid_t uid, unsigned long pages)
{
	const struct ccshm_usage change = { .pages = -(u64)pages };

	if (pages)
		account_change(uid, &change);
}

/* Move pages that will never be freed from charged to leaked. */
void ccshm_limit_leak(kuid_t uid, unsigned long pages)
{
	const struct ccshm_usage change = {
		.pages = -(u64)pages, .leaked = pages,
	};

	account_change(uid, &change);
}

/* Return how many pages would exceed the limit of all users if so many more were charged. */
u64 ccshm_limit_total_excess(unsigned long pages)
{
	u64 limit, sum;

	spin_lock(&account_lock);
	limit = limits[CCSHM_QUOTA_TOTAL_BYTES].value >> PAGE_SHIFT;
	sum = all.pages + pages;
	spin_unlock(&account_lock);
	return sum > limit ? sum - limit : 0;
}

/**
 * ccshm_limit_pool_take - charge pages of the pool to a user
 * @uid: payer
 * @pages: number of pages that are charged to CCSHM_POOL_PAYER
 *
 * Return: as ccshm_limit_charge().
 */
int ccshm_limit_pool_take(kuid_t uid, unsigned long pages)
{
	const struct ccshm_usage more = { .pages = pages };

	return account_try(uid, &more, pages);
}

/* Move pages that are charged to a user, or to the pool already, to the pool, in one step. */
void ccshm_limit_pool_put(kuid_t uid, unsigned long pages)
{
	const struct ccshm_usage less = { .pages = -(u64)pages };
	const struct ccshm_usage more = { .pages = pages };
	struct account *account;

	spin_lock(&account_lock);
	account = account_add(uid, &less);
	account_add(CCSHM_POOL_PAYER, &more);
	spin_unlock(&account_lock);
	kfree(account);
}

/**
 * ccshm_limit_returning - count a buffer whose memory is being given back
 * @r: filled in; listed until ccshm_limit_returned()
 * @uid: payer of the buffer
 * @pages: number of pages that are likely to be uncharged
 */
void ccshm_limit_returning(struct ccshm_limit_return *r, kuid_t uid,
			   unsigned long pages)
{
	const struct ccshm_usage change = { .returning = pages, .ending = 1 };
	struct account *account;

	r->uid = uid;
	r->pages = pages;
	spin_lock(&account_lock);
	account = account_add(uid, &change);
	r->ticket = ++last_ticket;
	list_add_tail(&r->link, &returns);
	spin_unlock(&account_lock);
	kfree(account);
}

/*
 * Execute one return of a user, and queue the work item again for the next one, after
 * those of other users.
 */
static void account_return(struct work_struct *work)
{
	struct account *account = container_of(work, struct account, work);
	struct ccshm_limit_return *r;

	spin_lock(&account_lock);
	r = list_first_entry(&account->queue, struct ccshm_limit_return, queue);
	list_del(&r->queue);
	spin_unlock(&account_lock);
	r->give_back(r);

	spin_lock(&account_lock);
	account->busy = !list_empty(&account->queue);
	if (account->busy)
		queue_work(return_wq, &account->work);
	account = account_drop(account);
	spin_unlock(&account_lock);
	kfree(account);
}

/**
 * ccshm_limit_queue_return - call @r->give_back() in a work item of the payer
 * @r: return that ccshm_limit_returning() has counted
 *
 * The returns of a payer are executed one after the other, independently of those of
 * other payers. The queue and the work item are in the payer's account, which exists as
 * long as @r is counted: this allocates nothing.
 */
void ccshm_limit_queue_return(struct ccshm_limit_return *r)
{
	struct account *account;

	spin_lock(&account_lock);
	account = account_find(r->uid);
	list_add_tail(&r->queue, &account->queue);
	if (!account->busy) {
		account->busy = true;
		queue_work(return_wq, &account->work);
	}
	spin_unlock(&account_lock);
}

/* Uncount a buffer whose memory was freed or quarantined, and wake up waiters. */
void ccshm_limit_returned(struct ccshm_limit_return *r)
{
	const struct ccshm_usage change = {
		.returning = -(u64)r->pages,
		.ending = -1,
		.objects[CCSHM_TYPE_BUFFER] = -1,
	};
	struct account *account;

	spin_lock(&account_lock);
	account = account_add(r->uid, &change);
	list_del(&r->link);
	WRITE_ONCE(returned, returned + 1);
	spin_unlock(&account_lock);
	kfree(account);
	wake_up_all(&returned_wait);
}

static bool all_returned(void)
{
	bool all;

	spin_lock(&account_lock);
	all = list_empty(&returns);
	spin_unlock(&account_lock);
	return all;
}

/*
 * Wait until all memory has been given back. Nothing may begin to give back memory.
 * drain_workqueue() is for a few rounds of work items that queue themselves: it warns from
 * the tenth on.
 */
void ccshm_limit_drain(void)
{
	wait_event(returned_wait, all_returned());
	flush_workqueue(return_wq);
}

/*
 * Check whether an allocation of @pages, or of one buffer if @pages is 0, can succeed
 * when all memory that is being given back is free.
 */
static bool returning_memory_suffices(kuid_t uid, int err, u64 pages)
{
	u64 available = max(si_mem_available(), 0L);
	const struct account *account;
	struct ccshm_usage mine = {};
	bool help = false;
	u32 buffers;

	spin_lock(&account_lock);
	account = account_find(uid);
	if (account)
		mine = account->usage;
	buffers = mine.objects[CCSHM_TYPE_BUFFER];
	switch (err) {
	case -EDQUOT:
		if (pages)
			help = mine.returning &&
			       !exceeds_limit(CCSHM_QUOTA_USER_BYTES,
					      to_bytes(mine.pages + mine.leaked + pages -
						       min(mine.returning, mine.pages)));
		else
			help = mine.ending &&
			       !exceeds_limit(CCSHM_QUOTA_USER_BUFFERS,
					      buffers + 1ULL - min(mine.ending, buffers));
		break;
	case -ENOSPC:
		help = all.returning &&
		       !exceeds_limit(CCSHM_QUOTA_TOTAL_BYTES,
				      to_bytes(all.pages + mine.leaked + pages -
					       min(all.returning, all.pages)));
		break;
	case -ENOMEM:
		help = all.returning && pages <= available + all.returning;
		break;
	}
	spin_unlock(&account_lock);
	return help;
}

/* Check whether everything that was being given back when the wait began was given back. */
static bool limit_wait_is_last(const struct ccshm_limit_wait *wait)
{
	lockdep_assert_held(&account_lock);
	return list_empty(&returns) ||
	       list_first_entry(&returns, struct ccshm_limit_return, link)->ticket >
		       wait->until;
}

/* Begin before the first attempt: wait only for what is being given back now. */
void ccshm_limit_wait_begin(struct ccshm_limit_wait *wait)
{
	spin_lock(&account_lock);
	wait->until = last_ticket;
	wait->seen = returned;
	wait->last = limit_wait_is_last(wait);
	spin_unlock(&account_lock);
}

static bool limit_wait_is_over(const struct ccshm_limit_wait *wait, kuid_t uid,
			       int err, unsigned long pages)
{
	return READ_ONCE(returned) != wait->seen ||
	       !returning_memory_suffices(uid, err, pages);
}

/**
 * ccshm_limit_wait - wait for memory that is being given back
 * @wait: begun before the first attempt
 * @uid: payer of the allocation
 * @err: error of the last attempt: -EDQUOT, -ENOSPC or -ENOMEM
 * @pages: minimum number of pages that the allocation needs, or 0 for one buffer
 * @interruptible: any signal ends the wait, not only one that kills
 *
 * What others give back meanwhile wakes the caller, but neither ends nor extends the wait:
 * the last attempt is the first one after all that was being given back when the wait
 * began.
 *
 * Return: 0 when memory was given back: try again; -EINTR; @err when no memory that is
 * being given back would help.
 */
int ccshm_limit_wait(struct ccshm_limit_wait *wait, kuid_t uid, int err,
		     unsigned long pages, bool interruptible)
{
	bool changed;
	int failed;

	if (wait->last)
		return err;
	failed = interruptible ?
		 wait_event_interruptible(returned_wait,
					  limit_wait_is_over(wait, uid, err,
							     pages)) :
		 wait_event_killable(returned_wait,
				     limit_wait_is_over(wait, uid, err, pages));
	if (failed)
		return -EINTR;
	spin_lock(&account_lock);
	changed = returned != wait->seen;
	wait->seen = returned;
	wait->last = limit_wait_is_last(wait);
	spin_unlock(&account_lock);
	return changed ? 0 : err;
}

/* Count a buffer; wait for buffers that are about to go if that can help. */
static int account_add_buffer(kuid_t uid, bool interruptible,
			      struct ccshm_limit_refusal *refusal)
{
	const struct ccshm_usage more = {
		.objects[CCSHM_TYPE_BUFFER] = 1, .kept = 1,
	};
	struct ccshm_limit_wait wait;
	int err, failed;

	ccshm_limit_wait_begin(&wait);
	for (;;) {
		err = account_try(uid, &more, 0);
		if (!ccshm_limit_refuses(err))
			return err;
		failed = ccshm_limit_wait(&wait, uid, err, 0, interruptible);
		if (failed == -EINTR)
			return failed;
		if (failed)
			break;
	}
	ccshm_limit_describe_refusal(uid, err, 0, refusal);
	return err;
}

static int account_add_export(kuid_t uid, struct ccshm_limit_refusal *refusal)
{
	const struct ccshm_usage more = { .objects[CCSHM_TYPE_EXPORT] = 1 };
	struct ccshm_usage usage;
	int err = account_try(uid, &more, 0);

	if (err != -EDQUOT)
		return err;
	ccshm_limit_usage(uid, &usage);
	*refusal = (struct ccshm_limit_refusal){
		.uid = uid,
		.quota = CCSHM_QUOTA_USER_EXPORTS,
		.asked = 1,
		.used = usage.objects[CCSHM_TYPE_EXPORT],
		.limit = ccshm_limit_value(CCSHM_QUOTA_USER_EXPORTS),
	};
	return err;
}

/**
 * ccshm_limit_add - count a new object
 * @uid: payer of the object
 * @type: type of the object
 * @interruptible: any signal ends a wait, not only one that kills
 * @refusal: out: which limit refused the object; not used for attachments
 *
 * Return: 0; for a buffer or an export also -EDQUOT (the payer has too many, and
 * @refusal is filled in) or -ENOMEM, for a buffer -EINTR.
 */
int ccshm_limit_add(kuid_t uid, enum ccshm_type type, bool interruptible,
		    struct ccshm_limit_refusal *refusal)
{
	struct ccshm_usage change = {};

	if (type == CCSHM_TYPE_BUFFER)
		return account_add_buffer(uid, interruptible, refusal);
	if (type == CCSHM_TYPE_EXPORT)
		return account_add_export(uid, refusal);
	change.objects[type] = 1;
	account_change(uid, &change);
	return 0;
}

/*
 * Uncount an object that is gone. A buffer without memory was uncounted by
 * ccshm_limit_returned(): others may keep its description, with a revoked dma-buf.
 */
void ccshm_limit_remove(kuid_t uid, enum ccshm_type type)
{
	struct ccshm_usage change = {};

	if (type == CCSHM_TYPE_BUFFER)
		change.kept = -1;
	else
		change.objects[type] = -1;
	account_change(uid, &change);
}

/* Add @change to the number of devices attached to exports of a payer's buffers. */
void ccshm_limit_importer(kuid_t uid, int change)
{
	const struct ccshm_usage usage = { .importers = change };

	account_change(uid, &usage);
}

/**
 * ccshm_limit_describe_refusal - find out which limit refused an allocation
 * @uid: payer
 * @err: error of the allocation: -EDQUOT or -ENOSPC
 * @bytes: size of the allocation; 0 for one buffer too many
 * @refusal: out
 */
void ccshm_limit_describe_refusal(kuid_t uid, int err, u64 bytes,
				  struct ccshm_limit_refusal *refusal)
{
	struct ccshm_usage usage;

	ccshm_limit_usage(uid, &usage);
	refusal->uid = uid;
	refusal->asked = bytes;
	if (err == -ENOSPC) {
		refusal->quota = CCSHM_QUOTA_TOTAL_BYTES;
		refusal->used = used_bytes() + to_bytes(usage.leaked);
	} else if (bytes) {
		refusal->quota = CCSHM_QUOTA_USER_BYTES;
		refusal->used = to_bytes(usage.pages + usage.leaked);
	} else {
		refusal->quota = CCSHM_QUOTA_USER_BUFFERS;
		refusal->asked = 1;
		refusal->used = usage.objects[CCSHM_TYPE_BUFFER];
	}
	refusal->limit = ccshm_limit_value(refusal->quota);
}

/* Return what a user has. */
void ccshm_limit_usage(kuid_t uid, struct ccshm_usage *usage)
{
	const struct account *account;

	spin_lock(&account_lock);
	account = account_find(uid);
	*usage = account ? account->usage : (struct ccshm_usage){};
	spin_unlock(&account_lock);
}

/* Fill in the fields of INFO about limits and usage. */
void ccshm_limit_info(struct ccshm_ioc_info *info)
{
	struct ccshm_usage mine, sum;

	ccshm_limit_usage_all(&sum);
	ccshm_limit_usage(current_euid(), &mine);
	info->buffers = sum.objects[CCSHM_TYPE_BUFFER];
	info->exports = sum.objects[CCSHM_TYPE_EXPORT];
	info->attachments = sum.objects[CCSHM_TYPE_ATTACHMENT];
	info->importers = sum.importers;
	info->bytes_leaked = to_bytes(sum.leaked);
	info->used_bytes = to_bytes(sum.pages);
	info->limit_total_bytes = ccshm_limit_value(CCSHM_QUOTA_TOTAL_BYTES);
	info->limit_user_bytes = ccshm_limit_value(CCSHM_QUOTA_USER_BYTES);
	info->limit_user_buffers = ccshm_limit_value(CCSHM_QUOTA_USER_BUFFERS);
	info->limit_user_exports = ccshm_limit_value(CCSHM_QUOTA_USER_EXPORTS);
	info->user_bytes = to_bytes(mine.pages);
	info->user_bytes_leaked = to_bytes(mine.leaked);
	info->user_buffers = mine.objects[CCSHM_TYPE_BUFFER];
	info->user_exports = mine.objects[CCSHM_TYPE_EXPORT];
	info->user_attachments = mine.objects[CCSHM_TYPE_ATTACHMENT];
	info->user_importers = mine.importers;
}

/**
 * ccshm_limit_init - set the default limits, and create the workqueue of the returns
 *
 * The workqueue has one work item of each payer, and executes as many as it can: a payer
 * whose work item did not run would wait for the returns of others.
 *
 * Return: 0 or -ENOMEM.
 */
int __init ccshm_limit_init(void)
{
	struct limit *total = &limits[CCSHM_QUOTA_TOTAL_BYTES];
	struct limit *user = &limits[CCSHM_QUOTA_USER_BYTES];
	struct sysinfo memory;

	if (!total->set) {
		si_meminfo(&memory);
		total->value = (u64)memory.totalram * memory.mem_unit / 2;
	}
	/* No user can take all. A total without a limit has no half. */
	if (!user->set && total->value != CCSHM_LIMIT_NONE)
		user->value = total->value / 2;
	return_wq = alloc_workqueue("ccshm", WQ_UNBOUND, 0);
	return return_wq ? 0 : -ENOMEM;
}

/* Free the workqueue, and the accounts that are left: those of users with leaked memory. */
void ccshm_limit_exit(void)
{
	struct account *account;
	struct hlist_node *next;
	unsigned int bucket;

	destroy_workqueue(return_wq);
	hash_for_each_safe(accounts, bucket, next, account, link)
		kfree(account);
}
