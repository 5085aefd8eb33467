// SPDX-License-Identifier: GPL-2.0-only
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>

#include "ccshmctl.h"

struct show_opts {
	struct common common;
	bool pages;
};

static const struct argp_option options[] = {
	{ "pages", 'p', NULL, 0, "Show the state of a buffer's pages instead", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct show_opts *opts = state->input;

	(void)arg;
	if (key != 'p')
		return ARGP_ERR_UNKNOWN;
	opts->pages = true;
	return 0;
}

const struct argp show_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vAn id can be a buffer's, an export's or an attachment's.",
};

static const struct {
	uint64_t flag;
	const char *key;
} export_flags[] = {
	{ CCSHM_EXPORT_READ_ONLY, "read_only" },
	{ CCSHM_EXPORT_NO_CPU, "no_cpu" },
};

static void add_user(struct out *out, const char *key, uid_t uid)
{
	struct passwd *pw = getpwuid(uid);
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	out_string(out, key, pw ? pw->pw_name : number);
}

static void add_group(struct out *out, const char *key, gid_t gid)
{
	struct group *gr = getgrgid(gid);
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned int)gid);
	out_string(out, key, gr ? gr->gr_name : number);
}

static void add_buffer(struct out *out, struct ccshm *ctx,
		       const struct ccshm_status *st)
{
	const char *name = ccshm_status_name(st);
	char mode[8];

	(void)ctx;
	out_number(out, "id", ccshm_status_id(st));
	out_string(out, "name", *name ? name : NULL);
	out_bool(out, "persistent", ccshm_status_is_persistent(st));
	out_bool(out, "ended", ccshm_status_is_orphan(st));
	if (ccshm_status_is_orphan(st))
		out_mark(out, OUT_WARN);
	out_bool(out, "heap", ccshm_status_is_heap(st));
	out_size(out, "size", ccshm_status_size(st));
	out_size(out, "charged", ccshm_status_charged(st));
	out_size(out, "carved", ccshm_status_carved(st));
	out_bool(out, "dma32", ccshm_status_flags(st) & CCSHM_ALLOC_DMA32);
	out_bool(out, "contiguous", ccshm_status_flags(st) & CCSHM_ALLOC_CONTIGUOUS);
	add_user(out, "owner", ccshm_status_owner(st));
	add_group(out, "group", ccshm_status_group(st));
	snprintf(mode, sizeof(mode), "%04o", (unsigned int)ccshm_status_mode(st));
	out_string(out, "mode", mode);
	add_user(out, "payer", ccshm_status_payer(st));
	out_bool(out, "control", ccshm_status_has_control(st));
	out_number(out, "blocks", ccshm_status_blocks(st));
	out_number(out, "blocks_small", ccshm_status_blocks_small(st));
	out_number(out, "units", ccshm_status_units(st));
	out_number(out, "units_whole", ccshm_status_units_whole(st));
	out_number(out, "conversions", ccshm_status_conversions(st));
	out_number(out, "exports", ccshm_status_exports(st));
	out_number(out, "attachments", ccshm_status_attachments(st));
}

static void add_state(struct out *out, const struct ccshm_status *st)
{
	uint32_t state = ccshm_status_state(st);

	out_string(out, "state", ccshm_state_name(state));
	if (state == CCSHM_STATE_STUCK)
		out_mark(out, OUT_BAD);
	else if (state != CCSHM_STATE_ACTIVE)
		out_mark(out, OUT_WARN);
}

/* What exports and attachments have in common. */
static void add_slice(struct out *out, const struct ccshm_status *st)
{
	const char *name = ccshm_status_name(st);

	out_number(out, "id", ccshm_status_id(st));
	add_state(out, st);
	out_number(out, "buffer", ccshm_status_buffer_id(st));
	out_string(out, "buffer_name", *name ? name : NULL);
	out_bool(out, "buffer_ended", ccshm_status_is_orphan(st));
	out_bool(out, "heap", ccshm_status_is_heap(st));
	out_size(out, "offset", ccshm_status_offset(st));
	out_size(out, "size", ccshm_status_size(st));
	add_user(out, "owner", ccshm_status_owner(st));
	out_bool(out, "control", ccshm_status_has_control(st));
}

/* Their names, one after the other. Absent if there are none, or none any more. */
static void add_importers(struct out *out, struct ccshm *ctx, uint64_t export_id)
{
	struct ccshm_importers *importers;
	char *names = NULL;
	size_t len = 0;
	uint32_t i;
	FILE *f;

	if (!ccshm_importers_get(ctx, export_id, &importers)) {
		f = open_memstream(&names, &len);
		for (i = 0; f && i < ccshm_importers_count(importers); i++)
			fprintf(f, "%s%s", i ? ", " : "",
				ccshm_importers_device(importers, i));
		if (f)
			fclose(f);
		ccshm_importers_free(importers);
	}
	out_string(out, "importer_devices", names && *names ? names : NULL);
	free(names);
}

static void add_export(struct out *out, struct ccshm *ctx,
		       const struct ccshm_status *st)
{
	uint64_t flags = ccshm_status_flags(st);
	size_t i;

	add_slice(out, st);
	out_string(out, "lifetime",
		   flags & CCSHM_EXPORT_PINNED ? "pinned" : "revocable");
	for (i = 0; i < sizeof(export_flags) / sizeof(export_flags[0]); i++)
		out_bool(out, export_flags[i].key, flags & export_flags[i].flag);
	out_number(out, "importers", ccshm_status_importers(st));
	add_importers(out, ctx, ccshm_status_id(st));
	out_number(out, "attachments", ccshm_status_attachments(st));
	out_number(out, "device_mappings", ccshm_status_device_mappings(st));
	out_number(out, "cpu_mappings", ccshm_status_cpu_mappings(st));
}

static void add_attachment(struct out *out, struct ccshm *ctx,
			   const struct ccshm_status *st)
{
	(void)ctx;
	add_slice(out, st);
	out_string(out, "device", ccshm_status_device(st));
	out_number(out, "export", ccshm_status_export_id(st));
	out_bool(out, "persistent", ccshm_status_is_persistent(st));
	out_number(out, "dma_bits", ccshm_status_dma_bits(st));
	out_number(out, "segments", ccshm_status_segments(st));
	out_number(out, "device_mappings", ccshm_status_device_mappings(st));
}

static const struct kind {
	uint32_t type;
	const char *list;
	void (*add)(struct out *out, struct ccshm *ctx,
		    const struct ccshm_status *st);
} kinds[] = {
	{ CCSHM_TYPE_BUFFER, "buffers", add_buffer },
	{ CCSHM_TYPE_EXPORT, "exports", add_export },
	{ CCSHM_TYPE_ATTACHMENT, "attachments", add_attachment },
};

static int print_status(struct ccshm *ctx, const struct ccshm_status *st,
			const struct format *format)
{
	const struct kind *kind;
	struct out *out;

	for (kind = kinds; kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++) {
		if (kind->type != ccshm_status_type(st))
			continue;
		out = out_new(kind->list, OUT_RECORD, format);
		out_row(out);
		if (!format->json)
			out_string(out, "type", ccshm_type_name(kind->type));
		kind->add(out, ctx, st);
		return out_result(out);
	}
	complain("%" PRIu64 " is of a kind (%u) that this ccshmctl does not know",
		 ccshm_status_id(st), ccshm_status_type(st));
	return EXIT_FAILED;
}

int show_run(const struct command *cmd, int argc, char **argv)
{
	struct show_opts opts = { 0 };
	struct ccshm_status *st;
	struct ccshm *ctx;
	uint64_t id;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	code = driver_open(&ctx);
	if (code)
		return code;
	if (opts.pages) {
		code = pages_show(ctx, opts.common.args[0], &opts.common.format);
		goto close;
	}
	code = object_find(ctx, opts.common.args[0], &id);
	if (!code) {
		err = ccshm_status_get(ctx, id, &st);
		if (err) {
			code = report(OP_SHOW, err, opts.common.args[0]);
		} else {
			code = print_status(ctx, st, &opts.common.format);
			ccshm_status_free(st);
		}
	}
close:
	ccshm_close(ctx);
	return code;
}
