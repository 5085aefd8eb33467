// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

const char *argp_program_bug_address;

enum {
	KEY_LIST_COMMANDS = 0x100,
	KEY_LIST_OPTIONS,
	KEY_COMPLETE,
};

static const struct argp_option options[] = {
	{ "list-commands", KEY_LIST_COMMANDS, NULL, OPTION_HIDDEN, NULL, 0 },
	{ "list-options", KEY_LIST_OPTIONS, "COMMAND", OPTION_HIDDEN, NULL, 0 },
	{ "complete", KEY_COMPLETE, NULL, OPTION_HIDDEN, NULL, 0 },
	{ "h", 'h', NULL, OPTION_HIDDEN, NULL, 0 },
	{ "version", 'V', NULL, 0, "Print the version of ccshmctl and of the library", -1 },
	{ 0 }
};

static const char after_options[] =
	"BUFFER is an id, the NAME of one of your buffers, or USER/NAME. Sizes are "
	"in bytes, or have a suffix: 4K, 2M, 1.5GiB. See `ccshmctl COMMAND --help' "
	"and the man pages ccshmctl(1) and ccshmctl-COMMAND(1)."
	"\n\n"
	"Exit codes: 0 success, 1 failure, 2 usage, 3 no driver or not a "
	"confidential guest, 4 permission, 5 busy or not revocable.";

struct top {
	int first;		/* index of the command */
};

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case KEY_LIST_COMMANDS:
		command_list(stdout);
		exit(EXIT_OK);
	case KEY_LIST_OPTIONS:
		if (command_list_options(stdout, arg))
			usage_error(state, "there is no command '%s'", arg);
		exit(EXIT_OK);
	case KEY_COMPLETE:
		/* The following words are the words of a command line. */
		exit(complete(options, state->argc - state->next, state->argv + state->next));
	case 'h':
		argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
		return 0;
	case 'V':
		printf("ccshmctl %s, libccshm %s\n", CCSHM_VERSION, ccshm_version());
		exit(EXIT_OK);
	case ARGP_KEY_ARG:
		/* The command. Its own parser parses the words after it. */
		top->first = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		usage_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Insert the list of commands between the synopsis and the options. */
static char *write_commands(int key, const char *text, void *input)
{
	const struct command *cmd;
	char *list = NULL;
	size_t len;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_PRE_DOC)
		return (char *)text;
	f = open_memstream(&list, &len);
	if (!f)
		return (char *)text;
	fprintf(f, "%s\n\nCommands:\n", text);
	for (cmd = commands; cmd->name; cmd++)
		fprintf(f, "  %-9s %s\n", cmd->name, cmd->summary);
	fprintf(f, "  %-9s %s\n", "help", "show this text, or the help of a command");
	if (fclose(f)) {
		free(list);
		return (char *)text;
	}
	return list;
}

/* Open closed descriptors 0, 1 and 2, so that no other file gets their numbers. */
static void occupy_std_fds(void)
{
	static const int mode[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		/* Use the wrong direction: reading and writing fail as on a closed descriptor. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) < 0)
			_exit(EXIT_FAILED);
	}
}

static int help(char **argv, int argc, const struct argp *argp)
{
	char name[] = "ccshmctl", option[] = "--help";
	char *help_argv[] = { name, option, NULL };
	const struct command *cmd;
	struct top top = { 0 };

	restore_sigpipe();
	if (argc < 2 || !strcmp(argv[1], "help"))
		return argp_parse(argp, 2, help_argv, 0, NULL, &top);
	cmd = command_find(argv[1]);
	if (!cmd) {
		complain("there is no command '%s'; `ccshmctl help` lists them", argv[1]);
		return EXIT_USAGE;
	}
	return cmd->run(cmd, 2, help_argv);
}

/* Count the options before the command; the words after --complete are not options. */
static int leading_options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && *argv[i] == '-' && strcmp(argv[i], "--complete"); i++)
		;
	return i;
}

int ccshmctl_main(int argc, char **argv)
{
	const struct argp_option *const sets[] = {
		options, argp_own_options, argp_secret_options, NULL
	};
	char doc[1024], name[] = "ccshmctl";
	const struct argp argp = {
		.options = options,
		.parser = parse_top,
		.args_doc = "COMMAND [OPTION...] [ARGUMENT...]",
		.doc = doc,
		.help_filter = write_commands,
	};
	const struct command *cmd;
	struct top top = { 0 };

	occupy_std_fds();
	/* Only the character set: numbers keep their form. */
	setlocale(LC_CTYPE, "");
	atexit(out_close_stdout);
	/* Report a reader that has gone as an error, after cleaning up. */
	ignore_sigpipe();
	argp_err_exit_status = EXIT_USAGE;
	snprintf(doc, sizeof(doc),
		 "Shared memory for confidential virtual machines.\v%s",
		 after_options);
	/* Use this name in messages, not the file's name. */
	argv[0] = name;
	refuse_wild_options(sets, leading_options(argc, argv), argv);
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &top))
		return EXIT_FAILED;

	argc -= top.first;
	argv += top.first;
	if (!strcmp(argv[0], "help"))
		return help(argv, argc, &argp);
	cmd = command_find(argv[0]);
	if (!cmd) {
		complain("there is no command '%s'; `ccshmctl help` lists them", argv[0]);
		return EXIT_USAGE;
	}
	if (cmd->flags & CMD_PRINTS)
		restore_sigpipe();
	return cmd->run(cmd, argc, argv);
}
