// SPDX-License-Identifier: GPL-2.0-only
/* File descriptors of exports (dma-bufs) and of attachments. */
#include <linux/err.h>

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
	struct ccshm_export *export = ccshm_export_from_fd(fd);

	if (!IS_ERR(export))
		return &export->obj;
	return PTR_ERR(export) == -EMEDIUMTYPE ? ccshm_attachment_from_fd(fd) :
						 ERR_CAST(export);
}
