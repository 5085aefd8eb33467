// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "ccshmctl.h"

struct set_opts {
	struct common common;
	bool has_mode, has_group, has_owner, has_sealed;
	mode_t mode;
	gid_t group;
	uid_t owner;
	const char *name;
	bool sealed;
};

static const struct argp_option options[] = {
	{ "mode", 'm', "MODE", 0, "New permission bits in octal, such as 0640", 0 },
	{ "group", 'g', "GROUP", 0, "New group, by name or number", 0 },
	{ "owner", 'o', "USER", 0, "New owner, by name or number (needs CAP_CHOWN)", 0 },
	{ "name", 'n', "NAME", 0, "New name, unique among its owner's; '' for none", 0 },
	{ "seal", 's', NULL, 0, "Let only the owner create exports and attachments", 0 },
	{ "unseal", 'u', NULL, 0, "Let the mode apply again", 0 },
	{ 0 }
};

static void seal(struct set_opts *opts, bool sealed, struct argp_state *state)
{
	if (opts->has_sealed && opts->sealed != sealed)
		usage_error(state, "--seal and --unseal: use one of them");
	opts->has_sealed = true;
	opts->sealed = sealed;
}

static void check_end(const struct set_opts *opts, struct argp_state *state)
{
	if (!opts->common.nargs)
		return;
	if (!opts->has_mode && !opts->has_group && !opts->has_owner && !opts->has_sealed &&
	    !opts->name)
		usage_error(state, "nothing to change: use --mode, --group, --owner, --name, --seal or --unseal");
	if (opts->name && *opts->name && opts->common.nargs > 1)
		usage_error(state, "--name: buffers of one owner cannot share a name; name one BUFFER only");
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct set_opts *opts = state->input;
	const char *why;

	switch (key) {
	case 'm':
		if (mode_parse(arg, &opts->mode))
			usage_error(state, "--mode: '%s' %s", arg, mode_error);
		opts->has_mode = true;
		return 0;
	case 'g':
		if (group_parse(arg, &opts->group))
			usage_error(state, "--group: there is no group '%s'", arg);
		opts->has_group = true;
		return 0;
	case 'o':
		if (user_parse(arg, &opts->owner))
			usage_error(state, "--owner: there is no user '%s'", arg);
		opts->has_owner = true;
		return 0;
	case 'n':
		why = *arg ? name_error(arg) : NULL;
		if (why)
			usage_error(state, "--name: '%s' %s", arg, why);
		opts->name = arg;
		return 0;
	case 's':
	case 'u':
		seal(opts, key == 's', state);
		return 0;
	case ARGP_KEY_END:
		check_end(opts, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp set_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vAll changes to a buffer are made in one step, or none. Existing exports and "
	       "attachments keep their rights: `ccshmctl revoke' ends them. The user who is "
	       "charged for the memory does not change.",
};

static int make_options(const struct set_opts *opts, struct ccshm_set_options **set)
{
	int err = ccshm_set_options_new(set);

	if (err)
		return err;
	if (opts->has_mode)
		ccshm_set_options_set_mode(*set, opts->mode);
	if (opts->has_group)
		ccshm_set_options_set_group(*set, opts->group);
	if (opts->has_owner)
		ccshm_set_options_set_owner(*set, opts->owner);
	if (opts->has_sealed)
		ccshm_set_options_set_sealed(*set, opts->sealed);
	/* name_error() has checked the length. */
	return opts->name ? ccshm_set_options_set_name(*set, opts->name) : 0;
}

static int set_one(struct ccshm *ctx, const struct set_opts *opts,
		   const struct ccshm_set_options *set, const char *object)
{
	const char *cause = NULL;
	char why[CAUSE_LEN];
	struct ccshm_buffer *buffer;
	int code, err;

	code = buffer_open(ctx, object, &buffer);
	if (code)
		return code;
	err = ccshm_buffer_set(buffer, set);
	if (err == -EINVAL)
		cause = owner_refused(opts->has_owner ? opts->owner : (uid_t)-1,
				      opts->has_group ? opts->group : (gid_t)-1, why);
	if (err)
		code = cause ? report_cause(OP_SET, object, cause) : report(OP_SET, err, object);
	ccshm_buffer_close(buffer);
	return code;
}

int set_run(const struct command *cmd, int argc, char **argv)
{
	struct set_opts opts = { .has_mode = false };
	struct ccshm_set_options *set;
	int code, worst, err, i;
	struct ccshm *ctx;

	parse(cmd, argc, argv, &opts.common);
	worst = driver_open(&ctx);
	if (worst)
		return worst;
	err = make_options(&opts, &set);
	if (err)
		worst = report(OP_SET, err, opts.common.many[0]);
	for (i = 0; !err && i < opts.common.nargs; i++) {
		code = set_one(ctx, &opts, set, opts.common.many[i]);
		worst = worst ? worst : code;
	}
	ccshm_set_options_free(set);
	ccshm_close(ctx);
	return worst;
}
