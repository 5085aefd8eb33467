// SPDX-License-Identifier: GPL-2.0-only
/*
 * With allow_plain=1 the driver clears memory before it is shared, not only before a user can read
 * it. The guest may be a confidential guest of a hypervisor that ccshm does not support; its host
 * could otherwise read the earlier contents of the memory. The kernel does not clear memory that it
 * allocates (init_on_alloc=0), so that only ccshm does.
 *
 * vm-modules: ccshm probe
 * vm-flavours: plain
 * vm-kernels: 6.12
 * vm-arch: amd64
 * vm-append: init_on_alloc=0
 * vm-qemu: -object memory-backend-ram,id=near,size=@half -object memory-backend-ram,id=far,size=@half -numa node,memdev=near,cpus=0 -numa node,memdev=far
 */
#include "tap.h"
#include "raw.h"

#define PARAMETERS	"/sys/module/ccshm_probe/parameters/"
#define SIZE		(64 * MIB)

static int dev;

static unsigned long counted(const char *name)
{
	unsigned long value = ~0UL;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &value) != 1)
		bail("cannot read %s", path);
	fclose(f);
	return value;
}

/* Write bytes other than zero to nearly all free memory, and release it. */
static int soil(void *arg)
{
	unsigned int chunks = 0;

	(void)arg;
	for (; chunks < 40; chunks++) {
		char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			break;
		memset(p, 0xa5, 16 * MIB);
	}
	return chunks;
}

static void check_zero(uint64_t size, uint64_t flags, const char *what)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = flags };
	unsigned long seen = counted("decrypted"), dirty = counted("dirty");

	is_int(as_user(ROOT, ALL_CAPS, soil, NULL), 40,
	       "%s: setup: free memory is filled with nonzero bytes", what);
	is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0, "%s: ALLOC: success", what);
	seen = counted("decrypted") - seen;
	ok(seen * PAGE >= size,
	   "%s: the probe has seen %lu KiB being shared", what, seen * PAGE / KIB);
	is_int(counted("dirty") - dirty, 0, "%s: every page was zero when it was shared", what);
	must(raw_free(dev, req.id));
	ok(wait_clean(dev), "%s: all memory is returned", what);
}

int main(void)
{
	driver_load();
	dev = raw_open();
	if (dev < 0 || raw_insmod("/lib/ccshm/ccshm_probe.ko", ""))
		bail("cannot open the device, or cannot load ccshm_probe.ko");
	check_zero(SIZE, 0, "64 MiB");
	check_zero(PAGE, 0, "a carved page");
	check_zero(UNIT, CCSHM_ALLOC_CONTIGUOUS, "a contiguous unit");
	is_errno(raw_rmmod("ccshm_probe"), 0, "ccshm_probe.ko can be unloaded");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
