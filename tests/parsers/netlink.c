// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of the driver's netlink family, as libccshm decodes them.
 *
 * The first byte of the input selects the call. The rest are datagrams, each after its length in two
 * bytes; the length 0xffNN is the errno NN instead of a datagram. Numbers are little-endian. Sequence
 * numbers are set to those of the request, unless bit 7 of the first byte is set. When the input is
 * used up, the answer ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "internal.h"
#include "parsers.h"

#define FAMILY		31
#define GROUP		7
#define EVENTS_MAX	1000

/* Bits of the first byte. */
#define CALL		0x0f	/* 0 to 2: list, 3: counters, 4: events, 5: one message */
#define OWN_FAMILY	0x40	/* the first datagram describes the family */
#define OWN_SEQUENCE	0x80

static struct {
	const uint8_t *data;
	size_t size;
	uint8_t mode;
	uint32_t sequence;
	bool family_asked;
} input;

void prepare(void)
{
}

/* ---- the socket ---- */

static int no_open(const char *path, int flags)
{
	(void)path;
	(void)flags;
	return -EACCES;
}

static int do_close(int fd)
{
	HOLDS(fd == 3);
	return 0;
}

static int do_netlink(void)
{
	return 3;
}

static int do_send(int fd, const void *message, size_t size)
{
	const struct nlmsghdr *header = message;

	HOLDS(fd == 3 && size == header->nlmsg_len);
	input.sequence = header->nlmsg_seq;
	input.family_asked = header->nlmsg_type == GENL_ID_CTRL;
	return 0;
}

static int do_join(int fd, uint32_t group)
{
	HOLDS(fd == 3);
	HOLDS((input.mode & OWN_FAMILY) || group == GROUP || group == GENL_ID_CTRL);
	return 0;
}

static struct nlmsghdr *answer(void *space, uint16_t type, size_t extra)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(space);

	message->nlmsg_type = type;
	message->nlmsg_seq = input.sequence;
	memset(mnl_nlmsg_put_extra_header(message, extra), 0, extra);
	return message;
}

static int end_answer(void *space)
{
	return (int)answer(space, NLMSG_DONE, sizeof(int))->nlmsg_len;
}

/* Answer with the description of the family, and the end of the answer. */
static int describe_family(void *space)
{
	struct nlmsghdr *message = answer(space, GENL_ID_CTRL, sizeof(struct genlmsghdr));
	struct nlattr *groups, *group;

	mnl_attr_put_u16(message, CTRL_ATTR_FAMILY_ID, FAMILY);
	groups = mnl_attr_nest_start(message, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(message, 1);
	mnl_attr_put_u32(message, CTRL_ATTR_MCAST_GRP_ID, GROUP);
	mnl_attr_put_strz(message, CTRL_ATTR_MCAST_GRP_NAME, CCSHM_GENL_GROUP_EVENTS);
	mnl_attr_nest_end(message, group);
	mnl_attr_nest_end(message, groups);
	input.family_asked = false;
	return (int)message->nlmsg_len + end_answer((char *)space + MNL_ALIGN(message->nlmsg_len));
}

static void set_sequences(void *space, int size)
{
	struct nlmsghdr *message = space;

	for (; ccshm_netlink_ok(message, size); message = mnl_nlmsg_next(message, &size))
		message->nlmsg_seq = input.sequence;
}

static int do_receive(int fd, void *space, size_t size, bool wait)
{
	size_t n;

	HOLDS(fd == 3);
	if (input.family_asked && !(input.mode & OWN_FAMILY))
		return describe_family(space);
	if (input.size < 2)
		return wait ? end_answer(space) : -EAGAIN;
	n = input.data[0] | (size_t)input.data[1] << 8;
	input.data += 2;
	input.size -= 2;
	if (n >= 0xff00)
		return -(int)(n & 0xff ? n & 0xff : EINTR);
	if (n > input.size)
		n = input.size;
	memcpy(space, input.data, n < size ? n : size);
	input.data += n;
	input.size -= n;
	if (n > size)
		return -EMSGSIZE;
	if (!(input.mode & OWN_SEQUENCE))
		set_sequences(space, (int)n);
	return (int)n;
}

static const struct ccshm_seam seam = {
	.open = no_open,
	.close = do_close,
	.netlink = do_netlink,
	.send = do_send,
	.receive = do_receive,
	.join = do_join,
};

/* ---- what must hold ---- */

static void check_status(const struct ccshm_status *status)
{
	HOLDS(strlen(ccshm_status_name(status)) < CCSHM_NAME_LEN);
	HOLDS(strlen(ccshm_status_device(status)) < CCSHM_DEVICE_LEN);
	HOLDS(ccshm_status_type(status) != CCSHM_TYPE_BUFFER ||
	      ccshm_status_id(status) == ccshm_status_buffer_id(status));
}

static void check_importers(const struct ccshm_importers *importers)
{
	uint32_t i, n = ccshm_importers_count(importers);

	HOLDS(n <= CCSHM_GENL_IMPORTERS_MAX);
	for (i = 0; i < n; i++)
		HOLDS(strlen(ccshm_importers_device(importers, i)) < CCSHM_DEVICE_LEN);
	HOLDS(!*ccshm_importers_device(importers, n));
}

static void check_list(uint32_t type)
{
	struct ccshm_list *list = (void *)&seam;
	int ret = ccshm_list_get_seam(&seam, type, &list);
	uint32_t i;

	HOLDS(ret <= 0);
	HOLDS(!ret == !!list);
	if (ret)
		return;
	for (i = 0; i < ccshm_list_count(list); i++) {
		const struct ccshm_importers *importers = ccshm_list_importers(list, i);

		check_status(ccshm_list_status(list, i));
		HOLDS(ccshm_status_type(ccshm_list_status(list, i)) == type);
		HOLDS(!importers == (type != CCSHM_TYPE_EXPORT));
		if (importers)
			check_importers(importers);
	}
	HOLDS(!ccshm_list_status(list, i) && !ccshm_list_importers(list, i));
	ccshm_list_free(list);
}

static void check_stats(void)
{
	struct ccshm_stats *stats = (void *)&seam;
	int ret = ccshm_stats_get_seam(&seam, &stats);
	uint32_t i;

	HOLDS(ret <= 0);
	HOLDS(!ret == !!stats);
	if (ret)
		return;
	HOLDS(ccshm_stats_count(stats) <= CCSHM_A_STATS_EVENTS_SUPPRESSED);
	for (i = 0; i < ccshm_stats_count(stats); i++)
		HOLDS(*ccshm_stats_name(stats, i));
	ccshm_stats_free(stats);
}

static void check_events(void)
{
	struct ccshm_events *events = (void *)&seam;
	int ret = ccshm_events_open_seam(&seam, &events);
	struct ccshm_event *event;
	unsigned int i;

	HOLDS(ret <= 0);
	HOLDS(!ret == !!events);
	for (i = 0; !ret && i < EVENTS_MAX; i++) {
		event = (void *)&seam;
		ret = ccshm_events_next(events, &event);
		HOLDS(ret <= 0);
		HOLDS(!ret == !!event);
		if (!ret)
			check_status(ccshm_event_status(event));
		ccshm_event_free(event);
	}
	ccshm_events_close(events);
}

static void put_importers(struct nlmsghdr *message, const struct ccshm_message *parsed)
{
	uint32_t i;

	for (i = 0; i < parsed->importers_count; i++) {
		struct nlattr *nest = mnl_attr_nest_start(message, CCSHM_A_IMPORTER);

		mnl_attr_put(message, CCSHM_A_IMPORTER_DEVICE, CCSHM_DEVICE_LEN - 1,
			     parsed->importers[i].device);
		mnl_attr_put_u32(message, CCSHM_A_IMPORTER_MAPPINGS, parsed->importers[i].mappings);
		mnl_attr_put_u32(message, CCSHM_A_IMPORTER_FLAGS, parsed->importers[i].flags);
		mnl_attr_nest_end(message, nest);
	}
}

/* Some of the fields of each kind. */
static void put_message(struct nlmsghdr *message, const struct ccshm_message *parsed)
{
	mnl_attr_put_u32(message, CCSHM_A_TYPE, parsed->object.type);
	mnl_attr_put_u64(message, CCSHM_A_ID, parsed->object.object_id);
	mnl_attr_put_u64(message, CCSHM_A_SIZE, parsed->object.size);
	mnl_attr_put_u32(message, CCSHM_A_SEGMENTS, parsed->object.segments);
	mnl_attr_put(message, CCSHM_A_NAME, CCSHM_NAME_LEN - 1, parsed->object.name);
	mnl_attr_put(message, CCSHM_A_DEVICE, CCSHM_DEVICE_LEN - 1, parsed->object.device);
	mnl_attr_put_u32(message, CCSHM_A_EVENT, parsed->event);
	mnl_attr_put_u64(message, CCSHM_A_LIMIT, parsed->limit);
	mnl_attr_put_u32(message, CCSHM_A_ACTOR_PID, parsed->actor_pid);
	put_importers(message, parsed);
}

/* What was decoded is the same after it was encoded and decoded again. */
static void check_again(const struct ccshm_message *parsed)
{
	static uint64_t space[1024];
	struct nlmsghdr *message = answer(space, FAMILY, sizeof(struct genlmsghdr));
	struct ccshm_message again;

	put_message(message, parsed);
	HOLDS(message->nlmsg_len <= sizeof(space));
	HOLDS(!ccshm_netlink_parse(message, &again));
	HOLDS(again.object.type == parsed->object.type && again.object.object_id == parsed->object.object_id);
	HOLDS(again.object.size == parsed->object.size && again.object.segments == parsed->object.segments);
	HOLDS(!memcmp(again.object.name, parsed->object.name, CCSHM_NAME_LEN));
	HOLDS(!memcmp(again.object.device, parsed->object.device, CCSHM_DEVICE_LEN));
	HOLDS(again.event == parsed->event && again.limit == parsed->limit && again.actor_pid == parsed->actor_pid);
	HOLDS(again.importers_count == parsed->importers_count);
	HOLDS(!memcmp(again.importers, parsed->importers, sizeof(again.importers)));
}

/* The rest of the input as the attributes of one message, in memory of exactly its size. */
static void check_message(void)
{
	size_t size = MNL_ALIGN(input.size), head = NLMSG_HDRLEN + GENL_HDRLEN;
	struct ccshm_message *parsed = malloc(sizeof(*parsed));
	struct nlmsghdr *message = calloc(1, head + size);
	int ret;

	HOLDS(parsed && message);
	memcpy((char *)message + head, input.data, input.size);
	message->nlmsg_len = (uint32_t)(head + size);
	ret = ccshm_netlink_parse(message, parsed);
	HOLDS(!ret || ret == -EPROTO);
	HOLDS(parsed->importers_count <= CCSHM_GENL_IMPORTERS_MAX);
	HOLDS(!parsed->object.name[CCSHM_NAME_LEN - 1] && !parsed->object.device[CCSHM_DEVICE_LEN - 1]);
	if (!ret)
		check_again(parsed);
	free(message);
	free(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	memset(&input, 0, sizeof(input));
	input.mode = data[0];
	input.data = data + 1;
	input.size = size - 1;
	switch (input.mode & CALL) {
	case 0:
	case 1:
	case 2:
		check_list(CCSHM_TYPE_BUFFER + (input.mode & CALL));
		break;
	case 3:
		check_stats();
		break;
	case 4:
		check_events();
		break;
	default:
		check_message();
		break;
	}
	return 0;
}
