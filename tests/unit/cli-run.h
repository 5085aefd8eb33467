/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs ccshmctl, on the fake driver, in a child, and says what it did.
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
	/* What the driver holds when the program is at its end. */
	unsigned int buffers, exports, attachments, files, mappings;
};

extern struct cli_result cli;

/* The seam of the next run; fake_seam if the test does not change it. */
extern struct ccshm_seam cli_seam;
/* Its standard input; NULL: nothing. */
extern const char *cli_input;
/* The file that its standard output is, CLI_CLOSED or CLI_BROKEN; NULL: it goes to cli.out. */
extern const char *cli_stdout;
#define CLI_CLOSED ""
/* A pipe that nobody reads. */
#define CLI_BROKEN "|"
/* A terminal as its stderr; what it shows is in cli.err. */
extern bool cli_terminal;
/* Number of a fake file that the program passes on: make a real one of it. */
extern int cli_real_fd, cli_real_fd2;

void cli_reset(void);
/* cli_run("alloc", "4K", NULL); returns the exit code. */
int cli_run(const char *arg, ...) __attribute__((sentinel));

/* NULL, or where the text is not JSON any more. */
const char *json_error(const char *text);

#endif /* TESTS_UNIT_CLI_RUN_H */
