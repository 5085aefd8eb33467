// SPDX-License-Identifier: GPL-2.0-only
/* Error messages: the object, the cause and the remedy; and exit codes for scripts. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

static const char *const op_verbs[] = {
	[OP_OPEN] = "open",
	[OP_INFO] = "ask",
	[OP_ALLOC] = "allocate",
	[OP_FREE] = "free",
	[OP_SET] = "change",
	[OP_FIND] = "find",
	[OP_SHOW] = "show",
	[OP_PAGES] = "show the pages of",
	[OP_EXPORT] = "export",
	[OP_MAP] = "map",
	[OP_REVOKE] = "revoke",
	[OP_ATTACH] = "attach",
	[OP_SEGMENTS] = "get the segments of",
	[OP_DETACH] = "detach",
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_OUTPUT] = "write",
	[OP_DEVICE] = "ask about",
	[OP_LIST] = "list",
	[OP_OBJECTS] = "list",
	[OP_STATS] = "ask",
	[OP_EVENTS] = "listen to",
	[OP_CONFIG] = "read",
	[OP_POOL] = "read",
	[OP_POOL_SET] = "change",
};

#define ANY_OP	(-1)

#define NO_FAMILY							\
	"the driver is not loaded, or this is not the initial network namespace; "	\
	"see `ccshmctl doctor`"
#define NO_NODE								\
	"the driver is not loaded, or its device node is missing; see `ccshmctl doctor`"
#define NO_PERMISSION							\
	"you are not permitted to read /dev/ccshm, and the driver's netlink family cannot "	\
	"be used here; run as root, or join the group that owns the device"

#define NO_POOL								\
	"the driver is too old to have a pool; install the driver of a newer release and load the new module"

/* For an EINVAL that no check of ccshmctl prevents and refusal.c does not explain. */
#define OLD_DRIVER							\
	"the driver does not know one of the options; install ccshmctl and driver of the same release"

/* The first matching row applies. */
static const struct reason {
	int op;
	int err;
	const char *text;
} reasons[] = {
	{ OP_OPEN, EACCES,
	  "you are not permitted to use it; run as root, or join the group that owns it" },
	{ OP_OPEN, EPERM,
	  "you are not permitted to use it; run as root, or join the group that owns it" },
	{ OP_OPEN, EPROTO,
	  "the driver is too old for this ccshmctl; install the driver of a newer release and load the new module" },
	{ OP_OPEN, EPROTONOSUPPORT,
	  "this ccshmctl is too old for the driver; install ccshmctl and libccshm of the driver's release" },

	{ OP_ALLOC, EINVAL, OLD_DRIVER },
	{ OP_ALLOC, EPERM,
	  "only root may give a buffer to another user, or to a group that you are not in" },
	{ OP_ALLOC, EEXIST,
	  "the owner already has a buffer of that name; free that one, or choose another name" },
	{ OP_ALLOC, ENOMEM,
	  "not enough memory of the requested kind is free, or not in one piece; request less, or free some" },
	{ OP_ALLOC, EDQUOT,
	  "this would exceed your per-user limit (limit_user_bytes, limit_user_buffers in `ccshmctl info`); free some, or have an administrator raise the limit" },
	{ OP_ALLOC, ENOSPC,
	  "this would exceed the limit of all users together (limit_total_bytes in `ccshmctl info`); free some, or have an administrator raise the limit" },
	{ OP_ALLOC, EFBIG,
	  "it is larger than the largest possible piece (contiguous_max in `ccshmctl info`)" },
	{ OP_ALLOC, EIO,
	  "the platform refused to share the memory; see dmesg, and bytes_leaked in `ccshmctl info`" },
	{ OP_ALLOC, EBUSY,
	  "the machine is hibernating; retry after it has resumed" },

	{ OP_EXPORT, EINVAL, OLD_DRIVER },
	{ OP_EXPORT, EDQUOT,
	  "this would exceed your limit of exports (limit_user_exports in `ccshmctl info`); close some, or have an administrator raise the limit" },
	{ OP_EXPORT, EPERM,
	  "only the owner may make pinned exports of this buffer; the owner can allow it with alloc --others-pin" },
	{ OP_EXPORT, EACCES,
	  "the buffer's mode does not allow it; use --read-only, or ask its owner" },
	{ OP_MAP, EACCES,
	  "the buffer's mode does not allow it; ask its owner" },

	{ OP_REVOKE, ETIMEDOUT,
	  "a device is still using the memory; new access is refused; retry with a longer --timeout, or stop the device with --force" },
	{ OP_REVOKE, EBUSY,
	  "importers of a pinned export still use the memory; new access is refused; end the programs that use it, then retry" },
	{ OP_REVOKE, EIO,
	  "a device could not be stopped; the memory is held until a retry with --force succeeds, or until its holder, or an administrator with `ccshmctl detach`, reports that the device has stopped; removing the device in software does not prove it" },
	{ OP_REVOKE, EPERM,
	  "only the buffer's owner and root may revoke, and --force needs CAP_SYS_RAWIO; run as root" },

	{ OP_ATTACH, EINVAL,
	  "the device cannot take a whole page of memory at once" },
	{ OP_ATTACH, ENODEV,
	  "there is no such device; `ccshmctl devices` lists them" },
	{ OP_ATTACH, EPERM,
	  "it needs CAP_SYS_RAWIO; run as root" },
	{ OP_ATTACH, EACCES,
	  "the buffer's mode does not permit you to write; ask its owner" },
	{ OP_ATTACH, EBUSY,
	  "a kernel driver owns the device; unbind that driver, or bind vfio-pci or a uio driver" },
	{ OP_ATTACH, EOPNOTSUPP,
	  "the device cannot use shared memory, or needs none; `ccshmctl devices DEVICE` shows why" },
	{ OP_ATTACH, ERANGE,
	  "the device cannot address the memory; if its DMA engine drives more address bits, set --dma-bits" },
	{ OP_ATTACH, EIO,
	  "the device cannot be resumed from a low-power state; see dmesg" },
	{ OP_ATTACH, ESHUTDOWN,
	  "the machine is shutting down; devices cannot be attached any more" },

	{ OP_SEGMENTS, ENODEV,
	  "it is being revoked; its addresses must not be used any more" },
	{ OP_SEGMENTS, EPERM,
	  "only the buffer's owner may see them, and it needs CAP_SYS_RAWIO; run as root" },
	{ OP_DETACH, EPERM,
	  "only the buffer's owner may, and it needs CAP_SYS_RAWIO; run as root" },
	{ OP_FREE, EPERM,
	  "only the buffer's owner and root may free it" },

	{ OP_SET, EINVAL,
	  "this buffer is not persistent: only --seal and --unseal are possible" },
	{ OP_SET, EPERM,
	  "only the buffer's owner and root may change it; another owner, or a group that you are not in, needs CAP_CHOWN; run as root" },
	{ OP_SET, EEXIST,
	  "the owner already has a buffer of that name; choose another name with --name" },

	{ OP_DEVICE, EINVAL,
	  "its name is longer than the 63 characters that the driver accepts" },
	{ OP_DEVICE, ENODEV,
	  "there is no such device; `ccshmctl devices --all` lists them" },

	{ OP_OBJECTS, ENODEV, NO_NODE },
	{ OP_OBJECTS, EACCES, NO_PERMISSION },
	{ OP_OBJECTS, EPERM, NO_PERMISSION },
	{ OP_STATS, ENODEV, NO_NODE },
	{ OP_STATS, EACCES, NO_PERMISSION },
	{ OP_STATS, EPERM, NO_PERMISSION },
	{ OP_EVENTS, ENODEV, NO_FAMILY },
	{ OP_EVENTS, EPERM, "it needs CAP_SYS_ADMIN; run as root" },
	{ OP_EVENTS, EOPNOTSUPP,
	  "this kernel cannot restrict events to root, so the driver sends none; update the kernel" },

	{ OP_POOL, ENOENT, NO_POOL },
	{ OP_POOL_SET, ENOENT, NO_POOL },
	{ OP_POOL_SET, EACCES, "only root may change it; run as root" },
	{ OP_POOL_SET, EPERM,
	  "it needs CAP_SYS_RESOURCE in the initial user namespace; run as root, outside of containers" },

	{ OP_READ, EFAULT, "the buffer was revoked during the copy" },
	{ OP_WRITE, EFAULT, "the buffer was revoked during the copy" },

	{ OP_FIND, EINVAL, "it is not a buffer" },
	{ OP_DETACH, EINVAL, "it is not an attachment" },
	{ ANY_OP, ENOENT,
	  "no such object, or you are not permitted to see it" },
	{ ANY_OP, ENOTTY,
	  "the driver does not know this call; install ccshmctl and driver of the same release" },
};

const char *error_reason(enum op op, int err)
{
	size_t i;

	err = abs(err);
	/* Errors of files and pipes, where ENOENT and others have their usual meaning. */
	for (i = 0; op != OP_OUTPUT && op != OP_LIST && op != OP_CONFIG && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const struct reason *r = &reasons[i];

		if (r->err == err && (r->op == (int)op || r->op == ANY_OP))
			return r->text;
	}
	return strerror(err);
}

enum exit_code error_exit_code(enum op op, int err)
{
	switch (abs(err)) {
	case ENODEV:
	case ENXIO:
	case ENOENT:
		return op == OP_OPEN || op == OP_OBJECTS || op == OP_STATS ||
		       op == OP_EVENTS ? EXIT_NO_DRIVER : EXIT_FAILED;
	case EPERM:
	case EACCES:
		return EXIT_PERMISSION;
	case EBUSY:
	case ETIMEDOUT:
		return op == OP_OUTPUT ? EXIT_FAILED : EXIT_BUSY;
	case EIO:
		/* A device that cannot be stopped cannot be revoked either. */
		return op == OP_REVOKE ? EXIT_BUSY : EXIT_FAILED;
	default:
		return EXIT_FAILED;
	}
}

void complain(const char *format, ...)
{
	char *text = NULL, *shown;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text) {
		/* or_die() would call this function again. */
		fputs("ccshmctl: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	shown = text_shown(text);
	fprintf(stderr, "ccshmctl: %s\n", shown);
	free(shown);
	free(text);
}

int report(enum op op, int err, const char *object)
{
	complain("cannot %s %s: %s", op_verbs[op], object, error_reason(op, err));
	return (int)error_exit_code(op, err);
}

int report_cause(enum op op, const char *object, const char *cause)
{
	complain("cannot %s %s: %s", op_verbs[op], object, cause);
	return EXIT_FAILED;
}

void *or_die(void *memory)
{
	if (!memory) {
		complain("out of memory");
		exit(EXIT_FAILED);
	}
	return memory;
}
