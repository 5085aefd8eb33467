// SPDX-License-Identifier: GPL-2.0-only
/* ATTACH: give a device of a user space driver the addresses of a slice. */
#include <linux/file.h>
#include <linux/pci.h>

#include "ccshm.h"
#include "trace.h"

/**
 * struct attach_target - the buffer or export that ATTACH names
 * @buffer: buffer, with a reference
 * @export: export, with a reference, or NULL
 * @base: start of the export in the buffer, or 0
 * @limit: size of the export or the buffer
 */
struct attach_target {
	struct ccshm_buffer *buffer;
	struct ccshm_export *export;
	u64 base;
	u64 limit;
};

static int target_from_dmabuf(struct attach_target *target, int fd)
{
	struct ccshm_export *export = ccshm_export_from_fd(fd);

	if (IS_ERR(export))
		return PTR_ERR(export);
	if (export->flags & CCSHM_EXPORT_READ_ONLY) {
		ccshm_object_put(&export->obj);
		return -EACCES;
	}
	kref_get(&export->obj.buffer->obj.ref);
	*target = (struct attach_target){
		.buffer = export->obj.buffer,
		.export = export,
		.base = (u64)export->first << PAGE_SHIFT,
		.limit = (u64)export->pages << PAGE_SHIFT,
	};
	return 0;
}

static int target_get(struct attach_target *target, struct ccshm_call *call)
{
	const struct ccshm_ioc_attach *req = call->arg;
	struct ccshm_buffer *buffer;

	if (req->flags & CCSHM_ATTACH_DMABUF)
		return target_from_dmabuf(target, req->dmabuf_fd);
	buffer = ccshm_buffer_find(req->id, call->client, CCSHM_WRITE);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	*target = (struct attach_target){
		.buffer = buffer, .limit = buffer->size,
	};
	return 0;
}

static void target_put(struct attach_target *target)
{
	if (target->export)
		ccshm_object_put(&target->export->obj);
	ccshm_object_put(&target->buffer->obj);
}

/* Check the request, and the capability that it needs. */
static int attach_validate(const struct ccshm_ioc_attach *req)
{
	const u64 known = CCSHM_ATTACH_DMABUF | CCSHM_ATTACH_PERSISTENT;

	if (req->flags & ~known || req->reserved || req->dma_bits > 64 ||
	    !ccshm_device_name_valid(req->device))
		return -EINVAL;
	if (req->flags & CCSHM_ATTACH_DMABUF ? req->id : req->dmabuf_fd)
		return -EINVAL;
	return ccshm_may_program_devices() ? 0 : -EPERM;
}

/* Make the attachment. On success, takes over the references of @target and to @pdev. */
static struct ccshm_attachment *attach_new(const struct ccshm_ioc_attach *req,
					   const struct attach_target *target,
					   struct pci_dev *pdev, u64 size)
{
	struct ccshm_attachment *att;

	att = ccshm_attachment_new(target->buffer, target->export, pdev);
	if (IS_ERR(att))
		return att;
	att->flags = req->flags;
	att->offset = target->base + req->offset;
	att->size = size;
	att->dma_bits = req->dma_bits;
	return att;
}

/*
 * List the attachment, which has a use of the buffer. Hold the lock of its export meanwhile:
 * a revoke closes the export under it first, and then visits the attachments.
 */
static int attach_list(struct ccshm_attachment *att, struct ccshm_client *client)
{
	int err;

	if (att->export && !ccshm_export_enter(att->export))
		return -ENODEV;
	err = ccshm_attachment_list(att, client);
	if (att->export)
		ccshm_export_leave(att->export);
	return err;
}

/*
 * Take a use of the memory, and list the attachment: from then on the notifier of the bus
 * finds it. A removal that has begun waits for the device lock, as ccshm_device_check() has
 * found the device on its bus. Afterwards the notifier is called (BUS_NOTIFY_REMOVED_DEVICE).
 */
static int attach_use(struct ccshm_attachment *att, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = att->obj.buffer;
	int err;

	if (!refcount_inc_not_zero(&buffer->users))
		return att->export ? -ENODEV : -ENOENT;
	err = ccshm_dma_segments(&att->pdev->dev, &att->dma_bits,
				 &buffer->memory, att->offset >> PAGE_SHIFT,
				 att->size >> PAGE_SHIFT, &att->segment,
				 &att->segments);
	if (!err)
		err = attach_list(att, client);
	if (err)
		ccshm_buffer_unuse(buffer);
	return err;
}

/* Start to use the device, under its lock, and hold it until the attachment has ended. */
static int attach_device(struct ccshm_attachment *att, struct ccshm_client *client)
{
	int err = ccshm_device_check(att->pdev);

	if (!err)
		err = ccshm_device_hold(att->pdev);
	if (err)
		return err;
	ccshm_attachment_finish_stops(att->pdev);
	err = attach_use(att, client);
	if (err)
		ccshm_device_release(att->pdev);
	return err;
}

/*
 * Lock the device, and start to use it. Interruptible: vfio_unregister_group_dev() holds
 * the lock until user space, maybe this very process, has closed the device.
 */
static int attach_start(struct ccshm_attachment *att, struct ccshm_client *client)
{
	int err;

	err = device_lock_interruptible(&att->pdev->dev);
	if (err)
		return err;
	/* For commit and undo: the attachment can be unlisted before they run. */
	kref_get(&att->obj.ref);
	err = attach_device(att, client);
	if (err)
		ccshm_object_put(&att->obj);
	device_unlock(&att->pdev->dev);
	trace_ccshm_map(&att->obj, att->size, &att->pdev->dev, NULL, err);
	return err;
}

static int attach_commit(struct ccshm_call *call)
{
	struct ccshm_attachment *att = container_of(call->object,
						    struct ccshm_attachment, obj);
	int err = ccshm_attachment_commit(att);

	if (err)
		return err;
	if (call->file)
		fd_install(call->fd, call->file);
	ccshm_object_put(&att->obj);
	return 0;
}

/* End the attachment: no device was given its addresses, so none needs to stop. */
static void attach_undo(struct ccshm_call *call)
{
	struct ccshm_attachment *att = container_of(call->object,
						    struct ccshm_attachment, obj);

	ccshm_attachment_detach(att);
	if (call->file) {
		put_unused_fd(call->fd);
		fput(call->file);
	}
	ccshm_object_put(&att->obj);
}

static int attach_publish(struct ccshm_attachment *att, struct ccshm_call *call)
{
	struct ccshm_ioc_attach *req = call->arg;
	int err = 0;

	call->fd = -1;
	if (att->flags & CCSHM_ATTACH_PERSISTENT)
		ccshm_attachment_orphan(att, false);
	else
		err = ccshm_attachment_open(att, call);
	if (err) {
		ccshm_attachment_detach(att);
		ccshm_attachment_orphan(att, false);
		ccshm_object_put(&att->obj);
		return err;
	}
	call->object = &att->obj;
	call->commit = attach_commit;
	call->undo = attach_undo;
	req->attachment_id = att->obj.id;
	req->actual_size = att->size;
	req->segments = att->segments;
	req->fd = call->fd;
	return 0;
}

int ccshm_attach_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_attach *req = call->arg;
	struct attach_target target = {};
	struct ccshm_attachment *att;
	struct pci_dev *pdev;
	u64 size = req->size;
	int err;

	err = attach_validate(req);
	if (err)
		return err;
	err = target_get(&target, call);
	if (err)
		return err;
	err = ccshm_buffer_slice(target.limit, req->offset, &size);
	if (!err && req->flags & CCSHM_ATTACH_PERSISTENT &&
	    !(target.buffer->flags & CCSHM_ALLOC_PERSISTENT))
		err = -EINVAL;
	if (err)
		goto put_target;
	pdev = ccshm_device_find(req->device);
	if (IS_ERR(pdev)) {
		err = PTR_ERR(pdev);
		goto put_target;
	}
	att = attach_new(req, &target, pdev, size);
	if (IS_ERR(att)) {
		err = PTR_ERR(att);
		pci_dev_put(pdev);
		goto put_target;
	}
	err = attach_start(att, call->client);
	if (!err)
		return attach_publish(att, call);
	ccshm_attachment_discard(att);
	return err;

put_target:
	target_put(&target);
	return err;
}
