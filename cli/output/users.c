// SPDX-License-Identifier: GPL-2.0-only
/* Names of users and groups. A look-up reads files or queries a server: look up each id once. */
#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ccshmctl.h"

struct known {
	unsigned int id;
	char *name;
};

static void *users, *groups;

static int compare(const void *a, const void *b)
{
	const struct known *one = a, *other = b;

	return (one->id > other->id) - (one->id < other->id);
}

static const char *find(void *const *tree, unsigned int id)
{
	const struct known key = { .id = id };
	struct known *const *node = tfind(&key, tree, compare);

	return node ? (*node)->name : NULL;
}

/* @name: NULL if the database has none; store the number then. */
static const char *keep(void **tree, unsigned int id, const char *name)
{
	struct known *known = or_die(malloc(sizeof(*known)));
	char number[16];

	snprintf(number, sizeof(number), "%u", id);
	known->id = id;
	known->name = or_die(strdup(name ? name : number));
	or_die(tsearch(known, tree, compare));
	return known->name;
}

const char *user_name(uid_t uid)
{
	const char *name = find(&users, uid);
	struct passwd *pw;

	if (name)
		return name;
	pw = getpwuid(uid);
	return keep(&users, uid, pw ? pw->pw_name : NULL);
}

const char *group_name(gid_t gid)
{
	const char *name = find(&groups, gid);
	struct group *gr;

	if (name)
		return name;
	gr = getgrgid(gid);
	return keep(&groups, gid, gr ? gr->gr_name : NULL);
}
