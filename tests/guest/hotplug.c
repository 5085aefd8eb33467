// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices disappear and reappear while they are attached: their driver is unbound, another driver
 * is bound, they are removed, they are unplugged. The attachment ends, waiting processes are
 * notified, no call hangs, and a device that reappears can be used again.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 * vm-kmods: uio_pci_generic
 * vm-monitor: yes
 * vm-qemu: -device edu,id=hot,addr=06.0,dma_mask=0xffffffff -device pci-bridge,chassis_nr=1,addr=07.0 -device virtio-rng-pci,addr=08.0,disable-legacy=on,iommu_platform=on
 * vm-timeout: 240
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

/* A transfer of QEMU's device takes 100 ms. A device that stops earlier was still in transfer. */
#define AT_WORK_MS	90

/* ---- ways in which the machine's third device disappears and reappears ---- */

static bool device_becomes(bool there)
{
	for (int i = 0; i < 300 && device_exists(EDU_C) != there; i++)
		sleep_ms(10);
	return device_exists(EDU_C) == there;
}

static void monitor(const char *command)
{
	printf("# monitor: %s\n", command);
	fflush(stdout);
}

static bool drop_driver(void)
{
	return !device_unbind(EDU_C);
}

static bool take_uio(void)
{
	return !device_bind(EDU_C, "uio_pci_generic") &&
	       !strcmp(device_driver(EDU_C), "uio_pci_generic");
}

static bool take_driver(void)
{
	return !device_bind(EDU_C, IMPORTER_DRIVER) &&
	       !strcmp(device_driver(EDU_C), IMPORTER_DRIVER);
}

static bool sysfs_remove(void)
{
	return !device_file(EDU_C, "remove", "1") && !device_exists(EDU_C);
}

static bool rescan(void)
{
	return !write_text("/sys/bus/pci/rescan", "1") && device_exists(EDU_C);
}

/* Return whether the kernel handles hotplug: then sysfs lists slots. */
static bool can_unplug(void)
{
	DIR *d = opendir("/sys/bus/pci/slots");
	struct dirent *entry = NULL;

	while (d && (entry = readdir(d)) && entry->d_name[0] == '.')
		;
	if (d)
		closedir(d);
	return entry;
}

/*
 * Return whether the device is still on the list of its bus. bus_remove_device() removes the link in
 * /sys/bus/pci/devices first: until the device is off the list, ATTACH finds it, and its attachment
 * ends with the removal.
 */
static bool is_listed(void)
{
	struct ccshm_ioc_device device;

	return raw_device(ccshm, PCI_C, &device) != -ENODEV;
}

static bool unplug(void)
{
	monitor("device_del hot");
	for (int i = 0; i < 10 && !device_becomes(false); i++)
		;
	for (int i = 0; i < 300 && is_listed(); i++)
		sleep_ms(10);
	return !device_exists(EDU_C) && !is_listed();
}

/*
 * Plug the device in. Retry, because the slot becomes free some time after the kernel released it.
 * The device appears in sysfs before drivers can be bound to it: hotplug_event()
 * (drivers/pci/hotplug/acpiphp_glue.c) holds pci_rescan_remove_lock until the device is complete. A
 * rescan waits for that lock.
 */
static bool plug(void)
{
	for (int i = 0; i < 10 && !device_exists(EDU_C); i++) {
		monitor("device_add edu,id=hot,addr=06.0,dma_mask=0xffffffff");
		device_becomes(true);
	}
	return !write_text("/sys/bus/pci/rescan", "1") && device_exists(EDU_C);
}

struct way {
	const char *what;
	bool (*before)(void);
	bool (*go)(void);
	bool (*back)(void);
	bool gone;		/* the device does not exist afterwards */
	bool at_once;		/* go() stops the device at once, and nothing restarts it */
};

static const struct way ways[] = {
	{ "its driver is unbound", take_uio, drop_driver, NULL, false, true },
	{ "a driver is bound", NULL, take_driver, drop_driver, false, false },
	{ "removed through sysfs", NULL, sysfs_remove, rescan, true, true },
	{ "removed through sysfs with a driver", take_uio, sysfs_remove, rescan, true, true },
	{ "unplugged", can_unplug, unplug, plug, true, false },
};

#define NR_WAYS	(sizeof(ways) / sizeof(ways[0]))

/* ---- attachments ---- */

struct held {
	struct shared s;
	struct shared named;		/* a persistent buffer */
	struct attached a;		/* attachment of the buffer */
	struct attached e;		/* attachment of the buffer's export */
	struct attached p;		/* persistent attachment of the persistent buffer */
};

static void hold(struct held *h, const char *what)
{
	struct ccshm_ioc_attach persistent = { .flags = CCSHM_ATTACH_PERSISTENT };

	uint64_t id;

	h->s = shared_new(UNIT);
	if (raw_alloc_named(ccshm, UNIT, "hot", 0600, &id))
		bail("ALLOC of a persistent buffer failed");
	h->named = shared_map(id, UNIT);
	persistent.id = id;
	is_errno(attach_buffer(ccshm, h->s.id, PCI_C, &h->a), 0,
		 "%s: ATTACH of a buffer works", what);
	is_errno(attach_dmabuf(ccshm, h->s.fd, PCI_C, &h->e), 0,
		 "%s: ATTACH of a dma-buf works", what);
	is_errno(attach_with(ccshm, &persistent, PCI_C, &h->p), 0,
		 "%s: ATTACH with PERSISTENT works",
		 what);
}

/* Wait with poll(). The call must return by itself when the device disappears. */
static int polls(struct peer *parent, void *arg)
{
	struct held *h = arg;
	struct pollfd pfd = { .fd = h->a.fd, .events = POLLPRI };

	peer_send(parent, 1, -1);
	return poll(&pfd, 1, 60000) == 1 ? pfd.revents : -ETIMEDOUT;
}

static int revokes(struct peer *parent, void *arg)
{
	struct held *h = arg;

	(void)parent;
	return raw_revoke(ccshm, h->e.id, 0, in_ms(60000), NULL);
}

static bool is_asked(uint64_t id)
{
	for (int i = 0; i < 1000 && query(id).state == CCSHM_STATE_ACTIVE; i++)
		sleep_ms(10);
	return query(id).state == CCSHM_STATE_REVOKING;
}

/*
 * Make the device disappear during a transfer. Test that the rest of the transfer is not written.
 */
static bool goes_at_work(const struct way *w, struct held *h)
{
	struct edu edu;
	int64_t begin;
	bool gone;

	device_start(&edu, EDU_C);
	ok(moves_right(&edu, &h->s, &h->a, 0, PAGE),
	   "%s: the device copies in the first buffer", w->what);
	ok(moves_right(&edu, &h->named, &h->p, 0, PAGE),
	   "%s: the device copies in the persistent buffer", w->what);
	stamp_write(h->s.p + PAGE, 8, PAGE, PAGE);
	begin = now_ns();
	must(edu_dma_start(&edu, EDU_IN, dma_at(&h->a, PAGE), TRANSFER, 0));
	edu_close(&edu);
	gone = w->go();
	if (!w->at_once)
		return gone;
	if (now_ns() - begin > AT_WORK_MS * 1000000LL) {
		skip("the transfer in progress moves no byte",
		     "the transfer may have ended before the device was gone");
		return gone;
	}
	sleep_ms(200);
	ok(stamp_check(h->s.p + PAGE, 8, PAGE, PAGE), "%s: the transfer in progress moves no byte",
	   w->what);
	return gone;
}

static void is_over(const char *what, const struct attached *a)
{
	struct pollfd pfd = { .fd = a->fd, .events = POLLPRI };
	struct ccshm_ioc_segment one;
	struct ccshm_ioc_query q = query(a->id);
	struct ccshm_ioc_revoke r;

	is_int(q.state, CCSHM_STATE_REVOKED, "%s: the attachment is revoked", what);
	is_int(q.device_mappings, 0, "%s: the attachment has no device mapping", what);
	is_str(q.device, PCI_C, "%s: QUERY of the attachment reports the device's name", what);
	ok(poll(&pfd, 1, 0) == 1 && pfd.revents == (POLLPRI | POLLHUP),
	   "%s: poll() of the attachment reports POLLPRI and POLLHUP", what);
	is_errno(raw_segments(a->fd, 0, &one, 0, 1, NULL), ENODEV, "%s: SEGMENTS: ENODEV",
		 what);
	is_errno(raw_revoke(ccshm, a->id, 0, 0, &r), 0,
		 "%s: REVOKE of the attachment returns at once", what);
	is_int(r.state, CCSHM_STATE_REVOKED,
	       "%s: REVOKE of the attachment reports the state revoked", what);
	is_errno(raw_revoke(ccshm, a->id, CCSHM_REVOKE_FORCE, 0, NULL), 0,
		 "%s: REVOKE with FORCE of the attachment returns at once", what);
}

static void release_all(const char *what, struct held *h)
{
	struct ccshm_ioc_info info;

	is_errno(attached_end(&h->a), 0, "%s: DETACH works", what);
	close(h->e.fd);
	is_errno(raw_query(ccshm, h->e.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "%s: QUERY of the closed attachment: ENOENT", what);
	shared_end(&h->s);
	shared_end(&h->named);
	ok(wait_held(ccshm, 0, &info), "%s: the memory is given back", what);
}

static void works_again(const char *what)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_C, &a), 0,
		 "%s: the device is back: ATTACH works", what);
	device_start(&edu, EDU_C);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "%s: the device is back: it copies", what);
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "%s: the device is back: DETACH works", what);
	shared_end(&s);
}

static void attachments_end(const struct way *w)
{
	struct peer poller, revoker;
	struct held h;

	if (w->before && !w->before()) {
		skip(w->what, w->before == take_uio ? "uio_pci_generic cannot be bound" :
						      "this kernel has no hotplug by ACPI");
		if (w->before == take_uio)
			must(device_file(EDU_C, "driver_override", "\n"));
		return;
	}
	hold(&h, w->what);
	poller = peer_start(ROOT, ALL_CAPS, polls, &h);
	must(peer_hear(&poller));
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &h);
	ok(is_asked(h.e.id), "%s: a REVOKE waits for the attachment's holder", w->what);

	ok(goes_at_work(w, &h), "%s: the event happens while the device works", w->what);
	is_int(peer_hear(&poller), POLLPRI | POLLHUP,
	       "%s: poll() that waits returns POLLPRI and POLLHUP", w->what);
	is_errno(peer_hear(&revoker), 0, "%s: the waiting REVOKE succeeds", w->what);
	peer_must_end(&poller, 0);
	peer_must_end(&revoker, 0);
	is_over(w->what, &h.a);
	is_over(w->what, &h.e);
	is_errno(raw_query(ccshm, h.p.id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "%s: QUERY of the persistent attachment: ENOENT", w->what);
	is_errno(TRY(PCI_C, .id = h.s.id), w->gone ? ENODEV : w->back ? EBUSY : 0,
		 "%s: ATTACH afterwards returns the expected error or 0", w->what);
	/*
	 * Where the device disappears completely, it reappears only after its attachments were
	 * closed; otherwise before that.
	 */
	if (w->gone)
		release_all(w->what, &h);
	ok(!w->back || w->back(), "%s: the device and its driver are back", w->what);
	if (!w->gone) {
		is_over(w->what, &h.a);
		release_all(w->what, &h);
	}
	must(device_file(EDU_C, "driver_override", "\n"));
	works_again(w->what);
}

/* ---- importers ---- */

static int revokes_export(struct peer *parent, void *arg)
{
	struct shared *s = arg;

	(void)parent;
	return raw_revoke(ccshm, s->export_id, 0, in_ms(60000), NULL);
}

static void nobody_holds(const char *what, uint64_t id)
{
	struct ccshm_ioc_query q = query(id);

	is_int(q.importers, 0, "%s: QUERY counts no importer", what);
	is_int(q.device_mappings, 0, "%s: QUERY counts no device mapping", what);
}

static void importer_works(const char *what)
{
	struct shared s = shared_new(UNIT);
	int imp;

	ok(take_driver(), "%s: the driver is bound", what);
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: the importer maps", what);
	ok(imp_moves_right(imp, s.p, 0, PAGE), "%s: the importer's device copies", what);
	close(imp);
	shared_end(&s);
}

/*
 * Test that a driver releases its mapping when it is unbound, which ends a revoke that waits for
 * it.
 */
static void importers_end(const char *what, bool (*go)(void), bool (*back)(void))
{
	struct shared s = shared_new(UNIT), t = shared_new(UNIT);
	struct peer revoker;
	uint64_t pinned;
	int fd = raw_export(ccshm, t.id, CCSHM_EXPORT_PINNED, &pinned), imp, fixed;

	importer_works(what);
	imp = imp_new(s.fd, IMPORTER_LATE);
	fixed = imp_new(fd, IMPORTER_STATIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "%s: a late importer maps", what);
	is_errno(imp_map(fixed, IMPORTER_BIDIRECTIONAL), 0, "%s: a static importer maps",
		 what);
	revoker = peer_start(ROOT, ALL_CAPS, revokes_export, &s);
	ok(is_asked(s.export_id), "%s: REVOKE waits for the late importer", what);
	is_errno(raw_revoke(ccshm, pinned, 0, 0, NULL), EBUSY,
		 "%s: REVOKE of the pinned export: EBUSY", what);

	ok(go(), "%s: the event happens", what);
	is_errno(peer_hear(&revoker), 0, "%s: the waiting REVOKE succeeds", what);
	peer_must_end(&revoker, 0);
	nobody_holds(what, s.export_id);
	nobody_holds(what, pinned);
	is_errno(raw_revoke(ccshm, pinned, 0, 0, NULL), 0,
		 "%s: REVOKE of the pinned export succeeds", what);
	ok(!back || back(), "%s: the device and its driver are back", what);
	importer_works(what);
	ok(drop_driver(), "%s: the driver can be unbound at the end", what);
	close(imp);
	close(fixed);
	close(fd);
	shared_end(&s);
	shared_end(&t);
}

int main(void)
{
	suite_begin();
	if (!device_exists(EDU_C))
		bail("the machine has no device %s", EDU_C);
	for (size_t i = 0; i < NR_WAYS; i++)
		attachments_end(&ways[i]);
	imp_device = EDU_C;
	importers_end("importer: its driver is unbound", drop_driver, NULL);
	importers_end("importer: removed through sysfs", sysfs_remove, rescan);
	if (can_unplug())
		importers_end("importer: unplugged", unplug, plug);
	return suite_end();
}
