// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine goes down. Before a reboot, a halt or kexec, the devices that userspace
 * drivers have given shared memory are stopped: no kernel driver does it for them, and
 * after kexec they would go on writing into what is then the next kernel's memory. For
 * kexec the kernel clears bus mastering itself, but 6.1 and 6.12 only of devices whose
 * power state they know: not of one that no kernel driver has ever enabled.
 */
#include <linux/notifier.h>
#include <linux/reboot.h>

#include "ccshm.h"

static int going_down(struct notifier_block *nb, unsigned long action, void *data)
{
	ccshm_attach_stop_all();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = going_down };

int ccshm_power_init(void)
{
	return register_reboot_notifier(&reboot_notifier);
}

void ccshm_power_exit(void)
{
	unregister_reboot_notifier(&reboot_notifier);
}
