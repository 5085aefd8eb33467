// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is removed and reappears while other processes attach it, revoke and detach, on two
 * processors. Each call has two outcomes, which depend on the order of events; both must occur.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-cpus: 2
 * vm-qemu: -device edu,id=hot,addr=06.0,dma_mask=0xffffffff
 */
#include <stdatomic.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define ROUNDS		60
#define KEPT		8

/* State that the processes share. */
struct race {
	atomic_bool over;
	struct shared s;
	uint64_t persistent;		/* a persistent buffer */
	_Atomic uint64_t id[KEPT];	/* the latest attachments */
	atomic_int attached;
	atomic_int refused;
	atomic_int has_segments;
	atomic_int has_none;
	atomic_int revoked;
	atomic_int ended;
	atomic_int wrong;
};

static void note(struct race *r, const char *what, int err)
{
	diag("%s: %s", what, strerror(-err));
	atomic_fetch_add(&r->wrong, 1);
}

/* Make an attachment of one of the three kinds. */
static int attach_one(struct race *r, unsigned int kind, int *fd, uint64_t *id)
{
	struct ccshm_ioc_attach req = { .device = PCI_C };
	int err;

	if (kind == 0) {
		req.id = r->s.id;
	} else if (kind == 1) {
		req.flags = CCSHM_ATTACH_DMABUF;
		req.dmabuf_fd = r->s.fd;
	} else {
		req.flags = CCSHM_ATTACH_PERSISTENT;
		req.id = r->persistent;
	}
	err = raw_ioctl(ccshm, CCSHM_IOC_ATTACH, &req);
	*fd = err ? -1 : req.fd;
	*id = req.attachment_id;
	return err;
}

/*
 * DETACH an attachment that may have ended with its device or its holder. Return 0 or a negative
 * errno.
 */
static int detach_kept(uint64_t id)
{
	int err = raw_detach(ccshm, id);

	return err == -ENOENT ? 0 : err;
}

/* Attach, read the addresses, and end the attachment in one of several ways. */
static int attaches(struct peer *parent, void *arg)
{
	struct ccshm_ioc_segment one;
	struct race *r = arg;
	int fd[KEPT];
	uint64_t id;

	(void)parent;
	memset(fd, -1, sizeof(fd));
	for (unsigned int i = 0; !r->over; i++) {
		unsigned int at = i % KEPT;
		int err;

		/*
		 * End the oldest attachment: this stops its device, or DETACH has reported it as
		 * stopped.
		 */
		if (fd[at] >= 0 && i / KEPT % 2)
			must(raw_detach(fd[at], 0));
		if (fd[at] >= 0)
			close(fd[at]);
		else if (r->id[at])
			must(detach_kept(r->id[at]));
		r->id[at] = 0;
		err = attach_one(r, i % 3, &fd[at], &id);
		if (err == -ENODEV) {
			atomic_fetch_add(&r->refused, 1);
			sched_yield();
			continue;
		}
		if (err) {
			note(r, "ATTACH", err);
			continue;
		}
		atomic_fetch_add(&r->attached, 1);
		r->id[at] = id;
		/* Wait, so that the device is removed at this point in some of the rounds. */
		if (!(i & 1))
			sleep_ms(3);
		err = raw_segments(fd[at] < 0 ? ccshm : fd[at], fd[at] < 0 ? id : 0, &one, 0, 1,
				   NULL);
		/*
		 * The device was removed or the buffer revoked; a persistent attachment then no
		 * longer exists.
		 */
		if (err < 0 && err != -ENODEV && !(fd[at] < 0 && err == -ENOENT))
			note(r, "SEGMENTS", err);
		atomic_fetch_add(err < 0 ? &r->has_none : &r->has_segments, 1);
	}
	for (unsigned int at = 0; at < KEPT; at++)
		if (fd[at] >= 0)
			close(fd[at]);
	return 0;
}

/*
 * Revoke recent attachments. REVOKE must find each of them or report that it has ended; any other
 * error fails the test.
 */
static int revokes(struct peer *parent, void *arg)
{
	struct race *r = arg;

	(void)parent;
	for (unsigned int i = 0; !r->over; i++) {
		uint64_t id = r->id[i % KEPT];
		int err;

		if (!id) {
			sched_yield();
			continue;
		}
		err = raw_revoke(ccshm, id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL);
		if (!err)
			atomic_fetch_add(&r->revoked, 1);
		else if (err == -ENOENT)
			atomic_fetch_add(&r->ended, 1);
		else
			note(r, "REVOKE", err);
		sleep_ms(2);
	}
	return 0;
}

/* Count active attachments after the device was removed: there must be none. */
static int still_active(struct race *r)
{
	struct ccshm_ioc_query q;
	int n = 0;

	for (unsigned int i = 0; i < KEPT; i++) {
		uint64_t id = r->id[i];

		if (!id || raw_query(ccshm, id, &q))
			continue;
		if (q.state != CCSHM_STATE_REVOKED) {
			diag("attachment %llu: state %u", (unsigned long long)id, q.state);
			n++;
		}
	}
	return n;
}

static void race(struct race *r)
{
	struct peer a = peer_start(ROOT, ALL_CAPS, attaches, r);
	struct peer b = peer_start(ROOT, ALL_CAPS, revokes, r);
	int active = 0, failed = 0, before;

	for (int i = 0; i < ROUNDS && !active && !failed; i++) {
		before = r->attached;
		for (int ms = 0; ms < 10000 && r->attached < before + 3; ms++)
			sleep_ms(1);
		failed |= device_file(EDU_C, "remove", "1") || device_exists(EDU_C);
		active = still_active(r);
		before = r->refused;
		for (int ms = 0; ms < 10000 && r->refused == before; ms++)
			sleep_ms(1);
		failed |= write_text("/sys/bus/pci/rescan", "1") || !device_exists(EDU_C);
	}
	r->over = true;
	is_int(peer_hear(&a), 0, "the process that calls ATTACH ends without error");
	is_int(peer_hear(&b), 0, "the process that calls REVOKE ends without error");
	peer_must_end(&a, 0);
	peer_must_end(&b, 0);
	diag("ATTACH: %d attached, %d refused; SEGMENTS: %d found, %d ended; "
	     "REVOKE: %d revoked, %d ended",
	     r->attached, r->refused, r->has_segments, r->has_none, r->revoked, r->ended);
	is_int(failed, 0, "the device is removed and added again, %d times", ROUNDS);
	is_int(active, 0, "no attachment outlived its device");
	is_int(r->wrong, 0, "each call succeeds or fails for want of the device");
	ok(r->attached >= ROUNDS, "ATTACH succeeded at least once for each removal");
	ok(r->refused >= ROUNDS, "ATTACH failed with ENODEV at least once for each removal");
	ok(r->has_segments && r->has_none,
	   "SEGMENTS succeeded at least once and failed with ENODEV at least once");
	ok(r->revoked && r->ended,
	   "REVOKE found a live and an ended attachment at least once each");
}

int main(void)
{
	struct race *r = common(sizeof(*r));
	struct attached a;
	struct edu edu;

	suite_begin();
	ok(sysconf(_SC_NPROCESSORS_ONLN) == 2, "the machine has two processors");
	r->s = shared_new(UNIT);
	if (raw_alloc_named(ccshm, UNIT, "race", 0600, &r->persistent))
		bail("ALLOC of a persistent buffer failed");
	race(r);
	for (unsigned int i = 0; i < KEPT; i++)
		if (r->id[i])
			must(detach_kept(r->id[i]));
	is_errno(attach_buffer(ccshm, r->s.id, PCI_C, &a), 0, "ATTACH after the race works");
	device_start(&edu, EDU_C);
	ok(moves_right(&edu, &r->s, &a, 0, PAGE), "the device copies after the race");
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "DETACH after the race works");
	shared_end(&r->s);
	is_errno(raw_free(ccshm, r->persistent), 0, "FREE of the persistent buffer works");
	munmap(r, sizeof(*r));
	return suite_end();
}
