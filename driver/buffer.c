// SPDX-License-Identifier: GPL-2.0-only
/* Buffers: their names and owners, their memory, and when they end. */
#include <linux/cpuset.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/nodemask.h>
#include <linux/rbtree.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "ccshm.h"
#include "trace.h"

/*
 * Names of persistent buffers, unique for each owner (ccshm_lock). A tree: users
 * choose the names, and could fill one bucket of a table with them.
 */
static struct rb_root names = RB_ROOT;

static void buffer_free(struct ccshm_object *object)
{
	struct ccshm_buffer *buffer = container_of(object, struct ccshm_buffer, obj);

	/* An xa_reserve() that gets no memory for a node leaves empty nodes above it. */
	xa_destroy(&buffer->exports);
	xa_destroy(&buffer->attachments);
	kfree(buffer);
}

/**
 * ccshm_buffer_describe - describe the buffer of any object
 * @buffer: buffer to describe
 * @ns: user namespace of the user and group ids
 * @q: out: the fields about the object's buffer, whatever the object's type
 */
void ccshm_buffer_describe(struct ccshm_buffer *buffer,
			   struct user_namespace *ns, struct ccshm_ioc_query *q)
{
	lockdep_assert_held(&ccshm_lock);
	q->buffer_id = buffer->obj.id;
	q->uid = from_kuid_munged(ns, buffer->uid);
	q->gid = from_kgid_munged(ns, buffer->gid);
	q->payer = from_kuid_munged(ns, buffer->payer);
	q->mode = buffer->mode;
	q->charged = buffer->charged;
	q->carved = (u64)buffer->memory.slice.pages << PAGE_SHIFT;
	q->blocks = buffer->memory.blocks.nr;
	q->blocks_small = buffer->memory.blocks.small;
	q->units = buffer->memory.blocks.units;
	q->units_whole = buffer->memory.blocks.units_whole;
	q->conversions = ccshm_memory_conversions(&buffer->memory);
	if (!buffer->live)
		q->query_flags |= CCSHM_QUERY_ORPHAN;
	if (buffer->heap)
		q->query_flags |= CCSHM_QUERY_HEAP;
	if (buffer->sealed)
		q->query_flags |= CCSHM_QUERY_SEALED;
	memcpy(q->name, buffer->name, sizeof(q->name));
}

static void buffer_describe(struct ccshm_object *object,
			    struct user_namespace *ns, struct ccshm_ioc_query *q)
{
	struct ccshm_buffer *buffer = container_of(object, struct ccshm_buffer,
						   obj);

	ccshm_buffer_describe(buffer, ns, q);
	q->object_flags = buffer->flags;
	q->size = buffer->size;
	q->exports = buffer->nr_exports;
	q->attachments = buffer->nr_attachments;
}

static const struct ccshm_object_ops buffer_ops = {
	.type = CCSHM_TYPE_BUFFER,
	.free = buffer_free,
	.describe = buffer_describe,
};

static void buffer_release(struct ccshm_limit_return *returning)
{
	struct ccshm_buffer *buffer = container_of(returning, struct ccshm_buffer,
						   returning);
	struct ccshm_ioc_query q = {};
	kuid_t payer = buffer->payer;
	struct ccshm_memory memory;

	/* An export that is revoked but still open can be queried meanwhile. */
	mutex_lock(&ccshm_lock);
	ccshm_object_describe(&buffer->obj, &init_user_ns, &q);
	if (buffer->charged)
		trace_ccshm_free(buffer, buffer->charged);
	memory = buffer->memory;
	buffer->memory = (struct ccshm_memory){};
	buffer->charged = 0;
	mutex_unlock(&ccshm_lock);

	ccshm_memory_free(&memory);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&buffer->obj);
	mutex_unlock(&ccshm_lock);
	if (buffer->obj.announced)
		ccshm_event_described(CCSHM_EVENT_BUFFER_GONE, &q, payer);
	ccshm_limit_returned(&buffer->returning);
	complete_all(&buffer->released);
	ccshm_object_put(&buffer->obj);
}

/* Give the memory back, from a work item. */
static void buffer_return(struct ccshm_buffer *buffer)
{
	ccshm_limit_returning(&buffer->returning, buffer->payer,
			      ccshm_memory_returning(&buffer->memory));
	ccshm_limit_queue_return(&buffer->returning);
}

/**
 * ccshm_buffer_unuse - drop a use of the memory
 * @buffer: buffer with the memory
 *
 * The last drop queues a work item that returns the memory: importers' calls and exiting
 * processes must not convert.
 */
void ccshm_buffer_unuse(struct ccshm_buffer *buffer)
{
	if (refcount_dec_and_test(&buffer->users))
		buffer_return(buffer);
}

struct name_key {
	kuid_t uid;
	const char *name;
};

static int name_compare(const void *key, const struct rb_node *node)
{
	const struct name_key *k = key;
	const struct ccshm_buffer *buffer =
		rb_entry(node, struct ccshm_buffer, name_node);

	if (!uid_eq(k->uid, buffer->uid))
		return uid_lt(k->uid, buffer->uid) ? -1 : 1;
	return strcmp(k->name, buffer->name);
}

static int name_compare_nodes(struct rb_node *a, const struct rb_node *b)
{
	const struct ccshm_buffer *buffer =
		rb_entry(a, struct ccshm_buffer, name_node);
	const struct name_key key = { buffer->uid, buffer->name };

	return name_compare(&key, b);
}

static struct ccshm_buffer *name_find(kuid_t uid, const char *name)
{
	const struct name_key key = { uid, name };
	struct rb_node *node;

	lockdep_assert_held(&ccshm_lock);
	node = rb_find(&key, &names, name_compare);
	return node ? rb_entry(node, struct ccshm_buffer, name_node) : NULL;
}

/* Reserve the name before the buffer is listed, so that ALLOC cannot fail afterwards. */
static int name_reserve(struct ccshm_buffer *buffer)
{
	int err = 0;

	if (!buffer->name[0])
		return 0;
	mutex_lock(&ccshm_lock);
	if (rb_find_add(&buffer->name_node, &names, name_compare_nodes)) {
		RB_CLEAR_NODE(&buffer->name_node);
		err = -EEXIST;
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

static void name_release(struct ccshm_buffer *buffer)
{
	lockdep_assert_held(&ccshm_lock);
	if (RB_EMPTY_NODE(&buffer->name_node))
		return;
	rb_erase(&buffer->name_node, &names);
	RB_CLEAR_NODE(&buffer->name_node);
}

/*
 * Check a name. It begins with a letter or '_', so that it cannot be taken for an id or an
 * option.
 */
static bool name_valid(const char name[CCSHM_NAME_LEN])
{
	size_t i, len = strnlen(name, CCSHM_NAME_LEN);

	if (len == CCSHM_NAME_LEN ||
	    memchr_inv(name + len, 0, CCSHM_NAME_LEN - len))
		return false;
	for (i = 0; i < len; i++) {
		bool first = isascii(name[i]) &&
			     (isalpha(name[i]) || name[i] == '_');

		if (!first && (!i || !(isdigit(name[i]) || name[i] == '.' ||
				       name[i] == '-')))
			return false;
	}
	return true;
}

/**
 * ccshm_buffer_slice - check a slice
 * @limit: size of the object that is sliced
 * @offset: offset of the slice
 * @size: in and out: size of the slice; 0: up to the end
 *
 * Return: 0 or -EINVAL.
 */
int ccshm_buffer_slice(u64 limit, u64 offset, u64 *size)
{
	if (!PAGE_ALIGNED(offset) || !PAGE_ALIGNED(*size) || offset >= limit)
		return -EINVAL;
	if (!*size)
		*size = limit - offset;
	return *size > limit - offset ? -EINVAL : 0;
}

/* Remove the buffer's id, name and control. Exports and attachments remain. */
static void buffer_unlist(struct ccshm_buffer *buffer)
{
	struct ccshm_client *client = buffer->client;

	lockdep_assert_held(&ccshm_lock);
	buffer->live = false;
	WRITE_ONCE(buffer->client, NULL);
	name_release(buffer);
	if (client)
		xa_erase(&client->buffers, buffer->obj.id);
	ccshm_object_end(&buffer->obj);
	if (buffer->obj.announced)
		ccshm_event(CCSHM_EVENT_BUFFER_END, &buffer->obj);
	if (buffer->flags & CCSHM_ALLOC_PERSISTENT)
		module_put(THIS_MODULE);
}

static void buffer_end(struct ccshm_buffer *buffer)
{
	buffer_unlist(buffer);
	ccshm_buffer_unuse(buffer);
}

/* End the buffers of a file one at a time: calls of all users need ccshm_lock. */
void ccshm_buffer_end_client(struct ccshm_client *client)
{
	struct ccshm_object *object;
	u64 id = 0;

	while ((object = ccshm_object_next_of(&client->buffers, id, U64_MAX))) {
		id = object->id;
		mutex_lock(&ccshm_lock);
		object->closed = true;
		if (object->buffer->live)
			buffer_end(object->buffer);
		mutex_unlock(&ccshm_lock);
		ccshm_object_put(object);
		cond_resched();
	}
	xa_destroy(&client->buffers);
}

/*
 * Print for fdinfo the buffers that end with this file. Skip buffers created during the call:
 * other threads can create buffers as fast as it visits them.
 */
void ccshm_buffer_show_client(struct seq_file *m, struct ccshm_client *client)
{
	u64 id = 0, last = ccshm_object_last_id();
	struct ccshm_object *object;

	/* After an overflow, seq_file calls this function again with a larger buffer. */
	while (!seq_has_overflowed(m) &&
	       (object = ccshm_object_next_of(&client->buffers, id, last))) {
		id = object->id;
		seq_printf(m, "ccshm-buffer:\t%llu size %llu charged %llu\n",
			   id, object->buffer->size,
			   READ_ONCE(object->buffer->charged));
		ccshm_object_put(object);
		cond_resched();
	}
}

/*
 * End a buffer of the heap node whose dma-buf is gone. An administrator's FREE may have
 * ended it before.
 */
void ccshm_buffer_end_heap(struct ccshm_buffer *buffer)
{
	lockdep_assert_held(&ccshm_lock);
	if (buffer->heap && buffer->live) {
		buffer->obj.closed = true;
		buffer_end(buffer);
	}
}

static int alloc_check(const struct ccshm_ioc_alloc *req)
{
	const u64 known = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID |
			  CCSHM_ALLOC_GID | CCSHM_ALLOC_NODE |
			  CCSHM_ALLOC_INTERRUPTIBLE | CCSHM_ALLOC_DMA32 |
			  CCSHM_ALLOC_CONTIGUOUS | CCSHM_ALLOC_OTHERS_PIN |
			  CCSHM_ALLOC_WHOLE_UNITS;
	const u64 owned = CCSHM_ALLOC_UID | CCSHM_ALLOC_GID |
			  CCSHM_ALLOC_OTHERS_PIN;

	if (req->flags & ~known || req->reserved || req->mode & ~0666 ||
	    !name_valid(req->name))
		return -EINVAL;
	if (!req->size || req->size > (u64)LLONG_MAX - PAGE_SIZE)
		return -EINVAL;
	if (!(req->flags & CCSHM_ALLOC_PERSISTENT) &&
	    (req->flags & owned || req->mode || req->name[0]))
		return -EINVAL;
	if ((!(req->flags & CCSHM_ALLOC_UID) && req->uid) ||
	    (!(req->flags & CCSHM_ALLOC_GID) && req->gid))
		return -EINVAL;
	if (req->flags & CCSHM_ALLOC_NODE) {
		if (req->node < 0 || req->node >= MAX_NUMNODES ||
		    !node_online(req->node) ||
		    !node_isset(req->node, cpuset_current_mems_allowed))
			return -EINVAL;
	} else if (req->node) {
		return -EINVAL;
	}
	if (req->flags & CCSHM_ALLOC_CONTIGUOUS && req->size > CCSHM_CONTIGUOUS_MAX)
		return -EFBIG;
	return 0;
}

static int buffer_set_owner(struct ccshm_buffer *buffer,
			    const struct ccshm_ioc_alloc *req)
{
	buffer->payer = current_euid();
	buffer->uid = current_euid();
	buffer->gid = current_egid();
	if (req->flags & CCSHM_ALLOC_UID)
		buffer->uid = make_kuid(current_user_ns(), req->uid);
	if (req->flags & CCSHM_ALLOC_GID)
		buffer->gid = make_kgid(current_user_ns(), req->gid);
	return ccshm_owner_may(current_euid(), current_egid(), buffer->uid,
			       buffer->gid);
}

static struct ccshm_buffer *buffer_new(const struct ccshm_ioc_alloc *req)
{
	struct ccshm_limit_refusal refusal;
	struct ccshm_buffer *buffer;
	int err;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	refcount_set(&buffer->users, 1);
	buffer->flags = req->flags;
	buffer->mode = req->mode;
	buffer->size = PAGE_ALIGN(req->size);
	memcpy(buffer->name, req->name, sizeof(buffer->name));
	RB_CLEAR_NODE(&buffer->name_node);
	xa_init_flags(&buffer->exports, XA_FLAGS_ACCOUNT);
	xa_init_flags(&buffer->attachments, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&buffer->tallies);
	buffer->returning.give_back = buffer_release;
	init_completion(&buffer->released);

	err = buffer_set_owner(buffer, req);
	if (!err)
		err = ccshm_object_init(&buffer->obj, &buffer_ops, buffer, &refusal);
	if (ccshm_limit_refuses(err))
		ccshm_event_quota(&refusal);
	if (err) {
		kfree(buffer);
		return ERR_PTR(err);
	}
	return buffer;
}

/* Allocate the memory of a new buffer, and charge it to the buffer's payer. */
static int buffer_pay(struct ccshm_buffer *buffer, int node)
{
	const struct ccshm_payer payer = {
		.uid = buffer->payer,
		.owner = buffer->uid,
		.cgroup = ccshm_memory_cgroup_id(),
	};
	struct ccshm_wish wish = {
		.pages = buffer->size >> PAGE_SHIFT,
		.node = buffer->flags & CCSHM_ALLOC_NODE ? node : NUMA_NO_NODE,
		.dma32 = buffer->flags & CCSHM_ALLOC_DMA32,
		.contiguous = buffer->flags & CCSHM_ALLOC_CONTIGUOUS,
		.whole_units = buffer->flags & CCSHM_ALLOC_WHOLE_UNITS,
		.interruptible = buffer->flags & CCSHM_ALLOC_INTERRUPTIBLE,
		.payer = &payer,
	};
	struct ccshm_limit_refusal refusal;
	int err = ccshm_memory_alloc(&buffer->memory, &wish);

	if (!err)
		buffer->charged = (u64)ccshm_memory_pages(&buffer->memory) << PAGE_SHIFT;
	if (ccshm_limit_refuses(err)) {
		ccshm_limit_describe_refusal(buffer->payer, err, buffer->size,
					     &refusal);
		ccshm_event_quota(&refusal);
	}
	trace_ccshm_alloc(buffer, err);
	return err;
}

/*
 * Drop the use of a buffer whose call fails. Leave the conversion to a work item: a caller
 * that is being killed or interrupted does not wait for it.
 */
static void buffer_drop(struct ccshm_buffer *buffer)
{
	if (!refcount_dec_and_test(&buffer->users))
		return;
	if (!ccshm_memory_is_shared(&buffer->memory)) {
		ccshm_limit_returning(&buffer->returning, buffer->payer, 0);
		buffer_release(&buffer->returning);
		return;
	}
	kref_get(&buffer->obj.ref);
	buffer_return(buffer);
	if (buffer->flags & CCSHM_ALLOC_INTERRUPTIBLE)
		wait_for_completion_interruptible(&buffer->released);
	else
		wait_for_completion_killable(&buffer->released);
	ccshm_object_put(&buffer->obj);
}

/* End a buffer that was never listed. */
static void buffer_forget(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	mutex_lock(&ccshm_lock);
	name_release(buffer);
	if (client)
		xa_release(&client->buffers, buffer->obj.id);
	ccshm_object_unpublish(&buffer->obj);
	mutex_unlock(&ccshm_lock);
	buffer_drop(buffer);
}

/*
 * List a buffer: from now on it can be found, queried and freed, before user memory is
 * accessed. Take one more reference, for the call.
 */
static void buffer_list(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	kref_get(&buffer->obj.ref);
	mutex_lock(&ccshm_lock);
	buffer->live = true;
	if (buffer->flags & CCSHM_ALLOC_PERSISTENT)
		__module_get(THIS_MODULE);
	if (client) {
		buffer->client = client;
		/* Reserved by ccshm_alloc_ioctl(). */
		xa_store(&client->buffers, buffer->obj.id, &buffer->obj, 0);
	}
	ccshm_object_publish(&buffer->obj);
	mutex_unlock(&ccshm_lock);
}

/*
 * Complete the call that made a buffer: drop the reference of the call, or return -ENOENT if
 * the buffer was freed meanwhile.
 */
static int buffer_commit(struct ccshm_buffer *buffer)
{
	int err = 0;

	mutex_lock(&ccshm_lock);
	if (buffer->live)
		ccshm_object_announce(&buffer->obj, CCSHM_EVENT_BUFFER_NEW);
	else
		err = -ENOENT;
	mutex_unlock(&ccshm_lock);
	if (!err)
		ccshm_object_put(&buffer->obj);
	return err;
}

/**
 * ccshm_buffer_cancel - end a buffer whose call fails
 * @buffer: buffer with the call's reference, which is dropped
 *
 * Return the memory before the call returns, unless the caller is being killed.
 */
void ccshm_buffer_cancel(struct ccshm_buffer *buffer)
{
	bool live;

	mutex_lock(&ccshm_lock);
	live = buffer->live;
	if (live)
		buffer_unlist(buffer);
	mutex_unlock(&ccshm_lock);
	if (live)
		buffer_drop(buffer);
	ccshm_object_put(&buffer->obj);
}

/**
 * ccshm_buffer_for_heap - allocate a buffer that ends with its dma-buf
 * @size: size in bytes
 *
 * Return: the buffer, listed, to be committed or cancelled; or what ALLOC returns.
 */
struct ccshm_buffer *ccshm_buffer_for_heap(u64 size)
{
	const struct ccshm_ioc_alloc req = { .size = size };
	struct ccshm_buffer *buffer = buffer_new(&req);
	int err;

	if (IS_ERR(buffer))
		return buffer;
	buffer->heap = true;
	err = buffer_pay(buffer, 0);
	if (err) {
		buffer_forget(buffer, NULL);
		return ERR_PTR(err);
	}
	buffer_list(buffer, NULL);
	return buffer;
}

static int alloc_commit(struct ccshm_call *call)
{
	return buffer_commit(container_of(call->object, struct ccshm_buffer, obj));
}

static void alloc_undo(struct ccshm_call *call)
{
	ccshm_buffer_cancel(container_of(call->object, struct ccshm_buffer, obj));
}

int ccshm_alloc_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_alloc *req = call->arg;
	struct ccshm_client *client = NULL;
	struct ccshm_buffer *buffer;
	int err;

	err = alloc_check(req);
	if (err)
		return err;
	buffer = buffer_new(req);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	err = name_reserve(buffer);
	if (!err && !(req->flags & CCSHM_ALLOC_PERSISTENT)) {
		client = call->client;
		err = xa_reserve(&client->buffers, buffer->obj.id,
				 GFP_KERNEL_ACCOUNT);
	}
	if (!err)
		err = buffer_pay(buffer, req->node);
	if (err) {
		buffer_forget(buffer, client);
		return err;
	}

	buffer_list(buffer, client);
	req->id = buffer->obj.id;
	req->actual_size = buffer->size;
	call->object = &buffer->obj;
	call->commit = alloc_commit;
	call->undo = alloc_undo;
	return 0;
}

/**
 * ccshm_buffer_free - end a buffer
 * @buffer: buffer, with a reference
 * @client: open file that the caller came through
 *
 * Its exports and attachments stay, and keep the memory.
 *
 * Return: 0; -ENOENT when the buffer has ended before; -EPERM when SET has taken control
 * from the caller since it found the buffer.
 */
int ccshm_buffer_free(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	int err = 0;

	mutex_lock(&ccshm_lock);
	if (!buffer->live)
		err = -ENOENT;
	else if (!ccshm_buffer_control(buffer, client))
		err = -EPERM;
	else
		buffer_end(buffer);
	mutex_unlock(&ccshm_lock);
	return err;
}

static bool set_is_valid(const struct ccshm_ioc_set *req)
{
	const u64 known = CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID |
			  CCSHM_SET_NAME | CCSHM_SET_SEALED;

	if (!req->flags || req->flags & ~known || req->reserved)
		return false;
	if (req->mode & ~0666 || req->sealed > 1 || !name_valid(req->name))
		return false;
	return (req->flags & CCSHM_SET_MODE || !req->mode) &&
	       (req->flags & CCSHM_SET_GID || !req->gid) &&
	       (req->flags & CCSHM_SET_UID || !req->uid) &&
	       (req->flags & CCSHM_SET_NAME || !req->name[0]) &&
	       (req->flags & CCSHM_SET_SEALED || !req->sealed);
}

/*
 * Determine the owner and group that SET requests, and check that the caller may assign them.
 */
static int set_owner(const struct ccshm_buffer *buffer,
		     const struct ccshm_ioc_set *req, kuid_t *uid, kgid_t *gid)
{
	*uid = buffer->uid;
	*gid = buffer->gid;
	if (req->flags & CCSHM_SET_UID)
		*uid = make_kuid(current_user_ns(), req->uid);
	if (req->flags & CCSHM_SET_GID)
		*gid = make_kgid(current_user_ns(), req->gid);
	return ccshm_owner_may(buffer->uid, buffer->gid, *uid, *gid);
}

/* Apply all changes or none: check first that the name is free. */
static int set_apply(struct ccshm_buffer *buffer, const struct ccshm_ioc_set *req,
		     kuid_t uid, kgid_t gid)
{
	const char *name = req->flags & CCSHM_SET_NAME ? req->name : buffer->name;
	struct ccshm_buffer *other;

	lockdep_assert_held(&ccshm_lock);
	other = name[0] ? name_find(uid, name) : NULL;
	if (other && other != buffer)
		return -EEXIST;
	name_release(buffer);
	buffer->uid = uid;
	buffer->gid = gid;
	if (req->flags & CCSHM_SET_MODE)
		buffer->mode = req->mode;
	if (req->flags & CCSHM_SET_NAME)
		memcpy(buffer->name, req->name, sizeof(buffer->name));
	if (req->flags & CCSHM_SET_SEALED)
		buffer->sealed = req->sealed;
	if (buffer->name[0])
		rb_find_add(&buffer->name_node, &names, name_compare_nodes);
	ccshm_changed();
	return 0;
}

int ccshm_set_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_set *req = call->arg;
	struct ccshm_buffer *buffer;
	int err = -EINVAL;
	kuid_t uid;
	kgid_t gid;

	if (!set_is_valid(req))
		return -EINVAL;
	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_CONTROL);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	mutex_lock(&ccshm_lock);
	if (!buffer->live)
		err = -ENOENT;
	else if (!ccshm_buffer_control(buffer, call->client))
		err = -EPERM;
	else if (buffer->flags & CCSHM_ALLOC_PERSISTENT ||
		 req->flags == CCSHM_SET_SEALED)
		err = set_owner(buffer, req, &uid, &gid);
	if (!err)
		err = set_apply(buffer, req, uid, gid);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&buffer->obj);
	return err;
}

int ccshm_open_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_open *req = call->arg;
	struct ccshm_buffer *buffer;
	kuid_t uid = current_euid();
	int err = -ENOENT;

	if (req->flags & ~CCSHM_OPEN_UID || req->reserved ||
	    !name_valid(req->name) || !req->name[0])
		return -EINVAL;
	if (req->flags & CCSHM_OPEN_UID)
		uid = make_kuid(current_user_ns(), req->uid);
	else if (req->uid)
		return -EINVAL;
	if (!uid_valid(uid))
		return -EINVAL;

	mutex_lock(&ccshm_lock);
	buffer = name_find(uid, req->name);
	if (buffer && buffer->live)
		err = ccshm_buffer_may(buffer, call->client, CCSHM_SEE);
	if (!err)
		req->id = buffer->obj.id;
	mutex_unlock(&ccshm_lock);
	return err;
}
