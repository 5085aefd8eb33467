// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print rows of fields, as a table for people or as JSON.
 *
 * The rows are collected first. In JSON, numbers are numbers and sizes are bytes. Addresses are
 * strings, because many JSON readers convert numbers to floating point.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "ccshmctl.h"

struct cell {
	char *text;		/* NULL: absent value */
	enum out_mark mark;
};

struct column {
	const char *key;
	int json_type;
	bool wrap;
};

struct out {
	const char *name;
	enum out_shape shape;
	struct format format;
	struct column *columns;
	size_t ncolumns;
	struct cell *cells;	/* ncolumns cells for each row */
	size_t ncells;
	size_t nrows;
	const char *all;	/* the existing columns, if the caller has set them */
	const char *standard;	/* the default columns of a table */
};

static void __attribute__((noreturn)) out_of_memory(void)
{
	complain("out of memory");
	exit(EXIT_FAILED);
}

struct out *out_new(const char *name, enum out_shape shape,
		    const struct format *format)
{
	struct out *out = calloc(1, sizeof(*out));

	if (!out)
		out_of_memory();
	out->name = name;
	out->shape = shape;
	out->format = *format;
	return out;
}

void out_row(struct out *out)
{
	out->nrows++;
}

static void add_cell(struct out *out, const char *key, int json_type,
		     const char *value)
{
	struct cell *cells;

	/* The first row determines the columns. */
	if (out->nrows == 1) {
		out->columns = or_die(reallocarray(out->columns, out->ncolumns + 1,
						   sizeof(*out->columns)));
		out->columns[out->ncolumns++] = (struct column){ key, json_type, false };
	}
	cells = reallocarray(out->cells, out->ncells + 1, sizeof(*cells));
	if (!cells)
		out_of_memory();
	out->cells = cells;
	cells[out->ncells].mark = OUT_PLAIN;
	cells[out->ncells].text = !value ? NULL :
				  out->format.json ? text_utf8(value) : text_shown(value);
	out->ncells++;
}

void out_string(struct out *out, const char *key, const char *value)
{
	add_cell(out, key, SCOLS_JSON_STRING, value);
}

void out_number(struct out *out, const char *key, uint64_t value)
{
	char text[SIZE_TEXT_LEN];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	add_cell(out, key, SCOLS_JSON_NUMBER, text);
}

void out_no_number(struct out *out, const char *key)
{
	add_cell(out, key, SCOLS_JSON_NUMBER, NULL);
}

void out_size(struct out *out, const char *key, uint64_t bytes)
{
	char text[SIZE_TEXT_LEN];

	if (out->format.json || out->format.bytes)
		out_number(out, key, bytes);
	else
		add_cell(out, key, SCOLS_JSON_NUMBER, size_format(bytes, text));
}

void out_address(struct out *out, const char *key, uint64_t address)
{
	char text[SIZE_TEXT_LEN];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	add_cell(out, key, SCOLS_JSON_STRING, text);
}

void out_bool(struct out *out, const char *key, bool value)
{
	const char *text = value ? "yes" : "no";

	if (out->format.json)
		text = value ? "1" : "0";
	add_cell(out, key, SCOLS_JSON_BOOLEAN, text);
}

void out_mark(struct out *out, enum out_mark mark)
{
	out->cells[out->ncells - 1].mark = mark;
}

void out_wrap(struct out *out)
{
	out->columns[(out->ncells - 1) % out->ncolumns].wrap = true;
}

void out_columns(struct out *out, const char *all, const char *standard)
{
	out->all = all;
	out->standard = standard;
}

/* Get the next name of a list with commas. Return its length, or 0 at the end. */
static size_t next_name(const char **name, const char **rest)
{
	size_t len = strcspn(*rest, ",");

	*name = *rest;
	*rest += len + ((*rest)[len] == ',');
	return len;
}

/* Compare names: "bytes_shared", "BYTES-SHARED" and "bytes shared" are equal. */
static bool is_same(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char x = a[i] == '-' || a[i] == ' ' ? '_' : ascii_lower(a[i]);
		char y = b[i] == '-' || b[i] == ' ' ? '_' : ascii_lower(b[i]);

		if (x != y)
			return false;
	}
	return true;
}

/* Check whether a list with commas contains the name. */
static bool is_among(const char *list, const char *name, size_t len)
{
	const char *one;
	size_t n;

	while ((n = next_name(&one, &list)))
		if (n == len && is_same(one, name, len))
			return true;
	return false;
}

bool out_columns_exist(const struct format *format, const char *all)
{
	const char *name, *rest = format->output;
	size_t len;

	while (rest && *rest) {
		len = next_name(&name, &rest);
		if (!is_among(all, name, len)) {
			complain("there is no column '%.*s'; there are %s", (int)len, name, all);
			return false;
		}
		if (is_among(rest, name, len)) {
			complain("--output names the column '%.*s' twice", (int)len, name);
			return false;
		}
	}
	if (!rest || *format->output)
		return true;
	complain("--output names no column; there are %s", all);
	return false;
}

/* Check --output against the first row; without a row the columns are unknown. */
static bool output_exists(const struct out *out)
{
	char *names = NULL;
	size_t i, len;
	bool exists;
	FILE *f;

	if (out->all || !out->nrows)
		return !out->all || out_columns_exist(&out->format, out->all);
	f = open_memstream(&names, &len);
	for (i = 0; f && i < out->ncolumns; i++)
		fprintf(f, "%s%s", i ? "," : "", out->columns[i].key);
	if (!f || fclose(f))
		out_of_memory();
	exists = out_columns_exist(&out->format, names);
	free(names);
	return exists;
}

static size_t column_index(const struct out *out, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < out->ncolumns; i++)
		if (strlen(out->columns[i].key) == len &&
		    is_same(out->columns[i].key, name, len))
			break;
	return i;
}

/* Copy a cell. */
static struct cell copy_cell(const struct cell *cell)
{
	struct cell copy = *cell;

	copy.text = cell->text ? strdup(cell->text) : NULL;
	if (cell->text && !copy.text)
		out_of_memory();
	return copy;
}

static void free_cells(struct out *out)
{
	size_t i;

	for (i = 0; i < out->ncells; i++)
		free(out->cells[i].text);
	free(out->cells);
}

/* Keep only these columns, as far as they exist. */
static void select_columns(struct out *out, const char *names)
{
	size_t most = strlen(names) / 2 + 1, *from, n = 0, row, i, len;
	struct column *columns;
	struct cell *cells;
	const char *name;

	columns = or_die(calloc(most, sizeof(*columns)));
	from = or_die(calloc(most, sizeof(*from)));
	while ((len = next_name(&name, &names))) {
		i = column_index(out, name, len);
		if (i == out->ncolumns)
			continue;
		from[n] = i;
		columns[n++] = out->columns[i];
	}
	cells = calloc(out->nrows * n + 1, sizeof(*cells));
	if (!cells)
		out_of_memory();
	for (row = 0; row < out->nrows; row++)
		for (i = 0; i < n; i++)
			cells[row * n + i] =
				copy_cell(&out->cells[row * out->ncolumns + from[i]]);
	free_cells(out);
	out->cells = cells;
	out->ncells = out->nrows * n;
	free(out->columns);
	free(from);
	out->columns = columns;
	out->ncolumns = n;
}

static bool want_color(FILE *f)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	if (!term || !strcmp(term, "dumb"))
		return false;
	return isatty(fileno(f));
}

/* Format "bytes_shared" as "BYTES-SHARED" or "bytes shared". */
static void make_title(char *title, size_t len, const char *key, bool heading)
{
	size_t i;

	for (i = 0; key[i] && i + 1 < len; i++) {
		title[i] = key[i] == '_' ? (heading ? '-' : ' ') : key[i];
		if (heading && title[i] >= 'a' && title[i] <= 'z')
			title[i] = (char)(title[i] - 'a' + 'A');
	}
	title[i] = '\0';
}

static struct libscols_line *new_line(struct libscols_table *table)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		out_of_memory();
	return line;
}

static void set_cell(struct libscols_line *line, size_t column,
		     const struct cell *cell, const char *absent)
{
	struct libscols_cell *c = scols_line_get_cell(line, column);
	const char *text = cell->text ? cell->text : absent;

	if (!c || scols_cell_set_data(c, text))
		out_of_memory();
	if (cell->mark == OUT_WARN)
		scols_cell_set_color(c, "yellow");
	else if (cell->mark == OUT_BAD)
		scols_cell_set_color(c, "red");
}

static void new_column(struct libscols_table *table, const char *title, int flags)
{
	if (!scols_table_new_column(table, title, 0, flags))
		out_of_memory();
}

/* Return the width that the other columns leave for a wrapped one; 0: no limit. */
static size_t room(const struct out *out, size_t wrapped, FILE *f)
{
	struct winsize window;
	size_t i, row, used = 0;

	if (ioctl(fileno(f), TIOCGWINSZ, &window))
		return 0;
	for (i = 0; i < out->ncolumns; i++) {
		size_t width = text_columns(out->columns[i].key);

		if (i == wrapped)
			continue;
		for (row = 0; row < out->nrows; row++) {
			const char *text = out->cells[row * out->ncolumns + i].text;
			size_t columns = text ? text_columns(text) : 0;

			if (columns > width)
				width = columns;
		}
		used += width + 1;
	}
	return window.ws_col > used ? window.ws_col - used : 0;
}

/* Break lines between words; libsmartcols would break them anywhere. */
static void reflow(char *text, size_t width)
{
	size_t used = 0, before = 0, columns, len;
	char *space = NULL, *s;

	for (s = text; *s; s += len) {
		len = text_step(s, &columns);
		used += columns;
		if (*s == ' ') {
			space = s;
			before = used;
		}
		if (used <= width || !space)
			continue;
		*space = '\n';
		used -= before;
		space = NULL;
	}
}

static void wrap_at_newlines(struct libscols_column *column)
{
	if (scols_column_set_safechars(column, "\n") ||
	    scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
				      scols_wrapnl_nextchunk, NULL))
		out_of_memory();
}

static void reflow_column(const struct out *out, size_t column, FILE *f)
{
	size_t row, width = room(out, column, f);

	for (row = 0; width && row < out->nrows; row++) {
		char *text = out->cells[row * out->ncolumns + column].text;

		if (text)
			reflow(text, width);
	}
}

static void fill_rows(const struct out *out, struct libscols_table *table)
{
	FILE *f = scols_table_get_stream(table);
	char title[64];
	size_t row, i;

	for (i = 0; i < out->ncolumns; i++) {
		const struct column *column = &out->columns[i];

		make_title(title, sizeof(title), column->key, true);
		new_column(table, title,
			   (column->json_type == SCOLS_JSON_NUMBER ? SCOLS_FL_RIGHT : 0) |
			   (column->wrap ? SCOLS_FL_WRAP : 0));
		if (!column->wrap)
			continue;
		wrap_at_newlines(scols_table_get_column(table, i));
		reflow_column(out, i, f);
	}
	for (row = 0; row < out->nrows; row++) {
		struct libscols_line *line = new_line(table);

		for (i = 0; i < out->ncolumns; i++)
			set_cell(line, i, &out->cells[row * out->ncolumns + i], "-");
	}
}

static void fill_record(const struct out *out, struct libscols_table *table)
{
	char title[64];
	size_t i;

	scols_table_enable_noheadings(table, 1);
	/* libsmartcols before 2.41 makes a column as wide as its title, although no title is printed. */
	new_column(table, "", 0);
	new_column(table, "", 0);
	for (i = 0; i < out->ncolumns; i++) {
		struct libscols_line *line;

		if (!out->cells[i].text)
			continue;
		line = new_line(table);
		make_title(title, sizeof(title), out->columns[i].key, false);
		if (scols_line_set_data(line, 0, title))
			out_of_memory();
		set_cell(line, 1, &out->cells[i], NULL);
	}
}

void out_drop(struct out *out)
{
	free_cells(out);
	free(out->columns);
	free(out);
}

static void print_json_cell(FILE *f, const struct column *column, const struct cell *cell)
{
	text_json(f, column->key);
	fputs(": ", f);
	if (!cell->text)
		fputs("null", f);
	else if (column->json_type == SCOLS_JSON_NUMBER)
		fputs(cell->text, f);
	else if (column->json_type == SCOLS_JSON_BOOLEAN)
		fputs(*cell->text == '1' ? "true" : "false", f);
	else
		text_json(f, cell->text);
}

static void print_json(const struct out *out, FILE *f)
{
	size_t row, i;

	fprintf(f, "{\n   \"%s\": [", out->name);
	for (row = 0; row < out->nrows; row++) {
		fputs(row ? ",{\n" : "\n      {\n", f);
		for (i = 0; i < out->ncolumns; i++) {
			fputs("         ", f);
			print_json_cell(f, &out->columns[i],
					&out->cells[row * out->ncolumns + i]);
			fputs(i + 1 < out->ncolumns ? ",\n" : "\n", f);
		}
		fputs("      }", f);
	}
	fputs(out->nrows ? "\n   ]\n}\n" : "]\n}\n", f);
}

int out_print(struct out *out, FILE *f)
{
	struct libscols_table *table;
	int err;

	/* The caller must add the same fields to each row. */
	if (out->ncells != out->nrows * out->ncolumns)
		abort();
	/* libsmartcols needs columns, which are unknown without a row. */
	if (out->format.json || !out->nrows) {
		if (out->format.json)
			print_json(out, f);
		out_drop(out);
		return out_flush(f);
	}
	table = scols_new_table();
	if (!table)
		out_of_memory();
	scols_table_set_stream(table, f);
	scols_table_enable_colors(table, want_color(f));
	/* Never truncate output to a file or pipe. */
	scols_table_enable_nowrap(table, 0);

	if (out->shape == OUT_RECORD)
		fill_record(out, table);
	else
		fill_rows(out, table);
	err = scols_print_table(table);
	scols_unref_table(table);
	out_drop(out);
	return err ? err : out_flush(f);
}

static bool gave_up;

void out_give_up_stdout(void)
{
	gave_up = true;
}

int out_result(struct out *out)
{
	int err;

	if (!output_exists(out)) {
		out_drop(out);
		return EXIT_USAGE;
	}
	if (out->format.output)
		select_columns(out, out->format.output);
	else if (out->standard && !out->format.json)
		select_columns(out, out->standard);
	err = out_print(out, stdout);
	if (!err)
		return EXIT_OK;
	out_give_up_stdout();
	return report(OP_OUTPUT, err, "standard output");
}

static void print_json_line(const struct out *out, FILE *f)
{
	size_t i;

	fputc('{', f);
	for (i = 0; i < out->ncolumns; i++) {
		fputs(i ? ", " : "", f);
		print_json_cell(f, &out->columns[i], &out->cells[i]);
	}
	fputs("}\n", f);
}

/* Print "time event key=value ..." without absent values; print nothing if all are absent. */
static void print_text_line(const struct out *out, FILE *f)
{
	bool any = false;
	size_t i;

	for (i = 0; i < out->ncolumns; i++) {
		const char *key = out->columns[i].key, *text = out->cells[i].text;

		if (!text)
			continue;
		fputs(any ? " " : "", f);
		if (strcmp(key, "time") && strcmp(key, "event"))
			fprintf(f, "%s=", key);
		fputs(text, f);
		any = true;
	}
	if (any)
		fputc('\n', f);
}

int out_line(struct out *out)
{
	int err;

	if (out->format.output)
		select_columns(out, out->format.output);
	if (out->format.json)
		print_json_line(out, stdout);
	else
		print_text_line(out, stdout);
	out_drop(out);
	err = out_flush(stdout);
	if (!err)
		return EXIT_OK;
	out_give_up_stdout();
	return report(OP_OUTPUT, err, "standard output");
}

int out_flush(FILE *f)
{
	errno = 0;
	if (fflush(f) || ferror(f))
		return errno ? -errno : -EIO;
	return 0;
}

void out_close_stdout(void)
{
	bool pending = __fpending(stdout) != 0;
	bool failed = ferror(stdout) != 0;
	int err = 0;

	/* A stdout that was closed from the start is no error if nothing was written to it. */
	if (fclose(stdout) && (pending || errno != EBADF))
		err = errno;
	if (gave_up || (!failed && !err))
		return;
	report(OP_OUTPUT, err ? err : EIO, "standard output");
	_exit(EXIT_FAILED);
}
