// SPDX-License-Identifier: GPL-2.0-only
#include "ccshmctl.h"

const struct argp info_argp = {
	.doc = "\vThe counts are those of all users; fields that begin with user_ are yours. "
	       "Without a driver the exit code is 3.",
};

static void print_limit(struct out *out, bool json, const char *key,
			uint64_t limit,
			void (*print)(struct out *out, const char *key,
				      uint64_t value))
{
	if (limit == CCSHM_LIMIT_NONE)
		out_string(out, key, json ? NULL : "none");
	else
		print(out, key, limit);
}

/* Mark the last field if the limit is reached. */
static void mark_full(struct out *out, uint64_t used, uint64_t limit)
{
	if (used >= limit)
		out_mark(out, OUT_WARN);
}

static void print_limits(struct out *out, bool json,
			 const struct ccshm_info *info)
{
	print_limit(out, json, "limit_total_bytes",
		    ccshm_info_limit_total_bytes(info), out_size);
	out_size(out, "used_bytes", ccshm_info_used_bytes(info));
	mark_full(out, ccshm_info_used_bytes(info),
		  ccshm_info_limit_total_bytes(info));
	print_limit(out, json, "limit_user_bytes",
		    ccshm_info_limit_user_bytes(info), out_size);
	out_size(out, "user_bytes", ccshm_info_user_bytes(info));
	mark_full(out, ccshm_info_user_bytes(info) +
		       ccshm_info_user_bytes_leaked(info),
		  ccshm_info_limit_user_bytes(info));
	print_limit(out, json, "limit_user_buffers",
		    ccshm_info_limit_user_buffers(info), out_number);
	out_number(out, "user_buffers", ccshm_info_user_buffers(info));
	mark_full(out, ccshm_info_user_buffers(info),
		  ccshm_info_limit_user_buffers(info));
	print_limit(out, json, "limit_user_exports",
		    ccshm_info_limit_user_exports(info), out_number);
	out_number(out, "user_exports", ccshm_info_user_exports(info));
	mark_full(out, ccshm_info_user_exports(info),
		  ccshm_info_limit_user_exports(info));
	out_number(out, "user_attachments", ccshm_info_user_attachments(info));
	out_number(out, "user_importers", ccshm_info_user_importers(info));
	out_size(out, "user_bytes_leaked", ccshm_info_user_bytes_leaked(info));
	out_number(out, "refusals", ccshm_info_refusals(info));
}

static void print_fields(struct out *out, const struct ccshm_info *info)
{
	bool plain = ccshm_info_is_plain(info);

	out_row(out);
	out_string(out, "platform", ccshm_platform_name(ccshm_info_platform(info)));
	out_bool(out, "plain", plain);
	if (plain)
		out_mark(out, OUT_WARN);
	out_string(out, "driver_version", ccshm_info_driver_version(info));
	out_string(out, "library_version", ccshm_version());
	out_number(out, "abi_version", ccshm_info_abi_version(info));
	out_address(out, "features", ccshm_info_features(info));
	out_size(out, "block_size", ccshm_info_block_size(info));
	out_size(out, "bytes_shared", ccshm_info_bytes_shared(info));
	out_number(out, "blocks_carved", ccshm_info_blocks_carved(info));
	out_size(out, "bytes_carved", ccshm_info_bytes_carved(info));
	out_size(out, "contiguous_max", ccshm_info_contiguous_max(info));
	out_size(out, "bytes_leaked", ccshm_info_bytes_leaked(info));
	if (ccshm_info_bytes_leaked(info))
		out_mark(out, OUT_BAD);
	out_size(out, "bytes_quarantined", ccshm_info_bytes_quarantined(info));
	if (ccshm_info_bytes_quarantined(info))
		out_mark(out, OUT_WARN);
	out_number(out, "conversions_shared", ccshm_info_conversions_shared(info));
	out_number(out, "conversions_private", ccshm_info_conversions_private(info));
	out_number(out, "conversions_failed", ccshm_info_conversions_failed(info));
	if (ccshm_info_conversions_failed(info))
		out_mark(out, OUT_WARN);
	out_number(out, "buffers", ccshm_info_buffers(info));
	out_number(out, "exports", ccshm_info_exports(info));
	out_number(out, "attachments", ccshm_info_attachments(info));
	out_number(out, "importers", ccshm_info_importers(info));
}

int info_run(const struct command *cmd, int argc, char **argv)
{
	struct common opts = { 0 };
	struct ccshm_info *info;
	struct ccshm *ctx;
	struct out *out;
	int code, err;

	parse(cmd, argc, argv, &opts);
	code = driver_look(&ctx);
	if (code)
		return code;
	err = ccshm_info_get(ctx, &info);
	ccshm_close(ctx);
	if (err)
		return report(OP_INFO, err, CCSHM_DEVICE);

	out = out_new("info", OUT_RECORD, &opts.format);
	print_fields(out, info);
	print_limits(out, opts.format.json, info);
	ccshm_info_free(info);
	return out_result(out);
}
