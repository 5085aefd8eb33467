// SPDX-License-Identifier: GPL-2.0-only
/* Lists, statistics and events by messages of the fake netlink family. */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>

#include "fake.h"

static struct ccshm *handle;
static struct ccshm_list *list;
static struct ccshm_stats *stats;
static struct ccshm_events *events;
static struct ccshm_event *event;

/* Get a list by netlink: the device node cannot be opened. */
static int get(uint32_t type)
{
	int ret;

	fake.no_access = true;
	ret = ccshm_list_get_seam(&fake_seam, type, &list);
	fake.no_access = false;
	return ret;
}

static int get_stats(void)
{
	int ret;

	fake.no_access = true;
	ret = ccshm_stats_get_seam(&fake_seam, &stats);
	fake.no_access = false;
	return ret;
}

/* ---- lists ---- */

START_TEST(empty_list)
{
	ck_assert_int_eq(get((uint32_t)_i), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 0);
	ck_assert(ccshm_list_is_consistent(list));
	ck_assert_ptr_null(ccshm_list_status(list, 0));
	ck_assert_ptr_null(ccshm_list_importers(list, 0));
	ccshm_list_free(list);
	ccshm_list_free(NULL);
}
END_TEST

/* Check that the list and QUERY report the same status. */
static void same_as_query(const struct ccshm_status *got)
{
	struct ccshm_status *want;

	ck_assert_int_eq(ccshm_status_get(handle, ccshm_status_id(got), &want), 0);
#define SAME(what) ck_assert_uint_eq(ccshm_status_##what(got), ccshm_status_##what(want))
	SAME(id);
	SAME(type);
	SAME(state);
	SAME(flags);
	SAME(is_persistent);
	SAME(is_orphan);
	SAME(is_heap);
	SAME(has_control);
	SAME(buffer_id);
	SAME(export_id);
	SAME(offset);
	SAME(size);
	SAME(owner);
	SAME(group);
	SAME(mode);
	SAME(payer);
	SAME(exports);
	SAME(attachments);
	SAME(importers);
	SAME(device_mappings);
	SAME(cpu_mappings);
	SAME(dma_bits);
	SAME(segments);
	if (ccshm_status_type(got) == CCSHM_TYPE_BUFFER) {
		SAME(charged);
		SAME(carved);
		SAME(blocks);
		SAME(blocks_small);
		SAME(units);
		SAME(units_whole);
		SAME(conversions);
	}
#undef SAME
	ck_assert_str_eq(ccshm_status_name(got), ccshm_status_name(want));
	ck_assert_str_eq(ccshm_status_device(got), ccshm_status_device(want));
	ccshm_status_free(want);
}

START_TEST(objects)
{
	struct ccshm_buffer *a, *b;
	struct ccshm_attachment *att;
	struct ccshm_export *exp;
	uint32_t type, i;

	handle = fake_handle();
	a = fake_buffer(handle, 3);
	b = fake_named(handle, "ring");
	ck_assert_int_eq(ccshm_export_create(a, CCSHM_EXPORT_READ_ONLY, PAGE, PAGE,
					     &exp), 0);
	ck_assert_int_eq(ccshm_buffer_attach(b, FAKE_DEVICE, NULL, &att), 0);
	for (type = CCSHM_TYPE_BUFFER; type <= CCSHM_TYPE_ATTACHMENT; type++) {
		ck_assert_int_eq(get(type), 0);
		ck_assert_uint_eq(ccshm_list_count(list),
				  type == CCSHM_TYPE_BUFFER ? 2 : 1);
		for (i = 0; i < ccshm_list_count(list); i++)
			same_as_query(ccshm_list_status(list, i));
		ck_assert_ptr_null(ccshm_list_status(list, i));
		ccshm_list_free(list);
	}
	ccshm_attachment_detach(att);
	ccshm_attachment_close(att);
	ccshm_export_close(exp);
	ccshm_buffer_close(a);
	ccshm_buffer_close(b);
	ccshm_close(handle);
}
END_TEST

START_TEST(importers)
{
	const struct ccshm_importers *got;
	struct ccshm_buffer *buffer;
	struct ccshm_export *exp;
	unsigned int i;

	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	fake.nr_importers = (unsigned int)_i;
	for (i = 0; i < FAKE_IMPORTERS; i++) {
		snprintf(fake.importers[i].device, CCSHM_DEVICE_LEN, "pci:%u", i);
		fake.importers[i].mappings = i;
	}
	fake.importers[1].flags = CCSHM_IMPORTER_CANNOT_LET_GO;
	ck_assert_int_eq(get(CCSHM_TYPE_EXPORT), 0);
	got = ccshm_list_importers(list, 0);
	/* A message has at most CCSHM_GENL_IMPORTERS_MAX importers. */
	ck_assert_uint_eq(ccshm_importers_count(got),
			  _i < CCSHM_GENL_IMPORTERS_MAX ? _i :
			  CCSHM_GENL_IMPORTERS_MAX);
	for (i = 0; i < ccshm_importers_count(got); i++) {
		ck_assert_uint_eq(ccshm_importers_mappings(got, i), i);
		ck_assert_str_eq(ccshm_importers_device(got, i),
				 fake.importers[i].device);
		ck_assert(ccshm_importers_can_let_go(got, i) == (i != 1));
	}
	ccshm_list_free(list);
	ccshm_export_close(exp);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

static void many_buffers(unsigned int nr)
{
	while (nr--)
		ccshm_buffer_close(fake_buffer(handle, 1));
}

/* Any distribution over datagrams yields each object once, ordered by id. */
START_TEST(datagrams)
{
	uint64_t id, last = 0;
	uint32_t i;

	handle = fake_handle();
	many_buffers(60);
	fake.per_datagram = (unsigned int)_i;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 60);
	for (i = 0; i < 60; i++) {
		id = ccshm_status_id(ccshm_list_status(list, i));
		ck_assert_uint_gt(id, last);
		last = id;
	}
	ccshm_list_free(list);
	ccshm_close(handle);
}
END_TEST

/* After an inconsistent dump the library discards the objects and repeats the request. */
START_TEST(changed_list_is_repeated)
{
	handle = fake_handle();
	many_buffers(3);
	fake.dumps_changed = (unsigned int)_i;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 3);
	ck_assert_uint_eq(fake.dumps, (unsigned int)_i + 1);
	ck_assert(ccshm_list_is_consistent(list));
	ccshm_list_free(list);
	ccshm_close(handle);
}
END_TEST

/* The number of requests is limited. The end of this dump is the only message that is marked. */
START_TEST(repeats_are_limited)
{
	fake.dumps_changed = 1000;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert(!ccshm_list_is_consistent(list));
	ck_assert_uint_lt(fake.dumps, 100);
	ccshm_list_free(list);
}
END_TEST

START_TEST(list_fails)
{
	handle = fake_handle();
	many_buffers(2);
	ck_assert_int_eq(get(0), -EINVAL);
	ck_assert_ptr_null(list);
	ck_assert_int_eq(get(4), -EINVAL);
	fake.dump_error = -EMSGSIZE;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EMSGSIZE);
	ck_assert_ptr_null(list);
	fake.dump_error = 1;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EPROTO);
	fake.dump_error = 0;
	fake.wrong_size = true;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EPROTO);
	fake.wrong_size = false;
	/*
	 * The error of the device node is reported rather than the missing family or the
	 * refused socket.
	 */
	fake_fail(FAKE_NETLINK, 0, -EAFNOSUPPORT);
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EACCES);
	ck_assert_ptr_null(list);
	fake_fail(FAKE_NETLINK, 0, -EMFILE);
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EMFILE);
	fake.no_family = true;
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), -EACCES);
	ck_assert_ptr_null(list);
	fake.no_driver = true;
	ck_assert_int_eq(ccshm_list_get_seam(&fake_seam, CCSHM_TYPE_BUFFER, &list),
			 -ENODEV);
	ck_assert_ptr_null(list);
	ccshm_close(handle);
}
END_TEST

/* Let each call and allocation fail: no file stays open and no memory leaks. */
START_TEST(list_fails_anywhere)
{
	static const enum fake_call calls[] = {
		FAKE_NETLINK, FAKE_SEND, FAKE_RECEIVE, FAKE_CALLOC,
	};
	struct ccshm_buffer *buffer;
	struct ccshm_export *exp;
	unsigned int skip;
	int ret;

	handle = fake_handle();
	buffer = fake_buffer(handle, 1);
	ck_assert_int_eq(ccshm_export_create(buffer, 0, 0, 0, &exp), 0);
	for (skip = 0; skip < 20; skip++) {
		/* Later allocations are those of the fake family's datagrams. */
		if (calls[_i] == FAKE_CALLOC && skip > 1)
			break;
		fake_netlink_clear();
		fake_fail(calls[_i], skip, -ENOMEM);
		ret = get(CCSHM_TYPE_EXPORT);
		if (!ret)
			break;
		ck_assert_int_eq(ret, -ENOMEM);
		ck_assert_ptr_null(list);
		ck_assert_uint_eq(fake_files(), 2);
	}
	ck_assert_uint_ge(skip, calls[_i] == FAKE_NETLINK ? 1 : 2);
	ccshm_list_free(list);
	ccshm_export_close(exp);
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

/* After a signal the library waits again. */
START_TEST(signal_while_waiting)
{
	handle = fake_handle();
	many_buffers(2);
	fake_fail(FAKE_RECEIVE, (unsigned int)_i, -EINTR);
	ck_assert_int_eq(get(CCSHM_TYPE_BUFFER), 0);
	ck_assert_uint_eq(ccshm_list_count(list), 2);
	ccshm_list_free(list);
	ccshm_close(handle);
}
END_TEST

/* ---- statistics ---- */

START_TEST(statistics)
{
	uint32_t i, j;

	for (i = 0; i <= CCSHM_A_STATS_EVENTS_SUPPRESSED; i++)
		fake.stats[i] = 100 + i;
	ck_assert_int_eq(get_stats(), 0);
	/* The library reports the counters in its header and skips the unknown one. */
	ck_assert_uint_eq(ccshm_stats_count(stats), CCSHM_A_STATS_EVENTS_SUPPRESSED - 1);
	for (i = 0; i < ccshm_stats_count(stats); i++) {
		ck_assert_uint_eq(ccshm_stats_value(stats, i), 102 + i);
		ck_assert(ccshm_stats_is_bytes(stats, i) ==
			  !strncmp(ccshm_stats_name(stats, i), "bytes_", 6));
		for (j = 0; j < i; j++)
			ck_assert_str_ne(ccshm_stats_name(stats, i),
					 ccshm_stats_name(stats, j));
	}
	ck_assert_str_eq(ccshm_stats_name(stats, 0), "bytes_shared");
	ck_assert_str_eq(ccshm_stats_name(stats, i - 1), "events_suppressed");
	ck_assert_str_eq(ccshm_stats_name(stats, i), "");
	ck_assert_uint_eq(ccshm_stats_value(stats, i), 0);
	ck_assert(!ccshm_stats_is_bytes(stats, i));
	ccshm_stats_free(stats);
	ccshm_stats_free(NULL);
}
END_TEST

START_TEST(statistics_fail)
{
	fake_fail(FAKE_NETLINK, 0, -EAFNOSUPPORT);
	ck_assert_int_eq(get_stats(), -EACCES);
	ck_assert_ptr_null(stats);
	fake.no_family = true;
	ck_assert_int_eq(get_stats(), -EACCES);
	ck_assert_ptr_null(stats);
	fake.no_family = false;
	fake_fail(FAKE_SEND, 1, -ECONNREFUSED);
	ck_assert_int_eq(get_stats(), -ECONNREFUSED);
	ck_assert_ptr_null(stats);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(get_stats(), -ENOMEM);
	ck_assert_ptr_null(stats);
}
END_TEST

/* ---- events ---- */

static void open_events(void)
{
	ck_assert_int_eq(ccshm_events_open_seam(&fake_seam, &events), 0);
	ck_assert_uint_eq(fake.joined, 7);
	ck_assert_int_ge(ccshm_events_fd(events), 0);
}

static int next(void)
{
	return ccshm_events_next(events, &event);
}

START_TEST(no_event_returns_EAGAIN)
{
	open_events();
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_ptr_null(event);
	ccshm_events_close(events);
	ccshm_events_close(NULL);
	ccshm_event_free(NULL);
}
END_TEST

START_TEST(event_of_an_object)
{
	const struct ccshm_status *st;
	struct nlmsghdr *m;

	open_events();
	m = fake_event(CCSHM_EVENT_DETACH);
	mnl_attr_put_u32(m, CCSHM_A_TYPE, CCSHM_TYPE_ATTACHMENT);
	mnl_attr_put_u64(m, CCSHM_A_ID, 77);
	mnl_attr_put_strz(m, CCSHM_A_DEVICE, FAKE_DEVICE);
	mnl_attr_put_u32(m, CCSHM_A_STOPPED, 1);
	/* An attribute of a newer driver. */
	mnl_attr_put_u32(m, 999, 1);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), CCSHM_EVENT_DETACH);
	ck_assert_uint_eq(ccshm_event_time(event), 1700000000123456789);
	ck_assert_uint_eq(ccshm_event_stopped(event), 1);
	st = ccshm_event_status(event);
	ck_assert_uint_eq(ccshm_status_id(st), 77);
	ck_assert_uint_eq(ccshm_status_type(st), CCSHM_TYPE_ATTACHMENT);
	ck_assert_str_eq(ccshm_status_device(st), FAKE_DEVICE);
	ck_assert_int_eq(ccshm_event_result(event), 0);
	ck_assert_uint_eq(ccshm_event_limit(event), 0);
	ck_assert_uint_eq(ccshm_event_actor_uid(event), UINT32_MAX);
	ck_assert_uint_eq(ccshm_event_actor_pid(event), 0);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -EAGAIN);
	ccshm_events_close(events);
}
END_TEST

START_TEST(event_numbers)
{
	struct nlmsghdr *m;

	open_events();
	m = fake_event(CCSHM_EVENT_REVOKE_END);
	mnl_attr_put_u32(m, CCSHM_A_RESULT, ETIMEDOUT);
	mnl_attr_put_u64(m, CCSHM_A_DURATION, 5000000000);
	mnl_attr_put_u64(m, CCSHM_A_PAGES, 512);
	mnl_attr_put_u32(m, CCSHM_A_QUOTA, CCSHM_QUOTA_USER_BYTES);
	mnl_attr_put_u64(m, CCSHM_A_ASKED, 1);
	mnl_attr_put_u64(m, CCSHM_A_USED, 2);
	mnl_attr_put_u64(m, CCSHM_A_LIMIT, 3);
	mnl_attr_put_u32(m, CCSHM_A_ACTOR_UID, 0);
	mnl_attr_put_u32(m, CCSHM_A_ACTOR_PID, 812);
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(ccshm_event_result(event), -ETIMEDOUT);
	ck_assert_uint_eq(ccshm_event_duration(event), 5000000000);
	ck_assert_uint_eq(ccshm_event_pages(event), 512);
	ck_assert_uint_eq(ccshm_event_quota(event), CCSHM_QUOTA_USER_BYTES);
	ck_assert_uint_eq(ccshm_event_asked(event), 1);
	ck_assert_uint_eq(ccshm_event_used(event), 2);
	ck_assert_uint_eq(ccshm_event_limit(event), 3);
	ck_assert_uint_eq(ccshm_event_actor_uid(event), 0);
	ck_assert_uint_eq(ccshm_event_actor_pid(event), 812);
	ck_assert_uint_eq(ccshm_status_type(ccshm_event_status(event)), 0);
	ccshm_event_free(event);
	ccshm_events_close(events);
}
END_TEST

/* A loss is reported once; events received before and after it are delivered. */
START_TEST(events_lost)
{
	open_events();
	fake_event(CCSHM_EVENT_LEAK);
	fake_receive_error(-ENOBUFS);
	fake_event(CCSHM_EVENT_QUOTA);
	ck_assert_int_eq(next(), 0);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -ENOBUFS);
	ck_assert_ptr_null(event);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), CCSHM_EVENT_QUOTA);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -EAGAIN);
	ccshm_events_close(events);
}
END_TEST

START_TEST(unload_returns_ENODEV)
{
	open_events();
	fake_event(CCSHM_EVENT_LEAK);
	fake_family_removed(32);
	fake_event(CCSHM_EVENT_QUOTA);
	fake_family_removed(31);
	ck_assert_int_eq(next(), 0);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), CCSHM_EVENT_QUOTA);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -ENODEV);
	ck_assert_ptr_null(event);
	fake.reloads = 1;
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(next(), -ENODEV);
	ccshm_events_close(events);
	/* A new handle has the events of the new driver. */
	open_events();
	ck_assert_int_eq(next(), 0);
	ccshm_event_free(event);
	ccshm_events_close(events);
}
END_TEST

/* The report that the driver was unloaded is among the lost messages. */
START_TEST(lost_unload_returns_ENODEV)
{
	open_events();
	fake_receive_error(-ENOBUFS);
	fake_event(CCSHM_EVENT_QUOTA);
	fake.reloads = 1;
	ck_assert_int_eq(next(), -ENOBUFS);
	ck_assert_int_eq(next(), 0);
	ccshm_event_free(event);
	/* The library repeats a check that fails. */
	fake_fail(FAKE_NETLINK, 0, -EMFILE);
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_int_eq(next(), -ENODEV);
	ck_assert_int_eq(next(), -ENODEV);
	ck_assert_ptr_null(event);
	ccshm_events_close(events);
}
END_TEST

static int join_and_reload(int fd, uint32_t group)
{
	int ret = fake_seam.join(fd, group);

	if (fake.joined_notify)
		fake.reloads = 1;
	return ret;
}

START_TEST(reload_during_open_returns_ENODEV)
{
	struct ccshm_seam seam = fake_seam;
	unsigned int files = fake_files();

	seam.join = join_and_reload;
	ck_assert_int_eq(ccshm_events_open_seam(&seam, &events), -ENODEV);
	ck_assert_ptr_null(events);
	ck_assert_uint_eq(fake_files(), files);
}
END_TEST

/* A datagram with several events and other messages. */
START_TEST(several_events_in_a_datagram)
{
	struct nlmsghdr *m;
	char bytes[1024] __attribute__((aligned(8))) = { 0 };
	char *p = bytes;
	unsigned int i;

	open_events();
	for (i = 0; i < 5; i++) {
		struct genlmsghdr *g;

		m = mnl_nlmsg_put_header(p);
		g = mnl_nlmsg_put_extra_header(m, sizeof(*g));
		/* Messages of another family, of another command, and without a command. */
		m->nlmsg_type = i == 1 ? 32 : 31;
		g->cmd = i == 2 ? CCSHM_CMD_STATS_GET : CCSHM_CMD_EVENT;
		if (i == 3)
			m->nlmsg_len = NLMSG_HDRLEN;
		else
			mnl_attr_put_u32(m, CCSHM_A_EVENT, i + 1);
		p += MNL_ALIGN(m->nlmsg_len);
	}
	fake_datagram(bytes, (size_t)(p - bytes));
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), 1);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), 5);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -EAGAIN);
	ccshm_events_close(events);
}
END_TEST

/* Invalid messages are skipped. */
START_TEST(invalid_messages_are_skipped)
{
	static const char bytes[] = "nonsense";
	struct nlmsghdr *m;

	open_events();
	fake_datagram(bytes, 3);
	fake_datagram(bytes, sizeof(bytes));
	fake_datagram(bytes, 0);
	fake_receive_error(-EMSGSIZE);
	m = fake_event(CCSHM_EVENT_LEAK);
	mnl_attr_put_u32(m, CCSHM_A_PAGES, 1);
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(next(), -EPROTO);
	ck_assert_int_eq(next(), -EPROTO);
	ck_assert_ptr_null(event);
	ck_assert_int_eq(next(), 0);
	ccshm_event_free(event);
	ccshm_events_close(events);
}
END_TEST

/* A length of 2 GiB or more is beyond the datagram, and not negative. */
START_TEST(length_beyond_2_gib_is_refused)
{
	const struct nlmsghdr huge[2] = {
		{ .nlmsg_len = 0xc0000000U, .nlmsg_type = 31 },
	};

	open_events();
	fake_datagram(huge, sizeof(huge));
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(ccshm_event_type(event), CCSHM_EVENT_LEAK);
	ccshm_event_free(event);
	ck_assert_int_eq(next(), -EAGAIN);
	ccshm_events_close(events);
}
END_TEST

START_TEST(long_texts)
{
	char text[200];
	struct nlmsghdr *m;

	memset(text, 'd', sizeof(text));
	open_events();
	m = fake_event(CCSHM_EVENT_ATTACH);
	mnl_attr_put(m, CCSHM_A_DEVICE, sizeof(text), text);
	mnl_attr_put(m, CCSHM_A_NAME, 4, "ring");
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(strlen(ccshm_status_device(ccshm_event_status(event))),
			  CCSHM_DEVICE_LEN - 1);
	ck_assert_str_eq(ccshm_status_name(ccshm_event_status(event)), "ring");
	ccshm_event_free(event);
	ccshm_events_close(events);
}
END_TEST

START_TEST(events_fail)
{
	fake.no_admin = true;
	ck_assert_int_eq(ccshm_events_open_seam(&fake_seam, &events), -EPERM);
	ck_assert_ptr_null(events);
	fake.no_admin = false;
	fake.no_group = true;
	ck_assert_int_eq(ccshm_events_open_seam(&fake_seam, &events), -EOPNOTSUPP);
	fake.no_group = false;
	fake.no_family = true;
	ck_assert_int_eq(ccshm_events_open_seam(&fake_seam, &events), -ENODEV);
	fake.no_family = false;
	fake_fail(FAKE_NETLINK, 0, -EMFILE);
	ck_assert_int_eq(ccshm_events_open_seam(&fake_seam, &events), -EMFILE);
	ck_assert_ptr_null(events);
	/* The library receives the event but cannot allocate memory for it. */
	open_events();
	fake_event(CCSHM_EVENT_LEAK);
	fake_fail(FAKE_CALLOC, 0, -ENOMEM);
	ck_assert_int_eq(next(), -ENOMEM);
	ck_assert_ptr_null(event);
	fake_event(CCSHM_EVENT_LEAK);
	fake_fail(FAKE_CALLOC, 1, -ENOMEM);
	ck_assert_int_eq(next(), -ENOMEM);
	ck_assert_ptr_null(event);
	ccshm_events_close(events);
}
END_TEST

START_TEST(names)
{
	uint32_t i, j;

	for (i = 1; i <= CCSHM_EVENT_QUOTA; i++)
		for (j = 0; j < i; j++)
			ck_assert_str_ne(ccshm_event_type_name(i),
					 ccshm_event_type_name(j));
	ck_assert_str_eq(ccshm_event_type_name(0), "unknown");
	ck_assert_str_eq(ccshm_event_type_name(CCSHM_EVENT_QUOTA + 1), "unknown");
	ck_assert_str_eq(ccshm_quota_name(CCSHM_QUOTA_TOTAL_BYTES), "total-bytes");
	ck_assert_str_eq(ccshm_quota_name(CCSHM_QUOTA_USER_BYTES), "user-bytes");
	ck_assert_str_eq(ccshm_quota_name(CCSHM_QUOTA_USER_BUFFERS), "user-buffers");
	ck_assert_str_eq(ccshm_quota_name(CCSHM_QUOTA_USER_EXPORTS), "user-exports");
	ck_assert_str_eq(ccshm_quota_name(0), "unknown");
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "netlink");

	tcase_add_loop_test(tests, empty_list, CCSHM_TYPE_BUFFER,
			    CCSHM_TYPE_ATTACHMENT + 1);
	tcase_add_test(tests, objects);
	tcase_add_loop_test(tests, importers, 0, FAKE_IMPORTERS);
	tcase_add_loop_test(tests, datagrams, 0, 8);
	tcase_add_loop_test(tests, changed_list_is_repeated, 0, 4);
	tcase_add_test(tests, repeats_are_limited);
	tcase_add_test(tests, list_fails);
	tcase_add_loop_test(tests, list_fails_anywhere, 0, 4);
	tcase_add_loop_test(tests, signal_while_waiting, 0, 4);
	tcase_add_test(tests, statistics);
	tcase_add_test(tests, statistics_fail);
	tcase_add_test(tests, no_event_returns_EAGAIN);
	tcase_add_test(tests, event_of_an_object);
	tcase_add_test(tests, event_numbers);
	tcase_add_test(tests, events_lost);
	tcase_add_test(tests, unload_returns_ENODEV);
	tcase_add_test(tests, lost_unload_returns_ENODEV);
	tcase_add_test(tests, reload_during_open_returns_ENODEV);
	tcase_add_test(tests, several_events_in_a_datagram);
	tcase_add_test(tests, invalid_messages_are_skipped);
	tcase_add_test(tests, length_beyond_2_gib_is_refused);
	tcase_add_test(tests, long_texts);
	tcase_add_test(tests, events_fail);
	tcase_add_test(tests, names);
}

int main(void)
{
	return unit_main("netlink", add);
}
