// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_list: all buffers, exports or attachments that the caller may see. */
#include <errno.h>
#include <stdlib.h>

#include <linux/netlink.h>

#include "internal.h"

/* How often a list is made again because objects changed. */
#define TRIES	8

struct entry {
	struct ccshm_status *status;
	struct ccshm_importers *importers;	/* of an export */
};

struct ccshm_list {
	uint32_t type;
	uint32_t count;
	uint32_t capacity;
	bool changed;
	struct entry *entry;
};

static void clear(struct ccshm_list *list)
{
	while (list->count) {
		struct entry *entry = &list->entry[--list->count];

		ccshm_status_free(entry->status);
		ccshm_importers_free(entry->importers);
	}
}

static int grow(struct ccshm_list *list)
{
	uint32_t capacity = list->capacity ? 2 * list->capacity : 64;
	struct entry *entry;

	entry = reallocarray(list->entry, capacity, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	list->entry = entry;
	list->capacity = capacity;
	return 0;
}

/* Append an entry. Take the objects of @made, also on failure. */
static int append(struct ccshm_list *list, struct entry *made)
{
	int ret = 0;

	if (list->count == list->capacity)
		ret = grow(list);
	if (ret) {
		ccshm_status_free(made->status);
		ccshm_importers_free(made->importers);
		return ret;
	}
	list->entry[list->count++] = *made;
	return 0;
}

/* ---- lists from netlink ---- */

static int add(const struct nlmsghdr *message, void *data)
{
	struct ccshm_list *list = data;
	struct entry made = { 0 };
	struct ccshm_message parsed;
	int ret;

	ret = ccshm_netlink_parse(message, &parsed);
	if (!ret && parsed.object.type != list->type)
		ret = -EPROTO;
	if (!ret)
		ret = ccshm_status_make(&parsed.object, &made.status);
	if (!ret && list->type == CCSHM_TYPE_EXPORT)
		ret = ccshm_importers_make(parsed.importers,
					   parsed.importers_count,
					   &made.importers);
	if (ret) {
		ccshm_status_free(made.status);
		return ret;
	}
	return append(list, &made);
}

static int dump(struct ccshm_netlink *nl, struct ccshm_list *list)
{
	static const uint8_t commands[] = {
		[CCSHM_TYPE_BUFFER] = CCSHM_CMD_BUFFER_GET,
		[CCSHM_TYPE_EXPORT] = CCSHM_CMD_EXPORT_GET,
		[CCSHM_TYPE_ATTACHMENT] = CCSHM_CMD_ATTACHMENT_GET,
	};

	return ccshm_netlink_request(nl, commands[list->type], NLM_F_DUMP, add,
				     list, &list->changed);
}

/* ---- lists from the device node ---- */

static int get_info(struct ccshm *handle, struct ccshm_ioc_info *info)
{
	*info = (struct ccshm_ioc_info){ 0 };
	return ccshm_handle_ioctl(handle, CCSHM_IOC_INFO, info);
}

/* Get the importers of an export; none if the export is gone. */
static int add_importers(struct ccshm *handle, struct entry *entry)
{
	static const struct ccshm_ioc_importer none;
	int ret = ccshm_importers_get(handle, ccshm_status_id(entry->status),
				      &entry->importers);

	if (ret == -ENOENT)
		ret = ccshm_importers_make(&none, 0, &entry->importers);
	return ret;
}

/*
 * Visit the objects whose ids are smaller than @end; 0: all objects, as drivers without
 * next_id do not limit the ids. Other users can create objects as fast as this visits them.
 */
static int visit(struct ccshm *handle, struct ccshm_list *list, uint64_t end)
{
	uint64_t last = 0;
	int ret;

	for (;;) {
		struct entry made = { 0 };

		ret = ccshm_status_next(handle, list->type, last, &made.status);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		last = ccshm_status_id(made.status);
		if (end && last >= end) {
			ccshm_status_free(made.status);
			return 0;
		}
		if (list->type == CCSHM_TYPE_EXPORT)
			ret = add_importers(handle, &made);
		if (ret) {
			ccshm_status_free(made.status);
			return ret;
		}
		ret = append(list, &made);
		if (ret)
			return ret;
	}
}

static int walk(struct ccshm *handle, struct ccshm_list *list)
{
	struct ccshm_ioc_info before, after;
	int ret;

	ret = get_info(handle, &before);
	if (!ret)
		ret = visit(handle, list, before.next_id);
	if (!ret)
		ret = get_info(handle, &after);
	if (!ret)
		list->changed = before.generation != after.generation;
	return ret;
}


/* Make the list from the device node, or from netlink if @handle is NULL. */
static int fill(struct ccshm *handle, struct ccshm_netlink *nl,
		struct ccshm_list *list)
{
	unsigned int i;
	int ret;

	for (i = 0; i < TRIES; i++) {
		clear(list);
		ret = handle ? walk(handle, list) : dump(nl, list);
		if (ret || !list->changed)
			return ret;
	}
	return 0;
}

static int fill_with_fallback(const struct ccshm_seam *seam,
			      struct ccshm_list *list)
{
	struct ccshm_netlink nl;
	struct ccshm *handle;
	int ret;

	ret = ccshm_open_seam(seam, CCSHM_READ_ONLY, &handle);
	if (!ret) {
		ret = fill(handle, NULL, list);
		ccshm_close(handle);
		return ret;
	}
	ret = ccshm_netlink_open_instead(seam, ret, &nl);
	if (!ret) {
		ret = fill(NULL, &nl, list);
		ccshm_netlink_close(&nl);
	}
	return ret;
}

int ccshm_list_get_seam(const struct ccshm_seam *seam, uint32_t type,
			struct ccshm_list **list)
{
	struct ccshm_list *made;
	int ret;

	*list = NULL;
	if (type < CCSHM_TYPE_BUFFER || type > CCSHM_TYPE_ATTACHMENT)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->type = type;
	ret = fill_with_fallback(seam, made);
	if (ret) {
		ccshm_list_free(made);
		return ret;
	}
	*list = made;
	return 0;
}

CCSHM_API int ccshm_list_get(uint32_t type, struct ccshm_list **list)
{
	return ccshm_list_get_seam(&ccshm_system, type, list);
}

CCSHM_API void ccshm_list_free(struct ccshm_list *list)
{
	if (!list)
		return;
	clear(list);
	free(list->entry);
	free(list);
}

CCSHM_API uint32_t ccshm_list_count(const struct ccshm_list *list)
{
	return list->count;
}

CCSHM_API bool ccshm_list_is_consistent(const struct ccshm_list *list)
{
	return !list->changed;
}

CCSHM_API const struct ccshm_status *
ccshm_list_status(const struct ccshm_list *list, uint32_t index)
{
	return index < list->count ? list->entry[index].status : NULL;
}

CCSHM_API const struct ccshm_importers *
ccshm_list_importers(const struct ccshm_list *list, uint32_t index)
{
	return index < list->count ? list->entry[index].importers : NULL;
}
