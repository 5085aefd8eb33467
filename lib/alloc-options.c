// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_alloc_options: the properties of a buffer to allocate. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEFAULT_MODE	0600

struct ccshm_alloc_options {
	bool persistent;
	bool interruptible;
	bool dma32;
	bool contiguous;
	bool whole_units;
	bool others_pin;
	bool has_mode;
	uid_t uid;	/* -1: the caller's effective uid */
	gid_t gid;	/* -1: the caller's effective gid */
	mode_t mode;
	int node;	/* -1: any node */
	char name[CCSHM_NAME_LEN];
};

CCSHM_API int ccshm_alloc_options_new(struct ccshm_alloc_options **options)
{
	struct ccshm_alloc_options *made = calloc(1, sizeof(*made));

	*options = made;
	if (!made)
		return -ENOMEM;
	made->uid = (uid_t)-1;
	made->gid = (gid_t)-1;
	made->node = -1;
	return 0;
}

CCSHM_API void ccshm_alloc_options_free(struct ccshm_alloc_options *options)
{
	free(options);
}

CCSHM_API void
ccshm_alloc_options_set_persistent(struct ccshm_alloc_options *options,
				   bool persistent)
{
	options->persistent = persistent;
}

CCSHM_API int
ccshm_alloc_options_set_name(struct ccshm_alloc_options *options,
			     const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length >= sizeof(options->name))
		return -EINVAL;
	memset(options->name, 0, sizeof(options->name));
	if (length)
		memcpy(options->name, name, length);
	return 0;
}

CCSHM_API void
ccshm_alloc_options_set_owner(struct ccshm_alloc_options *options, uid_t uid)
{
	options->uid = uid;
}

CCSHM_API void
ccshm_alloc_options_set_group(struct ccshm_alloc_options *options, gid_t gid)
{
	options->gid = gid;
}

CCSHM_API void
ccshm_alloc_options_set_mode(struct ccshm_alloc_options *options, mode_t mode)
{
	options->mode = mode;
	options->has_mode = true;
}

CCSHM_API void
ccshm_alloc_options_set_node(struct ccshm_alloc_options *options, int node)
{
	options->node = node;
}

CCSHM_API void
ccshm_alloc_options_set_interruptible(struct ccshm_alloc_options *options,
				      bool interruptible)
{
	options->interruptible = interruptible;
}

CCSHM_API void
ccshm_alloc_options_set_dma32(struct ccshm_alloc_options *options, bool dma32)
{
	options->dma32 = dma32;
}

CCSHM_API void
ccshm_alloc_options_set_contiguous(struct ccshm_alloc_options *options,
				   bool contiguous)
{
	options->contiguous = contiguous;
}

CCSHM_API void
ccshm_alloc_options_set_whole_units(struct ccshm_alloc_options *options,
				    bool whole_units)
{
	options->whole_units = whole_units;
}

CCSHM_API void
ccshm_alloc_options_set_others_pin(struct ccshm_alloc_options *options,
				   bool others_pin)
{
	options->others_pin = others_pin;
}

void ccshm_alloc_options_to_uapi(const struct ccshm_alloc_options *options,
				 struct ccshm_ioc_alloc *uapi)
{
	if (!options)
		return;
	if (options->persistent) {
		uapi->flags |= CCSHM_ALLOC_PERSISTENT;
		uapi->mode = DEFAULT_MODE;
	}
	if (options->interruptible)
		uapi->flags |= CCSHM_ALLOC_INTERRUPTIBLE;
	if (options->dma32)
		uapi->flags |= CCSHM_ALLOC_DMA32;
	if (options->contiguous)
		uapi->flags |= CCSHM_ALLOC_CONTIGUOUS;
	if (options->whole_units)
		uapi->flags |= CCSHM_ALLOC_WHOLE_UNITS;
	if (options->others_pin)
		uapi->flags |= CCSHM_ALLOC_OTHERS_PIN;
	if (options->uid != (uid_t)-1) {
		uapi->flags |= CCSHM_ALLOC_UID;
		uapi->uid = options->uid;
	}
	if (options->gid != (gid_t)-1) {
		uapi->flags |= CCSHM_ALLOC_GID;
		uapi->gid = options->gid;
	}
	if (options->has_mode)
		uapi->mode = options->mode;
	if (options->node != -1) {
		uapi->flags |= CCSHM_ALLOC_NODE;
		uapi->node = options->node;
	}
	memcpy(uapi->name, options->name, sizeof(uapi->name));
}
