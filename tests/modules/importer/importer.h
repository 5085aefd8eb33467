/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared declarations of the test importer.
 *
 * Every call except HOLD and WAKE holds importer_lock. The reservation lock of the dma-buf nests
 * inside it and protects the mapping and the fence. Notifications are called with the
 * reservation lock held. Notifications and work items do not take importer_lock.
 */
#ifndef IMPORTER_INTERNAL_H
#define IMPORTER_INTERNAL_H

#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "ccshm_importer.h"

struct dma_fence;
struct importer;
struct importer_kind_ops;
struct pci_dev;
struct vm_area_struct;

extern struct mutex importer_lock;

/* edu.c: the devices */

/**
 * struct edu - a bound device
 * @pdev: the PCI device
 * @bar: its registers
 * @link: entry in the list of bound devices
 * @importers: the importers attached to the device
 */
struct edu {
	struct pci_dev *pdev;
	void __iomem *bar;
	struct list_head link;
	struct list_head importers;
};

struct edu *edu_find(const char *device);
int edu_dma(struct edu *edu, dma_addr_t address, u32 length, bool from_device);
int edu_register(void);
void edu_unregister(void);

/* importer.c: one importer */

/**
 * struct importer - an open file
 * @ops: the behaviour
 * @edu: the device, while attached
 * @dmabuf: the dma-buf, with a reference, while attached
 * @attach: the attachment
 * @link: entry in @edu->importers
 * @sgt: the mapping (reservation lock)
 * @direction: direction of the mapping (reservation lock)
 * @pinned: the dma-buf is pinned (reservation lock)
 * @notified: number of notifications (reservation lock)
 * @awake: a notification of IMPORTER_ASLEEP does not sleep, or no longer
 * @delay_ms: delay of IMPORTER_DELAYED
 * @unmap_work: work item of IMPORTER_DELAYED
 * @fence: the fence, until signalled (reservation lock)
 * @fences: number of fences added (reservation lock)
 * @fence_req: the last request to add a fence (reservation lock)
 * @fence_work: signals the fences of LATE and CHAIN
 * @vmap: the kernel mapping, if its address is not NULL
 */
struct importer {
	const struct importer_kind_ops *ops;
	struct edu *edu;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct list_head link;
	struct sg_table *sgt;
	enum dma_data_direction direction;
	bool pinned;
	unsigned int notified;
	bool awake;
	unsigned int delay_ms;
	struct delayed_work unmap_work;
	struct dma_fence *fence;
	unsigned int fences;
	struct importer_fence fence_req;
	struct delayed_work fence_work;
	struct iosys_map vmap;
};

void importer_setup(struct importer *imp);
void importer_lock_resv(struct importer *imp);
void importer_unlock_resv(struct importer *imp);
void importer_unmap_unpin(struct importer *imp);
void importer_schedule_unmap(struct importer *imp);
void importer_sleep(struct importer *imp);
void importer_detach(struct importer *imp);

int importer_ioc_mask(struct importer *imp, void *arg);
int importer_ioc_attach(struct importer *imp, void *arg);
int importer_ioc_detach(struct importer *imp, void *arg);
int importer_ioc_status(struct importer *imp, void *arg);
int importer_ioc_hold(struct importer *imp, void *arg);
int importer_ioc_wake(struct importer *imp, void *arg);

/* mapping.c: the device's mapping */
int importer_ioc_map(struct importer *imp, void *arg);
int importer_ioc_unmap(struct importer *imp, void *arg);
int importer_ioc_pin(struct importer *imp, void *arg);
int importer_ioc_table(struct importer *imp, void *arg);
int importer_ioc_dma(struct importer *imp, void *arg);

/* cpu.c: CPU mappings */
void importer_vunmap_locked(struct importer *imp);
int importer_mmap(struct importer *imp, struct vm_area_struct *vma);
int importer_ioc_vmap(struct importer *imp, void *arg);
int importer_ioc_vunmap(struct importer *imp, void *arg);
int importer_ioc_read(struct importer *imp, void *arg);
int importer_ioc_write(struct importer *imp, void *arg);

/* fence.c: fences */
void importer_fence_init(struct importer *imp);
void importer_fence_end(struct importer *imp);
int importer_ioc_fence(struct importer *imp, void *arg);

/* kinds.c: the behaviour of importers */

/**
 * struct importer_kind_ops - a kind of importer
 * @attach_ops: operations for the dma-buf core; NULL: static importer
 * @pins: pin before mapping
 * @keeps: UNMAP and DETACH fail
 * @notified: handle a notification, with the reservation lock held
 */
struct importer_kind_ops {
	const struct dma_buf_attach_ops *attach_ops;
	bool pins;
	bool keeps;
	void (*notified)(struct importer *imp);
};

const struct importer_kind_ops *importer_kind(u32 kind);
void importer_notify(struct dma_buf_attachment *attach);

/* foreign.c: dma-bufs that ccshm does not export */
int importer_ioc_foreign(struct importer *imp, void *arg);
int importer_ioc_look(struct importer *imp, void *arg);
int importer_ioc_notify(struct importer *imp, void *arg);

#endif /* IMPORTER_INTERNAL_H */
