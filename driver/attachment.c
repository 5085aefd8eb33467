// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: the state of the right to give a device the addresses of a slice.
 *
 * The kernel cannot take back addresses that user space has written into the registers
 * of a device. Therefore the memory is held until the holder of the attachment reports
 * with DETACH that the device has stopped, or ccshm has stopped the device.
 *
 *	ACTIVE -> REVOKING -> REVOKED	a revoke, then DETACH or a stop that succeeds
 *	ACTIVE -------------> REVOKED	DETACH, or a driver binds, or the device is removed
 *	any state but REVOKED -> STUCK	the device cannot be stopped
 *	STUCK -> REVOKING, REVOKED	a forced revoke, or DETACH
 */
#include <linux/pci.h>
#include <linux/slab.h>

#include "ccshm.h"

static struct workqueue_struct *stop_wq;

/* How long a stop waits before it tries again to take a device lock. */
#define STOP_RETRY	msecs_to_jiffies(50)

/* Stops that are queued, wait to retry, or run: unloading waits for them. */
static atomic_t stops_pending;
static DECLARE_WAIT_QUEUE_HEAD(stops_done);

/* Attachments with such a stop, for ATTACH of the same device (ccshm_lock). */
static LIST_HEAD(stopping);

/* Number of the youngest attachment that was listed. */
static atomic64_t last_listed;

/* The machine goes down: list no attachment any more (ccshm_lock). */
static bool closed;

/*
 * How long to wait for all devices to stop. One that does not respond takes 1 s, or 2 s if
 * attachments are closed meanwhile.
 */
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

/* ---- from the first reference to the last ---- */

/* Free an attachment that was never listed. */
void ccshm_attachment_discard(struct ccshm_attachment *att)
{
	xa_erase(&att->obj.buffer->attachments, att->obj.id);
	mutex_lock(&ccshm_lock);
	ccshm_object_unpublish(&att->obj);
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(&att->obj);
}

static void stop_work(struct work_struct *work);

/**
 * ccshm_attachment_new - make an attachment that is not listed yet
 * @buffer: buffer whose memory the device is to use
 * @export: export that the attachment is made from, or NULL
 * @pdev: device
 *
 * On success the references to all three are taken over.
 *
 * Return: the attachment, or -ENOMEM.
 */
struct ccshm_attachment *ccshm_attachment_new(struct ccshm_buffer *buffer,
					      struct ccshm_export *export,
					      struct pci_dev *pdev)
{
	struct ccshm_attachment *att;

	att = kzalloc(sizeof(*att), GFP_KERNEL_ACCOUNT);
	if (!att)
		return ERR_PTR(-ENOMEM);
	att->export = export;
	att->pdev = pdev;
	INIT_LIST_HEAD(&att->stop_link);
	mutex_init(&att->lock);
	init_waitqueue_head(&att->wait);
	INIT_DELAYED_WORK(&att->stop, stop_work);
	if (ccshm_object_init(&att->obj, &attachment_ops, buffer, NULL)) {
		kfree(att);
		return ERR_PTR(-ENOMEM);
	}
	/* Reserve the entry, so that ccshm_attachment_list() cannot fail for memory. */
	if (xa_reserve(&buffer->attachments, att->obj.id, GFP_KERNEL_ACCOUNT)) {
		/* The caller keeps the references that attachment_free() drops. */
		kref_get(&buffer->obj.ref);
		if (export)
			kref_get(&export->obj.ref);
		get_device(&pdev->dev);
		ccshm_attachment_discard(att);
		return ERR_PTR(-ENOMEM);
	}
	return att;
}

/**
 * ccshm_attachment_list - list an attachment, if the caller may make it
 * @att: attachment with a use of the buffer
 * @client: open file that the caller came through, or NULL
 *
 * From now on the attachment can be revoked: before its addresses are returned, and
 * before user memory is accessed.
 *
 * Return: 0; -ESHUTDOWN when the machine goes down; or what ccshm_attachment_may()
 * returns.
 */
int ccshm_attachment_list(struct ccshm_attachment *att, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = att->obj.buffer;
	int err;

	mutex_lock(&ccshm_lock);
	err = closed ? -ESHUTDOWN : ccshm_attachment_may(att, client);
	if (!err) {
		__module_get(THIS_MODULE);
		att->listed = atomic64_inc_return(&last_listed);
		/* Reserved by ccshm_attachment_new(). */
		xa_store(&buffer->attachments, att->obj.id, &att->obj, 0);
		buffer->nr_attachments++;
		if (att->export)
			att->export->attachments++;
		ccshm_object_publish(&att->obj);
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

/**
 * ccshm_attachment_commit - complete ATTACH
 * @att: attachment that is listed
 *
 * Return: 0; -ENOENT when the buffer has ended, -ENODEV when the attachment was revoked
 * or the device has gone meanwhile.
 */
int ccshm_attachment_commit(struct ccshm_attachment *att)
{
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
	return err;
}

/* Unlist an attachment that has ended, and drop the reference of its file. */
static void attachment_unlist(struct ccshm_attachment *att)
{
	mutex_lock(&ccshm_lock);
	xa_erase(&att->obj.buffer->attachments, att->obj.id);
	att->obj.buffer->nr_attachments--;
	if (att->export)
		att->export->attachments--;
	ccshm_tally_count(&att->obj, att->export, att->size >> PAGE_SHIFT,
			  READ_ONCE(att->stopped));
	ccshm_object_unpublish(&att->obj);
	mutex_unlock(&ccshm_lock);
	module_put(THIS_MODULE);
	ccshm_object_put(&att->obj);
}

/* ---- the transitions ---- */

static void attachment_event(struct ccshm_attachment *att,
			     enum ccshm_event_type type)
{
	lockdep_assert_held(&att->lock);
	ccshm_changed();
	mutex_lock(&ccshm_lock);
	if (att->obj.announced)
		ccshm_event_attachment(type, &att->obj, att->stopped);
	mutex_unlock(&ccshm_lock);
}

/*
 * The device does not use the memory any more: drop the use of the memory, and release the
 * device. After a stop, bus mastering is off, so a later suspend saves it as off.
 */
static void attachment_end(struct ccshm_attachment *att)
{
	lockdep_assert_held(&att->lock);
	if (att->state == CCSHM_STATE_REVOKED)
		return;
	WRITE_ONCE(att->state, CCSHM_STATE_REVOKED);
	attachment_event(att, CCSHM_EVENT_DETACH);
	ccshm_buffer_unuse(att->obj.buffer);
	ccshm_device_release(att->pdev);
	wake_up_all(&att->wait);
	if (att->orphaned)
		attachment_unlist(att);
}

/**
 * ccshm_attachment_detach - end an attachment whose device uses the memory no more
 * @att: attachment whose holder has stopped the device, or was never given the addresses
 */
void ccshm_attachment_detach(struct ccshm_attachment *att)
{
	mutex_lock(&att->lock);
	attachment_end(att);
	mutex_unlock(&att->lock);
}

/* The device cannot be stopped: keep the memory, and report it. */
static void attachment_set_stuck(struct ccshm_attachment *att)
{
	bool known = att->state == CCSHM_STATE_STUCK;

	lockdep_assert_held(&att->lock);
	att->stopped = false;
	WRITE_ONCE(att->state, CCSHM_STATE_STUCK);
	if (!known) {
		pci_warn(att->pdev,
			 "ccshm: cannot be stopped: its shared memory stays held\n");
		attachment_event(att, CCSHM_EVENT_STUCK);
	}
	wake_up_all(&att->wait);
}

/* Enter the result of a stop, unless the attachment has ended meanwhile. */
static void attachment_set_stopped(struct ccshm_attachment *att, int err)
{
	mutex_lock(&att->lock);
	if (att->state == CCSHM_STATE_REVOKED) {
		/* DETACH, or another stop. */
	} else if (err) {
		attachment_set_stuck(att);
	} else {
		att->stopped = true;
		attachment_end(att);
	}
	mutex_unlock(&att->lock);
}

/**
 * ccshm_attachment_stop - stop the device of an attachment, and end the attachment
 * @att: attachment whose device lock is held, or whose device is being removed
 * @stop: in and out: stop of this device: one that does not respond takes a second once
 *
 * Removal alone proves nothing: a device that is removed by "echo 1 > remove" is still
 * there and may continue its DMA. Without proof the memory stays held after the removal:
 * the attachment stays listed as stuck, which also keeps the module, until DETACH.
 */
void ccshm_attachment_stop(struct ccshm_attachment *att, struct ccshm_stop *stop)
{
	if (READ_ONCE(att->state) == CCSHM_STATE_REVOKED)
		return;
	/* Without att->lock, so that no call waits for it. */
	if (!stop->tried || att->listed > stop->listed) {
		stop->tried = true;
		stop->listed = atomic64_read(&last_listed);
		stop->result = ccshm_device_stop(att->pdev);
	}
	attachment_set_stopped(att, stop->result);
}

/* ---- stops by a work item ---- */

/* Complete a stop that stop_queue() has queued. */
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

static bool is_revoking(struct ccshm_attachment *att)
{
	return READ_ONCE(att->state) == CCSHM_STATE_REVOKING;
}

/**
 * ccshm_attachment_finish_stops - finish the pending stops of a device
 * @pdev: device, under its device lock
 *
 * A stop that runs after ATTACH would stop the device of the new holder. The device is
 * stopped once, and the result is entered in all attachments that wait for it: also that
 * the device is stuck, so that none of their work items accesses the device again.
 */
void ccshm_attachment_finish_stops(struct pci_dev *pdev)
{
	struct ccshm_attachment *att, *next;
	struct ccshm_stop stop = {};
	LIST_HEAD(ours);

	mutex_lock(&ccshm_lock);
	list_for_each_entry_safe(att, next, &stopping, stop_link)
		if (att->pdev == pdev && is_revoking(att))
			list_move_tail(&att->stop_link, &ours);
	while (!list_empty(&ours)) {
		att = list_first_entry(&ours, struct ccshm_attachment, stop_link);
		list_del_init(&att->stop_link);
		kref_get(&att->obj.ref);
		mutex_unlock(&ccshm_lock);
		if (is_revoking(att))
			ccshm_attachment_stop(att, &stop);
		ccshm_object_put(&att->obj);
		mutex_lock(&ccshm_lock);
	}
	mutex_unlock(&ccshm_lock);
}

/*
 * Stop the device of an attachment. Never sleep on the device lock:
 * vfio_unregister_group_dev() holds it, in the unbind of vfio's driver, until user
 * space has closed the device, which can be never. Retry instead, so that no worker
 * is occupied, and give up when the attachment is not being revoked any more: it has ended,
 * or another stop has found that it is stuck.
 */
static void stop_work(struct work_struct *work)
{
	struct ccshm_attachment *att = container_of(to_delayed_work(work),
						    struct ccshm_attachment, stop);

	if (!is_revoking(att)) {
		stop_done(att);
		return;
	}
	if (!device_trylock(&att->pdev->dev)) {
		/* Keep the reference for the retry, unless stop_queue() has queued one. */
		if (!queue_delayed_work(stop_wq, &att->stop, STOP_RETRY))
			stop_done(att);
		return;
	}
	/* The device is stopped once for all attachments that wait for it. */
	ccshm_attachment_finish_stops(att->pdev);
	device_unlock(&att->pdev->dev);
	stop_done(att);
}

/* Queue a stop of the device of an attachment. */
static void stop_queue(struct ccshm_attachment *att)
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

/* ---- the ways to end one ---- */

/**
 * ccshm_attachment_revoke - begin to revoke an attachment
 * @att: attachment
 * @force: stop the device instead of asking the holder
 *
 * Wakes @att->wait when the attachment has ended, or is stuck. An attachment whose ATTACH
 * has not returned ends at once: its addresses are not known outside of the kernel.
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
		stop_queue(att);
}

/**
 * ccshm_attachment_orphan - note that an attachment has no file, or none any more
 * @att: attachment, with a reference of the caller beside that of the file
 * @stop: stop the device: its holder has gone without DETACH
 *
 * The reference of the file is dropped when the attachment has ended.
 */
void ccshm_attachment_orphan(struct ccshm_attachment *att, bool stop)
{
	bool ended;

	mutex_lock(&att->lock);
	att->orphaned = true;
	ended = att->state == CCSHM_STATE_REVOKED;
	if (stop && !ended) {
		WRITE_ONCE(att->state, CCSHM_STATE_REVOKING);
		stop_queue(att);
	}
	mutex_unlock(&att->lock);
	if (ended)
		attachment_unlist(att);
}

/**
 * ccshm_attachment_next - visit the attachments of a device, in the order of their ids
 * @dev: device, or NULL for all devices
 * @id: id of the previous attachment; 0 at first
 *
 * Return: the attachment with a reference, or NULL.
 */
struct ccshm_attachment *ccshm_attachment_next(const struct device *dev, u64 id)
{
	struct ccshm_object *object;

	while ((object = ccshm_object_next(CCSHM_TYPE_ATTACHMENT, id, U64_MAX))) {
		struct ccshm_attachment *att = container_of(object,
							    struct ccshm_attachment, obj);

		if (!dev || &att->pdev->dev == dev)
			return att;
		id = object->id;
		ccshm_object_put(object);
		cond_resched();
	}
	return NULL;
}

/**
 * ccshm_attachment_stop_all - stop the devices of all attachments permanently
 *
 * For a machine that goes down: ATTACH fails from now on. Waits for the stops no longer
 * than STOP_ALL_WAIT: a device lock may be held indefinitely, and the work items of these
 * devices continue to retry.
 */
void ccshm_attachment_stop_all(void)
{
	struct ccshm_attachment *att;
	u64 id = 0;

	mutex_lock(&ccshm_lock);
	closed = true;
	mutex_unlock(&ccshm_lock);
	while ((att = ccshm_attachment_next(NULL, id))) {
		id = att->obj.id;
		ccshm_attachment_revoke(att, true);
		ccshm_object_put(&att->obj);
	}
	if (!wait_event_timeout(stops_done, !atomic_read(&stops_pending),
				STOP_ALL_WAIT))
		pr_warn("ccshm: devices still use shared memory after %d s; their DMA may continue\n",
			STOP_ALL_WAIT / HZ);
}

int __init ccshm_attachment_init(void)
{
	/*
	 * Freezable: while the system sleeps, pci_pm_suspend_noirq() has saved the command
	 * register, and pci_pm_resume_noirq() writes it, so a stop in between would be undone.
	 * Processes are frozen first: a REVOKE that waits for a stop is interrupted, and restarted
	 * afterwards. A reboot waits no longer than STOP_ALL_WAIT.
	 */
	stop_wq = alloc_workqueue("ccshm-stop", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return stop_wq ? 0 : -ENOMEM;
}

void ccshm_attachment_exit(void)
{
	/*
	 * All attachments have ended, so a stop that is left finds nothing to do.
	 * destroy_workqueue() does not wait for the timer of a delayed work.
	 */
	wait_event(stops_done, !atomic_read(&stops_pending));
	destroy_workqueue(stop_wq);
}
