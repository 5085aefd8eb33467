// SPDX-License-Identifier: GPL-2.0-only
/* Check that the table of commands, --help, completion and man pages agree. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

/* Read a man page. Its path is relative to the path of this source file. */
static char *read_page(const char *name)
{
	char path[4096], *text;
	long len;
	FILE *f;

	snprintf(path, sizeof(path), "%s", __FILE__);
	*strrchr(path, '/') = '\0';
	snprintf(path + strlen(path), sizeof(path) - strlen(path),
		 "/../../docs/man/%s.1", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "there is no %s", path);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	text = calloc(1, (size_t)len + 1);
	ck_assert_uint_eq(fread(text, 1, (size_t)len, f), (size_t)len);
	fclose(f);
	return text;
}

/* Replace "\-" by "-". */
static char *unescape(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (from[0] == '\\' && from[1] == '-')
			from++;
		*to++ = *from++;
	}
	*to = '\0';
	return text;
}

static char *command_page(const struct command *cmd)
{
	char name[64];

	snprintf(name, sizeof(name), "ccshmctl-%s", cmd->name);
	return unescape(read_page(name));
}

static int ncommands(void)
{
	int n = 0;

	while (commands[n].name)
		n++;
	return n;
}

START_TEST(command_table_is_complete)
{
	const struct command *cmd;
	int i, words;
	const char *s;

	ck_assert_int_ge(ncommands(), 10);
	for (cmd = commands; cmd->name; cmd++) {
		ck_assert_ptr_eq(command_find(cmd->name), cmd);
		ck_assert(cmd->run && cmd->argp && cmd->summary && cmd->args);
		ck_assert_int_le(cmd->min_args, cmd->max_args);
		ck_assert_int_le(cmd->max_args, ARGS_MAX);
		/* A summary has neither a capital letter nor a full stop. */
		ck_assert(islower((unsigned char)cmd->summary[0]));
		ck_assert(cmd->summary[strlen(cmd->summary) - 1] != '.');
		ck_assert_msg(strlen(cmd->summary) <= 68, "%s", cmd->name);
		/* At least one placeholder per required argument. */
		words = *cmd->args != '\0';
		for (s = cmd->args; *s; s++)
			words += *s == ' ';
		ck_assert_msg(words >= cmd->min_args, "%s", cmd->name);
		ck_assert_int_eq(!!(cmd->flags & CMD_RUNS),
				 strstr(cmd->args, "COMMAND") != NULL);
		for (i = 0; commands + i < cmd; i++)
			ck_assert_str_ne(commands[i].name, cmd->name);
	}
	ck_assert_ptr_null(command_find("frobnicate"));
	ck_assert_ptr_null(command_find(""));
}
END_TEST

/* Each option has a text, a long name and a unique key. */
START_TEST(options_have_text_and_unique_key)
{
	const struct command *cmd = &commands[_i];
	const struct argp_option *opt, *other;

	for (opt = cmd->argp->options; opt && opt->name; opt++) {
		ck_assert_msg(opt->doc && *opt->doc, "--%s", opt->name);
		ck_assert(isprint(opt->key));
		for (other = cmd->argp->options; other < opt; other++) {
			ck_assert_str_ne(other->name, opt->name);
			ck_assert_int_ne(other->key, opt->key);
		}
		for (other = common_options; other->name; other++) {
			ck_assert_str_ne(other->name, opt->name);
			ck_assert_int_ne(other->key, opt->key);
		}
		ck_assert_str_ne(opt->name, "help");
		ck_assert_str_ne(opt->name, "usage");
	}
}
END_TEST

static char *list_options(const char *name)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(command_list_options(f, name), 0);
	fclose(f);
	return text;
}

/* A command's man page has its summary and exactly its options. */
START_TEST(man_page_has_the_options)
{
	const struct command *cmd = &commands[_i];
	char *page = command_page(cmd), *list = list_options(cmd->name);
	char *option, *rest, *copy = strdup(list), needle[64];
	const char *s;

	snprintf(needle, sizeof(needle), "ccshmctl-%s - %s\n", cmd->name, cmd->summary);
	ck_assert_msg(strstr(page, needle) != NULL, "summary of %s", cmd->name);
	for (option = strtok_r(copy, "\n", &rest); option;
	     option = strtok_r(NULL, "\n", &rest)) {
		if (!strcmp(option, "--help"))
			continue;
		ck_assert_msg(strstr(page, option) != NULL,
			      "ccshmctl-%s.1 lacks %s", cmd->name, option);
	}
	/* Entries begin with ".BR -x ", " --name". */
	for (s = page; (s = strstr(s, "\n.BR -")); s++) {
		const char *name = strstr(s, "--");
		size_t len = strspn(name, "-abcdefghijklmnopqrstuvwxyz0123456789");

		snprintf(needle, sizeof(needle), "%.*s\n", (int)len, name);
		ck_assert_msg(strstr(list, needle) != NULL,
			      "ccshmctl-%s.1 has %s", cmd->name, needle);
	}
	free(page);
	free(list);
	free(copy);
}
END_TEST

START_TEST(main_man_page_has_the_commands)
{
	char *page = unescape(read_page("ccshmctl")), needle[256];
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++) {
		snprintf(needle, sizeof(needle), ".BR ccshmctl-%s (1)\n%s\n",
			 cmd->name, cmd->summary);
		ck_assert_msg(strstr(page, needle) != NULL, "%s", needle);
	}
	free(page);
}
END_TEST

START_TEST(list_commands_prints_all)
{
	char *text, *s;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int i;

	command_list(f);
	fclose(f);
	s = text;
	for (i = 0; commands[i].name; i++) {
		size_t n = strlen(commands[i].name);

		ck_assert(!strncmp(s, commands[i].name, n) && s[n] == '\n');
		s += n + 1;
	}
	ck_assert_str_eq(s, "");
	free(text);

	text = list_options("read");
	ck_assert_str_eq(text, "--offset\n-O\n--length\n-l\n--help\n");
	free(text);
	text = list_options("info");
	ck_assert_str_eq(text, "--json\n-j\n--bytes\n-b\n--help\n");
	free(text);
	ck_assert_int_ne(command_list_options(stdout, "frobnicate"), 0);
}
END_TEST

/* Exit codes of errors. */
static const struct {
	enum op op;
	int err;
	int code;
} codes[] = {
	{ OP_OPEN, -ENODEV, EXIT_NO_DRIVER },
	{ OP_OPEN, -ENOENT, EXIT_NO_DRIVER },
	{ OP_OPEN, -ENXIO, EXIT_NO_DRIVER },
	{ OP_OPEN, -EACCES, EXIT_PERMISSION },
	{ OP_OPEN, -EPERM, EXIT_PERMISSION },
	{ OP_OPEN, -EPROTO, EXIT_FAILED },
	{ OP_ALLOC, -ENOMEM, EXIT_FAILED },
	{ OP_ALLOC, -EEXIST, EXIT_FAILED },
	{ OP_ALLOC, -EPERM, EXIT_PERMISSION },
	{ OP_ALLOC, -EIO, EXIT_FAILED },
	{ OP_ALLOC, -EBUSY, EXIT_BUSY },
	{ OP_FIND, -ENOENT, EXIT_FAILED },
	{ OP_SHOW, -ENOENT, EXIT_FAILED },
	{ OP_FREE, -EPERM, EXIT_PERMISSION },
	{ OP_EXPORT, -EACCES, EXIT_PERMISSION },
	{ OP_EXPORT, -EINVAL, EXIT_FAILED },
	{ OP_MAP, -EACCES, EXIT_PERMISSION },
	{ OP_MAP, -ENODEV, EXIT_FAILED },
	{ OP_ATTACH, -ENODEV, EXIT_FAILED },
	{ OP_ATTACH, -EBUSY, EXIT_BUSY },
	{ OP_ATTACH, -EPERM, EXIT_PERMISSION },
	{ OP_ATTACH, -EACCES, EXIT_PERMISSION },
	{ OP_ATTACH, -EOPNOTSUPP, EXIT_FAILED },
	{ OP_ATTACH, -ERANGE, EXIT_FAILED },
	{ OP_ATTACH, -EIO, EXIT_FAILED },
	{ OP_DETACH, -EPERM, EXIT_PERMISSION },
	{ OP_SEGMENTS, -ENODEV, EXIT_FAILED },
	{ OP_REVOKE, -ETIMEDOUT, EXIT_BUSY },
	{ OP_REVOKE, -EBUSY, EXIT_BUSY },
	{ OP_REVOKE, -EIO, EXIT_BUSY },
	{ OP_REVOKE, -EPERM, EXIT_PERMISSION },
	{ OP_REVOKE, -ENOENT, EXIT_FAILED },
	{ OP_READ, -EFAULT, EXIT_FAILED },
	{ OP_POOL, -ENOENT, EXIT_FAILED },
	{ OP_POOL_SET, -ENOENT, EXIT_FAILED },
	{ OP_POOL_SET, -EACCES, EXIT_PERMISSION },
	{ OP_POOL_SET, -EPERM, EXIT_PERMISSION },
	{ OP_OUTPUT, -ENOSPC, EXIT_FAILED },
	{ OP_OUTPUT, -EPIPE, EXIT_FAILED },
};

START_TEST(error_has_its_exit_code)
{
	const char *reason = error_reason(codes[_i].op, codes[_i].err);

	ck_assert_int_eq((int)error_exit_code(codes[_i].op, codes[_i].err), codes[_i].code);
	ck_assert_int_eq((int)error_exit_code(codes[_i].op, -codes[_i].err), codes[_i].code);
	ck_assert_ptr_nonnull(reason);
	ck_assert_str_eq(reason, error_reason(codes[_i].op, -codes[_i].err));
}
END_TEST

/* Some errors have a text of ccshmctl; others have the text of the errno. */
START_TEST(error_has_its_reason)
{
	ck_assert_ptr_nonnull(strstr(error_reason(OP_REVOKE, ETIMEDOUT), "--timeout"));
	ck_assert_ptr_nonnull(strstr(error_reason(OP_ATTACH, ERANGE), "--dma-bits"));
	ck_assert_ptr_nonnull(strstr(error_reason(OP_ALLOC, EEXIST), "already"));
	ck_assert_ptr_nonnull(strstr(error_reason(OP_ALLOC, EBUSY), "hibernating"));
	ck_assert_ptr_nonnull(strstr(error_reason(OP_FREE, ENOENT), "no such object"));
	ck_assert_str_eq(error_reason(OP_OUTPUT, ENOENT), strerror(ENOENT));
	ck_assert_str_eq(error_reason(OP_INFO, ENFILE), strerror(ENFILE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli_commands");
	TCase *table = tcase_create("table");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(table, command_table_is_complete);
	tcase_add_loop_test(table, options_have_text_and_unique_key, 0, ncommands());
	tcase_add_loop_test(table, man_page_has_the_options, 0, ncommands());
	tcase_add_test(table, main_man_page_has_the_commands);
	tcase_add_test(table, list_commands_prints_all);
	tcase_add_loop_test(table, error_has_its_exit_code, 0,
			    (int)(sizeof(codes) / sizeof(codes[0])));
	tcase_add_test(table, error_has_its_reason);
	suite_add_tcase(suite, table);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
