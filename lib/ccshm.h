/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libccshm: shared memory for confidential virtual machines.
 *
 * Rules that hold for every function:
 *
 * - Failure is a negative errno. Functions that return int give 0, or what
 *   their description says, on success. errno itself means nothing.
 * - The last argument of a function that makes a handle is where the handle
 *   goes. It is set to NULL when the function fails. The caller owns the handle
 *   and gives it up with the ccshm_..._close() or ccshm_..._free() function of
 *   its kind, which accepts NULL. Handles may be closed in any order.
 * - Every handle made from a struct ccshm keeps the file of /dev/ccshm open,
 *   also after ccshm_close(). Anonymous buffers end when the last of them goes.
 * - Closing a buffer's handle does not end the buffer: see ccshm_buffer_free().
 * - A handle may be used by several threads at once. Options objects may not.
 *   The call that closes a handle must be the last use of it.
 * - There is no global state, and no function starts threads, installs signal
 *   handlers, prints, or ends the process. Every file is close-on-exec.
 * - A child of fork() shares the file with its parent: either can use and
 *   revoke its anonymous buffers, which end when both have let go.
 * - Sizes, offsets and lengths are in bytes. Slices begin and end at multiples
 *   of the page size.
 * - -ENOMEM (no memory for the handle, or in the driver) is possible wherever a
 *   handle is made and is not repeated below. -EOPNOTSUPP from a handle without
 *   a driver (see CCSHM_ONLY_IF_NEEDED) is not repeated either.
 *
 * Shared memory can be read and changed by the host at any time. Copy data in
 * once before checking them, and authenticate what matters.
 */
#ifndef CCSHM_H
#define CCSHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * From here come enum ccshm_platform, enum ccshm_type, enum ccshm_state, enum
 * ccshm_page_state, enum ccshm_device_verdict, enum ccshm_dma_mode, enum
 * ccshm_event_type, enum ccshm_quota, CCSHM_GENL_IMPORTERS_MAX and the flags
 * CCSHM_INFO_*, CCSHM_FEATURE_*, CCSHM_QUERY_*, CCSHM_EXPORT_*, CCSHM_PAGES_*,
 * CCSHM_FREE_REVOKE, CCSHM_REVOKE_FORCE, CCSHM_REVOKE_SEAL and
 * CCSHM_REVOKE_ORDERLY.
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
 * Flag of ccshm_open(): memory needs to be shared only where something keeps it
 * private, so be content with ordinary memory on a machine that is no
 * confidential guest.
 *
 * It changes what happens when there is no driver. Without it ccshm_open()
 * fails. With it ccshm_open() looks whether this machine is a confidential
 * guest. If it is, or if that cannot be told, it fails all the same: ordinary
 * memory would be private there, and no device could use it. Only if it
 * certainly is not, the handle works without a driver, and ccshm_has_driver()
 * says so. When there is a driver the flag changes nothing.
 *
 * What is certain: on x86, not to run under a hypervisor, or under one whose
 * CPUID shows neither SEV, nor TDX, nor Hyper-V isolation. On other
 * architectures nothing is, yet.
 *
 * A handle without a driver offers ccshm_buffer_alloc() of anonymous buffers
 * (zeroed memory of a memfd that this process can map), ccshm_buffer_map(),
 * ccshm_buffer_free() and the functions that only return what a handle knows.
 * Such a buffer has the id 0. Every other function gives -EOPNOTSUPP: an
 * ordinary buffer cannot be exported, attached, revoked or found by others.
 * A program hands such memory to its device the way it does without ccshm.
 */
#define CCSHM_ONLY_IF_NEEDED		(1ULL << 0)

/*
 * Flag of ccshm_open(): open the device node for reading only, which needs no
 * write permission on it. Such a handle serves to look: ccshm_info_get(),
 * ccshm_buffer_open(), ccshm_buffer_open_id(), ccshm_status_get(),
 * ccshm_status_get_fd(), ccshm_importers_get(), ccshm_pages_get() and
 * ccshm_device_get(). What would change something, or give access to memory, fails
 * with -EBADF.
 */
#define CCSHM_READ_ONLY			(1ULL << 1)

/**
 * ccshm_open() - open the driver
 * @flags: 0, or CCSHM_ONLY_IF_NEEDED and CCSHM_READ_ONLY
 * @handle: where the handle goes; give it up with ccshm_close()
 *
 * Each call opens a file of its own; see "anonymous" in <linux/ccshm.h> for
 * what that means.
 *
 * Errors: -EINVAL (unknown flags); -ENODEV (no driver: not a confidential
 * guest, not installed, or not loaded); -EACCES, -EPERM (no permission on the
 * device node); -EPROTO (the driver is too old for this library, or the node is
 * another device's); -EPROTONOSUPPORT (this library is too old for the driver); -EMFILE, -ENFILE; -ENOMEM.
 */
int ccshm_open(uint64_t flags, struct ccshm **handle);

/**
 * ccshm_close() - give up the handle
 * @handle: handle, or NULL
 *
 * The file is closed when the last handle that was made from @handle has been
 * closed too. The anonymous buffers end then.
 */
void ccshm_close(struct ccshm *handle);

/**
 * ccshm_fd() - the open file of /dev/ccshm
 * @handle: handle
 *
 * Returns: the file descriptor, which stays the handle's: do not close it.
 * Whoever gets it (by fork, exec without FD_CLOEXEC, or SCM_RIGHTS) controls
 * the anonymous buffers of this handle.
 *
 * Errors: -EOPNOTSUPP (a handle without a driver).
 */
int ccshm_fd(const struct ccshm *handle);

/**
 * ccshm_has_driver() - is there a driver behind the handle?
 * @handle: handle
 *
 * Returns: false only for a handle that CCSHM_ONLY_IF_NEEDED made possible.
 */
bool ccshm_has_driver(const struct ccshm *handle);

/**
 * ccshm_version() - version of the library
 *
 * Returns: text such as "0.1.0".
 */
const char *ccshm_version(void);

/**
 * ccshm_platform_name() - name of a platform
 * @platform: enum ccshm_platform
 *
 * Returns: "none", "sev", "sev-es", "sev-snp", "tdx", "cca", or "unknown".
 */
const char *ccshm_platform_name(uint32_t platform);

/**
 * ccshm_platform_detect() - what keeps this machine's memory private
 * @platform: enum ccshm_platform; NONE too when the function fails
 *
 * As far as CPUID tells, without the driver, which knows it better:
 * ccshm_info_platform(). A process cannot tell AMD's three kinds apart:
 * CCSHM_PLATFORM_SEV stands for all of them, except where Hyper-V says more.
 *
 * Errors: -ENODATA (that is not to be known: not on x86, or under an isolation
 * that has no name here).
 */
int ccshm_platform_detect(uint32_t *platform);

/**
 * ccshm_type_name() - name of a kind of object
 * @type: enum ccshm_type
 *
 * Returns: "buffer", "export", "attachment", or "unknown".
 */
const char *ccshm_type_name(uint32_t type);

/**
 * ccshm_state_name() - name of a state
 * @state: enum ccshm_state
 *
 * Returns: "active", "revoking", "revoked", "stuck", or "unknown".
 */
const char *ccshm_state_name(uint32_t state);

/**
 * ccshm_verdict_name() - whether a device needs shared memory, in a word
 * @verdict: enum ccshm_device_verdict
 *
 * Returns: "yes", "no", "cannot", or "unknown".
 */
const char *ccshm_verdict_name(uint32_t verdict);

/**
 * ccshm_dma_mode_name() - name of a way that DMA goes
 * @mode: enum ccshm_dma_mode
 *
 * Returns: "none", "direct", "iommu", "own", "userspace", or "unknown".
 */
const char *ccshm_dma_mode_name(uint32_t mode);

/**
 * ccshm_page_state_name() - name of a state of pages
 * @state: enum ccshm_page_state
 *
 * Returns: "private", "shared", or "unknown".
 */
const char *ccshm_page_state_name(uint32_t state);

/**
 * ccshm_event_type_name() - name of a kind of event
 * @type: enum ccshm_event_type
 *
 * Returns: "buffer-new", "buffer-end", "buffer-gone", "export-new", "export-gone",
 * "attach", "detach", "stuck", "importer-attach", "importer-detach",
 * "revoke-begin", "revoke-end", "leak", "quota", or "unknown".
 */
const char *ccshm_event_type_name(uint32_t type);

/**
 * ccshm_quota_name() - name of a limit
 * @quota: enum ccshm_quota
 *
 * Returns: "total-bytes", "user-bytes", "user-buffers", or "unknown".
 */
const char *ccshm_quota_name(uint32_t quota);

/* ------------------------------------------------------------------------- */
/* Information about the driver                                              */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_info_get() - ask the driver about itself and what it holds
 * @handle: handle
 * @info: where the snapshot goes; give it up with ccshm_info_free()
 *
 * Errors: only the general ones.
 */
int ccshm_info_get(struct ccshm *handle, struct ccshm_info **info);

/**
 * ccshm_info_free() - give up a snapshot
 * @info: snapshot, or NULL
 */
void ccshm_info_free(struct ccshm_info *info);

/**
 * ccshm_info_platform() - what keeps this guest's memory private
 * @info: snapshot
 *
 * Returns: enum ccshm_platform; a newer driver may know more of them.
 */
uint32_t ccshm_info_platform(const struct ccshm_info *info);

/**
 * ccshm_info_is_plain() - was the driver forced to load where nothing is private?
 * @info: snapshot
 *
 * Returns: true if the driver runs with allow_plain=1 and sharing does nothing.
 */
bool ccshm_info_is_plain(const struct ccshm_info *info);

/**
 * ccshm_info_driver_version() - version of the driver
 * @info: snapshot
 *
 * Returns: text that lives as long as @info.
 */
const char *ccshm_info_driver_version(const struct ccshm_info *info);

/**
 * ccshm_info_abi_version() - version of the ABI that the driver speaks
 * @info: snapshot
 *
 * Returns: CCSHM_ABI_VERSION of the driver, which can be newer than this library's.
 */
uint32_t ccshm_info_abi_version(const struct ccshm_info *info);

/**
 * ccshm_info_features() - optional abilities of the driver
 * @info: snapshot
 *
 * Returns: bits CCSHM_FEATURE_*.
 */
uint64_t ccshm_info_features(const struct ccshm_info *info);

/**
 * ccshm_info_block_size() - unit of conversion
 * @info: snapshot
 *
 * Returns: bytes. Memory is shared in multiples of it unless it was too
 * fragmented; what is less is carved from such a block.
 */
uint64_t ccshm_info_block_size(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_shared() - memory that the driver holds in the shared state
 * @info: snapshot
 *
 * Returns: bytes, of all users.
 */
uint64_t ccshm_info_bytes_shared(const struct ccshm_info *info);

/**
 * ccshm_info_contiguous_max() - largest buffer in one piece
 * @info: snapshot
 *
 * Returns: bytes, see ccshm_alloc_options_set_contiguous().
 */
uint64_t ccshm_info_contiguous_max(const struct ccshm_info *info);

/**
 * ccshm_info_blocks_carved() - blocks that buffers have parts of
 * @info: snapshot
 *
 * Returns: number of blocks of ccshm_info_block_size() bytes that small buffers,
 * and the ends of large ones, were carved from.
 */
uint64_t ccshm_info_blocks_carved(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_carved() - what buffers have of these blocks
 * @info: snapshot
 *
 * Returns: bytes; the rest of the blocks waits for the same payer's next buffer.
 */
uint64_t ccshm_info_bytes_carved(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_leaked() - memory lost since the driver was loaded
 * @info: snapshot
 *
 * Returns: bytes that could not be made private again and are never given back
 * to the kernel.
 */
uint64_t ccshm_info_bytes_leaked(const struct ccshm_info *info);

/**
 * ccshm_info_bytes_quarantined() - memory that may get lost
 * @info: snapshot
 *
 * Returns: bytes that could not be made private again yet; the driver tries
 * again a few times.
 */
uint64_t ccshm_info_bytes_quarantined(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_shared() - conversions to shared made so far
 * @info: snapshot
 *
 * Returns: number of conversions.
 */
uint64_t ccshm_info_conversions_shared(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_private() - conversions back to private made so far
 * @info: snapshot
 *
 * Returns: number of conversions.
 */
uint64_t ccshm_info_conversions_private(const struct ccshm_info *info);

/**
 * ccshm_info_conversions_failed() - conversions that failed so far
 * @info: snapshot
 *
 * Returns: number of conversions.
 */
uint64_t ccshm_info_conversions_failed(const struct ccshm_info *info);

/**
 * ccshm_info_buffers() - buffers that exist
 * @info: snapshot
 *
 * Returns: number of buffers of all users, those included that have ended but
 * whose memory an export or attachment still holds.
 */
uint32_t ccshm_info_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_exports() - exports that exist
 * @info: snapshot
 *
 * Returns: number of exports of all users.
 */
uint32_t ccshm_info_exports(const struct ccshm_info *info);

/**
 * ccshm_info_attachments() - attachments that exist
 * @info: snapshot
 *
 * Returns: number of attachments of all users.
 */
uint32_t ccshm_info_attachments(const struct ccshm_info *info);

/**
 * ccshm_info_limit_total_bytes() - most memory that all users together may have
 * @info: snapshot
 *
 * Returns: bytes, or CCSHM_LIMIT_NONE. Beyond it ccshm_buffer_alloc() fails with -ENOSPC.
 */
uint64_t ccshm_info_limit_total_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_bytes() - most memory that each user may have
 * @info: snapshot
 *
 * Returns: bytes, or CCSHM_LIMIT_NONE. Beyond it ccshm_buffer_alloc() fails with -EDQUOT.
 */
uint64_t ccshm_info_limit_user_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_buffers() - most buffers that each user may have
 * @info: snapshot
 *
 * Returns: number of buffers, or CCSHM_LIMIT_NONE. Beyond it ccshm_buffer_alloc() fails with
 * -EDQUOT.
 */
uint64_t ccshm_info_limit_user_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_limit_user_exports() - most exports that each user may have made
 * @info: snapshot
 *
 * Returns: number of exports, or CCSHM_LIMIT_NONE. Beyond it ccshm_export_create() fails with
 * -EDQUOT.
 */
uint64_t ccshm_info_limit_user_exports(const struct ccshm_info *info);

/**
 * ccshm_info_used_bytes() - what counts against ccshm_info_limit_total_bytes()
 * @info: snapshot
 *
 * Returns: bytes: what all users are charged, and what was leaked.
 */
uint64_t ccshm_info_used_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_refusals() - allocations that a limit refused so far
 * @info: snapshot
 *
 * Returns: their number.
 */
uint64_t ccshm_info_refusals(const struct ccshm_info *info);

/**
 * ccshm_info_user_bytes() - what the caller is charged
 * @info: snapshot
 *
 * Returns: bytes that the effective uid of the call of ccshm_info_get() pays for: whole
 * blocks.
 */
uint64_t ccshm_info_user_bytes(const struct ccshm_info *info);

/**
 * ccshm_info_user_bytes_leaked() - memory of the caller that was lost
 * @info: snapshot
 *
 * Returns: bytes that were leaked while that uid was charged for them.
 */
uint64_t ccshm_info_user_bytes_leaked(const struct ccshm_info *info);

/**
 * ccshm_info_user_buffers() - buffers that the caller pays for
 * @info: snapshot
 *
 * Returns: number of buffers, those included that have ended but whose memory is in use.
 */
uint32_t ccshm_info_user_buffers(const struct ccshm_info *info);

/**
 * ccshm_info_user_exports() - exports that the caller made
 * @info: snapshot
 *
 * Returns: number of exports.
 */
uint32_t ccshm_info_user_exports(const struct ccshm_info *info);

/**
 * ccshm_info_user_attachments() - attachments of the buffers that the caller pays for
 * @info: snapshot
 *
 * Returns: number of attachments.
 */
uint32_t ccshm_info_user_attachments(const struct ccshm_info *info);

/**
 * ccshm_info_user_importers() - devices that use exports of the buffers that the caller pays for
 * @info: snapshot
 *
 * Returns: number of devices that their drivers have attached to these exports.
 */
uint32_t ccshm_info_user_importers(const struct ccshm_info *info);

/**
 * ccshm_info_importers() - devices that use exports
 * @info: snapshot
 *
 * Returns: number of devices that their drivers have attached to exports of all users.
 */
uint32_t ccshm_info_importers(const struct ccshm_info *info);

/* ------------------------------------------------------------------------- */
/* Buffers                                                                   */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_alloc_options_new() - options of an allocation
 * @options: where the object goes; give it up with ccshm_alloc_options_free()
 *
 * Fresh options ask for an anonymous buffer on any NUMA node. An object may be
 * used for any number of allocations.
 *
 * Errors: -ENOMEM.
 */
int ccshm_alloc_options_new(struct ccshm_alloc_options **options);

/**
 * ccshm_alloc_options_free() - give up the object
 * @options: options, or NULL
 */
void ccshm_alloc_options_free(struct ccshm_alloc_options *options);

/**
 * ccshm_alloc_options_set_persistent() - shall the buffer outlive the file?
 * @options: options
 * @persistent: false: an anonymous buffer, which ends with the file of
 *	/dev/ccshm; true: it ends when it is freed, and its owner controls it
 */
void ccshm_alloc_options_set_persistent(struct ccshm_alloc_options *options,
					bool persistent);

/**
 * ccshm_alloc_options_set_name() - name of a persistent buffer
 * @options: options
 * @name: a letter or '_', then letters, digits, '.', '_' or '-', at most
 *	CCSHM_NAME_LEN - 1 characters; copied. NULL or "": no name.
 *
 * The driver judges the characters when the buffer is allocated.
 *
 * Errors: -EINVAL (too long; the options keep the name they had).
 */
int ccshm_alloc_options_set_name(struct ccshm_alloc_options *options,
				 const char *name);

/**
 * ccshm_alloc_options_set_owner() - owner of a persistent buffer
 * @options: options
 * @uid: the owner, instead of the caller's effective uid; another's needs
 *	CAP_CHOWN. (uid_t)-1: the caller's again.
 */
void ccshm_alloc_options_set_owner(struct ccshm_alloc_options *options,
				   uid_t uid);

/**
 * ccshm_alloc_options_set_group() - group of a persistent buffer
 * @options: options
 * @gid: the group, instead of the caller's effective gid; one that the caller
 *	is not in needs CAP_CHOWN. (gid_t)-1: the caller's again.
 */
void ccshm_alloc_options_set_group(struct ccshm_alloc_options *options,
				   gid_t gid);

/**
 * ccshm_alloc_options_set_mode() - permission bits of a persistent buffer
 * @options: options
 * @mode: a subset of 0666; 0600 when it was never set. Read permission allows
 *	read-only exports, write permission any export. The umask is not applied.
 */
void ccshm_alloc_options_set_mode(struct ccshm_alloc_options *options,
				  mode_t mode);

/**
 * ccshm_alloc_options_set_node() - NUMA node of the memory
 * @options: options
 * @node: the only node that memory is taken from; -1: any, the nearest
 *	preferred
 */
void ccshm_alloc_options_set_node(struct ccshm_alloc_options *options,
				  int node);

/**
 * ccshm_alloc_options_set_interruptible() - any signal ends the allocation
 * @options: options
 * @interruptible: true: a signal that is handled ends ccshm_buffer_alloc() with
 *	-EINTR, and leaves nothing behind; false, the default: only a signal that
 *	kills the process ends it
 *
 * For persistent buffers: a process that dies of a signal can die after the
 * allocation has succeeded, and the buffer stays. One that handles the signal
 * learns of the buffer, and can free it.
 */
void ccshm_alloc_options_set_interruptible(struct ccshm_alloc_options *options,
					   bool interruptible);

/**
 * ccshm_alloc_options_set_dma32() - memory below 4 GiB
 * @options: options
 * @dma32: true: only memory that a device with 32 address bits reaches; false,
 *	the default: any
 */
void ccshm_alloc_options_set_dma32(struct ccshm_alloc_options *options,
				   bool dma32);

/**
 * ccshm_alloc_options_set_contiguous() - memory in one piece
 * @options: options
 * @contiguous: true: one physically contiguous run of pages, for a device that
 *	takes a single address; false, the default: any number of pieces
 *
 * At most ccshm_info_contiguous_max() bytes. Above a block of
 * ccshm_info_block_size() the payer is charged for the next power of two.
 */
void ccshm_alloc_options_set_contiguous(struct ccshm_alloc_options *options,
					bool contiguous);

/**
 * ccshm_alloc_options_set_whole_units() - no memory in small blocks
 * @options: options
 * @whole_units: true: allocate whole units of ccshm_info_block_size() only, and
 *	fail with -ENOMEM if fewer are free; false, the default: fall back to
 *	smaller blocks
 *
 * The end of a buffer whose size is no multiple of a unit is still carved from one.
 * In fragmented memory a buffer of small blocks can consist of thousands of them.
 * Each costs a conversion, and splits large mappings of the kernel permanently.
 */
void ccshm_alloc_options_set_whole_units(struct ccshm_alloc_options *options,
					 bool whole_units);

/**
 * ccshm_alloc_options_set_others_pin() - let other users make pinned exports
 * @options: options
 * @others_pin: true: callers without control of the buffer may export it with
 *	CCSHM_EXPORT_PINNED if the permission bits allow the export; false, the
 *	default: only callers with control may
 *
 * For persistent buffers only. A pinned export that another user holds can keep
 * the owner's revoke from ending.
 */
void ccshm_alloc_options_set_others_pin(struct ccshm_alloc_options *options,
					bool others_pin);

/**
 * ccshm_buffer_alloc() - allocate a buffer
 * @handle: handle
 * @size: bytes, rounded up to whole pages
 * @options: options, or NULL for an anonymous buffer; not kept
 * @buffer: where the handle of the buffer goes; give it up with
 *	ccshm_buffer_close()
 *
 * The memory is zero when it is first seen. It can take seconds for gigabytes;
 * a fatal signal ends the call and leaves nothing behind.
 *
 * Errors: -EINVAL (size 0 or too large to be rounded; a name, mode, node, owner
 * or group that is not valid; a name, owner, group or mode for an anonymous
 * buffer); -EPERM (another owner, or a group that the caller is not in, without
 * CAP_CHOWN); -EEXIST (the owner has a buffer of that name); -EFBIG (larger than
 * what there can be in one piece); -ENOMEM (not that much memory is free of the
 * kind asked for, or not in one piece); -EDQUOT (the caller would have more bytes
 * or buffers than each user may); -ENOSPC (all users together would have more bytes
 * than they may); -EINTR; -EIO (the platform refused to share memory); -EBUSY (the
 * machine is being hibernated). A handle without a driver: -EOPNOTSUPP (options for a
 * persistent buffer, pinned exports of others, a node, whole units, memory below 4 GiB or in one
 * piece: ordinary memory comes without such a promise).
 */
int ccshm_buffer_alloc(struct ccshm *handle, uint64_t size,
		       const struct ccshm_alloc_options *options,
		       struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_open() - find a persistent buffer by its name
 * @handle: handle
 * @name: "NAME" for one of the caller's own (effective uid), "USER/NAME" or
 *	"UID/NAME" for another's
 * @buffer: where the handle of the buffer goes; give it up with
 *	ccshm_buffer_close()
 *
 * The handle does not keep the buffer: whoever controls it can end it at any
 * time, and then calls give -ENOENT.
 *
 * Errors: -EINVAL (not a valid name, or a UID out of range); -ENOENT (no such
 * user or buffer, or none that the caller may see); and what the user database
 * gives when it fails (such as -EIO).
 */
int ccshm_buffer_open(struct ccshm *handle, const char *name,
		      struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_open_id() - a handle for a buffer that is known by its id
 * @handle: handle
 * @id: the buffer's id
 * @buffer: where the handle of the buffer goes; give it up with
 *	ccshm_buffer_close()
 *
 * As ccshm_buffer_open(), the handle does not keep the buffer.
 *
 * Errors: -ENOENT (no such object, or none that the caller may see); -EINVAL
 * (an export's or attachment's id).
 */
int ccshm_buffer_open_id(struct ccshm *handle, uint64_t id,
			 struct ccshm_buffer **buffer);

/**
 * ccshm_buffer_close() - give up the handle of a buffer
 * @buffer: handle, or NULL
 *
 * The buffer itself stays: a persistent one until it is freed, an anonymous one
 * until the file of /dev/ccshm is closed. To end it now, ccshm_buffer_free()
 * comes first.
 */
void ccshm_buffer_close(struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_free() - end a buffer
 * @buffer: handle; it is still the caller's to close
 *
 * Id and name are gone when it returns; it never waits. The memory is given
 * back when the last export, mapping and attachment of it are gone.
 *
 * Errors: -ENOENT (it has ended before); -EPERM (no control of it).
 */
int ccshm_buffer_free(struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_free_flags() - end a buffer, and maybe its exports and attachments
 * @buffer: handle; it stays the caller's to close
 * @flags: 0, or CCSHM_FREE_REVOKE to begin to revoke every export and attachment
 *	of the buffer
 *
 * Does not wait. With CCSHM_FREE_REVOKE each revoke ends when the last mapping
 * and fence of the export are gone, or the attachment has been detached.
 * ccshm_list_get() lists the buffer, as an orphan, until its memory is private
 * again.
 *
 * Errors: -EINVAL (@flags); -ENOENT (it has ended before); -EPERM (no control of
 * the buffer); -EOPNOTSUPP (@flags is not 0, and the handle has no driver).
 */
int ccshm_buffer_free_flags(struct ccshm_buffer *buffer, uint64_t flags);

/**
 * ccshm_set_options_new() - make an object that holds changes to a buffer
 * @options: where the handle goes; give it up with ccshm_set_options_free()
 *
 * It begins with no change. Each ccshm_set_options_set_...() adds one, or
 * replaces the one that was made before.
 *
 * Errors: -ENOMEM.
 */
int ccshm_set_options_new(struct ccshm_set_options **options);

/**
 * ccshm_set_options_free() - free the object
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
 * @gid: new group; one that the caller is not in needs CAP_CHOWN
 */
void ccshm_set_options_set_group(struct ccshm_set_options *options, gid_t gid);

/**
 * ccshm_set_options_set_owner() - change the owner
 * @options: options
 * @uid: new owner; another than the present one needs CAP_CHOWN
 */
void ccshm_set_options_set_owner(struct ccshm_set_options *options, uid_t uid);

/**
 * ccshm_set_options_set_name() - change the name
 * @options: options
 * @name: new name, copied; NULL or "" for none
 *
 * Errors: -EINVAL (too long; the options stay as they were).
 */
int ccshm_set_options_set_name(struct ccshm_set_options *options,
			       const char *name);

/**
 * ccshm_set_options_set_sealed() - seal the buffer, or end that
 * @options: options
 * @sealed: true: only callers with control make new exports and attachments of
 *	the buffer, also attachments of an export that exists; false: the
 *	permission bits decide again
 */
void ccshm_set_options_set_sealed(struct ccshm_set_options *options, bool sealed);

/**
 * ccshm_buffer_set() - change a buffer
 * @buffer: handle
 * @options: the changes; at least one; not kept
 *
 * Makes all changes in one step, or none. Exports and attachments that exist keep
 * their rights, and the payer stays the same. When the call returns, a new owner
 * has control and the previous one has not, except with CAP_SYS_ADMIN.
 *
 * Errors: -EINVAL (no change; a mode, name, owner or group that is not valid;
 * anything but sealing for a buffer that is not persistent); -ENOENT (it has
 * ended); -EPERM (no control of the buffer; another owner, or a group that the
 * caller is not in, without CAP_CHOWN); -EEXIST (the owner has another buffer of
 * that name).
 */
int ccshm_buffer_set(struct ccshm_buffer *buffer,
		     const struct ccshm_set_options *options);

/**
 * ccshm_buffer_id() - id of a buffer
 * @buffer: handle
 *
 * Returns: the id, never used twice; 0 for a buffer without a driver.
 */
uint64_t ccshm_buffer_id(const struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_size() - size of a buffer
 * @buffer: handle
 *
 * Returns: bytes, a multiple of the page size.
 */
uint64_t ccshm_buffer_size(const struct ccshm_buffer *buffer);

/**
 * ccshm_buffer_is_shared() - is this memory of the driver's?
 * @buffer: handle
 *
 * Returns: false for ordinary memory, see CCSHM_ONLY_IF_NEEDED.
 */
bool ccshm_buffer_is_shared(const struct ccshm_buffer *buffer);

/**
 * struct ccshm_run - pages of a buffer that have everything in common
 * @offset: of the first in the buffer
 * @length: bytes
 * @physical: physical address of the first, the pages are contiguous; 0 for
 *	callers without CAP_SYS_ADMIN in the initial user namespace
 * @state: enum ccshm_page_state: what the kernel's own page tables say
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
 * ccshm_buffer_pages() - the state of a buffer's pages
 * @buffer: handle
 * @offset: start of the range, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @runs: array that they are written to, in the order of their offsets
 * @capacity: entries that the array holds, at least 1
 * @next: where the range goes on when the array was too small, otherwise its end;
 *	@offset when the call fails
 *
 * To find out why sharing costs what it costs, not for use in a fast path.
 *
 * Returns: entries written.
 *
 * Errors: -EINVAL (a range that is not page-aligned or is beyond the buffer;
 * @capacity 0 or above INT_MAX); -ENOENT (the buffer has ended); -EINTR (a signal
 * that kills); -ENOTTY (the driver is older than this call).
 */
int ccshm_buffer_pages(struct ccshm_buffer *buffer, uint64_t offset,
		       uint64_t size, struct ccshm_run *runs, uint32_t capacity,
		       uint64_t *next);

/* ------------------------------------------------------------------------- */
/* Status of buffers, exports and attachments                                */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_status_get() - ask the driver about an object
 * @handle: handle
 * @id: id of a buffer, an export or an attachment
 * @status: where the snapshot goes; give it up with ccshm_status_free()
 *
 * Errors: -ENOENT (no such object, or none that the caller may see).
 */
int ccshm_status_get(struct ccshm *handle, uint64_t id,
		     struct ccshm_status **status);

/**
 * ccshm_status_get_fd() - find out which export or attachment a descriptor is
 * @handle: handle
 * @fd: a dma-buf of ccshm, or an attachment's file descriptor; stays the caller's
 * @status: where the snapshot goes; give it up with ccshm_status_free()
 *
 * Works for every process that holds the descriptor, also when it may not see
 * the buffer: then ccshm_status_is_holder() is true.
 *
 * Errors: -EBADF (@fd is not open); -EMEDIUMTYPE (@fd is neither).
 */
int ccshm_status_get_fd(struct ccshm *handle, int fd,
			struct ccshm_status **status);

/**
 * ccshm_buffer_status() - ask the driver about a buffer
 * @buffer: handle
 * @status: where the snapshot goes; give it up with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_buffer_status(struct ccshm_buffer *buffer,
			struct ccshm_status **status);

/**
 * ccshm_export_status() - ask the driver about an export
 * @exp: handle
 * @status: where the snapshot goes; give it up with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_export_status(struct ccshm_export *exp, struct ccshm_status **status);

/**
 * ccshm_attachment_status() - ask the driver about an attachment
 * @attachment: handle
 * @status: where the snapshot goes; give it up with ccshm_status_free()
 *
 * Errors: as ccshm_status_get().
 */
int ccshm_attachment_status(struct ccshm_attachment *attachment,
			    struct ccshm_status **status);

/**
 * ccshm_status_free() - give up a snapshot
 * @status: snapshot, or NULL
 */
void ccshm_status_free(struct ccshm_status *status);

/*
 * What a snapshot says. Where a getter does not apply to the kind of object it
 * returns 0, false or "". Texts live as long as the snapshot. Users and groups
 * are in the caller's user namespace.
 */

/** ccshm_status_id() - the object's id */
uint64_t ccshm_status_id(const struct ccshm_status *status);

/** ccshm_status_type() - enum ccshm_type */
uint32_t ccshm_status_type(const struct ccshm_status *status);

/** ccshm_status_state() - enum ccshm_state; always active for a buffer */
uint32_t ccshm_status_state(const struct ccshm_status *status);

/**
 * ccshm_status_flags() - the CCSHM_ALLOC_*, CCSHM_EXPORT_* or CCSHM_ATTACH_* flags
 * of <linux/ccshm.h> that the object was made with
 */
uint64_t ccshm_status_flags(const struct ccshm_status *status);

/** ccshm_status_is_persistent() - buffers, attachments: was it made persistent? */
bool ccshm_status_is_persistent(const struct ccshm_status *status);

/** ccshm_status_is_orphan() - has the buffer ended, and only uses of it are left? */
bool ccshm_status_is_orphan(const struct ccshm_status *status);

/** ccshm_status_is_heap() - was it made through /dev/dma_heap/system_cc_shared? */
bool ccshm_status_is_heap(const struct ccshm_status *status);

/**
 * ccshm_status_is_holder() - is the object known by its descriptor only?
 * @status: snapshot
 *
 * Returns: true when the caller may not see the buffer. Owner, group and payer are
 * then all ones; mode, name, and the numbers of the buffer's memory are empty.
 */
bool ccshm_status_is_holder(const struct ccshm_status *status);

/** ccshm_status_is_sealed() - is the buffer sealed? See ccshm_set_options_set_sealed() */
bool ccshm_status_is_sealed(const struct ccshm_status *status);

/** ccshm_status_has_control() - may the caller free and revoke it? */
bool ccshm_status_has_control(const struct ccshm_status *status);

/** ccshm_status_buffer_id() - the buffer that it belongs to; itself for a buffer */
uint64_t ccshm_status_buffer_id(const struct ccshm_status *status);

/** ccshm_status_export_id() - attachments: the export it was made from, or 0 */
uint64_t ccshm_status_export_id(const struct ccshm_status *status);

/** ccshm_status_offset() - exports, attachments: start of the slice in the buffer */
uint64_t ccshm_status_offset(const struct ccshm_status *status);

/** ccshm_status_size() - bytes of the buffer or of the slice */
uint64_t ccshm_status_size(const struct ccshm_status *status);

/** ccshm_status_owner() - owner of the buffer */
uid_t ccshm_status_owner(const struct ccshm_status *status);

/** ccshm_status_group() - group of the buffer */
gid_t ccshm_status_group(const struct ccshm_status *status);

/** ccshm_status_mode() - permission bits of the buffer */
mode_t ccshm_status_mode(const struct ccshm_status *status);

/** ccshm_status_payer() - user that the memory is charged to */
uid_t ccshm_status_payer(const struct ccshm_status *status);

/** ccshm_status_charged() - bytes that the buffer takes */
uint64_t ccshm_status_charged(const struct ccshm_status *status);

/** ccshm_status_carved() - of these, bytes that share a block with other buffers */
uint64_t ccshm_status_carved(const struct ccshm_status *status);

/** ccshm_status_blocks() - contiguous blocks that the buffer has for itself */
uint64_t ccshm_status_blocks(const struct ccshm_status *status);

/** ccshm_status_blocks_small() - of these, blocks smaller than a conversion unit */
uint64_t ccshm_status_blocks_small(const struct ccshm_status *status);

/** ccshm_status_units() - conversion units of 2 MiB in the larger blocks */
uint64_t ccshm_status_units(const struct ccshm_status *status);

/**
 * ccshm_status_units_whole() - of these, units that one leaf of the kernel's direct
 * map covered when they were converted
 */
uint64_t ccshm_status_units_whole(const struct ccshm_status *status);

/** ccshm_status_conversions() - calls it took to share the buffer */
uint64_t ccshm_status_conversions(const struct ccshm_status *status);

/** ccshm_status_exports() - buffers: live exports */
uint32_t ccshm_status_exports(const struct ccshm_status *status);

/** ccshm_status_attachments() - buffers, exports: live attachments made from it */
uint32_t ccshm_status_attachments(const struct ccshm_status *status);

/** ccshm_status_importers() - exports: devices that their drivers attached to it */
uint32_t ccshm_status_importers(const struct ccshm_status *status);

/**
 * ccshm_status_device_mappings() - exports: mappings that drivers hold;
 * attachments: 1 while the device may use the memory
 */
uint32_t ccshm_status_device_mappings(const struct ccshm_status *status);

/** ccshm_status_cpu_mappings() - exports: user mappings */
uint32_t ccshm_status_cpu_mappings(const struct ccshm_status *status);

/** ccshm_status_dma_bits() - attachments: address bits the device was judged by */
uint32_t ccshm_status_dma_bits(const struct ccshm_status *status);

/** ccshm_status_segments() - attachments: number of segments */
uint32_t ccshm_status_segments(const struct ccshm_status *status);

/** ccshm_status_name() - name of the buffer, or "" */
const char *ccshm_status_name(const struct ccshm_status *status);

/** ccshm_status_device() - attachments: the device, such as "pci:0000:00:04.0" */
const char *ccshm_status_device(const struct ccshm_status *status);

/* ------------------------------------------------------------------------- */
/* Mappings: the memory in this process                                      */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_buffer_map() - map a slice of a buffer
 * @buffer: handle
 * @offset: start of the slice, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @flags: must be 0
 * @mapping: where the handle of the mapping goes; give it up with
 *	ccshm_mapping_close()
 *
 * Makes an export of the slice (a read-only one without PROT_WRITE) and maps
 * it, shared, where large pages can be used if there are any. The export lives as
 * long as the mapping. When it is revoked the next touch of the memory raises
 * SIGBUS.
 *
 * Errors: -EINVAL (flags, prot; a slice that is not page-aligned or is beyond
 * the buffer); -ENOENT (the buffer has ended); -EACCES (its mode does not allow
 * it); -EDQUOT (the caller has made as many exports as each user may); -EMFILE,
 * -ENFILE; -ENODEV (revoked before it could be mapped); -ENOMEM,
 * -EAGAIN (from mmap); -EOVERFLOW (larger than the address space).
 */
int ccshm_buffer_map(struct ccshm_buffer *buffer, uint64_t offset,
		     uint64_t size, int prot, uint64_t flags,
		     struct ccshm_mapping **mapping);

/**
 * ccshm_export_map() - map a slice of an export
 * @exp: handle
 * @offset: start of the slice in the export, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @flags: must be 0
 * @mapping: where the handle of the mapping goes; give it up with
 *	ccshm_mapping_close()
 *
 * The mapping keeps the export alive, also after ccshm_export_close(). When the
 * export is revoked the next touch of the memory raises SIGBUS.
 *
 * Errors: -EINVAL (flags, prot; a slice that is not page-aligned or is beyond
 * the export); -EACCES (a read-only or no-CPU export); -ENODEV (revoked);
 * -EBADF (its file descriptor was taken); -ENOMEM, -EAGAIN (from mmap);
 * -EOVERFLOW (larger than the address space).
 */
int ccshm_export_map(struct ccshm_export *exp, uint64_t offset, uint64_t size,
		     int prot, uint64_t flags, struct ccshm_mapping **mapping);

/**
 * ccshm_mapping_close() - unmap
 * @mapping: handle, or NULL
 */
void ccshm_mapping_close(struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_address() - where the slice begins
 * @mapping: handle
 *
 * Returns: an address that is valid until ccshm_mapping_close().
 */
void *ccshm_mapping_address(const struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_size() - length of the slice
 * @mapping: handle
 *
 * Returns: bytes.
 */
size_t ccshm_mapping_size(const struct ccshm_mapping *mapping);

/**
 * ccshm_mapping_export_id() - the export that was mapped
 * @mapping: handle
 *
 * Returns: its id, for ccshm_revoke() and ccshm_status_get(); 0 without a
 * driver.
 */
uint64_t ccshm_mapping_export_id(const struct ccshm_mapping *mapping);

/* ------------------------------------------------------------------------- */
/* Exports: a slice of a buffer as a dma-buf                                 */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_export_create() - make a dma-buf of a slice of a buffer
 * @buffer: handle
 * @flags: CCSHM_EXPORT_READ_ONLY, CCSHM_EXPORT_NO_CPU, CCSHM_EXPORT_PINNED
 * @offset: start of the slice, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 * @exp: where the handle of the export goes; give it up with
 *	ccshm_export_close()
 *
 * The handle owns the dma-buf's file descriptor. The export lives until the last
 * reference to the dma-buf is gone: descriptors in any process, mappings, and
 * drivers that imported it.
 *
 * Errors: -EINVAL (flags; a slice that is not page-aligned or is beyond the
 * buffer); -ENOENT (the buffer has ended); -EACCES (its mode does not allow
 * it); -EDQUOT (the caller has made as many exports as each user may); -EMFILE,
 * -ENFILE.
 */
int ccshm_export_create(struct ccshm_buffer *buffer, uint64_t flags,
			uint64_t offset, uint64_t size,
			struct ccshm_export **exp);

/**
 * ccshm_export_close() - give up the handle of an export and its dma-buf
 * @exp: handle, or NULL
 *
 * Closes the file descriptor unless it was taken. Revokes nothing.
 */
void ccshm_export_close(struct ccshm_export *exp);

/**
 * ccshm_export_fd() - the dma-buf
 * @exp: handle
 *
 * Returns: the file descriptor, close-on-exec, which stays the handle's: send it
 * or give it to a driver, but do not close it.
 *
 * Errors: -EBADF (it was taken).
 */
int ccshm_export_fd(struct ccshm_export *exp);

/**
 * ccshm_export_take_fd() - the dma-buf, to be owned by the caller
 * @exp: handle
 *
 * Returns: the file descriptor, close-on-exec. The caller closes it. The handle
 * can still be asked, revoked and closed, but not mapped or attached.
 *
 * Errors: -EBADF (it was taken before).
 */
int ccshm_export_take_fd(struct ccshm_export *exp);

/**
 * ccshm_export_id() - id of an export
 * @exp: handle
 *
 * Returns: the id, never used twice.
 */
uint64_t ccshm_export_id(const struct ccshm_export *exp);

/**
 * ccshm_export_size() - size of an export
 * @exp: handle
 *
 * Returns: bytes.
 */
uint64_t ccshm_export_size(const struct ccshm_export *exp);

/* ------------------------------------------------------------------------- */
/* Attachments: a slice for a device that a userspace driver programs        */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_attach_options_new() - options of an attachment
 * @options: where the object goes; give it up with ccshm_attach_options_free()
 *
 * Fresh options ask for the whole buffer or export, with the address bits that
 * the device's driver set (32 when none did), until the handle is closed.
 *
 * Errors: -ENOMEM.
 */
int ccshm_attach_options_new(struct ccshm_attach_options **options);

/**
 * ccshm_attach_options_free() - give up the object
 * @options: options, or NULL
 */
void ccshm_attach_options_free(struct ccshm_attach_options *options);

/**
 * ccshm_attach_options_set_slice() - only a part of the buffer or export
 * @options: options
 * @offset: start of the slice, a multiple of the page size
 * @size: its length, a multiple of the page size; 0: up to the end
 */
void ccshm_attach_options_set_slice(struct ccshm_attach_options *options,
				    uint64_t offset, uint64_t size);

/**
 * ccshm_attach_options_set_dma_bits() - address bits of the device's engine
 * @options: options
 * @bits: 1 to 64; 0: what the device's driver set, 32 when none did
 */
void ccshm_attach_options_set_dma_bits(struct ccshm_attach_options *options,
				       unsigned int bits);

/**
 * ccshm_attach_options_set_persistent() - shall the attachment outlive the handle?
 * @options: options
 * @persistent: true: no file descriptor; it lives until it is detached or
 *	revoked. Persistent buffers only.
 */
void ccshm_attach_options_set_persistent(struct ccshm_attach_options *options,
					 bool persistent);

/**
 * ccshm_buffer_attach() - let a device use a buffer
 * @buffer: handle
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept
 * @attachment: where the handle of the attachment goes; give it up with
 *	ccshm_attachment_close()
 *
 * The DMA addresses (ccshm_attachment_segments()) are valid exactly as long as
 * the attachment lives. The holder polls ccshm_attachment_fd() for POLLPRI: it
 * says that the attachment is being revoked. Then, and when the work is done,
 * the holder stops the device and calls ccshm_attachment_detach().
 *
 * Needs CAP_SYS_RAWIO. Errors: -EINVAL (a malformed device; a slice that is not
 * page-aligned or is beyond the buffer; more than 64 address bits; persistent
 * for an anonymous buffer); -ENOENT (the buffer has ended); -ENODEV (no such
 * device); -EPERM (no CAP_SYS_RAWIO); -EACCES (no write permission); -EBUSY (a
 * kernel driver other than vfio or uio owns the device); -EOPNOTSUPP (the
 * device is a bridge, is behind a translating IOMMU, has its own DMA operations, is not
 * coherent, has a restricted DMA pool, was never configured for DMA, or needs
 * no sharing); -ERANGE (its addresses do not reach the memory); -EINTR (a signal
 * came while the device was locked, as vfio's unbind does until the device's
 * descriptors are closed); -ESHUTDOWN (the machine goes down, which first stops all
 * attached devices); -EMFILE, -ENFILE.
 */
int ccshm_buffer_attach(struct ccshm_buffer *buffer, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_export_attach() - let a device use an export
 * @exp: handle
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept. The slice is one of the export's.
 * @attachment: where the handle of the attachment goes; give it up with
 *	ccshm_attachment_close()
 *
 * As ccshm_buffer_attach(). The attachment ends when the export is revoked.
 *
 * Errors: as ccshm_buffer_attach(), and -EBADF (its file descriptor was taken);
 * -ENODEV (also: the export is revoked); -EACCES (also: a read-only export).
 */
int ccshm_export_attach(struct ccshm_export *exp, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_dmabuf_attach() - let a device use a dma-buf got from elsewhere
 * @handle: handle
 * @fd: an export's dma-buf, which stays the caller's and may be closed
 * @device: "pci:DDDD:BB:DD.F"
 * @options: options, or NULL; not kept. The slice is one of the dma-buf's.
 * @attachment: where the handle of the attachment goes; give it up with
 *	ccshm_attachment_close()
 *
 * As ccshm_export_attach(), for an export that another process made.
 *
 * Errors: as ccshm_export_attach(), and -EBADF (@fd is no file);
 * -EMEDIUMTYPE (@fd is not a dma-buf of ccshm).
 */
int ccshm_dmabuf_attach(struct ccshm *handle, int fd, const char *device,
			const struct ccshm_attach_options *options,
			struct ccshm_attachment **attachment);

/**
 * ccshm_attachment_open_id() - a handle for an attachment that is known by its id
 * @handle: handle
 * @id: the attachment's id
 * @attachment: where the handle of the attachment goes; give it up with
 *	ccshm_attachment_close()
 *
 * For persistent attachments, and for whoever controls the buffer. The handle
 * has no file descriptor and does not keep the attachment.
 *
 * Errors: -ENOENT (no such object, or none that the caller may see); -EINVAL
 * (a buffer's or export's id).
 */
int ccshm_attachment_open_id(struct ccshm *handle, uint64_t id,
			     struct ccshm_attachment **attachment);

/**
 * ccshm_attachment_close() - give up the handle of an attachment
 * @attachment: handle, or NULL
 *
 * When it owns the attachment's file descriptor and no ccshm_attachment_detach()
 * came before, the driver stops the device itself: it clears bus mastering, which
 * all users of the device see. A persistent attachment stays.
 */
void ccshm_attachment_close(struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_detach() - "my device has stopped": end an attachment
 * @attachment: handle; it is still the caller's to close
 *
 * The driver believes it and leaves the device alone. Calling again succeeds as
 * long as the handle has the attachment's file descriptor.
 *
 * Errors: -ENOENT (ended before); -EPERM (through a handle without the
 * attachment's file descriptor: no control of the buffer, or no CAP_SYS_RAWIO).
 */
int ccshm_attachment_detach(struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_fd() - the attachment's file descriptor, for poll()
 * @attachment: handle
 *
 * Returns: the file descriptor, close-on-exec, which stays the handle's: do not
 * close it. poll() gives POLLPRI when the attachment is being revoked.
 *
 * Errors: -EBADF (a persistent attachment, or a handle that was opened by id).
 */
int ccshm_attachment_fd(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_id() - id of an attachment
 * @attachment: handle
 *
 * Returns: the id, never used twice.
 */
uint64_t ccshm_attachment_id(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_size() - size of the attached slice
 * @attachment: handle
 *
 * Returns: bytes.
 */
uint64_t ccshm_attachment_size(const struct ccshm_attachment *attachment);

/**
 * ccshm_attachment_segment_count() - number of segments
 * @attachment: handle
 *
 * Returns: how many pieces the slice has for the device. It does not change.
 */
uint32_t ccshm_attachment_segment_count(const struct ccshm_attachment *attachment);

/**
 * struct ccshm_segment - a piece of an attachment, for the device
 * @dma_address: what the device is to be given
 * @length: bytes
 * @offset: where the piece starts in the slice
 */
struct ccshm_segment {
	uint64_t dma_address;
	uint64_t length;
	uint64_t offset;
};

/**
 * ccshm_attachment_segments() - the DMA addresses
 * @attachment: handle
 * @first: index of the first segment wanted
 * @segments: array that they are written to, in the order of their offsets
 * @capacity: entries that the array holds
 *
 * Returns: entries written: @capacity, or less at the end.
 *
 * Errors: -EINVAL (@first is beyond the end, or @capacity above INT_MAX);
 * -ENODEV (the attachment is being revoked, or is: the addresses must not be
 * used any more); -ENOENT (ended before); -EPERM (through a handle without the
 * attachment's file descriptor: no control of the buffer, or no CAP_SYS_RAWIO).
 */
int ccshm_attachment_segments(struct ccshm_attachment *attachment,
			      uint32_t first, struct ccshm_segment *segments,
			      uint32_t capacity);

/* ------------------------------------------------------------------------- */
/* Revoke: end all access                                                    */
/* ------------------------------------------------------------------------- */

/*
 * Flags of the revoke functions, besides CCSHM_REVOKE_FORCE, CCSHM_REVOKE_SEAL and
 * CCSHM_REVOKE_ORDERLY. The library keeps them to itself.
 *
 * CCSHM_REVOKE_INTERRUPTIBLE: give -EINTR when a signal handler ran. Without it
 * the library makes the call again, with the same deadline. (A handler with
 * SA_RESTART, or a signal that ends the process, never shows up here.)
 *
 * CCSHM_REVOKE_DEADLINE: the timeout is a point in time, in nanoseconds of
 * CLOCK_MONOTONIC. With it, a call that gave -EINTR can be made again as it was.
 */
#define CCSHM_REVOKE_INTERRUPTIBLE	(1ULL << 63)
#define CCSHM_REVOKE_DEADLINE		(1ULL << 62)

/**
 * struct ccshm_revoke_result - how far a revoke came
 * @state: enum ccshm_state; for a buffer the least advanced of its parts
 * @device_mappings: mappings and attachments of devices that are left; 0 when
 *	@state is CCSHM_STATE_REVOKED
 * @pages: pages (of the page size) that the revoke covers
 * @revoked: exports and attachments that are revoked
 * @stopped: of the attachments, those whose device ccshm had to stop
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
 * ccshm_revoke() - end all access through an object that is known by its id
 * @handle: handle
 * @id: an export or attachment; or a buffer: all exports and attachments that it
 *	has at this moment
 * @timeout_ns: how long to wait for devices to let go, in nanoseconds; 0 does
 *	not wait, -1 waits for ever
 * @flags: CCSHM_REVOKE_FORCE, CCSHM_REVOKE_SEAL, CCSHM_REVOKE_ORDERLY (not with
 *	CCSHM_REVOKE_FORCE), CCSHM_REVOKE_INTERRUPTIBLE, CCSHM_REVOKE_DEADLINE
 * @result: how far it came, or NULL. Filled in on success, and with -ETIMEDOUT,
 *	-EBUSY and -EIO; all zero on any other failure.
 *
 * Nothing new gets in from the moment of the call, whatever it returns. User
 * mappings are gone when it returns, unless with -EINTR: a touch of them gives
 * SIGBUS. When it succeeds no CPU and no device reaches the memory through the
 * object. Calling again continues, and gives the same answer once revoked. The
 * buffer itself stays, and can be exported and attached anew.
 *
 * With CCSHM_REVOKE_SEAL the buffer is sealed first, in the same step, and stays
 * sealed also with -ETIMEDOUT, -EBUSY, -EIO and -EINTR. With CCSHM_REVOKE_ORDERLY
 * the holders of attachments and the importers are notified first, and user
 * mappings end when the attachments have been detached, or at the deadline.
 *
 * Errors: -EINVAL (flags; a timeout below -1); -ENOENT; -EPERM (no control of
 * the buffer, or CCSHM_REVOKE_FORCE without CAP_SYS_RAWIO); -ETIMEDOUT (a
 * device has not let go: the memory stays shared and held); -EBUSY (a pinned
 * export has holders that cannot let go); -EIO (a device could not be stopped);
 * -EINTR.
 */
int ccshm_revoke(struct ccshm *handle, uint64_t id, int64_t timeout_ns,
		 uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_revoke_fd() - end all access through an object known by its descriptor
 * @handle: handle
 * @fd: the dma-buf of an export, or an attachment's descriptor; it stays the
 *	caller's
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * For a program that has the descriptor but not the id. It needs control of the
 * buffer just the same.
 *
 * Errors: as ccshm_revoke(), and what the driver gives for a descriptor that is
 * not open, or not one of ccshm's.
 */
int ccshm_revoke_fd(struct ccshm *handle, int fd, int64_t timeout_ns,
		    uint64_t flags, struct ccshm_revoke_result *result);

/**
 * ccshm_buffer_revoke() - end all access through the uses a buffer has now
 * @buffer: handle
 * @timeout_ns: as in ccshm_revoke()
 * @flags: as in ccshm_revoke()
 * @result: as in ccshm_revoke()
 *
 * Covers mappings made with ccshm_buffer_map() too.
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
 * The holder is told by POLLPRI and has until the deadline to detach.
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
 * ccshm_importers_get() - ask the driver which devices are attached to an export
 * @handle: handle
 * @export_id: id of the export
 * @importers: where the snapshot goes; give it up with ccshm_importers_free()
 *
 * It is a true picture of one moment, in the order in which they attached.
 *
 * Errors: -ENOENT (no such export, or none that the caller may see).
 */
int ccshm_importers_get(struct ccshm *handle, uint64_t export_id,
			struct ccshm_importers **importers);

/**
 * ccshm_export_importers() - ask the driver which devices are attached
 * @exp: handle
 * @importers: where the snapshot goes; give it up with ccshm_importers_free()
 *
 * Errors: as ccshm_importers_get().
 */
int ccshm_export_importers(struct ccshm_export *exp,
			   struct ccshm_importers **importers);

/**
 * ccshm_importers_free() - give up a snapshot
 * @importers: snapshot, or NULL
 */
void ccshm_importers_free(struct ccshm_importers *importers);

/*
 * What a snapshot says. Texts live as long as the snapshot. An index beyond the
 * last importer gives "", 0 or false.
 */

/** ccshm_importers_count() - how many there are */
uint32_t ccshm_importers_count(const struct ccshm_importers *importers);

/** ccshm_importers_device() - the device, such as "pci:0000:00:04.0" */
const char *ccshm_importers_device(const struct ccshm_importers *importers,
				   uint32_t index);

/** ccshm_importers_mappings() - mappings that it holds */
uint32_t ccshm_importers_mappings(const struct ccshm_importers *importers,
				  uint32_t index);

/** ccshm_importers_can_let_go() - is its driver bound to let go when it is told? */
bool ccshm_importers_can_let_go(const struct ccshm_importers *importers,
				uint32_t index);

/** ccshm_importers_pins() - has its driver pinned the export? */
bool ccshm_importers_pins(const struct ccshm_importers *importers,
			  uint32_t index);

/* ------------------------------------------------------------------------- */
/* Devices: what they need, and why                                          */
/* ------------------------------------------------------------------------- */

/**
 * ccshm_device_get() - ask the driver whether a device needs shared memory
 * @handle: handle
 * @name: "BUS:NAME" as in sysfs, with the buses pci, platform and virtio; for
 *	instance "pci:0000:00:04.0"
 * @device: where the snapshot goes; give it up with ccshm_device_free()
 *
 * A virtio device is judged by the device that it sits on, which does its DMA.
 * A device that a driver of the kernel has is judged as an importer of an export
 * is, any other as ccshm_buffer_attach() would without dma_bits. The decision is
 * made anew at each use: this is a picture of the moment. Whether the device's
 * addresses reach a certain buffer shows only when it is used.
 *
 * Errors: -EINVAL (@name has another form, or another bus); -ENODEV (there is no
 * such device); -EINTR (a signal came while a driver was being bound to it).
 */
int ccshm_device_get(struct ccshm *handle, const char *name,
		     struct ccshm_device **device);

/**
 * ccshm_device_free() - give up a snapshot
 * @device: snapshot, or NULL
 */
void ccshm_device_free(struct ccshm_device *device);

/*
 * What a snapshot says. Texts live as long as the snapshot.
 */

/** ccshm_device_name() - the name that was asked for */
const char *ccshm_device_name(const struct ccshm_device *device);

/** ccshm_device_driver() - the driver that it is bound to, or "" */
const char *ccshm_device_driver(const struct ccshm_device *device);

/** ccshm_device_needs() - enum ccshm_device_verdict: does it need shared memory? */
uint32_t ccshm_device_needs(const struct ccshm_device *device);

/** ccshm_device_reason() - why it does not or cannot, for a person; "" if it does */
const char *ccshm_device_reason(const struct ccshm_device *device);

/** ccshm_device_mode() - enum ccshm_dma_mode: how its DMA reaches memory */
uint32_t ccshm_device_mode(const struct ccshm_device *device);

/** ccshm_device_dma_mask() - address bits that its driver, or its bus, has set, or 0 */
uint64_t ccshm_device_dma_mask(const struct ccshm_device *device);

/** ccshm_device_bus_limit() - highest address that its bus carries; 0: no limit */
uint64_t ccshm_device_bus_limit(const struct ccshm_device *device);

/** ccshm_device_has_kernel_driver() - is its driver one that maps for it, unlike vfio? */
bool ccshm_device_has_kernel_driver(const struct ccshm_device *device);

/** ccshm_device_has_default_mask() - are its 32 bits what it was born with? */
bool ccshm_device_has_default_mask(const struct ccshm_device *device);

/** ccshm_device_has_iommu() - is it behind an IOMMU, be it one in identity mode? */
bool ccshm_device_has_iommu(const struct ccshm_device *device);

/** ccshm_device_is_coherent() - does it do without cache maintenance? */
bool ccshm_device_is_coherent(const struct ccshm_device *device);

/** ccshm_device_is_bounced() - does the kernel copy all of its DMA (swiotlb)? */
bool ccshm_device_is_bounced(const struct ccshm_device *device);

/** ccshm_device_is_restricted() - may it use a restricted pool of memory only? */
bool ccshm_device_is_restricted(const struct ccshm_device *device);

/* ------------------------------------------------------------------------- */
/* What there is, and what happens                                           */
/* ------------------------------------------------------------------------- */

/*
 * These need no struct ccshm. Lists and counters come from the device node, which
 * they open for reading, in every network namespace. A process that has no device
 * node, or no read permission on it, gets them through netlink where it is in the
 * initial network namespace. Events come through netlink only. What the caller may
 * see is judged by the credentials of the process that makes the call.
 */

/**
 * ccshm_list_get() - all objects of a kind that the caller may see
 * @type: CCSHM_TYPE_BUFFER, CCSHM_TYPE_EXPORT or CCSHM_TYPE_ATTACHMENT
 * @list: where the snapshot goes; give it up with ccshm_list_free()
 *
 * In the order of their ids. These are the objects that ccshm_status_get() would
 * find through a handle that was just opened: anonymous buffers are for
 * CAP_SYS_ADMIN. Buffers that have ended are in it, too, until their memory has
 * been given back.
 *
 * A list during which something changed is made again, a few times; see
 * ccshm_list_is_consistent().
 *
 * Errors: -EINVAL (another @type); -ENODEV (no driver, or no device node in another
 * network namespace); -EACCES, -EPERM (no read permission on the device node in
 * another network namespace, or no socket); -EPROTO, -EPROTONOSUPPORT (as
 * ccshm_open(), or an answer that cannot be understood); -EMFILE, -ENFILE,
 * -ENOBUFS.
 */
int ccshm_list_get(uint32_t type, struct ccshm_list **list);

/**
 * ccshm_list_free() - give up a snapshot
 * @list: snapshot, or NULL
 */
void ccshm_list_free(struct ccshm_list *list);

/**
 * ccshm_list_count() - how many objects are in it
 * @list: snapshot
 *
 * Returns: number of objects.
 */
uint32_t ccshm_list_count(const struct ccshm_list *list);

/**
 * ccshm_list_is_consistent() - is it a picture of one moment?
 * @list: snapshot
 *
 * Returns: false when objects came, went or changed each time that it was made:
 * each object is then as it was at some moment, but some may be missing. Numbers of
 * mappings are always those of the moment when the object was looked at.
 */
bool ccshm_list_is_consistent(const struct ccshm_list *list);

/**
 * ccshm_list_status() - an object
 * @list: snapshot
 * @index: from 0 on
 *
 * Returns: what ccshm_status_get() says of it, as long as @list lives: not to be
 * given up by itself. NULL for an index beyond the last.
 */
const struct ccshm_status *ccshm_list_status(const struct ccshm_list *list,
					     uint32_t index);

/**
 * ccshm_list_importers() - the importers of an export
 * @list: snapshot of exports
 * @index: from 0 on
 *
 * Returns: all of them, or through netlink the first CCSHM_GENL_IMPORTERS_MAX, as
 * long as @list lives; ccshm_status_importers() returns how many there are. NULL for an index beyond the last, and for lists of other objects.
 */
const struct ccshm_importers *
ccshm_list_importers(const struct ccshm_list *list, uint32_t index);

/**
 * ccshm_stats_get() - what the driver counts
 * @stats: where the snapshot goes; give it up with ccshm_stats_free()
 *
 * Of all users, and for everybody.
 *
 * Errors: as ccshm_list_get(), without -EINVAL.
 */
int ccshm_stats_get(struct ccshm_stats **stats);

/**
 * ccshm_stats_free() - give up a snapshot
 * @stats: snapshot, or NULL
 */
void ccshm_stats_free(struct ccshm_stats *stats);

/**
 * ccshm_stats_count() - how many counters there are
 * @stats: snapshot
 *
 * Returns: number of counters; another driver may have more of them or fewer.
 */
uint32_t ccshm_stats_count(const struct ccshm_stats *stats);

/**
 * ccshm_stats_name() - name of a counter
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: text such as "bytes_shared", for ever; "" for an index beyond the last.
 */
const char *ccshm_stats_name(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_stats_value() - value of a counter
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: a number, of now or since the driver was loaded; 0 for an index beyond
 * the last.
 */
uint64_t ccshm_stats_value(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_stats_is_bytes() - does a counter count bytes?
 * @stats: snapshot
 * @index: from 0 on
 *
 * Returns: false when it counts something else.
 */
bool ccshm_stats_is_bytes(const struct ccshm_stats *stats, uint32_t index);

/**
 * ccshm_events_open() - be told what happens from now on
 * @events: where the handle goes; give it up with ccshm_events_close()
 *
 * Needs CAP_SYS_ADMIN in the initial user namespace.
 *
 * Errors: -EPERM; -ENODEV (no driver, one without netlink, or another network
 * namespace); -EOPNOTSUPP (this kernel cannot keep events from others, and
 * therefore has none); -EPROTO; -EMFILE, -ENFILE, -ENOBUFS (no socket).
 */
int ccshm_events_open(struct ccshm_events **events);

/**
 * ccshm_events_close() - give up the handle
 * @events: handle, or NULL
 */
void ccshm_events_close(struct ccshm_events *events);

/**
 * ccshm_events_fd() - the file descriptor for poll()
 * @events: handle
 *
 * Returns: the file descriptor, which stays the handle's: do not read from it or
 * close it. POLLIN, or POLLERR: call ccshm_events_next() until it gives -EAGAIN.
 */
int ccshm_events_fd(const struct ccshm_events *events);

/**
 * ccshm_events_next() - the next event
 * @events: handle
 * @event: where the event goes; give it up with ccshm_event_free()
 *
 * Does not wait.
 *
 * Errors: -EAGAIN (there is none now); -ENOBUFS (events were lost, because the
 * caller was too slow or the driver had no memory for them: the next call goes on,
 * and ccshm_list_get() tells what there is now); -EPROTO (one that cannot be
 * understood; the next call goes on).
 */
int ccshm_events_next(struct ccshm_events *events, struct ccshm_event **event);

/**
 * ccshm_event_free() - give up an event
 * @event: event, or NULL
 */
void ccshm_event_free(struct ccshm_event *event);

/*
 * What an event says; enum ccshm_event_type tells which of these it has. The others
 * return 0.
 */

/** ccshm_event_type() - enum ccshm_event_type; a newer driver may know more */
uint32_t ccshm_event_type(const struct ccshm_event *event);

/** ccshm_event_time() - when it happened, nanoseconds of CLOCK_REALTIME */
uint64_t ccshm_event_time(const struct ccshm_event *event);

/**
 * ccshm_event_status() - the object that it happened to
 * @event: event
 *
 * Returns: what the event says of it, as long as @event lives: not to be given up
 * by itself. What it does not say is 0 or ""; a type of 0: it was no object.
 */
const struct ccshm_status *ccshm_event_status(const struct ccshm_event *event);

/** ccshm_event_result() - how a revoke ended: 0 or a negative errno */
int ccshm_event_result(const struct ccshm_event *event);

/** ccshm_event_duration() - how long it took, in nanoseconds */
uint64_t ccshm_event_duration(const struct ccshm_event *event);

/** ccshm_event_pages() - pages (of the page size) revoked or leaked */
uint64_t ccshm_event_pages(const struct ccshm_event *event);

/** ccshm_event_stopped() - devices that the driver had to stop */
uint32_t ccshm_event_stopped(const struct ccshm_event *event);

/** ccshm_event_quota() - enum ccshm_quota: the limit that refused an allocation */
uint32_t ccshm_event_quota(const struct ccshm_event *event);

/** ccshm_event_asked() - bytes or buffers that were asked for */
uint64_t ccshm_event_asked(const struct ccshm_event *event);

/** ccshm_event_used() - bytes or buffers that were in use */
uint64_t ccshm_event_used(const struct ccshm_event *event);

/** ccshm_event_limit() - bytes or buffers that there may be */
uint64_t ccshm_event_limit(const struct ccshm_event *event);

/**
 * ccshm_event_actor_pid() - process that caused it
 *
 * It can have ended meanwhile. Returns the id of the process in the initial pid
 * namespace; 0: the kernel did it by itself.
 */
uint32_t ccshm_event_actor_pid(const struct ccshm_event *event);

/**
 * ccshm_event_actor_uid() - effective user of the process that caused it
 *
 * Returns the user's id in the initial user namespace; UINT32_MAX where
 * ccshm_event_actor_pid() returns 0.
 */
uint32_t ccshm_event_actor_uid(const struct ccshm_event *event);

#ifdef __cplusplus
}
#endif

#endif /* CCSHM_H */
