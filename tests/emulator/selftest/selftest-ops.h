/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of the self-test's module and the emulator's counters, for the self-test's
 * programs.
 */
#ifndef CVM_SELFTEST_OPS_H
#define CVM_SELFTEST_OPS_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../guest/lib/tap.h"
#include "../guest/cvm_guest.h"
#include "module/cvm_selftest.h"

#define MODULE_FILE	"/lib/ccshm/cvm_selftest.ko"
#define PAGES		ST_BLOCK_PAGES
#define TRAPS		(CVM_MODE_PRIVATE_ALIAS | CVM_MODE_SHARED_ALIAS)
/* Memory layout of a Realm with 32-bit addresses. */
#define REALM_RAM	(1ull << 30)	/* start of RAM */
#define REALM_SHARED	(1ull << 31)	/* the shared bit */

static int dev;

/* ---- the module's operations ---- */

static TAP_UNUSED int try_op(enum st_op op, struct st_call *call)
{
	call->op = op;
	return ioctl(dev, ST_IOCTL, call) ? -errno : 0;
}

/* Perform an operation that must succeed. Return its result. */
static TAP_UNUSED uint64_t st_must(enum st_op op, struct st_call call)
{
	int ret = try_op(op, &call);

	if (ret)
		bail("operation %d on slot %u: %s", op, call.slot, strerror(-ret));
	return call.result;
}

static TAP_UNUSED uint64_t st_alloc(unsigned int slot)
{
	return st_must(ST_ALLOC, (struct st_call){ .slot = slot });
}

static TAP_UNUSED void st_free(unsigned int slot)
{
	st_must(ST_FREE, (struct st_call){ .slot = slot });
}

static TAP_UNUSED int try_convert(unsigned int slot, unsigned int page, unsigned int pages, int shared)
{
	struct st_call call = { .slot = slot, .page = page, .pages = pages, .arg = shared };

	return try_op(ST_CONVERT, &call);
}

static TAP_UNUSED void convert(unsigned int slot, unsigned int page, unsigned int pages, int shared)
{
	int ret = try_convert(slot, page, pages, shared);

	if (ret)
		bail("conversion to %s: %s", shared ? "shared" : "private", strerror(-ret));
}

static TAP_UNUSED void map(unsigned int slot, enum st_view view)
{
	st_must(ST_MAP, (struct st_call){ .slot = slot, .view = view });
}

static TAP_UNUSED void unmap(unsigned int slot, enum st_view view)
{
	st_must(ST_UNMAP, (struct st_call){ .slot = slot, .view = view });
}

static TAP_UNUSED void fill(unsigned int slot, enum st_view view, unsigned int pages, unsigned int seed)
{
	st_must(ST_FILL, (struct st_call){ .slot = slot, .view = view, .pages = pages, .arg = seed });
}

/* Count the pages that begin with the pattern, with one read per page. */
static TAP_UNUSED int match(unsigned int slot, enum st_view view, unsigned int pages, unsigned int seed)
{
	return st_must(ST_MATCH, (struct st_call){ .slot = slot, .view = view, .pages = pages,
						   .arg = seed });
}

static TAP_UNUSED uint64_t read_word(unsigned int slot, enum st_view view, unsigned int page, int times)
{
	return st_must(ST_READ, (struct st_call){ .slot = slot, .view = view, .page = page,
						  .arg = times });
}

static TAP_UNUSED long long leaf_of(unsigned int slot, unsigned int page)
{
	return cvm_leaf(st_must(ST_ADDRESS, (struct st_call){ .slot = slot, .page = page, .pages = 1 }));
}

/* Map a block into the program, so that accesses come from the lowest privilege level. */
static TAP_UNUSED volatile uint64_t *user_map(unsigned int slot, int private)
{
	void *p = mmap(NULL, PAGES * ST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
		       ST_MMAP_OFFSET(slot, private));

	if (p == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	return p;
}

/* ---- the emulator's counters, relative to the last start() ---- */

static uint64_t base[CVM_NR_COUNTERS];
static uint64_t stray_base;		/* cached, because to read the counter is to search */

static TAP_UNUSED void start(void)
{
	int i;

	for (i = 0; i < CVM_NR_COUNTERS; i++)
		base[i] = i == CVM_STRAY_DMA ? stray_base : cvm_counter(i);
}

static TAP_UNUSED long long since(enum cvm_counter counter)
{
	return (long long)(cvm_counter(counter) - base[counter]);
}

static TAP_UNUSED long long violations(void)
{
	return since(CVM_VIOL_PRIVATE_ALIAS) + since(CVM_VIOL_SHARED_ALIAS);
}

/* Set the trap mode, arm all traps again, and start counting. */
static TAP_UNUSED void arm(unsigned int mode)
{
	cvm_set_mode(mode);
	start();
}

static TAP_UNUSED int load_module(void)
{
	int fd = open(MODULE_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (syscall(SYS_finit_module, fd, "", 0))
		return -1;
	close(fd);
	return open("/dev/cvm_selftest", O_RDWR | O_CLOEXEC);
}

#endif
