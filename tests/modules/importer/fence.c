// SPDX-License-Identifier: GPL-2.0-only
/* Fences of pending work. */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "importer.h"

static const enum dma_resv_usage usages[] = {
	[IMPORTER_USAGE_BOOKKEEP] = DMA_RESV_USAGE_BOOKKEEP,
	[IMPORTER_USAGE_WRITE] = DMA_RESV_USAGE_WRITE,
	[IMPORTER_USAGE_KERNEL] = DMA_RESV_USAGE_KERNEL,
};

static const char *fence_name(struct dma_fence *fence)
{
	return IMPORTER_DRIVER;
}

/*
 * The dma-buf may keep the fence after it is signalled, so the fence holds a reference to
 * this module.
 */
static void fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
	.release = fence_release,
};

static DEFINE_SPINLOCK(fence_lock);

static void fence_signal(struct dma_fence *fence)
{
	if (!fence)
		return;
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* Add a new fence to the dma-buf. Return 0 or -ENOMEM. */
static int fence_add(struct importer *imp)
{
	struct dma_fence *fence;
	int err;

	dma_resv_assert_held(imp->dmabuf->resv);
	err = dma_resv_reserve_fences(imp->dmabuf->resv, 1);
	fence = err ? NULL : kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;
	__module_get(THIS_MODULE);
	dma_fence_init(fence, &fence_ops, &fence_lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_add_fence(imp->dmabuf->resv, fence,
			   usages[imp->fence_req.usage]);
	imp->fence = fence;
	imp->fences++;
	return 0;
}

static void work_later(struct importer *imp)
{
	schedule_delayed_work(&imp->fence_work,
			      msecs_to_jiffies(imp->fence_req.ms));
}

static void fence_work(struct work_struct *work)
{
	struct importer *imp = container_of(to_delayed_work(work),
					    struct importer, fence_work);
	struct dma_fence *fence;

	importer_lock_resv(imp);
	fence = imp->fence;
	imp->fence = NULL;
	if (fence && imp->fence_req.what == IMPORTER_FENCE_CHAIN &&
	    !fence_add(imp))
		work_later(imp);
	importer_unlock_resv(imp);
	fence_signal(fence);
}

/* Signal the fence, if there is one, and stop the work item. */
void importer_fence_end(struct importer *imp)
{
	struct dma_fence *fence;

	importer_lock_resv(imp);
	fence = imp->fence;
	imp->fence = NULL;
	importer_unlock_resv(imp);
	fence_signal(fence);
	cancel_delayed_work_sync(&imp->fence_work);
}

static int fence_start(struct importer *imp, const struct importer_fence *req)
{
	int err = -EALREADY;

	importer_lock_resv(imp);
	if (!imp->fence) {
		imp->fence_req = *req;
		err = fence_add(imp);
	}
	if (!err && (req->what == IMPORTER_FENCE_LATE ||
		     req->what == IMPORTER_FENCE_CHAIN))
		work_later(imp);
	importer_unlock_resv(imp);
	return err;
}

static int fence_stop(struct importer *imp)
{
	int err = 0;

	importer_lock_resv(imp);
	if (!imp->fence)
		err = -EALREADY;
	else if (imp->fence_req.what == IMPORTER_FENCE_NEVER)
		err = -EBUSY;
	importer_unlock_resv(imp);
	if (!err)
		importer_fence_end(imp);
	return err;
}

int importer_ioc_fence(struct importer *imp, void *arg)
{
	struct importer_fence *req = arg;

	if (!imp->dmabuf)
		return -ENOTCONN;
	if (req->what > IMPORTER_FENCE_CHAIN || req->usage >= ARRAY_SIZE(usages))
		return -EINVAL;
	return req->what == IMPORTER_FENCE_SIGNAL ? fence_stop(imp) :
						    fence_start(imp, req);
}

void importer_fence_init(struct importer *imp)
{
	INIT_DELAYED_WORK(&imp->fence_work, fence_work);
}
