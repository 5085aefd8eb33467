// SPDX-License-Identifier: GPL-2.0-only
/*
 * When "restart" is written, restart the machine, but stop after all reboot notifiers have
 * run and before the kernel shuts down devices. "command" is then the command register of a
 * PCI device at that moment. The stopped thread holds the lock of the notifier chain, so
 * modules with a reboot notifier, including this one, cannot be unloaded afterwards. Powering
 * off still works.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/reboot.h>
#include <linux/wait.h>

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of a PCI device in sysfs");

static int command = -1;
module_param(command, int, 0444);
MODULE_PARM_DESC(command, "command register of the device after the reboot notifiers; -1: not yet");

static struct pci_dev *pdev;
static struct task_struct *restarter;
static DECLARE_WAIT_QUEUE_HEAD(never);

static int restart_notified(struct notifier_block *nb, unsigned long action, void *data)
{
	u16 value;

	if (current != READ_ONCE(restarter))
		return NOTIFY_DONE;
	pci_read_config_word(pdev, PCI_COMMAND, &value);
	WRITE_ONCE(command, value);
	wait_event_idle(never, false);
	return NOTIFY_DONE;
}

static struct notifier_block last = { .notifier_call = restart_notified, .priority = INT_MIN };

static int do_restart(void *data)
{
	WRITE_ONCE(restarter, current);
	kernel_restart(NULL);
	return 0;
}

static int restart_set(const char *value, const struct kernel_param *kp)
{
	return PTR_ERR_OR_ZERO(kthread_run(do_restart, NULL, "ccshm-restart"));
}

static const struct kernel_param_ops restart_ops = { .set = restart_set };
module_param_cb(restart, &restart_ops, NULL, 0200);
MODULE_PARM_DESC(restart, "write anything to restart");

static int __init restart_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, device);
	int err;

	if (!dev)
		return -ENODEV;
	pdev = to_pci_dev(dev);
	err = register_reboot_notifier(&last);
	if (err)
		pci_dev_put(pdev);
	return err;
}

static void __exit restart_exit(void)
{
	unregister_reboot_notifier(&last);
	pci_dev_put(pdev);
}

module_init(restart_init);
module_exit(restart_exit);

MODULE_DESCRIPTION("Test: the state of a device between reboot notifiers and device shutdown");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
