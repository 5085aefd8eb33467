// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine goes down: the devices that userspace drivers have given shared memory
 * stop before anything else happens, as kexec would leave them running, and are given
 * no more of it.
 *
 * vm-modules: ccshm restart
 * vm-boot: alone
 */
#include "tap.h"
#include "raw.h"
#include "touch.h"
#include "device.h"
#include "attached.h"

#define RESTART_KO	"/lib/ccshm/ccshm_restart.ko"
#define RESTART		"/sys/module/ccshm_restart/parameters/restart"
#define COMMAND		"/sys/module/ccshm_restart/parameters/command"

/* The device's command register once all have been told; -1 if that does not happen. */
static long long command_after(void)
{
	for (int i = 0; i < 2000 && read_number(COMMAND) < 0; i++)
		sleep_ms(10);
	return read_number(COMMAND);
}

/* One attachment has a holder that does nothing, and one has none. */
static void machine_restarts(void)
{
	struct shared s = shared_new(UNIT), other;
	struct ccshm_ioc_attach req = { .flags = CCSHM_ATTACH_PERSISTENT, .dma_bits = 32 };
	struct ccshm_ioc_alloc alloc = { .size = UNIT, .flags = CCSHM_ALLOC_PERSISTENT };
	struct attached held, alone;
	struct edu a, b;
	long long command;

	strcpy(alloc.name, "persistent");
	if (raw_ioctl(ccshm, CCSHM_IOC_ALLOC, &alloc))
		bail("no persistent buffer");
	other = shared_map(alloc.id, UNIT);
	req.id = other.id;
	is_errno(attach_buffer(ccshm, s.id, PCI_A, &held), 0, "a device is attached, and held");
	is_errno(attach_with(ccshm, &req, PCI_B, &alone), 0, "another one stays attached by itself");
	device_start(&a, EDU_A);
	device_start(&b, EDU_B);
	is_int(edu_bus_master(&a), 1, "both are bus masters");
	is_int(edu_bus_master(&b), 1, "... and the other");

	is_errno(write_text(RESTART, "1"), 0, "the machine begins to restart");
	command = command_after();
	if (!ok(command >= 0, "all have been told of it"))
		return;
	ok(!(command & PCI_COMMAND_MASTER), "by then the device is no bus master (0x%llx)", command);
	is_int(edu_bus_master(&b), 0, "nor is the one that nobody holds");
	is_int(query(held.id).state, CCSHM_STATE_REVOKED, "the attachment has ended");
	is_errno(TRY(PCI_A, .id = s.id), ESHUTDOWN, "ATTACH: ESHUTDOWN from now on");

	close(held.fd);
	edu_close(&a);
	edu_close(&b);
	shared_end(&s);
	shared_end(&other);
}

int main(void)
{
	driver_load();
	ccshm = raw_open();
	if (ccshm < 0 || raw_insmod(RESTART_KO, "device=" EDU_A))
		bail("loading");
	/* They have to stay: not for the harness to unload. */
	unlink(RESTART_KO);
	unlink("/lib/ccshm/ccshm.ko");
	machine_restarts();
	ok(wait_clean(ccshm), "the memory is given back");
	close(ccshm);
	return done_testing();
}
