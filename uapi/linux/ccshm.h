/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ccshm: shared memory for confidential virtual machines.
 *
 * The ioctl interface of /dev/ccshm and of the file descriptors of attachments,
 * and the generic netlink family that lists objects and reports events.
 *
 * Rules for all ioctls:
 *
 * - A structure may be shorter or longer than in this header. The ioctl number
 *   encodes its size. The kernel extends a shorter structure with zeros. It
 *   accepts a longer one if all bytes that it does not know are zero; otherwise
 *   the call fails with E2BIG.
 * - Reserved fields and unknown flags must be zero; otherwise the call fails
 *   with EINVAL.
 * - The elements of arrays (segments, importers, runs) keep their size. If
 *   longer elements are ever needed, a flag of the call will request them; a
 *   kernel that does not know the flag refuses it (EINVAL).
 * - A file of /dev/ccshm that was opened without write access serves only the
 *   calls that change nothing: INFO, OPEN, QUERY, IMPORTERS, PAGES and DEVICE.
 *   Every other call fails with EBADF, as write() does on such a file.
 * - Fields marked "out" are ignored on input. They are written when the call
 *   succeeds, and on failure only if the call's description says so.
 * - A call that fails changes nothing, unless its description says otherwise.
 * - Sizes, offsets and lengths are in bytes.
 * - Deadlines are absolute, in nanoseconds of CLOCK_MONOTONIC, so that a call
 *   that a signal interrupted can be repeated unchanged: 0 does not wait, -1
 *   waits without a limit, any other negative value is an error (EINVAL).
 * - Buffers, exports and attachments share one space of ids. An id is never
 *   zero, and never used twice while the module is loaded.
 * - A call for an object that the caller may not see fails with ENOENT. If the
 *   caller may see the object but not use it in the requested way, the call
 *   fails with EPERM (no control) or EACCES (permission bits, rights of an
 *   export).
 * - EFAULT: the structure, or memory that it points to, cannot be accessed.
 *   ENOTTY: the ioctl does not exist, or not for this kind of file. ENOMEM: out
 *   of memory; FREE, REVOKE, DETACH, SET, OPEN, QUERY, INFO and DEVICE never fail
 *   with it. The descriptions below do not repeat these errors.
 *
 * Control of a buffer:
 *
 * - Anonymous buffers: a caller that uses the open file that allocated the
 *   buffer (fork and SCM_RIGHTS share that file), and a caller with
 *   CAP_SYS_ADMIN in the initial user namespace. The buffer ends with the last
 *   reference to the file.
 * - Persistent buffers: the owner (effective uid), and a caller with
 *   CAP_SYS_ADMIN in the initial user namespace. The buffer ends when it is
 *   freed.
 *
 * The memory of a buffer that has ended is made private again and returned when
 * its last export and attachment are gone. Until then these exports and
 * attachments stay visible and can be revoked, by the uid that owned the buffer
 * and with CAP_SYS_ADMIN. Memory that the platform refuses to make private is
 * quarantined, then leaked (struct ccshm_ioc_info). The part of the buffer that
 * is carved (struct ccshm_ioc_query) stays shared while other buffers use its
 * block.
 *
 * The host can read and change shared memory at any time. Copy data in once,
 * check the copy, and authenticate what matters.
 */
#ifndef _UAPI_LINUX_CCSHM_H
#define _UAPI_LINUX_CCSHM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CCSHM_DEVICE		"/dev/ccshm"

/*
 * The version increases when the meaning of a call changes; additions have
 * feature bits. A driver reports its version and the oldest version that it
 * still serves. A program works with a driver if the version that the program
 * was built with is not outside of that range.
 */
#define CCSHM_ABI_VERSION	1
/* The oldest version that the driver of this header serves. */
#define CCSHM_ABI_OLDEST	1

#define CCSHM_NAME_LEN		64	/* with the terminating NUL */
#define CCSHM_DEVICE_LEN	64	/* with the terminating NUL */
#define CCSHM_VERSION_LEN	32	/* with the terminating NUL */

/**
 * enum ccshm_platform - what keeps this guest's memory private
 * @CCSHM_PLATFORM_NONE: nothing: not a confidential guest (allow_plain=1)
 * @CCSHM_PLATFORM_SEV: AMD SEV
 * @CCSHM_PLATFORM_SEV_ES: AMD SEV-ES
 * @CCSHM_PLATFORM_SEV_SNP: AMD SEV-SNP
 * @CCSHM_PLATFORM_TDX: Intel TDX
 * @CCSHM_PLATFORM_CCA: Arm CCA
 */
enum ccshm_platform {
	CCSHM_PLATFORM_NONE = 0,
	CCSHM_PLATFORM_SEV = 1,
	CCSHM_PLATFORM_SEV_ES = 2,
	CCSHM_PLATFORM_SEV_SNP = 3,
	CCSHM_PLATFORM_TDX = 4,
	CCSHM_PLATFORM_CCA = 5,
};

/* ccshm_ioc_info.info_flags: sharing has no effect (allow_plain=1). */
#define CCSHM_INFO_PLAIN		(1ULL << 0)

/* A limit of struct ccshm_ioc_info: no limit. */
#define CCSHM_LIMIT_NONE		(~0ULL)

/*
 * The driver provides /dev/dma_heap/system_cc_shared; otherwise the node
 * belongs to the kernel, or does not exist.
 */
#define CCSHM_FEATURE_HEAP		(1ULL << 0)
/* CCSHM_IOC_PAGES can determine the state of pages on this machine. */
#define CCSHM_FEATURE_PAGES		(1ULL << 1)

/**
 * struct ccshm_ioc_info - properties of the driver and its use of memory
 * @flags: must be 0
 * @abi_version: out: CCSHM_ABI_VERSION of the driver
 * @platform: out: enum ccshm_platform
 * @features: out: CCSHM_FEATURE_*
 * @info_flags: out: CCSHM_INFO_*
 * @block_size: out: bytes of a conversion unit. Memory is shared in multiples
 *	of this unit, unless free memory is too fragmented; smaller parts are
 *	carved from a unit.
 * @bytes_shared: out: bytes in the shared state that ccshm holds, including
 *	bytes that are being converted in either direction
 * @bytes_leaked: out: bytes that could not be made private again and are never
 *	returned to the kernel, since the module was loaded; the module then
 *	stays loaded until the machine restarts
 * @bytes_quarantined: out: bytes that could not be made private again yet. The
 *	driver retries for half a minute before they count as leaked; for
 *	memory that the platform refused to share, as long as the platform
 *	refuses to share anything
 * @calls_shared: out: conversions to shared
 * @calls_private: out: conversions to private
 * @calls_failed: out: conversions that failed
 * @buffers: out: existing buffers, including those that have ended while
 *	exports or attachments hold their memory
 * @exports: out: existing exports
 * @attachments: out: existing attachments
 * @abi_oldest: out: CCSHM_ABI_OLDEST of the driver: programs that were built
 *	with an older version must not use the driver
 * @driver_version: out: version of the driver, NUL-terminated
 * @contiguous_max: out: largest size of a buffer with CCSHM_ALLOC_CONTIGUOUS
 * @blocks_carved: out: blocks from which small buffers and the ends of large
 *	ones were carved
 * @bytes_carved: out: bytes of these blocks that buffers use; the rest is also
 *	shared and charged, and available for the next buffers of the same
 *	payer
 * @limit_total_bytes: out: limit for the bytes of all users, or
 *	CCSHM_LIMIT_NONE
 * @limit_user_bytes: out: limit for the bytes of each user, or CCSHM_LIMIT_NONE
 * @limit_user_buffers: out: limit for the buffers of each user, or
 *	CCSHM_LIMIT_NONE
 * @used_bytes: out: bytes that all users are charged, and idle memory of the
 *	pool, which count against @limit_total_bytes
 * @refusals: out: calls that a limit refused
 * @user_bytes: out: bytes that the caller's effective uid is charged: whole
 *	blocks, including those in quarantine
 * @user_bytes_leaked: out: bytes that were leaked while that uid was charged
 *	for them, since the module was loaded. They count against both limits,
 *	for this user only.
 * @user_buffers: out: buffers that it pays for, counted as in @buffers
 * @user_exports: out: exports that it created, of own and of other users'
 *	buffers
 * @user_attachments: out: attachments of the buffers that it pays for
 * @user_importers: out: devices that their drivers attached to exports of the
 *	buffers that it pays for
 * @importers: out: devices that their drivers attached to exports
 * @reserved_tail: out: 0
 * @limit_user_exports: out: limit for the exports that each user creates, or
 *	CCSHM_LIMIT_NONE
 * @generation: out: never 0; changes whenever an object is created, ends or
 *	changes its state. If two calls of INFO return the same number, the
 *	results of CCSHM_QUERY_NEXT between them are a consistent list.
 * @buffers_made: out: buffers that were created
 * @exports_made: out: exports that were created
 * @attachments_made: out: attachments that were created
 * @revokes: out: calls of REVOKE that began
 * @revokes_failed: out: calls of REVOKE that did not end all access
 * @events: out: netlink events that were sent
 * @events_lost: out: netlink events that could not be sent; the listeners got
 *	ENOBUFS
 * @events_suppressed: out: netlink events that were not sent because one user
 *	caused too many; the listeners got ENOBUFS
 * @next_id: out: larger than the id of each object that exists; the ids of
 *	objects that are created later are not smaller. Never 0, except with a
 *	driver that does not have this field.
 *
 * @refusals and the eight counters before @next_id count since the module was
 * loaded.
 *
 * While no object is created or ends, @used_bytes is the sum of @bytes_shared
 * and @bytes_quarantined. The sum of @bytes_shared, @bytes_quarantined and
 * @bytes_leaked is never less than the memory of ccshm that the host can
 * access, except memory that was leaked while an earlier module was unloaded,
 * which that module has logged.
 *
 * The counters are those of all users and reveal nothing about a single user,
 * except the user_ fields, which are those of the caller.
 *
 * Errors: EINVAL.
 */
struct ccshm_ioc_info {
	__u64 flags;
	__u32 abi_version;
	__u32 platform;
	__u64 features;
	__u64 info_flags;
	__u64 block_size;
	__u64 bytes_shared;
	__u64 bytes_leaked;
	__u64 bytes_quarantined;
	__u64 calls_shared;
	__u64 calls_private;
	__u64 calls_failed;
	__u32 buffers;
	__u32 exports;
	__u32 attachments;
	__u32 abi_oldest;
	char driver_version[CCSHM_VERSION_LEN];
	__u64 contiguous_max;
	__u64 blocks_carved;
	__u64 bytes_carved;
	__u64 limit_total_bytes;
	__u64 limit_user_bytes;
	__u64 limit_user_buffers;
	__u64 used_bytes;
	__u64 refusals;
	__u64 user_bytes;
	__u64 user_bytes_leaked;
	__u32 user_buffers;
	__u32 user_exports;
	__u32 user_attachments;
	__u32 user_importers;
	__u32 importers;
	__u32 reserved_tail;
	__u64 limit_user_exports;
	__u64 generation;
	__u64 buffers_made;
	__u64 exports_made;
	__u64 attachments_made;
	__u64 revokes;
	__u64 revokes_failed;
	__u64 events;
	__u64 events_lost;
	__u64 events_suppressed;
	__u64 next_id;
};

/* The buffer outlives the file that allocated it; otherwise it is anonymous. */
#define CCSHM_ALLOC_PERSISTENT		(1ULL << 0)
/* @uid is the owner; otherwise the owner is the caller's effective uid. */
#define CCSHM_ALLOC_UID			(1ULL << 1)
/* @gid is the group; otherwise the group is the caller's effective gid. */
#define CCSHM_ALLOC_GID			(1ULL << 2)
/*
 * Memory of NUMA node @node only; otherwise of any node, preferably the
 * nearest.
 */
#define CCSHM_ALLOC_NODE		(1ULL << 3)
/* Any signal ends the call with EINTR, not only a fatal one. */
#define CCSHM_ALLOC_INTERRUPTIBLE	(1ULL << 4)
/* Only memory whose physical addresses are below 4 GiB. */
#define CCSHM_ALLOC_DMA32		(1ULL << 5)
/* One physically contiguous run of pages; the payer may be charged for more. */
#define CCSHM_ALLOC_CONTIGUOUS		(1ULL << 6)
/*
 * Callers without control may also create pinned exports if the permission bits
 * allow exports. These exports can prevent the owner's revoke from ending.
 * Persistent buffers only.
 */
#define CCSHM_ALLOC_OTHERS_PIN		(1ULL << 7)
/*
 * Whole conversion units (ccshm_ioc_info.block_size) only; the end may be
 * carved from one. Without this flag, fragmented memory yields thousands of
 * small blocks. Each of them costs a conversion and splits large mappings of
 * the kernel permanently.
 */
#define CCSHM_ALLOC_WHOLE_UNITS		(1ULL << 8)

/**
 * struct ccshm_ioc_alloc - allocate a buffer
 * @size: bytes, rounded up to whole pages; not 0
 * @flags: CCSHM_ALLOC_*
 * @uid: owner, in the caller's user namespace; 0 without CCSHM_ALLOC_UID
 * @gid: group, in the caller's user namespace; 0 without CCSHM_ALLOC_GID
 * @mode: permission bits of a persistent buffer, a subset of 0666: read
 *	permission allows read-only exports, write permission any export. Must
 *	be 0 for an anonymous buffer.
 * @node: NUMA node; 0 without CCSHM_ALLOC_NODE
 * @reserved: must be 0
 * @name: name of a persistent buffer, unique among its owner's buffers: a
 *	letter or '_', then letters, digits, '.', '_' or '-', NUL-terminated,
 *	padded with zeros. Empty: no name.
 * @id: out: id of the buffer
 * @actual_size: out: size of the buffer, @size rounded up to whole pages
 *
 * The memory reads zero. A fatal signal ends the call with EINTR, and no buffer
 * remains; with CCSHM_ALLOC_INTERRUPTIBLE any signal does. A signal can also
 * kill a process after the call has succeeded. A program that allocates
 * persistent buffers must therefore handle the signal and free the buffer.
 *
 * The memory is charged to the caller's effective uid, the payer, while it is
 * held, also if another user owns the buffer. Whole blocks are charged; a
 * carved buffer is charged with the blocks that it is carved from. The limits
 * apply to callers without CAP_SYS_RESOURCE in the initial user namespace. A
 * limit that is lowered below the current use takes nothing away, but nothing
 * can be added.
 *
 * Errors: EINVAL (a zero size, one that overflows when rounded; a flag, mode,
 * node, uid, gid or name that is not valid; a node that the caller's cpuset
 * does not allow; a name, owner, group or mode for an anonymous buffer); EPERM
 * (another owner, or a group that the caller is not in, without CAP_CHOWN);
 * EEXIST (the owner has a buffer of that name); EFBIG (CCSHM_ALLOC_CONTIGUOUS,
 * and larger than ccshm_ioc_info.contiguous_max); ENOMEM (larger than memory,
 * or not enough memory of the requested kind is free, or not in one run, or
 * with CCSHM_ALLOC_WHOLE_UNITS not in whole units, or the memory cgroup has no
 * room for whole blocks); EDQUOT (the limit for the bytes or buffers of each
 * user); ENOSPC (the limit for the bytes of all users); EINTR; EIO (the
 * platform refused the conversion; memory that could not be made private again
 * is leaked and counted); EBUSY (a hibernation or a resume from it is in
 * progress: no memory can be shared until it ends. While memory is shared, the
 * kernel refuses both).
 */
struct ccshm_ioc_alloc {
	__u64 size;
	__u64 flags;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__s32 node;
	__u64 reserved;
	char name[CCSHM_NAME_LEN];
	__u64 id;
	__u64 actual_size;
};

/*
 * Also begin to revoke every export and attachment of the buffer. The call does
 * not wait, but removes the user mappings, as REVOKE does: each revoke ends when
 * the last mapping and fence of the export are gone, or the holder or the
 * driver detaches the attachment.
 */
#define CCSHM_FREE_REVOKE		(1ULL << 0)

/**
 * struct ccshm_ioc_free - end a buffer
 * @id: the buffer
 * @flags: CCSHM_FREE_*
 *
 * The id and the name are no longer valid when the call returns; it never
 * waits. The memory is returned when the last export and attachment of the
 * buffer are gone or revoked.
 *
 * Errors: EINVAL; ENOENT (no such buffer); EPERM (no control of the buffer, or
 * SET took it away before the call took effect).
 */
struct ccshm_ioc_free {
	__u64 id;
	__u64 flags;
};

/* @uid is the owner; otherwise the owner is the caller's effective uid. */
#define CCSHM_OPEN_UID			(1ULL << 0)

/**
 * struct ccshm_ioc_open - find a persistent buffer by its name
 * @flags: CCSHM_OPEN_*
 * @uid: owner, in the caller's user namespace; 0 without CCSHM_OPEN_UID
 * @reserved: must be 0
 * @name: name, as in struct ccshm_ioc_alloc; not empty
 * @id: out: id of the buffer
 *
 * The call takes no reference: the buffer can end at any time.
 *
 * Errors: EINVAL; ENOENT (no such buffer, or the caller may not see it).
 */
struct ccshm_ioc_open {
	__u64 flags;
	__u32 uid;
	__u32 reserved;
	char name[CCSHM_NAME_LEN];
	__u64 id;
};

/* Change the permission bits to @mode. Persistent buffers only. */
#define CCSHM_SET_MODE			(1ULL << 0)
/* Change the group to @gid. Persistent buffers only. */
#define CCSHM_SET_GID			(1ULL << 1)
/* Change the owner to @uid. Needs CAP_CHOWN. Persistent buffers only. */
#define CCSHM_SET_UID			(1ULL << 2)
/* Change the name to @name; empty: no name. Persistent buffers only. */
#define CCSHM_SET_NAME			(1ULL << 3)
/*
 * Seal the buffer (@sealed is 1) or unseal it (0). Only callers with control
 * can create exports and attachments of a sealed buffer, including attachments
 * of existing exports. Importers can still attach to an existing export: revoke
 * it to end that (CCSHM_REVOKE_SEAL does both).
 */
#define CCSHM_SET_SEALED		(1ULL << 4)

/**
 * struct ccshm_ioc_set - change a buffer
 * @id: the buffer
 * @flags: CCSHM_SET_*: what to change, at least one
 * @uid: new owner, in the caller's user namespace; 0 without CCSHM_SET_UID
 * @gid: new group, in the caller's user namespace; 0 without CCSHM_SET_GID
 * @mode: new permission bits, a subset of 0666; 0 without CCSHM_SET_MODE
 * @sealed: 0 or 1; 0 without CCSHM_SET_SEALED
 * @reserved: must be 0
 * @name: new name, as in struct ccshm_ioc_alloc; empty without CCSHM_SET_NAME
 *
 * The call makes all changes in one step, or none. Existing exports and
 * attachments keep their rights, and the payer does not change. When the call
 * returns, a new owner has control and the previous one does not, except with
 * CAP_SYS_ADMIN. If the buffer keeps its name, the new owner must not have a
 * buffer of that name.
 *
 * Errors: EINVAL (a flag, uid, gid, mode or name that is not valid; a value
 * without its flag; a change other than CCSHM_SET_SEALED for a buffer that is
 * not persistent); ENOENT (no such buffer); EPERM (no control of the buffer;
 * another owner, or a group that the caller is not in, without CAP_CHOWN);
 * EEXIST (the owner has another buffer of that name).
 */
struct ccshm_ioc_set {
	__u64 id;
	__u64 flags;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 sealed;
	__u64 reserved;
	char name[CCSHM_NAME_LEN];
};

/**
 * enum ccshm_type - type of an object
 * @CCSHM_TYPE_BUFFER: created by ALLOC
 * @CCSHM_TYPE_EXPORT: created by EXPORT
 * @CCSHM_TYPE_ATTACHMENT: created by ATTACH
 */
enum ccshm_type {
	CCSHM_TYPE_BUFFER = 1,
	CCSHM_TYPE_EXPORT = 2,
	CCSHM_TYPE_ATTACHMENT = 3,
};

/**
 * enum ccshm_state - state of an export or attachment
 * @CCSHM_STATE_ACTIVE: in use; always the state of a buffer
 * @CCSHM_STATE_REVOKING: no new mapping can be made; a device or a holder still
 *	uses the memory
 * @CCSHM_STATE_REVOKED: no CPU and no device can access the memory through it
 * @CCSHM_STATE_STUCK: attachments: the device could not be stopped. The memory
 *	stays held until a forced REVOKE succeeds, DETACH is called, or the
 *	device is known to be gone. Removing the device by software proves
 *	nothing: after that only DETACH ends the attachment.
 */
enum ccshm_state {
	CCSHM_STATE_ACTIVE = 0,
	CCSHM_STATE_REVOKING = 1,
	CCSHM_STATE_REVOKED = 2,
	CCSHM_STATE_STUCK = 3,
};

/* ccshm_ioc_query.flags: the object is the one that @fd refers to. */
#define CCSHM_QUERY_BY_FD		(1ULL << 0)
/* ccshm_ioc_query.flags: the next object of type @next_type after @id. */
#define CCSHM_QUERY_NEXT		(1ULL << 1)

/* ccshm_ioc_query.query_flags: the buffer has ended, but is still in use. */
#define CCSHM_QUERY_ORPHAN		(1ULL << 0)
/* ccshm_ioc_query.query_flags: the caller has control. */
#define CCSHM_QUERY_CONTROL		(1ULL << 1)
/* ccshm_ioc_query.query_flags: from /dev/dma_heap/system_cc_shared. */
#define CCSHM_QUERY_HEAP		(1ULL << 2)
/* ccshm_ioc_query.query_flags: the buffer is sealed, see CCSHM_SET_SEALED. */
#define CCSHM_QUERY_SEALED		(1ULL << 3)
/*
 * ccshm_ioc_query.query_flags: the caller may not see the buffer and gets the
 * information only because it holds the file descriptor: @uid, @gid and @payer
 * have all bits set, and @mode, @charged, @blocks, @blocks_small, @units,
 * @units_whole, @conversions, @carved and @name are empty. None of the flags
 * above is set, whatever the state of the buffer.
 */
#define CCSHM_QUERY_HOLDER		(1ULL << 4)

/**
 * struct ccshm_ioc_query - query a buffer, an export or an attachment
 * @id: the object; with CCSHM_QUERY_NEXT the id after which to continue, 0 at
 *	first; 0 with CCSHM_QUERY_BY_FD
 * @flags: CCSHM_QUERY_BY_FD or CCSHM_QUERY_NEXT, not both
 * @fd: a dma-buf or the file descriptor of an attachment; 0 without
 *	CCSHM_QUERY_BY_FD
 * @next_type: enum ccshm_type; 0 without CCSHM_QUERY_NEXT
 * @object_id: out: id of the object
 * @type: out: enum ccshm_type
 * @state: out: enum ccshm_state
 * @object_flags: out: flags with which it was created: CCSHM_ALLOC_*,
 *	CCSHM_EXPORT_* or CCSHM_ATTACH_*
 * @query_flags: out: CCSHM_QUERY_*
 * @buffer_id: out: id of its buffer (@object_id for a buffer)
 * @export_id: out: attachments: id of the export that it was created from, or 0
 * @offset: out: exports, attachments: start of the slice in the buffer
 * @size: out: size of the buffer or of the slice
 * @uid: out: owner of the buffer, in the caller's user namespace
 * @gid: out: group of the buffer, in the caller's user namespace
 * @mode: out: permission bits of the buffer
 * @payer: out: uid that the memory is charged to, in the caller's user
 *	namespace
 * @charged: out: bytes that the payer is charged for the buffer: its own whole
 *	blocks, and @carved
 * @blocks: out: blocks that only this buffer uses
 * @blocks_small: out: blocks smaller than a conversion unit
 * @units: out: conversion units of 2 MiB in the larger blocks
 * @units_whole: out: units that one leaf of the direct map covered when they
 *	were converted: their conversion splits nothing, and in an SEV guest
 *	takes one page-state hypercall each. With pages of 16 or 64 KiB, where
 *	a leaf covers 32 or 512 MiB, only units of leaves that were converted
 *	in one call
 * @conversions: out: calls that shared the buffer; 0 if it was carved from a
 *	block that was shared before
 * @exports: out: buffers: live exports
 * @attachments: out: buffers, exports: live attachments
 * @importers: out: exports: devices that their drivers attached to the dma-buf
 * @device_mappings: out: exports: mappings that drivers hold, including kernel
 *	virtual mappings; attachments: 1 while the device may use the memory
 * @cpu_mappings: out: exports: user mappings (VMAs)
 * @dma_bits: out: attachments: address bits that ATTACH assumed for the device
 * @segments: out: attachments: number of segments
 * @reserved_out: out: 0
 * @name: out: name of the buffer, or empty
 * @device: out: attachments: the device, as in struct ccshm_ioc_attach
 * @carved: out: bytes of the buffer in blocks in which other buffers of the
 *	same payer can have pages, which had the same owner when they were
 *	allocated; the payer is charged for these blocks as a whole. When a
 *	buffer ends and its block stays shared, its pages are zeroed.
 *
 * The lifetime of an export is in @object_flags: CCSHM_EXPORT_PINNED or,
 * without that flag, revocable.
 *
 * CCSHM_QUERY_NEXT visits all objects of a type that the caller may see, in the
 * order of their ids: pass the @object_id of each as the @id of the next call
 * until the call fails with ENOENT. It also visits buffers that have ended
 * while their memory is held, which a QUERY of their id does not find. Objects
 * that are created or end meanwhile may be missing; see @generation of struct
 * ccshm_ioc_info. A call visits only objects that exist when it begins. Other
 * users can create objects as fast as a caller visits them: a caller that stops
 * at @next_id of an earlier INFO makes a limited number of calls.
 *
 * CCSHM_QUERY_BY_FD describes an export or an attachment to every process that
 * holds its file descriptor. A holder that may not see the buffer gets only the
 * id of the buffer (CCSHM_QUERY_HOLDER).
 *
 * Errors: EINVAL; ENOENT (no such object; CCSHM_QUERY_NEXT: no further object);
 * EBADF (@fd is not open); EMEDIUMTYPE (@fd is neither a dma-buf of ccshm nor
 * an attachment); EINTR (a fatal signal during CCSHM_QUERY_NEXT).
 */
struct ccshm_ioc_query {
	__u64 id;
	__u64 flags;
	__s32 fd;
	__u32 next_type;
	__u64 object_id;
	__u32 type;
	__u32 state;
	__u64 object_flags;
	__u64 query_flags;
	__u64 buffer_id;
	__u64 export_id;
	__u64 offset;
	__u64 size;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 payer;
	__u64 charged;
	__u64 blocks;
	__u64 blocks_small;
	__u64 units;
	__u64 units_whole;
	__u64 conversions;
	__u32 exports;
	__u32 attachments;
	__u32 importers;
	__u32 device_mappings;
	__u32 cpu_mappings;
	__u32 dma_bits;
	__u32 segments;
	__u32 reserved_out;
	char name[CCSHM_NAME_LEN];
	char device[CCSHM_DEVICE_LEN];
	__u64 carved;
};

/* CPUs can only read; devices can be mapped with DMA_TO_DEVICE only. */
#define CCSHM_EXPORT_READ_ONLY		(1ULL << 0)
/* For devices only: no mmap and no kernel virtual mapping. */
#define CCSHM_EXPORT_NO_CPU		(1ULL << 1)
/*
 * Any importer may attach, including one that cannot unmap on notification: a
 * revoke then fails with EBUSY until the importer detaches. Without the flag
 * the export is revocable, and such importers are refused (EOPNOTSUPP when they
 * attach). On kernels before 7.1 importers that pin are also refused
 * (EOPNOTSUPP when they pin, or map what they have pinned), because they need
 * not unmap there. The kernel log contains the reason, once for each device and
 * reason. From 7.1 on, an importer that must unmap and does not cannot be
 * detected: a revoke fails with ETIMEDOUT until it unmaps.
 */
#define CCSHM_EXPORT_PINNED		(1ULL << 2)

/**
 * struct ccshm_ioc_export - create a dma-buf of a slice of a buffer
 * @id: the buffer
 * @flags: CCSHM_EXPORT_*
 * @offset: start of the slice, a multiple of the page size
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 * @reserved: must be 0
 * @export_id: out: id of the export
 * @actual_size: out: size of the dma-buf
 * @fd: out: the dma-buf, close-on-exec. The caller owns it. The export lives
 *	until the last reference to the dma-buf is gone.
 * @reserved_out: out: 0
 *
 * A process that holds the dma-buf can use the memory with the rights of the
 * export, but has no control of the buffer. CCSHM_EXPORT_READ_ONLY restricts
 * CPUs; it does not restrict a device without an IOMMU. mmap of the dma-buf
 * must use MAP_SHARED (EINVAL) and fails with EACCES for a right that the
 * export does not have. A mapping keeps the dma-buf alive. A mapping is never
 * executable: mmap with PROT_EXEC fails with EACCES, or with EPERM on kernels
 * that mount dma-bufs noexec, and mprotect with EACCES; with the
 * READ_IMPLIES_EXEC personality a readable mapping is not executable. After a
 * revoke mmap fails with ENODEV, and accessing a mapping raises SIGBUS.
 *
 * Errors: EINVAL (flags; an offset or size that is not page-aligned, is beyond
 * the buffer or overflows); ENOENT (also: the buffer was freed during the
 * call); ENODEV (the export was revoked during the call); EACCES (the mode does
 * not allow it); EPERM (the buffer is sealed, or CCSHM_EXPORT_PINNED without
 * CCSHM_ALLOC_OTHERS_PIN, and the caller has no control); EDQUOT (the limit for
 * the exports of each user); EMFILE, ENFILE (no file descriptor is left).
 */
struct ccshm_ioc_export {
	__u64 id;
	__u64 flags;
	__u64 offset;
	__u64 size;
	__u64 reserved;
	__u64 export_id;
	__u64 actual_size;
	__s32 fd;
	__u32 reserved_out;
};

/*
 * Do not wait for holders of attachments: stop their devices by clearing bus
 * mastering. Needs CAP_SYS_RAWIO.
 */
#define CCSHM_REVOKE_FORCE		(1ULL << 0)
/*
 * Seal the buffer first, in the same step: callers without control cannot
 * create exports or attachments during the revoke or after it. If @id is the
 * buffer, what they created before it was sealed is revoked. The buffer stays
 * sealed also if the call fails with ETIMEDOUT, EBUSY, EIO or EINTR.
 */
#define CCSHM_REVOKE_SEAL		(1ULL << 1)
/*
 * Notify the holders of attachments and the importers first, and end the CPU
 * mappings only when the attachments have been detached, or at the deadline: a
 * userspace driver that polls its rings in the memory can stop its device
 * before its mappings end. The guarantees when the call returns are the same.
 * After EINTR the CPU mappings remain until a call is repeated, unless the
 * caller is killed (SIGKILL).
 * Not together with CCSHM_REVOKE_FORCE.
 */
#define CCSHM_REVOKE_ORDERLY		(1ULL << 2)
/*
 * @fd is the dma-buf of the export, or the attachment's file descriptor, and
 *	@id is 0. The caller still needs control of the buffer.
 */
#define CCSHM_REVOKE_BY_FD		(1ULL << 3)
/* The driver will never use these flags: libraries may define them. */
#define CCSHM_REVOKE_LIBRARY_FLAGS	(0xffULL << 56)

/**
 * struct ccshm_ioc_revoke - end all access through an export or attachment
 * @id: the export or attachment; or a buffer: all exports and attachments that
 *	it has when the call begins; 0 with CCSHM_REVOKE_BY_FD. Attachments that
 *	are made from an export until the call has closed it are included.
 * @flags: CCSHM_REVOKE_*
 * @deadline_ns: nanoseconds of CLOCK_MONOTONIC for the whole call; 0 does not
 *	wait; -1 waits without a limit. The call itself removes the user mappings,
 *	in a time that grows with their number (VMAs), whatever the deadline. It
 *	also waits, up to 200 ms, until importers have been notified; after the
 *	deadline only SIGKILL ends this wait.
 * @fd: the file descriptor with CCSHM_REVOKE_BY_FD, otherwise 0
 * @reserved: must be 0
 * @state: out: enum ccshm_state; for a buffer that of the least advanced export
 *	or attachment
 * @device_mappings: out: remaining mappings and attachments of devices; 0 if
 *	@state is CCSHM_STATE_REVOKED
 * @pages: out: pages of the exports and attachments that the revoke covers
 * @revoked: out: exports and attachments that are revoked or have ended during
 *	the call. While 64 calls for a buffer, its exports and its
 *	attachments are in progress, the results of further ones do not
 *	include those that end before the call visits them.
 * @stopped: out: attachments whose device ccshm had to stop, among those that
 *	the revoke covers
 *
 * The call waits for the fences that exist when the importers are notified, and
 * for those that an importer adds before it unmaps; other fences do not extend
 * the wait.
 *
 * From the call on, no new mapping can be made through the object, whatever the
 * call returns, with one exception: while a driver has a kernel virtual mapping
 * of a pinned export, the kernel's dma-buf code gives that same mapping to
 * other callers without asking, and the call does not succeed. User mappings
 * are gone when the call returns, except with EINTR. When the call succeeds, no
 * CPU and no device can access the memory through the object. Another call
 * continues the revoke; for a revoked object it returns the same result, for a
 * buffer without those of its objects that have ended. The buffer itself can be
 * exported and attached again.
 *
 * The "out" fields are also written with ETIMEDOUT, EBUSY and EIO.
 *
 * Errors: EINVAL; ENOENT; EPERM (no control of the buffer, or SET took it away
 * before the call took effect; or CCSHM_REVOKE_FORCE without CAP_SYS_RAWIO);
 * ETIMEDOUT (a device or a holder still uses the memory, which stays shared and
 * held); EBUSY (a pinned export has importers that cannot unmap on
 * notification); EIO (a device could not be stopped); EBADF
 * (CCSHM_REVOKE_BY_FD, and @fd is not open); EMEDIUMTYPE (@fd is neither a dma-
 * buf of ccshm nor an attachment); EINTR.
 */
struct ccshm_ioc_revoke {
	__u64 id;
	__u64 flags;
	__s64 deadline_ns;
	__s32 fd;
	__u32 reserved;
	__u32 state;
	__u32 device_mappings;
	__u64 pages;
	__u32 revoked;
	__u32 stopped;
};

/* @dmabuf_fd is a dma-buf of ccshm, which replaces the id of the buffer. */
#define CCSHM_ATTACH_DMABUF		(1ULL << 0)
/*
 * No file descriptor: the attachment lives until DETACH. Persistent buffers
 * only, and only with control of the buffer: such an attachment outlives the
 * process that made it, and keeps the memory of the owner.
 */
#define CCSHM_ATTACH_PERSISTENT		(1ULL << 1)

/**
 * struct ccshm_ioc_attach - attach a device that a userspace driver programs
 * @id: the buffer; 0 with CCSHM_ATTACH_DMABUF
 * @flags: CCSHM_ATTACH_*
 * @offset: start of the slice, a multiple of the page size; relative to the
 *	dma-buf with CCSHM_ATTACH_DMABUF
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 * @dmabuf_fd: the dma-buf; 0 without CCSHM_ATTACH_DMABUF
 * @dma_bits: address bits of the device's engine, 1 to 64; 0: those of the mask
 *	that its driver set, 32 if none did
 * @reserved: must be 0
 * @device: "pci:DDDD:BB:DD.F", NUL-terminated, padded with zeros
 * @attachment_id: out: id of the attachment
 * @actual_size: out: size of the slice
 * @segments: out: number of segments, see struct ccshm_ioc_segments
 * @fd: out: the attachment, close-on-exec; the caller owns it. -1 with
 *	CCSHM_ATTACH_PERSISTENT.
 *
 * The DMA addresses are valid while the attachment exists. A process that
 * programmed the device calls DETACH after the device has stopped. poll() on
 * the file descriptor returns POLLPRI when the attachment is being revoked:
 * stop the device and call DETACH. If the last reference to the file descriptor
 * is dropped without DETACH, ccshm stops the device: it clears bus mastering
 * and waits for pending transactions. This affects the whole device, including
 * its other attachments. ccshm stops the device in the same way when its driver
 * is bound, unbound or changed, and when the device is removed. If a device
 * cannot be stopped, the attachment has the state CCSHM_STATE_STUCK, also after
 * the removal of the device.
 *
 * If ccshm is stopping other attachments of the device (forced revokes, holders
 * that have gone), ATTACH completes these stops first, so that none of them
 * affects the new holder. For a device that does not respond this takes up to a
 * second.
 *
 * ATTACH resumes a device that runtime power management has suspended, which
 * restores saved registers of its configuration space: enable bus mastering only
 * after ATTACH.
 * The kernel does not suspend the device at run time until its attachments have
 * ended, whatever power/control in sysfs contains.
 *
 * Needs CAP_SYS_RAWIO and write permission.
 *
 * Errors: EINVAL (also: a malformed device, or dma_bits above 64); ENOENT (no
 * such buffer); ENODEV (no such device, or the export is revoked); EPERM (no
 * CAP_SYS_RAWIO; or the buffer is sealed, or CCSHM_ATTACH_PERSISTENT is given,
 * and the caller has no control); EACCES (mode of the buffer, or a read-only
 * export, which does not restrict a device); EBADF (@dmabuf_fd is not open);
 * EMEDIUMTYPE (@dmabuf_fd is not a dma-buf of ccshm); EBUSY (a kernel driver
 * other than vfio or uio owns the device); EOPNOTSUPP (the device is a bridge,
 * or behind a translating IOMMU, or its IOMMU group is owned by userspace, or
 * it has its own DMA operations, is not coherent, has a restricted DMA pool,
 * was never configured for DMA, or needs no sharing); ERANGE (the device's
 * addresses do not reach the memory); EINTR (a signal arrived while the device
 * was locked, for example by an unbind of vfio, which waits until the device's
 * file descriptors are closed); EIO (the device cannot be resumed from a low-
 * power state); ESHUTDOWN (the machine reboots, halts or starts another kernel
 * by kexec: all attached devices are stopped first); EMFILE, ENFILE.
 */
struct ccshm_ioc_attach {
	__u64 id;
	__u64 flags;
	__u64 offset;
	__u64 size;
	__s32 dmabuf_fd;
	__u32 dma_bits;
	__u64 reserved;
	char device[CCSHM_DEVICE_LEN];
	__u64 attachment_id;
	__u64 actual_size;
	__u32 segments;
	__s32 fd;
};

/**
 * struct ccshm_ioc_segment - a contiguous segment of an attachment
 * @dma_address: address for the device
 * @length: bytes
 * @offset: offset of the segment in the slice
 */
struct ccshm_ioc_segment {
	__u64 dma_address;
	__u64 length;
	__u64 offset;
};

/**
 * struct ccshm_ioc_segments - get the DMA addresses of an attachment
 * @id: the attachment; may be 0 on the attachment's file descriptor
 * @flags: must be 0
 * @segments: user pointer to an array of struct ccshm_ioc_segment
 * @first: index of the first segment to return
 * @capacity: number of entries of the array
 * @count: out: entries written
 * @total: out: segments of the attachment
 *
 * On /dev/ccshm the call needs CAP_SYS_RAWIO and control of the buffer.
 *
 * Errors: EINVAL (@first is beyond the end, or another id on an attachment's
 * file descriptor); ENOENT; EPERM; ENODEV (the attachment is not active; its
 * addresses must not be used).
 */
struct ccshm_ioc_segments {
	__u64 id;
	__u64 flags;
	__u64 segments;
	__u32 first;
	__u32 capacity;
	__u32 count;
	__u32 total;
};

/**
 * struct ccshm_ioc_detach - declare that the device has stopped, and end an
 * attachment
 * @id: the attachment; may be 0 on the attachment's file descriptor
 * @flags: must be 0
 *
 * The driver trusts the caller and does not stop the device. On /dev/ccshm the
 * call needs CAP_SYS_RAWIO and control of the buffer. Further calls succeed on
 * the attachment's file descriptor. An attachment without one is gone when it
 * has ended for any reason, and a further call fails with ENOENT.
 *
 * Errors: EINVAL (also: another id on an attachment's file descriptor); ENOENT;
 * EPERM.
 */
struct ccshm_ioc_detach {
	__u64 id;
	__u64 flags;
};

/* The importer was accepted although it cannot unmap on notification. */
#define CCSHM_IMPORTER_CANNOT_LET_GO	(1U << 0)
/* The importer has pinned the export. */
#define CCSHM_IMPORTER_PINS		(1U << 1)

/**
 * struct ccshm_ioc_importer - a device that its driver has attached to an
 * export
 * @device: "BUS:NAME" as in sysfs, e.g. "pci:0000:00:04.0" or
 *	"platform:vivid.0"; only the name for a device that is on no bus.
 *	NUL-terminated, truncated if necessary.
 * @mappings: mappings that it holds
 * @flags: CCSHM_IMPORTER_*
 */
struct ccshm_ioc_importer {
	char device[CCSHM_DEVICE_LEN];
	__u32 mappings;
	__u32 flags;
};

/**
 * struct ccshm_ioc_importers - list the devices that are attached to an export
 * @id: the export
 * @flags: must be 0
 * @importers: user pointer to an array of struct ccshm_ioc_importer
 * @first: index of the first importer to return
 * @capacity: number of entries of the array
 * @count: out: entries written
 * @total: out: importers of the export
 *
 * The importers are in the order in which they attached. Importers can attach
 * and detach between two calls; the result of one call is consistent.
 *
 * Errors: EINVAL (@first is beyond the end); ENOENT (no such export).
 */
struct ccshm_ioc_importers {
	__u64 id;
	__u64 flags;
	__u64 importers;
	__u32 first;
	__u32 capacity;
	__u32 count;
	__u32 total;
};

/**
 * enum ccshm_page_state - state of pages in the kernel's page tables
 * @CCSHM_PAGE_UNKNOWN: a driver cannot determine the state on this
 *	architecture, or the page is not mapped, or the machine is not a
 *	confidential guest
 * @CCSHM_PAGE_PRIVATE: the direct map maps the page as private
 * @CCSHM_PAGE_SHARED: the direct map maps the page as shared
 */
enum ccshm_page_state {
	CCSHM_PAGE_UNKNOWN = 0,
	CCSHM_PAGE_PRIVATE = 1,
	CCSHM_PAGE_SHARED = 2,
};

/* One leaf of the direct map covers at least a whole conversion unit here. */
#define CCSHM_PAGES_LEAF_WHOLE		(1U << 0)
/* The pages are in a carved block. */
#define CCSHM_PAGES_CARVED		(1U << 1)

/**
 * struct ccshm_ioc_run - a run of pages of a buffer with the same properties
 * @offset: offset of the first page in the buffer
 * @length: bytes
 * @physical: physical address of the first page; the run is physically
 *	contiguous. 0 for callers without CAP_SYS_ADMIN in the initial user
 *	namespace
 * @state: enum ccshm_page_state
 * @flags: CCSHM_PAGES_*
 */
struct ccshm_ioc_run {
	__u64 offset;
	__u64 length;
	__u64 physical;
	__u32 state;
	__u32 flags;
};

/**
 * struct ccshm_ioc_pages - query the state of a buffer's pages
 * @id: the buffer
 * @flags: must be 0
 * @offset: start of the range, a multiple of the page size
 * @size: length of the range, a multiple of the page size; 0: up to the end
 * @runs: user pointer to an array of struct ccshm_ioc_run
 * @capacity: number of entries of the array, at least 1
 * @count: out: entries written, in the order of their offsets
 * @next: out: offset at which to continue if the array is too small; otherwise
 *	the end of the range
 *
 * Errors: EINVAL (a range that is not page-aligned, is beyond the buffer or
 * overflows; a capacity of 0); ENOENT; EINTR (a fatal signal).
 */
struct ccshm_ioc_pages {
	__u64 id;
	__u64 flags;
	__u64 offset;
	__u64 size;
	__u64 runs;
	__u32 capacity;
	__u32 count;
	__u64 next;
};

/**
 * enum ccshm_device_verdict - whether a device needs shared memory
 * @CCSHM_DEVICE_NEEDS: the device needs shared memory and can use it
 * @CCSHM_DEVICE_NEEDS_NOT: the device can DMA to private memory
 * @CCSHM_DEVICE_CANNOT: the device cannot use memory of ccshm
 */
enum ccshm_device_verdict {
	CCSHM_DEVICE_NEEDS = 1,
	CCSHM_DEVICE_NEEDS_NOT = 2,
	CCSHM_DEVICE_CANNOT = 3,
};

/**
 * enum ccshm_dma_mode - how a device's DMA reaches memory
 * @CCSHM_DMA_MODE_NONE: no DMA: the device has no mask
 * @CCSHM_DMA_MODE_DIRECT: at physical addresses
 * @CCSHM_DMA_MODE_IOMMU: through a translating IOMMU
 * @CCSHM_DMA_MODE_OWN: through the device's own DMA operations
 * @CCSHM_DMA_MODE_USERSPACE: through an IOMMU that userspace owns
 */
enum ccshm_dma_mode {
	CCSHM_DMA_MODE_NONE = 0,
	CCSHM_DMA_MODE_DIRECT = 1,
	CCSHM_DMA_MODE_IOMMU = 2,
	CCSHM_DMA_MODE_OWN = 3,
	CCSHM_DMA_MODE_USERSPACE = 4,
};

/* The device needs no cache maintenance. */
#define CCSHM_DEVICE_COHERENT		(1ULL << 0)
/* The kernel copies all DMA of the device through a bounce buffer (swiotlb). */
#define CCSHM_DEVICE_BOUNCES		(1ULL << 1)
/* The device may use a restricted pool of memory only. */
#define CCSHM_DEVICE_RESTRICTED		(1ULL << 2)
/* The device is behind an IOMMU, which may be in identity mode. */
#define CCSHM_DEVICE_IOMMU		(1ULL << 3)
/*
 * A kernel driver other than vfio and uio is bound to the device; ATTACH
 * refuses it.
 */
#define CCSHM_DEVICE_KERNEL_DRIVER	(1ULL << 4)
/* @dma_mask is the default of 32 bits: no driver has set a mask. */
#define CCSHM_DEVICE_MASK_DEFAULT	(1ULL << 5)

#define CCSHM_REASON_LEN		128	/* with the terminating NUL */

/**
 * struct ccshm_ioc_device - query whether a device needs shared memory
 * @flags: must be 0
 * @device: "BUS:NAME" as in sysfs with the buses pci, platform and virtio,
 *	NUL-terminated, padded with zeros. For a virtio device the answer is
 *	that for the pci or platform device that is its parent, which does its
 *	DMA.
 * @verdict: out: enum ccshm_device_verdict
 * @mode: out: enum ccshm_dma_mode
 * @device_flags: out: CCSHM_DEVICE_*
 * @dma_mask: out: mask that its driver or its bus has set; 0: none
 * @bus_limit: out: highest address of its bus; 0: no limit
 * @driver: out: the driver that is bound to it, or empty; NUL-terminated
 * @reason: out: the reason, for a person to read; not empty for
 *	CCSHM_DEVICE_NEEDS_NOT and CCSHM_DEVICE_CANNOT; NUL-terminated
 *
 * For a device with a kernel driver the answer is the decision for an importer
 * of an export, for any other device the decision of ATTACH without dma_bits.
 * Where no memory is private (CCSHM_INFO_PLAIN), a device that could use the
 * memory does not need it shared.
 *
 * The answer describes the present: the driver decides again at each mapping.
 * Only then does it check whether a small mask reaches the memory. The call
 * needs no capability: sysfs shows most of the information to all users.
 *
 * Errors: EINVAL (a malformed name, or another bus); ENODEV (no such device, or
 * a virtio device with another parent); EINTR (a signal arrived while a driver
 * was being bound to the device).
 */
struct ccshm_ioc_device {
	__u64 flags;
	char device[CCSHM_DEVICE_LEN];
	__u32 verdict;
	__u32 mode;
	__u64 device_flags;
	__u64 dma_mask;
	__u64 bus_limit;
	char driver[CCSHM_DEVICE_LEN];
	char reason[CCSHM_REASON_LEN];
};

#define CCSHM_IOC_MAGIC		0xCC

#define CCSHM_IOC_INFO		_IOWR(CCSHM_IOC_MAGIC, 0x40, struct ccshm_ioc_info)
#define CCSHM_IOC_ALLOC		_IOWR(CCSHM_IOC_MAGIC, 0x41, struct ccshm_ioc_alloc)
#define CCSHM_IOC_FREE		_IOWR(CCSHM_IOC_MAGIC, 0x42, struct ccshm_ioc_free)
#define CCSHM_IOC_OPEN		_IOWR(CCSHM_IOC_MAGIC, 0x43, struct ccshm_ioc_open)
#define CCSHM_IOC_QUERY		_IOWR(CCSHM_IOC_MAGIC, 0x44, struct ccshm_ioc_query)
#define CCSHM_IOC_EXPORT	_IOWR(CCSHM_IOC_MAGIC, 0x45, struct ccshm_ioc_export)
#define CCSHM_IOC_REVOKE	_IOWR(CCSHM_IOC_MAGIC, 0x46, struct ccshm_ioc_revoke)
#define CCSHM_IOC_ATTACH	_IOWR(CCSHM_IOC_MAGIC, 0x47, struct ccshm_ioc_attach)
/* On /dev/ccshm, and on the file descriptor of an attachment. */
#define CCSHM_IOC_SEGMENTS	_IOWR(CCSHM_IOC_MAGIC, 0x48, struct ccshm_ioc_segments)
#define CCSHM_IOC_DETACH	_IOWR(CCSHM_IOC_MAGIC, 0x49, struct ccshm_ioc_detach)
#define CCSHM_IOC_IMPORTERS	_IOWR(CCSHM_IOC_MAGIC, 0x4a, struct ccshm_ioc_importers)
#define CCSHM_IOC_PAGES		_IOWR(CCSHM_IOC_MAGIC, 0x4b, struct ccshm_ioc_pages)
#define CCSHM_IOC_DEVICE	_IOWR(CCSHM_IOC_MAGIC, 0x4c, struct ccshm_ioc_device)
#define CCSHM_IOC_SET		_IOWR(CCSHM_IOC_MAGIC, 0x4d, struct ccshm_ioc_set)

/*
 * Generic netlink: the family lists objects and reports events. It exists in
 * the initial network namespace only, and needs no access to /dev/ccshm.
 * uapi/ccshm.yaml describes it to programs.
 *
 * A dump of buffers, exports or attachments has a message for each object that
 * the credentials of the socket's opener may see when the dump starts: the
 * objects that QUERY would find for a process with these credentials through a
 * new file of /dev/ccshm. Anonymous buffers are therefore visible only with
 * CAP_SYS_ADMIN, until only their exports or attachments are left. Buffers that
 * have ended are listed until CCSHM_EVENT_BUFFER_GONE. The messages are in the
 * order of the ids. A dump ends with the objects that exist when it starts. A
 * dump during which an object was created, ended or changed its state has
 * NLM_F_DUMP_INTR; repeat it then.
 *
 * Joining the group "events" needs CAP_SYS_ADMIN in the initial user namespace,
 * also at the time when the socket was opened. If events were lost, a receive
 * fails with ENOBUFS.
 *
 * Requests have no attributes (EINVAL). Ids of users and groups are in the user
 * namespace of the socket's opener; in events in the initial one.
 */
#define CCSHM_GENL_NAME			"ccshm"
#define CCSHM_GENL_VERSION		1
#define CCSHM_GENL_GROUP_EVENTS		"events"

/**
 * enum ccshm_cmd - commands of the family
 * @CCSHM_CMD_UNSPEC: not used
 * @CCSHM_CMD_BUFFER_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID, MODE,
 *	PAYER, NAME (if it has one), OBJECT_FLAGS, SIZE, CHARGED, CARVED,
 *	BLOCKS, BLOCKS_SMALL, UNITS, UNITS_WHOLE, CONVERSIONS, EXPORTS,
 *	ATTACHMENTS
 * @CCSHM_CMD_EXPORT_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID, MODE,
 *	PAYER, NAME, OBJECT_FLAGS, SIZE, BUFFER_ID, OFFSET, STATE,
 *	ATTACHMENTS, IMPORTERS, DEVICE_MAPPINGS, CPU_MAPPINGS, IMPORTER
 * @CCSHM_CMD_ATTACHMENT_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID,
 *	MODE, PAYER, NAME, OBJECT_FLAGS, SIZE, BUFFER_ID, OFFSET, STATE,
 *	EXPORT_ID, DEVICE_MAPPINGS, DMA_BITS, SEGMENTS, DEVICE
 * @CCSHM_CMD_STATS_GET: do: CCSHM_A_STATS_*, of all users
 * @CCSHM_CMD_EVENT: sent to the group: CCSHM_A_EVENT, TIME, and the attributes
 *	in enum ccshm_event_type
 */
enum ccshm_cmd {
	CCSHM_CMD_UNSPEC = 0,
	CCSHM_CMD_BUFFER_GET = 1,
	CCSHM_CMD_EXPORT_GET = 2,
	CCSHM_CMD_ATTACHMENT_GET = 3,
	CCSHM_CMD_STATS_GET = 4,
	CCSHM_CMD_EVENT = 5,
};

/*
 * Maximum number of importers of an export in a message; IMPORTERS returns all.
 */
#define CCSHM_GENL_IMPORTERS_MAX	16

/**
 * enum ccshm_attr - attributes of objects and events
 * @CCSHM_A_UNSPEC: not used
 * @CCSHM_A_PAD: no value: aligns 64 bit values
 * @CCSHM_A_TYPE: u32: enum ccshm_type
 * @CCSHM_A_ID: u64: id
 * @CCSHM_A_STATE: u32: enum ccshm_state
 * @CCSHM_A_OBJECT_FLAGS: u64: CCSHM_ALLOC_*, CCSHM_EXPORT_* or CCSHM_ATTACH_*
 * @CCSHM_A_QUERY_FLAGS: u64: CCSHM_QUERY_*
 * @CCSHM_A_BUFFER_ID: u64: id of its buffer
 * @CCSHM_A_EXPORT_ID: u64: id of the export that it was created from, or 0
 * @CCSHM_A_OFFSET: u64: start of the slice in the buffer, bytes
 * @CCSHM_A_SIZE: u64: size of the buffer or of the slice, bytes
 * @CCSHM_A_UID: u32: owner of the buffer; CCSHM_EVENT_QUOTA: user whose call
 *	was refused
 * @CCSHM_A_GID: u32: group of the buffer
 * @CCSHM_A_MODE: u32: permission bits of the buffer
 * @CCSHM_A_PAYER: u32: uid that the memory is charged to
 * @CCSHM_A_CHARGED: u64: bytes that the payer is charged for the buffer
 * @CCSHM_A_CARVED: u64: bytes of the buffer in carved blocks
 * @CCSHM_A_BLOCKS: u64: blocks that only this buffer uses
 * @CCSHM_A_BLOCKS_SMALL: u64: blocks smaller than a conversion unit
 * @CCSHM_A_UNITS: u64: conversion units of 2 MiB in the larger blocks
 * @CCSHM_A_UNITS_WHOLE: u64: units that one leaf of the direct map covered
 * @CCSHM_A_CONVERSIONS: u64: calls that shared the buffer
 * @CCSHM_A_EXPORTS: u32: live exports
 * @CCSHM_A_ATTACHMENTS: u32: live attachments
 * @CCSHM_A_IMPORTERS: u32: devices that their drivers attached
 * @CCSHM_A_DEVICE_MAPPINGS: u32: current number, as in struct ccshm_ioc_query;
 *	CCSHM_EVENT_REVOKE_END: as in struct ccshm_ioc_revoke
 * @CCSHM_A_CPU_MAPPINGS: u32: current number of user mappings (VMAs)
 * @CCSHM_A_DMA_BITS: u32: address bits that ATTACH assumed for the device
 * @CCSHM_A_SEGMENTS: u32: number of segments
 * @CCSHM_A_NAME: string: name of the buffer
 * @CCSHM_A_DEVICE: string: "BUS:NAME" as in sysfs
 * @CCSHM_A_IMPORTER: nest of CCSHM_A_IMPORTER_*, one for each of the first
 *	CCSHM_GENL_IMPORTERS_MAX importers, in the order in which they
 *	attached
 * @CCSHM_A_EVENT: u32: enum ccshm_event_type
 * @CCSHM_A_TIME: u64: time of the event, nanoseconds of CLOCK_REALTIME
 * @CCSHM_A_RESULT: u32: result of a revoke: 0 or a positive errno
 * @CCSHM_A_DURATION: u64: duration of a revoke, nanoseconds
 * @CCSHM_A_PAGES: u64: pages (of the page size)
 * @CCSHM_A_STOPPED: u32: devices that ccshm had to stop: of DETACH 0 or 1, of
 *	REVOKE_END as in struct ccshm_ioc_revoke
 * @CCSHM_A_QUOTA: u32: enum ccshm_quota
 * @CCSHM_A_ASKED: u64: bytes, buffers or exports that were requested
 * @CCSHM_A_USED: u64: bytes, buffers or exports that counted against the limit
 * @CCSHM_A_LIMIT: u64: limit in bytes, buffers or exports
 * @CCSHM_A_ACTOR_UID: u32: effective uid of the process that caused the event;
 *	absent if the kernel itself caused it
 * @CCSHM_A_ACTOR_PID: u32: id of that process in the initial pid namespace;
 *	absent if the kernel itself caused the event
 */
enum ccshm_attr {
	CCSHM_A_UNSPEC = 0,
	CCSHM_A_PAD = 1,
	CCSHM_A_TYPE = 2,
	CCSHM_A_ID = 3,
	CCSHM_A_STATE = 4,
	CCSHM_A_OBJECT_FLAGS = 5,
	CCSHM_A_QUERY_FLAGS = 6,
	CCSHM_A_BUFFER_ID = 7,
	CCSHM_A_EXPORT_ID = 8,
	CCSHM_A_OFFSET = 9,
	CCSHM_A_SIZE = 10,
	CCSHM_A_UID = 11,
	CCSHM_A_GID = 12,
	CCSHM_A_MODE = 13,
	CCSHM_A_PAYER = 14,
	CCSHM_A_CHARGED = 15,
	CCSHM_A_CARVED = 16,
	CCSHM_A_BLOCKS = 17,
	CCSHM_A_BLOCKS_SMALL = 18,
	CCSHM_A_UNITS = 19,
	CCSHM_A_UNITS_WHOLE = 20,
	CCSHM_A_CONVERSIONS = 21,
	CCSHM_A_EXPORTS = 22,
	CCSHM_A_ATTACHMENTS = 23,
	CCSHM_A_IMPORTERS = 24,
	CCSHM_A_DEVICE_MAPPINGS = 25,
	CCSHM_A_CPU_MAPPINGS = 26,
	CCSHM_A_DMA_BITS = 27,
	CCSHM_A_SEGMENTS = 28,
	CCSHM_A_NAME = 29,
	CCSHM_A_DEVICE = 30,
	CCSHM_A_IMPORTER = 31,
	CCSHM_A_EVENT = 32,
	CCSHM_A_TIME = 33,
	CCSHM_A_RESULT = 34,
	CCSHM_A_DURATION = 35,
	CCSHM_A_PAGES = 36,
	CCSHM_A_STOPPED = 37,
	CCSHM_A_QUOTA = 38,
	CCSHM_A_ASKED = 39,
	CCSHM_A_USED = 40,
	CCSHM_A_LIMIT = 41,
	CCSHM_A_ACTOR_UID = 42,
	CCSHM_A_ACTOR_PID = 43,
};

/**
 * enum ccshm_importer_attr - attributes in CCSHM_A_IMPORTER
 * @CCSHM_A_IMPORTER_UNSPEC: not used
 * @CCSHM_A_IMPORTER_DEVICE: string: "BUS:NAME" as in sysfs
 * @CCSHM_A_IMPORTER_MAPPINGS: u32: mappings that it holds
 * @CCSHM_A_IMPORTER_FLAGS: u32: CCSHM_IMPORTER_*
 */
enum ccshm_importer_attr {
	CCSHM_A_IMPORTER_UNSPEC = 0,
	CCSHM_A_IMPORTER_DEVICE = 1,
	CCSHM_A_IMPORTER_MAPPINGS = 2,
	CCSHM_A_IMPORTER_FLAGS = 3,
};

/**
 * enum ccshm_stats_attr - counters, u64, current or since the module was loaded
 * @CCSHM_A_STATS_UNSPEC: not used
 * @CCSHM_A_STATS_PAD: no value: aligns values
 * @CCSHM_A_STATS_BYTES_SHARED: current bytes in the shared state
 * @CCSHM_A_STATS_BYTES_LEAKED: bytes that were leaked
 * @CCSHM_A_STATS_BYTES_QUARANTINED: current bytes in quarantine
 * @CCSHM_A_STATS_BYTES_CARVED: current bytes of carved blocks that buffers use
 * @CCSHM_A_STATS_BLOCKS_CARVED: current carved blocks
 * @CCSHM_A_STATS_CALLS_SHARED: conversions to shared
 * @CCSHM_A_STATS_CALLS_PRIVATE: conversions to private
 * @CCSHM_A_STATS_CALLS_FAILED: conversions that failed
 * @CCSHM_A_STATS_BUFFERS: current buffers
 * @CCSHM_A_STATS_EXPORTS: current exports
 * @CCSHM_A_STATS_ATTACHMENTS: current attachments
 * @CCSHM_A_STATS_BUFFERS_MADE: buffers that were created
 * @CCSHM_A_STATS_EXPORTS_MADE: exports that were created
 * @CCSHM_A_STATS_ATTACHMENTS_MADE: attachments that were created
 * @CCSHM_A_STATS_REVOKES: calls of REVOKE that began
 * @CCSHM_A_STATS_REVOKES_FAILED: calls of REVOKE that did not end all access
 * @CCSHM_A_STATS_QUOTA_REFUSED: calls that a limit refused
 * @CCSHM_A_STATS_EVENTS: events that were sent
 * @CCSHM_A_STATS_EVENTS_LOST: events that were not sent because there was no
 *	memory or too many events waited; the listeners got ENOBUFS
 * @CCSHM_A_STATS_EVENTS_SUPPRESSED: events that were not sent because one user
 *	caused too many; the listeners got ENOBUFS
 */
enum ccshm_stats_attr {
	CCSHM_A_STATS_UNSPEC = 0,
	CCSHM_A_STATS_PAD = 1,
	CCSHM_A_STATS_BYTES_SHARED = 2,
	CCSHM_A_STATS_BYTES_LEAKED = 3,
	CCSHM_A_STATS_BYTES_QUARANTINED = 4,
	CCSHM_A_STATS_BYTES_CARVED = 5,
	CCSHM_A_STATS_BLOCKS_CARVED = 6,
	CCSHM_A_STATS_CALLS_SHARED = 7,
	CCSHM_A_STATS_CALLS_PRIVATE = 8,
	CCSHM_A_STATS_CALLS_FAILED = 9,
	CCSHM_A_STATS_BUFFERS = 10,
	CCSHM_A_STATS_EXPORTS = 11,
	CCSHM_A_STATS_ATTACHMENTS = 12,
	CCSHM_A_STATS_BUFFERS_MADE = 13,
	CCSHM_A_STATS_EXPORTS_MADE = 14,
	CCSHM_A_STATS_ATTACHMENTS_MADE = 15,
	CCSHM_A_STATS_REVOKES = 16,
	CCSHM_A_STATS_REVOKES_FAILED = 17,
	CCSHM_A_STATS_QUOTA_REFUSED = 18,
	CCSHM_A_STATS_EVENTS = 19,
	CCSHM_A_STATS_EVENTS_LOST = 20,
	CCSHM_A_STATS_EVENTS_SUPPRESSED = 21,
};

/**
 * enum ccshm_event_type - type of an event
 * @CCSHM_EVENT_BUFFER_NEW: a buffer was created; as CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_BUFFER_END: a buffer was freed, or its file was closed: its id
 *	and name are no longer valid, its memory can still be in use; as
 *	CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_BUFFER_GONE: the memory of a buffer was returned or leaked, or
 *	is part of a block that other buffers use; as CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_EXPORT_NEW: an export was created; as CCSHM_CMD_EXPORT_GET
 *	without IMPORTER
 * @CCSHM_EVENT_EXPORT_GONE: the dma-buf of an export is gone; as
 *	CCSHM_CMD_EXPORT_GET without IMPORTER
 * @CCSHM_EVENT_ATTACH: an attachment was created; as CCSHM_CMD_ATTACHMENT_GET
 * @CCSHM_EVENT_DETACH: the device of an attachment no longer uses the memory;
 *	as CCSHM_CMD_ATTACHMENT_GET, and CCSHM_A_STOPPED: ccshm had to stop
 *	the device
 * @CCSHM_EVENT_STUCK: the device of an attachment could not be stopped; as
 *	CCSHM_CMD_ATTACHMENT_GET
 * @CCSHM_EVENT_IMPORTER_ATTACH: a driver attached its device to an export:
 *	CCSHM_A_TYPE, ID and BUFFER_ID of the export, DEVICE
 * @CCSHM_EVENT_IMPORTER_DETACH: a driver detached its device from an export:
 *	CCSHM_A_TYPE, ID and BUFFER_ID of the export, DEVICE
 * @CCSHM_EVENT_REVOKE_BEGIN: REVOKE began: CCSHM_A_TYPE, ID, BUFFER_ID
 * @CCSHM_EVENT_REVOKE_END: REVOKE returned: CCSHM_A_TYPE, ID, BUFFER_ID,
 *	RESULT, DURATION, STATE, DEVICE_MAPPINGS, PAGES, STOPPED
 * @CCSHM_EVENT_LEAK: memory could not be made private again: CCSHM_A_PAGES
 * @CCSHM_EVENT_QUOTA: a limit refused a call: CCSHM_A_QUOTA, UID, ASKED, USED,
 *	LIMIT
 */
enum ccshm_event_type {
	CCSHM_EVENT_BUFFER_NEW = 1,
	CCSHM_EVENT_BUFFER_END = 2,
	CCSHM_EVENT_BUFFER_GONE = 3,
	CCSHM_EVENT_EXPORT_NEW = 4,
	CCSHM_EVENT_EXPORT_GONE = 5,
	CCSHM_EVENT_ATTACH = 6,
	CCSHM_EVENT_DETACH = 7,
	CCSHM_EVENT_STUCK = 8,
	CCSHM_EVENT_IMPORTER_ATTACH = 9,
	CCSHM_EVENT_IMPORTER_DETACH = 10,
	CCSHM_EVENT_REVOKE_BEGIN = 11,
	CCSHM_EVENT_REVOKE_END = 12,
	CCSHM_EVENT_LEAK = 13,
	CCSHM_EVENT_QUOTA = 14,
};

/**
 * enum ccshm_quota - limits
 * @CCSHM_QUOTA_TOTAL_BYTES: bytes of all users
 * @CCSHM_QUOTA_USER_BYTES: bytes of one user
 * @CCSHM_QUOTA_USER_BUFFERS: buffers of one user
 * @CCSHM_QUOTA_USER_EXPORTS: exports that one user created
 */
enum ccshm_quota {
	CCSHM_QUOTA_TOTAL_BYTES = 1,
	CCSHM_QUOTA_USER_BYTES = 2,
	CCSHM_QUOTA_USER_BUFFERS = 3,
	CCSHM_QUOTA_USER_EXPORTS = 4,
};

#endif /* _UAPI_LINUX_CCSHM_H */
