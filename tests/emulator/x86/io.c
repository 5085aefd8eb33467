// SPDX-License-Identifier: GPL-2.0-only
/* The log (QEMU's debug console), QEMU's exit device, and string functions. */
#include "x86.h"

#define PORT_LOG	0xe9
#define PORT_EXIT	0xf4	/* isa-debug-exit: QEMU ends with (value << 1) | 1 */

void put_char(char c)
{
	outb(PORT_LOG, c);
}

void machine_end(void)
{
	for (;;) {
		outb(PORT_EXIT, 1);
		asm volatile("hlt");
	}
}

/*
 * Copy eight bytes at a time, because kernels and initramfs images are large. The operands
 * are inputs and outputs, because the instructions change them.
 */
void *memcpy(void *dst, const void *src, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	void *d = dst;

	asm volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(rest) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u64 pattern = 0x0101010101010101ull * (u8)c;
	size_t words = n / 8, rest = n % 8;
	void *d = dst;

	asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
	return dst;
}
