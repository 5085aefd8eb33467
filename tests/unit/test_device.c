// SPDX-License-Identifier: GPL-2.0-only
/* Devices: the library passes the name unchanged and returns the driver's results. */
#include "fake.h"

static struct ccshm *handle;

static void setup(void)
{
	handle = fake_handle();
}

static void teardown(void)
{
	ccshm_close(handle);
}

START_TEST(getters)
{
	struct ccshm_device *device;

	fake.devices[0] = (struct ccshm_ioc_device){
		.device = FAKE_DEVICE,
		.verdict = CCSHM_DEVICE_CANNOT,
		.mode = CCSHM_DMA_MODE_IOMMU,
		.dma_mask = 0x100000000001ULL,
		.bus_limit = 0x100000000002ULL,
		.driver = "driver",
		.reason = "reason",
	};
	ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), 0);
	ck_assert_str_eq(ccshm_device_name(device), FAKE_DEVICE);
	ck_assert_uint_eq(ccshm_device_needs(device), CCSHM_DEVICE_CANNOT);
	ck_assert_uint_eq(ccshm_device_mode(device), CCSHM_DMA_MODE_IOMMU);
	ck_assert_uint_eq(ccshm_device_dma_mask(device), 0x100000000001ULL);
	ck_assert_uint_eq(ccshm_device_bus_limit(device), 0x100000000002ULL);
	ck_assert_str_eq(ccshm_device_driver(device), "driver");
	ck_assert_str_eq(ccshm_device_reason(device), "reason");
	ccshm_device_free(device);
	ccshm_device_free(NULL);
}
END_TEST

static const struct {
	uint64_t flag;
	bool (*get)(const struct ccshm_device *device);
} flags[] = {
	{ CCSHM_DEVICE_COHERENT, ccshm_device_is_coherent },
	{ CCSHM_DEVICE_BOUNCES, ccshm_device_is_bounced },
	{ CCSHM_DEVICE_RESTRICTED, ccshm_device_is_restricted },
	{ CCSHM_DEVICE_IOMMU, ccshm_device_has_iommu },
	{ CCSHM_DEVICE_KERNEL_DRIVER, ccshm_device_has_kernel_driver },
	{ CCSHM_DEVICE_MASK_DEFAULT, ccshm_device_has_default_mask },
};

/* Each getter reads its own flag only. */
START_TEST(flag_getters)
{
	struct ccshm_device *device;
	size_t i, k;

	strcpy(fake.devices[0].device, FAKE_DEVICE);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		for (k = 0; k < 2; k++) {
			fake.devices[0].device_flags = k ? ~flags[i].flag : flags[i].flag;
			ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), 0);
			ck_assert_int_eq(flags[i].get(device), !k);
			ccshm_device_free(device);
		}
	}
}
END_TEST

START_TEST(unterminated_texts_are_cut)
{
	struct ccshm_device *device;

	strcpy(fake.devices[0].device, FAKE_DEVICE);
	memset(fake.devices[0].driver, 'd', CCSHM_DEVICE_LEN);
	memset(fake.devices[0].reason, 'r', CCSHM_REASON_LEN);
	ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), 0);
	ck_assert_uint_eq(strlen(ccshm_device_driver(device)), CCSHM_DEVICE_LEN - 1);
	ck_assert_uint_eq(strlen(ccshm_device_reason(device)), CCSHM_REASON_LEN - 1);
	ccshm_device_free(device);
}
END_TEST

/* The longest name, and one more character. */
START_TEST(names)
{
	char longest[CCSHM_DEVICE_LEN + 1];
	struct ccshm_device *device;

	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "platform:", 9);
	longest[CCSHM_DEVICE_LEN - 1] = '\0';
	memcpy(fake.devices[1].device, longest, CCSHM_DEVICE_LEN);
	ck_assert_int_eq(ccshm_device_get(handle, longest, &device), 0);
	ck_assert_str_eq(fake.got.device.device, longest);
	ck_assert_str_eq(ccshm_device_name(device), longest);
	ccshm_device_free(device);

	longest[CCSHM_DEVICE_LEN - 1] = 'x';
	longest[CCSHM_DEVICE_LEN] = '\0';
	fake.got_request = 0;
	ck_assert_int_eq(ccshm_device_get(handle, longest, &device), -EINVAL);
	ck_assert_ptr_null(device);
	ck_assert_uint_eq(fake.got_request, 0);
}
END_TEST

START_TEST(get_fails)
{
	struct ccshm_device *device = (struct ccshm_device *)0x1;

	ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), -ENODEV);
	ck_assert_ptr_null(device);
	ck_assert_int_eq(ccshm_device_get(handle, "usb:1-1", &device), -EINVAL);
	ck_assert_int_eq(ccshm_device_get(handle, "", &device), -EINVAL);
	fake_fail_ioctl(CCSHM_IOC_DEVICE, -EINTR);
	ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), -EINTR);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_device_get(handle, FAKE_DEVICE, &device), -ENOMEM);
	ck_assert_ptr_null(device);
}
END_TEST

START_TEST(no_driver)
{
	struct ccshm_device *device;
	struct ccshm *ordinary;

	fake_plain_machine();
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED, &ordinary), 0);
	ck_assert_int_eq(ccshm_device_get(ordinary, FAKE_DEVICE, &device), -EOPNOTSUPP);
	ck_assert_ptr_null(device);
	ccshm_close(ordinary);
}
END_TEST

START_TEST(names_of_verdicts_and_modes)
{
	static const char *const verdicts[] = { "unknown", "yes", "no", "cannot", "unknown" };
	static const char *const modes[] = {
		"none", "direct", "iommu", "own", "userspace", "unknown",
	};
	uint32_t i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		ck_assert_str_eq(ccshm_verdict_name(i), verdicts[i]);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		ck_assert_str_eq(ccshm_dma_mode_name(i), modes[i]);
	ck_assert_str_eq(ccshm_verdict_name(UINT32_MAX), "unknown");
	ck_assert_str_eq(ccshm_dma_mode_name(UINT32_MAX), "unknown");
}
END_TEST

static void add(Suite *suite)
{
	TCase *c = unit_case(suite, "device");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, getters);
	tcase_add_test(c, flag_getters);
	tcase_add_test(c, unterminated_texts_are_cut);
	tcase_add_test(c, names);
	tcase_add_test(c, get_fails);
	tcase_add_test(c, no_driver);
	tcase_add_test(c, names_of_verdicts_and_modes);
}

int main(void)
{
	return unit_main("device", add);
}
