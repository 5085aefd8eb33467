/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver and a system that live in this process: a small model of the ABI of
 * <linux/ccshm.h> behind the library's seam. It refuses what the real driver
 * refuses, counts what is open, and fails where a test asks it to.
 */
#ifndef TESTS_UNIT_FAKE_H
#define TESTS_UNIT_FAKE_H

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ccshm.h"
#include "seam.h"

#define PAGE		((uint64_t)sysconf(_SC_PAGESIZE))
#define FAKE_BLOCK	(2ULL << 20)
#define FAKE_DEVICE	"pci:0000:00:04.0"
#define FAKE_UID	1000
#define FAKE_OTHER_UID	1001

/* The calls that can be made to fail. */
enum fake_call {
	FAKE_OPEN,
	FAKE_CLOSE,
	FAKE_IOCTL,
	FAKE_MMAP,
	FAKE_MUNMAP,
	FAKE_MEMFD,
	FAKE_RESERVE,
	FAKE_NOW,
	FAKE_USER,
	FAKE_CPUID,
	FAKE_NETLINK,
	FAKE_SEND,
	FAKE_RECEIVE,
	FAKE_JOIN,
	FAKE_CALLOC,
	FAKE_STRNDUP,
	FAKE_CALLS,
};

#define FAKE_DEVICES	8
#define FAKE_IMPORTERS	32

/* What the test arranges, and what it can look at. */
struct fake {
	/* The machine. */
	bool no_driver;
	bool no_access;		/* the device node cannot be opened */
	uint32_t abi_version;
	uint32_t abi_oldest;
	int64_t now;
	struct ccshm_cpuid cpuid[8];
	uint32_t cpuid_leaf[8];

	/* The caller. */
	bool no_rawio;
	bool no_admin;
	bool no_chown;
	bool no_control;

	/* What INFO says besides the counts. */
	struct ccshm_ioc_info info;

	/* What REVOKE answers while devices hold on: error and results. */
	int revoke_error;
	unsigned int revoke_interrupts;
	struct ccshm_ioc_revoke revoke;

	/* The devices that there are; DEVICE answers with what is here. */
	struct ccshm_ioc_device devices[FAKE_DEVICES];

	/* What IMPORTERS answers, for any export; more of them each time. */
	struct ccshm_ioc_importer importers[FAKE_IMPORTERS];
	unsigned int nr_importers;
	unsigned int importers_come;

	/*
	 * QUERY: visits the same object again; says that the caller is a holder only.
	 * INFO: how often something changes between two calls; the number that says so.
	 */
	bool next_stuck;
	bool holder;
	unsigned int lists_changed;
	uint64_t generation;
	unsigned int infos;

	/* Netlink: what is missing; how many dumps are not consistent, of how many. */
	bool no_family;
	bool no_group;
	unsigned int dumps_changed;
	unsigned int dumps;
	/* Objects in a datagram; 0: all. The error that a dump ends with. */
	unsigned int per_datagram;
	int dump_error;
	bool wrong_size;
	uint64_t stats[CCSHM_A_STATS_EVENTS_SUPPRESSED + 1];
	uint32_t joined;

	/* The last structure as the driver got it, of each ioctl. */
	union {
		struct ccshm_ioc_info info;
		struct ccshm_ioc_alloc alloc;
		struct ccshm_ioc_free free;
		struct ccshm_ioc_open open;
		struct ccshm_ioc_query query;
		struct ccshm_ioc_export export;
		struct ccshm_ioc_revoke revoke;
		struct ccshm_ioc_attach attach;
		struct ccshm_ioc_segments segments;
		struct ccshm_ioc_detach detach;
		struct ccshm_ioc_importers importers;
		struct ccshm_ioc_pages pages;
		struct ccshm_ioc_device device;
		struct ccshm_ioc_set set;
	} got;
	unsigned long got_request;
	int got_fd;
	unsigned int count[FAKE_CALLS];

	/* The last place that was asked for, how often, and the answer. */
	size_t place_size;
	size_t place_align;
	size_t place_phase;
	unsigned int places;
	void *place;

	/* The last mmap. */
	void *mmap_hint;
	size_t mmap_size;
	int mmap_prot;
	int mmap_flags;
	off_t mmap_offset;
};

extern struct fake fake;
extern const struct ccshm_seam fake_seam;

/* Fresh machine, nothing open. A fixture of every test case. */
void fake_setup(void);

/* Nothing is left open or mapped. The other half of the fixture. */
void fake_teardown(void);

/* Let the calls of this kind after the next @skip ones fail, once. */
void fake_fail(enum fake_call call, unsigned int skip, int error);

/* Likewise for one ioctl. */
void fake_fail_ioctl(unsigned long request, int error);

/* A machine without a driver and without anything confidential. */
void fake_plain_machine(void);

/* Open files, live mappings. */
unsigned int fake_files(void);
unsigned int fake_mappings(void);

/* Objects in the driver; orphans are counted. */
unsigned int fake_objects(uint32_t type);

/* A handle with the fake driver behind it. */
struct ccshm *fake_handle(void);

/* An anonymous buffer of @pages pages; a persistent one. */
struct ccshm_buffer *fake_buffer(struct ccshm *handle, unsigned int pages);
struct ccshm_buffer *fake_named(struct ccshm *handle, const char *name);

/* The objects in the driver, one after the other; NULL behind the last. */
const struct ccshm_ioc_query *fake_object(unsigned int index);

/* fake-netlink.c: the seam's functions, and what waits to be received. */
int fake_netlink_open(void);
int fake_netlink_send(int fd, const void *message, size_t size);
int fake_netlink_receive(int fd, void *space, size_t size, bool wait);
int fake_netlink_join(int fd, uint32_t group);
void fake_netlink_clear(void);
/* Counts the call; gives the error that it has to fail with, or 0. */
int fake_enter(enum fake_call call);
/* The number of a new open file. */
int fake_socket(void);

struct nlmsghdr;

/* An event that waits; the test adds what it says. */
struct nlmsghdr *fake_event(uint32_t type);
/* Instead of one: a datagram of anything, or an error. */
void fake_datagram(const void *bytes, size_t size);
void fake_receive_error(int error);

/*
 * Memory that ends where an inaccessible page begins: reading or writing beyond
 * it is the end of the test.
 */
void *page_end(size_t size);

/* Runs the test cases that @add puts into the suite; main()'s whole work. */
int unit_main(const char *name, void (*add)(Suite *suite));

/* A test case with the fake as its fixture. */
TCase *unit_case(Suite *suite, const char *name);

#endif /* TESTS_UNIT_FAKE_H */
