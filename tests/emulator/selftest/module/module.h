/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared declarations of the self-test module. */
#ifndef CVM_SELFTEST_MODULE_H
#define CVM_SELFTEST_MODULE_H

#include <linux/fs.h>
#include <linux/mm.h>

#include "cvm_selftest.h"

/* block.c: the caller holds st_lock */
int st_block_alloc(struct st_call *call);
int st_block_free(unsigned int slot);
void st_block_free_all(void);
int st_block_convert(const struct st_call *call);
int st_block_map(const struct st_call *call);
int st_block_unmap(const struct st_call *call);
int st_block_fill(const struct st_call *call);
int st_block_match(struct st_call *call);
int st_block_read(struct st_call *call);
int st_block_address(struct st_call *call);
int st_block_phys(const struct st_call *call, phys_addr_t *phys);
int st_block_mmap(struct vm_area_struct *vma);

/* Return the first word of a page through a view, or NULL if the view is not mapped. */
u64 *st_word(const struct st_call *call, unsigned int page);

/* snp.c, event.c */
#ifdef CONFIG_X86
int st_snp_pvalidate(struct st_call *call);
int st_snp_state(struct st_call *call);
int st_event(struct st_call *call);
#else
static inline int st_event(struct st_call *call)
{
	return -EOPNOTSUPP;
}

static inline int st_snp_pvalidate(struct st_call *call)
{
	return -EOPNOTSUPP;
}

static inline int st_snp_state(struct st_call *call)
{
	return -EOPNOTSUPP;
}
#endif

/* edu.c */
int st_edu_register(void);
void st_edu_unregister(void);
int st_edu_mmap(struct vm_area_struct *vma);
int st_edu_raw(phys_addr_t phys, bool to_device, bool shared);
int st_edu_coherent(struct st_call *call);
int st_edu_streaming(struct st_call *call);

#endif
