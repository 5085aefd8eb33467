// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes of the kernel and the driver:
 *
 * - stop a thread (@stall) at the start of a function (@stall_at) that may sleep:
 *   ccshm_memory_pfn(), in the middle of a walk over a buffer's pages, when memory is mapped for
 *   the kernel, an importer or an attachment; ccshm_convert_share(), before ALLOC shares its
 *   memory; set_memory_decrypted(), when ALLOC shares it; set_memory_encrypted(), when ALLOC
 *   retries quarantined memory; ccshm_object_next() and
 *   ccshm_object_next_of(), when objects are listed; ccshm_revoke_enter() and ccshm_buffer_free(),
 *   when REVOKE and FREE have found their object; ccshm_changed(), when SET
 *   has changed a buffer; or mutex_lock_interruptible(), when DEVICE has found its device and
 *   locks it;
 * - hold the removal of a PCI device after the device was taken off its bus (@hold_removal,
 *   @removal_held);
 * - hold the work items that convert memory back, in ccshm_convert_unshare() or, for a part of the
 *   memory, in set_memory_encrypted() (@hold, @hold_at);
 * - count the conversions back that begin before a small one (@large, @large_before);
 * - count the pages that are not zero when they are shared (@dirty);
 * - count the bytes of a shared page that are not zero (@peek, @nonzero);
 * - count the huge page entries that fork copies (@copied) and mremap moves (@moved);
 * - measure how long mutexes are held (@lock, @longest);
 * - let a thread (@closer) stay where it has dropped the last reference to the dentry of a dma-buf, and
 *   has not looked at the dentry again (@dropped).
 */
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(released);

/* Parameters that a waiting thread checks again when they are set. */
static int waking_set(const char *value, const struct kernel_param *kp)
{
	int err = param_set_int(value, kp);

	wake_up_all(&released);
	return err;
}

static const struct kernel_param_ops waking_ops = {
	.set = waking_set,
	.get = param_get_int,
};

static int stall;
module_param_cb(stall, &waking_ops, &stall, 0600);
MODULE_PARM_DESC(stall, "thread to stop; 0: none, a stopped thread continues");

static char stall_at[32] = "ccshm_memory_pfn";
module_param_string(stall_at, stall_at, sizeof(stall_at), 0600);
MODULE_PARM_DESC(stall_at, "function in which to stop the thread");

static int stalled;
module_param(stalled, int, 0400);
MODULE_PARM_DESC(stalled, "thread that is stopped; 0: none");

static int hold;
module_param_cb(hold, &waking_ops, &hold, 0600);
MODULE_PARM_DESC(hold, "1: hold the work items that convert memory back; 2: hold no others than those that are held; 0: let all continue");

static char hold_at[32] = "ccshm_convert_unshare";
module_param_string(hold_at, hold_at, sizeof(hold_at), 0600);
MODULE_PARM_DESC(hold_at, "function in which to hold them");

static atomic_t nr_held;

static int held_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%d\n", atomic_read(&nr_held));
}

static const struct kernel_param_ops held_ops = { .get = held_get };
module_param_cb(held, &held_ops, NULL, 0400);
MODULE_PARM_DESC(held, "number of work items that are held");

static ulong copied;
module_param(copied, ulong, 0400);
MODULE_PARM_DESC(copied, "number of huge page entries that fork copied from the range");

static ulong moved;
module_param(moved, ulong, 0400);
MODULE_PARM_DESC(moved, "number of huge page entries that mremap moved out of the range");

static ulong from, to;
module_param(from, ulong, 0600);
MODULE_PARM_DESC(from, "start of the range");
module_param(to, ulong, 0600);
MODULE_PARM_DESC(to, "end of the range (exclusive)");

/*
 * A post-handler prevents the optimization of a probe. An optimized probe ignores the changed
 * instruction pointer.
 */
static void empty_post_handler(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

/*
 * A probed function, called by a thread that was stopped in it. All arguments are in registers, so
 * that one type does for all functions.
 */
typedef unsigned long (*probed_t)(unsigned long, unsigned long, unsigned long, unsigned long);

/* Functions in which a thread is stopped, and in which work items are held: one each at a time. */
static probed_t stopped_in, held_in;

static noinline unsigned long stop_here(unsigned long a, unsigned long b, unsigned long c,
					unsigned long d)
{
	probed_t real = READ_ONCE(stopped_in);

	WRITE_ONCE(stalled, current->pid);
	wait_event_killable(released, READ_ONCE(stall) != current->pid);
	WRITE_ONCE(stall, 0);
	WRITE_ONCE(stalled, 0);
	return real(a, b, c, d);
}

/* If the current thread must stop in the probed function, let it continue in stop_here(). */
static int stop_called(struct kprobe *p, struct pt_regs *regs)
{
	if (READ_ONCE(stall) != current->pid || strcmp(stall_at, p->symbol_name))
		return 0;
	WRITE_ONCE(stopped_in, (probed_t)p->addr);
	instruction_pointer_set(regs, (unsigned long)stop_here);
	return 1;
}

static noinline unsigned long hold_here(unsigned long a, unsigned long b, unsigned long c,
					unsigned long d)
{
	probed_t real = READ_ONCE(held_in);

	atomic_inc(&nr_held);
	wait_event_idle(released, !READ_ONCE(hold));
	atomic_dec(&nr_held);
	return real(a, b, c, d);
}

/* If the work item must be held in the probed function, let it continue in hold_here(). */
static int hold_called(struct kprobe *p, struct pt_regs *regs)
{
	if (READ_ONCE(hold) != 1 || !(current->flags & PF_WQ_WORKER) ||
	    strcmp(hold_at, p->symbol_name))
		return 0;
	WRITE_ONCE(held_in, (probed_t)p->addr);
	instruction_pointer_set(regs, (unsigned long)hold_here);
	return 1;
}

#define PROBE(function, handler)				\
	{ .symbol_name = (function), .pre_handler = (handler),	\
	  .post_handler = empty_post_handler }

static struct kprobe memory_pfn = PROBE("ccshm_memory_pfn", stop_called);
static struct kprobe share = PROBE("ccshm_convert_share", stop_called);
static struct kprobe object_next = PROBE("ccshm_object_next", stop_called);
static struct kprobe object_next_of = PROBE("ccshm_object_next_of", stop_called);
static struct kprobe revoke_enter = PROBE("ccshm_revoke_enter", stop_called);
static struct kprobe buffer_free = PROBE("ccshm_buffer_free", stop_called);
static struct kprobe changed = PROBE("ccshm_changed", stop_called);
static struct kprobe lock_interruptible = PROBE("mutex_lock_interruptible", stop_called);
static struct kprobe unshare = PROBE("ccshm_convert_unshare", hold_called);

static ulong decrypted, dirty;
module_param(decrypted, ulong, 0600);
MODULE_PARM_DESC(decrypted, "number of pages to be shared");
module_param(dirty, ulong, 0600);
MODULE_PARM_DESC(dirty, "number of pages to be shared that were not zero");

static bool inspect = true;
module_param(inspect, bool, 0600);
MODULE_PARM_DESC(inspect, "read memory before it is shared; N if a refused conversion may have left it in an unknown state");

static int decrypted_called(struct kprobe *p, struct pt_regs *regs)
{
	const char *addr = (void *)regs_get_kernel_argument(regs, 0);
	int i, pages = regs_get_kernel_argument(regs, 1);

	if (stop_called(p, regs))
		return 1;
	for (i = 0; inspect && i < pages; i++)
		if (memchr_inv(addr + i * PAGE_SIZE, 0, PAGE_SIZE))
			WRITE_ONCE(dirty, dirty + 1);
	WRITE_ONCE(decrypted, decrypted + pages);
	return 0;
}

static struct kprobe set_memory = PROBE("set_memory_decrypted", decrypted_called);

static ulong nonzero;
module_param(nonzero, ulong, 0400);
MODULE_PARM_DESC(nonzero, "number of bytes that are not zero in the page of @peek");

static int peek_set(const char *value, const struct kernel_param *kp)
{
	const char *page;
	ulong address, i, n = 0;
	int err = kstrtoul(value, 0, &address);

	if (err || !pfn_valid(PHYS_PFN(address)))
		return -EINVAL;
	page = page_address(pfn_to_page(PHYS_PFN(address)));
	for (i = 0; i < PAGE_SIZE; i++)
		n += page[i] != 0;
	WRITE_ONCE(nonzero, n);
	return 0;
}

static const struct kernel_param_ops peek_ops = { .set = peek_set };
module_param_cb(peek, &peek_ops, NULL, 0200);
MODULE_PARM_DESC(peek, "physical address of a page that is shared, to count its bytes");

static uint large, large_before;
module_param(large, uint, 0600);
MODULE_PARM_DESC(large, "number of conversions to private, of more than 2 MiB, that have begun");
module_param(large_before, uint, 0400);
MODULE_PARM_DESC(large_before, "value of @large when a smaller one began last");

static int encrypted_called(struct kprobe *p, struct pt_regs *regs)
{
	if (hold_called(p, regs) || stop_called(p, regs))
		return 1;
	if ((int)regs_get_kernel_argument(regs, 1) > SZ_2M >> PAGE_SHIFT)
		WRITE_ONCE(large, large + 1);
	else
		WRITE_ONCE(large_before, large);
	return 0;
}

static struct kprobe set_private = PROBE("set_memory_encrypted", encrypted_called);

static bool is_watched(unsigned long addr)
{
	return addr >= READ_ONCE(from) && addr < READ_ONCE(to);
}

/* copy_huge_pmd(dst_mm, src_mm, dst_pmd, src_pmd, addr, dst_vma, src_vma) */
static int huge_pmd_copied(struct kprobe *p, struct pt_regs *regs)
{
	if (is_watched(regs_get_kernel_argument(regs, 4)))
		WRITE_ONCE(copied, copied + 1);
	return 0;
}

static struct kprobe copy_huge_pmd_probe = {
	.symbol_name = "copy_huge_pmd",
	.pre_handler = huge_pmd_copied,
};

/* move_huge_pmd(vma, old_addr, new_addr, old_pmd, new_pmd) */
static int huge_pmd_moved(struct kprobe *p, struct pt_regs *regs)
{
	if (is_watched(regs_get_kernel_argument(regs, 1)))
		WRITE_ONCE(moved, moved + 1);
	return 0;
}

static struct kprobe move_huge_pmd_probe = {
	.symbol_name = "move_huge_pmd",
	.pre_handler = huge_pmd_moved,
};

/* ---- the time for which a mutex is held ---- */

#define LOCKS	4

static ulong lock[LOCKS];
static int locks;
module_param_array(lock, ulong, &locks, 0400);
MODULE_PARM_DESC(lock, "addresses of mutexes to measure, which are taken by mutex_lock()");

static ulong longest[LOCKS];
module_param_array(longest, ulong, NULL, 0600);
MODULE_PARM_DESC(longest, "maximum time that each mutex was held, in nanoseconds");

static u64 taken[LOCKS];

static int lock_of(struct pt_regs *regs)
{
	unsigned long mutex = regs_get_kernel_argument(regs, 0);
	int i;

	for (i = 0; i < locks; i++)
		if (lock[i] == mutex)
			return i;
	return -1;
}

static int mutex_lock_called(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(int *)ri->data = lock_of(regs);
	return *(int *)ri->data < 0;
}

static int mutex_lock_returns(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	WRITE_ONCE(taken[*(int *)ri->data], ktime_get_mono_fast_ns());
	return 0;
}

static struct kretprobe mutex_locked = {
	.kp.symbol_name = "mutex_lock",
	.entry_handler = mutex_lock_called,
	.handler = mutex_lock_returns,
	.data_size = sizeof(int),
	.maxactive = 64,
};

static int mutex_unlock_called(struct kprobe *p, struct pt_regs *regs)
{
	int i = lock_of(regs);
	u64 held;

	if (i < 0 || !taken[i])
		return 0;
	held = ktime_get_mono_fast_ns() - taken[i];
	taken[i] = 0;
	if (held > longest[i])
		longest[i] = held;
	return 0;
}

static struct kprobe mutex_unlocked = {
	.symbol_name = "mutex_unlock",
	.pre_handler = mutex_unlock_called,
};

static int measure_locks(void)
{
	int err;

	if (!locks)
		return 0;
	err = register_kretprobe(&mutex_locked);
	if (err)
		return err;
	err = register_kprobe(&mutex_unlocked);
	if (err)
		unregister_kretprobe(&mutex_locked);
	return err;
}

/* ---- the last reference to a dma-buf ---- */

static int closer = -1;
module_param(closer, int, 0600);
MODULE_PARM_DESC(closer, "thread that stays there, until it is set to 0; not set: do not probe");

static bool dropped;
module_param(dropped, bool, 0400);
MODULE_PARM_DESC(dropped, "the thread stays there now");

/* Skip the call, unless this thread drops a reference to the dentry of a dma-buf. */
static int reference_put(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct lockref *lockref = (void *)regs_get_kernel_argument(regs, 0);

	if (READ_ONCE(closer) != current->pid)
		return 1;
	return container_of(lockref, struct dentry, d_lockref)->d_sb->s_magic != DMA_BUF_MAGIC;
}

/* Preemption is disabled here. Interrupts are not. Give up after a minute of the guest. */
static int reference_dropped(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	int i;

	if ((int)regs_return_value(regs))
		return 0;
	WRITE_ONCE(dropped, true);
	for (i = 0; i < 60000 && READ_ONCE(closer) == current->pid; i++)
		mdelay(1);
	WRITE_ONCE(dropped, false);
	return 0;
}

static struct kretprobe last_put = {
	.kp.symbol_name = "lockref_put_return",
	.entry_handler = reference_put,
	.handler = reference_dropped,
	.maxactive = 64,
};

/* ---- the removal of a device ---- */

static int hold_removal;
module_param_cb(hold_removal, &waking_ops, &hold_removal, 0600);
MODULE_PARM_DESC(hold_removal, "1: hold the removal of a PCI device; 0: let it continue");

static int removal_held;
module_param(removal_held, int, 0400);
MODULE_PARM_DESC(removal_held, "1: a removal is held now");

/* device_del() calls this after bus_remove_device() and before kobject_del(). */
static int device_removed(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action != BUS_NOTIFY_REMOVED_DEVICE || !READ_ONCE(hold_removal))
		return NOTIFY_DONE;
	WRITE_ONCE(removal_held, 1);
	wait_event_idle(released, !READ_ONCE(hold_removal));
	WRITE_ONCE(removal_held, 0);
	return NOTIFY_DONE;
}

static struct notifier_block removals = { .notifier_call = device_removed };

/* ---- the module ---- */

static struct kprobe *probes[] = {
	&memory_pfn, &share, &set_memory, &unshare, &set_private, &object_next, &object_next_of,
	&revoke_enter, &buffer_free, &changed, &lock_interruptible, &copy_huge_pmd_probe, &move_huge_pmd_probe,
};

static bool watched;

static void measure_no_locks(void)
{
	if (!locks)
		return;
	unregister_kprobe(&mutex_unlocked);
	unregister_kretprobe(&mutex_locked);
}

static int __init probe_init(void)
{
	int err = measure_locks();

	if (err)
		return err;
	err = register_kprobes(probes, ARRAY_SIZE(probes));
	if (err)
		goto no_probes;
	watched = closer >= 0;
	err = watched ? register_kretprobe(&last_put) : 0;
	if (err)
		goto no_last_put;
	err = bus_register_notifier(&pci_bus_type, &removals);
	if (!err)
		return 0;
	if (watched)
		unregister_kretprobe(&last_put);
no_last_put:
	unregister_kprobes(probes, ARRAY_SIZE(probes));
no_probes:
	measure_no_locks();
	return err;
}

static void __exit probe_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &removals);
	if (watched)
		unregister_kretprobe(&last_put);
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	measure_no_locks();
}

module_init(probe_init);
module_exit(probe_exit);

MODULE_DESCRIPTION("Test: probes of the driver, fork and mremap");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
