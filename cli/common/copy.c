// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy between files and shared memory.
 *
 * The memory can be revoked at any time; accessing it then raises SIGBUS. Copy through a private
 * buffer: data are read once, and files with O_DIRECT, which cannot use the mapping, work also.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

static sigjmp_buf revoked;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(revoked, 1);
}

int copy_guarded(void *to, const void *from, size_t len)
{
	struct sigaction action = { .sa_handler = on_sigbus }, old;
	volatile int err = -EFAULT;

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(revoked, 1)) {
		memcpy(to, from, len);
		err = 0;
	}
	sigaction(SIGBUS, &old, NULL);
	return err;
}

int window_open(struct ccshm_buffer *buffer, uint64_t offset, uint64_t length,
		int prot, struct window *window)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t size = ccshm_buffer_size(buffer);
	uint64_t before = offset % page;
	int err;

	memset(window, 0, sizeof(*window));
	if (offset > size || length > size - offset)
		return -ERANGE;
	if (!length)
		return 0;
	/* The size is a multiple of the page size, so the rounded size is inside the buffer. */
	err = ccshm_buffer_map(buffer, offset - before,
			       (before + length + page - 1) / page * page, prot, 0,
			       &window->mapping);
	if (err)
		return err;
	window->bytes = (unsigned char *)ccshm_mapping_address(window->mapping) + before;
	window->length = length;
	return 0;
}

void window_close(struct window *window)
{
	ccshm_mapping_close(window->mapping);
}
