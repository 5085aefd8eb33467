// SPDX-License-Identifier: GPL-2.0-only
#include "device.h"

/* ---- attachments ---- */

int attach_with(int ccshm, struct ccshm_ioc_attach *req, const char *device, struct attached *a)
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
		bail("SEGMENTS returned %d of %u segments, ATTACH reported %u", nr, a->nr,
		     req->segments);
	return 0;
}

/*
 * Return the DMA bits to request: an earlier driver of the second device may have left a mask of 28
 * bits.
 */
static unsigned int bits_of(const char *device)
{
	return strcmp(device, PCI_B) ? 0 : 32;
}

int attach_buffer(int ccshm, uint64_t id, const char *device, struct attached *a)
{
	struct ccshm_ioc_attach req = { .id = id, .dma_bits = bits_of(device) };

	return attach_with(ccshm, &req, device, a);
}

int attach_dmabuf(int ccshm, int dmabuf, const char *device, struct attached *a)
{
	struct ccshm_ioc_attach req = {
		.flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = dmabuf, .dma_bits = bits_of(device),
	};

	return attach_with(ccshm, &req, device, a);
}

int attached_end(struct attached *a)
{
	int err = raw_detach(a->fd, 0);

	close(a->fd);
	a->fd = -1;
	return err;
}

uint64_t dma_at(const struct attached *a, uint64_t offset)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if (offset >= a->segment[i].offset &&
		    offset - a->segment[i].offset < a->segment[i].length)
			return a->segment[i].dma_address + (offset - a->segment[i].offset);
	bail("no segment for offset 0x%llx", (unsigned long long)offset);
}

bool segments_cover(const struct attached *a, uint64_t size)
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
		diag("the segments cover 0x%llx of 0x%llx bytes", (unsigned long long)at,
		     (unsigned long long)size);
	return at == size;
}

/* ---- the device ---- */

int device_copy(struct edu *edu, uint64_t from, uint64_t to, size_t len)
{
	int err = edu_dma(edu, EDU_OUT, from, len, 0);

	return err ? err : edu_dma(edu, EDU_IN, to, len, 0);
}

void device_start(struct edu *edu, const char *device)
{
	int err = edu_open(device, edu);

	if (!err)
		err = edu_set_bus_master(edu, true);
	if (err)
		bail("the device %s: %s", device, strerror(-err));
}

bool bus_master_is(struct edu *edu, int want)
{
	for (int i = 0; i < 1000 && edu_bus_master(edu) != want; i++)
		sleep_ms(10);
	return edu_bus_master(edu) == want;
}

/* ---- drivers ---- */

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int device_file(const char *device, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	return write_text(path, text);
}

bool device_exists(const char *device)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device);
	return !access(path, F_OK);
}

int device_bind(const char *device, const char *driver)
{
	int err = device_file(device, "driver_override", driver);

	return err ? err : write_text("/sys/bus/pci/drivers_probe", device);
}

int device_unbind(const char *device)
{
	int err = device_file(device, "driver/unbind", device);
	int cleared = device_file(device, "driver_override", "\n");

	return err ? err : cleared;
}

const char *device_driver(const char *device)
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

/* ---- files and symbols of the kernel ---- */

long long read_number(const char *path)
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

uint64_t kernel_parameter(const char *name, uint64_t otherwise)
{
	static char line[4096];
	FILE *f = fopen("/proc/cmdline", "r");
	char *p = line;

	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	while ((p = strstr(p, name)) != NULL) {
		p += strlen(name);
		if (*p == '=')
			otherwise = strtoull(p + 1, NULL, 0);
	}
	return otherwise;
}

unsigned long symbol_address(const char *symbol, const char *module)
{
	unsigned long address, found = 0;
	char name[256], in[64], line[512];
	FILE *f = fopen("/proc/kallsyms", "re");

	while (f && fgets(line, sizeof(line), f)) {
		int n = sscanf(line, "%lx %*c %255s [%63[^]]", &address, name, in);

		if (n == (module ? 3 : 2) && !strcmp(name, symbol) && (!module || !strcmp(in, module)))
			found = address;
	}
	if (f)
		fclose(f);
	return found;
}

/* ---- bounce buffers ---- */

long long bounce_slots(void)
{
	if (read_number("/sys/kernel/debug/swiotlb/io_tlb_nslabs") <= 0)
		return -1;
	return read_number("/sys/kernel/debug/swiotlb/io_tlb_used");
}

long long bounce_most(void)
{
	return read_number("/sys/kernel/debug/swiotlb/io_tlb_used_hiwater");
}

void bounce_restart(void)
{
	if (bounce_most() >= 0)
		must(write_text("/sys/kernel/debug/swiotlb/io_tlb_used_hiwater", "0"));
}
