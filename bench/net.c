/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parent of a measurement of servers: starts server and load, tells the phases, adds up. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "net.h"
#include "proc.h"

#define WARMUP_SHARE	0.1
#define END_SECONDS	20	/* that a server has to see that its clients have gone */

struct parent {
	const struct bench_opts *o;
	struct bench_net *net;
	pid_t server, load;
	sigset_t child;
};

/* What each process has used of the CPU. */
struct usage {
	uint64_t server, service, load;
};

static int serve(const struct bench_opts *o, struct bench_net *net, int ready)
{
	static int (*const servers[])(const struct bench_opts *, struct bench_net *, int) = {
		[BENCH_RINGD] = bench_net_ringd, [BENCH_KERNEL] = bench_net_kernel, [BENCH_EPOLL] = bench_net_epoll,
	};

	return servers[o->target](o, net, ready);
}

/* Returns when it is ready, or with an error when it has died before: nobody else holds the other end of the pipe. */
static int start(struct parent *p, pid_t *pid, int (*what)(const struct bench_opts *, struct bench_net *, int))
{
	int fds[2], r;

	if (pipe(fds) < 0)
		return -errno;
	*pid = bench_spawn();
	if (*pid == 0) {
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN);
		bench_raise_nofile();
		_exit(what(p->o, p->net, fds[1]) < 0 ? 1 : 0);
	}
	close(fds[1]);
	r = *pid < 0 ? *pid : bench_await_ready(fds[0], 1);
	close(fds[0]);
	return r;
}

static void used(const struct parent *p, struct usage *u)
{
	u->server = bench_cpu_ns(p->server);
	u->service = bench_cpu_ns(p->net->res.service_pid);
	u->load = bench_cpu_ns(p->load);
}

static void set_phase(struct bench_net *net, enum bench_phase phase)
{
	__atomic_store_n(&net->phase, (uint32_t)phase, __ATOMIC_RELAXED);
}

/* Return: 0, -ECHILD if it failed (it said why), -ETIMEDOUT. */
static int reap(struct parent *p, pid_t pid, const char *what)
{
	uint64_t end = rd_now_ns() + END_SECONDS * 1000000000ull;
	int status = 0;

	if (pid <= 0)
		return 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (rd_now_ns() > end) {
			fprintf(stderr, "ringbench: the %s does not end\n", what);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
		(void)bench_sleep(0.05, &p->child);
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		fprintf(stderr, "ringbench: %s: %s\n", what, strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

static int finish(struct parent *p, int r)
{
	int r2;

	set_phase(p->net, BENCH_STOP);
	if (r < 0 && p->load > 0)
		kill(p->load, SIGKILL);
	r2 = reap(p, p->load, "load");
	r = r < 0 ? r : r2;
	if (r < 0 && p->server > 0)
		kill(p->server, SIGKILL);
	r2 = reap(p, p->server, "server");
	return r < 0 ? r : r2;
}

static void add_up(const struct bench_opts *o, struct bench_totals *t, const struct bench_net *net, const struct usage *u)
{
	const struct bench_result *res = &net->res;
	double ops = (double)res->ops;

	memset(t, 0, sizeof(*t));
	t->ops = res->ops;
	t->ns = res->ns;
	t->service_pid = res->service_pid;
	bench_hist_merge(t->hist, res->hist);
	if (net->grown_by) {
		t->server_memory = (double)net->server_memory / net->grown_by;
		t->service_memory = (double)net->service_memory / net->grown_by;
	}
	if (!res->ops || !res->ns)
		return;
	t->ops_per_s = ops * 1e9 / (double)res->ns;
	t->ns_per_op = 1e9 / t->ops_per_s;
	t->client_ns_per_op = (double)u->server / ops;
	t->service_ns_per_op = o->target == BENCH_RINGD ? (double)u->service / ops : 0;
	t->load_ns_per_op = (double)u->load / ops;
	t->slowest_share = 1;
}

int bench_net_measure(const struct bench_opts *o, struct bench_totals *t)
{
	struct parent p = { .o = o };
	struct usage before = { 0 }, after = { 0 };
	int r;

	p.net = mmap(NULL, sizeof(*p.net), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p.net == MAP_FAILED)
		return -errno;
	bench_block_sigchld(&p.child);
	r = start(&p, &p.server, serve);
	if (r == 0) {
		p.net->server_pid = p.server;
		r = start(&p, &p.load, bench_net_load);
	}
	if (r == 0 && !bench_sleep(o->seconds * WARMUP_SHARE, &p.child))
		r = -ECHILD;
	if (r == 0) {
		used(&p, &before);
		set_phase(p.net, BENCH_RUN);
		bench_sleep(o->seconds, &p.child);
		used(&p, &after);
	}
	r = finish(&p, r);
	if (r == 0) {
		struct usage u = { after.server - before.server, after.service - before.service, after.load - before.load };

		add_up(o, t, p.net, &u);
	}
	munmap(p.net, sizeof(*p.net));
	return r;
}
