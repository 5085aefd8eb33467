// SPDX-License-Identifier: GPL-2.0-only
/* One importer: its attachment, mapping, device and the kernel's own mapping. */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "importer.h"

static void lock(struct importer *imp)
{
	dma_resv_lock(imp->dmabuf->resv, NULL);
}

static void unlock(struct importer *imp)
{
	dma_resv_unlock(imp->dmabuf->resv);
}

/* ---- the device ---- */

int importer_ioc_mask(struct importer *imp, void *arg)
{
	struct importer_mask *req = arg;
	struct edu *edu;
	int err;

	req->device[IMPORTER_NAME_LEN - 1] = '\0';
	edu = edu_find(req->device);
	if (!edu)
		return -ENODEV;
	/* A device that cannot DMA: PCI's always can, so take the mask away. */
	edu->pdev->dev.dma_mask = req->bits ? &edu->pdev->dma_mask : NULL;
	if (!req->bits)
		return 0;
	err = dma_set_mask(&edu->pdev->dev, DMA_BIT_MASK(req->bits));
	if (err)
		return err;
	dma_set_max_seg_size(&edu->pdev->dev, req->max_segment);
	return 0;
}

/* ---- attach and detach ---- */

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

	/* A notification can come as soon as it is attached. */
	imp->dmabuf = dmabuf;
	imp->notified = 0;
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
 * importer_let_go - unmap and unpin
 * @imp: it, with the reservation lock held
 */
void importer_let_go(struct importer *imp)
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

static void fence_signal(struct importer *imp)
{
	if (!imp->fence)
		return;
	dma_fence_signal(imp->fence);
	dma_fence_put(imp->fence);
	imp->fence = NULL;
}

static void vunmap_locked(struct importer *imp)
{
	if (iosys_map_is_null(&imp->vmap))
		return;
	dma_buf_vunmap(imp->dmabuf, &imp->vmap);
	iosys_map_clear(&imp->vmap);
}

/* Let go of everything; also of an importer that has nothing. */
void importer_detach(struct importer *imp)
{
	lockdep_assert_held(&importer_lock);
	if (!imp->dmabuf)
		return;
	fence_signal(imp);
	lock(imp);
	importer_let_go(imp);
	vunmap_locked(imp);
	unlock(imp);
	dma_buf_detach(imp->dmabuf, imp->attach);
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
	importer_detach(imp);
	return 0;
}

int importer_ioc_status(struct importer *imp, void *arg)
{
	struct importer_status *req = arg;

	*req = (struct importer_status){ .attached = !!imp->dmabuf };
	if (!imp->dmabuf)
		return 0;
	lock(imp);
	req->mapped = !!imp->sgt;
	req->pinned = imp->pinned;
	req->notified = imp->notified;
	unlock(imp);
	return 0;
}

/* ---- the mapping ---- */

static int map_locked(struct importer *imp, enum dma_data_direction direction)
{
	struct sg_table *sgt;
	int err;

	if (imp->sgt)
		return -EALREADY;
	if (imp->ops->pins) {
		err = dma_buf_pin(imp->attach);
		if (err)
			return err;
		imp->pinned = true;
	}
	sgt = dma_buf_map_attachment(imp->attach, direction);
	if (IS_ERR(sgt)) {
		importer_let_go(imp);
		return PTR_ERR(sgt);
	}
	imp->sgt = sgt;
	imp->direction = direction;
	return 0;
}

int importer_ioc_map(struct importer *imp, void *arg)
{
	struct importer_map *req = arg;
	int err;

	if (req->direction > IMPORTER_FROM_DEVICE)
		return -EINVAL;
	if (!imp->dmabuf)
		return -ENOTCONN;
	lock(imp);
	err = map_locked(imp, req->direction);
	unlock(imp);
	return err;
}

int importer_ioc_unmap(struct importer *imp, void *arg)
{
	bool mapped;

	if (!imp->dmabuf)
		return -ENOTCONN;
	lock(imp);
	mapped = imp->sgt;
	importer_let_go(imp);
	unlock(imp);
	return mapped ? 0 : -ENOTCONN;
}

int importer_ioc_table(struct importer *imp, void *arg)
{
	struct importer_table *req = arg;
	struct scatterlist *sg;
	u32 first = req->first;
	unsigned int i;

	if (!imp->dmabuf)
		return -ENOTCONN;
	memset(req, 0, sizeof(*req));
	req->first = first;
	lock(imp);
	if (imp->sgt) {
		for_each_sgtable_dma_sg(imp->sgt, sg, i) {
			req->total++;
			if (i < first || req->count == IMPORTER_SEGMENTS)
				continue;
			req->segment[req->count].dma_address = sg_dma_address(sg);
			req->segment[req->count++].length = sg_dma_len(sg);
		}
	}
	unlock(imp);
	return req->total ? 0 : -ENOTCONN;
}

/* The DMA address of @length bytes at @offset of the mapping. */
static int find_address(struct importer *imp, u64 offset, u32 length,
			dma_addr_t *address)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!imp->sgt)
		return -ENOTCONN;
	for_each_sgtable_dma_sg(imp->sgt, sg, i) {
		u64 left = sg_dma_len(sg);

		if (offset < left) {
			*address = sg_dma_address(sg) + offset;
			return length <= left - offset ? 0 : -EINVAL;
		}
		offset -= left;
	}
	return -EINVAL;
}

int importer_ioc_dma(struct importer *imp, void *arg)
{
	struct importer_dma *req = arg;
	dma_addr_t address;
	int err;

	if (!imp->dmabuf)
		return -ENOTCONN;
	lock(imp);
	err = find_address(imp, req->offset, req->length, &address);
	if (!err)
		err = edu_dma(imp->edu, address, req->length, req->from_device);
	unlock(imp);
	return err;
}

/* ---- mappings of CPUs ---- */

int importer_ioc_vmap(struct importer *imp, void *arg)
{
	int err = -EALREADY;

	if (!imp->dmabuf)
		return -ENOTCONN;
	lock(imp);
	if (iosys_map_is_null(&imp->vmap))
		err = dma_buf_vmap(imp->dmabuf, &imp->vmap);
	unlock(imp);
	return err;
}

int importer_ioc_vunmap(struct importer *imp, void *arg)
{
	if (!imp->dmabuf || iosys_map_is_null(&imp->vmap))
		return -ENOTCONN;
	lock(imp);
	vunmap_locked(imp);
	unlock(imp);
	return 0;
}

static int check_data(struct importer *imp, const struct importer_data *req)
{
	if (!imp->dmabuf || iosys_map_is_null(&imp->vmap))
		return -ENOTCONN;
	if (req->length > IMPORTER_DATA || req->offset > imp->dmabuf->size ||
	    req->length > imp->dmabuf->size - req->offset)
		return -EINVAL;
	return 0;
}

int importer_ioc_read(struct importer *imp, void *arg)
{
	struct importer_data *req = arg;
	int err = check_data(imp, req);

	if (!err)
		iosys_map_memcpy_from(req->data, &imp->vmap, req->offset,
				      req->length);
	return err;
}

int importer_ioc_write(struct importer *imp, void *arg)
{
	struct importer_data *req = arg;
	int err = check_data(imp, req);

	if (!err)
		iosys_map_memcpy_to(&imp->vmap, req->offset, req->data,
				    req->length);
	return err;
}

/* Through the exporter, as it has to be: then a revoke ends it too. */
int importer_mmap(struct importer *imp, struct vm_area_struct *vma)
{
	if (!imp->dmabuf)
		return -ENOTCONN;
	return dma_buf_mmap(imp->dmabuf, vma, vma->vm_pgoff);
}

/* ---- a fence, as of work that is under way ---- */

static const char *fence_name(struct dma_fence *fence)
{
	return IMPORTER_DRIVER;
}

/* The dma-buf keeps it, and with it these functions, for as long as it likes. */
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

static int fence_add(struct importer *imp)
{
	struct dma_fence *fence;
	int err;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;
	__module_get(THIS_MODULE);
	dma_fence_init(fence, &fence_ops, &fence_lock,
		       dma_fence_context_alloc(1), 1);
	lock(imp);
	err = dma_resv_reserve_fences(imp->dmabuf->resv, 1);
	if (!err)
		dma_resv_add_fence(imp->dmabuf->resv, fence,
				   DMA_RESV_USAGE_BOOKKEEP);
	unlock(imp);
	imp->fence = fence;
	if (err)
		fence_signal(imp);
	return err;
}

int importer_ioc_fence(struct importer *imp, void *arg)
{
	struct importer_fence *req = arg;

	if (!imp->dmabuf)
		return -ENOTCONN;
	if (!req->signal == !!imp->fence)
		return -EALREADY;
	if (!req->signal)
		return fence_add(imp);
	fence_signal(imp);
	return 0;
}
