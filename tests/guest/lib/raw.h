/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's interface without the library: thin wrappers of the ioctls (they return 0 or a
 * negative errno), loading the driver, the counters of the driver and of the emulator, and child
 * processes.
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
#define PAGE		4096UL	/* the kernel's page size, except with vm-pages: 16k */
#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define UNIT		(2 * MIB)

/* Users of the harness's /etc/passwd. Of them alice and bob are in group ccshm, mallory is not. */
enum { ROOT = 0, ALICE = 1001, BOB = 1002, MALLORY = 1003, GID_CCSHM = 900 };

#define CAP(name)	(1ULL << CAP_##name)

/* ---- time ---- */

int64_t now_ns(void);

/* Return the time @ms from now as a deadline for the ioctls that take one. */
int64_t in_ms(int64_t ms);
/*
 * Run on the first processor only. Child processes and per-CPU work of this process then also run
 * there.
 */
void one_processor(void);
void sleep_ms(int ms);

/*
 * Return whether the kernel checks locks and memory accesses (tests/harness/debug-kernel), which
 * makes it several times slower and its objects larger.
 */
bool debug_kernel(void);

/* ---- ioctls: return 0 or a negative errno ---- */

RAW_CHECKED int raw_ioctl(int fd, unsigned long request, void *arg);

/* Return the number of the same ioctl with an argument of another size. */
unsigned long raw_sized(unsigned long request, unsigned int size);

/* Open the device. Return a descriptor, or a negative errno. */
RAW_CHECKED int raw_open(void);
RAW_CHECKED int raw_info(int fd, struct ccshm_ioc_info *info);

/* Allocate an anonymous buffer. */
RAW_CHECKED int raw_alloc(int fd, uint64_t size, uint64_t *id);

/* Allocate a persistent buffer that the caller owns. @name may be NULL. */
RAW_CHECKED int raw_alloc_named(int fd, uint64_t size, const char *name, unsigned int mode,
				uint64_t *id);
RAW_CHECKED int raw_free(int fd, uint64_t id);

/* FREE a buffer that may have been freed already. Return 0 in both cases. */
RAW_CHECKED int raw_free_any(int fd, uint64_t id);

/* OPEN a buffer by its name. @uid: owner of the buffer; negative: the caller. */
RAW_CHECKED int raw_find(int fd, const char *name, long uid, uint64_t *id);
RAW_CHECKED int raw_query(int fd, uint64_t id, struct ccshm_ioc_query *q);

/* QUERY the next object of a type. @after: id of the previous object; 0 at first. */
RAW_CHECKED int raw_query_next(int fd, uint32_t type, uint64_t after, struct ccshm_ioc_query *q);

/*
 * EXPORT a slice. Return the descriptor of a dma-buf, or a negative errno. @export_id may be NULL.
 */
RAW_CHECKED int raw_export_slice(int fd, uint64_t id, uint64_t flags, uint64_t offset,
				 uint64_t size, uint64_t *export_id);
RAW_CHECKED int raw_export(int fd, uint64_t id, uint64_t flags, uint64_t *export_id);
RAW_CHECKED int raw_device(int fd, const char *name, struct ccshm_ioc_device *device);

/* REVOKE an object. @result may be NULL. */
RAW_CHECKED int raw_revoke(int fd, uint64_t id, uint64_t flags, int64_t deadline_ns,
			   struct ccshm_ioc_revoke *result);

/* Attach a whole buffer. Return the descriptor of the attachment, or a negative errno. */
RAW_CHECKED int raw_attach(int fd, uint64_t id, const char *device, uint64_t *attachment_id);

/*
 * Read segments of an attachment. Return the number of segments written to @segments, or a negative
 * errno. @total may be NULL.
 */
RAW_CHECKED int raw_segments(int fd, uint64_t id, struct ccshm_ioc_segment *segments,
			     unsigned int first, unsigned int capacity, unsigned int *total);
RAW_CHECKED int raw_detach(int fd, uint64_t id);

/*
 * Read the runs of pages of a buffer. Return the number of runs written to @runs, or a negative
 * errno. @size 0: up to the end of the buffer.
 */
RAW_CHECKED int raw_pages(int fd, uint64_t id, uint64_t offset, uint64_t size,
			  struct ccshm_ioc_run *runs, unsigned int capacity, uint64_t *next);

/*
 * Read the importers of an export. Return the number of importers written to @importers, or a
 * negative errno. @total may be NULL.
 */
RAW_CHECKED int raw_importers(int fd, uint64_t id, struct ccshm_ioc_importer *importers,
			      unsigned int first, unsigned int capacity, unsigned int *total);

/* Map a dma-buf. Return NULL with errno set if that fails. */
RAW_CHECKED void *raw_map(int fd, size_t size, int prot);

/* ---- the driver ---- */

RAW_CHECKED int raw_insmod(const char *path, const char *params);
RAW_CHECKED int raw_rmmod(const char *name);

/* Wait for the device node, and set its group and mode as the packages do. */
RAW_CHECKED int device_for_group(void);

/*
 * Load the driver, with group and mode of the node as on an installed system. Bail out on failure.
 */
void driver_load(void);

/* Like driver_load(), with parameters of the module. */
void driver_load_with(const char *params);
RAW_CHECKED int driver_unload(void);

/* ---- counters ---- */

/* Return a counter of /proc/vmstat, or -1 if this kernel does not have it. */
long long vmstat(const char *name);

/*
 * Return how many leaves of its direct map the kernel has split, or -1 if it does not count them.
 */
long long direct_map_splits(void);

/*
 * Wait until the kernel splits no more leaves because a module was loaded. Call this after
 * driver_load() in a suite that compares the number of splits: a work item of the kernel frees the
 * memory of the module's initialisation after an RCU grace period (do_free_init()), and splits the
 * leaves that contain this memory when it resets their permissions (vm_reset_perms()).
 */
void direct_map_settle(void);

/*
 * Return whether the host can refuse a conversion without ending the guest, as in TDX guests and
 * Realms. In an SNP guest the kernel ends the guest.
 */
RAW_CHECKED bool refusals_return(void);

/*
 * Expect the kernel's message about a refused conversion. In a TDX guest the kernel prints it
 * once.
 */
void expect_refusal(void);

/* Return a counter of the emulator, or 0 if no emulator runs. */
uint64_t rig(enum cvm_counter counter);

/*
 * Return whether the kernel changes the state of 2 MiB with one entry of a request in an SNP guest.
 * 6.1 has an entry for each 4 KiB, and makes a call for each 253 entries.
 */
bool snp_large_entries(void);
#define SNP_ENTRIES_PER_CALL	253

/* Return the number of open descriptors of this process. */
int count_fds(void);

/* Wait up to 10 s until INFO counts @nr buffers: a work item returns the memory of the others. */
RAW_CHECKED bool wait_buffers(int fd, unsigned int nr);

/* Wait up to 10 s until @bytes_shared bytes are shared: a work item returns the memory. */
RAW_CHECKED bool wait_held(int fd, uint64_t bytes_shared, struct ccshm_ioc_info *info);

/* Wait up to 10 s until an object has ended and is not listed any more. */
RAW_CHECKED bool wait_gone(int fd, uint64_t id);

/*
 * Wait up to 10 s until no object exists and no memory is shared. Return whether this happened and
 * no memory was leaked.
 */
RAW_CHECKED bool wait_clean(int fd);

/*
 * Return whether @bytes stay shared, although the driver has served its queue. To determine that
 * the queue was served, free memory, which goes to the end of the queue, and wait for its return.
 */
RAW_CHECKED bool stays_shared(uint64_t bytes);

/* Wait up to 5 s until the emulator counts @pages shared pages. */
RAW_CHECKED bool wait_rig_shared(uint64_t pages);

/* Return the offset of the first byte that differs from @value, or -1. */
long first_other(const void *p, unsigned char value, size_t size);

/* ---- kernel log ---- */

/* Return how many lines of the kernel log contain @text. */
unsigned int logged_times(const char *text);
bool logged(const char *text);

/* ---- other processes ---- */

/* Return memory that is shared with processes forked later. */
void *common(size_t size);

/*
 * Become the user @uid, with the groups of that user and with @caps as the only capabilities, also
 * if
 * @uid is ROOT.
 */
void become(uid_t uid, uint64_t caps);

#define ALL_CAPS	(~0ULL)		/* keep the capabilities (as_user, peer_start) */

/*
 * A child process that receives orders through a socket. Both sides can send values and
 * descriptors, and each wait has a time limit. The child is killed when the suite ends.
 */
struct peer {
	pid_t pid;
	int sock;
};

void peer_send(struct peer *p, int value, int fd);

/*
 * Wait up to @ms for a value, on a debug kernel up to five times @ms. If @fd is not NULL, store in
 * it the descriptor that came with the value, or -1.
 */
RAW_CHECKED bool peer_receive(struct peer *p, int *value, int *fd, int ms);

/*
 * Receive a value, and close a descriptor that came with the value. Return the value or -ETIMEDOUT.
 * Both sides can use this function.
 */
RAW_CHECKED int peer_hear(struct peer *p);

/* Send a value. Return the answer. */
RAW_CHECKED int peer_ask(struct peer *p, int value);

/*
 * Start a child that runs @fn as the user @uid (with ALL_CAPS: as the user of the suite). The
 * child sends the result of @fn as its last value.
 */
struct peer peer_start(uid_t uid, uint64_t caps, int (*fn)(struct peer *parent, void *arg),
		       void *arg);

/*
 * Return the wait status of a process, or -1 if the process has not ended after @ms, on a debug
 * kernel after five times @ms.
 */
RAW_CHECKED int reap(pid_t pid, int ms);

/* Kill the child with @sig, or with @sig 0 wait until the child ends. Return its wait status. */
RAW_CHECKED int peer_end(struct peer *p, int sig);

/*
 * End the child as peer_end() does. Report a failed test unless @sig ended the child or the child
 * exited with status 0.
 */
void peer_must_end(struct peer *p, int sig);

/*
 * Return whether a thread waits in the system call @call, of which @request is the second argument
 * (0: any), in the state @state of /proc/PID/stat, and does not stop waiting there. Return false if
 * the thread ends, or does not wait in this way within 20 s.
 */
RAW_CHECKED bool waits_in_call(pid_t tid, long call, unsigned long request, char state);

/* Return whether a thread waits in the ioctl @request (0: in any ioctl), in the state @state. */
RAW_CHECKED bool waits_in_state(pid_t tid, unsigned long request, char state);

/* Return whether a thread waits in an ioctl, in a wait that a signal would interrupt. */
RAW_CHECKED bool waits_in(pid_t tid, unsigned long request);

/*
 * Run @fn in a child process of the user @uid with only the capabilities @caps. Return the result
 * of
 * @fn, or -ECHILD if @fn did not return within 60 s. Of what @fn writes, the suite sees only writes
 * to common() memory.
 */
RAW_CHECKED int as_user(uid_t uid, uint64_t caps, int (*fn)(void *arg), void *arg);

#endif /* CCSHM_RAW_H */
