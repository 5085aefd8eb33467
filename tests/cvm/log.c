// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's log, on QEMU's debug console, and the way to end a run that went wrong.
 */
#include <stdarg.h>

#include "cvm.h"

#define PORT_LOG	0xe9
#define PORT_EXIT	0xf4	/* isa-debug-exit: QEMU ends with (value << 1) | 1 */

static void put_char(char c)
{
	outb(PORT_LOG, c);
}

static void put_string(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_number(u64 v, u32 base)
{
	char buf[24];
	u32 i = sizeof(buf);

	buf[--i] = 0;
	do {
		buf[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	put_string(buf + i);
}

/* %s, %u and %x, the last two with l for 64 bits. */
static void put_format(const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		bool wide = false;
		u64 v;

		if (*fmt != '%') {
			put_char(*fmt);
			continue;
		}
		if (*++fmt == 'l') {
			wide = true;
			fmt++;
		}
		switch (*fmt) {
		case 's':
			put_string(va_arg(args, const char *));
			break;
		default:
			v = wide ? va_arg(args, u64) : va_arg(args, u32);
			put_number(v, *fmt == 'u' ? 10 : 16);
		}
	}
}

void log_(const char *fmt, ...)
{
	va_list args;

	put_string("cvm: ");
	va_start(args, fmt);
	put_format(fmt, args);
	va_end(args);
	put_char('\n');
}

/* The launcher looks for "cvm: stop:" to say why a guest ended. */
void stop(const char *fmt, ...)
{
	va_list args;

	put_string("cvm: stop: ");
	va_start(args, fmt);
	put_format(fmt, args);
	va_end(args);
	put_char('\n');
	for (;;) {
		outb(PORT_EXIT, 1);
		asm volatile("hlt");
	}
}

bool string_equal(const char *a, const char *b, size_t n)
{
	while (n--) {
		if (*a != *b)
			return false;
		if (!*a)
			break;
		a++;
		b++;
	}
	return true;
}

/*
 * Eight bytes at a time: kernels and initramfs are copied with it. The operands are both
 * inputs and outputs, as the instructions change them.
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
