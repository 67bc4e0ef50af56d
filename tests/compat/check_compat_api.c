/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liburing as a program sees it: compiled with the distribution's header, inline functions and all. Built three times: with
 * the API over the kernel's io_uring, with the API over the in-process host, and as an ordinary program that is linked
 * with the distribution's liburing and, in tests/compat/dropin.sh, run with ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define ENTRIES	8
/* Must not run out, even on a machine that is very busy. */
#define LONG	{ .tv_sec = 100 }
#define SHORT	{ .tv_nsec = 1000000 }

static struct io_uring ring;

static void setup(void)
{
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &ring, 0), 0);
	errno = ERANGE;		/* nobody's: whoever sets errno is seen */
}

static void teardown(void)
{
	ck_assert_int_eq(errno, ERANGE);
	io_uring_queue_exit(&ring);
	ck_assert_int_eq(errno, ERANGE);
}

static struct io_uring_sqe *get(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	ck_assert_ptr_nonnull(sqe);
	return sqe;
}

static void nop(__u64 data)
{
	struct io_uring_sqe *sqe = get();

	io_uring_prep_nop(sqe);
	sqe->user_data = data;
}

static void expect(__u64 data, int res)
{
	struct io_uring_cqe *cqe;

	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	ck_assert_int_eq(cqe->res, res);
	io_uring_cqe_seen(&ring, cqe);
}

START_TEST(a_ring_is_what_the_header_says)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 20 };
	struct io_uring r;

	ck_assert_int_eq(io_uring_queue_init_params(5, &r, &p), 0);
	ck_assert_uint_eq(p.sq_entries, 8);
	ck_assert_uint_eq(p.cq_entries, 32);
	ck_assert_uint_eq(*r.sq.kring_entries, 8);
	ck_assert_uint_eq(*r.sq.kring_mask, 7);
	ck_assert_uint_eq(*r.cq.kring_entries, 32);
	ck_assert_uint_eq(*r.cq.kring_mask, 31);
	ck_assert_ptr_eq(r.sq.ring_ptr, r.cq.ring_ptr);
	ck_assert_int_eq(r.ring_fd, r.enter_ring_fd);
	ck_assert_uint_eq(r.features, p.features);
	ck_assert(r.features & IORING_FEAT_EXT_ARG);
	ck_assert(r.flags & IORING_SETUP_CQSIZE);
	ck_assert(fcntl(r.ring_fd, F_GETFD) & FD_CLOEXEC);
	io_uring_queue_exit(&r);
	ck_assert_int_eq(fcntl(r.ring_fd, F_GETFD), -1);
	errno = ERANGE;
}
END_TEST

START_TEST(setup_errors_are_negative_and_leave_nothing)
{
	struct io_uring_params p = { .flags = 0 };
	struct io_uring r;
	int probe = dup(0);

	close(probe);
	errno = ERANGE;
	ck_assert_int_eq(io_uring_queue_init(0, &r, 0), -EINVAL);
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, 1u << 30), -EINVAL);
	ck_assert_int_eq(io_uring_queue_init(40000, &r, 0), -EINVAL);
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, IORING_SETUP_SQ_AFF), -EINVAL);
	ck_assert_int_eq(io_uring_queue_mmap(probe, &p, &r) < 0, 1);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_int_eq(dup(0), probe);
	close(probe);
}
END_TEST

START_TEST(the_calls_are_functions)
{
	struct io_uring_params p = { .flags = 0 };
	struct __kernel_timespec ts = SHORT;
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&ts, .sigmask_sz = _NSIG / 8 };
	unsigned int workers[2] = { 0, 0 };
	int fd = io_uring_setup(4, &p);
	struct io_uring r;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(io_uring_queue_mmap(fd, &p, &r), 0);
	ck_assert_int_eq(r.ring_fd, fd);
	io_uring_prep_nop(io_uring_get_sqe(&r));
	ck_assert_int_eq(io_uring_enter((unsigned)fd, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(io_uring_enter((unsigned)fd, 0, 0, 1u << 20, NULL), -EINVAL);
	ck_assert_int_eq(io_uring_enter2((unsigned)fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)&arg,
					 sizeof(arg)), -ETIME);
	ck_assert_int_eq(io_uring_register((unsigned)fd, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2), 0);
	ck_assert_uint_gt(workers[0], 0);
	ck_assert_int_eq(io_uring_register((unsigned)fd, 1000, NULL, 0), -EINVAL);
	ck_assert_int_eq(io_uring_setup(4, NULL), -EFAULT);
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(submit_returns_what_was_taken)
{
	struct io_uring_cqe *cqe;

	ck_assert_int_eq(io_uring_submit(&ring), 0);
	for (__u64 i = 0; i < ENTRIES; i++)
		nop(i);
	ck_assert_ptr_null(io_uring_get_sqe(&ring));
	ck_assert_uint_eq(io_uring_sq_ready(&ring), ENTRIES);
	ck_assert_int_eq(io_uring_submit(&ring), ENTRIES);
	ck_assert_uint_eq(io_uring_sq_ready(&ring), 0);
	ck_assert_uint_eq(io_uring_sq_space_left(&ring), ENTRIES);
	ck_assert_uint_eq(io_uring_cq_ready(&ring), ENTRIES);
	for (__u64 i = 0; i < ENTRIES; i++)
		expect(i, 0);
	ck_assert_int_eq(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	ck_assert_ptr_null(cqe);
}
END_TEST

START_TEST(indices_go_round_many_times)
{
	for (__u64 i = 0; i < 5 * ENTRIES + 3; i++) {
		nop(i);
		ck_assert_int_eq(io_uring_submit_and_wait(&ring, 1), 1);
		expect(i, 0);
	}
}
END_TEST

START_TEST(what_a_short_submit_left_is_taken_next_time)
{
	struct io_uring_sqe *sqe;

	nop(1);
	sqe = get();
	io_uring_prep_nop(sqe);
	sqe->opcode = 255;
	sqe->user_data = 2;
	nop(3);
	nop(4);
	ck_assert_int_eq(io_uring_submit(&ring), 2);
	ck_assert_uint_eq(io_uring_sq_ready(&ring), 2);
	ck_assert_int_eq(io_uring_submit(&ring), 2);
	expect(1, 0);
	expect(2, -EINVAL);
	expect(3, 0);
	expect(4, 0);
}
END_TEST

START_TEST(waits_run_out_of_time)
{
	struct __kernel_timespec ts = SHORT;
	struct io_uring_cqe *cqe = (void *)-1;

	ck_assert_int_eq(io_uring_wait_cqe_timeout(&ring, &cqe, &ts), -ETIME);
	ck_assert_ptr_null(cqe);
	ck_assert_int_eq(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &ts, NULL), -ETIME);
	nop(7);
	/* one of two: what was submitted counts, and the one that is there is given */
	ck_assert_int_eq(io_uring_submit_and_wait_timeout(&ring, &cqe, 2, &ts, NULL), 1);
	ck_assert_ptr_nonnull(cqe);
	ck_assert_uint_eq(cqe->user_data, 7);
	ck_assert_int_eq(io_uring_wait_cqes(&ring, &cqe, 2, &ts, NULL), 0);
	ck_assert_uint_eq(cqe->user_data, 7);
	io_uring_cqe_seen(&ring, cqe);
}
END_TEST

START_TEST(waits_end_with_completions)
{
	struct __kernel_timespec ts = LONG;
	struct io_uring_cqe *cqe;

	nop(1);
	nop(2);
	ck_assert_int_eq(io_uring_submit_and_wait_timeout(&ring, &cqe, 2, &ts, NULL), 2);
	ck_assert_uint_eq(cqe->user_data, 1);
	ck_assert_int_eq(io_uring_wait_cqe_timeout(&ring, &cqe, &ts), 0);
	ck_assert_int_eq(io_uring_wait_cqes(&ring, &cqe, 2, NULL, NULL), 0);
	io_uring_cq_advance(&ring, 2);
	nop(3);
	ck_assert_int_eq(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, NULL, NULL), 1);
	io_uring_cqe_seen(&ring, cqe);
	nop(4);
	ck_assert_int_eq(__io_uring_get_cqe(&ring, &cqe, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(__io_uring_get_cqe(&ring, &cqe, 0, 1, NULL), 0);
	ck_assert_uint_eq(cqe->user_data, 4);
}
END_TEST

static void *write_later(void *arg)
{
	ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

START_TEST(a_wait_sleeps_until_there_is_something)
{
	struct io_uring_cqe *cqe;
	pthread_t thread;
	int fds[2];
	char c;

	ck_assert_int_eq(pipe(fds), 0);
	io_uring_prep_read(get(), fds[0], &c, 1, 0);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(cqe->res, 1);
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static void on_signal(int sig)
{
	(void)sig;
}

START_TEST(a_sigmask_is_for_the_wait_only)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct __kernel_timespec ts = LONG;
	struct io_uring_cqe *cqe;
	sigset_t none, usr1, now;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	ck_assert_int_eq(io_uring_wait_cqes(&ring, &cqe, 1, &ts, &none), -EINTR);
	raise(SIGUSR1);
	ck_assert_int_eq(io_uring_wait_cqes(&ring, &cqe, 1, NULL, &none), -EINTR);
	raise(SIGUSR1);
	ck_assert_int_eq(io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &ts, &none), -EINTR);
	sigprocmask(SIG_SETMASK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
}
END_TEST

START_TEST(a_batch_is_what_is_there_and_overflow_is_fetched)
{
	struct io_uring_cqe *cqes[64];

	ck_assert_uint_eq(io_uring_peek_batch_cqe(&ring, cqes, 64), 0);
	for (__u64 n = 0; n < 3; n++) {
		for (__u64 i = 0; i < ENTRIES; i++)
			nop(n * ENTRIES + i);
		ck_assert_int_eq(io_uring_submit(&ring), ENTRIES);
	}
	ck_assert(io_uring_cq_has_overflow(&ring));
	ck_assert_uint_eq(io_uring_peek_batch_cqe(&ring, cqes, 5), 5);
	for (__u64 i = 0; i < 5; i++)
		ck_assert_uint_eq(cqes[i]->user_data, i);
	ck_assert_uint_eq(io_uring_peek_batch_cqe(&ring, cqes, 64), 2 * ENTRIES);
	io_uring_cq_advance(&ring, 2 * ENTRIES);
	ck_assert_uint_eq(io_uring_peek_batch_cqe(&ring, cqes, 64), ENTRIES);
	for (__u64 i = 0; i < ENTRIES; i++)
		ck_assert_uint_eq(cqes[i]->user_data, 2 * ENTRIES + i);
	io_uring_cq_advance(&ring, ENTRIES);
	ck_assert(!io_uring_cq_has_overflow(&ring));
}
END_TEST

START_TEST(held_back_completions_come_with_peek_and_with_submit)
{
	struct io_uring_cqe *cqe;

	for (__u64 n = 0; n < 3; n++) {
		for (__u64 i = 0; i < ENTRIES; i++)
			nop(n * ENTRIES + i);
		ck_assert_int_eq(io_uring_submit(&ring), ENTRIES);
	}
	io_uring_cq_advance(&ring, 2 * ENTRIES);
	/* both enter for nothing but them */
	if (_i) {
		ck_assert_int_eq(io_uring_submit(&ring), 0);
		ck_assert_uint_eq(io_uring_cq_ready(&ring), ENTRIES);
	}
	ck_assert_int_eq(io_uring_peek_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, 2 * ENTRIES);
	ck_assert_uint_eq(io_uring_cq_ready(&ring), ENTRIES);
	ck_assert(!io_uring_cq_has_overflow(&ring));
}
END_TEST

START_TEST(defer_taskrun_waits_for_enter)
{
	struct io_uring_cqe *cqe;
	struct io_uring r;
	eventfd_t one = 1;
	char buf[8];
	int fd = eventfd(0, 0);
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
					     IORING_SETUP_TASKRUN_FLAG), 0);
	sqe = io_uring_get_sqe(&r);
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	ck_assert_int_eq(io_uring_submit(&r), 1);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), 8);
	/* the SQ flag says that an enter brings it, so that this one look suffices */
	ck_assert_int_eq(io_uring_wait_cqe(&r, &cqe), 0);
	ck_assert_int_eq(cqe->res, POLLIN);
	io_uring_cqe_seen(&r, cqe);
	io_uring_prep_read(io_uring_get_sqe(&r), fd, buf, sizeof(buf), 0);
	ck_assert_int_eq(io_uring_submit_and_get_events(&r), 1);
	ck_assert_int_eq(io_uring_get_events(&r), 0);
	ck_assert_uint_eq(io_uring_cq_ready(&r), 1);
	io_uring_queue_exit(&r);
	close(fd);
}
END_TEST

START_TEST(a_poll_thread_is_woken)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1 };
	struct io_uring_cqe *cqe;
	struct io_uring r;

	ck_assert_int_eq(io_uring_queue_init_params(2, &r, &p), 0);
	for (__u64 i = 0; i < 50; i++) {
		struct io_uring_sqe *sqe;

		while (!(sqe = io_uring_get_sqe(&r)))
			ck_assert_int_ge(io_uring_sqring_wait(&r), 0);
		io_uring_prep_nop(sqe);
		sqe->user_data = i;
		if (i % 10 == 9)	/* it sleeps after a millisecond without work */
			while (!(IO_URING_READ_ONCE(*r.sq.kflags) & IORING_SQ_NEED_WAKEUP))
				sched_yield();
		ck_assert_int_ge(io_uring_submit(&r), 0);
		ck_assert_int_eq(io_uring_wait_cqe(&r, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, i);
		io_uring_cqe_seen(&r, cqe);
	}
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(the_registered_descriptor_is_used)
{
	struct io_uring_cqe *cqe;

	ck_assert_int_eq(io_uring_unregister_ring_fd(&ring), -EINVAL);
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), 1);
	ck_assert_int_lt(ring.enter_ring_fd, 16);
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), -EEXIST);
	nop(1);
	ck_assert_int_eq(io_uring_submit_and_wait(&ring, 1), 1);
	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(io_uring_get_events(&ring), 0);
	ck_assert_int_eq(io_uring_register_files_sparse(&ring, 4), 0);
	ck_assert_int_eq(io_uring_unregister_ring_fd(&ring), 1);
	ck_assert_int_eq(ring.enter_ring_fd, ring.ring_fd);
	nop(2);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), 1);	/* for the exit */
}
END_TEST

START_TEST(files_are_registered_and_updated)
{
	int fds[3], none = -1, zero = open("/dev/zero", O_RDWR);
	char buf[16];
	struct io_uring_sqe *sqe;
	__u64 tags[1] = { 77 };

	ck_assert_int_ge(zero, 0);
	fds[0] = fds[2] = zero;
	fds[1] = -1;
	ck_assert_int_eq(io_uring_register_files(&ring, fds, 3), 0);
	ck_assert_int_eq(io_uring_register_files(&ring, fds, 3), -EBUSY);
	sqe = get();
	io_uring_prep_read(sqe, 2, buf, sizeof(buf), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = 1;
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	expect(1, sizeof(buf));
	ck_assert_int_eq(io_uring_register_files_update(&ring, 1, &zero, 1), 1);
	ck_assert_int_eq(io_uring_register_files_update_tag(&ring, 1, &zero, tags, 1), 1);
	ck_assert_int_eq(io_uring_register_files_update(&ring, 1, &none, 1), 1);
	expect(77, 0);
	ck_assert_int_eq(io_uring_unregister_files(&ring), 0);
	ck_assert_int_eq(io_uring_unregister_files(&ring), -ENXIO);
	ck_assert_int_eq(io_uring_register_files_tags(&ring, &zero, tags, 1), 0);
	ck_assert_int_eq(io_uring_register_file_alloc_range(&ring, 0, 1), 0);
	ck_assert_int_eq(io_uring_unregister_files(&ring), 0);
	expect(77, 0);
	close(zero);
}
END_TEST

START_TEST(the_limit_of_files_is_raised_once)
{
	struct rlimit limit, before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	if (before.rlim_max < 256)
		return;
	limit = before;
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(io_uring_register_files_sparse(&ring, 100), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 164);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

START_TEST(buffers_are_registered_and_updated)
{
	static char memory[2][4096];
	struct iovec iov[2] = { { memory[0], 4096 }, { memory[1], 4096 } };
	__u64 tag = 55;
	int zero = open("/dev/zero", O_RDWR);
	struct io_uring_sqe *sqe;

	ck_assert_int_eq(io_uring_register_buffers(&ring, iov, 2), 0);
	memset(memory, 1, sizeof(memory));
	sqe = get();
	io_uring_prep_read_fixed(sqe, zero, memory[1], 100, 0, 1);
	sqe->user_data = 1;
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	expect(1, 100);
	ck_assert_int_eq(memory[1][99], 0);
	ck_assert_int_eq(memory[1][100], 1);
	ck_assert_int_eq(io_uring_register_buffers(&ring, iov, 2), -EBUSY);
	ck_assert_int_eq(io_uring_unregister_buffers(&ring), 0);
	ck_assert_int_eq(io_uring_unregister_buffers(&ring), -ENXIO);
	ck_assert_int_eq(io_uring_register_buffers_sparse(&ring, 4), 0);
	ck_assert_int_eq(io_uring_register_buffers_update_tag(&ring, 3, iov, &tag, 1), 1);
	ck_assert_int_eq(io_uring_unregister_buffers(&ring), 0);
	expect(55, 0);
	ck_assert_int_eq(io_uring_register_buffers_tags(&ring, iov, &tag, 1), 0);
	close(zero);
}
END_TEST

START_TEST(a_ring_of_buffers_is_used)
{
	static char memory[4][64];
	struct io_uring_buf_ring *br;
	struct io_uring_buf_reg reg = { .ring_entries = 4, .bgid = 3 };
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	int pair[2];

	br = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	ck_assert_ptr_ne(br, MAP_FAILED);
	reg.ring_addr = (uintptr_t)br;
	ck_assert_int_eq(io_uring_register_buf_ring(&ring, &reg, 0), 0);
	ck_assert_int_eq(io_uring_register_buf_ring(&ring, &reg, 0), -EEXIST);
	io_uring_buf_ring_init(br);
	for (int i = 0; i < 4; i++)
		io_uring_buf_ring_add(br, memory[i], 64, (unsigned short)(10 + i), io_uring_buf_ring_mask(4), i);
	io_uring_buf_ring_advance(br, 4);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[1], "hello", 5), 5);
	sqe = get();
	io_uring_prep_recv(sqe, pair[0], NULL, 64, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 3;
	ck_assert_int_eq(io_uring_submit_and_wait(&ring, 1), 1);
	ck_assert_int_eq(io_uring_peek_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(cqe->res, 5);
	ck_assert_uint_eq(cqe->flags >> IORING_CQE_BUFFER_SHIFT, 10);
	ck_assert_mem_eq(memory[0], "hello", 5);
	io_uring_cqe_seen(&ring, cqe);
	ck_assert_int_eq(io_uring_unregister_buf_ring(&ring, 3), 0);
	ck_assert_int_eq(io_uring_unregister_buf_ring(&ring, 3), -ENOENT);
	munmap(br, 4096);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(an_eventfd_counts)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	eventfd_t n;

	ck_assert_int_eq(io_uring_unregister_eventfd(&ring), -ENXIO);
	ck_assert_int_eq(io_uring_register_eventfd(&ring, fd), 0);
	ck_assert_int_eq(io_uring_register_eventfd(&ring, fd), -EBUSY);
	ck_assert(io_uring_cq_eventfd_enabled(&ring));
	nop(1);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(eventfd_read(fd, &n), 0);
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(&ring, false), 0);
	ck_assert(!io_uring_cq_eventfd_enabled(&ring));
	nop(2);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_int_eq(eventfd_read(fd, &n), -1);
	errno = ERANGE;
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(&ring, true), 0);
	ck_assert_int_eq(io_uring_unregister_eventfd(&ring), 0);
	ck_assert_int_eq(io_uring_register_eventfd_async(&ring, fd), 0);
	ck_assert_int_eq(io_uring_unregister_eventfd(&ring), 0);
	close(fd);
}
END_TEST

START_TEST(probes_know_operations)
{
	struct io_uring_probe *probe = io_uring_get_probe();

	ck_assert_ptr_nonnull(probe);
	ck_assert(io_uring_opcode_supported(probe, IORING_OP_NOP));
	ck_assert(io_uring_opcode_supported(probe, IORING_OP_SEND_ZC));
	ck_assert(!io_uring_opcode_supported(probe, 255));
	io_uring_free_probe(probe);
	probe = io_uring_get_probe_ring(&ring);
	ck_assert_ptr_nonnull(probe);
	ck_assert_uint_ge(probe->last_op, IORING_OP_SEND_ZC);
	ck_assert_int_eq(io_uring_register_probe(&ring, probe, 256), -EINVAL);	/* is not empty any more */
	io_uring_free_probe(probe);
}
END_TEST

START_TEST(personalities_workers_and_cancellation)
{
	struct io_uring_sync_cancel_reg cancel = { .addr = 4711, .timeout = { .tv_sec = -1, .tv_nsec = -1 } };
	unsigned int workers[2] = { 3, 5 };
	cpu_set_t cpus;
	int id = io_uring_register_personality(&ring);

	ck_assert_int_gt(id, 0);
	ck_assert_int_eq(io_uring_unregister_personality(&ring, id), 0);
	ck_assert_int_eq(io_uring_unregister_personality(&ring, id), -EINVAL);
	ck_assert_int_eq(io_uring_register_iowq_max_workers(&ring, workers), 0);
	workers[0] = workers[1] = 0;
	ck_assert_int_eq(io_uring_register_iowq_max_workers(&ring, workers), 0);
	ck_assert_uint_eq(workers[0], 3);
	ck_assert_uint_eq(workers[1], 5);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	ck_assert_int_eq(io_uring_register_iowq_aff(&ring, sizeof(cpus), &cpus), 0);
	ck_assert_int_eq(io_uring_unregister_iowq_aff(&ring), 0);
	ck_assert_int_eq(io_uring_register_iowq_aff(&ring, (size_t)1 << 40, &cpus), -EINVAL);
	ck_assert_int_eq(io_uring_register_sync_cancel(&ring, &cancel), -ENOENT);
}
END_TEST

/* not exported before 2.4 */
#ifndef DISTRIBUTION_LIBURING
START_TEST(rings_can_be_restricted_before_they_start)
{
	struct io_uring_restriction only_nop = { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP };
	struct io_uring_cqe *cqe;
	struct io_uring r;

	ck_assert_int_eq(io_uring_enable_rings(&ring), -EBADFD);
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, IORING_SETUP_R_DISABLED), 0);
	ck_assert_int_eq(io_uring_register_restrictions(&r, &only_nop, 1), 0);
	io_uring_prep_nop(io_uring_get_sqe(&r));
	ck_assert_int_eq(io_uring_submit(&r), -EBADFD);
	ck_assert_int_eq(io_uring_enable_rings(&r), 0);
	ck_assert_int_eq(io_uring_submit(&r), 1);
	ck_assert_int_eq(io_uring_wait_cqe(&r, &cqe), 0);
	ck_assert_int_eq(cqe->res, 0);
	io_uring_cqe_seen(&r, cqe);
	io_uring_prep_close(io_uring_get_sqe(&r), 100);
	ck_assert_int_eq(io_uring_submit(&r), 1);
	ck_assert_int_eq(io_uring_wait_cqe(&r, &cqe), 0);
	ck_assert_int_eq(cqe->res, -EACCES);
	io_uring_queue_exit(&r);
}
END_TEST
#endif

START_TEST(large_entries_are_laid_out_as_flags_say)
{
	struct io_uring_cqe *cqe;
	struct io_uring r;

	ck_assert_int_eq(io_uring_queue_init(4, &r, IORING_SETUP_SQE128 | IORING_SETUP_CQE32), 0);
	for (__u64 i = 0; i < 10; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r);

		ck_assert_ptr_eq(sqe, (char *)r.sq.sqes + 128 * (i % 4));
		io_uring_prep_nop(sqe);
		sqe->user_data = i;
		ck_assert_int_eq(io_uring_submit_and_wait(&r, 1), 1);
		ck_assert_uint_eq(io_uring_peek_batch_cqe(&r, &cqe, 1), 1);
		ck_assert_ptr_eq(cqe, (char *)r.cq.cqes + 32 * (i % 8));
		ck_assert_uint_eq(cqe->user_data, i);
		io_uring_cqe_seen(&r, cqe);
	}
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(dontfork_hides_the_rings_from_a_child)
{
	int status;
	pid_t pid;

	ck_assert_int_eq(io_uring_ring_dontfork(&ring), 0);
	pid = fork();
	if (pid == 0) {
		unsigned char vec;

		_exit(mincore((void *)((uintptr_t)ring.sq.sqes & ~4095ul), 1, &vec) == -1 && errno == ENOMEM ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(no_locked_memory_is_needed)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 4096 };

	ck_assert_int_eq(io_uring_mlock_size(ENTRIES, 0), 0);
	ck_assert_int_eq(io_uring_mlock_size_params(ENTRIES, &p), 0);
	ck_assert_int_eq(io_uring_mlock_size(0, 0), -EINVAL);
	ck_assert_int_eq(io_uring_mlock_size(40000, 0), -EINVAL);
}
END_TEST

#ifdef KERNEL_LOCAL
#include "kernel_local.h"

START_TEST(enter_is_not_called_for_nothing)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 100000 };
	unsigned int before = kernel_local_calls.enter;
	struct io_uring_cqe *cqe;
	struct io_uring r;

	ck_assert_int_eq(io_uring_submit(&ring), 0);
	ck_assert_int_eq(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	ck_assert_uint_eq(io_uring_peek_batch_cqe(&ring, &cqe, 1), 0);
	ck_assert_uint_eq(kernel_local_calls.enter, before);
	nop(1);
	ck_assert_int_eq(io_uring_submit_and_wait(&ring, 1), 1);
	ck_assert_uint_eq(kernel_local_calls.enter, before + 1);
	ck_assert_uint_eq(kernel_local_calls.to_submit, 1);
	ck_assert_uint_eq(kernel_local_calls.min_complete, 1);
	ck_assert_uint_eq(kernel_local_calls.flags, IORING_ENTER_GETEVENTS);
	ck_assert_uint_eq(kernel_local_calls.argsz, 8);
	ck_assert_int_eq(io_uring_wait_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(io_uring_wait_cqes(&ring, &cqe, 1, NULL, NULL), 0);
	ck_assert_uint_eq(kernel_local_calls.enter, before + 1);
	/* a poll thread that is awake is not told */
	ck_assert_int_eq(io_uring_queue_init_params(2, &r, &p), 0);
	io_uring_prep_nop(io_uring_get_sqe(&r));
	if (!(*r.sq.kflags & IORING_SQ_NEED_WAKEUP)) {
		ck_assert_int_eq(io_uring_submit(&r), 1);
		ck_assert_uint_eq(kernel_local_calls.enter, before + 1);
	}
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(the_registered_index_is_what_calls_get)
{
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), 1);
	nop(1);
	ck_assert_int_eq(io_uring_submit(&ring), 1);
	ck_assert_uint_eq(kernel_local_calls.fd, (unsigned int)ring.enter_ring_fd);
	ck_assert_uint_eq(kernel_local_calls.flags, IORING_ENTER_REGISTERED_RING);
	ck_assert_int_eq(io_uring_unregister_buffers(&ring), -ENXIO);
	ck_assert_uint_eq(kernel_local_calls.fd, (unsigned int)ring.enter_ring_fd);
	ck_assert_uint_eq(kernel_local_calls.opcode, IORING_UNREGISTER_BUFFERS | 1u << 31);
}
END_TEST
#endif

#ifdef KERNEL_LOCAL
START_TEST(a_server_without_that_flag_gets_an_index_array)
{
	struct io_uring_cqe *cqe;
	struct io_uring r;

	kernel_local_calls.unknown = 1u << 16;	/* NO_SQARRAY */
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, 0), 0);
	ck_assert_uint_eq(r.flags, 0);
	for (unsigned int i = 0; i < ENTRIES; i++)
		ck_assert_uint_eq(r.sq.array[i], i);
	for (__u64 i = 0; i < 3 * ENTRIES; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r);

		io_uring_prep_nop(sqe);
		sqe->user_data = i;
		ck_assert_int_eq(io_uring_submit(&r), 1);
		ck_assert_int_eq(io_uring_peek_cqe(&r, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, i);
		io_uring_cqe_seen(&r, cqe);
	}
	io_uring_queue_exit(&r);
	/* nor is it tried again for somebody who insists */
	kernel_local_calls.setup = 0;
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, 1u << 16), -EINVAL);
	ck_assert_uint_eq(kernel_local_calls.setup, 1);
}
END_TEST
#endif

static TCase *rings(void)
{
	TCase *tc = tcase_create("rings");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_ring_is_what_the_header_says);
	tcase_add_test(tc, setup_errors_are_negative_and_leave_nothing);
	tcase_add_test(tc, the_calls_are_functions);
	tcase_add_test(tc, large_entries_are_laid_out_as_flags_say);
	tcase_add_test(tc, dontfork_hides_the_rings_from_a_child);
	tcase_add_test(tc, no_locked_memory_is_needed);
	tcase_add_test(tc, the_registered_descriptor_is_used);
#ifdef KERNEL_LOCAL
	tcase_add_test(tc, a_server_without_that_flag_gets_an_index_array);
#endif
	return tc;
}

static TCase *entries(void)
{
	TCase *tc = tcase_create("entries");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, submit_returns_what_was_taken);
	tcase_add_test(tc, indices_go_round_many_times);
	tcase_add_test(tc, what_a_short_submit_left_is_taken_next_time);
	tcase_add_test(tc, waits_run_out_of_time);
	tcase_add_test(tc, waits_end_with_completions);
	tcase_add_test(tc, a_wait_sleeps_until_there_is_something);
	tcase_add_test(tc, a_sigmask_is_for_the_wait_only);
	tcase_add_test(tc, a_batch_is_what_is_there_and_overflow_is_fetched);
	tcase_add_loop_test(tc, held_back_completions_come_with_peek_and_with_submit, 0, 2);
	tcase_add_test(tc, defer_taskrun_waits_for_enter);
	tcase_add_test(tc, a_poll_thread_is_woken);
#ifdef KERNEL_LOCAL
	tcase_add_test(tc, enter_is_not_called_for_nothing);
	tcase_add_test(tc, the_registered_index_is_what_calls_get);
#endif
	return tc;
}

static TCase *registered(void)
{
	TCase *tc = tcase_create("registered");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, files_are_registered_and_updated);
	tcase_add_test(tc, the_limit_of_files_is_raised_once);
	tcase_add_test(tc, buffers_are_registered_and_updated);
	tcase_add_test(tc, a_ring_of_buffers_is_used);
	tcase_add_test(tc, an_eventfd_counts);
	tcase_add_test(tc, probes_know_operations);
	tcase_add_test(tc, personalities_workers_and_cancellation);
#ifndef DISTRIBUTION_LIBURING
	tcase_add_test(tc, rings_can_be_restricted_before_they_start);
#endif
	return tc;
}

int main(void)
{
	Suite *s = suite_create("compat-api");

#ifdef KERNEL_LOCAL
	if (!kernel_local_works())
		return rd_suite_skip("no io_uring in the kernel here");
#endif
	suite_add_tcase(s, rings());
	suite_add_tcase(s, entries());
	suite_add_tcase(s, registered());
	return rd_suite_main(s);
}
