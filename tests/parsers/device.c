// SPDX-License-Identifier: GPL-2.0-only
/* Names of devices, with a small sysfs. */
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"
#include "parsers.h"

/* A name that sysfs can have, and that is too long for the driver. */
#define LONG_NAME	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst"

void prepare(void)
{
	file_directory("/sys/bus/pci/devices/0000:00:04.0");
	file_directory("/sys/bus/pci/devices/10000:e1:00.7");
	file_directory("/sys/bus/platform/devices/vivid.0");
	file_directory("/sys/bus/platform/devices/both");
	file_directory("/sys/bus/platform/devices/" LONG_NAME);
	file_directory("/sys/bus/virtio/devices/virtio0");
	file_directory("/sys/bus/virtio/devices/both");
	file_directory("/sys/bus/usb/devices/1-1");
	file_directory("/sys/devices/p/0000:00:04.0");
	file_symlink("../../../bus/pci", "/sys/devices/p/0000:00:04.0/subsystem");
	file_directory("/sys/devices/p/" LONG_NAME);
	file_symlink("../../../bus/virtio", "/sys/devices/p/" LONG_NAME "/subsystem");
	file_directory("/sys/devices/p/1-1");
	file_symlink("../../../bus/usb", "/sys/devices/p/1-1/subsystem");
}

static size_t hex_digits(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

/* Check that a PCI address has the kernel's form. */
static void check_pci(const char *text)
{
	size_t n = hex_digits(text);

	HOLDS(n >= 4 && n <= 8 && (n == 4 || *text != '0'));
	text += n;
	HOLDS(*text++ == ':' && hex_digits(text) == 2);
	text += 2;
	HOLDS(*text++ == ':' && hex_digits(text) == 2 && *text <= '1');
	text += 2;
	HOLDS(*text++ == '.' && *text >= '0' && *text <= '7' && !text[1]);
}

static void check_name(const char *name)
{
	static const char *const buses[] = { "pci:", "platform:", "virtio:" };
	char again[DEVICE_TEXT_LEN];
	size_t i, len = 0;

	HOLDS(strlen(name) < CCSHM_DEVICE_LEN);
	for (i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
		if (!strncmp(name, buses[i], strlen(buses[i])))
			len = strlen(buses[i]);
	HOLDS(len && name[len]);
	HOLDS(device_is_pci(name) == (len == 4));
	if (device_is_pci(name))
		check_pci(name + len);
	/* The driver's name of a device names the same device. */
	HOLDS(device_resolve(name, again) == EXIT_OK);
	HOLDS(!strcmp(name, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size), *name = malloc(DEVICE_TEXT_LEN);
	int code;

	HOLDS(name);
	code = device_resolve(text, name);
	if (code) {
		HOLDS(code == EXIT_FAILED);
		HOLDS(messages() == 1);
	} else {
		check_name(name);
		HOLDS(!messages());
	}
	free(name);
	free(text);
	return 0;
}
