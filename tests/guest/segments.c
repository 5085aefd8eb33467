// SPDX-License-Identifier: GPL-2.0-only
/*
 * The segments that an importer's device gets: they respect the maximum length and the boundary,
 * are aligned, and are computed in time proportional to their number.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-memory: 2048
 * vm-timeout: 400
 */
#include <sys/param.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

/* Properties of all segments of a mapping. */
struct seen {
	unsigned int segments;
	uint64_t bytes;
	uint64_t longest;
	uint64_t address_bits;		/* all addresses and lengths, ORed */
	bool crosses;			/* a segment crosses the boundary */
	bool misaligned;		/* a segment is not aligned to its length */
};

static struct seen look_at(int imp, uint64_t boundary)
{
	struct importer_table *t = calloc(1, sizeof(*t));
	struct seen seen = { 0 };

	if (!t)
		bail("out of memory");
	do {
		if (ioctl(imp, IMPORTER_IOC_TABLE, t))
			bail("TABLE: %s", strerror(errno));
		for (unsigned int i = 0; i < t->count; i++) {
			uint64_t start = t->segment[i].dma_address;
			uint64_t length = t->segment[i].length;

			seen.bytes += length;
			if (length > seen.longest)
				seen.longest = length;
			seen.address_bits |= start | length;
			seen.crosses |= (start & ~boundary) != ((start + length - 1) & ~boundary);
			seen.misaligned |= start % length;
		}
		t->first += t->count;
	} while (t->first < t->total);
	seen.segments = t->total;
	free(t);
	return seen;
}

static struct seen mapped_with(const struct shared *s, uint32_t most, uint32_t boundary)
{
	struct seen seen;
	int imp;

	if (imp_limits(64, most, boundary))
		bail("the importer's device does not take segments of %u bytes", most);
	imp = imp_new(s->fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "map with segments of at most %u bytes and boundary 0x%x: success", most,
		 boundary);
	seen = look_at(imp, boundary ? boundary : UINT32_MAX);
	close(imp);
	is_int(seen.bytes, s->size, "the segments cover the buffer");
	ok(seen.longest <= most, "no segment exceeds the maximum length");
	return seen;
}

static void boundaries(void)
{
	static const uint32_t boundary[] = { 0xfff, 0xffff, 0xfffff, 0x3fffff };
	struct shared s = shared_new(8 * MIB);
	struct seen seen;

	for (size_t i = 0; i < sizeof(boundary) / sizeof(boundary[0]); i++) {
		seen = mapped_with(&s, UINT32_MAX, boundary[i]);
		ok(!seen.crosses, "no segment crosses the boundary 0x%x", boundary[i]);
	}
	if (imp_limits(64, UINT32_MAX, 0x7ff))
		bail("the importer's device does not take a boundary of half a page");
	{
		int imp = imp_new(s.fd, IMPORTER_DYNAMIC);

		is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EINVAL,
			 "map with a boundary within a page: EINVAL");
		close(imp);
	}
	shared_end(&s);
}

static void odd_lengths(void)
{
	struct shared s = shared_new(8 * MIB);
	struct seen seen;

	seen = mapped_with(&s, 3 * MIB, 0);
	is_int(seen.address_bits % (2 * MIB), 0, "maximum 3 MiB: all segments are aligned to 2 MiB");
	seen = mapped_with(&s, 2 * MIB - 1, 0);
	ok(!seen.misaligned, "maximum 2 MiB - 1: all segments are aligned to their length");
	is_int(seen.longest, MIB, "maximum 2 MiB - 1: the longest segment has 1 MiB");
	seen = mapped_with(&s, 3 * PAGE, 0);
	ok(!seen.misaligned, "maximum 3 pages: all segments are aligned to their length");
	shared_end(&s);
}

/*
 * Return the shortest of three times, in nanoseconds, that mapping in segments of one page takes.
 */
static int64_t time_to_map(uint64_t size)
{
	struct shared s = shared_new(size);
	int64_t best = INT64_MAX;

	for (int i = 0; i < 3; i++) {
		int imp = imp_new(s.fd, IMPORTER_DYNAMIC), err;
		int64_t begin = now_ns(), took;

		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
		took = now_ns() - begin;
		if (err)
			bail("map: %s", strerror(-err));
		if (took < best)
			best = took;
		close(imp);
	}
	diag("%llu MiB mapped in %lld us", (unsigned long long)(size / MIB),
	     (long long)best / 1000);
	shared_end(&s);
	ok(wait_clean(ccshm), "the memory of a timed mapping is given back");
	return best;
}

/*
 * Test that three times as much memory takes 3 times as long: a walk over the remaining pages for
 * each segment would take 9 times as long. On a busy machine, no time of a round may be undisturbed:
 * compare the shortest times of up to 5 rounds.
 */
static void short_segments(void)
{
	const char *what = "mapping 768 MiB page by page takes about 3 times as long as 256 MiB";
	int64_t small = INT64_MAX, large = INT64_MAX;

	if (debug_kernel()) {
		skip(what, "DMA_API_DEBUG searches a list for each segment");
		return;
	}
	if (imp_mask(64, PAGE))
		bail("the importer's device does not take segments of one page");
	for (int i = 0; i < 5 && (!i || large >= 6 * small); i++) {
		large = MIN(large, time_to_map(768 * MIB));
		small = MIN(small, time_to_map(256 * MIB));
	}
	ok(large < 6 * small, "%s (%.1f)", what, (double)large / small);
}

int main(void)
{
	driver_load();
	touch_init();
	importer_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	short_segments();
	boundaries();
	odd_lengths();
	is_errno(imp_mask(32, 65536), 0, "the device's mask and segment limits are reset");
	importer_unload();
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	return done_testing();
}
