// SPDX-License-Identifier: GPL-2.0-only
/*
 * Importers of the kernel that were not written for ccshm: vivid, a V4L2 device whose captured
 * frames land in shared memory, with each of its two allocators, and vgem.
 *
 * vm-modules: ccshm
 * vm-kmods: vivid vgem
 * vm-generic: yes
 * vm-fetch: heap-test
 * vm-files: heap-test/dmabuf-heap
 * vm-timeout: 240
 * vm-boot: alone
 */
#include <glob.h>
#include <linux/dma-heap.h>
#include <linux/videodev2.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "kernelheap.h"

#define WIDTH	640
#define HEIGHT	360
#define FRAME	(2UL * WIDTH * HEIGHT)
#define SIZE	((FRAME + PAGE - 1) & ~(PAGE - 1))

/* The order in which vivid makes its devices with allocators=0,1. */
enum allocator { VMALLOC, DMA_CONTIG };

/* ---- V4L2: return 0 or a negative errno ---- */

/* Load vivid with two devices, each of which has only a webcam. */
static void vivid_load(void)
{
	if (system("rmmod vivid && modprobe vivid n_devs=2 node_types=1,1 num_inputs=1,1 "
		   "input_types=0,0 allocators=0,1"))
		bail("vivid cannot be loaded with these parameters");
}

static int vivid_open(enum allocator allocator)
{
	struct v4l2_capability cap = { 0 };
	char name[32];

	for (int i = 0; i < 16; i++) {
		int fd;

		snprintf(name, sizeof(name), "/dev/video%d", i);
		fd = open(name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) && !strcmp((char *)cap.driver, "vivid") &&
		    cap.device_caps & V4L2_CAP_VIDEO_CAPTURE &&
		    strstr((char *)cap.bus_info, allocator == DMA_CONTIG ? "-001" : "-000"))
			return fd;
		close(fd);
	}
	bail("there is no vivid with allocator %d", allocator);
}

/* Set a control by its name, because the driver keeps only names stable. */
static int set_control(int video, const char *name, int value)
{
	struct v4l2_queryctrl q = { .id = V4L2_CTRL_FLAG_NEXT_CTRL };

	while (!ioctl(video, VIDIOC_QUERYCTRL, &q)) {
		struct v4l2_control c = { .id = q.id, .value = value };

		if (!strcmp((char *)q.name, name))
			return raw_ioctl(video, VIDIOC_S_CTRL, &c);
		q.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	return -ENOENT;
}

/*
 * Select colour bars in a format with brightness and two chromas, without text over the bars, and
 * request two buffers.
 */
static void prepare(int video)
{
	struct v4l2_format f = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers req = {
		.count = 2, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};

	f.fmt.pix.width = WIDTH;
	f.fmt.pix.height = HEIGHT;
	f.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	f.fmt.pix.field = V4L2_FIELD_NONE;
	if (set_control(video, "OSD Text Mode", 2) || set_control(video, "Test Pattern", 0) ||
	    ioctl(video, VIDIOC_S_FMT, &f) || f.fmt.pix.sizeimage != FRAME ||
	    f.fmt.pix.bytesperline != 2 * WIDTH || ioctl(video, VIDIOC_REQBUFS, &req))
		bail("vivid does not accept the format: %s", strerror(errno));
}

static int queue(int video, unsigned int index, int dmabuf)
{
	struct v4l2_buffer b = {
		.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF, .length = SIZE,
	};

	b.m.fd = dmabuf;
	return raw_ioctl(video, VIDIOC_QBUF, &b);
}

/* Return the index of a buffer that contains a frame, or a negative errno. */
static int dequeue(int video)
{
	struct v4l2_buffer b = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};
	struct pollfd pfd = { .fd = video, .events = POLLIN };
	int err;

	if (poll(&pfd, 1, 60000) != 1)
		return -ETIMEDOUT;
	err = raw_ioctl(video, VIDIOC_DQBUF, &b);
	if (err)
		return err;
	if (b.flags & V4L2_BUF_FLAG_ERROR || b.bytesused != FRAME)
		return -EIO;
	return b.index;
}

static int stream(int video, bool on)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	return raw_ioctl(video, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

/* Make the device release all dma-bufs. */
static int forget(int video)
{
	struct v4l2_requestbuffers req = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
	};

	return raw_ioctl(video, VIDIOC_REQBUFS, &req);
}

/*
 * Return whether the frame shows eight bars, each darker than the one before: white, yellow, cyan,
 * green, magenta, red, blue, black. Compare the middle of each bar at the top, in the middle and at
 * the bottom.
 */
static bool is_colour_bars(const unsigned char *frame)
{
	static const int rows[] = { 1, HEIGHT / 2, HEIGHT - 2 };

	for (int r = 0; r < 3; r++) {
		int above = 256;

		for (int bar = 0; bar < 8; bar++) {
			int x = WIDTH / 16 + bar * WIDTH / 8;
			int luma = frame[rows[r] * 2 * WIDTH + 2 * x];

			if (luma >= above) {
				diag("row %d: bar %d has brightness %d, the previous one %d", rows[r],
				     bar, luma, above);
				return false;
			}
			above = luma;
		}
	}
	return true;
}

/* ---- dma-bufs ---- */

struct target {
	const char *what;
	uint64_t id;		/* the buffer; 0: memory of the heap */
	uint64_t export_id;
	int fd;
	unsigned char *p;
};

/* Whether the kernel maps for such importers already in attach, as kernels up to 6.17 do. */
static bool map_at_attach;

static uint64_t allocate(void)
{
	struct ccshm_ioc_alloc req = { .size = SIZE, .flags = CCSHM_ALLOC_CONTIGUOUS };
	int err = raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req);

	if (err)
		bail("ALLOC of %lu contiguous bytes: %s", SIZE, strerror(-err));
	return req.id;
}

static struct target target_export(const char *what, uint64_t flags)
{
	struct target t = { .what = what, .id = allocate() };

	t.fd = raw_export(ccshm, t.id, flags, &t.export_id);
	t.p = t.fd < 0 ? NULL : raw_map(t.fd, SIZE, RW);
	if (!t.p)
		bail("EXPORT or mmap() failed");
	return t;
}

static struct target target_heap(void)
{
	struct dma_heap_allocation_data req = { .len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open(HEAP, O_RDWR | O_CLOEXEC);
	struct target t = { .what = "a dma-buf of the heap node", .fd = -1 };

	if (heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &req))
		bail("the heap cannot allocate: %s", strerror(errno));
	close(heap);
	t.fd = req.fd;
	t.p = raw_map(t.fd, SIZE, RW);
	if (!t.p)
		bail("mmap() failed: %s", strerror(errno));
	return t;
}

static void target_end(struct target *t)
{
	munmap(t->p, SIZE);
	close(t->fd);
	if (t->id)
		must(raw_free(ccshm, t->id));
}

/* ---- vivid ---- */

/* Return whether a device reads the frame: make it copy a part of the frame to another page. */
static bool device_sees(struct target *t)
{
	const size_t from = (HEIGHT / 2) * 2 * WIDTH, len = 2 * WIDTH;
	const size_t to = SIZE - PAGE;
	struct attached a;
	struct edu edu;
	bool same;

	if (attach_dmabuf(ccshm, t->fd, PCI_A, &a))
		bail("ATTACH failed");
	device_start(&edu, EDU_A);
	memset(t->p + to, 0, len);
	same = !device_copy(&edu, dma_at(&a, from), dma_at(&a, to), len) &&
	       !memcmp(t->p + from, t->p + to, len);
	edu_close(&edu);
	return !attached_end(&a) && same;
}

static void capture(enum allocator allocator, const char *how, struct target t)
{
	int video = vivid_open(allocator);

	prepare(video);
	memset(t.p, 0x55, SIZE);
	is_errno(queue(video, 0, t.fd), 0, "vivid, %s, %s: QBUF works", how, t.what);
	is_errno(stream(video, true), 0, "vivid: STREAMON works");
	is_int(dequeue(video), 0, "vivid: DQBUF returns a frame");
	ok(is_colour_bars(t.p),
	   "vivid, %s, %s: the captured frame is in ccshm's memory", how, t.what);
	is_errno(stream(video, false), 0, "vivid: STREAMOFF works");
	ok(device_sees(&t), "vivid: an attached device reads the captured frame");
	if (t.id) {
		struct ccshm_ioc_revoke r;
		struct ccshm_ioc_query q = query(t.export_id);

		is_int(q.importers, allocator == DMA_CONTIG,
		       "vivid: QUERY counts an importer with dma-contig only");
		is_int(q.device_mappings, 1 + (allocator == DMA_CONTIG),
		       "vivid: QUERY counts the device mapping and the kernel's mapping");
		is_errno(raw_revoke(ccshm, t.export_id, 0, 0, &r), EBUSY,
			 "vivid, %s: REVOKE while vivid holds the buffer: EBUSY", how);
		is_int(r.device_mappings, q.device_mappings,
		       "vivid: REVOKE reports the number of device mappings");
		is_int(touch_read(t.p), SIGBUS, "vivid: after REVOKE the CPU mapping gets SIGBUS");
	}
	is_errno(forget(video), 0, "vivid: REQBUFS with 0 releases the buffer");
	if (t.id)
		is_errno(raw_revoke(ccshm, t.export_id, 0, 0, NULL), 0,
			 "vivid: REVOKE after the release succeeds");
	close(video);
	target_end(&t);
	ok(wait_clean(ccshm), "vivid, %s, %s: no object is left", how, t.what);
}

/* Capture frame after frame into several buffers, as a camera program does. */
static void many_frames(enum allocator allocator, const char *how)
{
	struct target t[2] = { target_heap(), target_heap() };
	int video = vivid_open(allocator), good = 0;

	prepare(video);
	for (int i = 0; i < 2; i++)
		must(queue(video, i, t[i].fd));
	must(stream(video, true));
	for (int frame = 0; frame < 10; frame++) {
		int i = dequeue(video);

		if (i < 0 || i > 1 || !is_colour_bars(t[i].p))
			break;
		good++;
		memset(t[i].p, 0, SIZE);
		if (queue(video, i, t[i].fd))
			break;
	}
	is_int(good, 10, "vivid, %s: 10 frames are captured", how);
	must(stream(video, false));
	close(video);
	for (int i = 0; i < 2; i++)
		target_end(&t[i]);
	ok(wait_clean(ccshm), "vivid: after 10 frames no object is left");
}

static unsigned int exports(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(ccshm, &info))
		bail("INFO failed");
	return info.exports;
}

/* Test a dma-buf that vivid refuses. Return whether the dma-buf is gone after it was closed. */
static bool refused(enum allocator allocator, const char *how, uint64_t flags, int err,
		    const char *what)
{
	unsigned int before = exports();
	struct target t = { .id = allocate() };
	int video = vivid_open(allocator);

	t.fd = raw_export(ccshm, t.id, flags, &t.export_id);
	prepare(video);
	is_errno(queue(video, 0, t.fd), err, "vivid, %s, %s: QBUF is refused", how, what);
	ok(!query(t.export_id).importers && !query(t.export_id).device_mappings,
	   "vivid: QUERY counts no importer after a refused QBUF");
	is_errno(raw_revoke(ccshm, t.export_id, 0, 0, NULL), 0,
		 "vivid: REVOKE after a refused QBUF succeeds");
	close(video);
	close(t.fd);
	is_errno(raw_free(ccshm, t.id), 0, "vivid: FREE after a refused QBUF works");
	ok(wait_held(ccshm, 0, &(struct ccshm_ioc_info){ 0 }),
	   "vivid: the memory is given back after a refused QBUF");
	return exports() == before;
}

static void vivid(void)
{
	vivid_load();
	capture(DMA_CONTIG, "dma-contig", target_export("a pinned export", CCSHM_EXPORT_PINNED));
	capture(DMA_CONTIG, "dma-contig", target_heap());
	capture(VMALLOC, "vmalloc", target_export("a pinned export", CCSHM_EXPORT_PINNED));
	capture(VMALLOC, "vmalloc", target_heap());
	many_frames(DMA_CONTIG, "dma-contig");
	many_frames(VMALLOC, "vmalloc");
	ok(refused(VMALLOC, "vmalloc", 0, EFAULT, "a revocable export"),
	   "vivid: the export is gone after a refused QBUF");
	ok(refused(VMALLOC, "vmalloc", CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY, EFAULT,
		   "a read-only export"), "vivid: the export is gone after a refused QBUF");
}

/*
 * Run this test last: videobuf2 of newer kernels never drops its reference to a dma-buf to which it
 * could not attach, so the module cannot be unloaded afterwards. After a revoke such a dma-buf
 * holds no memory.
 */
static void refused_at_attach(void)
{
	int read_only = map_at_attach ? EACCES : EINVAL;
	bool gone;

	expect_kmsg("vivid.* cannot import a revocable export");
	gone = refused(DMA_CONTIG, "dma-contig", 0, EOPNOTSUPP, "a revocable export");
	gone &= refused(DMA_CONTIG, "dma-contig", CCSHM_EXPORT_PINNED | CCSHM_EXPORT_READ_ONLY,
			read_only, "a read-only export");
	close(ccshm);
	if (gone) {
		is_errno(driver_unload(), 0,
			"after a refused QBUF of vivid, the driver can be unloaded");
		return;
	}
	skip("after a refused QBUF of vivid, the driver can be unloaded",
	     "videobuf2 of this kernel keeps a reference to the dma-buf");
	is_errno(driver_unload(), EAGAIN,
		 "after a refused QBUF of vivid, unloading the driver: EAGAIN");
	/* Keep the harness from unloading the module. */
	unlink("/lib/ccshm/ccshm.ko");
}

/* ---- vgem ---- */

/* From <drm/drm.h>, which comes with a library. */
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

struct gem_close {
	uint32_t handle, pad;
};

#define PRIME_FD_TO_HANDLE	_IOWR('d', 0x2e, struct prime_handle)
#define GEM_CLOSE		_IOW('d', 0x09, struct gem_close)

static int vgem_open(void)
{
	char target[256], *name;
	int fd = -1;
	glob_t g;

	if (glob("/sys/class/drm/card[0-9]", 0, NULL, &g))
		return -ENOENT;
	for (size_t i = 0; i < g.gl_pathc && fd < 0; i++) {
		ssize_t n = readlink(g.gl_pathv[i], target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		if (!strstr(target, "/vgem/"))
			continue;
		name = strrchr(target, '/') + 1;
		snprintf(target, sizeof(target), "/dev/dri/%s", name);
		fd = open(target, O_RDWR | O_CLOEXEC);
	}
	globfree(&g);
	return fd < 0 ? -ENOENT : fd;
}

static void vgem(void)
{
	int card = vgem_open(), revocable;
	struct prime_handle req = { 0 };
	struct target t;
	uint64_t id;

	if (card < 0)
		bail("vgem is loaded and has no device");
	t = target_export("a pinned export", CCSHM_EXPORT_PINNED);
	req.fd = t.fd;
	is_errno(raw_ioctl(card, PRIME_FD_TO_HANDLE, &req), 0, "vgem imports a pinned export");
	is_int(query(t.export_id).importers, 1, "vgem: QUERY counts one importer");
	if (map_at_attach)
		is_int(query(t.export_id).device_mappings, 1,
		       "vgem: QUERY counts one device mapping");
	else
		skip("vgem: QUERY counts one device mapping",
		     "vgem of this kernel never maps");
	is_errno(raw_ioctl(card, GEM_CLOSE, &(struct gem_close){ .handle = req.handle }), 0,
		 "vgem: GEM_CLOSE works");
	ok(!query(t.export_id).importers && !query(t.export_id).device_mappings,
	   "vgem: QUERY counts no importer after GEM_CLOSE");
	target_end(&t);
	ok(wait_clean(ccshm), "vgem: no object is left");

	must(raw_alloc(ccshm, SIZE, &id));
	revocable = raw_export(ccshm, id, 0, NULL);
	req = (struct prime_handle){ .fd = revocable };
	is_errno(raw_ioctl(card, PRIME_FD_TO_HANDLE, &req), EOPNOTSUPP,
		 "vgem imports a revocable export: EOPNOTSUPP");
	close(revocable);
	must(raw_free(ccshm, id));
	close(card);
}

static void load(void)
{
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
}

int main(void)
{
	touch_init();
	map_at_attach = !kernel_at_least(6, 18);
	load();
	vivid();
	vgem();
	kernels_test(true);

	ok(wait_clean(ccshm), "at the end of the suite: no object is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	load();
	refused_at_attach();
	return done_testing();
}
