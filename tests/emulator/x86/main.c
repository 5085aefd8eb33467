// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start-up: parse the multiboot information and the options, then load and run the guest.
 *
 * The command line is "ELF-NAME flavour=sev|snp|tdx mem=MiB [high=MiB] [cpus=N] [es=1] [mode0=N]". The modules are the
 * kernel, the initramfs and the kernel's command line, in this order.
 */
#include "x86.h"

struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
	u32 mods_count, mods;
	u32 syms[4];
	u32 mmap_length, mmap;
} __packed;

struct multiboot_module {
	u32 start, end, string, reserved;
} __packed;

struct multiboot_range {
	u32 size;			/* of the fields that follow */
	u64 start, length;
	u32 type;
} __packed;

#define MULTIBOOT_CMDLINE	BIT(2)
#define MULTIBOOT_MODULES	BIT(3)
#define MULTIBOOT_MAP		BIT(6)

const struct flavour *flavour;

static u64 number(const char *s)
{
	u64 v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + *s - '0';
	return v;
}

static u64 guest_bytes, high_bytes;
static u32 cpus = 1;

static void option(const char *word)
{
	if (string_equal(word, "flavour=sev", 11))
		flavour = &sev_flavour;
	else if (string_equal(word, "flavour=snp", 11))
		flavour = &snp_flavour;
	else if (string_equal(word, "flavour=tdx", 11))
		flavour = &tdx_flavour;
	else if (string_equal(word, "mem=", 4))
		guest_bytes = MIB(number(word + 4));
	else if (string_equal(word, "high=", 5))
		high_bytes = MIB(number(word + 5));
	else if (string_equal(word, "cpus=", 5))
		cpus = number(word + 5);
	else if (string_equal(word, "es=1", 5))
		sev_es = true;
	else if (string_equal(word, "mode0=", 6))
		mode = number(word + 6);
	else
		stop("unknown option: %s", word);
}

static const char *skip_word(const char *s)
{
	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

static void parse_options(const char *s)
{
	log_("started as: %s", s);
	/* The first word is the file's name, added by QEMU. */
	for (s = skip_word(s); *s; s = skip_word(s))
		option(s);
	if (!flavour || !guest_bytes)
		stop("flavour= and mem= are required");
	if (sev_es && flavour != &sev_flavour)
		stop("es=1 is for SEV guests");
	if (flavour == &snp_flavour)
		sev_es = true;
}

static void read_map(const struct multiboot *mb, struct memory_map *map)
{
	u64 at = mb->mmap, end = at + mb->mmap_length;

	map->n = 0;
	while (at < end && map->n < MAX_RANGES) {
		const struct multiboot_range *r = (void *)at;

		map->r[map->n++] = (struct range){ r->start, r->start + r->length, r->type };
		at += r->size + sizeof(r->size);
	}
}

static struct blob module(const struct multiboot *mb, u32 i)
{
	const struct multiboot_module *m = (void *)(u64)mb->mods;

	return (struct blob){ (void *)(u64)m[i].start, m[i].end - m[i].start };
}

void cvm_main(const struct multiboot *mb)
{
	const u64 needed = MULTIBOOT_CMDLINE | MULTIBOOT_MODULES | MULTIBOOT_MAP;
	static struct memory_map machine, guest;
	struct blob kernel, initrd, cmdline;
	struct vcpu *v;

	if ((mb->flags & needed) != needed || mb->mods_count != 3)
		stop("no kernel, initramfs and command line: start the emulator with tests/emulator/run");
	parse_options((void *)(u64)mb->cmdline);
	read_map(mb, &machine);
	kernel = module(mb, 0);
	initrd = module(mb, 1);
	cmdline = module(mb, 2);

	conversions_can_fail = flavour->can_fail;
	accepts_can_fail = flavour == &tdx_flavour;
	private_needs_accept = flavour != &sev_flavour;
	memory_init(&machine, guest_bytes, high_bytes);
	if (flavour == &snp_flavour)
		rmp_init();
	if ((u64)cmdline.data + cmdline.size > memory_low_limit())
		stop("the initramfs is too large for %lu MiB", memory_low_limit() >> 20);
	memory_guest_map(&machine, &guest);
	v = smp_init(cpus);
	vcpu_set_boot_state(v);
	linux_load(v, &guest, &kernel, &initrd, &cmdline);
	log_("%s guest starts", flavour->name);
	vcpu_run(v);
}
