// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find the files of ccshm-buffers.d(5) as systemd finds drop-ins: a file in /etc overrides files of
 * the same name from packages and in /run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "provision.h"

/* A file overrides files of the same name in directories listed later. */
static const char *const directories[] = {
	"/etc/ccshm/buffers.d",
	"/run/ccshm/buffers.d",
	"/usr/local/lib/ccshm/buffers.d",
	"/usr/lib/ccshm/buffers.d",
};

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".conf");
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool is_hidden(const struct file_list *files, const char *name)
{
	size_t i;

	for (i = 0; i < files->count; i++)
		if (!strcmp(name_of(files->paths[i]), name))
			return true;
	return false;
}

void files_add(struct file_list *files, char *path)
{
	files->paths = or_die(reallocarray(files->paths, files->count + 1,
					   sizeof(*files->paths)));
	files->paths[files->count++] = path;
}

static void add_path(struct file_list *files, const char *directory, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		path = NULL;
	files_add(files, or_die(path));
}

static void add_directory(struct file_list *files, struct plan *plan, const char *directory)
{
	struct dirent **entries;
	char path[SYSTEM_PATH_LEN];
	int i, n;

	system_path(path, "%s", directory);
	n = scandir(path, &entries, is_conf, NULL);
	if (n < 0) {
		if (errno != ENOENT)
			plan_unreadable(plan, OP_LIST, errno, directory);
		return;
	}
	for (i = 0; i < n; i++) {
		if (!is_hidden(files, entries[i]->d_name))
			add_path(files, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static int compare(const void *a, const void *b)
{
	return strcmp(name_of(*(char *const *)a), name_of(*(char *const *)b));
}

void files_find(struct file_list *files, struct plan *plan)
{
	size_t i;

	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		add_directory(files, plan, directories[i]);
	if (files->count)
		qsort(files->paths, files->count, sizeof(*files->paths), compare);
}

void files_free(struct file_list *files)
{
	while (files->count)
		free(files->paths[--files->count]);
	free(files->paths);
}
