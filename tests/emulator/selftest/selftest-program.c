// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's self-test. Each part does something to memory through the module
 * cvm_selftest, right or wrong, and compares what the emulator counted and which bytes
 * were seen with what must come of it. Where a trap must count, the same access is also
 * made with the trap off, which must count nothing: so it is the trap that counted.
 */
#include <signal.h>
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

/* ---- the parts ---- */

/* How the harness arms a guest. */
static unsigned int usual_mode(void)
{
	return TRAPS | CVM_MODE_SCRAMBLE | (flavour == CVM_CCA ? CVM_MODE_ZERO : 0);
}

static void test_identity(void)
{
	static const char *const names[] = { "plain", "sev", "tdx", "cca" };
	char text[16] = "";
	FILE *f = popen("cvmctl present", "r");

	if (!f || !fgets(text, sizeof(text), f))
		text[0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (f)
		pclose(f);
	is_str(text, names[flavour], "cvmctl and the header agree on the flavour");
	is_int(must(ST_CONFIDENTIAL, (struct st_call){}), 1, "the kernel takes it for a confidential guest");
	is_int(cvm_set_mode(CVM_MODE_ALL), usual_mode(), "the harness has armed the traps, and the old mode is returned");
	is_int(cvm_set_mode(TRAPS), CVM_MODE_ALL, "the mode is what was set");
	is_int((int)cvm_set_mode(CVM_MODE_ALL + 1), -1, "no unknown mode");
	is_int(cvm_set_mode(TRAPS), TRAPS, "which changes nothing");
	ok(cvm_counter(CVM_NR_COUNTERS) == CVM_ERROR, "no unknown counter");
	is_int(cvm_page_state(0xb8000), -1, "video memory is no RAM");
	is_int(cvm_page_state(flavour == CVM_CCA ? REALM_SHARED : 128ull << 20), -1, "nor is the emulator");
	is_int(cvm_page_state(1ull << 38), -1, "nor is what does not exist");
}

/*
 * A block whose direct-map leaf is whole: its conversion splits nothing, and so costs one
 * call in SEV. Boot has split some leaves; the blocks in those are held while looking on,
 * so as not to come again.
 */
static int find_whole_block(void)
{
	int slot, found = -1, last;

	for (slot = 0; slot < 16 && found < 0; slot++) {
		st_alloc(slot);
		start();
		convert(slot, 0, PAGES, 1);
		if (since(CVM_HC_SHARED) == 1)
			found = slot;
		convert(slot, 0, PAGES, 0);
	}
	last = slot;
	for (slot = 0; slot < last; slot++)
		if (slot != found)
			st_free(slot);
	return found;
}

/* A block there and back in pieces: the calls, pages and accepts of each way. */
static void check_pieces(int slot, int piece, const char *what, long long sev, long long others)
{
	long long want = flavour == CVM_SEV ? sev : others;
	uint64_t before = cvm_counter(CVM_PAGES_SHARED);
	int page;

	start();
	for (page = 0; page < PAGES; page += piece)
		convert(slot, page, piece, 1);
	is_int(since(CVM_HC_SHARED), want, "%s: calls to shared", what);
	is_int(since(CVM_PAGES_TO_SHARED), PAGES, "%s: pages to shared", what);
	is_int(cvm_counter(CVM_PAGES_SHARED) - before, PAGES, "%s: pages shared now", what);
	start();
	for (page = 0; page < PAGES; page += piece)
		convert(slot, page, piece, 0);
	is_int(since(CVM_HC_PRIVATE), want, "%s: calls to private", what);
	is_int(since(CVM_PAGES_TO_PRIVATE), PAGES, "%s: pages to private", what);
	is_int(cvm_counter(CVM_PAGES_SHARED) - before, 0, "%s: pages shared as before", what);
	/* A whole 2 MiB page is accepted at once, less of it by 4 KiB pages. */
	want = flavour != CVM_TDX ? 0 : piece == PAGES ? 1 : PAGES;
	is_int(since(CVM_ACCEPTS), want, "%s: accepts", what);
}

static void test_calls(void)
{
	int slot = find_whole_block();

	if (slot < 0) {
		fail("one of 16 blocks has a whole leaf in the direct map");
		return;
	}
	cvm_set_mode(TRAPS);
	check_pieces(slot, 512, "2 MiB in one piece", 1, 1);
	check_pieces(slot, 512, "and once more", 1, 1);
	check_pieces(slot, 256, "1 MiB pieces", 512, 2);
	check_pieces(slot, 16, "64 KiB pieces", 512, 32);
	check_pieces(slot, 1, "4 KiB pieces", 512, 512);
	check_pieces(slot, 512, "one piece, the leaf split", 512, 1);
	if (flavour == CVM_CCA) {
		is_int(cvm_chunk(128), 0, "the host converts 128 pages at once");
		check_pieces(slot, 512, "2 MiB, 128 pages at once", 0, 4);
		cvm_chunk(0);
	} else {
		is_int(cvm_chunk(128), -1, "only a Realm's host converts less than it was asked to");
	}
	if (flavour != CVM_TDX)
		is_int(cvm_partial(1), -1, "only a TDX guest is refused in the middle");
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
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "new memory is private");
	convert(0, 128, 256, 1);
	is_int(pages_in_state(gpa, 128, 0), 128, "before the converted part: private");
	is_int(pages_in_state(gpa + 128 * ST_PAGE_SIZE, 256, 1), 256, "the converted part: shared");
	is_int(pages_in_state(gpa + 384 * ST_PAGE_SIZE, 128, 0), 128, "behind it: private");
	is_int(cvm_page_state(gpa + 200 * ST_PAGE_SIZE + view), 1,
	       "the address bit of the view does not matter");
	snprintf(command, sizeof(command), "cvmctl page 0x%llx",
		 (unsigned long long)gpa + 200 * ST_PAGE_SIZE);
	f = popen(command, "r");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = 0;
		pclose(f);
	}
	is_str(text, "shared\n", "cvmctl page says the same");

	/* Every page asked, against the counter. */
	for (page = ram_start; page < limit && ram > 0; page += ST_PAGE_SIZE) {
		int state = cvm_page_state(page);

		n += state == 1;
		if (page >= (256ull << 20) && state < 0)
			break;
	}
	is_int(n, cvm_counter(CVM_PAGES_SHARED), "as many pages are shared as are counted");
	convert(0, 128, 256, 0);
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "all private again");
	is_int(violations(), 0, "no violation in all this");
	st_free(0);
}

/* Shared memory through the right and the wrong kernel mapping. */
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
	is_int(violations(), 0, "neither is a violation");

	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 1), 0, "shared, no pgprot_decrypted: wrong bytes");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES, "shared, no pgprot_decrypted: a violation for each page");
	is_int(since(CVM_VIOL_SHARED_ALIAS), 0, "of this kind only");
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES, "a page counts once");
	cvm_rearm();
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2 * PAGES, "and again when armed again");

	arm(TRAPS);
	fill(0, ST_VMAP_PRIVATE, PAGES, 2);
	is_int(match(0, ST_DIRECT, PAGES, 1), PAGES, "a write through the wrong mapping is not seen");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES, "and counts");
	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 2), PAGES, "except through the wrong mapping itself");

	arm(CVM_MODE_SHARED_ALIAS);
	is_int(match(0, ST_VMAP_PRIVATE, PAGES, 1), 0, "this trap off: wrong bytes as well");
	is_int(violations(), 0, "this trap off: nothing counts");
	arm(0);
	match(0, ST_VMAP_PRIVATE, PAGES, 1);
	is_int(violations(), 0, "nor with both traps off");

	unmap(0, ST_VMAP_PRIVATE);
	unmap(0, ST_VMAP_SHARED);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* A shared mapping that outlives the sharing, and one made of private memory. */
static void test_stale_mapping(void)
{
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	map(0, ST_VMAP_SHARED);
	arm(TRAPS);
	fill(0, ST_VMAP_SHARED, PAGES, 3);
	convert(0, 0, PAGES, 0);
	fill(0, ST_DIRECT, PAGES, 4);
	is_int(violations(), 0, "while shared, and through the direct map: no violation");

	is_int(match(0, ST_VMAP_SHARED, PAGES, 4), 0, "stale shared mapping: wrong bytes");
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES, "stale shared mapping: a violation for each page");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 0, "of this kind only");
	is_int(match(0, ST_VMAP_SHARED, PAGES, 3), PAGES, "it shows what it showed before");
	cvm_rearm();
	fill(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(since(CVM_VIOL_SHARED_ALIAS), 2 * PAGES, "a write counts, too");
	is_int(match(0, ST_DIRECT, PAGES, 4), PAGES, "and is not seen");

	/* Shared once more, the page counts anew when it has become private. */
	convert(0, 0, PAGES, 1);
	start();
	match(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(violations(), 0, "shared again: right again");
	convert(0, 0, PAGES, 0);
	match(0, ST_VMAP_SHARED, PAGES, 5);
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES, "a conversion arms the page again");

	arm(CVM_MODE_PRIVATE_ALIAS);
	is_int(match(0, ST_VMAP_SHARED, PAGES, 4), 0, "this trap off: wrong bytes as well");
	is_int(violations(), 0, "this trap off: nothing counts");
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
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "five reads count once");
	arm(TRAPS | CVM_MODE_STEP);
	read_word(0, ST_VMAP_PRIVATE, 7, 5);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5, "in step mode each counts");
	fill(0, ST_VMAP_PRIVATE, 1, 6);
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5 + ST_PAGE_WORDS, "and so does each write");
	start();
	fill(0, ST_DIRECT, 4, 6);
	is_int(match(0, ST_DIRECT, 4, 6), 4, "right accesses do their work in step mode");
	is_int(violations(), 0, "and do not count");
	arm(CVM_MODE_STEP);
	read_word(0, ST_VMAP_PRIVATE, 7, 5);
	is_int(violations(), 0, "step mode alone traps nothing");
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
	is_int(read_word(0, ST_DIRECT, 3, 1) == st_pattern(9, 0, 0), 1, "its write is seen by the kernel");
	is_int(violations(), 0, "no violation");
	is_int(user_match(wrong, 8), 0, "user mapping, wrong: wrong bytes");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), PAGES, "a violation for each page");
	arm(TRAPS | CVM_MODE_STEP);
	for (i = 0; i < 5; i++)
		wrong[i * ST_PAGE_WORDS] = 1;
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 5, "in step mode each write");
	is_int(right[4 * ST_PAGE_WORDS] == st_pattern(8, 4, 0), 1, "which is not seen");
	arm(0);
	is_int(user_match(wrong, 8), 0, "traps off: wrong bytes as well");
	is_int(violations(), 0, "and nothing counts");

	/* The page goes private under the right mapping. */
	convert(0, 0, PAGES, 0);
	arm(TRAPS);
	user_match(right, 8);
	is_int(since(CVM_VIOL_SHARED_ALIAS), PAGES, "a stale user mapping counts");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 0, "as a shared alias only");
	munmap((void *)right, PAGES * ST_PAGE_SIZE);
	munmap((void *)wrong, PAGES * ST_PAGE_SIZE);
	st_free(0);
}

/* A real device sees the shared view only. */
static void test_dma(void)
{
	const struct st_call page0 = { .slot = 0 }, page1 = { .slot = 0, .page = 1 };
	struct st_call call = { };
	uint64_t first;

	arm(TRAPS | CVM_MODE_SCRAMBLE);
	is_int(try_op(ST_DMA_COHERENT, &call), 0, "coherent memory: the device copies");
	is_int(call.result, 0, "the right bytes");
	is_int(call.arg, 2, "and the allocation has shared its two pages");
	call = (struct st_call){ };
	is_int(try_op(ST_DMA_STREAMING, &call), 0, "streaming: the device copies");
	is_int(call.result, 0, "the right bytes");
	is_int(call.arg, 2, "both ways through a bounce buffer");
	is_int(violations(), 0, "no violation");
	cvm_set_mode(TRAPS);

	/* A shared block, by its plain address: the device and the CPU see the same. */
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, 2, 10);
	must(ST_DMA_TO_DEVICE, page0);
	must(ST_DMA_FROM_DEVICE, page1);
	first = st_pattern(10, 0, 0);
	is_int(read_word(0, ST_DIRECT, 1, 1) == first, 1, "shared, plain address: the device writes it");

	/* A private one: it reads something else, and what it writes does not arrive. */
	convert(0, 0, PAGES, 0);
	fill(0, ST_DIRECT, 2, 11);
	must(ST_DMA_FROM_DEVICE, page1);
	is_int(match(0, ST_DIRECT, 2, 11), 2, "private: what the device writes does not arrive");
	must(ST_DMA_TO_DEVICE, page0);
	convert(0, 0, PAGES, 1);
	fill(0, ST_DIRECT, 2, 12);
	must(ST_DMA_FROM_DEVICE, page1);
	is_int(read_word(0, ST_DIRECT, 1, 1) == st_pattern(11, 0, 0), 0, "nor does it read the secret");
	is_int(read_word(0, ST_DIRECT, 1, 1) == first, 1, "but what the shared view last held");
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* A device that writes to a wrong address is found, page by page. */
static void test_stray_dma(void)
{
	const struct st_call shared = { .slot = 0, .page = 3 }, bare = { .slot = 0, .page = 3, .arg = 1 };

	if (flavour != CVM_CCA) {
		skip("stray DMA is found", "only a Realm's devices have wrong addresses that can be told");
		return;
	}
	printf("# expect-stray-dma\n");
	st_alloc(0);
	stray_base = cvm_counter(CVM_STRAY_DMA);
	is_int(stray_base, 0, "nothing of it so far");
	arm(TRAPS | CVM_MODE_ZERO);
	convert(0, 0, PAGES, 1);
	must(ST_DMA_FROM_DEVICE, shared);
	is_int(since(CVM_STRAY_DMA), 0, "DMA to a shared page is not stray");
	must(ST_DMA_FROM_DEVICE, bare);
	is_int(since(CVM_STRAY_DMA), 1, "DMA without the shared bit is");
	is_int(since(CVM_STRAY_DMA), 1, "and counts once");
	convert(0, 0, PAGES, 0);
	is_int(since(CVM_STRAY_DMA), 1, "what a page held when it was shared does not count");
	must(ST_DMA_FROM_DEVICE, shared);
	is_int(since(CVM_STRAY_DMA), 2, "DMA to a page that is private does");
	is_int(violations(), 0, "none of them is a wrong access of the guest");
	st_free(0);
}

/* A Realm's mappings, as the kernel has made them. */
static void test_leaf(void)
{
	if (flavour != CVM_CCA) {
		is_int(cvm_leaf(0), -1, "only a Realm's mappings can be looked up");
		return;
	}
	st_alloc(0);
	is_int(leaf_of(0, 5), ST_PAGE_SIZE, "the direct map has an entry for each page");
	convert(0, 4, 2, 1);
	is_int(leaf_of(0, 3), ST_PAGE_SIZE, "before a shared page: private");
	is_int(leaf_of(0, 5), ST_PAGE_SIZE | CVM_LEAF_SHARED, "a shared page: shared");
	convert(0, 4, 2, 0);
	is_int(leaf_of(0, 5), ST_PAGE_SIZE, "private again");
	is_int(cvm_leaf(~0ull - 4095), 0, "the last page of all is not mapped");
	st_free(0);
}

static void bus_error(int sig)
{
	_exit(sig);
}

/* A read in a child; the signal it gets. */
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
		skip("wrong accesses abort", "only a Realm's guest survives that");
		return;
	}
	st_alloc(0);
	convert(0, 0, PAGES, 1);
	right = user_map(0, 0);
	wrong = user_map(0, 1);
	arm(TRAPS | CVM_MODE_ABORT);
	is_int(try_read(right), 0, "aborts: a right access is none");
	is_int(try_read(wrong), SIGBUS, "a wrong access is a bus error");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "and counts");
	is_int(try_read(wrong), SIGBUS, "as often as it is tried");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 2, "each time");
	arm(TRAPS);
	is_int(try_read(wrong), 0, "without aborts it goes on");
	is_int(since(CVM_VIOL_PRIVATE_ALIAS), 1, "and counts, too");
	munmap((void *)right, PAGES * ST_PAGE_SIZE);
	munmap((void *)wrong, PAGES * ST_PAGE_SIZE);
	convert(0, 0, PAGES, 0);
	st_free(0);
}

/* How many words of a page are neither zero nor the pattern's. */
static int garbage_words(volatile uint64_t *p, unsigned int seed)
{
	int i, n = 0;

	for (i = 0; i < ST_PAGE_WORDS; i++)
		n += p[i] && p[i] != st_pattern(seed, 0, i);
	return n;
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
	is_int(garbage_words(shared, 13), 0, "no scrambling: the shared view's old bytes");

	cvm_set_mode(TRAPS | CVM_MODE_SCRAMBLE);
	convert(0, 0, PAGES, 0);
	if (flavour != CVM_TDX)
		ok(garbage_words(private, 13) > 500, "scrambling: a page is garbage when private again");
	else
		is_int(garbage_words(private, 0) + (private[0] || private[511]), 0,
		       "accepting a page zeroes it");
	fill(0, ST_DIRECT, 1, 14);
	convert(0, 0, PAGES, 1);
	ok(garbage_words(shared, 13) > 500, "scrambling: a page is garbage when shared");
	ok(garbage_words(shared, 14) > 500, "and not its private bytes");
	before = shared[0];
	convert(0, 0, PAGES, 0);
	convert(0, 0, PAGES, 1);
	ok(shared[0] != before, "other garbage each time");
	ok(shared[0] != shared[ST_PAGE_WORDS], "and in each page");
	fill(0, ST_DIRECT, 1, 15);
	convert(0, 0, 1, 1);
	is_int(garbage_words(shared, 15), 0, "announcing a shared page again changes nothing");
	convert(0, 0, PAGES, 0);
	cvm_set_mode(TRAPS);
	munmap((void *)shared, PAGES * ST_PAGE_SIZE);
	munmap((void *)private, PAGES * ST_PAGE_SIZE);
	st_free(0);
}

/* A Realm's refused block has no entry in the direct map; being made private mends that. */
static void check_refused_leaf(unsigned int slot)
{
	is_int(leaf_of(slot, 7), 0, "refused to shared: the direct map's entry is invalid");
	is_int(try_convert(slot, 0, PAGES, 0), 0, "but the pages can be made private again");
	is_int(leaf_of(slot, 7), ST_PAGE_SIZE, "which makes it valid");
	fill(slot, ST_DIRECT, PAGES, 16);
	is_int(match(slot, ST_DIRECT, PAGES, 16), PAGES, "and the block usable");
}

/* Refused conversions, where the guest is told (TDX, CCA). */
static void test_refusal(void)
{
	uint64_t gpa;

	if (flavour == CVM_SEV) {
		is_int(cvm_fail(CVM_FAIL_SHARED, 0, 1), -1, "SEV conversions cannot be made to fail");
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
	is_int(cvm_fail(CVM_FAIL_SHARED, 1, 1), 0, "refusal asked for: the second to shared");
	is_int(try_convert(1, 0, PAGES, 1), 0, "refused to shared: the first is skipped");
	ok(try_convert(0, 0, PAGES, 1) < 0, "refused to shared: the second fails");
	is_int(since(CVM_CONV_FAILED), 1, "and is counted");
	is_int(since(CVM_HC_SHARED), 1, "as no conversion");
	is_int(pages_in_state(gpa, PAGES, 0), PAGES, "refused to shared: its pages stay private");
	if (flavour == CVM_CCA)
		check_refused_leaf(0);
	is_int(try_convert(1, 0, PAGES, 0), 0, "the other direction works");

	cvm_fail(CVM_FAIL_PRIVATE, 0, 1);
	is_int(try_convert(1, 0, PAGES, 1), 0, "refused to private: to shared works");
	ok(try_convert(1, 0, PAGES, 0) < 0, "and back fails");
	is_int(since(CVM_CONV_FAILED), 2, "and is counted");
	is_int(try_convert(1, 0, PAGES, 0), 0, "once");
	cvm_fail(CVM_FAIL_SHARED | CVM_FAIL_PRIVATE, 0, 1);
	cvm_fail(0, 0, 0);
	is_int(try_convert(1, 0, PAGES, 1), 0, "switched off, none fails");
	is_int(try_convert(1, 0, PAGES, 0), 0, "in both directions");
	st_free(1);
	/* TDX: its direct map is shared and it is not, so that the module does not give it back. */
	st_free(0);
}

#ifdef __aarch64__
/* RSI is for the kernel: an SMC of a program. */
static void undefined_call(void)
{
	__asm__ volatile(".inst 0xd4000003" : : : "memory");
}
#else
static void undefined_call(void)
{
	__asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc" : : "a"(0) : "memory");
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

/* TDCALL or SMC in a child; the signal it gets, caught as the kernel logs others. */
static int try_undefined_call(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGILL, undefined_instruction);
		undefined_call();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A program must not convert memory by itself. */
static void test_privilege(void)
{
	uint64_t gpa = st_alloc(0);

	start();
#ifndef __aarch64__
	if (flavour == CVM_SEV)
		is_int(kvm_page_state(gpa), -1, "a page-state call of a program is refused");
	else
#endif
		is_int(try_undefined_call(), SIGILL, "TDCALL or SMC of a program is an undefined instruction");
	is_int(cvm_page_state(gpa), 0, "and changes nothing");
	is_int(since(CVM_HC_SHARED), 0, "nor counts");
	st_free(0);
}

static void test_reset(void)
{
	uint64_t shared = cvm_counter(CVM_PAGES_SHARED);
	int i, n = 0;

	cvm_reset();
	for (i = 0; i < CVM_NR_COUNTERS; i++)
		n += i != CVM_PAGES_SHARED && i != CVM_EXITS && i != CVM_STRAY_DMA && cvm_counter(i);
	is_int(n, 0, "reset zeroes the counters");
	is_int(cvm_counter(CVM_PAGES_SHARED), shared, "but not what is shared now");
}

int main(void)
{
	unsigned int mode;

	flavour = cvm_flavour();
	dev = load_module();
	if (dev < 0)
		bail("%s: %s", MODULE_FILE, strerror(errno));
	if (flavour == CVM_PLAIN) {
		/* The devices and the module work there, which is all there is to test. */
		struct st_call call = { };

		is_int(must(ST_CONFIDENTIAL, (struct st_call){}), 0, "a plain guest is not confidential");
		is_int(try_op(ST_DMA_COHERENT, &call), 0, "coherent memory: the device copies");
		is_int(call.result, 0, "the right bytes");
		skip("violations are caught", "there is no emulator in the plain flavour");
		return done_testing();
	}
	expect_violations("private_alias");
	expect_violations("shared_alias");
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
	test_dma();
	test_stray_dma();
	test_scramble();
	test_leaf();
	test_abort();
	test_refusal();
	test_privilege();
	cvm_set_mode(mode);
	return done_testing();
}
