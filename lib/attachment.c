// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_attachment: a slice of a buffer for a device. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ccshm_attachment {
	struct ccshm *handle;
	uint64_t id;
	uint64_t size;
	uint32_t segments;
	int fd;			/* -1: persistent, or opened by id */
};

/* The caller's array is passed to the kernel unchanged. */
_Static_assert(sizeof(struct ccshm_segment) ==
	       sizeof(struct ccshm_ioc_segment), "size");
_Static_assert(offsetof(struct ccshm_segment, dma_address) ==
	       offsetof(struct ccshm_ioc_segment, dma_address), "dma_address");
_Static_assert(offsetof(struct ccshm_segment, length) ==
	       offsetof(struct ccshm_ioc_segment, length), "length");
_Static_assert(offsetof(struct ccshm_segment, offset) ==
	       offsetof(struct ccshm_ioc_segment, offset), "offset");

/* Attach a device to the buffer or dma-buf that @uapi names. */
static int attach(struct ccshm *handle, struct ccshm_ioc_attach *uapi,
		  const char *device, const struct ccshm_attach_options *options,
		  struct ccshm_attachment **attachment)
{
	struct ccshm_attachment *made;
	size_t length = strlen(device);
	int ret;

	if (length >= sizeof(uapi->device))
		return -EINVAL;
	memcpy(uapi->device, device, length);
	ccshm_attach_options_to_uapi(options, uapi);

	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_ATTACH, uapi);
	if (ret) {
		free(made);
		return ret;
	}
	made->handle = ccshm_handle_ref(handle);
	made->id = uapi->attachment_id;
	made->size = uapi->actual_size;
	made->segments = uapi->segments;
	made->fd = uapi->fd;
	*attachment = made;
	return 0;
}

CCSHM_API int ccshm_buffer_attach(struct ccshm_buffer *buffer,
				  const char *device,
				  const struct ccshm_attach_options *options,
				  struct ccshm_attachment **attachment)
{
	struct ccshm_ioc_attach uapi = { .id = ccshm_buffer_id(buffer) };

	*attachment = NULL;
	return attach(ccshm_buffer_handle(buffer), &uapi, device, options,
		      attachment);
}

CCSHM_API int ccshm_dmabuf_attach(struct ccshm *handle, int fd,
				  const char *device,
				  const struct ccshm_attach_options *options,
				  struct ccshm_attachment **attachment)
{
	struct ccshm_ioc_attach uapi = {
		.flags = CCSHM_ATTACH_DMABUF,
		.dmabuf_fd = fd,
	};

	*attachment = NULL;
	return attach(handle, &uapi, device, options, attachment);
}

CCSHM_API int ccshm_export_attach(struct ccshm_export *exp, const char *device,
				  const struct ccshm_attach_options *options,
				  struct ccshm_attachment **attachment)
{
	int fd, ret;

	*attachment = NULL;
	fd = ccshm_export_lock(exp);
	if (fd < 0)
		return fd;
	ret = ccshm_dmabuf_attach(ccshm_export_handle(exp), fd, device, options,
				  attachment);
	ccshm_export_unlock(exp);
	return ret;
}

CCSHM_API int ccshm_attachment_open_id(struct ccshm *handle, uint64_t id,
				       struct ccshm_attachment **attachment)
{
	struct ccshm_attachment *made;
	struct ccshm_ioc_query uapi;
	int ret;

	*attachment = NULL;
	ret = ccshm_query(handle, id, CCSHM_TYPE_ATTACHMENT, &uapi);
	if (ret)
		return ret;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->handle = ccshm_handle_ref(handle);
	made->id = id;
	made->size = uapi.size;
	made->segments = uapi.segments;
	made->fd = -1;
	*attachment = made;
	return 0;
}

CCSHM_API void ccshm_attachment_close(struct ccshm_attachment *attachment)
{
	if (!attachment)
		return;
	if (attachment->fd >= 0)
		ccshm_handle_seam(attachment->handle)->close(attachment->fd);
	ccshm_close(attachment->handle);
	free(attachment);
}

/*
 * Call the attachment's own file if there is one: it needs no other permission.
 */
static int attachment_ioctl(const struct ccshm_attachment *attachment,
			    unsigned long request, void *arg)
{
	if (attachment->fd < 0)
		return ccshm_handle_ioctl(attachment->handle, request, arg);
	return ccshm_handle_ioctl_fd(attachment->handle, attachment->fd,
				     request, arg);
}

CCSHM_API int ccshm_attachment_detach(struct ccshm_attachment *attachment)
{
	struct ccshm_ioc_detach uapi = { .id = attachment->id };

	return attachment_ioctl(attachment, CCSHM_IOC_DETACH, &uapi);
}

CCSHM_API int ccshm_attachment_segments(struct ccshm_attachment *attachment,
					uint32_t first,
					struct ccshm_segment *segments,
					uint32_t capacity)
{
	struct ccshm_ioc_segments uapi = {
		.id = attachment->id,
		.segments = (uintptr_t)segments,
		.first = first,
		.capacity = capacity,
	};
	int ret;

	/* The function returns the count as an int. */
	if (capacity > INT_MAX)
		return -EINVAL;
	ret = attachment_ioctl(attachment, CCSHM_IOC_SEGMENTS, &uapi);
	return ret ? ret : (int)uapi.count;
}

CCSHM_API int ccshm_attachment_status(struct ccshm_attachment *attachment,
				      struct ccshm_status **status)
{
	return ccshm_status_get(attachment->handle, attachment->id, status);
}

CCSHM_API int ccshm_attachment_revoke(struct ccshm_attachment *attachment,
				      int64_t timeout_ns, uint64_t flags,
				      struct ccshm_revoke_result *result)
{
	return ccshm_revoke(attachment->handle, attachment->id, timeout_ns,
			    flags, result);
}

CCSHM_API int ccshm_attachment_fd(const struct ccshm_attachment *attachment)
{
	return attachment->fd < 0 ? -EBADF : attachment->fd;
}

CCSHM_API uint64_t
ccshm_attachment_id(const struct ccshm_attachment *attachment)
{
	return attachment->id;
}

CCSHM_API uint64_t
ccshm_attachment_size(const struct ccshm_attachment *attachment)
{
	return attachment->size;
}

CCSHM_API uint32_t
ccshm_attachment_segment_count(const struct ccshm_attachment *attachment)
{
	return attachment->segments;
}
