// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf that ccshm does not export. Tests use it to check that ccshm rejects other
 * exporters' dma-bufs, and to check importers with any dma-buf. The exporter counts its
 * importers' calls.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/gfp.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "importer.h"

/**
 * struct foreign - the private data of the dma-buf
 * @page: the memory
 * @attached: number of importers
 * @mapped: number of device mappings
 * @pinned: number of pins
 * @vmapped: number of kernel mappings
 */
struct foreign {
	struct page *page;
	atomic_t attached;
	atomic_t mapped;
	atomic_t pinned;
	atomic_t vmapped;
};

static int foreign_attach(struct dma_buf *dmabuf,
			  struct dma_buf_attachment *attach)
{
	struct foreign *foreign = dmabuf->priv;

	atomic_inc(&foreign->attached);
	return 0;
}

static void foreign_detach(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attach)
{
	struct foreign *foreign = dmabuf->priv;

	atomic_dec(&foreign->attached);
}

static int foreign_pin(struct dma_buf_attachment *attach)
{
	struct foreign *foreign = attach->dmabuf->priv;

	atomic_inc(&foreign->pinned);
	return 0;
}

static void foreign_unpin(struct dma_buf_attachment *attach)
{
	struct foreign *foreign = attach->dmabuf->priv;

	atomic_dec(&foreign->pinned);
}

static struct sg_table *foreign_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	struct foreign *foreign = attach->dmabuf->priv;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);

	if (!sgt || sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_set_page(sgt->sgl, foreign->page, PAGE_SIZE, 0);
	sg_dma_address(sgt->sgl) = 0;
	sg_dma_len(sgt->sgl) = PAGE_SIZE;
	atomic_inc(&foreign->mapped);
	return sgt;
}

static void foreign_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir)
{
	struct foreign *foreign = attach->dmabuf->priv;

	sg_free_table(sgt);
	kfree(sgt);
	atomic_dec(&foreign->mapped);
}

static int foreign_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct foreign *foreign = dmabuf->priv;

	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(foreign->page),
			       PAGE_SIZE, vma->vm_page_prot);
}

static int foreign_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct foreign *foreign = dmabuf->priv;

	iosys_map_set_vaddr(map, page_address(foreign->page));
	atomic_inc(&foreign->vmapped);
	return 0;
}

static void foreign_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct foreign *foreign = dmabuf->priv;

	atomic_dec(&foreign->vmapped);
}

static void foreign_free(struct foreign *foreign)
{
	__free_page(foreign->page);
	kfree(foreign);
}

static void foreign_release(struct dma_buf *dmabuf)
{
	foreign_free(dmabuf->priv);
}

static const struct dma_buf_ops foreign_ops = {
	.attach = foreign_attach,
	.detach = foreign_detach,
	.pin = foreign_pin,
	.unpin = foreign_unpin,
	.map_dma_buf = foreign_map,
	.unmap_dma_buf = foreign_unmap,
	.mmap = foreign_mmap,
	.vmap = foreign_vmap,
	.vunmap = foreign_vunmap,
	.release = foreign_release,
};

static struct foreign *foreign_new(void)
{
	struct foreign *foreign = kzalloc(sizeof(*foreign), GFP_KERNEL);

	if (!foreign)
		return NULL;
	foreign->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!foreign->page) {
		kfree(foreign);
		return NULL;
	}
	return foreign;
}

int importer_ioc_foreign(struct importer *imp, void *arg)
{
	struct importer_foreign *req = arg;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.ops = &foreign_ops;
	info.priv = foreign_new();
	if (!info.priv)
		return -ENOMEM;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		foreign_free(info.priv);
		return PTR_ERR(dmabuf);
	}
	req->fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (req->fd < 0)
		dma_buf_put(dmabuf);
	return min(req->fd, 0);
}

int importer_ioc_look(struct importer *imp, void *arg)
{
	struct importer_foreign *req = arg;
	struct dma_buf *dmabuf = dma_buf_get(req->fd);
	struct foreign *foreign;
	int err = -EINVAL;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (dmabuf->ops == &foreign_ops) {
		foreign = dmabuf->priv;
		req->attached = atomic_read(&foreign->attached);
		req->mapped = atomic_read(&foreign->mapped);
		req->pinned = atomic_read(&foreign->pinned);
		req->vmapped = atomic_read(&foreign->vmapped);
		err = 0;
	}
	dma_buf_put(dmabuf);
	return err;
}

int importer_ioc_notify(struct importer *imp, void *arg)
{
	struct importer_notify *req = arg;
	struct dma_buf *dmabuf = dma_buf_get(req->fd);
	struct dma_buf_attachment *attach;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		importer_notify(attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return 0;
}
