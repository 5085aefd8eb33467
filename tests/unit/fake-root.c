// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "ccshmctl.h"
#include "fake.h"
#include "fake-root.h"

char top[64];

/* Replaces the function in cli/common/root.c. */
const char *system_root(void)
{
	return top;
}

void top_make(void)
{
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
