// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check the module's parameters in /etc/modprobe.d and on the kernel's command line. The kernel
 * does not load a module if it refuses a parameter.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* In the order of modprobe.d(5): a file overrides files of the same name in later ones. */
static const char *const directories[] = {
	"/etc/modprobe.d",
	"/run/modprobe.d",
	"/usr/local/lib/modprobe.d",
	"/usr/lib/modprobe.d",
	"/lib/modprobe.d",
};

#define NR_DIRECTORIES	(sizeof(directories) / sizeof(directories[0]))

/* Accept what limit_parse() of the driver accepts: a decimal number with K, M, G or T, or max. */
static bool number_is_valid(const char *value, const char *units)
{
	unsigned long long number, max = ~0ULL;
	const char *unit;
	char *end;

	if (!strcmp(value, "max"))
		return true;
	if (!isdigit((unsigned char)*value))
		return false;
	/* The driver copies the text to an array of 24 bytes. */
	if (strlen(value) > 23)
		return false;
	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno)
		return false;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		max >>= 10 * (unit - units + 1);
		end++;
	}
	return !*end && number <= max;
}

static bool size_is_valid(const char *value)
{
	return number_is_valid(value, "KMGT");
}

static bool count_is_valid(const char *value)
{
	return number_is_valid(value, "");
}

static bool heap_is_valid(const char *value)
{
	return !strcmp(value, "auto") || !strcmp(value, "off");
}

/* Accept what kstrtobool() accepts, which reads the first letters only. */
static bool bool_is_valid(const char *value)
{
	return (*value && strchr("yYnNtTfF01", *value)) ||
	       !strncasecmp(value, "on", 2) || !strncasecmp(value, "of", 2);
}

/* @bare: the name without a value is valid; the kernel refuses it for the other types. */
static const struct parameter {
	const char *name;
	bool (*is_valid)(const char *value);
	const char *takes;
	bool bare;
} parameters[] = {
	{ "limit_total_bytes", size_is_valid, "a number, which K, M, G or T may follow, or max" },
	{ "limit_user_bytes", size_is_valid, "a number, which K, M, G or T may follow, or max" },
	{ "limit_user_buffers", count_is_valid, "a number, or max" },
	{ "limit_user_exports", count_is_valid, "a number, or max" },
	{ "pool_max_bytes", size_is_valid, "a number, which K, M, G or T may follow, or max" },
	{ "pool_min_bytes", size_is_valid, "a number, which K, M, G or T may follow, or max" },
	{ "heap", heap_is_valid, "auto or off" },
	{ "allow_plain", bool_is_valid, "0 or 1", true },
};

struct search {
	struct doctor *doctor;
	unsigned int set;
	unsigned int refused;
};

#define SPACES	" \t\n"

/* Cut off the next word as next_arg() of the kernel does: a space in double quotes does not end it. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, SPACES), *end;
	bool quoted = false;

	for (end = word; *end && (quoted || !strchr(SPACES, *end)); end++)
		if (*end == '"')
			quoted = !quoted;
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return *word ? word : NULL;
}

/* Strip one pair of quotes, as next_arg() of the kernel does. */
static char *unquoted(char *text)
{
	size_t len;

	if (*text != '"')
		return text;
	len = strlen(++text);
	if (len && text[len - 1] == '"')
		text[len - 1] = '\0';
	return text;
}

/* Compare names as parameqn() of the kernel does: '-' is the same as '_'. */
static bool is_named(const char *name, const char *setting)
{
	for (; *name && (*setting == '-' ? '_' : *setting) == *name; name++)
		setting++;
	return !*name && !*setting;
}

/* Find the parameter of a setting "NAME"; the kernel ignores unknown ones. */
static const struct parameter *find_parameter(const char *setting)
{
	size_t i;

	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (is_named(parameters[i].name, setting))
			return &parameters[i];
	return NULL;
}

/* Check "NAME=VALUE" or "NAME". */
static void check_setting(struct search *search, char *setting, const char *source)
{
	struct doctor *doctor = search->doctor;
	const struct parameter *parameter;
	char *value = strchr(setting, '=');

	search->set++;
	if (value) {
		*value++ = '\0';
		value = unquoted(value);
	}
	parameter = find_parameter(setting);
	if (!parameter || (value ? parameter->is_valid(value) : parameter->bare))
		return;
	search->refused++;
	if (doctor->loaded)
		doctor_warn(doctor, "The driver refuses %s%s%s: the module will not load again.",
			    setting, value ? "=" : " without a value", value ? value : "");
	else
		doctor_fail(doctor, EXIT_NO_DRIVER, "The driver refuses %s%s%s: the module does not load.",
			    setting, value ? "=" : " without a value", value ? value : "");
	doctor_object(doctor, source);
	doctor_advise(doctor, "%s takes %s.", parameter->name, parameter->takes);
}

/* Read a line "options ccshm NAME=VALUE ...". */
static void read_options(struct search *search, char *line, const char *source)
{
	char *word = next_word(&line);

	if (!word || strcmp(word, "options"))
		return;
	word = next_word(&line);
	if (!word || strcmp(word, "ccshm"))
		return;
	while ((word = next_word(&line)))
		check_setting(search, unquoted(word), source);
}

/*
 * Read a line, and the next one if it ends with a backslash, as modprobe does. Return NULL at the end
 * of the file or without memory, and otherwise a text that the caller frees.
 */
static char *read_line(FILE *f)
{
	char *line = NULL, *part = NULL, *more;
	bool continues = true;
	size_t len = 0, size = 0;
	ssize_t n;

	while (continues && (n = getline(&part, &size, f)) > 0) {
		more = realloc(line, len + (size_t)n + 1);
		if (!more)
			break;
		line = more;
		memcpy(line + len, part, (size_t)n + 1);
		len += (size_t)n;
		continues = n > 1 && !strcmp(line + len - 2, "\\\n");
		if (continues)
			len -= 2;
		else if (line[len - 1] == '\n')
			len--;
		line[len] = '\0';
	}
	free(part);
	return line;
}

static void read_conf(struct search *search, const char *source)
{
	char path[SYSTEM_PATH_LEN], *line;
	FILE *f;

	system_path(path, "%s", source);
	f = fopen(path, "re");
	if (!f)
		return;
	while ((line = read_line(f))) {
		read_options(search, line, source);
		free(line);
	}
	fclose(f);
}

static bool is_overridden(size_t directory, const char *name)
{
	size_t i;

	for (i = 0; i < directory; i++)
		if (system_exists("%s/%s", directories[i], name))
			return true;
	return false;
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && !strcmp(entry->d_name + len - 5, ".conf");
}

static void read_directory(struct search *search, size_t directory)
{
	char path[SYSTEM_PATH_LEN];
	struct dirent **entries;
	int i, n;

	system_path(path, "%s", directories[directory]);
	n = scandir(path, &entries, is_conf, versionsort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", directories[directory], entries[i]->d_name);
		if (!is_overridden(directory, entries[i]->d_name))
			read_conf(search, path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void read_command_line(struct search *search)
{
	char line[4096], *rest = line, *word;

	system_line(line, sizeof(line), "/proc/cmdline");
	while ((word = next_word(&rest))) {
		word = unquoted(word);
		if (!strncmp(word, "ccshm.", 6))
			check_setting(search, word + 6, "/proc/cmdline");
	}
}

void doctor_check_parameters(struct doctor *doctor)
{
	struct search search = { .doctor = doctor };
	size_t i;

	for (i = 0; i < NR_DIRECTORIES; i++)
		read_directory(&search, i);
	read_command_line(&search);
	if (search.refused)
		return;
	if (search.set)
		doctor_pass(doctor, "The parameters of the module are valid.");
	else
		doctor_pass(doctor, "No parameters of the module are set.");
}
