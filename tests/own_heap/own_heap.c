// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel may have already when ccshm comes: a dma-buf heap called
 * system_cc_shared (made with the kernel's own dma_heap_add(), so from 7.1 on), or a
 * misc device of the name that ccshm wants. No memory is to be had of either.
 */
#include <linux/dma-heap.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static bool heap;
module_param(heap, bool, 0444);
MODULE_PARM_DESC(heap, "add the heap; it cannot be taken away again, nor can this module");

static struct dma_buf *own_allocate(struct dma_heap *own, unsigned long len,
				    u32 fd_flags, u64 heap_flags)
{
	/* An errno by which it can be told. */
	return ERR_PTR(-EXFULL);
}

static const struct dma_heap_ops own_ops = {
	.allocate = own_allocate,
};

static const struct dma_heap_export_info own_heap = {
	.name = "system_cc_shared",
	.ops = &own_ops,
};

static const struct file_operations own_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice own_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ccshm-heap",
	.fops = &own_fops,
};

static int __init own_init(void)
{
	struct dma_heap *own;

	if (!heap)
		return misc_register(&own_device);
	own = dma_heap_add(&own_heap);
	if (IS_ERR(own))
		return PTR_ERR(own);
	__module_get(THIS_MODULE);
	return 0;
}

static void __exit own_exit(void)
{
	misc_deregister(&own_device);
}

module_init(own_init);
module_exit(own_exit);

MODULE_DESCRIPTION("Stands for a kernel's own system_cc_shared");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
