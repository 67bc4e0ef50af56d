/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "edges.h"
#include "tests/unit/suite.h"

struct io_uring edge;

bool edge_on_kernel(void)
{
	return getenv("EDGES_KERNEL");
}

void edge_nops(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		io_uring_prep_nop(io_uring_get_sqe(&edge));
	ck_assert_int_eq(io_uring_submit(&edge), (int)n);
}

void edge_drain(void)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&edge, &cqe) == 0)
		io_uring_cqe_seen(&edge, cqe);
}

int edge_result(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r;

	do
		r = io_uring_wait_cqe(ring, &cqe);
	while (r == -EINTR);
	ck_assert_int_eq(r, 0);
	r = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return r;
}

int edge_run(struct io_uring *ring)
{
	ck_assert_int_eq(io_uring_submit(ring), 1);
	return edge_result(ring);
}

static void setup(void)
{
	ck_assert_int_eq(io_uring_queue_init(8, &edge, 0), 0);
}

static void teardown(void)
{
	io_uring_queue_exit(&edge);
}

int main(void)
{
	Suite *s = suite_create("edges");
	TCase *cases[] = { edges_fd(), edges_poll(), edges_who(), edges_life() };
	struct io_uring ring;
	int r = io_uring_queue_init(2, &ring, 0);

	if (r == -EPERM || r == -ENOSYS)
		return rd_suite_skip("there is no io_uring");
	io_uring_queue_exit(&ring);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		suite_add_tcase(s, cases[i]);
	}
	return rd_suite_main(s);
}
