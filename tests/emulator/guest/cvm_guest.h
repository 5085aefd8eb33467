/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's interface to the confidential-VM emulator, for kernel modules and programs; it
 * needs no driver. Outside the emulator, call only cvm_flavour() and cvm_present(): the other
 * functions execute VMMCALL, which is an undefined instruction there. (On arm64 all functions
 * read CTR_EL0, which is harmless outside the emulator.)
 */
#ifndef CVM_GUEST_H
#define CVM_GUEST_H

#include <linux/types.h>

enum cvm_flavour { CVM_PLAIN, CVM_SEV, CVM_TDX, CVM_CCA, CVM_SNP };

/* The emulator's counters. */
enum cvm_counter {
	CVM_HC_SHARED,			/* calls to share pages: hypercall, MapGPA, RSI, PSC */
	CVM_HC_PRIVATE,			/* calls to make pages private */
	CVM_PAGES_TO_SHARED,		/* 4 KiB pages that changed state */
	CVM_PAGES_TO_PRIVATE,
	CVM_ACCEPTS,			/* TDG.MEM.PAGE.ACCEPT calls */
	CVM_PAGES_SHARED,		/* pages that are shared now */
	CVM_VIOL_PRIVATE_ALIAS,		/* accesses to the private view of a shared page */
	CVM_VIOL_SHARED_ALIAS,		/* accesses to the shared view of a private page */
	CVM_CONV_FAILED,		/* conversions refused on request */
	CVM_EXITS,			/* VM exits so far */
	CVM_STRAY_DMA,			/* CCA: pages that a device wrote at a wrong address */
	CVM_VMGEXITS,			/* SNP: calls of the hypervisor */
	CVM_PSC_4K,			/* SNP: entries of page state changes, by size */
	CVM_PSC_2M,
	CVM_PVALIDATE_4K,		/* SNP: PVALIDATE instructions, by size */
	CVM_PVALIDATE_2M,
	CVM_PVALIDATE_MISMATCH,		/* SNP: PVALIDATE of 2 MiB on an RMP entry of 4 KiB */
	CVM_VIOL_UNVALIDATED,		/* SNP: accesses to pages that are not validated */
	CVM_VIOL_PVALIDATE,		/* SNP: wrong PVALIDATE instructions */
	CVM_VIOL_UNRESCINDED,		/* SNP: validated pages that became shared */
	CVM_RETRIES,			/* TDX: MapGPA calls that were answered with RETRY */
	CVM_VIOL_MMIO,			/* x86: accesses to devices by the private view */
	CVM_REDELIVERED,		/* x86: events that were injected again */
	CVM_FLIPS,			/* words that the host has changed on request */
	CVM_FLIP_TARGETS,		/* pages in which the host changes words now */
	CVM_NR_COUNTERS,
};

/* Trap modes. */
#define CVM_MODE_PRIVATE_ALIAS	1u	/* trap private views of shared pages, devices (x86) */
#define CVM_MODE_SHARED_ALIAS	2u	/* trap the shared view of private pages */
#define CVM_MODE_STEP		4u	/* count each access, not only a page's first */
#define CVM_MODE_SCRAMBLE	8u	/* a conversion fills the new view with garbage */
#define CVM_MODE_ABORT		16u	/* CCA: trapped accesses end in an external abort */
#define CVM_MODE_ZERO		32u	/* CCA: going private zeroes the shared view */
#ifdef __aarch64__
#define CVM_MODE_ALL		63u
#else
#define CVM_MODE_ALL		15u
#endif

/* What cvm_fail() refuses. */
#define CVM_FAIL_SHARED		1u
#define CVM_FAIL_PRIVATE	2u
#define CVM_FAIL_ACCEPT		4u	/* TDX: the acceptance of a page; alone */

/* For cvm_retry(): continue at an address outside of the range. */
#define CVM_RETRY_OUTSIDE	(~0ull)

enum cvm_call {
	CVM_CALL_COUNTER,		/* (enum cvm_counter) */
	CVM_CALL_SET_MODE,		/* (mode): returns the old mode */
	CVM_CALL_REARM,
	CVM_CALL_RESET,
	CVM_CALL_PAGE,			/* (gpa): 0 private, 1 shared */
	CVM_CALL_FAIL,			/* (directions, skip, count) */
	CVM_CALL_MARK,			/* (text): eight characters per argument */
	CVM_CALL_IDENTITY,		/* CCA: returns CVM_IDENTITY */
	CVM_CALL_LEAF,			/* CCA: (virtual address of the kernel) */
	CVM_CALL_CHUNK,			/* CCA: (pages) */
	CVM_CALL_RETRY,			/* TDX: (skip, count, pages) */
	CVM_CALL_FLIP,			/* (seed, words) */
	CVM_CALL_FLIP_END,
};

/* CVM_CALL_LEAF returns the size of the entry in bytes (0: not mapped), and this flag: */
#define CVM_LEAF_SHARED		1u	/* the entry has the shared bit */

/* The magic number in RAX or X0: "CVM" and a version, distinct from KVM's hypercall numbers. */
#define CVM_MAGIC		0x43564d01u
#define CVM_ERROR		(~0ull)

/* The result of CVM_CALL_IDENTITY in X0: "ccsh-cvm". */
#define CVM_IDENTITY		0x6d76632d68736363ull

/* The emulator's CPUID leaves, in the range of a second hypervisor. */
#define CVM_CPUID_BASE		0x40000100u
#define CVM_CPUID_FLAVOUR	0x40000101u
#define CVM_CPUID_EBX		0x68736363u	/* "ccsh" */
#define CVM_CPUID_ECX		0x6d76632du	/* "-cvm" */
#define CVM_CPUID_EDX		0x756d652du	/* "-emu" */

#ifndef CVM_NO_CALLS

#ifdef __aarch64__

/* Call the emulator. Outside the emulator the function returns the value of CTR_EL0. */
static inline __u64 cvm_call(enum cvm_call call, __u64 a1, __u64 a2, __u64 a3)
{
	register __u64 x0 __asm__("x0") = CVM_MAGIC;
	register __u64 x1 __asm__("x1") = call;
	register __u64 x2 __asm__("x2") = a1;
	register __u64 x3 __asm__("x3") = a2;
	register __u64 x4 __asm__("x4") = a3;

	__asm__ volatile("mrs x0, ctr_el0"
			 : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}

static inline enum cvm_flavour cvm_flavour(void)
{
	return cvm_call(CVM_CALL_IDENTITY, 0, 0, 0) == CVM_IDENTITY ? CVM_CCA : CVM_PLAIN;
}

#else

static inline enum cvm_flavour cvm_flavour(void)
{
	__u32 a = CVM_CPUID_BASE, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (b != CVM_CPUID_EBX || c != CVM_CPUID_ECX || d != CVM_CPUID_EDX)
		return CVM_PLAIN;
	a = CVM_CPUID_FLAVOUR;
	c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (enum cvm_flavour)b;
}

static inline __u64 cvm_call(enum cvm_call call, __u64 a1, __u64 a2, __u64 a3)
{
	__u64 ret = CVM_MAGIC;

	/* Pass the call in RDI, because KVM's hypercalls use RBX. */
	__asm__ volatile("vmmcall"
			 : "+a"(ret)
			 : "D"((__u64)call), "S"(a1), "d"(a2), "c"(a3)
			 : "memory");
	return ret;
}

#endif

static inline int cvm_present(void)
{
	return cvm_flavour() != CVM_PLAIN;
}

static inline __u64 cvm_counter(enum cvm_counter counter)
{
	return cvm_call(CVM_CALL_COUNTER, counter, 0, 0);
}

/* Set the trap mode and arm the traps of all pages accordingly. Return the old mode. */
static inline unsigned int cvm_set_mode(unsigned int mode)
{
	return (unsigned int)cvm_call(CVM_CALL_SET_MODE, mode, 0, 0);
}

/* Arm the traps again that counted accesses have opened. */
static inline void cvm_rearm(void)
{
	cvm_call(CVM_CALL_REARM, 0, 0, 0);
}

/* Zero all counters except CVM_PAGES_SHARED and CVM_FLIP_TARGETS. */
static inline void cvm_reset(void)
{
	cvm_call(CVM_CALL_RESET, 0, 0, 0);
}

/*
 * Return 1 if the page is shared, 0 if it is private, -1 if it is not guest RAM. The view bit
 * of @gpa is ignored.
 */
static inline int cvm_page_state(__u64 gpa)
{
	return (int)cvm_call(CVM_CALL_PAGE, gpa, 0, 0);
}

/*
 * Refuse @count conversions after @skip successful ones; in SNP entries of page state
 * changes, after which the kernel ends the guest. With CVM_FAIL_ACCEPT, refuse @count times to
 * accept a page that is number @skip in its 2 MiB. Return -1 if this flavour's host cannot refuse
 * this.
 */
static inline __attribute__((warn_unused_result)) int
cvm_fail(unsigned int directions, __u64 skip, __u64 count)
{
	return cvm_call(CVM_CALL_FAIL, directions, skip, count) == CVM_ERROR ? -1 : 0;
}

/*
 * Return how the kernel maps @address (CCA): the size of the entry, with CVM_LEAF_SHARED if
 * it is shared, or 0 if the address is not mapped. Return -1 in other flavours.
 */
static inline __s64 cvm_leaf(__u64 address)
{
	return (__s64)cvm_call(CVM_CALL_LEAF, address, 0, 0);
}

/*
 * Limit the pages that the host converts per call; 0: no limit (CCA). Return -1 in other
 * flavours.
 */
static inline __attribute__((warn_unused_result)) int
cvm_chunk(__u64 pages)
{
	return cvm_call(CVM_CALL_CHUNK, pages, 0, 0) == CVM_ERROR ? -1 : 0;
}

/*
 * Answer @count conversions of more than @pages pages with RETRY, after @skip others (TDX):
 * the host converts the first @pages pages, and the guest has to continue after them. With 0
 * pages the guest has to repeat the call; Linux gives up after three such answers in a row.
 * With CVM_RETRY_OUTSIDE nothing is converted, and the address to continue at is outside of
 * the range. To refuse what follows the converted part, also call cvm_fail(). Return -1 in
 * other flavours.
 */
static inline __attribute__((warn_unused_result)) int
cvm_retry(__u64 skip, __u64 count, __u64 pages)
{
	return cvm_call(CVM_CALL_RETRY, skip, count, pages) == CVM_ERROR ? -1 : 0;
}

/*
 * Let the host change @words words at each exit of the guest, in pages that the guest shares from
 * now on; pages that are shared already, such as those of the kernel, do not change. Each call of
 * the emulator is an exit, so a process that makes calls at random times attacks the others.
 * The changes after the same @seed are the same for the same pages. If words are changed
 * already, only the seed and the number change. Return -1 for more than 4096 words.
 */
static inline __attribute__((warn_unused_result)) int
cvm_flip(__u64 seed, __u64 words)
{
	return cvm_call(CVM_CALL_FLIP, seed, words, 0) == CVM_ERROR ? -1 : 0;
}

/* Change no words any more. */
static inline void cvm_flip_end(void)
{
	cvm_call(CVM_CALL_FLIP_END, 0, 0, 0);
}

/* Write a line to the emulator's log. */
static inline void cvm_mark(const char *text)
{
	int end = 0;

	while (!end) {
		__u64 w[3] = { 0, 0, 0 };
		int i;

		/* A call with less than 24 characters is the last one. */
		for (i = 0; i < 24 && *text; i++)
			w[i / 8] |= (__u64)(unsigned char)*text++ << (i % 8 * 8);
		end = i < 24;
		cvm_call(CVM_CALL_MARK, w[0], w[1], w[2]);
	}
}

#endif /* CVM_NO_CALLS */
#endif
