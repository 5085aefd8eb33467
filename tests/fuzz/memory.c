// SPDX-License-Identifier: GPL-2.0-only
/* Operations of the fuzzer: mappings of dma-bufs, and what they contain. */
#include "fuzz.h"

#ifndef MADV_COLLAPSE		/* Debian 12's C library does not have it */
#define MADV_COLLAPSE	25
#endif

#define WORDS	(PAGE / sizeof(uint64_t))

struct mapping *some_mapping(struct self *me)
{
	for (unsigned int i = pick(me, FUZZ_MAPS), n = 0; n < FUZZ_MAPS; n++, i++)
		if (me->map[i % FUZZ_MAPS].p)
			return &me->map[i % FUZZ_MAPS];
	return NULL;
}

static void mapping_end(struct mapping *m)
{
	munmap(m->p, m->size);
	m->p = NULL;
}

/* Store a mapping in place of another. */
static void mapping_keep(struct self *me, struct mapping new)
{
	struct mapping *m = &me->map[pick(me, FUZZ_MAPS)];

	if (m->p)
		mapping_end(m);
	*m = new;
}

/* ---- mmap ---- */

static int some_prot(struct self *me, const struct handle *h)
{
	static const int odd[] = {
		PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC, RW | PROT_EXEC, RW,
	};

	if (one_in(me, 5))
		return odd[pick(me, sizeof(odd) / sizeof(odd[0]))];
	return h->writable ? RW : PROT_READ;
}

static int some_flags(struct self *me)
{
	switch (pick(me, 24)) {
	case 0:
		return MAP_PRIVATE;
	case 1:
		return MAP_SHARED | MAP_POPULATE;
	case 2:
		return MAP_SHARED | MAP_LOCKED;
	case 3:
		return MAP_SHARED_VALIDATE | (one_in(me, 2) ? MAP_SYNC : 0);
	case 4:
		return MAP_SHARED | MAP_HUGETLB;
	case 5:
		return MAP_SHARED | MAP_NORESERVE;
	default:
		return MAP_SHARED;
	}
}

/* Return what is wrong with a new mapping, or NULL. */
static const char *mapping_wrong(const struct handle *h, size_t size, int prot, int flags,
				 uint64_t offset)
{
	if (h->opath)
		return "an O_PATH descriptor";
	if (!h->cpu)
		return "an export without CPU access";
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return "MAP_PRIVATE";
	if (prot & PROT_EXEC)
		return "PROT_EXEC";
	if (prot & PROT_WRITE && !h->writable)
		return "PROT_WRITE of a read-only export";
	if (offset + size > h->size || offset + size < offset)
		return "a range beyond the end";
	return NULL;
}

void op_mmap(struct self *me)
{
	struct handle *h = some_handle(me);
	uint64_t offset = 0, size;
	int prot, flags;
	const char *why;
	bool revoked;
	char *p;

	me->op = OP_MMAP;
	if (!h || h->fd < 0)
		return;
	size = h->size;
	if (one_in(me, 3) && size > PAGE) {
		offset = pick(me, size / PAGE) * PAGE;
		size = (1 + pick(me, (size - offset) / PAGE)) * PAGE;
	}
	if (one_in(me, 16))
		offset = one_in(me, 2) ? size + PAGE : (1ULL << 63) - PAGE;
	if (one_in(me, 16))
		size += PAGE;
	prot = some_prot(me, h);
	flags = some_flags(me);
	revoked = is_revoked(h->export);
	if (one_in(me, 4) && size >= UNIT)
		p = mmap(aligned_space(size), size, prot, flags | MAP_FIXED, h->fd, offset);
	else
		p = mmap(NULL, size, prot, flags, h->fd, offset);
	if (judge(me, p == MAP_FAILED ? -errno : 0, 0))
		return;
	why = mapping_wrong(h, size, prot, flags, offset);
	if (why)
		fault(me, FAULT_RESULT, "mmap succeeds: %s", why);
	if (revoked)
		fault(me, FAULT_REVOKED, "mmap of export %llu after REVOKE succeeds",
		      (unsigned long long)h->export);
	mapping_keep(me, (struct mapping){
		.p = p, .size = size, .export = h->export, .buffer = h->buffer,
		.offset = h->offset + offset, .prot = prot, .may_write = h->writable,
	});
}

/* ---- access ---- */

/* Write the pattern of this process to @nr words. Return 0 or the signal. */
static int page_write(struct self *me, char *p, uint64_t buffer, uint64_t offset, unsigned int nr)
{
	uint64_t words[WORDS], word = pattern(me->actor, buffer, offset / PAGE);
	struct record *b = record_of(buffer, 0);

	/* Without a record, no process could know whose bytes these are. */
	if (!b)
		return 0;
	b->writers |= 1U << me->actor;
	for (unsigned int i = 0; i < nr; i++)
		words[i] = word;
	return touch_copy((uint64_t *)p + pick(me, WORDS - nr + 1), words, nr);
}

/* Check the signal of an access to a mapping. @revoked: whether it was revoked before the access. */
static void check_signal(struct self *me, const struct mapping *m, int sig, int needs, bool revoked)
{
	bool permitted = (m->prot & needs) == needs;

	if (!sig && revoked)
		fault(me, FAULT_REVOKED, "export %llu can be accessed after REVOKE",
		      (unsigned long long)m->export);
	if (!sig && !permitted)
		fault(me, FAULT_ACCESS, "export %llu can be accessed without PROT",
		      (unsigned long long)m->export);
	if (sig == SIGSEGV && permitted)
		fault(me, FAULT_SIGNAL, "an access to export %llu: SIGSEGV",
		      (unsigned long long)m->export);
	if (sig == SIGBUS && !may_be_revoked(m->export, m->buffer))
		fault(me, FAULT_SIGNAL, "an access to export %llu, which was not revoked: SIGBUS",
		      (unsigned long long)m->export);
}

static void touch_page(struct self *me, const struct mapping *m, uint64_t at)
{
	bool revoked = is_revoked(m->export);
	uint64_t words[WORDS];
	int sig, readable = m->prot & PROT_WRITE ? 0 : PROT_READ;

	sig = touch_copy(words, (uint64_t *)(m->p + at), WORDS);
	check_signal(me, m, sig, readable, revoked);
	if (!sig)
		check_words(me, words, WORDS, m->buffer, m->offset + at);
	(sig ? fuzz->bad : fuzz->good)[OP_TOUCH]++;
	if (!(m->prot & PROT_WRITE) && !one_in(me, 8))
		return;
	revoked = is_revoked(m->export);
	sig = page_write(me, m->p + at, m->buffer, m->offset + at,
			 one_in(me, 2) ? WORDS : 1 + pick(me, 16));
	if (record_find(m->buffer))
		check_signal(me, m, sig, PROT_WRITE, revoked);
}

void op_touch(struct self *me)
{
	struct mapping *m = some_mapping(me);

	me->op = OP_TOUCH;
	if (!m)
		return;
	for (int i = 0; i < 3; i++)
		touch_page(me, m, pick(me, m->size / PAGE) * PAGE);
}

void touch_everything(struct self *me)
{
	me->op = OP_TOUCH;
	for (int i = 0; i < FUZZ_MAPS; i++) {
		struct mapping *m = &me->map[i];

		for (uint64_t at = 0; m->p && at < m->size; at += PAGE * (1 + pick(me, 16)))
			touch_page(me, m, at);
	}
}

/* ---- changes of mappings ---- */

void op_mremap(struct self *me)
{
	struct mapping *m = some_mapping(me);
	size_t size, old;
	char *p;

	me->op = OP_MREMAP;
	if (!m)
		return;
	old = one_in(me, 12) ? 0 : m->size;
	size = one_in(me, 3) ? m->size : (1 + pick(me, m->size / PAGE + 2)) * PAGE;
	/* After a failure, the space can already belong to another thread: it is not released. */
	if (one_in(me, 3))
		p = mremap(m->p, old, size, MREMAP_MAYMOVE | MREMAP_FIXED, aligned_space(size));
	else
		p = mremap(m->p, old, size, one_in(me, 4) ? 0 : MREMAP_MAYMOVE);
	if (judge(me, p == MAP_FAILED ? -errno : 0, 0))
		return;
	if (!old) {	/* a second mapping */
		struct mapping second = *m;

		second.p = p;
		second.size = size < m->size ? size : m->size;
		mapping_keep(me, second);
		return;
	}
	if (size > m->size)
		fault(me, FAULT_RESULT, "mremap makes a mapping of export %llu larger",
		      (unsigned long long)m->export);
	m->p = p;
	m->size = size < m->size ? size : m->size;
}

void op_mprotect(struct self *me)
{
	static const int prot[] = { PROT_NONE, PROT_READ, PROT_WRITE, RW, PROT_READ | PROT_EXEC };
	struct mapping *m = some_mapping(me);
	int want = prot[pick(me, sizeof(prot) / sizeof(prot[0]))];

	me->op = OP_MPROTECT;
	if (!m || judge(me, mprotect(m->p, m->size, want) ? -errno : 0, 0))
		return;
	if (want & PROT_EXEC || (want & PROT_WRITE && !m->may_write))
		fault(me, FAULT_ACCESS, "mprotect of export %llu to %d succeeds",
		      (unsigned long long)m->export, want);
	m->prot = want;
}

void op_munmap(struct self *me)
{
	struct mapping *m = some_mapping(me), rest;
	uint64_t cut;

	me->op = OP_MUNMAP;
	if (!m)
		return;
	rest = *m;
	cut = one_in(me, 2) ? 0 : pick(me, m->size / PAGE) * PAGE;
	/* Unmap the end, or a page in the middle. */
	if (cut && cut + PAGE < m->size && one_in(me, 2)) {
		if (judge(me, munmap(m->p + cut, PAGE) ? -errno : 0, 0))
			return;
		rest.p += cut + PAGE;
		rest.offset += cut + PAGE;
		rest.size -= cut + PAGE;
		m->size = cut;
		mapping_keep(me, rest);
		return;
	}
	if (judge(me, munmap(m->p + cut, m->size - cut) ? -errno : 0, 0))
		return;
	m->size = cut;
	if (!cut)
		m->p = NULL;
}

void op_madvise(struct self *me)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_WILLNEED, MADV_PAGEOUT, MADV_COLD, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_FREE, MADV_REMOVE, MADV_DOFORK,
		MADV_DODUMP, MADV_DONTDUMP, MADV_SEQUENTIAL, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_COLLAPSE,
	};
	struct mapping *m = some_mapping(me);
	unsigned char there[FUZZ_MAX_SIZE / PAGE + 1024];

	me->op = OP_MADVISE;
	if (!m)
		return;
	switch (pick(me, 6)) {
	case 0:
		(void)!judge(me, mlock(m->p, m->size) ? -errno : 0, 0);
		munlock(m->p, m->size);
		break;
	case 1:
		(void)!judge(me, msync(m->p, m->size, MS_SYNC) ? -errno : 0, 0);
		break;
	case 2:
		if (m->size / PAGE < sizeof(there))
			(void)!judge(me, mincore(m->p, m->size, there) ? -errno : 0, 0);
		break;
	default:
		(void)!judge(me, madvise(m->p, m->size,
					 advice[pick(me, sizeof(advice) / sizeof(advice[0]))]) ?
				 -errno : 0, 0);
	}
}

/* ---- fork ---- */

/*
 * Fork. The child checks the mappings that it has inherited, makes some calls, and ends or is
 * killed, with its mappings.
 */
void op_fork(struct self *me)
{
	unsigned int calls = pick(me, 12), how = pick(me, 3);
	uint64_t seed = pick(me, 1ULL << 40);
	int status;
	pid_t pid;

	me->op = OP_FORK;
	pid = fork();
	if (judge(me, pid < 0 ? -errno : 0, 0))
		return;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me->random = seed;
		touch_everything(me);
		for (unsigned int i = 0; i < calls; i++) {
			static void (*const ops[])(struct self *me) = {
				op_touch, op_alloc, op_export, op_mmap, op_free, op_revoke,
				op_query, op_munmap,
			};

			ops[pick(me, sizeof(ops) / sizeof(ops[0]))](me);
		}
		touch_everything(me);
		_exit(0);
	}
	if (how == 1)
		touch_everything(me);
	if (how == 2) {
		sleep_ms(pick(me, 4));
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		fault(me, FAULT_SIGNAL, "a child ends by signal %d", WTERMSIG(status));
}
