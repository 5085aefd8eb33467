// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start-up: QEMU's device tree says what machine this is and, on the kernel's command line,
 * how the guest is to be: "cvm.NAME=VALUE", which Linux takes for options of a module that
 * it does not have. Then the guest's first memory goes where it belongs, and it starts.
 */
#include "arm64.h"

/* In the ranges of a PCI host, each 7 cells: a type, two addresses of two, a size of two. */
#define RANGE_CELLS	7
#define PCI_RANGE_64	2		/* the third is the window of 64-bit addresses */

struct image {
	u32 code[2];
	u64 text_offset, size;
};

static u64 number(const char *s)
{
	u64 v = 0, base = 10;

	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; ; s++) {
		if (*s >= '0' && *s <= '9')
			v = v * base + *s - '0';
		else if (base == 16 && *s >= 'a' && *s <= 'f')
			v = v * base + *s - 'a' + 10;
		else
			return v;
	}
}

static void option(const char *word)
{
	if (string_equal(word, "ipa_bits=", 9))
		ipa_bits = number(word + 9);
	else if (string_equal(word, "mode0=", 6))
		mode = number(word + 6);
	else if (string_equal(word, "midr=", 5))
		guest_midr = number(word + 5);
	else if (string_equal(word, "chunk=", 6))
		pages_a_call = number(word + 6);
	else
		stop("unknown option: %s", word);
}

static void parse_options(void *dtb)
{
	const char *s = dtb_property(dtb, "chosen", "bootargs", NULL);

	if (!s)
		stop("no command line");
	while (*s) {
		if (string_equal(s, "cvm.", 4))
			option(s + 4);
		while (*s && *s != ' ')
			s++;
		while (*s == ' ')
			s++;
	}
	if (ipa_bits < 32 || ipa_bits > 38)
		stop("ipa_bits must be 32 to 38");
	shared_bit = BIT(ipa_bits - 1);
}

/* The first of all: where the emulator belongs, see memory.c. */
u64 emulator_home(void *dtb)
{
	parse_options(dtb);
	return shared_bit;
}

static void *need(void *dtb, const char *node, const char *name, u32 bytes)
{
	u32 length = 0;
	void *p = dtb_property(dtb, node, name, &length);

	if (!p || length < bytes)
		stop("no %s in the device tree's %s", name, node);
	return p;
}

/* Into the private view, which is all that a Realm starts with; nothing stays behind. */
static void move(u64 gpa, u64 bytes)
{
	bytes = ALIGN_UP(bytes, 8);
	if (gpa < RAM_START || gpa + bytes > guest_end)
		stop("the guest has too little memory for its kernel and initramfs");
	memcpy(memory_private(gpa), (void *)gpa, bytes);
	memset((void *)gpa, 0, bytes);
}

static void move_initrd(void *dtb)
{
	u32 length = 0;
	void *start = dtb_property(dtb, "chosen", "linux,initrd-start", &length);
	void *end = dtb_property(dtb, "chosen", "linux,initrd-end", NULL);
	u64 first;

	if (!start || !end)
		return;
	first = dtb_number(start, length / 4);
	move(first, dtb_number(end, length / 4) - first);
}

/* Where the kernel's entry is. */
static u64 move_kernel(void)
{
	const struct image *image = (void *)KERNEL_START;
	u64 offset = image->text_offset, size = image->size;

	if (!size)
		stop("no kernel at %lx", KERNEL_START);
	move(KERNEL_START, ALIGN_UP(size, PAGE_SIZE));
	return KERNEL_START + offset;
}

/* What the guest is told: its own part of the memory, and no device whose address has S. */
static void patch(void *dtb)
{
	u32 *ranges = need(dtb, "pcie@", "ranges", (PCI_RANGE_64 + 1) * RANGE_CELLS * sizeof(u32));

	dtb_set_number(need(dtb, "memory@", "reg", 16) + 8, guest_end - RAM_START);
	dtb_set_number(&ranges[PCI_RANGE_64 * RANGE_CELLS + 5], shared_bit);
}

struct cpu *cvm_main(void *dtb)
{
	void *memory = need(dtb, "memory@", "reg", 16);
	struct cpu *cpu;
	u64 entry;

	if (dtb_number(memory, 2) != RAM_START)
		stop("the machine's memory is not where it should be");
	memory_init(RAM_START + dtb_number(memory + 8, 2));
	memory_stage2();
	patch(dtb);
	move_initrd(dtb);
	entry = move_kernel();
	move((u64)dtb, dtb_size(dtb));
	/* QEMU's own boot code, and the emulator as QEMU has loaded it. */
	memset((void *)RAM_START, 0, KERNEL_START - RAM_START);

	conversions_can_fail = true;
	cpu = cpu_prepare(read_register(mpidr_el1), entry, (u64)dtb);
	if (!cpu)
		stop("the first CPU has a number too high");
	log_("CCA guest starts");
	return cpu;
}
