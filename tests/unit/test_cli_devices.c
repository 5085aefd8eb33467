// SPDX-License-Identifier: GPL-2.0-only
/* ccshmctl devices, on the fake driver and a temporary /sys/bus. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli-run.h"
#include "fake.h"

static char top[64], root[80];

/* Replaces the function in cli/common/root.c. */
const char *system_root(void)
{
	return top;
}

static void run_shell(const char *format, const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof(command), format, a, b);
	ck_assert_int_eq(system(command), 0);
}

/* Add a device to a bus in sysfs. */
static void appear(const char *bus, const char *name)
{
	char path[256];

	run_shell("mkdir -p %s/%s/devices", root, bus);
	snprintf(path, sizeof(path), "%s/%s/devices/%s", root, bus, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static const struct ccshm_ioc_device known[] = {
	{
		.device = "pci:0000:00:04.0",
		.verdict = CCSHM_DEVICE_NEEDS,
		.mode = CCSHM_DMA_MODE_DIRECT,
		.device_flags = CCSHM_DEVICE_COHERENT | CCSHM_DEVICE_MASK_DEFAULT |
				CCSHM_DEVICE_BOUNCES,
		.dma_mask = 0xffffffff,
	},
	{
		.device = "pci:0000:00:10.0",
		.verdict = CCSHM_DEVICE_CANNOT,
		.mode = CCSHM_DMA_MODE_IOMMU,
		.device_flags = CCSHM_DEVICE_COHERENT | CCSHM_DEVICE_IOMMU |
				CCSHM_DEVICE_KERNEL_DRIVER,
		.dma_mask = 0x7fffffffffff,
		.bus_limit = 0xffffffffff,
		.driver = "mlx5_core",
		.reason = "the device is behind an IOMMU",
	},
	{
		.device = "platform:plain",
		.verdict = CCSHM_DEVICE_NEEDS,
		.mode = CCSHM_DMA_MODE_DIRECT,
		.device_flags = CCSHM_DEVICE_MASK_DEFAULT,
		.dma_mask = 0xffffffff,
	},
	{
		.device = "platform:set",
		.verdict = CCSHM_DEVICE_NEEDS_NOT,
		.mode = CCSHM_DMA_MODE_DIRECT,
		.device_flags = CCSHM_DEVICE_RESTRICTED,
		.dma_mask = 0xffffffff,
		.driver = "vivid",
		.reason = "it needs no sharing",
	},
	{
		.device = "platform:maskless",
		.verdict = CCSHM_DEVICE_CANNOT,
		.reason = "the device has no DMA mask",
	},
	{
		.device = "virtio:virtio2",
		.verdict = CCSHM_DEVICE_NEEDS,
		.mode = CCSHM_DMA_MODE_DIRECT,
		.device_flags = CCSHM_DEVICE_COHERENT | CCSHM_DEVICE_KERNEL_DRIVER,
		.dma_mask = UINT64_MAX,
		.driver = "virtio_rng",
	},
	{ .device = "virtio:virtio10", .verdict = CCSHM_DEVICE_NEEDS },
};

#define NR_KNOWN	(sizeof(known) / sizeof(known[0]))

static void setup(void)
{
	size_t i;

	fake_setup();
	cli_reset();
	strcpy(top, "/tmp/ccshm-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(root, sizeof(root), "%s/sys/bus", top);
	ck_assert_uint_le(NR_KNOWN, FAKE_DEVICES);
	for (i = 0; i < NR_KNOWN; i++) {
		const char *colon = strchr(known[i].device, ':');
		char bus[16];

		fake.devices[i] = known[i];
		snprintf(bus, sizeof(bus), "%.*s", (int)(colon - known[i].device),
			 known[i].device);
		appear(bus, colon + 1);
	}
}

static void teardown(void)
{
	run_shell("rm -r %s%s", top, "");
	fake_teardown();
}

#define check_err(text)	\
	ck_assert_msg(strstr(cli.err, text) != NULL, "no \"%s\" in: %s", text, cli.err)

START_TEST(list)
{
	ck_assert_int_eq(cli_run("devices", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_str_eq(cli.out,
"DEVICE           DRIVER     DMA    MASK COHERENT IOMMU NEEDS-SHARED REASON\n"
"pci:0000:00:04.0 -          direct   32 yes      no    yes          -\n"
"pci:0000:00:10.0 mlx5_core  iommu    47 yes      yes   cannot       the device is behind an IOMMU\n"
"platform:set     vivid      direct   32 no       no    no           it needs no sharing\n"
"virtio:virtio2   virtio_rng direct   64 yes      no    yes          -\n"
"virtio:virtio10  -          none      0 no       no    yes          -\n");
	ck_assert_uint_eq(cli.files, 0);
}
END_TEST

/* --all also lists platform devices that may not do DMA. */
START_TEST(list_all)
{
	ck_assert_int_eq(cli_run("devices", "--all", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "\nplatform:plain "));
	ck_assert_ptr_nonnull(strstr(cli.out, "\nplatform:maskless "));
	ck_assert_ptr_nonnull(strstr(cli.out, "\nplatform:set "));
	ck_assert(strstr(cli.out, "platform:maskless") < strstr(cli.out, "platform:plain"));
}
END_TEST

START_TEST(list_json)
{
	ck_assert_int_eq(cli_run("devices", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"device\": \"pci:0000:00:04.0\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"driver\": null"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"driver\": \"mlx5_core\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"mask\": 47"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"coherent\": true"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"iommu\": false"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"needs_shared\": \"cannot\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"reason\": null"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"reason\": \"the device is behind an IOMMU\""));
}
END_TEST

/* Without buses and devices the list is empty. */
START_TEST(list_without_devices_is_empty)
{
	run_shell("rm -r %s/%s", root, "*");
	ck_assert_int_eq(cli_run("devices", NULL), 0);
	ck_assert_str_eq(cli.out, "");
	ck_assert_str_eq(cli.err, "");
	ck_assert_int_eq(cli_run("devices", "--json", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
}
END_TEST

START_TEST(list_skips_a_device_that_is_gone)
{
	appear("pci", "0000:00:07.0");
	ck_assert_int_eq(cli_run("devices", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_ptr_null(strstr(cli.out, "07.0"));
	ck_assert_ptr_nonnull(strstr(cli.out, "pci:0000:00:10.0"));
}
END_TEST

/* A name that is too long for the driver is reported; other devices are listed. */
START_TEST(list_long_name)
{
	char name[80];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	appear("platform", name);
	ck_assert_int_eq(cli_run("devices", NULL), 0);
	check_err("cannot ask about platform:xxxx");
	check_err("its name is longer than the 63 characters");
	ck_assert_ptr_nonnull(strstr(cli.out, "virtio:virtio10"));
}
END_TEST

static const struct {
	int err;
	int code;
	const char *says;
} errors[] = {
	{ -ENOTTY, EXIT_FAILED, "same release" },
	{ -ENOMEM, EXIT_FAILED, "emory" },
};

START_TEST(list_fails)
{
	fake_fail_ioctl(CCSHM_IOC_DEVICE, errors[_i].err);
	ck_assert_int_eq(cli_run("devices", NULL), errors[_i].code);
	check_err("cannot ask about pci:0000:00:04.0: ");
	check_err(errors[_i].says);
	ck_assert_str_eq(cli.out, "");
}
END_TEST

/* The bus has a file instead of the directory of devices. */
START_TEST(list_unreadable)
{
	run_shell("rm -r %s/%s/devices", root, "pci");
	run_shell("touch %s/%s/devices", root, "pci");
	ck_assert_int_eq(cli_run("devices", NULL), EXIT_FAILED);
	check_err("cannot list ");
	check_err("/pci/devices: Not a directory");
	ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(show_one_device)
{
	ck_assert_int_eq(cli_run("devices", "pci:0000:00:10.0", NULL), 0);
	ck_assert_str_eq(cli.err, "");
	ck_assert_str_eq(cli.out,
		"device          pci:0000:00:10.0\n"
		"driver          mlx5_core\n"
		"dma             iommu\n"
		"mask            47\n"
		"coherent        yes\n"
		"iommu           yes\n"
		"needs shared    cannot\n"
		"reason          the device is behind an IOMMU\n"
		"dma mask        0x7fffffffffff\n"
		"default mask    no\n"
		"bus limit       0xffffffffff\n"
		"kernel driver   yes\n"
		"bounced         no\n"
		"restricted pool no\n");
	ck_assert_uint_eq(cli.files, 0);
}
END_TEST

START_TEST(show_one_device_json)
{
	ck_assert_int_eq(cli_run("devices", "--json", "platform:set", NULL), 0);
	ck_assert_msg(!json_error(cli.out), "not JSON: %s", json_error(cli.out));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"needs_shared\": \"no\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"dma_mask\": \"0xffffffff\""));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"restricted_pool\": true"));
	ck_assert_ptr_nonnull(strstr(cli.out, "\"bounced\": false"));
}
END_TEST

/* Devices that the list omits can be queried by name. */
START_TEST(show_device_without_bus)
{
	ck_assert_int_eq(cli_run("devices", "0000:00:04.0", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "device          pci:0000:00:04.0\n"));
	ck_assert_int_eq(cli_run("devices", "virtio10", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "device          virtio:virtio10\n"));
	ck_assert_int_eq(cli_run("devices", "maskless", NULL), 0);
	ck_assert_ptr_nonnull(strstr(cli.out, "needs shared    cannot\n"));
}
END_TEST

static const struct {
	const char *text;
	const char *name;
} spellings[] = {
	{ "00:04.0", "pci:0000:00:04.0" },
	{ "0:4.0", "pci:0000:00:04.0" },
	{ "0000:0A:1F.0", "pci:0000:0a:1f.0" },
	{ "pci:0a:1F.0", "pci:0000:0a:1f.0" },
	{ "00000000:00:04.0", "pci:0000:00:04.0" },
	{ "PCI:00000000:00:04.0", "pci:0000:00:04.0" },
	{ "Pci:0000:00:04.0", "pci:0000:00:04.0" },
	{ "00010000:00:04.0", "pci:10000:00:04.0" },
	{ "10000:00:04.0", "pci:10000:00:04.0" },
	{ "PLATFORM:set", "platform:set" },
	{ "Virtio:virtio2", "virtio:virtio2" },
	{ "/sys/bus/pci/devices/0000:0a:1f.0", "pci:0000:0a:1f.0" },
	{ "/sys/bus/pci/devices/0000:0a:1f.0/", "pci:0000:0a:1f.0" },
	{ "/sys/devices/pci0000:0a/0000:0a:1f.0", "pci:0000:0a:1f.0" },
	{ "/sys/devices/pci0000:0a/0000:0a:1f.0//", "pci:0000:0a:1f.0" },
	{ "/sys/class/net/eth0/device", "pci:0000:0a:1f.0" },
	{ "/sys/devices/platform/set", "platform:set" },
};

/* Add a device to /sys/devices, with the links of sysfs. */
static void appear_in_full(const char *bus, const char *parent, const char *name)
{
	char path[128], link[256];

	snprintf(path, sizeof(path), "%s/sys/devices/%s/%s", top, parent, name);
	run_shell("mkdir -p %s%s", path, "");
	snprintf(link, sizeof(link), "%s/subsystem", path);
	run_shell("ln -s ../../../bus/%s %s", bus, link);
	snprintf(link, sizeof(link), "%s/%s/devices/%s", root, bus, name);
	rmdir(link);
	ck_assert_int_eq(symlink(path, link), 0);
}

/* The program converts each spelling of a device's name to the driver's name. */
START_TEST(show_device_by_each_spelling)
{
	char line[64];

	strcpy(fake.devices[2].device, "pci:0000:0a:1f.0");
	strcpy(fake.devices[4].device, "pci:10000:00:04.0");
	appear_in_full("pci", "pci0000:0a", "0000:0a:1f.0");
	appear_in_full("platform", "platform", "set");
	run_shell("mkdir -p %s/sys/class/net/%s", top, "eth0");
	run_shell("ln -s ../../../devices/pci0000:0a/%s %s/sys/class/net/eth0/device", "0000:0a:1f.0", top);
	ck_assert_int_eq(cli_run("devices", spellings[_i].text, NULL), 0);
	ck_assert_str_eq(cli.err, "");
	snprintf(line, sizeof(line), "device          %s\n", spellings[_i].name);
	ck_assert_msg(!strncmp(cli.out, line, strlen(line)), "not %s but: %s", line, cli.out);
}
END_TEST

START_TEST(show_ambiguous_device_fails)
{
	appear("virtio", "set");
	ck_assert_int_eq(cli_run("devices", "set", NULL), EXIT_FAILED);
	check_err("'set' is a device on more than one bus; use BUS:set");
	ck_assert_int_eq(cli_run("devices", "platform:set", NULL), 0);
}
END_TEST

/* With "platform:", one character too long. */
#define LONG_NAME	"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"

static const struct {
	const char *name;
	const char *says;
} absent[] = {
	{ LONG_NAME, "is a name of more than 63 characters, the maximum of the driver" },
	{ "pci:0000:00:1e.0", "there is no such device" },
	{ "virtio:virtio7", "there is no such device" },
	{ "1e:00.0", "there is no such device" },
	{ "PCI:1E:00.0", "there is no such device" },
	{ "10000:00:04.0", "there is no such device" },
	{ "nonsense", "'nonsense' is not a device of pci, platform and virtio; `ccshmctl devices --all' lists those" },
	{ "usb:1-1", "'usb:1-1' is on the bus usb; only devices of pci, platform and virtio can be named" },
	{ "1-1", "'1-1' is on the bus usb;" },
	{ "", "it is empty" },
	{ "..", "'..' is not a device of" },
	{ "../devices", "a path begins with /sys/" },
	{ "/sys/bus/pci/devices/0000:00:1e.0", "is not the path of a device: No such file or directory" },
	{ "/sys/bus", "is not the path of a device: it has no subsystem" },
	{ "/sys/bus/usb/devices/1-1", "is on the bus usb" },
	{ "pci:", "is not a PCI address: use [DOMAIN:]BUS:DEVICE.FUNCTION" },
	{ "pci:0000:00:04", "is not a PCI address: use" },
	{ "pci:0000:00:04.0 ", "is not a PCI address: use" },
	{ "pci:0x0:00:04.0", "is not a PCI address: use" },
	{ "pci:123456789:00:04.0", "is not a PCI address: use" },
	{ "0000:00:20.0", "the number of the device is at most 1f" },
	{ "00:04.8", "the number of the function is at most 7" },
	{ "virtio:", "has no name after its bus" },
	{ "platform:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "63 characters" },
};

START_TEST(show_absent_device_fails)
{
	char line[256];

	appear("usb", "1-1");
	appear("platform", LONG_NAME);
	run_shell("ln -s ../../../../bus/usb %s/usb/devices/1-1/subsystem%s", root, "");
	ck_assert_int_eq(cli_run("devices", absent[_i].name, NULL), EXIT_FAILED);
	check_err(absent[_i].says);
	/* The error is one sentence that names the device as typed. */
	ck_assert_ptr_eq(strchr(cli.err, '\n'), cli.err + strlen(cli.err) - 1);
	snprintf(line, sizeof(line), "%s'%s' ", "ccshmctl: ", absent[_i].name);
	if (strncmp(cli.err, line, strlen(line))) {
		snprintf(line, sizeof(line), "ccshmctl: cannot ask about %s: ", absent[_i].name);
		ck_assert_msg(!strncmp(cli.err, line, strlen(line)), "%s", cli.err);
	}
	ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(usage)
{
	ck_assert_int_eq(cli_run("devices", "a", "b", NULL), EXIT_USAGE);
	check_err("unexpected argument: b");
	ck_assert_int_eq(cli_run("devices", "--all", "a", NULL), EXIT_USAGE);
	check_err("--all is for the list");
}
END_TEST

START_TEST(no_driver)
{
	fake.no_driver = true;
	ck_assert_int_eq(cli_run("devices", NULL), EXIT_NO_DRIVER);
	check_err("cannot open /dev/ccshm");
	ck_assert_str_eq(cli.out, "");
}
END_TEST

START_TEST(full_output_fails)
{
	cli_stdout = "/dev/full";
	ck_assert_int_eq(cli_run("devices", NULL), EXIT_FAILED);
	ck_assert_int_eq(cli_run("devices", "0000:00:04.0", NULL), EXIT_FAILED);
}
END_TEST

/* attach also accepts a device without a bus. */
START_TEST(attach_accepts_a_device_without_bus)
{
	struct ccshm *handle = fake_handle();
	struct ccshm_buffer *buffer = fake_named(handle, "one");

	ck_assert_int_eq(cli_run("attach", "one", "0000:00:04.0", "-p", NULL), 0);
	appear("virtio", "0000:00:04.0");
	ck_assert_int_eq(cli_run("attach", "one", "0000:00:04.0", "-p", NULL), EXIT_FAILED);
	check_err("more than one bus");
	ck_assert_int_eq(cli_run("attach", "one", "0000:00:05.0", "-p", NULL), EXIT_FAILED);
	check_err("cannot attach one to 0000:00:05.0: ");
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

static int refuse_attach(int fd, unsigned long request, void *arg)
{
	return request == CCSHM_IOC_ATTACH ? -EOPNOTSUPP : fake_seam.ioctl(fd, request, arg);
}

/* If ATTACH fails, the program gets the reason from DEVICE. */
START_TEST(attach_failure_has_the_reason_of_the_device)
{
	struct ccshm *handle = fake_handle();
	struct ccshm_buffer *buffer = fake_named(handle, "one");

	cli_seam.ioctl = refuse_attach;
	ck_assert_int_eq(cli_run("attach", "one", "00:10.0", "-p", NULL), EXIT_FAILED);
	ck_assert_str_eq(cli.err, "ccshmctl: cannot attach one to 00:10.0: the device is behind an IOMMU\n");
	ck_assert_int_eq(cli_run("attach", "one", "00:04.0", "-p", NULL), EXIT_FAILED);
	check_err("the device cannot use shared memory");
	ccshm_buffer_close(buffer);
	ccshm_close(handle);
}
END_TEST

static void add(Suite *suite)
{
	TCase *c = tcase_create("devices");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, list);
	tcase_add_test(c, list_all);
	tcase_add_test(c, list_json);
	tcase_add_test(c, list_without_devices_is_empty);
	tcase_add_test(c, list_skips_a_device_that_is_gone);
	tcase_add_test(c, list_long_name);
	tcase_add_loop_test(c, list_fails, 0, sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(c, list_unreadable);
	tcase_add_test(c, show_one_device);
	tcase_add_test(c, show_one_device_json);
	tcase_add_test(c, show_device_without_bus);
	tcase_add_loop_test(c, show_device_by_each_spelling, 0,
			    sizeof(spellings) / sizeof(spellings[0]));
	tcase_add_test(c, show_ambiguous_device_fails);
	tcase_add_loop_test(c, show_absent_device_fails, 0, sizeof(absent) / sizeof(absent[0]));
	tcase_add_test(c, usage);
	tcase_add_test(c, no_driver);
	tcase_add_test(c, full_output_fails);
	tcase_add_test(c, attach_accepts_a_device_without_bus);
	tcase_add_test(c, attach_failure_has_the_reason_of_the_device);
	suite_add_tcase(suite, c);
}

int main(void)
{
	return unit_main("cli_devices", add);
}
