/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets with descriptors: what arrives is the caller's or closed, and every malformed packet is -EPROTO. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"
#include "proto/wire.h"
#include "suite.h"

static int sk[2];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sk), 0);
}

static void teardown(void)
{
	rd_close(sk[0]);
	rd_close(sk[1]);
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void send_n(size_t n)
{
	int fds[RINGD_MSG_FDS];

	for (size_t i = 0; i < n; i++)
		fds[i] = STDIN_FILENO;
	ck_assert_int_eq(rd_send_fds(sk[0], "hello", 5, fds, n), 0);
}

START_TEST(data_and_descriptors_arrive_close_on_exec)
{
	int fds[4];
	size_t n = RD_ARRAY_SIZE(fds);
	char buf[16];

	send_n(3);
	ck_assert_int_eq(rd_recv_fds(sk[1], buf, sizeof(buf), fds, &n), 5);
	ck_assert_uint_eq(n, 3);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
}
END_TEST

START_TEST(an_empty_socket_is_eagain_a_closed_one_the_end)
{
	size_t n = 0;
	char c;

	ck_assert_int_eq(rd_recv_fds(sk[1], &c, 1, NULL, &n), -EAGAIN);
	close(sk[0]);
	sk[0] = -1;
	ck_assert_int_eq(rd_recv_fds(sk[1], &c, 1, NULL, &n), 0);
}
END_TEST

static const size_t counts[] = { 1, 2, 64, 252, 253 };

START_TEST(descriptors_without_room_are_closed)
{
	int before = open_fds(), fds[1];
	char buf[16];

	for (size_t room = 0; room <= 1; room++) {
		size_t n = room;

		if (counts[_i] <= room)
			continue;
		send_n(counts[_i]);
		ck_assert_int_eq(rd_recv_fds(sk[1], buf, sizeof(buf), fds, &n), -EPROTO);
		ck_assert_uint_eq(n, 0);
		ck_assert_int_eq(open_fds(), before);
	}
}
END_TEST

START_TEST(a_cut_packet_is_refused_with_its_descriptors)
{
	int before = open_fds(), fds[8];
	size_t n = RD_ARRAY_SIZE(fds);
	char buf[4];

	send_n(2);
	ck_assert_int_eq(rd_recv_fds(sk[1], buf, sizeof(buf), fds, &n), -EPROTO);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(an_empty_packet_with_descriptors_is_not_the_end)
{
	int before = open_fds(), fds[8], fd = STDIN_FILENO;
	size_t n = RD_ARRAY_SIZE(fds);
	char buf[4];

	ck_assert_int_eq(rd_send_fds(sk[0], "", 0, &fd, 1), 0);
	ck_assert_int_eq(rd_recv_fds(sk[1], buf, sizeof(buf), fds, &n), -EPROTO);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(other_control_messages_are_refused)
{
	int on = 1, fds[8], before = open_fds();
	size_t n = RD_ARRAY_SIZE(fds);
	char buf[16];

	/* the receiver asked for credentials, so the kernel puts them beside the descriptors */
	ck_assert_int_eq(setsockopt(sk[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	send_n(2);
	ck_assert_int_eq(rd_recv_fds(sk[1], buf, sizeof(buf), fds, &n), -EPROTO);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(a_full_socket_is_eagain)
{
	char big[1024] = { 0 };
	int r;

	while ((r = rd_send_fds(sk[0], big, sizeof(big), NULL, 0)) == 0)
		;
	ck_assert_int_eq(r, -EAGAIN);
}
END_TEST

START_TEST(a_closed_socket_is_epipe_without_a_signal)
{
	close(sk[1]);
	sk[1] = -1;
	ck_assert_int_eq(rd_send_fds(sk[0], "x", 1, NULL, 0), -EPIPE);
}
END_TEST

START_TEST(more_than_the_kernel_takes_is_einval)
{
	int fds[RINGD_MSG_FDS + 1] = { 0 };

	ck_assert_int_eq(rd_send_fds(sk[0], "x", 1, fds, RD_ARRAY_SIZE(fds)), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fdpass");
	TCase *tc = tcase_create("packets");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, data_and_descriptors_arrive_close_on_exec);
	tcase_add_test(tc, an_empty_socket_is_eagain_a_closed_one_the_end);
	tcase_add_loop_test(tc, descriptors_without_room_are_closed, 0, (int)RD_ARRAY_SIZE(counts));
	tcase_add_test(tc, a_cut_packet_is_refused_with_its_descriptors);
	tcase_add_test(tc, an_empty_packet_with_descriptors_is_not_the_end);
	tcase_add_test(tc, other_control_messages_are_refused);
	tcase_add_test(tc, a_full_socket_is_eagain);
	tcase_add_test(tc, a_closed_socket_is_epipe_without_a_signal);
	tcase_add_test(tc, more_than_the_kernel_takes_is_einval);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
