// SPDX-License-Identifier: GPL-2.0-only
/* Check how close all users together and the calling user are to the limits. */
#include "doctor.h"

#define NEAR	90	/* percent */

struct limit {
	const char *what;	/* beginning of a sentence */
	const char *file;	/* file in sysfs */
	uint64_t used;
	uint64_t limit;
};

static unsigned int fullness(const struct limit *limit)
{
	uint64_t scaled;

	if (limit->limit == CCSHM_LIMIT_NONE)
		return 0;
	if (limit->used >= limit->limit)
		return 100;
	if (__builtin_mul_overflow(limit->used, 100, &scaled))
		return (unsigned int)(limit->used / (limit->limit / 100 + !!(limit->limit % 100)));
	return (unsigned int)(scaled / limit->limit);
}

/* Report a limit that is reached or close; false if there is nothing to report. */
static bool report_limit(struct doctor *doctor, const struct limit *limit)
{
	unsigned int percent = fullness(limit);

	if (percent < NEAR)
		return false;
	if (percent >= 100)
		doctor_fail(doctor, EXIT_FAILED, "%s reached the limit: nothing can be added.", limit->what);
	else
		doctor_warn(doctor, "%s reached %u %% of the limit.", limit->what, percent);
	doctor_object(doctor, limit->file);
	doctor_advise(doctor, "Free what is not needed, or raise /sys/class/misc/ccshm/%s as root. "
		      "CAP_SYS_RESOURCE exempts from the limit.", limit->file);
	return true;
}

static void report_below_limits(struct doctor *doctor)
{
	const struct ccshm_info *info = doctor->info;

	if (ccshm_info_limit_total_bytes(info) == CCSHM_LIMIT_NONE) {
		doctor_warn(doctor, "No limit is set for what all users together may share.");
		doctor_advise(doctor, "One user can take all free memory: as root, write a size to "
			      "/sys/class/misc/ccshm/limit_total_bytes.");
	} else if (ccshm_info_refusals(info)) {
		doctor_warn(doctor, "Limits have refused %llu allocations since the module was loaded.",
			    (unsigned long long)ccshm_info_refusals(info));
		doctor_advise(doctor, "If programs need more, `ccshmctl info` shows the limits, and ccshm(4) "
			      "describes how to raise them.");
	} else {
		doctor_pass(doctor, "No limit is close: all users together have %llu of %llu MiB.",
			    (unsigned long long)ccshm_info_used_bytes(info) >> 20,
			    (unsigned long long)ccshm_info_limit_total_bytes(info) >> 20);
	}
}

static void check_all(struct doctor *doctor, const struct ccshm_info *info)
{
	const struct limit limits[] = {
		{ "The memory of all users has", "limit_total_bytes", ccshm_info_used_bytes(info),
		  ccshm_info_limit_total_bytes(info) },
		{ "Your memory has", "limit_user_bytes",
		  ccshm_info_user_bytes(info) + ccshm_info_user_bytes_leaked(info),
		  ccshm_info_limit_user_bytes(info) },
		{ "The number of your buffers has", "limit_user_buffers", ccshm_info_user_buffers(info),
		  ccshm_info_limit_user_buffers(info) },
		{ "The number of your exports has", "limit_user_exports", ccshm_info_user_exports(info),
		  ccshm_info_limit_user_exports(info) },
	};
	bool reported = false;
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		reported = report_limit(doctor, &limits[i]) || reported;
	if (!reported)
		report_below_limits(doctor);
}

void doctor_check_limits(struct doctor *doctor)
{
	if (doctor->info)
		check_all(doctor, doctor->info);
	else
		doctor_skip(doctor, "Cannot query the driver.");
}
