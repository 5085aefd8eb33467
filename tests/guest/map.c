// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings of exports: they show the right pages with the right protection, whatever the
 * process does to the mapping, and no call that pins or copies pages can access them.
 *
 * vm-modules: ccshm
 * vm-kmods: loop
 * vm-timeout: 240
 */
#include <ccshm.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"

#define RW	(PROT_READ | PROT_WRITE)

static int ccshm;

static uint64_t buffer_new(uint64_t size)
{
	uint64_t id;
	int err = raw_alloc(ccshm, size, &id);

	if (err)
		bail("ALLOC of %llu bytes: %s", (unsigned long long)size, strerror(-err));
	return id;
}

static int export_new(uint64_t id, uint64_t flags)
{
	int fd = raw_export(ccshm, id, flags, NULL);

	if (fd < 0)
		bail("EXPORT: %s", strerror(-fd));
	return fd;
}

static char *map_new(int fd, size_t size, int prot)
{
	char *p = raw_map(fd, size, prot);

	if (!p)
		bail("mmap: %s", strerror(errno));
	return p;
}

/* Allocate a buffer, write stamps to it, and export it. */
static int stamped_new(uint64_t size, uint64_t seed, uint64_t *id)
{
	char *p;
	int fd;

	*id = buffer_new(size);
	fd = export_new(*id, 0);
	p = map_new(fd, size, RW);
	stamp_pages(p, seed, 0, size);
	munmap(p, size);
	return fd;
}

static unsigned int cpu_mappings(uint64_t export_id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, export_id, &q);

	if (err)
		bail("QUERY: %s", strerror(-err));
	return q.cpu_mappings;
}

/* Return how many accesses to the wrong view of a page the emulator has counted. */
static uint64_t violations(void)
{
	return rig(CVM_VIOL_PRIVATE_ALIAS) + rig(CVM_VIOL_SHARED_ALIAS);
}

/* ---- bytes ---- */

static void two_mappings(void)
{
	const size_t size = 4 * MIB + 3 * PAGE;
	uint64_t before = violations();
	uint64_t id = buffer_new(size);
	int a = export_new(id, 0), b = export_new(id, 0);
	char *p = map_new(a, size, RW), *q = map_new(b, size, RW);

	ok(first_other(p, 0, size) < 0, "new memory reads as zero");
	stamp_write(p, 1, 0, size);
	ok(stamp_check(p, 1, 0, size), "a mapping shows the bytes written through it");
	ok(stamp_check(q, 1, 0, size), "a mapping of another export shows the bytes written");
	stamp_pages(q, 2, 0, size);
	ok(stamp_pages_check(p, 2, 0, size),
	   "a mapping shows the bytes written through another export's mapping");
	is_int(violations(), before, "no access was to the private view");
	munmap(p, size);
	munmap(q, size);
	close(a);
	close(b);
	is_errno(raw_free(ccshm, id), 0, "FREE of a buffer that was mapped twice: success");
}

/* Test the bytes with a device, because a device accesses only the shared view of memory. */
static void device_sees_them(void)
{
	const size_t size = 6 * MIB + PAGE;
	const uint64_t from[] = { 0, 2 * MIB - PAGE, 4 * MIB + 5 * PAGE, size - PAGE };
	uint64_t id = buffer_new(size);
	int fd = export_new(id, 0);
	char *p = map_new(fd, size, RW);
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, id, PCI_A, &a), 0,
		 "ATTACH of a device that copies bytes of the buffer: success");
	device_start(&edu, EDU_A);
	stamp_pages(p, 3, 0, size);
	for (size_t i = 0; i < 4; i++) {
		uint64_t to = 3 * MIB + i * PAGE;

		stamp_write(p + from[i], 4, from[i], PAGE);
		is_errno(device_copy(&edu, dma_at(&a, from[i]), dma_at(&a, to), 4080), 0,
			 "the device copies the page at 0x%llx", (unsigned long long)from[i]);
		ok(stamp_check(p + to, 4, from[i], 4080),
		   "the device has copied the bytes that the CPU wrote");
		ok(stamp_check(p + to + PAGE - 8, 3, to + PAGE - 8, 8),
		   "the device has written no byte beyond its copy");
	}
	is_errno(attached_end(&a), 0, "DETACH of the device that copied bytes: success");
	edu_close(&edu);
	munmap(p, size);
	close(fd);
	must(raw_free(ccshm, id));
}

/* ---- refused mappings ---- */

static void refused(void)
{
	uint64_t id = buffer_new(UNIT);
	int rw = export_new(id, 0), ro = export_new(id, CCSHM_EXPORT_READ_ONLY);
	int none = export_new(id, CCSHM_EXPORT_NO_CPU);
	int both = export_new(id, CCSHM_EXPORT_NO_CPU | CCSHM_EXPORT_READ_ONLY);

	is_errno(try_map(rw, UNIT, RW, MAP_PRIVATE), EINVAL,
		 "a private mapping is refused: EINVAL");
	is_errno(try_map(rw, UNIT, PROT_READ, MAP_PRIVATE), EINVAL,
		 "a private mapping with PROT_READ: EINVAL");
	is_errno(try_map(rw, UNIT, PROT_NONE, MAP_PRIVATE), EINVAL,
		 "a private mapping with PROT_NONE: EINVAL");
	is_errno(try_map(ro, UNIT, PROT_READ, MAP_PRIVATE), EINVAL,
		 "a private mapping of a read-only export: EINVAL");
	is_errno(try_map(ro, UNIT, RW, MAP_PRIVATE), EINVAL,
		 "a private writable mapping of a read-only export: EINVAL");
	is_errno(try_map(rw, UNIT, RW, MAP_SHARED_VALIDATE), 0, "MAP_SHARED_VALIDATE: success");

	is_errno(try_map(ro, UNIT, RW, MAP_SHARED), EACCES,
		 "a writable mapping of a read-only export: EACCES");
	is_errno(try_map(ro, UNIT, PROT_WRITE, MAP_SHARED), EACCES,
		 "a PROT_WRITE mapping of a read-only export: EACCES");
	is_errno(try_map(ro, UNIT, PROT_READ, MAP_SHARED), 0,
		 "a shared PROT_READ mapping of a read-only export: success");

	is_errno(try_map(none, UNIT, RW, MAP_SHARED), EACCES, "mmap of a no-cpu export: EACCES");
	is_errno(try_map(none, UNIT, PROT_READ, MAP_SHARED), EACCES,
		 "mmap of a no-cpu export with PROT_READ: EACCES");
	is_errno(try_map(none, UNIT, PROT_NONE, MAP_SHARED), EACCES,
		 "mmap of a no-cpu export with PROT_NONE: EACCES");
	is_errno(try_map(both, UNIT, PROT_READ, MAP_SHARED), EACCES,
		 "mmap of a read-only no-cpu export with PROT_READ: EACCES");

	is_errno(try_map(rw, UNIT + PAGE, RW, MAP_SHARED), EINVAL,
		 "mmap of more than the export's size: EINVAL");
	ok(mmap(NULL, PAGE, RW, MAP_SHARED, rw, UNIT) == MAP_FAILED && errno == EINVAL,
	   "mmap at the end of the export: EINVAL");
	ok(mmap(NULL, UNIT, RW, MAP_SHARED, rw, PAGE) == MAP_FAILED && errno == EINVAL,
	   "mmap across the end of the export: EINVAL");
	ok(mmap(NULL, PAGE, RW, MAP_SHARED, rw, (off_t)1 << 52) == MAP_FAILED,
	   "mmap at an offset of 2^52 fails");
	close(rw);
	close(ro);
	close(none);
	close(both);
	must(raw_free(ccshm, id));
}

/* ---- read-only mappings ---- */

static int child_makes_writable(void *arg)
{
	return mprotect(arg, PAGE, RW) ? -errno : 0;
}

/* Test that every way to make a mapping of a read-only export writable fails. */
static void stays_read_only(char *p, const char *what)
{
	is_int(touch_write(p, 1), SIGSEGV, "%s: a write gets SIGSEGV", what);
	is_errno(mprotect(p, PAGE, RW) ? -errno : 0, EACCES,
		 "%s: mprotect is refused: EACCES", what);
	is_errno(mprotect(p, PAGE, PROT_WRITE) ? -errno : 0, EACCES,
		 "%s: mprotect with PROT_WRITE alone: EACCES", what);
	is_errno(mprotect(p, PAGE, PROT_NONE) ? -errno : 0, 0,
		 "%s: mprotect with PROT_NONE: success", what);
	is_errno(mprotect(p, PAGE, RW) ? -errno : 0, EACCES,
		 "%s: mprotect to write after PROT_NONE: EACCES", what);
	is_errno(mprotect(p, PAGE, PROT_READ) ? -errno : 0, 0,
		 "%s: mprotect with PROT_READ after PROT_NONE: success", what);
	is_errno(as_user(ROOT, ALL_CAPS, child_makes_writable, p), EACCES,
		 "%s: mprotect to write in a child with all capabilities: EACCES", what);
	is_int(touch_write(p, 1), SIGSEGV,
	       "%s: a write after all mprotect calls gets SIGSEGV", what);
	ok(!has_vm_flag(p, "mw"), "%s: the mapping has no VM_MAYWRITE (%s)", what, vm_flags(p));
}

/*
 * Write through /proc/self/mem, as a debugger writes where the process may not. This needs a page
 * to copy or to pin.
 */
static int write_through_proc(void *p, const void *data, size_t len)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pwrite(fd, data, len, (off_t)(uintptr_t)p);
	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- mappings without execute permission ---- */

/* A kernel that mounts the dma-buf file system noexec refuses the mapping itself, with EPERM. */
static bool refused_exec(int err)
{
	return err == -EACCES || err == -EPERM;
}

/* Test that every way to make a mapping executable fails. */
static void stays_data(char *p, int prot, const char *what)
{
	ok(!has_vm_flag(p, "ex") && !has_vm_flag(p, "me"), "%s: may never be executed (%s)", what,
	   vm_flags(p));
	is_errno(mprotect(p, PAGE, prot | PROT_EXEC) ? -errno : 0, EACCES,
		 "%s: mprotect to execute is refused: EACCES", what);
	is_errno(mprotect(p, PAGE, PROT_EXEC) ? -errno : 0, EACCES,
		 "%s: mprotect with PROT_EXEC alone: EACCES", what);
	is_errno(mprotect(p, PAGE, prot) ? -errno : 0, 0,
		 "%s: mprotect without PROT_EXEC: success", what);
	ok(!has_vm_flag(p, "ex"),
	   "%s: mprotect without PROT_EXEC does not make the mapping executable", what);
}

/*
 * Test mappings with and without READ_IMPLIES_EXEC, which old programs set: readable memory is then
 * executable.
 */
static void never_executable(int old)
{
	const char *what = old ? "READ_IMPLIES_EXEC" : "ordinary process";
	uint64_t id = buffer_new(UNIT);
	int rw = export_new(id, 0), ro = export_new(id, CCSHM_EXPORT_READ_ONLY);
	char *p, *q;

	if (!old) {
		ok(refused_exec(try_map(rw, UNIT, RW | PROT_EXEC, MAP_SHARED)),
		   "PROT_EXEC with PROT_READ and PROT_WRITE is refused");
		ok(refused_exec(try_map(rw, UNIT, PROT_READ | PROT_EXEC, MAP_SHARED)),
		   "PROT_EXEC to read is refused");
		ok(refused_exec(try_map(ro, UNIT, PROT_READ | PROT_EXEC, MAP_SHARED)),
		   "PROT_EXEC of a read-only export is refused");
	}
	ok(refused_exec(try_map(rw, UNIT, PROT_EXEC, MAP_SHARED)), "%s: PROT_EXEC alone is refused",
	   what);
	personality(old);
	p = map_new(rw, UNIT, RW);
	q = map_new(ro, UNIT, PROT_READ);
	stays_data(p, RW, what);
	stays_data(q, PROT_READ, what);
	personality(PER_LINUX);
	*(volatile char *)p = (char)0xc3; /* a return instruction on x86 */
	is_int(touch_call(q), SIGSEGV, "%s: a jump into a read-only mapping gets SIGSEGV", what);
	is_int(touch_call(p), SIGSEGV, "%s: a jump into a writable mapping gets SIGSEGV", what);
	munmap(p, UNIT);
	munmap(q, UNIT);
	close(rw);
	close(ro);
	must(raw_free(ccshm, id));
}

static void read_only_export(void)
{
	uint64_t id;
	int rw = stamped_new(UNIT, 5, &id), ro = export_new(id, CCSHM_EXPORT_READ_ONLY), fd;
	char *w = map_new(rw, UNIT, RW), *p = map_new(ro, UNIT, PROT_READ), *q;

	is_int(fcntl(ro, F_GETFL) & O_ACCMODE, O_RDONLY,
	       "the descriptor of a read-only export is open read-only");
	ok(stamp_pages_check(p, 5, 0, UNIT),
	   "a shared mapping of a read-only export shows the bytes");
	stamp_pages(w, 6, 0, UNIT);
	ok(stamp_pages_check(p, 6, 0, UNIT),
	   "a mapping of a read-only export shows bytes written later: it is no copy");
	stays_read_only(p, "mapping");

	/* Move another page than the first, which mprotect has split into its own mapping. */
	q = mremap(p + PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   aligned_space(UNIT));
	if (ok(q != MAP_FAILED, "a mapping of a read-only export can be moved with mremap"))
		stays_read_only(q, "moved mapping");
	munmap(q, 4 * PAGE);
	q = p + 8 * PAGE;
	ok(write_through_proc(q, "x", 1) < 0,
	   "a write through /proc/self/mem to a read-only mapping fails");
	ok(stamp_check(q, 6, 8 * PAGE, 8), "a failed write through /proc/self/mem changes no byte");

	/* The file of a dma-buf cannot be opened again, so it cannot be opened for writing. */
	ok(reopen(ro, O_RDWR) < 0,
	   "opening a dma-buf again through /proc/self/fd with O_RDWR fails");
	ok(reopen(ro, O_WRONLY) < 0,
	   "opening a dma-buf again through /proc/self/fd with O_WRONLY fails");
	fd = reopen(ro, O_RDONLY);
	if (fd >= 0) {
		is_errno(try_map(fd, UNIT, RW, MAP_SHARED), EACCES,
			 "a writable mapping of a reopened read-only dma-buf: EACCES");
		close(fd);
	} else {
		is_errno(fd, ENXIO, "opening a dma-buf again with O_RDONLY: ENXIO");
	}
	fd = dup(ro);
	fcntl(fd, F_SETFL, O_RDWR);
	is_errno(try_map(fd, UNIT, RW, MAP_SHARED), EACCES,
		 "a writable mapping after fcntl(F_SETFL, O_RDWR) of a read-only dma-buf: EACCES");
	close(fd);
	munmap(w, UNIT);
	munmap(p, UNIT);
	close(rw);
	close(ro);
	must(raw_free(ccshm, id));
}

/* ---- calls that pin pages ---- */

/* Return a loop device for a file, or -1. */
static int loop_disk(const char *file, size_t size)
{
	int back = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd, nr;
	char path[32];

	if (back < 0 || ctl < 0 || ftruncate(back, size))
		bail("no loop device: %s", strerror(errno));
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	fd = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	if (nr < 0 || fd < 0 || ioctl(fd, LOOP_SET_FD, back))
		bail("%s: %s", path, strerror(errno));
	close(back);
	close(ctl);
	return fd;
}

static int direct_read(int disk, void *p)
{
	return pread(disk, p, PAGE, 0) < 0 ? -errno : 0;
}

static int direct_write(int disk, void *p)
{
	return pwrite(disk, p, PAGE, 0) < 0 ? -errno : 0;
}

static int splice_out(void *p)
{
	struct iovec iov = { p, PAGE };
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	err = vmsplice(fds[1], &iov, 1, 0) < 0 ? -errno : 0;
	close(fds[0]);
	close(fds[1]);
	return err;
}

/*
 * Read with process_vm_readv(), which pins the pages at @p as those of another process, and copies
 * them.
 */
static int read_of_process(void *p)
{
	char mine[64];
	struct iovec local = { mine, sizeof(mine) }, remote = { p, sizeof(mine) };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

static int write_to_process(void *p)
{
	char mine[64] = { 0 };
	struct iovec local = { mine, sizeof(mine) }, remote = { p, sizeof(mine) };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

/* Register the page at @p with io_uring, which pins registered buffers. */
static int register_buffer(void *p)
{
	struct io_uring_params params = { 0 };
	struct iovec iov = { p, PAGE };
	int ring = syscall(SYS_io_uring_setup, 1, &params), err;

	if (ring < 0)
		return -errno;
	err = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1) < 0 ? -errno : 0;
	close(ring);
	return err;
}

static int shared_futex(void *p)
{
	return syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -errno : 0;
}

static void pins(char *p, int disk, const char *what)
{
	is_errno(direct_read(disk, p), EFAULT,
		 "%s: O_DIRECT cannot read into the mapping: EFAULT", what);
	is_errno(direct_write(disk, p), EFAULT,
		 "%s: O_DIRECT write from the mapping: EFAULT", what);
	is_errno(splice_out(p), EFAULT, "%s: vmsplice of the mapping: EFAULT", what);
	is_errno(read_of_process(p), EFAULT, "%s: process_vm_readv of the mapping: EFAULT", what);
	is_errno(write_to_process(p), EFAULT, "%s: process_vm_writev to the mapping: EFAULT", what);
	is_errno(register_buffer(p), EFAULT,
		 "%s: io_uring buffer registration of the mapping: EFAULT", what);
	is_errno(shared_futex(p), EFAULT, "%s: a shared futex in the mapping: EFAULT", what);
	ok(write_through_proc(p, "x", 1) < 0, "%s: a write through /proc/self/mem fails", what);
}

static void nothing_pins_pages(void)
{
	const size_t size = 2 * UNIT;
	int disk = loop_disk("disk", MIB);
	char *ordinary = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t id;
	int fd = stamped_new(size, 7, &id);
	char *p = map_new(fd, size, RW), *huge = map_aligned(fd, size, RW, 0);

	/* The same calls succeed on ordinary memory. */
	memset(ordinary, 1, PAGE);
	is_errno(direct_write(disk, ordinary), 0, "ordinary memory: O_DIRECT write works");
	is_errno(direct_read(disk, ordinary), 0, "ordinary memory: O_DIRECT read works");
	is_errno(splice_out(ordinary), 0, "ordinary memory: vmsplice works");
	is_errno(read_of_process(ordinary), 0, "ordinary memory: process_vm_readv works");
	is_errno(write_to_process(ordinary), 0, "ordinary memory: process_vm_writev works");
	is_errno(register_buffer(ordinary), 0, "ordinary memory: io_uring works");
	is_errno(shared_futex(ordinary), 0, "ordinary memory: a shared futex works");

	pins(p, disk, "untouched mapping");
	ok(stamp_pages_check(p, 7, 0, size), "before the pin tests: the mapping shows the bytes");
	pins(p, disk, "touched mapping");
	ok(huge && stamp_pages_check(huge, 7, 0, size),
	   "before the pin tests: a mapping aligned to 2 MiB shows the bytes");
	pins(huge, disk, "aligned mapping");
	pins(huge + UNIT - PAGE, disk, "last page of 2 MiB");
	ok(stamp_pages_check(p, 7, 0, size), "after the pin tests: the bytes are unchanged");

	/* A call that copies with the CPU accesses the mapping like the process itself. */
	stamp_write(ordinary, 8, 0, PAGE);
	is_int(pwrite(disk, ordinary, PAGE, 0), PAGE, "page cache: write of a page to the disk");
	is_errno(fcntl(disk, F_SETFL, 0), 0, "page cache: O_DIRECT is switched off");
	is_int(pread(disk, p, PAGE, 0), PAGE, "page cache: read from the disk into the mapping");
	ok(stamp_check(huge, 8, 0, PAGE), "page cache: the mapping shows the bytes that were read");

	must(raw_ioctl(disk, LOOP_CLR_FD, NULL));
	close(disk);
	munmap(p, size);
	munmap(huge, size);
	munmap(ordinary, PAGE);
	close(fd);
	must(raw_free(ccshm, id));
}

/* ---- mprotect, mremap, munmap ---- */

/* Test mprotect. @p: two units of a buffer with stamps; @w: another mapping of the same memory. */
static void protect(char *p, char *w, const char *what)
{
	const size_t part = UNIT / 2;
	uint64_t before = violations();

	stamp_pages(w, 9, 0, 2 * UNIT);
	is_int(touch_read(p + part), 0, "%s: a read in the middle of a unit succeeds", what);
	is_errno(mprotect(p, 2 * UNIT, PROT_NONE) ? -errno : 0, 0, "%s: PROT_NONE: success", what);
	ok(touch_all(p, 8 * PAGE, SIGSEGV), "%s: PROT_NONE: an access gets SIGSEGV", what);
	is_errno(mprotect(p, 2 * UNIT, PROT_READ) ? -errno : 0, 0, "%s: PROT_READ: success", what);
	ok(stamp_pages_check(p, 9, 0, 2 * UNIT), "%s: PROT_READ: the bytes are right", what);
	is_int(touch_write(p, 1), SIGSEGV, "%s: PROT_READ: a write gets SIGSEGV", what);
	is_errno(mprotect(p, 2 * UNIT, RW) ? -errno : 0, 0,
		 "%s: PROT_READ and PROT_WRITE: success", what);
	stamp_pages(p, 10, 0, 2 * UNIT);
	ok(stamp_pages_check(w, 10, 0, 2 * UNIT), "%s: writes reach the shared memory", what);

	/*
	 * Change a page in the middle of a large page, next to mapped pages and to unmapped pages.
	 */
	is_errno(mprotect(p + part, PAGE, PROT_READ) ? -errno : 0, 0,
		 "%s: PROT_READ of one page in the middle: success", what);
	is_int(touch_write(p + part, 1), SIGSEGV,
	       "%s: a write to the page with PROT_READ gets SIGSEGV", what);
	is_int(touch_write(p + part - PAGE, 2), 0,
	       "%s: a write to the page before the page with PROT_READ succeeds", what);
	is_int(touch_write(p + part + PAGE, 3), 0,
	       "%s: a write to the page after the page with PROT_READ succeeds", what);
	ok(w[part - PAGE] == 2 && w[part + PAGE] == 3,
	   "%s: writes next to the page with PROT_READ reach the shared memory", what);
	stamp_pages(w, 11, 0, 2 * UNIT);
	ok(stamp_pages_check(p, 11, 0, 2 * UNIT),
	   "%s: the bytes are right around the page with PROT_READ", what);
	is_errno(mprotect(p, 2 * UNIT, RW) ? -errno : 0, 0,
		 "%s: PROT_WRITE for the whole mapping again: success", what);
	stamp_pages(p, 12, 0, 2 * UNIT);
	ok(stamp_pages_check(w, 12, 0, 2 * UNIT),
	   "%s: writes to the whole mapping reach the shared memory", what);
	is_int(violations(), before, "%s: no access was to the private view", what);
}

static void protections(void)
{
	uint64_t id;
	int fd = stamped_new(2 * UNIT, 9, &id);
	char *w = map_new(fd, 2 * UNIT, RW);
	char *odd = mmap(aligned_space(3 * UNIT) + PAGE, 2 * UNIT, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	char *even = map_aligned(fd, 2 * UNIT, RW, 0);

	protect(odd, w, "mprotect");
	protect(even, w, "mprotect of an aligned mapping");
	munmap(w, 2 * UNIT);
	munmap(odd, 2 * UNIT);
	munmap(even, 2 * UNIT);
	close(fd);
	must(raw_free(ccshm, id));
}

/* Move two of four units of a buffer to another address, which is aligned or not. */
static void move(int fd, size_t misalign, const char *what)
{
	char *from = map_aligned(fd, 4 * UNIT, RW, 0), *w = map_new(fd, 4 * UNIT, RW);
	char *to = (char *)aligned_space(3 * UNIT) + misalign, *p;
	uint64_t before = violations();

	is_int(touch_read(from + UNIT), 0, "%s: setup: one unit of the mapping is touched", what);
	p = mremap(from + UNIT, 2 * UNIT, 2 * UNIT, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (!ok(p == to, "%s: half of the mapping moves", what))
		return;
	ok(stamp_pages_check(p, 13, UNIT, 2 * UNIT), "%s: the moved half shows its bytes", what);
	ok(stamp_pages_check(from, 13, 0, UNIT),
	   "%s: the part before the moved half shows its bytes", what);
	ok(stamp_pages_check(from + 3 * UNIT, 13, 3 * UNIT, UNIT),
	   "%s: the part after the moved half shows its bytes", what);
	is_int(touch_read(from + UNIT), SIGSEGV,
	       "%s: an access to the old address gets SIGSEGV", what);
	stamp_pages(p, 14, UNIT, 2 * UNIT);
	ok(stamp_pages_check(w + UNIT, 14, UNIT, 2 * UNIT),
	   "%s: writes to the moved half reach the shared memory", what);

	ok(mremap(p, 2 * UNIT, 3 * UNIT, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
	   "%s: mremap to a larger size: EFAULT", what);
	ok(mremap(p, 2 * UNIT, 2 * UNIT + PAGE, 0) == MAP_FAILED,
	   "%s: mremap to a size larger by one page fails", what);
	ok(mremap(p, 0, 2 * UNIT, MREMAP_MAYMOVE) == MAP_FAILED,
	   "%s: mremap that duplicates the mapping fails", what);
	ok(mremap(p, 2 * UNIT, 2 * UNIT, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) == MAP_FAILED,
	   "%s: mremap with MREMAP_DONTUNMAP fails", what);
	ok(stamp_pages_check(p, 14, UNIT, 2 * UNIT),
	   "%s: the bytes are unchanged after refused mremap calls", what);
	ok(mremap(p, 2 * UNIT, UNIT, 0) == p, "%s: mremap to a smaller size succeeds", what);
	is_int(touch_read(p + UNIT), SIGSEGV,
	       "%s: an access beyond the shrunken mapping gets SIGSEGV", what);
	ok(stamp_pages_check(p, 14, UNIT, UNIT), "%s: the shrunken mapping shows its bytes", what);
	is_int(violations(), before, "%s: no access was to the private view", what);
	stamp_pages(w, 13, 0, 4 * UNIT);
	munmap(p, UNIT);
	munmap(w, 4 * UNIT);
	munmap(from, 4 * UNIT);
}

static void moves(void)
{
	const size_t size = 4 * UNIT;
	uint64_t id;
	int fd = stamped_new(size, 13, &id);

	move(fd, 0, "mremap");
	move(fd, PAGE, "mremap to an address that is not aligned to a unit");
	close(fd);
	must(raw_free(ccshm, id));
}

static void partial_unmap(void)
{
	const size_t size = 2 * UNIT;
	uint64_t id, export_id;
	int first = stamped_new(size, 15, &id);
	int fd = raw_export(ccshm, id, 0, &export_id);
	char *p = map_aligned(fd, size, RW, 0);

	ok(stamp_pages_check(p, 15, 0, size),
	   "partial munmap: before, the mapping shows the bytes");
	is_int(cpu_mappings(export_id), 1, "partial munmap: before, QUERY counts one mapping");
	is_errno(munmap(p + UNIT / 2, 3 * PAGE) ? -errno : 0, 0,
		 "partial munmap: munmap of 3 pages in the middle: success");
	is_int(cpu_mappings(export_id), 2, "partial munmap: QUERY counts two mappings");
	ok(touch_all(p + UNIT / 2, 3 * PAGE, SIGSEGV),
	   "partial munmap: an access to the unmapped pages gets SIGSEGV");
	ok(stamp_pages_check(p, 15, 0, UNIT / 2),
	   "partial munmap: the pages before show their bytes");
	ok(stamp_pages_check(p + UNIT / 2 + 3 * PAGE, 15, UNIT / 2 + 3 * PAGE,
			     size - UNIT / 2 - 3 * PAGE),
	   "partial munmap: the pages after show their bytes");
	munmap(p, UNIT);
	is_int(cpu_mappings(export_id), 1,
	       "partial munmap: QUERY counts one mapping after the first part is unmapped");
	close(fd);
	ok(stamp_pages_check(p + UNIT, 15, UNIT, UNIT),
	   "partial munmap: the mapping shows its bytes after its descriptor is closed");
	munmap(p, size);
	close(first);
	is_errno(raw_query(ccshm, export_id, &(struct ccshm_ioc_query){ 0 }), ENOENT,
		 "QUERY of the export after its last mapping is unmapped: ENOENT");
	must(raw_free(ccshm, id));
}

/* ---- large pages ---- */

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* What reading a whole mapping takes: page faults, and page tables. */
struct cost {
	long faults;
	long tables;
};

/* Return the number of page tables of this process. */
static long page_tables(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmPTE: %ld kB", &kib);
	if (f)
		fclose(f);
	return kib * 1024 / (long)PAGE;
}

/* Read a mapping. On failure, print why, and return more than any mapping takes. */
static struct cost cost_of(char *p, size_t size)
{
	struct cost before = { .tables = page_tables(), .faults = faults() };

	if (before.tables < 0 || !touch_all(p, size, 0)) {
		diag("the page tables cannot be counted, or the mapping cannot be read");
		return (struct cost){ LONG_MAX, LONG_MAX };
	}
	return (struct cost){
		.faults = faults() - before.faults,
		.tables = page_tables() - before.tables,
	};
}

/*
 * Return whether the kernel maps large pages. A large page has the protection of its VMA, from
 * which an arm64 kernel drops the shared bit.
 */
static bool maps_large(void)
{
	return kernel_at_least(6, 12) && cvm_flavour() != CVM_CCA;
}

/*
 * Test that reading a mapping of many units takes one fault for each of them, and a page table for each
 * only without @large. The test itself takes a few.
 */
static void check_cost(char *p, size_t size, bool large, const char *what)
{
	const long units = (size + UNIT - 1) / UNIT;
	struct cost cost = cost_of(p, size);

	diag("%s: %ld faults and %ld page tables for %ld units", what, cost.faults, cost.tables,
	     units);
	ok(cost.faults < units + 8, "%s: one fault maps 2 MiB", what);
	if (large)
		ok(cost.tables < 8, "%s: large pages are mapped", what);
	else
		ok(cost.tables > 8 && cost.tables < units + 8,
		   "%s: pages of 4 KiB are mapped", what);
}

/* Split a mapping all of whose 4 KiB pages are mapped. Each half has @size bytes. */
static void split_keeps_pages(char *p, size_t size)
{
	long before = faults();

	is_int(madvise(p + size, size, MADV_DONTFORK), 0, "split: madvise of half of a mapping");
	ok(touch_all(p, 2 * size, 0), "split: both halves can be accessed");
	ok(faults() - before < 16, "split: the pages of both halves stay mapped");
}

/*
 * Test that libccshm chooses an address at which the kernel can map large pages: for a slice that begins
 * two pages before whole units, and for one that ends three pages after them. The kernel's own choice
 * ends where something else begins, which does not suit both.
 */
static void library_maps_large(void)
{
	const struct { uint64_t offset; size_t size; } slices[] = {
		{ UNIT - 2 * PAGE, 32 * UNIT + 2 * PAGE }, { 0, 32 * UNIT + 3 * PAGE },
	};
	struct ccshm_mapping *mapping[2] = { NULL };
	struct ccshm_buffer *buffer = NULL;
	struct ccshm *handle = NULL;
	int err = ccshm_open(0, &handle);

	if (!err)
		err = ccshm_buffer_alloc(handle, 33 * UNIT, NULL, &buffer);
	for (int i = 0; i < 2 && !err; i++) {
		err = ccshm_buffer_map(buffer, slices[i].offset, slices[i].size,
				       PROT_READ | PROT_WRITE, 0, &mapping[i]);
		if (!err)
			check_cost(ccshm_mapping_address(mapping[i]), slices[i].size, maps_large(),
				   "the library's mapping");
	}
	is_errno(err, 0, "the library maps two slices");
	ccshm_mapping_close(mapping[1]);
	ccshm_mapping_close(mapping[0]);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}

static void large_pages(void)
{
	const size_t size = 32 * UNIT;
	struct ccshm_ioc_query q;
	char *p, *odd, *shifted;
	uint64_t id;
	int fd = stamped_new(size, 16, &id), slice;

	must(raw_query(ccshm, id, &q));
	is_int(q.units, 32, "large pages: QUERY counts 32 units");
	p = map_aligned(fd, size, RW, 0);
	check_cost(p, size, maps_large(), "an aligned mapping");
	ok(stamp_pages_check(p, 16, 0, size), "large pages: the bytes are right");
	is_int(munmap(p + PAGE, PAGE), 0, "large pages: munmap of one page");
	ok(stamp_pages_check(p + 2 * PAGE, 16, 2 * PAGE, size - 2 * PAGE),
	   "large pages: the other pages show their bytes after munmap of one");

	/* In these mappings either the address or the memory is aligned to a unit, but not both. */
	slice = raw_export_slice(ccshm, id, 0, PAGE, 16 * UNIT, NULL);
	shifted = map_aligned(slice, 16 * UNIT, RW, 0);
	check_cost(shifted, 16 * UNIT, false, "a slice at an offset that is not aligned to a unit");
	ok(stamp_pages_check(shifted, 16, PAGE, 16 * UNIT),
	   "a slice at an offset that is not aligned to a unit shows its bytes");
	odd = mmap((char *)aligned_space(size + UNIT) + 3 * PAGE, size, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	check_cost(odd, size, false, "a mapping at an address that is not aligned to a unit");
	ok(stamp_pages_check(odd, 16, 0, size),
	   "a mapping at an address that is not aligned to a unit shows its bytes");
	split_keeps_pages(odd, size / 2);
	/* A mapping that ends within a unit must not show the rest of the unit. */
	close(slice);
	slice = raw_export_slice(ccshm, id, 0, UNIT, UNIT + PAGE, NULL);
	munmap(p, size);
	p = map_aligned(slice, UNIT + PAGE, RW, 0);
	ok(stamp_pages_check(p, 16, UNIT, UNIT + PAGE),
	   "a slice that ends within a unit shows its bytes");
	is_int(touch_read(p + UNIT + PAGE), SIGSEGV,
	       "an access after a slice that ends within a unit gets SIGSEGV");
	munmap(p, UNIT + PAGE);
	munmap(odd, size);
	munmap(shifted, 16 * UNIT);
	close(slice);
	close(fd);
	must(raw_free(ccshm, id));
}

/* Test that unmapped pages of a unit stay inaccessible while other pages of the unit are mapped. */
static void parts_of_units(void)
{
	const size_t size = 3 * UNIT;
	uint64_t id;
	int fd = stamped_new(size, 24, &id);
	char *space = aligned_space(size), *p;

	p = mmap(space + UNIT - PAGE, UNIT + 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, UNIT - PAGE);
	ok(p != MAP_FAILED && stamp_pages_check(p, 24, UNIT - PAGE, UNIT + 2 * PAGE),
	   "a mapping of a unit and a page on each side shows its bytes");
	is_int(touch_read(p - PAGE), SIGSEGV,
	       "an access to the page before a mapping gets SIGSEGV");
	is_int(touch_read(p + UNIT + 2 * PAGE), SIGSEGV,
	       "an access to the page after a mapping gets SIGSEGV");
	munmap(space, size);
	close(fd);
	must(raw_free(ccshm, id));
}

/* ---- slices ---- */

static void one_slice(uint64_t id, uint64_t offset, uint64_t size, uint64_t whole)
{
	uint64_t export_id, length = size ? size : whole - offset;
	int fd = raw_export_slice(ccshm, id, 0, offset, size, &export_id);
	struct ccshm_ioc_query q;
	char *p;

	if (!ok(fd >= 0, "EXPORT of the slice 0x%llx + 0x%llx", (unsigned long long)offset,
		(unsigned long long)size))
		return;
	must(raw_query(ccshm, export_id, &q));
	is_int(q.offset, offset, "QUERY of a slice returns its offset");
	is_int(q.size, length, "QUERY of a slice returns its size");
	is_int(lseek(fd, 0, SEEK_END), length,
	       "lseek to the end of a slice's dma-buf returns its size");
	p = map_new(fd, length, RW);
	ok(stamp_pages_check(p, 17, offset, length), "a mapping of a slice shows its bytes");
	munmap(p, length);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, length - PAGE);
	ok(p != MAP_FAILED && stamp_pages_check(p, 17, offset + length - PAGE, PAGE),
	   "a mapping of the last page of a slice shows its bytes");
	munmap(p, PAGE);
	is_errno(try_map(fd, length + PAGE, RW, MAP_SHARED), EINVAL,
		 "mmap of one page more than the slice: EINVAL");
	close(fd);
}

static void slices(void)
{
	const uint64_t whole = 4 * UNIT + 5 * PAGE;
	uint64_t id;
	int fd = stamped_new(whole, 17, &id);
	char *p;

	one_slice(id, 0, 0, whole);
	one_slice(id, 0, PAGE, whole);
	one_slice(id, PAGE, 3 * PAGE, whole);
	one_slice(id, UNIT - PAGE, 2 * PAGE, whole);
	one_slice(id, UNIT, UNIT, whole);
	one_slice(id, UNIT + PAGE, 2 * UNIT, whole);
	one_slice(id, whole - PAGE, 0, whole);
	one_slice(id, 3 * UNIT + PAGE, 0, whole);

	/* remap_file_pages() makes a page of the mapping show another page of the file. */
	p = map_new(fd, 2 * PAGE, RW);
	if (!syscall(SYS_remap_file_pages, p, PAGE, 0, 7, 0))
		ok(stamp_pages_check(p, 17, 7 * PAGE, PAGE),
		   "remap_file_pages: the mapping shows the bytes of the chosen page");
	else
		ok(stamp_pages_check(p, 17, 0, PAGE),
		   "remap_file_pages is not supported: the mapping is unchanged");
	munmap(p, 2 * PAGE);
	close(fd);
	must(raw_free(ccshm, id));
}

/* ---- other processes ---- */

static int child_of_mapping(struct peer *parent, void *arg)
{
	char *p = arg;

	peer_send(parent, stamp_pages_check(p, 18, 0, UNIT), -1);
	must(peer_hear(parent));	/* until the parent has unmapped */
	stamp_pages(p, 19, 0, UNIT);
	peer_send(parent, stamp_pages_check(p, 19, 0, UNIT), -1);
	must(peer_hear(parent));
	return munmap(p, UNIT);
}

static void forks(void)
{
	uint64_t id, export_id;
	int first = stamped_new(UNIT, 18, &id);
	int fd = raw_export(ccshm, id, 0, &export_id);
	char *p = map_aligned(fd, UNIT, RW, 0), *w = map_new(first, UNIT, RW);
	uint64_t before = violations();
	struct peer child;

	is_int(touch_read(p), 0, "fork: the parent has touched the mapping");
	child = peer_start(ROOT, ALL_CAPS, child_of_mapping, p);
	is_int(peer_hear(&child), 1, "fork: a child reads the same bytes");
	is_int(cpu_mappings(export_id), 2, "fork: QUERY counts the child's mapping");
	munmap(p, UNIT);
	is_int(peer_ask(&child, 0), 1,
	       "fork: the child's mapping shows its bytes after the parent has unmapped");
	ok(stamp_pages_check(w, 19, 0, UNIT), "fork: writes by the child reach the shared memory");
	is_int(cpu_mappings(export_id), 1,
	       "fork: QUERY counts one mapping after the parent has unmapped");
	is_int(peer_ask(&child, 0), 0, "fork: munmap by the child");
	is_int(cpu_mappings(export_id), 0,
	       "fork: QUERY counts no mapping after the child has unmapped");
	peer_must_end(&child, 0);
	is_int(violations(), before, "fork: no access was to the private view");
	munmap(w, UNIT);
	close(first);
	close(fd);
	must(raw_free(ccshm, id));
}

#define FORK_UNITS 32

/* Return how many page faults reading one page of each unit, at @offset, takes. */
static long unit_faults(const char *p, size_t offset)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < FORK_UNITS; i++)
		(void)*(const volatile char *)(p + i * UNIT + offset);
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

/*
 * Count the faults in a child. Read twice, because the first time includes the faults of code and
 * stack.
 */
static int faults_of_child(void *arg)
{
	static char warm[FORK_UNITS * UNIT];

	unit_faults(warm, 0);
	return unit_faults(arg, 0);
}

/*
 * Test that a child has no large page until it reads the memory: fork copies large entries without
 * a lock, and a copied entry could outlive a revoke.
 */
static void fork_copies_no_large_entry(void)
{
	const size_t size = FORK_UNITS * UNIT;
	uint64_t id;
	int fd = stamped_new(size, 24, &id);
	char *p = map_aligned(fd, size, RW, 0);

	unit_faults(p, 0);
	if (maps_large()) {
		int n = as_user(ROOT, ALL_CAPS, faults_of_child, p);

		ok(n >= FORK_UNITS, "fork copies no large entry: the child has %d faults", n);
		ok(stamp_pages_check(p, 24, 0, size), "fork: the parent's mapping shows its bytes");
	} else {
		diag("this kernel has no large entries");
	}
	munmap(p, size);
	close(fd);
	must(raw_free(ccshm, id));
}

#define FORK_MAPPINGS	5000
#define FORK_LIMIT	10000000000	/* ns */

static int ends_at_once(void *arg)
{
	(void)arg;
	return 0;
}

/* Test that the time of fork does not grow with the square of the number of mappings. */
static void fork_with_many_mappings(void)
{
	const size_t stride = 2 * PAGE;
	uint64_t id;
	int fd = stamped_new(PAGE, 25, &id);
	char *space = aligned_space(FORK_MAPPINGS * stride);
	int64_t begin, took, best = INT64_MAX;

	for (size_t i = 0; i < FORK_MAPPINGS; i++)
		if (mmap(space + i * stride, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			bail("mmap: %s", strerror(errno));
	/* A busy machine may delay one of them. */
	for (int i = 0; i < 3 && best > FORK_LIMIT; i++) {
		begin = now_ns();
		must(as_user(ROOT, ALL_CAPS, ends_at_once, NULL));
		took = now_ns() - begin;
		best = took < best ? took : best;
	}
	diag("%d ms for %d mappings", (int)(best / 1000000), FORK_MAPPINGS);
	ok(best <= FORK_LIMIT, "fork with many mappings takes less than 10 s");
	munmap(space, FORK_MAPPINGS * stride);
	close(fd);
	must(raw_free(ccshm, id));
}

/* Return whether a process has a dma-buf, as a descriptor or mapped. */
static bool has_dmabuf(pid_t pid)
{
	char path[64], target[256];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		found |= !!strstr(target, "dmabuf") || !!strstr(target, "/dev/ccshm");
	}
	if (d)
		closedir(d);
	return found;
}

static void exec(void)
{
	uint64_t id, export_id;
	int first = stamped_new(UNIT, 20, &id), status;
	int fd = raw_export(ccshm, id, 0, &export_id);
	char *p = map_aligned(fd, UNIT, RW, 0);
	pid_t pid;

	is_int(touch_read(p), 0, "exec: the parent has touched its mapping");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && cpu_mappings(export_id) != 1; i++)
		sleep_ms(10);
	is_int(cpu_mappings(export_id), 1,
	       "exec: the mapping of a child that executes a program is not counted");
	ok(!has_dmabuf(pid), "exec: the child that executes a program has no dma-buf descriptor");
	ok(has_dmabuf(getpid()), "exec: the parent has its dma-buf descriptor");
	is_int(waitpid(pid, &status, WNOHANG), 0, "exec: the child still runs");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	munmap(p, UNIT);
	close(fd);
	close(first);
	must(raw_free(ccshm, id));
}

/* ---- core dumps ---- */

static bool file_has(const char *path, const void *what, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found;
	void *p;

	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		return false;
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	found = p != MAP_FAILED && memmem(p, st.st_size, what, len);
	munmap(p, st.st_size);
	close(fd);
	return found;
}

/*
 * Write stamps to both mappings word by word, so that no other memory contains two words in a row,
 * and dump core.
 */
static void dump_core(char *shared, char *ordinary)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &unlimited);
	must(write_text("/proc/self/coredump_filter", "0x7f"));
	stamp_write(shared, 21, 0, PAGE);
	stamp_write(ordinary, 22, 0, PAGE);
	abort();
}

static void core_dumps(void)
{
	/*
	 * These are volatile, because otherwise the compiler could put the words into the program.
	 */
	volatile uint64_t dumped = 22, hidden = 21;
	uint64_t id, words[2];
	int fd, status;
	char *p, *ordinary;
	pid_t pid;

	id = buffer_new(UNIT);
	fd = export_new(id, 0);
	p = map_new(fd, UNIT, RW);
	ordinary = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	diag("VmFlags: %s", vm_flags(p));
	ok(has_vm_flag(p, "dd"), "a mapping is excluded from core dumps (VM_DONTDUMP)");
	ok(has_vm_flag(p, "io") && has_vm_flag(p, "pf"), "a mapping has VM_IO and VM_PFNMAP");
	ok(has_vm_flag(p, "de"), "a mapping has VM_DONTEXPAND");
	ok(madvise(p, UNIT, MADV_DODUMP) < 0, "madvise(MADV_DODUMP) fails");
	ok(has_vm_flag(p, "dd"), "a mapping is still excluded from core dumps after MADV_DODUMP");

	is_errno(write_text("/proc/sys/kernel/core_pattern", "/tmp/map/core"), 0,
		 "setup: core dumps go to a file");
	fflush(stdout);
	pid = fork();
	if (!pid)
		dump_core(p, ordinary);
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WCOREDUMP(status),
	   "a process that has shared memory mapped dumps core");
	for (int i = 0; i < 2; i++)
		words[i] = stamp(dumped, 8 * i);
	ok(file_has("/tmp/map/core", words, sizeof(words)),
	   "the core dump has ordinary memory of the process");
	for (int i = 0; i < 2; i++)
		words[i] = stamp(hidden, 8 * i);
	ok(!memcmp(p, words, sizeof(words)),
	   "the mapping shows what the process that dumped core wrote");
	ok(!file_has("/tmp/map/core", words, sizeof(words)), "the core dump has no shared memory");
	unlink("/tmp/map/core");
	munmap(p, UNIT);
	munmap(ordinary, PAGE);
	close(fd);
	must(raw_free(ccshm, id));
}

/* ---- other operations on a mapping ---- */

static void advice(void)
{
	uint64_t id;
	int fd = stamped_new(UNIT, 23, &id);
	char *p = map_aligned(fd, UNIT, RW, 0);

	ok(stamp_pages_check(p, 23, 0, UNIT), "madvise: before, the mapping shows its bytes");
	ok(madvise(p, UNIT, MADV_DONTNEED) < 0, "madvise(MADV_DONTNEED) fails");
	ok(madvise(p, UNIT, MADV_REMOVE) < 0, "madvise(MADV_REMOVE) fails");
	ok(madvise(p, UNIT, MADV_DOFORK) < 0, "madvise(MADV_DOFORK) fails");
	madvise(p, UNIT, MADV_WILLNEED);
	madvise(p, UNIT, MADV_HUGEPAGE);
	madvise(p, UNIT, MADV_MERGEABLE);
	madvise(p, UNIT, MADV_PAGEOUT);
	madvise(p, UNIT, MADV_POPULATE_WRITE);
	mlock(p, UNIT);
	msync(p, UNIT, MS_SYNC);
	ok(stamp_pages_check(p, 23, 0, UNIT), "other madvise calls leave the bytes unchanged");
	munlock(p, UNIT);
	munmap(p, UNIT);
	p = mmap(NULL, UNIT, RW, MAP_SHARED | MAP_POPULATE | MAP_LOCKED, fd, 0);
	ok(p != MAP_FAILED && stamp_pages_check(p, 23, 0, UNIT),
	   "a mapping with MAP_POPULATE and MAP_LOCKED shows its bytes");
	munmap(p, UNIT);
	ok(read(fd, &id, 1) < 0 && write(fd, &id, 1) < 0, "read and write of a dma-buf fail");
	close(fd);
}

int main(void)
{
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));

	two_mappings();
	device_sees_them();
	refused();
	never_executable(0);
	never_executable(READ_IMPLIES_EXEC);
	read_only_export();
	nothing_pins_pages();
	protections();
	moves();
	partial_unmap();
	large_pages();
	library_maps_large();
	parts_of_units();
	slices();
	forks();
	fork_copies_no_large_entry();
	fork_with_many_mappings();
	exec();
	core_dumps();
	advice();

	close(ccshm);
	ccshm = raw_open();
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
