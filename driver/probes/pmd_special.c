// SPDX-License-Identifier: GPL-2.0-only
/* pmd_special(): fast GUP does not pin the pages of huge PFN mappings of RAM. */
#include <linux/mm.h>

bool probe(pmd_t pmd);
bool probe(pmd_t pmd)
{
	return pmd_special(pmd);
}
