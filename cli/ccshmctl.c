// SPDX-License-Identifier: GPL-2.0-only
/* The main function of ccshmctl; the unit tests link all other files. */
#include "ccshmctl.h"

int main(int argc, char **argv)
{
	return ccshmctl_main(argc, argv);
}
