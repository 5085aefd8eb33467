// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test importer: each kind behaves as its name says. The suite uses a dma-buf of another
 * exporter than ccshm, which counts the calls of its operations.
 *
 * vm-matrix: once
 * vm-modules: importer
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Whether the kernel maps for a static importer already in attach, as kernels up to 6.17 do. */
static bool static_maps_at_attach;

/* Whether the kernel pins for each mapping, as kernels before 7.1 do. */
static bool mapping_pins;

/* ---- the dma-buf ---- */

static int foreign_new(void)
{
	struct importer_foreign req = { .fd = -1 };
	int imp = imp_open(), err = raw_ioctl(imp, IMPORTER_IOC_FOREIGN, &req);

	if (err)
		bail("FOREIGN: %s", strerror(-err));
	close(imp);
	return req.fd;
}

static struct importer_foreign look(int dmabuf)
{
	struct importer_foreign req = { .fd = dmabuf };
	int imp = imp_open(), err = raw_ioctl(imp, IMPORTER_IOC_LOOK, &req);

	if (err)
		bail("LOOK: %s", strerror(-err));
	close(imp);
	return req;
}

/* Test the numbers that the exporter counts. */
static void holds(int dmabuf, unsigned int attached, unsigned int mapped, unsigned int pinned)
{
	struct importer_foreign f = look(dmabuf);

	is_int(f.attached, attached, "... it is attached: %u", attached);
	is_int(f.mapped, mapped, "... mapped: %u", mapped);
	is_int(f.pinned, pinned, "... pinned: %u", pinned);
}

static void tell(int dmabuf)
{
	struct importer_tell req = { dmabuf };
	int imp = imp_open();

	is_errno(raw_ioctl(imp, IMPORTER_IOC_TELL, &req), 0, "the exporter tells");
	close(imp);
}

/* ---- calls ---- */

static void calls(void)
{
	int dmabuf = foreign_new(), imp = imp_open();
	struct importer_foreign none = { .fd = imp };
	struct importer_tell nobody = { imp };

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENOTCONN, "MAP without ATTACH");
	is_errno(imp_pin(imp), ENOTCONN, "PIN without ATTACH");
	is_errno(imp_fence(imp, false), ENOTCONN, "FENCE without ATTACH");
	is_errno(imp_attach(imp, dmabuf, 99), EINVAL, "an unknown kind");
	is_errno(imp_attach(imp, imp, IMPORTER_DYNAMIC), EINVAL, "no dma-buf");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_LOOK, &none), EINVAL, "LOOK at no dma-buf");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_TELL, &nobody), EINVAL, "TELL of no dma-buf");
	is_errno(imp_attach(imp, dmabuf, IMPORTER_DYNAMIC), 0, "ATTACH");
	is_errno(imp_attach(imp, dmabuf, IMPORTER_DYNAMIC), EALREADY, "ATTACH again");
	is_errno(imp_unmap(imp), ENOTCONN, "UNMAP of nothing");
	is_errno(imp_map(imp, 3), EINVAL, "MAP in no direction");
	is_errno(imp_fence_as(imp, 5, 0, 0), EINVAL, "an unknown fence");
	is_errno(imp_fence_as(imp, 0, 3, 0), EINVAL, "an unknown usage");
	is_errno(imp_fence(imp, true), EALREADY, "SIGNAL of nothing");
	holds(dmabuf, 1, 0, 0);
	close(imp);
	holds(dmabuf, 0, 0, 0);
	close(dmabuf);
}

/* ---- kinds ---- */

/* Attach and map an importer. @own: number of pins that the importer adds. */
static int mapped_as(int dmabuf, enum importer_kind kind, unsigned int own, const char *what)
{
	bool core_pins = kind == IMPORTER_STATIC || mapping_pins;
	int imp = imp_new(dmabuf, kind);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: maps", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EALREADY, "%s: once", what);
	holds(dmabuf, 1, 1, own + core_pins);
	is_int(imp_status(imp).pinned, own, "%s: has pinned by itself: %u", what, own);
	return imp;
}

static void lets_go_when_told(enum importer_kind kind, unsigned int own, const char *what)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, kind, own, what);

	tell(dmabuf);
	is_int(imp_status(imp).notified, 1, "%s: heard it", what);
	is_int(imp_status(imp).mapped, 0, "%s: has let go before that is over", what);
	holds(dmabuf, 1, 0, 0);
	is_errno(imp_unmap(imp), ENOTCONN, "%s: has nothing left", what);
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s: can map again", what);
	is_errno(imp_detach(imp), 0, "%s: detaches", what);
	holds(dmabuf, 0, 0, 0);
	close(imp);
	close(dmabuf);
}

/* Test that an importer, notified or not, keeps its mapping until UNMAP. */
static void lets_go_when_asked(enum importer_kind kind, unsigned int own, unsigned int hears,
			       const char *what)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, kind, own, what);
	bool cached = kind == IMPORTER_STATIC && static_maps_at_attach;
	unsigned int pins = look(dmabuf).pinned;

	tell(dmabuf);
	is_int(imp_status(imp).notified, hears, "%s: heard of it: %u", what, hears);
	sleep_ms(50);
	is_int(imp_status(imp).mapped, 1, "%s: has not let go", what);
	holds(dmabuf, 1, 1, pins);
	is_errno(imp_unmap(imp), 0, "%s: lets go when asked", what);
	holds(dmabuf, 1, cached, cached);
	is_errno(imp_detach(imp), 0, "%s: detaches", what);
	holds(dmabuf, 0, 0, 0);
	close(imp);
	close(dmabuf);
}

static void mute(void)
{
	/* The dma-buf core of older kernels refuses such an importer with a warning. */
	if (kernel_at_least(7, 1))
		lets_go_when_asked(IMPORTER_MUTE, 0, 0, "mute");
	else
		skip("mute", "before 7.1 who is dynamic has to listen");
}

static void delayed(void)
{
	int dmabuf = foreign_new(), slow = imp_open(), quick = imp_open();

	is_errno(imp_attach_delayed(slow, dmabuf, 3600000), 0, "delayed: by an hour");
	is_errno(imp_attach_delayed(quick, dmabuf, 50), 0, "delayed: by 50 ms");
	is_errno(imp_map(slow, IMPORTER_TO_DEVICE), 0, "delayed: maps");
	is_errno(imp_map(quick, IMPORTER_TO_DEVICE), 0, "delayed: maps");
	tell(dmabuf);
	ok(imp_lets_go(quick), "delayed: the one lets go by itself");
	is_int(imp_status(quick).notified, 1, "delayed: heard it");
	is_int(imp_status(slow).mapped, 1, "delayed: the other not yet");
	holds(dmabuf, 2, 1, mapping_pins);
	close(slow);
	close(quick);
	holds(dmabuf, 0, 0, 0);
	close(dmabuf);
}

static void stubborn(void)
{
	int dmabuf = foreign_new();
	int imp = mapped_as(dmabuf, IMPORTER_STUBBORN, 0, "stubborn");
	int other;

	tell(dmabuf);
	is_int(imp_status(imp).notified, 1, "stubborn: heard it");
	is_int(imp_status(imp).mapped, 1, "stubborn: has not let go");
	is_errno(imp_unmap(imp), EBUSY, "stubborn: not when asked");
	is_errno(imp_detach(imp), EBUSY, "stubborn: nor detaches");
	holds(dmabuf, 1, 1, mapping_pins);
	close(imp);
	holds(dmabuf, 0, 0, 0);
	other = mapped_as(dmabuf, IMPORTER_STUBBORN, 0, "stubborn");
	is_errno(device_unbind(EDU_A), 0, "stubborn: its device goes");
	holds(dmabuf, 0, 0, 0);
	is_int(imp_status(other).attached, 0, "stubborn: it goes with it");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "stubborn: the device is back");
	close(other);
	close(dmabuf);
}

static void pins_later(void)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, IMPORTER_LATE, 0, "pins later");
	int fixed = imp_new(dmabuf, IMPORTER_STATIC);
	unsigned int before = look(dmabuf).pinned;

	is_errno(imp_pin(imp), 0, "PIN of what is mapped");
	is_int(look(dmabuf).pinned, before + 1, "... is seen");
	is_int(imp_status(imp).pinned, 1, "... by the importer, too");
	is_errno(imp_pin(imp), EALREADY, "PIN again");
	is_errno(imp_pin(fixed), EINVAL, "PIN by who is not dynamic");
	is_errno(imp_unmap(imp), 0, "UNMAP ends both");
	is_errno(imp_pin(imp), 0, "PIN of what is not mapped");
	is_errno(imp_unmap(imp), 0, "UNMAP ends it");
	close(imp);
	close(fixed);
	holds(dmabuf, 0, 0, 0);
	close(dmabuf);
}

/* ---- fences ---- */

/* Return whether poll() on the dma-buf reports within @ms that no work is pending. */
static bool idle(int dmabuf, int ms)
{
	struct pollfd pfd = { .fd = dmabuf, .events = POLLOUT };

	return poll(&pfd, 1, ms) == 1 && pfd.revents == POLLOUT;
}

static void fences(void)
{
	int dmabuf = foreign_new(), imp = imp_new(dmabuf, IMPORTER_DYNAMIC);

	ok(idle(dmabuf, 0), "no fence: poll() finds the dma-buf idle");
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_ADD, IMPORTER_USAGE_BOOKKEEP, 0), 0,
		 "a fence that is only kept");
	ok(idle(dmabuf, 0), "... poll() does not look at it");
	is_errno(imp_fence(imp, false), EALREADY, "... another");
	is_errno(imp_fence(imp, true), 0, "... is signalled");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_ADD, IMPORTER_USAGE_WRITE, 0), 0, "a fence");
	ok(!idle(dmabuf, 100), "... poll() waits for it");
	is_errno(imp_fence(imp, true), 0, "... is signalled");
	ok(idle(dmabuf, 10000), "... poll() finds that");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_WRITE, 100), 0,
		 "a fence that is signalled late");
	ok(idle(dmabuf, 10000), "... by itself");
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_WRITE, 3600000), 0,
		 "one that is signalled in an hour");
	ok(!idle(dmabuf, 100), "... not yet");
	is_errno(imp_fence(imp, true), 0, "... or when that is said");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_WRITE, 0), 0,
		 "a fence that is not signalled");
	is_errno(imp_fence(imp, true), EBUSY, "... though that is said");
	ok(!idle(dmabuf, 100), "... poll() sees it");
	is_int(imp_status(imp).fences, 5, "five fences in all");
	is_errno(imp_detach(imp), 0, "... until its importer detaches");
	ok(idle(dmabuf, 10000), "... poll() sees that");
	close(imp);
	close(dmabuf);
}

static void chain(void)
{
	int dmabuf = foreign_new(), imp = imp_new(dmabuf, IMPORTER_DYNAMIC);
	bool idle_once = false;

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_CHAIN, IMPORTER_USAGE_WRITE, 5), 0,
		 "fences one after the other");
	for (int i = 0; i < 2000 && imp_status(imp).fences < 20; i++) {
		idle_once |= idle(dmabuf, 0);
		sleep_ms(5);
	}
	ok(imp_status(imp).fences >= 20, "... come: %u", imp_status(imp).fences);
	ok(!idle_once, "... with no gap between them");
	is_errno(imp_fence(imp, true), 0, "... are ended");
	ok(idle(dmabuf, 10000), "... and have ended");
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_CHAIN, IMPORTER_USAGE_KERNEL, 1), 0,
		 "others, of the kernel's own");
	close(imp);
	ok(idle(dmabuf, 10000), "... end with their importer");
	close(dmabuf);
}

/* ---- the reservation lock ---- */

static int hold(struct peer *parent, void *arg)
{
	struct importer_hold req = { *(int *)arg, 3600000 };
	int imp = imp_open();

	peer_send(parent, 0, -1);
	return raw_ioctl(imp, IMPORTER_IOC_HOLD, &req);
}

static struct {
	int dmabuf;
	atomic_bool done;
} polling;

static void *poll_it(void *arg)
{
	(void)arg;
	idle(polling.dmabuf, 0);
	polling.done = true;
	return NULL;
}

static void holds_the_lock(void)
{
	int dmabuf = foreign_new();
	struct peer p = peer_start(ROOT, ALL_CAPS, hold, &dmabuf);
	pthread_t thread;

	peer_hear(&p);
	sleep_ms(200);
	polling.dmabuf = dmabuf;
	pthread_create(&thread, NULL, poll_it, NULL);
	sleep_ms(300);
	ok(!polling.done, "a process holds the reservation lock: poll() hangs");
	peer_end(&p, SIGKILL);
	pthread_join(thread, NULL);
	ok(polling.done, "... until it is killed");
	close(dmabuf);
}

/* ---- processors ---- */

static void processors(void)
{
	int dmabuf = foreign_new(), imp = imp_new(dmabuf, IMPORTER_DYNAMIC);
	struct importer_data *data = calloc(1, sizeof(*data));
	char *p = raw_map(imp, PAGE, RW), *q = raw_map(dmabuf, PAGE, RW);

	if (!p || !q)
		bail("mmap: %s", strerror(errno));
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), ENOTCONN, "READ without VMAP");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), 0, "VMAP");
	is_int(look(dmabuf).vmapped, 1, "... the exporter sees it");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), EALREADY, "VMAP again");
	strcpy((char *)data->data, "by the kernel");
	data->offset = 100;
	data->length = 14;
	is_errno(raw_ioctl(imp, IMPORTER_IOC_WRITE, data), 0, "WRITE");
	is_str(p + 100, "by the kernel", "... the importer's mmap shows it");
	is_str(q + 100, "by the kernel", "... the exporter's, too");
	strcpy(p + 100, "by a process");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), 0, "READ");
	is_str((char *)data->data, "by a process", "... shows what a process wrote");
	data->offset = PAGE - 13;
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), EINVAL, "READ beyond the end");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), 0, "VUNMAP");
	is_int(look(dmabuf).vmapped, 0, "... the exporter sees it");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), ENOTCONN, "VUNMAP again");
	raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL);
	munmap(p, PAGE);
	munmap(q, PAGE);
	close(imp);
	is_int(look(dmabuf).vmapped, 0, "closing ends it, too");
	free(data);
	close(dmabuf);
}

/* Test that the module cannot be unloaded while any of its objects exists. */
static void unloading(void)
{
	int dmabuf = foreign_new(), imp = imp_open();

	is_errno(raw_rmmod("ccshm_importer"), EWOULDBLOCK, "it cannot be unloaded while it is open");
	close(imp);
	is_errno(raw_rmmod("ccshm_importer"), EWOULDBLOCK, "... nor while a dma-buf of it is");
	close(dmabuf);
}

int main(void)
{
	touch_init();
	importer_load();
	static_maps_at_attach = !kernel_at_least(6, 18);
	mapping_pins = !kernel_at_least(7, 1);
	calls();
	lets_go_when_asked(IMPORTER_STATIC, 0, 0, "static");
	lets_go_when_told(IMPORTER_DYNAMIC, 0, "dynamic");
	lets_go_when_asked(IMPORTER_LATE, 0, 1, "late");
	lets_go_when_told(IMPORTER_PINNED, 1, "pinned");
	lets_go_when_asked(IMPORTER_DEAF, 1, 1, "deaf");
	mute();
	delayed();
	stubborn();
	pins_later();
	fences();
	chain();
	holds_the_lock();
	processors();
	unloading();
	importer_unload();
	return done_testing();
}
