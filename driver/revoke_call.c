// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that revoke: REVOKE, and FREE with CCSHM_FREE_REVOKE.
 *
 * REVOKE closes the exports of an object, removes the CPU mappings, asks the holders of
 * attachments or stops their devices, and waits until its deadline with nothing held. It
 * visits them by their ids, so it allocates no memory to stop them.
 * The steps of the revoke of one export are in revoke.c.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "ccshm.h"
#include "trace.h"

/*
 * How long a call waits in all, whatever its deadline, for importers to be notified. A
 * well-behaved importer holds the reservation lock only briefly.
 */
#define NOTIFY_MOMENT	(200 * NSEC_PER_MSEC)

/**
 * struct revoke - a call
 * @object: object to revoke
 * @req: request and result
 * @begin: start of the call, CLOCK_MONOTONIC
 * @tally: what ends while the call runs; its @last are the ids of the youngest objects
 *	to revoke
 * @force: stop devices instead of waiting for their holders
 * @orderly: remove CPU mappings after the attachments were detached
 */
struct revoke {
	struct ccshm_object *object;
	struct ccshm_ioc_revoke *req;
	s64 begin;
	struct ccshm_tally tally;
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

/* Return the next export to revoke, by id, with a reference. */
static struct ccshm_object *next_export(const struct revoke *rev, u64 id)
{
	if (rev->object->type == CCSHM_TYPE_BUFFER)
		return ccshm_object_next_of(&rev->object->buffer->exports, id,
					    rev->tally.last[CCSHM_TYPE_EXPORT]);
	if (id || rev->object->type != CCSHM_TYPE_EXPORT)
		return NULL;
	kref_get(&rev->object->ref);
	return rev->object;
}

/* Return the next attachment to revoke: of an export, one that was made from it. */
static struct ccshm_object *next_attachment(const struct revoke *rev, u64 id)
{
	u64 last = rev->tally.last[CCSHM_TYPE_ATTACHMENT];
	struct ccshm_object *object = rev->object;

	if (object->type == CCSHM_TYPE_ATTACHMENT) {
		if (id)
			return NULL;
		kref_get(&object->ref);
		return object;
	}
	do {
		struct ccshm_object *next =
			ccshm_object_next_of(&object->buffer->attachments, id, last);

		if (!next || object->type == CCSHM_TYPE_BUFFER ||
		    (to_attachment(next)->export &&
		     &to_attachment(next)->export->obj == object))
			return next;
		id = next->id;
		ccshm_object_put(next);
		cond_resched();
	} while (true);
}

/* Call @action for each export. A signal does not end this early. */
static void for_exports(struct revoke *rev,
			void (*action)(struct ccshm_export *export,
				       struct revoke *rev))
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_export(rev, id))) {
		id = object->id;
		action(to_export(object), rev);
		ccshm_object_put(object);
		cond_resched();
	}
}

static void begin_export(struct ccshm_export *export, struct revoke *rev)
{
	ccshm_revocation_close(export, !rev->orderly);
	if (!rev->orderly)
		ccshm_revocation_end_cpu(export);
	else if (READ_ONCE(export->mapped))
		ccshm_revocation_request(export);
}

static void end_orderly(struct ccshm_export *export, struct revoke *rev)
{
	ccshm_revocation_close(export, true);
	ccshm_revocation_end_cpu(export);
}

static void revoke_attachments(struct revoke *rev)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_attachment(rev, id))) {
		id = object->id;
		ccshm_attachment_revoke(to_attachment(object), rev->force);
		ccshm_object_put(object);
		cond_resched();
	}
}

/*
 * Begin to revoke all exports, and then all attachments. This includes attachments made
 * from an export before it was closed; no more can be made afterwards. Nothing ends this early:
 * a process that is being killed cannot repeat the call.
 */
static void begin_all(struct revoke *rev)
{
	for_exports(rev, begin_export);
	ccshm_tally_extend(&rev->tally);
	revoke_attachments(rev);
}

/* Wait for @done until @deadline; return 0, -ETIMEDOUT or -ERESTARTSYS. */
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

/* Check whether importers that need not unmap on request have the export mapped. */
static bool export_is_held(struct ccshm_export *export)
{
	return export->flags & CCSHM_EXPORT_PINNED &&
	       atomic_read(&export->device_mappings);
}

static bool export_is_notified(void *object)
{
	return ccshm_revocation_is_notified(object);
}

static bool export_is_decided(void *object)
{
	return ccshm_export_is_revoked(object) || export_is_held(object);
}

/*
 * Wait until importers have been notified. After the deadline a signal that the process
 * survives would begin the call, and the moment, again: it does not end that wait.
 */
static int wait_notified(struct ccshm_export *export, struct revoke *rev)
{
	int err = wait_until(&export->idle, export_is_notified, export,
			     rev->req->deadline_ns);
	s64 left = rev->begin + NOTIFY_MOMENT - ktime_get_ns();
	long ret;

	if (err != -ETIMEDOUT || left <= 0)
		return err;
	ret = wait_event_killable_timeout(export->idle, export_is_notified(export),
					  nsecs_to_jiffies(left) + 1);
	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIMEDOUT;
}

static int wait_export(struct ccshm_export *export, struct revoke *rev)
{
	s64 deadline = rev->req->deadline_ns;
	int err;

	err = wait_notified(export, rev);
	if (!err)
		err = wait_until(&export->idle, export_is_decided, export,
				 deadline);
	if (err)
		return err;
	return ccshm_export_is_revoked(export) ? 0 : -EBUSY;
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

/* Add the state of an export or attachment to the result. */
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
	bool revoked = ccshm_export_is_revoked(export);

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

/*
 * Check whether an object is to be reported: it is listed, or it is the one that the
 * caller has named. The tally includes objects that have ended.
 */
static bool is_reported(struct revoke *rev, struct ccshm_object *object)
{
	return object == rev->object || ccshm_tally_visit(&rev->tally, object);
}

/*
 * Wait for all exports until the deadline, and report on each. An active one is not
 * covered: its EXPORT began before this call, and listed it after the others were closed.
 */
static int wait_exports(struct revoke *rev, int err)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_export(rev, id))) {
		bool covered = !ccshm_export_is_active(to_export(object));

		id = object->id;
		if (covered && err != -ERESTARTSYS)
			err = choose_error(err, wait_export(to_export(object),
							    rev));
		if (is_reported(rev, object) && covered)
			report_export(to_export(object), rev->req);
		ccshm_object_put(object);
		cond_resched();
	}
	return err;
}

/* As wait_exports(): ATTACH can list an attachment long after it began. */
static int wait_attachments(struct revoke *rev, int err, bool report)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = next_attachment(rev, id))) {
		struct ccshm_attachment *att = to_attachment(object);
		bool covered = READ_ONCE(att->state) != CCSHM_STATE_ACTIVE;

		id = object->id;
		if (covered && err != -ERESTARTSYS)
			err = choose_error(err, wait_attachment(att, rev));
		if (report && is_reported(rev, object) && covered)
			report_attachment(att, rev->req);
		ccshm_object_put(object);
		cond_resched();
	}
	return err;
}

/*
 * After a signal, an orderly revoke leaves the CPU mappings, so that the call can be
 * repeated; a process that is being killed cannot repeat it.
 */
static int revoke_steps(struct revoke *rev)
{
	int err;

	begin_all(rev);
	if (rev->orderly) {
		err = wait_attachments(rev, 0, false);
		if (err == -ERESTARTSYS && !fatal_signal_pending(current))
			return err;
		for_exports(rev, end_orderly);
	}
	rev->req->state = CCSHM_STATE_REVOKED;
	err = wait_exports(rev, 0);
	return wait_attachments(rev, err, true);
}

static int revoke_object(struct ccshm_object *object, struct ccshm_client *client,
			 struct ccshm_ioc_revoke *req)
{
	struct revoke rev = {
		.object = object,
		.req = req,
		.tally.object = object,
		.force = req->flags & CCSHM_REVOKE_FORCE,
		.orderly = req->flags & CCSHM_REVOKE_ORDERLY,
	};
	int err = ccshm_revoke_enter(&rev.tally, client, req->flags & CCSHM_REVOKE_SEAL);

	if (err)
		return err;
	rev.begin = ccshm_event_revoke_begin(object);
	err = revoke_steps(&rev);
	ccshm_tally_end(&rev.tally);
	req->revoked += rev.tally.objects;
	req->pages += rev.tally.pages;
	req->stopped += rev.tally.stopped;
	ccshm_event_revoke_end(object, rev.begin, req, err);
	trace_ccshm_revoke(object, req, ktime_get_ns() - rev.begin, err);
	return err;
}

/* Begin to revoke all exports and attachments of a buffer, and wait for none. */
static void revoke_begin(struct ccshm_buffer *buffer)
{
	struct revoke rev = {
		.object = &buffer->obj,
		.tally.object = &buffer->obj,
	};

	mutex_lock(&ccshm_lock);
	ccshm_tally_begin(&rev.tally);
	mutex_unlock(&ccshm_lock);
	begin_all(&rev);
	ccshm_tally_end(&rev.tally);
}

static struct ccshm_object *revoke_find(struct ccshm_call *call)
{
	const struct ccshm_ioc_revoke *req = call->arg;
	struct ccshm_object *object;

	if (!(req->flags & CCSHM_REVOKE_BY_FD))
		return ccshm_object_find(req->id, call->client, CCSHM_CONTROL);
	object = ccshm_object_from_fd(req->fd);
	/* A caller that has the descriptor may see the object: not -ENOENT. */
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
	if (req->flags & CCSHM_REVOKE_FORCE && !ccshm_may_program_devices()) {
		ccshm_object_put(object);
		return -EPERM;
	}
	err = revoke_object(object, call->client, req);
	ccshm_object_put(object);
	call->report = err == -ETIMEDOUT || err == -EBUSY || err == -EIO;
	return err;
}

int ccshm_free_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_free *req = call->arg;
	struct ccshm_buffer *buffer;
	int err;

	if (req->flags & ~CCSHM_FREE_REVOKE)
		return -EINVAL;
	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_CONTROL);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	err = ccshm_buffer_free(buffer, call->client);
	if (!err && req->flags & CCSHM_FREE_REVOKE)
		revoke_begin(buffer);
	ccshm_object_put(&buffer->obj);
	return err;
}
