/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's generic netlink family in suites, without a library: requests, dumps that are read
 * one datagram at a time, and events.
 */
#ifndef CCSHM_NETLINK_H
#define CCSHM_NETLINK_H

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "raw.h"

#define NL_ATTRS	(CCSHM_A_ACTOR_PID + 1)

/* The family, its multicast group, and the number of groups with the name of that group. */
extern struct nl_family {
	int id;
	unsigned int group;
	unsigned int groups;
} family;

/* ---- sockets ---- */

/* Return a socket whose receive calls time out after 20 s. Bail out if that fails. */
int nl_socket(void);

/* Join a multicast group. Return 0 or a negative errno. */
RAW_CHECKED int nl_join(int fd, unsigned int group);

/* ---- attributes ---- */

/* The attributes of a message, by type, and the number of importers in the message. */
struct nl_message {
	struct nlattr *attr[NL_ATTRS];
	unsigned int importers;
};

/* Return the value of an attribute of 32 or 64 bits, or ~0 if the attribute is absent. */
uint64_t nl_number(const struct nl_message *msg, unsigned int type);

/* Return the text of an attribute, or "" if the attribute is absent. */
const char *nl_text(const struct nl_message *msg, unsigned int type);

/* ---- requests ---- */

/* Send a request. Return 0 or the negative errno of the answer. */
RAW_CHECKED int nl_request(int fd, int flags, uint8_t cmd, const void *attrs, size_t size);

/* Look up the family and its group. Return 0 or a negative errno. */
RAW_CHECKED int nl_find_family(int fd);

/* ---- dumps ---- */

/*
 * A dump: its socket, the datagrams and messages received, whether the kernel marked it
 * inconsistent, and its final status.
 */
struct nl_dump {
	int fd;
	unsigned int datagrams;
	unsigned int messages;
	bool changed;
	int end;	/* 1: the dump has not ended */
};

struct nl_dump nl_dump_start(int fd, uint8_t cmd);

/* Receive one datagram of a dump, and call @visit for each message. Return false at the end. */
RAW_CHECKED bool nl_dump_next(struct nl_dump *d,
			      void (*visit)(const struct nl_message *msg, void *data), void *data);

/* Receive the rest of a dump. Return the final status of the dump. */
RAW_CHECKED int nl_dump_rest(struct nl_dump *d,
			     void (*visit)(const struct nl_message *msg, void *data), void *data);

/* Receive a whole dump. */
struct nl_dump nl_dump(int fd, uint8_t cmd, void (*visit)(const struct nl_message *msg, void *data),
		       void *data);

/* ---- statistics ---- */

/* Return the value of a statistic. */
uint64_t nl_statistic(int fd, unsigned int attr);

/* ---- events ---- */

/* An event: the datagram, its attributes, and its type. */
struct nl_event {
	char space[4096] __attribute__((aligned(8)));
	struct nl_message msg;
	unsigned int type;
};

/* Receive the next event within @ms. Return 0 or a negative errno. */
RAW_CHECKED int nl_event(int fd, struct nl_event *e, int ms);

#endif /* CCSHM_NETLINK_H */
