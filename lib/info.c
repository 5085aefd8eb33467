// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_info: the driver's answer to INFO. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct ccshm_info {
	struct ccshm_ioc_info uapi;
};

CCSHM_API int ccshm_info_get(struct ccshm *handle, struct ccshm_info **info)
{
	struct ccshm_info *made;
	int ret;

	*info = NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_INFO, &made->uapi);
	if (ret) {
		free(made);
		return ret;
	}
	made->uapi.driver_version[CCSHM_VERSION_LEN - 1] = '\0';
	*info = made;
	return 0;
}

CCSHM_API void ccshm_info_free(struct ccshm_info *info)
{
	free(info);
}

CCSHM_API uint32_t ccshm_info_platform(const struct ccshm_info *info)
{
	return info->uapi.platform;
}

CCSHM_API bool ccshm_info_is_plain(const struct ccshm_info *info)
{
	return info->uapi.info_flags & CCSHM_INFO_PLAIN;
}

CCSHM_API const char *ccshm_info_driver_version(const struct ccshm_info *info)
{
	return info->uapi.driver_version;
}

CCSHM_API uint32_t ccshm_info_abi_version(const struct ccshm_info *info)
{
	return info->uapi.abi_version;
}

CCSHM_API uint64_t ccshm_info_features(const struct ccshm_info *info)
{
	return info->uapi.features;
}

CCSHM_API uint64_t ccshm_info_block_size(const struct ccshm_info *info)
{
	return info->uapi.block_size;
}

CCSHM_API uint64_t ccshm_info_contiguous_max(const struct ccshm_info *info)
{
	return info->uapi.contiguous_max;
}

CCSHM_API uint64_t ccshm_info_blocks_carved(const struct ccshm_info *info)
{
	return info->uapi.blocks_carved;
}

CCSHM_API uint64_t ccshm_info_bytes_carved(const struct ccshm_info *info)
{
	return info->uapi.bytes_carved;
}

CCSHM_API uint64_t ccshm_info_bytes_shared(const struct ccshm_info *info)
{
	return info->uapi.bytes_shared;
}

CCSHM_API uint64_t ccshm_info_bytes_leaked(const struct ccshm_info *info)
{
	return info->uapi.bytes_leaked;
}

CCSHM_API uint64_t ccshm_info_bytes_quarantined(const struct ccshm_info *info)
{
	return info->uapi.bytes_quarantined;
}

CCSHM_API uint64_t ccshm_info_conversions_shared(const struct ccshm_info *info)
{
	return info->uapi.calls_shared;
}

CCSHM_API uint64_t ccshm_info_conversions_private(const struct ccshm_info *info)
{
	return info->uapi.calls_private;
}

CCSHM_API uint64_t ccshm_info_conversions_failed(const struct ccshm_info *info)
{
	return info->uapi.calls_failed;
}

CCSHM_API uint32_t ccshm_info_buffers(const struct ccshm_info *info)
{
	return info->uapi.buffers;
}

CCSHM_API uint32_t ccshm_info_exports(const struct ccshm_info *info)
{
	return info->uapi.exports;
}

CCSHM_API uint32_t ccshm_info_attachments(const struct ccshm_info *info)
{
	return info->uapi.attachments;
}

CCSHM_API uint64_t ccshm_info_limit_total_bytes(const struct ccshm_info *info)
{
	return info->uapi.limit_total_bytes;
}

CCSHM_API uint64_t ccshm_info_limit_user_bytes(const struct ccshm_info *info)
{
	return info->uapi.limit_user_bytes;
}

CCSHM_API uint64_t ccshm_info_limit_user_buffers(const struct ccshm_info *info)
{
	return info->uapi.limit_user_buffers;
}

CCSHM_API uint64_t ccshm_info_limit_user_exports(const struct ccshm_info *info)
{
	return info->uapi.limit_user_exports;
}

CCSHM_API uint64_t ccshm_info_used_bytes(const struct ccshm_info *info)
{
	return info->uapi.used_bytes;
}

CCSHM_API uint64_t ccshm_info_refusals(const struct ccshm_info *info)
{
	return info->uapi.refusals;
}

CCSHM_API uint64_t ccshm_info_user_bytes(const struct ccshm_info *info)
{
	return info->uapi.user_bytes;
}

CCSHM_API uint64_t ccshm_info_user_bytes_leaked(const struct ccshm_info *info)
{
	return info->uapi.user_bytes_leaked;
}

CCSHM_API uint32_t ccshm_info_user_buffers(const struct ccshm_info *info)
{
	return info->uapi.user_buffers;
}

CCSHM_API uint32_t ccshm_info_user_exports(const struct ccshm_info *info)
{
	return info->uapi.user_exports;
}

CCSHM_API uint32_t ccshm_info_user_attachments(const struct ccshm_info *info)
{
	return info->uapi.user_attachments;
}

CCSHM_API uint32_t ccshm_info_user_importers(const struct ccshm_info *info)
{
	return info->uapi.user_importers;
}

CCSHM_API uint32_t ccshm_info_importers(const struct ccshm_info *info)
{
	return info->uapi.importers;
}
