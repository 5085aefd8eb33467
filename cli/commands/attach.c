// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ccshmctl.h"

struct attach_opts {
	struct common common;
	uint64_t offset;
	uint64_t length;
	unsigned int dma_bits;
	bool persistent;
};

static const struct argp_option options[] = {
	{ "offset", 'O', "SIZE", 0, "Start of the slice; default: 0", 0 },
	{ "length", 'l', "SIZE", 0, "Size of the slice; default: up to the end", 0 },
	{ "dma-bits", 'd', "BITS", 0,
	  "Address bits that the device's engine drives, 1 to 64; default: those that "
	  "its driver set, or 32", 0 },
	{ "persistent", 'p', NULL, 0,
	  "Run no command; print the attachment, which exists until detach or revoke", 0 },
	{ 0 }
};

static void check_mode(const struct attach_opts *opts, struct argp_state *state)
{
	/* The caller reports missing arguments before these. */
	if (opts->common.nargs < opts->common.cmd->min_args)
		return;
	if (opts->persistent && opts->common.command)
		usage_error(state, "--persistent runs no command");
	else if (!opts->persistent && (opts->common.format.json || opts->common.format.bytes))
		usage_error(state, "--json and --bytes are for --persistent: with a command "
			    "nothing is printed");
	else if (!opts->persistent && !opts->common.command)
		usage_error(state, "a command after --, or --persistent, is missing");
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct attach_opts *opts = state->input;

	switch (key) {
	case 'O':
		opts->offset = parse_page_arg("--offset", arg, state);
		return 0;
	case 'l':
		opts->length = parse_page_arg("--length", arg, state);
		if (!opts->length)
			usage_error(state, "--length: it must not be 0");
		return 0;
	case 'd':
		opts->dma_bits = (unsigned int)parse_number_arg("--dma-bits", arg, 64, state);
		if (!opts->dma_bits)
			usage_error(state, "--dma-bits: it must not be 0");
		return 0;
	case 'p':
		opts->persistent = true;
		return 0;
	case ARGP_KEY_END:
		check_mode(opts, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp attach_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vDEVICE is a PCI device without a kernel driver, or with vfio-pci or a uio driver, "
	       "such as pci:0000:00:04.0, 00:04.0 or its path in /sys. Needs CAP_SYS_RAWIO."
	       "\n\n"
	       "COMMAND inherits the attachment as the file descriptor CCSHM_ATTACHMENT_FD (its "
	       "id is CCSHM_ATTACHMENT_ID), and the DMA addresses as CCSHM_SEGMENTS_FD, which "
	       "can also be opened as CCSHM_SEGMENTS_FILE: lines of `0xADDRESS LENGTH OFFSET'. "
	       "When COMMAND ends without `ccshmctl detach', the driver stops the device. The "
	       "exit status is COMMAND's, 128 + N if signal N ended it.",
};

/*
 * Attach until detach. A signal must not end the program before the attachment was printed: block all
 * signals on return, and detach if one arrived too late to interrupt the call.
 */
static int attach_persistently(struct ccshm_buffer *buffer, const char *device,
			       const struct ccshm_attach_options *attach_options,
			       struct ccshm_attachment **attachment)
{
	int err;

	interrupt_catch();
	/* Repeat the call after a stop (Ctrl-Z) or a suspend of the machine. */
	do {
		err = ccshm_buffer_attach(buffer, device, attach_options, attachment);
	} while (err == -EINTR && !interrupt_noted());
	block_signals();
	if (!err && interrupt_noted()) {
		ccshm_attachment_detach(*attachment);
		ccshm_attachment_close(*attachment);
		err = -EINTR;
	}
	return err;
}

static int attach(struct ccshm_buffer *buffer, const struct attach_opts *opts,
		  const char *device, struct ccshm_attachment **attachment)
{
	struct ccshm_attach_options *attach_options;
	int err;

	err = ccshm_attach_options_new(&attach_options);
	if (err)
		return err;
	ccshm_attach_options_set_slice(attach_options, opts->offset, opts->length);
	ccshm_attach_options_set_dma_bits(attach_options, opts->dma_bits);
	ccshm_attach_options_set_persistent(attach_options, opts->persistent);
	if (opts->persistent)
		err = attach_persistently(buffer, device, attach_options, attachment);
	else
		err = ccshm_buffer_attach(buffer, device, attach_options, attachment);
	ccshm_attach_options_free(attach_options);
	return err;
}

/* Get all segments, which the caller frees, and their number. Return 0 or a negative errno. */
static int get_segments(struct ccshm_attachment *attachment, struct ccshm_segment **segments,
			uint32_t *count)
{
	uint32_t total = ccshm_attachment_segment_count(attachment);
	struct ccshm_segment *made = calloc(total ? total : 1, sizeof(*made));
	int n;

	if (!made)
		return -ENOMEM;
	for (*count = 0; *count < total; *count += (uint32_t)n) {
		n = ccshm_attachment_segments(attachment, *count, made + *count, total - *count);
		if (n < 0) {
			free(made);
			return n;
		}
		if (!n)
			break;
	}
	*segments = made;
	return 0;
}

/* Write the segments to a sealed memfd. Return its descriptor or -errno. */
static int segments_file(const struct ccshm_segment *segments, uint32_t count)
{
	int fd, err = 0;
	uint32_t i;
	FILE *f;

	fd = memfd_create("ccshm-segments", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	f = fdopen(dup(fd), "w");
	if (!f) {
		err = -errno;
		close(fd);
		return err;
	}
	for (i = 0; i < count; i++)
		fprintf(f, "0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
			segments[i].dma_address, segments[i].length,
			segments[i].offset);
	err = out_flush(f);
	if (fclose(f) && !err)
		err = -errno;
	if (!err && (lseek(fd, 0, SEEK_SET) < 0 ||
		     fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int run(struct ccshm_attachment *attachment, const struct attach_opts *opts,
	       const struct ccshm_segment *segments, uint32_t count)
{
	struct run run = { .argv = opts->common.command };
	int code, fd;

	fd = segments_file(segments, count);
	if (fd < 0) {
		complain("cannot create the file of the segments: %s", strerror(-fd));
		return EXIT_FAILED;
	}
	run_pass_fd(&run, "CCSHM_ATTACHMENT_FD", ccshm_attachment_fd(attachment));
	run_pass_fd(&run, "CCSHM_SEGMENTS_FD", fd);
	run_setenv(&run, "CCSHM_SEGMENTS_FILE", "/proc/self/fd/%d", fd);
	run_setenv(&run, "CCSHM_ATTACHMENT_ID", "%" PRIu64,
		   ccshm_attachment_id(attachment));
	code = run_command(&run);
	close(fd);
	return code;
}

static int print(struct ccshm_attachment *attachment,
		 const struct attach_opts *opts,
		 const struct ccshm_segment *segments, uint32_t count)
{
	struct out *out = out_new("segments", OUT_LIST, &opts->common.format);
	uint32_t i;

	for (i = 0; i < count; i++) {
		out_row(out);
		out_number(out, "attachment", ccshm_attachment_id(attachment));
		out_address(out, "address", segments[i].dma_address);
		out_size(out, "length", segments[i].length);
		out_size(out, "offset", segments[i].offset);
	}
	return out_result(out);
}

static int use(struct ccshm_attachment *attachment, const struct attach_opts *opts)
{
	struct ccshm_segment *segments = NULL;
	uint32_t count;
	int code, err = get_segments(attachment, &segments, &count);

	if (err)
		code = report(OP_SEGMENTS, err, opts->common.args[0]);
	else if (opts->persistent)
		code = print(attachment, opts, segments, count);
	else
		code = run(attachment, opts, segments, count);
	free(segments);
	/* Detach: its addresses were not printed, so no device uses them. */
	if (opts->persistent && code)
		ccshm_attachment_detach(attachment);
	return code;
}

/* Name the cause of the driver's EINVAL. */
static const char *attach_refused(struct ccshm_buffer *buffer, const struct attach_opts *opts,
				  const char *device, char why[CAUSE_LEN])
{
	struct ccshm_status *st;
	bool persistent;

	if (!device_is_pci(device)) {
		snprintf(why, CAUSE_LEN, "only PCI devices can be attached, and this is a %.*s device",
			 (int)strcspn(device, ":"), device);
		return why;
	}
	if (opts->persistent && !ccshm_buffer_status(buffer, &st)) {
		persistent = ccshm_status_is_persistent(st);
		ccshm_status_free(st);
		if (!persistent)
			return "--persistent is for persistent buffers, and this one ends with the program that allocated it";
	}
	return slice_refused(ccshm_buffer_size(buffer), opts->offset, opts->length, why);
}

/* Name the cause as `ccshmctl devices DEVICE' does, if that is the cause. */
static const char *device_refused(struct ccshm *ctx, const char *name, char why[CAUSE_LEN])
{
	struct ccshm_device *device;

	if (ccshm_device_get(ctx, name, &device))
		return NULL;
	snprintf(why, CAUSE_LEN, "%s", ccshm_device_reason(device));
	ccshm_device_free(device);
	return *why ? why : NULL;
}

static int attach_and_use(struct ccshm *ctx, struct ccshm_buffer *buffer,
			  const struct attach_opts *opts, const char *device)
{
	struct ccshm_attachment *attachment;
	char object[192], why[CAUSE_LEN];
	const char *cause;
	int code, err;

	snprintf(object, sizeof(object), "%s to %s", opts->common.args[0], opts->common.args[1]);
	cause = attach_refused(buffer, opts, device, why);
	if (cause)
		return report_cause(OP_ATTACH, object, cause);
	err = attach(buffer, opts, device, &attachment);
	if (err == -EINTR && interrupt_noted())
		interrupt_die();
	if (err == -EOPNOTSUPP)
		cause = device_refused(ctx, device, why);
	if (err)
		return cause ? report_cause(OP_ATTACH, object, cause) :
			       report_use(OP_ATTACH, err, buffer, object);
	code = use(attachment, opts);
	ccshm_attachment_close(attachment);
	return code;
}

int attach_run(const struct command *cmd, int argc, char **argv)
{
	struct attach_opts opts = { .offset = 0 };
	char device[DEVICE_TEXT_LEN];
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = device_resolve(opts.common.args[1], device);
	if (code)
		goto close;
	code = buffer_open(ctx, opts.common.args[0], &buffer);
	if (code)
		goto close;
	code = attach_and_use(ctx, buffer, &opts, device);
	ccshm_buffer_close(buffer);
close:
	ccshm_close(ctx);
	return code;
}
