// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_stats: what the driver counts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "internal.h"

struct counter {
	uint16_t attr;
	bool bytes;
	const char *name;
};

static const struct counter counters[] = {
	{ CCSHM_A_STATS_BYTES_SHARED, true, "bytes_shared" },
	{ CCSHM_A_STATS_BYTES_LEAKED, true, "bytes_leaked" },
	{ CCSHM_A_STATS_BYTES_QUARANTINED, true, "bytes_quarantined" },
	{ CCSHM_A_STATS_BYTES_CARVED, true, "bytes_carved" },
	{ CCSHM_A_STATS_BLOCKS_CARVED, false, "blocks_carved" },
	{ CCSHM_A_STATS_CALLS_SHARED, false, "conversions_shared" },
	{ CCSHM_A_STATS_CALLS_PRIVATE, false, "conversions_private" },
	{ CCSHM_A_STATS_CALLS_FAILED, false, "conversions_failed" },
	{ CCSHM_A_STATS_BUFFERS, false, "buffers" },
	{ CCSHM_A_STATS_EXPORTS, false, "exports" },
	{ CCSHM_A_STATS_ATTACHMENTS, false, "attachments" },
	{ CCSHM_A_STATS_BUFFERS_MADE, false, "buffers_made" },
	{ CCSHM_A_STATS_EXPORTS_MADE, false, "exports_made" },
	{ CCSHM_A_STATS_ATTACHMENTS_MADE, false, "attachments_made" },
	{ CCSHM_A_STATS_REVOKES, false, "revokes" },
	{ CCSHM_A_STATS_REVOKES_FAILED, false, "revokes_failed" },
	{ CCSHM_A_STATS_QUOTA_REFUSED, false, "quota_refused" },
	{ CCSHM_A_STATS_EVENTS, false, "events" },
	{ CCSHM_A_STATS_EVENTS_LOST, false, "events_lost" },
};

#define COUNTERS	(sizeof(counters) / sizeof(counters[0]))

/* Those that the driver has told. */
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

int ccshm_stats_get_seam(const struct ccshm_seam *seam,
			 struct ccshm_stats **stats)
{
	struct ccshm_netlink nl;
	struct ccshm_stats *made;
	bool changed;
	int ret;

	*stats = NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	ret = ccshm_netlink_open(seam, &nl);
	if (!ret) {
		ret = ccshm_netlink_request(&nl, CCSHM_CMD_STATS_GET, 0,
					    read_stats, made, &changed);
		ccshm_netlink_close(&nl);
	}
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
