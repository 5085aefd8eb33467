// SPDX-License-Identifier: GPL-2.0-only
/* Attachments: arguments for the driver, segments, and the ways to end an attachment. */
#include <limits.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *buffer;
static struct ccshm_attach_options *options;
static struct ccshm_attachment *attachment;

static void setup(void)
{
	handle = fake_handle();
	buffer = fake_buffer(handle, 4);
	ck_assert_int_eq(ccshm_attach_options_new(&options), 0);
	attachment = (struct ccshm_attachment *)0x1;
}

static void teardown(void)
{
	ccshm_attach_options_free(options);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static void attach(void)
{
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options,
					     &attachment), 0);
}

START_TEST(attach_buffer)
{
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL,
					     &attachment), 0);
	ck_assert_uint_eq(fake.got.attach.id, ccshm_buffer_id(buffer));
	ck_assert_uint_eq(fake.got.attach.flags, 0);
	ck_assert_uint_eq(fake.got.attach.dma_bits, 0);
	ck_assert_str_eq(fake.got.attach.device, FAKE_DEVICE);
	ck_assert_uint_ne(ccshm_attachment_id(attachment), 0);
	ck_assert_uint_eq(ccshm_attachment_size(attachment), 4 * PAGE);
	ck_assert_uint_eq(ccshm_attachment_segment_count(attachment), 4);
	ck_assert_int_ge(ccshm_attachment_fd(attachment), 0);
	ck_assert_uint_eq(fake_files(), 2);
	ccshm_attachment_close(attachment);
	ck_assert_uint_eq(fake_files(), 1);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_ATTACHMENT), 0);
	ccshm_attachment_close(NULL);
}
END_TEST

START_TEST(attach_passes_the_options)
{
	ccshm_attach_options_set_slice(options, PAGE, 2 * PAGE);
	ccshm_attach_options_set_dma_bits(options, 48);
	attach();
	ck_assert_uint_eq(fake.got.attach.offset, PAGE);
	ck_assert_uint_eq(fake.got.attach.size, 2 * PAGE);
	ck_assert_uint_eq(fake.got.attach.dma_bits, 48);
	ck_assert_uint_eq(ccshm_attachment_size(attachment), 2 * PAGE);
	ccshm_attachment_close(attachment);
}
END_TEST

START_TEST(attach_export)
{
	struct ccshm_export *export;
	struct ccshm_status *status;

	ck_assert_int_eq(ccshm_export_create(buffer, 0, PAGE, 0, &export), 0);
	ccshm_attach_options_set_slice(options, PAGE, 0);
	ck_assert_int_eq(ccshm_export_attach(export, FAKE_DEVICE, options,
					     &attachment), 0);
	ck_assert_uint_eq(fake.got.attach.id, 0);
	ck_assert_uint_eq(fake.got.attach.flags, CCSHM_ATTACH_DMABUF);
	ck_assert_int_eq(fake.got.attach.dmabuf_fd, ccshm_export_fd(export));
	ck_assert_uint_eq(ccshm_attachment_size(attachment), 2 * PAGE);
	ck_assert_int_eq(ccshm_attachment_status(attachment, &status), 0);
	ck_assert_uint_eq(ccshm_status_export_id(status),
			  ccshm_export_id(export));
	ccshm_status_free(status);
	ccshm_attachment_close(attachment);
	ck_assert_int_eq(ccshm_export_revoke(export, 0, 0, NULL), 0);
	ck_assert_int_eq(ccshm_export_attach(export, FAKE_DEVICE, NULL,
					     &attachment), -ENODEV);
	ck_assert_ptr_null(attachment);
	/* The lock is free after a failure. */
	ck_assert_int_ge(ccshm_export_fd(export), 0);
	ccshm_export_close(export);
}
END_TEST

START_TEST(attach_dmabuf)
{
	struct ccshm_export *export;
	int fd;

	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &export), 0);
	fd = ccshm_export_take_fd(export);
	ccshm_export_close(export);
	ck_assert_int_eq(ccshm_dmabuf_attach(handle, fd, FAKE_DEVICE, NULL,
					     &attachment), 0);
	ck_assert_int_eq(fake.got.attach.dmabuf_fd, fd);
	ccshm_attachment_close(attachment);
	/* The caller still owns the descriptor. */
	ck_assert_int_eq(fake_seam.close(fd), 0);

	ck_assert_int_eq(ccshm_dmabuf_attach(handle, -1, FAKE_DEVICE, NULL,
					     &attachment), -EBADF);
	ck_assert_ptr_null(attachment);
	ck_assert_int_eq(ccshm_dmabuf_attach(handle, ccshm_fd(handle),
					     FAKE_DEVICE, NULL, &attachment),
			 -EMEDIUMTYPE);
	ck_assert_ptr_null(attachment);
}
END_TEST

static const int errors[] = {
	-EINVAL, -ENOENT, -ENODEV, -EPERM, -EACCES, -EBUSY, -EOPNOTSUPP,
	-ERANGE, -EMFILE, -ENFILE, -ENOMEM,
};

START_TEST(attach_fails)
{
	fake_fail_ioctl(CCSHM_IOC_ATTACH, errors[_i]);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL,
					     &attachment), errors[_i]);
	ck_assert_ptr_null(attachment);
}
END_TEST

START_TEST(attach_bad_arguments)
{
	char *device = page_end(CCSHM_DEVICE_LEN + 1);

	memset(device, 'x', CCSHM_DEVICE_LEN);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, device, NULL, &attachment),
			 -EINVAL);
	ck_assert_ptr_null(attachment);
	ck_assert_uint_ne(fake.got_request, CCSHM_IOC_ATTACH);

	/* The library passes the longest name that fits to the driver. */
	device = page_end(CCSHM_DEVICE_LEN);
	memcpy(device, "pci:", 4);
	memset(device + 4, '0', CCSHM_DEVICE_LEN - 5);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, device, NULL, &attachment),
			 -ENODEV);
	ck_assert_str_eq(fake.got.attach.device, device);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, "", NULL, &attachment),
			 -EINVAL);

	ccshm_attach_options_set_dma_bits(options, 65);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options,
					     &attachment), -EINVAL);
	ccshm_attach_options_set_dma_bits(options, 0);
	ccshm_attach_options_set_slice(options, -PAGE, 2 * PAGE);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options,
					     &attachment), -EINVAL);
	ccshm_attach_options_set_slice(options, 0, 0);
	/* A persistent attachment of an anonymous buffer. */
	ccshm_attach_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, options,
					     &attachment), -EINVAL);
	ck_assert_ptr_null(attachment);
}
END_TEST

START_TEST(no_memory)
{
	struct ccshm_attach_options *none = options;

	/* The failure is before the ioctl, so that there is nothing to undo. */
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_buffer_attach(buffer, FAKE_DEVICE, NULL,
					     &attachment), -ENOMEM);
	ck_assert_ptr_null(attachment);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_ATTACHMENT), 0);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(ccshm_attach_options_new(&none), -ENOMEM);
	ck_assert_ptr_null(none);
	ccshm_attach_options_free(NULL);
}
END_TEST

START_TEST(all_segments)
{
	struct ccshm_segment *segments = page_end(3 * sizeof(*segments));
	uint64_t page = PAGE;
	int i;

	attach();
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 0, segments, 3),
			 3);
	ck_assert_int_eq(fake.got_fd, ccshm_attachment_fd(attachment));
	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(segments[i].dma_address,
				  0x100000000ULL + (unsigned int)i * 2 * page);
		ck_assert_uint_eq(segments[i].length, page);
		ck_assert_uint_eq(segments[i].offset, (unsigned int)i * page);
	}
	/* Returns the segments that are left. */
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 3, segments, 3),
			 1);
	ck_assert_uint_eq(segments[0].offset, 3 * page);
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 4, segments, 3),
			 0);
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 5, segments, 3),
			 -EINVAL);
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 0, NULL, 0), 0);
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 0, segments,
						   (uint32_t)INT_MAX + 1),
			 -EINVAL);
	ccshm_attachment_close(attachment);
}
END_TEST

START_TEST(segments_after_revoke)
{
	struct ccshm_segment segment;

	attach();
	ck_assert_int_eq(ccshm_attachment_revoke(attachment, 0, 0, NULL), 0);
	ck_assert_uint_eq(fake.got.revoke.id, ccshm_attachment_id(attachment));
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 0, &segment, 1),
			 -ENODEV);
	ccshm_attachment_close(attachment);
}
END_TEST

START_TEST(detach_through_its_file)
{
	attach();
	/* The attachment's file suffices; no capability is needed. */
	fake.no_rawio = true;
	ck_assert_int_eq(ccshm_attachment_detach(attachment), 0);
	ck_assert_uint_eq(fake.got_request, CCSHM_IOC_DETACH);
	ck_assert_int_eq(fake.got_fd, ccshm_attachment_fd(attachment));
	ck_assert_int_eq(ccshm_attachment_detach(attachment), 0);
	ccshm_attachment_close(attachment);
}
END_TEST

/* Closing must not detach: the device may still be active. */
START_TEST(close_of_one_reference_keeps_the_attachment)
{
	attach();
	ccshm_attachment_close(attachment);
	ck_assert_uint_ne(fake.got_request, CCSHM_IOC_DETACH);
}
END_TEST

START_TEST(attach_persistent_leaves_it_after_close)
{
	struct ccshm_buffer *kept = fake_named(handle, "kept");
	struct ccshm_segment segment;
	struct ccshm_status *status;
	uint64_t id;

	ccshm_attach_options_set_persistent(options, true);
	ck_assert_int_eq(ccshm_buffer_attach(kept, FAKE_DEVICE, options,
					     &attachment), 0);
	ck_assert_uint_eq(fake.got.attach.flags, CCSHM_ATTACH_PERSISTENT);
	ck_assert_int_eq(ccshm_attachment_fd(attachment), -EBADF);
	id = ccshm_attachment_id(attachment);
	ccshm_attachment_close(attachment);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_ATTACHMENT), 1);

	ck_assert_int_eq(ccshm_attachment_open_id(handle, id, &attachment), 0);
	ck_assert_uint_eq(ccshm_attachment_id(attachment), id);
	ck_assert_uint_eq(ccshm_attachment_size(attachment), PAGE);
	ck_assert_uint_eq(ccshm_attachment_segment_count(attachment), 1);
	ck_assert_int_eq(ccshm_attachment_fd(attachment), -EBADF);
	ck_assert_int_eq(ccshm_attachment_status(attachment, &status), 0);
	ck_assert(ccshm_status_is_persistent(status));
	ccshm_status_free(status);
	ck_assert_int_eq(ccshm_attachment_segments(attachment, 0, &segment, 1),
			 1);
	ck_assert_int_eq(fake.got_fd, ccshm_fd(handle));
	fake.no_rawio = true;
	ck_assert_int_eq(ccshm_attachment_detach(attachment), -EPERM);
	fake.no_rawio = false;
	ck_assert_int_eq(ccshm_attachment_detach(attachment), 0);
	ck_assert_int_eq(ccshm_attachment_detach(attachment), -ENOENT);
	ccshm_attachment_close(attachment);
	ck_assert_uint_eq(fake_objects(CCSHM_TYPE_ATTACHMENT), 0);
	ccshm_buffer_close(kept);
}
END_TEST

START_TEST(open_by_id_fails)
{
	ck_assert_int_eq(ccshm_attachment_open_id(handle, 999, &attachment),
			 -ENOENT);
	ck_assert_ptr_null(attachment);
	ck_assert_int_eq(ccshm_attachment_open_id(handle,
						  ccshm_buffer_id(buffer),
						  &attachment), -EINVAL);
	ck_assert_ptr_null(attachment);
	attach();
	{
		struct ccshm_attachment *again;

		fake_fail(FAKE_CALLOC, 0, -ENOMEM);
		ck_assert_int_eq(ccshm_attachment_open_id(handle,
					ccshm_attachment_id(attachment),
					&again), -ENOMEM);
		ck_assert_ptr_null(again);
	}
	ccshm_attachment_close(attachment);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "attachment");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, attach_buffer);
	tcase_add_test(tests, attach_passes_the_options);
	tcase_add_test(tests, attach_export);
	tcase_add_test(tests, attach_dmabuf);
	tcase_add_loop_test(tests, attach_fails, 0,
			    (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(tests, attach_bad_arguments);
	tcase_add_test(tests, no_memory);
	tcase_add_test(tests, all_segments);
	tcase_add_test(tests, segments_after_revoke);
	tcase_add_test(tests, detach_through_its_file);
	tcase_add_test(tests, close_of_one_reference_keeps_the_attachment);
	tcase_add_test(tests, attach_persistent_leaves_it_after_close);
	tcase_add_test(tests, open_by_id_fails);
}

int main(void)
{
	return unit_main("attachment", add);
}
