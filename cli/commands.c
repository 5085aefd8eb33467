// SPDX-License-Identifier: GPL-2.0-only
/* The table of commands, for dispatch, help, completion and tests. */
#include <ctype.h>
#include <string.h>

#include "ccshmctl.h"

const struct command commands[] = {
	{ "doctor", "check whether this machine can use ccshm, and print remedies",
	  "[CHECK]", 0, 1, CMD_FORMAT | CMD_PRINTS, &doctor_argp, doctor_run },
	{ "info", "print properties of the driver and its use of memory",
	  "", 0, 0, CMD_FORMAT | CMD_SIZES | CMD_PRINTS, &info_argp, info_run },
	{ "list", "list the buffers, exports or attachments that you may see",
	  "", 0, 0, CMD_FORMAT | CMD_COLUMNS | CMD_PRINTS, &list_argp, list_run,
	  list_columns },
	{ "monitor", "print events of shared memory as they occur",
	  "", 0, 0, CMD_FORMAT | CMD_COLUMNS | CMD_PRINTS, &monitor_argp, monitor_run,
	  monitor_columns },
	{ "stats", "show the counters of the driver",
	  "", 0, 0, CMD_FORMAT | CMD_COLUMNS | CMD_PRINTS, &stats_argp, stats_run,
	  stats_columns },
	{ "alloc", "allocate a buffer that lasts until it is freed, and print its id",
	  "SIZE", 1, 1, CMD_FORMAT, &alloc_argp, alloc_run },
	{ "show", "show a buffer, an export or an attachment",
	  "BUFFER|ID", 1, 1, CMD_FORMAT | CMD_COLUMNS | CMD_PRINTS, &show_argp, show_run,
	  show_columns },
	{ "export", "run a program with a buffer's memory as a dma-buf",
	  "BUFFER -- COMMAND [ARGUMENT...]", 1, 1, CMD_RUNS, &export_argp, export_run },
	{ "attach", "attach a device to a buffer, while a program runs or until detach",
	  "BUFFER DEVICE [-- COMMAND [ARGUMENT...]]", 2, 2,
	  CMD_RUNS | CMD_FORMAT | CMD_SIZES, &attach_argp, attach_run },
	{ "detach", "end an attachment whose device has stopped",
	  "ID", 1, 1, 0, &detach_argp, detach_run },
	{ "revoke", "end all access through exports and attachments",
	  "BUFFER|ID...", 1, 1, CMD_FORMAT | CMD_MANY, &revoke_argp, revoke_run },
	{ "set", "change mode, group, owner, name or seal of buffers",
	  "BUFFER...", 1, 1, CMD_MANY, &set_argp, set_run },
	{ "free", "free buffers",
	  "BUFFER...", 1, 1, CMD_MANY, &free_argp, free_run },
	{ "read", "copy a buffer's content to standard output",
	  "BUFFER", 1, 1, CMD_PRINTS, &read_argp, read_run },
	{ "write", "copy standard input into a buffer",
	  "BUFFER", 1, 1, 0, &write_argp, write_run },
	{ "devices", "show which devices need shared memory, and why others do not",
	  "[DEVICE]", 0, 1, CMD_FORMAT | CMD_PRINTS, &devices_argp, devices_run },
	{ "pool", "show the pool of shared memory, and set its size",
	  "", 0, 0, CMD_FORMAT | CMD_SIZES, &pool_argp, pool_run },
	{ "provision", "allocate buffers and set limits as files describe them",
	  "[FILE]", 0, 1, CMD_FORMAT | CMD_COLUMNS, &provision_argp, provision_run,
	  provision_columns },
	{ 0 }
};

const struct command *command_find(const char *name)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++) {
		if (!strcmp(cmd->name, name))
			return cmd;
	}
	return NULL;
}

void command_list(FILE *f)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		fprintf(f, "%s\n", cmd->name);
}

static void list_options(FILE *f, const struct argp_option *opt)
{
	for (; opt->name; opt++) {
		if (opt->name && !(opt->flags & OPTION_HIDDEN))
			fprintf(f, "--%s\n", opt->name);
		if (opt->key && isprint(opt->key) && !(opt->flags & OPTION_HIDDEN))
			fprintf(f, "-%c\n", opt->key);
	}
}

/* The options that argp adds. */
const struct argp_option argp_own_options[] = {
	{ "help", '?', NULL, 0, "Print help", 0 },
	{ "usage", 0, NULL, 0, "Print the synopsis", 0 },
	{ 0 }
};

/*
 * Options that argp also adds, and does not document; their keys are negative. ccshmctl refuses them,
 * because argp prints the argument of --program-name without escaping. They make prefixes ambiguous.
 */
const struct argp_option argp_secret_options[] = {
	{ "program-name", -2, "NAME", OPTION_HIDDEN, NULL, 0 },
	{ "HANG", -3, "SECONDS", OPTION_HIDDEN, NULL, 0 },
	{ 0 }
};

const struct argp_option *command_options(const struct command *cmd, int nth)
{
	static const struct argp_option none[] = { { 0 } };

	switch (nth) {
	case 0:
		return cmd->argp->options ? cmd->argp->options : none;
	case 1:
		return cmd->flags & CMD_COLUMNS ? column_options :
		       cmd->flags & CMD_SIZES ? common_options :
		       cmd->flags & CMD_FORMAT ? json_options : none;
	case 2:
		return argp_own_options;
	default:
		return NULL;
	}
}

int command_list_options(FILE *f, const char *name)
{
	const struct command *cmd = command_find(name);

	if (!cmd)
		return -1;
	list_options(f, command_options(cmd, 0));
	list_options(f, command_options(cmd, 1));
	fprintf(f, "--help\n");
	return 0;
}
