// SPDX-License-Identifier: GPL-2.0-only
/* Lists and counters by ioctls, without netlink. */
#include <stdio.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_list *list;
static struct ccshm_stats *stats;

static int get(uint32_t type)
{
	int ret;

	/* Check that netlink is not used. */
	fake.no_family = true;
	ret = ccshm_list_get_seam(&fake_seam, type, &list);
	ck_assert_uint_eq(fake.count[FAKE_NETLINK], 0);
	return ret;
}

START_TEST(empty_list)
{
	ck_assert_int_eq(get((uint32_t)_i), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 0);
	ck_assert(ccshm_list_is_consistent(list));
	ccshm_list_free(list);
}
END_TEST

/* A list has the objects of one type, each once, ordered by id, including orphans. */
START_TEST(objects)
{
	struct ccshm_buffer *a, *b;
	struct ccshm_export *exp;
	const struct ccshm_status *st;

	handle = fake_handle();
	a = fake_buffer(handle, 3);
	ck_assert_int_eq(ccshm_export_create(a, CCSHM_EXPORT_READ_ONLY, PAGE, PAGE,
					     &exp), 0);
	b = fake_named(handle, "ring");
	ck_assert_int_eq(ccshm_buffer_free(a), 0);

	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 2);
	st = ccshm_list_status(list, 0);
	ck_assert_uint_eq(ccshm_status_size(st), 3 * PAGE);
	st = ccshm_list_status(list, 1);
	ck_assert_uint_eq(ccshm_status_id(st), ccshm_buffer_id(b));
	ck_assert_str_eq(ccshm_status_name(st), "ring");
	ck_assert_ptr_null(ccshm_list_importers(list, 1));
	ccshm_list_free(list);

	ck_assert_int_eq(get(CCSHM_TYPE_EXPORT), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 1);
	st = ccshm_list_status(list, 0);
	ck_assert_uint_eq(ccshm_status_id(st), ccshm_export_id(exp));
	ck_assert_uint_eq(ccshm_status_offset(st), PAGE);
	ccshm_list_free(list);

	ccshm_export_close(exp);
	ccshm_buffer_close(a);
	ccshm_buffer_close(b);
	ccshm_close(handle);
}
END_TEST

/* A list has all importers, more than a netlink message has room for. */
START_TEST(importers)
{
	struct ccshm_buffer *buffer;
	struct ccshm_export *exp;

	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	fake.nr_importers = (unsigned int)_i;
	ck_assert_int_eq(get(CCSHM_TYPE_EXPORT), 0);
	ck_assert_uint_eq(ccshm_importers_count(ccshm_list_importers(list, 0)),
			  (unsigned int)_i);
	ccshm_list_free(list);
	/* An export that ends during the listing has no importers. */
	fake_fail_ioctl(CCSHM_IOC_IMPORTERS, -ENOENT);
	ck_assert_int_eq(get(CCSHM_TYPE_EXPORT), 0);
	ck_assert_uint_eq(ccshm_importers_count(ccshm_list_importers(list, 0)), 0);
	ccshm_list_free(list);
	fake_fail_ioctl(CCSHM_IOC_IMPORTERS, -ENOMEM);
	ck_assert_int_eq(get(CCSHM_TYPE_EXPORT), -ENOMEM);
	ccshm_export_close(exp);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

/* A list is repeated if an object has changed, a limited number of times. */
START_TEST(changed_list_is_repeated)
{
	handle = fake_handle();
	ccshm_buffer_close(fake_buffer(handle, 1));
	/* The generation changes at odd calls of INFO: in open, and after each list. */
	fake.infos = 0;
	fake.lists_changed = 1 + (unsigned int)_i;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 1);
	ck_assert(ccshm_list_is_consistent(list) == (_i < 8));
	ccshm_list_free(list);
	ccshm_close(handle);
}
END_TEST

/* A list ends, although another user replaces each buffer as soon as it is listed. */
START_TEST(new_objects_are_not_listed)
{
	handle = fake_handle();
	ccshm_buffer_close(fake_named(handle, "a"));
	ccshm_buffer_close(fake_named(handle, "b"));
	fake.next_replaced = 1000;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 2);
	/* Two buffers are listed; the third id is too large. */
	ck_assert_uint_eq(fake.next_replaced, 1000 - 3);
	ccshm_list_free(list);
	/* A driver that does not limit the ids: the list ends with the last buffer. */
	fake.no_next_id = true;
	fake.next_replaced = 10;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 12);
	ccshm_list_free(list);
	ccshm_close(handle);
}
END_TEST

START_TEST(list_fails)
{
	handle = fake_handle();
	ccshm_buffer_close(fake_buffer(handle, 1));
	ck_assert_int_eq(get(0), -EINVAL);
	ck_assert_int_eq(get(4), -EINVAL);
	ck_assert_ptr_null(list);
	fake_fail_ioctl(CCSHM_IOC_QUERY, -EINTR);
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EINTR);
	ck_assert_ptr_null(list);
	/* A driver that returns the same object again. */
	fake.next_stuck = true;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EPROTO);
	ck_assert_ptr_null(list);
	fake.next_stuck = false;
	fake.abi_version = 0;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EPROTO);
	ck_assert_ptr_null(list);
	ccshm_close(handle);
}
END_TEST

/* Let each call and allocation fail: no file stays open and no memory leaks. */
START_TEST(list_fails_anywhere)
{
	static const enum fake_call calls[] = { FAKE_OPEN, FAKE_IOCTL, FAKE_CALLOC };
	struct ccshm_buffer *buffer;
	struct ccshm_export *exp;
	unsigned int skip;
	int ret = -ENOMEM;

	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	for (skip = 0; ret; skip++) {
		fake_fail(calls[_i], skip, -ENOMEM);
		ret = get(CCSHM_TYPE_EXPORT);
		if (!ret)
			break;
		ck_assert_int_eq(ret, -ENOMEM);
		ck_assert_ptr_null(list);
		ck_assert_uint_eq(fake_files(), 2);
	}
	ck_assert_uint_ge(skip, calls[_i] == FAKE_OPEN ? 1 : 4);
	ccshm_list_free(list);
	ccshm_export_close(exp);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

START_TEST(statistics)
{
	uint32_t i;

	fake.info.bytes_shared = 102;
	fake.info.calls_private = 108;
	fake.info.refusals = 118;
	fake.info.buffers_made = 113;
	fake.info.events_lost = 120;
	fake.info.events_suppressed = 121;
	ck_assert_int_eq(ccshm_stats_get_seam(&fake_seam, &stats), 0);
	ck_assert_uint_eq(fake.count[FAKE_NETLINK], 0);
	ck_assert_uint_eq(ccshm_stats_count(stats), CCSHM_A_STATS_EVENTS_SUPPRESSED - 1);
	for (i = 0; i < ccshm_stats_count(stats); i++) {
		const char *name = ccshm_stats_name(stats, i);
		bool set = !strcmp(name, "bytes_shared") ||
			   !strcmp(name, "conversions_private") ||
			   !strcmp(name, "quota_refused") ||
			   !strcmp(name, "buffers_made") ||
			   !strcmp(name, "events_lost") ||
			   !strcmp(name, "events_suppressed");

		ck_assert_uint_eq(ccshm_stats_value(stats, i), set ? 102 + i : 0);
	}
	ccshm_stats_free(stats);
	fake_fail_ioctl(CCSHM_IOC_INFO, -EIO);
	ck_assert_int_eq(ccshm_stats_get_seam(&fake_seam, &stats), -EIO);
	ck_assert_ptr_null(stats);
}
END_TEST

START_TEST(object_of_a_descriptor)
{
	struct ccshm_attachment *att;
	struct ccshm_status *st;
	struct ccshm_buffer *buffer;
	struct ccshm_export *exp;

	handle = fake_handle();
	buffer = fake_buffer(handle, 2);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL, &att), 0);
	ck_assert_int_eq(ccshm_status_get_fd(handle, ccshm_export_fd(exp), &st), 0);
	ck_assert_uint_eq(ccshm_status_id(st), ccshm_export_id(exp));
	ck_assert(!ccshm_status_is_holder(st));
	ccshm_status_free(st);
	fake.holder = true;
	ck_assert_int_eq(ccshm_status_get_fd(handle, ccshm_attachment_fd(att), &st), 0);
	ck_assert_uint_eq(ccshm_status_id(st), ccshm_attachment_id(att));
	ck_assert(ccshm_status_is_holder(st));
	ccshm_status_free(st);
	ck_assert_int_eq(ccshm_status_get_fd(handle, ccshm_fd(handle), &st), -EMEDIUMTYPE);
	ck_assert_ptr_null(st);
	ck_assert_int_eq(ccshm_status_get_fd(handle, -1, &st), -EBADF);
	ck_assert_ptr_null(st);
	ccshm_attachment_detach(att);
	ccshm_attachment_close(att);
	ccshm_export_close(exp);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

static void add(Suite *suite)
{
	TCase *t = unit_case(suite, "list");

	tcase_add_loop_test(t, empty_list, CCSHM_TYPE_BUFFER, CCSHM_TYPE_ATTACHMENT + 1);
	tcase_add_test(t, objects);
	tcase_add_loop_test(t, importers, 0, FAKE_IMPORTERS + 1);
	tcase_add_loop_test(t, changed_list_is_repeated, 0, 9);
	tcase_add_test(t, new_objects_are_not_listed);
	tcase_add_test(t, list_fails);
	tcase_add_loop_test(t, list_fails_anywhere, 0, 3);
	tcase_add_test(t, statistics);
	tcase_add_test(t, object_of_a_descriptor);
}

int main(void)
{
	return unit_main("list", add);
}
