/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A temporary directory instead of "/": ccshmctl finds the test's files for /proc, /sys,
 * /etc and so on below system_root().
 */
#ifndef TESTS_UNIT_FAKE_ROOT_H
#define TESTS_UNIT_FAKE_ROOT_H

#include <stddef.h>
#include <sys/types.h>

extern char top[64];

/* Create an empty directory; remove the directory. For fixtures. */
void top_make(void);
void top_remove(void);

/* Create a file and its parent directories. A name that ends in a slash creates a directory. */
void put(const char *path, const char *text);
void put_bytes(const char *path, const void *bytes, size_t len);

/*
 * Create a device node for ccshmctl that belongs to root and @gid, whichever user runs the test. All other files belong to root
 * and group 0.
 */
void put_node(const char *path, mode_t mode, gid_t gid);

/*
 * Replace a file by one to which write() fails with EPERM, as a file of sysfs for root of a container.
 * This applies to root also.
 */
void put_refusing(const char *path);

/* Run a shell command; @format has a %s for the directory, @a and @b. */
void shell(const char *format, const char *a, const char *b);

#endif /* TESTS_UNIT_FAKE_ROOT_H */
