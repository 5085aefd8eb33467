// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes. One stops a thread in the middle of a walk over a buffer's pages: in
 * ccshm_blocks_pfn(), which is called where memory is mapped for the kernel, for an
 * importer and for an attachment. It must stop where sleeping is allowed. One holds the
 * work items that give memory back, in ccshm_convert_unshare(). One counts the large
 * entries that fork copies.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
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
MODULE_PARM_DESC(stall, "thread that is stopped the next time; 0: none, and the one that is goes on");

static int stalled;
module_param(stalled, int, 0400);
MODULE_PARM_DESC(stalled, "thread that is stopped now; 0: none");

static int hold;

static const struct kernel_param_ops hold_ops = {
	.set = stall_set,
	.get = param_get_int,
};
module_param_cb(hold, &hold_ops, &hold, 0600);
MODULE_PARM_DESC(hold, "1: hold the work items that give memory back; 0: they continue");

static atomic_t nr_held;

static int held_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%d\n", atomic_read(&nr_held));
}

static const struct kernel_param_ops held_ops = { .get = held_get };
module_param_cb(held, &held_ops, NULL, 0400);
MODULE_PARM_DESC(held, "work items that are held now");

static ulong copied;
module_param(copied, ulong, 0400);
MODULE_PARM_DESC(copied, "large entries that fork has copied from the range");

static ulong from, to;
module_param(from, ulong, 0600);
MODULE_PARM_DESC(from, "first address of the range");
module_param(to, ulong, 0600);
MODULE_PARM_DESC(to, "first address after the range");

static int blocks_pfn_called(struct kprobe *p, struct pt_regs *regs);

/* With it the probe is not optimized, which would ignore the new instruction pointer. */
static void nothing(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe blocks_pfn = {
	.symbol_name = "ccshm_blocks_pfn",
	.pre_handler = blocks_pfn_called,
	.post_handler = nothing,
};

/* In the place of ccshm_blocks_pfn(), which is called in the end. */
static noinline unsigned long stop_here(const void *blocks, unsigned long index,
					unsigned long *run)
{
	unsigned long (*real)(const void *blocks, unsigned long index,
			      unsigned long *run) = (void *)blocks_pfn.addr;

	WRITE_ONCE(stalled, current->pid);
	wait_event_killable(released, READ_ONCE(stall) != current->pid);
	WRITE_ONCE(stall, 0);
	WRITE_ONCE(stalled, 0);
	return real(blocks, index, run);
}

static int blocks_pfn_called(struct kprobe *p, struct pt_regs *regs)
{
	if (READ_ONCE(stall) != current->pid)
		return 0;
	instruction_pointer_set(regs, (unsigned long)stop_here);
	return 1;
}

static int unshare_called(struct kprobe *p, struct pt_regs *regs);

static struct kprobe unshare = {
	.symbol_name = "ccshm_convert_unshare",
	.pre_handler = unshare_called,
	.post_handler = nothing,
};

/* In the place of ccshm_convert_unshare(), which is called in the end. */
static noinline void hold_here(void *blocks)
{
	void (*real)(void *blocks) = (void *)unshare.addr;

	atomic_inc(&nr_held);
	wait_event_idle(released, !READ_ONCE(hold));
	atomic_dec(&nr_held);
	real(blocks);
}

static int unshare_called(struct kprobe *p, struct pt_regs *regs)
{
	if (!READ_ONCE(hold) || !(current->flags & PF_WQ_WORKER))
		return 0;
	instruction_pointer_set(regs, (unsigned long)hold_here);
	return 1;
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

static struct kprobe *probes[] = { &blocks_pfn, &unshare, &huge_pmd };

static int __init probe_init(void)
{
	return register_kprobes(probes, ARRAY_SIZE(probes));
}

static void __exit probe_exit(void)
{
	unregister_kprobes(probes, ARRAY_SIZE(probes));
}

module_init(probe_init);
module_exit(probe_exit);

MODULE_DESCRIPTION("Test: probes of what the driver and fork do");
MODULE_AUTHOR("The ccshm authors");
MODULE_LICENSE("GPL");
