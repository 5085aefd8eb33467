// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that reach only a part of memory, or no memory: they can use exactly the memory that they
 * reach, and are refused other memory.
 *
 * vm-modules: ccshm importer
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"
#include "importing.h"

/* The number of address bits of the machine's second device. */
#define SMALL_BITS	28
#define MAX_TRIES	400

static bool within(uint64_t id, unsigned int bits)
{
	return !TRY(PCI_B, .id = id, .dma_bits = bits);
}

/* Allocate until a buffer is within @bits, or is not, as requested. Free the other buffers. */
static bool find_buffer(unsigned int bits, bool want_within, uint64_t *found)
{
	static uint64_t id[MAX_TRIES];
	int n = 0;

	*found = 0;
	while (n < MAX_TRIES && !*found && !raw_alloc(ccshm, UNIT, &id[n])) {
		if (within(id[n], bits) == want_within)
			*found = id[n];
		else
			n++;
	}
	diag("%d buffers examined", n + 1);
	while (n--)
		must(raw_free(ccshm, id[n]));
	return *found;
}

/* ---- memory within reach ---- */

static void attached_within(struct shared *s)
{
	struct ccshm_ioc_attach req = { .id = s->id, .dma_bits = SMALL_BITS };
	struct attached a;
	struct edu edu;

	is_errno(attach_with(ccshm, &req, PCI_B, &a), 0,
		 "28 bits: ATTACH to memory within the mask: success");
	ok(dma_at(&a, s->size - 1) >> SMALL_BITS == 0,
	   "28 bits: ATTACH returns an address within the mask");
	device_start(&edu, EDU_B);
	ok(moves_right(&edu, s, &a, 0, PAGE),
	   "28 bits: the attached device copies within the first page");
	ok(moves_right(&edu, s, &a, s->size - PAGE, 0),
	   "28 bits: the attached device copies from the last page");
	is_errno(attached_end(&a), 0, "28 bits: DETACH: success");
	edu_close(&edu);
}

static void imported_within(struct shared *s)
{
	int imp;

	is_errno(device_bind(EDU_B, IMPORTER_DRIVER), 0,
		 "28 bits: the importer's driver binds the device");
	is_errno(imp_mask(SMALL_BITS, 65536), 0, "28 bits: the importer's driver sets the mask");
	imp = imp_new(s->fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "28 bits: an importer maps memory within the mask");
	ok(imp_moves_right(imp, s->p, 0, PAGE),
	   "28 bits: the importer's device copies within the first page");
	ok(imp_moves_right(imp, s->p, s->size - PAGE, 0),
	   "28 bits: the importer's device copies from the last page");
	close(imp);
	is_errno(device_unbind(EDU_B), 0, "28 bits: the importer's driver releases the device");
}

/* ---- memory out of reach ---- */

static void beyond(uint64_t id)
{
	struct shared s = shared_map(id, UNIT);
	int imp;

	is_errno(TRY(PCI_B, .id = id, .dma_bits = SMALL_BITS), ERANGE,
		 "28 bits: ATTACH to memory beyond the mask: ERANGE");
	is_errno(TRY(PCI_B, .id = id, .dma_bits = 32), 0,
		 "ATTACH with dma_bits=32 to memory beyond 28 bits: success");
	is_errno(device_bind(EDU_B, IMPORTER_DRIVER), 0,
		 "beyond 28 bits: the importer's driver binds the device");
	is_errno(imp_mask(SMALL_BITS, 65536), 0,
		 "beyond 28 bits: the importer's driver sets a mask of 28 bits");
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), ERANGE,
		 "28 bits: an importer's map of memory beyond the mask: ERANGE");
	is_int(query(s.export_id).device_mappings, 0,
	       "28 bits: the refused map leaves no device mapping");
	close(imp);
	is_errno(device_unbind(EDU_B), 0,
		 "beyond 28 bits: the importer's driver releases the device");
	shared_end(&s);
}

static void small_mask(void)
{
	struct shared s;
	uint64_t id;

	imp_device = EDU_B;
	if (find_buffer(SMALL_BITS, true, &id)) {
		s = shared_map(id, UNIT);
		attached_within(&s);
		imported_within(&s);
		shared_end(&s);
	} else {
		skip(
		     "28 bits: ATTACH to memory within the mask",
		     "no memory was found within the mask");
	}
	if (ok(find_buffer(SMALL_BITS, false, &id), "setup: memory beyond 28 bits is found"))
		beyond(id);
	imp_device = EDU_A;
}

/* ---- no DMA mask ---- */

static void refused_without(enum importer_kind kind, uint64_t flags, const char *what)
{
	struct shared s = shared_new(UNIT);
	uint64_t id;
	int fd = raw_export(ccshm, s.id, flags, &id), imp = imp_open(), err;

	err = imp_attach(imp, fd, kind);
	if (!err)
		err = imp_map(imp, IMPORTER_BIDIRECTIONAL);
	is_errno(err, EINVAL, "no mask: %s is refused: EINVAL", what);
	is_int(query(id).device_mappings, 0, "no mask: %s: no device mapping is left", what);
	close(imp);
	is_errno(raw_revoke(ccshm, id, 0, 0, NULL), 0,
		 "no mask: %s: a revoke without waiting succeeds", what);
	close(fd);
	shared_end(&s);
}

static int map_often(void *arg)
{
	const int *imp = arg;

	for (int i = 0; i < 50; i++)
		if (imp_map(*imp, IMPORTER_BIDIRECTIONAL) != -EINVAL)
			return -EPROTO;
	return 0;
}

static int map_once(void *arg)
{
	const int *imp = arg;

	return imp_map(*imp, IMPORTER_BIDIRECTIONAL);
}

/* Test that the log line of one user appears even if another user has caused many lines. */
static void lines_of_users(int imp)
{
	char alice[32], bob[32];
	unsigned int lines;

	snprintf(alice, sizeof(alice), "(uid %u, pid ", ALICE);
	snprintf(bob, sizeof(bob), "(uid %u, pid ", BOB);
	is_errno(as_user(ALICE, 0, map_often, &imp), 0,
		 "log lines: alice is refused 50 times: EINVAL");
	is_errno(as_user(BOB, 0, map_once, &imp), EINVAL, "log lines: bob is refused once: EINVAL");
	lines = logged_times(alice);
	ok(lines >= 10 && lines < 25, "log lines: alice has %u lines in the log", lines);
	is_int(logged_times(bob), 1,
	       "log lines: bob has one line in the log after many refusals of alice");
}

/* Export a buffer of the user, and keep it until the peer ends. */
static int exports(struct peer *parent, void *arg)
{
	int fd = raw_open(), dmabuf;
	uint64_t id;

	(void)arg;
	must(raw_alloc(fd, UNIT, &id));
	dmabuf = raw_export(fd, id, 0, NULL);
	peer_send(parent, 0, dmabuf);
	return peer_hear(parent);
}

/* Return an importer of a buffer that the peer pays for. */
static int import_from(struct peer *p)
{
	int value, fd = -1, imp;

	if (!peer_receive(p, &value, &fd, 20000) || fd < 0)
		bail("a user cannot export");
	imp = imp_new(fd, IMPORTER_DYNAMIC);
	close(fd);
	return imp;
}

/* Test that work items of importers have the rate of the user who pays for the buffer. */
static void lines_of_payers(void)
{
	struct peer alice = peer_start(ALICE, 0, exports, NULL);
	struct peer bob = peer_start(BOB, 0, exports, NULL);
	int of_alice = import_from(&alice), of_bob = import_from(&bob);
	unsigned int lines;
	bool refused = true;

	for (int i = 0; i < 50; i++)
		refused &= imp_map_by_worker(of_alice, IMPORTER_BIDIRECTIONAL) == -EINVAL;
	lines = logged_times("cannot use shared memory");
	is_errno(imp_map_by_worker(of_bob, IMPORTER_BIDIRECTIONAL), EINVAL,
		 "log lines: a work item is refused bob's buffer: EINVAL");
	is_int(logged_times("cannot use shared memory"), lines + 1,
	       "log lines: the refusal of bob's buffer is logged after many refusals of alice's");
	ok(refused, "log lines: work items are refused alice's buffer 50 times: EINVAL");
	close(of_alice);
	close(of_bob);
	peer_must_end(&alice, SIGTERM);
	peer_must_end(&bob, SIGTERM);
}

static void no_mask(void)
{
	struct shared s = shared_new(UNIT);
	int imp;

	is_errno(device_bind(EDU_A, IMPORTER_DRIVER), 0,
		 "no mask: the importer's driver binds the device");
	is_errno(imp_mask(0, 65536), 0, "no mask: the importer's driver clears the DMA mask");
	is_str(verdict_of(PCI_A), "cannot, none: the device has no DMA mask",
	       "no mask: DEVICE reports that the device has no DMA mask");
	refused_without(IMPORTER_DYNAMIC, 0, "map by a dynamic importer");
	refused_without(IMPORTER_STATIC, CCSHM_EXPORT_PINNED, "map by a static importer");
	ok(logged("ccshm: cannot use shared memory: the device has no DMA mask"),
	   "no mask: the kernel log names the reason");
	imp = imp_new(s.fd, IMPORTER_DYNAMIC);
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), EINVAL,
		 "no mask: map by another importer: EINVAL");
	lines_of_users(imp);
	lines_of_payers();
	is_errno(imp_mask(32, 65536), 0, "a device without a mask gets one of 32 bits");
	is_str(verdict_of(PCI_A), usable(),
	       "after the device gets a mask: DEVICE reports it as usable");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0,
		 "after the device gets a mask: an importer maps: success");
	ok(imp_moves_right(imp, s.p, 0, PAGE),
	   "after the device gets a mask: the importer's device copies");
	close(imp);
	is_errno(device_unbind(EDU_A), 0, "no mask: the importer's driver releases the device");
	shared_end(&s);
}

int main(void)
{
	suite_begin();
	if (cvm_flavour() == CVM_CCA)
		skip(
		     "28 bits: devices with a small DMA mask",
		     "a Realm's memory has a higher address bit: see the suite realm-mask");
	else
		small_mask();
	no_mask();
	return suite_end();
}
