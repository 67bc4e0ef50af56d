/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Open a file into a slot, read it, print it: hello FILE */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <ringd.h>

static int complain(const char *what, int err)
{
	fprintf(stderr, "hello: %s: %s\n", what, strerror(-err));
	return 1;
}

/* Submit the one SQE there is and take its CQE. */
static int run(struct ringd_ring *ring)
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
	struct ringd_arena *arena;
	struct ringd_ring *ring;
	struct ringd_sqe *sqe;
	struct ringd *rd;
	int r;

	if (argc != 2)
		return complain("usage: hello FILE", -22);
	if ((r = ringd_connect(&rd, NULL)) < 0)
		return complain(ringd_strerror(NULL), r);
	if ((r = ringd_ring_new(rd, &ring, 8, 0)) < 0 || (r = ringd_arena_new(rd, &arena, 65536, 0)) < 0 ||
	    (r = ringd_register_files_sparse(ring, 1)) < 0)
		return complain(ringd_strerror(rd), r);

	sqe = ringd_get_sqe(ring);
	ringd_prep_openat_direct(ring, sqe, AT_FDCWD, argv[1], O_RDONLY, 0, 0);
	if ((r = run(ring)) < 0)
		return complain(argv[1], r);

	sqe = ringd_get_sqe(ring);
	ringd_prep_read(sqe, 0, ringd_arena_base(arena), 65536, 0);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	if ((r = run(ring)) < 0)
		return complain("read", r);
	fwrite(ringd_arena_base(arena), 1, (size_t)r, stdout);
	ringd_close(rd);
	return 0;
}
