// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a userspace driver maps the registers of an attached device. A mapping must be shared: on SEV
 * hardware the data of a private one are encrypted, and in TDX an access through it ends the
 * program or the guest. The files of sysfs map as shared; the kernel's uio core maps as private.
 *
 * The emulator executes both, and counts accesses through private mappings.
 *
 * vm-flavours: sev snp tdx
 * vm-matrix: once
 * vm-modules: ccshm uio
 * vm-kmods: uio
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define UIO		"/dev/uio0"
#define RESOURCE	"/sys/bus/pci/devices/" EDU_A "/resource0"

/* The identification register of edu: the version, and 0xed. */
static bool edu_answers(volatile uint32_t *registers)
{
	return (registers[0] & 0xffff) == 0xed;
}

static volatile uint32_t *registers_map(const char *path)
{
	int fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	void *p;

	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bail("mmap of %s: %s", path, strerror(errno));
	close(fd);
	return p;
}

static uint64_t mmio(void)
{
	return rig(CVM_VIOL_MMIO);
}

/* Copy within an attached buffer, with a driver that maps the registers through sysfs. */
static void sysfs_works(void)
{
	struct shared s = shared_new(UNIT);
	volatile uint32_t *registers;
	struct attached a;
	struct edu edu;

	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "sysfs: ATTACH: success");
	device_start(&edu, EDU_A);
	registers = registers_map(RESOURCE);
	cvm_rearm();
	ok(edu_answers(registers), "sysfs: the device answers");
	s.p[0] = 'x';
	is_errno(device_copy(&edu, dma_at(&a, 0), dma_at(&a, PAGE), TRANSFER), 0,
		 "sysfs: the device copies");
	is_int(s.p[PAGE], 'x', "sysfs: the copy is in the buffer");
	is_int(mmio(), 0, "sysfs: no access to the registers is private");
	munmap((void *)registers, PAGE);
	edu_close(&edu);
	is_errno(attached_end(&a), 0, "sysfs: DETACH: success");
	shared_end(&s);
}

/* The uio core does not call pgprot_decrypted(). */
static void uio_does_not(const char *what)
{
	volatile uint32_t *registers;
	uint64_t before;
	int err = raw_insmod("/lib/ccshm/ccshm_uio.ko", "device=" EDU_A);

	if (err)
		bail("loading ccshm_uio.ko: %s", strerror(-err));
	expect_violations("mmio");
	cvm_rearm();
	before = mmio();
	registers = registers_map(UIO);
	is_int(mmio() - before, 0, "%s: the mapping alone is no access", what);
	ok(edu_answers(registers), "%s: the device answers", what);
	is_int(mmio() - before, 1, "%s: an access to the registers is private", what);
	munmap((void *)registers, PAGE);
	is_errno(raw_rmmod("ccshm_uio"), 0, "%s: the driver can be unloaded", what);
}

static uint64_t registers_at(void)
{
	char text[32] = "";
	int fd = open("/sys/bus/pci/devices/" EDU_A "/resource", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("resource: %s", strerror(errno));
	close(fd);
	return strtoull(text, NULL, 16);
}

/*
 * Make the kernel place the registers itself: at the start of the window of devices, which is the end
 * of the machine's RAM below 4 GiB. The firmware has placed them at the end of the window.
 */
static void device_moves(void)
{
	uint64_t before = registers_at();

	is_errno(device_file(EDU_A, "remove", "1"), 0, "the device is removed");
	is_errno(write_text("/sys/bus/pci/rescan", "1"), 0, "the bus is scanned");
	diag("the registers were at %#llx and are at %#llx", (unsigned long long)before,
	     (unsigned long long)registers_at());
}

int main(void)
{
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	sysfs_works();
	uio_does_not("uio");
	device_moves();
	uio_does_not("uio, another address");
	ok(wait_clean(ccshm), "all memory is given back");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
