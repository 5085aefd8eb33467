// SPDX-License-Identifier: GPL-2.0-only
#include "exported.h"

bool static_maps_at_attach;

bool pinned_can_unmap;

/* ---- exports ---- */

struct shared exported_slice(size_t size, uint64_t flags, uint64_t offset, uint64_t length)
{
	struct shared s = { .size = size };
	int err = raw_alloc(ccshm, size, &s.id);

	if (err)
		bail("ALLOC: %s", strerror(-err));
	s.fd = raw_export_slice(ccshm, s.id, flags, offset, length, &s.export_id);
	s.look = raw_export(ccshm, s.id, 0, NULL);
	s.p = s.fd < 0 || s.look < 0 ? NULL : raw_map(s.look, size, RW);
	if (!s.p)
		bail("buffer %llu cannot be exported or mapped", (unsigned long long)s.id);
	stamp_pages(s.p, 1, 0, size);
	return s;
}

struct shared exported_new(size_t size, uint64_t flags)
{
	return exported_slice(size, flags, 0, 0);
}

void holders_are(const struct shared *s, unsigned int importers, unsigned int mappings)
{
	struct ccshm_ioc_query q = query(s->export_id);

	is_int(q.importers, importers, "QUERY of the export: the number of importers");
	is_int(q.device_mappings, mappings, "QUERY of the export: the number of device mappings");
}

bool exported_moves_right(int imp, struct shared *s, uint64_t slice, uint64_t from, uint64_t to)
{
	return imp_moves_right(imp, s->p + slice, from, to);
}

/* ---- a revoke in another thread ---- */

struct waiting_revoke waiting;

static void *wait_for_revoke(void *arg)
{
	(void)arg;
	waiting.tid = gettid();
	waiting.result = raw_revoke(ccshm, waiting.id, 0, in_ms(20000), &waiting.r);
	return NULL;
}

bool revoke_still_waits(void)
{
	while (!waiting.tid)
		sleep_ms(1);
	return waits_in(waiting.tid, CCSHM_IOC_REVOKE) && waiting.result == 1;
}

bool revoke_waits(pthread_t *thread, uint64_t id)
{
	waiting.id = id;
	waiting.result = 1;
	waiting.tid = 0;
	pthread_create(thread, NULL, wait_for_revoke, NULL);
	return revoke_still_waits();
}

/* ---- driver and importer ---- */

void exported_setup(void)
{
	driver_load();
	touch_init();
	importer_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	static_maps_at_attach = !kernel_at_least(6, 18);
	pinned_can_unmap = kernel_at_least(7, 1);
}

void exported_end(void)
{
	ok(wait_clean(ccshm), "at the end of the suite: no object is left");
	close(ccshm);
	importer_unload();
	is_errno(driver_unload(), 0, "the driver can be unloaded");
}
