// SPDX-License-Identifier: GPL-2.0-only
/* The decisions of the fuzzer, and its model of what processes may do and see. */
#include "fuzz.h"

struct fuzz *fuzz;

/* ---- decisions ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint64_t stream(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
	return mix(mix(mix(mix(seed + 1) + a) + b) + c);
}

uint64_t pick(struct self *me, uint64_t n)
{
	me->random += 0x9e3779b97f4a7c15ULL;
	return n ? mix(me->random) % n : 0;
}

bool one_in(struct self *me, unsigned int n)
{
	return !pick(me, n);
}

/* ---- faults ---- */

#define SHOWN	20

static const char *const actor_names[ACTORS] = {
	"root", "alice", "alice-too", "bob", "mallory", "userns", "netns",
};

void fault(const struct self *me, enum fault kind, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	int n;

	fuzz->faults[kind]++;
	if (fuzz->shown++ >= SHOWN)
		return;
	n = me ? snprintf(text, sizeof(text), "found by %s.%u.%u, operation %llu, %s: ",
			  actor_names[me->actor], me->incarnation, me->thread,
			  (unsigned long long)me->done, op_name(me->op)) :
		 snprintf(text, sizeof(text), "found by the suite: ");
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	diag("%s", text);
}

/* ---- users ---- */

uid_t actor_uid(enum actor actor)
{
	static const uid_t uid[ACTORS] = { ROOT, ALICE, ALICE, BOB, MALLORY, BOB, ALICE };

	return uid[actor];
}

uint16_t uid_bit(uid_t uid)
{
	switch (uid) {
	case ROOT: return 1;
	case ALICE: return 2;
	case BOB: return 4;
	case MALLORY: return 8;
	case GID_CCSHM: return 16;
	default: return 0;
	}
}

/* ---- records ---- */

struct record *record_find(uint64_t id)
{
	struct record *r = &fuzz->record[id % FUZZ_RECORDS];

	return id && r->id == id ? r : NULL;
}

/* In place of an id: a process clears the record of an older object. */
#define CLEARING	(~0ULL)

struct record *record_of(uint64_t id, uint64_t buffer)
{
	struct record *r = &fuzz->record[id % FUZZ_RECORDS];
	uint64_t old = r->id;

	/* If a process was killed while it cleared the record, the model does not know the object. */
	if (!id || id >> 32 || old > id)
		return NULL;
	if (old != id) {
		if (!atomic_compare_exchange_strong(&r->id, &old, CLEARING))
			return old == id ? r : NULL;
		r->rights_known = r->anonymous = false;
		r->tainted = r->freed = r->sealed = r->unsealed = false;
		r->may_revoke = r->revoked = false;
		r->uids = r->gids = r->mode = 0;
		r->writers = 0;
		r->buffer = 0;
		r->id = id;
	}
	if (buffer)
		r->buffer = buffer;
	return r;
}

void recent_add(uint64_t id)
{
	fuzz->recent[fuzz->next_recent++ % FUZZ_RECENT] = id;
}

static bool has_mode(enum actor actor, const struct record *b, unsigned int bits)
{
	uint16_t user = uid_bit(actor_uid(actor)), groups = user;

	if (user & (uid_bit(ALICE) | uid_bit(BOB)))
		groups |= uid_bit(GID_CCSHM);
	return (b->uids & user && b->mode >> 6 & bits) ||
	       (b->gids & groups && b->mode >> 3 & bits) || b->mode & bits;
}

bool may_have(enum actor actor, const struct record *b, enum right right)
{
	bool same_user = b->uids & uid_bit(actor_uid(actor));

	if (actor == ACTOR_ROOT || !b->rights_known)
		return true;
	/* An anonymous buffer that has ended is visible to its user, who can also revoke it. */
	if (b->anonymous)
		return right == RIGHT_SEE || right == RIGHT_CONTROL ? same_user :
		       b->allocator == actor;
	switch (right) {
	case RIGHT_SEE:
		return same_user || has_mode(actor, b, 6);
	case RIGHT_READ:
		return has_mode(actor, b, 6);
	case RIGHT_WRITE:
		return has_mode(actor, b, 2);
	default:
		return same_user;
	}
}

/* ---- revokes ---- */

void revoke_begins(const struct self *me, uint64_t id)
{
	struct record *r = record_of(id, 0), *b = r && r->buffer ? record_find(r->buffer) : r;

	/* A call that succeeds without permission is a fault of another kind. */
	if (r && (!b || may_have(me->actor, b, RIGHT_CONTROL)))
		r->may_revoke = true;
}

unsigned int exports_of(uint64_t buffer, uint64_t *ids, unsigned int max)
{
	unsigned int nr = 0;

	/* Those of a process that exports right now may be missing. */
	for (unsigned int i = 0; i < FUZZ_RECENT && nr < max; i++) {
		struct record *r = record_find(fuzz->recent[i]);

		if (r && r->buffer == buffer)
			ids[nr++] = fuzz->recent[i];
	}
	return nr;
}

void revoke_returned(uint64_t id, const uint64_t *exports, unsigned int nr)
{
	struct record *r = record_find(id);

	if (r)
		r->revoked = true;
	for (unsigned int i = 0; i < nr; i++) {
		r = record_find(exports[i]);
		if (r)
			r->revoked = true;
	}
}

bool may_be_revoked(uint64_t export, uint64_t buffer)
{
	struct record *e = record_find(export), *b = record_find(buffer);

	return !e || e->may_revoke || !b || b->may_revoke;
}

bool is_revoked(uint64_t export)
{
	struct record *e = record_find(export);

	return e && e->revoked;
}

/* ---- patterns ---- */

#define PATTERN_MARK	0xc5ULL
#define BUFFER_MASK	0xfffffffULL
#define PAGE_MASK_20	0xfffffULL

uint64_t pattern(enum actor actor, uint64_t buffer, uint64_t page)
{
	return PATTERN_MARK << 56 | (uint64_t)(actor + 1) << 48 | (buffer & BUFFER_MASK) << 20 |
	       (page & PAGE_MASK_20);
}

/* Return what is wrong with a word, or NULL. */
static const char *word_wrong(uint64_t word, const struct record *b, uint64_t buffer, uint64_t page)
{
	unsigned int writer = (word >> 48 & 0xff) - 1;

	if (!word)
		return NULL;
	if (word >> 56 != PATTERN_MARK || writer >= ACTORS)
		return "bytes that no process wrote";
	if ((word >> 20 & BUFFER_MASK) != (buffer & BUFFER_MASK))
		return "bytes of another buffer";
	if ((word & PAGE_MASK_20) != (page & PAGE_MASK_20))
		return "bytes of another page";
	if (b && !(b->writers & 1U << writer))
		return "bytes of a process that did not write to the buffer";
	return NULL;
}

void check_words(const struct self *me, const uint64_t *words, unsigned int nr, uint64_t buffer,
		 uint64_t offset)
{
	struct record *b = record_find(buffer);

	if (b && b->tainted)
		return;
	for (unsigned int i = 0; i < nr; i++) {
		const char *why = word_wrong(words[i], b, buffer, offset / PAGE);

		if (!why)
			continue;
		fault(me, FAULT_STALE,
		      "buffer %llu, page %llu, word %u: %s: 0x%016llx, between 0x%016llx and 0x%016llx",
		      (unsigned long long)buffer, (unsigned long long)(offset / PAGE), i, why,
		      (unsigned long long)words[i], (unsigned long long)(i ? words[i - 1] : 0),
		      (unsigned long long)(i + 1 < nr ? words[i + 1] : 0));
		return;
	}
}
