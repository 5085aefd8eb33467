// SPDX-License-Identifier: GPL-2.0-only
/* show --pages: the state of a buffer's pages, according to the kernel's page tables. */
#include <errno.h>
#include <stdlib.h>

#include "ccshmctl.h"

#define BATCH	256U

/* Get all runs, which the caller frees. Return their number or a negative errno. */
static int64_t get_runs(struct ccshm_buffer *buffer, struct ccshm_run **runs)
{
	uint64_t size = ccshm_buffer_size(buffer), at = 0;
	size_t count = 0;

	*runs = NULL;
	while (at < size) {
		struct ccshm_run *more = reallocarray(*runs, count + BATCH,
						      sizeof(*more));
		int n = -ENOMEM;

		if (more) {
			*runs = more;
			n = ccshm_buffer_pages(buffer, at, 0, more + count,
					       BATCH, &at);
		}
		if (n <= 0) {
			free(*runs);
			*runs = NULL;
			return n ? n : -EIO;
		}
		count += (size_t)n;
	}
	return (int64_t)count;
}

static int print_runs(const struct ccshm_run *runs, int64_t count,
		      const struct format *format)
{
	struct out *out = out_new("pages", OUT_LIST, format);
	int64_t i;

	for (i = 0; i < count; i++) {
		const struct ccshm_run *run = &runs[i];

		out_row(out);
		out_size(out, "offset", run->offset);
		out_size(out, "length", run->length);
		out_string(out, "state", ccshm_page_state_name(run->state));
		if (run->state == CCSHM_PAGE_PRIVATE)
			out_mark(out, OUT_BAD);
		out_bool(out, "leaf_whole", run->flags & CCSHM_PAGES_LEAF_WHOLE);
		out_bool(out, "carved", run->flags & CCSHM_PAGES_CARVED);
		/* The driver returns addresses for all runs or for none. */
		if (runs[0].physical)
			out_address(out, "physical", run->physical);
	}
	return out_result(out);
}

int pages_show(struct ccshm *ctx, const char *text, const struct format *format)
{
	struct ccshm_buffer *buffer;
	struct ccshm_run *runs;
	int64_t count;
	int code;

	code = buffer_open(ctx, text, &buffer);
	if (code)
		return code;
	count = get_runs(buffer, &runs);
	if (count < 0)
		code = report(OP_PAGES, (int)count, text);
	else
		code = print_runs(runs, count, format);
	free(runs);
	ccshm_buffer_close(buffer);
	return code;
}
