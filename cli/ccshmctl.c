// SPDX-License-Identifier: GPL-2.0-only
/* The program; all else is linked into the unit tests too. */
#include "ccshmctl.h"

int main(int argc, char **argv)
{
	return ccshmctl_main(argc, argv);
}
