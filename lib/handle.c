// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm: an open file of /dev/ccshm, with the number of its users. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"

struct ccshm {
	const struct ccshm_seam *seam;
	int fd;			/* -1: no driver */
	atomic_uint users;	/* the caller's handle, and one for each object */
};

static int open_driver(const struct ccshm_seam *seam, uint64_t flags)
{
	int mode = flags & CCSHM_READ_ONLY ? O_RDONLY : O_RDWR;
	int fd = seam->open(CCSHM_DEVICE, mode | O_CLOEXEC);

	/*
	 * A node without a driver is treated like a node that does not exist.
	 */
	if (fd == -ENOENT || fd == -ENXIO)
		return -ENODEV;
	return fd;
}

/* The oldest ABI version of a driver that this library can use. */
#define ABI_NEEDED	1

/*
 * Check that the node belongs to ccshm, that the driver serves the ABI version
 * of this library, and that the driver is not too old for the library.
 */
static int handshake(const struct ccshm_seam *seam, int fd)
{
	struct ccshm_ioc_info info = { 0 };
	int ret = seam->ioctl(fd, CCSHM_IOC_INFO, &info);

	if (ret == -ENOTTY)
		return -EPROTO;
	if (ret < 0)
		return ret;
	if (info.abi_version < ABI_NEEDED || info.abi_oldest > info.abi_version)
		return -EPROTO;
	return info.abi_oldest <= CCSHM_ABI_VERSION ? 0 : -EPROTONOSUPPORT;
}

int ccshm_open_seam(const struct ccshm_seam *seam, uint64_t flags,
		    struct ccshm **handle)
{
	struct ccshm *made;
	int ret;

	*handle = NULL;
	if (flags & ~(CCSHM_ONLY_IF_NEEDED | CCSHM_READ_ONLY))
		return -EINVAL;

	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->seam = seam;
	atomic_init(&made->users, 1);

	made->fd = open_driver(seam, flags);
	if (made->fd == -ENODEV && (flags & CCSHM_ONLY_IF_NEEDED) &&
	    ccshm_machine_is_plain(seam)) {
		made->fd = -1;
		*handle = made;
		return 0;
	}
	if (made->fd < 0) {
		ret = made->fd;
		goto free_handle;
	}

	ret = handshake(seam, made->fd);
	if (ret)
		goto close_driver;
	*handle = made;
	return 0;

close_driver:
	seam->close(made->fd);
free_handle:
	free(made);
	return ret;
}

CCSHM_API int ccshm_open(uint64_t flags, struct ccshm **handle)
{
	return ccshm_open_seam(&ccshm_system, flags, handle);
}

struct ccshm *ccshm_handle_ref(struct ccshm *handle)
{
	atomic_fetch_add(&handle->users, 1);
	return handle;
}

CCSHM_API void ccshm_close(struct ccshm *handle)
{
	if (!handle || atomic_fetch_sub(&handle->users, 1) != 1)
		return;
	if (handle->fd >= 0)
		handle->seam->close(handle->fd);
	free(handle);
}

CCSHM_API int ccshm_fd(const struct ccshm *handle)
{
	return handle->fd < 0 ? -EOPNOTSUPP : handle->fd;
}

CCSHM_API bool ccshm_has_driver(const struct ccshm *handle)
{
	return handle->fd >= 0;
}

const struct ccshm_seam *ccshm_handle_seam(const struct ccshm *handle)
{
	return handle->seam;
}

int ccshm_handle_ioctl_fd(const struct ccshm *handle, int fd,
			  unsigned long request, void *arg)
{
	int ret = handle->seam->ioctl(fd, request, arg);

	return ret < 0 ? ret : 0;
}

int ccshm_handle_ioctl(const struct ccshm *handle, unsigned long request,
		       void *arg)
{
	if (handle->fd < 0)
		return -EOPNOTSUPP;
	return ccshm_handle_ioctl_fd(handle, handle->fd, request, arg);
}
