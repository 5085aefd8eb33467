// SPDX-License-Identifier: GPL-2.0-only
/* Open a handle, negotiate the ABI version, and keep the file of /dev/ccshm open. */
#include <pthread.h>

#include "fake.h"

static struct ccshm *const poison = (struct ccshm *)0x1;

static int open_with(uint64_t flags, struct ccshm **handle)
{
	*handle = poison;
	return ccshm_open_seam(&fake_seam, flags, handle);
}

START_TEST(open_and_close)
{
	struct ccshm *handle;

	ck_assert_int_eq(open_with(0, &handle), 0);
	ck_assert_ptr_nonnull(handle);
	ck_assert(ccshm_has_driver(handle));
	ck_assert_int_ge(ccshm_fd(handle), 0);
	ck_assert_uint_eq(fake_files(), 1);
	ck_assert_uint_eq(fake.got_request, CCSHM_IOC_INFO);
	ccshm_close(handle);
	ck_assert_uint_eq(fake_files(), 0);
}
END_TEST

START_TEST(close_null)
{
	ccshm_close(NULL);
}
END_TEST

START_TEST(two_handles_are_two_files)
{
	struct ccshm *one = fake_handle(), *two = fake_handle();

	ck_assert_int_ne(ccshm_fd(one), ccshm_fd(two));
	ccshm_close(one);
	ck_assert_uint_eq(fake_files(), 1);
	ccshm_close(two);
}
END_TEST

START_TEST(unknown_flags)
{
	struct ccshm *handle;
	int bit;

	for (bit = 2; bit < 64; bit++) {
		ck_assert_int_eq(open_with(1ULL << bit, &handle), -EINVAL);
		ck_assert_ptr_null(handle);
	}
	ck_assert_uint_eq(fake.count[FAKE_OPEN], 0);
}
END_TEST

/* Errors of open(), and the results of the library. */
static const struct {
	int error;
	int result;
} open_errors[] = {
	{ -ENOENT, -ENODEV },	{ -ENXIO, -ENODEV },	{ -ENODEV, -ENODEV },
	{ -EACCES, -EACCES },	{ -EPERM, -EPERM },	{ -EMFILE, -EMFILE },
	{ -ENFILE, -ENFILE },	{ -ENOMEM, -ENOMEM },
};

START_TEST(open_fails)
{
	struct ccshm *handle;

	fake_fail(FAKE_OPEN, 0, open_errors[_i].error);
	ck_assert_int_eq(open_with(0, &handle), open_errors[_i].result);
	ck_assert_ptr_null(handle);
}
END_TEST

START_TEST(no_memory)
{
	struct ccshm *handle;

	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(open_with(0, &handle), -ENOMEM);
	ck_assert_ptr_null(handle);
}
END_TEST

/* A newer driver that supports the version of this library. */
START_TEST(newer_driver)
{
	struct ccshm *handle;

	fake.abi_version = CCSHM_ABI_VERSION + 7;
	fake.abi_oldest = CCSHM_ABI_VERSION;
	ck_assert_int_eq(open_with(0, &handle), 0);
	ccshm_close(handle);
}
END_TEST

/* The errno tells whether the library or the driver is too old. */
START_TEST(other_abi_version)
{
	struct ccshm *handle;

	fake.abi_version = CCSHM_ABI_VERSION + 1;
	fake.abi_oldest = CCSHM_ABI_VERSION + 1;
	ck_assert_int_eq(open_with(0, &handle), -EPROTONOSUPPORT);
	ck_assert_ptr_null(handle);
	fake.abi_version = 0;
	fake.abi_oldest = 0;
	ck_assert_int_eq(open_with(CCSHM_ONLY_IF_NEEDED, &handle), -EPROTO);
	ck_assert_ptr_null(handle);
	/* The oldest supported version cannot be newer than the current one. */
	fake.abi_version = CCSHM_ABI_VERSION;
	fake.abi_oldest = CCSHM_ABI_VERSION + 1;
	ck_assert_int_eq(open_with(0, &handle), -EPROTO);
	ck_assert_ptr_null(handle);
}
END_TEST

START_TEST(read_only)
{
	struct ccshm_buffer *buffer;
	struct ccshm_info *info;
	struct ccshm *handle;

	ck_assert_int_eq(open_with(CCSHM_READ_ONLY, &handle), 0);
	ck_assert_int_eq(ccshm_info_get(handle, &info), 0);
	ccshm_info_free(info);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, NULL, &buffer), -EBADF);
	ck_assert_ptr_null(buffer);
	ccshm_close(handle);
	ck_assert_int_eq(open_with(CCSHM_READ_ONLY << 1, &handle), -EINVAL);
}
END_TEST

START_TEST(foreign_device_fails)
{
	struct ccshm *handle;

	fake_fail_ioctl(CCSHM_IOC_INFO, -ENOTTY);
	ck_assert_int_eq(open_with(0, &handle), -EPROTO);
	ck_assert_ptr_null(handle);
}
END_TEST

START_TEST(handshake_fails)
{
	struct ccshm *handle;

	fake_fail_ioctl(CCSHM_IOC_INFO, -EFAULT);
	ck_assert_int_eq(open_with(0, &handle), -EFAULT);
	ck_assert_ptr_null(handle);
}
END_TEST

/* If there is a driver, use it, also on a machine that is not confidential. */
START_TEST(only_if_needed_uses_a_present_driver)
{
	struct ccshm *handle;

	ck_assert_int_eq(open_with(CCSHM_ONLY_IF_NEEDED, &handle), 0);
	ck_assert(ccshm_has_driver(handle));
	ck_assert_uint_eq(fake.count[FAKE_CPUID], 0);
	ccshm_close(handle);
}
END_TEST

START_TEST(every_object_keeps_the_file)
{
	struct ccshm *handle = fake_handle();
	struct ccshm_attachment *attachment;
	struct ccshm_mapping *mapping;
	struct ccshm_buffer *buffer;
	struct ccshm_export *export;

	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ, 0, &mapping),
			 0);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export), 0);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL,
					     &attachment), 0);
	ccshm_close(handle);
	ck_assert_uint_eq(fake_files(), 3);
	ccshm_buffer_close(buffer);
	ck_assert_uint_eq(fake_files(), 3);
	ccshm_attachment_close(attachment);
	ck_assert_uint_eq(fake_files(), 2);
	ccshm_export_close(export);
	ck_assert_uint_eq(fake_files(), 1);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 1);
	ccshm_mapping_close(mapping);
	ck_assert_uint_eq(fake_files(), 0);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 0);
}
END_TEST

static void *make_and_drop(void *handle)
{
	struct ccshm_buffer *buffer;
	int i;

	for (i = 0; i < 200; i++) {
		if (ccshm_buffer_open_id(handle, 1, &buffer))
			return handle;
		ccshm_buffer_close(buffer);
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	struct ccshm *handle = fake_handle();
	struct ccshm_buffer *buffer = fake_buffer(handle, 1);
	pthread_t threads[4];
	void *failed;
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						make_and_drop, handle), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(fake_files(), 1);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "handle");

	tcase_add_test(tests, open_and_close);
	tcase_add_test(tests, close_null);
	tcase_add_test(tests, two_handles_are_two_files);
	tcase_add_test(tests, unknown_flags);
	tcase_add_loop_test(tests, open_fails, 0,
			    sizeof(open_errors) / sizeof(open_errors[0]));
	tcase_add_test(tests, no_memory);
	tcase_add_test(tests, other_abi_version);
	tcase_add_test(tests, newer_driver);
	tcase_add_test(tests, read_only);
	tcase_add_test(tests, foreign_device_fails);
	tcase_add_test(tests, handshake_fails);
	tcase_add_test(tests, only_if_needed_uses_a_present_driver);
	tcase_add_test(tests, every_object_keeps_the_file);
	tcase_add_test(tests, threads_share_a_handle);
}

int main(void)
{
	return unit_main("handle", add);
}
