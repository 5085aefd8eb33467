// SPDX-License-Identifier: GPL-2.0-only
/*
 * Report whether this machine can use ccshm, and what to do if not. The command must work
 * where nothing else does: without the driver, and for a user with few permissions.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

enum verdict {
	VERDICT_PASS,
	VERDICT_SKIP,
	VERDICT_WARN,
	VERDICT_FAIL,
	VERDICTS,
};

struct finding {
	const char *check;
	enum verdict verdict;
	enum exit_code code;
	char *object;
	char *text;
	char *advice;
};

/* The order of the checks: an early failure explains later ones. */
static const struct check {
	const char *name;
	void (*look)(struct doctor *doctor);
	const char *what;
} checks[] = {
	{ "platform", doctor_check_platform, "the technology that keeps this guest's memory private" },
	{ "kernel", doctor_check_kernel, "the version of the kernel" },
	{ "module", doctor_check_module, "whether the module is installed, loaded and built for this kernel" },
	{ "parameters", doctor_check_parameters, "module parameters that the driver refuses" },
	{ "signature", doctor_check_signature, "module signatures and Secure Boot" },
	{ "headers", doctor_check_headers, "the kernel headers that building the module needs" },
	{ "dkms", doctor_check_dkms, "the state of the module in DKMS" },
	{ "units", doctor_check_units, "the systemd units that load the module and allocate buffers" },
	{ "driver", doctor_check_driver, "whether the driver answers" },
	{ "access", doctor_check_access, "permissions of the device nodes" },
	{ "heap", doctor_check_heap, "whether the dma-buf heap is the kernel's or that of ccshm" },
	{ "limits", doctor_check_limits, "how close usage is to the limits" },
	{ "losses", doctor_check_losses, "memory that could not be made private again" },
	{ "fragmentation", doctor_check_fragmentation, "free blocks of 2 MiB" },
	{ "direct-map", doctor_check_direct_map, "large pages of the kernel's direct map that were split" },
	{ "swiotlb", doctor_check_swiotlb, "bounce buffers: size and usage" },
	{ "lockdown", doctor_check_lockdown, "restrictions of userspace drivers by lockdown" },
	{ "devices", doctor_check_devices, "which devices can use shared memory" },
};

#define NR_CHECKS	(sizeof(checks) / sizeof(checks[0]))

const char *doctor_check_name(unsigned int i, const char **what)
{
	if (i >= NR_CHECKS)
		return NULL;
	*what = checks[i].what;
	return checks[i].name;
}

/* Insert the list of checks at the end of the help. */
static char *write_checks(int key, const char *text, void *input)
{
	char *list = NULL;
	size_t i, len;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&list, &len);
	if (!f)
		return (char *)text;
	fprintf(f, "%s\n\nChecks:\n", text);
	for (i = 0; i < NR_CHECKS; i++)
		fprintf(f, "  %-14s %s\n", checks[i].name, checks[i].what);
	if (fclose(f)) {
		free(list);
		return (char *)text;
	}
	return list;
}

const struct argp doctor_argp = {
	.doc = "\vThe result of each check is pass, warn, fail or skip (cannot be checked, or does "
	       "not apply here). Some checks need root. The exit code is that of the worst "
	       "failure, or 0 if there is none.",
	.help_filter = write_checks,
};

static struct finding *last(struct doctor *doctor)
{
	return &doctor->findings[doctor->nfindings - 1];
}

static char *make_text(const char *format, va_list ap)
{
	char text[FINDING_LEN];

	vsnprintf(text, sizeof(text), format, ap);
	return or_die(strdup(text));
}

static void add(struct doctor *doctor, enum verdict verdict, enum exit_code code,
		const char *format, va_list ap)
{
	doctor->findings = or_die(reallocarray(doctor->findings, ++doctor->nfindings,
					       sizeof(*doctor->findings)));
	*last(doctor) = (struct finding){
		.check = doctor->check,
		.verdict = verdict,
		.code = code,
		.text = make_text(format, ap),
	};
}

void doctor_pass(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(doctor, VERDICT_PASS, EXIT_OK, format, ap);
	va_end(ap);
}

void doctor_skip(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(doctor, VERDICT_SKIP, EXIT_OK, format, ap);
	va_end(ap);
}

void doctor_warn(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(doctor, VERDICT_WARN, EXIT_OK, format, ap);
	va_end(ap);
}

void doctor_fail(struct doctor *doctor, enum exit_code code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(doctor, VERDICT_FAIL, code, format, ap);
	va_end(ap);
}

void doctor_object(struct doctor *doctor, const char *object)
{
	last(doctor)->object = or_die(strdup(object));
}

void doctor_advise(struct doctor *doctor, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	last(doctor)->advice = make_text(format, ap);
	va_end(ap);
}

/* Return the exit code of the most severe finding: no driver, no permission, other failures. */
static int exit_code(const struct doctor *doctor)
{
	static const enum exit_code worst[] = {
		EXIT_NO_DRIVER, EXIT_PERMISSION, EXIT_FAILED,
	};
	size_t i, n;

	for (i = 0; i < sizeof(worst) / sizeof(worst[0]); i++) {
		for (n = 0; n < doctor->nfindings; n++) {
			if (doctor->findings[n].code == worst[i])
				return (int)worst[i];
		}
	}
	return EXIT_OK;
}

static const char *const verdict_names[VERDICTS] = {
	[VERDICT_PASS] = "pass",
	[VERDICT_SKIP] = "skip",
	[VERDICT_WARN] = "warn",
	[VERDICT_FAIL] = "fail",
};

static void print_verdict(struct out *out, enum verdict verdict)
{
	out_string(out, "result", verdict_names[verdict]);
	if (verdict == VERDICT_FAIL)
		out_mark(out, OUT_BAD);
	else if (verdict == VERDICT_WARN)
		out_mark(out, OUT_WARN);
}

static void print_json(struct out *out, const struct finding *finding)
{
	out_row(out);
	print_verdict(out, finding->verdict);
	out_string(out, "check", finding->check);
	out_string(out, "object", finding->object);
	out_string(out, "finding", finding->text);
	out_string(out, "advice", finding->advice);
}

/* Print the advice on a separate line: both texts are long. */
static void print_text(struct out *out, const struct finding *finding)
{
	char text[2 * FINDING_LEN];

	out_row(out);
	print_verdict(out, finding->verdict);
	out_string(out, "check", finding->check);
	snprintf(text, sizeof(text), "%s%s%s", finding->object ? finding->object : "",
		 finding->object ? ": " : "", finding->text);
	out_string(out, "finding", text);
	out_wrap(out);
	if (!finding->advice)
		return;
	out_row(out);
	out_string(out, "result", "");
	out_string(out, "check", "");
	snprintf(text, sizeof(text), "-> %s", finding->advice);
	out_string(out, "finding", text);
}

static int print_findings(const struct doctor *doctor, const struct format *format)
{
	struct out *out = out_new("doctor", OUT_LIST, format);
	size_t i;

	for (i = 0; i < doctor->nfindings; i++) {
		if (format->json)
			print_json(out, &doctor->findings[i]);
		else
			print_text(out, &doctor->findings[i]);
	}
	return out_result(out);
}

static void begin(struct doctor *doctor)
{
	uint32_t platform;

	doctor->error = ccshm_open(CCSHM_READ_ONLY, &doctor->ctx);
	if (!doctor->error) {
		doctor->error = ccshm_info_get(doctor->ctx, &doctor->info);
		if (doctor->error) {
			ccshm_close(doctor->ctx);
			doctor->ctx = NULL;
		}
	}
	doctor->loaded = doctor->ctx || system_exists("/sys/module/ccshm");
	system_line(doctor->release, sizeof(doctor->release), "/proc/sys/kernel/osrelease");
	if (doctor->info)
		doctor->no_guest = ccshm_info_is_plain(doctor->info);
	else if (!doctor_detect_platform(&platform))
		doctor->no_guest = platform == CCSHM_PLATFORM_NONE;
}

static void end(struct doctor *doctor)
{
	size_t i;

	for (i = 0; i < doctor->nfindings; i++) {
		free(doctor->findings[i].object);
		free(doctor->findings[i].text);
		free(doctor->findings[i].advice);
	}
	free(doctor->findings);
	ccshm_info_free(doctor->info);
	ccshm_close(doctor->ctx);
}

static void run_checks(struct doctor *doctor, const char *only)
{
	size_t i;

	for (i = 0; i < NR_CHECKS; i++) {
		if (only && strcmp(only, checks[i].name))
			continue;
		doctor->check = checks[i].name;
		checks[i].look(doctor);
	}
}

int doctor_run(const struct command *cmd, int argc, char **argv)
{
	struct doctor doctor = { .ctx = NULL };
	struct common opts = { 0 };
	int code, printed;

	parse(cmd, argc, argv, &opts);
	/* With an ignored SIGCHLD, waitpid() and pclose() would not return the status of a child. */
	signal(SIGCHLD, SIG_DFL);
	begin(&doctor);
	run_checks(&doctor, opts.args[0]);
	if (!doctor.nfindings) {
		complain("there is no check '%s'; `ccshmctl doctor --help' lists them", opts.args[0]);
		end(&doctor);
		return EXIT_USAGE;
	}
	code = exit_code(&doctor);
	printed = print_findings(&doctor, &opts.format);
	end(&doctor);
	return printed ? printed : code;
}
