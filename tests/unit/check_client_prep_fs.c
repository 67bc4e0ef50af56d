/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: the prep helpers for names, attributes, pipes and commands, seen from the engine's side. */
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, RINGD_SETUP_SQPOLL), 0);
	peer = &fake->rings[0];
	fake_stop(fake);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

/* Where the engine finds a client address of the scratch area. */
static const char *translate(uint64_t addr, size_t size)
{
	ck_assert_uint_ge(addr, peer->create.scratch_base);
	ck_assert_uint_le(addr + size, peer->create.scratch_base + peer->scratch_size);
	return peer->scratch + (addr - peer->create.scratch_base);
}

/* One that is full of what an earlier user of it may have left. */
static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	memset(sqe, 0xff, sizeof(*sqe));
	return sqe;
}

/* Nothing that must be 0 is left over. */
static void expect_clean(const struct ringd_sqe *sqe)
{
	ck_assert_uint_eq(sqe->buf_index, 0);
	ck_assert_uint_eq(sqe->__pad2[0], 0);
}

START_TEST(names)
{
	struct ringd_sqe *sqe = get();

	ringd_prep_renameat(ring, sqe, 3, "/old", 4, "/new", RENAME_NOREPLACE);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_RENAMEAT);
	ck_assert_int_eq(sqe->fd, 3);
	ck_assert_uint_eq(sqe->len, 4);
	ck_assert_uint_eq(sqe->rename_flags, RENAME_NOREPLACE);
	ck_assert_str_eq(translate(sqe->addr, 5), "/old");
	ck_assert_str_eq(translate(sqe->addr2, 5), "/new");
	ck_assert_int_eq(sqe->splice_fd_in, 0);
	expect_clean(sqe);
	ringd_prep_linkat(ring, sqe, 3, "/old", 4, "/new", AT_SYMLINK_FOLLOW);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_LINKAT);
	ck_assert_uint_eq(sqe->hardlink_flags, AT_SYMLINK_FOLLOW);
	ringd_prep_unlinkat(ring, sqe, 3, "/old", AT_REMOVEDIR);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_UNLINKAT);
	ck_assert_uint_eq(sqe->unlink_flags, AT_REMOVEDIR);
	ck_assert_uint_eq(sqe->off, 0);
	ck_assert_uint_eq(sqe->len, 0);
	umask(027);
	ringd_prep_mkdirat(ring, sqe, 3, "/dir", 0777);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_MKDIRAT);
	ck_assert_uint_eq(sqe->len, 0750);
	ck_assert_uint_eq(sqe->rw_flags, 0);
	ringd_prep_symlinkat(ring, sqe, "../text", 3, "/link");
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SYMLINKAT);
	ck_assert_str_eq(translate(sqe->addr, 8), "../text");
	ck_assert_str_eq(translate(sqe->addr2, 6), "/link");
	ck_assert_uint_eq(sqe->len, 0);
	ck_assert_int_eq(fake->cwds, 0);
	expect_clean(sqe);
}
END_TEST

START_TEST(two_paths_as_long_as_they_get)
{
	char longest[PATH_MAX + 10];
	struct ringd_sqe *sqe = get();

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[PATH_MAX + 9] = 0;
	ringd_prep_renameat(ring, sqe, 3, longest, 4, longest, 0);
	ck_assert_ptr_null(memchr(translate(sqe->addr, PATH_MAX), 0, PATH_MAX));
	ck_assert_ptr_null(memchr(translate(sqe->addr2, PATH_MAX), 0, PATH_MAX));
	longest[PATH_MAX - 1] = 0;
	ringd_prep_renameat(ring, sqe, 3, longest, 4, longest, 0);
	ck_assert_str_eq(translate(sqe->addr, PATH_MAX), longest);
	ck_assert_str_eq(translate(sqe->addr2, PATH_MAX), longest);
	ringd_prep_renameat(ring, sqe, 3, NULL, 4, NULL, 0);
	ck_assert_uint_eq(sqe->addr, 0);
	ck_assert_uint_eq(sqe->addr2, 0);
}
END_TEST

START_TEST(attributes)
{
	char name[XATTR_NAME_MAX + 10], big[8193] = "big";
	struct ringd_sqe *sqe = get();

	ringd_prep_fsetxattr(ring, sqe, 5, "user.a", "value", XATTR_CREATE, 5);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_FSETXATTR);
	ck_assert_int_eq(sqe->fd, 5);
	ck_assert_uint_eq(sqe->len, 5);
	ck_assert_uint_eq(sqe->xattr_flags, XATTR_CREATE);
	ck_assert_str_eq(translate(sqe->addr, 7), "user.a");
	ck_assert_mem_eq(translate(sqe->addr2, 5), "value", 5);
	ringd_prep_fsetxattr(ring, sqe, 5, "user.a", big, 0, 8192);
	ck_assert_mem_eq(translate(sqe->addr2, 8192), big, 8192);
	/* too long for the scratch area: it is where the caller says */
	ringd_prep_fsetxattr(ring, sqe, 5, "user.a", big, 0, 8193);
	ck_assert_uint_eq(sqe->addr2, (uintptr_t)big);
	ringd_prep_setxattr(ring, sqe, "user.a", "value", "/path", 0, 5);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SETXATTR);
	ck_assert_str_eq(translate(sqe->addr3, 6), "/path");
	ringd_prep_fgetxattr(ring, sqe, 5, "user.a", big, 100);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_FGETXATTR);
	ck_assert_uint_eq(sqe->addr2, (uintptr_t)big);
	ck_assert_uint_eq(sqe->xattr_flags, 0);
	ringd_prep_getxattr(ring, sqe, "user.a", big, "/path", 100);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_GETXATTR);
	ck_assert_str_eq(translate(sqe->addr3, 6), "/path");
	/* of a name that is too long the engine finds no end */
	memset(name, 'n', sizeof(name));
	name[XATTR_NAME_MAX + 1] = 0;
	ringd_prep_getxattr(ring, sqe, name, big, "/path", 100);
	ck_assert_ptr_null(memchr(translate(sqe->addr, XATTR_NAME_MAX + 1), 0, XATTR_NAME_MAX + 1));
	name[XATTR_NAME_MAX] = 0;
	ringd_prep_getxattr(ring, sqe, name, big, "/path", 100);
	ck_assert_str_eq(translate(sqe->addr, XATTR_NAME_MAX + 1), name);
	ringd_prep_getxattr(ring, sqe, NULL, big, NULL, 100);
	ck_assert_uint_eq(sqe->addr, 0);
	ck_assert_uint_eq(sqe->addr3, 0);
}
END_TEST

START_TEST(advice_and_pipes)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
	struct ringd_sqe *sqe = get();

	ringd_prep_fadvise(sqe, 5, 4096, 5ull << 32, POSIX_FADV_DONTNEED);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_FADVISE);
	ck_assert_uint_eq(sqe->off, 4096);
	ck_assert_uint_eq(sqe->addr, 5ull << 32);
	ck_assert_uint_eq(sqe->len, 0);
	ck_assert_uint_eq(sqe->fadvise_advice, POSIX_FADV_DONTNEED);
	ringd_prep_madvise(sqe, (void *)0x10000, 5ull << 32, MADV_DONTNEED);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_MADVISE);
	ck_assert_uint_eq(sqe->addr, 0x10000);
	ck_assert_uint_eq(sqe->off, 5ull << 32);
	ck_assert_uint_eq(sqe->fadvise_advice, MADV_DONTNEED);
	ringd_prep_splice(sqe, 3, 10, 4, -1, 100, SPLICE_F_MOVE);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SPLICE);
	ck_assert_int_eq(sqe->fd, 4);
	ck_assert_int_eq(sqe->splice_fd_in, 3);
	ck_assert_uint_eq(sqe->splice_off_in, 10);
	ck_assert_uint_eq(sqe->off, UINT64_MAX);
	ck_assert_uint_eq(sqe->splice_flags, SPLICE_F_MOVE);
	ringd_prep_tee(sqe, 3, 4, 100, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_TEE);
	ck_assert_uint_eq(sqe->off, 0);
	ck_assert_uint_eq(sqe->splice_off_in, 0);
	ringd_prep_epoll_ctl(ring, sqe, 3, 4, EPOLL_CTL_ADD, &event);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_EPOLL_CTL);
	ck_assert_int_eq(sqe->fd, 3);
	ck_assert_uint_eq(sqe->off, 4);
	ck_assert_uint_eq(sqe->len, EPOLL_CTL_ADD);
	ck_assert_mem_eq(translate(sqe->addr, sizeof(event)), &event, sizeof(event));
	ringd_prep_epoll_ctl(ring, sqe, 3, 4, EPOLL_CTL_DEL, NULL);
	ck_assert_uint_eq(sqe->addr, 0);
	expect_clean(sqe);
}
END_TEST

START_TEST(lists_and_commands)
{
	int fds[4097] = { 7, 8 }, one = 1;
	struct ringd_sqe *sqe = get();

	ringd_prep_files_update(ring, sqe, fds, 4096, 5);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_FILES_UPDATE);
	ck_assert_uint_eq(sqe->off, 5);
	ck_assert_uint_eq(sqe->len, 4096);
	ck_assert_mem_eq(translate(sqe->addr, sizeof(fds) - 4), fds, sizeof(fds) - 4);
	ringd_prep_files_update(ring, sqe, fds, 4097, 5);
	ck_assert_uint_eq(sqe->addr, (uintptr_t)fds);
	ringd_prep_files_update(ring, sqe, fds, 2, RINGD_FILE_INDEX_ALLOC);
	ck_assert_uint_eq(sqe->addr, (uintptr_t)fds);
	ck_assert_uint_eq(sqe->off, RINGD_FILE_INDEX_ALLOC);
	ringd_prep_cmd_sock(ring, sqe, RINGD_SOCKET_OP_SETSOCKOPT, 5, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_URING_CMD);
	ck_assert_uint_eq(sqe->cmd_op, RINGD_SOCKET_OP_SETSOCKOPT);
	ck_assert_uint_eq(sqe->__pad1, 0);
	ck_assert_uint_eq(sqe->level, SOL_SOCKET);
	ck_assert_uint_eq(sqe->optname, SO_KEEPALIVE);
	ck_assert_uint_eq(sqe->optlen, sizeof(one));
	ck_assert_mem_eq(translate(sqe->optval, sizeof(one)), &one, sizeof(one));
	ringd_prep_cmd_sock(ring, sqe, RINGD_SOCKET_OP_GETSOCKOPT, 5, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	ck_assert_uint_eq(sqe->optval, (uintptr_t)&one);
	ringd_prep_cmd_getsockname(sqe, 5, (void *)0x1000, (void *)0x2000, 1);
	ck_assert_uint_eq(sqe->cmd_op, RINGD_SOCKET_OP_GETSOCKNAME);
	ck_assert_uint_eq(sqe->addr, 0x1000);
	ck_assert_uint_eq(sqe->addr3, 0x2000);
	ck_assert_uint_eq(sqe->optlen, 1);
	ringd_prep_cmd_discard(sqe, 5, 4096, 8192);
	ck_assert_uint_eq(sqe->cmd_op, RINGD_BLOCK_OP_DISCARD);
	ck_assert_uint_eq(sqe->addr, 4096);
	ck_assert_uint_eq(sqe->addr3, 8192);
	ck_assert_uint_eq(sqe->uring_cmd_flags, 0);
	expect_clean(sqe);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client_prep_fs");
	TCase *tc = tcase_create("helpers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_test(tc, two_paths_as_long_as_they_get);
	tcase_add_test(tc, attributes);
	tcase_add_test(tc, advice_and_pipes);
	tcase_add_test(tc, lists_and_commands);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
