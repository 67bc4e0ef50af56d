/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: register calls on the wire, long lists, and the checks that only the client can make. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

static void forget(void)
{
	free(fake->reg.data);
	memset(&fake->reg, 0, sizeof(fake->reg));
}

static int new_file(ino_t *ino)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	*ino = st.st_ino;
	return fd;
}

START_TEST(files_with_holes)
{
	ino_t ino[2];
	int fds[4] = { new_file(&ino[0]), -1, new_file(&ino[1]), -1 };
	const int32_t *sent;

	ck_assert_int_eq(ringd_register_files(ring, fds, 4), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILES);
	ck_assert_uint_eq(fake->reg.ring_id, 100);
	ck_assert_uint_eq(fake->reg.nr, 4);
	ck_assert_uint_eq(fake->reg.has_tags, 0);
	ck_assert_uint_eq(fake->reg.size, 16);
	sent = (const void *)fake->reg.data;
	ck_assert(sent[0] >= 0 && sent[1] == -1 && sent[2] >= 0 && sent[3] == -1);
	ck_assert_uint_eq(fake->reg.n_fds, 2);
	ck_assert_uint_eq(fake->reg.inodes[0], ino[0]);
	ck_assert_uint_eq(fake->reg.inodes[1], ino[1]);
	ck_assert_int_eq(ringd_register_files(ring, fds, 4), -EBUSY);
	ck_assert_int_eq(ringd_unregister_files(ring), 0);
	forget();
	ck_assert_int_eq(ringd_register_files(ring, fds, 1), 0);
	ck_assert_uint_eq(fake->reg.nr, 1);
}
END_TEST

/* 700 descriptors and their tags: three packets for the descriptors' sake. */
START_TEST(long_lists_are_cut_into_packets)
{
	enum { N = 700, HOLE = 350 };
	static uint64_t tags[N];
	static int fds[N];
	const struct ringd_rsrc_register *head;
	const uint64_t *sent_tags;
	ino_t ino[3];
	int file[3];

	for (int i = 0; i < 3; i++)
		file[i] = new_file(&ino[i]);
	for (int i = 0; i < N; i++) {
		fds[i] = i == HOLE ? -1 : file[i % 3];
		tags[i] = i == HOLE ? 0 : (uint64_t)i << 32;
	}
	ck_assert_int_eq(ringd_register_files_tags(ring, fds, tags, N), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILES2);
	ck_assert_uint_eq(fake->reg.packets, 3);
	ck_assert_uint_eq(fake->reg.has_tags, 1);
	ck_assert_uint_eq(fake->reg.size, sizeof(*head) + N * 12);
	head = (const void *)fake->reg.data;
	ck_assert_uint_eq(head->nr, N);
	ck_assert_uint_eq(head->data | head->tags | head->resv2 | head->flags, 0);
	sent_tags = (const void *)(fake->reg.data + sizeof(*head) + N * 4);
	ck_assert_mem_eq(sent_tags, tags, sizeof(tags));
	ck_assert_uint_eq(fake->reg.n_fds, N - 1);
	for (unsigned int i = 0, k = 0; i < N; i++) {
		if (i != HOLE)
			ck_assert_uint_eq(fake->reg.inodes[k++], ino[i % 3]);
	}
}
END_TEST

/* Data longer than a packet. */
START_TEST(long_buffer_lists_are_cut_into_packets)
{
	static struct iovec iov[RINGD_MAX_BUFFERS];
	const uint64_t *sent;

	for (uintptr_t i = 0; i < RINGD_MAX_BUFFERS; i++)
		iov[i] = (struct iovec){ .iov_base = (void *)(i << 12), .iov_len = i + 1 };
	ck_assert_int_eq(ringd_register_buffers(ring, iov, RINGD_MAX_BUFFERS), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_BUFFERS);
	ck_assert_uint_eq(fake->reg.packets, 5);
	ck_assert_uint_eq(fake->reg.size, sizeof(iov));
	sent = (const void *)fake->reg.data;
	for (uint64_t i = 0; i < RINGD_MAX_BUFFERS; i++) {
		ck_assert_uint_eq(sent[2 * i], i << 12);
		ck_assert_uint_eq(sent[2 * i + 1], i + 1);
	}
}
END_TEST

START_TEST(a_bad_descriptor_installs_nothing)
{
	int fds[3] = { 0, 9999, 1 };

	ck_assert_int_eq(ringd_register_files(ring, fds, 3), -EBADF);
	ck_assert_uint_eq(fake->reg.packets, 0);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(rd), "entry 1"));
	fds[1] = -2;
	ck_assert_int_eq(ringd_register_files(ring, fds, 3), -EBADF);
	fds[1] = -3;
	ck_assert_int_eq(ringd_register_files(ring, fds, 3), -EBADF);
	fds[1] = open("/", O_PATH | O_CLOEXEC);		/* as io_uring */
	ck_assert_int_eq(ringd_register_files(ring, fds, 3), -EBADF);
	close(fds[1]);
	fds[1] = -1;
	ck_assert_int_eq(ringd_register_files(ring, fds, 3), 0);
}
END_TEST

START_TEST(limits_come_before_descriptors)
{
	int fds[2] = { 9999, 9999 };
	struct rlimit rl;

	ck_assert_int_eq(ringd_register_files(ring, fds, 0), -EINVAL);
	ck_assert_int_eq(ringd_register_files(ring, fds, RINGD_MAX_FIXED_FILES + 1), -EMFILE);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 0), -EINVAL);
	ck_assert_int_eq(ringd_register_files_sparse(ring, RINGD_MAX_FIXED_FILES + 1), -EMFILE);
	ck_assert_int_eq(ringd_register_files(ring, NULL, 2), -EFAULT);
	ck_assert_int_eq(ringd_register_buffers(ring, NULL, 1), -EFAULT);
	ck_assert_int_eq(ringd_register_buffers(ring, NULL, 0), -EINVAL);
	ck_assert_int_eq(ringd_register_buffers(ring, (struct iovec[1]){ 0 }, RINGD_MAX_BUFFERS + 1), -EINVAL);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = 100;
	setrlimit(RLIMIT_NOFILE, &rl);
	ck_assert_int_eq(ringd_register_files(ring, fds, 101), -EMFILE);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 101), -EMFILE);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(rd), "RLIMIT_NOFILE"));
	ck_assert_int_eq(ringd_register_files_sparse(ring, 100), 0);
	ck_assert_int_eq(ringd_register_files(ring, fds, 2), -EBUSY);
}
END_TEST

START_TEST(sparse_tables)
{
	const struct ringd_rsrc_register *head;

	ck_assert_int_eq(ringd_register_files_sparse(ring, 64), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILES2);
	ck_assert_uint_eq(fake->reg.size, sizeof(*head));
	head = (const void *)fake->reg.data;
	ck_assert_uint_eq(head->nr, 64);
	ck_assert_uint_eq(head->flags, RINGD_RSRC_REGISTER_SPARSE);
	forget();
	ck_assert_int_eq(ringd_register_buffers_sparse(ring, 32), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_BUFFERS2);
	head = (const void *)fake->reg.data;
	ck_assert_uint_eq(head->nr, 32);
	ck_assert_uint_eq(head->flags, RINGD_RSRC_REGISTER_SPARSE);
}
END_TEST

START_TEST(update_sends_what_comes_before_a_bad_descriptor)
{
	int fds[4] = { 0, -1, -2, 9999 }, bad = 9999, ok = 0;
	const struct ringd_files_update *head;

	ck_assert_int_eq(ringd_register_files_update(ring, 0, &bad, 1), -ENXIO);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 8), 0);
	forget();
	ck_assert_int_eq(ringd_register_files_update(ring, 8, &bad, 1), -EINVAL);
	ck_assert_int_eq(ringd_register_files_update(ring, 5, fds, 4), -EINVAL);
	ck_assert_int_eq(ringd_register_files_update(ring, 0xffffffff, &ok, 1), -EINVAL);
	ck_assert_int_eq(ringd_register_files_update(ring, 0, &ok, 0), -EINVAL);
	ck_assert_int_eq(ringd_register_files_update(ring, 0, NULL, 1), -EFAULT);
	ck_assert_uint_eq(fake->reg.packets, 0);
	fake->register_res = 1;
	ck_assert_int_eq(ringd_register_files_update(ring, 0, &bad, 1), -EBADF);
	ck_assert_uint_eq(fake->reg.nr, 1);	/* its slot is emptied all the same */
	ck_assert_uint_eq(fake->reg.n_fds, 0);
	forget();
	fake->register_res = 4;
	ck_assert_int_eq(ringd_register_files_update(ring, 4, fds, 4), 3);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILES_UPDATE);
	ck_assert_uint_eq(fake->reg.nr, 4);
	ck_assert_uint_eq(fake->reg.n_fds, 1);
	head = (const void *)fake->reg.data;
	ck_assert_uint_eq(head->offset, 4);
	ck_assert_int_eq(((const int32_t *)(head + 1))[1], -1);
	ck_assert_int_eq(((const int32_t *)(head + 1))[2], -2);
	ck_assert_int_eq(((const int32_t *)(head + 1))[3], -1);
	ck_assert_uint_eq(fake->reg.n_fds, 1);
}
END_TEST

START_TEST(update_with_tags)
{
	const uint64_t tags[2] = { 5, 0 };
	const struct ringd_rsrc_update2 *head;
	const struct iovec iov[2] = { { .iov_base = (void *)4096, .iov_len = 1 } };
	int fds[2] = { 0, -2 };

	ck_assert_int_eq(ringd_register_files_sparse(ring, 8), 0);
	forget();
	fake->register_res = 2;
	ck_assert_int_eq(ringd_register_files_update_tag(ring, 3, fds, tags, 2), 2);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILES_UPDATE2);
	head = (const void *)fake->reg.data;
	ck_assert_uint_eq(head->offset, 3);
	ck_assert_uint_eq(head->nr, 2);
	ck_assert_mem_eq(fake->reg.data + sizeof(*head) + 8, tags, sizeof(tags));
	forget();
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 0, iov, tags, 2), -ENXIO);
	ck_assert_int_eq(ringd_register_buffers_sparse(ring, 8), 2);
	forget();
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 7, iov, tags, 2), -EINVAL);
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 6, iov, tags, 2), 2);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_BUFFERS_UPDATE);
	ck_assert_uint_eq(fake->reg.size, sizeof(*head) + 2 * 16 + 2 * 8);
	ck_assert_uint_eq(fake->reg.has_tags, 1);
}
END_TEST

START_TEST(engine_refusals_come_with_words)
{
	const struct iovec iov = { .iov_base = (void *)4096, .iov_len = 1 };

	fake->fail = -EFAULT;
	fake->fail_text = "buffer 0 is in no arena";
	ck_assert_int_eq(ringd_register_buffers(ring, &iov, 1), -EFAULT);
	ck_assert_str_eq(ringd_strerror(rd), "buffer 0 is in no arena");
	ck_assert_str_eq(ringd_ring_strerror(ring), "buffer 0 is in no arena");
	/* it was refused: there is no table */
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 0, &iov, NULL, 1), -ENXIO);
	ck_assert_int_eq(ringd_register_buffers(ring, &iov, 1), 0);
}
END_TEST

/* The kernel passes no ring of its own on; that is a bad descriptor, not a broken connection. */
START_TEST(kernel_rings_are_bad_descriptors)
{
	struct io_uring_params p = { 0 };
	int uring = (int)syscall(__NR_io_uring_setup, 4, &p), fds[300] = { 0 };

	if (uring < 0)
		return;		/* not allowed here: nothing to refuse */
	fds[1] = uring;
	ck_assert_int_eq(ringd_register_files(ring, fds, 2), -EBADF);
	fds[1] = 0;
	fds[290] = uring;
	ck_assert_int_eq(ringd_register_files(ring, fds, 300), -EBADF);
	ck_assert_uint_eq(fake->reg.packets, 0);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 300), 0);
	forget();
	ck_assert_int_eq(ringd_register_files_update(ring, 0, &uring, 1), -EBADF);
	fake->register_res = 291;
	ck_assert_int_eq(ringd_register_files_update(ring, 0, fds, 300), 290);
	ck_assert_uint_eq(fake->reg.nr, 291);
	close(uring);
}
END_TEST

START_TEST(alloc_range_and_probe)
{
	union {
		struct ringd_probe probe;
		char bytes[sizeof(struct ringd_probe) + 256 * sizeof(struct ringd_probe_op) + 1];
	} p;
	const struct ringd_file_index_range *range;

	ck_assert_int_eq(ringd_register_file_alloc_range(ring, 3, 9), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_FILE_ALLOC_RANGE);
	ck_assert_uint_eq(fake->reg.nr, 0);
	range = (const void *)fake->reg.data;
	ck_assert_uint_eq(range->off, 3);
	ck_assert_uint_eq(range->len, 9);

	memset(&p, 0, sizeof(p));
	ck_assert_int_eq(ringd_register_probe(ring, &p.probe, 256), 0);
	ck_assert_uint_eq(p.probe.last_op, RINGD_OP_LAST - 1);
	ck_assert_uint_eq(p.probe.ops_len, RINGD_OP_LAST);
	ck_assert_uint_eq(p.probe.ops[RINGD_OP_LAST - 1].op, RINGD_OP_LAST - 1);
	ck_assert_int_eq(ringd_register_probe(ring, &p.probe, 256), -EINVAL);	/* not zero any more */
	memset(&p, 0, sizeof(p));
	ck_assert_int_eq(ringd_register_probe(ring, &p.probe, 257), -EINVAL);
	ck_assert_int_eq(ringd_register_probe(ring, NULL, 1), -EINVAL);
	ck_assert_int_eq(ringd_register_probe(ring, &p.probe, 2), 0);
	ck_assert_uint_eq(p.probe.ops_len, 2);
	ck_assert_uint_eq(p.bytes[sizeof(struct ringd_probe) + 2 * sizeof(struct ringd_probe_op)], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client register");
	TCase *t = tcase_create("register");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, files_with_holes);
	tcase_add_test(t, long_lists_are_cut_into_packets);
	tcase_add_test(t, long_buffer_lists_are_cut_into_packets);
	tcase_add_test(t, a_bad_descriptor_installs_nothing);
	tcase_add_test(t, limits_come_before_descriptors);
	tcase_add_test(t, sparse_tables);
	tcase_add_test(t, update_sends_what_comes_before_a_bad_descriptor);
	tcase_add_test(t, update_with_tags);
	tcase_add_test(t, engine_refusals_come_with_words);
	tcase_add_test(t, kernel_rings_are_bad_descriptors);
	tcase_add_test(t, alloc_range_and_probe);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
