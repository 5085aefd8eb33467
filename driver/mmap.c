// SPDX-License-Identifier: GPL-2.0-only
/* CPU mappings of an export: of user space, by faults, and of the kernel, by vmap. */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/personality.h>
#include <linux/vmalloc.h>

#include "ccshm.h"
#include "trace.h"

static unsigned long fault_index(struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/*
 * Insert the pages of a range that no fault has inserted yet. Compute the protection each
 * time: mprotect() can have removed the bit of shared memory from vm_page_prot.
 */
static vm_fault_t insert_pages(struct ccshm_export *export,
			       struct vm_area_struct *vma, unsigned long addr,
			       unsigned long pages)
{
	pgprot_t prot = pgprot_decrypted(vma->vm_page_prot);
	unsigned long index = export->first + fault_index(vma, addr);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	while (pages && ret == VM_FAULT_NOPAGE) {
		unsigned long run, pfn;

		pfn = ccshm_memory_pfn(&export->obj.buffer->memory, index, &run);
		run = min(run, pages);
		pages -= run;
		index += run;
		for (; run && ret == VM_FAULT_NOPAGE; run--, addr += PAGE_SIZE)
			ret = vmf_insert_pfn_prot(vma, addr, pfn++, prot);
	}
	return ret;
}

/*
 * Insert the page of a fault, then the other pages of the 2 MiB around it: a program that
 * maps a buffer at any address takes one fault for each 2 MiB. They share a page table
 * with the page, so that nothing more is allocated. One that is not inserted here has a
 * fault of its own.
 */
static vm_fault_t fault_pages(struct ccshm_export *export, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = ALIGN_DOWN(vmf->address, CCSHM_UNIT_SIZE);
	unsigned long end = min(addr + CCSHM_UNIT_SIZE, vma->vm_end);
	vm_fault_t ret;

	if (fault_index(vma, vmf->address) >= export->pages)
		return VM_FAULT_SIGBUS;
	ret = insert_pages(export, vma, vmf->address, 1);
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	addr = max(addr, vma->vm_start);
	insert_pages(export, vma, addr,
		     min((end - addr) >> PAGE_SHIFT,
			 export->pages - fault_index(vma, addr)));
	return VM_FAULT_NOPAGE;
}

/* End a fault that may have inserted @size bytes. If it is late, remove them. */
static vm_fault_t fault_end(struct ccshm_export *export, struct vm_fault *vmf,
			    unsigned long size, vm_fault_t ret)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start;

	if (ccshm_export_leave_fault(export))
		return ret;
	start = max(vmf->address & ~(size - 1), vma->vm_start);
	unmap_mapping_range(vma->vm_file->f_mapping,
			    (loff_t)fault_index(vma, start) << PAGE_SHIFT, size, 1);
	ccshm_export_end_late_fault(export);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t mapping_fault(struct vm_fault *vmf)
{
	struct ccshm_export *export = vmf->vma->vm_private_data;

	if (!ccshm_export_enter_fault(export))
		return VM_FAULT_SIGBUS;
	return fault_end(export, vmf, CCSHM_UNIT_SIZE, fault_pages(export, vmf));
}

/* Insert 2 MiB, if they are naturally aligned, in one block, and all in the VMA and slice. */
static vm_fault_t fault_huge(struct ccshm_export *export, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long addr = vmf->address & PMD_MASK;
	unsigned long index, pfn, run;

	if (addr < vma->vm_start || addr + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	index = fault_index(vma, addr);
	if (index + CCSHM_UNIT_PAGES > export->pages)
		return VM_FAULT_FALLBACK;
	pfn = ccshm_memory_pfn(&export->obj.buffer->memory, export->first + index,
			       &run);
	if (run < CCSHM_UNIT_PAGES || !IS_ALIGNED(pfn, CCSHM_UNIT_PAGES))
		return VM_FAULT_FALLBACK;
	/* vmf_insert_pfn_pmd() takes no protection: it uses that of the VMA. */
	if (pgprot_val(vma->vm_page_prot) !=
	    pgprot_val(pgprot_decrypted(vma->vm_page_prot)))
		return VM_FAULT_FALLBACK;
	return ccshm_insert_pfn_pmd(vmf, pfn);
}

static vm_fault_t __maybe_unused mapping_huge_fault(struct vm_fault *vmf,
						    unsigned int order)
{
	struct ccshm_export *export = vmf->vma->vm_private_data;

	/* With pages of more than 4 KiB, a PMD covers more than a unit. */
	if (order != CCSHM_UNIT_ORDER)
		return VM_FAULT_FALLBACK;
	if (!ccshm_export_enter_fault(export))
		return VM_FAULT_SIGBUS;
	return fault_end(export, vmf, PMD_SIZE, fault_huge(export, vmf));
}

/*
 * Leave no 2 MiB entry for fork() to copy or for mremap() to move to @vma, a new VMA.
 * A revoke takes no mmap_lock, and misses an entry that passes from one VMA to the
 * other while unmap_mapping_range() is between the two:
 *
 * - copy_huge_pmd() reads the parent's special PMD without a lock, and installs that
 *   value in the child without reading it again.
 * - move_huge_pmd() clears the old PMD and then sets the new one, under page table
 *   locks, but (other than for a table of 4 KiB entries) without i_mmap_rwsem.
 *   zap_pmd_range() reads a PMD without a lock, and skips it if it is none: between
 *   these two steps both PMDs are none.
 *
 * (copy_pte_range() and move_ptes() read and install under both page table locks, which
 * zap_pte_range() takes: 4 KiB entries are safe.)
 *
 * dup_mmap() and move_vma() have the mmap_lock of the old VMA for writing, and do for
 * each VMA in this order: vma_start_write() of the old VMA, which waits for faults
 * that hold the VMA's own lock and keeps new ones out until mmap_lock is released;
 * vm_ops->open(), which calls this; the new VMA enters the inode's list;
 * copy_page_range() or move_page_tables(). Entries of these VMAs are made in faults
 * only, so that these find none. Later accesses fault them in again, and enter the
 * export for this.
 *
 * For fork, zap the parent's VMA only: dup_mmap() does not look at signals, and with all
 * mappings of the dma-buf its time would grow with the square of their number. The
 * old VMA of mremap() is not known here.
 */
static void zap_before_copy(struct vm_area_struct *vma)
{
	struct vm_area_struct *there = vma_lookup(vma->vm_mm, vma->vm_start);
	struct vm_area_struct *parent = NULL;

	/*
	 * A VMA that results from a split shares the page tables of the one around it.
	 * (During fork, the tree of the child can still contain VMAs of the parent.)
	 */
	if (there && there != vma && there->vm_mm == vma->vm_mm)
		return;
	if (vma->vm_mm != current->mm)
		parent = vma_lookup(current->mm, vma->vm_start);
	if (parent && parent->vm_private_data == vma->vm_private_data)
		ccshm_zap_vma(parent);
	else
		unmap_mapping_range(vma->vm_file->f_mapping,
				    (loff_t)vma->vm_pgoff << PAGE_SHIFT,
				    vma->vm_end - vma->vm_start, 1);
}

static void mapping_open(struct vm_area_struct *vma)
{
	struct ccshm_export *export = vma->vm_private_data;

	atomic_inc(&export->cpu_mappings);
	if (CCSHM_HUGE_MAPPINGS)
		zap_before_copy(vma);
}

static void mapping_close(struct vm_area_struct *vma)
{
	struct ccshm_export *export = vma->vm_private_data;

	atomic_dec(&export->cpu_mappings);
}

static const struct vm_operations_struct mapping_ops = {
	.open = mapping_open,
	.close = mapping_close,
	.fault = mapping_fault,
	CCSHM_HUGE_FAULT_OP(mapping_huge_fault)
};

/* Check the request for a CPU mapping. */
static int mapping_validate(struct ccshm_export *export, struct vm_area_struct *vma)
{
	/* VM_SHARED is cleared for a file that was opened read-only. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (export->flags & CCSHM_EXPORT_NO_CPU)
		return -EACCES;
	if (export->flags & CCSHM_EXPORT_READ_ONLY && vma->vm_flags & VM_WRITE)
		return -EACCES;
	/*
	 * The host can write this memory: never execute it. do_mmap() adds VM_EXEC to
	 * VM_READ for a process with READ_IMPLIES_EXEC, which did not request it: make
	 * the mapping, without VM_EXEC.
	 */
	if (vma->vm_flags & VM_EXEC && !(vma->vm_flags & VM_READ &&
					 current->personality & READ_IMPLIES_EXEC))
		return -EACCES;
	return 0;
}

/*
 * Set up a VMA. Insert no page: the VMA is not on the inode's list yet, so a revoke would
 * not find it. VM_PFNMAP and VM_IO prevent GUP from pinning pages.
 */
static int mmap_export(struct ccshm_export *export, struct vm_area_struct *vma)
{
	int err = mapping_validate(export, vma);

	if (err)
		return err;
	/* Release the lock at once: faults take it below the lock of the VMA. */
	if (!ccshm_export_enter(export))
		return -ENODEV;
	ccshm_export_leave(export);

	if (export->flags & CCSHM_EXPORT_READ_ONLY)
		ccshm_vm_flags_clear(vma, VM_MAYWRITE);
	/* Without VM_MAYEXEC mprotect() refuses PROT_EXEC, and does not add it itself. */
	ccshm_vm_flags_clear(vma, VM_EXEC | VM_MAYEXEC);
	ccshm_vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_decrypted(vm_get_page_prot(vma->vm_flags));
	vma->vm_private_data = export;
	vma->vm_ops = &mapping_ops;
	atomic_inc(&export->cpu_mappings);
	return 0;
}

int ccshm_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct ccshm_export *export = dmabuf->priv;
	int err = mmap_export(export, vma);

	trace_ccshm_map(&export->obj, vma->vm_end - vma->vm_start, NULL, "cpu",
			err);
	return err;
}

static void *vmap_pages(struct ccshm_export *export)
{
	unsigned long i = 0, pfn, run;
	struct page **pages;
	void *addr;

	pages = kvmalloc_array(export->pages, sizeof(*pages),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return NULL;
	while (i < export->pages) {
		pfn = ccshm_memory_pfn(&export->obj.buffer->memory,
				       export->first + i, &run);
		for (run = min(run, export->pages - i); run; run--)
			pages[i++] = pfn_to_page(pfn++);
		cond_resched();
	}
	addr = vmap(pages, export->pages, VM_MAP, pgprot_decrypted(PAGE_KERNEL));
	kvfree(pages);
	return addr;
}

static int vmap_slice(struct ccshm_export *export, void **addr)
{
	*addr = vmap_pages(export);
	if (!*addr)
		return -ENOMEM;
	if (ccshm_export_is_active(export))
		return 0;
	/* The export was revoked meanwhile; the revoke waits for the count. */
	vunmap(*addr);
	return -ENODEV;
}

/*
 * Map an export for the kernel. The mapping cannot be removed by a revoke, so it is counted
 * as a device mapping is. Allocate nothing under the lock: a revoke, and the faults after
 * it, would wait for that.
 *
 * If a driver requests a mapping after the revoke, the dma-buf core warns once, because it
 * does not expect an error. The operation cannot be removed from the table instead: on 6.1
 * dma_buf_vmap() reads the table twice without a lock.
 */
int ccshm_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct ccshm_export *export = dmabuf->priv;
	void *addr;
	int err;

	if (!ccshm_export_enter(export))
		return -ENODEV;
	ccshm_export_hold(export);
	ccshm_export_leave(export);
	err = vmap_slice(export, &addr);
	trace_ccshm_map(&export->obj, (u64)export->pages << PAGE_SHIFT, NULL,
			"kernel", err);
	if (err) {
		ccshm_export_unhold(export);
		return err;
	}
	iosys_map_set_vaddr(map, addr);
	return 0;
}

void ccshm_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
	ccshm_export_unhold(dmabuf->priv);
}
