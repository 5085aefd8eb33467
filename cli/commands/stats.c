// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

const struct argp stats_argp = {
	.doc = "\vThe counts are those of all users, current or since the driver was loaded; "
	       "ccshmctl-stats(1) describes them.",
};

static void add_counter(struct out *out, const struct ccshm_stats *stats, uint32_t i)
{
	const char *name = ccshm_stats_name(stats, i);
	uint64_t value = ccshm_stats_value(stats, i);

	if (ccshm_stats_is_bytes(stats, i))
		out_size(out, name, value);
	else
		out_number(out, name, value);
	if (value && !strcmp(name, "bytes_leaked"))
		out_mark(out, OUT_BAD);
	else if (value && (strstr(name, "_failed") || strstr(name, "_lost") ||
			   !strcmp(name, "bytes_quarantined")))
		out_mark(out, OUT_WARN);
}

char *stats_columns(uint32_t type)
{
	struct ccshm_stats *stats;
	char *all = NULL;
	uint32_t i;
	size_t len;
	FILE *f;

	(void)type;
	if (ccshm_stats_get(&stats))
		return NULL;
	f = open_memstream(&all, &len);
	for (i = 0; f && i < ccshm_stats_count(stats); i++)
		fprintf(f, "%s%s", i ? "," : "", ccshm_stats_name(stats, i));
	ccshm_stats_free(stats);
	return f && !fclose(f) ? all : NULL;
}

int stats_run(const struct command *cmd, int argc, char **argv)
{
	struct common opts = { 0 };
	struct ccshm_stats *stats;
	struct out *out;
	uint32_t i;
	int code, err;

	parse(cmd, argc, argv, &opts);
	err = ccshm_stats_get(&stats);
	if (err)
		return report(OP_STATS, err, "the driver");
	out = out_new("stats", OUT_RECORD, &opts.format);
	out_row(out);
	for (i = 0; i < ccshm_stats_count(stats); i++)
		add_counter(out, stats, i);
	code = out_result(out);
	ccshm_stats_free(stats);
	return code;
}
