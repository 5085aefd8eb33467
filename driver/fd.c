// SPDX-License-Identifier: GPL-2.0-only
/* File descriptors of exports (dma-bufs) and of attachments. */
#include <linux/dma-buf.h>

#include "ccshm.h"

/**
 * ccshm_object_from_fd - find the export or attachment that a file descriptor refers to
 * @fd: file descriptor of the caller
 *
 * Return: the object with a reference; -EBADF when @fd is not open, -EMEDIUMTYPE
 * when it is neither.
 */
struct ccshm_object *ccshm_object_from_fd(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct ccshm_export *export;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf) == -EINVAL ? ccshm_attachment_from_fd(fd) :
						    ERR_CAST(dmabuf);
	export = ccshm_export_from_dmabuf(dmabuf);
	if (export)
		kref_get(&export->obj.ref);
	dma_buf_put(dmabuf);
	return export ? &export->obj : ERR_PTR(-EMEDIUMTYPE);
}
