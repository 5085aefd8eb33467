// SPDX-License-Identifier: GPL-2.0-only
#include <elf.h>

#include "directmap.h"
#include "raw.h"

#define DIRECT_MAP_PARTS	64

struct direct_map_part {
	uint64_t address, physical, size;
};

/* Read from the headers of /proc/kcore where the kernel maps RAM. */
static int direct_map_parts(struct direct_map_part *parts)
{
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC), nr = 0;
	Elf64_Ehdr header;
	Elf64_Phdr part;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		bail("/proc/kcore cannot be read");
	for (int i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), header.e_phoff + i * sizeof(part)) !=
		    sizeof(part))
			bail("/proc/kcore ends early");
		/* A part that is not RAM has no physical address. */
		if (part.p_type != PT_LOAD || part.p_paddr == ~0ULL)
			continue;
		if (nr == DIRECT_MAP_PARTS)
			bail("/proc/kcore has more than %d parts", nr);
		parts[nr++] = (struct direct_map_part){ part.p_vaddr, part.p_paddr, part.p_memsz };
	}
	close(fd);
	return nr;
}

long long direct_map_split_units(void)
{
	struct direct_map_part parts[DIRECT_MAP_PARTS];
	int nr = direct_map_parts(parts);
	long long split = 0;

	for (int i = 0; i < nr; i++)
		for (uint64_t at = 0; at + UNIT <= parts[i].size; at += UNIT)
			split += cvm_leaf(parts[i].address + at) < (long long)UNIT;
	return nr ? split : -1;
}

long long direct_map_leaf(uint64_t physical)
{
	struct direct_map_part parts[DIRECT_MAP_PARTS];
	int nr = direct_map_parts(parts);

	for (int i = 0; i < nr; i++)
		if (physical >= parts[i].physical && physical - parts[i].physical < parts[i].size)
			return cvm_leaf(parts[i].address + (physical - parts[i].physical));
	bail("no RAM at 0x%llx", (unsigned long long)physical);
}
