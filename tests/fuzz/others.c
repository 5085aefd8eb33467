// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations of the fuzzer on everything but the driver's device: descriptors, the heap node, fences,
 * netlink, sysfs, devices and modules.
 */
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>

#include "../guest/lib/importing.h"
#include "../guest/lib/netlink.h"
#include "../guest/lib/users.h"
#include "fuzz.h"

/* ---- handles ---- */

struct handle *some_handle(struct self *me)
{
	for (unsigned int i = pick(me, FUZZ_HANDLES), n = 0; n < FUZZ_HANDLES; n++, i++)
		if (me->handle[i % FUZZ_HANDLES].fd >= 0)
			return &me->handle[i % FUZZ_HANDLES];
	return NULL;
}

void handle_close(struct handle *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

/* Ask the driver what a dma-buf is. Return false if the driver does not answer. */
static bool handle_query(struct self *me, struct handle *h)
{
	struct ccshm_ioc_query q = { .flags = CCSHM_QUERY_BY_FD, .fd = h->fd };
	int err = me->dev < 0 ? -EBADF : raw_ioctl(me->dev, CCSHM_IOC_QUERY, &q);

	if (err) {
		fault(me, FAULT_RESULT, "QUERY of a dma-buf of ccshm: %s", tap_errno_name(err));
		return false;
	}
	h->export = q.object_id;
	h->buffer = q.buffer_id;
	h->offset = q.offset;
	h->size = q.size;
	h->cpu = !(q.object_flags & CCSHM_EXPORT_NO_CPU);
	h->writable = !(q.object_flags & CCSHM_EXPORT_READ_ONLY) &&
		      (fcntl(h->fd, F_GETFL) & O_ACCMODE) == O_RDWR;
	return true;
}

void handle_keep(struct self *me, int fd, const struct handle *like)
{
	struct handle *h = &me->handle[pick(me, FUZZ_HANDLES)];

	handle_close(h);
	*h = like ? *like : (struct handle){ 0 };
	h->fd = fd;
	if (!like && !handle_query(me, h)) {
		handle_close(h);
		return;
	}
	(void)!record_of(h->export, h->buffer);
}

void op_close(struct self *me)
{
	struct handle *h = some_handle(me);
	unsigned int i = pick(me, FUZZ_ATTACHED);

	me->op = OP_CLOSE;
	if (h)
		handle_close(h);
	if (me->attached[i] >= 0 && one_in(me, 2)) {
		close(me->attached[i]);
		me->attached[i] = -1;
	}
	fuzz->good[OP_CLOSE]++;
}

void op_dup(struct self *me)
{
	struct handle *h = some_handle(me);
	int fd;

	me->op = OP_DUP;
	if (!h)
		return;
	fd = one_in(me, 2) ? dup(h->fd) : fcntl(h->fd, F_DUPFD_CLOEXEC, 3);
	if (judge(me, fd < 0 ? -errno : 0, 0))
		return;
	/* A dma-buf has no size that can change, and cannot be written. */
	if (!ftruncate(fd, PAGE) || write(fd, "x", 1) > 0)
		fault(me, FAULT_RESULT, "a dma-buf can be truncated or written");
	(void)lseek(fd, pick(me, 2) ? PAGE : 0, SEEK_SET);
	handle_keep(me, fd, h->fd == fd ? NULL : &(struct handle){
		.opath = h->opath, .cpu = h->cpu, .writable = h->writable, .export = h->export,
		.buffer = h->buffer, .offset = h->offset, .size = h->size });
}

/* Open a descriptor again through /proc: with O_PATH, or in a way that fails. */
void op_opath(struct self *me)
{
	struct handle *h = some_handle(me), copy;
	int flags = one_in(me, 4) ? O_RDWR : O_PATH, fd;
	char path[64];

	me->op = OP_OPATH;
	if (!h)
		return;
	copy = *h;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->fd);
	fd = open(path, flags | O_CLOEXEC);
	if (judge(me, fd < 0 ? -errno : 0, 0))
		return;
	copy.opath |= flags == O_PATH;
	handle_keep(me, fd, &copy);
}

/* ---- descriptors between processes ---- */

void op_send(struct self *me)
{
	struct handle *h = some_handle(me);
	int to = fuzz->inbox[pick(me, ACTORS)][1];
	struct iovec iov = { h, sizeof(*h) };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	me->op = OP_SEND;
	if (!h)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &h->fd, sizeof(int));
	(void)!judge(me, sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0, 0);
	if (one_in(me, 2))
		handle_close(h);
}

void op_receive(struct self *me)
{
	struct handle sent = { 0 };
	struct iovec iov = { &sent, sizeof(sent) };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	me->op = OP_RECEIVE;
	if (judge(me, recvmsg(fuzz->inbox[me->actor][0], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0 ?
		  -errno : 0, 0))
		return;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)	/* no descriptor is left */
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (sent.opath) {
		handle_keep(me, fd, &sent);
		return;
	}
	if (handle_query(me, &(struct handle){ .fd = fd }))
		handle_keep(me, fd, NULL);
	else
		close(fd);
}

/* ---- the heap node ---- */

void op_heap(struct self *me)
{
	static const int access_mode[] = { O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };
	struct dma_heap_allocation_data req = {
		.len = (1 + pick(me, 12)) * PAGE - pick(me, 3),
		.fd_flags = access_mode[pick(me, 4)] | O_CLOEXEC,
	};
	unsigned long request = DMA_HEAP_IOCTL_ALLOC;
	bool valid = true;
	int err;

	me->op = OP_HEAP;
	if (me->heap < 0)
		return;
	if (one_in(me, 8)) {
		valid = false;
		switch (pick(me, 5)) {
		case 0: req.fd_flags |= O_NONBLOCK; break;
		case 1: req.heap_flags = 1ULL << pick(me, 64); break;
		case 2: req.len = one_in(me, 2) ? 0 : ~0ULL; break;
		case 3: req.fd = 3; break;
		default: request = _IOC(_IOC_READ | _IOC_WRITE, 'H', pick(me, 3), pick(me, 64));
		}
	}
	err = judge(me, raw_ioctl(me->heap, request, one_in(me, 32) ? NULL : &req),
		    MAY_FAULT | (valid ? 0 : MAY_NOT_BE));
	if (!err && (int)req.fd > 2 && valid)
		handle_keep(me, req.fd, NULL);
}

/* ---- fences and polls ---- */

void op_sync(struct self *me)
{
	struct dma_buf_sync sync = { .flags = pick(me, 8) };
	struct handle *h = some_handle(me);
	char name[40];

	me->op = OP_SYNC;
	if (!h)
		return;
	if (one_in(me, 8))
		sync.flags = me->random;
	if (one_in(me, 8)) {
		snprintf(name, sizeof(name), "fuzz %u", (unsigned int)pick(me, 100));
		(void)!judge(me, raw_ioctl(h->fd, DMA_BUF_SET_NAME, one_in(me, 4) ? NULL : name), 0);
		return;
	}
	(void)!judge(me, raw_ioctl(h->fd, DMA_BUF_IOCTL_SYNC, one_in(me, 16) ? NULL : &sync),
		     MAY_INTERRUPT);
}

void op_sync_file(struct self *me)
{
	struct dma_buf_export_sync_file get = { .flags = pick(me, 4), .fd = -1 };
	struct handle *h = some_handle(me), *other = some_handle(me);
	struct dma_buf_import_sync_file put = { .flags = pick(me, 4) };
	struct pollfd pfd = { .events = POLLIN };

	me->op = OP_SYNC_FILE;
	if (!h || judge(me, raw_ioctl(h->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &get), 0))
		return;
	pfd.fd = get.fd;
	(void)!poll(&pfd, 1, pick(me, 4));
	put.fd = one_in(me, 8) ? h->fd : get.fd;
	(void)!judge(me, raw_ioctl(other->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &put), 0);
	close(get.fd);
}

void op_poll(struct self *me)
{
	struct pollfd pfd[3] = { 0 };
	struct handle *h;

	me->op = OP_POLL;
	for (int i = 0; i < 2; i++) {
		h = some_handle(me);
		pfd[i] = (struct pollfd){ .fd = h ? h->fd : -1, .events = pick(me, 8) };
	}
	pfd[2] = (struct pollfd){ .fd = me->attached[pick(me, FUZZ_ATTACHED)], .events = POLLPRI };
	(void)!judge(me, poll(pfd, 3, pick(me, 8)) < 0 ? -errno : 0, 0);
}

/* ---- /proc ---- */

void op_read_proc(struct self *me)
{
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/smaps_rollup", "/proc/self/pagemap",
		"/sys/kernel/debug/dma_buf/bufinfo", "/proc/self/numa_maps", "/proc/self/environ",
	};
	struct handle *h = some_handle(me);
	char path[64], text[4096];
	unsigned int kind = pick(me, 10);
	int fd, left = 64;

	me->op = OP_READ_PROC;
	if (kind < 6)
		snprintf(path, sizeof(path), "%s", files[kind]);
	else
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", kind == 6 || !h ? me->dev :
			 kind == 7 ? me->attached[pick(me, FUZZ_ATTACHED)] : h->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (judge(me, fd < 0 ? -errno : 0, 0))
		return;
	while (left-- && read(fd, text, 1 + pick(me, sizeof(text))) > 0)
		;
	close(fd);
}

/* ---- netlink ---- */

/* Send a message whose attributes and lengths may be wrong. Return 0 or a negative errno. */
static int netlink_send(struct self *me, int fd, unsigned int cmd, unsigned int flags, bool broken)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
		unsigned char attrs[512];
	} m = {
		.nl = { .nlmsg_type = fuzz->netlink, .nlmsg_flags = NLM_F_REQUEST | flags,
			.nlmsg_seq = 1 },
		.genl = { .cmd = cmd, .version = broken ? pick(me, 3) : 1 },
	};
	size_t size = broken ? pick(me, sizeof(m.attrs)) : 0, at = 0;

	while (at + NLA_HDRLEN <= size) {
		struct nlattr *a = (struct nlattr *)(m.attrs + at);

		a->nla_len = NLA_HDRLEN + pick(me, one_in(me, 4) ? 2000 : 40);
		a->nla_type = pick(me, 48) | (one_in(me, 4) ? NLA_F_NESTED : 0);
		if (one_in(me, 8))
			a->nla_len = pick(me, 4);
		at += NLA_ALIGN(a->nla_len ? a->nla_len : 1);
	}
	m.nl.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + (at < size ? at : size);
	if (broken && one_in(me, 8))
		m.nl.nlmsg_len = NLMSG_HDRLEN + pick(me, GENL_HDRLEN + 1);
	return sendto(fd, &m, NLMSG_LENGTH(GENL_HDRLEN) + size, MSG_DONTWAIT,
		      (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

/* Check that the socket's user may see an object of a dump. */
static void check_dumped(struct self *me, const struct genlmsghdr *g, unsigned int size)
{
	const char *p = (const char *)(g + 1), *end = (const char *)g + size;
	uint64_t id = 0, buffer = 0;
	struct record *b;

	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const struct nlattr *)p;

		if (a->nla_len < NLA_HDRLEN || p + a->nla_len > end) {
			fault(me, FAULT_RESULT, "a malformed attribute in a dump");
			return;
		}
		if (a->nla_type == CCSHM_A_ID)
			memcpy(&id, p + NLA_HDRLEN, 8);
		if (a->nla_type == CCSHM_A_BUFFER_ID)
			memcpy(&buffer, p + NLA_HDRLEN, 8);
		p += NLA_ALIGN(a->nla_len);
	}
	b = record_find(g->cmd == CCSHM_CMD_BUFFER_GET ? id : buffer);
	if (!id)
		fault(me, FAULT_RESULT, "an object without an id in a dump");
	else if (b && !may_have(me->actor, b, RIGHT_SEE))
		fault(me, FAULT_ACCESS, "a dump shows object %llu of buffer %llu",
		      (unsigned long long)id, (unsigned long long)b->id);
}

/* Receive the answer. Return its status, or 1 if there is none. */
static int netlink_receive(struct self *me, int fd, bool dump)
{
	char space[16384] __attribute__((aligned(8)));

	for (int n = 0; n < 200; n++) {
		ssize_t size = recv(fd, space, sizeof(space), MSG_DONTWAIT);
		struct nlmsghdr *m = (void *)space;
		int left = size;

		if (size < 0)
			return errno == EAGAIN ? 1 : -errno;
		for (; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			int status;

			if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
				memcpy(&status, NLMSG_DATA(m), sizeof(status));
				return status;
			}
			if (dump && m->nlmsg_type == fuzz->netlink)
				check_dumped(me, NLMSG_DATA(m), m->nlmsg_len - NLMSG_HDRLEN);
		}
	}
	return 1;
}

static void netlink_talk(struct self *me, unsigned int cmd, unsigned int flags, bool broken)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), err;

	if (fd < 0)
		return;
	err = netlink_send(me, fd, cmd, flags, broken);
	/* Leave a dump before it ends, sometimes. */
	if (!err && !one_in(me, 8))
		err = netlink_receive(me, fd, flags & NLM_F_DUMP && !broken);
	if (err <= 0)
		(void)!judge(me, err, 0);
	close(fd);
}

void op_dump(struct self *me)
{
	me->op = OP_DUMP;
	/* The family is in the initial network namespace only: elsewhere the message has no receiver. */
	if (me->actor == ACTOR_NETNS)
		me->op = OP_NETLINK;
	netlink_talk(me, CCSHM_CMD_BUFFER_GET + pick(me, 3), NLM_F_DUMP, false);
}

void op_netlink(struct self *me)
{
	me->op = OP_NETLINK;
	netlink_talk(me, pick(me, 8), one_in(me, 2) ? NLM_F_DUMP : one_in(me, 2) ? NLM_F_ACK : 0,
		     true);
}

/* Join the group, and receive a few events. Only root may. */
void op_events(struct self *me)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), err;
	char space[4096];

	me->op = OP_EVENTS;
	if (fd < 0)
		return;
	err = judge(me, nl_join(fd, family.group), 0);
	if (!err && me->actor != ACTOR_ROOT && me->actor != ACTOR_NETNS)
		fault(me, FAULT_ACCESS, "joins the group of events");
	for (int i = 0; !err && i < 20; i++)
		(void)!recv(fd, space, sizeof(space), MSG_DONTWAIT);
	close(fd);
}

/* ---- limits ---- */

#define LIMITS	"/sys/class/misc/ccshm/"

void op_limits(struct self *me)
{
	static const char *const names[] = {
		"limit_total_bytes", "limit_user_bytes", "limit_user_buffers", "limit_user_exports",
	};
	static const char *const odd[] = { "", "-1", "x", "0x10", "18446744073709551616", "max1", "4X" };
	unsigned int which = pick(me, 4), kind = pick(me, 6);
	char path[80], text[64] = "max";
	ssize_t n;
	int fd, err = 0;

	me->op = OP_LIMITS;
	snprintf(path, sizeof(path), LIMITS "%s", names[which]);
	if (kind == 0)
		snprintf(text, sizeof(text), "%s", odd[pick(me, sizeof(odd) / sizeof(odd[0]))]);
	else if (kind < 3 && which < 2)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)pick(me, 60 * MIB));
	else if (kind < 3)
		snprintf(text, sizeof(text), "%u\n", (unsigned int)pick(me, 40));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = write(fd, text, strlen(text));
		err = n < 0 ? -errno : 0;
		close(fd);
		if (!err && *text && me->actor != ACTOR_ROOT)
			fault(me, FAULT_ACCESS, "changes a limit");
		if (!err && kind == 0 && *text)
			fault(me, FAULT_RESULT, "%s accepts \"%s\"", names[which], text);
	} else {
		err = -errno;
	}
	(void)!judge(me, err, 0);
}

/* ---- importers, devices and modules ---- */

void op_import(struct self *me)
{
	struct handle *h = some_handle(me);
	int err;

	me->op = OP_IMPORT;
	if (me->imp < 0)
		return;
	switch (pick(me, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (!h)
			return;
		err = one_in(me, 3) ? imp_attach_delayed(me->imp, h->fd, pick(me, 20)) :
				      imp_attach(me->imp, h->fd, pick(me, IMPORTER_MUTE));
		break;
	case 4:
	case 5:
		err = imp_map(me->imp, pick(me, 3));
		break;
	case 6:
		err = imp_unmap(me->imp);
		break;
	case 7:
		err = imp_fence_as(me->imp, IMPORTER_FENCE_LATE, pick(me, 3), pick(me, 20));
		break;
	case 8:
		err = imp_pin(me->imp);
		break;
	default:
		err = imp_detach(me->imp);
	}
	(void)!judge(me, err, MAY_INTERRUPT);
}

void op_rmmod(struct self *me)
{
	int err;

	me->op = OP_RMMOD;
	err = judge(me, raw_rmmod("ccshm"), 0);
	if (!err)
		fault(me, FAULT_ENDED, "rmmod while the device is open succeeds");
}

/* Remove the device that attachments use, and find it again. */
void op_unplug(struct self *me)
{
	int err;

	me->op = OP_UNPLUG;
	err = device_file(EDU_B, "remove", "1");
	(void)!judge(me, err, 0);
	if (!err && me->actor != ACTOR_ROOT)
		fault(me, FAULT_ACCESS, "removes a device");
	sleep_ms(pick(me, 5));
	if (me->actor == ACTOR_ROOT)
		(void)!write_text("/sys/bus/pci/rescan", "1");
}

/* Let the platform refuse some conversions, where it can. */
void op_refuse(struct self *me)
{
	me->op = OP_REFUSE;
	if (me->actor == ACTOR_ROOT && refusals_return())
		(void)!judge(me, cvm_fail(1 + pick(me, 3), pick(me, 4), 1 + pick(me, 2)) ? -EIO : 0,
			     0);
}
