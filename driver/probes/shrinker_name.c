// SPDX-License-Identifier: GPL-2.0-only
/* register_shrinker() takes a name; from 6.7 on there is no such function. */
#include <linux/mm.h>
#include <linux/shrinker.h>

int probe(struct shrinker *shrinker);
int probe(struct shrinker *shrinker)
{
	return register_shrinker(shrinker, "%s", "probe");
}
