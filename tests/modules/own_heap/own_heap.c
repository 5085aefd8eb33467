// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register a misc device with the name of ccshm's heap device, to create a conflict before
 * ccshm is loaded.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static const struct file_operations own_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice own_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ccshm-heap",
	.fops = &own_fops,
};

module_misc_device(own_device);

MODULE_DESCRIPTION("Test: a device with the name of ccshm's heap device");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
