/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to the confidential-VM emulator from inside the guest: kernel modules and
 * programs alike, no driver needed. Outside the emulator only cvm_flavour() and
 * cvm_present() may be called: the rest is a VMMCALL, an undefined instruction there.
 */
#ifndef CVM_GUEST_H
#define CVM_GUEST_H

#include <linux/types.h>

enum cvm_flavour { CVM_PLAIN, CVM_SEV, CVM_TDX };

/* What the emulator counts. */
enum cvm_counter {
	CVM_HC_SHARED,			/* page-state calls to shared (KVM hypercall, MapGPA) */
	CVM_HC_PRIVATE,			/* ... to private */
	CVM_PAGES_TO_SHARED,		/* 4 KiB pages that changed state */
	CVM_PAGES_TO_PRIVATE,
	CVM_ACCEPTS,			/* TDG.MEM.PAGE.ACCEPT calls */
	CVM_PAGES_SHARED,		/* pages that are shared now */
	CVM_VIOL_PRIVATE_ALIAS,		/* accesses to the private view of a shared page */
	CVM_VIOL_SHARED_ALIAS,		/* accesses to the shared view of a private page */
	CVM_CONV_FAILED,		/* conversions refused on request */
	CVM_EXITS,			/* VM exits so far */
	CVM_NR_COUNTERS,
};

/* Trap modes. */
#define CVM_MODE_PRIVATE_ALIAS	1u	/* trap the private view of shared pages */
#define CVM_MODE_SHARED_ALIAS	2u	/* trap the shared view of private pages */
#define CVM_MODE_STEP		4u	/* count each access, not only a page's first */
#define CVM_MODE_SCRAMBLE	8u	/* a conversion fills the new view with garbage */
#define CVM_MODE_ALL		15u

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
};

/* In RAX: far from KVM's own hypercall numbers, "CVM" and a version. */
#define CVM_MAGIC		0x43564d01u
#define CVM_ERROR		(~0ull)

/* The emulator's own CPUID leaves, in the range of a second hypervisor. */
#define CVM_CPUID_BASE		0x40000100u
#define CVM_CPUID_FLAVOUR	0x40000101u
#define CVM_CPUID_EBX		0x68736363u	/* "ccsh" */
#define CVM_CPUID_ECX		0x6d76632du	/* "-cvm" */
#define CVM_CPUID_EDX		0x756d652du	/* "-emu" */

#ifndef CVM_NO_CALLS

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

static inline int cvm_present(void)
{
	return cvm_flavour() != CVM_PLAIN;
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
