// SPDX-License-Identifier: GPL-2.0-only
#include "attached.h"

struct shared shared_map(uint64_t id, size_t size)
{
	struct shared s = { .id = id, .size = size, .look = -1 };

	s.fd = raw_export(ccshm, s.id, 0, &s.export_id);
	s.p = s.fd < 0 ? NULL : raw_map(s.fd, size, RW);
	if (!s.p)
		bail("buffer %llu cannot be exported or mapped", (unsigned long long)id);
	stamp_pages(s.p, 1, 0, size);
	return s;
}

struct shared shared_new(size_t size)
{
	uint64_t id;
	int err = raw_alloc(ccshm, size, &id);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	return shared_map(id, size);
}

int try_attach(struct ccshm_ioc_attach req, const char *device)
{
	int err;

	snprintf(req.device, sizeof(req.device), "%s", device);
	err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req);
	if (!err) {
		must(raw_detach(ccshm, req.attachment_id));
		close(req.fd);
	}
	return err;
}

const char *verdict_of(const char *device)
{
	static const char *const needs[] = { "?", "yes", "no", "cannot" };
	static const char *const modes[] = { "none", "direct", "iommu", "own", "userspace" };
	static char text[sizeof(((struct ccshm_ioc_device *)0)->reason) + 32];
	struct ccshm_ioc_device d;
	int err = raw_device(ccshm, device, &d);

	if (err)
		return tap_errno_name(err);
	if (d.verdict > CCSHM_DEVICE_CANNOT || d.mode > CCSHM_DMA_MODE_USERSPACE)
		return "unknown verdict or mode";
	snprintf(text, sizeof(text), "%s, %s%s%.127s", needs[d.verdict], modes[d.mode],
		 *d.reason ? ": " : "", d.reason);
	return text;
}

const char *usable(void)
{
	struct ccshm_ioc_info info;

	must(raw_info(ccshm, &info));
	return info.info_flags & CCSHM_INFO_PLAIN ?
	       "no, direct: no memory is private: this is not a confidential guest" :
	       "yes, direct";
}

/* Return the number of bytes from @offset to the end of its segment. */
static uint64_t segment_rest(const struct attached *a, uint64_t offset)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if (offset - a->segment[i].offset < a->segment[i].length)
			return a->segment[i].offset + a->segment[i].length - offset;
	bail("no segment for offset 0x%llx", (unsigned long long)offset);
}

/* Make the device copy, as a driver does: no transfer crosses the end of a segment. */
static int copy_by_segments(struct edu *edu, const struct attached *a, uint64_t from, uint64_t to,
			    uint64_t size)
{
	int err = 0;

	while (size && !err) {
		uint64_t n = size;

		if (n > segment_rest(a, from))
			n = segment_rest(a, from);
		if (n > segment_rest(a, to))
			n = segment_rest(a, to);
		err = device_copy(edu, dma_at(a, from), dma_at(a, to), n);
		from += n;
		to += n;
		size -= n;
	}
	return err;
}

bool moves_right(struct edu *edu, struct shared *s, const struct attached *a, uint64_t from,
		 uint64_t to)
{
	uint64_t seed = 100 + from / PAGE;
	int err;

	stamp_write(s->p + from, seed, from, TRANSFER);
	stamp_write(s->p + to, 99, to, TRANSFER);
	err = copy_by_segments(edu, a, from, to, TRANSFER);
	if (err)
		diag("the device failed to copy: %s", strerror(-err));
	return !err && stamp_check(s->p + to, seed, from, TRANSFER);
}

/* ---- begin and end of the suite ---- */

void suite_begin(void)
{
	driver_load();
	touch_init();
	if (raw_insmod("/lib/ccshm/ccshm_importer.ko", ""))
		bail("cannot load ccshm_importer.ko");
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
}

int suite_end(void)
{
	ok(wait_clean(ccshm), "at the end of the suite: no object is left");
	close(ccshm);
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer's module can be unloaded");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
