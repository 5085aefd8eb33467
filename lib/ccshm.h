/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libccshm: shared memory for confidential virtual machines.
 *
 * Rules for all functions:
 *
 * - Functions that can fail return a negative errno on failure, and 0 or the
 *   documented value on success. The value of errno after a call is undefined.
 * - A function that makes a handle stores it through its last argument, and
 *   stores NULL on failure. The caller owns the handle and releases it with the
 *   ccshm_..._close() or ccshm_..._free() function of its type, which accepts
 *   NULL. Handles may be closed in any order.
 * - Every handle made from a struct ccshm keeps the file of /dev/ccshm open,
 *   also after ccshm_close(). Anonymous buffers end when the last of these
 *   handles is closed.
 * - Closing the handle of a buffer does not end the buffer: see
 *   ccshm_buffer_free().
 * - Several threads may use a handle at once. The call that closes the handle
 *   must be the last use of it. Options objects belong to one thread at a time.
 * - The library has no global state. No function starts threads, installs
 *   signal handlers, prints, or ends the process. All file descriptors are
 *   close-on-exec.
 * - A child of fork() shares the file with its parent: each of them can use and
 *   revoke its anonymous buffers, which end when both have closed the file.
 * - Sizes, offsets and lengths are in bytes. Slices begin and end at multiples
 *   of the page size.
 * - A function that makes a handle can fail with -ENOMEM (no memory in the
 *   process or in the driver). A function that needs the driver fails with
 *   -EOPNOTSUPP on a handle without a driver (see CCSHM_ONLY_IF_NEEDED). The
 *   functions below do not repeat these two errors.
 *
 * The host can read and change shared memory at any time. Copy data in once,
 * check the copy, and authenticate what matters.
 */
#ifndef CCSHM_H
#define CCSHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * <linux/ccshm.h> defines enum ccshm_platform, enum ccshm_type, enum
 * ccshm_state, enum ccshm_page_state, enum ccshm_device_verdict, enum
 * ccshm_dma_mode, enum ccshm_event_type, enum ccshm_quota,
 * CCSHM_GENL_IMPORTERS_MAX and the flags CCSHM_INFO_*, CCSHM_FEATURE_*,
 * CCSHM_QUERY_*, CCSHM_EXPORT_*, CCSHM_PAGES_*, CCSHM_FREE_REVOKE,
 * CCSHM_REVOKE_FORCE, CCSHM_REVOKE_SEAL and CCSHM_REVOKE_ORDERLY.
 */
#include <linux/ccshm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ccshm;
struct ccshm_info;
struct ccshm_alloc_options;
struct ccshm_set_options;
struct ccshm_buffer;
struct ccshm_status;
struct ccshm_mapping;
struct ccshm_export;
struct ccshm_attach_options;
struct ccshm_attachment;
struct ccshm_importers;
struct ccshm_device;
struct ccshm_list;
struct ccshm_stats;
struct ccshm_events;
struct ccshm_event;

/* ------------------------------------------------------------------------- */
/* The driver                                                                */
/* ------------------------------------------------------------------------- */

/*
 * Flag of ccshm_open(): accept ordinary memory on a machine that is not a
 * confidential guest. Memory needs to be shared only where something keeps it
 * private.
 *
 * The flag has an effect only if there is no driver. Without the flag
 * ccshm_open() fails. With the flag ccshm_open() checks whether this machine is
 * a confidential guest. If it is, or if this cannot be determined, the call
 * still fails: ordinary memory would be private there, and no device could use
 * it. If it certainly is not, the handle works without a driver, and
 * ccshm_has_driver() returns false.
 *
 * On x86 a machine is certainly not a confidential guest if it does not run
 * under a hypervisor, or if CPUID shows neither SEV, nor TDX, nor Hyper-V
 * isolation. On other architectures this is never certain.
 *
 * A handle without a driver offers ccshm_buffer_alloc() of anonymous buffers
 * (zeroed memory of a memfd that this process can map), ccshm_buffer_map(),
 * ccshm_buffer_free() and the functions that only return what a handle
 * contains. Such a buffer has the id 0. Every other function fails with
 * -EOPNOTSUPP: an ordinary buffer cannot be exported, attached, revoked or
 * opened by other processes. A program passes such memory to its device as it
 * does without ccshm.
 */
#define CCSHM_ONLY_IF_NEEDED		(1ULL << 0)

/*
 * Flag of ccshm_open(): open the device node for reading only, which needs no
 * write permission on the node. Such a handle is for queries: ccshm_info_get(),
 * ccshm_buffer_open(), ccshm_buffer_open_id(), ccshm_status_get(),
 * ccshm_status_get_fd(), ccshm_importers_get(), ccshm_buffer_pages() and
 * ccshm_device_get(). Calls that would change something, or give access to
 * memory, fail with -EBADF.
 */
#define CCSHM_READ_ONLY			(1ULL << 1)

/**
 * ccshm_open() - open the driver
 * @flags: 0, or CCSHM_ONLY_IF_NEEDED and CCSHM_READ_ONLY
 * @handle: set to the new handle; close it with ccshm_close()
 *
 * Each call opens a separate file of /dev/ccshm. Anonymous buffers end with the
 * file that allocated them; see <linux/ccshm.h>.
 *
 * Errors: -EINVAL (unknown flags); -ENODEV (no driver: this is not a
 * confidential guest, or the driver is not installed or not loaded); -EACCES,
 * -EPERM (no permission on the device node); -EPROTO (the driver is too old for
 * this library, or the node belongs to another device); -EPROTONOSUPPORT (this
 * library is too old for the driver); -EMFILE, -ENFILE (no file descriptor is
 * left).
 */
int ccshm_open(uint64_t flags, struct ccshm **handle);

/**
 * ccshm_close() - close a handle
 * @handle: handle, or NULL
 *
 * The file is closed when all handles that were made from @handle have been
 * closed also. The anonymous buffers end then.
 */
void ccshm_close(struct ccshm *handle);

/**
 * ccshm_fd() - return the file descriptor of /dev/ccshm
 * @handle: handle
 *
 * Returns: the file descriptor. The handle continues to own it; do not close
 * it. A process that gets the descriptor (by fork, exec without FD_CLOEXEC, or
 * SCM_RIGHTS) controls the anonymous buffers of this handle.
 *
 * Errors: -EOPNOTSUPP (the handle has no driver).
 */
int ccshm_fd(const struct ccshm *handle);

/**
 * ccshm_has_driver() - check whether the handle has a driver
 * @handle: handle
 *
 * Returns: false for a handle that exists only because of CCSHM_ONLY_IF_NEEDED,
 * otherwise true.
 */
bool ccshm_has_driver(const struct ccshm *handle);

/**
 * ccshm_version() - return the version of the library
 *
 * Returns: a string such as "0.1.0", which is never freed.
 */
const char *ccshm_version(void);

/**
 * ccshm_platform_name() - return the name of a platform
 * @platform: enum ccshm_platform
 *
 * Returns: "none", "sev", "sev-es", "sev-snp", "tdx", "cca", or "unknown". The
 * string is never freed.
 */
const char *ccshm_platform_name(uint32_t platform);

/**
 * ccshm_platform_detect() - determine what keeps this machine's memory private
 * @platform: set to an enum ccshm_platform; CCSHM_PLATFORM_NONE on failure
 *
 * Use CPUID, without the driver. The driver has more information: see
 * ccshm_info_platform(). A process cannot distinguish the three kinds of AMD
 * guests: CCSHM_PLATFORM_SEV is returned for all of them, except where Hyper-V
 * provides more information.
 *
 * Errors: -ENODATA (cannot be determined: the architecture is not x86, or the
 * library does not know the isolation).
 */
int ccshm_platform_detect(uint32_t *platform);

/**
 * ccshm_type_name() - return the name of a type of object
 * @type: enum ccshm_type
 *
 * Returns: "buffer", "export", "attachment", or "unknown". The string is never
 * freed.
 */
const char *ccshm_type_name(uint32_t type);

/**
 * ccshm_state_name() - return the name of a state
 * @state: enum ccshm_state
 *
 * Returns: "active", "revoking", "revoked", "stuck", or "unknown". The string
 * is never freed.
 */
const char *ccshm_state_name(uint32_t state);

/**
 * ccshm_verdict_name() - return whether a device needs shared memory as a word
 * @verdict: enum ccshm_device_verdict
 *
 * Returns: "yes", "no", "cannot", or "unknown". The string is never freed.
 */
const char *ccshm_verdict_name(uint32_t verdict);

/**
 * ccshm_dma_mode_name() - return the name of a DMA mode
 * @mode: enum ccshm_dma_mode
 *
 * Returns: "none", "direct", "iommu", "own", "userspace", or "unknown". The
 * string is never freed.
 */
const char *ccshm_dma_mode_name(uint32_t mode);

/**
 * ccshm_page_state_name() - return the name of a state of pages
 * @state: enum ccshm_page_state
 *
 * Returns: "private", "shared", or "unknown". The string is never freed.
 */
const char *ccshm_page_state_name(uint32_t state);

/**
 * ccshm_event_type_name() - return the name of a type of event
 * @type: enum ccshm_event_type
 *
 * Returns: "buffer-new", "buffer-end", "buffer-gone", "export-new",
 * "export-gone", "attach", "detach", "stuck", "importer-attach",
 * "importer-detach", "revoke-begin", "revoke-end", "leak", "quota", or
 * "unknown". The string is never freed.
 */
const char *ccshm_event_type_name(uint32_t type);

/**
 * ccshm_quota_name() - return the name of a limit
 * @quota: enum ccshm_quota
 *
 * Returns: "total-bytes", "user-bytes", "user-buffers", "user-exports", or
 * "unknown". The string is never freed.
 */
const char *ccshm_quota_name(uint32_t quota);

/* ------------------------------------------------------------------------- */
/* Information about the driver                                              */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_info_get() - query the driver and its use of memory
 * @handle: handle
 * @info: set to the new snapshot; free it with ccshm_info_free()
 *
 * Errors: only the general ones.
 */
int ccshm_info_get(struct ccshm *handle, struct ccshm_info **info);

/**
 * ccshm_info_free() - free a snapshot
 * @info: snapshot, or NULL
 */
void ccshm_info_free(struct ccshm_info *info);

/**
 * ccshm_info_platform() - return what keeps this guest's memory private
 * @info: snapshot
 *
 * Returns: enum ccshm_platform; a newer driver may return other values.
 */
uint32_t ccshm_info_platform(const struct ccshm_info *info);

/**
 * ccshm_info_is_plain() - check whether the driver runs on a machine without
 * private memory
 * @info: snapshot
 *
 * Returns: true if the driver was loaded with allow_plain=1 and sharing has no
 * effect.
 */
bool ccshm_info_is_plain(const struct ccshm_info *info);

/**
 * ccshm_info_driver_version() - return the version of the driver
 * @info: snapshot
 *
 * Returns: a string that is valid until @info is freed.
 */
const char *ccshm_info_driver_version(const struct ccshm_info *info);

/**
 * ccshm_info_abi_version() - return the version of the driver's ABI
 * @info: snapshot
 *
 * Returns: CCSHM_ABI_VERSION of the driver, which can be newer than that of
 * this library.
 */
uint32_t ccshm_info_abi_version(const struct ccshm_info *info);

/**
 * ccshm_info_features() - return the optional features of the driver
 * @info: snapshot
 *
 * Returns: bits CCSHM_FEATURE_*.
 */
uint64_t ccshm_info_features(const struct ccshm_info *info);

/**
 * ccshm_info_block_size() - return the unit of conversion
 * @info: snapshot
 *
 * Returns: bytes. Memory is shared in multiples of this unit, unless free
 * memory is too fragmented. Smaller parts are carved from a block of this size.
 */
uint64_t ccshm_info_block_size(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_shared() - return how much shared memory the driver holds
 * @info: snapshot
 *
 * Returns: bytes of all users, including memory that is being converted in
 * either direction.
 */
uint64_t ccshm_info_bytes_shared(const struct ccshm_info *info);

/**
 * ccshm_info_contiguous_max() - return the size of the largest contiguous
 * buffer
 * @info: snapshot
 *
 * Returns: bytes, see ccshm_alloc_options_set_contiguous().
 */
uint64_t ccshm_info_contiguous_max(const struct ccshm_info *info);

/**
 * ccshm_info_blocks_carved() - return the number of carved blocks
 * @info: snapshot
 *
 * Returns: number of blocks of ccshm_info_block_size() bytes from which small
 * buffers and the ends of large ones were carved.
 */
uint64_t ccshm_info_blocks_carved(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_carved() - return how much of the carved blocks buffers use
 * @info: snapshot
 *
 * Returns: bytes. The rest of the blocks is available for the next buffers of
 * the same payer.
 */
uint64_t ccshm_info_bytes_carved(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_leaked() - return how much memory was leaked
 * @info: snapshot
 *
 * Returns: bytes that could not be made private again and are never returned to
 * the kernel, since the driver was loaded.
 */
uint64_t ccshm_info_bytes_leaked(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_quarantined() - return how much memory is in quarantine
 * @info: snapshot
 *
 * Returns: bytes that could not be made private again yet. The driver retries
 * for half a minute before it counts them as leaked.
 */
uint64_t ccshm_info_bytes_quarantined(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_shared() - return the number of conversions to shared
 * @info: snapshot
 *
 * Returns: number of conversions since the driver was loaded.
 */
uint64_t ccshm_info_conversions_shared(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_private() - return the number of conversions to
 * private
 * @info: snapshot
 *
 * Returns: number of conversions since the driver was loaded.
 */
uint64_t ccshm_info_conversions_private(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_failed() - return the number of failed conversions
 * @info: snapshot
 *
 * Returns: number of conversions since the driver was loaded.
 */
uint64_t ccshm_info_conversions_failed(const struct ccshm_info *info);

/**
 * ccshm_info_buffers() - return the number of buffers
 * @info: snapshot
 *
 * Returns: number of buffers of all users, including those that have ended
 * while an export or attachment still holds their memory.
 */
uint32_t ccshm_info_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_exports() - return the number of exports
 * @info: snapshot
 *
 * Returns: number of exports of all users.
 */
uint32_t ccshm_info_exports(const struct ccshm_info *info);

/**
 * ccshm_info_attachments() - return the number of attachments
 * @info: snapshot
 *
 * Returns: number of attachments of all users.
 */
uint32_t ccshm_info_attachments(const struct ccshm_info *info);

/**
 * ccshm_info_limit_total_bytes() - return the limit for the memory of all users
 * @info: snapshot
 *
 * Returns: bytes, or CCSHM_LIMIT_NONE. ccshm_buffer_alloc() fails with -ENOSPC
 * if it would exceed the limit.
 */
uint64_t ccshm_info_limit_total_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_bytes() - return the limit for the memory of each user
 * @info: snapshot
 *
 * Returns: bytes, or CCSHM_LIMIT_NONE. ccshm_buffer_alloc() fails with -EDQUOT
 * if it would exceed the limit.
 */
uint64_t ccshm_info_limit_user_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_buffers() - return the limit for the buffers of each
 * user
 * @info: snapshot
 *
 * Returns: number of buffers, or CCSHM_LIMIT_NONE. ccshm_buffer_alloc() fails
 * with -EDQUOT if it would exceed the limit.
 */
uint64_t ccshm_info_limit_user_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_exports() - return the limit for the exports that each
 * user creates
 * @info: snapshot
 *
 * Returns: number of exports, or CCSHM_LIMIT_NONE. ccshm_export_create() fails
 * with -EDQUOT if it would exceed the limit.
 */
uint64_t ccshm_info_limit_user_exports(const struct ccshm_info *info);

/**
 * ccshm_info_used_bytes() - return how much memory all users are charged
 * @info: snapshot
 *
 * Returns: bytes that count against ccshm_info_limit_total_bytes(). Leaked
 * memory is not included.
 */
uint64_t ccshm_info_used_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_refusals() - return how many calls a limit refused
 * @info: snapshot
 *
 * Returns: number of calls since the driver was loaded.
 */
uint64_t ccshm_info_refusals(const struct ccshm_info *info);

/**
 * ccshm_info_user_bytes() - return how much memory the caller is charged
 * @info: snapshot
 *
 * Returns: bytes that are charged to the effective uid of the call of
 * ccshm_info_get(): whole blocks.
 */
uint64_t ccshm_info_user_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_user_bytes_leaked() - return how much memory of the caller was
 * leaked
 * @info: snapshot
 *
 * Returns: bytes that were leaked while they were charged to the caller's
 * effective uid. They count against both limits, for this user only.
 */
uint64_t ccshm_info_user_bytes_leaked(const struct ccshm_info *info);

/**
 * ccshm_info_user_buffers() - return the number of buffers that the caller pays
 * for
 * @info: snapshot
 *
 * Returns: number of buffers, including those that have ended while their
 * memory is in use.
 */
uint32_t ccshm_info_user_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_user_exports() - return the number of exports that the caller
 * created
 * @info: snapshot
 *
 * Returns: number of exports, of own and of other users' buffers.
 */
uint32_t ccshm_info_user_exports(const struct ccshm_info *info);

/**
 * ccshm_info_user_attachments() - return the number of attachments of the
 * caller's buffers
 * @info: snapshot
 *
 * Returns: number of attachments of the buffers that the caller pays for.
 */
uint32_t ccshm_info_user_attachments(const struct ccshm_info *info);

/**
 * ccshm_info_user_importers() - return the number of devices that use the
 * caller's buffers
 * @info: snapshot
 *
 * Returns: number of devices that their drivers attached to exports of the
 * buffers that the caller pays for.
 */
uint32_t ccshm_info_user_importers(const struct ccshm_info *info);

/**
 * ccshm_info_importers() - return the number of devices that use exports
 * @info: snapshot
 *
 * Returns: number of devices that their drivers attached to exports of all
 * users.
 */
uint32_t ccshm_info_importers(const struct ccshm_info *info);

/* ------------------------------------------------------------------------- */
/* Buffers                                                                   */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_alloc_options_new() - create options for an allocation
 * @options: set to the new object; free it with ccshm_alloc_options_free()
 *
 * New options describe an anonymous buffer on any NUMA node. An object can be
 * used for any number of allocations.
 *
 * Errors: -ENOMEM.
 */
int ccshm_alloc_options_new(struct ccshm_alloc_options **options);

/**
 * ccshm_alloc_options_free() - free options
 * @options: options, or NULL
 */
void ccshm_alloc_options_free(struct ccshm_alloc_options *options);

/**
 * ccshm_alloc_options_set_persistent() - make the buffer outlive the file
 * @options: options
 * @persistent: true: the buffer ends when it is freed, and its owner controls
 *	it; false, the default: the buffer is anonymous and ends with the file
 *	of /dev/ccshm
 */
void ccshm_alloc_options_set_persistent(struct ccshm_alloc_options *options,
					bool persistent);

/**
 * ccshm_alloc_options_set_name() - set the name of a persistent buffer
 * @options: options
 * @name: a letter or '_', then letters, digits, '.', '_' or '-', at most
 *	CCSHM_NAME_LEN - 1 characters; copied. NULL or "": no name.
 *
 * The driver checks the characters when the buffer is allocated.
 *
 * Errors: -EINVAL (too long; the options keep the previous name).
 */
int ccshm_alloc_options_set_name(struct ccshm_alloc_options *options,
				 const char *name);

/**
 * ccshm_alloc_options_set_owner() - set the owner of a persistent buffer
 * @options: options
 * @uid: owner, instead of the caller's effective uid; another user needs
 *	CAP_CHOWN. (uid_t)-1: the caller's effective uid.
 */
void ccshm_alloc_options_set_owner(struct ccshm_alloc_options *options,
				   uid_t uid);

/**
 * ccshm_alloc_options_set_group() - set the group of a persistent buffer
 * @options: options
 * @gid: group, instead of the caller's effective gid; a group that the caller
 *	is not in needs CAP_CHOWN. (gid_t)-1: the caller's effective gid.
 */
void ccshm_alloc_options_set_group(struct ccshm_alloc_options *options,
				   gid_t gid);

/**
 * ccshm_alloc_options_set_mode() - set the permission bits of a persistent
 * buffer
 * @options: options
 * @mode: a subset of 0666; default: 0600. Read permission allows read-only
 *	exports, write permission any export. The umask is not applied.
 */
void ccshm_alloc_options_set_mode(struct ccshm_alloc_options *options,
				  mode_t mode);

/**
 * ccshm_alloc_options_set_node() - set the NUMA node of the memory
 * @options: options
 * @node: the only node from which memory is taken; -1, the default: any node,
 *	preferably the nearest
 */
void ccshm_alloc_options_set_node(struct ccshm_alloc_options *options,
				  int node);

/**
 * ccshm_alloc_options_set_interruptible() - let any signal end the allocation
 * @options: options
 * @interruptible: true: any signal, also one that stops the process, and a
 *	suspend of the machine end ccshm_buffer_alloc() with -EINTR, and no
 *	buffer remains; false, the default: only a signal that kills the process
 *	ends the call
 *
 * Use this for persistent buffers: if a signal kills the process after the
 * allocation has succeeded, the buffer remains. A process that handles the
 * signal gets the handle of the buffer, and can free it. Repeat the call after
 * -EINTR unless such a signal has arrived.
 */
void ccshm_alloc_options_set_interruptible(struct ccshm_alloc_options *options,
					   bool interruptible);

/**
 * ccshm_alloc_options_set_dma32() - restrict the memory to addresses below 4
 * GiB
 * @options: options
 * @dma32: true: only memory that a device with 32 address bits reaches; false,
 *	the default: any memory
 */
void ccshm_alloc_options_set_dma32(struct ccshm_alloc_options *options,
				   bool dma32);

/**
 * ccshm_alloc_options_set_contiguous() - make the memory physically contiguous
 * @options: options
 * @contiguous: true: one physically contiguous run of pages, for a device that
 *	takes one address; false, the default: any number of runs
 *
 * The maximum size is ccshm_info_contiguous_max(). If the size exceeds
 * ccshm_info_block_size(), the payer is charged for the next power of two.
 */
void ccshm_alloc_options_set_contiguous(struct ccshm_alloc_options *options,
					bool contiguous);

/**
 * ccshm_alloc_options_set_whole_units() - use no small blocks
 * @options: options
 * @whole_units: true: allocate whole units of ccshm_info_block_size() bytes
 *	only, and fail with -ENOMEM if not enough are free; false, the
 *	default: fall back to smaller blocks
 *
 * The end of a buffer whose size is not a multiple of a unit is still carved
 * from one. In fragmented memory a buffer of small blocks can consist of
 * thousands of them. Each of them costs a conversion, and splits large mappings
 * of the kernel permanently.
 */
void ccshm_alloc_options_set_whole_units(struct ccshm_alloc_options *options,
					 bool whole_units);

/**
 * ccshm_alloc_options_set_others_pin() - let other users create pinned exports
 * @options: options
 * @others_pin: true: callers without control of the buffer may export it with
 *	CCSHM_EXPORT_PINNED if the permission bits allow the export; false,
 *	the default: only callers with control may
 *
 * For persistent buffers only. A pinned export of another user can prevent the
 * owner's revoke from ending.
 */
void ccshm_alloc_options_set_others_pin(struct ccshm_alloc_options *options,
					bool others_pin);

/**
 * ccshm_buffer_alloc() - allocate a buffer
 * @handle: handle
 * @size: bytes, rounded up to whole pages
 * @options: options, or NULL for an anonymous buffer; not kept
 * @buffer: set to the handle of the new buffer; close it with
 *	ccshm_buffer_close()
 *
 * The memory reads zero. Allocating gigabytes can take seconds; a fatal signal
 * ends the call, and no buffer remains.
 *
 * Errors: -EINVAL (size 0 or too large to be rounded; a name, mode, node, owner
 * or group that is not valid; a node that the caller's cpuset does not allow; a
 * name, owner, group or mode for an anonymous buffer); -EPERM (another owner,
 * or a group that the caller is not in, without CAP_CHOWN); -EEXIST (the owner
 * has a buffer of that name); -EFBIG (contiguous, and larger than
 * ccshm_info_contiguous_max(); or ordinary memory, and larger than
 * RLIMIT_FSIZE allows, without SIGXFSZ); -EMFILE, -ENFILE (ordinary memory, and
 * no file descriptor is left); -ENOMEM (not enough memory of the requested kind
 * is free, or not in one run, or not in whole units, or the memory cgroup has
 * no room for whole blocks); -EDQUOT (the limit for the bytes or buffers of
 * each user); -ENOSPC (the limit for the bytes of all users); -EINTR (a signal
 * ended the call); -EIO (the platform refused to share memory); -EBUSY (the
 * machine is being hibernated); -EOPNOTSUPP (the handle has no driver, and the
 * options ask for a persistent buffer, pinned exports of others, a node, whole
 * units, memory below 4 GiB or contiguous memory, which ordinary memory cannot
 * guarantee).
 */
int ccshm_buffer_alloc(struct ccshm *handle, uint64_t size,
		       const struct ccshm_alloc_options *options,
		       struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_open() - open a persistent buffer by its name
 * @handle: handle
 * @name: "NAME" for a buffer of the caller (effective uid), "USER/NAME" or
 *	"UID/NAME" for a buffer of another user
 * @buffer: set to the new handle; close it with ccshm_buffer_close()
 *
 * The handle does not keep the buffer alive: a caller that controls the buffer
 * can free it at any time, and calls then fail with -ENOENT.
 *
 * Errors: -EINVAL (not a valid name, or a UID out of range); -ENOENT (no such
 * user or buffer, or the caller may not see the buffer); errors of the user
 * database (such as -EIO).
 */
int ccshm_buffer_open(struct ccshm *handle, const char *name,
		      struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_open_id() - open a buffer by its id
 * @handle: handle
 * @id: id of the buffer
 * @buffer: set to the new handle; close it with ccshm_buffer_close()
 *
 * The handle does not keep the buffer alive, see ccshm_buffer_open().
 *
 * Errors: -ENOENT (no such object, or the caller may not see it); -EINVAL (the
 * id of an export or attachment).
 */
int ccshm_buffer_open_id(struct ccshm *handle, uint64_t id,
			 struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_close() - close the handle of a buffer
 * @buffer: handle, or NULL
 *
 * The buffer itself remains: a persistent buffer exists until it is freed, an
 * anonymous one until the file of /dev/ccshm is closed. Call
 * ccshm_buffer_free() first to end the buffer now.
 */
void ccshm_buffer_close(struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_free() - end a buffer
 * @buffer: handle; the caller must still close it
 *
 * The id and name of the buffer are no longer valid when the call returns; the
 * call never waits. The memory is returned when the last mapping, export and
 * attachment of the buffer are gone.
 *
 * Errors: -ENOENT (the buffer has ended); -EPERM (no control of the buffer).
 */
int ccshm_buffer_free(struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_free_flags() - end a buffer, and optionally its exports and
 * attachments
 * @buffer: handle; the caller must still close it
 * @flags: 0, or CCSHM_FREE_REVOKE to also begin to revoke every export and
 *	attachment of the buffer
 *
 * Does not wait. With CCSHM_FREE_REVOKE each revoke ends when the last mapping
 * and fence of the export are gone, or the attachment has been detached.
 * ccshm_list_get() lists the buffer, as an orphan, until its memory is private
 * again. Exceptions: memory that the platform refuses to make private is only
 * counted (ccshm_info_bytes_quarantined(), ccshm_info_bytes_leaked()), and the
 * carved end (ccshm_status_carved()) is zeroed, but stays shared while other
 * buffers of the same payer use its block, which had the same owner when they
 * were allocated.
 *
 * Errors: -EINVAL (@flags); -ENOENT (the buffer has ended); -EPERM (no control
 * of the buffer); -EOPNOTSUPP (@flags is not 0, and the handle has no driver).
 */
int ccshm_buffer_free_flags(struct ccshm_buffer *buffer, uint64_t flags);

/**
 * ccshm_set_options_new() - create an object that holds changes to a buffer
 * @options: set to the new object; free it with ccshm_set_options_free()
 *
 * A new object contains no change. Each ccshm_set_options_set_...() adds a
 * change, or replaces an earlier one of the same kind.
 *
 * Errors: -ENOMEM.
 */
int ccshm_set_options_new(struct ccshm_set_options **options);

/**
 * ccshm_set_options_free() - free options
 * @options: options, or NULL
 */
void ccshm_set_options_free(struct ccshm_set_options *options);

/**
 * ccshm_set_options_set_mode() - change the permission bits
 * @options: options
 * @mode: a subset of 0666
 */
void ccshm_set_options_set_mode(struct ccshm_set_options *options, mode_t mode);

/**
 * ccshm_set_options_set_group() - change the group
 * @options: options
 * @gid: new group; a group that the caller is not in needs CAP_CHOWN
 */
void ccshm_set_options_set_group(struct ccshm_set_options *options, gid_t gid);

/**
 * ccshm_set_options_set_owner() - change the owner
 * @options: options
 * @uid: new owner; another than the current one needs CAP_CHOWN
 */
void ccshm_set_options_set_owner(struct ccshm_set_options *options, uid_t uid);

/**
 * ccshm_set_options_set_name() - change the name
 * @options: options
 * @name: new name, copied; NULL or "" for none
 *
 * Errors: -EINVAL (too long; the options do not change).
 */
int ccshm_set_options_set_name(struct ccshm_set_options *options,
			       const char *name);

/**
 * ccshm_set_options_set_sealed() - seal or unseal the buffer
 * @options: options
 * @sealed: true: only callers with control can create exports and attachments
 *	of the buffer, including attachments of existing exports; false: the
 *	permission bits apply again
 */
void ccshm_set_options_set_sealed(struct ccshm_set_options *options, bool sealed);

/**
 * ccshm_buffer_set() - change a buffer
 * @buffer: handle
 * @options: the changes, at least one; not kept
 *
 * Make all changes in one step, or none. Existing exports and attachments keep
 * their rights, and the payer does not change. When the call returns, a new
 * owner has control and the previous one does not, except with CAP_SYS_ADMIN.
 *
 * Errors: -EINVAL (no change; a mode, name, owner or group that is not valid; a
 * change other than sealing for a buffer that is not persistent); -ENOENT (the
 * buffer has ended); -EPERM (no control of the buffer; another owner, or a
 * group that the caller is not in, without CAP_CHOWN); -EEXIST (the owner has
 * another buffer of that name).
 */
int ccshm_buffer_set(struct ccshm_buffer *buffer,
		     const struct ccshm_set_options *options);

/**
 * ccshm_buffer_id() - return the id of a buffer
 * @buffer: handle
 *
 * Returns: the id, which is never used twice; 0 for a buffer without a driver.
 */
uint64_t ccshm_buffer_id(const struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_size() - return the size of a buffer
 * @buffer: handle
 *
 * Returns: bytes, a multiple of the page size.
 */
uint64_t ccshm_buffer_size(const struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_is_shared() - check whether the driver allocated the buffer
 * @buffer: handle
 *
 * Returns: false for ordinary memory, see CCSHM_ONLY_IF_NEEDED.
 */
bool ccshm_buffer_is_shared(const struct ccshm_buffer *buffer);

/**
 * struct ccshm_run - a run of pages of a buffer with the same properties
 * @offset: offset of the first page in the buffer
 * @length: bytes
 * @physical: physical address of the first page; the run is physically
 *	contiguous. 0 for callers without CAP_SYS_ADMIN in the initial user
 *	namespace
 * @state: enum ccshm_page_state, according to the kernel's page tables
 * @flags: CCSHM_PAGES_LEAF_WHOLE, CCSHM_PAGES_CARVED
 */
struct ccshm_run {
	uint64_t offset;
	uint64_t length;
	uint64_t physical;
	uint32_t state;
	uint32_t flags;
};

/**
 * ccshm_buffer_pages() - query the state of a buffer's pages
 * @buffer: handle
 * @offset: start of the range, a multiple of the page size
 * @size: length of the range, a multiple of the page size; 0: up to the end
 * @runs: array for the runs, in the order of their offsets
 * @capacity: number of entries of the array, at least 1
 * @next: set to the offset at which to continue if the array is too small,
 *	otherwise to the end of the range; set to @offset on failure
 *
 * Use this to find out why sharing is slow, not in a fast path.
 *
 * Returns: number of entries written.
 *
 * Errors: -EINVAL (a range that is not page-aligned or is beyond the buffer;
 * @capacity 0 or above INT_MAX); -ENOENT (the buffer has ended); -EINTR (a
 * fatal signal); -ENOTTY (the driver does not have this call).
 */
int ccshm_buffer_pages(struct ccshm_buffer *buffer, uint64_t offset,
		       uint64_t size, struct ccshm_run *runs, uint32_t capacity,
		       uint64_t *next);

/* ------------------------------------------------------------------------- */
/* Status of buffers, exports and attachments                                */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_status_get() - query an object
 * @handle: handle
 * @id: id of a buffer, an export or an attachment
 * @status: set to the new snapshot; free it with ccshm_status_free()
 *
 * Errors: -ENOENT (no such object, or the caller may not see it).
 */
int ccshm_status_get(struct ccshm *handle, uint64_t id,
		     struct ccshm_status **status);

/**
 * ccshm_status_get_fd() - query the export or attachment of a file descriptor
 * @handle: handle
 * @fd: a dma-buf of ccshm, or the file descriptor of an attachment; the caller
 *	continues to own it
 * @status: set to the new snapshot; free it with ccshm_status_free()
 *
 * Every process that holds the descriptor can use this call. If the process may
 * not see the buffer, ccshm_status_is_holder() returns true.
 *
 * Errors: -EBADF (@fd is not open); -EMEDIUMTYPE (@fd is neither an export nor
 * an attachment).
 */
int ccshm_status_get_fd(struct ccshm *handle, int fd,
			struct ccshm_status **status);

/**
 * ccshm_buffer_status() - query a buffer
 * @buffer: handle
 * @status: set to the new snapshot; free it with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_buffer_status(struct ccshm_buffer *buffer,
			struct ccshm_status **status);

/**
 * ccshm_export_status() - query an export
 * @exp: handle
 * @status: set to the new snapshot; free it with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_export_status(struct ccshm_export *exp, struct ccshm_status **status);

/**
 * ccshm_attachment_status() - query an attachment
 * @attachment: handle
 * @status: set to the new snapshot; free it with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_attachment_status(struct ccshm_attachment *attachment,
			    struct ccshm_status **status);

/**
 * ccshm_status_free() - free a snapshot
 * @status: snapshot, or NULL
 */
void ccshm_status_free(struct ccshm_status *status);

/*
 * The following functions return the contents of a snapshot. A function that
 * does not apply to the type of the object returns 0, false or "". Strings are
 * valid until the snapshot is freed. Users and groups are those of the caller's
 * user namespace.
 */

/** ccshm_status_id() - return the id of the object */
uint64_t ccshm_status_id(const struct ccshm_status *status);

/** ccshm_status_type() - return the type of the object, an enum ccshm_type */
uint32_t ccshm_status_type(const struct ccshm_status *status);

/**
 * ccshm_status_state() - return the state, an enum ccshm_state; active for a
 * buffer
 */
uint32_t ccshm_status_state(const struct ccshm_status *status);

/**
 * ccshm_status_flags() - return the flags with which the object was created,
 * CCSHM_ALLOC_*, CCSHM_EXPORT_* or CCSHM_ATTACH_* of <linux/ccshm.h>
 */
uint64_t ccshm_status_flags(const struct ccshm_status *status);

/**
 * ccshm_status_is_persistent() - check for a persistent buffer or attachment
 */
bool ccshm_status_is_persistent(const struct ccshm_status *status);

/**
 * ccshm_status_is_orphan() - check whether the buffer has ended while it is in
 * use
 */
bool ccshm_status_is_orphan(const struct ccshm_status *status);

/**
 * ccshm_status_is_heap() - check for memory of /dev/dma_heap/system_cc_shared
 */
bool ccshm_status_is_heap(const struct ccshm_status *status);

/**
 * ccshm_status_is_holder() - check whether the caller knows the object only by
 * its descriptor
 * @status: snapshot
 *
 * Returns: true if the caller may not see the buffer. Owner, group and payer
 * are (uid_t)-1 and (gid_t)-1 then; mode, name, and the numbers of the buffer's
 * memory are empty.
 */
bool ccshm_status_is_holder(const struct ccshm_status *status);

/**
 * ccshm_status_is_sealed() - check whether the buffer is sealed, see
 * ccshm_set_options_set_sealed()
 */
bool ccshm_status_is_sealed(const struct ccshm_status *status);

/**
 * ccshm_status_has_control() - check whether the caller may free and revoke it
 */
bool ccshm_status_has_control(const struct ccshm_status *status);

/** ccshm_status_buffer_id() - return the id of the object's buffer */
uint64_t ccshm_status_buffer_id(const struct ccshm_status *status);

/** ccshm_status_export_id() - return the id of an attachment's export, or 0 */
uint64_t ccshm_status_export_id(const struct ccshm_status *status);

/** ccshm_status_offset() - return the offset of the slice in the buffer */
uint64_t ccshm_status_offset(const struct ccshm_status *status);

/**
 * ccshm_status_size() - return the size of the buffer or of the slice in bytes
 */
uint64_t ccshm_status_size(const struct ccshm_status *status);

/** ccshm_status_owner() - return the owner of the buffer */
uid_t ccshm_status_owner(const struct ccshm_status *status);

/** ccshm_status_group() - return the group of the buffer */
gid_t ccshm_status_group(const struct ccshm_status *status);

/** ccshm_status_mode() - return the permission bits of the buffer */
mode_t ccshm_status_mode(const struct ccshm_status *status);

/** ccshm_status_payer() - return the user that the memory is charged to */
uid_t ccshm_status_payer(const struct ccshm_status *status);

/**
 * ccshm_status_charged() - return the bytes that the payer is charged for the
 * buffer
 */
uint64_t ccshm_status_charged(const struct ccshm_status *status);

/**
 * ccshm_status_carved() - return how many of these bytes are in shared blocks
 */
uint64_t ccshm_status_carved(const struct ccshm_status *status);

/**
 * ccshm_status_blocks() - return the number of blocks that only this buffer
 * uses
 */
uint64_t ccshm_status_blocks(const struct ccshm_status *status);

/**
 * ccshm_status_blocks_small() - return how many of these blocks are smaller
 * than a unit
 */
uint64_t ccshm_status_blocks_small(const struct ccshm_status *status);

/**
 * ccshm_status_units() - return the number of 2 MiB units in the larger blocks
 */
uint64_t ccshm_status_units(const struct ccshm_status *status);

/**
 * ccshm_status_units_whole() - return how many of these units one leaf of the
 * kernel's direct map covered when they were converted
 */
uint64_t ccshm_status_units_whole(const struct ccshm_status *status);

/**
 * ccshm_status_conversions() - return the number of calls that shared the
 * buffer
 */
uint64_t ccshm_status_conversions(const struct ccshm_status *status);

/** ccshm_status_exports() - return the number of live exports of a buffer */
uint32_t ccshm_status_exports(const struct ccshm_status *status);

/**
 * ccshm_status_attachments() - return the number of live attachments of a
 * buffer or export
 */
uint32_t ccshm_status_attachments(const struct ccshm_status *status);

/**
 * ccshm_status_importers() - return the number of devices attached to an export
 */
uint32_t ccshm_status_importers(const struct ccshm_status *status);

/**
 * ccshm_status_device_mappings() - return the number of mappings that drivers
 * hold of an export; for an attachment 1 while the device may use the memory
 */
uint32_t ccshm_status_device_mappings(const struct ccshm_status *status);

/**
 * ccshm_status_cpu_mappings() - return the number of user mappings of an export
 */
uint32_t ccshm_status_cpu_mappings(const struct ccshm_status *status);

/**
 * ccshm_status_dma_bits() - return the address bits that ATTACH assumed for the
 * device
 */
uint32_t ccshm_status_dma_bits(const struct ccshm_status *status);

/** ccshm_status_segments() - return the number of segments of an attachment */
uint32_t ccshm_status_segments(const struct ccshm_status *status);

/** ccshm_status_name() - return the name of the buffer, or "" */
const char *ccshm_status_name(const struct ccshm_status *status);

/**
 * ccshm_status_device() - return the device of an attachment,
 * "pci:0000:00:04.0"
 */
const char *ccshm_status_device(const struct ccshm_status *status);

/* ------------------------------------------------------------------------- */
/* Mappings: the memory in this process                                      */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_buffer_map() - map a slice of a buffer
 * @buffer: handle
 * @offset: start of the slice, a multiple of the page size
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @flags: must be 0
 * @mapping: set to the new handle; close it with ccshm_mapping_close()
 *
 * Create an export of the slice (a read-only one without PROT_WRITE) and map it
 * with MAP_SHARED, at an address at which the kernel can use large pages. The
 * export lives as long as the mapping. After a revoke, accessing the memory
 * raises SIGBUS.
 *
 * Errors: -EINVAL (flags, prot; a slice that is not page-aligned or is beyond
 * the buffer); -ENOENT (the buffer has ended); -EACCES (the mode of the buffer
 * does not allow it); -EPERM (the buffer is sealed, and the caller has no
 * control); -EDQUOT (the limit for the exports of each user); -EMFILE, -ENFILE
 * (no file descriptor is left); -ENODEV (revoked before it was mapped);
 * -ENOMEM, -EAGAIN (from mmap); -EOVERFLOW (larger than the address space).
 */
int ccshm_buffer_map(struct ccshm_buffer *buffer, uint64_t offset,
		     uint64_t size, int prot, uint64_t flags,
		     struct ccshm_mapping **mapping);

/**
 * ccshm_export_map() - map a slice of an export
 * @exp: handle
 * @offset: start of the slice in the export, a multiple of the page size
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @flags: must be 0
 * @mapping: set to the new handle; close it with ccshm_mapping_close()
 *
 * The mapping keeps the export alive, also after ccshm_export_close(). After a
 * revoke of the export, accessing the memory raises SIGBUS.
 *
 * Errors: -EINVAL (flags, prot; a slice that is not page-aligned or is beyond
 * the export); -EACCES (a read-only or no-CPU export); -ENODEV (the export is
 * revoked); -EBADF (the file descriptor was taken); -ENOMEM, -EAGAIN (from
 * mmap); -EOVERFLOW (larger than the address space).
 */
int ccshm_export_map(struct ccshm_export *exp, uint64_t offset, uint64_t size,
		     int prot, uint64_t flags, struct ccshm_mapping **mapping);

/**
 * ccshm_mapping_close() - unmap the memory and close the handle
 * @mapping: handle, or NULL
 */
void ccshm_mapping_close(struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_address() - return the address of a mapping
 * @mapping: handle
 *
 * Returns: an address that is valid until ccshm_mapping_close().
 */
void *ccshm_mapping_address(const struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_size() - return the length of a mapping
 * @mapping: handle
 *
 * Returns: bytes.
 */
size_t ccshm_mapping_size(const struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_export_id() - return the id of the mapped export
 * @mapping: handle
 *
 * Returns: the id, for ccshm_revoke() and ccshm_status_get(); 0 without a
 * driver.
 */
uint64_t ccshm_mapping_export_id(const struct ccshm_mapping *mapping);

/* ------------------------------------------------------------------------- */
/* Exports: a slice of a buffer as a dma-buf                                 */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_export_create() - create a dma-buf of a slice of a buffer
 * @buffer: handle
 * @flags: CCSHM_EXPORT_READ_ONLY, CCSHM_EXPORT_NO_CPU, CCSHM_EXPORT_PINNED
 * @offset: start of the slice, a multiple of the page size
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 * @exp: set to the new handle; close it with ccshm_export_close()
 *
 * The handle owns the file descriptor of the dma-buf. The export lives until
 * the last reference to the dma-buf is gone: descriptors in any process,
 * mappings, and drivers that imported it.
 *
 * Errors: -EINVAL (flags; a slice that is not page-aligned or is beyond the
 * buffer); -ENOENT (the buffer has ended); -ENODEV (revoked before the call
 * returned); -EACCES (the mode of the buffer does not allow it); -EPERM (the
 * buffer is sealed, or CCSHM_EXPORT_PINNED and other users may not pin, and the
 * caller has no control); -EDQUOT (the limit for the exports of each user);
 * -EMFILE, -ENFILE (no file descriptor is left).
 */
int ccshm_export_create(struct ccshm_buffer *buffer, uint64_t flags,
			uint64_t offset, uint64_t size,
			struct ccshm_export **exp);

/**
 * ccshm_export_close() - close the handle of an export
 * @exp: handle, or NULL
 *
 * Close the file descriptor of the dma-buf unless it was taken. Do not revoke
 * the export.
 */
void ccshm_export_close(struct ccshm_export *exp);

/**
 * ccshm_export_fd() - return the file descriptor of the dma-buf
 * @exp: handle
 *
 * Returns: the file descriptor, close-on-exec. The handle continues to own it:
 * send it or pass it to a driver, but do not close it.
 *
 * Errors: -EBADF (the file descriptor was taken).
 */
int ccshm_export_fd(struct ccshm_export *exp);

/**
 * ccshm_export_take_fd() - take the file descriptor of the dma-buf from the
 * handle
 * @exp: handle
 *
 * Returns: the file descriptor, close-on-exec, which the caller owns and must
 * close. The handle can still be queried, revoked and closed, but not mapped or
 * attached.
 *
 * Errors: -EBADF (the file descriptor was taken before).
 */
int ccshm_export_take_fd(struct ccshm_export *exp);

/**
 * ccshm_export_id() - return the id of an export
 * @exp: handle
 *
 * Returns: the id, which is never used twice.
 */
uint64_t ccshm_export_id(const struct ccshm_export *exp);

/**
 * ccshm_export_size() - return the size of an export
 * @exp: handle
 *
 * Returns: bytes.
 */
uint64_t ccshm_export_size(const struct ccshm_export *exp);

/* ------------------------------------------------------------------------- */
/* Attachments: a slice for a device that a userspace driver programs        */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_attach_options_new() - create options for an attachment
 * @options: set to the new object; free it with ccshm_attach_options_free()
 *
 * New options describe an attachment of the whole buffer or export, with the
 * address bits that the device's driver set (32 if none did), until the handle
 * is closed.
 *
 * Errors: -ENOMEM.
 */
int ccshm_attach_options_new(struct ccshm_attach_options **options);

/**
 * ccshm_attach_options_free() - free options
 * @options: options, or NULL
 */
void ccshm_attach_options_free(struct ccshm_attach_options *options);

/**
 * ccshm_attach_options_set_slice() - attach a part of the buffer or export
 * @options: options
 * @offset: start of the slice, a multiple of the page size
 * @size: length of the slice, a multiple of the page size; 0: up to the end
 */
void ccshm_attach_options_set_slice(struct ccshm_attach_options *options,
				    uint64_t offset, uint64_t size);

/**
 * ccshm_attach_options_set_dma_bits() - set the address bits of the device's
 * engine
 * @options: options
 * @bits: 1 to 64; 0, the default: those that the device's driver set, 32 if
 *	none did
 */
void ccshm_attach_options_set_dma_bits(struct ccshm_attach_options *options,
				       unsigned int bits);

/**
 * ccshm_attach_options_set_persistent() - make the attachment outlive the
 * handle
 * @options: options
 * @persistent: true: the attachment has no file descriptor and lives until it
 *	is detached or revoked; for persistent buffers only, and only with
 *	control of the buffer
 */
void ccshm_attach_options_set_persistent(struct ccshm_attach_options *options,
					 bool persistent);

/**
 * ccshm_buffer_attach() - attach a device to a buffer
 * @buffer: handle
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept
 * @attachment: set to the new handle; close it with ccshm_attachment_close()
 *
 * The DMA addresses (ccshm_attachment_segments()) are valid while the
 * attachment exists. poll() on ccshm_attachment_fd() returns POLLPRI when the
 * attachment is being revoked. Then, and when the work is done, the holder must
 * stop the device and call ccshm_attachment_detach().
 *
 * The call resumes a device that runtime power management has suspended, which
 * restores saved registers: enable bus mastering only after it. The device is
 * not suspended while attached.
 *
 * Needs CAP_SYS_RAWIO.
 *
 * Errors: -EINVAL (a malformed device; a slice that is not page-aligned or is
 * beyond the buffer; more than 64 address bits; a persistent attachment of an
 * anonymous buffer); -ENOENT (the buffer has ended); -ENODEV (no such device);
 * -EPERM (no CAP_SYS_RAWIO; a sealed buffer, or a persistent attachment, without
 * control of the buffer); -EACCES
 * (no write permission); -EBUSY (a kernel driver other than vfio or uio owns
 * the device); -EOPNOTSUPP (the device is a bridge, is behind a translating
 * IOMMU, has its own DMA operations, is not coherent, has a restricted DMA
 * pool, was never configured for DMA, or needs no sharing); -ERANGE (the
 * device's addresses do not reach the memory); -EINTR (a signal arrived while
 * the device was locked, for example by an unbind of vfio, which waits until
 * the device's file descriptors are closed); -EIO (the device cannot be resumed
 * from a low-power state); -ESHUTDOWN
 * (the machine reboots, halts or starts another kernel: all attached devices
 * are stopped first); -EMFILE, -ENFILE (no file descriptor is left).
 */
int ccshm_buffer_attach(struct ccshm_buffer *buffer, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_export_attach() - attach a device to an export
 * @exp: handle
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept. The slice is relative to the export.
 * @attachment: set to the new handle; close it with ccshm_attachment_close()
 *
 * See ccshm_buffer_attach(). The attachment ends when the export is revoked.
 *
 * Errors: as ccshm_buffer_attach(); -EBADF (the file descriptor of the export
 * was taken); -ENODEV (also: the export is revoked); -EACCES (also: a read-only
 * export).
 */
int ccshm_export_attach(struct ccshm_export *exp, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_dmabuf_attach() - attach a device to a dma-buf from another process
 * @handle: handle
 * @fd: dma-buf of an export; the caller continues to own it and may close it
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept. The slice is relative to the dma-buf.
 * @attachment: set to the new handle; close it with ccshm_attachment_close()
 *
 * See ccshm_export_attach().
 *
 * Errors: as ccshm_export_attach(); -EBADF (@fd is not open); -EMEDIUMTYPE (@fd
 * is not a dma-buf of ccshm).
 */
int ccshm_dmabuf_attach(struct ccshm *handle, int fd, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_attachment_open_id() - open an attachment by its id
 * @handle: handle
 * @id: id of the attachment
 * @attachment: set to the new handle; close it with ccshm_attachment_close()
 *
 * Use this for persistent attachments, and for attachments of buffers that the
 * caller controls. The handle has no file descriptor and does not keep the
 * attachment alive.
 *
 * Errors: -ENOENT (no such object, or the caller may not see it); -EINVAL (the
 * id of a buffer or export).
 */
int ccshm_attachment_open_id(struct ccshm *handle, uint64_t id,
			     struct ccshm_attachment **attachment);

/**
 * ccshm_attachment_close() - close the handle of an attachment
 * @attachment: handle, or NULL
 *
 * If the handle owns the file descriptor of the attachment and
 * ccshm_attachment_detach() was not called, the driver stops the device: it
 * clears bus mastering, which affects all users of the device. A persistent
 * attachment remains.
 */
void ccshm_attachment_close(struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_detach() - declare that the device has stopped, and end the
 * attachment
 * @attachment: handle; the caller must still close it
 *
 * The driver trusts the caller and does not stop the device. Further calls
 * succeed while the handle has the file descriptor of the attachment.
 *
 * Errors: -ENOENT (the attachment has ended); -EPERM (the handle has no file
 * descriptor, and the caller has no control of the buffer or no CAP_SYS_RAWIO).
 */
int ccshm_attachment_detach(struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_fd() - return the file descriptor of an attachment, for
 * poll()
 * @attachment: handle
 *
 * Returns: the file descriptor, close-on-exec. The handle continues to own it;
 * do not close it. poll() returns POLLPRI when the attachment is being revoked.
 *
 * Errors: -EBADF (the attachment is persistent, or the handle was opened by
 * id).
 */
int ccshm_attachment_fd(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_id() - return the id of an attachment
 * @attachment: handle
 *
 * Returns: the id, which is never used twice.
 */
uint64_t ccshm_attachment_id(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_size() - return the size of the attached slice
 * @attachment: handle
 *
 * Returns: bytes.
 */
uint64_t ccshm_attachment_size(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_segment_count() - return the number of segments
 * @attachment: handle
 *
 * Returns: the number of contiguous segments of the slice, as the device
 * addresses it. It does not change.
 */
uint32_t ccshm_attachment_segment_count(const struct ccshm_attachment *attachment);

/**
 * struct ccshm_segment - a contiguous segment of an attachment
 * @dma_address: address for the device
 * @length: bytes
 * @offset: offset of the segment in the slice
 */
struct ccshm_segment {
	uint64_t dma_address;
	uint64_t length;
	uint64_t offset;
};

/**
 * ccshm_attachment_segments() - return the DMA addresses
 * @attachment: handle
 * @first: index of the first segment to return
 * @segments: array for the segments, in the order of their offsets
 * @capacity: number of entries of the array
 *
 * Returns: number of entries written: @capacity, or less at the end.
 *
 * Errors: -EINVAL (@first is beyond the end, or @capacity is above INT_MAX);
 * -ENODEV (the attachment is revoked or being revoked; its addresses must not
 * be used); -ENOENT (the attachment has ended); -EPERM (the handle has no file
 * descriptor, and the caller has no control of the buffer or no CAP_SYS_RAWIO).
 */
int ccshm_attachment_segments(struct ccshm_attachment *attachment,
			      uint32_t first, struct ccshm_segment *segments,
			      uint32_t capacity);

/* ------------------------------------------------------------------------- */
/* Revoke: end all access                                                    */
/* ------------------------------------------------------------------------- */

/*
 * Flags of the revoke functions, in addition to CCSHM_REVOKE_FORCE,
 * CCSHM_REVOKE_SEAL and CCSHM_REVOKE_ORDERLY. The library handles them and does
 * not pass them to the driver.
 *
 * CCSHM_REVOKE_INTERRUPTIBLE: return -EINTR when a signal handler ran. Without
 * this flag the library repeats the call, with the same deadline. A handler
 * with SA_RESTART, or a signal that ends the process, never causes -EINTR.
 *
 * CCSHM_REVOKE_DEADLINE: the timeout is a point in time, in nanoseconds of
 * CLOCK_MONOTONIC. A call that returned -EINTR can then be repeated unchanged.
 */
#define CCSHM_REVOKE_INTERRUPTIBLE	(1ULL << 63)
#define CCSHM_REVOKE_DEADLINE		(1ULL << 62)

/**
 * struct ccshm_revoke_result - progress of a revoke
 * @state: enum ccshm_state; for a buffer that of the least advanced export or
 *	attachment
 * @device_mappings: remaining mappings and attachments of devices; 0 if @state
 *	is CCSHM_STATE_REVOKED
 * @pages: pages (of the page size) of the exports and attachments that the
 *	revoke covers
 * @revoked: exports and attachments that are revoked or have ended during the
 *	call (in the first 64 of concurrent calls for a buffer, its exports and
 *	its attachments; further ones include only what they visit)
 * @stopped: attachments whose device ccshm had to stop, among those that the
 *	revoke covers
 * @reserved: 0
 */
struct ccshm_revoke_result {
	uint32_t state;
	uint32_t device_mappings;
	uint64_t pages;
	uint32_t revoked;
	uint32_t stopped;
	uint64_t reserved[4];
};

/**
 * ccshm_revoke() - end all access through an object, by its id
 * @handle: handle
 * @id: an export or attachment; or a buffer: all exports and attachments that
 *	it has when the call begins. Attachments that are made from an export
 *	until the call has closed it are included.
 * @timeout_ns: how long to wait for devices, in nanoseconds; 0 does not wait,
 *	-1 waits without a limit
 * @flags: CCSHM_REVOKE_FORCE, CCSHM_REVOKE_SEAL, CCSHM_REVOKE_ORDERLY (not with
 *	CCSHM_REVOKE_FORCE), CCSHM_REVOKE_INTERRUPTIBLE, CCSHM_REVOKE_DEADLINE
 * @result: set to the progress on success, and with -ETIMEDOUT, -EBUSY and
 *	-EIO; zeroed on any other failure. May be NULL.
 *
 * From the call on, no new mapping can be made through the object, whatever the
 * call returns. User mappings are gone when the call returns, except with
 * -EINTR: accessing them raises SIGBUS. When the call succeeds, no CPU and no
 * device can access the memory through the object. Another call continues the
 * revoke; for a revoked object it returns the same result, for a buffer without
 * those of its objects that have ended. The buffer itself remains, and can be
 * exported and attached again.
 *
 * With CCSHM_REVOKE_SEAL the buffer is sealed first, in the same step, and
 * stays sealed also with -ETIMEDOUT, -EBUSY, -EIO and -EINTR. With
 * CCSHM_REVOKE_ORDERLY the holders of attachments and the importers are
 * notified first, and user mappings end when the attachments have been
 * detached, or at the deadline.
 *
 * A call that is repeated after a signal, by the library, by the kernel
 * (SA_RESTART, or a signal that stopped the process) or by the caller, looks
 * the object up again and counts from its repetition on. Exports and
 * attachments of a buffer that ended before are missing in @result, and if the
 * named export or attachment has ended meanwhile, the call returns -ENOENT.
 *
 * Errors: -EINVAL (flags; a timeout below -1); -ENOENT (no such object, or the
 * caller may not see it; or it has ended before a repetition of the call);
 * -EPERM (no control of the buffer, or CCSHM_REVOKE_FORCE without
 * CAP_SYS_RAWIO); -ETIMEDOUT (a device still uses the memory, which stays
 * shared and held); -EBUSY (a pinned export has importers that cannot unmap on
 * notification); -EIO (a device could not be stopped); -EINTR (a signal handler
 * ran, with CCSHM_REVOKE_INTERRUPTIBLE).
 */
int ccshm_revoke(struct ccshm *handle, uint64_t id, int64_t timeout_ns,
		 uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_revoke_fd() - end all access through an object, by its file descriptor
 * @handle: handle
 * @fd: dma-buf of an export, or the file descriptor of an attachment; the
 *	caller continues to own it
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * Use this if the id is not known. The caller still needs control of the
 * buffer.
 *
 * Errors: as ccshm_revoke(); -EBADF (@fd is not open); -EMEDIUMTYPE (@fd is
 * neither an export nor an attachment).
 */
int ccshm_revoke_fd(struct ccshm *handle, int fd, int64_t timeout_ns,
		    uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_buffer_revoke() - end all access through the exports and attachments of
 * a buffer
 * @buffer: handle
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * Includes mappings of ccshm_buffer_map().
 *
 * Errors: as ccshm_revoke().
 */
int ccshm_buffer_revoke(struct ccshm_buffer *buffer, int64_t timeout_ns,
			uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_export_revoke() - end all access through an export
 * @exp: handle
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * Errors: as ccshm_revoke().
 */
int ccshm_export_revoke(struct ccshm_export *exp, int64_t timeout_ns,
			uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_attachment_revoke() - end a device's access through an attachment
 * @attachment: handle
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * The holder is notified by POLLPRI and has until the deadline to detach.
 *
 * Errors: as ccshm_revoke().
 */
int ccshm_attachment_revoke(struct ccshm_attachment *attachment,
			    int64_t timeout_ns, uint64_t flags,
			    struct ccshm_revoke_result *result);

/* ------------------------------------------------------------------------- */
/* Importers: the devices that their drivers attached to an export           */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_importers_get() - query the devices that are attached to an export
 * @handle: handle
 * @export_id: id of the export
 * @importers: set to the new snapshot; free it with ccshm_importers_free()
 *
 * The snapshot is consistent, and in the order in which the devices attached.
 *
 * Errors: -ENOENT (no such export, or the caller may not see it).
 */
int ccshm_importers_get(struct ccshm *handle, uint64_t export_id,
			struct ccshm_importers **importers);

/**
 * ccshm_export_importers() - query the devices that are attached to an export
 * @exp: handle
 * @importers: set to the new snapshot; free it with ccshm_importers_free()
 *
 * Errors: as ccshm_importers_get().
 */
int ccshm_export_importers(struct ccshm_export *exp,
			   struct ccshm_importers **importers);

/**
 * ccshm_importers_free() - free a snapshot
 * @importers: snapshot, or NULL
 */
void ccshm_importers_free(struct ccshm_importers *importers);

/*
 * The following functions return the contents of a snapshot. Strings are valid
 * until the snapshot is freed. For an index beyond the last importer the
 * functions return "", 0 or false.
 */

/** ccshm_importers_count() - return the number of importers */
uint32_t ccshm_importers_count(const struct ccshm_importers *importers);

/** ccshm_importers_device() - return the device, such as "pci:0000:00:04.0" */
const char *ccshm_importers_device(const struct ccshm_importers *importers,
				   uint32_t index);

/**
 * ccshm_importers_mappings() - return the number of mappings that the device
 * holds
 */
uint32_t ccshm_importers_mappings(const struct ccshm_importers *importers,
				  uint32_t index);

/**
 * ccshm_importers_can_let_go() - check whether the driver unmaps on
 * notification
 */
bool ccshm_importers_can_let_go(const struct ccshm_importers *importers,
				uint32_t index);

/** ccshm_importers_pins() - check whether the driver has pinned the export */
bool ccshm_importers_pins(const struct ccshm_importers *importers,
			  uint32_t index);

/* ------------------------------------------------------------------------- */
/* Devices: what they need, and why                                          */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_device_get() - query whether a device needs shared memory
 * @handle: handle
 * @name: "BUS:NAME" as in sysfs, with the buses pci, platform and virtio; for
 *	instance "pci:0000:00:04.0"
 * @device: set to the new snapshot; free it with ccshm_device_free()
 *
 * For a virtio device the answer is that for its parent device, which does its
 * DMA. For a device with a driver of the kernel the answer is the decision when
 * the driver maps an export, for any other device the decision of
 * ccshm_buffer_attach() without dma_bits. The driver decides again at each use.
 * Only then does it check whether the device's addresses reach a certain
 * buffer.
 *
 * Errors: -EINVAL (@name has another form, or another bus); -ENODEV (no such
 * device, or a virtio device without a pci or platform parent); -EINTR (a
 * signal arrived while a driver was being bound to the device).
 */
int ccshm_device_get(struct ccshm *handle, const char *name,
		     struct ccshm_device **device);

/**
 * ccshm_device_free() - free a snapshot
 * @device: snapshot, or NULL
 */
void ccshm_device_free(struct ccshm_device *device);

/*
 * The following functions return the contents of a snapshot. Strings are valid
 * until the snapshot is freed.
 */

/**
 * ccshm_device_name() - return the name that was passed to ccshm_device_get()
 */
const char *ccshm_device_name(const struct ccshm_device *device);

/**
 * ccshm_device_driver() - return the driver that is bound to the device, or ""
 */
const char *ccshm_device_driver(const struct ccshm_device *device);

/**
 * ccshm_device_needs() - return whether it needs shared memory, an enum
 * ccshm_device_verdict
 */
uint32_t ccshm_device_needs(const struct ccshm_device *device);

/**
 * ccshm_device_reason() - return why it does not or cannot, for a person to
 * read, or ""
 */
const char *ccshm_device_reason(const struct ccshm_device *device);

/**
 * ccshm_device_mode() - return how its DMA reaches memory, an enum
 * ccshm_dma_mode
 */
uint32_t ccshm_device_mode(const struct ccshm_device *device);

/**
 * ccshm_device_dma_mask() - return the mask that its driver or its bus has set,
 * or 0
 */
uint64_t ccshm_device_dma_mask(const struct ccshm_device *device);

/**
 * ccshm_device_bus_limit() - return the highest address of its bus; 0: no limit
 */
uint64_t ccshm_device_bus_limit(const struct ccshm_device *device);

/**
 * ccshm_device_has_kernel_driver() - check for a driver that maps in the
 * kernel, unlike vfio
 */
bool ccshm_device_has_kernel_driver(const struct ccshm_device *device);

/**
 * ccshm_device_has_default_mask() - check whether no driver has set its mask of
 * 32 bits
 */
bool ccshm_device_has_default_mask(const struct ccshm_device *device);

/**
 * ccshm_device_has_iommu() - check for an IOMMU, which may be in identity mode
 */
bool ccshm_device_has_iommu(const struct ccshm_device *device);

/** ccshm_device_is_coherent() - check whether it needs no cache maintenance */
bool ccshm_device_is_coherent(const struct ccshm_device *device);

/**
 * ccshm_device_is_bounced() - check whether the kernel copies all of its DMA
 * (swiotlb)
 */
bool ccshm_device_is_bounced(const struct ccshm_device *device);

/** ccshm_device_is_restricted() - check for a restricted pool of DMA memory */
bool ccshm_device_is_restricted(const struct ccshm_device *device);

/* ------------------------------------------------------------------------- */
/* Lists, counters and events                                                */
/* ------------------------------------------------------------------------- */

/*
 * The following functions need no struct ccshm. Lists and counters come from
 * the device node, which the functions open for reading, in every network
 * namespace. A process that cannot open the device node gets them through
 * netlink if it is in the initial network namespace. Events come through
 * netlink only. The credentials of the calling process determine which objects
 * it may see.
 */

/**
 * ccshm_list_get() - list all objects of a type that the caller may see
 * @type: CCSHM_TYPE_BUFFER, CCSHM_TYPE_EXPORT or CCSHM_TYPE_ATTACHMENT
 * @list: set to the new snapshot; free it with ccshm_list_free()
 *
 * The objects are in the order of their ids. They are those that
 * ccshm_status_get() would find through a new handle: anonymous buffers are
 * listed only for callers with CAP_SYS_ADMIN. Buffers that have ended are
 * listed until their memory has been returned.
 *
 * If objects change while the list is made, the library makes it again, a few
 * times; see ccshm_list_is_consistent().
 *
 * Errors: -EINVAL (another @type); -ENODEV (no driver, or no device node and
 * no netlink); -EACCES, -EPERM (no read permission on the device node and no
 * netlink, or no socket: netlink needs the initial network namespace, and a
 * process that may use AF_NETLINK);
 * -EPROTO, -EPROTONOSUPPORT (as ccshm_open(), or an answer that the library
 * cannot parse); -EMFILE, -ENFILE, -ENOBUFS (no file descriptor or socket is
 * left).
 */
int ccshm_list_get(uint32_t type, struct ccshm_list **list);

/**
 * ccshm_list_free() - free a snapshot
 * @list: snapshot, or NULL
 */
void ccshm_list_free(struct ccshm_list *list);

/**
 * ccshm_list_count() - return the number of objects
 * @list: snapshot
 *
 * Returns: number of objects.
 */
uint32_t ccshm_list_count(const struct ccshm_list *list);

/**
 * ccshm_list_is_consistent() - check whether the list describes one point in
 * time
 * @list: snapshot
 *
 * Returns: false if objects were created, ended or changed during each attempt
 * to make the list: each object is then as it was at some time, but some may be
 * missing. Numbers of mappings are always those at the time when the object was
 * read.
 */
bool ccshm_list_is_consistent(const struct ccshm_list *list);

/**
 * ccshm_list_status() - return an object
 * @list: snapshot
 * @index: from 0 on
 *
 * Returns: a snapshot as from ccshm_status_get(), valid until @list is freed;
 * the caller must not free it. NULL for an index beyond the last.
 */
const struct ccshm_status *ccshm_list_status(const struct ccshm_list *list,
					     uint32_t index);

/**
 * ccshm_list_importers() - return the importers of an export
 * @list: snapshot of exports
 * @index: from 0 on
 *
 * Returns: all importers, or through netlink the first CCSHM_GENL_IMPORTERS_MAX
 * of them; ccshm_status_importers() returns their number. Valid until @list is
 * freed; the caller must not free it. NULL for an index beyond the last, and
 * for lists of other objects.
 */
const struct ccshm_importers *
ccshm_list_importers(const struct ccshm_list *list, uint32_t index);

/**
 * ccshm_stats_get() - query the driver's counters
 * @stats: set to the new snapshot; free it with ccshm_stats_free()
 *
 * The counters are those of all users. Every user can read them.
 *
 * Errors: as ccshm_list_get(), without -EINVAL.
 */
int ccshm_stats_get(struct ccshm_stats **stats);

/**
 * ccshm_stats_free() - free a snapshot
 * @stats: snapshot, or NULL
 */
void ccshm_stats_free(struct ccshm_stats *stats);

/**
 * ccshm_stats_count() - return the number of counters
 * @stats: snapshot
 *
 * Returns: number of counters; it can differ between drivers.
 */
uint32_t ccshm_stats_count(const struct ccshm_stats *stats);

/**
 * ccshm_stats_name() - return the name of a counter
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: a string such as "bytes_shared", which is never freed; "" for an
 * index beyond the last.
 */
const char *ccshm_stats_name(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_stats_value() - return the value of a counter
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: the current number, or the number since the driver was loaded; 0 for
 * an index beyond the last.
 */
uint64_t ccshm_stats_value(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_stats_is_bytes() - check whether a counter counts bytes
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: false if it counts something else, or for an index beyond the last.
 */
bool ccshm_stats_is_bytes(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_events_open() - subscribe to events
 * @events: set to the new handle; close it with ccshm_events_close()
 *
 * Needs CAP_SYS_ADMIN in the initial user namespace.
 *
 * Errors: -EPERM (no CAP_SYS_ADMIN); -ENODEV (no driver, a driver without
 * netlink, or not the initial network namespace); -EAFNOSUPPORT (the process
 * may not use AF_NETLINK); -EOPNOTSUPP (this kernel cannot restrict the
 * listeners, and the driver therefore sends no events);
 * -EPROTO (an answer that the library cannot parse); -EMFILE, -ENFILE, -ENOBUFS
 * (no file descriptor or socket is left).
 */
int ccshm_events_open(struct ccshm_events **events);

/**
 * ccshm_events_close() - close a handle
 * @events: handle, or NULL
 */
void ccshm_events_close(struct ccshm_events *events);

/**
 * ccshm_events_fd() - return the file descriptor for poll()
 * @events: handle
 *
 * Returns: the file descriptor. The handle continues to own it; do not read
 * from it or close it. After POLLIN or POLLERR call ccshm_events_next() until
 * it returns -EAGAIN.
 */
int ccshm_events_fd(const struct ccshm_events *events);

/**
 * ccshm_events_next() - return the next event
 * @events: handle
 * @event: set to the event; free it with ccshm_event_free()
 *
 * Does not wait.
 *
 * Errors: -EAGAIN (there is no event now); -ENOBUFS (events were lost, because
 * the caller was too slow or the driver had no memory for them: the next call
 * returns the next event, and ccshm_list_get() lists the current objects);
 * -EPROTO (an event that the library cannot parse; the next call returns the
 * next event); -ENODEV (the driver was unloaded; each later call fails in the
 * same way, also after the driver has been loaded again. Close the handle and
 * open another).
 */
int ccshm_events_next(struct ccshm_events *events, struct ccshm_event **event);

/**
 * ccshm_event_free() - free an event
 * @event: event, or NULL
 */
void ccshm_event_free(struct ccshm_event *event);

/*
 * The following functions return the contents of an event. enum
 * ccshm_event_type lists the contents of each type; the other functions return
 * 0.
 */

/**
 * ccshm_event_type() - return the enum ccshm_event_type; a newer driver may
 * return others
 */
uint32_t ccshm_event_type(const struct ccshm_event *event);

/**
 * ccshm_event_time() - return the time of the event, in nanoseconds of
 * CLOCK_REALTIME
 */
uint64_t ccshm_event_time(const struct ccshm_event *event);

/**
 * ccshm_event_status() - return the object of the event
 * @event: event
 *
 * Returns: a snapshot that is valid until @event is freed; the caller must not
 * free it. Properties that the event does not contain are 0 or ""; the type is
 * 0 if the event has no object.
 */
const struct ccshm_status *ccshm_event_status(const struct ccshm_event *event);

/**
 * ccshm_event_result() - return the result of a revoke: 0 or a negative errno
 */
int ccshm_event_result(const struct ccshm_event *event);

/** ccshm_event_duration() - return the duration of a revoke in nanoseconds */
uint64_t ccshm_event_duration(const struct ccshm_event *event);

/**
 * ccshm_event_pages() - return the revoked or leaked pages (of the page size)
 */
uint64_t ccshm_event_pages(const struct ccshm_event *event);

/**
 * ccshm_event_stopped() - return the number of devices that the driver had to
 * stop, of events of the types CCSHM_EVENT_DETACH and CCSHM_EVENT_REVOKE_END
 */
uint32_t ccshm_event_stopped(const struct ccshm_event *event);

/**
 * ccshm_event_quota() - return the limit that refused a call, an enum
 * ccshm_quota
 */
uint32_t ccshm_event_quota(const struct ccshm_event *event);

/**
 * ccshm_event_asked() - return the bytes, buffers or exports that were
 * requested
 */
uint64_t ccshm_event_asked(const struct ccshm_event *event);

/**
 * ccshm_event_used() - return the bytes, buffers or exports that were in use
 */
uint64_t ccshm_event_used(const struct ccshm_event *event);

/** ccshm_event_limit() - return the limit in bytes, buffers or exports */
uint64_t ccshm_event_limit(const struct ccshm_event *event);

/**
 * ccshm_event_actor_pid() - return the process that caused the event
 * @event: event
 *
 * Returns: the id of the process in the initial pid namespace; the process can
 * have ended. 0: the kernel itself caused the event.
 */
uint32_t ccshm_event_actor_pid(const struct ccshm_event *event);

/**
 * ccshm_event_actor_uid() - return the effective user of the process that
 * caused the event
 * @event: event
 *
 * Returns: the id of the user in the initial user namespace; UINT32_MAX if
 * ccshm_event_actor_pid() returns 0.
 */
uint32_t ccshm_event_actor_uid(const struct ccshm_event *event);

#ifdef __cplusplus
}
#endif

#endif /* CCSHM_H */
