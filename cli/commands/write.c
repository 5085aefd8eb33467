// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ccshmctl.h"

struct write_opts {
	struct common common;
	uint64_t offset;
};

static const struct argp_option options[] = {
	{ "offset", 'O', "SIZE", 0, "Start writing at this offset; default: 0", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct write_opts *opts = state->input;

	switch (key) {
	case 'O':
		opts->offset = parse_size_arg("--offset", arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp write_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vCopies up to the end of standard input. The rest of the buffer does not change. "
	       "If the input is longer than the buffer, the command fills the buffer and fails. "
	       "Needs read and write permission.",
};

/* Read @len bytes, or fewer at the end of the input. Return their number or a negative errno. */
static ssize_t read_some(unsigned char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(STDIN_FILENO, bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

struct transfer {
	unsigned char *chunk;
	const char *name;
	uint64_t done;
};

static int input_error(const struct transfer *t, int err)
{
	progress_stop();
	complain("cannot read standard input: %s; %" PRIu64 " bytes were written to %s",
		 strerror(err), t->done, t->name);
	return EXIT_FAILED;
}

static int copy_in(const struct window *window, struct transfer *t)
{
	while (t->done < window->length) {
		uint64_t left = window->length - t->done;
		size_t want = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
		ssize_t n = read_some(t->chunk, want);

		if (n < 0)
			return input_error(t, (int)-n);
		if (copy_guarded(window->bytes + t->done, t->chunk, (size_t)n)) {
			progress_stop();
			return report(OP_WRITE, EFAULT, t->name);
		}
		t->done += (uint64_t)n;
		progress_set(t->done);
		if ((size_t)n < want)
			return EXIT_OK;
	}
	return EXIT_OK;
}

/* Check whether there is more input although the buffer is full. */
static int check_end(const struct transfer *t)
{
	ssize_t n = read_some(t->chunk, 1);

	if (n < 0)
		return input_error(t, (int)-n);
	if (!n)
		return EXIT_OK;
	complain("standard input is longer than %s has room for: %" PRIu64
		 " bytes were written, up to its end, and the rest was not",
		 t->name, t->done);
	return EXIT_FAILED;
}

static int write_buffer(struct ccshm_buffer *buffer, const struct write_opts *opts)
{
	struct transfer t = { .name = opts->common.args[0] };
	uint64_t size = ccshm_buffer_size(buffer);
	char text[SIZE_TEXT_LEN];
	struct window window;
	int code, err;

	if (opts->offset > size) {
		complain("cannot write %s: --offset is beyond its end, at %s", t.name,
			 size_format(size, text));
		return EXIT_FAILED;
	}
	err = window_open(buffer, opts->offset, size - opts->offset,
			  PROT_READ | PROT_WRITE, &window);
	if (err)
		return report_use(OP_MAP, err, buffer, t.name);
	t.chunk = malloc(COPY_CHUNK);
	if (!t.chunk) {
		code = report(OP_WRITE, ENOMEM, t.name);
	} else {
		progress_start(window.length, "writing");
		code = copy_in(&window, &t);
		progress_stop();
		if (!code && t.done == window.length)
			code = check_end(&t);
	}
	free(t.chunk);
	window_close(&window);
	return code;
}

int write_run(const struct command *cmd, int argc, char **argv)
{
	struct write_opts opts = { .offset = 0 };
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = buffer_open(ctx, opts.common.args[0], &buffer);
	if (!code) {
		code = write_buffer(buffer, &opts);
		ccshm_buffer_close(buffer);
	}
	ccshm_close(ctx);
	return code;
}
