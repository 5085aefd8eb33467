// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events whose delivery traps. For a moment, the processor uses a copy of the IDT on a page that
 * the caller has made shared, through a private mapping. The traps are armed after the copy, with
 * interrupts off, so the next event that the processor delivers reads the IDT and traps.
 */
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kdebug.h>
#include <linux/nmi.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <asm/apic.h>
#include <asm/desc_defs.h>
#include <asm/nmi.h>
#include <asm/trapnr.h>

#include "../../guest/cvm_guest.h"
#include "module.h"

#define TICKS	3			/* of the timer, to see that it goes on */
#define SPINS	1000			/* to see that an event does not come twice */

static unsigned int nmis, ints;

static int on_nmi(unsigned int cmd, struct pt_regs *regs)
{
	nmis++;
	return NMI_HANDLED;
}

static int on_die(struct notifier_block *nb, unsigned long what, void *data)
{
	const struct die_args *args = data;

	if (what != DIE_TRAP || args->trapnr != X86_TRAP_OF)
		return NOTIFY_DONE;
	ints++;
	return NOTIFY_STOP;
}

static struct notifier_block die_notifier = { .notifier_call = on_die };

static u64 deadline(void)
{
	return ktime_get_ns() + 10ull * NSEC_PER_SEC;
}

static u64 raise_nmi(void)
{
	u64 end = deadline();
	unsigned int i;

	WRITE_ONCE(nmis, 0);
	native_apic_mem_write(APIC_ICR2, native_apic_mem_read(APIC_ID));
	native_apic_mem_write(APIC_ICR, APIC_DM_NMI | APIC_INT_ASSERT);
	while (!READ_ONCE(nmis) && ktime_get_ns() < end)
		cpu_relax();
	for (i = 0; i < SPINS; i++)
		cpu_relax();
	return READ_ONCE(nmis);
}

static u64 execute_int(void)
{
	WRITE_ONCE(ints, 0);
	asm volatile("int %0" : : "i" (X86_TRAP_OF) : "memory");
	return READ_ONCE(ints);
}

static u64 await_interrupt(void)
{
	u64 end = deadline(), before = cvm_counter(CVM_REDELIVERED);
	unsigned long start;
	bool goes_on;

	local_irq_enable();
	while (cvm_counter(CVM_REDELIVERED) == before && ktime_get_ns() < end)
		cpu_relax();
	start = jiffies;
	while (jiffies - start < TICKS && ktime_get_ns() < end)
		cpu_relax();
	goes_on = jiffies - start >= TICKS;
	local_irq_disable();
	return goes_on;
}

static u64 event_happens(enum st_event event)
{
	if (event == ST_NMI)
		return raise_nmi();
	if (event == ST_INT)
		return execute_int();
	return await_interrupt();
}

/* Let an event happen while the IDT is on a page that traps. The caller holds st_lock. */
int st_event(struct st_call *call)
{
	void *copy = st_word(call, call->page);
	struct desc_ptr own, trapped;
	unsigned long flags;
	int ret;

	if (!cvm_present())
		return -EOPNOTSUPP;
	if (!copy || call->arg > ST_INTERRUPT)
		return -EINVAL;
	ret = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "cvm_selftest");
	if (ret)
		return ret;
	ret = register_die_notifier(&die_notifier);
	if (ret)
		goto out;
	preempt_disable();
	local_irq_save(flags);
	asm volatile("sidt %0" : "=m" (own));
	memcpy(copy, (void *)own.address, own.size + 1);
	trapped = (struct desc_ptr){ .size = own.size, .address = (unsigned long)copy };
	asm volatile("lidt %0" : : "m" (trapped));
	cvm_rearm();
	call->result = event_happens(call->arg);
	asm volatile("lidt %0" : : "m" (own));
	local_irq_restore(flags);
	preempt_enable();
	unregister_die_notifier(&die_notifier);
out:
	unregister_nmi_handler(NMI_LOCAL, "cvm_selftest");
	return ret;
}
