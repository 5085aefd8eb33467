// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carving: small buffers, and the ends of large buffers, get pages of blocks that are already
 * shared. A thousand small buffers cost a handful of conversions. The blocks are returned. No user
 * can read what another user wrote to a page. Different users, owners and memory cgroups never have
 * pages of the same block.
 *
 * vm-modules: ccshm
 * vm-boot: memory
 * vm-timeout: 300
 * vm-variant: snp flavours=snp cpus=2 kernels=6.12,7.3 matrix=last
 * vm-variant: tdx flavours=tdx cpus=2 matrix=last
 */
#include "attached.h"

#include <pthread.h>
#include <sys/mount.h>

#define UNIT_PAGES	(UNIT / PAGE)
#define MANY		1000
#define RW		(PROT_READ | PROT_WRITE)

static int dev;
static uint64_t rig_before;

static struct ccshm_ioc_info info_now(void)
{
	struct ccshm_ioc_info info;

	if (raw_info(dev, &info))
		memset(&info, 0xff, sizeof(info));
	return info;
}

/* Wait up to 10 s until buffers have @bytes carved bytes: a work item returns pages. */
static bool wait_carved(uint64_t bytes)
{
	for (int i = 0; i < 1000; i++) {
		if (info_now().bytes_carved == bytes)
			return true;
		sleep_ms(10);
	}
	diag("%llu bytes are carved, expected %llu", (unsigned long long)info_now().bytes_carved,
	     (unsigned long long)bytes);
	return false;
}

static bool all_back(void)
{
	return wait_clean(dev) && !info_now().blocks_carved && wait_rig_shared(rig_before);
}

/* Return the physical address of the page at @offset, which root can read, or 0 if that fails. */
static uint64_t address_of(uint64_t id, uint64_t offset)
{
	struct ccshm_ioc_run run = { 0 };

	return raw_pages(dev, id, offset, PAGE, &run, 1, NULL) == 1 ? run.physical : 0;
}

/* Return the number of the block that contains a carved buffer. */
static uint64_t block_of(uint64_t id)
{
	struct ccshm_ioc_query q;

	if (raw_query(dev, id, &q) || !q.carved)
		return 0;
	return address_of(id, q.size - q.carved) / UNIT;
}

static unsigned char *map_buffer(int fd, uint64_t id, size_t size)
{
	int dmabuf = raw_export(fd, id, 0, NULL);
	void *p;

	if (dmabuf < 0)
		return NULL;
	p = raw_map(dmabuf, size, RW);
	close(dmabuf);
	return p;
}

/* Return whether all of @p is @value, and overwrite @p with @other. */
static bool exchange(unsigned char *p, unsigned char value, unsigned char other, size_t size)
{
	bool same = first_other(p, value, size) < 0;

	memset(p, other, size);
	return same;
}

static uint64_t random_state = 1;

/* Return a number less than @n, from a sequence that is the same in each run. */
static unsigned int random_below(uint64_t *state, unsigned int n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 33) % n;
}

static void shuffle(unsigned int *order, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = n - 1; i; i--) {
		unsigned int k = random_below(&random_state, i + 1), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
}

/* ---- a thousand small buffers ---- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Test that @n buffers have @n different pages, in @blocks blocks. */
static void check_apart(const uint64_t *id, unsigned int n, unsigned int blocks)
{
	static uint64_t at[MANY];
	unsigned int same = 0, found = 0;

	for (unsigned int i = 0; i < n; i++)
		at[i] = address_of(id[i], 0);
	qsort(at, n, sizeof(*at), compare_u64);
	for (unsigned int i = 0; i < n; i++) {
		same += i && at[i] == at[i - 1];
		found += !i || at[i] / UNIT != at[i - 1] / UNIT;
	}
	ok(at[0] && !same, "no two of %u carved buffers have the same page", n);
	is_int(found, blocks, "the carved buffers are in the expected number of blocks");
}

/* Return whether the hypercalls are those of converting whole blocks in one direction. */
static bool cheap(uint64_t hypercalls, const uint64_t *id)
{
	struct ccshm_ioc_run first, last;

	if (hypercalls == 2)
		return true;
	if (cvm_flavour() == CVM_SNP)
		return !snp_large_entries() && hypercalls == 2 * (UNIT / PAGE / SNP_ENTRIES_PER_CALL + 1);
	/* A leaf that was already split costs a hypercall for each page. */
	return raw_pages(dev, id[0], 0, 0, &first, 1, NULL) == 1 &&
	       raw_pages(dev, id[MANY - 1], 0, 0, &last, 1, NULL) == 1 &&
	       !(first.flags & last.flags & CCSHM_PAGES_LEAF_WHOLE);
}

static void test_many(void)
{
	static unsigned int order[MANY];
	static unsigned char *map[MANY];
	static uint64_t id[MANY];
	uint64_t hc_shared = rig(CVM_HC_SHARED), hc_private = rig(CVM_HC_PRIVATE);
	struct ccshm_ioc_info before = info_now(), after;
	long long splits = direct_map_splits();
	unsigned int bad = 0, wrong = 0, moved = 0;

	for (unsigned int i = 0; i < MANY; i++)
		bad += raw_alloc(dev, PAGE, &id[i]) != 0;
	is_int(bad, 0, "ALLOC of %u buffers of 4 KiB works", MANY);
	after = info_now();
	is_int(after.calls_shared - before.calls_shared, 2,
	       "1000 buffers of 4 KiB: two conversions share them");
	is_int(after.blocks_carved, 2, "1000 buffers of 4 KiB: carved from two blocks");
	is_int(after.bytes_carved, MANY * PAGE,
	       "1000 buffers of 4 KiB: bytes_carved is 1000 pages");
	is_int(after.bytes_shared, 2 * UNIT, "1000 buffers of 4 KiB: two units are shared");
	if (cvm_present())
		ok(cheap(rig(CVM_HC_SHARED) - hc_shared, id),
		   "1000 buffers of 4 KiB: %llu hypercalls",
		   (unsigned long long)(rig(CVM_HC_SHARED) - hc_shared));
	else
		skip("1000 buffers of 4 KiB: number of hypercalls",
		     "only an emulated confidential VM counts them");
	is_int(direct_map_splits(), splits,
	       "1000 buffers of 4 KiB: sharing splits no leaf of the direct map");
	check_apart(id, MANY, 2);

	for (unsigned int i = 0; i < MANY; i++) {
		map[i] = map_buffer(dev, id[i], PAGE);
		wrong += !map[i] || !exchange(map[i], 0, i % 251 + 1, PAGE);
	}
	is_int(wrong, 0,
	       "1000 buffers of 4 KiB: each reads zero, whatever was written to the others");

	/* Test that each page is intact and shared until its own buffer ends. */
	shuffle(order, MANY);
	for (unsigned int k = 0; k < MANY; k++) {
		unsigned int i = order[k];
		uint64_t at = address_of(id[i], 0);

		wrong += !map[i] || first_other(map[i], i % 251 + 1, PAGE) >= 0;
		moved += cvm_present() && cvm_page_state(at) != 1;
		munmap(map[i], PAGE);
		must(raw_free(dev, id[i]));
	}
	is_int(wrong, 0,
	       "1000 buffers of 4 KiB: each keeps its contents until it is freed, in random order");
	is_int(moved, 0, "1000 buffers of 4 KiB: each is shared until it is freed");
	ok(all_back(), "1000 buffers of 4 KiB are freed: their blocks are given back");
	is_int(info_now().calls_private - before.calls_private, 2,
	       "1000 buffers of 4 KiB are freed: two conversions make the memory private");
	if (cvm_present())
		is_int(rig(CVM_HC_PRIVATE) - hc_private, after.calls_shared ?
		       rig(CVM_HC_SHARED) - hc_shared : 0,
		"1000 buffers of 4 KiB are freed: as many hypercalls as for sharing");
	is_int(direct_map_splits(), splits,
	       "1000 buffers of 4 KiB are freed: no leaf of the direct map is split");
}

/* ---- contents ---- */

/*
 * Write to the page at @at, which belongs to no buffer, in the block of the buffer @keep. The host can do
 * this while the block is shared. Here a device does it.
 */
static void write_as_host(uint64_t keep, uint64_t at)
{
	struct attached a;
	struct edu edu;
	uint64_t from;

	must(attach_buffer(dev, keep, PCI_A, &a));
	from = dma_at(&a, 0);
	device_start(&edu, EDU_A);
	is_errno(device_copy(&edu, from, from + (at - address_of(keep, 0)), TRANSFER), 0,
		 "a device writes to the pages of the freed buffer");
	edu_close(&edu);
	must(attached_end(&a));
}

/* Test that the next buffer with the page does not contain data that was written before. */
static void test_contents(void)
{
	uint64_t keep, first, next, at;
	unsigned char *p;
	struct ccshm_ioc_info info;

	must(raw_alloc(dev, PAGE, &keep));
	p = map_buffer(dev, keep, PAGE);
	must_be_true(p);
	memset(p, 0x5a, PAGE);
	munmap(p, PAGE);
	must(raw_alloc(dev, 3 * PAGE, &first));
	at = address_of(first, 0);
	is_int(at / UNIT, address_of(keep, 0) / UNIT,
	       "two small buffers are carved from one block");
	p = map_buffer(dev, first, 3 * PAGE);
	if (!ok(p, "the first of two small buffers is mapped"))
		return;
	memset(p, 0xa5, 3 * PAGE);
	munmap(p, 3 * PAGE);
	must(raw_free(dev, first));
	ok(wait_carved(PAGE), "the first of two small buffers is freed");
	write_as_host(keep, at);
	is_errno(raw_alloc(dev, 3 * PAGE, &next), 0,
		 "ALLOC after the FREE of a small buffer works");
	is_int(address_of(next, 0), at,
	       "ALLOC after the FREE of a small buffer returns the freed pages");
	p = map_buffer(dev, next, 3 * PAGE);
	if (ok(p, "the buffer in the freed pages is mapped")) {
		is_int(first_other(p, 0, 3 * PAGE), -1, "the buffer in the freed pages reads zero");
		munmap(p, 3 * PAGE);
	}
	must(raw_free(dev, next));
	ok(wait_held(dev, UNIT, &info), "the block stays shared while one of its buffers exists");
	must(raw_free(dev, keep));
	ok(all_back(), "the block is given back after the FREE of its last buffer");
}

/*
 * Test that a page of an ended buffer belongs to no other buffer while a mapping or a dma-buf still
 * uses the page.
 */
static void test_still_used(void)
{
	unsigned int same = 0, n = 0;
	uint64_t id, at, other[UNIT_PAGES];
	unsigned char *p;

	must(raw_alloc(dev, PAGE, &id));
	at = address_of(id, 0);
	p = map_buffer(dev, id, PAGE);
	if (!ok(p, "a small buffer is mapped and freed"))
		return;
	memset(p, 0x3c, PAGE);
	must(raw_free(dev, id));
	for (; n < UNIT_PAGES - 1; n++) {
		if (raw_alloc(dev, PAGE, &other[n]))
			break;
		same += address_of(other[n], 0) == at;
	}
	ok(n == UNIT_PAGES - 1 && info_now().bytes_shared == UNIT,
	   "all other pages of the block go to new buffers");
	is_int(same, 0, "the page of the mapped and freed buffer goes to no new buffer");
	while (n)
		must(raw_free(dev, other[--n]));
	ok(wait_carved(PAGE), "the new buffers in the block are freed");
	is_int(first_other(p, 0x3c, PAGE), -1,
	       "the mapping of the freed buffer keeps its contents");
	is_int(info_now().bytes_shared, UNIT,
	       "the mapping of the freed buffer keeps the block shared");
	munmap(p, PAGE);
	ok(all_back(), "the end of the mapping gives the block back");
}

/* ---- sizes ---- */

static void check_query(uint64_t size, uint64_t carved, unsigned int conversions)
{
	unsigned long kib = size / 1024;
	struct ccshm_ioc_query q;
	uint64_t id;

	if (!is_errno(raw_alloc(dev, size, &id), 0, "ALLOC of %lu KiB works", kib))
		return;
	must(raw_query(dev, id, &q));
	is_int(q.carved, carved, "%lu KiB: the number of carved bytes", kib);
	is_int(q.charged, size, "%lu KiB: the charge equals the size", kib);
	is_int(q.units * UNIT, size - carved,
	       "%lu KiB: the part that is not carved is whole units", kib);
	is_int(q.conversions, conversions, "%lu KiB: the number of conversions", kib);
	must(raw_free(dev, id));
	ok(wait_carved(PAGE), "%lu KiB: the carved bytes are given back after FREE", kib);
}

static void test_sizes(void)
{
	uint64_t keep, last, id;

	must(raw_alloc(dev, PAGE, &keep));
	check_query(PAGE, PAGE, 0);
	check_query(UNIT - PAGE, UNIT - PAGE, 0);
	check_query(UNIT, 0, 1);
	check_query(UNIT + PAGE, PAGE, 1);
	check_query(2 * UNIT - PAGE, UNIT - PAGE, 1);
	is_int(info_now().blocks_carved, 1, "the carved ends of several buffers fit in one block");

	/* A buffer that fits into no block as one piece gets a new block. */
	must(raw_alloc(dev, UNIT - 2 * PAGE, &last));
	is_int(info_now().blocks_carved, 1,
	       "two buffers of a unit minus a page in total are carved from one block");
	must(raw_alloc(dev, 2 * PAGE, &id));
	is_int(info_now().blocks_carved, 2,
	       "a buffer that does not fit in the block is carved from a new block");
	must(raw_free(dev, id));
	must(raw_free(dev, last));
	must(raw_free(dev, keep));
	ok(all_back(), "after FREE of all buffers: no block is left");
}

/* ---- users, owners and memory cgroups ---- */

#define EACH	20

/* Allocate EACH small buffers, one for each order, send their ids, and wait for the end. */
static int small_buffers(struct peer *parent, void *arg)
{
	int fd = raw_open();
	uint64_t id;

	(void)arg;
	for (int i = 0; i < EACH; i++) {
		int err = peer_hear(parent);

		if (!err)
			err = raw_alloc(fd, i & 1 ? PAGE : UNIT + PAGE, &id);
		peer_send(parent, err ? err : (int)id, -1);
	}
	must(peer_hear(parent));
	close(fd);
	return 0;
}

/*
 * Return how many pairs of a buffer of @a and a buffer of @b have parts of the same block, or -1 on
 * failure.
 */
static int blocks_in_common(const uint64_t *a, const uint64_t *b, unsigned int n)
{
	int common = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t x = a[i] ? block_of(a[i]) : 0;

		if (!x || !b[i] || !block_of(b[i]))
			return -1;
		for (unsigned int k = 0; k < n; k++)
			common += x == block_of(b[k]);
	}
	return common;
}

/* Allocate in two processes in turn, and test how many blocks they use and have in common. */
static void check_two(uid_t first, uid_t second, int (*fn)(struct peer *parent, void *arg),
		      void *first_arg, void *second_arg, unsigned int blocks, int in_common,
		      const char *what)
{
	struct peer p[2] = {
		peer_start(first, first_arg ? ALL_CAPS : 0, fn, first_arg),
		peer_start(second, second_arg ? ALL_CAPS : 0, fn, second_arg),
	};
	uint64_t id[2][EACH];
	int common;

	for (int i = 0; i < EACH; i++) {
		for (int k = 0; k < 2; k++) {
			int got = peer_ask(&p[k], 0);

			if (got <= 0)
				diag("%s: process %d: %s", what, k, tap_errno_name(got));
			id[k][i] = got > 0 ? got : 0;
		}
	}
	common = blocks_in_common(id[0], id[1], EACH);
	ok(common >= 0 && !!common == in_common, "%s (%d)", what, common);
	is_int(info_now().blocks_carved, blocks, "%s: the number of blocks", what);
	for (int k = 0; k < 2; k++) {
		peer_send(&p[k], 0, -1);
		peer_must_end(&p[k], 0);
	}
	ok(all_back(), "%s: all blocks are given back after FREE", what);
}

static void test_owners(void)
{
	const uid_t uid[] = { ROOT, ALICE, BOB };
	uint64_t id[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		struct ccshm_ioc_alloc req = {
			.size = PAGE, .uid = uid[i],
			.flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID,
		};

		is_errno(raw_ioctl(dev, CCSHM_IOC_ALLOC, &req), 0,
			 "ALLOC of a buffer for user %u works", uid[i]);
		id[i] = req.id;
	}
	ok(block_of(id[0]) && block_of(id[0]) != block_of(id[1]) &&
	   block_of(id[0]) != block_of(id[2]) && block_of(id[1]) != block_of(id[2]),
	   "buffers of one payer for three owners are in three blocks");
	for (int i = 0; i < 3; i++)
		must(raw_free(dev, id[i]));
	ok(all_back(), "buffers of one payer for three owners: given back after FREE");
}

/* Run small_buffers() as alice in the cgroup @arg. */
static int small_in_cgroup(struct peer *parent, void *arg)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "cgroup/%s/cgroup.procs", (const char *)arg);
	err = write_text(path, "0");
	if (err)
		return err;
	become(ALICE, 0);
	return small_buffers(parent, NULL);
}

static int one_in_cgroup(struct peer *parent, void *arg)
{
	long long before, after;
	uint64_t id;
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "cgroup/%s/cgroup.procs", (const char *)arg);
	err = write_text(path, "0");
	if (err)
		return err;
	snprintf(path, sizeof(path), "cgroup/%s/memory.current", (const char *)arg);
	(void)parent;
	fd = raw_open();
	before = read_number(path);
	if (raw_alloc(fd, PAGE, &id))
		return -ENOMEM;
	after = read_number(path);
	return before < 0 ? -EIO : (int)((after - before) / (long long)KIB);
}

/*
 * Allocate a page in a cgroup that has no room for a block. Sharing less than a block would split a
 * leaf of the direct map each time.
 */
static int poor_in_cgroup(struct peer *parent, void *arg)
{
	uint64_t id;
	int fd, err;

	(void)parent;
	(void)arg;
	err = write_text("cgroup/a/cgroup.procs", "0");
	if (err)
		return err;
	fd = raw_open();
	return raw_alloc(fd, PAGE, &id);
}

static void test_poor(void)
{
	long long splits = direct_map_splits();
	struct peer p;

	is_errno(write_text("cgroup/a/memory.max", "1900K"), 0,
	   "a memory cgroup gets a limit below the size of a block");
	p = peer_start(0, ALL_CAPS, poor_in_cgroup, NULL);
	is_errno(peer_hear(&p), ENOMEM,
		 "a memory cgroup whose limit is below a block: ALLOC of a page: ENOMEM");
	peer_must_end(&p, 0);
	is_int(direct_map_splits(), splits,
	       "a memory cgroup whose limit is below a block: no leaf of the direct map is split");
}

/* Allocate a persistent buffer that outlives the cgroup that it was charged to. Send its id. */
static int keep_in_cgroup(struct peer *parent, void *arg)
{
	uint64_t id;
	int err, fd;

	(void)parent;
	(void)arg;
	err = write_text("cgroup/c/cgroup.procs", "0");
	if (err)
		return err;
	fd = raw_open();
	err = raw_alloc_named(fd, PAGE, "kept", 0600, &id);
	close(fd);
	return err ? err : (int)id;
}

static long long dying_cgroups(void)
{
	char word[64];
	long long n, found = -1;
	FILE *f = fopen("cgroup/cgroup.stat", "r");

	while (f && fscanf(f, "%63s %lld", word, &n) == 2)
		if (!strcmp(word, "nr_dying_descendants"))
			found = n;
	if (f)
		fclose(f);
	return found;
}

static void test_dead_cgroup(void)
{
	long long dying = dying_cgroups();
	struct peer p;
	int id;

	ok(dying >= 0 && !mkdir("cgroup/c", 0755), "a third memory cgroup is created");
	p = peer_start(0, ALL_CAPS, keep_in_cgroup, NULL);
	id = peer_hear(&p);
	peer_must_end(&p, 0);
	ok(id > 0, "a process in the third cgroup carves a persistent buffer and ends");
	ok(!rmdir("cgroup/c"), "rmdir() of the third cgroup works");
	for (int i = 0; i < 1500 && dying_cgroups() > dying; i++)
		sleep_ms(10);
	is_int(dying_cgroups(), dying, "the removed cgroup is freed while its block exists");
	is_int(info_now().blocks_carved, 1, "the block of the removed cgroup still exists");
	must(raw_free(dev, id));
	ok(all_back(), "the block of the removed cgroup is given back after FREE");
}

static void test_cgroups(void)
{
	struct peer p;
	int kib;

	if (mkdir("cgroup", 0755) || mount("cgroup", "cgroup", "cgroup2", 0, NULL) ||
	    write_text("cgroup/cgroup.subtree_control", "+memory") ||
	    mkdir("cgroup/a", 0755) || mkdir("cgroup/b", 0755)) {
		fail("memory cgroups: %s", strerror(errno));
		return;
	}
	check_two(ALICE, ALICE, small_in_cgroup, "a", "b", 2, 0,
		  "two memory cgroups of one user have no block in common");
	check_two(ALICE, ALICE, small_in_cgroup, "b", "b", 1, 1,
		  "two processes of one user and memory cgroup have a block in common");
	p = peer_start(0, ALL_CAPS, one_in_cgroup, "a");
	kib = peer_hear(&p);
	peer_must_end(&p, 0);
	ok(kib >= (int)(UNIT / KIB) && kib < (int)(2 * UNIT / KIB),
	   "a memory cgroup is charged for the block, not for the page: %d KiB", kib);
	ok(all_back(), "the block of the memory cgroup is given back");
	test_poor();
	test_dead_cgroup();
	ok(!rmdir("cgroup/a") && !rmdir("cgroup/b"), "the cgroups can be removed");
	umount2("cgroup", MNT_DETACH);
}

static void test_users(void)
{
	check_two(ALICE, BOB, small_buffers, NULL, NULL, 2, 0,
		  "two users have no block in common");
	check_two(ALICE, ALICE, small_buffers, NULL, NULL, 1, 1,
		  "two processes of one user have a block in common");
	test_owners();
	test_cgroups();
}

/* ---- sums after random operations ---- */

#define SLOTS	48

struct slot {
	uint64_t id, size;
	struct ccshm_ioc_query q;
};

/* Test the sums of the bytes that buffers have, that are charged, and that are shared. */
static bool sums_right(const struct slot *slot)
{
	uint64_t carved = 0, own = 0;
	struct ccshm_ioc_info info;

	for (int i = 0; i < SLOTS; i++) {
		carved += slot[i].q.carved;
		own += slot[i].q.charged - slot[i].q.carved;
	}
	if (!wait_carved(carved))
		return false;
	for (int i = 0; i < 500; i++) {
		info = info_now();
		if (info.bytes_shared == own + info.blocks_carved * UNIT)
			break;
		sleep_ms(10);
	}
	if (info.bytes_shared == own + info.blocks_carved * UNIT &&
	    info.bytes_carved == carved && carved <= info.blocks_carved * UNIT &&
	    !info.bytes_carved == !info.blocks_carved)
		return true;
	diag("%llu bytes shared, %llu in whole units, %llu blocks carved, %llu of %llu bytes",
	     (unsigned long long)info.bytes_shared, (unsigned long long)own,
	     (unsigned long long)info.blocks_carved, (unsigned long long)info.bytes_carved,
	     (unsigned long long)carved);
	return false;
}

/* Return whether no page belongs to two buffers. */
static bool pages_apart(const struct slot *slot)
{
	static struct ccshm_ioc_run run[4096];
	unsigned int n = 0;

	for (int i = 0; i < SLOTS; i++) {
		int got = slot[i].id ? raw_pages(dev, slot[i].id, 0, 0, run + n, 4096 - n, NULL) : 0;

		if (got < 0)
			return false;
		n += got;
	}
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < i; k++)
			if (run[i].physical < run[k].physical + run[k].length &&
			    run[k].physical < run[i].physical + run[i].length)
				return false;
	return true;
}

static void test_random(void)
{
	static struct slot slot[SLOTS];
	unsigned int bad = 0, wrong = 0, shared_twice = 0;

	for (int i = 0; i < 400; i++) {
		struct slot *s = &slot[random_below(&random_state, SLOTS)];

		if (s->id) {
			must(raw_free(dev, s->id));
			*s = (struct slot){ 0 };
		} else {
			unsigned int most = random_below(&random_state, 4) ? 64 : 1200;

			s->size = (1 + random_below(&random_state, most)) * PAGE;
			bad += raw_alloc(dev, s->size, &s->id) != 0;
			must(raw_query(dev, s->id, &s->q));
			bad += s->q.charged != s->size || s->q.carved != s->size % UNIT;
		}
		wrong += !sums_right(slot);
		if (i % 20 == 0)
			shared_twice += !pages_apart(slot);
	}
	is_int(bad, 0, "400 random steps: each call works and charges the size");
	is_int(wrong, 0,
	       "400 random steps: the shared bytes equal the whole units plus the blocks");
	is_int(shared_twice, 0, "400 random steps: no page is in two buffers");
	for (int i = 0; i < SLOTS; i++)
		if (slot[i].id)
			must(raw_free(dev, slot[i].id));
	ok(all_back(), "400 random steps: all memory is given back");
}

/* ---- concurrent operations ---- */

#define WORKERS	4
#define ROUNDS	120
#define HELD	6

struct worker {
	int fd, bad, nr;
	uint64_t random;
};

/* Allocate and free small buffers. Each keeps its own stamp until it is freed. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct { uint64_t id; size_t size; unsigned char *p, stamp; } held[HELD] = { 0 };

	for (int i = 0; i < ROUNDS + HELD; i++) {
		unsigned int k = i < ROUNDS ? random_below(&w->random, HELD) :
					      (unsigned int)(i - ROUNDS);

		if (held[k].p) {
			w->bad += !exchange(held[k].p, held[k].stamp, 0xee, held[k].size);
			munmap(held[k].p, held[k].size);
			must(raw_free(w->fd, held[k].id));
			held[k].p = NULL;
		}
		if (i >= ROUNDS)
			continue;
		held[k].size = (1 + random_below(&w->random, 200)) * PAGE;
		held[k].stamp = 1 + random_below(&w->random, 200);
		if (raw_alloc(w->fd, held[k].size, &held[k].id)) {
			w->bad++;
			continue;
		}
		held[k].p = map_buffer(w->fd, held[k].id, held[k].size);
		w->bad += !held[k].p || !exchange(held[k].p, 0, held[k].stamp, held[k].size);
	}
	return NULL;
}

/* Run two threads that use the same descriptor. */
static int work_process(struct peer *parent, void *arg)
{
	struct worker w[2] = { 0 };
	pthread_t thread;

	(void)parent;
	w[0].fd = raw_open();
	w[1].fd = w[0].fd;
	w[0].random = (uintptr_t)arg;
	w[1].random = (uintptr_t)arg + 100;
	if (w[0].fd < 0 || pthread_create(&thread, NULL, work, &w[1]))
		return -EAGAIN;
	work(&w[0]);
	pthread_join(thread, NULL);
	close(w[0].fd);
	return w[0].bad + w[1].bad;
}

static void test_race(void)
{
	const uid_t uid[WORKERS] = { ALICE, ALICE, BOB, ROOT };
	unsigned int unfair = 0, looks = 0;
	struct peer p[WORKERS];
	int result, bad = 0;

	for (uintptr_t i = 0; i < WORKERS; i++)
		p[i] = peer_start(uid[i], 0, work_process, (void *)(i + 1));
	for (int i = 0; i < WORKERS; i++) {
		for (int k = 0; k < 4000 && !peer_receive(&p[i], &result, NULL, 5); k++) {
			struct ccshm_ioc_info info = info_now();

			looks++;
			unfair += info.bytes_carved > info.bytes_shared;
			result = -ETIMEDOUT;
		}
		bad += result != 0;
		peer_must_end(&p[i], 0);
	}
	is_int(bad, 0,
	       "eight threads of three users call ALLOC and FREE: each page has one holder");
	is_int(unfair, 0,
	       "eight threads of three users: the charges never exceed what is shared (%u samples)",
	       looks);
	ok(all_back(), "eight threads of three users: all memory is given back");
}

/* Allocate until the process is killed. */
static int allocate_on(struct peer *parent, void *arg)
{
	int fd = raw_open();
	uint64_t id[64];

	(void)arg;
	peer_send(parent, 1, -1);
	for (;;) {
		for (int i = 0; i < 64; i++)
			if (raw_alloc(fd, (i % 7 + 1) * 64 * PAGE, &id[i]))
				return 1;
		for (int i = 0; i < 64; i++)
			must(raw_free(fd, id[i]));
	}
}

static void test_killed(void)
{
	int left = 0;

	for (int i = 0; i < 12; i++) {
		struct peer p = peer_start(ALICE, 0, allocate_on, NULL);
		uint64_t calls;

		must(peer_hear(&p));
		calls = info_now().calls_shared + random_below(&random_state, 8);
		for (int k = 0; k < 2000 && info_now().calls_shared < calls; k++)
			sched_yield();
		peer_must_end(&p, SIGKILL);
		left += !all_back();
	}
	is_int(left, 0, "12 processes killed within ALLOC leave no memory behind");
}

int main(void)
{
	rig_before = rig(CVM_PAGES_SHARED);
	driver_load();
	direct_map_settle();
	dev = raw_open();
	if (dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-dev));
	test_many();
	test_contents();
	test_still_used();
	test_sizes();
	test_users();
	test_random();
	test_race();
	test_killed();
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	ok(wait_rig_shared(rig_before), "after the unloading: no page is shared");
	return done_testing();
}
