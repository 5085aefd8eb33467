/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users with processes that allocate, export and attach on request, for suites that test limits of
 * each user and what each user is shown.
 */
#ifndef CCSHM_USERS_H
#define CCSHM_USERS_H

#include "raw.h"

#define HEAP_NODE	"/dev/dma_heap/system_cc_shared"
#define USER_SLOTS	64

enum user_verb {
	USER_END, USER_INFO, USER_ALLOC, USER_HEAP, USER_FREE, USER_EXPORT, USER_CLOSE, USER_MAP,
	USER_UNMAP, USER_REVOKE, USER_ATTACH, USER_DETACH,
};

/**
 * struct user - a user of the driver, in memory that the user's process and the suite share
 * @peer: process of the user; without a pid, the suite itself acts as the user
 * @uid: user
 * @verb: operation that the user executes; the following members are its arguments
 * @slot: place of the object in the arrays below
 * @size: size for USER_ALLOC and USER_HEAP
 * @flags: CCSHM_ALLOC_* for USER_ALLOC, CCSHM_EXPORT_* for USER_EXPORT
 * @owner: owner for USER_ALLOC with CCSHM_ALLOC_UID
 * @deadline: deadline of USER_REVOKE
 * @device: device of USER_ATTACH
 * @id: buffers; 0: none
 * @export_id: exports
 * @dmabuf: descriptors of dma-bufs; -1: none
 * @attachment: descriptors of attachments; -1: none
 * @map: mappings of the first page of each dma-buf, or NULL
 * @info: result of USER_INFO
 */
struct user {
	struct peer peer;
	uid_t uid;
	enum user_verb verb;
	unsigned int slot;
	uint64_t size, flags;
	uid_t owner;
	int64_t deadline;
	const char *device;
	uint64_t id[USER_SLOTS];
	uint64_t export_id[USER_SLOTS];
	int dmabuf[USER_SLOTS];
	int attachment[USER_SLOTS];
	void *map[USER_SLOTS];
	struct ccshm_ioc_info info;
};

/* Allocate from the driver's heap. Return a dma-buf or a negative errno. */
RAW_CHECKED int heap_allocate(uint64_t size);

/* Execute @verb. Return 0 or a negative errno. */
RAW_CHECKED int user_do(struct user *u, int fd);

/* Return a user without a process. The suite acts as that user with user_do(). */
struct user *user_new(uid_t uid);

/* Start a process of the user @uid with the capabilities @caps. */
struct user *user_start(uid_t uid, uint64_t caps);

/* Send a verb to a user. Do not wait for the answer. */
void user_send(struct user *u, enum user_verb verb);

/* Send a verb and a slot to a user, and wait. Return 0 or a negative errno. */
RAW_CHECKED int user_ask(struct user *u, enum user_verb verb, unsigned int slot);

/* Make a user allocate a buffer in a slot. Return 0 or a negative errno. */
RAW_CHECKED int user_has(struct user *u, unsigned int slot, uint64_t size);

/* Return what INFO reports to the user. */
const struct ccshm_ioc_info *user_info(struct user *u);

/* End the process of a user. */
void user_end(struct user *u);

#endif /* CCSHM_USERS_H */
