// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's self-test. Each part performs correct or incorrect accesses through the
 * module cvm_selftest, and compares the emulator's counters and the data with the expected
 * results. Where a trap must count an access, the test repeats the access with the trap off
 * and expects no count, which proves that the trap counted.
 */
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "selftest-ops.h"

static enum cvm_flavour flavour;

static int pages_in_state(uint64_t gpa, int pages, int state)
{
	int i, n = 0;

	for (i = 0; i < pages; i++)
		n += cvm_page_state(gpa + (uint64_t)i * ST_PAGE_SIZE) == state;
	return n;
}

/* Return the mode in which the harness runs guests. */
static unsigned int usual_mode(void)
{
	return TRAPS | CVM_MODE_SCRAMBLE | (flavour == CVM_CCA ? CVM_MODE_ZERO : 0);
}

static void test_identity(void)
{
	static const char *const names[] = { "plain", "sev", "tdx", "cca", "snp" };
	char text[16] = "";
	FILE *f = popen("cvmctl present", "r");

	if (!f || !fgets(text, sizeof(text), f))
		text[0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (f)
		pclose(f);
	is_str(text, names[flavour], "cvmctl present: prints the flavour that the CPU reports");
	is_int(st_must(ST_CONFIDENTIAL, (struct st_call){}), 1,
	       "cc_platform_has(CC_ATTR_MEM_ENCRYPT): true");
	is_int(cvm_set_mode(CVM_MODE_ALL), usual_mode(),
	       "cvm_set_mode: returns the old mode, which the harness has set");
	is_int(cvm_set_mode(TRAPS), CVM_MODE_ALL, "cvm_set_mode: sets the mode");
	is_int((int)cvm_set_mode(CVM_MODE_ALL + 1), -1, "cvm_set_mode with an unknown bit: -1");
	is_int(cvm_set_mode(TRAPS), TRAPS,
	       "cvm_set_mode with an unknown bit: the mode is unchanged");
	ok(cvm_counter(CVM_NR_COUNTERS) == CVM_ERROR,
	   "cvm_counter of an unknown counter: CVM_ERROR");
	is_int(cvm_page_state(0xb8000), -1, "state of a page of video memory: not RAM");
	is_int(cvm_page_state(flavour == CVM_CCA ? REALM_SHARED : 128ull << 20), -1,
	       "state of a page of the emulator: not RAM");
	is_int(cvm_page_state(1ull << 38), -1, "state of a page beyond the memory: not RAM");
}

/* Return whether the kernel changes the state of a 2 MiB page with one entry in SNP: not 6.1. */
static int large_entries(void)
{
	struct utsname name;

	return !uname(&name) && strncmp(name.release, "6.1.", 4);
}

/* Return the entries that fit into a kernel's request to change page states in SNP. */
static int entries_per_request(void)
{
	return large_entries() ? 64 : 253;
}

/*
 * Find a block whose direct-map leaf is not split, so that a conversion costs one call in
 * SEV, or whose RMP entry is not split, in SNP. Boot has split some of them; blocks that are
 * split stay allocated during the search, so that they are not allocated again. Return -1 if
 * there is none.
 */
static int find_whole_block(void)
{
	int slot, found = -1, last;

	for (slot = 0; slot < 16 && found < 0; slot++) {
		st_alloc(slot);
		start();
		convert(slot, 0, PAGES, 1);
		if (flavour == CVM_SNP ? !since(CVM_PVALIDATE_MISMATCH) : since(CVM_HC_SHARED) == 1)
			found = slot;
		convert(slot, 0, PAGES, 0);
	}
	last = slot;
	for (slot = 0; slot < last; slot++)
		if (slot != found)
			st_free(slot);
	return found;
}

/* Return the expected calls for conversions of @pieces times @pages pages in SNP. */
static long long snp_calls(int pieces, int pages)
{
	int entries = pages == PAGES && large_entries() ? 1 : pages;

	return pieces * ((entries + entries_per_request() - 1) / entries_per_request());
}

/*
 * Check the counts of one direction of a conversion in SNP: entries and PVALIDATEs in units of
 * 2 MiB if @large, except that the kernel repeats a PVALIDATE of 2 MiB that finds @split entries
 * in pages of 4 KiB.
 */
static void check_snp_pieces(int large, int split, const char *what)
{
	if (flavour != CVM_SNP)
		return;
	large = large && large_entries();
	split = split && large;
	is_int(since(CVM_PSC_2M), large, "%s: page state changes of 2 MiB", what);
	is_int(since(CVM_PSC_4K), large ? 0 : PAGES, "%s: page state changes of 4 KiB", what);
	is_int(since(CVM_PVALIDATE_2M), large, "%s: PVALIDATEs of 2 MiB", what);
	is_int(since(CVM_PVALIDATE_4K), large && !split ? 0 : PAGES, "%s: PVALIDATEs of 4 KiB", what);
	is_int(since(CVM_PVALIDATE_MISMATCH), split, "%s: PVALIDATEs that find a split RMP entry", what);
	is_int(since(CVM_VMGEXITS), since(CVM_HC_SHARED) + since(CVM_HC_PRIVATE),
	       "%s: each VMGEXIT changes page states", what);
}

/*
 * Convert a block to shared and back in pieces of @piece pages. Check the counts of calls,
 * pages and accepts in each direction; @sev and @others are the expected calls. @split: in SNP
 * the RMP has entries of 4 KiB for the block.
 */
static void check_pieces(int slot, int piece, const char *what, long long sev, long long others, int split)
{
	long long want = flavour == CVM_SEV ? sev :
			 flavour == CVM_SNP ? snp_calls(PAGES / piece, piece) : others;
	uint64_t before = cvm_counter(CVM_PAGES_SHARED);
	int page;

	start();
	for (page = 0; page < PAGES; page += piece)
		convert(slot, page, piece, 1);
	is_int(since(CVM_HC_SHARED), want, "%s: calls to shared", what);
	is_int(since(CVM_PAGES_TO_SHARED), PAGES, "%s: pages to shared", what);
	is_int(cvm_counter(CVM_PAGES_SHARED) - before, PAGES, "%s: pages shared now", what);
	check_snp_pieces(piece == PAGES, split, what);
	start();
	for (page = 0; page < PAGES; page += piece)
		convert(slot, page, piece, 0);
	is_int(since(CVM_HC_PRIVATE), want, "%s: calls to private", what);
	is_int(since(CVM_PAGES_TO_PRIVATE), PAGES, "%s: pages to private", what);
	is_int(cvm_counter(CVM_PAGES_SHARED) - before, 0, "%s: pages shared as before", what);
	check_snp_pieces(piece == PAGES, 0, what);
	/*
	 * Linux accepts a whole 2 MiB page with one call, and smaller pieces in pages of 4
	 * KiB.
	 */
	want = flavour != CVM_TDX ? 0 : piece == PAGES ? 1 : PAGES;
	is_int(since(CVM_ACCEPTS), want, "%s: accepts", what);
}

static void test_calls(void)
{
	int slot = find_whole_block();

	if (slot < 0) {
		fail("one of 16 blocks has an unsplit leaf in the direct map");
		return;
	}
	cvm_set_mode(TRAPS);
	check_pieces(slot, 512, "2 MiB in one piece", 1, 1, 0);
	check_pieces(slot, 512, "2 MiB in one piece, again", 1, 1, 0);
	check_pieces(slot, 256, "1 MiB pieces", 512, 2, 0);
	check_pieces(slot, 16, "64 KiB pieces", 512, 32, 0);
	check_pieces(slot, 1, "4 KiB pieces", 512, 512, 0);
	check_pieces(slot, 512, "2 MiB in one piece, leaf split", 512, 1, 1);
	if (flavour == CVM_SNP)
		check_pieces(slot, 512, "2 MiB in one piece, RMP entry whole again", 0, 0, 0);
	if (flavour == CVM_CCA) {
		is_int(cvm_chunk(128), 0, "cvm_chunk in a Realm: 0");
		check_pieces(slot, 512, "2 MiB, 128 pages per call", 0, 4, 0);
		must(cvm_chunk(0));
	} else {
		is_int(cvm_chunk(128), -1, "cvm_chunk outside a Realm: -1");
	}
	if (flavour == CVM_TDX) {
		uint64_t before = cvm_counter(CVM_RETRIES);

		is_int(cvm_retry(0, 1000, 128), 0, "cvm_retry in TDX: 0");
		check_pieces(slot, 512, "2 MiB, RETRY after 128 pages", 0, 4, 0);
		is_int(cvm_counter(CVM_RETRIES) - before, 6,
		       "2 MiB, RETRY after 128 pages: retries in both directions");
		must(cvm_retry(0, 0, 0));
		check_pieces(slot, 512, "2 MiB, RETRY off", 0, 1, 0);
	} else {
		is_int(cvm_retry(0, 1, 1), -1, "cvm_retry outside TDX: -1");
	}
	st_free(slot);
}

static void test_states(void)
{
	uint64_t gpa = st_alloc(0);
	long long ram = sysconf(_SC_PHYS_PAGES), n = 0;
	uint64_t page, ram_start = flavour == CVM_CCA ? REALM_RAM : 0, limit = 4ull << 30;
	uint64_t view = flavour == CVM_CCA ? REALM_SHARED : 1ull << 39;
	char command[64], text[16] = "";
	FILE *f;

	cvm_set_mode(TRAPS);
	start();
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "new pages are private");
	convert(0, 128, 256, 1);
	is_int(pages_in_state(gpa, 128, 0), 128, "pages before the converted range are private");
	is_int(pages_in_state(gpa + 128 * ST_PAGE_SIZE, 256, 1), 256,
	       "pages of the converted range are shared");
	is_int(pages_in_state(gpa + 384 * ST_PAGE_SIZE, 128, 0), 128,
	       "pages after the converted range are private");
	is_int(cvm_page_state(gpa + 200 * ST_PAGE_SIZE + view), 1,
	       "a page's state does not depend on the view bit of the address");
	snprintf(command, sizeof(command), "cvmctl page 0x%llx",
		 (unsigned long long)gpa + 200 * ST_PAGE_SIZE);
	f = popen(command, "r");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = 0;
		pclose(f);
	}
	is_str(text, "shared\n", "cvmctl page: prints shared");

	/* Compare the states of all pages with the counter. */
	for (page = ram_start; page < limit && ram > 0; page += ST_PAGE_SIZE) {
		int state = cvm_page_state(page);

		n += state == 1;
		if (page >= (256ull << 20) && state < 0)
			break;
	}
	is_int(n, cvm_counter(CVM_PAGES_SHARED),
	       "pages_shared is the number of pages in state shared");
	convert(0, 128, 256, 0);
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "pages are private after the conversion back");
	is_int(violations(), 0, "conversions cause no violation");
	st_free(0);
}

/* Access shared memory through the right and the wrong kernel mapping. */
static void test_kernel_mappings(void)
{
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	map(0, ST_VMAP_SHARED);
	map(0, ST_VMAP_PRIVATE);

	arm(TRAPS);
	fill(0, ST_DIRECT, PAGES, 1);
	is_int(match(0, ST_DIRECT, PAGES, 1), PAGES, "shared, direct map: right bytes");
	is_int(match(0, ST_VMAP_SHARED, PAGES, 1), PAGES, "shared, pgprot_decrypted: right bytes");
	is_int(violations(), 0, "shared, direct map and pgprot_decrypted: no violation");

	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 1), 0, "shared, no pgprot_decrypted: wrong bytes");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES,
	       "shared, no pgprot_decrypted: a violation for each page");
	is_int(since(CVM_VIOL_SHARED_ALIAS), 0,
	       "shared, no pgprot_decrypted: no violation of the other kind");
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES,
	       "second read of a counted page: no further violation");
	cvm_rearm();
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2 * PAGES,
	       "read after cvm_rearm: a violation for each page");

	arm(TRAPS);
	fill(0, ST_VMAP_PRIVATE, PAGES, 2);
	is_int(match(0, ST_DIRECT, PAGES, 1), PAGES,
	       "write through the private view: not visible in the shared view");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES,
	       "write through the private view: a violation for each page");
	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 2), PAGES,
	       "write through the private view: visible in the private view");

	arm(CVM_MODE_SHARED_ALIAS);
	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 1), 0,
	       "private view read with its trap off: wrong bytes");
	is_int(violations(), 0, "private view read with its trap off: no violation");
	arm(0);
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(violations(), 0, "private view read with all traps off: no violation");

	unmap(0, ST_VMAP_PRIVATE);
	unmap(0, ST_VMAP_SHARED);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* Access memory that is private again through a shared mapping. */
static void test_stale_mapping(void)
{
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	map(0, ST_VMAP_SHARED);
	arm(TRAPS);
	fill(0, ST_VMAP_SHARED, PAGES, 3);
	convert(0, 0, PAGES, 0);
	fill(0, ST_DIRECT, PAGES, 4);
	is_int(violations(), 0,
	       "shared mapping while shared, direct map while private: no violation");

	is_int(match(0, ST_VMAP_SHARED, PAGES, 4), 0, "stale shared mapping: wrong bytes");
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES,
	       "stale shared mapping: a violation for each page");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 0,
	       "stale shared mapping: no violation of the other kind");
	is_int(match(0, ST_VMAP_SHARED, PAGES, 3), PAGES,
	       "stale shared mapping: the old shared bytes");
	cvm_rearm();
	fill(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(since(CVM_VIOL_SHARED_ALIAS), 2 * PAGES,
	       "stale shared mapping, write: a violation for each page");
	is_int(match(0, ST_DIRECT, PAGES, 4), PAGES,
	       "stale shared mapping, write: not visible in the private view");

	/* After another conversion to shared and back, the page must be counted again. */
	convert(0, 0, PAGES, 1);
	start();
	match(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(violations(), 0, "shared again: no violation");
	convert(0, 0, PAGES, 0);
	match(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES,
	       "after a conversion: a counted page is trapped again");

	arm(CVM_MODE_PRIVATE_ALIAS);
	is_int(match(0, ST_VMAP_SHARED, PAGES, 4), 0,
	       "stale shared mapping read with its trap off: wrong bytes");
	is_int(violations(), 0, "stale shared mapping read with its trap off: no violation");
	unmap(0, ST_VMAP_SHARED);
	st_free(0);
}

static void test_step(void)
{
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	map(0, ST_VMAP_PRIVATE);
	arm(TRAPS);
	read_word(0, ST_VMAP_PRIVATE, 7, 5);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1,
	       "five reads of a page without step mode: one violation");
	arm(TRAPS | CVM_MODE_STEP);
	read_word(0, ST_VMAP_PRIVATE, 7, 5);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5,
	       "five reads of a page in step mode: five violations");
	fill(0, ST_VMAP_PRIVATE, 1, 6);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5 + ST_PAGE_WORDS,
	       "writes in step mode: a violation for each write");
	start();
	fill(0, ST_DIRECT, 4, 6);
	is_int(match(0, ST_DIRECT, 4, 6), 4, "right accesses in step mode: right bytes");
	is_int(violations(), 0, "right accesses in step mode: no violation");
	arm(CVM_MODE_STEP);
	read_word(0, ST_VMAP_PRIVATE, 7, 5);
	is_int(violations(), 0, "step mode with all traps off: no violation");
	cvm_set_mode(TRAPS);
	unmap(0, ST_VMAP_PRIVATE);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

static int user_match(volatile uint64_t *p, unsigned int seed)
{
	int page, n = 0;

	for (page = 0; page < PAGES; page++)
		n += p[page * ST_PAGE_WORDS] == st_pattern(seed, page, 0);
	return n;
}

static void test_user_mappings(void)
{
	volatile uint64_t *right, *wrong;
	int i;

	st_alloc(0);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, PAGES, 8);
	right = user_map(0, 0);
	wrong = user_map(0, 1);

	arm(TRAPS);
	is_int(user_match(right, 8), PAGES, "user mapping, right: right bytes");
	right[3 * ST_PAGE_WORDS] = st_pattern(9, 0, 0);
	is_int(read_word(0, ST_DIRECT, 3, 1) == st_pattern(9, 0, 0), 1,
	       "user mapping, right: a write is visible to the kernel");
	is_int(violations(), 0, "user mapping, right: no violation");
	is_int(user_match(wrong, 8), 0, "user mapping, wrong: wrong bytes");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES,
	       "user mapping, wrong: a violation for each page");
	arm(TRAPS | CVM_MODE_STEP);
	for (i = 0; i < 5; i++)
		wrong[i * ST_PAGE_WORDS] = 1;
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5,
	       "user mapping, wrong, step mode: a violation for each write");
	is_int(right[4 * ST_PAGE_WORDS] == st_pattern(8, 4, 0), 1,
	       "user mapping, wrong: a write is not visible in the shared view");
	arm(0);
	is_int(user_match(wrong, 8), 0, "user mapping, wrong, traps off: wrong bytes");
	is_int(violations(), 0, "user mapping, wrong, traps off: no violation");

	/* Convert the block to private while it is mapped as shared. */
	convert(0, 0, PAGES, 0);
	arm(TRAPS);
	user_match(right, 8);
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES,
	       "stale user mapping: a violation for each page");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 0,
	       "stale user mapping: no violation of the other kind");
	munmap((void *)right, PAGES * ST_PAGE_SIZE);
	munmap((void *)wrong, PAGES * ST_PAGE_SIZE);
	st_free(0);
}

static volatile uint32_t *device_map(int private)
{
	void *p = mmap(NULL, ST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
		       ST_MMAP_OFFSET(ST_SLOT_DEVICE, private));

	if (p == MAP_FAILED)
		bail("mmap of the device: %s", strerror(errno));
	return p;
}

/* Check that accesses to a device's registers through a private mapping are counted. */
static void test_device_memory(void)
{
	volatile uint32_t *right, *wrong;

	if (flavour == CVM_CCA) {
		skip("private accesses to device memory are counted", "only in x86 guests");
		return;
	}
	right = device_map(0);
	wrong = device_map(1);
	arm(TRAPS);
	is_int(right[0] & 0xff, 0xed, "device memory, shared mapping: the device answers");
	right[1] = 5;
	is_int(right[1], ~5u, "device memory, shared mapping: a write reaches the device");
	is_int(since(CVM_VIOL_MMIO), 0, "device memory, shared mapping: no violation");
	is_int(wrong[0] & 0xff, 0xed, "device memory, private mapping: the device answers");
	is_int(since(CVM_VIOL_MMIO), 1, "device memory, private mapping: a violation");
	(void)wrong[0];
	is_int(since(CVM_VIOL_MMIO), 1, "device memory, second private access: no further violation");
	cvm_rearm();
	wrong[1] = 7;
	is_int(since(CVM_VIOL_MMIO), 2, "device memory, private write after cvm_rearm: a violation");
	arm(TRAPS | CVM_MODE_STEP);
	(void)wrong[0];
	(void)wrong[0];
	(void)wrong[0];
	is_int(since(CVM_VIOL_MMIO), 3, "device memory in step mode: a violation for each access");
	is_int(violations(), 0, "device memory: no violation of another kind");
	arm(CVM_MODE_SHARED_ALIAS);
	(void)wrong[0];
	is_int(since(CVM_VIOL_MMIO), 0, "device memory, trap off: no violation");
	cvm_set_mode(TRAPS);
	munmap((void *)right, ST_PAGE_SIZE);
	munmap((void *)wrong, ST_PAGE_SIZE);
}

/* Check that a device accesses the shared view only. */
static void test_dma(void)
{
	const struct st_call page0 = { .slot = 0 }, page1 = { .slot = 0, .page = 1 };
	struct st_call call = { };
	uint64_t first;

	arm(TRAPS | CVM_MODE_SCRAMBLE);
	is_int(try_op(ST_DMA_COHERENT, &call), 0, "coherent DMA: the transfer succeeds");
	is_int(call.result, 0, "coherent DMA: right bytes");
	is_int(call.arg, 2, "coherent DMA: the allocation has shared its two pages");
	call = (struct st_call){ };
	is_int(try_op(ST_DMA_STREAMING, &call), 0, "streaming DMA: the transfers succeed");
	is_int(call.result, 0, "streaming DMA: right bytes");
	is_int(call.arg, 2, "streaming DMA: bounced in both directions");
	is_int(violations(), 0, "coherent and streaming DMA: no violation");
	cvm_set_mode(TRAPS);

	/* Shared block: the device and the CPU access the same data. */
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, 2, 10);
	st_must(ST_DMA_TO_DEVICE, page0);
	st_must(ST_DMA_FROM_DEVICE, page1);
	first = st_pattern(10, 0, 0);
	is_int(read_word(0, ST_DIRECT, 1, 1) == first, 1,
	       "DMA to a shared page: the CPU reads the device's data");

	/* Private block: neither the device's reads nor its writes reach the private data. */
	convert(0, 0, PAGES, 0);
	fill(0, ST_DIRECT, 2, 11);
	st_must(ST_DMA_FROM_DEVICE, page1);
	is_int(match(0, ST_DIRECT, 2, 11), 2,
	       "DMA write to a private page: the private data are unchanged");
	st_must(ST_DMA_TO_DEVICE, page0);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, 2, 12);
	st_must(ST_DMA_FROM_DEVICE, page1);
	is_int(read_word(0, ST_DIRECT, 1, 1) == st_pattern(11, 0, 0), 0,
	       "DMA read of a private page: not the private data");
	is_int(read_word(0, ST_DIRECT, 1, 1) == first, 1,
	       "DMA read of a private page: the old shared data");
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* Check that the emulator counts the pages that a device wrote at a wrong address. */
static void test_stray_dma(void)
{
	const struct st_call shared = { .slot = 0, .page = 3 }, bare = { .slot = 0, .page = 3, .arg = 1 };

	if (flavour != CVM_CCA) {
		skip("stray DMA is counted", "only a Realm's devices have addresses that are known to be wrong");
		return;
	}
	printf("# expect-stray-dma\n");
	st_alloc(0);
	stray_base = cvm_counter(CVM_STRAY_DMA);
	is_int(stray_base, 0, "no stray DMA before the test");
	arm(TRAPS | CVM_MODE_ZERO);
	convert(0, 0, PAGES, 1);
	st_must(ST_DMA_FROM_DEVICE, shared);
	is_int(since(CVM_STRAY_DMA), 0,
	       "DMA to a shared page with the shared bit: not counted as stray");
	st_must(ST_DMA_FROM_DEVICE, bare);
	is_int(since(CVM_STRAY_DMA), 1, "DMA without the shared bit: counted as stray");
	is_int(since(CVM_STRAY_DMA), 1, "DMA without the shared bit: counted once");
	convert(0, 0, PAGES, 0);
	is_int(since(CVM_STRAY_DMA), 1,
	       "old contents of the shared view after a conversion: not counted as stray");
	st_must(ST_DMA_FROM_DEVICE, shared);
	is_int(since(CVM_STRAY_DMA), 2, "DMA to a private page: counted as stray");
	is_int(violations(), 0, "stray DMA: no violation");
	st_free(0);
}

/* Check the size and the shared bit of the kernel's mappings in a Realm. */
static void test_leaf(void)
{
	if (flavour != CVM_CCA) {
		is_int(cvm_leaf(0), -1, "cvm_leaf outside a Realm: -1");
		return;
	}
	st_alloc(0);
	is_int(leaf_of(0, 5), ST_PAGE_SIZE, "cvm_leaf of the direct map: 4 KiB, private");
	convert(0, 4, 2, 1);
	is_int(leaf_of(0, 3), ST_PAGE_SIZE, "cvm_leaf before a shared page: 4 KiB, private");
	is_int(leaf_of(0, 5), ST_PAGE_SIZE | CVM_LEAF_SHARED,
	       "cvm_leaf of a shared page: 4 KiB, shared");
	convert(0, 4, 2, 0);
	is_int(leaf_of(0, 5), ST_PAGE_SIZE,
	       "cvm_leaf of a page that is private again: 4 KiB, private");
	is_int(cvm_leaf(~0ull - 4095), 0, "cvm_leaf of the last page of the address space: 0");
	st_free(0);
}

static void bus_error(int sig)
{
	_exit(sig);
}

/* Read in a child process. Return the signal that the child received, or 0. */
static int try_read(volatile uint64_t *p)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGBUS, bus_error);
		(void)*p;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_abort(void)
{
	volatile uint64_t *right, *wrong;

	if (flavour != CVM_CCA) {
		skip("wrong accesses abort", "only a Realm's guest survives an abort");
		return;
	}
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	right = user_map(0, 0);
	wrong = user_map(0, 1);
	arm(TRAPS | CVM_MODE_ABORT);
	is_int(try_read(right), 0, "abort mode, right access: no signal");
	is_int(try_read(wrong), SIGBUS, "abort mode, wrong access: SIGBUS");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "abort mode, wrong access: a violation");
	is_int(try_read(wrong), SIGBUS, "abort mode, second wrong access: SIGBUS");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2,
	       "abort mode, second wrong access: a second violation");
	arm(TRAPS);
	is_int(try_read(wrong), 0, "wrong access without abort mode: no signal");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "wrong access without abort mode: a violation");
	munmap((void *)right, PAGES * ST_PAGE_SIZE);
	munmap((void *)wrong, PAGES * ST_PAGE_SIZE);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* Count the words of a page that are neither zero nor part of the pattern. */
static int garbage_words(volatile uint64_t *p, unsigned int seed)
{
	int i, n = 0;

	for (i = 0; i < ST_PAGE_WORDS; i++)
		n += p[i] && p[i] != st_pattern(seed, 0, i);
	return n;
}

/* SNP: execute PVALIDATE on a page of slot 0. Return its result. */
static unsigned int pvalidate(unsigned int page, enum st_view view, unsigned int arg)
{
	return st_must(ST_PVALIDATE, (struct st_call){ .slot = 0, .view = view, .page = page, .arg = arg });
}

/* SNP: let the host change the state of a page of slot 0. Return the host's error. */
static unsigned int set_state(unsigned int page, int shared)
{
	return st_must(ST_STATE, (struct st_call){ .slot = 0, .page = page, .arg = shared });
}

static void test_scramble(void)
{
	volatile uint64_t *shared, *private;
	uint64_t before;

	st_alloc(0);
	shared = user_map(0, 0);
	private = user_map(0, 1);
	cvm_set_mode(TRAPS);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, 1, 13);
	convert(0, 0, PAGES, 0);
	convert(0, 0, PAGES, 1);
	is_int(garbage_words(shared, 13), 0, "no scrambling: the shared view keeps its bytes");

	cvm_set_mode(TRAPS | CVM_MODE_SCRAMBLE);
	convert(0, 0, PAGES, 0);
	if (flavour != CVM_TDX)
		ok(garbage_words(private, 13) > 500,
		   "scrambling: a page that becomes private has garbage");
	else
		is_int(garbage_words(private, 0) + (private[0] || private[511]), 0,
		       "accepting a page zeroes it");
	fill(0, ST_DIRECT, 1, 14);
	convert(0, 0, PAGES, 1);
	ok(garbage_words(shared, 13) > 500, "scrambling: a page that becomes shared has garbage");
	ok(garbage_words(shared, 14) > 500,
	   "scrambling: a page that becomes shared does not have its private bytes");
	before = shared[0];
	convert(0, 0, PAGES, 0);
	convert(0, 0, PAGES, 1);
	ok(shared[0] != before, "scrambling: the garbage differs for each conversion");
	ok(shared[0] != shared[ST_PAGE_WORDS], "scrambling: the garbage differs for each page");
	fill(0, ST_DIRECT, 1, 15);
	/* In SNP, the kernel ends the guest when PVALIDATE fails, as it does for a shared page. */
	if (flavour == CVM_SNP)
		set_state(0, 1);
	else
		convert(0, 0, 1, 1);
	is_int(garbage_words(shared, 15), 0,
	       "conversion of a shared page to shared: the contents are unchanged");
	convert(0, 0, PAGES, 0);
	cvm_set_mode(TRAPS);
	munmap((void *)shared, PAGES * ST_PAGE_SIZE);
	munmap((void *)private, PAGES * ST_PAGE_SIZE);
	st_free(0);
}

/*
 * When a conversion in a Realm is refused, the direct map's entry becomes invalid. Check that
 * a conversion to private makes it valid again.
 */
static void check_refused_leaf(unsigned int slot)
{
	is_int(leaf_of(slot, 7), 0, "refused to shared: cvm_leaf is 0");
	is_int(try_convert(slot, 0, PAGES, 0), 0,
	       "refused to shared: a conversion to private succeeds");
	is_int(leaf_of(slot, 7), ST_PAGE_SIZE,
	       "after the conversion to private: cvm_leaf is 4 KiB, private");
	fill(slot, ST_DIRECT, PAGES, 16);
	is_int(match(slot, ST_DIRECT, PAGES, 16), PAGES,
	       "after the conversion to private: right bytes");
}

/* ---- SNP ---- */

/* The pages that firmware fills: struct cc_blob and others in tests/emulator/x86/snp.c. */
struct cc_blob {
	uint32_t magic, version;
	uint64_t secrets, secrets_length, cpuid, cpuid_length;
};

struct secrets_page {
	uint32_t version, other[7];
	uint8_t key[32];
};

struct cpuid_page {
	uint32_t count, reserved[3];
	struct {
		uint32_t leaf, subleaf;
		uint64_t xcr0, xss;
		uint32_t r[4];
		uint64_t reserved;
	} entry[64];
};

static void read_at(const char *path, uint64_t at, void *to, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(to, 0, bytes);
	if (fd < 0 || pread(fd, to, bytes, at) < 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

/* Return whether the result of CPUID for this leaf is the same in each state of the processor. */
static int constant_leaf(uint32_t leaf)
{
	return !leaf || leaf == 0x80000000 || (leaf >= 0x80000002 && leaf <= 0x80000004) || leaf == 0x8000001f;
}

/* Count the entries for constant leaves, and in @same those whose result is that of CPUID. */
static int compare_cpuid(const struct cpuid_page *page, int *same)
{
	uint32_t i, r[4] = { 0 };
	int n = 0;

	for (i = 0; i < page->count && i < 64; i++) {
		if (!constant_leaf(page->entry[i].leaf))
			continue;
#ifndef __aarch64__
		__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
				 : "a"(page->entry[i].leaf), "c"(page->entry[i].subleaf));
#endif
		n++;
		*same += !memcmp(r, page->entry[i].r, sizeof(r));
	}
	return n;
}

/* Check what the kernel finds through the entry of setup_data: the CC blob, the secrets and the CPUID page. */
static void test_launch_pages(void)
{
	struct secrets_page secrets;
	static struct cpuid_page cpuid;
	struct cc_blob blob;
	char type[8] = "";
	uint32_t at = 0;
	int same = 0, n;

	if (flavour != CVM_SNP) {
		skip("CC blob, secrets page and CPUID page", "only an SNP guest has them");
		return;
	}
	read_at("/sys/kernel/boot_params/setup_data/0/type", 0, type, sizeof(type) - 1);
	is_str(type, "0x7\n", "setup_data: the entry describes the CC blob");
	read_at("/sys/kernel/boot_params/setup_data/0/data", 0, &at, sizeof(at));
	read_at("/dev/mem", at, &blob, sizeof(blob));
	ok(blob.magic == 0x45444d41 && blob.version == 1, "CC blob: magic number and version");
	ok(blob.secrets_length == 4096 && blob.cpuid_length == 4096, "CC blob: the lengths are one page");
	read_at("/dev/mem", blob.secrets, &secrets, sizeof(secrets));
	is_int(secrets.version, 3, "secrets page: version");
	ok(secrets.key[0] && secrets.key[31], "secrets page: the key of VMPL 0 is not zero");
	read_at("/dev/mem", blob.cpuid, &cpuid, sizeof(cpuid));
	ok(cpuid.count > 1 && cpuid.count <= 64, "CPUID page: 2 to 64 entries");
	n = compare_cpuid(&cpuid, &same);
	ok(n >= 3, "CPUID page: entries for some leaves that are constant");
	is_int(same, n, "CPUID page: the entries for constant leaves have the results of CPUID");
}

/* Access pages that are private but not validated. */
static void test_unvalidated(void)
{
	arm(TRAPS);
	is_int(pvalidate(3, ST_DIRECT, 0), 0, "PVALIDATE rescinds: 0");
	is_int(since(CVM_PVALIDATE_4K), 1, "PVALIDATE: pvalidate_4k counts it");
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "PVALIDATE rescinds: no access is counted");
	read_word(0, ST_DIRECT, 3, 5);
	is_int(since(CVM_VIOL_UNVALIDATED), 1, "reads of an unvalidated page: one violation");
	read_word(0, ST_DIRECT, 4, 5);
	is_int(since(CVM_VIOL_UNVALIDATED), 1, "reads of the next page, which is validated: no violation");
	arm(CVM_MODE_STEP);
	read_word(0, ST_DIRECT, 3, 5);
	is_int(since(CVM_VIOL_UNVALIDATED), 5,
	       "reads of an unvalidated page, step mode, other traps off: a violation for each");
	is_int(violations(), 0, "reads of an unvalidated page: no violation of another kind");
	arm(TRAPS);
	is_int(pvalidate(3, ST_DIRECT, ST_VALIDATE), 0, "PVALIDATE validates: 0");
	read_word(0, ST_DIRECT, 3, 1);
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "read of a page that is validated again: no violation");
	is_int(since(CVM_VIOL_PVALIDATE), 0, "right PVALIDATEs: no violation");
}

/* Execute PVALIDATE where it changes nothing or is wrong. */
static void test_wrong_pvalidate(void)
{
	arm(TRAPS);
	is_int(pvalidate(5, ST_DIRECT, ST_VALIDATE), ST_UNCHANGED, "PVALIDATE of a validated page: unchanged");
	is_int(since(CVM_VIOL_PVALIDATE), 1, "PVALIDATE of a validated page: a violation");
	is_int(pvalidate(5, ST_DIRECT, 0), 0, "PVALIDATE rescinds once: 0");
	is_int(pvalidate(5, ST_DIRECT, 0), ST_UNCHANGED, "PVALIDATE rescinds twice: unchanged");
	is_int(since(CVM_VIOL_PVALIDATE), 2, "PVALIDATE rescinds twice: a violation");
	pvalidate(5, ST_DIRECT, ST_VALIDATE);

	convert(0, 6, 1, 1);
	start();
	is_int(pvalidate(6, ST_VMAP_PRIVATE, ST_VALIDATE), 1, "PVALIDATE of a shared page: bad input");
	is_int(since(CVM_VIOL_PVALIDATE), 1, "PVALIDATE of a shared page: a violation");
	is_int(pvalidate(7, ST_VMAP_SHARED, ST_VALIDATE), 1, "PVALIDATE through a shared mapping: bad input");
	is_int(since(CVM_VIOL_PVALIDATE), 2, "PVALIDATE through a shared mapping: a violation");
	convert(0, 6, 1, 0);

	start();
	is_int(pvalidate(8, ST_DIRECT, ST_LARGE), 1, "PVALIDATE of 2 MiB that are not aligned: bad input");
	is_int(since(CVM_VIOL_PVALIDATE), 1, "PVALIDATE of 2 MiB that are not aligned: a violation");
	is_int(pvalidate(0, ST_DIRECT, ST_BAD_SIZE), 1, "PVALIDATE of an unknown size: bad input");
	is_int(since(CVM_VIOL_PVALIDATE), 2, "PVALIDATE of an unknown size: a violation");
	is_int(pvalidate(0, ST_DIRECT, ST_LARGE), 6, "PVALIDATE of 2 MiB whose RMP entry is split: size mismatch");
	is_int(since(CVM_PVALIDATE_MISMATCH), 1, "PVALIDATE with a size mismatch: counted");
	is_int(since(CVM_VIOL_PVALIDATE), 2, "PVALIDATE with a size mismatch: no violation");
	is_int(since(CVM_PVALIDATE_2M), 2, "PVALIDATEs of 2 MiB: pvalidate_2m counts them");
	read_word(0, ST_DIRECT, 0, 1);
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "PVALIDATE with a size mismatch: the page is still validated");
}

/* Change states without PVALIDATE. The kernel's page tables are unchanged: private. */
static void test_wrong_state_change(uint64_t gpa)
{
	uint64_t page = gpa + 9 * ST_PAGE_SIZE;

	arm(TRAPS);
	is_int(set_state(9, 1), 0, "page state change without rescinding: the host accepts it");
	is_int(since(CVM_VIOL_UNRESCINDED), 1, "page state change without rescinding: a violation");
	is_int(since(CVM_PSC_4K), 1, "page state change by the MSR: psc_4k counts it");
	is_int(since(CVM_VMGEXITS), 1, "page state change by the MSR: vmgexits counts it");
	is_int(cvm_page_state(page), 1, "page state change to shared: the page is shared");
	read_word(0, ST_DIRECT, 9, 1);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "private access to the page: a violation of the private alias");
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "private access to the page: no violation of validation");
	set_state(9, 0);
	is_int(cvm_page_state(page), 0, "page state change to private: the page is private");
	read_word(0, ST_DIRECT, 9, 1);
	is_int(since(CVM_VIOL_UNVALIDATED), 1, "access to a page that has become private again: not validated");
	is_int(pvalidate(9, ST_DIRECT, ST_VALIDATE), 0, "PVALIDATE of the page: 0");

	arm(TRAPS);
	pvalidate(9, ST_DIRECT, 0);
	set_state(9, 1);
	is_int(since(CVM_VIOL_UNRESCINDED), 0, "page state change after rescinding: no violation");
	set_state(9, 1);
	is_int(since(CVM_PAGES_TO_SHARED), 1, "page state change to the same state: the state does not change again");
	set_state(9, 0);
	pvalidate(9, ST_DIRECT, ST_VALIDATE);
	set_state(9, 0);
	read_word(0, ST_DIRECT, 9, 1);
	is_int(since(CVM_VIOL_UNVALIDATED), 0, "private page, state change to private: still validated");
	is_int(violations() + since(CVM_VIOL_PVALIDATE) + since(CVM_VIOL_UNRESCINDED), 0,
	       "right steps one by one: no violation");
}

static void test_snp(void)
{
	uint64_t gpa;

	if (flavour != CVM_SNP) {
		skip("PVALIDATE and page state changes", "only an SNP guest validates its pages");
		return;
	}
	gpa = st_alloc(0);
	map(0, ST_VMAP_PRIVATE);
	map(0, ST_VMAP_SHARED);
	test_unvalidated();
	test_wrong_pvalidate();
	test_wrong_state_change(gpa);
	unmap(0, ST_VMAP_PRIVATE);
	unmap(0, ST_VMAP_SHARED);
	st_free(0);
}

/* Let an event happen while the IDT is on a page that traps. Return how often the guest got it. */
static int event(enum st_event which)
{
	arm(TRAPS);
	return st_must(ST_EVENT, (struct st_call){ .slot = 0, .view = ST_VMAP_PRIVATE, .arg = which });
}

/* Check events whose delivery traps. The copy of the IDT causes the first violation. */
static void test_events(void)
{
	if (flavour == CVM_CCA) {
		skip("an event whose delivery traps is delivered again", "only x86 delivers events through memory");
		return;
	}
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	map(0, ST_VMAP_PRIVATE);
	is_int(event(ST_NMI), 1, "an NMI whose delivery traps: the guest gets it once");
	is_int(since(CVM_REDELIVERED), 1, "an NMI whose delivery traps: redelivered is 1");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2, "an NMI whose delivery traps: a violation");
	is_int(event(ST_INT), 1, "an INT whose delivery traps: the guest gets it once");
	is_int(since(CVM_REDELIVERED), 0, "an INT whose delivery traps: redelivered is 0");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2, "an INT whose delivery traps: a violation");
	is_int(event(ST_INTERRUPT), 1, "an interrupt whose delivery traps: the guest gets it, and others after it");
	is_int(since(CVM_REDELIVERED), 1, "an interrupt whose delivery traps: redelivered is 1");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2, "an interrupt whose delivery traps: a violation");
	unmap(0, ST_VMAP_PRIVATE);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/*
 * Check refused page state changes in SNP. The kernel ends the guest at a refusal, so the module asks the
 * host.
 */
static void test_snp_refusal(void)
{
	uint64_t page = st_alloc(0) + 10 * ST_PAGE_SIZE;

	pvalidate(9, ST_DIRECT, 0);
	pvalidate(10, ST_DIRECT, 0);
	start();
	is_int(cvm_fail(CVM_FAIL_SHARED, 1, 1), 0, "cvm_fail in SNP: 0");
	is_int(set_state(9, 1), 0, "refused to shared: the first page state change is skipped and succeeds");
	ok(set_state(10, 1), "refused to shared: the second page state change fails");
	is_int(since(CVM_CONV_FAILED), 1, "refused to shared: conv_failed is 1");
	is_int(cvm_page_state(page), 0, "refused to shared: the page is private");
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 1));
	is_int(set_state(10, 1), 0, "refused to private: a page state change to shared succeeds");
	ok(set_state(10, 0), "refused to private: a page state change to private fails");
	is_int(cvm_page_state(page), 1, "refused to private: the page is shared");
	is_int(set_state(10, 0), 0, "refused to private: the retry succeeds");
	must(cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 1));
	must(cvm_fail(0, 0, 0));
	is_int(set_state(9, 0), 0, "refusal off: a page state change to private succeeds");
	pvalidate(9, ST_DIRECT, ST_VALIDATE);
	pvalidate(10, ST_DIRECT, ST_VALIDATE);
	st_free(0);
}

/* Check a host that refuses to accept a page in the middle of a block (TDX). */
static void test_refused_accept(void)
{
	if (flavour != CVM_TDX) {
		is_int(cvm_fail(CVM_FAIL_ACCEPT, 0, 1), -1, "cvm_fail of an acceptance in CCA: -1");
		return;
	}
	is_int(cvm_fail(CVM_FAIL_ACCEPT, 100, 1), 0, "cvm_fail of an acceptance in TDX: 0");
	is_int(try_convert(1, 0, PAGES, 1), 0, "refused to accept: a conversion to shared succeeds");
	ok(try_convert(1, 0, PAGES, 0) < 0, "refused to accept: a conversion to private fails");
	is_int(since(CVM_CONV_FAILED), 3, "refused to accept: conv_failed is 3");
	ok(try_convert(1, 0, PAGES, 0) < 0,
	   "refused to accept: the retry fails, because pages are accepted already");
	is_int(try_convert(1, 0, PAGES, 1), 0, "refused to accept: the block can be shared again");
	is_int(try_convert(1, 0, PAGES, 0), 0, "refused to accept: then it can be made private");
}

/* Check refused conversions (SNP, TDX, CCA). */
static void test_refusal(void)
{
	uint64_t gpa;

	if (flavour == CVM_SEV) {
		is_int(cvm_fail(CVM_FAIL_SHARED, 0, 1), -1, "cvm_fail in SEV: -1");
		return;
	}
	if (flavour == CVM_SNP) {
		test_snp_refusal();
		return;
	}
	if (flavour == CVM_TDX) {
		expect_kmsg("CPA VMM failure to convert memory");
	} else {
		expect_kmsg("Failed to decrypt memory");
		expect_kmsg("Failed to encrypt memory");
	}
	gpa = st_alloc(0);
	st_alloc(1);
	start();
	is_int(cvm_fail(CVM_FAIL_SHARED, 1, 1), 0, "cvm_fail in TDX and CCA: 0");
	is_int(try_convert(1, 0, PAGES, 1), 0,
	       "refused to shared: the first conversion is skipped and succeeds");
	ok(try_convert(0, 0, PAGES, 1) < 0, "refused to shared: the second conversion fails");
	is_int(since(CVM_CONV_FAILED), 1, "refused to shared: conv_failed is 1");
	is_int(since(CVM_HC_SHARED), 1, "refused to shared: hc_shared counts the first conversion only");
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "refused to shared: the pages are private");
	if (flavour == CVM_CCA)
		check_refused_leaf(0);
	is_int(try_convert(1, 0, PAGES, 0), 0,
	       "refused to shared: a conversion to private succeeds in the other block");

	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 1));
	is_int(try_convert(1, 0, PAGES, 1), 0,
	       "refused to private: a conversion to shared succeeds");
	ok(try_convert(1, 0, PAGES, 0) < 0, "refused to private: a conversion to private fails");
	is_int(since(CVM_CONV_FAILED), 2, "refused to private: conv_failed is 2");
	is_int(try_convert(1, 0, PAGES, 0), 0, "refused to private: the retry succeeds");
	test_refused_accept();
	must(cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 1));
	must(cvm_fail(0, 0, 0));
	is_int(try_convert(1, 0, PAGES, 1), 0, "refusal off: a conversion to shared succeeds");
	is_int(try_convert(1, 0, PAGES, 0), 0, "refusal off: a conversion to private succeeds");
	st_free(1);
	/*
	 * The module leaks the block: in TDX its direct map entry is shared, but the memory
	 * is private.
	 */
	st_free(0);
}

/*
 * Make a block private whose conversion to shared was refused. TDX cannot accept pages that
 * stayed private, so the whole block is shared first.
 */
static void repair(unsigned int slot)
{
	try_convert(slot, 0, PAGES, 0);
	convert(slot, 0, PAGES, 1);
	convert(slot, 0, PAGES, 0);
}

/* Check partial conversions, after which the guest continues, gives up, or is refused (TDX). */
static void test_retry(void)
{
	uint64_t gpa;

	if (flavour != CVM_TDX) {
		skip("a conversion is answered with RETRY", "only TDX has this answer");
		return;
	}
	gpa = st_alloc(0);
	st_alloc(1);
	start();
	must(cvm_retry(1, 1, 100));
	convert(1, 0, PAGES, 1);
	is_int(since(CVM_RETRIES), 0, "RETRY after one skipped call: not for the first call");
	convert(0, 0, PAGES, 1);
	is_int(since(CVM_RETRIES), 1, "RETRY after 100 pages: retries is 1");
	is_int(since(CVM_HC_SHARED), 3, "RETRY after 100 pages: hc_shared counts both calls");
	is_int(pages_in_state(gpa, PAGES, 1), PAGES,
	       "RETRY after 100 pages: the guest continues, all pages are shared");
	convert(1, 0, PAGES, 0);
	must(cvm_retry(0, 1, 300));
	convert(0, 0, 300, 0);
	is_int(since(CVM_RETRIES), 1, "no RETRY for a call of so many pages");
	convert(0, 300, PAGES - 300, 0);
	must(cvm_retry(0, 0, 0));

	start();
	must(cvm_retry(0, 2, 0));
	is_int(try_convert(0, 0, PAGES, 1), 0, "RETRY without progress, twice: the guest repeats the call");
	is_int(since(CVM_RETRIES), 2, "RETRY without progress, twice: retries is 2");
	convert(0, 0, PAGES, 0);
	must(cvm_retry(0, 3, 0));
	ok(try_convert(0, 0, PAGES, 1) < 0, "RETRY without progress, three times: the conversion fails");
	is_int(pages_in_state(gpa, PAGES, 0), PAGES,
	       "RETRY without progress, three times: the pages are private");
	repair(0);

	start();
	must(cvm_retry(0, 1, CVM_RETRY_OUTSIDE));
	ok(try_convert(0, 0, PAGES, 1) < 0, "RETRY with an address outside of the range: the conversion fails");
	is_int(since(CVM_RETRIES), 1, "RETRY with an address outside of the range: retries is 1");
	is_int(pages_in_state(gpa, PAGES, 0), PAGES,
	       "RETRY with an address outside of the range: the pages are private");
	repair(0);

	start();
	must(cvm_retry(0, 1, 100));
	must(cvm_fail(CVM_FAIL_SHARED, 1, 1));
	ok(try_convert(0, 0, PAGES, 1) < 0, "RETRY to shared, then refused: the conversion fails");
	is_int(since(CVM_CONV_FAILED), 1, "RETRY to shared, then refused: conv_failed is 1");
	is_int(pages_in_state(gpa, 100, 1), 100, "RETRY to shared, then refused: 100 pages are shared");
	is_int(pages_in_state(gpa + 100 * ST_PAGE_SIZE, PAGES - 100, 0), PAGES - 100,
	       "RETRY to shared, then refused: the other pages are private");
	repair(0);

	convert(0, 0, PAGES, 1);
	must(cvm_retry(0, 1, 100));
	must(cvm_fail(CVM_FAIL_PRIVATE, 1, 1));
	start();
	ok(try_convert(0, 0, PAGES, 0) < 0, "RETRY to private, then refused: the conversion fails");
	is_int(pages_in_state(gpa, 100, 0), 100, "RETRY to private, then refused: 100 pages are private");
	is_int(since(CVM_ACCEPTS), 0, "RETRY to private, then refused: no page is accepted");
	is_int(pages_in_state(gpa + 100 * ST_PAGE_SIZE, PAGES - 100, 1), PAGES - 100,
	       "RETRY to private, then refused: the other pages are shared");
	is_int(try_convert(0, 0, PAGES, 0), 0, "RETRY to private, then refused: the retry succeeds");
	fill(0, ST_DIRECT, PAGES, 17);
	is_int(match(0, ST_DIRECT, PAGES, 17), PAGES, "RETRY to private, then refused: after the retry right bytes");
	st_free(1);
	st_free(0);
}

#ifdef __aarch64__
/* Execute SMC; a program must not call the RSI. */
static void undefined_call(void)
{
	__asm__ volatile(".inst 0xd4000003" : : : "memory");
}
#else
static void undefined_call(void)
{
	__asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc" : : "a"(0) : "memory");
}

static void pvalidate_call(void)
{
	__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff" : : "a"(0), "c"(0), "d"(0) : "memory", "cc");
}

static void vmgexit_call(void)
{
	__asm__ volatile("rep; vmmcall" : : "a"(0) : "memory");
}

static uint64_t kvm_page_state(uint64_t gpa)
{
	uint64_t ret;

	__asm__ volatile("vmmcall" : "=a"(ret) : "a"(12ull), "b"(gpa), "c"(1ull), "d"(0ull) : "memory");
	return ret;
}
#endif

static void undefined_instruction(int sig)
{
	_exit(sig);
}

/*
 * Execute TDCALL, SMC or another instruction in a child process. Return the signal that the child
 * received. The child handles the signal, because the kernel logs unhandled ones.
 */
static int try_call(void (*instruction)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGILL, undefined_instruction);
		signal(SIGSEGV, undefined_instruction);
		instruction();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Check that a program cannot convert memory. */
static void test_privilege(void)
{
	uint64_t gpa = st_alloc(0);

	start();
#ifndef __aarch64__
	if (flavour == CVM_SNP) {
		is_int(try_call(pvalidate_call), SIGSEGV, "PVALIDATE of a program: SIGSEGV");
		is_int(try_call(vmgexit_call), 0, "VMGEXIT of a program: no signal");
		is_int(since(CVM_PSC_4K) + since(CVM_PSC_2M), 0, "VMGEXIT of a program: no page state change");
	}
	if (flavour == CVM_SEV)
		is_int(kvm_page_state(gpa), -1, "page-state call of a program: EPERM");
	else
#endif
		is_int(try_call(undefined_call), SIGILL, "TDCALL or SMC of a program: SIGILL");
	is_int(cvm_page_state(gpa), 0, "call of a program: the page is private");
	is_int(since(CVM_HC_SHARED), 0, "call of a program: hc_shared is unchanged");
	st_free(0);
}

/* ---- the hostile host ---- */

#define BLOCK_WORDS	(PAGES * ST_PAGE_WORDS)
#define FLIP_CALLS	100

static void write_words(volatile uint64_t *p, int first, int pages)
{
	int i;

	for (i = first * ST_PAGE_WORDS; i < (first + pages) * ST_PAGE_WORDS; i++)
		p[i] = st_pattern(20, i / ST_PAGE_WORDS, i % ST_PAGE_WORDS);
}

/* Count the words of pages that differ from what write_words() has written. Mark them in @changed, unless it is NULL. */
static int changed_words(volatile uint64_t *p, int first, int pages, unsigned char *changed)
{
	int i, n = 0;

	for (i = first * ST_PAGE_WORDS; i < (first + pages) * ST_PAGE_WORDS; i++) {
		int differs = p[i] != st_pattern(20, i / ST_PAGE_WORDS, i % ST_PAGE_WORDS);

		n += differs;
		if (changed)
			changed[i] = differs;
	}
	return n;
}

/* Let the host change one word at each exit, make exits, and stop. Return how many words it changed. */
static int flip_some(uint64_t seed)
{
	uint64_t before = cvm_counter(CVM_FLIPS);
	int i;

	must(cvm_flip(seed, 1));
	for (i = 0; i < FLIP_CALLS; i++)
		cvm_counter(CVM_EXITS);
	must(cvm_flip(seed, 0));
	return (int)(cvm_counter(CVM_FLIPS) - before);
}

/* Count the words that both runs have changed. */
static int common_words(const unsigned char *a, const unsigned char *b)
{
	int i, n = 0;

	for (i = 0; i < BLOCK_WORDS; i++)
		n += a[i] && b[i];
	return n;
}

/* Test that the seed determines what changes. Exits that the test does not make only continue the sequence. */
static void test_flip_seed(volatile uint64_t *p)
{
	static unsigned char first[BLOCK_WORDS], again[BLOCK_WORDS], other[BLOCK_WORDS];
	int n, m, flips;

	write_words(p, 0, PAGES);
	flips = flip_some(7);
	n = changed_words(p, 0, PAGES, first);
	ok(flips > FLIP_CALLS && flips < 50 * FLIP_CALLS, "flips: each exit counts one flip");
	/* Few flips hit a word that another one has hit. */
	ok(n <= flips && n > flips * 95 / 100, "flips: as many words differ as flips are counted");
	write_words(p, 0, PAGES);
	flip_some(7);
	m = changed_words(p, 0, PAGES, again);
	is_int(common_words(first, again), n < m ? n : m, "flips: the same seed changes the same words");
	write_words(p, 0, PAGES);
	flip_some(8);
	changed_words(p, 0, PAGES, other);
	ok(common_words(first, other) < n / 2, "flips: another seed changes other words");
}

/* Test that a page is a target only while it is shared. */
static void test_flip_targets(volatile uint64_t *p)
{
	volatile uint64_t *private;
	int flips;

	convert(1, 0, PAGES / 2, 0);
	is_int(cvm_counter(CVM_FLIP_TARGETS), PAGES / 2, "flips: a page that becomes private is no target");
	private = user_map(1, 1);
	write_words(private, 0, PAGES / 2);
	write_words(p, PAGES / 2, PAGES / 2);
	flips = flip_some(9);
	is_int(changed_words(private, 0, PAGES / 2, NULL), 0, "flips: no page that became private changes");
	ok(changed_words(p, PAGES / 2, PAGES / 2, NULL) > flips * 95 / 100,
	   "flips: all flips hit the pages that are shared still");
	convert(1, PAGES / 2, PAGES / 2, 0);
	is_int(cvm_counter(CVM_FLIP_TARGETS), 0, "flips: without shared pages there is no target");
	is_int(flip_some(10), 0, "flips: without targets no flip is counted");
	munmap((void *)private, PAGES * ST_PAGE_SIZE);
}

static void test_flips(void)
{
	volatile uint64_t *earlier, *private, *shared;

	cvm_set_mode(TRAPS);
	st_alloc(0);
	st_alloc(1);
	st_alloc(2);
	convert(0, 0, PAGES, 1);
	is_int(cvm_flip(7, 4097), -1, "cvm_flip of more than 4096 words: -1");
	is_int(cvm_counter(CVM_FLIP_TARGETS), 0, "flips: nothing is a target before cvm_flip");
	is_int(cvm_flip(7, 0), 0, "cvm_flip: 0");
	convert(1, 0, PAGES, 1);
	is_int(cvm_counter(CVM_FLIP_TARGETS), PAGES, "flips: the pages that became shared are targets");
	earlier = user_map(0, 0);
	shared = user_map(1, 0);
	private = user_map(2, 1);
	write_words(earlier, 0, PAGES);
	write_words(private, 0, PAGES);
	arm(TRAPS);
	test_flip_seed(shared);
	is_int(changed_words(earlier, 0, PAGES, NULL), 0, "flips: no page changes that was shared before");
	is_int(changed_words(private, 0, PAGES, NULL), 0, "flips: no private page changes");
	test_flip_targets(shared);
	is_int(violations(), 0, "flips: no violation");
	convert(1, 0, PAGES, 1);
	cvm_flip_end();
	is_int(cvm_counter(CVM_FLIP_TARGETS), 0, "cvm_flip_end: nothing is a target");
	convert(1, 0, PAGES, 0);
	convert(1, 0, PAGES, 1);
	is_int(cvm_counter(CVM_FLIP_TARGETS), 0, "cvm_flip_end: a page that becomes shared is no target");
	munmap((void *)earlier, PAGES * ST_PAGE_SIZE);
	munmap((void *)private, PAGES * ST_PAGE_SIZE);
	munmap((void *)shared, PAGES * ST_PAGE_SIZE);
	convert(0, 0, PAGES, 0);
	convert(1, 0, PAGES, 0);
	st_free(0);
	st_free(1);
	st_free(2);
}

static void test_reset(void)
{
	uint64_t shared = cvm_counter(CVM_PAGES_SHARED);
	int i, n = 0;

	cvm_reset();
	for (i = 0; i < CVM_NR_COUNTERS; i++)
		n += i != CVM_PAGES_SHARED && i != CVM_EXITS && i != CVM_STRAY_DMA && cvm_counter(i);
	is_int(n, 0, "cvm_reset: the counters are 0");
	is_int(cvm_counter(CVM_PAGES_SHARED), shared, "cvm_reset: pages_shared is unchanged");
}

int main(void)
{
	unsigned int mode;

	flavour = cvm_flavour();
	dev = load_module();
	if (dev < 0)
		bail("%s: %s", MODULE_FILE, strerror(errno));
	if (flavour == CVM_PLAIN) {
		/* Without the emulator, test only the module and the device. */
		struct st_call call = { };

		is_int(st_must(ST_CONFIDENTIAL, (struct st_call){}), 0,
		       "cc_platform_has(CC_ATTR_MEM_ENCRYPT): false in a plain guest");
		is_int(try_op(ST_DMA_COHERENT, &call), 0, "coherent DMA: the transfer succeeds");
		is_int(call.result, 0, "coherent DMA: right bytes");
		skip("violations are counted", "the plain flavour has no emulator");
		return done_testing();
	}
	expect_violations("private_alias");
	expect_violations("shared_alias");
	if (flavour == CVM_SNP) {
		expect_violations("unvalidated");
		expect_violations("pvalidate");
		expect_violations("unrescinded");
	}
	if (flavour != CVM_CCA)
		expect_violations("mmio");
	mode = cvm_set_mode(TRAPS);
	cvm_set_mode(mode);
	cvm_mark("the self-test's violations are on purpose");
	test_reset();
	test_identity();
	test_calls();
	test_states();
	test_kernel_mappings();
	test_stale_mapping();
	test_step();
	test_user_mappings();
	test_device_memory();
	test_dma();
	test_stray_dma();
	test_scramble();
	test_leaf();
	test_abort();
	test_launch_pages();
	test_snp();
	test_events();
	test_refusal();
	test_retry();
	test_privilege();
	test_flips();
	cvm_set_mode(mode);
	return done_testing();
}
