// SPDX-License-Identifier: GPL-2.0-only
/* Tables and JSON of given rows, and of a given status of the driver. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"

/* What open_memstream() returns. */
static enum {
	MEMORY,
	NO_STREAM,
	FULL_STREAM,	/* a stream that has no memory when it is written */
} memory_stream;

FILE *__real_open_memstream(char **text, size_t *len);
FILE *__wrap_open_memstream(char **text, size_t *len);

FILE *__wrap_open_memstream(char **text, size_t *len)
{
	if (memory_stream == MEMORY)
		return __real_open_memstream(text, len);
	*text = NULL;
	*len = 0;
	errno = ENOMEM;
	return memory_stream == FULL_STREAM ? fopen("/dev/full", "w") : NULL;
}

static const struct format plain, bytes = { .bytes = true }, json = { .json = true };

static struct out *example(enum out_shape shape, const struct format *format)
{
	struct out *out = out_new("things", shape, format);

	out_row(out);
	out_number(out, "id", 7);
	out_string(out, "some_name", "one");
	out_size(out, "size", 3 << 20);
	out_bool(out, "good", true);
	out_address(out, "address", 0xfffffffff000ULL);
	out_row(out);
	out_number(out, "id", UINT64_MAX);
	out_string(out, "some_name", NULL);
	out_size(out, "size", 1);
	out_bool(out, "good", false);
	out_mark(out, OUT_BAD);
	out_address(out, "address", 0);
	return out;
}

static char *on_terminal_of(unsigned short columns, struct out *out);

static char *printed(struct out *out)
{
	static char text[CLI_TEXT];
	FILE *f = fdopen(memfd_create("ccshm-unit", MFD_CLOEXEC), "w+");
	size_t n;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(out_print(out, f), 0);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(list_is_a_table)
{
	ck_assert_str_eq(printed(example(OUT_LIST, &plain)),
		"                  ID SOME-NAME SIZE GOOD ADDRESS\n"
		"                   7 one         3M yes  0xfffffffff000\n"
		"18446744073709551615 -            1 no   0x0\n");
}
END_TEST

START_TEST(sizes_are_printed_in_bytes)
{
	ck_assert_ptr_nonnull(strstr(printed(example(OUT_LIST, &bytes)),
				     "one       3145728 yes"));
}
END_TEST

START_TEST(record_has_a_line_for_each_field)
{
	struct out *out = out_new("thing", OUT_RECORD, &plain);

	out_row(out);
	out_number(out, "id", 7);
	out_string(out, "name", NULL);
	out_size(out, "bytes_shared", 1536);
	ck_assert_str_eq(printed(out), "id           7\nbytes shared 1.5K\n");
}
END_TEST

START_TEST(json_rows)
{
	char *text = printed(example(OUT_LIST, &json)), copy[CLI_TEXT];

	ck_assert_msg(!json_error(text), "not JSON: %s", json_error(text));
	ck_assert_ptr_nonnull(strstr(text, "\"things\""));
	ck_assert_ptr_nonnull(strstr(text, "\"id\": 7"));
	ck_assert_ptr_nonnull(strstr(text, "\"id\": 18446744073709551615"));
	ck_assert_ptr_nonnull(strstr(text, "\"some_name\": \"one\""));
	ck_assert_ptr_nonnull(strstr(text, "\"some_name\": null"));
	ck_assert_ptr_nonnull(strstr(text, "\"size\": 3145728"));
	ck_assert_ptr_nonnull(strstr(text, "\"good\": true"));
	ck_assert_ptr_nonnull(strstr(text, "\"good\": false"));
	ck_assert_ptr_nonnull(strstr(text, "\"address\": \"0xfffffffff000\""));
	/* A single record has the same output. */
	snprintf(copy, sizeof(copy), "%s", text);
	ck_assert_str_eq(printed(example(OUT_RECORD, &json)), copy);
}
END_TEST

START_TEST(json_text)
{
	struct out *out = out_new("texts", OUT_LIST, &json);
	const char *text;

	out_row(out);
	out_string(out, "text", "a \"quoted\" \\ line\nand\ttab \x01");
	text = printed(out);
	ck_assert_msg(!json_error(text), "not JSON: %s", json_error(text));
	ck_assert_ptr_nonnull(strstr(text, "\\\"quoted\\\" \\\\ line"));
}
END_TEST

/* ESC, DEL, C1, a byte that is not UTF-8, a truncated character, and a printable character. */
#define WILD	"a\033\177\xc2\x9b\xff\xe2\x82 \xc3\xa9"

static struct out *wild(const struct format *format)
{
	struct out *out = out_new("texts", OUT_LIST, format);

	out_row(out);
	out_string(out, "text", WILD);
	return out;
}

START_TEST(control_characters_are_escaped)
{
	static const char *const not_utf8[] = {
		"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	};
	char *text;
	size_t i;

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	text = printed(wild(&json));
	ck_assert_msg(!json_error(text), "not JSON: %s", json_error(text));
	ck_assert_ptr_nonnull(strstr(text, "\"a\\u001b\\u007f\\u009b\xef\xbf\xbd\xef\xbf\xbd"
				     "\xef\xbf\xbd \xc3\xa9\""));
	ck_assert_str_eq(printed(wild(&plain)),
			 "TEXT\na\\033\\177\\302\\233\\377\\342\\202 \xc3\xa9\n");
	ck_assert_ptr_nonnull(strstr(on_terminal_of(80, wild(&plain)), "a\\033\\177\\302\\233"));
	/* Directional marks, and characters that are unassigned in this locale. */
	text = text_shown("\u061c\u200e\u202e\u2066\U0010ffff\ufeff");
	ck_assert_str_eq(text, "\\330\\234\\342\\200\\216\\342\\200\\256\\342\\201\\246"
			 "\\364\\217\\277\\277\ufeff");
	free(text);
	for (i = 0; i < sizeof(not_utf8) / sizeof(not_utf8[0]); i++) {
		text = text_utf8(not_utf8[i]);
		ck_assert_uint_eq(strlen(text), 3 * strlen(not_utf8[i]));
		ck_assert_int_eq(strncmp(text, "\xef\xbf\xbd", 3), 0);
		free(text);
	}
}
END_TEST

/* All of many columns are printed. */
START_TEST(many_columns)
{
	struct out *out = out_new("things", OUT_LIST, &json);
	char keys[100][8], *text;
	int i;

	out_row(out);
	for (i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key%d", i);
		out_number(out, keys[i], (uint64_t)i);
	}
	text = printed(out);
	ck_assert_msg(!json_error(text), "not JSON: %s", json_error(text));
	ck_assert_ptr_nonnull(strstr(text, "\"key0\": 0"));
	ck_assert_ptr_nonnull(strstr(text, "\"key99\": 99"));
}
END_TEST

START_TEST(json_empty)
{
	const char *text = printed(out_new("nothing", OUT_LIST, &json));

	ck_assert_msg(!json_error(text), "not JSON: %s", json_error(text));
}
END_TEST

/* The JSON parser of these tests accepts valid and rejects invalid texts. */
START_TEST(json_parser_of_the_tests)
{
	static const char *const right[] = {
		"{}", "[]", " {\"a\":[1,-2.5e+3,true,null,\"\\u00e9\"]} ", "0",
	};
	static const char *const wrong[] = {
		"", "{", "{\"a\"}", "{\"a\":}", "{a:1}", "[1,]", "[1 2]", "01",
		"{\"a\":1,}", "\"a", "\"\n\"", "\"\\x\"", "{} {}", "tru", "1.", "4K",
	};
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		ck_assert_msg(!json_error(right[i]), "%s", right[i]);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(json_error(wrong[i]) != NULL, "%s", wrong[i]);
}
END_TEST

START_TEST(full_disk)
{
	FILE *f = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(out_print(example(OUT_LIST, &plain), f), -ENOSPC);
	fclose(f);
}
END_TEST

/* Return the output on a terminal of the given width. */
static char *on_terminal_of(unsigned short columns, struct out *out)
{
	static char text[CLI_TEXT];
	struct winsize size = { .ws_row = 25, .ws_col = columns };
	size_t len = 0;
	int master, slave;
	ssize_t n;
	FILE *f;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	f = fdopen(slave, "w");
	ck_assert_int_eq(out_print(out, f), 0);
	fclose(f);
	while ((n = read(master, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	ck_assert_uint_gt(len, 0);
	text[len] = '\0';
	close(master);
	return text;
}

static char *on_terminal(const char *no_color, const char *term)
{
	if (no_color)
		setenv("NO_COLOR", no_color, 1);
	else
		unsetenv("NO_COLOR");
	setenv("TERM", term, 1);
	return on_terminal_of(80, example(OUT_LIST, &plain));
}

static struct out *sentence(const struct format *format)
{
	struct out *out = out_new("things", OUT_LIST, format);

	out_row(out);
	out_string(out, "key", "longer");
	out_string(out, "text", "This is rather long and a_word_that_does_not_fit_at_all follows.");
	out_wrap(out);
	out_row(out);
	out_string(out, "key", "x");
	out_string(out, "text", NULL);
	return out;
}

/* On a terminal, and only there, lines are broken between words. */
START_TEST(lines_wrap_between_words)
{
	unsetenv("NO_COLOR");
	ck_assert_str_eq(on_terminal_of(30, sentence(&plain)),
		"KEY    TEXT\r\n"
		"longer This is rather long and\r\n"
		"       a_word_that_does_not_fit_at_all\r\n"
		"       follows.\r\n"
		"x      -\r\n");
	/* A terminal of unknown width. */
	ck_assert_ptr_nonnull(strstr(on_terminal_of(0, sentence(&plain)),
				     "longer This is rather long and a_word"));
	ck_assert_ptr_nonnull(strstr(printed(sentence(&plain)), "longer This is rather long and a_word"));
	ck_assert_ptr_nonnull(strstr(printed(sentence(&json)), "\"This is rather long and a_word"));
}
END_TEST

/*
 * The width of a line is counted in columns, not in bytes: 5 for the key, one for the gap, 24 for
 * the text, in which each character "\u4e2d" takes two columns and U+0301 none.
 */
START_TEST(line_width_counts_columns)
{
	struct out *out = out_new("things", OUT_LIST, &plain);

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	unsetenv("NO_COLOR");
	out_row(out);
	out_string(out, "key", "\u00e9\u00e9\u00e9\u4e2d");
	out_string(out, "text", "\u00e9\u00e9\u00e9\u00e9\u00e9 \u00e9\u00e9\u00e9\u00e9\u00e9 abcdefghijkl "
		   "\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d \u4e2d\u4e2d\u4e2d\u4e2d\u4e2d "
		   "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301 abcdefghijklmnopq end");
	out_wrap(out);
	ck_assert_str_eq(on_terminal_of(30, out),
		"KEY   TEXT\r\n"
		"\u00e9\u00e9\u00e9\u4e2d \u00e9\u00e9\u00e9\u00e9\u00e9 \u00e9\u00e9\u00e9\u00e9\u00e9 abcdefghijkl\r\n"
		"      \u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d \u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\r\n"
		"      e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301 abcdefghijklmnopq\r\n"
		"      end\r\n");
}
END_TEST

/* Count columns by characters; an invalid byte counts as one column. */
START_TEST(text_width_counts_columns)
{
	size_t columns;

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	ck_assert_uint_eq(text_columns("a\u00e9\u4e2de\u0301"), 5);
	ck_assert_uint_eq(text_step("\u4e2d", &columns), 3);
	ck_assert_uint_eq(columns, 2);
	ck_assert_uint_eq(text_step("\xff", &columns), 1);
	ck_assert_uint_eq(columns, 1);
	ck_assert_int_eq(text_fitting("a\u4e2db", 2), 1);
	ck_assert_int_eq(text_fitting("a\u4e2db", 3), 4);
	ck_assert_int_eq(text_fitting("a\u4e2db", 80), 5);
	ck_assert_int_eq(text_fitting("e\u0301", 1), 3);
}
END_TEST

/* Check that a terminal of the given width shows the text once or more, and erases it. */
static void check_progress(unsigned short columns, const char *what, const char *shown)
{
	char text[CLI_TEXT], begin[256];
	struct winsize size = { .ws_row = 25, .ws_col = columns };
	int master, slave, status, seen[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	ck_assert_int_eq(pipe(seen), 0);
	pid = fork();
	if (!pid) {
		close(seen[1]);
		dup2(slave, STDERR_FILENO);
		progress_start(0, "showing %s", what);
		n = read(seen[0], text, 1);
		progress_stop();
		_exit(n ? 1 : 0);
	}
	close(slave);
	close(seen[0]);
	while (len < sizeof(text) - 1 &&
	       (n = read(master, text + len, sizeof(text) - 1 - len)) > 0) {
		/* The text has appeared: let the child erase it. */
		if (!len)
			close(seen[1]);
		len += (size_t)n;
	}
	text[len] = '\0';
	close(master);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	snprintf(begin, sizeof(begin), "\r%s... ", shown);
	ck_assert_msg(!strncmp(text, begin, strlen(begin)), "%s", text);
	ck_assert_uint_eq(strspn(text + strlen(begin), "0123456789"), 1);
	ck_assert_ptr_eq(strchr(text, '\033'), text + len - 3);
	ck_assert_str_eq(text + len - 6, "s \r\033[K");
}

START_TEST(progress_escapes_control_characters)
{
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	check_progress(80, WILD, "showing a\\033\\177\\302\\233\\377\\342\\202 \u00e9");
	/* The text is cut to one line, between characters. */
	check_progress(20, "\u4e2d\u4e2d\u4e2d\u4e2d", "showing \u4e2d\u4e2d");
	check_progress(4, "x", "");
	/* A terminal of unknown width. */
	check_progress(0, "\u4e2d", "showing \u4e2d");
}
END_TEST

START_TEST(colour)
{
	ck_assert_ptr_nonnull(strchr(on_terminal(NULL, "xterm"), '\033'));
	ck_assert_ptr_nonnull(strchr(on_terminal("", "xterm"), '\033'));
	ck_assert_ptr_null(strchr(on_terminal("1", "xterm"), '\033'));
	ck_assert_ptr_null(strchr(on_terminal(NULL, "dumb"), '\033'));
	ck_assert_ptr_null(strchr(printed(example(OUT_LIST, &plain)), '\033'));
}
END_TEST

/* In a pipe, names are not cut to the width of the terminal. */
START_TEST(names_in_a_pipe_are_not_cut)
{
	struct out *out = out_new("names", OUT_LIST, &plain);
	char name[400];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	out_row(out);
	out_string(out, "name", name);
	out_string(out, "other", name);
	ck_assert_uint_gt(strlen(printed(out)), 2 * strlen(name));
}
END_TEST

/* ------------------------------------------------------------------------- */
/* A given status                                                            */
/* ------------------------------------------------------------------------- */

static struct ccshm_ioc_query status;
static struct ccshm_ioc_importer importers[2];
static unsigned int nr_importers;

static int answer_importers(struct ccshm_ioc_importers *arg)
{
	if (arg->id != status.object_id || status.type != CCSHM_TYPE_EXPORT)
		return -ENOENT;
	ck_assert_uint_ge(arg->capacity, nr_importers);
	memcpy((void *)(uintptr_t)arg->importers, importers,
	       nr_importers * sizeof(importers[0]));
	arg->count = nr_importers;
	arg->total = nr_importers;
	return 0;
}

static int answer(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_IMPORTERS && status.type)
		return answer_importers(arg);
	if (request == CCSHM_IOC_REVOKE && status.type)
		return fake.revoke_error;
	/* Lists are empty. */
	if (request == CCSHM_IOC_QUERY && ((struct ccshm_ioc_query *)arg)->flags)
		return -ENOENT;
	if (request != CCSHM_IOC_QUERY || !status.type)
		return fake_seam.ioctl(fd, request, arg);
	memcpy(arg, &status, sizeof(status));
	return 0;
}

static void set_status(uint32_t type)
{
	cli_reset();
	cli_seam.ioctl = answer;
	memset(&status, 0, sizeof(status));
	memset(importers, 0, sizeof(importers));
	nr_importers = 0;
	memory_stream = MEMORY;
	status.object_id = 12;
	status.type = type;
	status.buffer_id = 11;
	status.size = 6 << 20;
	status.offset = 4096;
	status.mode = 0640;
	status.uid = 4000000000U;
	status.gid = 0;
	status.charged = 8 << 20;
	status.blocks = 3;
	status.conversions = 2;
	status.dma_bits = 40;
	strcpy(status.name, "frames");
	strcpy(status.device, FAKE_DEVICE);
}

/* Check that the output has a line "key   value". */
static void check_line(const char *key, const char *value)
{
	const char *s = cli.out;
	size_t len = strlen(key);

	for (; s && *s; s = strchr(s, '\n'), s += s != NULL) {
		if (strncmp(s, key, len) || s[len] != ' ')
			continue;
		s += len + strspn(s + len, " ");
		ck_assert_msg(!strncmp(s, value, strlen(value)) &&
			      s[strlen(value)] == '\n', "%s is not %s in\n%s", key,
			      value, cli.out);
		return;
	}
	ck_abort_msg("no %s in\n%s", key, cli.out);
}

static const struct {
	const char *key;
	const char *value;
} buffer_lines[] = {
	{ "type", "buffer" }, { "id", "12" }, { "name", "frames" },
	{ "persistent", "yes" }, { "size", "6M" }, { "charged", "8M" },
	{ "owner", "4000000000" }, { "group", "root" }, { "mode", "0640" },
	{ "control", "yes" }, { "blocks", "3" }, { "conversions", "2" },
	{ "carved", "12K" }, { "dma32", "no" }, { "contiguous", "yes" },
	{ "sealed", "yes" }, { "others pin", "yes" }, { "whole units", "yes" },
};

START_TEST(show_buffer)
{
	size_t i;

	set_status(CCSHM_TYPE_BUFFER);
	status.object_flags = CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_CONTIGUOUS |
			      CCSHM_ALLOC_WHOLE_UNITS | CCSHM_ALLOC_OTHERS_PIN;
	status.query_flags = CCSHM_QUERY_CONTROL | CCSHM_QUERY_SEALED;
	status.carved = 12 << 10;
	status.buffer_id = 12;
	ck_assert_int_eq(cli_run("show", "12", NULL), 0);
	for (i = 0; i < sizeof(buffer_lines) / sizeof(buffer_lines[0]); i++)
		check_line(buffer_lines[i].key, buffer_lines[i].value);
	ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(show_json)
{
	static const char *const lists[] = { "", "buffers", "exports", "attachments" };
	char list[32];

	set_status((uint32_t)_i);
	ck_assert_int_eq(cli_run("show", "--json", "@12", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	snprintf(list, sizeof(list), "\"%s\"", lists[_i]);
	ck_assert_ptr_nonnull(strstr(cli.out, list));
	snprintf(list, sizeof(list), "\"type\": \"%.*s\"", (int)strlen(lists[_i]) - 1, lists[_i]);
	ck_assert_ptr_nonnull(strstr(cli.out, list));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"id\": 12"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"size\": 6291456"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"frames\""));
}
END_TEST

START_TEST(show_export)
{
	set_status(CCSHM_TYPE_EXPORT);
	status.state = CCSHM_STATE_REVOKING;
	status.object_flags = CCSHM_EXPORT_READ_ONLY | CCSHM_EXPORT_PINNED;
	status.query_flags = CCSHM_QUERY_ORPHAN;
	ck_assert_int_eq(cli_run("show", "12", "--bytes", NULL), 0);
	check_line("state", "revoking");
	check_line("buffer", "11");
	check_line("buffer ended", "yes");
	check_line("size", "6291456");
	check_line("read only", "yes");
	check_line("no cpu", "no");
	check_line("lifetime", "pinned");
	check_line("importers", "0");
	ck_assert_ptr_null(strstr(cli.out, "importer devices"));
}
END_TEST

START_TEST(show_importers)
{
	set_status(CCSHM_TYPE_EXPORT);
	status.importers = 2;
	nr_importers = 2;
	strcpy(importers[0].device, FAKE_DEVICE);
	strcpy(importers[1].device, "platform:vivid.0");
	ck_assert_int_eq(cli_run("show", "12", NULL), 0);
	check_line("lifetime", "revocable");
	check_line("importers", "2");
	check_line("importer devices", FAKE_DEVICE ", platform:vivid.0");
	ck_assert_int_eq(cli_run("show", "12", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"importer_devices\": \""
				     FAKE_DEVICE ", platform:vivid.0\""));
}
END_TEST

/* Without memory for the names, the list is not cut: the command fails. */
START_TEST(show_importers_without_memory)
{
	set_status(CCSHM_TYPE_EXPORT);
	status.importers = 1;
	nr_importers = 1;
	strcpy(importers[0].device, FAKE_DEVICE);
	memory_stream = (unsigned int)_i;
	ck_assert_int_eq(cli_run("show", "12", NULL), 1);
	ck_assert_str_eq(cli.out, "");
	ck_assert_str_eq(cli.err, "ccshmctl: out of memory\n");
}
END_TEST

/* Importers without a mapping are not reported. */
START_TEST(revoke_names_importers)
{
	set_status(CCSHM_TYPE_EXPORT);
	nr_importers = 2;
	strcpy(importers[0].device, "platform:vivid.0");
	strcpy(importers[1].device, FAKE_DEVICE);
	importers[1].mappings = 3;
	fake.revoke_error = -EBUSY;
	ck_assert_int_eq(cli_run("revoke", "12", NULL), EXIT_BUSY);
	ck_assert_ptr_nonnull(strstr(cli.err, FAKE_DEVICE
				     " still uses it (mappings: 3)\n"));
	ck_assert_ptr_null(strstr(cli.err, "vivid"));
	importers[1].flags = CCSHM_IMPORTER_CANNOT_LET_GO;
	ck_assert_int_eq(cli_run("revoke", "12", NULL), EXIT_BUSY);
	ck_assert_ptr_nonnull(strstr(cli.err, "(mappings: 3); its driver cannot release them"));
}
END_TEST

START_TEST(revoke_names_attachment)
{
	set_status(CCSHM_TYPE_ATTACHMENT);
	status.state = CCSHM_STATE_REVOKING;
	fake.revoke_error = -ETIMEDOUT;
	ck_assert_int_eq(cli_run("revoke", "12", NULL), EXIT_BUSY);
	ck_assert_ptr_nonnull(strstr(cli.err, FAKE_DEVICE " still uses it\n"));
	status.state = CCSHM_STATE_REVOKED;
	ck_assert_int_eq(cli_run("revoke", "12", NULL), EXIT_BUSY);
	ck_assert_ptr_null(strstr(cli.err, "still uses"));
}
END_TEST

START_TEST(show_attachment)
{
	set_status(CCSHM_TYPE_ATTACHMENT);
	status.state = CCSHM_STATE_STUCK;
	ck_assert_int_eq(cli_run("show", "12", NULL), 0);
	check_line("state", "stuck");
	check_line("device", FAKE_DEVICE);
	check_line("dma bits", "40");
}
END_TEST

/* A newer driver may have unknown types of objects. */
START_TEST(show_unknown)
{
	set_status(9);
	ck_assert_int_eq(cli_run("show", "12", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.out, "");
	ck_assert_ptr_nonnull(strstr(cli.err, "has a type (9)"));
}
END_TEST

/* Run "pages" on a buffer of the fake driver with this number of pages. */
static void show_pages(unsigned int pages, const char *option)
{
	struct ccshm *handle;
	struct ccshm_buffer *buffer;

	cli_reset();
	handle = fake_handle();
	buffer = fake_buffer(handle, pages);
	ck_assert_uint_eq(ccshm_buffer_id(buffer), 1);
	ck_assert_int_eq(cli_run("show", "1", "--pages", option, NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

START_TEST(pages)
{
	show_pages(3, NULL);
	ck_assert_str_eq(cli.out,
		"OFFSET LENGTH STATE  LEAF-WHOLE CARVED PHYSICAL\n"
		"     0     4K shared yes        no     0x100000000\n"
		"    4K     4K shared no         yes    0x100002000\n"
		"    8K     4K shared yes        no     0x100004000\n");
}
END_TEST

START_TEST(pages_without_addresses)
{
	fake.no_admin = true;
	show_pages(2, "--bytes");
	ck_assert_str_eq(cli.out,
		"OFFSET LENGTH STATE  LEAF-WHOLE CARVED\n"
		"     0   4096 shared yes        no\n"
		"  4096   4096 shared no         yes\n");
}
END_TEST

/* With more runs than fit into one call, each run is printed once. */
START_TEST(many_pages)
{
	const unsigned int n = 120 + 256;
	unsigned int found = 0;
	const char *s;

	/* The output just fits into cli.out. */
	fake.no_admin = true;
	show_pages(n, NULL);
	for (s = strstr(cli.out, " shared "); s; s = strstr(s + 1, " shared "))
		found++;
	ck_assert_uint_eq(found, n);
}
END_TEST

START_TEST(pages_json)
{
	show_pages(2, "--json");
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"pages\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"offset\": 4096"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"state\": \"shared\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"carved\": true"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"leaf_whole\": true"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"physical\": \"0x100002000\""));
}
END_TEST

START_TEST(pages_fail)
{
	struct ccshm *handle;
	struct ccshm_buffer *buffer;

	cli_reset();
	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	fake_fail_ioctl(CCSHM_IOC_PAGES, -ENOENT);
	ck_assert_int_eq(cli_run("show", "1", "--pages", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.out, "");
	ck_assert_ptr_nonnull(strstr(cli.err, "cannot show the pages of 1: no such object"));
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

START_TEST(info)
{
	cli_reset();
	fake.info.platform = CCSHM_PLATFORM_SEV_SNP;
	fake.info.block_size = 2 << 20;
	fake.info.bytes_shared = 3ULL << 30;
	fake.info.bytes_leaked = 2 << 20;
	fake.info.contiguous_max = 4 << 20;
	fake.info.blocks_carved = 3;
	fake.info.bytes_carved = 20 << 10;
	fake.info.limit_total_bytes = 8ULL << 30;
	fake.info.used_bytes = 6 << 20;
	fake.info.limit_user_bytes = CCSHM_LIMIT_NONE;
	fake.info.user_bytes = 4 << 20;
	fake.info.limit_user_buffers = 5;
	fake.info.user_buffers = 5;
	fake.info.limit_user_exports = 9;
	fake.info.user_exports = 6;
	fake.info.refusals = 17;
	strcpy(fake.info.driver_version, "1.2.3");
	ck_assert_int_eq(cli_run("info", NULL), 0);
	check_line("limit total bytes", "8G");
	check_line("used bytes", "6M");
	check_line("limit user bytes", "none");
	check_line("user bytes", "4M");
	check_line("limit user buffers", "5");
	check_line("user buffers", "5");
	check_line("limit user exports", "9");
	check_line("user exports", "6");
	check_line("refusals", "17");
	check_line("platform", "sev-snp");
	check_line("plain", "no");
	check_line("driver version", "1.2.3");
	check_line("block size", "2M");
	check_line("bytes shared", "3G");
	check_line("bytes leaked", "2M");
	check_line("contiguous max", "4M");
	check_line("blocks carved", "3");
	check_line("bytes carved", "20K");
	ck_assert_int_eq(cli_run("info", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"bytes_shared\": 3221225472"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"plain\": false"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"limit_user_bytes\": null"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"limit_total_bytes\": 8589934592"));
}
END_TEST

static void add(Suite *suite)
{
	TCase *rows = tcase_create("rows"), *fixed = unit_case(suite, "fixed status");

	tcase_add_test(rows, list_is_a_table);
	tcase_add_test(rows, sizes_are_printed_in_bytes);
	tcase_add_test(rows, record_has_a_line_for_each_field);
	tcase_add_test(rows, json_rows);
	tcase_add_test(rows, json_text);
	tcase_add_test(rows, control_characters_are_escaped);
	tcase_add_test(rows, many_columns);
	tcase_add_test(rows, json_empty);
	tcase_add_test(rows, json_parser_of_the_tests);
	tcase_add_test(rows, full_disk);
	tcase_add_test(rows, colour);
	tcase_add_test(rows, lines_wrap_between_words);
	tcase_add_test(rows, line_width_counts_columns);
	tcase_add_test(rows, text_width_counts_columns);
	tcase_add_test(rows, progress_escapes_control_characters);
	tcase_add_test(rows, names_in_a_pipe_are_not_cut);
	suite_add_tcase(suite, rows);

	tcase_add_test(fixed, show_buffer);
	tcase_add_loop_test(fixed, show_json, 1, 4);
	tcase_add_test(fixed, show_export);
	tcase_add_test(fixed, show_importers);
	tcase_add_loop_test(fixed, show_importers_without_memory, NO_STREAM, FULL_STREAM + 1);
	tcase_add_test(fixed, revoke_names_importers);
	tcase_add_test(fixed, revoke_names_attachment);
	tcase_add_test(fixed, show_attachment);
	tcase_add_test(fixed, show_unknown);
	tcase_add_test(fixed, info);
	tcase_add_test(fixed, pages);
	tcase_add_test(fixed, pages_without_addresses);
	tcase_add_test(fixed, many_pages);
	tcase_add_test(fixed, pages_json);
	tcase_add_test(fixed, pages_fail);
}

int main(void)
{
	return unit_main("cli_output", add);
}
