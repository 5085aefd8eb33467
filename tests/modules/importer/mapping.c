// SPDX-License-Identifier: GPL-2.0-only
/* The device mapping of an importer, and transfers. */
#include <linux/dma-buf.h>
#include <linux/scatterlist.h>
#include <linux/smp.h>
#include <linux/workqueue.h>

#include "importer.h"

static int pin_locked(struct importer *imp)
{
	int err;

	if (imp->pinned)
		return -EALREADY;
	err = dma_buf_pin(imp->attach);
	imp->pinned = !err;
	return err;
}

int importer_ioc_pin(struct importer *imp, void *arg)
{
	int err;

	if (!imp->dmabuf)
		return -ENOTCONN;
	/* Only dynamic importers may pin. */
	if (!imp->ops->attach_ops)
		return -EINVAL;
	importer_lock_resv(imp);
	err = pin_locked(imp);
	importer_unlock_resv(imp);
	return err;
}

static int map_locked(struct importer *imp, enum dma_data_direction direction)
{
	struct sg_table *sgt;
	int err;

	if (imp->sgt)
		return -EALREADY;
	if (imp->ops->pins && !imp->pinned) {
		err = pin_locked(imp);
		if (err)
			return err;
	}
	sgt = dma_buf_map_attachment(imp->attach, direction);
	if (IS_ERR(sgt)) {
		importer_unmap_unpin(imp);
		return PTR_ERR(sgt);
	}
	imp->sgt = sgt;
	imp->direction = direction;
	return 0;
}

struct map_request {
	struct importer *imp;
	enum dma_data_direction direction;
};

static long map_request(void *arg)
{
	struct map_request *req = arg;
	int err;

	importer_lock_resv(req->imp);
	err = map_locked(req->imp, req->direction);
	importer_unlock_resv(req->imp);
	return err;
}

int importer_ioc_map(struct importer *imp, void *arg)
{
	struct importer_map *req = arg;
	struct map_request request = { imp, req->direction };

	if (req->direction > IMPORTER_FROM_DEVICE)
		return -EINVAL;
	if (!imp->dmabuf)
		return -ENOTCONN;
	if (req->by_worker)
		return work_on_cpu(raw_smp_processor_id(), map_request, &request);
	return map_request(&request);
}

int importer_ioc_unmap(struct importer *imp, void *arg)
{
	bool mapped;

	if (!imp->dmabuf)
		return -ENOTCONN;
	if (imp->ops->keeps)
		return -EBUSY;
	importer_lock_resv(imp);
	mapped = imp->sgt || imp->pinned;
	importer_unmap_unpin(imp);
	importer_unlock_resv(imp);
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
	importer_lock_resv(imp);
	if (imp->sgt) {
		for_each_sgtable_dma_sg(imp->sgt, sg, i) {
			req->total++;
			if (i < first || req->count == IMPORTER_SEGMENTS)
				continue;
			req->segment[req->count].dma_address = sg_dma_address(sg);
			req->segment[req->count++].length = sg_dma_len(sg);
		}
	}
	importer_unlock_resv(imp);
	return req->total ? 0 : -ENOTCONN;
}

/*
 * Find the DMA address of @length bytes at @offset of the mapping. The range must be in one
 * segment.
 */
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
	importer_lock_resv(imp);
	err = find_address(imp, req->offset, req->length, &address);
	if (!err)
		err = edu_dma(imp->edu, address, req->length, req->from_device);
	importer_unlock_resv(imp);
	return err;
}
