// SPDX-License-Identifier: GPL-2.0-only
/* After an EINVAL, or when a limit refuses a call, ccshmctl names the one cause. */
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"
#include "fake-root.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;

#define NODES	"/sys/devices/system/node/"

/* Set up a machine with NUMA nodes 0, 1 and 2 (2 has no memory), and a buffer of one page. */
static void setup(void)
{
	fake_setup();
	cli_reset();
	top_make();
	put(NODES "online", "0-2\n");
	put(NODES "has_memory", "0-1\n");
	put("/proc/self/status", "Name:\tccshmctl\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	put("/proc/self/uid_map", "         0          0 4294967295\n");
	put("/proc/self/gid_map", "         0          0 4294967295\n");
	handle = fake_handle();
	buffer = fake_named(handle, "one");
}

static void teardown(void)
{
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
	top_remove();
	fake_teardown();
}

static void check_said(int code, const char *text)
{
	ck_assert_int_eq(cli.code, code);
	ck_assert_str_eq(cli.out, "");
	ck_assert_msg(!strcmp(cli.err, text), "not \"%s\" but: %s", text, cli.err);
}

/* ---- alloc ---- */

static const struct {
	const char *node;
	const char *says;
} nodes[] = {
	{ "3", "there is no NUMA node 3; this machine has 0-2" },
	{ "63", "there is no NUMA node 63; this machine has 0-2" },
	{ "2", "NUMA node 2 has no memory; these have: 0-1" },
	{ "1", "NUMA node 1 is not in the cpuset of this process, which has 0" },
	{ "0", "the driver does not know one of the options; install ccshmctl and driver of the same release" },
};

START_TEST(alloc_node)
{
	char text[256];

	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	cli_run("alloc", "4K", "--node", nodes[_i].node, NULL);
	snprintf(text, sizeof(text), "ccshmctl: cannot allocate 4K: %s\n", nodes[_i].says);
	check_said(EXIT_FAILED, text);
}
END_TEST

/* A kernel without NUMA has no files of nodes; its node is 0. */
START_TEST(alloc_no_numa)
{
	shell("rm -r %s/sys%s%s", "", "");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	cli_run("alloc", "4K", "--node", "1", NULL);
	check_said(EXIT_FAILED,
		   "ccshmctl: cannot allocate 4K: there is no NUMA node 1; this machine has 0\n");
}
END_TEST

/* The user namespace maps a few users and groups. */
START_TEST(alloc_owner)
{
	put("/proc/self/uid_map", "0 100000 1000\n5000 200000 1\n");
	put("/proc/self/gid_map", "0 100000 10\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	cli_run("alloc", "4K", "-n", "two", "-o", "1000", NULL);
	check_said(EXIT_FAILED, "ccshmctl: cannot allocate 4K as two: the user 1000 is not mapped in this user namespace\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	cli_run("alloc", "4K", "-o", "5000", "-g", "10", NULL);
	check_said(EXIT_FAILED, "ccshmctl: cannot allocate 4K: the group 10 is not mapped in this user namespace\n");
	fake_fail_ioctl(CCSHM_IOC_SET, -EINVAL);
	cli_run("set", "one", "-o", "1000", NULL);
	check_said(EXIT_FAILED, "ccshmctl: cannot change one: the user 1000 is not mapped in this user namespace\n");
	fake_fail_ioctl(CCSHM_IOC_SET, -EINVAL);
	cli_run("set", "one", "-o", "999", NULL);
	check_said(EXIT_FAILED, "ccshmctl: cannot change one: this buffer is not persistent: only --seal and --unseal are possible\n");
}
END_TEST

/*
 * The user has 2 MiB and 4 MiB of leaked memory; the limits are 8 MiB and 100 buffers. All users
 * together have 10 MiB of at most 16 MiB.
 */
static const struct {
	const char *size, *option;
	int err;
	bool leaked;
	unsigned int buffers;
	const char *says;
} leaks[] = {
	{ "4M", NULL, -EDQUOT, true, 1, "4M of your memory could not be made private again, and counts against limit_user_bytes until the machine restarts" },
	{ "5M", NULL, -EDQUOT, true, 1, "4M of your memory could not be made private again, and counts against limit_user_bytes" },
	{ "6M", "--contiguous", -EDQUOT, true, 1, "this would exceed your per-user limit" },
	{ "4M", "--contiguous", -EDQUOT, true, 1, "4M of your memory could not be made private again, and counts against limit_user_bytes" },
	{ "6148K", NULL, -EDQUOT, true, 1, "this would exceed your per-user limit" },
	{ "4K", NULL, -EDQUOT, true, 100, "this would exceed your per-user limit" },
	{ "4M", NULL, -EDQUOT, false, 1, "this would exceed your per-user limit" },
	{ "6M", NULL, -ENOSPC, true, 100, "4M of your memory could not be made private again, and counts against limit_total_bytes until the machine restarts" },
	{ "8M", NULL, -ENOSPC, true, 1, "this would exceed the limit of all users together" },
	{ "6M", NULL, -ENOSPC, false, 1, "this would exceed the limit of all users together" },
};

START_TEST(alloc_leaked)
{
	fake.info.block_size = 2 << 20;
	fake.info.user_bytes = 2 << 20;
	fake.info.user_bytes_leaked = leaks[_i].leaked ? 4 << 20 : 0;
	fake.info.limit_user_bytes = 8 << 20;
	fake.info.user_buffers = leaks[_i].buffers;
	fake.info.limit_user_buffers = 100;
	fake.info.used_bytes = 10 << 20;
	fake.info.limit_total_bytes = 16 << 20;
	fake_fail_ioctl(CCSHM_IOC_ALLOC, leaks[_i].err);
	cli_run("alloc", leaks[_i].size, leaks[_i].option, NULL);
	ck_assert_int_eq(cli.code, EXIT_FAILED);
	ck_assert_msg(strstr(cli.err, leaks[_i].says), "not \"%s\" but: %s", leaks[_i].says, cli.err);
}
END_TEST

START_TEST(alloc_size)
{
	cli_run("alloc", "8E", NULL);
	ck_assert_int_eq(cli.code, EXIT_USAGE);
	ck_assert_ptr_nonnull(strstr(cli.err, "SIZE: '8E' is too large\n"));
	/* The program passes every size that fits into 64 bits to the driver. */
	cli_run("alloc", "7.5E", NULL);
	ck_assert_int_eq(cli.code, EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "not enough memory"));
}
END_TEST

/* ---- export, attach, read ---- */

static const struct {
	const char *args[10];
	const char *says;
} slices[] = {
	{ { "export", "one", "-O", "4K", "--", "true" },
	  "cannot export one: --offset is not before its end, at 4K" },
	{ { "export", "one", "-O", "8K", "-l", "4K", "--", "true" },
	  "cannot export one: --offset is not before its end, at 4K" },
	{ { "export", "one", "-l", "8K", "--", "true" },
	  "cannot export one: --length goes beyond its end, at 4K" },
	{ { "export", "one", "-l", "0xfffffffffffff000", "--", "true" },
	  "cannot export one: --length goes beyond its end, at 4K" },
	{ { "export", "2", "-O", "4K", "-l", "8K", "--", "true" },
	  "cannot export 2: --length goes beyond its end, at 8K" },
	{ { "attach", "one", FAKE_DEVICE, "-O", "4K", "--", "true" },
	  "cannot attach one to " FAKE_DEVICE ": --offset is not before its end, at 4K" },
	{ { "attach", "one", FAKE_DEVICE, "-l", "8K", "-p" },
	  "cannot attach one to " FAKE_DEVICE ": --length goes beyond its end, at 4K" },
	{ { "attach", "one", "platform:serial8250", "--", "true" },
	  "cannot attach one to platform:serial8250: only PCI devices can be attached, and this is a platform device" },
	{ { "attach", "one", "virtio:virtio2", "-p" },
	  "cannot attach one to virtio:virtio2: only PCI devices can be attached, and this is a virtio device" },
	{ { "attach", "2", FAKE_DEVICE, "-p" },
	  "cannot attach 2 to " FAKE_DEVICE ": --persistent is for persistent buffers, and this one ends with the program that allocated it" },
	{ { "read", "one", "-O", "8K" },
	  "cannot read one: --offset is beyond its end, at 4K" },
	{ { "read", "one", "-O", "1K", "-l", "4K" },
	  "cannot read one: --length goes beyond its end, at 4K" },
};

START_TEST(slice)
{
	const char *const *a = slices[_i].args;
	struct ccshm_buffer *anonymous;
	char text[256];

	ck_assert_int_eq(ccshm_buffer_alloc(handle, 2 * PAGE, NULL, &anonymous), 0);
	ck_assert_uint_eq(ccshm_buffer_id(anonymous), 2);
	cli_run(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], NULL);
	snprintf(text, sizeof(text), "ccshmctl: %s\n", slices[_i].says);
	check_said(EXIT_FAILED, text);
	ck_assert_uint_eq(cli.attachments, 0);
	ccshm_buffer_close(anonymous);
}
END_TEST

/* ---- a sealed buffer ---- */

static const struct {
	const char *args[6];
	const char *says;
} seals[] = {
	{ { "export", "one", "--", "true" }, "export one" },
	{ { "attach", "one", FAKE_DEVICE, "--", "true" }, "attach one to " FAKE_DEVICE },
	{ { "read", "one" }, "map one" },
	{ { "write", "one" }, "map one" },
};

/* A caller without control is refused because of the seal; one with control is not. */
START_TEST(sealed)
{
	const char *const *a = seals[_i].args;
	struct ccshm_set_options *changes;
	char text[256];

	ck_assert_int_eq(ccshm_set_options_new(&changes), 0);
	ccshm_set_options_set_sealed(changes, true);
	ck_assert_int_eq(ccshm_buffer_set(buffer, changes), 0);
	ccshm_set_options_free(changes);
	fake.no_control = true;
	cli_run(a[0], a[1], a[2], a[3], a[4], NULL);
	snprintf(text, sizeof(text),
		 "ccshmctl: cannot %s: it is sealed; only its owner can create exports and attachments, or unseal it with `ccshmctl set --unseal'\n",
		 seals[_i].says);
	check_said(EXIT_PERMISSION, text);
	fake.no_control = false;
	fake_fail_ioctl(_i == 1 ? CCSHM_IOC_ATTACH : CCSHM_IOC_EXPORT, -EACCES);
	cli_run(a[0], a[1], a[2], a[3], a[4], NULL);
	ck_assert_int_eq(cli.code, EXIT_PERMISSION);
	ck_assert_ptr_null(strstr(cli.err, "sealed"));
}
END_TEST

/* ---- arguments that are not buffers ---- */

static const struct {
	const char *text;
	const char *says;
} buffers[] = {
	{ "2", "it is an export, not a buffer" },
	{ "@3", "it is an attachment, not a buffer" },
	{ "0", "it is neither a name nor an id: an id is a positive number, optionally after @" },
	{ "@one", "it is neither a name nor an id: an id is a positive number, optionally after @" },
	{ "1one", "it is neither a name nor an id: an id is a positive number, optionally after @" },
	{ "on e", "'on e' is not a name: a letter or '_', then letters, digits, '.', '_' or '-'" },
	{ "0/on/e", "'on/e' is not a name: a letter or '_', then letters, digits, '.', '_' or '-'" },
	{ "", "'' is not a name: a letter or '_', then letters, digits, '.', '_' or '-'" },
	{ "/one", "there is no user before the '/'" },
	{ "no-such-user-here/one", "there is no user 'no-such-user-here'" },
	{ "4294967295/one", "there is no user '4294967295'" },
	{ "a123456789b123456789c123456789d123456789e123456789f123456789g123",
	  "'a123456789b123456789c123456789d123456789e123456789f123456789g123' is a name of more than 63 characters" },
};

START_TEST(no_buffer)
{
	struct ccshm_attach_options *options;
	struct ccshm_attachment *attachment;
	struct ccshm_export *exp;
	char text[512];

	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	ck_assert_int_eq(ccshm_attach_options_new(&options), 0);
	ccshm_attach_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options, &attachment), 0);
	cli_run("free", buffers[_i].text, NULL);
	snprintf(text, sizeof(text), "ccshmctl: cannot find %s: %s\n", buffers[_i].text,
		 buffers[_i].says);
	check_said(EXIT_FAILED, text);
	ck_assert_int_eq(ccshm_attachment_detach(attachment), 0);
	ccshm_attachment_close(attachment);
	ccshm_attach_options_free(options);
	ccshm_export_close(exp);
}
END_TEST

#define COUNT(a)	((int)(sizeof(a) / sizeof((a)[0])))

static void add(Suite *suite)
{
	TCase *c = tcase_create("refusals");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, alloc_node, 0, COUNT(nodes));
	tcase_add_test(c, alloc_no_numa);
	tcase_add_test(c, alloc_owner);
	tcase_add_loop_test(c, alloc_leaked, 0, COUNT(leaks));
	tcase_add_test(c, alloc_size);
	tcase_add_loop_test(c, slice, 0, COUNT(slices));
	tcase_add_loop_test(c, sealed, 0, COUNT(seals));
	tcase_add_loop_test(c, no_buffer, 0, COUNT(buffers));
	suite_add_tcase(suite, c);
}

int main(void)
{
	return unit_main("cli_refusals", add);
}
