// SPDX-License-Identifier: GPL-2.0-only
/* Sizes in pages (driver/units.h) on kernels with pages of 4, 16 and 64 KiB. */
#include <check.h>
#include <stdlib.h>

static unsigned int page_shift;

/* What driver/units.h takes from the kernel. */
#define PAGE_SHIFT	page_shift
#define SZ_2M		0x00200000
#define SZ_32M		0x02000000
#define BIT(n)		(1UL << (n))
#define ilog2(n)	((unsigned int)__builtin_ctz(n))

#include "../../driver/units.h"

/* The page allocator's largest order (MAX_PAGE_ORDER), as distributions configure it. */
static const struct {
	unsigned int shift, max_order, unit_order;
} kernels[] = {
	{ 12, 10, 9 },
	{ 14, 11, 7 },
	{ 16, 13, 5 },
};

#define NR_KERNELS	((int)(sizeof(kernels) / sizeof(kernels[0])))

START_TEST(unit_is_2_mib)
{
	page_shift = kernels[_i].shift;
	ck_assert_uint_eq(CCSHM_UNIT_ORDER, kernels[_i].unit_order);
	ck_assert_uint_eq(CCSHM_UNIT_PAGES << page_shift, 2UL << 20);
}
END_TEST

START_TEST(large_block_exists)
{
	page_shift = kernels[_i].shift;
	ck_assert_uint_eq(BIT(CCSHM_LARGE_ORDER) << page_shift, 4UL << 20);
	ck_assert_uint_le(CCSHM_LARGE_ORDER, kernels[_i].max_order);
}
END_TEST

/* A call must hold whole blocks: otherwise the last block of a run would never fit. */
START_TEST(run_is_32_mib)
{
	page_shift = kernels[_i].shift;
	ck_assert_uint_eq((unsigned long)CCSHM_RUN_PAGES << page_shift, 32UL << 20);
	ck_assert_uint_eq(CCSHM_RUN_PAGES % BIT(CCSHM_LARGE_ORDER), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tc = tcase_create("units");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, unit_is_2_mib, 0, NR_KERNELS);
	tcase_add_loop_test(tc, large_block_exists, 0, NR_KERNELS);
	tcase_add_loop_test(tc, run_is_32_mib, 0, NR_KERNELS);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
