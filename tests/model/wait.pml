/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Engine -> client: the wait word.
 *
 * The client that wants to sleep stores {sequence, target} into the wait word, full barrier, looks at cq_tail once more
 * and sleeps in poll() on the wake socket. The engine publishes CQEs and cq_tail, full barrier, loads the wait word once,
 * and sends one byte if it is armed, its target is reached and its sequence has not been signalled yet. After waking the
 * client drains the socket and only then looks at cq_tail. A byte may be late: it then belongs to an earlier wait.
 *
 * At every step the client chooses between a blocking wait for any number of CQEs and the event-loop mode of
 * ringd_ring_fd() (reap until empty, drain, arm for one more, barrier, look again, and leave the sleeping to a poll()
 * of somebody else). The engine may die at any moment: the kernel then closes its end of the socket, which wakes too.
 * The other kinds of wait (enter_done, sq_head) differ only in the word that is compared.
 *
 * Properties: the client never sleeps for ever with its target reached or the engine dead; at most one byte per sequence;
 * what lies below cq_tail is complete; a byte that the socket has no room for is not missed.
 *
 * Must fail with
 *   -DNO_CLIENT_BARRIER
 *   -DNO_ENGINE_BARRIER
 *   -DNO_RECHECK
 *   -DDRAIN_LATE			the socket is emptied after the look at cq_tail
 *   -DWAIT_LOADED_TWICE		target and sequence come from two loads
 *   -DNO_SEQUENCE			the engine does not remember what it has signalled
 *   -DNO_HANGUP			the death of the engine is not told by the socket
 *   -DNO_RELEASE -DWEAK		cq_tail may become visible before the CQEs
 */
#include "memory.pml"

#define CQES		3
#define CQE(i)		(i)
#define CQ_TAIL		CQES
#define WAIT		(CQES + 1)
#define WORD(seq, target)	((seq) * 8 + (target))
#define SEQ(word)	((word) / 8)
#define TARGET(word)	((word) % 8)

byte mem[5];
chan sb_client = [2] of { byte, byte };
chan sb_engine = [4] of { byte, byte };
bit wake;		/* a byte is in the socket; the smallest socket buffer there can be */
bool hangup;		/* the engine's end is closed */
bool client_ended;

active proctype engine()
{
	byte tail, n, word, last;
#ifdef WAIT_LOADED_TWICE
	byte target;
#endif
	int signalled;		/* bit set of sequences */

	do
	:: tail < CQES ->
		if
		:: n = 1
		:: n = CQES - tail
		fi;
		do
		:: n > 0 -> STORE(sb_engine, CQE(tail), tail + 1); tail++; n--
		:: else -> break
		od;
		STORE(sb_engine, CQ_TAIL, tail);
#ifndef NO_ENGINE_BARRIER
		BARRIER(sb_engine);
#endif
#ifdef WAIT_LOADED_TWICE
		target = TARGET(mem[WAIT]);
#endif
		word = mem[WAIT];
#ifdef WAIT_LOADED_TWICE
		word = WORD(SEQ(word), target);
#endif
		if
#ifdef NO_SEQUENCE
		:: word != 0 && tail >= TARGET(word) ->
#else
		:: word != 0 && tail >= TARGET(word) && SEQ(word) != last ->
#endif
			last = SEQ(word);
			assert(!(signalled & (1 << last)));
			signalled = signalled | (1 << last);
			wake = 1	/* a full socket swallows the byte: there is one in it */
		:: else
		fi
	:: true -> break	/* killed */
	:: tail == CQES -> goto idle	/* alive, nothing to do any more */
	od;
	/* the kernel closes the socket only after the stores of the dead are visible */
#ifndef NO_HANGUP
	BARRIER(sb_engine);
	hangup = true;
#else
	skip;
#endif
idle:	skip
}

inline reap(want)
{
	tail = mem[CQ_TAIL];
	do
	:: seen < tail && want > 0 ->
		assert(mem[CQE(seen)] == seen + 1);
		seen++;
		want--
	:: else -> break
	od
}

inline arm(target)
{
	seq++;
	assert(seq < 16);
	STORE(sb_client, WAIT, WORD(seq, target));
#ifndef NO_CLIENT_BARRIER
	BARRIER(sb_client)
#else
	skip
#endif
}

active proctype client()
{
	byte seen, tail, seq, target, n;

	do
	:: seen == CQES -> break
	:: seen < CQES ->		/* blocking wait */
		if
		:: n = 1
		:: n = CQES - seen
		fi;
		target = seen + n;
		arm(target);
#ifndef NO_RECHECK
		if
		:: mem[CQ_TAIL] >= target -> goto reached
		:: else
		fi;
#endif
sleep:		(wake || hangup);
#ifdef DRAIN_LATE
		if
		:: mem[CQ_TAIL] >= target -> wake = 0; goto reached
		:: else -> wake = 0
		fi;
#else
		wake = 0;
		if
		:: mem[CQ_TAIL] >= target -> goto reached
		:: else
		fi;
#endif
		if
		:: hangup -> goto reset
		:: else -> goto sleep	/* a late byte; this wait is still armed */
		fi;
reached:	STORE(sb_client, WAIT, 0);
		reap(n)
	:: seen < CQES ->		/* event loop */
		n = CQES;
		reap(n);
		if
		:: seen == CQES -> break
		:: else
		fi;
#ifndef DRAIN_LATE
		wake = 0;
#endif
		arm(seen + 1);
#ifdef NO_RECHECK
		if
#else
		if
		:: mem[CQ_TAIL] > seen
#ifdef DRAIN_LATE
			-> wake = 0
#endif
#endif
		:: else ->
#ifdef DRAIN_LATE
			wake = 0;
#endif
			(wake || hangup);
			if
			:: hangup -> n = CQES; reap(n); goto reset
			:: else
			fi
		fi
	od;
reset:	client_ended = true
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	:: DRAIN_RELAXED(sb, CQE(0))
	:: DRAIN_RELAXED(sb, CQE(1))
	:: DRAIN_RELAXED(sb, CQE(2))
#ifdef NO_RELEASE
	:: DRAIN_RELAXED(sb, CQ_TAIL)
#endif
	od
}

/* The client ends: by all CQEs, or by the hang-up of an engine that died early. */
#ifdef LIVENESS
ltl client_ends { <> client_ended }
#else
active proctype nobody_stuck()
{
end:	timeout -> assert(client_ended)
}
#endif

init
{
	atomic {
		run drain(sb_client);
		run drain(sb_engine)
	}
}
