// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ccshmctl.h"

struct read_opts {
	struct common common;
	uint64_t offset;
	uint64_t length;
	bool has_length;
};

static const struct argp_option options[] = {
	{ "offset", 'O', "SIZE", 0, "Start reading at this offset; default: 0", 0 },
	{ "length", 'l', "SIZE", 0, "Number of bytes to copy; default: up to the end", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct read_opts *opts = state->input;

	switch (key) {
	case 'O':
		opts->offset = parse_size_arg("--offset", arg, state);
		return 0;
	case 'l':
		opts->length = parse_size_arg("--length", arg, state);
		opts->has_length = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp read_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vNeeds read permission. The host can change shared memory at any time: check the "
	       "copy, not the buffer.",
};

static int write_all(const unsigned char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_out(const struct window *window, const char *name)
{
	unsigned char *chunk = malloc(COPY_CHUNK);
	uint64_t done = 0;
	int err = 0;

	if (!chunk)
		return report(OP_READ, ENOMEM, name);
	while (done < window->length) {
		uint64_t left = window->length - done;
		size_t n = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;

		if (copy_guarded(chunk, window->bytes + done, n)) {
			free(chunk);
			progress_stop();
			return report(OP_READ, EFAULT, name);
		}
		err = write_all(chunk, n);
		if (err)
			break;
		done += n;
		progress_set(done);
	}
	free(chunk);
	progress_stop();
	return err ? report(OP_OUTPUT, err, "standard output") : EXIT_OK;
}

static int read_buffer(struct ccshm_buffer *buffer, const struct read_opts *opts)
{
	const char *name = opts->common.args[0];
	uint64_t size = ccshm_buffer_size(buffer), length = opts->length;
	char text[SIZE_TEXT_LEN];
	struct window window;
	int code, err;

	if (!opts->has_length)
		length = opts->offset < size ? size - opts->offset : 0;
	err = window_open(buffer, opts->offset, length, PROT_READ, &window);
	if (err == -ERANGE) {
		complain("cannot read %s: %s beyond its end, at %s", name,
			 opts->offset > size ? "--offset is" : "--length goes",
			 size_format(size, text));
		return EXIT_FAILED;
	}
	if (err)
		return report_use(OP_MAP, err, buffer, name);
	if (!isatty(STDOUT_FILENO))
		progress_start(length, "reading");
	code = copy_out(&window, name);
	window_close(&window);
	return code;
}

int read_run(const struct command *cmd, int argc, char **argv)
{
	struct read_opts opts = { .offset = 0 };
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = buffer_open(ctx, opts.common.args[0], &buffer);
	if (!code) {
		code = read_buffer(buffer, &opts);
		ccshm_buffer_close(buffer);
	}
	ccshm_close(ctx);
	return code;
}
