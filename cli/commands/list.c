// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "ccshmctl.h"

struct list_opts {
	struct common common;
	uint32_t type;
};

static const struct argp_option options[] = {
	{ "exports", 'e', NULL, 0, "List exports instead of buffers", 0 },
	{ "attachments", 'a', NULL, 0, "List attachments instead of buffers", 0 },
	{ 0 }
};

static error_t choose(struct list_opts *opts, uint32_t type,
		      struct argp_state *state)
{
	if (opts->type != CCSHM_TYPE_BUFFER && opts->type != type)
		usage_error(state, "--exports and --attachments: use one of them");
	opts->type = type;
	return 0;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct list_opts *opts = state->input;

	(void)arg;
	switch (key) {
	case 'e':
		return choose(opts, CCSHM_TYPE_EXPORT, state);
	case 'a':
		return choose(opts, CCSHM_TYPE_ATTACHMENT, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp list_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vOnly root can see the anonymous buffers of programs. ccshmctl-list(1) lists the "
	       "names of the columns; --json has all of them.",
};

/* The fields of fields_add(), and those that fit into a line. */
static const struct columns {
	const char *all;
	const char *standard;
} columns[] = {
	[CCSHM_TYPE_BUFFER] = {
		"id,name,persistent,ended,heap,size,charged,carved,dma32,contiguous,"
		"whole_units,others_pin,sealed,owner,group,mode,payer,control,blocks,"
		"blocks_small,units,units_whole,conversions,exports,attachments",
		"id,name,owner,mode,size,charged,exports,attachments,ended",
	},
	[CCSHM_TYPE_EXPORT] = {
		"id,state,buffer,buffer_name,buffer_ended,heap,offset,size,owner,"
		"control,lifetime,read_only,no_cpu,importers,importer_devices,"
		"attachments,device_mappings,cpu_mappings",
		"id,buffer,buffer_name,owner,size,lifetime,state,device_mappings,"
		"cpu_mappings,importer_devices",
	},
	[CCSHM_TYPE_ATTACHMENT] = {
		"id,state,buffer,buffer_name,buffer_ended,heap,offset,size,owner,"
		"control,device,export,persistent,dma_bits,segments,device_mappings",
		"id,buffer,buffer_name,owner,size,device,state,persistent",
	},
};

char *list_columns(uint32_t type)
{
	return strdup(columns[type].all);
}

/* Return the fields of all types; some occur more than once. */
char *show_columns(uint32_t type)
{
	char *all = NULL;
	size_t len;
	FILE *f = open_memstream(&all, &len);

	(void)type;
	if (!f)
		return NULL;
	fprintf(f, "type,%s,%s,%s", columns[CCSHM_TYPE_BUFFER].all, columns[CCSHM_TYPE_EXPORT].all,
		columns[CCSHM_TYPE_ATTACHMENT].all);
	return fclose(f) ? NULL : all;
}

static int print_list(const struct ccshm_list *list, const struct list_opts *opts)
{
	const char *name = fields_list_name(opts->type);
	struct out *out = out_new(name, OUT_LIST, &opts->common.format);
	uint32_t i;

	out_columns(out, columns[opts->type].all, columns[opts->type].standard);
	for (i = 0; i < ccshm_list_count(list); i++) {
		out_row(out);
		fields_add(out, ccshm_list_status(list, i),
			   ccshm_list_importers(list, i));
	}
	if (!ccshm_list_is_consistent(list))
		complain("%s were created or ended while the list was made: some may be missing", name);
	return out_result(out);
}

int list_run(const struct command *cmd, int argc, char **argv)
{
	struct list_opts opts = { .type = CCSHM_TYPE_BUFFER };
	struct ccshm_list *list;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	if (!out_columns_exist(&opts.common.format, columns[opts.type].all))
		return EXIT_USAGE;
	err = ccshm_list_get(opts.type, &list);
	if (err)
		return report(OP_OBJECTS, err, fields_list_name(opts.type));
	code = print_list(list, &opts);
	ccshm_list_free(list);
	return code;
}
