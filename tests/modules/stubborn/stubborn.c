// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace the configuration space accessors of a PCI device's root bus. While "on" is set,
 * bus mastering of the device cannot be disabled. While "silent" is set, the device does not
 * respond: reads return all ones, and writes are ignored. All layers above these accessors
 * are unmodified. While "locked" is set, a kernel thread holds the device's lock.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/pci.h>

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of a PCI device in sysfs");

static bool on = true;
module_param(on, bool, 0644);
MODULE_PARM_DESC(on, "bus mastering cannot be disabled (default: true)");

static int silent;
module_param(silent, int, 0644);
MODULE_PARM_DESC(silent, "number of reads without a response; -1: all");

static struct pci_bus *bus;
static unsigned int devfn;
static struct pci_ops *real, stubborn;

/* ---- the device's lock ---- */

static struct task_struct *locker;
static DECLARE_COMPLETION(locked);

static int hold_lock(void *data)
{
	struct device *dev = data;

	device_lock(dev);
	complete(&locked);
	while (!kthread_should_stop()) {
		set_current_state(TASK_IDLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	device_unlock(dev);
	put_device(dev);
	return 0;
}

static void unlock(void)
{
	if (locker)
		kthread_stop(locker);
	locker = NULL;
}

static int lock(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, device);
	struct task_struct *task;

	if (!dev)
		return -ENODEV;
	reinit_completion(&locked);
	task = kthread_run(hold_lock, dev, "ccshm_stubborn");
	if (IS_ERR(task)) {
		put_device(dev);
		return PTR_ERR(task);
	}
	locker = task;
	wait_for_completion(&locked);
	return 0;
}

static int locked_set(const char *value, const struct kernel_param *kp)
{
	bool want;
	int err = kstrtobool(value, &want);

	if (err)
		return err;
	if (!want)
		unlock();
	return want && !locker ? lock() : 0;
}

static int locked_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%d\n", !!locker);
}

static const struct kernel_param_ops locked_ops = {
	.set = locked_set,
	.get = locked_get,
};
module_param_cb(locked, &locked_ops, NULL, 0644);
MODULE_PARM_DESC(locked, "1: hold the device's lock; 0: release it");

/* ---- its configuration space ---- */

static int stubborn_read(struct pci_bus *on_bus, unsigned int fn, int where,
			 int size, u32 *value)
{
	int left = READ_ONCE(silent);

	if (fn != devfn || !left)
		return real->read(on_bus, fn, where, size, value);
	if (left > 0)
		WRITE_ONCE(silent, left - 1);
	*value = size == 1 ? U8_MAX : size == 2 ? U16_MAX : U32_MAX;
	return PCIBIOS_SUCCESSFUL;
}

static int stubborn_write(struct pci_bus *on_bus, unsigned int fn, int where,
			  int size, u32 value)
{
	if (READ_ONCE(silent) && fn == devfn)
		return PCIBIOS_SUCCESSFUL;
	/* The bit is in the first byte, so every write at this offset contains it. */
	if (READ_ONCE(on) && fn == devfn && where == PCI_COMMAND)
		value |= PCI_COMMAND_MASTER;
	return real->write(on_bus, fn, where, size, value);
}

static int __init stubborn_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, device);

	if (!dev)
		return -ENODEV;
	/* The device may be removed; the root bus stays. */
	bus = to_pci_dev(dev)->bus;
	devfn = to_pci_dev(dev)->devfn;
	put_device(dev);
	if (!pci_is_root_bus(bus))
		return -EINVAL;
	real = bus->ops;
	stubborn = *real;
	stubborn.read = stubborn_read;
	stubborn.write = stubborn_write;
	pci_bus_set_ops(bus, &stubborn);
	return 0;
}

static void __exit stubborn_exit(void)
{
	unlock();
	pci_bus_set_ops(bus, real);
}

module_init(stubborn_init);
module_exit(stubborn_exit);

MODULE_DESCRIPTION("Test: a PCI device whose bus mastering cannot be disabled");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
