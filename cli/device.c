// SPDX-License-Identifier: GPL-2.0-only
/* Naming devices: the buses that the driver can be asked about. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

/* "virtio10" comes behind "virtio9", but "0000:00:10.0" is hexadecimal. */
static const struct bus {
	const char *name;
	int (*compare)(const struct dirent **a, const struct dirent **b);
} buses[] = {
	{ "pci", alphasort },
	{ "platform", versionsort },
	{ "virtio", versionsort },
};

#define NR_BUSES	(sizeof(buses) / sizeof(buses[0]))

static bool has_bus(const char *text)
{
	size_t i, length;

	for (i = 0; i < NR_BUSES; i++) {
		length = strlen(buses[i].name);
		if (!strncmp(text, buses[i].name, length) && text[length] == ':')
			return true;
	}
	return false;
}

static bool is_on_bus(const struct bus *bus, const char *name)
{
	return system_exists("/sys/bus/%s/devices/%s", bus->name, name);
}

int device_resolve(const char *text, char name[DEVICE_TEXT_LEN])
{
	unsigned int found = 0;
	size_t i;

	/* What it is not is for the driver to say. */
	snprintf(name, DEVICE_TEXT_LEN, "%s", text);
	if (has_bus(text) || !*text || *text == '.' || strchr(text, '/'))
		return EXIT_OK;
	for (i = 0; i < NR_BUSES; i++) {
		if (!is_on_bus(&buses[i], text))
			continue;
		snprintf(name, DEVICE_TEXT_LEN, "%s:%s", buses[i].name, text);
		found++;
	}
	if (found < 2)
		return EXIT_OK;
	complain("'%s' is a device on more than one bus; say BUS:%s", text, text);
	return EXIT_FAILED;
}

static int skip_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int bus_for_each(const struct bus *bus,
			int (*visit)(const char *name, void *data), void *data)
{
	char path[SYSTEM_PATH_LEN], name[DEVICE_TEXT_LEN];
	struct dirent **entries;
	int i, count, code = EXIT_OK;

	system_path(path, "/sys/bus/%s/devices", bus->name);
	count = scandir(path, &entries, skip_dots, bus->compare);
	if (count < 0) {
		/* A kernel need not have each of them. */
		if (errno == ENOENT)
			return EXIT_OK;
		return report(OP_LIST, errno, path);
	}
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s:%s", bus->name, entries[i]->d_name);
		free(entries[i]);
		if (!code)
			code = visit(name, data);
	}
	free(entries);
	return code;
}

int device_for_each(int (*visit)(const char *name, void *data), void *data)
{
	size_t i;
	int code = EXIT_OK;

	for (i = 0; i < NR_BUSES && !code; i++)
		code = bus_for_each(&buses[i], visit, data);
	return code;
}

bool device_is_listed(const char *name, const struct ccshm_device *device)
{
	if (strncmp(name, "platform:", 9))
		return true;
	return ccshm_device_dma_mask(device) && !ccshm_device_has_default_mask(device);
}
