// SPDX-License-Identifier: GPL-2.0-only
/*
 * REVOKE meets the last close of a dma-buf just when the closing process has dropped the last
 * reference to its dentry, and has not looked at the dentry again: it still uses the dentry, which
 * dput() of another process would free. A probe makes the closing process stay there, on one of two
 * processors.
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

/* Receive a dma-buf, and close it when the other side says so. */
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
	int64_t end = in_ms(20000);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", p->pid);
	must(write_text(PARAMETER("closer"), pid));
	peer_send(p, 0, -1);
	while (!is_closing())
		if (now_ns() > end)
			return false;
	return true;
}

/*
 * Revoke while the dma-buf is closed. Return whether the export still existed afterwards. @late is set
 * if the closing process had gone on meanwhile, so that this says nothing.
 */
static bool exists_after_revoke(uint64_t export_id, bool *late)
{
	struct ccshm_ioc_revoke r;
	struct ccshm_ioc_query q;
	int revoked = raw_revoke(ccshm, export_id, 0, 0, &r);
	int found = raw_query(ccshm, export_id, &q);

	*late = !is_closing();
	if (!*late)
		diag("REVOKE: %s, QUERY: %s", tap_errno_name(revoked), tap_errno_name(found));
	return !found && (revoked == 0 || revoked == -ETIMEDOUT);
}

static void revoke_during_last_close(void)
{
	bool late = true, exists = false;
	uint64_t id, export_id;

	must(raw_alloc(ccshm, UNIT, &id));
	for (int i = 0; i < 10 && late; i++) {
		struct peer p = closer_start(raw_export(ccshm, id, 0, &export_id));

		if (!ok(closer_stays(&p), "the last reference is dropped"))
			break;
		exists = exists_after_revoke(export_id, &late);
		peer_must_end(&p, 0);
	}
	ok(!late, "REVOKE and QUERY return while the dma-buf is closed");
	ok(exists, "the export exists until its last user has left");
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(5000), NULL), ENOENT,
		 "REVOKE after the close: ENOENT");
	must(raw_free(ccshm, id));
}

int main(void)
{
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
