// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's parameters in /etc/modprobe.d and on the kernel's command line, as doctor reads them.
 *
 * For inputs without quotes and continued lines, a second parser decides which parameters the driver
 * refuses: doctor must report the same ones.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "parsers.h"

static unsigned int refusals, passes, objects;

void __wrap_doctor_pass(struct doctor *doctor, const char *format, ...);
void __wrap_doctor_fail(struct doctor *doctor, enum exit_code code, const char *format, ...);
void __wrap_doctor_object(struct doctor *doctor, const char *object);
void __wrap_doctor_advise(struct doctor *doctor, const char *format, ...);

static void check_format(const char *format, va_list ap)
{
	char *text = NULL;

	HOLDS(vasprintf(&text, format, ap) > 0);
	free(text);
}

void __wrap_doctor_pass(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	(void)doctor;
	va_start(ap, format);
	check_format(format, ap);
	va_end(ap);
	passes++;
}

void __wrap_doctor_fail(struct doctor *doctor, enum exit_code code, const char *format, ...)
{
	va_list ap;

	(void)doctor;
	HOLDS(code == EXIT_NO_DRIVER);
	va_start(ap, format);
	check_format(format, ap);
	va_end(ap);
	refusals++;
}

void __wrap_doctor_object(struct doctor *doctor, const char *object)
{
	(void)doctor;
	HOLDS(!strcmp(object, "/etc/modprobe.d/ccshm.conf") || !strcmp(object, "/proc/cmdline"));
	objects++;
}

void __wrap_doctor_advise(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	(void)doctor;
	va_start(ap, format);
	check_format(format, ap);
	va_end(ap);
}

void prepare(void)
{
	file_link(0, "/etc/modprobe.d/ccshm.conf");
	file_link(0, "/proc/cmdline");
}

/* ---- the second parser ---- */

/* Check whether the driver accepts a limit: "max", or digits and a unit, which fit into 64 bits. */
static bool limit_is_good(const char *value, bool bytes)
{
	static const char units[] = "KMGT";
	uint64_t number = 0;
	const char *s, *unit;

	if (!strcmp(value, "max"))
		return true;
	/* The driver reads at most 23 characters. */
	if (!*value || strlen(value) > 23)
		return false;
	for (s = value; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*s - '0'), &number))
			return false;
	if (s == value)
		return false;
	unit = *s && bytes ? strchr(units, toupper((unsigned char)*s)) : NULL;
	if (unit) {
		if (__builtin_mul_overflow(number, UINT64_C(1) << 10 * (unit - units + 1), &number))
			return false;
		s++;
	}
	return !*s;
}

static bool switch_is_good(const char *value)
{
	if (*value == 'o' || *value == 'O')
		return value[1] && strchr("nNfF", value[1]);
	return *value && strchr("yYnNtTfF01", *value);
}

/* Check whether the driver refuses "NAME=VALUE" or "NAME". It ignores names that it does not know. */
static bool is_refused(const char *word)
{
	size_t n = strcspn(word, "=");
	const char *value = word[n] ? word + n + 1 : NULL;
	char *name = strndup(word, n), *s;
	bool refused = false;

	HOLDS(name);
	/* The kernel treats both characters as equal. */
	for (s = name; (s = strchr(s, '-')); *s++ = '_')
		;
	if (!strcmp(name, "limit_total_bytes") || !strcmp(name, "limit_user_bytes") ||
	    !strcmp(name, "pool_max_bytes") || !strcmp(name, "pool_min_bytes"))
		refused = !value || !limit_is_good(value, true);
	else if (!strcmp(name, "limit_user_buffers") || !strcmp(name, "limit_user_exports"))
		refused = !value || !limit_is_good(value, false);
	else if (!strcmp(name, "heap"))
		refused = !value || (strcmp(value, "auto") && strcmp(value, "off"));
	else if (!strcmp(name, "allow_plain"))
		refused = value && !switch_is_good(value);
	free(name);
	return refused;
}

/* Count the refused parameters of a line "options ccshm ...", or of the kernel's command line. */
static unsigned int count_refused(char *line, bool command_line)
{
	unsigned int n = 0, refused = 0;
	char *word;

	for (; (word = strsep(&line, " \t")); n += *word != '\0') {
		if (!*word)
			continue;
		if (command_line)
			refused += !strncmp(word, "ccshm.", 6) && is_refused(word + 6);
		else if (n < 2 && strcmp(word, n ? "ccshm" : "options"))
			return 0;
		else if (n >= 2)
			refused += is_refused(word);
	}
	return refused;
}

static unsigned int count_all(const char *text)
{
	char *lines = strdup(text), *rest = lines, *line, *first;
	unsigned int refused;

	HOLDS(lines);
	first = strndup(text, strcspn(text, "\n"));
	HOLDS(first);
	refused = count_refused(first, true);
	free(first);
	while ((line = strsep(&rest, "\n")))
		refused += count_refused(line, false);
	free(lines);
	return refused;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doctor doctor = { 0 };
	char *text = text_of(data, size);

	refusals = passes = objects = 0;
	file_set(0, data, size);
	doctor_check_parameters(&doctor);
	HOLDS(passes == !refusals && objects == refusals);
	/* The command line is read up to 4095 bytes. */
	if (strlen(text) == size && size < 4096 && !strpbrk(text, "\"\\"))
		HOLDS(refusals == count_all(text));
	HOLDS(!messages());
	free(text);
	return 0;
}
