/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: what comes through the channel finds its CQE, whatever the order; lists of lent descriptors; tokens. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define RING_ID	100u		/* the fake engine's first */

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), 0);
	peer = &fake->rings[0];
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

static int new_file(const char *text)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, text, strlen(text) + 1, 0), (ssize_t)strlen(text) + 1);
	return fd;
}

static bool has_text(int fd, const char *text)
{
	char buf[64] = "";

	return pread(fd, buf, sizeof(buf), 0) > 0 && strcmp(buf, text) == 0;
}

/* The lowest number that is free; the fake engine has its descriptors in this process. */
static int lowest(void)
{
	int fd;

	fake_settle(fake);
	fd = dup(0);
	close(fd);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void want_channel(void)
{
	struct ringd_sqe sqe = { 0 };

	ringd_prep_fixed_fd_install(ring, &sqe, 0, 0);
	ck_assert_uint_eq(sqe.opcode, RINGD_OP_FIXED_FD_INSTALL);
	ck_assert_int_ge(fake->channel, 0);
}

static void send_file(uint64_t user_data, uint32_t cookie, const char *text)
{
	const struct ringd_channel p = {
		.user_data = user_data, .ring_id = RING_ID, .cookie = cookie, .kind = RINGD_CHANNEL_FD,
		.flags = RINGD_CHANNEL_F_CLOEXEC,
	};
	int fd = new_file(text);

	fake_packet(fake, &p, &fd, 1);
	close(fd);
}

static void post(uint64_t user_data, int32_t cookie)
{
	fake->post_flags = RINGD_CQE_F_CHANNEL;
	fake_post(fake, peer, user_data, cookie);
}

static struct ringd_cqe take(void)
{
	struct ringd_cqe *cqe, copy;

	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	copy = *cqe;
	ringd_cqe_seen(ring, cqe);
	return copy;
}

START_TEST(packets_find_their_cqes_in_any_order)
{
	struct ringd_cqe *cqes[3], cqe;

	want_channel();
	send_file(1, 10, "one");
	send_file(2, 11, "two");
	send_file(3, 12, "three");
	post(3, 12);
	post(1, 10);
	post(2, 11);
	ck_assert_uint_eq(ringd_peek_batch_cqe(ring, cqes, 3), 3);
	for (int i = 0; i < 3; i++) {
		static const char *const texts[] = { "three", "one", "two" };

		ck_assert_uint_eq(cqes[i]->flags, 0);
		ck_assert(has_text(cqes[i]->res, texts[i]));
		ck_assert_int_eq(fcntl(cqes[i]->res, F_GETFD), FD_CLOEXEC);
	}
	/* again: the same numbers, no more packets are looked for */
	ck_assert_int_eq(ringd_cqe_at(ring, 1)->res, cqes[1]->res);
	ringd_cq_advance(ring, 3);
	/* other flags of the CQE stay */
	send_file(4, 13, "four");
	fake->post_flags = RINGD_CQE_F_CHANNEL | RINGD_CQE_F_MORE;
	fake_post(fake, peer, 4, 13);
	cqe = take();
	ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_MORE);
	ck_assert(has_text(cqe.res, "four"));
}
END_TEST

/* Ring, request and cookie must all fit; what fits none is somebody's message, and stays as it is. */
START_TEST(a_cqe_takes_only_its_own_packet)
{
	struct ringd_cqe cqe;

	post(1, 10);		/* no channel yet */
	cqe = take();
	ck_assert_int_eq(cqe.res, 10);
	want_channel();
	send_file(1, 10, "one");
	post(1, 11);
	post(2, 10);
	post(1, 10);
	ck_assert_int_eq(take().res, 11);
	cqe = take();
	ck_assert_int_eq(cqe.res, 10);
	ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_CHANNEL);
	cqe = take();
	ck_assert_uint_eq(cqe.flags, 0);
	ck_assert(has_text(cqe.res, "one"));
	post(1, 10);		/* once is enough */
	ck_assert_uint_eq(take().flags, RINGD_CQE_F_CHANNEL);
}
END_TEST

START_TEST(close_on_exec_is_as_asked)
{
	struct ringd_channel p = { .user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_FD };
	int fd = new_file("x");

	want_channel();
	fake_packet(fake, &p, &fd, 1);
	post(1, 0);
	ck_assert_int_eq(fcntl(take().res, F_GETFD), 0);
	close(fd);
}
END_TEST

START_TEST(a_pipe_is_stored_where_it_can_be)
{
	int pair[2] = { -1, -1 }, from[2], first;
	struct ringd_channel p = {
		.user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_PIPE, .addr = (uintptr_t)pair,
	};
	bool next;
	char byte;

	want_channel();
	ck_assert_int_eq(pipe(from), 0);
	fake_packet(fake, &p, from, 2);
	post(1, 0);
	ck_assert_int_eq(take().res, 0);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert_int_eq(read(pair[0], &byte, 1), 1);
	first = lowest();
	next = is_open(first + 1);	/* who started us may have left it open */
	p.addr = 4096;
	fake_packet(fake, &p, from, 2);
	post(1, 0);
	ck_assert_int_eq(take().res, -EFAULT);
	ck_assert_int_eq(lowest(), first);
	ck_assert(is_open(first + 1) == next);
	/* numbers alone */
	p = (struct ringd_channel){ .user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_PAIR, .addr = (uintptr_t)pair,
				    .number = 5, .number2 = 6 };
	fake_packet(fake, &p, NULL, 0);
	post(1, 0);
	ck_assert_int_eq(take().res, 0);
	ck_assert_int_eq(pair[0], 5);
	ck_assert_int_eq(pair[1], 6);
	/* nor at odd addresses, of which the kernel does not say whether they can be written */
	for (p.addr = 4096; p.addr < 4100; p.addr++) {
		fake_packet(fake, &p, NULL, 0);
		post(1, 0);
		ck_assert_int_eq(take().res, -EFAULT);
	}
}
END_TEST

/* Into the control message that is there already; those that did not come are taken off it. */
START_TEST(numbers_of_a_message_are_stored_in_it)
{
	struct {
		struct cmsghdr head;
		int numbers[4];
	} cm;
	uint32_t flags = 0;
	struct ringd_channel p = {
		.user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_RIGHTS, .addr = (uintptr_t)cm.numbers,
		.msg_flags = (uintptr_t)&flags, .res = 77, .nr = 3,
	};
	int fd = new_file("x"), fds[4] = { fd, fd, fd, fd }, first;

	want_channel();
	first = lowest();
	for (unsigned int n = 0; n <= 4; n++) {
		cm.head.cmsg_len = CMSG_LEN(3 * sizeof(int));
		memset(cm.numbers, 0xff, sizeof(cm.numbers));
		flags = 2;
		fake_packet(fake, &p, fds, n);
		post(1, 0);
		ck_assert_int_eq(take().res, 77);
		/* more than it says are no engine's */
		ck_assert_uint_eq(cm.head.cmsg_len, CMSG_LEN((n > 3 ? 3 : n) * sizeof(int)));
		ck_assert_uint_eq(flags, n < 3 ? 2 | MSG_CTRUNC : 2);
		for (unsigned int i = 0; i < 4; i++) {
			if (i < n && n < 4) {
				ck_assert(has_text(cm.numbers[i], "x"));
				ck_assert_int_eq(fcntl(cm.numbers[i], F_GETFD), 0);
				close(cm.numbers[i]);
			} else {
				ck_assert_int_eq(cm.numbers[i], -1);
			}
		}
		ck_assert_int_eq(lowest(), first);
	}
	/* no memory there any more, or none that makes sense: they are closed, and the message has come all the same */
	for (int i = 0; i < 3; i++) {
		p.addr = i == 0 ? 4096 : (uintptr_t)cm.numbers;
		p.msg_flags = i == 1 ? 4096 : (uintptr_t)&flags;
		p.nr = i == 2 ? UINT32_MAX : 3;
		fake_packet(fake, &p, fds, 3);
		post(1, 0);
		ck_assert_int_eq(take().res, 77);
		ck_assert_int_eq(lowest(), first);
	}
	close(fd);
}
END_TEST

START_TEST(a_closed_number_is_closed_here)
{
	int fd = new_file("x");
	struct ringd_channel p = { .user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_CLOSE, .number = fd };

	want_channel();
	fake_packet(fake, &p, NULL, 0);
	post(1, 0);
	ck_assert_int_eq(take().res, 0);
	ck_assert(!is_open(fd));
	fake_packet(fake, &p, NULL, 0);
	post(1, 0);
	ck_assert_int_eq(take().res, -EBADF);
	/* what the engine's own close() has said counts more */
	p.res = -EIO;
	p.number = new_file("y");
	fake_packet(fake, &p, NULL, 0);
	post(1, 0);
	ck_assert_int_eq(take().res, -EIO);
	ck_assert(!is_open(p.number));
}
END_TEST

START_TEST(no_room_is_emfile_and_the_next_one_works)
{
	struct rlimit old, low;

	want_channel();
	send_file(1, 1, "one");
	send_file(2, 2, "two");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)lowest();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	post(1, 1);
	ck_assert_int_eq(take().res, -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	post(2, 2);
	ck_assert(has_text(take().res, "two"));
}
END_TEST

/* Nobody ever sees a CQE of it: the word in the ring tells. */
START_TEST(silent_packets_are_seen_to_when_the_ring_says_so)
{
	int fd = new_file("x");
	struct ringd_channel p = {
		.user_data = 1, .ring_id = RING_ID, .kind = RINGD_CHANNEL_CLOSE, .number = fd, .flags = RINGD_CHANNEL_F_SILENT,
	};
	struct ringd_cqe *cqe;

	want_channel();
	fake_packet(fake, &p, NULL, 0);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	ck_assert(is_open(fd));
	__atomic_store_n(&peer->hot->channel, 1, __ATOMIC_RELEASE);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	ck_assert(!is_open(fd));
	post(1, 0);		/* not that one's */
	ck_assert_uint_eq(take().flags, RINGD_CQE_F_CHANNEL);
}
END_TEST

START_TEST(what_nobody_asked_for_goes_with_its_ring)
{
	struct ringd_ring *second;
	struct ringd_channel other = { .user_data = 1, .ring_id = RING_ID + 1, .kind = RINGD_CHANNEL_FD };
	int fd = new_file("other"), first;

	want_channel();
	ck_assert_int_eq(ringd_ring_new(rd, &second, 8, 0), 0);
	send_file(1, 1, "one");
	fake_packet(fake, &other, &fd, 1);
	post(1, 1);
	first = take().res;
	ck_assert(has_text(first, "one"));
	send_file(2, 2, "two");
	ringd_ring_free(second);
	ck_assert_int_eq(fake->rings_freed, 1);
	post(2, 2);
	ck_assert(has_text(take().res, "two"));
	/* what is left goes with the connection: the leak checker knows */
	send_file(3, 3, "three");
	post(4, 4);
	take();
	close(fd);
}
END_TEST

START_TEST(packets_of_no_known_kind_do_nothing)
{
	struct ringd_channel p = { .user_data = 1, .ring_id = RING_ID, .kind = 99, .number = 0 };

	want_channel();
	fake_packet(fake, &p, NULL, 0);
	post(1, 0);
	ck_assert_int_eq(take().res, 0);
	ck_assert(is_open(0));
}
END_TEST

START_TEST(descriptors_that_nobody_wants_are_closed)
{
	static const uint16_t kinds[] = { RINGD_CHANNEL_FD, RINGD_CHANNEL_PAIR, RINGD_CHANNEL_CLOSE, 99 };
	int fds[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/null", O_RDONLY | O_CLOEXEC) }, first;
	struct ringd_channel p = { .user_data = 1, .ring_id = RING_ID, .kind = kinds[_i], .number = -1 };

	want_channel();
	first = lowest();
	fake_packet(fake, &p, fds, 2);
	post(1, 0);
	take();
	ck_assert_int_eq(lowest(), first);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(an_engine_without_a_channel_fails_the_request)
{
	struct ringd_sqe sqe = { 0 };
	int pair[2];

	fake->fail = -EDQUOT;
	ringd_prep_openat(ring, &sqe, AT_FDCWD, "/", 0, 0);
	ck_assert_uint_eq(sqe.opcode, RINGD_OP_NOP);
	ck_assert_int_eq((int32_t)sqe.len, -EDQUOT);
	fake->fail = -EDQUOT;
	ringd_prep_pipe_direct(ring, &sqe, pair, 0, 3);
	ck_assert_uint_eq(sqe.opcode, RINGD_OP_NOP);
	ringd_prep_pipe_direct(ring, &sqe, pair, 0, 3);
	ck_assert_uint_eq(sqe.opcode, RINGD_OP_PIPE);
	ck_assert_uint_eq(sqe.file_index, 4);
	ck_assert_uint_eq(sqe.addr, (uintptr_t)pair);
	ringd_prep_pipe(ring, &sqe, (int *)16, 0);
	ck_assert_int_eq((int32_t)sqe.len, -EFAULT);
}
END_TEST

START_TEST(messages_have_the_fields_of_io_uring)
{
	struct ringd_sqe sqe = { 0 };

	ringd_prep_msg_ring(&sqe, 7, 5, 0x1234567890, RINGD_MSG_RING_CQE_SKIP);
	ck_assert_uint_eq(sqe.opcode, RINGD_OP_MSG_RING);
	ck_assert_int_eq(sqe.fd, 7);
	ck_assert_uint_eq(sqe.len, 5);
	ck_assert_uint_eq(sqe.off, 0x1234567890);
	ck_assert_uint_eq(sqe.addr, RINGD_MSG_DATA);
	ck_assert_uint_eq(sqe.msg_ring_flags, RINGD_MSG_RING_CQE_SKIP);
	ringd_prep_msg_ring_cqe_flags(&sqe, 7, 5, 1, 0, 0x10001);
	ck_assert_uint_eq(sqe.msg_ring_flags, RINGD_MSG_RING_FLAGS_PASS);
	ck_assert_uint_eq(sqe.file_index, 0x10001);
	ringd_prep_msg_ring_fd(&sqe, 7, 2, 3, 1, 0);
	ck_assert_uint_eq(sqe.addr, RINGD_MSG_SEND_FD);
	ck_assert_uint_eq(sqe.addr3, 2);
	ck_assert_uint_eq(sqe.file_index, 4);
	ck_assert_uint_eq(sqe.len, 0);
	ringd_prep_msg_ring_fd(&sqe, 7, 2, RINGD_FILE_INDEX_ALLOC, 1, 0);
	ck_assert_uint_eq(sqe.file_index, RINGD_FILE_INDEX_ALLOC);
}
END_TEST

START_TEST(lists_are_sent_in_packets)
{
	int fds[300], base = new_file("x");
	struct stat st;

	for (int i = 0; i < 300; i++)
		fds[i] = dup(base);
	ck_assert_int_eq(ringd_fd_lend(rd, fds, 300), 300);
	ck_assert_uint_eq(fake->lend_packets, 2);
	ck_assert_uint_eq(fake->n_lent, 300);
	ck_assert_int_eq(fstat(base, &st), 0);
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(fake->lent[i], fds[i]);
		ck_assert_uint_eq(fake->lent_ino[i], st.st_ino);
	}
	fake->lend_less = 3;		/* it ends where the engine stopped */
	fake->n_lent = 0;
	ck_assert_int_eq(ringd_fd_lend(rd, fds, 300), 250);
	ck_assert_uint_eq(fake->n_lent, 253);
	fake->lend_less = 0;
	ck_assert_int_eq(ringd_fd_return(rd, fds, 300), 300);
	fake->fail = -EDQUOT;
	ck_assert_int_eq(ringd_fd_lend(rd, fds, 1), -EDQUOT);
	close(fds[1]);
	ck_assert_int_eq(ringd_fd_lend(rd, fds, 3), 1);
}
END_TEST

START_TEST(tokens_and_handles)
{
	uint8_t token[16];

	ck_assert_int_eq(ringd_ring_id(ring), RING_ID);
	ck_assert_int_eq(ringd_ring_export(ring, token), 0);
	ck_assert_mem_eq(token, "fifteen letters", 16);
	ck_assert_int_eq(ringd_ring_import(rd, token), 4711);
	ck_assert_int_eq(ringd_ring_forget(rd, 4711), 0);
	fake->fail = -ENOENT;
	ck_assert_int_eq(ringd_ring_import(rd, token), -ENOENT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		packets_find_their_cqes_in_any_order, a_cqe_takes_only_its_own_packet, close_on_exec_is_as_asked,
		a_pipe_is_stored_where_it_can_be, numbers_of_a_message_are_stored_in_it, a_closed_number_is_closed_here, no_room_is_emfile_and_the_next_one_works,
		silent_packets_are_seen_to_when_the_ring_says_so, what_nobody_asked_for_goes_with_its_ring,
		packets_of_no_known_kind_do_nothing, an_engine_without_a_channel_fails_the_request,
		messages_have_the_fields_of_io_uring, lists_are_sent_in_packets, tokens_and_handles,
	};
	Suite *s = suite_create("libringd: descriptors");
	TCase *t = tcase_create("fake engine");

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, descriptors_that_nobody_wants_are_closed, 0, 4);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
