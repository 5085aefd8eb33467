// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the driver decides whether and how a device reaches shared memory: each row of the table,
 * each pair of reasons to refuse, and the invariants for every possible device.
 */
#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../driver/dma_decide.h"

#define CONFIDENTIAL	.confidential = true
#define BOUNCED		.force_bounce = true
#define DRIVER		.driver_maps = true

/* Facts of a device that is accepted, with a kernel driver or a driver in user space. */
#define GOOD		.has_mask = true, .coherent = true, .mask_holds_shared = true

/* ---- accepted devices ---- */

static const struct {
	const char *name;
	struct ccshm_dma_facts facts;
	enum ccshm_dma_how how;
} accepted[] = {
	/* Up to 7.0 the DMA API does not support shared memory: compute the addresses. */
	{ "old kernel, confidential, bounced",
	  { CCSHM_DMA_API_NONE, GOOD, CONFIDENTIAL, BOUNCED, DRIVER }, CCSHM_DMA_ARITHMETIC },
	{ "old kernel, plain",
	  { CCSHM_DMA_API_NONE, GOOD, DRIVER }, CCSHM_DMA_ARITHMETIC },
	{ "old kernel, plain, bounced",
	  { CCSHM_DMA_API_NONE, GOOD, BOUNCED, DRIVER }, CCSHM_DMA_ARITHMETIC },
	/* 7.1 and 7.2 accept DMA_ATTR_CC_SHARED for devices that are marked force_bounce only. */
	{ "7.1, confidential, bounced",
	  { CCSHM_DMA_API_BOUNCE, GOOD, CONFIDENTIAL, BOUNCED, DRIVER }, CCSHM_DMA_SHARED },
	{ "7.1, plain, bounced",
	  { CCSHM_DMA_API_BOUNCE, GOOD, BOUNCED, DRIVER }, CCSHM_DMA_SHARED },
	{ "7.1, plain",
	  { CCSHM_DMA_API_BOUNCE, GOOD, DRIVER }, CCSHM_DMA_PLAIN },
	/* 7.3 accepts the attribute for any device; ccshm checks the resulting addresses. */
	{ "7.3, confidential",
	  { CCSHM_DMA_API_ANY, GOOD, CONFIDENTIAL, DRIVER }, CCSHM_DMA_SHARED },
	{ "7.3, plain",
	  { CCSHM_DMA_API_ANY, GOOD, DRIVER }, CCSHM_DMA_SHARED },
	/* A driver in user space gets computed addresses on every kernel. */
	{ "user space, old kernel, confidential",
	  { CCSHM_DMA_API_NONE, GOOD, CONFIDENTIAL, BOUNCED }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.1, confidential",
	  { CCSHM_DMA_API_BOUNCE, GOOD, CONFIDENTIAL, BOUNCED }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.3, confidential",
	  { CCSHM_DMA_API_ANY, GOOD, CONFIDENTIAL }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.3, confidential, bounced",
	  { CCSHM_DMA_API_ANY, GOOD, CONFIDENTIAL, BOUNCED }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.1, plain",
	  { CCSHM_DMA_API_BOUNCE, GOOD }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.3, plain",
	  { CCSHM_DMA_API_ANY, GOOD }, CCSHM_DMA_ARITHMETIC },
	{ "user space, 7.3, plain, bounced",
	  { CCSHM_DMA_API_ANY, GOOD, BOUNCED }, CCSHM_DMA_ARITHMETIC },
};

static const char not_confidential[] =
	"no memory is private: this is not a confidential guest";

/* In a guest that is not confidential, mapping is possible but not necessary. */
static void check_need(const struct ccshm_dma_facts *facts, struct ccshm_dma_verdict v)
{
	if (facts->confidential) {
		ck_assert_int_eq(v.need, CCSHM_DEVICE_NEEDS);
		ck_assert_ptr_null(v.reason);
	} else {
		ck_assert_int_eq(v.need, CCSHM_DEVICE_NEEDS_NOT);
		ck_assert_pstr_eq(v.reason, not_confidential);
	}
}

START_TEST(accepted_devices)
{
	const struct ccshm_dma_facts *facts = &accepted[_i].facts;
	struct ccshm_dma_verdict v = ccshm_dma_decide(facts);

	ck_assert_msg(v.how == accepted[_i].how, "%s: %d instead of %d (%s)",
		      accepted[_i].name, v.how, accepted[_i].how, v.reason ? v.reason : "");
	ck_assert_int_eq(v.err, 0);
	check_need(facts, v);
}
END_TEST

/* ---- refused devices ---- */

static void bridge(struct ccshm_dma_facts *f) { f->bridge = true; }
static void no_mask(struct ccshm_dma_facts *f) { f->has_mask = false; }
static void own_ops(struct ccshm_dma_facts *f) { f->own_ops = true; }
static void iommu(struct ccshm_dma_facts *f) { f->iommu = true; }
static void userspace_iommu(struct ccshm_dma_facts *f) { f->userspace_iommu = true; }
static void incoherent(struct ccshm_dma_facts *f) { f->coherent = false; }
static void restricted(struct ccshm_dma_facts *f) { f->restricted = true; }

static void unreached(struct ccshm_dma_facts *f) { f->mask_holds_shared = false; }

static void needs_none(struct ccshm_dma_facts *f)
{
	f->confidential = true;
	f->force_bounce = false;
}

static void bounced_by_kernel(struct ccshm_dma_facts *f) { f->force_bounce = true; }

static bool has_driver(const struct ccshm_dma_facts *f) { return f->driver_maps; }
static bool has_none(const struct ccshm_dma_facts *f) { return !f->driver_maps; }

/* Before 7.3, devices of a confidential guest without force_bounce reach private memory. */
static bool before_7_3(const struct ccshm_dma_facts *f) { return f->api != CCSHM_DMA_API_ANY; }

/* On 7.3, swiotlb=force also bounces shared memory. */
static bool driver_on_7_3(const struct ccshm_dma_facts *f)
{
	return f->api == CCSHM_DMA_API_ANY && f->driver_maps;
}

/* The reasons in the order in which the driver checks them; own_ops and iommu are one row. */
static const struct {
	const char *name;
	void (*spoil)(struct ccshm_dma_facts *facts);
	bool (*applies)(const struct ccshm_dma_facts *facts);	/* NULL: to all devices */
	int row;
	enum ccshm_device_verdict need;
	int err;
	const char *reason;
} refused[] = {
	{ "bridge", bridge, NULL, 0, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device is a bridge: a stop would also stop the devices behind it" },
	{ "no mask", no_mask, NULL, 1, CCSHM_DEVICE_CANNOT, -EINVAL, "the device has no DMA mask" },
	{ "own operations", own_ops, NULL, 2, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device is behind an IOMMU or has its own DMA operations" },
	{ "IOMMU", iommu, NULL, 2, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device is behind an IOMMU or has its own DMA operations" },
	{ "IOMMU of user space", userspace_iommu, NULL, 3, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device's IOMMU translates or belongs to user space" },
	{ "not coherent", incoherent, has_driver, 4, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device is not cache-coherent" },
	{ "not coherent, no driver", incoherent, has_none, 4, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device is not cache-coherent, or no driver had it yet and it was never configured for DMA" },
	{ "restricted pool", restricted, NULL, 5, CCSHM_DEVICE_CANNOT, -EOPNOTSUPP,
	  "the device has a restricted DMA pool" },
	{ "needs no sharing", needs_none, before_7_3, 6, CCSHM_DEVICE_NEEDS_NOT, -EOPNOTSUPP,
	  "the device can DMA to private memory" },
	{ "mask without the shared bit", unreached, NULL, 7, CCSHM_DEVICE_CANNOT, -ERANGE,
	  "the device's DMA mask does not hold the address bit of shared memory" },
	{ "bounced by the kernel", bounced_by_kernel, driver_on_7_3, 8, CCSHM_DEVICE_CANNOT,
	  -EOPNOTSUPP, "the kernel bounces the device's DMA (swiotlb=force)" },
};

#define NR_ACCEPTED	((int)(sizeof(accepted) / sizeof(accepted[0])))
#define NR_REFUSED	((int)(sizeof(refused) / sizeof(refused[0])))

static bool applies(int row, const struct ccshm_dma_facts *facts)
{
	return !refused[row].applies || refused[row].applies(facts);
}

static void check_refused(const struct ccshm_dma_facts *facts, int row, const char *name)
{
	struct ccshm_dma_verdict v = ccshm_dma_decide(facts);

	ck_assert_msg(v.how == CCSHM_DMA_REFUSE, "%s, %s: taken (%d)", name,
		      refused[row].name, v.how);
	ck_assert_int_eq(v.need, refused[row].need);
	ck_assert_int_eq(v.err, refused[row].err);
	ck_assert_str_eq(v.reason, refused[row].reason);
	ck_assert_uint_lt(strlen(v.reason), CCSHM_REASON_LEN);
}

/* Add each reason to each accepted device. */
START_TEST(refused_devices)
{
	for (int i = 0; i < NR_ACCEPTED; i++) {
		struct ccshm_dma_facts facts = accepted[i].facts;

		if (!applies(_i, &facts))
			continue;
		refused[_i].spoil(&facts);
		check_refused(&facts, _i, accepted[i].name);
	}
}
END_TEST

/* With two reasons, the driver reports the one of the earlier row. */
START_TEST(first_reason_is_reported)
{
	for (int other = 0; other < NR_REFUSED; other++) {
		for (int i = 0; i < NR_ACCEPTED; i++) {
			struct ccshm_dma_facts facts = accepted[i].facts;

			if (refused[other].row < refused[_i].row || !applies(_i, &facts))
				continue;
			refused[other].spoil(&facts);
			refused[_i].spoil(&facts);
			check_refused(&facts, _i, accepted[i].name);
		}
	}
}
END_TEST

/* 7.3 does not mark the devices of confidential guests: accept devices without force_bounce. */
START_TEST(unmarked_device_on_new_kernel)
{
	struct ccshm_dma_facts facts = { CCSHM_DMA_API_ANY, GOOD, DRIVER };

	needs_none(&facts);
	ck_assert_int_eq(ccshm_dma_decide(&facts).how, CCSHM_DMA_SHARED);
}
END_TEST

/* swiotlb=force does not apply to a driver in user space: the kernel does not map for it. */
START_TEST(bounced_in_user_space)
{
	struct ccshm_dma_facts facts = { CCSHM_DMA_API_ANY, GOOD, CONFIDENTIAL, BOUNCED };

	ck_assert_int_eq(ccshm_dma_decide(&facts).how, CCSHM_DMA_ARITHMETIC);
	facts.driver_maps = true;
	ck_assert_int_eq(ccshm_dma_decide(&facts).how, CCSHM_DMA_REFUSE);
}
END_TEST

/* ---- all devices ---- */

#define NR_FLAGS	11

static struct ccshm_dma_facts any_facts(enum ccshm_dma_api api, unsigned int bits)
{
	return (struct ccshm_dma_facts){
		.api = api,
		.confidential = bits & 1,
		.has_mask = bits & 2,
		.own_ops = bits & 4,
		.iommu = bits & 8,
		.userspace_iommu = bits & 16,
		.coherent = bits & 32,
		.restricted = bits & 64,
		.force_bounce = bits & 128,
		.driver_maps = bits & 256,
		.mask_holds_shared = bits & 512,
		.bridge = bits & 1024,
	};
}

static void check_verdict(const struct ccshm_dma_facts *f, struct ccshm_dma_verdict v)
{
	ck_assert(v.need == CCSHM_DEVICE_NEEDS || v.need == CCSHM_DEVICE_NEEDS_NOT ||
		  v.need == CCSHM_DEVICE_CANNOT);
	/* Each verdict other than NEEDS has a reason, which fits into the ABI's field. */
	ck_assert_int_eq(v.need == CCSHM_DEVICE_NEEDS, !v.reason);
	ck_assert(!v.reason || (*v.reason && strlen(v.reason) < CCSHM_REASON_LEN));
	if (v.how == CCSHM_DMA_REFUSE) {
		ck_assert(v.err == -EINVAL || v.err == -EOPNOTSUPP || v.err == -ERANGE);
		ck_assert_int_ne(v.need, CCSHM_DEVICE_NEEDS);
		return;
	}
	ck_assert_int_eq(v.err, 0);
	check_need(f, v);
	/* Devices with other DMA addresses are refused. */
	ck_assert(f->has_mask && f->coherent && f->mask_holds_shared);
	ck_assert(!f->own_ops && !f->iommu && !f->userspace_iommu && !f->restricted);
	ck_assert(!f->bridge);
	/* In a confidential guest the kernel would bounce a mapping without the attribute. */
	if (v.how == CCSHM_DMA_PLAIN)
		ck_assert(!f->confidential && !f->force_bounce && f->driver_maps);
	/* DMA_ATTR_CC_SHARED requires a kernel that knows the attribute. */
	if (v.how == CCSHM_DMA_SHARED)
		ck_assert(f->api != CCSHM_DMA_API_NONE && f->driver_maps);
	/* 7.1 and 7.2 warn about the attribute for devices that are not marked force_bounce. */
	if (v.how == CCSHM_DMA_SHARED && f->api == CCSHM_DMA_API_BOUNCE)
		ck_assert(f->force_bounce);
	/* 7.3 bounces marked devices even with the attribute. */
	if (v.how == CCSHM_DMA_SHARED && f->api == CCSHM_DMA_API_ANY)
		ck_assert(!f->force_bounce);
	/* Compute addresses only where the kernel's DMA API cannot provide them. */
	if (v.how == CCSHM_DMA_ARITHMETIC)
		ck_assert(!f->driver_maps || f->api == CCSHM_DMA_API_NONE);
}

START_TEST(any_device)
{
	for (unsigned int bits = 0; bits < 1U << NR_FLAGS; bits++) {
		struct ccshm_dma_facts facts = any_facts(_i, bits);

		check_verdict(&facts, ccshm_dma_decide(&facts));
	}
}
END_TEST

/* The function neither changes its argument nor keeps state. */
START_TEST(decide_keeps_no_state)
{
	for (unsigned int bits = 0; bits < 1U << NR_FLAGS; bits++) {
		struct ccshm_dma_facts facts = any_facts(CCSHM_DMA_API_BOUNCE, bits);
		struct ccshm_dma_facts other = any_facts(CCSHM_DMA_API_ANY, ~bits);
		struct ccshm_dma_verdict first = ccshm_dma_decide(&facts), second;

		ccshm_dma_decide(&other);
		second = ccshm_dma_decide(&facts);
		ck_assert_int_eq(first.how, second.how);
		ck_assert_int_eq(first.need, second.need);
		ck_assert_int_eq(first.err, second.err);
		ck_assert_ptr_eq(first.reason, second.reason);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dma_decide");
	TCase *tcase = tcase_create("rows");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, accepted_devices, 0, NR_ACCEPTED);
	tcase_add_loop_test(tcase, refused_devices, 0, NR_REFUSED);
	tcase_add_loop_test(tcase, first_reason_is_reported, 0, NR_REFUSED);
	tcase_add_test(tcase, unmarked_device_on_new_kernel);
	tcase_add_test(tcase, bounced_in_user_space);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("any device");
	tcase_add_loop_test(tcase, any_device, CCSHM_DMA_API_NONE, CCSHM_DMA_API_ANY + 1);
	tcase_add_test(tcase, decide_keeps_no_state);
	suite_add_tcase(suite, tcase);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
