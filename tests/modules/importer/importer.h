/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rooms of the test importer know of each other.
 *
 * importer_lock is held in every call but HOLD; below it the reservation lock of
 * the dma-buf, which protects the mapping and the fence. A notification comes with
 * that one held, and takes no other; nor do work items.
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
 * @pdev: it
 * @bar: its registers
 * @link: of all of them
 * @importers: that are attached with it
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
 * @ops: how it behaves
 * @edu: its device, while attached
 * @dmabuf: with a reference, while attached
 * @attach: to it
 * @link: of @edu->importers
 * @sgt: the mapping (reservation lock)
 * @direction: of it (reservation lock)
 * @pinned: it pins (reservation lock)
 * @notified: times that it was told to let go (reservation lock)
 * @delay_ms: of IMPORTER_DELAYED
 * @let_go: its work item
 * @fence: of FENCE, until signalled (reservation lock)
 * @fences: how many there were (reservation lock)
 * @fence_req: what was asked for (reservation lock)
 * @fence_work: signals those that are not signalled by a call
 * @vmap: the kernel's mapping, if its address is not NULL
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
	unsigned int delay_ms;
	struct delayed_work let_go;
	struct dma_fence *fence;
	unsigned int fences;
	struct importer_fence fence_req;
	struct delayed_work fence_work;
	struct iosys_map vmap;
};

void importer_setup(struct importer *imp);
void importer_lock_resv(struct importer *imp);
void importer_unlock_resv(struct importer *imp);
void importer_let_go(struct importer *imp);
void importer_let_go_later(struct importer *imp);
void importer_detach(struct importer *imp);

int importer_ioc_mask(struct importer *imp, void *arg);
int importer_ioc_attach(struct importer *imp, void *arg);
int importer_ioc_detach(struct importer *imp, void *arg);
int importer_ioc_status(struct importer *imp, void *arg);
int importer_ioc_hold(struct importer *imp, void *arg);

/* mapping.c: for its device */
int importer_ioc_map(struct importer *imp, void *arg);
int importer_ioc_unmap(struct importer *imp, void *arg);
int importer_ioc_pin(struct importer *imp, void *arg);
int importer_ioc_table(struct importer *imp, void *arg);
int importer_ioc_dma(struct importer *imp, void *arg);

/* cpu.c: for processors */
void importer_vunmap_locked(struct importer *imp);
int importer_mmap(struct importer *imp, struct vm_area_struct *vma);
int importer_ioc_vmap(struct importer *imp, void *arg);
int importer_ioc_vunmap(struct importer *imp, void *arg);
int importer_ioc_read(struct importer *imp, void *arg);
int importer_ioc_write(struct importer *imp, void *arg);

/* fence.c: work that is under way */
void importer_fence_init(struct importer *imp);
void importer_fence_end(struct importer *imp);
int importer_ioc_fence(struct importer *imp, void *arg);

/* kinds.c: how importers behave */

/**
 * struct importer_kind_ops - a kind of importer
 * @attach_ops: what the dma-buf core is told; NULL: static
 * @pins: it pins before it maps
 * @keeps: it does not let go when a call says so
 * @notified: what it does when told to let go, with the reservation lock held
 */
struct importer_kind_ops {
	const struct dma_buf_attach_ops *attach_ops;
	bool pins;
	bool keeps;
	void (*notified)(struct importer *imp);
};

const struct importer_kind_ops *importer_kind(u32 kind);
void importer_tell(struct dma_buf_attachment *attach);

/* foreign.c: somebody else's dma-buf */
int importer_ioc_foreign(struct importer *imp, void *arg);
int importer_ioc_look(struct importer *imp, void *arg);
int importer_ioc_tell(struct importer *imp, void *arg);

#endif /* IMPORTER_INTERNAL_H */
