/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to the confidential-VM emulator from inside the guest: kernel modules and
 * programs alike, no driver needed. Outside the emulator only cvm_flavour() and
 * cvm_present() may be called: the rest is a VMMCALL, an undefined instruction there
 * (on arm64: a read of CTR_EL0, which traps to the emulator, and without it says nothing).
 */
#ifndef CVM_GUEST_H
#define CVM_GUEST_H

#include <linux/types.h>

enum cvm_flavour { CVM_PLAIN, CVM_SEV, CVM_TDX, CVM_CCA };

/* What the emulator counts. */
enum cvm_counter {
	CVM_HC_SHARED,			/* page-state calls to shared: hypercall, MapGPA, RSI */
	CVM_HC_PRIVATE,			/* ... to private */
	CVM_PAGES_TO_SHARED,		/* 4 KiB pages that changed state */
	CVM_PAGES_TO_PRIVATE,
	CVM_ACCEPTS,			/* TDG.MEM.PAGE.ACCEPT calls */
	CVM_PAGES_SHARED,		/* pages that are shared now */
	CVM_VIOL_PRIVATE_ALIAS,		/* accesses to the private view of a shared page */
	CVM_VIOL_SHARED_ALIAS,		/* accesses to the shared view of a private page */
	CVM_CONV_FAILED,		/* conversions refused on request */
	CVM_EXITS,			/* VM exits so far */
	CVM_STRAY_DMA,			/* CCA: pages that a device wrote at a wrong address */
	CVM_NR_COUNTERS,
};

/* Trap modes. */
#define CVM_MODE_PRIVATE_ALIAS	1u	/* trap the private view of shared pages */
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

/* Directions for cvm_fail(). */
#define CVM_FAIL_SHARED		1u
#define CVM_FAIL_PRIVATE	2u

enum cvm_call {
	CVM_CALL_COUNTER,		/* (enum cvm_counter) */
	CVM_CALL_SET_MODE,		/* (mode): the old one */
	CVM_CALL_REARM,
	CVM_CALL_RESET,
	CVM_CALL_PAGE,			/* (gpa): 0 private, 1 shared */
	CVM_CALL_FAIL,			/* (directions, skip, count) */
	CVM_CALL_MARK,			/* eight characters in an argument, three at a time */
	CVM_CALL_IDENTITY,		/* CCA: CVM_IDENTITY */
	CVM_CALL_LEAF,			/* CCA: (virtual address of the kernel) */
	CVM_CALL_CHUNK,			/* CCA: (pages) */
	CVM_CALL_PARTIAL,		/* TDX: (pages) */
};

/* What CVM_CALL_LEAF answers: the bytes that the entry maps, 0 if there is none, and */
#define CVM_LEAF_SHARED		1u	/* it has the shared bit */

/* In RAX or X0: far from KVM's own hypercall numbers, "CVM" and a version. */
#define CVM_MAGIC		0x43564d01u
#define CVM_ERROR		(~0ull)

/* In X0, after a call with nothing but the magic number and its own: "ccsh-cvm". */
#define CVM_IDENTITY		0x6d76632d68736363ull

/* The emulator's own CPUID leaves, in the range of a second hypervisor. */
#define CVM_CPUID_BASE		0x40000100u
#define CVM_CPUID_FLAVOUR	0x40000101u
#define CVM_CPUID_EBX		0x68736363u	/* "ccsh" */
#define CVM_CPUID_ECX		0x6d76632du	/* "-cvm" */
#define CVM_CPUID_EDX		0x756d652du	/* "-emu" */

#ifndef CVM_NO_CALLS

#ifdef __aarch64__

/* Outside the emulator X0 becomes what CTR_EL0 holds. */
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

	/* The call goes in RDI and not in RBX, which KVM's hypercalls use. */
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

/* Sets the trap mode and arms all pages accordingly; returns the old mode. */
static inline unsigned int cvm_set_mode(unsigned int mode)
{
	return (unsigned int)cvm_call(CVM_CALL_SET_MODE, mode, 0, 0);
}

/* Closes again what a counted access has opened. */
static inline void cvm_rearm(void)
{
	cvm_call(CVM_CALL_REARM, 0, 0, 0);
}

/* Zeroes all counters but the pages that are shared now. */
static inline void cvm_reset(void)
{
	cvm_call(CVM_CALL_RESET, 0, 0, 0);
}

/* 1: shared, 0: private, -1: no guest RAM. The address bit of the view is ignored. */
static inline int cvm_page_state(__u64 gpa)
{
	return (int)cvm_call(CVM_CALL_PAGE, gpa, 0, 0);
}

/* Refuse conversions: let skip pass, then refuse count. -1 where guests cannot take it (SEV). */
static inline int cvm_fail(unsigned int directions, __u64 skip, __u64 count)
{
	return cvm_call(CVM_CALL_FAIL, directions, skip, count) == CVM_ERROR ? -1 : 0;
}

/*
 * How the kernel maps one of its addresses (CCA): the size of the entry, with
 * CVM_LEAF_SHARED; 0: not at all. -1 in other flavours.
 */
static inline __s64 cvm_leaf(__u64 address)
{
	return (__s64)cvm_call(CVM_CALL_LEAF, address, 0, 0);
}

/* The host converts at most so many pages a call, 0: any number (CCA). -1 in other flavours. */
static inline int cvm_chunk(__u64 pages)
{
	return cvm_call(CVM_CALL_CHUNK, pages, 0, 0) == CVM_ERROR ? -1 : 0;
}

/*
 * A conversion that cvm_fail() refuses converts so many pages first, answers that the rest
 * is to be retried, and refuses that (TDX). 0: none. -1 in other flavours.
 */
static inline int cvm_partial(__u64 pages)
{
	return cvm_call(CVM_CALL_PARTIAL, pages, 0, 0) == CVM_ERROR ? -1 : 0;
}

/* A line in the emulator's log. */
static inline void cvm_mark(const char *text)
{
	int end = 0;

	while (!end) {
		__u64 w[3] = { 0, 0, 0 };
		int i;

		/* The last call is the one whose characters do not fill it. */
		for (i = 0; i < 24 && *text; i++)
			w[i / 8] |= (__u64)(unsigned char)*text++ << (i % 8 * 8);
		end = i < 24;
		cvm_call(CVM_CALL_MARK, w[0], w[1], w[2]);
	}
}

#endif /* CVM_NO_CALLS */
#endif
