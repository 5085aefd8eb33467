/* SPDX-License-Identifier: GPL-2.0-only */
/* The IOMMU domain of a device, for suites of a machine with an IOMMU. */
#ifndef CCSHM_IOMMU_H
#define CCSHM_IOMMU_H

#include "device.h"

/*
 * Return the type of the device's IOMMU domain ("DMA", "DMA-FQ", "identity"), or "" if the device
 * has no IOMMU. The next call overwrites the text.
 */
const char *iommu_type(const char *device);

/* Change the type of the IOMMU domain of a device that no driver is bound to. */
RAW_CHECKED int iommu_set_type(const char *device, const char *type);

#endif /* CCSHM_IOMMU_H */
