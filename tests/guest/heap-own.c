// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel has a heap of that name there is none of ours, and where the node
 * cannot be made everything else works.
 *
 * Only these kernels let a module add a heap, which stays until the machine ends.
 *
 * vm-modules: ccshm own_heap
 * vm-kernels: 7.2 7.3
 * vm-flavours: sev
 * vm-boot: alone
 */
#include <linux/dma-heap.h>

#include "tap.h"
#include "raw.h"

#define HEAP	"/dev/dma_heap/system_cc_shared"
#define OWN	"/lib/ccshm/own_heap.ko"

/* The driver with this parameter: does INFO say that the heap is ours? */
static bool loaded_with_heap(const char *params)
{
	struct ccshm_ioc_info info;
	uint64_t id;
	int fd;

	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", params), 0, "the driver loads (%s)", params);
	fd = raw_open();
	if (fd < 0 || raw_info(fd, &info))
		bail("no INFO");
	is_errno(raw_alloc(fd, PAGE, &id), 0, "... and works");
	close(fd);
	return info.features & CCSHM_FEATURE_HEAP;
}

/* What an allocation from the node of that name says. */
static int allocate(void)
{
	struct dma_heap_allocation_data req = { .len = PAGE, .fd_flags = O_RDWR };
	int fd = open(HEAP, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = raw_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &req);
	if (!err)
		close(req.fd);
	close(fd);
	return err;
}

static void name_is_taken(void)
{
	expect_kmsg("ccshm: no heap system_cc_shared: error -17");
	expect_kmsg("sysfs: cannot create duplicate filename");
	is_errno(raw_insmod(OWN, ""), 0, "the name of our node's device is taken");
	ok(!loaded_with_heap("heap=auto"), "... INFO says that there is no heap");
	is_errno(allocate(), ENOENT, "... and there is none");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	is_errno(raw_rmmod("own_heap"), 0, "the name is free again");
	ok(loaded_with_heap("heap=auto"), "... and so the heap is ours");
	is_errno(allocate(), 0, "... and gives memory");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
}

static void kernel_has_its_own(void)
{
	is_errno(raw_insmod(OWN, "heap=1"), 0, "the kernel has its own heap");
	/* It has to stay: not for the harness to unload. */
	unlink(OWN);
	is_errno(allocate(), EXFULL, "... which answers");
	expect_kmsg("ccshm: the kernel has its own heap system_cc_shared");
	ok(!loaded_with_heap("heap=auto"), "the kernel has its own: INFO says that it is not ours");
	is_errno(allocate(), EXFULL, "the kernel has its own: that one still answers");
	is_errno(access("/sys/class/misc/ccshm-heap", F_OK) ? errno : 0, ENOENT,
		 "the kernel has its own: there is none of ours");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	is_errno(allocate(), EXFULL, "... and the kernel's heap is where it was");
}

int main(void)
{
	name_is_taken();
	kernel_has_its_own();
	return done_testing();
}
