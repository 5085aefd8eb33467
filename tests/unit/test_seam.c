// SPDX-License-Identifier: GPL-2.0-only
/* The seam's functions on the real system: results and errors. */
#include <fcntl.h>
#include <linux/ioctl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "fake.h"

#define MIB	((size_t)1 << 20)

START_TEST(open_close)
{
	int fd = ccshm_system.open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(ccshm_system.close(fd), 0);
	ck_assert_int_eq(ccshm_system.close(fd), -EBADF);
	ck_assert_int_eq(ccshm_system.open("/nonexistent/file", O_RDWR),
			 -ENOENT);
}
END_TEST

START_TEST(ioctl_errors)
{
	struct ccshm_ioc_info info = { 0 };
	int fd = ccshm_system.open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(ccshm_system.ioctl(fd, CCSHM_IOC_INFO, &info), -ENOTTY);
	ck_assert_int_eq(ccshm_system.ioctl(-1, CCSHM_IOC_INFO, &info), -EBADF);
	ccshm_system.close(fd);
}
END_TEST

START_TEST(memfd_is_reserved_and_mapped)
{
	int fd = ccshm_system.memfd("unit");
	void *address = NULL;
	struct stat stat;
	char *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, (off_t)PAGE), 0);
	ck_assert_int_eq(ccshm_system.reserve(fd, (off_t)PAGE, (off_t)PAGE), 0);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, (off_t)(2 * PAGE));
	/* The memory is allocated, not only reserved. */
	ck_assert_int_ge(stat.st_blocks, (blkcnt_t)(2 * PAGE / 512));
	ck_assert_int_eq(ccshm_system.mmap(PAGE, PROT_READ | PROT_WRITE,
					   MAP_SHARED, fd, (off_t)PAGE,
					   &address), 0);
	bytes = address;
	ck_assert_int_eq(bytes[0], 0);
	bytes[0] = 5;
	ck_assert_int_eq(pread(fd, &stat, 1, (off_t)PAGE), 1);
	ck_assert_int_eq(*(char *)&stat, 5);
	ck_assert_int_eq(ccshm_system.munmap(address, PAGE), 0);
	ck_assert_int_eq(ccshm_system.munmap((char *)address + 1, PAGE),
			 -EINVAL);
	ck_assert_int_eq(ccshm_system.mmap(0, PROT_READ, MAP_SHARED, fd, 0,
					   &address), -EINVAL);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 0), -EINVAL);
	ccshm_system.close(fd);
	ck_assert_int_eq(ccshm_system.reserve(-1, 0, 1), -EBADF);
	bytes = page_end(300);
	memset(bytes, 'x', 299);
	ck_assert_int_eq(ccshm_system.memfd(bytes), -EINVAL);
}
END_TEST

static volatile sig_atomic_t signalled;

static void count(int sig)
{
	(void)sig;
	signalled++;
}

/* Whether SIGXFSZ has its default action, is ignored, or is pending already. */
START_TEST(reserve_beyond_the_limit_of_files)
{
	struct rlimit limit, before;
	int fd = ccshm_system.memfd("unit");
	sigset_t set, pending;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = MIB;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 4 * MIB), -EFBIG);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 4 * MIB), -EFBIG);
	signal(SIGXFSZ, count);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 4 * MIB), -EFBIG);
	ck_assert_int_eq(signalled, 0);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, MIB), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	raise(SIGXFSZ);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 4 * MIB), -EFBIG);
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, SIGXFSZ), 1);
	ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	ck_assert_int_eq(signalled, 1);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ccshm_system.close(fd);
}
END_TEST

/* Find an address for memory that starts at an offset (phase) in a huge page. */
START_TEST(place_aligns_to_huge_pages)
{
	static const size_t phases[] = { 0, 4096, 2 * MIB - 4096, 4 * MIB, 5 * MIB };
	int fd = ccshm_system.memfd("unit");
	void *wanted, *address;
	size_t i;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ccshm_system.reserve(fd, 0, 4 * MIB), 0);
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		ck_assert_int_eq(ccshm_system.place(4 * MIB, 2 * MIB, phases[i], &wanted), 0);
		ck_assert_uint_eq(((uintptr_t)wanted - phases[i]) % (2 * MIB), 0);
		/* The address is free, and mmap() uses it. */
		address = wanted;
		ck_assert_int_eq(ccshm_system.mmap(4 * MIB, PROT_READ, MAP_SHARED, fd, 0,
						   &address), 0);
		ck_assert_ptr_eq(address, wanted);
		/* A second mmap() does not replace the mapping at the address. */
		ck_assert_int_eq(ccshm_system.mmap(4 * MIB, PROT_READ, MAP_SHARED, fd, 0,
						   &wanted), 0);
		ck_assert_ptr_ne(address, wanted);
		ck_assert_int_eq(ccshm_system.munmap(address, 4 * MIB), 0);
		ck_assert_int_eq(ccshm_system.munmap(wanted, 4 * MIB), 0);
	}
	ccshm_system.close(fd);
	ck_assert_int_eq(ccshm_system.place(SIZE_MAX - 4095, 2 * MIB, 0, &wanted), -ENOMEM);
	ck_assert_int_eq(ccshm_system.place(SIZE_MAX / 2, 2 * MIB, 0, &wanted), -ENOMEM);
}
END_TEST

START_TEST(now_is_the_monotonic_clock)
{
	struct timespec before, after;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(ccshm_system.now(&ns), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge(ns, before.tv_sec * 1000000000LL + before.tv_nsec);
	ck_assert_int_le(ns, after.tv_sec * 1000000000LL + after.tv_nsec);
}
END_TEST

START_TEST(user_finds_the_uid)
{
	uid_t uid = 77;

	ck_assert_int_eq(ccshm_system.user("root", &uid), 0);
	ck_assert_uint_eq(uid, 0);
	ck_assert_int_eq(ccshm_system.user("no:such:user", &uid), -ENOENT);
}
END_TEST

/* On any machine, the open succeeds or reports that there is no driver. */
START_TEST(open_on_this_machine)
{
	struct ccshm *handle;
	int ret = ccshm_open(0, &handle);

	if (access(CCSHM_DEVICE, F_OK)) {
		ck_assert_int_eq(ret, -ENODEV);
		ck_assert_ptr_null(handle);
	} else if (!ret) {
		ck_assert(ccshm_has_driver(handle));
	}
	ccshm_close(handle);
	ck_assert_int_eq(ccshm_open(~0ULL, &handle), -EINVAL);
}
END_TEST

/* Detect the platform and use ordinary memory, if this machine permits it. */
START_TEST(ordinary_handle_on_this_machine)
{
	struct ccshm_mapping *mapping;
	struct ccshm_buffer *buffer;
	struct ccshm *handle;
	int ret = ccshm_open(CCSHM_ONLY_IF_NEEDED, &handle);

	if (ret) {
		ck_assert_ptr_null(handle);
		return;
	}
	if (!ccshm_has_driver(handle)) {
		ck_assert_int_eq(ccshm_buffer_alloc(handle, 1, NULL, &buffer),
				 0);
		ck_assert_int_eq(ccshm_buffer_map(buffer, 0, 0,
						  PROT_READ | PROT_WRITE, 0,
						  &mapping), 0);
		ccshm_buffer_close(buffer);
		ck_assert_int_eq(*(char *)ccshm_mapping_address(mapping), 0);
		*(char *)ccshm_mapping_address(mapping) = 1;
		ccshm_mapping_close(mapping);
	}
	ccshm_close(handle);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "seam");

	tcase_add_test(tests, open_close);
	tcase_add_test(tests, ioctl_errors);
	tcase_add_test(tests, memfd_is_reserved_and_mapped);
	tcase_add_test(tests, reserve_beyond_the_limit_of_files);
	tcase_add_test(tests, place_aligns_to_huge_pages);
	tcase_add_test(tests, now_is_the_monotonic_clock);
	tcase_add_test(tests, user_finds_the_uid);
	tcase_add_test(tests, open_on_this_machine);
	tcase_add_test(tests, ordinary_handle_on_this_machine);
}

int main(void)
{
	return unit_main("seam", add);
}
