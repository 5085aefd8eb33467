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

	ok(splits > 256, "the direct map is of pages");
	is_errno(raw_alloc(ccshm, 64 * MIB + PAGE, &id), 0, "64 MiB and a page");
	q = query(id);
	is_int(q.units, 32, "are 32 units");
	is_int(q.units_whole, 0, "... none of which is whole");
	is_int(q.blocks_small, 0, "no block is small");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, 64 * MIB / PAGE + UNIT / PAGE,
	       "they are converted, and the block that the page is carved from");
	is_int(rig(CVM_HC_SHARED) - hc, q.conversions, "... in one call of the host for each call");
	is_int(raw_pages(ccshm, id, 0, PAGE, &run, 1, NULL), 1, "PAGES");
	is_int(run.flags & CCSHM_PAGES_LEAF_WHOLE, 0, "PAGES: no leaf is whole");
	is_int(run.state, CCSHM_PAGE_SHARED, "PAGES: shared");
	is_int(direct_map_leaf(run.physical), PAGE | CVM_LEAF_SHARED, "... as the kernel maps it");
	is_errno(raw_free(ccshm, id), 0, "it is freed");
	ok(wait_clean(ccshm), "... and given back");
	is_int(direct_map_leaf(run.physical), PAGE, "the kernel maps it as private");
	is_int(direct_map_splits(), splits, "nothing was split");
}

static void bytes(void)
{
	struct shared s = shared_new(3 * MIB);
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, 3 * MIB - PAGE), "it moves bytes");
	ok(stamp_pages_check(s.p + PAGE, 1, PAGE, 3 * MIB - 2 * PAGE), "all others are right");
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "DETACH");
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

	cvm_fail(CVM_FAIL_SHARED, 1, 1);
	is_errno(raw_alloc(ccshm, 256 * MIB, &id), EIO, "an ALLOC that is refused half way");
	cvm_fail(CVM_FAIL_SHARED, 0, 0);
	raw_info(ccshm, &info);
	is_int(info.bytes_leaked + info.bytes_quarantined, 0, "all of it is repaired");
	ok(wait_clean(ccshm), "... and given back");
	is_errno(raw_alloc(ccshm, 256 * MIB, &id), 0, "the next works");
	is_errno(raw_free(ccshm, id), 0, "... and is freed");
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
	ok(wait_clean(ccshm), "nothing is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
