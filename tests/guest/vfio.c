// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU that does not translate, and vfio: a device is given addresses until user
 * space claims its IOMMU group, and again when it lets go of it.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-kmods: vfio_pci vfio_iommu_type1
 * vm-append: intel_iommu=on iommu=pt
 * vm-qemu: -machine q35 -device intel-iommu,intremap=off -device edu,addr=06.0,dma_mask=0xffffffffffffffff
 */
#include <linux/vfio.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"
#include "iommu.h"

/* vfio's view of a device: its IOMMU group. */
static int group_open(const char *device)
{
	char path[128], target[256];
	ssize_t n;
	int fd = -1;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		bail("%s is in no IOMMU group", device);
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	for (int i = 0; i < 100 && fd < 0; i++) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			sleep_ms(20);
	}
	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	return fd;
}

static void moves(const char *what, struct shared *s, const struct attached *a)
{
	struct edu edu;

	device_start(&edu, EDU_C);
	ok(moves_right(&edu, s, a, 0, PAGE), "%s: the device copies the right bytes", what);
	ok(moves_right(&edu, s, a, s->size - PAGE, 0), "%s: ... of the last page", what);
	edu_close(&edu);
}

static void attaches(const char *what, struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct attached a;

	if (!is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "%s: ATTACH", what))
		return;
	is_str(judged(PCI_C), usable(), "%s: DEVICE says so", what);
	moves(what, s, &a);
	is_errno(attached_end(&a), 0, "%s: DETACH", what);
}

static void is_refused(const char *what, struct shared *s)
{
	is_errno(TRY(PCI_C, .id = s->id, .dma_bits = 64), EOPNOTSUPP, "%s: ATTACH is refused",
		 what);
	is_errno(TRY(PCI_C, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s->fd, .dma_bits = 64),
		 EOPNOTSUPP, "%s: ... of a dma-buf, too", what);
	is_str(judged(PCI_C), "cannot, userspace: its IOMMU translates or belongs to user space",
	       "%s: DEVICE says so", what);
}

/* An importer's device under an IOMMU that does not translate. */
static void imported(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = shared_new(4 * MIB);
	int fd = raw_export(ccshm, s.id, flags, NULL), imp = imp_new(fd, kind);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "identity: %s maps", what);
	ok(imp_moves_right(imp, s.p, 0, PAGE), "identity: %s: the device copies the right bytes",
	   what);
	ok(imp_moves_right(imp, s.p, s.size - PAGE, 0), "identity: %s: ... of the last page", what);
	close(imp);
	close(fd);
	shared_end(&s);
}

static void identity(struct shared *s)
{
	is_str(iommu_type(EDU_A), "identity", "the IOMMU does not translate");
	attaches("a device of nobody", s);
	imp_device = EDU_C;
	is_errno(device_bind(EDU_C, IMPORTER_DRIVER), 0, "a kernel driver takes a device");
	is_errno(imp_mask(64, 65536), 0, "... that reaches all memory");
	imported(IMPORTER_DYNAMIC, 0, "dynamic");
	imported(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, "static");
	is_errno(device_unbind(EDU_C), 0, "it goes");
}

/* The way that an attachment had before the group was claimed is closed now. */
static void is_cut_off(struct shared *s, const struct attached *a)
{
	struct edu edu;

	expect_kmsg("DMAR: .*fault");
	stamp_write(s->p, 5, 0, TRANSFER);
	stamp_write(s->p + PAGE, 6, PAGE, TRANSFER);
	device_start(&edu, EDU_C);
	device_copy(&edu, dma_at(a, 0), dma_at(a, PAGE), TRANSFER);
	ok(stamp_check(s->p + PAGE, 6, PAGE, TRANSFER),
	   "claimed: addresses from before lead nowhere");
	edu_set_bus_master(&edu, false);
	edu_close(&edu);
}

static void claimed(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	int group, container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	struct attached a;

	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "attached before anybody claims it");
	group = group_open(EDU_C);
	attaches("its group is open, and nothing more", s);
	is_errno(raw_ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0,
		 "user space claims the group");
	is_refused("claimed", s);
	is_errno(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) ? errno : 0, 0,
		 "it sets up an address space");
	is_refused("claimed, translated", s);
	ok(logged("ccshm: cannot use shared memory: its IOMMU translates or belongs to user space"),
	   "claimed: the kernel log says why");
	is_cut_off(s, &a);
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE, "claimed: the attachment is the holder's");
	is_errno(attached_end(&a), 0, "claimed: DETACH");
	is_errno(raw_ioctl(group, VFIO_GROUP_UNSET_CONTAINER, NULL), 0, "user space lets go");
	close(group);
	close(container);
	attaches("let go", s);
}

static void vfio(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct attached a;

	/* The machine does not remap interrupts: its timer would not work on a slow host. */
	write_text("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "1");
	is_errno(device_bind(EDU_C, "vfio-pci"), 0, "vfio takes a device");
	is_str(device_driver(EDU_C), "vfio-pci", "it is its driver");
	attaches("a device of vfio", s);
	claimed(s);
	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "a device of vfio is attached");
	is_errno(device_unbind(EDU_C), 0, "vfio goes");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED, "the attachment is over");
	is_errno(attached_end(&a), 0, "DETACH is still possible");
	attaches("without vfio", s);
}

int main(void)
{
	struct shared s;

	suite_begin();
	s = shared_new(UNIT + 5 * PAGE);
	identity(&s);
	vfio(&s);
	shared_end(&s);
	return suite_end();
}
