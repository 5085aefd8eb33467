// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ccshmctl.h"
#include "fake.h"
#include "fake-root.h"

char top[64];

/* Replaces the function in cli/common/root.c. */
const char *system_root(void)
{
	return top;
}

/* The owners of files, which only root could set. */
static struct {
	char path[64];
	gid_t gid;
} groups[4];
static size_t ngroups;

int system_stat(const char *path, struct stat *st)
{
	char full[512];
	size_t i;

	snprintf(full, sizeof(full), "%s%s", top, path);
	if (stat(full, st))
		return -1;
	st->st_uid = 0;
	st->st_gid = 0;
	for (i = 0; i < ngroups; i++)
		if (!strcmp(groups[i].path, path))
			st->st_gid = groups[i].gid;
	return 0;
}

void put_node(const char *path, mode_t mode, gid_t gid)
{
	char full[512];

	put(path, "");
	snprintf(full, sizeof(full), "%s%s", top, path);
	ck_assert_int_eq(chmod(full, mode), 0);
	ck_assert_uint_lt(ngroups, sizeof(groups) / sizeof(groups[0]));
	snprintf(groups[ngroups].path, sizeof(groups[ngroups].path), "%s", path);
	groups[ngroups++].gid = gid;
}

void top_make(void)
{
	ngroups = 0;
	strcpy(top, "/tmp/ccshm-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
}

void top_remove(void)
{
	shell("rm -r %s%s%s", "", "");
}

void shell(const char *format, const char *a, const char *b)
{
	char command[1024];

	snprintf(command, sizeof(command), format, top, a, b);
	ck_assert_int_eq(system(command), 0);
}

void put_bytes(const char *path, const void *bytes, size_t len)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", top, path);
	if (full[strlen(full) - 1] == '/') {
		shell("mkdir -p '%s%s'%s", path, "");
		return;
	}
	shell("mkdir -p \"$(dirname %s%s)\"%s", path, "");
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

void put_refusing(const char *path)
{
	/* The descriptor stays open: the link in /proc leads to it in child processes also. */
	int fd = memfd_create("ccshm-unit", MFD_ALLOW_SEALING);
	char full[512], target[64];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	snprintf(full, sizeof(full), "%s%s", top, path);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	ck_assert_int_eq(unlink(full), 0);
	ck_assert_int_eq(symlink(target, full), 0);
}
