// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hibernation: the driver refuses it while memory is shared, and shares no memory during its
 * preparation. Opening /dev/snapshot makes the same preparations as a hibernation; opening it for
 * writing makes those of a resume.
 *
 * Restart: the devices to which userspace drivers have given shared memory stop before anything
 * else happens, because kexec would leave them running. After that ATTACH is refused.
 *
 * vm-matrix: once
 * vm-modules: ccshm restart
 * vm-boot: alone
 */
#include <linux/dma-heap.h>
#include <linux/pci_regs.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define RESTART_KO	"/lib/ccshm/ccshm_restart.ko"
#define RESTART		"/sys/module/ccshm_restart/parameters/restart"
#define COMMAND		"/sys/module/ccshm_restart/parameters/command"

/*
 * Return the device's command register after all restart notifiers have run, or -1 if they do not
 * run.
 */
static long long command_after(void)
{
	for (int i = 0; i < 2000 && read_number(COMMAND) < 0; i++)
		sleep_ms(10);
	return read_number(COMMAND);
}

/* ---- hibernation ---- */

#define HEAP		"/dev/dma_heap/system_cc_shared"

/*
 * Prepare to hibernate (O_RDONLY) or to resume (O_WRONLY). Return a descriptor or a negative errno.
 */
static int snapshot_open(int flags)
{
	int fd = open("/dev/snapshot", flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Open the snapshot device and close it. Return 0 or a negative errno. */
static int snapshot_try(int flags)
{
	int fd = snapshot_open(flags);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int alloc_try(uint64_t size)
{
	uint64_t id;
	int err = raw_alloc(ccshm, size, &id);

	return err ?: raw_free(ccshm, id);
}

/*
 * Allocate from the driver's heap. Return 0 or a negative errno; return 0 if the node belongs to
 * the kernel's heap.
 */
static int heap_try(void)
{
	struct dma_heap_allocation_data req = { .len = UNIT, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open(HEAP, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = raw_ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &req);
	if (!err)
		close(req.fd);
	close(fd);
	return err;
}

static void refused_while_shared(const char *what, int flags)
{
	struct ccshm_ioc_info info;
	uint64_t id, small;
	char line[128];
	int dmabuf;

	snprintf(line, sizeof(line), "ccshm: %s refused: %lu bytes are shared with the host",
		 what, 2 * UNIT);
	is_errno(raw_alloc(ccshm, UNIT, &id), 0, "%s: ALLOC of a unit: success", what);
	is_errno(raw_alloc(ccshm, PAGE, &small), 0, "%s: ALLOC of a page: success", what);
	is_errno(snapshot_try(flags), EBUSY, "%s while memory is shared: EBUSY", what);
	ok(logged(line), "%s: the kernel log names the number of shared bytes", what);
	is_errno(alloc_try(UNIT), 0, "%s: ALLOC works after the refusal", what);
	must(raw_free(ccshm, small));
	ok(wait_held(ccshm, UNIT, &info),
	   "%s: the memory of the freed page is returned", what);
	dmabuf = raw_export(ccshm, id, 0, NULL);
	must(raw_free(ccshm, id));
	is_errno(snapshot_try(flags), EBUSY, "%s while only an export reaches the memory: EBUSY",
		 what);
	close(dmabuf);
	ok(wait_clean(ccshm), "%s: no memory is shared", what);
}

static void nothing_shared_meanwhile(const char *what, int flags)
{
	uint64_t pages = rig(CVM_PAGES_SHARED);
	struct ccshm_ioc_info info = { 0 };
	int fd = snapshot_open(flags);

	if (!ok(fd >= 0, "%s is prepared when no memory is shared", what)) {
		diag("%s", strerror(-fd));
		return;
	}
	is_errno(alloc_try(2 * UNIT), EBUSY, "%s is prepared: ALLOC: EBUSY", what);
	is_errno(alloc_try(PAGE), EBUSY, "%s is prepared: ALLOC of a page: EBUSY", what);
	is_errno(alloc_try(UNIT + PAGE), EBUSY, "%s is prepared: ALLOC of a unit and a page: EBUSY",
		 what);
	must(raw_info(ccshm, &info));
	if (info.features & CCSHM_FEATURE_HEAP)
		is_errno(heap_try(), EBUSY,
			 "%s is prepared: allocation from the heap node: EBUSY", what);
	else
		skip(
		     "hibernation is prepared: allocation from the heap node: EBUSY",
		     "the heap node is the kernel's");
	ok(wait_clean(ccshm), "%s is prepared: refused calls share no memory", what);
	is_int(rig(CVM_PAGES_SHARED), pages, "%s is prepared: the host counts no more shared pages",
	       what);
	close(fd);
	is_errno(alloc_try(UNIT + PAGE), 0, "%s is over: ALLOC works", what);
	ok(wait_clean(ccshm), "%s is over: the memory is returned", what);
}

/*
 * Test that a block in quarantine refuses hibernation: the host may still be able to access it. The
 * host refuses until this is tested: the driver leaks the block only after 32 s.
 */
static void refused_in_quarantine(void)
{
	struct ccshm_ioc_info info = { 0 };
	uint64_t id;

	if (!refusals_return()) {
		skip("hibernation with memory in quarantine: EBUSY",
		     "the platform refuses no conversions here");
		return;
	}
	expect_refusal();
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 1ULL << 40));
	is_errno(raw_alloc(ccshm, UNIT, &id), 0,
		 "quarantine: ALLOC of a unit whose conversion to private will be refused: success");
	must(raw_free(ccshm, id));
	for (int i = 0; i < 1000 && !(info.bytes_quarantined && !info.bytes_shared); i++) {
		sleep_ms(1);
		must(raw_info(ccshm, &info));
	}
	is_errno(snapshot_try(O_RDONLY), EBUSY, "hibernation with memory in quarantine: EBUSY");
	ok(logged("ccshm: hibernation refused: 2097152 bytes are not private again yet"),
	   "the kernel log names the number of bytes in quarantine");
	must(cvm_fail(CVM_FAIL_PRIVATE, 0, 0));
	for (int i = 0; i < 3000 && info.bytes_quarantined; i++) {
		sleep_ms(20);
		must(raw_info(ccshm, &info));
	}
	ok(wait_clean(ccshm), "the memory in quarantine is returned");
	is_errno(snapshot_try(O_RDONLY), 0,
		 "hibernation is prepared after the quarantine has ended");
}

static void machine_hibernates(void)
{
	int err = snapshot_try(O_RDONLY);

	if (err == -ENOENT || err == -EPERM) {
		skip("hibernation", err == -ENOENT ? "this kernel is built without hibernation" :
						    "hibernation is turned off in this kernel");
		return;
	}
	refused_while_shared("hibernation", O_RDONLY);
	nothing_shared_meanwhile("hibernation", O_RDONLY);
	refused_while_shared("resume from hibernation", O_WRONLY);
	nothing_shared_meanwhile("resume from hibernation", O_WRONLY);
	refused_in_quarantine();
}

/* ---- restart ---- */

/* Restart with an attachment whose holder does nothing, and an attachment without a holder. */
static void machine_restarts(void)
{
	struct shared s = shared_new(UNIT), other;
	struct ccshm_ioc_attach req = { .flags = CCSHM_ATTACH_PERSISTENT, .dma_bits = 32 };
	struct ccshm_ioc_alloc alloc = { .size = UNIT, .flags = CCSHM_ALLOC_PERSISTENT };
	struct attached held, alone;
	struct edu a, b;
	long long command;

	strcpy(alloc.name, "persistent");
	if (raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &alloc))
		bail("ALLOC of a persistent buffer failed");
	other = shared_map(alloc.id, UNIT);
	req.id = other.id;
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &held), 0,
		 "restart: ATTACH of a device with a holder: success");
	is_errno(attach_with(ccshm, &req, PCI_B, &alone), 0,
		 "restart: persistent ATTACH of a device without a holder: success");
	device_start(&a, EDU_A);
	device_start(&b, EDU_B);
	is_int(edu_bus_master(&a), 1, "restart: the device with a holder is bus master before");
	is_int(edu_bus_master(&b), 1, "restart: the device without a holder is bus master before");

	is_errno(write_text(RESTART, "1"), 0, "restart: the machine begins to restart");
	command = command_after();
	if (!ok(command >= 0, "restart: the shutdown functions of all devices have run"))
		return;
	ok(!(command & PCI_COMMAND_MASTER),
	   "restart: the device with a holder is no bus master after shutdown (0x%llx)", command);
	is_int(edu_bus_master(&b), 0,
	       "restart: the device without a holder is no bus master after shutdown");
	is_int(query(held.id).state, CCSHM_STATE_REVOKED,
	       "restart: QUERY returns the state revoked for the attachment");
	is_errno(TRY(PCI_A, .id = s.id), ESHUTDOWN, "restart: ATTACH after shutdown: ESHUTDOWN");

	close(held.fd);
	edu_close(&a);
	edu_close(&b);
	shared_end(&s);
	shared_end(&other);
}

int main(void)
{
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0 || raw_insmod(RESTART_KO, "device=" EDU_A))
		bail("cannot open the device, or cannot load ccshm_restart.ko");
	/* The modules have to stay: keep the harness from unloading them. */
	unlink(RESTART_KO);
	unlink("/lib/ccshm/ccshm.ko");
	machine_hibernates();
	machine_restarts();
	ok(wait_clean(ccshm), "the memory is given back after the restart was simulated");
	close(ccshm);
	return done_testing();
}
