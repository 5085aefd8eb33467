// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_export: a slice of a buffer as a dma-buf. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"

struct ccshm_export {
	struct ccshm *handle;
	uint64_t id;
	uint64_t offset;	/* in the buffer */
	uint64_t size;
	pthread_mutex_t lock;	/* keeps @fd open while it is in use */
	int fd;			/* -1: taken by the caller */
};

CCSHM_API int ccshm_export_create(struct ccshm_buffer *buffer, uint64_t flags,
				  uint64_t offset, uint64_t size,
				  struct ccshm_export **exp)
{
	struct ccshm_ioc_export uapi = {
		.id = ccshm_buffer_id(buffer),
		.flags = flags,
		.offset = offset,
		.size = size,
	};
	struct ccshm *handle = ccshm_buffer_handle(buffer);
	struct ccshm_export *made;
	int ret;

	*exp = NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_EXPORT, &uapi);
	if (ret) {
		free(made);
		return ret;
	}
	pthread_mutex_init(&made->lock, NULL);
	made->handle = ccshm_handle_ref(handle);
	made->id = uapi.export_id;
	made->offset = offset;
	made->size = uapi.actual_size;
	made->fd = uapi.fd;
	*exp = made;
	return 0;
}

CCSHM_API void ccshm_export_close(struct ccshm_export *exp)
{
	if (!exp)
		return;
	if (exp->fd >= 0)
		ccshm_handle_seam(exp->handle)->close(exp->fd);
	pthread_mutex_destroy(&exp->lock);
	ccshm_close(exp->handle);
	free(exp);
}

int ccshm_export_lock(struct ccshm_export *exp)
{
	pthread_mutex_lock(&exp->lock);
	if (exp->fd >= 0)
		return exp->fd;
	pthread_mutex_unlock(&exp->lock);
	return -EBADF;
}

void ccshm_export_unlock(struct ccshm_export *exp)
{
	pthread_mutex_unlock(&exp->lock);
}

CCSHM_API int ccshm_export_fd(struct ccshm_export *exp)
{
	int fd = ccshm_export_lock(exp);

	if (fd >= 0)
		ccshm_export_unlock(exp);
	return fd;
}

CCSHM_API int ccshm_export_take_fd(struct ccshm_export *exp)
{
	int fd = ccshm_export_lock(exp);

	if (fd >= 0) {
		exp->fd = -1;
		ccshm_export_unlock(exp);
	}
	return fd;
}

CCSHM_API int ccshm_export_map(struct ccshm_export *exp, uint64_t offset,
			       uint64_t size, int prot, uint64_t flags,
			       struct ccshm_mapping **mapping)
{
	int fd, ret;

	*mapping = NULL;
	ret = ccshm_prot_check(prot, flags);
	if (ret)
		return ret;
	ret = ccshm_slice_resolve(exp->size, offset, &size);
	if (ret)
		return ret;
	fd = ccshm_export_lock(exp);
	if (fd < 0)
		return fd;
	ret = ccshm_mapping_create(exp->handle, fd, offset, size,
				   exp->offset + offset, prot, exp->id, mapping);
	ccshm_export_unlock(exp);
	return ret;
}

struct ccshm *ccshm_export_handle(const struct ccshm_export *exp)
{
	return exp->handle;
}

CCSHM_API uint64_t ccshm_export_id(const struct ccshm_export *exp)
{
	return exp->id;
}

CCSHM_API uint64_t ccshm_export_size(const struct ccshm_export *exp)
{
	return exp->size;
}
