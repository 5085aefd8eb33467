// SPDX-License-Identifier: GPL-2.0-only
/* The files of ccshm-buffers.d(5): the lines of a file, and the plan that is made of them. */
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parsers.h"
#include "provision/provision.h"

struct passwd *__wrap_getpwnam(const char *name);
struct group *__wrap_getgrnam(const char *name);

/* The same users on every machine. */
struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd alice = { .pw_uid = 1000 };

	return strcmp(name, "alice") ? NULL : &alice;
}

struct group *__wrap_getgrnam(const char *name)
{
	static struct group ccshm = { .gr_gid = 100 };

	return strcmp(name, "ccshm") ? NULL : &ccshm;
}

void prepare(void)
{
}

/* ---- the lines of a file ---- */

enum what {
	SECTION,
	NO_SECTION,	/* a section that is wrong */
	KEY,
	WRONG,
};

struct line {
	enum what what;
	char *key;
	char *value;
};

/* What a file contains. */
struct lines {
	struct line *line;
	size_t count;
	unsigned int last;
};

static char *copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	HOLDS(!text || made);
	return made;
}

static void add(struct lines *lines, unsigned int number, enum what what,
		const char *key, const char *value)
{
	HOLDS(number && number >= lines->last);
	lines->last = number;
	lines->line = reallocarray(lines->line, lines->count + 1, sizeof(*lines->line));
	HOLDS(lines->line);
	lines->line[lines->count++] = (struct line){ what, copy(key), copy(value) };
}

/* White space around a text does not belong to it, and a text is within a line. */
static void check_text(const char *text)
{
	size_t len = strlen(text);

	HOLDS(!strchr(text, '\n'));
	HOLDS(!len || (!strchr(" \t\r\v\f", *text) && !strchr(" \t\r\v\f", text[len - 1])));
}

static void on_section(void *data, unsigned int number, const char *name)
{
	if (name) {
		check_text(name);
		HOLDS(!strchr(name, ']'));
	}
	add(data, number, name ? SECTION : NO_SECTION, name, NULL);
}

static void on_key(void *data, unsigned int number, const char *key, const char *value)
{
	check_text(key);
	check_text(value);
	HOLDS(*key && !strchr(key, '=') && !strchr("[#;", *key));
	add(data, number, KEY, key, value);
}

static void on_wrong(void *data, unsigned int number, const char *why)
{
	HOLDS(*why);
	add(data, number, WRONG, NULL, NULL);
}

static const struct ini_visitor visitor = { on_section, on_key, on_wrong };

static void read_lines(struct lines *lines)
{
	*lines = (struct lines){ 0 };
	HOLDS(!ini_read(file_path(0), false, &visitor, lines));
}

static void free_lines(struct lines *lines)
{
	while (lines->count) {
		lines->count--;
		free(lines->line[lines->count].key);
		free(lines->line[lines->count].value);
	}
	free(lines->line);
}

/* Write the sections and keys as a file. */
static void write_lines(const struct lines *lines)
{
	char *text = NULL;
	size_t i, len = 0;
	FILE *f = open_memstream(&text, &len);

	HOLDS(f);
	/* A file that began with certain bytes would be UTF-16. */
	fprintf(f, "#\n");
	for (i = 0; i < lines->count; i++) {
		if (lines->line[i].what == SECTION)
			fprintf(f, "[%s]\n", lines->line[i].key);
		else if (lines->line[i].what == KEY)
			fprintf(f, "%s=%s\n", lines->line[i].key, lines->line[i].value);
	}
	HOLDS(!fclose(f));
	file_set(0, text, len);
	free(text);
}

static const struct line *next_good(const struct lines *lines, size_t *i)
{
	for (; *i < lines->count; ++*i)
		if (lines->line[*i].what == SECTION || lines->line[*i].what == KEY)
			return &lines->line[(*i)++];
	return NULL;
}

/* A file that is written from the sections and keys of another has the same sections and keys. */
static void check_lines(void)
{
	const struct line *a, *b;
	struct lines first, second;
	size_t i = 0, j = 0;

	read_lines(&first);
	write_lines(&first);
	read_lines(&second);
	do {
		a = next_good(&first, &i);
		b = next_good(&second, &j);
		HOLDS(!a == !b);
		HOLDS(!a || (a->what == b->what && !strcmp(a->key, b->key)));
		HOLDS(!a || !a->value == !b->value);
		HOLDS(!a || !a->value || !strcmp(a->value, b->value));
	} while (a);
	for (j = 0; j < second.count; j++)
		HOLDS(second.line[j].what == SECTION || second.line[j].what == KEY);
	free_lines(&first);
	free_lines(&second);
}

/* ---- the plan ---- */

static void check_buffer(const struct buffer_plan *buffer)
{
	HOLDS(buffer->line && buffer->file && buffer->name);
	if (buffer->wrong)
		return;
	HOLDS(!name_error(buffer->name));
	HOLDS(buffer->size && !(buffer->size % (uint64_t)sysconf(_SC_PAGESIZE)));
	HOLDS(buffer->size <= INT64_MAX);
	HOLDS(!(buffer->mode & ~0666U));
	HOLDS(buffer->node >= -1);
}

/* An owner has each name once. */
static void check_unique(const struct plan *plan)
{
	size_t i, j;

	for (i = 0; i < plan->nbuffers; i++) {
		for (j = 0; j < i; j++) {
			const struct buffer_plan *a = &plan->buffers[i], *b = &plan->buffers[j];

			HOLDS(a->wrong || b->wrong || strcmp(a->name, b->name) || a->owner != b->owner);
		}
	}
}

static void check_plan(void)
{
	struct file_list files = { 0 };
	struct plan plan = { 0 };
	unsigned int said;
	size_t i, wrong = 0;

	files_add(&files, copy(file_path(0)));
	plan_read(&plan, &files);
	said = messages();
	for (i = 0; i < plan.nbuffers; i++) {
		check_buffer(&plan.buffers[i]);
		wrong += plan.buffers[i].wrong != NULL;
	}
	check_unique(&plan);
	for (i = 0; i < plan.nproblems; i++)
		HOLDS(plan.problems[i].kind && plan.problems[i].file && *plan.problems[i].reason);
	for (i = 0; i < SETTINGS; i++) {
		HOLDS(!plan.settings[i].file == !plan.settings[i].line);
		HOLDS(!settings[i].is_pool || !size_is_beyond(plan.settings[i].value));
	}
	/* Each error is reported, and only errors. */
	HOLDS(!said == !(wrong + plan.nproblems) && said >= wrong + plan.nproblems);
	HOLDS(!said == !plan.code);
	plan_free(&plan);
	files_free(&files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	file_set(0, data, size);
	check_plan();
	check_lines();
	HOLDS(!messages());
	return 0;
}
