/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The enter call of a plain ring (no SQPOLL), both handshakes around it.
 *
 * The client fills slots, stores sq_tail, enter_to_submit and enter_seq, full barrier, rings the doorbell if NEED_WAKEUP
 * is set, and waits until enter_done has its number: spinning, or asleep behind the wait word. The engine looks at
 * enter_seq only; it takes min(enter_to_submit, sq_tail - head) SQEs, stops behind a bad one, and publishes, in this
 * order, the CQEs, sq_head, enter_res and enter_done.
 *
 * Properties: an enter returns; its result is the distance that sq_head moved; everything up to the first bad SQE was
 * taken and nothing behind it; each taken SQE has its CQE when the call returns; the engine never reads a slot that the
 * client has filled again.
 *
 * Must fail with
 *   -DNO_CLIENT_BARRIER		doorbell
 *   -DNO_ENGINE_BARRIER
 *   -DNO_RECHECK
 *   -DNO_ARM_BARRIER			wait word
 *   -DNO_PUBLISH_BARRIER
 *   -DNO_WAIT_RECHECK
 *   -DDONE_BEFORE_CQES
 *   -DDONE_BEFORE_COPY
 *   -DGO_ON_AFTER_BAD
 *   -DNO_RELEASE_SEQ -DWEAK
 *   -DNO_RELEASE_DONE -DWEAK
 */
#include "memory.pml"

#define SLOTS		2
#define TOTAL		3		/* SQEs in the client's life */
#define SQE(i)		((i) % SLOTS)	/* content: 2 * (index + 1) + is it bad */
#define SQ_TAIL		2
#define TO_SUBMIT	3
#define ENTER_SEQ	4
#define WAIT		5
#define FLAGS		6
#define CQ_TAIL		7
#define SQ_HEAD		8
#define ENTER_RES	9
#define ENTER_DONE	10

byte mem[11];
chan sb_client = [5] of { byte, byte };
chan sb_engine = [5] of { byte, byte };
bit event;		/* an edge of the doorbell not yet reported */
bit wake;		/* a byte in the wake socket */
bool client_ended;

inline enter()
{
	STORE(sb_client, SQ_TAIL, tail);
	STORE(sb_client, TO_SUBMIT, tail - head);
	seq++;
	STORE(sb_client, ENTER_SEQ, seq);
#ifndef NO_CLIENT_BARRIER
	BARRIER(sb_client);
#endif
	if
	:: mem[FLAGS] -> event = 1
	:: else
	fi
}

/* spins, or gives up spinning and sleeps */
inline wait_done()
{
	if
	:: mem[ENTER_DONE] == seq
	:: true ->
		STORE(sb_client, WAIT, seq);
#ifndef NO_ARM_BARRIER
		BARRIER(sb_client);
#endif
		do
#ifdef NO_WAIT_RECHECK
		:: wake -> wake = 0;
			if
			:: mem[ENTER_DONE] == seq -> break
			:: else
			fi
#else
		:: mem[ENTER_DONE] == seq -> break
		:: else -> wake -> wake = 0
#endif
		od;
		STORE(sb_client, WAIT, 0)
	fi
}

active proctype client()
{
	byte head, tail, seq, i, res;
	byte bad;		/* bit i: SQE i was made bad */

	do
	:: head == TOTAL -> break
	:: else ->
		do
		:: tail < TOTAL && tail - head < SLOTS ->
			if
			:: STORE(sb_client, SQE(tail), 2 * (tail + 1))
			:: STORE(sb_client, SQE(tail), 2 * (tail + 1) + 1); bad = bad | (1 << tail)
			fi;
			tail++
		:: tail > head -> break
		od;
		enter();
		wait_done();
		res = mem[ENTER_RES];
		assert(res >= 1 && res <= tail - head);
		assert(mem[SQ_HEAD] == head + res);
		assert(mem[CQ_TAIL] == head + res);
		i = head;
		head = head + res;
		do		/* all but the last one were good; the last one is bad or it was all */
		:: i + 1 < head -> assert(!(bad & (1 << i))); i++
		:: else -> break
		od;
		assert(head == tail || (bad & (1 << i)))
	od;
	client_ended = true
}

inline take_sqes()
{
	n = mem[TO_SUBMIT];
	if
	:: n > mem[SQ_TAIL] - head -> n = mem[SQ_TAIL] - head
	:: else
	fi;
	res = 0;
	do
	:: res < n ->
		sqe = mem[SQE(head)];
		assert(sqe / 2 == head + 1);
		head++;
		res++;
#ifndef GO_ON_AFTER_BAD
		if
		:: sqe % 2 -> break
		:: else
		fi
#endif
	:: else -> break
	od
}

inline publish()
{
#ifdef DONE_BEFORE_CQES
	STORE(sb_engine, SQ_HEAD, head);
	STORE(sb_engine, ENTER_RES, res);
	STORE(sb_engine, ENTER_DONE, seen);
	STORE(sb_engine, CQ_TAIL, head);
#else
	STORE(sb_engine, CQ_TAIL, head);
	STORE(sb_engine, SQ_HEAD, head);
	STORE(sb_engine, ENTER_RES, res);
	STORE(sb_engine, ENTER_DONE, seen);
#endif
#ifndef NO_PUBLISH_BARRIER
	BARRIER(sb_engine);
#endif
	n = mem[WAIT];
	if
	:: n != 0 && n == seen && n != signalled -> signalled = n; wake = 1
	:: else
	fi
}

inline serve()
{
	seen = mem[ENTER_SEQ];
#ifdef DONE_BEFORE_COPY
	n = mem[TO_SUBMIT];
	STORE(sb_engine, CQ_TAIL, head + n);
	STORE(sb_engine, SQ_HEAD, head + n);
	STORE(sb_engine, ENTER_RES, n);
	STORE(sb_engine, ENTER_DONE, seen);
	take_sqes();
#else
	take_sqes();
#endif
	publish()
}

active proctype engine()
{
	byte head, seen, n, res, sqe, signalled;

	do
	:: mem[ENTER_SEQ] != seen -> serve()
	:: mem[ENTER_SEQ] == seen ->		/* the spin time is over */
		STORE(sb_engine, FLAGS, 1);
#ifndef NO_ENGINE_BARRIER
		BARRIER(sb_engine);
#endif
		if
#ifndef NO_RECHECK
		:: mem[ENTER_SEQ] != seen
		:: else ->
#else
		:: true ->
#endif
end_sleep:		event;
			event = 0
		fi;
		STORE(sb_engine, FLAGS, 0)
	od
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	:: DRAIN_RELAXED(sb, SQE(0))
	:: DRAIN_RELAXED(sb, SQE(1))
	:: DRAIN_RELAXED(sb, TO_SUBMIT)
	:: DRAIN_RELAXED(sb, WAIT)
	:: DRAIN_RELAXED(sb, FLAGS)
	:: DRAIN_RELAXED(sb, ENTER_RES)
#ifdef NO_RELEASE_SEQ
	:: DRAIN_RELAXED(sb, ENTER_SEQ)
#endif
#ifdef NO_RELEASE_DONE
	:: DRAIN_RELAXED(sb, ENTER_DONE)
#endif
	od
}

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
