// SPDX-License-Identifier: GPL-2.0-only
/* The module as a file: for which kernels it is installed, and what the file says. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

#define MODULE		"ccshm.ko"
#define MODULE_MAX	(64U << 20)	/* larger than any, with its debug information */

/* What the kernel looks for at the end of a module. */
static const char signature[] = "~Module signature appended~\n";

/* What a distribution packs its modules with; the programs come with kmod's. */
static const struct packing {
	const char *suffix;
	const char *program;
} packings[] = {
	{ "", NULL },
	{ ".xz", "xz" },
	{ ".zst", "zstd" },
	{ ".gz", "gzip" },
};

#define NR_PACKINGS	(sizeof(packings) / sizeof(packings[0]))

static const struct packing *packing_of(const char *name)
{
	size_t i, len = strlen(MODULE);

	if (strncmp(name, MODULE, len))
		return NULL;
	for (i = 0; i < NR_PACKINGS; i++) {
		if (!strcmp(name + len, packings[i].suffix))
			return &packings[i];
	}
	return NULL;
}

/* Of depmod's index, whose lines are "DIRECTORY/NAME.ko: WHAT IT NEEDS". */
static bool is_ours(const char *line, char *path, size_t len)
{
	const char *colon = strchr(line, ':'), *name;

	if (!colon || (size_t)(colon - line) >= len)
		return false;
	snprintf(path, len, "%.*s", (int)(colon - line), line);
	name = strrchr(path, '/');
	return packing_of(name ? name + 1 : path);
}

static int find_path(const char *release, char *path, size_t len)
{
	char index[SYSTEM_PATH_LEN], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	system_path(index, "/lib/modules/%s/modules.dep", release);
	f = fopen(index, "re");
	if (!f)
		return -errno;
	while (!found && getline(&line, &size, f) > 0)
		found = is_ours(line, path, len);
	free(line);
	fclose(f);
	return found ? 0 : -ENOENT;
}

/* Starts "PROGRAM -dc" on @file: the reading end of a pipe, or a negative errno. */
static int unpack(const char *program, int file, pid_t *pid)
{
	char *argv[] = { (char *)program, (char *)"-dc", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, file, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!err)
		return ends[0];
	close(ends[0]);
	return -err;
}

/* All of a file that is not too large: bytes to free, or NULL. */
static char *slurp(int fd, size_t *len)
{
	char *bytes = NULL, *more;
	size_t size = 0;
	ssize_t n;

	for (*len = 0;; *len += (size_t)n) {
		if (*len == size) {
			size = size ? 2 * size : 256 * 1024;
			more = size > MODULE_MAX ? NULL : realloc(bytes, size);
			if (!more)
				break;
			bytes = more;
		}
		n = read(fd, bytes + *len, size - *len);
		if (!n)
			return bytes;
		if (n < 0)
			break;
	}
	free(bytes);
	return NULL;
}

static char *read_module(const char *path, size_t *len)
{
	const struct packing *packing = packing_of(strrchr(path, '/') + 1);
	int file = open(path, O_RDONLY | O_CLOEXEC), fd, status;
	char *bytes = NULL;
	pid_t pid;

	if (file < 0)
		return NULL;
	if (!packing->program) {
		bytes = slurp(file, len);
		close(file);
		return bytes;
	}
	fd = unpack(packing->program, file, &pid);
	close(file);
	if (fd < 0)
		return NULL;
	bytes = slurp(fd, len);
	close(fd);
	if (waitpid(pid, &status, 0) == pid && !status)
		return bytes;
	free(bytes);
	return NULL;
}

/* The kernel's release is the first word of "vermagic=", a text in .modinfo. */
static void read_vermagic(const char *bytes, size_t len, char built_for[VERMAGIC_LEN])
{
	static const char key[] = "vermagic=";
	const char *value = memmem(bytes, len, key, strlen(key));
	size_t n = 0, left;

	*built_for = '\0';
	if (!value)
		return;
	value += strlen(key);
	left = len - (size_t)(value - bytes);
	while (n < left && n < VERMAGIC_LEN - 1 && value[n] && value[n] != ' ')
		n++;
	memcpy(built_for, value, n);
	built_for[n] = '\0';
}

static bool read_signature(const char *bytes, size_t len)
{
	size_t n = strlen(signature);

	return len > n && !memcmp(bytes + len - n, signature, n);
}

int module_find(const char *release, struct module_file *file)
{
	char path[SYSTEM_PATH_LEN], *bytes;
	size_t len;
	int err;

	memset(file, 0, sizeof(*file));
	err = find_path(release, file->path, sizeof(file->path));
	if (err)
		return err;
	system_path(path, "/lib/modules/%s/%s", release, file->path);
	bytes = read_module(path, &len);
	if (!bytes)
		return 0;
	file->known = true;
	read_vermagic(bytes, len, file->built_for);
	file->is_signed = read_signature(bytes, len);
	free(bytes);
	return 0;
}

int module_others(const char *release, char *text, size_t len)
{
	char path[SYSTEM_PATH_LEN], found[SYSTEM_PATH_LEN];
	struct dirent **entries;
	int i, count, n = 0;
	size_t used = 0;

	*text = '\0';
	system_path(path, "/lib/modules");
	count = scandir(path, &entries, NULL, versionsort);
	for (i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (*name != '.' && strcmp(name, release) &&
		    !find_path(name, found, sizeof(found)) && used < len) {
			used += (size_t)snprintf(text + used, len - used, "%s%s",
						 n ? ", " : "", name);
			n++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return n;
}
