/* SPDX-License-Identifier: GPL-2.0-only */
/* The emulator's entry point (multiboot, 32-bit mode, paging off) and the world switch. */
	.set	MB_MAGIC, 0x1badb002
	.set	MB_FLAGS, 3		/* page-aligned modules, memory map */
	.set	EFER, 0xc0000080

	.section .multiboot, "a"
	.balign	4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.section .text
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	$stack_top, %esp
	movl	%ebx, %esi		/* save the multiboot information: CPUID clobbers EBX */

	movl	$0x80000001, %eax
	cpuid
	testl	$(1 << 26), %edx	/* 1 GiB pages: one table maps all memory */
	jz	no_cpu
	testl	$(1 << 2), %ecx		/* SVM */
	jz	no_cpu

	movl	$pdpt, %edi
	orl	$3, %edi
	movl	%edi, pml4
	movl	$pdpt, %edi
	xorl	%ecx, %ecx
1:	movl	%ecx, %eax		/* entry n = n GiB, present, writable, large */
	shll	$30, %eax
	orl	$0x83, %eax
	movl	%ecx, %edx
	shrl	$2, %edx
	movl	%eax, (%edi, %ecx, 8)
	movl	%edx, 4(%edi, %ecx, 8)
	incl	%ecx
	cmpl	$512, %ecx
	jne	1b

	movl	%cr4, %eax
	orl	$(1 << 5), %eax		/* PAE */
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$(1 << 8 | 1 << 12), %eax	/* LME, SVME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $start64

/*
 * Processors other than the first start here, in real mode at the start of the page TRAMPOLINE, to
 * which smp.c copies this code.
 */
	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	cld
	lgdtl	%cs:trampoline_gdt - trampoline
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x18, $ap_start
	.balign	4
trampoline_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:

	.code32
ap_start:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%cr4, %eax
	orl	$(1 << 5), %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$(1 << 8 | 1 << 12), %eax
	wrmsr
	movl	%cr0, %eax
	andl	$~0x60000000, %eax	/* INIT disables the caches */
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmp	$8, $ap_start64

no_cpu:
	movl	$no_cpu_text, %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, $0xe9
	jmp	1b
2:	movl	$1, %eax
	outl	%eax, $0xf4
	hlt
	jmp	2b

	.code64
start64:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack_top, %esp
	clgi				/* interrupts go to the guest only; never set again */
	movl	%esi, %edi
	call	cvm_main
	ud2

ap_start64:
	movq	ap_stack, %rsp
	clgi
	call	ap_main
	ud2

/* The handler of the NMI, whose only purpose is to end a VMRUN. */
	.globl	rig_nmi
rig_nmi:
	iretq

/*
 * void world_switch(struct vcpu *v, struct vmcb *vmcb): run the guest until the next VM exit.
 *
 * VMRUN switches RAX, RSP, RFLAGS, RIP and ES, CS, SS, DS. FS, GS, TR, LDTR and the system
 * call MSRs keep the guest's values, because the emulator does not use them.
 */
	.globl	world_switch
world_switch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	%rsi, %rax
	movq	0x08(%rdi), %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x28(%rdi), %rbp
	movq	0x30(%rdi), %rsi
	movq	0x40(%rdi), %r8
	movq	0x48(%rdi), %r9
	movq	0x50(%rdi), %r10
	movq	0x58(%rdi), %r11
	movq	0x60(%rdi), %r12
	movq	0x68(%rdi), %r13
	movq	0x70(%rdi), %r14
	movq	0x78(%rdi), %r15
	movq	0x38(%rdi), %rdi
	vmrun	%rax
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rcx, 0x08(%rdi)
	movq	%rdx, 0x10(%rdi)
	movq	%rbx, 0x18(%rdi)
	movq	%rbp, 0x28(%rdi)
	movq	%rsi, 0x30(%rdi)
	movq	%r8,  0x40(%rdi)
	movq	%r9,  0x48(%rdi)
	movq	%r10, 0x50(%rdi)
	movq	%r11, 0x58(%rdi)
	movq	%r12, 0x60(%rdi)
	movq	%r13, 0x68(%rdi)
	movq	%r14, 0x70(%rdi)
	movq	%r15, 0x78(%rdi)
	popq	0x38(%rdi)
	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	cld				/* C code expects a clear direction flag */
	ret

/* The code of the idle guest (tdx.c): halt until an interrupt is pending. */
	.globl	rig_halt
rig_halt:
	hlt
	jmp	rig_halt

	.section .rodata
no_cpu_text:
	.asciz	"cvm: stop: this CPU model has no SVM or no 1 GiB pages\n"
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00cf9b000000ffff	/* 32-bit code */
gdt_end:
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.section .bss
	.balign	4096
pml4:	.skip	4096
pdpt:	.skip	4096
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
