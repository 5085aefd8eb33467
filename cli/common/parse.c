// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parse the arguments of a command: its own options, shared options, positional arguments, and the
 * command line after "--".
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", -2 },
	{ 0 }
};

const struct argp_option common_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON; sizes are in bytes", -2 },
	{ "bytes", 'b', NULL, 0, "Print sizes in bytes", -2 },
	{ 0 }
};

const struct argp_option column_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON; sizes are in bytes", -2 },
	{ "bytes", 'b', NULL, 0, "Print sizes in bytes", -2 },
	{ "output", 'o', "COLUMNS", 0,
	  "Print these columns, in this order, separated by commas", -2 },
	{ 0 }
};

/* Report the missing nth argument by its placeholder: "BUFFER" of "BUFFER DEVICE". */
static void missing(const struct common *opts, struct argp_state *state)
{
	const char *word = opts->cmd->args;
	int n;

	for (n = opts->nargs; n > 0; n--)
		word = strchr(word, ' ') + 1;
	usage_error(state, "%.*s is missing", (int)strcspn(word, " ."), word);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct common *opts = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = opts;
		return 0;
	case 'j':
		opts->format.json = true;
		return 0;
	case 'b':
		opts->format.bytes = true;
		return 0;
	case 'o':
		opts->format.output = arg;
		return 0;
	case ARGP_KEY_ARG:
		/* ARGP_KEY_ARGS has all arguments. */
		if (opts->cmd->flags & CMD_MANY)
			return ARGP_ERR_UNKNOWN;
		if (opts->nargs == opts->cmd->max_args)
			usage_error(state, "unexpected argument: %s%s", arg,
				   opts->cmd->flags & CMD_RUNS ?
				   " (a command follows --)" : "");
		else
			opts->args[opts->nargs++] = arg;
		return 0;
	case ARGP_KEY_ARGS:
		opts->many = &state->argv[state->next];
		opts->nargs = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		if (opts->nargs < opts->cmd->min_args)
			missing(opts, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Accept -h, which argp does not provide. */
static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != 'h')
		return ARGP_ERR_UNKNOWN;
	argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
	return 0;
}

static const struct argp_option help_options[] = {
	{ "h", 'h', NULL, OPTION_HIDDEN, NULL, 0 },
	{ 0 }
};

static const struct argp help_argp = {
	.options = help_options,
	.parser = parse_help,
};

/* Split argv at "--"; the rest is another program's command line. */
static int split_command(int argc, char **argv, struct common *opts)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		if (i + 1 < argc)
			opts->command = &argv[i + 1];
		return i;
	}
	return argc;
}

/*
 * Find the long option that has this name, or this prefix unambiguously. NULL: getopt() refuses the
 * name.
 */
static const struct argp_option *find_long(const struct argp_option *const *sets,
					   const char *name, size_t len)
{
	const struct argp_option *opt, *found = NULL;
	int matching = 0;

	for (; *sets; sets++) {
		for (opt = *sets; opt->name; opt++) {
			if (strncmp(opt->name, name, len))
				continue;
			if (!opt->name[len])
				return opt;
			found = opt;
			matching++;
		}
	}
	return matching == 1 ? found : NULL;
}

static const struct argp_option *find_short(const struct argp_option *const *sets,
					    unsigned char key)
{
	const struct argp_option *opt;

	for (; *sets; sets++)
		for (opt = *sets; opt->name; opt++)
			if (opt->key == key)
				return opt;
	return NULL;
}

static bool is_option(const struct argp_option *const *sets, const char *word)
{
	const struct argp_option *opt;
	const char *key;

	if (word[1] == '-')
		return find_long(sets, word + 2, strcspn(word + 2, "="));
	for (key = word + 1; *key; key++) {
		opt = find_short(sets, (unsigned char)*key);
		if (!opt || opt->arg)
			return opt;
	}
	return true;
}

/* Check whether getopt() takes this word as an option of argp that ccshmctl does not have. */
static bool is_secret(const struct argp_option *const *sets, const char *word)
{
	const struct argp_option *opt = NULL;

	if (word[1] == '-')
		opt = find_long(sets, word + 2, strcspn(word + 2, "="));
	return opt && opt->key < 0;
}

void refuse_wild_options(const struct argp_option *const *sets, int argc, char **argv)
{
	char *shown;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (*argv[i] != '-' || !argv[i][1])
			continue;
		shown = text_shown(argv[i]);
		if (is_secret(sets, argv[i]) ||
		    (strcmp(argv[i], shown) && !is_option(sets, argv[i]))) {
			complain("there is no option '%s'; `%s --help' lists them", argv[i],
				 argv[0]);
			exit(EXIT_USAGE);
		}
		free(shown);
	}
}

void parse(const struct command *cmd, int argc, char **argv, struct common *opts)
{
	const struct argp_child children[] = {
		{ cmd->argp, 0, NULL, 0 }, { &help_argp, 0, NULL, 0 }, { 0 }
	};
	const struct argp_option *const sets[] = {
		command_options(cmd, 0), command_options(cmd, 1), command_options(cmd, 2),
		argp_secret_options, help_options, NULL
	};
	char doc[256], name[64], *own_name = argv[0];
	struct argp argp = {
		.options = command_options(cmd, 1),
		.parser = parse_common,
		.args_doc = *cmd->args ? cmd->args : NULL,
		.doc = doc,
		.children = children,
	};

	opts->cmd = cmd;
	if (cmd->flags & CMD_RUNS)
		argc = split_command(argc, argv, opts);
	snprintf(doc, sizeof(doc), "%s", cmd->summary);
	doc[0] = (char)toupper((unsigned char)doc[0]);
	snprintf(name, sizeof(name), "ccshmctl %s", cmd->name);
	argv[0] = name;
	refuse_wild_options(sets, argc, argv);
	if (argp_parse(&argp, argc, argv, 0, NULL, opts))
		exit(EXIT_FAILED);
	argv[0] = own_name;
}

uint64_t parse_size_arg(const char *what, const char *arg,
			struct argp_state *state)
{
	uint64_t bytes = 0;
	int err = size_parse(arg, &bytes);

	if (err)
		usage_error(state, "%s: '%s' %s", what, arg, size_error(err));
	return bytes;
}

uint64_t parse_page_arg(const char *what, const char *arg,
			struct argp_state *state)
{
	uint64_t bytes = parse_size_arg(what, arg, state);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (bytes % page)
		usage_error(state, "%s: '%s' is not a multiple of the page size (%llu)",
			   what, arg, (unsigned long long)page);
	return bytes;
}

#define SECONDS_MAX	(366 * 86400.0)

int64_t parse_seconds_arg(const char *what, const char *arg,
			  struct argp_state *state)
{
	char *end = (char *)arg;
	double seconds = 0;

	if (!strcmp(arg, "forever"))
		return -1;
	/* Accept digits and one dot, but no sign, exponent, "inf" or "nan". */
	if (strspn(arg, "0123456789.") == strlen(arg))
		seconds = strtod(arg, &end);
	if (end == arg || *end || seconds > SECONDS_MAX)
		usage_error(state, "%s: '%s' is not a number of seconds (at most a year), nor 'forever'",
			   what, arg);
	return (int64_t)(seconds * 1e9);
}

unsigned long parse_number_arg(const char *what, const char *arg,
			       unsigned long max, struct argp_state *state)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || value > max)
		usage_error(state, "%s: '%s' is not a number from 0 to %lu", what,
			   arg, max);
	return value;
}
