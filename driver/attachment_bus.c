// SPDX-License-Identifier: GPL-2.0-only
/* Attachments: what happens on the bus to their devices. */
#include <linux/device.h>
#include <linux/notifier.h>
#include <linux/pci.h>

#include "ccshm.h"

/*
 * Stop the device when a driver binds or unbinds (called under the device lock), or when
 * the device is removed: the process that attached the device does not control it any
 * more.
 */
static int device_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	bool removed = action == BUS_NOTIFY_DEL_DEVICE ||
		       action == BUS_NOTIFY_REMOVED_DEVICE;
	struct ccshm_attachment *att;
	struct ccshm_stop stop = {};
	struct device *dev = data;
	u64 id = 0;

	if (!removed && action != BUS_NOTIFY_BIND_DRIVER &&
	    action != BUS_NOTIFY_UNBIND_DRIVER)
		return NOTIFY_DONE;
	while ((att = ccshm_attachment_next(dev, id))) {
		id = att->obj.id;
		ccshm_attachment_stop(att, &stop);
		ccshm_object_put(&att->obj);
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

int __init ccshm_attachment_bus_init(void)
{
	return bus_register_notifier(&pci_bus_type, &device_notifier);
}

void ccshm_attachment_bus_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &device_notifier);
}
