// SPDX-License-Identifier: GPL-2.0-only
/* dma_buf_invalidate_mappings() replaces dma_buf_move_notify(). */
#include <linux/dma-buf.h>

void probe(struct dma_buf_attachment *attach);
void probe(struct dma_buf_attachment *attach)
{
	if (attach->importer_ops->invalidate_mappings)
		dma_buf_invalidate_mappings(attach->dmabuf);
}
