// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what happens, for those who listen to the family's group.
 *
 * Whatever tells of an event only puts a message into a queue, and nothing at all
 * when nobody listens. A work item sends them, in their order. When the queue is
 * full, or there is no memory, listeners are told that they have missed something.
 */
#include <linux/capability.h>
#include <linux/ktime.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "ccshm.h"

/* Events that may wait to be sent. */
#define QUEUE_MAX	4096

/* Room in a message: what is said of an attachment needs half of it. */
#define EVENT_SIZE	1024

static struct sk_buff_head queue;
static void deliver(struct work_struct *work);
static DECLARE_WORK(deliver_work, deliver);

static atomic64_t revokes, revokes_failed, refused, sent, lost;

/* May this listener not have it? Judged by the opener, as a dump is. */
int ccshm_event_refuses(struct sock *sk, struct sk_buff *skb, void *data)
{
	const struct socket *sock = sk->sk_socket;

	return !sock || !sock->file ||
	       !file_ns_capable(sock->file, &init_user_ns, CAP_SYS_ADMIN);
}

static void deliver(struct work_struct *work)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&queue))) {
		ccshm_multicast(&ccshm_genl, skb, ccshm_event_refuses);
		atomic64_inc(&sent);
		cond_resched();
	}
}

static bool anybody_listens(void)
{
	return ccshm_genl.n_mcgrps &&
	       genl_has_listeners(&ccshm_genl, &init_net, 0);
}

static void lose(struct sk_buff *skb)
{
	nlmsg_free(skb);
	atomic64_inc(&lost);
	genl_set_err(&ccshm_genl, &init_net, 0, 0, -ENOBUFS);
}

/* NULL: nobody listens, or it is lost. */
static struct sk_buff *event_new(enum ccshm_event_type type, void **hdr)
{
	struct sk_buff *skb;

	if (!anybody_listens())
		return NULL;
	skb = nlmsg_new(EVENT_SIZE, GFP_KERNEL);
	*hdr = skb ? genlmsg_put(skb, 0, 0, &ccshm_genl, 0, CCSHM_CMD_EVENT) :
		     NULL;
	if (!*hdr || nla_put_u32(skb, CCSHM_A_EVENT, type) ||
	    nla_put_u64_64bit(skb, CCSHM_A_TIME, ktime_get_real_ns(),
			      CCSHM_A_PAD)) {
		lose(skb);
		return NULL;
	}
	return skb;
}

static void event_queue(struct sk_buff *skb, void *hdr, int err)
{
	if (err || skb_queue_len_lockless(&queue) >= QUEUE_MAX) {
		lose(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	skb_queue_tail(&queue, skb);
	schedule_work(&deliver_work);
}

static int put_u64(struct sk_buff *skb, enum ccshm_attr attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, CCSHM_A_PAD);
}

/* Of which object. */
static int put_object(struct sk_buff *skb, const struct ccshm_object *object)
{
	if (nla_put_u32(skb, CCSHM_A_TYPE, object->type) ||
	    put_u64(skb, CCSHM_A_ID, object->id))
		return -EMSGSIZE;
	return put_u64(skb, CCSHM_A_BUFFER_ID, object->buffer->obj.id);
}

/* An object, as it was described for the initial user namespace. */
void ccshm_event_described(enum ccshm_event_type type,
			   const struct ccshm_ioc_query *q)
{
	void *hdr;
	struct sk_buff *skb = event_new(type, &hdr);

	if (skb)
		event_queue(skb, hdr, ccshm_netlink_put(skb, q));
}

static int put_stopped(struct sk_buff *skb, struct ccshm_object *object)
{
	if (object->type != CCSHM_TYPE_ATTACHMENT)
		return 0;
	return nla_put_u32(skb, CCSHM_A_STOPPED,
			   container_of(object, struct ccshm_attachment,
					obj)->stopped);
}

/* An object as it is now. */
void ccshm_event(enum ccshm_event_type type, struct ccshm_object *object)
{
	struct ccshm_ioc_query q = {};
	struct sk_buff *skb;
	void *hdr;

	lockdep_assert_held(&ccshm_lock);
	skb = event_new(type, &hdr);
	if (!skb)
		return;
	ccshm_describe(object, &init_user_ns, &q);
	event_queue(skb, hdr, ccshm_netlink_put(skb, &q) ?:
			      put_stopped(skb, object));
}

/* A driver has attached its device to an export, or detached it. */
void ccshm_event_importer(enum ccshm_event_type type,
			  struct ccshm_export *export, struct device *dev)
{
	char name[CCSHM_DEVICE_LEN];
	struct sk_buff *skb;
	void *hdr;

	skb = event_new(type, &hdr);
	if (!skb)
		return;
	ccshm_importer_device(dev, name);
	event_queue(skb, hdr, put_object(skb, &export->obj) ?:
			      nla_put_string(skb, CCSHM_A_DEVICE, name));
}

/* Gives what ccshm_event_revoke_end() wants to have. */
u64 ccshm_event_revoke_begin(struct ccshm_object *object)
{
	void *hdr;
	struct sk_buff *skb = event_new(CCSHM_EVENT_REVOKE_BEGIN, &hdr);

	atomic64_inc(&revokes);
	if (skb)
		event_queue(skb, hdr, put_object(skb, object));
	return ktime_get_ns();
}

static int put_revoke(struct sk_buff *skb, u64 duration,
		      const struct ccshm_ioc_revoke *req, int err)
{
	/* What the caller gets to see of a signal. */
	u32 result = err == -ERESTARTSYS ? EINTR : -err;

	if (nla_put_u32(skb, CCSHM_A_RESULT, result) ||
	    put_u64(skb, CCSHM_A_DURATION, duration) ||
	    nla_put_u32(skb, CCSHM_A_STATE, req->state) ||
	    nla_put_u32(skb, CCSHM_A_DEVICE_MAPPINGS, req->device_mappings) ||
	    put_u64(skb, CCSHM_A_PAGES, req->pages))
		return -EMSGSIZE;
	return nla_put_u32(skb, CCSHM_A_STOPPED, req->stopped);
}

void ccshm_event_revoke_end(struct ccshm_object *object, u64 begin,
			    const struct ccshm_ioc_revoke *req, int err)
{
	u64 duration = ktime_get_ns() - begin;
	struct sk_buff *skb;
	void *hdr;

	if (err)
		atomic64_inc(&revokes_failed);
	skb = event_new(CCSHM_EVENT_REVOKE_END, &hdr);
	if (skb)
		event_queue(skb, hdr, put_object(skb, object) ?:
				      put_revoke(skb, duration, req, err));
}

/* So many pages are never given back. */
void ccshm_event_leak(unsigned long pages)
{
	void *hdr;
	struct sk_buff *skb = event_new(CCSHM_EVENT_LEAK, &hdr);

	if (skb)
		event_queue(skb, hdr, put_u64(skb, CCSHM_A_PAGES, pages));
}

static int put_quota(struct sk_buff *skb, enum ccshm_quota quota, kuid_t uid,
		     u64 asked, u64 used, u64 limit)
{
	if (nla_put_u32(skb, CCSHM_A_QUOTA, quota) ||
	    nla_put_u32(skb, CCSHM_A_UID, from_kuid(&init_user_ns, uid)) ||
	    put_u64(skb, CCSHM_A_ASKED, asked) ||
	    put_u64(skb, CCSHM_A_USED, used))
		return -EMSGSIZE;
	return put_u64(skb, CCSHM_A_LIMIT, limit);
}

/**
 * ccshm_event_quota - a limit has not allowed an allocation
 * @quota: which limit
 * @uid: who was refused
 * @asked: for so many bytes, or buffers
 * @used: so many were in use
 * @limit: so many there may be
 *
 * Also counts it. May sleep.
 */
void ccshm_event_quota(enum ccshm_quota quota, kuid_t uid, u64 asked, u64 used,
		       u64 limit)
{
	struct sk_buff *skb;
	void *hdr;

	atomic64_inc(&refused);
	skb = event_new(CCSHM_EVENT_QUOTA, &hdr);
	if (skb)
		event_queue(skb, hdr, put_quota(skb, quota, uid, asked, used,
						limit));
}

void ccshm_event_stats(struct ccshm_event_stats *stats)
{
	stats->revokes = atomic64_read(&revokes);
	stats->revokes_failed = atomic64_read(&revokes_failed);
	stats->refused = atomic64_read(&refused);
	stats->sent = atomic64_read(&sent);
	stats->lost = atomic64_read(&lost);
}

void __init ccshm_event_init(void)
{
	skb_queue_head_init(&queue);
}

/* Nothing happens any more; what did is told. */
void ccshm_event_exit(void)
{
	flush_work(&deliver_work);
}
