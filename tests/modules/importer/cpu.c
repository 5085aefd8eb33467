// SPDX-License-Identifier: GPL-2.0-only
/* CPU access of an importer: the kernel mapping and mmap. */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>

#include "importer.h"

void importer_vunmap_locked(struct importer *imp)
{
	if (iosys_map_is_null(&imp->vmap))
		return;
	dma_buf_vunmap(imp->dmabuf, &imp->vmap);
	iosys_map_clear(&imp->vmap);
}

int importer_ioc_vmap(struct importer *imp, void *arg)
{
	int err = -EALREADY;

	if (!imp->dmabuf)
		return -ENOTCONN;
	importer_lock_resv(imp);
	if (iosys_map_is_null(&imp->vmap))
		err = dma_buf_vmap(imp->dmabuf, &imp->vmap);
	importer_unlock_resv(imp);
	return err;
}

int importer_ioc_vunmap(struct importer *imp, void *arg)
{
	if (!imp->dmabuf || iosys_map_is_null(&imp->vmap))
		return -ENOTCONN;
	importer_lock_resv(imp);
	importer_vunmap_locked(imp);
	importer_unlock_resv(imp);
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

/* Map the dma-buf through its exporter, as required; a revoke then also removes this mapping. */
int importer_mmap(struct importer *imp, struct vm_area_struct *vma)
{
	if (!imp->dmabuf)
		return -ENOTCONN;
	return dma_buf_mmap(imp->dmabuf, vma, vma->vm_pgoff);
}
