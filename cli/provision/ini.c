// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sections and "key = value", one a line.
 *
 * ccshmctl has its own parser because each wrong line must be reported with its number,
 * and the rest of the file must still be used. The libraries of distributions cannot do
 * that: inih cuts section names after 49 characters and has no line numbers, libeconf
 * skips lines without "=", duplicate keys and empty sections, and libini_config returns
 * nothing of a file with one wrong line, and no line numbers of sections.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provision.h"

/*
 * Unicode spaces that look like an ordinary space or are invisible. Text that is copied from web
 * pages and word processors contains them.
 */
static const struct space {
	const char *bytes;
	const char *name;
} spaces[] = {
	{ "\u00a0", "a no-break space (U+00A0)" },
	{ "\u2007", "a figure space (U+2007)" },
	{ "\u202f", "a narrow no-break space (U+202F)" },
	{ "\u2009", "a thin space (U+2009)" },
	{ "\u2003", "an em space (U+2003)" },
	{ "\u2002", "an en space (U+2002)" },
	{ "\u200b", "a zero-width space (U+200B)" },
	{ "\u2060", "a word joiner (U+2060)" },
	{ "\u3000", "an ideographic space (U+3000)" },
	{ "\ufeff", "a byte order mark (U+FEFF)" },
};

static const char byte_order_mark[] = "\ufeff";

/* Return the name of the first such space in @text and set *@column, or return NULL. */
static const char *find_space(const char *text, size_t *column)
{
	const char *first = NULL, *at, *name = NULL;
	size_t i;

	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		at = strstr(text, spaces[i].bytes);
		if (at && (!first || at < first)) {
			first = at;
			name = spaces[i].name;
		}
	}
	/* Count characters, not bytes: skip the continuation bytes of UTF-8. */
	*column = 1;
	for (at = text; first && at < first; at++)
		*column += (*at & 0xc0) != 0x80;
	return name;
}

/* Return the text without white space around it. */
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
		/* The following keys do not belong to the previous section. */
		visitor->section(data, line, NULL);
		visitor->wrong(data, line, end ? "unexpected text after the ]" :
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
	const char *whole = text, *space;
	char why[128];
	size_t column;

	text = strip(text);
	if (!*text || *text == '#' || *text == ';')
		return;
	space = find_space(whole, &column);
	if (space) {
		/* The following keys do not belong to the previous section. */
		if (text[strcspn(text, "[=")] == '[')
			visitor->section(data, line, NULL);
		snprintf(why, sizeof(why), "column %zu has %s: use an ordinary space, or none",
			 column, space);
		visitor->wrong(data, line, why);
		return;
	}
	if (*text == '[')
		visit_section(text, line, visitor, data);
	else
		visit_key(text, line, visitor, data);
}

/* Detect the byte order mark of UTF-16, which some editors write. */
static bool is_utf16(const char *text, size_t len)
{
	return len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
}

static int read_lines(FILE *f, const struct ini_visitor *visitor, void *data)
{
	unsigned int line = 0;
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int err;

	while (errno = 0, (n = getline(&text, &size, f)) >= 0) {
		size_t mark = 0;

		line++;
		if (line == 1 && is_utf16(text, (size_t)n)) {
			visitor->wrong(data, line, "the file is UTF-16: save it as UTF-8");
			break;
		}
		if (line == 1 && !strncmp(text, byte_order_mark, strlen(byte_order_mark)))
			mark = strlen(byte_order_mark);
		if (strlen(text) < (size_t)n)
			visitor->wrong(data, line, "the line contains a NUL");
		else
			visit_line(text + mark, line, visitor, data);
	}
	if (n >= 0) {
		free(text);
		return 0;
	}
	err = ferror(f) || !feof(f) ? -errno : 0;
	free(text);
	return err;
}

/*
 * /dev/null is an empty file that overrides others of its name. A file that the user named can also
 * be a pipe or a terminal.
 */
static int check_kind(int fd, bool named)
{
	struct stat st, null;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (named && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd)))
		return 0;
	if (S_ISCHR(st.st_mode) && !stat("/dev/null", &null) && st.st_rdev == null.st_rdev)
		return 0;
	return -EMEDIUMTYPE;
}

static bool is_stdin(const char *path, bool named)
{
	return named && !strcmp(path, "-");
}

const char *ini_name(const char *path, bool named)
{
	return is_stdin(path, named) ? "standard input" : path;
}

static int open_input(const char *path, bool named)
{
	if (is_stdin(path, named))
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	/* O_NONBLOCK: do not wait for the writer of a FIFO in a directory. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (named ? 0 : O_NONBLOCK));
}

int ini_read(const char *path, bool named, const struct ini_visitor *visitor, void *data)
{
	int fd = open_input(path, named);
	FILE *f;
	int err;

	if (fd < 0)
		return -errno;
	err = check_kind(fd, named);
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
