// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes of the kernel and the driver:
 *
 * - stop a thread (@stall) at the start of a function (@stall_at) that may sleep:
 *   ccshm_memory_pfn(), in the middle of a walk over a buffer's pages, when memory is mapped for
 *   the kernel, an importer or an attachment; ccshm_convert_share(), before ALLOC shares its
 *   memory; set_memory_decrypted(), when ALLOC shares it; ccshm_object_next() and
 *   ccshm_object_next_of(), when objects are listed; or ccshm_buffer_seal(), before REVOKE
 *   seals a buffer;
 * - hold the work items that convert memory back, in ccshm_convert_unshare() or, for a part of the
 *   memory, in set_memory_encrypted() (@hold, @hold_at);
 * - count the pages that are not zero when they are shared (@dirty);
 * - count the bytes of a shared page that are not zero (@peek, @nonzero);
 * - count the huge page entries that fork copies (@copied);
 * - measure how long mutexes are held (@lock, @longest).
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(released);

static int stall;

static int stall_set(const char *value, const struct kernel_param *kp)
{
	int err = param_set_int(value, kp);

	wake_up_all(&released);
	return err;
}

static const struct kernel_param_ops stall_ops = {
	.set = stall_set,
	.get = param_get_int,
};
module_param_cb(stall, &stall_ops, &stall, 0600);
MODULE_PARM_DESC(stall, "thread to stop; 0: none, a stopped thread continues");

static char stall_at[32] = "ccshm_memory_pfn";
module_param_string(stall_at, stall_at, sizeof(stall_at), 0600);
MODULE_PARM_DESC(stall_at, "function in which to stop the thread");

static int stalled;
module_param(stalled, int, 0400);
MODULE_PARM_DESC(stalled, "thread that is stopped; 0: none");

static int hold;

static const struct kernel_param_ops hold_ops = {
	.set = stall_set,
	.get = param_get_int,
};
module_param_cb(hold, &hold_ops, &hold, 0600);
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

static void stop_here(void)
{
	WRITE_ONCE(stalled, current->pid);
	wait_event_killable(released, READ_ONCE(stall) != current->pid);
	WRITE_ONCE(stall, 0);
	WRITE_ONCE(stalled, 0);
}

/* If the current thread must stop in the probed function, let it continue in @instead. */
static int stop_in(struct kprobe *p, struct pt_regs *regs, void *instead)
{
	if (READ_ONCE(stall) != current->pid || strcmp(stall_at, p->symbol_name))
		return 0;
	instruction_pointer_set(regs, (unsigned long)instead);
	return 1;
}

static int memory_pfn_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe memory_pfn = {
	.symbol_name = "ccshm_memory_pfn",
	.pre_handler = memory_pfn_called,
	.post_handler = empty_post_handler,
};

static noinline unsigned long stop_memory_pfn(const void *memory, unsigned long index,
					      unsigned long *run)
{
	unsigned long (*real)(const void *memory, unsigned long index,
			      unsigned long *run) = (void *)memory_pfn.addr;

	stop_here();
	return real(memory, index, run);
}

static int memory_pfn_called(struct kprobe *p, struct pt_regs *regs)
{
	return stop_in(p, regs, stop_memory_pfn);
}

static int share_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe share = {
	.symbol_name = "ccshm_convert_share",
	.pre_handler = share_called,
	.post_handler = empty_post_handler,
};

static noinline int stop_share(void *blocks, bool interruptible)
{
	int (*real)(void *blocks, bool interruptible) = (void *)share.addr;

	stop_here();
	return real(blocks, interruptible);
}

static int share_called(struct kprobe *p, struct pt_regs *regs)
{
	return stop_in(p, regs, stop_share);
}

static int next_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe object_next = {
	.symbol_name = "ccshm_object_next",
	.pre_handler = next_called,
	.post_handler = empty_post_handler,
};

static noinline void *stop_next(int type, u64 id, u64 last)
{
	void *(*real)(int type, u64 id, u64 last) = (void *)object_next.addr;

	stop_here();
	return real(type, id, last);
}

static int next_called(struct kprobe *p, struct pt_regs *regs)
{
	return stop_in(p, regs, stop_next);
}

static int next_of_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe object_next_of = {
	.symbol_name = "ccshm_object_next_of",
	.pre_handler = next_of_called,
	.post_handler = empty_post_handler,
};

static noinline void *stop_next_of(void *set, u64 id, u64 last)
{
	void *(*real)(void *set, u64 id, u64 last) = (void *)object_next_of.addr;

	stop_here();
	return real(set, id, last);
}

static int next_of_called(struct kprobe *p, struct pt_regs *regs)
{
	return stop_in(p, regs, stop_next_of);
}

static int seal_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe buffer_seal = {
	.symbol_name = "ccshm_buffer_seal",
	.pre_handler = seal_called,
	.post_handler = empty_post_handler,
};

static noinline void stop_seal(void *buffer)
{
	void (*real)(void *buffer) = (void *)buffer_seal.addr;

	stop_here();
	real(buffer);
}

static int seal_called(struct kprobe *p, struct pt_regs *regs)
{
	return stop_in(p, regs, stop_seal);
}

static ulong decrypted, dirty;
module_param(decrypted, ulong, 0600);
MODULE_PARM_DESC(decrypted, "number of pages to be shared");
module_param(dirty, ulong, 0600);
MODULE_PARM_DESC(dirty, "number of pages to be shared that were not zero");

static int decrypted_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe set_memory = {
	.symbol_name = "set_memory_decrypted",
	.pre_handler = decrypted_called,
	.post_handler = empty_post_handler,
};

static noinline int stop_decrypted(unsigned long addr, int pages)
{
	int (*real)(unsigned long addr, int pages) = (void *)set_memory.addr;

	stop_here();
	return real(addr, pages);
}

static int decrypted_called(struct kprobe *p, struct pt_regs *regs)
{
	const char *addr = (void *)regs_get_kernel_argument(regs, 0);
	int i, pages = regs_get_kernel_argument(regs, 1);

	if (stop_in(p, regs, stop_decrypted))
		return 1;
	for (i = 0; i < pages; i++)
		if (memchr_inv(addr + i * PAGE_SIZE, 0, PAGE_SIZE))
			WRITE_ONCE(dirty, dirty + 1);
	WRITE_ONCE(decrypted, decrypted + pages);
	return 0;
}

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

static int unshare_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe unshare = {
	.symbol_name = "ccshm_convert_unshare",
	.pre_handler = unshare_called,
	.post_handler = empty_post_handler,
};

static void hold_here(void)
{
	atomic_inc(&nr_held);
	wait_event_idle(released, !READ_ONCE(hold));
	atomic_dec(&nr_held);
}

/* If the probed function must be held, let the current thread continue in @instead. */
static int hold_in(struct kprobe *p, struct pt_regs *regs, void *instead)
{
	if (READ_ONCE(hold) != 1 || !(current->flags & PF_WQ_WORKER) ||
	    strcmp(hold_at, p->symbol_name))
		return 0;
	instruction_pointer_set(regs, (unsigned long)instead);
	return 1;
}

static noinline void hold_unshare(void *blocks)
{
	void (*real)(void *blocks) = (void *)unshare.addr;

	hold_here();
	real(blocks);
}

static int unshare_called(struct kprobe *p, struct pt_regs *regs)
{
	return hold_in(p, regs, hold_unshare);
}

static int encrypted_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe set_private = {
	.symbol_name = "set_memory_encrypted",
	.pre_handler = encrypted_called,
	.post_handler = empty_post_handler,
};

static noinline int hold_encrypted(unsigned long addr, int pages)
{
	int (*real)(unsigned long addr, int pages) = (void *)set_private.addr;

	hold_here();
	return real(addr, pages);
}

static int encrypted_called(struct kprobe *p, struct pt_regs *regs)
{
	return hold_in(p, regs, hold_encrypted);
}

/* copy_huge_pmd(dst_mm, src_mm, dst_pmd, src_pmd, addr, dst_vma, src_vma) */
static int huge_pmd_copied(struct kprobe *p, struct pt_regs *regs)
{
	unsigned long addr = regs_get_kernel_argument(regs, 4);

	if (addr >= READ_ONCE(from) && addr < READ_ONCE(to))
		WRITE_ONCE(copied, copied + 1);
	return 0;
}

static struct kprobe huge_pmd = {
	.symbol_name = "copy_huge_pmd",
	.pre_handler = huge_pmd_copied,
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

/* ---- the module ---- */

static struct kprobe *probes[] = {
	&memory_pfn, &share, &set_memory, &unshare, &set_private, &object_next, &object_next_of,
	&buffer_seal, &huge_pmd,
};

static int __init probe_init(void)
{
	int err = measure_locks();

	if (err)
		return err;
	err = register_kprobes(probes, ARRAY_SIZE(probes));
	if (err && locks) {
		unregister_kprobe(&mutex_unlocked);
		unregister_kretprobe(&mutex_locked);
	}
	return err;
}

static void __exit probe_exit(void)
{
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	if (!locks)
		return;
	unregister_kprobe(&mutex_unlocked);
	unregister_kretprobe(&mutex_locked);
}

module_init(probe_init);
module_exit(probe_exit);

MODULE_DESCRIPTION("Test: probes of the driver and of fork");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
