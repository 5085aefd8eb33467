// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which parts of the machine's memory QEMU's process has touched, from Linux's /proc/self/pagemap, which
 * semihosting reads. Memory that nobody touched is zero; to read it makes the host allocate it, which takes
 * many times longer.
 *
 * Formats: the kernel's Documentation/filesystems/proc.rst (maps) and admin-guide/mm/pagemap.rst.
 */
#include "arm64.h"

#define HOST_PAGE	4096ull
#define PAGEMAP_PRESENT	BIT(63)
#define PAGEMAP_SWAPPED	BIT(62)

static s64 pagemap = -1;
static u64 host_ram;		/* the machine's memory, in the address space of QEMU's process */

static s64 open_file(const char *path, u64 length)
{
	u64 args[] = { (u64)path, 0, length };	/* mode 0: "r" */

	return semihost(SYS_OPEN, args);
}

static void close_file(s64 file)
{
	u64 args[] = { file };

	semihost(SYS_CLOSE, args);
}

/* Return how many bytes were read. */
static u64 read_file(s64 file, void *buf, u64 size)
{
	u64 args[] = { file, (u64)buf, size };
	s64 left = semihost(SYS_READ, args);

	return left < 0 || (u64)left > size ? 0 : size - left;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Search for a mapping of @bytes in /proc/self/maps, whose lines begin with "START-END ", in hexadecimal digits.
 * Return its start, 0 if there is none, or more than one.
 */
static u64 find_mapping(s64 maps, u64 bytes)
{
	static char text[4096];
	u64 found = 0, value[2] = { 0 }, n, i;
	u32 field = 0;		/* 0: START, 1: END, 2: the rest of the line */

	while ((n = read_file(maps, text, sizeof(text))))
		for (i = 0; i < n; i++) {
			if (text[i] == '\n') {
				field = 0;
				value[0] = value[1] = 0;
			} else if (field < 2 && hex_digit(text[i]) >= 0) {
				value[field] = value[field] << 4 | hex_digit(text[i]);
			} else if (field < 2 && ++field == 2 && value[1] - value[0] == bytes) {
				if (found)
					return 0;
				found = value[0];
			}
		}
	return found;
}

void host_init(u64 bytes)
{
	static const char maps_path[] = "/proc/self/maps", pagemap_path[] = "/proc/self/pagemap";
	s64 maps = open_file(maps_path, sizeof(maps_path) - 1);

	if (maps >= 0) {
		host_ram = find_mapping(maps, bytes);
		close_file(maps);
	}
	if (host_ram)
		pagemap = open_file(pagemap_path, sizeof(pagemap_path) - 1);
	if (pagemap < 0)
		log_("the host does not tell which memory is touched: a search for stray DMA reads all of it");
}

bool host_touched(u64 address)
{
	static u64 entries[HOST_RANGE / HOST_PAGE];
	u64 seek[] = { pagemap, (host_ram + address - RAM_START) / HOST_PAGE * sizeof(*entries) };
	u32 i;

	if (pagemap < 0 || semihost(SYS_SEEK, seek))
		return true;
	if (read_file(pagemap, entries, sizeof(entries)) != sizeof(entries))
		return true;
	for (i = 0; i < HOST_RANGE / HOST_PAGE; i++)
		if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
			return true;
	return false;
}
