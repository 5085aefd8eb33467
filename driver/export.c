// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: the dma-buf side of a buffer.
 *
 * ccshm_export_enter() is the only door. It is held to count a mapping and for
 * nothing else: the mapping is made after the door was left, and undone when the
 * export is no longer active by then. Once the state has changed under the lock
 * held for writing, nothing new is counted.
 *
 * What lives as long as the dma-buf is its dentry, not its file: the dma-buf core
 * calls the exporter's release from d_release, and an O_PATH descriptor keeps the
 * dentry alone.
 */
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "ccshm.h"
#include "trace.h"

static void export_free(struct ccshm_object *object)
{
	struct ccshm_export *export = container_of(object, struct ccshm_export,
						   obj);

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

/**
 * ccshm_export_enter - open the door to a new mapping
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

/**
 * ccshm_export_enter_fault - open the door to a fault of a CPU mapping
 * @export: export that is mapped
 *
 * An orderly revoke lets the mappings that exist work until it ends them.
 *
 * Return: true with @export->lock held for reading, false if CPUs have no access.
 */
bool ccshm_export_enter_fault(struct ccshm_export *export)
{
	down_read(&export->lock);
	if (!export->cpu_closed)
		return true;
	up_read(&export->lock);
	return false;
}

void ccshm_export_leave(struct ccshm_export *export)
{
	up_read(&export->lock);
}

/* Check again what ccshm_export_enter() found, after a mapping was made. */
bool ccshm_export_is_active(struct ccshm_export *export)
{
	return READ_ONCE(export->state) == CCSHM_STATE_ACTIVE;
}

/* Count a device mapping or a vmap; a revoke waits until the count is zero. */
void ccshm_export_hold(struct ccshm_export *export)
{
	lockdep_assert_held(&export->lock);
	atomic_inc(&export->device_mappings);
	WRITE_ONCE(export->mapped, true);
}

/*
 * Drop a count. The decrement is ordered before the look at the state, and a revoke
 * changes the state before it looks at the count: one of them sees the other.
 */
void ccshm_export_unhold(struct ccshm_export *export)
{
	if (atomic_dec_and_test(&export->device_mappings) &&
	    !ccshm_export_is_active(export))
		ccshm_revocation_continue(export);
}

/* The dma-buf is gone: no file, no VMA, no attachment, no kernel mapping. */
static void export_release(struct dma_buf *dmabuf)
{
	struct ccshm_export *export = dmabuf->priv;
	struct ccshm_buffer *buffer = export->obj.buffer;
	bool revoked;

	mutex_lock(&ccshm_lock);
	if (export->obj.announced)
		ccshm_event(CCSHM_EVENT_EXPORT_GONE, &export->obj);
	if (export->dentry)
		buffer->nr_exports--;
	export->dentry = NULL;
	xa_erase(&buffer->exports, export->obj.id);
	ccshm_object_unpublish(&export->obj);
	if (export->heap)
		ccshm_buffer_end_heap(buffer);
	mutex_unlock(&ccshm_lock);

	ccshm_revocation_forget(export);
	down_write(&export->lock);
	revoked = export->state == CCSHM_STATE_REVOKED;
	WRITE_ONCE(export->state, CCSHM_STATE_REVOKED);
	up_write(&export->lock);
	wake_up_all(&export->idle);
	if (!revoked)
		ccshm_buffer_unuse(buffer);
	ccshm_object_put(&export->obj);
}

/* Three tables and not one with tests inside: which ops there are is the rule. */
static const struct dma_buf_ops revocable_ops = {
	.attach = ccshm_importer_attach_revocable,
	.detach = ccshm_importer_detach,
	.pin = ccshm_importer_pin,
	.unpin = ccshm_importer_unpin,
	.map_dma_buf = ccshm_importer_map,
	.unmap_dma_buf = ccshm_importer_unmap,
	.mmap = ccshm_mmap,
	.release = export_release,
};

static const struct dma_buf_ops pinned_ops = {
	.attach = ccshm_importer_attach_pinned,
	.detach = ccshm_importer_detach,
	.pin = ccshm_importer_pin,
	.unpin = ccshm_importer_unpin,
	.map_dma_buf = ccshm_importer_map,
	.unmap_dma_buf = ccshm_importer_unmap,
	.mmap = ccshm_mmap,
	.vmap = ccshm_vmap,
	.vunmap = ccshm_vunmap,
	.release = export_release,
};

static const struct dma_buf_ops pinned_no_vmap_ops = {
	.attach = ccshm_importer_attach_pinned,
	.detach = ccshm_importer_detach,
	.pin = ccshm_importer_pin,
	.unpin = ccshm_importer_unpin,
	.map_dma_buf = ccshm_importer_map,
	.unmap_dma_buf = ccshm_importer_unmap,
	.mmap = ccshm_mmap,
	.release = export_release,
};

/* The export behind a dma-buf, or NULL if it is not one of ours. */
struct ccshm_export *ccshm_export_from_dmabuf(struct dma_buf *dmabuf)
{
	if (dmabuf->ops == &revocable_ops || dmabuf->ops == &pinned_ops ||
	    dmabuf->ops == &pinned_no_vmap_ops)
		return dmabuf->priv;
	return NULL;
}

static struct dma_buf *export_dmabuf(struct ccshm_export *export, int fd_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.exp_name = export->exp_name;
	info.size = export->pages << PAGE_SHIFT;
	info.flags = fd_flags & O_ACCMODE;
	info.priv = export;
	if (!(export->flags & CCSHM_EXPORT_PINNED))
		info.ops = &revocable_ops;
	else if (export->flags & (CCSHM_EXPORT_NO_CPU | CCSHM_EXPORT_READ_ONLY))
		info.ops = &pinned_no_vmap_ops;
	else
		info.ops = &pinned_ops;
	return dma_buf_export(&info);
}

/* End an export that was never listed. */
static void export_forget(struct ccshm_export *export)
{
	xa_erase(&export->obj.buffer->exports, export->obj.id);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&export->obj);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&export->obj);
}

/* Takes over a reference to @buffer when it succeeds. */
static struct ccshm_export *export_new(struct ccshm_buffer *buffer,
				       const struct ccshm_ioc_export *req)
{
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
	ccshm_revocation_init(export);

	err = ccshm_object_init(&export->obj, &export_ops, buffer);
	if (err) {
		kfree(export);
		return ERR_PTR(err);
	}
	/* So that listing cannot fail. */
	if (xa_reserve(&buffer->exports, export->obj.id, GFP_KERNEL_ACCOUNT)) {
		kref_get(&buffer->obj.ref);	/* export_free() drops one */
		export_forget(export);
		return ERR_PTR(-ENOMEM);
	}
	snprintf(export->exp_name, sizeof(export->exp_name), "ccshm:%llu",
		 export->obj.id);
	return export;
}

/* Complete EXPORT, unless the buffer has ended or the export was revoked. */
int ccshm_export_commit(struct ccshm_call *call)
{
	struct ccshm_export *export = container_of(call->object,
						   struct ccshm_export, obj);
	int err = 0;

	mutex_lock(&ccshm_lock);
	if (!export->obj.buffer->live)
		err = -ENOENT;
	else if (!ccshm_export_is_active(export))
		err = -ENODEV;
	else
		ccshm_object_announce(&export->obj, CCSHM_EVENT_EXPORT_NEW);
	mutex_unlock(&ccshm_lock);
	if (!err)
		fd_install(call->fd, call->file);
	return err;
}

/* Releasing the dma-buf does the rest. */
void ccshm_export_undo(struct ccshm_call *call)
{
	put_unused_fd(call->fd);
	fput(call->file);
}

/*
 * From here on the export is listed and can be revoked: before its dma-buf is
 * known to anybody, and before user memory is touched. Permission is asked for
 * here once more, since SET can have changed it.
 */
static int export_list(struct ccshm_export *export, struct dma_buf *dmabuf,
		       struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = export->obj.buffer;
	int err = -ENOENT;

	mutex_lock(&ccshm_lock);
	if (buffer->live)
		err = ccshm_export_may(export, client);
	if (!err) {
		export->dentry = dmabuf->file->f_path.dentry;
		/* Reserved by export_new(). */
		xa_store(&buffer->exports, export->obj.id, &export->obj, 0);
		buffer->nr_exports++;
		ccshm_object_publish(&export->obj);
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

/*
 * Make the dma-buf and its descriptor, not yet installed. With a use of the
 * buffer, which the dma-buf takes over.
 */
static int export_open(struct ccshm_export *export, struct ccshm_call *call,
		       int fd_flags)
{
	struct ccshm_buffer *buffer = export->obj.buffer;
	struct dma_buf *dmabuf;
	int err;

	call->fd = get_unused_fd_flags(fd_flags);
	if (call->fd < 0) {
		err = call->fd;
		goto forget;
	}
	dmabuf = export_dmabuf(export, fd_flags);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(call->fd);
		err = PTR_ERR(dmabuf);
		goto forget;
	}
	call->object = &export->obj;
	call->file = dmabuf->file;
	err = export_list(export, dmabuf, call->client);
	if (err)
		ccshm_export_undo(call);
	return err;

forget:
	export_forget(export);
	ccshm_buffer_unuse(buffer);
	return err;
}

/**
 * ccshm_export_make - make an export and its dma-buf, and list it
 * @call: with a struct ccshm_ioc_export that was checked
 * @buffer: a reference to it and a use of it are taken over
 * @fd_flags: how the dma-buf is opened, and O_CLOEXEC
 *
 * Return: 0, and @call is to be committed or undone; -ENOMEM, -EDQUOT, -EMFILE,
 * -ENFILE; -ENOENT, -EACCES or -EPERM when @call may not export the buffer.
 */
int ccshm_export_make(struct ccshm_call *call, struct ccshm_buffer *buffer,
		      int fd_flags)
{
	struct ccshm_ioc_export *req = call->arg;
	struct ccshm_export *export;
	int err;

	/* The export itself drops the reference; the use is needed until then. */
	export = export_new(buffer, req);
	if (IS_ERR(export)) {
		ccshm_buffer_unuse(buffer);
		ccshm_object_put(&buffer->obj);
		return PTR_ERR(export);
	}
	/* The heap node has no open file of the device. */
	export->heap = !call->client;
	err = export_open(export, call, fd_flags);
	if (err)
		return err;

	call->commit = ccshm_export_commit;
	call->undo = ccshm_export_undo;
	req->export_id = export->obj.id;
	req->actual_size = req->size;
	req->fd = call->fd;
	trace_ccshm_export(export);
	return 0;
}

int ccshm_export_ioctl(struct ccshm_call *call)
{
	const u64 known = CCSHM_EXPORT_READ_ONLY | CCSHM_EXPORT_NO_CPU |
			  CCSHM_EXPORT_PINNED;
	struct ccshm_ioc_export *req = call->arg;
	u64 asked = req->size;
	struct ccshm_buffer *buffer;
	int err;

	if (req->flags & ~known || req->reserved)
		return -EINVAL;
	buffer = ccshm_buffer_find(req->id, call->client,
				   req->flags & CCSHM_EXPORT_READ_ONLY ?
					   CCSHM_READ : CCSHM_WRITE);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	err = ccshm_buffer_slice(buffer->size, req->offset, &req->size);
	if (!err && !refcount_inc_not_zero(&buffer->users))
		err = -ENOENT;
	if (err) {
		ccshm_object_put(&buffer->obj);
		return err;
	}
	err = ccshm_export_make(call, buffer, O_CLOEXEC |
				(req->flags & CCSHM_EXPORT_READ_ONLY ?
					 O_RDONLY : O_RDWR));
	req->size = asked;
	return err;
}

/**
 * ccshm_export_dentry - hold the dma-buf of an export
 * @export: with a reference
 *
 * A dentry that is being killed has a dead lockref, and is not freed before
 * export_release() has had ccshm_lock (__dentry_kill() calls d_release first).
 *
 * Return: the dentry with a reference, to be put with dput() outside of
 * ccshm_lock: d_fsdata is the dma-buf, d_inode has its mappings. NULL when the
 * dma-buf is gone: then nobody reaches anything through it.
 */
struct dentry *ccshm_export_dentry(struct ccshm_export *export)
{
	struct dentry *dentry;

	mutex_lock(&ccshm_lock);
	dentry = export->dentry;
	if (dentry && !lockref_get_not_dead(&dentry->d_lockref))
		dentry = NULL;
	mutex_unlock(&ccshm_lock);
	return dentry;
}
