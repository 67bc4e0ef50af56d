/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared memory as CPUs show it, included by every model.
 *
 * A store goes into the storing thread's buffer and becomes visible to others later, at a moment that the checker
 * chooses (a drain process per thread). A full barrier waits until the own buffer is empty. Loads happen in program
 * order and see mem[] only: no thread of these protocols reads back a word that it writes itself.
 * That is x86 (TSO). With -DWEAK the buffer is left out of order too, as on arm64: entries of one word keep their order,
 * a word stored with release leaves only after everything stored before it.
 * System calls are not counted as barriers.
 */
#define STORE(sb, word, value)	sb!word,value
#define BARRIER(sb)		empty(sb)

/* One clause of a drain process: any word, in order */
#define DRAIN_IN_ORDER(sb)	atomic { sb?w,v -> mem[w] = v }
/* The same for one word that is stored relaxed: may overtake */
#ifdef WEAK
#define DRAIN_RELAXED(sb, word)	atomic { sb??eval(word),v -> mem[word] = v }
#else
#define DRAIN_RELAXED(sb, word)	DRAIN_IN_ORDER(sb)
#endif
