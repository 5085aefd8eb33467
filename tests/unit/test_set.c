// SPDX-License-Identifier: GPL-2.0-only
/* Changing a buffer: the arguments for the driver, and the driver's results. */
#include "fake.h"

static struct ccshm *handle;
static struct ccshm_set_options *options;
static struct ccshm_buffer *buffer;

static void setup(void)
{
	handle = fake_handle();
	ck_assert_int_eq(ccshm_set_options_new(&options), 0);
	/* Create another buffer first, so that the id of the tested one is not 1. */
	ccshm_buffer_close(fake_named(handle, "other"));
	buffer = fake_named(handle, "ring");
}

static void teardown(void)
{
	ccshm_set_options_free(options);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

/* Check that the library makes exactly this call. */
static void check_set(const struct ccshm_ioc_set *wanted)
{
	fake.count[FAKE_IOCTL] = 0;
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), 0);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 1);
	ck_assert_uint_eq(fake.got_request, CCSHM_IOC_SET);
	ck_assert_int_eq(fake.got_fd, ccshm_fd(handle));
	ck_assert_uint_eq(fake.got.set.id, ccshm_buffer_id(buffer));
	ck_assert_uint_eq(fake.got.set.flags, wanted->flags);
	ck_assert_uint_eq(fake.got.set.uid, wanted->uid);
	ck_assert_uint_eq(fake.got.set.gid, wanted->gid);
	ck_assert_uint_eq(fake.got.set.mode, wanted->mode);
	ck_assert_uint_eq(fake.got.set.sealed, wanted->sealed);
	ck_assert_uint_eq(fake.got.set.reserved, 0);
	ck_assert_mem_eq(fake.got.set.name, wanted->name, sizeof(wanted->name));
}

static void fresh(void)
{
	ccshm_set_options_free(options);
	ck_assert_int_eq(ccshm_set_options_new(&options), 0);
}

/* Each option sets its own flag, and leaves the other fields 0. */
START_TEST(one_change)
{
	ccshm_set_options_set_mode(options, 0640);
	check_set(&(struct ccshm_ioc_set){ .flags = CCSHM_SET_MODE, .mode = 0640 });
	fresh();
	ccshm_set_options_set_group(options, 7);
	check_set(&(struct ccshm_ioc_set){ .flags = CCSHM_SET_GID, .gid = 7 });
	fresh();
	ccshm_set_options_set_owner(options, 4000000000U);
	check_set(&(struct ccshm_ioc_set){ .flags = CCSHM_SET_UID, .uid = 4000000000U });
	fresh();
	ck_assert_int_eq(ccshm_set_options_set_name(options, "rx"), 0);
	check_set(&(struct ccshm_ioc_set){ .flags = CCSHM_SET_NAME, .name = "rx" });
	fresh();
	ccshm_set_options_set_sealed(options, true);
	check_set(&(struct ccshm_ioc_set){ .flags = CCSHM_SET_SEALED, .sealed = 1 });
}
END_TEST

/* Setting a value to 0 is a change. */
START_TEST(change_to_zero)
{
	ccshm_set_options_set_mode(options, 0);
	ccshm_set_options_set_group(options, 0);
	ccshm_set_options_set_owner(options, 0);
	ck_assert_int_eq(ccshm_set_options_set_name(options, NULL), 0);
	ccshm_set_options_set_sealed(options, false);
	check_set(&(struct ccshm_ioc_set){
		.flags = CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID |
			 CCSHM_SET_NAME | CCSHM_SET_SEALED });
}
END_TEST

/* The last value replaces earlier ones completely; the options can be used again. */
START_TEST(all_changes)
{
	const struct ccshm_ioc_set wanted = {
		.flags = CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID |
			 CCSHM_SET_NAME | CCSHM_SET_SEALED,
		.uid = 5, .gid = 6, .mode = 0660, .sealed = 1, .name = "b",
	};
	struct ccshm_status *st;

	ccshm_set_options_set_mode(options, 0600);
	ccshm_set_options_set_mode(options, 0660);
	ccshm_set_options_set_group(options, 1);
	ccshm_set_options_set_group(options, 6);
	ccshm_set_options_set_owner(options, 1);
	ccshm_set_options_set_owner(options, 5);
	ck_assert_int_eq(ccshm_set_options_set_name(options, "longer"), 0);
	ck_assert_int_eq(ccshm_set_options_set_name(options, "b"), 0);
	ccshm_set_options_set_sealed(options, false);
	ccshm_set_options_set_sealed(options, true);
	check_set(&wanted);
	check_set(&wanted);
	ck_assert_int_eq(ccshm_buffer_status(buffer, &st), 0);
	ck_assert_str_eq(ccshm_status_name(st), "b");
	ck_assert_uint_eq(ccshm_status_owner(st), 5);
	ck_assert_uint_eq(ccshm_status_group(st), 6);
	ck_assert_uint_eq(ccshm_status_mode(st), 0660);
	ck_assert(ccshm_status_is_sealed(st));
	ccshm_status_free(st);
}
END_TEST

/* A name has at most 63 characters; a longer name does not change the options. */
START_TEST(name_lengths)
{
	struct ccshm_ioc_set wanted = { .flags = CCSHM_SET_NAME };
	char name[CCSHM_NAME_LEN + 1];

	memset(name, 'n', sizeof(name));
	name[CCSHM_NAME_LEN] = '\0';
	ck_assert_int_eq(ccshm_set_options_set_name(options, name), -EINVAL);
	/* The options still have no change. */
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -EINVAL);
	ck_assert_uint_eq(fake.got.set.flags, 0);
	name[CCSHM_NAME_LEN - 1] = '\0';
	ck_assert_int_eq(ccshm_set_options_set_name(options, name), 0);
	strcpy(wanted.name, name);
	check_set(&wanted);
	name[CCSHM_NAME_LEN - 1] = 'n';
	ck_assert_int_eq(ccshm_set_options_set_name(options, name), -EINVAL);
	check_set(&wanted);
}
END_TEST

/* The driver, not the library, checks the values. */
START_TEST(the_driver_refuses)
{
	struct ccshm_buffer *anonymous = fake_buffer(handle, 1);

	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -EINVAL);
	ccshm_set_options_set_mode(options, 0777);
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -EINVAL);
	ck_assert_uint_eq(fake.got.set.mode, 0777);
	ccshm_set_options_set_mode(options, 0600);
	ck_assert_int_eq(ccshm_buffer_set(anonymous, options), -EINVAL);
	ck_assert_int_eq(ccshm_set_options_set_name(options, "other"), 0);
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -EEXIST);
	fake.no_control = true;
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -EPERM);
	fake.no_control = false;
	ck_assert_int_eq(ccshm_buffer_free(buffer), 0);
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), -ENOENT);
	ccshm_buffer_close(anonymous);
}
END_TEST

static const int errors[] = {
	-EINVAL, -ENOENT, -EPERM, -EEXIST, -ENOTTY, -EBADF, -EFAULT, -ENOMEM,
};

START_TEST(errors_pass_through)
{
	ccshm_set_options_set_sealed(options, true);
	fake_fail_ioctl(CCSHM_IOC_SET, errors[_i]);
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), errors[_i]);
	/* The failure has not changed the options. */
	ck_assert_int_eq(ccshm_buffer_set(buffer, options), 0);
}
END_TEST

START_TEST(no_memory)
{
	struct ccshm_set_options *none = options;

	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_set_options_new(&none), -ENOMEM);
	ck_assert_ptr_null(none);
	ccshm_set_options_free(NULL);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "set");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, one_change);
	tcase_add_test(tests, change_to_zero);
	tcase_add_test(tests, all_changes);
	tcase_add_test(tests, name_lengths);
	tcase_add_test(tests, the_driver_refuses);
	tcase_add_loop_test(tests, errors_pass_through, 0, COUNT(errors));
	tcase_add_test(tests, no_memory);
}

int main(void)
{
	return unit_main("set", add);
}
