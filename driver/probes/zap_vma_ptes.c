// SPDX-License-Identifier: GPL-2.0-only
/* zap_vma_ptes() exists; newer kernels call it zap_special_vma_range(). */
#include <linux/mm.h>

void probe(struct vm_area_struct *vma);
void probe(struct vm_area_struct *vma)
{
	zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
}
