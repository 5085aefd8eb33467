// SPDX-License-Identifier: GPL-2.0-only
/* Read and write files of the system in /proc, /sys and /etc, below system_root(). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ccshmctl.h"

/* Names that are too long are truncated, and then do not exist. */
static void make_path(char path[SYSTEM_PATH_LEN], const char *format, va_list ap)
{
	int n = snprintf(path, SYSTEM_PATH_LEN, "%s", system_root());

	vsnprintf(path + n, SYSTEM_PATH_LEN - (size_t)n, format, ap);
}

void system_path(char path[SYSTEM_PATH_LEN], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
}

bool system_exists(const char *format, ...)
{
	char path[SYSTEM_PATH_LEN];
	va_list ap;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
	return !access(path, F_OK);
}

static ssize_t read_all(int fd, char *bytes, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, bytes + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t read_file(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_all(fd, text, len - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n;
}

ssize_t system_read(char *text, size_t len, const char *format, ...)
{
	char path[SYSTEM_PATH_LEN];
	va_list ap;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
	return read_file(path, text, len);
}

int system_line(char *text, size_t len, const char *format, ...)
{
	char path[SYSTEM_PATH_LEN];
	va_list ap;
	ssize_t n;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
	n = read_file(path, text, len);
	if (n < 0) {
		*text = '\0';
		return (int)n;
	}
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int system_number(uint64_t *value, const char *format, ...)
{
	char path[SYSTEM_PATH_LEN], text[64], *end;
	va_list ap;
	ssize_t n;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
	n = read_file(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || (*end && !isspace((unsigned char)*end)))
		return -EINVAL;
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int system_write(const char *text, const char *format, ...)
{
	char path[SYSTEM_PATH_LEN];
	va_list ap;

	va_start(ap, format);
	make_path(path, format, ap);
	va_end(ap);
	return write_file(path, text);
}

int system_field(const char *text, const char *key, uint64_t *value)
{
	size_t len = strlen(key);
	const char *line;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len))
			continue;
		if (line[len] == ':' || line[len] == ' ') {
			*value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

int system_setting(char *value, size_t len, const char *text, const char *key)
{
	size_t n = strlen(key);
	const char *line, *end;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) || line[n] != '=')
			continue;
		line += n + 1;
		end = line + strcspn(line, "\n");
		if ((*line == '"' || *line == '\'') && end - line > 1 && end[-1] == *line) {
			line++;
			end--;
		}
		snprintf(value, len, "%.*s", (int)(end - line), line);
		return 0;
	}
	*value = '\0';
	return -ENOENT;
}
