// SPDX-License-Identifier: GPL-2.0-only
/* The module, its device, and the table of calls. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "importer.h"

/* See importer.h. */
DEFINE_MUTEX(importer_lock);

static const struct {
	unsigned int cmd;
	int (*handler)(struct importer *imp, void *arg);
	bool unlocked;
} calls[] = {
	{ IMPORTER_IOC_MASK, importer_ioc_mask },
	{ IMPORTER_IOC_ATTACH, importer_ioc_attach },
	{ IMPORTER_IOC_MAP, importer_ioc_map },
	{ IMPORTER_IOC_UNMAP, importer_ioc_unmap },
	{ IMPORTER_IOC_DETACH, importer_ioc_detach },
	{ IMPORTER_IOC_STATUS, importer_ioc_status },
	{ IMPORTER_IOC_TABLE, importer_ioc_table },
	{ IMPORTER_IOC_DMA, importer_ioc_dma },
	{ IMPORTER_IOC_VMAP, importer_ioc_vmap },
	{ IMPORTER_IOC_VUNMAP, importer_ioc_vunmap },
	{ IMPORTER_IOC_READ, importer_ioc_read },
	{ IMPORTER_IOC_WRITE, importer_ioc_write },
	{ IMPORTER_IOC_FENCE, importer_ioc_fence },
	{ IMPORTER_IOC_FOREIGN, importer_ioc_foreign },
	{ IMPORTER_IOC_LOOK, importer_ioc_look },
	{ IMPORTER_IOC_NOTIFY, importer_ioc_notify },
	{ IMPORTER_IOC_HOLD, importer_ioc_hold, true },
	{ IMPORTER_IOC_PIN, importer_ioc_pin },
	{ IMPORTER_IOC_WAKE, importer_ioc_wake, true },
};

static int call_handler(struct importer *imp, unsigned int cmd, void *arg)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(calls) && calls[i].cmd != cmd; i++)
		;
	if (i == ARRAY_SIZE(calls))
		return -ENOTTY;
	if (calls[i].unlocked)
		return calls[i].handler(imp, arg);
	mutex_lock(&importer_lock);
	err = calls[i].handler(imp, arg);
	mutex_unlock(&importer_lock);
	return err;
}

/* Access user memory without importer_lock: mmap takes importer_lock inside mmap_lock. */
static long importer_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	void *buf = NULL;
	int err;

	if (size) {
		buf = memdup_user(user, size);
		if (IS_ERR(buf))
			return PTR_ERR(buf);
	}
	err = call_handler(file->private_data, cmd, buf);
	if (!err && size && copy_to_user(user, buf, size))
		err = -EFAULT;
	kfree(buf);
	return err;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *imp = kzalloc(sizeof(*imp), GFP_KERNEL);

	if (!imp)
		return -ENOMEM;
	importer_setup(imp);
	file->private_data = imp;
	return nonseekable_open(inode, file);
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct importer *imp = file->private_data;

	mutex_lock(&importer_lock);
	importer_detach(imp);
	mutex_unlock(&importer_lock);
	kfree(imp);
	return 0;
}

static int importer_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err;

	mutex_lock(&importer_lock);
	err = importer_mmap(file->private_data, vma);
	mutex_unlock(&importer_lock);
	return err;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.mmap = importer_file_mmap,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ccshm-importer",
	.fops = &importer_fops,
	.mode = 0600,
};

static int __init importer_init(void)
{
	int err = edu_register();

	if (err)
		return err;
	err = misc_register(&device);
	if (err)
		edu_unregister();
	return err;
}

static void __exit importer_exit(void)
{
	misc_deregister(&device);
	edu_unregister();
}

module_init(importer_init);
module_exit(importer_exit);

MODULE_DESCRIPTION("Test importer of dma-bufs for QEMU's edu device");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
/* The expansion of MODULE_IMPORT_NS(), whose argument differs between kernels. */
MODULE_INFO(import_ns, "DMA_BUF");
