/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer of the whole ABI, for the suite `fuzz`: processes of several users call the driver with
 * valid, nearly valid and invalid arguments, and each of them checks what it gets against a model
 * in memory that all of them share.
 *
 * The model contains only statements that hold in every order of concurrent calls: a right is added
 * to it before the call that grants the right, and an end is recorded after the call that has
 * reported the end. A process can be killed at any time, so the model has no lock.
 */
#ifndef CCSHM_FUZZ_H
#define CCSHM_FUZZ_H

#include <stdatomic.h>

#include "../guest/lib/touch.h"

#define RW		(PROT_READ | PROT_WRITE)
#define FUZZ_THREADS	2	/* threads of each process */
#define FUZZ_HANDLES	10	/* dma-bufs that a thread holds */
#define FUZZ_MAPS	8	/* mappings that a thread holds */
#define FUZZ_ATTACHED	4	/* attachments that a thread holds */
#define FUZZ_MINE	8	/* buffers that a thread remembers */
#define FUZZ_RECORDS	(1U << 20)
#define FUZZ_RECENT	64
#define FUZZ_MAX_SIZE	(5 * MIB)
#define FUZZ_MOST	4

/* The processes. Their numbers are in the patterns that they write. */
enum actor {
	ACTOR_ROOT,		/* all capabilities; limits, devices, modules */
	ACTOR_ALICE,		/* with CAP_SYS_RAWIO */
	ACTOR_ALICE_TOO,	/* the same user */
	ACTOR_BOB,
	ACTOR_MALLORY,		/* not in group ccshm, with an inherited descriptor of the device */
	ACTOR_USERNS,		/* bob as root of a user namespace */
	ACTOR_NETNS,		/* alice in a network namespace */
	ACTORS,
};

/* The faults that the fuzzer can find. */
enum fault {
	FAULT_ERRNO,	/* a call failed with an errno that is not documented for it */
	FAULT_STALE,	/* memory has bytes that nobody wrote to this buffer */
	FAULT_REVOKED,	/* memory can be accessed after a revoke */
	FAULT_SIGNAL,	/* memory cannot be accessed, and nothing was revoked */
	FAULT_ACCESS,	/* a call succeeded that the caller is not permitted to make */
	FAULT_ENDED,	/* a call succeeded for an object that has ended */
	FAULT_RESULT,	/* the result of a call is wrong */
	FAULT_SUMS,	/* the accounting does not add up */
	FAULTS,
};

/**
 * struct record - what the model has of an object
 * @id: id of the object; 0: none
 * @buffer: exports and attachments: id of the buffer
 * @rights_known: @uids, @gids, @mode, @anonymous and @allocator are valid
 * @anonymous: the buffer is anonymous
 * @allocator: process that allocated the buffer
 * @uids: users who have been its owner or may have become that, one bit each
 * @gids: the same for groups
 * @mode: all permission bits that it has had
 * @writers: processes that may have written to the buffer, one bit each
 * @tainted: the kernel may have written to the buffer
 * @freed: FREE has returned
 * @sealed: the buffer was sealed
 * @unsealed: a process may have unsealed the buffer
 * @may_revoke: a call that ends the mappings of the export or of all exports of the buffer
 *	has begun
 * @revoked: such a call has returned
 */
struct record {
	_Atomic uint64_t id;
	_Atomic uint64_t buffer;
	atomic_bool rights_known, anonymous;
	atomic_uchar allocator;
	_Atomic uint16_t uids, gids, mode;
	_Atomic uint32_t writers;
	atomic_bool tainted, freed, sealed, unsealed, may_revoke, revoked;
};

/* The kinds of operations, for the statistics. */
enum op {
	OP_INFO, OP_ALLOC, OP_FREE, OP_OPEN, OP_SET, OP_QUERY, OP_QUERY_NEXT, OP_QUERY_FD,
	OP_EXPORT, OP_REVOKE, OP_ATTACH, OP_SEGMENTS, OP_DETACH, OP_IMPORTERS, OP_PAGES,
	OP_DEVICE, OP_UNKNOWN, OP_HEAP, OP_MMAP, OP_TOUCH, OP_MREMAP, OP_MPROTECT, OP_MUNMAP,
	OP_MADVISE, OP_FORK, OP_OPATH, OP_DUP, OP_SEND, OP_RECEIVE, OP_SYNC, OP_SYNC_FILE,
	OP_POLL, OP_CLOSE, OP_READ_PROC, OP_DUMP, OP_NETLINK, OP_EVENTS, OP_LIMITS, OP_IMPORT,
	OP_RMMOD, OP_UNPLUG, OP_REOPEN, OP_REFUSE,
	OPS,
};

/**
 * struct fuzz - the memory that all processes share
 * @seed: seed of all decisions
 * @ops: number of operations of all threads together; 0: until @end
 * @made: number of operations that were made
 * @end: time at which the threads end at the latest
 * @netlink: id of the netlink family
 * @pause: the threads have to wait
 * @parked: the thread waits
 * @inbox: sockets through which a process receives and the others send descriptors
 * @recent: ids that were created last, for processes that guess ids
 * @next_recent: number of ids written to @recent
 * @good, @bad: calls that succeeded and failed, by operation
 * @faults: number of faults found
 * @shown: number of faults printed
 * @record: objects by id modulo FUZZ_RECORDS
 */
struct fuzz {
	uint64_t seed;
	uint64_t ops;
	atomic_ulong made;
	int64_t end;
	int netlink;
	atomic_bool pause;
	atomic_bool parked[ACTORS][FUZZ_THREADS];
	int inbox[ACTORS][2];
	_Atomic uint64_t recent[FUZZ_RECENT];
	atomic_uint next_recent;
	atomic_ulong good[OPS], bad[OPS];
	atomic_uint faults[FAULTS];
	atomic_uint shown;
	struct record record[FUZZ_RECORDS];
};

extern struct fuzz *fuzz;

/* A dma-buf that a thread holds. */
struct handle {
	int fd;			/* -1: none */
	bool opath, cpu;	/* an O_PATH descriptor; CPU mappings are allowed */
	bool writable;
	uint64_t export, buffer, offset, size;
};

/* A mapping that a thread holds. @offset: in the buffer. */
struct mapping {
	char *p;		/* NULL: none */
	size_t size;
	uint64_t export, buffer, offset;
	int prot;
	bool may_write;
};

/* A thread of an actor. */
struct self {
	enum actor actor;
	unsigned int thread;
	unsigned int incarnation;
	uint64_t random;
	uint64_t done;			/* operations */
	int dev, read_only, heap;	/* descriptors, or -1 */
	enum op op;			/* operation that is running */
	bool alarmed;			/* a signal may interrupt the call */
	struct handle handle[FUZZ_HANDLES];
	struct mapping map[FUZZ_MAPS];
	int attached[FUZZ_ATTACHED];	/* descriptors, or -1 */
	uint64_t attached_id[FUZZ_ATTACHED];
	uint64_t mine[FUZZ_MINE];	/* buffers that it allocated */
	int imp;			/* the importer's device, or -1 */
};

/* ---- decisions ---- */

/* Return the next number of the thread's stream of decisions, below @n. */
uint64_t pick(struct self *me, uint64_t n);
bool one_in(struct self *me, unsigned int n);

/* Return the start of a stream: a hash of the arguments. */
uint64_t stream(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

/* ---- the model ---- */

/* Report a fault of the driver. */
__attribute__((format(printf, 3, 4)))
void fault(const struct self *me, enum fault kind, const char *fmt, ...);

/* Return the user (as a bit) and the uid of a process. */
uint16_t uid_bit(uid_t uid);
uid_t actor_uid(enum actor actor);

/* Return the record of an object, or NULL if the model has none. */
struct record *record_find(uint64_t id);

/* Return the record of an object. Make it if there is none; NULL if a newer object has its place. */
struct record *record_of(uint64_t id, uint64_t buffer);

/* Add an id to those that processes guess. */
void recent_add(uint64_t id);

/* Whether the process may have this right to the buffer, at any time up to now. */
enum right { RIGHT_SEE, RIGHT_READ, RIGHT_WRITE, RIGHT_CONTROL };
bool may_have(enum actor actor, const struct record *buffer, enum right right);

/* Record that CPU mappings of an object may end, or have ended. @id: export or buffer. */
void revoke_begins(const struct self *me, uint64_t id);
void revoke_returned(uint64_t id, const uint64_t *exports, unsigned int nr);

/* Store up to @max ids of exports of a buffer that are in the model. Return their number. */
unsigned int exports_of(uint64_t buffer, uint64_t *ids, unsigned int max);

/* Whether a CPU mapping of the export may have ended, and whether it must have. */
bool may_be_revoked(uint64_t export, uint64_t buffer);
bool is_revoked(uint64_t export);

/* ---- errnos ---- */

/* Conditions under which further errnos are documented. */
#define MAY_FAULT	1	/* a pointer is not valid: EFAULT */
#define MAY_BE_BIG	2	/* bytes that the driver does not know are set: E2BIG */
#define MAY_BE_READ	4	/* the file was opened read-only: EBADF */
#define MAY_INTERRUPT	8	/* a signal may arrive: EINTR */
#define MAY_NOT_BE	16	/* the ioctl does not exist: ENOTTY */

/* Check the result of a call, and count it. Return @err. */
int judge(struct self *me, int err, unsigned int may);

/* Return the name of an operation. */
const char *op_name(enum op op);

/* ---- patterns ---- */

/* Return the word that the process writes to a page of a buffer. */
uint64_t pattern(enum actor actor, uint64_t buffer, uint64_t page);

/*
 * Check @nr words of a page of a buffer, which the caller has just read. Report bytes that no
 * process can have written.
 */
void check_words(const struct self *me, const uint64_t *words, unsigned int nr, uint64_t buffer,
		 uint64_t offset);

/* ---- operations ---- */

/* Return a handle of the thread that has a descriptor, or NULL. */
struct handle *some_handle(struct self *me);
struct mapping *some_mapping(struct self *me);

/*
 * Store a dma-buf in the thread's handles, and close one that is in its place. @like: a handle of the
 * same dma-buf; NULL: query the dma-buf.
 */
void handle_keep(struct self *me, int fd, const struct handle *like);
void handle_close(struct handle *h);

/* Return the id of an object: own, of others, recent or random. */
uint64_t some_id(struct self *me);

void op_info(struct self *me);
void op_alloc(struct self *me);
void op_free(struct self *me);
void op_open(struct self *me);
void op_set(struct self *me);
void op_query(struct self *me);
void op_query_next(struct self *me);
void op_export(struct self *me);
void op_revoke(struct self *me);
void op_attach(struct self *me);
void op_segments(struct self *me);
void op_detach(struct self *me);
void op_importers(struct self *me);
void op_pages(struct self *me);
void op_device(struct self *me);
void op_unknown(struct self *me);
void op_reopen(struct self *me);

void op_mmap(struct self *me);
void op_touch(struct self *me);
void op_mremap(struct self *me);
void op_mprotect(struct self *me);
void op_munmap(struct self *me);
void op_madvise(struct self *me);
void op_fork(struct self *me);

void op_heap(struct self *me);
void op_opath(struct self *me);
void op_dup(struct self *me);
void op_send(struct self *me);
void op_receive(struct self *me);
void op_sync(struct self *me);
void op_sync_file(struct self *me);
void op_poll(struct self *me);
void op_close(struct self *me);
void op_read_proc(struct self *me);
void op_dump(struct self *me);
void op_netlink(struct self *me);
void op_events(struct self *me);
void op_limits(struct self *me);
void op_import(struct self *me);
void op_rmmod(struct self *me);
void op_unplug(struct self *me);
void op_refuse(struct self *me);

/* Check every mapping of the thread. */
void touch_everything(struct self *me);

/* ---- processes ---- */

/* Return whether some calls of this operation must succeed in any run. */
bool fuzz_op_succeeds(enum op op);

/*
 * Return whether all operations have been made, or the time is over. Up to FUZZ_MOST times as many are
 * made until each has succeeded.
 */
bool fuzz_is_over(void);

/* Start a process. Return its pid. */
pid_t actor_start(enum actor actor, unsigned int incarnation);

#endif /* CCSHM_FUZZ_H */
