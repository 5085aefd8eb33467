// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's self-test module. /dev/cvm_selftest performs correct and incorrect
 * operations on memory on request. The program judges the results by the emulator's counters.
 */
#include <linux/cc_platform.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "module.h"

/* Serializes the use of blocks, mappings and the device. */
static DEFINE_MUTEX(st_lock);

static int st_raw(const struct st_call *call, bool to_device)
{
	phys_addr_t phys;
	int ret;

	ret = st_block_phys(call, &phys);
	return ret ?: st_edu_raw(phys, to_device, !call->arg);
}

static int st_do(struct st_call *call)
{
	switch (call->op) {
	case ST_CONFIDENTIAL:
		call->result = cc_platform_has(CC_ATTR_MEM_ENCRYPT);
		return 0;
	case ST_ALLOC:
		return st_block_alloc(call);
	case ST_FREE:
		return st_block_free(call->slot);
	case ST_CONVERT:
		return st_block_convert(call);
	case ST_MAP:
		return st_block_map(call);
	case ST_UNMAP:
		return st_block_unmap(call);
	case ST_FILL:
		return st_block_fill(call);
	case ST_MATCH:
		return st_block_match(call);
	case ST_READ:
		return st_block_read(call);
	case ST_ADDRESS:
		return st_block_address(call);
	case ST_PVALIDATE:
		return st_snp_pvalidate(call);
	case ST_STATE:
		return st_snp_state(call);
	case ST_EVENT:
		return st_event(call);
	case ST_DMA_TO_DEVICE:
		return st_raw(call, true);
	case ST_DMA_FROM_DEVICE:
		return st_raw(call, false);
	case ST_DMA_COHERENT:
		return st_edu_coherent(call);
	case ST_DMA_STREAMING:
		return st_edu_streaming(call);
	default:
		return -EOPNOTSUPP;
	}
}

static long st_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct st_call call;
	int ret;

	if (cmd != ST_IOCTL)
		return -ENOTTY;
	if (copy_from_user(&call, (void __user *)arg, sizeof(call)))
		return -EFAULT;
	mutex_lock(&st_lock);
	ret = st_do(&call);
	mutex_unlock(&st_lock);
	if (ret)
		return ret;
	return copy_to_user((void __user *)arg, &call, sizeof(call)) ? -EFAULT : 0;
}

static int st_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret;

	mutex_lock(&st_lock);
	if (vma->vm_pgoff >= ST_MMAP_OFFSET(ST_SLOT_DEVICE, 0) / PAGE_SIZE)
		ret = st_edu_mmap(vma);
	else
		ret = st_block_mmap(vma);
	mutex_unlock(&st_lock);
	return ret;
}

/* Free all blocks. A mapping holds a reference to the file, so no mapped block is freed. */
static int st_release(struct inode *inode, struct file *file)
{
	mutex_lock(&st_lock);
	st_block_free_all();
	mutex_unlock(&st_lock);
	return 0;
}

static const struct file_operations st_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = st_ioctl,
	.mmap = st_mmap,
	.release = st_release,
};

static struct miscdevice st_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cvm_selftest",
	.fops = &st_fops,
	.mode = 0600,
};

static int __init st_init(void)
{
	int ret;

	ret = st_edu_register();
	if (ret)
		return ret;
	ret = misc_register(&st_misc);
	if (ret)
		st_edu_unregister();
	return ret;
}

static void __exit st_exit(void)
{
	misc_deregister(&st_misc);
	st_edu_unregister();
}

module_init(st_init);
module_exit(st_exit);
MODULE_DESCRIPTION("Self-test of the confidential-VM emulator");
MODULE_LICENSE("GPL");
