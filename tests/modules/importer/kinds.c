// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of importers. Add a row to the table for a new behaviour. */
#include <linux/kernel.h>

#include "importer.h"

static void notified(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	imp->notified++;
	if (imp->ops->notified)
		imp->ops->notified(imp);
}

/*
 * The second member is the notification callback: move_notify, renamed invalidate_mappings in
 * 7.1, from when on it may be NULL.
 */
static const struct dma_buf_attach_ops with_notification = { false, notified };
static const struct dma_buf_attach_ops without_notification = { false, NULL };

static const struct importer_kind_ops kinds[] = {
	[IMPORTER_STATIC] = { .attach_ops = NULL },
	[IMPORTER_DYNAMIC] = {
		.attach_ops = &with_notification,
		.notified = importer_unmap_unpin,
	},
	[IMPORTER_LATE] = { .attach_ops = &with_notification },
	[IMPORTER_PINNED] = {
		.attach_ops = &with_notification,
		.pins = true,
		.notified = importer_unmap_unpin,
	},
	[IMPORTER_MUTE] = { .attach_ops = &without_notification },
	[IMPORTER_DEAF] = { .attach_ops = &with_notification, .pins = true },
	[IMPORTER_DELAYED] = {
		.attach_ops = &with_notification,
		.notified = importer_schedule_unmap,
	},
	[IMPORTER_STUBBORN] = { .attach_ops = &with_notification, .keeps = true },
	[IMPORTER_ASLEEP] = {
		.attach_ops = &with_notification,
		.notified = importer_sleep,
	},
};

/**
 * importer_kind - find a kind of importer
 * @kind: enum importer_kind
 *
 * Return: the operations of the kind, or NULL.
 */
const struct importer_kind_ops *importer_kind(u32 kind)
{
	return kind < ARRAY_SIZE(kinds) ? &kinds[kind] : NULL;
}

/**
 * importer_notify - notify an importer of this module, as an exporter does
 * @attach: an attachment of any importer, with the reservation lock held
 */
void importer_notify(struct dma_buf_attachment *attach)
{
	if (attach->importer_ops == &with_notification)
		notified(attach);
}
