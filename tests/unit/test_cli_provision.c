// SPDX-License-Identifier: GPL-2.0-only
/* ccshmctl provision, on the fake driver and on temporary files for /etc, /usr and so on. */
#include <stdio.h>
#include <sys/stat.h>

#include "cli-run.h"
#include "fake.h"
#include "fake-root.h"

#define ETC	"/etc/ccshm/buffers.d/"
#define RUN	"/run/ccshm/buffers.d/"
#define LOCAL	"/usr/local/lib/ccshm/buffers.d/"
#define LIB	"/usr/lib/ccshm/buffers.d/"
#define SYSFS	"/sys/class/misc/ccshm/"

static void setup(void)
{
	fake_setup();
	cli_reset();
	top_make();
}

static void teardown(void)
{
	top_remove();
	fake_teardown();
}

/* Check the row of a buffer or limit that appears once in the output. */
static void check_result(const char *name, const char *result, const char *says)
{
	char words[3][160];
	const char *row, *end, *at;
	int i, n = says ? 3 : 2;

	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	snprintf(words[0], sizeof(words[0]), "\"name\": \"%s\"", name);
	snprintf(words[1], sizeof(words[1]), "\"result\": \"%s\"", result);
	snprintf(words[2], sizeof(words[2]), "%s", says ? says : "");
	row = strstr(cli.out, words[0]);
	ck_assert_msg(row != NULL, "no %s in: %s", name, cli.out);
	end = strchr(row, '}');
	for (i = 1; i < n; i++) {
		at = strstr(row, words[i]);
		ck_assert_msg(at && at < end, "no %s of %s in: %s", words[i], name, cli.out);
	}
}

/* Check for an error "FILE:LINE: text" on a file below the fake root. */
static void check_complaint(const char *path, unsigned int line, const char *text)
{
	char needle[512];

	snprintf(needle, sizeof(needle), "ccshmctl: %s%s:%u: %s", top, path, line, text);
	ck_assert_msg(strstr(cli.err, needle) != NULL, "no \"%s\" in: %s", needle, cli.err);
}

/* Allocate a persistent buffer before the command runs. Free the options. */
static void allocated(const char *name, uint64_t size, struct ccshm_alloc_options *options)
{
	struct ccshm *handle = fake_handle();
	struct ccshm_buffer *buffer;

	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, name), 0);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, size, options, &buffer), 0);
	ccshm_alloc_options_free(options);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static void existing(const char *name, uint64_t size, mode_t mode, gid_t group,
		     bool contiguous)
{
	struct ccshm_alloc_options *options;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_mode(options, mode);
	ccshm_alloc_options_set_group(options, group);
	ccshm_alloc_options_set_contiguous(options, contiguous);
	allocated(name, size, options);
}

static void existing_of(const char *name, uid_t owner)
{
	struct ccshm_alloc_options *options;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_owner(options, owner);
	allocated(name, PAGE, options);
}

START_TEST(missing_buffers_are_created)
{
	put(ETC "a.conf", "# two of them\n[buffer one]\nsize = 8K\n\n; and\n  [ buffer  two ]  \n\tsize=1M\r\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("one", "created", "\"size\": 8192");
	check_result("one", "created", "a.conf:2\"");
	check_result("two", "created", "\"size\": 1048576");
	check_result("two", "created", "a.conf:6\"");
	ck_assert_str_eq(cli.err, "");
	ck_assert_uint_eq(cli.buffers, 2);
	ck_assert_uint_eq(cli.files, 0);
}
END_TEST

START_TEST(no_file_creates_no_buffer)
{
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	ck_assert_str_eq(cli.out, "{\n   \"provision\": []\n}\n");
	ck_assert_int_eq(cli_run("provision", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(equal_buffer_is_kept)
{
	existing("one", 8192, 0640, 7, true);
	put(ETC "a.conf", "[buffer one]\nsize=5000\nmode=0640\ngroup=7\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("one", "exists", "\"id\": 1");
	ck_assert_str_eq(cli.err, "");
	ck_assert_uint_eq(cli.buffers, 1);
}
END_TEST

/* A buffer may differ in attributes that the file does not set, except the mode. */
START_TEST(unset_attributes_may_differ_except_mode)
{
	existing("one", 8192, 0600, 7, true);
	existing("two", 8192, 0644, 7, false);
	put(ETC "a.conf", "[buffer one]\nsize=8K\n[buffer two]\nsize=8K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "exists", NULL);
	check_result("two", "differs", "mode is 0644, not 0600");
}
END_TEST

static const struct {
	const char *line;
	const char *says;
} difference[] = {
	{ "size=12K\nmode=0640", "size is 8K, not 12K" },
	{ "size=4K\nmode=0640", "size is 8K, not 4K" },
	{ "size=8K\nmode=0600", "mode is 0640, not 0600; change it with `ccshmctl set`\"" },
	{ "size=8K\nmode=0640\ngroup=8", "group is 7, not 8; change it with `ccshmctl set`\"" },
	{ "size=8K\nmode=0640\ncontiguous=yes", "not made in one piece" },
	{ "size=8K\nmode=0640\ndma32=on", "not made below 4 GiB" },
	{ "size=8K\nmode=0640\nwhole-units=yes", "it was not made of whole units" },
	{ "size=8K\nmode=0640\nothers-pin=yes", "other users may not make pinned exports" },
	{ "size=8K\nmode=0640\nnode=0", "not made for one NUMA node" },
	{ "size=1M\nmode=0644", "size is 8K, not 1M, mode is 0640, not 0644; free the buffer and run provision again\"" },
};

START_TEST(different_buffer_is_reported)
{
	char text[256];

	existing("one", 8192, 0640, 7, false);
	snprintf(text, sizeof(text), "[buffer one]\n%s\n[buffer two]\nsize=4K\n",
		 difference[_i].line);
	put(ETC "a.conf", text);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "differs", difference[_i].says);
	check_complaint(ETC "a.conf", 1, "buffer one: it differs: ");
	/* The other buffer is created; the buffer that differs is kept. */
	check_result("two", "created", NULL);
	ck_assert_uint_eq(cli.buffers, 2);
}
END_TEST

START_TEST(dry_run)
{
	existing("one", 8192, 0600, 7, false);
	existing("two", 8192, 0600, 7, false);
	put(SYSFS "limit_user_bytes", "max\n");
	put(ETC "a.conf", "[buffer one]\nsize=8K\n[buffer two]\nsize=4K\n[buffer three]\nsize=4K\n"
			  "[limits]\nuser-bytes=1M\n");
	ck_assert_int_eq(cli_run("provision", "--dry-run", "--json", NULL), EXIT_FAILED);
	check_result("one", "exists", NULL);
	check_result("two", "differs", "size is 8K");
	check_result("three", "would-create", "\"id\": null");
	check_result("user-bytes", "would-set", NULL);
	ck_assert_uint_eq(cli.buffers, 2);
	shell("grep -qx max %s%s%s", SYSFS "limit_user_bytes", "");
	put(ETC "a.conf", "[buffer three]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "-n", NULL), 0);
	ck_assert_uint_eq(cli.buffers, 2);
}
END_TEST

/* A dry run without a driver checks the files, as in an image that is being built. */
START_TEST(dry_run_without_driver)
{
	fake.no_driver = true;
	put(ETC "a.conf", "[buffer one]\nsize=8K\n[limits]\ntotal-bytes=1G\n");
	ck_assert_int_eq(cli_run("provision", "-n", "--json", NULL), 0);
	check_result("one", "would-create", NULL);
	check_result("total-bytes", "would-set", NULL);
	ck_assert_ptr_nonnull(strstr(cli.err, "driver not loaded; assuming that no buffers exist"));
	put(ETC "a.conf", "[buffer one]\nsize=8Q\n");
	ck_assert_int_eq(cli_run("provision", "-n", NULL), EXIT_FAILED);
	check_complaint(ETC "a.conf", 2, "size: '8Q' is not a size");
}
END_TEST

START_TEST(no_driver)
{
	fake.no_driver = true;
	put(ETC "a.conf", "[buffer one]\nbogus\n");
	ck_assert_int_eq(cli_run("provision", NULL), EXIT_NO_DRIVER);
	ck_assert_str_eq(cli.out, "");
	ck_assert_ptr_nonnull(strstr(cli.err, "cannot open"));
	ck_assert_ptr_null(strstr(cli.err, "bogus"));
}
END_TEST

START_TEST(no_permission)
{
	put(ETC "a.conf", "[buffer one]\nsize=8K\n");
	fake_fail(FAKE_OPEN, 0, -EACCES);
	ck_assert_int_eq(cli_run("provision", NULL), EXIT_PERMISSION);
	ck_assert_int_eq(cli_run("provision", "-n", NULL), EXIT_PERMISSION);
	ck_assert_str_eq(cli.out, "");
	fake_setup();
	put(ETC "a.conf", "[buffer one]\nsize=8K\n[buffer two]\nsize=8K\nowner=1\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EPERM);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_PERMISSION);
	check_result("one", "failed", "only root may give a buffer");
	check_result("two", "created", NULL);
}
END_TEST

/* ------------------------------------------------------------------------- */
/* Invalid lines                                                             */
/* ------------------------------------------------------------------------- */

static const struct {
	const char *text;
	unsigned int line;
	const char *says;
} mistakes[] = {
	{ "size=4K\n[buffer one]\nsize=4K\n", 1, "size is before the first section" },
	{ "[buffer]\nsize=4K\n", 1, "there is no section [buffer]" },
	{ "[bufferone]\nsize=4K\n", 1, "there is no section [bufferone]" },
	{ "[heap]\nsize=4K\nother\n", 1, "there is no section [heap]; there are [buffer NAME], [limits] and [pool]" },
	{ "[pool one]\nmax-bytes=4M\n", 1, "there is no section [pool one]" },
	{ "[buffer bad\nsize=4K\n", 1, "the ] of the section is missing" },
	{ "[buffer bad] size=4K\n", 1, "unexpected text after the ]" },
	{ "[]\n", 1, "there is no section []" },
	{ "[buffer bad]\n", 1, "buffer bad has no size" },
	{ "[buffer bad]\nmode=0600", 1, "buffer bad has no size" },
	{ "[buffer bad]\nsize 4K\n", 2, "neither [SECTION] nor KEY=VALUE" },
	{ "[buffer bad]\n=4K\nsize=4K\n", 2, "neither [SECTION] nor KEY=VALUE" },
	{ "[buffer bad]\nsize=\n", 2, "size: '' is not a size" },
	{ "[buffer bad]\nsize=0\n", 2, "size: '0' is not a size for a buffer" },
	{ "[buffer bad]\nsize=4KB\n", 2, "size: '4KB' is not a size" },
	{ "[buffer bad]\nsize=4K # four\n", 2, "size: '4K # four' is not a size" },
	{ "[buffer bad]\nsize=16E\n", 2, "size: '16E' is too large" },
	{ "[buffer bad]\nsize=18446744073709551615\n", 2, "size: '18446744073709551615' is too large" },
	{ "[buffer bad]\nsize=4K\nsize=8K\n", 3, "size is set twice" },
	{ "[buffer bad]\nSize=4K\n", 2, "'Size' is not a key of a buffer" },
	{ "[buffer bad]\nsize=4K\n\n# and\nspeed=fast\n", 5, "'speed' is not a key of a buffer" },
	{ "[buffer bad]\nsize=4K\nowner=nobody-of-that-name\n", 3, "owner: 'nobody-of-that-name' is not a user of this machine" },
	{ "[buffer bad]\nsize=4K\nowner=-1\n", 3, "owner: '-1' is not a user" },
	{ "[buffer bad]\nsize=4K\ngroup=nobody-of-that-name\n", 3, "group: 'nobody-of-that-name' is not a group of this machine" },
	{ "[buffer bad]\nsize=4K\nmode=0755\n", 3, "mode: '0755' is not an octal number" },
	{ "[buffer bad]\nsize=4K\nmode=rw\n", 3, "mode: 'rw' is not an octal number" },
	{ "[buffer bad]\nsize=4K\nnode=all\n", 3, "node: 'all' is not the number" },
	{ "[buffer bad]\nsize=4K\nnode=-1\n", 3, "node: '-1' is not the number" },
	{ "[buffer bad]\nsize=4K\nnode=4294967296\n", 3, "node: '4294967296' is not the number of a NUMA node" },
	{ "[buffer bad]\nsize=4K\ndma32=maybe\n", 3, "dma32: 'maybe' is neither yes nor no" },
	{ "[buffer bad]\nsize=4K\ncontiguous=\n", 3, "contiguous: '' is neither yes nor no" },
	{ "[buffer 4you]\nsize=4K\n", 1, "'4you' is not a name" },
	{ "[buffer a/b]\nsize=4K\n", 1, "'a/b' is not a name" },
	{ "[buffer abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl]\nsize=4K\n", 1,
	  "'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl' is a name of more than" },
	{ "[buffer other]\nsize=4K\n", 1, "the owner's buffer other is already defined at " },
	{ "[buffer bad]\nsize\u00a0=\u00a04K\n", 2, "column 5 has a no-break space (U+00A0)" },
	{ "[buffer bad]\nsize=4K\n\u202fmode=0600\n", 3, "column 1 has a narrow no-break space (U+202F)" },
	{ "[buffer bad]\nsize=4K\u200b\n", 2, "column 8 has a zero-width space (U+200B)" },
	/* The keys after an invalid section header do not belong to the section before it. */
	{ "[buffer one]\nsize=4K\n[buffer\u00a0bad]\nsize=8K\n", 3, "column 8 has a no-break space" },
	{ "[buffer one]\nsize=4K\n\u00a0[buffer evil]\nsize=8K\n", 3, "column 1 has a no-break space" },
	{ "[limits]\ntotal_bytes=4K\n", 2, "there is no limit 'total_bytes'" },
	{ "[limits]\ntotal-bytes=much\n", 2, "total-bytes: 'much' is not a size" },
	{ "[limits]\nuser-buffers=4K\n", 2, "user-buffers: '4K' is neither a number nor max" },
	{ "[limits]\nuser-buffers=-4\n", 2, "user-buffers: '-4' is neither a number nor max" },
	{ "[limits]\nuser-exports=4K\n", 2, "user-exports: '4K' is neither a number nor max" },
	{ "[limits]\nuser-bytes=1G\nuser-bytes=2G\n", 3, "user-bytes is set twice" },
	{ "[limits]\nuser-bytes=\u00a01G\n", 2, "column 12 has a no-break space" },
	{ "[limits]\nmax-bytes=4M\n", 2, "there is no limit 'max-bytes'" },
	{ "[pool]\nuser-bytes=4M\n", 2, "'user-bytes' is not a key of the pool" },
	{ "[pool]\nidle-bytes=4M\n", 2, "'idle-bytes' is not a key of the pool" },
	{ "[pool]\nmax-bytes=max\n", 2, "max-bytes: 'max' is not a size" },
	{ "[pool]\nmin-bytes=\n", 2, "min-bytes: '' is not a size" },
	{ "[pool]\nmin-bytes=-1\n", 2, "min-bytes: '-1' is not a size" },
	{ "[pool]\nmax-bytes=16E\n", 2, "max-bytes: '16E' is too large" },
	{ "[pool]\nmax-bytes=8E\n", 2, "max-bytes: '8E' is too large" },
	{ "[pool]\nmax-bytes=0\nmax-bytes=0\n", 3, "max-bytes is set twice" },
};

/* An invalid line is reported and affects only its own buffer. */
START_TEST(invalid_line_is_reported)
{
	char text[512];

	put(ETC "a.conf", "[buffer other]\nsize=4K\n");
	snprintf(text, sizeof(text), "%s\n[buffer good]\nsize=12K\n", mistakes[_i].text);
	put(ETC "b.conf", text);
	put(SYSFS "limit_user_bytes", "max\n");
	put(SYSFS "pool_max_bytes", "0\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "b.conf", mistakes[_i].line, mistakes[_i].says);
	ck_assert_msg(strstr(cli.out, mistakes[_i].says) != NULL, "JSON lacks \"%s\": %s",
		      mistakes[_i].says, cli.out);
	check_result("other", "created", NULL);
	check_result("good", "created", "\"size\": 12288");
	if (strstr(mistakes[_i].text, "[buffer bad]\n"))
		check_result("bad", "failed", NULL);
	ck_assert_uint_eq(cli.buffers, strstr(mistakes[_i].text, "buffer one") ? 3 : 2);
}
END_TEST

/* The reason in a section's row has all errors of the section. */
START_TEST(several_errors_are_all_reported)
{
	put(ETC "a.conf", "[buffer bad]\nsize=4Q\nspeed=1\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("bad", "failed", "line 2: size: '4Q' is not a size");
	check_result("bad", "failed", "; line 3: 'speed' is not a key of a buffer");
	check_result("bad", "failed", "a.conf:1\"");
}
END_TEST

/* Errors that belong neither to a buffer nor to a limit in force have rows of their own. */
START_TEST(each_error_has_a_row)
{
	put(SYSFS "limit_user_bytes", "max\n");
	put(ETC "a.conf", "stray=1\n[heap]\n[limits]\nuser-bytes=much\nuser-bits=1\n");
	shell("ln -s nowhere %s%s%s", ETC "b.conf", "");
	put(LIB "0.conf", "[limits]\nuser-bytes=1G\n");
	ck_assert_int_eq(cli_run("provision", "-o", "kind,name,result", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.out, "KIND    NAME       RESULT\n"
				  "limit   user-bytes set\n"
				  "line    -          failed\n"
				  "section heap       failed\n"
				  "limit   user-bytes failed\n"
				  "limit   user-bits  failed\n"
				  "file    -          failed\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("heap", "failed", "a.conf:2\"");
	check_result("user-bits", "failed", "a.conf:5\"");
	ck_assert_ptr_nonnull(strstr(cli.out, "b.conf\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "cannot read it: No such file"));
	shell("rm -r %s%s && touch %s/etc/ccshm/buffers.d", "/etc/ccshm/buffers.d", top);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.out, "cannot list it: Not a directory"));
}
END_TEST

/* An invalid section is ignored: it does not replace a valid section of the same buffer. */
START_TEST(invalid_section_does_not_stop_others)
{
	put(LIB "10.conf", "[buffer one]\nsize=8Q\n[buffer one]\nsize=4K\n");
	put(ETC "20.conf", "[buffer one]\nsize=8K\n[buffer one]\nsize=?\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name,size,result,source", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.out, " 4K created "));
	check_complaint(LIB "10.conf", 2, "size: '8Q' is not a size");
	check_complaint(ETC "20.conf", 1, "the owner's buffer one is already defined at ");
	check_complaint(ETC "20.conf", 4, "size: '?' is not a size");
	ck_assert_ptr_nonnull(strstr(cli.err, "already defined at "));
	ck_assert_uint_eq(cli.buffers, 1);
}
END_TEST

START_TEST(byte_order_mark)
{
	put(ETC "a.conf", "\ufeff[buffer one]\nsize=4K\n");
	put(ETC "b.conf", "\ufeff# only a comment\n[buffer two]\nsize=4K\n");
	put(ETC "c.conf", "\ufeff");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("one", "created", NULL);
	check_result("two", "created", NULL);
	ck_assert_str_eq(cli.err, "");
	/* A byte order mark is an error except at the start of the file. */
	put(ETC "a.conf", "[buffer three]\nsize=4K\n\ufeffmode=0600\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "a.conf", 3, "column 1 has a byte order mark (U+FEFF)");
	check_result("three", "failed", NULL);
	put_bytes(ETC "a.conf", "\xff\xfe[\0b\0]\0\n\0", 10);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "a.conf", 1, "the file is UTF-16: save it as UTF-8");
	ck_assert_ptr_null(strstr(cli.err, "NUL"));
}
END_TEST

START_TEST(nul)
{
	static const char text[] = "[buffer one]\nsize=4K\0\n[buffer two]\nsize=4K\n";

	put_bytes(ETC "a.conf", text, sizeof(text) - 1);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "a.conf", 2, "the line contains a NUL");
	check_result("one", "failed", NULL);
	check_result("two", "created", NULL);
}
END_TEST

/* Lines and names of sections may be long. */
START_TEST(long_lines)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz12345678910";
	char text[8192], *end = text;

	ck_assert_uint_eq(strlen(name), 63);
	end += sprintf(end, "#");
	end += sprintf(end, "%05000d\n", 0);
	end += sprintf(end, "[buffer %s]\nsize=%02000d4096\n", name, 0);
	sprintf(end, "bogus\n");
	put(ETC "a.conf", text);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "a.conf", 4, "neither [SECTION]");
	*end = '\0';
	put(ETC "a.conf", text);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result(name, "created", "\"size\": 4096");
}
END_TEST

/* ------------------------------------------------------------------------- */
/* Files                                                                     */
/* ------------------------------------------------------------------------- */

START_TEST(files_are_read_by_name)
{
	put(LIB "10-a.conf", "[buffer first]\nsize=4K\n");
	put(ETC "20-b.conf", "[buffer second]\nsize=4K\n");
	put(LOCAL "30-c.conf", "[buffer third]\nsize=4K\n");
	put(RUN "40-d.conf", "[buffer fourth]\nsize=4K\n");
	put(ETC "notes.txt", "bogus\n");
	put(ETC ".hidden.conf", "bogus\n");
	put(ETC "50-e.conf~", "bogus\n");
	put(ETC ".conf", "bogus\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME\nfirst\nsecond\nthird\nfourth\n");
}
END_TEST

START_TEST(file_overrides_those_of_equal_name)
{
	put(LIB "a.conf", "[buffer lib]\nsize=4K\n");
	put(LOCAL "a.conf", "[buffer local]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME\nlocal\n");
	put(RUN "a.conf", "[buffer run]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME\nrun\n");
	put(ETC "a.conf", "[buffer etc]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME\netc\n");
	put(ETC "a.conf", "");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	shell("ln -sf /dev/null %s%s%s", ETC "a.conf", "");
	ck_assert_int_eq(cli_run("provision", "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_str_eq(cli.err, "");
}
END_TEST

START_TEST(irregular_files_are_reported)
{
	put(ETC "a.conf/", "");
	shell("mkfifo %s%s%s", ETC "b.conf", "");
	shell("ln -s nowhere %s%s%s", ETC "c.conf", "");
	shell("ln -s /dev/zero %s%s%s", ETC "d.conf", "");
	put(ETC "e.conf", "[buffer one]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "a.conf: Is a directory"));
	ck_assert_ptr_nonnull(strstr(cli.err, "b.conf: it is not a regular file"));
	ck_assert_ptr_nonnull(strstr(cli.err, "c.conf: No such file"));
	ck_assert_ptr_nonnull(strstr(cli.err, "d.conf: it is not a regular file"));
	check_result("one", "created", NULL);
	shell("rm -r %s%s && touch %s/etc/ccshm/buffers.d", "/etc/ccshm/buffers.d", top);
	put(LIB "a.conf", "[buffer one]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "buffers.d: Not a directory"));
	check_result("one", "created", NULL);
}
END_TEST

START_TEST(one_file)
{
	char path[128];

	put(ETC "a.conf", "[buffer one]\nsize=4K\n");
	put("/home/mine", "[buffer two]\nsize=4K\n");
	snprintf(path, sizeof(path), "%s/home/mine", top);
	ck_assert_int_eq(cli_run("provision", path, "-o", "name", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME\ntwo\n");
	ck_assert_int_eq(cli_run("provision", "/nonexistent", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "cannot read /nonexistent: No such file"));
	ck_assert_int_eq(cli_run("provision", path, path, NULL), EXIT_USAGE);
}
END_TEST

START_TEST(standard_input)
{
	static const char *const stdin_names[] = { "-", "/dev/stdin", "/proc/self/fd/0" };

	cli_input = "[buffer one]\nsize=4K\nspeed=1\n[buffer two]\nsize=4K\n";
	put(ETC "a.conf", "[buffer three]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", stdin_names[_i], "-o", "name,result", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.out, "NAME RESULT\none  failed\ntwo  created\n");
	if (!_i)
		ck_assert_ptr_nonnull(strstr(cli.err, "ccshmctl: standard input:3: 'speed' is not a key of a buffer"));
}
END_TEST

/* The file may be a pipe, as with <(...) or mkfifo, whose writer opens it later. */
START_TEST(named_pipe_is_read)
{
	char path[128];

	shell("mkfifo %s%s%s", "/fifo", "");
	shell("(sleep 0.2; printf '[buffer one]\nsize=4K\n' >%s%s) &%s", "/fifo", "");
	snprintf(path, sizeof(path), "%s/fifo", top);
	ck_assert_int_eq(cli_run("provision", path, "-o", "name,result", NULL), 0);
	ck_assert_str_eq(cli.out, "NAME RESULT\none  created\n");
	ck_assert_int_eq(cli_run("provision", "/dev/zero", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(cli.err, "cannot read /dev/zero: it is not a regular file"));
}
END_TEST

/* Different owners may have buffers with equal names. */
START_TEST(owners)
{
	put(ETC "a.conf", "[buffer x]\nsize=4K\nowner=1\n[buffer x]\nsize=4K\nowner=2\n");
	put(ETC "b.conf", "[buffer x]\nsize=8K\nowner=1\n");
	ck_assert_int_eq(cli_run("provision", "-o", "name,result", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.out, "NAME RESULT\nx    created\nx    created\nx    failed\n");
	check_complaint(ETC "b.conf", 1, "the owner's buffer x is already defined at ");
	ck_assert_ptr_nonnull(strstr(cli.err, "already defined at "));
}
END_TEST

/* ------------------------------------------------------------------------- */
/* Limits                                                                    */
/* ------------------------------------------------------------------------- */

START_TEST(limits_are_set)
{
	put(SYSFS "limit_total_bytes", "max\n");
	put(SYSFS "limit_user_bytes", "5\n");
	put(SYSFS "limit_user_buffers", "65536\n");
	put(SYSFS "limit_user_exports", "65536\n");
	put(ETC "a.conf", "[limits]\ntotal-bytes=1G\nuser-bytes=max\nuser-buffers=65536\nuser-exports=100\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("total-bytes", "set", "\"size\": 1073741824");
	check_result("user-bytes", "set", "\"size\": null");
	check_result("user-buffers", "exists", "\"size\": 65536");
	check_result("user-exports", "set", "\"size\": 100");
	shell("test \"$(head -c 3 %s" SYSFS "limit_user_exports%s%s)\" = 100", "", "");
	shell("test \"$(cat %s" SYSFS "limit_total_bytes%s%s | head -c 10)\" = 1073741824", "", "");
	shell("test \"$(head -c 3 %s" SYSFS "limit_user_bytes%s%s)\" = max", "", "");
	/* This file was not written: it still has its newline. */
	shell("test \"$(wc -c <%s" SYSFS "limit_user_buffers%s%s)\" = 6", "", "");
}
END_TEST

/* The value in the last file counts; an invalid value changes nothing. */
START_TEST(later_limits_override)
{
	put(SYSFS "limit_user_bytes", "max\n");
	put(SYSFS "limit_user_buffers", "9\n");
	put(LIB "a.conf", "[limits]\nuser-bytes=1G\nuser-buffers=9\n");
	put(ETC "b.conf", "[limits]\nuser-bytes=2G\n[limits]\nuser-buffers=no\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "b.conf", 4, "user-buffers: 'no'");
	check_result("user-bytes", "set", "\"size\": 2147483648");
	check_result("user-bytes", "set", "b.conf:2\"");
	check_result("user-buffers", "exists", "a.conf:3\"");
}
END_TEST

START_TEST(failed_limit_is_reported)
{
	put(ETC "a.conf", "[limits]\nuser-bytes=1G\n[buffer one]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("user-bytes", "failed", "No such file");
	check_complaint(ETC "a.conf", 2, "cannot write 1073741824 to ");
	check_result("one", "created", NULL);
	put(SYSFS "limit_user_bytes", "");
	shell("rm %s%s%s", SYSFS "limit_user_bytes", "");
	shell("ln -s /dev/full %s%s%s", SYSFS "limit_user_bytes", "");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("user-bytes", "failed", "No space left");
}
END_TEST

/* ------------------------------------------------------------------------- */
/* The pool                                                                  */
/* ------------------------------------------------------------------------- */

#define POOL_MAX	SYSFS "pool_max_bytes"
#define POOL_MIN	SYSFS "pool_min_bytes"

static void check_file(const char *file, const char *text)
{
	shell("test \"$(cat %s%s)\" = '%s'", file, text);
}

START_TEST(limits_are_set_first_and_the_pool_last)
{
	put(POOL_MAX, "0\n");
	put(POOL_MIN, "0\n");
	put(SYSFS "limit_user_bytes", "max\n");
	put(ETC "a.conf", "[pool]\nmin-bytes=4M\nmax-bytes = 1.5G\n[buffer one]\nsize=4K\n"
			  "[limits]\nuser-bytes=1G\n");
	ck_assert_int_eq(cli_run("provision", "-o", "kind,name,size,result", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_str_eq(cli.out, "KIND   NAME       SIZE RESULT\n"
				  "limit  user-bytes   1G set\n"
				  "buffer one          4K created\n"
				  "pool   max-bytes  1.5G set\n"
				  "pool   min-bytes    4M set\n");
	check_file(POOL_MAX, "1610612736");
	check_file(POOL_MIN, "4194304");
}
END_TEST

START_TEST(rounded_pool_size_exists)
{
	fake.info.block_size = 2 << 20;
	put(POOL_MAX, "4194304\n");
	put(POOL_MIN, "0\n");
	put(ETC "a.conf", "[pool]\nmax-bytes=5M\nmin-bytes=2097151\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("max-bytes", "exists", "\"size\": 5242880");
	check_result("min-bytes", "exists", "\"size\": 2097151");
	ck_assert_int_eq(cli_run("provision", "--dry-run", "--json", NULL), 0);
	check_result("max-bytes", "exists", NULL);
	check_file(POOL_MAX, "4194304");
	put(ETC "a.conf", "[pool]\nmax-bytes=6M\nmin-bytes=2M\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("max-bytes", "set", NULL);
	check_result("min-bytes", "set", NULL);
	check_file(POOL_MAX, "6291456");
	check_file(POOL_MIN, "2097152");
}
END_TEST

/* If INFO fails, the sizes are set again. */
START_TEST(pool_is_set_without_known_unit)
{
	put(POOL_MAX, "4194304\n");
	put(POOL_MIN, "4194304\n");
	put(ETC "a.conf", "[pool]\nmax-bytes=5M\nmin-bytes=4M\n");
	/* The first INFO is that of the handle. */
	fake_fail(FAKE_IOCTL, 1, -EIO);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("max-bytes", "set", NULL);
	check_result("min-bytes", "exists", NULL);
	check_file(POOL_MAX, "5242880");
}
END_TEST

START_TEST(later_pool_sizes_override)
{
	put(POOL_MAX, "0\n");
	put(POOL_MIN, "0\n");
	put(LIB "a.conf", "[pool]\nmax-bytes=16M\nmin-bytes=2M\n");
	put(ETC "b.conf", "[pool]\nmax-bytes=8M\nmin-bytes=max\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_complaint(ETC "b.conf", 3, "min-bytes: 'max' is not a size");
	check_result("max-bytes", "set", "b.conf:2\"");
	check_result("min-bytes", "set", "a.conf:3\"");
	check_file(POOL_MAX, "8388608");
	check_file(POOL_MIN, "2097152");
	/* Without a driver, a dry run reports sizes as it reports limits. */
	fake.no_driver = true;
	put(ETC "b.conf", "[pool]\nmax-bytes=8M\n");
	ck_assert_int_eq(cli_run("provision", "--dry-run", "--json", NULL), 0);
	check_result("max-bytes", "would-set", "\"size\": 8388608");
}
END_TEST

START_TEST(dry_run_sets_no_pool)
{
	put(POOL_MAX, "0\n");
	put(POOL_MIN, "0\n");
	put(ETC "a.conf", "[pool]\nmax-bytes=8M\nmin-bytes=0\n");
	ck_assert_int_eq(cli_run("provision", "--dry-run", "--json", NULL), 0);
	check_result("max-bytes", "would-set", NULL);
	check_result("min-bytes", "exists", NULL);
	check_file(POOL_MAX, "0");
}
END_TEST

START_TEST(failed_pool_size_is_reported)
{
	put(ETC "a.conf", "[pool]\nmax-bytes=4M\n[buffer one]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("max-bytes", "failed", "the driver is too old to have a pool");
	check_complaint(ETC "a.conf", 2, "cannot write 4194304 to " POOL_MAX ": the driver is too old");
	check_result("one", "created", NULL);
	put(POOL_MAX, "0\n");
	put_refusing(POOL_MAX);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_PERMISSION);
	check_result("max-bytes", "failed", "it needs CAP_SYS_RESOURCE");
	check_result("one", "created", NULL);
}
END_TEST

/* ------------------------------------------------------------------------- */
/* Failures of the driver                                                    */
/* ------------------------------------------------------------------------- */

static const struct {
	int error;
	const char *says;
} failure[] = {
	{ -ENOMEM, "not enough memory" },
	{ -ENOSPC, "the limit of all users together" },
	{ -EDQUOT, "this would exceed your per-user limit" },
	{ -EFBIG, "larger than the largest possible piece" },
	{ -EIO, "the platform refused" },
	{ -EINVAL, "the driver does not know one of the options" },
};

START_TEST(failed_ALLOC_does_not_stop_others)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\nnode=0\n[buffer two]\nsize=4K\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, failure[_i].error);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "failed", failure[_i].says);
	check_complaint(ETC "a.conf", 1, "buffer one: ");
	check_result("two", "created", NULL);
	ck_assert_uint_eq(cli.buffers, 1);
}
END_TEST

/* After an EINVAL, the program reports the one cause. */
START_TEST(failed_ALLOC_reports_the_cause)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\nnode=1\n[buffer two]\nsize=4K\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "failed", "there is no NUMA node 1; this machine has 0");
	check_result("two", "created", NULL);
	put("/proc/self/uid_map", "0 100000 1\n");
	put(ETC "a.conf", "[buffer three]\nsize=4K\nowner=1\n");
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EINVAL);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("three", "failed", "the user 1 is not mapped in this user namespace");
}
END_TEST

/* OPEN does not find the buffer, and another process creates it before ALLOC. */
START_TEST(buffer_created_by_another_process)
{
	existing("one", 4096, 0600, 7, false);
	put(ETC "a.conf", "[buffer one]\nsize=4K\n");
	fake_fail_ioctl(CCSHM_IOC_OPEN, -ENOENT);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("one", "exists", "\"id\": 1");
	/* ALLOC finds a buffer of that name, which is freed before OPEN. */
	fake_fail_ioctl(CCSHM_IOC_ALLOC, -EEXIST);
	put(ETC "a.conf", "[buffer two]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--json", NULL), 0);
	check_result("two", "created", NULL);
}
END_TEST

/* The owner has a buffer of that name that the caller may not see. */
START_TEST(invisible_buffer_of_equal_name_fails)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\nowner=1\n[buffer two]\nsize=4K\n");
	existing_of("one", 1);
	fake.no_admin = true;
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "failed", "that you are not permitted to see");
	check_result("two", "created", NULL);
}
END_TEST

START_TEST(failed_QUERY_does_not_stop_others)
{
	existing("one", 4096, 0600, 7, false);
	put(ETC "a.conf", "[buffer one]\nsize=4K\n[buffer two]\nsize=4K\n");
	/* The buffer is freed after INFO, OPEN and the QUERY of the handle. */
	fake_fail(FAKE_IOCTL, 3, -ENOENT);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "failed", "no such object");
	check_result("two", "created", NULL);
	ck_assert_uint_eq(cli.buffers, 2);
}
END_TEST

START_TEST(failed_OPEN_does_not_stop_others)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\n[buffer two]\nsize=4K\n");
	fake_fail_ioctl(CCSHM_IOC_OPEN, -EIO);
	ck_assert_int_eq(cli_run("provision", "--json", NULL), EXIT_FAILED);
	check_result("one", "failed", "Input/output error");
	check_result("two", "created", NULL);
	ck_assert_uint_eq(cli.buffers, 1);
}
END_TEST

START_TEST(unknown_column_is_refused)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\n");
	ck_assert_int_eq(cli_run("provision", "--output", "name,colour", NULL), EXIT_USAGE);
	ck_assert_ptr_nonnull(strstr(cli.err, "there is no column 'colour'"));
	ck_assert_uint_eq(cli.buffers, 0);
}
END_TEST

START_TEST(full_output_fails)
{
	put(ETC "a.conf", "[buffer one]\nsize=4K\n");
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("provision", NULL), EXIT_FAILED);
	/* Keep the buffer: the user can find it by its name. */
	ck_assert_uint_eq(cli.buffers, 1);
}
END_TEST

#define LOOP(c, name, stories)	\
	tcase_add_loop_test(c, name, 0, (int)(sizeof(stories) / sizeof(stories[0])))

static void add(Suite *suite)
{
	TCase *c = tcase_create("provision");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, missing_buffers_are_created);
	tcase_add_test(c, no_file_creates_no_buffer);
	tcase_add_test(c, equal_buffer_is_kept);
	tcase_add_test(c, unset_attributes_may_differ_except_mode);
	LOOP(c, different_buffer_is_reported, difference);
	tcase_add_test(c, dry_run);
	tcase_add_test(c, dry_run_without_driver);
	tcase_add_test(c, no_driver);
	tcase_add_test(c, no_permission);
	LOOP(c, invalid_line_is_reported, mistakes);
	tcase_add_test(c, several_errors_are_all_reported);
	tcase_add_test(c, each_error_has_a_row);
	tcase_add_test(c, invalid_section_does_not_stop_others);
	tcase_add_test(c, byte_order_mark);
	tcase_add_test(c, nul);
	tcase_add_test(c, long_lines);
	tcase_add_test(c, files_are_read_by_name);
	tcase_add_test(c, file_overrides_those_of_equal_name);
	tcase_add_test(c, irregular_files_are_reported);
	tcase_add_test(c, one_file);
	tcase_add_loop_test(c, standard_input, 0, 3);
	tcase_add_test(c, named_pipe_is_read);
	tcase_add_test(c, owners);
	tcase_add_test(c, limits_are_set);
	tcase_add_test(c, later_limits_override);
	tcase_add_test(c, failed_limit_is_reported);
	tcase_add_test(c, limits_are_set_first_and_the_pool_last);
	tcase_add_test(c, rounded_pool_size_exists);
	tcase_add_test(c, pool_is_set_without_known_unit);
	tcase_add_test(c, later_pool_sizes_override);
	tcase_add_test(c, dry_run_sets_no_pool);
	tcase_add_test(c, failed_pool_size_is_reported);
	LOOP(c, failed_ALLOC_does_not_stop_others, failure);
	tcase_add_test(c, failed_ALLOC_reports_the_cause);
	tcase_add_test(c, buffer_created_by_another_process);
	tcase_add_test(c, invisible_buffer_of_equal_name_fails);
	tcase_add_test(c, failed_QUERY_does_not_stop_others);
	tcase_add_test(c, failed_OPEN_does_not_stop_others);
	tcase_add_test(c, unknown_column_is_refused);
	tcase_add_test(c, full_output_fails);
	suite_add_tcase(suite, c);
}

int main(void)
{
	return unit_main("cli_provision", add);
}
