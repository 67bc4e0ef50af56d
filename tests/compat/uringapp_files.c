// SPDX-License-Identifier: GPL-2.0-or-later
/* Chains of requests on files, with descriptors and with slots; buffers given beforehand. */
#include "uringapp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP 3
#define PIECE 1024U

static void link_next(struct io_uring_sqe *sqe, unsigned int flags)
{
	sqe->flags = (uint8_t)(sqe->flags | flags);
}

/* A directory, a file in it opened into a slot, written, synced, read back, renamed, looked at and removed: one chain. */
static void whole_life(struct io_uring *ring)
{
	static char text[] = "written by a chain", back[sizeof(text)];
	static struct statx stx;
	struct io_uring_sqe *sqe[10];
	unsigned int n = 0;

	for (unsigned int i = 0; i < 10; i++)
		sqe[i] = app_sqe(ring, i);
	io_uring_prep_mkdirat(sqe[n++], AT_FDCWD, "life", 0755);
	io_uring_prep_openat_direct(sqe[n++], AT_FDCWD, "life/file", O_RDWR | O_CREAT, 0640, 2);
	io_uring_prep_write(sqe[n], 2, text, sizeof(text), 0);
	link_next(sqe[n++], IOSQE_FIXED_FILE);
	io_uring_prep_fsync(sqe[n], 2, IORING_FSYNC_DATASYNC);
	link_next(sqe[n++], IOSQE_FIXED_FILE);
	io_uring_prep_read(sqe[n], 2, back, sizeof(back), 0);
	link_next(sqe[n++], IOSQE_FIXED_FILE);
	io_uring_prep_close_direct(sqe[n++], 2);
	io_uring_prep_renameat(sqe[n++], AT_FDCWD, "life/file", AT_FDCWD, "life/other", 0);
	io_uring_prep_statx(sqe[n++], AT_FDCWD, "life/other", 0, STATX_SIZE | STATX_MODE, &stx);
	io_uring_prep_unlinkat(sqe[n++], AT_FDCWD, "life/other", 0);
	io_uring_prep_unlinkat(sqe[n++], AT_FDCWD, "life", AT_REMOVEDIR);
	for (unsigned int i = 0; i + 1 < n; i++)
		link_next(sqe[i], IOSQE_IO_LINK);
	app_results(ring, "life", n);
	printf("back: %s, size %llu, mode %o\n", back, (unsigned long long)stx.stx_size, stx.stx_mode);
}

/* What fails breaks a chain behind it, but for a hard link. */
static void broken(struct io_uring *ring)
{
	static char c;
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; i < 4; i++) {
		sqe = app_sqe(ring, i);
		if (i == 1)
			io_uring_prep_openat(sqe, AT_FDCWD, "nothing/here", O_RDONLY, 0);
		else
			io_uring_prep_nop(sqe);
		if (i < 3)
			link_next(sqe, IOSQE_IO_LINK);
	}
	app_results(ring, "link", 4);
	for (unsigned int i = 0; i < 4; i++) {
		sqe = app_sqe(ring, i);
		if (i == 1)
			io_uring_prep_read(sqe, -1, &c, 1, 0);
		else
			io_uring_prep_nop(sqe);
		if (i < 3)
			link_next(sqe, IOSQE_IO_HARDLINK);
	}
	app_results(ring, "hardlink", 4);
}

/* A read of an empty pipe with a limit; then one that has its data in time. */
static void limited(struct io_uring *ring)
{
	struct __kernel_timespec soon = { .tv_nsec = 1000000 }, late = { .tv_sec = 3600 };
	static char text[8];
	struct io_uring_sqe *sqe;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		app_die("pipe", errno);
	sqe = app_sqe(ring, 0);
	io_uring_prep_read(sqe, fds[0], text, sizeof(text), 0);
	link_next(sqe, IOSQE_IO_LINK);
	io_uring_prep_link_timeout(app_sqe(ring, 1), &soon, 0);
	app_results(ring, "too late", 2);
	sqe = app_sqe(ring, 0);
	io_uring_prep_read(sqe, fds[0], text, sizeof(text), 0);
	link_next(sqe, IOSQE_IO_LINK);
	io_uring_prep_link_timeout(app_sqe(ring, 1), &late, 0);
	io_uring_prep_write(app_sqe(ring, 2), fds[1], "in time", 8, 0);
	app_results(ring, "in time", 3);
	printf("%s\n", text);
	close(fds[0]);
	close(fds[1]);
}

void app_files(void)
{
	struct io_uring ring;
	int r;

	app_ring(&ring, 16);
	r = io_uring_register_files_sparse(&ring, 4);
	if (r < 0)
		app_die("slots", -r);
	umask(022);
	whole_life(&ring);
	broken(&ring);
	limited(&ring);
	io_uring_queue_exit(&ring);
}

/* Each read takes one of the group's buffers, and the last finds none. */
static void take(struct io_uring *ring, const char *what, char *memory, int fd)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	int r;

	printf("%s:", what);
	for (unsigned int i = 0; i < 5; i++) {
		sqe = app_sqe(ring, i);
		io_uring_prep_read(sqe, fd, NULL, PIECE, i * PIECE);
		link_next(sqe, IOSQE_BUFFER_SELECT);
		sqe->buf_group = GROUP;
		r = io_uring_submit_and_wait(ring, 1);
		if (r >= 0)
			r = io_uring_wait_cqe(ring, &cqe);
		if (r < 0)
			app_die("take", -r);
		printf(" %d", cqe->res);
		if (cqe->flags & IORING_CQE_F_BUFFER) {
			unsigned int id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

			printf("/%u/%c", id, memory[id * PIECE]);
		}
		io_uring_cqe_seen(ring, cqe);
	}
	printf("\n");
}

static void buffer_ring(struct io_uring *ring, char *memory, int fd)
{
	struct io_uring_buf_reg reg = { .ring_entries = 4, .bgid = GROUP };
	struct io_uring_buf_ring *br;
	int r;

	if (posix_memalign((void **)&br, 4096, 4096) != 0)
		app_die("memory", ENOMEM);
	reg.ring_addr = (uint64_t)(uintptr_t)br;
	r = io_uring_register_buf_ring(ring, &reg, 0);
	if (r < 0)
		app_die("buffer ring", -r);
	io_uring_buf_ring_init(br);
	for (unsigned int i = 0; i < 4; i++)
		io_uring_buf_ring_add(br, memory + i * PIECE, PIECE, (uint16_t)i, io_uring_buf_ring_mask(4), (int)i);
	io_uring_buf_ring_advance(br, 4);
	take(ring, "buffer ring", memory, fd);
	printf("unregister: %d\n", io_uring_unregister_buf_ring(ring, GROUP));
	free(br);
}

void app_buffers(void)
{
	static char memory[4 * PIECE];
	struct io_uring ring;
	int fd = open("buffers", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (unsigned int i = 0; fd >= 0 && i < 6; i++) {
		memset(memory, 'a' + (int)i, PIECE);
		if (write(fd, memory, PIECE) != (ssize_t)PIECE)
			app_die("buffers", EIO);
	}
	app_ring(&ring, 8);
	buffer_ring(&ring, memory, fd);
	io_uring_prep_provide_buffers(app_sqe(&ring, 0), memory, PIECE, 4, GROUP, 0);
	app_results(&ring, "provide", 1);
	take(&ring, "provided", memory, fd);
	io_uring_queue_exit(&ring);
	close(fd);
}
