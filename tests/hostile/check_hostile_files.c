/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that mean the engine, that never answer, and that are nothing a file should be. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "daemon/common/util.h"
#include "neverfs.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&arena, &raw, RD_RAW_ARENA, 1u << 20);
}

static void leave(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
}

static void teardown(void)
{
	leave();
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static void put(uint8_t opcode, int slot, uint8_t flags, uint32_t len)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	sqe->opcode = opcode;
	sqe->flags = flags | RINGD_SQE_FIXED_FILE;
	sqe->fd = slot;
	if (opcode == RINGD_OP_FSYNC)
		return;
	sqe->addr = RD_RAW_ARENA;
	sqe->len = len;
	sqe->off = UINT64_MAX;
}

/* The engine still does the work of this client, too. */
static void expect_alive(void)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };
	struct raw_ring second;

	raw_ring(&second, &raw, 8, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(raw_one(&second, &sqe), 0);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	raw_ring_drop(&second);
}

/* --- kinds --- (a kernel io_uring is not among them: the kernel refuses to send one) */

static int make_signalfd(void)
{
	sigset_t set;

	sigfillset(&set);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int own_ring(void)
{
	return fcntl(ring.fd, F_DUPFD_CLOEXEC, 0);
}

static int own_connection(void)
{
	return fcntl(raw.sock, F_DUPFD_CLOEXEC, 0);
}

/* One that reads of this file would take the very bytes from that should wake its client. */
static int own_wake(void)
{
	return fcntl(ring.wake, F_DUPFD_CLOEXEC, 0);
}

static int own_channel(void)
{
	struct ringd_msg msg = { 0 };
	size_t n = 1;
	int fd = -1;

	raw_send(&raw, &(struct ringd_msg){ .size = sizeof(msg), .type = RINGD_MSG_CHANNEL, .seq = ++raw.seq }, sizeof(msg), NULL, 0);
	ck_assert_int_eq(raw_recv(&raw, &msg, sizeof(msg), &fd, &n), sizeof(msg));
	ck_assert_int_eq(msg.res, 0);
	ck_assert_uint_eq(n, 1);
	return fd;
}

static int (*const engines[])(void) = { make_signalfd, own_ring, own_connection, own_wake, own_channel };

static int lend(const int32_t *numbers, const int *fds, uint32_t nr)
{
	struct {
		struct ringd_fd_list list;
		int32_t numbers[RINGD_MSG_FDS];
	} m = { .list = { .nr = nr } };

	memcpy(m.numbers, numbers, nr * sizeof(*numbers));
	return raw_call(&raw, &m.list.msg, RINGD_MSG_FD_LEND, sizeof(m.list) + nr * sizeof(*numbers), fds, nr, NULL, 0);
}

START_TEST(files_that_mean_the_engine_are_ebadf)
{
	RD_CLOSE int fd = engines[_i]();
	const int32_t number = 5;
	const int none = -1;
	int hole[2] = { -1, fd };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), -EBADF);
	/* not in the second place either, and then nothing is installed */
	ck_assert_int_eq(raw_register_files(&ring, hole, 2), -EBADF);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), -ENXIO);
	ck_assert_int_eq(raw_register_files(&ring, &none, 1), 0);
	ck_assert_int_eq(raw_update_file(&ring, 0, fd), -EBADF);
	ck_assert_int_eq(lend(&number, &fd, 1), -EBADF);
}
END_TEST

static int make_fifo(void)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	return p[0];		/* the writer stays open: no end of file ever */
}

static int make_full_pipe(void)
{
	int p[2];
	char block[4096] = { 0 };

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	while (write(p[1], block, sizeof(block)) > 0)
		;
	fcntl(p[1], F_SETFL, 0);
	return p[1];
}

static int make_tty(void)
{
	int master, slave;

	return openpty(&master, &slave, NULL, NULL, NULL) < 0 ? -1 : slave;
}

static int make_socket(void)
{
	int p[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0 ? -1 : p[0];
}

static int make_listener(void)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock >= 0)
		listen(sock, 1);
	return sock;
}

static int make_datagram(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int make_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int make_timerfd(void)
{
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int make_epoll(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	epoll_ctl(fd, EPOLL_CTL_ADD, ring.doorbell, &ev);
	return fd;
}

static int make_inotify(void)
{
	return inotify_init1(IN_CLOEXEC);
}

static int make_pidfd(void)
{
	return pidfd_open(getpid(), 0);
}

static int make_own_doorbell(void)
{
	return fcntl(ring.doorbell, F_DUPFD_CLOEXEC, 0);
}

static int make_own_arena(void)
{
	return fcntl(arena.fd, F_DUPFD_CLOEXEC, 0);
}

static int make_proc_mem(void)
{
	return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static int make_kmsg(void)
{
	return open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
}

static int make_path(void)
{
	return open("/usr", O_PATH | O_CLOEXEC);
}

static int (*const odd[])(void) = {
	make_fifo, make_full_pipe, make_tty, make_socket, make_listener, make_datagram, make_eventfd, make_timerfd, make_epoll,
	make_inotify, make_pidfd, make_own_doorbell, make_own_arena, make_proc_mem, make_kmsg, make_path,
};

START_TEST(odd_files_keep_nobody_waiting)
{
	static const uint8_t flags[] = { 0, RINGD_SQE_ASYNC };
	RD_CLOSE int fd = odd[_i]();

	if (fd < 0)
		return;		/* this machine has none */
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(flags); i++) {
		put(RINGD_OP_READ, 0, flags[i], 8);
		put(RINGD_OP_READ, 0, flags[i], 4096);
		put(RINGD_OP_WRITE, 0, flags[i], 8);
		put(RINGD_OP_WRITE, 0, flags[i], 4096);
		put(RINGD_OP_FSYNC, 0, flags[i], 0);
		put(RINGD_OP_READV, 0, flags[i], 0);
	}
	ck_assert_int_gt(raw_submit(&ring), 0);
	expect_alive();
	/* the flags are the client's to change under the engine's feet */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	expect_alive();
	fcntl(fd, F_SETFL, 0);
	if (odd[_i] == make_own_doorbell)
		return;		/* who has his own doorbell read away is not heard when he rings it */
	put(RINGD_OP_READ, 0, 0, 8);
	raw_submit(&ring);
	expect_alive();
	if (_i % 2)
		ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
}
END_TEST

static void put_splice(uint8_t opcode, int in, int out)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = opcode, .flags = RINGD_SQE_FIXED_FILE, .fd = out, .splice_fd_in = in, .len = 4096,
				   .splice_flags = RINGD_SPLICE_F_FD_IN_FIXED };
	if (opcode == RINGD_OP_SPLICE)
		sqe->off = sqe->splice_off_in = UINT64_MAX;
}

START_TEST(odd_files_in_other_operations)
{
	static const uint8_t ops[] = { RINGD_OP_FADVISE, RINGD_OP_FGETXATTR, RINGD_OP_URING_CMD, RINGD_OP_FALLOCATE };
	RD_CLOSE int fd = odd[_i](), out = -1;
	const int32_t numbers[2] = { 5, 6 };
	int p[2], fds[3];

	if (fd < 0)
		return;		/* this machine has none */
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	out = p[1];
	memcpy(fds, (int[]){ fd, p[0], p[1] }, sizeof(fds));
	ck_assert_int_eq(raw_register_files(&ring, fds, 3), 0);
	strcpy(arena.ptr, "user.name");
	for (uint8_t op = RINGD_OP_SPLICE; op; op = op == RINGD_OP_SPLICE ? RINGD_OP_TEE : 0) {
		put_splice(op, 0, 2);
		put_splice(op, 1, 0);
		put_splice(op, 0, 0);
	}
	for (size_t i = 0; i < RD_ARRAY_SIZE(ops); i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		*sqe = (struct ringd_sqe){ .opcode = ops[i], .flags = RINGD_SQE_FIXED_FILE, .addr = RD_RAW_ARENA,
					   .addr2 = RD_RAW_ARENA + 4096, .len = 100 };
		if (ops[i] == RINGD_OP_URING_CMD)
			sqe->addr2 = RINGD_SOCKET_OP_SIOCINQ;
	}
	ck_assert_int_gt(raw_submit(&ring), 0);
	expect_alive();
	/* an epoll set that watches it, made by us */
	fds[1] = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_eq(lend(numbers, fds, 2), 2);
	for (int i = 0; i < 8; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_EPOLL_CTL, .fd = 5 + (i & 1), .off = 5 + (i >> 1 & 1),
					   .len = i >> 2 ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, .addr = RD_RAW_ARENA + 8192 };
	}
	ck_assert_int_gt(raw_submit(&ring), 0);
	expect_alive();
	close(fds[1]);
	close(p[0]);
}
END_TEST

START_TEST(proc_files_are_the_clients_own)
{
	RD_CLOSE int fd = make_proc_mem();
	uint64_t secret = 0x5ec2e75ec2e7ull;
	struct ringd_sqe sqe = { .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = RD_RAW_ARENA, .len = 8,
				 .off = (uintptr_t)&secret };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	/* who opened it decides whose memory it is: ours, where this address holds the secret */
	ck_assert_int_eq(raw_one(&ring, &sqe), 8);
	ck_assert_int_eq(memcmp(arena.ptr, &secret, 8), 0);
}
END_TEST

START_TEST(many_reads_that_wait_go_with_their_client)
{
	RD_CLOSE int fd = make_fifo();

	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 64; i++)
			put(RINGD_OP_READ, 0, (uint8_t)(i % 8 ? 0 : RINGD_SQE_ASYNC), 8);
		ck_assert_int_eq(raw_submit(&ring), 64);
	}
	expect_alive();
}
END_TEST

START_TEST(a_lease_keeps_only_the_open_waiting)
{
	char path[] = "/tmp/ringd-lease-XXXXXX";
	RD_CLOSE int fd = mkostemp(path, O_CLOEXEC);
	const struct ringd_rsrc_register rr = { .nr = 4, .flags = RINGD_RSRC_REGISTER_SPARSE };
	struct ringd_cqe cqe;
	struct ringd_sqe *sqe;

	signal(SIGIO, SIG_IGN);		/* how the kernel asks for the lease back */
	ck_assert_int_ge(fd, 0);
	strcpy(ring.scratch, path);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		unlink(path);
		return;			/* a file system without leases */
	}
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES2, 4, 0, &rr, sizeof(rr), NULL, 0), 0);
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = ring.scratch_base, .open_flags = O_RDWR,
				   .file_index = 1 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	expect_alive();
	ck_assert(!raw_cqe_ready(&ring));
	ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(cqe.res, 0);
	unlink(path);
}
END_TEST

/* --- files that never answer --- */

static const uint8_t never_ops[] = { RINGD_OP_READ, RINGD_OP_WRITE, RINGD_OP_FSYNC };

START_TEST(a_file_system_that_never_answers_holds_only_who_asks)
{
	struct neverfs n;
	char path[96];
	int fd;

	if (!neverfs_mount(&n, _i % 2))
		return;		/* not root, or no FUSE: nothing to be seen here */
	snprintf(path, sizeof(path), "%s/file", n.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	for (int i = 0; i < 4; i++)
		put(never_ops[_i / 2], 0, 0, 4096);
	ck_assert_int_eq(raw_submit(&ring), 4);
	if (_i / 2 != 2)	/* nothing was written: fsync may have nothing to ask for */
		neverfs_wait(&n, 1);
	expect_alive();
	/* the client goes, its requests cannot: the tenant pays for them until the file system is gone */
	leave();
	neverfs_abort(&n);
	rd_close(fd);
}
END_TEST

START_TEST(waiting_for_a_cancel_that_never_ends_holds_nobody)
{
	struct {
		struct ringd_register head;
		struct ringd_sync_cancel_reg sc;
	} req = { .head = { .ring_id = ring.id, .opcode = RINGD_REGISTER_SYNC_CANCEL, .nr = 1 },
		  .sc = { .flags = RINGD_ASYNC_CANCEL_OP, .opcode = RINGD_OP_READ, .timeout = { 0, 1000000 } } };
	struct neverfs n;
	char path[96];
	int fd;

	if (!neverfs_mount(&n, false))
		return;
	snprintf(path, sizeof(path), "%s/file", n.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	put(RINGD_OP_READ, 0, 0, 4096);
	ck_assert_int_eq(raw_submit(&ring), 1);
	neverfs_wait(&n, 1);
	ck_assert_int_eq(raw_call(&raw, &req.head.msg, RINGD_MSG_REGISTER, sizeof(req), NULL, 0, NULL, 0), -ETIME);
	req.sc.timeout = (struct ringd_timespec){ -1, -1 };
	req.head.msg.size = sizeof(req);
	req.head.msg.type = RINGD_MSG_REGISTER;
	req.head.msg.flags = 0;
	raw_send(&raw, &req, sizeof(req), NULL, 0);
	if (_i) {	/* talks on instead of waiting; otherwise it leaves in the middle */
		raw_send(&raw, &req, sizeof(req), NULL, 0);
		raw_expect_end(&raw, "before the answer");
	}
	leave();
	neverfs_abort(&n);
	rd_close(fd);
}
END_TEST

START_TEST(a_close_that_never_returns_holds_nobody)
{
	struct neverfs n;
	char path[96];
	int fds[8];

	if (!neverfs_mount(&n, false))
		return;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < RD_ARRAY_SIZE(fds); i++) {
			snprintf(path, sizeof(path), "%s/file%zu", n.dir, i);
			fds[i] = open(path, O_RDWR | O_CLOEXEC);
			ck_assert_int_ge(fds[i], 0);
		}
		ck_assert_int_eq(raw_register_files(&ring, fds, RD_ARRAY_SIZE(fds)), 0);
		ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
		/* and such that the engine only closes: of a table that is refused */
		if (round == 1)
			ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, 0, 0, NULL, 0, fds, RD_ARRAY_SIZE(fds)), -EINVAL);
		expect_alive();
	}
	neverfs_wait(&n, 1);
	leave();
	neverfs_abort(&n);
}
END_TEST

/* A page that is not there until the descriptor is closed. -1: not possible here. */
static int absent_page(char **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	*page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(*page, MAP_FAILED);
	reg.range.start = (uintptr_t)*page;
	reg.range.len = 4096;
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &reg) == 0)
		return fd;
	rd_close(fd);
	return -1;
}

struct sending {
	int sock;
	char *page;
};

static void *send_what_never_comes(void *arg)
{
	const struct sending *what = arg;

	(void)!send(what->sock, what->page, 4096, MSG_NOSIGNAL);	/* has the socket's lock until the page is there */
	return NULL;
}

static int connected(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	peer = accept(l, NULL, NULL);	/* it lives as long as the test */
	ck_assert_int_ge(peer, 0);
	rd_close(l);
	return fd;
}

START_TEST(a_socket_whose_lock_is_held_keeps_nobody_waiting)
{
	struct sending what;
	pthread_t thread;
	int fault = absent_page(&what.page);
	struct pollfd p = { .fd = fault, .events = POLLIN };

	if (fault < 0)
		return;		/* userfaultfd(2) is root's */
	what.sock = connected();
	ck_assert_int_eq(pthread_create(&thread, NULL, send_what_never_comes, &what), 0);
	ck_assert_int_eq(poll(&p, 1, 100000), 1);
	ck_assert_int_eq(p.revents, POLLIN);
	ck_assert_int_eq(raw_register_files(&ring, &what.sock, 1), 0);
	expect_alive();
	rd_close(fault);
	pthread_join(thread, NULL);
	rd_close(what.sock);
	munmap(what.page, 4096);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile files");
	tc = tcase_create("a client with odd files");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, files_that_mean_the_engine_are_ebadf, 0, (int)RD_ARRAY_SIZE(engines));
	tcase_add_loop_test(tc, odd_files_keep_nobody_waiting, 0, (int)RD_ARRAY_SIZE(odd));
	tcase_add_loop_test(tc, odd_files_in_other_operations, 0, (int)RD_ARRAY_SIZE(odd));
	tcase_add_test(tc, proc_files_are_the_clients_own);
	tcase_add_test(tc, a_lease_keeps_only_the_open_waiting);
	tcase_add_test(tc, a_socket_whose_lock_is_held_keeps_nobody_waiting);
	tcase_add_test(tc, many_reads_that_wait_go_with_their_client);
	tcase_add_loop_test(tc, a_file_system_that_never_answers_holds_only_who_asks, 0, 2 * (int)RD_ARRAY_SIZE(never_ops));
	tcase_add_loop_test(tc, waiting_for_a_cancel_that_never_ends_holds_nobody, 0, 2);
	tcase_add_test(tc, a_close_that_never_returns_holds_nobody);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
