// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"

static int tap_count;
int tap_failed;

void diag(const char *fmt, ...)
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
	/* A '#' would begin a TAP directive. */
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

bool tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(good, file, line, fmt, ap);
	va_end(ap);
	return good;
}

bool tap_is_int(long long got, long long want, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(got == want, file, line, fmt, ap);
	va_end(ap);
	if (got != want)
		diag("  got %lld (0x%llx), expected %lld (0x%llx)", got, got, want, want);
	return got == want;
}

bool tap_is_str(const char *got, const char *want, const char *file, int line, const char *fmt,
		...)
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

const char *tap_errno_name(int err)
{
	return err ? strerrorname_np(err < 0 ? -err : err) : "0";
}

bool tap_is_errno(int got, int want, const char *file, int line, const char *fmt, ...)
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

int tap_must(int got, const char *call, const char *file, int line)
{
	if (got < 0)
		tap_is_errno(got, 0, file, line, "%s: success", call);
	return got;
}

void skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_count, name, why);
	fflush(stdout);
}

void skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

void bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(99);
}

void expect_kmsg(const char *regex)
{
	diag("expect-kmsg: %s", regex);
}

void expect_violations(const char *kind)
{
	diag("expect-violations: %s", kind);
}

int done_testing(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed)
		diag("%d of %d failed", tap_failed, tap_count);
	return tap_failed ? 1 : 0;
}
