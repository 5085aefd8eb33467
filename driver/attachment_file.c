// SPDX-License-Identifier: GPL-2.0-only
/* Attachments: their files, and the calls on them, SEGMENTS and DETACH. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ccshm.h"

/* ---- calls ---- */

/*
 * Find the attachment of a call, which came through /dev/ccshm or the file of the
 * attachment; takes a reference.
 */
static struct ccshm_attachment *attachment_of_call(struct ccshm_call *call, u64 id)
{
	struct ccshm_attachment *att = call->attachment;
	struct ccshm_object *object;

	if (att) {
		if (id && id != att->obj.id)
			return ERR_PTR(-EINVAL);
		kref_get(&att->obj.ref);
		return att;
	}
	object = ccshm_object_find(id, call->client, CCSHM_CONTROL);
	if (IS_ERR(object))
		return ERR_CAST(object);
	if (object->type != CCSHM_TYPE_ATTACHMENT || !ccshm_may_program_devices()) {
		att = ERR_PTR(object->type != CCSHM_TYPE_ATTACHMENT ? -ENOENT :
								      -EPERM);
		ccshm_object_put(object);
		return att;
	}
	return container_of(object, struct ccshm_attachment, obj);
}

/* Number of segments that are copied out at a time. */
#define BATCH	64

/* Get the next segments of an attachment that is active now. */
static int segments_get(struct ccshm_call *call, struct ccshm_ioc_segment *batch,
			u32 *nr)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_attachment *att = attachment_of_call(call, req->id);
	int err = 0;

	if (IS_ERR(att))
		return PTR_ERR(att);
	mutex_lock(&att->lock);
	if (!att->committed || att->state != CCSHM_STATE_ACTIVE) {
		err = -ENODEV;
	} else if (req->first > att->segments) {
		err = -EINVAL;
	} else {
		req->total = att->segments;
		*nr = min3(att->segments - req->first - req->count,
			   req->capacity - req->count, (u32)BATCH);
		memcpy(batch, att->segment + req->first + req->count,
		       *nr * sizeof(*batch));
	}
	mutex_unlock(&att->lock);
	ccshm_object_put(&att->obj);
	return err;
}

/*
 * Copy in batches, and hold nothing meanwhile: an access to user memory can block
 * indefinitely.
 */
static int segments_copy(struct ccshm_call *call, struct ccshm_ioc_segment *batch)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_ioc_segment __user *user = u64_to_user_ptr(req->segments);
	u32 nr;
	int err;

	do {
		err = segments_get(call, batch, &nr);
		if (err)
			return err;
		if (copy_to_user(user + req->count, batch, nr * sizeof(*batch)))
			return -EFAULT;
		req->count += nr;
	} while (nr == BATCH);
	return 0;
}

int ccshm_segments_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_segments *req = call->arg;
	struct ccshm_ioc_segment *batch;
	int err;

	if (req->flags)
		return -EINVAL;
	batch = kmalloc_array(BATCH, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	err = segments_copy(call, batch);
	kfree(batch);
	return err;
}

int ccshm_detach_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_detach *req = call->arg;
	struct ccshm_attachment *att;

	if (req->flags)
		return -EINVAL;
	att = attachment_of_call(call, req->id);
	if (IS_ERR(att))
		return PTR_ERR(att);
	ccshm_attachment_detach(att);
	ccshm_object_put(&att->obj);
	return 0;
}

/* ---- the file ---- */

static __poll_t attachment_poll(struct file *file, poll_table *wait)
{
	struct ccshm_attachment *att = file->private_data;
	enum ccshm_state state;

	poll_wait(file, &att->wait, wait);
	state = READ_ONCE(att->state);
	if (state == CCSHM_STATE_ACTIVE)
		return 0;
	return state == CCSHM_STATE_REVOKED ? EPOLLPRI | EPOLLHUP : EPOLLPRI;
}

/*
 * Without DETACH before, the device may be running. Hold a reference meanwhile: the end of
 * the attachment drops that of the file, maybe before the attachment's lock is released
 * here.
 */
static int attachment_release(struct inode *inode, struct file *file)
{
	struct ccshm_attachment *att = file->private_data;

	kref_get(&att->obj.ref);
	ccshm_attachment_orphan(att, true);
	ccshm_object_put(&att->obj);
	return 0;
}

static const struct ccshm_call_entry attachment_calls[] = {
	CCSHM_CALL_SEGMENTS,
	CCSHM_CALL_DETACH,
};

static long attachment_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct ccshm_call call = { .attachment = file->private_data };

	return ccshm_call_dispatch(&call, attachment_calls,
				   ARRAY_SIZE(attachment_calls), cmd, arg);
}

static const char *state_name(enum ccshm_state state)
{
	switch (state) {
	case CCSHM_STATE_ACTIVE:
		return "active";
	case CCSHM_STATE_REVOKING:
		return "revoking";
	case CCSHM_STATE_REVOKED:
		return "revoked";
	case CCSHM_STATE_STUCK:
		return "stuck";
	}
	return "unknown";
}

/* The addresses are not shown: SEGMENTS returns them to callers that may see them. */
static void attachment_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct ccshm_attachment *att = file->private_data;

	seq_printf(m, "ccshm-attachment:\t%llu\n", att->obj.id);
	seq_printf(m, "ccshm-buffer:\t%llu\n", att->obj.buffer->obj.id);
	if (att->export)
		seq_printf(m, "ccshm-export:\t%llu\n", att->export->obj.id);
	seq_printf(m, "ccshm-device:\tpci:%s\n", pci_name(att->pdev));
	seq_printf(m, "ccshm-slice:\toffset %llu size %llu\n", att->offset,
		   att->size);
	seq_printf(m, "ccshm-segments:\t%u\n", att->segments);
	seq_printf(m, "ccshm-state:\t%s\n", state_name(READ_ONCE(att->state)));
}

static const struct file_operations attachment_fops = {
	.owner = THIS_MODULE,
	.release = attachment_release,
	.show_fdinfo = attachment_show_fdinfo,
	.poll = attachment_poll,
	.unlocked_ioctl = attachment_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * ccshm_attachment_from_fd - find the attachment that a file descriptor refers to
 * @fd: file descriptor of the caller
 *
 * Return: the object with a reference; -EBADF when @fd is not open, -EMEDIUMTYPE
 * when it is no attachment.
 */
struct ccshm_object *ccshm_attachment_from_fd(int fd)
{
	struct ccshm_object *object = ERR_PTR(-EMEDIUMTYPE);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &attachment_fops) {
		struct ccshm_attachment *att = file->private_data;

		kref_get(&att->obj.ref);
		object = &att->obj;
	}
	fput(file);
	return object;
}

/**
 * ccshm_attachment_open - make the file of an attachment
 * @att: attachment; on success its first reference belongs to the file
 * @call: out: the file and a descriptor that is not installed yet
 *
 * Return: 0, -EMFILE, -ENFILE or -ENOMEM.
 */
int ccshm_attachment_open(struct ccshm_attachment *att, struct ccshm_call *call)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile("[ccshm-attachment]", &attachment_fops, att,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	call->fd = fd;
	call->file = file;
	return 0;
}
