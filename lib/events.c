// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_events: a subscription to the driver's events. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "internal.h"

#define SPACE	8192

/*
 * The multicast group "notify" of nlctrl, which reports the removal of
 * families. Its number is fixed (genl_validate_assign_mc_groups() in the
 * kernel).
 */
#define NOTIFY	GENL_ID_CTRL

struct ccshm_events {
	const struct ccshm_seam *seam;
	int fd;
	uint16_t family;
	pthread_mutex_t lock;		/* protects the following fields */
	const struct nlmsghdr *next;	/* in @space */
	int left;			/* remaining bytes at @next */
	bool lost;			/* messages were lost since @space was empty */
	bool gone;			/* the driver was unloaded */
	char space[SPACE] __attribute__((aligned(8)));
};

struct ccshm_event {
	struct ccshm_message parsed;
	struct ccshm_status *status;
};

static struct ccshm_events *events_new(const struct ccshm_netlink *nl)
{
	struct ccshm_events *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	if (pthread_mutex_init(&made->lock, NULL)) {
		free(made);
		return NULL;
	}
	made->seam = nl->seam;
	made->fd = nl->fd;
	made->family = nl->family;
	return made;
}

/* Return -ENODEV if the driver that had @family has been unloaded. */
static int check_family(const struct ccshm_seam *seam, uint16_t family)
{
	struct ccshm_netlink nl;
	int ret = ccshm_netlink_open(seam, &nl);

	if (ret)
		return ret;
	/* The kernel gives a family that is registered again another number. */
	ret = nl.family == family ? 0 : -ENODEV;
	ccshm_netlink_close(&nl);
	return ret;
}

/*
 * Join the groups. The kernel ends the subscription to events when the driver
 * is unloaded, and reports this to NOTIFY only (genl_unregister_family()). On
 * success the handle owns the socket.
 */
static int subscribe(struct ccshm_netlink *nl, struct ccshm_events **events)
{
	struct ccshm_events *made;
	int ret;

	if (!nl->group)
		return -EOPNOTSUPP;
	ret = nl->seam->join(nl->fd, nl->group);
	if (!ret)
		ret = nl->seam->join(nl->fd, NOTIFY);
	/* The driver may have been unloaded before NOTIFY was joined. */
	if (!ret)
		ret = check_family(nl->seam, nl->family);
	if (ret)
		return ret;
	made = events_new(nl);
	if (!made)
		return -ENOMEM;
	free(nl->space);
	*events = made;
	return 0;
}

int ccshm_events_open_seam(const struct ccshm_seam *seam,
			   struct ccshm_events **events)
{
	struct ccshm_netlink nl;
	int ret;

	*events = NULL;
	ret = ccshm_netlink_open(seam, &nl);
	if (ret)
		return ret;
	ret = subscribe(&nl, events);
	if (ret)
		ccshm_netlink_close(&nl);
	return ret;
}

CCSHM_API int ccshm_events_open(struct ccshm_events **events)
{
	return ccshm_events_open_seam(&ccshm_system, events);
}

CCSHM_API void ccshm_events_close(struct ccshm_events *events)
{
	if (!events)
		return;
	events->seam->close(events->fd);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

CCSHM_API int ccshm_events_fd(const struct ccshm_events *events)
{
	return events->fd;
}

static bool is_event(const struct ccshm_events *events,
		     const struct nlmsghdr *message)
{
	const struct genlmsghdr *generic = mnl_nlmsg_get_payload(message);

	return message->nlmsg_type == events->family &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(*generic) &&
	       generic->cmd == CCSHM_CMD_EVENT;
}

/* Receive messages into @space. Return 0 or a negative errno. */
static int receive(struct ccshm_events *events)
{
	int ret = events->seam->receive(events->fd, events->space, SPACE,
					false);

	if (ret >= 0) {
		events->next = (const void *)events->space;
		events->left = ret;
		return 0;
	}
	if (ret == -ENOBUFS)
		events->lost = true;
	/* The report that the driver was unloaded may be among those lost. */
	if (ret == -EAGAIN && events->lost) {
		int err = check_family(events->seam, events->family);

		events->lost = err && err != -ENODEV;
		events->gone = err == -ENODEV;
	}
	if (events->gone)
		return -ENODEV;
	return ret == -EMSGSIZE ? -EPROTO : ret;
}

/*
 * Parse the next event into @parsed. Return 1, 0 to call again, or a negative
 * errno.
 */
static int parse_next(struct ccshm_events *events, struct ccshm_message *parsed)
{
	const struct nlmsghdr *message;
	int ret;

	if (events->gone)
		return -ENODEV;
	if (!ccshm_netlink_ok(events->next, events->left)) {
		events->left = 0;
		return receive(events);
	}
	message = events->next;
	events->next = mnl_nlmsg_next(message, &events->left);
	if (ccshm_netlink_removed(message) == events->family) {
		events->gone = true;
		return -ENODEV;
	}
	if (!is_event(events, message))
		return 0;
	ret = ccshm_netlink_parse(message, parsed);
	return ret ? ret : 1;
}

static int event_new(const struct ccshm_message *parsed,
		     struct ccshm_event **event)
{
	struct ccshm_event *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	made->parsed = *parsed;
	ret = ccshm_status_make(&parsed->object, &made->status);
	if (ret) {
		free(made);
		return ret;
	}
	*event = made;
	return 0;
}

CCSHM_API int ccshm_events_next(struct ccshm_events *events,
				struct ccshm_event **event)
{
	struct ccshm_message parsed;
	int ret;

	*event = NULL;
	pthread_mutex_lock(&events->lock);
	do {
		ret = parse_next(events, &parsed);
	} while (!ret);
	pthread_mutex_unlock(&events->lock);
	return ret < 0 ? ret : event_new(&parsed, event);
}

CCSHM_API void ccshm_event_free(struct ccshm_event *event)
{
	if (!event)
		return;
	ccshm_status_free(event->status);
	free(event);
}

CCSHM_API uint32_t ccshm_event_type(const struct ccshm_event *event)
{
	return event->parsed.event;
}

CCSHM_API uint64_t ccshm_event_time(const struct ccshm_event *event)
{
	return event->parsed.time;
}

CCSHM_API const struct ccshm_status *
ccshm_event_status(const struct ccshm_event *event)
{
	return event->status;
}

CCSHM_API int ccshm_event_result(const struct ccshm_event *event)
{
	return -(int)event->parsed.result;
}

CCSHM_API uint64_t ccshm_event_duration(const struct ccshm_event *event)
{
	return event->parsed.duration;
}

CCSHM_API uint64_t ccshm_event_pages(const struct ccshm_event *event)
{
	return event->parsed.pages;
}

CCSHM_API uint32_t ccshm_event_stopped(const struct ccshm_event *event)
{
	return event->parsed.stopped;
}

CCSHM_API uint32_t ccshm_event_quota(const struct ccshm_event *event)
{
	return event->parsed.quota;
}

CCSHM_API uint64_t ccshm_event_asked(const struct ccshm_event *event)
{
	return event->parsed.asked;
}

CCSHM_API uint64_t ccshm_event_used(const struct ccshm_event *event)
{
	return event->parsed.used;
}

CCSHM_API uint64_t ccshm_event_limit(const struct ccshm_event *event)
{
	return event->parsed.limit;
}

CCSHM_API uint32_t ccshm_event_actor_uid(const struct ccshm_event *event)
{
	return event->parsed.actor_pid ? event->parsed.actor_uid : UINT32_MAX;
}

CCSHM_API uint32_t ccshm_event_actor_pid(const struct ccshm_event *event)
{
	return event->parsed.actor_pid;
}
