// SPDX-License-Identifier: GPL-2.0-only
/* list, stats and monitor, on the fake netlink family. */
#include <grp.h>
#include <libmnl/libmnl.h>
#include <pwd.h>

#include "cli-run.h"
#include "fake.h"

static struct ccshm *handle;
static struct ccshm_buffer *anonymous, *ring;
static struct ccshm_export *export;
static struct ccshm_attachment *attachment;

/* The number of look-ups in the child process. */
static struct asked {
	unsigned int users, groups;
} *asked;

struct passwd *__real_getpwuid(uid_t uid);
struct passwd *__wrap_getpwuid(uid_t uid);
struct group *__real_getgrgid(gid_t gid);
struct group *__wrap_getgrgid(gid_t gid);

struct passwd *__wrap_getpwuid(uid_t uid)
{
	if (asked)
		asked->users++;
	return __real_getpwuid(uid);
}

struct group *__wrap_getgrgid(gid_t gid)
{
	if (asked)
		asked->groups++;
	return __real_getgrgid(gid);
}

static void setup(void)
{
	cli_reset();
	setenv("TZ", "UTC", 1);
	handle = fake_handle();
	anonymous = fake_buffer(handle, 3);
	ring = fake_named(handle, "ring");
	ck_assert_int_eq(ccshm_export_create(ring, CCSHM_EXPORT_PINNED, 0, 0, &export), 0);
	ck_assert_int_eq(ccshm_buffer_attach(anonymous, FAKE_DEVICE, NULL, &attachment), 0);
}

static void teardown(void)
{
	ccshm_attachment_detach(attachment);
	ccshm_attachment_close(attachment);
	ccshm_export_close(export);
	ccshm_buffer_close(ring);
	ccshm_buffer_close(anonymous);
	ccshm_close(handle);
}

static bool has(const char *text)
{
	return strstr(cli.out, text) != NULL;
}

static bool complains(const char *text)
{
	return strstr(cli.err, text) != NULL;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- list ---- */

START_TEST(list_buffers)
{
	ck_assert_int_eq(cli_run("list", NULL), EXIT_OK);
	ck_assert_uint_eq(lines(cli.out), 3);
	ck_assert(has("ID NAME OWNER"));
	ck_assert_int_eq(cli_run("list", "-o", "id,name,mode,size,charged,exports,attachments,ended",
				 NULL), EXIT_OK);
	ck_assert_str_eq(cli.out,
		"ID NAME MODE SIZE CHARGED EXPORTS ATTACHMENTS ENDED\n"
		" 1 -    0000  12K     12K       0           1 no\n"
		" 2 ring 0600   4K      4K       1           0 no\n");
	ck_assert_str_eq(cli.err, "");
	/* Only the standard files are open: the device is not used, and nothing was left open. */
	ck_assert_uint_eq(cli.files, 3);
}
END_TEST

/* A look-up may be slow: look up each owner once, not for each buffer. */
START_TEST(names_looked_up_once)
{
	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(asked, MAP_FAILED);
	ck_assert_int_eq(cli_run("list", NULL), EXIT_OK);
	ck_assert_uint_eq(lines(cli.out), 3);
	ck_assert_uint_eq(asked->users, 1);
	ck_assert_int_eq(cli_run("list", "-o", "group,owner,payer", NULL), EXIT_OK);
	ck_assert_uint_eq(asked->users, 2);
	ck_assert_uint_eq(asked->groups, 2);
	munmap(asked, sizeof(*asked));
	asked = NULL;
}
END_TEST

START_TEST(list_exports)
{
	fake.nr_importers = 2;
	strcpy(fake.importers[0].device, "pci:a");
	strcpy(fake.importers[1].device, "platform:b");
	ck_assert_int_eq(cli_run("list", "--exports", NULL), EXIT_OK);
	ck_assert_uint_eq(lines(cli.out), 2);
	ck_assert(has("pinned"));
	ck_assert(has("pci:a, platform:b"));
	ck_assert_int_eq(cli_run("list", "-e", "-o", "cpu_mappings,buffer", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "CPU-MAPPINGS BUFFER\n           3      2\n");
}
END_TEST

START_TEST(list_attachments)
{
	ck_assert_int_eq(cli_run("list", "--attachments", NULL), EXIT_OK);
	ck_assert_uint_eq(lines(cli.out), 2);
	ck_assert(has(FAKE_DEVICE));
}
END_TEST

/* The columns in the error text are exactly the keys in JSON. */
START_TEST(list_all_columns)
{
	static const char *const which[] = { "--bytes", "--exports", "--attachments" };
	char all[CLI_TEXT], *key, *rest;
	unsigned int nr = 0, found = 0;

	ck_assert_int_eq(cli_run("list", which[_i], "--output", "nothing", NULL), EXIT_USAGE);
	rest = strstr(cli.err, "there are ");
	ck_assert_ptr_nonnull(rest);
	snprintf(all, sizeof(all), "%s", rest + 10);
	all[strcspn(all, "\n")] = '\0';
	ck_assert_int_eq(cli_run("list", which[_i], "--json", NULL), EXIT_OK);
	ck_assert_msg(!json_error(cli.out), "%s", cli.out);
	for (key = strtok_r(all, ",", &rest); key; key = strtok_r(NULL, ",", &rest), nr++) {
		char quoted[64];

		snprintf(quoted, sizeof(quoted), "\"%s\":", key);
		ck_assert_msg(has(quoted), "no %s", key);
	}
	/* There are no other keys in the rows (two buffers), besides the name of the array. */
	for (rest = cli.out; (rest = strstr(rest, "\": ")); rest++)
		found++;
	ck_assert_uint_eq(found, nr * (_i ? 1 : 2) + 1);
}
END_TEST

START_TEST(list_with_chosen_columns)
{
	ck_assert_int_eq(cli_run("list", "--output", "name,id", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "NAME ID\n-     1\nring  2\n");
	ck_assert_int_eq(cli_run("list", "-o", "Name,OTHERS-PIN,others pin", NULL), EXIT_USAGE);
	ck_assert(complains("names the column 'OTHERS-PIN' twice"));
	ck_assert_int_eq(cli_run("list", "-o", "NAME,Others-Pin", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "NAME OTHERS-PIN\n-    no\nring no\n");
	ck_assert_int_eq(cli_run("list", "-o", "name,id,name", NULL), EXIT_USAGE);
	ck_assert(complains("--output names the column 'name' twice"));
	ck_assert_str_eq(cli.out, "");
	ck_assert_int_eq(cli_run("list", "-j", "-o", "id", NULL), EXIT_OK);
	ck_assert_msg(!json_error(cli.out), "%s", cli.out);
	ck_assert(has("\"id\": 2"));
	ck_assert(!has("name"));
	ck_assert_int_eq(cli_run("list", "-o", "id,x", NULL), EXIT_USAGE);
	ck_assert(complains("no column 'x'"));
	ck_assert_int_eq(cli_run("list", "-o", "", NULL), EXIT_USAGE);
	ck_assert(complains("names no column"));
	ck_assert_int_eq(cli_run("list", "-o", "id,,name", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("list", "-o", "i", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("list", "-ae", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("list", "ring", NULL), EXIT_USAGE);
}
END_TEST

START_TEST(show_fields)
{
	ck_assert_int_eq(cli_run("show", "ring", "-o", "size,id", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "size 4K\nid   2\n");
	ck_assert_int_eq(cli_run("show", "ring", "-jo", "size", NULL), EXIT_OK);
	ck_assert(has("\"size\": 4096"));
	ck_assert(!has("id"));
	ck_assert_int_eq(cli_run("show", "ring", "-o", "lifetime", NULL), EXIT_USAGE);
	ck_assert(complains("no column 'lifetime'; there are type,id,name"));
	ck_assert_int_eq(cli_run("show", "1", "--pages", "-o", "state,offset", NULL), EXIT_OK);
	ck_assert_int_eq(strncmp(cli.out, "STATE", 5), 0);
}
END_TEST

START_TEST(list_changes)
{
	fake.infos = 0;		/* the generation changes after each list */
	fake.lists_changed = 1000;
	ck_assert_int_eq(cli_run("list", NULL), EXIT_OK);
	ck_assert_uint_eq(lines(cli.out), 3);
	ck_assert(complains("some may be missing"));
}
END_TEST

START_TEST(no_family)
{
	static const char *const which[] = { "list", "stats", "monitor" };

	/* list and stats need the device node or netlink; monitor needs netlink. */
	fake.no_family = true;
	fake.no_driver = true;
	ck_assert_int_eq(cli_run(which[_i], NULL), EXIT_NO_DRIVER);
	ck_assert(complains("the driver is not loaded"));
	ck_assert_str_eq(cli.out, "");
	fake.no_driver = false;
	fake.no_access = true;
	ck_assert_int_eq(cli_run(which[_i], NULL),
			 _i < 2 ? EXIT_PERMISSION : EXIT_NO_DRIVER);
	ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(netlink_and_output_errors_fail)
{
	fake.no_access = true;
	fake_fail(FAKE_SEND, 1, -ECONNREFUSED);
	ck_assert_int_eq(cli_run("list", NULL), EXIT_FAILED);
	ck_assert(complains("cannot list buffers: Connection refused"));
	/* It failed in the child process, not in this one. */
	fake_fail(FAKE_SEND, 0, 0);
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("list", NULL), EXIT_FAILED);
	ck_assert_int_eq(cli_run("stats", NULL), EXIT_FAILED);
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(cli_run("monitor", "-n1", NULL), EXIT_FAILED);
	ck_assert(complains("cannot write standard output"));
}
END_TEST

/* ---- stats ---- */

START_TEST(statistics)
{
	fake.info.bytes_shared = 3 << 20;
	fake.info.events_lost = 7;
	ck_assert_int_eq(cli_run("stats", NULL), EXIT_OK);
	ck_assert(has("bytes shared        3M\n"));
	ck_assert(has("events lost         7\n"));
	ck_assert_uint_eq(lines(cli.out), CCSHM_A_STATS_EVENTS_SUPPRESSED - 1);
	ck_assert_int_eq(cli_run("stats", "--json", NULL), EXIT_OK);
	ck_assert_msg(!json_error(cli.out), "%s", cli.out);
	ck_assert(has("\"bytes_shared\": 3145728"));
	ck_assert_int_eq(cli_run("stats", "-b", "-o", "events_lost,bytes_shared", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "events lost  7\nbytes shared 3145728\n");
	ck_assert_int_eq(cli_run("stats", "-o", "nothing", NULL), EXIT_USAGE);
}
END_TEST

/* ---- monitor ---- */

#define TIME	"2023-11-14T22:13:20.123456+0000 "

static void one_of_each(void)
{
	struct nlmsghdr *m = fake_event(CCSHM_EVENT_BUFFER_NEW);

	mnl_attr_put_u32(m, CCSHM_A_TYPE, CCSHM_TYPE_BUFFER);
	mnl_attr_put_u64(m, CCSHM_A_ID, 7);
	mnl_attr_put_strz(m, CCSHM_A_NAME, "ring");
	mnl_attr_put_u32(m, CCSHM_A_UID, 4000000);
	mnl_attr_put_u64(m, CCSHM_A_SIZE, 4096);
	mnl_attr_put_u64(m, CCSHM_A_CHARGED, 2 << 20);
	mnl_attr_put_u32(m, CCSHM_A_ACTOR_UID, 4000001);
	mnl_attr_put_u32(m, CCSHM_A_ACTOR_PID, 812);
	m = fake_event(CCSHM_EVENT_IMPORTER_ATTACH);
	mnl_attr_put_u32(m, CCSHM_A_TYPE, CCSHM_TYPE_EXPORT);
	mnl_attr_put_u64(m, CCSHM_A_ID, 8);
	mnl_attr_put_u64(m, CCSHM_A_BUFFER_ID, 7);
	mnl_attr_put_strz(m, CCSHM_A_DEVICE, FAKE_DEVICE);
	m = fake_event(CCSHM_EVENT_REVOKE_END);
	mnl_attr_put_u32(m, CCSHM_A_TYPE, CCSHM_TYPE_EXPORT);
	mnl_attr_put_u64(m, CCSHM_A_ID, 8);
	mnl_attr_put_u64(m, CCSHM_A_BUFFER_ID, 7);
	mnl_attr_put_u32(m, CCSHM_A_RESULT, ETIMEDOUT);
	mnl_attr_put_u64(m, CCSHM_A_DURATION, 1500);
	mnl_attr_put_u32(m, CCSHM_A_STATE, CCSHM_STATE_REVOKING);
	mnl_attr_put_u32(m, CCSHM_A_DEVICE_MAPPINGS, 1);
	mnl_attr_put_u64(m, CCSHM_A_PAGES, 1);
	m = fake_event(CCSHM_EVENT_QUOTA);
	mnl_attr_put_u32(m, CCSHM_A_QUOTA, CCSHM_QUOTA_USER_BYTES);
	mnl_attr_put_u32(m, CCSHM_A_UID, 4000000);
	mnl_attr_put_u64(m, CCSHM_A_ASKED, 4 << 20);
	mnl_attr_put_u64(m, CCSHM_A_USED, 2 << 20);
	mnl_attr_put_u64(m, CCSHM_A_LIMIT, 3 << 20);
	m = fake_event(CCSHM_EVENT_LEAK);
	mnl_attr_put_u64(m, CCSHM_A_PAGES, 512);
	fake_event(CCSHM_EVENT_QUOTA + 1);
}

START_TEST(monitor)
{
	one_of_each();
	ck_assert_int_eq(cli_run("monitor", "--count", "6", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out,
		TIME "buffer-new type=buffer id=7 name=ring owner=4000000 size=4K charged=2M "
			"actor=4000001 pid=812\n"
		TIME "importer-attach type=export id=8 buffer=7 device=" FAKE_DEVICE "\n"
		TIME "revoke-end type=export id=8 buffer=7 result=ETIMEDOUT duration_ns=1500 "
			"state=revoking device_mappings=1 pages=1 stopped=0\n"
		TIME "quota quota=user-bytes user=4000000 asked=4M used=2M limit=3M\n"
		TIME "leak pages=512\n"
		TIME "unknown\n");
	ck_assert_str_eq(cli.err, "");
	ck_assert_uint_eq(cli.files, 3);
}
END_TEST

START_TEST(monitor_json)
{
	char *line, *rest;
	unsigned int nr = 0;

	one_of_each();
	ck_assert_int_eq(cli_run("monitor", "--json", "-n6", NULL), EXIT_OK);
	ck_assert(has("\"event\": \"buffer-new\", \"type\": \"buffer\", \"id\": 7, "
		      "\"name\": \"ring\""));
	ck_assert(has("\"charged\": 2097152, \"actor\": "));
	ck_assert(has(", \"pid\": 812}"));
	for (line = strtok_r(cli.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		ck_assert_msg(!json_error(line), "%s", line);
		ck_assert_int_eq(line[0], '{');
		nr++;
	}
	ck_assert_uint_eq(nr, 6);
}
END_TEST

START_TEST(monitor_fields)
{
	one_of_each();
	ck_assert_int_eq(cli_run("monitor", "-n6", "-o", "event,pages,id", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "buffer-new id=7\nimporter-attach id=8\n"
			 "revoke-end pages=1 id=8\nquota\nleak pages=512\nunknown\n");
	ck_assert_int_eq(cli_run("monitor", "-o", "events", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("monitor", "-n", "0", NULL), EXIT_USAGE);
	ck_assert_int_eq(cli_run("monitor", "-n", "x", NULL), EXIT_USAGE);
}
END_TEST

/* A loss of events is printed as a line, but does not count as an event. */
START_TEST(monitor_lost)
{
	fake_event(CCSHM_EVENT_LEAK);
	fake_receive_error(-ENOBUFS);
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(cli_run("monitor", "-n2", "-o", "event", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "leak\nevents-lost\nleak\n");
	fake_netlink_clear();
	fake_receive_error(-ENOBUFS);
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(cli_run("monitor", "-jn1", "-o", "event", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "{\"event\": \"events-lost\"}\n{\"event\": \"leak\"}\n");
}
END_TEST

/* After an invalid message, monitor prints an error and continues; other errors end monitor. */
START_TEST(monitor_errors)
{
	fake_receive_error(-EMSGSIZE);
	fake_event(CCSHM_EVENT_LEAK);
	ck_assert_int_eq(cli_run("monitor", "-n1", NULL), EXIT_OK);
	ck_assert(complains("cannot listen to events"));
	ck_assert(has("leak"));
	fake_netlink_clear();
	fake_receive_error(-ENETDOWN);
	ck_assert_int_eq(cli_run("monitor", NULL), EXIT_FAILED);
	ck_assert(complains("Network is down"));
	fake_netlink_clear();
	fake_event(CCSHM_EVENT_LEAK);
	fake_family_removed(31);
	ck_assert_int_eq(cli_run("monitor", NULL), EXIT_NO_DRIVER);
	ck_assert(has("leak"));
	ck_assert(complains("the driver was unloaded"));
	fake.no_admin = true;
	ck_assert_int_eq(cli_run("monitor", NULL), EXIT_PERMISSION);
	ck_assert(complains("CAP_SYS_ADMIN"));
	fake.no_admin = false;
	fake.no_group = true;
	ck_assert_int_eq(cli_run("monitor", NULL), EXIT_FAILED);
	ck_assert(complains("update the kernel"));
}
END_TEST

START_TEST(text_is_escaped_in_json)
{
	struct nlmsghdr *m = fake_event(CCSHM_EVENT_IMPORTER_ATTACH);

	mnl_attr_put_strz(m, CCSHM_A_DEVICE, "a\"b\\c\n\x01");
	ck_assert_int_eq(cli_run("monitor", "-jn1", "-o", "device", NULL), EXIT_OK);
	ck_assert_msg(!json_error(cli.out), "%s", cli.out);
	ck_assert_str_eq(cli.out, "{\"device\": \"a\\\"b\\\\c\\u000a\\u0001\"}\n");
}
END_TEST

/* ESC, DEL, C1, a byte that is not UTF-8, and a printable character. */
#define WILD	"a\033[2J\177\xc2\x9b\xff\xc3\xa9"

START_TEST(control_characters_are_escaped)
{
	struct nlmsghdr *m;
	int i;

	for (i = 0; i < 3; i++) {
		m = fake_event(CCSHM_EVENT_IMPORTER_ATTACH);
		mnl_attr_put_strz(m, CCSHM_A_DEVICE, WILD);
	}
	/* No line is printed for an event that has none of the columns. */
	fake_event(CCSHM_EVENT_IMPORTER_ATTACH);
	setenv("LC_ALL", "C.UTF-8", 1);
	ck_assert_int_eq(cli_run("monitor", "-jn1", "-o", "device", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "{\"device\": \"a\\u001b[2J\\u007f\\u009b\xef\xbf\xbd\xc3\xa9\"}\n");
	ck_assert_int_eq(cli_run("monitor", "-n1", "-o", "device", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "device=a\\033[2J\\177\\302\\233\\377\xc3\xa9\n");
	/* In this locale the bytes of a UTF-8 character could be control characters. */
	setenv("LC_ALL", "C", 1);
	ck_assert_int_eq(cli_run("monitor", "-n1", "-o", "device", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "device=a\\033[2J\\177\\302\\233\\377\\303\\251\n");
	ck_assert_int_eq(cli_run("monitor", "-n1", "-o", "quota", NULL), EXIT_OK);
	ck_assert_str_eq(cli.out, "");
	ck_assert_int_eq(cli_run("list", "-o", WILD, NULL), EXIT_USAGE);
	ck_assert(complains("no column 'a\\033[2J\\177\\302\\233\\377"));
	ck_assert_int_eq(cli_run("monitor", "-n", WILD, NULL), EXIT_USAGE);
	ck_assert(complains("'a\\033[2J\\177\\302\\233\\377"));
}
END_TEST

/* ---- revoke: name the holders of a buffer's exports and attachments ---- */

START_TEST(revoke_names_holders)
{
	struct ccshm_attachment *other;
	struct ccshm_export *more;

	ck_assert_int_eq(ccshm_export_create(anonymous, 0, 0, 0, &more), 0);
	ck_assert_int_eq(ccshm_buffer_attach(ring, FAKE_DEVICE, NULL, &other), 0);
	fake.nr_importers = 1;
	strcpy(fake.importers[0].device, "platform:vivid.0");
	fake.importers[0].mappings = 2;
	fake.revoke_error = -ETIMEDOUT;
	ck_assert_int_eq(cli_run("revoke", "ring", NULL), EXIT_BUSY);
	/* Export 3 and attachment 6 belong to the buffer, 4 and 5 to another one. */
	ck_assert(complains("platform:vivid.0 still uses export 3 (mappings: 2)\n"));
	ck_assert(complains(FAKE_DEVICE " still uses attachment 6\n"));
	ck_assert_msg(lines(cli.err) == 3, "%s", cli.err);
	/* Holders that have released the memory are not reported. */
	fake.importers[0].mappings = 0;
	ck_assert_int_eq(ccshm_attachment_detach(other), 0);
	ck_assert_int_eq(cli_run("revoke", "2", NULL), EXIT_BUSY);
	ck_assert_uint_eq(lines(cli.err), 1);
	/* If the list fails, only the error of the revoke is reported. */
	fake_fail_ioctl(CCSHM_IOC_QUERY, -ENOMEM);
	ck_assert_int_eq(cli_run("revoke", "1", NULL), EXIT_BUSY);
	ck_assert_uint_eq(lines(cli.err), 1);
	ccshm_attachment_close(other);
	ccshm_export_close(more);
}
END_TEST

static void add(Suite *suite)
{
	TCase *tests = unit_case(suite, "netlink");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, list_buffers);
	tcase_add_test(tests, names_looked_up_once);
	tcase_add_test(tests, list_exports);
	tcase_add_test(tests, list_attachments);
	tcase_add_loop_test(tests, list_all_columns, 0, 3);
	tcase_add_test(tests, list_with_chosen_columns);
	tcase_add_test(tests, show_fields);
	tcase_add_test(tests, list_changes);
	tcase_add_loop_test(tests, no_family, 0, 3);
	tcase_add_test(tests, netlink_and_output_errors_fail);
	tcase_add_test(tests, statistics);
	tcase_add_test(tests, monitor);
	tcase_add_test(tests, monitor_json);
	tcase_add_test(tests, monitor_fields);
	tcase_add_test(tests, monitor_lost);
	tcase_add_test(tests, monitor_errors);
	tcase_add_test(tests, text_is_escaped_in_json);
	tcase_add_test(tests, control_characters_are_escaped);
	tcase_add_test(tests, revoke_names_holders);
}

int main(void)
{
	return unit_main("cli_netlink", add);
}
