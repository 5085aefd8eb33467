// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink family of the fake driver. It answers requests from the objects of the fake
 * driver, as the kernel does, and delivers the events that a test has created.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "fake.h"

/* A family that is registered again gets another number. */
#define FAMILY		((uint16_t)(31 + fake.reloads))
#define GROUP		7
#define DATAGRAM	32768
#define DATAGRAMS	256

struct datagram {
	bool event;		/* not the answer to a request */
	bool notify;		/* for the group of nlctrl */
	bool received;
	int error;
	size_t size;
	struct nlmsghdr *last;	/* the test may add attributes to this message */
	char *bytes;
};

static struct datagram waiting[DATAGRAMS];
static unsigned int end;

static struct datagram *datagram_new(bool event)
{
	ck_assert_uint_lt(end, DATAGRAMS);
	waiting[end].event = event;
	waiting[end].bytes = calloc(1, DATAGRAM);
	ck_assert_ptr_nonnull(waiting[end].bytes);
	return &waiting[end++];
}

void fake_netlink_clear(void)
{
	while (end)
		free(waiting[--end].bytes);
	memset(waiting, 0, sizeof(waiting));
}

void fake_datagram(const void *bytes, size_t size)
{
	struct datagram *d = datagram_new(true);

	memcpy(d->bytes, bytes, size);
	d->size = size;
}

void fake_receive_error(int error)
{
	datagram_new(true)->error = error;
}

/* Return the end of the datagram, after the attributes that the test added to its last message. */
static char *datagram_end(struct datagram *d)
{
	if (d->last) {
		d->size = (size_t)((char *)d->last - d->bytes) +
			  MNL_ALIGN(d->last->nlmsg_len);
		d->last = NULL;
	}
	return d->bytes + d->size;
}

static struct nlmsghdr *message_new(struct datagram *d, uint16_t type,
				    uint16_t flags, uint32_t seq, uint8_t cmd)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(datagram_end(d));
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(m, sizeof(*g));

	m->nlmsg_type = type;
	m->nlmsg_flags = flags;
	m->nlmsg_seq = seq;
	g->cmd = cmd;
	d->last = m;
	return m;
}

static void error_put(struct datagram *d, uint16_t type, uint32_t seq, int error)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(datagram_end(d));
	struct nlmsgerr *e;

	if (type == NLMSG_ERROR) {
		e = mnl_nlmsg_put_extra_header(m, sizeof(*e));
		e->error = error;
	} else {
		*(int *)mnl_nlmsg_put_extra_header(m, sizeof(int)) = error;
	}
	m->nlmsg_type = type;
	m->nlmsg_seq = seq;
	d->last = m;
}

struct nlmsghdr *fake_event(uint32_t type)
{
	struct nlmsghdr *m = message_new(datagram_new(true), FAMILY, 0, 0,
					 CCSHM_CMD_EVENT);

	mnl_attr_put_u32(m, CCSHM_A_EVENT, type);
	mnl_attr_put_u64(m, CCSHM_A_TIME, 1700000000123456789);
	return m;
}

void fake_family_removed(uint16_t family)
{
	struct datagram *d = datagram_new(true);
	struct nlmsghdr *m = message_new(d, GENL_ID_CTRL, 0, 0, CTRL_CMD_DELFAMILY);

	d->notify = true;
	mnl_attr_put_u16(m, CTRL_ATTR_FAMILY_ID, family);
}

static void answer_family(uint32_t seq)
{
	struct datagram *d = datagram_new(false);
	struct nlattr *groups, *group;
	struct nlmsghdr *m;

	if (fake.no_family || fake.no_driver) {
		error_put(d, NLMSG_ERROR, seq, -ENOENT);
		return;
	}
	m = message_new(d, GENL_ID_CTRL, 0, seq, CTRL_CMD_NEWFAMILY);
	mnl_attr_put_strz(m, CTRL_ATTR_FAMILY_NAME, CCSHM_GENL_NAME);
	mnl_attr_put_u16(m, CTRL_ATTR_FAMILY_ID, FAMILY);
	groups = mnl_attr_nest_start(m, CTRL_ATTR_MCAST_GROUPS);
	/* The first group does not belong to ccshm. */
	group = mnl_attr_nest_start(m, 1);
	mnl_attr_put_u32(m, CTRL_ATTR_MCAST_GRP_ID, GROUP - 1);
	mnl_attr_put_strz(m, CTRL_ATTR_MCAST_GRP_NAME, "others");
	mnl_attr_nest_end(m, group);
	group = mnl_attr_nest_start(m, 2);
	mnl_attr_put_u32(m, CTRL_ATTR_MCAST_GRP_ID, GROUP);
	mnl_attr_put_strz(m, CTRL_ATTR_MCAST_GRP_NAME,
			  fake.no_group ? "none" : CCSHM_GENL_GROUP_EVENTS);
	mnl_attr_nest_end(m, group);
	mnl_attr_nest_end(m, groups);
	error_put(d, NLMSG_ERROR, seq, 0);
}

static void put_object(struct nlmsghdr *m, const struct ccshm_ioc_query *q)
{
	struct nlattr *nest;
	unsigned int i;

	mnl_attr_put_u32(m, CCSHM_A_TYPE, q->type);
	if (fake.wrong_size)
		mnl_attr_put_u32(m, CCSHM_A_ID, (uint32_t)q->object_id);
	else
		mnl_attr_put_u64(m, CCSHM_A_ID, q->object_id);
	mnl_attr_put_u64(m, CCSHM_A_QUERY_FLAGS, q->query_flags);
	mnl_attr_put_u64(m, CCSHM_A_OBJECT_FLAGS, q->object_flags);
	mnl_attr_put_u64(m, CCSHM_A_SIZE, q->size);
	mnl_attr_put_u32(m, CCSHM_A_UID, q->uid);
	mnl_attr_put_u32(m, CCSHM_A_GID, q->gid);
	mnl_attr_put_u32(m, CCSHM_A_MODE, q->mode);
	mnl_attr_put_u32(m, CCSHM_A_PAYER, q->payer);
	if (q->name[0])
		mnl_attr_put_strz(m, CCSHM_A_NAME, q->name);
	if (q->type == CCSHM_TYPE_BUFFER) {
		mnl_attr_put_u64(m, CCSHM_A_CHARGED, q->charged);
		mnl_attr_put_u64(m, CCSHM_A_CARVED, q->carved);
		mnl_attr_put_u64(m, CCSHM_A_BLOCKS, q->blocks);
		mnl_attr_put_u64(m, CCSHM_A_BLOCKS_SMALL, q->blocks_small);
		mnl_attr_put_u64(m, CCSHM_A_UNITS, q->units);
		mnl_attr_put_u64(m, CCSHM_A_UNITS_WHOLE, q->units_whole);
		mnl_attr_put_u64(m, CCSHM_A_CONVERSIONS, q->conversions);
		mnl_attr_put_u32(m, CCSHM_A_EXPORTS, q->exports);
		mnl_attr_put_u32(m, CCSHM_A_ATTACHMENTS, q->attachments);
		return;
	}
	mnl_attr_put_u64(m, CCSHM_A_BUFFER_ID, q->buffer_id);
	mnl_attr_put_u64(m, CCSHM_A_OFFSET, q->offset);
	mnl_attr_put_u32(m, CCSHM_A_STATE, q->state);
	mnl_attr_put_u32(m, CCSHM_A_DEVICE_MAPPINGS, q->device_mappings);
	if (q->type == CCSHM_TYPE_ATTACHMENT) {
		mnl_attr_put_u64(m, CCSHM_A_EXPORT_ID, q->export_id);
		mnl_attr_put_u32(m, CCSHM_A_DMA_BITS, q->dma_bits);
		mnl_attr_put_u32(m, CCSHM_A_SEGMENTS, q->segments);
		mnl_attr_put_strz(m, CCSHM_A_DEVICE, q->device);
		return;
	}
	mnl_attr_put_u32(m, CCSHM_A_ATTACHMENTS, q->attachments);
	mnl_attr_put_u32(m, CCSHM_A_IMPORTERS, q->importers);
	mnl_attr_put_u32(m, CCSHM_A_CPU_MAPPINGS, q->cpu_mappings);
	for (i = 0; i < fake.nr_importers; i++) {
		nest = mnl_attr_nest_start(m, CCSHM_A_IMPORTER);
		mnl_attr_put_strz(m, CCSHM_A_IMPORTER_DEVICE,
				  fake.importers[i].device);
		mnl_attr_put_u32(m, CCSHM_A_IMPORTER_MAPPINGS,
				 fake.importers[i].mappings);
		mnl_attr_put_u32(m, CCSHM_A_IMPORTER_FLAGS,
				 fake.importers[i].flags);
		mnl_attr_nest_end(m, nest);
	}
}

static void answer_dump(uint32_t type, uint8_t cmd, uint32_t seq)
{
	bool changed = fake.dumps_changed && fake.dumps_changed--;
	struct datagram *d = datagram_new(false);
	const struct ccshm_ioc_query *q;
	unsigned int i, nr = 0;

	fake.dumps++;
	for (i = 0; (q = fake_object(i)); i++) {
		if (q->type != type)
			continue;
		if (fake.per_datagram && nr == fake.per_datagram) {
			d = datagram_new(false);
			nr = 0;
		}
		nr++;
		put_object(message_new(d, FAMILY, NLM_F_MULTI, seq, cmd), q);
		/* Mark one message of the dump, as the kernel does. */
		if (changed)
			d->last->nlmsg_flags |= NLM_F_DUMP_INTR;
		changed = false;
	}
	d = datagram_new(false);
	error_put(d, NLMSG_DONE, seq, fake.dump_error);
	if (changed)
		d->last->nlmsg_flags |= NLM_F_DUMP_INTR;
}

static void answer_stats(uint32_t seq)
{
	struct datagram *d = datagram_new(false);
	struct nlmsghdr *m = message_new(d, FAMILY, 0, seq, CCSHM_CMD_STATS_GET);
	uint16_t i;

	for (i = CCSHM_A_STATS_PAD + 1; i <= CCSHM_A_STATS_EVENTS_SUPPRESSED; i++)
		mnl_attr_put_u64(m, i, fake.stats[i]);
	/* A counter of a newer driver. */
	mnl_attr_put_u64(m, i, 1);
	error_put(datagram_new(false), NLMSG_ERROR, seq, 0);
}

int fake_netlink_open(void)
{
	int ret = fake_enter(FAKE_NETLINK);

	return ret ? ret : fake_socket();
}

int fake_netlink_send(int fd, const void *message, size_t size)
{
	const struct genlmsghdr *g = mnl_nlmsg_get_payload(message);
	const struct nlmsghdr *m = message;
	int ret = fake_enter(FAKE_SEND);

	if (ret)
		return ret;
	(void)fd;
	ck_assert_uint_eq(m->nlmsg_len, size);
	ck_assert(m->nlmsg_flags & NLM_F_REQUEST);
	if (m->nlmsg_type == GENL_ID_CTRL) {
		answer_family(m->nlmsg_seq);
		return 0;
	}
	ck_assert_uint_eq(m->nlmsg_type, FAMILY);
	ck_assert_uint_eq(g->version, CCSHM_GENL_VERSION);
	if (g->cmd == CCSHM_CMD_STATS_GET) {
		answer_stats(m->nlmsg_seq);
		return 0;
	}
	ck_assert_uint_eq(m->nlmsg_flags & NLM_F_DUMP, NLM_F_DUMP);
	answer_dump(g->cmd == CCSHM_CMD_BUFFER_GET ? CCSHM_TYPE_BUFFER :
		    g->cmd == CCSHM_CMD_EXPORT_GET ? CCSHM_TYPE_EXPORT :
		    CCSHM_TYPE_ATTACHMENT, g->cmd, m->nlmsg_seq);
	return 0;
}

int fake_netlink_receive(int fd, void *space, size_t size, bool wait)
{
	int ret = fake_enter(FAKE_RECEIVE);
	struct datagram *d;

	if (ret)
		return ret;
	(void)fd;
	for (d = waiting; d < waiting + end; d++)
		if (!d->received && d->event == !wait && (!d->notify || fake.joined_notify))
			break;
	if (d == waiting + end) {
		ck_assert_msg(!wait, "it would wait for ever");
		return -EAGAIN;
	}
	d->received = true;
	datagram_end(d);
	if (d->error)
		return d->error;
	if (d->size > size)
		return -EMSGSIZE;
	memcpy(space, d->bytes, d->size);
	return (int)d->size;
}

int fake_netlink_join(int fd, uint32_t group)
{
	int ret = fake_enter(FAKE_JOIN);

	if (ret)
		return ret;
	(void)fd;
	if (group == GENL_ID_CTRL) {
		fake.joined_notify = true;
		return 0;
	}
	if (fake.no_admin)
		return -EPERM;
	fake.joined = group;
	return 0;
}
