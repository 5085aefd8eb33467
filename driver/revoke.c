// SPDX-License-Identifier: GPL-2.0-only
/*
 * How access ends, in five steps, for each export:
 *
 * 1. Close the door: nothing new gets in (export_close()).
 * 2. End the CPU mappings (export_zap()). An orderly revoke does so only when the
 *    attachments have been detached, or at its deadline.
 * 3. Notify the importers under the reservation lock, and take a snapshot of the
 *    fences (revocation_notify()).
 * 4. Wait until these have signalled and the last device mapping is gone. Fences
 *    that an importer added before it unmapped are taken then (revocation_again()).
 * 5. Let the memory go (export_finish()).
 *
 * The caller of REVOKE does the first two. A work item does the others: the
 * reservation lock has no deadline, and a revoke ends by itself also when nobody
 * waits for it any more. The caller waits for the work item, until its deadline,
 * with nothing held.
 *
 * No memory is allocated to stop what is there: exports are visited by their ids.
 */
#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "ccshm.h"
#include "trace.h"

/*
 * What a whole call waits, whatever its deadline, for importers to be notified: a
 * well-behaved one needs only a moment, and holds the reservation lock as briefly.
 */
#define NOTIFY_MOMENT	(200 * NSEC_PER_MSEC)

/* When to try again to take fences for which there was no memory. */
#define RETRY_DELAY	(HZ / 10)

/**
 * struct ccshm_fence_wait - a fence that a revoke waits for
 * @cb: runs when it signals
 * @fence: with a reference
 * @export: export that is revoked
 */
struct ccshm_fence_wait {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct ccshm_export *export;
};

static struct workqueue_struct *revoke_wq;

/* ---- steps 1, 2 and 5 ---- */

/* Step 1. With @cpu, faults are turned away as well. */
static int export_close(struct ccshm_export *export, bool cpu)
{
	if (down_write_killable(&export->lock))
		return -ERESTARTSYS;
	if (export->state == CCSHM_STATE_ACTIVE)
		WRITE_ONCE(export->state, CCSHM_STATE_REVOKING);
	if (cpu)
		export->cpu_closed = true;
	up_write(&export->lock);
	ccshm_changed();
	return 0;
}

/*
 * Step 2, after export_close() with @cpu. PTEs are only inserted by faults that
 * entered before the door was closed, so none is missed. The dma-buf has its own
 * inode: what is ended are its mappings and no others.
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

/* No device reaches the memory: no mapping is left, and no fence of one. */
static bool devices_are_done(struct ccshm_export *export)
{
	const struct ccshm_revocation *r = &export->revocation;

	if (atomic_read(&export->device_mappings) || atomic_read(&r->pending))
		return false;
	if (!READ_ONCE(export->mapped))
		return true;
	return r->snapshot && (!r->held || r->again);
}

/* Step 5, with @export->lock held for writing. */
static bool finish_locked(struct ccshm_export *export)
{
	lockdep_assert_held_write(&export->lock);
	if (export->state != CCSHM_STATE_REVOKING ||
	    !READ_ONCE(export->zapped) || !devices_are_done(export))
		return false;
	WRITE_ONCE(export->state, CCSHM_STATE_REVOKED);
	return true;
}

static void export_finished(struct ccshm_export *export)
{
	ccshm_changed();
	ccshm_buffer_unuse(export->obj.buffer);
	wake_up_all(&export->idle);
}

static void export_finish(struct ccshm_export *export)
{
	bool ended;

	down_write(&export->lock);
	ended = finish_locked(export);
	up_write(&export->lock);
	if (ended)
		export_finished(export);
}

/* The caller's way, for an export without devices; the work item has the other. */
static bool export_try_finish(struct ccshm_export *export)
{
	bool ended;

	if (!down_write_trylock(&export->lock))
		return false;
	ended = finish_locked(export);
	up_write(&export->lock);
	if (ended)
		export_finished(export);
	return READ_ONCE(export->state) == CCSHM_STATE_REVOKED;
}

/* ---- the work item: steps 3 and 4 ---- */

static void revocation_queue(struct ccshm_export *export, unsigned long delay)
{
	kref_get(&export->obj.ref);
	if (!queue_delayed_work(revoke_wq, &export->revocation.work, delay))
		ccshm_object_put(&export->obj);
}

/* Continue the revoke of an export; from any context. */
void ccshm_revocation_continue(struct ccshm_export *export)
{
	revocation_queue(export, 0);
}

static void fence_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct ccshm_fence_wait *wait = container_of(cb, struct ccshm_fence_wait,
						     cb);

	if (atomic_dec_and_test(&wait->export->revocation.pending))
		ccshm_revocation_continue(wait->export);
}

/* Forget the fences, those that have not signalled included. */
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

/* Have all fences of an array call back; they are taken over. */
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

/* Take the fences that the dma-buf has now. None is left from before. */
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
 * Step 3. A request that comes again notifies importers that have not unmapped
 * again, and takes no fences again.
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
		ccshm_tell_importers(dmabuf);
	if (!r->snapshot)
		err = fences_take(export, dmabuf->resv);
	r->snapshot |= !err;
	dma_resv_unlock(dmabuf->resv);
	return err;
}

/*
 * Step 4, when all is signalled and unmapped: an importer that unmapped after the
 * notification may have added a fence before, for what its device still did.
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

static int revocation_run(struct ccshm_export *export, struct dma_buf *dmabuf)
{
	struct ccshm_revocation *r = &export->revocation;
	int wanted = atomic_read(&r->wanted);
	int err = revocation_notify(export, dmabuf, wanted != r->done);

	if (!err)
		err = revocation_again(export, dmabuf);
	export_finish(export);
	/* After the rest: export_is_notified() looks at the state after this. */
	smp_store_release(&r->done, wanted);
	return err;
}

static void revocation_work(struct work_struct *work)
{
	struct ccshm_export *export =
		container_of(to_delayed_work(work), struct ccshm_export,
			     revocation.work);
	struct dentry *dentry = ccshm_export_dentry(export);

	/* Without a dma-buf, its release does the rest. */
	if (dentry) {
		if (revocation_run(export, dentry->d_fsdata))
			revocation_queue(export, RETRY_DELAY);
		wake_up_all(&export->idle);
		dput(dentry);
	}
	ccshm_object_put(&export->obj);
}

void ccshm_revocation_init(struct ccshm_export *export)
{
	INIT_DELAYED_WORK(&export->revocation.work, revocation_work);
}

/*
 * The dma-buf is gone: no fence can matter, and nothing queues the work item any
 * more. One that waits for its time is not left behind for a module that unloads.
 */
void ccshm_revocation_forget(struct ccshm_export *export)
{
	fences_put(&export->revocation);
	if (cancel_delayed_work(&export->revocation.work))
		ccshm_object_put(&export->obj);
}

/* ---- the caller ---- */

/**
 * struct revoke - one call
 * @object: what is revoked
 * @req: the request, and the result
 * @begin: when it began, CLOCK_MONOTONIC
 * @last: id of the youngest object at that moment
 * @force: stop devices, do not wait for their holders
 * @orderly: end CPU mappings after the attachments
 */
struct revoke {
	struct ccshm_object *object;
	struct ccshm_ioc_revoke *req;
	s64 begin;
	u64 last;
	bool force;
	bool orderly;
};

static struct ccshm_export *to_export(struct ccshm_object *object)
{
	return container_of(object, struct ccshm_export, obj);
}

static struct ccshm_attachment *to_attachment(struct ccshm_object *object)
{
	return container_of(object, struct ccshm_attachment, obj);
}

/* The exports that are revoked, one after the other; with a reference. */
static struct ccshm_object *next_export(const struct revoke *rev, u64 id)
{
	if (rev->object->type == CCSHM_TYPE_BUFFER)
		return ccshm_object_next_of(&rev->object->buffer->exports, id,
					    rev->last);
	if (id || rev->object->type != CCSHM_TYPE_EXPORT)
		return NULL;
	kref_get(&rev->object->ref);
	return rev->object;
}

/* Likewise the attachments: with an export, those that were made from it. */
static struct ccshm_object *next_attachment(const struct revoke *rev, u64 id)
{
	struct ccshm_object *object = rev->object;

	if (object->type == CCSHM_TYPE_ATTACHMENT) {
		if (id)
			return NULL;
		kref_get(&object->ref);
		return object;
	}
	do {
		struct ccshm_object *next =
			ccshm_object_next_of(&object->buffer->attachments, id,
					     rev->last);

		if (!next || object->type == CCSHM_TYPE_BUFFER ||
		    (to_attachment(next)->export &&
		     &to_attachment(next)->export->obj == object))
			return next;
		id = next->id;
		ccshm_object_put(next);
		cond_resched();
	} while (true);
}

/* Have the work item notify the importers. */
static void export_notify(struct ccshm_export *export)
{
	atomic_inc(&export->revocation.wanted);
	ccshm_revocation_continue(export);
}

/* Step 2 and what begins the steps after it. */
static void export_end_cpu(struct ccshm_export *export)
{
	export_zap(export);
	if (!export_try_finish(export))
		export_notify(export);
}

/* With each export: 0, or -ERESTARTSYS for a fatal signal. */
static int for_exports(struct revoke *rev,
		       int (*action)(struct ccshm_export *export,
				     struct revoke *rev))
{
	struct ccshm_object *object;
	u64 id = 0;
	int err = 0;

	while (!err && (object = next_export(rev, id))) {
		id = object->id;
		err = action(to_export(object), rev);
		ccshm_object_put(object);
		cond_resched();
	}
	return err;
}

static int begin_export(struct ccshm_export *export, struct revoke *rev)
{
	int err = export_close(export, !rev->orderly);

	if (err)
		return err;
	if (!rev->orderly)
		export_end_cpu(export);
	else if (READ_ONCE(export->mapped))
		export_notify(export);
	return 0;
}

static int end_orderly(struct ccshm_export *export, struct revoke *rev)
{
	int err = export_close(export, true);

	if (!err)
		export_end_cpu(export);
	return err;
}

static void ask_attachments(struct revoke *rev)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_attachment(rev, id))) {
		id = object->id;
		ccshm_attachment_ask(to_attachment(object), rev->force);
		ccshm_object_put(object);
		cond_resched();
	}
}

/* Wait for @done until @deadline: 0, -ETIMEDOUT or -ERESTARTSYS. */
static int wait_until(wait_queue_head_t *wq, bool (*done)(void *object),
		      void *object, s64 deadline)
{
	s64 left;
	int err;

	if (deadline < 0)
		return wait_event_interruptible(*wq, done(object));
	left = deadline - ktime_get_ns();
	if (done(object))
		return 0;
	if (left <= 0)
		return -ETIMEDOUT;
	err = wait_event_interruptible_hrtimeout(*wq, done(object),
						 ns_to_ktime(left));
	return err == -ETIME ? -ETIMEDOUT : err;
}

static bool export_is_revoked(struct ccshm_export *export)
{
	return READ_ONCE(export->state) == CCSHM_STATE_REVOKED;
}

/* A pinned export has holders that cannot be asked to unmap. */
static bool export_is_held(struct ccshm_export *export)
{
	return export->flags & CCSHM_EXPORT_PINNED &&
	       atomic_read(&export->device_mappings);
}

static bool export_is_notified(void *object)
{
	struct ccshm_export *export = object;
	/* Pairs with the release in revocation_run(). */
	int carried_out = smp_load_acquire(&export->revocation.done);

	return export_is_revoked(export) ||
	       carried_out == atomic_read(&export->revocation.wanted);
}

static bool export_is_decided(void *object)
{
	return export_is_revoked(object) || export_is_held(object);
}

static int wait_export(struct ccshm_export *export, struct revoke *rev)
{
	s64 deadline = rev->req->deadline_ns, moment = deadline;
	int err;

	if (deadline >= 0)
		moment = max_t(s64, deadline, rev->begin + NOTIFY_MOMENT);
	err = wait_until(&export->idle, export_is_notified, export, moment);
	if (!err)
		err = wait_until(&export->idle, export_is_decided, export,
				 deadline);
	if (err)
		return err;
	return export_is_revoked(export) ? 0 : -EBUSY;
}

static bool attachment_is_settled(void *object)
{
	struct ccshm_attachment *att = object;
	enum ccshm_state state = READ_ONCE(att->state);

	return state == CCSHM_STATE_REVOKED || state == CCSHM_STATE_STUCK;
}

static int wait_attachment(struct ccshm_attachment *att, struct revoke *rev)
{
	int err = wait_until(&att->wait, attachment_is_settled, att,
			     rev->req->deadline_ns);

	if (err)
		return err;
	return READ_ONCE(att->state) == CCSHM_STATE_STUCK ? -EIO : 0;
}

/* Choose the error to return: prefer one that a retry cannot fix. */
static int choose_error(int a, int b)
{
	static const int order[] = { -ERESTARTSYS, -EIO, -EBUSY, -ETIMEDOUT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a ?: b;
}

/* Add what became of one export or attachment to the result. */
static void report_state(struct ccshm_ioc_revoke *req, enum ccshm_state state,
			 u64 pages, u32 device_mappings)
{
	req->pages += pages;
	req->device_mappings += device_mappings;
	if (state == CCSHM_STATE_REVOKED)
		req->revoked++;
	else if (req->state != CCSHM_STATE_REVOKING)
		req->state = state;
}

static void report_export(struct ccshm_export *export, struct ccshm_ioc_revoke *req)
{
	bool revoked = export_is_revoked(export);

	report_state(req, READ_ONCE(export->state), export->pages,
		     revoked ? 0 : atomic_read(&export->device_mappings));
}

static void report_attachment(struct ccshm_attachment *att,
			      struct ccshm_ioc_revoke *req)
{
	enum ccshm_state state = READ_ONCE(att->state);

	report_state(req, state, att->size >> PAGE_SHIFT,
		     state != CCSHM_STATE_REVOKED);
	req->stopped += READ_ONCE(att->stopped);
}

/* Step 4, for all exports and with one deadline. */
static int wait_exports(struct revoke *rev, int err)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_export(rev, id))) {
		id = object->id;
		if (err != -ERESTARTSYS)
			err = choose_error(err, wait_export(to_export(object),
							    rev));
		report_export(to_export(object), rev->req);
		ccshm_object_put(object);
		cond_resched();
	}
	return err;
}

static int wait_attachments(struct revoke *rev, int err, bool report)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_attachment(rev, id))) {
		id = object->id;
		if (err != -ERESTARTSYS)
			err = choose_error(err,
					   wait_attachment(to_attachment(object),
							   rev));
		if (report)
			report_attachment(to_attachment(object), rev->req);
		ccshm_object_put(object);
		cond_resched();
	}
	return err;
}

/*
 * Attachments are asked after the exports were closed: none is made from these any
 * more. After a signal an orderly revoke leaves the CPU mappings: the call can be
 * made again.
 */
static int revoke_steps(struct revoke *rev)
{
	int err = for_exports(rev, begin_export);

	if (err)
		return err;
	ask_attachments(rev);
	if (rev->orderly) {
		err = wait_attachments(rev, 0, false);
		if (err != -ERESTARTSYS)
			err = for_exports(rev, end_orderly);
		if (err)
			return err;
	}
	rev->req->state = CCSHM_STATE_REVOKED;
	err = wait_exports(rev, 0);
	return wait_attachments(rev, err, true);
}

static int revoke_object(struct ccshm_object *object, struct ccshm_ioc_revoke *req)
{
	struct revoke rev = {
		.object = object,
		.req = req,
		.last = ccshm_object_last_id(),
		.force = req->flags & CCSHM_REVOKE_FORCE,
		.orderly = req->flags & CCSHM_REVOKE_ORDERLY,
	};
	int err;

	rev.begin = ccshm_event_revoke_begin(object);
	if (req->flags & CCSHM_REVOKE_SEAL)
		ccshm_buffer_seal(object->buffer);
	err = revoke_steps(&rev);
	ccshm_event_revoke_end(object, rev.begin, req, err);
	trace_ccshm_revoke(object, req, ktime_get_ns() - rev.begin, err);
	return err;
}

/**
 * ccshm_revoke_begin - begin to revoke all exports and attachments of a buffer
 * @buffer: with a reference
 *
 * Waits for nobody: each of them ends by itself.
 */
void ccshm_revoke_begin(struct ccshm_buffer *buffer)
{
	struct revoke rev = {
		.object = &buffer->obj,
		.last = ccshm_object_last_id(),
	};

	if (!for_exports(&rev, begin_export))
		ask_attachments(&rev);
}

static struct ccshm_object *revoke_find(struct ccshm_call *call)
{
	const struct ccshm_ioc_revoke *req = call->arg;
	struct ccshm_object *object;

	if (!(req->flags & CCSHM_REVOKE_BY_FD))
		return ccshm_object_find(req->id, call->client, CCSHM_CONTROL);
	object = ccshm_object_from_fd(req->fd);
	/* A holder of the descriptor may see the object. */
	if (!IS_ERR(object) && !ccshm_buffer_control(object->buffer, call->client)) {
		ccshm_object_put(object);
		return ERR_PTR(-EPERM);
	}
	return object;
}

static bool revoke_is_valid(const struct ccshm_ioc_revoke *req)
{
	const u64 known = CCSHM_REVOKE_FORCE | CCSHM_REVOKE_SEAL |
			  CCSHM_REVOKE_ORDERLY | CCSHM_REVOKE_BY_FD;

	if (req->flags & ~known || req->reserved || req->deadline_ns < -1)
		return false;
	if (req->flags & CCSHM_REVOKE_FORCE && req->flags & CCSHM_REVOKE_ORDERLY)
		return false;
	return req->flags & CCSHM_REVOKE_BY_FD ? !req->id : !req->fd;
}

int ccshm_revoke_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_revoke *req = call->arg;
	struct ccshm_object *object;
	int err;

	if (!revoke_is_valid(req))
		return -EINVAL;
	object = revoke_find(call);
	if (IS_ERR(object))
		return PTR_ERR(object);
	if (req->flags & CCSHM_REVOKE_FORCE && !capable(CAP_SYS_RAWIO)) {
		ccshm_object_put(object);
		return -EPERM;
	}
	err = revoke_object(object, req);
	ccshm_object_put(object);
	call->report = err == -ETIMEDOUT || err == -EBUSY || err == -EIO;
	return err;
}

/* Unbound: a work item may wait for a reservation lock that a driver holds. */
int __init ccshm_revoke_init(void)
{
	revoke_wq = alloc_workqueue("ccshm-revoke", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return revoke_wq ? 0 : -ENOMEM;
}

/* No dma-buf is left, and what was queued for one only drops its reference. */
void ccshm_revoke_exit(void)
{
	destroy_workqueue(revoke_wq);
}
