/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct ccshm_seam: all calls of libccshm to the system. Unit tests replace
 * them.
 *
 * Every function returns 0 or a positive result on success and a negative errno
 * on failure.
 */
#ifndef CCSHM_SEAM_H
#define CCSHM_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ccshm;

/* The registers that CPUID sets. */
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
	/*
	 * @address: preferred address, or NULL; set to the address of the
	 *	mapping.
	 */
	int (*mmap)(size_t size, int prot, int flags, int fd, off_t offset,
		    void **address);
	/*
	 * Find @size bytes of unused address space whose address is a multiple
	 * of @align, a power of two, plus @phase.
	 */
	int (*place)(size_t size, size_t align, size_t phase, void **address);
	int (*munmap)(void *address, size_t size);
	int (*memfd)(const char *name);
	/*
	 * Allocate the memory of a part of a file, and extend the file to the
	 * end of this part.
	 */
	int (*reserve)(int fd, off_t offset, off_t size);
	/* Get CLOCK_MONOTONIC in nanoseconds. */
	int (*now)(int64_t *ns);
	/* Look up a user; -ENOENT if there is no such user. */
	int (*user)(const char *name, uid_t *uid);
	/* Execute CPUID; -ENOSYS on an architecture without it. */
	int (*cpuid)(uint32_t leaf, struct ccshm_cpuid *out);
	/*
	 * Open and bind a generic netlink socket; return its file descriptor.
	 */
	int (*netlink)(void);
	int (*send)(int fd, const void *message, size_t size);
	/*
	 * Receive the next message of the kernel; return its length. -EAGAIN if
	 * there is none and @wait is false, -EMSGSIZE if it is longer than
	 * @size.
	 */
	int (*receive)(int fd, void *space, size_t size, bool wait);
	/* Join a multicast group, and enlarge the receive buffer. */
	int (*join)(int fd, uint32_t group);
};

/* The calls of the operating system. */
extern const struct ccshm_seam ccshm_system;

/* ccshm_open() with another seam, which must outlive the handle. */
int ccshm_open_seam(const struct ccshm_seam *seam, uint64_t flags,
		    struct ccshm **handle);

/* ccshm_platform_detect() with another seam. */
int ccshm_platform_detect_seam(const struct ccshm_seam *seam, uint32_t *platform);

struct ccshm_list;
struct ccshm_stats;
struct ccshm_events;

/*
 * The functions of ccshm.h with another seam, which must outlive the returned
 * object.
 */
int ccshm_list_get_seam(const struct ccshm_seam *seam, uint32_t type,
			struct ccshm_list **list);
int ccshm_stats_get_seam(const struct ccshm_seam *seam,
			 struct ccshm_stats **stats);
int ccshm_events_open_seam(const struct ccshm_seam *seam,
			   struct ccshm_events **events);

#endif /* CCSHM_SEAM_H */
