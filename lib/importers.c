// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_importers: the devices that are attached to an export. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ccshm_importers {
	uint32_t count;
	struct ccshm_ioc_importer importer[];
};

/* Initial capacity. */
#define FEW	4

static struct ccshm_importers *new(uint32_t capacity)
{
	return calloc(1, sizeof(struct ccshm_importers) +
		      capacity * sizeof(struct ccshm_ioc_importer));
}

/* Terminate all strings. */
static void finish(struct ccshm_importers *importers)
{
	uint32_t i;

	for (i = 0; i < importers->count; i++)
		importers->importer[i].device[CCSHM_DEVICE_LEN - 1] = '\0';
}

int ccshm_importers_make(const struct ccshm_ioc_importer *importers,
			 uint32_t count, struct ccshm_importers **made)
{
	*made = new(count);
	if (!*made)
		return -ENOMEM;
	(*made)->count = count;
	memcpy((*made)->importer, importers, count * sizeof(*importers));
	finish(*made);
	return 0;
}

/*
 * Read at most @capacity importers; set @total to the number of all importers.
 */
static int get(struct ccshm *handle, uint64_t id, uint32_t capacity,
	       struct ccshm_importers **importers, uint32_t *total)
{
	struct ccshm_ioc_importers uapi = { .id = id, .capacity = capacity };
	struct ccshm_importers *made;
	int ret;

	made = new(capacity);
	if (!made)
		return -ENOMEM;
	uapi.importers = (uintptr_t)made->importer;
	ret = ccshm_handle_ioctl(handle, CCSHM_IOC_IMPORTERS, &uapi);
	if (ret) {
		free(made);
		return ret;
	}
	made->count = uapi.count;
	*total = uapi.total;
	*importers = made;
	return 0;
}

CCSHM_API int ccshm_importers_get(struct ccshm *handle, uint64_t export_id,
				  struct ccshm_importers **importers)
{
	struct ccshm_importers *made = NULL;
	uint32_t capacity, total = 0;
	int ret;

	*importers = NULL;
	/* Repeat with more room until one call returns all importers. */
	do {
		free(made);
		capacity = 2 * total + FEW;
		ret = get(handle, export_id, capacity, &made, &total);
		if (ret)
			return ret;
	} while (total > capacity);
	finish(made);
	*importers = made;
	return 0;
}

CCSHM_API int ccshm_export_importers(struct ccshm_export *exp,
				     struct ccshm_importers **importers)
{
	return ccshm_importers_get(ccshm_export_handle(exp),
				   ccshm_export_id(exp), importers);
}

CCSHM_API void ccshm_importers_free(struct ccshm_importers *importers)
{
	free(importers);
}

CCSHM_API uint32_t ccshm_importers_count(const struct ccshm_importers *importers)
{
	return importers->count;
}

CCSHM_API const char *
ccshm_importers_device(const struct ccshm_importers *importers, uint32_t index)
{
	return index < importers->count ? importers->importer[index].device : "";
}

CCSHM_API uint32_t
ccshm_importers_mappings(const struct ccshm_importers *importers, uint32_t index)
{
	return index < importers->count ? importers->importer[index].mappings : 0;
}

static bool has_flag(const struct ccshm_importers *importers, uint32_t index,
		     uint32_t flag)
{
	return index < importers->count &&
	       importers->importer[index].flags & flag;
}

CCSHM_API bool
ccshm_importers_can_let_go(const struct ccshm_importers *importers,
			   uint32_t index)
{
	return index < importers->count &&
	       !has_flag(importers, index, CCSHM_IMPORTER_CANNOT_LET_GO);
}

CCSHM_API bool ccshm_importers_pins(const struct ccshm_importers *importers,
				    uint32_t index)
{
	return has_flag(importers, index, CCSHM_IMPORTER_PINS);
}
