// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "ccshmctl.h"

struct show_opts {
	struct common common;
	bool pages;
};

static const struct argp_option options[] = {
	{ "pages", 'p', NULL, 0, "Show the state of a buffer's pages instead", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct show_opts *opts = state->input;

	(void)arg;
	if (key != 'p')
		return ARGP_ERR_UNKNOWN;
	opts->pages = true;
	return 0;
}

const struct argp show_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vThe id can be that of a buffer, an export or an attachment.",
};

/* Get the importers of an export; NULL if it has none, or has gone. */
static struct ccshm_importers *importers_of(struct ccshm *ctx,
					    const struct ccshm_status *st)
{
	struct ccshm_importers *importers = NULL;

	if (ccshm_status_type(st) == CCSHM_TYPE_EXPORT)
		ccshm_importers_get(ctx, ccshm_status_id(st), &importers);
	return importers;
}

static int print_status(struct ccshm *ctx, const struct ccshm_status *st,
			const struct format *format)
{
	const char *list = fields_list_name(ccshm_status_type(st));
	struct ccshm_importers *importers;
	struct out *out;

	if (!list) {
		complain("%" PRIu64 " has a type (%u) that this ccshmctl does not know",
			 ccshm_status_id(st), ccshm_status_type(st));
		return EXIT_FAILED;
	}
	out = out_new(list, OUT_RECORD, format);
	out_row(out);
	out_string(out, "type", ccshm_type_name(ccshm_status_type(st)));
	importers = importers_of(ctx, st);
	fields_add(out, st, importers);
	ccshm_importers_free(importers);
	return out_result(out);
}

int show_run(const struct command *cmd, int argc, char **argv)
{
	struct show_opts opts = { 0 };
	struct ccshm_status *st;
	struct ccshm *ctx;
	uint64_t id;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	code = driver_look(&ctx);
	if (code)
		return code;
	if (opts.pages) {
		code = pages_show(ctx, opts.common.args[0], &opts.common.format);
		goto close;
	}
	code = object_find(ctx, opts.common.args[0], &id);
	if (!code) {
		err = ccshm_status_get(ctx, id, &st);
		if (err) {
			code = report(OP_SHOW, err, opts.common.args[0]);
		} else {
			code = print_status(ctx, st, &opts.common.format);
			ccshm_status_free(st);
		}
	}
close:
	ccshm_close(ctx);
	return code;
}
