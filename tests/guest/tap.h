/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP for suites written in C: include it in the one file of the suite, call ok()
 * and its relatives, and end main() with "return done_testing();". Each check
 * returns whether it held, so that a test can stop where going on makes no sense.
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

static int tap_count, tap_failed;

/* A comment line; a newline inside starts another one. */
static TAP_UNUSED __attribute__((format(printf, 1, 2))) void diag(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
	fflush(stdout);
}

static __attribute__((format(printf, 4, 0))) bool
tap_result(bool good, const char *file, int line, const char *fmt, va_list ap)
{
	char name[256];

	vsnprintf(name, sizeof(name), fmt, ap);
	/* '#' would begin a directive. */
	for (char *p = name; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = '_';
	printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, name);
	if (!good) {
		tap_failed++;
		printf("#   failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

static TAP_UNUSED __attribute__((format(printf, 4, 5))) bool
tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(good, file, line, fmt, ap);
	va_end(ap);
	return good;
}

static TAP_UNUSED __attribute__((format(printf, 5, 6))) bool
tap_is_int(long long got, long long want, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(got == want, file, line, fmt, ap);
	va_end(ap);
	if (got != want)
		diag("  got %lld (0x%llx), expected %lld (0x%llx)", got, got, want, want);
	return got == want;
}

static TAP_UNUSED __attribute__((format(printf, 5, 6))) bool
tap_is_str(const char *got, const char *want, const char *file, int line, const char *fmt, ...)
{
	bool same = got && want ? !strcmp(got, want) : got == want;
	va_list ap;

	va_start(ap, fmt);
	tap_result(same, file, line, fmt, ap);
	va_end(ap);
	if (!same)
		diag("  got \"%s\", expected \"%s\"", got ? got : "(null)", want ? want : "(null)");
	return same;
}

static TAP_UNUSED const char *tap_errno_name(int err)
{
	return err ? strerrorname_np(err < 0 ? -err : err) : "0";
}

/*
 * Compare a result, which is 0 or a negative errno, with the errno @want, which may have either
 * sign. A positive result, such as a descriptor or a count, never matches.
 */
static TAP_UNUSED __attribute__((format(printf, 5, 6))) bool
tap_is_errno(int got, int want, const char *file, int line, const char *fmt, ...)
{
	bool same = got <= 0 && got == -abs(want);
	va_list ap;

	va_start(ap, fmt);
	tap_result(same, file, line, fmt, ap);
	va_end(ap);
	if (!same)
		diag("  got %s (%d), expected %s", got > 0 ? "no errno" : tap_errno_name(got), got,
		     tap_errno_name(want));
	return same;
}

#define ok(good, ...) tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(true, __FILE__, __LINE__, __VA_ARGS__)
#define fail(...) tap_ok(false, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) tap_is_int(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_errno(got, want, ...) tap_is_errno(got, want, __FILE__, __LINE__, __VA_ARGS__)

/* One test that cannot be done here, and why. */
static TAP_UNUSED void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, name, why);
	fflush(stdout);
}

/* The whole suite makes no sense here: nothing may have been tested before. */
static TAP_UNUSED __attribute__((noreturn)) void skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

static TAP_UNUSED __attribute__((noreturn, format(printf, 1, 2))) void bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(99);
}

/* A line of the kernel log that must come and is then no failure (extended regex). */
static TAP_UNUSED void expect_kmsg(const char *regex)
{
	diag("expect-kmsg: %s", regex);
}

/* "shared_alias" or "private_alias": at least one such violation must come. */
static TAP_UNUSED void expect_violations(const char *kind)
{
	diag("expect-violations: %s", kind);
}

static TAP_UNUSED int done_testing(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed)
		diag("%d of %d failed", tap_failed, tap_count);
	return tap_failed ? 1 : 0;
}

#endif
