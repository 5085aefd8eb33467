// SPDX-License-Identifier: GPL-2.0-only
/*
 * CCSHM_ONLY_IF_NEEDED: use ordinary memory if there is no driver and the machine is known not
 * to be confidential, and only then.
 */
#include "fake.h"

#define TEXT(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | \
	 (uint32_t)(d) << 24)

/* Add or replace a leaf of the machine's CPUID. */
static void leaf(uint32_t number, uint32_t eax, uint32_t ebx, uint32_t ecx,
		 uint32_t edx)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (fake.cpuid_leaf[i] == number || (i && !fake.cpuid_leaf[i]))
			break;
	ck_assert_uint_lt(i, 8);
	fake.cpuid_leaf[i] = number;
	fake.cpuid[i] = (struct ccshm_cpuid){ eax, ebx, ecx, edx };
}

static void guest_of_kvm(void)
{
	leaf(1, 0, 0, 1u << 31, 0);
	leaf(0x40000000, 0x40000001, TEXT('K', 'V', 'M', 'K'),
	     TEXT('V', 'M', 'K', 'V'), TEXT('M', 0, 0, 0));
}

static void guest_of_hyperv(uint32_t last, uint32_t isolation, uint32_t type)
{
	leaf(1, 0, 0, 1u << 31, 0);
	leaf(0x40000000, last, TEXT('M', 'i', 'c', 'r'),
	     TEXT('o', 's', 'o', 'f'), TEXT('t', ' ', 'H', 'v'));
	leaf(0x40000003, 0, isolation, 0, 0);
	leaf(0x4000000c, 0, type, 0, 0);
}

static void bare_metal(void) { }

static void bare_metal_with_sev_for_its_guests(void)
{
	leaf(0x80000000, 0x8000001f, 0, 0, 0);
	leaf(0x8000001f, 0x1f, 0, 0, 0);
}

static void kvm(void)
{
	guest_of_kvm();
}

static void kvm_without_leaves(void)
{
	guest_of_kvm();
	leaf(0, 0x0d, 0, 0, 0);
	leaf(0x80000000, 0, 0, 0, 0);
}

static void kvm_with_sme_only(void)
{
	guest_of_kvm();
	leaf(0x80000000, 0x8000001f, 0, 0, 0);
	leaf(0x8000001f, 0x1, 0, 0, 0);
}

static void kvm_with_empty_tdx_leaf(void)
{
	guest_of_kvm();
	leaf(0, 0x21, 0, 0, 0);
	leaf(0x21, 0, 0, 0, 0);
}

static void hyperv(void)
{
	guest_of_hyperv(0x4000000c, 0, 2);
}

static void hyperv_isolation_none(void)
{
	guest_of_hyperv(0x4000000c, 1u << 22, 0x10);
}

static void hyperv_old(void)
{
	guest_of_hyperv(0x40000006, 1u << 22, 2);
}

static void (*const plain[])(void) = {
	bare_metal, bare_metal_with_sev_for_its_guests, kvm, kvm_without_leaves,
	kvm_with_sme_only, kvm_with_empty_tdx_leaf, hyperv,
	hyperv_isolation_none, hyperv_old,
};

static void sev(void)
{
	guest_of_kvm();
	leaf(0x80000000, 0x8000001f, 0, 0, 0);
	leaf(0x8000001f, 0x2, 0, 0, 0);
}

static void sev_snp(void)
{
	guest_of_kvm();
	leaf(0x80000000, 0x80000021, 0, 0, 0);
	leaf(0x8000001f, 0x1a, 51, 0, 0);
}

static void tdx(void)
{
	guest_of_kvm();
	leaf(0, 0x21, 0, 0, 0);
	leaf(0x21, 0, TEXT('I', 'n', 't', 'e'), TEXT(' ', ' ', ' ', ' '),
	     TEXT('l', 'T', 'D', 'X'));
}

static void hyperv_vbs(void)
{
	guest_of_hyperv(0x4000000c, 1u << 22, 1);
}

static void hyperv_snp(void)
{
	guest_of_hyperv(0x4000000c, 1u << 22, 2);
}

static void hyperv_tdx(void)
{
	guest_of_hyperv(0x40000010, 1u << 22, 3);
}

static void (*const confidential[])(void) = {
	sev, sev_snp, tdx, hyperv_vbs, hyperv_snp, hyperv_tdx,
};

START_TEST(plain_machine_without_driver)
{
	struct ccshm *handle;

	fake.no_driver = true;
	plain[_i]();
	/* Without CCSHM_ONLY_IF_NEEDED the open fails. */
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, 0, &handle), -ENODEV);
	ck_assert_ptr_null(handle);
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED,
					 &handle), 0);
	ck_assert(!ccshm_has_driver(handle));
	ck_assert_uint_eq(fake_files(), 0);
	ccshm_close(handle);
}
END_TEST

START_TEST(confidential_guest_without_driver)
{
	struct ccshm *handle;

	fake.no_driver = true;
	confidential[_i]();
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED,
					 &handle), -ENODEV);
	ck_assert_ptr_null(handle);
}
END_TEST

static const struct {
	void (*machine)(void);
	int ret;
	uint32_t platform;
} kinds[] = {
	{ bare_metal, 0, CCSHM_PLATFORM_NONE },
	{ bare_metal_with_sev_for_its_guests, 0, CCSHM_PLATFORM_NONE },
	{ kvm_with_sme_only, 0, CCSHM_PLATFORM_NONE },
	{ hyperv, 0, CCSHM_PLATFORM_NONE },
	{ sev, 0, CCSHM_PLATFORM_SEV },
	{ sev_snp, 0, CCSHM_PLATFORM_SEV },
	{ tdx, 0, CCSHM_PLATFORM_TDX },
	{ hyperv_vbs, -ENODATA, CCSHM_PLATFORM_NONE },
	{ hyperv_snp, 0, CCSHM_PLATFORM_SEV_SNP },
	{ hyperv_tdx, 0, CCSHM_PLATFORM_TDX },
};

START_TEST(kind_of_guest)
{
	uint32_t platform = 77;

	kinds[_i].machine();
	ck_assert_int_eq(ccshm_platform_detect_seam(&fake_seam, &platform), kinds[_i].ret);
	ck_assert_uint_eq(platform, kinds[_i].platform);
}
END_TEST

START_TEST(kind_without_cpuid)
{
	uint32_t platform = 77;

	fake_fail(FAKE_CPUID, 0, -ENOSYS);
	ck_assert_int_eq(ccshm_platform_detect_seam(&fake_seam, &platform), -ENODATA);
	ck_assert_uint_eq(platform, CCSHM_PLATFORM_NONE);
}
END_TEST

/* On an architecture without CPUID the platform cannot be determined. */
START_TEST(unknown_machine_without_driver)
{
	struct ccshm *handle;

	fake.no_driver = true;
	fake_fail(FAKE_CPUID, 0, -ENOSYS);
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED,
					 &handle), -ENODEV);
	ck_assert_ptr_null(handle);
}
END_TEST

/* A node that cannot be opened may belong to a driver. */
START_TEST(unreadable_node_returns_EACCES)
{
	struct ccshm *handle;

	fake_fail(FAKE_OPEN, 0, -EACCES);
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED,
					 &handle), -EACCES);
	ck_assert_ptr_null(handle);
}
END_TEST

static struct ccshm *ordinary_handle(void)
{
	struct ccshm *handle;

	fake_plain_machine();
	ck_assert_int_eq(ccshm_open_seam(&fake_seam, CCSHM_ONLY_IF_NEEDED,
					 &handle), 0);
	return handle;
}

START_TEST(alloc_map_free)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_mapping *mapping, *part;
	struct ccshm_buffer *buffer;
	char *bytes;

	ck_assert_int_eq(ccshm_buffer_alloc(handle, 3 * PAGE - 1, NULL, &buffer),
			 0);
	ck_assert(!ccshm_buffer_is_shared(buffer));
	ck_assert_uint_eq(ccshm_buffer_id(buffer), 0);
	ck_assert_uint_eq(ccshm_buffer_size(buffer), 3 * PAGE);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ | PROT_WRITE,
					  0, &mapping), 0);
	ck_assert_uint_eq(ccshm_mapping_size(mapping), 3 * PAGE);
	ck_assert_uint_eq(ccshm_mapping_export_id(mapping), 0);
	ck_assert_int_eq(fake.mmap_flags, MAP_SHARED);
	ck_assert_int_eq(ccshm_buffer_map(buffer, PAGE, PAGE, PROT_READ, 0,
					  &part), 0);
	ck_assert_int_eq(fake.mmap_prot, PROT_READ);
	bytes = ccshm_mapping_address(mapping);
	bytes[PAGE] = 42;
	ck_assert_int_eq(*(char *)ccshm_mapping_address(part), 42);

	ck_assert_int_eq(ccshm_buffer_free(buffer), 0);
	ck_assert_uint_eq(fake_files(), 0);
	ck_assert_int_eq(ccshm_buffer_free(buffer), -ENOENT);
	bytes[0] = 1;
	ccshm_mapping_close(mapping);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ, 0, &mapping),
			 -ENOENT);
	ck_assert_ptr_null(mapping);
	ccshm_buffer_close(buffer);
	ccshm_mapping_close(part);
	ccshm_close(handle);
}
END_TEST

START_TEST(close_gives_the_memory_back)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer = fake_buffer(handle, 1);

	ck_assert_uint_eq(fake_files(), 1);
	ccshm_buffer_close(buffer);
	ck_assert_uint_eq(fake_files(), 0);
	ccshm_close(handle);
}
END_TEST

START_TEST(bad_slices_and_prots)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer = fake_buffer(handle, 2);
	const struct {
		uint64_t offset, size;
		int prot;
		uint64_t flags;
	} bad[] = {
		{ 1, 0, PROT_READ, 0 },
		{ 0, 1, PROT_READ, 0 },
		{ 0, 3 * PAGE, PROT_READ, 0 },
		{ PAGE, 2 * PAGE, PROT_READ, 0 },
		{ 2 * PAGE, 0, PROT_READ, 0 },
		{ 2 * PAGE, PAGE, PROT_READ, 0 },
		{ -PAGE, 2 * PAGE, PROT_READ, 0 },
		{ PAGE, -PAGE, PROT_READ, 0 },
		{ 0, 0, PROT_NONE, 0 },
		{ 0, 0, PROT_WRITE, 0 },
		{ 0, 0, PROT_READ | PROT_EXEC, 0 },
		{ 0, 0, PROT_READ, 1 },
	};
	struct ccshm_mapping *mapping;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(ccshm_buffer_map(buffer, bad[i].offset,
						  bad[i].size, bad[i].prot,
						  bad[i].flags, &mapping),
				 -EINVAL);
		ck_assert_ptr_null(mapping);
	}
	ck_assert_uint_eq(fake.count[FAKE_MMAP], 0);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

START_TEST(bad_sizes)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer;

	ck_assert_int_eq(ccshm_buffer_alloc(handle, 0, NULL, &buffer), -EINVAL);
	ck_assert_ptr_null(buffer);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, UINT64_MAX, NULL, &buffer),
			 -EINVAL);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, -PAGE + 1, NULL, &buffer),
			 -EINVAL);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, -PAGE, NULL, &buffer),
			 -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, 1ULL << 63, NULL, &buffer),
			 -ENOMEM);
	ck_assert_uint_eq(fake.count[FAKE_MEMFD], 0);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, 1ULL << 62, NULL, &buffer),
			 -ENOMEM);
	ck_assert_ptr_null(buffer);
	ccshm_close(handle);
}
END_TEST

START_TEST(options_that_need_a_driver)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_alloc_options *options;
	struct ccshm_buffer *buffer;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_node(options, 0);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ck_assert_ptr_null(buffer);
	ccshm_alloc_options_set_node(options, -1);
	ccshm_alloc_options_set_dma32(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_set_dma32(options, false);
	ccshm_alloc_options_set_contiguous(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_set_contiguous(options, false);
	ccshm_alloc_options_set_whole_units(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_set_whole_units(options, false);
	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_set_persistent(options, false);
	ccshm_alloc_options_set_others_pin(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_set_others_pin(options, false);
	/* Arguments that the driver refuses are also refused without a driver. */
	ccshm_alloc_options_set_mode(options, 0600);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EINVAL);
	ccshm_alloc_options_set_mode(options, 0);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "x"), 0);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EINVAL);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, NULL), 0);
	ccshm_alloc_options_set_owner(options, 1);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EINVAL);
	ccshm_alloc_options_set_owner(options, (uid_t)-1);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer), 0);
	ccshm_buffer_close(buffer);
	ccshm_alloc_options_free(options);
	ccshm_close(handle);
}
END_TEST

START_TEST(interruptible_needs_no_driver)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_alloc_options *options;
	struct ccshm_buffer *buffer;

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_interruptible(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer), 0);
	ccshm_buffer_close(buffer);
	fake_fail(FAKE_RESERVE, 0, -EINTR);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer), -EINTR);
	ck_assert_ptr_null(buffer);
	ccshm_alloc_options_set_interruptible(options, false);
	fake_fail(FAKE_RESERVE, 0, -EINTR);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer), 0);
	ccshm_buffer_close(buffer);
	ccshm_alloc_options_set_interruptible(options, true);
	ccshm_alloc_options_set_dma32(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 -EOPNOTSUPP);
	ccshm_alloc_options_free(options);
	ccshm_close(handle);
}
END_TEST

/* Pages of a buffer, and pages that one call reserves before the signal of a timer arrives. */
static const unsigned int timers[][2] = {
	{ 2560, 1023 }, { 2560, 256 }, { 300, 7 }, { 256, 1 }, { 3, 1 },
};

START_TEST(timer_does_not_stop_the_allocation)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_alloc_options *options;
	struct ccshm_buffer *buffer;
	struct ccshm_mapping *mapping;
	uint64_t size = timers[_i][0] * PAGE;
	char *bytes;

	fake.reserve_signal = (off_t)(timers[_i][1] * PAGE);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, size, NULL, &buffer), 0);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ | PROT_WRITE, 0, &mapping), 0);
	ck_assert_uint_eq(ccshm_mapping_size(mapping), size);
	/* All of the memory is reserved. */
	bytes = ccshm_mapping_address(mapping);
	bytes[size - 1] = 1;
	ccshm_mapping_close(mapping);
	ccshm_buffer_close(buffer);

	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	ccshm_alloc_options_set_interruptible(options, true);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, size, options, &buffer), -EINTR);
	ck_assert_uint_eq(fake_files(), 0);
	ccshm_alloc_options_free(options);
	ccshm_close(handle);
}
END_TEST

START_TEST(other_calls_return_EOPNOTSUPP)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer = fake_buffer(handle, 1), *found;
	struct ccshm_attachment *attachment;
	struct ccshm_revoke_result result;
	struct ccshm_set_options *changes;
	struct ccshm_export *export;
	struct ccshm_status *status;
	struct ccshm_info *info;
	struct ccshm_run run;
	uint64_t next;

	ck_assert_int_eq(ccshm_fd(handle), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_info_get(handle, &info), -EOPNOTSUPP);
	ck_assert_ptr_null(info);
	ck_assert_int_eq(ccshm_status_get(handle, 1, &status), -EOPNOTSUPP);
	ck_assert_ptr_null(status);
	ck_assert_int_eq(ccshm_buffer_status(buffer, &status), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_buffer_open(handle, "a", &found), -EOPNOTSUPP);
	ck_assert_ptr_null(found);
	ck_assert_int_eq(ccshm_buffer_open_id(handle, 1, &found), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export),
			 -EOPNOTSUPP);
	ck_assert_ptr_null(export);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL,
					     &attachment), -EOPNOTSUPP);
	ck_assert_ptr_null(attachment);
	ck_assert_int_eq(ccshm_dmabuf_attach(handle, 0, FAKE_DEVICE, NULL,
					     &attachment), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_attachment_open_id(handle, 1, &attachment),
			 -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_revoke(handle, 1, 0, 0, &result), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_buffer_revoke(buffer, 0, 0, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_buffer_pages(buffer, 0, 0, &run, 1, &next),
			 -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_set_options_new(&changes), 0);
	ccshm_set_options_set_sealed(changes, true);
	ck_assert_int_eq(ccshm_buffer_set(buffer, changes), -EOPNOTSUPP);
	ccshm_set_options_free(changes);
	/* The refused call does not free the buffer. */
	ck_assert_int_eq(ccshm_buffer_free_flags(buffer, CCSHM_FREE_REVOKE), -EOPNOTSUPP);
	ck_assert_int_eq(ccshm_buffer_free_flags(buffer, 0), 0);
	ck_assert_int_eq(ccshm_buffer_free_flags(buffer, 0), -ENOENT);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

/* The call that fails, its error, and the result of the allocation. */
static const struct {
	enum fake_call call;
	int error;
	int result;
} alloc_failures[] = {
	{ FAKE_CALLOC, -ENOMEM, -ENOMEM },
	{ FAKE_MEMFD, -EMFILE, -EMFILE },
	{ FAKE_MEMFD, -ENOSYS, -ENOSYS },
	{ FAKE_RESERVE, -ENOMEM, -ENOMEM },
	{ FAKE_RESERVE, -ENOSPC, -ENOMEM },
	{ FAKE_RESERVE, -EFBIG, -EFBIG },
};

START_TEST(alloc_fails)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer = (struct ccshm_buffer *)0x1;

	fake_fail(alloc_failures[_i].call, 0, alloc_failures[_i].error);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, NULL, &buffer),
			 alloc_failures[_i].result);
	ck_assert_ptr_null(buffer);
	ck_assert_uint_eq(fake_files(), 0);
	ccshm_close(handle);
}
END_TEST

START_TEST(map_fails)
{
	struct ccshm *handle = ordinary_handle();
	struct ccshm_buffer *buffer = fake_buffer(handle, 1);
	struct ccshm_mapping *mapping;

	fake_fail(FAKE_MMAP, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ, 0, &mapping),
			 -ENOMEM);
	ck_assert_ptr_null(mapping);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ, 0, &mapping),
			 -ENOMEM);
	ck_assert_ptr_null(mapping);
	/* The lock is free after a failure. */
	ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0, PROT_READ, 0, &mapping),
			 0);
	ccshm_mapping_close(mapping);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add(Suite *suite)
{
	TCase *machines = unit_case(suite, "machines");
	TCase *memory = unit_case(suite, "memory");

	tcase_add_loop_test(machines, plain_machine_without_driver, 0,
			    COUNT(plain));
	tcase_add_loop_test(machines, confidential_guest_without_driver, 0,
			    COUNT(confidential));
	tcase_add_test(machines, unknown_machine_without_driver);
	tcase_add_loop_test(machines, kind_of_guest, 0, COUNT(kinds));
	tcase_add_test(machines, kind_without_cpuid);
	tcase_add_test(machines, unreadable_node_returns_EACCES);

	tcase_add_test(memory, alloc_map_free);
	tcase_add_test(memory, close_gives_the_memory_back);
	tcase_add_test(memory, bad_slices_and_prots);
	tcase_add_test(memory, bad_sizes);
	tcase_add_test(memory, options_that_need_a_driver);
	tcase_add_test(memory, interruptible_needs_no_driver);
	tcase_add_loop_test(memory, timer_does_not_stop_the_allocation, 0,
			    COUNT(timers));
	tcase_add_test(memory, other_calls_return_EOPNOTSUPP);
	tcase_add_loop_test(memory, alloc_fails, 0, COUNT(alloc_failures));
	tcase_add_test(memory, map_fails);
}

int main(void)
{
	return unit_main("ordinary", add);
}
