/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All code that depends on the kernel or the architecture. Features of a kernel are
 * detected by compiling probes/, never by its version.
 */

/*
 * Required options. probe.sh compiles the text before the first #include and prints
 * these sentences, because the kernel's headers may not compile without the options.
 */
#ifndef CONFIG_MMU
#error "ccshm needs a kernel with CONFIG_MMU: memory is mapped by page tables"
#endif
#ifndef CONFIG_ARCH_HAS_MEM_ENCRYPT
#error "ccshm needs a kernel with CONFIG_ARCH_HAS_MEM_ENCRYPT: it makes memory shared and private"
#endif
#ifndef CONFIG_DMA_SHARED_BUFFER
#error "ccshm needs a kernel with CONFIG_DMA_SHARED_BUFFER: exports are dma-bufs"
#endif
#ifndef CONFIG_NET
#error "ccshm needs a kernel with CONFIG_NET: it has a generic netlink family"
#endif
#ifndef CONFIG_PCI
#error "ccshm needs a kernel with CONFIG_PCI: attachments are for PCI devices"
#endif

#ifndef CCSHM_COMPAT_H
#define CCSHM_COMPAT_H

#include <linux/cc_platform.h>
#include <linux/cgroup.h>
#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <asm/pgtable.h>
#ifdef CONFIG_X86
#include <asm/cpufeature.h>
#include <asm/hypervisor.h>
#endif
#include <linux/ccshm.h>

#include "probed.h"

#if CCSHM_HAVE_PFN_T
#include <linux/pfn_t.h>
#endif
#if CCSHM_HAVE_USE_DMA_IOMMU
#include <linux/iommu-dma.h>
#endif

#if CCSHM_HAVE_IMPORT_NS_TOKEN
#define CCSHM_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#else
#define CCSHM_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#endif

static inline void ccshm_vm_flags_set(struct vm_area_struct *vma,
				      unsigned long flags)
{
#if CCSHM_HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static inline void ccshm_vm_flags_clear(struct vm_area_struct *vma,
					unsigned long flags)
{
#if CCSHM_HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/*
 * Return the id of the memory cgroup that the caller's allocations are charged to, 0 without
 * CONFIG_MEMCG. No function of memcontrol.c for this is exported to modules on every kernel.
 */
static inline u64 ccshm_memory_cgroup_id(void)
{
	u64 id = 0;

#ifdef CONFIG_MEMCG
	rcu_read_lock();
	id = cgroup_id(task_css(current, memory_cgrp_id)->cgroup);
	rcu_read_unlock();
#endif
	return id;
}

/* Return true if the importer is notified to unmap when its mappings become invalid. */
static inline bool ccshm_importer_is_notified(struct dma_buf_attachment *attach)
{
	const struct dma_buf_attach_ops *ops = attach->importer_ops;

#if CCSHM_HAVE_INVALIDATE_MAPPINGS
	return ops && ops->invalidate_mappings;
#else
	return ops && ops->move_notify;
#endif
}

/*
 * True if an importer that has pinned the buffer must also unmap when it is notified. With
 * invalidate_mappings, an importer that cannot do this does not set the callback; before, an
 * importer had to set move_notify in any case.
 */
#define CCSHM_PINNED_IMPORTERS_UNMAP	CCSHM_HAVE_INVALIDATE_MAPPINGS

/*
 * Return true if the dma-buf core pins the buffer for each mapping of the importer. The core
 * does this for static importers, and for all importers on kernels that have neither
 * dma_buf_invalidate_mappings() nor CONFIG_DMABUF_MOVE_NOTIFY.
 */
static inline bool ccshm_mapping_takes_pin(struct dma_buf_attachment *attach)
{
	return !attach->importer_ops ||
	       !(CCSHM_HAVE_INVALIDATE_MAPPINGS ||
		 IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY));
}

/* Notify every importer to unmap. The caller holds the reservation lock. */
static inline void ccshm_notify_importers(struct dma_buf *dmabuf)
{
#if CCSHM_HAVE_INVALIDATE_MAPPINGS
	dma_buf_invalidate_mappings(dmabuf);
#else
	dma_buf_move_notify(dmabuf);
#endif
}

static inline bool ccshm_dma_iommu(struct device *dev)
{
#if CCSHM_HAVE_USE_DMA_IOMMU
	return use_dma_iommu(dev);
#else
	return false;	/* the IOMMU layer sets dev->dma_ops */
#endif
}

/* Return the domain of a device, in a callback of iommu_group_for_each_dev(). */
static inline struct iommu_domain *ccshm_iommu_domain(struct device *dev)
{
#if CCSHM_HAVE_IOMMU_DRIVER_DOMAIN
	return iommu_driver_get_domain_for_dev(dev);
#else
	return iommu_get_domain_for_dev(dev);
#endif
}

/* Check whether a PCI device was removed and does not answer. */
static inline bool ccshm_pci_is_disconnected(struct pci_dev *pdev)
{
#if CCSHM_HAVE_PCI_DEV_IS_DISCONNECTED
	return pci_dev_is_disconnected(pdev);
#else
	return pdev->error_state == pci_channel_io_perm_failure;
#endif
}

/*
 * Without GENL_MCAST_CAP_SYS_ADMIN the kernel does not check which processes join a multicast
 * group: the family then has no group of events.
 */
#if CCSHM_HAVE_MCAST_CAPS
#define CCSHM_GROUPS		1
#define CCSHM_GROUP(n)		{ .name = (n), .flags = GENL_MCAST_CAP_SYS_ADMIN }
#else
#define CCSHM_GROUPS		0
#define CCSHM_GROUP(n)		{ .name = (n) }
#endif

/*
 * The kernel checks registered groups only: a process can join the number of a group before the
 * group is registered. Therefore check each listener again when sending, where the kernel
 * supports this.
 */
#define CCSHM_LISTENERS_FILTERED	CCSHM_HAVE_MULTICAST_FILTERED

/*
 * Send to the listeners in the initial network namespace, except those that @refuses refuses.
 * A macro, because <net/genetlink.h> is a third of what the compiler would read for each file.
 */
#if CCSHM_HAVE_MULTICAST_FILTERED
#define ccshm_multicast(family, skb, refuses)				\
	genlmsg_multicast_netns_filtered(family, &init_net, skb, 0, 0,	\
					 GFP_KERNEL, refuses, NULL)
#else
#define ccshm_multicast(family, skb, refuses)				\
	((void)(refuses),						\
	 genlmsg_multicast_netns(family, &init_net, skb, 0, 0, GFP_KERNEL))
#endif

#ifdef DMA_ATTR_CC_SHARED
#define CCSHM_ATTR_SHARED	DMA_ATTR_CC_SHARED
#define CCSHM_ATTR_KNOWN	true
#else
#define CCSHM_ATTR_SHARED	0
#define CCSHM_ATTR_KNOWN	false
#endif

/* Remove all entries of a VMA, whose mmap_lock is held for writing. */
static inline void ccshm_zap_vma(struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;

#if CCSHM_HAVE_ZAP_VMA_PTES
	zap_vma_ptes(vma, vma->vm_start, size);
#else
	zap_special_vma_range(vma, vma->vm_start, size);
#endif
}

typedef unsigned long (*ccshm_shrinker_fn)(struct shrinker *shrinker,
					   struct shrink_control *sc);

/* Register a shrinker whose objects are pages. Return NULL if there is no memory for it. */
static inline struct shrinker *ccshm_shrinker_register(const char *name,
						       ccshm_shrinker_fn count,
						       ccshm_shrinker_fn scan,
						       long batch)
{
	struct shrinker *shrinker;
	int err = 0;

#if CCSHM_HAVE_SHRINKER_ALLOC
	shrinker = shrinker_alloc(0, "%s", name);
#else
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#endif
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	shrinker->batch = batch;
#if CCSHM_HAVE_SHRINKER_ALLOC
	shrinker_register(shrinker);
#elif CCSHM_HAVE_SHRINKER_NAME
	err = register_shrinker(shrinker, "%s", name);
#else
	err = register_shrinker(shrinker);
#endif
	if (!err)
		return shrinker;
	kfree(shrinker);
	return NULL;
}

static inline void ccshm_shrinker_unregister(struct shrinker *shrinker)
{
#if CCSHM_HAVE_SHRINKER_ALLOC
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
}

/*
 * User mappings of 2 MiB need pmd_special(): on kernels without it, fast GUP pins the pages of
 * a huge PFN mapping of RAM.
 */
#if CCSHM_HAVE_PMD_SPECIAL && defined(CONFIG_TRANSPARENT_HUGEPAGE)
#define CCSHM_HUGE_MAPPINGS	true
#define CCSHM_HUGE_FAULT_OP(fn)	.huge_fault = (fn),
/*
 * If a page table is present, return VM_FAULT_FALLBACK: vmf_insert_pfn_pmd() prints a
 * warning if it is called with write = true in this case. This can happen if the
 * process disables large pages (PR_SET_THP_DISABLE) during the fault. If no entry is
 * present, write = false is sufficient: the new entry has the protection of the VMA.
 * A leaf that is present needs write = true to become dirty and writable.
 */
static inline vm_fault_t ccshm_insert_pfn_pmd(struct vm_fault *vmf,
					      unsigned long pfn)
{
	pmd_t pmd = READ_ONCE(*vmf->pmd);
	bool write = vmf->flags & FAULT_FLAG_WRITE && !pmd_none(pmd);

	if (!pmd_none(pmd) && !pmd_leaf(pmd))
		return VM_FAULT_FALLBACK;
#if CCSHM_HAVE_PFN_T
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, 0), write);
#else
	return vmf_insert_pfn_pmd(vmf, pfn, write);
#endif
}
#else
#define CCSHM_HUGE_MAPPINGS	false
#define CCSHM_HUGE_FAULT_OP(fn)
static inline vm_fault_t ccshm_insert_pfn_pmd(struct vm_fault *vmf,
					      unsigned long pfn)
{
	return VM_FAULT_FALLBACK;
}
#endif

#if defined(CONFIG_X86_64)

#define CCSHM_LEAF_VALID	_PAGE_PRESENT

/*
 * Return the size of the leaf of the direct map that maps @addr, and its entry in @value;
 * return 0 if there is none.
 */
static inline unsigned long ccshm_direct_map_leaf(unsigned long addr, u64 *value)
{
	unsigned int level;
	pte_t *pte = lookup_address(addr, &level);

	if (!pte)
		return 0;
	*value = pte_val(READ_ONCE(*pte));
	return page_level_size(level);
}

/*
 * Return true if the host can read what converted pages contained, as with VBS isolation. On
 * other Hyper-V guests the only effect is redundant zeroing.
 */
static inline bool ccshm_contents_survive(void)
{
	return hypervisor_is_type(X86_HYPER_MS_HYPERV);
}

static inline enum ccshm_platform ccshm_detect_platform(void)
{
	if (!cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return CCSHM_PLATFORM_NONE;
	if (boot_cpu_has(X86_FEATURE_TDX_GUEST))
		return CCSHM_PLATFORM_TDX;
	if (cc_platform_has(CC_ATTR_GUEST_SEV_SNP))
		return CCSHM_PLATFORM_SEV_SNP;
	if (cc_platform_has(CC_ATTR_GUEST_STATE_ENCRYPT))
		return CCSHM_PLATFORM_SEV_ES;
	return CCSHM_PLATFORM_SEV;
}

#elif defined(CONFIG_ARM64)

#define CCSHM_LEAF_VALID	PTE_VALID

/*
 * Return the kernel's page table by the CPU's register, because init_mm is not exported to
 * modules. The table is aligned to a page: the bits below hold flags, the upper bits of a
 * 52 bit address, and an offset if the kernel supports larger addresses than the CPU.
 */
static inline pgd_t *ccshm_kernel_pgd(void)
{
	u64 ttbr = read_sysreg(ttbr1_el1);
	phys_addr_t phys = ttbr & GENMASK_ULL(47, PAGE_SHIFT);

	if (IS_ENABLED(CONFIG_ARM64_PA_BITS_52))
		phys |= (ttbr & GENMASK_ULL(5, 2)) << 46;
	return phys_to_virt(phys);
}

/*
 * Return the size of the leaf of the direct map that maps @addr, and its entry in @value;
 * return 0 if there is none. An entry that a refused conversion left invalid also counts as
 * a leaf. lookup_address() is not exported to modules on arm64.
 */
static inline unsigned long ccshm_direct_map_leaf(unsigned long addr, u64 *value)
{
	p4d_t *p4d = p4d_offset(pgd_offset_pgd(ccshm_kernel_pgd(), addr), addr);
	pud_t *pud, pud_now;
	pmd_t *pmd, pmd_now;

	if (p4d_none(READ_ONCE(*p4d)))
		return 0;
	pud = pud_offset(p4d, addr);
	pud_now = READ_ONCE(*pud);
	*value = pud_val(pud_now);
	if (!pud_table(pud_now))
		return *value ? PUD_SIZE : 0;
	pmd = pmd_offset(pud, addr);
	pmd_now = READ_ONCE(*pmd);
	*value = pmd_val(pmd_now);
	if (!pmd_table(pmd_now))
		return *value ? PMD_SIZE : 0;
	*value = pte_val(READ_ONCE(*pte_offset_kernel(pmd, addr)));
	return *value ? PAGE_SIZE : 0;
}

static inline bool ccshm_contents_survive(void)
{
	return false;
}

/* Detect a Realm by CC_ATTR_MEM_ENCRYPT: arm64 got CC_ATTR_GUEST_MEM_ENCRYPT later than Realms. */
static inline enum ccshm_platform ccshm_detect_platform(void)
{
	return cc_platform_has(CC_ATTR_MEM_ENCRYPT) ? CCSHM_PLATFORM_CCA :
						      CCSHM_PLATFORM_NONE;
}

#else
#error "ccshm is for x86-64 and arm64"
#endif

/* Return true if one leaf of the direct map covers all 2 MiB around @addr. */
static inline bool ccshm_leaf_is_whole(unsigned long addr)
{
	u64 value;

	return ccshm_direct_map_leaf(addr, &value) >= SZ_2M;
}

/*
 * Return the bits of a direct map entry that differ between shared and private; 0 if there
 * are none. PAGE_KERNEL is private; pgprot_encrypted() is not available to modules.
 */
static inline u64 ccshm_state_mask(void)
{
	return pgprot_val(PAGE_KERNEL) ^
	       pgprot_val(pgprot_decrypted(PAGE_KERNEL));
}

static inline bool ccshm_page_states_known(void)
{
	return ccshm_state_mask();
}

/* Return the state of the page at @addr according to the direct map. */
static inline enum ccshm_page_state ccshm_page_state(unsigned long addr)
{
	u64 mask = ccshm_state_mask(), value;

	if (!mask || !ccshm_direct_map_leaf(addr, &value) ||
	    !(value & CCSHM_LEAF_VALID))
		return CCSHM_PAGE_UNKNOWN;
	return (value ^ pgprot_val(PAGE_KERNEL)) & mask ? CCSHM_PAGE_SHARED :
							  CCSHM_PAGE_PRIVATE;
}

#endif /* CCSHM_COMPAT_H */
