/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a provided buffer: rsrc/bufgroup.c, ops/rw_select.c and ops/read_multishot.c. All of it happens on one thread, one
 * step after the other; what is explored is the order of the steps. REQS requests take from one group of BUFS buffers. An
 * attempt selects the next one and in the same step uses it, drops it because it has to wait, drops it because of an error, or
 * uses it and goes on elsewhere (a worker). What waits is tried again or cancelled, what is with a worker comes back or is
 * taken back; the first request may be a multishot. The client unregisters the group or kills the ring at any time.
 *
 * Properties: no two requests have the same buffer at a time; each buffer that is used up is told of in exactly one CQE (none, if
 * the ring died first), and no other is told of; no selection is there when the group goes; when all is over every request
 * has had its last CQE, or was freed with the ring.
 *
 * Must fail with
 *   -DKEEP_WHILE_WAITING		what waits for readiness keeps its selection
 *   -DUSE_WHEN_BACK			a buffer that a worker fills is used up only when it comes back
 *   -DFORGET_THE_ID			what is taken back from a worker does not tell of its buffer
 *   -DUSE_TWICE			coming back from a worker uses up another one
 *   -DDROP_AND_TELL			an error that has dropped its buffer tells of it
 *   -DSHOTS_KEEP_THEIR_BUFFER	a multishot read goes on with the buffer it has told of
 */
#define REQS	3
#define BUFS	3
#define NONE	BUFS
#define SHOTS	2	/* CQEs with F_MORE at most */

/* state */
#define NEW	0
#define WAIT	1
#define WORK	2
#define OVER	3

byte state[REQS], buf[REQS] = NONE;
byte shots;
byte head, told[BUFS], users[BUFS];
bool alive = true, dead, selected, over;
byte r, b;

inline take_user(x) { users[x]++; assert(users[x] == 1) }
inline drop_user(x) { users[x]-- }

inline tell(x)
{
	if
	:: dead -> skip
	:: else -> told[x]++
	fi
}

inline commit()
{
	assert(alive && selected);
	b = head;
	head++;
	selected = false
}

/* The end of a request; x: the buffer its CQE tells of, or NONE. */
inline finish(q, x)
{
	if
	:: x != NONE -> tell(x)
	:: else -> skip
	fi;
	state[q] = OVER
}

/* A CQE with F_MORE, or the last one. */
inline shot(q, x)
{
	if
	:: q == 0 && shots < SHOTS && !dead -> tell(x); shots++; state[q] = WAIT;
#ifdef SHOTS_KEEP_THEIR_BUFFER
		buf[q] = x
#else
		buf[q] = NONE
#endif
	:: finish(q, x); buf[q] = NONE
	fi
}

inline attempt(q)
{
	if
	:: buf[q] != NONE ->	/* only when something was left undone */
		b = buf[q];
		take_user(b);
		drop_user(b);
		shot(q, b)
	:: buf[q] == NONE && (!alive || head == BUFS) -> finish(q, NONE)
	:: else ->
		selected = true;
		take_user(head);
		if
		:: commit(); drop_user(b); shot(q, b)		/* data, or what uses it up whatever comes */
		:: drop_user(head); selected = false;		/* an error, or the end */
#ifdef DROP_AND_TELL
			finish(q, head)
#else
			finish(q, NONE)
#endif
		:: state[q] = WAIT;
#ifdef KEEP_WHILE_WAITING
			buf[q] = head
#else
			drop_user(head); selected = false
#endif
		:: state[q] = WORK; buf[q] = head;
#ifdef USE_WHEN_BACK
			selected = false
#else
			commit()
#endif
		fi
	fi
}

inline come_back(q)
{
#ifdef USE_WHEN_BACK
	if
	:: alive && head < BUFS -> head++
	:: else -> skip
	fi;
#endif
#ifdef USE_TWICE
	if
	:: alive && head < BUFS -> head++
	:: else -> skip
	fi;
#endif
	drop_user(buf[q]);
	shot(q, buf[q])
}

inline taken_back(q)
{
	drop_user(buf[q]);
#ifdef FORGET_THE_ID
	finish(q, NONE);
#else
	finish(q, buf[q]);
#endif
	buf[q] = NONE
}

inline check()
{
	assert(!selected);
	b = 0;
	do
	:: b < BUFS ->
		assert(users[b] == 0);
		assert(told[b] == (b < head) || (dead && told[b] == 0));
		b++
	:: else -> break
	od;
	b = 0
}

active proctype engine()
{
	do
	:: atomic { !dead -> r = 0;
		do
		:: r < REQS - 1 -> r++
		:: break
		od;
		if
		:: state[r] == NEW || state[r] == WAIT -> attempt(r)	/* submitted, or ready */
		:: state[r] == WAIT -> finish(r, NONE)			/* cancelled */
		:: state[r] == WORK -> come_back(r)
		:: state[r] == WORK -> taken_back(r)
		:: state[r] == OVER -> skip
		fi;
		r = 0; b = 0 }
	:: atomic { alive -> assert(!selected); alive = false }		/* unregister */
	:: atomic { !dead -> assert(!selected); dead = true; alive = false;
		r = 0;
		do
		:: r < REQS ->
			if
			:: state[r] == WAIT || state[r] == NEW -> state[r] = OVER
			:: else -> skip
			fi;
			r++
		:: else -> break
		od;
		r = 0 }
	:: atomic { dead && (state[0] == WORK || state[1] == WORK || state[2] == WORK) ->
		if
		:: state[0] == WORK -> come_back(0)
		:: state[1] == WORK -> come_back(1)
		:: state[2] == WORK -> come_back(2)
		fi;
		b = 0 }
	:: atomic { state[0] == OVER && state[1] == OVER && state[2] == OVER -> check(); over = true; break }
	od
}

#ifdef LIVENESS
ltl all_end { [] (dead -> <> over) }
#endif
