// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-bufs of exports: their operations, EXPORT, and their release.
 *
 * An export lives as long as the dentry of its dma-buf, not the file: the dma-buf core
 * calls the exporter's release from d_release, and an O_PATH descriptor keeps only the
 * dentry alive.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>

#include "ccshm.h"
#include "trace.h"

/* The dma-buf has no file, VMA, attachment and kernel mapping any more. */
static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct ccshm_export *export = dmabuf->priv;

	ccshm_export_unlist(export);
	ccshm_revocation_forget(export);
	ccshm_export_end(export);
}

/* Three tables instead of one with checks: the dma-buf core reads which ops exist. */
static const struct dma_buf_ops revocable_ops = {
	.attach = ccshm_importer_attach_revocable,
	.detach = ccshm_importer_detach,
	.pin = ccshm_importer_pin,
	.unpin = ccshm_importer_unpin,
	.map_dma_buf = ccshm_importer_map,
	.unmap_dma_buf = ccshm_importer_unmap,
	.mmap = ccshm_mmap,
	.release = dmabuf_release,
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
	.release = dmabuf_release,
};

static const struct dma_buf_ops pinned_no_vmap_ops = {
	.attach = ccshm_importer_attach_pinned,
	.detach = ccshm_importer_detach,
	.pin = ccshm_importer_pin,
	.unpin = ccshm_importer_unpin,
	.map_dma_buf = ccshm_importer_map,
	.unmap_dma_buf = ccshm_importer_unmap,
	.mmap = ccshm_mmap,
	.release = dmabuf_release,
};

/* Return the export of a dma-buf, or NULL if another driver has made the dma-buf. */
static struct ccshm_export *export_of_dmabuf(struct dma_buf *dmabuf)
{
	if (dmabuf->ops == &revocable_ops || dmabuf->ops == &pinned_ops ||
	    dmabuf->ops == &pinned_no_vmap_ops)
		return dmabuf->priv;
	return NULL;
}

/**
 * ccshm_export_from_fd - find the export whose dma-buf a file descriptor refers to
 * @fd: file descriptor of the caller
 *
 * Return: the export with a reference; -EBADF when @fd is not open, -EMEDIUMTYPE when it
 * is not a dma-buf of ccshm.
 */
struct ccshm_export *ccshm_export_from_fd(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct ccshm_export *export;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf) == -EINVAL ? ERR_PTR(-EMEDIUMTYPE) :
						    ERR_CAST(dmabuf);
	export = export_of_dmabuf(dmabuf);
	if (export)
		kref_get(&export->obj.ref);
	dma_buf_put(dmabuf);
	return export ?: ERR_PTR(-EMEDIUMTYPE);
}

static struct dma_buf *dmabuf_new(struct ccshm_export *export, int fd_flags)
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

/* Check whether a call that has made an export may still succeed. */
static int export_check(struct ccshm_export *export)
{
	lockdep_assert_held(&ccshm_lock);
	if (!export->obj.buffer->live)
		return -ENOENT;
	return ccshm_export_is_active(export) ? 0 : -ENODEV;
}

/**
 * ccshm_dmabuf_commit - complete a call that has made an export
 * @call: call of ccshm_dmabuf_make()
 * @buffer: buffer that the call has also made, or NULL; announced in the same hold of
 *	ccshm_lock as the export: no event is sent of a call that fails
 *
 * Return: 0; -ENOENT when the buffer has ended, -ENODEV when the export was revoked.
 */
int ccshm_dmabuf_commit(struct ccshm_call *call, struct ccshm_buffer *buffer)
{
	struct ccshm_export *export = container_of(call->object,
						   struct ccshm_export, obj);
	int err;

	mutex_lock(&ccshm_lock);
	err = export_check(export);
	if (!err && buffer)
		ccshm_object_announce(&buffer->obj, CCSHM_EVENT_BUFFER_NEW);
	if (!err)
		ccshm_object_announce(&export->obj, CCSHM_EVENT_EXPORT_NEW);
	mutex_unlock(&ccshm_lock);
	if (!err)
		fd_install(call->fd, call->file);
	return err;
}

static int export_commit(struct ccshm_call *call)
{
	return ccshm_dmabuf_commit(call, NULL);
}

/* Undo EXPORT; the release of the dma-buf ends the export. */
void ccshm_dmabuf_undo(struct ccshm_call *call)
{
	put_unused_fd(call->fd);
	fput(call->file);
}

/*
 * Make the dma-buf of an export and its descriptor, which is not installed yet. Takes
 * over a use of the buffer.
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
		goto discard;
	}
	dmabuf = dmabuf_new(export, fd_flags);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(call->fd);
		err = PTR_ERR(dmabuf);
		goto discard;
	}
	call->object = &export->obj;
	call->file = dmabuf->file;
	err = ccshm_export_list(export, dmabuf->file->f_path.dentry, call->client);
	if (err)
		ccshm_dmabuf_undo(call);
	return err;

discard:
	ccshm_export_discard(export);
	ccshm_buffer_unuse(buffer);
	return err;
}

/**
 * ccshm_dmabuf_make - make an export and its dma-buf, and list the export
 * @call: call whose argument is a valid struct ccshm_ioc_export
 * @buffer: buffer to export; a reference and a use of it are taken over
 * @fd_flags: access mode of the dma-buf, and O_CLOEXEC
 *
 * Return: 0, and @call is to be committed or undone; -ENOMEM, -EDQUOT, -EMFILE,
 * -ENFILE; -ENOENT, -EACCES or -EPERM when @call may not export the buffer.
 */
int ccshm_dmabuf_make(struct ccshm_call *call, struct ccshm_buffer *buffer,
		      int fd_flags)
{
	struct ccshm_ioc_export *req = call->arg;
	struct ccshm_export *export;
	int err;

	/* The export drops the reference when it is freed. */
	export = ccshm_export_new(buffer, req);
	if (IS_ERR(export)) {
		ccshm_buffer_unuse(buffer);
		ccshm_object_put(&buffer->obj);
		return PTR_ERR(export);
	}
	ccshm_revocation_init(export);
	/* The heap node has no open file of the device. */
	export->heap = !call->client;
	err = export_open(export, call, fd_flags);
	if (err)
		return err;

	call->commit = export_commit;
	call->undo = ccshm_dmabuf_undo;
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
	err = ccshm_dmabuf_make(call, buffer, O_CLOEXEC |
				(req->flags & CCSHM_EXPORT_READ_ONLY ?
					 O_RDONLY : O_RDWR));
	req->size = asked;
	return err;
}

