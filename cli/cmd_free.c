// SPDX-License-Identifier: GPL-2.0-only
#include "ccshmctl.h"

const struct argp free_argp = {
	.doc = "\vIts id and name are gone at once. The memory is made private again and given "
	       "back when the last export and attachment of it are gone; `ccshmctl revoke' "
	       "ends those.",
};

int free_run(const struct command *cmd, int argc, char **argv)
{
	struct common opts = { 0 };
	struct ccshm_buffer *buffer;
	struct ccshm *ctx;
	int code, err;

	parse(cmd, argc, argv, &opts);
	code = driver_open(&ctx);
	if (code)
		return code;
	code = buffer_open(ctx, opts.args[0], &buffer);
	if (!code) {
		err = ccshm_buffer_free(buffer);
		if (err)
			code = report(OP_FREE, err, opts.args[0]);
		ccshm_buffer_close(buffer);
	}
	ccshm_close(ctx);
	return code;
}
