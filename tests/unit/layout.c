// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout of the ABI, identical for 32 and 64 bit programs. The file is compiled for
 * both with -Wpadded, so that the structs have no implicit padding. Changing a number here
 * breaks existing programs.
 */
#include <linux/ccshm.h>

#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define AT(type, field, offset) \
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), \
		       #type "." #field)
#define NUMBER(request, value) \
	_Static_assert((request) == (value), #request)
#define VALUE(constant, value) \
	_Static_assert((constant) == (value), #constant)

SIZE(ccshm_ioc_info, 328);
AT(ccshm_ioc_info, flags, 0);
AT(ccshm_ioc_info, abi_version, 8);
AT(ccshm_ioc_info, platform, 12);
AT(ccshm_ioc_info, features, 16);
AT(ccshm_ioc_info, info_flags, 24);
AT(ccshm_ioc_info, block_size, 32);
AT(ccshm_ioc_info, bytes_shared, 40);
AT(ccshm_ioc_info, bytes_leaked, 48);
AT(ccshm_ioc_info, bytes_quarantined, 56);
AT(ccshm_ioc_info, calls_shared, 64);
AT(ccshm_ioc_info, calls_private, 72);
AT(ccshm_ioc_info, calls_failed, 80);
AT(ccshm_ioc_info, buffers, 88);
AT(ccshm_ioc_info, exports, 92);
AT(ccshm_ioc_info, attachments, 96);
AT(ccshm_ioc_info, abi_oldest, 100);
AT(ccshm_ioc_info, driver_version, 104);
AT(ccshm_ioc_info, contiguous_max, 136);
AT(ccshm_ioc_info, blocks_carved, 144);
AT(ccshm_ioc_info, bytes_carved, 152);
AT(ccshm_ioc_info, limit_total_bytes, 160);
AT(ccshm_ioc_info, limit_user_bytes, 168);
AT(ccshm_ioc_info, limit_user_buffers, 176);
AT(ccshm_ioc_info, used_bytes, 184);
AT(ccshm_ioc_info, refusals, 192);
AT(ccshm_ioc_info, user_bytes, 200);
AT(ccshm_ioc_info, user_bytes_leaked, 208);
AT(ccshm_ioc_info, user_buffers, 216);
AT(ccshm_ioc_info, user_exports, 220);
AT(ccshm_ioc_info, user_attachments, 224);
AT(ccshm_ioc_info, user_importers, 228);
AT(ccshm_ioc_info, importers, 232);
AT(ccshm_ioc_info, reserved_tail, 236);
AT(ccshm_ioc_info, limit_user_exports, 240);
AT(ccshm_ioc_info, generation, 248);
AT(ccshm_ioc_info, buffers_made, 256);
AT(ccshm_ioc_info, exports_made, 264);
AT(ccshm_ioc_info, attachments_made, 272);
AT(ccshm_ioc_info, revokes, 280);
AT(ccshm_ioc_info, revokes_failed, 288);
AT(ccshm_ioc_info, events, 296);
AT(ccshm_ioc_info, events_lost, 304);
AT(ccshm_ioc_info, events_suppressed, 312);
AT(ccshm_ioc_info, next_id, 320);
NUMBER(CCSHM_IOC_INFO, 0xc148cc40);

SIZE(ccshm_ioc_alloc, 120);
AT(ccshm_ioc_alloc, size, 0);
AT(ccshm_ioc_alloc, flags, 8);
AT(ccshm_ioc_alloc, uid, 16);
AT(ccshm_ioc_alloc, gid, 20);
AT(ccshm_ioc_alloc, mode, 24);
AT(ccshm_ioc_alloc, node, 28);
AT(ccshm_ioc_alloc, reserved, 32);
AT(ccshm_ioc_alloc, name, 40);
AT(ccshm_ioc_alloc, id, 104);
AT(ccshm_ioc_alloc, actual_size, 112);
NUMBER(CCSHM_IOC_ALLOC, 0xc078cc41);

SIZE(ccshm_ioc_free, 16);
AT(ccshm_ioc_free, id, 0);
AT(ccshm_ioc_free, flags, 8);
NUMBER(CCSHM_IOC_FREE, 0xc010cc42);

SIZE(ccshm_ioc_open, 88);
AT(ccshm_ioc_open, flags, 0);
AT(ccshm_ioc_open, uid, 8);
AT(ccshm_ioc_open, reserved, 12);
AT(ccshm_ioc_open, name, 16);
AT(ccshm_ioc_open, id, 80);
NUMBER(CCSHM_IOC_OPEN, 0xc058cc43);

SIZE(ccshm_ioc_query, 320);
AT(ccshm_ioc_query, id, 0);
AT(ccshm_ioc_query, flags, 8);
AT(ccshm_ioc_query, fd, 16);
AT(ccshm_ioc_query, next_type, 20);
AT(ccshm_ioc_query, object_id, 24);
AT(ccshm_ioc_query, type, 32);
AT(ccshm_ioc_query, state, 36);
AT(ccshm_ioc_query, object_flags, 40);
AT(ccshm_ioc_query, query_flags, 48);
AT(ccshm_ioc_query, buffer_id, 56);
AT(ccshm_ioc_query, export_id, 64);
AT(ccshm_ioc_query, offset, 72);
AT(ccshm_ioc_query, size, 80);
AT(ccshm_ioc_query, uid, 88);
AT(ccshm_ioc_query, gid, 92);
AT(ccshm_ioc_query, mode, 96);
AT(ccshm_ioc_query, payer, 100);
AT(ccshm_ioc_query, charged, 104);
AT(ccshm_ioc_query, blocks, 112);
AT(ccshm_ioc_query, blocks_small, 120);
AT(ccshm_ioc_query, units, 128);
AT(ccshm_ioc_query, units_whole, 136);
AT(ccshm_ioc_query, conversions, 144);
AT(ccshm_ioc_query, exports, 152);
AT(ccshm_ioc_query, attachments, 156);
AT(ccshm_ioc_query, importers, 160);
AT(ccshm_ioc_query, device_mappings, 164);
AT(ccshm_ioc_query, cpu_mappings, 168);
AT(ccshm_ioc_query, dma_bits, 172);
AT(ccshm_ioc_query, segments, 176);
AT(ccshm_ioc_query, reserved_out, 180);
AT(ccshm_ioc_query, name, 184);
AT(ccshm_ioc_query, device, 248);
AT(ccshm_ioc_query, carved, 312);
NUMBER(CCSHM_IOC_QUERY, 0xc140cc44);

SIZE(ccshm_ioc_export, 64);
AT(ccshm_ioc_export, id, 0);
AT(ccshm_ioc_export, flags, 8);
AT(ccshm_ioc_export, offset, 16);
AT(ccshm_ioc_export, size, 24);
AT(ccshm_ioc_export, reserved, 32);
AT(ccshm_ioc_export, export_id, 40);
AT(ccshm_ioc_export, actual_size, 48);
AT(ccshm_ioc_export, fd, 56);
AT(ccshm_ioc_export, reserved_out, 60);
NUMBER(CCSHM_IOC_EXPORT, 0xc040cc45);

SIZE(ccshm_ioc_revoke, 56);
AT(ccshm_ioc_revoke, id, 0);
AT(ccshm_ioc_revoke, flags, 8);
AT(ccshm_ioc_revoke, deadline_ns, 16);
AT(ccshm_ioc_revoke, fd, 24);
AT(ccshm_ioc_revoke, reserved, 28);
AT(ccshm_ioc_revoke, state, 32);
AT(ccshm_ioc_revoke, device_mappings, 36);
AT(ccshm_ioc_revoke, pages, 40);
AT(ccshm_ioc_revoke, revoked, 48);
AT(ccshm_ioc_revoke, stopped, 52);
NUMBER(CCSHM_IOC_REVOKE, 0xc038cc46);

SIZE(ccshm_ioc_set, 104);
AT(ccshm_ioc_set, id, 0);
AT(ccshm_ioc_set, flags, 8);
AT(ccshm_ioc_set, uid, 16);
AT(ccshm_ioc_set, gid, 20);
AT(ccshm_ioc_set, mode, 24);
AT(ccshm_ioc_set, sealed, 28);
AT(ccshm_ioc_set, reserved, 32);
AT(ccshm_ioc_set, name, 40);
NUMBER(CCSHM_IOC_SET, 0xc068cc4d);

SIZE(ccshm_ioc_attach, 136);
AT(ccshm_ioc_attach, id, 0);
AT(ccshm_ioc_attach, flags, 8);
AT(ccshm_ioc_attach, offset, 16);
AT(ccshm_ioc_attach, size, 24);
AT(ccshm_ioc_attach, dmabuf_fd, 32);
AT(ccshm_ioc_attach, dma_bits, 36);
AT(ccshm_ioc_attach, reserved, 40);
AT(ccshm_ioc_attach, device, 48);
AT(ccshm_ioc_attach, attachment_id, 112);
AT(ccshm_ioc_attach, actual_size, 120);
AT(ccshm_ioc_attach, segments, 128);
AT(ccshm_ioc_attach, fd, 132);
NUMBER(CCSHM_IOC_ATTACH, 0xc088cc47);

SIZE(ccshm_ioc_segment, 24);
AT(ccshm_ioc_segment, dma_address, 0);
AT(ccshm_ioc_segment, length, 8);
AT(ccshm_ioc_segment, offset, 16);

SIZE(ccshm_ioc_segments, 40);
AT(ccshm_ioc_segments, id, 0);
AT(ccshm_ioc_segments, flags, 8);
AT(ccshm_ioc_segments, segments, 16);
AT(ccshm_ioc_segments, first, 24);
AT(ccshm_ioc_segments, capacity, 28);
AT(ccshm_ioc_segments, count, 32);
AT(ccshm_ioc_segments, total, 36);
NUMBER(CCSHM_IOC_SEGMENTS, 0xc028cc48);

SIZE(ccshm_ioc_detach, 16);
AT(ccshm_ioc_detach, id, 0);
AT(ccshm_ioc_detach, flags, 8);
NUMBER(CCSHM_IOC_DETACH, 0xc010cc49);

SIZE(ccshm_ioc_importer, 72);
AT(ccshm_ioc_importer, device, 0);
AT(ccshm_ioc_importer, mappings, 64);
AT(ccshm_ioc_importer, flags, 68);

SIZE(ccshm_ioc_importers, 40);
AT(ccshm_ioc_importers, id, 0);
AT(ccshm_ioc_importers, flags, 8);
AT(ccshm_ioc_importers, importers, 16);
AT(ccshm_ioc_importers, first, 24);
AT(ccshm_ioc_importers, capacity, 28);
AT(ccshm_ioc_importers, count, 32);
AT(ccshm_ioc_importers, total, 36);
NUMBER(CCSHM_IOC_IMPORTERS, 0xc028cc4a);

SIZE(ccshm_ioc_run, 32);
AT(ccshm_ioc_run, offset, 0);
AT(ccshm_ioc_run, length, 8);
AT(ccshm_ioc_run, physical, 16);
AT(ccshm_ioc_run, state, 24);
AT(ccshm_ioc_run, flags, 28);

SIZE(ccshm_ioc_pages, 56);
AT(ccshm_ioc_pages, id, 0);
AT(ccshm_ioc_pages, flags, 8);
AT(ccshm_ioc_pages, offset, 16);
AT(ccshm_ioc_pages, size, 24);
AT(ccshm_ioc_pages, runs, 32);
AT(ccshm_ioc_pages, capacity, 40);
AT(ccshm_ioc_pages, count, 44);
AT(ccshm_ioc_pages, next, 48);
NUMBER(CCSHM_IOC_PAGES, 0xc038cc4b);

SIZE(ccshm_ioc_device, 296);
AT(ccshm_ioc_device, flags, 0);
AT(ccshm_ioc_device, device, 8);
AT(ccshm_ioc_device, verdict, 72);
AT(ccshm_ioc_device, mode, 76);
AT(ccshm_ioc_device, device_flags, 80);
AT(ccshm_ioc_device, dma_mask, 88);
AT(ccshm_ioc_device, bus_limit, 96);
AT(ccshm_ioc_device, driver, 104);
AT(ccshm_ioc_device, reason, 168);
NUMBER(CCSHM_IOC_DEVICE, 0xc128cc4c);

VALUE(CCSHM_ABI_VERSION, 1);
VALUE(CCSHM_ABI_OLDEST, 1);
VALUE(CCSHM_INFO_PLAIN, 1);
VALUE(CCSHM_FEATURE_HEAP, 1);
VALUE(CCSHM_FEATURE_PAGES, 2);
VALUE(CCSHM_ALLOC_PERSISTENT, 1);
VALUE(CCSHM_ALLOC_UID, 2);
VALUE(CCSHM_ALLOC_GID, 4);
VALUE(CCSHM_ALLOC_NODE, 8);
VALUE(CCSHM_ALLOC_INTERRUPTIBLE, 16);
VALUE(CCSHM_ALLOC_DMA32, 32);
VALUE(CCSHM_ALLOC_CONTIGUOUS, 64);
VALUE(CCSHM_ALLOC_WHOLE_UNITS, 256);
VALUE(CCSHM_ALLOC_OTHERS_PIN, 128);
VALUE(CCSHM_FREE_REVOKE, 1);
VALUE(CCSHM_SET_MODE, 1);
VALUE(CCSHM_SET_GID, 2);
VALUE(CCSHM_SET_UID, 4);
VALUE(CCSHM_SET_NAME, 8);
VALUE(CCSHM_SET_SEALED, 16);
VALUE(CCSHM_OPEN_UID, 1);
VALUE(CCSHM_QUERY_BY_FD, 1);
VALUE(CCSHM_QUERY_NEXT, 2);
VALUE(CCSHM_QUERY_ORPHAN, 1);
VALUE(CCSHM_QUERY_CONTROL, 2);
VALUE(CCSHM_QUERY_HEAP, 4);
VALUE(CCSHM_QUERY_HOLDER, 16);
VALUE(CCSHM_QUERY_SEALED, 8);
VALUE(CCSHM_EXPORT_READ_ONLY, 1);
VALUE(CCSHM_EXPORT_NO_CPU, 2);
VALUE(CCSHM_EXPORT_PINNED, 4);
VALUE(CCSHM_REVOKE_FORCE, 1);
VALUE(CCSHM_REVOKE_SEAL, 2);
VALUE(CCSHM_REVOKE_ORDERLY, 4);
VALUE(CCSHM_REVOKE_BY_FD, 8);
VALUE(CCSHM_ATTACH_DMABUF, 1);
VALUE(CCSHM_ATTACH_PERSISTENT, 2);
VALUE(CCSHM_TYPE_ATTACHMENT, 3);
VALUE(CCSHM_STATE_STUCK, 3);
VALUE(CCSHM_PLATFORM_CCA, 5);

#ifdef BREAK_LAYOUT
/* static-checks requires that this fails: padding on 64 bit, another size on 32 bit. */
struct broken {
	__u32 first;
	__u64 second;
	__u32 third;
};

struct broken broken;
SIZE(broken, 24);
#endif
VALUE(CCSHM_IMPORTER_CANNOT_LET_GO, 1);
VALUE(CCSHM_IMPORTER_PINS, 2);
VALUE(CCSHM_PAGE_SHARED, 2);
VALUE(CCSHM_PAGES_LEAF_WHOLE, 1);
VALUE(CCSHM_PAGES_CARVED, 2);
VALUE(CCSHM_DEVICE_NEEDS, 1);
VALUE(CCSHM_DEVICE_NEEDS_NOT, 2);
VALUE(CCSHM_DEVICE_CANNOT, 3);
VALUE(CCSHM_DMA_MODE_USERSPACE, 4);
VALUE(CCSHM_DEVICE_COHERENT, 1);
VALUE(CCSHM_DEVICE_BOUNCES, 2);
VALUE(CCSHM_DEVICE_RESTRICTED, 4);
VALUE(CCSHM_DEVICE_IOMMU, 8);
VALUE(CCSHM_DEVICE_KERNEL_DRIVER, 16);
