// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_device: the driver's answer to DEVICE. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ccshm_device {
	struct ccshm_ioc_device uapi;
};

CCSHM_API int ccshm_device_get(struct ccshm *handle, const char *name,
			       struct ccshm_device **device)
{
	size_t length = strlen(name);
	struct ccshm_device *made;
	int ret;

	*device = NULL;
	if (length >= sizeof(made->uapi.device))
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	memcpy(made->uapi.device, name, length);
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_DEVICE, &made->uapi);
	if (ret) {
		free(made);
		return ret;
	}
	made->uapi.driver[CCSHM_DEVICE_LEN - 1] = '\0';
	made->uapi.reason[CCSHM_REASON_LEN - 1] = '\0';
	*device = made;
	return 0;
}

CCSHM_API void ccshm_device_free(struct ccshm_device *device)
{
	free(device);
}

CCSHM_API const char *ccshm_device_name(const struct ccshm_device *device)
{
	return device->uapi.device;
}

CCSHM_API const char *ccshm_device_driver(const struct ccshm_device *device)
{
	return device->uapi.driver;
}

CCSHM_API uint32_t ccshm_device_needs(const struct ccshm_device *device)
{
	return device->uapi.verdict;
}

CCSHM_API const char *ccshm_device_reason(const struct ccshm_device *device)
{
	return device->uapi.reason;
}

CCSHM_API uint32_t ccshm_device_mode(const struct ccshm_device *device)
{
	return device->uapi.mode;
}

CCSHM_API uint64_t ccshm_device_dma_mask(const struct ccshm_device *device)
{
	return device->uapi.dma_mask;
}

CCSHM_API uint64_t ccshm_device_bus_limit(const struct ccshm_device *device)
{
	return device->uapi.bus_limit;
}

CCSHM_API bool ccshm_device_has_kernel_driver(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_KERNEL_DRIVER;
}

CCSHM_API bool ccshm_device_has_default_mask(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_MASK_DEFAULT;
}

CCSHM_API bool ccshm_device_has_iommu(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_IOMMU;
}

CCSHM_API bool ccshm_device_is_coherent(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_COHERENT;
}

CCSHM_API bool ccshm_device_is_bounced(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_BOUNCES;
}

CCSHM_API bool ccshm_device_is_restricted(const struct ccshm_device *device)
{
	return device->uapi.device_flags & CCSHM_DEVICE_RESTRICTED;
}
