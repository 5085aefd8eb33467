// SPDX-License-Identifier: GPL-2.0-only
/* The log (semihosting, one line per call), the end of a run, and string functions. */
#include "arm64.h"

#define SYS_WRITE0	4
#define PSCI_SYSTEM_OFF	0x84000008

static char line[512];
static u32 line_length;
static bool log_off;

/*
 * Turn the log off and skip the semihosting instruction. boot.S calls this when the
 * instruction raised an exception, because QEMU runs without semihosting.
 */
void log_skip(void)
{
	log_off = true;
	write_register(elr_el2, read_register(elr_el2) + 4);
	asm volatile("eret");
}

static void write_line(void)
{
	register u64 operation asm("x0") = SYS_WRITE0;
	register char *text asm("x1") = line;

	if (!log_off)
		asm volatile("hlt #0xf000"
			     : "+r"(operation), "+r"(text) : : "memory", "x2", "x3", "x4", "x5",
			       "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			       "x16", "x17", "x30");
}

void put_char(char c)
{
	line[line_length++] = c;
	if (c != '\n' && line_length < sizeof(line) - 1)
		return;
	line[line_length] = 0;
	line_length = 0;
	write_line();
}

void machine_end(void)
{
	for (;;)
		psci(PSCI_SYSTEM_OFF, 0, 0, 0);
}

/* With the MMU off, unaligned accesses fault. */
void *memcpy(void *dst, const void *src, size_t n)
{
	const u8 *s = src;
	u8 *d = dst;

	if (!(((u64)d | (u64)s) % 8))
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(u64 *)d = *(const u64 *)s;
	while (n--)
		*d++ = *s++;
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u64 pattern = 0x0101010101010101ull * (u8)c;
	u8 *d = dst;

	if (!((u64)d % 8))
		for (; n >= 8; n -= 8, d += 8)
			*(u64 *)d = pattern;
	while (n--)
		*d++ = c;
	return dst;
}
