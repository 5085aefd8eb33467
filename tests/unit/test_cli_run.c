// SPDX-License-Identifier: GPL-2.0-only
/* Whole commands on the fake driver: effects, output, remaining objects, exit codes. */
#include <ctype.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;

/* Create a buffer of one page with the name "one" and id 1. */
static void setup(void)
{
	fake_setup();
	cli_reset();
	handle = fake_handle();
	buffer = fake_named(handle, "one");
	ck_assert_uint_eq(ccshm_buffer_id(buffer), 1);
}

static void teardown(void)
{
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
	fake_teardown();
}

static void check_clean(unsigned int buffers)
{
	ck_assert_uint_eq(cli.buffers, buffers);
	ck_assert_uint_eq(cli.exports, 0);
	ck_assert_uint_eq(cli.attachments, 0);
	ck_assert_uint_eq(cli.files, 1);	/* the handle of the test */
	ck_assert_uint_eq(cli.mappings, 0);
}

#define check_err(text)	\
	ck_assert_msg(strstr(cli.err, text) != NULL, "no \"%s\" in: %s", text, cli.err)

/* ---- usage ---- */

static const struct {
	const char *args[8];
	const char *says;
} wrong[] = {
	{ { NULL }, "a command is missing" },
	{ { "frobnicate" }, "no command 'frobnicate'" },
	{ { "--frobnicate" }, "" },
	{ { "help", "frobnicate" }, "no command 'frobnicate'" },
	{ { "--list-options", "frobnicate" }, "no command 'frobnicate'" },
	{ { "info", "x" }, "unexpected argument: x" },
	{ { "info", "--frobnicate" }, "" },
	{ { "alloc" }, "SIZE is missing" },
	{ { "alloc", "x" }, "'x' is not a size" },
	{ { "alloc", "--", "-4K" }, "'-4K' is not a size" },
	{ { "alloc", "16E" }, "'16E' is too large" },
	{ { "alloc", "0" }, "must not be 0" },
	{ { "alloc", "4K", "8K" }, "unexpected argument: 8K" },
	{ { "alloc", "4K", "--name", "a/b" }, "'a/b' is not a name" },
	{ { "alloc", "4K", "--name", "" }, "is not a name" },
	{ { "alloc", "4K", "--name", "1a" }, "'1a' is not a name" },
	{ { "alloc", "4K", "--mode", "0644x" }, "is not an octal number" },
	{ { "alloc", "4K", "--mode", "0777" }, "is not an octal number" },
	{ { "alloc", "4K", "--mode", "-1" }, "is not an octal number" },
	{ { "alloc", "4K", "--owner", "no-such-user-here" }, "no user" },
	{ { "alloc", "4K", "--group", "no-such-group-here" }, "no group" },
	{ { "alloc", "4K", "--node", "-1" }, "is not a number" },
	{ { "alloc", "4K", "--node", "2147483648" }, "is not a number" },
	{ { "show" }, "BUFFER|ID is missing" },
	{ { "export" }, "BUFFER is missing" },
	{ { "export", "one" }, "a command after --" },
	{ { "export", "one", "--" }, "a command after --" },
	{ { "export", "one", "true" }, "a command follows --" },
	{ { "export", "--offset", "1", "one", "--", "true" }, "page size" },
	{ { "export", "--length", "0", "one", "--", "true" }, "must not be 0" },
	{ { "attach", "one" }, "DEVICE is missing" },
	{ { "attach", "one", FAKE_DEVICE }, "--persistent, is missing" },
	{ { "attach", "-p", "one", FAKE_DEVICE, "--", "true" }, "runs no command" },
	{ { "attach", "-d", "65", "one", FAKE_DEVICE, "--", "true" }, "from 0 to 64" },
	{ { "attach", "-d", "0", "one", FAKE_DEVICE, "--", "true" }, "must not be 0" },
	{ { "attach", "-j", "one", FAKE_DEVICE, "--", "true" }, "nothing is printed" },
	{ { "attach", "-b", "one", FAKE_DEVICE, "--", "true" }, "nothing is printed" },
	{ { "alloc", "-b", "4K" }, "" },
	{ { "doctor", "-b" }, "" },
	{ { "devices", "--bytes" }, "" },
	{ { "revoke", "-b", "one" }, "" },
	{ { "detach", "one" }, "'one' is not the id" },
	{ { "detach", "0" }, "'0' is not the id" },
	{ { "revoke", "one", "-t", "-1" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "nan" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "inf" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "1e3" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "1.2.3" }, "is not a number of seconds" },
	{ { "revoke", "one", "-t", "99999999999" }, "is not a number of seconds" },
	{ { "revoke", "one", "-o", "-f" }, "use one of them" },
	{ { "free", "one", "--wait=x" }, "is not a number of seconds" },
	{ { "free" }, "BUFFER is missing" },
	{ { "set" }, "BUFFER is missing" },
	{ { "set", "one" }, "nothing to change" },
	{ { "set", "one", "-s", "-u" }, "use one of them" },
	{ { "set", "one", "two", "-n", "x" }, "cannot share a name" },
	{ { "set", "one", "-m", "0777" }, "is not an octal number" },
	{ { "read", "one", "--length", "4X" }, "'4X' is not a size" },
	{ { "write", "one", "--length", "4K" }, "" },
	/* Options that getopt() would print without escaping. */
	{ { "--\033x" }, "there is no option '--\\033x'; `ccshmctl --help'" },
	{ { "-\xff", "list" }, "there is no option '-\\377'" },
	{ { "read", "one", "--\033x" }, "no option '--\\033x'; `ccshmctl read --help'" },
	{ { "read", "--off\n=1" }, "no option '--off\\012=1'" },
	{ { "alloc", "4K", "--n=\x9b" }, "no option '--n=\\233'" },
	{ { "alloc", "4K", "-cd\x9b" }, "no option '-cd\\233'" },
	/* Options that argp adds and does not document. */
	{ { "show", "one", "--p=\033x" }, "no option '--p=\\033x'" },
	{ { "show", "--program-name", "\033x" }, "no option '--program-name'" },
	{ { "info", "--prog=\033x" }, "no option '--prog=\\033x'" },
	{ { "info", "--HANG=0" }, "no option '--HANG=0'" },
	{ { "--program-name=\033x" }, "no option '--program-name=\\033x'; `ccshmctl --help'" },
	/* These errors begin with an option's name. */
	{ { "alloc", "4K", "--nam=\x9b" }, "--name: '\\233' is not a name" },
	{ { "alloc", "4K", "-cn\x9b" }, "--name: '\\233' is not a name" },
	{ { "alloc", "4K", "--dma32=\x9b" }, "'--dma32' doesn't allow an argument" },
};

#define PRINTABLE "\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`" \
		  "abcdefghijklmnopqrstuvwxyz{|}~"

START_TEST(usage)
{
	const char *const *a = wrong[_i].args;

	ck_assert_int_eq(cli_run(a[0], a[1], a[2], a[3], a[4], a[5], a[6], NULL),
			 EXIT_USAGE);
	ck_assert_str_eq(cli.out, "");
	check_err("ccshmctl");
	check_err(wrong[_i].says);
	ck_assert_msg(!cli.err[strspn(cli.err, PRINTABLE)], "%s", cli.err);
}
END_TEST

START_TEST(help)
{
	const struct command *cmd;

	ck_assert_int_eq(cli_run("--help", NULL), 0);
	for (cmd = commands; cmd->name; cmd++)
		ck_assert_msg(strstr(cli.out, cmd->summary) != NULL, "%s", cmd->name);
	ck_assert_int_eq(cli_run("help", NULL), 0);
	ck_assert_int_eq(cli_run("-h", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "Commands:"));
	ck_assert_int_eq(cli_run("help", "help", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "Commands:"));
	ck_assert_int_eq(cli_run("--version", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, ccshm_version()));
	fake.no_driver = true;
	for (cmd = commands; cmd->name; cmd++) {
		ck_assert_int_eq(cli_run("help", cmd->name, NULL), 0);
		ck_assert_ptr_nonnull(strstr(cli.out, cmd->args));
		ck_assert_int_eq(cli_run(cmd->name, "-h", NULL), 0);
		ck_assert_ptr_nonnull(strstr(cli.out, cmd->args));
		ck_assert_int_eq(cli_run(cmd->name, "--help", NULL), 0);
		ck_assert_ptr_nonnull(strstr(cli.out, cmd->args));
		ck_assert_str_eq(cli.err, "");
	}
}
END_TEST

START_TEST(help_has_options)
{
	const struct command *cmd = &commands[_i];
	const struct argp_option *opt;
	char needle[64];

	cli_run(cmd->name, "--help", NULL);
	for (opt = cmd->argp->options; opt && opt->name; opt++) {
		snprintf(needle, sizeof(needle), "-%c, --%s", opt->key, opt->name);
		ck_assert_msg(strstr(cli.out, needle) != NULL, "%s", needle);
	}
	ck_assert_int_eq(strstr(cli.out, "--json") != NULL, !!(cmd->flags & CMD_FORMAT));
}
END_TEST

/* ---- the driver ---- */

static const char *const each[][6] = {
	{ "info" }, { "alloc", "4K" }, { "show", "1" }, { "free", "1" },
	{ "export", "1", "--", "true" }, { "attach", "1", FAKE_DEVICE, "--", "true" },
	{ "detach", "1" }, { "revoke", "1" }, { "read", "1" }, { "write", "1" },
};

START_TEST(no_driver)
{
	const char *const *a = each[_i];

	fake.no_driver = true;
	ck_assert_int_eq(cli_run(a[0], a[1], a[2], a[3], a[4], NULL), EXIT_NO_DRIVER);
	ck_assert_str_eq(cli.out, "");
	check_err("cannot open " CCSHM_DEVICE);
	check_err("ccshm");
	fake.no_driver = false;
	fake_fail(FAKE_OPEN, 0, -EACCES);
	ck_assert_int_eq(cli_run(a[0], a[1], a[2], a[3], a[4], NULL), EXIT_PERMISSION);
	check_err("you are not permitted to use it");
}
END_TEST

START_TEST(incompatible_abi_fails)
{
	fake.abi_version = CCSHM_ABI_VERSION + 1;
	fake.abi_oldest = CCSHM_ABI_VERSION;
	ck_assert_int_eq(cli_run("info", NULL), EXIT_OK);
	fake.abi_oldest = CCSHM_ABI_VERSION + 1;
	ck_assert_int_eq(cli_run("info", NULL), EXIT_FAILED);
	check_err("this ccshmctl is too old");
	fake.abi_version = 0;
	fake.abi_oldest = 0;
	ck_assert_int_eq(cli_run("info", NULL), EXIT_FAILED);
	check_err("the driver is too old");
}
END_TEST

START_TEST(absent_object_fails)
{
	static const char *const commands_[][5] = {
		{ "show", "99" }, { "show", "none" }, { "show", "99", "--pages" },
		{ "show", "none", "-p" }, { "free", "99" }, { "free", "none" },
		{ "read", "root/none" }, { "write", "0/none" },
		{ "export", "99", "--", "true" }, { "revoke", "none" }, { "revoke", "99" },
		{ "detach", "99" }, { "attach", "99", FAKE_DEVICE, "--", "true" },
	};
	size_t i;

	for (i = 0; i < sizeof(commands_) / sizeof(commands_[0]); i++) {
		const char *const *a = commands_[i];

		ck_assert_int_eq(cli_run(a[0], a[1], a[2], a[3], a[4], NULL), EXIT_FAILED);
		ck_assert_str_eq(cli.out, "");
		check_err(a[1]);
		check_err("no such object, or you are not permitted to see it");
		check_clean(1);
	}
}
END_TEST

/* ---- alloc, free ---- */

START_TEST(alloc)
{
	ck_assert_int_eq(cli_run("alloc", "6M", "--name", "two", "--mode", "0640",
				 "--node", "1", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_str_eq(cli.out, "2\n");
	ck_assert_str_eq(cli.err, "");
	check_clean(2);
	ck_assert_int_eq(cli_run("alloc", "5000", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"size\": 8192"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"name\": null"));
}
END_TEST

static struct ccshm_ioc_alloc got;

static int keep_alloc(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_ALLOC)
		memcpy(&got, arg, sizeof(got));
	if (request == CCSHM_IOC_ALLOC && got.mode != 0640)
		return -EINVAL;
	if (request == CCSHM_IOC_ALLOC &&
	    (!(got.flags & CCSHM_ALLOC_PERSISTENT) || got.uid != 1234 ||
	     got.gid != 2345 || got.node != 3 || strcmp(got.name, "two") ||
	     !(got.flags & CCSHM_ALLOC_DMA32) ||
	     !(got.flags & CCSHM_ALLOC_CONTIGUOUS) ||
	     !(got.flags & CCSHM_ALLOC_WHOLE_UNITS) || got.size != 6 << 20))
		return -EINVAL;
	return fake_seam.ioctl(fd, request, arg);
}

/* The driver gets all options. */
START_TEST(alloc_options)
{
	cli_seam.ioctl = keep_alloc;
	ck_assert_int_eq(cli_run("alloc", "-n", "two", "-m", "640", "-o", "1234",
				 "-g", "2345", "-N", "3", "-dcw", "6M", NULL), 0);
	ck_assert_int_eq(cli_run("alloc", "-n", "two", "-m", "640", "-o", "1234",
				 "-g", "2345", "-N", "3", "-dc", "6M", NULL), 1);
	ck_assert_int_eq(cli_run("alloc", "-n", "two", "-m", "640", "-o", "1234",
				 "-g", "2345", "-N", "3", "-dw", "6M", NULL), 1);
	ck_assert_int_eq(cli_run("alloc", "-n", "two", "-m", "640", "-o", "1234",
				 "-g", "2345", "-N", "3", "-cw", "6M", NULL), 1);
	ck_assert_int_eq(cli_run("alloc", "-n", "two", "-m", "600", "6M", NULL), 1);
}
END_TEST

static const struct {
	int err;
	int code;
	const char *says;
} alloc_errors[] = {
	{ -ENOMEM, EXIT_FAILED, "not enough memory" },
	{ -EFBIG, EXIT_FAILED, "larger than the largest possible piece" },
	{ -EEXIST, EXIT_FAILED, "choose another name" },
	{ -EPERM, EXIT_PERMISSION, "only root" },
	{ -EIO, EXIT_FAILED, "platform refused" },
	{ -EINVAL, EXIT_FAILED, "the driver does not know one of the options" },
};

START_TEST(alloc_fails)
{
	fake_fail_ioctl(CCSHM_IOC_ALLOC, alloc_errors[_i].err);
	ck_assert_int_eq(cli_run("alloc", "4K", "-n", "two", NULL), alloc_errors[_i].code);
	ck_assert_str_eq(cli.out, "");
	check_err("cannot allocate 4K as two: ");
	check_err(alloc_errors[_i].says);
	check_clean(1);
}
END_TEST

/* If the id cannot be printed, free the buffer: the user could not find it. */
START_TEST(alloc_with_full_output_frees_the_buffer)
{
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), EXIT_FAILED);
	check_err("No space left on device");
	check_err("freed again");
	check_clean(1);
	ck_assert_int_eq(cli_run("alloc", "4K", "--json", NULL), EXIT_FAILED);
	check_clean(1);
}
END_TEST

START_TEST(full_output_fails)
{
	static const char *const commands_[][2] = {
		{ "info" }, { "show", "1" }, { "read", "1" }, { "revoke", "1" },
		{ "--help" }, { "--version" }, { "--list-commands" }, { "alloc", "--help" },
	};
	size_t i;

	cli_stdout = "/dev/full";
	for (i = 0; i < sizeof(commands_) / sizeof(commands_[0]); i++) {
		ck_assert_msg(cli_run(commands_[i][0], commands_[i][1], NULL) ==
			      EXIT_FAILED, "%s gives %d", commands_[i][0], cli.code);
		check_err("cannot write standard output: No space left");
		/* The error is printed once. */
		ck_assert_ptr_null(strstr(strstr(cli.err, "No space") + 1, "No space"));
	}
}
END_TEST

START_TEST(free_by_name_and_id)
{
	ck_assert_int_eq(cli_run("free", "one", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	check_clean(0);
	ck_assert_int_eq(cli_run("free", "@1", NULL), 0);
	check_clean(0);
	fake_fail_ioctl(CCSHM_IOC_FREE, -EPERM);
	ck_assert_int_eq(cli_run("free", "one", NULL), EXIT_PERMISSION);
	check_err("cannot free one: only the buffer's owner");
	check_clean(1);
}
END_TEST

START_TEST(free_options)
{
	struct ccshm_buffer *two = fake_named(handle, "two");
	struct ccshm_export *exp;

	ck_assert_int_eq(ccshm_export_create(two, 0, 0, 0, &exp), 0);
	/* The memory of "one" becomes private; the export still holds "two". */
	ck_assert_int_eq(cli_run("free", "--wait=0.05", "one", NULL), 0);
	ck_assert_int_eq(cli_run("free", "--wait=0.05", "two", "none", NULL), EXIT_FAILED);
	check_err("none: no such object");
	check_err("two (id 2) is freed, but its memory is not private yet");
	ck_assert_int_eq(cli_run("free", "two", "one", "-r", "-w0", NULL), EXIT_BUSY);
	/* The child process has its own copy of the fake driver. */
	ck_assert_uint_eq(cli.buffers, 1);
	/* Without netlink, as in another network namespace. */
	fake.no_family = true;
	ck_assert_int_eq(cli_run("free", "--wait", "one", NULL), 0);
	ck_assert_uint_eq(cli.buffers, 1);
	ccshm_export_close(exp);
	ccshm_buffer_close(two);
}
END_TEST

/*
 * A buffer whose memory could not be made private is not listed any more. Memory that was leaked
 * or in quarantine before, and conversions that failed before, have nothing to do with it.
 */
START_TEST(free_refused)
{
	fake.info.bytes_leaked = 4 << 20;
	fake.info.bytes_quarantined = 6 << 20;
	fake.info.calls_failed = 3;
	ck_assert_int_eq(cli_run("free", "--wait=0.05", "one", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	fake.info.bytes_quarantined = 0;

	fake.free_quarantines = 2 << 20;
	ck_assert_int_eq(cli_run("free", "--wait=0.05", "one", NULL), EXIT_BUSY);
	check_err("2M are not private yet, and can be memory of the buffers");
	ck_assert_int_eq(cli_run("free", "one", NULL), 0);
	/* The memory leaves the quarantine while the command waits. */
	fake.quarantine_infos = 10;
	ck_assert_int_eq(cli_run("free", "--wait=20", "one", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	fake.quarantine_leaks = true;
	ck_assert_int_eq(cli_run("free", "--wait=forever", "one", NULL), EXIT_BUSY);
	check_err("2M were leaked meanwhile, and can be memory of the buffers");
}
END_TEST

static struct ccshm_ioc_set wanted_set;

static int check_set(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_SET && memcmp(arg, &wanted_set, sizeof(wanted_set)))
		return -ENOSPC;
	return fake_seam.ioctl(fd, request, arg);
}

START_TEST(set)
{
	cli_seam.ioctl = check_set;
	wanted_set.id = 1;
	wanted_set.flags = CCSHM_SET_MODE | CCSHM_SET_GID | CCSHM_SET_UID |
			   CCSHM_SET_NAME | CCSHM_SET_SEALED;
	wanted_set.mode = 0640;
	wanted_set.gid = 7;
	wanted_set.uid = 8;
	wanted_set.sealed = 1;
	memcpy(wanted_set.name, "rx", 3);
	ck_assert_int_eq(cli_run("set", "one", "-m0640", "-g7", "-o8", "-nrx", "-s", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_str_eq(cli.err, "");
	memset(&wanted_set, 0, sizeof(wanted_set));
	wanted_set.id = 1;
	wanted_set.flags = CCSHM_SET_SEALED;
	ck_assert_int_eq(cli_run("set", "one", "@1", "--unseal", NULL), 0);
	fake.no_control = true;
	ck_assert_int_eq(cli_run("set", "1", "--unseal", NULL), EXIT_PERMISSION);
	check_err("cannot change 1: only the buffer's owner");
}
END_TEST

START_TEST(export_refused)
{
	fake.no_control = true;
	ck_assert_int_eq(cli_run("export", "one", "-p", "--", "true", NULL), EXIT_PERMISSION);
	check_err("only the owner may make pinned exports of this buffer; the owner can allow it with alloc --others-pin");
}
END_TEST

/* ---- progress ---- */

static int slow_alloc(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_ALLOC)
		usleep(1900000);
	return fake_seam.ioctl(fd, request, arg);
}

START_TEST(progress)
{
	cli_seam.ioctl = slow_alloc;
	cli_terminal = true;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 0);
	ck_assert_str_eq(cli.out, "2\n");
	check_err("\rallocating 4K... ");
	check_err(" 1 s");
	/* The progress line is erased. */
	ck_assert_str_eq(cli.err + strlen(cli.err) - 4, "\r\033[K");
	cli_terminal = false;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 0);
	ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(no_progress_for_short_work)
{
	cli_terminal = true;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 0);
	ck_assert_str_eq(cli.err, "");
}
END_TEST

/* SIGINT during the ioctl ends the program: no handler is installed. */
static int killed_alloc(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_ALLOC) {
		usleep(700000);
		kill(getpid(), SIGINT);
		usleep(700000);
	}
	return fake_seam.ioctl(fd, request, arg);
}

START_TEST(interrupted)
{
	cli_seam.ioctl = killed_alloc;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 128 + SIGINT);
	ck_assert_str_eq(cli.out, "");
	cli_terminal = true;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 128 + SIGINT);
	ck_assert_str_eq(cli.out, "");
}
END_TEST

/* The driver returns EINTR for any signal, also one that stops the process, and for a suspend. */
static int stopped_alloc(int fd, unsigned long request, void *arg)
{
	static int stops = 2;

	if (request == CCSHM_IOC_ALLOC && stops) {
		stops--;
		return -EINTR;
	}
	return fake_seam.ioctl(fd, request, arg);
}

static int ended_alloc(int fd, unsigned long request, void *arg)
{
	if (request != CCSHM_IOC_ALLOC)
		return fake_seam.ioctl(fd, request, arg);
	kill(getpid(), SIGTERM);
	return -EINTR;
}

START_TEST(only_a_deadly_signal_ends_alloc)
{
	cli_seam.ioctl = stopped_alloc;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 0);
	ck_assert_str_eq(cli.out, "2\n");
	ck_assert_str_eq(cli.err, "");
	check_clean(2);
	cli_seam.ioctl = ended_alloc;
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), 128 + SIGTERM);
	ck_assert_str_eq(cli.out, "");
}
END_TEST

/* ---- read, write ---- */

START_TEST(read_slices)
{
	struct ccshm_mapping *mapping;
	char *bytes;

	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ | PROT_WRITE, 0,
					  &mapping), 0);
	bytes = ccshm_mapping_address(mapping);
	strcpy(bytes + 100, "hello, world");
	bytes[4095] = '!';
	ccshm_mapping_close(mapping);

	ck_assert_int_eq(cli_run("read", "one", "--offset", "100", "--length", "5", NULL), 0);
	ck_assert_str_eq(cli.out, "hello");
	check_clean(1);
	ck_assert_int_eq(cli_run("read", "one", "--offset", "4095", NULL), 0);
	ck_assert_str_eq(cli.out, "!");
	ck_assert_int_eq(cli_run("read", "one", "--offset", "4K", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_int_eq(cli_run("read", "one", "--offset", "1", "--length", "0", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_int_eq(cli_run("read", "one", "--offset", "1", "--length", "4K", NULL), 1);
	check_err("cannot read one: --length goes beyond its end, at 4K");
	ck_assert_int_eq(cli_run("read", "one", "--offset", "5K", NULL), 1);
	ck_assert_int_eq(cli_run("read", "one", "--offset", "0xffffffffffffffff",
				 "--length", "0xffffffffffffffff", NULL), 1);
	check_clean(1);
}
END_TEST

START_TEST(read_only)
{
	fake_fail_ioctl(CCSHM_IOC_EXPORT, -EACCES);
	ck_assert_int_eq(cli_run("read", "one", NULL), EXIT_PERMISSION);
	check_err("cannot map one: the buffer's mode does not allow it");
	check_clean(1);
}
END_TEST

/* Memory of the fake driver exists in the child process only: check it before munmap(). */
static const char *expected;
static size_t expected_at;
static bool seen;

static int check_on_unmap(void *address, size_t size)
{
	const char *bytes = address;

	seen = size == 4096 && !memcmp(bytes + expected_at, expected, strlen(expected)) &&
	       bytes[expected_at + strlen(expected)] == 0 &&
	       (!expected_at || bytes[expected_at - 1] == 0);
	if (!seen)
		_exit(99);
	return fake_seam.munmap(address, size);
}

START_TEST(write_slices)
{
	cli_seam.munmap = check_on_unmap;
	cli_input = expected = "some text";
	ck_assert_int_eq(cli_run("write", "one", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	check_clean(1);
	expected_at = 77;
	ck_assert_int_eq(cli_run("write", "one", "--offset", "77", NULL), 0);
	cli_input = expected = "";
	expected_at = 0;
	ck_assert_int_eq(cli_run("write", "one", NULL), 0);
}
END_TEST

START_TEST(write_too_much)
{
	cli_input = "ten bytes!";
	ck_assert_int_eq(cli_run("write", "one", "--offset", "4086", NULL), 0);
	ck_assert_int_eq(cli_run("write", "one", "--offset", "4090", NULL), 1);
	check_err("longer than one has room for: 6 bytes were written");
	check_clean(1);
	ck_assert_int_eq(cli_run("write", "one", "--offset", "4K", NULL), 1);
	check_err("0 bytes were written");
	cli_input = NULL;
	ck_assert_int_eq(cli_run("write", "one", "--offset", "4K", NULL), 0);
	ck_assert_int_eq(cli_run("write", "one", "--offset", "4097", NULL), 1);
	check_err("--offset is beyond its end, at 4K");
}
END_TEST

/* Access a mapping whose memory is gone, as after a revoke. */
START_TEST(revoked_meanwhile)
{
	char bytes[16] = "untouched";
	int fd = memfd_create("gone", MFD_CLOEXEC);
	void *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(gone, MAP_FAILED);
	ck_assert_int_eq(copy_guarded(bytes, gone, sizeof(bytes)), -EFAULT);
	ck_assert_int_eq(copy_guarded(gone, bytes, sizeof(bytes)), -EFAULT);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(copy_guarded(gone, bytes, sizeof(bytes)), 0);
	ck_assert_str_eq(gone, "untouched");
	munmap(gone, 4096);
	close(fd);
}
END_TEST

static int map_gone(size_t size, int prot, int flags, int fd, off_t offset, void **address)
{
	int gone = memfd_create("gone", MFD_CLOEXEC);

	(void)fd;
	(void)offset;
	*address = mmap(NULL, size, prot, flags, gone, 0);
	close(gone);
	return 0;
}

static int unmap_gone(void *address, size_t size)
{
	return munmap(address, size);
}

START_TEST(revoked_commands)
{
	cli_seam.mmap = map_gone;
	cli_seam.munmap = unmap_gone;
	ck_assert_int_eq(cli_run("read", "one", NULL), EXIT_FAILED);
	check_err("cannot read one: the buffer was revoked during the copy");
	check_clean(1);
	cli_input = "x";
	ck_assert_int_eq(cli_run("write", "one", NULL), EXIT_FAILED);
	check_err("cannot write one: the buffer was revoked during the copy");
	check_clean(1);
}
END_TEST

/* ---- export ---- */

#define DRIVER_FD	1001	/* the test has 1000 */
#define DMABUF_FD	1002

START_TEST(export_runs)
{
	cli_real_fd = DMABUF_FD;
	ck_assert_int_eq(cli_run("export", "one", "--", "sh", "-c",
		"echo $CCSHM_DMABUF_FD $CCSHM_DMABUF_SIZE $CCSHM_EXPORT_ID; "
		"test -e /proc/self/fd/$CCSHM_DMABUF_FD || echo no fd", NULL), 0);
	ck_assert_str_eq(cli.out, "1002 4096 2\n");
	ck_assert_str_eq(cli.err, "");
	check_clean(1);
}
END_TEST

START_TEST(export_status)
{
	cli_real_fd = DMABUF_FD;
	ck_assert_int_eq(cli_run("export", "1", "--", "sh", "-c", "exit 42", NULL), 42);
	ck_assert_int_eq(cli_run("export", "1", "--", "sh", "-c", "kill -9 $$", NULL), 137);
	ck_assert_int_eq(cli_run("export", "1", "--", "/no/such/program", NULL), 127);
	check_err("cannot run /no/such/program");
	ck_assert_int_eq(cli_run("export", "1", "--", "/", NULL), 126);
	check_clean(1);
	/* Arguments after -- belong to the program. */
	ck_assert_int_eq(cli_run("export", "1", "--", "echo", "--help", "--", NULL), 0);
	ck_assert_str_eq(cli.out, "--help --\n");
}
END_TEST

/* The command ends after 10 s with the status 0 if it receives no signal. */
#define READY	"echo ready >&2; exec sleep 10"

static const struct {
	const char *keys;
	const char *args[5];
	int code;
} terminal[] = {
	{ CLI_HANGUP, { "sh", "-c", READY }, 128 + SIGHUP },
	{ CLI_HANGUP, { "timeout", "20", "sh", "-c", READY }, 128 + SIGHUP },
	{ "\003", { "sh", "-c", READY }, 128 + SIGINT },
	/* timeout runs in a process group that is not the terminal's. */
	{ "\003", { "timeout", "20", "sh", "-c", READY }, 128 + SIGINT },
	{ "\034", { "timeout", "20", "sh", "-c", READY }, 128 + SIGQUIT },
};

START_TEST(signal_of_the_terminal_ends_the_command)
{
	const char *const *a = terminal[_i].args;

	cli_real_fd = DMABUF_FD;
	cli_keys = terminal[_i].keys;
	ck_assert_int_eq(cli_run("export", "one", "--", a[0], a[1], a[2], a[3], a[4], NULL),
			 terminal[_i].code);
	check_err("ready");
	check_clean(1);
}
END_TEST

static struct ccshm_ioc_export wanted;

static int check_export(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_EXPORT && memcmp(&wanted, arg, sizeof(wanted)))
		return -ENOSPC;
	return fake_seam.ioctl(fd, request, arg);
}

START_TEST(export_options)
{
	cli_seam.ioctl = check_export;
	cli_real_fd = DMABUF_FD;
	wanted.id = 1;
	wanted.flags = CCSHM_EXPORT_READ_ONLY | CCSHM_EXPORT_NO_CPU | CCSHM_EXPORT_PINNED;
	wanted.size = 4096;
	ck_assert_int_eq(cli_run("export", "--read-only", "--no-cpu", "--pinned",
				 "--length", "4K", "one", "--", "true", NULL), 0);
	ck_assert_int_eq(cli_run("export", "one", "--", "true", NULL), EXIT_FAILED);
	wanted.offset = 1 << 20;
	ck_assert_int_eq(cli_run("export", "-rcp", "-O1M", "-l4K", "one", "--", "true",
				 NULL), EXIT_FAILED);
	check_err("--offset is not before its end, at 4K");
	check_clean(1);
}
END_TEST

/* ---- attach, detach ---- */

START_TEST(attach_runs)
{
	cli_real_fd = DMABUF_FD;
	ck_assert_int_eq(cli_run("attach", "one", FAKE_DEVICE, "--", "sh", "-c",
		"echo $CCSHM_ATTACHMENT_FD $CCSHM_ATTACHMENT_ID; cat $CCSHM_SEGMENTS_FILE; "
		"cat <&$CCSHM_SEGMENTS_FD; echo x >>$CCSHM_SEGMENTS_FILE 2>/dev/null || "
		"echo sealed; exit 3", NULL), 3);
	ck_assert_str_eq(cli.out, "1002 2\n0x100000000 4096 0\n0x100000000 4096 0\nsealed\n");
	check_clean(1);
}
END_TEST

START_TEST(attach_persistent)
{
	struct ccshm_buffer *big;
	struct ccshm_alloc_options *options;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, 3 * PAGE, options, &big), 0);
	ccshm_alloc_options_free(options);

	ck_assert_int_eq(cli_run("attach", "-p", "2", FAKE_DEVICE, NULL), 0);
	ck_assert_str_eq(cli.out,
		"ATTACHMENT ADDRESS     LENGTH OFFSET\n"
		"         3 0x100000000     4K      0\n"
		"         3 0x100002000     4K     4K\n"
		"         3 0x100004000     4K     8K\n");
	ck_assert_uint_eq(cli.attachments, 1);
	ck_assert_int_eq(cli_run("attach", "-pj", "2", FAKE_DEVICE, NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"address\": \"0x100004000\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"offset\": 8192"));
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("attach", "-p", "2", FAKE_DEVICE, NULL), EXIT_FAILED);
	check_clean(2);
	ccshm_buffer_close(big);
}
END_TEST

/* The signal arrives when the driver has made the attachment already. */
static int attach_quit(int fd, unsigned long request, void *arg)
{
	int ret = fake_seam.ioctl(fd, request, arg);

	if (request == CCSHM_IOC_ATTACH)
		kill(getpid(), SIGQUIT);
	return ret;
}

static int attach_stopped(int fd, unsigned long request, void *arg)
{
	static int stops = 2;

	if (request == CCSHM_IOC_ATTACH && stops) {
		stops--;
		return -EINTR;
	}
	return fake_seam.ioctl(fd, request, arg);
}

static int attach_ended(int fd, unsigned long request, void *arg)
{
	if (request != CCSHM_IOC_ATTACH)
		return fake_seam.ioctl(fd, request, arg);
	kill(getpid(), SIGTERM);
	return -EINTR;
}

/* Detaches of the command, in a child process. */
static unsigned int *detached;

static int attach_quit_counted(int fd, unsigned long request, void *arg)
{
	if (request == CCSHM_IOC_DETACH)
		++*detached;
	return attach_quit(fd, request, arg);
}

START_TEST(attach_persistent_interrupted)
{
	detached = mmap(NULL, sizeof(*detached), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(detached, MAP_FAILED);
	cli_seam.ioctl = attach_stopped;
	ck_assert_int_eq(cli_run("attach", "-p", "one", FAKE_DEVICE, NULL), 0);
	ck_assert_uint_eq(cli.attachments, 1);
	cli_seam.ioctl = attach_quit_counted;
	ck_assert_int_eq(cli_run("attach", "-p", "one", FAKE_DEVICE, NULL), 128 + SIGQUIT);
	ck_assert_str_eq(cli.out, "");
	ck_assert_uint_eq(*detached, 1);
	cli_seam.ioctl = attach_ended;
	ck_assert_int_eq(cli_run("attach", "-p", "one", FAKE_DEVICE, NULL), 128 + SIGTERM);
	ck_assert_str_eq(cli.out, "");
}
END_TEST

static const struct {
	int err;
	int code;
	const char *says;
} attach_errors[] = {
	{ -ENODEV, EXIT_FAILED, "no such device" },
	{ -EBUSY, EXIT_BUSY, "unbind" },
	{ -EPERM, EXIT_PERMISSION, "CAP_SYS_RAWIO" },
	{ -EACCES, EXIT_PERMISSION, "mode" },
	{ -EOPNOTSUPP, EXIT_FAILED, "ccshmctl devices" },
	{ -ERANGE, EXIT_FAILED, "--dma-bits" },
	{ -EINVAL, EXIT_FAILED, "a whole page of memory at once" },
};

START_TEST(attach_fails)
{
	fake_fail_ioctl(CCSHM_IOC_ATTACH, attach_errors[_i].err);
	ck_assert_int_eq(cli_run("attach", "one", FAKE_DEVICE, "--", "true", NULL),
			 attach_errors[_i].code);
	check_err("cannot attach one to " FAKE_DEVICE ": ");
	check_err(attach_errors[_i].says);
	check_clean(1);
}
END_TEST

START_TEST(segments_fail)
{
	fake_fail_ioctl(CCSHM_IOC_SEGMENTS, -ENODEV);
	ck_assert_int_eq(cli_run("attach", "one", FAKE_DEVICE, "--", "true", NULL), 1);
	check_err("being revoked");
	check_clean(1);
	ck_assert_int_eq(cli_run("attach", "-p", "one", FAKE_DEVICE, NULL), 1);
	check_clean(1);
}
END_TEST

START_TEST(detach)
{
	struct ccshm_attach_options *options;
	struct ccshm_attachment *attachment;

	ck_assert_int_eq(ccshm_attach_options_new(&options), 0);
	ccshm_attach_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options, &attachment), 0);
	ck_assert_int_eq(cli_run("detach", "2", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	check_clean(1);
	ck_assert_int_eq(cli_run("detach", "1", NULL), EXIT_FAILED);
	check_err("cannot detach 1: it is not an attachment");
	fake.no_rawio = true;
	ck_assert_int_eq(cli_run("detach", "2", NULL), EXIT_PERMISSION);
	fake.no_rawio = false;
	ck_assert_int_eq(ccshm_attachment_detach(attachment), 0);
	ccshm_attachment_close(attachment);
	ccshm_attach_options_free(options);
}
END_TEST

/* ---- revoke ---- */

START_TEST(revoke_finished)
{
	fake.revoke.revoked = 2;
	fake.revoke.pages = 512;
	ck_assert_int_eq(cli_run("revoke", "one", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "state           revoked\n"));
	ck_assert_ptr_nonnull(strstr(cli.out, "revoked         2\n"));
	ck_assert_str_eq(cli.err, "");
	ck_assert_int_eq(cli_run("revoke", "1", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"pages\": 512"));
}
END_TEST

static const struct {
	int err;
	uint32_t state;
	const char *name;
	const char *says;
} revoke_errors[] = {
	{ -ETIMEDOUT, CCSHM_STATE_REVOKING, "revoking", "--timeout" },
	{ -EBUSY, CCSHM_STATE_REVOKING, "revoking", "pinned" },
	{ -EIO, CCSHM_STATE_STUCK, "stuck",
	  "could not be stopped; the memory is held until a retry with --force succeeds, or until its holder, or an administrator with `ccshmctl detach`" },
};

/* The result is printed also when the revoke has not finished. */
START_TEST(revoke_unfinished)
{
	fake.revoke_error = revoke_errors[_i].err;
	fake.revoke.state = revoke_errors[_i].state;
	fake.revoke.device_mappings = 3;
	ck_assert_int_eq(cli_run("revoke", "one", NULL), EXIT_BUSY);
	ck_assert_ptr_nonnull(strstr(cli.out, revoke_errors[_i].name));
	ck_assert_ptr_nonnull(strstr(cli.out, "device mappings 3\n"));
	check_err("cannot revoke one: ");
	check_err(revoke_errors[_i].says);
}
END_TEST

static int64_t wanted_deadline;
static uint64_t wanted_flags;

static int check_revoke(int fd, unsigned long request, void *arg)
{
	const struct ccshm_ioc_revoke *revoke = arg;

	if (request == CCSHM_IOC_REVOKE && (revoke->deadline_ns != wanted_deadline ||
					    revoke->flags != wanted_flags))
		return -ENOSPC;
	return fake_seam.ioctl(fd, request, arg);
}

START_TEST(revoke_options)
{
	cli_seam.ioctl = check_revoke;
	wanted_deadline = fake.now + 10000000000;
	ck_assert_int_eq(cli_run("revoke", "one", NULL), 0);
	wanted_deadline = fake.now + 2500000000;
	ck_assert_int_eq(cli_run("revoke", "one", "--timeout", "2.5", NULL), 0);
	wanted_deadline = 0;
	ck_assert_int_eq(cli_run("revoke", "one", "-t0", NULL), 0);
	wanted_deadline = -1;
	wanted_flags = CCSHM_REVOKE_SEAL | CCSHM_REVOKE_ORDERLY;
	ck_assert_int_eq(cli_run("revoke", "one", "1", "-t", "forever", "--seal", "--orderly", NULL), 0);
	wanted_flags = CCSHM_REVOKE_FORCE;
	ck_assert_int_eq(cli_run("revoke", "one", "-t", "forever", "--force", NULL), 0);
	fake.no_rawio = true;
	ck_assert_int_eq(cli_run("revoke", "one", "-t", "forever", "-f", NULL),
			 EXIT_PERMISSION);
	ck_assert_str_eq(cli.out, "");
	check_err("CAP_SYS_RAWIO");
}
END_TEST

/* ---- closed standard files ---- */

/* The driver's file must not become standard output, and lost output must be an error. */
START_TEST(closed_output)
{
	cli_stdout = CLI_CLOSED;
	ck_assert_int_eq(cli_run("free", "one", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_int_eq(cli_run("info", NULL), EXIT_FAILED);
	check_err("Bad file descriptor");
	ck_assert_int_eq(cli_run("read", "one", NULL), EXIT_FAILED);
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), EXIT_FAILED);
	check_clean(1);
}
END_TEST

/* SIGPIPE ends a command that only prints; `ccshmctl alloc | true` fails and frees the buffer. */
static const char *const prints[][2] = {
	{ "doctor" }, { "info" }, { "list" }, { "show", "one" }, { "read", "one" },
};

START_TEST(closed_pipe_ends_with_SIGPIPE)
{
	cli_stdout = CLI_BROKEN;
	ck_assert_int_eq(cli_run(prints[_i][0], prints[_i][1], NULL), 128 + SIGPIPE);
	ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(closed_pipe_fails_a_change)
{
	cli_stdout = CLI_BROKEN;
	ck_assert_int_eq(cli_run("help", NULL), 128 + SIGPIPE);
	ck_assert_int_eq(cli_run("alloc", "4K", NULL), EXIT_FAILED);
	check_err("Broken pipe");
	check_clean(1);
}
END_TEST

#define COUNT(a)	((int)(sizeof(a) / sizeof((a)[0])))

static TCase *new_case(Suite *suite, const char *name)
{
	TCase *made = tcase_create(name);

	tcase_add_checked_fixture(made, setup, teardown);
	tcase_set_timeout(made, 30);
	suite_add_tcase(suite, made);
	return made;
}

/* In Turkish locales, I is not the upper case of i. */
START_TEST(turkish_locale)
{
	char directory[] = "/tmp/ccshm-unit.XXXXXX", command[256];
	int status;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(command, sizeof(command), "localedef -i tr_TR -f UTF-8 %s/tr_TR.UTF-8 2>/dev/null", directory);
	status = system(command);
	setenv("LOCPATH", directory, 1);
	setenv("LC_ALL", "tr_TR.UTF-8", 1);
	if (!status) {
		ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "tr_TR.UTF-8"));
		/* Not strcasecmp(): that of the sanitizers ignores the locale. */
		ck_assert_int_ne(tolower('I'), 'i');
	} else {
		puts("test_cli_run: turkish_locale: skipped: localedef cannot make the locale tr_TR");
	}
	ck_assert_int_eq(cli_run("show", "one", "--output", "ID,SIZE", NULL), 0);
	ck_assert_int_eq(cli_run("attach", "-p", "one", "PCI:0000:00:04.0", NULL), 0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

static void add(Suite *suite)
{
	TCase *c = new_case(suite, "usage");
	int n = 0;

	while (commands[n].name)
		n++;
	tcase_add_loop_test(c, usage, 0, COUNT(wrong));
	tcase_add_test(c, help);
	tcase_add_loop_test(c, help_has_options, 0, n);

	c = new_case(suite, "driver");
	tcase_add_loop_test(c, no_driver, 0, COUNT(each));
	tcase_add_test(c, incompatible_abi_fails);
	tcase_add_test(c, absent_object_fails);
	tcase_add_test(c, full_output_fails);
	tcase_add_test(c, closed_output);
	tcase_add_loop_test(c, closed_pipe_ends_with_SIGPIPE, 0, COUNT(prints));
	tcase_add_test(c, closed_pipe_fails_a_change);

	c = new_case(suite, "alloc");
	tcase_add_test(c, alloc);
	tcase_add_test(c, alloc_options);
	tcase_add_loop_test(c, alloc_fails, 0, COUNT(alloc_errors));
	tcase_add_test(c, alloc_with_full_output_frees_the_buffer);
	tcase_add_test(c, free_by_name_and_id);
	tcase_add_test(c, free_options);
	tcase_add_test(c, free_refused);
	tcase_add_test(c, set);
	tcase_add_test(c, export_refused);
	tcase_add_test(c, progress);
	tcase_add_test(c, no_progress_for_short_work);
	tcase_add_test(c, interrupted);
	tcase_add_test(c, only_a_deadly_signal_ends_alloc);

	c = new_case(suite, "read and write");
	tcase_add_test(c, read_slices);
	tcase_add_test(c, read_only);
	tcase_add_test(c, write_slices);
	tcase_add_test(c, write_too_much);
	tcase_add_test(c, revoked_meanwhile);
	tcase_add_test(c, revoked_commands);

	c = new_case(suite, "export");
	tcase_add_test(c, export_runs);
	tcase_add_test(c, export_status);
	tcase_add_loop_test(c, signal_of_the_terminal_ends_the_command, 0, COUNT(terminal));
	tcase_add_test(c, export_options);

	c = new_case(suite, "attach");
	tcase_add_test(c, attach_runs);
	tcase_add_test(c, attach_persistent);
	tcase_add_test(c, attach_persistent_interrupted);
	tcase_add_loop_test(c, attach_fails, 0, COUNT(attach_errors));
	tcase_add_test(c, segments_fail);
	tcase_add_test(c, detach);
	tcase_add_test(c, turkish_locale);

	c = new_case(suite, "revoke");
	tcase_add_test(c, revoke_finished);
	tcase_add_loop_test(c, revoke_unfinished, 0, COUNT(revoke_errors));
	tcase_add_test(c, revoke_options);
}

int main(void)
{
	return unit_main("cli_run", add);
}
