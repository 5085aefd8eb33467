/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine's two edu devices in suites: driven from user space with the demo's
 * driver, or bound to the test importer. Include it after touch.h.
 */
#ifndef CCSHM_DEVICE_H
#define CCSHM_DEVICE_H

#include "../demo/edu.c"

#define EDU_A	"0000:00:04.0"		/* reaches 32 bits */
#define EDU_B	"0000:00:05.0"		/* reaches 28 bits */
#define EDU_C	"0000:00:06.0"		/* of suites that ask for a third one (vm-qemu) */
#define PCI_A	"pci:" EDU_A
#define PCI_B	"pci:" EDU_B
#define PCI_C	"pci:" EDU_C

#define MAX_SEGMENTS	256
#define TRANSFER	2048	/* bytes of one, where it does not matter */

/* ---- attachments ---- */

struct attached {
	int fd;
	uint64_t id;
	unsigned int nr;
	struct ccshm_ioc_segment segment[MAX_SEGMENTS];
};

/* 0 or a negative errno. req: all but device, which is "pci:...". */
static RAW_CHECKED int attach_with(int ccshm, struct ccshm_ioc_attach *req, const char *device,
				   struct attached *a)
{
	int err, nr;

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	snprintf(req->device, sizeof(req->device), "%s", device);
	err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, req);
	if (err)
		return err;
	a->fd = req->fd;
	a->id = req->attachment_id;
	nr = raw_segments(a->fd >= 0 ? a->fd : ccshm, a->fd >= 0 ? 0 : a->id, a->segment, 0,
			  MAX_SEGMENTS, &a->nr);
	if (nr < 0 || (unsigned int)nr != a->nr || a->nr != req->segments)
		bail("%d of %u segments (%u said)", nr, a->nr, req->segments);
	return 0;
}

/* A driver that had the second device before us may have left it its mask of 28 bits. */
static RAW_UNUSED unsigned int bits_of(const char *device)
{
	return strcmp(device, PCI_B) ? 0 : 32;
}

static RAW_CHECKED int attach_buffer(int ccshm, uint64_t id, const char *device,
				     struct attached *a)
{
	struct ccshm_ioc_attach req = { .id = id, .dma_bits = bits_of(device) };

	return attach_with(ccshm, &req, device, a);
}

static RAW_CHECKED int attach_dmabuf(int ccshm, int dmabuf, const char *device,
				     struct attached *a)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = dmabuf, .dma_bits = bits_of(device),
	};

	return attach_with(ccshm, &req, device, a);
}

/* Say that the device has stopped, and close. */
static RAW_CHECKED int attached_end(struct attached *a)
{
	int err = raw_detach(a->fd, 0);

	close(a->fd);
	a->fd = -1;
	return err;
}

/* What the device is to be given for an offset of the slice. */
static RAW_UNUSED uint64_t dma_at(const struct attached *a, uint64_t offset)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if (offset >= a->segment[i].offset &&
		    offset - a->segment[i].offset < a->segment[i].length)
			return a->segment[i].dma_address + (offset - a->segment[i].offset);
	bail("no segment for offset 0x%llx", (unsigned long long)offset);
}

/* They follow each other, are of whole pages, and cover exactly this much. */
static RAW_UNUSED bool segments_cover(const struct attached *a, uint64_t size)
{
	uint64_t at = 0;

	for (unsigned int i = 0; i < a->nr; i++) {
		const struct ccshm_ioc_segment *s = &a->segment[i];

		if (s->offset != at || !s->length || s->length % PAGE || s->dma_address % PAGE) {
			diag("segment %u: 0x%llx + 0x%llx at 0x%llx", i,
			     (unsigned long long)s->dma_address, (unsigned long long)s->length,
			     (unsigned long long)s->offset);
			return false;
		}
		at += s->length;
	}
	if (at != size)
		diag("they cover 0x%llx of 0x%llx bytes", (unsigned long long)at,
		     (unsigned long long)size);
	return at == size;
}

/* ---- the device ---- */

/* Bytes at one DMA address to another, through the device: 0 or a negative errno. */
static RAW_CHECKED int device_copy(struct edu *edu, uint64_t from, uint64_t to, size_t len)
{
	int err = edu_dma(edu, EDU_OUT, from, len, 0);

	return err ? err : edu_dma(edu, EDU_IN, to, len, 0);
}

/* Opened, and allowed to work. */
static RAW_UNUSED void device_start(struct edu *edu, const char *device)
{
	int err = edu_open(device, edu);

	if (!err)
		err = edu_set_bus_master(edu, true);
	if (err)
		bail("the device %s: %s", device, strerror(-err));
}

/* Within two seconds, since a device is stopped from a work item. */
static RAW_CHECKED bool bus_master_is(struct edu *edu, int want)
{
	for (int i = 0; i < 200 && edu_bus_master(edu) != want; i++)
		sleep_ms(10);
	return edu_bus_master(edu) == want;
}

/* ---- drivers ---- */

static RAW_UNUSED int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static RAW_UNUSED int device_file(const char *device, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	return write_text(path, text);
}

static RAW_UNUSED bool device_exists(const char *device)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device);
	return !access(path, F_OK);
}

/* Only this driver may have it from now on ("" gives it back to any). */
static RAW_CHECKED int device_bind(const char *device, const char *driver)
{
	int err = device_file(device, "driver_override", driver);

	return err ? err : write_text("/sys/bus/pci/drivers_probe", device);
}

static RAW_CHECKED int device_unbind(const char *device)
{
	int err = device_file(device, "driver/unbind", device);

	device_file(device, "driver_override", "\n");
	return err;
}

/* The name of its driver, or "". */
static RAW_UNUSED const char *device_driver(const char *device)
{
	static char target[256];
	char path[128], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return "";
	target[n] = '\0';
	name = strrchr(target, '/');
	return name ? name + 1 : target;
}

/* ---- bounce buffers ---- */

static RAW_UNUSED long long read_number(const char *path)
{
	long long value = -1;
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	if (fscanf(f, "%lld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

/* Slots in use; -1 if the kernel does not bounce at all. */
static RAW_UNUSED long long bounce_slots(void)
{
	if (read_number("/sys/kernel/debug/swiotlb/io_tlb_nslabs") <= 0)
		return -1;
	return read_number("/sys/kernel/debug/swiotlb/io_tlb_used");
}

/* The most that were in use since bounce_restart(); -1 where that is not known. */
static RAW_UNUSED long long bounce_most(void)
{
	return read_number("/sys/kernel/debug/swiotlb/io_tlb_used_hiwater");
}

static RAW_UNUSED void bounce_restart(void)
{
	write_text("/sys/kernel/debug/swiotlb/io_tlb_used_hiwater", "0");
}

#endif /* CCSHM_DEVICE_H */
