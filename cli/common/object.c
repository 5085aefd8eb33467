// SPDX-License-Identifier: GPL-2.0-only
/* Find the objects that the arguments of a command name. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

int id_parse(const char *text, uint64_t *id)
{
	const char *s = text;
	char *end;

	if (*s == '@')
		s++;
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*id = strtoull(s, &end, 10);
	if (errno || *end || !*id)
		return -EINVAL;
	return 0;
}

/* Parse digits. Return -1 on failure; -1 is not a user or group: it means "unset". */
static int64_t number_parse(const char *text)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value >= UINT32_MAX)
		return -1;
	return (int64_t)value;
}

int user_parse(const char *text, uid_t *uid)
{
	struct passwd *pw = getpwnam(text);
	int64_t number;

	if (pw) {
		*uid = pw->pw_uid;
		return 0;
	}
	number = number_parse(text);
	if (number < 0)
		return -ENOENT;
	*uid = (uid_t)number;
	return 0;
}

int group_parse(const char *text, gid_t *gid)
{
	struct group *gr = getgrnam(text);
	int64_t number;

	if (gr) {
		*gid = gr->gr_gid;
		return 0;
	}
	number = number_parse(text);
	if (number < 0)
		return -ENOENT;
	*gid = (gid_t)number;
	return 0;
}

const char mode_error[] = "is not an octal number of read and write bits, such as 0640";

int mode_parse(const char *text, mode_t *mode)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 8);
	if (errno || *end || *text < '0' || *text > '7' || value & ~0666UL)
		return -EINVAL;
	*mode = (mode_t)value;
	return 0;
}

const char *name_error(const char *name)
{
	static const char first[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char rest[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	if (!strspn(name, first) || name[strspn(name, rest)])
		return "is not a name: a letter or '_', then letters, digits, '.', '_' or '-'";
	if (strlen(name) >= CCSHM_NAME_LEN)
		return "is a name of more than 63 characters";
	return NULL;
}

/* Return why there is no driver. */
static const char *why_no_driver(void)
{
	bool node = system_exists("%s", CCSHM_DEVICE);
	uint32_t platform;

	if (system_exists("/sys/module/ccshm") && !node)
		return "the module is loaded, but its device node is missing; see `ccshmctl doctor`";
	if (node)
		return "the device node has no driver; remove it, then load the driver with `modprobe ccshm`";
	if (ccshm_platform_detect(&platform))
		return "the module is not loaded; see `ccshmctl doctor`";
	if (platform == CCSHM_PLATFORM_NONE)
		return "the module is not loaded, and this is not a confidential guest, the only place where it loads; see `ccshmctl doctor`";
	return "the module is not loaded in this confidential guest; load it with `modprobe ccshm`, or see `ccshmctl doctor`";
}

static int driver_open_with(uint64_t flags, struct ccshm **ctx)
{
	int err = ccshm_open(flags, ctx);

	if (!err)
		return EXIT_OK;
	if (error_exit_code(OP_OPEN, err) == EXIT_NO_DRIVER) {
		complain("cannot open %s: %s", CCSHM_DEVICE, why_no_driver());
		return EXIT_NO_DRIVER;
	}
	return report(OP_OPEN, err, CCSHM_DEVICE);
}

int driver_open(struct ccshm **ctx)
{
	return driver_open_with(0, ctx);
}

int driver_look(struct ccshm **ctx)
{
	return driver_open_with(CCSHM_READ_ONLY, ctx);
}

int buffer_open(struct ccshm *ctx, const char *text, struct ccshm_buffer **buffer)
{
	char why[CAUSE_LEN];
	const char *cause;
	uint64_t id;
	int err = -EINVAL;

	*buffer = NULL;
	if (*text == '@' || isdigit((unsigned char)*text)) {
		/*
		 * The name of a buffer does not begin with a digit, but a UID can precede it:
		 * 1000/name.
		 */
		err = id_parse(text, &id);
		if (!err)
			err = ccshm_buffer_open_id(ctx, id, buffer);
		else if (strchr(text, '/'))
			err = ccshm_buffer_open(ctx, text, buffer);
	} else {
		err = ccshm_buffer_open(ctx, text, buffer);
	}
	if (!err)
		return EXIT_OK;
	/* Distinguish a user that does not exist from a buffer that does not exist. */
	cause = err == -EINVAL || err == -ENOENT ? buffer_refused(ctx, text, why) : NULL;
	return cause ? report_cause(OP_FIND, text, cause) : report(OP_FIND, err, text);
}

int report_use(enum op op, int err, struct ccshm_buffer *buffer, const char *object)
{
	struct ccshm_status *st;
	bool sealed;

	if ((err != -EACCES && err != -EPERM) || ccshm_buffer_status(buffer, &st))
		return report(op, err, object);
	sealed = ccshm_status_is_sealed(st) && !ccshm_status_has_control(st);
	ccshm_status_free(st);
	if (!sealed)
		return report(op, err, object);
	complain("cannot %s %s: it is sealed; only its owner can create exports and "
		 "attachments, or unseal it with `ccshmctl set --unseal'",
		 op == OP_EXPORT ? "export" : op == OP_ATTACH ? "attach" : "map", object);
	return EXIT_PERMISSION;
}

int object_find(struct ccshm *ctx, const char *text, uint64_t *id)
{
	struct ccshm_buffer *buffer;
	int code;

	if (!id_parse(text, id))
		return EXIT_OK;
	code = buffer_open(ctx, text, &buffer);
	if (code)
		return code;
	*id = ccshm_buffer_id(buffer);
	ccshm_buffer_close(buffer);
	return EXIT_OK;
}
