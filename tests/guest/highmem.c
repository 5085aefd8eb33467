// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory above 4 GiB: a device that reaches it gets the whole address, and other devices are
 * refused. The variants "cvm" and "cca" are confidential guests, whose devices access the shared view.
 *
 * vm-modules: ccshm importer
 * vm-flavours: plain
 * vm-memory: 5120
 * vm-variant: cvm flavours=sev,snp,tdx matrix=last memory= append= rig=high=512 qemu=-device,edu;addr=06.0;dma_mask=0xffffffffffffffff
 * vm-variant: cca flavours=cca matrix=last memory=3584 ipa-bits=34 append= qemu=-device,edu;addr=06.0;dma_mask=0xffffffffffffffff
 * vm-append: intel_iommu=on iommu=pt
 * vm-qemu: -machine q35 -device intel-iommu,intremap=off -device edu,addr=06.0,dma_mask=0xffffffffffffffff
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

#define FOUR_GIB	(1ULL << 32)

/* In a Realm, a DMA address contains the shared bit, the highest of the 34 bits. */
#ifdef __aarch64__
#define SHARED_BIT	(1ULL << 33)
#else
#define SHARED_BIT	0ULL
#endif

/* Return how many address bits the highest byte needs. */
static unsigned int bits_needed(const struct attached *a)
{
	unsigned int bits = 0;
	uint64_t end = 0;

	for (unsigned int i = 0; i < a->nr; i++)
		if (a->segment[i].dma_address + a->segment[i].length - 1 > end)
			end = a->segment[i].dma_address + a->segment[i].length - 1;
	while (end >> bits)
		bits++;
	return bits;
}

static bool is_above(const struct attached *a)
{
	for (unsigned int i = 0; i < a->nr; i++)
		if ((a->segment[i].dma_address & ~SHARED_BIT) < FOUR_GIB)
			return false;
	return true;
}

/* Test attachments: the kernel allocates memory above 4 GiB first. */
static void attached(struct shared *s, struct attached *a)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = 64 };
	struct edu edu;
	unsigned int bits;

	is_errno(attach_with(ccshm, &req, PCI_C, a), 0, "ATTACH with dma_bits=64 works");
	if (!ok(is_above(a), "all DMA addresses are above 4 GiB"))
		bail("the device would write to other memory");
	device_start(&edu, EDU_C);
	ok(moves_right(&edu, s, a, 0, PAGE), "the device copies the right bytes");
	ok(moves_right(&edu, s, a, s->size - PAGE, 0),
	   "the device copies the right bytes of the last page");
	bits = bits_needed(a);
	diag("the last byte needs %u bits", bits);
	edu_close(&edu);
	is_errno(attached_end(a), 0, "DETACH of the 64-bit device works");

	is_errno(TRY(PCI_C, .id = s->id, .dma_bits = 32), ERANGE,
		 "ATTACH with dma_bits=32 of memory above 4 GiB: ERANGE");
	is_errno(TRY(PCI_C, .id = s->id, .dma_bits = bits - 1), ERANGE,
		 "ATTACH with one dma_bit too few: ERANGE");
	is_errno(TRY(PCI_C, .id = s->id, .dma_bits = bits), 0,
		 "ATTACH with just enough dma_bits works");
	is_errno(TRY(PCI_A, .id = s->id), ERANGE,
		 "ATTACH without dma_bits of memory above 4 GiB: ERANGE");
}

static void import_refused(struct shared *s, unsigned int bits)
{
	int imp = imp_open();

	is_errno(imp_mask(bits, 65536), 0, "an importer's device gets a mask of %u bits", bits);
	is_errno(imp_attach(imp, s->fd, IMPORTER_DYNAMIC), 0,
		 "%u bits: the importer attaches", bits);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ERANGE,
		 "%u bits: the importer maps memory above 4 GiB: ERANGE", bits);
	close(imp);
}

static void imported(struct shared *s, const struct attached *a)
{
	unsigned int bits = bits_needed(a);
	int imp;

	is_errno(device_bind(EDU_C, IMPORTER_DRIVER), 0, "a kernel driver binds to the device");
	imp_device = EDU_C;
	import_refused(s, 32);
	import_refused(s, bits - 1);
	is_errno(imp_mask(bits, 65536), 0, "the importer's device gets a mask of just enough bits");
	imp = imp_new(s->fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "the importer maps with a mask of just enough bits");
	if (ok(table_is(imp, a, 0, s->size, 64 * KIB),
	       "the importer gets the same DMA addresses as the attachment")) {
		ok(imp_moves_right(imp, s->p, 0, PAGE),
		   "the importer's device copies the right bytes");
		ok(imp_moves_right(imp, s->p, s->size - PAGE, 0),
		   "the importer's device copies the right bytes of the last page");
	}
	close(imp);
	is_errno(device_unbind(EDU_C), 0, "the kernel driver is unbound");
}

int main(void)
{
	struct attached a;
	struct shared s;

	suite_begin();
	s = shared_new(4 * MIB + 3 * PAGE);
	attached(&s, &a);
	imported(&s, &a);
	shared_end(&s);
	return suite_end();
}
