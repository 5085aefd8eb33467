// SPDX-License-Identifier: GPL-2.0-only
/* Objects: one space of ids for buffers, exports and attachments. */
#include <linux/cred.h>
#include <linux/sched/mm.h>
#include <linux/xarray.h>

#include "ccshm.h"

/* Protects the ids, names, and every list of objects. */
DEFINE_MUTEX(ccshm_lock);

static DEFINE_XARRAY_FLAGS(objects, XA_FLAGS_ACCOUNT);
static atomic64_t last_id;
static atomic64_t made[CCSHM_TYPE_ATTACHMENT + 1];
static atomic_t generation;

/* Marks of the types, to find the objects of one type without visiting the others. */
static const xa_mark_t marks[] = {
	[CCSHM_TYPE_BUFFER] = XA_MARK_0,
	[CCSHM_TYPE_EXPORT] = XA_MARK_1,
	[CCSHM_TYPE_ATTACHMENT] = XA_MARK_2,
};

/**
 * ccshm_object_init - initialise an object, which is not published yet
 * @object: object, which gets an id and one reference
 * @ops: operations of its type
 * @buffer: buffer that it belongs to
 * @refusal: out: limit that refused a buffer or an export; NULL for an attachment
 *
 * An export is charged to the caller's effective uid, other objects to the payer
 * of @buffer.
 *
 * Return: 0 or -ENOMEM; for a buffer or an export also -EDQUOT, and @refusal is filled
 * in; for a buffer also -EINTR.
 */
int ccshm_object_init(struct ccshm_object *object,
		      const struct ccshm_object_ops *ops,
		      struct ccshm_buffer *buffer,
		      struct ccshm_limit_refusal *refusal)
{
	int err;

	object->id = atomic64_inc_return(&last_id);
	object->type = ops->type;
	object->ops = ops;
	object->buffer = buffer;
	object->payer = ops->type == CCSHM_TYPE_EXPORT ? current_euid() :
							 buffer->payer;
	kref_init(&object->ref);
	/* Reserve the entry, so that ccshm_object_publish() cannot fail. */
	err = xa_reserve(&objects, object->id, GFP_KERNEL);
	if (err)
		return err;
	err = ccshm_limit_add(object->payer, object->type,
			      buffer->flags & CCSHM_ALLOC_INTERRUPTIBLE, refusal);
	if (err)
		xa_release(&objects, object->id);
	return err;
}

/* Free the nodes that an xa_reserve() which got no memory has left: no object exists any more. */
void ccshm_object_exit(void)
{
	xa_destroy(&objects);
}

/* Publish an object: from now on it can be found by its id. */
void ccshm_object_publish(struct ccshm_object *object)
{
	lockdep_assert_held(&ccshm_lock);
	/* Reserved by ccshm_object_init(). */
	xa_store(&objects, object->id, object, 0);
	xa_set_mark(&objects, object->id, marks[object->type]);
	ccshm_changed();
}

/**
 * ccshm_object_announce - report that the call that made an object succeeds
 * @object: object that was published
 * @type: event to send
 *
 * No event is sent of an object whose call fails after the object was published.
 */
void ccshm_object_announce(struct ccshm_object *object, enum ccshm_event_type type)
{
	lockdep_assert_held(&ccshm_lock);
	object->announced = true;
	atomic64_inc(&made[object->type]);
	ccshm_event(type, object);
}

/* End an object: it cannot be found by its id any more, but is listed until unpublished. */
void ccshm_object_end(struct ccshm_object *object)
{
	lockdep_assert_held(&ccshm_lock);
	object->ended = true;
	ccshm_changed();
}

/* Unpublish an object, or release the id of one that was never published. */
void ccshm_object_unpublish(struct ccshm_object *object)
{
	lockdep_assert_held(&ccshm_lock);
	xa_erase(&objects, object->id);
	ccshm_changed();
}

/* Count a change of any object: a list that is being read may be inconsistent. */
void ccshm_changed(void)
{
	atomic_inc(&generation);
}

/* Return a number that differs after each change and is never 0. */
unsigned int ccshm_generation(void)
{
	return (unsigned int)atomic_read(&generation) | 1U << 31;
}

/**
 * ccshm_object_get - find an object by its id
 * @id: any number
 *
 * Checks no permission: callers use ccshm_object_find() for that.
 *
 * Return: the object with a reference, or NULL.
 */
struct ccshm_object *ccshm_object_get(u64 id)
{
	struct ccshm_object *object;

	mutex_lock(&ccshm_lock);
	object = xa_load(&objects, id);
	if (object && (object->ended || !kref_get_unless_zero(&object->ref)))
		object = NULL;
	mutex_unlock(&ccshm_lock);
	return object;
}

/**
 * ccshm_object_next - visit all objects of a type, in the order of their ids
 * @type: type of the objects
 * @id: id of the previous object; 0 at first
 * @last: largest id to visit. A caller that visits all objects passes the id of the
 *	youngest object when it begins: other users can create objects as fast as it
 *	visits them.
 *
 * Includes buffers that have ended and still have memory. Nothing is locked between two
 * calls.
 *
 * Return: the object with a reference, or NULL.
 */
struct ccshm_object *ccshm_object_next(enum ccshm_type type, u64 id, u64 last)
{
	unsigned long index = id;
	struct ccshm_object *object;

	mutex_lock(&ccshm_lock);
	do {
		object = xa_find_after(&objects, &index, last, marks[type]);
	} while (object && !kref_get_unless_zero(&object->ref));
	mutex_unlock(&ccshm_lock);
	return object;
}

/**
 * ccshm_object_next_of - visit the objects of a set, in the order of their ids
 * @set: exports or attachments of a buffer, or buffers of a client
 * @id: id of the previous object; 0 at first
 * @last: largest id to visit
 *
 * Nothing is locked between two calls, and each holds ccshm_lock for one object.
 *
 * Return: the object with a reference, or NULL.
 */
struct ccshm_object *ccshm_object_next_of(struct xarray *set, u64 id, u64 last)
{
	unsigned long index = id;
	struct ccshm_object *object;

	mutex_lock(&ccshm_lock);
	do {
		object = xa_find_after(set, &index, last, XA_PRESENT);
	} while (object && !kref_get_unless_zero(&object->ref));
	mutex_unlock(&ccshm_lock);
	return object;
}

/* Return the id of the youngest object, published or not. */
u64 ccshm_object_last_id(void)
{
	return atomic64_read(&last_id);
}

/* ---- objects that end while a revoke runs ---- */

/*
 * How many revokes of a buffer count the objects that end: each that ends visits them under
 * ccshm_lock.
 */
#define MAX_TALLIES	64

/**
 * ccshm_tally_begin - begin to count the objects that end
 * @tally: sums, with @object filled in; the other members are 0
 *
 * The caller holds ccshm_lock, under which it has checked what the process may do.
 *
 * A revoke visits only objects that are still listed. Those that have ended meanwhile,
 * for example because a process died when it lost its mapping, are in the sums. Both
 * include the exports and attachments that are listed now, and those that
 * ccshm_tally_extend() adds.
 */
void ccshm_tally_begin(struct ccshm_tally *tally)
{
	struct ccshm_buffer *buffer = tally->object->buffer;

	lockdep_assert_held(&ccshm_lock);
	tally->last[CCSHM_TYPE_EXPORT] = ccshm_object_last_id();
	tally->last[CCSHM_TYPE_ATTACHMENT] = ccshm_object_last_id();
	INIT_LIST_HEAD(&tally->link);
	if (buffer->nr_tallies == MAX_TALLIES)
		return;
	list_add(&tally->link, &buffer->tallies);
	buffer->nr_tallies++;
}

/* Include the attachments that are listed now, and were made after the tally had begun. */
void ccshm_tally_extend(struct ccshm_tally *tally)
{
	mutex_lock(&ccshm_lock);
	tally->last[CCSHM_TYPE_ATTACHMENT] = ccshm_object_last_id();
	mutex_unlock(&ccshm_lock);
}

void ccshm_tally_end(struct ccshm_tally *tally)
{
	mutex_lock(&ccshm_lock);
	if (!list_empty(&tally->link)) {
		list_del(&tally->link);
		tally->object->buffer->nr_tallies--;
	}
	mutex_unlock(&ccshm_lock);
}

/* Exclude an object from the sums; return false if the sums include it already. */
bool ccshm_tally_visit(struct ccshm_tally *tally, struct ccshm_object *object)
{
	bool listed;

	mutex_lock(&ccshm_lock);
	listed = xa_load(&objects, object->id) == object;
	if (listed)
		tally->visited[object->type] = object->id;
	mutex_unlock(&ccshm_lock);
	return listed;
}

/**
 * ccshm_tally_count - count an export or attachment that is being unlisted
 * @object: object to count
 * @export: export that an attachment was made from, or NULL
 * @pages: its pages
 * @stopped: ccshm has stopped the device of the attachment
 */
void ccshm_tally_count(struct ccshm_object *object, struct ccshm_export *export,
		       unsigned long pages, bool stopped)
{
	struct ccshm_tally *tally;

	lockdep_assert_held(&ccshm_lock);
	list_for_each_entry(tally, &object->buffer->tallies, link) {
		if (tally->object != &object->buffer->obj &&
		    !(export && tally->object == &export->obj))
			continue;
		if (object->id > tally->last[object->type] ||
		    object->id <= tally->visited[object->type])
			continue;
		tally->objects++;
		tally->pages += pages;
		tally->stopped += stopped;
	}
}

/**
 * ccshm_object_uncount - stop counting an object
 * @object: object that nobody can find or use any more, though it may have references
 *
 * Otherwise the object is counted until its last reference is dropped.
 */
void ccshm_object_uncount(struct ccshm_object *object)
{
	if (object->uncounted)
		return;
	object->uncounted = true;
	ccshm_limit_remove(object->payer, object->type);
}

static void object_release(struct kref *ref)
{
	struct ccshm_object *object = container_of(ref, struct ccshm_object, ref);

	ccshm_object_uncount(object);
	object->ops->free(object);
}

void ccshm_object_put(struct ccshm_object *object)
{
	kref_put(&object->ref, object_release);
}

/**
 * ccshm_object_prime - declare that nothing is allocated under ccshm_lock
 *
 * On a kernel with lockdep, every allocation under ccshm_lock that may reclaim memory
 * is reported from now on, whether it has to reclaim or not.
 */
void __init ccshm_object_prime(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	mutex_lock(&ccshm_lock);
	mutex_unlock(&ccshm_lock);
	fs_reclaim_release(GFP_KERNEL);
}

/* Return how many objects of a type were announced since the module was loaded. */
u64 ccshm_object_made(enum ccshm_type type)
{
	return atomic64_read(&made[type]);
}
