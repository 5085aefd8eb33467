/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of objects; that of conversions is in trace_convert.h. Tools list all of
 * them as "ccshm:NAME"; docs/tracing.md describes the fields. Strings have a fixed
 * length, because the macro that assigns others is not the same in all kernels.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ccshm

#if !defined(CCSHM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CCSHM_TRACE_H

#include <linux/tracepoint.h>

#include "ccshm.h"

TRACE_EVENT(ccshm_alloc,
	TP_PROTO(const struct ccshm_buffer *buffer, int err),
	TP_ARGS(buffer, err),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, size)
		__field(u64, carved)
		__field(u64, blocks)
		__field(u64, conversions)
		__field(u32, payer)
		__field(u32, heap)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->buffer = buffer->obj.id;
		__entry->size = buffer->size;
		__entry->carved = (u64)buffer->memory.slice.pages << PAGE_SHIFT;
		__entry->blocks = buffer->memory.blocks.nr;
		__entry->conversions = ccshm_memory_conversions(&buffer->memory);
		__entry->payer = __kuid_val(buffer->payer);
		__entry->heap = buffer->heap;
		__entry->err = err;
	),
	TP_printk("buffer=%llu size=%llu carved=%llu blocks=%llu conversions=%llu payer=%u heap=%u err=%d",
		  __entry->buffer, __entry->size, __entry->carved, __entry->blocks,
		  __entry->conversions, __entry->payer, __entry->heap,
		  __entry->err)
);

TRACE_EVENT(ccshm_free,
	TP_PROTO(const struct ccshm_buffer *buffer, u64 charged),
	TP_ARGS(buffer, charged),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, size)
		__field(u64, charged)
		__field(u32, payer)
	),
	TP_fast_assign(
		__entry->buffer = buffer->obj.id;
		__entry->size = buffer->size;
		__entry->charged = charged;
		__entry->payer = __kuid_val(buffer->payer);
	),
	TP_printk("buffer=%llu size=%llu charged=%llu payer=%u",
		  __entry->buffer, __entry->size, __entry->charged, __entry->payer)
);

TRACE_EVENT(ccshm_export,
	TP_PROTO(const struct ccshm_export *export),
	TP_ARGS(export),
	TP_STRUCT__entry(
		__field(u64, export)
		__field(u64, buffer)
		__field(u64, offset)
		__field(u64, size)
		__field(u64, flags)
	),
	TP_fast_assign(
		__entry->export = export->obj.id;
		__entry->buffer = export->obj.buffer->obj.id;
		__entry->offset = (u64)export->first << PAGE_SHIFT;
		__entry->size = (u64)export->pages << PAGE_SHIFT;
		__entry->flags = export->flags;
	),
	TP_printk("export=%llu buffer=%llu offset=%llu size=%llu flags=0x%llx",
		  __entry->export, __entry->buffer, __entry->offset, __entry->size,
		  __entry->flags)
);

/* A CPU, a device or the kernel maps memory, or fails to. */
TRACE_EVENT(ccshm_map,
	TP_PROTO(const struct ccshm_object *object, u64 size,
		 struct device *dev, const char *who, int err),
	TP_ARGS(object, size, dev, who, err),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(u64, buffer)
		__field(u64, size)
		__array(char, by, CCSHM_DEVICE_LEN)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->buffer = object->buffer->obj.id;
		__entry->size = size;
		/* The ring buffer can contain bytes of an earlier event. */
		memset(__entry->by, 0, CCSHM_DEVICE_LEN);
		if (dev)
			ccshm_device_name(dev, __entry->by);
		else
			strscpy(__entry->by, who, CCSHM_DEVICE_LEN);
		__entry->err = err;
	),
	TP_printk("object=%llu buffer=%llu size=%llu by=%s err=%d",
		  __entry->object, __entry->buffer, __entry->size, __entry->by,
		  __entry->err)
);

TRACE_EVENT(ccshm_revoke,
	TP_PROTO(const struct ccshm_object *object,
		 const struct ccshm_ioc_revoke *req, u64 ns, int err),
	TP_ARGS(object, req, ns, err),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(u64, buffer)
		__field(u64, pages)
		__field(u64, ns)
		__field(u32, revoked)
		__field(u32, stopped)
		__field(u32, device_mappings)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->buffer = object->buffer->obj.id;
		__entry->pages = req->pages;
		__entry->ns = ns;
		__entry->revoked = req->revoked;
		__entry->stopped = req->stopped;
		__entry->device_mappings = req->device_mappings;
		__entry->err = err;
	),
	TP_printk("object=%llu buffer=%llu pages=%llu revoked=%u stopped=%u device_mappings=%u ns=%llu err=%d",
		  __entry->object, __entry->buffer, __entry->pages,
		  __entry->revoked, __entry->stopped, __entry->device_mappings,
		  __entry->ns, __entry->err)
);

#endif /* CCSHM_TRACE_H */

/* Found through -I$(src). */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
