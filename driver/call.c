// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dispatch the ioctls of /dev/ccshm and of attachments; the owner of the file passes the
 * table of its calls. The dispatcher copies the argument in, checks its size and copies the
 * answer out; handlers contain only the rules of their call. What a handler makes is listed,
 * and can be revoked, when the handler returns, because copying out the answer can block
 * indefinitely. The commit that follows completes the call, unless the object has ended
 * meanwhile.
 *
 * The heap node accepts other sizes than this dispatcher, as the kernel's heaps do, so heap.c
 * has its own. It completes a call in the same way, with ccshm_call_end().
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "ccshm.h"

static const struct ccshm_call_entry *
call_find(const struct ccshm_call_entry *calls, unsigned int nr_calls,
	  unsigned int cmd)
{
	unsigned int index = CCSHM_CALL_INDEX(cmd);
	const struct ccshm_call_entry *entry;

	if (_IOC_TYPE(cmd) != CCSHM_IOC_MAGIC ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE) || index >= nr_calls)
		return NULL;
	entry = &calls[array_index_nospec(index, nr_calls)];
	return entry->handler ? entry : NULL;
}

/* Copy out only the output fields, and only those that user space knows. */
static int call_answer(const struct ccshm_call_entry *entry, void __user *user,
		       const union ccshm_call_arg *arg, size_t size)
{
	size_t end = min_t(size_t, size, entry->size);

	if (end <= entry->out)
		return 0;
	if (copy_to_user(user + entry->out, (const char *)arg + entry->out,
			 end - entry->out))
		return -EFAULT;
	return 0;
}

/**
 * ccshm_call_end - complete what a handler has made, or end it
 * @call: call whose handler has returned
 * @err: what the handler returned
 * @unanswered: its answer could not be copied out
 *
 * Return: what the call returns.
 */
int ccshm_call_end(struct ccshm_call *call, int err, bool unanswered)
{
	int failed = 0;

	if (unanswered)
		failed = -EFAULT;
	/* A process that is being killed would not learn what was made. */
	else if (call->undo && fatal_signal_pending(current))
		failed = -EINTR;
	else if (call->commit)
		failed = call->commit(call);
	if (!failed)
		return err;
	if (call->undo)
		call->undo(call);
	return failed;
}

/**
 * ccshm_call_dispatch - carry out an ioctl
 * @call: with the file that it came through
 * @calls: table of the calls on that file, by CCSHM_CALL_INDEX()
 * @nr_calls: number of entries of @calls
 * @cmd: number of the ioctl, which includes the size that user space knows
 * @arg: pointer from user space
 *
 * Return: 0; -ENOTTY when @calls does not have it; -EBADF when it may change something
 * and the file was opened without write access; -E2BIG when user space has set fields
 * that this driver does not know; -EFAULT; or what the handler or ccshm_call_end()
 * returns.
 */
long ccshm_call_dispatch(struct ccshm_call *call,
			 const struct ccshm_call_entry *calls,
			 unsigned int nr_calls, unsigned int cmd,
			 unsigned long arg)
{
	const struct ccshm_call_entry *entry = call_find(calls, nr_calls, cmd);
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union ccshm_call_arg buf;
	int err;

	if (!entry)
		return -ENOTTY;
	if (call->read_only && !entry->read_only)
		return -EBADF;
	memset(&buf, 0, sizeof(buf));
	err = copy_struct_from_user(&buf, entry->size, user, size);
	if (err)
		return err;
	memset((char *)&buf + entry->out, 0, entry->size - entry->out);

	call->arg = &buf;
	err = entry->handler(call);
	if (err && !call->report)
		return err;
	return ccshm_call_end(call, err, call_answer(entry, user, &buf, size));
}
