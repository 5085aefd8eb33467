/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ccshm: shared memory for confidential virtual machines.
 *
 * The ioctl interface of /dev/ccshm and of attachment file descriptors, and at
 * the end the generic netlink family that shows what there is.
 *
 * Rules that hold for every ioctl:
 *
 * - A structure may be shorter or longer than this header's. The size that
 *   counts is the one encoded in the ioctl number. A short one is extended
 *   with zeros; a longer one is accepted when all that this kernel does not
 *   know is zero, otherwise the call fails with E2BIG.
 * - Reserved fields and unknown flags must be zero, otherwise EINVAL.
 * - The elements of arrays (segments, importers, runs) keep their size. Longer
 *   ones, should there ever be any, are asked for by a flag of the call, which
 *   a kernel that does not know it refuses (EINVAL).
 * - A file of /dev/ccshm that was opened without write access serves only the
 *   calls that change nothing: INFO, OPEN, QUERY, IMPORTERS, PAGES and DEVICE.
 *   Every other call fails with EBADF, as write() does on such a file.
 * - Fields marked "out" are ignored on input. They are written when the call
 *   succeeds, and where a call says so also when it fails.
 * - A call that fails changes nothing, unless its description says otherwise.
 * - Sizes, offsets and lengths are in bytes.
 * - Deadlines are absolute CLOCK_MONOTONIC nanoseconds, so that a call that
 *   a signal interrupted can simply be made again: 0 does not wait, -1 waits
 *   for ever, any other negative value is EINVAL.
 * - Buffers, exports and attachments share one space of ids. An id is never
 *   zero and never used twice while the module is loaded.
 * - An object that the caller may not see does not exist for it (ENOENT); one
 *   that it may see but not touch in the way asked for gives EPERM (control)
 *   or EACCES (permission bits, rights of an export).
 * - EFAULT: the structure, or memory that it points to, cannot be accessed.
 *   ENOTTY: the number is not one of ours, or not for this kind of file.
 *   ENOMEM: out of memory. These three are not repeated below.
 *
 * Who has control of a buffer:
 *
 * - anonymous: whoever calls through the open file that allocated it (fork and
 *   SCM_RIGHTS share that file), and CAP_SYS_ADMIN in the initial user
 *   namespace. The buffer ends with the last reference to the file.
 * - persistent: its owner (effective uid), and CAP_SYS_ADMIN in the initial
 *   user namespace. The buffer ends when it is freed.
 *
 * The memory of a buffer that has ended is made private again and given back
 * when its last export and attachment are gone. Until then those stay visible
 * and revocable, for the uid that owned the buffer and for CAP_SYS_ADMIN.
 *
 * Shared memory is readable and writable by the host at any time. Copy data in
 * once before checking them, and authenticate what matters.
 */
#ifndef _UAPI_LINUX_CCSHM_H
#define _UAPI_LINUX_CCSHM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CCSHM_DEVICE		"/dev/ccshm"

/*
 * Grows when the meaning of a call changes; additions are feature bits. A driver
 * reports this version and the oldest one that it still serves, and a program
 * works with every driver for which the version that the program was built with
 * lies between the two.
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

/* ccshm_ioc_info.info_flags: sharing is a no-op here, the module was forced to load. */
#define CCSHM_INFO_PLAIN		(1ULL << 0)

/* A limit of struct ccshm_ioc_info: there is none. */
#define CCSHM_LIMIT_NONE		(~0ULL)

/* /dev/dma_heap/system_cc_shared is ours; otherwise it is the kernel's, or absent. */
#define CCSHM_FEATURE_HEAP		(1ULL << 0)
/* CCSHM_IOC_PAGES can tell the state of pages on this machine. */
#define CCSHM_FEATURE_PAGES		(1ULL << 1)

/**
 * struct ccshm_ioc_info - about the driver and what it holds now
 * @flags: must be 0
 * @abi_version: out: CCSHM_ABI_VERSION of the driver
 * @platform: out: enum ccshm_platform
 * @features: out: CCSHM_FEATURE_*
 * @info_flags: out: CCSHM_INFO_*
 * @block_size: out: bytes of a conversion unit. Memory is shared in multiples of
 *	it unless it was too fragmented; what is less is carved from one.
 * @bytes_shared: out: bytes in the shared state that ccshm holds, those included
 *	that are being converted, in either direction
 * @bytes_leaked: out: bytes that could not be made private again and are never
 *	given back to the kernel, since the module was loaded
 * @bytes_quarantined: out: bytes that could not be made private again yet. They
 *	are tried again for half a minute before they count as leaked; those that the
 *	platform refused to share for as long as it refuses to share anything
 * @calls_shared: out: conversions to shared that were made
 * @calls_private: out: conversions back to private that were made
 * @calls_failed: out: conversions that failed
 * @buffers: out: buffers that exist, those included whose memory is only held
 *	by exports or attachments any more
 * @exports: out: exports that exist
 * @attachments: out: attachments that exist
 * @abi_oldest: out: CCSHM_ABI_OLDEST of the driver: programs that were built with
 *	an older version than this must not use the driver
 * @driver_version: out: version of the driver, NUL-terminated
 * @contiguous_max: out: largest size that CCSHM_ALLOC_CONTIGUOUS can give
 * @blocks_carved: out: blocks that small buffers and tails were given pages of
 * @bytes_carved: out: bytes of those blocks that buffers have; the rest of them
 *	is shared and charged, too, and waits for the same payer's next buffer
 * @limit_total_bytes: out: bytes that all users together may have, or
 *	CCSHM_LIMIT_NONE
 * @limit_user_bytes: out: bytes that each user may have, or CCSHM_LIMIT_NONE
 * @limit_user_buffers: out: buffers that each user may have, or CCSHM_LIMIT_NONE
 * @used_bytes: out: what all users are charged, which is counted against
 *	@limit_total_bytes
 * @refusals: out: calls that a limit refused
 * @user_bytes: out: what the caller's effective uid is charged: whole blocks, those
 *	in quarantine included
 * @user_bytes_leaked: out: bytes that were leaked while that uid was charged for
 *	them, since the module was loaded. They count against both limits for this
 *	user, and for nobody else.
 * @user_buffers: out: buffers that it pays for
 * @user_exports: out: exports that it made, of its own and of others' buffers
 * @user_attachments: out: attachments of the buffers that it pays for
 * @user_importers: out: devices attached by their drivers to exports of the buffers
 *	that it pays for
 * @importers: out: devices attached to exports by their drivers
 * @reserved_tail: out: 0
 * @limit_user_exports: out: exports that each user may have made, or
 *	CCSHM_LIMIT_NONE
 * @generation: out: never 0; changes whenever an object comes, goes or changes its
 *	state. What CCSHM_QUERY_NEXT returned between two calls of INFO that return
 *	the same number is a consistent list.
 * @buffers_made: out: buffers that were made
 * @exports_made: out: exports that were made
 * @attachments_made: out: attachments that were made
 * @revokes: out: calls of REVOKE that began
 * @revokes_failed: out: of these, calls that did not end all access
 * @events: out: netlink events that were sent
 * @events_lost: out: netlink events that could not be sent: their listeners got
 *	ENOBUFS
 * @events_suppressed: out: netlink events that were not sent, because one user
 *	caused too many of them: likewise
 *
 * @refusals and the last eight counters count since the module was loaded.
 *
 * Where nothing comes or goes, @used_bytes is the sum of @bytes_shared and
 * @bytes_quarantined. The sum of @bytes_shared, @bytes_quarantined and @bytes_leaked
 * is at no time less than what the host can reach of what ccshm has shared.
 *
 * The counts cover all users and tell nothing of any one of them, but for the
 * user_ ones, which are those of the caller.
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
};

/* The buffer outlives the file that made it; otherwise it is anonymous. */
#define CCSHM_ALLOC_PERSISTENT		(1ULL << 0)
/* @uid is the owner; otherwise the caller's effective uid is. */
#define CCSHM_ALLOC_UID			(1ULL << 1)
/* @gid is the group; otherwise the caller's effective gid is. */
#define CCSHM_ALLOC_GID			(1ULL << 2)
/* Memory of NUMA node @node only; otherwise any, the nearest preferred. */
#define CCSHM_ALLOC_NODE		(1ULL << 3)
/* Any signal ends the call with EINTR, not only one that kills. */
#define CCSHM_ALLOC_INTERRUPTIBLE	(1ULL << 4)
/* Only memory whose physical addresses are below 4 GiB. */
#define CCSHM_ALLOC_DMA32		(1ULL << 5)
/* One physically contiguous run of pages: the payer may be charged for more. */
#define CCSHM_ALLOC_CONTIGUOUS		(1ULL << 6)
/*
 * Callers without control may make pinned exports, too, as far as the permission
 * bits allow exports at all. They can then keep the owner's revoke from ending.
 * Persistent buffers only.
 */
#define CCSHM_ALLOC_OTHERS_PIN		(1ULL << 7)
/*
 * Whole conversion units only, ccshm_ioc_info.block_size; the end may be carved from
 * one. Otherwise fragmented memory gives thousands of small blocks instead, each of
 * which costs a conversion and splits the kernel's large mappings for good.
 */
#define CCSHM_ALLOC_WHOLE_UNITS		(1ULL << 8)

/**
 * struct ccshm_ioc_alloc - allocate a buffer
 * @size: bytes wanted, rounded up to whole pages; not 0
 * @flags: CCSHM_ALLOC_*
 * @uid: owner, in the caller's user namespace; 0 without CCSHM_ALLOC_UID
 * @gid: group, in the caller's user namespace; 0 without CCSHM_ALLOC_GID
 * @mode: permission bits of a persistent buffer, a subset of 0666: read
 *	permission allows read-only exports, write permission any export. Must
 *	be 0 for an anonymous buffer.
 * @node: NUMA node; 0 without CCSHM_ALLOC_NODE
 * @reserved: must be 0
 * @name: name of a persistent buffer, unique among its owner's buffers:
 *	a letter or '_', then letters, digits, '.', '_' or '-', NUL-terminated,
 *	zero behind the NUL. Empty: no name.
 * @id: out: the buffer
 * @actual_size: out: its size, @size rounded up to whole pages
 *
 * The memory is zero when it is first seen. A fatal signal ends the call with
 * EINTR and leaves nothing behind; so does any with CCSHM_ALLOC_INTERRUPTIBLE.
 * A program that dies of the signal may die after the call has succeeded: one
 * that makes persistent buffers handles it, and frees what it got.
 *
 * The memory is charged to the caller's effective uid, which is the payer for as
 * long as the memory is held, whoever owns the buffer: whole blocks, and for what
 * is carved the blocks that it is carved from. The limits bind everybody without
 * CAP_SYS_RESOURCE in the initial user namespace. One that is lowered below what is
 * in use takes nothing away and lets nothing be added.
 *
 * Errors: EINVAL (a zero size, one that overflows when rounded, a flag, mode,
 * node, uid, gid or name that is not valid, a node that the caller's cpuset does not
 * allow, a name, owner, group or mode for an
 * anonymous buffer); EPERM (another owner without CAP_CHOWN, or a group the
 * caller is not in); EEXIST (the owner has a buffer of that name); EFBIG
 * (CCSHM_ALLOC_CONTIGUOUS, and larger than ccshm_ioc_info.contiguous_max);
 * ENOMEM (larger than memory, or not enough is free of the kind asked for, or not
 * in one run, or with CCSHM_ALLOC_WHOLE_UNITS not in whole units, or the memory
 * cgroup has no room for whole blocks); EDQUOT (the
 * caller would have more bytes or buffers than each user may); ENOSPC (all users
 * together would have more bytes than they may); EINTR; EIO (the platform refused
 * the conversion: what could not be made private again is leaked and counted); EBUSY
 * (the machine hibernates, or resumes from hibernation: no memory is shared until that
 * is over; while memory is shared the kernel is kept from both).
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
 * Also begin to revoke every export and attachment that the buffer has. The call
 * does not wait: each revoke ends by itself, when the last mapping and fence of
 * the export are gone, or the attachment's holder or driver detaches it.
 */
#define CCSHM_FREE_REVOKE		(1ULL << 0)

/**
 * struct ccshm_ioc_free - end a buffer
 * @id: the buffer
 * @flags: CCSHM_FREE_*
 *
 * The id and the name are gone when the call returns; it never waits. The memory
 * is given back when the last export and attachment of it are gone or revoked.
 *
 * Errors: EINVAL; ENOENT (no such buffer); EPERM (no control of it).
 */
struct ccshm_ioc_free {
	__u64 id;
	__u64 flags;
};

/* @uid is the owner; otherwise the caller's effective uid is. */
#define CCSHM_OPEN_UID			(1ULL << 0)

/**
 * struct ccshm_ioc_open - find a persistent buffer by its name
 * @flags: CCSHM_OPEN_*
 * @uid: its owner, in the caller's user namespace; 0 without CCSHM_OPEN_UID
 * @reserved: must be 0
 * @name: its name, as in struct ccshm_ioc_alloc; not empty
 * @id: out: the buffer
 *
 * Takes no reference: the buffer can end at any time.
 *
 * Errors: EINVAL; ENOENT (no such buffer, or none that the caller may see).
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
 * Seal the buffer (@sealed is 1), or end that (0). Of a sealed buffer only callers
 * with control make new exports and attachments; attachments of an export that
 * exists are new attachments, too. Importers can still attach to an export that
 * exists: revoke it to end that (CCSHM_REVOKE_SEAL does both).
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
 * All changes are made in one step, or none is. Exports and attachments that
 * exist keep their rights, and the payer stays the same. A new owner has control
 * when the call returns, and the previous one has not, unless CAP_SYS_ADMIN gives
 * it. A buffer that keeps its name must not collide with one of the new owner's.
 *
 * Errors: EINVAL (a flag, uid, gid, mode or name that is not valid; a value
 * without its flag; anything but CCSHM_SET_SEALED for a buffer that is not
 * persistent); ENOENT (no such buffer); EPERM (no control of it; another owner,
 * or a group that the caller is not in, without CAP_CHOWN); EEXIST (the owner has
 * another buffer of that name).
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
 * enum ccshm_type - kind of an object
 * @CCSHM_TYPE_BUFFER: made by ALLOC
 * @CCSHM_TYPE_EXPORT: made by EXPORT
 * @CCSHM_TYPE_ATTACHMENT: made by ATTACH
 */
enum ccshm_type {
	CCSHM_TYPE_BUFFER = 1,
	CCSHM_TYPE_EXPORT = 2,
	CCSHM_TYPE_ATTACHMENT = 3,
};

/**
 * enum ccshm_state - state of an export or attachment
 * @CCSHM_STATE_ACTIVE: in use (and always the state of a buffer)
 * @CCSHM_STATE_REVOKING: nothing new gets in; somebody has not let go yet
 * @CCSHM_STATE_REVOKED: no CPU and no device reaches the memory through it
 * @CCSHM_STATE_STUCK: attachments: the device could not be stopped; the memory
 *	stays held until a forced REVOKE succeeds, DETACH, or the device is known to
 *	be gone. Removing the device by software is no proof of that: after it only
 *	DETACH ends the attachment.
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

/* ccshm_ioc_query.query_flags: the buffer has ended; only uses of it are left. */
#define CCSHM_QUERY_ORPHAN		(1ULL << 0)
/* ccshm_ioc_query.query_flags: the caller has control. */
#define CCSHM_QUERY_CONTROL		(1ULL << 1)
/* ccshm_ioc_query.query_flags: made through /dev/dma_heap/system_cc_shared. */
#define CCSHM_QUERY_HEAP		(1ULL << 2)
/* ccshm_ioc_query.query_flags: the buffer is sealed, see CCSHM_SET_SEALED. */
#define CCSHM_QUERY_SEALED		(1ULL << 3)
/*
 * ccshm_ioc_query.query_flags: the caller may not see the buffer and learns of the
 * object only because it holds its file descriptor: @uid, @gid and @payer are
 * all ones, and @mode, @charged, @blocks, @blocks_small, @units, @units_whole,
 * @conversions, @carved and @name are empty.
 */
#define CCSHM_QUERY_HOLDER		(1ULL << 4)

/**
 * struct ccshm_ioc_query - about a buffer, an export or an attachment
 * @id: the object; with CCSHM_QUERY_NEXT the id to continue after, 0 at first; 0
 *	with CCSHM_QUERY_BY_FD
 * @flags: CCSHM_QUERY_BY_FD or CCSHM_QUERY_NEXT, not both
 * @fd: a dma-buf or the file descriptor of an attachment; 0 without
 *	CCSHM_QUERY_BY_FD
 * @next_type: enum ccshm_type; 0 without CCSHM_QUERY_NEXT
 * @object_id: out: id of the object
 * @type: out: enum ccshm_type
 * @state: out: enum ccshm_state
 * @object_flags: out: flags it was made with: CCSHM_ALLOC_*, CCSHM_EXPORT_* or
 *	CCSHM_ATTACH_*
 * @query_flags: out: CCSHM_QUERY_*
 * @buffer_id: out: the buffer that it belongs to (@object_id for a buffer itself)
 * @export_id: out: attachments: the export it was made from, or 0
 * @offset: out: exports, attachments: start of the slice in the buffer
 * @size: out: size of the buffer or of the slice
 * @uid: out: owner of the buffer, in the caller's user namespace
 * @gid: out: group of the buffer, in the caller's user namespace
 * @mode: out: permission bits of the buffer
 * @payer: out: uid that the memory is charged to, in the caller's namespace
 * @charged: out: bytes that the buffer takes: whole blocks of its own, and
 *	@carved
 * @blocks: out: blocks that the buffer has for itself
 * @blocks_small: out: blocks smaller than a conversion unit
 * @units: out: conversion units of 2 MiB in the larger blocks
 * @units_whole: out: of these, units that one direct-map leaf covered when they
 *	were converted; each costs one page-state hypercall, and splits nothing. With
 *	pages of 16 or 64 KiB, where a leaf has 32 or 512 MiB, only those of leaves
 *	that were converted in one call
 * @conversions: out: calls to share the buffer; 0 when it found room in a block
 *	that was shared already
 * @exports: out: buffers: live exports
 * @attachments: out: buffers, exports: live attachments made from it
 * @importers: out: exports: devices attached to the dma-buf by their drivers
 * @device_mappings: out: exports: mappings that drivers hold, kernel virtual
 *	mappings included; attachments: 1 while the device may use the memory
 * @cpu_mappings: out: exports: user mappings (VMAs)
 * @dma_bits: out: attachments: address bits that the device was judged by
 * @segments: out: attachments: number of segments
 * @reserved_out: out: 0
 * @name: out: name of the buffer, or empty
 * @device: out: attachments: the device, as in struct ccshm_ioc_attach
 * @carved: out: bytes of the buffer that are a part of a block in which other
 *	buffers of the same payer and owner may have pages; the payer is charged
 *	for that block as a whole
 *
 * The lifetime of an export is in @object_flags: CCSHM_EXPORT_PINNED or, without
 * it, revocable.
 *
 * CCSHM_QUERY_NEXT visits all objects of a type that the caller may see, in the
 * order of their ids: pass the @object_id of each as the @id of the next call until
 * the call fails with ENOENT. It also visits buffers that have ended and whose
 * memory is still held, which a QUERY of their id does not find. Objects that
 * come and go meanwhile may be missing; see @generation of struct ccshm_ioc_info.
 *
 * CCSHM_QUERY_BY_FD describes an export or an attachment to every process that
 * holds its file descriptor. A holder that may not see the buffer learns nothing
 * about the buffer but its id (CCSHM_QUERY_HOLDER).
 *
 * Errors: EINVAL; ENOENT (no such object; CCSHM_QUERY_NEXT: there are no more);
 * EBADF (@fd is not open); EMEDIUMTYPE (@fd is neither one of our dma-bufs nor an
 * attachment); EINTR (a fatal signal during CCSHM_QUERY_NEXT).
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

/* CPUs may only read; devices may only be mapped DMA_TO_DEVICE. */
#define CCSHM_EXPORT_READ_ONLY		(1ULL << 0)
/* For devices only: no mmap and no kernel virtual mapping. */
#define CCSHM_EXPORT_NO_CPU		(1ULL << 1)
/*
 * Any importer may attach, also one that cannot let go: then a revoke gives
 * EBUSY until it detaches by itself. Without the flag the export is revocable
 * and such importers are refused (EOPNOTSUPP when they attach); on kernels before
 * 7.1 also those that pin (EOPNOTSUPP when they pin, or map what they have
 * pinned), since they need not let go there. The kernel log says why, once for
 * each device and reason. From 7.1 on an importer that is bound to let go, and
 * does not, cannot be recognised: a revoke gives ETIMEDOUT until it does.
 */
#define CCSHM_EXPORT_PINNED		(1ULL << 2)

/**
 * struct ccshm_ioc_export - make a dma-buf of a slice of a buffer
 * @id: the buffer
 * @flags: CCSHM_EXPORT_*
 * @offset: start of the slice, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @reserved: must be 0
 * @export_id: out: the export
 * @actual_size: out: size of the dma-buf
 * @fd: out: the dma-buf, close-on-exec. The caller owns it. The export lives
 *	until the last reference to the dma-buf is gone.
 * @reserved_out: out: 0
 *
 * Whoever holds the dma-buf can use the memory with the rights of the export,
 * but has no control of the buffer. Read-only binds CPUs; a device without an
 * IOMMU is not bound by it. mmap of the dma-buf must be MAP_SHARED (EINVAL) and
 * gives EACCES for a right that the export has not; a mapping keeps the dma-buf
 * alive. A mapping is never executable: mmap with PROT_EXEC fails with EACCES, or
 * with EPERM on kernels that mount dma-bufs noexec, and mprotect with EACCES; with
 * the READ_IMPLIES_EXEC personality a readable mapping is made without it. After
 * a revoke mmap gives ENODEV, and a touch of a mapping SIGBUS.
 *
 * Errors: EINVAL (flags; an offset or size that is not page-aligned, is beyond
 * the buffer or overflows); ENOENT (also: it was freed while the call was under
 * way); ENODEV (the export was revoked while the call was under way); EACCES (the
 * mode does not allow it); EPERM (the buffer is sealed, or CCSHM_EXPORT_PINNED
 * without CCSHM_ALLOC_OTHERS_PIN, and the caller has no control); EDQUOT
 * (the caller has made as many exports as each user may); EMFILE, ENFILE (no file
 * descriptor left).
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
 * Seal the buffer first, in the same step: nobody without control makes a new
 * export or attachment while the revoke is under way, nor afterwards. Stays also
 * when the call fails with ETIMEDOUT, EBUSY, EIO or EINTR.
 */
#define CCSHM_REVOKE_SEAL		(1ULL << 1)
/*
 * First notify the holders of attachments and the importers, and end the CPU
 * mappings only when the attachments have been detached, or at the deadline: a
 * userspace driver that polls its rings in the memory can stop its device before
 * its mappings go. What holds when the call returns is the same. Not together
 * with CCSHM_REVOKE_FORCE.
 */
#define CCSHM_REVOKE_ORDERLY		(1ULL << 2)
/*
 * @fd is the dma-buf of the export, or the attachment's descriptor, and @id is 0.
 * The caller needs control of the buffer just the same.
 */
#define CCSHM_REVOKE_BY_FD		(1ULL << 3)
/* Never given a meaning here: libraries may use them for flags of their own. */
#define CCSHM_REVOKE_LIBRARY_FLAGS	(0xffULL << 56)

/**
 * struct ccshm_ioc_revoke - end all access through an export or attachment
 * @id: the export or attachment; or a buffer: all exports and attachments that
 *	it has at this moment; 0 with CCSHM_REVOKE_BY_FD
 * @flags: CCSHM_REVOKE_*
 * @deadline_ns: absolute CLOCK_MONOTONIC ns for the whole call; 0 does not wait;
 *	-1 waits without a limit
 * @fd: the descriptor with CCSHM_REVOKE_BY_FD, otherwise 0
 * @reserved: must be 0
 * @state: out: enum ccshm_state; for a buffer the least advanced of its parts
 * @device_mappings: out: mappings and attachments of devices that are left; 0
 *	when @state is CCSHM_STATE_REVOKED
 * @pages: out: pages that the revoke covers
 * @revoked: out: exports and attachments that are revoked
 * @stopped: out: of the attachments, those whose device ccshm had to stop
 *
 * Fences are waited for that are there when the importers are told, and those
 * that an importer puts before it lets go; others do not make it longer.
 *
 * Nothing new gets in from the moment of the call, whatever it returns. User
 * mappings are gone when it returns, whatever it returns, unless EINTR. When it
 * succeeds no CPU and no device reaches the memory through the object. Calling
 * again continues, and gives the same answer once revoked. The owner may export
 * or attach the buffer anew.
 *
 * The "out" fields are also written with ETIMEDOUT, EBUSY and EIO.
 *
 * Errors: EINVAL; ENOENT; EPERM (no control of the buffer, or
 * CCSHM_REVOKE_FORCE without CAP_SYS_RAWIO); ETIMEDOUT (somebody has not let go;
 * the memory stays shared and held); EBUSY (a pinned export has holders that
 * cannot let go); EIO (a device could not be stopped); EINTR.
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

/* @dmabuf_fd is one of our dma-bufs, to be used instead of a buffer's id. */
#define CCSHM_ATTACH_DMABUF		(1ULL << 0)
/* No file descriptor: lives until DETACH. Persistent buffers only. */
#define CCSHM_ATTACH_PERSISTENT		(1ULL << 1)

/**
 * struct ccshm_ioc_attach - let a userspace driver give a device the memory
 * @id: the buffer; 0 with CCSHM_ATTACH_DMABUF
 * @flags: CCSHM_ATTACH_*
 * @offset: start of the slice, a multiple of the page size; within the dma-buf
 *	with CCSHM_ATTACH_DMABUF
 * @size: its length, a multiple of the page size; 0: up to the end
 * @dmabuf_fd: the dma-buf; 0 without CCSHM_ATTACH_DMABUF
 * @dma_bits: address bits that the device's engine can drive, 1 to 64; 0: those
 *	of the mask that its driver set, 32 when none did
 * @reserved: must be 0
 * @device: "pci:DDDD:BB:DD.F", NUL-terminated, zero behind the NUL
 * @attachment_id: out: the attachment
 * @actual_size: out: size of the slice
 * @segments: out: number of segments, see struct ccshm_ioc_segments
 * @fd: out: the attachment, close-on-exec; the caller owns it. -1 with
 *	CCSHM_ATTACH_PERSISTENT.
 *
 * The DMA addresses are valid exactly as long as the attachment lives. Whoever
 * programmed the device says DETACH when it has stopped. poll() on the fd gives
 * POLLPRI when the attachment is being revoked: stop the device and DETACH.
 * When the last reference to the fd goes without DETACH, ccshm stops the device
 * itself: it clears bus mastering and waits for pending transactions. This is
 * for the whole device, so other attachments to it see it too.
 * The device's driver arriving, leaving or changing, and the device's removal,
 * stop the device in the same way. A device that cannot be stopped leaves the
 * attachment in CCSHM_STATE_STUCK, also after the device's removal.
 *
 * When the device has attachments that ccshm is stopping (forced revokes, holders that
 * are gone), ATTACH completes these stops first, so that none of them hits the new
 * holder. For a device that does not answer this takes up to a second.
 *
 * Needs CAP_SYS_RAWIO and write permission. Errors: EINVAL (also a malformed
 * device, or dma_bits above 64); ENOENT (no such buffer); ENODEV (no such
 * device, or the export is revoked); EPERM (no CAP_SYS_RAWIO); EACCES (mode of
 * the buffer, or a read-only export: a device cannot be held to it); EBADF
 * (@dmabuf_fd is no file); EMEDIUMTYPE (@dmabuf_fd is not one of our dma-bufs);
 * EBUSY (a kernel driver other than vfio or uio owns the device); EOPNOTSUPP
 * (the device is a bridge, or behind a translating IOMMU, or its IOMMU group is owned by
 * userspace, or it has its own DMA operations, is not coherent, has a
 * restricted DMA pool, was never configured for DMA, or needs no sharing);
 * ERANGE (its addresses do not reach the memory); EINTR (a signal came while
 * the device was locked, as vfio's unbind does until the device's descriptors are
 * closed); ESHUTDOWN (the machine goes down: reboot, halt or kexec, which first
 * stop all attached devices); EMFILE, ENFILE.
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
 * struct ccshm_ioc_segment - a piece of an attachment for the device
 * @dma_address: what the device is to be given
 * @length: bytes
 * @offset: where the piece starts in the slice
 */
struct ccshm_ioc_segment {
	__u64 dma_address;
	__u64 length;
	__u64 offset;
};

/**
 * struct ccshm_ioc_segments - the DMA addresses of an attachment
 * @id: the attachment; may be 0 on the attachment's own fd
 * @flags: must be 0
 * @segments: user pointer to an array of struct ccshm_ioc_segment
 * @first: index of the first segment wanted
 * @capacity: entries that the array holds
 * @count: out: entries written
 * @total: out: segments that the attachment has
 *
 * On /dev/ccshm it needs CAP_SYS_RAWIO and control of the buffer.
 *
 * Errors: EINVAL (@first beyond the end, or another id on an attachment's fd);
 * ENOENT; EPERM; ENODEV (the attachment is not active: its addresses must not
 * be used any more).
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
 * struct ccshm_ioc_detach - "my device has stopped": end an attachment
 * @id: the attachment; may be 0 on the attachment's own fd
 * @flags: must be 0
 *
 * ccshm believes it and leaves the device alone. On /dev/ccshm it needs
 * CAP_SYS_RAWIO and control of the buffer. Calling again succeeds on the
 * attachment's own fd; an attachment without one is gone when it has ended, for
 * whatever reason, so that a second call gives ENOENT.
 *
 * Errors: EINVAL (also another id on an attachment's fd); ENOENT; EPERM.
 */
struct ccshm_ioc_detach {
	__u64 id;
	__u64 flags;
};

/* The importer was accepted though it cannot be told to let go. */
#define CCSHM_IMPORTER_CANNOT_LET_GO	(1U << 0)
/* The importer has pinned the export. */
#define CCSHM_IMPORTER_PINS		(1U << 1)

/**
 * struct ccshm_ioc_importer - a device that its driver has attached to an export
 * @device: "BUS:NAME" as in sysfs, e.g. "pci:0000:00:04.0" or
 *	"platform:vivid.0"; only the name for a device that is on no bus. Cut
 *	off where it is longer; NUL-terminated.
 * @mappings: mappings that it holds
 * @flags: CCSHM_IMPORTER_*
 */
struct ccshm_ioc_importer {
	char device[CCSHM_DEVICE_LEN];
	__u32 mappings;
	__u32 flags;
};

/**
 * struct ccshm_ioc_importers - which devices are attached to an export
 * @id: the export
 * @flags: must be 0
 * @importers: user pointer to an array of struct ccshm_ioc_importer
 * @first: index of the first importer wanted
 * @capacity: entries that the array holds
 * @count: out: entries written
 * @total: out: importers that the export has
 *
 * They are in the order in which they attached. Importers come and go between
 * two calls; one call is a true picture of its moment.
 *
 * Errors: EINVAL (@first beyond the end); ENOENT (no such export).
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
 * enum ccshm_page_state - of pages, as the kernel's own page tables have it
 * @CCSHM_PAGE_UNKNOWN: this architecture does not let a module know, or the page
 *	is not mapped, or on a plain machine, where there are no two states
 * @CCSHM_PAGE_PRIVATE: the direct map says private
 * @CCSHM_PAGE_SHARED: the direct map says shared
 */
enum ccshm_page_state {
	CCSHM_PAGE_UNKNOWN = 0,
	CCSHM_PAGE_PRIVATE = 1,
	CCSHM_PAGE_SHARED = 2,
};

/* One leaf of the direct map covers (at least) a whole conversion unit here. */
#define CCSHM_PAGES_LEAF_WHOLE		(1U << 0)
/* The pages are in a block that was carved. */
#define CCSHM_PAGES_CARVED		(1U << 1)

/**
 * struct ccshm_ioc_run - pages of a buffer that have everything in common
 * @offset: of the first in the buffer
 * @length: bytes
 * @physical: physical address of the first: the pages are contiguous; 0 for
 *	callers without CAP_SYS_ADMIN in the initial user namespace
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
 * struct ccshm_ioc_pages - the state of a buffer's pages
 * @id: the buffer
 * @flags: must be 0
 * @offset: start of the range, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @runs: user pointer to an array of struct ccshm_ioc_run
 * @capacity: entries that the array holds, at least 1
 * @count: out: entries written, in the order of their offsets
 * @next: out: where the range is to be continued when the array was too small;
 *	otherwise its end
 *
 * Errors: EINVAL (a range that is not page-aligned, is beyond the buffer or
 * overflows; no capacity); ENOENT; EINTR (a fatal signal).
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
 * enum ccshm_device_verdict - does a device need shared memory?
 * @CCSHM_DEVICE_NEEDS: yes, and it can use it
 * @CCSHM_DEVICE_NEEDS_NOT: no, it can DMA to private memory
 * @CCSHM_DEVICE_CANNOT: it cannot use shared memory of ours
 */
enum ccshm_device_verdict {
	CCSHM_DEVICE_NEEDS = 1,
	CCSHM_DEVICE_NEEDS_NOT = 2,
	CCSHM_DEVICE_CANNOT = 3,
};

/**
 * enum ccshm_dma_mode - how a device's DMA reaches memory
 * @CCSHM_DMA_MODE_NONE: it does no DMA: it has no mask
 * @CCSHM_DMA_MODE_DIRECT: at physical addresses
 * @CCSHM_DMA_MODE_IOMMU: through an IOMMU that translates
 * @CCSHM_DMA_MODE_OWN: through DMA operations of its own
 * @CCSHM_DMA_MODE_USERSPACE: through an IOMMU that belongs to user space
 */
enum ccshm_dma_mode {
	CCSHM_DMA_MODE_NONE = 0,
	CCSHM_DMA_MODE_DIRECT = 1,
	CCSHM_DMA_MODE_IOMMU = 2,
	CCSHM_DMA_MODE_OWN = 3,
	CCSHM_DMA_MODE_USERSPACE = 4,
};

/* It needs no cache maintenance. */
#define CCSHM_DEVICE_COHERENT		(1ULL << 0)
/* The kernel bounces all of its DMA (swiotlb). */
#define CCSHM_DEVICE_BOUNCES		(1ULL << 1)
/* It may only use a restricted pool of memory. */
#define CCSHM_DEVICE_RESTRICTED		(1ULL << 2)
/* It is behind an IOMMU, which may be in identity mode. */
#define CCSHM_DEVICE_IOMMU		(1ULL << 3)
/* A driver of the kernel has it; without it, or for vfio and uio, ATTACH can. */
#define CCSHM_DEVICE_KERNEL_DRIVER	(1ULL << 4)
/* @dma_mask is the 32 bits that it was born with: no driver has set another. */
#define CCSHM_DEVICE_MASK_DEFAULT	(1ULL << 5)

#define CCSHM_REASON_LEN		128	/* with the terminating NUL */

/**
 * struct ccshm_ioc_device - what a device needs, and why
 * @flags: must be 0
 * @device: "BUS:NAME" as in sysfs with the buses pci, platform and virtio,
 *	NUL-terminated, zero behind the NUL. A virtio device is judged by the
 *	pci or platform device that it sits on, which does its DMA.
 * @verdict: out: enum ccshm_device_verdict
 * @mode: out: enum ccshm_dma_mode
 * @device_flags: out: CCSHM_DEVICE_*
 * @dma_mask: out: what its driver has set, or the bus; 0: none
 * @bus_limit: out: highest address that its bus carries; 0: no limit
 * @driver: out: the driver that it is bound to, or empty; NUL-terminated
 * @reason: out: why, for a person to read, not empty for
 *	CCSHM_DEVICE_NEEDS_NOT and CCSHM_DEVICE_CANNOT; NUL-terminated
 *
 * A device that a driver of the kernel has is judged as an importer of an
 * export is, any other as ATTACH would without dma_bits. Where nothing is private
 * (CCSHM_INFO_PLAIN) a device that could be given memory needs it not.
 *
 * A picture of the moment: it is decided anew at each map. Whether a small mask
 * reaches the memory shows only then. Needs no capability: sysfs tells most of it
 * to everybody.
 *
 * Errors: EINVAL (a malformed name, or another bus); ENODEV (no such device, or a
 * virtio device on something else); EINTR (a signal came while a driver was being
 * bound to the device).
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
/* On /dev/ccshm, and on an attachment's own file descriptor. */
#define CCSHM_IOC_SEGMENTS	_IOWR(CCSHM_IOC_MAGIC, 0x48, struct ccshm_ioc_segments)
#define CCSHM_IOC_DETACH	_IOWR(CCSHM_IOC_MAGIC, 0x49, struct ccshm_ioc_detach)
#define CCSHM_IOC_IMPORTERS	_IOWR(CCSHM_IOC_MAGIC, 0x4a, struct ccshm_ioc_importers)
#define CCSHM_IOC_PAGES		_IOWR(CCSHM_IOC_MAGIC, 0x4b, struct ccshm_ioc_pages)
#define CCSHM_IOC_DEVICE	_IOWR(CCSHM_IOC_MAGIC, 0x4c, struct ccshm_ioc_device)
#define CCSHM_IOC_SET		_IOWR(CCSHM_IOC_MAGIC, 0x4d, struct ccshm_ioc_set)

/*
 * Generic netlink: a family that shows what there is and what happens. It is
 * there in the initial network namespace only, and needs no access to
 * /dev/ccshm. uapi/ccshm.yaml describes it to programs.
 *
 * Dumps of buffers, exports and attachments have a message for each object that
 * the credentials with which the socket was opened, as they are when the dump
 * starts, let see: those that QUERY would find for a process with these
 * credentials through a /dev/ccshm of its own. (Anonymous buffers thus are for
 * CAP_SYS_ADMIN, until only their exports or attachments are left.) Buffers that
 * have ended are there, too, until their memory has been given back. Messages
 * come in the order of the ids. A dump during which an object came or went, or
 * changed its state, has NLM_F_DUMP_INTR: to be made again.
 *
 * The group "events" is for those with CAP_SYS_ADMIN in the initial user
 * namespace, who must have had it when they opened the socket, too. Where events
 * were lost, a receive fails with ENOBUFS.
 *
 * Requests take no attributes (EINVAL). ids of users and groups are in the user
 * namespace of the socket's opener; in events in the initial one.
 */
#define CCSHM_GENL_NAME			"ccshm"
#define CCSHM_GENL_VERSION		1
#define CCSHM_GENL_GROUP_EVENTS		"events"

/**
 * enum ccshm_cmd - commands of the family
 * @CCSHM_CMD_UNSPEC: not used
 * @CCSHM_CMD_BUFFER_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID, MODE,
 *	PAYER, NAME (if it has one), OBJECT_FLAGS, SIZE, CHARGED, CARVED, BLOCKS,
 *	BLOCKS_SMALL, UNITS, UNITS_WHOLE, CONVERSIONS, EXPORTS, ATTACHMENTS
 * @CCSHM_CMD_EXPORT_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID, MODE,
 *	PAYER, NAME, OBJECT_FLAGS, SIZE, BUFFER_ID, OFFSET, STATE, ATTACHMENTS,
 *	IMPORTERS, DEVICE_MAPPINGS, CPU_MAPPINGS, IMPORTER
 * @CCSHM_CMD_ATTACHMENT_GET: dump: CCSHM_A_TYPE, ID, QUERY_FLAGS, UID, GID, MODE,
 *	PAYER, NAME, OBJECT_FLAGS, SIZE, BUFFER_ID, OFFSET, STATE, EXPORT_ID,
 *	DEVICE_MAPPINGS, DMA_BITS, SEGMENTS, DEVICE
 * @CCSHM_CMD_STATS_GET: do: CCSHM_A_STATS_*, of all users
 * @CCSHM_CMD_EVENT: sent to the group: CCSHM_A_EVENT, TIME, and what enum
 *	ccshm_event_type says
 */
enum ccshm_cmd {
	CCSHM_CMD_UNSPEC = 0,
	CCSHM_CMD_BUFFER_GET = 1,
	CCSHM_CMD_EXPORT_GET = 2,
	CCSHM_CMD_ATTACHMENT_GET = 3,
	CCSHM_CMD_STATS_GET = 4,
	CCSHM_CMD_EVENT = 5,
};

/* What a message says of the importers of an export, at most; IMPORTERS has all. */
#define CCSHM_GENL_IMPORTERS_MAX	16

/**
 * enum ccshm_attr - attributes of objects and events
 * @CCSHM_A_UNSPEC: not used
 * @CCSHM_A_PAD: nothing: makes 64 bit values aligned
 * @CCSHM_A_TYPE: u32: enum ccshm_type
 * @CCSHM_A_ID: u64: id
 * @CCSHM_A_STATE: u32: enum ccshm_state
 * @CCSHM_A_OBJECT_FLAGS: u64: CCSHM_ALLOC_*, CCSHM_EXPORT_* or CCSHM_ATTACH_*
 * @CCSHM_A_QUERY_FLAGS: u64: CCSHM_QUERY_*
 * @CCSHM_A_BUFFER_ID: u64: id of the buffer that it belongs to
 * @CCSHM_A_EXPORT_ID: u64: id of the export it was made from, or 0
 * @CCSHM_A_OFFSET: u64: start of the slice in the buffer, bytes
 * @CCSHM_A_SIZE: u64: size of the buffer or of the slice, bytes
 * @CCSHM_A_UID: u32: owner of the buffer; CCSHM_EVENT_QUOTA: who was refused
 * @CCSHM_A_GID: u32: group of the buffer
 * @CCSHM_A_MODE: u32: permission bits of the buffer
 * @CCSHM_A_PAYER: u32: uid that the memory is charged to
 * @CCSHM_A_CHARGED: u64: memory that the buffer takes, bytes
 * @CCSHM_A_CARVED: u64: what of it is a part of a carved block, bytes
 * @CCSHM_A_BLOCKS: u64: blocks that the buffer has for itself
 * @CCSHM_A_BLOCKS_SMALL: u64: blocks smaller than a conversion unit
 * @CCSHM_A_UNITS: u64: conversion units of 2 MiB in the larger blocks
 * @CCSHM_A_UNITS_WHOLE: u64: of these, units that one direct-map leaf covered
 * @CCSHM_A_CONVERSIONS: u64: calls to share the buffer
 * @CCSHM_A_EXPORTS: u32: live exports
 * @CCSHM_A_ATTACHMENTS: u32: live attachments made from it
 * @CCSHM_A_IMPORTERS: u32: devices attached by their drivers
 * @CCSHM_A_DEVICE_MAPPINGS: u32: as in struct ccshm_ioc_query, of the moment;
 *	CCSHM_EVENT_REVOKE_END: as in struct ccshm_ioc_revoke
 * @CCSHM_A_CPU_MAPPINGS: u32: user mappings (VMAs), of the moment
 * @CCSHM_A_DMA_BITS: u32: address bits that the device was judged by
 * @CCSHM_A_SEGMENTS: u32: number of segments
 * @CCSHM_A_NAME: string: name of the buffer
 * @CCSHM_A_DEVICE: string: "BUS:NAME" as in sysfs
 * @CCSHM_A_IMPORTER: nest of CCSHM_A_IMPORTER_*, one for each importer, in the
 *	order in which they attached; of the first CCSHM_GENL_IMPORTERS_MAX
 * @CCSHM_A_EVENT: u32: enum ccshm_event_type
 * @CCSHM_A_TIME: u64: CLOCK_REALTIME of the event, nanoseconds
 * @CCSHM_A_RESULT: u32: how a revoke ended: 0 or a positive errno
 * @CCSHM_A_DURATION: u64: how long it took, nanoseconds
 * @CCSHM_A_PAGES: u64: pages (of the page size)
 * @CCSHM_A_STOPPED: u32: devices that ccshm had to stop
 * @CCSHM_A_QUOTA: u32: enum ccshm_quota
 * @CCSHM_A_ASKED: u64: what was asked for: bytes, buffers or exports
 * @CCSHM_A_USED: u64: what counted against the limit then, likewise
 * @CCSHM_A_LIMIT: u64: and the limit, likewise
 * @CCSHM_A_ACTOR_UID: u32: effective uid of the process that caused the event; there
 *	is none when the kernel did it by itself
 * @CCSHM_A_ACTOR_PID: u32: that process, in the initial pid namespace; likewise
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
 * enum ccshm_stats_attr - counters, u64, of now or since the module was loaded
 * @CCSHM_A_STATS_UNSPEC: not used
 * @CCSHM_A_STATS_PAD: nothing: makes values aligned
 * @CCSHM_A_STATS_BYTES_SHARED: bytes in the shared state now
 * @CCSHM_A_STATS_BYTES_LEAKED: bytes leaked
 * @CCSHM_A_STATS_BYTES_QUARANTINED: bytes in quarantine now
 * @CCSHM_A_STATS_BYTES_CARVED: bytes of carved blocks that buffers have now
 * @CCSHM_A_STATS_BLOCKS_CARVED: carved blocks now
 * @CCSHM_A_STATS_CALLS_SHARED: conversions to shared that were made
 * @CCSHM_A_STATS_CALLS_PRIVATE: conversions back to private that were made
 * @CCSHM_A_STATS_CALLS_FAILED: conversions that failed
 * @CCSHM_A_STATS_BUFFERS: buffers now
 * @CCSHM_A_STATS_EXPORTS: exports now
 * @CCSHM_A_STATS_ATTACHMENTS: attachments now
 * @CCSHM_A_STATS_BUFFERS_MADE: buffers made
 * @CCSHM_A_STATS_EXPORTS_MADE: exports made
 * @CCSHM_A_STATS_ATTACHMENTS_MADE: attachments made
 * @CCSHM_A_STATS_REVOKES: calls of REVOKE that began
 * @CCSHM_A_STATS_REVOKES_FAILED: calls of REVOKE that did not end all access
 * @CCSHM_A_STATS_QUOTA_REFUSED: allocations that a limit did not allow
 * @CCSHM_A_STATS_EVENTS: events that were sent
 * @CCSHM_A_STATS_EVENTS_LOST: events that were not, for want of memory or because
 *	too many were waiting: their listeners got ENOBUFS
 * @CCSHM_A_STATS_EVENTS_SUPPRESSED: events that were not sent, because one user
 *	caused too many: likewise
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
 * enum ccshm_event_type - what has happened
 * @CCSHM_EVENT_BUFFER_NEW: a buffer was made; as CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_BUFFER_END: it was freed, or its file closed: its id and name are
 *	gone, its memory is not yet; as CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_BUFFER_GONE: its memory has been given back, or leaked, or is still
 *	a part of a carved block; as CCSHM_CMD_BUFFER_GET
 * @CCSHM_EVENT_EXPORT_NEW: an export was made; as CCSHM_CMD_EXPORT_GET without
 *	IMPORTER
 * @CCSHM_EVENT_EXPORT_GONE: its dma-buf is gone; likewise
 * @CCSHM_EVENT_ATTACH: an attachment was made; as CCSHM_CMD_ATTACHMENT_GET
 * @CCSHM_EVENT_DETACH: its device uses the memory no more; likewise, and
 *	CCSHM_A_STOPPED: ccshm had to stop the device
 * @CCSHM_EVENT_STUCK: its device could not be stopped; likewise
 * @CCSHM_EVENT_IMPORTER_ATTACH: a driver has attached its device to an export:
 *	CCSHM_A_TYPE, ID and BUFFER_ID of the export, DEVICE
 * @CCSHM_EVENT_IMPORTER_DETACH: and detached it again; likewise
 * @CCSHM_EVENT_REVOKE_BEGIN: REVOKE: CCSHM_A_TYPE, ID, BUFFER_ID
 * @CCSHM_EVENT_REVOKE_END: the same call comes back: CCSHM_A_TYPE, ID, BUFFER_ID,
 *	RESULT, DURATION, STATE, DEVICE_MAPPINGS, PAGES, STOPPED
 * @CCSHM_EVENT_LEAK: memory cannot be made private again: CCSHM_A_PAGES
 * @CCSHM_EVENT_QUOTA: a limit did not allow an allocation: CCSHM_A_QUOTA, UID,
 *	ASKED, USED, LIMIT
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
 * enum ccshm_quota - which limit
 * @CCSHM_QUOTA_TOTAL_BYTES: bytes of all users
 * @CCSHM_QUOTA_USER_BYTES: bytes of one user
 * @CCSHM_QUOTA_USER_BUFFERS: buffers of one user
 * @CCSHM_QUOTA_USER_EXPORTS: exports that one user made
 */
enum ccshm_quota {
	CCSHM_QUOTA_TOTAL_BYTES = 1,
	CCSHM_QUOTA_USER_BYTES = 2,
	CCSHM_QUOTA_USER_BUFFERS = 3,
	CCSHM_QUOTA_USER_EXPORTS = 4,
};

#endif /* _UAPI_LINUX_CCSHM_H */
