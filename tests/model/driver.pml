/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings inside a process: who drives, who sleeps where, who wakes whom (client-lib/compat/local/driver.c).
 *
 * Whoever has the lock may give the reactor a turn. At most one is the driver: a thread that waits (it sleeps on the loop), or
 * the background thread (on an epoll set with the loop in it, while that is armed, and a bell). Others that wait sleep at a bell
 * of their own. Workers return work without the lock and wake the loop only if "sleeping" says so; what a socket has to tell is
 * in the loop, and becomes work by a look at it; an SQ is polled, or its program sees NEED_WAKEUP and makes a call. A handler may
 * interrupt a thread that waits, just before it sleeps or in its sleep, and wait itself. Whoever makes a call looks at the loop,
 * too, whoever drives. A ring's descriptor becomes readable with a CQE if somebody has asked for that.
 *
 * Properties: everything that was brought is completed; who waits for it returns, unless it has given up before; who sleeps
 * at the ring's descriptor sees all of it; what is in the SQ is taken.
 *
 * Must fail with
 *   -DNO_WORKER_BARRIER
 *   -DNO_DOZE_BARRIER
 *   -DNO_DOZE_CHECK			who goes to sleep does not look at what was returned
 *   -DNO_SQ_BARRIER
 *   -DNO_CLIENT_BARRIER
 *   -DNO_SQ_CHECK			NEED_WAKEUP, and no look at the SQ
 *   -DSQ_LEFT_AWAKE			the driver sleeps while an SQ is polled
 *   -DEVENTS_LATE			the loop is looked at after the turn, then sleep
 *   -DNO_HANDOVER			a driver that leaves names nobody
 *   -DNO_STROKE			... or does not ring
 *   -DOUTER_FIRST			... or names one whose handler waits
 *   -DNO_BACKGROUND			... or nobody when nobody waits
 *   -DNOT_ARMED			the background thread drives, and does not hear the loop
 *   -DNO_TAKEOVER			a handler does not take its own thread's place
 *   -DNO_MOVE			... or leaves that to sleep where it meant to
 *   -DNO_SECOND_RING		a driver that was told is not told again after its edge was taken
 *   -DCALL_KEEPS_ASLEEP		a call that wakes an SQ does not wake the driver
 *   -DNO_WATCH			the descriptor is not kept true
 */
#include "memory.pml"

#define OUTER		0	/* its thread's handler is INNER */
#define INNER		1
#define ASIDE		2
#define WAITERS		3
#define BACKGROUND	3
#define NOBODY		4

#define RETURNED	0	/* words: how many works, */
#define SLEEPING	1
#define SQ_TAIL		2
#define NEED_WAKEUP	3
#define WORKS		1
#define ALL		(WORKS + 1)
#ifdef LIVENESS
#define VISITS		1	/* fairness makes ten times as many states */
#else
#define VISITS		2
#endif

byte mem[4];
chan sb_worker = [1] of { byte, byte };
chan sb_client = [1] of { byte, byte };
chan sb_lock = [3] of { byte, byte };	/* of whoever has the lock: empty when it is given back */

bool lock;
byte driver = BACKGROUND;
bool asleep, armed, ctl = 1;
bool edge;			/* the loop's eventfd was written to */
bool socket;			/* something is ready */
bool pending;			/* and known */
byte taken, tail, served;
bool polled, sq_awake, sq_tired;
bool watched, readable;
bool waiting[WAITERS], bell[WAITERS], moved[WAITERS], ended[WAITERS];
bool interrupted, seen_all, looked, submitted;

#define LOOP	(edge || socket)
#define REACHED(w)	(tail >= (w == OUTER -> 1 : ALL))

inline take_lock()
{
	atomic { !lock -> lock = true }
}

inline let_go()
{
	atomic { empty(sb_lock) -> lock = false; worked = false; ok = false }
}

inline tell(w)
{
	if
	:: waiting[w] && REACHED(w) && driver != w -> bell[w] = 1
	:: waiting[w] && REACHED(w) && driver == w && asleep -> edge = 1
	:: else
	fi
}

inline events()
{
	atomic {
		edge = 0;
		if
		:: socket -> socket = 0; pending = 1
		:: else
		fi
	}
}

inline turn()
{
	atomic {
		worked = false;
		if
		:: sq_awake && mem[SQ_TAIL] != served -> served = mem[SQ_TAIL]; worked = true
		:: else
		fi;
		if
		:: mem[RETURNED] != taken || pending ->
			tail = tail + mem[RETURNED] - taken + pending;
			taken = mem[RETURNED];
			pending = 0;
			worked = true;
			tell(OUTER);
			tell(INNER);
			tell(ASIDE);
			readable = readable || watched
		:: else
		fi
	}
}

/* The loop is looked at now and then, before the turn. */
inline turn_on()
{
#ifdef EVENTS_LATE
	turn();
#endif
	if
	:: LOOP && !looked -> looked = true; events()
	:: true
	fi;
#ifndef EVENTS_LATE
	turn()
#endif
}

/* An SQ that has been empty for its time asks for calls. */
inline calm()
{
	if
	:: sq_awake && !sq_tired -> sq_tired = true
	:: sq_awake && sq_tired ->
		STORE(sb_lock, NEED_WAKEUP, 1);
#ifndef NO_SQ_BARRIER
		BARRIER(sb_lock);
#endif
		atomic {
			if
#ifndef NO_SQ_CHECK
			:: mem[SQ_TAIL] != served -> STORE(sb_lock, NEED_WAKEUP, 0); sq_tired = false
#endif
			:: else -> sq_awake = 0
			fi
		}
	:: else
	fi
}

inline doze()
{
	STORE(sb_lock, SLEEPING, 1);
#ifndef NO_DOZE_BARRIER
	BARRIER(sb_lock);
#endif
#ifndef NO_DOZE_CHECK
	ok = (mem[RETURNED] == taken)
#else
	ok = true
#endif
}

inline woken()
{
	asleep = false;
	STORE(sb_lock, SLEEPING, 0);
	events()
}

inline give_to_background()
{
	driver = BACKGROUND;
	turn();
	ok = false;
	if
	:: !sq_awake && !worked -> doze()
	:: else
	fi;
	atomic {
		asleep = ok;
		if
		:: ok ->
#ifndef NOT_ARMED
			armed = true
#else
			skip
#endif
		:: else -> ctl = 1
		fi
	}
}

inline name(w)
{
	driver = w;
	asleep = false;
#ifndef NO_STROKE
	bell[w] = 1
#endif
}

inline leave()
{
	if
	:: driver != NOBODY && asleep ->
		doze();
		atomic {
			if
			:: !ok -> edge = 1
#ifndef CALL_KEEPS_ASLEEP
			:: sq_awake -> edge = 1
#endif
#ifndef NO_SECOND_RING
			:: driver < WAITERS && REACHED(driver) -> edge = 1
#endif
			:: else
			fi
		}
	:: driver != NOBODY && !asleep
#ifndef NO_HANDOVER
#ifdef OUTER_FIRST
	:: atomic { driver == NOBODY && waiting[OUTER] -> name(OUTER) }
	:: atomic { driver == NOBODY && waiting[INNER] && !waiting[OUTER] -> name(INNER) }
#else
	:: atomic { driver == NOBODY && waiting[INNER] -> name(INNER) }
	:: atomic { driver == NOBODY && waiting[OUTER] && !waiting[INNER] -> name(OUTER) }
#endif
	:: atomic { driver == NOBODY && waiting[ASIDE] && !waiting[INNER] -> name(ASIDE) }
#else
	:: driver == NOBODY && (waiting[OUTER] || waiting[INNER] || waiting[ASIDE])
#endif
	:: driver == NOBODY && !waiting[OUTER] && !waiting[INNER] && !waiting[ASIDE] ->
		if
#ifndef NO_BACKGROUND
		:: tail < ALL || sq_awake -> give_to_background()
#endif
		:: else
		fi
	fi
}

/* What is done with the lock is one step, but where a barrier waits: nobody else has a say before. */
proctype waiter(byte me)
{
	bool worked, ok, gives_up;

	atomic {
		take_lock();
		waiting[me] = true;
again:		if
		:: REACHED(me) || gives_up -> goto out
		:: else
		fi;
		if
#ifndef NO_TAKEOVER
		:: me == INNER && driver == OUTER ->
			driver = me;
			asleep = false;
#ifndef NO_MOVE
			moved[OUTER] = true
#endif
#endif
		:: else
		fi;
		if
		:: driver == NOBODY || driver == me || (driver == BACKGROUND && asleep) -> driver = me; asleep = false
		:: else -> goto aside
		fi;
		turn_on();
		if
		:: worked -> goto again
		:: else
		fi;
		calm();
#ifndef SQ_LEFT_AWAKE
		if
		:: sq_awake -> driver = NOBODY; give_to_background(); goto again
		:: else
		fi;
#endif
		armed = false;
		doze();
		if
		:: !ok -> goto up
		:: else
		fi;
		asleep = true;
		moved[me] = false;
		let_go()
	}
	if
	:: me == OUTER && !interrupted -> interrupted = true; run waiter(INNER); ended[INNER]	/* and then it goes to sleep */
	:: true
	fi;
end_on_loop:
	if
	:: LOOP && !moved[me]
	:: bell[me] && moved[me]
	:: me == OUTER && !interrupted -> interrupted = true; run waiter(INNER); ended[INNER]
	:: me == ASIDE -> gives_up = true
	fi;
	atomic {
		take_lock();
		if
		:: driver != me -> bell[me] = 0; goto again
		:: else
		fi;
up:		woken();
		goto again
	}

aside:	atomic {
		let_go()
	}
	if
	:: me == OUTER && !interrupted -> interrupted = true; run waiter(INNER); ended[INNER]
	:: true
	fi;
end_aside:
	if
	:: bell[me]
	:: me == OUTER && !interrupted -> interrupted = true; run waiter(INNER); ended[INNER]
	:: me == ASIDE -> gives_up = true
	fi;
	atomic {
		take_lock();
		bell[me] = 0;
		goto again
	}

out:	atomic {
		waiting[me] = false;
		bell[me] = 0;
		if
		:: driver == me -> driver = NOBODY; asleep = false
		:: else
		fi;
		leave();
		let_go();
		ended[me] = true
	}
}

active proctype background()
{
	bool worked, ok;

again:	atomic {
		take_lock();
step:		if
		:: driver == NOBODY -> driver = BACKGROUND
		:: driver == BACKGROUND
		:: else -> goto sleep
		fi;
		turn_on();
		calm();
		if
		:: worked || sq_awake -> let_go(); goto again
		:: else
		fi;
		doze();
		if
		:: !ok -> events(); let_go(); goto again
		:: else
		fi;
#ifndef NOT_ARMED
		armed = true;
#endif
		asleep = true;
sleep:		let_go()
	}
end_sleep:
	ctl || (armed && LOOP);
	atomic {
		take_lock();
		ctl = 0;
		if
		:: driver == BACKGROUND -> woken()
		:: else
		fi;
		goto step
	}
}

proctype worker()
{
	byte n;

	!polled || submitted;
	do
	:: n < WORKS ->
		n++;
		STORE(sb_worker, RETURNED, n);
#ifndef NO_WORKER_BARRIER
		BARRIER(sb_worker);
#endif
		atomic {
			if
			:: mem[SLEEPING] -> mem[SLEEPING] = 0; edge = 1
			:: else
			fi
		}
	:: else -> break
	od
}

proctype peer()
{
	!polled || submitted;	/* it answers */
	socket = 1
}

/* Submits by way of the SQ that is polled. */
proctype client()
{
	bool worked, ok;

	STORE(sb_client, SQ_TAIL, 1);
#ifndef NO_CLIENT_BARRIER
	BARRIER(sb_client);
#endif
	if
	:: mem[NEED_WAKEUP] ->
		atomic {
			take_lock();
			sq_awake = 1;
			sq_tired = false;
			STORE(sb_lock, NEED_WAKEUP, 0);
			leave();
			let_go()
		}
	:: else
	fi;
end_polled:
	served == 1;
	submitted = true
}

/* Somebody else's call, which looks at everything that has happened. */
proctype visitor(byte visits)
{
	bool worked, ok;

	do
	:: visits > 0 ->
		atomic {
			visits--;
			take_lock();
			events();
			turn();
			leave();
			let_go()
		}
	:: else -> break
	od
}

/* Sleeps at the ring's descriptor, and takes CQEs without a call. */
proctype onlooker()
{
	bool worked, ok;
	byte seen;

	do
	:: seen == ALL -> break
	:: else ->
		atomic {
			take_lock();
#ifndef NO_WATCH
			watched = true;
#endif
			readable = (tail != seen);
			if
			:: driver == NOBODY -> leave()
			:: else
			fi;
			let_go()
		}
end_reads:	readable;
		seen = tail
	od;
	seen_all = true
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	:: DRAIN_RELAXED(sb, SLEEPING)
	od
}

#define DONE	(tail == ALL && ended[OUTER] && ended[ASIDE] && submitted && seen_all && (ended[INNER] || !interrupted))

#ifdef LIVENESS
ltl all_done { <> DONE }
#else
active proctype nobody_stuck()
{
end:	timeout -> assert(DONE)
}
#endif

init
{
	/* not all of them at once, for the number of states */
	atomic {
		run drain(sb_worker);
		run drain(sb_lock);
		run worker();
		run peer();
		run waiter(OUTER);
		if
		:: run waiter(ASIDE); submitted = true; seen_all = true	/* and the handler */
		:: ended[ASIDE] = true; interrupted = true; ended[INNER] = true; seen_all = true;
			polled = true; sq_awake = true; run client(); run drain(sb_client); run visitor(1)
		:: ended[ASIDE] = true; interrupted = true; ended[INNER] = true; submitted = true; run onlooker(); run visitor(1)
		:: run waiter(ASIDE); interrupted = true; ended[INNER] = true; submitted = true; seen_all = true; run visitor(VISITS)
		fi
	}
}
