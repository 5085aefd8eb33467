// SPDX-License-Identifier: GPL-2.0-only
/*
 * depmod's index and the file of the module, as doctor reads them. The input is the index, a form
 * feed, and the module.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "parsers.h"

int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

/* Unpack no module: that would start a program for each input. */
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	(void)pid;
	(void)actions;
	(void)attr;
	(void)argv;
	(void)envp;
	HOLDS(!strcmp(file, "xz") || !strcmp(file, "zstd") || !strcmp(file, "gzip"));
	return ENOENT;
}

void prepare(void)
{
	file_link(0, "/lib/modules/r/modules.dep");
	file_link(1, "/lib/modules/r/ccshm.ko");
	file_symlink("ccshm.ko", "/lib/modules/r/ccshm.ko.xz");
	file_directory("/lib/modules/other");
}

static void check_word(const char *word, size_t room)
{
	HOLDS(strlen(word) < room && !strchr(word, ' '));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\f', size) : NULL;
	size_t n = end ? (size_t)(end - data) : size;
	struct module_file *file = malloc(sizeof(*file));
	char others[16];
	int err, count;

	HOLDS(file);
	file_set(0, data, n);
	file_set(1, end ? end + 1 : data, end ? size - n - 1 : 0);
	err = module_find("r", file);
	HOLDS(!err || err == -ENOENT);
	HOLDS(strlen(file->path) < sizeof(file->path));
	if (!err) {
		HOLDS(strstr(file->path, "ccshm.ko"));
		HOLDS(file->known || (!file->is_signed && !*file->built_for && !*file->srcversion));
		HOLDS(file->is_signed || !*file->signer);
		check_word(file->built_for, sizeof(file->built_for));
		check_word(file->srcversion, sizeof(file->srcversion));
		HOLDS(strlen(file->signer) < sizeof(file->signer));
	}
	/* The same index, as that of another kernel. */
	count = module_others("running", others, sizeof(others));
	HOLDS(count == !err);
	HOLDS(!strcmp(others, err ? "" : "r"));
	HOLDS(!messages());
	free(file);
	return 0;
}
