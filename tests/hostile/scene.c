/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scene.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"

/* What a client holds for long; requests in flight and worker threads come and go with the neighbours. */
static const unsigned int held[] = { RINGD_LIMIT_RINGS, RINGD_LIMIT_ENTRIES, RINGD_LIMIT_BYTES, RINGD_LIMIT_FILES,
				     RINGD_LIMIT_CLIENTS, RINGD_LIMIT_OBJECTS };

void scene_open(struct scene *s, const char *const extra[], unsigned int flags)
{
	*s = (struct scene){ .fds = -1 };
	rd_daemon_start(&s->d, extra);
	raw_connect(&s->anchor, s->d.socket);
	if (!(flags & SCENE_ALONE))
		neighbour_start(&s->same, s->d.socket, geteuid());
	if (geteuid() == 0)
		neighbour_start(&s->other, s->d.socket, RD_TEST_UID);
	ck_assert(rd_daemon_status(&s->d, geteuid(), &s->before));
	s->fds = rd_count_fds((pid_t)s->before.engine_pid);
}

void scene_check(const struct scene *s)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(held); i++)
		rd_daemon_expect_used(&s->d, geteuid(), held[i], s->before.used[held[i]]);
	rd_daemon_expect_fds(&s->d, geteuid(), s->fds);
}

void scene_finish(struct scene *s)
{
	struct ringd_status st;

	neighbour_stop(&s->same);
	neighbour_stop(&s->other);
	/* nobody but the anchor is left */
	rd_daemon_expect_used(&s->d, geteuid(), RINGD_LIMIT_CLIENTS, 1);
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		if (i != RINGD_LIMIT_CLIENTS && i != RINGD_LIMIT_WORKERS)
			rd_daemon_expect_used(&s->d, geteuid(), i, 0);
	}
	ck_assert(rd_daemon_status(&s->d, geteuid(), &st));
	ck_assert_uint_eq(st.submitted, st.completed);
	if (geteuid() == 0)
		rd_daemon_expect_idle(&s->d, RD_TEST_UID);
}

static void end(struct neighbour *n)
{
	if (!n->pid)
		return;
	kill(n->pid, SIGKILL);		/* scene_finish() has heard its verdict, if it ran */
	waitpid(n->pid, NULL, 0);
}

int scene_close(struct scene *s, int failed)
{
	if (!s->d.pid)
		return EXIT_FAILURE;
	end(&s->same);
	end(&s->other);
	raw_close(&s->anchor);
	return rd_daemon_end(&s->d, failed) && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

uint32_t scene_random(void)
{
	static uint64_t state = 0x243f6a8885a308d3ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}
