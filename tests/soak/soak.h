/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The load of the suite `soak`: members, which are processes of several users that use the driver as
 * programs do and check every byte, and the weather, which takes memory away from them. All calls are
 * valid; tests/fuzz makes the others. The suite (tests/guest/soak.c) starts and kills the members, and
 * measures what is left when they have gone.
 */
#ifndef CCSHM_SOAK_H
#define CCSHM_SOAK_H

#include <stdatomic.h>

/* The decisions: stream(), pick() and one_in() of a struct self. */
#include "../fuzz/fuzz.h"

/* The members. */
enum member {
	MEMBER_DRIVER,		/* alice, with CAP_SYS_RAWIO: a device that user space programs */
	MEMBER_IMPORTER,	/* root: a device with a kernel driver */
	MEMBER_BOB,
	MEMBER_CAGED,		/* bob in a memory cgroup with little memory */
	MEMBER_HEAP,		/* mallory: the heap node */
	MEMBER_READER,		/* root: dumps and QUERY of everything, meanwhile */
	MEMBERS,
};

/* What the members and the weather do, for the statistics. Each must happen. */
enum deed {
	DEED_CARVED, DEED_BLOCKS, DEED_SMALL, DEED_HEAP, DEED_CHECK, DEED_FREE, DEED_FREE_REVOKE,
	DEED_FREE_LATE, DEED_CLOSE, DEED_REVOKE, DEED_REVOKE_FENCE, DEED_ATTACH, DEED_FORCE,
	DEED_DMA_USER, DEED_DMA_KERNEL, DEED_FORK, DEED_FORK_KILL, DEED_DUMP, DEED_NO_MEMORY,
	DEED_LIMIT, DEED_KILL, DEED_KILL_CAGED, DEED_OOM, DEED_FRAGMENT, DEED_SUMS, DEED_SAMPLE,
	DEEDS,
};

/* The faults that the suite can find. */
enum wrong {
	WRONG_BYTES,	/* memory does not contain what was written to it */
	WRONG_CALL,	/* a call failed, and not for want of memory or by a limit */
	WRONG_REVOKED,	/* memory can be accessed after a revoke */
	WRONG_PROCESS,	/* a process ended in an unexpected way, or does not make progress */
	WRONG_SUMS,	/* the accounting does not add up */
	WRONG_LEFT,	/* something is left when all members have gone */
	WRONG_RIG,	/* the emulator has counted a violation */
	WRONGS,
};

/**
 * struct soak - the memory that all processes share
 * @seed: seed of all decisions
 * @stop: the members release everything and end
 * @pause: the members make no calls until it is cleared
 * @parked: the member has stopped for @pause, or has ended
 * @beats: operations of each member, from which the suite sees that it makes progress
 * @done: deeds
 * @wrongs: faults
 * @shown: number of faults printed
 */
struct soak {
	uint64_t seed;
	atomic_bool stop, pause;
	atomic_bool parked[MEMBERS];
	atomic_ulong beats[MEMBERS];
	atomic_ulong done[DEEDS];
	atomic_uint wrongs[WRONGS];
	atomic_uint shown;
};

extern struct soak *soak;

/* Report a fault. */
__attribute__((format(printf, 2, 3)))
void wrong(enum wrong kind, const char *fmt, ...);

/* Return the names of a deed and a member. */
const char *deed_name(enum deed deed);
const char *member_name(enum member who);

/* ---- members ---- */

/* Start a member. Return its pid, or -1 if there is no memory for a process. */
pid_t member_start(enum member who, unsigned int incarnation);

/* ---- weather ---- */

/* What takes memory away in a round, one bit each. */
enum weather {
	WEATHER_CAGE,		/* a process exhausts the memory of its cgroup */
	WEATHER_LIMITS,		/* limits are low */
	WEATHER_FRAGMENTED,	/* no block of 2 MiB is free */
	WEATHER_OOM,		/* a process exhausts the memory of the guest */
	WEATHERS,
};

/* Make the memory cgroups, in the current directory; remove them. */
void cages_begin(void);
void cages_end(void);

/* Move this process to the cgroup of the caged member. Return how many KiB are charged to it. */
void cage_enter(void);
long long cage_charged(void);

/* Begin the weather of a round; continue it; end it. @weather: bits. */
void weather_begin(struct self *boss, unsigned int weather);
void weather_continue(void);
void weather_end(void);

/* Return whether the weather of the round has done what it is for. */
bool weather_is_over(void);

/* ---- what is left ---- */

/* Take a sample of the memory and of the slab caches. No member exists. */
void sample_take(void);

/* Return the number of samples. */
unsigned int samples(void);

/*
 * Compare the last quarter of the samples with the first. Print the differences. Return the largest
 * number of objects by which a slab cache has grown, and store its name.
 */
long long slab_slope(char *cache, size_t size);

/* Return how many KiB more are charged to the cgroup of the caged member, in the same way. */
long long cage_slope(void);

/* Return how many KiB of memory are missing in the last quarter compared with the first. */
long long memory_slope(void);

#endif /* CCSHM_SOAK_H */
