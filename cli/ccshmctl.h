/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshmctl: declarations that its files share.
 *
 * commands.c has the table of commands. Each file of commands/ has the options and the handler of
 * one command; doctor/ and provision/ have commands of several files. The files of output/ and
 * common/ serve all commands.
 */
#ifndef CCSHMCTL_H
#define CCSHMCTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <ccshm.h>

/* Exit codes. A command that runs another program returns that program's exit status. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DRIVER = 3,	/* or not a confidential guest */
	EXIT_PERMISSION = 4,
	EXIT_BUSY = 5,		/* or not revocable, or timed out */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,	/* plus the number of the signal */
};

/* ---- commands.c: the table ---- */

#define CMD_FORMAT	(1U << 0)	/* prints data: --json */
#define CMD_RUNS	(1U << 1)	/* takes -- COMMAND [ARGUMENT...] */
#define CMD_COLUMNS	(1U << 2)	/* --json, --bytes, --output */
#define CMD_MANY	(1U << 3)	/* its argument may be repeated */
#define CMD_PRINTS	(1U << 4)	/* changes nothing: SIGPIPE ends it without a message */
#define CMD_SIZES	(1U << 5)	/* with CMD_FORMAT: also --bytes */

#define ARGS_MAX	2

/**
 * struct command - a row of the table
 * @name: as the user types it
 * @summary: one line without a capital letter or a full stop
 * @args: arguments in the synopsis; optional parts in []
 * @min_args: minimum number of positional arguments
 * @max_args: maximum number of positional arguments, at most ARGS_MAX
 * @flags: CMD_*
 * @argp: its options, their parser and the long text of --help
 * @run: the handler; returns the exit code
 * @columns: with CMD_COLUMNS: returns the names that --output accepts for this type of object,
 *	separated by commas; the caller frees it. NULL if the names are not known.
 */
struct command {
	const char *name;
	const char *summary;
	const char *args;
	int min_args;
	int max_args;
	unsigned int flags;
	const struct argp *argp;
	int (*run)(const struct command *cmd, int argc, char **argv);
	char *(*columns)(uint32_t type);
};

extern const struct command commands[];	/* ends with a NULL name */

const struct command *command_find(const char *name);
void command_list(FILE *f);
int command_list_options(FILE *f, const char *name);
/*
 * Return the @nth array of the command's options, which ends with a NULL name: its own, those that
 * commands share, and argp's. Return NULL after the last array.
 */
const struct argp_option *command_options(const struct command *cmd, int nth);
extern const struct argp_option argp_own_options[];
extern const struct argp_option argp_secret_options[];

/* ---- complete.c ---- */

/* Print the candidates. @options are those of ccshmctl itself. Return an exit code. */
int complete(const struct argp_option *options, int nwords, char **words);
/* Check whether completion knows this placeholder of a synopsis. */
bool complete_knows(const char *what);

/* ---- common/parse.c: a command's arguments ---- */

struct format {
	bool json;
	bool bytes;
	const char *output;	/* the columns of --output, or NULL */
};

/* Every command's options structure starts with this structure. */
struct common {
	const struct command *cmd;
	struct format format;
	char *args[ARGS_MAX + 1];
	char **many;		/* with CMD_MANY: all nargs arguments */
	int nargs;
	char **command;		/* the command line after "--", NULL-terminated, or NULL */
};

extern const struct argp_option json_options[];		/* --json */
extern const struct argp_option common_options[];	/* --json, --bytes */
extern const struct argp_option column_options[];	/* --json, --bytes, --output */

/* Parse the arguments. Exit with EXIT_USAGE on a mistake, and with 0 for --help. */
void parse(const struct command *cmd, int argc, char **argv, struct common *opts);

/*
 * Exit with EXIT_USAGE if an argument is an option with control characters that none of @sets (NULL
 * after the last) contains: getopt() would print it unchanged. Refuse argp_secret_options likewise.
 */
void refuse_wild_options(const struct argp_option *const *sets, int argc, char **argv);

/* Return the value for an option parser, or exit with a usage error that names the option. */
uint64_t parse_size_arg(const char *what, const char *arg,
			struct argp_state *state);
uint64_t parse_page_arg(const char *what, const char *arg,
			struct argp_state *state);
int64_t parse_seconds_arg(const char *what, const char *arg,
			  struct argp_state *state);	/* in ns; -1: no limit */
unsigned long parse_number_arg(const char *what, const char *arg,
			       unsigned long max, struct argp_state *state);

/* ---- common/size.c ---- */

#define SIZE_TEXT_LEN	32

/* Return 0, -EINVAL or -ERANGE. */
int size_parse(const char *text, uint64_t *bytes);
const char *size_error(int err);
/* Check whether the size exceeds the maximum of the driver's interface. */
bool size_is_beyond(uint64_t bytes);
/* Format a size in the shortest exact form, which size_parse() accepts. */
char *size_format(uint64_t bytes, char text[SIZE_TEXT_LEN]);

/* ---- output/text.c: texts from outside ---- */

/* Return a copy with U+FFFD for invalid UTF-8; the caller frees it. */
char *text_utf8(const char *text);
/*
 * Return a copy for people, with octal numbers (\033) for control characters and for characters
 * that the locale does not have; the caller frees it.
 */
char *text_shown(const char *text);
/*
 * Return the number of bytes of the first character of a text that is not empty, and the number of
 * terminal columns that it takes: 0, 1 or 2. A byte that is not part of a character takes one
 * column.
 */
size_t text_step(const char *text, size_t *columns);
/* Return the number of columns of the text. */
size_t text_columns(const char *text);
/* Return the number of bytes of the longest prefix that fits into @columns. */
int text_fitting(const char *text, size_t columns);
/* Print a JSON string with its quotes. */
void text_json(FILE *f, const char *text);
/* Like argp_error(), for texts from outside. */
void usage_error(struct argp_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- output/out.c: tables and JSON ---- */

enum out_shape {
	OUT_LIST,	/* a line for each row, after a heading */
	OUT_RECORD,	/* one row, with a line for each field */
};

enum out_mark {
	OUT_PLAIN,
	OUT_WARN,
	OUT_BAD,
};

struct out;

/* Create a table. @name: key of the JSON array. Exit if memory runs out. */
struct out *out_new(const char *name, enum out_shape shape,
		    const struct format *format);
void out_row(struct out *out);
/* Add a field. Each row has the same fields in the same order; NULL is an absent value. */
void out_string(struct out *out, const char *key, const char *value);
void out_number(struct out *out, const char *key, uint64_t value);
void out_size(struct out *out, const char *key, uint64_t bytes);
void out_address(struct out *out, const char *key, uint64_t address);
void out_bool(struct out *out, const char *key, bool value);
/* Add a number that is absent. */
void out_no_number(struct out *out, const char *key);
/* Permit line breaks in the last field on a terminal. */
void out_wrap(struct out *out);
/* Colour the last field. */
void out_mark(struct out *out, enum out_mark mark);
/* Print, flush and free the table. Return 0 or a negative errno. */
int out_print(struct out *out, FILE *f);

/* Print to stdout and report errors. Return the exit code. */
int out_result(struct out *out);
/*
 * Set the fields that exist, also if there are no rows, and the default columns of a table; JSON
 * has all fields. Both are separated by commas. Without this call the first row determines the
 * fields.
 */
void out_columns(struct out *out, const char *all, const char *standard);
/*
 * Check that --output names only existing columns, and each once. Report an error if not. Accept
 * names as in the headings of a table.
 */
bool out_columns_exist(const struct format *format, const char *all);
/* Print one row as a line "time event key=value...", or as a JSON object. Return an exit code. */
int out_line(struct out *out);
/* Free the table without printing it. */
void out_drop(struct out *out);

/* Flush a file. Return 0 or a negative errno. */
int out_flush(FILE *f);
/* Do not report further errors of stdout. */
void out_give_up_stdout(void);
/* At exit: turn an error of stdout into EXIT_FAILED. */
void out_close_stdout(void);

void out_user(struct out *out, const char *key, uid_t uid);

/* ---- output/fields.c: the fields of an object ---- */

/* Return "buffers" and so on; NULL for an unknown type. */
const char *fields_list_name(uint32_t type);
/* Add the fields in the order of their columns; none for an unknown type. @importers may be NULL. */
void fields_add(struct out *out, const struct ccshm_status *st,
		const struct ccshm_importers *importers);

/* ---- output/error.c ---- */

enum op {
	OP_OPEN,
	OP_INFO,
	OP_ALLOC,
	OP_FREE,
	OP_SET,
	OP_FIND,
	OP_SHOW,
	OP_PAGES,
	OP_EXPORT,
	OP_MAP,
	OP_REVOKE,
	OP_ATTACH,
	OP_SEGMENTS,
	OP_DETACH,
	OP_READ,
	OP_WRITE,
	OP_OUTPUT,
	OP_DEVICE,
	OP_LIST,
	OP_OBJECTS,
	OP_STATS,
	OP_EVENTS,
	OP_CONFIG,
	OP_POOL,
	OP_POOL_SET,
};

/* Return the exit code for an errno of either sign. */
enum exit_code error_exit_code(enum op op, int err);
const char *error_reason(enum op op, int err);
/* Print "ccshmctl: cannot OP OBJECT: reason". Return the exit code. */
int report(enum op op, int err, const char *object);
/* Print the same with a known cause. Return EXIT_FAILED. */
int report_cause(enum op op, const char *object, const char *cause);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Return @memory, or exit if it is NULL. */
void *or_die(void *memory);

/*
 * Convert an ASCII letter to lower case. tolower() and strncasecmp() depend on the locale: in Turkish
 * ones, I is not the upper case of i.
 */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* ---- common/object.c: naming buffers, exports and attachments ---- */

/* Parse "12" or "@12". Return 0 or -EINVAL. */
int id_parse(const char *text, uint64_t *id);

/* Open the driver. On failure report the reason and return an exit code. */
int driver_open(struct ccshm **ctx);

/* Open the driver for a command that changes nothing and needs only read permission. */
int driver_look(struct ccshm **ctx);
/* Open a buffer by its id, NAME or USER/NAME. */
int buffer_open(struct ccshm *ctx, const char *text,
		struct ccshm_buffer **buffer);
/* Find the id of a buffer, or parse the id of an export or attachment without a query. */
int object_find(struct ccshm *ctx, const char *text, uint64_t *id);

/* Parse a user's name or number. Return 0 or -ENOENT. */
int user_parse(const char *text, uid_t *uid);
int group_parse(const char *text, gid_t *gid);
/* Parse permission bits in octal. Return 0 or -EINVAL. */
int mode_parse(const char *text, mode_t *mode);
extern const char mode_error[];
/* Report a failed EXPORT, ATTACH or mapping of the buffer; name its seal if that is the cause. */
int report_use(enum op op, int err, struct ccshm_buffer *buffer, const char *object);
/* Return NULL, or the end of a message about a text that is not a valid name of a buffer. */
const char *name_error(const char *name);

/* ---- output/refusal.c: the cause of an EINVAL, or of a refusal by a limit ---- */

#define CAUSE_LEN	256

/*
 * Each of these functions returns the cause, which may be stored in @text, or NULL if another cause
 * applies. A length of 0 is everything up to the end; id -1 and node -1 are those that the driver
 * chooses.
 */
const char *slice_refused(uint64_t size, uint64_t offset, uint64_t length,
			  char text[CAUSE_LEN]);
const char *node_refused(int node, char text[CAUSE_LEN]);
const char *owner_refused(uid_t owner, gid_t group, char text[CAUSE_LEN]);
/* For an ALLOC that a limit refused with @err: the caller has leaked memory. */
const char *leak_refused(struct ccshm *ctx, int err, uint64_t size, bool contiguous,
			 char text[CAUSE_LEN]);
/* For a text that is neither the id of a buffer nor a valid name of one. */
const char *buffer_refused(struct ccshm *ctx, const char *buffer, char text[CAUSE_LEN]);

/* ---- output/users.c: names of users and groups ---- */

/* Return the name, or the number if there is no name. The text is valid until the program ends. */
const char *user_name(uid_t uid);
const char *group_name(gid_t gid);

/* ---- common/device.c: naming devices ---- */

#define DEVICE_TEXT_LEN	512

/*
 * Resolve a device name in any accepted notation to the name that the driver accepts: "BUS:NAME"
 * in upper or lower case, a PCI address without a domain or with a longer one, a name that exists
 * on one bus only, a path in sysfs. On failure report the reason. Return an exit code.
 */
int device_resolve(const char *text, char name[DEVICE_TEXT_LEN]);
/* @name is a result of device_resolve(). */
bool device_is_pci(const char *name);
/*
 * Visit "BUS:NAME" of all devices in order, until a visit returns an exit code other than EXIT_OK.
 * Return that code.
 */
int device_for_each(int (*visit)(const char *name, void *data), void *data);

/*
 * Check whether a list should show the device. Each platform device has a mask of 32 bits at first,
 * and few of them do DMA.
 */
bool device_is_listed(const char *name, const struct ccshm_device *device);

/* ---- common/root.c, stat.c, system.c: files of the system ---- */

#define SYSTEM_PATH_LEN	4096

/* Return the prefix of "/proc" and so on: empty except in unit tests. */
const char *system_root(void);
void system_path(char path[SYSTEM_PATH_LEN], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Call stat() for a file below system_root(). */
int system_stat(const char *path, struct stat *st);
bool system_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Read at most @len - 1 bytes of a file and add a NUL. Return their number or a negative errno. */
ssize_t system_read(char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Read the first line of a file, or its number. Return 0 or a negative errno. */
int system_line(char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int system_number(uint64_t *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Write a text to an existing file, in one call. Return 0 or a negative errno. */
int system_write(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Find a number in lines "KEY: NUMBER" or "KEY NUMBER", and "KEY=VALUE". Return 0 or -ENOENT. */
int system_field(const char *text, const char *key, uint64_t *value);
int system_setting(char *value, size_t len, const char *text, const char *key);

/* ---- output/progress.c: on a terminal's stderr, after half a second ---- */

/*
 * Start a progress line. A total of 0 shows only the elapsed time. The text may contain any bytes.
 */
void progress_start(uint64_t total, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void progress_set(uint64_t done);
void progress_stop(void);

/* ---- common/run.c: the program after "--" ---- */

#define RUN_MAX	4

struct run {
	char **argv;
	int fds[RUN_MAX];		/* file descriptors that the program inherits */
	int nfds;
	char env[2 * RUN_MAX][96];	/* NAME=VALUE */
	int nenv;
};

void run_pass_fd(struct run *run, const char *name, int fd);
void run_setenv(struct run *run, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Ignore SIGPIPE in ccshmctl, but not in the program that it runs. */
void ignore_sigpipe(void);
/* Restore the disposition of SIGPIPE, for a command that only prints. */
void restore_sigpipe(void);
/* Block signals from the creation of an object until its id is printed. */
void block_signals(void);
/* Run the program and wait for it. Return its exit status, 128 + signal, 126 or 127. */
int run_command(const struct run *run);

/* ---- common/interrupt.c: signals while a call creates a persistent object ---- */

void interrupt_catch(void);
bool interrupt_noted(void);
/* Die of the signal, after the object was removed. */
void interrupt_die(void) __attribute__((noreturn));

/* ---- common/copy.c: between files and shared memory ---- */

#define COPY_CHUNK	(1U << 20)

/* A slice that need not begin or end at a page boundary. */
struct window {
	struct ccshm_mapping *mapping;
	unsigned char *bytes;
	uint64_t length;
};

/* Return 0, a negative errno, or -ERANGE for a slice beyond the end of the buffer. */
int window_open(struct ccshm_buffer *buffer, uint64_t offset, uint64_t length,
		int prot, struct window *window);
void window_close(struct window *window);
/* Like memcpy(), with memory that can be revoked at any time. Return 0 or -EFAULT. */
int copy_guarded(void *to, const void *from, size_t len);

/* ---- commands/pages.c: the state of a buffer's pages ---- */

/* Open the buffer and print its pages. On failure report the reason. Return an exit code. */
int pages_show(struct ccshm *ctx, const char *text, const struct format *format);

/* ---- one per command ---- */

char *list_columns(uint32_t type);
char *show_columns(uint32_t type);
char *monitor_columns(uint32_t type);
char *stats_columns(uint32_t type);
char *provision_columns(uint32_t type);

int info_run(const struct command *cmd, int argc, char **argv);
int alloc_run(const struct command *cmd, int argc, char **argv);
int show_run(const struct command *cmd, int argc, char **argv);
int export_run(const struct command *cmd, int argc, char **argv);
int attach_run(const struct command *cmd, int argc, char **argv);
int detach_run(const struct command *cmd, int argc, char **argv);
int revoke_run(const struct command *cmd, int argc, char **argv);
int set_run(const struct command *cmd, int argc, char **argv);
int free_run(const struct command *cmd, int argc, char **argv);
int read_run(const struct command *cmd, int argc, char **argv);
int write_run(const struct command *cmd, int argc, char **argv);
int devices_run(const struct command *cmd, int argc, char **argv);
int doctor_run(const struct command *cmd, int argc, char **argv);
int list_run(const struct command *cmd, int argc, char **argv);
int monitor_run(const struct command *cmd, int argc, char **argv);
int stats_run(const struct command *cmd, int argc, char **argv);
int pool_run(const struct command *cmd, int argc, char **argv);
int provision_run(const struct command *cmd, int argc, char **argv);

extern const struct argp info_argp, alloc_argp, show_argp, export_argp,
	attach_argp, detach_argp, revoke_argp, set_argp, free_argp, read_argp, write_argp,
	devices_argp, doctor_argp, list_argp, monitor_argp, stats_argp,
	pool_argp, provision_argp;

/* main.c */
int ccshmctl_main(int argc, char **argv);

#endif /* CCSHMCTL_H */
