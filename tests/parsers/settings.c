// SPDX-License-Identifier: GPL-2.0-only
/* Files with one setting a line: os-release, and files in /proc and /sys. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "parsers.h"

void prepare(void)
{
	file_link(0, "/etc/os-release");
	file_link(0, "/proc/file");
}

/* Return the value of the first line "KEY=VALUE", without the quotes around it; the caller frees it. */
static char *expected(const char *text, const char *key)
{
	char *lines = strdup(text), *rest = lines, *line, *value = NULL;
	size_t n = strlen(key), len;

	HOLDS(lines);
	while (!value && (line = strsep(&rest, "\n")))
		if (!strncmp(line, key, n) && line[n] == '=')
			value = strdup(line + n + 1);
	free(lines);
	len = value ? strlen(value) : 0;
	if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
		memmove(value, value + 1, len - 2);
		value[len - 2] = '\0';
	}
	return value;
}

static void check_setting(const char *text, const char *key, size_t room)
{
	char *value = malloc(room), *right = expected(text, key);
	int err;

	HOLDS(value);
	err = system_setting(value, room, text, key);
	HOLDS(err == (right ? 0 : -ENOENT));
	HOLDS(strlen(value) < room && !strchr(value, '\n'));
	HOLDS(!strncmp(value, right ? right : "", room - 1));
	free(value);
	free(right);
}

static void check_field(const char *text)
{
	uint64_t value = 5;
	int err = system_field(text, "MemTotal", &value);

	HOLDS(!err || err == -ENOENT);
	HOLDS(!err || value == 5);
	HOLDS(!err || strncmp(text, "MemTotal:", 9));
}

/* The text fits, whatever room there is. */
static void check_package(size_t room)
{
	char *text = malloc(room);

	HOLDS(text);
	headers_package("6.12.1", text, room);
	HOLDS(strlen(text) < room);
	HOLDS(room < 64 || strstr(text, "install") || strstr(text, "pacman"));
	module_install(text, room);
	HOLDS(strlen(text) < room);
	free(text);
}

static void check_files(size_t room)
{
	char *text = malloc(room);
	uint64_t value;
	int err;

	HOLDS(text);
	HOLDS(!system_line(text, room, "/proc/file"));
	HOLDS(strlen(text) < room && !strchr(text, '\n'));
	HOLDS(system_read(text, room, "/proc/file") < (ssize_t)room);
	HOLDS(system_line(text, room, "/proc/absent") == -ENOENT && !*text);
	err = system_number(&value, "/proc/file");
	HOLDS(!err || err == -EINVAL);
	cloud_detect();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = size ? 1 + data[0] % 200 : 1;
	char *text = text_of(data, size);

	file_set(0, data, size);
	check_setting(text, "ID", room);
	check_setting(text, "ID_LIKE", room);
	check_field(text);
	check_package(room);
	check_files(room);
	HOLDS(!messages());
	free(text);
	return 0;
}
