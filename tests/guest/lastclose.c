// SPDX-License-Identifier: GPL-2.0-only
/*
 * REVOKE meets the last close of a dma-buf just when the closing process has dropped the last
 * reference to its dentry, and has not looked at the dentry again: it still uses the dentry, which
 * dput() of another process would free. A probe makes the closing process stay there, on one of two
 * processors, until the calls have returned.
 *
 * vm-modules: ccshm probe
 * vm-flavours: plain
 * vm-cpus: 2
 */
#include "tap.h"
#include "raw.h"
#include "device.h"

#define PARAMETER(name)	"/sys/module/ccshm_probe/parameters/" name

static int ccshm;

/* Return whether the closing process is there now. */
static bool is_closing(void)
{
	char value[2] = "";
	int fd = open(PARAMETER("dropped"), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, value, 1) != 1)
		bail("cannot read the probe's parameter");
	close(fd);
	return value[0] == 'Y';
}

/* Receive a dma-buf, and close it when the parent sends a message. */
static int closes(struct peer *parent, void *arg)
{
	int fd, value;

	(void)arg;
	if (!peer_receive(parent, &value, &fd, 20000))
		return 1;
	peer_send(parent, 0, -1);
	must(peer_hear(parent));
	close(fd);
	return 0;
}

/* Start a process that has the only descriptor of the dma-buf. */
static struct peer closer_start(int fd)
{
	struct peer p = peer_start(ROOT, ALL_CAPS, closes, NULL);

	peer_send(&p, 0, fd);
	must(peer_hear(&p));
	close(fd);
	return p;
}

/* Let the process close the dma-buf. Return whether it stays after the last reference. */
static bool closer_stays(struct peer *p)
{
	int64_t end = in_ms(60000);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", p->pid);
	must(write_text(PARAMETER("closer"), pid));
	peer_send(p, 0, -1);
	while (!is_closing())
		if (now_ns() > end)
			return false;
	return true;
}

static void revoke_during_last_close(void)
{
	uint64_t id, export_id;
	struct ccshm_ioc_query q;
	struct peer p;

	must(raw_alloc(ccshm, UNIT, &id));
	p = closer_start(raw_export(ccshm, id, 0, &export_id));
	ok(closer_stays(&p), "a process has dropped the last reference");
	is_errno(raw_revoke(ccshm, export_id, 0, 0, NULL), 0, "REVOKE without waiting: success");
	is_errno(raw_query(ccshm, export_id, &q), 0, "the export exists until its last user has left");
	ok(is_closing(), "the process has not left meanwhile");
	must(write_text(PARAMETER("closer"), "0"));
	peer_must_end(&p, 0);
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(5000), NULL), ENOENT,
		 "REVOKE after the close: ENOENT");
	must(raw_free(ccshm, id));
}

int main(void)
{
	/* There, a dentry's count and lock are not one word, and dput() takes the lock first. */
	if (debug_kernel()) {
		skip("REVOKE during the last close", "not possible on a debug kernel");
		return done_testing();
	}
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	must(raw_insmod("/lib/ccshm/ccshm_probe.ko", "closer=0"));
	revoke_during_last_close();
	is_errno(raw_rmmod("ccshm_probe"), 0, "ccshm_probe.ko can be unloaded");
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
