// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hostile host: change bytes of shared pages while the guest uses them.
 *
 * Targets are the pages that the guest has shared since it asked for this. What a kernel shares
 * while it boots (bounce buffers, the GHCB, the clock) is no target, because the tests attack
 * programs and drivers that the guest starts later. A page that becomes private is no target any more.
 *
 * Words change at each exit of the guest: in the middle of a conversion, or wherever a timer
 * has interrupted a program if another one calls the emulator then. The sequence of
 * changes depends only on the seed and on the targets.
 */
#include "cvm.h"

#define BLOCK_PAGES	512
#define BITS		64
#define PAGE_WORDS	(PAGE_SIZE / sizeof(u64))
#define HEADER_WORDS	8	/* where a program would keep lengths and offsets */

/* More than this makes an exit last so long that the guest makes no progress. */
#define PER_EXIT_MAX	4096

static u64 first;		/* address of the first page */
static u64 nr_pages;
static u64 *targets;		/* one bit a page */
static u16 *in_block;		/* number of targets in each block */
static bool flipping;
static u64 per_exit;		/* words to change at each exit */
static u64 state;		/* of the generator */

void flip_init(u64 start, u64 end)
{
	first = start;
	nr_pages = (end - start) >> PAGE_SHIFT;
	targets = rig_alloc(nr_pages / BITS * sizeof(*targets) + sizeof(*targets));
	in_block = rig_alloc(nr_pages / BLOCK_PAGES * sizeof(*in_block) + sizeof(*in_block));
}

static bool is_target(u64 page)
{
	return targets[page / BITS] & BIT(page % BITS);
}

static void set_target(u64 page, bool on)
{
	if (is_target(page) == on)
		return;
	targets[page / BITS] ^= BIT(page % BITS);
	in_block[page / BLOCK_PAGES] += on ? 1 : -1;
	counters.flip_targets += on ? 1 : -1;
}

void flip_converted(u64 gpa, bool shared)
{
	set_target((gpa - first) >> PAGE_SHIFT, shared && flipping);
}

/* Return the next number of xorshift64, which is never 0. */
static u64 random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Return the target that @n targets precede. */
static u64 find_target(u64 n)
{
	u64 block = 0, page;

	while (n >= in_block[block])
		n -= in_block[block++];
	for (page = block * BLOCK_PAGES; ; page++)
		if (is_target(page) && !n--)
			return page;
}

/* Change a word of the page, half of the times at its start. */
static void flip_word(u64 page)
{
	volatile u64 *words = memory_shared(first + (page << PAGE_SHIFT));
	u64 n = random() & 1 ? HEADER_WORDS : PAGE_WORDS;

	words[random() % n] ^= random();
	counters.flips++;
}

void flip_exit(void)
{
	u64 i;

	for (i = 0; i < per_exit && counters.flip_targets; i++)
		flip_word(find_target(random() % counters.flip_targets));
}

bool flip_begin(u64 seed, u64 words)
{
	if (words > PER_EXIT_MAX)
		return false;
	/* The generator needs a state that is not 0. */
	state = seed ? seed : 1;
	flipping = true;
	per_exit = words;
	return true;
}

void flip_end(void)
{
	u64 page;

	flipping = false;
	per_exit = 0;
	for (page = 0; page < nr_pages && counters.flip_targets; page++)
		set_target(page, false);
}
