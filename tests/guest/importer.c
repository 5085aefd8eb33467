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

/* Whether the kernel pins for each mapping, as kernels before 7.1 do without CONFIG_DMABUF_MOVE_NOTIFY. */
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

	is_int(f.attached, attached, "the exporter counts the expected attachments: %u", attached);
	is_int(f.mapped, mapped, "the exporter counts the expected mappings: %u", mapped);
	is_int(f.pinned, pinned, "the exporter counts the expected pins: %u", pinned);
}

static void notify(int dmabuf)
{
	struct importer_notify req = { dmabuf };
	int imp = imp_open();

	is_errno(raw_ioctl(imp, IMPORTER_IOC_NOTIFY, &req), 0,
		 "NOTIFY: the exporter notifies its importers");
	close(imp);
}

/* ---- calls ---- */

static void calls(void)
{
	int dmabuf = foreign_new(), imp = imp_open();
	struct importer_foreign none = { .fd = imp };
	struct importer_notify nobody = { imp };

	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), ENOTCONN, "MAP before ATTACH: ENOTCONN");
	is_errno(imp_pin(imp), ENOTCONN, "PIN before ATTACH: ENOTCONN");
	is_errno(imp_fence(imp, false), ENOTCONN, "FENCE before ATTACH: ENOTCONN");
	is_errno(imp_attach(imp, dmabuf, 99), EINVAL, "ATTACH with an unknown kind: EINVAL");
	is_errno(imp_attach(imp, imp, IMPORTER_DYNAMIC), EINVAL,
		 "ATTACH of a file that is not a dma-buf: EINVAL");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_LOOK, &none), EINVAL,
		 "LOOK at a file that is not a dma-buf: EINVAL");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_NOTIFY, &nobody), EINVAL,
		 "NOTIFY of a file that is not a dma-buf: EINVAL");
	is_errno(imp_attach(imp, dmabuf, IMPORTER_DYNAMIC), 0, "ATTACH of a dma-buf works");
	is_errno(imp_attach(imp, dmabuf, IMPORTER_DYNAMIC), EALREADY, "a second ATTACH: EALREADY");
	is_errno(imp_unmap(imp), ENOTCONN, "UNMAP before MAP: ENOTCONN");
	is_errno(imp_map(imp, 3), EINVAL, "MAP with an invalid direction: EINVAL");
	is_errno(imp_fence_as(imp, 5, 0, 0), EINVAL, "FENCE of an unknown kind: EINVAL");
	is_errno(imp_fence_as(imp, 0, 3, 0), EINVAL, "FENCE with an unknown usage: EINVAL");
	is_errno(imp_fence(imp, true), EALREADY, "SIGNAL without a fence: EALREADY");
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

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: MAP works", what);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EALREADY,
		 "%s: a second MAP: EALREADY", what);
	holds(dmabuf, 1, 1, own + core_pins);
	is_int(imp_status(imp).pinned, own, "%s: the number of pins after MAP: %u", what, own);
	return imp;
}

static void unmaps_when_notified(enum importer_kind kind, unsigned int own, const char *what)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, kind, own, what);

	notify(dmabuf);
	is_int(imp_status(imp).notified, 1, "%s: it was notified once", what);
	is_int(imp_status(imp).mapped, 0,
	       "%s: it has unmapped when the notification returns", what);
	holds(dmabuf, 1, 0, 0);
	is_errno(imp_unmap(imp), ENOTCONN, "%s: UNMAP after the notification: ENOTCONN", what);
	is_errno(imp_map(imp, IMPORTER_TO_DEVICE), 0, "%s: MAP after the notification works", what);
	is_errno(imp_detach(imp), 0, "%s: DETACH works", what);
	holds(dmabuf, 0, 0, 0);
	close(imp);
	close(dmabuf);
}

/* Test that an importer, notified or not, keeps its mapping until UNMAP. */
static void unmaps_on_request(enum importer_kind kind, unsigned int own, unsigned int hears,
			      const char *what)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, kind, own, what);
	bool cached = kind == IMPORTER_STATIC && static_maps_at_attach;
	unsigned int pins = look(dmabuf).pinned;

	notify(dmabuf);
	is_int(imp_status(imp).notified, hears, "%s: the number of notifications: %u", what, hears);
	sleep_ms(50);
	is_int(imp_status(imp).mapped, 1, "%s: it is still mapped after the notification", what);
	holds(dmabuf, 1, 1, pins);
	is_errno(imp_unmap(imp), 0, "%s: UNMAP works", what);
	holds(dmabuf, 1, cached, cached);
	is_errno(imp_detach(imp), 0, "%s: DETACH works", what);
	holds(dmabuf, 0, 0, 0);
	close(imp);
	close(dmabuf);
}

static void mute(void)
{
	/* The dma-buf core of older kernels refuses such an importer with a warning. */
	if (kernel_at_least(7, 1))
		unmaps_on_request(IMPORTER_MUTE, 0, 0, "mute");
	else
		skip("mute: MAP works", "before 7.1 a dynamic importer must have a callback");
}

static void delayed(void)
{
	int dmabuf = foreign_new(), slow = imp_open(), quick = imp_open();

	is_errno(imp_attach_delayed(slow, dmabuf, 3600000), 0,
		 "ATTACH with a delay of one hour works");
	is_errno(imp_attach_delayed(quick, dmabuf, 50), 0, "ATTACH with a delay of 50 ms works");
	is_errno(imp_map(slow, IMPORTER_TO_DEVICE), 0, "MAP with a delay of one hour works");
	is_errno(imp_map(quick, IMPORTER_TO_DEVICE), 0, "MAP with a delay of 50 ms works");
	notify(dmabuf);
	ok(imp_wait_unmapped(quick), "an importer with a delay of 50 ms unmaps by itself");
	is_int(imp_status(quick).notified, 1,
	       "an importer with a delay of 50 ms was notified once");
	is_int(imp_status(slow).mapped, 1, "an importer with a delay of one hour is still mapped");
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

	notify(dmabuf);
	is_int(imp_status(imp).notified, 1, "stubborn: it was notified once");
	is_int(imp_status(imp).mapped, 1, "stubborn: it is still mapped after the notification");
	is_errno(imp_unmap(imp), EBUSY, "stubborn: UNMAP: EBUSY");
	is_errno(imp_detach(imp), EBUSY, "stubborn: DETACH: EBUSY");
	holds(dmabuf, 1, 1, mapping_pins);
	close(imp);
	holds(dmabuf, 0, 0, 0);
	other = mapped_as(dmabuf, IMPORTER_STUBBORN, 0, "stubborn");
	is_errno(device_unbind(EDU_A), 0, "stubborn: the driver is unbound");
	holds(dmabuf, 0, 0, 0);
	is_int(imp_status(other).attached, 0,
	       "stubborn: its attachment ends when the driver is unbound");
	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0, "stubborn: the driver is bound again");
	close(other);
	close(dmabuf);
}

static void pins_later(void)
{
	int dmabuf = foreign_new(), imp = mapped_as(dmabuf, IMPORTER_LATE, 0, "pins later");
	int fixed = imp_new(dmabuf, IMPORTER_STATIC);
	unsigned int before = look(dmabuf).pinned;

	is_errno(imp_pin(imp), 0, "PIN of a mapped dma-buf works");
	is_int(look(dmabuf).pinned, before + 1, "PIN: the exporter counts one more pin");
	is_int(imp_status(imp).pinned, 1, "PIN: the importer reports one pin");
	is_errno(imp_pin(imp), EALREADY, "a second PIN: EALREADY");
	is_errno(imp_pin(fixed), EINVAL, "PIN by a static importer: EINVAL");
	is_errno(imp_unmap(imp), 0, "UNMAP of a mapped and pinned dma-buf works");
	is_errno(imp_pin(imp), 0, "PIN of a dma-buf that is not mapped works");
	is_errno(imp_unmap(imp), 0, "UNMAP of a dma-buf that is only pinned works");
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
		 "FENCE with usage BOOKKEEP works");
	ok(idle(dmabuf, 0), "a fence with usage BOOKKEEP: poll() finds the dma-buf idle");
	is_errno(imp_fence(imp, false), EALREADY, "a second FENCE: EALREADY");
	is_errno(imp_fence(imp, true), 0, "SIGNAL of the fence with usage BOOKKEEP works");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_ADD, IMPORTER_USAGE_WRITE, 0), 0,
		 "FENCE with usage WRITE works");
	ok(!idle(dmabuf, 100), "a fence with usage WRITE: poll() waits");
	is_errno(imp_fence(imp, true), 0, "SIGNAL of the fence with usage WRITE works");
	ok(idle(dmabuf, 10000), "a signalled fence: poll() finds the dma-buf idle");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_WRITE, 100), 0,
		 "FENCE that is signalled after 100 ms works");
	ok(idle(dmabuf, 10000),
	   "a fence that is signalled after 100 ms: poll() finds the dma-buf idle");
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_WRITE, 3600000), 0,
		 "FENCE that is signalled after one hour works");
	ok(!idle(dmabuf, 100), "a fence that is signalled after one hour: poll() waits");
	is_errno(imp_fence(imp, true), 0, "SIGNAL before the hour has passed works");

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_WRITE, 0), 0,
		 "FENCE that is never signalled works");
	is_errno(imp_fence(imp, true), EBUSY, "SIGNAL of a fence that is never signalled: EBUSY");
	ok(!idle(dmabuf, 100), "a fence that is never signalled: poll() waits");
	is_int(imp_status(imp).fences, 5, "STATUS counts five fences");
	is_errno(imp_detach(imp), 0, "DETACH with a fence that is never signalled works");
	ok(idle(dmabuf, 10000), "after DETACH poll() finds the dma-buf idle");
	close(imp);
	close(dmabuf);
}

static void chain(void)
{
	int dmabuf = foreign_new(), imp = imp_new(dmabuf, IMPORTER_DYNAMIC);
	bool idle_once = false;

	is_errno(imp_fence_as(imp, IMPORTER_FENCE_CHAIN, IMPORTER_USAGE_WRITE, 5), 0,
		 "FENCE of a chain works");
	for (int i = 0; i < 2000 && imp_status(imp).fences < 20; i++) {
		idle_once |= idle(dmabuf, 0);
		sleep_ms(5);
	}
	ok(imp_status(imp).fences >= 20,
	   "a chain of fences has at least 20: %u", imp_status(imp).fences);
	ok(!idle_once, "a chain of fences: poll() never finds the dma-buf idle");
	is_errno(imp_fence(imp, true), 0, "SIGNAL of a chain works");
	ok(idle(dmabuf, 10000), "a chain that was signalled: poll() finds the dma-buf idle");
	is_errno(imp_fence_as(imp, IMPORTER_FENCE_CHAIN, IMPORTER_USAGE_KERNEL, 1), 0,
		 "FENCE of a chain with usage KERNEL works");
	close(imp);
	ok(idle(dmabuf, 10000), "a chain ends with its importer: poll() finds the dma-buf idle");
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

	must(peer_hear(&p));
	/*
	 * The wait for the lock cannot be interrupted, so a process in an interruptible wait has the
	 * lock.
	 */
	must_be_true(waits_in(p.pid, IMPORTER_IOC_HOLD));
	polling.dmabuf = dmabuf;
	pthread_create(&thread, NULL, poll_it, NULL);
	sleep_ms(300);
	ok(!polling.done, "a process holds the reservation lock: poll() does not return");
	peer_must_end(&p, SIGKILL);
	pthread_join(thread, NULL);
	ok(polling.done, "the process that holds the reservation lock is killed: poll() returns");
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
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), ENOTCONN, "READ before VMAP: ENOTCONN");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), 0, "VMAP works");
	is_int(look(dmabuf).vmapped, 1, "VMAP: the exporter counts one kernel mapping");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL), EALREADY, "a second VMAP: EALREADY");
	strcpy((char *)data->data, "by the kernel");
	data->offset = 100;
	data->length = 14;
	is_errno(raw_ioctl(imp, IMPORTER_IOC_WRITE, data), 0, "WRITE works");
	is_str(p + 100, "by the kernel", "WRITE: the importer's mmap() shows it");
	is_str(q + 100, "by the kernel", "WRITE: the exporter's mmap() shows it");
	strcpy(p + 100, "by a process");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), 0, "READ works");
	is_str((char *)data->data, "by a process", "READ returns what a process wrote");
	data->offset = PAGE - 13;
	is_errno(raw_ioctl(imp, IMPORTER_IOC_READ, data), EINVAL, "READ beyond the end: EINVAL");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), 0, "VUNMAP works");
	is_int(look(dmabuf).vmapped, 0, "VUNMAP: the exporter counts no kernel mapping");
	is_errno(raw_ioctl(imp, IMPORTER_IOC_VUNMAP, NULL), ENOTCONN, "a second VUNMAP: ENOTCONN");
	must(raw_ioctl(imp, IMPORTER_IOC_VMAP, NULL));
	munmap(p, PAGE);
	munmap(q, PAGE);
	close(imp);
	is_int(look(dmabuf).vmapped, 0, "closing the importer ends its kernel mapping");
	free(data);
	close(dmabuf);
}

/* Test that the module cannot be unloaded while any of its objects exists. */
static void unloading(void)
{
	int dmabuf = foreign_new(), imp = imp_open();

	is_errno(raw_rmmod("ccshm_importer"), EWOULDBLOCK,
		 "unloading the importer while it is open: EWOULDBLOCK");
	close(imp);
	is_errno(raw_rmmod("ccshm_importer"), EWOULDBLOCK,
		 "unloading the importer while its dma-buf is open: EWOULDBLOCK");
	close(dmabuf);
}

int main(void)
{
	touch_init();
	importer_load();
	static_maps_at_attach = !kernel_at_least(6, 18);
	/* Debug kernels have that option. */
	mapping_pins = !kernel_at_least(7, 1) && !debug_kernel();
	calls();
	unmaps_on_request(IMPORTER_STATIC, 0, 0, "static");
	unmaps_when_notified(IMPORTER_DYNAMIC, 0, "dynamic");
	unmaps_on_request(IMPORTER_LATE, 0, 1, "late");
	unmaps_when_notified(IMPORTER_PINNED, 1, "pinned");
	unmaps_on_request(IMPORTER_DEAF, 1, 1, "deaf");
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
