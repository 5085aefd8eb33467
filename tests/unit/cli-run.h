/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run ccshmctl on the fake driver in a child process and record the results.
 */
#ifndef TESTS_UNIT_CLI_RUN_H
#define TESTS_UNIT_CLI_RUN_H

#include <stdbool.h>

#include "ccshmctl.h"
#include "fake.h"

#define CLI_TEXT	16384

struct cli_result {
	int code;			/* 128 + N for a signal */
	char out[CLI_TEXT];
	char err[CLI_TEXT];
	/* The objects and files that existed when the program ended. */
	unsigned int buffers, exports, attachments, files, mappings;
};

extern struct cli_result cli;

/* The seam of the next run; fake_seam by default. */
extern struct ccshm_seam cli_seam;
/* Standard input; NULL: empty. */
extern const char *cli_input;
/* Standard output: a file name, CLI_CLOSED or CLI_BROKEN; NULL: cli.out. */
extern const char *cli_stdout;
#define CLI_CLOSED ""
/* A pipe without a reader. */
#define CLI_BROKEN "|"
/* Whether stderr is a terminal; the terminal's output is in cli.err. */
extern bool cli_terminal;
/* Whether the parent of ccshmctl left SIGCHLD ignored. */
extern bool cli_ignores_sigchld;
/*
 * Make the program the leader of a session with this terminal, and send these keys after the first
 * output; CLI_HANGUP: hang up instead.
 */
extern const char *cli_keys;
#define CLI_HANGUP ""
/* Fake files that the program passes to another program: replace them by real files. */
extern int cli_real_fd, cli_real_fd2;

void cli_reset(void);
/* Run ccshmctl, for example cli_run("alloc", "4K", NULL), and return its exit code. */
int cli_run(const char *arg, ...) __attribute__((sentinel));

/* Return the place of the first error in JSON, NULL if the text is valid. */
const char *json_error(const char *text);

#endif /* TESTS_UNIT_CLI_RUN_H */
