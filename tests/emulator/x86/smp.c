// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several processors.
 *
 * Only the first one runs after a reset. When the guest starts another one (ghcb.c, mailbox.c), the
 * emulator sends it INIT and SIPI. It enters the emulator through the trampoline (boot.S) and runs the
 * guest from the state that the guest has given.
 *
 * Exits are handled under one lock. A nested entry that is removed may be in the TLBs of processors
 * that run the guest, so an NMI makes these leave the guest: every exit flushes the TLB. The emulator
 * runs with GIF = 0 and takes the NMI when it sets GIF for a moment.
 */
#include "x86.h"

#define APIC			0xfee00000ull
#define APIC_ICR		0x300
#define APIC_ICR_TARGET		0x310
#define ICR_PENDING		BIT(12)
#define ICR_NMI			0x00004400	/* assert */
#define ICR_INIT		0x0000c500	/* assert, level triggered */
#define ICR_SIPI		0x00004600	/* assert; bits 7:0: the page */

#define STACK_SIZE		KIB(16)

/* The part of the VMCB that a VMSA has at the same offsets. */
#define SAVE_AREA_SIZE		0x298

static struct vcpu vcpus[MAX_CPUS];
static u32 nr_cpus;

/* Used by boot.S: the stack of the processor that starts. */
u64 ap_stack;
static u8 *stacks;

static u32 locked;

void lock(void)
{
	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE))
		asm volatile("pause");
}

void unlock(void)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

/* ---- the local APIC, which is the guest's ---- */

static u32 *apic(u32 offset)
{
	return (u32 *)(APIC + offset);
}

static void apic_wait(void)
{
	while (*(volatile u32 *)apic(APIC_ICR) & ICR_PENDING)
		asm volatile("pause");
}

/* Send a message. The guest may be about to send one, so keep its target. */
static void apic_send(u32 apic_id, u32 message)
{
	volatile u32 *target = apic(APIC_ICR_TARGET), *icr = apic(APIC_ICR);
	u32 saved;

	apic_wait();
	saved = *target;
	*target = apic_id << 24;
	*icr = message;
	apic_wait();
	*target = saved;
}

static u32 apic_id_of_this(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	return r[1] >> 24;
}

/* ---- leaving the guest ---- */

/* Take a pending NMI. */
static void take_nmi(void)
{
	asm volatile("stgi; nop; clgi" : : : "memory");
}

bool smp_kicked(struct vcpu *v)
{
	take_nmi();
	return __atomic_exchange_n(&v->kicked, false, __ATOMIC_SEQ_CST);
}

/* Make all other processors leave the guest. */
static void kick_others(struct vcpu *self)
{
	u32 i;

	for (i = 0; i < nr_cpus; i++) {
		struct vcpu *v = &vcpus[i];

		if (v == self || !__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
			continue;
		__atomic_store_n(&v->kicked, true, __ATOMIC_SEQ_CST);
		apic_send(i, ICR_NMI);
		/* After an exit, the processor waits for the lock. */
		while (__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
			asm volatile("pause");
	}
}

/* Make all other processors leave the guest if a nested entry has been removed. */
void smp_flush(struct vcpu *self)
{
	if (!entries_removed)
		return;
	entries_removed = false;
	kick_others(self);
}

/* Intercept more on all processors, also on those that run the guest now. */
void smp_intercept(struct vcpu *self, u64 intercepts)
{
	u32 i;

	for (i = 0; i < nr_cpus; i++)
		vcpus[i].vmcb->intercepts |= intercepts;
	kick_others(self);
}

/* ---- starting and halting processors ---- */

struct idt_gate {
	u16 offset0, selector, flags, offset1;
	u32 offset2, reserved;
} __packed;

#define GATE_INTERRUPT	0x8e00
#define CS_RIG		8

/* Load an interrupt table whose only vector is the NMI. */
static void load_idt(void)
{
	static struct idt_gate idt[VECTOR_NMI + 1];
	struct {
		u16 limit;
		u64 base;
	} __packed pointer = { sizeof(idt) - 1, (u64)idt };
	u64 at = (u64)rig_nmi;

	idt[VECTOR_NMI] = (struct idt_gate){ at, CS_RIG, GATE_INTERRUPT, at >> 16, at >> 32, 0 };
	asm volatile("lidt %0" : : "m"(pointer));
}

/*
 * Make the virtual CPUs. A processor's number is its APIC ID. The trampoline must stay, because
 * the guest can start processors at any time.
 */
struct vcpu *smp_init(u32 cpus)
{
	u32 i;

	if (!cpus || cpus > MAX_CPUS || (cpus > 1 && !flavour->several_cpus))
		stop("a guest of this flavour cannot have %u CPUs", cpus);
	nr_cpus = cpus;
	for (i = 0; i < cpus; i++)
		vcpu_init(&vcpus[i]);
	if (cpus > 1) {
		memcpy((void *)TRAMPOLINE, trampoline, trampoline_end - trampoline);
		stacks = rig_alloc(cpus * STACK_SIZE);
	}
	load_idt();
	vcpu_init_cpu(&vcpus[0]);
	return &vcpus[0];
}

u32 smp_count(void)
{
	return nr_cpus;
}

struct vcpu *smp_waiting(u32 apic_id)
{
	if (!apic_id || apic_id >= nr_cpus || vcpus[apic_id].started)
		return NULL;
	return &vcpus[apic_id];
}

bool smp_all_started(void)
{
	u32 i;

	for (i = 1; i < nr_cpus; i++)
		if (!vcpus[i].started)
			return false;
	return true;
}

/* Let a processor that waits enter the emulator and run the guest, in the state of its VMCB. */
void smp_enter(struct vcpu *v)
{
	u32 apic_id = v - vcpus;

	v->kicked = false;
	v->started = true;
	__atomic_store_n(&ap_stack, (u64)stacks + (apic_id + 1) * STACK_SIZE, __ATOMIC_SEQ_CST);
	apic_send(apic_id, ICR_INIT);
	apic_send(apic_id, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
	/* The next processor to start needs ap_stack. */
	while (__atomic_load_n(&ap_stack, __ATOMIC_SEQ_CST))
		asm volatile("pause");
}

/*
 * Start a processor with the registers in @vmsa. Return false if there is no such processor, or if it
 * runs the guest already.
 */
bool smp_start(u32 apic_id, const void *vmsa)
{
	struct vcpu *v = smp_waiting(apic_id);
	struct vmcb *s;

	if (!v)
		return false;
	s = v->vmcb;
	memcpy(&s->es, vmsa, SAVE_AREA_SIZE);
	memset(v->gpr, 0, sizeof(v->gpr));
	s->efer |= EFER_SVME;
	s->cr_write = CR_WRITE_EARLY;
	s->ncr3 = memory_root(s->cr0 & CR0_PG);
	s->event = 0;
	v->gpr[RAX] = s->rax;
	v->gpr[RSP] = s->rsp;
	v->ghcb_msr = v->ghcb = 0;
	smp_enter(v);
	return true;
}

/* Halt a processor of the guest until the guest starts it again. The caller holds the lock. */
void smp_halt(struct vcpu *v)
{
	v->started = false;
	unlock();
	for (;;)
		asm volatile("hlt");
}

/* Run the guest on a processor that has come through the trampoline. */
void ap_main(void)
{
	struct vcpu *v = &vcpus[apic_id_of_this()];

	__atomic_store_n(&ap_stack, 0, __ATOMIC_SEQ_CST);
	load_idt();
	vcpu_init_cpu(v);
	/* VMRUN does not load FS, GS, TR, LDTR and the system call MSRs. */
	asm volatile("vmload %0" : : "a"(v->vmcb) : "memory");
	vcpu_run(v);
}
