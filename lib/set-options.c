// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_set_options: the changes that ccshm_buffer_set() makes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct ccshm_set_options {
	struct ccshm_ioc_set uapi;	/* all fields but the id */
};

CCSHM_API int ccshm_set_options_new(struct ccshm_set_options **options)
{
	*options = calloc(1, sizeof(**options));
	return *options ? 0 : -ENOMEM;
}

CCSHM_API void ccshm_set_options_free(struct ccshm_set_options *options)
{
	free(options);
}

CCSHM_API void ccshm_set_options_set_mode(struct ccshm_set_options *options,
					  mode_t mode)
{
	options->uapi.flags |= CCSHM_SET_MODE;
	options->uapi.mode = mode;
}

CCSHM_API void ccshm_set_options_set_group(struct ccshm_set_options *options,
					   gid_t gid)
{
	options->uapi.flags |= CCSHM_SET_GID;
	options->uapi.gid = gid;
}

CCSHM_API void ccshm_set_options_set_owner(struct ccshm_set_options *options,
					   uid_t uid)
{
	options->uapi.flags |= CCSHM_SET_UID;
	options->uapi.uid = uid;
}

CCSHM_API int ccshm_set_options_set_name(struct ccshm_set_options *options,
					 const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length >= sizeof(options->uapi.name))
		return -EINVAL;
	options->uapi.flags |= CCSHM_SET_NAME;
	memset(options->uapi.name, 0, sizeof(options->uapi.name));
	if (length)
		memcpy(options->uapi.name, name, length);
	return 0;
}

CCSHM_API void ccshm_set_options_set_sealed(struct ccshm_set_options *options,
					    bool sealed)
{
	options->uapi.flags |= CCSHM_SET_SEALED;
	options->uapi.sealed = sealed;
}

CCSHM_API int ccshm_buffer_set(struct ccshm_buffer *buffer,
			       const struct ccshm_set_options *options)
{
	struct ccshm_ioc_set uapi = options->uapi;

	uapi.id = ccshm_buffer_id(buffer);
	return ccshm_handle_ioctl(ccshm_buffer_handle(buffer), CCSHM_IOC_SET,
				  &uapi);
}
