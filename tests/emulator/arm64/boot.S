/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points: from QEMU, which loads the emulator as a Linux Image at EL2, and from the
 * guest. The MMU stays off at EL2.
 */
	.macro	address reg, symbol
	adrp	\reg, \symbol
	add	\reg, \reg, :lo12:\symbol
	.endm

	.section .text.boot, "ax"

	/* The Image header. */
	b	primary
	.long	0
	.quad	0x80000			/* after QEMU's boot code */
	.quad	image_end
	.quad	0xa			/* little-endian, 4 KiB pages, any address */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	/*
	 * x0: the device tree. Its command line determines where the views' memory is, and
	 * with it the emulator's final address. The emulator copies itself to that address
	 * first.
	 */
primary:
	msr	daifset, #15
	mov	x19, x0
	address	x20, image_start
	address	x21, image_end
	address	x0, vectors
	msr	vbar_el2, x0
	isb
	address	x0, boot_stack_end
	mov	sp, x0
	mov	x0, x19
	bl	emulator_home
	mov	x22, x0
1:	ldp	x1, x2, [x20], #16
	stp	x1, x2, [x0], #16
	cmp	x20, x21
	b.lo	1b
	dsb	sy
	ic	iallu
	dsb	sy
	isb
	address	x1, image_start
	address	x2, moved
	sub	x2, x2, x1
	add	x2, x2, x22
	br	x2
moved:
	address	x0, boot_stack_end
	mov	sp, x0
	mov	x0, x19
	bl	cvm_main			/* returns the first CPU's struct cpu */
	b	start_guest

	/* Entry of a secondary CPU. x0: its struct cpu. */
	.globl	secondary
secondary:
	msr	daifset, #15
start_guest:
	mov	x19, x0
	ldr	x1, [x19]			/* struct cpu: stack */
	mov	sp, x1
	msr	tpidr_el2, x19
	address	x1, vectors
	msr	vbar_el2, x1
	isb
	bl	cpu_init
	ldp	x1, x0, [x19, #8]		/* struct cpu: entry, context */
	msr	elr_el2, x1
	mov	x1, #0x3c5			/* EL1h, all exceptions masked */
	msr	spsr_el2, x1
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	eret

	.text

	/*
	 * Save the guest's general registers to the stack of its CPU (struct regs), handle
	 * the exit, and restore them.
	 */
exit:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	mov	x0, sp
	mrs	x1, tpidr_el2
	bl	handle_exit
	ldr	x30, [sp, #240]
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp], #256
	eret

	/*
	 * Handle an exception in the emulator. The only expected one is the semihosting call
	 * in a QEMU without semihosting.
	 */
own:
	mrs	x0, esr_el2
	lsr	x1, x0, #26
	cbnz	x1, 2f
	b	log_skip
2:	mrs	x1, elr_el2
	mrs	x2, far_el2
	b	own_fault

	.macro	vector name
	.balign	0x80
	\name
	.endm

	.macro	vector_exit
	.balign	0x80
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	b	exit
	.endm

	.balign	0x800
vectors:
	.rept	8
	vector	"b own"
	.endr
	.rept	8
	vector_exit
	.endr
	.balign	0x80

	.bss
	.balign	16
	.skip	4096
boot_stack_end:
