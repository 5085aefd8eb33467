// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sections and "key = value", one a line.
 *
 * Written here because each line that is wrong must be told, with its number, and must
 * not take the rest of its file with it. The libraries that distributions have do not
 * give that: inih cuts section names after 49 characters and knows no numbers, libeconf
 * passes over lines without "=", keys that are there twice and empty sections, and
 * libini_config gives nothing of a file with one wrong line, and no line of a section.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provision.h"

/* Without the white space around it. */
static char *strip(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static void visit_section(char *text, unsigned int line,
			  const struct ini_visitor *visitor, void *data)
{
	char *end = strchr(text, ']');

	if (!end || end[1]) {
		/* Its keys must not become those of the section before it. */
		visitor->section(data, line, NULL);
		visitor->wrong(data, line, end ? "there is something behind the ]" :
						 "the ] of the section is missing");
		return;
	}
	*end = '\0';
	visitor->section(data, line, strip(text + 1));
}

static void visit_key(char *text, unsigned int line,
		      const struct ini_visitor *visitor, void *data)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		visitor->wrong(data, line, "neither [SECTION] nor KEY=VALUE");
		return;
	}
	*equals = '\0';
	visitor->key(data, line, strip(text), strip(equals + 1));
}

static void visit_line(char *text, unsigned int line,
		       const struct ini_visitor *visitor, void *data)
{
	text = strip(text);
	if (!*text || *text == '#' || *text == ';')
		return;
	if (*text == '[')
		visit_section(text, line, visitor, data);
	else
		visit_key(text, line, visitor, data);
}

static int read_lines(FILE *f, const struct ini_visitor *visitor, void *data)
{
	unsigned int line = 0;
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int err;

	while (errno = 0, (n = getline(&text, &size, f)) >= 0) {
		line++;
		if (strlen(text) < (size_t)n)
			visitor->wrong(data, line, "there is a NUL in it");
		else
			visit_line(text, line, visitor, data);
	}
	err = ferror(f) || !feof(f) ? -errno : 0;
	free(text);
	return err;
}

/* /dev/null in the place of a file hides another of its name, and is empty. */
static int check_kind(int fd)
{
	struct stat st, null;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISCHR(st.st_mode) && !stat("/dev/null", &null) && st.st_rdev == null.st_rdev)
		return 0;
	return -EINVAL;
}

int ini_read(const char *path, const struct ini_visitor *visitor, void *data)
{
	/* Not to wait for a writer if somebody has put a FIFO there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f;
	int err;

	if (fd < 0)
		return -errno;
	err = check_kind(fd);
	f = err ? NULL : fdopen(fd, "r");
	if (!f) {
		err = err ? err : -errno;
		close(fd);
		return err;
	}
	err = read_lines(f, visitor, data);
	fclose(f);
	return err;
}
