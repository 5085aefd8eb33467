// SPDX-License-Identifier: GPL-2.0-only
/* Texts from outside, as they are printed. */
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"
#include "parsers.h"

void prepare(void)
{
}

/* Valid UTF-8 stays as it is. */
static void check_utf8(const char *text)
{
	char *once = text_utf8(text), *twice = text_utf8(once);

	HOLDS(!strcmp(once, twice));
	HOLDS(strlen(once) <= 3 * strlen(text));
	free(once);
	free(twice);
}

static void check_shown(const char *text)
{
	char *shown = text_shown(text);
	const char *s;

	for (s = shown; *s; s++)
		HOLDS(*s >= ' ' && *s < 0x7f);
	free(shown);
}

/* Each step makes progress, and the steps end at the end of the text. */
static void check_columns(const char *text)
{
	size_t all = 0, columns, n;
	const char *s;

	for (s = text; *s; s += n) {
		n = text_step(s, &columns);
		HOLDS(n >= 1 && n <= 4 && columns <= 2 && n <= strlen(s));
		all += columns;
	}
	HOLDS(text_columns(text) == all);
	HOLDS(text_fitting(text, all) == (int)strlen(text));
	HOLDS(text_fitting(text, all / 2) <= (int)strlen(text));
}

/* A JSON string ends where its text ends, and has no control character. */
static void check_json(const char *text)
{
	char *json = NULL, *s;
	size_t len = 0;
	FILE *f = open_memstream(&json, &len);

	HOLDS(f);
	text_json(f, text);
	HOLDS(!fclose(f));
	HOLDS(len >= 2 && strlen(json) == len && *json == '"');
	for (s = json + 1; *s != '"'; s++) {
		HOLDS((unsigned char)*s >= ' ' && *s != 0x7f);
		if (*s == '\\')
			s++;
	}
	HOLDS(!s[1]);
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);

	check_utf8(text);
	check_shown(text);
	check_columns(text);
	check_json(text);
	complain("%s", text);
	HOLDS(messages() == 1);
	free(text);
	return 0;
}
