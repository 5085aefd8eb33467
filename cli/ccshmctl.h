/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshmctl: what its files share.
 *
 * commands.c has the table of commands. A file of commands/ has the options and the
 * handler of one command; doctor/ and provision/ are commands of several files. The
 * files of output/ and common/ are for all commands.
 */
#ifndef CCSHMCTL_H
#define CCSHMCTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <ccshm.h>

/* Exit codes; a command that runs another program passes on the program's. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DRIVER = 3,	/* or not a confidential guest */
	EXIT_PERMISSION = 4,
	EXIT_BUSY = 5,		/* or not revocable, or out of time */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,	/* plus the signal's number */
};

/* ---- commands.c: the table ---- */

#define CMD_FORMAT	(1U << 0)	/* prints data: --json */
#define CMD_RUNS	(1U << 1)	/* takes -- COMMAND [ARGUMENT...] */
#define CMD_COLUMNS	(1U << 2)	/* --json, --bytes, --output */
#define CMD_MANY	(1U << 3)	/* takes any number of its one argument */
#define CMD_PRINTS	(1U << 4)	/* changes nothing: SIGPIPE ends it, quietly */
#define CMD_SIZES	(1U << 5)	/* of CMD_FORMAT: --bytes, too */

#define ARGS_MAX	2

/**
 * struct command - one row of the table
 * @name: as typed
 * @summary: one line, no capital, no full stop
 * @args: what follows the options in the synopsis; optional parts in []
 * @min_args: positional arguments needed
 * @max_args: positional arguments taken, at most ARGS_MAX
 * @flags: CMD_*
 * @argp: its options, their parser and the longer text of --help
 * @run: the handler; returns the exit code
 * @columns: of CMD_COLUMNS: what --output may name, of a list of this type of object,
 *	with commas; to be freed, NULL if it cannot be told
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
 * Its options, each array ending with a NULL name: its own, those that commands share, and
 * argp's; NULL behind the last.
 */
const struct argp_option *command_options(const struct command *cmd, int nth);
extern const struct argp_option argp_own_options[];

/* ---- complete.c ---- */

/* options: those before a command. Prints; returns an exit code. */
int complete(const struct argp_option *options, int nwords, char **words);
/* Is that placeholder of a synopsis one that it has thought of? */
bool complete_knows(const char *what);

/* ---- common/parse.c: a command's arguments ---- */

struct format {
	bool json;
	bool bytes;
	const char *output;	/* the columns that are wanted; or NULL */
};

/* Every command's own options structure starts with this one. */
struct common {
	const struct command *cmd;
	struct format format;
	char *args[ARGS_MAX + 1];
	char **many;		/* of CMD_MANY: all nargs of them */
	int nargs;
	char **command;		/* behind "--", NULL-terminated; or NULL */
};

extern const struct argp_option json_options[];		/* --json */
extern const struct argp_option common_options[];	/* --json, --bytes */
extern const struct argp_option column_options[];	/* these and --output */

/* Exits with EXIT_USAGE, or with 0 for --help. */
void parse(const struct command *cmd, int argc, char **argv, struct common *opts);

/*
 * Exit with EXIT_USAGE if there is an option that none of @sets (NULL after the last) has and
 * that has control characters: getopt() would print it as it is.
 */
void refuse_wild_options(const struct argp_option *const *sets, int argc, char **argv);

/* For option parsers: the value, or a usage error that names the option. */
uint64_t parse_size_arg(const char *what, const char *arg,
			struct argp_state *state);
uint64_t parse_page_arg(const char *what, const char *arg,
			struct argp_state *state);
int64_t parse_seconds_arg(const char *what, const char *arg,
			  struct argp_state *state);	/* in ns; -1: forever */
unsigned long parse_number_arg(const char *what, const char *arg,
			       unsigned long max, struct argp_state *state);

/* ---- common/size.c ---- */

#define SIZE_TEXT_LEN	32

/* 0, -EINVAL or -ERANGE. */
int size_parse(const char *text, uint64_t *bytes);
const char *size_error(int err);
/* Is it more than the driver can be asked for? */
bool size_is_beyond(uint64_t bytes);
/* The shortest exact form, one that size_parse() reads back. */
char *size_format(uint64_t bytes, char text[SIZE_TEXT_LEN]);

/* ---- output/text.c: texts from outside ---- */

/* Copies, to be freed. U+FFFD for what is not valid UTF-8. */
char *text_utf8(const char *text);
/*
 * For people: control characters, and what the locale has no characters for, as
 * octal numbers (\033).
 */
char *text_shown(const char *text);
/*
 * The bytes of a text's first character, and how many columns of a terminal it takes: 0, 1
 * or 2. A byte of no character counts as one. Not of an empty text.
 */
size_t text_step(const char *text, size_t *columns);
/* The columns that the whole text takes. */
size_t text_columns(const char *text);
/* The bytes of its whole characters that fit into so many columns. */
int text_fitting(const char *text, size_t columns);
/* A string of JSON, with its quotes. */
void text_json(FILE *f, const char *text);
/* argp_error() for texts from outside. */
void usage_error(struct argp_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- output/out.c: tables and JSON ---- */

enum out_shape {
	OUT_LIST,	/* a line for each row, below a heading */
	OUT_RECORD,	/* one row, a line for each of its fields */
};

enum out_mark {
	OUT_PLAIN,
	OUT_WARN,
	OUT_BAD,
};

struct out;

/* @name: key of the JSON array. Memory that runs out ends the program. */
struct out *out_new(const char *name, enum out_shape shape,
		    const struct format *format);
void out_row(struct out *out);
/* Fields in the same order in each row; NULL is an absent value. */
void out_string(struct out *out, const char *key, const char *value);
void out_number(struct out *out, const char *key, uint64_t value);
void out_size(struct out *out, const char *key, uint64_t bytes);
void out_address(struct out *out, const char *key, uint64_t address);
void out_bool(struct out *out, const char *key, bool value);
/* A number that is absent. */
void out_no_number(struct out *out, const char *key);
/* The field added last is text that may be broken into lines on a terminal. */
void out_wrap(struct out *out);
/* Colours the field added last. */
void out_mark(struct out *out, enum out_mark mark);
/* Prints, flushes, frees. 0 or a negative errno. */
int out_print(struct out *out, FILE *f);

/* The same for stdout, with the complaint; returns the exit code. */
int out_result(struct out *out);
/*
 * Which fields there are, also if there is no row, and which of them are columns of a
 * table unless --output says otherwise; JSON has all. Both with commas. Else the first
 * row says it.
 */
void out_columns(struct out *out, const char *all, const char *standard);
/*
 * Does --output name only such, and each once? Complains if not. Names are compared as
 * if both were a table's heading.
 */
bool out_columns_exist(const struct format *format, const char *all);
/* One row as one line: "time event key=value...", or a JSON object. An exit code. */
int out_line(struct out *out);
/* Frees what is not to be printed after all. */
void out_drop(struct out *out);

/* Makes all output reach its place: 0 or a negative errno. */
int out_flush(FILE *f);
/* The failure to write stdout has been complained about. */
void out_give_up_stdout(void);
/* At exit: a failure to write stdout becomes EXIT_FAILED. */
void out_close_stdout(void);

void out_user(struct out *out, const char *key, uid_t uid);

/* ---- output/fields.c: what is said of an object ---- */

/* "buffers" and so on; NULL for a type that is not known. */
const char *fields_list_name(uint32_t type);
/* In the order of their columns; importers may be NULL. */
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
};

/* err is an errno, of any sign. */
enum exit_code error_exit_code(enum op op, int err);
const char *error_reason(enum op op, int err);
/* "ccshmctl: cannot OP OBJECT: reason"; returns the exit code. */
int report(enum op op, int err, const char *object);
/* The same with a cause that is known; returns EXIT_FAILED. */
int report_cause(enum op op, const char *object, const char *cause);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The memory, or the end of the program. */
void *or_die(void *memory);

/* ---- common/object.c: naming buffers, exports and attachments ---- */

/* "12" or "@12": 0 or -EINVAL. */
int id_parse(const char *text, uint64_t *id);

/* These open or find, or say why they cannot: an exit code. */
int driver_open(struct ccshm **ctx);

/* The same for commands that change nothing: read permission is enough. */
int driver_look(struct ccshm **ctx);
/* An id, NAME or USER/NAME. */
int buffer_open(struct ccshm *ctx, const char *text,
		struct ccshm_buffer **buffer);
/* The same, or the id of an export or attachment, which is not looked up. */
int object_find(struct ccshm *ctx, const char *text, uint64_t *id);

/* A name from the user database, or a number: 0 or -ENOENT. */
int user_parse(const char *text, uid_t *uid);
int group_parse(const char *text, gid_t *gid);
/* Permission bits in octal: 0 or -EINVAL; and what to say then, behind the text. */
int mode_parse(const char *text, mode_t *mode);
extern const char mode_error[];
/* Report a failed EXPORT or ATTACH of the buffer, also if its seal is the cause. */
int report_use(enum op op, int err, struct ccshm_buffer *buffer, const char *object);
/* NULL, or what to say of a text that is no name for a buffer, behind it. */
const char *name_error(const char *name);

/* ---- output/refusal.c: the one cause of an EINVAL, or of a limit ---- */

#define CAUSE_LEN	256

/*
 * Each returns the cause, which may be in @text, or NULL: it is another one. A length of 0 is
 * all up to the end; id -1 and node -1 are those that the driver chooses.
 */
const char *slice_refused(uint64_t size, uint64_t offset, uint64_t length,
			  char text[CAUSE_LEN]);
const char *node_refused(int node, char text[CAUSE_LEN]);
const char *owner_refused(uid_t owner, gid_t group, char text[CAUSE_LEN]);
/* Of an ALLOC that a limit refused with @err: the caller has leaked memory. */
const char *leak_refused(struct ccshm *ctx, int err, uint64_t size, bool contiguous,
			 char text[CAUSE_LEN]);
/* Of a text that is neither the id of a buffer nor a name for one. */
const char *buffer_refused(struct ccshm *ctx, const char *buffer, char text[CAUSE_LEN]);

/* ---- output/users.c: names of users and groups ---- */

/* Or the number, if there is no name. They stay until the program ends. */
const char *user_name(uid_t uid);
const char *group_name(gid_t gid);

/* ---- common/device.c: naming devices ---- */

#define DEVICE_TEXT_LEN	512

/*
 * Turns what a person calls a device into the name that the driver takes: "BUS:NAME" in any
 * case, a PCI address without domain or with a longer one, a name that only one bus has, a
 * path in sysfs. Else complains of what is wrong with it. An exit code.
 */
int device_resolve(const char *text, char name[DEVICE_TEXT_LEN]);
/* Of a name that device_resolve() has made. */
bool device_is_pci(const char *name);
/*
 * Visits "BUS:NAME" of all devices, in order, until a visit gives another exit
 * code than EXIT_OK, which is returned.
 */
int device_for_each(int (*visit)(const char *name, void *data), void *data);

/*
 * Is it worth a line in a list? Each platform device is born with 32 bits, and few
 * of them do DMA.
 */
bool device_is_listed(const char *name, const struct ccshm_device *device);

/* ---- common/root.c, system.c: what the system says in files ---- */

#define SYSTEM_PATH_LEN	4096

/* What stands before "/proc" and so on: nothing, but for unit tests. */
const char *system_root(void);
void system_path(char path[SYSTEM_PATH_LEN], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool system_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The first @len - 1 bytes of a file and a NUL: their number or a negative errno. */
ssize_t system_read(char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Its first line, or its number: 0 or a negative errno. */
int system_line(char *text, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int system_number(uint64_t *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Of a text of lines "KEY: NUMBER" or "KEY NUMBER", and "KEY=VALUE": 0 or -ENOENT. */
int system_field(const char *text, const char *key, uint64_t *value);
int system_setting(char *value, size_t len, const char *text, const char *key);

/* ---- output/progress.c: on a terminal's stderr, after half a second ---- */

/* total 0: nothing to count, only the time. The text may have any bytes. */
void progress_start(uint64_t total, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void progress_set(uint64_t done);
void progress_stop(void);

/* ---- common/run.c: the program behind "--" ---- */

#define RUN_MAX	4

struct run {
	char **argv;
	int fds[RUN_MAX];		/* to be inherited */
	int nfds;
	char env[2 * RUN_MAX][96];	/* NAME=VALUE */
	int nenv;
};

void run_pass_fd(struct run *run, const char *name, int fd);
void run_setenv(struct run *run, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* For us, not for the program that is run. */
void ignore_sigpipe(void);
/* As it was before that, for a command that only prints. */
void restore_sigpipe(void);
/* For the moment between making something and telling its id. */
void block_signals(void);
/* Runs it to its end: its exit status, 128 + signal, 126 or 127. */
int run_command(const struct run *run);

/* ---- common/interrupt.c: Ctrl-C while something is made that would stay ---- */

void interrupt_catch(void);
bool interrupt_noted(void);
/* After what was made has been undone. */
void interrupt_die(void) __attribute__((noreturn));

/* ---- common/copy.c: between files and shared memory ---- */

#define COPY_CHUNK	(1U << 20)

/* A slice that need not begin or end at a page. */
struct window {
	struct ccshm_mapping *mapping;
	unsigned char *bytes;
	uint64_t length;
};

/* 0, a negative errno, or -ERANGE for a slice beyond the buffer's end. */
int window_open(struct ccshm_buffer *buffer, uint64_t offset, uint64_t length,
		int prot, struct window *window);
void window_close(struct window *window);
/* memcpy() of which one side may be revoked meanwhile: 0 or -EFAULT. */
int copy_guarded(void *to, const void *from, size_t len);

/* ---- commands/pages.c: the state of a buffer's pages ---- */

/* Opens it, prints, or says why not: an exit code. */
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
int provision_run(const struct command *cmd, int argc, char **argv);

extern const struct argp info_argp, alloc_argp, show_argp, export_argp,
	attach_argp, detach_argp, revoke_argp, set_argp, free_argp, read_argp, write_argp,
	devices_argp, doctor_argp, list_argp, monitor_argp, stats_argp,
	provision_argp;

/* main.c */
int ccshmctl_main(int argc, char **argv);

#endif /* CCSHMCTL_H */
