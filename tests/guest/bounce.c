// SPDX-License-Identifier: GPL-2.0-only
/*
 * swiotlb=force: the kernel bounces all memory that it maps, and from 7.3 on also memory that the
 * driver has declared as shared. A device must get the memory of the buffer itself or an error,
 * never a bounce buffer.
 *
 * vm-modules: ccshm importer
 * vm-append: swiotlb=force
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

/* Whether this kernel may bounce memory that was declared as shared. */
static bool may_refuse;

struct the_case {
	const char *what;
	enum importer_kind kind;
	uint64_t flags;
	size_t size;
};

static void is_refused(int imp, int err, uint64_t export_id, const char *what)
{
	is_errno(err, EOPNOTSUPP, "%s: map: EOPNOTSUPP", what);
	ok(may_refuse, "%s: EOPNOTSUPP only on a kernel that bounces shared memory", what);
	ok(logged("ccshm: cannot use shared memory: the kernel bounces the device's DMA"),
	   "%s: EOPNOTSUPP: the kernel log has the reason", what);
	is_str(verdict_of(PCI_A), "cannot, direct: the kernel bounces the device's DMA (swiotlb=force)",
	       "%s: EOPNOTSUPP: DEVICE reports the reason", what);
	is_errno(imp_dma(imp, 0, 8, false), ENOTCONN, "%s: EOPNOTSUPP: DMA: ENOTCONN", what);
	is_int(query(export_id).device_mappings, 0,
	       "%s: EOPNOTSUPP: QUERY counts no device mapping", what);
}

static void is_right(int imp, struct shared *s, const struct attached *want, long long most,
		     const char *what)
{
	ok(table_is(imp, want, 0, s->size, 64 * KIB),
	   "%s: the DMA addresses are those of the buffer", what);
	is_str(verdict_of(PCI_A), usable(), "%s: DEVICE reports that shared memory can be used", what);
	ok(imp_moves_right(imp, s->p, 0, 2 * PAGE), "%s: the device copies the right bytes", what);
	ok(imp_moves_right(imp, s->p, s->size - PAGE, 0),
	   "%s: the device copies the right bytes of the last page", what);
	is_int(bounce_most(), most, "%s: no bounce buffer was used", what);
}

static void imported(const struct the_case *c)
{
	struct shared s = shared_new(c->size);
	uint64_t id;
	int fd = raw_export(ccshm, s.id, c->flags, &id), imp = imp_open(), err;
	long long slots = bounce_slots(), most;
	struct attached addresses;

	if (attach_buffer(ccshm, s.id, PCI_B, &addresses))
		bail("ATTACH failed");
	is_errno(attached_end(&addresses), 0,
		 "%s: the attachment that gives the addresses is closed", c->what);
	bounce_restart();
	most = bounce_most();
	err = imp_attach(imp, fd, c->kind);
	if (!err)
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
	if (err)
		is_refused(imp, err, id, c->what);
	else
		is_right(imp, &s, &addresses, most, c->what);
	is_int(bounce_slots(), slots, "%s: no bounce buffer is in use", c->what);
	close(imp);
	close(fd);
	shared_end(&s);
}

/* Test that a userspace driver gets the addresses of the buffer, on every kernel. */
static void attached(void)
{
	struct shared s = shared_new(UNIT + 3 * PAGE);
	struct attached a;
	struct edu edu;
	long long most;

	bounce_restart();
	most = bounce_most();
	is_errno(attach_buffer(ccshm, s.id, PCI_B, &a), 0, "ATTACH of the unbound device PCI_B: success");
	is_errno(attached_end(&a), 0, "DETACH of the unbound device PCI_B: success");
	is_errno(device_unbind(EDU_A), 0, "the kernel's driver is unbound");
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0,
		 "ATTACH after the kernel's driver was unbound works");
	is_str(verdict_of(PCI_A), usable(), "ATTACH: DEVICE reports that shared memory can be used");
	device_start(&edu, EDU_A);
	ok(moves_right(&edu, &s, &a, 0, PAGE), "ATTACH: the device copies the right bytes");
	ok(moves_right(&edu, &s, &a, s.size - PAGE, 0),
	   "ATTACH: the device copies the right bytes of the last page");
	is_int(bounce_most(), most, "ATTACH: no bounce buffer was used");
	is_errno(attached_end(&a), 0, "ATTACH: DETACH works");
	edu_close(&edu);
	shared_end(&s);
}

int main(void)
{
	static const struct the_case cases[] = {
		{ "dynamic, 64 KiB", IMPORTER_DYNAMIC, 0, 64 * KIB },
		{ "dynamic, 4 MiB", IMPORTER_DYNAMIC, 0, 4 * MIB },
		{ "pinned, 64 KiB", IMPORTER_PINNED, CCSHM_EXPORT_PINNED, 64 * KIB },
		{ "static, 64 KiB", IMPORTER_STATIC, CCSHM_EXPORT_PINNED, 64 * KIB },
		{ "static, 4 MiB", IMPORTER_STATIC, CCSHM_EXPORT_PINNED, 4 * MIB },
	};

	suite_begin();
	may_refuse = kernel_at_least(7, 3);
	if (device_bind(EDU_A, IMPORTER_DRIVER))
		bail("the importer's driver cannot be bound to the device");
	ok(bounce_slots() >= 0, "the kernel has bounce buffers");
	importer_sees_bounces();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		imported(&cases[i]);
	attached();
	return suite_end();
}
