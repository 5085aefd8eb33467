// SPDX-License-Identifier: GPL-2.0-only
#include "iommu.h"

const char *iommu_type(const char *device)
{
	static char type[32];
	char path[128];
	FILE *f;

	type[0] = '\0';
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group/type", device);
	f = fopen(path, "r");
	if (f && fscanf(f, "%31s", type) != 1)
		type[0] = '\0';
	if (f)
		fclose(f);
	return type;
}

int iommu_set_type(const char *device, const char *type)
{
	return device_file(device, "iommu_group/type", type);
}
