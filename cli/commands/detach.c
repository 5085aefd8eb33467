// SPDX-License-Identifier: GPL-2.0-only
#include "ccshmctl.h"

const struct argp detach_argp = {
	.doc = "\vRun this only after the device has stopped: the driver trusts it, and does not "
	       "stop the device. To stop the device, use `ccshmctl revoke --force'.",
};

int detach_run(const struct command *cmd, int argc, char **argv)
{
	struct common opts = { 0 };
	struct ccshm_attachment *attachment;
	struct ccshm *ctx;
	uint64_t id;
	int code, err;

	parse(cmd, argc, argv, &opts);
	if (id_parse(opts.args[0], &id)) {
		complain("'%s' is not the id of an attachment", opts.args[0]);
		return EXIT_USAGE;
	}
	code = driver_open(&ctx);
	if (code)
		return code;
	err = ccshm_attachment_open_id(ctx, id, &attachment);
	if (!err) {
		err = ccshm_attachment_detach(attachment);
		ccshm_attachment_close(attachment);
	}
	if (err)
		code = report(OP_DETACH, err, opts.args[0]);
	ccshm_close(ctx);
	return code;
}
