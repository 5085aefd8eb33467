// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: the state of one, and the lock under which mappings enter.
 *
 * Each new mapping enters with ccshm_export_enter(). The lock is held to count the
 * mapping and for nothing else: the mapping is made after ccshm_export_leave(), and
 * undone if the export is no longer active by then. After the state has changed, under
 * the lock held for writing, no new mapping is counted.
 */
#include <linux/dcache.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "ccshm.h"

/* ---- workqueues ---- */

/*
 * The work item of a revoke can wait indefinitely for a driver, which sleeps in its
 * notification or holds the reservation lock, and occupies a worker meanwhile. Therefore
 * each payer of exports has a workqueue: the drivers of one user delay revokes of that
 * user's exports only. When all are in use, further users share the last one.
 */
#define LANES	32

/* Work items of one workqueue that run at a time; the others are queued. */
#define LANE_ACTIVE	64

/**
 * struct ccshm_lane - workqueue for the revokes of the exports of a user
 * @wq: workqueue
 * @payer: user (lane_lock)
 * @exports: number of the user's exports; 0: free for another user (lane_lock)
 */
struct ccshm_lane {
	struct workqueue_struct *wq;
	kuid_t payer;
	unsigned int exports;
};

static struct ccshm_lane lanes[LANES + 1];
/* For exports that no device ever mapped: their work items wait for no driver. */
static struct workqueue_struct *unmapped_wq;
/* Protects the assignment of lanes to users. */
static DEFINE_SPINLOCK(lane_lock);

static struct ccshm_lane *lane_find(kuid_t payer)
{
	struct ccshm_lane *lane, *free = &lanes[LANES];

	lockdep_assert_held(&lane_lock);
	for (lane = lanes; lane < &lanes[LANES]; lane++) {
		if (!lane->exports)
			free = lane;
		else if (uid_eq(lane->payer, payer))
			return lane;
	}
	return free;
}

/* Return the lane of a user, and count one more export in it. */
static struct ccshm_lane *lane_take(kuid_t payer)
{
	struct ccshm_lane *lane;

	spin_lock(&lane_lock);
	lane = lane_find(payer);
	lane->payer = payer;
	lane->exports++;
	spin_unlock(&lane_lock);
	return lane;
}

/* Drop an export from its lane. No work item of the export is queued or about to run. */
static void lane_drop(struct ccshm_lane *lane)
{
	spin_lock(&lane_lock);
	lane->exports--;
	spin_unlock(&lane_lock);
}

static void export_free(struct ccshm_object *object)
{
	struct ccshm_export *export = container_of(object, struct ccshm_export,
						   obj);

	lane_drop(export->lane);
	ccshm_object_put(&export->obj.buffer->obj);
	kfree(export);
}

static void export_describe(struct ccshm_object *object,
			    struct user_namespace *ns, struct ccshm_ioc_query *q)
{
	struct ccshm_export *export = container_of(object, struct ccshm_export,
						   obj);

	ccshm_buffer_describe(object->buffer, ns, q);
	q->object_flags = export->flags;
	q->state = READ_ONCE(export->state);
	q->offset = (u64)export->first << PAGE_SHIFT;
	q->size = (u64)export->pages << PAGE_SHIFT;
	q->attachments = export->attachments;
	q->importers = READ_ONCE(export->nr_importers);
	q->device_mappings = atomic_read(&export->device_mappings);
	if (!READ_ONCE(export->zapped))
		q->cpu_mappings = atomic_read(&export->cpu_mappings);
}

static const struct ccshm_object_ops export_ops = {
	.type = CCSHM_TYPE_EXPORT,
	.free = export_free,
	.describe = export_describe,
};

/* ---- from the first reference to the last ---- */

/**
 * ccshm_export_new - make an export that is not listed yet
 * @buffer: buffer to be exported; its reference is taken over on success
 * @req: request, with a valid slice
 *
 * Return: the export, -ENOMEM or -EDQUOT.
 */
struct ccshm_export *ccshm_export_new(struct ccshm_buffer *buffer,
				      const struct ccshm_ioc_export *req)
{
	struct ccshm_limit_refusal refusal;
	struct ccshm_export *export;
	int err;

	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return ERR_PTR(-ENOMEM);
	export->flags = req->flags;
	export->first = req->offset >> PAGE_SHIFT;
	export->pages = req->size >> PAGE_SHIFT;
	mutex_init(&export->importers_lock);
	INIT_LIST_HEAD(&export->importers);
	init_rwsem(&export->lock);
	init_waitqueue_head(&export->idle);

	err = ccshm_object_init(&export->obj, &export_ops, buffer, &refusal);
	if (ccshm_limit_refuses(err))
		ccshm_event_quota(&refusal);
	if (err) {
		kfree(export);
		return ERR_PTR(err);
	}
	export->lane = lane_take(export->obj.payer);
	/* Reserve the entry now, so that ccshm_export_list() cannot fail for memory. */
	if (xa_reserve(&buffer->exports, export->obj.id, GFP_KERNEL_ACCOUNT)) {
		kref_get(&buffer->obj.ref);	/* export_free() drops one */
		ccshm_export_discard(export);
		return ERR_PTR(-ENOMEM);
	}
	snprintf(export->exp_name, sizeof(export->exp_name), "ccshm:%llu",
		 export->obj.id);
	return export;
}

/* Free an export that was never listed. */
void ccshm_export_discard(struct ccshm_export *export)
{
	xa_erase(&export->obj.buffer->exports, export->obj.id);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&export->obj);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&export->obj);
}

/**
 * ccshm_export_list - list an export, if the caller may make it
 * @export: export that has a dma-buf now
 * @dentry: dentry of the dma-buf
 * @client: open file that the caller came through, or NULL
 *
 * From now on the export can be revoked: before its descriptor is installed, and before
 * user memory is accessed. Permission is checked again because SET can have changed it.
 *
 * Return: 0; -ENOENT when the buffer has ended; or what ccshm_export_may() returns.
 */
int ccshm_export_list(struct ccshm_export *export, struct dentry *dentry,
		      struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = export->obj.buffer;
	int err = -ENOENT;

	mutex_lock(&ccshm_lock);
	if (buffer->live)
		err = ccshm_export_may(export, client);
	if (!err) {
		export->dentry = dentry;
		/* Reserved by ccshm_export_new(). */
		xa_store(&buffer->exports, export->obj.id, &export->obj, 0);
		buffer->nr_exports++;
		ccshm_object_publish(&export->obj);
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

/* Unlist an export whose dma-buf is being released, whether it was listed or not. */
void ccshm_export_unlist(struct ccshm_export *export)
{
	struct ccshm_buffer *buffer = export->obj.buffer;

	mutex_lock(&ccshm_lock);
	export->obj.closed = true;
	if (export->obj.announced)
		ccshm_event(CCSHM_EVENT_EXPORT_GONE, &export->obj);
	if (export->dentry) {
		buffer->nr_exports--;
		ccshm_tally_count(&export->obj, NULL, export->pages, false);
	}
	export->dentry = NULL;
	xa_erase(&buffer->exports, export->obj.id);
	/* Attachments that were made from the dma-buf can keep the structure. */
	ccshm_object_uncount(&export->obj);
	ccshm_object_unpublish(&export->obj);
	if (export->heap)
		ccshm_buffer_end_heap(buffer);
	mutex_unlock(&ccshm_lock);
}

/**
 * ccshm_export_end - end an export whose dma-buf is gone
 * @export: export without a file, a VMA, an importer and a kernel mapping; the
 *	reference of the dma-buf is dropped
 */
void ccshm_export_end(struct ccshm_export *export)
{
	struct ccshm_buffer *buffer = export->obj.buffer;
	bool revoked;

	down_write(&export->lock);
	revoked = export->state == CCSHM_STATE_REVOKED;
	WRITE_ONCE(export->state, CCSHM_STATE_REVOKED);
	up_write(&export->lock);
	wake_up_all(&export->idle);
	if (!revoked)
		ccshm_buffer_unuse(buffer);
	ccshm_object_put(&export->obj);
}

/* ---- mappings ---- */

/**
 * ccshm_export_enter - let a new mapping enter
 * @export: export to be mapped
 *
 * Return: true with @export->lock held for reading, false if it is revoked.
 */
bool ccshm_export_enter(struct ccshm_export *export)
{
	down_read(&export->lock);
	if (export->state == CCSHM_STATE_ACTIVE)
		return true;
	up_read(&export->lock);
	return false;
}

void ccshm_export_leave(struct ccshm_export *export)
{
	up_read(&export->lock);
}

/**
 * ccshm_export_enter_fault - let a fault of a CPU mapping enter
 * @export: export that is mapped
 *
 * An orderly revoke lets the mappings that exist work until it ends them. No lock is held
 * while the fault inserts pages: it allocates page tables, which can take any time.
 *
 * Return: true if the fault is counted, until ccshm_export_leave_fault(); false if CPUs
 * have no access.
 */
bool ccshm_export_enter_fault(struct ccshm_export *export)
{
	bool open;

	down_read(&export->lock);
	open = !export->cpu_closed;
	if (open)
		atomic_inc(&export->faults);
	up_read(&export->lock);
	return open;
}

/**
 * ccshm_export_leave_fault - leave after a fault has inserted pages
 * @export: export that ccshm_export_enter_fault() has let in
 *
 * Return: true if the fault has ended. False if the export was closed meanwhile: the zap
 * of the revoke may have come before the pages; remove them, and then call
 * ccshm_export_end_late_fault().
 */
bool ccshm_export_leave_fault(struct ccshm_export *export)
{
	bool open;

	/* Under the lock: a revoke that closes the export later zaps what was inserted. */
	down_read(&export->lock);
	open = !export->cpu_closed;
	if (open)
		atomic_dec(&export->faults);
	up_read(&export->lock);
	return open;
}

/*
 * End a late fault, whose pages were removed. The new request is made before the count is
 * lowered: see ccshm_revocation_is_notified().
 */
void ccshm_export_end_late_fault(struct ccshm_export *export)
{
	atomic_inc(&export->revocation.wanted);
	if (atomic_dec_and_test(&export->faults))
		ccshm_export_queue_revoke(export, 0);
}

/* Check again what ccshm_export_enter() found, after a mapping was made. */
bool ccshm_export_is_active(struct ccshm_export *export)
{
	return READ_ONCE(export->state) == CCSHM_STATE_ACTIVE;
}

bool ccshm_export_is_revoked(struct ccshm_export *export)
{
	return READ_ONCE(export->state) == CCSHM_STATE_REVOKED;
}

/* Count a device mapping or a vmap; a revoke waits until the count is zero. */
void ccshm_export_hold(struct ccshm_export *export)
{
	lockdep_assert_held(&export->lock);
	atomic_inc(&export->device_mappings);
	WRITE_ONCE(export->mapped, true);
}

/*
 * Drop a count. The decrement is ordered before the read of the state, and a revoke
 * changes the state before it reads the count: one of them sees the other's change.
 */
void ccshm_export_unhold(struct ccshm_export *export)
{
	if (atomic_dec_and_test(&export->device_mappings) &&
	    !ccshm_export_is_active(export))
		ccshm_export_queue_revoke(export, 0);
}

/* ---- what a revoke needs ---- */

/**
 * ccshm_export_queue_revoke - queue the work item that continues a revoke
 * @export: export that was closed, so that @mapped does not change any more
 * @delay: jiffies until it runs
 *
 * Context: any.
 */
void ccshm_export_queue_revoke(struct ccshm_export *export, unsigned long delay)
{
	struct workqueue_struct *wq = READ_ONCE(export->mapped) ?
		export->lane->wq : unmapped_wq;

	kref_get(&export->obj.ref);
	if (!queue_delayed_work(wq, &export->revocation.work, delay))
		ccshm_object_put(&export->obj);
}

/**
 * ccshm_export_dentry - hold the dma-buf of an export
 * @export: with a reference
 *
 * Never raise the count from 0, even if the dentry is not dead yet. The last dput() has
 * lowered the count before it takes d_lock, and then reads the dentry again; another
 * dput() would free it meanwhile, at once: dentries of dma-bufs are DCACHE_NORCU.
 * A dentry with a count of 0 is not freed before ccshm_export_unlist() has had
 * ccshm_lock (__dentry_kill() calls d_release first).
 *
 * Return: the dentry with a reference, to be put with dput() outside of
 * ccshm_lock: d_fsdata is the dma-buf, d_inode has its mappings. NULL when the
 * dma-buf is gone, or its last user, and with it all mappings.
 */
struct dentry *ccshm_export_dentry(struct ccshm_export *export)
{
	struct dentry *dentry;

	mutex_lock(&ccshm_lock);
	dentry = export->dentry;
	if (dentry && !lockref_get_not_zero(&dentry->d_lockref))
		dentry = NULL;
	mutex_unlock(&ccshm_lock);
	return dentry;
}

/* Destroy the workqueues. Their work items, if any is left, only drop references. */
void ccshm_export_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lanes) && lanes[i].wq; i++)
		destroy_workqueue(lanes[i].wq);
	if (unmapped_wq)
		destroy_workqueue(unmapped_wq);
}

/* Unbound: a work item may wait for a reservation lock that a driver holds. */
int __init ccshm_export_init(void)
{
	unsigned int i;

	unmapped_wq = alloc_workqueue("ccshm-unmapped", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!unmapped_wq)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(lanes); i++) {
		lanes[i].wq = alloc_workqueue("ccshm-revoke-%u",
					      WQ_UNBOUND | WQ_HIGHPRI,
					      LANE_ACTIVE, i);
		if (!lanes[i].wq) {
			ccshm_export_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
