// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ccshmctl.h"
#include "parsers.h"

#define SLOTS	4

static char root[256];
static int slots[SLOTS];
static unsigned int lines;

void broken(const char *file, int line, const char *condition)
{
	dprintf(2, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* Replaces the function in cli/common/root.c. */
const char *system_root(void)
{
	return root;
}

static ssize_t check_message(void *cookie, const char *bytes, size_t size)
{
	size_t i;

	(void)cookie;
	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		HOLDS(c == '\n' || (c >= ' ' && c != 0x7f));
		lines += c == '\n';
	}
	return (ssize_t)size;
}

unsigned int messages(void)
{
	unsigned int n;

	fflush(stderr);
	n = lines;
	lines = 0;
	return n;
}

char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	HOLDS(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void path_below_root(char path[512], const char *name)
{
	HOLDS(snprintf(path, 512, "%s%s", root, name) < 512);
}

void file_directory(const char *path)
{
	char full[512], *s;

	path_below_root(full, path);
	for (s = full + strlen(root) + 1; (s = strchr(s, '/')); *s++ = '/') {
		*s = '\0';
		HOLDS(!mkdir(full, 0700) || errno == EEXIST);
	}
	HOLDS(!mkdir(full, 0700) || errno == EEXIST);
}

void file_symlink(const char *target, const char *path)
{
	char full[512];

	path_below_root(full, path);
	HOLDS(!symlink(target, full));
}

const char *file_path(int slot)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", slots[slot]);
	return path;
}

void file_link(int slot, const char *path)
{
	char *directory = strdup(path);

	HOLDS(directory);
	*strrchr(directory, '/') = '\0';
	file_directory(directory);
	free(directory);
	file_symlink(file_path(slot), path);
}

void file_set(int slot, const void *bytes, size_t size)
{
	HOLDS(!ftruncate(slots[slot], 0));
	HOLDS(pwrite(slots[slot], bytes, size, 0) == (ssize_t)size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const cookie_io_functions_t functions = { .write = check_message };
	const char *directory = getenv("TMPDIR");
	int i;

	(void)argc;
	(void)argv;
	snprintf(root, sizeof(root), "%s/ccshm-parsers-XXXXXX", directory ? directory : "/tmp");
	HOLDS(mkdtemp(root));
	for (i = 0; i < SLOTS; i++) {
		slots[i] = memfd_create("input", MFD_CLOEXEC);
		HOLDS(slots[i] >= 0);
	}
	prepare();
	stderr = fopencookie(NULL, "w", functions);
	HOLDS(stderr);
	return 0;
}
