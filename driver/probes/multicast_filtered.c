// SPDX-License-Identifier: GPL-2.0-only
/* genlmsg_multicast_netns_filtered() lets the sender decide for each listener. */
#include <net/genetlink.h>

int probe(struct genl_family *family, struct sk_buff *skb,
	  int (*filter)(struct sock *sk, struct sk_buff *skb, void *data));
int probe(struct genl_family *family, struct sk_buff *skb,
	  int (*filter)(struct sock *sk, struct sk_buff *skb, void *data))
{
	return genlmsg_multicast_netns_filtered(family, &init_net, skb, 0, 0,
						GFP_KERNEL, filter, NULL);
}
