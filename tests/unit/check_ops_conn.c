/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKET, BIND, LISTEN, CONNECT and SHUTDOWN in the test host, on sockets of the engine's own and of the client's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define TABLE	8

static struct rd_testhost th;
static struct rd_testclient c;
static int theirs[4];	/* sockets of the client's; by slot number */

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	rd_tc_files(&c, TABLE);
	for (size_t i = 0; i < RD_ARRAY_SIZE(theirs); i++)
		theirs[i] = -1;
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
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	for (size_t i = 0; i < RD_ARRAY_SIZE(theirs); i++)
		rd_close(theirs[i]);
}

/* --- requests --- */

static int32_t make_socket(int domain, int type, int protocol, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);

	sqe->fd = domain;
	sqe->off = (uint32_t)type;
	sqe->len = (uint32_t)protocol;
	sqe->file_index = file_index;
	return rd_tc_run(&c);
}

/* Whose socket, and whether it is non-blocking. */
enum { OWN, OWN_NONBLOCKING, BLOCKING, NONBLOCKING, KINDS };

static void socket_of_kind(int kind, unsigned int slot, int domain, int type)
{
	type |= kind == OWN_NONBLOCKING || kind == NONBLOCKING ? SOCK_NONBLOCK : 0;
	if (kind < BLOCKING) {
		ck_assert_int_eq(make_socket(domain, type, 0, slot + 1), 0);
		return;
	}
	theirs[slot] = socket(domain, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(theirs[slot], 0);
	rd_th_lend(&th, theirs[slot]);
}

/* A descriptor of it for looking at it. */
static int fd_of(unsigned int slot)
{
	return theirs[slot] >= 0 ? theirs[slot] : c.ring->ctx.files.slots[slot]->fd;
}

static struct ringd_sqe *on(uint8_t opcode, unsigned int slot)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = theirs[slot] >= 0 ? theirs[slot] : (int)slot;
	sqe->flags = theirs[slot] >= 0 ? 0 : RINGD_SQE_FIXED_FILE;
	return sqe;
}

static struct ringd_sqe *with_name(uint8_t opcode, unsigned int slot, const void *name, size_t len)
{
	struct ringd_sqe *sqe = on(opcode, slot);
	void *copy = rd_th_alloc(&th, 256);

	memcpy(copy, name, RD_MIN(len, (size_t)256));
	sqe->addr = (uintptr_t)copy;
	sqe->addr2 = len;
	return sqe;
}

static int32_t bind_to(unsigned int slot, const void *name, size_t len)
{
	with_name(RINGD_OP_BIND, slot, name, len);
	return rd_tc_run(&c);
}

static int32_t connect_to(unsigned int slot, const void *name, size_t len)
{
	with_name(RINGD_OP_CONNECT, slot, name, len);
	return rd_tc_run(&c);
}

static int32_t start_listening(unsigned int slot, uint32_t backlog)
{
	on(RINGD_OP_LISTEN, slot)->len = backlog;
	return rd_tc_run(&c);
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_in address_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return a;
}

/* A listener of the test's own. */
static int listener(struct sockaddr_in *at, int backlog)
{
	const struct sockaddr_in any = loopback();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	*at = address_of(fd);
	return fd;
}

/* One that has no room: connections to it are not answered. *queued is the one that took it. */
static int full_listener(struct sockaddr_in *at, int *queued)
{
	int fd = listener(at, 0);

	*queued = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*queued, (const struct sockaddr *)at, sizeof(*at)), 0);
	return fd;
}

static socklen_t abstract(struct sockaddr_un *un, const char *name)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "%s-%d", name, (int)getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un->sun_path + 1));
}

static int unix_listener(const struct sockaddr_un *un, socklen_t len, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)un, len), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

/* Whoever connects it has begun to. */
static void wait_connecting(unsigned int slot)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	while (info.tcpi_state != TCP_SYN_SENT) {
		rd_th_turn(&th);
		ck_assert_int_eq(getsockopt(fd_of(slot), IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	}
}

/* --- SOCKET --- */

START_TEST(a_socket_is_as_it_was_asked_for)
{
	int fd = make_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	close(fd);
	fd = make_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL), O_RDWR);
	close(fd);
	rd_th_turns(&th, 3);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
	ck_assert_int_eq(make_socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 3), 0);
	ck_assert_int_eq(make_socket(AF_INET, SOCK_DGRAM, 0, RINGD_FILE_INDEX_ALLOC), 3);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 2);
}
END_TEST

START_TEST(fields_of_a_socket)
{
	for (int i = 0; i < 7; i++) {
		struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);

		sqe->fd = AF_INET;
		sqe->off = SOCK_STREAM;
		sqe->file_index = i == 6 ? 0 : 1;
		if (i == 0)
			sqe->addr = 1;
		if (i == 1)
			sqe->rw_flags = 1;
		if (i == 2)
			sqe->buf_index = 1;
		if (i == 3)
			sqe->off |= SOCK_CLOEXEC;
		if (i == 4)
			sqe->off |= 0x10;
		if (i == 5)
			sqe->ioprio = 1;
		if (i == 6)
			sqe->off |= SOCK_CLOEXEC | 0x1000000;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, TABLE + 1), -EINVAL);
	th.can_install = false;
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 0), -EOPNOTSUPP);
}
END_TEST

static const struct {
	int domain, type, protocol;
	int32_t res;
} sockets[] = {
	{ AF_INET, SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT },
	{ AF_UNIX, SOCK_STREAM, 7, -EPROTONOSUPPORT },
	{ AF_UNIX, SOCK_RAW, 0, 0 },		/* a datagram socket */
	{ AF_INET, SOCK_RAW, 0, -EPROTONOSUPPORT },
	{ AF_INET, SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT },
	{ AF_INET, SOCK_RDM, 0, -ESOCKTNOSUPPORT },
	{ AF_INET, SOCK_PACKET, 0, -EPERM },
	{ AF_INET, 0, 0, -ESOCKTNOSUPPORT },
	{ AF_INET, 11, 0, -EINVAL },
	{ AF_INET, 15, 0, -EINVAL },
	{ AF_NETLINK, SOCK_RAW, 0, -EAFNOSUPPORT },
	{ AF_PACKET, SOCK_RAW, 0, -EAFNOSUPPORT },
	{ AF_VSOCK, SOCK_STREAM, 0, -EAFNOSUPPORT },
	{ AF_ALG, SOCK_SEQPACKET, 0, -EAFNOSUPPORT },
	{ 0, SOCK_STREAM, 0, -EAFNOSUPPORT },
	{ -1, SOCK_STREAM, 0, -EAFNOSUPPORT },
	{ 1000, SOCK_STREAM, 0, -EAFNOSUPPORT },
};

START_TEST(what_there_is_no_socket_of)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(sockets); i++)
		ck_assert_msg(make_socket(sockets[i].domain, sockets[i].type, sockets[i].protocol, 1) == sockets[i].res,
			      "number %zu", i);
}
END_TEST

START_TEST(families_are_the_operators_choice)
{
	th.engine.cfg.socket_families = RD_FAMILY_INET6;
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 1), -EAFNOSUPPORT);
	ck_assert_int_eq(make_socket(AF_UNIX, SOCK_STREAM, 0, 1), -EAFNOSUPPORT);
	ck_assert_int_eq(make_socket(AF_INET6, SOCK_STREAM, 0, 1), 0);
	th.engine.cfg.socket_families = 0;
	ck_assert_int_eq(make_socket(AF_INET6, SOCK_STREAM, 0, 1), -EAFNOSUPPORT);
	ck_assert(th.engine.told_family);
}
END_TEST

START_TEST(sockets_are_charged)
{
	uint64_t used = th.engine.user.used[RINGD_LIMIT_FILES];

	th.engine.user.limit[RINGD_LIMIT_FILES] = used + 2;
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 1), 0);
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, 2) < 0, 1);	/* by a worker, and given back */
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 2), 0);
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 3), -EDQUOT);
	ck_assert_int_eq(make_socket(AF_INET, SOCK_STREAM, 0, 0), -EDQUOT);
}
END_TEST

/* --- BIND --- */

START_TEST(names_are_checked_before_anything_else)
{
	static const uint8_t ops[] = { RINGD_OP_BIND, RINGD_OP_CONNECT };
	struct ringd_sqe *sqe;

	for (int i = 0; i < 2 * 6; i++) {
		sqe = rd_tc_sqe(&c, ops[i & 1]);
		sqe->fd = -1;
		sqe->addr = 16;		/* nowhere */
		sqe->addr2 = 16;
		if (i / 2 == 0)
			sqe->len = 1;
		if (i / 2 == 1)
			sqe->buf_index = 1;
		if (i / 2 == 2)
			sqe->rw_flags = 1;
		if (i / 2 == 3)
			sqe->splice_fd_in = 1;
		if (i / 2 == 4)
			sqe->addr2 = 129;
		if (i / 2 == 5)
			sqe->addr2 = UINT32_MAX;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	for (int i = 0; i < 4; i++) {
		sqe = rd_tc_sqe(&c, ops[i & 1]);
		sqe->fd = -1;
		sqe->addr = 16;
		sqe->addr2 = i < 2 ? 16 : 0;	/* of nothing, nothing is read */
		ck_assert_int_eq(rd_tc_run(&c), i < 2 ? -EFAULT : -EBADF);
	}
}
END_TEST

START_TEST(names_are_charged)
{
	const struct sockaddr_in any = loopback();

	socket_of_kind(OWN, 0, AF_INET, SOCK_STREAM);
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = th.engine.user.used[RINGD_LIMIT_OBJECTS];
	ck_assert_int_eq(bind_to(0, &any, sizeof(any)), -EDQUOT);
}
END_TEST

/* With zeroes behind it. */
static const void *longer(const void *name, size_t len)
{
	static char room[256];

	memset(room, 0, sizeof(room));
	return memcpy(room, name, len);
}

START_TEST(a_name_of_the_internet)
{
	struct sockaddr_in at, any = loopback();

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	socket_of_kind(_i, 1, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(bind_to(0, &any, 8), -EINVAL);
	ck_assert_int_eq(bind_to(0, &any, sizeof(any)), 0);
	at = address_of(fd_of(0));
	ck_assert_uint_ne(at.sin_port, 0);
	ck_assert_int_eq(bind_to(0, &any, sizeof(any)), -EINVAL);
	ck_assert_int_eq(bind_to(1, &at, sizeof(at)), -EADDRINUSE);
	any.sin_family = AF_UNIX;
	ck_assert_int_eq(bind_to(1, &any, sizeof(any)), -EAFNOSUPPORT);
	/* more of it than there is an address */
	ck_assert_int_eq(bind_to(1, longer(&(struct sockaddr_in){ .sin_family = AF_INET }, sizeof(any)), 128), 0);
}
END_TEST

static void assert_name(unsigned int slot, const void *name, socklen_t len)
{
	char got[256];
	socklen_t got_len = sizeof(got);

	ck_assert_int_eq(getsockname(fd_of(slot), (struct sockaddr *)(void *)got, &got_len), 0);
	ck_assert_uint_eq(got_len, len);
	ck_assert_mem_eq(got, name, len);
}

START_TEST(unix_names_without_a_file)
{
	struct sockaddr_un un;
	socklen_t len = abstract(&un, "name");

	for (unsigned int i = 0; i < 4; i++)
		socket_of_kind(_i, i, AF_UNIX, SOCK_DGRAM);
	un.sun_path[3] = 0;	/* NULs belong to it */
	ck_assert_int_eq(bind_to(0, &un, len), 0);
	assert_name(0, &un, len);
	ck_assert_int_eq(bind_to(1, &un, len), -EADDRINUSE);
	ck_assert_int_eq(bind_to(1, &un, len - 1), 0);
	ck_assert_int_eq(bind_to(2, &un, 0), -EINVAL);
	ck_assert_int_eq(bind_to(2, &un, 1), -EINVAL);
	ck_assert_int_eq(bind_to(2, longer(&un, sizeof(un)), 111), -EINVAL);
	ck_assert_int_eq(bind_to(2, &un, 2), 0);	/* the kernel finds one */
	un.sun_family = AF_INET;
	ck_assert_int_eq(bind_to(3, &un, len), -EINVAL);
	if (_i < BLOCKING)
		ck_assert_uint_eq(th.engine.stats.punted, 0);
}
END_TEST

static char dir[] = "/tmp/ringd-conn-XXXXXX";

static socklen_t path_in(struct sockaddr_un *un, const char *name)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s%s%s", dir, *name ? "/" : "", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(un->sun_path));
}

static void make_dir(void)
{
	strcpy(dir + sizeof("/tmp/ringd-conn-") - 1, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static unsigned int mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

START_TEST(unix_names_in_the_file_system)
{
	struct sockaddr_un un;
	socklen_t len;

	make_dir();
	for (unsigned int i = 0; i < 3; i++)
		socket_of_kind(_i, i, AF_UNIX, SOCK_STREAM);
	len = path_in(&un, "a");
	ck_assert_int_eq(bind_to(0, &un, len), 0);
	assert_name(0, &un, len + 1);
	ck_assert_uint_eq(mode_of(un.sun_path), 0700);
	ck_assert_int_eq(bind_to(1, &un, len), -EADDRINUSE);
	len = path_in(&un, "b");
	with_name(RINGD_OP_BIND, 1, &un, len)->addr3 = RINGD_BIND_UMASK | 027;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_uint_eq(mode_of(un.sun_path), 0750);
	/* 108 bytes, and no NUL: the kernel's own */
	memset(un.sun_path, '/', sizeof(un.sun_path));
	memcpy(un.sun_path, dir, strlen(dir));
	memcpy(un.sun_path + sizeof(un.sun_path) - 4, "long", 4);
	ck_assert_int_eq(bind_to(2, &un, sizeof(un)), 0);
	ck_assert_int_eq(connect_to(1, &un, sizeof(un)), -ECONNREFUSED);	/* nobody listens */
	ck_assert_int_eq(start_listening(2, 1), 0);
	ck_assert_int_eq(connect_to(1, &un, sizeof(un)), 0);
	remove_dir();
}
END_TEST

START_TEST(paths_have_their_errors)
{
	struct sockaddr_un un;
	socklen_t len;
	char loop[128];

	make_dir();
	socket_of_kind(_i, 0, AF_UNIX, SOCK_STREAM);
	len = path_in(&un, "none/a");
	ck_assert_int_eq(bind_to(0, &un, len), -ENOENT);
	ck_assert_int_eq(connect_to(0, &un, len), -ENOENT);
	len = path_in(&un, "");
	ck_assert_int_eq(bind_to(0, &un, len), -EADDRINUSE);
	ck_assert_int_eq(connect_to(0, &un, len), -ECONNREFUSED);
	snprintf(loop, sizeof(loop), "%s/loop", dir);
	ck_assert_int_eq(symlink("loop", loop), 0);
	len = path_in(&un, "loop");
	ck_assert_int_eq(connect_to(0, &un, len), -ELOOP);
	ck_assert_int_eq(bind_to(0, &un, len), -EADDRINUSE);
	remove_dir();
}
END_TEST

START_TEST(the_engines_procfs_is_out_of_reach)
{
	struct sockaddr_un un, bound;
	char path[128];
	int l, at;

	make_dir();
	socket_of_kind(_i, 0, AF_UNIX, SOCK_STREAM);
	l = unix_listener(&bound, path_in(&bound, "there"), 1);
	at = open(bound.sun_path, O_PATH | O_CLOEXEC);
	ck_assert_int_ge(at, 0);
	/* what the engine has open */
	un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", at);
	ck_assert_int_eq(connect_to(0, &un, sizeof(un)), -ELOOP);
	/* and by a name that leads there */
	snprintf(path, sizeof(path), "%s/link", dir);
	ck_assert_int_eq(symlink(un.sun_path, path), 0);
	ck_assert_int_eq(connect_to(0, &un, path_in(&un, "link")), -ELOOP);
	strcpy(un.sun_path, "/proc/self/cwd/mine");
	ck_assert_int_eq(bind_to(0, &un, sizeof(un)), -ELOOP);
	strcpy(un.sun_path, "/proc/self/mine");
	ck_assert_int_eq(bind_to(0, &un, sizeof(un)), -EACCES);
	ck_assert_int_eq(connect_to(0, &bound, sizeof(bound)), 0);
	close(at);
	close(l);
	remove_dir();
}
END_TEST

/* --- LISTEN, SHUTDOWN --- */

START_TEST(fields_of_listen_and_shutdown)
{
	for (int i = 0; i < 10; i++) {
		struct ringd_sqe *sqe = rd_tc_sqe(&c, i < 5 ? RINGD_OP_LISTEN : RINGD_OP_SHUTDOWN);

		sqe->fd = -1;
		if (i % 5 == 0)
			sqe->addr = 1;
		if (i % 5 == 1)
			sqe->off = 1;
		if (i % 5 == 2)
			sqe->buf_index = 1;
		if (i % 5 == 3)
			sqe->rw_flags = 1;
		if (i % 5 == 4)
			sqe->splice_fd_in = 1;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
}
END_TEST

START_TEST(what_is_no_socket)
{
	static const uint8_t ops[] = {
		RINGD_OP_BIND, RINGD_OP_LISTEN, RINGD_OP_CONNECT, RINGD_OP_SHUTDOWN, RINGD_OP_ACCEPT,
	};
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < RD_ARRAY_SIZE(ops); i++) {
		rd_tc_sqe(&c, ops[i])->fd = file;
		ck_assert_int_eq(rd_tc_run(&c), -ENOTSOCK);
		rd_tc_sqe(&c, ops[i])->fd = -1;
		ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	}
	close(file);
}
END_TEST

static void assert_chain(int32_t first, int32_t second)
{
	struct ringd_cqe cqe;

	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, first);
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, second);
}

START_TEST(a_shutdown_that_fails_does_not_break_a_chain)
{
	struct ringd_sqe *sqe;
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	sqe = on(RINGD_OP_SHUTDOWN, 0);
	sqe->len = SHUT_RDWR;
	sqe->flags |= RINGD_SQE_IO_LINK;
	assert_chain(-ENOTCONN, 0);
	sqe = on(RINGD_OP_SHUTDOWN, 0);
	sqe->len = 9;
	sqe->flags |= RINGD_SQE_IO_LINK;
	assert_chain(-EINVAL, 0);
	/* what cannot be shut down at all does */
	sqe = rd_tc_sqe(&c, RINGD_OP_SHUTDOWN);
	sqe->fd = file;
	sqe->flags = RINGD_SQE_IO_LINK;
	assert_chain(-ENOTSOCK, -ECANCELED);
	sqe = with_name(RINGD_OP_CONNECT, 0, "", 0);
	sqe->flags |= RINGD_SQE_IO_LINK;
	assert_chain(-EINVAL, -ECANCELED);
	close(file);
}
END_TEST

START_TEST(a_shutdown_ends_one_direction)
{
	struct sockaddr_in at;
	int l = listener(&at, 1), peer;
	char byte;

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(connect_to(0, &at, sizeof(at)), 0);
	peer = accept(l, NULL, NULL);
	on(RINGD_OP_SHUTDOWN, 0)->len = SHUT_WR;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(read(peer, &byte, 1), 0);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	ck_assert_int_eq(recv(fd_of(0), &byte, 1, 0), 1);
	close(peer);
	close(l);
}
END_TEST

/* --- CONNECT --- */

START_TEST(connecting_has_its_errors)
{
	struct sockaddr_in at, un_like;
	int l = listener(&at, 1);

	close(l);
	un_like = at;
	un_like.sin_family = AF_UNIX;
	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(connect_to(0, &un_like, sizeof(un_like)), -EAFNOSUPPORT);
	ck_assert_int_eq(connect_to(0, &at, 8), -EINVAL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(connect_to(0, &at, sizeof(at)), -ECONNREFUSED);
	l = listener(&at, 1);
	ck_assert_int_eq(connect_to(0, &at, sizeof(at)), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(connect_to(0, &at, sizeof(at)), -EISCONN);
	/* as it was asked for, however it was done */
	ck_assert_int_eq(fcntl(fd_of(0), F_GETFL),
			 O_RDWR | (_i == OWN_NONBLOCKING || _i == NONBLOCKING ? O_NONBLOCK : 0));
	close(l);
}
END_TEST

START_TEST(a_connect_that_is_not_answered_waits)
{
	struct sockaddr_in at;
	int queued, l = full_listener(&at, &queued);
	struct ringd_cqe cqe;
	struct ringd_sqe *sqe;
	uint64_t id;

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	sqe = with_name(RINGD_OP_CONNECT, 0, &at, sizeof(at));
	id = sqe->user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	rd_tc_expect_none(&c);
	/* there is room now, and the kernel will ask again */
	close(accept(l, NULL, NULL));
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, id);
	ck_assert_int_eq(cqe.res, 0);
	close(queued);
	close(l);
}
END_TEST

START_TEST(a_cancelled_connect_leaves_the_socket_connecting)
{
	struct sockaddr_in at;
	int queued, l = full_listener(&at, &queued), peer;
	struct ringd_cqe cqe;
	struct ringd_sqe *sqe;
	uint64_t id;

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	sqe = with_name(RINGD_OP_CONNECT, 0, &at, sizeof(at));
	id = sqe->user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	wait_connecting(0);
	rd_tc_expect_none(&c);
	rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL)->addr = id;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 2; i++) {
		cqe = rd_tc_wait(&c);
		if (cqe.user_data == id)
			ck_assert_int_eq(cqe.res, -ECANCELED);
		else
			ck_assert_msg(cqe.res == 0 || cqe.res == -EALREADY, "%d", cqe.res);
	}
	/* it is, and ends up connected */
	close(accept(l, NULL, NULL));
	peer = accept(l, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(connect_to(0, &at, sizeof(at)), 0);
	close(peer);
	close(queued);
	close(l);
}
END_TEST

START_TEST(a_linked_timeout_ends_a_connect)
{
	struct sockaddr_in at;
	int queued, l = full_listener(&at, &queued);
	struct timespec { int64_t s, ns; } *ts = rd_th_alloc(&th, sizeof(*ts));
	struct ringd_sqe *sqe;
	int32_t res[2];

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	ts->ns = 1000000;
	sqe = with_name(RINGD_OP_CONNECT, 0, &at, sizeof(at));
	sqe->flags |= RINGD_SQE_IO_LINK;
	sqe->user_data = 0;
	sqe = rd_tc_sqe(&c, RINGD_OP_LINK_TIMEOUT);
	sqe->addr = (uintptr_t)ts;
	sqe->len = 1;
	sqe->user_data = 1;
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		res[cqe.user_data] = cqe.res;
	}
	ck_assert_int_eq(res[0], -ECANCELED);
	ck_assert_msg(res[1] == -ETIME || res[1] == -EALREADY, "%d", res[1]);
	close(queued);
	close(l);
}
END_TEST

START_TEST(a_unix_listener_without_room_is_waited_for)
{
	struct sockaddr_un un;
	socklen_t len = abstract(&un, "full");
	int l = unix_listener(&un, len, 0);
	bool waits = _i == OWN || _i == BLOCKING;

	socket_of_kind(_i, 0, AF_UNIX, SOCK_STREAM);
	socket_of_kind(_i, 1, AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(connect_to(0, &un, len), 0);
	with_name(RINGD_OP_CONNECT, 1, &un, len);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	if (waits) {
		rd_tc_expect_none(&c);
		close(accept(l, NULL, NULL));
	}
	ck_assert_int_eq(rd_tc_wait(&c).res, waits ? 0 : -EAGAIN);
	if (!waits) {
		close(accept(l, NULL, NULL));
		ck_assert_int_eq(connect_to(1, &un, len), 0);
	}
	close(accept(l, NULL, NULL));
	ck_assert_int_eq(connect_to(1, &un, len), -EISCONN);
	close(l);
}
END_TEST

START_TEST(a_dying_ring_leaves_connects_alone)
{
	struct sockaddr_in at;
	int queued, l = full_listener(&at, &queued);

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	with_name(RINGD_OP_CONNECT, 0, &at, sizeof(at));
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	wait_connecting(0);
	rd_tc_close(&c);
	ck_assert_uint_eq(th.engine.ring_connects, 0);
	close(queued);
	close(l);
}
END_TEST

START_TEST(datagrams_are_connected_at_once)
{
	struct sockaddr_in at, any = loopback();
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	socket_of_kind(_i, 0, AF_INET, SOCK_DGRAM);
	socket_of_kind(_i, 1, AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(bind_to(0, &any, sizeof(any)), 0);
	at = address_of(fd_of(0));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(connect_to(1, &at, sizeof(at)), 0);
	ck_assert_int_eq(send(fd_of(1), "x", 1, MSG_DONTWAIT), 1);
	ck_assert_int_eq(connect_to(1, &none, sizeof(none)), 0);
	ck_assert_int_eq(send(fd_of(1), "x", 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EDESTADDRREQ);
}
END_TEST

/* --- a socket of the engine's own is shared --- */

START_TEST(who_gets_a_descriptor_sees_his_own_flags)
{
	struct sockaddr_in any = loopback();
	bool nonblocking = _i == OWN_NONBLOCKING;
	int fd;

	socket_of_kind(_i, 0, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(bind_to(0, &any, sizeof(any)), 0);
	ck_assert_int_eq(start_listening(0, 4), 0);
	on(RINGD_OP_ACCEPT, 0)->ioprio = RINGD_ACCEPT_DONTWAIT;
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	ck_assert_int_eq(fcntl(fd_of(0), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	on(RINGD_OP_FIXED_FD_INSTALL, 0);
	fd = rd_tc_run(&c);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL), O_RDWR | (nonblocking ? O_NONBLOCK : 0));
	on(RINGD_OP_ACCEPT, 0)->ioprio = RINGD_ACCEPT_DONTWAIT;
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	ck_assert_int_eq(fcntl(fd, F_GETFL), O_RDWR | (nonblocking ? O_NONBLOCK : 0));
	close(fd);
}
END_TEST

struct test {
	const TTest *test;
	int kinds;	/* 0: once */
};

static void add_tests(Suite *s, const char *name, void (*set_up)(void))
{
	const struct test tests[] = {
		{ a_socket_is_as_it_was_asked_for, 0 }, { fields_of_a_socket, 0 }, { what_there_is_no_socket_of, 0 },
		{ families_are_the_operators_choice, 0 }, { sockets_are_charged, 0 }, { names_are_checked_before_anything_else, 0 },
		{ names_are_charged, 0 }, { a_name_of_the_internet, KINDS }, { unix_names_without_a_file, KINDS },
		{ unix_names_in_the_file_system, KINDS }, { paths_have_their_errors, KINDS },
		{ the_engines_procfs_is_out_of_reach, KINDS }, { fields_of_listen_and_shutdown, 0 }, { what_is_no_socket, 0 },
		{ a_shutdown_that_fails_does_not_break_a_chain, KINDS }, { a_shutdown_ends_one_direction, KINDS },
		{ connecting_has_its_errors, KINDS }, { a_connect_that_is_not_answered_waits, KINDS },
		{ a_cancelled_connect_leaves_the_socket_connecting, KINDS }, { a_linked_timeout_ends_a_connect, KINDS },
		{ a_unix_listener_without_room_is_waited_for, KINDS }, { a_dying_ring_leaves_connects_alone, KINDS },
		{ datagrams_are_connected_at_once, KINDS }, { who_gets_a_descriptor_sees_his_own_flags, BLOCKING },
	};
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tc, tests[i].test, 0, RD_MAX(tests[i].kinds, 1));
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("ops_conn");

	add_tests(s, "sync", setup_sync);
	if (rd_th_backend_works(RD_BACKEND_URING))
		add_tests(s, "uring", setup_uring);
	return rd_suite_main(s);
}
