// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names of constants, and the version of the library. */
#include "internal.h"

CCSHM_API const char *ccshm_version(void)
{
	return CCSHM_LIBRARY_VERSION;
}

CCSHM_API const char *ccshm_platform_name(uint32_t platform)
{
	switch (platform) {
	case CCSHM_PLATFORM_NONE:
		return "none";
	case CCSHM_PLATFORM_SEV:
		return "sev";
	case CCSHM_PLATFORM_SEV_ES:
		return "sev-es";
	case CCSHM_PLATFORM_SEV_SNP:
		return "sev-snp";
	case CCSHM_PLATFORM_TDX:
		return "tdx";
	case CCSHM_PLATFORM_CCA:
		return "cca";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_type_name(uint32_t type)
{
	switch (type) {
	case CCSHM_TYPE_BUFFER:
		return "buffer";
	case CCSHM_TYPE_EXPORT:
		return "export";
	case CCSHM_TYPE_ATTACHMENT:
		return "attachment";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_page_state_name(uint32_t state)
{
	switch (state) {
	case CCSHM_PAGE_PRIVATE:
		return "private";
	case CCSHM_PAGE_SHARED:
		return "shared";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_state_name(uint32_t state)
{
	switch (state) {
	case CCSHM_STATE_ACTIVE:
		return "active";
	case CCSHM_STATE_REVOKING:
		return "revoking";
	case CCSHM_STATE_REVOKED:
		return "revoked";
	case CCSHM_STATE_STUCK:
		return "stuck";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_verdict_name(uint32_t verdict)
{
	switch (verdict) {
	case CCSHM_DEVICE_NEEDS:
		return "yes";
	case CCSHM_DEVICE_NEEDS_NOT:
		return "no";
	case CCSHM_DEVICE_CANNOT:
		return "cannot";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_dma_mode_name(uint32_t mode)
{
	switch (mode) {
	case CCSHM_DMA_MODE_NONE:
		return "none";
	case CCSHM_DMA_MODE_DIRECT:
		return "direct";
	case CCSHM_DMA_MODE_IOMMU:
		return "iommu";
	case CCSHM_DMA_MODE_OWN:
		return "own";
	case CCSHM_DMA_MODE_USERSPACE:
		return "userspace";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_event_type_name(uint32_t type)
{
	switch (type) {
	case CCSHM_EVENT_BUFFER_NEW:
		return "buffer-new";
	case CCSHM_EVENT_BUFFER_END:
		return "buffer-end";
	case CCSHM_EVENT_BUFFER_GONE:
		return "buffer-gone";
	case CCSHM_EVENT_EXPORT_NEW:
		return "export-new";
	case CCSHM_EVENT_EXPORT_GONE:
		return "export-gone";
	case CCSHM_EVENT_ATTACH:
		return "attach";
	case CCSHM_EVENT_DETACH:
		return "detach";
	case CCSHM_EVENT_STUCK:
		return "stuck";
	case CCSHM_EVENT_IMPORTER_ATTACH:
		return "importer-attach";
	case CCSHM_EVENT_IMPORTER_DETACH:
		return "importer-detach";
	case CCSHM_EVENT_REVOKE_BEGIN:
		return "revoke-begin";
	case CCSHM_EVENT_REVOKE_END:
		return "revoke-end";
	case CCSHM_EVENT_LEAK:
		return "leak";
	case CCSHM_EVENT_QUOTA:
		return "quota";
	default:
		return "unknown";
	}
}

CCSHM_API const char *ccshm_quota_name(uint32_t quota)
{
	switch (quota) {
	case CCSHM_QUOTA_TOTAL_BYTES:
		return "total-bytes";
	case CCSHM_QUOTA_USER_BYTES:
		return "user-bytes";
	case CCSHM_QUOTA_USER_BUFFERS:
		return "user-buffers";
	case CCSHM_QUOTA_USER_EXPORTS:
		return "user-exports";
	default:
		return "unknown";
	}
}
