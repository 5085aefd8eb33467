// SPDX-License-Identifier: GPL-2.0-only
/*
 * Importers: devices that kernel drivers attach to an export. Which of them are accepted,
 * what each of them holds, and IMPORTERS, which lists them.
 *
 * The dma-buf core calls pin, unpin, map and unmap with the reservation lock held, and
 * unpin and unmap also from within a notification.
 */
#include <linux/dma-buf.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "ccshm.h"
#include "trace.h"

/**
 * struct importer - an attachment of the dma-buf
 * @link: entry in the export's importers, in the order in which they attached
 * @attach: the attachment, as the dma-buf core knows it
 * @mappings: number of mappings that it holds
 * @pins: number of pins that it holds, which can be more than the driver asked for: see
 *	ccshm_mapping_takes_pin()
 *
 * The export's importers_lock protects all members but @attach.
 */
struct importer {
	struct list_head link;
	struct dma_buf_attachment *attach;
	unsigned int mappings;
	unsigned int pins;
};

/**
 * struct importer_map - a mapping of an importer
 * @sgt: table that the importer gets, and may edit
 * @attrs: attributes of the mapping, which the unmapping needs again
 */
struct importer_map {
	struct sg_table sgt;
	unsigned long attrs;
};

/* Pairs of a device and a reason that were logged: each pair is logged once. */
static DEFINE_XARRAY(logged);

/* Log why an importer is refused, and return the error. */
static int refuse_importer(struct dma_buf_attachment *attach, const char *reason)
{
	struct ccshm_export *export = attach->dmabuf->priv;
	const char *name = dev_name(attach->dev);
	unsigned int key = full_name_hash(reason, name, strlen(name));

	if (xa_insert(&logged, key, xa_mk_value(1), GFP_KERNEL) != -EBUSY)
		pr_info("ccshm: %s cannot import a revocable export: %s; use a pinned export (%s, uid %u, pid %d)\n",
			name, reason, export->exp_name, ccshm_actor_uid(),
			task_tgid_nr(current));
	return -EOPNOTSUPP;
}

int ccshm_importer_attach_pinned(struct dma_buf *dmabuf,
				 struct dma_buf_attachment *attach)
{
	struct ccshm_export *export = dmabuf->priv;
	struct importer *imp;

	/* An attachment alone has no access: a map must enter the export. */
	if (!ccshm_export_is_active(export))
		return -ENODEV;
	imp = kzalloc(sizeof(*imp), GFP_KERNEL);
	if (!imp)
		return -ENOMEM;
	imp->attach = attach;
	attach->priv = imp;
	mutex_lock(&export->importers_lock);
	list_add_tail(&imp->link, &export->importers);
	export->nr_importers++;
	mutex_unlock(&export->importers_lock);
	ccshm_limit_importer(export->obj.buffer->payer, 1);
	ccshm_changed();
	ccshm_event_importer(CCSHM_EVENT_IMPORTER_ATTACH, export, attach->dev);
	return 0;
}

/* Accept only importers that unmap on request, because a revoke has to end all mappings. */
int ccshm_importer_attach_revocable(struct dma_buf *dmabuf,
				    struct dma_buf_attachment *attach)
{
	if (!ccshm_importer_is_notified(attach))
		return refuse_importer(attach, "its driver cannot unmap on request");
	return ccshm_importer_attach_pinned(dmabuf, attach);
}

void ccshm_importer_detach(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attach)
{
	struct ccshm_export *export = dmabuf->priv;
	struct importer *imp = attach->priv;

	mutex_lock(&export->importers_lock);
	list_del(&imp->link);
	export->nr_importers--;
	mutex_unlock(&export->importers_lock);
	ccshm_limit_importer(export->obj.buffer->payer, -1);
	kfree(imp);
	ccshm_changed();
	ccshm_event_importer(CCSHM_EVENT_IMPORTER_DETACH, export, attach->dev);
}

/*
 * Check whether the importer itself has pinned the memory. If the dma-buf core pins for it,
 * this is also true between that pin and the mapping.
 */
static bool importer_pins(const struct importer *imp)
{
	unsigned int taken = ccshm_mapping_takes_pin(imp->attach) ?
			     imp->mappings : 0;

	return imp->pins > taken;
}

/*
 * Check whether one more pin is allowed. Before 7.1 the notification of an importer that has
 * pinned may do nothing, and that of RDMA in 6.12 does nothing. There, an importer that has
 * not pinned has no pin, or only that of its one mapping.
 */
static bool importer_may_pin(struct ccshm_export *export, const struct importer *imp)
{
	if (export->flags & CCSHM_EXPORT_PINNED ||
	    CCSHM_PINNED_IMPORTERS_UNMAP)
		return true;
	return ccshm_mapping_takes_pin(imp->attach) && !imp->pins;
}

/*
 * Count a pin; the pages never move. Before 7.1 the operation must exist: without it, the
 * dma-buf core maps for dynamic importers once, when they attach.
 */
int ccshm_importer_pin(struct dma_buf_attachment *attach)
{
	struct ccshm_export *export = attach->dmabuf->priv;
	struct importer *imp = attach->priv;
	bool may;

	if (READ_ONCE(export->state) != CCSHM_STATE_ACTIVE)
		return -ENODEV;
	mutex_lock(&export->importers_lock);
	may = importer_may_pin(export, imp);
	imp->pins += may;
	mutex_unlock(&export->importers_lock);
	return may ? 0 : refuse_importer(attach, "its driver pins the memory");
}

void ccshm_importer_unpin(struct dma_buf_attachment *attach)
{
	struct ccshm_export *export = attach->dmabuf->priv;
	struct importer *imp = attach->priv;

	mutex_lock(&export->importers_lock);
	imp->pins--;
	mutex_unlock(&export->importers_lock);
}

static void importer_count_mapping(struct dma_buf_attachment *attach, int change)
{
	struct ccshm_export *export = attach->dmabuf->priv;
	struct importer *imp = attach->priv;

	mutex_lock(&export->importers_lock);
	imp->mappings += change;
	mutex_unlock(&export->importers_lock);
}

static int map_slice(struct ccshm_export *export, struct device *dev,
		     enum dma_data_direction dir, struct importer_map *map)
{
	int err;

	if (export->flags & CCSHM_EXPORT_READ_ONLY && dir != DMA_TO_DEVICE)
		return -EACCES;
	err = ccshm_dma_map(dev, &map->sgt, export->obj.buffer,
			    export->first, export->pages, dir, &map->attrs);
	if (err || ccshm_export_is_active(export))
		return err;
	/* The export was revoked meanwhile; the revoke waits for the count. */
	ccshm_dma_unmap(dev, &map->sgt, dir, map->attrs);
	return -ENODEV;
}

/* Make a new table for each map: the importer owns the table and may edit it. */
struct sg_table *ccshm_importer_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction dir)
{
	struct ccshm_export *export = attach->dmabuf->priv;
	struct importer_map *map;
	int err = -ENODEV;

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);
	if (!ccshm_export_enter(export))
		goto free;
	ccshm_export_hold(export);
	ccshm_export_leave(export);
	err = map_slice(export, attach->dev, dir, map);
	trace_ccshm_map(&export->obj, (u64)export->pages << PAGE_SHIFT,
			attach->dev, NULL, err);
	if (err) {
		ccshm_export_unhold(export);
		goto free;
	}
	importer_count_mapping(attach, 1);
	return &map->sgt;

free:
	kfree(map);
	return ERR_PTR(err);
}

void ccshm_importer_unmap(struct dma_buf_attachment *attach,
			  struct sg_table *sgt, enum dma_data_direction dir)
{
	struct importer_map *map = container_of(sgt, struct importer_map, sgt);

	ccshm_dma_unmap(attach->dev, sgt, dir, map->attrs);
	kfree(map);
	importer_count_mapping(attach, -1);
	ccshm_export_unhold(attach->dmabuf->priv);
}

static void importer_describe(const struct importer *imp,
			      struct ccshm_ioc_importer *out)
{
	ccshm_device_name(imp->attach->dev, out->device);
	out->mappings = imp->mappings;
	if (importer_pins(imp))
		out->flags |= CCSHM_IMPORTER_PINS;
	if (!ccshm_importer_is_notified(imp->attach) ||
	    (importer_pins(imp) && !CCSHM_PINNED_IMPORTERS_UNMAP))
		out->flags |= CCSHM_IMPORTER_CANNOT_LET_GO;
}

/*
 * Describe the importers from @req->first on. Return the number that was requested; if it
 * exceeds @room, nothing was written.
 */
static u32 importers_describe(struct ccshm_export *export,
			      struct ccshm_ioc_importers *req,
			      struct ccshm_ioc_importer *list, u32 room)
{
	struct importer *imp;
	u32 index = 0, nr;

	mutex_lock(&export->importers_lock);
	req->total = export->nr_importers;
	nr = req->first < req->total ?
	     min(req->total - req->first, req->capacity) : 0;
	if (nr <= room) {
		list_for_each_entry(imp, &export->importers, link) {
			if (index >= req->first && index - req->first < nr)
				importer_describe(imp, &list[index - req->first]);
			index++;
		}
	}
	mutex_unlock(&export->importers_lock);
	return nr;
}

/**
 * ccshm_importer_list - describe the first importers of an export
 * @export: export
 * @list: out: descriptions
 * @room: size of @list in entries
 *
 * Return: the number of entries that were written.
 */
u32 ccshm_importer_list(struct ccshm_export *export,
			struct ccshm_ioc_importer *list, u32 room)
{
	struct ccshm_ioc_importers req = { .capacity = room };

	memset(list, 0, room * sizeof(*list));
	return importers_describe(export, &req, list, room);
}

/* Describe all requested importers under one lock, so that the list is consistent. */
static int importers_get(struct ccshm_export *export,
			 struct ccshm_ioc_importers *req,
			 struct ccshm_ioc_importer **list)
{
	u32 room = 0, nr;

	*list = NULL;
	while ((nr = importers_describe(export, req, *list, room)) > room) {
		kvfree(*list);
		room = nr;
		*list = kvcalloc(room, sizeof(**list), GFP_KERNEL_ACCOUNT);
		if (!*list)
			return -ENOMEM;
	}
	req->count = nr;
	return req->first > req->total ? -EINVAL : 0;
}

/* Drop the export before the copy: an access to user memory can block indefinitely. */
int ccshm_importers_ioctl(struct ccshm_call *call)
{
	struct ccshm_ioc_importers *req = call->arg;
	struct ccshm_ioc_importer *list = NULL;
	struct ccshm_object *object;
	int err = -ENOENT;

	if (req->flags)
		return -EINVAL;
	object = ccshm_object_find(req->id, call->client, CCSHM_SEE);
	if (IS_ERR(object))
		return PTR_ERR(object);
	if (object->type == CCSHM_TYPE_EXPORT)
		err = importers_get(container_of(object, struct ccshm_export,
						 obj), req, &list);
	ccshm_object_put(object);
	if (!err && copy_to_user(u64_to_user_ptr(req->importers), list,
				 req->count * sizeof(*list)))
		err = -EFAULT;
	kvfree(list);
	return err;
}

void ccshm_importer_exit(void)
{
	xa_destroy(&logged);
}
