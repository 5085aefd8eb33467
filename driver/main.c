// SPDX-License-Identifier: GPL-2.0-only
/* The module, and /dev/ccshm with its table of calls. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "ccshm.h"

static bool allow_plain;
module_param(allow_plain, bool, 0444);
MODULE_PARM_DESC(allow_plain,
		 "load on a machine that is not a confidential guest, for development (default: false)");

static const struct ccshm_call_entry device_calls[] = {
	CCSHM_CALL(CCSHM_IOC_INFO, ccshm_info_ioctl, ccshm_ioc_info,
		   CCSHM_OUT(ccshm_ioc_info, abi_version), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_ALLOC, ccshm_alloc_ioctl, ccshm_ioc_alloc,
		   CCSHM_OUT(ccshm_ioc_alloc, id)),
	CCSHM_CALL(CCSHM_IOC_FREE, ccshm_free_ioctl, ccshm_ioc_free,
		   CCSHM_NO_OUT(ccshm_ioc_free)),
	CCSHM_CALL(CCSHM_IOC_OPEN, ccshm_open_ioctl, ccshm_ioc_open,
		   CCSHM_OUT(ccshm_ioc_open, id), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_QUERY, ccshm_query_ioctl, ccshm_ioc_query,
		   CCSHM_OUT(ccshm_ioc_query, object_id), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_EXPORT, ccshm_export_ioctl, ccshm_ioc_export,
		   CCSHM_OUT(ccshm_ioc_export, export_id)),
	CCSHM_CALL(CCSHM_IOC_REVOKE, ccshm_revoke_ioctl, ccshm_ioc_revoke,
		   CCSHM_OUT(ccshm_ioc_revoke, state)),
	CCSHM_CALL(CCSHM_IOC_ATTACH, ccshm_attach_ioctl, ccshm_ioc_attach,
		   CCSHM_OUT(ccshm_ioc_attach, attachment_id)),
	CCSHM_CALL_SEGMENTS,
	CCSHM_CALL_DETACH,
	CCSHM_CALL(CCSHM_IOC_IMPORTERS, ccshm_importers_ioctl, ccshm_ioc_importers,
		   CCSHM_OUT(ccshm_ioc_importers, count), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_DEVICE, ccshm_device_ioctl, ccshm_ioc_device,
		   CCSHM_OUT(ccshm_ioc_device, verdict), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_PAGES, ccshm_pages_ioctl, ccshm_ioc_pages,
		   CCSHM_OUT(ccshm_ioc_pages, count), CCSHM_READ_ONLY),
	CCSHM_CALL(CCSHM_IOC_SET, ccshm_set_ioctl, ccshm_ioc_set,
		   CCSHM_NO_OUT(ccshm_ioc_set)),
};

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

	return ccshm_call_dispatch(&call, device_calls, ARRAY_SIZE(device_calls),
				   cmd, arg);
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
 * Refuse a machine that is no confidential guest, and a guest that does not mark shared
 * memory in its page tables: there only the hypervisor knows, and pgprot_decrypted()
 * changes nothing.
 */
static int __init check_platform(void)
{
	ccshm_platform = ccshm_detect_platform();
	if (ccshm_platform != CCSHM_PLATFORM_NONE) {
		if (pgprot_val(pgprot_decrypted(PAGE_KERNEL)) !=
		    pgprot_val(PAGE_KERNEL))
			return 0;
		pr_err("ccshm: this kernel does not mark shared memory in its page tables: not supported\n");
		return -EOPNOTSUPP;
	}
	if (!allow_plain) {
		pr_err("ccshm: not a confidential guest: load with allow_plain=1 for development\n");
		return -ENODEV;
	}
	pr_warn("ccshm: not a confidential guest: sharing does nothing here (allow_plain=1)\n");
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	return 0;
}

/* Leaks are found by work items, which have no caller to return an error to. */
static void report_leak(kuid_t payer, unsigned long pages)
{
	ccshm_event_leak(pages);
	if (ccshm_rate_allows(CCSHM_RATE_LINES, payer))
		pr_warn("ccshm: leaked %lu pages: they cannot be made private again (uid %u)\n",
			pages, from_kuid(&init_user_ns, payer));
}

static int __init memory_init(void)
{
	int err = ccshm_limit_init();

	if (err)
		return err;
	err = ccshm_convert_init(report_leak);
	if (err)
		goto exit_limit;
	err = ccshm_pool_init();
	if (!err)
		return 0;
	ccshm_convert_exit();
exit_limit:
	ccshm_limit_exit();
	return err;
}

static int __init ccshm_init(void)
{
	int err = ccshm_heap_check();

	if (!err)
		err = check_platform();
	if (err)
		return err;
	ccshm_object_prime();
	err = memory_init();
	if (err)
		return err;
	err = ccshm_export_init();
	if (err)
		goto exit_memory;
	err = ccshm_attachment_init();
	if (err)
		goto exit_export;
	err = ccshm_attachment_bus_init();
	if (err)
		goto exit_attachment;
	err = ccshm_power_init();
	if (err)
		goto exit_bus;
	err = ccshm_netlink_init();
	if (err)
		goto exit_power;
	err = misc_register(&device);
	if (err)
		goto exit_netlink;
	ccshm_heap_init(device.this_device);
	return 0;

exit_netlink:
	ccshm_netlink_exit();
exit_power:
	ccshm_power_exit();
exit_bus:
	ccshm_attachment_bus_exit();
exit_attachment:
	ccshm_attachment_exit();
exit_export:
	ccshm_export_exit();
exit_memory:
	ccshm_pool_exit();
	ccshm_convert_exit();
	ccshm_limit_exit();
	return err;
}

/* No file is open and no persistent buffer exists, but work items can be pending. */
static void __exit ccshm_exit(void)
{
	ccshm_heap_exit();
	misc_deregister(&device);
	ccshm_power_exit();
	ccshm_attachment_bus_exit();
	ccshm_attachment_exit();
	ccshm_export_exit();
	ccshm_limit_drain();
	ccshm_importer_exit();
	ccshm_pool_exit();
	ccshm_convert_exit();
	/* Last: until here, memory that leaks is reported. */
	ccshm_netlink_exit();
	ccshm_limit_exit();
	ccshm_object_exit();
}

module_init(ccshm_init);
module_exit(ccshm_exit);

MODULE_DESCRIPTION("Shared memory for confidential virtual machines");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(CCSHM_VERSION);
CCSHM_IMPORT_NS(DMA_BUF);
