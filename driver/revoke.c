// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the access to an export ends, in five steps:
 *
 * 1. Close the export: no new mapping enters (ccshm_revocation_close).
 * 2. Remove the CPU mappings (export_zap). An orderly revoke does so only when the
 *    attachments have been detached, or at its deadline.
 * 3. Under the reservation lock, notify the importers and take a snapshot of the
 *    fences (revocation_notify).
 * 4. Wait until these have signalled and the last device mapping is gone, then take
 *    the fences that an importer added before it unmapped (revocation_again).
 * 5. Drop the use of the memory (revocation_finish).
 *
 * The caller of REVOKE executes the first two (revoke_call.c). If no device holds the memory,
 * the caller also executes step 5. Otherwise a work item executes the others: the reservation
 * lock has no deadline, and a revoke completes even when no caller waits for it any more.
 */
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "ccshm.h"

/* Retry after this time if there was no memory for the snapshot of the fences. */
#define RETRY_DELAY	(HZ / 10)

/**
 * struct ccshm_fence_wait - a fence that a revoke waits for
 * @cb: runs when @fence signals
 * @fence: fence, with a reference
 * @export: export that is revoked
 */
struct ccshm_fence_wait {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct ccshm_export *export;
};

/* ---- step 1 ---- */

/**
 * ccshm_revocation_close - close an export: no new mapping enters
 * @export: export to revoke
 * @cpu: close it also for faults of existing CPU mappings
 *
 * Not killable: the lock is held only for short times, and a process that is being killed
 * could not repeat the call.
 */
void ccshm_revocation_close(struct ccshm_export *export, bool cpu)
{
	down_write(&export->lock);
	if (export->state == CCSHM_STATE_ACTIVE)
		WRITE_ONCE(export->state, CCSHM_STATE_REVOKING);
	if (cpu)
		WRITE_ONCE(export->cpu_closed, true);
	up_write(&export->lock);
	ccshm_changed();
}

/* ---- step 2 ---- */

/*
 * Remove all PTEs, after ccshm_revocation_close() with @cpu. Only faults that entered
 * before that insert PTEs later; each of these removes its own, and step 5 waits for it.
 * The dma-buf has its own inode, so no other mapping is removed.
 */
static void export_zap(struct ccshm_export *export)
{
	struct dentry *dentry = ccshm_export_dentry(export);

	lockdep_assert_not_held(&export->lock);
	if (dentry) {
		unmap_mapping_range(d_inode(dentry)->i_mapping, 0, 0, 1);
		dput(dentry);
	}
	WRITE_ONCE(export->zapped, true);
}

/* ---- step 3 ---- */

static void fence_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct ccshm_fence_wait *wait = container_of(cb, struct ccshm_fence_wait,
						     cb);

	if (atomic_dec_and_test(&wait->export->revocation.pending))
		ccshm_export_queue_revoke(wait->export, 0);
}

/* Drop all fences, also those that have not signalled. */
static void fences_put(struct ccshm_revocation *r)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		dma_fence_remove_callback(r->fence[i].fence, &r->fence[i].cb);
		dma_fence_put(r->fence[i].fence);
	}
	kvfree(r->fence);
	r->fence = NULL;
	r->nr = 0;
}

/* Add a callback to each fence of an array; takes over their references. */
static void fences_arm(struct ccshm_export *export, struct dma_fence **fence,
		       unsigned int nr)
{
	struct ccshm_revocation *r = &export->revocation;
	unsigned int i;

	r->nr = nr;
	atomic_add(nr, &r->pending);
	for (i = 0; i < nr; i++) {
		struct ccshm_fence_wait *wait = &r->fence[i];

		wait->export = export;
		wait->fence = fence[i];
		if (dma_fence_add_callback(wait->fence, &wait->cb,
					   fence_signalled))
			atomic_dec(&r->pending);
	}
}

/* Replace the fences by those that the dma-buf has now. */
static int fences_take(struct ccshm_export *export, struct dma_resv *resv)
{
	struct ccshm_revocation *r = &export->revocation;
	struct dma_fence **fence = NULL;
	unsigned int nr = 0;
	int err;

	dma_resv_assert_held(resv);
	fences_put(r);
	err = dma_resv_get_fences(resv, DMA_RESV_USAGE_BOOKKEEP, &nr, &fence);
	if (err)
		return err;
	r->fence = nr ? kvcalloc(nr, sizeof(*r->fence), GFP_KERNEL) : NULL;
	if (nr && !r->fence) {
		while (nr)
			dma_fence_put(fence[--nr]);
		err = -ENOMEM;
	} else {
		fences_arm(export, fence, nr);
	}
	kfree(fence);
	return err;
}

/*
 * Notify the importers and take the snapshot. A repeated request notifies again the
 * importers that have not unmapped, and takes no second snapshot.
 */
static int revocation_notify(struct ccshm_export *export, struct dma_buf *dmabuf,
			     bool notify)
{
	struct ccshm_revocation *r = &export->revocation;
	int err = 0;
	bool held;

	if (!notify && r->snapshot)
		return 0;
	dma_resv_lock(dmabuf->resv, NULL);
	held = atomic_read(&export->device_mappings);
	if (!r->snapshot)
		r->held |= held;
	if (notify && (held || !r->snapshot))
		ccshm_notify_importers(dmabuf);
	if (!r->snapshot)
		err = fences_take(export, dmabuf->resv);
	r->snapshot |= !err;
	dma_resv_unlock(dmabuf->resv);
	return err;
}

/* ---- step 4 ---- */

/*
 * When all fences have signalled and all mappings are gone, take the fences again: an
 * importer that unmapped after the notification may have added one before it unmapped,
 * for work that its device had not completed.
 */
static int revocation_again(struct ccshm_export *export, struct dma_buf *dmabuf)
{
	struct ccshm_revocation *r = &export->revocation;
	int err;

	if (!r->held || r->again || atomic_read(&r->pending) ||
	    atomic_read(&export->device_mappings))
		return 0;
	dma_resv_lock(dmabuf->resv, NULL);
	err = fences_take(export, dmabuf->resv);
	dma_resv_unlock(dmabuf->resv);
	r->again = !err;
	return err;
}

/* ---- step 5 ---- */

/* Check that no device can access the memory: no mapping and no fence is left. */
static bool devices_are_done(struct ccshm_export *export)
{
	const struct ccshm_revocation *r = &export->revocation;

	if (atomic_read(&export->device_mappings) || atomic_read(&r->pending))
		return false;
	if (!READ_ONCE(export->mapped))
		return true;
	return r->snapshot && (!r->held || r->again);
}

static bool finish_locked(struct ccshm_export *export)
{
	lockdep_assert_held_write(&export->lock);
	if (export->state != CCSHM_STATE_REVOKING ||
	    !READ_ONCE(export->zapped) || atomic_read(&export->faults) ||
	    !devices_are_done(export))
		return false;
	WRITE_ONCE(export->state, CCSHM_STATE_REVOKED);
	return true;
}

static void revocation_finished(struct ccshm_export *export)
{
	ccshm_changed();
	ccshm_buffer_unuse(export->obj.buffer);
	wake_up_all(&export->idle);
}

static void revocation_finish(struct ccshm_export *export)
{
	bool ended;

	down_write(&export->lock);
	ended = finish_locked(export);
	up_write(&export->lock);
	if (ended)
		revocation_finished(export);
}

/* Finish from the caller of REVOKE, which must not wait for the lock. */
static bool revocation_try_finish(struct ccshm_export *export)
{
	bool ended;

	if (!down_write_trylock(&export->lock))
		return false;
	ended = finish_locked(export);
	up_write(&export->lock);
	if (ended)
		revocation_finished(export);
	return ccshm_export_is_revoked(export);
}

/* ---- the work item: steps 3 to 5 ---- */

/*
 * An export that no device ever mapped has no work of a device to wait for, whatever
 * fences its holders add. After it was closed, @mapped does not change.
 */
static int revocation_run(struct ccshm_export *export, struct dma_buf *dmabuf)
{
	struct ccshm_revocation *r = &export->revocation;
	int wanted = atomic_read(&r->wanted);
	int err = 0;

	if (READ_ONCE(export->mapped)) {
		err = revocation_notify(export, dmabuf, wanted != r->done);
		if (!err)
			err = revocation_again(export, dmabuf);
	}
	revocation_finish(export);
	/* After the steps: ccshm_revocation_is_notified() reads the state after this. */
	smp_store_release(&r->done, wanted);
	return err;
}

static void revocation_work(struct work_struct *work)
{
	struct ccshm_export *export =
		container_of(to_delayed_work(work), struct ccshm_export,
			     revocation.work);
	struct dentry *dentry = ccshm_export_dentry(export);

	/* When the dma-buf is gone, its release ends the export. */
	if (dentry) {
		if (revocation_run(export, dentry->d_fsdata))
			ccshm_export_queue_revoke(export, RETRY_DELAY);
		wake_up_all(&export->idle);
		dput(dentry);
	}
	ccshm_object_put(&export->obj);
}

/* ---- what the caller of REVOKE and the dma-buf use ---- */

void ccshm_revocation_init(struct ccshm_export *export)
{
	INIT_DELAYED_WORK(&export->revocation.work, revocation_work);
}

/*
 * End the revoke of an export whose dma-buf is gone: drop the fences, and cancel the work
 * item, which must not run after the module was unloaded. Nothing queues it any more.
 */
void ccshm_revocation_forget(struct ccshm_export *export)
{
	fences_put(&export->revocation);
	if (cancel_delayed_work(&export->revocation.work))
		ccshm_object_put(&export->obj);
}

/* Request that the work item notifies the importers. */
void ccshm_revocation_request(struct ccshm_export *export)
{
	atomic_inc(&export->revocation.wanted);
	ccshm_export_queue_revoke(export, 0);
}

/*
 * Check that the last request was executed, or needs not be, and that no late fault is
 * going to make another one.
 */
bool ccshm_revocation_is_notified(struct ccshm_export *export)
{
	/* Pairs with the release in revocation_run(). */
	int carried_out = smp_load_acquire(&export->revocation.done);
	bool faults = READ_ONCE(export->cpu_closed) &&
		      atomic_read(&export->faults);

	/* Pairs with ccshm_export_end_late_fault(). */
	smp_rmb();
	return ccshm_export_is_revoked(export) ||
	       (!faults && carried_out == atomic_read(&export->revocation.wanted));
}

/* Execute step 2; then the last step if no device is left, or request the others. */
void ccshm_revocation_end_cpu(struct ccshm_export *export)
{
	export_zap(export);
	if (!revocation_try_finish(export))
		ccshm_revocation_request(export);
}
