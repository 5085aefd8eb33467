// SPDX-License-Identifier: GPL-2.0-only
/* A dma-buf that is not ccshm's, to see that it is told apart. */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/mm.h>

#include "importer.h"

static struct sg_table *foreign_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	return ERR_PTR(-ENXIO);
}

static void foreign_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir)
{
}

static void foreign_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops foreign_ops = {
	.map_dma_buf = foreign_map,
	.unmap_dma_buf = foreign_unmap,
	.release = foreign_release,
};

int importer_ioc_foreign(struct importer *imp, void *arg)
{
	struct importer_foreign *req = arg;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.ops = &foreign_ops;
	info.priv = imp;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	req->fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (req->fd < 0)
		dma_buf_put(dmabuf);
	return min(req->fd, 0);
}
