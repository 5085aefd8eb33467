// SPDX-License-Identifier: GPL-2.0-only
/* Operations of the fuzzer: the ioctls of the device and of attachments. */
#include "../guest/lib/device.h"
#include "fuzz.h"

/* ---- arguments ---- */

#define BAD_ID	(1ULL << 40)

uint64_t some_id(struct self *me)
{
	struct handle *h;

	switch (pick(me, 8)) {
	case 0:
		return pick(me, 2) ? 0 : BAD_ID + pick(me, 1000);
	case 1:
		return me->attached_id[pick(me, FUZZ_ATTACHED)];
	case 2:
		h = some_handle(me);
		return h ? h->export : 0;
	case 3:
		h = some_handle(me);
		return h ? h->buffer : 0;
	default:
		return fuzz->recent[pick(me, FUZZ_RECENT)];
	}
}

/* Return the id of a buffer, nearly always. */
static uint64_t some_buffer(struct self *me)
{
	for (int i = 0; i < 6; i++) {
		uint64_t id = one_in(me, 2) ? me->mine[pick(me, FUZZ_MINE)] : some_id(me);
		struct record *r = record_find(id);

		if (r && !r->buffer && !r->freed)
			return id;
	}
	return some_id(me);
}

/* Return a descriptor of any kind, or a number that is none. */
static int some_fd(struct self *me)
{
	struct handle *h = some_handle(me);

	switch (pick(me, 8)) {
	case 0:
		return -1 - (int)pick(me, 3);
	case 1:
		return me->attached[pick(me, FUZZ_ATTACHED)];
	case 2:
		return me->dev;
	case 3:
		return 100000;
	default:
		return h ? h->fd : 0;
	}
}

static uint64_t odd_number(struct self *me)
{
	static const uint64_t odd[] = {
		0, 1, PAGE - 1, PAGE, PAGE + 1, UNIT, ~0ULL, ~0ULL - PAGE + 1, 1ULL << 63,
		(1ULL << 63) - PAGE, 1ULL << 32, (1ULL << 32) - 1, 1ULL << 52, 0x7fffffffULL,
	};

	return one_in(me, 4) ? pick(me, 0) + me->random : odd[pick(me, sizeof(odd) / sizeof(odd[0]))];
}

/* Return an offset or a size in a buffer of about @size bytes. */
static uint64_t some_offset(struct self *me, uint64_t size)
{
	if (one_in(me, 16))
		return odd_number(me);
	return pick(me, size / PAGE + 1) * PAGE;
}

static void some_name(struct self *me, char *name)
{
	static const char *const odd[] = { "", "-x", "a/b", "\xc3\xa9", "1st", " ", "_", "." };

	memset(name, 0, CCSHM_NAME_LEN);
	if (one_in(me, 12))
		snprintf(name, CCSHM_NAME_LEN, "%s", odd[pick(me, sizeof(odd) / sizeof(odd[0]))]);
	else if (one_in(me, 16))
		memset(name, 'x', CCSHM_NAME_LEN - pick(me, 2));
	else
		snprintf(name, CCSHM_NAME_LEN, "n%u", (unsigned int)pick(me, 48));
	/* Bytes after the end. */
	if (one_in(me, 24))
		name[CCSHM_NAME_LEN - 1 - pick(me, 8)] = 'y';
}

static uid_t some_uid(struct self *me)
{
	static const uid_t uid[] = { ROOT, ALICE, BOB, MALLORY, 65534, -1 };

	return uid[pick(me, sizeof(uid) / sizeof(uid[0]))];
}

static gid_t some_gid(struct self *me)
{
	return one_in(me, 2) ? GID_CCSHM : some_uid(me);
}

/* Return the user that an id in the process' user namespace means. */
static uint16_t bit_of(struct self *me, uint32_t id)
{
	if (me->actor == ACTOR_USERNS)
		return id ? 0 : uid_bit(BOB);
	return uid_bit(id);
}

/* ---- making a call ---- */

static void on_alarm(int sig)
{
	(void)sig;
}

/* Let a signal arrive soon, and again until alarm_end(), so that a call that waits returns. */
static timer_t alarm_begin(struct self *me, unsigned int us)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec when = { .it_value.tv_nsec = 1000L * us,
				   .it_interval.tv_nsec = 5000000 };
	struct sigaction action = { .sa_handler = on_alarm };
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	event._sigev_un._tid = syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		bail("timer_create: %s", strerror(errno));
	timer_settime(timer, 0, &when, NULL);
	me->alarmed = true;
	return timer;
}

static void alarm_end(struct self *me, timer_t timer)
{
	timer_delete(timer);
	me->alarmed = false;
}

/* The end of a page, after which nothing can be accessed, and nothing will be mapped. */
static char *edge(void)
{
	static __thread char *page;

	if (!page) {
		page = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			bail("mmap: %s", strerror(errno));
		if (mprotect(page + PAGE, PAGE, PROT_NONE))
			bail("mprotect: %s", strerror(errno));
	}
	return page + PAGE;
}

/* Return where an argument cannot be read, or cannot be written. */
static void *bad_pointer(struct self *me, size_t size)
{
	static const char constant[512];

	switch (pick(me, 5)) {
	case 0:
		return NULL;
	case 1:
		return edge() - pick(me, size);
	case 2:
		return (void *)0xffff888000000000UL;
	case 3:	/* The end of user space. The stack is before it. */
		return (void *)(0x7ffffffff000UL + pick(me, size));
	default:
		return (void *)(uintptr_t)constant;
	}
}

/* Make a call with its argument in a mapping of a dma-buf, which the kernel then writes. */
static int call_in_mapping(struct self *me, int fd, unsigned long request, void *arg, size_t size)
{
	struct mapping *m = some_mapping(me);
	struct record *r = m ? record_find(m->buffer) : NULL;

	if (!r || !(m->prot & PROT_WRITE) || m->size < PAGE)
		return raw_ioctl(fd, request, arg);
	r->tainted = true;
	if (touch_write(m->p, 0) || touch_write(m->p + size, 0))
		return raw_ioctl(fd, request, arg);
	/* The mapping can end now: the kernel writes and reads it, and fails then. */
	(void)!raw_ioctl(fd, request, m->p);
	return raw_ioctl(fd, request, arg);
}

/*
 * Return how many bytes of the argument of a call must not change, because the model depends on
 * them: what the call revokes or ends, which rights it grants, and which errnos are documented.
 */
static size_t fixed_bytes(unsigned long request)
{
	switch (request) {
	case CCSHM_IOC_FREE:
		return offsetof(struct ccshm_ioc_free, flags);
	case CCSHM_IOC_REVOKE:
		return offsetof(struct ccshm_ioc_revoke, state);
	case CCSHM_IOC_SET:
		return sizeof(struct ccshm_ioc_set);
	case CCSHM_IOC_QUERY:
		return offsetof(struct ccshm_ioc_query, fd);
	default:
		return 0;
	}
}

/* Return whether a byte of the argument says to where, or how much, the kernel writes. */
static bool names_memory(unsigned long request, size_t at)
{
	switch (request) {
	case CCSHM_IOC_SEGMENTS:
		return at >= offsetof(struct ccshm_ioc_segments, segments) &&
		       at < offsetof(struct ccshm_ioc_segments, count);
	case CCSHM_IOC_IMPORTERS:
		return at >= offsetof(struct ccshm_ioc_importers, importers) &&
		       at < offsetof(struct ccshm_ioc_importers, count);
	case CCSHM_IOC_PAGES:
		return at >= offsetof(struct ccshm_ioc_pages, runs) &&
		       at < offsetof(struct ccshm_ioc_pages, count);
	default:
		return false;
	}
}

/* Flip a bit of the argument, but none because of which the kernel would write anywhere. */
static void flip_bit(struct self *me, unsigned long request, unsigned char *arg)
{
	size_t size = _IOC_SIZE(request), at = fixed_bytes(request);

	if (at == size)
		return;
	at += pick(me, size - at);
	if (!names_memory(request, at))
		arg[at] ^= 1U << pick(me, 8);
}

/*
 * Make a call through @fd. Sometimes change its size, its reserved fields or its
 * pointer. @result is set to whether the answer can be used: the call was made as it is.
 */
static int call(struct self *me, int fd, unsigned long request, void *arg, bool *plain)
{
	size_t size = _IOC_SIZE(request), fixed = fixed_bytes(request), larger;
	char big[2048] = { 0 };
	unsigned int may = me->alarmed ? MAY_INTERRUPT : 0;
	int err;

	*plain = false;
	switch (pick(me, 40)) {
	case 0:		/* a shorter structure */
		larger = fixed + pick(me, size - fixed + 1);
		memcpy(edge() - larger, arg, larger);
		return judge(me, raw_ioctl(fd, raw_sized(request, larger), edge() - larger), may);
	case 1:		/* a longer one, which is the same call */
		larger = size + 1 + pick(me, sizeof(big) - size - 1);
		memcpy(big, arg, size);
		err = judge(me, raw_ioctl(fd, raw_sized(request, larger), big), may);
		memcpy(arg, big, size);
		*plain = true;
		return err;
	case 2:		/* one with bytes that the driver does not know */
		larger = size + 1 + pick(me, sizeof(big) - size - 1);
		memcpy(big, arg, size);
		big[size + pick(me, larger - size)] = 1;
		err = raw_ioctl(fd, raw_sized(request, larger), big);
		if (err != -E2BIG && err != -ENOTTY && fd != me->read_only)
			fault(me, FAULT_RESULT, "%s with unknown bytes: %s, expected E2BIG",
			      op_name(me->op), tap_errno_name(err));
		return judge(me, err, may | MAY_BE_BIG | MAY_BE_READ | MAY_NOT_BE);
	case 3:
		return judge(me, raw_ioctl(fd, request, bad_pointer(me, size)), may | MAY_FAULT);
	case 4:
		if (request == CCSHM_IOC_INFO || request == CCSHM_IOC_DEVICE)
			err = call_in_mapping(me, fd, request, arg, size);
		else
			err = raw_ioctl(fd, request, arg);
		*plain = true;
		return judge(me, err, may | MAY_FAULT);
	case 5:
		flip_bit(me, request, arg);
		return judge(me, raw_ioctl(fd, request, arg), may | MAY_FAULT);
	default:
		*plain = true;
		return judge(me, raw_ioctl(fd, request, arg), may);
	}
}

/* Make a call that changes something: rarely through a file that was opened read-only. */
static int changing_call(struct self *me, unsigned long request, void *arg, bool *plain)
{
	int err;

	if (!one_in(me, 64) || me->read_only < 0)
		return call(me, me->dev, request, arg, plain);
	*plain = false;
	err = raw_ioctl(me->read_only, request, arg);
	if (err != -EBADF)
		fault(me, FAULT_ACCESS, "%s through a read-only file: %s, expected EBADF",
		      op_name(me->op), tap_errno_name(err));
	return judge(me, err, MAY_BE_READ);
}

/*
 * Report a call that succeeded without the right to it, or for a buffer that had ended before the
 * call began. @freed and @sealed are what the model had then.
 */
static void must_be_allowed(struct self *me, uint64_t buffer, enum right right, bool freed)
{
	struct record *b = record_find(buffer);

	if (!b)
		return;
	if (!may_have(me->actor, b, right))
		fault(me, FAULT_ACCESS, "%s of buffer %llu without permission", op_name(me->op),
		      (unsigned long long)buffer);
	if (freed)
		fault(me, FAULT_ENDED, "%s of buffer %llu after FREE", op_name(me->op),
		      (unsigned long long)buffer);
}

static bool was_freed(uint64_t id)
{
	struct record *r = record_find(id);

	return r && r->freed;
}

/* Return the device for a call that changes nothing: rarely the file that was opened read-only. */
static int reading_fd(struct self *me)
{
	return one_in(me, 8) && me->read_only >= 0 ? me->read_only : me->dev;
}

/* ---- buffers ---- */

void op_info(struct self *me)
{
	struct ccshm_ioc_info info = { .flags = one_in(me, 16) ? odd_number(me) : 0 };
	bool plain, valid = !info.flags;
	int err;

	me->op = OP_INFO;
	err = call(me, reading_fd(me), CCSHM_IOC_INFO, &info, &plain);
	if (plain && err != (valid ? 0 : -EINVAL))
		fault(me, FAULT_RESULT, "INFO: %s", tap_errno_name(err));
	if (plain && !err && (info.abi_version != CCSHM_ABI_VERSION || !info.generation ||
			      info.bytes_carved > info.bytes_shared))
		fault(me, FAULT_RESULT, "INFO: version %u, generation %llu", info.abi_version,
		      (unsigned long long)info.generation);
}

static uint64_t some_size(struct self *me)
{
	switch (pick(me, 10)) {
	case 0:
		return odd_number(me);
	case 1:
		return UNIT;
	case 2:
		return UNIT + (1 + pick(me, 700)) * PAGE;
	default:
		return 1 + pick(me, 24 * PAGE);
	}
}

static struct ccshm_ioc_alloc some_alloc(struct self *me)
{
	static const uint64_t rare[] = {
		CCSHM_ALLOC_NODE, CCSHM_ALLOC_DMA32, CCSHM_ALLOC_CONTIGUOUS,
		CCSHM_ALLOC_WHOLE_UNITS, CCSHM_ALLOC_OTHERS_PIN, CCSHM_ALLOC_UID, CCSHM_ALLOC_GID,
		CCSHM_ALLOC_INTERRUPTIBLE, 1ULL << 20, 1ULL << 63,
	};
	static const uint32_t mode[] = { 0600, 0666, 0640, 0644, 0606, 0060, 0, 0400, 0777 };
	struct ccshm_ioc_alloc req = { .size = some_size(me) };

	if (req.size > FUZZ_MAX_SIZE && req.size < 1ULL << 31)
		req.size = FUZZ_MAX_SIZE;
	if (!one_in(me, 3)) {
		req.flags = CCSHM_ALLOC_PERSISTENT;
		req.mode = mode[pick(me, sizeof(mode) / sizeof(mode[0]))];
		if (one_in(me, 2))
			some_name(me, req.name);
	}
	while (one_in(me, 6))
		req.flags |= rare[pick(me, sizeof(rare) / sizeof(rare[0]))];
	if (req.flags & CCSHM_ALLOC_UID)
		req.uid = some_uid(me);
	if (req.flags & CCSHM_ALLOC_GID)
		req.gid = some_gid(me);
	if (one_in(me, 48))
		req.reserved = odd_number(me);
	if (one_in(me, 48))
		req.node = one_in(me, 2) ? -1 : (int)odd_number(me);
	return req;
}

/* Tell the model about a new buffer. */
static void buffer_made(struct self *me, const struct ccshm_ioc_alloc *req)
{
	struct record *r = record_of(req->id, 0);
	uid_t uid = actor_uid(me->actor);

	if (!r)
		return;
	r->anonymous = !(req->flags & CCSHM_ALLOC_PERSISTENT);
	r->allocator = me->actor;
	r->uids |= req->flags & CCSHM_ALLOC_UID ? bit_of(me, req->uid) : uid_bit(uid);
	r->gids |= req->flags & CCSHM_ALLOC_GID ? bit_of(me, req->gid) : uid_bit(uid);
	r->mode |= req->mode;
	r->rights_known = true;
	recent_add(req->id);
	me->mine[pick(me, FUZZ_MINE)] = req->id;
}

void op_alloc(struct self *me)
{
	struct ccshm_ioc_alloc req = some_alloc(me), given = req;
	bool plain, timed = one_in(me, 40);
	timer_t timer = NULL;
	int err;

	me->op = OP_ALLOC;
	if (timed)
		timer = alarm_begin(me, 1 + pick(me, 2000));
	if (timed && !(req.flags & CCSHM_ALLOC_INTERRUPTIBLE))
		me->alarmed = false;
	err = changing_call(me, CCSHM_IOC_ALLOC, &req, &plain);
	if (timed)
		alarm_end(me, timer);
	/* The rights of a buffer that was allocated with changed arguments are unknown. */
	if (err || !plain)
		return;
	if (!req.id || req.actual_size != ((given.size + PAGE - 1) & ~(PAGE - 1)) ||
	    given.reserved || !given.size)
		fault(me, FAULT_RESULT, "ALLOC of %llu bytes: id %llu, %llu bytes",
		      (unsigned long long)given.size, (unsigned long long)req.id,
		      (unsigned long long)req.actual_size);
	if (given.flags & CCSHM_ALLOC_UID && me->actor != ACTOR_ROOT &&
	    bit_of(me, given.uid) != uid_bit(actor_uid(me->actor)))
		fault(me, FAULT_ACCESS, "ALLOC for another owner");
	buffer_made(me, &req);
}

void op_free(struct self *me)
{
	struct ccshm_ioc_free req = {
		.id = some_buffer(me), .flags = one_in(me, 3) ? CCSHM_FREE_REVOKE : 0,
	};
	uint64_t id = req.id, flags, exports[16];
	bool freed = was_freed(id), plain;
	struct record *r;
	unsigned int nr;

	me->op = OP_FREE;
	if (one_in(me, 32))
		req.flags |= 1ULL << pick(me, 64);
	flags = req.flags;
	revoke_begins(me, id);
	nr = exports_of(id, exports, 16);
	if (changing_call(me, CCSHM_IOC_FREE, &req, &plain) || !plain)
		return;
	must_be_allowed(me, id, RIGHT_CONTROL, freed);
	r = record_find(id);
	if (r)
		r->freed = true;
	if (flags & CCSHM_FREE_REVOKE)
		revoke_returned(0, exports, nr);
}

void op_open(struct self *me)
{
	struct ccshm_ioc_open req = { 0 };
	struct record *r;
	bool plain;

	me->op = OP_OPEN;
	some_name(me, req.name);
	if (one_in(me, 2)) {
		req.flags = CCSHM_OPEN_UID;
		req.uid = some_uid(me);
	}
	if (one_in(me, 32))
		req.reserved = odd_number(me);
	if (call(me, me->dev, CCSHM_IOC_OPEN, &req, &plain) || !plain)
		return;
	r = record_find(req.id);
	must_be_allowed(me, req.id, RIGHT_SEE, false);
	if (r && r->rights_known && r->anonymous)
		fault(me, FAULT_RESULT, "OPEN found an anonymous buffer");
	recent_add(req.id);
}

/* Record what a SET grants. */
static void set_begins(struct self *me, struct record *r, const struct ccshm_ioc_set *req)
{
	if (req->flags & CCSHM_SET_UID)
		r->uids |= bit_of(me, req->uid);
	if (req->flags & CCSHM_SET_GID)
		r->gids |= bit_of(me, req->gid);
	if (req->flags & CCSHM_SET_MODE)
		r->mode |= req->mode;
	if (req->flags & CCSHM_SET_SEALED && !req->sealed)
		r->unsealed = true;
}

void op_set(struct self *me)
{
	struct ccshm_ioc_set req = { .id = some_buffer(me) };
	bool plain, freed = was_freed(req.id);
	struct record *r = record_of(req.id, 0);
	uint64_t id = req.id, flags;

	me->op = OP_SET;
	req.flags = one_in(me, 2) ? 1ULL << pick(me, 5) : 1 + pick(me, 31);
	if (req.flags & CCSHM_SET_MODE)
		req.mode = pick(me, 01000) & (one_in(me, 16) ? 0777 : 0666);
	if (req.flags & CCSHM_SET_UID)
		req.uid = some_uid(me);
	if (req.flags & CCSHM_SET_GID)
		req.gid = some_gid(me);
	if (req.flags & CCSHM_SET_NAME)
		some_name(me, req.name);
	if (req.flags & CCSHM_SET_SEALED)
		req.sealed = pick(me, one_in(me, 16) ? 9 : 2);
	if (one_in(me, 32))
		req.flags ^= 1ULL << pick(me, 64);
	flags = req.flags;
	if (r && may_have(me->actor, r, RIGHT_CONTROL))
		set_begins(me, r, &req);
	if (changing_call(me, CCSHM_IOC_SET, &req, &plain) || !plain)
		return;
	must_be_allowed(me, id, RIGHT_CONTROL, freed);
	if (r && flags & CCSHM_SET_SEALED && req.sealed)
		r->sealed = true;
}

/* ---- queries ---- */

/* Check what QUERY returned about an object. @held: the caller holds its descriptor. */
static void check_query(struct self *me, const struct ccshm_ioc_query *q, bool held)
{
	uint64_t buffer = q->buffer_id;
	struct record *r = record_of(q->object_id, q->type == CCSHM_TYPE_BUFFER ? 0 : buffer);

	if (q->type < CCSHM_TYPE_BUFFER || q->type > CCSHM_TYPE_ATTACHMENT ||
	    q->state > CCSHM_STATE_STUCK || q->reserved_out ||
	    (q->type == CCSHM_TYPE_BUFFER && (q->state || buffer != q->object_id)) ||
	    (q->size % PAGE) || !q->size || q->charged < q->carved)
		fault(me, FAULT_RESULT, "QUERY of %llu: type %u, state %u, %llu bytes",
		      (unsigned long long)q->object_id, q->type, q->state,
		      (unsigned long long)q->size);
	if (q->query_flags & CCSHM_QUERY_HOLDER) {
		if (!held || ~q->uid || ~q->gid || ~q->payer || q->mode || q->name[0] || q->charged)
			fault(me, FAULT_ACCESS, "QUERY of %llu shows a holder the buffer",
			      (unsigned long long)q->object_id);
		return;
	}
	must_be_allowed(me, buffer, RIGHT_SEE, false);
	if (q->query_flags & CCSHM_QUERY_CONTROL)
		must_be_allowed(me, buffer, RIGHT_CONTROL, false);
	if (r && q->type == CCSHM_TYPE_EXPORT)
		recent_add(q->object_id);
}

static int query_call(struct self *me, struct ccshm_ioc_query *q, bool *plain)
{
	if (one_in(me, 32))
		q->flags ^= 1ULL << pick(me, 64);
	if (q->flags & CCSHM_QUERY_BY_FD)
		me->op = OP_QUERY_FD;
	return call(me, reading_fd(me), CCSHM_IOC_QUERY, q, plain);
}

void op_query(struct self *me)
{
	struct ccshm_ioc_query q = { 0 };
	bool plain, freed, revoked;
	uint64_t id;

	me->op = OP_QUERY;
	if (one_in(me, 4)) {
		me->op = OP_QUERY_FD;
		q.flags = CCSHM_QUERY_BY_FD;
		q.fd = some_fd(me);
		if (!query_call(me, &q, &plain) && plain)
			check_query(me, &q, true);
		return;
	}
	q.id = id = some_id(me);
	freed = was_freed(id);
	revoked = is_revoked(id);
	/* A flipped flag makes another call of it. */
	if (query_call(me, &q, &plain) || !plain || q.flags)
		return;
	check_query(me, &q, false);
	if (q.object_id != id || (freed && q.type == CCSHM_TYPE_BUFFER))
		fault(me, FAULT_ENDED, "QUERY of %llu: object %llu", (unsigned long long)id,
		      (unsigned long long)q.object_id);
	if (revoked && q.type == CCSHM_TYPE_EXPORT && q.state == CCSHM_STATE_ACTIVE)
		fault(me, FAULT_REVOKED, "QUERY of export %llu after REVOKE: active",
		      (unsigned long long)id);
}

void op_query_next(struct self *me)
{
	uint32_t type = pick(me, one_in(me, 16) ? 6 : 3) + 1;
	uint64_t after = one_in(me, 4) ? odd_number(me) : some_id(me);

	me->op = OP_QUERY_NEXT;
	for (int i = 0; i < 8; i++) {
		struct ccshm_ioc_query q = {
			.id = after, .flags = CCSHM_QUERY_NEXT, .next_type = type,
		};
		bool plain;

		if (call(me, me->dev, CCSHM_IOC_QUERY, &q, &plain) || !plain)
			return;
		check_query(me, &q, false);
		if (q.object_id <= after || q.type != type)
			fault(me, FAULT_RESULT, "QUERY after %llu: object %llu of type %u",
			      (unsigned long long)after, (unsigned long long)q.object_id, q.type);
		after = q.object_id;
	}
}

/* ---- exports ---- */

static void check_export(struct self *me, const struct ccshm_ioc_export *req, bool freed,
			 bool sealed)
{
	bool read_only = req->flags & CCSHM_EXPORT_READ_ONLY;
	struct record *b = record_find(req->id);

	must_be_allowed(me, req->id, read_only ? RIGHT_READ : RIGHT_WRITE, freed);
	if (b && sealed && !b->unsealed && !may_have(me->actor, b, RIGHT_CONTROL))
		fault(me, FAULT_ACCESS, "EXPORT of the sealed buffer %llu",
		      (unsigned long long)req->id);
	if (!(fcntl(req->fd, F_GETFD) & FD_CLOEXEC) || req->reserved_out || !req->export_id ||
	    (req->size && req->actual_size != req->size))
		fault(me, FAULT_RESULT, "EXPORT of buffer %llu: export %llu of %llu bytes",
		      (unsigned long long)req->id, (unsigned long long)req->export_id,
		      (unsigned long long)req->actual_size);
}

void op_export(struct self *me)
{
	struct ccshm_ioc_export req = { .id = some_buffer(me) };
	struct record *b = record_find(req.id);
	bool freed = was_freed(req.id), sealed = b && b->sealed, plain;

	me->op = OP_EXPORT;
	if (one_in(me, 3))
		req.flags = 1ULL << pick(me, one_in(me, 8) ? 64 : 3);
	if (one_in(me, 3)) {
		req.offset = some_offset(me, 16 * PAGE);
		req.size = some_offset(me, 16 * PAGE);
	}
	if (one_in(me, 48))
		req.reserved = odd_number(me);
	if (changing_call(me, CCSHM_IOC_EXPORT, &req, &plain) || !plain)
		return;
	check_export(me, &req, freed, sealed);
	if (record_of(req.export_id, req.id))
		recent_add(req.export_id);
	handle_keep(me, req.fd, NULL);
}

/* ---- revoke ---- */

static int64_t some_deadline(struct self *me)
{
	switch (pick(me, 12)) {
	case 0:
		return -1;
	case 1:
		return -2 - (int64_t)pick(me, 1000);
	case 2:
		return 1;
	case 3:
	case 4:
	case 5:
		return 0;
	default:
		return in_ms(pick(me, 30));
	}
}

/* Choose what to revoke. Return its id, or 0 if it is unknown. */
static uint64_t some_target(struct self *me, struct ccshm_ioc_revoke *req)
{
	struct handle *h = some_handle(me);

	if (h && one_in(me, 3)) {
		req->flags |= CCSHM_REVOKE_BY_FD;
		req->fd = h->fd;
		return h->opath ? 0 : h->export;
	}
	if (one_in(me, 20)) {
		req->flags |= CCSHM_REVOKE_BY_FD;
		req->fd = one_in(me, 2) ? me->dev : -1;
		return 0;
	}
	req->id = one_in(me, 2) ? some_id(me) : h ? h->export : some_buffer(me);
	return req->id;
}

/* Whether the call ends the user mappings also with this result. */
static bool ends_mappings(int err)
{
	return !err || err == -ETIMEDOUT || err == -EBUSY || err == -EIO;
}

void op_revoke(struct self *me)
{
	struct ccshm_ioc_revoke req = { .deadline_ns = some_deadline(me) };
	bool plain, timed = req.deadline_ns == -1 || one_in(me, 20);
	struct record *r;
	uint64_t id, exports[16];
	timer_t timer = NULL;
	unsigned int nr;
	int err;

	me->op = OP_REVOKE;
	id = some_target(me, &req);
	if (one_in(me, 6))
		req.flags |= CCSHM_REVOKE_ORDERLY;
	else if (one_in(me, 8))
		req.flags |= CCSHM_REVOKE_FORCE;
	if (one_in(me, 12))
		req.flags |= CCSHM_REVOKE_SEAL;
	if (one_in(me, 48))
		req.flags ^= 1ULL << pick(me, 64);
	revoke_begins(me, id);
	nr = exports_of(id, exports, 16);
	if (timed)
		timer = alarm_begin(me, 1000 + pick(me, 20000));
	err = changing_call(me, CCSHM_IOC_REVOKE, &req, &plain);
	if (timed)
		alarm_end(me, timer);
	if (!plain || !id || !ends_mappings(err))
		return;
	if (!err && req.state != CCSHM_STATE_REVOKED)
		fault(me, FAULT_RESULT, "REVOKE of %llu succeeds: state %u", (unsigned long long)id,
		      req.state);
	r = record_find(id);
	must_be_allowed(me, r && r->buffer ? r->buffer : id, RIGHT_CONTROL, false);
	revoke_returned(id, exports, nr);
}

/* ---- attachments ---- */

static void some_device(struct self *me, char *device)
{
	static const char *const devices[] = {
		PCI_B, PCI_B, PCI_B, PCI_A, "pci:0000:00:00.0", "pci:0000:00:1f.0", "pci:", "",
		"platform:pcspkr", "virtio:virtio0", "usb:1-1", "pci:zz", "pci:0000:00:05.0x",
	};

	memset(device, 0, CCSHM_DEVICE_LEN);
	if (one_in(me, 24))
		memset(device, 'x', CCSHM_DEVICE_LEN);
	else
		snprintf(device, CCSHM_DEVICE_LEN, "%s",
			 devices[one_in(me, 3) ? pick(me, sizeof(devices) / sizeof(devices[0])) : 0]);
}

static void attachment_keep(struct self *me, int fd, uint64_t id)
{
	unsigned int i = pick(me, FUZZ_ATTACHED);

	if (me->attached[i] >= 0)
		close(me->attached[i]);
	me->attached[i] = fd;
	me->attached_id[i] = id;
	recent_add(id);
}

void op_attach(struct self *me)
{
	struct ccshm_ioc_attach req = { .dma_bits = one_in(me, 2) ? 0 : pick(me, 67) };
	bool plain, freed = false, timed = one_in(me, 20);
	struct handle *h = some_handle(me);
	timer_t timer = NULL;
	int err;

	me->op = OP_ATTACH;
	if (h && one_in(me, 2)) {
		req.flags = CCSHM_ATTACH_DMABUF;
		req.dmabuf_fd = one_in(me, 8) ? some_fd(me) : h->fd;
	} else {
		req.id = some_buffer(me);
		freed = was_freed(req.id);
	}
	if (one_in(me, 8))
		req.flags |= CCSHM_ATTACH_PERSISTENT;
	if (one_in(me, 32))
		req.flags ^= 1ULL << pick(me, 64);
	if (one_in(me, 3)) {
		req.offset = some_offset(me, 8 * PAGE);
		req.size = some_offset(me, 8 * PAGE);
	}
	some_device(me, req.device);
	if (timed)
		timer = alarm_begin(me, 1 + pick(me, 3000));
	err = changing_call(me, CCSHM_IOC_ATTACH, &req, &plain);
	if (timed)
		alarm_end(me, timer);
	if (err || !plain)
		return;
	if (me->actor != ACTOR_ROOT && me->actor != ACTOR_ALICE)
		fault(me, FAULT_ACCESS, "ATTACH without CAP_SYS_RAWIO");
	if (!(req.flags & CCSHM_ATTACH_DMABUF))
		must_be_allowed(me, req.id, RIGHT_WRITE, freed);
	if (record_of(req.attachment_id, 0))
		recent_add(req.attachment_id);
	if (req.fd >= 0)
		attachment_keep(me, req.fd, req.attachment_id);
	else if (!(req.flags & CCSHM_ATTACH_PERSISTENT))
		fault(me, FAULT_RESULT, "ATTACH returned descriptor %d", req.fd);
}

/* An array for results, sometimes one that cannot be written. */
static void *some_array(struct self *me, size_t size, unsigned int *may)
{
	static __thread char space[8192];

	if (!one_in(me, 12))
		return memset(space, 0, size < sizeof(space) ? size : sizeof(space));
	*may |= MAY_FAULT;
	return bad_pointer(me, size);
}

/* Make a call with an array. */
static int array_call(struct self *me, int fd, unsigned long request, void *req, unsigned int may,
		      bool *plain)
{
	int err;

	if (!may)
		return call(me, fd, request, req, plain);
	err = raw_ioctl(fd, request, req);
	*plain = !err;
	return judge(me, err, may);
}

/* Return the index of an attachment of the thread; of an empty place if it has none. */
static unsigned int some_attached(struct self *me)
{
	unsigned int i = pick(me, FUZZ_ATTACHED);

	for (unsigned int n = 0; n < FUZZ_ATTACHED && me->attached[i] < 0; n++)
		i = (i + 1) % FUZZ_ATTACHED;
	return i;
}

void op_segments(struct self *me)
{
	unsigned int i = some_attached(me), may = 0;
	bool by_fd = me->attached[i] >= 0 && one_in(me, 2), plain;
	struct ccshm_ioc_segments req = {
		.id = by_fd ? (one_in(me, 2) ? 0 : me->attached_id[i]) : some_id(me),
		.first = one_in(me, 4) ? pick(me, 5) : 0, .capacity = pick(me, 64),
	};

	me->op = OP_SEGMENTS;
	if (one_in(me, 32))
		req.flags = odd_number(me);
	if (one_in(me, 32))
		req.first = odd_number(me);
	req.segments = (uintptr_t)some_array(me, 64 * sizeof(struct ccshm_ioc_segment), &may);
	if (array_call(me, by_fd ? me->attached[i] : me->dev, CCSHM_IOC_SEGMENTS, &req, may, &plain) ||
	    !plain)
		return;
	if (req.count > req.capacity || req.count > req.total || req.first > req.total)
		fault(me, FAULT_RESULT, "SEGMENTS: %u of %u", req.count, req.total);
}

void op_detach(struct self *me)
{
	unsigned int i = some_attached(me);
	bool by_fd = me->attached[i] >= 0 && !one_in(me, 4), plain;
	struct ccshm_ioc_detach req = { .id = by_fd ? 0 : some_id(me) };
	struct pollfd pfd = { .fd = me->attached[i], .events = POLLIN | POLLPRI };

	me->op = OP_DETACH;
	if (one_in(me, 32))
		req.flags = odd_number(me);
	if (by_fd && one_in(me, 2) && poll(&pfd, 1, 0) < 0)
		fault(me, FAULT_RESULT, "poll of an attachment: %s", strerror(errno));
	if (by_fd)
		(void)!call(me, me->attached[i], CCSHM_IOC_DETACH, &req, &plain);
	else
		(void)!changing_call(me, CCSHM_IOC_DETACH, &req, &plain);
	if (by_fd && one_in(me, 2)) {
		close(me->attached[i]);
		me->attached[i] = -1;
	}
}

void op_importers(struct self *me)
{
	struct ccshm_ioc_importers req = { .id = some_id(me), .capacity = pick(me, 20) };
	unsigned int may = 0;
	bool plain;

	me->op = OP_IMPORTERS;
	if (one_in(me, 16))
		req.first = odd_number(me);
	if (one_in(me, 32))
		req.flags = odd_number(me);
	req.importers = (uintptr_t)some_array(me, 20 * sizeof(struct ccshm_ioc_importer), &may);
	if (array_call(me, me->dev, CCSHM_IOC_IMPORTERS, &req, may, &plain) || !plain)
		return;
	if (req.count > req.capacity || req.count > req.total)
		fault(me, FAULT_RESULT, "IMPORTERS: %u of %u", req.count, req.total);
}

/* Check the runs of pages of a buffer. */
static void check_runs(struct self *me, const struct ccshm_ioc_pages *req, uint64_t id)
{
	const struct ccshm_ioc_run *run = (void *)(uintptr_t)req->runs;
	uint64_t at = req->offset;

	for (unsigned int i = 0; i < req->count; i++) {
		if (run[i].offset != at || !run[i].length || run[i].state > CCSHM_PAGE_SHARED ||
		    (run[i].state == CCSHM_PAGE_PRIVATE) ||
		    (run[i].physical && me->actor != ACTOR_ROOT))
			fault(me, FAULT_RESULT,
			      "PAGES of buffer %llu at %llu: %llu bytes, state %u, address %llx",
			      (unsigned long long)id, (unsigned long long)at,
			      (unsigned long long)run[i].length, run[i].state,
			      (unsigned long long)run[i].physical);
		at = run[i].offset + run[i].length;
	}
}

void op_pages(struct self *me)
{
	struct ccshm_ioc_pages req = { .id = some_buffer(me), .capacity = pick(me, 64) };
	bool plain, freed = was_freed(req.id);
	uint64_t id = req.id;
	unsigned int may = 0;

	me->op = OP_PAGES;
	if (one_in(me, 3)) {
		req.offset = some_offset(me, 16 * PAGE);
		req.size = some_offset(me, 16 * PAGE);
	}
	if (one_in(me, 32))
		req.flags = odd_number(me);
	req.runs = (uintptr_t)some_array(me, 64 * sizeof(struct ccshm_ioc_run), &may);
	if (array_call(me, me->dev, CCSHM_IOC_PAGES, &req, may, &plain) || !plain)
		return;
	must_be_allowed(me, id, RIGHT_SEE, freed);
	if (!may)
		check_runs(me, &req, id);
}

void op_device(struct self *me)
{
	struct ccshm_ioc_device req = { .flags = one_in(me, 16) ? odd_number(me) : 0 };
	bool plain, timed = one_in(me, 20);
	timer_t timer = NULL;

	me->op = OP_DEVICE;
	some_device(me, req.device);
	if (timed)
		timer = alarm_begin(me, 1 + pick(me, 1000));
	if (!call(me, me->dev, CCSHM_IOC_DEVICE, &req, &plain) && plain &&
	    (req.verdict < CCSHM_DEVICE_NEEDS || req.verdict > CCSHM_DEVICE_CANNOT ||
	     (req.verdict != CCSHM_DEVICE_NEEDS && !req.reason[0])))
		fault(me, FAULT_RESULT, "DEVICE: verdict %u", req.verdict);
	if (timed)
		alarm_end(me, timer);
}

/* Return a number that is no ioctl of the device. */
static unsigned long unknown_request(struct self *me)
{
	unsigned long request = _IOC(pick(me, 4), CCSHM_IOC_MAGIC, pick(me, 256), pick(me, 2048));

	if (one_in(me, 2))
		request = pick(me, 1ULL << 32);
	if (_IOC_TYPE(request) == CCSHM_IOC_MAGIC && _IOC_DIR(request) == (_IOC_READ | _IOC_WRITE))
		request = _IOC(_IOC_READ, CCSHM_IOC_MAGIC, _IOC_NR(request), _IOC_SIZE(request));
	return request;
}

void op_unknown(struct self *me)
{
	char space[4096] = { 0 };
	int fd = some_fd(me);

	me->op = OP_UNKNOWN;
	(void)!judge(me, raw_ioctl(me->dev, unknown_request(me), space), 0);
	/* ALLOC is an ioctl of the device only. */
	if (fd != me->dev)
		(void)!raw_ioctl(fd, CCSHM_IOC_ALLOC, space);
}

/* ---- files ---- */

/* Allocate in a file of its own, export the buffer, and close the file: the buffer ends. */
void op_reopen(struct self *me)
{
	int dev = raw_open(), dmabuf = -1;
	struct ccshm_ioc_alloc req = { .size = (1 + pick(me, 12)) * PAGE };
	uint64_t export;

	me->op = OP_REOPEN;
	if (judge(me, dev < 0 ? dev : 0, 0))
		return;
	if (me->actor == ACTOR_MALLORY)
		fault(me, FAULT_ACCESS, "a user who is not in the group opens the device");
	if (!raw_ioctl(dev, CCSHM_IOC_ALLOC, &req)) {
		buffer_made(me, &req);
		dmabuf = raw_export(dev, req.id, 0, &export);
		if (dmabuf >= 0)
			handle_keep(me, dmabuf, NULL);
	}
	close(dev);
	/* Root controls every buffer, and a process that another thread forks holds the file. */
	if (me->actor != ACTOR_ROOT && req.id &&
	    !raw_ioctl(me->dev, CCSHM_IOC_EXPORT, &(struct ccshm_ioc_export){ .id = req.id }))
		fault(me, FAULT_ENDED, "EXPORT of a buffer whose file is closed");
}
