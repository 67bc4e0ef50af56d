/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors by number and rings by handle, libringd with the real daemon. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "daemon/common/util.h"
#include "proto/wire.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static char *mem;
static char dir[64];

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void setup(void)
{
	struct ringd_arena *arena;

	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 1u << 20, 0), 0);
	mem = ringd_arena_base(arena);
	strcpy(dir, "/tmp/ringd-fds-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	write_file("one", "first");
	write_file("two", "second");
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 64, 0), 0);
}

static void teardown(void)
{
	char command[96];

	ringd_close(rd);
	rd_daemon_expect_idle(&ringd, getuid());
	rd_daemon_stop(&ringd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int32_t finish_on(struct ringd_ring *r)
{
	struct ringd_cqe *cqe;
	int32_t res;

	ck_assert_int_ge(ringd_submit_and_wait(r, 1), 0);
	ck_assert_int_eq(ringd_wait_cqe(r, &cqe), 0);
	ck_assert_uint_eq(cqe->flags, 0);
	res = cqe->res;
	ringd_cqe_seen(r, cqe);
	return res;
}

static int32_t finish(void)
{
	return finish_on(ring);
}

static int32_t read_number(int fd)
{
	memset(mem, 0, 64);
	ringd_prep_read(ringd_get_sqe(ring), fd, mem, 64, UINT64_MAX);
	return finish();
}

static int32_t close_number(int fd)
{
	ringd_prep_close(ringd_get_sqe(ring), fd);
	return finish();
}

static int32_t open_number(const char *path, int flags)
{
	ringd_prep_openat(ring, ringd_get_sqe(ring), AT_FDCWD, path, flags, 0600);
	return finish();
}

static void lend(int fd)
{
	ck_assert_int_eq(ringd_fd_lend(rd, &fd, 1), 1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* --- lent --- */

START_TEST(a_number_means_the_lent_file_until_it_is_returned)
{
	int one = open("one", O_RDONLY), two = open("two", O_RDONLY), other;

	ck_assert_int_eq(read_number(one), -EBADF);
	lend(one);
	ck_assert_int_eq(read_number(one), 5);
	ck_assert_str_eq(mem, "first");
	ck_assert_int_eq(lseek(one, 0, SEEK_CUR), 5);	/* the same open file */
	/* another file under the same number: the engine has to be told */
	ck_assert_int_eq(dup2(two, one), one);
	lseek(one, 0, SEEK_SET);
	ck_assert_int_eq(read_number(one), 0);
	lend(one);
	ck_assert_int_eq(read_number(one), 6);
	ck_assert_str_eq(mem, "second");
	other = one + 1000;
	ck_assert_int_eq(ringd_fd_return(rd, (int[]){ one, other }, 2), 1);
	ck_assert_int_eq(read_number(one), -EBADF);
	ck_assert_int_eq(ringd_fd_return(rd, &one, 1), 0);
	close(one);
	close(two);
}
END_TEST

START_TEST(what_cannot_be_lent_is_refused)
{
	int closed = 700, many[300];

	ck_assert_int_eq(ringd_fd_lend(rd, &closed, 1), -EBADF);
	ck_assert_int_eq(ringd_fd_lend(rd, &closed, 0), -EINVAL);
	ck_assert_int_eq(ringd_fd_lend(rd, NULL, 1), -EINVAL);
	/* more than one packet holds; up to the first that is not open */
	for (int i = 0; i < 300; i++)
		many[i] = open("one", O_RDONLY);
	ck_assert_int_eq(ringd_fd_lend(rd, many, 300), 300);
	ck_assert_int_eq(read_number(many[299]), 5);
	ck_assert_int_eq(ringd_fd_return(rd, many, 300), 300);
	close(many[280]);
	ck_assert_int_eq(ringd_fd_lend(rd, many, 300), 280);
	ck_assert_int_eq(ringd_fd_return(rd, many, 300), 280);
	for (int i = 0; i < 300; i++)
		close(many[i]);
}
END_TEST

START_TEST(a_returned_pipe_ends)
{
	struct pollfd p = { .events = POLLIN };
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	p.fd = fds[0];
	lend(fds[1]);
	close(fds[1]);
	ck_assert_int_eq(poll(&p, 1, 50), 0);	/* the engine has it still */
	ck_assert_int_eq(ringd_fd_return(rd, &fds[1], 1), 1);
	ck_assert_int_eq(poll(&p, 1, 0), 1);	/* and now it has closed it, not: will */
	ck_assert(p.revents & POLLHUP);
	close(fds[0]);
}
END_TEST

START_TEST(paths_start_at_a_lent_directory)
{
	int sub, fd;

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	write_file("sub/file", "below");
	sub = open("sub", O_PATH | O_DIRECTORY);
	ringd_prep_openat(ring, ringd_get_sqe(ring), sub, "file", O_RDONLY, 0);
	ck_assert_int_eq(finish(), -EBADF);
	lend(sub);
	for (int i = 0; i < 3; i++) {
		ringd_prep_openat(ring, ringd_get_sqe(ring), sub, "file", O_RDONLY, 0);
		fd = finish();
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(read(fd, mem, 64), 5);
		close(fd);
	}
	ck_assert_int_eq(ringd_fd_return(rd, &sub, 1), 1);
	ringd_prep_openat(ring, ringd_get_sqe(ring), sub, "file", O_RDONLY, 0);
	ck_assert_int_eq(finish(), -EBADF);
	close(sub);
}
END_TEST

/* --- new ones --- */

START_TEST(an_open_without_a_slot_gives_a_descriptor_of_this_process)
{
	int lowest = open("one", O_RDONLY), fd;

	close(lowest);
	/* the first one asks for the channel, which takes a number, too */
	fd = open_number("one", O_RDONLY);
	ck_assert_int_ge(fd, lowest);
	close(fd);
	fd = open_number("one", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read(fd, mem, 64), 5);
	close(fd);
	fd = open_number("new", O_RDWR | O_CREAT);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_int_eq(open_number("missing", O_RDONLY), -ENOENT);
	/* nothing of the engine's is left: a lease needs a file that nobody else has open */
	fd = open_number("one", O_RDWR);
	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	close(fd);
}
END_TEST

START_TEST(no_room_for_a_descriptor_is_emfile)
{
	struct rlimit old, low;
	int fd = open_number("one", O_RDONLY);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fd + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(open_number("one", O_RDONLY), -EMFILE);
	ringd_prep_pipe(ring, ringd_get_sqe(ring), (int *)(void *)mem, 0);
	ck_assert_int_eq(finish(), -EMFILE);
	close(fd);
	ringd_prep_pipe(ring, ringd_get_sqe(ring), (int *)(void *)mem, 0);
	ck_assert_int_eq(finish(), -EMFILE);	/* room for one of two */
	ck_assert(!is_open(fd));
	ck_assert_int_eq(open_number("one", O_RDONLY), fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd);
}
END_TEST

/* Many times more than the channel holds, and nobody looks at a CQE before the last is there. */
START_TEST(more_opens_than_the_channel_holds)
{
	struct ringd_ring *many, *busy;
	struct ringd_cqe *cqe;
	unsigned int n, i;
	bool seen[400] = { 0 };

	ck_assert_int_eq(ringd_ring_new(rd, &many, 512, kinds[_i]), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &busy, 8, 0), 0);
	for (i = 0; i < 400; i++) {
		struct ringd_sqe *sqe = ringd_get_sqe(many);

		ringd_prep_openat(many, sqe, AT_FDCWD, i % 2 ? "two" : "one", O_RDONLY | O_CLOEXEC, 0);
		ringd_sqe_set_data64(sqe, i);
	}
	ck_assert_int_eq(ringd_submit_and_wait(many, 400), 400);
	/* packets of another ring in between */
	ringd_prep_openat(busy, ringd_get_sqe(busy), AT_FDCWD, "one", O_RDONLY | O_CLOEXEC, 0);
	ck_assert_int_ge(finish_on(busy), 0);
	ck_assert_int_eq(ringd_wait_cqe_nr(many, &cqe, 400), 0);
	ringd_for_each_cqe(many, i, n, cqe) {
		char text[8] = "";

		ck_assert_uint_eq(cqe->flags, 0);
		ck_assert_int_ge(cqe->res, 0);
		ck_assert_int_gt(read(cqe->res, text, 7), 0);
		ck_assert_str_eq(text, cqe->user_data % 2 ? "second" : "first");
		ck_assert(!seen[cqe->user_data]);
		seen[cqe->user_data] = true;
		close(cqe->res);
	}
	ck_assert_uint_eq(n, 400);
	ringd_cq_advance(many, n);
}
END_TEST

/* Nobody looks at the ring of the opens at all: he who sleeps waits for what comes after them, on another one. */
START_TEST(a_full_channel_wakes_who_waits_for_another_ring)
{
	struct ringd_ring *opens;
	struct ringd_cqe *cqe;
	unsigned int n, i;

	ck_assert_int_eq(ringd_ring_new(rd, &opens, 256, 0), 0);
	for (i = 0; i < 100; i++) {
		struct ringd_sqe *sqe = ringd_get_sqe(opens);

		ringd_prep_openat(opens, sqe, AT_FDCWD, "one", O_RDONLY | O_CLOEXEC, 0);
		ringd_sqe_set_flags(sqe, RINGD_SQE_IO_LINK);
		sqe = ringd_get_sqe(opens);
		ringd_prep_msg_ring(sqe, ringd_ring_id(ring), 7, i, 0);
		ringd_sqe_set_flags(sqe, RINGD_SQE_CQE_SKIP_SUCCESS);
	}
	ck_assert_int_eq(ringd_submit(opens), 200);
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 100), 0);
	ringd_cq_advance(ring, 100);
	ringd_for_each_cqe(opens, i, n, cqe) {
		ck_assert(is_open(cqe->res));
		close(cqe->res);
	}
	ck_assert_uint_eq(n, 100);
	ringd_cq_advance(opens, n);
}
END_TEST

static void *open_and_close(void *arg)
{
	struct ringd_ring *own = arg;
	struct ringd_cqe *cqe;
	unsigned int n, i;
	char path[96];

	snprintf(path, sizeof(path), "%s/one", dir);
	for (int round = 0; round < 100; round++) {
		for (i = 0; i < 8; i++)
			ringd_prep_openat(own, ringd_get_sqe(own), AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		if (ringd_submit_and_wait(own, 8) != 8)
			return (void *)"submit";
		ringd_for_each_cqe(own, i, n, cqe) {
			char text[8] = "";

			if (cqe->flags || cqe->res < 0 || read(cqe->res, text, 7) != 5 || strcmp(text, "first") != 0)
				return (void *)"a descriptor that is not ours";
			close(cqe->res);
		}
		if (n != 8)
			return (void *)"too few";
		ringd_cq_advance(own, n);
	}
	return NULL;
}

/* The packets of all come through one channel. */
START_TEST(threads_with_a_ring_each_get_their_own)
{
	struct ringd_ring *own[4];
	pthread_t t[4];
	void *wrong;

	close(open_number("one", O_RDONLY));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ringd_ring_new(rd, &own[i], 8, 0), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, open_and_close, own[i]), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(t[i], &wrong), 0);
		ck_assert_msg(!wrong, "thread %d: %s", i, (const char *)wrong);
	}
}
END_TEST

START_TEST(a_pipe_gives_two_descriptors)
{
	int fds[2] = { 7777, 7777 };
	char byte;

	ringd_prep_pipe(ring, ringd_get_sqe(ring), fds, O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_eq(fds[0], 7777);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(read(fds[0], &byte, 1), -1);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);	/* the engine keeps no end */
	close(fds[0]);
	ringd_prep_pipe(ring, ringd_get_sqe(ring), fds, O_APPEND);
	ck_assert_int_eq(finish(), -EINVAL);
	ringd_prep_pipe(ring, ringd_get_sqe(ring), NULL, 0);
	ck_assert_int_eq(finish(), -EFAULT);
}
END_TEST

/* The address was good when the request was prepared. */
static unsigned int how_many_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += is_open(fd);
	return n;
}

START_TEST(a_pipe_whose_result_cannot_be_stored_leaves_nothing)
{
	int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int before;

	close(open_number("one", O_RDONLY));	/* from here on there is a channel */
	before = how_many_open();
	ringd_prep_pipe(ring, ringd_get_sqe(ring), page, 0);
	ck_assert_int_eq(mprotect(page, 4096, PROT_READ), 0);
	ck_assert_int_eq(finish(), -EFAULT);
	ck_assert_uint_eq(how_many_open(), before);
}
END_TEST

START_TEST(a_pipe_into_slots_tells_their_numbers)
{
	int slots[2] = { -1, -1 }, *in_arena = (int *)(void *)mem;

	ck_assert_int_eq(ringd_register_files_sparse(ring, 4), 0);
	ringd_prep_pipe_direct(ring, ringd_get_sqe(ring), slots, 0, 1);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(slots[0], 1);
	ck_assert_int_eq(slots[1], 2);
	ringd_prep_pipe_direct(ring, ringd_get_sqe(ring), in_arena, 0, 0);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(in_arena[0], 0);
	ck_assert_int_eq(in_arena[1], 1);
	ringd_prep_pipe_direct(ring, ringd_get_sqe(ring), slots, 0, 3);
	ck_assert_int_eq(finish(), -EINVAL);
	ringd_prep_pipe_direct(ring, ringd_get_sqe(ring), slots, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), -ENFILE);
	ringd_prep_close_direct(ringd_get_sqe(ring), 3);
	ck_assert_int_eq(finish(), -EBADF);	/* the one free slot is still free */
}
END_TEST

START_TEST(a_slot_can_be_had_as_a_descriptor)
{
	int one = open("one", O_RDONLY), fd;

	ck_assert_int_eq(ringd_register_files(ring, &one, 1), 0);
	close(one);
	ringd_prep_fixed_fd_install(ring, ringd_get_sqe(ring), 0, 0);
	fd = finish();
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read(fd, mem, 2), 2);
	close(fd);
	ringd_prep_fixed_fd_install(ring, ringd_get_sqe(ring), 0, RINGD_FIXED_FD_NO_CLOEXEC);
	fd = finish();
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 2);
	close(fd);
	ringd_prep_fixed_fd_install(ring, ringd_get_sqe(ring), 0, 2);
	ck_assert_int_eq(finish(), -EINVAL);
	ringd_prep_fixed_fd_install(ring, ringd_get_sqe(ring), 1, 0);
	ck_assert_int_eq(finish(), -EBADF);
}
END_TEST

/* --- close --- */

START_TEST(closing_a_lent_number_ends_the_pipe_when_the_cqe_is_seen)
{
	char byte;
	int fds[2];

	ck_assert_int_eq(close_number(0), -EBADF);	/* open, and never lent */
	ck_assert(is_open(0));
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
		lend(fds[1]);
		ck_assert_int_eq(close_number(fds[1]), 0);
		ck_assert_int_eq(read(fds[0], &byte, 1), 0);
		ck_assert(!is_open(fds[1]));
		ck_assert_int_eq(close_number(fds[1]), -EBADF);
		close(fds[0]);
	}
	/* the client was faster: what its own close() says */
	ck_assert_int_eq(pipe(fds), 0);
	lend(fds[1]);
	close(fds[1]);
	ck_assert_int_eq(close_number(fds[1]), -EBADF);
	close(fds[0]);
}
END_TEST

START_TEST(a_silent_close_needs_no_cqe)
{
	struct ringd_sqe *sqe;
	struct ringd_cqe *cqe;
	int fds[2];

	for (int i = 0; i < 40; i++) {		/* more than the channel holds */
		ck_assert_int_eq(pipe(fds), 0);
		lend(fds[1]);
		sqe = ringd_get_sqe(ring);
		ringd_prep_close(sqe, fds[1]);
		ringd_sqe_set_flags(sqe, RINGD_SQE_CQE_SKIP_SUCCESS);
		ck_assert_int_eq(ringd_submit(ring), 1);
		while (is_open(fds[1]))
			ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
		close(fds[0]);
	}
}
END_TEST

/* --- rings --- */

static struct ringd_cqe take(struct ringd_ring *r)
{
	struct ringd_cqe *cqe, copy;

	ck_assert_int_eq(ringd_wait_cqe(r, &cqe), 0);
	copy = *cqe;
	ringd_cqe_seen(r, cqe);
	return copy;
}

static int32_t message(struct ringd_ring *from, int to, uint32_t len, uint64_t data)
{
	ringd_prep_msg_ring(ringd_get_sqe(from), to, len, data, 0);
	return finish_on(from);
}

START_TEST(messages_between_rings_of_a_connection)
{
	struct ringd_ring *second;
	struct ringd_cqe cqe;
	struct ringd_sqe sqe = { 0 };

	ck_assert_int_eq(ringd_ring_new(rd, &second, 8, 0), 0);
	ck_assert_int_ne(ringd_ring_id(second), ringd_ring_id(ring));
	ck_assert_int_eq(message(ring, ringd_ring_id(second), 5, 77), 0);
	cqe = take(second);
	ck_assert_uint_eq(cqe.user_data, 77);
	ck_assert_int_eq(cqe.res, 5);
	ck_assert_uint_eq(cqe.flags, 0);
	/* flags of the sender's choice, also those that mean something to the library */
	ringd_prep_msg_ring_cqe_flags(ringd_get_sqe(ring), ringd_ring_id(second), 1, 78, 0, RINGD_CQE_F_CHANNEL | 0x10001);
	ck_assert_int_eq(finish(), 0);
	cqe = take(second);
	ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_CHANNEL | 0x10001);
	ck_assert_int_eq(cqe.res, 1);
	ringd_prep_msg_ring(&sqe, ringd_ring_id(second), 9, 79, 0);
	ck_assert_int_eq(ringd_register_sync_msg(rd, &sqe), 0);
	ck_assert_int_eq(take(second).res, 9);
	sqe.fd = 5000;
	ck_assert_int_eq(ringd_register_sync_msg(rd, &sqe), -EBADF);
	sqe.opcode = RINGD_OP_NOP;
	ck_assert_int_eq(ringd_register_sync_msg(rd, &sqe), -EINVAL);
	/* a lent descriptor is no ring, a ring that was is none either */
	lend(0);
	ck_assert_int_eq(ringd_fd_return(rd, (int[]){ 0 }, 1), 1);
	ck_assert_int_eq(message(ring, 5000, 1, 1), -EBADF);
	sqe.fd = ringd_ring_id(second);
	ringd_ring_free(second);
	ck_assert_int_eq(message(ring, sqe.fd, 1, 1), -EBADFD);
}
END_TEST

START_TEST(a_file_goes_from_ring_to_ring)
{
	struct ringd_ring *second;
	struct ringd_cqe cqe;
	int one = open("one", O_RDONLY);

	ck_assert_int_eq(ringd_ring_new(rd, &second, 8, 0), 0);
	ck_assert_int_eq(ringd_register_files(ring, &one, 1), 0);
	close(one);
	ringd_prep_msg_ring_fd(ringd_get_sqe(ring), ringd_ring_id(second), 0, 0, 5, 0);
	ck_assert_int_eq(finish(), -ENXIO);
	ck_assert_int_eq(ringd_register_files_sparse(second, 2), 0);
	ringd_prep_msg_ring_fd(ringd_get_sqe(ring), ringd_ring_id(second), 0, RINGD_FILE_INDEX_ALLOC, 5, 0);
	ck_assert_int_eq(finish(), 0);
	cqe = take(second);
	ck_assert_uint_eq(cqe.user_data, 5);
	ck_assert_int_eq(cqe.res, 0);
	ringd_prep_msg_ring_fd(ringd_get_sqe(ring), ringd_ring_id(second), 0, RINGD_FILE_INDEX_ALLOC, 5, RINGD_MSG_RING_CQE_SKIP);
	ck_assert_int_eq(finish(), 1);
	ringd_prep_msg_ring_fd(ringd_get_sqe(ring), ringd_ring_id(second), 0, RINGD_FILE_INDEX_ALLOC, 5, 0);
	ck_assert_int_eq(finish(), -ENFILE);
	ck_assert_int_eq(ringd_unregister_files(ring), 0);
	ringd_prep_read(ringd_get_sqe(second), 1, mem, 64, 0);
	ringd_get_sqe(second)->opcode = RINGD_OP_NOP;
	ck_assert_int_eq(ringd_submit(second), 2);
	ck_assert_int_eq(take(second).res, -EBADF);	/* it is a slot's number */
	take(second);
}
END_TEST

/* --- other processes --- */

/* Another client: echoes messages, negated, until it is told to stop. */
static void echo(int sock)
{
	struct ringd_ring *own;
	struct ringd *other;
	uint8_t token[16];
	int back, one;

	if (rd_connect_patiently(&other, ringd.socket) < 0 || ringd_ring_new(other, &own, 8, 0) < 0 ||
	    ringd_ring_export(own, token) < 0 || write(sock, token, 16) != 16 || read(sock, token, 16) != 16)
		_exit(1);
	back = ringd_ring_import(other, token);
	if (back <= 0 || back == ringd_ring_id(own))
		_exit(2);
	for (;;) {
		struct ringd_cqe *cqe;
		struct ringd_sqe *sqe;

		if (ringd_wait_cqe(own, &cqe) < 0)
			_exit(3);
		one = cqe->res;
		ringd_cqe_seen(own, cqe);
		if (!one)
			_exit(0);
		sqe = ringd_get_sqe(own);
		ringd_prep_msg_ring(sqe, back, (unsigned int)-one, 0, 0);
		ringd_sqe_set_flags(sqe, RINGD_SQE_CQE_SKIP_SUCCESS);
		if (ringd_submit(own) != 1)
			_exit(4);
	}
}

static void exchange(int sock, int *handle)
{
	uint8_t token[16];

	ck_assert_int_eq(ringd_ring_export(ring, token), 0);
	ck_assert_int_eq(write(sock, token, 16), 16);
	ck_assert_int_eq(read(sock, token, 16), 16);
	*handle = ringd_ring_import(rd, token);
	ck_assert_int_gt(*handle, 0);
}

static pid_t start_echo(int *sock)
{
	int pair[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(pair[0]);
		echo(pair[1]);
	}
	close(pair[1]);
	*sock = pair[0];
	return pid;
}

START_TEST(two_processes_exchange_messages)
{
	int sock, handle, status;
	pid_t pid = start_echo(&sock);

	exchange(sock, &handle);
	for (int i = 1; i < 200; i++) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		ringd_prep_msg_ring(sqe, handle, (unsigned int)i, 0, 0);
		ringd_sqe_set_flags(sqe, RINGD_SQE_CQE_SKIP_SUCCESS);
		ck_assert_int_eq(ringd_submit(ring), 1);
		ck_assert_int_eq(take(ring).res, -i);
	}
	ck_assert_int_eq(message(ring, handle, 0, 0), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(sock);
}
END_TEST

START_TEST(a_handle_ends_with_its_ring)
{
	int sock, handle, status, r;
	pid_t pid = start_echo(&sock);

	exchange(sock, &handle);
	/* messages arrive all the time, nobody takes their answers */
	for (int i = 0; i < 30; i++) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		ringd_prep_msg_ring(sqe, handle, 1, 0, 0);
		ringd_sqe_set_flags(sqe, RINGD_SQE_CQE_SKIP_SUCCESS);
	}
	ringd_submit(ring);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	for (;;) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		ringd_prep_msg_ring(sqe, handle, 1, 4711, 0);
		ringd_sqe_set_data64(sqe, 4711);
		ck_assert_int_eq(ringd_submit(ring), 1);
		do {
			struct ringd_cqe cqe = take(ring);

			r = cqe.user_data == 4711 ? cqe.res : 1;
		} while (r == 1);
		if (r < 0)
			break;
	}
	ck_assert_int_eq(r, -EBADFD);
	ck_assert_int_eq(ringd_ring_forget(rd, handle), 0);
	ck_assert_int_eq(ringd_ring_forget(rd, 12345), -ENOENT);
	close(sock);
}
END_TEST

START_TEST(a_token_is_one_of_its_ring_only)
{
	uint8_t token[16], again[16], other[16];
	struct ringd_ring *second;
	struct ringd *rd2;

	ck_assert_int_eq(ringd_ring_new(rd, &second, 8, 0), 0);
	ck_assert_int_eq(rd_connect_patiently(&rd2, ringd.socket), 0);
	ck_assert_int_eq(ringd_ring_export(ring, token), 0);
	ck_assert_int_eq(ringd_ring_export(ring, again), 0);
	ck_assert_int_eq(ringd_ring_export(second, other), 0);
	ck_assert_int_eq(memcmp(token, again, 16), 0);
	ck_assert_int_ne(memcmp(token, other, 16), 0);
	ck_assert_int_eq(ringd_ring_import(rd, token), ringd_ring_id(ring));
	for (int i = 0; i < 128; i++) {		/* one bit wrong */
		token[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(ringd_ring_import(rd2, token), -ENOENT);
		token[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_int_gt(ringd_ring_import(rd2, token), 0);
	ringd_ring_free(second);
	ck_assert_int_eq(ringd_ring_import(rd2, other), -ENOENT);
	ringd_close(rd2);
}
END_TEST

/* --- memory that lies: it is this process's own --- */

START_TEST(forged_cookies_find_nothing)
{
	struct ringd_cqe *cqe;
	int lowest, fd;

	close(open_number("one", O_RDONLY));
	lowest = open("one", O_RDONLY);
	close(lowest);
	for (uint32_t i = 0; i < 300; i++) {
		ringd_prep_nop(ringd_get_sqe(ring));
		ck_assert_int_eq(ringd_submit(ring), 1);
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		cqe->flags |= RINGD_CQE_F_CHANNEL;
		cqe->res = (int32_t)i - 100;
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), 0);
		ck_assert_int_eq(cqe->res, (int32_t)i - 100);
		ck_assert_uint_eq(cqe->flags, RINGD_CQE_F_CHANNEL);
		ringd_cqe_seen(ring, cqe);
	}
	/* and those that are real still find theirs */
	fd = open_number("two", O_RDONLY);
	ck_assert_int_eq(fd, lowest);
	close(fd);
}
END_TEST

START_TEST(a_ring_that_is_freed_takes_what_nobody_asked_for)
{
	struct ringd_ring *second;
	struct ringd_cqe *cqe;
	int before = -1, after;

	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(ringd_ring_new(rd, &second, 64, 0), 0);
		for (int i = 0; i < 60; i++)
			ringd_prep_openat(second, ringd_get_sqe(second), AT_FDCWD, "one", O_RDONLY, 0);
		ck_assert_int_eq(ringd_submit(second), 60);
		if (round) {
			ck_assert_int_eq(ringd_wait_cqe_nr(second, &cqe, 30), 0);
			close(cqe->res);	/* this one was asked for */
		}
		ringd_ring_free(second);
		after = open("one", O_RDONLY);
		close(after);
		if (round)
			ck_assert_int_eq(after, before);
		before = after;
	}
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *s;
	TCase *t;

	if (missing)
		return rd_suite_skip(missing);
	s = suite_create("descriptors and rings");
	t = tcase_create("service");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_number_means_the_lent_file_until_it_is_returned);
	tcase_add_test(t, what_cannot_be_lent_is_refused);
	tcase_add_test(t, a_returned_pipe_ends);
	tcase_add_test(t, paths_start_at_a_lent_directory);
	tcase_add_test(t, an_open_without_a_slot_gives_a_descriptor_of_this_process);
	tcase_add_test(t, no_room_for_a_descriptor_is_emfile);
	tcase_add_loop_test(t, more_opens_than_the_channel_holds, 0, 2);
	tcase_add_test(t, a_full_channel_wakes_who_waits_for_another_ring);
	tcase_add_test(t, threads_with_a_ring_each_get_their_own);
	tcase_add_test(t, a_pipe_gives_two_descriptors);
	tcase_add_test(t, a_pipe_whose_result_cannot_be_stored_leaves_nothing);
	tcase_add_test(t, a_pipe_into_slots_tells_their_numbers);
	tcase_add_test(t, a_slot_can_be_had_as_a_descriptor);
	tcase_add_test(t, closing_a_lent_number_ends_the_pipe_when_the_cqe_is_seen);
	tcase_add_test(t, a_silent_close_needs_no_cqe);
	tcase_add_test(t, messages_between_rings_of_a_connection);
	tcase_add_test(t, a_file_goes_from_ring_to_ring);
	tcase_add_test(t, two_processes_exchange_messages);
	tcase_add_test(t, a_handle_ends_with_its_ring);
	tcase_add_test(t, a_token_is_one_of_its_ring_only);
	tcase_add_test(t, forged_cookies_find_nothing);
	tcase_add_test(t, a_ring_that_is_freed_takes_what_nobody_asked_for);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
