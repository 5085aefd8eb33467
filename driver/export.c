// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: the dma-buf side of a buffer.
 *
 * ccshm_export_enter() is the only door: a mapping of any kind is made between
 * it and ccshm_export_leave(), so that once the state has changed under the
 * lock held for writing nothing new can get in.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
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

/**
 * ccshm_export_enter - before anything new reaches the memory
 * @export: it
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

/* Something that a revoke has to wait for: a mapping of a device, or a vmap. */
void ccshm_export_hold(struct ccshm_export *export)
{
	atomic_inc(&export->device_mappings);
}

void ccshm_export_unhold(struct ccshm_export *export)
{
	if (atomic_dec_and_test(&export->device_mappings))
		wake_up_all(&export->idle);
}

/* The dma-buf is gone: no file, no VMA, no attachment, no kernel mapping. */
static void export_release(struct dma_buf *dmabuf)
{
	struct ccshm_export *export = dmabuf->priv;
	bool revoked;

	mutex_lock(&ccshm_lock);
	/* Nobody knows of one that was never published. */
	if (export->dmabuf_file) {
		ccshm_event(CCSHM_EVENT_EXPORT_GONE, &export->obj);
		export->obj.buffer->nr_exports--;
	}
	export->dmabuf_file = NULL;
	list_del_init(&export->link);
	ccshm_object_unpublish(&export->obj);
	if (export->heap)
		ccshm_buffer_end_heap(export->obj.buffer);
	mutex_unlock(&ccshm_lock);

	down_write(&export->lock);
	revoked = export->state == CCSHM_STATE_REVOKED;
	export->state = CCSHM_STATE_REVOKED;
	up_write(&export->lock);
	wake_up_all(&export->idle);
	if (!revoked)
		ccshm_buffer_unuse(export->obj.buffer);
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

/* Takes over a reference to @buffer; a user of it, too, when it succeeds. */
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
	INIT_LIST_HEAD(&export->link);
	mutex_init(&export->importers_lock);
	INIT_LIST_HEAD(&export->importers);
	init_rwsem(&export->lock);
	init_waitqueue_head(&export->idle);

	err = ccshm_object_init(&export->obj, CCSHM_TYPE_EXPORT, buffer,
				export_free);
	if (err) {
		kfree(export);
		return ERR_PTR(err);
	}
	snprintf(export->exp_name, sizeof(export->exp_name), "ccshm:%llu",
		 export->obj.id);
	return export;
}

void ccshm_export_commit(struct ccshm_call *call)
{
	struct ccshm_export *export = container_of(call->object,
						   struct ccshm_export, obj);

	mutex_lock(&ccshm_lock);
	export->dmabuf_file = call->file;
	list_add_tail(&export->link, &export->obj.buffer->exports);
	export->obj.buffer->nr_exports++;
	ccshm_object_publish(&export->obj);
	ccshm_event(CCSHM_EVENT_EXPORT_NEW, &export->obj);
	mutex_unlock(&ccshm_lock);
	fd_install(call->fd, call->file);
}

/* Releasing the dma-buf does the rest. */
void ccshm_export_undo(struct ccshm_call *call)
{
	put_unused_fd(call->fd);
	fput(call->file);
}

/**
 * ccshm_export_make - make an export and its dma-buf, not yet to be found
 * @call: with a struct ccshm_ioc_export that was checked
 * @buffer: the reference to it is taken over; a use of it, too, on success
 * @fd_flags: how the dma-buf is opened, and O_CLOEXEC
 *
 * Return: 0, and @call can be committed or undone; -ENOMEM, -EDQUOT, -EMFILE,
 * -ENFILE.
 */
int ccshm_export_make(struct ccshm_call *call, struct ccshm_buffer *buffer,
		      int fd_flags)
{
	struct ccshm_ioc_export *req = call->arg;
	struct ccshm_export *export;
	struct dma_buf *dmabuf;
	int fd;

	export = export_new(buffer, req);
	if (IS_ERR(export)) {
		ccshm_object_put(&buffer->obj);
		return PTR_ERR(export);
	}
	fd = get_unused_fd_flags(fd_flags);
	dmabuf = fd < 0 ? ERR_PTR(fd) : export_dmabuf(export, fd_flags);
	if (IS_ERR(dmabuf)) {
		if (fd >= 0)
			put_unused_fd(fd);
		mutex_lock(&ccshm_lock);
		ccshm_object_unpublish(&export->obj);
		mutex_unlock(&ccshm_lock);
		ccshm_object_put(&export->obj);
		return PTR_ERR(dmabuf);
	}

	call->object = &export->obj;
	call->file = dmabuf->file;
	call->fd = fd;
	call->commit = ccshm_export_commit;
	call->undo = ccshm_export_undo;
	req->export_id = export->obj.id;
	req->actual_size = req->size;
	req->fd = fd;
	trace_ccshm_export(export);
	return 0;
}

int ccshm_export(struct ccshm_call *call)
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
	if (err)
		ccshm_buffer_unuse(buffer);
	req->size = asked;
	return err;
}

void ccshm_export_describe(struct ccshm_export *export, struct ccshm_ioc_query *q)
{
	lockdep_assert_held(&ccshm_lock);
	q->object_flags = export->flags;
	q->state = READ_ONCE(export->state);
	q->offset = (u64)export->first << PAGE_SHIFT;
	q->size = (u64)export->pages << PAGE_SHIFT;
	q->attachments = export->attachments;
	q->importers = READ_ONCE(export->nr_importers);
	q->device_mappings = atomic_read(&export->device_mappings);
	if (q->state == CCSHM_STATE_ACTIVE)
		q->cpu_mappings = atomic_read(&export->cpu_mappings);
}

/*
 * The parts of a revoke, in this order; revoke.c calls them.
 */

/* A reference to the dma-buf's file, or NULL: then nobody reaches anything. */
struct file *ccshm_export_file(struct ccshm_export *export)
{
	struct file *file = NULL;

	lockdep_assert_held(&ccshm_lock);
	if (export->dmabuf_file)
		file = ccshm_get_file_active(&export->dmabuf_file);
	return file;
}

/*
 * 1. Nothing new gets in. 2. End the CPU mappings: PTEs are only inserted
 * between enter and leave, so none slips in behind the zap. A fork that copies
 * them meanwhile is safe: the child's VMA is on the inode's list, behind its
 * parent's, before its PTEs are copied.
 */
void ccshm_export_stop(struct ccshm_export *export, struct file *file)
{
	down_write(&export->lock);
	if (export->state == CCSHM_STATE_ACTIVE)
		WRITE_ONCE(export->state, CCSHM_STATE_REVOKING);
	up_write(&export->lock);
	ccshm_changed();
	if (file)
		unmap_mapping_range(file->f_mapping, 0, 0, 1);
}

/*
 * Whoever is well holds the reservation lock for a moment only, and a revoke that
 * does not wait waits for that. A driver that waits for its hardware with the lock
 * held must not keep a revoke beyond its deadline, but there is no ww_mutex with
 * one.
 */
#define RESV_MOMENT	(100 * NSEC_PER_MSEC)

static int lock_resv(struct dma_resv *resv, s64 deadline)
{
	int err;

	if (deadline < 0) {
		err = dma_resv_lock_interruptible(resv, NULL);
		return err == -EINTR ? -ERESTARTSYS : err;
	}
	deadline = max_t(s64, deadline, ktime_get_ns() + RESV_MOMENT);
	while (!dma_resv_trylock(resv)) {
		if (ktime_get_ns() >= deadline)
			return -ETIMEDOUT;
		schedule_timeout_interruptible(1);
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	return 0;
}

/**
 * ccshm_export_fences - the fences that are there now
 * @file: the dma-buf's
 * @tell: 3. first tell the importers to let go
 * @deadline: as in REVOKE
 * @fences: out: to be waited for, and put, by the caller
 * @nr: out: number of them
 *
 * Return: 0, -ERESTARTSYS, -ETIMEDOUT or -ENOMEM.
 */
int ccshm_export_fences(struct file *file, bool tell, s64 deadline,
			struct dma_fence ***fences, unsigned int *nr)
{
	struct dma_buf *dmabuf = file->private_data;
	int err;

	err = lock_resv(dmabuf->resv, deadline);
	if (err)
		return err;
	if (tell)
		ccshm_tell_importers(dmabuf);
	err = dma_resv_get_fences(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, nr,
				  fences);
	dma_resv_unlock(dmabuf->resv);
	return err;
}

/**
 * ccshm_export_finish - 5. has everybody let go?
 * @export: it, no longer active
 *
 * Return: true, and the export uses the memory no more, or false.
 */
bool ccshm_export_finish(struct ccshm_export *export)
{
	bool ended = false, revoked;

	down_write(&export->lock);
	if (export->state == CCSHM_STATE_REVOKING &&
	    !atomic_read(&export->device_mappings)) {
		WRITE_ONCE(export->state, CCSHM_STATE_REVOKED);
		ended = true;
	}
	revoked = export->state == CCSHM_STATE_REVOKED;
	up_write(&export->lock);
	if (ended) {
		ccshm_changed();
		ccshm_buffer_unuse(export->obj.buffer);
	}
	return revoked;
}
