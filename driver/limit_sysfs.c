// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of the device that show and change the limits and the size of the pool, and the
 * module parameters of the same names.
 */
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "ccshm.h"

/**
 * struct limit_file - attribute that shows and changes a limit
 * @attr: attribute of the device
 * @quota: limit
 * @bytes: the limit is in bytes; a value may end with a unit
 */
struct limit_file {
	struct device_attribute attr;
	enum ccshm_quota quota;
	bool bytes;
};

static unsigned int unit_shift(char unit)
{
	switch (toupper(unit)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	default:
		return 0;
	}
}

/*
 * Parse "max" or a decimal number. A number of bytes may end with K, M, G or T in
 * either case, as in the sizes of ccshmctl.
 */
static int limit_parse(const char *text, bool bytes, u64 *result)
{
	char number[24];
	unsigned int shift;
	size_t len = strcspn(text, "\n");
	u64 value;
	int err;

	if (!len || len >= sizeof(number) || (text[len] && text[len + 1]))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (!strcmp(number, "max")) {
		*result = CCSHM_LIMIT_NONE;
		return 0;
	}
	shift = bytes ? unit_shift(number[len - 1]) : 0;
	if (shift)
		number[len - 1] = '\0';
	if (!isdigit(number[0]))
		return -EINVAL;
	err = kstrtou64(number, 10, &value);
	if (err)
		return err;
	if (value > U64_MAX >> shift)
		return -ERANGE;
	*result = value << shift;
	return 0;
}

/* Parse what is written to an attribute, by a process that may do so. */
static int limit_parse_written(const char *text, bool bytes, u64 *result)
{
	/* In a container, the file's owner can be a user without privileges. */
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return limit_parse(text, bytes, result);
}

static struct limit_file *limit_file_of(struct device_attribute *attr)
{
	return container_of(attr, struct limit_file, attr);
}

static ssize_t limit_store(struct device *dev, struct device_attribute *attr,
			   const char *text, size_t len)
{
	const struct limit_file *file = limit_file_of(attr);
	u64 value;
	int err = limit_parse_written(text, file->bytes, &value);

	if (err)
		return err;
	ccshm_limit_set(file->quota, value);
	return len;
}

static ssize_t limit_show(struct device *dev, struct device_attribute *attr,
			  char *text)
{
	u64 value = ccshm_limit_value(limit_file_of(attr)->quota);

	if (value == CCSHM_LIMIT_NONE)
		return sysfs_emit(text, "max\n");
	return sysfs_emit(text, "%llu\n", value);
}

static struct limit_file total_bytes = {
	__ATTR(limit_total_bytes, 0644, limit_show, limit_store),
	CCSHM_QUOTA_TOTAL_BYTES, .bytes = true,
};

static struct limit_file user_bytes = {
	__ATTR(limit_user_bytes, 0644, limit_show, limit_store),
	CCSHM_QUOTA_USER_BYTES, .bytes = true,
};

static struct limit_file user_buffers = {
	__ATTR(limit_user_buffers, 0644, limit_show, limit_store),
	CCSHM_QUOTA_USER_BUFFERS,
};

static struct limit_file user_exports = {
	__ATTR(limit_user_exports, 0644, limit_show, limit_store),
	CCSHM_QUOTA_USER_EXPORTS,
};

static ssize_t used_bytes_show(struct device *dev,
			       struct device_attribute *attr, char *text)
{
	struct ccshm_usage sum;

	ccshm_limit_usage_all(&sum);
	return sysfs_emit(text, "%llu\n", sum.pages << PAGE_SHIFT);
}
static DEVICE_ATTR_RO(used_bytes);

static ssize_t used_buffers_show(struct device *dev,
				 struct device_attribute *attr, char *text)
{
	struct ccshm_usage sum;

	ccshm_limit_usage_all(&sum);
	return sysfs_emit(text, "%u\n", sum.objects[CCSHM_TYPE_BUFFER]);
}
static DEVICE_ATTR_RO(used_buffers);

static ssize_t leaked_bytes_show(struct device *dev,
				 struct device_attribute *attr, char *text)
{
	struct ccshm_usage sum;

	ccshm_limit_usage_all(&sum);
	return sysfs_emit(text, "%llu\n", sum.leaked << PAGE_SHIFT);
}
static DEVICE_ATTR_RO(leaked_bytes);

/* ---- the pool */

/**
 * struct pool_file - attribute that shows and changes a size of the pool
 * @attr: attribute of the device
 * @get: returns the size in bytes
 * @set: changes the size
 */
struct pool_file {
	struct device_attribute attr;
	u64 (*get)(void);
	void (*set)(u64 bytes);
};

static struct pool_file *pool_file_of(struct device_attribute *attr)
{
	return container_of(attr, struct pool_file, attr);
}

static ssize_t pool_show(struct device *dev, struct device_attribute *attr,
			 char *text)
{
	return sysfs_emit(text, "%llu\n", pool_file_of(attr)->get());
}

static ssize_t pool_store(struct device *dev, struct device_attribute *attr,
			  const char *text, size_t len)
{
	u64 bytes;
	int err = limit_parse_written(text, true, &bytes);

	if (err)
		return err;
	pool_file_of(attr)->set(bytes);
	return len;
}

static struct pool_file pool_min = {
	__ATTR(pool_min_bytes, 0644, pool_show, pool_store),
	ccshm_pool_min, ccshm_pool_set_min,
};

static struct pool_file pool_max = {
	__ATTR(pool_max_bytes, 0644, pool_show, pool_store),
	ccshm_pool_max, ccshm_pool_set_max,
};

static struct pool_file pool_idle = {
	__ATTR(pool_idle_bytes, 0444, pool_show, NULL), ccshm_pool_idle,
};

static ssize_t refusals_show(struct device *dev, struct device_attribute *attr,
			     char *text)
{
	struct ccshm_event_stats stats;

	ccshm_event_stats(&stats);
	return sysfs_emit(text, "%llu\n", stats.refused);
}
static DEVICE_ATTR_RO(refusals);

static struct attribute *limit_attrs[] = {
	&total_bytes.attr.attr,
	&user_bytes.attr.attr,
	&user_buffers.attr.attr,
	&user_exports.attr.attr,
	&dev_attr_used_bytes.attr,
	&dev_attr_used_buffers.attr,
	&dev_attr_leaked_bytes.attr,
	&dev_attr_refusals.attr,
	&pool_min.attr.attr,
	&pool_max.attr.attr,
	&pool_idle.attr.attr,
	NULL,
};

static const struct attribute_group limit_group = { .attrs = limit_attrs };

const struct attribute_group *ccshm_limit_groups[] = { &limit_group, NULL };

static int limit_param_set(const char *text, const struct kernel_param *param)
{
	const struct limit_file *file = param->arg;
	u64 value;
	int err = limit_parse(text, file->bytes, &value);

	if (!err)
		ccshm_limit_set(file->quota, value);
	else
		pr_err("ccshm: %s=%s: not a limit: a number%s, or max\n",
		       param->name, text,
		       file->bytes ? ", with K, M, G or T" : "");
	return err;
}

static const struct kernel_param_ops limit_param = { .set = limit_param_set };

/* Not in /sys/module: the attributes of the device show the limits that apply. */
module_param_cb(limit_total_bytes, &limit_param, &total_bytes, 0);
MODULE_PARM_DESC(limit_total_bytes,
		 "bytes that all users together may share, with K, M, G or T, or max (default: half of memory)");
module_param_cb(limit_user_bytes, &limit_param, &user_bytes, 0);
MODULE_PARM_DESC(limit_user_bytes,
		 "bytes that each user may share, with K, M, G or T, or max (default: half of limit_total_bytes)");
module_param_cb(limit_user_buffers, &limit_param, &user_buffers, 0);
MODULE_PARM_DESC(limit_user_buffers,
		 "buffers that each user may have, or max (default: 65536)");
module_param_cb(limit_user_exports, &limit_param, &user_exports, 0);
MODULE_PARM_DESC(limit_user_exports,
		 "exports that each user may make and keep, or max (default: 65536)");

static int pool_param_set(const char *text, const struct kernel_param *param)
{
	const struct pool_file *file = param->arg;
	u64 bytes;
	int err = limit_parse(text, true, &bytes);

	if (err)
		pr_err("ccshm: %s=%s: not a size: a number, with K, M, G or T, or max\n",
		       param->name, text);
	else
		file->set(bytes);
	return err;
}

static const struct kernel_param_ops pool_param = { .set = pool_param_set };

module_param_cb(pool_min_bytes, &pool_param, &pool_min, 0);
MODULE_PARM_DESC(pool_min_bytes,
		 "bytes of the pool that are shared and zeroed in advance, with K, M, G or T (default: 0)");
module_param_cb(pool_max_bytes, &pool_param, &pool_max, 0);
MODULE_PARM_DESC(pool_max_bytes,
		 "bytes that the pool keeps shared and zeroed at most, with K, M, G or T; 0: no pool (default: 0)");
