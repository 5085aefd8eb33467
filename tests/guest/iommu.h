/* SPDX-License-Identifier: GPL-2.0-only */
/* Suites of a machine with an IOMMU: what it does for a device. After device.h. */
#ifndef CCSHM_IOMMU_H
#define CCSHM_IOMMU_H

/* "DMA", "DMA-FQ", "identity", ...; "" without an IOMMU. */
static RAW_UNUSED const char *iommu_type(const char *device)
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

/* Of a device that no driver has. */
static RAW_UNUSED int iommu_set_type(const char *device, const char *type)
{
	return device_file(device, "iommu_group/type", type);
}

#endif /* CCSHM_IOMMU_H */
