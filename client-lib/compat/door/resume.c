// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Back from the handler of SIGSYS to behind the system call, as the SYSRET instruction goes: rcx and r11 are nobody's after a
 * system call, so there are registers left to jump with. rt_sigreturn() does the same and is a quarter of what a trap costs.
 * It is left to it where there is more to undo than registers and the mask: an alternate stack that was disarmed, a shadow
 * stack, registers that were not saved in the way we know.
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include "raw.h"
#include "trap.h"

#ifdef __x86_64__
#ifndef SS_AUTODISARM
#define SS_AUTODISARM	(1u << 31)
#endif
#define FP_XSTATE	1u		/* uc_flags: UC_FP_XSTATE */
#define MAGIC		0x46505853u	/* FP_XSTATE_MAGIC1 */

/* What the kernel says of the area in bytes that no instruction uses: struct _fpx_sw_bytes. */
#define SAVED_MAGIC	464
#define SAVED_FEATURES	472

#define REG(name)	(offsetof(ucontext_t, uc_mcontext.gregs) + (name) * sizeof(greg_t))
_Static_assert(REG(REG_R8) == 40 && REG(REG_R9) == 48 && REG(REG_R10) == 56 && REG(REG_R12) == 72 && REG(REG_R13) == 80 &&
	       REG(REG_R14) == 88 && REG(REG_R15) == 96 && REG(REG_RDI) == 104 && REG(REG_RSI) == 112 && REG(REG_RBP) == 120 &&
	       REG(REG_RBX) == 128 && REG(REG_RDX) == 136 && REG(REG_RAX) == 144 && REG(REG_RSP) == 160 &&
	       REG(REG_RIP) == 168 && REG(REG_EFL) == 176 && offsetof(ucontext_t, uc_mcontext.fpregs) == 224 &&
	       offsetof(ucontext_t, uc_sigmask) == 296 && SYS_rt_sigprocmask == 14, "numbers below");

/*
 * The stack we are on may be overwritten from the moment the stack pointer is the program's: everything has been read by then.
 * Signals that were blocked are delivered within rt_sigprocmask().
 */
__asm__(".text\n"
	".p2align 4\n"
	".globl rd_door_resume\n"		/* link-time optimisation may put the two halves of this file apart */
	".hidden rd_door_resume\n"
	".type rd_door_resume, @function\n"
	"rd_door_resume:\n"				/* (ucontext, features of xrstor, are signals to be unblocked?) */
	"	.cfi_startproc\n"
	"	.cfi_undefined rbx\n"
	"	.cfi_undefined rbp\n"
	"	movq	%rdi, %rbx\n"
	"	movq	%rsi, %rbp\n"
	"	testl	%edx, %edx\n"
	"	je	1f\n"
	"	movl	$14, %eax\n"
	"	movl	$2, %edi\n"
	"	leaq	296(%rbx), %rsi\n"
	"	xorl	%edx, %edx\n"
	"	movl	$8, %r10d\n"
	"	syscall\n"
	"1:	movl	%ebp, %eax\n"
	"	movq	%rbp, %rdx\n"
	"	shrq	$32, %rdx\n"
	"	movq	224(%rbx), %rcx\n"
	"	xrstor64 (%rcx)\n"
	"	pushq	176(%rbx)\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	popfq\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	movq	40(%rbx), %r8\n"
	"	movq	48(%rbx), %r9\n"
	"	movq	56(%rbx), %r10\n"
	"	movq	72(%rbx), %r12\n"
	"	movq	80(%rbx), %r13\n"
	"	movq	88(%rbx), %r14\n"
	"	movq	96(%rbx), %r15\n"
	"	movq	104(%rbx), %rdi\n"
	"	movq	112(%rbx), %rsi\n"
	"	movq	120(%rbx), %rbp\n"
	"	movq	136(%rbx), %rdx\n"
	"	movq	144(%rbx), %rax\n"
	"	movq	160(%rbx), %r11\n"
	"	movq	168(%rbx), %rcx\n"
	"	movq	128(%rbx), %rbx\n"
	"	movq	%r11, %rsp\n"
	"	notrack jmp *%rcx\n"
	"	.cfi_endproc\n"
	".size rd_door_resume, .-rd_door_resume\n");

#pragma GCC visibility push(hidden)
void rd_door_resume(const ucontext_t *uc, uint64_t features, bool unblock) __attribute__((__noreturn__));
#pragma GCC visibility pop

/* Returns would not match it. Where there is none the instruction does nothing. */
static bool has_shadow_stack(void)
{
	uint64_t ssp = 0;

	__asm__ volatile("rdsspq %0" : "+r"(ssp));
	return ssp;
}

void rd_resume(const ucontext_t *uc, bool unblock)
{
	const char *saved = (const char *)uc->uc_mcontext.fpregs;
	uint32_t magic;
	uint64_t features;

	if (!(uc->uc_flags & FP_XSTATE) || !saved || (unsigned int)uc->uc_stack.ss_flags & SS_AUTODISARM || has_shadow_stack())
		return;
	memcpy(&magic, saved + SAVED_MAGIC, sizeof(magic));
	memcpy(&features, saved + SAVED_FEATURES, sizeof(features));
	if (magic == MAGIC)
		rd_door_resume(uc, features, unblock);
}
#else
/* Elsewhere a system call leaves no register to anybody but its result. */
void rd_resume(const ucontext_t *uc, bool unblock)
{
	(void)uc;
	(void)unblock;
}
#endif
