/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for readiness: exec/poll.c with its edge-triggered epoll entry, and ops/poll.c on top of it.
 *
 * A writer makes the file ready, the client reads what is there, at any time. The kernel has an entry for the file that is
 * queued by a write and, when the entry is added, by what is there already; fetching looks at the file again. The engine is one
 * thread, so its steps do not interleave with each other, but the writer comes between any two of them: a look, an
 * addition and a fetch are system calls of their own. Two polls of the file, each with one shot or many, on a ring that is told
 * of completions at once or when it comes for them; they may be cancelled, and when the last has gone the engine closes
 * its descriptor, though others have the file open still.
 *
 * Properties: when nothing moves any more and the file is ready, no poll waits that has not been told since; no poll is
 * finished twice; nothing is told of an entry whose owner is gone.
 *
 * Must fail with
 *   -DADD_IS_BLIND			adding an entry does not report what is there
 *   -DARM_UNLOOKED			with an entry in place a poll is armed without a look
 *   -DLOOK_THEN_FETCH			a multishot poll looks first and takes what came before the fetch for old
 *   -DSKIP_ALL				a poll armed while something is to be told skips what comes later, too
 *   -DAGAIN_LATE			a lazy ring looks before it waits again
 *   -DAGAIN_UNADDED			a poll that waits again does not see that the entry was dropped meanwhile
 *   -DCANCEL_KEEPS_TASK		a cancelled poll leaves its task behind
 *   -DCLOSE_KEEPS_ENTRY		the entry stays in epoll when the descriptor is closed
 *   -DCLOSE_KEEPS_TOLD			what was fetched stays to be told
 *   -DDROP_WAITED_FOR			an entry is dropped although somebody waits
 */
#define POLLS	2
#define WRITES	3
#define READS	2

bool level;				/* there is something to read */
bool queued;				/* the entry is on epoll's list */
bool added, told;			/* the engine's watch */
byte writes, reads;

/* per poll */
bool multi[POLLS], waits[POLLS], tasked[POLLS], live[POLLS], over[POLLS];
bool fresh[POLLS];			/* its seq is not the watch's: something was fetched since it was armed */
bool owed[POLLS];			/* something happened that it has not been told of */
bool lazy, closed, stopped;
byte p, q;
bool seen;

inline owe()
{
	owed[0] = live[0];
	owed[1] = live[1]
}

active proctype writer()
{
	do
	:: atomic { writes < WRITES -> level = true; queued = added; owe(); writes++ }
	:: atomic { reads < READS && level -> level = false; owed[0] = false; owed[1] = false; reads++ }
	:: stopped = true; break
	od
}

inline add()
{
	atomic {
		added = true;
#ifndef ADD_IS_BLIND
		queued = level
#endif
	}
}

/* epoll_wait(): the entry is looked at again */
inline fetch()
{
	atomic {
		if
		:: queued ->
			queued = false;
			if
			:: level ->
				assert(!closed);	/* it has a pointer to the watch */
#ifdef SKIP_ALL
				fresh[0] = fresh[0] || !told;
				fresh[1] = fresh[1] || !told;
#else
				fresh[0] = true;
				fresh[1] = true;
#endif
				told = true
			:: else
			fi
		:: else
		fi
	}
}

inline wait_for(x)
{
	waits[x] = true;
	fresh[x] = false
}

inline finish(x)
{
	assert(live[x] && !over[x]);
	live[x] = false;
	over[x] = true;
	owed[x] = false;
	waits[x] = false
}

inline post(x)
{
	assert(live[x]);
	owed[x] = false
}

/* rd_poll_look_or_arm() */
inline start_single(x)
{
	seen = false;
#ifdef ARM_UNLOOKED
	if
	:: added
	:: else -> seen = level
	fi;
#else
	seen = level;
#endif
	if
	:: seen -> finish(x)
	:: else ->
		if
		:: !added -> add()
		:: else
		fi;
		wait_for(x)
	fi
}

/* rd_poll_look_and_arm() */
inline start_multi(x)
{
	if
	:: !added -> add()
	:: else
	fi;
#ifdef LOOK_THEN_FETCH
	seen = level;
	fetch();
	wait_for(x);
#else
	fetch();
	wait_for(x);
	seen = level;
#endif
	if
	:: seen -> post(x)
	:: else
	fi
}

/* rd_poll_again() */
inline wait_again(x)
{
#ifndef AGAIN_UNADDED
	if
	:: !added -> add()
	:: else
	fi;
#endif
	waits[x] = true;
	fresh[x] = true
}

inline look(x)
{
	atomic {
		if
		:: level -> post(x)
		:: else
		fi
	}
}

inline told_poll(x)
{
	if
	:: !multi[x] -> finish(x)
	:: multi[x] && !lazy -> wait_again(x); post(x)
#ifdef AGAIN_LATE
	:: multi[x] && lazy -> look(x); fetch(); wait_for(x)
#else
	:: multi[x] && lazy -> wait_again(x); look(x)
#endif
	fi
}

inline tell()
{
	told = false;
	p = 0;
	do
	:: p < POLLS ->
		if
		:: waits[p] && fresh[p] ->
			waits[p] = false;
			if
			:: lazy -> tasked[p] = true
			:: else -> told_poll(p)
			fi
		:: else
		fi;
		p++
	:: else -> break
	od
}

inline cancel(x)
{
	waits[x] = false;
#ifndef CANCEL_KEEPS_TASK
	tasked[x] = false;
#endif
	finish(x)
}

inline close_file()
{
#ifndef CLOSE_KEEPS_ENTRY
	added = false;
	queued = false;
#endif
#ifndef CLOSE_KEEPS_TOLD
	told = false;
#endif
	closed = true
}

active proctype engine()
{
	if
	:: lazy = true
	:: lazy = false
	fi;
	do
	:: q < POLLS ->
		atomic { live[q] = true; owed[q] = level };
		if
		:: multi[q] = true; start_multi(q)
		:: start_single(q)
		fi;
		q++
	:: queued -> fetch()
	:: told -> assert(!closed); tell()
	:: tasked[0] -> tasked[0] = false; told_poll(0)
	:: tasked[1] -> tasked[1] = false; told_poll(1)
	:: live[0] -> cancel(0)
	:: live[1] -> cancel(1)
	/* nobody has waited for it for some time */
#ifdef DROP_WAITED_FOR
	:: added && !closed -> added = false; queued = false
#else
	:: added && !closed && !waits[0] && !waits[1] -> added = false; queued = false
#endif
	:: q == POLLS && over[0] && over[1] && !closed -> close_file()
	/* nothing moves any more */
	:: atomic { stopped && q == POLLS && !queued && !told && !tasked[0] && !tasked[1] ->
		assert(!level || !(live[0] && owed[0]));
		assert(!level || !(live[1] && owed[1]));
		assert(!level || !(live[0] && !multi[0]));
		assert(!level || !(live[1] && !multi[1]));
		break
	   }
	od
}
