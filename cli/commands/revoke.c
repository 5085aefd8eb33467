// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

#define TIMEOUT_SECONDS		10

struct revoke_opts {
	struct common common;
	int64_t timeout_ns;
	uint64_t flags;
};

static const struct argp_option options[] = {
	{ "timeout", 't', "SECONDS", 0,
	  "How long to wait for devices; 0: do not wait, 'forever': no limit; default: 10", 0 },
	{ "force", 'f', NULL, 0,
	  "Do not wait for holders of attachments: stop their devices (needs CAP_SYS_RAWIO)", 0 },
	{ "orderly", 'o', NULL, 0,
	  "Notify holders and importers first; end the CPU mappings after they have detached", 0 },
	{ "seal", 's', NULL, 0,
	  "Seal the buffer first: only its owner can create exports and attachments", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct revoke_opts *opts = state->input;

	switch (key) {
	case 't':
		opts->timeout_ns = parse_seconds_arg("--timeout", arg, state);
		return 0;
	case 'f':
		opts->flags |= CCSHM_REVOKE_FORCE;
		return 0;
	case 'o':
		opts->flags |= CCSHM_REVOKE_ORDERLY;
		return 0;
	case 's':
		opts->flags |= CCSHM_REVOKE_SEAL;
		return 0;
	case ARGP_KEY_END:
		if (opts->flags & CCSHM_REVOKE_FORCE && opts->flags & CCSHM_REVOKE_ORDERLY)
			usage_error(state, "--orderly waits for holders, --force does not: use one of them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp revoke_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vRevokes an export or attachment, or all exports and attachments that a buffer "
	       "has at this time. No new mapping can be made, programs that access a mapping get "
	       "SIGBUS, and holders of attachments are notified to stop their devices. The "
	       "result is also printed if the revoke did not finish in time (exit code 5); run "
	       "the command again to continue. The buffer itself remains, and its owner can "
	       "export it again.",
};

static void add_result(struct out *out, uint64_t id,
		       const struct ccshm_revoke_result *result)
{
	out_row(out);
	out_number(out, "id", id);
	out_string(out, "state", ccshm_state_name(result->state));
	if (result->state != CCSHM_STATE_REVOKED)
		out_mark(out, result->state == CCSHM_STATE_STUCK ? OUT_BAD : OUT_WARN);
	out_number(out, "revoked", result->revoked);
	out_number(out, "stopped", result->stopped);
	out_number(out, "device_mappings", result->device_mappings);
	out_number(out, "pages", result->pages);
}

/* Report the importers that still map the export. Returns the number of their mappings. */
static uint32_t report_importers(struct ccshm *ctx, uint64_t export_id, const char *what)
{
	struct ccshm_importers *importers;
	uint32_t i, mappings, all = 0;

	if (ccshm_importers_get(ctx, export_id, &importers))
		return 0;
	for (i = 0; i < ccshm_importers_count(importers); i++) {
		mappings = ccshm_importers_mappings(importers, i);
		if (mappings)
			complain("%s still uses %s (mappings: %u)%s",
				 ccshm_importers_device(importers, i), what, mappings,
				 ccshm_importers_can_let_go(importers, i) ? "" :
				 "; its driver cannot release them on request");
		all += mappings;
	}
	ccshm_importers_free(importers);
	return all;
}

/* Report the devices that still use an export or an attachment. */
static void report_slice(struct ccshm *ctx, const struct ccshm_status *st,
			 const char *what)
{
	uint32_t mappings = ccshm_status_device_mappings(st);

	if (ccshm_status_state(st) == CCSHM_STATE_REVOKED)
		return;
	if (ccshm_status_type(st) == CCSHM_TYPE_ATTACHMENT)
		complain("%s still uses %s", ccshm_status_device(st), what);
	else if (!report_importers(ctx, ccshm_status_id(st), what) && mappings)
		complain("a driver has %s mapped for the CPU (mappings: %u)", what, mappings);
}

/* The same for all slices of this type of a buffer or an export that are not yet revoked. */
static void report_slices(struct ccshm *ctx, uint64_t id, uint32_t type)
{
	const struct ccshm_status *st;
	struct ccshm_list *list;
	char what[64];
	uint32_t i;

	if (ccshm_list_get(type, &list))
		return;
	for (i = 0; i < ccshm_list_count(list); i++) {
		st = ccshm_list_status(list, i);
		/* What is active was made after the revoke began. */
		if (ccshm_status_state(st) == CCSHM_STATE_ACTIVE ||
		    (ccshm_status_buffer_id(st) != id && ccshm_status_export_id(st) != id))
			continue;
		snprintf(what, sizeof(what), "%s %" PRIu64, ccshm_type_name(type),
			 ccshm_status_id(st));
		report_slice(ctx, st, what);
	}
	ccshm_list_free(list);
}

/* Report the devices that still use the object, as far as they are known. */
static void report_holders(struct ccshm *ctx, uint64_t id)
{
	struct ccshm_status *st;

	if (ccshm_status_get(ctx, id, &st))
		return;
	if (ccshm_status_type(st) == CCSHM_TYPE_BUFFER)
		report_slices(ctx, id, CCSHM_TYPE_EXPORT);
	else
		report_slice(ctx, st, "it");
	if (ccshm_status_type(st) != CCSHM_TYPE_ATTACHMENT)
		report_slices(ctx, id, CCSHM_TYPE_ATTACHMENT);
	ccshm_status_free(st);
}

/* Revoke one object. Increment *@rows for each result. Return an exit code. */
static int revoke(struct ccshm *ctx, const struct revoke_opts *opts,
		  const char *object, struct out *out, int *rows)
{
	struct ccshm_revoke_result result;
	int code, err;
	uint64_t id;

	code = object_find(ctx, object, &id);
	if (code)
		return code;
	progress_start(0, "revoking %s", object);
	err = ccshm_revoke(ctx, id, opts->timeout_ns, opts->flags, &result);
	progress_stop();
	if (err && err != -ETIMEDOUT && err != -EBUSY && err != -EIO)
		return report(OP_REVOKE, err, object);
	add_result(out, id, &result);
	++*rows;
	if (!err)
		return EXIT_OK;
	code = report(OP_REVOKE, err, object);
	report_holders(ctx, id);
	return code;
}

int revoke_run(const struct command *cmd, int argc, char **argv)
{
	struct revoke_opts opts = { .timeout_ns = TIMEOUT_SECONDS * 1000000000LL };
	int code, worst = EXIT_OK, rows = 0, i;
	struct ccshm *ctx;
	struct out *out;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	out = out_new("revoke", opts.common.nargs > 1 ? OUT_LIST : OUT_RECORD,
		      &opts.common.format);
	for (i = 0; i < opts.common.nargs; i++) {
		code = revoke(ctx, &opts, opts.common.many[i], out, &rows);
		worst = worst ? worst : code;
	}
	ccshm_close(ctx);
	if (!rows) {
		out_drop(out);
		return worst;
	}
	code = out_result(out);
	return worst ? worst : code;
}
