/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File system operations and the rest */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/xattr.h>

#include "cf.h"

#define BAD_POINTER 16

static struct ringd_sqe *on(struct cf_ring *ring, unsigned int op, int fd)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	cf_sqe_fd(ring, sqe, fd);
	return sqe;
}

static struct ringd_sqe *at(struct cf_ring *ring, unsigned int op, const char *path)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	return sqe;
}

CF_TEST(fsync_is_checked, 279, "Fsync with flag 2 -> -EINVAL; with addr non-zero -> -EINVAL; on a pipe -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDWR), p[2];

	cf_pipe(p);
	on(ring, RINGD_OP_FSYNC, fd);
	ck_assert_int_eq(cf_run(ring), 0);
	on(ring, RINGD_OP_FSYNC, fd)->fsync_flags = 2;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FSYNC, fd)->addr = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FSYNC, p[0]);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(sync_file_range_is_checked, 280, "Sync_file_range with flag 8 -> -EINVAL; on a pipe -> -ESPIPE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDWR), p[2];

	cf_pipe(p);
	on(ring, RINGD_OP_SYNC_FILE_RANGE, fd)->sync_range_flags = 8;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_SYNC_FILE_RANGE, p[0]);
	ck_assert_int_eq(cf_run(ring), -ESPIPE);
}

CF_TEST(fallocate_is_checked, 281, "Fallocate length 0 -> -EINVAL; unknown mode -> -EOPNOTSUPP")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDWR);
	struct ringd_sqe *sqe;

	on(ring, RINGD_OP_FALLOCATE, fd);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	sqe = on(ring, RINGD_OP_FALLOCATE, fd);
	sqe->addr = 4096;
	sqe->len = 0x8000;
	ck_assert_int_eq(cf_run(ring), -EOPNOTSUPP);
	on(ring, RINGD_OP_FALLOCATE, fd)->addr = 4096;
	ck_assert_int_eq(cf_run(ring), 0);
}

CF_TEST(ftruncate_is_checked, 282, "Ftruncate to -3 -> -EINVAL; on a read-only fd -> -EINVAL; with len or addr non-zero -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDWR);

	cf_need_op(RINGD_OP_FTRUNCATE);
	on(ring, RINGD_OP_FTRUNCATE, fd)->off = (uint64_t)-3;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FTRUNCATE, open(cf_path("f"), O_RDONLY | O_CLOEXEC))->off = 5;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FTRUNCATE, fd)->len = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FTRUNCATE, fd)->addr = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FTRUNCATE, fd)->off = 5;
	ck_assert_int_eq(cf_run(ring), 0);
}

CF_TEST(fadvise_is_checked, 283, "Fadvise with advice 99 -> -EINVAL; on a pipe -> -ESPIPE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY), p[2];

	cf_pipe(p);
	on(ring, RINGD_OP_FADVISE, fd)->fadvise_advice = 99;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_FADVISE, p[0]);
	ck_assert_int_eq(cf_run(ring), -ESPIPE);
	on(ring, RINGD_OP_FADVISE, fd)->fadvise_advice = POSIX_FADV_WILLNEED;
	ck_assert_int_eq(cf_run(ring), 0);
}

static int32_t advise(struct cf_ring *ring, const void *addr, uint32_t len, int advice)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_MADVISE);

	sqe->addr = cf_addr(addr);
	sqe->len = len;
	sqe->fadvise_advice = (uint32_t)advice;
	return cf_run(ring);
}

CF_TEST(madvise_is_checked, 284, "Madvise of unmapped memory -> -ENOMEM; unaligned -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *mem = cf_alloc(8192, 4096);

	ck_assert_int_eq(advise(ring, (void *)4096, 4096, MADV_DONTNEED), -ENOMEM);
	ck_assert_int_eq(advise(ring, mem + 1, 4096, MADV_DONTNEED), -EINVAL);
	ck_assert_int_eq(advise(ring, mem, 4096, 99), -EINVAL);
}

CF_TEST(madvise_dontneed_of_shared_memory_keeps_its_content, 285, "Madvise DONTNEED -> the client's pages are dropped")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *mem = cf_alloc(8192, 4096);

	memset(mem, 'x', 8192);
	ck_assert_int_eq(advise(ring, mem, 4096, MADV_DONTNEED), 0);
	/* private memory on the kernel, shared with the engine on ringd: there, dropping leaves the content */
	ck_assert_int_eq(mem[0], cf_on(CF_RINGD) ? 'x' : 0);
	ck_assert_int_eq(mem[4096], 'x');
	if (!cf_on(CF_RINGD))
		return;
	ck_assert_int_eq(advise(ring, mem, 4096, MADV_REMOVE), 0);
	ck_assert_int_eq(mem[0], 0);
}
CF_DIFFERS(madvise_dontneed_of_shared_memory_keeps_its_content, CF_RINGD,
	   "memory of requests is shared with the engine, and DONTNEED drops what mappings have of shared pages, not the pages; "
	   "MADV_REMOVE does")

CF_TEST(statx_is_checked, 286, "Statx with bad buffer -> -EFAULT; mask bit 31 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 10, O_RDONLY));
	sqe = at(ring, RINGD_OP_STATX, cf_path("f"));
	sqe->len = STATX_SIZE;
	sqe->off = BAD_POINTER;
	ck_assert_int_eq(cf_run(ring), -EFAULT);
	sqe = at(ring, RINGD_OP_STATX, cf_path("f"));
	sqe->len = 0x80000000;
	sqe->off = cf_addr(cf_alloc(sizeof(struct statx), 0));
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(statx_of_a_descriptor, 286, "Statx with empty path and AT_EMPTY_PATH -> works on the fd")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct statx *sx = cf_alloc(sizeof(*sx), 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	struct ringd_sqe *sqe;

	cf_lend(ring, fd);
	sqe = at(ring, RINGD_OP_STATX, cf_in("", 1));
	sqe->fd = fd;
	sqe->statx_flags = AT_EMPTY_PATH;
	sqe->len = STATX_SIZE;
	sqe->off = cf_addr(sx);
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_uint_eq(sx->stx_size, 10);
}

CF_TEST(flags_of_names_are_checked, 287,
	"Renameat with flag 0x80 -> -EINVAL; unlinkat with flag 1 -> -EINVAL; unlinkat of a directory without 0x200 -> -EISDIR")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 10, O_RDONLY));
	ck_assert_int_eq(mkdir(cf_path("d"), 0700), 0);
	sqe = at(ring, RINGD_OP_RENAMEAT, cf_path("f"));
	sqe->len = (uint32_t)AT_FDCWD;
	sqe->addr2 = cf_addr(cf_path("g"));
	sqe->rename_flags = 0x80;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	at(ring, RINGD_OP_UNLINKAT, cf_path("f"))->unlink_flags = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	at(ring, RINGD_OP_UNLINKAT, cf_path("d"));
	ck_assert_int_eq(cf_run(ring), -EISDIR);
	at(ring, RINGD_OP_UNLINKAT, cf_path("d"))->unlink_flags = AT_REMOVEDIR;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(access(cf_path("f"), F_OK), 0);
}

static struct ringd_sqe *attr(struct cf_ring *ring, unsigned int op, const char *path, const char *name, const void *value,
			      uint32_t len)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	sqe->addr = cf_addr(cf_in(name, strlen(name) + 1));
	sqe->addr2 = cf_addr(value);
	sqe->addr3 = cf_addr(path);
	sqe->len = len;
	return sqe;
}

/* A file with one attribute, of 5 bytes. */
static int file_with_attribute(void)
{
	int fd = cf_make_file("f", 10, O_RDWR);

	if (fsetxattr(fd, "user.a", "value", 5, 0) < 0)
		cf_skip("no extended attributes here: %s", strerror(errno));
	return fd;
}

CF_TEST(attributes_are_read, 288,
	"Fgetxattr with len 0 -> size; too small -> -ERANGE; missing -> -ENODATA; getxattr with flags -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = file_with_attribute();
	char *buf = cf_alloc(64, 0);

	cf_sqe_fd(ring, attr(ring, RINGD_OP_FGETXATTR, NULL, "user.a", NULL, 0), fd);
	ck_assert_int_eq(cf_run(ring), 5);
	cf_sqe_fd(ring, attr(ring, RINGD_OP_FGETXATTR, NULL, "user.a", buf, 4), fd);
	ck_assert_int_eq(cf_run(ring), -ERANGE);
	cf_sqe_fd(ring, attr(ring, RINGD_OP_FGETXATTR, NULL, "user.b", buf, 64), fd);
	ck_assert_int_eq(cf_run(ring), -ENODATA);
	cf_sqe_fd(ring, attr(ring, RINGD_OP_FGETXATTR, NULL, "user.b", (void *)BAD_POINTER, 64), fd);
	ck_assert_int_eq(cf_run(ring), -ENODATA);
	attr(ring, RINGD_OP_GETXATTR, cf_path("f"), "user.a", buf, 64)->xattr_flags = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	attr(ring, RINGD_OP_GETXATTR, cf_path("f"), "user.a", buf, 64);
	ck_assert_int_eq(cf_run(ring), 5);
	ck_assert_mem_eq(buf, "value", 5);
}

CF_TEST(attributes_are_set, 289, "Setxattr CREATE on an existing name -> -EEXIST; unknown flag -> -EINVAL; 70000 bytes -> -E2BIG")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = file_with_attribute();
	char *value = cf_alloc(70000, 0), back[8];

	memcpy(value, "other", 5);
	attr(ring, RINGD_OP_SETXATTR, cf_path("f"), "user.a", value, 5)->xattr_flags = XATTR_CREATE;
	ck_assert_int_eq(cf_run(ring), -EEXIST);
	attr(ring, RINGD_OP_SETXATTR, cf_path("f"), "user.a", value, 5)->xattr_flags = 4;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	attr(ring, RINGD_OP_SETXATTR, cf_path("f"), "user.a", value, 70000);
	ck_assert_int_eq(cf_run(ring), -E2BIG);
	attr(ring, RINGD_OP_SETXATTR, cf_path("f"), "", value, 5);
	ck_assert_int_eq(cf_run(ring), -ERANGE);
	attr(ring, RINGD_OP_SETXATTR, cf_path("f"), "user.a", value, 5)->xattr_flags = XATTR_REPLACE;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(fgetxattr(fd, "user.a", back, sizeof(back)), 5);
	ck_assert_mem_eq(back, "other", 5);
}

/* --- splice and tee --- */

static struct ringd_sqe *splice_sqe(struct cf_ring *ring, unsigned int op, int in, int64_t off_in, int out, int64_t off_out,
				    uint32_t len, uint32_t flags)
{
	struct ringd_sqe *sqe = on(ring, op, out), input = { 0 };

	/* where plain descriptors are in slots the input is, too */
	cf_sqe_fd(ring, &input, in);
	sqe->splice_fd_in = input.fd;
	sqe->splice_flags = flags | (input.flags & RINGD_SQE_FIXED_FILE ? RINGD_SPLICE_F_FD_IN_FIXED : 0);
	sqe->splice_off_in = (uint64_t)off_in;
	sqe->off = (uint64_t)off_out;
	sqe->len = len;
	return sqe;
}

static int32_t do_splice(struct cf_ring *ring, int in, int64_t off_in, int out, int64_t off_out, uint32_t len, uint32_t flags)
{
	splice_sqe(ring, RINGD_OP_SPLICE, in, off_in, out, off_out, len, flags);
	return cf_run(ring);
}

CF_TEST(splice_has_its_errnos, 290,
	"Splice between two regular files -> -EINVAL; with an offset on the pipe side -> -ESPIPE; bad input fd -> -EBADF; len 0 -> 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDWR), other = cf_make_file("g", 100, O_RDWR), p[2];

	cf_pipe(p);
	ck_assert_int_eq(do_splice(ring, fd, 0, other, 0, 10, 0), -EINVAL);
	ck_assert_int_eq(do_splice(ring, fd, 0, p[1], 0, 10, 0), -ESPIPE);
	ck_assert_int_eq(do_splice(ring, -1, 0, p[1], -1, 10, 0), -EBADF);
	ck_assert_int_eq(do_splice(ring, fd, 0, p[1], -1, 0, 0), 0);
	ck_assert_int_eq(do_splice(ring, fd, 0, p[1], -1, 10, 0), 10);
}

CF_TEST(splice_flags_are_checked, 291, "Splice with flag 0x10 -> -EINVAL; tee with an offset -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int p[2], q[2];

	cf_pipe(p);
	cf_pipe(q);
	ck_assert_int_eq(do_splice(ring, p[0], -1, q[1], -1, 10, 0x10), -EINVAL);
	splice_sqe(ring, RINGD_OP_TEE, p[0], 1, q[1], 0, 10, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	splice_sqe(ring, RINGD_OP_TEE, p[0], 0, q[1], 1, 10, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(splice_need_not_wait, 292, "Splice NONBLOCK from an empty pipe -> -EAGAIN")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int p[2], q[2];

	cf_pipe(p);
	cf_pipe(q);
	ck_assert_int_eq(do_splice(ring, p[0], -1, q[1], -1, 10, SPLICE_F_NONBLOCK), -EAGAIN);
}

/* --- epoll --- */

static int32_t epoll_op(struct cf_ring *ring, int epfd, uint32_t op, int fd)
{
	static const struct __attribute__((__packed__)) {
		uint32_t events;
		uint64_t data;
	} event = { .events = POLLIN, .data = 7 };
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_EPOLL_CTL);

	sqe->fd = epfd;
	sqe->len = op;
	sqe->off = (uint32_t)fd;
	sqe->addr = cf_addr(cf_in(&event, sizeof(event)));
	return cf_run(ring);
}

CF_TEST(epoll_ctl_has_its_errnos, 297,
	"Epoll_ctl ADD twice -> -EEXIST; DEL twice -> -ENOENT; regular file -> -EPERM; bad op -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = cf_make_file("f", 10, O_RDONLY), p[2];

	cf_pipe(p);
	cf_lend(ring, ep);
	cf_lend(ring, fd);
	cf_lend(ring, p[0]);
	ck_assert_int_eq(epoll_op(ring, ep, EPOLL_CTL_ADD, p[0]), 0);
	ck_assert_int_eq(epoll_op(ring, ep, EPOLL_CTL_ADD, p[0]), -EEXIST);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	cf_wait_fd(ep, POLLIN);
	ck_assert_int_eq(epoll_op(ring, ep, EPOLL_CTL_DEL, p[0]), 0);
	ck_assert_int_eq(epoll_op(ring, ep, EPOLL_CTL_DEL, p[0]), -ENOENT);
	ck_assert_int_eq(epoll_op(ring, ep, EPOLL_CTL_ADD, fd), -EPERM);
	ck_assert_int_eq(epoll_op(ring, ep, 9, p[0]), -EINVAL);
}

/* --- NOP, commands, FILES_UPDATE --- */

CF_TEST(nop_injects_results, 306,
	"NOP with inject flag and len -5 -> res -5 and soft links behind are cancelled; unknown nop flag -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_NOP, 1, RINGD_SQE_IO_LINK);

	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
	sqe->len = (uint32_t)-5;
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -5, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_sqe(ring, RINGD_OP_NOP)->nop_flags = 0x80000000;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(nop_looks_up_what_it_is_told, 307, "NOP with file flag and a bad fd -> -EBADF; with buffer flag and bad index -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->nop_flags = RINGD_NOP_FILE;
	ck_assert_int_eq(cf_run(ring), -EBADF);
	cf_sqe(ring, RINGD_OP_NOP)->nop_flags = RINGD_NOP_FIXED_BUFFER;
	ck_assert_int_eq(cf_run(ring), -EFAULT);
}

CF_TEST(commands_are_checked, 308, "Uring_cmd on a regular file -> -EOPNOTSUPP; __pad1 non-zero -> -EINVAL; unknown flag -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDWR);

	on(ring, RINGD_OP_URING_CMD, fd);
	ck_assert_int_eq(cf_run(ring), -EOPNOTSUPP);
	on(ring, RINGD_OP_URING_CMD, fd)->__pad1 = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	on(ring, RINGD_OP_URING_CMD, fd)->uring_cmd_flags = 0x100;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

/* Two connected sockets of the Internet */
static void tcp_pair(int s[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	s[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(s[0], (struct sockaddr *)&sin, len), 0);
	s[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(s[1], 0);
	close(listener);
}

static int32_t command(struct cf_ring *ring, int fd, uint32_t cmd_op)
{
	on(ring, RINGD_OP_URING_CMD, fd)->cmd_op = cmd_op;
	return cf_run(ring);
}

CF_TEST(sockets_tell_what_they_hold, 309,
	"Uring_cmd SIOCINQ on TCP -> byte count; on AF_UNIX -> -EOPNOTSUPP; unknown socket command -> -EOPNOTSUPP")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s[2], u[2];

	tcp_pair(s);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, u), 0);
	ck_assert_int_eq(write(s[0], "12345", 5), 5);
	cf_wait_fd(s[1], POLLIN);
	ck_assert_int_eq(command(ring, s[1], RINGD_SOCKET_OP_SIOCINQ), 5);
	ck_assert_int_eq(command(ring, u[0], RINGD_SOCKET_OP_SIOCINQ), -EOPNOTSUPP);
	ck_assert_int_eq(command(ring, s[0], 99), -EOPNOTSUPP);
}

static struct ringd_sqe *option(struct cf_ring *ring, int fd, uint32_t cmd_op, uint32_t level, uint32_t name, int *value)
{
	struct ringd_sqe *sqe = on(ring, RINGD_OP_URING_CMD, fd);

	sqe->cmd_op = cmd_op;
	sqe->level = level;
	sqe->optname = name;
	sqe->optval = cf_addr(value);
	sqe->optlen = sizeof(*value);
	return sqe;
}

CF_TEST(socket_options_have_levels, 310,
	"Uring_cmd GETSOCKOPT at a level other than SOL_SOCKET -> -EOPNOTSUPP; SETSOCKOPT at IPPROTO_TCP -> works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int *value = cf_in(&(int){ 1 }, sizeof(int)), set = 0, s[2];
	socklen_t len = sizeof(set);

	tcp_pair(s);
	option(ring, s[0], RINGD_SOCKET_OP_GETSOCKOPT, IPPROTO_TCP, TCP_NODELAY, value);
	ck_assert_int_eq(cf_run(ring), -EOPNOTSUPP);
	option(ring, s[0], RINGD_SOCKET_OP_SETSOCKOPT, IPPROTO_TCP, TCP_NODELAY, value);
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(getsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &set, &len), 0);
	ck_assert_int_ne(set, 0);
	option(ring, s[0], RINGD_SOCKET_OP_GETSOCKOPT, SOL_SOCKET, SO_TYPE, value);
	ck_assert_int_eq(cf_run(ring), sizeof(int));
	ck_assert_int_eq(*value, SOCK_STREAM);
}

CF_TEST(time_stamps_need_room, 311, "Uring_cmd TX_TIMESTAMP on a 16-byte CQE ring -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s[2];

	tcp_pair(s);
	ck_assert_int_eq(command(ring, s[0], RINGD_SOCKET_OP_TX_TIMESTAMP), -EINVAL);
}

static struct ringd_sqe *update(struct cf_ring *ring, const int *fds, uint32_t nr, uint32_t off)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_FILES_UPDATE);

	sqe->addr = cf_addr(fds);
	sqe->len = nr;
	sqe->off = off;
	return sqe;
}

CF_TEST(files_update_finds_free_slots, 380,
	"FILES_UPDATE with ALLOC and one free slot for two fds -> 1 and only the first entry is replaced by a slot number")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int *fds = cf_alloc(2 * sizeof(*fds), 0), p[2];

	cf_pipe(p);
	cf_files(ring, 2);
	cf_file(ring, 0, p[0]);
	cf_lend(ring, p[0]);
	cf_lend(ring, p[1]);
	memcpy(fds, p, sizeof(p));
	update(ring, fds, 2, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(cf_run(ring), 1);
	ck_assert_int_eq(fds[0], 1);
	ck_assert_int_eq(fds[1], p[1]);
	fds[0] = -1;
	update(ring, fds, 1, 1);
	ck_assert_int_eq(cf_run(ring), 1);
}

CF_TEST(files_update_is_checked, 381, "FILES_UPDATE count 0, FIXED_FILE flag or rw_flags -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int *fds = cf_in(&(int){ -1 }, sizeof(int));

	cf_files(ring, 2);
	update(ring, fds, 0, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	update(ring, fds, 1, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	update(ring, fds, 1, 0)->rw_flags = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	update(ring, fds, 1, 0);
	ck_assert_int_eq(cf_run(ring), 1);
}
