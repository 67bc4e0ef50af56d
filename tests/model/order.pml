/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs after what: chains, LINK_TIMEOUT, drain and cancel, as request/link.c, drain.c and cancel.c do them.
 *
 * All of it happens on one thread, so there are no barriers here and every step is atomic; what is explored is the order of
 * the events and every combination of flags. A submission of REQS requests comes in pieces, each with any mix of flags; a request
 * completes when it is issued or waits; what waits ends well, badly, by its timeout or by a cancel; the client submits
 * in the middle of all that and the ring may be killed at any time.
 *
 * Properties: nobody is issued before the member in front of him was posted, nor after a soft link broke; a drained one is
 * issued only when everything before it is posted, and nothing behind it before it is posted; no request is posted twice,
 * none after the ring died; when nothing moves any more everybody is posted or, on a dead ring, freed.
 *
 * Must fail with
 *   -DNO_KICK_AFTER_CLOSE		a chain that closes does not look at the queue it has kept busy
 *   -DDRAIN_TOO_EARLY			a drained one does not wait for what is in flight
 *   -DPASS_THE_DRAINED			who comes behind does not wait for a drained one that runs
 *   -DSUCCESSOR_IN_SPITE		a soft link does not break
 *   -DTIMEOUT_STAYS			the timeout of a finished request is not stopped
 *   -DTIMEOUT_KEEPS_LINK		a timeout that fired stays in the chain
 *   -DDEATH_KEEPS_LINKS		a dying ring still starts successors
 *   -DCANCEL_FINDS_CHAIN		a cancel finds what has not started yet
 */
#define REQS	4
#ifdef LIVENESS
#define SUBMIT	2	/* that nobody is stuck is seen at the end of each run anyway */
#else
#define SUBMIT	REQS
#endif
#define NONE	REQS

/* state */
#define NEW	0	/* not submitted */
#define CHAIN	1
#define HELD	2	/* behind a drain */
#define WAIT	3	/* issued, somebody will complete it */
#define DONE	4	/* deferred: finished, not posted */
#define POSTED	5

byte state[REQS], next[REQS];
bool linked[REQS], hard[REQS], drained[REQS], is_lt[REQS];
bool failed[REQS], armed[REQS];
bool issued[REQS], must_not[REQS];
byte submitted, head, last, inflight, held_reqs;
byte queue[REQS], queued;		/* order.held */
bool draining, dead;
byte i, r, n, t, h;			/* locals of the inlines */
bool bad, kick_drain, closing, finished, kick_now;

inline push(x) { queue[queued] = x; queued++ }
inline pop(x)
{
	x = queue[0];
	i = 0;
	do
	:: i + 1 < queued -> queue[i] = queue[i + 1]; i++
	:: else -> break
	od;
	queued--;
	i = 0
}

inline post(x)
{
	assert(state[x] != POSTED);
	state[x] = POSTED;
	inflight--
}

/* are a and b members of one chain? */
byte chain_of[REQS];
#define linked_to(a, b)	(chain_of[a] == chain_of[b])

/* The rules, seen from outside. */
inline check_issue(x)
{
	assert(!dead && !must_not[x] && !issued[x]);
	issued[x] = true;
	i = 0;
	do
	:: i < x ->
		/* a drained one: all before; behind a drained one (or a chain with one): that first */
		assert(!drained[x] || state[i] == POSTED || (linked_to(i, x)));
		assert(!drained[i] || state[i] == POSTED || (linked_to(i, x)));
		i++
	:: else -> break
	od;
	i = 0
}
/* The member in front was posted; the rest of a broken chain ends here. */
inline cancel_rest(x)
{
	do
	:: x != NONE ->
		t = next[x];
		next[x] = NONE;
		must_not[x] = true;
		post(x);
		x = t
	:: else -> break
	od
}

/* link_step() and what follows: r is finished, failed[r] says how. Leaves r == NONE. */
inline link_done()
{
	do
	:: r == NONE -> break
	:: else ->
		n = next[r];
		next[r] = NONE;
		post(r);
		bad = failed[r] && !hard[r];
		if
		:: n != NONE && is_lt[n] ->
			t = n;
			n = next[t];
			next[t] = NONE;
#ifndef TIMEOUT_STAYS
			armed[t] = false;
#endif
			post(t)
		:: else
		fi;
#ifdef SUCCESSOR_IN_SPITE
		bad = false;
#endif
		if
		:: failed[r] && !hard[r] && n != NONE -> must_not[n] = true
		:: else
		fi;
		if
		:: bad -> cancel_rest(n); r = NONE
		:: else -> r = n
		fi;
		if
		:: r != NONE -> issue(r)
		:: else
		fi
	od
}

/* Issue x: it waits (r becomes NONE) or is finished at once, well or badly (r stays). */
inline issue(x)
{
	check_issue(x);
	if
	:: state[x] = WAIT;
		if
		:: next[x] != NONE && is_lt[next[x]] -> armed[next[x]] = true
		:: else
		fi;
		r = NONE
	:: failed[x] = false
	:: failed[x] = true
	fi
}

inline go(x)
{
	r = x;
	issue(r);
	link_done()
}

#ifdef DRAIN_TOO_EARLY
#define BUSY	false
#else
#define BUSY	(inflight > held_reqs)
#endif

inline length(x, cnt)
{
	cnt = 0;
	t = x;
	do
	:: t != NONE -> cnt++; t = next[t]
	:: else -> break
	od
}

inline kick()
{
	do
	:: dead -> break
	:: !dead && draining && inflight > held_reqs -> break
	:: else ->
		draining = false;
		if
		:: queued == 0 -> break
		:: else
		fi;
		kick_drain = drained[queue[0]];
		if
		:: kick_drain && BUSY -> break
		:: else
		fi;
		pop(h);
		length(h, n);
		held_reqs = held_reqs - n;
		t = h;
		do
		:: t != NONE -> state[t] = CHAIN; t = next[t]
		:: else -> break
		od;
		draining = kick_drain;
		go(h)
	od
}

#ifdef PASS_THE_DRAINED
#define FREE(x)		(!drained[x] && queued == 0)
#else
#define FREE(x)		(!drained[x] && queued == 0 && !draining)
#endif

/* A chain or a single has come: hold it or run it. */
inline start(x)
{
	length(x, n);
	if
	:: FREE(x) || (drained[x] && queued == 0 && !draining && inflight == held_reqs + n) ->
		draining = draining || drained[x];
		go(x)
	:: else ->
		t = x;
		do
		:: t != NONE -> state[t] = HELD; t = next[t]
		:: else -> break
		od;
		held_reqs = held_reqs + n;
		push(x);
#ifdef NO_KICK_AFTER_CLOSE
		kick_now = false
#endif
	fi
}

inline close_chain()
{
	h = head;
	head = NONE;
	last = NONE;
	/* the flag of any is the flag of all */
	bad = false;
	t = h;
	do
	:: t != NONE -> bad = bad || drained[t]; t = next[t]
	:: else -> break
	od;
	t = h;
	do
	:: t != NONE -> drained[t] = bad; t = next[t]
	:: else -> break
	od;
	start(h)
}

inline submit()
{
	h = submitted;
	submitted++;
	inflight++;
	state[h] = CHAIN;
	next[h] = NONE;
	if
	:: head == NONE -> head = h; chain_of[h] = h
	:: else -> i = last; next[i] = h; chain_of[h] = chain_of[last]
	fi;
	if	/* after a linked one that is no timeout itself, this may be one */
	:: last != NONE && !is_lt[last] -> is_lt[h] = true
	:: true
	fi;
	last = h;
	if
	:: drained[h] = true
	:: true
	fi;
	if
	:: linked[h] = true
	:: linked[h] = true; hard[h] = true
	:: closing = true
	fi
}

/* What is of no use any more must not make states different. */
inline tidy() { i = 0; r = NONE; n = 0; t = 0; h = 0; k = 0; bad = false; kick_drain = false; closing = false; finished = false; kick_now = true }

#define ANY(s)	(state[0] == s || state[1] == s || state[2] == s || state[3] == s)
#define ARMED	(armed[0] || armed[1] || armed[2] || armed[3])

inline pick(s)
{
	if
	:: state[0] == s -> k = 0
	:: state[1] == s -> k = 1
	:: state[2] == s -> k = 2
	:: state[3] == s -> k = 3
	fi
}

inline pick_armed()
{
	if
	:: armed[0] -> k = 0
	:: armed[1] -> k = 1
	:: armed[2] -> k = 2
	:: armed[3] -> k = 3
	fi
}

/* A timer: its target is cancelled, it is posted itself. */
inline fire()
{
	assert(state[k] == CHAIN);	/* else it was posted already */
	armed[k] = false;
	h = 0;
	do
	:: next[h] == k -> break
	:: else -> h++
	od;
#ifndef TIMEOUT_KEEPS_LINK
	next[h] = next[k];
#endif
	next[k] = NONE;
	if
	:: state[h] == WAIT -> failed[h] = true; state[h] = DONE
	:: else
	fi;
	post(k)
}

/* The ring is killed: all that nobody else holds is freed at once; what waits elsewhere comes back on its own. */
inline die()
{
	dead = true;
	head = NONE;
	queued = 0;
	k = 0;
	do
	:: k < submitted ->
#ifndef DEATH_KEEPS_LINKS
		next[k] = NONE;
#endif
		armed[k] = false;
		if
		:: state[k] == CHAIN || state[k] == HELD || state[k] == DONE -> post(k)
		:: else
		fi;
		k++
	:: else -> break
	od
}

active proctype engine()
{
	byte k;

	atomic {
		kick_now = true;
		head = NONE;
		last = NONE;
		k = 0;
		do
		:: k < REQS -> next[k] = NONE; k++
		:: else -> break
		od
	};
	do
	:: atomic {
		if
		:: submitted < SUBMIT && !dead -> submit()
		:: head != NONE && !dead -> closing = true	/* the submission ends */
		:: ANY(WAIT) -> pick(WAIT); failed[k] = false; finished = true
		:: ANY(WAIT) -> pick(WAIT); failed[k] = true; finished = true
		/* a cancel: the target is deferred, and posted after the cancel */
		:: ANY(WAIT) -> pick(WAIT); failed[k] = true; state[k] = DONE
		:: ANY(DONE) -> pick(DONE); finished = true
#ifdef CANCEL_FINDS_CHAIN
		:: ANY(CHAIN) -> pick(CHAIN); post(k)
#endif
		:: ARMED -> pick_armed(); fire()
		:: !dead && submitted > 0 -> die()
		fi;
		if
		:: closing -> close_chain()
		:: finished -> r = k; link_done()
		:: else
		fi;
		if
		:: kick_now -> kick()
		:: else
		fi;
		tidy()
	   }
	:: (dead || submitted == SUBMIT) && head == NONE && !ANY(WAIT) && !ANY(DONE) && !ARMED -> break
	od;
	assert(inflight == 0);
	k = 0;
	do
	:: k < submitted -> assert(state[k] == POSTED); k++
	:: else -> break
	od
}
