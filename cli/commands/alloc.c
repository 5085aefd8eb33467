// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

struct alloc_opts {
	struct common common;
	const char *name;
	uid_t owner;
	gid_t group;
	mode_t mode;
	int node;
	bool dma32;
	bool contiguous;
	bool whole_units;
	bool others_pin;
	uint64_t size;
};

static const struct argp_option options[] = {
	{ "name", 'n', "NAME", 0, "Name of the buffer, unique among its owner's", 0 },
	{ "owner", 'o', "USER", 0, "Owner, by name or number, instead of you", 0 },
	{ "group", 'g', "GROUP", 0, "Group, by name or number, instead of yours", 0 },
	{ "mode", 'm', "MODE", 0, "Permission bits in octal, such as 0640; default: 0600", 0 },
	{ "node", 'N', "NODE", 0, "Allocate memory of this NUMA node only", 0 },
	{ "dma32", 'd', NULL, 0, "Allocate memory below 4 GiB only", 0 },
	{ "contiguous", 'c', NULL, 0, "Allocate one physically contiguous run of pages", 0 },
	{ "whole-units", 'w', NULL, 0,
	  "Allocate whole blocks of 2M only; fail instead of using smaller ones", 0 },
	{ "others-pin", 'p', NULL, 0,
	  "Let other users create pinned exports if the mode allows exports", 0 },
	{ 0 }
};

static mode_t parse_mode(const char *arg, struct argp_state *state)
{
	mode_t mode = 0;

	if (mode_parse(arg, &mode))
		usage_error(state, "--mode: '%s' %s", arg, mode_error);
	return mode;
}

static void check_name(const char *name, struct argp_state *state)
{
	const char *why = name_error(name);

	if (why)
		usage_error(state, "--name: '%s' %s", name, why);
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct alloc_opts *opts = state->input;

	switch (key) {
	case 'n':
		check_name(arg, state);
		opts->name = arg;
		return 0;
	case 'o':
		if (user_parse(arg, &opts->owner))
			usage_error(state, "--owner: there is no user '%s'", arg);
		return 0;
	case 'g':
		if (group_parse(arg, &opts->group))
			usage_error(state, "--group: there is no group '%s'", arg);
		return 0;
	case 'm':
		opts->mode = parse_mode(arg, state);
		return 0;
	case 'N':
		opts->node = (int)parse_number_arg("--node", arg, INT32_MAX, state);
		return 0;
	case 'd':
		opts->dma32 = true;
		return 0;
	case 'c':
		opts->contiguous = true;
		return 0;
	case 'w':
		opts->whole_units = true;
		return 0;
	case 'p':
		opts->others_pin = true;
		return 0;
	case ARGP_KEY_END:
		if (!opts->common.nargs)
			return 0;
		opts->size = parse_size_arg("SIZE", opts->common.args[0], state);
		if (!opts->size)
			usage_error(state, "SIZE: it must not be 0");
		else if (size_is_beyond(opts->size))
			usage_error(state, "SIZE: '%s' %s", opts->common.args[0],
				    size_error(-ERANGE));
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp alloc_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vThe buffer is zeroed and exists until `ccshmctl free'. SIZE is rounded up to "
	       "whole pages; the end of a size that is not a multiple of 2M shares a block with "
	       "other buffers of the same owner. After Ctrl-C no buffer remains.",
};

static int allocate(struct ccshm *ctx, const struct alloc_opts *opts,
		    struct ccshm_buffer **buffer)
{
	struct ccshm_alloc_options *alloc;
	char size[SIZE_TEXT_LEN];
	int err;

	err = ccshm_alloc_options_new(&alloc);
	if (err)
		return err;
	ccshm_alloc_options_set_persistent(alloc, true);
	ccshm_alloc_options_set_interruptible(alloc, true);
	ccshm_alloc_options_set_owner(alloc, opts->owner);
	ccshm_alloc_options_set_group(alloc, opts->group);
	ccshm_alloc_options_set_mode(alloc, opts->mode);
	ccshm_alloc_options_set_node(alloc, opts->node);
	ccshm_alloc_options_set_dma32(alloc, opts->dma32);
	ccshm_alloc_options_set_contiguous(alloc, opts->contiguous);
	ccshm_alloc_options_set_whole_units(alloc, opts->whole_units);
	ccshm_alloc_options_set_others_pin(alloc, opts->others_pin);
	err = ccshm_alloc_options_set_name(alloc, opts->name);
	if (!err) {
		interrupt_catch();
		progress_start(0, "allocating %s", size_format(opts->size, size));
		/* Repeat the call after a stop (Ctrl-Z) or a suspend of the machine. */
		do {
			err = ccshm_buffer_alloc(ctx, opts->size, alloc, buffer);
		} while (err == -EINTR && !interrupt_noted());
		/* A signal must not end the program before the id is printed. */
		block_signals();
		progress_stop();
		/* The signal may have arrived too late for the driver. */
		if (!err && interrupt_noted()) {
			ccshm_buffer_free(*buffer);
			ccshm_buffer_close(*buffer);
			err = -EINTR;
		}
	}
	ccshm_alloc_options_free(alloc);
	return err;
}

/* Size, name and mode were checked before. */
static int report_alloc(struct ccshm *ctx, const struct alloc_opts *opts, int err)
{
	char object[128], size[SIZE_TEXT_LEN], why[CAUSE_LEN];
	const char *cause = NULL;

	snprintf(object, sizeof(object), "%s%s%s", size_format(opts->size, size),
		 opts->name ? " as " : "", opts->name ? opts->name : "");
	if (err == -EINVAL)
		cause = node_refused(opts->node, why);
	if (err == -EINVAL && !cause)
		cause = owner_refused(opts->owner, opts->group, why);
	if (err == -EDQUOT || err == -ENOSPC)
		cause = leak_refused(ctx, err, opts->size, opts->contiguous, why);
	return cause ? report_cause(OP_ALLOC, object, cause) : report(OP_ALLOC, err, object);
}

static int print_buffer(const struct alloc_opts *opts,
			const struct ccshm_buffer *buffer)
{
	struct out *out;

	if (!opts->common.format.json) {
		printf("%" PRIu64 "\n", ccshm_buffer_id(buffer));
		return out_flush(stdout);
	}
	out = out_new("buffers", OUT_LIST, &opts->common.format);
	out_row(out);
	out_number(out, "id", ccshm_buffer_id(buffer));
	out_string(out, "name", opts->name);
	out_size(out, "size", ccshm_buffer_size(buffer));
	return out_print(out, stdout);
}

int alloc_run(const struct command *cmd, int argc, char **argv)
{
	struct alloc_opts opts = {
		.owner = (uid_t)-1, .group = (gid_t)-1, .mode = 0600, .node = -1,
	};
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	err = allocate(ctx, &opts, &buffer);
	if (err == -EINTR && interrupt_noted()) {
		ccshm_close(ctx);
		interrupt_die();
	}
	if (err) {
		code = report_alloc(ctx, &opts, err);
		goto close;
	}
	/* Free a buffer whose id was not printed: the user could not find it. */
	err = print_buffer(&opts, buffer);
	if (err) {
		code = report(OP_OUTPUT, err, "standard output; the buffer is freed again");
		ccshm_buffer_free(buffer);
		out_give_up_stdout();
	}
	ccshm_buffer_close(buffer);
close:
	ccshm_close(ctx);
	return code;
}
