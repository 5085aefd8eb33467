// SPDX-License-Identifier: GPL-2.0-only
/* Devices: which use bounce buffers, and what the driver reports of each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define SLOT_SIZE	2048	/* the unit of swiotlb= and of its counters */
#define FULL		99	/* percent at which mappings fail now */
#define TIGHT		80	/* percent at which mappings may soon fail */

struct bouncing {
	struct doctor *doctor;
	char text[512];
	size_t used;
};

static int add_bouncing(const char *name, void *data)
{
	struct bouncing *bouncing = data;
	struct ccshm_device *device;

	if (ccshm_device_get(bouncing->doctor->ctx, name, &device))
		return EXIT_OK;
	if (ccshm_device_is_bounced(device) && ccshm_device_has_kernel_driver(device) &&
	    device_is_listed(name, device) && bouncing->used < sizeof(bouncing->text))
		bouncing->used += (size_t)snprintf(bouncing->text + bouncing->used,
						   sizeof(bouncing->text) - bouncing->used, "%s%s (%s)",
						   bouncing->used ? ", " : "", name,
						   ccshm_device_driver(device));
	ccshm_device_free(device);
	return EXIT_OK;
}

static void advise_swiotlb(struct doctor *doctor, uint64_t slots)
{
	struct bouncing bouncing = { .doctor = doctor };

	if (doctor->ctx)
		device_for_each(add_bouncing, &bouncing);
	doctor_advise(doctor, "%s%s%sGive devices shared buffers, which do not bounce, or boot with swiotlb=%llu.",
		      bouncing.used ? "These devices bounce: " : "", bouncing.text, bouncing.used ? ". " : "",
		      2 * (unsigned long long)slots);
}

static unsigned int percent(uint64_t part, uint64_t all)
{
	return (unsigned int)(100 * part / all);
}

/* Counters that start after the first use can be below zero. */
static int read_counter(uint64_t *value, uint64_t slots, const char *name)
{
	int err = system_number(value, "/sys/kernel/debug/swiotlb/%s", name);

	return err ? err : (*value > slots ? -ERANGE : 0);
}

static void report_swiotlb(struct doctor *doctor, uint64_t slots)
{
	unsigned long long mib = slots * SLOT_SIZE >> 20;
	uint64_t used, peak;

	if (read_counter(&used, slots, "io_tlb_used")) {
		doctor_skip(doctor, "The bounce buffers (swiotlb) have %llu MiB; cannot determine how much of "
			    "it is in use.", mib);
		return;
	}
	/* Linux before 6.4 does not count it. */
	if (read_counter(&peak, slots, "io_tlb_used_hiwater") || peak < used)
		peak = used;
	if (percent(used, slots) >= FULL)
		doctor_fail(doctor, EXIT_FAILED, "The bounce buffers (swiotlb, %llu MiB) are %u %% full: DMA fails.",
			    mib, percent(used, slots));
	else if (percent(peak, slots) >= TIGHT)
		doctor_warn(doctor, "The bounce buffers (swiotlb, %llu MiB) are %u %% full, and were %u %%.",
			    mib, percent(used, slots), percent(peak, slots));
	else
		doctor_pass(doctor, "The bounce buffers (swiotlb, %llu MiB) are %u %% full, and were %u %% at most.",
			    mib, percent(used, slots), percent(peak, slots));
	if (percent(peak, slots) >= TIGHT)
		advise_swiotlb(doctor, slots);
}

void doctor_check_swiotlb(struct doctor *doctor)
{
	uint64_t slots;
	int err = system_number(&slots, "/sys/kernel/debug/swiotlb/io_tlb_nslabs");

	if (!err && slots) {
		report_swiotlb(doctor, slots);
	} else if (err == -EACCES) {
		doctor_skip(doctor, "Only root can read how full the bounce buffers (swiotlb) are.");
		doctor_advise(doctor, "Run `ccshmctl doctor` as root.");
	} else if (err && system_exists("/sys/kernel/debug/swiotlb")) {
		doctor_skip(doctor, "Cannot determine how large the bounce buffers (swiotlb) are: %s.",
			    strerror(-err));
	} else if (err) {
		doctor_skip(doctor, "There are no bounce buffers (swiotlb), or debugfs is not mounted.");
	} else {
		doctor_pass(doctor, "There are no bounce buffers (swiotlb).");
	}
}

static void advise_device(struct doctor *doctor, const char *name, const struct ccshm_device *device)
{
	switch (ccshm_device_mode(device)) {
	case CCSHM_DMA_MODE_IOMMU:
		doctor_advise(doctor, "Boot with iommu=pt, so that its IOMMU does not translate.");
		return;
	case CCSHM_DMA_MODE_USERSPACE:
		doctor_advise(doctor, "End the program that has its IOMMU group open (vfio).");
		return;
	default:
		doctor_advise(doctor, "See `ccshmctl devices %s` and REASONS in ccshmctl-devices(1).", name);
	}
}

static void report_device(struct doctor *doctor, const char *name,
			  const struct ccshm_device *device)
{
	const char *reason = ccshm_device_reason(device);

	switch (ccshm_device_needs(device)) {
	case CCSHM_DEVICE_NEEDS:
		doctor_pass(doctor, "The device needs shared memory, and can use it.");
		break;
	case CCSHM_DEVICE_NEEDS_NOT:
		doctor_pass(doctor, "The device needs no shared memory: %s.", reason);
		break;
	default:
		/* A device without DMA needs no memory. */
		if (ccshm_device_mode(device) == CCSHM_DMA_MODE_NONE) {
			doctor_skip(doctor, "The device does no DMA.");
			break;
		}
		doctor_warn(doctor, "The device cannot use shared memory: %s.", reason);
		advise_device(doctor, name, device);
	}
	doctor_object(doctor, name);
}

static int check_device(const char *name, void *data)
{
	struct doctor *doctor = data;
	struct ccshm_device *device;
	int err = ccshm_device_get(doctor->ctx, name, &device);

	/* The device has gone since it was listed. */
	if (err == -ENODEV)
		return EXIT_OK;
	if (err) {
		doctor_skip(doctor, "Cannot query the driver about the device: %s.", error_reason(OP_DEVICE, err));
		doctor_object(doctor, name);
		return EXIT_OK;
	}
	if (device_is_listed(name, device))
		report_device(doctor, name, device);
	ccshm_device_free(device);
	return EXIT_OK;
}

void doctor_check_devices(struct doctor *doctor)
{
	size_t before = doctor->nfindings;

	if (!doctor->ctx) {
		doctor_skip(doctor, "Cannot query the driver.");
		return;
	}
	if (device_for_each(check_device, doctor))
		doctor_skip(doctor, "The list of devices cannot be read.");
	else if (doctor->nfindings == before)
		doctor_pass(doctor, "There are no devices.");
}
