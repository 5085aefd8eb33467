/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the objects of libccshm offer each other. Each object's struct is known
 * in its own file only.
 */
#ifndef CCSHM_INTERNAL_H
#define CCSHM_INTERNAL_H

#include "ccshm.h"
#include "seam.h"

/* Everything else is hidden (-fvisibility=hidden). */
#define CCSHM_API __attribute__((visibility("default")))

/* handle.c */

/* Another user of the handle; give it up with ccshm_close(). */
struct ccshm *ccshm_handle_ref(struct ccshm *handle);

const struct ccshm_seam *ccshm_handle_seam(const struct ccshm *handle);

/* A call of /dev/ccshm: 0, a negative errno, -EOPNOTSUPP without a driver. */
int ccshm_handle_ioctl(const struct ccshm *handle, unsigned long request,
		       void *arg);

/* A call of any file that the handle's objects own. */
int ccshm_handle_ioctl_fd(const struct ccshm *handle, int fd,
			  unsigned long request, void *arg);

/* plain.c */

/* Is it certain that nothing keeps this machine's memory private? */
bool ccshm_machine_is_plain(const struct ccshm_seam *seam);

/* alloc-options.c */

/* Says in the kernel's words what @options (may be NULL) ask for. */
void ccshm_alloc_options_to_uapi(const struct ccshm_alloc_options *options,
				 struct ccshm_ioc_alloc *uapi);

/* status.c */

/* QUERY of an object that has to be of @type, otherwise -EINVAL. */
int ccshm_query(struct ccshm *handle, uint64_t id, uint32_t type,
		struct ccshm_ioc_query *query);

/*
 * The next object of @type after the id @after that the caller may see; -ENOENT
 * after the last one.
 */
int ccshm_status_next(struct ccshm *handle, uint32_t type, uint64_t after,
		      struct ccshm_status **status);

/* A snapshot of what is known already. */
int ccshm_status_make(const struct ccshm_ioc_query *query,
		      struct ccshm_status **status);

/* importers.c */

/* Likewise. */
int ccshm_importers_make(const struct ccshm_ioc_importer *importers,
			 uint32_t count, struct ccshm_importers **made);

/* netlink.c */

/* A socket, and what is known of the family. */
struct ccshm_netlink {
	const struct ccshm_seam *seam;
	int fd;
	uint16_t family;
	uint32_t group;		/* of events; 0: there is none */
	uint32_t sequence;
	void *space;		/* for what is received */
};

/* What a message of the family says; 0 where it says nothing. */
struct ccshm_message {
	struct ccshm_ioc_query object;
	struct ccshm_ioc_importer importers[CCSHM_GENL_IMPORTERS_MAX];
	uint32_t importers_count;
	uint32_t event;
	uint32_t result;
	uint32_t stopped;
	uint32_t quota;
	uint32_t actor_uid;
	uint32_t actor_pid;
	uint64_t time;
	uint64_t duration;
	uint64_t pages;
	uint64_t asked;
	uint64_t used;
	uint64_t limit;
};

/*
 * Opens netlink where the device node could not be opened with @error: netlink
 * needs no access to the node, but it is in the initial network namespace only.
 * -ENODEV: neither is there. @error for every error that netlink does not help
 * with, and where there is a node but no family.
 */
int ccshm_netlink_open_instead(const struct ccshm_seam *seam, int error,
			       struct ccshm_netlink *nl);

/* -ENODEV: no such family. */
int ccshm_netlink_open(const struct ccshm_seam *seam, struct ccshm_netlink *nl);
void ccshm_netlink_close(struct ccshm_netlink *nl);

struct nlmsghdr;

/*
 * Makes a request without attributes and visits each message of the answer, until
 * a visit fails. @changed: out: a dump was inconsistent.
 */
int ccshm_netlink_request(struct ccshm_netlink *nl, uint8_t command,
			  uint16_t flags,
			  int (*visit)(const struct nlmsghdr *message,
				       void *data),
			  void *data, bool *changed);

/* 0, or -EPROTO for what cannot be understood. */
int ccshm_netlink_parse(const struct nlmsghdr *message,
			struct ccshm_message *said);

/* buffer.c */

struct ccshm *ccshm_buffer_handle(const struct ccshm_buffer *buffer);

/* mapping.c */

/*
 * Is it a slice of @total bytes that can be mapped? Replaces a @size of 0 by
 * what is left behind @offset.
 */
int ccshm_slice_resolve(uint64_t total, uint64_t offset, uint64_t *size);

/* Are these protection bits among those that can be asked for? */
int ccshm_prot_check(int prot, uint64_t flags);

/*
 * Maps @size bytes of @fd, which stays the caller's. They begin at @phase of the
 * buffer, which says how its large pages lie in them.
 */
int ccshm_mapping_create(struct ccshm *handle, int fd, uint64_t offset,
			 uint64_t size, uint64_t phase, int prot,
			 uint64_t export_id, struct ccshm_mapping **mapping);

/* export.c */

struct ccshm *ccshm_export_handle(const struct ccshm_export *exp);

/*
 * The dma-buf, which nobody can take (and close) until ccshm_export_unlock().
 * -EBADF when it was taken; nothing is locked then.
 */
int ccshm_export_lock(struct ccshm_export *exp);
void ccshm_export_unlock(struct ccshm_export *exp);

/* attach-options.c */

/* Says in the kernel's words what @options (may be NULL) ask for. */
void ccshm_attach_options_to_uapi(const struct ccshm_attach_options *options,
				  struct ccshm_ioc_attach *uapi);

#endif /* CCSHM_INTERNAL_H */
