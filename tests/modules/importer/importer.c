// SPDX-License-Identifier: GPL-2.0-only
/* The state of one importer: its device and its attachment. */
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "importer.h"

/* Notifications of IMPORTER_ASLEEP that sleep. */
static DECLARE_WAIT_QUEUE_HEAD(sleepers);

void importer_lock_resv(struct importer *imp)
{
	dma_resv_lock(imp->dmabuf->resv, NULL);
}

void importer_unlock_resv(struct importer *imp)
{
	dma_resv_unlock(imp->dmabuf->resv);
}

/*
 * Set the DMA coherence that firmware describes for a real device. The function is needed on
 * arm64 only.
 */
static int set_coherence(struct device *dev, bool coherent)
{
#ifdef CONFIG_ARM64
	dev_assign_dma_coherent(dev, coherent);
	return 0;
#else
	return coherent ? 0 : -EOPNOTSUPP;
#endif
}

int importer_ioc_mask(struct importer *imp, void *arg)
{
	struct importer_mask *req = arg;
	struct edu *edu;
	int err;

	req->device[IMPORTER_NAME_LEN - 1] = '\0';
	edu = edu_find(req->device);
	if (!edu)
		return -ENODEV;
	/* @bits = 0: a device without DMA. PCI devices always have a mask, so remove it. */
	edu->pdev->dev.dma_mask = req->bits ? &edu->pdev->dma_mask : NULL;
	if (!req->bits)
		return 0;
	err = dma_set_mask(&edu->pdev->dev, DMA_BIT_MASK(req->bits));
	if (!err)
		err = set_coherence(&edu->pdev->dev, !req->not_coherent);
	if (err)
		return err;
	dma_set_max_seg_size(&edu->pdev->dev, req->max_segment);
	dma_set_seg_boundary(&edu->pdev->dev, req->boundary ?: U32_MAX);
	return 0;
}

int importer_ioc_attach(struct importer *imp, void *arg)
{
	struct importer_attach *req = arg;
	struct dma_buf *dmabuf;
	int err = -ENODEV;

	req->device[IMPORTER_NAME_LEN - 1] = '\0';
	if (imp->dmabuf)
		return -EALREADY;
	imp->ops = importer_kind(req->kind);
	if (!imp->ops)
		return -EINVAL;
	imp->edu = edu_find(req->device);
	if (!imp->edu)
		return -ENODEV;
	dmabuf = dma_buf_get(req->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	/* Notifications can arrive as soon as the dma-buf is attached. */
	imp->dmabuf = dmabuf;
	imp->notified = 0;
	imp->fences = 0;
	imp->awake = false;
	imp->delay_ms = req->delay_ms;
	imp->attach = dma_buf_dynamic_attach(dmabuf, &imp->edu->pdev->dev,
					     imp->ops->attach_ops, imp);
	if (IS_ERR(imp->attach)) {
		err = PTR_ERR(imp->attach);
		imp->attach = NULL;
		imp->dmabuf = NULL;
		dma_buf_put(dmabuf);
		return err;
	}
	list_add_tail(&imp->link, &imp->edu->importers);
	return 0;
}

/**
 * importer_unmap_unpin - unmap and unpin
 * @imp: the importer, with the reservation lock held
 */
void importer_unmap_unpin(struct importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);
	if (imp->sgt) {
		dma_buf_unmap_attachment(imp->attach, imp->sgt, imp->direction);
		imp->sgt = NULL;
	}
	if (imp->pinned) {
		dma_buf_unpin(imp->attach);
		imp->pinned = false;
	}
}

static void unmap_work(struct work_struct *work)
{
	struct importer *imp = container_of(to_delayed_work(work),
					    struct importer, unmap_work);

	importer_lock_resv(imp);
	importer_unmap_unpin(imp);
	importer_unlock_resv(imp);
}

void importer_schedule_unmap(struct importer *imp)
{
	schedule_delayed_work(&imp->unmap_work, msecs_to_jiffies(imp->delay_ms));
}

/* Sleep in a notification, like a driver that waits for its hardware, then unmap. */
void importer_sleep(struct importer *imp)
{
	wait_event_idle(sleepers, READ_ONCE(imp->awake));
	importer_unmap_unpin(imp);
}

int importer_ioc_wake(struct importer *imp, void *arg)
{
	WRITE_ONCE(imp->awake, true);
	wake_up_all(&sleepers);
	return 0;
}

/* Release everything that the importer holds. The importer need not be attached. */
void importer_detach(struct importer *imp)
{
	lockdep_assert_held(&importer_lock);
	if (!imp->dmabuf)
		return;
	importer_ioc_wake(imp, NULL);
	importer_fence_end(imp);
	importer_lock_resv(imp);
	importer_unmap_unpin(imp);
	importer_vunmap_locked(imp);
	importer_unlock_resv(imp);
	dma_buf_detach(imp->dmabuf, imp->attach);
	/* No further notifications arrive, and the work item has nothing left to unmap. */
	cancel_delayed_work_sync(&imp->unmap_work);
	list_del_init(&imp->link);
	dma_buf_put(imp->dmabuf);
	imp->attach = NULL;
	imp->dmabuf = NULL;
	imp->edu = NULL;
}

int importer_ioc_detach(struct importer *imp, void *arg)
{
	if (!imp->dmabuf)
		return -ENOTCONN;
	if (imp->ops->keeps)
		return -EBUSY;
	importer_detach(imp);
	return 0;
}

int importer_ioc_status(struct importer *imp, void *arg)
{
	struct importer_status *req = arg;

	*req = (struct importer_status){ .attached = !!imp->dmabuf };
	if (!imp->dmabuf)
		return 0;
	importer_lock_resv(imp);
	req->mapped = !!imp->sgt;
	req->pinned = imp->pinned;
	req->notified = imp->notified;
	req->fences = imp->fences;
	importer_unlock_resv(imp);
	return 0;
}

/* Hold the reservation lock, like a driver that waits for its hardware with the lock held. */
int importer_ioc_hold(struct importer *imp, void *arg)
{
	struct importer_hold *req = arg;
	struct dma_buf *dmabuf = dma_buf_get(req->fd);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_resv_lock(dmabuf->resv, NULL);
	msleep_interruptible(req->ms);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return signal_pending(current) ? -EINTR : 0;
}

void importer_setup(struct importer *imp)
{
	INIT_LIST_HEAD(&imp->link);
	INIT_DELAYED_WORK(&imp->unmap_work, unmap_work);
	importer_fence_init(imp);
}
