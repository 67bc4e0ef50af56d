/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringfile cat FILE | create FILE | owner FILE: by path, so that it is the engine that opens. Prints what it read, or
 * the uid and gid that STATX told; a failure is told on standard error and is status 1.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ringd.h>

static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;

static int result(void)
{
	struct ringd_cqe *cqe;
	int r = ringd_submit_and_wait(ring, 1);

	if (r < 0 || (r = ringd_peek_cqe(ring, &cqe)) < 0)
		return r;
	r = cqe->res;
	ringd_cqe_seen(ring, cqe);
	return r;
}

static int set_up(void)
{
	int r = ringd_connect(&rd, NULL);

	if (r == 0)
		r = ringd_ring_new(rd, &ring, 8, 0);
	if (r == 0)
		r = ringd_arena_new(rd, &arena, 65536, 0);
	if (r == 0)
		r = ringd_register_files_sparse(ring, 1);
	return r;
}

static int cat(const char *path)
{
	struct ringd_sqe *sqe;
	int r;

	ringd_prep_openat_direct(ring, ringd_get_sqe(ring), AT_FDCWD, path, O_RDONLY, 0, 0);
	r = result();
	if (r < 0)
		return r;
	sqe = ringd_get_sqe(ring);
	ringd_prep_read(sqe, 0, ringd_arena_base(arena), 65536, 0);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	r = result();
	if (r >= 0)
		fwrite(ringd_arena_base(arena), 1, (size_t)r, stdout);
	return r;
}

static int create(const char *path)
{
	ringd_prep_openat_direct(ring, ringd_get_sqe(ring), AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0666, 0);
	return result();
}

static int owner(const char *path)
{
	struct statx *sx = ringd_arena_base(arena);
	int r;

	ringd_prep_statx(ring, ringd_get_sqe(ring), AT_FDCWD, path, 0, STATX_BASIC_STATS, sx);
	r = result();
	if (r == 0)
		printf("owner %u:%u\n", sx->stx_uid, sx->stx_gid);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 3)
		return 2;
	r = set_up();
	if (r == 0)
		r = !strcmp(argv[1], "cat") ? cat(argv[2]) : !strcmp(argv[1], "create") ? create(argv[2]) : owner(argv[2]);
	if (r < 0)
		fprintf(stderr, "ringfile: %s%s%s\n", strerror(-r), rd ? ": " : "", rd ? ringd_strerror(rd) : "");
	ringd_close(rd);
	return r < 0;
}
