// SPDX-License-Identifier: GPL-2.0-only
/* Differences between distributions and between clouds. */
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* All machines of Azure have this tag; the vendor is the same for any Hyper-V. */
#define AZURE_ASSET_TAG	"7783-7084-3265-9085-8269-3286-77"

enum cloud cloud_detect(void)
{
	char text[128];

	system_line(text, sizeof(text), "/sys/class/dmi/id/chassis_asset_tag");
	if (!strcmp(text, AZURE_ASSET_TAG))
		return CLOUD_AZURE;
	system_line(text, sizeof(text), "/sys/class/dmi/id/product_name");
	if (!strcmp(text, "Google Compute Engine"))
		return CLOUD_GOOGLE;
	return CLOUD_NONE;
}

/* @release: the name of the package ends with the release of the kernel. */
static const struct distribution {
	const char *id;
	const char *command;
	const char *package;
	bool release;
} distributions[] = {
	{ "debian", "apt install", "linux-headers-", true },
	{ "ubuntu", "apt install", "linux-headers-", true },
	{ "fedora", "dnf install", "kernel-devel-", true },
	{ "rhel", "dnf install", "kernel-devel-", true },
	{ "centos", "dnf install", "kernel-devel-", true },
	{ "rocky", "dnf install", "kernel-devel-", true },
	{ "almalinux", "dnf install", "kernel-devel-", true },
	{ "amzn", "dnf install", "kernel-devel-", true },
	{ "azurelinux", "tdnf install", "kernel-devel-", true },
	{ "suse", "zypper install", "kernel-default-devel", false },
	{ "arch", "pacman -S", "linux-headers", false },
};

/* Check whether a list of words has this one. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word), n;

	while (*list) {
		n = strcspn(list, " ");
		if (n == len && !strncmp(list, word, n))
			return true;
		list += n + strspn(list + n, " ");
	}
	return false;
}

static const struct distribution *find(const char *ids)
{
	size_t i;

	for (i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++) {
		if (has_word(ids, distributions[i].id))
			return &distributions[i];
	}
	return NULL;
}

static const struct distribution *running_distribution(void)
{
	const struct distribution *distribution;
	char os[4096], value[128];

	if (system_read(os, sizeof(os), "/etc/os-release") < 0 &&
	    system_read(os, sizeof(os), "/usr/lib/os-release") < 0)
		*os = '\0';
	system_setting(value, sizeof(value), os, "ID");
	distribution = find(value);
	if (!distribution) {
		system_setting(value, sizeof(value), os, "ID_LIKE");
		distribution = find(value);
	}
	return distribution;
}

void headers_package(const char *release, char *text, size_t len)
{
	const struct distribution *distribution = running_distribution();

	if (distribution)
		snprintf(text, len, "%s %s%s", distribution->command, distribution->package,
			 distribution->release ? release : "");
	else
		snprintf(text, len, "install the headers of Linux %s", release);
}

/* "make install" installs below /usr/local, packages below /usr. */
bool from_package(void)
{
	char path[SYSTEM_PATH_LEN], program[SYSTEM_PATH_LEN];
	ssize_t n;

	system_path(path, "/proc/self/exe");
	n = readlink(path, program, sizeof(program) - 1);
	program[n < 0 ? 0 : n] = '\0';
	return !strncmp(program, "/usr/bin/", 9);
}

void module_install(char *text, size_t len)
{
	const struct distribution *distribution = running_distribution();

	if (!from_package())
		snprintf(text, len, "In the sources of ccshm run `make driver`, then as root "
			 "`make -C driver modules_install && depmod`");
	else if (distribution)
		snprintf(text, len, "Run `%s ccshm-dkms`", distribution->command);
	else
		snprintf(text, len, "Install the package ccshm-dkms");
}

void module_rebuild(const char *release, char *text, size_t len)
{
	if (from_package())
		snprintf(text, len, "Run `dkms install ccshm/%s -k %s --force`", ccshm_version(),
			 release);
	else
		snprintf(text, len, "Build it again for this kernel: in the sources of ccshm run `make driver`, "
			 "then as root `make -C driver modules_install && depmod`");
}
