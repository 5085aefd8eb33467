/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exports of a suite with importers: their bytes as the CPU sees them, who holds them,
 * and a revoke in another thread. Include it after importing.h.
 */
#ifndef CCSHM_EXPORTED_H
#define CCSHM_EXPORTED_H

#include <pthread.h>
#include <stdatomic.h>

#define RW	(PROT_READ | PROT_WRITE)

static int ccshm;

/* Kernels up to 6.17 map for a static importer when it attaches. */
static bool static_maps_at_attach;

/* Before 7.1 the notification of an importer that pins need not do anything. */
static bool pinned_can_let_go;

/* ---- exports ---- */

struct shared {
	uint64_t id;
	uint64_t export_id;
	int fd;
	size_t size;
	char *p;		/* through another export */
	int look;
};

static RAW_UNUSED struct shared shared_slice(size_t size, uint64_t flags, uint64_t offset,
					     uint64_t length)
{
	struct shared s = { .size = size };
	int err = raw_alloc(ccshm, size, &s.id);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	s.fd = raw_export_slice(ccshm, s.id, flags, offset, length, &s.export_id);
	s.look = raw_export(ccshm, s.id, 0, NULL);
	s.p = s.fd < 0 || s.look < 0 ? NULL : raw_map(s.look, size, RW);
	if (!s.p)
		bail("no exports of buffer %llu, or no mapping", (unsigned long long)s.id);
	stamp_pages(s.p, 1, 0, size);
	return s;
}

static RAW_UNUSED struct shared shared_new(size_t size, uint64_t flags)
{
	return shared_slice(size, flags, 0, 0);
}

static RAW_UNUSED void shared_end(struct shared *s)
{
	munmap(s->p, s->size);
	close(s->look);
	close(s->fd);
	is_errno(raw_free(ccshm, s->id), 0, "the buffer is freed");
}

static RAW_UNUSED struct ccshm_ioc_query query(uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, id, &q);

	if (err)
		bail("QUERY of %llu: %s", (unsigned long long)id, strerror(-err));
	return q;
}

static RAW_UNUSED void holders_are(const struct shared *s, unsigned int importers,
				   unsigned int mappings)
{
	struct ccshm_ioc_query q = query(s->export_id);

	is_int(q.importers, importers, "QUERY: importers");
	is_int(q.device_mappings, mappings, "QUERY: device mappings");
}

/* The device copies from one place of its mapping to another: what does the CPU see? */
static RAW_UNUSED bool moves_right(int imp, struct shared *s, uint64_t slice,
				   uint64_t from, uint64_t to)
{
	return imp_moves_right(imp, s->p + slice, from, to);
}

/* ---- a revoke in another thread ---- */

static struct {
	uint64_t id;
	atomic_int tid;
	atomic_int result;
	struct ccshm_ioc_revoke r;
} waiting;

static void *wait_for_revoke(void *arg)
{
	(void)arg;
	waiting.tid = gettid();
	waiting.result = raw_revoke(ccshm, waiting.id, 0, in_ms(20000), &waiting.r);
	return NULL;
}

/* The thread has not come back, and waits. */
static RAW_UNUSED bool revoke_still_waits(void)
{
	while (!waiting.tid)
		sleep_ms(1);
	return waits_in(waiting.tid, CCSHM_IOC_REVOKE) && waiting.result == 1;
}

/* A thread revokes, and waits. */
static RAW_UNUSED bool revoke_waits(pthread_t *thread, uint64_t id)
{
	waiting.id = id;
	waiting.result = 1;
	waiting.tid = 0;
	pthread_create(thread, NULL, wait_for_revoke, NULL);
	return revoke_still_waits();
}

/* ---- the driver and the importer ---- */

static RAW_UNUSED void exported_setup(void)
{
	driver_load();
	touch_init();
	importer_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	static_maps_at_attach = !kernel_at_least(6, 18);
	pinned_can_let_go = kernel_at_least(7, 1);
}

static RAW_UNUSED void exported_end(void)
{
	ok(wait_clean(ccshm), "nothing is left");
	close(ccshm);
	importer_unload();
	is_errno(driver_unload(), 0, "the driver can be unloaded");
}

#endif /* CCSHM_EXPORTED_H */
