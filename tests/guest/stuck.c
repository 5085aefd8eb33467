// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that cannot be stopped: its memory stays shared and held, and this is reported, until
 * the device stops, its holder reports that it has stopped, or the device is known to be gone.
 * Removing the device in software does not prove this, nor does a single read that returns all
 * ones.
 *
 * vm-matrix: once
 * vm-modules: ccshm stubborn
 * vm-qemu: -device edu,id=hot,addr=06.0,dma_mask=0xffffffff -device pci-bridge,chassis_nr=1,addr=07.0 -device virtio-rng-pci,addr=08.0,disable-legacy=on,iommu_platform=on
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "netlink.h"

#define STUBBORN	"/sys/module/ccshm_stubborn/parameters/on"
#define SILENT		"/sys/module/ccshm_stubborn/parameters/silent"
#define PCI_BRIDGE	"pci:0000:00:07.0"
#define MANY		8

static void stubborn(bool on)
{
	int err = write_text(STUBBORN, on ? "1" : "0");

	if (err)
		bail("%s: %s", STUBBORN, strerror(-err));
}

/* Make the device not respond to the next @reads reads. */
static void silent(const char *reads)
{
	int err = write_text(SILENT, reads);

	if (err)
		bail("%s: %s", SILENT, strerror(-err));
}

static int64_t held(void)
{
	struct ccshm_ioc_info info;
	int err = raw_info(ccshm, &info);

	return err ? err : (int64_t)info.bytes_shared;
}

static void is_stuck(struct ccshm_ioc_revoke *r, const char *what)
{
	is_int(r->state, CCSHM_STATE_STUCK, "%s: REVOKE returns the state stuck", what);
	is_int(r->device_mappings, 1, "%s: REVOKE returns one device mapping", what);
	is_int(r->revoked, 0, "%s: REVOKE returns no revoked object", what);
	is_int(r->stopped, 0, "%s: REVOKE returns no stopped device", what);
}

/*
 * Test that the next event of an attachment, other than those of REVOKE, is of this type, and
 * whether it reports a stop.
 */
static void attachment_event(int nl, unsigned int type, uint64_t id, bool reports, const char *what)
{
	static struct nl_event ev;
	int err;

	do {
		err = nl_event(nl, &ev, 10000);
	} while (!err && (nl_number(&ev.msg, CCSHM_A_TYPE) != CCSHM_TYPE_ATTACHMENT ||
			  ev.type == CCSHM_EVENT_REVOKE_BEGIN ||
			  ev.type == CCSHM_EVENT_REVOKE_END));
	ok(!err && ev.type == type && nl_number(&ev.msg, CCSHM_A_ID) == id,
	   "%s: the event is sent", what);
	if (reports)
		is_int(nl_number(&ev.msg, CCSHM_A_STOPPED), 1,
		       "%s: the event reports a stopped device", what);
	else
		ok(!ev.msg.attr[CCSHM_A_STOPPED],
		   "%s: the event does not report whether the device was stopped", what);
}

static bool has_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, 10000) == 1 && p.revents == events;
}

/*
 * Test a device that a forced revoke cannot stop: the memory stays shared until the device stops.
 */
static void forced_revoke_fails(void)
{
	struct shared s = shared_new(UNIT);
	int nl = nl_socket();
	struct ccshm_ioc_revoke r;
	struct attached a;
	struct edu edu;

	must(nl_find_family(nl));
	must(nl_join(nl, family.group));
	stubborn(true);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "stubborn device: ATTACH: success");
	attachment_event(nl, CCSHM_EVENT_ATTACH, a.id, false, "stubborn device, ATTACH");
	device_start(&edu, EDU_A);
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(20000), &r), EIO,
		 "REVOKE with FORCE of a device that cannot be stopped: EIO");
	is_stuck(&r, "stubborn device, REVOKE with FORCE");
	attachment_event(nl, CCSHM_EVENT_STUCK, a.id, false, "stubborn device, REVOKE with FORCE");
	is_int(query(a.id).state, CCSHM_STATE_STUCK,
	       "stubborn device: QUERY returns the state stuck");
	ok(has_poll(a.fd, POLLPRI),
	   "stubborn device: the holder is notified by POLLPRI without POLLHUP");
	is_errno(raw_segments(a.fd, 0, a.segment, 0, 1, NULL), ENODEV,
		 "stubborn device: SEGMENTS: ENODEV");

	is_errno(raw_free(ccshm, s.id), 0, "stubborn device: FREE of the buffer: success");
	munmap(s.p, s.size);
	close(s.fd);
	sleep_ms(300);
	is_int(held(), UNIT, "stubborn device: the memory stays held after FREE");
	if (cvm_present())
		is_int(cvm_page_state(dma_at(&a, 0)), 1,
		       "stubborn device: the memory stays shared after FREE");
	is_errno(device_copy(&edu, dma_at(&a, 0), dma_at(&a, PAGE), TRANSFER), 0,
		 "stubborn device: its DMA still reaches the memory");
	is_errno(driver_unload(), EAGAIN, "unloading the driver while a device is stuck: EAGAIN");

	is_errno(raw_revoke(ccshm, a.id, 0, 0, &r), EIO,
		 "stubborn device: REVOKE without waiting: EIO");
	is_stuck(&r, "stubborn device, REVOKE without waiting");
	stubborn(false);
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(20000), &r), 0,
		 "a stuck device can be stopped again: REVOKE with FORCE: success");
	is_int(r.stopped, 1,
	       "a stuck device can be stopped again: REVOKE returns one stopped device");
	attachment_event(nl, CCSHM_EVENT_DETACH, a.id, true, "a stuck device can be stopped again");
	is_int(edu_bus_master(&edu), 0, "a stuck device can be stopped again: it is no bus master");
	ok(has_poll(a.fd, POLLPRI | POLLHUP),
	   "a stuck device can be stopped again: poll() returns POLLPRI and POLLHUP");
	close(a.fd);
	close(nl);
	edu_close(&edu);
	ok(wait_clean(ccshm), "a stuck device can be stopped again: the memory is given back");
}

/* Test that DETACH of the holder, which has programmed the device, is accepted in this state. */
static void holder_detaches(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a;
	struct edu edu;

	stubborn(true);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "DETACH of a stuck device: ATTACH before: success");
	device_start(&edu, EDU_A);
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), EIO,
		 "DETACH of a stuck device: REVOKE with FORCE before: EIO");
	is_errno(raw_detach(a.fd, 0), 0, "DETACH of a stuck device by its holder: success");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED,
	       "DETACH of a stuck device: QUERY returns the state revoked");
	close(a.fd);
	edu_close(&edu);
	shared_end(&s);
	ok(wait_clean(ccshm), "DETACH of a stuck device: the memory is given back");
}

static int holds(struct peer *parent, void *arg)
{
	struct shared *s = arg;
	struct attached a;
	struct edu edu;
	int err = attach_buffer(ccshm, s->id, PCI_A, &a);

	if (err)
		return err;
	device_start(&edu, EDU_A);
	peer_send(parent, a.id, -1);
	return peer_hear(parent);
}

static bool wait_state(uint64_t id, unsigned int state)
{
	for (int i = 0; i < 1000 && query(id).state != state; i++)
		sleep_ms(10);
	return query(id).state == state;
}

/*
 * Test a device without a holder that could stop it: removing the device from the kernel does not
 * stop the device.
 */
static void device_is_removed(void)
{
	struct shared s = shared_new(UNIT);
	struct peer p = peer_start(ROOT, ALL_CAPS, holds, &s);
	struct ccshm_ioc_query q;
	int id = peer_hear(&p);

	if (!ok(id > 0, "killed holder: a process attaches a stubborn device"))
		return;
	peer_must_end(&p, SIGKILL);
	ok(wait_state(id, CCSHM_STATE_STUCK), "killed holder: QUERY returns the state stuck");
	shared_end(&s);
	sleep_ms(300);
	is_int(held(), UNIT, "killed holder: the memory stays held");
	is_errno(raw_query(ccshm, id, &q), 0, "killed holder: QUERY finds the attachment");
	is_int(q.query_flags & CCSHM_QUERY_ORPHAN, CCSHM_QUERY_ORPHAN,
	       "killed holder: QUERY reports the attachment as an orphan");
	is_str(q.device, PCI_A, "killed holder: QUERY returns the device's name");
	is_errno(raw_revoke(ccshm, id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), EIO,
		 "killed holder: REVOKE with FORCE: EIO");

	is_errno(device_file(EDU_A, "remove", "1"), 0,
		 "removed: the device is removed through sysfs");
	is_errno(raw_query(ccshm, id, &q), 0, "removed: QUERY finds the attachment");
	is_int(q.state, CCSHM_STATE_STUCK, "removed: QUERY returns the state stuck");
	is_str(q.device, PCI_A, "removed: QUERY returns the device's name");
	sleep_ms(300);
	is_int(held(), UNIT, "removed: the memory stays held");
	is_errno(driver_unload(), EAGAIN, "removed: unloading the driver: EAGAIN");
	stubborn(false);
	is_errno(write_text("/sys/bus/pci/rescan", "1"), 0, "removed: the bus is scanned again");
	ok(device_exists(EDU_A), "removed: the device is found again");
	is_errno(raw_revoke(ccshm, id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), EIO,
		 "removed: REVOKE with FORCE does not stop the new device of that name: EIO");
	is_int(held(), UNIT, "removed: the memory stays held after the bus is scanned again");
	is_errno(raw_detach(ccshm, id), 0, "removed: DETACH by an administrator: success");
	is_errno(raw_query(ccshm, id, &q), ENOENT, "removed: QUERY after DETACH: ENOENT");
	ok(wait_clean(ccshm), "removed: the memory is given back after DETACH");
}

/*
 * Test that a device that no longer responds counts as gone, even if it could not be stopped, and
 * that the driver tries this once, not once for each attachment: one attempt takes 2 reads each
 * 100 ms for a second.
 */
static void device_is_gone(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a[4];
	long long reads;

	stubborn(true);
	for (int i = 0; i < 4; i++)
		is_errno(attach_buffer(ccshm, s.id, PCI_A, &a[i]), 0, "gone: ATTACH %d of 4: success", i + 1);
	silent("1000");
	is_errno(device_file(EDU_A, "remove", "1"), 0,
		 "gone: a device that reads as all ones is removed");
	reads = 1000 - read_number(SILENT);
	ok(reads >= 20 && reads < 40, "gone: the driver tries to stop the device once (%lld reads)",
	   reads);
	for (int i = 0; i < 4; i++) {
		is_int(query(a[i].id).state, CCSHM_STATE_REVOKED,
		       "gone: QUERY returns the state revoked");
		close(a[i].fd);
	}
	shared_end(&s);
	ok(wait_clean(ccshm), "gone: the memory is given back");
	silent("0");
	stubborn(false);
	is_errno(write_text("/sys/bus/pci/rescan", "1"), 0, "gone: the bus is scanned again");
	ok(device_exists(EDU_A), "gone: the device is found again");
}

/*
 * Test a device that reads as all ones for a while and then works, as behind a PCIe link in
 * recovery.
 */
static void device_recovers(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "recovery: ATTACH: success");
	device_start(&edu, EDU_A);
	is_int(edu_bus_master(&edu), 1, "recovery: the device is bus master before REVOKE");
	silent("3");
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(20000), &r), 0,
		 "recovery: REVOKE with FORCE of a device that reads as all ones for 3 reads: success");
	silent("0");
	is_int(edu_bus_master(&edu), 0, "recovery: the device is no bus master after REVOKE");
	edu_close(&edu);
	close(a.fd);
	shared_end(&s);
	ok(wait_clean(ccshm), "recovery: the memory is given back");
}

/* What calls have returned during a stop, and the reads of the device until then. */
struct during_stop {
	int revoke, again, detach, after;
	unsigned int stopped;
	long long reads;
};

/* Make calls while a stop of a device that does not respond takes a second. */
static struct during_stop calls_during_stop(void)
{
	struct shared s = shared_new(UNIT);
	struct ccshm_ioc_revoke r;
	struct during_stop d;
	struct attached a;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "silent: ATTACH: success");
	silent("1000");
	d.revoke = raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, 0, NULL);
	sleep_ms(200);
	d.again = raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, 0, NULL);
	d.detach = raw_detach(a.fd, 0);
	d.reads = 1000 - read_number(SILENT);
	d.after = raw_revoke(ccshm, a.id, 0, 0, &r);
	d.stopped = r.stopped;
	silent("0");
	close(a.fd);
	shared_end(&s);
	ok(wait_clean(ccshm), "silent: the memory is given back");
	return d;
}

/*
 * Test that no call waits while a stop takes a second. The stop is over after 20 reads: on a busy
 * machine this can be before the calls, but not each of five times.
 */
static void nobody_waits(void)
{
	struct during_stop d;

	for (int i = 0; i < 5; i++) {
		d = calls_during_stop();
		if (d.reads > 0 && d.reads < 20)
			break;
		diag("the stop had not begun, or was over: %lld reads", d.reads);
	}
	is_errno(d.revoke, ETIMEDOUT,
		 "silent: REVOKE with FORCE without waiting: ETIMEDOUT");
	is_errno(d.again, ETIMEDOUT,
		 "silent: another REVOKE does not wait for the stop: ETIMEDOUT");
	is_errno(d.detach, 0, "silent: DETACH: success");
	is_errno(d.after, 0, "silent: REVOKE after DETACH: success");
	/* If a call had waited, the stop would have found that the device is gone. */
	is_int(d.stopped, 0,
	       "silent: REVOKE after DETACH returns no stopped device: DETACH did not wait for the stop");
}

/*
 * Test that a device that does not respond takes a second once, not for each of its attachments,
 * when their holder closes all of them.
 */
static void many_end(void)
{
	struct shared s = shared_new(UNIT);
	struct attached a[MANY];
	long long reads;

	for (int i = 0; i < MANY; i++)
		if (attach_buffer(ccshm, s.id, PCI_A, &a[i]))
			bail("many: ATTACH %d failed", i);
	silent("1000");
	for (int i = 0; i < MANY; i++)
		close(a[i].fd);
	for (int i = 0; i < MANY; i++)
		ok(wait_gone(ccshm, a[i].id), "many: attachment %d ends", i + 1);
	reads = 1000 - read_number(SILENT);
	diag("%lld reads", reads);
	/* Those that are closed after the first stop has begun are stopped by a second one. */
	ok(reads >= 10 && reads <= 2 * 20,
	   "many: the driver tries to stop the device once or twice for all attachments");
	silent("0");
	shared_end(&s);
	ok(wait_clean(ccshm), "many: the memory is given back");
}

/*
 * Make stops of one device wait: the stop of the first attachment has the device's lock for about
 * half a second, and finds in the end that the device cannot be stopped. Return after two more
 * attachments have lost their holder.
 */
static void stops_wait(struct shared *s)
{
	struct attached a[3];

	for (int i = 0; i < 3; i++)
		if (attach_buffer(ccshm, s->id, PCI_A, &a[i]))
			bail("waiting stops: ATTACH %d failed", i);
	stubborn(true);
	silent("10");
	close(a[0].fd);
	sleep_ms(100);
	close(a[1].fd);
	close(a[2].fd);
}

static unsigned int stuck_attachments(void)
{
	struct ccshm_ioc_query q;
	unsigned int n = 0;
	uint64_t id = 0;

	while (!raw_query_next(ccshm, CCSHM_TYPE_ATTACHMENT, id, &q)) {
		id = q.object_id;
		n += q.state == CCSHM_STATE_STUCK;
	}
	return n;
}

static void detach_stuck(void)
{
	struct ccshm_ioc_query q;

	while (!raw_query_next(ccshm, CCSHM_TYPE_ATTACHMENT, 0, &q))
		if (raw_detach(ccshm, q.object_id))
			bail("DETACH of a stuck attachment failed");
}

/*
 * Test that a stop that waited does not reach the next holder, if the device could not be stopped
 * before ATTACH either.
 */
static void next_holder_runs(void)
{
	struct shared s = shared_new(UNIT);
	struct attached next;
	struct edu edu;

	device_start(&edu, EDU_A);
	stops_wait(&s);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &next), 0,
		 "waiting stops: ATTACH of a device that cannot be stopped: success");
	silent("0");
	stubborn(false);
	is_int(stuck_attachments(), 3,
	       "waiting stops: ATTACH returns after all 3 attachments without holder are stuck");
	must(edu_set_bus_master(&edu, true));
	sleep_ms(500);
	is_int(edu_bus_master(&edu), 1,
	       "waiting stops: the device of the next holder stays bus master");
	is_int(query(next.id).state, CCSHM_STATE_ACTIVE,
	       "waiting stops: the attachment of the next holder stays active");
	ok(moves_right(&edu, &s, &next, 0, PAGE),
	   "waiting stops: the device of the next holder copies");
	is_errno(raw_detach(next.fd, 0), 0, "waiting stops: DETACH of the next holder: success");
	close(next.fd);
	detach_stuck();
	edu_close(&edu);
	shared_end(&s);
	ok(wait_clean(ccshm), "waiting stops: the memory is given back");
}

static void bridges(void)
{
	struct shared s = shared_new(UNIT);

	is_errno(TRY(PCI_BRIDGE, .id = s.id), EOPNOTSUPP, "ATTACH of a bridge: EOPNOTSUPP");
	ok(strstr(verdict_of(PCI_BRIDGE), "the device is a bridge"),
	   "DEVICE of a bridge reports that it is a bridge (%s)",
	   verdict_of(PCI_BRIDGE));
	shared_end(&s);
}

int main(void)
{
	uint64_t shared = rig(CVM_PAGES_SHARED);
	int err;

	driver_load();
	ccshm = raw_open();
	err = raw_insmod("/lib/ccshm/ccshm_stubborn.ko", "device=" EDU_A " on=0");
	if (ccshm < 0 || err)
		bail(
		     "loading ccshm.ko or ccshm_stubborn.ko: %s",
		     strerror(ccshm < 0 ? -ccshm : -err));
	forced_revoke_fails();
	holder_detaches();
	device_is_removed();
	device_is_gone();
	device_recovers();
	nobody_waits();
	many_end();
	next_holder_runs();
	bridges();
	is_errno(raw_rmmod("ccshm_stubborn"), 0, "ccshm_stubborn.ko can be unloaded");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(shared), "no page is shared after the driver is unloaded");
	return done_testing();
}
