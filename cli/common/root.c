// SPDX-License-Identifier: GPL-2.0-only
/* Alone in its file, so that unit tests can put their own in its place. */
#include "ccshmctl.h"

const char *system_root(void)
{
	return "";
}
