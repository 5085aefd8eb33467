// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

#define TIMEOUT_SECONDS		10
#define TIMEOUT_SECONDS_MAX	(366 * 86400.0)

struct revoke_opts {
	struct common common;
	int64_t timeout_ns;
	bool force;
};

static const struct argp_option options[] = {
	{ "timeout", 't', "SECONDS", 0,
	  "How long devices have to let go; 0 does not wait, 'forever' does; 10 if not given", 0 },
	{ "force", 'f', NULL, 0,
	  "Do not wait for holders of attachments: stop their devices (needs CAP_SYS_RAWIO)", 0 },
	{ 0 }
};

static int64_t parse_timeout(const char *arg, struct argp_state *state)
{
	double seconds;
	char *end;

	if (!strcmp(arg, "forever"))
		return -1;
	/* Digits and one dot: no sign, exponent, "inf" or "nan". */
	seconds = strspn(arg, "0123456789.") == strlen(arg) ? strtod(arg, &end) : NAN;
	if (isnan(seconds) || end == arg || *end || seconds > TIMEOUT_SECONDS_MAX)
		argp_error(state, "--timeout: '%s' is not a number of seconds (at most a year), nor 'forever'",
			   arg);
	return (int64_t)(seconds * 1e9);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct revoke_opts *opts = state->input;

	switch (key) {
	case 't':
		opts->timeout_ns = parse_timeout(arg, state);
		return 0;
	case 'f':
		opts->force = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp revoke_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vOf a buffer: all exports and attachments that it has now. Nothing new gets in, "
	       "programs that touch a mapping get SIGBUS, and holders of attachments are told "
	       "to stop their devices. The result is printed also when it could not be "
	       "finished in time (exit code 5); run it again to continue. The buffer itself "
	       "stays, and its owner may export it anew.",
};

static int print_result(const struct revoke_opts *opts, uint64_t id,
			const struct ccshm_revoke_result *result)
{
	struct out *out = out_new("revoke", OUT_RECORD, &opts->common.format);

	out_row(out);
	out_number(out, "id", id);
	out_string(out, "state", ccshm_state_name(result->state));
	if (result->state != CCSHM_STATE_REVOKED)
		out_mark(out, result->state == CCSHM_STATE_STUCK ? OUT_BAD : OUT_WARN);
	out_number(out, "revoked", result->revoked);
	out_number(out, "stopped", result->stopped);
	out_number(out, "device_mappings", result->device_mappings);
	out_number(out, "pages", result->pages);
	return out_result(out);
}

static void complain_of_importers(struct ccshm *ctx, uint64_t export_id)
{
	struct ccshm_importers *importers;
	uint32_t i, mappings;

	if (ccshm_importers_get(ctx, export_id, &importers))
		return;
	for (i = 0; i < ccshm_importers_count(importers); i++) {
		mappings = ccshm_importers_mappings(importers, i);
		if (mappings)
			complain("%s has not let go of it (mappings: %u)%s",
				 ccshm_importers_device(importers, i), mappings,
				 ccshm_importers_can_let_go(importers, i) ? "" :
				 "; its driver does so only when it is done");
	}
	ccshm_importers_free(importers);
}

/* Who it is that holds on, where that can be known. */
static void complain_of_holders(struct ccshm *ctx, uint64_t id)
{
	struct ccshm_status *st;

	if (ccshm_status_get(ctx, id, &st))
		return;
	if (ccshm_status_type(st) == CCSHM_TYPE_EXPORT)
		complain_of_importers(ctx, id);
	else if (ccshm_status_type(st) == CCSHM_TYPE_ATTACHMENT &&
		 ccshm_status_state(st) != CCSHM_STATE_REVOKED)
		complain("%s has not let go of it", ccshm_status_device(st));
	ccshm_status_free(st);
}

static int revoke(struct ccshm *ctx, const struct revoke_opts *opts, uint64_t id)
{
	const char *object = opts->common.args[0];
	struct ccshm_revoke_result result;
	char what[128];
	int code, err;

	snprintf(what, sizeof(what), "revoking %s", object);
	progress_start(what, 0);
	err = ccshm_revoke(ctx, id, opts->timeout_ns,
			   opts->force ? CCSHM_REVOKE_FORCE : 0, &result);
	progress_stop();
	if (err && err != -ETIMEDOUT && err != -EBUSY && err != -EIO)
		return report(OP_REVOKE, err, object);
	code = print_result(opts, id, &result);
	if (!err)
		return code;
	code = report(OP_REVOKE, err, object);
	complain_of_holders(ctx, id);
	return code;
}

int revoke_run(const struct command *cmd, int argc, char **argv)
{
	struct revoke_opts opts = { .timeout_ns = TIMEOUT_SECONDS * 1000000000LL };
	struct ccshm *ctx;
	uint64_t id;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = object_find(ctx, opts.common.args[0], &id);
	if (!code)
		code = revoke(ctx, &opts, id);
	ccshm_close(ctx);
	return code;
}
