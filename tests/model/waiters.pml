/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several threads of one client that wait on one ring: one wait word, one wake socket.
 *
 * Those that sleep are in a list, under a lock. The leader sleeps at the socket, the others at a bell of their own. Whoever
 * goes to sleep stores the wait word anew, with the nearest of all targets, passes a full barrier and then looks at the
 * tail for everybody in the list, ringing the bells of those that have what they want. Who was woken takes away what woke
 * it, and does the same again unless it has reached its target. A leader that goes, for whatever reason, names another
 * and rings its bell. The engine is that of wait.pml. It may stop after any number of CQEs, or die.
 *
 * Properties: at the end everybody whose target was reached, and everybody if the engine has died, has returned; at most
 * one byte per sequence; the word is not armed when nobody sleeps.
 *
 * Must fail with
 *   -DNO_CLIENT_BARRIER
 *   -DNO_ENGINE_BARRIER
 *   -DNO_RECHECK			who arms does not look at the tail
 *   -DLOOKS_FOR_ITSELF			... or for itself alone
 *   -DOWN_TARGET			the word gets the target of who arms it
 *   -DNO_HANDOVER			a leader that goes names nobody
 *   -DNO_STROKE			... or does not ring
 *   -DNO_HANGUP
 */
#include "memory.pml"

#define WAITERS		3
#define CQES		2
#define NOBODY		WAITERS
#define CQ_TAIL		0
#define WAIT		1
#define WORD(seq, target)	((seq) * 4 + (target))
#define SEQ(word)	((word) / 4)
#define TARGET(word)	((word) % 4)

byte mem[2];
chan sb_client = [1] of { byte, byte };		/* of whoever holds the lock: it empties its own before it lets go */
chan sb_engine = [2] of { byte, byte };
bit wake;		/* a byte in the socket */
bool died, hangup;
bit bell[WAITERS];
bool lock;
byte seq;
byte leader = NOBODY;
byte target[WAITERS];	/* 0: not in the list */
byte wants[WAITERS];
bool ended[WAITERS];
bool engine_ended;

active proctype engine()
{
	byte tail, word, last;

	do
	:: tail < CQES ->
		atomic { tail++; STORE(sb_engine, CQ_TAIL, tail) };
#ifndef NO_ENGINE_BARRIER
		BARRIER(sb_engine);
#endif
		word = mem[WAIT];
		atomic {
			if
			:: SEQ(word) != 0 && tail >= TARGET(word) && SEQ(word) != last ->
				last = SEQ(word);
				wake = 1
			:: else
			fi;
			word = 0
		}
	:: true -> goto idle
	:: true -> break	/* killed */
	od;
	BARRIER(sb_engine);
	atomic {
		died = true;
#ifndef NO_HANGUP
		hangup = true
#endif
	};
idle:	engine_ended = true
}

inline take_lock()
{
	atomic { !lock -> lock = true }
}

inline let_go()
{
	atomic { BARRIER(sb_client) -> lock = false }
}

/* The word for all, then a look for all. What only the lock guards is one step. */
inline arm()
{
	atomic {
		seq++;
		assert(seq < 60);
		nearest = target[me];
#ifndef OWN_TARGET
		i = 0;
		do
		:: i == WAITERS -> break
		:: i < WAITERS && target[i] != 0 && target[i] < nearest -> nearest = target[i]; i++
		:: else -> i++
		od;
#endif
		STORE(sb_client, WAIT, WORD(seq, nearest));
		i = 0;
		nearest = 0
	}
#ifndef NO_CLIENT_BARRIER
	BARRIER(sb_client);
#endif
#if !defined(NO_RECHECK) && !defined(LOOKS_FOR_ITSELF)
	d_step {
		i = 0;
		do
		:: i == WAITERS -> break
		:: i < WAITERS && target[i] != 0 && mem[CQ_TAIL] >= target[i] -> bell[i] = 1; i++
		:: else -> i++
		od;
		i = 0
	}
#else
	skip
#endif
}

inline leave()
{
	atomic {
		target[me] = 0;
		bell[me] = 0;
		if
		:: leader == me ->
			leader = NOBODY;
#ifndef NO_HANDOVER
			i = 0;
			do
			:: i == WAITERS -> break
			:: i < WAITERS && target[i] != 0 && leader == NOBODY ->
				leader = i;
#ifndef NO_STROKE
				bell[i] = 1;
#endif
				i++
			:: else -> i++
			od;
			i = 0;
#endif
			if
			:: leader == NOBODY -> STORE(sb_client, WAIT, 0)
			:: else
			fi
		:: else
		fi
	}
}

proctype waiter(byte me)
{
	byte i, nearest;
	bool leads, gives_up, impatient;

	atomic {
		if
		:: impatient = true
		:: impatient = false
		fi;
		!lock -> lock = true;
		target[me] = wants[me]
	}
again:	atomic {
		if
		:: leader == NOBODY -> leader = me
		:: else
		fi;
		leads = (leader == me)
	}
	arm();
#ifndef NO_RECHECK
	if
	:: mem[CQ_TAIL] >= wants[me] -> goto out
	:: else
	fi;
#endif
	let_go();
end_asleep:
	if
	:: atomic { leads && (wake || hangup) -> wake = 0 }
	:: atomic { !leads && bell[me] -> bell[me] = 0 }
	:: impatient -> gives_up = true		/* its time is over, or a signal */
	fi;
	take_lock();
	if
	:: mem[CQ_TAIL] >= wants[me] || gives_up || (leads && hangup) -> goto out
	:: else -> goto again
	fi;
out:	leave();
	BARRIER(sb_client);
	atomic {
		lock = false;
		leads = false;
		gives_up = false;
		impatient = false;
		ended[me] = true
	}
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	od
}

#define RETURNED(i)	(ended[i] || (mem[CQ_TAIL] < wants[i] && !died))

#ifdef LIVENESS
ltl all_return { <> (engine_ended && (died -> (ended[0] && ended[1] && ended[2]))) }
#else
active proctype nobody_stuck()
{
end:	timeout ->
		assert(RETURNED(0) && RETURNED(1) && RETURNED(2));
		assert(leader != NOBODY || mem[WAIT] == 0)
}
#endif

init
{
	atomic {
		wants[0] = 1;
		wants[1] = 2;
		if
		:: wants[2] = 1
		:: wants[2] = 2
		fi;
		run drain(sb_client);
		run drain(sb_engine);
		run waiter(0);
		run waiter(1);
		run waiter(2)
	}
}
