// SPDX-License-Identifier: GPL-2.0-only
/* The members of the suite `soak`: what each of them is, and what it does with its buffers. */
#include "../guest/lib/attached.h"
#include "../guest/lib/importing.h"
#include "../guest/lib/netlink.h"
#include "../guest/lib/users.h"
#include "soak.h"

#define SLOTS		4
#define SLICE		(128 * PAGE)	/* of an attachment: at most so many segments */
#define PATIENCE	20000		/* ms until a revoke must have ended */

/* A member. */
struct me {
	enum member who;
	struct self dice;
	int dev, heap, netlink;
	struct edu edu;
	struct shared slot[SLOTS];	/* without a mapping: empty */
	uint64_t seed[SLOTS];		/* of the stamps in it */
	uint64_t next_seed;
};

/* ---- results of calls ---- */

/* Check a call that may fail for want of memory or by a limit. Return whether it succeeded. */
static bool went(int err, const char *call)
{
	if (err >= 0)
		return true;
	if (err == -ENOMEM)
		soak->done[DEED_NO_MEMORY]++;
	else if (err == -EDQUOT || err == -ENOSPC)
		soak->done[DEED_LIMIT]++;
	else
		wrong(WRONG_CALL, "%s: %s", call, tap_errno_name(err));
	return false;
}

/* Check a call that must succeed, also without memory. */
static void must_go(int err, const char *call, enum deed deed)
{
	if (err)
		wrong(WRONG_CALL, "%s: %s", call, tap_errno_name(err));
	else
		soak->done[deed]++;
}

/* ---- buffers ---- */

/* Write the stamps of a new seed to both ends of each page. */
static void slot_stamp(struct me *me, int i)
{
	me->seed[i] = ++me->next_seed;
	stamp_pages(me->slot[i].p, me->seed[i], 0, me->slot[i].size);
}

static void slot_check(struct me *me, int i)
{
	struct shared *s = &me->slot[i];

	if (!stamp_pages_check(s->p, me->seed[i], 0, s->size))
		wrong(WRONG_BYTES, "%s: buffer %llu of %zu bytes does not have its bytes",
		      member_name(me->who), (unsigned long long)s->id, s->size);
	soak->done[DEED_CHECK]++;
}

/* Unmap the buffer and close its dma-buf. */
static void slot_drop(struct shared *s)
{
	if (s->p)
		munmap(s->p, s->size);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct shared){ .fd = -1, .look = -1 };
}

static size_t some_size(struct me *me)
{
	switch (pick(&me->dice, 8)) {
	case 0:
		return UNIT;
	case 1:
		return (1 + pick(&me->dice, 2)) * UNIT + (1 + pick(&me->dice, 300)) * PAGE;
	case 2:
		return (1 + pick(&me->dice, 200)) * PAGE;
	default:
		return (1 + pick(&me->dice, 16)) * PAGE;
	}
}

/* Count what the memory of a new buffer consists of. */
static void count_kind(struct me *me, uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(me->dev, id, &q);

	if (err) {
		wrong(WRONG_CALL, "QUERY: %s", tap_errno_name(err));
		return;
	}
	soak->done[DEED_CARVED] += q.carved > 0;
	soak->done[DEED_BLOCKS] += q.units > 0;
	soak->done[DEED_SMALL] += q.blocks_small > 0;
}

static bool slot_allocate(struct me *me, struct shared *s)
{
	*s = (struct shared){ .fd = -1, .look = -1, .size = some_size(me) };
	if (me->who == MEMBER_HEAP) {
		s->fd = heap_allocate(s->size);
		soak->done[DEED_HEAP] += s->fd >= 0;
		return went(s->fd, "the heap node");
	}
	if (!went(raw_alloc(me->dev, s->size, &s->id), "ALLOC"))
		return false;
	count_kind(me, s->id);
	s->fd = raw_export(me->dev, s->id, 0, &s->export_id);
	if (went(s->fd, "EXPORT"))
		return true;
	must_go(raw_free(me->dev, s->id), "FREE", DEED_FREE);
	return false;
}

/* Allocate and map a buffer. Check that its memory is zero. */
static void slot_fill(struct me *me, int i)
{
	struct shared *s = &me->slot[i];

	if (!slot_allocate(me, s)) {
		slot_drop(s);
		sleep_ms(1 + pick(&me->dice, 10));
		return;
	}
	s->p = raw_map(s->fd, s->size, RW);
	if (!s->p) {
		(void)!went(-errno, "mmap");
		if (s->id)
			must_go(raw_free(me->dev, s->id), "FREE", DEED_FREE);
		slot_drop(s);
		return;
	}
	for (size_t at = 0; at < s->size; at += PAGE)
		if (first_other(s->p + at, 0, 64) >= 0) {
			wrong(WRONG_BYTES, "%s: a new buffer of %zu bytes is not zero at %zu",
			      member_name(me->who), s->size, at);
			break;
		}
	slot_stamp(me, i);
}

/* End a buffer in one of the ways in which programs do. */
static void slot_free(struct me *me, int i)
{
	struct shared *s = &me->slot[i];
	struct ccshm_ioc_free req = { .id = s->id, .flags = CCSHM_FREE_REVOKE };

	slot_check(me, i);
	if (!s->id) {
		slot_drop(s);
		return;
	}
	switch (pick(&me->dice, 3)) {
	case 0:
		must_go(raw_ioctl(me->dev, CCSHM_IOC_FREE, &req), "FREE", DEED_FREE_REVOKE);
		if (touch_read(s->p) != SIGBUS)
			wrong(WRONG_REVOKED, "FREE with REVOKE: the mapping can be read");
		break;
	case 1:
		/* The mapping keeps the memory. */
		must_go(raw_free(me->dev, s->id), "FREE", DEED_FREE_LATE);
		slot_check(me, i);
		break;
	default:
		munmap(s->p, s->size);
		s->p = NULL;
		must_go(raw_free(me->dev, s->id), "FREE", DEED_FREE);
	}
	slot_drop(s);
}

/* Close the file of all anonymous buffers while they are mapped, and open it again. */
static void file_close(struct me *me)
{
	if (me->who == MEMBER_HEAP)
		return;
	close(me->dev);
	for (int i = 0; i < SLOTS; i++) {
		if (me->slot[i].p)
			slot_check(me, i);
		slot_drop(&me->slot[i]);
	}
	me->dev = raw_open();
	if (me->dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-me->dev));
	soak->done[DEED_CLOSE]++;
}

/* ---- revokes ---- */

/* Check that a mapping cannot be used any more. */
static void check_revoked(struct shared *s)
{
	if (touch_read(s->p) != SIGBUS || touch_read(s->p + s->size - 1) != SIGBUS)
		wrong(WRONG_REVOKED, "after REVOKE the mapping can be read");
	if (!try_map(s->fd, PAGE, PROT_READ, MAP_SHARED))
		wrong(WRONG_REVOKED, "after REVOKE the dma-buf can be mapped");
}

static void slot_revoke(struct me *me, int i)
{
	struct shared *s = &me->slot[i];
	uint64_t id = one_in(&me->dice, 2) ? s->id : s->export_id;

	if (!s->id)
		return;
	slot_check(me, i);
	must_go(raw_revoke(me->dev, id, 0, in_ms(PATIENCE), NULL), "REVOKE", DEED_REVOKE);
	check_revoked(s);
	must_go(raw_free(me->dev, s->id), "FREE", DEED_FREE);
	slot_drop(s);
}

/* ---- devices ---- */

/*
 * Choose two offsets for a transfer in a slice of a buffer. The pages get their stamps again
 * afterwards.
 */
static void some_pages(struct me *me, size_t size, uint64_t *from, uint64_t *to)
{
	*from = pick(&me->dice, size / PAGE) * PAGE;
	*to = pick(&me->dice, size / PAGE) * PAGE;
	if (*from == *to)
		*to += TRANSFER;
}

static void stamp_again(struct me *me, int i, uint64_t at)
{
	at &= ~(PAGE - 1);
	stamp_pages(me->slot[i].p + at, me->seed[i], at, PAGE);
}

/* Let the device copy, and check the bytes. */
static void transfer(struct me *me, int i, uint64_t at, size_t size, const struct attached *a)
{
	struct shared part = me->slot[i];
	uint64_t from, to;

	part.p += at;
	some_pages(me, size, &from, &to);
	/* The device can have a transfer in progress, of a member that was killed. */
	(void)!edu_dma_wait(&me->edu);
	if (!moves_right(&me->edu, &part, a, from, to))
		wrong(WRONG_BYTES, "the device copies wrong bytes from page %llu to %llu",
		      (unsigned long long)((at + from) / PAGE), (unsigned long long)((at + to) / PAGE));
	stamp_again(me, i, at + from);
	stamp_again(me, i, at + to);
	soak->done[DEED_DMA_USER]++;
}

/* Attach a slice of a buffer to the device, copy, and detach or let the driver stop the device. */
static void slot_attach(struct me *me, int i)
{
	struct shared *s = &me->slot[i];
	size_t size = s->size < SLICE ? s->size : SLICE;
	struct ccshm_ioc_attach req = {
		.id = s->id, .size = size,
		.offset = pick(&me->dice, (s->size - size) / PAGE + 1) * PAGE,
	};
	struct attached a;
	uint64_t at = req.offset;

	if (!s->id || !went(attach_with(me->dev, &req, PCI_A, &a), "ATTACH"))
		return;
	soak->done[DEED_ATTACH]++;
	if (edu_set_bus_master(&me->edu, true))
		bail("bus mastering: %s", strerror(errno));
	transfer(me, i, at, size, &a);
	if (one_in(&me->dice, 3)) {
		must_go(raw_revoke(me->dev, a.id, CCSHM_REVOKE_FORCE, in_ms(PATIENCE), NULL),
			"REVOKE with FORCE", DEED_FORCE);
		if (edu_bus_master(&me->edu))
			wrong(WRONG_REVOKED, "after REVOKE with FORCE the device is bus master");
		close(a.fd);
	} else if (attached_end(&a)) {
		wrong(WRONG_CALL, "DETACH fails");
	}
}

/* Add a fence that signals soon, and revoke the export while the importer has it mapped. */
static void revoke_with_fence(struct me *me, int i, int imp)
{
	if (went(imp_fence_as(imp, IMPORTER_FENCE_LATE, IMPORTER_USAGE_BOOKKEEP,
			      1 + pick(&me->dice, 10)), "a fence")) {
		slot_revoke(me, i);
		soak->done[DEED_REVOKE_FENCE]++;
	}
}

/* Let the importer's device copy, and check the bytes. */
static void import_transfer(struct me *me, int i, int imp)
{
	struct shared *s = &me->slot[i];
	uint64_t from, to;

	some_pages(me, s->size, &from, &to);
	if (!imp_moves_right(imp, s->p, from, to))
		wrong(WRONG_BYTES, "the importer's device copies wrong bytes");
	stamp_again(me, i, from);
	stamp_again(me, i, to);
	soak->done[DEED_DMA_KERNEL]++;
}

/* Let a kernel driver map a buffer, and its device copy. Unmap it, or revoke the export. */
static void slot_import(struct me *me, int i)
{
	int imp = imp_open();

	if (went(imp_attach(imp, me->slot[i].fd, IMPORTER_DYNAMIC), "attach of an importer") &&
	    went(imp_map(imp, IMPORTER_BIDIRECTIONAL), "map of an importer")) {
		/* A transfer takes long: the device needs 100 ms for each direction. */
		if (one_in(&me->dice, 3))
			import_transfer(me, i, imp);
		if (!one_in(&me->dice, 4))
			revoke_with_fence(me, i, imp);
		else if (one_in(&me->dice, 2) && imp_unmap(imp))
			wrong(WRONG_CALL, "unmap of an importer fails");
	}
	close(imp);
}

/* ---- fork ---- */

/* Let a child check an inherited mapping. Kill it meanwhile, sometimes. */
static void slot_fork(struct me *me, int i)
{
	bool murder = one_in(&me->dice, 2);
	int status;
	pid_t pid = fork();

	if (pid < 0) {
		(void)!went(errno == EAGAIN ? -ENOMEM : -errno, "fork");
		return;
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		slot_check(me, i);
		_exit(0);
	}
	if (murder) {
		sleep_ms(pick(&me->dice, 4));
		kill(pid, SIGKILL);
	}
	status = reap(pid, 60000);
	/* The child can also be killed for want of memory. */
	if (status && (status < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
		wrong(WRONG_PROCESS, "a child ends with wait status 0x%x", status);
	soak->done[murder ? DEED_FORK_KILL : DEED_FORK]++;
}

/* ---- the reader ---- */

static void read_lists(struct me *me)
{
	static const uint8_t cmd[] = {
		CCSHM_CMD_BUFFER_GET, CCSHM_CMD_EXPORT_GET, CCSHM_CMD_ATTACHMENT_GET,
	};
	struct ccshm_ioc_query q = { 0 };
	uint32_t type = CCSHM_TYPE_BUFFER + pick(&me->dice, 3);
	struct nl_dump d = nl_dump(me->netlink, cmd[pick(&me->dice, 3)], NULL, NULL);
	int err;

	if (went(d.end == -ENOBUFS ? -ENOMEM : d.end, "a dump"))
		soak->done[DEED_DUMP]++;
	while (!(err = raw_query_next(me->dev, type, q.object_id, &q)))
		;
	if (err != -ENOENT)
		wrong(WRONG_CALL, "QUERY of the next object: %s", tap_errno_name(err));
	sleep_ms(pick(&me->dice, 20));
}

/* ---- operations ---- */

/* Make a transfer or check the bytes, and give the processor to others. */
static void slot_use(struct me *me, int i)
{
	if (me->who == MEMBER_DRIVER) {
		slot_attach(me, i);
	} else if (me->who == MEMBER_IMPORTER) {
		slot_import(me, i);
	} else {
		slot_check(me, i);
		slot_stamp(me, i);
	}
}

static void one_operation(struct me *me)
{
	int i = pick(&me->dice, SLOTS);

	if (me->who == MEMBER_READER) {
		read_lists(me);
		return;
	}
	if (!me->slot[i].p) {
		slot_fill(me, i);
		return;
	}
	switch (pick(&me->dice, 16)) {
	case 0:
	case 1:
	case 2:
		slot_revoke(me, i);
		break;
	case 3:
		slot_fork(me, i);
		break;
	case 4:
		file_close(me);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		slot_free(me, i);
		break;
	default:
		slot_use(me, i);
	}
}

/* ---- the process ---- */

/* Open what a member needs, as root, and become its user. */
static void member_become(struct me *me)
{
	static const uid_t uid[MEMBERS] = {
		[MEMBER_DRIVER] = ALICE, [MEMBER_BOB] = BOB, [MEMBER_CAGED] = BOB,
		[MEMBER_HEAP] = MALLORY,
	};

	prctl(PR_SET_NAME, "soak-member");
	if (write_text("/proc/self/oom_score_adj", "-500"))
		bail("oom_score_adj: %s", strerror(errno));
	if (me->who == MEMBER_CAGED)
		cage_enter();
	if (me->who == MEMBER_DRIVER && edu_open(EDU_A, &me->edu))
		bail("the device %s cannot be opened", EDU_A);
	if (me->who == MEMBER_READER)
		me->netlink = nl_socket();
	if (uid[me->who])
		become(uid[me->who], me->who == MEMBER_DRIVER ? CAP(SYS_RAWIO) : 0);
	/* The kernel forgets this when a process changes its user. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	me->dev = me->who == MEMBER_HEAP ? -1 : raw_open();
	if (me->who != MEMBER_HEAP && me->dev < 0)
		bail("%s: %s", CCSHM_DEVICE, strerror(-me->dev));
}

static void wait_while_paused(enum member who)
{
	if (!soak->pause)
		return;
	soak->parked[who] = true;
	while (soak->pause && !soak->stop)
		sleep_ms(2);
	soak->parked[who] = false;
}

static void member_run(enum member who, unsigned int incarnation)
{
	static struct me me;

	me.who = who;
	me.dice.random = stream(soak->seed, who, incarnation, 0);
	me.next_seed = pick(&me.dice, 1ULL << 20) << 4;
	for (int i = 0; i < SLOTS; i++)
		me.slot[i].fd = me.slot[i].look = -1;
	member_become(&me);
	while (!soak->stop) {
		one_operation(&me);
		soak->beats[who]++;
		wait_while_paused(who);
	}
	for (int i = 0; i < SLOTS; i++)
		if (me.slot[i].p)
			slot_free(&me, i);
	soak->parked[who] = true;
}

pid_t member_start(enum member who, unsigned int incarnation)
{
	pid_t pid;

	soak->parked[who] = false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		member_run(who, incarnation);
		_exit(0);
	}
	return pid;
}
