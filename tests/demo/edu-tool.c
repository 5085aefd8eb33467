// SPDX-License-Identifier: GPL-2.0-only
/*
 * edu: a command-line interface to the driver in edu.c.
 *
 * EDU_DEVICE names the device (default: 0000:00:04.0). Only "bus-master" changes bus
 * mastering; the DMA commands start the engine regardless of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edu.h"

static const char usage[] =
	"usage: edu dma-out ADDRESS LENGTH [AT]   memory -> device, at offset AT of its buffer\n"
	"       edu dma-in ADDRESS LENGTH [AT]    device -> memory\n"
	"       edu bus-master [on|off]           print or set it\n";

static int __attribute__((noreturn)) usage_error(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t number(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		usage_error();
	return value;
}

static int dma(struct edu *edu, enum edu_direction direction, int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		usage_error();
	return edu_dma(edu, direction, number(argv[0]), number(argv[1]),
		       argc > 2 ? number(argv[2]) : 0);
}

static int bus_master(struct edu *edu, int argc, char **argv)
{
	int state;

	if (argc == 1 && !strcmp(argv[0], "on"))
		return edu_set_bus_master(edu, true);
	if (argc == 1 && !strcmp(argv[0], "off"))
		return edu_set_bus_master(edu, false);
	if (argc)
		usage_error();
	state = edu_bus_master(edu);
	if (state < 0)
		return state;
	puts(state ? "on" : "off");
	return 0;
}

int main(int argc, char **argv)
{
	const char *device = getenv("EDU_DEVICE");
	struct edu edu;
	int err;

	if (argc < 2)
		usage_error();
	if (!device)
		device = EDU_DEVICE_DEFAULT;
	err = edu_open(device, &edu);
	if (err) {
		fprintf(stderr, "edu: cannot open %s: %s\n", device, strerror(-err));
		return 1;
	}
	if (!strcmp(argv[1], "dma-out"))
		err = dma(&edu, EDU_OUT, argc - 2, argv + 2);
	else if (!strcmp(argv[1], "dma-in"))
		err = dma(&edu, EDU_IN, argc - 2, argv + 2);
	else if (!strcmp(argv[1], "bus-master"))
		err = bus_master(&edu, argc - 2, argv + 2);
	else
		usage_error();
	edu_close(&edu);
	if (err)
		fprintf(stderr, "edu: %s of %s failed: %s\n", argv[1], device,
			strerror(-err));
	return err ? 1 : 0;
}
