// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu_driver_get_domain_for_dev(): the domain of a device, for callers that hold the lock of its
 * group. iommu_get_domain_for_dev() is then for callers that do not hold this lock.
 */
#include <linux/iommu.h>

struct iommu_domain *probe(struct device *dev);
struct iommu_domain *probe(struct device *dev)
{
	return iommu_driver_get_domain_for_dev(dev);
}
