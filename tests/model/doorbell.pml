/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client -> engine: the doorbell.
 *
 * Each client stores its tail (a plain ring: enter_seq), full barrier, reads NEED_WAKEUP and writes the ring's eventfd if
 * it is set. The reactor looks at its active rings; one that brought nothing for the spin time gets NEED_WAKEUP, then,
 * behind a full barrier, a last look, and leaves the active list. With no active ring the reactor sleeps in epoll.
 * The eventfds are edge-triggered and never read: event[r] is the edge that epoll has not reported yet, any number of
 * writes before the report are one.
 *
 * Property: every submission is served; in particular there is no state in which the reactor sleeps for ever with a tail
 * it has not seen. Two rings, so that one may be idle while the other keeps the reactor awake.
 *
 * Must fail with
 *   -DNO_CLIENT_BARRIER
 *   -DNO_ENGINE_BARRIER
 *   -DNO_RECHECK
 *   -DEVENT_TAKEN_LATE			the event is forgotten after the visit, not before
 */
#include "memory.pml"

#define RINGS		2
#define SUBMISSIONS	2
#define TAIL(r)		(r)		/* the client's word */
#define FLAGS(r)	(RINGS + (r))	/* the engine's: NEED_WAKEUP */

byte mem[4];
chan sb_client[RINGS] = [2] of { byte, byte };
chan sb_engine = [4] of { byte, byte };
bool event[RINGS];
byte served[RINGS];	/* the engine's private heads */

proctype client(byte r)
{
	byte n = 0;

	do
	:: n < SUBMISSIONS ->
		n++;
		STORE(sb_client[r], TAIL(r), n);
#ifndef NO_CLIENT_BARRIER
		BARRIER(sb_client[r]);
#endif
		if
		:: mem[FLAGS(r)] -> event[r] = true
		:: else
		fi
	:: else -> break
	od
}

/* One look at a ring on the active list. */
inline visit(r)
{
	if
	:: polled[r] ->
		tail = mem[TAIL(r)];
		if
		:: tail != served[r] -> served[r] = tail
		:: else -> skip			/* spin on */
		:: tail == served[r] ->		/* the spin time is over */
			STORE(sb_engine, FLAGS(r), 1);
#ifndef NO_ENGINE_BARRIER
			BARRIER(sb_engine);
#endif
#ifndef NO_RECHECK
			tail = mem[TAIL(r)];
#endif
			if
			:: tail != served[r] -> STORE(sb_engine, FLAGS(r), 0); served[r] = tail
			:: else -> polled[r] = false
			fi
		fi
	:: else
	fi
}

/* What epoll reports for one ring. Reporting is what takes the edge, so it comes before the visit. */
inline take_event(r)
{
	if
	:: event[r] ->
#ifdef EVENT_TAKEN_LATE
		if
		:: !polled[r] -> STORE(sb_engine, FLAGS(r), 0); polled[r] = true; visit(r)
		:: else
		fi;
		event[r] = false
#else
		event[r] = false;
		if
		:: !polled[r] -> STORE(sb_engine, FLAGS(r), 0); polled[r] = true
		:: else
		fi
#endif
	:: else
	fi
}

active proctype engine()
{
	bool polled[RINGS];	/* on the active list */
	byte tail;

	polled[0] = true;
	polled[1] = true;
	do
	:: true ->
		visit(0);
		visit(1);
end_sleep:	(polled[0] || polled[1] || event[0] || event[1]);	/* epoll: returns at once while a ring is active */
		take_event(0);
		take_event(1)
	od
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	:: DRAIN_RELAXED(sb, FLAGS(0))
	:: DRAIN_RELAXED(sb, FLAGS(1))
	od
}

#ifdef LIVENESS
ltl all_served { <> (served[0] == SUBMISSIONS && served[1] == SUBMISSIONS) }
#else
/* timeout: nothing else in the model can move */
active proctype nobody_stuck()
{
end:	timeout -> assert(served[0] == SUBMISSIONS && served[1] == SUBMISSIONS)
}
#endif

init
{
	atomic {
		run drain(sb_client[0]);
		run drain(sb_client[1]);
		run drain(sb_engine);
		run client(0);
		run client(1)
	}
}
