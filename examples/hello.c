/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hello FILE: open it into a slot, read it, print it. The README shows this program. */
#include <fcntl.h>
#include <stdio.h>
#include <ringd.h>

static int result(struct ringd_ring *ring)	/* of the one request there is */
{
	struct ringd_cqe *cqe;
	int r = ringd_submit_and_wait(ring, 1);

	if (r < 0 || (r = ringd_peek_cqe(ring, &cqe)) < 0)
		return r;
	r = cqe->res;
	ringd_cqe_seen(ring, cqe);
	return r;
}

int main(int argc, char **argv)
{
	struct ringd *rd = NULL;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	struct ringd_sqe *sqe;
	int n = -1;

	if (argc == 2 && ringd_connect(&rd, NULL) == 0 && ringd_ring_new(rd, &ring, 8, 0) == 0 &&
	    ringd_arena_new(rd, &arena, 65536, 0) == 0 && ringd_register_files_sparse(ring, 1) == 0) {
		ringd_prep_openat_direct(ring, ringd_get_sqe(ring), AT_FDCWD, argv[1], O_RDONLY, 0, 0);
		if ((n = result(ring)) == 0) {
			sqe = ringd_get_sqe(ring);
			ringd_prep_read(sqe, 0, ringd_arena_base(arena), 65536, 0);
			ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
			n = result(ring);
		}
	}
	if (n < 0)
		fprintf(stderr, "hello: result %d, %s\n", n, ringd_strerror(rd));
	else
		fwrite(ringd_arena_base(arena), 1, (size_t)n, stdout);
	ringd_close(rd);
	return n < 0;
}
