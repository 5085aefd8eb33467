// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: two banks, and the stage 2 tables.
 *
 * S = 1 << (ipa_bits - 1) is the shared bit, G is the size of the guest's RAM. For a guest page x
 * in [RAM, RAM + G), the machine has
 *
 *   x                          the target of DMA without the shared bit. The guest cannot reach
 *                              this memory; it is zero, so that a device's write is detected.
 *   x | S                      the shared view. Linux sets the shared bit in DMA addresses, which
 *                              devices use without translation.
 *   x - RAM + (RAM | S) + G    the private view
 *
 * The emulator is between S and RAM | S. QEMU's RAM covers all these addresses, but only used
 * pages consume memory. The view bit of an address alone selects the bank, never the page's
 * state, as in the other flavours.
 *
 * Addresses below the RAM, and from 256 GiB up, are devices, the same in both halves.
 */
#include "arm64.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/* Stage 2 entries. */
#define S2_TABLE	3ull
#define S2_PAGE		0x7ffull		/* normal memory, shareable, accessed */
#define S2_DEVICE	(0x4c5ull | BIT(54))	/* a 1 GiB block, not executable */
#define HIGH_DEVICES	GIB(256)
#define ROOT_ENTRIES	1024			/* 40 bits: two adjacent level 1 tables */
#define LARGE_SIZE	MIB(2)

u32 ipa_bits = 32;
u64 shared_bit, guest_end;

static u64 private_bank;
static u64 heap, heap_end;
static u64 *root;

void *rig_alloc(u64 bytes)
{
	void *p = (void *)heap;

	bytes = ALIGN_UP(bytes, PAGE_SIZE);
	if (heap + bytes > heap_end)
		stop("the emulator is out of memory");
	heap += bytes;
	return memset(p, 0, bytes);
}

u64 memory_gpa(u64 addr)
{
	return addr & ~shared_bit;
}

enum view memory_which(u64 ipa)
{
	return ipa & shared_bit ? VIEW_SHARED : VIEW_PRIVATE;
}

void *memory_shared(u64 gpa)
{
	return (void *)(gpa | shared_bit);
}

void *memory_private(u64 gpa)
{
	return (void *)(gpa - RAM_START + private_bank);
}

u64 memory_entry(u64 gpa, enum view view)
{
	return (u64)(view == VIEW_PRIVATE ? memory_private(gpa) : memory_shared(gpa)) | S2_PAGE;
}

u64 memory_root(void)
{
	return (u64)root;
}

void memory_flush(void)
{
	asm volatile("dsb ishst; tlbi vmalls12e1is; dsb ish; isb" : : : "memory");
}

void memory_init(u64 machine_end)
{
	u64 bank = RAM_START | shared_bit, bytes;

	if (machine_end <= bank)
		stop("the machine has too little memory for addresses of %u bits", ipa_bits);
	bytes = ALIGN_DOWN((machine_end - bank) / 2, LARGE_SIZE);
	if (bytes > shared_bit - RAM_START)
		stop("%lu MiB of guest memory do not fit into %u bits", bytes >> 20, ipa_bits);
	guest_end = RAM_START + bytes;
	private_bank = bank + bytes;
	heap = ALIGN_UP((u64)image_end, LARGE_SIZE);
	heap_end = bank;
}

/* Make the level 2 table of one GiB of guest RAM. */
static u64 *make_directory(u64 start, enum view view)
{
	u64 *table = rig_alloc(PAGE_SIZE), gpa = start;
	u32 i;

	for (i = 0; i < 512 && gpa < guest_end; i++, gpa += LARGE_SIZE)
		table[i] = (u64)pages_leaf(gpa, view) | S2_TABLE;
	return table;
}

static u64 root_entry(u64 ipa)
{
	u64 gpa = memory_gpa(ipa);

	if (gpa < RAM_START || gpa >= HIGH_DEVICES)
		return gpa | S2_DEVICE;
	if (gpa < guest_end && ipa < 2 * shared_bit)
		return (u64)make_directory(gpa, memory_which(ipa)) | S2_TABLE;
	return 0;
}

void memory_stage2(void)
{
	u64 i;

	pages_init(RAM_START, guest_end);
	pages_track(RAM_START, guest_end);
	pages_rearm();
	/* Adjacent root tables must be aligned to their total size. */
	heap = ALIGN_UP(heap, ROOT_ENTRIES * sizeof(*root));
	root = rig_alloc(ROOT_ENTRIES * sizeof(*root));
	for (i = 0; i < ROOT_ENTRIES; i++)
		root[i] = root_entry(GIB(i));
	log_("guest memory %lu MiB, shared bit %lx, private bank at %lx",
	     (guest_end - RAM_START) >> 20, shared_bit, private_bank);
}

/* ---- DMA to a wrong address ---- */

/* Return true if the page is not zero, and zero it. */
static bool stray(void *page)
{
	const u64 *p = page, *end = page + PAGE_SIZE;
	u64 any = 0;

	for (; p < end; p += 8)
		any |= p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
	if (any)
		memset(page, 0, PAGE_SIZE);
	return any;
}

static bool log_stray(u64 gpa, u32 found, const char *what)
{
	if (found < 20)
		log_("stray DMA: page %lx %s", gpa, what);
	return true;
}

u64 stray_pages(void)
{
	bool direct = false, shared = false;	/* was the memory touched that contains these views of the page? */
	u64 gpa, n = 0;

	for (gpa = RAM_START; gpa < guest_end; gpa += PAGE_SIZE) {
		if (!(gpa % HOST_RANGE)) {
			direct = host_touched(gpa);
			shared = mode & CVM_MODE_ZERO && host_touched((u64)memory_shared(gpa));
		}
		if (direct && stray((void *)gpa))
			n += log_stray(gpa, n, "without the shared bit");
		if (shared && page_is_clean(gpa) && stray(memory_shared(gpa)))
			n += log_stray(gpa, n, "while private");
	}
	return n;
}
