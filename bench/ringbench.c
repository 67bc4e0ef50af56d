/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringbench: the parent. It prepares the file, forks the clients (and one process for idle rings), waits until all
 * have their rings, then only writes the phase word and sleeps, so that it takes nothing from the CPUs it measures.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/common/util.h"
#include "net.h"
#include "options.h"
#include "proc.h"

#define WARMUP_SHARE 0.1

struct children {
	pid_t client[BENCH_CLIENTS_MAX];
	pid_t idle;
	unsigned int n;
	int ready;		/* read end: one byte per process that is set up */
};

static int run_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready)
{
	static int (*const clients[])(const struct bench_opts *, struct bench_shared *, struct bench_result *, int) = {
		[BENCH_RINGD] = bench_ringd_client, [BENCH_KERNEL] = bench_kernel_client, [BENCH_BARE] = bench_bare_client,
	};

	return clients[o->target](o, sh, res, ready);
}

static int open_idle(const struct bench_opts *o, int *service_pid)
{
	bench_raise_nofile();	/* three descriptors per ring */
	return o->target == BENCH_RINGD ? bench_ringd_idle(o, o->idle_rings, service_pid) :
					   bench_kernel_idle(o, o->idle_rings, service_pid);
}

static void idle_process(const struct bench_opts *o, int ready)
{
	int service_pid;

	if (open_idle(o, &service_pid) < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

/* Return: 0 or -errno; *c says what there is to reap in either case. */
static int start(struct children *c, const struct bench_opts *o, struct bench_shared *sh)
{
	int fds[2];

	if (pipe(fds) < 0)
		return -errno;
	c->ready = fds[0];
	if (o->idle_rings) {
		c->idle = bench_spawn();
		if (c->idle == 0)
			idle_process(o, fds[1]);
	}
	for (unsigned int i = 0; i < o->clients; i++) {
		pid_t pid = bench_spawn();

		if (pid == 0) {
			sh->result[i].error = run_client(o, sh, &sh->result[i], fds[1]);
			_exit(sh->result[i].error ? 1 : 0);
		}
		if (pid < 0)
			break;
		c->client[c->n++] = pid;
	}
	close(fds[1]);
	return c->n == o->clients && c->idle >= 0 ? 0 : -EAGAIN;
}

static void set_phase(struct bench_shared *sh, enum bench_phase phase)
{
	__atomic_store_n(&sh->phase, phase, __ATOMIC_RELAXED);
}

/* Return: 0, or -ECHILD if a client failed (it said why). */
static int finish(struct children *c)
{
	int r = 0, status = 0;

	for (unsigned int i = 0; i < c->n; i++) {
		if (waitpid(c->client[i], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			r = -ECHILD;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			fprintf(stderr, "ringbench: client %u: %s\n", i, strsignal(WTERMSIG(status)));
	}
	if (c->idle > 0) {
		kill(c->idle, SIGKILL);
		waitpid(c->idle, &status, 0);
	}
	return r;
}

static void kill_clients(struct children *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		kill(c->client[i], SIGKILL);
}

static int measure(const struct bench_opts *o, struct bench_totals *t)
{
	size_t size = sizeof(struct bench_shared) + o->clients * sizeof(struct bench_result);
	struct bench_shared *sh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct children c = { .ready = -1 };
	uint64_t cpu = 0;
	sigset_t child;
	int r, r2;

	if (sh == MAP_FAILED)
		return -errno;
	bench_block_sigchld(&child);
	r = start(&c, o, sh);
	if (r == 0)
		r = bench_await_ready(c.ready, o->clients + (o->idle_rings ? 1 : 0));
	if (r == 0 && !bench_sleep(o->seconds * WARMUP_SHARE, &child))
		r = -ECHILD;
	if (r == 0) {
		cpu = bench_cpu_ns(sh->result[0].service_pid);
		set_phase(sh, BENCH_RUN);
		bench_sleep(o->seconds, &child);
		set_phase(sh, BENCH_STOP);
		cpu = bench_cpu_ns(sh->result[0].service_pid) - cpu;
	} else {
		kill_clients(&c);
	}
	r2 = finish(&c);
	r = r < 0 ? r : r2;
	if (r == 0)
		bench_totals_compute(t, o, sh, cpu);
	rd_close(c.ready);
	munmap(sh, size);
	return r;
}

static int hold(const struct bench_opts *o)
{
	int service_pid;
	char c;

	if (open_idle(o, &service_pid) < 0)
		return 1;
	printf("pid=%d service_pid=%d\n", (int)getpid(), service_pid);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	_exit(0);	/* the rings end with the process, as the idle ones of a measurement do */
}

/* A signal must not leave the file behind. Children die with us. */
static void on_signal(int sig)
{
	bench_file_cleanup();
	signal(sig, SIG_DFL);
	raise(sig);
}

int main(int argc, char **argv)
{
	struct bench_opts o;
	RD_FREE struct bench_totals *t = calloc(1, sizeof(*t));
	int r = 0;

	bench_parse(&o, argc, argv);
	if (!t)
		return 1;
	if (o.hold)
		return hold(&o);
	if (bench_op_has_file(o.op)) {
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
		signal(SIGHUP, on_signal);
		r = bench_file_prepare(&o);
		if (r == -EEXIST)
			fprintf(stderr, "ringbench: %s would lose its contents: --overwrite allows it\n", o.file);
		else if (r < 0)
			fprintf(stderr, "ringbench: %s: %s\n", o.file ? o.file : "test file",
				r == -ENODATA ? "smaller than one block" : strerror(-r));
	}
	if (r == 0)
		r = bench_op_net(o.op) ? bench_net_measure(&o, t) : measure(&o, t);
	bench_file_cleanup();
	if (r == 0)
		r = bench_report(stdout, &o, t);
	if (r == 0 && fflush(stdout) != 0)
		r = -EIO;
	return r < 0 ? 1 : 0;
}
