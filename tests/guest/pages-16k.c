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
		bail("INFO failed");
	return info;
}

static uint64_t physical_of(uint64_t id)
{
	struct ccshm_ioc_run run;

	if (raw_pages(ccshm, id, 0, LARGE, &run, 1, NULL) != 1)
		bail("PAGES of buffer %llu did not return one run", (unsigned long long)id);
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
			diag("page %llx has the state %d",
			     (unsigned long long)at, cvm_page_state(at));
			return false;
		}
	return !cvm_page_state(start - PAGE) && !cvm_page_state(start + UNIT);
}

/* ---- one buffer of one page ---- */

static void one_unit(void)
{
	uint64_t calls = rig(CVM_HC_SHARED), pages = rig(CVM_PAGES_TO_SHARED), unit, a, b;
	struct ccshm_ioc_query q;

	is_errno(raw_alloc(ccshm, 1, &a), 0, "ALLOC of one byte: success");
	q = query(a);
	is_int(q.size, LARGE, "QUERY: a buffer of one byte has 16 KiB");
	is_int(q.charged, LARGE, "QUERY: a buffer of one byte is charged as 16 KiB");
	is_int(q.carved, LARGE, "QUERY: a buffer of one byte is carved");
	is_int(info_now().bytes_shared, UNIT, "INFO: 2 MiB are shared for a buffer of one page");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, UNIT / PAGE,
	       "the host counts 2 MiB as shared for a buffer of one page");
	is_int(rig(CVM_HC_SHARED) - calls, 1,
	       "one host call shares the unit of a buffer of one page");
	unit = physical_of(a) & ~(UNIT - 1);
	ok(unit_is(unit, true),
	   "all pages of the buffer's unit are shared, and no page next to the unit");
	is_int(direct_map_leaf(physical_of(a)), LARGE | CVM_LEAF_SHARED,
	       "the kernel maps the buffer's page as shared");
	is_int(direct_map_leaf(unit + UNIT) & CVM_LEAF_SHARED, 0,
	       "the kernel maps the page after the unit as private");
	is_errno(raw_alloc(ccshm, UNIT - LARGE, &b), 0, "ALLOC of all but one page of a unit: success");
	is_int(physical_of(b) & ~(UNIT - 1), unit,
	       "a second carved buffer has the rest of the first one's unit");
	is_int(rig(CVM_PAGES_TO_SHARED) - pages, UNIT / PAGE,
	       "a second carved buffer converts no more memory");
	must(raw_free(ccshm, a));
	must(raw_free(ccshm, b));
	ok(wait_clean(ccshm), "both carved buffers are freed and given back");
	ok(wait_rig_shared(rig_before), "no page is shared after both carved buffers are freed");
	ok(unit_is(unit, false), "the unit is private after both carved buffers are freed");
	is_int(direct_map_leaf(unit) & CVM_LEAF_SHARED, 0,
	       "the kernel maps the unit as private after both carved buffers are freed");
}

/* ---- the bytes that the CPU and a device read ---- */

static void refused_bounds(const struct shared *s)
{
	is_errno(raw_export_slice(ccshm, s->id, 0, PAGE, LARGE, NULL), EINVAL,
		 "EXPORT of a slice that begins within a page: EINVAL");
	is_errno(raw_export_slice(ccshm, s->id, 0, LARGE, PAGE, NULL), EINVAL,
		 "EXPORT of a slice that ends within a page: EINVAL");
}

static void slice(const struct shared *s)
{
	int fd = raw_export_slice(ccshm, s->id, 0, 3 * LARGE, LARGE, NULL);
	char *p = fd < 0 ? NULL : raw_map(fd, LARGE, RW);

	ok(p && stamp_pages_check(p, 1, 3 * LARGE, LARGE),
	   "a mapping of a slice of one page shows its bytes");
	is_int(touch_read(p + LARGE - 1), 0, "the last byte of a slice of one page can be read");
	is_errno(try_map(fd, 2 * LARGE, RW, MAP_SHARED), EINVAL,
		 "mmap of more than a slice of one page: EINVAL");
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
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "bytes: ATTACH of a device: success");
	ok(segments_cover(&a, s.size), "bytes: the segments cover the buffer");
	for (unsigned int i = 0; i < a.nr; i++)
		is_int((a.segment[i].length | a.segment[i].dma_address) % LARGE, 0,
		       "bytes: a segment consists of whole pages");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "bytes: the device copies within a page");
	ok(moves_right(&edu, &s, &a, LARGE - TRANSFER, s.size - TRANSFER),
	   "bytes: the device copies to the last page");
	ok(moves_right(&edu, &s, &a, UNIT - TRANSFER / 2, 2 * UNIT - MIB),
	   "bytes: the device copies across units");
	slice(&s);
	refused_bounds(&s);
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "bytes: DETACH: success");
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(10000), NULL), 0,
		 "bytes: REVOKE of the export: success");
	ok(touch_some(s.p, s.size, LARGE, SIGBUS), "bytes: every page gets SIGBUS after REVOKE");
	shared_end(&s);
	ok(wait_clean(ccshm), "bytes: the memory is given back");
}

/* Test a mapping that could have leaves of 32 MiB, which are larger than a unit. */
static void large_mapping(void)
{
	size_t size = 3 * LEAF;
	uint64_t id, export_id;
	char *space, *p;
	int fd;

	if (raw_alloc(ccshm, size, &id))
		bail("ALLOC failed");
	fd = raw_export(ccshm, id, 0, &export_id);
	space = aligned_space(size + LEAF);
	p = (char *)(((uintptr_t)space + LEAF - 1) & ~(LEAF - 1));
	p = mmap(p, size, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	ok(touch_some(p, size, LARGE, 0),
	   "every page of a mapping of 96 MiB, aligned to 32 MiB, can be accessed");
	stamp_pages(p, 2, 0, size);
	ok(stamp_pages_check(p, 2, 0, size),
	   "a mapping of 96 MiB, aligned to 32 MiB, shows its bytes");
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(10000), NULL), 0,
		 "REVOKE of an export with a mapping of 96 MiB: success");
	ok(touch_some(p, size, LARGE, SIGBUS),
	   "every page of a mapping of 96 MiB gets SIGBUS after REVOKE");
	munmap(space, size + LEAF);
	close(fd);
	must(raw_free(ccshm, id));
	ok(wait_clean(ccshm), "the memory of a mapping of 96 MiB is given back");
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
			bail("PAGES of buffer %llu did not return one run", (unsigned long long)id);
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

	is_errno(raw_alloc(ccshm, 100 * MIB, &id), 0, "ALLOC of 100 MiB: success");
	q = query(id);
	is_int(q.units, 50, "QUERY: 100 MiB have 50 units");
	is_int(q.units_whole, whole_now(id, q.size),
	       "QUERY: units_whole counts the units that are within one leaf of the direct map");
	must(raw_free(ccshm, id));
	ok(wait_clean(ccshm), "100 MiB are given back");
	splits = direct_map_splits();
	/* The first buffers may be in leaves that were split earlier. */
	q.units_whole = 0;
	while (nr < 12 && !q.units_whole && !raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &req)) {
		held[nr++] = req.id;
		q = query(req.id);
	}
	is_int(q.units_whole, LEAF / UNIT, "QUERY: all units of 32 MiB in one piece are whole");
	is_int(whole_now(req.id, q.size), LEAF / UNIT,
	       "all units of 32 MiB in one piece are within one leaf of the direct map");
	is_int(direct_map_leaf(physical_of(req.id)), LEAF | CVM_LEAF_SHARED,
	       "the leaf of 32 MiB in one piece has 32 MiB and is shared");
	is_int(direct_map_splits(), splits, "ALLOC of 32 MiB in one piece splits no leaf");
	while (nr)
		must(raw_free(ccshm, held[--nr]));
	ok(wait_clean(ccshm), "buffers of 32 MiB are given back");
}

/* ---- a host that stops in the middle of a page ---- */

static void refused_within_a_page(void)
{
	uint64_t before = rig(CVM_HC_SHARED), id;

	must(cvm_chunk(1));
	is_errno(raw_alloc(ccshm, LARGE, &id), 0,
		 "ALLOC with a host that converts 4 KiB a call: success");
	is_int(rig(CVM_HC_SHARED) - before, UNIT / PAGE,
	       "a host that converts 4 KiB a call is called for each 4 KiB of the unit");
	must(raw_free(ccshm, id));
	ok(wait_clean(ccshm), "with a host that converts 4 KiB a call, the memory is given back");
	must(cvm_fail(CVM_FAIL_SHARED, 5, 1));
	is_errno(raw_alloc(ccshm, LARGE, &id), EIO,
		 "ALLOC with a host that refuses within a page: EIO");
	must(cvm_fail(CVM_FAIL_SHARED, 0, 0));
	must(cvm_chunk(0));
	ok(wait_clean(ccshm) && wait_rig_shared(rig_before),
	   "the pages shared before a host's refusal are private again");
}

int main(void)
{
	expect_kmsg("Failed to decrypt memory, [0-9]+ pages will be leaked");
	is_int(sysconf(_SC_PAGESIZE), LARGE, "the kernel's pages have 16 KiB");
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	direct_map_settle();
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
	ok(wait_clean(ccshm) && wait_rig_shared(rig_before),
	   "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
