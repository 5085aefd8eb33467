// SPDX-License-Identifier: GPL-2.0-only
/* The buffers, limits and sizes of the pool that the files of ccshm-buffers.d(5) describe. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "provision.h"

/* The maximum of the pool is set before the minimum, which has no effect above it. */
const struct setting settings[SETTINGS] = {
	{ "total-bytes", .is_pool = false },
	{ "user-bytes", .is_pool = false },
	{ "user-buffers", .is_pool = false, .is_number = true },
	{ "user-exports", .is_pool = false, .is_number = true },
	{ "max-bytes", .is_pool = true },
	{ "min-bytes", .is_pool = true },
};

const char *setting_kind(bool is_pool)
{
	return is_pool ? "pool" : "limit";
}

int worse_code(int a, int b)
{
	if (a == EXIT_PERMISSION || b == EXIT_PERMISSION)
		return EXIT_PERMISSION;
	return a ? a : b;
}

enum where {
	NOWHERE,	/* before the first section */
	IGNORED,	/* in a section that was reported as an error */
	IN_LIMITS,
	IN_POOL,
	IN_BUFFER,	/* in the section of the last buffer of the plan */
};

struct reader {
	struct plan *plan;
	const char *file;
	enum where where;
	unsigned int settings_seen;	/* in this section */
	const char *kind;		/* kind of the next error outside of a buffer's section */
	const char *name;
};

static struct buffer_plan *current(const struct reader *reader)
{
	return &reader->plan->buffers[reader->plan->nbuffers - 1];
}

void plan_problem(struct plan *plan, const char *kind, const char *name, const char *file,
		  unsigned int line, const char *reason)
{
	plan->problems = or_die(reallocarray(plan->problems, plan->nproblems + 1,
					     sizeof(*plan->problems)));
	plan->problems[plan->nproblems++] = (struct problem){
		.kind = kind, .name = name ? or_die(strdup(name)) : NULL,
		.file = or_die(strdup(file)), .line = line, .reason = or_die(strdup(reason)),
	};
}

static const char *unreadable_reason(enum op op, int err)
{
	return abs(err) == EMEDIUMTYPE ? "it is not a regular file" : error_reason(op, err);
}

void plan_unreadable(struct plan *plan, enum op op, int err, const char *path)
{
	const char *reason = unreadable_reason(op, err);
	char text[512];

	snprintf(text, sizeof(text), "cannot %s it: %s", op == OP_LIST ? "list" : "read", reason);
	complain("cannot %s %s: %s", op == OP_LIST ? "list" : "read", path, reason);
	plan_problem(plan, "file", NULL, path, 0, text);
	plan->code = worse_code(plan->code, (int)error_exit_code(op, err));
}

/* Add an error with its line: the buffer's row shows only the line of the section. */
static void add_wrong(struct buffer_plan *buffer, unsigned int line, const char *text)
{
	char *all;

	if (asprintf(&all, "%s%sline %u: %s", buffer->wrong ? buffer->wrong : "",
		     buffer->wrong ? "; " : "", line, text) < 0)
		all = NULL;
	free(buffer->wrong);
	buffer->wrong = or_die(all);
}

/* Report a wrong line. Do not make the buffer of its section: it would differ from the file. */
static void __attribute__((format(printf, 3, 4)))
mistake(struct reader *reader, unsigned int line, const char *format, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	or_die(n < 0 ? NULL : text);
	complain("%s:%u: %s", reader->file, line, text);
	reader->plan->code = worse_code(reader->plan->code, EXIT_FAILED);
	if (reader->where == IN_BUFFER)
		add_wrong(current(reader), line, text);
	else
		plan_problem(reader->plan, reader->kind ? reader->kind : "line", reader->name,
			     reader->file, line, text);
	free(text);
}

/* ------------------------------------------------------------------------- */
/* Values                                                                    */
/* ------------------------------------------------------------------------- */

/* Each of these functions returns NULL, or the error in the value. */

static const char *size_value(struct buffer_plan *buffer, const char *value)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int err = size_parse(value, &buffer->size);

	if (err)
		return size_error(err);
	if (!buffer->size)
		return "is not a size for a buffer";
	if (size_is_beyond(buffer->size))
		return size_error(-ERANGE);
	/* The driver rounds sizes up to whole pages. */
	buffer->size = (buffer->size + page - 1) / page * page;
	return NULL;
}

static const char *owner_value(struct buffer_plan *buffer, const char *value)
{
	return user_parse(value, &buffer->owner) ? "is not a user of this machine" : NULL;
}

static const char *group_value(struct buffer_plan *buffer, const char *value)
{
	return group_parse(value, &buffer->group) ? "is not a group of this machine" : NULL;
}

static const char *mode_value(struct buffer_plan *buffer, const char *value)
{
	return mode_parse(value, &buffer->mode) ? mode_error : NULL;
}

static const char *node_value(struct buffer_plan *buffer, const char *value)
{
	unsigned long node;
	char *end;

	errno = 0;
	node = strtoul(value, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*value) || node > INT32_MAX)
		return "is not the number of a NUMA node";
	buffer->node = (int)node;
	return NULL;
}

static const char *bool_value(bool *flag, const char *value)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(value, words[i])) {
			*flag = i % 2;
			return NULL;
		}
	}
	return "is neither yes nor no";
}

static const char *dma32_value(struct buffer_plan *buffer, const char *value)
{
	return bool_value(&buffer->dma32, value);
}

static const char *contiguous_value(struct buffer_plan *buffer, const char *value)
{
	return bool_value(&buffer->contiguous, value);
}

static const char *whole_units_value(struct buffer_plan *buffer, const char *value)
{
	return bool_value(&buffer->whole_units, value);
}

static const char *others_pin_value(struct buffer_plan *buffer, const char *value)
{
	return bool_value(&buffer->others_pin, value);
}

static const struct buffer_key {
	const char *key;
	const char *(*set)(struct buffer_plan *buffer, const char *value);
} buffer_keys[] = {
	{ "size", size_value },
	{ "owner", owner_value },
	{ "group", group_value },
	{ "mode", mode_value },
	{ "node", node_value },
	{ "dma32", dma32_value },
	{ "contiguous", contiguous_value },
	{ "whole-units", whole_units_value },
	{ "others-pin", others_pin_value },
};

#define BUFFER_KEYS	(sizeof(buffer_keys) / sizeof(buffer_keys[0]))

static void buffer_key(struct reader *reader, unsigned int line, const char *key,
		       const char *value)
{
	struct buffer_plan *buffer = current(reader);
	const char *why;
	size_t i;

	for (i = 0; i < BUFFER_KEYS && strcmp(buffer_keys[i].key, key); i++)
		;
	if (i == BUFFER_KEYS) {
		mistake(reader, line, "'%s' is not a key of a buffer", key);
	} else if (buffer->seen & 1u << i) {
		mistake(reader, line, "%s is set twice", key);
	} else {
		buffer->seen |= 1u << i;
		why = buffer_keys[i].set(buffer, value);
		if (why)
			mistake(reader, line, "%s: '%s' %s", key, value, why);
	}
}

static const char *number_value(const char *value, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(value, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*value))
		return "is neither a number nor max";
	return NULL;
}

static const char *setting_value(const struct setting *setting, const char *value, uint64_t *out)
{
	int err;

	if (!setting->is_pool && !strcmp(value, "max")) {
		*out = CCSHM_LIMIT_NONE;
		return NULL;
	}
	if (setting->is_number)
		return number_value(value, out);
	err = size_parse(value, out);
	if (!err && setting->is_pool && size_is_beyond(*out))
		err = -ERANGE;
	return err ? size_error(err) : NULL;
}

static size_t find_setting(bool is_pool, const char *key)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		if (settings[i].is_pool == is_pool && !strcmp(settings[i].name, key))
			break;
	return i;
}

/* The last file that sets a value applies. */
static void setting_key(struct reader *reader, unsigned int line, const char *key,
			const char *value)
{
	bool is_pool = reader->where == IN_POOL;
	size_t i = find_setting(is_pool, key);
	const char *why;
	uint64_t number;

	reader->kind = setting_kind(is_pool);
	reader->name = key;
	if (i == SETTINGS) {
		mistake(reader, line, is_pool ? "'%s' is not a key of the pool" :
						"there is no limit '%s'", key);
	} else if (reader->settings_seen & 1u << i) {
		mistake(reader, line, "%s is set twice", key);
	} else {
		reader->settings_seen |= 1u << i;
		why = setting_value(&settings[i], value, &number);
		if (why)
			mistake(reader, line, "%s: '%s' %s", key, value, why);
		else
			reader->plan->settings[i] = (struct setting_plan){ reader->file, line, number };
	}
	reader->kind = NULL;
	reader->name = NULL;
}

/* ------------------------------------------------------------------------- */
/* Sections                                                                  */
/* ------------------------------------------------------------------------- */

static uid_t owner_of(const struct buffer_plan *buffer)
{
	return buffer->owner == (uid_t)-1 ? geteuid() : buffer->owner;
}

/*
 * Refuse a second section for a name of the same owner. Sections with an error do not count: no
 * buffer is made for them.
 */
static void check_unique(struct reader *reader)
{
	struct buffer_plan *buffer = current(reader), *other;

	if (buffer->wrong)
		return;
	for (other = reader->plan->buffers; other < buffer; other++) {
		if (other->wrong || strcmp(other->name, buffer->name) ||
		    owner_of(other) != owner_of(buffer))
			continue;
		mistake(reader, buffer->line, "the owner's buffer %s is already defined at %s:%u",
			buffer->name, other->file, other->line);
		return;
	}
}

static void end_section(struct reader *reader)
{
	if (reader->where == IN_BUFFER) {
		if (!(current(reader)->seen & 1))
			mistake(reader, current(reader)->line, "buffer %s has no size",
				current(reader)->name);
		check_unique(reader);
	}
	reader->where = IGNORED;
}

static void begin_buffer(struct reader *reader, unsigned int line, const char *name)
{
	struct plan *plan = reader->plan;
	const char *why = name_error(name);

	plan->buffers = or_die(reallocarray(plan->buffers, plan->nbuffers + 1,
					    sizeof(*plan->buffers)));
	plan->buffers[plan->nbuffers++] = (struct buffer_plan){
		.file = reader->file, .line = line, .name = or_die(strdup(name)),
		.owner = (uid_t)-1, .group = (gid_t)-1, .mode = 0600, .node = -1,
	};
	reader->where = IN_BUFFER;
	if (why)
		mistake(reader, line, "'%s' %s", name, why);
}

static void parse_section(void *data, unsigned int line, const char *name)
{
	struct reader *reader = data;
	const char *rest;

	end_section(reader);
	if (!name)
		return;
	reader->settings_seen = 0;
	if (!strcmp(name, "limits")) {
		reader->where = IN_LIMITS;
	} else if (!strcmp(name, "pool")) {
		reader->where = IN_POOL;
	} else if (!strncmp(name, "buffer", 6) && isspace((unsigned char)name[6])) {
		for (rest = name + 7; isspace((unsigned char)*rest); rest++)
			;
		begin_buffer(reader, line, rest);
	} else {
		reader->kind = "section";
		reader->name = name;
		mistake(reader, line,
			"there is no section [%s]; there are [buffer NAME], [limits] and [pool]", name);
		reader->kind = NULL;
		reader->name = NULL;
	}
}

static void parse_key(void *data, unsigned int line, const char *key, const char *value)
{
	struct reader *reader = data;

	if (reader->where == IN_BUFFER)
		buffer_key(reader, line, key, value);
	else if (reader->where == IN_LIMITS || reader->where == IN_POOL)
		setting_key(reader, line, key, value);
	else if (reader->where == NOWHERE)
		mistake(reader, line, "%s is before the first section", key);
}

static void report_line(void *data, unsigned int line, const char *why)
{
	mistake(data, line, "%s", why);
}

void plan_read(struct plan *plan, const struct file_list *files)
{
	static const struct ini_visitor visitor = { parse_section, parse_key, report_line };
	size_t i;
	int err;

	for (i = 0; i < files->count; i++) {
		struct reader reader = {
			.plan = plan, .file = ini_name(files->paths[i], files->named),
		};

		err = ini_read(files->paths[i], files->named, &visitor, &reader);
		end_section(&reader);
		if (err)
			plan_unreadable(plan, OP_CONFIG, err, reader.file);
	}
}

void plan_free(struct plan *plan)
{
	while (plan->nbuffers) {
		plan->nbuffers--;
		free(plan->buffers[plan->nbuffers].name);
		free(plan->buffers[plan->nbuffers].wrong);
	}
	free(plan->buffers);
	while (plan->nproblems) {
		plan->nproblems--;
		free(plan->problems[plan->nproblems].name);
		free(plan->problems[plan->nproblems].file);
		free(plan->problems[plan->nproblems].reason);
	}
	free(plan->problems);
}
