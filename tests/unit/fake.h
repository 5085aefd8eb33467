/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fake driver and system within the test process: a small model of the ABI of
 * <linux/ccshm.h>, which the library calls through its seam. The fake driver refuses what
 * the real driver refuses, counts open files and mappings, and fails on request.
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

/* The calls that a test can cause to fail. */
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

/* The state that a test can set and read. */
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

	/* The results of INFO, except the counts. */
	struct ccshm_ioc_info info;

	/*
	 * FREE moves free_quarantines bytes to the quarantine, because a conversion fails. They
	 * leave it in the call of INFO with this number from then on, if it is not 0: private, or
	 * leaked.
	 */
	uint64_t free_quarantines;
	unsigned int quarantine_infos;
	bool quarantine_leaks;

	/* The error and results of REVOKE while devices still use the memory. */
	int revoke_error;
	unsigned int revoke_interrupts;
	struct ccshm_ioc_revoke revoke;

	/* The devices, with the results of DEVICE. */
	struct ccshm_ioc_device devices[FAKE_DEVICES];

	/* The results of IMPORTERS for any export; each call adds importers_come importers. */
	struct ccshm_ioc_importer importers[FAKE_IMPORTERS];
	unsigned int nr_importers;
	unsigned int importers_come;

	/*
	 * next_stuck: QUERY for the next object returns the first object each time.
	 * holder: QUERY reports that the caller is only a holder.
	 * next_replaced: how often a buffer is replaced when QUERY for the next object returns it.
	 * no_next_id: INFO does not report next_id, as older drivers.
	 * lists_changed: number of pairs of INFO calls between which the generation changes.
	 */
	bool next_stuck;
	bool holder;
	unsigned int next_replaced;
	bool no_next_id;
	unsigned int lists_changed;
	uint64_t generation;
	unsigned int infos;

	/* Netlink: missing family or group; number of inconsistent dumps, and of dumps made. */
	bool no_family;
	bool no_group;
	unsigned int dumps_changed;
	unsigned int dumps;
	/* Objects in a datagram (0: all); the error at the end of a dump. */
	unsigned int per_datagram;
	int dump_error;
	bool wrong_size;
	uint64_t stats[CCSHM_A_STATS_EVENTS_SUPPRESSED + 1];
	/* How often the driver was loaded again; the joined groups. */
	unsigned int reloads;
	uint32_t joined;
	bool joined_notify;

	/* The structure of the last ioctl, as the driver received it. */
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

	/*
	 * Bytes that reserve() allocates in the period of the caller's timer; a call for more is
	 * interrupted. 0: no timer.
	 */
	off_t reserve_signal;

	/* The arguments of the last call of place(), the number of calls, and the result. */
	size_t place_size;
	size_t place_align;
	size_t place_phase;
	unsigned int places;
	void *place;

	/* The arguments of the last mmap(). */
	void *mmap_hint;
	size_t mmap_size;
	int mmap_prot;
	int mmap_flags;
	off_t mmap_offset;
};

extern struct fake fake;
extern const struct ccshm_seam fake_seam;

/* Set up a machine with a driver and without open files. Each test case has this fixture. */
void fake_setup(void);

/* Check that no file is open and nothing is mapped; free everything. */
void fake_teardown(void);

/* Let the call of this kind after the next @skip ones fail, once. */
void fake_fail(enum fake_call call, unsigned int skip, int error);

/* Let the next ioctl with this request fail, once. */
void fake_fail_ioctl(unsigned long request, int error);

/* Set up a machine that has no driver and is not confidential. */
void fake_plain_machine(void);

/* Return the number of open files; of mappings. */
unsigned int fake_files(void);
unsigned int fake_mappings(void);

/* Return the number of objects of a type, including orphans. */
unsigned int fake_objects(uint32_t type);

/* Open a handle on the fake driver. */
struct ccshm *fake_handle(void);

/* Allocate an anonymous buffer of @pages pages; a persistent buffer. */
struct ccshm_buffer *fake_buffer(struct ccshm *handle, unsigned int pages);
struct ccshm_buffer *fake_named(struct ccshm *handle, const char *name);

/* Return the object at @index; NULL after the last one. */
const struct ccshm_ioc_query *fake_object(unsigned int index);

/* fake-netlink.c: the seam's functions; discard all waiting datagrams. */
int fake_netlink_open(void);
int fake_netlink_send(int fd, const void *message, size_t size);
int fake_netlink_receive(int fd, void *space, size_t size, bool wait);
int fake_netlink_join(int fd, uint32_t group);
void fake_netlink_clear(void);
/* Count the call; return the error that the call has to fail with, or 0. */
int fake_enter(enum fake_call call);
/* Return the descriptor of a new socket. */
int fake_socket(void);

struct nlmsghdr;

/* Queue an event; the test adds its attributes. */
struct nlmsghdr *fake_event(uint32_t type);
/* Queue the report of nlctrl that a family was removed; 31 is the fake driver's. */
void fake_family_removed(uint16_t family);
/* Queue a datagram with any contents; an error. */
void fake_datagram(const void *bytes, size_t size);
void fake_receive_error(int error);

/*
 * Allocate memory that ends at an inaccessible page: an access beyond its end ends the
 * test.
 */
void *page_end(size_t size);

/* Run the test cases that @add adds to the suite. Return the exit status of main(). */
int unit_main(const char *name, void (*add)(Suite *suite));

/* Add a test case with the fixture of the fake driver. */
TCase *unit_case(Suite *suite, const char *name);

#endif /* TESTS_UNIT_FAKE_H */
