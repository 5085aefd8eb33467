// SPDX-License-Identifier: GPL-2.0-only
/* Parse and print sizes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

#define K	1024ULL
#define M	(1024 * K)
#define G	(1024 * M)
#define T	(1024 * G)
#define P	(1024 * T)
#define E	(1024 * P)

static const struct {
	const char *text;
	uint64_t bytes;
} good[] = {
	{ "0", 0 },
	{ "1", 1 },
	{ "007", 7 },
	{ "4096", 4096 },
	{ "4096B", 4096 },
	{ "4K", 4 * K },
	{ "4k", 4 * K },
	{ "4KiB", 4 * K },
	{ "2M", 2 * M },
	{ "2MiB", 2 * M },
	{ "1.5G", G + G / 2 },
	{ "1.5GiB", G + G / 2 },
	{ "0.25K", 256 },
	{ "1.0", 1 },
	{ "3T", 3 * T },
	{ "5P", 5 * P },
	{ "15E", 15 * E },
	{ "15.5e", 15 * E + E / 2 },
	{ "15.984375E", 16 * E - E / 64 },
	{ "0.000003814697265625E", E / 262144 },
	{ "0x1000", 4096 },
	{ "0X1f", 31 },
	{ "0xffffffffffffffff", UINT64_MAX },
	{ "18446744073709551615", UINT64_MAX },
	{ "0.0009765625K", 1 },
	{ "1.000000000000000000K", K },
};

static const struct {
	const char *text;
	int err;
} bad[] = {
	{ "", -EINVAL },
	{ "K", -EINVAL },
	{ "-1", -EINVAL },
	{ "+1", -EINVAL },
	{ " 1", -EINVAL },
	{ "1 ", -EINVAL },
	{ "1 K", -EINVAL },
	{ "4KB", -EINVAL },
	{ "4kb", -EINVAL },
	{ "4Ki", -EINVAL },
	{ "4KiBs", -EINVAL },
	{ "4KK", -EINVAL },
	{ "4Q", -EINVAL },
	{ ".5K", -EINVAL },
	{ "1.K", -EINVAL },
	{ "1.", -EINVAL },
	{ "1.5", -EINVAL },		/* not a whole number of bytes */
	{ "1.3K", -EINVAL },
	{ "1.0.0K", -EINVAL },
	{ "1.0000000000000000000K", -EINVAL },	/* too many digits */
	{ "1e3", -EINVAL },
	{ "0x", -EINVAL },
	{ "0xg", -EINVAL },
	{ "0x10K", -EINVAL },
	{ "0x-1", -EINVAL },
	{ "inf", -EINVAL },
	{ "nan", -EINVAL },
	{ "16E", -ERANGE },
	{ "15.99999999999999999E", -EINVAL },
	{ "16384P", -ERANGE },
	{ "18446744073709551616", -ERANGE },
	{ "99999999999999999999999", -ERANGE },
	{ "18014398509481984K", -ERANGE },
	{ "0x10000000000000000", -ERANGE },
};

START_TEST(reads)
{
	uint64_t bytes = ~good[_i].bytes;

	ck_assert_msg(!size_parse(good[_i].text, &bytes), "%s", good[_i].text);
	ck_assert_msg(bytes == good[_i].bytes, "%s is %llu", good[_i].text,
		      (unsigned long long)bytes);
}
END_TEST

START_TEST(refuses)
{
	uint64_t bytes = 4711;
	int err = size_parse(bad[_i].text, &bytes);

	ck_assert_msg(err == bad[_i].err, "'%s' gives %d", bad[_i].text, err);
	ck_assert_uint_eq(bytes, 4711);
	ck_assert_ptr_nonnull(size_error(err));
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} formatted[] = {
	{ 0, "0" },
	{ 1, "1" },
	{ 1023, "1023" },
	{ 1024, "1K" },
	{ 1025, "1025" },
	{ 1280, "1.25K" },
	{ 1536, "1.5K" },
	{ 4096, "4K" },
	{ 2 * M, "2M" },
	{ 2 * M + 4 * K, "2052K" },
	{ G + G / 2, "1.5G" },
	{ G - 1, "1073741823" },
	{ 3 * G / 4, "768M" },
	{ T, "1T" },
	{ 15 * E + 3 * (E / 4), "15.75E" },
	{ UINT64_MAX, "18446744073709551615" },
};

START_TEST(prints)
{
	char text[SIZE_TEXT_LEN];

	ck_assert_str_eq(size_format(formatted[_i].bytes, text), formatted[_i].text);
}
END_TEST

/* A printed size is exact: parsing it yields the same number. */
START_TEST(round_trip)
{
	uint64_t bytes = 1, back, i;
	char text[SIZE_TEXT_LEN];

	for (i = 0; i < 20000; i++) {
		/* Numbers of all lengths, with different numbers of trailing zeros. */
		bytes = bytes * 6364136223846793005ULL + 1442695040888963407ULL;
		back = bytes >> (bytes & 63) << (i & 31);
		size_format(back, text);
		ck_assert_msg(!size_parse(text, &bytes), "%s", text);
		ck_assert_msg(bytes == back, "%s", text);
		bytes = back * 2654435761u + i;
	}
}
END_TEST

START_TEST(ids)
{
	static const char *const none[] = {
		"", "@", "0", "@0", "-1", "@-1", "1a", "a1", "@@1", "#1", "1/a", " 1",
		"18446744073709551616",
	};
	uint64_t id;
	size_t i;

	ck_assert_int_eq(id_parse("12", &id), 0);
	ck_assert_uint_eq(id, 12);
	ck_assert_int_eq(id_parse("@18446744073709551615", &id), 0);
	ck_assert_uint_eq(id, UINT64_MAX);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(id_parse(none[i], &id) == -EINVAL, "%s", none[i]);
}
END_TEST

START_TEST(users)
{
	uid_t uid;
	gid_t gid;

	ck_assert_int_eq(user_parse("root", &uid), 0);
	ck_assert_uint_eq(uid, 0);
	ck_assert_int_eq(user_parse("4294967294", &uid), 0);
	ck_assert_uint_eq(uid, 4294967294U);
	ck_assert_int_eq(user_parse("4294967295", &uid), -ENOENT);
	ck_assert_int_eq(user_parse("-1", &uid), -ENOENT);
	ck_assert_int_eq(user_parse("", &uid), -ENOENT);
	ck_assert_int_eq(user_parse("no-such-user-here", &uid), -ENOENT);
	ck_assert_int_eq(group_parse("root", &gid), 0);
	ck_assert_uint_eq(gid, 0);
	ck_assert_int_eq(group_parse("12345", &gid), 0);
	ck_assert_uint_eq(gid, 12345);
	ck_assert_int_eq(group_parse("no-such-group-here", &gid), -ENOENT);
}
END_TEST

#define COUNT(a)	((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *suite = suite_create("cli_size");
	TCase *sizes = tcase_create("sizes");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(sizes, reads, 0, COUNT(good));
	tcase_add_loop_test(sizes, refuses, 0, COUNT(bad));
	tcase_add_loop_test(sizes, prints, 0, COUNT(formatted));
	tcase_add_test(sizes, round_trip);
	tcase_add_test(sizes, ids);
	tcase_add_test(sizes, users);
	suite_add_tcase(suite, sizes);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
