// SPDX-License-Identifier: LGPL-2.1-or-later
/* Revoke: the only call that waits. */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define LIBRARY_FLAGS	(CCSHM_REVOKE_INTERRUPTIBLE | CCSHM_REVOKE_DEADLINE)

/* Compute the deadline once, so that repeated calls end at the same time. */
static int make_deadline(const struct ccshm_seam *seam, int64_t timeout_ns,
			 uint64_t flags, int64_t *deadline)
{
	int64_t now;
	int ret;

	*deadline = timeout_ns;
	if (timeout_ns < -1)
		return -EINVAL;
	if (timeout_ns <= 0 || (flags & CCSHM_REVOKE_DEADLINE))
		return 0;
	ret = seam->now(&now);
	if (ret < 0)
		return ret;
	*deadline = timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
	return 0;
}

/* Check whether the driver fills in the progress with this result. */
static bool is_answer(int ret)
{
	return !ret || ret == -ETIMEDOUT || ret == -EBUSY || ret == -EIO;
}

/* Revoke the object @id, or the one of @fd with CCSHM_REVOKE_BY_FD. */
static int revoke(struct ccshm *handle, uint64_t id, int fd, int64_t timeout_ns,
		  uint64_t flags, struct ccshm_revoke_result *result)
{
	struct ccshm_ioc_revoke uapi;
	int64_t deadline;
	int ret;

	ret = make_deadline(ccshm_handle_seam(handle), timeout_ns, flags,
			    &deadline);
	if (ret)
		return ret;

	do {
		memset(&uapi, 0, sizeof(uapi));
		uapi.id = id;
		uapi.fd = fd;
		uapi.flags = flags & ~LIBRARY_FLAGS;
		uapi.deadline_ns = deadline;
		ret = ccshm_handle_ioctl(handle, CCSHM_IOC_REVOKE, &uapi);
	} while (ret == -EINTR && !(flags & CCSHM_REVOKE_INTERRUPTIBLE));

	if (!result || !is_answer(ret))
		return ret;
	result->state = uapi.state;
	result->device_mappings = uapi.device_mappings;
	result->pages = uapi.pages;
	result->revoked = uapi.revoked;
	result->stopped = uapi.stopped;
	return ret;
}

CCSHM_API int ccshm_revoke(struct ccshm *handle, uint64_t id,
			   int64_t timeout_ns, uint64_t flags,
			   struct ccshm_revoke_result *result)
{
	if (result)
		memset(result, 0, sizeof(*result));
	/* Refuse this flag: @fd would be 0, which may be an open file. */
	if (flags & CCSHM_REVOKE_BY_FD)
		return -EINVAL;
	return revoke(handle, id, 0, timeout_ns, flags, result);
}

CCSHM_API int ccshm_revoke_fd(struct ccshm *handle, int fd, int64_t timeout_ns,
			      uint64_t flags,
			      struct ccshm_revoke_result *result)
{
	if (result)
		memset(result, 0, sizeof(*result));
	return revoke(handle, 0, fd, timeout_ns, flags | CCSHM_REVOKE_BY_FD,
		      result);
}

CCSHM_API int ccshm_buffer_revoke(struct ccshm_buffer *buffer,
				  int64_t timeout_ns, uint64_t flags,
				  struct ccshm_revoke_result *result)
{
	return ccshm_revoke(ccshm_buffer_handle(buffer),
			    ccshm_buffer_id(buffer), timeout_ns, flags, result);
}

CCSHM_API int ccshm_export_revoke(struct ccshm_export *exp, int64_t timeout_ns,
				  uint64_t flags,
				  struct ccshm_revoke_result *result)
{
	return ccshm_revoke(ccshm_export_handle(exp), ccshm_export_id(exp),
			    timeout_ns, flags, result);
}
