// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Realm on an ordinary processor, whose direct map consists of 4 KiB pages: no unit is in one
 * leaf, the driver reports this, and it causes no further cost and no failure.
 *
 * vm-modules: ccshm
 * vm-flavours: cca
 * vm-rig: midr=0x413fd0c1
 */
#include "tap.h"
#include "raw.h"
#include "directmap.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

static void costs(void)
{
	uint64_t hc = rig(CVM_HC_SHARED), pages = rig(CVM_PAGES_TO_SHARED), id;
	long long splits = direct_map_splits();
	struct ccshm_ioc_query q;
	struct ccshm_ioc_run run;

	ok(splits > 256, "setup: the direct map consists of pages");
	is_errno(raw_alloc(ccshm, 64 * MIB + PAGE, &id), 0, "ALLOC of 64 MiB and a page: success");
	q = query(id);
	is_int(q.units, 32, "QUERY: 64 MiB and a page have 32 units");
	is_int(q.units_whole, 0, "QUERY: no unit is whole with a direct map of pages");
	is_int(q.blocks_small, 0, "QUERY: no block is small");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, 64 * MIB / PAGE + UNIT / PAGE,
	       "64 MiB, and a unit for the carved page, are converted");
	is_int(rig(CVM_HC_SHARED) - hc, q.conversions, "each conversion takes one host call");
	is_int(raw_pages(ccshm, id, 0, PAGE, &run, 1, NULL), 1, "PAGES of a page returns one run");
	is_int(run.flags & CCSHM_PAGES_LEAF_WHOLE, 0,
	       "PAGES: the leaf is not whole with a direct map of pages");
	is_int(run.state, CCSHM_PAGE_SHARED, "PAGES: the page is shared");
	is_int(direct_map_leaf(run.physical), PAGE | CVM_LEAF_SHARED,
	       "the kernel maps the page as shared, with a leaf of 4 KiB");
	is_errno(raw_free(ccshm, id), 0, "FREE of 64 MiB and a page: success");
	ok(wait_clean(ccshm), "the memory of 64 MiB and a page is given back");
	is_int(direct_map_leaf(run.physical), PAGE,
	       "the kernel maps the page as private after FREE, with a leaf of 4 KiB");
	is_int(direct_map_splits(), splits, "no leaf of the direct map is split");
}

static void bytes(void)
{
	struct shared s = shared_new(3 * MIB);
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH with a direct map of pages: success");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, 3 * MIB - PAGE),
	   "the device copies the first page to the last");
	ok(stamp_pages_check(s.p + PAGE, 1, PAGE, 3 * MIB - 2 * PAGE),
	   "the pages between the copied ones have their bytes");
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "DETACH with a direct map of pages: success");
	shared_end(&s);
}

/*
 * Test a refused ALLOC: the kernel unmaps the block page by page, and maps it again in the same
 * way.
 */
static void refused(void)
{
	struct ccshm_ioc_info info;
	uint64_t id;

	must(cvm_fail(CVM_FAIL_SHARED, 1, 1));
	is_errno(raw_alloc(ccshm, 256 * MIB, &id), EIO,
		 "ALLOC that the host refuses half way: EIO");
	must(cvm_fail(CVM_FAIL_SHARED, 0, 0));
	must(raw_info(ccshm, &info));
	is_int(info.bytes_leaked + info.bytes_quarantined, 0,
	       "after a refused ALLOC no memory is leaked or in quarantine");
	ok(wait_clean(ccshm), "after a refused ALLOC all memory is given back");
	is_errno(raw_alloc(ccshm, 256 * MIB, &id), 0, "ALLOC after a refused one: success");
	is_errno(raw_free(ccshm, id), 0, "FREE after a refused ALLOC: success");
}

int main(void)
{
	expect_kmsg("Failed to decrypt memory, [0-9]+ pages will be leaked");
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	costs();
	bytes();
	refused();
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
