// SPDX-License-Identifier: GPL-2.0-only
/* Load a Linux kernel into the private bank, by the 64-bit boot protocol. */
#include "x86.h"

/* Addresses of the boot data in the guest's low memory. The kernel reuses this memory later. */
#define BOOT_PARAMS	0x10000ull
#define CMDLINE		0x11000ull
#define GDT		0x12000ull
#define PAGE_TABLES	0x13000ull	/* 6 pages */
#define CMDLINE_MAX	2048

/* Offsets in struct boot_params and in its setup header (Documentation/arch/x86/boot.rst). */
#define BP_E820_ENTRIES	0x1e8
#define BP_HEADER	0x1f1
#define BP_E820		0x2d0
#define BP_E820_MAX	128
#define HDR_SETUP_SECTS	0x1f1
#define HDR_JUMP_LENGTH	0x201
#define HDR_START	0x202		/* the header's length is relative to this offset */
#define HDR_MAGIC	0x202
#define HDR_VERSION	0x206
#define HDR_LOADER	0x210
#define HDR_INITRD	0x218
#define HDR_INITRD_SIZE	0x21c
#define HDR_CMDLINE	0x228
#define HDR_INITRD_MAX	0x22c
#define HDR_XLOADFLAGS	0x236
#define HDR_SETUP_DATA	0x250
#define HDR_PREF	0x258
#define HDR_INIT_SIZE	0x260
#define ENTRY_64	0x200

#define CS_64		0x10
#define DS_64		0x18

struct e820_entry {
	u64 start, size;
	u32 type;
} __packed;

static u16 get16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

static u32 get32(const u8 *p)
{
	return get16(p) | (u32)get16(p + 2) << 16;
}

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(u8 *p, u64 v)
{
	memcpy(p, &v, sizeof(v));
}

static void check_kernel(const struct blob *kernel)
{
	const u8 *k = kernel->data;

	if (kernel->size < KIB(32) || get32(k + HDR_MAGIC) != 0x53726448 /* HdrS */ ||
	    get16(k + HDR_VERSION) < 0x20c || !(get16(k + HDR_XLOADFLAGS) & 1))
		stop("the kernel is not a 64-bit bzImage");
	if (get64(k + HDR_PREF) + get32(k + HDR_INIT_SIZE) > (u64)image_start)
		stop("the kernel needs memory up to %lx, where the emulator is",
		     get64(k + HDR_PREF) + get32(k + HDR_INIT_SIZE));
}

static void load_code(const struct blob *kernel, u64 at)
{
	u32 setup = (kernel->data[HDR_SETUP_SECTS] + 1) * 512;

	memcpy(memory_private(at), kernel->data + setup, kernel->size - setup);
}

/*
 * Copy the initramfs to the top of guest RAM below 4 GiB, away from any address that the kernel may
 * choose for itself. Return its address.
 */
static u64 load_initrd(const struct blob *initrd, u64 max)
{
	u64 end = memory_low_limit() < max ? memory_low_limit() : max + 1;
	u64 at = ALIGN_DOWN(end - initrd->size, PAGE_SIZE);

	if (initrd->size >= end || at < (u64)image_end)
		stop("no room for the initramfs");
	memcpy(memory_private(at), initrd->data, initrd->size);
	return at;
}

static void fill_e820(u8 *bp, const struct memory_map *map)
{
	struct e820_entry *e = (void *)(bp + BP_E820);
	u32 i;

	if (map->n > BP_E820_MAX)
		stop("too many memory ranges");
	for (i = 0; i < map->n; i++)
		e[i] = (struct e820_entry){ map->r[i].start, map->r[i].end - map->r[i].start,
					    map->r[i].type };
	bp[BP_E820_ENTRIES] = map->n;
}

static void fill_boot_params(const struct blob *kernel, const struct blob *cmdline,
			     const struct memory_map *map, u64 initrd, u64 initrd_size)
{
	u8 *bp = memory_private(BOOT_PARAMS), *text = memory_private(CMDLINE);
	u64 length = cmdline->size;

	memset(bp, 0, PAGE_SIZE);
	memcpy(bp + BP_HEADER, kernel->data + BP_HEADER,
	       HDR_START + kernel->data[HDR_JUMP_LENGTH] - BP_HEADER);
	fill_e820(bp, map);
	bp[HDR_LOADER] = 0xff;
	put32(bp + HDR_INITRD, initrd);
	put32(bp + HDR_INITRD_SIZE, initrd_size);
	put32(bp + HDR_CMDLINE, CMDLINE);

	while (length && cmdline->data[length - 1] == '\n')
		length--;
	if (length >= CMDLINE_MAX)
		stop("the kernel's command line is too long");
	memcpy(text, cmdline->data, length);
	text[length] = 0;
}

/*
 * Map the first 4 GiB one to one with 2 MiB pages, private at every level. Return the value
 * for CR3.
 */
static u64 fill_page_tables(void)
{
	u64 c = flavour->private_bit;
	u64 *pml4 = memory_private(PAGE_TABLES);
	u64 *pdpt = memory_private(PAGE_TABLES + PAGE_SIZE);
	u64 *pd = memory_private(PAGE_TABLES + 2 * PAGE_SIZE);
	u32 i;

	memset(pml4, 0, 2 * PAGE_SIZE);
	pml4[0] = (PAGE_TABLES + PAGE_SIZE) | c | 3;
	for (i = 0; i < 4; i++)
		pdpt[i] = (PAGE_TABLES + (2 + i) * PAGE_SIZE) | c | 3;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * LARGE_SIZE | c | 0x83;
	return PAGE_TABLES | c;
}

static void fill_gdt(struct vmcb *s)
{
	u64 *gdt = memory_private(GDT);

	memset(gdt, 0, PAGE_SIZE);
	gdt[CS_64 / 8] = 0x00af9b000000ffff;
	gdt[DS_64 / 8] = 0x00cf93000000ffff;
	s->gdtr = (struct segment){ .limit = DS_64 + 7, .base = GDT };
	s->cs = (struct segment){ CS_64, ATTR_CODE_64, 0xffffffff, 0 };
	s->ds = (struct segment){ DS_64, ATTR_DATA, 0xffffffff, 0 };
	s->es = s->ds;
	s->ss = s->ds;
}

void linux_load(struct vcpu *v, const struct memory_map *map, const struct blob *kernel,
		const struct blob *initrd, const struct blob *cmdline)
{
	struct vmcb *s = v->vmcb;
	u64 at, initrd_at;

	check_kernel(kernel);
	at = get64(kernel->data + HDR_PREF);
	/* The kernel reads BIOS data below 64 KiB (the address of the EBDA) as private RAM. */
	memcpy(memory_private(0), memory_shared(0), BOOT_PARAMS);
	load_code(kernel, at);
	initrd_at = load_initrd(initrd, get32(kernel->data + HDR_INITRD_MAX));
	fill_boot_params(kernel, cmdline, map, initrd_at, initrd->size);
	if (flavour->fill_launch)
		put64((u8 *)memory_private(BOOT_PARAMS) + HDR_SETUP_DATA, flavour->fill_launch(v));

	fill_gdt(s);
	s->cr3 = fill_page_tables();
	s->rip = at + ENTRY_64;
	v->gpr[RSI] = BOOT_PARAMS;
	log_("kernel at %lx, initramfs at %lx", at, initrd_at);
}
