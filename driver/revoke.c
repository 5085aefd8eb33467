// SPDX-License-Identifier: GPL-2.0-only
/*
 * REVOKE: end all access through exports and attachments, and know that it has
 * ended. The order matters: first nothing new gets in anywhere, then everybody
 * is told, then all are waited for, with nothing held.
 */
#include <linux/capability.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "ccshm.h"
#include "trace.h"

/**
 * struct target - one export or attachment
 * @object: with a reference
 * @file: exports: the dma-buf's, or NULL when that is gone
 * @held: exports: a device had it mapped before the importers were told
 * @told: exports: they were told
 * @fences: exports: that were there then
 * @nr_fences: number of them
 */
struct target {
	struct ccshm_object *object;
	struct file *file;
	bool held;
	bool told;
	struct dma_fence **fences;
	unsigned int nr_fences;
};

struct targets {
	struct target *target;
	unsigned int nr;
	unsigned int capacity;
};

static struct ccshm_export *to_export(struct target *t)
{
	return container_of(t->object, struct ccshm_export, obj);
}

static struct ccshm_attachment *to_attachment(struct target *t)
{
	return container_of(t->object, struct ccshm_attachment, obj);
}

static bool is_export(struct target *t)
{
	return t->object->type == CCSHM_TYPE_EXPORT;
}

static int targets_grow(struct targets *ts, unsigned int want)
{
	unsigned int capacity = want + want / 4;
	struct target *grown = kvcalloc(capacity, sizeof(*grown),
					GFP_KERNEL_ACCOUNT);

	if (!grown)
		return -ENOMEM;
	if (ts->nr)
		memcpy(grown, ts->target, ts->nr * sizeof(*grown));
	kvfree(ts->target);
	ts->target = grown;
	ts->capacity = capacity;
	return 0;
}

/*
 * Take ccshm_lock with room for all of @list, or for one. Everybody's calls need
 * the lock, so that nothing of a size that one user chooses is allocated under it.
 */
static int targets_lock(struct targets *ts, struct list_head *list)
{
	for (;;) {
		unsigned int want = ts->nr + !list;
		struct list_head *node;
		int err;

		mutex_lock(&ccshm_lock);
		if (list)
			list_for_each(node, list)
				want++;
		if (want <= ts->capacity)
			return 0;
		mutex_unlock(&ccshm_lock);
		err = targets_grow(ts, want);
		if (err)
			return err;
	}
}

static void targets_add(struct targets *ts, struct ccshm_object *object)
{
	struct target *t;

	lockdep_assert_held(&ccshm_lock);
	/* Its last reference is dropped only after it has left the lists. */
	if (!kref_get_unless_zero(&object->ref))
		return;
	t = &ts->target[ts->nr++];
	t->object = object;
	if (is_export(t))
		t->file = ccshm_export_file(to_export(t));
}

/*
 * An export's attachments are collected after it was stopped (no new one then);
 * a buffer's are those of this moment.
 */
static int targets_collect(struct targets *ts, struct ccshm_object *object)
{
	bool all = object->type == CCSHM_TYPE_BUFFER;
	struct ccshm_export *export;
	int err;

	err = targets_lock(ts, all ? &object->buffer->exports : NULL);
	if (err)
		return err;
	if (all)
		list_for_each_entry(export, &object->buffer->exports, link)
			targets_add(ts, &export->obj);
	else
		targets_add(ts, object);
	mutex_unlock(&ccshm_lock);
	return 0;
}

static int targets_collect_attachments(struct targets *ts,
				       struct ccshm_object *object)
{
	struct ccshm_attachment *att;
	int err;

	if (object->type == CCSHM_TYPE_ATTACHMENT)
		return 0;
	err = targets_lock(ts, &object->buffer->attachments);
	if (err)
		return err;
	list_for_each_entry(att, &object->buffer->attachments, link)
		if (object->type == CCSHM_TYPE_BUFFER ||
		    (att->export && &att->export->obj == object))
			targets_add(ts, &att->obj);
	mutex_unlock(&ccshm_lock);
	return 0;
}

static void fences_put(struct target *t)
{
	while (t->nr_fences)
		dma_fence_put(t->fences[--t->nr_fences]);
	kfree(t->fences);
	t->fences = NULL;
}

static void targets_put(struct targets *ts)
{
	unsigned int i;

	for (i = 0; i < ts->nr; i++) {
		struct target *t = &ts->target[i];

		fences_put(t);
		if (t->file)
			fput(t->file);
		ccshm_object_put(t->object);
	}
	kvfree(ts->target);
}

static void targets_stop(struct targets *ts)
{
	unsigned int i;

	for (i = 0; i < ts->nr; i++) {
		struct target *t = &ts->target[i];

		if (is_export(t))
			ccshm_export_stop(to_export(t), t->file);
	}
}

static bool export_is_idle(void *object)
{
	struct ccshm_export *export = object;

	return !atomic_read(&export->device_mappings);
}

/* Take the fences that the export has now, and maybe tell the importers first. */
static int target_fences(struct target *t, bool tell, s64 deadline)
{
	fences_put(t);
	return ccshm_export_fences(t->file, tell, deadline, &t->fences,
				   &t->nr_fences);
}

/* All of them, though the lock of one may not be had in time. */
static int targets_tell(struct targets *ts, bool force, s64 deadline)
{
	unsigned int i;
	int err;

	for (i = 0; i < ts->nr; i++) {
		struct target *t = &ts->target[i];

		if (!is_export(t)) {
			ccshm_attachment_ask(to_attachment(t), force);
		} else if (t->file) {
			t->held = !export_is_idle(to_export(t));
			err = target_fences(t, true, deadline);
			t->told = !err;
			if (err && err != -ETIMEDOUT)
				return err;
		}
	}
	return 0;
}

static s64 time_left(s64 deadline)
{
	return deadline - ktime_get_ns();
}

/* Wait for @done until @deadline: 0, -ETIMEDOUT or -ERESTARTSYS. */
static int wait_until(wait_queue_head_t *wq, bool (*done)(void *object),
		      void *object, s64 deadline)
{
	s64 left;
	int err;

	if (deadline < 0)
		return wait_event_interruptible(*wq, done(object));
	left = time_left(deadline);
	if (done(object))
		return 0;
	if (left <= 0)
		return -ETIMEDOUT;
	err = wait_event_interruptible_hrtimeout(*wq, done(object),
						 ns_to_ktime(left));
	return err == -ETIME ? -ETIMEDOUT : err;
}

static int wait_fence(struct dma_fence *fence, s64 deadline)
{
	long jiffies = MAX_SCHEDULE_TIMEOUT;
	long ret;

	if (dma_fence_is_signaled(fence))
		return 0;
	if (deadline >= 0) {
		s64 left = time_left(deadline);

		if (left <= 0)
			return -ETIMEDOUT;
		jiffies = min_t(u64, nsecs_to_jiffies64(left) + 1,
				MAX_SCHEDULE_TIMEOUT - 1);
	}
	ret = dma_fence_wait_timeout(fence, true, jiffies);
	return ret > 0 ? 0 : ret ? ret : -ETIMEDOUT;
}

/* Those that were taken; others that are added meanwhile make it no longer. */
static int wait_fences(struct target *t, s64 deadline)
{
	unsigned int i;
	int err;

	for (i = 0; i < t->nr_fences; i++) {
		err = wait_fence(t->fences[i], deadline);
		if (err)
			return err;
	}
	return 0;
}

/* Without the fences it may not go. */
static int wait_last_mapping(struct ccshm_export *export, s64 deadline)
{
	if (export_is_idle(export))
		return 0;
	/* Whoever holds a pinned export was not asked to let go. */
	if (export->flags & CCSHM_EXPORT_PINNED)
		return -EBUSY;
	return wait_until(&export->idle, export_is_idle, export, deadline);
}

/*
 * 4. The fences, then the last mapping. Whoever let go of it after he was told may
 * have put another fence before, for what his device still did: those, too.
 */
static int wait_export(struct target *t, s64 deadline)
{
	struct ccshm_export *export = to_export(t);
	int err;

	if (t->file && !t->told)
		return -ETIMEDOUT;
	err = wait_fences(t, deadline);
	if (!err)
		err = wait_last_mapping(export, deadline);
	if (!err && t->held)
		err = target_fences(t, false, deadline);
	if (!err)
		err = wait_fences(t, deadline);
	if (err)
		return err;
	return ccshm_export_finish(export) ? 0 : -ETIMEDOUT;
}

static bool attachment_is_settled(void *object)
{
	struct ccshm_attachment *att = object;
	enum ccshm_state state = READ_ONCE(att->state);

	return state == CCSHM_STATE_REVOKED || state == CCSHM_STATE_STUCK;
}

static int wait_attachment(struct target *t, s64 deadline)
{
	struct ccshm_attachment *att = to_attachment(t);
	int err = wait_until(&att->wait, attachment_is_settled, att, deadline);

	if (err)
		return err;
	return READ_ONCE(att->state) == CCSHM_STATE_STUCK ? -EIO : 0;
}

/* Which of two errors is told: what calling again cannot help, first. */
static int worse(int a, int b)
{
	static const int order[] = { -ERESTARTSYS, -ENOMEM, -EIO, -EBUSY,
				     -ETIMEDOUT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a ?: b;
}

static int targets_wait(struct targets *ts, s64 deadline)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ts->nr && err != -ERESTARTSYS; i++) {
		struct target *t = &ts->target[i];

		err = worse(err, is_export(t) ? wait_export(t, deadline) :
						wait_attachment(t, deadline));
	}
	return err;
}

static void report_one(struct target *t, struct ccshm_ioc_revoke *req)
{
	enum ccshm_state state;

	if (is_export(t)) {
		state = READ_ONCE(to_export(t)->state);
		req->pages += to_export(t)->pages;
		if (state != CCSHM_STATE_REVOKED)
			req->device_mappings +=
				atomic_read(&to_export(t)->device_mappings);
	} else {
		state = READ_ONCE(to_attachment(t)->state);
		req->pages += to_attachment(t)->size >> PAGE_SHIFT;
		req->device_mappings += state != CCSHM_STATE_REVOKED;
		req->stopped += READ_ONCE(to_attachment(t)->stopped);
	}
	if (state == CCSHM_STATE_REVOKED)
		req->revoked++;
	else if (req->state != CCSHM_STATE_REVOKING)
		req->state = state;
}

static void report(struct targets *ts, struct ccshm_ioc_revoke *req)
{
	unsigned int i;

	req->state = CCSHM_STATE_REVOKED;
	for (i = 0; i < ts->nr; i++)
		report_one(&ts->target[i], req);
}

static int revoke_object(struct ccshm_object *object,
			 struct ccshm_ioc_revoke *req)
{
	bool force = req->flags & CCSHM_REVOKE_FORCE;
	u64 begin = ccshm_event_revoke_begin(object);
	struct targets ts = {};
	int err;

	err = targets_collect(&ts, object);
	if (err)
		goto put;
	targets_stop(&ts);
	err = targets_collect_attachments(&ts, object);
	if (!err)
		err = targets_tell(&ts, force, req->deadline_ns);
	if (!err)
		err = targets_wait(&ts, req->deadline_ns);
	report(&ts, req);
put:
	targets_put(&ts);
	ccshm_event_revoke_end(object, begin, req, err);
	trace_ccshm_revoke(object, req, ktime_get_ns() - begin, err);
	return err;
}

int ccshm_revoke(struct ccshm_call *call)
{
	struct ccshm_ioc_revoke *req = call->arg;
	struct ccshm_object *object;
	int err;

	if (req->flags & ~CCSHM_REVOKE_FORCE || req->reserved ||
	    req->deadline_ns < -1)
		return -EINVAL;
	object = ccshm_object_find(req->id, call->client, CCSHM_CONTROL);
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
