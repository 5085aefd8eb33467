// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: a user space driver's right to give a device the addresses of a
 * slice. The kernel cannot take back what user space has written into the
 * device's registers, so the memory is held until the holder says that the
 * device has stopped, or ccshm has stopped it.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ccshm.h"
#include "trace.h"

/* All that are not yet gone, for what happens to their devices (ccshm_lock). */
static LIST_HEAD(attachments);
static struct workqueue_struct *stop_wq;

/* How long a stop waits before it tries again to take a device lock. */
#define STOP_RETRY	msecs_to_jiffies(50)

/* Stops that are queued, wait to retry, or run: unloading waits for them. */
static atomic_t stops_pending;
static DECLARE_WAIT_QUEUE_HEAD(stops_done);

/* Attachments with such a stop, for ATTACH of the same device (ccshm_lock). */
static LIST_HEAD(stopping);

/* The machine goes down: no new ones (ccshm_lock). */
static bool closed;

/* How long that waits for the devices to stop. One that does not answer takes 1 s. */
#define STOP_ALL_WAIT	(5 * HZ)

static void attachment_free(struct ccshm_object *object)
{
	struct ccshm_attachment *att = container_of(object,
						    struct ccshm_attachment, obj);

	if (att->export)
		ccshm_object_put(&att->export->obj);
	ccshm_object_put(&att->obj.buffer->obj);
	pci_dev_put(att->pdev);
	kvfree(att->segment);
	kfree(att);
}

static void attachment_describe(struct ccshm_object *object,
				struct user_namespace *ns,
				struct ccshm_ioc_query *q)
{
	struct ccshm_attachment *att = container_of(object,
						    struct ccshm_attachment, obj);

	ccshm_buffer_describe(object->buffer, ns, q);
	q->object_flags = att->flags;
	q->state = READ_ONCE(att->state);
	q->export_id = att->export ? att->export->obj.id : 0;
	q->offset = att->offset;
	q->size = att->size;
	q->device_mappings = q->state != CCSHM_STATE_REVOKED;
	q->dma_bits = att->dma_bits;
	q->segments = att->segments;
	snprintf(q->device, sizeof(q->device), "pci:%s", pci_name(att->pdev));
}

static const struct ccshm_object_ops attachment_ops = {
	.type = CCSHM_TYPE_ATTACHMENT,
	.free = attachment_free,
	.describe = attachment_describe,
};

/*
 * From here on the attachment is listed and can be revoked, before its addresses
 * are known to anybody and before user memory is touched.
 */
static int attachment_list(struct ccshm_attachment *att, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = att->obj.buffer;
	int err;

	mutex_lock(&ccshm_lock);
	err = closed ? -ESHUTDOWN : ccshm_attachment_may(att, client);
	if (!err) {
		__module_get(THIS_MODULE);
		/* Reserved by attachment_new(). */
		xa_store(&buffer->attachments, att->obj.id, &att->obj, 0);
		buffer->nr_attachments++;
		list_add_tail(&att->device_link, &attachments);
		if (att->export)
			att->export->attachments++;
		ccshm_object_publish(&att->obj);
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

static void attachment_delist(struct ccshm_attachment *att)
{
	mutex_lock(&ccshm_lock);
	xa_erase(&att->obj.buffer->attachments, att->obj.id);
	att->obj.buffer->nr_attachments--;
	list_del_init(&att->device_link);
	if (att->export)
		att->export->attachments--;
	ccshm_object_unpublish(&att->obj);
	mutex_unlock(&ccshm_lock);
	module_put(THIS_MODULE);
}

static void attachment_unlist(struct ccshm_attachment *att)
{
	attachment_delist(att);
	ccshm_object_put(&att->obj);
}

static void attachment_event(struct ccshm_attachment *att,
			     enum ccshm_event_type type)
{
	lockdep_assert_held(&att->lock);
	ccshm_changed();
	mutex_lock(&ccshm_lock);
	if (att->obj.announced)
		ccshm_event(type, &att->obj);
	mutex_unlock(&ccshm_lock);
}

/* The device uses the memory no more. */
static void attachment_end(struct ccshm_attachment *att)
{
	lockdep_assert_held(&att->lock);
	if (att->state == CCSHM_STATE_REVOKED)
		return;
	WRITE_ONCE(att->state, CCSHM_STATE_REVOKED);
	attachment_event(att, CCSHM_EVENT_DETACH);
	ccshm_buffer_unuse(att->obj.buffer);
	wake_up_all(&att->wait);
	if (att->abandoned)
		attachment_unlist(att);
}

/* Its device was stopped (@err 0), or could not be. */
static void attachment_stopped(struct ccshm_attachment *att, int err)
{
	bool known = att->state == CCSHM_STATE_STUCK;

	lockdep_assert_held(&att->lock);
	att->stopped = !err;
	if (!err) {
		attachment_end(att);
		return;
	}
	WRITE_ONCE(att->state, CCSHM_STATE_STUCK);
	if (!known)
		attachment_event(att, CCSHM_EVENT_STUCK);
	wake_up_all(&att->wait);
}

/*
 * Stop the device, under its device lock or while it is being removed. Removal alone
 * proves nothing: a device that is removed by "echo 1 > remove" is still there and
 * may go on. Without proof the memory stays held after the removal: the attachment
 * stays listed as stuck, which also keeps the module, until DETACH.
 */
static void attachment_stop(struct ccshm_attachment *att)
{
	int err;

	if (READ_ONCE(att->state) == CCSHM_STATE_REVOKED)
		return;
	/* This can take a second: without att->lock, so that no call waits for it. */
	err = ccshm_device_stop(att->pdev);
	mutex_lock(&att->lock);
	if (att->state != CCSHM_STATE_REVOKED)
		attachment_stopped(att, err);
	mutex_unlock(&att->lock);
}

/* End a stop that stop_later() has queued. */
static void stop_done(struct ccshm_attachment *att)
{
	mutex_lock(&ccshm_lock);
	if (!--att->stops)
		list_del_init(&att->stop_link);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&att->obj);
	if (atomic_dec_and_test(&stops_pending))
		wake_up_all(&stops_done);
}

/*
 * Stop the device of an attachment. Never sleep on the device lock:
 * vfio_unregister_group_dev() holds it, in the unbind of vfio's driver, until user
 * space has closed the device, which can be never. Retry instead, so that no worker
 * is occupied, and give up when the attachment has ended by other means.
 */
static void stop_work(struct work_struct *work)
{
	struct ccshm_attachment *att = container_of(to_delayed_work(work),
						    struct ccshm_attachment, stop);

	if (READ_ONCE(att->state) == CCSHM_STATE_REVOKED) {
		stop_done(att);
		return;
	}
	if (!device_trylock(&att->pdev->dev)) {
		/* Keep the reference for the retry, unless stop_later() has queued one. */
		if (!queue_delayed_work(stop_wq, &att->stop, STOP_RETRY))
			stop_done(att);
		return;
	}
	attachment_stop(att);
	device_unlock(&att->pdev->dev);
	stop_done(att);
}

static void stop_later(struct ccshm_attachment *att)
{
	kref_get(&att->obj.ref);
	atomic_inc(&stops_pending);
	mutex_lock(&ccshm_lock);
	att->stops++;
	if (list_empty(&att->stop_link))
		list_add_tail(&att->stop_link, &stopping);
	mutex_unlock(&ccshm_lock);
	if (!queue_delayed_work(stop_wq, &att->stop, 0))
		stop_done(att);
}

/*
 * Finish the pending stops of a device, under its device lock: a stop that runs after
 * ATTACH would stop the device of the new holder. If the device does not stop, leave the
 * remaining ones to their work items.
 */
static void finish_stops(struct pci_dev *pdev)
{
	struct ccshm_attachment *att, *next;
	bool stuck = false;
	LIST_HEAD(ours);

	mutex_lock(&ccshm_lock);
	list_for_each_entry_safe(att, next, &stopping, stop_link)
		if (att->pdev == pdev)
			list_move_tail(&att->stop_link, &ours);
	while (!stuck && !list_empty(&ours)) {
		att = list_first_entry(&ours, struct ccshm_attachment, stop_link);
		list_del_init(&att->stop_link);
		kref_get(&att->obj.ref);
		mutex_unlock(&ccshm_lock);
		attachment_stop(att);
		stuck = READ_ONCE(att->state) == CCSHM_STATE_STUCK;
		ccshm_object_put(&att->obj);
		mutex_lock(&ccshm_lock);
	}
	list_splice(&ours, &stopping);
	mutex_unlock(&ccshm_lock);
}

/**
 * ccshm_attachment_revoke - begin to revoke
 * @att: it
 * @force: do not rely on its holder
 *
 * Wakes @att->wait when it has ended, or is stuck. Nobody knows the addresses of
 * one whose call has not returned: it ends at once.
 */
void ccshm_attachment_revoke(struct ccshm_attachment *att, bool force)
{
	bool ended;

	mutex_lock(&att->lock);
	if (att->state == CCSHM_STATE_ACTIVE)
		WRITE_ONCE(att->state, CCSHM_STATE_REVOKING);
	else if (force && att->state == CCSHM_STATE_STUCK)
		WRITE_ONCE(att->state, CCSHM_STATE_REVOKING);
	if (!att->committed)
		attachment_end(att);
	ended = att->state == CCSHM_STATE_REVOKED;
	mutex_unlock(&att->lock);
	ccshm_changed();
	wake_up_all(&att->wait);
	if (force && !ended)
		stop_later(att);
}

static __poll_t attachment_poll(struct file *file, poll_table *wait)
{
	struct ccshm_attachment *att = file->private_data;
	enum ccshm_state state;

	poll_wait(file, &att->wait, wait);
	state = READ_ONCE(att->state);
	if (state == CCSHM_STATE_ACTIVE)
		return 0;
	return state == CCSHM_STATE_REVOKED ? EPOLLPRI | EPOLLHUP : EPOLLPRI;
}

/*
 * It has no file (any more): it is gone when it has ended. The caller holds a
 * reference.
 */
static void attachment_abandon(struct ccshm_attachment *att, bool stop)
{
	bool ended;

	mutex_lock(&att->lock);
	att->abandoned = true;
	ended = att->state == CCSHM_STATE_REVOKED;
	if (stop && !ended) {
		WRITE_ONCE(att->state, CCSHM_STATE_REVOKING);
		stop_later(att);
	}
	mutex_unlock(&att->lock);
	if (ended)
		attachment_unlist(att);
}

/*
 * The holder is gone: unless it had said DETACH, its device may be running. Whoever
 * ends the attachment then drops the file's reference, maybe before this has let
 * go of the lock in it.
 */
static int attachment_release(struct inode *inode, struct file *file)
{
	struct ccshm_attachment *att = file->private_data;

	kref_get(&att->obj.ref);
	attachment_abandon(att, true);
	ccshm_object_put(&att->obj);
	return 0;
}

static const struct ccshm_call_entry attachment_calls[] = {
	CCSHM_CALL(CCSHM_IOC_SEGMENTS, ccshm_segments_ioctl, ccshm_ioc_segments,
		   CCSHM_OUT(ccshm_ioc_segments, count)),
	CCSHM_CALL(CCSHM_IOC_DETACH, ccshm_detach_ioctl, ccshm_ioc_detach,
		   CCSHM_NO_OUT(ccshm_ioc_detach)),
};

static long attachment_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct ccshm_call call = { .attachment = file->private_data };

	return ccshm_call_dispatch(&call, attachment_calls,
				   ARRAY_SIZE(attachment_calls), cmd, arg);
}

static const char *state_name(enum ccshm_state state)
{
	switch (state) {
	case CCSHM_STATE_ACTIVE:
		return "active";
	case CCSHM_STATE_REVOKING:
		return "revoking";
	case CCSHM_STATE_REVOKED:
		return "revoked";
	case CCSHM_STATE_STUCK:
		return "stuck";
	}
	return "unknown";
}

/* Not the addresses: whoever may see them asks for them. */
static void attachment_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct ccshm_attachment *att = file->private_data;

	seq_printf(m, "ccshm-attachment:\t%llu\n", att->obj.id);
	seq_printf(m, "ccshm-buffer:\t%llu\n", att->obj.buffer->obj.id);
	if (att->export)
		seq_printf(m, "ccshm-export:\t%llu\n", att->export->obj.id);
	seq_printf(m, "ccshm-device:\tpci:%s\n", pci_name(att->pdev));
	seq_printf(m, "ccshm-slice:\toffset %llu size %llu\n", att->offset,
		   att->size);
	seq_printf(m, "ccshm-segments:\t%u\n", att->segments);
	seq_printf(m, "ccshm-state:\t%s\n", state_name(READ_ONCE(att->state)));
}

static const struct file_operations attachment_fops = {
	.owner = THIS_MODULE,
	.release = attachment_release,
	.show_fdinfo = attachment_show_fdinfo,
	.poll = attachment_poll,
	.unlocked_ioctl = attachment_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * ccshm_attachment_from_fd - find the attachment that a file descriptor refers to
 * @fd: file descriptor of the caller
 *
 * Return: the object with a reference; -EBADF when @fd is not open, -EMEDIUMTYPE
 * when it is no attachment.
 */
struct ccshm_object *ccshm_attachment_from_fd(int fd)
{
	struct ccshm_object *object = ERR_PTR(-EMEDIUMTYPE);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &attachment_fops) {
		struct ccshm_attachment *att = file->private_data;

		kref_get(&att->obj.ref);
		object = &att->obj;
	}
	fput(file);
	return object;
}

/*
 * What ATTACH works on: a buffer, or an export of one. With references to both.
 */
struct attach_target {
	struct ccshm_buffer *buffer;
	struct ccshm_export *export;
	u64 base;
	u64 limit;
};

static int target_from_dmabuf(struct attach_target *target, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct ccshm_export *export;
	int err = 0;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf) == -EINVAL ? -EMEDIUMTYPE :
						    PTR_ERR(dmabuf);
	export = ccshm_export_from_dmabuf(dmabuf);
	if (!export) {
		err = -EMEDIUMTYPE;
	} else if (export->flags & CCSHM_EXPORT_READ_ONLY) {
		err = -EACCES;
	} else {
		kref_get(&export->obj.ref);
		kref_get(&export->obj.buffer->obj.ref);
		*target = (struct attach_target){
			.buffer = export->obj.buffer,
			.export = export,
			.base = (u64)export->first << PAGE_SHIFT,
			.limit = (u64)export->pages << PAGE_SHIFT,
		};
	}
	dma_buf_put(dmabuf);
	return err;
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

static int attach_check(const struct ccshm_ioc_attach *req)
{
	const u64 known = CCSHM_ATTACH_DMABUF | CCSHM_ATTACH_PERSISTENT;

	if (req->flags & ~known || req->reserved || req->dma_bits > 64 ||
	    !ccshm_device_name_valid(req->device))
		return -EINVAL;
	if (req->flags & CCSHM_ATTACH_DMABUF ? req->id : req->dmabuf_fd)
		return -EINVAL;
	return capable(CAP_SYS_RAWIO) ? 0 : -EPERM;
}

/* End an attachment that was never listed. */
static void attachment_forget(struct ccshm_attachment *att)
{
	xa_erase(&att->obj.buffer->attachments, att->obj.id);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&att->obj);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&att->obj);
}

/* Takes over the references of @target and to @pdev when it succeeds. */
static struct ccshm_attachment *
attachment_new(const struct ccshm_ioc_attach *req, struct attach_target *target,
	       struct pci_dev *pdev, u64 size)
{
	struct ccshm_attachment *att;

	att = kzalloc(sizeof(*att), GFP_KERNEL_ACCOUNT);
	if (!att)
		return ERR_PTR(-ENOMEM);
	att->export = target->export;
	att->pdev = pdev;
	att->flags = req->flags;
	att->offset = target->base + req->offset;
	att->size = size;
	att->dma_bits = req->dma_bits;
	INIT_LIST_HEAD(&att->device_link);
	INIT_LIST_HEAD(&att->stop_link);
	mutex_init(&att->lock);
	init_waitqueue_head(&att->wait);
	INIT_DELAYED_WORK(&att->stop, stop_work);
	if (ccshm_object_init(&att->obj, &attachment_ops, target->buffer)) {
		kfree(att);
		return ERR_PTR(-ENOMEM);
	}
	/* So that listing cannot fail. */
	if (xa_reserve(&target->buffer->attachments, att->obj.id,
		       GFP_KERNEL_ACCOUNT)) {
		kref_get(&target->buffer->obj.ref);
		if (target->export)
			kref_get(&target->export->obj.ref);
		get_device(&pdev->dev);
		attachment_forget(att);
		return ERR_PTR(-ENOMEM);
	}
	return att;
}

/* The addresses were not told to anybody: nothing to stop. */
static void attachment_cancel(struct ccshm_attachment *att)
{
	mutex_lock(&att->lock);
	attachment_end(att);
	mutex_unlock(&att->lock);
}

/*
 * List it while the door of its export is open: what a revoke closes first, and
 * then looks for attachments. With a use of the buffer.
 */
static int attachment_enter(struct ccshm_attachment *att, struct ccshm_client *client)
{
	int err;

	if (att->export && !ccshm_export_enter(att->export))
		return -ENODEV;
	err = attachment_list(att, client);
	if (att->export)
		ccshm_export_leave(att->export);
	return err;
}

/*
 * Use the memory, unless the buffer's is on its way back; from then on what
 * happens to the device is seen. A removal does not take the device lock: when
 * its notification came too early to find the attachment, the device is off its
 * bus when we look again.
 */
static int attachment_use(struct ccshm_attachment *att, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = att->obj.buffer;
	int err;

	if (!refcount_inc_not_zero(&buffer->users))
		return att->export ? -ENODEV : -ENOENT;
	err = ccshm_dma_segments(&att->pdev->dev, &att->dma_bits,
				 &buffer->blocks, att->offset >> PAGE_SHIFT,
				 att->size >> PAGE_SHIFT, &att->segment,
				 &att->segments);
	if (!err)
		err = attachment_enter(att, client);
	if (err)
		ccshm_buffer_unuse(buffer);
	return err;
}

/*
 * Interruptible: vfio_unregister_group_dev() holds the device lock until user space,
 * maybe this very process, has closed the device.
 */
static int attachment_start(struct ccshm_attachment *att, struct ccshm_client *client)
{
	int err;

	err = device_lock_interruptible(&att->pdev->dev);
	if (err)
		return err;
	/* For commit and undo: what lists it can be gone before they run. */
	kref_get(&att->obj.ref);
	err = ccshm_device_check(att->pdev);
	if (!err) {
		finish_stops(att->pdev);
		err = attachment_use(att, client);
	}
	if (err)
		ccshm_object_put(&att->obj);
	device_unlock(&att->pdev->dev);
	trace_ccshm_map(&att->obj, att->size, &att->pdev->dev, NULL, err);
	return err;
}

/* Complete ATTACH, unless it was revoked or the device has gone meanwhile. */
static int attach_commit(struct ccshm_call *call)
{
	struct ccshm_attachment *att = container_of(call->object,
						    struct ccshm_attachment, obj);
	int err = 0;

	mutex_lock(&att->lock);
	mutex_lock(&ccshm_lock);
	if (!att->export && !att->obj.buffer->live)
		err = -ENOENT;
	else if (att->state != CCSHM_STATE_ACTIVE)
		err = -ENODEV;
	else
		ccshm_object_announce(&att->obj, CCSHM_EVENT_ATTACH);
	mutex_unlock(&ccshm_lock);
	att->committed = !err;
	mutex_unlock(&att->lock);
	if (err)
		return err;
	if (call->file)
		fd_install(call->fd, call->file);
	ccshm_object_put(&att->obj);
	return 0;
}

static void attach_undo(struct ccshm_call *call)
{
	struct ccshm_attachment *att = container_of(call->object,
						    struct ccshm_attachment, obj);

	attachment_cancel(att);
	if (call->file) {
		put_unused_fd(call->fd);
		fput(call->file);
	}
	ccshm_object_put(&att->obj);
}

static int attachment_fd(struct ccshm_attachment *att, struct ccshm_call *call)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile("[ccshm-attachment]", &attachment_fops, att,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	call->fd = fd;
	call->file = file;
	return 0;
}

static int attach_publish(struct ccshm_attachment *att, struct ccshm_call *call)
{
	struct ccshm_ioc_attach *req = call->arg;
	int err = 0;

	call->fd = -1;
	if (!ccshm_device_is_there(att->pdev))
		err = -ENODEV;
	else if (att->flags & CCSHM_ATTACH_PERSISTENT)
		attachment_abandon(att, false);
	else
		err = attachment_fd(att, call);
	if (err) {
		attachment_cancel(att);
		attachment_abandon(att, false);
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

	err = attach_check(req);
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
	att = attachment_new(req, &target, pdev, size);
	if (IS_ERR(att)) {
		err = PTR_ERR(att);
		pci_dev_put(pdev);
		goto put_target;
	}
	err = attachment_start(att, call->client);
	if (!err)
		return attach_publish(att, call);
	attachment_forget(att);
	return err;

put_target:
	target_put(&target);
	return err;
}

/* The one that a call on /dev/ccshm or on its own fd means, with a reference. */
static struct ccshm_attachment *attachment_of_call(struct ccshm_call *call, u64 id)
{
	struct ccshm_attachment *att = call->attachment;
	struct ccshm_object *object;

	if (att) {
		if (id && id != att->obj.id)
			return ERR_PTR(-EINVAL);
		kref_get(&att->obj.ref);
		return att;
	}
	object = ccshm_object_find(id, call->client, CCSHM_CONTROL);
	if (IS_ERR(object))
		return ERR_CAST(object);
	if (object->type != CCSHM_TYPE_ATTACHMENT || !capable(CAP_SYS_RAWIO)) {
		att = ERR_PTR(object->type != CCSHM_TYPE_ATTACHMENT ? -ENOENT :
								      -EPERM);
		ccshm_object_put(object);
		return att;
	}
	return container_of(object, struct ccshm_attachment, obj);
}

/* What is copied out at a time. */
#define BATCH	64

/* The next segments, of an attachment that is active now. */
static int segments_get(struct ccshm_call *call, struct ccshm_ioc_segment *batch,
			u32 *nr)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_attachment *att = attachment_of_call(call, req->id);
	int err = 0;

	if (IS_ERR(att))
		return PTR_ERR(att);
	mutex_lock(&att->lock);
	if (!att->committed || att->state != CCSHM_STATE_ACTIVE) {
		err = -ENODEV;
	} else if (req->first > att->segments) {
		err = -EINVAL;
	} else {
		req->total = att->segments;
		*nr = min3(att->segments - req->first - req->count,
			   req->capacity - req->count, (u32)BATCH);
		memcpy(batch, att->segment + req->first + req->count,
		       *nr * sizeof(*batch));
	}
	mutex_unlock(&att->lock);
	ccshm_object_put(&att->obj);
	return err;
}

/* Nothing is held while user memory is touched: the copy may never end. */
static int segments_copy(struct ccshm_call *call, struct ccshm_ioc_segment *batch)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_ioc_segment __user *user = u64_to_user_ptr(req->segments);
	u32 nr;
	int err;

	do {
		err = segments_get(call, batch, &nr);
		if (err)
			return err;
		if (copy_to_user(user + req->count, batch, nr * sizeof(*batch)))
			return -EFAULT;
		req->count += nr;
	} while (nr == BATCH);
	return 0;
}

int ccshm_segments_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_ioc_segment *batch;
	int err;

	if (req->flags)
		return -EINVAL;
	batch = kmalloc_array(BATCH, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	err = segments_copy(call, batch);
	kfree(batch);
	return err;
}

int ccshm_detach_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_detach *req = call->arg;
	struct ccshm_attachment *att;

	if (req->flags)
		return -EINVAL;
	att = attachment_of_call(call, req->id);
	if (IS_ERR(att))
		return PTR_ERR(att);
	mutex_lock(&att->lock);
	attachment_end(att);
	mutex_unlock(&att->lock);
	ccshm_object_put(&att->obj);
	return 0;
}

/* The one with the lowest id above @id that is for @dev, with a reference. */
static struct ccshm_attachment *next_of_device(struct device *dev, u64 id)
{
	struct ccshm_attachment *att, *found = NULL;

	mutex_lock(&ccshm_lock);
	list_for_each_entry(att, &attachments, device_link) {
		if (&att->pdev->dev == dev && att->obj.id > id &&
		    (!found || att->obj.id < found->obj.id))
			found = att;
	}
	if (found)
		kref_get(&found->obj.ref);
	mutex_unlock(&ccshm_lock);
	return found;
}

/*
 * A driver comes or goes (called under the device lock), or the device is
 * removed: whoever gave it the addresses is not in charge of it any more.
 */
static int device_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	bool removed = action == BUS_NOTIFY_DEL_DEVICE ||
		       action == BUS_NOTIFY_REMOVED_DEVICE;
	struct ccshm_attachment *att;
	struct device *dev = data;
	u64 id = 0;

	if (!removed && action != BUS_NOTIFY_BIND_DRIVER &&
	    action != BUS_NOTIFY_UNBIND_DRIVER)
		return NOTIFY_DONE;
	while ((att = next_of_device(dev, id))) {
		id = att->obj.id;
		attachment_stop(att);
		ccshm_object_put(&att->obj);
	}
	return NOTIFY_DONE;
}

/* The one with the lowest id above @id, with a reference. */
static struct ccshm_attachment *next_of_all(u64 id)
{
	struct ccshm_attachment *att, *found = NULL;

	mutex_lock(&ccshm_lock);
	list_for_each_entry(att, &attachments, device_link) {
		if (att->obj.id > id && (!found || att->obj.id < found->obj.id))
			found = att;
	}
	if (found)
		kref_get(&found->obj.ref);
	mutex_unlock(&ccshm_lock);
	return found;
}

/**
 * ccshm_attach_stop_all - stop the devices of all attachments, for good
 *
 * For a machine that goes down: ATTACH fails from now on. Waits for the stops no
 * longer than STOP_ALL_WAIT: a device lock may be held indefinitely, and what waits for
 * it goes on trying.
 */
void ccshm_attach_stop_all(void)
{
	struct ccshm_attachment *att;
	u64 id = 0;

	mutex_lock(&ccshm_lock);
	closed = true;
	mutex_unlock(&ccshm_lock);
	while ((att = next_of_all(id))) {
		id = att->obj.id;
		ccshm_attachment_revoke(att, true);
		ccshm_object_put(&att->obj);
	}
	if (!wait_event_timeout(stops_done, !atomic_read(&stops_pending),
				STOP_ALL_WAIT))
		pr_warn("ccshm: not all devices that use shared memory have stopped\n");
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

int ccshm_attach_init(void)
{
	int err;

	stop_wq = alloc_workqueue("ccshm-stop", WQ_UNBOUND, 0);
	if (!stop_wq)
		return -ENOMEM;
	err = bus_register_notifier(&pci_bus_type, &device_notifier);
	if (err)
		destroy_workqueue(stop_wq);
	return err;
}

void ccshm_attach_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &device_notifier);
	/*
	 * All attachments have ended, so a stop that is left only finds that out.
	 * destroy_workqueue() does not wait for the timer of a delayed work.
	 */
	wait_event(stops_done, !atomic_read(&stops_pending));
	destroy_workqueue(stop_wq);
}
