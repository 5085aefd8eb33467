/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A directory in the place of "/", with files of the test's own for /proc, /sys, /etc and
 * so on: what ccshmctl finds below system_root().
 */
#ifndef TESTS_UNIT_FAKE_ROOT_H
#define TESTS_UNIT_FAKE_ROOT_H

#include <stddef.h>
#include <sys/types.h>

extern char top[64];

/* An empty one, and its end: of a fixture. */
void top_make(void);
void top_remove(void);

/* A file and the directories above it; a name that ends in a slash is a directory. */
void put(const char *path, const char *text);
void put_bytes(const char *path, const void *bytes, size_t len);

/*
 * Make a file that belongs to root and @gid for ccshmctl; the user who runs the test does not matter. Other files belong to root
 * and group 0.
 */
void put_node(const char *path, mode_t mode, gid_t gid);

/* A command with the directory, and two more words, in it. */
void shell(const char *format, const char *a, const char *b);

#endif /* TESTS_UNIT_FAKE_ROOT_H */
