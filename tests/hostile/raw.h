/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client without a library: it can say anything. What is named _send and _recv does no checks; the others behave
 * and abort the test by ck_assert when the daemon does not.
 */
#ifndef RD_TEST_RAW_H
#define RD_TEST_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define RD_RAW_ARENA	0x10000000000ull	/* client address of the first arena; made up, nothing need be there */
#define RD_RAW_SCRATCH	0x20000000000ull

struct raw {
	int sock;
	uint32_t seq;
	uint32_t engine_pid;
	char text[RINGD_TEXT_MAX];	/* of the last refusal */
};

struct raw_ring {
	struct raw *raw;
	uint32_t id;
	struct ringd_params params;
	struct ringd_hot *hot;
	struct ringd_sqe *sqes;
	struct ringd_cqe *cqes;
	uint32_t *array;		/* NULL with NO_SQARRAY */
	char *rings, *scratch;
	uint64_t rings_size, sqes_size, scratch_size, scratch_base;
	int fd, doorbell, wake;
	uint32_t sq_tail, cq_head, enter_seq, wait_seq;
};

struct raw_arena {
	uint32_t id;
	uint64_t base;			/* the client address requests use */
	char *ptr;			/* where it is mapped here */
	uint64_t size;
	int fd;
};

/* --- control --- */
int raw_socket(const char *path);	/* connected, nothing said */
void raw_send_hello(int sock, uint32_t kind);
void raw_connect(struct raw *raw, const char *path);
void raw_close(struct raw *raw);
void raw_send(struct raw *raw, const void *data, size_t len, const int *fds, size_t n_fds);
/* An answer of at most len bytes, -ECONNRESET when the connection has ended, never waits longer than 20 s. */
int raw_recv(struct raw *raw, void *data, size_t len, int *fds, size_t *n_fds);
/* One request and its answer: fills in the head of msg (len bytes). res, or -ECONNRESET; words are in raw->text. */
int raw_call(struct raw *raw, struct ringd_msg *msg, uint16_t type, size_t len, const int *fds, size_t n_fds, void *answer,
	     size_t answer_len);
/* The connection ends now, after an answer of -EPROTO whose words contain text. */
void raw_expect_end(struct raw *raw, const char *text);

/* --- rings --- */
int raw_try_ring(struct raw_ring *ring, struct raw *raw, const struct ringd_params *params, uint64_t scratch_base);
void raw_ring(struct raw_ring *ring, struct raw *raw, unsigned int entries, unsigned int flags);
/* Unmap and close this side; the engine is not told. */
void raw_ring_drop(struct raw_ring *ring);
int raw_ring_free(struct raw_ring *ring);

/* A cleared SQE, the next in order; waits until there is room. */
struct ringd_sqe *raw_sqe(struct raw_ring *ring);
/* Publish the tail and ring if the engine asks for it; on a plain ring also enter. enter's result, or -ECONNRESET. */
int raw_submit(struct raw_ring *ring);
/* Enter with these very words. */
int raw_enter(struct raw_ring *ring, uint32_t to_submit, uint32_t flags);
void raw_ring_doorbell(struct raw_ring *ring);
/* Next CQE; waits. 0, -ECONNRESET (the ring is dead), -ETIME after 20 s. */
int raw_cqe(struct raw_ring *ring, struct ringd_cqe *cqe);
bool raw_cqe_ready(struct raw_ring *ring);
/* One request, alone: its res, or -ECONNRESET. */
int raw_one(struct raw_ring *ring, const struct ringd_sqe *sqe);
/* Wait until the engine has ended the ring; returns its reason. */
uint32_t raw_ring_reason(struct raw_ring *ring);

/* --- arenas --- */
int raw_try_arena(struct raw_arena *a, struct raw *raw, uint64_t base, uint64_t size, uint32_t flags);
void raw_arena(struct raw_arena *a, struct raw *raw, uint64_t base, uint64_t size);
int raw_arena_free(struct raw *raw, uint32_t id);
void raw_arena_drop(struct raw_arena *a);

/* --- register: data behind struct ringd_register in one packet --- */
int raw_register(struct raw_ring *ring, uint32_t opcode, uint32_t nr, uint32_t has_tags, const void *data, size_t len,
		 const int *fds, size_t n_fds);
/* ring_id 0: no ring. At most out_len bytes of the answer's data, and its descriptor (-1: none; fd NULL: there must be none). */
int raw_register_get(struct raw *raw, uint32_t ring_id, uint32_t opcode, uint32_t nr, const void *data, size_t len, void *out,
		     size_t out_len, int *fd);
int raw_register_files(struct raw_ring *ring, const int *fds, unsigned int nr);
int raw_update_file(struct raw_ring *ring, unsigned int slot, int fd);	/* -1 empties */

#endif
