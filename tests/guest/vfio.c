// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio with an IOMMU that does not translate: a device gets addresses until user space claims its
 * IOMMU group, and again after user space has released the group. A kernel driver of another device
 * of the group makes no difference.
 *
 * vm-modules: ccshm importer stubborn
 * vm-flavours: plain
 * vm-kmods: vfio_pci vfio_iommu_type1
 * vm-append: intel_iommu=on iommu=pt
 * vm-qemu: -machine q35 -device intel-iommu,intremap=off -device edu,addr=06.0,dma_mask=0xffffffffffffffff
 * vm-qemu: -device pci-bridge,id=behind,chassis_nr=1 -device edu,bus=behind,addr=01.0 -device edu,bus=behind,addr=02.0
 */
#include <linux/vfio.h>
#include <sys/time.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"
#include "iommu.h"

/* Two devices behind a conventional bridge, which have one IOMMU group. */
#define BEHIND_1	"0000:01:01.0"
#define BEHIND_2	"0000:01:02.0"

static int group_of(const char *device)
{
	char path[128], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		bail("%s is in no IOMMU group", device);
	target[n] = '\0';
	return atoi(strrchr(target, '/') + 1);
}

/* Open the IOMMU group of a device, through which vfio is used. */
static int group_open(const char *device)
{
	char path[128];
	int fd = -1;

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_of(device));
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
	ok(moves_right(&edu, s, a, 0, PAGE), "%s: the device copies within the first page", what);
	ok(moves_right(&edu, s, a, s->size - PAGE, 0),
	   "%s: the device copies from the last page", what);
	edu_close(&edu);
}

static void attaches(const char *what, struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct attached a;

	if (!is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "%s: ATTACH: success", what))
		return;
	is_str(verdict_of(PCI_C), usable(), "%s: DEVICE reports the device as usable", what);
	moves(what, s, &a);
	is_errno(attached_end(&a), 0, "%s: DETACH: success", what);
}

static void is_refused(const char *what, struct shared *s)
{
	is_errno(TRY(PCI_C, .id = s->id, .dma_bits = 64), EOPNOTSUPP,
		 "%s: ATTACH is refused: EOPNOTSUPP",
		 what);
	is_errno(TRY(PCI_C, .flags = CCSHM_ATTACH_DMABUF, .dmabuf_fd = s->fd, .dma_bits = 64),
		 EOPNOTSUPP, "%s: ATTACH to a dma-buf is refused: EOPNOTSUPP", what);
	is_str(verdict_of(PCI_C), "cannot, userspace: the device's IOMMU translates or belongs to user space",
	       "%s: DEVICE names the reason", what);
}

/* Test an importer's device under an IOMMU that does not translate. */
static void imported(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = shared_new(4 * MIB);
	int fd = raw_export(ccshm, s.id, flags, NULL), imp = imp_new(fd, kind);

	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "identity: a %s importer maps", what);
	ok(imp_moves_right(imp, s.p, 0, PAGE),
	   "identity: a %s importer's device copies within the first page",
	   what);
	ok(imp_moves_right(imp, s.p, s.size - PAGE, 0),
	   "identity: a %s importer's device copies from the last page", what);
	close(imp);
	close(fd);
	shared_end(&s);
}

static void identity(struct shared *s)
{
	is_str(iommu_type(EDU_A), "identity", "the device's IOMMU group has an identity domain");
	attaches("a device without a driver", s);
	imp_device = EDU_C;
	is_errno(device_bind(EDU_C, IMPORTER_DRIVER), 0,
		 "identity: the importer's driver binds the device");
	is_errno(imp_mask(64, 65536), 0, "identity: the importer's driver sets a mask of 64 bits");
	imported(IMPORTER_DYNAMIC, 0, "dynamic");
	imported(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, "static");
	is_errno(device_unbind(EDU_C), 0, "identity: the importer's driver releases the device");
}

static void kernel_driver_in_group(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct attached a;

	is_int(group_of(BEHIND_1), group_of(BEHIND_2), "two devices: both have the same group");
	is_errno(device_bind(BEHIND_1, IMPORTER_DRIVER), 0,
		 "two devices: a kernel driver binds one of them");
	is_str(verdict_of("pci:" BEHIND_2), usable(),
	       "two devices: DEVICE reports the other device as usable");
	if (is_errno(attach_with(ccshm, &req, "pci:" BEHIND_2, &a), 0,
		     "two devices: ATTACH of the other device: success"))
		is_errno(attached_end(&a), 0, "two devices: DETACH: success");
	is_errno(device_unbind(BEHIND_1), 0, "two devices: the driver releases the device");
}

/* Test that the addresses of an earlier attachment do not work after the group was claimed. */
static void is_cut_off(struct shared *s, const struct attached *a)
{
	struct edu edu;

	expect_kmsg("DMAR: .*fault");
	stamp_write(s->p, 5, 0, TRANSFER);
	stamp_write(s->p + PAGE, 6, PAGE, TRANSFER);
	device_start(&edu, EDU_C);
	is_errno(device_copy(&edu, dma_at(a, 0), dma_at(a, PAGE), TRANSFER), 0,
		 "claimed: the device runs a copy at addresses of the attachment");
	ok(stamp_check(s->p + PAGE, 6, PAGE, TRANSFER),
	   "claimed: a copy at addresses of the attachment does not change the memory");
	must(edu_set_bus_master(&edu, false));
	edu_close(&edu);
}

static void claimed(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	int group, container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	struct attached a;

	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0,
		 "claimed: ATTACH before a user claims the group: success");
	group = group_open(EDU_C);
	attaches("a device whose group is open and not claimed", s);
	is_errno(raw_ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0,
		 "claimed: VFIO_GROUP_SET_CONTAINER: success");
	is_refused("claimed", s);
	is_errno(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) ? -errno : 0, 0,
		 "claimed: VFIO_SET_IOMMU: success");
	is_refused("claimed, translated", s);
	ok(logged("ccshm: cannot use shared memory: the device's IOMMU translates or belongs to user space"),
	   "claimed: the kernel log names the reason");
	is_cut_off(s, &a);
	is_int(query(a.id).state, CCSHM_STATE_ACTIVE,
	       "claimed: QUERY returns the state active for the attachment made before");
	is_errno(attached_end(&a), 0, "claimed: DETACH: success");
	is_errno(raw_ioctl(group, VFIO_GROUP_UNSET_CONTAINER, NULL), 0,
		 "claimed: VFIO_GROUP_UNSET_CONTAINER: success");
	close(group);
	close(container);
	attaches("a device whose group is no longer claimed", s);
}

/* ---- an unbind of vfio holds the device lock until the device is closed ---- */

struct locked {
	struct shared *s;
	int device;
	int group;
	int container;
};

/* The unbind waits for all references to these files, also for inherited ones. */
static void locked_close(const struct locked *l)
{
	close(l->device);
	close(l->group);
	close(l->container);
}

static int unbinds(struct peer *parent, void *arg)
{
	locked_close(arg);
	peer_send(parent, 1, -1);
	return device_unbind(EDU_C);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int attach_until_signal(struct peer *parent, void *arg)
{
	struct locked *l = arg;
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval again = { { 0, 500000 }, { 0, 500000 } };

	(void)parent;
	locked_close(l);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &again, NULL);
	return TRY(PCI_C, .id = l->s->id, .dma_bits = 64);
}

static int attach_until_killed(struct peer *parent, void *arg)
{
	struct locked *l = arg;

	locked_close(l);
	peer_send(parent, 1, -1);
	return TRY(PCI_C, .id = l->s->id, .dma_bits = 64);
}

static void unbind_waits(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct ccshm_ioc_alloc low = { .size = PAGE, .flags = CCSHM_ALLOC_DMA32 };
	struct locked l = { .s = s, .container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC) };
	struct peer unbinder, p;
	struct attached a, other;
	struct edu edu;

	is_errno(device_bind(EDU_C, "vfio-pci"), 0, "locked: vfio-pci binds the device");
	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "locked: ATTACH of the device: success");
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &low), 0, "locked: ALLOC for another device: success");
	is_errno(attach_buffer(ccshm, low.id, PCI_B, &other), 0,
		 "locked: ATTACH of another device: success");
	/* The unbind begins with a stop. Make the stop fail, so that the driver has to retry. */
	is_errno(raw_insmod("/lib/ccshm/ccshm_stubborn.ko", "device=" EDU_C), 0,
		 "locked: ccshm_stubborn.ko is loaded");
	device_start(&edu, EDU_C);
	edu_close(&edu);
	l.group = group_open(EDU_C);
	if (ioctl(l.group, VFIO_GROUP_SET_CONTAINER, &l.container) ||
	    ioctl(l.container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		bail("the group cannot get an address space: %s", strerror(errno));
	l.device = ioctl(l.group, VFIO_GROUP_GET_DEVICE_FD, EDU_C);
	if (l.device < 0)
		bail("vfio cannot open the device: %s", strerror(errno));
	unbinder = peer_start(ROOT, ALL_CAPS, unbinds, &l);
	must(peer_hear(&unbinder));
	/*
	 * vfio_unregister_group_dev() waits interruptibly with the device's lock held; the wait for
	 * the lock cannot be interrupted.
	 */
	ok(waits_in_call(unbinder.pid, SYS_write, 0, 'S'), "locked: the unbind has the device's lock");

	p = peer_start(ROOT, ALL_CAPS, attach_until_signal, &l);
	is_errno(peer_hear(&p), EINTR, "locked: a signal ends ATTACH: EINTR");
	peer_must_end(&p, SIGKILL);
	p = peer_start(ROOT, ALL_CAPS, attach_until_killed, &l);
	must(peer_hear(&p));
	ok(waits_in(p.pid, CCSHM_IOC_ATTACH), "locked: ATTACH waits");
	kill(p.pid, SIGKILL);
	ok(reap(p.pid, 10000) >= 0, "locked: SIGKILL ends a process in ATTACH");
	close(p.sock);

	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(300), NULL), ETIMEDOUT,
		 "locked: REVOKE with FORCE of the device's attachment: ETIMEDOUT");
	is_errno(raw_revoke(ccshm, other.id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), 0,
		 "locked: REVOKE with FORCE of another device's attachment is not delayed: success");
	is_errno(raw_rmmod("ccshm_stubborn"), 0, "locked: ccshm_stubborn.ko is unloaded");
	is_errno(attached_end(&other), 0, "locked: DETACH of the other device: success");
	is_errno(raw_free(ccshm, low.id), 0, "locked: FREE of the other device's buffer: success");
	locked_close(&l);
	is_errno(peer_hear(&unbinder), 0, "locked: the unbind ends when the device is closed");
	peer_must_end(&unbinder, 0);
	is_errno(raw_revoke(ccshm, a.id, CCSHM_REVOKE_FORCE, in_ms(20000), NULL), 0,
		 "unlocked: REVOKE with FORCE after the unbind: success");
	is_errno(attached_end(&a), 0, "unlocked: DETACH: success");
}

static void vfio(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct attached a;

	/*
	 * Without interrupt remapping vfio needs this. With remapping the timer fails on a slow
	 * host.
	 */
	must(write_text("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "1"));
	is_errno(device_bind(EDU_C, "vfio-pci"), 0, "vfio-pci binds a device");
	is_str(device_driver(EDU_C), "vfio-pci", "the device's driver is vfio-pci");
	attaches("a device bound to vfio-pci", s);
	claimed(s);
	is_errno(attach_with(ccshm, &req, PCI_C, &a), 0, "ATTACH of a device bound to vfio-pci: success");
	is_errno(device_unbind(EDU_C), 0, "vfio-pci releases an attached device");
	is_int(query(a.id).state, CCSHM_STATE_REVOKED,
	       "QUERY returns the state revoked after vfio-pci releases the device");
	is_errno(attached_end(&a), 0, "DETACH after vfio-pci releases the device: success");
	attaches("a device that vfio-pci has released", s);
	unbind_waits(s);
	attaches("a device after the delayed unbind", s);
}

int main(void)
{
	struct shared s;

	suite_begin();
	s = shared_new(UNIT + 5 * PAGE);
	identity(&s);
	kernel_driver_in_group(&s);
	vfio(&s);
	shared_end(&s);
	return suite_end();
}
