// SPDX-License-Identifier: GPL-2.0-only
/* The state of a buffer's pages. */
#include <limits.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;
static struct ccshm_run *runs;
static uint64_t next;

/* A buffer of four pages, and room for three runs. */
static void setup(void)
{
	handle = fake_handle();
	buffer = fake_buffer(handle, 4);
	runs = page_end(3 * sizeof(*runs));
	next = 77;
}

static void teardown(void)
{
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static void check_run(const struct ccshm_run *run, uint64_t index)
{
	ck_assert_uint_eq(run->offset, index * PAGE);
	ck_assert_uint_eq(run->length, PAGE);
	ck_assert_uint_eq(run->physical,
			  fake.no_admin ? 0 : 0x100000000ULL + 2 * index * PAGE);
	ck_assert_uint_eq(run->state, CCSHM_PAGE_SHARED);
	ck_assert_uint_eq(run->flags, index % 2 ? CCSHM_PAGES_CARVED :
						  CCSHM_PAGES_LEAF_WHOLE);
}

START_TEST(all_pages)
{
	uint64_t i;

	fake.no_admin = _i;
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 0, 0, runs, 3, &next), 3);
	ck_assert_uint_eq(fake.got.pages.id, ccshm_buffer_id(buffer));
	ck_assert_uint_eq(fake.got.pages.capacity, 3);
	ck_assert_uint_eq(next, 3 * PAGE);
	for (i = 0; i < 3; i++)
		check_run(&runs[i], i);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, next, 0, runs, 3, &next), 1);
	ck_assert_uint_eq(next, 4 * PAGE);
	check_run(&runs[0], 3);
}
END_TEST

START_TEST(range)
{
	ck_assert_int_eq(ccshm_buffer_pages(buffer, PAGE, 2 * PAGE, runs, 3,
					    &next), 2);
	ck_assert_uint_eq(next, 3 * PAGE);
	check_run(&runs[0], 1);
	check_run(&runs[1], 2);
}
END_TEST

START_TEST(bad_ranges)
{
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 1, 0, runs, 3, &next),
			 -EINVAL);
	ck_assert_uint_eq(next, 1);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 4 * PAGE, 0, runs, 3, &next),
			 -EINVAL);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, PAGE, 4 * PAGE, runs, 3,
					    &next), -EINVAL);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 0, 0, runs, 0, &next),
			 -EINVAL);
	fake.count[FAKE_IOCTL] = 0;
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 0, 0, runs,
					    (uint32_t)INT_MAX + 1, &next),
			 -EINVAL);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
}
END_TEST

START_TEST(freed_buffer_returns_ENOENT)
{
	ck_assert_int_eq(ccshm_buffer_free(buffer), 0);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, PAGE, 0, runs, 3, &next),
			 -ENOENT);
	ck_assert_uint_eq(next, PAGE);
}
END_TEST

static const int errors[] = { -EINTR, -ENOMEM, -ENOTTY, -EFAULT };

START_TEST(errors_pass_through)
{
	fake_fail_ioctl(CCSHM_IOC_PAGES, errors[_i]);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 0, 0, runs, 3, &next),
			 errors[_i]);
	ck_assert_uint_eq(next, 0);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(ccshm_page_state_name(CCSHM_PAGE_UNKNOWN), "unknown");
	ck_assert_str_eq(ccshm_page_state_name(CCSHM_PAGE_PRIVATE), "private");
	ck_assert_str_eq(ccshm_page_state_name(CCSHM_PAGE_SHARED), "shared");
	ck_assert_str_eq(ccshm_page_state_name(99), "unknown");
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "pages");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, all_pages, 0, 2);
	tcase_add_test(tests, range);
	tcase_add_test(tests, bad_ranges);
	tcase_add_test(tests, freed_buffer_returns_ENOENT);
	tcase_add_loop_test(tests, errors_pass_through, 0,
			    sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(tests, names);
}

int main(void)
{
	return unit_main("pages", add);
}
