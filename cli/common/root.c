// SPDX-License-Identifier: GPL-2.0-only
/* In a file of its own, so that unit tests can replace it. */
#include "ccshmctl.h"

const char *system_root(void)
{
	return "";
}
