/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that make calls at random, are killed and started again, and all wait now and then. */
#ifndef CCSHM_CREW_H
#define CCSHM_CREW_H

#include "raw.h"

#define CREW_MAX	8

/**
 * struct crew - the processes of a suite
 * @nr: number of members, up to CREW_MAX
 * @start: start a member. Return its pid, or -1
 * @ended: take the wait status of a member that has ended
 * @is_parked: return whether the member waits, or has ended its work
 * @pid: 0: the member does not run
 * @incarnation: number of times that the member was started
 */
struct crew {
	unsigned int nr;
	pid_t (*start)(unsigned int member, unsigned int incarnation);
	void (*ended)(unsigned int member, int status);
	bool (*is_parked)(unsigned int member);
	pid_t pid[CREW_MAX];
	unsigned int incarnation[CREW_MAX];
};

void crew_start(struct crew *crew, unsigned int member);

/*
 * Kill a member, and wait for its end up to @ms milliseconds. Return 0, -ESRCH if it does not run, or
 * -ETIME if it does not end: it does not count as running then, and is not collected later.
 */
RAW_CHECKED int crew_kill(struct crew *crew, unsigned int member, int ms);

/* Take the status of each member that has ended. */
void crew_collect(struct crew *crew);

/* Return whether a member runs. */
bool crew_runs(const struct crew *crew);

/* Return whether all members that run are parked. */
bool crew_is_parked(const struct crew *crew);

#endif /* CCSHM_CREW_H */
