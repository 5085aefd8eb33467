// SPDX-License-Identifier: GPL-2.0-only
/* Sizes, ids, modes, and the numbers of options. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"
#include "parsers.h"

/* The value of an output that a failed call must not change. */
#define UNSET	UINT64_C(0x5a5a5a5a5a5a5a5a)

#define NUMBER_MAX	1000
#define YEAR_NS		(366 * 86400 * INT64_C(1000000000))

void __wrap_usage_error(struct argp_state *state, const char *format, ...);

static jmp_buf refused;

/* In ccshmctl the function ends the program. */
void __wrap_usage_error(struct argp_state *state, const char *format, ...)
{
	(void)state;
	(void)format;
	longjmp(refused, 1);
}

void prepare(void)
{
}

/* A size in its shortest form, and in bytes, is the same size. */
static void check_format(uint64_t bytes)
{
	char text[SIZE_TEXT_LEN], again[SIZE_TEXT_LEN], digits[32];
	uint64_t parsed = UNSET;

	HOLDS(size_format(bytes, text) == text);
	HOLDS(strlen(text) < SIZE_TEXT_LEN);
	HOLDS(!size_parse(text, &parsed) && parsed == bytes);
	HOLDS(!strcmp(size_format(parsed, again), text));
	snprintf(digits, sizeof(digits), "%" PRIu64, bytes);
	HOLDS(!size_parse(digits, &parsed) && parsed == bytes);
	snprintf(digits, sizeof(digits), "0x%" PRIx64, bytes);
	HOLDS(!size_parse(digits, &parsed) && parsed == bytes);
}

#ifdef __SIZEOF_INT128__
static bool compute_hex(const char *text, unsigned __int128 *bytes)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (!digits || digits > 32 || text[digits])
		return false;
	for (*bytes = 0; *text; text++)
		*bytes = 16 * *bytes + (unsigned int)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
	return true;
}

/* Compute a size with few digits after the point in 128 bits. Return false for other texts. */
static bool compute(const char *text, unsigned __int128 *bytes)
{
	static const char units[] = "KMGTPE";
	unsigned __int128 value = 0;
	uint64_t scale = 1;
	const char *unit;
	size_t digits = strspn(text, "0123456789"), after;
	int shift;

	if (!strncasecmp(text, "0x", 2))
		return compute_hex(text + 2, bytes);
	if (!digits || digits > 20)
		return false;
	for (; digits; digits--)
		value = 10 * value + (unsigned int)(*text++ - '0');
	after = *text == '.' ? strspn(text + 1, "0123456789") : 0;
	if ((*text == '.' && !after) || after > 6)
		return false;
	text += *text == '.';
	for (; after; after--, scale *= 10)
		value = 10 * value + (unsigned int)(*text++ - '0');
	unit = *text ? strchr(units, *text) : NULL;
	if (*text && (!unit || text[1]))
		return false;
	shift = unit ? 10 * (int)(unit - units + 1) : 0;
	/* At most 20 + 6 digits have 87 bits. */
	if (value >> (127 - shift) || (value << shift) % scale)
		return false;
	*bytes = (value << shift) / scale;
	return true;
}

static void check_value(const char *text, int err, uint64_t bytes)
{
	unsigned __int128 expected;

	if (!compute(text, &expected))
		return;
	if (expected > UINT64_MAX)
		HOLDS(err == -ERANGE);
	else
		HOLDS(!err && bytes == expected);
}
#else
static void check_value(const char *text, int err, uint64_t bytes)
{
	(void)text;
	(void)err;
	(void)bytes;
}
#endif

static void check_size(const char *text)
{
	uint64_t bytes = UNSET;
	int err = size_parse(text, &bytes);

	HOLDS(!err || err == -EINVAL || err == -ERANGE);
	check_value(text, err, bytes);
	if (err) {
		HOLDS(bytes == UNSET);
		HOLDS(size_error(err));
		return;
	}
	check_format(bytes);
	/* A size that is accepted can be rounded up to whole pages. */
	if (!size_is_beyond(bytes))
		HOLDS(bytes + (uint64_t)sysconf(_SC_PAGESIZE) <= INT64_MAX);
}

static void check_id(const char *text)
{
	char digits[32];
	uint64_t id, again;

	if (id_parse(text, &id))
		return;
	HOLDS(id);
	snprintf(digits, sizeof(digits), "@%" PRIu64, id);
	HOLDS(!id_parse(digits, &again) && again == id);
}

static void check_mode(const char *text)
{
	mode_t mode = (mode_t)UNSET;

	if (mode_parse(text, &mode))
		HOLDS(mode == (mode_t)UNSET);
	else
		HOLDS(!(mode & ~0666U));
}

static void check_name(const char *text)
{
	size_t len = strlen(text);

	if (name_error(text))
		return;
	HOLDS(len && len < CCSHM_NAME_LEN);
	HOLDS(!(*text >= '0' && *text <= '9') && !strpbrk(text, "/@ \n"));
}

/* Each of these functions ends the program for a wrong argument. */
static void check_arguments(const char *text)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bytes = 0;

	if (!setjmp(refused)) {
		int64_t ns = parse_seconds_arg("x", text, NULL);

		HOLDS(ns >= -1 && ns <= YEAR_NS);
		HOLDS((ns == -1) == !strcmp(text, "forever"));
	}
	if (!setjmp(refused))
		HOLDS(parse_number_arg("x", text, NUMBER_MAX, NULL) <= NUMBER_MAX);
	if (!setjmp(refused))
		HOLDS(!(parse_page_arg("x", text, NULL) % page));
	if (!setjmp(refused))
		HOLDS(parse_size_arg("x", text, NULL) == (size_parse(text, &bytes) ? 0 : bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	uint64_t number = 0;

	check_size(text);
	check_id(text);
	check_mode(text);
	check_name(text);
	check_arguments(text);
	memcpy(&number, data, size < sizeof(number) ? size : sizeof(number));
	check_format(number);
	HOLDS(!messages());
	free(text);
	return 0;
}
