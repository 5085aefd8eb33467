/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures and functions that the files of the driver share.
 *
 * Lock order: mmap_lock (or that of a VMA) > dma_resv > export->lock > ccshm_lock,
 * device_lock > export->lock, and device_lock > att->lock > ccshm_lock. Innermost are, in this
 * order, carve_lock, export->importers_lock, the share_lock of convert.c, the account_lock of
 * limit.c, the rate_lock of rate.c, the ring_lock of event.c and the lane_lock of export.c; they
 * are held only to read and to change members. Neither these seven nor dma_resv, export->lock,
 * att->lock or ccshm_lock are held across a conversion, a zap, a wait or a copy to or from user
 * space. Nothing is allocated under ccshm_lock: fs_reclaim > ccshm_lock. The quarantine_lock of
 * convert.c is held across the conversion of one block, with no other lock.
 */
#ifndef CCSHM_DRIVER_H
#define CCSHM_DRIVER_H

#include <linux/build_bug.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "memory.h"

struct ccshm_attachment;
struct ccshm_buffer;
struct ccshm_call;
struct ccshm_client;
struct ccshm_export;
struct ccshm_fence_wait;
struct ccshm_lane;
struct ccshm_object;
struct dentry;
struct device;
struct dma_buf;
struct dma_buf_attachment;
struct genl_family;
struct seq_file;
struct sk_buff;
struct user_namespace;

/* limit_sysfs.c: the limits as attributes of the device and module parameters */
struct attribute_group;

extern const struct attribute_group *ccshm_limit_groups[];

/* object.c: what all objects have in common, and their ids */

extern struct mutex ccshm_lock;

/**
 * struct ccshm_object_ops - operations of a type of object
 * @type: type of the objects
 * @free: free an object whose last reference was dropped
 * @describe: describe an object and its buffer, with user and group ids as seen in
 *	@ns; called under ccshm_lock, after the id and the type are filled in
 */
struct ccshm_object_ops {
	enum ccshm_type type;
	void (*free)(struct ccshm_object *object);
	void (*describe)(struct ccshm_object *object, struct user_namespace *ns,
			 struct ccshm_ioc_query *q);
};

/**
 * struct ccshm_object - a buffer, an export or an attachment
 * @id: never 0, never used twice
 * @type: type of the object
 * @ops: operations of @type
 * @buffer: buffer that the object belongs to; exports and attachments hold a reference
 * @ended: cannot be found by its id any more, but is still listed (ccshm_lock)
 * @closed: it ends because a file was closed for the last time, which its payer can have
 *	made another user do; under ccshm_lock
 * @announced: the call that made the object has succeeded, so its events are sent
 *	(ccshm_lock)
 * @uncounted: no longer counts for @payer (ccshm_lock, or no reference is left)
 * @ref: lifetime of the structure
 * @payer: user whose limits the object counts for: of an export the user who made it,
 *	otherwise the payer of @buffer
 */
struct ccshm_object {
	u64 id;
	enum ccshm_type type;
	const struct ccshm_object_ops *ops;
	bool ended;
	bool closed;
	bool announced;
	bool uncounted;
	struct ccshm_buffer *buffer;
	struct kref ref;
	kuid_t payer;
};

/**
 * struct ccshm_tally - sums over the objects that end while a revoke runs
 * @link: entry in the list of the buffer (ccshm_lock)
 * @object: buffer or export whose objects are counted
 * @last: by type, largest id to count (ccshm_lock)
 * @visited: by type, largest id that the revoke has visited; these are not counted
 *	(ccshm_lock)
 * @objects: number of exports and attachments that have ended (ccshm_lock)
 * @pages: their pages (ccshm_lock)
 * @stopped: attachments among them whose device ccshm has stopped (ccshm_lock)
 */
struct ccshm_tally {
	struct list_head link;
	struct ccshm_object *object;
	u64 last[CCSHM_TYPE_ATTACHMENT + 1];
	u64 visited[CCSHM_TYPE_ATTACHMENT + 1];
	u32 objects;
	u64 pages;
	u32 stopped;
};

int ccshm_object_init(struct ccshm_object *object,
		      const struct ccshm_object_ops *ops,
		      struct ccshm_buffer *buffer,
		      struct ccshm_limit_refusal *refusal);
void ccshm_object_exit(void);
void ccshm_object_publish(struct ccshm_object *object);
void ccshm_object_announce(struct ccshm_object *object, enum ccshm_event_type type);
void ccshm_object_end(struct ccshm_object *object);
void ccshm_object_unpublish(struct ccshm_object *object);
void ccshm_object_uncount(struct ccshm_object *object);
struct ccshm_object *ccshm_object_get(u64 id);
struct ccshm_object *ccshm_object_next(enum ccshm_type type, u64 id, u64 last);
void ccshm_object_put(struct ccshm_object *object);
struct ccshm_object *ccshm_object_next_of(struct xarray *set, u64 id, u64 last);
u64 ccshm_object_last_id(void);
void ccshm_tally_begin(struct ccshm_tally *tally);
void ccshm_tally_extend(struct ccshm_tally *tally);
void ccshm_tally_end(struct ccshm_tally *tally);
bool ccshm_tally_visit(struct ccshm_tally *tally, struct ccshm_object *object);
void ccshm_tally_count(struct ccshm_object *object, struct ccshm_export *export,
		       unsigned long pages, bool stopped);
void ccshm_object_prime(void);
u64 ccshm_object_made(enum ccshm_type type);
void ccshm_changed(void);
unsigned int ccshm_generation(void);

/**
 * ccshm_object_describe - describe an object and its buffer
 * @object: object to describe
 * @ns: user namespace of the user and group ids
 * @q: out: everything but whether a caller has control
 */
static inline void ccshm_object_describe(struct ccshm_object *object,
					 struct user_namespace *ns,
					 struct ccshm_ioc_query *q)
{
	lockdep_assert_held(&ccshm_lock);
	q->object_id = object->id;
	q->type = object->type;
	object->ops->describe(object, ns, q);
}

/* access.c: which caller may use a buffer, give it an owner, or program devices */

enum ccshm_want { CCSHM_SEE, CCSHM_READ, CCSHM_WRITE, CCSHM_CONTROL };

int ccshm_buffer_may(struct ccshm_buffer *buffer, struct ccshm_client *client,
		     enum ccshm_want want);
bool ccshm_buffer_control(struct ccshm_buffer *buffer,
			  struct ccshm_client *client);
bool ccshm_object_describe_seen(struct ccshm_object *object,
				struct ccshm_client *client, bool admin,
				bool always, struct ccshm_ioc_query *q);
int ccshm_owner_may(kuid_t old_uid, kgid_t old_gid, kuid_t uid, kgid_t gid);
bool ccshm_may_program_devices(void);
int ccshm_revoke_enter(struct ccshm_tally *tally, struct ccshm_client *client, bool seal);
int ccshm_export_may(struct ccshm_export *export, struct ccshm_client *client);
int ccshm_attachment_may(struct ccshm_attachment *att, struct ccshm_client *client);
struct ccshm_object *ccshm_object_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want);
struct ccshm_buffer *ccshm_buffer_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want);

/* buffer.c: the buffers, their names and their memory */

/**
 * struct ccshm_client - an open file of /dev/ccshm
 * @buffers: anonymous buffers that end when the file is closed, by id (ccshm_lock)
 */
struct ccshm_client {
	struct xarray buffers;
};

/**
 * struct ccshm_buffer - shared memory that ALLOC, or the heap node, has made
 * @obj: id and lifetime of the structure
 * @users: uses of the memory: one of the buffer itself until it ends, and one of each
 *	export and attachment that is not revoked. When the last one is dropped, the
 *	memory is given back.
 * @client: file that has control of a live anonymous buffer; NULL for other buffers
 * @live: has not ended (ccshm_lock)
 * @sealed: only callers with control make new exports and attachments (ccshm_lock)
 * @heap: made through the heap node: ends with its dma-buf
 * @flags: CCSHM_ALLOC_*
 * @uid: owner
 * @payer: user whom the memory is charged to
 * @gid: group
 * @mode: permission bits
 * @name: name, or empty
 * @size: size in bytes that users see, whole pages
 * @memory: memory of the buffer, unchanged until it is given back
 * @charged: bytes in blocks and in the carved slice
 * @name_node: entry in the tree of names (ccshm_lock)
 * @exports: struct ccshm_object of each export, by id (ccshm_lock)
 * @attachments: struct ccshm_object of each attachment, by id (ccshm_lock)
 * @nr_exports: number of exports in @exports (ccshm_lock)
 * @nr_attachments: number of attachments in @attachments (ccshm_lock)
 * @tallies: list of struct ccshm_tally of REVOKEs in progress (ccshm_lock)
 * @nr_tallies: their number (ccshm_lock)
 * @returning: return of the memory
 * @released: completed when the memory has been given back
 */
struct ccshm_buffer {
	struct ccshm_object obj;
	refcount_t users;
	struct ccshm_client *client;
	bool live;
	bool sealed;
	bool heap;
	u64 flags;
	kuid_t uid;
	kuid_t payer;
	kgid_t gid;
	umode_t mode;
	char name[CCSHM_NAME_LEN];
	u64 size;
	struct ccshm_memory memory;
	u64 charged;
	struct rb_node name_node;
	struct xarray exports;
	struct xarray attachments;
	unsigned int nr_exports;
	unsigned int nr_attachments;
	struct list_head tallies;
	unsigned int nr_tallies;
	struct ccshm_limit_return returning;
	struct completion released;
};

int ccshm_buffer_slice(u64 limit, u64 offset, u64 *size);
void ccshm_buffer_unuse(struct ccshm_buffer *buffer);
void ccshm_buffer_end_client(struct ccshm_client *client);
void ccshm_buffer_show_client(struct seq_file *m, struct ccshm_client *client);
void ccshm_buffer_describe(struct ccshm_buffer *buffer,
			   struct user_namespace *ns, struct ccshm_ioc_query *q);

struct ccshm_buffer *ccshm_buffer_for_heap(u64 size);
void ccshm_buffer_cancel(struct ccshm_buffer *buffer);
void ccshm_buffer_end_heap(struct ccshm_buffer *buffer);

int ccshm_alloc_ioctl(struct ccshm_call *call);
int ccshm_buffer_free(struct ccshm_buffer *buffer, struct ccshm_client *client);
int ccshm_set_ioctl(struct ccshm_call *call);
int ccshm_open_ioctl(struct ccshm_call *call);

/* export.c: the state of an export */

/**
 * struct ccshm_revocation - progress of the revoke of an export
 * @work: work item that executes steps 3 to 5 of revoke.c; holds a reference to the
 *	export while it is queued
 * @wanted: number of requests to notify the importers, and to check for the end
 * @done: number of the last request that was executed
 * @snapshot: the snapshot of the fences was taken
 * @held: a device had the export mapped when the snapshot was taken
 * @again: the fences were taken again after the last of these mappings was gone
 * @fence: array of fences that have a callback
 * @nr: number of fences in @fence
 * @pending: number of fences that have not signalled
 *
 * Only @work, and the release of the dma-buf, change members other than @wanted and @pending.
 * A late fault also raises @wanted.
 */
struct ccshm_revocation {
	struct delayed_work work;
	atomic_t wanted;
	int done;
	bool snapshot;
	bool held;
	bool again;
	struct ccshm_fence_wait *fence;
	unsigned int nr;
	atomic_t pending;
};

/**
 * struct ccshm_export - a dma-buf of a slice of a buffer; exists at least as long as the dma-buf
 * @obj: id and lifetime of the structure
 * @dentry: dentry of the dma-buf, which ends with it; NULL before the export is listed
 *	and after the end of the dma-buf (ccshm_lock)
 * @flags: CCSHM_EXPORT_*
 * @heap: made through the heap node: the buffer ends with the export
 * @first: first page in the buffer
 * @pages: number of pages
 * @exp_name: "ccshm:ID", shown by the dma-buf core
 * @lock: held for reading while a mapping or a fault enters, for writing to change the next two
 * @state: only advances
 * @cpu_closed: no fault enters any more; set under @lock
 * @zapped: CPU mappings have been removed since @cpu_closed was set
 * @mapped: has ever had a device mapping or a vmap; set under @lock
 * @device_mappings: number of maps of importers, and of kernel virtual mappings
 * @cpu_mappings: number of VMAs
 * @faults: number of faults that are inserting pages; raised under @lock, and after
 *	@cpu_closed no more
 * @attachments: number of attachments made from the export (ccshm_lock)
 * @importers_lock: protects the next two
 * @importers: list of struct importer, see importer.c
 * @nr_importers: number of entries of @importers
 * @idle: woken when the revoke makes progress
 * @lane: workqueue of @revocation
 * @revocation: progress of the revoke
 */
struct ccshm_export {
	struct ccshm_object obj;
	struct dentry *dentry;
	u64 flags;
	bool heap;
	unsigned long first;
	unsigned long pages;
	char exp_name[32];
	struct rw_semaphore lock;
	enum ccshm_state state;
	bool cpu_closed;
	bool zapped;
	bool mapped;
	atomic_t device_mappings;
	atomic_t cpu_mappings;
	atomic_t faults;
	unsigned int attachments;
	struct mutex importers_lock;	/* see above */
	struct list_head importers;
	unsigned int nr_importers;
	wait_queue_head_t idle;
	struct ccshm_lane *lane;
	struct ccshm_revocation revocation;
};

struct ccshm_export *ccshm_export_new(struct ccshm_buffer *buffer,
				      const struct ccshm_ioc_export *req);
void ccshm_export_discard(struct ccshm_export *export);
int ccshm_export_list(struct ccshm_export *export, struct dentry *dentry,
		      struct ccshm_client *client);
void ccshm_export_unlist(struct ccshm_export *export);
void ccshm_export_end(struct ccshm_export *export);
bool ccshm_export_enter(struct ccshm_export *export);
void ccshm_export_leave(struct ccshm_export *export);
bool ccshm_export_enter_fault(struct ccshm_export *export);
bool ccshm_export_leave_fault(struct ccshm_export *export);
void ccshm_export_end_late_fault(struct ccshm_export *export);
bool ccshm_export_is_active(struct ccshm_export *export);
bool ccshm_export_is_revoked(struct ccshm_export *export);
void ccshm_export_hold(struct ccshm_export *export);
void ccshm_export_unhold(struct ccshm_export *export);
void ccshm_export_queue_revoke(struct ccshm_export *export, unsigned long delay);
struct dentry *ccshm_export_dentry(struct ccshm_export *export);
int ccshm_export_init(void);
void ccshm_export_exit(void);

/* revoke.c: how the access to an export ends */
void ccshm_revocation_init(struct ccshm_export *export);
void ccshm_revocation_forget(struct ccshm_export *export);
void ccshm_revocation_close(struct ccshm_export *export, bool cpu);
void ccshm_revocation_end_cpu(struct ccshm_export *export);
void ccshm_revocation_request(struct ccshm_export *export);
bool ccshm_revocation_is_notified(struct ccshm_export *export);

/* importer.c: devices that kernel drivers attach to an export */
int ccshm_importer_attach_pinned(struct dma_buf *dmabuf,
				 struct dma_buf_attachment *attach);
int ccshm_importer_attach_revocable(struct dma_buf *dmabuf,
				    struct dma_buf_attachment *attach);
void ccshm_importer_detach(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attach);
int ccshm_importer_pin(struct dma_buf_attachment *attach);
void ccshm_importer_unpin(struct dma_buf_attachment *attach);
struct sg_table *ccshm_importer_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir);
void ccshm_importer_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir);
int ccshm_importers_ioctl(struct ccshm_call *call);
u32 ccshm_importer_list(struct ccshm_export *export,
			struct ccshm_ioc_importer *list, u32 room);
void ccshm_importer_exit(void);

/* mmap.c: CPU mappings of an export */
int ccshm_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
int ccshm_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void ccshm_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);

/* dmabuf.c: the dma-bufs of exports */
int ccshm_dmabuf_make(struct ccshm_call *call, struct ccshm_buffer *buffer,
		      int fd_flags);
int ccshm_dmabuf_commit(struct ccshm_call *call, struct ccshm_buffer *buffer);
void ccshm_dmabuf_undo(struct ccshm_call *call);
struct ccshm_export *ccshm_export_from_fd(int fd);
int ccshm_export_ioctl(struct ccshm_call *call);

/* dma.c: memory for devices */
int ccshm_dma_map(struct device *dev, struct sg_table *sgt,
		  const struct ccshm_buffer *buffer, unsigned long first,
		  unsigned long pages, enum dma_data_direction dir,
		  unsigned long *attrs);
void ccshm_dma_unmap(struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir, unsigned long attrs);
int ccshm_dma_segments(struct device *dev, unsigned int *dma_bits,
		       const struct ccshm_memory *memory, unsigned long first,
		       unsigned long pages, struct ccshm_ioc_segment **segments,
		       unsigned int *nr);
void ccshm_dma_describe(struct device *dev, bool driver_maps,
			struct ccshm_ioc_device *req);

/* device.c: find, check, describe and stop devices */
bool ccshm_device_name_valid(const char name[CCSHM_DEVICE_LEN]);
struct pci_dev *ccshm_device_find(const char *name);
int ccshm_device_check(struct pci_dev *pdev);
int ccshm_device_hold(struct pci_dev *pdev);
void ccshm_device_release(struct pci_dev *pdev);
int ccshm_device_stop(struct pci_dev *pdev);
int ccshm_device_ioctl(struct ccshm_call *call);

/* The bus mastering of a bridge is that of all devices behind the bridge. */
static inline bool ccshm_device_is_bridge(struct device *dev)
{
	return dev_is_pci(dev) &&
	       to_pci_dev(dev)->hdr_type != PCI_HEADER_TYPE_NORMAL;
}

/* Write the name of a device as users know it: "BUS:NAME", as in sysfs. */
static inline void ccshm_device_name(struct device *dev, char name[CCSHM_DEVICE_LEN])
{
	snprintf(name, CCSHM_DEVICE_LEN, "%s%s%s",
		 dev->bus ? dev->bus->name : "", dev->bus ? ":" : "",
		 dev_name(dev));
}

/* attachment.c: the state of an attachment */

/**
 * struct ccshm_attachment - the right of a user space driver to give a device addresses
 * @obj: id and lifetime of the structure
 * @export: export that it was made from, with a reference, or NULL
 * @pdev: device, with a reference, and held active until the attachment has ended
 * @flags: CCSHM_ATTACH_*
 * @offset: start of the slice in the buffer
 * @size: size of the slice
 * @dma_bits: address bits of the device that were assumed
 * @segment: array of segments
 * @segments: number of segments in @segment
 * @lock: protects the next four; taken under device_lock, above ccshm_lock
 * @state: only advances, except that STUCK can still end: see attachment.c
 * @stopped: ccshm stopped the device
 * @orphaned: has no file, or none any more: unlisted when it has ended
 * @committed: ATTACH has succeeded: the caller can have the addresses
 * @wait: woken when @state changes
 * @stop: work item that stops the device
 * @stops: number of times that @stop is queued or runs (ccshm_lock)
 * @stop_link: entry in the list of attachments with such a stop (ccshm_lock)
 * @listed: number of the attachment, in the order in which they are listed
 */
struct ccshm_attachment {
	struct ccshm_object obj;
	struct ccshm_export *export;
	struct pci_dev *pdev;
	u64 flags;
	u64 offset;
	u64 size;
	unsigned int dma_bits;
	struct ccshm_ioc_segment *segment;
	unsigned int segments;
	struct mutex lock;	/* see above */
	enum ccshm_state state;
	bool stopped;
	bool orphaned;
	bool committed;
	wait_queue_head_t wait;
	struct delayed_work stop;
	unsigned int stops;
	struct list_head stop_link;
	u64 listed;
};

struct ccshm_attachment *ccshm_attachment_new(struct ccshm_buffer *buffer,
					      struct ccshm_export *export,
					      struct pci_dev *pdev);
/**
 * struct ccshm_stop - one stop of a device for several of its attachments; begins all zero
 * @tried: a stop of the device was attempted
 * @result: its result
 * @listed: number of the youngest attachment that was listed before: the removal of a
 *	device does not keep others from attaching it, and starting it again
 */
struct ccshm_stop {
	bool tried;
	int result;
	u64 listed;
};

void ccshm_attachment_discard(struct ccshm_attachment *att);
int ccshm_attachment_list(struct ccshm_attachment *att, struct ccshm_client *client);
int ccshm_attachment_commit(struct ccshm_attachment *att);
void ccshm_attachment_detach(struct ccshm_attachment *att);
void ccshm_attachment_revoke(struct ccshm_attachment *att, bool force);
void ccshm_attachment_orphan(struct ccshm_attachment *att, bool stop);
void ccshm_attachment_stop(struct ccshm_attachment *att, struct ccshm_stop *stop);
void ccshm_attachment_finish_stops(struct pci_dev *pdev);
void ccshm_attachment_stop_all(void);
struct ccshm_attachment *ccshm_attachment_next(const struct device *dev, u64 id);
int ccshm_attachment_init(void);
void ccshm_attachment_exit(void);

/* attachment_bus.c: what happens to the devices of attachments */
int ccshm_attachment_bus_init(void);
void ccshm_attachment_bus_exit(void);

/* attachment_file.c: the files of attachments, and the calls on them */
int ccshm_attachment_open(struct ccshm_attachment *att, struct ccshm_call *call);
struct ccshm_object *ccshm_attachment_from_fd(int fd);
int ccshm_segments_ioctl(struct ccshm_call *call);
int ccshm_detach_ioctl(struct ccshm_call *call);

/* attach.c: the call that makes an attachment */
int ccshm_attach_ioctl(struct ccshm_call *call);

/* power.c: reboot, kexec and hibernation */
int ccshm_power_init(void);
void ccshm_power_exit(void);

/* fd.c: file descriptors of exports and attachments */
struct ccshm_object *ccshm_object_from_fd(int fd);

/* revoke_call.c: the calls that revoke */
int ccshm_revoke_ioctl(struct ccshm_call *call);
int ccshm_free_ioctl(struct ccshm_call *call);

/* heap.c: /dev/dma_heap/system_cc_shared */
int ccshm_heap_check(void);
void ccshm_heap_init(const struct device *misc);
void ccshm_heap_exit(void);
bool ccshm_heap_is_ours(void);

/* pages.c: PAGES */
int ccshm_pages_ioctl(struct ccshm_call *call);

/* query.c: INFO and QUERY */
void ccshm_info_describe(struct ccshm_ioc_info *info);
int ccshm_info_ioctl(struct ccshm_call *call);
int ccshm_query_ioctl(struct ccshm_call *call);

/* encode.c: objects as netlink attributes */
int ccshm_encode_ids(struct sk_buff *skb, const struct ccshm_ioc_query *q);
int ccshm_encode_object(struct sk_buff *skb, const struct ccshm_ioc_query *q);
int ccshm_encode_stats(struct sk_buff *skb, const struct ccshm_ioc_info *info);

/* netlink.c: dumps and statistics */
int ccshm_netlink_init(void);
void ccshm_netlink_exit(void);

/* rate.c: rates of events and log lines that each user may cause */

enum ccshm_rate {
	CCSHM_RATE_EVENTS,
	CCSHM_RATE_REFUSALS,
	CCSHM_RATE_LINES,
};

bool ccshm_rate_allows(enum ccshm_rate what, kuid_t uid);

/* Return the uid of the caller in the initial user namespace, for events and log lines. */
static inline u32 ccshm_actor_uid(void)
{
	return from_kuid(&init_user_ns, current_euid());
}

/* event.c: events; none of the functions that report an event waits or allocates */

/**
 * struct ccshm_event_stats - counters since the module was loaded
 * @revokes: revokes that began
 * @revokes_failed: revokes that did not end all access
 * @refused: allocations that a limit refused
 * @sent: events that were sent
 * @lost: events that could not be sent
 * @suppressed: events that exceeded the rate of a user
 */
struct ccshm_event_stats {
	u64 revokes;
	u64 revokes_failed;
	u64 refused;
	u64 sent;
	u64 lost;
	u64 suppressed;
};

void ccshm_event(enum ccshm_event_type type, struct ccshm_object *object);
void ccshm_event_attachment(enum ccshm_event_type type,
			    struct ccshm_object *object, bool stopped);
void ccshm_event_described(enum ccshm_event_type type,
			   const struct ccshm_ioc_query *q, kuid_t payer);
void ccshm_event_importer(enum ccshm_event_type type,
			  struct ccshm_export *export, struct device *dev);
u64 ccshm_event_revoke_begin(struct ccshm_object *object);
void ccshm_event_revoke_end(struct ccshm_object *object, u64 begin,
			    const struct ccshm_ioc_revoke *req, int err);
void ccshm_event_leak(unsigned long pages);
void ccshm_event_quota(const struct ccshm_limit_refusal *refusal);
void ccshm_event_stats(struct ccshm_event_stats *stats);
int ccshm_event_init(const struct genl_family *genl);
void ccshm_event_exit(void);

/* call.c: dispatch the ioctls of a file */

/**
 * struct ccshm_call - an ioctl in progress
 * @client: file, if the call is on /dev/ccshm
 * @attachment: attachment, if the call is on the file of one
 * @read_only: the file was opened without write access: nothing may change
 * @arg: structure of the call, in kernel memory; copied out after the handler
 * @report: copy @arg out although the handler returns an error
 * @commit: complete the object that the handler has made and listed. On an error, because
 *	the object has ended or was revoked meanwhile, nothing was changed, and @undo follows
 * @undo: end the object: @arg could not be copied out, the caller is being killed, or
 *	@commit failed
 * @object: object for @commit and @undo
 * @file: file for @commit and @undo
 * @fd: descriptor for @commit and @undo
 */
struct ccshm_call {
	struct ccshm_client *client;
	struct ccshm_attachment *attachment;
	bool read_only;
	void *arg;
	bool report;
	int (*commit)(struct ccshm_call *call);
	void (*undo)(struct ccshm_call *call);
	struct ccshm_object *object;
	struct file *file;
	int fd;
};

/**
 * struct ccshm_call_entry - an ioctl in the table of a file
 * @handler: executes the ioctl; NULL: the file does not have it
 * @size: size of the structure
 * @out: offset of the first output field; from there on, the structure is cleared before
 *	@handler is called
 * @read_only: changes nothing, and is allowed on a file without write access
 */
struct ccshm_call_entry {
	int (*handler)(struct ccshm_call *call);
	u16 size;
	u16 out;
	bool read_only;
};

/* The structure of any call; the dispatcher has one on its stack. */
union ccshm_call_arg {
	struct ccshm_ioc_info info;
	struct ccshm_ioc_alloc alloc;
	struct ccshm_ioc_free free;
	struct ccshm_ioc_open open;
	struct ccshm_ioc_query query;
	struct ccshm_ioc_export export;
	struct ccshm_ioc_revoke revoke;
	struct ccshm_ioc_attach attach;
	struct ccshm_ioc_segments segments;
	struct ccshm_ioc_detach detach;
	struct ccshm_ioc_importers importers;
	struct ccshm_ioc_device device;
	struct ccshm_ioc_pages pages;
	struct ccshm_ioc_set set;
};

/* Index of an ioctl in a table. */
#define CCSHM_CALL_INDEX(cmd)	(_IOC_NR(cmd) - _IOC_NR(CCSHM_IOC_INFO))

/*
 * Entry of a table. Does not compile when union ccshm_call_arg is too small for the
 * structure: the dispatcher would write beyond the one on its stack.
 */
#define CCSHM_CALL(cmd, fn, type, first_out, ...)			\
	[CCSHM_CALL_INDEX(cmd)] = {					\
		.handler = (fn),					\
		.size = sizeof(struct type) +				\
			BUILD_BUG_ON_ZERO(sizeof(struct type) >		\
					  sizeof(union ccshm_call_arg)), \
		.out = (first_out), __VA_ARGS__				\
	}
#define CCSHM_OUT(type, member)	offsetof(struct type, member)
#define CCSHM_NO_OUT(type)	sizeof(struct type)
#define CCSHM_READ_ONLY		.read_only = true

/* Entries of the calls on attachments, which /dev/ccshm and the file of one accept. */
#define CCSHM_CALL_SEGMENTS						\
	CCSHM_CALL(CCSHM_IOC_SEGMENTS, ccshm_segments_ioctl,		\
		   ccshm_ioc_segments, CCSHM_OUT(ccshm_ioc_segments, count))
#define CCSHM_CALL_DETACH						\
	CCSHM_CALL(CCSHM_IOC_DETACH, ccshm_detach_ioctl,		\
		   ccshm_ioc_detach, CCSHM_NO_OUT(ccshm_ioc_detach))

int ccshm_call_end(struct ccshm_call *call, int err, bool unanswered);
long ccshm_call_dispatch(struct ccshm_call *call,
			 const struct ccshm_call_entry *calls,
			 unsigned int nr_calls, unsigned int cmd,
			 unsigned long arg);

#endif /* CCSHM_DRIVER_H */
