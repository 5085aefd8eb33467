// SPDX-License-Identifier: GPL-2.0-only
#include <linux/userfaultfd.h>

#include "stalling.h"

#define RW	(PROT_READ | PROT_WRITE)

int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

int uffd_protect(int uffd, void *p, bool on)
{
	struct uffdio_writeprotect req = {
		.range = { (uintptr_t)p, PAGE }, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &req);
}

static void *uffd_register(int uffd, uint64_t mode)
{
	void *p = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register req = { .range = { (uintptr_t)p, PAGE }, .mode = mode };

	if (p == MAP_FAILED)
		return NULL;
	if (mode == UFFDIO_REGISTER_MODE_WP)
		memset(p, 0, PAGE);
	return ioctl(uffd, UFFDIO_REGISTER, &req) ? NULL : p;
}

void *uffd_missing_page(int uffd)
{
	return uffd_register(uffd, UFFDIO_REGISTER_MODE_MISSING);
}

void *uffd_page(int uffd)
{
	return uffd_register(uffd, UFFDIO_REGISTER_MODE_WP);
}

bool uffd_supported(void)
{
	int uffd = uffd_open();
	bool can = uffd >= 0 && uffd_page(uffd);

	if (uffd >= 0)
		close(uffd);
	return can;
}

bool uffd_waits(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&pfd, 1, 10000) == 1 && read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}
