/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshm_importer: a driver of QEMU's "edu" device that imports dma-bufs and behaves as
 * correctly or incorrectly as a test requests. The driver binds only to devices whose
 * driver_override names it.
 *
 * An open file of /dev/ccshm-importer is one importer: ATTACH attaches a dma-buf to a device,
 * MAP maps it, and so on. Calls return 0 or an errno. When the file is closed or the device
 * is removed, the importer releases everything.
 */
#ifndef CCSHM_IMPORTER_H
#define CCSHM_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IMPORTER_DEVICE		"/dev/ccshm-importer"
#define IMPORTER_DRIVER		"ccshm_importer"
#define IMPORTER_NAME_LEN	32
#define IMPORTER_SEGMENTS	128
#define IMPORTER_DATA		1024
#define IMPORTER_DMA_MAX	4092	/* limit of the device's DMA engine */

/**
 * enum importer_kind - the behaviour of an importer (the rows of the table in kinds.c)
 * @IMPORTER_STATIC: as most drivers: does not unmap on notification
 * @IMPORTER_DYNAMIC: unmap in the notification
 * @IMPORTER_LATE: receive the notification, unmap on UNMAP
 * @IMPORTER_PINNED: pin before mapping; unmap and unpin in the notification
 * @IMPORTER_MUTE: dynamic, but without a notification; kernels from 7.1 on
 * @IMPORTER_DEAF: pin before mapping; ignore the notification
 * @IMPORTER_DELAYED: unmap in a work item, @delay_ms after the notification
 * @IMPORTER_STUBBORN: receive the notification, but unmap only when the file is
 *	closed or the device is removed; UNMAP and DETACH fail with EBUSY
 * @IMPORTER_ASLEEP: sleep in the notification, with the reservation lock held, until WAKE,
 *	DETACH, the file is closed or the device is removed; then unmap
 */
enum importer_kind {
	IMPORTER_STATIC = 0,
	IMPORTER_DYNAMIC = 1,
	IMPORTER_LATE = 2,
	IMPORTER_PINNED = 3,
	IMPORTER_MUTE = 4,
	IMPORTER_DEAF = 5,
	IMPORTER_DELAYED = 6,
	IMPORTER_STUBBORN = 7,
	IMPORTER_ASLEEP = 8,
};

/* The values of the kernel's enum dma_data_direction. */
enum importer_direction {
	IMPORTER_BIDIRECTIONAL = 0,
	IMPORTER_TO_DEVICE = 1,
	IMPORTER_FROM_DEVICE = 2,
};

/**
 * struct importer_mask - set the DMA properties of a device
 * @device: name in sysfs
 * @bits: width of the DMA mask; 0: no DMA mask
 * @max_segment: maximum length of a segment
 * @not_coherent: DMA is not coherent with CPU caches (arm64 only)
 * @boundary: mask; no segment crosses a multiple of @boundary + 1. 0: 4 GiB
 */
struct importer_mask {
	char device[IMPORTER_NAME_LEN];
	__u32 bits;
	__u32 max_segment;
	__u32 not_coherent;
	__u32 boundary;
};

/**
 * struct importer_attach - attach a dma-buf to a device
 * @device: name in sysfs; bound to this driver
 * @fd: the dma-buf
 * @kind: enum importer_kind
 * @delay_ms: delay of IMPORTER_DELAYED
 */
struct importer_attach {
	char device[IMPORTER_NAME_LEN];
	__s32 fd;
	__u32 kind;
	__u32 delay_ms;
};

/**
 * struct importer_map - map the dma-buf
 * @direction: enum importer_direction
 * @by_worker: 1: map in a work item, as drivers with a queue do
 */
struct importer_map {
	__u32 direction;
	__u32 by_worker;
};

/**
 * struct importer_status - the state of an importer
 * @attached: out: 1 if a dma-buf is attached
 * @mapped: out: 1 if the dma-buf is mapped
 * @pinned: out: 1 if the dma-buf is pinned
 * @notified: out: number of notifications
 * @fences: out: number of fences added
 */
struct importer_status {
	__u32 attached;
	__u32 mapped;
	__u32 pinned;
	__u32 notified;
	__u32 fences;
};

struct importer_segment {
	__u64 dma_address;
	__u64 length;
};

/**
 * struct importer_table - get the DMA addresses of the mapping
 * @first: index of the first segment to return
 * @count: out: number of returned segments
 * @total: out: number of segments of the mapping
 * @reserved: not used
 * @segment: out: the segments
 */
struct importer_table {
	__u32 first;
	__u32 count;
	__u32 total;
	__u32 reserved;
	struct importer_segment segment[IMPORTER_SEGMENTS];
};

/**
 * struct importer_dma - transfer data between the device and memory
 * @offset: offset in the mapping; the range is in one segment
 * @length: at most IMPORTER_DMA_MAX
 * @from_device: 1: from the device's buffer to memory; 0: the other direction
 *
 * The transfer holds the reservation lock, so the device is idle in a notification.
 */
struct importer_dma {
	__u64 offset;
	__u32 length;
	__u32 from_device;
};

/**
 * struct importer_data - read or write the kernel mapping (VMAP)
 * @offset: offset in the dma-buf
 * @length: at most IMPORTER_DATA
 * @reserved: not used
 * @data: in for WRITE, out for READ
 */
struct importer_data {
	__u64 offset;
	__u32 length;
	__u32 reserved;
	__u8 data[IMPORTER_DATA];
};

/**
 * enum importer_fence_what - operation on the importer's fence on the dma-buf
 * @IMPORTER_FENCE_ADD: add a fence that IMPORTER_FENCE_SIGNAL signals
 * @IMPORTER_FENCE_SIGNAL: signal the fence
 * @IMPORTER_FENCE_LATE: add a fence that a work item signals after @ms
 * @IMPORTER_FENCE_NEVER: add a fence for which IMPORTER_FENCE_SIGNAL fails with EBUSY
 * @IMPORTER_FENCE_CHAIN: as LATE, but add a new fence whenever one is signalled;
 *	IMPORTER_FENCE_SIGNAL ends the chain
 *
 * An importer has one fence at a time. DETACH, closing the file and removing the
 * device signal every kind of fence.
 */
enum importer_fence_what {
	IMPORTER_FENCE_ADD = 0,
	IMPORTER_FENCE_SIGNAL = 1,
	IMPORTER_FENCE_LATE = 2,
	IMPORTER_FENCE_NEVER = 3,
	IMPORTER_FENCE_CHAIN = 4,
};

/* The usage of a fence, see the kernel's enum dma_resv_usage. */
enum importer_fence_usage {
	IMPORTER_USAGE_BOOKKEEP = 0,	/* poll() ignores the fence */
	IMPORTER_USAGE_WRITE = 1,	/* poll() waits for the fence */
	IMPORTER_USAGE_KERNEL = 2,	/* static importers also wait for it */
};

/**
 * struct importer_fence - add or signal a fence
 * @what: enum importer_fence_what
 * @usage: enum importer_fence_usage
 * @ms: delay of LATE and CHAIN
 */
struct importer_fence {
	__u32 what;
	__u32 usage;
	__u32 ms;
};

/**
 * struct importer_foreign - a dma-buf of one page that this module exports
 * @fd: out for FOREIGN, in for LOOK
 * @attached: out for LOOK: number of attached importers
 * @mapped: out for LOOK: number of their mappings, whose DMA addresses are invalid
 * @pinned: out for LOOK: number of pins, including those that the dma-buf core takes
 *	for a mapping
 * @vmapped: out for LOOK: number of kernel mappings
 */
struct importer_foreign {
	__s32 fd;
	__u32 attached;
	__u32 mapped;
	__u32 pinned;
	__u32 vmapped;
};

/* NOTIFY: notify those importers of a dma-buf that belong to this module. */
struct importer_notify {
	__s32 fd;
};

/* HOLD: hold the reservation lock of a dma-buf for @ms, or until a signal arrives (EINTR). */
struct importer_hold {
	__s32 fd;
	__u32 ms;
};

#define IMPORTER_IOC_MASK	_IOWR('i', 0x80, struct importer_mask)
#define IMPORTER_IOC_ATTACH	_IOWR('i', 0x81, struct importer_attach)
#define IMPORTER_IOC_MAP	_IOWR('i', 0x82, struct importer_map)
#define IMPORTER_IOC_UNMAP	_IO('i', 0x83)
#define IMPORTER_IOC_DETACH	_IO('i', 0x84)
#define IMPORTER_IOC_STATUS	_IOWR('i', 0x85, struct importer_status)
#define IMPORTER_IOC_TABLE	_IOWR('i', 0x86, struct importer_table)
#define IMPORTER_IOC_DMA	_IOWR('i', 0x87, struct importer_dma)
#define IMPORTER_IOC_VMAP	_IO('i', 0x88)
#define IMPORTER_IOC_VUNMAP	_IO('i', 0x89)
#define IMPORTER_IOC_READ	_IOWR('i', 0x8a, struct importer_data)
#define IMPORTER_IOC_WRITE	_IOWR('i', 0x8b, struct importer_data)
#define IMPORTER_IOC_FENCE	_IOWR('i', 0x8c, struct importer_fence)
#define IMPORTER_IOC_FOREIGN	_IOWR('i', 0x8d, struct importer_foreign)
#define IMPORTER_IOC_LOOK	_IOWR('i', 0x8e, struct importer_foreign)
#define IMPORTER_IOC_NOTIFY	_IOWR('i', 0x8f, struct importer_notify)
#define IMPORTER_IOC_HOLD	_IOWR('i', 0x90, struct importer_hold)
/* Pin the dma-buf; MAP of some kinds also pins. UNMAP unpins. */
#define IMPORTER_IOC_PIN	_IO('i', 0x91)
/* Wake the notification of an importer of the kind ASLEEP, and let later ones not sleep. */
#define IMPORTER_IOC_WAKE	_IO('i', 0x92)

#endif /* CCSHM_IMPORTER_H */
