// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes as people write them: 4096, 4K, 2M, 1.5GiB, 0x1000.
 *
 * Units are powers of 1024. Decimal units (kB, MB) are refused: their meaning is ambiguous.
 * Fractions must result in whole bytes. Sizes are printed exactly, and in a form that is
 * accepted as input.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

static const char units[] = "KMGTPE";

#define FRACTION_DIGITS_MAX	18	/* 10^18 fits in 64 bits */

static int parse_hex(const char *s, uint64_t *bytes)
{
	uint64_t value = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		const char *digits = "0123456789abcdef";
		const char *d = strchr(digits, tolower((unsigned char)*s));

		if (!d)
			return -EINVAL;
		if (value >> 60)
			return -ERANGE;
		value = value << 4 | (uint64_t)(d - digits);
	}
	*bytes = value;
	return 0;
}

/* Return the power of two for "", "B", "K", "KiB" and so on, or -EINVAL. */
static int parse_unit(const char *s)
{
	const char *unit;

	if (!*s || !strcmp(s, "B"))
		return 0;
	unit = strchr(units, toupper((unsigned char)*s));
	if (!unit)
		return -EINVAL;
	s++;
	if (*s && strcmp(s, "iB"))
		return -EINVAL;
	return 10 * (int)(unit - units + 1);
}

/*
 * Multiply @fraction / @scale, which is less than 1, by 2^@shift. Return -EINVAL if the result is
 * not a whole number. 64 bits suffice, as 32-bit programs have no larger type.
 */
static int scale_fraction(uint64_t fraction, uint64_t scale, int shift, uint64_t *result)
{
	*result = 0;
	while (shift--) {
		fraction *= 2;
		*result = 2 * *result + (fraction >= scale);
		if (fraction >= scale)
			fraction -= scale;
	}
	return fraction ? -EINVAL : 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole = 0, fraction = 0, scale = 1, part;
	const char *s = text;
	int digits = 0, shift;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return parse_hex(s + 2, bytes);
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -ERANGE;
	}
	if (*s == '.') {
		for (s++; isdigit((unsigned char)*s); s++) {
			if (++digits > FRACTION_DIGITS_MAX)
				return -EINVAL;
			fraction = 10 * fraction + (uint64_t)(*s - '0');
			scale *= 10;
		}
		if (!digits)
			return -EINVAL;
	}
	shift = parse_unit(s);
	if (shift < 0)
		return shift;

	if (scale_fraction(fraction, scale, shift, &part))
		return -EINVAL;
	if (__builtin_mul_overflow(whole, UINT64_C(1) << shift, &whole))
		return -ERANGE;
	/* The part is less than the unit, of which the whole is a multiple. */
	*bytes = whole + part;
	return 0;
}

const char *size_error(int err)
{
	if (err == -ERANGE)
		return "is too large";
	return "is not a size in bytes: a number with K, M, G, T, P or E (powers of 1024), or 0x...";
}

bool size_is_beyond(uint64_t bytes)
{
	return bytes > (uint64_t)INT64_MAX - (uint64_t)sysconf(_SC_PAGESIZE);
}

char *size_format(uint64_t bytes, char text[SIZE_TEXT_LEN])
{
	static const char *const quarters[] = { "", ".25", ".5", ".75" };
	int i;

	/* Find the largest unit of which the size is a multiple of a quarter. */
	for (i = (int)strlen(units) - 1; i >= 0; i--) {
		int shift = 10 * (i + 1);
		uint64_t quarter = 1ULL << (shift - 2);

		if (bytes >> shift == 0 || bytes % quarter)
			continue;
		snprintf(text, SIZE_TEXT_LEN, "%" PRIu64 "%s%c", bytes >> shift,
			 quarters[bytes / quarter % 4], units[i]);
		return text;
	}
	snprintf(text, SIZE_TEXT_LEN, "%" PRIu64, bytes);
	return text;
}
