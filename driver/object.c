// SPDX-License-Identifier: GPL-2.0-only
/* Objects: one space of ids for buffers, exports and attachments. */
#include <linux/xarray.h>

#include "ccshm.h"

/* Protects the ids, names, and every list of objects. */
DEFINE_MUTEX(ccshm_lock);

static DEFINE_XARRAY(objects);
static atomic64_t last_id;
static atomic_t counts[CCSHM_TYPE_ATTACHMENT + 1];

/**
 * ccshm_object_init - give an object its id, which is not yet to be found
 * @object: to initialise, with one reference
 * @type: of it
 * @buffer: that it belongs to
 * @free: called with the last reference
 *
 * Return: 0 or -ENOMEM.
 */
int ccshm_object_init(struct ccshm_object *object, enum ccshm_type type,
		      struct ccshm_buffer *buffer,
		      void (*free)(struct ccshm_object *object))
{
	object->id = atomic64_inc_return(&last_id);
	object->type = type;
	object->buffer = buffer;
	object->free = free;
	kref_init(&object->ref);
	/* So that publishing cannot fail. */
	if (xa_reserve(&objects, object->id, GFP_KERNEL))
		return -ENOMEM;
	atomic_inc(&counts[type]);
	return 0;
}

void ccshm_object_publish(struct ccshm_object *object)
{
	lockdep_assert_held(&ccshm_lock);
	xa_store(&objects, object->id, object, GFP_KERNEL);
}

/* Also gives up the id of an object that was never published. */
void ccshm_object_unpublish(struct ccshm_object *object)
{
	lockdep_assert_held(&ccshm_lock);
	xa_erase(&objects, object->id);
}

/**
 * ccshm_object_get - find an object
 * @id: any number
 *
 * Says nothing about who may see it.
 *
 * Return: the object with a reference, or NULL.
 */
struct ccshm_object *ccshm_object_get(u64 id)
{
	struct ccshm_object *object;

	mutex_lock(&ccshm_lock);
	object = xa_load(&objects, id);
	if (object && !kref_get_unless_zero(&object->ref))
		object = NULL;
	mutex_unlock(&ccshm_lock);
	return object;
}

static void object_release(struct kref *ref)
{
	struct ccshm_object *object = container_of(ref, struct ccshm_object, ref);

	atomic_dec(&counts[object->type]);
	object->free(object);
}

void ccshm_object_put(struct ccshm_object *object)
{
	kref_put(&object->ref, object_release);
}

void ccshm_object_count(u32 *buffers, u32 *exports, u32 *attachments)
{
	*buffers = atomic_read(&counts[CCSHM_TYPE_BUFFER]);
	*exports = atomic_read(&counts[CCSHM_TYPE_EXPORT]);
	*attachments = atomic_read(&counts[CCSHM_TYPE_ATTACHMENT]);
}
