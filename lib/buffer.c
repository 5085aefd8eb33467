// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ccshm_buffer: a buffer of the driver, known by its id; or ordinary
 * memory, a memfd, if there is no driver and the program accepts that.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct ccshm_buffer {
	struct ccshm *handle;
	uint64_t id;		/* 0: ordinary memory */
	uint64_t size;
	pthread_mutex_t lock;	/* keeps @memfd open while it is in use */
	int memfd;		/* -1: not ordinary memory, or freed */
};

static struct ccshm_buffer *buffer_new(struct ccshm *handle)
{
	struct ccshm_buffer *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	pthread_mutex_init(&made->lock, NULL);
	made->memfd = -1;
	made->handle = ccshm_handle_ref(handle);
	return made;
}

/* Round the size of ordinary memory up to whole pages. */

static int ordinary_size(uint64_t size, uint64_t *rounded)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!size || size > UINT64_MAX - (page - 1))
		return -EINVAL;
	*rounded = (size + page - 1) / page * page;
	/* The driver returns -ENOMEM for sizes that exceed memory. */
	return *rounded > INT64_MAX ? -ENOMEM : 0;
}

/* Bytes that one call reserves at most. */
#define RESERVE_MAX	((uint64_t)4 << 20)

/*
 * Allocate all pages now, so that a later access cannot run out of memory.
 *
 * In kernels whose shmem_fallocate() tests signal_pending(), a signal undoes
 * everything that the call has allocated, and a timer interrupts each call that
 * takes longer than its period. Reserve in pieces, repeat only the interrupted
 * piece, and halve its size.
 */
static int ordinary_reserve(const struct ccshm_seam *seam, int fd,
			    uint64_t size, bool interruptible)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t done = 0, piece = RESERVE_MAX;

	while (done < size) {
		uint64_t part = piece < size - done ? piece : size - done;
		int ret = seam->reserve(fd, (off_t)done, (off_t)part);

		if (ret == -EINTR && !interruptible) {
			if (piece > page)
				piece /= 2;
			continue;
		}
		if (ret < 0)
			return ret;
		done += part;
		if (piece < RESERVE_MAX)
			piece *= 2;
	}
	return 0;
}

static int ordinary_alloc(struct ccshm_buffer *buffer,
			  const struct ccshm_ioc_alloc *wanted)
{
	const struct ccshm_seam *seam = ccshm_handle_seam(buffer->handle);
	/* Ordinary memory has none of these properties. */
	const uint64_t needs_driver = CCSHM_ALLOC_PERSISTENT |
				      CCSHM_ALLOC_NODE | CCSHM_ALLOC_DMA32 |
				      CCSHM_ALLOC_CONTIGUOUS |
				      CCSHM_ALLOC_WHOLE_UNITS |
				      CCSHM_ALLOC_OTHERS_PIN;
	const bool interruptible = wanted->flags & CCSHM_ALLOC_INTERRUPTIBLE;
	const uint64_t other_flags = wanted->flags & ~CCSHM_ALLOC_INTERRUPTIBLE;
	int fd, ret;

	/* Apply the driver's rules as far as possible. */
	if (wanted->flags & needs_driver)
		return -EOPNOTSUPP;
	if (other_flags || wanted->mode || wanted->name[0])
		return -EINVAL;
	ret = ordinary_size(wanted->size, &buffer->size);
	if (ret)
		return ret;

	fd = seam->memfd("ccshm-ordinary");
	if (fd < 0)
		return fd;
	ret = ordinary_reserve(seam, fd, buffer->size, interruptible);
	if (ret < 0) {
		seam->close(fd);
		return ret == -ENOSPC ? -ENOMEM : ret;
	}
	buffer->memfd = fd;
	return 0;
}

static int ordinary_map(struct ccshm_buffer *buffer, uint64_t offset,
			uint64_t size, int prot, struct ccshm_mapping **mapping)
{
	int ret = ccshm_slice_resolve(buffer->size, offset, &size);

	if (ret)
		return ret;
	pthread_mutex_lock(&buffer->lock);
	if (buffer->memfd < 0)
		ret = -ENOENT;
	else
		ret = ccshm_mapping_create(buffer->handle, buffer->memfd, offset,
					   size, offset, prot, 0, mapping);
	pthread_mutex_unlock(&buffer->lock);
	return ret;
}

static int ordinary_free(struct ccshm_buffer *buffer)
{
	int fd;

	pthread_mutex_lock(&buffer->lock);
	fd = buffer->memfd;
	buffer->memfd = -1;
	pthread_mutex_unlock(&buffer->lock);

	if (fd < 0)
		return -ENOENT;
	ccshm_handle_seam(buffer->handle)->close(fd);
	return 0;
}


CCSHM_API int ccshm_buffer_alloc(struct ccshm *handle, uint64_t size,
				 const struct ccshm_alloc_options *options,
				 struct ccshm_buffer **buffer)
{
	struct ccshm_ioc_alloc uapi = { .size = size };
	struct ccshm_buffer *made;
	int ret;

	*buffer = NULL;
	ccshm_alloc_options_to_uapi(options, &uapi);
	made = buffer_new(handle);
	if (!made)
		return -ENOMEM;
	if (ccshm_has_driver(handle)) {
		ret = ccshm_handle_ioctl(handle, CCSHM_IOC_ALLOC, &uapi);
		made->id = uapi.id;
		made->size = uapi.actual_size;
	} else {
		ret = ordinary_alloc(made, &uapi);
	}
	if (ret) {
		ccshm_buffer_close(made);
		return ret;
	}
	*buffer = made;
	return 0;
}

/* Get the owner from "USER/NAME", "UID/NAME" or "NAME". */
static int parse_owner(struct ccshm *handle, const char *name,
		       struct ccshm_ioc_open *uapi, const char **rest)
{
	const char *slash = strchr(name, '/');
	unsigned long long number;
	char *user, *end;
	uid_t uid = 0;
	int ret = 0;

	*rest = name;
	if (!slash)
		return 0;
	*rest = slash + 1;
	uapi->flags = CCSHM_OPEN_UID;

	user = strndup(name, (size_t)(slash - name));
	if (!user)
		return -ENOMEM;
	if (!*user) {
		ret = -EINVAL;
	} else if (strspn(user, "0123456789") == strlen(user)) {
		errno = 0;
		number = strtoull(user, &end, 10);
		/* The kernel uses the last uid for "no user". */
		if (errno || number >= UINT32_MAX)
			ret = -EINVAL;
		uid = (uid_t)number;
	} else {
		ret = ccshm_handle_seam(handle)->user(user, &uid);
	}
	uapi->uid = uid;
	free(user);
	return ret;
}

CCSHM_API int ccshm_buffer_open(struct ccshm *handle, const char *name,
				struct ccshm_buffer **buffer)
{
	struct ccshm_ioc_open uapi = { 0 };
	const char *rest;
	size_t length;
	int ret;

	*buffer = NULL;
	ret = parse_owner(handle, name, &uapi, &rest);
	if (ret)
		return ret;
	length = strlen(rest);
	if (!length || length >= sizeof(uapi.name))
		return -EINVAL;
	memcpy(uapi.name, rest, length);
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_OPEN, &uapi);
	if (ret)
		return ret;
	return ccshm_buffer_open_id(handle, uapi.id, buffer);
}

CCSHM_API int ccshm_buffer_open_id(struct ccshm *handle, uint64_t id,
				   struct ccshm_buffer **buffer)
{
	struct ccshm_ioc_query uapi;
	struct ccshm_buffer *made;
	int ret;

	*buffer = NULL;
	ret = ccshm_query(handle, id, CCSHM_TYPE_BUFFER, &uapi);
	if (ret)
		return ret;
	made = buffer_new(handle);
	if (!made)
		return -ENOMEM;
	made->id = id;
	made->size = uapi.size;
	*buffer = made;
	return 0;
}

CCSHM_API void ccshm_buffer_close(struct ccshm_buffer *buffer)
{
	if (!buffer)
		return;
	/* Ordinary memory cannot be opened by its id or name. */
	if (buffer->memfd >= 0)
		ccshm_handle_seam(buffer->handle)->close(buffer->memfd);
	pthread_mutex_destroy(&buffer->lock);
	ccshm_close(buffer->handle);
	free(buffer);
}

CCSHM_API int ccshm_buffer_free(struct ccshm_buffer *buffer)
{
	return ccshm_buffer_free_flags(buffer, 0);
}

CCSHM_API int ccshm_buffer_free_flags(struct ccshm_buffer *buffer,
				      uint64_t flags)
{
	struct ccshm_ioc_free uapi = { .id = buffer->id, .flags = flags };

	if (!ccshm_buffer_is_shared(buffer))
		return flags ? -EOPNOTSUPP : ordinary_free(buffer);
	return ccshm_handle_ioctl(buffer->handle, CCSHM_IOC_FREE, &uapi);
}

CCSHM_API int ccshm_buffer_map(struct ccshm_buffer *buffer, uint64_t offset,
			       uint64_t size, int prot, uint64_t flags,
			       struct ccshm_mapping **mapping)
{
	struct ccshm_ioc_export uapi = {
		.id = buffer->id,
		.flags = prot & PROT_WRITE ? 0 : CCSHM_EXPORT_READ_ONLY,
		.offset = offset,
		.size = size,
	};
	int ret;

	*mapping = NULL;
	ret = ccshm_prot_check(prot, flags);
	if (ret)
		return ret;
	if (!ccshm_buffer_is_shared(buffer))
		return ordinary_map(buffer, offset, size, prot, mapping);

	ret = ccshm_handle_ioctl(buffer->handle, CCSHM_IOC_EXPORT, &uapi);
	if (ret)
		return ret;
	ret = ccshm_mapping_create(buffer->handle, uapi.fd, 0, uapi.actual_size,
				   offset, prot, uapi.export_id, mapping);
	/* The mapping keeps the export alive. */
	ccshm_handle_seam(buffer->handle)->close(uapi.fd);
	return ret;
}

struct ccshm *ccshm_buffer_handle(const struct ccshm_buffer *buffer)
{
	return buffer->handle;
}

CCSHM_API uint64_t ccshm_buffer_id(const struct ccshm_buffer *buffer)
{
	return buffer->id;
}

CCSHM_API uint64_t ccshm_buffer_size(const struct ccshm_buffer *buffer)
{
	return buffer->size;
}

CCSHM_API bool ccshm_buffer_is_shared(const struct ccshm_buffer *buffer)
{
	return ccshm_has_driver(buffer->handle);
}
