// SPDX-License-Identifier: GPL-2.0-only
/* Semihosting, the log (one line per call), the end of a run, and string functions. */
#include "arm64.h"

#define PSCI_SYSTEM_OFF	0x84000008

static char line[512];
static u32 line_length;
static bool log_off;

/*
 * Turn semihosting off and skip the semihosting instruction. boot.S calls this when the
 * instruction raised an exception, because QEMU runs without semihosting.
 */
void log_skip(void)
{
	log_off = true;
	write_register(elr_el2, read_register(elr_el2) + 4);
	asm volatile("eret");
}

s64 semihost(u64 operation, void *argument)
{
	register u64 result asm("x0") = operation;
	register void *arg asm("x1") = argument;

	if (log_off)
		return -1;
	asm volatile("hlt #0xf000"
		     : "+r"(result), "+r"(arg) : : "memory", "x2", "x3", "x4", "x5", "x6", "x7", "x8",
		       "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x30");
	return log_off ? -1 : (s64)result;
}

void put_char(char c)
{
	line[line_length++] = c;
	if (c != '\n' && line_length < sizeof(line) - 1)
		return;
	line[line_length] = 0;
	line_length = 0;
	semihost(SYS_WRITE0, line);
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
