// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-heap.h>

#include "users.h"

int heap_allocate(uint64_t size)
{
	struct dma_heap_allocation_data req = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open(HEAP_NODE, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = raw_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &req);
	close(fd);
	return err ? err : (int)req.fd;
}

static int user_alloc(struct user *u, int fd)
{
	struct ccshm_ioc_alloc req = { .size = u->size, .flags = u->flags };
	int err;

	if (req.flags & CCSHM_ALLOC_UID)
		req.uid = u->owner;
	if (req.flags & CCSHM_ALLOC_PERSISTENT)
		req.mode = 0600;
	err = raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);
	u->id[u->slot] = req.id;
	return err;
}

/* Store a descriptor in the current slot of the user. */
static int user_keep(struct user *u, int dmabuf)
{
	if (dmabuf < 0)
		return dmabuf;
	u->dmabuf[u->slot] = dmabuf;
	return 0;
}

static int user_attach(struct user *u, int fd)
{
	struct ccshm_ioc_attach req = { .id = u->id[u->slot], .dma_bits = 64 };
	int err;

	snprintf(req.device, sizeof(req.device), "%s", u->device);
	err = raw_ioctl(fd, CCSHM_IOC_ATTACH, &req);
	if (!err)
		u->attachment[u->slot] = req.fd;
	return err;
}

/*
 * Map the first page of a dma-buf. Keep users that start later from inheriting the mapping, because
 * a mapping holds a reference to the dma-buf.
 */
static int user_map(struct user *u)
{
	void *p = raw_map(u->dmabuf[u->slot], PAGE, PROT_READ | PROT_WRITE);

	if (!p || madvise(p, PAGE, MADV_DONTFORK))
		return -errno;
	u->map[u->slot] = p;
	return 0;
}

int user_do(struct user *u, int fd)
{
	int err = 0;

	switch (u->verb) {
	case USER_ALLOC:
		return user_alloc(u, fd);
	case USER_HEAP:
		return user_keep(u, heap_allocate(u->size));
	case USER_EXPORT:
		return user_keep(u, raw_export(fd, u->id[u->slot], u->flags,
					       &u->export_id[u->slot]));
	case USER_FREE:
		err = raw_free(fd, u->id[u->slot]);
		u->id[u->slot] = 0;
		return err;
	case USER_CLOSE:
		close(u->dmabuf[u->slot]);
		u->dmabuf[u->slot] = -1;
		return 0;
	case USER_MAP:
		return user_map(u);
	case USER_UNMAP:
		munmap(u->map[u->slot], PAGE);
		u->map[u->slot] = NULL;
		return 0;
	case USER_REVOKE:
		return raw_revoke(fd, u->id[u->slot], 0, u->deadline, NULL);
	case USER_ATTACH:
		return user_attach(u, fd);
	case USER_DETACH:
		err = raw_detach(u->attachment[u->slot], 0);
		close(u->attachment[u->slot]);
		u->attachment[u->slot] = -1;
		return err;
	case USER_INFO:
		return raw_info(fd, &u->info);
	case USER_END:
		break;
	}
	return err;
}

/* Close the descriptors that the user has inherited from the suite. */
static void user_close_inherited(int keep)
{
	close_range(STDERR_FILENO + 1, keep - 1, 0);
	close_range(keep + 1, ~0U, 0);
}

/*
 * Execute the verbs that the suite sends, until USER_END. The user's anonymous objects end when its
 * descriptors are closed.
 */
static int user_live(struct peer *parent, void *arg)
{
	struct user *u = arg;
	int fd;

	user_close_inherited(parent->sock);
	fd = raw_open();
	if (fd < 0)
		return fd;
	while (peer_hear(parent) == 1 && u->verb != USER_END)
		peer_send(parent, user_do(u, fd), -1);
	close(fd);
	return 0;
}

struct user *user_new(uid_t uid)
{
	struct user *u = common(sizeof(*u));

	memset(u->dmabuf, -1, sizeof(u->dmabuf));
	memset(u->attachment, -1, sizeof(u->attachment));
	u->uid = uid;
	return u;
}

struct user *user_start(uid_t uid, uint64_t caps)
{
	struct user *u = user_new(uid);

	u->peer = peer_start(uid, caps, user_live, u);
	return u;
}

void user_send(struct user *u, enum user_verb verb)
{
	u->verb = verb;
	peer_send(&u->peer, 1, -1);
}

int user_ask(struct user *u, enum user_verb verb, unsigned int slot)
{
	u->slot = slot;
	user_send(u, verb);
	return peer_hear(&u->peer);
}

int user_has(struct user *u, unsigned int slot, uint64_t size)
{
	u->size = size;
	u->flags = 0;
	return user_ask(u, USER_ALLOC, slot);
}

const struct ccshm_ioc_info *user_info(struct user *u)
{
	if (user_ask(u, USER_INFO, 0))
		memset(&u->info, 0xff, sizeof(u->info));
	return &u->info;
}

void user_end(struct user *u)
{
	user_send(u, USER_END);
	must(peer_hear(&u->peer));
	peer_must_end(&u->peer, 0);
	munmap(u, sizeof(*u));
}
