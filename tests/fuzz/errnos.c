// SPDX-License-Identifier: GPL-2.0-only
/*
 * The errnos that each call may return: those in the comments of uapi/linux/ccshm.h, and for other
 * calls those that the kernel documents. An ioctl that is documented never to fail for want of
 * memory has no ENOMEM here.
 */
#include "fuzz.h"

#define MOST	16

static const struct {
	const char *name;
	int errnos[MOST];
} table[OPS] = {
	[OP_INFO] = { "INFO", { EINVAL } },
	[OP_ALLOC] = { "ALLOC", { EINVAL, EPERM, EEXIST, EFBIG, ENOMEM, EDQUOT, ENOSPC, EIO, EBUSY } },
	[OP_FREE] = { "FREE", { EINVAL, ENOENT, EPERM } },
	[OP_OPEN] = { "OPEN", { EINVAL, ENOENT } },
	[OP_SET] = { "SET", { EINVAL, ENOENT, EPERM, EEXIST } },
	[OP_QUERY] = { "QUERY", { EINVAL, ENOENT } },
	[OP_QUERY_NEXT] = { "QUERY of the next object", { EINVAL, ENOENT } },
	[OP_QUERY_FD] = { "QUERY of a descriptor", { EINVAL, ENOENT, EBADF, EMEDIUMTYPE } },
	[OP_EXPORT] = { "EXPORT", { EINVAL, ENOENT, ENODEV, EACCES, EPERM, EDQUOT, EMFILE, ENFILE,
				    ENOMEM } },
	[OP_REVOKE] = { "REVOKE", { EINVAL, ENOENT, EPERM, ETIMEDOUT, EBUSY, EIO, EBADF,
				    EMEDIUMTYPE } },
	[OP_ATTACH] = { "ATTACH", { EINVAL, ENOENT, ENODEV, EPERM, EACCES, EBADF, EMEDIUMTYPE, EBUSY,
				    EOPNOTSUPP, ERANGE, EIO, ESHUTDOWN, EMFILE, ENFILE, ENOMEM } },
	[OP_SEGMENTS] = { "SEGMENTS", { EINVAL, ENOENT, EPERM, ENODEV, ENOMEM } },
	[OP_DETACH] = { "DETACH", { EINVAL, ENOENT, EPERM } },
	[OP_IMPORTERS] = { "IMPORTERS", { EINVAL, ENOENT, ENOMEM } },
	[OP_PAGES] = { "PAGES", { EINVAL, ENOENT, ENOMEM } },
	[OP_DEVICE] = { "DEVICE", { EINVAL, ENODEV } },
	[OP_UNKNOWN] = { "an ioctl that does not exist", { ENOTTY } },
	[OP_HEAP] = { "the heap node", { EINVAL, ENOMEM, EDQUOT, ENOSPC, EIO, EBUSY, EMFILE, ENFILE,
					 EFAULT } },
	[OP_MMAP] = { "mmap", { EINVAL, EACCES, EPERM, ENODEV, ENOMEM, EOVERFLOW, EOPNOTSUPP, EBADF,
				EAGAIN } },
	[OP_TOUCH] = { "an access", { 0 } },
	[OP_MREMAP] = { "mremap", { EINVAL, EFAULT, ENOMEM, EAGAIN } },
	[OP_MPROTECT] = { "mprotect", { EACCES, ENOMEM } },
	[OP_MUNMAP] = { "munmap", { ENOMEM } },
	[OP_MADVISE] = { "madvise", { EINVAL, ENOMEM, EACCES, EPERM, EBADF, EAGAIN, EBUSY, EFAULT,
				      EIO, ENODEV } },
	[OP_FORK] = { "fork", { EAGAIN, ENOMEM } },
	[OP_OPATH] = { "open of a descriptor in /proc", { ENXIO, EACCES, EPERM, EMFILE, ENFILE, ENOENT,
							  ELOOP, ENOMEM, ENODEV } },
	[OP_DUP] = { "dup", { EMFILE, EBADF, EINVAL } },
	[OP_SEND] = { "sendmsg", { EAGAIN, ENOBUFS, ETOOMANYREFS, EBADF, ENOMEM, ECONNREFUSED } },
	[OP_RECEIVE] = { "recvmsg", { EAGAIN, ENOMEM } },
	[OP_SYNC] = { "DMA_BUF_IOCTL_SYNC", { EINVAL, ENOTTY, EBADF, EPERM, EFAULT } },
	[OP_SYNC_FILE] = { "a sync_file", { EINVAL, ENOTTY, EBADF, EMFILE, ENFILE, ENOMEM, EFAULT,
					    EPERM } },
	[OP_POLL] = { "poll", { 0 } },
	[OP_CLOSE] = { "close", { 0 } },
	[OP_READ_PROC] = { "read of /proc", { ENOENT, EACCES, ENOMEM } },
	[OP_DUMP] = { "a netlink dump", { EBUSY, ENOMEM, ENOBUFS, EMSGSIZE } },
	[OP_NETLINK] = { "a netlink request", { EINVAL, EOPNOTSUPP, EPERM, ENOENT, EBUSY, ENOMEM,
						ENOBUFS, ERANGE, EMSGSIZE } },
	[OP_EVENTS] = { "joining the netlink group", { EPERM, EINVAL, ENOENT, EACCES } },
	[OP_LIMITS] = { "a limit in sysfs", { EINVAL, EACCES, EPERM, ERANGE } },
	[OP_IMPORT] = { "an importer", { EBUSY, EOPNOTSUPP, ENODEV, ENOTCONN, EACCES, EINVAL, ENOMEM,
					 ERANGE, EBADF, EISCONN, ENOENT, EEXIST, EALREADY, EIO } },
	[OP_RMMOD] = { "rmmod", { EAGAIN, EBUSY, EPERM } },
	[OP_UNPLUG] = { "removal of a device", { ENOENT, ENODEV, EACCES } },
	[OP_REOPEN] = { "open of the device", { EACCES, EPERM, EMFILE, ENFILE, ENOMEM } },
	[OP_REFUSE] = { "a refusal of the emulator", { 0 } },
};

const char *op_name(enum op op)
{
	return table[op].name;
}

static bool documented(enum op op, int err, unsigned int may)
{
	if ((err == EFAULT && may & MAY_FAULT) || (err == E2BIG && may & MAY_BE_BIG) ||
	    (err == EBADF && may & MAY_BE_READ) || (err == EINTR && may & MAY_INTERRUPT) ||
	    (err == ENOTTY && may & MAY_NOT_BE))
		return true;
	for (int i = 0; i < MOST && table[op].errnos[i]; i++)
		if (table[op].errnos[i] == err)
			return true;
	return false;
}

int judge(struct self *me, int err, unsigned int may)
{
	if (!err) {
		fuzz->good[me->op]++;
		return 0;
	}
	fuzz->bad[me->op]++;
	if (err > 0)
		fault(me, FAULT_ERRNO, "%s returned %d", op_name(me->op), err);
	else if (!documented(me->op, -err, may))
		fault(me, FAULT_ERRNO, "%s failed with %s, which is not documented",
		      op_name(me->op), tap_errno_name(err));
	return err;
}
