// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "ccshmctl.h"

struct export_opts {
	struct common common;
	uint64_t flags;
	uint64_t offset;
	uint64_t length;
};

static const struct argp_option options[] = {
	{ "offset", 'O', "SIZE", 0, "Start of the slice; default: 0", 0 },
	{ "length", 'l', "SIZE", 0, "Size of the slice; default: up to the end", 0 },
	{ "read-only", 'r', NULL, 0,
	  "CPUs cannot write, and drivers can map it only for reading", 0 },
	{ "no-cpu", 'c', NULL, 0, "For devices only: the dma-buf cannot be mapped", 0 },
	{ "pinned", 'p', NULL, 0,
	  "Also let drivers import it that cannot unmap on notification; a revoke can then fail", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct export_opts *opts = state->input;

	switch (key) {
	case 'O':
		opts->offset = parse_page_arg("--offset", arg, state);
		return 0;
	case 'l':
		opts->length = parse_page_arg("--length", arg, state);
		if (!opts->length)
			usage_error(state, "--length: it must not be 0");
		return 0;
	case 'r':
		opts->flags |= CCSHM_EXPORT_READ_ONLY;
		return 0;
	case 'c':
		opts->flags |= CCSHM_EXPORT_NO_CPU;
		return 0;
	case 'p':
		opts->flags |= CCSHM_EXPORT_PINNED;
		return 0;
	case ARGP_KEY_END:
		if (opts->common.nargs && !opts->common.command)
			usage_error(state, "a command after -- is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp export_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vCOMMAND inherits the dma-buf as the file descriptor CCSHM_DMABUF_FD; "
	       "CCSHM_DMABUF_SIZE is its size in bytes, CCSHM_EXPORT_ID its id. Offset and "
	       "length are multiples of the page size. The exit status is COMMAND's, 128 + N "
	       "if signal N ended it.",
};

static int run(struct ccshm_export *exp, char **command)
{
	struct run run = { .argv = command };

	run_pass_fd(&run, "CCSHM_DMABUF_FD", ccshm_export_fd(exp));
	run_setenv(&run, "CCSHM_DMABUF_SIZE", "%" PRIu64, ccshm_export_size(exp));
	run_setenv(&run, "CCSHM_EXPORT_ID", "%" PRIu64, ccshm_export_id(exp));
	return run_command(&run);
}

static int export(struct ccshm_buffer *buffer, const struct export_opts *opts)
{
	const char *object = opts->common.args[0], *cause;
	char why[CAUSE_LEN];
	struct ccshm_export *exp;
	int code, err;

	cause = slice_refused(ccshm_buffer_size(buffer), opts->offset, opts->length, why);
	if (cause)
		return report_cause(OP_EXPORT, object, cause);
	err = ccshm_export_create(buffer, opts->flags, opts->offset, opts->length, &exp);
	if (err)
		return report_use(OP_EXPORT, err, buffer, object);
	code = run(exp, opts->common.command);
	ccshm_export_close(exp);
	return code;
}

int export_run(const struct command *cmd, int argc, char **argv)
{
	struct export_opts opts = { .offset = 0 };
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = buffer_open(ctx, opts.common.args[0], &buffer);
	if (code)
		goto close;
	code = export(buffer, &opts);
	ccshm_buffer_close(buffer);
close:
	ccshm_close(ctx);
	return code;
}
