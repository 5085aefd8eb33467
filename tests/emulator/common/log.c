// SPDX-License-Identifier: GPL-2.0-only
/* The emulator's log, and the end of a failed run. */
#include <stdarg.h>

#include "cvm.h"

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

/* Print with the formats %s, %u and %x; %lu and %lx are 64 bits wide. */
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

/* Log the reason, then end the run. The launcher searches the log for "cvm: stop:". */
void stop(const char *fmt, ...)
{
	va_list args;

	put_string("cvm: stop: ");
	va_start(args, fmt);
	put_format(fmt, args);
	va_end(args);
	put_char('\n');
	machine_end();
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
