// SPDX-License-Identifier: GPL-2.0-only
/* The fields of a buffer, an export or an attachment, for show and list. */
#include <stdlib.h>

#include "ccshmctl.h"

static const struct {
	uint64_t flag;
	const char *key;
} export_flags[] = {
	{ CCSHM_EXPORT_READ_ONLY, "read_only" },
	{ CCSHM_EXPORT_NO_CPU, "no_cpu" },
};

void out_user(struct out *out, const char *key, uid_t uid)
{
	out_string(out, key, user_name(uid));
}

static void add_buffer(struct out *out, const struct ccshm_status *st,
		       const struct ccshm_importers *importers)
{
	const char *name = ccshm_status_name(st);
	char mode[8];

	(void)importers;
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
	out_bool(out, "whole_units", ccshm_status_flags(st) & CCSHM_ALLOC_WHOLE_UNITS);
	out_bool(out, "others_pin", ccshm_status_flags(st) & CCSHM_ALLOC_OTHERS_PIN);
	out_bool(out, "sealed", ccshm_status_is_sealed(st));
	if (ccshm_status_is_sealed(st))
		out_mark(out, OUT_WARN);
	out_user(out, "owner", ccshm_status_owner(st));
	out_string(out, "group", group_name(ccshm_status_group(st)));
	snprintf(mode, sizeof(mode), "%04o", (unsigned int)ccshm_status_mode(st));
	out_string(out, "mode", mode);
	out_user(out, "payer", ccshm_status_payer(st));
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

/* Add the fields that exports and attachments share. */
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
	out_user(out, "owner", ccshm_status_owner(st));
	out_bool(out, "control", ccshm_status_has_control(st));
}

/* Add the names of the importers, separated by commas; absent if there are none. */
static void add_importers(struct out *out, const struct ccshm_importers *importers)
{
	uint32_t i, nr = importers ? ccshm_importers_count(importers) : 0;
	char *names = NULL;
	size_t len = 0;
	FILE *f;

	if (!nr) {
		out_string(out, "importer_devices", NULL);
		return;
	}
	f = or_die(open_memstream(&names, &len));
	for (i = 0; i < nr; i++)
		fprintf(f, "%s%s", i ? ", " : "", ccshm_importers_device(importers, i));
	or_die(fclose(f) ? NULL : names);
	out_string(out, "importer_devices", *names ? names : NULL);
	free(names);
}

static void add_export(struct out *out, const struct ccshm_status *st,
		       const struct ccshm_importers *importers)
{
	uint64_t flags = ccshm_status_flags(st);
	size_t i;

	add_slice(out, st);
	out_string(out, "lifetime",
		   flags & CCSHM_EXPORT_PINNED ? "pinned" : "revocable");
	for (i = 0; i < sizeof(export_flags) / sizeof(export_flags[0]); i++)
		out_bool(out, export_flags[i].key, flags & export_flags[i].flag);
	out_number(out, "importers", ccshm_status_importers(st));
	add_importers(out, importers);
	out_number(out, "attachments", ccshm_status_attachments(st));
	out_number(out, "device_mappings", ccshm_status_device_mappings(st));
	out_number(out, "cpu_mappings", ccshm_status_cpu_mappings(st));
}

static void add_attachment(struct out *out, const struct ccshm_status *st,
			   const struct ccshm_importers *importers)
{
	(void)importers;
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
	void (*add)(struct out *out, const struct ccshm_status *st,
		    const struct ccshm_importers *importers);
} kinds[] = {
	{ CCSHM_TYPE_BUFFER, "buffers", add_buffer },
	{ CCSHM_TYPE_EXPORT, "exports", add_export },
	{ CCSHM_TYPE_ATTACHMENT, "attachments", add_attachment },
};

static const struct kind *kind_of(uint32_t type)
{
	const struct kind *kind;

	for (kind = kinds; kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++)
		if (kind->type == type)
			return kind;
	return NULL;
}

const char *fields_list_name(uint32_t type)
{
	const struct kind *kind = kind_of(type);

	return kind ? kind->list : NULL;
}

void fields_add(struct out *out, const struct ccshm_status *st,
		const struct ccshm_importers *importers)
{
	const struct kind *kind = kind_of(ccshm_status_type(st));

	if (kind)
		kind->add(out, st, importers);
}
