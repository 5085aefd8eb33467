// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_mapping: a slice that is mapped into this process. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct ccshm_mapping {
	struct ccshm *handle;
	void *address;
	size_t size;
	uint64_t export_id;	/* 0: ordinary memory */
};

int ccshm_slice_resolve(uint64_t total, uint64_t offset, uint64_t *size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	/* mmap() would round the length up, beyond the slice. */
	if (offset % page || *size % page)
		return -EINVAL;
	if (offset >= total || *size > total - offset)
		return -EINVAL;
	if (!*size)
		*size = total - offset;
	return 0;
}

int ccshm_prot_check(int prot, uint64_t flags)
{
	if (flags)
		return -EINVAL;
	return prot == PROT_READ || prot == (PROT_READ | PROT_WRITE) ? 0 : -EINVAL;
}

/*
 * The kernel can map this size at once if address and memory are aligned alike.
 */
#define LARGE_PAGE	((size_t)2 << 20)

/*
 * Find an address at which the kernel can use large pages. If another thread
 * maps there first, the kernel chooses another address.
 */
static void *large_page_address(const struct ccshm_seam *seam, size_t size,
				uint64_t phase)
{
	size_t begin = (size_t)(phase & (LARGE_PAGE - 1));
	size_t before = begin ? LARGE_PAGE - begin : 0;
	void *address;

	if (size < LARGE_PAGE || size - LARGE_PAGE < before)
		return NULL;
	return seam->place(size, LARGE_PAGE, begin, &address) ? NULL : address;
}

int ccshm_mapping_create(struct ccshm *handle, int fd, uint64_t offset,
			 uint64_t size, uint64_t phase, int prot,
			 uint64_t export_id, struct ccshm_mapping **mapping)
{
	const struct ccshm_seam *seam = ccshm_handle_seam(handle);
	struct ccshm_mapping *made;
	int ret;

	if (size > SIZE_MAX || offset > INT64_MAX)
		return -EOVERFLOW;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->size = (size_t)size;
	made->export_id = export_id;
	made->address = large_page_address(seam, made->size, phase);
	ret = seam->mmap(made->size, prot, MAP_SHARED, fd, (off_t)offset,
			 &made->address);
	if (ret < 0) {
		free(made);
		return ret;
	}
	made->handle = ccshm_handle_ref(handle);
	*mapping = made;
	return 0;
}

CCSHM_API void ccshm_mapping_close(struct ccshm_mapping *mapping)
{
	if (!mapping)
		return;
	ccshm_handle_seam(mapping->handle)->munmap(mapping->address,
						   mapping->size);
	ccshm_close(mapping->handle);
	free(mapping);
}

CCSHM_API void *ccshm_mapping_address(const struct ccshm_mapping *mapping)
{
	return mapping->address;
}

CCSHM_API size_t ccshm_mapping_size(const struct ccshm_mapping *mapping)
{
	return mapping->size;
}

CCSHM_API uint64_t
ccshm_mapping_export_id(const struct ccshm_mapping *mapping)
{
	return mapping->export_id;
}
