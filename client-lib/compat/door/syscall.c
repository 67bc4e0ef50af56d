// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libc's syscall(): the three calls come here without a trap. All others go on as libc's do, with nothing on the stack that
 * a child which shares it could meet; so this is assembler. rd_door_syscall() is entered as syscall() was.
 */
#include <errno.h>

#include "next.h"
#include "raw.h"
#include "trap.h"

/* The number of rt_sigprocmask() is in the assembler, too. */
#ifdef __x86_64__
_Static_assert(SYS_rt_sigprocmask == 14 && RD_FIRST_CALL == 425 && RD_LAST_CALL == 427, "numbers below");
__asm__(".text\n"
	".p2align 4\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	leaq	-425(%rdi), %rax\n"
	"	cmpq	$2, %rax\n"
	"	jbe	rd_door_syscall\n"
	"	cmpq	$14, %rdi\n"
	"	je	rd_door_syscall\n"
	"	movq	%rdi, %rax\n"
	"	movq	%rsi, %rdi\n"
	"	movq	%rdx, %rsi\n"
	"	movq	%rcx, %rdx\n"
	"	movq	%r8, %r10\n"
	"	movq	%r9, %r8\n"
	"	movq	8(%rsp), %r9\n"
	"	syscall\n"
	"	cmpq	$-4095, %rax\n"
	"	jae	1f\n"
	"	ret\n"
	"1:	movq	%rax, %rdi\n"
	"	jmp	rd_door_failed\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n");
#else
_Static_assert(SYS_rt_sigprocmask == 135 && RD_FIRST_CALL == 425 && RD_LAST_CALL == 427, "numbers below");
__asm__(".text\n"
	".p2align 4\n"
	".globl syscall\n"
	".type syscall, %function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	hint	#34\n"		/* bti c */
	"	sub	x9, x0, #425\n"
	"	cmp	x9, #2\n"
	"	b.ls	2f\n"
	"	cmp	x0, #135\n"
	"	b.eq	2f\n"
	"	mov	x8, x0\n"
	"	mov	x0, x1\n"
	"	mov	x1, x2\n"
	"	mov	x2, x3\n"
	"	mov	x3, x4\n"
	"	mov	x4, x5\n"
	"	mov	x5, x6\n"
	"	svc	#0\n"
	"	cmn	x0, #4095\n"
	"	b.cs	1f\n"
	"	ret\n"
	"1:	b	rd_door_failed\n"
	"2:	b	rd_door_syscall\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n");
#endif

#pragma GCC visibility push(hidden)
long rd_door_failed(long r);
long rd_door_syscall(long nr, long a, long b, long c, long d, long e, long f);
#pragma GCC visibility pop

__attribute__((__used__)) long rd_door_failed(long r)
{
	return rd_raw_errno(r);
}

__attribute__((__used__)) long rd_door_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	const long arg[6] = { a, b, c, d, e, f };

	if (nr == SYS_rt_sigprocmask)
		return rd_raw_errno(rd_door_sigprocmask((int)a, (const uint64_t *)b, (uint64_t *)c, (size_t)d));
	return rd_raw_errno(rd_door_serve_blocked(nr, arg));
}
