// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behaviour that only probes in the kernel can observe. A revoke does not wait for a page fault, nor
 * for a call that is still walking over the pages, because a lock of the export is held only to
 * count a mapping or a fault, nor for an attachment that such a call lists later. It ends what
 * others make while it begins, before it seals the buffer or closes their export, even if its caller
 * is killed meanwhile. FREE and REVOKE do nothing if SET takes control from the caller before they
 * act. ALLOC waits only for returning memory that is sufficient, and can be killed
 * while it waits. Memory of a user returns although the returns of another one do not end. If ALLOC and the
 * preparation of a hibernation meet, one of them is refused. fork() copies no 2 MiB page table entry
 * of a ccshm mapping, and mremap() moves none.
 *
 * vm-modules: ccshm importer probe
 * vm-flavours: sev snp
 * vm-boot: memory
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "exported.h"
#include "users.h"

#define SIZE	(2 * UNIT)

/* ---- probes ---- */

static void probe_set(const char *name, unsigned long value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/module/ccshm_probe/parameters/%s", name);
	snprintf(text, sizeof(text), "%lu", value);
	if (write_text(path, text))
		bail("cannot write %s", path);
}

static unsigned long probe_get(const char *name)
{
	unsigned long value = ~0UL;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/ccshm_probe/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &value) != 1)
		bail("cannot read %s", path);
	fclose(f);
	return value;
}

/* Wait up to 20 s until the process is stalled in a walk. Return whether it is. */
static bool is_stalled(pid_t pid)
{
	int64_t end = in_ms(20000);

	while (probe_get("stalled") != (unsigned long)pid && now_ns() < end)
		sleep_ms(5);
	return probe_get("stalled") == (unsigned long)pid;
}

/* Hold work items that convert memory back when they enter @function. */
static void hold_at(const char *function)
{
	if (write_text("/sys/module/ccshm_probe/parameters/hold_at", function))
		bail("cannot write hold_at");
}

/* Stall the next thread that enters @function. */
static void stall_at(const char *function)
{
	if (write_text("/sys/module/ccshm_probe/parameters/stall_at", function))
		bail("cannot write stall_at");
}

/* ---- a device that is removed during DEVICE ---- */

static int looks_at_device(struct peer *parent, void *arg)
{
	struct ccshm_ioc_device device;

	(void)arg;
	must(peer_hear(parent));
	return raw_device(ccshm, PCI_B, &device);
}

static int removes_device(struct peer *parent, void *arg)
{
	(void)parent;
	(void)arg;
	return device_file(EDU_B, "remove", "1");
}

/* Wait up to 20 s until the removal is held. Return whether it is. */
static bool removal_is_held(void)
{
	int64_t end = in_ms(20000);

	while (!probe_get("removal_held") && now_ns() < end)
		sleep_ms(5);
	return probe_get("removal_held");
}

/*
 * DEVICE has found the device, and gets the device lock only after the removal of the device has
 * begun. The device then has no IOMMU group that DEVICE could read, although it is still registered.
 */
static void removed_during_device(void)
{
	struct peer looker = peer_start(ROOT, ALL_CAPS, looks_at_device, NULL), remover;
	const char *what = "removed during DEVICE";

	stall_at("mutex_lock_interruptible");
	probe_set("stall", looker.pid);
	peer_send(&looker, 0, -1);
	ok(is_stalled(looker.pid), "%s: DEVICE has found the device", what);
	probe_set("hold_removal", 1);
	remover = peer_start(ROOT, ALL_CAPS, removes_device, NULL);
	ok(removal_is_held(), "%s: the device is off its bus, and still registered", what);
	probe_set("stall", 0);
	is_errno(peer_hear(&looker), ENODEV, "%s: DEVICE: ENODEV", what);
	peer_must_end(&looker, 0);
	probe_set("hold_removal", 0);
	is_errno(peer_hear(&remover), 0, "%s: the removal ends", what);
	peer_must_end(&remover, 0);
	must(write_text("/sys/bus/pci/rescan", "1"));
	ok(device_exists(EDU_B), "%s: the device is found again", what);
	stall_at("ccshm_memory_pfn");
}

/* ---- calls that are stalled in their walk ---- */

/*
 * A call in another process. The process makes the call when it receives an order, and sends the
 * result.
 */
struct walker {
	struct shared *s;
	int imp;
};

static int walker_vmap(struct peer *parent, void *arg)
{
	struct walker *w = arg;

	must(peer_hear(parent));
	return raw_ioctl(w->imp, IMPORTER_IOC_VMAP, NULL);
}

static int walker_map(struct peer *parent, void *arg)
{
	struct walker *w = arg;

	must(peer_hear(parent));
	return imp_map(w->imp, IMPORTER_BIDIRECTIONAL);
}

static int walker_attach(struct peer *parent, void *arg)
{
	struct walker *w = arg;
	struct attached a;

	must(peer_hear(parent));
	return attach_dmabuf(ccshm, w->s->fd, PCI_B, &a);
}

static int revokes(struct peer *parent, void *arg)
{
	struct shared *s = arg;

	(void)parent;
	return raw_revoke(ccshm, s->export_id, 0, 0, NULL);
}

/**
 * check_walker - revoke an export that a call is about to map
 * @walk: call
 * @flags: flags of the export
 * @want: result of REVOKE while the call is stalled
 * @what: name of the call
 */
static void check_walker(int (*walk)(struct peer *parent, void *arg), uint64_t flags, int want,
			 const char *what)
{
	struct shared s = exported_new(SIZE, flags);
	struct walker w = { .s = &s, .imp = walk == walker_attach ? -1 :
							imp_new(s.fd, IMPORTER_DYNAMIC) };
	char *p = raw_map(s.fd, SIZE, RW);
	struct peer walker, revoker;
	int result = 1;
	bool answered;

	is_int(touch_read(p), 0, "%s: setup: the CPU mapping is touched", what);
	stall_at("ccshm_memory_pfn");
	walker = peer_start(ROOT, ALL_CAPS, walk, &w);
	probe_set("stall", walker.pid);
	peer_send(&walker, 0, -1);
	ok(is_stalled(walker.pid), "%s: the call is stalled in its walk", what);

	/*
	 * A REVOKE that waits for the stalled call would not return: the call is released only
	 * below.
	 */
	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	answered = peer_receive(&revoker, &result, NULL, 10000);
	ok(answered, "%s: REVOKE without waiting returns while the call is stalled", what);
	is_errno(answered ? result : -EAGAIN, want,
		 "%s: REVOKE returns the expected errno while the call is stalled", what);
	ok(probe_get("stalled") == (unsigned long)walker.pid,
	   "%s: the call is still stalled after REVOKE", what);
	if (answered) {
		ok(query(s.export_id).state != CCSHM_STATE_ACTIVE,
		   "%s: the export is not active after REVOKE", what);
		is_int(touch_read(p), SIGBUS, "%s: the CPU mapping gets SIGBUS after REVOKE", what);
		is_errno(try_map(s.fd, SIZE, RW, MAP_SHARED), ENODEV,
			 "%s: mmap after REVOKE: ENODEV", what);
	}
	probe_set("stall", 0);
	is_errno(peer_hear(&walker), ENODEV,
		 "%s: the call returns ENODEV after it is released", what);
	peer_must_end(&walker, 0);
	peer_must_end(&revoker, 0);
	is_errno(raw_revoke(ccshm, s.export_id, 0, in_ms(10000), NULL), 0,
		 "%s: REVOKE after the call has returned: success", what);
	is_int(query(s.export_id).device_mappings, 0,
	       "%s: QUERY counts no device mapping afterwards", what);
	munmap(p, SIZE);
	if (w.imp >= 0)
		close(w.imp);
	shared_end(&s);
}

/* Attach the buffer, send the result, and keep the attachment until the next order. */
static int walker_attach_buffer(struct peer *parent, void *arg)
{
	struct walker *w = arg;
	struct attached a;
	int err;

	must(peer_hear(parent));
	err = attach_buffer(ccshm, w->s->id, PCI_B, &a);
	peer_send(parent, err, -1);
	must(peer_hear(parent));
	return err ? err : attached_end(&a);
}

/*
 * Test an ATTACH that began before REVOKE of the buffer, and lists its attachment while REVOKE
 * waits for an importer: REVOKE has not asked the holder of this attachment to detach.
 */
static void later_attachment(void)
{
	const char *what = "an ATTACH that completes during REVOKE";
	struct shared s = exported_new(SIZE, 0);
	struct walker w = { .s = &s, .imp = imp_new(s.fd, IMPORTER_LATE) };
	struct peer walker;
	pthread_t thread;

	is_errno(imp_map(w.imp, IMPORTER_BIDIRECTIONAL), 0, "%s: an importer maps", what);
	stall_at("ccshm_memory_pfn");
	walker = peer_start(ROOT, ALL_CAPS, walker_attach_buffer, &w);
	probe_set("stall", walker.pid);
	peer_send(&walker, 0, -1);
	ok(is_stalled(walker.pid), "%s: ATTACH is stalled in its walk", what);
	ok(revoke_waits(&thread, s.id), "%s: REVOKE waits for the importer", what);
	probe_set("stall", 0);
	is_errno(peer_hear(&walker), 0, "%s: ATTACH succeeds", what);
	is_errno(imp_unmap(w.imp), 0, "%s: the importer unmaps", what);
	pthread_join(thread, NULL);
	is_errno(waiting.result, 0, "%s: REVOKE succeeds when the importer has unmapped", what);
	is_int(waiting.r.revoked, 2, "%s: REVOKE counts the two exports only", what);
	is_int(query(s.id).attachments, 1, "%s: the attachment remains", what);
	is_errno(peer_ask(&walker, 0), 0, "%s: DETACH: success", what);
	peer_must_end(&walker, 0);
	close(w.imp);
	shared_end(&s);
}

/* ---- what is made while a call begins to revoke ---- */

/**
 * struct revoking - a call that revokes a buffer
 * @uid: user of the caller; ROOT has all capabilities
 * @id: buffer
 * @flags: flags of REVOKE
 * @free: FREE with CCSHM_FREE_REVOKE instead
 */
struct revoking {
	uid_t uid;
	uint64_t id, flags;
	bool free;
};

static int revokes_on_order(struct peer *parent, void *arg)
{
	struct revoking *r = arg;
	struct ccshm_ioc_free free = { .id = r->id, .flags = CCSHM_FREE_REVOKE };

	must(peer_hear(parent));
	if (r->free)
		return raw_ioctl(ccshm, CCSHM_IOC_FREE, &free);
	return raw_revoke(ccshm, r->id, r->flags, 0, NULL);
}

/* Start a call that revokes, and stall it in @function. */
static struct peer revoker_stalled(struct revoking *r, const char *function, const char *what)
{
	struct peer p;

	stall_at(function);
	p = peer_start(r->uid, r->uid == ROOT ? ALL_CAPS : 0, revokes_on_order, r);
	probe_set("stall", p.pid);
	peer_send(&p, 0, -1);
	ok(is_stalled(p.pid), "%s: the call has begun", what);
	return p;
}

/* Test an EXPORT by another user that completes when REVOKE has begun and has not sealed yet. */
static void exported_before_seal(void)
{
	const char *what = "an EXPORT before REVOKE seals";
	struct user *bob = user_start(BOB, 0);
	struct revoking r = { .uid = ROOT, .flags = CCSHM_REVOKE_SEAL };
	struct peer revoker;

	must(raw_alloc_named(ccshm, PAGE, NULL, 0666, &r.id));
	bob->id[0] = r.id;
	bob->id[1] = r.id;
	revoker = revoker_stalled(&r, "ccshm_revoke_enter", what);
	is_errno(user_ask(bob, USER_EXPORT, 0), 0, "%s: EXPORT by another user succeeds", what);
	is_errno(user_ask(bob, USER_MAP, 0), 0, "%s: mmap succeeds", what);
	probe_set("stall", 0);
	is_errno(peer_hear(&revoker), 0, "%s: REVOKE succeeds", what);
	peer_must_end(&revoker, 0);
	is_int(query(bob->export_id[0]).state, CCSHM_STATE_REVOKED,
	       "%s: the export is revoked", what);
	is_errno(user_ask(bob, USER_EXPORT, 1), EPERM, "%s: EXPORT afterwards: EPERM", what);
	user_end(bob);
	must(raw_free(ccshm, r.id));
}

/**
 * attached_before_close - attach to an export when a call has begun to revoke its buffer, and has
 * closed none of its two exports yet
 * @free: the call is FREE with CCSHM_FREE_REVOKE; otherwise REVOKE
 * @killed: SIGKILL ends the caller at that point
 * @what: description of the test
 */
static void attached_before_close(bool free, bool killed, const char *what)
{
	struct revoking r = { .uid = ROOT, .free = free };
	uint64_t first, second;
	struct peer revoker;
	struct attached a;
	int other, dmabuf;

	must(raw_alloc(ccshm, SIZE, &r.id));
	other = raw_export(ccshm, r.id, 0, &first);
	dmabuf = raw_export(ccshm, r.id, 0, &second);
	revoker = revoker_stalled(&r, "ccshm_object_next_of", what);
	is_errno(attach_dmabuf(ccshm, dmabuf, PCI_B, &a), 0, "%s: ATTACH succeeds", what);
	if (!killed) {
		probe_set("stall", 0);
		is_errno(peer_hear(&revoker), free ? 0 : ETIMEDOUT, "%s: the call returns %s", what,
			 free ? "0" : "ETIMEDOUT");
	}
	peer_must_end(&revoker, killed ? SIGKILL : 0);
	is_int(query(first).state, CCSHM_STATE_REVOKED, "%s: the first export is revoked", what);
	is_int(query(second).state, CCSHM_STATE_REVOKED, "%s: the second export is revoked", what);
	is_int(query(a.id).state, CCSHM_STATE_REVOKING,
	       "%s: the holder of the attachment is asked to stop the device", what);
	is_errno(attached_end(&a), 0, "%s: DETACH: success", what);
	close(dmabuf);
	close(other);
	if (!free)
		must(raw_free(ccshm, r.id));
	ok(wait_clean(ccshm), "%s: the memory is returned", what);
}

/**
 * control_taken - give a buffer to another user when a call of its owner has found the buffer
 * @free: the call is FREE; otherwise REVOKE with SEAL
 * @function: function that the call is about to enter
 * @what: description of the test
 */
static void control_taken(bool free, const char *function, const char *what)
{
	struct revoking r = { .uid = ALICE, .flags = CCSHM_REVOKE_SEAL, .free = free };
	struct ccshm_ioc_set set = { .flags = CCSHM_SET_UID, .uid = BOB };
	struct user *bob = user_start(BOB, 0);
	struct peer caller;

	must(raw_alloc_named(ccshm, PAGE, NULL, 0600, &r.id));
	set.id = r.id;
	set.uid = ALICE;
	must(raw_ioctl(ccshm, CCSHM_IOC_SET, &set));
	caller = revoker_stalled(&r, function, what);
	set.uid = BOB;
	is_errno(raw_ioctl(ccshm, CCSHM_IOC_SET, &set), 0, "%s: SET of the owner: success", what);
	bob->id[0] = r.id;
	is_errno(user_ask(bob, USER_EXPORT, 0), 0, "%s: EXPORT by the new owner: success", what);
	probe_set("stall", 0);
	is_errno(peer_hear(&caller), EPERM, "%s: the call of the previous owner: EPERM", what);
	peer_must_end(&caller, 0);
	is_int(query(bob->export_id[0]).state, CCSHM_STATE_ACTIVE, "%s: the export is active", what);
	is_int(query(r.id).query_flags & CCSHM_QUERY_SEALED, 0, "%s: the buffer is not sealed", what);
	user_end(bob);
	is_errno(raw_free(ccshm, r.id), 0, "%s: the buffer exists", what);
	ok(wait_clean(ccshm), "%s: the memory is returned", what);
}

/* ---- lists ---- */

struct changing {
	struct ccshm_ioc_set set;
	struct ccshm_ioc_query seen;
	unsigned int generation;
};

static int sets_on_order(struct peer *parent, void *arg)
{
	struct changing *c = arg;

	must(peer_hear(parent));
	return raw_ioctl(ccshm, CCSHM_IOC_SET, &c->set);
}

/* Describe the buffer, and then read the generation. */
static int looks(struct peer *parent, void *arg)
{
	struct ccshm_ioc_info info;
	struct changing *c = arg;

	(void)parent;
	must(raw_query(ccshm, c->set.id, &c->seen));
	must(raw_info(ccshm, &info));
	c->generation = info.generation;
	return 0;
}

/* Test that a caller that sees a change of SET also sees another generation. */
static void change_is_counted(void)
{
	const char *what = "QUERY during SET";
	struct changing *c = common(sizeof(*c));
	struct ccshm_ioc_info before;
	struct peer setter, looker;
	int value = 0;
	bool answered;
	uint64_t id;

	must(raw_alloc_named(ccshm, PAGE, NULL, 0600, &id));
	c->set = (struct ccshm_ioc_set){ .id = id, .flags = CCSHM_SET_MODE, .mode = 0640 };
	must(raw_info(ccshm, &before));
	stall_at("ccshm_changed");
	setter = peer_start(ROOT, ALL_CAPS, sets_on_order, c);
	probe_set("stall", setter.pid);
	peer_send(&setter, 0, -1);
	ok(is_stalled(setter.pid), "%s: SET has changed the buffer", what);
	/* It waits for SET, or is about to see the change before it is counted. */
	looker = peer_start(ROOT, ALL_CAPS, looks, c);
	answered = peer_receive(&looker, &value, NULL, 1000);
	probe_set("stall", 0);
	is_errno(peer_hear(&setter), 0, "%s: SET succeeds", what);
	peer_must_end(&setter, 0);
	is_errno(answered ? value : peer_hear(&looker), 0, "%s: QUERY and INFO succeed", what);
	peer_must_end(&looker, 0);
	ok(c->seen.mode == 0600 || c->generation != before.generation,
	   "%s: after the new mode, INFO returns another generation", what);
	must(raw_free(ccshm, id));
	munmap(c, sizeof(*c));
}

/* ---- faults ---- */

struct fault {
	struct shared *s;
	size_t size;
};

/* Map, and touch the first page and then the last, on an order. Send how many of both got SIGBUS. */
static int touches_both_ends(struct peer *parent, void *arg)
{
	struct fault *f = arg;
	char *p = map_aligned(f->s->fd, f->size, RW, 0);
	int nr;

	peer_send(parent, p ? 0 : -errno, -1);
	must(peer_hear(parent));
	nr = touch_read(p) == SIGBUS;
	return nr + (touch_read(p + f->size - PAGE) == SIGBUS);
}

static bool becomes_revoked(uint64_t id)
{
	int64_t end = in_ms(10000);

	while (query(id).state != CCSHM_STATE_REVOKED && now_ns() < end)
		sleep_ms(5);
	return query(id).state == CCSHM_STATE_REVOKED;
}

/*
 * Revoke an export while a process that has the dma-buf is stalled in a fault, as for example by
 * the limit of its memory cgroup: a fault allocates page tables. With @fence, the holder of the
 * dma-buf has added a fence that never signals, although no device ever mapped the export.
 */
static void check_fault(size_t size, bool fence, const char *what)
{
	struct shared s = exported_new(SIZE, 0);
	struct fault f = { .s = &s, .size = size };
	char *p = raw_map(s.fd, SIZE, RW);
	struct peer toucher, revoker;
	int result = 1, imp = -1;
	bool answered;

	if (fence) {
		imp = imp_new(s.fd, IMPORTER_DYNAMIC);
		is_errno(imp_fence_as(imp, IMPORTER_FENCE_NEVER, IMPORTER_USAGE_WRITE, 0), 0,
			 "%s: a fence that never signals is added", what);
	}
	stall_at("ccshm_memory_pfn");
	toucher = peer_start(ROOT, 0, touches_both_ends, &f);
	is_errno(peer_hear(&toucher), 0, "%s: setup: a process maps the export", what);
	probe_set("stall", toucher.pid);
	peer_send(&toucher, 0, -1);
	ok(is_stalled(toucher.pid), "%s: the process is stalled in it", what);

	revoker = peer_start(ROOT, ALL_CAPS, revokes, &s);
	answered = peer_receive(&revoker, &result, NULL, 10000);
	ok(answered, "%s: REVOKE without waiting returns while a fault is stalled", what);
	is_errno(answered ? result : -EAGAIN, ETIMEDOUT,
		 "%s: REVOKE while a fault is stalled: ETIMEDOUT", what);
	if (answered) {
		is_int(touch_read(p), SIGBUS,
		       "%s: another process gets SIGBUS while it is stalled", what);
		is_int(query(s.export_id).state, CCSHM_STATE_REVOKING,
		       "%s: the export keeps the memory while it is stalled", what);
	}
	probe_set("stall", 0);
	is_int(peer_hear(&toucher), 2,
	       "%s: it gets SIGBUS when it is released, and then again", what);
	ok(becomes_revoked(s.export_id), "%s: the revoke completes when it has ended", what);
	peer_must_end(&toucher, 0);
	peer_must_end(&revoker, 0);
	munmap(p, SIZE);
	if (imp >= 0)
		close(imp);
	shared_end(&s);
}

/* ---- a fault of 2 MiB, and a process that disables them ---- */

struct writer {
	const struct shared *s;
	char *p;
	atomic_int tid;
	atomic_bool go;
	int sig;
};

static void *writes_second_page(void *arg)
{
	struct writer *w = arg;

	w->tid = gettid();
	while (!w->go)
		sleep_ms(1);
	w->sig = touch_write(w->p + PAGE, 2);
	return NULL;
}

/* While the fault of a thread is stalled, disable large pages, and write to the first page. */
static int disables_large_pages(struct peer *parent, void *arg)
{
	struct writer *w = arg;
	pthread_t thread;
	int sig;

	w->p = map_aligned(w->s->fd, UNIT, RW, 0);
	if (!w->p || pthread_create(&thread, NULL, writes_second_page, w))
		return 1;
	while (!w->tid)
		sleep_ms(1);
	peer_send(parent, w->tid, -1);
	must(peer_hear(parent));
	w->go = true;
	must(peer_hear(parent));
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	sig = touch_write(w->p, 1);
	peer_send(parent, sig, -1);
	pthread_join(thread, NULL);
	return w->sig || w->p[0] != 1 || w->p[PAGE] != 2;
}

/* The kernel warns if a page is inserted where a page table is: the kernel log must be clean. */
static void fault_meets_page_table(void)
{
	struct shared s;
	struct writer w = { .s = &s };
	struct peer p;
	int tid;

	if (!kernel_at_least(6, 12)) {
		skip("large pages disabled", "this kernel maps no large pages of dma-bufs");
		return;
	}
	s = exported_new(SIZE, 0);
	stall_at("ccshm_memory_pfn");
	p = peer_start(ROOT, 0, disables_large_pages, &w);
	tid = peer_hear(&p);
	probe_set("stall", tid);
	peer_send(&p, 0, -1);
	ok(is_stalled(tid), "large pages disabled: a fault of 2 MiB is stalled");
	is_int(peer_ask(&p, 0), 0, "large pages disabled: another thread writes to a page of the 2 MiB");
	probe_set("stall", 0);
	peer_must_end(&p, 0);
	shared_end(&s);
}

/* ---- memory that is being returned ---- */

static void limit_set(const char *name, uint64_t value)
{
	char path[64], text[32] = "max";

	snprintf(path, sizeof(path), "/sys/class/misc/ccshm/limit_%s", name);
	if (value != CCSHM_LIMIT_NONE)
		snprintf(text, sizeof(text), "%" PRIu64, value);
	if (write_text(path, text))
		bail("cannot write %s", path);
}

static void no_limits(void)
{
	limit_set("total_bytes", CCSHM_LIMIT_NONE);
	limit_set("user_bytes", CCSHM_LIMIT_NONE);
	limit_set("user_buffers", CCSHM_LIMIT_NONE);
}

/* Stop the return of memory, beginning with the buffer that this function frees. */
static void returning_begin(struct user *u, unsigned int slot, const char *what)
{
	int64_t end = in_ms(20000);

	probe_set("hold", 1);
	is_errno(user_ask(u, USER_FREE, slot), 0,
		 "%s: FREE of a buffer whose conversion is held up: success", what);
	while (!probe_get("held") && now_ns() < end)
		sleep_ms(5);
	is_int(probe_get("held"), 1, "%s: the memory is being returned", what);
}

/* Let conversions continue, and wait until all memory has returned. */
static void returning_end(const char *what)
{
	probe_set("hold", 0);
	no_limits();
	ok(wait_clean(ccshm), "%s: all memory is returned", what);
}

static void ignore(int sig)
{
	(void)sig;
}

struct wanted {
	uint64_t size, flags;
};

/* Allocate, with a handler for the signal. The buffer ends with the process. */
static int allocates(struct peer *parent, void *arg)
{
	struct wanted *w = arg;
	struct ccshm_ioc_alloc req = { .size = w->size, .flags = w->flags };
	struct sigaction sa = { .sa_handler = ignore };
	int fd = raw_open();

	(void)parent;
	sigaction(SIGUSR1, &sa, NULL);
	return fd < 0 ? fd : raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);
}

/*
 * Start an ALLOC of a user, and test that it waits: in state 'D' if only fatal signals end the
 * wait, in state 'S' if it is interruptible.
 */
static struct peer waiter_start(uid_t uid, uint64_t size, uint64_t flags, const char *what)
{
	struct wanted w = { size, flags };
	struct peer p = peer_start(uid, 0, allocates, &w);

	ok(waits_in_state(p.pid, CCSHM_IOC_ALLOC, flags & CCSHM_ALLOC_INTERRUPTIBLE ? 'S' : 'D'),
	   "%s: ALLOC waits for memory that is being returned", what);
	return p;
}

/* @held: number of work items that are held while the ALLOC waits. */
static void waiter_is_killed(struct peer *p, unsigned int held, const char *what)
{
	int64_t start = now_ns();
	int status;

	kill(p->pid, SIGKILL);
	status = reap(p->pid, 10000);
	diag("the process was gone after %lld ms", (long long)(now_ns() - start) / 1000000);
	ok(status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "%s: SIGKILL ends the ALLOC that waits", what);
	is_int(probe_get("held"), held,
	       "%s: no memory was returned before SIGKILL ended the ALLOC", what);
	if (status < 0) {
		probe_set("hold", 0);
		must(reap(p->pid, 20000));
	}
	close(p->sock);
}

/* More than any machine has, or any limit allows. */
#define TOO_MUCH	(1ULL << 50)

/* Test ALLOC beyond the user's own limit, in bytes or in buffers. */
static void own_returns(const char *limit, uint64_t most, uint64_t size, const char *what)
{
	struct user *alice = user_start(ALICE, 0), *bob = user_start(BOB, 0);
	struct peer p;

	limit_set(limit, most);
	is_errno(user_has(alice, 0, size), 0, "%s: ALLOC of all that the limit allows: success", what);
	returning_begin(alice, 0, what);
	p = waiter_start(ALICE, size, 0, what);
	kill(p.pid, SIGUSR1);
	ok(waits_in_state(p.pid, CCSHM_IOC_ALLOC, 'D'),
	   "%s: a handled signal does not end an uninterruptible ALLOC that waits", what);
	waiter_is_killed(&p, 1, what);
	p = waiter_start(ALICE, size, CCSHM_ALLOC_INTERRUPTIBLE, what);
	kill(p.pid, SIGUSR1);
	is_errno(peer_hear(&p), EINTR,
		 "%s: a signal ends an interruptible ALLOC that waits: EINTR", what);
	peer_must_end(&p, 0);
	is_int(user_info(alice)->user_buffers, 1,
	       "%s: only the buffer that is being returned is charged", what);
	p = waiter_start(ALICE, size, 0, what);
	ok(user_has(bob, 0, TOO_MUCH) < 0, "%s: an ALLOC of another user fails meanwhile", what);
	ok(waits_in_state(p.pid, CCSHM_IOC_ALLOC, 'D'),
	   "%s: a failed ALLOC of another user does not end the wait", what);
	probe_set("hold", 0);
	is_errno(peer_hear(&p), 0, "%s: ALLOC succeeds when the memory has been returned", what);
	peer_must_end(&p, 0);
	is_errno(user_has(alice, 1, size), 0,
		 "%s: ALLOC of all that the limit allows succeeds again", what);
	user_end(alice);
	user_end(bob);
	returning_end(what);
}

/* Test returning memory that is not enough for ALLOC, or that is charged to another user. */
static void waits_for_no_more(void)
{
	struct user *alice = user_start(ALICE, 0), *bob = user_start(BOB, 0);
	struct peer p;

	limit_set("user_bytes", 2 * UNIT);
	is_errno(user_has(alice, 0, 2 * UNIT), 0,
		 "two users: ALLOC by alice of all that limit_user_bytes allows: success");
	is_errno(user_has(bob, 0, 2 * UNIT), 0,
		 "two users: ALLOC by bob of all that limit_user_bytes allows: success");
	returning_begin(alice, 0, "two users");
	is_errno(user_has(bob, 1, PAGE), EDQUOT,
		 "ALLOC beyond the user's limit does not wait for memory of another user: EDQUOT");
	is_errno(user_has(alice, 1, 3 * UNIT), EDQUOT,
		 "ALLOC does not wait for memory that would not be enough: EDQUOT");
	limit_set("user_bytes", CCSHM_LIMIT_NONE);
	limit_set("total_bytes", 4 * UNIT);
	is_errno(user_has(bob, 1, 3 * UNIT), ENOSPC,
		 "ALLOC beyond the total does not wait for memory that would not be enough: ENOSPC");
	is_int(probe_get("held"), 1, "two users: no memory was returned while ALLOC was refused");
	p = waiter_start(BOB, 2 * UNIT, 0, "beyond the total, where the returning memory suffices");
	waiter_is_killed(&p, 1, "beyond the total");
	p = waiter_start(BOB, 2 * UNIT, 0, "beyond the total, again");
	probe_set("hold", 0);
	is_errno(peer_hear(&p), 0,
		 "beyond the total, again: ALLOC succeeds when another user's memory has been returned");
	peer_must_end(&p, 0);
	user_end(alice);
	user_end(bob);
	returning_end("two users");
}

/*
 * Wait up to 20 s until all but one of @most work items are held, and then for the time in which one
 * more would begin.
 */
static unsigned long held_soon(unsigned long most)
{
	int64_t end = in_ms(20000);

	while (probe_get("held") < most - 1 && now_ns() < end)
		sleep_ms(5);
	end = in_ms(debug_kernel() ? 5000 : 1000);
	while (probe_get("held") < most && now_ns() < end)
		sleep_ms(5);
	return probe_get("held");
}

/* Allocate and free as much as the user's limit allows, and then allocate it again. */
static int allocates_again(struct peer *parent, void *arg)
{
	struct ccshm_ioc_alloc req = { .size = *(uint64_t *)arg }, again = req;
	int fd = raw_open();
	int err = fd < 0 ? fd : raw_ioctl(fd, CCSHM_IOC_ALLOC, &req);

	peer_send(parent, err, -1);
	must(peer_hear(parent));
	err = raw_free(fd, req.id);
	return err ? err : raw_ioctl(fd, CCSHM_IOC_ALLOC, &again);
}

/* Test returns of a user while those of another one, which began before, do not end. */
static void returns_of_others(void)
{
	struct user *alice = user_start(ALICE, 0);
	uint64_t size = 4 * UNIT;
	struct peer bob = peer_start(BOB, 0, allocates_again, &size);
	int result = 1;
	bool answered;

	limit_set("user_bytes", size);
	is_errno(peer_hear(&bob), 0, "returns of others: ALLOC by bob of all that the limit allows");
	for (unsigned int i = 0; i < 4; i++)
		must(user_has(alice, i, UNIT));
	returning_begin(alice, 0, "returns of others");
	for (unsigned int i = 1; i < 4; i++)
		must(user_ask(alice, USER_FREE, i));
	is_int(held_soon(2), 1, "returns of others: one return of a user is in progress at a time");
	probe_set("hold", 2);
	peer_send(&bob, 0, -1);
	answered = peer_receive(&bob, &result, NULL, 20000);
	is_errno(answered ? result : -EAGAIN, 0,
		 "FREE and ALLOC of all that the limit allows do not wait for returns of another user");
	is_int(user_info(alice)->user_buffers, 4,
	       "returns of others: no memory of alice's was returned meanwhile");
	probe_set("hold", 0);
	if (!answered)
		is_errno(peer_hear(&bob), 0, "returns of others: ALLOC by bob succeeds later");
	peer_must_end(&bob, 0);
	user_end(alice);
	returning_end("returns of others");
}

/* Users whose returns are held in their first conversions. */
struct returning {
	struct user *user[3];
	unsigned int nr;
};

/* Let @nr users free a buffer each: the first two of @size, the third of a unit. */
static struct returning conversions_hold(unsigned int nr, uint64_t size, const char *what)
{
	struct returning r = { .nr = nr };

	for (unsigned int i = 0; i < nr; i++) {
		r.user[i] = i == 2 ? user_start(ROOT, ALL_CAPS) : user_start(i ? BOB : ALICE, 0);
		must(user_has(r.user[i], 0, i == 2 ? UNIT : size));
	}
	hold_at("set_memory_encrypted");
	probe_set("hold", 1);
	for (unsigned int i = 0; i < nr; i++)
		must(user_ask(r.user[i], USER_FREE, 0));
	is_int(held_soon(3), 2, "%s: two conversions are in progress at a time", what);
	return r;
}

static void conversions_end(struct returning *r, const char *what)
{
	for (unsigned int i = 0; i < r->nr; i++)
		user_end(r->user[i]);
	returning_end(what);
	hold_at("ccshm_convert_unshare");
}

/* Test that returns of many users occupy few processors. */
static void returns_take_turns(void)
{
	struct returning r = conversions_hold(3, UNIT, "returns of three users");

	conversions_end(&r, "returns of three users");
}

/* Test that the return of a small buffer waits for conversions of large ones, not for their ends. */
static void small_return_waits_its_turn(void)
{
	const char *what = "a small return during two large ones";
	struct returning r = conversions_hold(3, 192 * MIB, what);
	unsigned long before, all;

	/* The work item of the small return takes its place in the queue. */
	sleep_ms(300);
	probe_set("large", 0);
	conversions_end(&r, what);
	before = probe_get("large_before");
	all = probe_get("large");
	diag("%lu of %lu large conversions began before the small one", before, all);
	ok(all >= 8 && before * 2 < all, "%s: it does not wait for the end of one", what);
}

/* Allocate with an argument to which the answer cannot be written. */
static int allocates_in_vain(struct peer *parent, void *arg)
{
	struct ccshm_ioc_alloc *req = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = raw_open();

	(void)parent;
	(void)arg;
	if (req == MAP_FAILED || fd < 0)
		bail("no memory for an argument, or no descriptor");
	req->size = PAGE;
	must(mprotect(req, PAGE, PROT_READ) ? -errno : 0);
	return raw_ioctl(fd, CCSHM_IOC_ALLOC, req);
}

/* Test an ALLOC that is undone while returns of two other users are converted. */
static void undo_waits_killably(void)
{
	const char *what = "an ALLOC that fails during returns of others";
	struct returning r = conversions_hold(2, UNIT, what);
	struct peer p;

	p = peer_start(ROOT, ALL_CAPS, allocates_in_vain, NULL);
	ok(waits_in_state(p.pid, CCSHM_IOC_ALLOC, 'D'), "%s: it waits for its own memory", what);
	waiter_is_killed(&p, 2, what);
	conversions_end(&r, what);
}

/* ---- an ALLOC while hibernation is prepared ---- */

static int allocates_after_message(struct peer *parent, void *arg)
{
	must(peer_hear(parent));
	return allocates(parent, arg);
}

/*
 * Prepare to hibernate. Return a descriptor, whose close undoes the preparation, or a negative
 * errno.
 */
static int snapshot_open(void)
{
	int fd = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/**
 * check_hibernation - prepare to hibernate during an ALLOC
 * @size: size of the buffer
 * @function: function that the ALLOC is about to enter
 * @prepared: result of the preparation: 0 or an errno
 * @allocated: result of ALLOC
 * @what: description of the test
 */
static void check_hibernation(uint64_t size, const char *function, int prepared, int allocated,
			      const char *what)
{
	struct wanted w = { .size = size };
	struct peer p = peer_start(ROOT, ALL_CAPS, allocates_after_message, &w);
	int fd;

	stall_at(function);
	probe_set("stall", p.pid);
	peer_send(&p, 0, -1);
	ok(is_stalled(p.pid), "%s: ALLOC is stalled at that point", what);
	fd = snapshot_open();
	is_errno(fd < 0 ? fd : 0, prepared, "%s: preparing hibernation returns %s", what,
		 tap_errno_name(prepared));
	probe_set("stall", 0);
	is_errno(peer_hear(&p), allocated,
		 "%s: the call returns %s", what, tap_errno_name(allocated));
	peer_must_end(&p, 0);
	if (fd >= 0)
		close(fd);
	ok(wait_clean(ccshm), "%s: no memory is shared afterwards", what);
}

static void one_is_refused(void)
{
	int fd = snapshot_open();

	if (fd == -ENOENT || fd == -EPERM) {
		skip("ALLOC while hibernation is prepared", "this kernel has no hibernation");
		return;
	}
	is_errno(fd < 0 ? fd : 0, 0, "hibernation is prepared when no memory is shared");
	close(fd);
	check_hibernation(2 * UNIT, "ccshm_convert_share", 0, EBUSY, "ALLOC before its conversion");
	check_hibernation(2 * UNIT, "set_memory_decrypted", EBUSY, 0,
			  "ALLOC during its conversion");
	check_hibernation(PAGE, "ccshm_convert_share", 0, EBUSY,
			  "ALLOC of a page before its conversion");
	check_hibernation(PAGE, "set_memory_decrypted", EBUSY, 0,
			  "ALLOC of a page during its conversion");
}

/* ---- fork and mremap ---- */

static int child_touches(struct peer *parent, void *arg)
{
	peer_send(parent, 0, -1);
	must(peer_hear(parent));
	return touch_some(arg, SIZE, PAGE, SIGBUS);
}

static int ends_at_once(void *arg)
{
	(void)arg;
	return 0;
}

/* Begin to count the large page table entries of this range that fork copies or mremap moves. */
static unsigned long watch(const char *counter, const char *p, size_t size)
{
	probe_set("from", (unsigned long)p);
	probe_set("to", (unsigned long)p + size);
	return probe_get(counter);
}

/* Return how many large entries of this range fork copies. */
static unsigned long copied_by_fork(const char *p, size_t size)
{
	unsigned long before = watch("copied", p, size);

	must(as_user(ROOT, ALL_CAPS, ends_at_once, NULL));
	return probe_get("copied") - before;
}

/* Move this range. Return how many large entries of it mremap moves. */
static unsigned long moved_by_mremap(char **p, size_t size)
{
	unsigned long before = watch("moved", *p, size);

	*p = mremap(*p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, aligned_space(size));
	if (*p == MAP_FAILED)
		bail("mremap: %s", strerror(errno));
	return probe_get("moved") - before;
}

/* Test the probes with memory for which the kernel itself uses large entries. */
static void probes_see_large_entries(void)
{
	char *p = aligned_space(4 * UNIT);
	unsigned long nr;

	p = mmap(p, 4 * UNIT, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED || madvise(p, 4 * UNIT, MADV_HUGEPAGE))
		bail("cannot map memory with huge pages: %s", strerror(errno));
	memset(p, 1, 4 * UNIT);
	nr = copied_by_fork(p, 4 * UNIT);
	ok(nr > 0, "fork copies %lu large entries of ordinary memory", nr);
	nr = moved_by_mremap(&p, 4 * UNIT);
	ok(nr > 0, "mremap moves %lu large entries of ordinary memory", nr);
	munmap(p, 4 * UNIT);
}

static void fork_copies_none(void)
{
	struct shared s = exported_new(SIZE, 0);
	char *p = map_aligned(s.fd, SIZE, RW, 0);
	struct peer child;

	ok(touch_all(p, SIZE, 0), "fork: setup: the mapping is touched");
	is_int(copied_by_fork(p, SIZE), 0, "fork copies no large entry of a dma-buf's mapping");
	ok(touch_all(p, SIZE, 0), "fork: the parent touches the mapping again");
	child = peer_start(ROOT, ALL_CAPS, child_touches, p);
	is_int(peer_hear(&child), 0, "fork: a child has the mapping");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0, "fork: REVOKE without waiting: success");
	is_int(peer_ask(&child, 0), 1,
	       "fork: every page of the child's mapping gets SIGBUS after REVOKE");
	peer_must_end(&child, 0);
	munmap(p, SIZE);
	shared_end(&s);
}

static void mremap_moves_none(void)
{
	struct shared s = exported_new(SIZE, 0);
	char *p = map_aligned(s.fd, SIZE, RW, 0);

	ok(touch_all(p, SIZE, 0), "mremap: setup: the mapping is touched");
	is_int(moved_by_mremap(&p, SIZE), 0, "mremap moves no large entry of a dma-buf's mapping");
	ok(touch_all(p, SIZE, 0), "mremap: the mapping is touched at its new address");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), 0, "mremap: REVOKE without waiting: success");
	ok(touch_all(p, SIZE, SIGBUS), "mremap: every page gets SIGBUS after REVOKE");
	munmap(p, SIZE);
	shared_end(&s);
}

/* ---- lists, while other users create objects ---- */

/* Look for a buffer after the one with this id, as bob. */
static int look_after(struct peer *parent, void *arg)
{
	struct ccshm_ioc_query q;
	int fd = raw_open();

	must(peer_hear(parent));
	return fd < 0 ? fd : raw_query_next(fd, CCSHM_TYPE_BUFFER, *(uint64_t *)arg, &q);
}

/* Return the number of buffers in fdinfo of a descriptor. */
static int count_fdinfo(struct peer *parent, void *arg)
{
	static char text[64 * KIB];
	int info, n, lines = 0;
	char path[64], *line;

	must(peer_hear(parent));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *(int *)arg);
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (line = text; (line = strstr(line, "ccshm-buffer:")); line++)
		lines++;
	close(info);
	return lines;
}

/*
 * Test that a call which lists objects ends at those that exist when it begins. Otherwise other
 * users could extend it indefinitely.
 */
static void lists_end(void)
{
	uint64_t hidden, late, own;
	struct peer bob, reader;
	int fd = raw_open();

	must(raw_alloc_named(ccshm, PAGE, NULL, 0600, &hidden));
	stall_at("ccshm_object_next");
	bob = peer_start(BOB, 0, look_after, &hidden);
	probe_set("stall", bob.pid);
	peer_send(&bob, 0, -1);
	ok(is_stalled(bob.pid), "QUERY of the next buffer: the call is stalled");
	must(raw_alloc_named(ccshm, PAGE, NULL, 0666, &late));
	probe_set("stall", 0);
	is_errno(peer_hear(&bob), ENOENT,
		 "QUERY of the next buffer does not find one that was allocated during the call");
	peer_must_end(&bob, 0);
	must(raw_free(ccshm, late));
	must(raw_free(ccshm, hidden));

	must(raw_alloc(fd, PAGE, &own));
	stall_at("ccshm_object_next_of");
	reader = peer_start(ROOT, ALL_CAPS, count_fdinfo, &fd);
	probe_set("stall", reader.pid);
	peer_send(&reader, 0, -1);
	ok(is_stalled(reader.pid), "fdinfo: the call is stalled");
	must(raw_alloc(fd, PAGE, &late));
	probe_set("stall", 0);
	is_int(peer_hear(&reader), 1, "fdinfo does not list a buffer that was allocated during the call");
	peer_must_end(&reader, 0);
	close(fd);
}

/* ---- contents of a block that stays shared ---- */

/* Free a buffer, as bob. */
static int free_buffer(void *arg)
{
	int fd = raw_open();

	return fd < 0 ? fd : raw_free(fd, *(uint64_t *)arg);
}

static unsigned long nonzero_bytes(uint64_t physical)
{
	probe_set("peek", physical);
	return probe_get("nonzero");
}

/*
 * Test that the host cannot read what was in a freed buffer whose block stays shared, because a
 * buffer of another owner has a part of it.
 */
static void freed_reads_zero(void)
{
	struct ccshm_ioc_set set = { .flags = CCSHM_SET_UID, .uid = BOB };
	struct ccshm_ioc_info info = { 0 };
	struct ccshm_ioc_run run = { 0 };
	uint64_t kept, given;
	char *p;
	int fd;

	must(raw_alloc_named(ccshm, PAGE, NULL, 0600, &kept));
	must(raw_alloc_named(ccshm, PAGE, NULL, 0600, &given));
	set.id = given;
	must(raw_ioctl(ccshm, CCSHM_IOC_SET, &set));
	must_be_true(raw_pages(ccshm, given, 0, PAGE, &run, 1, NULL) == 1);
	fd = raw_export(ccshm, given, 0, NULL);
	p = raw_map(fd, PAGE, RW);
	memset(p, 0x5a, PAGE);
	munmap(p, PAGE);
	close(fd);
	is_int(nonzero_bytes(run.physical), PAGE, "the page of a buffer that was given to bob is written");
	is_errno(as_user(BOB, 0, free_buffer, &given), 0, "bob frees the buffer");
	for (int i = 0; i < 1000 && info.bytes_carved != PAGE; i++) {
		sleep_ms(10);
		must(raw_info(ccshm, &info));
	}
	is_int(info.bytes_shared, UNIT, "the block of the freed buffer stays shared");
	is_int(nonzero_bytes(run.physical), 0, "the page of the freed buffer is zero");
	must(raw_free(ccshm, kept));
	ok(wait_clean(ccshm), "the block is returned with its last buffer");
}

int main(void)
{
	int err;

	exported_setup();
	err = raw_insmod("/lib/ccshm/ccshm_probe.ko", "");
	if (err)
		bail("cannot load ccshm_probe.ko: %s", strerror(-err));

	removed_during_device();
	/* The dma-buf core warns about a vmap that an exporter refuses. */
	expect_kmsg("WARNING: .*dma_buf_vmap");
	check_walker(walker_vmap, CCSHM_EXPORT_PINNED, ETIMEDOUT, "vmap");
	check_walker(walker_map, 0, ETIMEDOUT, "map");
	/* The attachment is listed and counted only after its walk. */
	check_walker(walker_attach, 0, 0, "ATTACH");
	later_attachment();
	exported_before_seal();
	control_taken(true, "ccshm_buffer_free", "SET during FREE");
	control_taken(false, "ccshm_revoke_enter", "SET during REVOKE");
	change_is_counted();
	attached_before_close(false, false, "an ATTACH before REVOKE closes the export");
	attached_before_close(true, false, "an ATTACH before FREE closes the export");
	attached_before_close(false, true, "an ATTACH before the killed REVOKE closes the export");
	check_fault(PAGE, false, "a fault of a page");
	check_fault(PAGE, true, "a fault of a page, and a fence");
	check_fault(UNIT - PAGE, false, "a fault of many pages");
	check_fault(SIZE, false, "a fault of 2 MiB");
	fault_meets_page_table();
	own_returns("user_bytes", 2 * UNIT, 2 * UNIT, "limit_user_bytes");
	own_returns("user_buffers", 1, PAGE, "limit_user_buffers");
	waits_for_no_more();
	returns_of_others();
	returns_take_turns();
	small_return_waits_its_turn();
	undo_waits_killably();
	one_is_refused();
	probes_see_large_entries();
	fork_copies_none();
	mremap_moves_none();
	lists_end();
	freed_reads_zero();

	is_errno(raw_rmmod("ccshm_probe"), 0, "ccshm_probe.ko can be unloaded");
	exported_end();
	return done_testing();
}
