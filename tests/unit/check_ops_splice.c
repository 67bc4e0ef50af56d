/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPLICE, TEE, EPOLL_CTL. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static char path[] = "/tmp/ringd-splice-XXXXXX";
static int file = -1, p[2], q[2];

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_eq(write(file, "content of a file", 17), 17);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(q, O_CLOEXEC), 0);
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	unlink(path);
	close(file);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static struct ringd_sqe *splice_sqe(int in, int64_t off_in, int out, int64_t off_out, uint32_t len, uint32_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SPLICE);

	sqe->fd = out;
	sqe->off = (uint64_t)off_out;
	sqe->splice_fd_in = in;
	sqe->splice_off_in = (uint64_t)off_in;
	sqe->len = len;
	sqe->splice_flags = flags;
	return sqe;
}

static int32_t do_splice(int in, int64_t off_in, int out, int64_t off_out, uint32_t len, uint32_t flags)
{
	splice_sqe(in, off_in, out, off_out, len, flags);
	return rd_tc_run(&c);
}

static int32_t do_tee(int in, int out, uint32_t len, uint32_t flags)
{
	splice_sqe(in, 0, out, 0, len, flags)->opcode = RINGD_OP_TEE;
	return rd_tc_run(&c);
}

static void expect_pipe(int fd, const char *text)
{
	char buf[64] = "";

	ck_assert_int_eq(read(fd, buf, strlen(text)), (ssize_t)strlen(text));
	ck_assert_str_eq(buf, text);
}

/* --- splice and tee --- */

START_TEST(a_file_into_a_pipe_and_back)
{
	char buf[32] = "";

	ck_assert_int_eq(do_splice(file, 8, p[1], -1, 4, 0), 4);
	expect_pipe(p[0], "of a");
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 17);
	/* without an offset it is the file position that counts and moves */
	lseek(file, 0, SEEK_SET);
	ck_assert_int_eq(do_splice(file, -1, p[1], -1, 7, SPLICE_F_MOVE | SPLICE_F_MORE), 7);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 7);
	ck_assert_int_eq(do_splice(p[0], -1, file, 10, 7, 0), 7);
	ck_assert_int_eq(pread(file, buf, sizeof(buf), 0), 17);
	ck_assert_str_eq(buf, "content ofcontent");
	ck_assert_int_eq(do_splice(file, 17, p[1], -1, 10, 0), 0);
}
END_TEST

START_TEST(slots_on_either_side)
{
	struct ringd_sqe *sqe;

	rd_tc_files(&c, 3);
	rd_tc_file(&c, 1, file, 0);
	rd_tc_file(&c, 2, p[1], 0);
	ck_assert_int_eq(do_splice(1, 0, p[1], -1, 7, RINGD_SPLICE_F_FD_IN_FIXED), 7);
	expect_pipe(p[0], "content");
	sqe = splice_sqe(1, 8, 2, -1, 2, RINGD_SPLICE_F_FD_IN_FIXED);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), 2);
	expect_pipe(p[0], "of");
	ck_assert_int_eq(do_splice(0, 0, p[1], -1, 7, RINGD_SPLICE_F_FD_IN_FIXED), -EBADF);
	ck_assert_int_eq(do_splice(3, 0, p[1], -1, 7, RINGD_SPLICE_F_FD_IN_FIXED), -EBADF);
	ck_assert_int_eq(do_splice(-1, 0, p[1], -1, 7, RINGD_SPLICE_F_FD_IN_FIXED), -EBADF);
}
END_TEST

START_TEST(splice_has_its_errnos)
{
	ck_assert_int_eq(do_splice(file, 0, file, 0, 4, 0), -EINVAL);
	ck_assert_int_eq(do_splice(file, 0, p[1], 0, 4, 0), -ESPIPE);
	ck_assert_int_eq(do_splice(-1, 0, p[1], -1, 4, 0), -EBADF);
	ck_assert_int_eq(do_splice(file, 0, -1, -1, 4, 0), -EBADF);
	ck_assert_int_eq(do_splice(file, 0, p[0], -1, 4, 0), -EBADF);
	ck_assert_int_eq(do_splice(file, 0, p[1], -1, 4, 0x10), -EINVAL);
	/* found before any file is looked for */
	ck_assert_int_eq(do_splice(-1, 0, -1, -1, 4, 0x40000000), -EINVAL);
	ck_assert_int_eq(do_splice(file, 0, p[1], -1, 0, 0), 0);
	ck_assert_int_eq(do_splice(-1, 0, p[1], -1, 0, 0), -EBADF);
	ck_assert_int_eq(do_splice(p[0], -1, q[1], -1, 4, SPLICE_F_NONBLOCK), -EAGAIN);
	ck_assert_int_eq(do_splice(file, -2, p[1], -1, 4, 0), -EINVAL);
	splice_sqe(file, 0, p[1], -1, 4, 0)->ioprio = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(tee_leaves_what_it_copies)
{
	ck_assert_int_eq(write(p[1], "twice", 5), 5);
	ck_assert_int_eq(do_tee(p[0], q[1], 100, 0), 5);
	expect_pipe(p[0], "twice");
	expect_pipe(q[0], "twice");
	ck_assert_int_eq(do_tee(p[0], q[1], 100, SPLICE_F_NONBLOCK), -EAGAIN);
	ck_assert_int_eq(do_tee(file, q[1], 100, 0), -EINVAL);
	splice_sqe(p[0], 1, q[1], 0, 5, 0)->opcode = RINGD_OP_TEE;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	splice_sqe(p[0], 0, q[1], 1, 5, 0)->opcode = RINGD_OP_TEE;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	splice_sqe(p[0], 0, q[1], -1, 5, 0)->opcode = RINGD_OP_TEE;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(the_end_of_a_pipe)
{
	splice_sqe(p[0], -1, q[1], -1, 4, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	close(p[1]);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	close(q[0]);
	ck_assert_int_eq(do_splice(file, 0, q[1], -1, 4, 0), -EPIPE);
	p[1] = q[0] = -1;
}
END_TEST

static void cancel(uint64_t user_data)
{
	rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL)->addr = user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
}

/* Wait for both CQEs: the one of the cancel and the one of its target. */
static void expect_interrupted(uint64_t target)
{
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		if (cqe.user_data == target)
			ck_assert_msg(cqe.res == -EINTR || cqe.res == -ECANCELED, "%d", cqe.res);
		else
			ck_assert_msg(cqe.res == -EALREADY || cqe.res == 0, "%d", cqe.res);
	}
}

START_TEST(one_that_waits_is_interrupted)
{
	uint64_t target;

	/* for input, then for room */
	splice_sqe(p[0], -1, file, 0, 4, 0);
	target = c.user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	usleep(20000);
	cancel(target);
	expect_interrupted(target);
	ck_assert_int_ge(fcntl(q[1], F_SETPIPE_SZ, 4096), 0);
	ck_assert_int_eq(write(q[1], th.arena, 4096), 4096);
	splice_sqe(file, 0, q[1], -1, 4, 0);
	target = c.user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	usleep(20000);
	cancel(target);
	expect_interrupted(target);
}
END_TEST

START_TEST(many_that_wait_leave_threads_for_others)
{
	/* more than there are threads for regular files; the last one's target is such a file */
	for (int i = 0; i < 20; i++)
		splice_sqe(p[0], -1, i < 19 ? q[1] : file, i < 19 ? -1 : 0, 4, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 20);
	rd_tc_sqe(&c, RINGD_OP_FSYNC)->fd = file;
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(less_than_asked_for_breaks_a_chain)
{
	splice_sqe(file, 0, p[1], -1, 100, 0)->flags = RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	ck_assert_int_eq(rd_tc_wait(&c).res, 17);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
	splice_sqe(file, 0, p[1], -1, 17, 0)->flags = RINGD_SQE_IO_LINK;
	splice_sqe(file, 0, p[1], -1, 0, 0)->flags = RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 3);
	ck_assert_int_eq(rd_tc_wait(&c).res, 17);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
}
END_TEST

START_TEST(a_dying_ring_interrupts_them)
{
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, p[0], 0);
	for (int i = 0; i < 10; i++)
		splice_sqe(0, -1, q[1], -1, 4, RINGD_SPLICE_F_FD_IN_FIXED);
	ck_assert_int_eq(rd_tc_submit(&c), 10);
}
END_TEST

/* --- epoll_ctl --- */

static struct ringd_sqe *ctl_sqe(int epfd, uint32_t op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event *event = rd_th_alloc(&th, sizeof(*event));
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_EPOLL_CTL);

	*event = (struct epoll_event){ .events = events, .data.u64 = data };
	sqe->fd = epfd;
	sqe->len = op;
	sqe->off = (uint32_t)fd;
	sqe->addr = (uintptr_t)event;
	return sqe;
}

static int32_t ctl(int epfd, uint32_t op, int fd, uint32_t events, uint64_t data)
{
	ctl_sqe(epfd, op, fd, events, data);
	return rd_tc_run(&c);
}

START_TEST(epoll_sets_are_changed)
{
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);
	RD_CLOSE int ev = eventfd(1, EFD_CLOEXEC);
	struct epoll_event event;

	rd_th_lend(&th, ev);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_DEL, ev, 0, 0), -ENOENT);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLIN, 0), -ENOENT);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN, 77), 0);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN, 77), -EEXIST);
	ck_assert_int_eq(epoll_wait(ep, &event, 1, 0), 1);
	ck_assert_uint_eq(event.data.u64, 77);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLOUT, 78), 0);
	ck_assert_int_eq(epoll_wait(ep, &event, 1, 0), 1);
	ck_assert_uint_eq(event.data.u64, 78);
	ck_assert_uint_eq(event.events, EPOLLOUT);
	/* needs no event */
	ctl_sqe(ep, EPOLL_CTL_DEL, ev, 0, 0)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(epoll_wait(ep, &event, 1, 0), 0);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_DEL, ev, 0, 0), -ENOENT);
}
END_TEST

START_TEST(epoll_ctl_has_its_errnos)
{
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0), -EPERM);
	ck_assert_int_eq(ctl(ep, 9, p[0], EPOLLIN, 0), -EINVAL);
	ck_assert_int_eq(ctl(p[1], EPOLL_CTL_ADD, p[0], EPOLLIN, 0), -EINVAL);
	ck_assert_int_eq(ctl(-1, EPOLL_CTL_ADD, p[0], EPOLLIN, 0), -EBADF);
	ck_assert_int_eq(ctl(ep, EPOLL_CTL_ADD, -1, EPOLLIN, 0), -EBADF);
	ctl_sqe(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	ctl_sqe(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ctl_sqe(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(a_failed_epoll_ctl_breaks_a_chain)
{
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);
	struct ringd_sqe *sqe = ctl_sqe(ep, EPOLL_CTL_DEL, p[0], 0, 0);

	sqe->flags = RINGD_SQE_IO_LINK | RINGD_SQE_FIXED_FILE;	/* the latter is of no account */
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ENOENT);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_file_into_a_pipe_and_back, slots_on_either_side, splice_has_its_errnos, tee_leaves_what_it_copies,
		the_end_of_a_pipe, one_that_waits_is_interrupted, many_that_wait_leave_threads_for_others,
		less_than_asked_for_breaks_a_chain, a_dying_ring_interrupts_them, epoll_sets_are_changed,
		epoll_ctl_has_its_errnos, a_failed_epoll_ctl_breaks_a_chain,
	};
	Suite *s = suite_create("ops_splice");
	TCase *sync = tcase_create("sync"), *uring = tcase_create("uring");
	bool have_uring = rd_th_backend_works(RD_BACKEND_URING);

	tcase_add_checked_fixture(sync, setup_sync, teardown);
	tcase_add_checked_fixture(uring, setup_uring, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++) {
		tcase_add_test(sync, tests[i]);
		if (have_uring)
			tcase_add_test(uring, tests[i]);
	}
	suite_add_tcase(s, sync);
	suite_add_tcase(s, uring);
	return rd_suite_main(s);
}
