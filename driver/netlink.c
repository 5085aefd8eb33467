// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: dumps of objects, and statistics.
 *
 * The credentials with which the socket was opened decide what a dump contains, because the
 * dump continues in any process that reads from the socket. Objects are visited one by one,
 * by their ids, and nothing is locked meanwhile; the generation shows that a list has
 * changed.
 */
#include <linux/cred.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "ccshm.h"

/* ---- importers ---- */

static int put_importer(struct sk_buff *skb,
			const struct ccshm_ioc_importer *importer)
{
	struct nlattr *nest = nla_nest_start(skb, CCSHM_A_IMPORTER);

	if (!nest ||
	    nla_put_string(skb, CCSHM_A_IMPORTER_DEVICE, importer->device) ||
	    nla_put_u32(skb, CCSHM_A_IMPORTER_MAPPINGS, importer->mappings) ||
	    nla_put_u32(skb, CCSHM_A_IMPORTER_FLAGS, importer->flags))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* ---- dumps ---- */

static struct genl_family family;

/**
 * struct dump - a dump in progress
 * @cred: credentials of the socket's opener, with a reference
 * @admin: @cred has CAP_SYS_ADMIN in the initial user namespace
 * @type: type of the objects
 * @last: id of the last object that was visited
 * @end: id of the youngest object when the dump was started; the dump ends there
 * @q: buffer for the description of an object
 * @importers: buffer for the descriptions of the importers of an export
 */
struct dump {
	const struct cred *cred;
	bool admin;
	enum ccshm_type type;
	u64 last;
	u64 end;
	struct ccshm_ioc_query q;
	struct ccshm_ioc_importer importers[CCSHM_GENL_IMPORTERS_MAX];
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	return (struct dump *)cb->args[0];
}

static enum ccshm_type type_of(const struct netlink_callback *cb)
{
	const struct genlmsghdr *hdr = nlmsg_data(cb->nlh);

	switch (hdr->cmd) {
	case CCSHM_CMD_EXPORT_GET:
		return CCSHM_TYPE_EXPORT;
	case CCSHM_CMD_ATTACHMENT_GET:
		return CCSHM_TYPE_ATTACHMENT;
	default:
		return CCSHM_TYPE_BUFFER;
	}
}

/* Start a dump, in sendmsg() of any process that has the socket. */
static int dump_start(struct netlink_callback *cb)
{
	struct socket *sock = NETLINK_CB(cb->skb).sk->sk_socket;
	const struct cred *old;
	struct dump *d;

	if (!sock || !sock->file)
		return -EPERM;
	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return -ENOMEM;
	d->cred = get_cred(sock->file->f_cred);
	d->type = type_of(cb);
	d->end = ccshm_object_last_id();
	old = override_creds(d->cred);
	d->admin = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	revert_creds(old);
	cb->args[0] = (long)d;
	return 0;
}

static int dump_done(struct netlink_callback *cb)
{
	struct dump *d = dump_of(cb);

	put_cred(d->cred);
	kfree(d);
	return 0;
}

static int put_importers(struct sk_buff *skb, struct dump *d,
			 struct ccshm_object *object)
{
	struct ccshm_export *export = container_of(object, struct ccshm_export,
						   obj);
	u32 i, nr = ccshm_importer_list(export, d->importers,
					ARRAY_SIZE(d->importers));
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = put_importer(skb, &d->importers[i]);
	return err;
}

static int dump_put(struct sk_buff *skb, struct netlink_callback *cb,
		    struct ccshm_object *object)
{
	const struct genlmsghdr *request = nlmsg_data(cb->nlh);
	struct dump *d = dump_of(cb);
	void *hdr;
	int err;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &family, NLM_F_MULTI, request->cmd);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	err = ccshm_encode_object(skb, &d->q);
	if (!err && d->type == CCSHM_TYPE_EXPORT)
		err = put_importers(skb, d, object);
	if (err)
		genlmsg_cancel(skb, hdr);
	else
		genlmsg_end(skb, hdr);
	return err;
}

/* Add an object, if the opener may see it; called with the opener's credentials. */
static int dump_object(struct sk_buff *skb, struct netlink_callback *cb,
		       struct ccshm_object *object)
{
	struct dump *d = dump_of(cb);

	memset(&d->q, 0, sizeof(d->q));
	if (!ccshm_object_describe_seen(object, NULL, d->admin, false, &d->q))
		return 0;
	return dump_put(skb, cb, object);
}

/*
 * Fill a message with as many objects as it has room for; an empty one ends the dump. A
 * caller that may see few of many objects can be killed.
 */
static int dump_objects(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = dump_of(cb);
	const struct cred *old = override_creds(d->cred);
	struct ccshm_object *object;
	int err = 0;

	cb->seq = ccshm_generation();
	while (!err && (object = ccshm_object_next(d->type, d->last, d->end))) {
		err = dump_object(skb, cb, object);
		if (!err)
			d->last = object->id;
		ccshm_object_put(object);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	revert_creds(old);
	return skb->len ?: err;
}

/* ---- statistics ---- */

static int get_stats(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	struct ccshm_ioc_info stats = {};
	void *hdr;

	if (!skb)
		return -ENOMEM;
	ccshm_info_describe(&stats);
	hdr = genlmsg_put_reply(skb, info, &family, 0, CCSHM_CMD_STATS_GET);
	if (!hdr || ccshm_encode_stats(skb, &stats)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* ---- the family ---- */

#define DUMP(command) {							\
		.cmd = (command), .start = dump_start,			\
		.dumpit = dump_objects, .done = dump_done			\
	}

static const struct genl_ops ops[] = {
	DUMP(CCSHM_CMD_BUFFER_GET),
	DUMP(CCSHM_CMD_EXPORT_GET),
	DUMP(CCSHM_CMD_ATTACHMENT_GET),
	{ .cmd = CCSHM_CMD_STATS_GET, .doit = get_stats },
};

static const struct genl_multicast_group groups[] = {
	CCSHM_GROUP(CCSHM_GENL_GROUP_EVENTS),
};

static struct genl_family family = {
	.name = CCSHM_GENL_NAME,
	.version = CCSHM_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = CCSHM_GROUPS,
};

#define REGISTER_TRIES	10

/*
 * Any process can join the number of a group before the family has that number. If the
 * kernel cannot check each listener, the group must have no listener when it is
 * registered: unregister the family, which removes them, and try again.
 */
static int register_family(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < REGISTER_TRIES; i++) {
		err = genl_register_family(&family);
		if (err || CCSHM_LISTENERS_FILTERED || !CCSHM_GROUPS ||
		    !genl_has_listeners(&family, &init_net, 0))
			return err;
		genl_unregister_family(&family);
	}
	pr_warn("ccshm: a process has joined the group of events before it was registered: no events; end the process and load the module again\n");
	family.n_mcgrps = 0;
	return genl_register_family(&family);
}

int __init ccshm_netlink_init(void)
{
	int err = ccshm_event_init(&family);

	if (err)
		return err;
	err = register_family();
	if (err)
		ccshm_event_exit();
	return err;
}

void ccshm_netlink_exit(void)
{
	ccshm_event_exit();
	genl_unregister_family(&family);
}
