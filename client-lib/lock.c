/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lock that is one word, and a name for each thread. */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "private.h"

static void futex(uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Whoever had to come here leaves the word at 2, so the next unlock looks for sleepers: once too often at worst. */
RDL_COLD void rdl_lock_slow(struct rdl_lock *lock)
{
	while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
		futex(&lock->word, FUTEX_WAIT, 2);
}

RDL_COLD void rdl_unlock_slow(struct rdl_lock *lock)
{
	futex(&lock->word, FUTEX_WAKE, 1);
}

/* Not gettid(): those numbers, and those of pthread_self(), are used again. */
uint64_t rdl_thread_id(void)
{
	static uint64_t last;
	static _Thread_local uint64_t id __attribute__((__tls_model__("initial-exec")));

	if (RDL_UNLIKELY(!id))
		id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return id;
}
