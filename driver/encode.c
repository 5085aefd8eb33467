// SPDX-License-Identifier: GPL-2.0-only
/* Encode objects, their ids, and statistics as netlink attributes. */
#include <net/netlink.h>

#include "ccshm.h"

#define BUFFERS		BIT(CCSHM_TYPE_BUFFER)
#define EXPORTS		BIT(CCSHM_TYPE_EXPORT)
#define ATTACHMENTS	BIT(CCSHM_TYPE_ATTACHMENT)
#define SLICES		(EXPORTS | ATTACHMENTS)
#define ALL		(BUFFERS | SLICES)

/**
 * struct field - a number in the description of an object
 * @attr: enum ccshm_attr
 * @size: size of the member, and of the attribute
 * @types: types of objects that have it, a bit each
 * @offset: offset of the member in struct ccshm_ioc_query
 */
struct field {
	u16 attr;
	u8 size;
	u8 types;
	u16 offset;
};

#define FIELD(name, type, member, of) {					\
		.attr = CCSHM_A_##name, .size = sizeof(type), .types = (of), \
		.offset = offsetof(struct ccshm_ioc_query, member)	\
	}

static const struct field fields[] = {
	FIELD(TYPE, u32, type, ALL),
	FIELD(ID, u64, object_id, ALL),
	FIELD(STATE, u32, state, SLICES),
	FIELD(OBJECT_FLAGS, u64, object_flags, ALL),
	FIELD(QUERY_FLAGS, u64, query_flags, ALL),
	FIELD(BUFFER_ID, u64, buffer_id, SLICES),
	FIELD(EXPORT_ID, u64, export_id, ATTACHMENTS),
	FIELD(OFFSET, u64, offset, SLICES),
	FIELD(SIZE, u64, size, ALL),
	FIELD(UID, u32, uid, ALL),
	FIELD(GID, u32, gid, ALL),
	FIELD(MODE, u32, mode, ALL),
	FIELD(PAYER, u32, payer, ALL),
	FIELD(CHARGED, u64, charged, BUFFERS),
	FIELD(CARVED, u64, carved, BUFFERS),
	FIELD(BLOCKS, u64, blocks, BUFFERS),
	FIELD(BLOCKS_SMALL, u64, blocks_small, BUFFERS),
	FIELD(UNITS, u64, units, BUFFERS),
	FIELD(UNITS_WHOLE, u64, units_whole, BUFFERS),
	FIELD(CONVERSIONS, u64, conversions, BUFFERS),
	FIELD(EXPORTS, u32, exports, BUFFERS),
	FIELD(ATTACHMENTS, u32, attachments, BUFFERS | EXPORTS),
	FIELD(IMPORTERS, u32, importers, EXPORTS),
	FIELD(DEVICE_MAPPINGS, u32, device_mappings, SLICES),
	FIELD(CPU_MAPPINGS, u32, cpu_mappings, EXPORTS),
	FIELD(DMA_BITS, u32, dma_bits, ATTACHMENTS),
	FIELD(SEGMENTS, u32, segments, ATTACHMENTS),
};

static int put_number(struct sk_buff *skb, const struct field *field,
		      const struct ccshm_ioc_query *q)
{
	const void *member = (const char *)q + field->offset;

	if (field->size == sizeof(u32))
		return nla_put_u32(skb, field->attr, *(const u32 *)member);
	return nla_put_u64_64bit(skb, field->attr, *(const u64 *)member,
				 CCSHM_A_PAD);
}

/**
 * ccshm_encode_ids - add the type and the ids of an object to a message
 * @skb: message
 * @q: description of the object, of which only these members are used
 *
 * Return: 0, or -EMSGSIZE when the message has no room.
 */
int ccshm_encode_ids(struct sk_buff *skb, const struct ccshm_ioc_query *q)
{
	if (nla_put_u32(skb, CCSHM_A_TYPE, q->type) ||
	    nla_put_u64_64bit(skb, CCSHM_A_ID, q->object_id, CCSHM_A_PAD))
		return -EMSGSIZE;
	return nla_put_u64_64bit(skb, CCSHM_A_BUFFER_ID, q->buffer_id, CCSHM_A_PAD);
}

/**
 * ccshm_encode_object - add the description of an object to a message
 * @skb: message
 * @q: description of the object
 *
 * Return: 0, or -EMSGSIZE when the message has no room.
 */
int ccshm_encode_object(struct sk_buff *skb, const struct ccshm_ioc_query *q)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!(fields[i].types & BIT(q->type)))
			continue;
		err = put_number(skb, &fields[i], q);
		if (err)
			return err;
	}
	if (q->name[0]) {
		err = nla_put_string(skb, CCSHM_A_NAME, q->name);
		if (err)
			return err;
	}
	if (q->type == CCSHM_TYPE_ATTACHMENT)
		return nla_put_string(skb, CCSHM_A_DEVICE, q->device);
	return 0;
}

/**
 * struct counter - a counter of INFO that is also in the statistics
 * @attr: enum ccshm_stats_attr; its value is always a u64
 * @size: size of the member
 * @offset: offset of the member in struct ccshm_ioc_info
 */
struct counter {
	u16 attr;
	u16 size;
	u16 offset;
};

#define COUNTER(name, type, member) {					\
		.attr = CCSHM_A_STATS_##name, .size = sizeof(type),	\
		.offset = offsetof(struct ccshm_ioc_info, member)	\
	}

static const struct counter counters[] = {
	COUNTER(BYTES_SHARED, u64, bytes_shared),
	COUNTER(BYTES_LEAKED, u64, bytes_leaked),
	COUNTER(BYTES_QUARANTINED, u64, bytes_quarantined),
	COUNTER(BYTES_CARVED, u64, bytes_carved),
	COUNTER(BLOCKS_CARVED, u64, blocks_carved),
	COUNTER(CALLS_SHARED, u64, calls_shared),
	COUNTER(CALLS_PRIVATE, u64, calls_private),
	COUNTER(CALLS_FAILED, u64, calls_failed),
	COUNTER(BUFFERS, u32, buffers),
	COUNTER(EXPORTS, u32, exports),
	COUNTER(ATTACHMENTS, u32, attachments),
	COUNTER(BUFFERS_MADE, u64, buffers_made),
	COUNTER(EXPORTS_MADE, u64, exports_made),
	COUNTER(ATTACHMENTS_MADE, u64, attachments_made),
	COUNTER(REVOKES, u64, revokes),
	COUNTER(REVOKES_FAILED, u64, revokes_failed),
	COUNTER(QUOTA_REFUSED, u64, refusals),
	COUNTER(EVENTS, u64, events),
	COUNTER(EVENTS_LOST, u64, events_lost),
	COUNTER(EVENTS_SUPPRESSED, u64, events_suppressed),
};

/**
 * ccshm_encode_stats - add the statistics to a message
 * @skb: message
 * @info: what INFO returns
 *
 * Return: 0, or -EMSGSIZE when the message has no room.
 */
int ccshm_encode_stats(struct sk_buff *skb, const struct ccshm_ioc_info *info)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		const void *member = (const char *)info + counters[i].offset;
		u64 value = counters[i].size == sizeof(u32) ? *(const u32 *)member :
							   *(const u64 *)member;

		err = nla_put_u64_64bit(skb, counters[i].attr, value,
					CCSHM_A_STATS_PAD);
		if (err)
			return err;
	}
	return 0;
}
