// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "ccshmctl.h"

#define WAIT_SECONDS	10
#define POLL_NS		20000000L

struct free_opts {
	struct common common;
	uint64_t flags;
	bool wait;
	int64_t timeout_ns;	/* -1: no limit */
};

static const struct argp_option options[] = {
	{ "revoke", 'r', NULL, 0, "Also begin to revoke all exports and attachments", 0 },
	{ "wait", 'w', "SECONDS", OPTION_ARG_OPTIONAL,
	  "Wait until the memory is private again; default: 10 seconds; 'forever': no limit", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct free_opts *opts = state->input;

	switch (key) {
	case 'r':
		opts->flags |= CCSHM_FREE_REVOKE;
		return 0;
	case 'w':
		opts->wait = true;
		if (arg)
			opts->timeout_ns = parse_seconds_arg("--wait", arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp free_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vThe id and the name of the buffer are no longer valid after this. The memory is "
	       "made private and returned when the last export and attachment of the buffer are "
	       "gone or revoked; --revoke begins to revoke them. If the memory is not private in "
	       "time, or was leaked, --wait ends with exit code 5. The end of a buffer can be in a "
	       "block with other buffers (carved in `ccshmctl show'): --wait does not wait for "
	       "these, and until they are freed the block stays shared.",
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/*
 * Check whether the driver still lists the buffer, as it does until it has tried to make the memory
 * private. Return 1, 0 or a negative errno.
 */
static int is_listed(uint64_t id)
{
	struct ccshm_list *list;
	int err, listed = 0;
	uint32_t i;

	err = ccshm_list_get(CCSHM_TYPE_BUFFER, &list);
	if (err)
		return err;
	for (i = 0; i < ccshm_list_count(list); i++)
		listed |= ccshm_status_id(ccshm_list_status(list, i)) == id;
	ccshm_list_free(list);
	return listed;
}

static int wait_until_unlisted(uint64_t id, const char *object, int64_t end_ns)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int code = EXIT_OK, ret;

	progress_start(0, "waiting for the memory of %s", object);
	while ((ret = is_listed(id)) > 0) {
		if (end_ns >= 0 && now_ns() >= end_ns)
			break;
		nanosleep(&pause, NULL);
	}
	progress_stop();
	if (ret < 0) {
		code = report(OP_OBJECTS, ret, "buffers");
	} else if (ret) {
		complain("%s (id %" PRIu64 ") is freed, but its memory is not private yet: exports or "
			 "attachments hold it; `ccshmctl list --exports' and `--attachments' show them",
			 object, id);
		code = EXIT_BUSY;
	}
	return code;
}

/* Conversions that the platform refused, and what became of their memory; of all users. */
struct refused {
	uint64_t conversions;
	uint64_t quarantined, leaked;	/* bytes */
};

static int refused_get(struct ccshm *ctx, struct refused *now)
{
	struct ccshm_info *info;
	int err = ccshm_info_get(ctx, &info);

	if (err)
		return err;
	now->conversions = ccshm_info_conversions_failed(info);
	now->quarantined = ccshm_info_bytes_quarantined(info);
	now->leaked = ccshm_info_bytes_leaked(info);
	ccshm_info_free(info);
	return 0;
}

/* Report memory that is not private, and can be memory of the buffers. */
static int complain_refused(const struct refused *before, const struct refused *now)
{
	char text[SIZE_TEXT_LEN];

	if (now->leaked != before->leaked)
		complain("%s were leaked meanwhile, and can be memory of the buffers: the platform "
			 "refused to make them private; see bytes_leaked in `ccshmctl info'",
			 size_format(now->leaked - before->leaked, text));
	else
		complain("%s are not private yet, and can be memory of the buffers: the platform "
			 "refused to make them private; the driver retries, see bytes_quarantined in "
			 "`ccshmctl info'", size_format(now->quarantined, text));
	return EXIT_BUSY;
}

/*
 * The driver also unlists a buffer when the platform has refused to make its memory private. Wait
 * until no memory is in quarantine. If no conversion failed after @before was read, nothing that is
 * in quarantine belongs to the buffers.
 */
static int wait_for_refused(struct ccshm *ctx, const struct refused *before, int64_t end_ns)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	struct refused now;
	int err;

	progress_start(0, "waiting for memory in quarantine");
	while (!(err = refused_get(ctx, &now)) && now.conversions != before->conversions &&
	       now.quarantined && now.leaked == before->leaked) {
		if (end_ns >= 0 && now_ns() >= end_ns)
			break;
		nanosleep(&pause, NULL);
	}
	progress_stop();
	if (err)
		return report(OP_INFO, err, "the driver");
	if (now.conversions == before->conversions ||
	    (!now.quarantined && now.leaked == before->leaked))
		return EXIT_OK;
	return complain_refused(before, &now);
}

/* Free one buffer. @id: set to its id, or 0 if nothing was freed. Return an exit code. */
static int free_one(struct ccshm *ctx, const struct free_opts *opts, const char *object,
		    uint64_t *id)
{
	struct ccshm_buffer *buffer;
	int code, err;

	*id = 0;
	code = buffer_open(ctx, object, &buffer);
	if (code)
		return code;
	err = ccshm_buffer_free_flags(buffer, opts->flags);
	if (err)
		code = report(OP_FREE, err, object);
	else
		*id = ccshm_buffer_id(buffer);
	ccshm_buffer_close(buffer);
	return code;
}

/* Wait for the buffers with these ids; 0: none. */
static int wait_for_all(struct ccshm *ctx, const struct free_opts *opts, const uint64_t *ids,
			const struct refused *before)
{
	int code, worst = EXIT_OK, i;
	int64_t end_ns = -1;
	bool any = false;

	if (opts->timeout_ns >= 0)
		end_ns = now_ns() + opts->timeout_ns;
	for (i = 0; i < opts->common.nargs; i++) {
		if (!ids[i])
			continue;
		any = true;
		code = wait_until_unlisted(ids[i], opts->common.many[i], end_ns);
		worst = worst ? worst : code;
	}
	if (any && !worst)
		worst = wait_for_refused(ctx, before, end_ns);
	return worst;
}

static int free_all(struct ccshm *ctx, const struct free_opts *opts, const struct refused *before)
{
	const struct common *common = &opts->common;
	uint64_t *ids = or_die(calloc((size_t)common->nargs, sizeof(*ids)));
	int code, worst = EXIT_OK, i;

	for (i = 0; i < common->nargs; i++) {
		code = free_one(ctx, opts, common->many[i], &ids[i]);
		worst = worst ? worst : code;
	}
	if (opts->wait) {
		code = wait_for_all(ctx, opts, ids, before);
		worst = worst ? worst : code;
	}
	free(ids);
	return worst;
}

int free_run(const struct command *cmd, int argc, char **argv)
{
	struct free_opts opts = { .timeout_ns = WAIT_SECONDS * 1000000000LL };
	struct refused before = { 0 };
	struct ccshm *ctx;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	/* Do not free anything if waiting is not possible. */
	err = opts.wait ? is_listed(0) : 0;
	if (err >= 0 && opts.wait)
		err = refused_get(ctx, &before);
	if (err < 0)
		code = report(OP_OBJECTS, err, "buffers, which --wait needs");
	else
		code = free_all(ctx, &opts, &before);
	ccshm_close(ctx);
	return code;
}
