/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoint of conversions. It is not in trace.h, because convert.c does not know the
 * objects that the other tracepoints show.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ccshm

#if !defined(CCSHM_TRACE_CONVERT_H) || defined(TRACE_HEADER_MULTI_READ)
#define CCSHM_TRACE_CONVERT_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

TRACE_EVENT(ccshm_convert,
	TP_PROTO(struct page *page, unsigned long pages, bool shared, u64 ns,
		 int err),
	TP_ARGS(page, pages, shared, ns, err),
	TP_STRUCT__entry(
		__field(u64, physical)
		__field(u64, pages)
		__field(u64, ns)
		__field(u32, to)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->physical = page_to_phys(page);
		__entry->pages = pages;
		__entry->ns = ns;
		__entry->to = shared;
		__entry->err = err;
	),
	TP_printk("to=%s physical=0x%llx pages=%llu ns=%llu err=%d",
		  __print_symbolic(__entry->to, { 0, "private" },
				   { 1, "shared" }),
		  __entry->physical, __entry->pages, __entry->ns, __entry->err)
);

#endif /* CCSHM_TRACE_CONVERT_H */

/* Found through -I$(src). */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_convert
#include <trace/define_trace.h>
