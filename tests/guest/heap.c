// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/dma_heap/system_cc_shared, for programs that use only DMA_HEAP_IOCTL_ALLOC: the kernel's
 * test of heaps passes, each call returns what the kernel's own heaps return, and the memory is
 * shared memory like that of ALLOC.
 *
 * vm-modules: ccshm importer
 * vm-fetch: heap-test
 * vm-files: heap-test/dmabuf-heap
 * vm-timeout: 240
 */
#include <linux/dma-heap.h>
#include <sys/resource.h>

#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "importing.h"
#include "kernelheap.h"

#define RW	(PROT_READ | PROT_WRITE)
#define SIZE	(3 * PAGE)

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static int ccshm;

static int heap_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Allocate. Return a dma-buf or a negative errno. */
static int heap_alloc(int heap, uint64_t len, unsigned int fd_flags)
{
	struct dma_heap_allocation_data req = { .len = len, .fd_flags = fd_flags };
	int err = raw_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &req);

	return err ? err : (int)req.fd;
}

/* Allocate from ccshm's heap. Bail out if that fails. */
static int heap_new(uint64_t len)
{
	int heap = heap_open(HEAP), fd;

	if (heap < 0)
		bail("%s: %s", HEAP, strerror(-heap));
	fd = heap_alloc(heap, len, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bail("ALLOC: %s", strerror(-fd));
	close(heap);
	return fd;
}

/* Return the id of the export of a dma-buf, as any process can read it, or 0 if there is none. */
static uint64_t export_of(int dmabuf)
{
	unsigned long long id = 0, n;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", dmabuf);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "exp_name: ccshm:%llu", &n) == 1)
			id = n;
	if (f)
		fclose(f);
	return id;
}

static struct ccshm_ioc_query query(uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, id, &q);

	if (err)
		bail("QUERY of %llu: %s", (unsigned long long)id, strerror(-err));
	return q;
}

/* ---- the contract ---- */

static const struct row {
	const char *what;
	unsigned int dir, type, nr, size;
	uint64_t len, heap_flags;
	uint32_t fd, fd_flags;
	int err;
} rows[] = {
#define ALLOC(...)	_IOC_READ | _IOC_WRITE, 'H', 0, 24, __VA_ARGS__
#define SIZED(size)	_IOC_READ | _IOC_WRITE, 'H', 0, size
	{ "a page", ALLOC(.len = PAGE, .fd_flags = O_RDWR) },
	{ "one byte", ALLOC(.len = 1, .fd_flags = O_RDWR) },
	{ "read-only", ALLOC(.len = PAGE, .fd_flags = O_RDONLY) },
	{ "write-only", ALLOC(.len = PAGE, .fd_flags = O_WRONLY) },
	{ "O_ACCMODE", ALLOC(.len = PAGE, .fd_flags = O_ACCMODE | O_CLOEXEC) },
	{ "length 0", ALLOC(.len = 0, .fd_flags = O_RDWR, .err = EINVAL) },
	{ "the largest length", ALLOC(.len = ~0ULL, .fd_flags = O_RDWR, .err = EINVAL) },
	{ "a length that overflows", ALLOC(.len = 0 - PAGE + 1, .fd_flags = O_RDWR, .err = EINVAL) },
	{ "fd 1 in the structure", ALLOC(.len = PAGE, .fd = 1, .err = EINVAL) },
	{ "fd -1 in the structure", ALLOC(.len = PAGE, .fd = -1U, .err = EINVAL) },
	{ "O_NONBLOCK", ALLOC(.len = PAGE, .fd_flags = O_NONBLOCK, .err = EINVAL) },
	{ "O_APPEND", ALLOC(.len = PAGE, .fd_flags = O_RDWR | O_APPEND, .err = EINVAL) },
	{ "the highest flag", ALLOC(.len = PAGE, .fd_flags = 1U << 31, .err = EINVAL) },
	{ "a flag of the heap", ALLOC(.len = PAGE, .heap_flags = 1, .err = EINVAL) },
	{ "the highest heap flag", ALLOC(.len = PAGE, .heap_flags = 1ULL << 63, .err = EINVAL) },
	{ "an older structure", SIZED(16), .len = PAGE, .fd_flags = O_RDWR, .heap_flags = -1ULL },
	{ "a newer structure", SIZED(64), .len = PAGE, .fd_flags = O_RDWR },
	{ "a much newer structure", SIZED(2048), .len = PAGE, .fd_flags = O_RDWR },
	{ "a newer structure with fd 3", SIZED(64), .len = PAGE, .fd = 3, .err = EINVAL },
	{ "a structure of size 0", SIZED(0), .len = PAGE, .err = EINVAL },
	{ "another ioctl number", _IOC_READ | _IOC_WRITE, 'H', 1, 24, .len = PAGE, .err = EINVAL },
	{ "an ioctl of " CCSHM_DEVICE, _IOC_READ | _IOC_WRITE, 0xCC, 0x40, 24, .err = EINVAL },
	{ "direction read only", _IOC_READ, 'H', 0, 24, .len = PAGE, .err = EINVAL },
	{ "ioctl type h", _IOC_READ | _IOC_WRITE, 'h', 0, 24, .len = PAGE, .fd_flags = O_RDWR },
};

/*
 * Make the call of a row. Test and close the dma-buf that it returns. Return 0 or a negative errno.
 */
static int call_row(int heap, const struct row *r)
{
	union {
		struct dma_heap_allocation_data data;
		unsigned char bytes[4096];
	} *arg = malloc(sizeof(*arg));
	int err;

	memset(arg, 0xa5, sizeof(*arg));
	arg->data = (struct dma_heap_allocation_data){
		.len = r->len, .heap_flags = r->heap_flags, .fd = r->fd,
		.fd_flags = r->fd_flags,
	};
	err = raw_ioctl(heap, _IOC(r->dir, r->type, r->nr, r->size), arg);
	if (!err) {
		int fd = arg->data.fd;

		if (arg->data.len != r->len || arg->data.fd_flags != r->fd_flags ||
		    arg->data.heap_flags != r->heap_flags ||
		    first_other(arg->bytes + sizeof(arg->data), 0xa5,
				sizeof(*arg) - sizeof(arg->data)) >= 0)
			err = -EBADMSG;
		else if (lseek(fd, 0, SEEK_END) != (off_t)((r->len + PAGE - 1) & ~(PAGE - 1)))
			err = -EMSGSIZE;
		else if ((fcntl(fd, F_GETFL) & O_ACCMODE) != (int)(r->fd_flags & O_ACCMODE) ||
			 !(fcntl(fd, F_GETFD) & FD_CLOEXEC) != !(r->fd_flags & O_CLOEXEC))
			err = -EBADFD;
		close(fd);
	}
	free(arg);
	return err;
}

/* Test the table with a heap. The test of a kernel heap shows that the table is right. */
static void contract(const char *path, const char *whose)
{
	int heap = heap_open(path), fds;

	if (heap < 0) {
		skip("the same calls to the kernel's own heap", "this kernel has no heap");
		return;
	}
	fds = count_fds();
	for (size_t i = 0; i < NR(rows); i++)
		is_errno(call_row(heap, &rows[i]), rows[i].err, "%s heap: %s: %s", whose,
			 rows[i].what, tap_errno_name(rows[i].err));
	is_int(count_fds(), fds, "%s heap: no descriptor is left", whose);
	close(heap);
}

static void too_much(void)
{
	int heap = heap_open(HEAP);
	struct rlimit old, none;
	int err;

	is_errno(heap_alloc(heap, 1ULL << 62, O_RDWR), ENOMEM,
		 "heap: an allocation of more than all memory: ENOMEM");
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	err = heap_alloc(heap, PAGE, O_RDWR);
	setrlimit(RLIMIT_NOFILE, &old);
	is_errno(err, EMFILE, "heap: an allocation without a free descriptor: EMFILE");
	close(heap);
	ok(wait_clean(ccshm), "heap: allocations that fail leave no object");
}

/* Test a call whose result cannot be written: it must leave nothing behind. */
static void no_answer(void)
{
	struct dma_heap_allocation_data *req = common(PAGE);
	int heap = heap_open(HEAP), fds = count_fds();

	is_errno(raw_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, NULL), EFAULT,
		 "heap: an allocation with a NULL structure: EFAULT");
	*req = (struct dma_heap_allocation_data){ .len = SIZE, .fd_flags = O_RDWR };
	mprotect(req, PAGE, PROT_READ);
	is_errno(raw_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, req), EFAULT,
		 "heap: an allocation with a structure that cannot be written: EFAULT");
	is_int(count_fds(), fds, "heap: an allocation that fails with EFAULT leaves no descriptor");
	ok(wait_clean(ccshm), "heap: an allocation that fails with EFAULT leaves no object");
	munmap(req, PAGE);
	close(heap);
}

/* ---- the memory ---- */

static void memory(void)
{
	uint64_t shared = rig(CVM_PAGES_SHARED);
	int fd = heap_new(SIZE), imp;
	uint64_t id = export_of(fd);
	struct ccshm_ioc_query q;
	char *p = raw_map(fd, SIZE, RW);

	ok(p, "heap: the dma-buf can be mapped");
	is_int(first_other(p, 0, SIZE), -1, "heap: the memory reads zero");
	ok(id,
	   "heap: fdinfo of the dma-buf has the id of the export: %llu", (unsigned long long)id);
	q = query(id);
	ok(q.type == CCSHM_TYPE_EXPORT && q.object_flags == CCSHM_EXPORT_PINNED && q.size == SIZE &&
	   q.query_flags == (CCSHM_QUERY_HEAP | CCSHM_QUERY_CONTROL) && q.cpu_mappings == 1,
	   "heap: QUERY reports a pinned export, made by the heap");
	q = query(q.buffer_id);
	ok(q.type == CCSHM_TYPE_BUFFER && !q.object_flags && q.size == SIZE && q.charged >= SIZE &&
	   q.exports == 1 && q.query_flags == (CCSHM_QUERY_HEAP | CCSHM_QUERY_CONTROL),
	   "heap: QUERY reports its buffer as active");

	imp = imp_open();
	is_errno(imp_attach(imp, fd, IMPORTER_STATIC), 0,
		 "heap: a static importer attaches");
	is_errno(imp_map(imp, IMPORTER_BIDIRECTIONAL), 0, "heap: a static importer maps");
	ok(imp_moves_right(imp, p, 0, 2 * PAGE),
	   "heap: a static importer's device copies the right bytes");
	if (cvm_present()) {
		struct importer_table *t = calloc(1, sizeof(*t));

		ok(!ioctl(imp, IMPORTER_IOC_TABLE, t) && t->total >= 1 &&
		   cvm_page_state(t->segment[0].dma_address) == 1,
		"heap: the emulator reports the memory as shared");
		free(t);
	}
	close(fd);
	is_int(query(id).importers, 1,
	       "heap: the export outlives the close of its descriptor while an importer exists");
	is_errno(imp_unmap(imp), 0, "heap: after the close the importer unmaps");
	is_errno(imp_detach(imp), 0, "heap: after the close the importer detaches");
	close(imp);
	stamp_write(p, 1, 0, SIZE);
	ok(stamp_check(p, 1, 0, SIZE), "heap: after the close the mapping keeps its contents");
	munmap(p, SIZE);
	is_errno(raw_query(ccshm, id, &q), ENOENT,
		 "heap: after the last user QUERY of the export: ENOENT");
	ok(wait_clean(ccshm), "heap: after the last user the buffer is gone");
	ok(wait_rig_shared(shared), "heap: after the last user the pages are private");
}

static void access_modes(void)
{
	int heap = heap_open(HEAP);
	int fd = heap_alloc(heap, PAGE, O_RDONLY);

	is_errno(try_map(fd, PAGE, RW, MAP_SHARED), EACCES,
		 "heap: mmap() of an O_RDONLY dma-buf for writing: EACCES");
	is_errno(try_map(fd, PAGE, PROT_READ, MAP_SHARED), 0,
		 "heap: mmap() of an O_RDONLY dma-buf for reading works");
	close(fd);
	fd = heap_alloc(heap, PAGE, O_RDWR);
	is_errno(try_map(fd, PAGE, RW, MAP_SHARED), 0,
		 "heap: mmap() of an O_RDWR dma-buf for writing works");
	close(fd);
	close(heap);
}

static char *output_of(const char *format, uint64_t id)
{
	static char text[4096];
	char command[128];
	FILE *p;
	size_t n;

	snprintf(command, sizeof(command), format, (unsigned long long)id);
	p = popen(command, "r");
	n = p ? fread(text, 1, sizeof(text) - 1, p) : 0;
	text[n] = '\0';
	if (p && pclose(p))
		text[0] = '\0';
	return text;
}

static void shown(void)
{
	int fd = heap_new(SIZE);
	uint64_t id = export_of(fd);
	char *text = output_of("ccshmctl show --json %llu", id);

	ok(strstr(text, "\"heap\": true") && strstr(text, "\"lifetime\": \"pinned\""),
	   "heap: ccshmctl shows the export as pinned and made by the heap");
	text = output_of("ccshmctl show --json %llu", query(id).buffer_id);
	ok(strstr(text, "\"heap\": true") && strstr(text, "\"ended\": false"),
	   "heap: ccshmctl shows the buffer as made by the heap and not ended");
	close(fd);
}

/* Test an export by an administrator, as `ccshmctl read` makes it. */
static void exported_again(void)
{
	int fd = heap_new(SIZE), again;
	uint64_t buffer = query(export_of(fd)).buffer_id;
	struct ccshm_ioc_query q;

	again = raw_export(ccshm, buffer, 0, NULL);
	ok(again >= 0, "heap: EXPORT of the heap's buffer by an administrator works");
	close(again);
	is_errno(raw_query(ccshm, buffer, &q), 0,
		 "heap: the buffer does not end with an export that is not the heap's");
	is_int(q.exports, 1, "heap: the buffer has one export left, the heap's");
	close(fd);
	is_errno(raw_query(ccshm, buffer, &q), ENOENT,
		 "heap: the buffer ends with the heap's export");
	ok(wait_clean(ccshm), "heap: after the heap's export no object is left");
}

static void attached(void)
{
	struct attached a;
	int fd = heap_new(SIZE);
	uint64_t buffer = query(export_of(fd)).buffer_id;
	struct ccshm_ioc_query q;

	is_errno(attach_dmabuf(ccshm, fd, PCI_B, &a), 0, "heap: ATTACH of the dma-buf works");
	close(fd);
	is_errno(raw_query(ccshm, buffer, &q), ENOENT,
		 "heap: the buffer of an attached dma-buf ends with the dma-buf");
	ok(query(a.id).query_flags & CCSHM_QUERY_ORPHAN && query(a.id).state == CCSHM_STATE_ACTIVE,
	   "heap: the attachment outlives the dma-buf as an active orphan");
	is_errno(attached_end(&a), 0, "heap: DETACH of the orphan works");
	ok(wait_clean(ccshm), "heap: DETACH of the orphan gives the memory back");
}

/* ---- permissions ---- */

enum verb { QUERY, REVOKE, FREE, EXPORT };

struct act {
	enum verb verb;
	uint64_t id;
	struct ccshm_ioc_query query;
};

static struct act *act;

static int do_act(void *arg)
{
	int fd = raw_open(), ret;

	(void)arg;
	switch (act->verb) {
	case QUERY:
		ret = raw_query(fd, act->id, &act->query);
		break;
	case REVOKE:
		ret = raw_revoke(fd, act->id, 0, 0, NULL);
		break;
	case FREE:
		ret = raw_free(fd, act->id);
		break;
	default:
		ret = raw_export(fd, act->id, 0, NULL);
	}
	return ret > 0 ? 0 : ret;
}

static int act_as(uid_t uid, uint64_t caps, enum verb verb, uint64_t id)
{
	act->verb = verb;
	act->id = id;
	return as_user(uid, caps, do_act, NULL);
}

static int alices_program(struct peer *parent, void *arg)
{
	int heap = heap_open(HEAP);
	int fd = heap < 0 ? heap : heap_alloc(heap, SIZE, O_RDWR | O_CLOEXEC);

	(void)arg;
	peer_send(parent, fd < 0 ? fd : 0, fd < 0 ? -1 : fd);
	return fd < 0 ? fd : peer_hear(parent);
}

/* Receive a dma-buf that alice has allocated. */
static int alices(struct peer *p)
{
	int value, fd = -1;

	*p = peer_start(ALICE, 0, alices_program, NULL);
	if (!peer_receive(p, &value, &fd, 20000) || value || fd < 0)
		bail("alice cannot allocate: %d", value);
	return fd;
}

static void alice_is_gone(struct peer *p)
{
	must(peer_ask(p, 0));
	peer_must_end(p, 0);
}

static void rights(void)
{
	struct peer p;
	int fd = alices(&p);
	uint64_t id = export_of(fd), buffer = query(id).buffer_id;

	is_errno(act_as(ALICE, 0, QUERY, id), 0, "heap: QUERY by the allocating user works");
	ok(act->query.uid == ALICE && act->query.payer == ALICE &&
	   act->query.query_flags == CCSHM_QUERY_HEAP,
	"heap: QUERY by the allocating user reports owner and payer, without control");
	is_errno(act_as(ALICE, 0, REVOKE, id), EPERM, "heap: REVOKE by the allocating user: EPERM");
	is_errno(act_as(ALICE, 0, REVOKE, buffer), EPERM,
		 "heap: REVOKE of the buffer by the allocating user: EPERM");
	is_errno(act_as(ALICE, 0, FREE, buffer), EPERM, "heap: FREE by the allocating user: EPERM");
	is_errno(act_as(ALICE, 0, EXPORT, buffer), EACCES,
		 "heap: EXPORT by id by the allocating user: EACCES");
	is_errno(act_as(BOB, 0, QUERY, id), ENOENT, "heap: QUERY by another user: ENOENT");
	is_errno(act_as(BOB, 0, REVOKE, id), ENOENT, "heap: REVOKE by another user: ENOENT");
	is_errno(act_as(BOB, 0, FREE, buffer), ENOENT, "heap: FREE by another user: ENOENT");
	is_errno(act_as(BOB, 0, EXPORT, buffer), ENOENT, "heap: EXPORT by another user: ENOENT");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0,
		 "heap: after the refused calls the dma-buf can be mapped");
	close(fd);
	alice_is_gone(&p);
	ok(wait_clean(ccshm), "heap: after the close of the last descriptor no object is left");
}

static void revoked(void)
{
	struct peer p;
	int fd = alices(&p);
	uint64_t id = export_of(fd), buffer = query(id).buffer_id;
	char *map = raw_map(fd, SIZE, RW);

	is_int(touch_read(map), 0, "heap: a mapping is read before the revoke");
	is_errno(act_as(BOB, CAP(SYS_ADMIN), REVOKE, id), 0,
		 "heap: REVOKE by an administrator works");
	is_int(touch_read(map), SIGBUS, "heap: revoked: the mapping gets SIGBUS");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), ENODEV, "heap: revoked: mmap(): ENODEV");
	is_int(query(id).state, CCSHM_STATE_REVOKED,
	       "heap: revoked: QUERY reports the state revoked");
	ok(query(buffer).charged, "heap: revoked: the buffer is charged while its dma-buf is open");
	munmap(map, SIZE);
	alice_is_gone(&p);
	close(fd);
	ok(wait_clean(ccshm), "heap: revoked: after the close of the dma-buf no object is left");
}

static void freed(void)
{
	struct peer p;
	int fd = alices(&p);
	uint64_t id = export_of(fd), buffer = query(id).buffer_id;

	is_errno(act_as(BOB, CAP(SYS_ADMIN), FREE, buffer), 0,
		 "heap: FREE by an administrator works");
	ok(query(id).query_flags & CCSHM_QUERY_ORPHAN, "heap: freed: the export is an orphan");
	is_errno(act_as(ALICE, 0, QUERY, id), 0, "heap: freed: QUERY by the allocating user works");
	is_errno(act_as(ALICE, 0, REVOKE, id), EPERM,
		 "heap: freed: REVOKE by the allocating user: EPERM");
	is_errno(try_map(fd, SIZE, RW, MAP_SHARED), 0, "heap: freed: the dma-buf can be mapped");
	is_errno(act_as(BOB, CAP(SYS_ADMIN), REVOKE, id), 0,
		 "heap: freed: REVOKE by an administrator works");
	ok(wait_held(ccshm, 0, &(struct ccshm_ioc_info){ 0 }),
	   "heap: freed and revoked: the memory is given back while the dma-buf is open");
	close(fd);
	alice_is_gone(&p);
	ok(wait_clean(ccshm), "heap: freed and revoked: after the close no object is left");
}

/* ---- the node, and the parameter ---- */

static uint64_t features(void)
{
	struct ccshm_ioc_info info;
	int fd = raw_open(), err = raw_info(fd, &info);

	if (err)
		bail("INFO: %s", strerror(-err));
	close(fd);
	return info.features;
}

static int load(const char *heap)
{
	char params[64];

	snprintf(params, sizeof(params), "%s%s", cvm_present() ? "" : "allow_plain=1 ", heap);
	return raw_insmod("/lib/ccshm/ccshm.ko", params);
}

static void parameter(void)
{
	struct stat st;
	int heap;

	expect_kmsg("ccshm: heap=bogus: it is either auto or off");
	is_errno(load("heap=bogus"), EINVAL, "heap=bogus: loading the module: EINVAL");
	is_errno(load("heap="), EINVAL, "heap=: loading the module: EINVAL");
	is_errno(access(CCSHM_DEVICE, F_OK) ? -errno : 0, ENOENT,
		 "heap=bogus: /dev/ccshm does not exist");
	is_errno(load("heap=off"), 0, "heap=off: loading the module works");
	is_errno(access(HEAP, F_OK) ? -errno : 0, ENOENT,
		 "heap=off: the heap's node does not exist");
	ok(!(features() & CCSHM_FEATURE_HEAP), "heap=off: INFO reports no heap");
	is_errno(driver_unload(), 0, "heap=off: the module can be unloaded");

	is_errno(load("heap=auto"), 0, "heap=auto: loading the module works");
	ok(!stat(HEAP, &st) && S_ISCHR(st.st_mode) && (st.st_mode & 07777) == 0600 && !st.st_uid,
	   "heap=auto: the heap's node exists, mode 0600, owner root");
	ok(features() & CCSHM_FEATURE_HEAP, "heap=auto: INFO reports the heap");
	heap = heap_open(HEAP);
	is_errno(driver_unload(), EAGAIN,
		 "heap=auto: unloading the module while the node is open: EAGAIN");
	close(heap);
	is_errno(driver_unload(), 0,
		 "heap=auto: the module can be unloaded after the node is closed");
	is_errno(access(HEAP, F_OK) ? -errno : 0, ENOENT,
		 "heap=auto: the heap's node does not exist after the unload");
}

static void setup(void)
{
	touch_init();
	act = common(sizeof(*act));
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-ccshm));
	if (chmod(HEAP, 0666))
		bail("%s: %s", HEAP, strerror(errno));
	if (raw_insmod("/lib/ccshm/ccshm_importer.ko", "") || device_bind(EDU_A, IMPORTER_DRIVER))
		bail("the importer cannot be loaded or bound");
}

int main(void)
{
	parameter();
	setup();
	kernels_test(false);
	ok(wait_clean(ccshm), "the kernel's test leaves no object behind");
	contract(HEAP, "ccshm's");
	contract(HEAPS "system", "the kernel's");
	too_much();
	no_answer();
	memory();
	access_modes();
	shown();
	exported_again();
	attached();
	rights();
	revoked();
	freed();

	close(ccshm);
	is_errno(device_unbind(EDU_A), 0, "the importer's driver is unbound");
	is_errno(raw_rmmod("ccshm_importer"), 0, "the importer's module can be unloaded");
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
