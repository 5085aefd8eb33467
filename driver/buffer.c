// SPDX-License-Identifier: GPL-2.0-only
/* Buffers: who owns one, who may use it, when it ends. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/hashtable.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/user_namespace.h>

#include "ccshm.h"
#include "trace.h"

/* Names of persistent buffers, unique for each owner (ccshm_lock). */
static DEFINE_HASHTABLE(names, 8);

static void buffer_free(struct ccshm_object *object)
{
	kfree(container_of(object, struct ccshm_buffer, obj));
}

static void buffer_release(struct work_struct *work)
{
	struct ccshm_buffer *buffer = container_of(work, struct ccshm_buffer,
						   release);
	struct ccshm_ioc_query q = {};
	struct ccshm_blocks blocks;

	/* An export that is revoked but still open can be queried meanwhile. */
	mutex_lock(&ccshm_lock);
	ccshm_describe(&buffer->obj, &init_user_ns, &q);
	if (buffer->charged)
		trace_ccshm_free(buffer, buffer->charged);
	blocks = buffer->blocks;
	buffer->blocks = (struct ccshm_blocks){};
	buffer->charged = 0;
	mutex_unlock(&ccshm_lock);

	ccshm_convert_unshare(&blocks);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&buffer->obj);
	mutex_unlock(&ccshm_lock);
	/* Nobody knows of one that was never published. */
	if (buffer->obj.ended)
		ccshm_event_described(CCSHM_EVENT_BUFFER_GONE, &q);
	ccshm_object_put(&buffer->obj);
}

/**
 * ccshm_buffer_unuse - one that could reach the memory is gone
 * @buffer: the last one gives the memory back, from a work item: a conversion
 *	is nothing for an importer's call or an exiting process
 */
void ccshm_buffer_unuse(struct ccshm_buffer *buffer)
{
	if (refcount_dec_and_test(&buffer->users))
		queue_work(ccshm_wq, &buffer->release);
}

static u32 name_hash(kuid_t uid, const char *name)
{
	return full_name_hash(NULL, name, strlen(name)) ^ __kuid_val(uid);
}

static struct ccshm_buffer *name_find(kuid_t uid, const char *name)
{
	struct ccshm_buffer *buffer;

	lockdep_assert_held(&ccshm_lock);
	hash_for_each_possible(names, buffer, name_link, name_hash(uid, name)) {
		if (uid_eq(buffer->uid, uid) && !strcmp(buffer->name, name))
			return buffer;
	}
	return NULL;
}

/* Taken before the buffer is to be found by it, so that ALLOC cannot fail late. */
static int name_reserve(struct ccshm_buffer *buffer)
{
	int err = 0;

	if (!buffer->name[0])
		return 0;
	mutex_lock(&ccshm_lock);
	if (name_find(buffer->uid, buffer->name))
		err = -EEXIST;
	else
		hash_add(names, &buffer->name_link,
			 name_hash(buffer->uid, buffer->name));
	mutex_unlock(&ccshm_lock);
	return err;
}

static void name_release(struct ccshm_buffer *buffer)
{
	lockdep_assert_held(&ccshm_lock);
	if (hash_hashed(&buffer->name_link))
		hash_del(&buffer->name_link);
}

/* A letter or '_' first, so that no name looks like an id or an option. */
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

static unsigned int mode_bits(struct ccshm_buffer *buffer)
{
	if (uid_eq(current_euid(), buffer->uid))
		return buffer->mode >> 6 & 7;
	if (in_egroup_p(buffer->gid))
		return buffer->mode >> 3 & 7;
	return buffer->mode & 7;
}

/* Without a capability. */
static bool is_in_control(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	struct ccshm_client *owner = READ_ONCE(buffer->client);

	/* Whoever allocated through the heap node has its dma-buf, no more. */
	return !buffer->heap &&
	       (owner ? owner == client : uid_eq(current_euid(), buffer->uid));
}

/* Does the caller have control? */
bool ccshm_buffer_control(struct ccshm_buffer *buffer,
			  struct ccshm_client *client)
{
	return is_in_control(buffer, client) || capable(CAP_SYS_ADMIN);
}

/* The permission bits that are the caller's. */
static unsigned int own_bits(struct ccshm_buffer *buffer)
{
	return buffer->flags & CCSHM_ALLOC_PERSISTENT ? mode_bits(buffer) : 0;
}

/* Without control of it. */
static bool is_seen(struct ccshm_buffer *buffer)
{
	return own_bits(buffer) & 6 ||
	       (buffer->heap && uid_eq(current_euid(), buffer->uid));
}

/**
 * ccshm_buffer_seen - check whether the caller may see a buffer
 * @buffer: buffer to see
 * @client: the open file that the caller came through, or NULL
 * @admin: has CAP_SYS_ADMIN: asking for it each time leaves too many traces
 * @control: out: and has control
 *
 * Return: what ccshm_buffer_may() says to the current credentials.
 */
bool ccshm_buffer_seen(struct ccshm_buffer *buffer, struct ccshm_client *client,
		       bool admin, bool *control)
{
	*control = admin || is_in_control(buffer, client);
	return *control || is_seen(buffer);
}

/**
 * ccshm_buffer_may - may the caller do this?
 * @buffer: to it
 * @client: the open file that the caller came through, or NULL
 * @want: what
 *
 * Return: 0; -ENOENT when the caller may not even see it; -EACCES for a missing
 * permission bit, -EPERM for missing control.
 */
int ccshm_buffer_may(struct ccshm_buffer *buffer, struct ccshm_client *client,
		     enum ccshm_want want)
{
	bool private = !(buffer->flags & CCSHM_ALLOC_PERSISTENT);
	unsigned int bits = own_bits(buffer);
	bool seen = is_seen(buffer);

	/* In the order that asks for a capability last: that leaves a trace. */
	if (want == CCSHM_READ && bits & 6)
		return 0;
	if (want == CCSHM_WRITE && bits & 2)
		return 0;
	if (want == CCSHM_SEE && seen)
		return 0;
	if (ccshm_buffer_control(buffer, client)) {
		bool own = !private && uid_eq(current_euid(), buffer->uid);

		/* An owner is bound by the owner's bits, as with a file. */
		if (want == CCSHM_SEE || want == CCSHM_CONTROL || !own ||
		    capable(CAP_SYS_ADMIN))
			return 0;
		return -EACCES;
	}
	if (seen)
		return want == CCSHM_CONTROL ? -EPERM : -EACCES;
	return -ENOENT;
}

/**
 * ccshm_object_find - an object that the caller may use
 * @id: its id
 * @client: the open file that the caller came through
 * @want: what the caller is going to do with the buffer behind it
 *
 * Return: the object with a reference, or what ccshm_buffer_may() says.
 */
struct ccshm_object *ccshm_object_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want)
{
	struct ccshm_object *object = ccshm_object_get(id);
	int err;

	if (!object)
		return ERR_PTR(-ENOENT);
	err = ccshm_buffer_may(object->buffer, client, want);
	if (!err)
		return object;
	ccshm_object_put(object);
	return ERR_PTR(err);
}

/* The same for a buffer that has not ended; other objects are not found. */
struct ccshm_buffer *ccshm_buffer_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want)
{
	struct ccshm_object *object = ccshm_object_find(id, client, want);

	if (IS_ERR(object))
		return ERR_CAST(object);
	if (object->type == CCSHM_TYPE_BUFFER)
		return object->buffer;
	ccshm_object_put(object);
	return ERR_PTR(-ENOENT);
}

/**
 * ccshm_buffer_slice - check a slice
 * @limit: size of what it is a slice of
 * @offset: of the slice
 * @size: in and out: of the slice; 0: up to the end
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

/* Take away id, name and control; what is left is what others still reach. */
static void buffer_end(struct ccshm_buffer *buffer)
{
	lockdep_assert_held(&ccshm_lock);
	buffer->live = false;
	WRITE_ONCE(buffer->client, NULL);
	name_release(buffer);
	if (!list_empty(&buffer->link))
		list_del_init(&buffer->link);
	ccshm_object_end(&buffer->obj);
	ccshm_event(CCSHM_EVENT_BUFFER_END, &buffer->obj);
	if (buffer->flags & CCSHM_ALLOC_PERSISTENT)
		module_put(THIS_MODULE);
	ccshm_buffer_unuse(buffer);
}

void ccshm_buffer_end_client(struct ccshm_client *client)
{
	struct ccshm_buffer *buffer, *next;

	mutex_lock(&ccshm_lock);
	list_for_each_entry_safe(buffer, next, &client->buffers, link)
		buffer_end(buffer);
	mutex_unlock(&ccshm_lock);
}

/* For fdinfo: the buffers that end with an open file of the device. */
void ccshm_buffer_show_client(struct seq_file *m, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer;

	mutex_lock(&ccshm_lock);
	list_for_each_entry(buffer, &client->buffers, link) {
		/* It is called again, with more room. */
		if (seq_has_overflowed(m))
			break;
		seq_printf(m, "ccshm-buffer:\t%llu size %llu charged %llu\n",
			   buffer->obj.id, buffer->size, buffer->charged);
	}
	mutex_unlock(&ccshm_lock);
}

/*
 * The dma-buf of a buffer of the heap node is gone. The buffer may have ended
 * before, by an administrator's FREE.
 */
void ccshm_buffer_end_heap(struct ccshm_buffer *buffer)
{
	lockdep_assert_held(&ccshm_lock);
	if (buffer->heap && buffer->live)
		buffer_end(buffer);
}

static int alloc_check(const struct ccshm_ioc_alloc *req)
{
	const u64 known = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID |
			  CCSHM_ALLOC_GID | CCSHM_ALLOC_NODE |
			  CCSHM_ALLOC_INTERRUPTIBLE | CCSHM_ALLOC_DMA32 |
			  CCSHM_ALLOC_CONTIGUOUS;
	const u64 owned = CCSHM_ALLOC_UID | CCSHM_ALLOC_GID;

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
		    !node_online(req->node))
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
	if (!uid_valid(buffer->uid) || !gid_valid(buffer->gid))
		return -EINVAL;
	if ((!uid_eq(buffer->uid, current_euid()) ||
	     !in_egroup_p(buffer->gid)) && !capable(CAP_CHOWN))
		return -EPERM;
	return 0;
}

static struct ccshm_buffer *buffer_new(const struct ccshm_ioc_alloc *req)
{
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
	INIT_LIST_HEAD(&buffer->link);
	INIT_HLIST_NODE(&buffer->name_link);
	INIT_LIST_HEAD(&buffer->exports);
	INIT_LIST_HEAD(&buffer->attachments);
	INIT_WORK(&buffer->release, buffer_release);

	err = buffer_set_owner(buffer, req);
	if (!err)
		err = ccshm_object_init(&buffer->obj, CCSHM_TYPE_BUFFER,
					buffer, buffer_free);
	if (err) {
		kfree(buffer);
		return ERR_PTR(err);
	}
	return buffer;
}

static int buffer_take(struct ccshm_buffer *buffer, const struct ccshm_wish *wish)
{
	buffer->blocks.interruptible = buffer->flags & CCSHM_ALLOC_INTERRUPTIBLE;
	return ccshm_blocks_alloc(&buffer->blocks, wish);
}

static int buffer_fill(struct ccshm_buffer *buffer, const struct ccshm_wish *wish)
{
	int err;

	err = buffer_take(buffer, wish);
	if (err == -ENOMEM || ccshm_limit_refuses(err)) {
		/* What was freed a moment ago may be on its way back. */
		flush_workqueue(ccshm_wq);
		err = buffer_take(buffer, wish);
	}
	if (err)
		return err;
	err = ccshm_convert_share(&buffer->blocks);
	if (err)
		return err;
	buffer->charged = (u64)(buffer->blocks.pages +
				buffer->blocks.slice.pages) << PAGE_SHIFT;
	return 0;
}

/* Memory as it was asked for, paid by the caller. */
static int buffer_pay(struct ccshm_buffer *buffer, int node)
{
	struct ccshm_payer payer = {
		.uid = buffer->payer,
		.owner = buffer->uid,
		.cgroup = ccshm_memory_cgroup_get(),
	};
	struct ccshm_wish wish = {
		.pages = buffer->size >> PAGE_SHIFT,
		.node = buffer->flags & CCSHM_ALLOC_NODE ? node : NUMA_NO_NODE,
		.dma32 = buffer->flags & CCSHM_ALLOC_DMA32,
		.contiguous = buffer->flags & CCSHM_ALLOC_CONTIGUOUS,
		.carve = true,
		.payer = &payer,
	};
	int err = buffer_fill(buffer, &wish);

	ccshm_memory_cgroup_put(payer.cgroup);
	if (ccshm_limit_refuses(err))
		ccshm_limit_refused(buffer->payer, err, buffer->size);
	trace_ccshm_alloc(buffer, err);
	return err;
}

/**
 * ccshm_buffer_for_heap - a buffer that ends with the dma-buf made of it
 * @size: bytes
 *
 * Return: the buffer, to be published or forgotten, or what ALLOC returns.
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
		ccshm_buffer_forget(buffer);
		return ERR_PTR(err);
	}
	return buffer;
}

/* It can be found by its id from now on. */
void ccshm_buffer_publish(struct ccshm_buffer *buffer)
{
	mutex_lock(&ccshm_lock);
	buffer->live = true;
	ccshm_object_publish(&buffer->obj);
	ccshm_event(CCSHM_EVENT_BUFFER_NEW, &buffer->obj);
	mutex_unlock(&ccshm_lock);
}

/* It never could. What is refused has changed nothing by the time that is said. */
void ccshm_buffer_forget(struct ccshm_buffer *buffer)
{
	mutex_lock(&ccshm_lock);
	name_release(buffer);
	ccshm_object_unpublish(&buffer->obj);
	mutex_unlock(&ccshm_lock);
	if (refcount_dec_and_test(&buffer->users))
		buffer_release(&buffer->release);
}

static void alloc_commit(struct ccshm_call *call)
{
	struct ccshm_buffer *buffer = container_of(call->object,
						   struct ccshm_buffer, obj);

	mutex_lock(&ccshm_lock);
	buffer->live = true;
	if (buffer->flags & CCSHM_ALLOC_PERSISTENT) {
		__module_get(THIS_MODULE);
	} else {
		buffer->client = call->client;
		list_add_tail(&buffer->link, &call->client->buffers);
	}
	ccshm_object_publish(&buffer->obj);
	ccshm_event(CCSHM_EVENT_BUFFER_NEW, &buffer->obj);
	mutex_unlock(&ccshm_lock);
}

static void alloc_undo(struct ccshm_call *call)
{
	struct ccshm_buffer *buffer = container_of(call->object,
						   struct ccshm_buffer, obj);

	ccshm_buffer_forget(buffer);
}

int ccshm_alloc(struct ccshm_call *call)
{
	struct ccshm_ioc_alloc *req = call->arg;
	struct ccshm_buffer *buffer;
	int err;

	err = alloc_check(req);
	if (err)
		return err;
	buffer = buffer_new(req);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	call->object = &buffer->obj;

	err = name_reserve(buffer);
	if (!err)
		err = buffer_pay(buffer, req->node);
	if (err) {
		alloc_undo(call);
		return err;
	}

	req->id = buffer->obj.id;
	req->actual_size = buffer->size;
	call->commit = alloc_commit;
	call->undo = alloc_undo;
	return 0;
}

int ccshm_free(struct ccshm_call *call)
{
	struct ccshm_ioc_free *req = call->arg;
	struct ccshm_buffer *buffer;
	int err = 0;

	if (req->flags)
		return -EINVAL;
	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_CONTROL);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	mutex_lock(&ccshm_lock);
	if (buffer->live)
		buffer_end(buffer);
	else
		err = -ENOENT;
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&buffer->obj);
	return err;
}

int ccshm_open(struct ccshm_call *call)
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

/* What the description of any object says of its buffer. */
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
	q->carved = (u64)buffer->blocks.slice.pages << PAGE_SHIFT;
	q->blocks = buffer->blocks.nr;
	q->blocks_small = buffer->blocks.small;
	q->units = buffer->blocks.units;
	q->units_whole = buffer->blocks.units_whole;
	q->conversions = buffer->blocks.conversions;
	if (!buffer->live)
		q->query_flags |= CCSHM_QUERY_ORPHAN;
	if (buffer->heap)
		q->query_flags |= CCSHM_QUERY_HEAP;
	memcpy(q->name, buffer->name, sizeof(q->name));
	if (q->type != CCSHM_TYPE_BUFFER)
		return;
	q->object_flags = buffer->flags;
	q->size = buffer->size;
	q->exports = buffer->nr_exports;
	q->attachments = buffer->nr_attachments;
}
