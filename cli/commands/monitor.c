// SPDX-License-Identifier: GPL-2.0-only
/* Print a line for each event until SIGINT or SIGTERM. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "ccshmctl.h"

struct monitor_opts {
	struct common common;
	unsigned long count;
};

static const struct argp_option options[] = {
	{ "count", 'n', "N", 0, "End after N events", 0 },
	{ 0 }
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct monitor_opts *opts = state->input;

	if (key != 'n')
		return ARGP_ERR_UNKNOWN;
	opts->count = parse_number_arg("--count", arg, UINT32_MAX, state);
	if (!opts->count)
		usage_error(state, "--count: it must not be 0");
	return 0;
}

const struct argp monitor_argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "\vNeeds CAP_SYS_ADMIN. Prints a line for each event at once; with --json, an "
	       "object. \"events-lost\" means that there were more events than could be read in "
	       "time, or than one user may cause. An interrupt (Ctrl-C) ends the command.",
};

static const char columns[] =
	"time,event,type,id,buffer,name,owner,size,charged,lifetime,device,stopped,"
	"result,duration_ns,state,device_mappings,pages,quota,user,asked,used,limit,actor,pid";

char *monitor_columns(uint32_t type)
{
	(void)type;
	return strdup(columns);
}

/* The contents of an event. */
#define FIELD_OBJECT	(1U << 0)
#define FIELD_SIZE	(1U << 1)
#define FIELD_OWNER	(1U << 2)
#define FIELD_CHARGED	(1U << 3)
#define FIELD_LIFETIME	(1U << 4)
#define FIELD_DEVICE	(1U << 5)
#define FIELD_STOPPED	(1U << 6)
#define FIELD_RESULT	(1U << 7)
#define FIELD_PAGES	(1U << 8)
#define FIELD_QUOTA	(1U << 9)

#define FIELD_BUFFER		(FIELD_OBJECT | FIELD_OWNER | FIELD_SIZE | FIELD_CHARGED)
#define FIELD_EXPORT		(FIELD_OBJECT | FIELD_OWNER | FIELD_SIZE | FIELD_LIFETIME)
#define FIELD_ATTACHMENT	(FIELD_OBJECT | FIELD_OWNER | FIELD_SIZE | FIELD_DEVICE)

static const unsigned int event_fields[] = {
	[CCSHM_EVENT_BUFFER_NEW] = FIELD_BUFFER,
	[CCSHM_EVENT_BUFFER_END] = FIELD_BUFFER,
	[CCSHM_EVENT_BUFFER_GONE] = FIELD_BUFFER,
	[CCSHM_EVENT_EXPORT_NEW] = FIELD_EXPORT,
	[CCSHM_EVENT_EXPORT_GONE] = FIELD_EXPORT,
	[CCSHM_EVENT_ATTACH] = FIELD_ATTACHMENT,
	[CCSHM_EVENT_DETACH] = FIELD_ATTACHMENT | FIELD_STOPPED,
	[CCSHM_EVENT_STUCK] = FIELD_ATTACHMENT,
	[CCSHM_EVENT_IMPORTER_ATTACH] = FIELD_OBJECT | FIELD_DEVICE,
	[CCSHM_EVENT_IMPORTER_DETACH] = FIELD_OBJECT | FIELD_DEVICE,
	[CCSHM_EVENT_REVOKE_BEGIN] = FIELD_OBJECT,
	[CCSHM_EVENT_REVOKE_END] = FIELD_OBJECT | FIELD_RESULT | FIELD_PAGES | FIELD_STOPPED,
	[CCSHM_EVENT_LEAK] = FIELD_PAGES,
	[CCSHM_EVENT_QUOTA] = FIELD_QUOTA,
};

static void add_time(struct out *out, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[80], date[32] = "", zone[8] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm)) {
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	snprintf(text, sizeof(text), "%s.%06u%s", date,
		 (unsigned int)(ns % 1000000000 / 1000), zone);
	out_string(out, "time", text);
}

static void add_object(struct out *out, const struct ccshm_status *st)
{
	const char *name = ccshm_status_name(st);

	out_string(out, "type", ccshm_type_name(ccshm_status_type(st)));
	out_number(out, "id", ccshm_status_id(st));
	if (ccshm_status_type(st) != CCSHM_TYPE_BUFFER)
		out_number(out, "buffer", ccshm_status_buffer_id(st));
	if (*name)
		out_string(out, "name", name);
}

static void add_result(struct out *out, const struct ccshm_event *event,
		       const struct ccshm_status *st)
{
	int result = ccshm_event_result(event);
	const char *name = result ? strerrorname_np(-result) : "ok";

	out_string(out, "result", name ? name : "unknown");
	out_number(out, "duration_ns", ccshm_event_duration(event));
	out_string(out, "state", ccshm_state_name(ccshm_status_state(st)));
	out_number(out, "device_mappings", ccshm_status_device_mappings(st));
}

static void add_quota(struct out *out, const struct ccshm_event *event,
		      const struct ccshm_status *st)
{
	bool bytes = ccshm_event_quota(event) != CCSHM_QUOTA_USER_BUFFERS &&
		     ccshm_event_quota(event) != CCSHM_QUOTA_USER_EXPORTS;
	void (*add)(struct out *out, const char *key, uint64_t value) =
		bytes ? out_size : out_number;

	out_string(out, "quota", ccshm_quota_name(ccshm_event_quota(event)));
	out_user(out, "user", ccshm_status_owner(st));
	add(out, "asked", ccshm_event_asked(event));
	add(out, "used", ccshm_event_used(event));
	add(out, "limit", ccshm_event_limit(event));
}

static void add_fields(struct out *out, const struct ccshm_event *event, unsigned int what)
{
	const struct ccshm_status *st = ccshm_event_status(event);

	if (what & FIELD_OBJECT)
		add_object(out, st);
	if (what & FIELD_OWNER)
		out_user(out, "owner", ccshm_status_owner(st));
	if (what & FIELD_SIZE)
		out_size(out, "size", ccshm_status_size(st));
	if (what & FIELD_CHARGED)
		out_size(out, "charged", ccshm_status_charged(st));
	if (what & FIELD_LIFETIME)
		out_string(out, "lifetime",
			   ccshm_status_flags(st) & CCSHM_EXPORT_PINNED ? "pinned" :
									  "revocable");
	if (what & FIELD_DEVICE)
		out_string(out, "device", ccshm_status_device(st));
	if (what & FIELD_RESULT)
		add_result(out, event, st);
	if (what & FIELD_PAGES)
		out_number(out, "pages", ccshm_event_pages(event));
	if (what & FIELD_STOPPED)
		out_number(out, "stopped", ccshm_event_stopped(event));
	if (what & FIELD_QUOTA)
		add_quota(out, event, st);
}

static void add_actor(struct out *out, const struct ccshm_event *event)
{
	uint32_t pid = ccshm_event_actor_pid(event);

	if (!pid)
		return;
	out_user(out, "actor", ccshm_event_actor_uid(event));
	out_number(out, "pid", pid);
}

static int print_event(const struct ccshm_event *event, const struct format *format)
{
	struct out *out = out_new("event", OUT_LIST, format);
	uint32_t type = ccshm_event_type(event);

	out_row(out);
	add_time(out, ccshm_event_time(event));
	out_string(out, "event", ccshm_event_type_name(type));
	if (type < sizeof(event_fields) / sizeof(event_fields[0]))
		add_fields(out, event, event_fields[type]);
	add_actor(out, event);
	return out_line(out);
}

static int print_lost(const struct format *format)
{
	struct out *out = out_new("event", OUT_LIST, format);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	out_row(out);
	add_time(out, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	out_string(out, "event", "events-lost");
	return out_line(out);
}

/* Open a signalfd for SIGINT and SIGTERM, which stays open until the program ends. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Check whether to continue. @wait: wait for an event first. */
static bool should_continue(const struct ccshm_events *events, int signals, bool wait)
{
	struct pollfd fds[] = {
		{ .fd = ccshm_events_fd(events), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		/* Detects that the reader of the output has gone. */
		{ .fd = STDOUT_FILENO, .events = 0 },
	};
	int n;

	do {
		n = poll(fds, 3, wait ? -1 : 0);
	} while (n < 0 && errno == EINTR);
	return n >= 0 && !fds[1].revents && !(fds[2].revents & (POLLERR | POLLHUP));
}

static int report_unloaded(void)
{
	report_cause(OP_EVENTS, "events",
		     "the driver was unloaded; run the command again when it is loaded");
	return EXIT_NO_DRIVER;
}

/* Read and print one event. Set *@err to -EAGAIN if there is none. Return an exit code. */
static int take_event(struct ccshm_events *events, const struct format *format,
		      int *err)
{
	struct ccshm_event *event;
	int code;

	*err = ccshm_events_next(events, &event);
	if (!*err) {
		code = print_event(event, format);
		ccshm_event_free(event);
		return code;
	}
	if (*err == -EAGAIN)
		return EXIT_OK;
	if (*err == -ENOBUFS)
		return print_lost(format);
	if (*err == -ENODEV)
		return report_unloaded();
	code = report(OP_EVENTS, *err, "events");
	return *err == -EPROTO ? EXIT_OK : code;
}

static int print_events(struct ccshm_events *events, const struct monitor_opts *opts)
{
	int signals = open_signals(), code = EXIT_OK, err = 0;
	unsigned long count = 0;

	while (!code && (!opts->count || count < opts->count)) {
		if (!should_continue(events, signals, err == -EAGAIN))
			break;
		code = take_event(events, &opts->common.format, &err);
		count += !err;
	}
	close(signals);
	return code;
}

int monitor_run(const struct command *cmd, int argc, char **argv)
{
	struct monitor_opts opts = { .count = 0 };
	struct ccshm_events *events;
	int code, err;

	parse(cmd, argc, argv, &opts.common);
	if (!out_columns_exist(&opts.common.format, columns))
		return EXIT_USAGE;
	err = ccshm_events_open(&events);
	if (err)
		return report(OP_EVENTS, err, "events");
	code = print_events(events, &opts);
	ccshm_events_close(events);
	return code;
}
