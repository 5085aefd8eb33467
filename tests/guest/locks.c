// SPDX-License-Identifier: GPL-2.0-only
/*
 * No call of one user holds a lock that all users share for long, however many objects that user
 * has. The hold time is measured in the kernel, from taking a lock to releasing it.
 *
 * The clock of the machine counts instructions, 4 ns each, so that other load on the host does not
 * count; and RCU frees memory in threads, because an interrupt would count as hold time. One kernel
 * is enough, because the suite measures loops of the driver.
 *
 * vm-modules: ccshm probe
 * vm-flavours: sev
 * vm-kernels: 6.12
 * vm-qemu: -icount shift=2
 * vm-append: rcutree.use_softirq=0
 */
#include "tap.h"
#include "raw.h"
#include "device.h"
#include "netlink.h"

#include <sys/resource.h>

/*
 * With 65536 objects a hold time of 2 ms is allowed; the suite has a quarter of the objects and a
 * quarter of the time. A loop over all objects with a lock held takes several milliseconds, other
 * holders take 40 us.
 */
#define OBJECTS	16384
#define BOUND	500000UL	/* ns */

#define LONGEST	"/sys/module/ccshm_probe/parameters/longest"

static int dev, netlink;
static uint64_t id[OBJECTS];

/* ---- measurement ---- */

static void meter_load(void)
{
	unsigned long objects = symbol_address("ccshm_lock", "ccshm");
	unsigned long carving = symbol_address("carve_lock", "ccshm");
	char text[64];

	if (!objects || !carving)
		bail("/proc/kallsyms does not list the locks");
	snprintf(text, sizeof(text), "lock=0x%lx,0x%lx", objects, carving);
	if (raw_insmod("/lib/ccshm/ccshm_probe.ko", text))
		bail("cannot load ccshm_probe.ko");
}

static void meter_reset(void)
{
	int fd = open(LONGEST, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0,0", 3) != 3)
		bail("cannot write " LONGEST);
	close(fd);
}

/* Test the longest hold times since the last reset. */
static void check_holds(const char *what)
{
	unsigned long objects = 0, carving = 0;
	FILE *f = fopen(LONGEST, "r");

	if (!f || fscanf(f, "%lu,%lu", &objects, &carving) != 2)
		bail("cannot read " LONGEST);
	fclose(f);
	diag("%s: ccshm_lock at most %lu us, carve_lock at most %lu us", what, objects / 1000,
	     carving / 1000);
	ok(objects && objects <= BOUND && carving <= BOUND,
	   "%s: no lock of all users is held for more than %lu us", what, BOUND / 1000);
	meter_reset();
}

/* ---- measured calls ---- */

static void all_returned(const char *what)
{
	ok(wait_clean(dev), "%s: all memory is returned", what);
	check_holds(what);
}

static int read_fdinfo(int fd)
{
	static char text[MIB];
	char path[64];
	int info, n, lines = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	while ((n = read(info, text, sizeof(text))) > 0)
		for (int i = 0; i < n; i++)
			lines += text[i] == '\n';
	close(info);
	return lines;
}

static void one_file(void)
{
	int fd = raw_open(), n = 0;
	uint64_t buffer;

	while (n < OBJECTS && !raw_alloc(fd, PAGE, &buffer))
		n++;
	is_int(n, OBJECTS, "ALLOC of %d anonymous buffers of one file", OBJECTS);
	check_holds("ALLOC");
	ok(read_fdinfo(fd) >= OBJECTS, "fdinfo of a file lists all its buffers");
	check_holds("fdinfo");
	close(fd);
	check_holds("close of the file");
	all_returned("anonymous buffers of a closed file");
}

static unsigned int next_of_all(void)
{
	struct ccshm_ioc_query q = { 0 };
	unsigned int n = 0;

	while (!raw_query_next(dev, CCSHM_TYPE_BUFFER, q.object_id, &q))
		n++;
	return n;
}

static int rename_buffer(uint64_t buffer, const char *name)
{
	struct ccshm_ioc_set req = { .id = buffer, .flags = CCSHM_SET_NAME };

	snprintf(req.name, sizeof(req.name), "%s", name);
	return raw_ioctl(dev, CCSHM_IOC_SET, &req);
}

static void named(void)
{
	char name[CCSHM_NAME_LEN];
	uint64_t found;
	int n;

	for (n = 0; n < OBJECTS; n++) {
		snprintf(name, sizeof(name), "b%d", n);
		if (raw_alloc_named(dev, PAGE, name, 0600, &id[n]))
			break;
	}
	is_int(n, OBJECTS, "ALLOC of %d persistent buffers with names", OBJECTS);
	check_holds("ALLOC with a name");
	is_errno(raw_find(dev, "b8191x", -1, &found), ENOENT, "OPEN of a name that does not exist");
	is_errno(raw_find(dev, "b8191", -1, &found), 0, "OPEN of a name that exists: success");
	check_holds("OPEN");
	is_errno(rename_buffer(id[8191], "another"), 0, "SET of another name: success");
	check_holds("SET");
	is_int(nl_dump(netlink, CCSHM_CMD_BUFFER_GET, NULL, NULL).messages, OBJECTS,
	       "netlink dump of the buffers");
	check_holds("dump of buffers");
	is_int(next_of_all(), OBJECTS, "QUERY of the next buffer, to the last one, visits all");
	check_holds("QUERY");
	for (n = 0; n < OBJECTS; n++)
		if (raw_free(dev, id[n]))
			break;
	is_int(n, OBJECTS, "FREE of each persistent buffer");
	check_holds("FREE");
	all_returned("persistent buffers after FREE");
}

static void exported(void)
{
	static int fd[OBJECTS];
	struct ccshm_ioc_query q;
	uint64_t buffer;
	int n;

	is_errno(raw_alloc(dev, PAGE, &buffer), 0, "ALLOC of a buffer that is to be exported: success");
	for (n = 0; n < OBJECTS; n++) {
		fd[n] = raw_export(dev, buffer, 0, NULL);
		if (fd[n] < 0)
			break;
	}
	is_int(n, OBJECTS, "EXPORT of one buffer %d times", OBJECTS);
	check_holds("EXPORT");
	is_errno(raw_query(dev, buffer, &q), 0, "QUERY of the buffer: success");
	check_holds("QUERY of a buffer with many exports");
	is_int(nl_dump(netlink, CCSHM_CMD_EXPORT_GET, NULL, NULL).messages, OBJECTS,
	       "netlink dump of the exports");
	check_holds("dump of exports");
	is_errno(raw_revoke(dev, buffer, 0, in_ms(60000), NULL), 0,
		 "REVOKE of a buffer with many exports: success");
	check_holds("REVOKE of a buffer with many exports");
	is_errno(raw_free(dev, buffer), 0, "FREE of a buffer with many exports: success");
	while (n)
		close(fd[--n]);
	all_returned("a freed buffer with many exports");
}

int main(void)
{
	struct rlimit files = { OBJECTS + 64, OBJECTS + 64 };

	if (!symbol_address("mutex_lock", NULL))
		skip_all("this kernel locks mutexes with other functions (lockdep)");
	driver_load();
	dev = raw_open();
	if (dev < 0 || setrlimit(RLIMIT_NOFILE, &files))
		bail("cannot open %s, or cannot raise the limit of open files", CCSHM_DEVICE);
	netlink = nl_socket();
	if (nl_find_family(netlink))
		bail("the netlink family ccshm does not exist");
	meter_load();
	one_file();
	named();
	exported();
	is_errno(raw_rmmod("ccshm_probe"), 0, "ccshm_probe.ko can be unloaded");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
