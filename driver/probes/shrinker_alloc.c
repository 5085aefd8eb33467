// SPDX-License-Identifier: GPL-2.0-only
/* shrinker_alloc(), shrinker_register(), shrinker_free(): shrinkers are allocated by the kernel. */
#include <linux/mm.h>
#include <linux/shrinker.h>

struct shrinker *probe(void);
struct shrinker *probe(void)
{
	return shrinker_alloc(0, "probe");
}
