// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Realm whose kernel has pages of 16 KiB, and leaves of 32 MiB in the direct map. The conversion
 * unit is 2 MiB, as on every kernel, and numbers of pages count pages of the kernel. The emulator
 * and the host count pages of 4 KiB, which is PAGE here. Debian has no kernel with pages of 64 KiB.
 *
 * vm-modules: ccshm
 * vm-flavours: cca
 * vm-pages: 16k
 */
#include "tap.h"
#include "raw.h"
#include "directmap.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define LARGE	(16 * KIB)
#define LEAF	(32 * MIB)

static uint64_t rig_before;

static struct ccshm_ioc_info info_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(ccshm, &info))
		bail("INFO");
	return info;
}

static uint64_t physical_of(uint64_t id)
{
	struct ccshm_ioc_run run;

	if (raw_pages(ccshm, id, 0, LARGE, &run, 1, NULL) != 1)
		bail("PAGES of %llu", (unsigned long long)id);
	return run.physical;
}

/*
 * Return whether all host pages of a unit are shared, or private, and the two neighbouring pages
 * are private.
 */
static bool unit_is(uint64_t start, bool shared)
{
	for (uint64_t at = start; at < start + UNIT; at += PAGE)
		if (cvm_page_state(at) != shared) {
			diag("page %llx is %d", (unsigned long long)at, cvm_page_state(at));
			return false;
		}
	return !cvm_page_state(start - PAGE) && !cvm_page_state(start + UNIT);
}

/* ---- one buffer of one page ---- */

static void one_unit(void)
{
	uint64_t calls = rig(CVM_HC_SHARED), pages = rig(CVM_PAGES_TO_SHARED), unit, a, b;
	struct ccshm_ioc_query q;

	is_errno(raw_alloc(ccshm, 1, &a), 0, "a byte");
	q = query(a);
	is_int(q.size, LARGE, "... is a buffer of 16 KiB");
	is_int(q.charged, LARGE, "... charged as such");
	is_int(q.carved, LARGE, "... and carved");
	is_int(info_now().bytes_shared, UNIT, "2 MiB are shared for it");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, UNIT / PAGE, "... as the host sees it");
	is_int(rig(CVM_HC_SHARED) - calls, 1, "... by one call");
	unit = physical_of(a) & ~(UNIT - 1);
	ok(unit_is(unit, true), "... all of one unit, and nothing beside it");
	is_int(direct_map_leaf(physical_of(a)), LARGE | CVM_LEAF_SHARED, "... as the kernel maps it");
	is_int(direct_map_leaf(unit + UNIT) & CVM_LEAF_SHARED, 0, "... and not what follows");
	is_errno(raw_alloc(ccshm, UNIT - LARGE, &b), 0, "a buffer of all but one page of a unit");
	is_int(physical_of(b) & ~(UNIT - 1), unit, "... has the rest of it");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, UNIT / PAGE, "... and nothing more is converted");
	raw_free(ccshm, a);
	raw_free(ccshm, b);
	ok(wait_clean(ccshm), "they are freed and given back");
	ok(wait_rig_shared(rig_before), "no page is shared any more");
	ok(unit_is(unit, false), "the unit is private again");
	is_int(direct_map_leaf(unit) & CVM_LEAF_SHARED, 0, "... as the kernel maps it");
}

/* ---- the bytes that the CPU and a device read ---- */

static void refused_bounds(const struct shared *s)
{
	is_errno(raw_export_slice(ccshm, s->id, 0, PAGE, LARGE, NULL), EINVAL,
		 "a slice cannot begin within a page");
	is_errno(raw_export_slice(ccshm, s->id, 0, LARGE, PAGE, NULL), EINVAL,
		 "... nor end within one");
}

static void slice(const struct shared *s)
{
	int fd = raw_export_slice(ccshm, s->id, 0, 3 * LARGE, LARGE, NULL);
	char *p = fd < 0 ? NULL : raw_map(fd, LARGE, RW);

	ok(p && stamp_pages_check(p, 1, 3 * LARGE, LARGE), "a slice of one page has its bytes");
	is_int(touch_read(p + LARGE - 1), 0, "... to its end");
	is_errno(try_map(fd, 2 * LARGE, RW, MAP_SHARED), EINVAL, "... and no more");
	munmap(p, LARGE);
	close(fd);
}

/* Test DMA: a device accesses memory only as the host maps it. */
static void bytes(void)
{
	struct shared s = shared_new(3 * MIB + 5 * LARGE);
	struct attached a;
	struct edu edu;

	ok(stamp_pages_check(s.p, 1, 0, s.size), "the CPU reads what it wrote, in each page");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "a device is attached");
	ok(segments_cover(&a, s.size), "its segments cover the buffer");
	for (unsigned int i = 0; i < a.nr; i++)
		is_int((a.segment[i].length | a.segment[i].dma_address) % LARGE, 0,
		       "... in whole pages");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "it moves bytes within a page");
	ok(moves_right(&edu, &s, &a, LARGE - TRANSFER, s.size - TRANSFER), "... to the last page");
	ok(moves_right(&edu, &s, &a, UNIT - TRANSFER / 2, 2 * UNIT - MIB), "... across units");
	slice(&s);
	refused_bounds(&s);
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "DETACH");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(10000), NULL), 0, "it is revoked");
	ok(touch_some(s.p, s.size, LARGE, SIGBUS), "each page is gone");
	shared_end(&s);
	ok(wait_clean(ccshm), "... and given back");
}

/* Test a mapping that could have leaves of 32 MiB, which are larger than a unit. */
static void large_mapping(void)
{
	size_t size = 3 * LEAF;
	uint64_t id, export_id;
	char *space, *p;
	int fd;

	if (raw_alloc(ccshm, size, &id))
		bail("no memory");
	fd = raw_export(ccshm, id, 0, &export_id);
	space = aligned_space(size + LEAF);
	p = (char *)(((uintptr_t)space + LEAF - 1) & ~(LEAF - 1));
	p = mmap(p, size, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	ok(touch_some(p, size, LARGE, 0), "a mapping of 96 MiB, aligned to leaves of 32 MiB");
	stamp_pages(p, 2, 0, size);
	ok(stamp_pages_check(p, 2, 0, size), "... has its bytes");
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(10000), NULL), 0, "it is revoked");
	ok(touch_some(p, size, LARGE, SIGBUS), "each page is gone");
	munmap(space, size + LEAF);
	close(fd);
	raw_free(ccshm, id);
	ok(wait_clean(ccshm), "it is given back");
}

/* ---- leaves of the direct map ---- */

/*
 * Return how many units of the buffer are in one leaf of the direct map, as the emulator sees it.
 */
static uint64_t whole_now(uint64_t id, uint64_t size)
{
	struct ccshm_ioc_run run;
	uint64_t next, whole = 0;

	for (uint64_t at = 0; at < size; at = next) {
		if (raw_pages(ccshm, id, at, UNIT, &run, 1, &next) != 1)
			bail("PAGES of %llu", (unsigned long long)id);
		whole += direct_map_leaf(run.physical) >= (long long)UNIT;
	}
	return whole;
}

/*
 * Test units_whole: leaves have 32 MiB, so a smaller buffer splits a leaf, and its units are not
 * whole.
 */
static void leaves(void)
{
	struct ccshm_ioc_alloc req = { .size = LEAF, .flags = CCSHM_ALLOC_CONTIGUOUS };
	struct ccshm_ioc_query q;
	uint64_t id, held[12];
	long long splits;
	int nr = 0;

	is_errno(raw_alloc(ccshm, 100 * MIB, &id), 0, "100 MiB");
	q = query(id);
	is_int(q.units, 50, "... are 50 units");
	is_int(q.units_whole, whole_now(id, q.size), "... of which those are whole that are one leaf");
	raw_free(ccshm, id);
	ok(wait_clean(ccshm), "... and given back");
	splits = direct_map_splits();
	/* The first buffers may be in leaves that were split earlier. */
	q.units_whole = 0;
	while (nr < 12 && !q.units_whole && !raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req)) {
		held[nr++] = req.id;
		q = query(req.id);
	}
	is_int(q.units_whole, LEAF / UNIT, "32 MiB in one piece are whole");
	is_int(whole_now(req.id, q.size), LEAF / UNIT, "... and stay one leaf");
	is_int(direct_map_leaf(physical_of(req.id)), LEAF | CVM_LEAF_SHARED, "... of 32 MiB");
	is_int(direct_map_splits(), splits, "... so that nothing is split");
	while (nr)
		raw_free(ccshm, held[--nr]);
	ok(wait_clean(ccshm), "they are given back");
}

/* ---- a host that stops in the middle of a page ---- */

static void refused_within_a_page(void)
{
	uint64_t before = rig(CVM_HC_SHARED), id;

	cvm_chunk(1);
	is_errno(raw_alloc(ccshm, LARGE, &id), 0, "a host that converts 4 KiB a call");
	is_int(rig(CVM_HC_SHARED) - before, UNIT / PAGE, "... is called until all is done");
	raw_free(ccshm, id);
	ok(wait_clean(ccshm), "... and gets it back");
	cvm_fail(CVM_FAIL_SHARED, 5, 1);
	is_errno(raw_alloc(ccshm, LARGE, &id), EIO, "one that refuses within a page");
	cvm_fail(CVM_FAIL_SHARED, 0, 0);
	cvm_chunk(0);
	ok(wait_clean(ccshm) && wait_rig_shared(rig_before), "... gets back what it had taken");
}

int main(void)
{
	expect_kmsg("Failed to decrypt memory, [0-9]+ pages will be leaked");
	is_int(sysconf(_SC_PAGESIZE), LARGE, "the kernel's pages have 16 KiB");
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	is_int(info_now().block_size, UNIT, "INFO: a unit has 2 MiB");
	one_unit();
	bytes();
	large_mapping();
	leaves();
	refused_within_a_page();
	ok(wait_clean(ccshm) && wait_rig_shared(rig_before), "nothing is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
