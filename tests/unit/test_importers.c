// SPDX-License-Identifier: GPL-2.0-only
/* Importers: a consistent list of all of them, with the results of the driver. */
#include <stdio.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;
static struct ccshm_export *export;
static struct ccshm_importers *importers;

static void setup(void)
{
	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export), 0);
}

static void teardown(void)
{
	ccshm_export_close(export);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

/* Set up @nr importers; importer i has i mappings. */
static void arrange(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < FAKE_IMPORTERS; i++) {
		snprintf(fake.importers[i].device, CCSHM_DEVICE_LEN, "pci:%u", i);
		fake.importers[i].mappings = i;
	}
	fake.nr_importers = nr;
}

START_TEST(export_without_importers)
{
	ck_assert_int_eq(ccshm_export_importers(export, &importers), 0);
	ck_assert_uint_eq(fake.got.importers.id, ccshm_export_id(export));
	ck_assert_uint_eq(ccshm_importers_count(importers), 0);
	ck_assert_str_eq(ccshm_importers_device(importers, 0), "");
	ccshm_importers_free(importers);
	ccshm_importers_free(NULL);
}
END_TEST

START_TEST(getters)
{
	arrange(2);
	fake.importers[0].flags = CCSHM_IMPORTER_CANNOT_LET_GO;
	fake.importers[1].flags = CCSHM_IMPORTER_PINS;
	ck_assert_int_eq(ccshm_importers_get(handle, ccshm_export_id(export),
					     &importers), 0);
	ck_assert_uint_eq(ccshm_importers_count(importers), 2);
	ck_assert_str_eq(ccshm_importers_device(importers, 1), "pci:1");
	ck_assert_uint_eq(ccshm_importers_mappings(importers, 1), 1);
	ck_assert(!ccshm_importers_can_let_go(importers, 0));
	ck_assert(!ccshm_importers_pins(importers, 0));
	ck_assert(ccshm_importers_can_let_go(importers, 1));
	ck_assert(ccshm_importers_pins(importers, 1));
	/* An index after the last importer. */
	ck_assert_str_eq(ccshm_importers_device(importers, 2), "");
	ck_assert_uint_eq(ccshm_importers_mappings(importers, 2), 0);
	ck_assert(!ccshm_importers_can_let_go(importers, UINT32_MAX));
	ck_assert(!ccshm_importers_pins(importers, 2));
	ccshm_importers_free(importers);
}
END_TEST

/* Any number of importers is returned by one call, in order. */
START_TEST(all_importers_in_one_call)
{
	unsigned int i, calls = fake.count[FAKE_IOCTL];

	arrange((unsigned int)_i);
	ck_assert_int_eq(ccshm_export_importers(export, &importers), 0);
	ck_assert_uint_eq(ccshm_importers_count(importers), (unsigned int)_i);
	for (i = 0; i < (unsigned int)_i; i++)
		ck_assert_uint_eq(ccshm_importers_mappings(importers, i), i);
	ck_assert_uint_eq(fake.got.importers.first, 0);
	ck_assert_uint_le(fake.count[FAKE_IOCTL] - calls, 2);
	ccshm_importers_free(importers);
}
END_TEST

/* New importers appear during each call. */
START_TEST(importers_that_appear_during_the_call)
{
	arrange(5);
	fake.importers_come = 5;
	ck_assert_int_eq(ccshm_export_importers(export, &importers), 0);
	ck_assert_uint_ge(ccshm_importers_count(importers), 5);
	/* The list has the importers at the time of the last ioctl. */
	ck_assert_uint_eq(ccshm_importers_count(importers),
			  fake.nr_importers - fake.importers_come);
	ccshm_importers_free(importers);
}
END_TEST

START_TEST(unterminated_device_is_cut)
{
	arrange(1);
	memset(fake.importers[0].device, 'd', CCSHM_DEVICE_LEN);
	ck_assert_int_eq(ccshm_export_importers(export, &importers), 0);
	ck_assert_uint_eq(strlen(ccshm_importers_device(importers, 0)),
			  CCSHM_DEVICE_LEN - 1);
	ccshm_importers_free(importers);
}
END_TEST

START_TEST(get_fails)
{
	ck_assert_int_eq(ccshm_importers_get(handle, 999, &importers), -ENOENT);
	ck_assert_ptr_null(importers);
	ck_assert_int_eq(ccshm_importers_get(handle, ccshm_buffer_id(buffer),
					     &importers), -ENOENT);
	ck_assert_ptr_null(importers);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_export_importers(export, &importers), -ENOMEM);
	ck_assert_ptr_null(importers);
	/* The second allocation, of a larger array, fails. */
	arrange(20);
	fake_fail(FAKE_CALLOC, 1, -ENOMEM);
	ck_assert_int_eq(ccshm_export_importers(export, &importers), -ENOMEM);
	ck_assert_ptr_null(importers);
	fake_fail_ioctl(CCSHM_IOC_IMPORTERS, -ENOTTY);
	ck_assert_int_eq(ccshm_export_importers(export, &importers), -ENOTTY);
	ck_assert_ptr_null(importers);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "importers");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, export_without_importers);
	tcase_add_test(tests, getters);
	tcase_add_loop_test(tests, all_importers_in_one_call, 0, FAKE_IMPORTERS);
	tcase_add_test(tests, importers_that_appear_during_the_call);
	tcase_add_test(tests, unterminated_device_is_cut);
	tcase_add_test(tests, get_fails);
}

int main(void)
{
	return unit_main("importers", add);
}
