// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls of the system behind struct ccshm_seam. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "seam.h"

static int system_open(const char *path, int flags)
{
	int fd = open(path, flags);

	return fd < 0 ? -errno : fd;
}

static int system_close(int fd)
{
	return close(fd) ? -errno : 0;
}

static int system_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static int system_mmap(size_t size, int prot, int flags, int fd, off_t offset,
		       void **address)
{
	void *start = mmap(*address, size, prot, flags, fd, offset);

	if (start == MAP_FAILED)
		return -errno;
	*address = start;
	return 0;
}

/*
 * Reserve more address space than needed, so that it contains such an address.
 */
static int system_place(size_t size, size_t align, size_t phase,
			void **address)
{
	uintptr_t start, first;
	size_t space;
	void *found;

	if (__builtin_add_overflow(size, align, &space))
		return -ENOMEM;
	found = mmap(NULL, space, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (found == MAP_FAILED)
		return -errno;
	munmap(found, space);
	start = (uintptr_t)found;
	first = (start & ~(uintptr_t)(align - 1)) + (phase & (align - 1));
	*address = (void *)(first < start ? first + align : first);
	return 0;
}

static int system_munmap(void *address, size_t size)
{
	return munmap(address, size) ? -errno : 0;
}

static int system_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Beyond RLIMIT_FSIZE, the kernel also sends SIGXFSZ to the thread, which would
 * end the process (inode_newsize_ok()). Consume this signal, but not one that
 * was pending before.
 */
static int system_reserve(int fd, off_t offset, off_t size)
{
	const struct timespec at_once = { 0 };
	sigset_t too_large, old, pending;
	int ret;

	sigemptyset(&too_large);
	sigaddset(&too_large, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &too_large, &old);
	sigpending(&pending);
	ret = fallocate(fd, 0, offset, size) ? -errno : 0;
	if (ret == -EFBIG && !sigismember(&pending, SIGXFSZ))
		sigtimedwait(&too_large, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static int system_now(int64_t *ns)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return -errno;
	*ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	return 0;
}

static int system_user(const char *name, uid_t *uid)
{
	struct passwd entry, *found = NULL;
	size_t size = 1024;
	int ret;

	do {
		char *space = malloc(size);

		if (!space)
			return -ENOMEM;
		ret = getpwnam_r(name, &entry, space, size, &found);
		if (!ret && found)
			*uid = entry.pw_uid;
		free(space);
		size *= 2;
	} while (ret == ERANGE && size <= 1024UL * 1024);

	/* getpwnam(3): both results mean that there is no such user. */
	if (ret == ESRCH || (!ret && !found))
		return -ENOENT;
	return -ret;
}

#if defined(__x86_64__) || defined(__i386__)
static int system_cpuid(uint32_t leaf, struct ccshm_cpuid *out)
{
	__cpuid_count(leaf, 0, out->eax, out->ebx, out->ecx, out->edx);
	return 0;
}
#else
static int system_cpuid(uint32_t leaf, struct ccshm_cpuid *out)
{
	(void)leaf;
	(void)out;
	return -ENOSYS;
}
#endif

static int system_netlink(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int ret;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&kernel, sizeof(kernel)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int system_send(int fd, const void *message, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, message, size, MSG_NOSIGNAL, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

static int system_receive(int fd, void *space, size_t size, bool wait)
{
	struct sockaddr_nl sender = { 0 };
	struct iovec iov = { space, size };
	struct msghdr msg = {
		.msg_name = &sender, .msg_namelen = sizeof(sender),
		.msg_iov = &iov, .msg_iovlen = 1,
	};
	ssize_t got;

	do {
		msg.msg_namelen = sizeof(sender);
		got = recvmsg(fd, &msg, wait ? 0 : MSG_DONTWAIT);
		if (got < 0)
			return -errno;
		/* Skip messages of other processes. */
	} while (sender.nl_pid);
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : (int)got;
}

/* Bytes of the receive buffer for events. */
#define EVENT_ROOM	(4 << 20)

static int system_join(int fd, uint32_t group)
{
	int room = EVENT_ROOM;

	/*
	 * SO_RCVBUFFORCE exceeds the limit of unprivileged sockets; fall back
	 * to that limit.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		return -errno;
	return 0;
}

const struct ccshm_seam ccshm_system = {
	.open = system_open,
	.close = system_close,
	.ioctl = system_ioctl,
	.mmap = system_mmap,
	.place = system_place,
	.munmap = system_munmap,
	.memfd = system_memfd,
	.reserve = system_reserve,
	.now = system_now,
	.user = system_user,
	.cpuid = system_cpuid,
	.netlink = system_netlink,
	.send = system_send,
	.receive = system_receive,
	.join = system_join,
};
