/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a ring while its requests are on workers.
 *
 * A client submits requests, may free the arena they work on and the ring, and closes its connection in the end (or dies:
 * the same for the engine). The engine may find a protocol error at any time. Whatever comes first makes the ring DYING:
 * nothing more is taken from its SQ, work that has not started is taken back under the pool's lock, and what runs is
 * waited for. A worker hands its request back through the return queue and, behind a full barrier, looks whether the
 * reactor sleeps (and nobody has woken it yet); the reactor says that it sleeps and, behind a full barrier, looks at the
 * queue. The last request to come back frees the ring. An arena is unmapped when it was given back and no request holds it.
 *
 * Properties: nothing touches the ring or its requests after the ring was freed, nor the arena after it was unmapped;
 * no request completes twice; when the client has gone and the workers have returned, every accepted request has
 * completed, ring and arena are gone too (no lost wake-up of the reactor, nothing is kept for ever).
 *
 * Must fail with
 *   -DNO_WORKER_BARRIER
 *   -DNO_REACTOR_BARRIER
 *   -DNO_RECHECK
 *   -DFREE_UNDRAINED			the ring is freed when it is killed
 *   -DUNMAP_EARLY			the arena is unmapped when it is given back
 *   -DCANCEL_UNLOCKED			not started? and: taken back, are two steps
 *   -DTOUCH_AFTER_RETURN		the worker looks at the request after it handed it back
 *   -DSTALE_SESSION			a killed ring can still be found by its id
 *   -DTAKE_WHILE_DYING
 */
#include "memory.pml"

#define REQS		2
#define WORKERS		2
#define RETURNED(r)	(r)		/* on the return queue */
#define SLEEPING	REQS		/* the reactor's */

/* rd_work.state */
#define IDLE		0
#define QUEUED		1
#define RUNNING		2

mtype = { RING_FREE, ARENA_FREE, GONE };

byte mem[3];
chan sb_worker[WORKERS] = [1] of { byte, byte };
chan sb_reactor = [2] of { byte, byte };
chan control = [1] of { mtype };	/* the client's socket */
bit event;				/* an edge of the reactor's eventfd */
byte submitted, taken;			/* SQEs: published, accepted */
byte state[REQS];			/* of the work; changes under the pool's lock, that is atomically */
byte completed[REQS];
bool ring_freed, arena_unmapped, client_gone;

active proctype client()
{
	do
	:: submitted < REQS -> submitted++
	:: control!RING_FREE
	:: control!ARENA_FREE
	:: control!GONE -> break
	od;
	client_gone = true
}

proctype worker(byte self)
{
	byte r;

end:	do
	:: atomic {
		if
		:: state[0] == QUEUED -> r = 0
		:: state[1] == QUEUED -> r = 1
		fi;
		state[r] = RUNNING
	   };
		assert(!ring_freed && !arena_unmapped);		/* reads the request, starts the system call */
		assert(!ring_freed && !arena_unmapped);		/* data arrives; the result goes into the request */
		STORE(sb_worker[self], RETURNED(r), 1);
#ifndef NO_WORKER_BARRIER
		BARRIER(sb_worker[self]);
#endif
#ifdef TOUCH_AFTER_RETURN
		assert(!ring_freed);
#endif
		if
		:: atomic { mem[SLEEPING] -> mem[SLEEPING] = 0 };
			event = 1		/* one wakes for all */
		:: else
		fi
	od
}

inline free_if_drained()
{
	if
	:: dying && inflight == 0 && !ring_freed ->
		ring_freed = true;
#ifndef STALE_SESSION
		session_has_ring = false
#endif
	:: else
	fi
}

inline complete(r)
{
	assert(!ring_freed && completed[r] < taken);
	state[r] = IDLE;
	completed[r]++;
	assert(completed[r] == 1);
	inflight--;
	if
	:: arena_given_back && inflight == 0 -> arena_unmapped = true
	:: else
	fi;
	free_if_drained()
}

inline give_back_arena()
{
	arena_given_back = true;
	if
#ifdef UNMAP_EARLY
	:: true -> arena_unmapped = true
#else
	:: inflight == 0 -> arena_unmapped = true
	:: else
#endif
	fi
}

/* Take back what has not started; the pool's lock makes looking and taking one step. */
inline cancel(r)
{
#ifdef CANCEL_UNLOCKED
	if
	:: state[r] == QUEUED -> complete(r)
	:: else
	fi
#else
	atomic {
		if
		:: state[r] == QUEUED -> state[r] = IDLE; cancelled = true
		:: else -> cancelled = false
		fi
	};
	if
	:: cancelled -> complete(r)
	:: else
	fi
#endif
}

inline kill_ring()
{
	if
	:: !dying ->
		dying = true;
		cancel(0);
		cancel(1);
#ifdef FREE_UNDRAINED
		ring_freed = true;
#endif
		free_if_drained()
	:: else
	fi
}

/* the session names its ring by an id; whatever it does with the pointer behind it reads the ring */
inline end_ring()
{
	if
	:: session_has_ring ->
		assert(!ring_freed);
		kill_ring()
	:: else
	fi
}

inline take_back(r)
{
	if
	:: mem[RETURNED(r)] -> mem[RETURNED(r)] = 0; complete(r)
	:: else
	fi
}

/* One packet of the client's, if there is one. */
inline serve_control()
{
	if
	:: control?RING_FREE -> end_ring()
	:: control?ARENA_FREE -> give_back_arena()
	:: control?GONE -> end_ring(); give_back_arena()
	:: empty(control)
	fi
}

/* One SQE, or a protocol error, or nothing. */
inline visit_ring()
{
	if
#ifdef TAKE_WHILE_DYING
	:: taken < submitted ->
#else
	:: taken < submitted && !dying ->
#endif
		assert(!ring_freed);
		taken++;
		if
		:: arena_given_back -> completed[taken - 1] = 1		/* -EFAULT, at once */
		:: else -> inflight++; state[taken - 1] = QUEUED
		fi
	:: !dying -> kill_ring()
	:: dying || taken == submitted
	fi
}

active proctype reactor()
{
	byte inflight;
	bool dying, arena_given_back, cancelled;
	bool session_has_ring = true;

	do
	:: true ->
		take_back(0);
		take_back(1);
		serve_control();
		visit_ring();
		if
		:: true				/* spin on */
		:: true ->			/* the spin time is over */
			STORE(sb_reactor, SLEEPING, 1);
#ifndef NO_REACTOR_BARRIER
			BARRIER(sb_reactor);
#endif
			if
#ifndef NO_RECHECK
			:: mem[RETURNED(0)] || mem[RETURNED(1)]
			:: else ->
#else
			:: true ->
#endif
				/* doorbell.pml tells why a submission wakes */
end_sleep:			(event || nempty(control) || (taken < submitted && !dying));
				event = 0
			fi;
			STORE(sb_reactor, SLEEPING, 0)
		fi
	od
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	od
}

#define ALL_GONE	(ring_freed && arena_unmapped && completed[0] == (taken > 0) && completed[1] == (taken > 1))

#ifdef LIVENESS
ltl all_freed { [] (client_gone -> <> ALL_GONE) }
#else
active proctype nobody_stuck()
{
end:	timeout -> assert(ALL_GONE)
}
#endif

init
{
	atomic {
		run drain(sb_worker[0]);
		run drain(sb_worker[1]);
		run drain(sb_reactor);
		run worker(0);
		run worker(1)
	}
}
