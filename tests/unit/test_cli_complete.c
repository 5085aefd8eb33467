// SPDX-License-Identifier: GPL-2.0-only
/*
 * ccshmctl --complete, on the fake driver and a temporary /sys.
 *
 *   test_cli_complete WORD...    runs ccshmctl WORD... there, for tests of the shells
 */
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"
#include "fake-root.h"

/* The user who runs ccshmctl; no user has a name. */
static uid_t user;

uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwuid(uid_t uid);

uid_t __wrap_geteuid(void)
{
	return user;
}

struct passwd *__wrap_getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

static struct ccshm *handle;
static struct ccshm_buffer *anonymous, *ring;
static struct ccshm_export *export;
static struct ccshm_attachment *attachment;

static const struct ccshm_ioc_device known[] = {
	{
		.device = FAKE_DEVICE,
		.verdict = CCSHM_DEVICE_NEEDS,
		.device_flags = CCSHM_DEVICE_COHERENT,
		.dma_mask = 0xffffffff,
		.driver = "vfio-pci",
	},
	{ .device = "platform:plain", .device_flags = CCSHM_DEVICE_MASK_DEFAULT, .dma_mask = 1 },
	{ .device = "virtio:virtio2", .verdict = CCSHM_DEVICE_NEEDS },
};

static void setup(void)
{
	size_t i;

	user = FAKE_OTHER_UID;
	fake_setup();
	cli_reset();
	top_make();
	put("/sys/bus/pci/devices/0000:00:04.0/", "");
	put("/sys/bus/platform/devices/plain/", "");
	put("/sys/bus/virtio/devices/virtio2/", "");
	put("/sys/devices/system/node/node0/", "");
	put("/sys/devices/system/node/node1/", "");
	handle = fake_handle();
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		fake.devices[i] = known[i];
	anonymous = fake_buffer(handle, 3);
	ring = fake_named(handle, "ring");
	ck_assert_int_eq(ccshm_export_create(ring, CCSHM_EXPORT_PINNED, 0, 0, &export), 0);
	ck_assert_int_eq(ccshm_buffer_attach(anonymous, FAKE_DEVICE, NULL, &attachment), 0);
}

static void teardown(void)
{
	ccshm_attachment_detach(attachment);
	ccshm_attachment_close(attachment);
	ccshm_export_close(export);
	ccshm_buffer_close(ring);
	ccshm_buffer_close(anonymous);
	ccshm_close(handle);
	top_remove();
	fake_teardown();
}

static const char *said(int code)
{
	ck_assert_int_eq(code, EXIT_OK);
	ck_assert_str_eq(cli.err, "");
	return cli.out;
}

/* Return the candidates for the last word of a command line. */
#define candidates(...)	said(cli_run("--complete", __VA_ARGS__, NULL))

/* Return true if the word is a candidate, with any description. */
static bool offered(const char *word)
{
	size_t len = strlen(word);
	const char *s;

	for (s = cli.out; *s; s += strcspn(s, "\n") + 1)
		if (!strncmp(s, word, len) && (s[len] == '\t' || s[len] == '\n'))
			return true;
	return false;
}

/* ---- commands and options, as in the table of commands ---- */

START_TEST(every_command)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++) {
		candidates("");
		ck_assert_msg(offered(cmd->name), "%s", cmd->name);
		candidates("help", "");
		ck_assert_msg(offered(cmd->name), "help %s", cmd->name);
		candidates(cmd->name);
		ck_assert_msg(offered(cmd->name), "%s typed", cmd->name);
	}
	ck_assert_str_eq(candidates("d", ""), "");
	candidates("det");
	ck_assert_str_eq(cli.out, "detach\tend an attachment whose device has stopped\n");
	candidates("--v");
	ck_assert(offered("--version"));
	candidates("-");
	ck_assert(offered("--help") && offered("--usage") && !offered("--complete"));
}
END_TEST

/* Each option in the --help of a command is a candidate. */
START_TEST(every_option)
{
	const struct command *cmd = &commands[_i];
	char help[CLI_TEXT], option[64], *line, *rest, *s;
	unsigned int nr = 0;

	ck_assert_int_eq(cli_run(cmd->name, "--help", NULL), EXIT_OK);
	memcpy(help, cli.out, sizeof(help));
	for (line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		s = line + strspn(line, " ");
		if (s == line || *s != '-' || !(s = strstr(s, "--")))
			continue;
		nr++;
		snprintf(option, sizeof(option), "%.*s", (int)strcspn(s, " =[,"), s);
		candidates(cmd->name, "--");
		ck_assert_msg(offered(option), "%s %s", cmd->name, option);
		candidates(cmd->name, option);
		ck_assert_msg(offered(option), "%s %s", cmd->name, option);
	}
	ck_assert_uint_ge(nr, 2);
}
END_TEST

static void check_placeholder(const char *what, size_t len)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)len, what);
	ck_assert_msg(complete_knows(text), "cli/complete.c has no thought for %s", text);
}

/* The completion knows each placeholder of a value or an argument, including new ones. */
START_TEST(every_value)
{
	const struct command *cmd = &commands[_i];
	const struct argp_option *opt;
	const char *s = cmd->args;
	int i;

	for (i = 0; (opt = command_options(cmd, i)); i++)
		for (; opt->name; opt++)
			if (opt->arg)
				check_placeholder(opt->arg, strlen(opt->arg));
	for (i = 0; i < cmd->max_args && *s; i++) {
		s += *s == '[';
		check_placeholder(s, strcspn(s, " ]."));
		s += strcspn(s, " ");
		s += *s == ' ';
	}
	ck_assert(!complete_knows("NOTHING") && !complete_knows("BUF") && !complete_knows(""));
}
END_TEST

START_TEST(given_options_are_not_offered)
{
	candidates("alloc", "--name", "x", "-d", "--");
	ck_assert(offered("--owner") && offered("--contiguous"));
	ck_assert(!offered("--name") && !offered("--dma32"));
	/* Without "-", options are candidates only if there are no others. */
	candidates("list", "");
	ck_assert(offered("--exports") && offered("--json"));
	candidates("free", "");
	ck_assert(!offered("--help"));
	candidates("list", "-e");
	ck_assert_str_eq(cli.out, "-e\tList exports instead of buffers\n");
	ck_assert_str_eq(candidates("frobnicate", "-"), "");
	ck_assert_str_eq(candidates("list", "--nothing=x"), "");
	ck_assert_str_eq(candidates("list", "--json=x"), "");
}
END_TEST

/* ---- names from the driver ---- */

START_TEST(buffers)
{
	candidates("free", "");
	ck_assert(offered("1"));		/* it has no name */
	ck_assert(!offered("2"));
	ck_assert_ptr_nonnull(strstr(cli.out, "1000/ring\t4K, of 1000\n"));
	ck_assert(!offered("ring"));
	candidates("free", "2");
	ck_assert(offered("2"));
	candidates("free", "@");
	ck_assert(offered("@1") && offered("@2") && !offered("1"));
	ck_assert_str_eq(candidates("free", "x"), "");
	ck_assert_str_eq(candidates("free", "1", "r"), "");
	user = FAKE_UID;
	ck_assert_str_eq(candidates("free", "r"), "ring\t4K, of 1000\n");
	fake.no_access = true;
	fake.no_family = true;
	ck_assert_str_eq(candidates("free", ""), "");
}
END_TEST

START_TEST(objects)
{
	candidates("revoke", "");
	ck_assert(offered("1"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\texport of "));
	ck_assert_ptr_nonnull(strstr(cli.out, "\tattachment to " FAKE_DEVICE "\n"));
	candidates("detach", "");
	ck_assert_ptr_nonnull(strstr(cli.out, "\tattachment to "));
	ck_assert_ptr_null(strstr(cli.out, "export of"));
	ck_assert(!offered("1"));
}
END_TEST

START_TEST(devices)
{
	ck_assert_str_eq(candidates("devices", ""),
			 FAKE_DEVICE "\tvfio-pci\nvirtio:virtio2\n");
	ck_assert_str_eq(candidates("devices", "0000:"), "0000:00:04.0\tvfio-pci\n");
	/* attach accepts PCI devices only. */
	ck_assert_str_eq(candidates("attach", "1", ""), FAKE_DEVICE "\tvfio-pci\n");
	ck_assert_str_eq(candidates("attach", "-l", "4K", "1", "pci:0000:00"),
			 FAKE_DEVICE "\tvfio-pci\n");
	fake.no_driver = true;
	ck_assert_str_eq(candidates("devices", ""), "");
}
END_TEST

/* Skip words with control characters; escape control characters in descriptions. */
START_TEST(control_characters_are_not_offered)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	put("/sys/bus/virtio/devices/\033]0;x\a/", "");
	put("/sys/bus/virtio/devices/two\nlines/", "");
	put("/sys/bus/virtio/devices/tab\tbed/", "");
	put("/sys/bus/virtio/devices/\xff/", "");
	put("/sys/bus/virtio/devices/\u00e9/", "");
	fake.devices[3] = (struct ccshm_ioc_device){
		.device = "virtio:\033]0;x\a", .verdict = CCSHM_DEVICE_NEEDS };
	fake.devices[4] = (struct ccshm_ioc_device){
		.device = "virtio:two\nlines", .verdict = CCSHM_DEVICE_NEEDS };
	fake.devices[5] = (struct ccshm_ioc_device){
		.device = "virtio:tab\tbed", .verdict = CCSHM_DEVICE_NEEDS };
	fake.devices[6] = (struct ccshm_ioc_device){
		.device = "virtio:\xff", .verdict = CCSHM_DEVICE_NEEDS };
	fake.devices[7] = (struct ccshm_ioc_device){
		.device = "virtio:\u00e9", .verdict = CCSHM_DEVICE_NEEDS,
		.driver = "d\033\u00e9\n" };
	ck_assert_str_eq(candidates("devices", "virtio:"),
			 "virtio:virtio2\nvirtio:\u00e9\td\\033\u00e9\\012\n");
	/* The part of the word before the comma contains a control character. */
	ck_assert_str_eq(candidates("list", "--output=\033,na"), ":nospace\n");
}
END_TEST

/* ---- columns, as --output accepts them ---- */

START_TEST(columns)
{
	static const char *const lists[] = { "--bytes", "--exports", "--attachments" };
	char all[CLI_TEXT], *name, *rest;
	static const char *const others[] = { "monitor", "stats", "provision" };
	const char *command = _i < 3 ? "list" : others[_i - 3];
	const char *option = _i < 3 ? lists[_i] : "--bytes";

	cli_run(command, option, "--output", "nothing", NULL);
	ck_assert_int_ne(cli.code, EXIT_OK);
	rest = strstr(cli.err, "there are ");
	ck_assert_ptr_nonnull(rest);
	snprintf(all, sizeof(all), "%s", rest + 10);
	all[strcspn(all, "\n")] = '\0';
	candidates(command, option, "-o", "");
	ck_assert(offered(":nospace"));
	for (name = strtok_r(all, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		ck_assert_msg(offered(name), "%s %s", command, name);
}
END_TEST

START_TEST(column_lists)
{
	ck_assert_str_eq(candidates("list", "--output", "id,na"), "id,name\n:nospace\n");
	ck_assert_str_eq(candidates("list", "--output=id,na"), "--output=id,name\n:nospace\n");
	ck_assert_str_eq(candidates("list", "-bo", "name,na"), ":nospace\n");
	ck_assert_str_eq(candidates("list", "-e", "-o", "imp"),
			 "importers\nimporter_devices\n:nospace\n");
	ck_assert_str_eq(candidates("list", "-o", "imp"), ":nospace\n");
	/* The columns of all types, each once. */
	ck_assert_str_eq(candidates("show", "-o", "siz"), "size\n:nospace\n");
	candidates("show", "-o", "");
	ck_assert(offered("type") && offered("mode") && offered("lifetime") && offered("dma_bits"));
}
END_TEST

/* ---- other values ---- */

START_TEST(values_of_other_options)
{
	candidates("doctor", "");
	ck_assert(offered("platform") && offered("devices"));
	ck_assert_str_eq(candidates("revoke", "-t", "f"), "forever\n");
	candidates("alloc", "--mode=06");
	ck_assert(offered("--mode=0640"));
	candidates("alloc", "--node", "");
	ck_assert(offered("0") && offered("1") && !offered("2"));
	candidates("alloc", "--owner", "roo");
	ck_assert(offered("root"));
	candidates("alloc", "--group", "roo");
	ck_assert(offered("root"));
	/* The user chooses the value: no candidates, not even options. */
	ck_assert_str_eq(candidates("alloc", ""), "");
	ck_assert_str_eq(candidates("alloc", "--name", "-"), "");
	ck_assert_str_eq(candidates("alloc", "-n", ""), "");
	/* The value may directly follow the option. */
	candidates("alloc", "-nx", "4K", "--");
	ck_assert(offered("--mode") && !offered("--name"));
}
END_TEST

START_TEST(words_of_another_program)
{
	candidates("export", "ring", "");
	ck_assert(offered("--"));
	candidates("export", "ring", "--");
	ck_assert(offered("--") && offered("--pinned"));
	ck_assert_str_eq(candidates("export", "ring", "--", ""), ":command 4\n");
	ck_assert_str_eq(candidates("attach", "-p", "1", FAKE_DEVICE, "--", "ls", "-"),
			 ":command 6\n");
	/* Other commands run no program: "--" only ends the options. */
	ck_assert_str_eq(candidates("list", "--", "-"), "");
	candidates("doctor", "--", "h");
	ck_assert(offered("headers") && offered("heap"));
	candidates("free", "--");
	ck_assert(!offered("--"));
}
END_TEST

/* ---- as a program for tests of the shells, on the fake driver ---- */

static int as_argc, as_code = EXIT_FAILURE;
static char **as_argv;

START_TEST(complete_as_main_function)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		exit(ccshmctl_main(as_argc, as_argv));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	as_code = WEXITSTATUS(status);
}
END_TEST

static int on_fake_driver(int argc, char **argv)
{
	Suite *suite = suite_create("ccshmctl");
	TCase *run = tcase_create("run");
	SRunner *runner = srunner_create(suite);

	as_argc = argc;
	as_argv = argv;
	tcase_add_checked_fixture(run, setup, teardown);
	tcase_add_test(run, complete_as_main_function);
	suite_add_tcase(suite, run);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	srunner_free(runner);
	return as_code;
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("cli_complete");
	TCase *words = tcase_create("words");
	SRunner *runner = srunner_create(suite);
	int failed, nr = 0;

	if (argc > 1)
		return on_fake_driver(argc, argv);
	while (commands[nr].name)
		nr++;
	tcase_add_checked_fixture(words, setup, teardown);
	tcase_add_test(words, every_command);
	tcase_add_loop_test(words, every_option, 0, nr);
	tcase_add_loop_test(words, every_value, 0, nr);
	tcase_add_test(words, given_options_are_not_offered);
	tcase_add_test(words, buffers);
	tcase_add_test(words, objects);
	tcase_add_test(words, devices);
	tcase_add_test(words, control_characters_are_not_offered);
	tcase_add_loop_test(words, columns, 0, 6);
	tcase_add_test(words, column_lists);
	tcase_add_test(words, values_of_other_options);
	tcase_add_test(words, words_of_another_program);
	suite_add_tcase(suite, words);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
