// SPDX-License-Identifier: GPL-2.0-only
/* Check the systemd units that load the module and make the buffers. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define PROVISION_UNIT	"ccshm-provision.service"
#define QUESTION	"systemctl show --property=Id,LoadState,ActiveState,Result,UnitFileState " \
			"ccshm-module.service " PROVISION_UNIT " 2>/dev/null"

struct unit {
	char id[64];
	char load[32];
	char active[32];
	char result[32];
	char file[32];
};

static void read_property(struct unit *unit, const char *line)
{
	const struct {
		const char *key;
		char *value;
		size_t len;
	} properties[] = {
		{ "Id=", unit->id, sizeof(unit->id) },
		{ "LoadState=", unit->load, sizeof(unit->load) },
		{ "ActiveState=", unit->active, sizeof(unit->active) },
		{ "Result=", unit->result, sizeof(unit->result) },
		{ "UnitFileState=", unit->file, sizeof(unit->file) },
	};
	size_t i, n;

	for (i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		n = strlen(properties[i].key);
		if (!strncmp(line, properties[i].key, n))
			snprintf(properties[i].value, properties[i].len, "%.*s",
				 (int)strcspn(line + n, "\n"), line + n);
	}
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".conf");
}

/* Check whether an administrator's file describes buffers. */
static bool buffers_are_configured(void)
{
	char path[SYSTEM_PATH_LEN];
	struct dirent **entries;
	int i, n;

	system_path(path, "/etc/ccshm/buffers.d");
	n = scandir(path, &entries, is_conf, NULL);
	for (i = 0; i < n; i++)
		free(entries[i]);
	if (n >= 0)
		free(entries);
	return n > 0;
}

static void check_unit(struct doctor *doctor, const struct unit *unit)
{
	if (!strcmp(unit->active, "failed")) {
		doctor_fail(doctor, EXIT_FAILED, "The unit has failed (%s).", unit->result);
		doctor_advise(doctor, "`journalctl -b -u %s` shows why. Then run `systemctl restart %s`.",
			      unit->id, unit->id);
	} else if (!strcmp(unit->id, PROVISION_UNIT) && !strcmp(unit->file, "disabled") &&
		   buffers_are_configured()) {
		doctor_warn(doctor, "The unit is disabled: the files in /etc/ccshm/buffers.d have no effect "
			    "at boot.");
		doctor_advise(doctor, "Run `systemctl enable --now %s`.", unit->id);
	} else {
		doctor_pass(doctor, "The unit has not failed (it is %s).", unit->active);
	}
	doctor_object(doctor, unit->id);
}

/* Check the units, which are separated by empty lines. */
static void check_units(struct doctor *doctor, FILE *f)
{
	struct unit unit = { .id = "" };
	char line[256];
	bool more;

	do {
		more = fgets(line, sizeof(line), f);
		if (more && *line != '\n') {
			read_property(&unit, line);
			continue;
		}
		if (*unit.id && !strcmp(unit.load, "loaded"))
			check_unit(doctor, &unit);
		unit = (struct unit){ .id = "" };
	} while (more);
}

void doctor_check_units(struct doctor *doctor)
{
	size_t before = doctor->nfindings;
	FILE *f;
	int status;

	if (!system_exists("/run/systemd/system")) {
		doctor_skip(doctor, "systemd does not run here.");
		return;
	}
	f = popen(QUESTION, "re");
	if (!f) {
		doctor_skip(doctor, "Cannot run systemctl.");
		return;
	}
	check_units(doctor, f);
	status = pclose(f);
	if (doctor->nfindings > before)
		return;
	if (status)
		doctor_skip(doctor, "Cannot ask systemd for the state of ccshm's units.");
	else
		doctor_skip(doctor, "ccshm's units are not installed.");
}
