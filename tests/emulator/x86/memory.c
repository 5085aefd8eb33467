// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: two banks, and the nested page tables.
 *
 * The shared view of guest page x is machine page x: devices use guest-physical addresses
 * without translation, so they access this view. The private view of the page is in a second
 * bank. The view bit of an address alone selects the bank, never the page's state. Therefore
 * data written through one view does not appear in the other, devices never reach private
 * memory, contents do not survive a conversion, and the banks need no synchronization. The
 * page's state (pages.c) only decides which accesses are violations.
 *
 * Only RAM in the guest's memory map is tracked. Firmware tables, the BIOS, the EBDA and
 * device memory are the same in both views. The private view of the window of PCI devices
 * below 4 GiB is trapped: such an access is encrypted on SEV hardware, and fails in TDX. The
 * rest is never trapped, because guests access it through either view.
 */
#include "x86.h"
#define CVM_NO_CALLS
#include "../guest/cvm_guest.h"

/*
 * Present, writable, accessed, dirty, and user, because TCG performs nested walks as user
 * accesses.
 */
#define NPT_TABLE	0x67ull
#define NPT_LARGE	(NPT_TABLE | BIT(7))

#define FOUR_GIB	GIB(4)

static u64 low_limit;		/* end of the guest's RAM below 4 GiB */
static u64 limit;		/* end of the guest's RAM */
static u64 bank;		/* start of the private bank; the heap follows it */
static u64 heap, heap_end;
/*
 * The roots of the nested page tables for a guest with and without paging. With paging off,
 * there is no view bit, and accesses are private.
 */
static u64 *root, *unpaged_root;

/*
 * The window of PCI devices, between all that the machine's map has below it, and the I/O APIC and
 * other hardware of the board.
 */
#define MMIO_END	0xfec00000ull
static u64 mmio_start;
static u64 *mmio_directory[4];	/* by GiB: its page directory in the private view */

void *rig_alloc(u64 bytes)
{
	void *p = (void *)heap;

	bytes = ALIGN_UP(bytes, PAGE_SIZE);
	if (heap + bytes > heap_end)
		stop("the emulator is out of memory");
	heap += bytes;
	return memset(p, 0, bytes);
}

u64 memory_limit(void)
{
	return limit;
}

u64 memory_low_limit(void)
{
	return low_limit;
}

u64 memory_root(bool paging)
{
	return (u64)(paging ? root : unpaged_root);
}

void *memory_shared(u64 gpa)
{
	return (void *)gpa;
}

void *memory_private(u64 gpa)
{
	return (void *)(bank + gpa);
}

u64 memory_gpa(u64 addr)
{
	return addr & ~VIEW_BIT;
}

enum view memory_which(u64 addr)
{
	return (addr & VIEW_BIT) == flavour->private_bit ? VIEW_PRIVATE : VIEW_SHARED;
}

/* Return true for the emulator's memory, which the guest cannot access. */
static bool hidden(u64 gpa)
{
	return (gpa >= (u64)image_start && gpa < (u64)image_end) ||
	       (gpa >= bank && gpa < heap_end);
}

void *memory_view(u64 addr)
{
	u64 gpa = memory_gpa(addr);

	if (hidden(gpa) || gpa >= VIEW_BIT)
		return NULL;
	if (page_tracked(gpa) && memory_which(addr) == VIEW_PRIVATE)
		return memory_private(gpa);
	return memory_shared(gpa);
}

/*
 * Return the nested entry of a page for a view. Changed entries need no TLB flush on this CPU: TCG
 * flushes the TLB at every VM entry and exit. smp_flush() makes other CPUs exit.
 */
u64 memory_entry(u64 gpa, enum view view)
{
	if (hidden(gpa))
		return 0;
	if (page_tracked(gpa) && view == VIEW_PRIVATE)
		return (bank + gpa) | NPT_TABLE;
	return gpa | NPT_TABLE;
}

/* ---- device memory ---- */

bool memory_is_mmio(u64 gpa)
{
	return gpa >= mmio_start && gpa < MMIO_END;
}

static u64 *mmio_entry(u64 gpa)
{
	return &mmio_directory[gpa / GIB(1)][gpa % GIB(1) / LARGE_SIZE];
}

bool memory_mmio_is_open(u64 gpa)
{
	return *mmio_entry(gpa) & BIT(0);
}

void memory_mmio_open(u64 gpa)
{
	*mmio_entry(gpa) = ALIGN_DOWN(gpa, LARGE_SIZE) | NPT_LARGE;
}

void memory_mmio_close(u64 gpa)
{
	memory_mmio_open(gpa);
	if (!(mode & CVM_MODE_PRIVATE_ALIAS))
		return;
	*mmio_entry(gpa) &= ~BIT(0);
	entries_removed = true;
}

void memory_mmio_rearm(void)
{
	u64 gpa;

	for (gpa = mmio_start; gpa < MMIO_END; gpa += LARGE_SIZE)
		memory_mmio_close(gpa);
}

/* Find the start of the window: the end of all that the machine's map has below it. */
static void find_mmio(const struct memory_map *machine)
{
	u32 i;

	mmio_start = 0;
	for (i = 0; i < machine->n; i++)
		if (machine->r[i].start < MMIO_END && machine->r[i].end > mmio_start)
			mmio_start = ALIGN_UP(machine->r[i].end, LARGE_SIZE);
}

/* ---- setting up ---- */

/*
 * Make the page directory of one GiB: page tables below the limit, 2 MiB pages above it and for
 * devices.
 */
static u64 *make_directory(u64 start, enum view view)
{
	u64 *pd = rig_alloc(PAGE_SIZE), gpa = start;
	u32 i;

	for (i = 0; i < 512; i++, gpa += LARGE_SIZE) {
		if (gpa < limit && !memory_is_mmio(gpa))
			pd[i] = (u64)pages_leaf(gpa, view) | NPT_TABLE;
		else if (!hidden(gpa))
			pd[i] = gpa | NPT_LARGE;
	}
	return pd;
}

/* Check whether a part of the window of devices is in this GiB. */
static bool has_mmio(u64 gib)
{
	return gib < MMIO_END && gib + GIB(1) > mmio_start;
}

/* Make the tables of one view, which is one half of the guest-physical address space. */
static u64 *make_half(enum view view)
{
	u64 *pdpt = rig_alloc(PAGE_SIZE), gpa = 0;
	u32 i;

	for (i = 0; i < 512; i++, gpa += GIB(1)) {
		u64 *pd;

		if (gpa >= heap_end && !has_mmio(gpa)) {
			pdpt[i] = gpa | NPT_LARGE;
			continue;
		}
		pd = make_directory(gpa, view);
		pdpt[i] = (u64)pd | NPT_TABLE;
		if (has_mmio(gpa) && view == VIEW_PRIVATE)
			mmio_directory[i] = pd;
	}
	return pdpt;
}

/*
 * Place the private bank and a heap of @own bytes in the first RAM range above the guest's
 * memory that is large enough.
 */
static void place_bank(const struct memory_map *machine, u64 own)
{
	u32 i;

	for (i = 0; i < machine->n; i++) {
		const struct range *r = &machine->r[i];
		u64 start = ALIGN_UP(r->start > limit ? r->start : limit, LARGE_SIZE);

		if (r->type != E820_RAM || start + limit + own > r->end)
			continue;
		bank = start;
		heap = start + limit;
		heap_end = heap + own;
		return;
	}
	stop("no room for a second bank of %lu MiB: give the machine more memory", limit >> 20);
}

static bool machine_ram(const struct memory_map *machine, u64 start, u64 end)
{
	u32 i;

	for (i = 0; i < machine->n; i++)
		if (machine->r[i].type == E820_RAM &&
		    machine->r[i].start <= start && machine->r[i].end >= end)
			return true;
	return false;
}

static void track_ram(const struct memory_map *machine)
{
	struct memory_map guest;
	u32 i;

	memory_guest_map(machine, &guest);
	for (i = 0; i < guest.n; i++) {
		if (guest.r[i].type != E820_RAM)
			continue;
		/* The partial page at 640 KiB belongs to the firmware. */
		pages_track(ALIGN_UP(guest.r[i].start, PAGE_SIZE), guest.r[i].end);
	}
}

void memory_init(const struct memory_map *machine, u64 low, u64 high)
{
	u64 n;

	low_limit = ALIGN_DOWN(low, LARGE_SIZE);
	limit = high ? FOUR_GIB + ALIGN_DOWN(high, LARGE_SIZE) : low_limit;
	n = limit >> PAGE_SHIFT;
	if (low_limit < MIB(256) || (u64)image_end > low_limit)
		stop("a guest needs at least 256 MiB");
	if (!machine_ram(machine, MIB(1), low_limit))
		stop("%lu MiB of guest memory do not fit below 4 GiB", low_limit >> 20);
	if (high && !machine_ram(machine, FOUR_GIB, limit))
		stop("%lu MiB of guest memory do not fit above 4 GiB", high >> 20);

	find_mmio(machine);
	/*
	 * The heap has the leaf entries, the page states, the RMP, the targets of flip.c and the
	 * upper page tables.
	 */
	place_bank(machine, ALIGN_UP(n * (2 * sizeof(u64) + 2) + n / 4 + MIB(2), LARGE_SIZE));
	pages_init(0, limit);
	track_ram(machine);
	pages_rearm();

	root = rig_alloc(PAGE_SIZE);
	unpaged_root = rig_alloc(PAGE_SIZE);
	unpaged_root[0] = (u64)make_half(VIEW_PRIVATE) | NPT_TABLE;
	root[flavour->private_bit ? 1 : 0] = unpaged_root[0];
	root[flavour->private_bit ? 0 : 1] = (u64)make_half(VIEW_SHARED) | NPT_TABLE;
	memory_mmio_rearm();
	log_("guest memory %lu MiB, and %lu MiB above 4 GiB, private bank at %lx",
	     low_limit >> 20, (high ? limit - FOUR_GIB : 0) >> 20, bank);
}

static void add_range(struct memory_map *map, u64 start, u64 end, u32 type)
{
	if (start >= end)
		return;
	if (map->n == MAX_RANGES)
		stop("too many memory ranges");
	map->r[map->n++] = (struct range){ start, end, type };
}

static u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* Add the machine's RAM in [start, end), with the launch pages and the emulator reserved. */
static void add_ram(struct memory_map *guest, u64 start, u64 end)
{
	const struct range holes[] = {
		flavour->launch,
		{ (u64)image_start, (u64)image_end, E820_RESERVED },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		const struct range *hole = &holes[i];

		add_range(guest, start, min_u64(end, hole->start), E820_RAM);
		add_range(guest, max_u64(start, hole->start), min_u64(end, hole->end),
			  E820_RESERVED);
		start = max_u64(start, hole->end);
	}
	add_range(guest, start, end, E820_RAM);
}

/*
 * Make the guest's memory map: the machine's map with the launch pages, the emulator and all
 * RAM above the limits reserved.
 */
void memory_guest_map(const struct memory_map *machine, struct memory_map *guest)
{
	u32 i;

	guest->n = 0;
	for (i = 0; i < machine->n; i++) {
		const struct range *r = &machine->r[i];
		u64 top = r->start < FOUR_GIB ? low_limit : limit;

		if (r->type != E820_RAM) {
			add_range(guest, r->start, r->end, r->type);
			continue;
		}
		add_ram(guest, r->start, min_u64(r->end, top));
		add_range(guest, max_u64(r->start, top), r->end, E820_RESERVED);
	}
}
