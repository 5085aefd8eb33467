// SPDX-License-Identifier: GPL-2.0-only
/* INFO and QUERY: what there is. */
#include <linux/cred.h>
#include <linux/mm.h>

#include "ccshm.h"

int ccshm_info(struct ccshm_call *call)
{
	struct ccshm_ioc_info *info = call->arg;
	struct ccshm_convert_stats stats;
	struct ccshm_carve_stats carved;

	if (info->flags)
		return -EINVAL;
	ccshm_convert_stats(&stats);
	info->abi_version = CCSHM_ABI_VERSION;
	info->platform = ccshm_platform;
	if (ccshm_platform == CCSHM_PLATFORM_NONE)
		info->info_flags |= CCSHM_INFO_PLAIN;
	if (ccshm_heap_is_ours())
		info->features |= CCSHM_FEATURE_HEAP;
	if (ccshm_page_states_known())
		info->features |= CCSHM_FEATURE_PAGES;
	info->block_size = PMD_SIZE;
	info->bytes_shared = stats.pages_shared << PAGE_SHIFT;
	info->bytes_quarantined = stats.pages_quarantined << PAGE_SHIFT;
	info->calls_shared = stats.calls_shared;
	info->calls_private = stats.calls_private;
	info->calls_failed = stats.calls_failed;
	ccshm_carve_stats(&carved);
	info->blocks_carved = carved.blocks;
	info->bytes_carved = carved.pages << PAGE_SHIFT;
	info->contiguous_max = CCSHM_CONTIGUOUS_MAX;
	ccshm_limit_info(info);
	strscpy(info->driver_version, CCSHM_VERSION,
		sizeof(info->driver_version));
	return 0;
}

/**
 * ccshm_describe - what there is to say about an object
 * @object: it
 * @ns: user namespace that the ids of users and groups are to be in
 * @q: out: all but who has control
 */
void ccshm_describe(struct ccshm_object *object, struct user_namespace *ns,
		    struct ccshm_ioc_query *q)
{
	lockdep_assert_held(&ccshm_lock);
	q->id = object->id;
	q->type = object->type;
	ccshm_buffer_describe(object->buffer, ns, q);
	switch (object->type) {
	case CCSHM_TYPE_BUFFER:
		break;
	case CCSHM_TYPE_EXPORT:
		ccshm_export_describe(container_of(object, struct ccshm_export,
						   obj), q);
		break;
	case CCSHM_TYPE_ATTACHMENT:
		ccshm_attachment_describe(container_of(object,
						       struct ccshm_attachment,
						       obj), q);
		break;
	}
}

int ccshm_query(struct ccshm_call *call)
{
	struct ccshm_ioc_query *q = call->arg;
	struct ccshm_object *object;

	if (q->flags)
		return -EINVAL;
	object = ccshm_object_find(q->id, call->client, CCSHM_SEE);
	if (IS_ERR(object))
		return PTR_ERR(object);

	mutex_lock(&ccshm_lock);
	ccshm_describe(object, current_user_ns(), q);
	if (ccshm_buffer_control(object->buffer, call->client))
		q->query_flags |= CCSHM_QUERY_CONTROL;
	mutex_unlock(&ccshm_lock);
	ccshm_object_put(object);
	return 0;
}
