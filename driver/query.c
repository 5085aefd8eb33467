// SPDX-License-Identifier: GPL-2.0-only
/* INFO and QUERY: describe the driver and its objects. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>

#include "ccshm.h"

/**
 * ccshm_info_describe - describe the driver, for INFO and for the statistics of netlink
 * @info: all zero; out: what INFO returns
 */
void ccshm_info_describe(struct ccshm_ioc_info *info)
{
	struct ccshm_convert_stats stats;
	struct ccshm_carve_stats carved;
	struct ccshm_event_stats event;

	ccshm_convert_stats(&stats);
	info->abi_version = CCSHM_ABI_VERSION;
	info->abi_oldest = CCSHM_ABI_OLDEST;
	info->platform = ccshm_platform;
	if (ccshm_platform == CCSHM_PLATFORM_NONE)
		info->info_flags |= CCSHM_INFO_PLAIN;
	if (ccshm_heap_is_ours())
		info->features |= CCSHM_FEATURE_HEAP;
	if (ccshm_page_states_known())
		info->features |= CCSHM_FEATURE_PAGES;
	info->block_size = CCSHM_UNIT_SIZE;
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
	ccshm_event_stats(&event);
	info->refusals = event.refused;
	info->generation = ccshm_generation();
	info->next_id = ccshm_object_last_id() + 1;
	info->buffers_made = ccshm_object_made(CCSHM_TYPE_BUFFER);
	info->exports_made = ccshm_object_made(CCSHM_TYPE_EXPORT);
	info->attachments_made = ccshm_object_made(CCSHM_TYPE_ATTACHMENT);
	info->revokes = event.revokes;
	info->revokes_failed = event.revokes_failed;
	info->events = event.sent;
	info->events_lost = event.lost;
	info->events_suppressed = event.suppressed;
	strscpy(info->driver_version, CCSHM_VERSION,
		sizeof(info->driver_version));
}

int ccshm_info_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_info *info = call->arg;

	if (info->flags)
		return -EINVAL;
	ccshm_info_describe(info);
	return 0;
}

/* Check that fields which the flags do not use are 0. */
static bool query_valid(const struct ccshm_ioc_query *q)
{
	switch (q->flags) {
	case 0:
		return !q->fd && !q->next_type;
	case CCSHM_QUERY_BY_FD:
		return !q->id && !q->next_type;
	case CCSHM_QUERY_NEXT:
		return !q->fd && q->next_type >= CCSHM_TYPE_BUFFER &&
		       q->next_type <= CCSHM_TYPE_ATTACHMENT;
	default:
		return false;
	}
}

/* Hide the members that a caller with only a descriptor must not see. */
static void hide_buffer(struct ccshm_ioc_query *q)
{
	q->query_flags &= ~(CCSHM_QUERY_ORPHAN | CCSHM_QUERY_HEAP |
			    CCSHM_QUERY_SEALED);
	q->query_flags |= CCSHM_QUERY_HOLDER;
	q->uid = (u32)-1;
	q->gid = (u32)-1;
	q->payer = (u32)-1;
	q->mode = 0;
	q->charged = 0;
	q->carved = 0;
	q->blocks = 0;
	q->blocks_small = 0;
	q->units = 0;
	q->units_whole = 0;
	q->conversions = 0;
	memset(q->name, 0, sizeof(q->name));
}

/*
 * Describe an object that the caller may see, or has the descriptor of.
 *
 * Return: 0, or -ENOENT.
 */
static int query_object(struct ccshm_object *object, struct ccshm_call *call,
			bool admin)
{
	struct ccshm_ioc_query *q = call->arg;
	bool by_fd = q->flags & CCSHM_QUERY_BY_FD;

	if (ccshm_object_describe_seen(object, call->client, admin, by_fd, q))
		return 0;
	if (!by_fd)
		return -ENOENT;
	hide_buffer(q);
	return 0;
}

/*
 * Describe the next object that the caller may see. Take ccshm_lock for one object at a
 * time, so that a caller that may see few of many objects does not delay others, and can
 * be killed. Visit only objects that exist when the call begins, so that users who create
 * objects do not extend it.
 */
static int query_next(struct ccshm_call *call, bool admin)
{
	const struct ccshm_ioc_query *q = call->arg;
	u64 id = q->id, last = ccshm_object_last_id();
	struct ccshm_object *object;
	int err;

	while ((object = ccshm_object_next(q->next_type, id, last))) {
		err = query_object(object, call, admin);
		id = object->id;
		ccshm_object_put(object);
		if (!err)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return -ENOENT;
}

int ccshm_query_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_query *q = call->arg;
	struct ccshm_object *object;
	bool admin;
	int err;

	if (!query_valid(q))
		return -EINVAL;
	admin = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	if (q->flags & CCSHM_QUERY_NEXT)
		return query_next(call, admin);
	object = q->flags & CCSHM_QUERY_BY_FD ? ccshm_object_from_fd(q->fd) :
		ccshm_object_find(q->id, call->client, CCSHM_SEE);
	if (IS_ERR(object))
		return PTR_ERR(object);
	err = query_object(object, call, admin);
	ccshm_object_put(object);
	return err;
}
