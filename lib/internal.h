/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that the files of libccshm share. Only its own file knows the
 * contents of an object's struct.
 */
#ifndef CCSHM_INTERNAL_H
#define CCSHM_INTERNAL_H

#include "ccshm.h"
#include "seam.h"

/* Exported symbols; -fvisibility=hidden hides all others. */
#define CCSHM_API __attribute__((visibility("default")))

/* handle.c */

/* Take a reference to the handle; drop it with ccshm_close(). */
struct ccshm *ccshm_handle_ref(struct ccshm *handle);

const struct ccshm_seam *ccshm_handle_seam(const struct ccshm *handle);

/*
 * Call /dev/ccshm. Return 0 or a negative errno; -EOPNOTSUPP without a driver.
 */
int ccshm_handle_ioctl(const struct ccshm *handle, unsigned long request,
		       void *arg);

/* Call a file that an object of the handle owns. */
int ccshm_handle_ioctl_fd(const struct ccshm *handle, int fd,
			  unsigned long request, void *arg);

/* plain.c */

/* Check whether it is certain that no memory of this machine is private. */
bool ccshm_machine_is_plain(const struct ccshm_seam *seam);

/* alloc-options.c */

/* Translate options to the fields of ALLOC. @options may be NULL. */
void ccshm_alloc_options_to_uapi(const struct ccshm_alloc_options *options,
				 struct ccshm_ioc_alloc *uapi);

/* status.c */

/* QUERY an object. Fail with -EINVAL if the object is not of @type. */
int ccshm_query(struct ccshm *handle, uint64_t id, uint32_t type,
		struct ccshm_ioc_query *query);

/*
 * Query the next object of @type after the id @after that the caller may see.
 * Return -ENOENT after the last object.
 */
int ccshm_status_next(struct ccshm *handle, uint32_t type, uint64_t after,
		      struct ccshm_status **status);

/* Make a snapshot of the result of a query. */
int ccshm_status_make(const struct ccshm_ioc_query *query,
		      struct ccshm_status **status);

/* importers.c */

/* Make a snapshot of importers. */
int ccshm_importers_make(const struct ccshm_ioc_importer *importers,
			 uint32_t count, struct ccshm_importers **made);

/* netlink.c */

struct nlmsghdr;

/* A netlink socket, and the properties of the driver's family. */
struct ccshm_netlink {
	const struct ccshm_seam *seam;
	int fd;
	uint16_t family;
	uint32_t group;		/* multicast group of events; 0: none */
	uint32_t sequence;
	void *space;		/* buffer for received messages */
};

/* The contents of a message; 0 for absent attributes. */
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
 * Open netlink because opening the device node failed with @error. Netlink
 * needs no access to the node, but exists in the initial network namespace
 * only. Return -ENODEV if neither exists. Return @error for errors that netlink
 * cannot avoid, and if there is a node but no family, or the process may not
 * use netlink.
 */
int ccshm_netlink_open_instead(const struct ccshm_seam *seam, int error,
			       struct ccshm_netlink *nl);

/* Return -ENODEV if the family does not exist. */
int ccshm_netlink_open(const struct ccshm_seam *seam, struct ccshm_netlink *nl);
void ccshm_netlink_close(struct ccshm_netlink *nl);

/*
 * Return the number of the family whose removal the message reports, or 0 for
 * other messages.
 */
uint16_t ccshm_netlink_removed(const struct nlmsghdr *message);

/*
 * Send a request without attributes, and call @visit for each message of the
 * answer until it fails. @changed: set to true if a dump was inconsistent.
 */
int ccshm_netlink_request(struct ccshm_netlink *nl, uint8_t command,
			  uint16_t flags,
			  int (*visit)(const struct nlmsghdr *message,
				       void *data),
			  void *data, bool *changed);

/* Check whether @left bytes contain a whole message. */
bool ccshm_netlink_ok(const struct nlmsghdr *message, int left);

/* Return 0, or -EPROTO if the message is malformed. */
int ccshm_netlink_parse(const struct nlmsghdr *message,
			struct ccshm_message *parsed);

/* buffer.c */

struct ccshm *ccshm_buffer_handle(const struct ccshm_buffer *buffer);

/* mapping.c */

/*
 * Check that a slice of @total bytes can be mapped. Replace a @size of 0 by the
 * number of bytes from @offset to the end.
 */
int ccshm_slice_resolve(uint64_t total, uint64_t offset, uint64_t *size);

/* Check that the protection bits and flags are supported. */
int ccshm_prot_check(int prot, uint64_t flags);

/*
 * Map @size bytes of @fd, which the caller continues to own. @phase is the
 * offset of the slice in the buffer, which determines where large pages begin.
 */
int ccshm_mapping_create(struct ccshm *handle, int fd, uint64_t offset,
			 uint64_t size, uint64_t phase, int prot,
			 uint64_t export_id, struct ccshm_mapping **mapping);

/* export.c */

struct ccshm *ccshm_export_handle(const struct ccshm_export *exp);

/*
 * Return the dma-buf's file descriptor, and prevent that it is taken and closed
 * until ccshm_export_unlock(). Return -EBADF if the descriptor was taken;
 * nothing is locked then.
 */
int ccshm_export_lock(struct ccshm_export *exp);
void ccshm_export_unlock(struct ccshm_export *exp);

/* attach-options.c */

/* Translate options to the fields of ATTACH. @options may be NULL. */
void ccshm_attach_options_to_uapi(const struct ccshm_attach_options *options,
				  struct ccshm_ioc_attach *uapi);

#endif /* CCSHM_INTERNAL_H */
