/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client that behaves, written with libringd as users write theirs. It writes blocks, reads them back by two ways,
 * compares, and checks every result; anything unexpected ends it with words on stderr.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/unit/connect.h"
#include "client-lib/ringd.h"
#include "daemon/common/util.h"
#include "scene.h"

#define BLOCK	4096u
#define BLOCKS	16u
#define MORE	64u		/* rounds after it was told to stop: it still is served */

struct worker {
	struct ringd *rd;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	char *out, *in;
	unsigned int round;
};

static void give_up(const struct worker *w, const char *what, int r)
{
	fprintf(stderr, "# neighbour %d, round %u: %s: %d (%s), %s\n", getpid(), w->round, what, r, strerror(r < 0 ? -r : 0),
		ringd_strerror(w->rd));
	_exit(1);
}

static void expect(const struct worker *w, const char *what, int r, int expected)
{
	if (r != expected)
		give_up(w, what, r);
}

static void set_up(struct worker *w, const char *socket, unsigned int flags)
{
	char path[] = "/tmp/ringd-neighbour-XXXXXX";
	RD_CLOSE int fd = mkostemp(path, O_CLOEXEC);
	struct iovec iov;

	if (fd < 0 || unlink(path) < 0)
		give_up(w, "a file", -errno);
	expect(w, "connect", rd_connect_patiently(&w->rd, socket), 0);
	expect(w, "ring", ringd_ring_new(w->rd, &w->ring, 2 * BLOCKS, flags), 0);
	expect(w, "arena", ringd_arena_new(w->rd, &w->arena, 4 * BLOCKS * BLOCK, 0), 0);
	w->out = ringd_arena_alloc(w->arena, BLOCKS * BLOCK, BLOCK);
	w->in = ringd_arena_alloc(w->arena, BLOCKS * BLOCK, BLOCK);
	if (!w->out || !w->in)
		give_up(w, "room in the arena", -ENOMEM);
	expect(w, "files", ringd_register_files(w->ring, &fd, 1), 0);
	iov = (struct iovec){ .iov_base = w->in, .iov_len = BLOCKS * BLOCK };
	expect(w, "buffers", ringd_register_buffers(w->ring, &iov, 1), 0);
}

/* Submit what is prepared, n requests; each must have the result that its user_data tells. */
static void run(const struct worker *w, unsigned int n, const char *what)
{
	int r = ringd_submit_and_wait(w->ring, n);

	if (r < 0)
		give_up(w, what, r);
	for (unsigned int i = 0; i < n; i++) {
		struct ringd_cqe *cqe;

		r = ringd_wait_cqe(w->ring, &cqe);
		if (r < 0)
			give_up(w, "waiting", r);
		expect(w, what, cqe->res, (int)cqe->user_data);
		ringd_cqe_seen(w->ring, cqe);
	}
}

static struct ringd_sqe *next(const struct worker *w, int expected)
{
	struct ringd_sqe *sqe = ringd_get_sqe(w->ring);

	if (!sqe)
		give_up(w, "no room in the SQ", 0);
	ringd_sqe_set_data64(sqe, (uint64_t)expected);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	return sqe;
}

static void one_round(struct worker *w)
{
	struct ringd_sqe *sqe;

	memset(w->out, (int)('a' + w->round % 26), BLOCKS * BLOCK);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		sqe = next(w, BLOCK);
		ringd_prep_write(sqe, 0, w->out + i * BLOCK, BLOCK, i * BLOCK);
	}
	run(w, BLOCKS, "write");
	for (unsigned int i = 0; i < BLOCKS; i++) {
		sqe = next(w, BLOCK);
		if (i % 2)
			ringd_prep_read(sqe, 0, w->in + i * BLOCK, BLOCK, i * BLOCK);
		else
			ringd_prep_read_fixed(sqe, 0, w->in + i * BLOCK, BLOCK, i * BLOCK, 0);
	}
	run(w, BLOCKS, "read");
	if (memcmp(w->in, w->out, BLOCKS * BLOCK) != 0)
		give_up(w, "other data than was written", 0);
	memset(w->in, 0, BLOCKS * BLOCK);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		sqe = ringd_get_sqe(w->ring);
		ringd_prep_nop(sqe);
	}
	run(w, BLOCKS, "nop");
	w->round++;
}

static bool told_to_stop(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void work(const char *socket, int verdict, int stop)
{
	struct worker w = { .rd = NULL };

	set_up(&w, socket, 0);
	one_round(&w);
	if (write(verdict, "r", 1) != 1)
		_exit(1);
	/* a breath between rounds: it is there to be hurt, not to use up the machine */
	while (!told_to_stop(stop)) {
		one_round(&w);
		poll(NULL, 0, 1);
	}
	for (unsigned int i = 0; i < MORE; i++)
		one_round(&w);
	ringd_close(w.rd);
	_exit(write(verdict, "k", 1) == 1 ? 0 : 1);
}

void neighbour_start(struct neighbour *n, const char *socket, uid_t uid)
{
	int verdict[2], stop[2];
	char c = 0;

	ck_assert_int_eq(pipe2(verdict, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0);
	n->pid = fork();
	ck_assert_int_ge(n->pid, 0);
	if (n->pid == 0) {
		rd_close(verdict[0]);
		rd_close(stop[1]);
		if (uid != geteuid() && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(2);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(socket, verdict[1], stop[0]);
	}
	rd_close(verdict[1]);
	rd_close(stop[0]);
	n->stop = stop[1];
	n->verdict = verdict[0];
	ck_assert_msg(read(n->verdict, &c, 1) == 1 && c == 'r', "the neighbour of uid %u did not get to work", uid);
}

void neighbour_stop(struct neighbour *n)
{
	char c = 0;

	if (!n->pid)
		return;
	/* not by closing it: others have a copy of this end */
	ck_assert_int_eq(write(n->stop, "", 1), 1);
	ck_assert_msg(read(n->verdict, &c, 1) == 1 && c == 'k', "the client that behaves saw an error");
}
