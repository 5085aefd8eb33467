// SPDX-License-Identifier: GPL-2.0-only
/* show --pages: the state of a buffer's pages, according to the kernel's page tables. */
#include <errno.h>
#include <stdlib.h>

#include "ccshmctl.h"

#define BATCH	256U

/* Get all runs and their number. Return 0 or a negative errno. In both cases, the caller frees the runs. */
static int get_runs(struct ccshm_buffer *buffer, struct ccshm_run **runs, size_t *count)
{
	uint64_t size = ccshm_buffer_size(buffer), at = 0;
	struct ccshm_run *more;
	int n;

	*runs = NULL;
	for (*count = 0; at < size; *count += (size_t)n) {
		/* gcc 12's analyzer takes reallocarray() for malloc(). The product fits: memory is used up before. */
		more = realloc(*runs, (*count + BATCH) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*runs = more;
		n = ccshm_buffer_pages(buffer, at, 0, more + *count, BATCH, &at);
		if (n <= 0)
			return n ? n : -EIO;
	}
	return 0;
}

static int print_runs(const struct ccshm_run *runs, size_t count,
		      const struct format *format)
{
	struct out *out = out_new("pages", OUT_LIST, format);
	size_t i;

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
	size_t count;
	int code, err;

	code = buffer_open(ctx, text, &buffer);
	if (code)
		return code;
	err = get_runs(buffer, &runs, &count);
	if (err)
		code = report(OP_PAGES, err, text);
	else
		code = print_runs(runs, count, format);
	free(runs);
	ccshm_buffer_close(buffer);
	return code;
}
