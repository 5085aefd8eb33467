// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory below 4 GiB, for devices with 32 address bits, on a machine whose kernel prefers to
 * allocate above 4 GiB. The variants "cvm" and "cca" are confidential guests; "cca" reserves 2 GiB of
 * the 3 GiB that a Realm has below 4 GiB.
 *
 * vm-modules: ccshm
 * vm-flavours: plain
 * vm-boot: alone
 * vm-memory: 5120
 * vm-variant: cvm flavours=sev,snp,tdx matrix=last memory= timeout=300 rig=high=1024
 * vm-variant: cca flavours=cca matrix=last memory=4096 ipa-bits=34 timeout=300 append=crashkernel=2048M@1536M
 */
#include "tap.h"
#include "raw.h"

#define LIMIT	(1ULL << 32)

static int dev;

static uint64_t alloc_flags(uint64_t size, uint64_t flags)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = flags };
	int err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);

	if (err)
		diag("ALLOC of %llu with %#llx: %s", (unsigned long long)size,
		     (unsigned long long)flags, tap_errno_name(err));
	return err ? 0 : req.id;
}

/* Return how many bytes of the buffer are above 4 GiB, or -1 if the pages cannot be read. */
static long long above(uint64_t id)
{
	static struct ccshm_ioc_run run[4096];
	int n = raw_pages(dev, id, 0, 0, run, 4096, NULL);
	long long sum = 0;

	if (n <= 0)
		return -1;
	for (int i = 0; i < n; i++) {
		uint64_t end = run[i].physical + run[i].length;

		if (!run[i].physical)
			return -1;
		if (end > LIMIT)
			sum += run[i].physical > LIMIT ? run[i].length : end - LIMIT;
	}
	return sum;
}

static void check_below(uint64_t size, uint64_t flags, const char *what)
{
	uint64_t id = alloc_flags(size, flags | CCSHM_ALLOC_DMA32);
	struct ccshm_ioc_query q;

	if (!ok(id, "ALLOC of %s with DMA32 works", what))
		return;
	is_int(above(id), 0, "ALLOC of %s with DMA32: all memory is below 4 GiB", what);
	must(raw_query(dev, id, &q));
	ok(q.object_flags & CCSHM_ALLOC_DMA32,
	   "ALLOC of %s with DMA32: QUERY reports the flag", what);
	must(raw_free(dev, id));
	ok(wait_clean(dev), "ALLOC of %s with DMA32: given back after FREE", what);
}

/* Test that CCSHM_ALLOC_DMA32 does not carve from a block above 4 GiB. */
static void check_carved(void)
{
	uint64_t any = alloc_flags(PAGE, 0), low = alloc_flags(PAGE, CCSHM_ALLOC_DMA32);
	uint64_t more = alloc_flags(PAGE, CCSHM_ALLOC_DMA32);
	struct ccshm_ioc_info info;

	is_int(above(any), PAGE, "ALLOC of 4 KiB without DMA32: the memory is above 4 GiB");
	is_int(above(low), 0, "ALLOC of 4 KiB with DMA32: not carved from a block above 4 GiB");
	is_int(above(more), 0,
	       "a second ALLOC of 4 KiB with DMA32: not carved from a block above 4 GiB");
	must(raw_info(dev, &info));
	is_int(info.blocks_carved, 2,
	       "buffers of 4 KiB with and without DMA32 are carved from two blocks");
	must(raw_free(dev, any));
	must(raw_free(dev, low));
	must(raw_free(dev, more));
	ok(wait_clean(dev), "buffers of 4 KiB with and without DMA32: given back after FREE");
}

/* Test that memory below 4 GiB is exhausted long before all memory is. */
static void check_used_up(void)
{
	static uint64_t id[64];
	int n, err = 0, odd = 0;

	for (n = 0; n < 64 && !err; n++) {
		struct ccshm_ioc_alloc req = { .size = 64 * MIB, .flags = CCSHM_ALLOC_DMA32 };

		err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);
		id[n] = req.id;
		odd += !err && above(req.id) != 0;
	}
	is_errno(err, ENOMEM,
		 "ALLOC with DMA32 when memory below 4 GiB is used up, after %d MiB: ENOMEM",
		 64 * (n - 1));
	is_int(odd, 0, "ALLOC with DMA32 until ENOMEM: no buffer is above 4 GiB");
	id[n - 1] = alloc_flags(256 * MIB, 0);
	ok(id[n - 1] && above(id[n - 1]) == 256 * MIB,
	   "ALLOC without DMA32 when memory below 4 GiB is used up works");
	while (n)
		must(raw_free(dev, id[--n]));
	ok(wait_clean(dev), "all buffers below and above 4 GiB are given back");
}

int main(void)
{
	uint64_t id;

	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	id = alloc_flags(64 * MIB, 0);
	is_int(above(id), 64 * MIB,
	       "ALLOC without DMA32: the memory is above 4 GiB on this machine");
	must(raw_free(dev, id));
	ok(wait_clean(dev), "ALLOC without DMA32: given back after FREE");
	check_below(PAGE, 0, "4 KiB");
	check_below(UNIT + PAGE, 0, "2 MiB plus a page");
	check_below(128 * MIB, 0, "128 MiB");
	check_below(2 * UNIT, CCSHM_ALLOC_CONTIGUOUS, "4 MiB with CONTIGUOUS");
	check_below(UNIT, CCSHM_ALLOC_NODE, "2 MiB of node 0");
	check_carved();
	check_used_up();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
