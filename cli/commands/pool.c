// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>

#include "ccshmctl.h"

#define SYSFS		"/sys/class/misc/ccshm"
#define POOL_FILE	SYSFS "/pool_%s"

struct pool_opts {
	struct common common;
	bool has_max, has_min;
	uint64_t max, min;
};

static const struct argp_option options[] = {
	{ "max", 'x', "SIZE", 0, "Let the pool own at most this much memory; 0: no pool", 0 },
	{ "min", 'm', "SIZE", 0, "Keep this much memory shared in advance", 0 },
	{ 0 }
};

static uint64_t parse_pool_size(const char *what, const char *arg, struct argp_state *state)
{
	uint64_t bytes = parse_size_arg(what, arg, state);

	if (size_is_beyond(bytes))
		usage_error(state, "%s: '%s' %s", what, arg, size_error(-ERANGE));
	return bytes;
}

static void check_order(const struct pool_opts *opts, struct argp_state *state)
{
	char min[SIZE_TEXT_LEN], max[SIZE_TEXT_LEN];

	if (opts->has_max && opts->has_min && opts->min > opts->max)
		usage_error(state, "--min: %s is more than --max, which is %s",
			    size_format(opts->min, min), size_format(opts->max, max));
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct pool_opts *opts = state->input;

	switch (key) {
	case 'x':
		opts->max = parse_pool_size("--max", arg, state);
		opts->has_max = true;
		return 0;
	case 'm':
		opts->min = parse_pool_size("--min", arg, state);
		opts->has_min = true;
		return 0;
	case ARGP_KEY_END:
		check_order(opts, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp pool_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vMemory of the pool stays shared and zeroed while no buffer has it, so that a "
	       "new buffer needs no conversion. The driver rounds sizes down to whole blocks of "
	       "2M; what is printed is in effect. Only root can set sizes.",
};

/* Report why the driver's directory in sysfs does not exist. */
static int report_no_directory(enum op op)
{
	struct ccshm *ctx;
	int code = driver_look(&ctx);

	if (code)
		return code;
	ccshm_close(ctx);
	return report_cause(op, SYSFS, "the driver is loaded, but sysfs is not mounted at /sys; mount it");
}

static int report_file(enum op op, int err, const char *field)
{
	char file[sizeof(POOL_FILE) + 16];

	if (err == -ENOENT && !system_exists(SYSFS))
		return report_no_directory(op);
	snprintf(file, sizeof(file), POOL_FILE, field);
	return report(op, err, file);
}

static int set_size(const char *field, uint64_t bytes)
{
	char text[SIZE_TEXT_LEN];
	int err;

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	err = system_write(text, POOL_FILE, field);
	return err ? report_file(OP_POOL_SET, err, field) : EXIT_OK;
}

/* Set the maximum first: until then, a new minimum above the old one has no effect. */
static int set_sizes(const struct pool_opts *opts)
{
	int code = EXIT_OK;

	if (opts->has_max)
		code = set_size("max_bytes", opts->max);
	if (!code && opts->has_min)
		code = set_size("min_bytes", opts->min);
	return code;
}

static int print_sizes(const struct format *format)
{
	static const char *const fields[] = { "max_bytes", "min_bytes", "idle_bytes" };
	struct out *out = out_new("pool", OUT_RECORD, format);
	uint64_t bytes;
	size_t i;
	int err;

	out_row(out);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		err = system_number(&bytes, POOL_FILE, fields[i]);
		if (err) {
			out_drop(out);
			return report_file(OP_POOL, err, fields[i]);
		}
		out_size(out, fields[i], bytes);
	}
	return out_result(out);
}

int pool_run(const struct command *cmd, int argc, char **argv)
{
	struct pool_opts opts = { .has_max = false };
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = set_sizes(&opts);
	return code ? code : print_sizes(&opts.common.format);
}
