// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates: limit the events and log lines that each user causes, so that no user can flood
 * listeners and the log, and hide the actions of others.
 *
 * A user may cause a burst at once, and one more after each interval. The state of a user
 * is the time at which the whole burst is available again (the generic cell rate
 * algorithm, ITU-T I.371). A user whose whole burst is available needs no slot in the
 * table. When all slots are in use, further users share the last one.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "ccshm.h"

#define SLOTS	128

/**
 * struct rate - rate that a user must not exceed
 * @burst: number that may occur at once
 * @interval: nanoseconds after which one more may occur
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
 * struct slot - state of a user
 * @uid: user
 * @until: for each rate, the ktime_get_ns() at which the whole burst is available again
 */
struct slot {
	kuid_t uid;
	u64 until[RATES];
};

/* Protects the slots. */
static DEFINE_SPINLOCK(rate_lock);
/* The last slot is shared by users for which no other slot is free. */
static struct slot slots[SLOTS + 1];

/* Return true if the whole burst of each rate is available. */
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
 * ccshm_rate_allows - check whether a user may cause one more event or log line
 * @what: rate to check
 * @uid: user
 *
 * Count it if it is allowed.
 *
 * Context: not in an interrupt; does not sleep.
 * Return: true if it is allowed.
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
