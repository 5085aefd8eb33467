/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of the driver know of each other.
 *
 * Lock order: mmap_lock (or that of a VMA) > dma_resv > export->lock >
 * ccshm_lock, and device_lock > export->lock. Last come carve_lock,
 * export->importers_lock, the share_lock of convert.c, the account_lock of limit.c, the
 * rate_lock of rate.c and the ring_lock of event.c (in this order), only to look and to
 * mark. Neither these six nor dma_resv, export->lock or ccshm_lock are held across a
 * conversion, a zap, a wait or a copy to or from user space. Nothing is allocated under
 * ccshm_lock either: fs_reclaim > ccshm_lock. The quarantine_lock of convert.c is held
 * across the conversion of one block, with no other lock.
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

struct ccshm_buffer;
struct ccshm_call;
struct ccshm_client;
struct ccshm_fence_wait;
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

/* object.c: one space of ids */

enum ccshm_want { CCSHM_SEE, CCSHM_READ, CCSHM_WRITE, CCSHM_CONTROL };

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
 * struct ccshm_object - what buffers, exports and attachments have in common
 * @id: never 0, never used twice
 * @type: which of the three
 * @ops: operations of @type
 * @buffer: that it belongs to; exports and attachments hold a reference
 * @ended: no longer to be found, but still listed (ccshm_lock)
 * @announced: the call that made it has succeeded: its events are sent (ccshm_lock)
 * @ref: lifetime of the structure
 * @payer: user that the object counts for: for an export the user who made it,
 *	otherwise the payer of @buffer
 */
struct ccshm_object {
	u64 id;
	enum ccshm_type type;
	const struct ccshm_object_ops *ops;
	bool ended;
	bool announced;
	struct ccshm_buffer *buffer;
	struct kref ref;
	kuid_t payer;
};

int ccshm_object_init(struct ccshm_object *object,
		      const struct ccshm_object_ops *ops,
		      struct ccshm_buffer *buffer,
		      struct ccshm_limit_refusal *refusal);
void ccshm_object_publish(struct ccshm_object *object);
void ccshm_object_announce(struct ccshm_object *object, enum ccshm_event_type type);
void ccshm_object_end(struct ccshm_object *object);
void ccshm_object_unpublish(struct ccshm_object *object);
struct ccshm_object *ccshm_object_get(u64 id);
struct ccshm_object *ccshm_object_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want);
struct ccshm_object *ccshm_object_next(enum ccshm_type type, u64 id);
void ccshm_object_put(struct ccshm_object *object);
struct ccshm_object *ccshm_object_next_of(struct xarray *set, u64 id, u64 last);
u64 ccshm_object_last_id(void);
void ccshm_object_prime(void);
u64 ccshm_object_made(enum ccshm_type type);
void ccshm_object_describe(struct ccshm_object *object, struct user_namespace *ns,
			   struct ccshm_ioc_query *q);
void ccshm_changed(void);
unsigned int ccshm_generation(void);

/* buffer.c: who owns, who may, until when */

/**
 * struct ccshm_client - an open file of /dev/ccshm
 * @buffers: the anonymous buffers that end with it, by id (ccshm_lock)
 */
struct ccshm_client {
	struct xarray buffers;
};

/**
 * struct ccshm_buffer - made by ALLOC
 * @obj: id and lifetime of the structure
 * @users: who may reach the memory: the buffer itself until it ends, and each
 *	export and attachment that is not revoked. The last one gives the
 *	memory back.
 * @client: has control, while an anonymous buffer lives; else NULL
 * @live: not ended (ccshm_lock)
 * @sealed: only callers with control make new exports and attachments (ccshm_lock)
 * @heap: made through the heap node: ends with its dma-buf
 * @flags: CCSHM_ALLOC_*
 * @uid: owner
 * @payer: whom the memory is charged to
 * @gid: group
 * @mode: permission bits
 * @name: or empty
 * @size: what the user sees, whole pages
 * @memory: memory of the buffer, unchanged until it is given back
 * @charged: bytes of it: blocks, and what was carved
 * @name_node: of the tree of names (ccshm_lock)
 * @exports: struct ccshm_object of each export, by id (ccshm_lock)
 * @attachments: struct ccshm_object of each attachment, by id (ccshm_lock)
 * @nr_exports: number of exports, so that nothing is walked to count (ccshm_lock)
 * @nr_attachments: likewise
 * @release: gives the memory back
 * @returning: pages that @release is likely to give back
 * @released: @release has done so
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
	struct work_struct release;
	unsigned long returning;
	struct completion released;
};

int ccshm_buffer_may(struct ccshm_buffer *buffer, struct ccshm_client *client,
		     enum ccshm_want want);
struct ccshm_buffer *ccshm_buffer_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want);
int ccshm_buffer_slice(u64 limit, u64 offset, u64 *size);
void ccshm_buffer_unuse(struct ccshm_buffer *buffer);
void ccshm_buffer_end_client(struct ccshm_client *client);
void ccshm_buffer_show_client(struct seq_file *m, struct ccshm_client *client);
bool ccshm_buffer_control(struct ccshm_buffer *buffer,
			  struct ccshm_client *client);
bool ccshm_buffer_seen(struct ccshm_buffer *buffer, struct ccshm_client *client,
		       bool admin, bool *control);
void ccshm_buffer_describe(struct ccshm_buffer *buffer,
			   struct user_namespace *ns, struct ccshm_ioc_query *q);

int ccshm_buffer_may_share(struct ccshm_buffer *buffer,
			   struct ccshm_client *client, enum ccshm_want want);
void ccshm_buffer_seal(struct ccshm_buffer *buffer);

struct ccshm_buffer *ccshm_buffer_for_heap(u64 size);
int ccshm_buffer_commit(struct ccshm_buffer *buffer);
void ccshm_buffer_cancel(struct ccshm_buffer *buffer);
void ccshm_buffer_end_heap(struct ccshm_buffer *buffer);

int ccshm_alloc(struct ccshm_call *call);
int ccshm_free(struct ccshm_call *call);
int ccshm_set(struct ccshm_call *call);
int ccshm_open(struct ccshm_call *call);

/* export.c: the dma-bufs made of a buffer */

/**
 * struct ccshm_revocation - how far the revoke of an export is
 * @work: takes the reservation lock, notifies importers, waits for fences by
 *	callback, and ends the revoke. Holds a reference to the export while queued.
 * @wanted: number of requests to notify the importers
 * @done: the last of these that was carried out
 * @snapshot: the fences of the moment of the notification were taken
 * @held: a device had the export mapped at that moment
 * @again: the fences were taken again after the last of these mappings went
 * @fence: array of @nr fences that have a callback
 * @nr: number of them
 * @pending: of these, the ones that have not signalled
 *
 * Only @work changes anything but @wanted and @pending.
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
 * struct ccshm_export - made by EXPORT, lives as long as its dma-buf
 * @obj: id and lifetime of the structure
 * @dentry: of the dma-buf, whose last reference ends it; NULL before the export is
 *	listed and after the dma-buf's end (ccshm_lock)
 * @flags: CCSHM_EXPORT_*
 * @heap: made through the heap node: the buffer ends with it
 * @first: first page in the buffer
 * @pages: number of pages
 * @exp_name: "ccshm:ID", shown by the dma-buf core
 * @lock: held for reading to let something in, for writing to change the next three
 * @state: only ever grows
 * @cpu_closed: no fault enters any more
 * @zapped: CPU mappings have been ended since @cpu_closed was set
 * @mapped: has had a device mapping or a vmap; set under @lock
 * @device_mappings: maps of importers and kernel virtual mappings
 * @cpu_mappings: VMAs
 * @attachments: made from it (ccshm_lock)
 * @importers_lock: protects the next two
 * @importers: list of attached devices, see importer.c
 * @nr_importers: number of them
 * @idle: woken when the revoke gets on
 * @revocation: see there
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
	unsigned int attachments;
	struct mutex importers_lock;	/* see above */
	struct list_head importers;
	unsigned int nr_importers;
	wait_queue_head_t idle;
	struct ccshm_revocation revocation;
};

int ccshm_export(struct ccshm_call *call);
int ccshm_export_make(struct ccshm_call *call, struct ccshm_buffer *buffer,
		      int fd_flags);
int ccshm_export_commit(struct ccshm_call *call);
void ccshm_export_undo(struct ccshm_call *call);
bool ccshm_export_enter(struct ccshm_export *export);
bool ccshm_export_enter_fault(struct ccshm_export *export);
void ccshm_export_leave(struct ccshm_export *export);
bool ccshm_export_is_active(struct ccshm_export *export);
void ccshm_export_hold(struct ccshm_export *export);
void ccshm_export_unhold(struct ccshm_export *export);
struct ccshm_export *ccshm_export_from_dmabuf(struct dma_buf *dmabuf);
struct dentry *ccshm_export_dentry(struct ccshm_export *export);

/* importer.c: the devices that drivers attach to an export */
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
int ccshm_importers(struct ccshm_call *call);
void ccshm_importer_device(struct device *dev, char name[CCSHM_DEVICE_LEN]);
u32 ccshm_importer_list(struct ccshm_export *export,
			struct ccshm_ioc_importer *list, u32 room);
void ccshm_importer_exit(void);

/* mmap.c: CPU mappings of an export */
int ccshm_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);
int ccshm_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void ccshm_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);

/* dma.c: memory for devices */
int ccshm_dma_map(struct device *dev, struct sg_table *sgt,
		  const struct ccshm_memory *memory, unsigned long first,
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

/* device.c: devices, and how to stop those of userspace drivers */
bool ccshm_device_name_valid(const char name[CCSHM_DEVICE_LEN]);
struct pci_dev *ccshm_device_find(const char *name);
bool ccshm_device_is_there(struct pci_dev *pdev);
int ccshm_device_check(struct pci_dev *pdev);
int ccshm_device_stop(struct pci_dev *pdev);
int ccshm_device(struct ccshm_call *call);

/* attach.c: the devices that user space gives it to */

/**
 * struct ccshm_attachment - made by ATTACH
 * @obj: id and lifetime of the structure
 * @export: what it was made from, holds a reference; or NULL
 * @pdev: holds a reference
 * @device_link: of the list of all attachments (ccshm_lock)
 * @flags: CCSHM_ATTACH_*
 * @offset: start of the slice in the buffer
 * @size: of the slice
 * @dma_bits: what the device was judged by
 * @segment: array of @segments
 * @segments: number of them
 * @lock: protects the next four; taken under device_lock, above ccshm_lock
 * @state: only ever grows, but for STUCK, which can still end
 * @stopped: ccshm stopped the device
 * @abandoned: it has no file (any more): it is gone when it has ended
 * @committed: ATTACH has succeeded: its addresses can be known to somebody
 * @wait: woken when @state changes
 * @stop: stops the device
 * @stops: how often @stop is to run or runs (ccshm_lock)
 * @stop_link: of the list of those with such a stop (ccshm_lock)
 */
struct ccshm_attachment {
	struct ccshm_object obj;
	struct ccshm_export *export;
	struct pci_dev *pdev;
	struct list_head device_link;
	u64 flags;
	u64 offset;
	u64 size;
	unsigned int dma_bits;
	struct ccshm_ioc_segment *segment;
	unsigned int segments;
	struct mutex lock;	/* see above */
	enum ccshm_state state;
	bool stopped;
	bool abandoned;
	bool committed;
	wait_queue_head_t wait;
	struct delayed_work stop;
	unsigned int stops;
	struct list_head stop_link;
};

int ccshm_attach(struct ccshm_call *call);
int ccshm_segments(struct ccshm_call *call);
int ccshm_detach(struct ccshm_call *call);
struct ccshm_object *ccshm_attachment_from_fd(int fd);
void ccshm_attachment_ask(struct ccshm_attachment *attachment, bool force);
void ccshm_attach_stop_all(void);
int ccshm_attach_init(void);
void ccshm_attach_exit(void);

/* power.c: reboot, kexec and hibernation */
int ccshm_power_init(void);
void ccshm_power_exit(void);

/* revoke.c: how access ends */
int ccshm_revoke(struct ccshm_call *call);
void ccshm_revoke_begin(struct ccshm_buffer *buffer);
void ccshm_revocation_init(struct ccshm_export *export);
void ccshm_revocation_continue(struct ccshm_export *export);
void ccshm_revocation_forget(struct ccshm_export *export);
int ccshm_revoke_init(void);
void ccshm_revoke_exit(void);

/* heap.c: the node that programs for the kernel's heap open */
int ccshm_heap_check(void);
void ccshm_heap_init(void);
void ccshm_heap_exit(void);
bool ccshm_heap_is_ours(void);

/* pages.c */
int ccshm_pages(struct ccshm_call *call);

/* query.c */
int ccshm_info(struct ccshm_call *call);
int ccshm_query(struct ccshm_call *call);
struct ccshm_object *ccshm_object_from_fd(int fd);

/* encode.c: objects as netlink attributes */
int ccshm_encode_object(struct sk_buff *skb, const struct ccshm_ioc_query *q);

/* netlink.c: shows what there is */
int ccshm_netlink_init(void);
void ccshm_netlink_exit(void);

/* rate.c: rates of events and log lines that each user may cause */

enum ccshm_rate {
	CCSHM_RATE_EVENTS,
	CCSHM_RATE_REFUSALS,
	CCSHM_RATE_LINES,
};

bool ccshm_rate_allows(enum ccshm_rate what, kuid_t uid);

/* Whom events and log lines name: the caller, as the initial user namespace sees it. */
static inline u32 ccshm_actor_uid(void)
{
	return from_kuid(&init_user_ns, current_euid());
}

/* event.c: tells what happens; none of these waits or allocates */

/**
 * struct ccshm_event_stats - since the module was loaded
 * @revokes: that began
 * @revokes_failed: that did not end all access
 * @refused: by a limit
 * @sent: events
 * @lost: events that could not be sent
 * @suppressed: events that were too many for one user
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

/* call.c: dispatches the ioctls of a file */

/**
 * struct ccshm_call - one ioctl
 * @client: on /dev/ccshm
 * @attachment: on an attachment's own fd
 * @read_only: the file was opened without write access: nothing may change
 * @arg: the structure, in kernel memory; copied out after the handler
 * @report: copy out also though the handler returns an error
 * @commit: completes what the handler has made and listed; an error (it has ended
 *	or was revoked meanwhile) means that nothing was done, and @undo follows
 * @undo: ends it, if the structure could not be copied out, the caller is being
 *	killed, or @commit failed
 * @object: for those two
 * @file: likewise
 * @fd: likewise
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
 * struct ccshm_call_entry - one ioctl in the table of a file
 * @handler: carries it out; NULL: the file does not have it
 * @size: size of its structure
 * @out: offset of the first field that is only output; from there on the structure is
 *	cleared before @handler is called
 * @read_only: it changes nothing: also allowed on a file without write access
 */
struct ccshm_call_entry {
	int (*handler)(struct ccshm_call *call);
	u16 size;
	u16 out;
	bool read_only;
};

/* Holds the structure of any call: the dispatcher has one on its stack. */
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

int ccshm_call_end(struct ccshm_call *call, int err, bool unanswered);
long ccshm_call_dispatch(struct ccshm_call *call,
			 const struct ccshm_call_entry *calls,
			 unsigned int nr_calls, unsigned int cmd,
			 unsigned long arg);

#endif /* CCSHM_DRIVER_H */
