// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interfaces for observers: the tracepoints, with correct values, and the fdinfo of the device's
 * file, of attachments and of dma-bufs.
 *
 * vm-matrix: once
 * vm-modules: ccshm importer
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "attached.h"
#include "users.h"

#include <fnmatch.h>
#include <sys/mount.h>

#define SIZE	UNIT
#define MANY	400		/* buffers: enough for more than a page of text */

/* ---- tracefs ---- */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static void trace_clear(void)
{
	int fd = open("t/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

/* Return how many events since trace_clear() match the pattern, in which '*' matches any text. */
static __attribute__((format(printf, 1, 2))) int traced(const char *fmt, ...)
{
	char line[1024], want[512], pattern[600];
	FILE *f = fopen("t/trace", "r");
	va_list ap;
	int n = 0;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	snprintf(pattern, sizeof(pattern), "*: ccshm_%s", want);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		n += !fnmatch(pattern, line, 0);
	}
	if (f)
		fclose(f);
	return n;
}

/* Wait up to 10 s for an event that a work item causes when it returns memory. */
static int traced_soon(const char *want)
{
	int n = 0;

	for (int i = 0; i < 1000; i++) {
		n = traced("%s", want);
		if (n)
			break;
		sleep_ms(10);
	}
	return n;
}

static void trace_show(void)
{
	FILE *f = fopen("t/trace", "r");
	char line[1024];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "ccshm_"))
			diag("%s", line);
	if (f)
		fclose(f);
}

static void is_traced(int got, int want, const char *what)
{
	if (!is_int(got, want, "%s", what))
		trace_show();
}

static bool tracing_begins(void)
{
	static const char *const names[] = {
		"convert", "alloc", "free", "export", "map", "revoke",
	};

	if (mkdir("t", 0755) || mount("tracefs", "t", "tracefs", 0, NULL)) {
		if (errno == ENODEV)
			skip("the events of ccshm can be enabled", "this kernel has no tracefs");
		else
			fail("tracefs: %s", strerror(errno));
		return false;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[96];

		snprintf(path, sizeof(path), "t/events/ccshm/ccshm_%s/format", names[i]);
		is_errno(access(path, R_OK), 0, "the event ccshm_%s exists", names[i]);
	}
	return ok(write_file("t/events/ccshm/enable", "1"), "the events of ccshm can be enabled");
}

/* ---- events ---- */

static uint64_t physical(uint64_t id)
{
	struct ccshm_ioc_run run = { 0 };

	must(raw_pages(ccshm, id, 0, PAGE, &run, 1, NULL));
	return run.physical;
}

static void test_alloc(void)
{
	struct ccshm_ioc_info before, after;
	char want[128];
	uint64_t id, at;

	trace_clear();
	must(raw_info(ccshm, &before));
	must(raw_alloc(ccshm, SIZE, &id));
	must(raw_info(ccshm, &after));
	at = physical(id);
	is_traced(traced("convert: to=shared physical=0x%llx pages=%lu ns=* err=0",
			 (unsigned long long)at, SIZE / PAGE), 1,
		  "convert: an event has the address, the pages and the duration of ALLOC's conversion");
	/* Memory that was freed earlier may still be returning. */
	is_traced(traced("convert: to=shared *"), (int)(after.calls_shared - before.calls_shared),
		  "convert: there are as many events as INFO counts conversions");
	is_traced(traced("alloc: buffer=%llu size=%lu carved=0 blocks=1 conversions=1 payer=0 heap=0 err=0",
			 (unsigned long long)id, SIZE), 1,
		  "alloc: an event has the buffer and its size");
	must(raw_free(ccshm, id));
	snprintf(want, sizeof(want), "free: buffer=%llu size=%lu charged=%lu payer=0",
		 (unsigned long long)id, SIZE, SIZE);
	is_traced(traced_soon(want), 1, "free: an event has the buffer, its size and its charge");
	snprintf(want, sizeof(want), "convert: to=private physical=0x%llx pages=%lu ns=* err=0",
		 (unsigned long long)at, SIZE / PAGE);
	is_traced(traced_soon(want), 1,
		  "convert: an event has the address of FREE's conversion to private");
}

static int refused(void *arg)
{
	int fd = raw_open();
	uint64_t id;

	(void)arg;
	return raw_alloc(fd, 3 * PAGE, &id);
}

static void test_users(void)
{
	struct user *alice = user_start(ALICE, 0);
	int heap;

	trace_clear();
	must(user_has(alice, 0, 3 * PAGE));
	is_traced(traced("alloc: buffer=%llu size=%lu carved=%lu blocks=0 conversions=1 payer=1001 heap=0 err=0",
			 (unsigned long long)alice->id[0], 3 * PAGE, 3 * PAGE), 1,
		  "alloc: an event of a carved buffer has the payer and the carved bytes");
	user_end(alice);
	must_be_true(write_file("/sys/class/misc/ccshm/limit_user_bytes", "0"));
	is_errno(as_user(ALICE, 0, refused, NULL), EDQUOT, "ALLOC with limit_user_bytes=0: EDQUOT");
	must_be_true(write_file("/sys/class/misc/ccshm/limit_user_bytes", "max"));
	is_traced(traced("alloc: buffer=* size=%lu * payer=1001 heap=0 err=-122", 3 * PAGE), 1,
		  "alloc: an event of a refused ALLOC has err=-122");
	heap = heap_allocate(SIZE);
	if (heap < 0) {
		skip(
		     "alloc: an event of an allocation by the heap node has heap=1",
		     "this kernel has no heap node of ccshm");
		return;
	}
	is_traced(traced("alloc: buffer=* size=%lu carved=0 * heap=1 err=0", SIZE), 1,
		  "alloc: an event of an allocation by the heap node has heap=1");
	is_traced(traced("export: export=* buffer=* offset=0 size=%lu flags=0x4", SIZE), 1,
		  "export: an event of an allocation by the heap node has the flag of a pinned export");
	close(heap);
}

static void test_export(void)
{
	unsigned long long buffer, export;
	uint64_t id, export_id;
	int dmabuf, no_cpu;
	void *p;

	must(raw_alloc(ccshm, SIZE, &id));
	trace_clear();
	dmabuf = raw_export_slice(ccshm, id, 0, 2 * PAGE, 5 * PAGE, &export_id);
	buffer = id;
	export = export_id;
	is_traced(traced("export: export=%llu buffer=%llu offset=%lu size=%lu flags=0x0", export,
			 buffer, 2 * PAGE, 5 * PAGE), 1,
		  "export: an event has the export, the offset and the size of a slice");
	p = raw_map(dmabuf, 3 * PAGE, RW);
	is_traced(traced("map: object=%llu buffer=%llu size=%lu by=cpu err=0", export, buffer,
			 3 * PAGE), 1, "map: an event of a CPU mapping has by=cpu");
	is_errno(raw_revoke(ccshm, export_id, 0, in_ms(5000), NULL), 0,
		 "REVOKE of a mapped export: success");
	is_traced(traced("revoke: object=%llu buffer=%llu pages=5 revoked=1 stopped=0 device_mappings=0 ns=* err=0",
			 export, buffer), 1,
		  "revoke: an event has the export, its pages and the duration");
	munmap(p, 3 * PAGE);
	close(dmabuf);

	no_cpu = raw_export(ccshm, id, CCSHM_EXPORT_NO_CPU, &export_id);
	is_errno(raw_map(no_cpu, PAGE, RW) ? 0 : -errno, EACCES,
		 "mmap of an export without CPU access: EACCES");
	is_traced(traced("map: object=%llu buffer=%llu size=%lu by=cpu err=-13",
			 (unsigned long long)export_id, buffer, PAGE), 1,
		  "map: an event of a refused CPU mapping has err=-13");
	close(no_cpu);
	must(raw_free(ccshm, id));
}

static void test_devices(void)
{
	unsigned long long export;
	struct attached a;
	struct shared s;
	int imp;

	importer_load();
	imp = imp_open();
	s = shared_new(SIZE);
	export = s.export_id;
	trace_clear();
	is_errno(imp_attach(imp, s.fd, IMPORTER_LATE), 0, "setup: an importer attaches");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "setup: an importer maps an export");
	is_traced(traced("map: object=%llu buffer=%llu size=%lu by=%s err=0", export,
			 (unsigned long long)s.id, SIZE, PCI_A), 1,
		  "map: an event of an importer's mapping has the device's name");
	is_errno(raw_revoke(ccshm, s.export_id, 0, 0, NULL), ETIMEDOUT,
		 "REVOKE without waiting while an importer has a mapping: ETIMEDOUT");
	is_traced(traced("revoke: object=%llu buffer=* pages=%lu revoked=0 stopped=0 device_mappings=1 ns=* err=-110",
			 export, SIZE / PAGE), 1,
		  "revoke: an event of a timed out REVOKE has device_mappings=1 and err=-110");
	is_errno(imp_unmap(imp), 0, "setup: the importer unmaps");
	is_errno(imp_detach(imp), 0, "setup: the importer detaches");
	close(imp);
	must(raw_revoke(ccshm, s.export_id, 0, in_ms(5000), NULL));

	importer_unload();
	trace_clear();
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "setup: ATTACH: success");
	is_traced(traced("map: object=%llu buffer=%llu size=%lu by=%s err=0",
			 (unsigned long long)a.id, (unsigned long long)s.id, SIZE, PCI_A), 1,
		  "map: an event of ATTACH has the attachment and the device's name");
	must(raw_detach(a.fd, 0));
	close(a.fd);
	shared_end(&s);
}

/* Use each field by its name in the text, as described in docs/tracing.md. */
static const struct { const char *event, *filter; } filters[] = {
	{ "convert", "to == 1 && physical > 0 && pages > 0 && ns > 1000000 && err != 0" },
	{ "alloc", "buffer > 0 && size > 0 && carved > 0 && blocks > 0 && conversions > 0 && "
		   "payer == 0 && heap == 1 && err != 0" },
	{ "free", "buffer > 0 && size > 0 && charged > 0 && payer == 0" },
	{ "export", "export > 0 && buffer > 0 && offset > 0 && size > 0 && flags == 4" },
	{ "map", "object > 0 && buffer > 0 && size > 0 && by == \"cpu\" && err != 0" },
	{ "revoke", "object > 0 && buffer > 0 && pages > 0 && revoked > 0 && stopped > 0 && "
		    "device_mappings > 0 && ns > 0 && err != 0" },
};

#define HISTOGRAM	"hist:keys=err,ns.log2"

static void test_filters(void)
{
	uint64_t one, other;
	char path[96];

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(path, sizeof(path), "t/events/ccshm/ccshm_%s/filter", filters[i].event);
		ok(write_file(path, filters[i].filter),
		   "%s: a filter of all documented fields is accepted",
		   filters[i].event);
		ok(!write_file(path, "nothing == 1"),
		   "%s: a filter of an unknown field is refused", filters[i].event);
		ok(write_file(path, "0"), "%s: the filter can be removed", filters[i].event);
	}
	must_be_true(write_file("t/events/ccshm/ccshm_alloc/filter", "size == 8192"));
	trace_clear();
	must(raw_alloc(ccshm, PAGE, &one));
	must(raw_alloc(ccshm, 2 * PAGE, &other));
	is_traced(traced("alloc: *"), 1,
		  "alloc: a filter on the size lets only the matching event through");
	must_be_true(write_file("t/events/ccshm/ccshm_alloc/filter", "0"));
	must(raw_free(ccshm, one));
	must(raw_free(ccshm, other));
	if (access("t/events/ccshm/ccshm_revoke/hist", F_OK)) {
		skip(
		     "revoke: a histogram trigger is accepted",
		     "this kernel has no histogram triggers");
		return;
	}
	ok(write_file("t/events/ccshm/ccshm_revoke/trigger", HISTOGRAM),
	   "revoke: a histogram trigger is accepted");
	ok(write_file("t/events/ccshm/ccshm_revoke/trigger", "!" HISTOGRAM),
	   "revoke: the histogram trigger can be removed");
}

/*
 * Count the device names in the raw trace buffer, and those after which bytes of an earlier event
 * remain.
 */
static void raw_texts(unsigned int *texts, unsigned int *dirty)
{
	static unsigned char page[16 * PAGE];
	int fd = open("t/per_cpu/cpu0/trace_pipe_raw", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	*texts = *dirty = 0;
	while (fd >= 0 && (n = read(fd, page, sizeof(page))) > 0) {
		for (ssize_t i = 0; i + CCSHM_DEVICE_LEN <= n; i++) {
			if (memcmp(page + i, "cpu", 4))
				continue;
			++*texts;
			*dirty += first_other(page + i + 4, 0, CCSHM_DEVICE_LEN - 4) >= 0;
		}
	}
	if (fd >= 0)
		close(fd);
}

static void test_leftovers(void)
{
	unsigned int texts, dirty;
	uint64_t id;
	int dmabuf;

	/* raw_texts() reads only the events of the first processor. */
	one_processor();
	ok(write_file("t/buffer_size_kb", "8"), "setup: the trace buffer is small");
	for (int i = 0; i < 200; i++) {
		must(raw_alloc(ccshm, PAGE, &id));
		must(raw_free(ccshm, id));
	}
	/* The buffer keeps the last events only, so work items must not add some to the mappings. */
	ok(wait_clean(ccshm), "all memory is private before the mappings");
	must(raw_alloc(ccshm, PAGE, &id));
	dmabuf = raw_export(ccshm, id, 0, NULL);
	for (int i = 0; i < 30; i++)
		munmap(raw_map(dmabuf, PAGE, RW), PAGE);
	raw_texts(&texts, &dirty);
	close(dmabuf);
	must(raw_free(ccshm, id));
	ok(texts > 20, "the raw trace buffer has events of CPU mappings (%u)", texts);
	is_int(dirty, 0,
	       "no event of a CPU mapping has bytes of an earlier event after the device name");
}

static void test_disabled(void)
{
	uint64_t id;

	ok(write_file("t/events/ccshm/enable", "0"), "the events of ccshm can be disabled");
	trace_clear();
	must(raw_alloc(ccshm, SIZE, &id));
	must(raw_free(ccshm, id));
	is_traced(traced("*"), 0, "no event is traced while the events are disabled");
}

/* ---- fdinfo ---- */

/* Return how many lines of the descriptor's fdinfo match the pattern. */
static __attribute__((format(printf, 2, 3))) int fdinfo(int fd, const char *fmt, ...)
{
	char path[64], line[512], pattern[256];
	va_list ap;
	int n = 0;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(pattern, sizeof(pattern), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		n += !fnmatch(pattern, line, 0);
	}
	if (f)
		fclose(f);
	return n;
}

static void test_file(void)
{
	uint64_t first, second, kept;
	int fd, bad = 0;

	is_int(fdinfo(ccshm, "ccshm-*"), 0, "fdinfo of a file without buffers names no buffer");
	must(raw_alloc(ccshm, 3 * MIB, &first));
	must(raw_alloc(ccshm, PAGE, &second));
	must(raw_alloc_named(ccshm, PAGE, "kept", 0600, &kept));
	is_int(fdinfo(ccshm, "ccshm-buffer:\t%llu size %lu charged %lu",
		      (unsigned long long)first, 3 * MIB, 3 * MIB), 1,
	       "fdinfo of a file names the first anonymous buffer with size and charge");
	is_int(fdinfo(ccshm, "ccshm-buffer:\t%llu size %lu charged %lu",
		      (unsigned long long)second, PAGE, PAGE), 1,
	       "fdinfo of a file names the second anonymous buffer with size and charge");
	is_int(fdinfo(ccshm, "ccshm-*"), 2, "fdinfo of a file names no persistent buffer");
	must(raw_free(ccshm, first));
	is_int(fdinfo(ccshm, "ccshm-*"), 1, "fdinfo of a file names no freed buffer");
	must(raw_free(ccshm, second));
	must(raw_free(ccshm, kept));
	fd = raw_open();
	for (int i = 0; i < MANY; i++)
		bad += raw_alloc(fd, PAGE, &first) != 0;
	is_int(bad, 0, "ALLOC of %d buffers of another file", MANY);
	is_int(fdinfo(fd, "ccshm-buffer:*"), MANY, "fdinfo of a file names all its buffers");
	close(fd);
}

static void test_attachment(void)
{
	struct shared s = shared_new(SIZE);
	struct attached a;
	int fd;

	is_int(fdinfo(s.fd, "exp_name:\tccshm:%llu", (unsigned long long)s.export_id), 1,
	       "fdinfo of a dma-buf names its export");
	is_errno(attach_dmabuf(ccshm, s.fd, PCI_A, &a), 0, "ATTACH to an export: success");
	fd = a.fd;
	is_int(fdinfo(fd, "ccshm-attachment:\t%llu", (unsigned long long)a.id), 1,
	       "fdinfo of an attachment has its id");
	is_int(fdinfo(fd, "ccshm-buffer:\t%llu", (unsigned long long)s.id), 1,
	       "fdinfo of an attachment has its buffer's id");
	is_int(fdinfo(fd, "ccshm-export:\t%llu", (unsigned long long)s.export_id), 1,
	       "fdinfo of an attachment has its export's id");
	is_int(fdinfo(fd, "ccshm-device:\t" PCI_A), 1, "fdinfo of an attachment has its device");
	is_int(fdinfo(fd, "ccshm-slice:\toffset 0 size %lu", SIZE), 1,
	       "fdinfo of an attachment has its slice");
	is_int(fdinfo(fd, "ccshm-segments:\t%u", a.nr), 1,
	       "fdinfo of an attachment has its number of segments");
	is_int(fdinfo(fd, "ccshm-state:\tactive"), 1,
	       "fdinfo of an attachment has the state active");
	is_errno(raw_revoke(ccshm, a.id, 0, 0, NULL), ETIMEDOUT,
		 "REVOKE of an attachment without waiting: ETIMEDOUT");
	is_int(fdinfo(fd, "ccshm-state:\trevoking"), 1,
	       "fdinfo of an attachment has the state revoking during REVOKE");
	must(raw_detach(fd, 0));
	is_int(fdinfo(fd, "ccshm-state:\trevoked"), 1,
	       "fdinfo of an attachment has the state revoked after DETACH");
	close(fd);
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &a), 0, "ATTACH to a buffer: success");
	is_int(fdinfo(a.fd, "ccshm-export:*"), 0,
	       "fdinfo of an attachment to a buffer names no export");
	must(raw_detach(a.fd, 0));
	close(a.fd);
	shared_end(&s);
}

int main(void)
{
	driver_load();
	touch_init();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	test_file();
	if (tracing_begins()) {
		test_alloc();
		test_users();
		test_export();
		test_devices();
		test_filters();
		test_leftovers();
		test_disabled();
		umount2("t", MNT_DETACH);
	}
	test_attachment();
	ok(wait_clean(ccshm), "no buffer and no shared memory is left");
	close(ccshm);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
