// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module, its device, and the table of calls. The dispatcher copies in,
 * checks sizes, and copies out; handlers hold only their own rule. What a handler
 * makes is listed, and can be revoked, when it returns: copying out the answer may
 * never end. The commit that follows completes it, unless it has ended meanwhile.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ccshm.h"

enum ccshm_platform ccshm_platform;
struct workqueue_struct *ccshm_wq;

static bool allow_plain;
module_param(allow_plain, bool, 0444);
MODULE_PARM_DESC(allow_plain,
		 "load on a machine that is not a confidential guest, for development (default: false)");

/**
 * struct call_entry - one ioctl
 * @handler: what it does
 * @size: of its structure
 * @out: where the fields begin that are only output; they are cleared
 * @on_device: of /dev/ccshm
 * @on_attachment: of an attachment's fd
 * @looks: it changes nothing: also allowed on a file without write access
 */
struct call_entry {
	int (*handler)(struct ccshm_call *call);
	u16 size;
	u16 out;
	bool on_device;
	bool on_attachment;
	bool looks;
};

#define CALL(nr, fn, type, first_out, ...)				\
	[_IOC_NR(nr) - 0x40] = {					\
		.handler = (fn), .size = sizeof(struct type),		\
		.out = first_out, __VA_ARGS__				\
	}
#define OUT(type, member)	offsetof(struct type, member)
#define NO_OUT(type)		sizeof(struct type)
#define DEVICE			.on_device = true
#define ATTACHMENT		.on_attachment = true
#define LOOKS			.looks = true

static const struct call_entry calls[] = {
	CALL(CCSHM_IOC_INFO, ccshm_info, ccshm_ioc_info,
	     OUT(ccshm_ioc_info, abi_version), DEVICE, LOOKS),
	CALL(CCSHM_IOC_ALLOC, ccshm_alloc, ccshm_ioc_alloc,
	     OUT(ccshm_ioc_alloc, id), DEVICE),
	CALL(CCSHM_IOC_FREE, ccshm_free, ccshm_ioc_free,
	     NO_OUT(ccshm_ioc_free), DEVICE),
	CALL(CCSHM_IOC_OPEN, ccshm_open, ccshm_ioc_open,
	     OUT(ccshm_ioc_open, id), DEVICE, LOOKS),
	CALL(CCSHM_IOC_QUERY, ccshm_query, ccshm_ioc_query,
	     OUT(ccshm_ioc_query, object_id), DEVICE, LOOKS),
	CALL(CCSHM_IOC_EXPORT, ccshm_export, ccshm_ioc_export,
	     OUT(ccshm_ioc_export, export_id), DEVICE),
	CALL(CCSHM_IOC_REVOKE, ccshm_revoke, ccshm_ioc_revoke,
	     OUT(ccshm_ioc_revoke, state), DEVICE),
	CALL(CCSHM_IOC_ATTACH, ccshm_attach, ccshm_ioc_attach,
	     OUT(ccshm_ioc_attach, attachment_id), DEVICE),
	CALL(CCSHM_IOC_SEGMENTS, ccshm_segments, ccshm_ioc_segments,
	     OUT(ccshm_ioc_segments, count), DEVICE, ATTACHMENT),
	CALL(CCSHM_IOC_DETACH, ccshm_detach, ccshm_ioc_detach,
	     NO_OUT(ccshm_ioc_detach), DEVICE, ATTACHMENT),
	CALL(CCSHM_IOC_IMPORTERS, ccshm_importers, ccshm_ioc_importers,
	     OUT(ccshm_ioc_importers, count), DEVICE, LOOKS),
	CALL(CCSHM_IOC_DEVICE, ccshm_device, ccshm_ioc_device,
	     OUT(ccshm_ioc_device, verdict), DEVICE, LOOKS),
	CALL(CCSHM_IOC_PAGES, ccshm_pages, ccshm_ioc_pages,
	     OUT(ccshm_ioc_pages, count), DEVICE, LOOKS),
	CALL(CCSHM_IOC_SET, ccshm_set, ccshm_ioc_set,
	     NO_OUT(ccshm_ioc_set), DEVICE),
};

union call_arg {
	struct ccshm_ioc_info info;
	struct ccshm_ioc_alloc alloc;
	struct ccshm_ioc_free free;
	struct ccshm_ioc_open open;
	struct ccshm_ioc_query query;
	struct ccshm_ioc_export export;
	struct ccshm_ioc_revoke revoke;
	struct ccshm_ioc_attach attach;
	struct ccshm_ioc_segments segments;
	struct ccshm_ioc_detach detach;
	struct ccshm_ioc_importers importers;
	struct ccshm_ioc_device device;
	struct ccshm_ioc_pages pages;
	struct ccshm_ioc_set set;
};

static const struct call_entry *call_find(struct ccshm_call *call,
					  unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd) - 0x40;
	const struct call_entry *entry;

	if (_IOC_TYPE(cmd) != CCSHM_IOC_MAGIC ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE) || nr >= ARRAY_SIZE(calls))
		return NULL;
	entry = &calls[array_index_nospec(nr, ARRAY_SIZE(calls))];
	if (!(call->attachment ? entry->on_attachment : entry->on_device))
		return NULL;
	return entry;
}

/* Only the output, and as much of it as user space knows. */
static int call_answer(const struct call_entry *entry, void __user *user,
		       const union call_arg *buf, size_t size)
{
	size_t end = min_t(size_t, size, entry->size);

	if (end <= entry->out)
		return 0;
	if (copy_to_user(user + entry->out, (const char *)buf + entry->out,
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
 * ccshm_dispatch - one ioctl
 * @call: where it came from
 * @cmd: the number, which tells the size that user space knows
 * @arg: the user's pointer
 *
 * Return: 0 or a negative errno.
 */
long ccshm_dispatch(struct ccshm_call *call, unsigned int cmd, unsigned long arg)
{
	const struct call_entry *entry = call_find(call, cmd);
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union call_arg buf;
	int err;

	if (!entry)
		return -ENOTTY;
	if (call->read_only && !entry->looks)
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

static int device_open(struct inode *inode, struct file *file)
{
	struct ccshm_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;
	xa_init_flags(&client->buffers, XA_FLAGS_ACCOUNT);
	file->private_data = client;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	ccshm_buffer_end_client(file->private_data);
	kfree(file->private_data);
	return 0;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ccshm_call call = {
		.client = file->private_data,
		.read_only = !(file->f_mode & FMODE_WRITE),
	};

	return ccshm_dispatch(&call, cmd, arg);
}

static void device_show_fdinfo(struct seq_file *m, struct file *file)
{
	ccshm_buffer_show_client(m, file->private_data);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.show_fdinfo = device_show_fdinfo,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ccshm",
	.fops = &device_fops,
	.groups = ccshm_limit_groups,
	.mode = 0600,
};

/*
 * A confidential guest, and one whose mappings say what they are: where shared
 * memory is only known to the hypervisor, pgprot_decrypted() changes nothing.
 */
static int __init check_platform(void)
{
	ccshm_platform = ccshm_detect_platform();
	if (ccshm_platform != CCSHM_PLATFORM_NONE) {
		if (pgprot_val(pgprot_decrypted(PAGE_KERNEL)) !=
		    pgprot_val(PAGE_KERNEL))
			return 0;
		pr_err("ccshm: this kernel does not mark shared memory in its page tables: not supported\n");
		return -ENODEV;
	}
	if (!allow_plain) {
		pr_err("ccshm: not a confidential guest: there is nothing to share (allow_plain=1 loads anyway, for development)\n");
		return -ENODEV;
	}
	pr_warn("ccshm: not a confidential guest: sharing does nothing here (allow_plain=1)\n");
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	return 0;
}

static int __init ccshm_init(void)
{
	int err = ccshm_heap_check();

	if (!err)
		err = check_platform();
	if (err)
		return err;
	/*
	 * Conversions serialise in the kernel (cpa_lock, vmap_purge_lock): more of them
	 * at a time are not faster and only keep processors busy. Nothing that is
	 * queued here waits for anything else that is.
	 */
	ccshm_wq = alloc_workqueue("ccshm", WQ_UNBOUND, 2);
	if (!ccshm_wq)
		return -ENOMEM;
	ccshm_object_prime();
	ccshm_limit_init();
	err = ccshm_revoke_init();
	if (err)
		goto destroy_wq;
	err = ccshm_attach_init();
	if (err)
		goto exit_revoke;
	err = ccshm_power_init();
	if (err)
		goto exit_attach;
	err = ccshm_netlink_init();
	if (err)
		goto exit_power;
	err = misc_register(&device);
	if (err)
		goto exit_netlink;
	ccshm_heap_init();
	return 0;

exit_netlink:
	ccshm_netlink_exit();
exit_power:
	ccshm_power_exit();
exit_attach:
	ccshm_attach_exit();
exit_revoke:
	ccshm_revoke_exit();
destroy_wq:
	destroy_workqueue(ccshm_wq);
	return err;
}

/* Nothing is open and no persistent buffer exists; work may be left. */
static void __exit ccshm_exit(void)
{
	ccshm_heap_exit();
	misc_deregister(&device);
	ccshm_power_exit();
	ccshm_attach_exit();
	ccshm_revoke_exit();
	flush_workqueue(ccshm_wq);
	ccshm_importer_exit();
	ccshm_convert_exit();
	destroy_workqueue(ccshm_wq);
	/* The last: what could not be made private is told. */
	ccshm_netlink_exit();
	ccshm_limit_exit();
}

module_init(ccshm_init);
module_exit(ccshm_exit);

MODULE_DESCRIPTION("Shared memory for confidential virtual machines");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(CCSHM_VERSION);
CCSHM_IMPORT_NS(DMA_BUF);
