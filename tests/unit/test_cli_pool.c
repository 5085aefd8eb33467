// SPDX-License-Identifier: GPL-2.0-only
/* ccshmctl pool, on the fake driver and on temporary files for /sys. */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"
#include "fake-root.h"

#define SYSFS	"/sys/class/misc/ccshm/"
#define MAX	SYSFS "pool_max_bytes"
#define MIN	SYSFS "pool_min_bytes"
#define IDLE	SYSFS "pool_idle_bytes"

/* A driver without a pool in use: the sizes are 0. */
static void setup(void)
{
	fake_setup();
	cli_reset();
	top_make();
	put(MAX, "0\n");
	put(MIN, "0\n");
	put(IDLE, "0\n");
}

static void teardown(void)
{
	top_remove();
	fake_teardown();
}

/* Compare the content of a file. ccshmctl does not truncate it: sysfs has no such files. */
static void check_file(const char *file, const char *text)
{
	shell("test \"$(cat %s%s)\" = '%s'", file, text);
}

static void check_unchanged(void)
{
	check_file(MAX, "0");
	check_file(MIN, "0");
}

static void check_error(int code, int expected, const char *text)
{
	ck_assert_msg(code == expected, "exit %d: %s", code, cli.err);
	ck_assert_str_eq(cli.out, "");
	ck_assert_msg(strstr(cli.err, text) != NULL, "no \"%s\" in: %s", text, cli.err);
}

/* ---- sizes are printed and set ---- */

START_TEST(sizes_are_printed)
{
	put(MAX, "16777216\n");
	put(MIN, "4194304\n");
	put(IDLE, "6291456\n");
	ck_assert_int_eq(cli_run("pool", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  16M\nmin bytes  4M\nidle bytes 6M\n");
	ck_assert_str_eq(cli.err, "");
	ck_assert_int_eq(cli_run("pool", "--bytes", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  16777216\nmin bytes  4194304\nidle bytes 6291456\n");
	ck_assert_int_eq(cli_run("pool", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"pool\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"max_bytes\": 16777216"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"min_bytes\": 4194304"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"idle_bytes\": 6291456"));
}
END_TEST

START_TEST(sizes_are_printed_without_device)
{
	fake.no_access = true;
	ck_assert_int_eq(cli_run("pool", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  0\nmin bytes  0\nidle bytes 0\n");
}
END_TEST

START_TEST(sizes_are_set)
{
	ck_assert_int_eq(cli_run("pool", "--max=1.5G", "--min", "0x400000", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  1.5G\nmin bytes  4M\nidle bytes 0\n");
	ck_assert_str_eq(cli.err, "");
	check_file(MAX, "1610612736");
	check_file(MIN, "4194304");
}
END_TEST

START_TEST(one_size_is_set)
{
	ck_assert_int_eq(cli_run("pool", "-x", "16M", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  16M\nmin bytes  0\nidle bytes 0\n");
	put(MAX, "9\n");
	put(MIN, "9\n");
	ck_assert_int_eq(cli_run("pool", "-x0", NULL), 0);
	check_file(MAX, "0");
	check_file(MIN, "9");
	put(MAX, "9\n");
	ck_assert_int_eq(cli_run("pool", "--min=0", NULL), 0);
	check_file(MAX, "9");
	check_file(MIN, "0");
}
END_TEST

/* A minimum above the current maximum is valid: the driver then applies the maximum. */
START_TEST(min_above_the_current_max_is_set)
{
	ck_assert_int_eq(cli_run("pool", "--min=4M", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  0\nmin bytes  4M\nidle bytes 0\n");
	ck_assert_str_eq(cli.err, "");
	put(MIN, "0\n");
	ck_assert_int_eq(cli_run("pool", "--min=4M", "--max=4M", NULL), 0);
	ck_assert_str_eq(cli.out, "max bytes  4M\nmin bytes  4M\nidle bytes 0\n");
}
END_TEST

/* ---- invalid arguments change nothing ---- */

static const struct {
	const char *args[2];
	const char *says;
} wrong[] = {
	{ { "--max=4M", "--min=x" }, "--min: 'x' is not a size" },
	{ { "--min=4M", "--max=" }, "--max: '' is not a size" },
	{ { "--max=max" }, "--max: 'max' is not a size" },
	{ { "--max=-2M" }, "--max: '-2M' is not a size" },
	{ { "--max=4MB" }, "--max: '4MB' is not a size" },
	{ { "--max=16E" }, "--max: '16E' is too large" },
	{ { "--max=8E" }, "--max: '8E' is too large" },
	{ { "--max=4M", "--min=8E" }, "--min: '8E' is too large" },
	{ { "--max=4M", "--min=6M" }, "--min: 6M is more than --max, which is 4M" },
	{ { "--min=1", "--max=0" }, "--min: 1 is more than --max, which is 0" },
	{ { "--max=4M", "4M" }, "unexpected argument: 4M" },
	{ { "--max=4M", "--idle=4M" }, "" },
};

START_TEST(invalid_argument_changes_nothing)
{
	const char *const *a = wrong[_i].args;

	check_error(cli_run("pool", a[0], a[1], NULL), EXIT_USAGE, wrong[_i].says);
	check_unchanged();
}
END_TEST

/* ---- errors ---- */

START_TEST(no_driver)
{
	shell("rm -r %s%s%s", SYSFS, "");
	fake.no_driver = true;
	check_error(cli_run("pool", NULL), EXIT_NO_DRIVER,
		    "cannot open " CCSHM_DEVICE ": the module is not loaded");
	check_error(cli_run("pool", "--max=4M", NULL), EXIT_NO_DRIVER,
		    "cannot open " CCSHM_DEVICE ": the module is not loaded");
}
END_TEST

START_TEST(no_sysfs)
{
	shell("rm -r %s%s%s", SYSFS, "");
	check_error(cli_run("pool", NULL), EXIT_FAILED,
		    "cannot read /sys/class/misc/ccshm: the driver is loaded, but sysfs is not mounted");
	check_error(cli_run("pool", "--min=0", NULL), EXIT_FAILED,
		    "cannot change /sys/class/misc/ccshm: the driver is loaded, but sysfs is not mounted");
}
END_TEST

START_TEST(driver_without_pool)
{
	put(SYSFS "limit_user_bytes", "max\n");
	shell("rm %s%s/pool_*%s", SYSFS, "");
	check_error(cli_run("pool", NULL), EXIT_FAILED,
		    "cannot read " MAX ": the driver is too old to have a pool; install the driver of a newer release");
	check_error(cli_run("pool", "--min=0", NULL), EXIT_FAILED,
		    "cannot change " MIN ": the driver is too old to have a pool; install the driver of a newer release");
}
END_TEST

START_TEST(unreadable_size)
{
	put(IDLE, "some\n");
	check_error(cli_run("pool", NULL), EXIT_FAILED, "cannot read " IDLE ": Invalid argument");
}
END_TEST

static const char needs_capability[] =
	": it needs CAP_SYS_RESOURCE in the initial user namespace; run as root, outside of containers";

static void check_refused(const char *file)
{
	char text[256];

	snprintf(text, sizeof(text), "cannot change %s%s", file, needs_capability);
	check_error(cli_run("pool", "--min=2M", "--max=4M", NULL), EXIT_PERMISSION, text);
}

/* If the maximum is refused, the minimum stays. If the minimum is refused, the maximum was set. */
START_TEST(write_without_capability_EPERM)
{
	put_refusing(MAX);
	check_refused(MAX);
	check_file(MIN, "0");
	shell("rm %s%s%s", MAX, "");
	put(MAX, "0\n");
	put_refusing(MIN);
	check_refused(MIN);
	check_file(MAX, "4194304");
}
END_TEST

/* Let the modes of files apply to root also. */
static void drop_override(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	ck_assert_int_eq(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1U << CAP_DAC_OVERRIDE);
	ck_assert_int_eq(syscall(SYS_capset, &header, caps), 0);
}

START_TEST(write_of_read_only_file_EACCES)
{
	shell("chmod 444 %s%s/pool_*%s", SYSFS, "");
	drop_override();
	check_error(cli_run("pool", "--max=4M", NULL), EXIT_PERMISSION,
		    "cannot change " MAX ": only root may change it; run as root");
	check_error(cli_run("pool", "--min=0", NULL), EXIT_PERMISSION,
		    "cannot change " MIN ": only root may change it; run as root");
	check_unchanged();
	ck_assert_int_eq(cli_run("pool", NULL), 0);
}
END_TEST

START_TEST(full_output_fails)
{
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("pool", "--max=4M", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "cannot write standard output: No space left"));
	check_file(MAX, "4194304");
}
END_TEST

static void add(Suite *suite)
{
	TCase *c = tcase_create("pool");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, sizes_are_printed);
	tcase_add_test(c, sizes_are_printed_without_device);
	tcase_add_test(c, sizes_are_set);
	tcase_add_test(c, one_size_is_set);
	tcase_add_test(c, min_above_the_current_max_is_set);
	tcase_add_loop_test(c, invalid_argument_changes_nothing, 0,
			    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(c, no_driver);
	tcase_add_test(c, no_sysfs);
	tcase_add_test(c, driver_without_pool);
	tcase_add_test(c, unreadable_size);
	tcase_add_test(c, write_without_capability_EPERM);
	tcase_add_test(c, write_of_read_only_file_EACCES);
	tcase_add_test(c, full_output_fails);
	suite_add_tcase(suite, c);
}

int main(void)
{
	return unit_main("cli_pool", add);
}
