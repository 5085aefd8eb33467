// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reboot and hibernation.
 *
 * Before a reboot, a halt or kexec, stop the devices to which userspace drivers have
 * given shared memory: no kernel driver stops them, and after kexec they would continue
 * to write to memory that belongs to the next kernel. The kernel clears bus mastering
 * before kexec, but 6.1 and 6.12 do so only for devices whose power state they know
 * (pci_device_shutdown()), not for one that no kernel driver has ever enabled.
 *
 * Refuse hibernation while memory is shared: after the next boot all memory is private,
 * but the image restores a kernel that maps some of it as shared. Refuse a resume in the
 * same way: the image would be loaded into pages that the host can access.
 */
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "ccshm.h"

static int reboot_stop_devices(struct notifier_block *nb, unsigned long action,
			       void *data)
{
	ccshm_attachment_stop_all();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = reboot_stop_devices };

/* Refuse @what while the host may access memory; otherwise stop sharing memory. */
static int image_prepare(const char *what)
{
	struct ccshm_convert_held held;

	ccshm_pool_stop();
	if (ccshm_convert_stop(&held))
		return NOTIFY_DONE;
	ccshm_pool_continue();
	if (held.shared)
		pr_warn("ccshm: %s refused: %llu bytes are shared with the host; free all buffers first\n",
			what, held.shared);
	else if (held.quarantined)
		pr_warn("ccshm: %s refused: %llu bytes are not private again yet; retry later\n",
			what, held.quarantined);
	else
		pr_warn("ccshm: %s refused: %llu bytes were leaked, and the host may reach them until the next reboot\n",
			what, held.leaked);
	return notifier_from_errno(-EBUSY);
}

static int image_event(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
		return image_prepare("hibernation");
	case PM_RESTORE_PREPARE:
		return image_prepare("resume from hibernation");
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		ccshm_convert_continue();
		ccshm_pool_continue();
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block image_notifier = { .notifier_call = image_event };

int ccshm_power_init(void)
{
	int err = register_reboot_notifier(&reboot_notifier);

	if (err)
		return err;
	err = register_pm_notifier(&image_notifier);
	if (err)
		unregister_reboot_notifier(&reboot_notifier);
	return err;
}

void ccshm_power_exit(void)
{
	unregister_pm_notifier(&image_notifier);
	unregister_reboot_notifier(&reboot_notifier);
}
