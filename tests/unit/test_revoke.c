// SPDX-License-Identifier: GPL-2.0-only
/* Revoke: deadlines, signals, and when the result is set. */
#include "fake.h"

#define SECOND	1000000000LL

static struct ccshm *handle;
static struct ccshm_buffer *buffer;
static struct ccshm_revoke_result *result;

static void setup(void)
{
	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	result = page_end(sizeof(*result));
	memset(result, 0xee, sizeof(*result));
	fake.revoke.state = CCSHM_STATE_REVOKED;
	fake.revoke.device_mappings = 3;
	fake.revoke.pages = 0x100000001ULL;
	fake.revoke.revoked = 5;
	fake.revoke.stopped = 7;
	fake.count[FAKE_IOCTL] = 0;
}

static void teardown(void)
{
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static int do_revoke(int64_t timeout_ns, uint64_t flags)
{
	return ccshm_buffer_revoke(buffer, timeout_ns, flags, result);
}

static void check_result(void)
{
	static const uint64_t zero[4];

	ck_assert_uint_eq(result->state, fake.revoke.state);
	ck_assert_uint_eq(result->device_mappings, 3);
	ck_assert_uint_eq(result->pages, 0x100000001ULL);
	ck_assert_uint_eq(result->revoked, 5);
	ck_assert_uint_eq(result->stopped, 7);
	ck_assert_mem_eq(result->reserved, zero, sizeof(zero));
}

static void check_no_result(void)
{
	static const struct ccshm_revoke_result zero;

	ck_assert_mem_eq(result, &zero, sizeof(zero));
}

START_TEST(revoke_returns_the_result)
{
	ck_assert_int_eq(do_revoke(0, 0), 0);
	ck_assert_uint_eq(fake.got.revoke.id, ccshm_buffer_id(buffer));
	ck_assert_uint_eq(fake.got.revoke.flags, 0);
	check_result();
	ck_assert_int_eq(ccshm_buffer_revoke(buffer, 0, 0, NULL), 0);
	ck_assert_int_eq(ccshm_revoke(handle, ccshm_buffer_id(buffer), 0, 0,
				      result), 0);
	check_result();
}
END_TEST

static const struct {
	int64_t timeout;
	uint64_t flags;
	int64_t now;
	int64_t deadline;
} deadlines[] = {
	{ 0, 0, 50, 0 },
	{ -1, 0, 50, -1 },
	{ 1, 0, 50, 51 },
	{ 3 * SECOND, 0, SECOND, 4 * SECOND },
	{ INT64_MAX, 0, 50, INT64_MAX },
	{ INT64_MAX - 50, 0, 50, INT64_MAX },
	{ INT64_MAX - 51, 0, 50, INT64_MAX - 1 },
	{ 0, CCSHM_REVOKE_DEADLINE, 50, 0 },
	{ -1, CCSHM_REVOKE_DEADLINE, 50, -1 },
	{ 20, CCSHM_REVOKE_DEADLINE, 50, 20 },
	{ INT64_MAX, CCSHM_REVOKE_DEADLINE, 50, INT64_MAX },
};

START_TEST(timeout_becomes_a_deadline)
{
	fake.now = deadlines[_i].now;
	ck_assert_int_eq(do_revoke(deadlines[_i].timeout, deadlines[_i].flags), 0);
	ck_assert_int_eq(fake.got.revoke.deadline_ns, deadlines[_i].deadline);
	ck_assert_uint_eq(fake.got.revoke.flags, 0);
}
END_TEST

START_TEST(bad_timeouts)
{
	ck_assert_int_eq(do_revoke(-2, 0), -EINVAL);
	check_no_result();
	ck_assert_int_eq(do_revoke(INT64_MIN, CCSHM_REVOKE_DEADLINE), -EINVAL);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
}
END_TEST

START_TEST(no_clock)
{
	fake_fail(FAKE_NOW, 0, -EINVAL);
	ck_assert_int_eq(do_revoke(1, 0), -EINVAL);
	check_no_result();
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
	/* These timeouts need no clock. */
	fake_fail(FAKE_NOW, 0, -EINVAL);
	ck_assert_int_eq(do_revoke(0, 0), 0);
	ck_assert_int_eq(do_revoke(-1, 0), 0);
}
END_TEST

START_TEST(flags_are_passed_to_the_driver)
{
	ck_assert_int_eq(do_revoke(0, CCSHM_REVOKE_FORCE |
				   CCSHM_REVOKE_INTERRUPTIBLE |
				   CCSHM_REVOKE_DEADLINE), 0);
	ck_assert_uint_eq(fake.got.revoke.flags, CCSHM_REVOKE_FORCE);
	/* The library passes unknown flags to the driver. */
	ck_assert_int_eq(do_revoke(0, 1ULL << 30), -EINVAL);
	ck_assert_uint_eq(fake.got.revoke.flags, 1ULL << 30);
	check_no_result();
	fake.no_rawio = true;
	ck_assert_int_eq(do_revoke(0, CCSHM_REVOKE_FORCE), -EPERM);
	check_no_result();
}
END_TEST

static const int with_result[] = { -ETIMEDOUT, -EBUSY, -EIO };

START_TEST(failure_with_result)
{
	fake.revoke_error = with_result[_i];
	fake.revoke.state = CCSHM_STATE_REVOKING;
	ck_assert_int_eq(do_revoke(5, 0), with_result[_i]);
	check_result();
	/* A second call continues the revoke with a new deadline. */
	fake.revoke_error = 0;
	fake.revoke.state = CCSHM_STATE_REVOKED;
	ck_assert_int_eq(do_revoke(5, 0), 0);
	check_result();
}
END_TEST

static const int without_result[] = {
	-EINVAL, -ENOENT, -EPERM, -EFAULT, -ENOMEM,
};

START_TEST(failure_without_result)
{
	fake_fail_ioctl(CCSHM_IOC_REVOKE, without_result[_i]);
	ck_assert_int_eq(do_revoke(5, 0), without_result[_i]);
	check_no_result();
}
END_TEST

/* The deadline is computed once, even if the ioctl is repeated. */
START_TEST(interrupted_call_keeps_the_deadline)
{
	fake.revoke_interrupts = 3;
	ck_assert_int_eq(do_revoke(SECOND, 0), 0);
	check_result();
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 4);
	ck_assert_uint_eq(fake.count[FAKE_NOW], 1);
	ck_assert_int_eq(fake.got.revoke.deadline_ns, fake.now + SECOND);
	/* The results of interrupted calls are not passed to the next call. */
	ck_assert_uint_eq(fake.got.revoke.state, 0);
	ck_assert_uint_eq(fake.got.revoke.pages, 0);
}
END_TEST

START_TEST(interruptible)
{
	int64_t end = fake.now + SECOND;

	fake.revoke_interrupts = 1;
	ck_assert_int_eq(do_revoke(SECOND, CCSHM_REVOKE_INTERRUPTIBLE), -EINTR);
	check_no_result();
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 1);

	fake.revoke_interrupts = 1;
	ck_assert_int_eq(do_revoke(end, CCSHM_REVOKE_INTERRUPTIBLE |
				     CCSHM_REVOKE_DEADLINE), -EINTR);
	fake.now += SECOND / 2;
	ck_assert_int_eq(do_revoke(end, CCSHM_REVOKE_INTERRUPTIBLE |
				     CCSHM_REVOKE_DEADLINE), 0);
	ck_assert_int_eq(fake.got.revoke.deadline_ns, end);
	check_result();
}
END_TEST

START_TEST(by_descriptor)
{
	struct ccshm_export *exp;

	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	ck_assert_int_eq(ccshm_revoke_fd(handle, ccshm_export_fd(exp), 0,
					 CCSHM_REVOKE_SEAL, result), 0);
	check_result();
	ck_assert_uint_eq(fake.got.revoke.id, 0);
	ck_assert_int_eq(fake.got.revoke.fd, ccshm_export_fd(exp));
	ck_assert_uint_eq(fake.got.revoke.flags,
			  CCSHM_REVOKE_SEAL | CCSHM_REVOKE_BY_FD);
	ck_assert_int_eq(ccshm_revoke_fd(handle, -1, 0, 0, result), -EBADF);
	check_no_result();
	/* The call has no descriptor: with the flag the driver would use descriptor 0. */
	fake.count[FAKE_IOCTL] = 0;
	ck_assert_int_eq(ccshm_revoke(handle, 0, 0, CCSHM_REVOKE_BY_FD, result),
			 -EINVAL);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
	ccshm_export_close(exp);
}
END_TEST

START_TEST(unknown_object)
{
	ck_assert_int_eq(ccshm_revoke(handle, 0, 0, 0, result), -ENOENT);
	check_no_result();
	ck_assert_int_eq(ccshm_revoke(handle, 999, 0, 0, NULL), -ENOENT);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "revoke");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, revoke_returns_the_result);
	tcase_add_loop_test(tests, timeout_becomes_a_deadline, 0, COUNT(deadlines));
	tcase_add_test(tests, bad_timeouts);
	tcase_add_test(tests, no_clock);
	tcase_add_test(tests, flags_are_passed_to_the_driver);
	tcase_add_loop_test(tests, failure_with_result, 0, COUNT(with_result));
	tcase_add_loop_test(tests, failure_without_result, 0,
			    COUNT(without_result));
	tcase_add_test(tests, interrupted_call_keeps_the_deadline);
	tcase_add_test(tests, interruptible);
	tcase_add_test(tests, by_descriptor);
	tcase_add_test(tests, unknown_object);
}

int main(void)
{
	return unit_main("revoke", add);
}
