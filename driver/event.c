// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: report changes to the listeners of the family's group.
 *
 * An event is stored as a record in a ring, if the group has a listener: the caller may
 * hold ccshm_lock, under which nothing may be allocated. A work item encodes and sends the
 * records in order. If the ring is full, there is no memory for a message, or a user causes
 * too many events, listeners are notified of the loss, at most once a second.
 */
#include <linux/capability.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "ccshm.h"

/* Records in the ring; it is allocated once, when the module is loaded. */
#define RING_SIZE	2048

/*
 * Part of the ring that events of users may fill. The rest is reserved for events that users
 * cannot cause at will: memory leaks and devices that do not stop.
 */
#define RING_ORDINARY	(RING_SIZE / 4 * 3)

/* Size of a message: the description of an attachment needs half of it. */
#define EVENT_SIZE	1024

/**
 * struct record - an event that waits to be sent
 * @type: type of the event
 * @described: @q describes the object; otherwise it has only its type and ids, and
 *	what the type of the event reports
 * @q: object, as described for the initial user namespace
 * @time: CLOCK_REALTIME of the event, nanoseconds
 * @payer: payer of the object, whose rate counts if a kernel thread or the last close of a
 *	file causes the event
 * @closed: the last close of a file, or the return of memory, causes it
 * @actor_uid: effective uid of the process that causes it, in the initial user namespace
 * @actor_pid: that process, in the initial pid namespace; 0: the kernel itself
 * @result: positive errno of a revoke
 * @stopped: devices that ccshm had to stop
 * @duration: of a revoke, nanoseconds
 * @pages: revoked or leaked
 * @quota: limit that refused an allocation
 * @asked: what the allocation asked for
 * @used: what was in use
 * @limit: value of the limit
 */
struct record {
	enum ccshm_event_type type;
	bool described;
	struct ccshm_ioc_query q;
	u64 time;
	kuid_t payer;
	bool closed;
	u32 actor_uid;
	u32 actor_pid;
	u32 result;
	u32 stopped;
	u64 duration;
	u64 pages;
	enum ccshm_quota quota;
	u64 asked;
	u64 used;
	u64 limit;
};

/* The family with the group of events, registered or about to be. */
static const struct genl_family *family;

/* Protects the ring. Nothing allocates or sleeps under it. */
static DEFINE_SPINLOCK(ring_lock);
static struct record *ring;
static unsigned int ring_first, ring_count;

static void deliver_records(struct work_struct *work);
static DECLARE_WORK(deliver_work, deliver_records);

static void notify_loss(struct work_struct *work);
static DECLARE_DELAYED_WORK(loss_work, notify_loss);
static unsigned long loss_notified;

static atomic64_t revokes, revokes_failed, refused, sent, lost, suppressed;

/* Check the opener of a listener's socket; returns non-zero for one that must get no event. */
static int refuse_listener(struct sock *sk, struct sk_buff *skb, void *data)
{
	const struct socket *sock = sk->sk_socket;

	return !sock || !sock->file ||
	       !file_ns_capable(sock->file, &init_user_ns, CAP_SYS_ADMIN);
}

static bool has_listeners(void)
{
	return family->n_mcgrps &&
	       genl_has_listeners(family, &init_net, 0);
}

/* ---- events that are lost ---- */

static void notify_loss(struct work_struct *work)
{
	WRITE_ONCE(loss_notified, jiffies);
	genl_set_err(family, &init_net, 0, 0, -ENOBUFS);
}

/* Count a loss, and notify listeners of it: at once, or a second after the last time. */
static void count_loss(atomic64_t *counter)
{
	unsigned long next = READ_ONCE(loss_notified) + HZ;

	atomic64_inc(counter);
	schedule_delayed_work(&loss_work,
			      time_before(jiffies, next) ? next - jiffies : 0);
}

/* ---- the user who causes an event ---- */

/* Check for an event that users can cause at will, by calls that succeed or fail. */
static bool is_ordinary(const struct record *r)
{
	return r->type != CCSHM_EVENT_LEAK && r->type != CCSHM_EVENT_STUCK;
}

static void record_actor(struct record *r)
{
	if (current->flags & PF_KTHREAD)
		return;
	r->actor_uid = ccshm_actor_uid();
	r->actor_pid = task_tgid_nr(current);
}

/*
 * A user can make others close a file: by passing them its descriptor, or as a set-user-ID
 * program that inherits it. Such events must not use up the rate of these others.
 */
static bool rate_allows(const struct record *r)
{
	kuid_t uid = r->actor_pid && !r->closed ? current_euid() : r->payer;

	return ccshm_rate_allows(r->type == CCSHM_EVENT_QUOTA ?
				 CCSHM_RATE_REFUSALS : CCSHM_RATE_EVENTS, uid);
}

/* ---- the ring ---- */

static bool ring_put(const struct record *r, unsigned int most)
{
	bool room;

	spin_lock(&ring_lock);
	room = ring_count < most;
	if (room)
		ring[(ring_first + ring_count++) % RING_SIZE] = *r;
	spin_unlock(&ring_lock);
	return room;
}

static bool ring_take(struct record *r)
{
	bool any;

	spin_lock(&ring_lock);
	any = ring_count > 0;
	if (any) {
		*r = ring[ring_first];
		ring_first = (ring_first + 1) % RING_SIZE;
		ring_count--;
	}
	spin_unlock(&ring_lock);
	return any;
}

static void record_queue(struct record *r)
{
	bool ordinary = is_ordinary(r);

	r->time = ktime_get_real_ns();
	record_actor(r);
	if (ordinary && !rate_allows(r))
		count_loss(&suppressed);
	else if (ring_put(r, ordinary ? RING_ORDINARY : RING_SIZE))
		schedule_work(&deliver_work);
	else
		count_loss(&lost);
}

/* ---- messages ---- */

static int put_u64(struct sk_buff *skb, enum ccshm_attr attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, CCSHM_A_PAD);
}

static int put_described(struct sk_buff *skb, const struct record *r)
{
	int err = ccshm_encode_object(skb, &r->q);

	if (err || r->type != CCSHM_EVENT_DETACH)
		return err;
	return nla_put_u32(skb, CCSHM_A_STOPPED, r->stopped);
}

static int put_revoke(struct sk_buff *skb, const struct record *r)
{
	if (nla_put_u32(skb, CCSHM_A_RESULT, r->result) ||
	    put_u64(skb, CCSHM_A_DURATION, r->duration) ||
	    nla_put_u32(skb, CCSHM_A_STATE, r->q.state) ||
	    nla_put_u32(skb, CCSHM_A_DEVICE_MAPPINGS, r->q.device_mappings) ||
	    put_u64(skb, CCSHM_A_PAGES, r->pages))
		return -EMSGSIZE;
	return nla_put_u32(skb, CCSHM_A_STOPPED, r->stopped);
}

static int put_quota(struct sk_buff *skb, const struct record *r)
{
	if (nla_put_u32(skb, CCSHM_A_QUOTA, r->quota) ||
	    nla_put_u32(skb, CCSHM_A_UID, r->q.uid) ||
	    put_u64(skb, CCSHM_A_ASKED, r->asked) ||
	    put_u64(skb, CCSHM_A_USED, r->used))
		return -EMSGSIZE;
	return put_u64(skb, CCSHM_A_LIMIT, r->limit);
}

static int put_contents(struct sk_buff *skb, const struct record *r)
{
	if (r->described)
		return put_described(skb, r);
	switch (r->type) {
	case CCSHM_EVENT_IMPORTER_ATTACH:
	case CCSHM_EVENT_IMPORTER_DETACH:
		return ccshm_encode_ids(skb, &r->q) ?:
		       nla_put_string(skb, CCSHM_A_DEVICE, r->q.device);
	case CCSHM_EVENT_REVOKE_END:
		return ccshm_encode_ids(skb, &r->q) ?: put_revoke(skb, r);
	case CCSHM_EVENT_LEAK:
		return put_u64(skb, CCSHM_A_PAGES, r->pages);
	case CCSHM_EVENT_QUOTA:
		return put_quota(skb, r);
	default:
		return ccshm_encode_ids(skb, &r->q);
	}
}

static int put_actor(struct sk_buff *skb, const struct record *r)
{
	if (!r->actor_pid)
		return 0;
	return nla_put_u32(skb, CCSHM_A_ACTOR_UID, r->actor_uid) ?:
	       nla_put_u32(skb, CCSHM_A_ACTOR_PID, r->actor_pid);
}

/* Encode a record as a message; return NULL without memory. */
static struct sk_buff *record_encode(const struct record *r)
{
	struct sk_buff *skb = nlmsg_new(EVENT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return NULL;
	hdr = genlmsg_put(skb, 0, 0, family, 0, CCSHM_CMD_EVENT);
	if (!hdr || nla_put_u32(skb, CCSHM_A_EVENT, r->type) ||
	    put_u64(skb, CCSHM_A_TIME, r->time) || put_contents(skb, r) ||
	    put_actor(skb, r)) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

static void deliver_records(struct work_struct *work)
{
	struct sk_buff *skb;
	struct record r;

	while (ring_take(&r)) {
		skb = record_encode(&r);
		if (skb) {
			ccshm_multicast(family, skb, refuse_listener);
			atomic64_inc(&sent);
		} else {
			count_loss(&lost);
		}
		cond_resched();
	}
}

/* ---- the events ---- */

/*
 * Report the end of an object that was described before, for the initial user namespace, and
 * had this payer.
 */
void ccshm_event_described(enum ccshm_event_type type,
			   const struct ccshm_ioc_query *q, kuid_t payer)
{
	struct record r = {
		.type = type, .described = true, .q = *q, .payer = payer,
		.closed = true,
	};

	if (has_listeners())
		record_queue(&r);
}

static void event_object(enum ccshm_event_type type, struct ccshm_object *object,
			 bool stopped)
{
	struct record r = {
		.type = type, .described = true, .payer = object->payer,
		.closed = object->closed, .stopped = stopped,
	};

	lockdep_assert_held(&ccshm_lock);
	if (!has_listeners())
		return;
	ccshm_object_describe(object, &init_user_ns, &r.q);
	record_queue(&r);
}

/* Report an event of an object, with its description. */
void ccshm_event(enum ccshm_event_type type, struct ccshm_object *object)
{
	event_object(type, object, false);
}

/* Report an event of an attachment; @stopped: ccshm has stopped the device. */
void ccshm_event_attachment(enum ccshm_event_type type,
			    struct ccshm_object *object, bool stopped)
{
	event_object(type, object, stopped);
}

static void record_name_object(struct record *r, const struct ccshm_object *object)
{
	r->q.type = object->type;
	r->q.object_id = object->id;
	r->q.buffer_id = object->buffer->obj.id;
	r->payer = object->payer;
}

/* Report that a driver has attached its device to an export, or detached it. */
void ccshm_event_importer(enum ccshm_event_type type,
			  struct ccshm_export *export, struct device *dev)
{
	struct record r = {
		.type = type, .closed = type == CCSHM_EVENT_IMPORTER_DETACH,
	};

	if (!has_listeners())
		return;
	record_name_object(&r, &export->obj);
	ccshm_device_name(dev, r.q.device);
	record_queue(&r);
}

/* Report and count the start of a revoke. Return its start time for ccshm_event_revoke_end(). */
u64 ccshm_event_revoke_begin(struct ccshm_object *object)
{
	struct record r = { .type = CCSHM_EVENT_REVOKE_BEGIN };

	atomic64_inc(&revokes);
	if (has_listeners()) {
		record_name_object(&r, object);
		record_queue(&r);
	}
	return ktime_get_ns();
}

/* Report the end of a revoke, with its result; count a failure. */
void ccshm_event_revoke_end(struct ccshm_object *object, u64 begin,
			    const struct ccshm_ioc_revoke *req, int err)
{
	struct record r = {
		.type = CCSHM_EVENT_REVOKE_END,
		.duration = ktime_get_ns() - begin,
		/* User space sees EINTR after a signal. */
		.result = err == -ERESTARTSYS ? EINTR : -err,
		.q.state = req->state,
		.q.device_mappings = req->device_mappings,
		.pages = req->pages,
		.stopped = req->stopped,
	};

	if (err)
		atomic64_inc(&revokes_failed);
	if (!has_listeners())
		return;
	record_name_object(&r, object);
	record_queue(&r);
}

/* Report that pages will never be given back. */
void ccshm_event_leak(unsigned long pages)
{
	struct record r = { .type = CCSHM_EVENT_LEAK, .pages = pages };

	if (has_listeners())
		record_queue(&r);
}

/* Report and count an allocation or export that a limit refused. */
void ccshm_event_quota(const struct ccshm_limit_refusal *refusal)
{
	struct record r = {
		.type = CCSHM_EVENT_QUOTA,
		.quota = refusal->quota,
		.payer = refusal->uid,
		.q.uid = from_kuid(&init_user_ns, refusal->uid),
		.asked = refusal->asked,
		.used = refusal->used,
		.limit = refusal->limit,
	};

	atomic64_inc(&refused);
	if (has_listeners())
		record_queue(&r);
}

void ccshm_event_stats(struct ccshm_event_stats *stats)
{
	stats->revokes = atomic64_read(&revokes);
	stats->revokes_failed = atomic64_read(&revokes_failed);
	stats->refused = atomic64_read(&refused);
	stats->sent = atomic64_read(&sent);
	stats->lost = atomic64_read(&lost);
	stats->suppressed = atomic64_read(&suppressed);
}

/**
 * ccshm_event_init - prepare for events
 * @genl: family with the group of events, to be registered later
 *
 * Return: 0 or -ENOMEM.
 */
int __init ccshm_event_init(const struct genl_family *genl)
{
	family = genl;
	loss_notified = jiffies - HZ;
	ring = kvmalloc_array(RING_SIZE, sizeof(*ring), GFP_KERNEL);
	return ring ? 0 : -ENOMEM;
}

/* No event comes any more; send those that are left. */
void ccshm_event_exit(void)
{
	flush_work(&deliver_work);
	flush_delayed_work(&loss_work);
	kvfree(ring);
}
