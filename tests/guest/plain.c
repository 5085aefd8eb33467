// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine that is not a confidential guest: the driver refuses to load and logs the reason,
 * unless a parameter allows this for development.
 *
 * vm-modules: ccshm
 * vm-flavours: plain
 */
#include "tap.h"
#include "raw.h"

static void test_use(void)
{
	struct ccshm_ioc_info info;
	int fd = raw_open(), dmabuf;
	unsigned char *map;
	uint64_t id;

	is_errno(raw_info(fd, &info), 0, "INFO succeeds on a plain machine");
	is_int(info.platform, CCSHM_PLATFORM_NONE, "INFO: the platform is CCSHM_PLATFORM_NONE");
	is_int(info.info_flags, CCSHM_INFO_PLAIN, "INFO: the flag for a plain machine is set");
	is_errno(raw_alloc(fd, 3 * MIB, &id), 0, "ALLOC of 3 MiB: success");
	dmabuf = raw_export(fd, id, 0, NULL);
	map = raw_map(dmabuf, 3 * MIB, PROT_READ | PROT_WRITE);
	if (ok(map, "the buffer can be mapped")) {
		is_int(first_other(map, 0, 3 * MIB), -1, "the new buffer reads as zero");
		memset(map, 1, 3 * MIB);
		is_int(first_other(map, 1, 3 * MIB), -1, "the mapping keeps what is written");
		munmap(map, 3 * MIB);
	}
	close(dmabuf);
	must(raw_free(fd, id));
	ok(wait_clean(fd), "the memory is given back");
	close(fd);
}

int main(void)
{
	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", ""), ENODEV,
		 "loading the driver without allow_plain: ENODEV");
	ok(access(CCSHM_DEVICE, F_OK), "there is no device after the driver was refused");
	ok(logged("ccshm: not a confidential guest: load with allow_plain=1 "),
	   "the kernel log names the reason for the refusal and the parameter allow_plain");
	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", "allow_plain=0"), ENODEV,
		 "loading the driver with allow_plain=0: ENODEV");
	is_errno(raw_insmod("/lib/ccshm/ccshm.ko", "allow_plain=1"), 0,
		 "loading the driver with allow_plain=1: success");
	ok(logged("ccshm: not a confidential guest: sharing does nothing here"),
	   "the kernel log reports that sharing does nothing in a plain guest");
	is_errno(device_for_group(), 0, "the device exists with allow_plain=1");
	test_use();
	is_errno(driver_unload(), 0, "the driver can be unloaded");
	return done_testing();
}
