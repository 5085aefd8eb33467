// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates: how many events and log lines one user may cause, so that nobody can hide what
 * others do behind what he does himself.
 *
 * A user may cause a burst at once, and one more after each interval. The time until
 * which a user has used up his share says all of it (the generic cell rate algorithm,
 * ITU-T I.371). A user who has not used any of it needs no slot in the table. When more
 * users than there are slots are busy, those who come later share one.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "ccshm.h"

#define SLOTS	128

/**
 * struct rate - what one user may cause
 * @burst: so many at once
 * @interval: nanoseconds until there may be one more
 */
struct rate {
	u32 burst;
	u64 interval;
};

static const struct rate rates[] = {
	[CCSHM_RATE_EVENTS] = { 1000, NSEC_PER_SEC / 500 },
	[CCSHM_RATE_REFUSALS] = { 100, NSEC_PER_SEC / 10 },
	[CCSHM_RATE_LINES] = { 10, NSEC_PER_SEC / 2 },
};

#define RATES	ARRAY_SIZE(rates)

/**
 * struct slot - a user who causes something
 * @uid: the user
 * @until: for each rate: when all of the burst can be used again, ktime_get_ns()
 */
struct slot {
	kuid_t uid;
	u64 until[RATES];
};

/* Protects the slots. */
static DEFINE_SPINLOCK(rate_lock);
/* The last one is for those whom the others have no room for. */
static struct slot slots[SLOTS + 1];

static bool slot_is_idle(const struct slot *slot, u64 now)
{
	unsigned int i;

	for (i = 0; i < RATES; i++) {
		if (slot->until[i] > now)
			return false;
	}
	return true;
}

static struct slot *slot_find(kuid_t uid, u64 now)
{
	struct slot *idle = NULL;
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (slot_is_idle(&slots[i], now))
			idle = &slots[i];
		else if (uid_eq(slots[i].uid, uid))
			return &slots[i];
	}
	if (!idle)
		return &slots[SLOTS];
	idle->uid = uid;
	return idle;
}

/**
 * ccshm_rate_allows - may a user cause one more?
 * @what: of these
 * @uid: the user
 *
 * One that it allows is counted; one that it does not is not.
 *
 * Context: any that is not in an interrupt; does not wait.
 */
bool ccshm_rate_allows(enum ccshm_rate what, kuid_t uid)
{
	const struct rate *rate = &rates[what];
	u64 now = ktime_get_ns();
	bool allowed;
	u64 *until;

	spin_lock(&rate_lock);
	until = &slot_find(uid, now)->until[what];
	if (*until < now)
		*until = now;
	allowed = *until - now < rate->burst * rate->interval;
	if (allowed)
		*until += rate->interval;
	spin_unlock(&rate_lock);
	return allowed;
}
