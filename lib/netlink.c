// SPDX-License-Identifier: LGPL-2.1-or-later
/* Requests to the driver's generic netlink family. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "internal.h"

/* The kernel's maximum for a message of a dump. */
#define SPACE	32768

/* ---- messages ---- */

struct field {
	uint16_t attr;
	uint16_t size;
	size_t offset;
};

#define FIELD(name, member) {						\
		CCSHM_A_##name,						\
		sizeof(((struct ccshm_message *)0)->member),		\
		offsetof(struct ccshm_message, member)			\
	}

static const struct field fields[] = {
	FIELD(TYPE, object.type),
	FIELD(ID, object.object_id),
	FIELD(STATE, object.state),
	FIELD(OBJECT_FLAGS, object.object_flags),
	FIELD(QUERY_FLAGS, object.query_flags),
	FIELD(BUFFER_ID, object.buffer_id),
	FIELD(EXPORT_ID, object.export_id),
	FIELD(OFFSET, object.offset),
	FIELD(SIZE, object.size),
	FIELD(UID, object.uid),
	FIELD(GID, object.gid),
	FIELD(MODE, object.mode),
	FIELD(PAYER, object.payer),
	FIELD(CHARGED, object.charged),
	FIELD(CARVED, object.carved),
	FIELD(BLOCKS, object.blocks),
	FIELD(BLOCKS_SMALL, object.blocks_small),
	FIELD(UNITS, object.units),
	FIELD(UNITS_WHOLE, object.units_whole),
	FIELD(CONVERSIONS, object.conversions),
	FIELD(EXPORTS, object.exports),
	FIELD(ATTACHMENTS, object.attachments),
	FIELD(IMPORTERS, object.importers),
	FIELD(DEVICE_MAPPINGS, object.device_mappings),
	FIELD(CPU_MAPPINGS, object.cpu_mappings),
	FIELD(DMA_BITS, object.dma_bits),
	FIELD(SEGMENTS, object.segments),
	FIELD(EVENT, event),
	FIELD(TIME, time),
	FIELD(RESULT, result),
	FIELD(DURATION, duration),
	FIELD(PAGES, pages),
	FIELD(STOPPED, stopped),
	FIELD(QUOTA, quota),
	FIELD(ASKED, asked),
	FIELD(USED, used),
	FIELD(LIMIT, limit),
	FIELD(ACTOR_UID, actor_uid),
	FIELD(ACTOR_PID, actor_pid),
};

/* Copy a string; truncate it if it is too long. */
static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	size_t length = mnl_attr_get_payload_len(attr);

	if (length > size - 1)
		length = size - 1;
	memset(to, 0, size);
	memcpy(to, mnl_attr_get_payload(attr), length);
}

static int parse_number(const struct nlattr *attr, void *to, size_t size)
{
	if (mnl_attr_get_payload_len(attr) != size)
		return -EPROTO;
	memcpy(to, mnl_attr_get_payload(attr), size);
	return 0;
}

static int parse_importer(const struct nlattr *nest,
			  struct ccshm_message *parsed)
{
	struct ccshm_ioc_importer *importer;
	const struct nlattr *attr;
	int ret = 0;

	/* A newer driver may send more importers. */
	if (parsed->importers_count == CCSHM_GENL_IMPORTERS_MAX)
		return 0;
	importer = &parsed->importers[parsed->importers_count++];
	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case CCSHM_A_IMPORTER_DEVICE:
			copy_text(importer->device, sizeof(importer->device), attr);
			break;
		case CCSHM_A_IMPORTER_MAPPINGS:
			ret = parse_number(attr, &importer->mappings,
					   sizeof(importer->mappings));
			break;
		case CCSHM_A_IMPORTER_FLAGS:
			ret = parse_number(attr, &importer->flags,
					   sizeof(importer->flags));
			break;
		}
		if (ret)
			return ret;
	}
	return 0;
}

/* Ignore unknown attributes: a newer driver sends them. */
static int parse_field(const struct nlattr *attr, struct ccshm_message *parsed)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].attr == mnl_attr_get_type(attr))
			return parse_number(attr,
					    (char *)parsed + fields[i].offset,
					    fields[i].size);
	return 0;
}

int ccshm_netlink_parse(const struct nlmsghdr *message,
			struct ccshm_message *parsed)
{
	const struct nlattr *attr;
	int ret = 0;

	memset(parsed, 0, sizeof(*parsed));
	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case CCSHM_A_NAME:
			copy_text(parsed->object.name,
				  sizeof(parsed->object.name), attr);
			break;
		case CCSHM_A_DEVICE:
			copy_text(parsed->object.device,
				  sizeof(parsed->object.device), attr);
			break;
		case CCSHM_A_IMPORTER:
			ret = parse_importer(attr, parsed);
			break;
		default:
			ret = parse_field(attr, parsed);
			break;
		}
		if (ret)
			return ret;
	}
	/* QUERY returns the id of a buffer as its buffer_id. */
	if (parsed->object.type == CCSHM_TYPE_BUFFER)
		parsed->object.buffer_id = parsed->object.object_id;
	return 0;
}

/* ---- requests ---- */

/* mnl_nlmsg_ok() takes a length of 2 GiB or more for a negative number. */
bool ccshm_netlink_ok(const struct nlmsghdr *message, int left)
{
	return mnl_nlmsg_ok(message, left) &&
	       message->nlmsg_len <= (uint32_t)left;
}

/*
 * Return the errno of an error message or of the end of a dump, negative, or 0.
 */
static int message_error(const struct nlmsghdr *message)
{
	int error = 0;

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error > 0 ? -EPROTO : error;
}

struct request {
	uint32_t sequence;
	int (*visit)(const struct nlmsghdr *message, void *data);
	void *data;
	bool changed;
};

/*
 * Read one datagram of the answer. Return 1 at the end, 0 if more follow, or a
 * negative errno.
 */
static int read_answer(const struct request *request,
		       const struct nlmsghdr *message)
{
	int ret;

	switch (message->nlmsg_type) {
	case NLMSG_NOOP:
		return 0;
	case NLMSG_ERROR:
	case NLMSG_DONE:
		ret = message_error(message);
		return ret ? ret : 1;
	default:
		if (mnl_nlmsg_get_payload_len(message) <
		    sizeof(struct genlmsghdr))
			return -EPROTO;
		return request->visit(message, request->data);
	}
}

static int receive(struct ccshm_netlink *nl, struct request *request)
{
	int ret, left = nl->seam->receive(nl->fd, nl->space, SPACE, true);
	const struct nlmsghdr *message = nl->space;

	if (left < 0)
		return left == -EINTR ? 0 : left;
	for (; ccshm_netlink_ok(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		/* A message of an earlier request that failed. */
		if (message->nlmsg_seq != request->sequence)
			continue;
		request->changed |= message->nlmsg_flags & NLM_F_DUMP_INTR;
		ret = read_answer(request, message);
		if (ret)
			return ret;
	}
	return 0;
}

static int send_request(struct ccshm_netlink *nl, struct nlmsghdr *message,
			struct request *request)
{
	int ret;

	message->nlmsg_seq = ++nl->sequence;
	request->sequence = nl->sequence;
	ret = nl->seam->send(nl->fd, message, message->nlmsg_len);
	while (!ret)
		ret = receive(nl, request);
	return ret < 0 ? ret : 0;
}

/* Write the two headers of a message. */
static struct nlmsghdr *message_new(void *space, uint16_t family,
				    uint8_t command, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(space);
	struct genlmsghdr *generic;

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	generic = mnl_nlmsg_put_extra_header(message, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return message;
}

int ccshm_netlink_request(struct ccshm_netlink *nl, uint8_t command,
			  uint16_t flags,
			  int (*visit)(const struct nlmsghdr *message,
				       void *data),
			  void *data, bool *changed)
{
	struct request request = { .visit = visit, .data = data };
	char space[64];
	int ret = send_request(nl, message_new(space, nl->family, command,
					       flags), &request);

	*changed = request.changed;
	return ret;
}

/* ---- the family ---- */

static void read_group(const struct nlattr *nest, struct ccshm_netlink *nl)
{
	const struct nlattr *attr;
	uint32_t id = 0;
	bool ours = false;

	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_MCAST_GRP_NAME:
			ours = !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) &&
			       !strcmp(mnl_attr_get_str(attr),
				       CCSHM_GENL_GROUP_EVENTS);
			break;
		case CTRL_ATTR_MCAST_GRP_ID:
			parse_number(attr, &id, sizeof(id));
			break;
		}
	}
	if (ours)
		nl->group = id;
}

static int read_family(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attr, *nest;
	struct ccshm_netlink *nl = data;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			parse_number(attr, &nl->family, sizeof(nl->family));
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			mnl_attr_for_each_nested(nest, attr)
				read_group(nest, nl);
			break;
		}
	}
	return 0;
}

static int find_family(struct ccshm_netlink *nl)
{
	struct request request = { .visit = read_family, .data = nl };
	struct nlmsghdr *message;
	/* The kernel also reads the padding after the name. */
	char space[128] = "";
	int ret;

	message = message_new(space, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, CCSHM_GENL_NAME);
	ret = send_request(nl, message, &request);
	if (ret == -ENOENT)
		return -ENODEV;
	if (!ret && !nl->family)
		return -EPROTO;
	return ret;
}

int ccshm_netlink_open(const struct ccshm_seam *seam, struct ccshm_netlink *nl)
{
	int ret;

	memset(nl, 0, sizeof(*nl));
	nl->seam = seam;
	nl->space = calloc(1, SPACE);
	if (!nl->space)
		return -ENOMEM;
	nl->fd = seam->netlink();
	if (nl->fd < 0) {
		free(nl->space);
		return nl->fd;
	}
	ret = find_family(nl);
	if (ret)
		ccshm_netlink_close(nl);
	return ret;
}

uint16_t ccshm_netlink_removed(const struct nlmsghdr *message)
{
	const struct genlmsghdr *generic = mnl_nlmsg_get_payload(message);
	struct ccshm_netlink nl = { 0 };

	if (message->nlmsg_type == GENL_ID_CTRL &&
	    mnl_nlmsg_get_payload_len(message) >= sizeof(*generic) &&
	    generic->cmd == CTRL_CMD_DELFAMILY)
		read_family(message, &nl);
	return nl.family;
}

void ccshm_netlink_close(struct ccshm_netlink *nl)
{
	nl->seam->close(nl->fd);
	free(nl->space);
}

int ccshm_netlink_open_instead(const struct ccshm_seam *seam, int error,
			       struct ccshm_netlink *nl)
{
	int ret;

	if (error != -ENODEV && error != -EACCES && error != -EPERM)
		return error;
	ret = ccshm_netlink_open(seam, nl);
	/* -EAFNOSUPPORT: a filter permits no netlink socket, for example systemd's. */
	return ret == -ENODEV || ret == -EAFNOSUPPORT ? error : ret;
}
