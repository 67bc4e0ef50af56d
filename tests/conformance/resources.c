/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registered files and buffers */
#include <sys/resource.h>

#include "cf.h"

#include <signal.h>

CF_TEST(a_second_file_table_is_ebusy, 373, "Registering files twice -> -EBUSY; 0 files -> -EINVAL; a bad fd -> -EBADF and no table")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2] = { cf_make_file("f", 10, O_RDONLY), 9999 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 2), -EBADF);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 1), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 1), -EBUSY);
}

CF_TEST(an_empty_slot_is_ebadf, 383, "Request on an empty slot -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, RINGD_SQE_FIXED_FILE);
	sqe->fd = 2;
	sqe->addr = cf_addr(cf_alloc(16, 0));
	sqe->len = 16;
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(a_tag_comes_back_when_the_slot_is_replaced, 385, "Slot with tag 77 replaced while unused -> CQE {77, 0, 0}")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	uint64_t tag = 77;
	struct ringd_rsrc_register reg = { .nr = 1, .data = cf_addr(&fd), .tags = cf_addr(&tag) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), 0);
	cf_file(ring, 0, fd);
	cf_expect(ring, 77, 0, 0);
}

/* --- files: update, tags --- */

static int update(struct cf_ring *ring, unsigned int off, const int *fds, unsigned int nr)
{
	const struct ringd_files_update up = { .offset = off, .fds = cf_addr(fds) };

	return cf_register(ring, RINGD_REGISTER_FILES_UPDATE, &up, nr);
}

static int update_tagged(struct cf_ring *ring, unsigned int off, const int *fds, const uint64_t *tags, unsigned int nr)
{
	const struct ringd_rsrc_update2 up = { .offset = off, .data = cf_addr(fds), .tags = cf_addr(tags), .nr = nr };

	return cf_register(ring, RINGD_REGISTER_FILES_UPDATE2, &up, sizeof(up));
}

static struct ringd_sqe *read_slot(struct cf_ring *ring, unsigned int slot, uint64_t user_data)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_READ, user_data, RINGD_SQE_FIXED_FILE);

	sqe->fd = (int)slot;
	sqe->addr = cf_addr(cf_alloc(16, 0));
	sqe->len = 16;
	return sqe;
}

static int read_result(struct cf_ring *ring, unsigned int slot)
{
	read_slot(ring, slot, 0);
	return cf_run(ring);
}

CF_TEST(more_files_than_rlimit_are_emfile, 374, "Registering more files than RLIMIT_NOFILE -> -EMFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct rlimit old, low;
	int fds[80], r;

	for (size_t i = 0; i < 80; i++)
		fds[i] = 0;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = cf_register(ring, RINGD_REGISTER_FILES, fds, 80);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(r, -EMFILE);
}

CF_TEST(a_ring_is_no_file_to_register, 375, "Registering a ring fd, or updating a slot with one -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_poll_fd(ring);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, &fd, 1), -EBADF);
	cf_files(ring, 2);
	ck_assert_int_eq(update(ring, 0, &fd, 1), -EBADF);
}

CF_TEST(update_outside_the_table, 376, "Update beyond the table -> -EINVAL; with 0 entries -> -EINVAL; without table -> -ENXIO")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int fds[2] = { 0, 0 };

	ck_assert_int_eq(update(ring, 0, fds, 1), -ENXIO);
	ck_assert_int_eq(update(ring, 0, fds, 0), -EINVAL);
	cf_files(ring, 4);
	ck_assert_int_eq(update(ring, 3, fds, 2), -EINVAL);
	ck_assert_int_eq(update(ring, 4, fds, 1), -EINVAL);
	ck_assert_int_eq(update(ring, 0, fds, 0), -EINVAL);
	ck_assert_int_eq(update(ring, 2, fds, 2), 2);
}

CF_TEST(update_stops_at_a_bad_fd, 377, "Update {fd, bad, fd} -> 1; {bad, fd, fd} -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	const int second[3] = { fd, 9999, fd }, first[3] = { 9999, fd, fd };

	cf_files(ring, 3);
	ck_assert_int_eq(update(ring, 0, second, 3), 1);
	ck_assert_int_eq(read_result(ring, 0), 10);
	ck_assert_int_eq(read_result(ring, 2), -EBADF);
	ck_assert_int_eq(update(ring, 0, first, 3), -EBADF);
	ck_assert_int_eq(read_result(ring, 0), -EBADF);	/* emptied before the descriptor was looked at */
}

CF_TEST(the_operation_stops_there_too, 377, "FILES_UPDATE {bad, fd, fd} -> -EBADF, and the slot is empty")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	const int both[2] = { fd, fd }, bad[2] = { 9999, fd };
	struct ringd_sqe *sqe;

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, both, 2), 0);
	sqe = cf_sqe(ring, RINGD_OP_FILES_UPDATE);
	sqe->addr = cf_addr(cf_in(bad, sizeof(bad)));
	sqe->len = 2;
	ck_assert_int_eq(cf_run(ring), -EBADF);
	ck_assert_int_eq(read_result(ring, 0), -EBADF);
	ck_assert_int_eq(read_result(ring, 1), 10);
}

CF_TEST(update_skips_and_removes, 378, "Update with -2 and -1 -> 2, first slot untouched, second emptied")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	const int both[2] = { fd, fd }, off[2] = { RINGD_REGISTER_FILES_SKIP, -1 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, both, 2), 0);
	ck_assert_int_eq(update(ring, 0, off, 2), 2);
	ck_assert_int_eq(read_result(ring, 0), 10);
	ck_assert_int_eq(read_result(ring, 1), -EBADF);
}

CF_TEST(nothing_has_no_tag, 379, "Update with tag on -1 or -2 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int none = -1, skip = RINGD_REGISTER_FILES_SKIP;
	const uint64_t tag = 5;

	cf_files(ring, 1);
	ck_assert_int_eq(update_tagged(ring, 0, &none, &tag, 1), -EINVAL);
	ck_assert_int_eq(update_tagged(ring, 0, &skip, &tag, 1), -EINVAL);
	ck_assert_int_eq(update_tagged(ring, 0, &skip, NULL, 1), 1);
}

CF_TEST(a_request_keeps_its_file, 382, "Request on a slot emptied after it started -> completes normally")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int none = -1;
	int fd[2];

	cf_pipe(fd);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 1), 0);
	read_slot(ring, 0, 7);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(update(ring, 0, &none, 1), 1);
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	cf_expect(ring, 7, 3, 0);
}

CF_TEST(unregister_files_twice, 384, "Unregister of files twice -> second -ENXIO; with an argument -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int none = -1;

	cf_files(ring, 1);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_FILES, &none, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_FILES, NULL, 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_FILES, NULL, 0), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_FILES, NULL, 0), -ENXIO);
}

CF_TEST(a_tag_waits_for_the_request, 386, "Slot with tag 77 removed while a read waits on it -> tag CQE only after the read's CQE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const uint64_t tag = 77;
	const int none = -1;
	int fd[2];

	cf_pipe(fd);
	cf_files(ring, 1);
	ck_assert_int_eq(update_tagged(ring, 0, &fd[0], &tag, 1), 1);
	read_slot(ring, 0, 7);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(update(ring, 0, &none, 1), 1);
	cf_expect_none(ring);
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	cf_expect(ring, 7, 3, 0);
	cf_expect(ring, 77, 0, 0);
}

CF_TEST(a_failed_registration_posts_no_tag, 387, "Registration that fails midway -> no tag CQEs")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int fds[2] = { cf_make_file("f", 10, O_RDONLY), 9999 };
	const uint64_t tags[2] = { 1, 2 };
	const struct ringd_rsrc_register reg = { .nr = 2, .data = cf_addr(fds), .tags = cf_addr(tags) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), -EBADF);
	cf_expect_none(ring);
}

/* --- buffers --- */

static int has_buffer(struct cf_ring *ring, unsigned int index, const void *addr)
{
	struct ringd_sqe *sqe;
	int fd = cf_make_file("b", 10, O_RDONLY);

	sqe = cf_prep_rw(ring, RINGD_OP_READ_FIXED, fd, addr, 10, 0);
	sqe->buf_index = (uint16_t)index;
	return cf_run(ring);
}

CF_TEST(buffer_table_errors, 389, "Registering buffers twice -> -EBUSY; arg NULL -> -EFAULT; 16385 -> -EINVAL; 0 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct iovec iov = { cf_alloc(4096, 4096), 4096 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, NULL, 1), -EFAULT);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 16385), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 1), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 1), -EBUSY);
}

CF_TEST(buffer_entries, 390,
	"Buffer entry {NULL,0} -> hole; {NULL,5}, {addr,0}, unmapped, above 1 GiB, read-only memory -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *memory = cf_alloc(4096, 4096);
	void *unmapped = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *fixed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct iovec bad[] = { { NULL, 5 }, { memory, 0 }, { unmapped, 4096 }, { memory, (1ull << 30) + 4096 }, { fixed, 4096 } };
	const struct iovec hole[2] = { { NULL, 0 }, { memory, 4096 } };

	munmap(unmapped, 4096);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &bad[i], 1), -EFAULT);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, hole, 2), 0);
	ck_assert_int_eq(has_buffer(ring, 0, memory), -EFAULT);
	ck_assert_int_eq(has_buffer(ring, 1, memory), 10);
	munmap(fixed, 4096);
}

CF_TEST(a_hole_in_buffers_has_no_tag, 391, "Buffer hole with a tag -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct iovec hole = { NULL, 0 };
	const uint64_t tag = 3;
	const struct ringd_rsrc_register reg = { .nr = 1, .data = cf_addr(&hole), .tags = cf_addr(&tag) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS2, &reg, sizeof(reg)), -EINVAL);
	cf_expect_none(ring);
}

CF_TEST(buffer_update, 392, "Buffer update {good, bad} -> 1; out of range -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *memory = cf_alloc(4096, 4096);
	const struct iovec iov[2] = { { memory, 4096 }, { NULL, 5 } };
	const struct ringd_rsrc_register reg = { .nr = 2, .flags = RINGD_RSRC_REGISTER_SPARSE };
	struct ringd_rsrc_update2 up = { .data = cf_addr(iov), .nr = 2 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS2, &reg, sizeof(reg)), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), 1);
	ck_assert_int_eq(has_buffer(ring, 0, memory), 10);
	up.offset = 1;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), -EINVAL);
}

CF_TEST(rsrc_register_errors, 393, "Rsrc_register with nr_args other than 32, unknown flags, SPARSE with data, resv -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const int fd = cf_make_file("f", 10, O_RDONLY);
	const struct ringd_rsrc_register good = { .nr = 1, .data = cf_addr(&fd) };
	struct ringd_rsrc_register reg = good;

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, 31), -EINVAL);
	reg.flags = 2;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), -EINVAL);
	reg.flags = RINGD_RSRC_REGISTER_SPARSE;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), -EINVAL);
	reg = good;
	reg.resv2 = 1;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &good, sizeof(good)), 0);
}

CF_TEST(a_registered_buffer_stays_what_it_was, 394,
	"Client unmaps a registered buffer and maps something else there -> READ_FIXED still writes the old pages")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *memory = cf_alloc(4096, 4096);
	const struct iovec iov = { memory, 4096 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 1), 0);
	ck_assert_ptr_eq(mmap(memory, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), memory);
	memset(memory, 'n', 16);
	ck_assert_int_eq(has_buffer(ring, 0, memory), 10);
	ck_assert_int_eq(memcmp(memory, "nnnnnnnnnnnnnnnn", 16) == 0, !cf_on(CF_LOCAL));
}
CF_DIFFERS(a_registered_buffer_stays_what_it_was, CF_LOCAL,
	   "a process cannot hold pages that it has unmapped: its buffer is whatever is mapped there")

/* --- clones --- */

static int clone_to(struct cf_ring *dst, struct ringd_clone_buffers c)
{
	return cf_register(dst, RINGD_REGISTER_CLONE_BUFFERS, &c, 1);
}

static struct cf_ring *ring_with_buffers(char *memory)
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct iovec iov[3] = { { memory, 4096 }, { NULL, 0 }, { memory + 4096, 4096 } };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, iov, 3), 0);
	return ring;
}

CF_TEST(clone_errors, 395,
	"Clone without source table -> -ENXIO; onto a non-empty table without flag 0x2 -> -EBUSY; offset without nr -> -EINVAL; "
	"beyond the source -> -EOVERFLOW")
{
	char *memory = cf_alloc(8192, 4096);
	struct cf_ring *src = ring_with_buffers(memory), *other = ring_with_buffers(memory);
	struct cf_ring *dst = cf_ring_new(8, 0), *empty = cf_ring_new(8, 0);
	const uint32_t fd = (uint32_t)src->fd;

	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = (uint32_t)empty->fd }), -ENXIO);
	ck_assert_int_eq(clone_to(other, (struct ringd_clone_buffers){ .src_fd = fd }), -EBUSY);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = fd, .src_off = 1 }), -EINVAL);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = fd, .src_off = 2, .nr = 2 }), -EOVERFLOW);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = fd, .nr = 4 }), -EINVAL);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = fd, .flags = 4 }), -EINVAL);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = 9999 }), -EBADF);
	ck_assert_int_eq(has_buffer(dst, 0, memory), -EFAULT);
}

static int make_single(void *arg)
{
	const struct iovec iov = { cf_alloc(4096, 4096), 4096 };
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &iov, 1), 0);
	*(struct cf_ring **)arg = ring;
	return 0;
}

CF_TEST(clone_from_another_threads_ring, 395, "Clone from a SINGLE_ISSUER ring of another thread -> -EEXIST")
{
	struct cf_ring *dst = cf_ring_new(8, 0), *src = NULL;

	cf_in_thread(make_single, &src);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = (uint32_t)src->fd }), -EEXIST);
}

CF_TEST(a_clone_lives_by_itself, 396, "Clone then unregister of the source -> the clone still works")
{
	char *memory = cf_alloc(8192, 4096);
	struct cf_ring *src = ring_with_buffers(memory), *dst = cf_ring_new(8, 0);

	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = (uint32_t)src->fd }), 0);
	ck_assert_int_eq(cf_register(src, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	ck_assert_int_eq(has_buffer(src, 0, memory), -EFAULT);
	ck_assert_int_eq(has_buffer(dst, 2, memory + 4096), 10);
}

CF_TEST(holes_and_tags_of_a_clone, 397, "Clone of a table with holes -> holes remain holes; tags are not copied")
{
	char *memory = cf_alloc(8192, 4096);
	struct cf_ring *src = cf_ring_new(8, 0), *dst = cf_ring_new(8, 0);
	const struct iovec iov[2] = { { memory, 4096 }, { NULL, 0 } };
	const uint64_t tags[2] = { 9, 0 };
	const struct ringd_rsrc_register reg = { .nr = 2, .data = cf_addr(iov), .tags = cf_addr(tags) };

	ck_assert_int_eq(cf_register(src, RINGD_REGISTER_BUFFERS2, &reg, sizeof(reg)), 0);
	ck_assert_int_eq(clone_to(dst, (struct ringd_clone_buffers){ .src_fd = (uint32_t)src->fd }), 0);
	ck_assert_int_eq(has_buffer(dst, 0, memory), 10);
	ck_assert_int_eq(has_buffer(dst, 1, memory), -EFAULT);
	ck_assert_int_eq(cf_register(dst, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	cf_expect_none(dst);
	ck_assert_int_eq(cf_register(src, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	cf_expect(src, 9, 0, 0);
}

CF_TEST(a_closed_ring_returns_no_tags, 388, "Ring closed with tagged resources -> no tag CQEs")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *other = cf_ring_new(8, 0);
	int fd[2], i;
	uint64_t tags[2] = { 77, 78 };
	struct ringd_rsrc_register reg = { .nr = 2, .data = cf_addr(fd), .tags = cf_addr(tags) };

	signal(SIGPIPE, SIG_IGN);
	cf_pipe(fd);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), 0);
	close(fd[0]);
	cf_ring_free(ring);
	cf_wait_fd(fd[1], 0);	/* POLLERR: the table has let go of the other end */
	for (i = 0; i < 3; i++)
		cf_expect_none(other);	/* and nobody got a tag */
}
