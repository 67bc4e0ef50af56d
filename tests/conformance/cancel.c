/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cancel */
#include "cf.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "daemon/common/util.h"
#include "tests/hostile/neverfs.h"

#define C_ALL	RINGD_ASYNC_CANCEL_ALL
#define C_FD	RINGD_ASYNC_CANCEL_FD
#define C_ANY	RINGD_ASYNC_CANCEL_ANY
#define C_FIXED	RINGD_ASYNC_CANCEL_FD_FIXED
#define C_UD	RINGD_ASYNC_CANCEL_USERDATA
#define C_OP	RINGD_ASYNC_CANCEL_OP

static int fifo[2];
static char *byte;

/* A ring, and a pipe whose reads wait */
static struct cf_ring *ring_and_pipe(void)
{
	cf_pipe(fifo);
	byte = cf_alloc(16, 0);
	return cf_ring_new(16, 0);
}

static struct ringd_sqe *read_fd(struct cf_ring *ring, uint64_t user_data, int fd)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, byte, 1, 0);

	sqe->user_data = user_data;
	return sqe;
}

static struct ringd_sqe *poll_fd(struct cf_ring *ring, uint64_t user_data, int fd)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, user_data, 0);

	cf_sqe_fd(ring, sqe, fd);
	sqe->poll32_events = POLLIN;
	return sqe;
}

static struct ringd_sqe *timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, user_data, 0);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	return sqe;
}

static struct ringd_sqe *cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, user_data, 0);

	sqe->addr = key;
	sqe->cancel_flags = flags;
	return sqe;
}

static struct ringd_sqe *cancel_fd(struct cf_ring *ring, uint64_t user_data, int fd, uint64_t key, unsigned int flags)
{
	struct ringd_sqe *sqe = cancel(ring, user_data, key, flags | C_FD);

	cf_sqe_fd(ring, sqe, fd);
	return sqe;
}

static void submit(struct cf_ring *ring, int n)
{
	ck_assert_int_eq(cf_submit(ring), n);
}

/* Submit the one request prepared, whose own result is res, and nothing else comes. */
static void one(struct cf_ring *ring, uint64_t user_data, int res)
{
	submit(ring, 1);
	cf_expect(ring, user_data, res, 0);
}

static int sync_cancel(struct cf_ring *ring, const struct ringd_sync_cancel_reg *reg)
{
	struct ringd_sync_cancel_reg probe = { .addr = UINT64_MAX, .fd = -1, .timeout = { -1, -1 } };

	cf_need_register(ring, RINGD_REGISTER_SYNC_CANCEL, &probe, 1);
	return cf_register(ring, RINGD_REGISTER_SYNC_CANCEL, reg, 1);
}

CF_TEST(cancel_of_an_unknown_user_data_is_enoent, 170, "Cancel of an unknown user_data -> -ENOENT")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel(ring, 2, 99, 0);
	one(ring, 2, -ENOENT);
}

CF_TEST(the_cancel_completes_before_its_target, 171,
	"Cancel of a waiting pipe read -> cancel CQE 0 is posted before the target's -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel(ring, 2, 1, 0);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	ck_assert(cf_fd_ready(fifo[0], POLLIN));	/* nobody took it */
}

CF_TEST(cancel_and_target_in_one_submission, 171, "Waiting read and its cancel in one enter -> the same")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	cancel(ring, 2, 1, 0);
	submit(ring, 2);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(cancel_of_all_that_matches_nothing_is_0, 172, "Cancel with ALL matching nothing -> 0")
{
	struct cf_ring *ring = ring_and_pipe();

	cancel(ring, 2, 99, C_ALL);
	one(ring, 2, 0);
}

CF_TEST(cancel_of_all_tells_how_many, 173, "Cancel with ALL matching three requests -> 3 and three -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	for (int i = 0; i < 3; i++)
		read_fd(ring, 1, fifo[0]);
	read_fd(ring, 9, fifo[0]);
	submit(ring, 4);
	cancel(ring, 2, 1, C_ALL);
	one(ring, 2, 3);
	for (int i = 0; i < 3; i++)
		cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect_none(ring);
}

CF_TEST(cancel_of_any_takes_everything, 174, "Cancel with ANY -> count of all cancelable requests, user_data key ignored")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	poll_fd(ring, 2, fifo[0]);
	timeout(ring, 3, 1000000000000);
	submit(ring, 3);
	cancel(ring, 9, 1, C_ANY | C_UD);
	one(ring, 9, 3);
	cf_expect_set(ring, { 1, -ECANCELED, 0 }, { 2, -ECANCELED, 0 }, { 3, -ECANCELED, 0 });
	cancel(ring, 9, 0, C_ANY);
	one(ring, 9, 0);
}

CF_TEST(any_with_fd_or_op_is_einval, 175, "Cancel with ANY|FD or ANY|OP -> -EINVAL")
{
	struct cf_ring *ring = ring_and_pipe();

	cancel_fd(ring, 2, fifo[0], 0, C_ANY);
	one(ring, 2, -EINVAL);
	cancel(ring, 2, 0, C_ANY | C_OP);
	one(ring, 2, -EINVAL);
}

CF_TEST(unknown_cancel_flags_are_einval, 176, "Cancel with an unknown flag, or off non-zero -> -EINVAL")
{
	struct cf_ring *ring = ring_and_pipe();

	for (unsigned int bit = 6; bit < 32; bit++) {
		cancel(ring, 2, 1, 1u << bit);
		one(ring, 2, -EINVAL);
	}
	cancel(ring, 2, 1, 0)->off = 1;
	one(ring, 2, -EINVAL);
	cancel(ring, 2, 1, 0)->splice_fd_in = 1;
	one(ring, 2, -EINVAL);
}

CF_TEST(cancel_by_a_closed_descriptor_is_ebadf, 177, "Cancel by FD with a closed fd -> -EBADF")
{
	struct cf_ring *ring = ring_and_pipe();

	cancel(ring, 2, 0, C_FD)->fd = 9999;
	one(ring, 2, -EBADF);
}

CF_TEST(a_dup_is_the_same_file, 178, "Cancel by FD through a dup of the fd -> matches")
{
	struct cf_ring *ring = ring_and_pipe();
	int again = dup(fifo[0]);

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel_fd(ring, 2, again, 0, 0);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(cancel_by_fd_matches_the_file_only, 178, "Cancel by FD|ALL -> every request on that file and no other")
{
	struct cf_ring *ring = ring_and_pipe();
	int other[2];

	cf_pipe(other);
	read_fd(ring, 1, fifo[0]);
	poll_fd(ring, 2, fifo[0]);
	read_fd(ring, 3, other[0]);
	submit(ring, 3);
	cancel_fd(ring, 9, fifo[0], 0, C_ALL);
	one(ring, 9, 2);
	cf_expect_set(ring, { 1, -ECANCELED, 0 }, { 2, -ECANCELED, 0 });
	cf_expect_none(ring);
}

CF_TEST(fd_and_user_data_must_both_match, 179, "Cancel by FD|USERDATA where only the fd matches -> -ENOENT")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel_fd(ring, 2, fifo[0], 7, C_UD);
	one(ring, 2, -ENOENT);
	cancel_fd(ring, 2, fifo[0], 1, C_UD);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(opcode_and_user_data_must_both_match, 180,
	"Cancel by OP|USERDATA with another opcode -> -ENOENT; with the right opcode -> 0")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel(ring, 2, 1, C_OP | C_UD)->len = RINGD_OP_WRITE;
	one(ring, 2, -ENOENT);
	cancel(ring, 2, 1, C_OP | C_UD)->len = RINGD_OP_READ;
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(cancel_by_opcode, 180, "Cancel by OP|ALL -> every request of that opcode and no other")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	poll_fd(ring, 2, fifo[0]);
	read_fd(ring, 3, fifo[0]);
	submit(ring, 3);
	cancel(ring, 9, 0, C_OP | C_ALL)->len = RINGD_OP_READ;
	one(ring, 9, 2);
	cf_expect_set(ring, { 1, -ECANCELED, 0 }, { 3, -ECANCELED, 0 });
	cf_expect_none(ring);
}

CF_TEST(cancel_by_slot, 181, "Cancel by FD|FD_FIXED of a registered slot -> matches requests on that file")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	cf_file(ring, 2, fifo[0]);
	for (int i = 0; i < 2; i++) {
		sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, RINGD_SQE_FIXED_FILE);
		sqe->fd = 2;
		sqe->addr = cf_addr(byte);
		sqe->len = 1;
	}
	submit(ring, 2);
	cancel(ring, 2, 0, C_FD | C_FIXED)->fd = 2;
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	sqe = cancel(ring, 2, 0, C_FD);		/* the SQE flag means the same */
	sqe->fd = 2;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cancel(ring, 2, 0, C_FD | C_FIXED)->fd = 3;
	one(ring, 2, -EBADF);
}

CF_TEST(cancel_by_fd_leaves_timeouts_alone, 182, "Cancel by FD -> never matches timeouts")
{
	struct cf_ring *ring = ring_and_pipe();

	timeout(ring, 1, 1000000000000);
	submit(ring, 1);
	cancel_fd(ring, 2, fifo[0], 0, C_ALL);
	one(ring, 2, 0);
	cancel_fd(ring, 2, fifo[0], 1, C_UD);
	one(ring, 2, -ENOENT);
}

CF_TEST(cancel_of_a_timeout, 183, "Cancel by user_data of a timeout -> 0 and the timeout -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	timeout(ring, 1, 1000000000000);
	submit(ring, 1);
	cancel(ring, 2, 1, 0);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(single_cancel_of_a_futex_wait_is_1, 184, "Single cancel of a futex wait -> 1")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_FUTEX_WAIT, 1, 0);

	sqe->addr = cf_addr(cf_alloc(4, 0));
	sqe->off = 0;
	sqe->addr3 = UINT32_MAX;
	sqe->fd = 2;	/* FUTEX2_SIZE_U32 */
	submit(ring, 1);
	cancel(ring, 2, 1, 0);
	submit(ring, 1);
	cf_expect_set(ring, { 2, 1, 0 }, { 1, -ECANCELED, 0 });
}

CF_TEST(a_linked_timeout_of_a_futex_wait_is_1, 0, "Linked timeout that ends a futex wait -> 1, as a single cancel is")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_FUTEX_WAIT, 1, RINGD_SQE_IO_LINK);

	sqe->addr = cf_addr(cf_alloc(4, 0));
	sqe->addr3 = UINT32_MAX;
	sqe->fd = 2;	/* FUTEX2_SIZE_U32 */
	sqe = cf_sqe_ud(ring, RINGD_OP_LINK_TIMEOUT, 2, 0);
	sqe->addr = cf_addr(cf_ts(5000000));
	sqe->len = 1;
	submit(ring, 2);
	cf_expect_set(ring, { 2, 1, 0 }, { 1, -ECANCELED, 0 });
}

CF_TEST(single_cancel_of_a_waitid_is_1, 184, "Single cancel of a waitid -> 1")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_WAITID, 1, 0);
	int end[2];
	pid_t pid;
	char c;

	cf_pipe(end);
	pid = cf_fork();
	if (pid == 0) {
		close(end[1]);
		cf_child_end(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	close(end[0]);
	sqe->len = P_PID;
	sqe->fd = pid;
	sqe->file_index = WEXITED;
	submit(ring, 1);
	if (cf_on(CF_RINGD)) {
		cf_expect(ring, 1, -ECHILD, 0);
	} else {
		cancel(ring, 2, 1, 0);
		submit(ring, 1);
		cf_expect_set(ring, { 2, 1, 0 }, { 1, -ECANCELED, 0 });
	}
	close(end[1]);
	ck_assert_int_eq(cf_child_wait(pid), 0);
}
CF_DIFFERS(single_cancel_of_a_waitid_is_1, CF_RINGD, "the engine is not the parent of the client's children: WAITID is -ECHILD at once")

/* A read that executes and cannot be interrupted: of a file system that does not answer */
static struct cf_ring *stuck_ring(struct neverfs *n, int *fd)
{
	struct cf_ring *ring = ring_and_pipe();
	char path[96];

	if (!neverfs_mount(n, false))
		cf_skip("needs root and FUSE");
	snprintf(path, sizeof(path), "%s/file", n->dir);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	read_fd(ring, 1, *fd)->flags |= RINGD_SQE_ASYNC;	/* the kernel would try inline, and wait there */
	submit(ring, 1);
	neverfs_wait(n, 1);
	return ring;
}

static void unstick(struct cf_ring *ring, struct neverfs *n)
{
	struct cf_cqe cqe;

	neverfs_abort(n);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, 1);
	ck_assert_int_lt(cqe.res, 0);
	cf_expect_none(ring);
}

CF_TEST(cancel_of_a_running_request_is_ealready, 185,
	"Cancel of a running regular-file request on a worker -> -EALREADY and the request completes")
{
	struct cf_ring *ring;
	struct neverfs n;
	int fd;

	ring = stuck_ring(&n, &fd);
	cancel(ring, 2, 1, 0);
	one(ring, 2, -EALREADY);
	unstick(ring, &n);
	close(fd);
}

CF_TEST(cancel_of_a_completed_request_is_enoent, 186, "Cancel of an already completed request -> -ENOENT")
{
	struct cf_ring *ring = ring_and_pipe();

	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	read_fd(ring, 1, fifo[0]);
	cancel(ring, 2, 1, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ENOENT, 0);
}

CF_TEST(single_cancel_takes_one_of_two, 188, "Two requests with one user_data, single cancel -> exactly one is cancelled")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	read_fd(ring, 1, fifo[0]);
	submit(ring, 2);
	cancel(ring, 2, 1, 0);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect_none(ring);
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
}

CF_TEST(closing_a_descriptor_cancels_nothing, 189,
	"Closing an fd with a waiting read on it -> the read keeps waiting and later data completes it")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	close(fifo[0]);
	cf_expect_none(ring);
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
}

CF_TEST(sync_cancel_of_nothing_is_enoent, 190, "SYNC_CANCEL with nothing to cancel -> -ENOENT; with ALL or ANY -> 0")
{
	struct ringd_sync_cancel_reg reg = { .addr = 5, .fd = -1, .timeout = { -1, -1 } };
	struct cf_ring *ring = ring_and_pipe();

	ck_assert_int_eq(sync_cancel(ring, &reg), -ENOENT);
	reg.flags = C_ALL;
	ck_assert_int_eq(sync_cancel(ring, &reg), 0);
	reg.flags = C_ANY;
	ck_assert_int_eq(sync_cancel(ring, &reg), 0);
}

CF_TEST(sync_cancel_cancels, 190, "SYNC_CANCEL of a waiting read -> 0, with ALL the count; the reads -ECANCELED")
{
	struct ringd_sync_cancel_reg reg = { .addr = 1, .fd = -1, .timeout = { -1, -1 } };
	struct cf_ring *ring = ring_and_pipe();

	for (int i = 0; i < 3; i++)
		read_fd(ring, 1, fifo[0]);
	submit(ring, 3);
	ck_assert_int_eq(sync_cancel(ring, &reg), 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	reg.flags = C_ALL;
	ck_assert_int_eq(sync_cancel(ring, &reg), 2);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(single_sync_cancel_of_a_futex_wait_is_1, 184, "Single SYNC_CANCEL of a futex wait -> 1")
{
	struct ringd_sync_cancel_reg reg = { .addr = 1, .fd = -1, .timeout = { -1, -1 } };
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_FUTEX_WAIT, 1, 0);

	sqe->addr = cf_addr(cf_alloc(4, 0));
	sqe->off = 0;
	sqe->addr3 = UINT32_MAX;
	sqe->fd = 2;	/* FUTEX2_SIZE_U32 */
	submit(ring, 1);
	ck_assert_int_eq(sync_cancel(ring, &reg), 1);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(sync_cancel_refuses_what_it_does_not_know, 191, "SYNC_CANCEL with pad non-zero -> -EINVAL; with a bad fd -> -EBADF")
{
	struct ringd_sync_cancel_reg reg = { .addr = 5, .fd = -1, .timeout = { -1, -1 } };
	struct cf_ring *ring = ring_and_pipe();

	reg.pad[3] = 1;
	ck_assert_int_eq(sync_cancel(ring, &reg), -EINVAL);
	reg.pad[3] = 0;
	reg.pad2[2] = 1;
	ck_assert_int_eq(sync_cancel(ring, &reg), -EINVAL);
	reg.pad2[2] = 0;
	reg.flags = 64;
	ck_assert_int_eq(sync_cancel(ring, &reg), -EINVAL);
	reg.flags = C_FD;
	reg.fd = 9999;
	ck_assert_int_eq(sync_cancel(ring, &reg), -EBADF);
}

CF_TEST(sync_cancel_waits_for_what_it_cannot_stop, 192, "SYNC_CANCEL of something stuck in execution and a 1 ms timeout -> -ETIME")
{
	struct ringd_sync_cancel_reg reg = { .addr = 1, .fd = -1, .timeout = { 0, 1000000 } };
	struct cf_ring *ring;
	struct neverfs n;
	int fd;

	ring = stuck_ring(&n, &fd);
	ck_assert_int_eq(sync_cancel(ring, &reg), -ETIME);
	unstick(ring, &n);
	close(fd);
}

CF_TEST(a_silent_cancel_is_silent, 193,
	"Cancel request with the skip flag that succeeds -> no CQE for it, -ECANCELED for the target; one that fails -> its CQE")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel(ring, 2, 1, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	submit(ring, 1);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect_none(ring);
	cancel(ring, 2, 1, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	one(ring, 2, -ENOENT);
}

CF_TEST(a_cancel_does_not_match_itself, 170, "Cancel whose key is its own user_data -> -ENOENT")
{
	struct cf_ring *ring = ring_and_pipe();

	cancel(ring, 2, 2, 0);
	one(ring, 2, -ENOENT);
	cancel(ring, 2, 0, C_ANY);
	one(ring, 2, 0);
}

CF_TEST(fixed_without_fd_is_a_key, 176, "Cancel with FD_FIXED but not FD -> user_data match")
{
	struct cf_ring *ring = ring_and_pipe();

	read_fd(ring, 1, fifo[0]);
	submit(ring, 1);
	cancel(ring, 2, 1, C_FIXED);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(an_async_read_that_waits_can_be_cancelled, 171, "Cancel of a waiting pipe read with the ASYNC flag -> 0 and -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();
	struct cf_cqe cqe;
	int r = -EALREADY;

	read_fd(ring, 1, fifo[0])->flags |= RINGD_SQE_ASYNC;
	submit(ring, 1);
	while (r == -EALREADY) {	/* while it is on its way to waiting */
		cancel(ring, 2, 1, 0);
		submit(ring, 1);
		cf_wait_cqe(ring, &cqe);
		if (cqe.user_data == 1)
			break;
		r = cqe.res;
	}
	if (cqe.user_data == 1) {
		ck_assert_int_eq(cqe.res, -ECANCELED);
		return;
	}
	ck_assert_int_eq(r, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(cancel_of_a_multishot_poll_ends_it, 171, "Cancel of a multishot poll -> 0, then -ECANCELED without F_MORE")
{
	struct cf_ring *ring = ring_and_pipe();

	poll_fd(ring, 1, fifo[0])->len = RINGD_POLL_ADD_MULTI;
	submit(ring, 1);
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	cf_expect(ring, 1, POLLIN, RINGD_CQE_F_MORE);
	cancel(ring, 2, 1, 0);
	one(ring, 2, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

/* --- threads --- */

static int submit_here(void *arg)
{
	return cf_submit(arg);
}

CF_TEST(a_poll_outlives_its_thread, 194,
	"Thread submits a poll and exits, ring still open -> no CQE at exit; when the event comes the poll ends with -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	poll_fd(ring, 1, fifo[0]);
	ck_assert_int_eq(cf_in_thread(submit_here, ring), 1);
	cf_expect_none(ring);
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	cf_expect(ring, 1, cf_on(CF_RINGD) ? POLLIN : -ECANCELED, 0);
}
CF_DIFFERS(a_poll_outlives_its_thread, CF_RINGD, "requests belong to the client, not to a thread of it: the poll ends with its mask")

CF_TEST(a_timeout_outlives_its_thread, 195, "Thread submits a timeout and exits -> -ETIME at the normal time")
{
	struct cf_ring *ring = ring_and_pipe();
	uint64_t start = cf_now_ns();

	timeout(ring, 1, 20000000);
	ck_assert_int_eq(cf_in_thread(submit_here, ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
	ck_assert_uint_ge(cf_now_ns() - start, 20000000);
}
