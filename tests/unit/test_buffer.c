// SPDX-License-Identifier: GPL-2.0-only
/* Allocate, open, map and free buffers. */
#include "fake.h"

static struct ccshm *handle;
static struct ccshm_alloc_options *options;
static struct ccshm_buffer *buffer;

static void setup(void)
{
	handle = fake_handle();
	ck_assert_int_eq(ccshm_alloc_options_new(&options), 0);
	buffer = (struct ccshm_buffer *)0x1;
}

static void teardown(void)
{
	ccshm_alloc_options_free(options);
	ccshm_close(handle);
}

static void alloc_expecting(int result)
{
	buffer = (struct ccshm_buffer *)0x1;
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE, options, &buffer),
			 result);
	if (result)
		ck_assert_ptr_null(buffer);
}

START_TEST(alloc_anonymous)
{
	ck_assert_int_eq(ccshm_buffer_alloc(handle, PAGE + 1, NULL, &buffer), 0);
	ck_assert_uint_eq(fake.got.alloc.size, PAGE + 1);
	ck_assert_uint_eq(fake.got.alloc.flags, 0);
	ck_assert_uint_eq(ccshm_buffer_size(buffer), 2 * PAGE);
	ck_assert_uint_ne(ccshm_buffer_id(buffer), 0);
	ck_assert(ccshm_buffer_is_shared(buffer));
	ccshm_buffer_close(buffer);
	/* The library's object is freed, the persistent buffer is not. */
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 1);
}
END_TEST

START_TEST(new_options_pass_nothing)
{
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags, 0);
	ck_assert_uint_eq(fake.got.alloc.uid, 0);
	ck_assert_uint_eq(fake.got.alloc.gid, 0);
	ck_assert_uint_eq(fake.got.alloc.mode, 0);
	ck_assert_int_eq(fake.got.alloc.node, 0);
	ck_assert_str_eq(fake.got.alloc.name, "");
	ccshm_buffer_close(buffer);
}
END_TEST

START_TEST(all_options_are_passed)
{
	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "ring_0.a-b"), 0);
	ccshm_alloc_options_set_owner(options, 0);
	ccshm_alloc_options_set_group(options, 7);
	ccshm_alloc_options_set_mode(options, 0640);
	ccshm_alloc_options_set_node(options, 0);
	ccshm_alloc_options_set_interruptible(options, true);
	ccshm_alloc_options_set_dma32(options, true);
	ccshm_alloc_options_set_contiguous(options, true);
	ccshm_alloc_options_set_whole_units(options, true);
	ccshm_alloc_options_set_others_pin(options, true);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags,
			  CCSHM_ALLOC_PERSISTENT | CCSHM_ALLOC_UID |
			  CCSHM_ALLOC_GID | CCSHM_ALLOC_NODE |
			  CCSHM_ALLOC_INTERRUPTIBLE | CCSHM_ALLOC_DMA32 |
			  CCSHM_ALLOC_CONTIGUOUS | CCSHM_ALLOC_WHOLE_UNITS |
			  CCSHM_ALLOC_OTHERS_PIN);
	ck_assert_uint_eq(fake.got.alloc.uid, 0);
	ck_assert_uint_eq(fake.got.alloc.gid, 7);
	ck_assert_uint_eq(fake.got.alloc.mode, 0640);
	ck_assert_int_eq(fake.got.alloc.node, 0);
	ck_assert_str_eq(fake.got.alloc.name, "ring_0.a-b");
	ccshm_buffer_close(buffer);
}
END_TEST

START_TEST(options_reset_to_default)
{
	ccshm_alloc_options_set_persistent(options, true);
	ccshm_alloc_options_set_owner(options, 5);
	ccshm_alloc_options_set_group(options, 7);
	ccshm_alloc_options_set_node(options, 3);
	ccshm_alloc_options_set_interruptible(options, true);
	ccshm_alloc_options_set_dma32(options, true);
	ccshm_alloc_options_set_contiguous(options, true);
	ccshm_alloc_options_set_whole_units(options, true);
	ccshm_alloc_options_set_others_pin(options, true);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "longer"), 0);
	ccshm_alloc_options_set_persistent(options, false);
	ccshm_alloc_options_set_owner(options, (uid_t)-1);
	ccshm_alloc_options_set_group(options, (gid_t)-1);
	ccshm_alloc_options_set_node(options, -1);
	ccshm_alloc_options_set_interruptible(options, false);
	ccshm_alloc_options_set_dma32(options, false);
	ccshm_alloc_options_set_contiguous(options, false);
	ccshm_alloc_options_set_whole_units(options, false);
	ccshm_alloc_options_set_others_pin(options, false);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, ""), 0);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags, 0);
	ccshm_buffer_close(buffer);
}
END_TEST

/* Each option sets its own flag only. */
START_TEST(each_memory_option_sets_its_flag)
{
	ccshm_alloc_options_set_dma32(options, true);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags, CCSHM_ALLOC_DMA32);
	ccshm_buffer_close(buffer);
	ccshm_alloc_options_set_dma32(options, false);
	ccshm_alloc_options_set_contiguous(options, true);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags, CCSHM_ALLOC_CONTIGUOUS);
	ccshm_buffer_close(buffer);
	ccshm_alloc_options_set_contiguous(options, false);
	ccshm_alloc_options_set_whole_units(options, true);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.flags, CCSHM_ALLOC_WHOLE_UNITS);
	ccshm_buffer_close(buffer);
}
END_TEST

/* OTHERS_PIN permits other users to pin this buffer only, and requires a persistent buffer. */
START_TEST(others_pin_needs_persistent)
{
	struct ccshm_export *pinned;
	int allowed;

	ccshm_alloc_options_set_others_pin(options, true);
	alloc_expecting(-EINVAL);
	ck_assert_uint_eq(fake.got.alloc.flags, CCSHM_ALLOC_OTHERS_PIN);
	ccshm_alloc_options_set_persistent(options, true);
	for (allowed = 1; allowed >= 0; allowed--) {
		ccshm_alloc_options_set_others_pin(options, allowed);
		fake.no_control = false;
		alloc_expecting(0);
		ck_assert_uint_eq(fake.got.alloc.flags, CCSHM_ALLOC_PERSISTENT |
				  (allowed ? CCSHM_ALLOC_OTHERS_PIN : 0));
		fake.no_control = true;
		ck_assert_int_eq(ccshm_export_create(buffer, CCSHM_EXPORT_PINNED,
						     0, 0, &pinned), allowed ? 0 : -EPERM);
		ccshm_export_close(pinned);
		ccshm_buffer_close(buffer);
	}
}
END_TEST

START_TEST(persistent_has_mode_0600_by_default)
{
	ccshm_alloc_options_set_persistent(options, true);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.mode, 0600);
	ccshm_buffer_close(buffer);
	ccshm_alloc_options_set_mode(options, 0);
	alloc_expecting(0);
	ck_assert_uint_eq(fake.got.alloc.mode, 0);
	ccshm_buffer_close(buffer);
}
END_TEST

START_TEST(name_lengths)
{
	char *name = page_end(CCSHM_NAME_LEN);

	memset(name, 'n', CCSHM_NAME_LEN - 1);
	ccshm_alloc_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, name), 0);
	alloc_expecting(0);
	ck_assert_str_eq(fake.got.alloc.name, name);
	ccshm_buffer_close(buffer);

	/* A shorter name replaces the longer one completely. */
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "n"), 0);
	alloc_expecting(0);
	ccshm_buffer_close(buffer);

	/* A name that is too long does not change the options. */
	name = page_end(CCSHM_NAME_LEN + 1);
	memset(name, 'm', CCSHM_NAME_LEN);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, name), -EINVAL);
	alloc_expecting(-EEXIST);
	ck_assert_str_eq(fake.got.alloc.name, "n");
}
END_TEST

START_TEST(alloc_refused_by_the_driver)
{
	ck_assert_int_eq(ccshm_buffer_alloc(handle, 0, NULL, &buffer), -EINVAL);
	ck_assert_ptr_null(buffer);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, UINT64_MAX, NULL, &buffer),
			 -EINVAL);
	ck_assert_int_eq(ccshm_buffer_alloc(handle, 1ULL << 50, NULL, &buffer),
			 -ENOMEM);
	ccshm_alloc_options_set_mode(options, 0600);
	alloc_expecting(-EINVAL);
	ccshm_alloc_options_set_persistent(options, true);
	ccshm_alloc_options_set_mode(options, 0700);
	alloc_expecting(-EINVAL);
	ccshm_alloc_options_set_mode(options, 0600);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "9"), 0);
	alloc_expecting(-EINVAL);
	ck_assert_int_eq(ccshm_alloc_options_set_name(options, "a/b"), 0);
	alloc_expecting(-EINVAL);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 0);
}
END_TEST

static const int alloc_errors[] = {
	-EPERM, -EEXIST, -EFBIG, -ENOMEM, -EINTR, -EIO, -EFAULT,
};

START_TEST(alloc_errors_pass_through)
{
	fake_fail_ioctl(CCSHM_IOC_ALLOC, alloc_errors[_i]);
	alloc_expecting(alloc_errors[_i]);
}
END_TEST

START_TEST(no_memory)
{
	struct ccshm_alloc_options *none = options;

	/* The failure is before the ioctl, so that there is nothing to undo. */
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	alloc_expecting(-ENOMEM);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 0);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_alloc_options_new(&none), -ENOMEM);
	ck_assert_ptr_null(none);
	ccshm_alloc_options_free(NULL);
	ccshm_buffer_close(NULL);
	ccshm_mapping_close(NULL);
}
END_TEST

START_TEST(anonymous_buffer_ends_at_close)
{
	struct ccshm *other = fake_handle();
	struct ccshm_buffer *one = fake_buffer(other, 1);

	ccshm_close(other);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 1);
	ccshm_buffer_close(one);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 0);
}
END_TEST

START_TEST(free_ends_the_buffer)
{
	struct ccshm_buffer *one = fake_buffer(handle, 1);
	struct ccshm_buffer *two = fake_buffer(handle, 1);
	uint64_t id = ccshm_buffer_id(one);

	ck_assert_int_eq(ccshm_buffer_free(one), 0);
	ck_assert_uint_eq(fake.got.free.id, id);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_BUFFER), 1);
	/* The getters still work. */
	ck_assert_uint_eq(ccshm_buffer_id(one), id);
	ck_assert_uint_eq(ccshm_buffer_size(one), PAGE);
	ck_assert_int_eq(ccshm_buffer_free(one), -ENOENT);
	ccshm_buffer_close(one);
	fake_fail_ioctl(CCSHM_IOC_FREE, -EPERM);
	ck_assert_int_eq(ccshm_buffer_free(two), -EPERM);
	ck_assert_int_eq(ccshm_buffer_free(two), 0);
	ccshm_buffer_close(two);
}
END_TEST

START_TEST(free_flags)
{
	struct ccshm_buffer *one = fake_buffer(handle, 1), *two = fake_buffer(handle, 1);
	struct ccshm_export *export;
	struct ccshm_status *st;

	ck_assert_int_eq(ccshm_export_create(one, 0, 0, 0, &export), 0);
	/* The library passes all 64 flags; the driver refuses unknown ones and frees nothing. */
	ck_assert_int_eq(ccshm_buffer_free_flags(one, CCSHM_FREE_REVOKE | 1ULL << 63), -EINVAL);
	ck_assert_uint_eq(fake.got.free.flags, CCSHM_FREE_REVOKE | 1ULL << 63);
	fake.count[FAKE_IOCTL] = 0;
	ck_assert_int_eq(ccshm_buffer_free_flags(one, CCSHM_FREE_REVOKE), 0);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 1);
	ck_assert_uint_eq(fake.got_request, CCSHM_IOC_FREE);
	ck_assert_int_eq(fake.got_fd, ccshm_fd(handle));
	ck_assert_uint_eq(fake.got.free.id, ccshm_buffer_id(one));
	ck_assert_uint_eq(fake.got.free.flags, CCSHM_FREE_REVOKE);
	ck_assert_int_eq(ccshm_status_get(handle, ccshm_export_id(export), &st), 0);
	ck_assert_uint_eq(ccshm_status_state(st), CCSHM_STATE_REVOKING);
	ccshm_status_free(st);
	ck_assert_int_eq(ccshm_buffer_free_flags(one, CCSHM_FREE_REVOKE), -ENOENT);
	ccshm_export_close(export);
	ccshm_buffer_close(one);

	fake.no_control = true;
	ck_assert_int_eq(ccshm_buffer_free_flags(two, CCSHM_FREE_REVOKE), -EPERM);
	fake.no_control = false;
	fake_fail_ioctl(CCSHM_IOC_FREE, -ENOTTY);
	ck_assert_int_eq(ccshm_buffer_free_flags(two, 0), -ENOTTY);
	ck_assert_int_eq(ccshm_buffer_free_flags(two, 0), 0);
	ck_assert_uint_eq(fake.got.free.flags, 0);
	ccshm_buffer_close(two);
}
END_TEST

START_TEST(open_by_name)
{
	struct ccshm_buffer *made = fake_named(handle, "ring");
	static const char *const names[] = { "ring", "me/ring", "1000/ring",
					     "0001000/ring" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(ccshm_buffer_open(handle, names[i], &buffer),
				 0);
		ck_assert_uint_eq(ccshm_buffer_id(buffer),
				  ccshm_buffer_id(made));
		ck_assert_uint_eq(ccshm_buffer_size(buffer), PAGE);
		ccshm_buffer_close(buffer);
	}
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(open_by_name_passes_the_owner)
{
	ck_assert_int_eq(ccshm_buffer_open(handle, "ring", &buffer), -ENOENT);
	ck_assert_uint_eq(fake.got_request, CCSHM_IOC_OPEN);
	ck_assert_uint_eq(fake.got.open.flags, 0);
	ck_assert_int_eq(ccshm_buffer_open(handle, "other/ring", &buffer),
			 -ENOENT);
	ck_assert_uint_eq(fake.got.open.flags, CCSHM_OPEN_UID);
	ck_assert_uint_eq(fake.got.open.uid, FAKE_OTHER_UID);
	ck_assert_int_eq(ccshm_buffer_open(handle, "0/ring", &buffer), -ENOENT);
	ck_assert_uint_eq(fake.got.open.flags, CCSHM_OPEN_UID);
	ck_assert_uint_eq(fake.got.open.uid, 0);
	ck_assert_int_eq(ccshm_buffer_open(handle, "4294967294/r", &buffer),
			 -ENOENT);
	ck_assert_uint_eq(fake.got.open.uid, 4294967294);
	ck_assert_ptr_null(buffer);
}
END_TEST

static const struct {
	const char *name;
	int result;
} bad_names[] = {
	{ "", -EINVAL },		{ "me/", -EINVAL },
	{ "/ring", -EINVAL },		{ "4294967295/ring", -EINVAL },
	{ "4294967296/ring", -EINVAL },
	{ "99999999999999999999999/ring", -EINVAL },
	{ "nobody-here/ring", -ENOENT },	{ "me/a/b", -EINVAL },
	{ "9", -EINVAL },		{ "a b", -EINVAL },
	{ "-1/ring", -ENOENT },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  -EINVAL },
};

START_TEST(open_bad_names)
{
	ck_assert_int_eq(ccshm_buffer_open(handle, bad_names[_i].name, &buffer),
			 bad_names[_i].result);
	ck_assert_ptr_null(buffer);
}
END_TEST

START_TEST(open_fails)
{
	struct ccshm_buffer *made = fake_named(handle, "ring");

	fake_fail(FAKE_USER, 0, -EIO);
	ck_assert_int_eq(ccshm_buffer_open(handle, "me/ring", &buffer), -EIO);
	ck_assert_ptr_null(buffer);
	fake_fail(FAKE_STRNDUP, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_open(handle, "me/ring", &buffer), -ENOMEM);
	ck_assert_ptr_null(buffer);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_open(handle, "me/ring", &buffer), -ENOMEM);
	ck_assert_ptr_null(buffer);
	/* The buffer may be freed between OPEN and QUERY. */
	fake_fail_ioctl(CCSHM_IOC_QUERY, -ENOENT);
	ck_assert_int_eq(ccshm_buffer_open(handle, "me/ring", &buffer), -ENOENT);
	ck_assert_ptr_null(buffer);
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(open_by_id)
{
	struct ccshm_buffer *made = fake_buffer(handle, 3);
	struct ccshm_export *export;

	ck_assert_int_eq(ccshm_buffer_open_id(handle, ccshm_buffer_id(made),
					      &buffer), 0);
	ck_assert_uint_eq(ccshm_buffer_size(buffer), 3 * PAGE);
	ck_assert_int_eq(ccshm_buffer_free(buffer), 0);
	ccshm_buffer_close(buffer);
	ck_assert_int_eq(ccshm_buffer_open_id(handle, ccshm_buffer_id(made),
					      &buffer), -ENOENT);
	ck_assert_ptr_null(buffer);
	ck_assert_int_eq(ccshm_buffer_open_id(handle, 0, &buffer), -ENOENT);
	ccshm_buffer_close(made);

	made = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(made, 0, 0, 0, &export), 0);
	ck_assert_int_eq(ccshm_buffer_open_id(handle, ccshm_export_id(export),
					      &buffer), -EINVAL);
	ck_assert_ptr_null(buffer);
	ccshm_export_close(export);
	ccshm_buffer_close(made);
}
END_TEST

static void map_at(struct ccshm_buffer *of, uint64_t offset, uint64_t size)
{
	struct ccshm_mapping *mapping;

	fake.places = 0;
	ck_assert_int_eq(ccshm_buffer_map(of, offset, size, PROT_READ, 0, &mapping), 0);
	ccshm_mapping_close(mapping);
}

/* Huge pages require an address with the alignment of the memory. */
START_TEST(map_at_huge_page_alignment)
{
	const uint64_t unit = 2 << 20;
	struct ccshm_buffer *made = fake_buffer(handle, (unsigned int)(4 * unit / PAGE));
	struct ccshm_export *export;
	struct ccshm_mapping *mapping;

	fake.place = (void *)0x7f0000200000;
	map_at(made, 0, 0);
	ck_assert_uint_eq(fake.places, 1);
	ck_assert_uint_eq(fake.place_size, 4 * unit);
	ck_assert_uint_eq(fake.place_align, unit);
	ck_assert_uint_eq(fake.place_phase, 0);
	ck_assert_ptr_eq(fake.mmap_hint, fake.place);
	/* The address is a hint: no MAP_FIXED, which would replace other mappings. */
	ck_assert_int_eq(fake.mmap_flags, MAP_SHARED);
	map_at(made, unit + PAGE, 2 * unit);
	ck_assert_uint_eq(fake.place_phase, PAGE);
	ck_assert_uint_eq(fake.place_size, 2 * unit);

	/* A range without a whole huge page needs no alignment. */
	map_at(made, 0, unit - PAGE);
	ck_assert_uint_eq(fake.places, 0);
	ck_assert_ptr_null(fake.mmap_hint);
	map_at(made, PAGE, 2 * unit - 2 * PAGE);
	ck_assert_uint_eq(fake.places, 0);
	map_at(made, PAGE, 2 * unit - PAGE);
	ck_assert_uint_eq(fake.places, 1);
	map_at(made, unit, unit);
	ck_assert_uint_eq(fake.places, 1);

	/* The offset of an export counts for the alignment. */
	ck_assert_int_eq(ccshm_export_create(made, 0, PAGE, 3 * unit, &export), 0);
	ck_assert_int_eq(ccshm_export_map(export, 2 * PAGE, 2 * unit, PROT_READ, 0,
					  &mapping), 0);
	ck_assert_uint_eq(fake.place_phase, 3 * PAGE);
	ck_assert_int_eq(fake.mmap_offset, (off_t)(2 * PAGE));
	ccshm_mapping_close(mapping);
	ccshm_export_close(export);

	/* Without a suitable address the kernel chooses one. */
	fake.place = NULL;
	map_at(made, 0, 0);
	ck_assert_uint_eq(fake.places, 1);
	ck_assert_ptr_null(fake.mmap_hint);
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(map_whole_buffer)
{
	struct ccshm_buffer *made = fake_buffer(handle, 4);
	struct ccshm_mapping *mapping, *again;
	char *bytes;

	ck_assert_int_eq(ccshm_buffer_map(made, 0, 0, PROT_READ | PROT_WRITE, 0,
					  &mapping), 0);
	ck_assert_uint_eq(ccshm_mapping_size(mapping), 4 * PAGE);
	ck_assert_uint_ne(ccshm_mapping_export_id(mapping), 0);
	ck_assert_uint_eq(fake.got.export.flags, 0);
	ck_assert_int_eq(fake.mmap_prot, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(fake.mmap_flags, MAP_SHARED);
	bytes = ccshm_mapping_address(mapping);
	ck_assert_int_eq(bytes[0], 0);
	bytes[4 * PAGE - 1] = 7;
	/* The descriptor of the dma-buf is closed: only /dev/ccshm is open. */
	ck_assert_uint_eq(fake_files(), 1);
	ck_assert_int_eq(ccshm_buffer_map(made, 3 * PAGE, PAGE, PROT_READ, 0,
					  &again), 0);
	ck_assert_uint_eq(fake.got.export.flags, CCSHM_EXPORT_READ_ONLY);
	ck_assert_uint_eq(fake.got.export.offset, 3 * PAGE);
	ck_assert_uint_eq(fake.got.export.size, PAGE);
	ck_assert_int_eq(fake.mmap_offset, 0);
	ck_assert_uint_eq(fake.mmap_size, PAGE);
	ck_assert_int_eq(((char *)ccshm_mapping_address(again))[PAGE - 1], 7);
	ck_assert_uint_ne(ccshm_mapping_export_id(again),
			  ccshm_mapping_export_id(mapping));
	ccshm_mapping_close(mapping);
	ck_assert_uint_eq(fake_mappings(), 1);
	ccshm_mapping_close(again);
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(map_bad_arguments)
{
	struct ccshm_buffer *made = fake_buffer(handle, 2);
	const struct {
		uint64_t offset, size;
		int prot;
		uint64_t flags;
	} bad[] = {
		{ 1, 0, PROT_READ, 0 },
		{ 0, 1, PROT_READ, 0 },
		{ 0, 3 * PAGE, PROT_READ, 0 },
		{ 2 * PAGE, 0, PROT_READ, 0 },
		{ -PAGE, 2 * PAGE, PROT_READ, 0 },
		{ 0, 0, PROT_NONE, 0 },
		{ 0, 0, PROT_WRITE, 0 },
		{ 0, 0, PROT_READ | PROT_WRITE | PROT_EXEC, 0 },
		{ 0, 0, PROT_READ, 1ULL << 63 },
	};
	struct ccshm_mapping *mapping;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mapping = (struct ccshm_mapping *)0x1;
		ck_assert_int_eq(ccshm_buffer_map(made, bad[i].offset,
						  bad[i].size, bad[i].prot,
						  bad[i].flags, &mapping),
				 -EINVAL);
		ck_assert_ptr_null(mapping);
	}
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(map_fails)
{
	struct ccshm_buffer *made = fake_buffer(handle, 2);
	struct ccshm_mapping *mapping;
	static const int errors[] = { -EACCES, -ENOENT, -EMFILE };
	static const int mmap_errors[] = { -ENODEV, -ENOMEM, -EAGAIN };
	size_t i;

	for (i = 0; i < 3; i++) {
		fake_fail_ioctl(CCSHM_IOC_EXPORT, errors[i]);
		ck_assert_int_eq(ccshm_buffer_map(made, 0, 0, PROT_READ, 0,
						  &mapping), errors[i]);
		ck_assert_ptr_null(mapping);
	}
	for (i = 0; i < 3; i++) {
		fake_fail(FAKE_MMAP, 0, mmap_errors[i]);
		ck_assert_int_eq(ccshm_buffer_map(made, 0, 0, PROT_READ, 0,
						  &mapping), mmap_errors[i]);
		ck_assert_ptr_null(mapping);
	}
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_map(made, 0, 0, PROT_READ, 0, &mapping),
			 -ENOMEM);
	ck_assert_ptr_null(mapping);
	/* The failed calls leave no export. */
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_EXPORT), 0);
	ck_assert_uint_eq(fake_files(), 1);
	ccshm_buffer_close(made);
}
END_TEST

START_TEST(mapping_outlives_free)
{
	struct ccshm_buffer *made = fake_buffer(handle, 1);
	struct ccshm_mapping *mapping;

	ck_assert_int_eq(ccshm_buffer_map(made, 0, 0, PROT_READ | PROT_WRITE, 0,
					  &mapping), 0);
	ck_assert_int_eq(ccshm_buffer_free(made), 0);
	ccshm_buffer_close(made);
	*(char *)ccshm_mapping_address(mapping) = 1;
	fake_fail(FAKE_MUNMAP, 0, -EINVAL);
	ccshm_mapping_close(mapping);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "buffer");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, alloc_anonymous);
	tcase_add_test(tests, new_options_pass_nothing);
	tcase_add_test(tests, all_options_are_passed);
	tcase_add_test(tests, each_memory_option_sets_its_flag);
	tcase_add_test(tests, others_pin_needs_persistent);
	tcase_add_test(tests, options_reset_to_default);
	tcase_add_test(tests, persistent_has_mode_0600_by_default);
	tcase_add_test(tests, name_lengths);
	tcase_add_test(tests, alloc_refused_by_the_driver);
	tcase_add_loop_test(tests, alloc_errors_pass_through, 0,
			    COUNT(alloc_errors));
	tcase_add_test(tests, no_memory);
	tcase_add_test(tests, anonymous_buffer_ends_at_close);
	tcase_add_test(tests, free_ends_the_buffer);
	tcase_add_test(tests, free_flags);
	tcase_add_test(tests, open_by_name);
	tcase_add_test(tests, open_by_name_passes_the_owner);
	tcase_add_loop_test(tests, open_bad_names, 0, COUNT(bad_names));
	tcase_add_test(tests, open_fails);
	tcase_add_test(tests, open_by_id);
	tcase_add_test(tests, map_whole_buffer);
	tcase_add_test(tests, map_at_huge_page_alignment);
	tcase_add_test(tests, map_bad_arguments);
	tcase_add_test(tests, map_fails);
	tcase_add_test(tests, mapping_outlives_free);
}

int main(void)
{
	return unit_main("buffer", add);
}
