/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test host: an engine inside the test, driven by the test's own thread, and the client side of its rings. Client
 * memory is one arena of the process (addresses are the same on both sides, anything outside is -EFAULT), client
 * descriptors are the process's. What goes wrong in here fails the test.
 */
#ifndef RD_TEST_TESTHOST_H
#define RD_TEST_TESTHOST_H

#include "daemon/engine/ring/ring.h"

#define RD_TH_ARENA (16u << 20)
#define RD_TH_LENT 8
#define RD_TH_PID 54321		/* of the client, as messages name it */
#define RD_TH_RING 10000	/* numbers of rings, where a request wants one: this and the next */

struct rd_testhost {
	struct rd_host host;
	struct rd_engine engine;
	char *arena;
	size_t used;		/* of the arena, from its start */
	struct rd_mem mem;	/* what uses the arena: 1 when nobody does */
	bool can_install;	/* may the client get plain descriptors? */
	bool rights_fail;	/* descriptors of messages find no way to the client */
	bool install_waits;	/* install() of numbers has no room, for ever */
	struct rd_ring *rings[8];	/* by number - RD_TH_RING; see rd_tc_number() */
	unsigned int maps, wakes, dead, gone;	/* calls so far */
	uint32_t reason;	/* of the last ring_dead() */
	struct {
		int fd;
		struct rd_file *file;
	} lent[RD_TH_LENT];	/* descriptors that mean the same file again and again; see rd_th_lend() */
	unsigned int n_lent;
};

struct rd_testclient {
	struct rd_testhost *th;
	struct rd_ring *ring;
	struct ringd_params params;
	struct rd_layout layout;
	struct rd_ring_memory mem;
	struct ringd_hot *hot;
	struct ringd_sqe *sqes;
	struct ringd_cqe *cqes;
	uint32_t sq_tail, cq_head, enter_seq;
	uint32_t unsubmitted;
	uint64_t user_data;	/* of the last SQE */
};

/* Does this machine have the back end (RD_BACKEND_*)? */
bool rd_th_backend_works(unsigned int backend);
void rd_th_init(struct rd_testhost *th, unsigned int backend);
/* As rd_th_init(), with limits and all. */
void rd_th_init_config(struct rd_testhost *th, const struct rd_engine_config *cfg);
/* All clients are closed. Fails the test when anything is still charged, referenced or running. */
void rd_th_deinit(struct rd_testhost *th);
/* Zero-filled client memory of size bytes, 4096-aligned; lives as long as th. */
void *rd_th_alloc(struct rd_testhost *th, size_t size);
/* The client's address of a copy of s. */
uint64_t rd_th_str(struct rd_testhost *th, const char *s);
/* From now on fd means one file of the engine, until th is gone; other numbers mean a new one in each request. */
void rd_th_lend(struct rd_testhost *th, int fd);
/* One turn of the reactor with its events; gives the CPU away when there was nothing to do. */
void rd_th_turn(struct rd_testhost *th);
void rd_th_turns(struct rd_testhost *th, unsigned int n);
/* Turn until nothing but worker threads is charged: files closed, rings buried. */
void rd_th_settle(struct rd_testhost *th);

/* A connected pair; AF_INET: on the loopback device. */
void rd_th_sockets(int family, int type, int sv[2]);
/* The two buffers of a pair stay as small as they are now: the network's grow with time, to some megabytes. */
void rd_th_small_buffers(const int sv[2]);
/* Until nothing goes into a stream any more, and nothing will before the other side reads. How much did. */
size_t rd_th_fill(int fd);

void rd_tc_open(struct rd_testclient *c, struct rd_testhost *th, uint32_t entries, uint32_t setup_flags);
/* The same with parameters of your own (entries in sq_entries), and the index array if they ask for one. */
void rd_tc_open_params(struct rd_testclient *c, struct rd_testhost *th, const struct ringd_params *params);
/* End the ring and wait until it is buried. */
void rd_tc_close(struct rd_testclient *c);
/* The next SQE, zero but for the opcode and a user_data of its own. There must be room. */
struct ringd_sqe *rd_tc_sqe(struct rd_testclient *c, uint8_t opcode);
/* Hand over all SQEs; a plain ring's enter() has returned its result, an SQPOLL ring has consumed them. */
int32_t rd_tc_submit(struct rd_testclient *c);
/* One enter as it is told; c's own count of SQEs has no part in it. */
int32_t rd_tc_enter(struct rd_testclient *c, uint32_t to_submit, uint32_t flags);
/* The SQE in a slot and the CQE of an index, whatever their size; the next SQE's index is tail. */
struct ringd_sqe *rd_tc_slot(struct rd_testclient *c, uint32_t slot);
struct ringd_cqe *rd_tc_cqe(struct rd_testclient *c, uint32_t index);
bool rd_tc_peek(struct rd_testclient *c, struct ringd_cqe *cqe);
struct ringd_cqe rd_tc_wait(struct rd_testclient *c);
/* The next CQE is this one, waiting for it. */
void rd_tc_expect(struct rd_testclient *c, uint64_t user_data, int32_t res, uint32_t flags);
/* Nothing was posted, and some turns later nothing is. */
void rd_tc_expect_none(struct rd_testclient *c);
/* Hand over all SQEs; nothing comes of them yet. */
void rd_tc_submit_waiting(struct rd_testclient *c);
/* Submit the one prepared SQE and wait for its CQE: res. */
int32_t rd_tc_run(struct rd_testclient *c);
/* The number that means this ring in requests. */
int rd_tc_number(struct rd_testclient *c);
/* A table of nr slots. */
void rd_tc_files(struct rd_testclient *c, uint32_t nr);
/* Put a duplicate of fd into a slot. */
void rd_tc_file(struct rd_testclient *c, uint32_t slot, int fd, uint64_t tag);
void rd_tc_bufs(struct rd_testclient *c, uint32_t nr);
/* A ring group (instead of the one it may be already) of 16 entries: nr buffers of len bytes each from mem on, RD_TC_STRIDE
 * apart, with ids from RD_TC_BID on. Its ring. */
#define RD_TC_BID	50
#define RD_TC_STRIDE	4096
struct ringd_buf *rd_tc_group(struct rd_testclient *c, uint16_t bgid, uint16_t flags, char *mem, uint32_t nr, uint32_t len);
/* Its head. */
int rd_tc_group_head(struct rd_testclient *c, uint16_t bgid);
void rd_tc_buf(struct rd_testclient *c, uint32_t slot, void *addr, size_t len, uint64_t tag);

#endif
