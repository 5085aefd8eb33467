// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start-up: read the device tree, move the guest's initial memory, start the guest.
 *
 * QEMU's device tree describes the machine. The emulator's options are on the kernel's
 * command line as "cvm.NAME=VALUE", which Linux takes for parameters of a module that is not
 * present.
 */
#include "arm64.h"

/*
 * An entry of a PCI host's ranges has 7 cells: type, two addresses of two cells each, size
 * (two cells).
 */
#define RANGE_CELLS	7
#define PCI_RANGE_64	2		/* the third entry: window of 64-bit addresses */

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

/*
 * Parse the options and return the final address of the emulator (see memory.c). Called
 * first, before the emulator copies itself.
 */
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

/* Move memory to the private view, where all initial memory of a Realm is; zero the source. */
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

/* Move the kernel. Return the address of its entry point. */
static u64 move_kernel(void)
{
	const struct image *image = (void *)KERNEL_START;
	u64 offset = image->text_offset, size = image->size;

	if (!size)
		stop("no kernel at %lx", KERNEL_START);
	move(KERNEL_START, ALIGN_UP(size, PAGE_SIZE));
	return KERNEL_START + offset;
}

/*
 * Patch the device tree: limit the memory to the guest's RAM, and the PCI window to addresses
 * below the shared bit.
 */
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
		stop("the machine's memory starts at an unexpected address");
	host_init(dtb_number(memory + 8, 2));
	memory_init(RAM_START + dtb_number(memory + 8, 2));
	memory_stage2();
	patch(dtb);
	move_initrd(dtb);
	entry = move_kernel();
	move((u64)dtb, dtb_size(dtb));
	/* Clear QEMU's boot code and the original copy of the emulator. */
	memset((void *)RAM_START, 0, KERNEL_START - RAM_START);

	conversions_can_fail = true;
	cpu = cpu_prepare(read_register(mpidr_el1), entry, (u64)dtb);
	if (!cpu)
		stop("the number of the first CPU is too high");
	log_("CCA guest starts");
	return cpu;
}
