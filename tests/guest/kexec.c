// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec while memory is shared and a device is attached: the same kernel starts again and runs this
 * suite a second time. Then no page of the buffer is shared, the kernel can use all of its memory,
 * and the device is not a bus master.
 *
 * The second kernel has the same root file system, plus a file of notes. The harness judges the
 * last run of a suite, so only the second half counts, unless the first half fails.
 *
 * In the variant "refused" the host refuses to make pages private while a TDX kernel ends: the next
 * kernel takes shared pages for private ones. On hardware its first access to one ends the guest;
 * the emulator counts the access.
 *
 * The variant "smp" has two processors; the second one must wait for the next kernel outside the memory
 * of the first kernel, and the next kernel starts it.
 *
 * vm-flavours: sev tdx cca
 * vm-kernels: 6.1 6.12 7.2 7.3
 * vm-matrix: once
 * vm-variant: refused flavours=tdx matrix=last
 * vm-variant: smp flavours=tdx cpus=2 matrix=last
 * vm-modules: ccshm
 * vm-files: @kernel
 * vm-boot: alone
 * vm-timeout: 180
 */
#include <linux/kexec.h>
#include <linux/pci_regs.h>
#include <linux/reboot.h>
#include <sys/reboot.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define KERNEL		"/suites/vmlinuz"
#define INITRAMFS	"/tmp/initramfs"
#define NOTES		"/etc/before-kexec"
#define SIZE		(8 * UNIT)
#define MAX_RUNS	64

struct notes {
	unsigned int nr;
	struct ccshm_ioc_run run[MAX_RUNS];
};

/* Return how many pages of the buffer the host can access. */
static uint64_t pages_shared(const struct notes *n)
{
	uint64_t shared = 0;

	for (unsigned int i = 0; i < n->nr; i++)
		for (uint64_t at = 0; at < n->run[i].length; at += PAGE)
			shared += cvm_page_state(n->run[i].physical + at) == 1;
	return shared;
}

/* ---- kexec_load(2) on arm64, and kexec_file_load(2) ---- */

#ifdef __aarch64__

#define ROUND_UP(x, to)	(((x) + (to) - 1) & ~((to) - 1))

static char *file_read(const char *path, size_t *size)
{
	size_t room = 16 * MIB;
	char *p = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	for (*size = 0; p && fd >= 0 && n > 0; *size += n) {
		if (*size == room)
			p = realloc(p, room *= 2);
		n = p ? read(fd, p + *size, room - *size) : -1;
		if (n < 0)
			break;
	}
	if (!p || fd < 0 || n < 0)
		bail("%s cannot be read", path);
	close(fd);
	return p;
}

static uint32_t be32(const char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return __builtin_bswap32(value);
}

/* Set a property of a device tree to another value of the same size. */
static void fdt_set(char *fdt, const char *name, uint64_t value)
{
	enum { BEGIN_NODE = 1, PROPERTY = 3, END = 9 };
	char *p = fdt + be32(fdt + 8), *names = fdt + be32(fdt + 12);
	uint32_t token, size;

	while ((token = be32(p)) != END) {
		p += 4;
		if (token == BEGIN_NODE) {
			p += ROUND_UP(strlen(p) + 1, 4);
		} else if (token == PROPERTY) {
			size = be32(p);
			if (!strcmp(names + be32(p + 4), name)) {
				value = __builtin_bswap64(size == 4 ? value << 32 : value);
				memcpy(p + 8, &value, size);
				return;
			}
			p += 8 + ROUND_UP(size, 4);
		}
	}
	bail("the device tree has no property %s", name);
}

/*
 * Return the beginning of @size bytes without a shared page, at or after @at: what kexec writes to
 * a shared page would be lost.
 */
static uint64_t private_memory(uint64_t at, uint64_t size)
{
	for (uint64_t p = at; p < at + size; p += PAGE)
		if (cvm_page_state(p))
			at = ROUND_UP(p + 1, UNIT);
	return at;
}

static int kexec_prepare(void)
{
	/*
	 * A kernel is entered with the address of the device tree in x0, and with zero in x1 to x3.
	 */
	static struct {
		uint32_t code[6];
		uint64_t fdt, kernel;
	} start = { .code = {
		0x580000c0,		/* ldr x0, fdt */
		0x580000e4,		/* ldr x4, kernel */
		0xaa1f03e1,		/* mov x1, xzr */
		0xaa1f03e2,		/* mov x2, xzr */
		0xaa1f03e3,		/* mov x3, xzr */
		0xd61f0080,		/* br x4 */
	} };
	size_t kernel_size, initramfs_size, fdt_size;
	char *kernel = file_read(KERNEL, &kernel_size);
	char *initramfs = file_read(INITRAMFS, &initramfs_size);
	char *fdt = file_read("/sys/firmware/fdt", &fdt_size);
	uint64_t offset, image, kernel_at, initramfs_at, fdt_at, start_at;

	/* The header of the image contains its offset within 2 MiB and the memory that it needs. */
	memcpy(&offset, kernel + 8, sizeof(offset));
	memcpy(&image, kernel + 16, sizeof(image));
	kernel_at = private_memory(0x50000000, ROUND_UP(image, UNIT) +
				   ROUND_UP(initramfs_size, UNIT) + 4 * UNIT) + offset;
	initramfs_at = ROUND_UP(kernel_at + image, UNIT);
	fdt_at = ROUND_UP(initramfs_at + initramfs_size, UNIT);
	start_at = fdt_at + UNIT;
	fdt_set(fdt, "linux,initrd-start", initramfs_at);
	fdt_set(fdt, "linux,initrd-end", initramfs_at + initramfs_size);
	start.fdt = fdt_at;
	start.kernel = kernel_at;

	struct kexec_segment segments[] = {
		{ kernel, kernel_size, (void *)kernel_at, ROUND_UP(image, PAGE) },
		{ initramfs, initramfs_size, (void *)initramfs_at, ROUND_UP(initramfs_size, PAGE) },
		{ fdt, fdt_size, (void *)fdt_at, ROUND_UP(fdt_size, PAGE) },
		{ &start, sizeof(start), (void *)start_at, PAGE },
	};

	return syscall(SYS_kexec_load, start_at, 4UL, segments, KEXEC_ARCH_AARCH64) ? -errno : 0;
}

#else

static int kexec_prepare(void)
{
	int kernel = open(KERNEL, O_RDONLY | O_CLOEXEC);
	int initramfs = open(INITRAMFS, O_RDONLY | O_CLOEXEC);
	FILE *f = fopen("/proc/cmdline", "r");
	char line[2048];

	if (kernel < 0 || initramfs < 0 || !f || !fgets(line, sizeof(line), f))
		bail("cannot read the kernel, the initramfs or the command line for kexec");
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return syscall(SYS_kexec_file_load, kernel, initramfs, strlen(line) + 1, line, 0UL) ?
	       -errno : 0;
}

#endif

/* ---- the two halves ---- */

static bool refused;			/* the variant "refused" */
static bool smp;			/* the variant "smp" */

static void initramfs_write(const struct notes *n)
{
	int fd = open(NOTES, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, n, sizeof(*n)) != sizeof(*n) || close(fd))
		bail("%s: %s", NOTES, strerror(errno));
	if (system("cd / && find . -xdev ! -path ." KERNEL " | cpio -o -H newc >" INITRAMFS))
		bail("cannot write the initramfs for kexec");
}

/* Prepare and start the second kernel. The checks here are reported only if one fails. */
static int first_kernel(void)
{
	struct ccshm_ioc_attach req = { .flags = CCSHM_ATTACH_PERSISTENT, .dma_bits = 32 };
	struct notes n = { 0 };
	struct attached a;
	struct edu edu;
	uint64_t id;
	int nr;

	driver_load();
	ccshm = raw_open();
	if (ccshm < 0 || raw_alloc_named(ccshm, SIZE, "ring", 0600, &id))
		bail("cannot open the device, or ALLOC failed");
	req.id = id;
	if (attach_with(ccshm, &req, PCI_A, &a))
		bail("ATTACH failed");
	device_start(&edu, EDU_A);
	is_int(edu_bus_master(&edu), 1, "the device is bus master before kexec");
	nr = raw_pages(ccshm, id, 0, 0, n.run, MAX_RUNS, NULL);
	if (nr < 1)
		bail("PAGES: %s", strerror(-nr));
	n.nr = nr;
	is_int(pages_shared(&n), SIZE / PAGE, "the buffer is shared before kexec");
	initramfs_write(&n);
	is_errno(kexec_prepare(), 0, "the kernel is loaded for kexec");
	if (tap_failed)
		return done_testing();
	/*
	 * Arm the trap of private pages' shared view, because the emulator recognises kexec of an SEV
	 * kernel only while the trap is armed. Until an SEV kernel has reported that its memory is
	 * private, its right accesses would be counted by the other trap. Do not scramble pages: data
	 * survives the hypercall with which SEV changes the state of a page.
	 */
	cvm_set_mode(CVM_MODE_SHARED_ALIAS |
		     (cvm_flavour() == CVM_SEV ? 0 : CVM_MODE_PRIVATE_ALIAS));
	if (refused && cvm_fail(CVM_FAIL_PRIVATE, 0, 1ULL << 40))
		bail("the emulator cannot refuse conversions");
	sleep_ms(200);
	reboot(LINUX_REBOOT_CMD_KEXEC);
	fail("kexec: %s", strerror(errno));
	return done_testing();
}

/* Use the free memory. Return whether each page is present and contains what was written. */
static bool memory_usable(void)
{
	size_t free_kib = 0, size;
	char line[128], *p;
	FILE *f = fopen("/proc/meminfo", "r");
	bool good;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemFree: %zu kB", &free_kib);
	if (f)
		fclose(f);
	if (free_kib < 256 * KIB) {
		diag("%zu KiB are free", free_kib);
		return false;
	}
	size = (free_kib - 128 * KIB) * KIB & ~(PAGE - 1);
	p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	stamp_pages(p, 1, 0, size);
	good = stamp_pages_check(p, 1, 0, size);
	munmap(p, size);
	return good;
}

static int second_kernel(void)
{
	int fd = open(NOTES, O_RDONLY | O_CLOEXEC);
	int config = open("/sys/bus/pci/devices/" EDU_A "/config", O_RDONLY | O_CLOEXEC);
	uint16_t command = 0;
	struct notes n;

	if (fd < 0 || read(fd, &n, sizeof(n)) != sizeof(n))
		bail("%s cannot be read", NOTES);
	close(fd);
	if (smp)
		is_int(sysconf(_SC_NPROCESSORS_ONLN), 2, "after kexec both processors are online");
	/*
	 * At each boot an SEV kernel clears memory as shared before it can report that the memory
	 * is shared.
	 */
	if (cvm_flavour() == CVM_SEV)
		expect_violations("shared_alias");
	if (refused) {
		must(cvm_fail(0, 0, 0));
		expect_violations("private_alias");
		expect_kmsg("Failed to unshare range");
		is_int(pages_shared(&n), SIZE / PAGE,
		       "refused: after kexec all pages of the buffer are still shared");
	} else {
		is_int(pages_shared(&n), 0, "after kexec no page of the buffer is shared");
	}
	ok(config >= 0 && pread(config, &command, 2, PCI_COMMAND) == 2 &&
	   !(command & PCI_COMMAND_MASTER), "after kexec the device is no bus master (0x%x)",
	   command);
	close(config);
	ok(memory_usable(), "the memory can be used after kexec");
	if (refused)
		ok(rig(CVM_VIOL_PRIVATE_ALIAS) >= SIZE / PAGE,
		   "refused: the next kernel uses pages as private that are shared (%llu)",
		   (unsigned long long)rig(CVM_VIOL_PRIVATE_ALIAS));
	else
		is_int(rig(CVM_VIOL_PRIVATE_ALIAS) + rig(CVM_VIOL_SHARED_ALIAS), 0,
		       "after kexec no access uses the wrong (shared or private) view");
	return done_testing();
}

int main(int argc, char **argv)
{
	refused = argc && strstr(argv[0], "refused");
	smp = argc && strstr(argv[0], "smp");
	return access(NOTES, F_OK) ? first_kernel() : second_kernel();
}
