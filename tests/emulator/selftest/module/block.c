// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of 2 MiB, their conversions, and all ways to access them. */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/set_memory.h>
#include <linux/vmalloc.h>

#include "module.h"

#define ST_ORDER	9

struct st_block {
	struct page *page;		/* NULL: unused slot */
	void *view[ST_NR_VIEWS];
	DECLARE_BITMAP(shared, ST_BLOCK_PAGES);
	bool failed;			/* a conversion failed: state unknown, never freed */
};

static struct st_block blocks[ST_SLOTS];

static struct st_block *st_get(unsigned int slot)
{
	if (slot >= ST_SLOTS || !blocks[slot].page)
		return NULL;
	return &blocks[slot];
}

static bool st_range_ok(const struct st_call *call)
{
	return call->page < ST_BLOCK_PAGES && call->pages <= ST_BLOCK_PAGES - call->page;
}

u64 *st_word(const struct st_call *call, unsigned int page)
{
	struct st_block *block = st_get(call->slot);

	if (!block || call->view >= ST_NR_VIEWS || !block->view[call->view] || !st_range_ok(call))
		return NULL;
	return block->view[call->view] + (size_t)page * PAGE_SIZE;
}

int st_block_alloc(struct st_call *call)
{
	struct st_block *block;

	if (call->slot >= ST_SLOTS || blocks[call->slot].page)
		return -EBUSY;
	block = &blocks[call->slot];
	block->page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_COMP, ST_ORDER);
	if (!block->page)
		return -ENOMEM;
	bitmap_zero(block->shared, ST_BLOCK_PAGES);
	block->failed = false;
	block->view[ST_DIRECT] = page_address(block->page);
	call->result = page_to_phys(block->page);
	return 0;
}

int st_block_free(unsigned int slot)
{
	struct st_block *block = st_get(slot);

	if (!block)
		return -ENOENT;
	vunmap(block->view[ST_VMAP_SHARED]);
	vunmap(block->view[ST_VMAP_PRIVATE]);
	/* Leak memory that is shared or whose state is unknown. */
	if (!block->failed && bitmap_empty(block->shared, ST_BLOCK_PAGES))
		__free_pages(block->page, ST_ORDER);
	memset(block, 0, sizeof(*block));
	return 0;
}

void st_block_free_all(void)
{
	unsigned int i;

	for (i = 0; i < ST_SLOTS; i++)
		st_block_free(i);
}

int st_block_convert(const struct st_call *call)
{
	struct st_block *block = st_get(call->slot);
	unsigned long addr;
	int ret;

	if (!block || !st_range_ok(call))
		return -EINVAL;
	addr = (unsigned long)page_address(block->page) + call->page * PAGE_SIZE;
	if (call->arg)
		ret = set_memory_decrypted(addr, call->pages);
	else
		ret = set_memory_encrypted(addr, call->pages);
	if (ret) {
		block->failed = true;
		return ret;
	}
	if (call->arg) {
		bitmap_set(block->shared, call->page, call->pages);
	} else {
		bitmap_clear(block->shared, call->page, call->pages);
		/* A successful retry makes the block usable again. */
		block->failed = block->failed && !bitmap_empty(block->shared, ST_BLOCK_PAGES);
	}
	return 0;
}

int st_block_map(const struct st_call *call)
{
	struct st_block *block = st_get(call->slot);
	pgprot_t prot = PAGE_KERNEL;
	struct page **pages;
	unsigned int i;

	if (!block || call->view == ST_DIRECT || call->view >= ST_NR_VIEWS)
		return -EINVAL;
	if (block->view[call->view])
		return -EBUSY;
	pages = kvmalloc_array(ST_BLOCK_PAGES, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < ST_BLOCK_PAGES; i++)
		pages[i] = block->page + i;
	if (call->view == ST_VMAP_SHARED)
		prot = pgprot_decrypted(prot);
	block->view[call->view] = vmap(pages, ST_BLOCK_PAGES, VM_MAP, prot);
	kvfree(pages);
	return block->view[call->view] ? 0 : -ENOMEM;
}

int st_block_unmap(const struct st_call *call)
{
	struct st_block *block = st_get(call->slot);

	if (!block || call->view == ST_DIRECT || call->view >= ST_NR_VIEWS)
		return -EINVAL;
	vunmap(block->view[call->view]);
	block->view[call->view] = NULL;
	return 0;
}

int st_block_fill(const struct st_call *call)
{
	unsigned int page, i;

	for (page = call->page; page < call->page + call->pages; page++) {
		u64 *p = st_word(call, page);

		if (!p)
			return -EINVAL;
		for (i = 0; i < ST_PAGE_WORDS; i++)
			WRITE_ONCE(p[i], st_pattern(call->arg, page, i));
	}
	return 0;
}

int st_block_match(struct st_call *call)
{
	unsigned int page;

	call->result = 0;
	for (page = call->page; page < call->page + call->pages; page++) {
		u64 *p = st_word(call, page);

		if (!p)
			return -EINVAL;
		call->result += READ_ONCE(*p) == st_pattern(call->arg, page, 0);
	}
	return 0;
}

int st_block_read(struct st_call *call)
{
	u64 *p = st_word(call, call->page), n;

	if (!p)
		return -EINVAL;
	for (n = 0; n < call->arg; n++)
		call->result = READ_ONCE(*p);
	return 0;
}

int st_block_address(struct st_call *call)
{
	struct st_block *block = st_get(call->slot);

	if (!block || !st_range_ok(call))
		return -EINVAL;
	call->result = (unsigned long)page_address(block->page) + call->page * PAGE_SIZE;
	return 0;
}

int st_block_phys(const struct st_call *call, phys_addr_t *phys)
{
	struct st_block *block = st_get(call->slot);

	if (!block || !st_range_ok(call))
		return -EINVAL;
	*phys = page_to_phys(block->page) + call->page * PAGE_SIZE;
	return 0;
}

int st_block_mmap(struct vm_area_struct *vma)
{
	struct st_block *block = st_get(vma->vm_pgoff / (2 * ST_BLOCK_PAGES));
	bool private = vma->vm_pgoff / ST_BLOCK_PAGES & 1;
	unsigned long size = vma->vm_end - vma->vm_start;
	pgprot_t prot = vma->vm_page_prot;

	if (!block || vma->vm_pgoff % ST_BLOCK_PAGES || size > ST_BLOCK_PAGES * PAGE_SIZE)
		return -EINVAL;
	if (!private)
		prot = pgprot_decrypted(prot);
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(block->page), size, prot);
}
