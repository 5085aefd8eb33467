// SPDX-License-Identifier: GPL-2.0-only
#include "shared.h"

int ccshm;

void shared_end(struct shared *s)
{
	munmap(s->p, s->size);
	if (s->look >= 0)
		close(s->look);
	close(s->fd);
	is_errno(raw_free(ccshm, s->id), 0, "the buffer is freed");
}

struct ccshm_ioc_query query(uint64_t id)
{
	struct ccshm_ioc_query q;
	int err = raw_query(ccshm, id, &q);

	if (err)
		bail("QUERY of %llu: %s", (unsigned long long)id, strerror(-err));
	return q;
}
