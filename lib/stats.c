// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_stats: the driver's counters. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "internal.h"

/* The attribute of a counter in netlink, and its offset in INFO. */
struct counter {
	uint16_t attr;
	uint16_t size;
	size_t offset;
	bool bytes;
	const char *name;
};

#define COUNTER(attr, member, bytes, name) {				\
		CCSHM_A_STATS_##attr,					\
		sizeof(((struct ccshm_ioc_info *)0)->member),		\
		offsetof(struct ccshm_ioc_info, member), bytes, name	\
	}

static const struct counter counters[] = {
	COUNTER(BYTES_SHARED, bytes_shared, true, "bytes_shared"),
	COUNTER(BYTES_LEAKED, bytes_leaked, true, "bytes_leaked"),
	COUNTER(BYTES_QUARANTINED, bytes_quarantined, true, "bytes_quarantined"),
	COUNTER(BYTES_CARVED, bytes_carved, true, "bytes_carved"),
	COUNTER(BLOCKS_CARVED, blocks_carved, false, "blocks_carved"),
	COUNTER(CALLS_SHARED, calls_shared, false, "conversions_shared"),
	COUNTER(CALLS_PRIVATE, calls_private, false, "conversions_private"),
	COUNTER(CALLS_FAILED, calls_failed, false, "conversions_failed"),
	COUNTER(BUFFERS, buffers, false, "buffers"),
	COUNTER(EXPORTS, exports, false, "exports"),
	COUNTER(ATTACHMENTS, attachments, false, "attachments"),
	COUNTER(BUFFERS_MADE, buffers_made, false, "buffers_made"),
	COUNTER(EXPORTS_MADE, exports_made, false, "exports_made"),
	COUNTER(ATTACHMENTS_MADE, attachments_made, false, "attachments_made"),
	COUNTER(REVOKES, revokes, false, "revokes"),
	COUNTER(REVOKES_FAILED, revokes_failed, false, "revokes_failed"),
	COUNTER(QUOTA_REFUSED, refusals, false, "quota_refused"),
	COUNTER(EVENTS, events, false, "events"),
	COUNTER(EVENTS_LOST, events_lost, false, "events_lost"),
	COUNTER(EVENTS_SUPPRESSED, events_suppressed, false, "events_suppressed"),
};

#define COUNTERS	(sizeof(counters) / sizeof(counters[0]))

/* The counters that the driver returned. */
struct ccshm_stats {
	uint32_t count;
	const struct counter *counter[COUNTERS];
	uint64_t value[COUNTERS];
};

static int read_counter(const struct nlattr *attr, struct ccshm_stats *stats)
{
	size_t i;

	for (i = 0; i < COUNTERS; i++) {
		if (counters[i].attr != mnl_attr_get_type(attr))
			continue;
		if (mnl_attr_get_payload_len(attr) != sizeof(uint64_t) ||
		    stats->count == COUNTERS)
			return -EPROTO;
		stats->counter[stats->count] = &counters[i];
		stats->value[stats->count++] = mnl_attr_get_u64(attr);
		return 0;
	}
	return 0;
}

static int read_stats(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attr;
	int ret;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		ret = read_counter(attr, data);
		if (ret)
			return ret;
	}
	return 0;
}

/* Read all counters from INFO; counters that the driver does not know are 0. */
static int read_info(struct ccshm *handle, struct ccshm_stats *stats)
{
	struct ccshm_ioc_info info = { 0 };
	int ret = ccshm_handle_ioctl(handle, CCSHM_IOC_INFO, &info);
	size_t i;

	for (i = 0; !ret && i < COUNTERS; i++) {
		const char *at = (const char *)&info + counters[i].offset;
		uint32_t small;

		if (counters[i].size == sizeof(small)) {
			memcpy(&small, at, sizeof(small));
			stats->value[i] = small;
		} else {
			memcpy(&stats->value[i], at, sizeof(stats->value[i]));
		}
		stats->counter[i] = &counters[i];
		stats->count++;
	}
	return ret;
}

static int read_with_fallback(const struct ccshm_seam *seam,
			      struct ccshm_stats *stats)
{
	struct ccshm_netlink nl;
	struct ccshm *handle;
	bool changed;
	int ret;

	ret = ccshm_open_seam(seam, CCSHM_READ_ONLY, &handle);
	if (!ret) {
		ret = read_info(handle, stats);
		ccshm_close(handle);
		return ret;
	}
	ret = ccshm_netlink_open_instead(seam, ret, &nl);
	if (!ret) {
		ret = ccshm_netlink_request(&nl, CCSHM_CMD_STATS_GET, 0,
					    read_stats, stats, &changed);
		ccshm_netlink_close(&nl);
	}
	return ret;
}

int ccshm_stats_get_seam(const struct ccshm_seam *seam,
			 struct ccshm_stats **stats)
{
	struct ccshm_stats *made;
	int ret;

	*stats = NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	ret = read_with_fallback(seam, made);
	if (ret) {
		free(made);
		return ret;
	}
	*stats = made;
	return 0;
}

CCSHM_API int ccshm_stats_get(struct ccshm_stats **stats)
{
	return ccshm_stats_get_seam(&ccshm_system, stats);
}

CCSHM_API void ccshm_stats_free(struct ccshm_stats *stats)
{
	free(stats);
}

CCSHM_API uint32_t ccshm_stats_count(const struct ccshm_stats *stats)
{
	return stats->count;
}

CCSHM_API const char *ccshm_stats_name(const struct ccshm_stats *stats,
				       uint32_t index)
{
	return index < stats->count ? stats->counter[index]->name : "";
}

CCSHM_API uint64_t ccshm_stats_value(const struct ccshm_stats *stats,
				     uint32_t index)
{
	return index < stats->count ? stats->value[index] : 0;
}

CCSHM_API bool ccshm_stats_is_bytes(const struct ccshm_stats *stats,
				    uint32_t index)
{
	return index < stats->count && stats->counter[index]->bytes;
}
