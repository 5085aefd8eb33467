// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/dma_heap/system_cc_shared, for programs that use the kernel's heap of that name. It
 * is a misc device: a heap that dma_heap_add() makes cannot be removed, and kernels before
 * 7.1 do not export that function to modules.
 */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-heap.h>

#include "ccshm.h"

#define HEAP_CLASS	"dma_heap"
#define HEAP_NAME	"system_cc_shared"

static char *heap = "auto";
module_param(heap, charp, 0444);
MODULE_PARM_DESC(heap,
		 "/dev/dma_heap/system_cc_shared: auto, where the kernel has none of its own, or off (default: auto)");

static bool heap_present;

static int heap_commit(struct ccshm_call *call)
{
	struct ccshm_buffer *buffer = call->object->buffer;
	int err = ccshm_dmabuf_commit(call, buffer);

	/* Otherwise heap_undo() drops the reference of the call. */
	if (!err)
		ccshm_object_put(&buffer->obj);
	return err;
}

static void heap_undo(struct ccshm_call *call)
{
	struct ccshm_buffer *buffer = call->object->buffer;

	ccshm_dmabuf_undo(call);
	ccshm_buffer_cancel(buffer);
}

/* Make a buffer and its only export, which is pinned, as those of the kernel's heaps are. */
static int heap_make(struct ccshm_call *call, u64 size, int fd_flags)
{
	struct ccshm_ioc_export req = { .flags = CCSHM_EXPORT_PINNED };
	struct ccshm_buffer *buffer = ccshm_buffer_for_heap(size);
	int err;

	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	req.size = buffer->size;
	call->arg = &req;
	/* Take the use and the reference of the export, unless the buffer was freed. */
	if (!refcount_inc_not_zero(&buffer->users)) {
		ccshm_buffer_cancel(buffer);
		return -ENOENT;
	}
	kref_get(&buffer->obj.ref);
	err = ccshm_dmabuf_make(call, buffer, fd_flags);
	if (err) {
		ccshm_buffer_cancel(buffer);
		return err;
	}
	call->commit = heap_commit;
	call->undo = heap_undo;
	return 0;
}

static int heap_alloc(struct ccshm_call *call,
		      struct dma_heap_allocation_data *data)
{
	u64 size = PAGE_ALIGN(data->len);
	int err;

	if (data->fd || data->fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    data->heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS || !size)
		return -EINVAL;
	err = heap_make(call, size, data->fd_flags);
	if (!err)
		data->fd = call->fd;
	return err;
}

/*
 * Accept the same calls as the kernel's heaps: identify a call by its number alone, accept
 * any size, and ignore what follows the known structure. Unlike there, undo the allocation
 * if the answer cannot be copied out.
 */
static long heap_call(unsigned int cmd, void __user *user, void *data)
{
	struct ccshm_call call = {};
	size_t in = cmd & IOC_IN ? _IOC_SIZE(cmd) : 0;
	size_t out = cmd & IOC_OUT ? _IOC_SIZE(cmd) : 0;
	int err;

	if (copy_from_user(data, user, in))
		return -EFAULT;
	err = heap_alloc(&call, data);
	return ccshm_call_end(&call, err, copy_to_user(user, data, out));
}

static long heap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	size_t size = max_t(size_t, sizeof(struct dma_heap_allocation_data),
			    _IOC_SIZE(cmd));
	void *data;
	long ret;

	if (_IOC_NR(cmd) != _IOC_NR(DMA_HEAP_IOCTL_ALLOC))
		return -EINVAL;
	data = kzalloc(size, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	ret = heap_call(cmd, (void __user *)arg, data);
	kfree(data);
	return ret;
}

static int heap_open(struct inode *inode, struct file *file)
{
	return nonseekable_open(inode, file);
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.open = heap_open,
	.unlocked_ioctl = heap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice heap_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ccshm-heap",		/* a name must not contain a slash */
	.nodename = HEAP_CLASS "/" HEAP_NAME,
	.fops = &heap_fops,
	.mode = 0600,
};

/*
 * Check whether the kernel has its own heap of this name: whether sysfs has the device
 * /sys/devices/virtual/dma_heap/system_cc_shared. The kernel exports neither a lookup of
 * heaps to modules nor their class. @misc is /dev/ccshm, which has no parent device: it is
 * in the directory of its class, in /sys/devices/virtual/misc.
 */
static bool kernel_has_heap(const struct device *misc)
{
	static const char * const path[] = { HEAP_CLASS, HEAP_NAME };
	struct kernfs_node *dir = misc->kobj.parent->parent->sd;
	unsigned int i;
	bool found;

	kernfs_get(dir);
	for (i = 0; i < ARRAY_SIZE(path) && dir; i++) {
		struct kernfs_node *next = kernfs_find_and_get(dir, path[i]);

		kernfs_put(dir);
		dir = next;
	}
	found = dir;
	kernfs_put(dir);
	return found;
}

/* Check the parameter, before anything is made. */
int __init ccshm_heap_check(void)
{
	if (!strcmp(heap, "auto") || !strcmp(heap, "off"))
		return 0;
	pr_err("ccshm: heap=%s: it is either auto or off\n", heap);
	return -EINVAL;
}

/**
 * ccshm_heap_init - make the node, if it is wanted
 * @misc: device /dev/ccshm, which is registered
 *
 * A failure is logged: all else works without the node.
 */
void __init ccshm_heap_init(const struct device *misc)
{
	int err;

	if (!strcmp(heap, "off"))
		return;
	if (kernel_has_heap(misc)) {
		pr_info("ccshm: the kernel has its own heap " HEAP_NAME "\n");
		return;
	}
	err = misc_register(&heap_device);
	if (err)
		pr_warn("ccshm: no heap " HEAP_NAME ": error %d\n", err);
	heap_present = !err;
}

void ccshm_heap_exit(void)
{
	if (heap_present)
		misc_deregister(&heap_device);
}

/* Check whether the node of that name is ccshm's. */
bool ccshm_heap_is_ours(void)
{
	return heap_present;
}
