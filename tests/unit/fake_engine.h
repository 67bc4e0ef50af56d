/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A manager and an engine in two threads of the test, for tests of libringd: the real protocol, with switches for what a
 * real engine does only at a bad moment.
 */
#ifndef RD_TEST_FAKE_ENGINE_H
#define RD_TEST_FAKE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "proto/wire.h"

#define FAKE_MAX_FDS	2048
#define FAKE_MAX_RINGS	4
#define FAKE_MAX_HELD	4096

/* How the next HELLO is answered. */
enum fake_hello { FAKE_WELCOME, FAKE_REFUSE, FAKE_GARBAGE, FAKE_HANGUP, FAKE_NEW_VERSION };

struct fake_ring {
	bool used;
	struct ringd_ring_create create;	/* as received */
	struct ringd_params params;
	struct ringd_hot *hot;
	struct ringd_sqe *sqes;
	struct ringd_cqe *cqes;
	char *scratch;				/* our mapping of it */
	size_t scratch_size;
	void *rings;
	size_t rings_size, sqes_size;
	int doorbell, wake;
	uint32_t sq_head, cq_tail, enter_seen;
	uint32_t signalled;			/* high word of the wait word that was answered */
	struct ringd_cqe held[FAKE_MAX_HELD];
	unsigned int n_held;
	bool lost;				/* CQEs, and nobody was told */
	bool dead;				/* nobody looks at it any more */
	unsigned int bytes_sent, dozes;
	bool asleep;				/* looked at for the last time before the doorbell is rung */
};

/* A register request, all its packets put together; and SET_CWD. */
struct fake_request {
	uint32_t opcode, nr, has_tags, ring_id;
	unsigned int packets;
	char *data;
	size_t size;
	unsigned int n_fds;
	ino_t inodes[FAKE_MAX_FDS];
	mode_t modes[FAKE_MAX_FDS];
};

struct fake {
	char dir[64], path[96];
	int listen, sock, quit, kick, ep;
	int channel;			/* our end, -1: not asked for */
	pthread_t control, engine;
	/* switches, set by the test before the call they act on */
	_Atomic(enum fake_hello) hello;
	atomic_bool starved;		/* take no request: an enter gets -EAGAIN */
	int32_t fail;			/* the next control request is answered with this errno ... */
	const char *fail_text;		/* ... and these words */
	int32_t register_res;
	const void *register_data;	/* and this data, and this descriptor (-1: none), which stays the test's */
	size_t register_size;
	int register_fd;
	int32_t lend_less;		/* as many of a list are not lent */
	uint32_t post_flags;		/* of what fake_post() posts */
	uint32_t first_index;		/* where the indices of new rings start */
	atomic_bool stopped;		/* the engine thread looks at nothing */
	atomic_bool when_asleep;	/* nothing is posted before the client's wait word is armed */
	atomic_uint take;		/* SQEs consumed at most per enter, 0: all */
	/* results */
	struct fake_ring rings[FAKE_MAX_RINGS];
	struct ringd_arena_create arena;
	char *arena_map;		/* our mapping of the last arena */
	int arenas, rings_freed, arenas_freed, cwds;
	ino_t cwd_ino;
	struct fake_request reg;
	int32_t lent[FAKE_MAX_FDS];	/* numbers of FD_LEND and FD_RETURN, one after the other */
	ino_t lent_ino[FAKE_MAX_FDS];
	unsigned int n_lent, lend_packets;
	atomic_bool done;
	pthread_mutex_t lock;		/* rings, between the threads */
	pthread_mutex_t answering;	/* from before a request is read until all that it brought is closed */
};

struct fake *fake_new(void);
void fake_free(struct fake *f);
/* Stop looking at the rings; when it returns the engine thread touches nothing. */
void fake_stop(struct fake *f);
void fake_go(struct fake *f);
/* What was under way is over: whoever was woken has its byte, what came with a request that was answered is closed. */
void fake_settle(struct fake *f);
/* As a visit of the engine: take what is there, post, wake. */
void fake_visit(struct fake *f, struct fake_ring *ring);
/* Post a CQE out of nothing. The engine is stopped. */
void fake_post(struct fake *f, struct fake_ring *ring, uint64_t user_data, int32_t res);
/* One packet through the channel. */
void fake_packet(struct fake *f, const struct ringd_channel *packet, const int *fds, int n);
/* A CQE was lost: there was no memory to hold it back. */
void fake_lose(struct fake *f, struct fake_ring *ring);
/* End a ring as the engine does, or (reason 0) as the kernel does for an engine that was killed. */
void fake_kill_ring(struct fake *f, struct fake_ring *ring, uint32_t reason);
/* The whole engine dies: rings and control connection. */
void fake_kill(struct fake *f);
/* Wait until the engine thread sleeps and has looked at that ring for the last time: only the doorbell changes that. */
void fake_await_asleep(struct fake *f, struct fake_ring *ring);
/* Wait until the client has armed its wait word; the kind of it. */
uint32_t fake_await_sleeper(struct fake_ring *ring);

#endif
