// SPDX-License-Identifier: GPL-2.0-only
/* Each getter returns its own field of the driver's results only. */
#include "fake.h"

/*
 * The results of INFO and QUERY. Each field has a different value, so that a test fails when a
 * getter returns another field.
 */
static struct ccshm_ioc_info info_answer;
static struct ccshm_ioc_query query_answer;
static bool answering;

static int answer(int fd, unsigned long request, void *arg)
{
	if (answering && request == CCSHM_IOC_INFO)
		memcpy(arg, &info_answer, sizeof(info_answer));
	else if (answering && request == CCSHM_IOC_QUERY)
		memcpy(arg, &query_answer, sizeof(query_answer));
	else
		return fake_seam.ioctl(fd, request, arg);
	return 0;
}

static struct ccshm_seam seam;
static struct ccshm *handle;

static void setup(void)
{
	seam = fake_seam;
	seam.ioctl = answer;
	answering = false;
	ck_assert_int_eq(ccshm_open_seam(&seam, 0, &handle), 0);
	answering = true;
}

static void teardown(void)
{
	ccshm_close(handle);
}

static void check_limits(const struct ccshm_info *info)
{
	ck_assert_uint_eq(ccshm_info_limit_total_bytes(info),
			  0x100000000011ULL);
	ck_assert_uint_eq(ccshm_info_limit_user_bytes(info), 0x100000000012ULL);
	ck_assert_uint_eq(ccshm_info_limit_user_buffers(info),
			  0x100000000013ULL);
	ck_assert_uint_eq(ccshm_info_limit_user_exports(info),
			  0x10000000001dULL);
	ck_assert_uint_eq(ccshm_info_used_bytes(info), 0x100000000014ULL);
	ck_assert_uint_eq(ccshm_info_refusals(info), 0x100000000015ULL);
	ck_assert_uint_eq(ccshm_info_user_bytes(info), 0x100000000016ULL);
	ck_assert_uint_eq(ccshm_info_user_bytes_leaked(info),
			  0x100000000017ULL);
	ck_assert_uint_eq(ccshm_info_user_buffers(info), 24);
	ck_assert_uint_eq(ccshm_info_user_exports(info), 25);
	ck_assert_uint_eq(ccshm_info_user_attachments(info), 26);
	ck_assert_uint_eq(ccshm_info_user_importers(info), 27);
	ck_assert_uint_eq(ccshm_info_importers(info), 28);
}

START_TEST(info_getters)
{
	struct ccshm_info *info;

	info_answer = (struct ccshm_ioc_info){
		.abi_version = CCSHM_ABI_VERSION,
		.platform = CCSHM_PLATFORM_TDX,
		.features = 0x1000000000000003ULL,
		.info_flags = CCSHM_INFO_PLAIN,
		.block_size = 0x100000000004ULL,
		.bytes_shared = 0x100000000005ULL,
		.bytes_leaked = 0x100000000006ULL,
		.bytes_quarantined = 0x100000000007ULL,
		.calls_shared = 0x100000000008ULL,
		.calls_private = 0x100000000009ULL,
		.calls_failed = 0x10000000000aULL,
		.buffers = 11,
		.exports = 12,
		.attachments = 13,
		.driver_version = "1.2.3",
		.contiguous_max = 0x10000000000eULL,
		.blocks_carved = 0x10000000000fULL,
		.bytes_carved = 0x100000000010ULL,
		.limit_total_bytes = 0x100000000011ULL,
		.limit_user_bytes = 0x100000000012ULL,
		.limit_user_buffers = 0x100000000013ULL,
		.used_bytes = 0x100000000014ULL,
		.refusals = 0x100000000015ULL,
		.user_bytes = 0x100000000016ULL,
		.user_bytes_leaked = 0x100000000017ULL,
		.user_buffers = 24,
		.user_exports = 25,
		.user_attachments = 26,
		.user_importers = 27,
		.importers = 28,
		.limit_user_exports = 0x10000000001dULL,
	};
	ck_assert_int_eq(ccshm_info_get(handle, &info), 0);
	ck_assert_uint_eq(ccshm_info_abi_version(info), CCSHM_ABI_VERSION);
	ck_assert_uint_eq(ccshm_info_platform(info), CCSHM_PLATFORM_TDX);
	ck_assert_uint_eq(ccshm_info_features(info), 0x1000000000000003ULL);
	ck_assert(ccshm_info_is_plain(info));
	ck_assert_uint_eq(ccshm_info_block_size(info), 0x100000000004ULL);
	ck_assert_uint_eq(ccshm_info_bytes_shared(info), 0x100000000005ULL);
	ck_assert_uint_eq(ccshm_info_bytes_leaked(info), 0x100000000006ULL);
	ck_assert_uint_eq(ccshm_info_bytes_quarantined(info),
			  0x100000000007ULL);
	ck_assert_uint_eq(ccshm_info_conversions_shared(info),
			  0x100000000008ULL);
	ck_assert_uint_eq(ccshm_info_conversions_private(info),
			  0x100000000009ULL);
	ck_assert_uint_eq(ccshm_info_conversions_failed(info),
			  0x10000000000aULL);
	ck_assert_uint_eq(ccshm_info_buffers(info), 11);
	ck_assert_uint_eq(ccshm_info_exports(info), 12);
	ck_assert_uint_eq(ccshm_info_attachments(info), 13);
	ck_assert_uint_eq(ccshm_info_contiguous_max(info), 0x10000000000eULL);
	ck_assert_uint_eq(ccshm_info_blocks_carved(info), 0x10000000000fULL);
	ck_assert_uint_eq(ccshm_info_bytes_carved(info), 0x100000000010ULL);
	ck_assert_str_eq(ccshm_info_driver_version(info), "1.2.3");
	check_limits(info);
	ccshm_info_free(info);

	info_answer.info_flags = ~CCSHM_INFO_PLAIN;
	memset(info_answer.driver_version, 'v', CCSHM_VERSION_LEN);
	ck_assert_int_eq(ccshm_info_get(handle, &info), 0);
	ck_assert(!ccshm_info_is_plain(info));
	/* The library terminates a text of the driver that has no NUL. */
	ck_assert_uint_eq(strlen(ccshm_info_driver_version(info)),
			  CCSHM_VERSION_LEN - 1);
	ccshm_info_free(info);
	ccshm_info_free(NULL);
}
END_TEST

START_TEST(info_fails)
{
	struct ccshm_info *info = (struct ccshm_info *)0x1;

	answering = false;
	fake_fail_ioctl(CCSHM_IOC_INFO, -EFAULT);
	ck_assert_int_eq(ccshm_info_get(handle, &info), -EFAULT);
	ck_assert_ptr_null(info);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_info_get(handle, &info), -ENOMEM);
	ck_assert_ptr_null(info);
}
END_TEST

START_TEST(info_counts)
{
	struct ccshm_buffer *buffer = fake_buffer(handle, 1);
	struct ccshm_info *info;

	answering = false;
	ck_assert_int_eq(ccshm_info_get(handle, &info), 0);
	ck_assert_uint_eq(ccshm_info_buffers(info), 1);
	ck_assert_uint_eq(ccshm_info_exports(info), 0);
	ccshm_info_free(info);
	ccshm_buffer_close(buffer);
}
END_TEST

START_TEST(status_getters)
{
	struct ccshm_status *status;

	query_answer = (struct ccshm_ioc_query){
		.object_id = 0x200000000001ULL,
		.type = CCSHM_TYPE_ATTACHMENT,
		.state = CCSHM_STATE_STUCK,
		.object_flags = 0x2000000000000004ULL,
		.query_flags = 0,
		.buffer_id = 0x200000000005ULL,
		.export_id = 0x200000000006ULL,
		.offset = 0x200000000007ULL,
		.size = 0x200000000008ULL,
		.uid = 9,
		.gid = 10,
		.mode = 0644,
		.payer = 12,
		.charged = 0x20000000000dULL,
		.blocks = 0x20000000000eULL,
		.blocks_small = 0x20000000000fULL,
		.units = 0x200000000010ULL,
		.units_whole = 0x200000000011ULL,
		.conversions = 0x200000000012ULL,
		.exports = 19,
		.attachments = 20,
		.importers = 21,
		.device_mappings = 22,
		.cpu_mappings = 23,
		.dma_bits = 24,
		.segments = 25,
		.name = "name",
		.device = "device",
		.carved = 0x20000000001aULL,
	};
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert_uint_eq(ccshm_status_carved(status), 0x20000000001aULL);
	ck_assert_uint_eq(ccshm_status_id(status), 0x200000000001ULL);
	ck_assert_uint_eq(ccshm_status_type(status), CCSHM_TYPE_ATTACHMENT);
	ck_assert_uint_eq(ccshm_status_state(status), CCSHM_STATE_STUCK);
	ck_assert_uint_eq(ccshm_status_flags(status), 0x2000000000000004ULL);
	ck_assert_uint_eq(ccshm_status_buffer_id(status), 0x200000000005ULL);
	ck_assert_uint_eq(ccshm_status_export_id(status), 0x200000000006ULL);
	ck_assert_uint_eq(ccshm_status_offset(status), 0x200000000007ULL);
	ck_assert_uint_eq(ccshm_status_size(status), 0x200000000008ULL);
	ck_assert_uint_eq(ccshm_status_owner(status), 9);
	ck_assert_uint_eq(ccshm_status_group(status), 10);
	ck_assert_uint_eq(ccshm_status_mode(status), 0644);
	ck_assert_uint_eq(ccshm_status_payer(status), 12);
	ck_assert_uint_eq(ccshm_status_charged(status), 0x20000000000dULL);
	ck_assert_uint_eq(ccshm_status_blocks(status), 0x20000000000eULL);
	ck_assert_uint_eq(ccshm_status_blocks_small(status), 0x20000000000fULL);
	ck_assert_uint_eq(ccshm_status_units(status), 0x200000000010ULL);
	ck_assert_uint_eq(ccshm_status_units_whole(status), 0x200000000011ULL);
	ck_assert_uint_eq(ccshm_status_conversions(status), 0x200000000012ULL);
	ck_assert_uint_eq(ccshm_status_exports(status), 19);
	ck_assert_uint_eq(ccshm_status_attachments(status), 20);
	ck_assert_uint_eq(ccshm_status_importers(status), 21);
	ck_assert_uint_eq(ccshm_status_device_mappings(status), 22);
	ck_assert_uint_eq(ccshm_status_cpu_mappings(status), 23);
	ck_assert_uint_eq(ccshm_status_dma_bits(status), 24);
	ck_assert_uint_eq(ccshm_status_segments(status), 25);
	ck_assert_str_eq(ccshm_status_name(status), "name");
	ck_assert_str_eq(ccshm_status_device(status), "device");
	ccshm_status_free(status);
	ccshm_status_free(NULL);
}
END_TEST

START_TEST(status_flags)
{
	struct ccshm_status *status;

	query_answer = (struct ccshm_ioc_query){
		.type = CCSHM_TYPE_BUFFER,
		.query_flags = CCSHM_QUERY_ORPHAN,
		.object_flags = CCSHM_ALLOC_PERSISTENT,
	};
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(ccshm_status_is_orphan(status));
	ck_assert(!ccshm_status_is_heap(status));
	ck_assert(!ccshm_status_has_control(status));
	ck_assert(ccshm_status_is_persistent(status));
	ccshm_status_free(status);

	query_answer.query_flags = CCSHM_QUERY_HEAP;
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(ccshm_status_is_heap(status));
	ck_assert(!ccshm_status_is_orphan(status));
	ccshm_status_free(status);

	query_answer.query_flags = CCSHM_QUERY_CONTROL;
	query_answer.object_flags = ~CCSHM_ALLOC_PERSISTENT;
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(!ccshm_status_is_orphan(status));
	ck_assert(ccshm_status_has_control(status));
	ck_assert(!ccshm_status_is_persistent(status));
	ccshm_status_free(status);

	/* The bit has another meaning for attachments, and none for exports. */
	query_answer.type = CCSHM_TYPE_ATTACHMENT;
	query_answer.object_flags = CCSHM_ATTACH_PERSISTENT;
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(ccshm_status_is_persistent(status));
	ccshm_status_free(status);
	query_answer.object_flags = ~CCSHM_ATTACH_PERSISTENT;
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(!ccshm_status_is_persistent(status));
	ccshm_status_free(status);
	query_answer.type = CCSHM_TYPE_EXPORT;
	query_answer.object_flags = ~0ULL;
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert(!ccshm_status_is_persistent(status));
	ccshm_status_free(status);
}
END_TEST

START_TEST(unterminated_texts_are_cut)
{
	struct ccshm_status *status;

	memset(&query_answer, 'x', sizeof(query_answer));
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), 0);
	ck_assert_uint_eq(strlen(ccshm_status_name(status)),
			  CCSHM_NAME_LEN - 1);
	ck_assert_uint_eq(strlen(ccshm_status_device(status)),
			  CCSHM_DEVICE_LEN - 1);
	ccshm_status_free(status);
}
END_TEST

START_TEST(status_of_objects)
{
	struct ccshm_buffer *buffer;
	struct ccshm_status *status;
	struct ccshm_export *export;

	answering = false;
	buffer = fake_named(handle, "ring");
	ck_assert_int_eq(ccshm_export_create(buffer, CCSHM_EXPORT_PINNED, 0, 0,
					     &export), 0);
	ck_assert_int_eq(ccshm_buffer_status(buffer, &status), 0);
	ck_assert_uint_eq(ccshm_status_type(status), CCSHM_TYPE_BUFFER);
	ck_assert_uint_eq(ccshm_status_id(status), ccshm_buffer_id(buffer));
	ck_assert_uint_eq(ccshm_status_charged(status),
			  ccshm_buffer_size(buffer));
	ck_assert_uint_eq(ccshm_status_carved(status),
			  ccshm_buffer_size(buffer));
	ck_assert_uint_eq(ccshm_status_exports(status), 1);
	ck_assert_uint_eq(ccshm_status_mode(status), 0600);
	ck_assert_str_eq(ccshm_status_name(status), "ring");
	ccshm_status_free(status);
	ck_assert_int_eq(ccshm_export_status(export, &status), 0);
	ck_assert_uint_eq(ccshm_status_type(status), CCSHM_TYPE_EXPORT);
	ck_assert_uint_eq(ccshm_status_flags(status), CCSHM_EXPORT_PINNED);
	ck_assert_uint_eq(ccshm_status_buffer_id(status),
			  ccshm_buffer_id(buffer));
	ccshm_status_free(status);
	ccshm_export_close(export);
	ccshm_buffer_close(buffer);
}
END_TEST

START_TEST(status_fails)
{
	struct ccshm_status *status = (struct ccshm_status *)0x1;

	answering = false;
	ck_assert_int_eq(ccshm_status_get(handle, 77, &status), -ENOENT);
	ck_assert_ptr_null(status);
	ck_assert_uint_eq(fake.got.query.id, 77);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), -ENOMEM);
	ck_assert_ptr_null(status);
}
END_TEST

START_TEST(names)
{
	static const char *const platforms[] = { "none", "sev", "sev-es",
						 "sev-snp", "tdx", "cca" };
	static const char *const types[] = { "unknown", "buffer", "export",
					     "attachment" };
	static const char *const states[] = { "active", "revoking", "revoked",
					      "stuck" };
	uint32_t i;

	for (i = 0; i < 6; i++)
		ck_assert_str_eq(ccshm_platform_name(i), platforms[i]);
	for (i = 0; i < 4; i++) {
		ck_assert_str_eq(ccshm_type_name(i), types[i]);
		ck_assert_str_eq(ccshm_state_name(i), states[i]);
	}
	ck_assert_str_eq(ccshm_platform_name(6), "unknown");
	ck_assert_str_eq(ccshm_type_name(4), "unknown");
	ck_assert_str_eq(ccshm_state_name(UINT32_MAX), "unknown");
	ck_assert_str_eq(ccshm_version(), CCSHM_LIBRARY_VERSION);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "status");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, info_getters);
	tcase_add_test(tests, info_fails);
	tcase_add_test(tests, info_counts);
	tcase_add_test(tests, status_getters);
	tcase_add_test(tests, status_flags);
	tcase_add_test(tests, unterminated_texts_are_cut);
	tcase_add_test(tests, status_of_objects);
	tcase_add_test(tests, status_fails);
	tcase_add_test(tests, names);
}

int main(void)
{
	return unit_main("status", add);
}
