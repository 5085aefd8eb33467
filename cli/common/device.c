// SPDX-License-Identifier: GPL-2.0-only
/* Names of devices, on the buses that the driver accepts. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"

/* pci must be the first. Sort "virtio10" after "virtio9"; "0000:00:10.0" is hexadecimal. */
static const struct bus {
	const char *name;
	int (*compare)(const struct dirent **a, const struct dirent **b);
} buses[] = {
	{ "pci", alphasort },
	{ "platform", versionsort },
	{ "virtio", versionsort },
};

#define NR_BUSES	(sizeof(buses) / sizeof(buses[0]))

#define BUS_NAMES	"pci, platform and virtio"

/* Check whether @text begins with @len bytes of @name, in upper or lower case. */
static bool begins_with(const char *text, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (ascii_lower(text[i]) != ascii_lower(name[i]) || !name[i])
			return false;
	return true;
}

/* Find a bus in upper or lower case: "PCI" is pci. NULL: no such bus. */
static const struct bus *find_bus(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NR_BUSES; i++)
		if (begins_with(buses[i].name, name, len) && !buses[i].name[len])
			return &buses[i];
	return NULL;
}

static int refuse(const char *text, const char *why)
{
	complain("'%s' %s", text, why);
	return EXIT_FAILED;
}

/* Parse a hexadecimal number of at most @digits digits. Return the rest of the text, or NULL. */
static const char *hex(const char *text, size_t digits, unsigned long *value)
{
	size_t len = strspn(text, "0123456789abcdefABCDEF");

	if (!len || len > digits)
		return NULL;
	*value = strtoul(text, NULL, 16);
	return text + len;
}

struct pci_address {
	unsigned long domain, bus, device, function;
};

/* Parse "[DOMAIN:]BUS:DEVICE.FUNCTION", as lspci and sysfs print it. */
static bool pci_parse(const char *text, struct pci_address *address)
{
	const char *s = text;

	address->domain = 0;
	if (strchr(text, ':') != strrchr(text, ':')) {
		s = hex(s, 8, &address->domain);
		if (!s || *s++ != ':')
			return false;
	}
	s = hex(s, 2, &address->bus);
	if (!s || *s++ != ':')
		return false;
	s = hex(s, 2, &address->device);
	if (!s || *s++ != '.')
		return false;
	s = hex(s, 1, &address->function);
	return s && !*s;
}

/* Convert a PCI address to the kernel's form. Return NULL, or the cause of the error. */
static const char *pci_name(const char *text, char name[CCSHM_DEVICE_LEN])
{
	struct pci_address address;

	if (!pci_parse(text, &address))
		return "is not a PCI address: use [DOMAIN:]BUS:DEVICE.FUNCTION, such as 0000:00:04.0";
	if (address.device > 0x1f)
		return "is not a PCI address: the number of the device is at most 1f";
	if (address.function > 7)
		return "is not a PCI address: the number of the function is at most 7";
	snprintf(name, CCSHM_DEVICE_LEN, "%04lx:%02lx:%02lx.%lx", address.domain, address.bus,
		 address.device, address.function);
	return NULL;
}

/* @text: as typed; @local: the part after the bus. */
static int name_on_bus(const char *text, const struct bus *bus, const char *local,
		       char name[DEVICE_TEXT_LEN])
{
	char address[CCSHM_DEVICE_LEN];
	const char *why = NULL;

	if (!strcmp(bus->name, "pci")) {
		why = pci_name(local, address);
		local = address;
	} else if (!*local) {
		why = "has no name after its bus";
	} else if (strlen(bus->name) + 1 + strlen(local) >= CCSHM_DEVICE_LEN) {
		why = "is a name of more than 63 characters, the maximum of the driver";
	}
	if (why)
		return refuse(text, why);
	snprintf(name, DEVICE_TEXT_LEN, "%s:%s", bus->name, local);
	return EXIT_OK;
}

static int refuse_bus(const char *text, const char *bus)
{
	complain("'%s' is on the bus %s; only devices of " BUS_NAMES " can be named", text, bus);
	return EXIT_FAILED;
}

/* Resolve a directory in /sys/devices, or a link to one, such as those in /sys/bus. */
static int resolve_path(const char *text, char name[DEVICE_TEXT_LEN])
{
	char path[SYSTEM_PATH_LEN], target[SYSTEM_PATH_LEN], *real;
	const struct bus *bus;
	ssize_t n;
	int code;

	system_path(path, "%s", text);
	real = realpath(path, NULL);
	if (!real) {
		complain("'%s' is not the path of a device: %s", text, strerror(errno));
		return EXIT_FAILED;
	}
	snprintf(path, sizeof(path), "%s/subsystem", real);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	bus = find_bus(basename(target), strlen(basename(target)));
	if (n < 0)
		code = refuse(text, "is not the path of a device: it has no subsystem");
	else if (!bus)
		code = refuse_bus(text, basename(target));
	else
		code = name_on_bus(text, bus, basename(real), name);
	free(real);
	return code;
}

static bool is_on_bus(const char *bus, const char *name)
{
	return *name && *name != '.' && system_exists("/sys/bus/%s/devices/%s", bus, name);
}

/* Report a device that does not exist on the buses: find the bus that has it. */
static int refuse_unknown(const char *text)
{
	char path[SYSTEM_PATH_LEN];
	struct dirent *entry;
	int code = EXIT_OK;
	DIR *dir;

	system_path(path, "/sys/bus");
	dir = opendir(path);
	while (dir && !code && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (*entry->d_name == '.' || find_bus(entry->d_name, len))
			continue;
		if (is_on_bus(entry->d_name, text) ||
		    (begins_with(text, entry->d_name, len) && text[len] == ':'))
			code = refuse_bus(text, entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (!code)
		code = refuse(text, "is not a device of " BUS_NAMES
			      "; `ccshmctl devices --all' lists those");
	return code;
}

/* Resolve a name without its bus. */
static int resolve_bare(const char *text, char name[DEVICE_TEXT_LEN])
{
	char address[CCSHM_DEVICE_LEN] = "";
	const char *why = pci_name(text, address);
	const struct bus *bus = NULL;
	struct pci_address parsed;
	size_t i;

	for (i = 0; i < NR_BUSES; i++) {
		if (!is_on_bus(buses[i].name, i || why ? text : address))
			continue;
		if (bus) {
			complain("'%s' is a device on more than one bus; use BUS:%s", text, text);
			return EXIT_FAILED;
		}
		bus = &buses[i];
	}
	/* The driver looks for a PCI address that sysfs does not have. */
	if (!bus && pci_parse(text, &parsed))
		bus = &buses[0];
	return bus ? name_on_bus(text, bus, text, name) : refuse_unknown(text);
}

int device_resolve(const char *text, char name[DEVICE_TEXT_LEN])
{
	size_t len = strcspn(text, ":");
	const struct bus *bus = text[len] ? find_bus(text, len) : NULL;

	if (bus)
		return name_on_bus(text, bus, text + len + 1, name);
	if (!*text)
		return refuse(text, "is not the name of a device: it is empty");
	if (*text == '/')
		return resolve_path(text, name);
	if (strchr(text, '/'))
		return refuse(text, "is not the name of a device: a path begins with /sys/");
	return resolve_bare(text, name);
}

bool device_is_pci(const char *name)
{
	return !strncmp(name, "pci:", 4);
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
		/* A kernel need not have each of these buses. */
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
