// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory nodes: ALLOC takes memory of the requested node, and never of a node outside the caller's
 * cpuset, even if all other memory is in use. The machine has two nodes, which the emulator's
 * confidential guests do not have.
 *
 * vm-modules: ccshm
 * vm-flavours: plain
 * vm-kernels: 6.12
 * vm-arch: amd64
 * vm-append: init_on_alloc=0
 * vm-qemu: -object memory-backend-ram,id=near,size=@half -object memory-backend-ram,id=far,size=@half -numa node,memdev=near,cpus=0 -numa node,memdev=far
 */
#include "tap.h"
#include "raw.h"

#include <sys/mount.h>

#define NR_RUNS	4096

static int dev;
static uint64_t far_begin;

/*
 * Return where the memory of a node begins: the machine has memory of node 1 above that of node 0.
 */
static uint64_t node_begin(int wanted)
{
	unsigned long long pfn, first = ~0ULL;
	int node = -1;
	char line[256];
	FILE *f = fopen("/proc/zoneinfo", "r");
	unsigned long long spanned = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %d, zone", &node) == 1)
			spanned = 0;
		sscanf(line, " spanned %llu", &spanned);
		if (sscanf(line, " start_pfn: %llu", &pfn) == 1 && node == wanted && spanned &&
		    pfn < first)
			first = pfn;
	}
	if (f)
		fclose(f);
	return first * PAGE;
}

/* Return the memory of the node, in whole units. */
static uint64_t node_size(int node)
{
	unsigned long long kib = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Node %*d MemTotal: %llu kB", &kib);
	if (f)
		fclose(f);
	return (kib * KIB + UNIT - 1) / UNIT * UNIT;
}

/* Return how many bytes of a buffer are on node 1, or ~0 if that cannot be determined. */
static uint64_t bytes_far(uint64_t id)
{
	static struct ccshm_ioc_run run[NR_RUNS];
	uint64_t far = 0;
	int n = raw_pages(dev, id, 0, 0, run, NR_RUNS, NULL);

	for (int i = 0; i < n; i++)
		if (run[i].physical >= far_begin)
			far += run[i].length;
	return n > 0 ? far : ~0ULL;
}

/* Allocate. @node: requested node; negative: none. */
static int alloc_node(uint64_t size, int node, uint64_t flags, uint64_t *id)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = flags };
	int err;

	if (node >= 0) {
		req.flags |= CCSHM_ALLOC_NODE;
		req.node = node;
	}
	err = raw_ioctl(dev, CCSHM_IOC_ALLOC, &req);
	*id = req.id;
	return err;
}

/* Allocate, test how many bytes are on node 1, and free. */
static void check_node(uint64_t size, int node, uint64_t far, const char *what)
{
	uint64_t id;

	if (!is_errno(alloc_node(size, node, 0, &id), 0, "%s: ALLOC succeeds", what))
		return;
	is_int(bytes_far(id), far, "%s: %llu KiB are on node 1", what,
	       (unsigned long long)(far / KIB));
	must(raw_free(dev, id));
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* Allocate in a cpuset that has only node 0. Return 0 or a negative errno. */
static int alloc_in_cpuset(struct peer *parent, void *arg)
{
	const struct ccshm_ioc_alloc *req = arg;
	uint64_t id;
	int err = write_file("cgroup/near/cgroup.procs", "0");

	(void)parent;
	if (err)
		return err;
	err = alloc_node(req->size, req->flags & CCSHM_ALLOC_NODE ? req->node : -1,
			 req->flags & ~CCSHM_ALLOC_NODE, &id);
	if (!err && bytes_far(id))
		err = -EXDEV;
	if (!err)
		must(raw_free(dev, id));
	return err;
}

static void check_cpuset(uint64_t size, int node, uint64_t flags, int want, const char *what)
{
	struct ccshm_ioc_alloc req = { .size = size, .flags = flags };
	struct peer p;
	int err;

	if (node >= 0) {
		req.flags |= CCSHM_ALLOC_NODE;
		req.node = node;
	}
	p = peer_start(ROOT, ALL_CAPS, alloc_in_cpuset, &req);
	if (!peer_receive(&p, &err, NULL, 60000))
		err = -ETIMEDOUT;
	peer_must_end(&p, err == -ETIMEDOUT ? SIGKILL : 0);
	is_errno(err, want, "in a cpuset of node 0: %s: %s", what, tap_errno_name(want));
}

static void cpuset_make(void)
{
	if (mkdir("cgroup", 0755) || mount("cgroup", "cgroup", "cgroup2", 0, NULL) ||
	    write_file("cgroup/cgroup.subtree_control", "+cpuset") ||
	    mkdir("cgroup/near", 0755) || write_file("cgroup/near/cpuset.mems", "0"))
		bail("cannot create a cpuset: %s", strerror(errno));
}

int main(void)
{
	uint64_t more, carved, id;

	driver_load();
	dev = raw_open();
	far_begin = node_begin(1);
	if (dev < 0 || far_begin == ~0ULL * PAGE)
		bail("cannot open %s, or the guest has no second NUMA node", CCSHM_DEVICE);
	/* Request more than the free memory of node 0. */
	more = node_size(0);
	diag("node 0 has %llu MiB, node 1 begins at %llu MiB", (unsigned long long)(more / MIB),
	     (unsigned long long)(far_begin / MIB));
	check_node(2 * UNIT, 0, 0, "ALLOC of 4 MiB of node 0");
	check_node(2 * UNIT, 1, 2 * UNIT, "ALLOC of 4 MiB of node 1");
	check_node(PAGE, 1, PAGE, "ALLOC of a page of node 1");
	is_errno(alloc_node(UNIT, 2, 0, &id), EINVAL,
		 "ALLOC of a node that does not exist: EINVAL");
	is_errno(alloc_node(more, 0, CCSHM_ALLOC_WHOLE_UNITS, &id), ENOMEM,
		 "ALLOC of node 0 of more than it has: ENOMEM");
	if (is_errno(alloc_node(more, -1, CCSHM_ALLOC_WHOLE_UNITS, &id), 0,
		     "ALLOC of any node of more than node 0 has: success")) {
		ok(bytes_far(id) > 0, "ALLOC of more than node 0 has is partly on node 1");
		must(raw_free(dev, id));
	}
	ok(wait_clean(dev), "after ALLOC of nodes, all memory is returned");

	cpuset_make();
	check_cpuset(2 * UNIT, 0, 0, 0, "ALLOC of node 0");
	check_cpuset(2 * UNIT, 1, 0, EINVAL, "ALLOC of node 1");
	check_cpuset(PAGE, 1, 0, EINVAL, "ALLOC of a page of node 1");
	check_cpuset(more, -1, CCSHM_ALLOC_WHOLE_UNITS, ENOMEM, "ALLOC of more than node 0 has");
	/* Make a carved block on node 1 that belongs to the same payer and has room. */
	is_errno(alloc_node(PAGE, 1, 0, &carved), 0,
		 "ALLOC of a page of node 1, whose block has room for more: success");
	check_cpuset(PAGE, -1, 0, 0, "ALLOC of a page does not use a carved block on node 1");
	must(raw_free(dev, carved));
	ok(wait_clean(dev), "after ALLOC in a cpuset, all memory is returned");
	rmdir("cgroup/near");
	umount2("cgroup", MNT_DETACH);
	close(dev);
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
