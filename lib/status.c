// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_status: the driver's answer to QUERY. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ccshm_status {
	struct ccshm_ioc_query uapi;
};

static int query(struct ccshm *handle, struct ccshm_ioc_query *uapi)
{
	int ret = ccshm_handle_ioctl(handle, CCSHM_IOC_QUERY, uapi);

	uapi->name[CCSHM_NAME_LEN - 1] = '\0';
	uapi->device[CCSHM_DEVICE_LEN - 1] = '\0';
	return ret;
}

int ccshm_query(struct ccshm *handle, uint64_t id, uint32_t type,
		struct ccshm_ioc_query *uapi)
{
	int ret;

	*uapi = (struct ccshm_ioc_query){ .id = id };
	ret = query(handle, uapi);
	if (ret)
		return ret;
	return uapi->type == type ? 0 : -EINVAL;
}

int ccshm_status_make(const struct ccshm_ioc_query *uapi,
		      struct ccshm_status **status)
{
	struct ccshm_status *made = calloc(1, sizeof(*made));

	*status = made;
	if (!made)
		return -ENOMEM;
	made->uapi = *uapi;
	made->uapi.name[CCSHM_NAME_LEN - 1] = '\0';
	made->uapi.device[CCSHM_DEVICE_LEN - 1] = '\0';
	return 0;
}

/* Make a snapshot of the object that @wanted names. */
static int get(struct ccshm *handle, const struct ccshm_ioc_query *wanted,
	       struct ccshm_status **status)
{
	struct ccshm_status *made;
	int ret;

	*status = NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->uapi = *wanted;
	ret = query(handle, &made->uapi);
	if (ret) {
		free(made);
		return ret;
	}
	*status = made;
	return 0;
}

int ccshm_status_next(struct ccshm *handle, uint32_t type, uint64_t after,
		      struct ccshm_status **status)
{
	const struct ccshm_ioc_query wanted = {
		.id = after, .flags = CCSHM_QUERY_NEXT, .next_type = type,
	};
	int ret = get(handle, &wanted, status);

	/* Prevent an endless loop if the driver returns a wrong object. */
	if (!ret && ((*status)->uapi.object_id <= after ||
		     (*status)->uapi.type != type)) {
		free(*status);
		*status = NULL;
		return -EPROTO;
	}
	return ret;
}

CCSHM_API int ccshm_status_get(struct ccshm *handle, uint64_t id,
			       struct ccshm_status **status)
{
	const struct ccshm_ioc_query wanted = { .id = id };

	return get(handle, &wanted, status);
}

CCSHM_API int ccshm_status_get_fd(struct ccshm *handle, int fd,
				  struct ccshm_status **status)
{
	const struct ccshm_ioc_query wanted = {
		.flags = CCSHM_QUERY_BY_FD, .fd = fd,
	};

	return get(handle, &wanted, status);
}

CCSHM_API int ccshm_buffer_status(struct ccshm_buffer *buffer,
				  struct ccshm_status **status)
{
	return ccshm_status_get(ccshm_buffer_handle(buffer),
				ccshm_buffer_id(buffer), status);
}

CCSHM_API int ccshm_export_status(struct ccshm_export *exp,
				  struct ccshm_status **status)
{
	return ccshm_status_get(ccshm_export_handle(exp), ccshm_export_id(exp),
				status);
}

CCSHM_API void ccshm_status_free(struct ccshm_status *status)
{
	free(status);
}

CCSHM_API uint64_t ccshm_status_id(const struct ccshm_status *status)
{
	return status->uapi.object_id;
}

CCSHM_API uint32_t ccshm_status_type(const struct ccshm_status *status)
{
	return status->uapi.type;
}

CCSHM_API uint32_t ccshm_status_state(const struct ccshm_status *status)
{
	return status->uapi.state;
}

CCSHM_API uint64_t ccshm_status_flags(const struct ccshm_status *status)
{
	return status->uapi.object_flags;
}

CCSHM_API bool ccshm_status_is_persistent(const struct ccshm_status *status)
{
	switch (status->uapi.type) {
	case CCSHM_TYPE_BUFFER:
		return status->uapi.object_flags & CCSHM_ALLOC_PERSISTENT;
	case CCSHM_TYPE_ATTACHMENT:
		return status->uapi.object_flags & CCSHM_ATTACH_PERSISTENT;
	default:
		return false;
	}
}

CCSHM_API bool ccshm_status_is_orphan(const struct ccshm_status *status)
{
	return status->uapi.query_flags & CCSHM_QUERY_ORPHAN;
}

CCSHM_API bool ccshm_status_is_heap(const struct ccshm_status *status)
{
	return status->uapi.query_flags & CCSHM_QUERY_HEAP;
}

CCSHM_API bool ccshm_status_is_holder(const struct ccshm_status *status)
{
	return status->uapi.query_flags & CCSHM_QUERY_HOLDER;
}

CCSHM_API bool ccshm_status_is_sealed(const struct ccshm_status *status)
{
	return status->uapi.query_flags & CCSHM_QUERY_SEALED;
}

CCSHM_API bool ccshm_status_has_control(const struct ccshm_status *status)
{
	return status->uapi.query_flags & CCSHM_QUERY_CONTROL;
}

CCSHM_API uint64_t ccshm_status_buffer_id(const struct ccshm_status *status)
{
	return status->uapi.buffer_id;
}

CCSHM_API uint64_t ccshm_status_export_id(const struct ccshm_status *status)
{
	return status->uapi.export_id;
}

CCSHM_API uint64_t ccshm_status_offset(const struct ccshm_status *status)
{
	return status->uapi.offset;
}

CCSHM_API uint64_t ccshm_status_size(const struct ccshm_status *status)
{
	return status->uapi.size;
}

CCSHM_API uid_t ccshm_status_owner(const struct ccshm_status *status)
{
	return status->uapi.uid;
}

CCSHM_API gid_t ccshm_status_group(const struct ccshm_status *status)
{
	return status->uapi.gid;
}

CCSHM_API mode_t ccshm_status_mode(const struct ccshm_status *status)
{
	return status->uapi.mode;
}

CCSHM_API uid_t ccshm_status_payer(const struct ccshm_status *status)
{
	return status->uapi.payer;
}

CCSHM_API uint64_t ccshm_status_charged(const struct ccshm_status *status)
{
	return status->uapi.charged;
}

CCSHM_API uint64_t ccshm_status_carved(const struct ccshm_status *status)
{
	return status->uapi.carved;
}

CCSHM_API uint64_t ccshm_status_blocks(const struct ccshm_status *status)
{
	return status->uapi.blocks;
}

CCSHM_API uint64_t ccshm_status_blocks_small(const struct ccshm_status *status)
{
	return status->uapi.blocks_small;
}

CCSHM_API uint64_t ccshm_status_units(const struct ccshm_status *status)
{
	return status->uapi.units;
}

CCSHM_API uint64_t ccshm_status_units_whole(const struct ccshm_status *status)
{
	return status->uapi.units_whole;
}

CCSHM_API uint64_t ccshm_status_conversions(const struct ccshm_status *status)
{
	return status->uapi.conversions;
}

CCSHM_API uint32_t ccshm_status_exports(const struct ccshm_status *status)
{
	return status->uapi.exports;
}

CCSHM_API uint32_t ccshm_status_attachments(const struct ccshm_status *status)
{
	return status->uapi.attachments;
}

CCSHM_API uint32_t ccshm_status_importers(const struct ccshm_status *status)
{
	return status->uapi.importers;
}

CCSHM_API uint32_t
ccshm_status_device_mappings(const struct ccshm_status *status)
{
	return status->uapi.device_mappings;
}

CCSHM_API uint32_t ccshm_status_cpu_mappings(const struct ccshm_status *status)
{
	return status->uapi.cpu_mappings;
}

CCSHM_API uint32_t ccshm_status_dma_bits(const struct ccshm_status *status)
{
	return status->uapi.dma_bits;
}

CCSHM_API uint32_t ccshm_status_segments(const struct ccshm_status *status)
{
	return status->uapi.segments;
}

CCSHM_API const char *ccshm_status_name(const struct ccshm_status *status)
{
	return status->uapi.name;
}

CCSHM_API const char *ccshm_status_device(const struct ccshm_status *status)
{
	return status->uapi.device;
}
