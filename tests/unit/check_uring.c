/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel ring back end: results, order of ends, backlog, cancel, the reactor's sleep, and what it is locked down to. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/exec/uring.h"
#include "suite.h"

#define FILE_SIZE	(64 * 1024)

struct op {
	struct rd_uring_io io;
	struct iovec iov[4];
	int32_t res;
	int done;
	int again;		/* queue it this many times more */
	struct op *victim;	/* cancelled from done() */
};

static struct rd_reactor *reactor;
static struct rd_uring *uring;
static int file, fds[2];
static unsigned int finished;

static void setup(void)
{
	char *data = malloc(FILE_SIZE);

	finished = 0;
	ck_assert_int_eq(rd_reactor_new(&reactor, 0), 0);
	ck_assert_int_eq(rd_uring_new(&uring, reactor), 0);
	reactor->uring = uring;
	file = memfd_create("check_uring", 0);
	for (int i = 0; i < FILE_SIZE; i++)
		data[i] = (char)(i / 256 + i);
	ck_assert_int_eq(write(file, data, FILE_SIZE), FILE_SIZE);
	lseek(file, 0, SEEK_SET);
	free(data);
	ck_assert_int_eq(pipe(fds), 0);
}

static void teardown(void)
{
	ck_assert_uint_eq(rd_uring_inflight(uring), 0);
	rd_uring_free(uring);
	rd_reactor_free(reactor);
	close(file);
	close(fds[0]);
	close(fds[1]);
}

static void on_done(struct rd_uring_io *io, int32_t res)
{
	struct op *op = RD_CONTAINER_OF(io, struct op, io);

	op->res = res;
	op->done++;
	finished++;
	if (op->victim)
		rd_uring_cancel(uring, &op->victim->io);
	if (op->again-- > 0)
		rd_uring_queue(uring, io);
}

static void queue(struct op *op, int fd, bool wr, void *buf, size_t len, uint64_t off)
{
	op->res = op->done = 0;
	op->iov[0] = (struct iovec){ buf, len };
	op->io = (struct rd_uring_io){ .done = on_done, .fd = fd, .write = wr, .off = off, .iov = op->iov, .nr = 1 };
	rd_uring_queue(uring, &op->io);
}

static void flush_until(unsigned int n)
{
	while (finished < n)
		if (!rd_uring_flush(uring))
			sched_yield();
	ck_assert_uint_eq(finished, n);
}

START_TEST(reads_and_writes_arrive)
{
	struct op op[3] = { 0 };
	char a[512], b[512];

	memset(a, 'a', sizeof(a));
	queue(&op[0], file, true, a, sizeof(a), 1000);
	flush_until(1);
	queue(&op[1], file, false, b, sizeof(b), 1000);
	queue(&op[2], file, false, a, 4, 256);
	flush_until(3);
	ck_assert_int_eq(op[0].res, sizeof(a));
	ck_assert_int_eq(op[1].res, sizeof(b));
	ck_assert_int_eq(b[0] == 'a' && b[511] == 'a', 1);
	ck_assert_int_eq(op[2].res, 4);
	ck_assert_mem_eq(a, "\1\2\3\4", 4);
}
END_TEST

START_TEST(several_segments_are_one_operation)
{
	struct op op[2] = { 0 };
	char out[8] = "abcdefgh", in[8] = "";

	for (int i = 0; i < 2; i++) {
		char *buf = i ? in : out;

		op[i].iov[0] = (struct iovec){ buf, 3 };
		op[i].iov[1] = (struct iovec){ buf + 3, 0 };
		op[i].iov[2] = (struct iovec){ buf + 3, 5 };
		op[i].io = (struct rd_uring_io){ .done = on_done, .fd = file, .write = !i, .off = 100, .iov = op[i].iov, .nr = 3 };
		rd_uring_queue(uring, &op[i].io);
		flush_until((unsigned int)i + 1);
		ck_assert_int_eq(op[i].res, 8);
	}
	ck_assert_mem_eq(in, out, 8);
}
END_TEST

START_TEST(the_end_of_the_file_is_short_then_nothing)
{
	struct op op[2] = { 0 };
	char buf[512];

	queue(&op[0], file, false, buf, sizeof(buf), FILE_SIZE - 100);
	queue(&op[1], file, false, buf, sizeof(buf), FILE_SIZE);
	flush_until(2);
	ck_assert_int_eq(op[0].res, 100);
	ck_assert_int_eq(op[1].res, 0);
}
END_TEST

START_TEST(minus_one_is_the_file_position)
{
	struct op op = { 0 };
	char buf[300];

	queue(&op, file, false, buf, sizeof(buf), UINT64_MAX);
	flush_until(1);
	ck_assert_int_eq(op.res, 300);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 300);
}
END_TEST

START_TEST(errors_are_the_results)
{
	struct op op[3] = { 0 };
	char buf[16];

	queue(&op[0], 9999, false, buf, sizeof(buf), 0);
	queue(&op[1], file, false, (void *)16, 16, 0);
	queue(&op[2], file, false, buf, sizeof(buf), 0);
	op[2].io.rwf = 0x40000000;
	flush_until(3);
	ck_assert_int_eq(op[0].res, -EBADF);
	ck_assert_int_eq(op[1].res, -EFAULT);
	ck_assert_int_eq(op[2].res, 16);	/* already in the ring: what changes later does not count */
	op[2].io.rwf = 0x40000000;
	rd_uring_queue(uring, &op[2].io);
	flush_until(4);
	ck_assert_int_eq(op[2].res, -EOPNOTSUPP);
}
END_TEST

START_TEST(more_than_the_ring_holds_all_end)
{
	enum { N = 6000 };
	struct op *op = calloc(N, sizeof(*op));
	char *buf = malloc(N);

	for (unsigned int i = 0; i < N; i++)
		queue(&op[i], file, false, buf + i, 1, i);
	ck_assert_uint_eq(rd_uring_inflight(uring), N);
	flush_until(N);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(op[i].res, 1);
		ck_assert_int_eq(buf[i], (char)(i / 256 + i));
	}
	free(buf);
	free(op);
}
END_TEST

START_TEST(more_waiting_than_the_kernel_is_given)
{
	enum { N = 3000 };
	struct op *op = calloc(N, sizeof(*op));
	char *buf = malloc(N);

	for (unsigned int i = 0; i < N; i++)
		queue(&op[i], fds[0], false, buf + i, 1, UINT64_MAX);
	for (int i = 0; i < 100; i++)
		rd_uring_flush(uring);
	ck_assert_uint_eq(finished, 0);
	/* one the kernel knows, one that it never saw */
	rd_uring_cancel(uring, &op[5].io);
	rd_uring_cancel(uring, &op[N - 5].io);
	flush_until(2);
	ck_assert_int_eq(op[5].res, -ECANCELED);
	ck_assert_int_eq(op[N - 5].res, -ECANCELED);
	for (unsigned int left = N - 2, n; left; left -= n) {
		n = RD_MIN(left, 1000u);
		ck_assert_int_eq(write(fds[1], buf, n), n);
		flush_until(N - left + n);
	}
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(op[i].done, 1);
	free(buf);
	free(op);
}
END_TEST

START_TEST(cancel_ends_what_waits)
{
	struct op op[3] = { 0 };
	char buf[16];

	for (int i = 0; i < 3; i++)
		queue(&op[i], fds[0], false, buf, sizeof(buf), UINT64_MAX);
	rd_uring_cancel(uring, &op[0].io);	/* not even submitted */
	flush_until(1);
	ck_assert_int_eq(op[0].res, -ECANCELED);
	ck_assert_uint_eq(rd_uring_inflight(uring), 2);
	op[1].victim = &op[2];
	rd_uring_cancel(uring, &op[1].io);
	flush_until(3);
	ck_assert_int_eq(op[2].res, -ECANCELED);
}
END_TEST

START_TEST(cancel_too_late_changes_nothing)
{
	struct op op = { 0 };
	char buf[16];

	queue(&op, file, false, buf, sizeof(buf), 0);
	rd_uring_cancel(uring, &op.io);
	flush_until(1);
	ck_assert(op.res == 16 || op.res == -ECANCELED);
	queue(&op, file, false, buf, sizeof(buf), 0);
	flush_until(2);
	ck_assert_int_eq(op.res, 16);
}
END_TEST

START_TEST(cancel_all_of_many)
{
	enum { N = 1000 };
	struct op *op = calloc(N, sizeof(*op));
	char buf[16];

	for (unsigned int i = 0; i < N; i++)
		queue(&op[i], fds[0], false, buf, sizeof(buf), UINT64_MAX);
	rd_uring_flush(uring);
	for (unsigned int i = 0; i < N; i++)
		rd_uring_cancel(uring, &op[i].io);
	flush_until(N);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(op[i].res, -ECANCELED);
	free(op);
}
END_TEST

START_TEST(done_may_queue_again)
{
	struct op op[4] = { 0 };
	char buf[16];

	for (int i = 0; i < 4; i++) {
		op[i].again = 500;
		queue(&op[i], file, false, buf, sizeof(buf), 0);
	}
	flush_until(4 * 501);
	ck_assert_int_eq(op[3].res, 16);
}
END_TEST

START_TEST(quiet_when_nothing_is_there)
{
	struct op op = { 0 };
	char c;

	ck_assert_uint_eq(rd_uring_flush(uring), 0);
	ck_assert(!rd_uring_doze(uring));
	queue(&op, fds[0], false, &c, 1, UINT64_MAX);
	ck_assert(rd_uring_doze(uring));	/* not submitted yet */
	for (int i = 0; i < 10; i++)
		rd_uring_flush(uring);
	ck_assert_uint_eq(rd_uring_flush(uring), 0);
	ck_assert(!rd_uring_doze(uring));
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	flush_until(1);
	ck_assert_uint_eq(rd_uring_flush(uring), 0);
}
END_TEST

/* --- files in the kernel ring's table --- */

START_TEST(a_slot_stands_for_the_file)
{
	struct op op = { 0 };
	int slot = rd_uring_file_add(uring, file);
	char buf[4] = "";

	if (slot == -ENFILE)
		return;			/* a kernel without such tables */
	ck_assert_int_gt(slot, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		queue(&op, -1, false, buf, 4, 256);
		flush_until(2 * i - 1);
		ck_assert_int_eq(op.res, -EBADF);
		op.io.slot = (uint16_t)slot;
		rd_uring_queue(uring, &op.io);
		flush_until(2 * i);
		ck_assert_int_eq(op.res, 4);
		ck_assert_mem_eq(buf, "\1\2\3\4", 4);
	}
	rd_uring_file_remove(uring, slot);
	op.io.slot = (uint16_t)slot;
	rd_uring_queue(uring, &op.io);
	flush_until(7);
	ck_assert_int_eq(op.res, -EBADF);
}
END_TEST

START_TEST(the_table_is_finite_and_slots_come_back)
{
	int first = rd_uring_file_add(uring, file), last = first, n = 0;

	if (first == -ENFILE)
		return;
	for (; last > 0; n++)
		last = rd_uring_file_add(uring, file);
	ck_assert_int_eq(last, -ENFILE);
	ck_assert_int_ge(n, 16);
	rd_uring_file_remove(uring, first);
	ck_assert_int_eq(rd_uring_file_add(uring, -1), -EBADF);
	ck_assert_int_eq(rd_uring_file_add(uring, fds[0]), first);
	ck_assert_int_eq(rd_uring_file_add(uring, file), -ENFILE);
}
END_TEST

START_TEST(a_removed_file_is_not_kept_open)
{
	struct op op = { 0 };
	int slot = rd_uring_file_add(uring, fds[1]);
	char c = 'x';

	if (slot == -ENFILE)
		return;
	queue(&op, fds[1], true, &c, 1, UINT64_MAX);
	flush_until(1);
	op.io.slot = (uint16_t)slot;
	rd_uring_queue(uring, &op.io);
	flush_until(2);
	rd_uring_file_remove(uring, slot);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1) + read(fds[0], &c, 1), 2);
	ck_assert_int_eq(read(fds[0], &c, 1), 0);	/* the end: nobody has the writing end any more */
	fds[1] = -1;
}
END_TEST

/* --- sends without a copy --- */

#define ZC_MAX	512	/* at a time */

struct zc {
	struct op op;
	struct msghdr msg;
	int released, copied, more;
};

static int tcp[2];	/* sender, receiver */

static void tcp_pair(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	tcp[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(tcp[0], (struct sockaddr *)&addr, len), 0);
	tcp[1] = accept(listener, NULL, NULL);
	ck_assert_int_ge(tcp[1], 0);
	close(listener);
}

static void tcp_close(void)
{
	close(tcp[0]);
	close(tcp[1]);
}

static void zc_released(struct rd_uring_io *io, bool copied)
{
	struct zc *zc = RD_CONTAINER_OF(io, struct zc, op.io);

	ck_assert_int_eq(zc->op.done, 1);
	zc->released++;
	zc->copied = copied;
}

static void zc_done(struct rd_uring_io *io, int32_t res)
{
	struct zc *zc = RD_CONTAINER_OF(io, struct zc, op.io);

	ck_assert_int_eq(zc->released, 0);
	zc->more = io->more;
	on_done(io, res);
}

static void send_zc(struct zc *zc, int fd, void *buf, size_t len)
{
	*zc = (struct zc){ .op.iov[0] = { buf, len } };
	zc->msg = (struct msghdr){ .msg_iov = zc->op.iov, .msg_iovlen = 1 };
	zc->op.io = (struct rd_uring_io){ .done = zc_done, .released = zc_released, .fd = fd, .msg = &zc->msg };
	rd_uring_queue(uring, &zc->op.io);
}

static void flush_until_released(const struct zc *zc)
{
	while (!zc->released)
		if (!rd_uring_flush(uring))
			sched_yield();
}

START_TEST(a_send_without_copy_ends_twice)
{
	char buf[4096] = "hello", in[4096];
	struct zc zc;

	tcp_pair();
	ck_assert(rd_uring_zc_room(uring));
	send_zc(&zc, tcp[0], buf, sizeof(buf));
	flush_until(1);
	ck_assert_int_eq(zc.op.res, sizeof(buf));
	ck_assert_int_eq(zc.more, 1);
	ck_assert_int_eq(recv(tcp[1], in, sizeof(in), MSG_WAITALL), sizeof(in));
	ck_assert_mem_eq(in, "hello", 5);
	flush_until_released(&zc);
	ck_assert_int_eq(zc.copied, 1);		/* this network always does */
	ck_assert_uint_eq(rd_uring_flush(uring), 0);
	tcp_close();
}
END_TEST

START_TEST(one_that_fails_is_released_too)
{
	static char big[8 << 20];
	struct zc zc;

	tcp_pair();
	send_zc(&zc, 9999, big, 1);
	flush_until(1);
	ck_assert_int_eq(zc.op.res, -EBADF);
	flush_until_released(&zc);
	send_zc(&zc, file, big, 1);
	flush_until(2);
	ck_assert_int_eq(zc.op.res, -ENOTSOCK);
	flush_until_released(&zc);
	while (send(tcp[0], big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	/* it does not wait for room */
	send_zc(&zc, tcp[0], big, 1);
	flush_until(3);
	ck_assert_int_eq(zc.op.res, -EAGAIN);
	flush_until_released(&zc);
	tcp_close();
}
END_TEST

/* Sends to someone who does not read, until the network takes no more or we are not to send any more. */
static unsigned int fill_network(struct zc *zc, char *buf)
{
	unsigned int n = 0;
	int size = 4096;

	ck_assert_int_eq(setsockopt(tcp[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	size = 8 << 20;
	ck_assert_int_eq(setsockopt(tcp[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	do {
		ck_assert_uint_lt(n, 4 * ZC_MAX);
		send_zc(&zc[n++], tcp[0], buf, 512);
		flush_until(n);
	} while (rd_uring_zc_room(uring) && zc[n - 1].op.res > 0);
	return n;
}

START_TEST(silent_peers_leave_room_for_others)
{
	struct zc *zc = calloc(4 * (size_t)ZC_MAX, sizeof(*zc));
	struct op op = { 0 };
	unsigned int n, released = 0;
	char buf[512] = "";

	tcp_pair();
	n = fill_network(zc, buf);
	ck_assert(!rd_uring_zc_room(uring));
	for (unsigned int i = 0; i < n; i++)
		released += (unsigned int)zc[i].released;
	ck_assert_uint_eq(n - released, ZC_MAX);
	for (unsigned int i = 1; i <= 3000; i++) {
		queue(&op, file, false, buf, sizeof(buf), 0);
		flush_until(n + i);
	}
	/* the connection breaks: that is the end of it */
	ck_assert_int_eq(setsockopt(tcp[0], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), 0);
	tcp_close();
	for (unsigned int i = 0; i < n; i++)
		flush_until_released(&zc[i]);
	ck_assert(rd_uring_zc_room(uring));
	free(zc);
}
END_TEST

START_TEST(a_freed_ring_waits_for_no_peer)
{
	struct zc *zc = calloc(4 * (size_t)ZC_MAX, sizeof(*zc));
	unsigned int n;
	char buf[512] = "";

	tcp_pair();
	n = fill_network(zc, buf);
	rd_uring_free(uring);
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(zc[i].released, 1);
	tcp_close();
	free(zc);
	ck_assert_int_eq(rd_uring_new(&uring, reactor), 0);
}
END_TEST

START_TEST(more_of_them_than_the_ring_holds)
{
	enum { N = 3000 };
	struct zc *zc = calloc(N, sizeof(*zc));
	char buf[16] = "", in[4096];
	size_t left = (size_t)N * sizeof(buf);

	tcp_pair();
	for (unsigned int i = 0; i < N; i++)
		send_zc(&zc[i], tcp[0], buf, sizeof(buf));
	while (left) {
		ssize_t r = recv(tcp[1], in, sizeof(in), MSG_DONTWAIT);

		left -= r > 0 ? (size_t)r : 0;
		rd_uring_flush(uring);
	}
	for (unsigned int i = 0; i < N; i++)
		flush_until_released(&zc[i]);
	ck_assert_uint_eq(finished, N);
	tcp_close();
	free(zc);
}
END_TEST

/* --- the sleeping reactor --- */

static void done_stops(struct rd_uring_io *io, int32_t res)
{
	RD_CONTAINER_OF(io, struct op, io)->res = res;
	finished++;
	rd_reactor_stop(reactor);
}

static void *write_when_asleep(void *arg)
{
	(void)arg;
	while (!atomic_load(&reactor->sleeping))
		sched_yield();
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	return NULL;
}

static void released_stops(struct rd_uring_io *io, bool copied)
{
	zc_released(io, copied);
	rd_reactor_stop(reactor);
}

static void *read_when_asleep(void *arg)
{
	char buf[4096];

	(void)arg;
	while (!atomic_load(&reactor->sleeping))
		sched_yield();
	while (recv(tcp[1], buf, sizeof(buf), 0) > 0)
		;
	return NULL;
}

START_TEST(a_release_wakes_the_sleeping_reactor)
{
	static char big[4 << 20];	/* more than fits on its way */
	struct zc zc;
	pthread_t t;

	tcp_pair();
	send_zc(&zc, tcp[0], big, sizeof(big));
	zc.op.io.released = released_stops;
	flush_until(1);
	ck_assert_int_gt(zc.op.res, 0);
	ck_assert_int_eq(zc.released, 0);
	ck_assert_int_eq(pthread_create(&t, NULL, read_when_asleep, NULL), 0);
	rd_reactor_run(reactor);
	ck_assert_int_eq(zc.released, 1);
	shutdown(tcp[0], SHUT_WR);
	pthread_join(t, NULL);
	tcp_close();
}
END_TEST

START_TEST(a_completion_wakes_the_sleeping_reactor)
{
	struct op op = { 0 };
	pthread_t t;
	char c;

	for (unsigned int i = 1; i <= 200; i++) {
		queue(&op, fds[0], false, &c, 1, UINT64_MAX);
		op.io.done = done_stops;
		reactor->stop = false;
		ck_assert_int_eq(pthread_create(&t, NULL, write_when_asleep, NULL), 0);
		rd_reactor_run(reactor);
		pthread_join(t, NULL);
		ck_assert_uint_eq(finished, i);
		ck_assert_int_eq(op.res, 1);
	}
}
END_TEST

/* --- whose ring it is --- */

static void *queue_from_elsewhere(void *arg)
{
	char buf[16];
	struct op *op = arg;

	queue(op, file, false, buf, sizeof(buf), 0);
	flush_until(finished + 1);
	return NULL;
}

START_TEST(another_thread_gets_errors_not_silence)
{
	struct op op[2] = { 0 };
	char buf[16];
	pthread_t t;

	queue(&op[0], file, false, buf, sizeof(buf), 0);
	flush_until(1);
	ck_assert_int_eq(pthread_create(&t, NULL, queue_from_elsewhere, &op[1]), 0);
	pthread_join(t, NULL);
	ck_assert(op[1].res < 0 || op[1].res == 16);	/* 16: a kernel without SINGLE_ISSUER */
	queue(&op[0], file, false, buf, sizeof(buf), 0);
	flush_until(3);
	ck_assert_int_eq(op[0].res, 16);
}
END_TEST

static int ring_fd(void)
{
	char path[64], link[64];

	for (int fd = 3; fd < 64; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0 && (link[n] = 0, strstr(link, "io_uring")))
			return fd;
	}
	return -1;
}

START_TEST(nothing_can_be_registered)
{
	struct op op = { 0 };
	char buf[16];
	int fd = ring_fd();

	queue(&op, file, false, buf, sizeof(buf), 0);
	flush_until(1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0), 0);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_lt(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &fd, 1), 0);
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

static bool available(int *why, bool *zc)
{
	struct rd_reactor *r;
	struct rd_uring *u;

	if (rd_reactor_new(&r, 0) < 0)
		return false;
	*why = rd_uring_new(&u, r);
	if (*why == 0) {
		*zc = rd_uring_zc_room(u);
		rd_uring_free(u);
	}
	rd_reactor_free(r);
	return *why == 0;
}

int main(void)
{
	Suite *s;
	TCase *tc;
	int why = -ENOMEM;
	bool zc = false;

	if (!available(&why, &zc))
		return rd_suite_skip(strerror(-why));
	s = suite_create("uring");
	tc = tcase_create("uring");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reads_and_writes_arrive);
	tcase_add_test(tc, several_segments_are_one_operation);
	tcase_add_test(tc, the_end_of_the_file_is_short_then_nothing);
	tcase_add_test(tc, minus_one_is_the_file_position);
	tcase_add_test(tc, errors_are_the_results);
	tcase_add_test(tc, more_than_the_ring_holds_all_end);
	tcase_add_test(tc, more_waiting_than_the_kernel_is_given);
	tcase_add_test(tc, cancel_ends_what_waits);
	tcase_add_test(tc, cancel_too_late_changes_nothing);
	tcase_add_test(tc, cancel_all_of_many);
	tcase_add_test(tc, done_may_queue_again);
	tcase_add_test(tc, quiet_when_nothing_is_there);
	tcase_add_test(tc, a_slot_stands_for_the_file);
	tcase_add_test(tc, the_table_is_finite_and_slots_come_back);
	tcase_add_test(tc, a_removed_file_is_not_kept_open);
	if (zc) {
		tcase_add_test(tc, a_send_without_copy_ends_twice);
		tcase_add_test(tc, one_that_fails_is_released_too);
		tcase_add_test(tc, silent_peers_leave_room_for_others);
		tcase_add_test(tc, a_freed_ring_waits_for_no_peer);
		tcase_add_test(tc, more_of_them_than_the_ring_holds);
		tcase_add_test(tc, a_release_wakes_the_sleeping_reactor);
	}
	tcase_add_test(tc, a_completion_wakes_the_sleeping_reactor);
	tcase_add_test(tc, another_thread_gets_errors_not_silence);
	tcase_add_test(tc, nothing_can_be_registered);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
