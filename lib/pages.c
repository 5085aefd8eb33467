// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ccshm_run: the state of pages, according to the kernel's page tables.
 */
#include <errno.h>
#include <limits.h>

#include "internal.h"

/* The caller's array is passed to the kernel unchanged. */
_Static_assert(sizeof(struct ccshm_run) == sizeof(struct ccshm_ioc_run), "size");
_Static_assert(offsetof(struct ccshm_run, offset) ==
	       offsetof(struct ccshm_ioc_run, offset), "offset");
_Static_assert(offsetof(struct ccshm_run, length) ==
	       offsetof(struct ccshm_ioc_run, length), "length");
_Static_assert(offsetof(struct ccshm_run, physical) ==
	       offsetof(struct ccshm_ioc_run, physical), "physical");
_Static_assert(offsetof(struct ccshm_run, state) ==
	       offsetof(struct ccshm_ioc_run, state), "state");
_Static_assert(offsetof(struct ccshm_run, flags) ==
	       offsetof(struct ccshm_ioc_run, flags), "flags");

CCSHM_API int ccshm_buffer_pages(struct ccshm_buffer *buffer, uint64_t offset,
				 uint64_t size, struct ccshm_run *runs,
				 uint32_t capacity, uint64_t *next)
{
	struct ccshm_ioc_pages uapi = {
		.id = ccshm_buffer_id(buffer),
		.offset = offset,
		.size = size,
		.runs = (uintptr_t)runs,
		.capacity = capacity,
	};
	int ret;

	*next = offset;
	/* The function returns the count as an int. */
	if (capacity > INT_MAX)
		return -EINVAL;
	ret = ccshm_handle_ioctl(ccshm_buffer_handle(buffer), CCSHM_IOC_PAGES,
				 &uapi);
	if (ret)
		return ret;
	*next = uapi.next;
	return (int)uapi.count;
}
