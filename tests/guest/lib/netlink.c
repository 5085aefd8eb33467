// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"

struct nl_family family;

/* ---- sockets ---- */

int nl_socket(void)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof(self)))
		bail("a netlink socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

int nl_join(int fd, unsigned int group)
{
	return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
	       -errno : 0;
}

static int nl_send(int fd, int type, int flags, uint8_t cmd, const void *attrs, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
		char attrs[256];
	} m = {
		.nl = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + size, .nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 1 },
		.genl = { .cmd = cmd, .version = 1 },
	};

	if (size)
		memcpy(m.attrs, attrs, size);
	return sendto(fd, &m, m.nl.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ?
	       -errno : 0;
}

/* Receive a datagram. Return its size in bytes, or a negative errno. */
static int nl_receive(int fd, void *space, size_t size)
{
	ssize_t n = recv(fd, space, size, 0);

	return n < 0 ? -errno : (int)n;
}

/* ---- attributes ---- */

static struct nl_message nl_parse(const struct nlmsghdr *m)
{
	char *p = (char *)m + NLMSG_LENGTH(GENL_HDRLEN), *end = (char *)m + m->nlmsg_len;
	struct nl_message msg = { 0 };

	while (p + NLA_HDRLEN <= end) {
		struct nlattr *a = (struct nlattr *)p;
		unsigned int type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < NLA_HDRLEN || p + a->nla_len > end)
			bail("a malformed attribute %u", type);
		if (type < NL_ATTRS)
			msg.attr[type] = a;
		msg.importers += type == CCSHM_A_IMPORTER;
		p += NLA_ALIGN(a->nla_len);
	}
	return msg;
}

uint64_t nl_number(const struct nl_message *msg, unsigned int type)
{
	const struct nlattr *a = msg->attr[type];
	uint64_t value64;
	uint32_t value32;

	if (!a)
		return ~0ULL;
	if (a->nla_len == NLA_HDRLEN + sizeof(value32)) {
		memcpy(&value32, (char *)a + NLA_HDRLEN, sizeof(value32));
		return value32;
	}
	if (a->nla_len != NLA_HDRLEN + sizeof(value64))
		bail("attribute %u is not a number", type);
	memcpy(&value64, (char *)a + NLA_HDRLEN, sizeof(value64));
	return value64;
}

const char *nl_text(const struct nl_message *msg, unsigned int type)
{
	return msg->attr[type] ? (char *)msg->attr[type] + NLA_HDRLEN : "";
}

/* ---- requests ---- */

/* Return the status in an error message, or in the message at the end of a dump. */
static int nl_verdict(const struct nlmsghdr *m)
{
	int error;

	memcpy(&error, NLMSG_DATA(m), sizeof(error));
	return error;
}

int nl_request(int fd, int flags, uint8_t cmd, const void *attrs, size_t size)
{
	char space[32768] __attribute__((aligned(8)));
	struct nlmsghdr *m;
	int err = nl_send(fd, family.id, NLM_F_ACK | flags, cmd, attrs, size), left;

	while (!err) {
		left = nl_receive(fd, space, sizeof(space));
		if (left < 0)
			return left;
		for (m = (void *)space; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
			if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE)
				return nl_verdict(m);
	}
	return err;
}

int nl_find_family(int fd)
{
	char space[8192] __attribute__((aligned(8)));
	struct { struct nlattr a; char name[8]; } ask = {
		{ NLA_HDRLEN + sizeof(CCSHM_GENL_NAME), CTRL_ATTR_FAMILY_NAME }, CCSHM_GENL_NAME,
	};
	struct nlmsghdr *m = (void *)space;
	char *p, *q, *end;
	int n;

	memset(&family, 0, sizeof(family));
	n = nl_send(fd, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, &ask, sizeof(ask));
	if (!n)
		n = nl_receive(fd, space, sizeof(space));
	if (n < 0)
		return n;
	if (m->nlmsg_type == NLMSG_ERROR)
		return nl_verdict(m);
	end = space + m->nlmsg_len;
	for (p = space + NLMSG_LENGTH(GENL_HDRLEN); p + NLA_HDRLEN <= end;
	     p += NLA_ALIGN(((struct nlattr *)p)->nla_len)) {
		struct nlattr *a = (struct nlattr *)p;

		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			family.id = *(uint16_t *)(p + NLA_HDRLEN);
		if ((a->nla_type & NLA_TYPE_MASK) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		/* Each group is a nest that contains the group's name and id. */
		for (q = p + 2 * NLA_HDRLEN; q + NLA_HDRLEN <= p + a->nla_len;
		     q += NLA_ALIGN(((struct nlattr *)q)->nla_len)) {
			if (((struct nlattr *)q)->nla_type == CTRL_ATTR_MCAST_GRP_ID)
				family.group = *(uint32_t *)(q + NLA_HDRLEN);
			if (((struct nlattr *)q)->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
				family.groups += !strcmp(q + NLA_HDRLEN, CCSHM_GENL_GROUP_EVENTS);
		}
	}
	return 0;
}

/* ---- dumps ---- */

struct nl_dump nl_dump_start(int fd, uint8_t cmd)
{
	struct nl_dump d = { .fd = fd, .end = nl_send(fd, family.id, NLM_F_DUMP, cmd, NULL, 0) };

	if (!d.end)
		d.end = 1;
	return d;
}

bool nl_dump_next(struct nl_dump *d, void (*visit)(const struct nl_message *msg, void *data),
		  void *data)
{
	char space[65536] __attribute__((aligned(8)));
	int left = d->end == 1 ? nl_receive(d->fd, space, sizeof(space)) : d->end;
	struct nlmsghdr *m;

	if (left < 0)
		d->end = left;
	if (d->end != 1)
		return false;
	d->datagrams++;
	for (m = (void *)space; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		struct nl_message msg;

		d->changed |= m->nlmsg_flags & NLM_F_DUMP_INTR;
		if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
			d->end = nl_verdict(m);
			return false;
		}
		d->messages++;
		msg = nl_parse(m);
		if (visit)
			visit(&msg, data);
	}
	return true;
}

int nl_dump_rest(struct nl_dump *d, void (*visit)(const struct nl_message *msg, void *data),
		 void *data)
{
	while (nl_dump_next(d, visit, data))
		;
	return d->end;
}

struct nl_dump nl_dump(int fd, uint8_t cmd, void (*visit)(const struct nl_message *msg, void *data),
		       void *data)
{
	struct nl_dump d = nl_dump_start(fd, cmd);

	while (nl_dump_next(&d, visit, data))
		;
	return d;
}

/* ---- statistics ---- */

uint64_t nl_statistic(int fd, unsigned int attr)
{
	char space[8192] __attribute__((aligned(8)));
	struct nlmsghdr *m = (void *)space;
	struct nl_message msg;

	if (nl_send(fd, family.id, 0, CCSHM_CMD_STATS_GET, NULL, 0) ||
	    nl_receive(fd, space, sizeof(space)) < 0 || m->nlmsg_type != family.id)
		bail("the statistics cannot be read");
	msg = nl_parse(m);
	return nl_number(&msg, attr);
}

/* ---- events ---- */

int nl_event(int fd, struct nl_event *e, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct nlmsghdr *m = (void *)e->space;
	int n;

	do {
		if (poll(&pfd, 1, ms) != 1)
			return -ETIMEDOUT;
		n = nl_receive(fd, e->space, sizeof(e->space));
		if (n < 0)
			return n;
	} while (m->nlmsg_type != family.id ||
		 ((struct genlmsghdr *)NLMSG_DATA(m))->cmd != CCSHM_CMD_EVENT);
	e->msg = nl_parse(m);
	e->type = nl_number(&e->msg, CCSHM_A_EVENT);
	return 0;
}
