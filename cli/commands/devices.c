// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "ccshmctl.h"

struct devices_opts {
	struct common common;
	bool all;
};

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0,
	  "Also list platform devices whose DMA mask no driver has set", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct devices_opts *opts = state->input;

	(void)arg;
	switch (key) {
	case 'a':
		opts->all = true;
		return 0;
	case ARGP_KEY_END:
		if (opts->all && opts->common.nargs)
			usage_error(state, "--all is for the list of all devices");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp devices_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vDEVICE is pci:DDDD:BB:DD.F, platform:NAME or virtio:NAME, as in /sys/bus, or its "
	       "path in /sys. The bus can be omitted if only one bus has the name, and the PCI "
	       "domain if it is 0000. Without DEVICE all devices are listed, except platform "
	       "devices whose DMA mask no driver has set: nearly all of them do no DMA.",
};

/* Return the number of the mask's highest bit. */
static unsigned int bits_of(uint64_t mask)
{
	return mask ? 64 - (unsigned int)__builtin_clzll(mask) : 0;
}

static void add_needs(struct out *out, const struct ccshm_device *device)
{
	uint32_t needs = ccshm_device_needs(device);

	out_string(out, "needs_shared", ccshm_verdict_name(needs));
	if (needs == CCSHM_DEVICE_CANNOT)
		out_mark(out, OUT_WARN);
}

static void add_text(struct out *out, const char *key, const char *text)
{
	out_string(out, key, *text ? text : NULL);
}

static void add_device(struct out *out, const struct ccshm_device *device)
{
	add_text(out, "device", ccshm_device_name(device));
	add_text(out, "driver", ccshm_device_driver(device));
	out_string(out, "dma", ccshm_dma_mode_name(ccshm_device_mode(device)));
	out_number(out, "mask", bits_of(ccshm_device_dma_mask(device)));
	out_bool(out, "coherent", ccshm_device_is_coherent(device));
	out_bool(out, "iommu", ccshm_device_has_iommu(device));
	add_needs(out, device);
	add_text(out, "reason", ccshm_device_reason(device));
}

/* Add the fields that a table has no room for. */
static void add_details(struct out *out, const struct ccshm_device *device)
{
	out_address(out, "dma_mask", ccshm_device_dma_mask(device));
	out_bool(out, "default_mask", ccshm_device_has_default_mask(device));
	out_address(out, "bus_limit", ccshm_device_bus_limit(device));
	out_bool(out, "kernel_driver", ccshm_device_has_kernel_driver(device));
	out_bool(out, "bounced", ccshm_device_is_bounced(device));
	out_bool(out, "restricted_pool", ccshm_device_is_restricted(device));
}

static int show_one(struct ccshm *ctx, const struct devices_opts *opts)
{
	const char *text = opts->common.args[0];
	char name[DEVICE_TEXT_LEN];
	struct ccshm_device *device;
	struct out *out;
	int code, err;

	code = device_resolve(text, name);
	if (code)
		return code;
	err = ccshm_device_get(ctx, name, &device);
	if (err)
		return report(OP_DEVICE, err, text);
	out = out_new("devices", OUT_RECORD, &opts->common.format);
	out_row(out);
	add_device(out, device);
	add_details(out, device);
	ccshm_device_free(device);
	return out_result(out);
}

struct listing {
	struct ccshm *ctx;
	const struct devices_opts *opts;
	struct out *out;
};

static int list_one(const char *name, void *data)
{
	struct listing *listing = data;
	struct ccshm_device *device;
	int err = ccshm_device_get(listing->ctx, name, &device);

	/* The device has gone since it was listed. */
	if (err == -ENODEV)
		return EXIT_OK;
	/* The name is longer than the driver's interface permits. */
	if (err == -EINVAL) {
		report(OP_DEVICE, err, name);
		return EXIT_OK;
	}
	if (err)
		return report(OP_DEVICE, err, name);
	if (listing->opts->all || device_is_listed(name, device)) {
		out_row(listing->out);
		add_device(listing->out, device);
	}
	ccshm_device_free(device);
	return EXIT_OK;
}

static int list(struct ccshm *ctx, const struct devices_opts *opts)
{
	struct listing listing = { .ctx = ctx, .opts = opts };
	int code;

	listing.out = out_new("devices", OUT_LIST, &opts->common.format);
	code = device_for_each(list_one, &listing);
	if (!code)
		return out_result(listing.out);
	out_drop(listing.out);
	return code;
}

int devices_run(const struct command *cmd, int argc, char **argv)
{
	struct devices_opts opts = { .all = false };
	struct ccshm *ctx;
	int code;

	parse(cmd, argc, argv, &opts.common);
	code = driver_look(&ctx);
	if (code)
		return code;
	code = opts.common.nargs ? show_one(ctx, &opts) : list(ctx, &opts);
	ccshm_close(ctx);
	return code;
}
