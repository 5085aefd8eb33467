// SPDX-License-Identifier: GPL-2.0-only
/*
 * Texts from outside: names of devices, files and objects, and arguments. They can contain any byte
 * but NUL.
 */
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "ccshmctl.h"

/* Return the number of bytes of the first character; 0 if it is not valid UTF-8. */
static size_t character(const char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = *s < 0x80 ? 1 : *s < 0xc0 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf8 ? 4 : 0;
	size_t i;

	if (len <= 1) {
		*code = *s;
		return len;
	}
	*code = *s & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		/* Also ends at a NUL. */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

/* Detect C0, DEL and C1, and characters that break lines or reverse their direction. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static bool locale_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

char *text_utf8(const char *text)
{
	char *copy = or_die(malloc(3 * strlen(text) + 1)), *to = copy;
	uint32_t code;
	size_t len;

	for (; *text; text += len) {
		len = character(text, &code);
		to = len ? mempcpy(to, text, len) : mempcpy(to, "\xef\xbf\xbd", 3);
		len += !len;
	}
	*to = '\0';
	return copy;
}

char *text_shown(const char *text)
{
	bool utf8 = locale_is_utf8();
	char *copy = or_die(malloc(4 * strlen(text) + 1)), *to = copy;
	uint32_t code;
	size_t len, i;

	for (; *text; text += len) {
		len = character(text, &code);
		/* In other character sets a byte of a character can be a control character. */
		if (len && !is_control(code) && (len == 1 || (utf8 && iswprint((wint_t)code)))) {
			to = mempcpy(to, text, len);
			continue;
		}
		len += !len;
		for (i = 0; i < len; i++)
			to += sprintf(to, "\\%03o", (unsigned char)text[i]);
	}
	*to = '\0';
	return copy;
}

size_t text_step(const char *text, size_t *columns)
{
	uint32_t code;
	size_t len = character(text, &code);
	int width = len > 1 && locale_is_utf8() ? wcwidth((wchar_t)code) : 1;

	*columns = width > 0 ? (size_t)width : 0;
	return len ? len : 1;
}

size_t text_columns(const char *text)
{
	size_t all = 0, columns;

	while (*text) {
		text += text_step(text, &columns);
		all += columns;
	}
	return all;
}

int text_fitting(const char *text, size_t columns)
{
	const char *s = text;
	size_t len, one;

	for (; *s; s += len) {
		len = text_step(s, &one);
		if (one > columns)
			break;
		columns -= one;
	}
	return (int)(s - text);
}

void text_json(FILE *f, const char *text)
{
	char *valid = text_utf8(text), *s;
	uint32_t code;
	size_t len;

	fputc('"', f);
	for (s = valid; *s; s += len) {
		len = character(s, &code);
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (is_control(code))
			fprintf(f, "\\u%04x", code);
		else
			fwrite(s, 1, len, f);
	}
	fputc('"', f);
	free(valid);
}

void usage_error(struct argp_state *state, const char *format, ...)
{
	char *text = NULL, *shown;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	shown = text_shown(or_die(text));
	free(text);
	argp_error(state, "%s", shown);
	free(shown);
}
