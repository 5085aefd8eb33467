/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ccshm_importer: a driver of QEMU's "edu" device that imports dma-bufs, and that
 * does so as well or as badly as a test asks. It binds to a device by its
 * driver_override only.
 *
 * An open file of /dev/ccshm-importer is one importer: ATTACH gives it a dma-buf
 * and a device, MAP a mapping, and so on. Calls give 0 or an errno. A file that is
 * closed, and a device that goes, let go of everything.
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
#define IMPORTER_DMA_MAX	4092	/* the device's engine cannot do more */

/**
 * enum importer_kind - how an importer behaves; a row each of the table in kinds.c
 * @IMPORTER_STATIC: as most drivers: it cannot let go
 * @IMPORTER_DYNAMIC: unmaps in the notification
 * @IMPORTER_LATE: is notified, and unmaps when UNMAP says so
 * @IMPORTER_PINNED: pins what it maps; unmaps and unpins in the notification
 * @IMPORTER_MUTE: dynamic, but cannot be notified; kernels from 7.1 on
 * @IMPORTER_DEAF: pins what it maps; its notification does nothing
 * @IMPORTER_DELAYED: unmaps from a work item, a while after the notification
 * @IMPORTER_STUBBORN: is notified, and lets go when its file is closed or its
 *	device goes, but not when UNMAP or DETACH say so: they give EBUSY
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
};

/* As the kernel's enum dma_data_direction. */
enum importer_direction {
	IMPORTER_BIDIRECTIONAL = 0,
	IMPORTER_TO_DEVICE = 1,
	IMPORTER_FROM_DEVICE = 2,
};

/**
 * struct importer_mask - what a device's driver says of it
 * @device: as in sysfs
 * @bits: of its DMA mask; 0: it has none
 * @max_segment: longest segment that it takes
 * @not_coherent: its processors' caches are not its own (arm64 only)
 * @boundary: mask; no segment may cross a multiple of it plus one. 0: 4 GiB
 */
struct importer_mask {
	char device[IMPORTER_NAME_LEN];
	__u32 bits;
	__u32 max_segment;
	__u32 not_coherent;
	__u32 boundary;
};

/**
 * struct importer_attach - become an importer
 * @device: as in sysfs; bound to this driver
 * @fd: the dma-buf
 * @kind: enum importer_kind
 * @delay_ms: of IMPORTER_DELAYED
 */
struct importer_attach {
	char device[IMPORTER_NAME_LEN];
	__s32 fd;
	__u32 kind;
	__u32 delay_ms;
};

struct importer_map {
	__u32 direction;
};

/**
 * struct importer_status - where it stands
 * @attached: out: it has a dma-buf
 * @mapped: out: it has a mapping
 * @pinned: out: it pins
 * @notified: out: times that it was told to let go
 * @fences: out: fences that it has put
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
 * struct importer_table - the DMA addresses of the mapping
 * @first: index of the first that is wanted
 * @count: out: how many follow
 * @total: out: how many there are
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
 * struct importer_dma - let the device work
 * @offset: in the mapping; within one segment
 * @length: at most IMPORTER_DMA_MAX
 * @from_device: from its internal buffer to memory; else the other way
 *
 * Works with the reservation lock held, so that a notification finds it idle.
 */
struct importer_dma {
	__u64 offset;
	__u32 length;
	__u32 from_device;
};

/**
 * struct importer_data - bytes of the kernel's own mapping (VMAP)
 * @offset: in the dma-buf
 * @length: at most IMPORTER_DATA
 * @reserved: not used
 * @data: in: of WRITE; out: of READ
 */
struct importer_data {
	__u64 offset;
	__u32 length;
	__u32 reserved;
	__u8 data[IMPORTER_DATA];
};

/**
 * enum importer_fence_what - a fence on the dma-buf, as of a device that is at work
 * @IMPORTER_FENCE_ADD: one that is signalled when IMPORTER_FENCE_SIGNAL says so
 * @IMPORTER_FENCE_SIGNAL: signal it
 * @IMPORTER_FENCE_LATE: one that is signalled from a work item after a while
 * @IMPORTER_FENCE_NEVER: one that IMPORTER_FENCE_SIGNAL does not signal (EBUSY)
 * @IMPORTER_FENCE_CHAIN: as LATE, but there is a new one whenever one is signalled;
 *	IMPORTER_FENCE_SIGNAL ends it
 *
 * An importer has one at a time. Whatever it is, it is signalled by DETACH and when
 * the file is closed or the device goes.
 */
enum importer_fence_what {
	IMPORTER_FENCE_ADD = 0,
	IMPORTER_FENCE_SIGNAL = 1,
	IMPORTER_FENCE_LATE = 2,
	IMPORTER_FENCE_NEVER = 3,
	IMPORTER_FENCE_CHAIN = 4,
};

/* Who else looks at it: see the kernel's enum dma_resv_usage. */
enum importer_fence_usage {
	IMPORTER_USAGE_BOOKKEEP = 0,	/* poll() does not */
	IMPORTER_USAGE_WRITE = 1,	/* poll() does */
	IMPORTER_USAGE_KERNEL = 2,	/* and whoever maps without being dynamic */
};

/**
 * struct importer_fence - FENCE
 * @what: enum importer_fence_what
 * @usage: enum importer_fence_usage
 * @ms: how long, of LATE and CHAIN
 */
struct importer_fence {
	__u32 what;
	__u32 usage;
	__u32 ms;
};

/**
 * struct importer_foreign - a dma-buf of this module, of one page
 * @fd: out of FOREIGN, in of LOOK
 * @attached: out of LOOK: importers that it has
 * @mapped: out of LOOK: mappings that they hold; their addresses lead nowhere
 * @pinned: out of LOOK: pins, also those that the core takes for a mapping
 * @vmapped: out of LOOK: mappings of the kernel
 */
struct importer_foreign {
	__s32 fd;
	__u32 attached;
	__u32 mapped;
	__u32 pinned;
	__u32 vmapped;
};

/* TELL: any dma-buf's importers, as far as they are this module's, to let go. */
struct importer_tell {
	__s32 fd;
};

/* HOLD: any dma-buf's reservation lock, so long or until a signal comes (EINTR). */
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
#define IMPORTER_IOC_TELL	_IOWR('i', 0x8f, struct importer_tell)
#define IMPORTER_IOC_HOLD	_IOWR('i', 0x90, struct importer_hold)
/* Explicitly; MAP of some kinds does it, too. UNMAP ends it. */
#define IMPORTER_IOC_PIN	_IO('i', 0x91)

#endif /* CCSHM_IMPORTER_H */
