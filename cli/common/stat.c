// SPDX-License-Identifier: GPL-2.0-only
/* In a file of its own, so that unit tests can replace it. */
#include "ccshmctl.h"

int system_stat(const char *path, struct stat *st)
{
	char full[SYSTEM_PATH_LEN];

	system_path(full, "%s", path);
	return stat(full, st);
}
