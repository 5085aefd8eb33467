// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory without a free block of 2 MiB: the driver then makes a buffer of small blocks, counts
 * this, and returns all of the memory.
 *
 * vm-matrix: once
 * vm-modules: ccshm
 * vm-boot: alone
 * vm-timeout: 240
 */
#include "tap.h"
#include "fragmented.h"
#include "raw.h"

#define SIZE	(12 * MIB)

static int dev;

/*
 * Test that PAGES reports a split leaf of the direct map for each page of a small block, and that
 * the emulator agrees.
 */
static void check_pages(uint64_t id)
{
	uint64_t small = 0, wrong = 0, at = 0;
	struct ccshm_ioc_run run;

	while (at < SIZE && raw_pages(dev, id, at, 0, &run, 1, &at) == 1) {
		if (!(run.flags & CCSHM_PAGES_LEAF_WHOLE))
			small += run.length;
		wrong += run.state != (cvm_present() ? CCSHM_PAGE_SHARED : CCSHM_PAGE_UNKNOWN);
		for (uint64_t p = 0; cvm_present() && p < run.length; p += PAGE)
			wrong += cvm_page_state(run.physical + p) != 1;
	}
	is_int(at, SIZE, "PAGES reports the whole buffer");
	is_int(wrong, 0, "PAGES and the emulator report each page as shared");
	if (cvm_present())
		ok(small > 0, "PAGES reports leaves that are split below %llu KiB",
		   (unsigned long long)small / 1024);
	else
		skip("PAGES reports leaves that are split",
		     "nothing is converted on a plain machine");
}

static int alloc_flags(uint64_t size, uint64_t flags, uint64_t *id)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = flags };
	int err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);

	*id = req.id;
	return err;
}

/*
 * Test that CCSHM_ALLOC_WHOLE_UNITS fails rather than use small blocks, also for less than a unit.
 */
static void check_whole_units(void)
{
	uint64_t id, calls;
	struct ccshm_ioc_info info;

	must(raw_info(dev, &info));
	calls = info.calls_shared;
	is_errno(alloc_flags(SIZE, CCSHM_ALLOC_WHOLE_UNITS, &id), ENOMEM,
		 "ALLOC with WHOLE_UNITS when no whole unit is free: ENOMEM");
	is_errno(alloc_flags(PAGE, CCSHM_ALLOC_WHOLE_UNITS, &id), ENOMEM,
		 "ALLOC of a page with WHOLE_UNITS when no whole unit is free: ENOMEM");
	must(raw_info(dev, &info));
	is_int(info.calls_shared - calls, 0, "ALLOC with WHOLE_UNITS that fails converts nothing");
}

/* Test that CCSHM_ALLOC_CONTIGUOUS fails rather than return two pieces. */
static void check_contiguous(void)
{
	struct ccshm_ioc_query q;
	uint64_t id;

	is_errno(alloc_flags(2 * UNIT, CCSHM_ALLOC_CONTIGUOUS, &id), ENOMEM,
		 "ALLOC of 4 MiB with CONTIGUOUS in fragmented memory: ENOMEM");
	is_errno(alloc_flags(UNIT, CCSHM_ALLOC_CONTIGUOUS, &id), ENOMEM,
		 "ALLOC of 2 MiB with CONTIGUOUS in fragmented memory: ENOMEM");
	if (!is_errno(alloc_flags(PAGE, CCSHM_ALLOC_CONTIGUOUS, &id), 0,
		      "ALLOC of 4 KiB with CONTIGUOUS in fragmented memory works"))
		return;
	must(raw_query(dev, id, &q));
	ok(q.blocks_small == 1 && q.blocks == 1 && !q.carved && q.charged == PAGE,
	   "ALLOC of 4 KiB with CONTIGUOUS in fragmented memory: QUERY reports one small block");
	must(raw_free(dev, id));
}

static void check_contents(uint64_t id)
{
	int dmabuf = raw_export(dev, id, 0, NULL);
	unsigned char *map = raw_map(dmabuf, SIZE, PROT_READ | PROT_WRITE);

	if (!ok(map, "a buffer of small blocks can be mapped"))
		return;
	is_int(first_other(map, 0, SIZE), -1, "a buffer of small blocks reads zero");
	for (uint64_t i = 0; i < SIZE; i += PAGE)
		memset(map + i, i / PAGE % 251 + 1, PAGE);
	munmap(map, SIZE);
	map = raw_map(dmabuf, SIZE, PROT_READ);
	close(dmabuf);
	if (!ok(map, "a buffer of small blocks can be mapped again"))
		return;
	for (uint64_t i = 0; i < SIZE; i += PAGE) {
		if (first_other(map + i, i / PAGE % 251 + 1, PAGE) >= 0) {
			fail("a buffer of small blocks keeps the bytes that are written: page %lu",
			     i / PAGE);
			return;
		}
	}
	pass("a buffer of small blocks keeps the bytes that are written");
	munmap(map, SIZE);
}

static void check_buffer(void)
{
	uint64_t id, pages = rig(CVM_PAGES_TO_SHARED);
	struct ccshm_ioc_query q;

	if (!is_errno(raw_alloc(dev, SIZE, &id), 0, "ALLOC of a buffer of small blocks works"))
		return;
	must(raw_query(dev, id, &q));
	ok(q.blocks_small > 0, "QUERY reports small blocks: %llu of %llu",
	   (unsigned long long)q.blocks_small, (unsigned long long)q.blocks);
	ok(q.charged >= SIZE && q.charged < SIZE + UNIT,
	   "a buffer of small blocks is charged what it takes");
	if (cvm_present())
		is_int(rig(CVM_PAGES_TO_SHARED) - pages, q.charged / PAGE,
		       "a buffer of small blocks: as many pages became shared as are charged");
	check_pages(id);
	check_contents(id);
	is_errno(raw_free(dev, id), 0, "FREE of a buffer of small blocks works");
}

int main(void)
{
	uint64_t shared_before = rig(CVM_PAGES_SHARED), taken;
	int splits;

	driver_load();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	splits = direct_map_splits();
	if (!fragment_memory(32 * MIB, 64 * MIB))
		bail("memory cannot be fragmented: %s", strerror(errno));
	taken = take_large(dev, 2 * SIZE);
	diag("%llu MiB of large blocks allocated, %llu MiB free", (unsigned long long)(taken / MIB),
	     (unsigned long long)(free_memory() / MIB));
	check_buffer();
	check_whole_units();
	check_contiguous();
	diag("%lld leaves split", direct_map_splits() - splits);
	close(dev);
	dev = raw_open();
	ok(wait_clean(dev), "after FREE of all buffers: no object is left");
	ok(wait_rig_shared(shared_before), "after FREE of all buffers: no page is shared");
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
