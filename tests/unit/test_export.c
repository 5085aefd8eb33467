// SPDX-License-Identifier: GPL-2.0-only
/* Exports: ownership of the dma-buf, and operations on the export. */
#include <pthread.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;
static struct ccshm_export *export;

static void setup(void)
{
	handle = fake_handle();
	buffer = fake_buffer(handle, 4);
	export = (struct ccshm_export *)0x1;
}

static void teardown(void)
{
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static void create(uint64_t flags, uint64_t offset, uint64_t size)
{
	ck_assert_int_eq(ccshm_export_create(buffer, flags, offset, size,
					     &export), 0);
}

START_TEST(create_and_close)
{
	create(CCSHM_EXPORT_PINNED | CCSHM_EXPORT_NO_CPU, PAGE, 2 * PAGE);
	ck_assert_uint_eq(fake.got.export.id, ccshm_buffer_id(buffer));
	ck_assert_uint_eq(fake.got.export.flags,
			  CCSHM_EXPORT_PINNED | CCSHM_EXPORT_NO_CPU);
	ck_assert_uint_eq(fake.got.export.offset, PAGE);
	ck_assert_uint_eq(fake.got.export.size, 2 * PAGE);
	ck_assert_uint_ne(ccshm_export_id(export), 0);
	ck_assert_uint_eq(ccshm_export_size(export), 2 * PAGE);
	ck_assert_int_ge(ccshm_export_fd(export), 0);
	ck_assert_uint_eq(fake_files(), 2);
	ccshm_export_close(export);
	ck_assert_uint_eq(fake_files(), 1);
	ccshm_export_close(NULL);
}
END_TEST

START_TEST(create_to_the_end)
{
	create(0, PAGE, 0);
	ck_assert_uint_eq(ccshm_export_size(export), 3 * PAGE);
	ccshm_export_close(export);
}
END_TEST

static const int errors[] = {
	-EINVAL, -ENOENT, -EACCES, -EMFILE, -ENFILE, -ENOMEM, -EFAULT,
};

START_TEST(create_fails)
{
	fake_fail_ioctl(CCSHM_IOC_EXPORT, errors[_i]);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export),
			 errors[_i]);
	ck_assert_ptr_null(export);
}
END_TEST

START_TEST(create_bad_arguments)
{
	ck_assert_int_eq(ccshm_export_create(buffer, 1ULL << 40, 0, 0, &export),
			 -EINVAL);
	ck_assert_ptr_null(export);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 1, 0, &export), -EINVAL);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 5 * PAGE, &export),
			 -EINVAL);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, -PAGE, 2 * PAGE,
					     &export), -EINVAL);
}
END_TEST

START_TEST(no_memory)
{
	/* The failure is before the ioctl, so that no dma-buf exists. */
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export), -ENOMEM);
	ck_assert_ptr_null(export);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_EXPORT), 0);
}
END_TEST

START_TEST(take_fd)
{
	struct ccshm_attachment *attachment;
	struct ccshm_mapping *mapping;
	struct ccshm_status *status;
	int fd;

	create(0, 0, 0);
	fd = ccshm_export_fd(export);
	ck_assert_int_eq(ccshm_export_take_fd(export), fd);
	ck_assert_int_eq(ccshm_export_take_fd(export), -EBADF);
	ck_assert_int_eq(ccshm_export_fd(export), -EBADF);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 -EBADF);
	ck_assert_ptr_null(mapping);
	ck_assert_int_eq(ccshm_export_attach(export, FAKE_DEVICE, NULL,
					     &attachment), -EBADF);
	ck_assert_ptr_null(attachment);
	/* The export can still be queried and revoked. */
	ck_assert_int_eq(ccshm_export_status(export, &status), 0);
	ccshm_status_free(status);
	ck_assert_int_eq(ccshm_export_revoke(export, 0, 0, NULL), 0);
	ccshm_export_close(export);
	ck_assert_uint_eq(fake_files(), 2);
	ck_assert_int_eq(fake_seam.close(fd), 0);
}
END_TEST

static void *taker(void *arg)
{
	int fd = ccshm_export_take_fd(arg);

	if (fd < 0)
		return NULL;
	fake_seam.close(fd);
	return arg;
}

START_TEST(only_one_thread_takes_the_fd)
{
	pthread_t threads[4];
	void *won;
	int i, winners = 0;

	create(0, 0, 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, taker,
						export), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &won);
		winners += won != NULL;
	}
	ck_assert_int_eq(winners, 1);
	ccshm_export_close(export);
}
END_TEST

START_TEST(map)
{
	struct ccshm_mapping *all, *part;

	create(0, PAGE, 3 * PAGE);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ | PROT_WRITE,
					  0, &all), 0);
	ck_assert_uint_eq(ccshm_mapping_size(all), 3 * PAGE);
	ck_assert_uint_eq(ccshm_mapping_export_id(all), ccshm_export_id(export));
	ck_assert_int_eq(ccshm_export_map(export, 2 * PAGE, PAGE, PROT_READ, 0,
					  &part), 0);
	ck_assert_int_eq(fake.mmap_offset, (off_t)(2 * PAGE));
	ck_assert_uint_eq(fake.mmap_size, PAGE);
	ck_assert_int_eq(fake.mmap_prot, PROT_READ);
	ck_assert_int_eq(fake.mmap_flags, MAP_SHARED);
	((char *)ccshm_mapping_address(all))[2 * PAGE] = 9;
	ck_assert_int_eq(*(char *)ccshm_mapping_address(part), 9);
	ccshm_mapping_close(all);
	ccshm_mapping_close(part);
	ccshm_export_close(export);
}
END_TEST

START_TEST(map_bad_arguments)
{
	const struct {
		uint64_t offset, size;
		int prot;
		uint64_t flags;
	} bad[] = {
		{ 1, 0, PROT_READ, 0 },
		{ 0, 1, PROT_READ, 0 },
		{ 0, 5 * PAGE, PROT_READ, 0 },
		{ 4 * PAGE, 0, PROT_READ, 0 },
		{ 4 * PAGE, PAGE, PROT_READ, 0 },
		{ -PAGE, 2 * PAGE, PROT_READ, 0 },
		{ 3 * PAGE, -PAGE, PROT_READ, 0 },
		{ 0, 0, PROT_NONE, 0 },
		{ 0, 0, PROT_WRITE, 0 },
		{ 0, 0, PROT_EXEC, 0 },
		{ 0, 0, PROT_READ, 2 },
	};
	struct ccshm_mapping *mapping;
	size_t i;

	create(0, 0, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mapping = (struct ccshm_mapping *)0x1;
		ck_assert_int_eq(ccshm_export_map(export, bad[i].offset,
						  bad[i].size, bad[i].prot,
						  bad[i].flags, &mapping),
				 -EINVAL);
		ck_assert_ptr_null(mapping);
	}
	ck_assert_uint_eq(fake.count[FAKE_MMAP], 0);
	ccshm_export_close(export);
}
END_TEST

START_TEST(map_rights)
{
	struct ccshm_mapping *mapping;

	create(CCSHM_EXPORT_READ_ONLY, 0, 0);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ | PROT_WRITE,
					  0, &mapping), -EACCES);
	ck_assert_ptr_null(mapping);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 0);
	ccshm_mapping_close(mapping);
	ccshm_export_close(export);
	create(CCSHM_EXPORT_NO_CPU, 0, 0);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 -EACCES);
	ccshm_export_close(export);
}
END_TEST

START_TEST(map_after_revoke)
{
	struct ccshm_mapping *mapping;

	create(0, 0, 0);
	ck_assert_int_eq(ccshm_export_revoke(export, -1, 0, NULL), 0);
	ck_assert_uint_eq(fake.got.revoke.id, ccshm_export_id(export));
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 -ENODEV);
	ck_assert_ptr_null(mapping);
	/* The lock is free after a failure. */
	ck_assert_int_ge(ccshm_export_fd(export), 0);
	ccshm_export_close(export);
}
END_TEST

START_TEST(map_no_memory)
{
	struct ccshm_mapping *mapping;

	create(0, 0, 0);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 -ENOMEM);
	ck_assert_ptr_null(mapping);
	fake_fail(FAKE_MMAP, 0, -EAGAIN);
	ck_assert_int_eq(ccshm_export_map(export, 0, 0, PROT_READ, 0, &mapping),
			 -EAGAIN);
	ck_assert_ptr_null(mapping);
	ccshm_export_close(export);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "export");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, create_and_close);
	tcase_add_test(tests, create_to_the_end);
	tcase_add_loop_test(tests, create_fails, 0,
			    (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(tests, create_bad_arguments);
	tcase_add_test(tests, no_memory);
	tcase_add_test(tests, take_fd);
	tcase_add_test(tests, only_one_thread_takes_the_fd);
	tcase_add_test(tests, map);
	tcase_add_test(tests, map_bad_arguments);
	tcase_add_test(tests, map_rights);
	tcase_add_test(tests, map_after_revoke);
	tcase_add_test(tests, map_no_memory);
}

int main(void)
{
	return unit_main("export", add);
}
