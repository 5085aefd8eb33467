// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make the buffers of ccshm-buffers.d(5), and set the limits and the sizes of the pool. Never change
 * an existing buffer, which a program may be using: report a buffer that differs from its file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "provision.h"

#define REASON_LEN	2048

struct provision_opts {
	struct common common;
	bool dry_run;
};

/* The result for one buffer or setting. */
struct outcome {
	const char *result;
	uint64_t id;		/* 0: none */
	char reason[REASON_LEN];
	int code;
};

struct provision {
	struct ccshm *ctx;	/* NULL: --dry-run without a driver */
	bool dry_run;
	struct out *out;
	int code;
};

static const char columns[] = "kind,name,owner,size,id,result,source,reason";

char *provision_columns(uint32_t type)
{
	(void)type;
	return strdup(columns);
}

static const struct argp_option options[] = {
	{ "dry-run", 'n', NULL, 0, "Change nothing, and report what would be done", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct provision_opts *opts = state->input;

	(void)arg;
	if (key != 'n')
		return ARGP_ERR_UNKNOWN;
	opts->dry_run = true;
	return 0;
}

const struct argp provision_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vReads FILE or, without it, *.conf in /etc/ccshm/buffers.d, /run/ccshm/buffers.d, "
	       "/usr/local/lib/ccshm/buffers.d and /usr/lib/ccshm/buffers.d; ccshm-buffers.d(5) "
	       "describes them. A buffer that exists is not changed; one that differs from the "
	       "file is reported. A failure does not stop the rest. --dry-run also works without "
	       "the driver: it assumes that no buffers exist.",
};

static void __attribute__((format(printf, 4, 5)))
fail(struct outcome *outcome, const char *result, int code, const char *format, ...)
{
	va_list ap;

	outcome->result = result;
	outcome->code = code;
	va_start(ap, format);
	vsnprintf(outcome->reason, sizeof(outcome->reason), format, ap);
	va_end(ap);
}

static void add_row(struct provision *provision, const struct outcome *outcome,
		    const char *file, unsigned int line)
{
	struct out *out = provision->out;
	char source[SYSTEM_PATH_LEN + 16];

	if (outcome->id)
		out_number(out, "id", outcome->id);
	else
		out_no_number(out, "id");
	out_string(out, "result", outcome->result);
	if (outcome->code)
		out_mark(out, OUT_BAD);
	if (line)
		snprintf(source, sizeof(source), "%s:%u", file, line);
	else
		snprintf(source, sizeof(source), "%s", file);
	out_string(out, "source", source);
	out_string(out, "reason", *outcome->reason ? outcome->reason : NULL);
	provision->code = worse_code(provision->code, outcome->code);
}

/* ------------------------------------------------------------------------- */
/* Limits, and sizes of the pool                                             */
/* ------------------------------------------------------------------------- */

#define FILE_LEN	64

/* Get the file of a setting in sysfs: the limit "user-bytes" becomes "limit_user_bytes". */
static void setting_file(char file[FILE_LEN], const struct setting *setting)
{
	char *s = file + snprintf(file, FILE_LEN, "/sys/class/misc/ccshm/");

	snprintf(s, FILE_LEN - (size_t)(s - file), "%s_%s", setting_kind(setting->is_pool),
		 setting->name);
	for (; *s; s++)
		if (*s == '-')
			*s = '_';
}

static void setting_text(char text[SIZE_TEXT_LEN], uint64_t value)
{
	if (value == CCSHM_LIMIT_NONE)
		snprintf(text, SIZE_TEXT_LEN, "max");
	else
		snprintf(text, SIZE_TEXT_LEN, "%" PRIu64, value);
}

/* Return the value that the driver uses: it rounds sizes of the pool down to whole units. */
static uint64_t used_value(struct ccshm *ctx, const struct setting *setting, uint64_t value)
{
	struct ccshm_info *info;
	uint64_t unit;

	if (!setting->is_pool || ccshm_info_get(ctx, &info))
		return value;
	unit = ccshm_info_block_size(info);
	ccshm_info_free(info);
	return unit ? value - value % unit : value;
}

static bool is_set(struct ccshm *ctx, const struct setting *setting, uint64_t value,
		   const char *file)
{
	char wanted[SIZE_TEXT_LEN], now[SIZE_TEXT_LEN] = "";

	/* If the file cannot be read, writing to it fails too, and reports the error. */
	system_line(now, sizeof(now), "%s", file);
	setting_text(wanted, used_value(ctx, setting, value));
	return !strcmp(now, wanted);
}

static void set_value(const struct provision *provision, const struct setting *setting,
		      uint64_t value, struct outcome *outcome)
{
	enum op op = setting->is_pool ? OP_POOL_SET : OP_CONFIG;
	char file[FILE_LEN], text[SIZE_TEXT_LEN];
	int err;

	setting_file(file, setting);
	setting_text(text, value);
	if (provision->ctx && is_set(provision->ctx, setting, value, file)) {
		outcome->result = "exists";
		return;
	}
	if (provision->dry_run) {
		outcome->result = "would-set";
		return;
	}
	err = system_write(text, "%s", file);
	if (err)
		fail(outcome, "failed", (int)error_exit_code(op, err),
		     "cannot write %s to %s: %s", text, file, error_reason(op, err));
	else
		outcome->result = "set";
}

static void do_setting(struct provision *provision, const struct setting *setting,
		       const struct setting_plan *plan)
{
	struct outcome outcome = { .result = NULL };
	struct out *out = provision->out;

	set_value(provision, setting, plan->value, &outcome);
	if (outcome.code)
		complain("%s:%u: %s", plan->file, plan->line, outcome.reason);
	out_row(out);
	out_string(out, "kind", setting_kind(setting->is_pool));
	out_string(out, "name", setting->name);
	out_string(out, "owner", NULL);
	if (plan->value == CCSHM_LIMIT_NONE)
		out_no_number(out, "size");
	else if (setting->is_number)
		out_number(out, "size", plan->value);
	else
		out_size(out, "size", plan->value);
	add_row(provision, &outcome, plan->file, plan->line);
}

/* ------------------------------------------------------------------------- */
/* Buffers                                                                   */
/* ------------------------------------------------------------------------- */

struct differences {
	FILE *f;
	bool any;
	bool fixed;		/* at least one difference cannot be changed */
};

static void __attribute__((format(printf, 3, 4)))
differs(struct differences *diff, bool fixed, const char *format, ...)
{
	va_list ap;

	fputs(diff->any ? ", " : "it differs: ", diff->f);
	diff->any = true;
	diff->fixed |= fixed;
	va_start(ap, format);
	vfprintf(diff->f, format, ap);
	va_end(ap);
}

/* Compare the keys that the section has, and size and mode in any case. */
static void compare(const struct buffer_plan *plan, const struct ccshm_status *st,
		    struct differences *diff)
{
	uint64_t flags = ccshm_status_flags(st);
	char is[SIZE_TEXT_LEN], asked[SIZE_TEXT_LEN];

	if (ccshm_status_size(st) != plan->size)
		differs(diff, true, "size is %s, not %s", size_format(ccshm_status_size(st), is),
			size_format(plan->size, asked));
	if (ccshm_status_mode(st) != plan->mode)
		differs(diff, false, "mode is %04o, not %04o", ccshm_status_mode(st), plan->mode);
	if (plan->group != (gid_t)-1 && ccshm_status_group(st) != plan->group)
		differs(diff, false, "group is %u, not %u", ccshm_status_group(st), plan->group);
	if (plan->contiguous && !(flags & CCSHM_ALLOC_CONTIGUOUS))
		differs(diff, true, "it was not made in one piece");
	if (plan->whole_units && !(flags & CCSHM_ALLOC_WHOLE_UNITS))
		differs(diff, true, "it was not made of whole units");
	if (plan->others_pin && !(flags & CCSHM_ALLOC_OTHERS_PIN))
		differs(diff, true, "other users may not make pinned exports");
	if (plan->dma32 && !(flags & CCSHM_ALLOC_DMA32))
		differs(diff, true, "it was not made below 4 GiB");
	/* The driver does not report for which node the buffer was made. */
	if (plan->node >= 0 && !(flags & CCSHM_ALLOC_NODE))
		differs(diff, true, "it was not made for one NUMA node");
}

/* Compare an existing buffer with its section in the file. */
static void compare_existing(const struct buffer_plan *plan, struct ccshm_buffer *buffer,
			     struct outcome *outcome)
{
	struct differences diff = { .any = false };
	struct ccshm_status *st;
	int err;

	outcome->id = ccshm_buffer_id(buffer);
	err = ccshm_buffer_status(buffer, &st);
	if (err) {
		fail(outcome, "failed", (int)error_exit_code(OP_SHOW, err), "%s",
		     error_reason(OP_SHOW, err));
		return;
	}
	diff.f = or_die(fmemopen(outcome->reason, sizeof(outcome->reason), "w"));
	compare(plan, st, &diff);
	if (diff.any)
		fputs(diff.fixed ? "; free the buffer and run provision again" :
				   "; change it with `ccshmctl set`", diff.f);
	fclose(diff.f);
	outcome->result = diff.any ? "differs" : "exists";
	outcome->code = diff.any ? EXIT_FAILED : EXIT_OK;
	ccshm_status_free(st);
}

static int find(struct ccshm *ctx, const struct buffer_plan *plan,
		struct ccshm_buffer **buffer)
{
	char name[CCSHM_NAME_LEN + 16];

	if (plan->owner == (uid_t)-1)
		return ccshm_buffer_open(ctx, plan->name, buffer);
	snprintf(name, sizeof(name), "%u/%s", (unsigned int)plan->owner, plan->name);
	return ccshm_buffer_open(ctx, name, buffer);
}

static int make(struct ccshm *ctx, const struct buffer_plan *plan,
		struct ccshm_buffer **buffer)
{
	struct ccshm_alloc_options *alloc;
	char size[SIZE_TEXT_LEN];
	int err;

	err = ccshm_alloc_options_new(&alloc);
	if (err)
		return err;
	ccshm_alloc_options_set_persistent(alloc, true);
	ccshm_alloc_options_set_owner(alloc, plan->owner);
	ccshm_alloc_options_set_group(alloc, plan->group);
	ccshm_alloc_options_set_mode(alloc, plan->mode);
	ccshm_alloc_options_set_node(alloc, plan->node);
	ccshm_alloc_options_set_dma32(alloc, plan->dma32);
	ccshm_alloc_options_set_contiguous(alloc, plan->contiguous);
	ccshm_alloc_options_set_whole_units(alloc, plan->whole_units);
	ccshm_alloc_options_set_others_pin(alloc, plan->others_pin);
	err = ccshm_alloc_options_set_name(alloc, plan->name);
	if (!err) {
		progress_start(0, "allocating %s for %s", size_format(plan->size, size),
			       plan->name);
		/* A fatal signal ends the call. A named buffer that remains is found by the next run. */
		err = ccshm_buffer_alloc(ctx, plan->size, alloc, buffer);
		progress_stop();
	}
	ccshm_alloc_options_free(alloc);
	return err;
}

#define OTHERS_TRIES	100
#define OTHERS_WAIT_US	50000

/*
 * Allocate the buffer. If another process has allocated it, return -EEXIST with that buffer. A name
 * is taken before the buffer can be opened: if the buffer is not found, its allocation is still in
 * progress and may fail, so try again.
 */
static int make_or_find(struct ccshm *ctx, const struct buffer_plan *plan,
			struct ccshm_buffer **buffer)
{
	int err, tries = OTHERS_TRIES;

	for (;;) {
		err = make(ctx, plan, buffer);
		if (err != -EEXIST || !find(ctx, plan, buffer) || !--tries)
			return err;
		usleep(OTHERS_WAIT_US);
	}
}

/* Return the reason of a failed allocation with a valid name, mode and size. */
static const char *make_reason(const struct buffer_plan *plan, int err, char why[CAUSE_LEN])
{
	const char *cause = NULL;

	if (err == -EINVAL)
		cause = node_refused(plan->node, why);
	if (err == -EINVAL && !cause)
		cause = owner_refused(plan->owner, plan->group, why);
	if (cause)
		return cause;
	if (err == -EEXIST)
		return "the owner has a buffer of that name that you are not permitted to see, or another "
		       "process is allocating it";
	return error_reason(OP_ALLOC, err);
}

/* Make a buffer that does not exist, or that this user may not see. */
static void create(struct provision *provision, const struct buffer_plan *plan,
		   struct outcome *outcome)
{
	struct ccshm_buffer *buffer = NULL;
	char why[CAUSE_LEN];
	int err;

	if (provision->dry_run) {
		outcome->result = "would-create";
		return;
	}
	err = make_or_find(provision->ctx, plan, &buffer);
	if (!err) {
		outcome->result = "created";
		outcome->id = ccshm_buffer_id(buffer);
	} else if (err == -EEXIST && buffer) {
		compare_existing(plan, buffer, outcome);
	} else {
		fail(outcome, "failed", (int)error_exit_code(OP_ALLOC, err), "%s",
		     make_reason(plan, err, why));
	}
	ccshm_buffer_close(buffer);
}

static void provision_buffer(struct provision *provision, const struct buffer_plan *plan,
			     struct outcome *outcome)
{
	struct ccshm_buffer *buffer = NULL;
	int err = provision->ctx ? find(provision->ctx, plan, &buffer) : -ENOENT;

	if (err == -ENOENT)
		create(provision, plan, outcome);
	else if (err)
		fail(outcome, "failed", (int)error_exit_code(OP_FIND, err), "%s",
		     error_reason(OP_FIND, err));
	else
		compare_existing(plan, buffer, outcome);
	ccshm_buffer_close(buffer);
}

static void do_buffer(struct provision *provision, const struct buffer_plan *plan)
{
	struct outcome outcome = { .result = NULL };
	struct out *out = provision->out;

	/* The errors of the section were reported when the file was read. */
	if (plan->wrong) {
		fail(&outcome, "failed", EXIT_FAILED, "%s", plan->wrong);
	} else {
		provision_buffer(provision, plan, &outcome);
		if (outcome.code)
			complain("%s:%u: buffer %s: %s", plan->file, plan->line, plan->name,
				 outcome.reason);
	}
	out_row(out);
	out_string(out, "kind", "buffer");
	out_string(out, "name", plan->name);
	out_user(out, "owner", plan->owner == (uid_t)-1 ? geteuid() : plan->owner);
	if (plan->size)
		out_size(out, "size", plan->size);
	else
		out_no_number(out, "size");
	add_row(provision, &outcome, plan->file, plan->line);
}

/* ------------------------------------------------------------------------- */

/* Add a row for an error that belongs to no buffer or setting in force; reading the file has reported it. */
static void show_problem(struct provision *provision, const struct problem *problem)
{
	struct outcome outcome = { .result = NULL };
	struct out *out = provision->out;

	fail(&outcome, "failed", EXIT_FAILED, "%s", problem->reason);
	out_row(out);
	out_string(out, "kind", problem->kind);
	out_string(out, "name", problem->name);
	out_string(out, "owner", NULL);
	out_no_number(out, "size");
	add_row(provision, &outcome, problem->file, problem->line);
}

static void do_settings(struct provision *provision, const struct plan *plan, bool is_pool)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		if (settings[i].is_pool == is_pool && plan->settings[i].file)
			do_setting(provision, &settings[i], &plan->settings[i]);
}

/*
 * Set the limits first, because other users may already allocate memory, and the pool last: the memory
 * of a buffer that is made later can belong to the pool, and leave no room in it.
 */
static void do_plan(struct provision *provision, const struct plan *plan)
{
	size_t i;

	do_settings(provision, plan, false);
	for (i = 0; i < plan->nbuffers; i++)
		do_buffer(provision, &plan->buffers[i]);
	do_settings(provision, plan, true);
	for (i = 0; i < plan->nproblems; i++)
		show_problem(provision, &plan->problems[i]);
}

static int read_and_do(struct provision *provision, const struct provision_opts *opts)
{
	const char *file = opts->common.args[0];
	struct file_list files = { .paths = NULL };
	struct plan plan = { .buffers = NULL };
	int code;

	files.named = file;
	if (file)
		files_add(&files, or_die(strdup(file)));
	else
		files_find(&files, &plan);
	plan_read(&plan, &files);
	provision->code = worse_code(provision->code, plan.code);
	provision->out = out_new("provision", OUT_LIST, &opts->common.format);
	out_columns(provision->out, columns, "kind,name,owner,size,id,result,source");
	do_plan(provision, &plan);
	code = out_result(provision->out);
	plan_free(&plan);
	files_free(&files);
	return code ? code : provision->code;
}

/* Open the driver. Without a driver, --dry-run assumes that no buffers exist. */
static int begin(struct provision *provision)
{
	int err;

	if (!provision->dry_run)
		return driver_open(&provision->ctx);
	err = ccshm_open(0, &provision->ctx);
	if (!err)
		return EXIT_OK;
	if (error_exit_code(OP_OPEN, err) != EXIT_NO_DRIVER)
		return report(OP_OPEN, err, CCSHM_DEVICE);
	complain("driver not loaded; assuming that no buffers exist");
	return EXIT_OK;
}

int provision_run(const struct command *cmd, int argc, char **argv)
{
	struct provision_opts opts = { .dry_run = false };
	struct provision provision = { .ctx = NULL };
	int code;

	parse(cmd, argc, argv, &opts.common);
	provision.dry_run = opts.dry_run;
	/* Check the columns before making any change. */
	if (!out_columns_exist(&opts.common.format, columns))
		return EXIT_USAGE;
	code = begin(&provision);
	if (code)
		return code;
	code = read_and_do(&provision, &opts);
	ccshm_close(provision.ctx);
	return code;
}
