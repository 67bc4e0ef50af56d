/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lazy rings: tasks run while the client is in an enter that waits, and not otherwise.
 *
 * A client that waits stores waiting = 1, makes an enter with GETEVENTS and sleeps until its CQE is there, or gives up. Then
 * it stores waiting = 0, full barrier, and looks at tasks: RUNNING means that the engine may not have seen the 0, and an
 * enter of nothing follows. The engine that has a task stores tasks = RUNNING, full barrier, and loads waiting: not 0: it
 * runs, publishes cq_tail and stores tasks = 0; else it stores tasks = PENDING and leaves it. In an enter with GETEVENTS it runs
 * all there are. How sleepers are woken is in wait.pml; here they look until they see.
 *
 * Properties: nothing is posted between the end of a wait and the next enter; nobody waits for ever for a task that is
 * ready.
 *
 * Must fail with
 *   -DNO_CLIENT_BARRIER
 *   -DNO_ENGINE_BARRIER
 *   -DNO_SETTLE			the client does not look at tasks
 *   -DNO_ENTER			it waits without an enter, though tasks may be there already
 *   -DWAITING_LATE		it says that it waits after the enter
 *   -DTASKS_EARLY		tasks = 0 before cq_tail
 *   -DENTER_KEEPS_RUNNING	the enter of nothing does not end what a wait began
 */
#include "memory.pml"

#define TASKS_TOTAL	3
#define WAITING		0
#define ENTER		1	/* number * 2 + GETEVENTS */
#define TASKS		2
#define CQ_TAIL		3
#define DONE		4
#define PENDING		1
#define RUNNING		2

byte mem[5];
chan sb_client = [4] of { byte, byte };
chan sb_engine = [4] of { byte, byte };
bool client_ended;

inline serve()
{
	atomic { served = mem[ENTER] / 2; get = mem[ENTER] % 2 };
#ifndef ENTER_KEEPS_RUNNING
	reaping = false;
#endif
	if
	:: get && ready > 0 -> tail = tail + ready; ready = 0; STORE(sb_engine, CQ_TAIL, tail); STORE(sb_engine, TASKS, 0)
	:: else
	fi;
	STORE(sb_engine, DONE, served)
}

inline stir()
{
	STORE(sb_engine, TASKS, RUNNING);
#ifndef NO_ENGINE_BARRIER
	BARRIER(sb_engine);
#endif
	if
	:: mem[WAITING] != 0 -> reaping = true
	:: else -> reaping = false; STORE(sb_engine, TASKS, PENDING)
	fi
}

active proctype engine()
{
	byte made, ready, tail, served;
	bit get;
	bool reaping, told;

end:	do
	:: made < TASKS_TOTAL -> made++; ready++; told = false	/* a request goes on */
	:: mem[ENTER] / 2 != served -> serve(); told = false
	:: ready > 0 && !reaping && !told && mem[ENTER] / 2 == served -> stir(); told = !reaping
	:: reaping ->			/* a visit's worth: one */
		tail++;
		ready--;
#ifdef TASKS_EARLY
		STORE(sb_engine, TASKS, 0);
#endif
		STORE(sb_engine, CQ_TAIL, tail);
		if
		:: ready == 0 ->
			reaping = false;
#ifndef TASKS_EARLY
			STORE(sb_engine, TASKS, 0)
#endif
		:: else
		fi
	od
}

inline enter(events)
{
	seq++;
	assert(seq < 100);
	STORE(sb_client, ENTER, seq * 2 + events);
	mem[DONE] == seq
}

active proctype client()
{
	byte seq, seen, waits;

	do
	:: seen == TASKS_TOTAL -> break
	:: waits == 3 -> break
	:: seen < TASKS_TOTAL && waits < 3 ->
		waits++;
#ifdef WAITING_LATE
		enter(1);
		STORE(sb_client, WAITING, 1);
#else
		STORE(sb_client, WAITING, 1);
#ifndef NO_ENTER
		enter(1);
#endif
#endif
		if
		:: mem[CQ_TAIL] > seen	/* the last of its waits is for as long as it takes */
		:: waits < 3		/* gives up */
		fi;
		STORE(sb_client, WAITING, 0);
#ifndef NO_CLIENT_BARRIER
		BARRIER(sb_client);
#endif
#ifndef NO_SETTLE
		if
		:: mem[TASKS] == RUNNING -> enter(0)
		:: else
		fi;
#endif
		seen = mem[CQ_TAIL];
		/* does something else */
		assert(mem[CQ_TAIL] == seen)
	od;
	client_ended = true
}

proctype drain(chan sb)
{
	byte w, v;

end:	do
	:: DRAIN_IN_ORDER(sb)
	:: DRAIN_RELAXED(sb, WAITING)
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
