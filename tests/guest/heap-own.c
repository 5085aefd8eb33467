// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a kernel that has its own heap system_cc_shared, ccshm leaves the node of that heap alone, and
 * both heaps work. The suite also tests what ccshm does and the kernel's heap does not. If ccshm
 * cannot make its node, everything else works.
 *
 * The heap is built from the kernel's own source, see tests/modules/kernel_heap. Only the kernels
 * below let a module add a heap. The heap stays until the machine ends.
 *
 * vm-matrix: once
 * vm-modules: ccshm own_heap kernel_heap importer
 * vm-fetch: heap-test
 * vm-files: heap-test/dmabuf-heap
 * vm-kernels: 7.2 7.3
 * vm-flavours: sev snp tdx
 * vm-boot: alone
 * vm-timeout: 240
 */
#include <linux/dma-heap.h>
#include <sys/sysmacros.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"
#include "kernelheap.h"

#define OWN	"/lib/ccshm/own_heap.ko"
#define KERNELS	"/lib/ccshm/kernel_heap.ko"
#define SIZE	(8 * MIB)

/* Load the driver with @params. Return whether INFO reports that ccshm provides the heap. */
static bool loaded_with_heap(const char *params)
{
	struct ccshm_ioc_info info;
	uint64_t id;
	int fd;

	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", params), 0,
		 "loading the driver works (%s)", params);
	fd = raw_open();
	if (fd < 0 || raw_info(fd, &info))
		bail("the device cannot be opened, or INFO failed");
	is_errno(raw_alloc(fd, PAGE, &id), 0, "ALLOC works after loading the driver");
	close(fd);
	return info.features & CCSHM_FEATURE_HEAP;
}

/* Allocate from the node with this name, as a program does that uses only this ioctl. */
static int heap_fd(uint64_t size)
{
	struct dma_heap_allocation_data req = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open(HEAP, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = raw_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &req);
	close(fd);
	return err ? err : (int)req.fd;
}

static int allocate(void)
{
	int fd = heap_fd(PAGE);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Return the exporter of a dma-buf, as the dma-buf core reports it. */
static const char *exporter(int dmabuf)
{
	static char name[64];
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	f = fopen(path, "r");
	name[0] = '\0';
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "exp_name: %63s", name);
	if (f)
		fclose(f);
	return name;
}

/* ---- the node cannot be made ---- */

static void name_is_taken(void)
{
	expect_kmsg("ccshm: no heap system_cc_shared: error -17");
	expect_kmsg("sysfs: cannot create duplicate filename");
	is_errno(raw_insmod(OWN, ""), 0, "another device takes the name of the heap's device");
	ok(!loaded_with_heap("heap=auto"),
	   "the name of the heap's device is taken: INFO reports no heap");
	is_errno(allocate(), ENOENT,
		 "the name of the heap's device is taken: opening the node: ENOENT");
	is_errno(driver_unload(), 0,
		 "the name of the heap's device is taken: the driver can be unloaded");
	is_errno(raw_rmmod("own_heap"), 0,
		 "the module that took the name of the heap's device is unloaded");
	ok(loaded_with_heap("heap=auto"),
	   "the name of the heap's device is free: INFO reports the heap");
	is_errno(allocate(), 0, "the name of the heap's device is free: the heap allocates");
	is_errno(driver_unload(), 0, "the driver with a heap can be unloaded");
}

/* ---- the kernel has a heap ---- */

/* The kernel's heap, and a dma-buf of it that stays in use during the test. */
static struct {
	dev_t node;
	int fd;
	char *p;
} kernels;

static dev_t node(void)
{
	struct stat st;

	return stat(HEAP, &st) ? 0 : st.st_rdev;
}

static void kernels_heap_comes(void)
{
	is_errno(raw_insmod(KERNELS, ""), 0, "the kernel's own heap is loaded");
	/* The module has to stay: keep the harness from unloading it. */
	unlink(KERNELS);
	kernels.node = node();
	ok(kernels.node, "the kernel's own heap has a node");
	kernels.fd = heap_fd(SIZE);
	ok(kernels.fd >= 0, "the kernel's own heap allocates");
	ok(!strcmp(exporter(kernels.fd), "system_cc_shared"),
	   "the kernel's own heap is the exporter of its dma-buf");
	kernels.p = kernels.fd < 0 ? NULL : raw_map(kernels.fd, SIZE, RW);
	if (!kernels.p)
		bail("memory of the kernel's heap cannot be mapped");
	stamp_pages(kernels.p, 7, 0, SIZE);
}

static bool kernels_heap_works(void)
{
	return stamp_pages_check(kernels.p, 7, 0, SIZE) && !allocate();
}

static void node_is_left_alone(void)
{
	expect_kmsg("ccshm: the kernel has its own heap system_cc_shared");
	ok(!loaded_with_heap("heap=auto"),
	   "the kernel has its own heap: INFO reports no heap of ccshm");
	ok(node() == kernels.node, "the kernel has its own heap: its node is unchanged");
	ok(kernels_heap_works(), "the kernel has its own heap: its node allocates");
	is_errno(access("/sys/class/misc/ccshm-heap", F_OK) ? -errno : 0, ENOENT,
		 "the kernel has its own heap: ccshm makes no device for a heap");
	is_errno(driver_unload(), 0, "the kernel has its own heap: the driver can be unloaded");
	ok(node() == kernels.node && kernels_heap_works(),
	   "the driver is unloaded: the kernel's heap and its node work");
}

/* Run the kernel's test of heaps, a program that uses only the heap. */
static void program_for_the_heap(void)
{
	FILE *p = popen("/suites/dmabuf-heap 2>&1", "r");
	char line[512], heap[128] = "";
	int results = 0;

	while (p && fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "# Testing heap: %127s", heap) == 1 ||
		    strcmp(heap, "system_cc_shared") ||
		    (strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7)))
			continue;
		kernel_result(heap, line, false, false);
		results++;
	}
	if (p)
		pclose(p);
	ok(results >= 11, "the kernel's test has tested the kernel's heap: %d tests", results);
}

/* ---- ccshm beside the kernel's heap ---- */

static void export_and_revoke(void)
{
	struct shared s = shared_new(4 * MIB);
	struct ccshm_ioc_revoke result;
	int imp = imp_new(s.fd, IMPORTER_DYNAMIC), theirs = imp_new(kernels.fd, IMPORTER_STATIC);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "with the kernel's heap in use: a driver maps ccshm's export");
	is_errno(imp_map(theirs, IMPORTER_BIDIRECTIONAL), 0,
		 "with the kernel's heap in use: a driver maps the kernel's dma-buf");
	stamp_write(s.p, 3, 0, TRANSFER);
	stamp_write(kernels.p, 4, 0, TRANSFER);
	is_errno(imp_dma(imp, 0, TRANSFER, false), 0, "the device reads ccshm's memory");
	is_errno(imp_dma(theirs, PAGE, TRANSFER, true), 0,
		 "the device writes to the kernel's memory");
	ok(stamp_check(kernels.p + PAGE, 3, 0, TRANSFER),
	   "the bytes copied from ccshm's to the kernel's memory are right");
	is_errno(imp_dma(theirs, 0, TRANSFER, false), 0, "the device reads the kernel's memory");
	is_errno(imp_dma(imp, PAGE, TRANSFER, true), 0, "the device writes to ccshm's memory");
	ok(stamp_check(s.p + PAGE, 4, 0, TRANSFER),
	   "the bytes copied from the kernel's to ccshm's memory are right");
	is_errno(raw_revoke(ccshm, s.id, 0, in_ms(20000), &result), 0,
		 "with the kernel's heap in use: REVOKE of ccshm's buffer works");
	ok(touch_some(s.p, s.size, PAGE, SIGBUS),
	   "with the kernel's heap in use: the next access to the revoked buffer gets SIGBUS");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ENODEV,
		 "with the kernel's heap in use: map of the revoked export: ENODEV");
	ok(!touch_read(kernels.p + SIZE - 1),
	   "REVOKE of ccshm's buffer: the kernel's memory can be read");
	is_errno(imp_unmap(theirs), 0,
		 "REVOKE of ccshm's buffer: the kernel's importer stays mapped");
	close(theirs);
	close(imp);
	munmap(s.p, s.size);
	close(s.fd);
	is_errno(raw_free(ccshm, s.id), 0, "FREE of the revoked buffer works");
	stamp_pages(kernels.p, 7, 0, SIZE);
}

static void attach_a_device(void)
{
	struct shared s = shared_new(4 * MIB);
	struct attached a;
	struct edu edu;

	is_errno(attach_dmabuf(ccshm, kernels.fd, PCI_B, &a), EMEDIUMTYPE,
		 "ATTACH of a dma-buf of the kernel's heap: EMEDIUMTYPE");
	device_start(&edu, EDU_B);
	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0,
		 "with the kernel's heap in use: ATTACH works");
	ok(moves_right(&edu, &s, &a, 0, 2 * MIB),
	   "with the kernel's heap in use: the attached device copies the right bytes");
	is_errno(attached_end(&a), 0, "with the kernel's heap in use: DETACH works");
	edu_close(&edu);
	shared_end(&s);
}

/* ---- differences between the kernel's heap and ccshm ---- */

/* Return how many bytes are not zero when they are first read. */
static unsigned long not_zero(int dmabuf)
{
	unsigned char *p = dmabuf < 0 ? NULL : raw_map(dmabuf, SIZE, RW);
	unsigned long n = 0;

	if (!p)
		bail("the dma-buf cannot be mapped");
	for (size_t i = 0; i < SIZE; i++)
		n += p[i] != 0;
	munmap(p, SIZE);
	return n;
}

struct cost {
	uint64_t calls;
	long long splits;
	unsigned long garbage;
};

/*
 * Return the cost of memory that was never shared before: a leaf that was split earlier stays
 * split.
 */
static struct cost cost_of(int dmabuf, struct cost before)
{
	struct cost cost = {
		.calls = rig(CVM_HC_SHARED) - before.calls,
		.splits = direct_map_splits() - before.splits,
		.garbage = not_zero(dmabuf),
	};

	close(dmabuf);
	return cost;
}

static struct cost costs(void)
{
	return (struct cost){ .calls = rig(CVM_HC_SHARED), .splits = direct_map_splits() };
}

static struct cost ours_costs(void)
{
	struct cost before;
	uint64_t id, export_id;
	int fd;

	driver_load();
	direct_map_settle();
	fd = raw_open();
	before = costs();
	if (fd < 0 || raw_alloc(fd, SIZE, &id))
		bail("ALLOC failed");
	before = cost_of(raw_export(fd, id, 0, &export_id), before);
	close(fd);
	is_errno(driver_unload(), 0,
		 "after the measurement of ccshm's heap the driver can be unloaded");
	return before;
}

static struct cost theirs_costs(void)
{
	struct cost before;

	direct_map_settle();
	before = costs();
	return cost_of(heap_fd(SIZE), before);
}

static void compare(const struct cost *ours, const struct cost *theirs)
{
	diag("%lu MiB, ours: %" PRIu64 " page-state calls, %lld leaves of the direct map split, "
	     "%lu bytes not zero", SIZE / MIB, ours->calls, ours->splits, ours->garbage);
	diag("%lu MiB, the kernel's: %" PRIu64 " page-state calls, %lld leaves of the direct map split, "
	     "%lu bytes not zero", SIZE / MIB, theirs->calls, theirs->splits, theirs->garbage);
	is_int(ours->garbage, 0, "new memory of ccshm is zero");
	ok(theirs->garbage > SIZE / 2, "new memory of the kernel's heap is not zero");
	ok(ours->calls < theirs->calls,
	   "ccshm shares memory with fewer page-state calls than the kernel's heap");
	ok(ours->splits == 0 && theirs->splits > 0,
	   "ccshm splits no leaf of the direct map, the kernel's heap does");
}

/* Allocate from ccshm as a user with a limit. Return 0 or a negative errno. */
static int limited_ours(void *arg)
{
	int fd = raw_open(), err;
	uint64_t id;

	(void)arg;
	err = fd < 0 ? fd : raw_alloc(fd, SIZE, &id);
	close(fd);
	return err;
}

static int limited_theirs(void *arg)
{
	int fd = heap_fd(SIZE);

	(void)arg;
	close(fd);
	return fd < 0 ? fd : 0;
}

static void limits(void)
{
	if (write_text("/sys/class/misc/ccshm/limit_user_bytes", "4M") || chmod(HEAP, 0666))
		bail("the limit cannot be set");
	is_errno(as_user(ALICE, 0, limited_ours, NULL), EDQUOT,
		 "ALLOC by ccshm above limit_user_bytes: EDQUOT");
	is_errno(as_user(ALICE, 0, limited_theirs, NULL), 0,
		 "an allocation from the kernel's heap above limit_user_bytes works");
}

/* ---- one of the two modules is unloaded ---- */

static void unload(void)
{
	is_errno(raw_rmmod("kernel_heap"), EBUSY, "unloading the kernel's heap in use: EBUSY");
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer can be unloaded");
	is_errno(driver_unload(), 0, "the driver can be unloaded while the kernel's heap is in use");
	ok(kernels_heap_works(), "the driver is unloaded: the kernel's heap works");
	ok(!loaded_with_heap("heap=auto"),
	   "the driver is loaded again beside the kernel's heap: INFO reports no heap");
	is_errno(driver_unload(), 0, "the driver that was loaded again can be unloaded");
	munmap(kernels.p, SIZE);
	close(kernels.fd);
	is_errno(allocate(), 0, "after all unloads the kernel's heap allocates");
}

int main(void)
{
	struct cost ours = ours_costs(), theirs;

	name_is_taken();
	kernels_heap_comes();
	theirs = theirs_costs();
	compare(&ours, &theirs);
	node_is_left_alone();
	suite_begin();
	if (device_bind(EDU_A, IMPORTER_DRIVER))
		bail("the importer's driver cannot be bound to %s", EDU_A);
	program_for_the_heap();
	export_and_revoke();
	attach_a_device();
	limits();
	ok(wait_clean(ccshm), "with the kernel's heap in use: no object of ccshm is left");
	close(ccshm);
	unload();
	return done_testing();
}
