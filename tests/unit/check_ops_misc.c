/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FADVISE, MADVISE, FILES_UPDATE, URING_CMD. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static char path[] = "/tmp/ringd-misc-XXXXXX";
static int file = -1, p[2];

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
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
	close(p[0]);
	close(p[1]);
}

/* --- advice --- */

static int32_t fadvise(int fd, uint64_t off, uint64_t addr, uint32_t len, uint32_t advice)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FADVISE);

	sqe->fd = fd;
	sqe->off = off;
	sqe->addr = addr;
	sqe->len = len;
	sqe->fadvise_advice = advice;
	return rd_tc_run(&c);
}

START_TEST(fadvise_is_the_system_call)
{
	struct ringd_sqe *sqe;

	for (uint32_t advice = 0; advice < 6; advice++)
		ck_assert_int_eq(fadvise(file, 0, 0, 100, advice), 0);
	ck_assert_int_eq(fadvise(file, 0, 5ull << 30, 100, POSIX_FADV_DONTNEED), 0);
	ck_assert_int_eq(fadvise(file, 0, UINT64_MAX, 0, POSIX_FADV_DONTNEED), -EINVAL);
	ck_assert_int_eq(fadvise(file, 0, 0, 0, 99), -EINVAL);
	ck_assert_int_eq(fadvise(p[0], 0, 0, 0, 0), -ESPIPE);
	ck_assert_int_eq(fadvise(-1, 0, 0, 0, 0), -EBADF);
	sqe = rd_tc_sqe(&c, RINGD_OP_FADVISE);
	sqe->fd = -1;
	sqe->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rd_tc_sqe(&c, RINGD_OP_FADVISE)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	/* its errors do break a soft link */
	sqe = rd_tc_sqe(&c, RINGD_OP_FADVISE);
	sqe->fd = p[0];
	sqe->flags = RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ESPIPE);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
}
END_TEST

static struct ringd_sqe *madvise_sqe(const void *addr, uint64_t off, uint32_t len, int advice)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_MADVISE);

	sqe->addr = (uintptr_t)addr;
	sqe->off = off;
	sqe->len = len;
	sqe->fadvise_advice = (uint32_t)advice;
	return sqe;
}

static int32_t do_madvise(const void *addr, uint64_t len, int advice)
{
	madvise_sqe(addr, 0, (uint32_t)len, advice);
	return rd_tc_run(&c);
}

START_TEST(advice_about_pages_reaches_them)
{
	char *mem = rd_th_alloc(&th, 16384);
	unsigned char in_core[4];

	memset(mem, 'x', 16384);
	ck_assert_int_eq(do_madvise(mem, 8192, MADV_DONTNEED), 0);
	ck_assert_int_eq(mem[0], 'x');		/* shared memory: only what a mapping had of it is gone */
	ck_assert_int_eq(do_madvise(mem, 4096, MADV_REMOVE), 0);
	ck_assert_int_eq(mem[0], 0);
	ck_assert_int_eq(mem[4096], 'x');
	/* the length is rounded up; off is the length when it is not 0 */
	madvise_sqe(mem + 4096, 1, 0, MADV_REMOVE);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(mem[8191], 0);
	ck_assert_int_eq(mem[8192], 'x');
	ck_assert_int_eq(do_madvise(mem, 16384, MADV_WILLNEED), 0);
	ck_assert_int_eq(do_madvise(mem, 4096, MADV_REMOVE), 0);
	ck_assert_int_eq(do_madvise(mem, 4096, 23 /* MADV_POPULATE_WRITE */), 0);
	ck_assert_int_eq(mincore(mem, 4096, in_core), 0);
	ck_assert_int_eq(in_core[0] & 1, 1);
	ck_assert_int_eq(do_madvise(mem, 16384, 20 /* MADV_COLD */), 0);
	ck_assert_int_eq(do_madvise(mem, 16384, MADV_SEQUENTIAL), 0);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(advice_that_would_be_about_the_engine_is_refused)
{
	static const int refused[] = { MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_HUGEPAGE, MADV_DONTDUMP,
				       MADV_WIPEONFORK, 99, 102 /* MADV_GUARD_INSTALL */, -1 };
	char *mem = rd_th_alloc(&th, 4096);

	for (size_t i = 0; i < RD_ARRAY_SIZE(refused); i++)
		ck_assert_msg(do_madvise(mem, 4096, refused[i]) == -EINVAL, "advice %d", refused[i]);
	ck_assert_int_eq(do_madvise(mem, 4096, MADV_HWPOISON), -EPERM);
	ck_assert_int_eq(do_madvise(mem, 4096, 101), -EPERM);
}
END_TEST

START_TEST(madvise_has_its_errnos)
{
	char *mem = rd_th_alloc(&th, 4096);

	ck_assert_int_eq(do_madvise(mem + 1, 4096, MADV_DONTNEED), -EINVAL);
	ck_assert_int_eq(do_madvise((void *)4096, 4096, MADV_DONTNEED), -ENOMEM);
	ck_assert_int_eq(do_madvise((void *)4096, 4096, MADV_NORMAL), -ENOMEM);
	ck_assert_int_eq(do_madvise(th.arena + RD_TH_ARENA - 4096, 4097, MADV_DONTNEED), -ENOMEM);
	ck_assert_int_eq(do_madvise(mem, 0, MADV_DONTNEED), 0);
	ck_assert_int_eq(do_madvise((void *)4096, 0, MADV_DONTNEED), 0);
	madvise_sqe(mem, UINT64_MAX, 0, MADV_DONTNEED);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	madvise_sqe(mem, UINT64_MAX - 8191, 0, MADV_DONTNEED);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	madvise_sqe(mem, 0, 4096, MADV_DONTNEED)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	madvise_sqe(mem, 0, 4096, MADV_DONTNEED)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	/* soft */
	madvise_sqe(mem + 1, 0, 4096, MADV_DONTNEED)->flags = RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	ck_assert_int_eq(rd_tc_wait(&c).res, -EINVAL);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
}
END_TEST

/* --- files_update --- */

static struct ringd_sqe *update_sqe(const int32_t *fds, uint32_t nr, uint32_t slot)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FILES_UPDATE);

	sqe->addr = (uintptr_t)fds;
	sqe->len = nr;
	sqe->off = slot;
	return sqe;
}

static int32_t update(const int32_t *fds, uint32_t nr, uint32_t slot)
{
	update_sqe(fds, nr, slot);
	return rd_tc_run(&c);
}

static bool used(uint32_t slot)
{
	return rd_filetable_get(&c.ring->ctx.files, slot);
}

START_TEST(slots_are_updated)
{
	int32_t *fds = rd_th_alloc(&th, 64);
	struct ringd_cqe cqe;

	rd_tc_files(&c, 4);
	rd_tc_file(&c, 1, file, 99);
	memcpy(fds, (int32_t[]){ p[0], -2, file, -1 }, 16);
	ck_assert_int_eq(update(fds, 4, 0), 4);
	ck_assert(used(0) && used(1) && used(2) && !used(3));
	fds[0] = -1;
	ck_assert_int_eq(update(fds, 1, 1), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 99);
	ck_assert(!used(1));
}
END_TEST

START_TEST(what_comes_before_a_bad_entry_is_done)
{
	int32_t *fds = rd_th_alloc(&th, 64), *last = (int32_t *)(void *)(th.arena + RD_TH_ARENA) - 2;

	rd_tc_files(&c, 4);
	memcpy(fds, (int32_t[]){ p[0], 9999, p[1] }, 12);
	ck_assert_int_eq(update(fds, 3, 0), 1);
	ck_assert(used(0) && !used(1) && !used(2));
	ck_assert_int_eq(update(fds + 1, 2, 0), -EBADF);
	ck_assert(!used(0));		/* emptied before the descriptor was looked at */
	fds[0] = -3;
	ck_assert_int_eq(update(fds, 1, 0), -EBADF);
	/* the list goes beyond the memory there is */
	last[0] = last[1] = p[1];
	ck_assert_int_eq(update(last, 4, 0), 2);
	ck_assert(used(0) && used(1) && !used(2));
	ck_assert_int_eq(update((void *)8, 1, 0), -EFAULT);
}
END_TEST

START_TEST(files_update_has_its_errnos)
{
	int32_t *fds = rd_th_alloc(&th, 64);

	fds[0] = p[0];
	ck_assert_int_eq(update(fds, 1, 0), -ENXIO);
	ck_assert_int_eq(update(fds, 1, RINGD_FILE_INDEX_ALLOC), -ENXIO);
	rd_tc_files(&c, 4);
	ck_assert_int_eq(update(fds, 0, 0), -EINVAL);
	ck_assert_int_eq(update(fds, 1, 4), -EINVAL);
	ck_assert_int_eq(update(fds, 5, 0), -EINVAL);
	ck_assert_int_eq(update(fds, 2, 0xfffffffe), -EINVAL);
	ck_assert_int_eq(update(fds, UINT32_MAX, 0), -EINVAL);
	update_sqe(fds, 1, 0)->rw_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	update_sqe(fds, 1, 0)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	update_sqe(fds, 1, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ck_assert(!used(0));
}
END_TEST

START_TEST(free_slots_are_found_and_told)
{
	int32_t *fds = rd_th_alloc(&th, 64);

	rd_tc_files(&c, 3);
	rd_tc_file(&c, 0, file, 0);
	rd_tc_file(&c, 2, file, 0);
	fds[0] = p[0];
	fds[1] = p[1];
	ck_assert_int_eq(update(fds, 2, RINGD_FILE_INDEX_ALLOC), 1);
	ck_assert_int_eq(fds[0], 1);
	ck_assert_int_eq(fds[1], p[1]);
	ck_assert_int_eq(update(fds + 1, 1, RINGD_FILE_INDEX_ALLOC), -ENFILE);
	/* neither holes nor skipping here */
	ck_assert_ptr_nonnull(c.ring->ctx.files.slots[0]);
	rd_file_put(rd_filetable_swap(&c.ring->ctx.files, 0, NULL));
	fds[0] = -1;
	ck_assert_int_eq(update(fds, 1, RINGD_FILE_INDEX_ALLOC), -EBADF);
	fds[0] = -2;
	ck_assert_int_eq(update(fds, 1, RINGD_FILE_INDEX_ALLOC), -EBADF);
	ck_assert(!used(0));
}
END_TEST

START_TEST(a_long_list_is_done_in_parts)
{
	enum { NR = 5000 };
	int32_t *fds = rd_th_alloc(&th, NR * sizeof(*fds));

	rd_tc_files(&c, NR);
	rd_th_lend(&th, p[0]);
	for (uint32_t i = 0; i < NR; i++)
		fds[i] = i % 2 ? -2 : p[0];
	ck_assert_int_eq(update(fds, NR, 0), NR);
	for (uint32_t i = 0; i < NR; i++)
		ck_assert(used(i) == !(i % 2));
	ck_assert_uint_ge(th.engine.stats.punted, 4);
	for (uint32_t i = 0; i < NR; i++)
		fds[i] = p[0];
	ck_assert_int_eq(update(fds, NR, RINGD_FILE_INDEX_ALLOC), NR / 2);
	ck_assert_int_eq(fds[0], NR - 1);	/* the slot behind the one that was filled last */
	ck_assert_int_eq(fds[1], 1);
	fds[0] = p[0];
	ck_assert_int_eq(update(fds, UINT32_MAX, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}
END_TEST

START_TEST(a_dying_ring_does_not_go_on)
{
	enum { NR = 100000 };
	int32_t *fds = rd_th_alloc(&th, NR * sizeof(*fds));

	rd_tc_files(&c, NR);
	memset(fds, 0xff, NR * sizeof(*fds));
	for (int i = 0; i < 10; i++)
		update_sqe(fds, NR, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 10);
}
END_TEST

/* --- commands --- */

static struct ringd_sqe *cmd_sqe(int fd, uint32_t op)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_URING_CMD);

	sqe->fd = fd;
	sqe->cmd_op = op;
	return sqe;
}

static int32_t cmd(int fd, uint32_t op)
{
	cmd_sqe(fd, op);
	return rd_tc_run(&c);
}

START_TEST(commands_are_for_some_kinds_of_files)
{
	RD_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	RD_CLOSE int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(cmd(null, 0), 0);
	ck_assert_int_eq(cmd(null, 0x12345678), 0);
	ck_assert_int_eq(cmd(zero, 0), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(file, RINGD_BLOCK_OP_DISCARD), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(p[0], 0), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(-1, 0), -EBADF);
	cmd_sqe(null, 0)->__pad1 = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(null, 0)->uring_cmd_flags = 4;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(null, 0)->uring_cmd_flags = RINGD_URING_CMD_MULTISHOT;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(null, 0)->uring_cmd_flags = RINGD_URING_CMD_MASK;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(null, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(null, 0)->uring_cmd_flags = RINGD_URING_CMD_FIXED;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	cmd_sqe(null, 0)->ioprio = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

static int tcp_listener(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	return s;
}

static void tcp_pair(int s[2])
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	RD_CLOSE int listener = tcp_listener();

	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	s[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(s[0], (struct sockaddr *)&sin, len), 0);
	s[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(s[1], 0);
}

START_TEST(sockets_tell_what_they_hold)
{
	int s[2], u[2];

	tcp_pair(s);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, u), 0);
	ck_assert_int_eq(write(s[0], "12345", 5), 5);
	while (cmd(s[1], RINGD_SOCKET_OP_SIOCINQ) == 0)
		continue;
	ck_assert_int_eq(cmd(s[1], RINGD_SOCKET_OP_SIOCINQ), 5);
	ck_assert_int_eq(cmd(s[1], RINGD_SOCKET_OP_SIOCOUTQ), 0);
	ck_assert_int_eq(cmd(u[0], RINGD_SOCKET_OP_SIOCINQ), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(u[0], RINGD_SOCKET_OP_SIOCOUTQ), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(s[0], RINGD_SOCKET_OP_TX_TIMESTAMP), -EINVAL);
	ck_assert_int_eq(cmd(s[0], 99), -EOPNOTSUPP);
	for (int i = 0; i < 2; i++) {
		close(s[i]);
		close(u[i]);
	}
}
END_TEST

static struct ringd_sqe *opt_sqe(int fd, uint32_t op, uint32_t level, uint32_t name, const void *value, uint32_t len)
{
	struct ringd_sqe *sqe = cmd_sqe(fd, op);

	sqe->level = level;
	sqe->optname = name;
	sqe->optval = (uintptr_t)value;
	sqe->optlen = len;
	return sqe;
}

static int32_t get_opt(int fd, uint32_t level, uint32_t name, const void *value, uint32_t len)
{
	opt_sqe(fd, RINGD_SOCKET_OP_GETSOCKOPT, level, name, value, len);
	return rd_tc_run(&c);
}

static int32_t set_opt(int fd, uint32_t level, uint32_t name, const void *value, uint32_t len)
{
	opt_sqe(fd, RINGD_SOCKET_OP_SETSOCKOPT, level, name, value, len);
	return rd_tc_run(&c);
}

START_TEST(options_are_read_and_set)
{
	RD_CLOSE int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int *value = rd_th_alloc(&th, 8192), set = 0;
	socklen_t len = sizeof(set);

	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_TYPE, value, 4), 4);
	ck_assert_int_eq(*value, SOCK_STREAM);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_TYPE, value, 8192), 4);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_TYPE, NULL, 0), 0);
	*value = 1;
	ck_assert_int_eq(set_opt(s, SOL_SOCKET, SO_KEEPALIVE, value, 4), 0);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_KEEPALIVE, value, 4), 4);
	ck_assert_int_eq(*value, 1);
	ck_assert_int_eq(set_opt(s, IPPROTO_TCP, TCP_NODELAY, value, 4), 0);
	ck_assert_int_eq(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &set, &len), 0);
	ck_assert_int_ne(set, 0);
}
END_TEST

START_TEST(options_have_their_errnos)
{
	RD_CLOSE int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int *value = rd_th_alloc(&th, 8192);

	ck_assert_int_eq(get_opt(s, IPPROTO_TCP, TCP_NODELAY, value, 4), -EOPNOTSUPP);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_TYPE, value, UINT32_MAX), -EINVAL);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, SO_TYPE, (void *)8, 4), -EFAULT);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, 54, value, 4), -ENOPROTOOPT);
	ck_assert_int_eq(set_opt(s, SOL_SOCKET, SO_KEEPALIVE, (void *)8, 4), -EFAULT);
	ck_assert_int_eq(set_opt(s, SOL_SOCKET, SO_KEEPALIVE, value, 2), -EINVAL);
	ck_assert_int_eq(set_opt(s, SOL_SOCKET, SO_KEEPALIVE, value, 8192), -EINVAL);
	ck_assert_int_eq(set_opt(s, SOL_SOCKET, 54, value, 4), -ENOPROTOOPT);
}
END_TEST

/* Values with addresses, descriptors or lengths in other units in them: they would be the engine's. */
START_TEST(options_that_mean_the_engine_are_refused)
{
	RD_CLOSE int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const struct {
		uint32_t level, name;
	} sets[] = {
		{ SOL_SOCKET, 26 }, { SOL_SOCKET, 50 }, { SOL_SOCKET, 51 }, { SOL_SOCKET, 52 }, { SOL_SOCKET, 80 },
		{ SOL_SOCKET, 1000 }, { IPPROTO_IP, 64 }, { IPPROTO_IPV6, 64 }, { IPPROTO_TCP, 35 }, { 263, 1 }, { 279, 1 },
		{ 283, 4 }, { 132, 1 }, { UINT32_MAX, UINT32_MAX },
	};
	char *value = rd_th_alloc(&th, 4096);

	for (size_t i = 0; i < RD_ARRAY_SIZE(sets); i++)
		ck_assert_msg(set_opt(s, sets[i].level, sets[i].name, value, 16) == -EOPNOTSUPP, "%zu", i);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, 26, value, 4096), -EOPNOTSUPP);
	ck_assert_int_eq(get_opt(s, SOL_SOCKET, 77, value, 4), -EOPNOTSUPP);
}
END_TEST

static int32_t get_name(int fd, uint32_t peer, void *addr, void *len)
{
	struct ringd_sqe *sqe = cmd_sqe(fd, RINGD_SOCKET_OP_GETSOCKNAME);

	sqe->addr = (uintptr_t)addr;
	sqe->addr3 = (uintptr_t)len;
	sqe->optlen = peer;
	return rd_tc_run(&c);
}

START_TEST(sockets_of_the_ring_take_commands)
{
	static const uint32_t options[] = { SO_REUSEADDR, SO_KEEPALIVE, SO_PRIORITY, SO_RCVLOWAT, SO_MARK };
	RD_CLOSE int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int32_t *value = rd_th_alloc(&th, sizeof(*value));
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);

	rd_tc_files(&c, 1);
	sqe->fd = AF_INET;
	sqe->off = SOCK_STREAM;
	sqe->file_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(options); i++) {
		/* who may not do it says so, whoever made the socket */
		int own = setsockopt(s, SOL_SOCKET, (int)options[i], &(int){ 1 }, sizeof(int)) < 0 ? -errno : 0;

		*value = 1;
		opt_sqe(0, RINGD_SOCKET_OP_SETSOCKOPT, SOL_SOCKET, options[i], value, sizeof(*value))->flags = RINGD_SQE_FIXED_FILE;
		ck_assert_int_eq(rd_tc_run(&c), own);
		*value = 7;
		opt_sqe(0, RINGD_SOCKET_OP_GETSOCKOPT, SOL_SOCKET, options[i], value, sizeof(*value))->flags = RINGD_SQE_FIXED_FILE;
		ck_assert_int_eq(rd_tc_run(&c), sizeof(*value));
		ck_assert_int_eq(*value, own == 0);
	}
	cmd_sqe(0, RINGD_SOCKET_OP_SIOCOUTQ)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(sockets_tell_their_names)
{
	struct sockaddr_in *sin = rd_th_alloc(&th, 128), expect;
	uint32_t *len = rd_th_alloc(&th, 4);
	socklen_t size = sizeof(expect);
	int s[2];

	tcp_pair(s);
	*len = 128;
	ck_assert_int_eq(get_name(s[0], 0, sin, len), 0);
	ck_assert_uint_eq(*len, sizeof(expect));
	ck_assert_int_eq(getsockname(s[0], (struct sockaddr *)&expect, &size), 0);
	ck_assert_mem_eq(sin, &expect, sizeof(expect));
	ck_assert_int_eq(get_name(s[0], 1, sin, len), 0);
	ck_assert_int_eq(getpeername(s[0], (struct sockaddr *)&expect, &size), 0);
	ck_assert_mem_eq(sin, &expect, sizeof(expect));
	/* no more than there is room for */
	memset(sin, 0xff, 128);
	*len = 4;
	ck_assert_int_eq(get_name(s[0], 0, sin, len), 0);
	ck_assert_uint_eq(*len, sizeof(expect));
	ck_assert_uint_eq(sin->sin_addr.s_addr, UINT32_MAX);
	ck_assert_int_eq(get_name(s[0], 2, sin, len), -EINVAL);
	*len = UINT32_MAX;
	ck_assert_int_eq(get_name(s[0], 0, sin, len), -EINVAL);
	ck_assert_int_eq(get_name(s[0], 0, sin, (void *)8), -EFAULT);
	*len = 128;
	ck_assert_int_eq(get_name(s[0], 0, (void *)8, len), -EFAULT);
	close(s[0]);
	close(s[1]);
	s[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(get_name(s[0], 1, sin, len), -ENOTCONN);
	close(s[0]);
}
END_TEST

/* A block device in front of our file; ends with its last descriptor. -1: not possible here. */
static int loop_device(char *name, size_t size)
{
	RD_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), dev = -1;
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };

	if (control < 0)
		return -1;
	snprintf(name, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	dev = open(name, O_RDWR | O_CLOEXEC);
	if (dev < 0 || ioctl(dev, LOOP_SET_FD, file) < 0)
		return -1;
	ck_assert_int_eq(ioctl(dev, LOOP_SET_STATUS64, &info), 0);
	return rd_steal_fd(&dev);
}

static int32_t discard(int fd, uint64_t start, uint64_t len)
{
	struct ringd_sqe *sqe = cmd_sqe(fd, RINGD_BLOCK_OP_DISCARD);

	sqe->addr = start;
	sqe->addr3 = len;
	return rd_tc_run(&c);
}

START_TEST(block_devices_discard)
{
	RD_CLOSE int dev = -1, ro = -1;
	static char block[65536];
	char name[32], back = 0;

	memset(block, 'x', sizeof(block));
	ck_assert_int_eq(write(file, block, sizeof(block)), sizeof(block));
	dev = loop_device(name, sizeof(name));
	if (dev < 0)
		return;		/* not root, or no loop devices */
	ro = open(name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(discard(dev, 100, 4096), -EINVAL);
	ck_assert_int_eq(discard(dev, 0, 65536 + 4096), -EINVAL);
	ck_assert_int_eq(discard(dev, UINT64_MAX - 4095, 4096), -EINVAL);
	ck_assert_int_eq(discard(ro, 4096, 4096), -EBADF);
	cmd_sqe(dev, RINGD_BLOCK_OP_DISCARD)->len = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	cmd_sqe(dev, RINGD_BLOCK_OP_ZONE_RESET_ALL)->addr = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ck_assert_int_eq(cmd(dev, RINGD_BLOCK_OP_ZONE_RESET_ALL), -EOPNOTSUPP);
	ck_assert_int_eq(cmd(dev, RINGD_SOCKET_OP_SIOCINQ), -EOPNOTSUPP);
	ck_assert_int_eq(discard(dev, 4096, 8192), 0);
	ck_assert_int_eq(pread(dev, &back, 1, 4096), 1);
	ck_assert_int_eq(back, 0);
	ck_assert_int_eq(pread(dev, &back, 1, 12288), 1);
	ck_assert_int_eq(back, 'x');
}
END_TEST

START_TEST(a_dying_ring_drops_commands)
{
	RD_CLOSE int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *value = rd_th_alloc(&th, 4096);

	for (int i = 0; i < 20; i++) {
		opt_sqe(s, RINGD_SOCKET_OP_SETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, value, 4);
		/* workers write here, several at a time */
		opt_sqe(s, RINGD_SOCKET_OP_GETSOCKOPT, SOL_SOCKET, SO_KEEPALIVE, value + 1024 + 64 * i, 4);
		cmd_sqe(s, RINGD_SOCKET_OP_GETSOCKNAME)->addr3 = (uintptr_t)(value + 128);
	}
	ck_assert_int_eq(rd_tc_submit(&c), 60);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fadvise_is_the_system_call, advice_about_pages_reaches_them, advice_that_would_be_about_the_engine_is_refused,
		madvise_has_its_errnos, slots_are_updated, what_comes_before_a_bad_entry_is_done, files_update_has_its_errnos,
		free_slots_are_found_and_told, a_long_list_is_done_in_parts, a_dying_ring_does_not_go_on,
		commands_are_for_some_kinds_of_files, sockets_tell_what_they_hold, options_are_read_and_set,
		options_have_their_errnos, options_that_mean_the_engine_are_refused, sockets_tell_their_names,
		sockets_of_the_ring_take_commands, block_devices_discard,
		a_dying_ring_drops_commands,
	};
	Suite *s = suite_create("ops_misc");
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
