// SPDX-License-Identifier: LGPL-2.1-or-later
/* struct ccshm_attach_options: the properties of an attachment to create. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

struct ccshm_attach_options {
	uint64_t offset;
	uint64_t size;
	unsigned int dma_bits;
	bool persistent;
};

CCSHM_API int ccshm_attach_options_new(struct ccshm_attach_options **options)
{
	*options = calloc(1, sizeof(**options));
	return *options ? 0 : -ENOMEM;
}

CCSHM_API void ccshm_attach_options_free(struct ccshm_attach_options *options)
{
	free(options);
}

CCSHM_API void
ccshm_attach_options_set_slice(struct ccshm_attach_options *options,
			       uint64_t offset, uint64_t size)
{
	options->offset = offset;
	options->size = size;
}

CCSHM_API void
ccshm_attach_options_set_dma_bits(struct ccshm_attach_options *options,
				  unsigned int bits)
{
	options->dma_bits = bits;
}

CCSHM_API void
ccshm_attach_options_set_persistent(struct ccshm_attach_options *options,
				    bool persistent)
{
	options->persistent = persistent;
}

void ccshm_attach_options_to_uapi(const struct ccshm_attach_options *options,
				  struct ccshm_ioc_attach *uapi)
{
	if (!options)
		return;
	uapi->offset = options->offset;
	uapi->size = options->size;
	uapi->dma_bits = options->dma_bits;
	if (options->persistent)
		uapi->flags |= CCSHM_ATTACH_PERSISTENT;
}
