/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seam between the library and the system: everything that libccshm asks of
 * the machine goes through these pointers, so that unit tests can answer for it.
 *
 * Every function gives 0 or a positive result on success and a negative errno
 * on failure.
 */
#ifndef CCSHM_SEAM_H
#define CCSHM_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ccshm;

/* The registers that CPUID fills in. */
struct ccshm_cpuid {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

struct ccshm_seam {
	int (*open)(const char *path, int flags);
	int (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* In: where it would best be, or NULL; out: where it is. */
	int (*mmap)(size_t size, int prot, int flags, int fd, off_t offset,
		    void **address);
	/*
	 * Finds @size bytes of address space that nobody uses now, at @phase
	 * bytes behind a multiple of @align, a power of two.
	 */
	int (*place)(size_t size, size_t align, size_t phase, void **address);
	int (*munmap)(void *address, size_t size);
	int (*memfd)(const char *name);
	/* Makes a file @size bytes long, and its memory its own. */
	int (*reserve)(int fd, off_t size);
	/* CLOCK_MONOTONIC in nanoseconds. */
	int (*now)(int64_t *ns);
	/* -ENOENT when there is no such user. */
	int (*user)(const char *name, uid_t *uid);
	/* -ENOSYS on an architecture without CPUID. */
	int (*cpuid)(uint32_t leaf, struct ccshm_cpuid *out);
	/* A bound socket of generic netlink: its file descriptor. */
	int (*netlink)(void);
	int (*send)(int fd, const void *message, size_t size);
	/*
	 * Bytes of the next message that the kernel sent; -EAGAIN when there is none
	 * and @wait is false, -EMSGSIZE when it is longer than @size.
	 */
	int (*receive)(int fd, void *space, size_t size, bool wait);
	/* Receive what is sent to this multicast group, with room for a lot of it. */
	int (*join)(int fd, uint32_t group);
};

/* The system itself. */
extern const struct ccshm_seam ccshm_system;

/* ccshm_open() through another seam, which has to outlive the handle. */
int ccshm_open_seam(const struct ccshm_seam *seam, uint64_t flags,
		    struct ccshm **handle);

/* ccshm_platform_detect() likewise. */
int ccshm_platform_detect_seam(const struct ccshm_seam *seam, uint32_t *platform);

struct ccshm_list;
struct ccshm_stats;
struct ccshm_events;

/* Likewise; each is used until what was made is given up. */
int ccshm_list_get_seam(const struct ccshm_seam *seam, uint32_t type,
			struct ccshm_list **list);
int ccshm_stats_get_seam(const struct ccshm_seam *seam,
			 struct ccshm_stats **stats);
int ccshm_events_open_seam(const struct ccshm_seam *seam,
			   struct ccshm_events **events);

#endif /* CCSHM_SEAM_H */
