/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For suites that test the kernel's interface itself, without the library: thin
 * wrappers of the ioctls (0 or a negative errno), loading the driver, what the
 * driver and the emulator count, and helper processes.
 */
#ifndef CCSHM_RAW_H
#define CCSHM_RAW_H

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/ccshm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cvm_guest.h"
#include "tap.h"

#define RAW_CHECKED	__attribute__((warn_unused_result))
#define PAGE		4096UL	/* the kernel's, too, but in suites that say vm-pages: 16k */
#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define UNIT		(2 * MIB)

/* As in the harness's /etc/passwd; alice and bob are in group ccshm, mallory is not. */
enum { ROOT = 0, ALICE = 1001, BOB = 1002, MALLORY = 1003, GID_CCSHM = 900 };

#define CAP(name)	(1ULL << CAP_##name)

/* ---- time ---- */

int64_t now_ns(void);

/* Return a deadline for the ioctls that take one. */
int64_t in_ms(int64_t ms);
/* Run on the first processor only; so do the processes and per-CPU work that this causes. */
void one_processor(void);
void sleep_ms(int ms);

/* ---- the ioctls: 0, or a negative errno ---- */

int raw_ioctl(int fd, unsigned long request, void *arg);

/* Return the number of the same ioctl with another size. */
unsigned long raw_sized(unsigned long request, unsigned int size);

/* Open the device. Return a descriptor, or a negative errno. */
int raw_open(void);
int raw_info(int fd, struct ccshm_ioc_info *info);

/* Allocate an anonymous buffer. */
int raw_alloc(int fd, uint64_t size, uint64_t *id);

/* Allocate a persistent buffer of the caller. @name may be NULL. */
int raw_alloc_named(int fd, uint64_t size, const char *name, unsigned int mode, uint64_t *id);
int raw_free(int fd, uint64_t id);

/* OPEN a buffer by its name. @uid < 0: a buffer of the caller. */
int raw_find(int fd, const char *name, long uid, uint64_t *id);
int raw_query(int fd, uint64_t id, struct ccshm_ioc_query *q);

/* Return the descriptor of a dma-buf, or a negative errno. @export_id may be NULL. */
int raw_export_slice(int fd, uint64_t id, uint64_t flags, uint64_t offset, uint64_t size,
		     uint64_t *export_id);
int raw_export(int fd, uint64_t id, uint64_t flags, uint64_t *export_id);
int raw_device(int fd, const char *name, struct ccshm_ioc_device *device);

/* @result may be NULL. */
int raw_revoke(int fd, uint64_t id, uint64_t flags, int64_t deadline_ns,
	       struct ccshm_ioc_revoke *result);

/* Attach a whole buffer. Return the descriptor of the attachment, or a negative errno. */
int raw_attach(int fd, uint64_t id, const char *device, uint64_t *attachment_id);

/*
 * Return the number of segments that were written to @segments, or a negative errno. @total may
 * be NULL.
 */
int raw_segments(int fd, uint64_t id, struct ccshm_ioc_segment *segments, unsigned int first,
		 unsigned int capacity, unsigned int *total);
int raw_detach(int fd, uint64_t id);

/*
 * Return the number of runs that were written to @runs, or a negative errno. @size 0: up to the
 * end of the buffer.
 */
int raw_pages(int fd, uint64_t id, uint64_t offset, uint64_t size, struct ccshm_ioc_run *runs,
	      unsigned int capacity, uint64_t *next);

/*
 * Return the number of importers that were written to @importers, or a negative errno. @total may
 * be NULL.
 */
int raw_importers(int fd, uint64_t id, struct ccshm_ioc_importer *importers, unsigned int first,
		  unsigned int capacity, unsigned int *total);

/* Map a dma-buf. Return NULL with errno set if that fails. */
void *raw_map(int fd, size_t size, int prot);

/* ---- the driver ---- */

int raw_insmod(const char *path, const char *params);
int raw_rmmod(const char *name);

/* Wait for the device node, and give it to the group as the packages do. */
int device_for_group(void);

/* Load the driver with the node as users find it. Bail out if that fails. */
void driver_load(void);
int driver_unload(void);

/* ---- what is counted ---- */

/* Return a counter of /proc/vmstat, or -1 if this kernel does not have it. */
long long vmstat(const char *name);

/* Return how often the kernel has split a leaf of its direct map, or -1 if that is not known. */
long long direct_map_splits(void);

/*
 * Expect the kernel's message about a refused conversion. In a TDX guest the kernel prints it
 * once.
 */
void expect_refusal(void);

/* Return a counter of the emulator, 0 without the emulator. */
uint64_t rig(enum cvm_counter counter);

/* Return the number of open descriptors of this process. */
int count_fds(void);

/* Wait up to 10 s until the driver holds @bytes_shared; a work item returns the memory. */
bool wait_held(int fd, uint64_t bytes_shared, struct ccshm_ioc_info *info);

/*
 * Wait up to 10 s until no object exists and no memory is shared. Return whether that is so and
 * no memory was leaked.
 */
bool wait_clean(int fd);

/*
 * Return whether @bytes are shared, and the driver returns none of them: memory that is freed
 * here comes last in the driver's queue, so its return shows that the queue was served.
 */
bool stays_shared(uint64_t bytes);

/* Wait up to 5 s until the emulator counts @pages shared pages. */
bool wait_rig_shared(uint64_t pages);

/* Return the offset of the first byte that differs from @value, or -1. */
long first_other(const void *p, unsigned char value, size_t size);

/* ---- what the kernel says ---- */

/* Return how many lines of the kernel log contain @text. */
unsigned int logged_times(const char *text);
bool logged(const char *text);

/* ---- other processes ---- */

/* Return memory that is shared with processes forked later. */
void *common(size_t size);

/*
 * Become a user, with the groups of that user and with @caps as the only capabilities, even for
 * ROOT.
 */
void become(uid_t uid, uint64_t caps);

#define ALL_CAPS	(~0ULL)		/* for as_user() and peer_start(): do not change anything */

/*
 * A child process that receives orders through a socket. Values and descriptors can be sent in
 * both directions, and each wait has a limit. The child dies with the suite.
 */
struct peer {
	pid_t pid;
	int sock;
};

void peer_send(struct peer *p, int value, int fd);

/*
 * Wait up to @ms for a value. If @fd is not NULL, store the descriptor that came with the value,
 * or -1.
 */
bool peer_receive(struct peer *p, int *value, int *fd, int ms);

/* Return the next value, or -ETIMEDOUT. Both sides can use this where descriptors do not matter. */
int peer_hear(struct peer *p);

/* Send a value, and return the answer. */
int peer_ask(struct peer *p, int value);

/*
 * Start a child that runs @fn as the user @uid (with ALL_CAPS: as the user of the suite). The
 * child sends the result of @fn as its last value.
 */
struct peer peer_start(uid_t uid, uint64_t caps, int (*fn)(struct peer *parent, void *arg),
		       void *arg);

/* Return the wait status of a process, or -1 if the process has not ended after @ms. */
int reap(pid_t pid, int ms);

/* Kill the child with @sig, or with @sig 0 wait until the child ends. Return its wait status. */
int peer_end(struct peer *p, int sig);

/*
 * Return whether a thread waits in the ioctl @request (0: in any) in @state of /proc/PID/stat,
 * and continues to. Return false if the thread ends, or does not wait in that way within 20 s.
 */
bool waits_in_state(pid_t tid, unsigned long request, char state);

/* Return whether a thread waits in an ioctl so that a signal would end the wait. */
bool waits_in(pid_t tid, unsigned long request);

/*
 * Run @fn in a child that is the user @uid and has only the capabilities @caps. Return the result
 * of @fn, or -ECHILD if @fn did not return within 60 s. The suite can see writes to common()
 * memory only.
 */
int as_user(uid_t uid, uint64_t caps, int (*fn)(void *arg), void *arg);

#endif /* CCSHM_RAW_H */
