/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring in somebody else's event loop: poll() on standard input and on the ring at once. Each line typed is the name of
 * a file; its size is asked for by STATX and printed when the answer comes, in whatever order.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ringd.h>

struct question {
	char name[4096];
	struct statx *answer;	/* in the arena: the engine writes it */
};

static struct ringd *rd;
static struct ringd_arena *arena;
static struct ringd_ring *ring;
static unsigned int asked;

static void fail(const char *what, int err)
{
	fprintf(stderr, "eventloop: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void ask(const char *name)
{
	struct question *q = calloc(1, sizeof(*q));
	struct ringd_sqe *sqe = ringd_get_sqe(ring);
	int r;

	if (!q || !sqe)		/* one SQE at a time, submitted at once: there always is one */
		fail("question", -12);
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->answer = ringd_arena_alloc(arena, sizeof(*q->answer), 0);
	if (!q->answer)
		fail("too many questions", -12);
	ringd_prep_statx(ring, sqe, AT_FDCWD, q->name, 0, STATX_SIZE, q->answer);
	ringd_sqe_set_data(sqe, q);
	r = ringd_submit(ring);
	if (r < 0)
		fail(ringd_ring_strerror(ring), r);
	asked++;
}

/* Reap until there is nothing: only then may the descriptor be slept on again. */
static void reap(void)
{
	struct ringd_cqe *cqe;
	int r;

	while ((r = ringd_peek_cqe(ring, &cqe)) == 0) {
		struct question *q = ringd_cqe_get_data(cqe);

		if (cqe->res < 0)
			printf("%s: %s\n", q->name, strerror(-cqe->res));
		else
			printf("%s: %llu bytes\n", q->name, (unsigned long long)q->answer->stx_size);
		ringd_arena_release(arena, q->answer);
		free(q);
		ringd_cqe_seen(ring, cqe);
		asked--;
	}
	if (r != -EAGAIN)
		fail(ringd_ring_strerror(ring), r);
}

int main(void)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	char line[4096];
	int r;

	if ((r = ringd_connect(&rd, NULL)) < 0)
		fail(ringd_strerror(NULL), r);
	if ((r = ringd_ring_new(rd, &ring, 64, 0)) < 0 || (r = ringd_arena_new(rd, &arena, 1 << 20, 0)) < 0)
		fail(ringd_strerror(rd), r);
	p[1].fd = ringd_ring_fd(ring);
	setvbuf(stdin, NULL, _IONBF, 0);	/* poll() does not see what stdio has read ahead */
	while (p[0].fd >= 0 || asked) {
		reap();
		fflush(stdout);
		if (p[0].fd < 0 && !asked)
			break;
		if (poll(p, 2, -1) < 0)
			continue;
		if (!p[0].revents)
			continue;
		if (!fgets(line, sizeof(line), stdin)) {
			p[0].fd = -1;
			continue;
		}
		line[strcspn(line, "\n")] = 0;
		ask(line);
	}
	ringd_close(rd);
	return 0;
}
