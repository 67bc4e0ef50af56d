/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open, close, direct descriptors */
#include <linux/openat2.h>
#include <sys/resource.h>

#include "cf.h"

/* file_index: slot + 1 or RINGD_FILE_INDEX_ALLOC, 0: a plain descriptor */
static int32_t open_at(struct cf_ring *ring, const char *path, int flags, unsigned int mode, uint32_t file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_OPENAT);

	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	sqe->open_flags = (uint32_t)flags;
	sqe->len = mode;
	sqe->file_index = file_index;
	return cf_run(ring);
}

static int32_t open_at2(struct cf_ring *ring, const char *path, const struct open_how *how, uint32_t size, uint32_t file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_OPENAT2);
	char *copy = cf_alloc(128, 0);

	memcpy(copy, how, sizeof(*how));
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	sqe->addr2 = cf_addr(copy);
	sqe->len = size;
	sqe->file_index = file_index;
	return cf_run(ring);
}

static int32_t close_it(struct cf_ring *ring, int fd, uint32_t file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_CLOSE);

	sqe->fd = fd;
	sqe->file_index = file_index;
	return cf_run(ring);
}

/* What is read from a slot: the first byte of the file */
static int32_t read_slot(struct cf_ring *ring, int slot, char *buf)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_READ);

	sqe->fd = slot;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = cf_addr(buf);
	sqe->len = 1;
	return cf_run(ring);
}

CF_TEST(openat_of_a_missing_file_is_enoent, 259, "Openat of a missing file -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_files(ring, 4);
	ck_assert_int_eq(open_at(ring, cf_path("missing"), O_RDONLY, 0, 1), -ENOENT);
}

CF_TEST(openat_with_a_bad_path_pointer_is_efault, 259, "Openat with a bad path pointer -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_files(ring, 4);
	ck_assert_int_eq(open_at(ring, (const char *)16, O_RDONLY, 0, 1), -EFAULT);
}

CF_TEST(a_slot_beyond_the_table_is_einval, 267, "Openat into slot 9 of a 5-slot table -> -EINVAL; with O_CLOEXEC -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 5);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 10), -EINVAL);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY | O_CLOEXEC, 0, 1), -EINVAL);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 5), 0);
}

CF_TEST(alloc_takes_a_free_slot, 269, "Openat ALLOC -> res is the slot; when all slots are used -> -ENFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 1);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}

CF_TEST(the_size_of_open_how_is_checked, 260, "Openat2 with size 16 -> -EINVAL; size 64 with a non-zero tail -> -E2BIG; zero tail -> works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct open_how how = { .flags = O_RDONLY };
	struct ringd_sqe *sqe;
	char *tail = cf_alloc(64, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(open_at2(ring, cf_path("f"), &how, 16, 1), -EINVAL);
	ck_assert_int_eq(open_at2(ring, cf_path("f"), &how, 64, 1), 0);
	tail[40] = 1;
	sqe = cf_sqe(ring, RINGD_OP_OPENAT2);
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(cf_path("f"));
	sqe->addr2 = cf_addr(tail);
	sqe->len = 64;
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), -E2BIG);
}

CF_TEST(open_how_is_checked, 261, "Openat2 with mode but no O_CREAT -> -EINVAL; unknown resolve bit -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(open_at2(ring, cf_path("f"), &(struct open_how){ .mode = 0600 }, 24, 1), -EINVAL);
	ck_assert_int_eq(open_at2(ring, cf_path("f"), &(struct open_how){ .resolve = 0x100 }, 24, 1), -EINVAL);
}

CF_TEST(openat_takes_no_slot_as_directory, 262, "Openat with FIXED_FILE -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	cf_files(ring, 2);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->fd = 0;
	sqe->addr = cf_addr(cf_path("f"));
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(the_umask_is_the_clients, 263, "Openat with O_CREAT and umask 077 -> the file has mode 0600")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	struct stat st;

	cf_files(ring, 2);
	umask(077);
	cf_prep_open(ring, sqe, cf_path("new"), O_CREAT | O_RDWR, 0666);
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(stat(cf_path("new"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}

CF_TEST(the_working_directory_is_the_clients, 265, "Openat relative path after the client's chdir -> the client's directory")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(chdir(cf_path("")), 0);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	cf_prep_open(ring, sqe, "f", O_RDONLY, 0);
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(chdir("/"), 0);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	cf_prep_open(ring, sqe, "f", O_RDONLY, 0);
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), -ENOENT);
}

CF_TEST(a_slot_needs_a_table, 266, "Openat into a slot without table -> -ENXIO; ALLOC without table -> -ENFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 1), -ENXIO);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}

CF_TEST(an_occupied_slot_is_replaced, 268, "Openat into an occupied slot -> 0 and the old file is released")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *buf = cf_alloc(8, 0);
	int fd[2];

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 1);
	cf_pipe(fd);
	cf_file(ring, 0, fd[1]);
	close(fd[1]);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 1), 0);
	cf_wait_fd(fd[0], POLLHUP);
	ck_assert_int_eq(read_slot(ring, 0, buf), 1);
}

CF_TEST(alloc_stays_in_its_range, 270, "Alloc range [1,3) set -> ALLOC returns only 1 or 2")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct ringd_file_index_range range = { .off = 1, .len = 2 };

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 5);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0), 0);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 1);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 2);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}

CF_TEST(the_alloc_range_is_checked, 271, "Alloc range beyond the table -> -EINVAL; off+len overflow -> -EOVERFLOW")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_file_index_range range = { .off = 3, .len = 3 };

	cf_files(ring, 5);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0), -EINVAL);
	range.len = UINT32_MAX;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0), -EOVERFLOW);
}

CF_TEST(a_failed_open_keeps_the_old_file, 272, "Failing open into an occupied slot -> the old file stays")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *buf = cf_alloc(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 1);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 1), 0);
	ck_assert_int_eq(open_at(ring, cf_path("missing"), O_RDONLY, 0, 1), -ENOENT);
	ck_assert_int_eq(read_slot(ring, 0, buf), 1);
}

CF_TEST(close_is_checked, 274, "Close with fd and slot -> -EINVAL; with rw_flags -> -EINVAL; with FIXED_FILE -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 1), 0);
	ck_assert_int_eq(close_it(ring, 1, 1), -EINVAL);
	sqe = cf_sqe(ring, RINGD_OP_CLOSE);
	sqe->fd = 0;
	sqe->file_index = 1;
	sqe->rw_flags = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	sqe = cf_sqe(ring, RINGD_OP_CLOSE);
	sqe->fd = 0;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(close_of_a_slot_has_its_errnos, 275, "Close of an empty slot -> -EBADF; out of range -> -EINVAL; no table -> -ENXIO")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_int_eq(close_it(ring, 0, 1), -ENXIO);
	cf_files(ring, 2);
	ck_assert_int_eq(close_it(ring, 0, 1), -EBADF);
	ck_assert_int_eq(close_it(ring, 0, 3), -EINVAL);
}

/* --- descriptors of the process --- */

static int32_t open_plain(struct cf_ring *ring, const char *path, int flags)
{
	return open_at(ring, path, flags, 0, 0);
}

/* The number that the next new descriptor will have */
static int lowest(void)
{
	int fd = dup(0);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

CF_TEST(no_room_for_a_descriptor_is_emfile, 264, "Openat when the fd limit is reached -> -EMFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct rlimit rl;
	int fd;

	close(cf_make_file("f", 10, O_RDONLY));
	close(open_plain(ring, cf_path("f"), O_RDONLY));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = (rlim_t)lowest();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	ck_assert_int_eq(open_plain(ring, cf_path("f"), O_RDONLY), -EMFILE);
	rl.rlim_cur++;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	fd = open_plain(ring, cf_path("f"), O_RDONLY);
	ck_assert_int_eq(fd, (int)rl.rlim_cur - 1);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	close(fd);
}

CF_TEST(close_of_what_is_not_open_is_ebadf, 273, "Close of an fd not open -> -EBADF; of the ring fd -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_int_eq(close_it(ring, 900, 0), -EBADF);
	ck_assert_int_eq(close_it(ring, ring->fd, 0), -EBADF);
	ck_assert_int_eq(close_it(ring, ring->fd, 0), -EBADF);	/* it is still there to say so */
}

static int32_t install(struct cf_ring *ring, int slot, uint32_t install_flags, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_FIXED_FD_INSTALL);

	sqe->fd = slot;
	sqe->flags = (uint8_t)flags;
	sqe->install_fd_flags = install_flags;
	return cf_run(ring);
}

CF_TEST(install_is_checked, 276,
	"Fixed fd install without FIXED_FILE -> -EBADF; with flag 2 -> -EINVAL; with personality -> -EPERM; empty slot -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	cf_files(ring, 2);
	cf_file(ring, 0, 0);
	ck_assert_int_eq(install(ring, 0, 0, 0), -EBADF);
	ck_assert_int_eq(install(ring, 0, 2, RINGD_SQE_FIXED_FILE), -EINVAL);
	ck_assert_int_eq(install(ring, 1, 0, RINGD_SQE_FIXED_FILE), -EBADF);
	ck_assert_int_eq(install(ring, 2, 0, RINGD_SQE_FIXED_FILE), -EBADF);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	sqe = cf_sqe(ring, RINGD_OP_FIXED_FD_INSTALL);
	sqe->fd = 0;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->personality = 1;
	ck_assert_int_eq(cf_run(ring), -EPERM);
}

CF_TEST(install_gives_a_descriptor, 277, "Fixed fd install -> new fd with close-on-exec, without it when flag 1 is given")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int file = cf_make_file("f", 10, O_RDONLY), fd;
	char byte;

	cf_files(ring, 1);
	cf_file(ring, 0, file);
	close(file);
	fd = install(ring, 0, 0, RINGD_SQE_FIXED_FILE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	close(fd);
	fd = install(ring, 0, RINGD_FIXED_FD_NO_CLOEXEC, RINGD_SQE_FIXED_FILE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 1);	/* the same open file */
	close(fd);
	ck_assert_int_eq(read_slot(ring, 0, cf_alloc(8, 0)), 1);
}

CF_TEST(a_number_in_a_cqe_is_there, 278, "The fd number in a CQE -> usable by the client as soon as the CQE is visible")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd;

	close(cf_make_file("f", 10, O_RDONLY));
	for (int i = 0; i < 20; i++) {
		struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_OPENAT);
		struct cf_cqe cqe;
		char byte;

		sqe->fd = AT_FDCWD;
		sqe->addr = cf_addr(cf_path("f"));
		sqe->open_flags = i % 2 ? O_CLOEXEC : 0;
		cf_submit(ring);
		while (!cf_peek(ring, &cqe))	/* no call that could wait for it */
			cf_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0);
		fd = cqe.res;
		ck_assert_int_eq(fcntl(fd, F_GETFD), i % 2 ? FD_CLOEXEC : 0);
		ck_assert_int_eq(read(fd, &byte, 1), 1);
		close(fd);
	}
}

/* --- pipes --- */

static int32_t make_pipe(struct cf_ring *ring, int *fds, uint32_t flags, uint32_t file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_PIPE);

	sqe->fd = 0;
	sqe->addr = cf_addr(fds);
	sqe->pipe_flags = flags;
	sqe->file_index = file_index;
	return cf_run(ring);
}

CF_TEST(a_pipe_has_two_ends, 293, "Pipe op -> 0 and two usable fds; flag O_APPEND -> -EINVAL; slot with O_CLOEXEC -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int *fds = cf_alloc(8, 0);
	char byte;

	ck_assert_int_eq(make_pipe(ring, fds, O_CLOEXEC | O_NONBLOCK, 0), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	ck_assert_int_eq(make_pipe(ring, fds, 0, 0), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), 0);
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(make_pipe(ring, fds, O_APPEND, 0), -EINVAL);
	cf_files(ring, 4);
	ck_assert_int_eq(make_pipe(ring, fds, O_CLOEXEC, 1), -EINVAL);
}

static void expect_empty(struct cf_ring *ring, unsigned int slot)
{
	ck_assert_int_eq(read_slot(ring, (int)slot, cf_alloc(8, 0)), -EBADF);
}

CF_TEST(a_pipe_needs_both_slots, 294, "Pipe op into slot n-1 of an n-slot table -> -EINVAL and no slot filled")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_need_op(RINGD_OP_PIPE);
	cf_files(ring, 4);
	ck_assert_int_eq(make_pipe(ring, cf_alloc(8, 0), 0, 4), -EINVAL);
	expect_empty(ring, 3);
	ck_assert_int_eq(make_pipe(ring, cf_alloc(8, 0), 0, 5), -EINVAL);
	ck_assert_int_eq(make_pipe(ring, cf_alloc(8, 0), 0, 3), 0);
}

static unsigned int how_many_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

CF_TEST(a_pipe_that_fails_leaves_nothing, 295,
	"Pipe op with ALLOC and one free slot -> -ENFILE and no slot filled; with a bad result pointer -> -EFAULT and no fd leaks")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	unsigned int before;

	cf_need_op(RINGD_OP_PIPE);
	cf_files(ring, 2);
	cf_file(ring, 0, 0);
	ck_assert_int_eq(make_pipe(ring, cf_alloc(8, 0), 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
	expect_empty(ring, 1);
	before = how_many_open();
	ck_assert_int_eq(make_pipe(ring, (int *)16, 0, 0), -EFAULT);
	ck_assert_uint_eq(how_many_open(), before);
}

CF_TEST(a_pipe_in_slots_tells_them, 296, "Pipe op into slot 0 -> 0, the two ints are 0 and 1")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int *slots = cf_alloc(8, 0);

	cf_files(ring, 2);
	slots[0] = slots[1] = 99;
	ck_assert_int_eq(make_pipe(ring, slots, 0, 1), 0);
	ck_assert_int_eq(slots[0], 0);
	ck_assert_int_eq(slots[1], 1);
}
