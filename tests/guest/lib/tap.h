/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP for suites written in C: call ok() and the other checks, and end main() with "return
 * done_testing();". Each check returns whether it passed, so that a test can stop where further
 * checks make no sense.
 */
#ifndef CCSHM_TAP_H
#define CCSHM_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAP_UNUSED __attribute__((unused))

/* Number of failed tests. */
extern int tap_failed;

/* Print a text as comment lines, one for each line of the text. */
__attribute__((format(printf, 1, 2)))
void diag(const char *fmt, ...);
__attribute__((format(printf, 4, 5)))
bool tap_ok(bool good, const char *file, int line, const char *fmt, ...);
__attribute__((format(printf, 5, 6)))
bool tap_is_int(long long got, long long want, const char *file, int line, const char *fmt, ...);
__attribute__((format(printf, 5, 6)))
bool tap_is_str(const char *got, const char *want, const char *file, int line, const char *fmt,
		...);

/* Return the name of an errno of either sign, or "0" for 0. */
const char *tap_errno_name(int err);

/*
 * Compare a result, which is 0 or a negative errno, with the errno @want, which may have either
 * sign. A positive result, such as a descriptor or a count, never matches.
 */
__attribute__((format(printf, 5, 6)))
bool tap_is_errno(int got, int want, const char *file, int line, const char *fmt, ...);

#define ok(good, ...) tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(true, __FILE__, __LINE__, __VA_ARGS__)
#define fail(...) tap_ok(false, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) tap_is_int(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_errno(got, want, ...) tap_is_errno(got, want, __FILE__, __LINE__, __VA_ARGS__)

/*
 * For a call that a test needs and does not judge, such as an allocation before the test or a FREE
 * after it: report a failed test if the result is negative, and report nothing otherwise. Return
 * the result. A child process can use this too: the harness fails the suite.
 */
#define must(call) tap_must(call, #call, __FILE__, __LINE__)
int tap_must(int got, const char *call, const char *file, int line);

/* Like must(), for a call that returns whether it succeeded. */
#define must_be_true(call) tap_must((call) ? 0 : -EIO, #call, __FILE__, __LINE__)

/* Report a test that cannot run here as skipped, and report the reason. */
void skip(const char *name, const char *why);

/* End the suite as skipped. The suite must not have reported a test before. */
__attribute__((noreturn)) void skip_all(const char *why);

/* End the suite as failed, because no further test makes sense. */
__attribute__((noreturn, format(printf, 1, 2)))
void bail(const char *fmt, ...);

/*
 * Expect a line that matches an extended regex in the kernel log. The run fails if no such line
 * appears, and such a line does not fail the run.
 */
void expect_kmsg(const char *regex);

/* Expect at least one violation of this kind: "shared_alias" or "private_alias". */
void expect_violations(const char *kind);

/* Print the plan. Return the exit status of the suite. */
int done_testing(void);

#endif
